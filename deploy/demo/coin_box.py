"""The machine behind the virtual coin unit: hoppers, holding tray, cashbox and return cup, a count per denomination."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from terminal.payment.change import Coins, most, pick, yen
from terminal.payment.device import (
    DENOMINATIONS_YEN,
    BadAmount,
    ChangeUnavailable,
    Counted,
    DeviceCounters,
    MoneyCounted,
    PaymentConflict,
    PaymentState,
    PaymentStatus,
    UnitStatus,
)

FLOAT = {10: 50, 50: 20, 100: 50, 500: 20, 1000: 5}

REMEMBERED_PAYMENTS = 1000


@dataclass
class Payment:
    """The payment for which the tray is used now."""

    payment_id: str
    due_yen: int
    exact_only: bool
    open: bool = True


@dataclass
class Contents:
    """All that the machine holds and remembers; whole, so that it can be kept on disk."""

    hoppers: Coins
    tray: Coins = field(default_factory=dict)
    cashbox: Coins = field(default_factory=dict)
    cup: Coins = field(default_factory=dict)
    inserted_yen: int = 0
    cashbox_yen: int = 0
    change_yen: int = 0
    returned_yen: int = 0
    event_counter: int = 0
    payment: Payment | None = None
    moved: dict[str, Counted] = field(default_factory=dict)
    jammed: bool = False  # on cue: the hoppers pay nothing out


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Everything as counted by the unit, for whoever audits the demo; whole yen but for the cup's coins."""

    inserted_yen: int
    cashbox_yen: int
    change_yen: int
    returned_yen: int
    tray_yen: int
    hoppers_yen: int
    cup_yen: int
    cup: Coins


