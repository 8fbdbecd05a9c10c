"""E-money's programs: a card is debited once for an order, and has it back at once where no paper came out.

Before each stands a row, and behind it what the contract terminal said; where it says nothing the row stays open, and
it is asked again when the visit is over or at the next start. Nothing is asked for twice: a debit's id is its order's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

import structlog

from protocol.messages import EventKind, PaymentMethod
from terminal import visit as v
from terminal.book import Book, Note, Telling, result
from terminal.journal import Act, Case, Intent
from terminal.money import asked, attempt, owed
from terminal.payment.device import DeviceGone, PaymentDeviceError
from terminal.payment.emoney import WAITS, Debit, DebitState, EmoneyTerminal
from terminal.programs import Call, Lane, Memory, Program
from terminal.visit import TerminalCode, Visit
from terminal.workers import WorkerError

WAIT_S: Final = 1.0  # so soon a word to stop is heard

log = structlog.get_logger()


class DebitPrograms:
    """The contract terminal's part of the effects; None = this kiosk has none, and only cash is offered."""

    def __init__(self, book: Book, emoney: EmoneyTerminal | None, memory: Callable[[], Memory]) -> None:
        self._book = book
        self._emoney = emoney
        self._memory = memory

    def methods(self) -> Generator[Call, Any, tuple[PaymentMethod, ...]]:
        """Return how can be paid now: a contract terminal that is not ready is not offered."""
        if self._emoney is None:
            return (PaymentMethod.CASH,)
        is_ready = yield from attempt(Call(Lane.EMONEY, "emoney.ready", self._emoney.ready))
        return (PaymentMethod.CASH, PaymentMethod.EMONEY) if is_ready else (PaymentMethod.CASH,)

    def debit(self, effect: v.DebitCard, visit: Visit) -> Program:
        """Debit a card for one order."""
        emoney, order_id, amount_yen = self._there(), effect.order_id, effect.amount_yen
        intent = _intent(Act.DEBIT, visit, effect)
        row = self._book.journal.intent(intent)
        call = Call(Lane.EMONEY, "emoney.debit", lambda: emoney.debit(order_id, amount_yen))
        said = yield from self._until_decided((yield from self._asked(call, order_id, DebitState.UNKNOWN)))
        if said.state is DebitState.UNPROCESSED:  # else it would wait for that card before any other
            yield from attempt(Call(Lane.EMONEY, "emoney.stop", lambda: emoney.stop(order_id)))
        self._book.write(*debit_ended(self._book, intent, row, said))
        return v.DebitDecided(said.state)

    def stop(self, effect: v.StopDebit, _visit: Visit) -> Program:
        """Wait no longer. Whoever waits hears of it; there may be nothing to stop."""
        emoney = self._there()
        yield from attempt(Call(Lane.EMONEY, "emoney.stop", lambda: emoney.stop(effect.order_id)))
        return None

    def cancel(self, effect: v.CancelDebit, visit: Visit) -> Program:
        """Give a debit back to the same card."""
        emoney, order_id = self._there(), effect.order_id
        row = self._book.journal.intent(_intent(Act.CANCEL_DEBIT, visit, effect))
        call = Call(Lane.EMONEY, "emoney.cancel", lambda: emoney.cancel(order_id))
        said = yield from self._until_decided((yield from self._asked(call, order_id, DebitState.DEBITED)))
        self._book.write(*cancel_ended(self._book, row, said))
        return v.DebitDecided(said.state)

    def close(self, effect: v.CloseDebits, _visit: Visit) -> tuple[Note, ...]:
        """Return what the server is told of a payment that is over."""
        return closed(effect)

    def _there(self) -> EmoneyTerminal:
        assert self._emoney is not None, "e-money is offered only where there is a contract terminal"
        return self._emoney

    def _until_decided(self, said: Debit) -> Generator[Call, Any, Debit]:
        """Wait for a card as long as somebody waits with it."""
        emoney, memory, order_id = self._there(), self._memory(), said.payment_id
        while said.state in WAITS:
            forgotten = self._memory() is not memory
            call = Call(Lane.EMONEY, "emoney.wait", lambda: emoney.wait(order_id, WAIT_S))
            stop = Call(Lane.EMONEY, "emoney.stop", lambda: emoney.stop(order_id))
            said = yield from self._asked(stop if forgotten else call, order_id)
        return said

    def _asked(self, call: Call, order_id: str, unheard: DebitState | None = None) -> Generator[Call, Any, Debit]:
        """Make a call, and where its answer is lost ask how it stands: that moves nothing.

        unheard: so it stands where the contract terminal never heard of the call; one that was silent hears it again.
        """
        emoney = self._there()
        said: Debit
        for _ in range(2):
            try:
                said = yield call
            except (PaymentDeviceError, WorkerError) as error:
                log.warning("no answer on a debit", order=order_id, call=call.name, error=type(error).__name__)
                was_silent = isinstance(error, DeviceGone | WorkerError)
            else:
                return said
            said = yield from asked(Call(Lane.EMONEY, "emoney.status", lambda: emoney.status(order_id)))
            if said.state is not unheard or not was_silent:
                return said
        return said


