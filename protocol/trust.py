"""What a terminal pins of its server: the keys behind grants and seals. Written by the server's keys, read at boot."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocol.messages import Message, MunicipalityCode

StatusBits = Annotated[int, msgspec.Meta(ge=4, le=20)]


class SealKeyTrust(Message, frozen=True, kw_only=True):
    """One municipality's seal key: its id as it stands in the seal, and the public key in PEM.

    Shape:  a seal holds only if the paper's date is not before sealed_from_jst nor after sealed_until_jst, where they
            are given: a key that is out of use stays published, so that its papers can be checked.
    """

    municipality_code: MunicipalityCode
    key_id: str
    public_key_pem: str
    municipality_name: str = ""
    sealed_from_jst: date | None = None
    sealed_until_jst: date | None = None


class StatusKeyTrust(Message, frozen=True, kw_only=True):
    """The central operator's key behind the status lists: its id as it stands in a list, and the public key in PEM."""

    key_id: str
    public_key_pem: str


class Trust(Message, frozen=True, kw_only=True):
    """The server's public keys; grant_public_key is the raw Ed25519 key.

    Shape:  a paper's status stands in the list of the first status_bits bits of its statement's digest: few enough
            that a list covers hundreds of papers, so that who asks for it does not say for which. They are pinned
            here, since whoever could choose them per question could ask them one by one.
    """

    grant_public_key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    seal_keys: tuple[SealKeyTrust, ...]
    status_keys: tuple[StatusKeyTrust, ...] = ()
    status_bits: StatusBits = 10

    def grant_key(self) -> Ed25519PublicKey:
        """Return the key that `grant.verify` takes."""
        return Ed25519PublicKey.from_public_bytes(self.grant_public_key)

    def seal_keys_of(self, municipality_code: str) -> dict[str, bytes]:
        """Return one municipality's keys, PEM by key id: another municipality's seal must not hold for this paper."""
        return {
            key.key_id: key.public_key_pem.encode("ascii")
            for key in self.seal_keys
            if key.municipality_code == municipality_code
        }
