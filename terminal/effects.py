"""The effects of the flow, carried out: each a program of device calls with its journal rows before and after.

A program is a generator. It yields one `Call` at a time, which the runner has executed on that device's own thread, and
is resumed on the runner's thread with the answer, or with the error thrown in; so journal and memory are only ever
touched by one thread. What it returns is the event for the flow.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final, cast

import structlog

from printing.press.errors import JobNotPossible, NoSuchJob, PressError, QueueStopped
from printing.press.service import Counters, HeldJob
from printing.press.verdict import Outcome, Verdict
from protocol import messages
from protocol.binding import VISIT_SECRET_BYTES, binding
from protocol.challenge import PURPOSE_ISSUE, card_digest, to_be_signed
from protocol.codec import encode
from protocol.errors import ErrorCode
from protocol.messages import EventKind
from protocol.signing import key_thumbprint, sign_event
from terminal import visit as v
from terminal.card.results import CardRead
from terminal.client import NetworkDown, Paper, ServerRefused
from terminal.devices import Devices
from terminal.health import look_at_payment, look_at_press, look_at_server
from terminal.journal import Act, Case, Ids, Intent, Journal, JournalUnavailable, Result
from terminal.outlet import is_found_out, keeps_closed
from terminal.paper_check import PaperGuard, PaperMismatch
from terminal.payment.device import (
    ChangeUnavailable,
    Counted,
    DeviceCounters,
    DeviceGone,
    PaymentDeviceError,
    PaymentState,
    PaymentStatus,
)
from terminal.programs import ID_BYTES, Call, Identity, Lane, Memory, Program, Sources
from terminal.visit import CopyOutcome, TerminalCode, Visit
from terminal.workers import WorkerDied, WorkerError

MAX_COPIES: Final = 5

log = structlog.get_logger()


class Effects:
    """Carries effects out for one terminal. Everything but the calls themselves runs on the runner's thread."""

    def __init__(
        self,
        journal: Journal,
        devices: Devices,
        identity: Identity,
        guard: PaperGuard,
        sources: Sources,
    ) -> None:
        self._journal = journal
        self._devices = devices
        self._identity = identity
        self._thumbprint = key_thumbprint(identity.key.public_key())
        self._guard = guard
        self._sources = sources
        self.memory = Memory()
        self.reader_gone = False
        self.events_refused: str | None = None
        self._journal_lost = False

    def boot(self) -> None:
        """Write that the terminal began. An act that was begun and has no result is a case, never guessed at."""
        for row in self._journal.boot():
            intent = cast(Intent, row.body)
            self._journal.case(
                Case(
                    code=TerminalCode.UNFINISHED_ACT,
                    visit_id=intent.visit_id,
                    order_id=intent.order_id,
                    payment_id=intent.payment_id,
                    detail=intent.act,
                )
            )
            self._journal.result(row.row, Result(outcome="unfinished"))

    def forget(self) -> None:
        """Wipe what is held in memory, at once."""
        self.memory.wipe()
        self.memory = Memory()

    def carry_out(self, effect: v.Effect, visit: Visit) -> Program:
        """Carry one effect out and return the event for the flow, if there is one."""
        at_once = _AT_ONCE.get(type(effect))
        if at_once is not None:
            at_once(self, effect, visit)
            return None
        return (yield from _PROGRAMS[type(effect)](self, effect, visit))

    # Card

    def _read_card(self, _effect: v.ReadCard, _visit: Visit) -> Program:
        memory = self.memory
        read: CardRead = yield Call(Lane.CARD, "card.read", self._devices.card.read)
        memory.visit_id = self._new_id()
        memory.visit_secret = bytearray(self._sources.random_bytes(VISIT_SECRET_BYTES))
        memory.certificate_der = read.certificate_der
        memory.certificate_sha256 = card_digest(read.certificate_der)
        self._journal.ids(Ids(visit_id=memory.visit_id))
        return v.CardReadDone(memory.visit_id, memory.certificate_sha256, read.tries_left)

    def _pin_key(self, effect: v.PinKey, _visit: Visit) -> Program:
        length: int = yield Call(Lane.CARD, "card.pin", lambda: self._devices.card.pin_digit(effect.digit))
        return v.PinLengthChanged(length)

    def _pin_back(self, _effect: v.PinBack, _visit: Visit) -> Program:
        length: int = yield Call(Lane.CARD, "card.pin", self._devices.card.pin_correct)
        return v.PinLengthChanged(length)

    def _pin_wipe(self, _effect: v.PinWipe, _visit: Visit) -> Program:
        yield Call(Lane.CARD, "card.pin", self._devices.card.pin_clear)
        return None

    def _authenticate(self, effect: v.Authenticate, _visit: Visit) -> Program:
        memory, server = self.memory, self._devices.server
        # 1. The server's challenge.
        visit_id = memory.visit_id
        challenge = (yield Call(Lane.SERVER, "server.challenge", lambda: server.challenge(visit_id))).challenge
        # 2. The card signs it for this terminal, this certificate and this purpose.
        digest = card_digest(
            to_be_signed(
                challenge=challenge,
                terminal_id=self._identity.terminal_id,
                terminal_key_thumbprint=self._thumbprint,
                certificate_sha256=memory.certificate_sha256,
                purpose=PURPOSE_ISSUE,
            )
        )
        arguments = (digest, memory.certificate_sha256, effect.last_try_confirmed)
        signed = yield Call(Lane.CARD, "card.sign", lambda: self._devices.card.sign(*arguments))
        # 3. The server looks the person up afresh from the certificate.
        request = messages.AuthenticateRequest(
            visit_id=visit_id,
            challenge=challenge,
            certificate=memory.certificate_der,
            signature=signed.signature,
        )
        answer: messages.AuthenticateAnswer
        answer = yield Call(Lane.SERVER, "server.authenticate", lambda: server.authenticate(request))
        memory.session_id = answer.session_id
        return v.Authenticated(answer.masked_name, answer.offers)

    # Orders

    def _prepare(self, effect: v.PrepareOrders, _visit: Visit) -> Program:
        memory, choice = self.memory, effect.choice
        if not 1 <= choice.copies <= MAX_COPIES:
            return v.Failed(ErrorCode.BAD_REQUEST)
        # 1. All ids are journaled before the first is sent.
        payment_id, order_ids = self._new_id(), tuple(self._new_id() for _ in range(choice.copies))
        self._journal.ids(Ids(visit_id=memory.visit_id, payment_id=payment_id, order_ids=order_ids))
        answered: list[str] = []
        try:
            for order_id in order_ids:
                paper = yield self._prepare_call(order_id, choice, memory)
                answered.append(order_id)
                self._guard.check_chosen(paper.prepared, choice)
                yield self._check_call(order_id, paper, memory)
                memory.papers[order_id] = paper
            prepared = tuple(memory.papers[order_id].prepared for order_id in order_ids)
            self._guard.check_copies(prepared)
        except (NetworkDown, ServerRefused, PaperMismatch) as error:
            # 2. Together or not at all. What was not answered the server voids by time.
            self._void(answered)
            log.warning("not prepared", error=type(error).__name__, rule=getattr(error, "rule", ""))
            raise
        return v.Prepared(payment_id, prepared)

    def _prepare_call(self, order_id: str, choice: v.Choice, memory: Memory) -> Call:
        request = messages.PrepareRequest(
            session_id=memory.session_id,
            order_id=order_id,
            municipality_code=choice.municipality_code,
            kind=choice.kind,
            scope=choice.scope,
            members=choice.members,
            items=choice.items,
            fiscal_year=choice.fiscal_year,
            binding=binding(order_id, bytes(memory.visit_secret), memory.certificate_sha256),
        )
        return Call(Lane.SERVER, "server.prepare", lambda: self._devices.server.prepare(request))

    def _check_call(self, order_id: str, paper: Paper, memory: Memory) -> Call:
        arguments = (paper, order_id, bytes(memory.visit_secret), memory.certificate_sha256)
        return Call(Lane.PAPER, "paper.check", lambda: self._guard.check_prepared(*arguments))

    def _void_orders(self, effect: v.VoidOrders, _visit: Visit) -> None:
        self._void(effect.order_ids)

    def _void(self, order_ids: tuple[str, ...] | list[str]) -> None:
        for order_id in order_ids:
            self.tell_server(EventKind.ORDER_VOIDED, order_id=order_id)

    def _report_not_me(self, _effect: v.ReportNotMe, visit: Visit) -> None:
        self.tell_server(EventKind.NOT_ME, visit_id=visit.visit_id)

    # Grant and print

    def _grant(self, effect: v.RequestGrant, visit: Visit) -> Program:
        memory, paper = self.memory, self.memory.papers[effect.order_id]
        request = messages.GrantRequest(
            session_id=memory.session_id,
            payment_id=visit.payment_id,
            method=messages.PaymentMethod.CASH,
            reserved_yen=memory.held_yen,
            allocated_yen=paper.prepared.fee_yen,
        )

        def ask() -> tuple[messages.GrantAnswer, float]:
            answer = self._devices.server.grant(effect.order_id, request)
            return answer, self._sources.monotonic()  # its 60 s begin with the receipt

        answer, received_s = yield Call(Lane.SERVER, "server.grant", ask)
        memory.grants[effect.order_id] = self._guard.check_grant(answer, paper, received_s)
        return v.Granted()

    def _abandon_grant(self, effect: v.AbandonGrant, _visit: Visit) -> None:
        self.memory.grants.pop(effect.order_id, None)
        self.tell_server(EventKind.GRANT_ABANDONED, order_id=effect.order_id)

    def _print(self, effect: v.Print, visit: Visit) -> Program:
        press, order_id = self._devices.press, effect.order_id
        # A grant is used once: it leaves the memory here, whatever happens next.
        paper, held = self.memory.papers[order_id], self.memory.grants.pop(order_id)
        # 1. The bytes once more, right before they are sent; the press hashes them again against the grant's digest.
        self._guard.check_before_print(held, paper)
        job, before = yield from self._submit_held(paper, held.grant.pdf_sha256)
        # 2. The intent, while the grant is fresh. From here on the outcome is the printer's word or unknown.
        self._guard.check_age(held, self._sources.monotonic())
        counters = {"lifetime_impressions": before.lifetime_impressions}
        row = self._journal.intent(Intent(act=Act.PRINT, visit_id=visit.visit_id, order_id=order_id, counters=counters))
        # 3. Release, ask, and stop whatever is not printed for certain.
        verdict = yield from self._release_and_ask(job, before)
        self._note(lambda: self._journal.result(row, Result(outcome=verdict.outcome)))
        log.info("print decided", order=order_id, outcome=verdict.outcome, why=verdict.why)
        if verdict.outcome is not Outcome.PRINTED:
            yield from self._try(Call(Lane.PRESS, "press.cancel", lambda: press.cancel(job)))
        yield from self._try(Call(Lane.PRESS, "press.purge", press.purge_all))
        return v.PrintDecided(CopyOutcome(verdict.outcome.value), verdict.sheets_out)

    def _submit_held(self, paper: Paper, sha256: bytes) -> Generator[Call, Any, tuple[HeldJob, Counters]]:
        press, order_id = self._devices.press, paper.prepared.order_id
        submit = (order_id, paper.pdf, paper.prepared.sheets, sha256)
        try:
            job: HeldJob = yield Call(Lane.PRESS, "press.submit", lambda: press.submit(*submit))
            before: Counters = yield Call(Lane.PRESS, "press.counters", press.counters)
        except PressError:
            raise
        except Exception as error:
            # Whatever it was, nothing is released: for certain no paper.
            raise PressError(f"order {order_id}: not submitted ({type(error).__name__})") from error
        return job, before

    def _release_and_ask(self, job: HeldJob, before: Counters) -> Generator[Call, Any, Verdict]:
        press = self._devices.press
        try:
            yield Call(Lane.PRESS, "press.release", lambda: press.release(job))
        except (QueueStopped, NoSuchJob, JobNotPossible) as error:
            return Verdict(Outcome.FAILED, 0, f"not released: {error.detail}")
        except Exception as error:  # noqa: BLE001 - whatever it was, the job may be on its way
            log.warning("release without an answer", order=job.order_id, error=type(error).__name__)
        ask = Call(Lane.PRESS, "press.verdict", lambda: press.verdict(job, before))
        try:
            try:
                verdict: Verdict = yield ask
            except WorkerDied:
                verdict = yield ask  # to ask again moves nothing, and the printer remembers
        except Exception as error:  # noqa: BLE001 - nothing but the printer's word decides that no paper came out
            return Verdict(Outcome.UNKNOWN, None, f"no verdict: {type(error).__name__}")
        return verdict

    def _report_paper(self, effect: v.ReportPaper, _visit: Visit) -> None:
        kind, counts_sheets = _PAPER_EVENTS[effect.outcome]
        sheets_out = (effect.sheets_out or 0) if counts_sheets else None
        self.tell_server(kind, order_id=effect.order_id, sheets_out=sheets_out)

    # Money

    def _collect(self, effect: v.CollectMoney, visit: Visit) -> Program:
        payment, (payment_id, due_yen) = self._devices.payment, (effect.payment_id, effect.due_yen)
        before: DeviceCounters = yield Call(Lane.PAYMENT, "payment.counters", payment.counters)
        row = self._intent(Act.COLLECT, visit, payment_id, due_yen, before)
        self.memory.collect_row = row
        try:
            exact_only = yield from self._open_unit(payment_id, due_yen)
        except (PaymentDeviceError, WorkerError):
            yield from self._shut(row, visit, payment_id)
            raise
        return v.CollectionOpened(exact_only)

    def _open_unit(self, payment_id: str, due_yen: int) -> Generator[Call, Any, bool]:
        """Open the unit; return whether it takes the exact sum alone, because it could not give change."""
        payment = self._devices.payment
        try:
            yield from self._start(lambda: payment.start(payment_id, due_yen))
        except ChangeUnavailable:
            log.info("no change", payment=payment_id)
        else:
            return False
        yield from self._start(lambda: payment.start(payment_id, due_yen, exact_only=True))
        return True

    def _start(self, start: Callable[[], None]) -> Generator[Call, Any, None]:
        """An answer that was lost may have left the unit open; the same start again moves nothing, and tells."""
        call = Call(Lane.PAYMENT, "payment.start", start)
        try:
            yield call
        except (DeviceGone, WorkerError):
            yield call

    def _shut(self, row: int, visit: Visit, payment_id: str) -> Generator[Call, Any, None]:
        """Write that the unit did not open, if it says so itself; else it may stand open, and staff have to look."""
        payment = self._devices.payment
        status = yield from self._try(Call(Lane.PAYMENT, "payment.status", lambda: payment.status(payment_id)))
        if isinstance(status, PaymentStatus) and status.state is PaymentState.UNKNOWN:
            self._note(lambda: self._journal.result(row, Result(outcome="not opened")))
        else:
            case = Case(code=TerminalCode.MONEY_UNCERTAIN, visit_id=visit.visit_id, payment_id=payment_id)
            self.open_case(case)

    def _hold(self, _effect: v.HoldMoney, _visit: Visit) -> Program:
        memory = self.memory
        memory.held_yen = yield Call(Lane.PAYMENT, "payment.hold", self._devices.payment.hold)
        return v.MoneyHeld(memory.held_yen)

    def _capture(self, effect: v.CaptureMoney, visit: Visit) -> Program:
        payment, payment_id, capture_yen = self._devices.payment, effect.payment_id, effect.capture_yen
        if capture_yen == 0:  # free of charge: the unit was never opened
            self._report_capture(effect, Counted(0, 0, 0, 0))
            return v.MoneyCaptured(0, 0, 0, 0)
        held_yen, collect_row = self.memory.held_yen, self.memory.collect_row
        try:
            before: DeviceCounters = yield Call(Lane.PAYMENT, "payment.counters", payment.counters)
        except (PaymentDeviceError, WorkerError):
            self._report_uncollected(effect, held_yen)
            raise
        row = self._intent(Act.CAPTURE, visit, payment_id, capture_yen, before)
        call = Call(Lane.PAYMENT, "payment.capture", lambda: payment.capture(payment_id, capture_yen))
        counted = yield from self._move(call, payment_id, PaymentState.CAPTURED)
        if counted is None:
            self._note(lambda: self._journal.result(row, Result(outcome="uncertain")))
            self._report_uncollected(effect, held_yen)
            return v.Failed(TerminalCode.MONEY_UNCERTAIN)
        yield from self._moved(row, collect_row, "captured")
        self._report_capture(effect, counted)
        return v.MoneyCaptured(counted.captured_yen, counted.change_yen, counted.returned_yen, counted.owed_yen)

    def _return(self, effect: v.ReturnMoney, visit: Visit) -> Program:
        payment, payment_id, collect_row = self._devices.payment, effect.payment_id, self.memory.collect_row
        # 1. Closed and drained, so that no coin falls in behind the count.
        try:
            held_yen: int = yield Call(Lane.PAYMENT, "payment.hold", payment.hold)
            before: DeviceCounters = yield Call(Lane.PAYMENT, "payment.counters", payment.counters)
        except (PaymentDeviceError, WorkerError):
            self._report_owed(payment_id, visit.money.inserted_yen if visit.money else 0)
            raise
        row = self._intent(Act.RETURN, visit, payment_id, held_yen, before)
        # 2. Moved once.
        call = Call(Lane.PAYMENT, "payment.return", lambda: payment.give_back(payment_id))
        counted = yield from self._move(call, payment_id, PaymentState.ROLLED_BACK)
        if counted is None:
            self._note(lambda: self._journal.result(row, Result(outcome="uncertain")))
            self._report_owed(payment_id, held_yen)
            return v.Failed(TerminalCode.MONEY_UNCERTAIN)
        yield from self._moved(row, collect_row, "returned")
        self._report_closed(payment_id, counted)
        return v.MoneyReturned(counted.returned_yen, counted.owed_yen, held_yen)

    def _move(self, call: Call, payment_id: str, moved: PaymentState) -> Generator[Call, Any, Counted | None]:
        """Move money once. On doubt ask what was done, and never move again: None = nobody knows."""
        try:
            counted: Counted = yield call
        except (PaymentDeviceError, WorkerError) as error:
            log.warning("money moved without an answer", payment=payment_id, error=type(error).__name__)
        else:
            return counted
        payment = self._devices.payment
        try:
            status = yield Call(Lane.PAYMENT, "payment.status", lambda: payment.status(payment_id))
        except (PaymentDeviceError, WorkerError):
            return None
        return cast(Counted | None, status.counted) if status.state is moved else None

    def _moved(self, row: int, collect_row: int | None, outcome: str) -> Generator[Call, Any, None]:
        """Write both results with the unit's counters: of this movement, and of the collection that it ends."""
        after = yield from self._try(Call(Lane.PAYMENT, "payment.counters", self._devices.payment.counters))
        counters = _counters(after) if isinstance(after, DeviceCounters) else {}
        self._note(lambda: self._journal.result(row, Result(outcome=outcome, counters=counters)))
        if collect_row is not None:
            self._note(lambda: self._journal.result(collect_row, Result(outcome=outcome)))

    def _intent(self, act: Act, visit: Visit, payment_id: str, amount_yen: int, counters: DeviceCounters) -> int:
        return self._journal.intent(
            Intent(
                act=act,
                visit_id=visit.visit_id,
                payment_id=payment_id,
                amount_yen=amount_yen,
                counters=_counters(counters),
            )
        )

    def _report_uncollected(self, effect: v.CaptureMoney, held_yen: int) -> None:
        for order_id, fee_yen in effect.lines:
            self.tell_server(
                EventKind.CAPTURE_FAILED, order_id=order_id, payment_id=effect.payment_id, amount_yen=fee_yen
            )
        self._report_owed(effect.payment_id, held_yen - effect.capture_yen)

    def _report_capture(self, effect: v.CaptureMoney, counted: Counted) -> None:
        for order_id, fee_yen in effect.lines:
            self.tell_server(EventKind.CAPTURED, order_id=order_id, payment_id=effect.payment_id, amount_yen=fee_yen)
        self._report_closed(effect.payment_id, counted)

    def _report_closed(self, payment_id: str, counted: Counted) -> None:
        cashbox_yen = counted.captured_yen + counted.change_yen + counted.owed_yen  # what dropped from the tray
        self.tell_server(
            EventKind.PAYMENT_CLOSED,
            payment_id=payment_id,
            inserted_yen=cashbox_yen + counted.returned_yen,
            cashbox_yen=cashbox_yen,
            change_yen=counted.change_yen,
            returned_yen=counted.returned_yen,
        )
        self._report_owed(payment_id, counted.owed_yen)

    def _report_owed(self, payment_id: str, owed_yen: int) -> None:
        if owed_yen > 0:
            self.tell_server(EventKind.RETURN_DUE, payment_id=payment_id, amount_yen=owed_yen)

    # Between visits

    def _open_case(self, effect: v.OpenCase, visit: Visit) -> None:
        case = Case(code=effect.code, visit_id=visit.visit_id, order_id=effect.order_id, payment_id=effect.payment_id)
        self.open_case(case)

    def open_case(self, case: Case) -> None:
        """Write a case down; from now on the terminal is out of service once the visit is over."""
        log.error("case", code=case.code, order=case.order_id, payment=case.payment_id, detail=case.detail)
        self._note(lambda: self._journal.case(case))

    def close_cases(self, note: str, sheets_destroyed: int | None) -> None:
        """Close the open cases with what staff found; a case of sheets stays open until they are counted."""
        for row in self._journal.open_cases():
            if is_found_out(cast(Case, row.body).code, sheets_destroyed):
                self._journal.close_case(row.row, note, sheets_destroyed)

    def _forget_visit(self, _effect: v.ForgetVisit, _visit: Visit) -> Program:
        """The memory was wiped when the step was taken; here the spool."""
        press = self._devices.press
        yield Call(Lane.PRESS, "press.purge", press.purge_all)
        residue = yield Call(Lane.PRESS, "press.residue", press.residue)
        return v.Failed(TerminalCode.RESIDUE) if residue else None

    def _check_devices(self, _effect: v.CheckDevices, _visit: Visit) -> Program:
        reasons = self._open_cases()
        reasons += ["reader-gone"] * self.reader_gone
        reasons += ["journal-unavailable"] * self._journal_lost
        reasons += [f"events-refused {self.events_refused}"] * (self.events_refused is not None)
        reasons += yield from look_at_press(self._devices.press)
        reasons += yield from look_at_payment(self._devices.payment)
        reasons += yield from look_at_server(self._devices.server, self._sources)
        return v.DevicesLost(tuple(reasons)) if reasons else v.DevicesReady()

    def _open_cases(self) -> list[str]:
        try:
            codes = [cast(Case, row.body).code for row in self._journal.open_cases()]
            return [f"case {code}" for code in codes if keeps_closed(code, self._devices.outlet)]
        except JournalUnavailable as error:
            self.lose_journal(error)
            return []

    # Common

    def tell_server(self, kind: EventKind, **fields: Any) -> None:
        """Queue a signed event for the server; it stands in the journal until it is accepted."""

        def write() -> None:
            sequence = self._journal.next_sequence()
            event = messages.Event(sequence=sequence, at_utc=self._sources.now_utc(), kind=kind, **fields)
            self._journal.event(sequence, encode(sign_event(event, self._identity.key)))

        self._note(write)

    def _note(self, write: Callable[[], Any]) -> None:
        """Write what has happened already: without the row the visit still ends well, and then nothing more begins."""
        try:
            write()
        except JournalUnavailable as error:
            self.lose_journal(error)

    def lose_journal(self, error: JournalUnavailable) -> None:
        """Nothing begins any more until the terminal is started anew, and its journal has been read from the start."""
        if not self._journal_lost:
            log.critical("journal unavailable", error=str(error))
        self._journal_lost = True

    def _try(self, call: Call) -> Generator[Call, Any, object]:
        """Make a call whose failure changes nothing for this visit: the look at the devices afterwards sees it."""
        try:
            answer: object = yield call
        except (PressError, PaymentDeviceError, WorkerError) as error:
            log.warning("call failed", call=call.name, error=type(error).__name__)
            return None
        return answer

    def _new_id(self) -> str:
        return self._sources.random_bytes(ID_BYTES).hex()