def stand_of(emoney: EmoneyTerminal | None, order_id: str) -> Generator[Call, Any, Debit]:
    """Return how a debit of the process before stands, once it waits for nobody. Errors: DeviceGone, WorkerError."""
    if emoney is None:
        raise DeviceGone("the journal knows of a debit, and there is no contract terminal to be asked")
    said: Debit = yield Call(Lane.EMONEY, "emoney.status", lambda: emoney.status(order_id))
    if said.state in WAITS or said.state is DebitState.UNPROCESSED:
        said = yield Call(Lane.EMONEY, "emoney.stop", lambda: emoney.stop(order_id))
    return said


def debit_ended(book: Book, intent: Intent, row: int, said: Debit) -> tuple[Note, ...]:
    """Return all that is to be written behind a debit; of 処理未了 the server is told, and it is a case."""
    if book.journal.has_result(row):  # asked twice over: it is written once
        return ()
    log.info("debit decided", order=intent.order_id, state=said.state, reference=said.reference)
    ended = result(row, said.state)
    if said.state is not DebitState.UNPROCESSED:
        return (ended,)
    ids = {"order_id": intent.order_id, "payment_id": intent.payment_id}
    told = Telling(EventKind.DEBIT_UNPROCESSED, {**ids, "amount_yen": intent.amount_yen})
    detail = f"reference {said.reference}"  # by which the brand finds it
    case = Case(code=TerminalCode.DEBIT_UNPROCESSED, visit_id=intent.visit_id, **ids, detail=detail)
    return (ended, told, case)


def cancel_ended(book: Book, row: int, said: Debit) -> tuple[Note, ...]:
    """Return what is to be written behind a cancel."""
    return () if book.journal.has_result(row) else (result(row, said.state),)


def closed(over: v.CloseDebits) -> tuple[Telling, ...]:
    """Return what the server is told of a payment by card or phone: each fee, what is owed, then all that was taken."""
    payment_id, lines = over.payment_id, over.lines
    fees = (
        Telling(EventKind.CAPTURED, {"order_id": order_id, "payment_id": payment_id, "amount_yen": fee_yen})
        for order_id, fee_yen in lines
    )
    counted = {
        "payment_id": payment_id,
        "inserted_yen": sum(fee_yen for _, fee_yen in lines) + over.returned_yen + over.owed_yen,
        "cashbox_yen": 0,
        "change_yen": 0,
        "returned_yen": over.returned_yen,
        "method": over.method,
    }
    owing = owed(payment_id, over.owed_yen, method=over.method)
    return (*fees, *owing, Telling(EventKind.PAYMENT_CLOSED, counted))


def _intent(act: Act, visit: Visit, effect: v.DebitCard | v.CancelDebit) -> Intent:
    return Intent(
        act=act,
        visit_id=visit.visit_id,
        order_id=effect.order_id,
        payment_id=effect.payment_id,
        amount_yen=effect.amount_yen,
    )
