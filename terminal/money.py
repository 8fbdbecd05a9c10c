"""Money's programs: opened, held, then moved once. Nothing is moved again on doubt: what is left is owed, and a case.

Each movement has a row before it, with what it will do and the unit's own totals; what came of it, the end of the
collection, the events for the server and a case stand in one append behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, Final, cast

import structlog

from printing.press.errors import PressError
from protocol.messages import EventKind, PaymentMethod
from terminal import visit as v
from terminal.book import Book, Note, Telling, result
from terminal.journal import Act, Case, Intent
from terminal.payment.device import (
    ChangeUnavailable,
    CoinUnit,
    Counted,
    CountUncertain,
    DeviceCounters,
    DeviceGone,
    PaymentDeviceError,
    PaymentState,
    PaymentStatus,
)
from terminal.programs import Call, Lane, Memory, Program
from terminal.visit import TerminalCode, Visit
from terminal.workers import WorkerDied, WorkerError

Lines = tuple[tuple[str, int], ...]  # order id and fee

log = structlog.get_logger()


class MoneyPrograms:
    """The coin unit's part of the effects; memory is the visit's, asked for when a program begins."""

    def __init__(self, book: Book, payment: CoinUnit, memory: Callable[[], Memory]) -> None:
        self._book = book
        self._payment = payment
        self._memory = memory

    # In

    def collect(self, effect: v.CollectMoney, visit: Visit) -> Program:
        """Open the unit."""
        payment_id, due_yen = effect.payment_id, effect.due_yen
        before: DeviceCounters = yield from asked(Call(Lane.PAYMENT, "payment.counters", self._payment.counters))
        row = self._book.journal.intent(
            Intent(
                act=Act.COLLECT,
                visit_id=visit.visit_id,
                payment_id=payment_id,
                amount_yen=due_yen,
                counters=totals(before),
            )
        )
        self._memory().collect_row = row
        try:
            exact_only = yield from self._open_unit(payment_id, due_yen, several=effect.orders > 1)
        except ChangeUnavailable:
            self._book.write(result(row, "not opened"))
            return v.OneByOne()
        except (PaymentDeviceError, WorkerError):
            yield from self._write_if_shut(row, payment_id)
            raise
        return v.CollectionOpened(exact_only)

    def hold(self, _effect: v.HoldMoney, _visit: Visit) -> Program:
        """Shut the unit and learn what it holds."""
        memory = self._memory()
        memory.held_yen = yield from asked(Call(Lane.PAYMENT, "payment.hold", self._payment.hold))
        return v.MoneyHeld(memory.held_yen)

    def _open_unit(self, payment_id: str, due_yen: int, *, several: bool) -> Generator[Call, Any, bool]:
        """Open the unit; return whether it takes the exact sum alone, because it could not give change.

        Errors: ChangeUnavailable for several orders, of which the last may fail and its fee would have to come back.
        """
        payment = self._payment
        try:
            yield from self._start(lambda: payment.start(payment_id, due_yen))
        except ChangeUnavailable:
            log.info("no change", payment=payment_id)
            if several:
                raise
        else:
            return False
        yield from self._start(lambda: payment.start(payment_id, due_yen, exact_only=True))
        return True

    def _start(self, start: Callable[[], None]) -> Generator[Call, Any, None]:
        """An answer that was lost may have left the unit open; the same start again moves nothing, and tells."""
        yield from asked(Call(Lane.PAYMENT, "payment.start", start))

    def _write_if_shut(self, row: int, payment_id: str) -> Generator[Call, Any, None]:
        """Write that the unit did not open, if it says so itself; else it is asked once more when the visit is over."""
        status = yield from attempt(Call(Lane.PAYMENT, "payment.status", lambda: self._payment.status(payment_id)))
        if isinstance(status, PaymentStatus) and status.state is PaymentState.UNKNOWN:
            self._book.write(result(row, "not opened"))

    # Out

    def capture(self, effect: v.CaptureMoney, visit: Visit) -> Program:
        """Tray to cashbox, and the rest from the hoppers."""
        payment, (payment_id, capture_yen) = self._payment, (effect.payment_id, effect.capture_yen)
        if capture_yen == 0:  # free of charge: the unit was never opened
            self._book.write(*captured(payment_id, effect.lines, Counted(0, 0, 0, 0)))
            return v.MoneyCaptured(0, 0, 0, 0)
        held_yen = self._memory().held_yen
        try:
            before: DeviceCounters = yield from asked(Call(Lane.PAYMENT, "payment.counters", payment.counters))
        except (PaymentDeviceError, WorkerError):
            self._book.write(*uncollected(payment_id, effect.lines, held_yen))
            raise
        intent = _intent(
            Act.CAPTURE, visit, payment_id, capture_yen, held_yen=held_yen, lines=effect.lines, before=before
        )
        call = Call(Lane.PAYMENT, "payment.capture", lambda: payment.capture(payment_id, capture_yen))
        counted = yield from self._move(intent, call)
        if counted is None:
            return v.Failed(TerminalCode.MONEY_UNCERTAIN)
        return v.MoneyCaptured(counted.captured_yen, counted.change_yen, counted.returned_yen, counted.owed_yen)

    def give_back(self, effect: v.ReturnMoney, visit: Visit) -> Program:
        """Tray to return cup."""
        payment, payment_id = self._payment, effect.payment_id
        # 1. Closed and drained, so that no coin falls in behind the count.
        try:
            held_yen = yield from shut(payment, payment_id)
            before: DeviceCounters = yield from asked(Call(Lane.PAYMENT, "payment.counters", payment.counters))
        except (PaymentDeviceError, WorkerError):
            self._book.write(*owed(payment_id, visit.money.inserted_yen if visit.money else 0))
            raise
        # 2. Moved once.
        intent = _intent(Act.RETURN, visit, payment_id, held_yen, held_yen=held_yen, lines=(), before=before)
        call = Call(Lane.PAYMENT, "payment.return", lambda: payment.give_back(payment_id))
        counted = yield from self._move(intent, call)
        if counted is None:
            return v.Failed(TerminalCode.MONEY_UNCERTAIN)
        return v.MoneyReturned(counted.returned_yen, counted.owed_yen, held_yen)

    def keep(self, effect: v.KeepMoney, visit: Visit) -> Program:
        """Tray to cashbox, nothing to the cup: nobody stands there who could take it."""
        payment, payment_id = self._payment, effect.payment_id
        try:
            held_yen: int = yield from asked(Call(Lane.PAYMENT, "payment.hold", payment.hold))
            before: DeviceCounters = yield from asked(Call(Lane.PAYMENT, "payment.counters", payment.counters))
        except (PaymentDeviceError, WorkerError):
            told = uncollected(payment_id, effect.lines, visit.money.inserted_yen if visit.money else 0)
            self._book.write(*_untold(told, owed_told=self._memory().owed_told))
            raise
        intent = _intent(Act.KEEP, visit, payment_id, held_yen, held_yen=held_yen, lines=effect.lines, before=before)
        call = Call(Lane.PAYMENT, "payment.capture", lambda: payment.capture(payment_id, held_yen))
        counted = yield from self._move(intent, call)
        if counted is None:
            return v.Failed(TerminalCode.MONEY_UNCERTAIN)
        return v.MoneyCaptured(counted.captured_yen, 0, 0, counted.owed_yen)

    def _move(self, intent: Intent, call: Call) -> Generator[Call, Any, Counted | None]:
        """Move money once. On doubt ask what was done, and never move again: None = nobody knows.

        There is no doubt where the worker died before the unit heard of it: unit and totals are as they were.
        """
        memory, row = self._memory(), self._book.journal.intent(intent)
        collect_row, owed_before = memory.collect_row, memory.owed_told
        counted, error = yield from self._order(intent, call)
        if isinstance(error, WorkerDied) and counted is None and (yield from self._has_heard_nothing(intent)):
            self._book.write(result(row, "not begun"))
            row = self._book.journal.intent(intent)
            counted, _ = yield from self._order(intent, call)
        after = yield from attempt(Call(Lane.PAYMENT, "payment.counters", self._payment.counters))
        counters = totals(after) if isinstance(after, DeviceCounters) else {}
        self._book.write(*ended(intent, row, collect_row, counted, counters, owed_told=owed_before))
        return counted

    def _order(self, intent: Intent, call: Call) -> Generator[Call, Any, tuple[Counted | None, Exception | None]]:
        """Order a movement; return what it did, and what hid its answer."""
        try:
            counted: Counted = yield call
        except (PaymentDeviceError, WorkerError) as error:
            log.warning("money moved without an answer", payment=intent.payment_id, error=type(error).__name__)
            status = yield from self._attempt_status(intent)
            return (done(intent, status) if isinstance(status, PaymentStatus) else None), error
        return as_meant(intent, counted), None

    def _has_heard_nothing(self, intent: Intent) -> Generator[Call, Any, bool]:
        status = yield from self._attempt_status(intent)
        now = yield from attempt(Call(Lane.PAYMENT, "payment.counters", self._payment.counters))
        return not_begun(intent, status, now)

    def _attempt_status(self, intent: Intent) -> Generator[Call, Any, object]:
        payment_id = cast(str, intent.payment_id)
        return (yield from attempt(Call(Lane.PAYMENT, "payment.status", lambda: self._payment.status(payment_id))))


#: What a unit says of a payment whose movement is done.
_DONE: Final = {
    Act.CAPTURE: PaymentState.CAPTURED,
    Act.KEEP: PaymentState.CAPTURED,
    Act.RETURN: PaymentState.ROLLED_BACK,
}
_OUTCOMES: Final = {Act.CAPTURE: "captured", Act.KEEP: "kept", Act.RETURN: "returned"}


_COMING_OUT: Final = ("change_yen", "returned_yen")
#: The totals that a movement changes.
MOVING: Final = ("cashbox_yen", "change_yen", "returned_yen")


def not_begun(intent: Intent, status: object, now: object) -> bool:
    """Tell whether the unit still holds what it held and has moved nothing since; without its word it may have."""
    if not isinstance(status, PaymentStatus) or not isinstance(now, DeviceCounters):
        return False
    moved = any(getattr(now, name) != (intent.counters.get(name) or 0) for name in MOVING)
    return status.state is PaymentState.ACTIVE and status.held_yen == intent.held_yen and not moved


def done(intent: Intent, status: PaymentStatus) -> Counted | None:
    """Return what a movement did, where the unit itself says that it is done."""
    if status.state is not _DONE[intent.act] or status.counted is None:
        return None
    return as_meant(intent, status.counted)


def as_meant(intent: Intent, counted: Counted) -> Counted:
    """What was kept is the fees' and the rest is owed; the unit knows nothing of fees."""
    if intent.act is not Act.KEEP:
        return counted
    fees_yen = sum(fee_yen for _, fee_yen in intent.lines)
    return replace(counted, captured_yen=fees_yen, owed_yen=counted.captured_yen - fees_yen + counted.owed_yen)