def _counters(counters: DeviceCounters) -> dict[str, int | None]:
    return {name: getattr(counters, name) for name in DeviceCounters.__slots__}


#: What the server is told of a paper, and whether the sheets are counted in it.
_PAPER_EVENTS: Final[dict[CopyOutcome, tuple[EventKind, bool]]] = {
    CopyOutcome.PRINTED: (EventKind.PRINTED, True),
    CopyOutcome.DECLARED: (EventKind.PRINTED, True),  # after UNKNOWN: the doubt stands in the row before
    CopyOutcome.PARTIAL: (EventKind.PARTIAL, True),
    CopyOutcome.FAILED: (EventKind.FAILED, False),
    CopyOutcome.UNKNOWN: (EventKind.UNKNOWN, False),
}

#: What only writes to the journal.
_AT_ONCE: Final[dict[type, Callable[[Effects, Any, Visit], None]]] = {
    v.VoidOrders: Effects._void_orders,
    v.ReportNotMe: Effects._report_not_me,
    v.AbandonGrant: Effects._abandon_grant,
    v.ReportPaper: Effects._report_paper,
    v.OpenCase: Effects._open_case,
}
#: What calls devices.
_PROGRAMS: Final[dict[type, Callable[[Effects, Any, Visit], Program]]] = {
    v.ReadCard: Effects._read_card,
    v.PinKey: Effects._pin_key,
    v.PinBack: Effects._pin_back,
    v.PinWipe: Effects._pin_wipe,
    v.Authenticate: Effects._authenticate,
    v.PrepareOrders: Effects._prepare,
    v.CollectMoney: Effects._collect,
    v.HoldMoney: Effects._hold,
    v.RequestGrant: Effects._grant,
    v.Print: Effects._print,
    v.CaptureMoney: Effects._capture,
    v.ReturnMoney: Effects._return,
    v.ForgetVisit: Effects._forget_visit,
    v.CheckDevices: Effects._check_devices,
}
