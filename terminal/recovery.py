"""What a terminal does first after it began: it ends what the process before it had begun. Nothing is guessed.

The journal says what was begun, the devices are asked what became of it, and what they say is written down and told in
one append, as it would have been without the cut. What then still lies in the tray, or is known to nobody, is handed to
the flow as an `Interrupted` visit: it asks whoever stands there, or keeps the money as a refund that is due.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any, Final

import structlog

from printing.press.errors import PressError
from printing.press.service import Counters, HeldJob
from printing.press.slip import SlipOutcome
from printing.press.verdict import Outcome, Verdict
from protocol.messages import EventKind
from terminal import history
from terminal import visit as v
from terminal.book import UNAVAILABLE, Book, Note, Telling, paper_told, result, unwritten, voids
from terminal.devices import Devices
from terminal.history import Claim, Copy, Unfinished
from terminal.journal import Act, Case, Intent, JournalUnavailable, Row
from terminal.money import MOVING, Lines, done, ended, not_begun, shut, totals, uncollected
from terminal.payment.device import Counted, DeviceCounters, PaymentDeviceError, PaymentState, PaymentStatus
from terminal.programs import Call, Lane, Memory, Program, Sources
from terminal.recovery_debits import code_found, debits
from terminal.refund_programs import given_up, paid_out, payout_ended
from terminal.visit import CopyOutcome, Money, Order, TerminalCode
from terminal.workers import WorkerError

PRINTER_PATIENCE_S: Final = 120.0  # a printer that does not answer for so long leaves its paper unknown

_PAID: Final = CopyOutcome.PRINTED

log = structlog.get_logger()


class Recovery:
    """Ends what stands open in the journal, one payment a run."""

    def __init__(self, book: Book, devices: Devices, sources: Sources) -> None:
        self._book = book
        self._press = devices.press
        self._payment = devices.payment
        self._emoney = devices.emoney
        self._sources = sources
        self._running = False
        self._began_s = sources.monotonic()
        self._handed: set[str] = set()  # to the flow, in this process: from then on their programs end them

    def run(self, memory: Memory) -> Program:
        """Return `Recovered` once nothing is open, `Interrupted` for what the flow must end, or which device lacks."""
        if self._running:
            return None
        self._running = True
        try:
            return (yield from self._next(memory))
        except JournalUnavailable as error:
            self._book.lose(error)
            return v.DevicesLost((UNAVAILABLE,))
        except (PressError, PaymentDeviceError, WorkerError) as error:
            log.warning("cannot recover yet", error=type(error).__name__, detail=str(error))
            return v.DevicesLost((f"recovering {type(error).__name__}",))
        finally:
            self._running = False

    def _next(self, memory: Memory) -> Program:
        found = history.read(self._book.journal.open_rows())
        for row in found.strays:
            self._book.write(*_stray(row))
        for receipt in found.receipts:
            if receipt.cut:  # another is never printed by itself: whoever stands there has the screen
                self._book.write(result(receipt.row.row, SlipOutcome.UNKNOWN))
        for claim in found.claims:
            yield from self._claim(claim)
        for payment in found.unfinished:
            # A debit that was in doubt twice is asked about again: only the contract terminal ends it.
            again = payment.has_open_debits and not self._book.lost
            if payment.payment_id not in self._handed or again:
                event: v.Event | None = yield from self._resume(payment, memory)
                if event is None:
                    event = self._unattended(payment.payment_id)
                if event is not None:
                    self._handed.add(payment.payment_id)
                    return event
        return v.DevicesLost((UNAVAILABLE,)) if self._book.lost else v.Recovered()

    def _resume(self, payment: Unfinished, memory: Memory) -> Generator[Call, Any, v.Interrupted | None]:
        log.info("recovering", visit=payment.visit_id, payment=payment.payment_id)
        # 1. What was never released is void.
        self._book.write(*voids(payment))
        outcomes = {order_id: copy.outcome for order_id, copy in payment.copies.items()}
        outcomes = {o: CopyOutcome.VOID if it is CopyOutcome.WAITING else it for o, it in outcomes.items()}
        # 2. Of what was, the printer tells what came out.
        for order_id, copy in payment.copies.items():
            self._book.write(*unwritten(copy))
            if outcomes[order_id] is CopyOutcome.UNKNOWN:
                outcomes[order_id] = yield from self._paper(payment, copy)
        # 3. A movement that was begun is done, not begun, or in doubt.
        lines = _lines(payment, outcomes)
        if payment.movement is not None:
            yield from self._movement(payment, payment.movement)
        # 4. What lies in the tray, what a card paid, and what nobody knows, are the flow's.
        if payment.has_open_debits:
            return (yield from self._debits(payment, outcomes))
        money = yield from self._money(payment, lines, memory)
        unknown = tuple(o for o, outcome in outcomes.items() if outcome is CopyOutcome.UNKNOWN)
        if money is None and payment.collect is not None:
            self._book.write(*_given_up(payment, unknown))  # no fee could be taken for it any more
            return None
        if money is None and not unknown and not lines:
            return None
        return self._interrupted(payment, outcomes, money or Money(payment.payment_id, 0))

    def _debits(
        self, payment: Unfinished, outcomes: dict[str, CopyOutcome]
    ) -> Generator[Call, Any, v.Interrupted | None]:
        if payment.code is not None:
            code = code_found(self._book, payment, outcomes)
            return None if code is None else self._interrupted(payment, outcomes, code)
        found = yield from debits(self._book, self._emoney, payment)
        return None if found is None else self._interrupted(payment, outcomes, found.money, found.debited)

    def _interrupted(
        self,
        payment: Unfinished,
        outcomes: dict[str, CopyOutcome],
        money: Money,
        debited: frozenset[str] = frozenset(),
    ) -> v.Interrupted:
        orders = (_order(copy, outcomes[order_id]) for order_id, copy in payment.copies.items())
        return v.Interrupted(
            visit_id=payment.visit_id,
            payment_id=payment.payment_id,
            orders=tuple(replace(order, debited=order.order_id in debited) for order in orders),
            money=money,
            short=history.was_short(payment, self._sources.now_utc()) and not payment.owed_told,
            claim_code=self._book.claim_code(payment.payment_id),
            receipt=payment.receipt,
        )

    def _unattended(self, payment_id: str) -> v.Unattended | None:
        """Return what is over but for a paper that lies there, or a claim's code on the screen, or yet to come there.

        After a long cut staff look for the paper, and the card alone claims.
        """
        found = history.read(self._book.journal.open_rows()).unfinished
        payment = next((one for one in found if one.payment_id == payment_id), None)
        if payment is None or not (payment.owing or payment.lying()):
            return None
        if not history.was_short(payment, self._sources.now_utc()):
            self._book.write(*_left_alone(payment))
            return None
        return v.Unattended(
            visit_id=payment.visit_id,
            payment_id=payment_id,
            papers=tuple(_order(copy, _PAID, came_out=True) for copy in payment.lying()),
            money=payment.money or Money(payment_id, 0),
            claim_code=self._book.claim_code(payment_id),
            receipt=payment.receipt,
        )

    # Refunds

    def _claim(self, claim: Claim) -> Generator[Call, Any, None]:
        """A claim that was not paid is given up; of one that may have been, the unit tells."""
        log.info("recovering", visit=claim.visit_id, claim=claim.claim_id)
        if claim.payout is None:
            self._book.write(*given_up(claim.claim_id, claim.row.row))
            return
        assert isinstance(claim.payout.body, Intent)
        intent = claim.payout.body
        status, now = yield from self._ask_unit(claim.claim_id)
        moved = {name: getattr(now, name) - (intent.counters.get(name) or 0) for name in MOVING}
        counted, paid_yen = paid_out(status), moved["change_yen"]
        untouched = now.event_counter == intent.counters.get("event_counter")
        if counted is None and (paid_yen or untouched):  # by the unit's totals alone: nothing else was moved since
            counted = Counted(0, paid_yen, 0, (intent.amount_yen or 0) - paid_yen)
        self._book.write(*payout_ended(intent, claim.payout.row, claim.row.row, counted, totals(now)))

    # Paper

    def _paper(self, payment: Unfinished, copy: Copy) -> Generator[Call, Any, CopyOutcome]:
        verdict = _written(copy)
        if verdict is None:
            verdict = yield from self._ask_printer(copy.printing)
        log.info("print decided", order=copy.order_id, outcome=verdict.outcome, why=verdict.why)
        notes: tuple[Note, ...] = ()
        if copy.result is None and copy.intent is not None:
            notes = (result(copy.intent.row, verdict.outcome),)
        if not (verdict.outcome is Outcome.UNKNOWN and EventKind.UNKNOWN in copy.told):
            notes += paper_told(self._book, payment.visit_id, copy.order_id, verdict)
        self._book.write(*notes)
        return CopyOutcome(verdict.outcome.value)

    def _ask_printer(self, intent: Intent) -> Generator[Call, Any, Verdict]:
        """Stop the job wherever it is, then ask what came out; a printer that stays away leaves it unknown."""
        try:
            return (yield from self._stop_and_ask(intent))
        except (PressError, WorkerError) as error:
            if self._sources.monotonic() - self._began_s < PRINTER_PATIENCE_S:
                raise
            return Verdict(Outcome.UNKNOWN, None, f"the printer stays away: {type(error).__name__}")

    def _stop_and_ask(self, intent: Intent) -> Generator[Call, Any, Verdict]:
        press, order_id = self._press, intent.order_id or ""
        job = HeldJob(0, order_id, intent.sheets)  # found by its name: CUPS's ids start again
        before = Counters(intent.counters.get("lifetime_impressions"))
        # 1. A job that CUPS still holds was given to nobody.
        is_held: bool = yield Call(Lane.PRESS, "press.is_held", lambda: press.is_held(order_id))
        # 2. Cancelled at the printer itself: one that comes back would print on, for nobody.
        yield Call(Lane.PRESS, "press.cancel", lambda: press.cancel(job))
        yield Call(Lane.PRESS, "press.purge", press.purge_all)
        if is_held:
            return Verdict(Outcome.FAILED, 0, "never released")
        # 3. The printer's own word.
        verdict: Verdict = yield Call(Lane.PRESS, "press.verdict", lambda: press.last_verdict(job, before))
        if verdict.outcome is not Outcome.UNKNOWN or before.lifetime_impressions is None:
            return verdict
        # 4. It may have forgotten the job, but not how much it ever printed.
        after: Counters = yield Call(Lane.PRESS, "press.counters", press.counters)
        state = yield Call(Lane.PRESS, "press.check", press.check)
        if after == before and state.ready:
            return Verdict(Outcome.FAILED, 0, "stopped, and its meter stands where it stood before")
        return verdict

    # Money

    def _movement(self, payment: Unfinished, row: Row) -> Generator[Call, Any, None]:
        """End a movement whose answer died with the process; where nothing moved for certain, only the row ends."""
        assert isinstance(row.body, Intent)
        intent, payment_id = row.body, payment.payment_id
        status, now = yield from self._ask_unit(payment_id)
        moved = {name: getattr(now, name) - (intent.counters.get(name) or 0) for name in MOVING}
        if not_begun(intent, status, now):
            self._book.write(result(row.row, "not begun", totals(now)))
            return
        counted = done(intent, status)
        by_totals = counted or _by_totals(intent, **moved)
        collect_row = payment.collect.row if payment.collect is not None else None
        notes = ended(intent, row.row, collect_row, by_totals, totals(now), owed_told=payment.owed_told)
        if counted is None and by_totals is not None and by_totals.owed_yen:
            notes = (*notes, _uncertain(payment))  # it stopped half-way: what is left is owed, and somebody looks
        self._book.write(*notes)
        payment.collected = True

    def _money(self, payment: Unfinished, lines: Lines, memory: Memory) -> Generator[Call, Any, Money | None]:
        """Shut the unit and return what it holds of this payment; None where its money has an end."""
        if payment.collect is None or payment.collected:
            return None
        assert isinstance(payment.collect.body, Intent)
        intent, row = payment.collect.body, payment.collect.row
        status, now = yield from self._ask_unit(payment.payment_id)
        inserted_yen = now.inserted_yen - (intent.counters.get("inserted_yen") or 0)
        moved = {name: getattr(now, name) - (intent.counters.get(name) or 0) for name in MOVING}
        if status.state is PaymentState.ACTIVE:
            held_yen = yield from shut(self._payment, payment.payment_id)
            memory.collect_row, memory.held_yen, memory.owed_told = row, held_yen, payment.owed_told
            return Money(payment.payment_id, intent.amount_yen or 0, inserted_yen=max(held_yen, inserted_yen))
        if status.state is PaymentState.UNKNOWN and not inserted_yen and not any(moved.values()):
            self._book.write(result(row, "not opened"))
            return None
        # Moved without a row, or forgotten with money in it: whatever is not back in the cup is a liability.
        left_yen = inserted_yen - moved["returned_yen"] - moved["change_yen"]
        told = uncollected(payment.payment_id, lines, 0 if payment.owed_told else left_yen)
        self._book.write(result(row, "uncertain", totals(now)), *told, _uncertain(payment))
        return None

    def _ask_unit(self, payment_id: str) -> Generator[Call, Any, tuple[PaymentStatus, DeviceCounters]]:
        status: Callable[[], PaymentStatus] = lambda: self._payment.status(payment_id)  # noqa: E731
        said: PaymentStatus = yield Call(Lane.PAYMENT, "payment.status", status)
        now: DeviceCounters = yield Call(Lane.PAYMENT, "payment.counters", self._payment.counters)
        return said, now


def _by_totals(intent: Intent, cashbox_yen: int, change_yen: int, returned_yen: int) -> Counted | None:
    """Return what a movement did by the unit's own totals alone, where they leave one answer."""
    held_yen, stays_yen = intent.held_yen, sum(fee_yen for _, fee_yen in intent.lines)
    if intent.act is Act.RETURN:
        whole = cashbox_yen == change_yen == 0 and 0 < returned_yen <= held_yen
        return Counted(0, 0, returned_yen, held_yen - returned_yen) if whole else None
    if cashbox_yen == held_yen and returned_yen == 0 and 0 <= change_yen <= held_yen - stays_yen:
        return Counted(stays_yen, change_yen, 0, held_yen - stays_yen - change_yen)
    return None


