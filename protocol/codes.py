"""Codes that people read from paper or screen and type: how they look, and what a claim's code is compared by.

A claim's code is made by the terminal, shown to whoever is owed money, and never stored: events and tables hold its
digest. The code has 80 random bits, so that its digest can be known to everybody.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from typing import Final

from protocol.codec import preimage

CODE_BYTES: Final = 10
CODE_LENGTH: Final = CODE_BYTES * 8 // 5  # characters, without the hyphens
#: Base32 without letters that are read as digits.
_READABLE: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
#: Every character of a code, in the order of a keyboard's keys.
CODE_CHARACTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD: Final = str.maketrans("OIL", "011")
_GROUP: Final = 4
_DOMAIN: Final = "madoguchi-claim-code-v1"


def readable(random_bits: bytes) -> str:
    """Return random bits as a code in groups of four, as one reads it out."""
    return grouped(base64.b32encode(random_bits).translate(_READABLE).decode("ascii"))


def grouped(code: str) -> str:
    """Return a code, or as much of it as there is, in groups of four."""
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def plain(typed: str) -> str:
    """Return letters and digits alone, as they are printed; full-width or small letters and hyphens are no fault."""
    normal = unicodedata.normalize("NFKC", typed).upper()
    return "".join(letter for letter in normal if letter.isascii() and letter.isalnum())


def plain_code(typed: str) -> str:
    """The same for a code, where O, I and L are the digits that they look like."""
    return plain(typed).translate(_MISREAD)


def claim_digest(code: str) -> bytes:
    """Return what a claim's code is stored and compared by: SHA-256 under a domain of its own."""
    return hashlib.sha256(preimage(_DOMAIN, plain_code(code).encode())).digest()
