"""The runner's core without its threads: items taken one by one, the flow stepped, effects started, events sent.

Whoever owns a `Stepper` owns its journal: it hands in one `Item` after another, has calls executed elsewhere, and hands
their ends in as `Done`. `runner.py` does so with a thread a device; a simulation does it with a clock of its own.
"""

from __future__ import annotations

import threading
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from printing.press.service import SheetProgress
from protocol.messages import EventsAnswer, SignedEvent
from terminal import visit as v
from terminal.book import UNAVAILABLE
from terminal.card import results as card
from terminal.client import NetworkDown, ServerRefused
from terminal.devices import Devices, failure
from terminal.effects import Effects
from terminal.flow import CODE_TIMEOUT_S, TIMEOUT_S, owes_visibly, step
from terminal.flow_steps import UnexpectedEvent
from terminal.journal import Case, Journal, JournalUnavailable
from terminal.paper_check import PaperGuard
from terminal.payment.device import MoneyCounted
from terminal.programs import Call, Identity, Lane, Program, Sources
from terminal.visit import Effect, Event, State, TerminalCode, Visit

EVENTS_AT_ONCE: Final = 100
RESEND_S: Final = 1.0  # after a failure; doubled up to
RESEND_MAX_S: Final = 30.0
ALIVE_S: Final = 10.0  # so often it is written down that the process lives while somebody waits for money or paper
READER_GONE: Final = "reader-gone"

DeviceEvent = card.CardEvent | SheetProgress | MoneyCounted

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Told:
    """What a device said by itself."""

    event: DeviceEvent


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program gave for the flow, and to which visit and stay in a state it belongs."""

    visit_number: int
    stay: int
    event: Event


@dataclass(frozen=True, slots=True)
class Done:
    """A call that has ended."""

    running: Running
    call: Call
    seconds: float
    value: object
    error: Exception | None


@dataclass(eq=False, slots=True)
class Running:
    """One step's effects on their way."""

    program: Program
    visit_number: int
    must_end: bool  # begun acts on paper and money end even where nobody waits for them any more


@dataclass(frozen=True, slots=True)
class CloseCases:
    """What staff found out."""

    note: str
    sheets_destroyed: int | None = None


class MoreTime:
    """Somebody asked for it."""


@dataclass(frozen=True, slots=True)
class Touched:
    """A touch, and the state whose screen the finger saw."""

    event: Event
    state: State


Item = Event | Told | Answer | Done | MoreTime | Touched | CloseCases
Execute = Callable[[Running, Call], None]
_LEAVES_SOMETHING: Final = frozenset(
    {
        *(State.COLLECTING, State.SHOWING_CODE, State.RESERVED, State.GRANTING, State.DEBITING, State.PRINTING),
        *(State.ASK_SHEETS, State.CAPTURING, State.CANCELLING, State.TAKE_PAPER),
    }
)
_MUST_END: Final = (
    *(v.Print, v.CaptureMoney, v.ReturnMoney, v.KeepMoney, v.CollectMoney, v.Recover),
    *(v.ClaimRefund, v.PayOut, v.DebitCard, v.StopDebit, v.CancelDebit, v.GiveReceipt),
)