def ended(
    intent: Intent,
    row: int,
    collect_row: int | None,
    counted: Counted | None,
    counters: dict[str, int | None],
    *,
    owed_told: bool = False,
) -> tuple[Note, ...]:
    """Return all that is to be written behind a movement; counted None: nobody knows what it did.

    Shape:  owed_told: the server knows already of a return that is due; a payment has at most one.
    """
    payment_id = cast(str, intent.payment_id)
    outcome = "uncertain" if counted is None else _OUTCOMES[intent.act]
    results = (result(row, outcome, counters), *(() if collect_row is None else (result(collect_row, outcome),)))
    if counted is not None:
        told = captured(payment_id, intent.lines, counted)
        case: tuple[Note, ...] = ()
    else:
        told = uncollected(payment_id, intent.lines, intent.held_yen - _came_out_yen(intent, counters))
        case = (_case(intent.visit_id, payment_id),)
    return (*results, *_untold(told, owed_told=owed_told), *case)


def _came_out_yen(intent: Intent, counters: dict[str, int | None]) -> int:
    """Return what the totals prove to have come out since an intent: whatever else is in doubt, it is not owed."""
    before = [intent.counters.get(name) for name in _COMING_OUT]
    after = [counters.get(name) for name in _COMING_OUT]
    return sum(
        max(0, now - then) for then, now in zip(before, after, strict=True) if then is not None and now is not None
    )