class CoinBox:
    """The machine. Every method is one act; the lock makes it whole. `changed` hears of what lies in the tray."""

    def __init__(self, contents: Contents, keep: Callable[[Contents], None], changed: Callable[[MoneyCounted], None]):
        self._contents = contents
        self._keep = keep
        self._changed = changed
        self._lock = threading.Lock()

    # the terminal's side

    def check(self) -> UnitStatus:
        """See the port."""
        with self._lock:
            payment = self._contents.payment
            return UnitStatus(
                ready=not self._contents.jammed,
                payment_id=payment.payment_id if payment else None,
                tray_yen=yen(self._contents.tray),
            )

    def start(self, payment_id: str, due_yen: int, exact_only: bool = False) -> None:
        """See the port."""
        with self._lock:
            now = self._contents
            if due_yen <= 0 or due_yen % min(DENOMINATIONS_YEN):
                raise BadAmount(f"due_yen {due_yen} must be above 0 and a multiple of 10")
            if now.payment is not None:
                if (now.payment.payment_id, now.payment.due_yen) == (payment_id, due_yen) and now.payment.open:
                    return
                raise PaymentConflict(f"payment {now.payment.payment_id} is not over")
            if payment_id in now.moved:
                raise PaymentConflict(f"payment {payment_id} is over")
            if not exact_only and pick(now.hoppers, due_yen) is None:
                raise ChangeUnavailable(f"the hoppers cannot return {due_yen} yen")
            now.payment = Payment(payment_id, due_yen, exact_only)
            self._keep(now)

    def hold(self) -> int:
        """See the port."""
        with self._lock:
            now = self._contents
            if now.payment is None:
                raise PaymentConflict("no payment is open")
            now.payment.open = False
            self._keep(now)
            return yen(now.tray)

    def capture(self, payment_id: str, capture_yen: int) -> Counted:
        """See the port. The whole tray drops, as in the machine: what is not captured comes out of the hoppers."""
        with self._lock:
            now = self._contents
            done = now.moved.get(payment_id)
            if done is not None:
                if done.captured_yen != capture_yen:
                    raise PaymentConflict(f"payment {payment_id} was moved with {done.captured_yen} yen captured")
                return done
            held_yen = self._held(payment_id)
            if not 0 < capture_yen <= held_yen or capture_yen % min(DENOMINATIONS_YEN):
                raise BadAmount(f"capture_yen {capture_yen} must be a multiple of 10 between 10 and {held_yen}")
            _pour(now.tray, now.cashbox)
            now.cashbox_yen += held_yen
            change_yen = held_yen - capture_yen
            out = {} if now.jammed else pick(now.hoppers, change_yen) or most(now.hoppers, change_yen)
            _move(out, now.hoppers, now.cup)
            now.change_yen += yen(out)
            return self._finish(payment_id, Counted(capture_yen, yen(out), 0, change_yen - yen(out)))

    def give_back(self, payment_id: str) -> Counted:
        """See the port."""
        with self._lock:
            now = self._contents
            done = now.moved.get(payment_id)
            if done is not None:
                if done.captured_yen:
                    raise PaymentConflict(f"payment {payment_id} was captured")
                return done
            held_yen = self._held(payment_id)
            _pour(now.tray, now.cup)
            now.returned_yen += held_yen
            return self._finish(payment_id, Counted(0, 0, held_yen, 0))

    def pay_out(self, payout_id: str, amount_yen: int) -> Counted:
        """See the port."""
        with self._lock:
            now = self._contents
            done = now.moved.get(payout_id)
            if done is not None:
                return done
            if now.payment is not None:
                raise PaymentConflict(f"payment {now.payment.payment_id} is not over")
            if amount_yen <= 0 or amount_yen % min(DENOMINATIONS_YEN):
                raise BadAmount(f"amount_yen {amount_yen} must be above 0 and a multiple of 10")
            out = None if now.jammed else pick(now.hoppers, amount_yen)
            if out is None:
                raise ChangeUnavailable(f"the hoppers cannot pay {amount_yen} yen")
            _move(out, now.hoppers, now.cup)
            now.change_yen += amount_yen
            return self._finish(payout_id, Counted(0, amount_yen, 0, 0))

    def status(self, payment_id: str) -> PaymentStatus:
        """See the port."""
        with self._lock:
            now = self._contents
            done = now.moved.get(payment_id)
            if done is not None:
                state = PaymentState.CAPTURED if done.captured_yen else PaymentState.ROLLED_BACK
                return PaymentStatus(state, 0, done)
            if now.payment is not None and now.payment.payment_id == payment_id:
                return PaymentStatus(PaymentState.ACTIVE, yen(now.tray), None)
            return PaymentStatus(PaymentState.UNKNOWN, 0, None)

    def counters(self) -> DeviceCounters:
        """See the port."""
        with self._lock:
            now = self._contents
            return DeviceCounters(
                now.inserted_yen, now.cashbox_yen, now.change_yen, now.returned_yen, now.event_counter
            )

    # the world's side

    def insert(self, coin_yen: int) -> bool:
        """Put a coin or note in: True = it lies in the tray, False = it fell through into the return cup."""
        with self._lock:
            now = self._contents
            if coin_yen not in DENOMINATIONS_YEN:
                raise BadAmount(f"there is no {coin_yen} yen coin or note here")
            accepted = now.payment is not None and self._is_open(now.payment, coin_yen)
            place = now.tray if accepted else now.cup
            place[coin_yen] = place.get(coin_yen, 0) + 1
            if accepted:
                now.inserted_yen += coin_yen
                now.event_counter += 1
            self._keep(now)
            counted = self._counted()
            if accepted and counted:
                # inside the lock: two coins must not be told of in the wrong order
                self._changed(counted)
            return accepted

    def take_cup(self) -> Coins:
        """Take everything out of the return cup."""
        with self._lock:
            taken, self._contents.cup = self._contents.cup, {}
            self._keep(self._contents)
            return taken

    def totals(self) -> Totals:
        """Return what the unit counted."""
        with self._lock:
            now = self._contents
            return Totals(
                inserted_yen=now.inserted_yen,
                cashbox_yen=now.cashbox_yen,
                change_yen=now.change_yen,
                returned_yen=now.returned_yen,
                tray_yen=yen(now.tray),
                hoppers_yen=yen(now.hoppers),
                cup_yen=yen(now.cup),
                cup=dict(now.cup),
            )

    def jam(self, *, jammed: bool) -> None:
        """Jam the hoppers, or clear them."""
        with self._lock:
            self._contents.jammed = jammed
            self._keep(self._contents)

    def active(self) -> MoneyCounted | None:
        """Return what an event stream starts with."""
        with self._lock:
            return self._counted()

    # inside the lock

    def _counted(self) -> MoneyCounted | None:
        payment = self._contents.payment
        return MoneyCounted(payment.payment_id, yen(self._contents.tray)) if payment else None

    def _is_open(self, payment: Payment, coin_yen: int) -> bool:
        inserted_yen = yen(self._contents.tray)
        if not payment.open or inserted_yen >= payment.due_yen:
            return False
        total_yen = inserted_yen + coin_yen
        if payment.exact_only:
            return total_yen <= payment.due_yen
        hoppers = self._contents.hoppers
        over_yen = max(0, total_yen - payment.due_yen)
        return pick(hoppers, total_yen) is not None and pick(hoppers, over_yen) is not None

    def _held(self, payment_id: str) -> int:
        payment = self._contents.payment
        if payment is None or payment.payment_id != payment_id:
            raise PaymentConflict(f"payment {payment_id} is not in the tray")
        payment.open = False
        return yen(self._contents.tray)

    def _finish(self, payment_id: str, counted: Counted) -> Counted:
        now = self._contents
        now.payment = None
        now.event_counter += 1
        now.moved[payment_id] = counted
        while len(now.moved) > REMEMBERED_PAYMENTS:
            del now.moved[next(iter(now.moved))]
        self._keep(now)
        return counted


def _pour(source: Coins, target: Coins) -> None:
    _move(dict(source), source, target)


def _move(coins: Coins, source: Coins, target: Coins) -> None:
    rest = Counter(source)
    rest.subtract(coins)
    sums = Counter(target)
    sums.update(coins)
    source.clear()
    source.update({denomination: count for denomination, count in rest.items() if count})
    target.clear()
    target.update(sums)
