"""The words of a payment by e-money: what the contract terminal is asked, and what it says. `visit.py` gives them on.

A debit's id is the order's own: whatever happens, an order cannot be debited twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.messages import PaymentMethod
from terminal.payment.emoney import DebitState


@dataclass(frozen=True, slots=True)
class DebitDecided:
    """The contract terminal waits for no card any more: how the current order's debit stands."""

    state: DebitState


@dataclass(frozen=True, slots=True)
class DebitCard:
    """Have a card debited for one order, once. Irreversible."""

    order_id: str
    payment_id: str
    amount_yen: int


@dataclass(frozen=True, slots=True)
class StopDebit:
    """Wait for a card no longer; whoever waits is told how it stands, since a card may have been quicker."""

    order_id: str


@dataclass(frozen=True, slots=True)
class CancelDebit:
    """Wait for the same card and give a debit back. Irreversible."""

    order_id: str
    payment_id: str
    amount_yen: int


@dataclass(frozen=True, slots=True)
class CloseDebits:
    """Write and tell what became of a payment by card or phone: fees that were earned (order id, fee), and the rest."""

    payment_id: str
    lines: tuple[tuple[str, int], ...]
    returned_yen: int  # back on the card
    owed_yen: int
    method: PaymentMethod = PaymentMethod.EMONEY
