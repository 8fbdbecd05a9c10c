"""What the cash driver knows for certain, in one small file that is on the disk before anything else happens.

The devices forget whose money they hold: a counter is all that they remember. So the driver keeps, for the payment that
is on and for those that were, what was counted and which order is on its way with the device's counter before it. The
terminal's journal could not hold it: it belongs to another thread of another process, and the driver's process is the
one that is killed when a device hangs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from terminal.payment.cctalk import Route, Said, TrayAction
from terminal.payment.device import Counted, PaymentDeviceError

REMEMBERED_PAYMENTS: Final = 100


class RecordUnusable(PaymentDeviceError):
    """The driver's file cannot be read or written: without it no money is taken."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order that moves money, written before it is sent."""

    counter: int  # the device's, before
    said: Said = Said.NOTHING
    done: bool = False


class Moving(msgspec.Struct, frozen=True, kw_only=True):
    """The movement that was begun: note, tray, hoppers, in that order. None = not sent yet, or nothing to be done."""

    capture_yen: int
    route: Route | None
    drop: TrayAction | None
    rest_yen: int  # due from the hoppers
    paid_yen: int = 0
    note: Order | None = None
    tray: Order | None = None
    hopper: int = 0  # its address, and how many coins were asked of it
    coins: int = 0
    payout: Order | None = None


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """The payment that is on. Units: whole yen."""

    payment_id: str
    due_yen: int
    exact_only: bool
    open: bool = True
    tray_yen: int = 0
    note_yen: int = 0  # in the validator's escrow
    boxed_yen: int = 0  # went into the cashbox when it was taken: it comes back from the hoppers alone
    gone_back_yen: int = 0  # a note that the validator gave back by itself
    uncertain: bool = False  # there may be more than was counted
    payout: bool = False  # nothing was put in for it: it is paid out of the hoppers as what lies in the cashbox
    moving: Moving | None = None

    @property
    def held_yen(self) -> int:
        """What was counted and can be captured."""
        return self.tray_yen + self.note_yen + self.boxed_yen


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A payment that is over; without counted nobody knows what became of its money."""

    capture_yen: int
    counted: Counted | None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. levels: coins by hopper's address; the rest of the first five: totals as in DeviceCounters."""

    levels: dict[int, int]
    inserted_yen: int = 0
    cashbox_yen: int = 0
    change_yen: int = 0
    returned_yen: int = 0
    event_counter: int = 0
    coin_counter: int = 0  # of the coin acceptor's events, as last read
    bill_counter: int = 0
    payment: Payment | None = None
    ended: dict[str, Ended] = {}


class RecordFile:
    """The record and its file. `now` is what stands on the disk."""

    def __init__(self, path: Path, levels: dict[int, int]) -> None:
        """Read the file, or begin one with these levels. Errors: RecordUnusable."""
        self._path = path
        try:
            self.now = msgspec.json.decode(path.read_bytes(), type=Record, strict=False)
        except FileNotFoundError:
            self.now = Record(levels=dict(levels))
            self._write()
        except (OSError, msgspec.DecodeError) as error:
            raise RecordUnusable(f"{path}: {error}") from error

    def keep(self, **changes: Any) -> Record:
        """Change fields of the record; it is on the disk when this returns. Errors: RecordUnusable."""
        before, self.now = self.now, replace(self.now, **changes)
        try:
            self._write()
        except RecordUnusable:
            self.now = before
            raise
        return self.now

    def end(self, capture_yen: int, counted: Counted | None) -> None:
        """The payment that is on is over."""
        payment = self.now.payment
        assert payment is not None
        ended = {**self.now.ended, payment.payment_id: Ended(capture_yen=capture_yen, counted=counted)}
        for oldest in list(ended)[:-REMEMBERED_PAYMENTS]:
            del ended[oldest]
        self.keep(payment=None, ended=ended, event_counter=self.now.event_counter + 1)

    def _write(self) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            with fresh.open("wb") as file:
                file.write(msgspec.json.encode(self.now))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise RecordUnusable(f"{self._path}: {error}") from error


def fill(path: Path, levels: dict[int, int]) -> None:
    """Say how many coins lie in each hopper, after staff have filled or counted them; the driver is not running.

    Errors: RecordUnusable.
    """
    file = RecordFile(path, levels)
    file.keep(levels={**file.now.levels, **levels})
