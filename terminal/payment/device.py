"""The coin and note unit as the terminal sees it: one port, shaped after XFS4IoT's cash-in.

A payment is started for a sum, money is counted into the holding tray, the tray is held, and then moved once: into the
cashbox with change from the hoppers (`capture`), or back into the return cup (`give_back`). Every movement is asked for
by payment id, so that asking again answers what was done and moves nothing. A movement whose answer was lost is
`MoneyOutcomeUnknown`: the caller asks `status`, and never moves money again on doubt.

For every payment that was moved: captured + change + returned + owed = inserted.
Everything here is picklable: the unit's library runs in a worker process of its own.
Source: PAYMENT.md of the design (XFS4IoT CashIn: CashInStart, CashIn, CashInEnd, CashInRollback, CashUnitInfo).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

#: What the unit takes, in whole yen: four coins and one note.
DENOMINATIONS_YEN = (10, 50, 100, 500, 1000)


class PaymentState(StrEnum):
    """What the unit knows of one payment; UNKNOWN is an answer, and never a guess."""

    ACTIVE = "active"  # collecting, or held in the tray
    CAPTURED = "captured"
    ROLLED_BACK = "rolled_back"  # nothing is kept: it was given back, or paid out
    UNKNOWN = "unknown"  # the unit never heard of it, has forgotten it, or cannot tell what became of it


@dataclass(frozen=True, slots=True)
class MoneyCounted:
    """The unit's event: this much lies in the tray for this payment."""

    payment_id: str
    total_yen: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What the unit did with one payment's money; whole yen."""

    captured_yen: int  # the fee that stays: what went into the cashbox, less the change and what is owed
    change_yen: int  # paid out from the hoppers; without a tray what is given back is paid out there too
    returned_yen: int  # as it was put in: dropped from the tray into the return cup, or a note out of escrow
    owed_yen: int  # should have come out and did not: a liability


@dataclass(frozen=True, slots=True)
class DeviceCounters:
    """The unit's totals since it was filled; they only rise. The event counter rises with every movement."""

    inserted_yen: int
    cashbox_yen: int  # dropped from the tray into the cashbox, change not deducted
    change_yen: int
    returned_yen: int
    event_counter: int


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """What a check says: may money be taken, and whose lies in the tray?"""

    ready: bool
    payment_id: str | None  # the payment whose money lies in the tray, or for which the unit is open
    tray_yen: int


@dataclass(frozen=True, slots=True)
class PaymentStatus:
    """The unit's own word on one payment after a fault."""

    state: PaymentState
    held_yen: int
    counted: Counted | None


class PaymentDeviceError(Exception):
    """The unit could not do what was asked. No money moved, unless the kind says that this is not known."""


class DeviceGone(PaymentDeviceError):
    """The unit does not answer, or said what is no answer; nothing was asked of it that moves money."""


class ChangeUnavailable(PaymentDeviceError):
    """The hoppers could not return this sum: only the exact amount can be taken. Nothing was opened."""


class PaymentConflict(PaymentDeviceError):
    """The unit is busy with another payment, or this one is over or was asked for with another amount."""


class BadAmount(PaymentDeviceError):
    """A sum that the unit cannot deal in: not above 0, no multiple of 10 yen, or more than the tray holds."""


class CountUncertain(PaymentDeviceError):
    """More may have been put in than was counted: nothing can be captured; `give_back` returns what lies there."""


class MoneyOutcomeUnknown(PaymentDeviceError):
    """A movement was asked for and its answer never came: ask `status`, do not move again."""


class CoinUnit(Protocol):
    """What every coin and note unit offers the terminal. Events arrive through the `emit` it was built with."""

    def check(self) -> UnitStatus:
        """Return the unit's state.

        Errors: DeviceGone.
        """
        ...

    def start(self, payment_id: str, due_yen: int, exact_only: bool = False) -> None:
        """Open the unit for a payment; `MoneyCounted` follows each coin. The same start again changes nothing.

        A denomination is open only while the hoppers could return all that was inserted plus it, and nothing is open
        once due_yen lies in the tray. With exact_only it is open only while it does not exceed what is left to pay.
        Errors: ChangeUnavailable unless exact_only, BadAmount, PaymentConflict, DeviceGone.
        """
        ...

    def hold(self) -> int:
        """Close the unit, drain it, and return what the tray holds in whole yen; again: the same answer.

        Errors: PaymentConflict if no payment is open, CountUncertain, DeviceGone.
        """
        ...

    def capture(self, payment_id: str, capture_yen: int) -> Counted:
        """Tray to cashbox, then the rest from the hoppers; the same capture again answers what was done.

        Errors: BadAmount, PaymentConflict, CountUncertain, DeviceGone; MoneyOutcomeUnknown once the order was sent.
        """
        ...

    def give_back(self, payment_id: str) -> Counted:
        """Tray to return cup, nothing captured; again: what was done.

        Errors: PaymentConflict if it was captured, DeviceGone; MoneyOutcomeUnknown once the order was sent.
        """
        ...

    def pay_out(self, payout_id: str, amount_yen: int) -> Counted:
        """Hoppers to return cup, for no payment of this machine; the same payout again answers what was done.

        What came out is its change_yen, what did not its owed_yen. To `status` it is known by its id.
        Errors: ChangeUnavailable, BadAmount, PaymentConflict, DeviceGone: nothing moved; MoneyOutcomeUnknown.
        """
        ...

    def status(self, payment_id: str) -> PaymentStatus:
        """Return what the unit knows of one payment.

        Errors: DeviceGone.
        """
        ...

    def counters(self) -> DeviceCounters:
        """Return the unit's totals, to be journaled before and after every movement.

        Errors: DeviceGone.
        """
        ...

    def close(self) -> None:
        """Let go of the unit; the money stays where it is."""
        ...
