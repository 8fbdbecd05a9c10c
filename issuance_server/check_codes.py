"""The code that is printed beside a paper's number, for whoever types instead of scanning.

80 random bits in readable groups. The ledger stores neither the code nor a plain hash of it, only a hash under a key
of its own: who reads the table can neither name a paper's code nor try codes out.
"""

from __future__ import annotations

import base64
import hmac
import unicodedata
from typing import Final

from protocol.codec import preimage

CODE_BYTES: Final = 10  # 80 bits: nobody guesses a printed code
#: Base32 without letters that are read as digits.
_READABLE: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_MISREAD: Final = str.maketrans("OIL", "011")
_DOMAIN: Final = "madoguchi-check-code-v1"
_GROUP: Final = 4


def readable(random_bits: bytes) -> str:
    """Return random bits as a code in groups of four, as one reads it out."""
    code = base64.b32encode(random_bits).translate(_READABLE).decode("ascii")
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def digest(key: bytes, issue_number: str, code: str) -> bytes:
    """Return the form in which a paper's number and code are stored and looked up.

    Full-width and small letters, spaces, any kind of hyphen, and O, I and L in the code are read as they were meant.
    """
    number, plain_code = _plain(issue_number), _plain(code).translate(_MISREAD)
    return hmac.digest(key, preimage(_DOMAIN, number.encode(), plain_code.encode()), "sha256")


def _plain(typed: str) -> str:
    """Return letters and digits alone, as they are printed."""
    plain = unicodedata.normalize("NFKC", typed).upper()
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())
