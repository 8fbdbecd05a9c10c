"""The effects of the flow, carried out: each a program of device calls with its journal rows before and after.

A program is a generator. It yields one `Call` at a time, which the runner has executed on that device's own thread, and
is resumed on the runner's thread with the answer, or with the error thrown in; so journal and memory are only ever
touched by one thread. What it returns is the event for the flow.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from itertools import takewhile
from typing import Any, Final

import structlog

from printing.press.errors import JobNotPossible, NoSuchJob, PressError, QueueStopped
from printing.press.service import Counters, HeldJob
from printing.press.verdict import Outcome, Verdict
from protocol import messages
from protocol.binding import VISIT_SECRET_BYTES, binding
from protocol.challenge import PURPOSE_ISSUE, card_digest, to_be_signed
from protocol.errors import ErrorCode
from protocol.messages import EventKind
from protocol.signing import key_thumbprint
from terminal import visit as v
from terminal.book import UNAVAILABLE, Book, Note, Telling, paper_told, result
from terminal.card.results import CardRead
from terminal.client import NetworkDown, Paper, ServerRefused
from terminal.code_programs import CodePrograms
from terminal.debit_programs import DebitPrograms
from terminal.devices import Devices
from terminal.health import (
    SERVER_REFUSES,
    SERVER_UNREACHABLE,
    boot_request,
    look_at_payment,
    look_at_press,
    look_at_server,
)
from terminal.journal import Act, Case, Ids, Intent, Journal
from terminal.money import MoneyPrograms, asked, attempt
from terminal.outlet import keeps_closed
from terminal.paper_check import PaperGuard, PaperMismatch
from terminal.programs import ID_BYTES, Call, Identity, Lane, Memory, Program, Sources
from terminal.receipt_programs import ReceiptPrograms
from terminal.recovery import Recovery
from terminal.refund_programs import RefundPrograms
from terminal.visit import CopyOutcome, TerminalCode, Visit
from terminal.workers import WorkerDied, WorkerHung

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
        self.book = Book(journal, identity, sources)
        money = MoneyPrograms(self.book, devices.payment, lambda: self.memory)
        self._money: dict[type, Callable[[Any, Visit], Program]] = {
            v.CollectMoney: money.collect,
            v.HoldMoney: money.hold,
            v.CaptureMoney: money.capture,
            v.ReturnMoney: money.give_back,
            v.KeepMoney: money.keep,
        }
        self._refunds = RefundPrograms(self.book, devices.payment, devices.server, lambda: self.memory, sources)
        self._money |= {v.ClaimRefund: self._refunds.claim, v.PayOut: self._refunds.pay_out}
        self._debits = DebitPrograms(self.book, devices.emoney, lambda: self.memory)
        self._money |= {v.DebitCard: self._debits.debit, v.StopDebit: self._debits.stop}
        self._money[v.CancelDebit] = self._debits.cancel
        self._codes = CodePrograms(self.book, devices.codes, lambda: self.memory)
        self._money |= {v.ShowCode: self._codes.show, v.WatchCode: self._codes.watch}
        self._money[v.GiveReceipt] = ReceiptPrograms(
            self.book, devices.receipt, lambda: self.memory, identity, sources
        ).give
        self._recovery = Recovery(self.book, devices, sources)
        self.reader_gone = False
        self.events_refused: str | None = None
        self.booted = False  # this process was said to the server, and nothing speaks against it

    def boot(self) -> None:
        """Write that the terminal began. What stands open in the journal is `Recover`'s to end."""
        self._boot_number, self._boot_head = self._journal.boot().number, self._journal.head

    def refuse_events(self, code: str) -> None:
        """The server does not take the events: after a restore of the server it has to hear first what there is."""
        self.events_refused = code
        self.booted = self.booted and code not in _SAY_BOOT_AGAIN

    def forget(self) -> None:
        """Wipe what is held in memory, at once."""
        self.memory.wipe()
        self.memory = Memory()

    def write_first(self, effects: tuple[v.Effect, ...], visit: Visit) -> tuple[v.Effect, ...]:
        """Write down, in one append, what the effects at the head of a step only write; return the others."""
        first = tuple(takewhile(lambda effect: type(effect) in _WRITTEN, effects))
        notes = [note for effect in first for note in _WRITTEN[type(effect)](self, effect, visit)]
        if notes:
            self.book.write(*notes)
        return effects[len(first) :]

    def carry_out(self, effect: v.Effect, visit: Visit) -> Program:
        """Carry one effect out and return the event for the flow, if there is one."""
        if not self.write_first((effect,), visit):
            return None
        money = self._money.get(type(effect))
        return (yield from (money(effect, visit) if money else _PROGRAMS[type(effect)](self, effect, visit)))

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
        with suppress(WorkerDied, WorkerHung):  # the digits went with the process that held them
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
        return v.Authenticated(answer.masked_name, answer.offers, answer.reissues, answer.refunds)

    # Orders

    def _prepare(self, effect: v.PrepareOrders, _visit: Visit) -> Program:
        memory, choice = self.memory, effect.choice
        if not 1 <= choice.copies <= MAX_COPIES:
            return v.Failed(ErrorCode.BAD_REQUEST)
        # 1. All ids are journaled before the first is sent.
        payment_id = effect.payment_id or self._new_id()
        order_ids = tuple(self._new_id() for _ in range(choice.copies))
        self._journal.ids(Ids(visit_id=memory.visit_id, payment_id=payment_id, order_ids=order_ids))
        try:
            for order_id in order_ids:
                paper = yield self._prepare_call(order_id, choice, memory)
                self._guard.check_chosen(paper.prepared, choice)
                yield self._check_call(order_id, paper, memory)
                memory.papers[order_id] = paper
            prepared = tuple(memory.papers[order_id].prepared for order_id in order_ids)
            self._guard.check_copies(prepared)
        except (NetworkDown, ServerRefused, PaperMismatch) as error:
            # 2. Together or not at all, those too whose answer did not come or that were not asked for.
            self.book.write(*_void(order_ids))
            log.warning("not prepared", error=type(error).__name__, rule=getattr(error, "rule", ""))
            raise
        methods = (yield from self._debits.methods()) + (messages.PaymentMethod.QR,) * self._codes.are_there
        return v.Prepared(payment_id, prepared, self.book.claim_code(payment_id), methods)

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
            replaces=choice.replaces,
        )
        return Call(Lane.SERVER, "server.prepare", lambda: self._devices.server.prepare(request))

    def _check_call(self, order_id: str, paper: Paper, memory: Memory) -> Call:
        arguments = (paper, order_id, bytes(memory.visit_secret), memory.certificate_sha256)
        return Call(Lane.PAPER, "paper.check", lambda: self._guard.check_prepared(*arguments))

    def _void_orders(self, effect: v.VoidOrders, _visit: Visit) -> tuple[Note, ...]:
        return _void(effect.order_ids)

    def _close_debits(self, effect: v.CloseDebits, visit: Visit) -> tuple[Note, ...]:
        return (*self._codes.close(effect.payment_id), *self._debits.close(effect, visit))

    def _give_up_claim(self, effect: v.GiveUpClaim, visit: Visit) -> tuple[Note, ...]:
        return self._refunds.give_up(effect, visit)

    def _report_not_me(self, _effect: v.ReportNotMe, visit: Visit) -> tuple[Note, ...]:
        return (Telling(EventKind.NOT_ME, {"visit_id": visit.visit_id}),)

    # Grant and print

    def _grant(self, effect: v.RequestGrant, visit: Visit) -> Program:
        memory, paper = self.memory, self.memory.papers[effect.order_id]
        request = messages.GrantRequest(
            session_id=memory.session_id,
            payment_id=visit.payment_id,
            method=visit.money.method if visit.money else messages.PaymentMethod.CASH,
            reserved_yen=_reserved_yen(visit, memory),
            allocated_yen=paper.prepared.fee_yen,
        )

        def ask() -> tuple[messages.GrantAnswer, float]:
            answer = self._devices.server.grant(effect.order_id, request)
            return answer, self._sources.monotonic()  # its 60 s begin with the receipt

        answer, received_s = yield Call(Lane.SERVER, "server.grant", ask)
        memory.grants[effect.order_id] = self._guard.check_grant(answer, paper, received_s)
        return v.Granted()

    def _abandon_grant(self, effect: v.AbandonGrant, _visit: Visit) -> tuple[Note, ...]:
        self.memory.grants.pop(effect.order_id, None)
        return (Telling(EventKind.GRANT_ABANDONED, {"order_id": effect.order_id}),)

    def _print(self, effect: v.Print, visit: Visit) -> Program:
        press, order_id = self._devices.press, effect.order_id
        # A grant is used once: it leaves the memory here, whatever happens next.
        paper, held = self.memory.papers[order_id], self.memory.grants.pop(order_id)
        # 1. The bytes once more, right before they are sent; the press hashes them again against the grant's digest.
        self._guard.check_before_print(held, paper)
        job, before = yield from self._submit_held(paper, held.grant.pdf_sha256)
        # 2. The intent, while the grant is fresh. From here on the outcome is the printer's word or unknown.
        self._guard.check_age(held, self._sources.monotonic())
        row = self._journal.intent(
            Intent(
                act=Act.PRINT,
                visit_id=visit.visit_id,
                order_id=order_id,
                amount_yen=paper.prepared.fee_yen,
                sheets=paper.prepared.sheets,
                counters={"lifetime_impressions": before.lifetime_impressions},
            )
        )
        # 3. Release, ask, and stop whatever is not printed for certain.
        verdict = yield from self._release_and_ask(job, before)
        late = self.book.has_told_of(order_id)
        told = () if late else paper_told(self.book, visit.visit_id, order_id, verdict)
        self.book.write(result(row, verdict.outcome), *told)
        log.info("print decided", order=order_id, outcome=verdict.outcome, why=verdict.why)
        if verdict.outcome is not Outcome.PRINTED:
            yield from attempt(Call(Lane.PRESS, "press.cancel", lambda: press.cancel(job)))
        yield from attempt(Call(Lane.PRESS, "press.purge", press.purge_all))
        return v.PrintDecided(CopyOutcome(verdict.outcome.value), verdict.sheets_out)

    def _submit_held(self, paper: Paper, sha256: bytes) -> Generator[Call, Any, tuple[HeldJob, Counters]]:
        press, order_id = self._devices.press, paper.prepared.order_id
        submit = (order_id, paper.pdf, paper.prepared.sheets, sha256)
        try:
            job: HeldJob = yield Call(Lane.PRESS, "press.submit", lambda: press.submit(*submit))
            before: Counters = yield from asked(Call(Lane.PRESS, "press.counters", press.counters))
        except PressError:
            raise
        except Exception as error:
            # Whatever it was, nothing is released: for certain no paper.
            raise PressError(f"order {order_id}: not submitted ({type(error).__name__})") from error
        return job, before

    def _release(self, job: HeldJob) -> Generator[Call, Any, None]:
        """Release a job; where the worker died under the word, CUPS tells whether it had heard it."""
        press = self._devices.press
        release = Call(Lane.PRESS, "press.release", lambda: press.release(job))
        try:
            yield release
        except WorkerDied:
            if (yield Call(Lane.PRESS, "press.is_held", lambda: press.is_held(job.order_id))):
                yield release  # a job that is still held was given to nobody

    def _release_and_ask(self, job: HeldJob, before: Counters) -> Generator[Call, Any, Verdict]:
        press = self._devices.press
        try:
            yield from self._release(job)
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

    def _report_paper(self, effect: v.ReportPaper, visit: Visit) -> tuple[Note, ...]:
        return self.book.paper(visit.visit_id, effect.order_id, effect.outcome, effect.sheets_out)

    # Between visits

    def _recover(self, _effect: v.Recover, _visit: Visit) -> Program:
        return (yield from self._recovery.run(self.memory))

    def _open_case(self, effect: v.OpenCase, visit: Visit) -> tuple[Note, ...]:
        visit_id = effect.visit_id or visit.visit_id
        return (Case(code=effect.code, visit_id=visit_id, order_id=effect.order_id, payment_id=effect.payment_id),)

    def _forget_visit(self, _effect: v.ForgetVisit, _visit: Visit) -> Program:
        """The memory was wiped when the step was taken; here the spool."""
        press = self._devices.press
        self.book.note(self.book.settle)
        yield Call(Lane.PRESS, "press.purge", press.purge_all)
        residue = yield Call(Lane.PRESS, "press.residue", press.residue)
        return v.Failed(TerminalCode.RESIDUE) if residue else None

    def _check_devices(self, _effect: v.CheckDevices, _visit: Visit) -> Program:
        outlet = self._devices.outlet
        reasons = [f"case {case.code}" for case in self.book.open_cases() if keeps_closed(case.code, outlet)]
        reasons += ["reader-gone"] * self.reader_gone
        reasons += [UNAVAILABLE] * self.book.lost
        reasons += [f"events-refused {self.events_refused}"] * (self.events_refused is not None)
        reasons += yield from look_at_press(self._devices.press)
        reasons += yield from look_at_payment(self._devices.payment)
        reasons += (yield from self._say_boot()) or (yield from self._look_at_server())
        return v.DevicesLost(tuple(reasons)) if reasons else v.DevicesReady()

    def _say_boot(self) -> Generator[Call, Any, list[str]]:
        """Say once with which journal this process began; events are sent from where the server says."""
        if self.booted or self.book.lost:
            return []
        request = boot_request(self._journal, self._boot_number, self._boot_head)
        try:
            answer = yield Call(Lane.SERVER, "server.boot", lambda: self._devices.server.boot(request))
        except NetworkDown:
            return [SERVER_UNREACHABLE]
        except ServerRefused as error:
            return [f"{SERVER_REFUSES} {error.code}"]
        self._journal.resume_from(answer.accepted_through, answer.backed_up_through)
        self.booted, self.events_refused = True, None
        return []

    def _look_at_server(self) -> Generator[Call, Any, list[str]]:
        reasons = yield from look_at_server(self._devices.server, self._sources)
        self.booted = self.booted and not any(f"{SERVER_REFUSES} {code}" in reasons for code in _SAY_BOOT_AGAIN)
        return reasons

    def _new_id(self) -> str:
        return self._sources.random_bytes(ID_BYTES).hex()


