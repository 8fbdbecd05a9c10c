"""What the card signs: nothing but this, for this terminal, this certificate, this purpose."""

from __future__ import annotations

import hashlib
from typing import Final

from protocol.codec import preimage

DOMAIN: Final = "madoguchi-challenge-v1"
PURPOSE_ISSUE: Final = "issue"


def to_be_signed(
    *, challenge: bytes, terminal_id: str, terminal_key_thumbprint: bytes, certificate_sha256: bytes, purpose: str
) -> bytes:
    """Return the bytes whose SHA-256 the card signs.

    Shape:  challenge is the server's token as it came; terminal_key_thumbprint is `signing.key_thumbprint` of the
            terminal's key; certificate_sha256 is over the DER without filler; purpose is PURPOSE_ISSUE.
    """
    return preimage(
        DOMAIN,
        challenge,
        terminal_id.encode("utf-8"),
        terminal_key_thumbprint,
        certificate_sha256,
        purpose.encode("ascii"),
    )


def card_digest(to_be_signed_bytes: bytes) -> bytes:
    """Return the SHA-256 that goes into the card's DigestInfo."""
    return hashlib.sha256(to_be_signed_bytes).digest()
