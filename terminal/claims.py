"""The code by which money that a terminal owes is claimed: made of the terminal's own key and the payment's id.

Ed25519's signature over the same bytes is the same, and nobody without the key can tell it: its hash is as good as
chance. So the code need not be written down: after a power cut it is made again, and a journal that is stolen holds
none. Whoever has the key could say that a refund was paid, and needs no code.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.codec import preimage
from protocol.codes import CODE_BYTES, readable

_DOMAIN: Final = "madoguchi-claim-code-secret-v1"  # of no other bytes that this key signs


def claim_code(key: Ed25519PrivateKey, payment_id: str) -> str:
    """Return the code for what this payment comes to owe: 80 bits, in groups as one reads it out."""
    signature = key.sign(preimage(_DOMAIN, payment_id.encode("ascii")))
    return readable(hashlib.sha256(signature).digest()[:CODE_BYTES])
