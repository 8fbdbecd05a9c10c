"""The chain over a terminal's events: one value that stands for all of them, in their order.

Terminal and server compute it from the same bytes. Two journals that went on from one disk, and a journal that was set
back, cannot both have the value that the server has.
"""

from __future__ import annotations

import hashlib
from typing import Final

from protocol.codec import preimage

_DOMAIN: Final = "madoguchi-event-chain-v1"
GENESIS: Final = hashlib.sha256(preimage(_DOMAIN)).digest()


def link(head: bytes, body: bytes) -> bytes:
    """Return the head of the chain after one more event; body: the event's exact bytes, as they are signed."""
    return hashlib.sha256(preimage(_DOMAIN, head, body)).digest()
