"""What a terminal pins of its server: the keys behind grants and seals. Written by the server's keys, read at boot."""

from __future__ import annotations

from typing import Annotated

import msgspec

from protocol.messages import Message, MunicipalityCode


class SealKeyTrust(Message, frozen=True, kw_only=True):
    """One municipality's seal key; public_key is its SubjectPublicKeyInfo in DER."""

    municipality_code: MunicipalityCode
    key_id: bytes
    public_key: bytes


class Trust(Message, frozen=True, kw_only=True):
    """The server's public keys; grant_public_key is the raw Ed25519 key."""

    grant_public_key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    seal_keys: tuple[SealKeyTrust, ...]