class Timings:
    """Where the time of a visit went; read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, name: str, seconds: float) -> None:
        """Count seconds under a name."""
        with self._lock:
            self._seconds[name] += seconds

    def clear(self) -> None:
        """Begin anew."""
        with self._lock:
            self._seconds.clear()

    def read(self) -> dict[str, float]:
        """Return the sums by name."""
        with self._lock:
            return dict(self._seconds)


class Stepper:
    """One terminal's visits, one after another. Every method belongs to whoever owns the journal.

    Shape:  put hands an item in behind those that wait already; execute has a call executed, and a `Done` handed in;
            show is told every visit that others may see, once the rows of its step are written.
    """

    def __init__(
        self,
        journal: Journal,
        devices: Devices,
        identity: Identity,
        guard: PaperGuard,
        sources: Sources,
        *,
        put: Callable[[Item], None],
        execute: Execute,
        show: Callable[[Visit], None],
        timings: Timings,
        timeout_s: dict[State, float] | None = None,
    ) -> None:
        self._journal = journal
        self._devices = devices
        self._sources = sources
        self._put = put
        self._execute = execute
        self._show = show
        self._timings = timings
        self._timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
        self._effects = Effects(journal, devices, identity, guard, sources)
        self.visit = Visit(State.RECOVERING)
        self.unsent_events = 0
        self._visit_number = 0
        self._stay = 0
        self._entered_s = 0.0
        self._deadline_s = 0.0
        self._sending = False
        self._resend_pause_s = RESEND_S
        self._resend_at_s = 0.0
        self._alive_at_s = 0.0

    def boot(self) -> None:
        """Read what was left unfinished. Errors: JournalUnavailable."""
        self._effects.boot()

    def begin(self) -> None:
        """End what was left unfinished, then look at the devices; from here on items are taken."""
        self._rearm()
        self._begin(v.Recover())

    def close(self) -> None:
        """Forget the visit and let go of the journal."""
        self._effects.forget()
        self._journal.close()

    def wake_s(self) -> float:
        """Return the moment at which `v.TimedOut` is to be taken if nothing comes before."""
        wake_s = self._deadline_s
        if self.unsent_events and not self._sending and self._effects.booted:
            wake_s = min(wake_s, self._resend_at_s)
        if self._leaves_something():
            wake_s = min(wake_s, self._alive_at_s)
        return wake_s

    def take(self, item: Item) -> None:
        """Take one item; this never fails, whatever it leads to."""
        try:
            self._handle(item)
            self._close_if_lost()
            self._say_alive()
            self._send_events()
        except Exception as error:  # noqa: BLE001 - a fault must not leave money in the tray and a dead page
            _log_fault("runner", error)
            self._fail()

    def _say_alive(self) -> None:
        """After a cut the journal must tell how long it was: whoever stood here is asked only if it was short."""
        now_s = self._sources.monotonic()
        if self._leaves_something() and now_s >= self._alive_at_s:
            self._alive_at_s = now_s + ALIVE_S
            self._effects.book.note(self._journal.alive)

    def _leaves_something(self) -> bool:
        """Tell whether a cut would leave money, a paper or a code behind that somebody may still stand there for."""
        return self.visit.state in _LEAVES_SOMETHING or owes_visibly(self.visit)

    def _fail(self) -> None:
        """End what was going on as well as it can be; the owner never ends, or the page would stand still."""
        self._rearm()
        try:
            self._step(v.Failed(TerminalCode.INTERNAL))
        except Exception as error:  # noqa: BLE001 - the same fault again: the state's time-out is what is left
            _log_fault("runner, after a fault", error)

    def _handle(self, item: Item) -> None:
        match item:
            case Done():
                self._resume(item)
            case Answer():
                self._take_answer(item)
            case Told():
                self._take_told(item.event)
            case MoreTime():
                self._rearm()
            case Touched():
                self._take_touch(item)
            case CloseCases():
                self._effects.book.close_cases(item.note, item.sheets_destroyed)
                self._check_if_closed()
            case v.TimedOut() if self._sources.monotonic() < self._deadline_s:
                pass  # woken for the outbox
            case _:
                self._step(item)

    def _take_touch(self, touched: Touched) -> None:
        """Fingers touch twice, and pages lag behind: what was meant for another screen counts for nothing."""
        if touched.state is self.visit.state:
            self._step(touched.event)

    def _check_if_closed(self) -> None:
        if self.visit.state is State.OUT_OF_SERVICE:
            self._begin(v.CheckDevices())

    def _close_if_lost(self) -> None:
        """A row that found no room when its visit was over already: nobody is to begin before it is looked at."""
        if self._effects.book.lost and self.visit.state is State.IDLE:
            self._step(v.DevicesLost((UNAVAILABLE,)))

    def _take_told(self, told: DeviceEvent) -> None:
        """Translate what a device said; what belongs to another payment or order is history."""
        visit = self.visit
        match told:
            case card.CardInserted():
                self._step(v.CardInserted())
            case card.CardRemoved():
                self._step(v.CardRemoved())
            case card.ReaderGone():
                self._effects.reader_gone = True
                self._step(v.DevicesLost((READER_GONE,)))
            case card.ReaderBack():
                self._effects.reader_gone = False
                self._check_if_closed()
            case MoneyCounted() if visit.money and visit.money.payment_id == told.payment_id:
                self._step(v.MoneyInserted(told.total_yen))
            case SheetProgress() if visit.orders and visit.orders[visit.current].order_id == told.order_id:
                self._step(v.SheetsProgress(told.sheets_done))
            case _:
                log.info("device event of an earlier visit", event_type=type(told).__name__)

    def _take_answer(self, answer: Answer) -> None:
        if answer.visit_number != self._visit_number:
            return
        if isinstance(answer.event, v.Failed) and answer.stay != self._stay:
            log.info("late failure", code=answer.event.code, state=self.visit.state)
            return  # nobody waits for it: a time-out or the resident was quicker
        self._step(answer.event)

    def _step(self, event: Event) -> None:
        before = self.visit
        try:
            after, effects = step(before, event)
        except UnexpectedEvent as error:
            self._effects.book.write(Case(code=TerminalCode.INTERNAL, visit_id=before.visit_id, detail=str(error)))
            return
        if after.state is not before.state:
            self._account(before.state, after.state)
            self._stay += 1
            log.info("state", state=after.state, visit=after.visit_id or before.visit_id, code=_code(after))
        about = after
        if any(isinstance(effect, v.ForgetVisit) for effect in effects):
            # At once, not behind a device that is slow; answers of this visit count for nothing from here on.
            self._visit_number += 1
            self._effects.forget()
            about = before  # what is written at its end is about the visit that is forgotten
        self.visit = after
        if after != before or isinstance(event, v.Touch | v.TimedOut):
            self._rearm()
        if effects:
            self._begin(*self._effects.write_first(effects, about))
        if after != before:
            self._publish()

    def _rearm(self) -> None:
        at_least_s = CODE_TIMEOUT_S if owes_visibly(self.visit) else 0
        self._deadline_s = self._sources.monotonic() + max(self._timeout_s[self.visit.state], at_least_s)

    def _account(self, left: State, entered: State) -> None:
        now_s = self._sources.monotonic()
        if entered is State.READING:
            self._timings.clear()
        else:
            self._timings.add(left.value, now_s - self._entered_s)
        self._entered_s = now_s

    def _publish(self) -> None:
        self._count_unsent()
        self._show(self.visit)

    # Effects

    def _begin(self, *effects: Effect) -> None:
        """Begin a step's effects. A receipt's row is written in the step that asks for it, behind no device."""
        apart = tuple(effect for effect in effects if isinstance(effect, v.GiveReceipt))
        for some in (apart, tuple(effect for effect in effects if effect not in apart)):
            if some:
                must_end = any(isinstance(effect, _MUST_END) for effect in some)
                self._advance(Running(self._in_order(some), self._visit_number, must_end), None, None)

    def _in_order(self, effects: tuple[Effect, ...]) -> Program:
        """One effect after another; one that fails tells the flow and does not stop the next."""
        visit, visit_number, stay = self.visit, self._visit_number, self._stay
        for effect in effects:
            event: Event | None
            try:
                event = yield from self._effects.carry_out(effect, visit)
            except Exception as error:  # noqa: BLE001 - what is not known becomes INTERNAL
                event = failure(error, visit.tries_left)
                if event == v.Failed(TerminalCode.INTERNAL):
                    _log_fault(type(effect).__name__, error)
            if event is not None:
                self._put(Answer(visit_number, stay, event))
        return None

    def _resume(self, done: Done) -> None:
        running = done.running
        self._timings.add(done.call.name, done.seconds)
        if running.visit_number != self._visit_number and not running.must_end:
            running.program.close()
            return
        self._advance(running, done.value, done.error)

    def _advance(self, running: Running, value: object, error: Exception | None) -> None:
        try:
            call = running.program.send(value) if error is None else running.program.throw(error)
        except StopIteration:
            return
        self._execute(running, call)

    # The outbox

    def _send_events(self) -> None:
        """Send the oldest events in the background, in order, until the server has them all."""
        if self._sending:
            return
        self._count_unsent()
        if not self.unsent_events or self._sources.monotonic() < self._resend_at_s:
            return
        if not self._effects.booted:
            return  # what the server has is not known: it may be another one than before
        try:
            rows = self._journal.outgoing(EVENTS_AT_ONCE)
        except JournalUnavailable as error:
            self._effects.book.lose(error)
            self._resend_at_s = self._sources.monotonic() + RESEND_MAX_S
            return
        self._sending = True
        events = tuple(msgspec.json.decode(row.signed, type=SignedEvent) for row in rows)
        self._advance(Running(self._send_once(events), self._visit_number, must_end=True), None, None)

    def _count_unsent(self) -> None:
        try:
            self.unsent_events = self._journal.unsent()
        except JournalUnavailable as error:
            self._effects.book.lose(error)

    def _send_once(self, events: tuple[SignedEvent, ...]) -> Program:
        try:
            answer: EventsAnswer = yield Call(
                Lane.OUTBOX, "server.events", lambda: self._devices.server.send_events(events)
            )
            self._journal.accept_through(answer.accepted_through, answer.backed_up_through)
        except (NetworkDown, ServerRefused, JournalUnavailable, ValueError) as error:
            log.warning("events not accepted", error=type(error).__name__, detail=str(error))
            if isinstance(error, ServerRefused) and not error.retryable:
                self._effects.refuse_events(error.code)
            else:
                self._effects.events_refused = None
            self._resend_at_s = self._sources.monotonic() + self._resend_pause_s
            self._resend_pause_s = min(2 * self._resend_pause_s, RESEND_MAX_S)
        else:
            self._effects.events_refused = None
            self._resend_pause_s = RESEND_S
        finally:
            self._sending = False
        return None


def _log_fault(where: str, error: Exception) -> None:
    """Write where it happened: source lines only. A message, or a frame's values, could hold what is personal."""
    log.error("fault", where=where, error=type(error).__name__, trace=traceback.format_tb(error.__traceback__))


def _code(visit: Visit) -> str | None:
    return visit.refusal.code if visit.refusal else None
