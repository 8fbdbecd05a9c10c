"""E-money (prepaid IC) as the kiosk sees it: a contract terminal that debits and cancels, and sometimes does not know.

There is no authorise and capture: the debit comes after the grant and directly before the print intent. A card that
leaves in the middle is 処理未了 (UNPROCESSED): neither side knows, and only the next touch of the same card, or the
brand's clearing days later, tells. It is an outcome of its own, with its own words, a case and a refund road; it is
never tried again with another payment id, and never printed upon.

The contract terminal's own line is its maker's secret, so there is a port here and no driver.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol


class DebitState(StrEnum):
    """How one debit stands."""

    UNKNOWN = "unknown"  # the terminal never heard of it: nothing was debited
    WAITING = "waiting"  # for a card
    DEBITED = "debited"
    DECLINED = "declined"  # nothing was debited, for certain
    UNPROCESSED = "unprocessed"  # 処理未了
    CANCELLING = "cancelling"  # for the same card, to give the debit back
    CANCELLED = "cancelled"


class DebitEvent(StrEnum):
    """What happens to a debit."""

    ASKED = "asked"
    TOUCHED = "touched"  # a card stayed until all was written
    REFUSED = "refused"  # not enough on it, or no card of ours
    CARD_LOST = "card lost"  # it left in the middle
    STOPPED = "stopped"  # by hand or by time
    CANCEL_ASKED = "cancel asked"
    CLEARED_DEBITED = "cleared as debited"
    CLEARED_NOT_DEBITED = "cleared as not debited"


class ImpossibleDebit(Exception):
    """This cannot happen to a debit in this state."""


_NEXT: Final = {
    (DebitState.UNKNOWN, DebitEvent.ASKED): DebitState.WAITING,
    (DebitState.WAITING, DebitEvent.TOUCHED): DebitState.DEBITED,
    (DebitState.WAITING, DebitEvent.REFUSED): DebitState.DECLINED,
    (DebitState.WAITING, DebitEvent.CARD_LOST): DebitState.UNPROCESSED,
    (DebitState.WAITING, DebitEvent.STOPPED): DebitState.DECLINED,
    (DebitState.UNPROCESSED, DebitEvent.TOUCHED): DebitState.DEBITED,
    (DebitState.UNPROCESSED, DebitEvent.CARD_LOST): DebitState.UNPROCESSED,
    (DebitState.UNPROCESSED, DebitEvent.STOPPED): DebitState.UNPROCESSED,
    (DebitState.UNPROCESSED, DebitEvent.CLEARED_DEBITED): DebitState.DEBITED,
    (DebitState.UNPROCESSED, DebitEvent.CLEARED_NOT_DEBITED): DebitState.DECLINED,
    (DebitState.DEBITED, DebitEvent.STOPPED): DebitState.DEBITED,  # the card was quicker
    (DebitState.DEBITED, DebitEvent.CANCEL_ASKED): DebitState.CANCELLING,
    (DebitState.DECLINED, DebitEvent.STOPPED): DebitState.DECLINED,
    (DebitState.CANCELLING, DebitEvent.TOUCHED): DebitState.CANCELLED,
    (DebitState.CANCELLING, DebitEvent.CARD_LOST): DebitState.CANCELLING,
    (DebitState.CANCELLING, DebitEvent.STOPPED): DebitState.DEBITED,
    (DebitState.CANCELLED, DebitEvent.STOPPED): DebitState.CANCELLED,
}


def next_state(state: DebitState, event: DebitEvent) -> DebitState:
    """Return what follows. Errors: ImpossibleDebit for a pair that is not in the table."""
    try:
        return _NEXT[state, event]
    except KeyError:
        raise ImpossibleDebit(f"{event} in {state}") from None


#: For a card, which may come or not.
WAITS: Final = frozenset({DebitState.WAITING, DebitState.CANCELLING})


class Next(StrEnum):
    """What a visit does once its debit stands so."""

    WAIT = "wait"
    PRINT = "print"
    END = "end"  # nothing was taken
    CASE = "case"  # nobody knows: no paper, words of its own, a refund road


WHAT_NEXT: Final = {
    DebitState.UNKNOWN: Next.END,
    DebitState.WAITING: Next.WAIT,
    DebitState.DEBITED: Next.PRINT,
    DebitState.DECLINED: Next.END,
    DebitState.UNPROCESSED: Next.CASE,
    DebitState.CANCELLING: Next.WAIT,
    DebitState.CANCELLED: Next.END,
}


@dataclass(frozen=True, slots=True)
class Debit:
    """The terminal's word on one debit. reference: its own number, by which the brand finds it; "" before."""

    payment_id: str
    amount_yen: int
    state: DebitState
    reference: str


class EmoneyTerminal(Protocol):
    """What every contract terminal offers the kiosk; errors are those of the payment port.

    Errors of all methods: DeviceGone, and then `status` tells.
    """

    def ready(self) -> bool:
        """Tell whether a card could be debited now."""
        ...

    def debit(self, payment_id: str, amount_yen: int) -> Debit:
        """Wait for a card and debit it once; the same again answers how it stands.

        Errors: PaymentConflict, BadAmount.
        """
        ...

    def stop(self, payment_id: str) -> Debit:
        """Wait no longer; the answer may be DEBITED, since a card may have been quicker. Errors: PaymentConflict."""
        ...

    def cancel(self, payment_id: str) -> Debit:
        """Wait for the same card and give the debit back. Errors: PaymentConflict unless it is debited."""
        ...

    def wait(self, payment_id: str, timeout_s: float) -> Debit:
        """Return once it waits for no card any more, or how it stands when the time is over; this moves nothing."""
        ...

    def status(self, payment_id: str) -> Debit:
        """Return how it stands; asking moves nothing."""
        ...
