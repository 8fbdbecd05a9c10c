"""The code that is printed beside a paper's number, for whoever types instead of scanning.

80 random bits in readable groups. The ledger stores neither the code nor a plain hash of it, only a hash under a key
of its own: who reads the table can neither name a paper's code nor try codes out. Beside it stands the paper's seal
under a key that is made from number and code: neither who reads the table nor the check itself can open what nobody
typed.
"""

from __future__ import annotations

import base64
import hmac
import os
import unicodedata
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.codec import preimage

CODE_BYTES: Final = 10  # 80 bits: nobody guesses a printed code
#: Base32 without letters that are read as digits.
_READABLE: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_MISREAD: Final = str.maketrans("OIL", "011")
_DOMAIN: Final = "madoguchi-check-code-v1"
_SEAL_KEY_INFO: Final = "madoguchi-seal-under-code-v1"
_NONCE_BYTES: Final = 12
_GROUP: Final = 4


def readable(random_bits: bytes) -> str:
    """Return random bits as a code in groups of four, as one reads it out."""
    code = base64.b32encode(random_bits).translate(_READABLE).decode("ascii")
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


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
    number, plain_code = _as_printed(issue_number, code)
    info = preimage(_SEAL_KEY_INFO, number)
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(plain_code))


def _as_printed(issue_number: str, code: str) -> tuple[bytes, bytes]:
    return _plain(issue_number).encode(), _plain(code).translate(_MISREAD).encode()


def _plain(typed: str) -> str:
    """Return letters and digits alone, as they are printed."""
    plain = unicodedata.normalize("NFKC", typed).upper()
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())
