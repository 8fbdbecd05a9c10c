"""The words of the receipt: asked for once a payment is over, and what became of it. `visit.py` gives them on."""

from __future__ import annotations

from dataclasses import dataclass

from terminal.states import Receipt


@dataclass(frozen=True, slots=True)
class ReceiptGiven:
    """The slip of a payment came out, or did not."""

    payment_id: str
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class GiveReceipt:
    """Print what was paid, what came back and the code of what did not. Irreversible: once a payment."""

    payment_id: str