def _reserved_yen(visit: Visit, memory: Memory) -> int:
    """Return what stands by for the whole payment: in the tray, or agreed to on a phone; a card is debited later."""
    if visit.money is not None and visit.money.method is messages.PaymentMethod.QR:
        return visit.money.inserted_yen
    return memory.held_yen


def _void(order_ids: tuple[str, ...]) -> tuple[Note, ...]:
    return tuple(Telling(EventKind.ORDER_VOIDED, {"order_id": order_id}) for order_id in order_ids)


#: The server does not know, or not any more, what this terminal has.
_SAY_BOOT_AGAIN: Final = (ErrorCode.BOOT_REQUIRED, ErrorCode.RESTORING, ErrorCode.EVENT_OUT_OF_ORDER)

#: What only writes to the journal.
_WRITTEN: Final[dict[type, Callable[[Effects, Any, Visit], tuple[Note, ...]]]] = {
    v.VoidOrders: Effects._void_orders,
    v.ReportNotMe: Effects._report_not_me,
    v.GiveUpClaim: Effects._give_up_claim,
    v.AbandonGrant: Effects._abandon_grant,
    v.CloseDebits: Effects._close_debits,
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
    v.RequestGrant: Effects._grant,
    v.Print: Effects._print,
    v.Recover: Effects._recover,
    v.ForgetVisit: Effects._forget_visit,
    v.CheckDevices: Effects._check_devices,
}
