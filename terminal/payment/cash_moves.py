"""Money moved once: note, tray, hoppers, in that order, each order written down before it is sent.

Whether an order was carried out is decided by the device's own counter, sensor and events, never by the answer alone.
Proof that it was not lets it be sent again; proof that it was is booked; anything else is unknown, and then nothing
more moves. The same evidence is asked for after a crash.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from msgspec.structs import replace

from terminal.payment.cash_devices import DISPENSE_MAX_COINS, CashDevices, Hopper
from terminal.payment.cash_record import Moving, Order, Payment, RecordFile, RecordUnusable
from terminal.payment.cctalk import (
    BillEvent,
    BillPlace,
    Event,
    Lost,
    Route,
    Said,
    Taken,
    TrayAction,
    TrayFlag,
    new_events,
    was_taken,
)
from terminal.payment.device import Counted, DeviceGone, MoneyOutcomeUnknown, PaymentDeviceError
from terminal.payment.line import Busy, NoAnswer, Refused

ORDER_TRIES: Final = 3
PAUSE_S: Final = 0.1
NOTE_TIMEOUT_S: Final = 10.0
TRAY_TIMEOUT_S: Final = 10.0
COIN_TIMEOUT_S: Final = 10.0  # a hopper gives up by itself before; from the last coin that came out

log = structlog.get_logger()


class NotMoved(PaymentDeviceError):
    """The device has not done it, for certain."""


class Mover:
    """Carries one movement out. Every method belongs to whoever holds the driver's lock."""

    def __init__(self, devices: CashDevices, file: RecordFile) -> None:
        self._devices = devices
        self._file = file

    def carry_out(self, capture_yen: int) -> Counted:
        """Capture so much of what is held, and return the rest.

        Errors: NotMoved or DeviceGone if nothing moved; else MoneyOutcomeUnknown, once; `resolve` finds out later.
        """
        self._file.keep(payment=replace(self._payment, moving=self._plan(capture_yen)))
        try:
            self._route_note()
            self._drop_tray()
            self._pay_rest()
            return self._finish()
        except (NotMoved, DeviceGone) as error:
            if self._nothing_moved:
                self._file.keep(payment=replace(self._payment, moving=None))
                raise
            if isinstance(error, NotMoved):
                self._file.end(capture_yen, None)
            raise MoneyOutcomeUnknown(str(error)) from error
        except RecordUnusable as error:
            raise MoneyOutcomeUnknown(str(error)) from error
        except MoneyOutcomeUnknown:
            self._file.end(capture_yen, None)
            raise

    def resolve(self) -> None:
        """Find out what became of a movement that was cut short; what was not paid out is owed from then on.

        Afterwards the payment is over, or held as before if nothing moved for certain. Errors: DeviceGone.
        """
        evidence = {"note": self._note_taken, "tray": self._tray_taken, "payout": self._payout_taken}
        for step, taken in evidence.items():
            order: Order | None = getattr(self._moving, step)
            if order is None or order.done:
                continue
            found = taken(order)
            if found is Taken.UNKNOWN:
                self._file.end(self._moving.capture_yen, None)
                return
            if found is Taken.NO:
                self._keep(**{step: None})
        moving = self._moving
        if self._nothing_moved:
            self._file.keep(payment=replace(self._payment, moving=None))
        elif (moving.route is not None and moving.note is None) or (moving.drop is not None and moving.tray is None):
            self._file.end(moving.capture_yen, None)  # half of it lies where it should not
        elif self._return_is_unknown:
            self._file.end(moving.capture_yen, None)
        else:
            self._finish()

    # The plan and its end

    def _plan(self, capture_yen: int) -> Moving:
        """Return note and tray as they came wherever that is not too much; the hoppers pay what is left."""
        payment, devices = self._payment, self._devices
        rest_yen = payment.held_yen - capture_yen
        route: Route | None = None
        drop: TrayAction | None = None
        if payment.note_yen or devices.bills.has_note():
            route = Route.RETURN if payment.note_yen <= rest_yen else Route.STACK
            rest_yen -= payment.note_yen if route is Route.RETURN else 0
        if devices.tray is not None and (payment.tray_yen or TrayFlag.NOT_EMPTY in devices.tray.status().flags):
            drop = TrayAction.TO_CUP if payment.tray_yen <= rest_yen else TrayAction.TO_CASHBOX
            rest_yen -= payment.tray_yen if drop is TrayAction.TO_CUP else 0
        return Moving(capture_yen=capture_yen, route=route, drop=drop, rest_yen=rest_yen)

    def _finish(self) -> Counted:
        payment, moving = self._payment, self._moving
        returned_yen = payment.gone_back_yen
        returned_yen += payment.note_yen if moving.route is Route.RETURN else 0
        returned_yen += payment.tray_yen if moving.drop is TrayAction.TO_CUP else 0
        owed_yen = moving.rest_yen - moving.paid_yen
        counted = Counted(moving.capture_yen, moving.paid_yen, returned_yen, owed_yen)
        self._file.end(moving.capture_yen, counted)
        return counted

    @property
    def _nothing_moved(self) -> bool:
        moving = self._moving
        return moving.note is None and moving.tray is None and moving.payout is None and moving.paid_yen == 0

    @property
    def _return_is_unknown(self) -> bool:
        """More than was counted may lie where nothing comes back as it was put in."""
        return self._payment.uncertain and (self._devices.tray is None or self._payment.boxed_yen > 0)

    # One order

    def _once(
        self, step: str, counter: Callable[[], int], send: Callable[[], object], taken: Callable[[Order], Taken]
    ) -> None:
        """See that one order is carried out once. Errors: NotMoved, MoneyOutcomeUnknown, DeviceGone."""
        for _ in range(ORDER_TRIES):
            order = Order(counter=counter())
            self._keep(**{step: order})
            order = replace(order, said=_said(send))
            self._keep(**{step: order})
            found = taken(order)
            if found is Taken.YES:
                return
            if found is Taken.UNKNOWN:
                raise MoneyOutcomeUnknown(f"{step}: nobody can tell whether it was done")
            self._keep(**{step: None})
            time.sleep(PAUSE_S)
        raise NotMoved(f"{step}: not done")

    # The note

    def _route_note(self) -> None:
        route = self._moving.route
        if route is None:
            return
        bills = self._devices.bills
        self._once("note", lambda: self._file.now.bill_counter, lambda: bills.route(route), self._note_taken)

    def _note_taken(self, order: Order) -> Taken:
        """A note says itself where it went, as an event; while it lies in escrow it went nowhere."""
        bills = self._devices.bills
        deadline_s = time.monotonic() + NOTE_TIMEOUT_S
        while True:
            answer = bills.events()
            events = new_events(order.counter, answer)
            if isinstance(events, Lost) or bills.began_anew():
                if not bills.has_note():
                    return Taken.UNKNOWN
                bills.mark()
                self._file.keep(bill_counter=answer[0])
                return Taken.NO
            went = [route for event in events if (route := _routed(event)) is not None]
            if went:
                return self._book_note(answer[0]) if went == [self._moving.route] else Taken.UNKNOWN
            late = time.monotonic() > deadline_s
            if (late or order.said is not Said.YES) and bills.has_note():
                return Taken.NO
            if late:
                return Taken.UNKNOWN
            time.sleep(PAUSE_S)

    def _book_note(self, bill_counter: int) -> Taken:
        now, note_yen = self._file.now, self._payment.note_yen
        order = Order(counter=bill_counter, done=True)
        stacked = self._moving.route is Route.STACK
        self._keep(
            {
                "bill_counter": bill_counter,
                "cashbox_yen": now.cashbox_yen + (note_yen if stacked else 0),
                "returned_yen": now.returned_yen + (0 if stacked else note_yen),
            },
            note=order,
        )
        return Taken.YES

    # The tray

    def _drop_tray(self) -> None:
        drop, tray = self._moving.drop, self._devices.tray
        if drop is None or tray is None:
            return
        status = tray.status()
        if TrayFlag.POWER_UP in status.flags:  # since it was filled, and with no order on its way: it kept what it held
            tray.close_flaps()
        if TrayFlag.NOT_EMPTY not in status.flags:
            raise NotMoved("the tray is empty, though coins were counted into it")
        self._once("tray", lambda: status.counter, lambda: tray.drop(drop), self._tray_taken)

    def _tray_taken(self, order: Order) -> Taken:
        tray = self._devices.tray
        assert tray is not None
        deadline_s = time.monotonic() + TRAY_TIMEOUT_S
        status = tray.status()
        while TrayFlag.MOVING in status.flags:
            if time.monotonic() > deadline_s:
                raise DeviceGone("the tray does not come to rest")
            time.sleep(PAUSE_S)
            status = tray.status()
        began_anew = TrayFlag.POWER_UP in status.flags
        not_empty = TrayFlag.NOT_EMPTY in status.flags
        taken = was_taken(order.counter, status.counter, order.said, began_anew=began_anew)
        if taken is Taken.YES and not not_empty:
            return self._book_tray(order)
        return Taken.NO if taken is Taken.NO and not_empty else Taken.UNKNOWN

    def _book_tray(self, order: Order) -> Taken:
        now, tray_yen = self._file.now, self._payment.tray_yen
        boxed = self._moving.drop is TrayAction.TO_CASHBOX
        self._keep(
            {
                "cashbox_yen": now.cashbox_yen + (tray_yen if boxed else 0),
                "returned_yen": now.returned_yen + (0 if boxed else tray_yen),
            },
            tray=replace(order, done=True),
        )
        return Taken.YES

    # The hoppers

    def _pay_rest(self) -> None:
        """Pay the rest in the largest coins; a hopper that fails is left alone and the smaller coins go on."""
        if self._return_is_unknown:
            raise MoneyOutcomeUnknown("how much is to be returned, nobody knows")
        left_out: set[int] = set()
        while True:
            rest_yen = self._moving.rest_yen - self._moving.paid_yen
            hopper = self._largest(rest_yen, left_out)
            if hopper is None:
                return
            coins = min(self._file.now.levels[hopper.address], rest_yen // hopper.yen(), DISPENSE_MAX_COINS)
            if not self._pay(hopper, coins):
                left_out.add(hopper.address)

    def _largest(self, rest_yen: int, left_out: set[int]) -> Hopper | None:
        levels = self._file.now.levels
        worth: dict[int, int] = {}
        for address, hopper in self._devices.hoppers.items():
            if address not in left_out and levels.get(address):
                with contextlib.suppress(DeviceGone):  # a hopper that is not there pays nothing
                    if 0 < hopper.yen() <= rest_yen and hopper.usable():
                        worth[address] = hopper.yen()
        best = max(worth, key=worth.__getitem__, default=None)
        return None if best is None else self._devices.hoppers[best]

    def _pay(self, hopper: Hopper, coins: int) -> bool:
        """Pay so many coins; False = fewer came out. Errors: MoneyOutcomeUnknown, DeviceGone."""
        try:
            hopper.enable()
            status = hopper.status()
        except DeviceGone:
            return False
        if status.remaining:
            return False
        paid_before_yen = self._moving.paid_yen
        self._keep(hopper=hopper.address, coins=coins)
        try:
            send = lambda: hopper.dispense(hopper.permit(), coins)  # noqa: E731 - a key is good for one order
            self._once("payout", lambda: status.counter, send, self._payout_taken)
        except NotMoved:
            return False
        with contextlib.suppress(DeviceGone):
            hopper.enable(enabled=False)
        return self._moving.paid_yen - paid_before_yen == coins * hopper.yen()

    def _payout_taken(self, order: Order) -> Taken:
        hopper, coins = self._devices.hoppers[self._moving.hopper], self._moving.coins
        status = hopper.status()
        began_anew = hopper.began_anew()  # in this order: a cut between the two must not look like none
        paid, deadline_s = status.paid, time.monotonic() + COIN_TIMEOUT_S
        while status.remaining:
            if time.monotonic() > deadline_s:
                raise DeviceGone(f"hopper {hopper.address} neither pays nor gives up")
            time.sleep(PAUSE_S)
            status = hopper.status()
            began_anew = hopper.began_anew()
            if status.paid != paid:
                paid, deadline_s = status.paid, time.monotonic() + COIN_TIMEOUT_S
        taken = was_taken(order.counter, status.counter, order.said, began_anew=began_anew)
        if taken is not Taken.YES:
            return taken
        if status.paid > coins or (began_anew and status.paid + status.unpaid != coins):
            return Taken.UNKNOWN  # the word on another payout
        return self._book_payout(hopper, status.paid, order)

    def _book_payout(self, hopper: Hopper, paid: int, order: Order) -> Taken:
        """Book what came out; where less came than was there, nobody knows how much is left."""
        now, moving = self._file.now, self._moving
        left = now.levels[hopper.address] - paid if paid == moving.coins else 0
        self._keep(
            {
                "levels": {**now.levels, hopper.address: left},
                "change_yen": now.change_yen + paid * hopper.yen(),
            },
            payout=replace(order, done=True),
            paid_yen=moving.paid_yen + paid * hopper.yen(),
        )
        return Taken.YES

    # The record

    @property
    def _payment(self) -> Payment:
        payment = self._file.now.payment
        assert payment is not None
        return payment

    @property
    def _moving(self) -> Moving:
        moving = self._payment.moving
        assert moving is not None
        return moving

    def _keep(self, totals: dict[str, Any] | None = None, /, **steps: Any) -> None:
        """Write steps of the movement, and totals with them, at once."""
        payment = replace(self._payment, moving=replace(self._moving, **steps))
        rises = {} if totals is None else {**totals, "event_counter": self._file.now.event_counter + 1}
        self._file.keep(payment=payment, **rises)


def _said(send: Callable[[], object]) -> Said:
    """Send an order once and return what its device said to it."""
    try:
        done = send() is not False
    except NoAnswer as error:
        log.warning("no answer to an order", error=str(error))
        return Said.NOTHING
    except (Refused, Busy) as error:
        log.warning("an order was refused", error=str(error))
        return Said.NO
    return Said.YES if done else Said.NO


def _routed(event: Event) -> Route | None:
    """Return where an event says that the note in escrow went."""
    if event.a == 0:
        return Route.RETURN if event.b in {BillEvent.RETURNED_FROM_ESCROW, BillEvent.PULLED_BACKWARDS} else None
    return Route.STACK if event.b == BillPlace.STACKED else None