def _given_up(payment: Unfinished, order_ids: tuple[str, ...]) -> tuple[Note, ...]:
    return tuple(
        note
        for order_id in order_ids
        for note in (
            Telling(EventKind.ORDER_VOIDED, {"order_id": order_id}),
            Case(code=TerminalCode.PRINT_UNKNOWN, visit_id=payment.visit_id, order_id=order_id),
        )
    )


def _written(copy: Copy) -> Verdict | None:
    """Return the verdict that the process before wrote down, if it decided anything."""
    if copy.result is None or copy.result == Outcome.UNKNOWN:
        return None
    outcome = Outcome(copy.result)
    return Verdict(outcome, copy.printing.sheets if outcome is Outcome.PRINTED else None, "as it was written")


def _lines(payment: Unfinished, outcomes: dict[str, CopyOutcome]) -> Lines:
    """Return the printed orders whose fee has no end yet."""
    paid = (copy for copy in payment.copies.values() if outcomes[copy.order_id] is _PAID and not copy.has_end)
    return tuple((copy.order_id, copy.printing.amount_yen or 0) for copy in paid)


def _left_alone(payment: Unfinished) -> tuple[Note, ...]:
    """Nobody stood there for too long: the code is not shown, and staff look for what lies at the outlet."""
    notes: list[Note] = [result(payment.owing.row, "not shown")] if payment.owing else []
    for copy in payment.lying():
        assert copy.lying is not None
        notes.append(result(copy.lying, "left"))
    papers = payment.lying()
    if papers:
        notes.append(Case(code=TerminalCode.PAPER_LEFT, visit_id=payment.visit_id, order_id=papers[-1].order_id))
    return tuple(notes)


def _order(copy: Copy, outcome: CopyOutcome, *, came_out: bool = False) -> Order:
    if copy.intent is None:
        fee_yen = copy.debit.intent.amount_yen or 0 if copy.debit is not None else 0
        return Order(copy.order_id, outcome=outcome, journaled_fee_yen=fee_yen)
    intent = copy.printing
    if outcome is _PAID and copy.has_end and not came_out:
        outcome = CopyOutcome.VOID  # its fee has an end: not once more
    return Order(copy.order_id, sheets=intent.sheets, outcome=outcome, journaled_fee_yen=intent.amount_yen or 0)


def _uncertain(payment: Unfinished) -> Case:
    return Case(code=TerminalCode.MONEY_UNCERTAIN, visit_id=payment.visit_id, payment_id=payment.payment_id)


def _stray(row: Row) -> tuple[Note, ...]:
    """An act that belongs to no payment of this journal: nothing is known of it, so somebody has to look."""
    assert isinstance(row.body, Intent)
    intent = row.body
    case = Case(
        code=TerminalCode.UNFINISHED_ACT,
        visit_id=intent.visit_id,
        order_id=intent.order_id,
        payment_id=intent.payment_id,
        detail=intent.act,
    )
    return (result(row.row, "unfinished"), case)
