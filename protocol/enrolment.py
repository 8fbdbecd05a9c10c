"""How a terminal that nobody knows yet shows its key: with a single-use code, and the key's own signature over both.

The code opens the door for minutes; the key is let in by two officers, each of whom has compared its fingerprint with
what the terminal shows.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.codec import preimage
from protocol.codes import plain_code, readable
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EnrolRequest

_DOMAIN: Final = "madoguchi-enrolment-v1"
_CODE_DOMAIN: Final = "madoguchi-enrolment-code-v1"
_FINGERPRINT_BYTES: Final = 20  # of the thumbprint: 160 bits are what nobody can find another key for


def code_digest(code: str) -> bytes:
    """Return what a code is stored and compared by. Shape: 32 bytes; how it is typed does not matter."""
    return hashlib.sha256(preimage(_CODE_DOMAIN, plain_code(code).encode())).digest()


def fingerprint(thumbprint: bytes) -> str:
    """Return a key's thumbprint (`signing.key_thumbprint`) as two people read it to one another."""
    return readable(thumbprint[:_FINGERPRINT_BYTES])


def ask(code: str, key: Ed25519PrivateKey) -> EnrolRequest:
    """Return the request by which a terminal shows its new key."""
    public = key.public_key().public_bytes_raw()
    return EnrolRequest(code=code, public_key=public, proof=key.sign(_said(code, public)))


def check(request: EnrolRequest) -> Ed25519PublicKey:
    """Return the key that a request shows. Errors: IssueError SIGNATURE_INVALID unless whoever asks has it."""
    try:
        key = Ed25519PublicKey.from_public_bytes(request.public_key)
        key.verify(request.proof, _said(request.code, request.public_key))
    except (InvalidSignature, ValueError):
        raise IssueError(ErrorCode.SIGNATURE_INVALID, "`proof` is not this key's") from None
    return key


def _said(code: str, public_key: bytes) -> bytes:
    return preimage(_DOMAIN, plain_code(code).encode(), public_key)