def _untold(told: tuple[Telling, ...], *, owed_told: bool) -> tuple[Telling, ...]:
    """A payment has one return that is due at most."""
    return tuple(telling for telling in told if not (owed_told and telling.kind is EventKind.RETURN_DUE))


def captured(payment_id: str, lines: Lines, counted: Counted) -> tuple[Telling, ...]:
    """Return what the server is told of money that was moved: each fee, what is owed, then the unit's own counts.

    The counts last: the server holds them against what it was told of before, and a difference is a case.
    """
    fees = (
        Telling(EventKind.CAPTURED, {"order_id": order_id, "payment_id": payment_id, "amount_yen": fee_yen})
        for order_id, fee_yen in lines
    )
    cashbox_yen = counted.captured_yen + counted.change_yen + counted.owed_yen  # what dropped from the tray
    closed = {
        "payment_id": payment_id,
        "inserted_yen": cashbox_yen + counted.returned_yen,
        "cashbox_yen": cashbox_yen,
        "change_yen": counted.change_yen,
        "returned_yen": counted.returned_yen,
    }
    return (*fees, *owed(payment_id, counted.owed_yen), Telling(EventKind.PAYMENT_CLOSED, closed))


def uncollected(payment_id: str, lines: Lines, held_yen: int) -> tuple[Telling, ...]:
    """Return what the server is told where nobody knows whether the fees could be taken: what is above them is owed."""
    fees = (
        Telling(EventKind.CAPTURE_FAILED, {"order_id": order_id, "payment_id": payment_id, "amount_yen": fee_yen})
        for order_id, fee_yen in lines
    )
    return (*fees, *owed(payment_id, held_yen - sum(fee_yen for _, fee_yen in lines)))


