"""The key behind the status lists: one of the central operator's, in a file of its own that only its owner can read.

It says which papers are void and signs nothing else: no paper, no grant.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issuance_server.key_files import KeysError, load_pem, pem, write_private
from printing.paper.seal import SealSigner, key_id_of
from protocol.trust import StatusKeyTrust

STATUS_KEY_FILE: Final = "status.pem"


@dataclass(frozen=True, slots=True)
class StatusKey:
    """What signs the lists, and what is published of it."""

    signer: SealSigner
    published: StatusKeyTrust


def create_status_key(path: Path) -> StatusKey:
    """Make a key on P-256 and load it. Errors: FileExistsError: what it signed could not be checked any more."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(path, pem(key))
    return load_status_key(path)


def load_status_key(path: Path) -> StatusKey:
    """Load what `create_status_key` made. Errors: KeysError, also where others than the owner may read the file."""
    key = load_pem(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeysError(f"{path} is not a key on P-256")
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key_id = key_id_of(public)
    return StatusKey(
        SealSigner.from_pem(key_id, pem(key)), StatusKeyTrust(key_id=key_id, public_key_pem=public.decode("ascii"))
    )
