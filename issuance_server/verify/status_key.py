"""The key behind the status lists: one of the central operator's, in a file of its own that only its owner can read.

It says which papers are void and signs nothing else: no paper, no grant.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from issuance_server.keys import KeysError
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
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return load_status_key(path)


def load_status_key(path: Path) -> StatusKey:
    """Load what `create_status_key` made. Errors: KeysError, also where others than the owner may read the file."""
    try:
        with path.open("rb") as stream:
            mode, pem = os.fstat(stream.fileno()).st_mode, stream.read()
    except OSError as error:
        raise KeysError(f"{path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise KeysError(f"{path} may be read by others than its owner: its mode must be 0600")
    try:
        key = load_pem_private_key(pem, password=None)
    except ValueError:
        raise KeysError(f"{path} is not a private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeysError(f"{path} is not a key on P-256")
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    key_id = key_id_of(public)
    return StatusKey(
        SealSigner.from_pem(key_id, pem), StatusKeyTrust(key_id=key_id, public_key_pem=public.decode("ascii"))
    )