def owed(payment_id: str, owed_yen: int, **how: PaymentMethod) -> tuple[Telling, ...]:
    """Return the word on money that could not be given back, if there is any; how: the method, if it is not cash."""
    if owed_yen <= 0:
        return ()
    return (Telling(EventKind.RETURN_DUE, {"payment_id": payment_id, "amount_yen": owed_yen, **how}),)


def totals(counters: DeviceCounters) -> dict[str, int | None]:
    """Return the unit's totals as a journal row has them."""
    return {name: getattr(counters, name) for name in DeviceCounters.__slots__}


def shut(payment: CoinUnit, payment_id: str) -> Generator[Call, Any, int]:
    """Shut the unit and return what it has counted: where more may lie there than that, it can still all go back."""
    try:
        held_yen: int = yield from asked(Call(Lane.PAYMENT, "payment.hold", payment.hold))
    except CountUncertain:
        status: Callable[[], PaymentStatus] = lambda: payment.status(payment_id)  # noqa: E731
        said: PaymentStatus = yield from asked(Call(Lane.PAYMENT, "payment.status", status))
        held_yen = said.held_yen
    return held_yen


def asked(call: Call) -> Generator[Call, Any, Any]:
    """Ask what moves nothing, and once more where the answer was lost: nothing is given up for one lost answer."""
    try:
        answer = yield call
    except (DeviceGone, WorkerError):
        answer = yield call
    return answer


def attempt(call: Call) -> Generator[Call, Any, object]:
    """Make a call whose failure changes nothing for this visit: the look at the devices afterwards sees it."""
    try:
        answer: object = yield from asked(call)
    except (PressError, PaymentDeviceError, WorkerError) as error:
        log.warning("call failed", call=call.name, error=type(error).__name__)
        return None
    return answer


def _case(visit_id: str, payment_id: str) -> Case:
    return Case(code=TerminalCode.MONEY_UNCERTAIN, visit_id=visit_id, payment_id=payment_id)


def _intent(
    act: Act, visit: Visit, payment_id: str, amount_yen: int, *, held_yen: int, lines: Lines, before: DeviceCounters
) -> Intent:
    return Intent(
        act=act,
        visit_id=visit.visit_id,
        payment_id=payment_id,
        amount_yen=amount_yen,
        held_yen=held_yen,
        lines=lines,
        counters=totals(before),
    )
