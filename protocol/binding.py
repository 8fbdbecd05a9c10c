"""The binding: what ties a printed seal to one order, one visit at one terminal, and one card."""

from __future__ import annotations

import hashlib
from typing import Final

from protocol.codec import preimage

DOMAIN: Final = "madoguchi-binding-v1"
VISIT_SECRET_BYTES: Final = 16


def binding(order_id: str, visit_secret: bytes, certificate_sha256: bytes) -> bytes:
    """Return H("madoguchi-binding-v1", order id, visit secret, certificate hash).

    The terminal sends it with the order and recomputes it from the printed seal; the visit secret never leaves the
    terminal, so that a paper made for another visit cannot carry it.

    Shape:  order_id in hex as on the wire; visit_secret 16 random bytes; certificate_sha256 32 bytes.
    Errors: ValueError where a length is wrong: a short secret would be guessable.
    """
    if len(visit_secret) != VISIT_SECRET_BYTES:
        raise ValueError(f"visit_secret must have {VISIT_SECRET_BYTES} bytes")
    if len(certificate_sha256) != hashlib.sha256().digest_size:
        raise ValueError("certificate_sha256 must have 32 bytes")
    return hashlib.sha256(preimage(DOMAIN, order_id.encode("ascii"), visit_secret, certificate_sha256)).digest()
