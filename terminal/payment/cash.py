"""Coins and notes over ccTalk: the payment port carried out with an acceptor, a validator, hoppers and a holding tray.

The devices are polled while a payment is on. What they tell is on the disk before anybody hears of it, together with
the counter up to which it was read, so that a coin is counted once whatever is killed when. Without a tray coins fall
into the cashbox at once and come back from the hoppers alone.

Known limits: one note a payment, since the validator's escrow holds one; events that a device lost are never guessed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from msgspec.structs import replace

from terminal.payment.cash_devices import Acceptor, CashDevices, CashMachine
from terminal.payment.cash_moves import Mover
from terminal.payment.cash_record import Ended, Payment, RecordFile
from terminal.payment.cctalk import BillEvent, BillPlace, CoinError, Event, Lost, TrayFlag, new_events
from terminal.payment.change import Coins, pick
from terminal.payment.device import (
    DENOMINATIONS_YEN,
    BadAmount,
    ChangeUnavailable,
    Counted,
    CountUncertain,
    DeviceCounters,
    DeviceGone,
    MoneyCounted,
    MoneyOutcomeUnknown,
    PaymentConflict,
    PaymentDeviceError,
    PaymentState,
    PaymentStatus,
    UnitStatus,
)
from terminal.payment.line import Line

POLL_S: Final = 0.05  # a device may lose events when it is asked less than every 0.2 s; a look takes 0.1 s at 9600 baud
EXTEND_S: Final = 3.0  # a validator gives a note back after about 10 s
CLOSE_TIMEOUT_S: Final = 3.0
_JAMS: Final = {
    BillEvent.JAMMED_UNSAFE,
    BillEvent.JAMMED_IN_STACKER,
    BillEvent.STACKER_JAMMED,
    BillEvent.JAMMED_SAFE,
}
_CAME_BACK: Final = {BillEvent.RETURNED_FROM_ESCROW, BillEvent.PULLED_BACKWARDS}

log = structlog.get_logger()


class CcTalkCash:
    """`terminal.payment.device.CoinUnit` on a serial line. Errors: those of the port."""

    def __init__(self, line: str, machine: CashMachine, emit: Callable[[MoneyCounted], None]) -> None:
        """Read the record and begin to poll. Errors: RecordUnusable."""
        self._file = RecordFile(machine.record, machine.hoppers)
        self._devices = CashDevices(Line(line), machine)
        self._mover = Mover(self._devices, self._file)
        self._drain_s = machine.drain_s
        self._emit = emit
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._open_now: tuple[set[int], set[int]] | None = None  # None: what is open now is not known
        self._change: Coins | None = None  # what the hoppers could pay out, looked up once a payment
        self._extended_s = 0.0
        if self._file.now.payment is not None:
            self._tell()
        self._poller = threading.Thread(target=self._poll, name="cash-poll", daemon=True)
        self._poller.start()

    # The port

    def check(self) -> UnitStatus:
        """See the port."""
        with self._lock:
            self._resolve()
            if self._file.now.payment is not None:
                self._end_if_taken_by_hand()
            devices, payment = self._devices, self._file.now.payment
            ready = devices.coins.healthy() and devices.bills.healthy()
            ready = ready and bool(devices.coins.yen() and devices.bills.yen())  # asked once, before anybody waits
            for hopper in devices.hoppers.values():
                hopper.yen()
                hopper.status()
            if payment is None:
                return UnitStatus(ready=ready and self._is_empty(), payment_id=None, tray_yen=0)
            return UnitStatus(ready=ready, payment_id=payment.payment_id, tray_yen=payment.held_yen)

    def start(self, payment_id: str, due_yen: int, exact_only: bool = False) -> None:
        """See the port. Without a tray exact_only does not help: what cannot be returned is not taken."""
        with self._lock:
            if due_yen <= 0 or due_yen % min(DENOMINATIONS_YEN):
                raise BadAmount(f"due_yen {due_yen} must be above 0 and a multiple of {min(DENOMINATIONS_YEN)}")
            payment = self._file.now.payment
            if payment is not None:
                if (payment.payment_id, payment.due_yen) != (payment_id, due_yen) or not payment.open:
                    raise PaymentConflict(f"payment {payment.payment_id} is not over")
                self._look()
                self._adjust()
                return
            if payment_id in self._file.now.ended:
                raise PaymentConflict(f"payment {payment_id} is over")
            if not self._is_empty():
                raise DeviceGone("somebody's money lies in the tray or in escrow")
            self._change = self._hoppers_change()
            if pick(self._change, due_yen) is None and not (exact_only and self._devices.tray):
                raise ChangeUnavailable(f"the hoppers cannot return {due_yen} yen")
            self._begin(Payment(payment_id=payment_id, due_yen=due_yen, exact_only=exact_only))

    def hold(self) -> int:
        """See the port."""
        with self._lock:
            payment = self._file.now.payment
            if payment is None:
                raise PaymentConflict("no payment is open")
            if payment.moving is not None:
                raise MoneyOutcomeUnknown("money is being moved: ask the status")
            if payment.open:
                self._shut_and_drain()
            return self._certain().held_yen

    def capture(self, payment_id: str, capture_yen: int) -> Counted:
        """See the port."""
        with self._lock:
            ended = self._file.now.ended.get(payment_id)
            if ended is not None:
                return _done(payment_id, ended, capture_yen)
            self._own_held(payment_id)
            held_yen = self._certain().held_yen
            if not 0 < capture_yen <= held_yen or capture_yen % min(DENOMINATIONS_YEN):
                raise BadAmount(f"capture_yen {capture_yen} must be a multiple of 10 between 10 and {held_yen}")
            return self._mover.carry_out(capture_yen)

    def give_back(self, payment_id: str) -> Counted:
        """See the port. Where the count is uncertain, only what still lies as it came can be given back."""
        with self._lock:
            ended = self._file.now.ended.get(payment_id)
            if ended is not None:
                return _done(payment_id, ended, 0)
            self._own_held(payment_id)
            return self._mover.carry_out(0)

    def pay_out(self, payout_id: str, amount_yen: int) -> Counted:
        """See the port. All of it, as far as can be told before; a hopper that fails on the way leaves a rest owed."""
        with self._lock:
            ended = self._file.now.ended.get(payout_id)
            if ended is not None:
                return _done(payout_id, ended, 0)
            if amount_yen <= 0 or amount_yen % min(DENOMINATIONS_YEN):
                raise BadAmount(f"amount_yen {amount_yen} must be above 0 and a multiple of {min(DENOMINATIONS_YEN)}")
            if self._file.now.payment is not None:
                raise PaymentConflict(f"payment {self._file.now.payment.payment_id} is not over")
            if not self._is_empty():
                raise DeviceGone("somebody's money lies in the tray or in escrow")
            if pick(self._hoppers_change(), amount_yen) is None:
                raise ChangeUnavailable(f"the hoppers cannot pay {amount_yen} yen")
            paying = Payment(payment_id=payout_id, due_yen=amount_yen, exact_only=False, open=False, payout=True)
            self._file.keep(payment=replace(paying, boxed_yen=amount_yen))
            try:
                return self._mover.carry_out(0)
            finally:
                self._drop_payout()

    def status(self, payment_id: str) -> PaymentStatus:
        """See the port."""
        with self._lock:
            self._resolve()
            payment = self._file.now.payment
            if payment is not None and payment.payment_id == payment_id:
                return PaymentStatus(PaymentState.ACTIVE, payment.held_yen, None)
            ended = self._file.now.ended.get(payment_id)
            if ended is None or ended.counted is None:
                return PaymentStatus(PaymentState.UNKNOWN, 0, None)
            state = PaymentState.CAPTURED if ended.counted.captured_yen else PaymentState.ROLLED_BACK
            return PaymentStatus(state, 0, ended.counted)

    def counters(self) -> DeviceCounters:
        """See the port: what is on the disk, whatever the devices say now."""
        with self._lock:
            now = self._file.now
            return DeviceCounters(
                now.inserted_yen, now.cashbox_yen, now.change_yen, now.returned_yen, now.event_counter
            )

    def close(self) -> None:
        """See the port."""
        self._closed.set()
        self._poller.join(CLOSE_TIMEOUT_S)
        with self._lock:
            self._devices.line.close()

    # Opening and closing; inside the lock

    def _begin(self, payment: Payment) -> None:
        """Shut and marked, empty and read up to now; then the payment is written down, and only then it is open."""
        devices = self._devices
        if devices.tray is not None:
            devices.tray.close_flaps()
        devices.coins.mark()
        devices.bills.mark()
        devices.bills.use_escrow()
        counters = {"coin_counter": devices.coins.events()[0], "bill_counter": devices.bills.events()[0]}
        self._file.keep(payment=payment, **counters)
        self._open_now = None
        self._adjust()

    def _adjust(self) -> None:
        """Open what may be put in now, and nothing else."""
        payment = self._payment
        wanted = self._acceptable(payment)
        coins = {position for position, yen in self._devices.coins.yen().items() if yen in wanted}
        bills = {position for position, yen in self._devices.bills.yen().items() if yen in wanted}
        if payment.note_yen:
            bills = set()  # its escrow holds one
        if self._open_now != (coins, bills):
            self._open_now = None
            self._devices.coins.open(coins)
            self._devices.bills.open(bills)
            self._open_now = (coins, bills)

    def _acceptable(self, payment: Payment) -> set[int]:
        held_yen, due_yen = payment.held_yen, payment.due_yen
        if not payment.open or payment.uncertain or held_yen >= due_yen:
            return set()
        if self._change is None:
            self._change = self._hoppers_change()
        change, tray = self._change, self._devices.tray
        accepted = set()
        for coin in DENOMINATIONS_YEN:
            total_yen = held_yen + coin
            returnable = pick(change, total_yen) is not None and pick(change, max(0, total_yen - due_yen)) is not None
            exact = payment.exact_only and total_yen <= due_yen and tray is not None
            if exact or (returnable and not payment.exact_only):
                accepted.add(coin)
        return accepted

    def _hoppers_change(self) -> Coins:
        change: Coins = {}
        for address, hopper in self._devices.hoppers.items():
            with contextlib.suppress(DeviceGone):  # one that is not there cannot return anything
                if hopper.usable():
                    change[hopper.yen()] = change.get(hopper.yen(), 0) + self._file.now.levels.get(address, 0)
        return change

    def _shut_and_drain(self) -> None:
        """A coin that was put in before the unit shut may still be on its way to the sensor."""
        self._look()
        self._devices.coins.open(set())
        self._devices.bills.open(set())
        self._open_now = (set(), set())
        deadline_s = time.monotonic() + self._drain_s
        while time.monotonic() < deadline_s:
            self._look()
            time.sleep(POLL_S)
        self._look()
        self._file.keep(payment=replace(self._payment, open=False))

    # Looking at the devices; inside the lock

    def _poll(self) -> None:
        while not self._closed.wait(POLL_S):
            with self._lock:
                payment = self._file.now.payment
                if payment is None or payment.moving is not None:
                    continue
                try:
                    self._look()
                    if payment.open:
                        self._adjust()
                except PaymentDeviceError as error:
                    log.warning("coin unit", error=type(error).__name__, detail=str(error))

    def _look(self) -> None:
        """Read what was put in since the last look, and write it down before anything is told."""
        held_before_yen = self._payment.held_yen
        self._read(self._devices.coins, "coin_counter", self._count_coin)
        self._read(self._devices.bills, "bill_counter", self._count_bill)
        if self._payment.note_yen and time.monotonic() > self._extended_s + EXTEND_S:
            self._extended_s = time.monotonic()
            self._see_note()
        if self._payment.held_yen != held_before_yen:
            self._tell()

    def _read(self, acceptor: Acceptor, counter: str, count: Callable[[Payment, Event], Payment]) -> None:
        """Take in one acceptor's events: all of them and their counter in one write, or none."""
        answer = acceptor.events()
        began_anew = acceptor.began_anew()  # after its events: a cut between the two must not look like none
        events = new_events(getattr(self._file.now, counter), answer)
        if began_anew or isinstance(events, Lost):
            if self._payment.open:
                self._doubt(f"{counter}: events were lost")  # shut, it takes nothing: then nothing was missed
            if began_anew:
                acceptor.mark()
                self._open_now = None
            self._file.keep(**{counter: answer[0]})
            if self._payment.note_yen and acceptor is self._devices.bills:
                self._see_note()
            return
        if not events:
            return
        before = after = self._payment
        for event in events:
            after = count(after, event)
        now, gone_back_yen = self._file.now, after.gone_back_yen - before.gone_back_yen
        self._file.keep(
            payment=after,
            inserted_yen=now.inserted_yen + after.held_yen - before.held_yen + gone_back_yen,
            returned_yen=now.returned_yen + gone_back_yen,
            cashbox_yen=now.cashbox_yen + after.boxed_yen - before.boxed_yen,
            event_counter=now.event_counter + 1,
            **{counter: answer[0]},
        )

    def _count_coin(self, payment: Payment, event: Event) -> Payment:
        if event.a == 0:
            return replace(payment, uncertain=True) if event.b in set(CoinError) else payment
        coin_yen = self._devices.coins.yen().get(event.a)
        if coin_yen is None:
            return replace(payment, uncertain=True)
        if self._devices.tray is None:
            return replace(payment, boxed_yen=payment.boxed_yen + coin_yen)
        return replace(payment, tray_yen=payment.tray_yen + coin_yen)

    def _count_bill(self, payment: Payment, event: Event) -> Payment:
        if event.a == 0:
            if event.b in _CAME_BACK and payment.note_yen:
                return replace(payment, note_yen=0, gone_back_yen=payment.gone_back_yen + payment.note_yen)
            return replace(payment, uncertain=True) if event.b in _JAMS else payment
        note_yen = self._devices.bills.yen().get(event.a)
        if note_yen is None:
            return replace(payment, uncertain=True)
        if event.b == BillPlace.IN_ESCROW:
            return replace(payment, note_yen=note_yen, uncertain=payment.uncertain or payment.note_yen > 0)
        kept_yen = 0 if payment.note_yen == note_yen else payment.note_yen  # what lay in escrow was stacked unasked
        return replace(payment, note_yen=kept_yen, boxed_yen=payment.boxed_yen + note_yen)

    def _see_note(self) -> None:
        """See that the note is still in escrow, and keep it there; one that is gone without a word may be anywhere."""
        if not self._devices.bills.has_note():
            payment = self._payment
            self._doubt("the note left escrow without a word")
            boxed_yen = payment.boxed_yen + payment.note_yen
            self._file.keep(payment=replace(self._payment, note_yen=0, boxed_yen=boxed_yen))

    def _doubt(self, why: str) -> None:
        if not self._payment.uncertain:
            log.warning("count uncertain", payment=self._payment.payment_id, why=why)
            self._file.keep(payment=replace(self._payment, uncertain=True))

    # Inside the lock

    def _resolve(self) -> None:
        payment = self._file.now.payment
        if payment is not None and payment.moving is not None:
            self._mover.resolve()
        self._drop_payout()

    def _drop_payout(self) -> None:
        """A payout of which nothing moved for certain holds nobody's money: it is as if it had not been asked for."""
        payment = self._file.now.payment
        if payment is not None and payment.payout and payment.moving is None:
            self._file.keep(payment=None)

    @property
    def _payment(self) -> Payment:
        payment = self._file.now.payment
        assert payment is not None
        return payment

    def _certain(self) -> Payment:
        if self._payment.uncertain:
            raise CountUncertain("more may have been put in than was counted")
        return self._payment

    def _own_held(self, payment_id: str) -> None:
        """See that this payment is on, shut, and counted up to now. Errors: PaymentConflict, MoneyOutcomeUnknown."""
        payment = self._file.now.payment
        if payment is None or payment.payment_id != payment_id:
            raise PaymentConflict(f"payment {payment_id} is not in the tray")
        if payment.moving is not None:
            raise MoneyOutcomeUnknown("money was being moved: ask the status")
        if payment.open:
            self._shut_and_drain()
        else:
            self._look()

    def _is_empty(self) -> bool:
        tray = self._devices.tray
        return not (tray and TrayFlag.NOT_EMPTY in tray.status().flags) and not self._devices.bills.has_note()

    def _end_if_taken_by_hand(self) -> None:
        """Staff empty the tray and the escrow by hand: what was held there is nobody's to move any more."""
        payment = self._payment
        lay_there = payment.tray_yen or payment.note_yen or payment.uncertain
        if lay_there and not payment.open and self._is_empty():
            log.warning("taken by hand", payment=payment.payment_id)
            self._file.end(0, None)

    def _tell(self) -> None:
        self._emit(MoneyCounted(self._payment.payment_id, self._payment.held_yen))


def _done(payment_id: str, ended: Ended, capture_yen: int) -> Counted:
    """Answer for a payment that is over. Errors: PaymentConflict, MoneyOutcomeUnknown."""
    if ended.capture_yen != capture_yen:
        raise PaymentConflict(f"payment {payment_id} was moved with {ended.capture_yen} yen captured")
    if ended.counted is None:
        raise MoneyOutcomeUnknown(f"nobody knows what became of payment {payment_id}")
    return ended.counted
