"""The code that is printed beside a paper's number, for whoever types instead of scanning.

80 random bits in readable groups. The ledger stores neither the code nor a plain hash of it, only a hash under a key
of its own: who reads the table can neither name a paper's code nor try codes out. Beside it stands the paper's seal
under a key that is made from number and code: neither who reads the table nor the check itself can open what nobody
typed.
"""

from __future__ import annotations

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.codec import preimage
from protocol.codes import plain, plain_code

CODE_BYTES: Final = 10  # 80 bits: nobody guesses a printed code
_DOMAIN: Final = "madoguchi-check-code-v1"
_SEAL_KEY_INFO: Final = "madoguchi-seal-under-code-v1"
_NONCE_BYTES: Final = 12


def digest(key: bytes, issue_number: str, code: str) -> bytes:
    """Return the form in which a paper's number and code are stored and looked up.

    Full-width and small letters, spaces, any kind of hyphen, and O, I and L in the code are read as they were meant.
    """
    return hmac.digest(key, preimage(_DOMAIN, *_as_printed(issue_number, code)), "sha256")


def seal_under(issue_number: str, code: str, seal_text: str) -> bytes:
    """Return a paper's seal for whoever types its number and code, and for nobody else."""
    nonce = os.urandom(_NONCE_BYTES)  # a paper may be sealed twice, if its first worker did not come back
    return nonce + _cipher(issue_number, code).encrypt(nonce, seal_text.encode("ascii"), None)


def open_under(issue_number: str, code: str, sealed: bytes) -> str | None:
    """Return the seal that `seal_under` put away; None for any other number or code, or if it was altered."""
    nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        return _cipher(issue_number, code).decrypt(nonce, body, None).decode("ascii")
    except (InvalidTag, ValueError):
        return None


def _cipher(issue_number: str, code: str) -> AESGCM:
    """The code's bits are random and many: a key derivation that is slow on purpose would only slow the check."""
    number, code_bytes = _as_printed(issue_number, code)
    info = preimage(_SEAL_KEY_INFO, number)
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(code_bytes))


def _as_printed(issue_number: str, code: str) -> tuple[bytes, bytes]:
    return plain(issue_number).encode(), plain_code(code).encode()
