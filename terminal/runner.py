"""The runner: one thread that owns flow and journal, takes events in, and has effects carried out against the devices.

Device calls run on a thread per device (`Lane`); their answers come back through the same queue as touches and device
events, so the runner never blocks for longer than a journal row. The pages read a frozen `Visit` and wait for the next.
"""

from __future__ import annotations

import queue
import threading
import time
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
from terminal.card import results as card
from terminal.client import NetworkDown, ServerRefused
from terminal.devices import Devices, failure
from terminal.effects import Effects
from terminal.flow import TIMEOUT_S, step
from terminal.flow_steps import UnexpectedEvent
from terminal.journal import Case, Journal, JournalUnavailable
from terminal.paper_check import PaperGuard
from terminal.payment.device import MoneyCounted
from terminal.programs import Call, Identity, Lane, Program, Sources
from terminal.visit import Effect, Event, State, TerminalCode, Visit

EVENTS_AT_ONCE: Final = 100
RESEND_S: Final = 1.0  # after a failure; doubled up to
RESEND_MAX_S: Final = 30.0
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0
READER_GONE: Final = "reader-gone"

DeviceEvent = card.CardEvent | SheetProgress | MoneyCounted

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Told:
    """What a device said by itself."""

    event: DeviceEvent


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a program gave for the flow, and to which visit and stay in a state it belongs."""

    visit_number: int
    stay: int
    event: Event


@dataclass(frozen=True, slots=True)
class _Done:
    """A call that has ended on its lane."""

    running: _Running
    call: Call
    seconds: float
    value: object
    error: Exception | None


@dataclass(eq=False, slots=True)
class _Running:
    """One step's effects on their way."""

    program: Program
    visit_number: int
    must_end: bool  # begun acts on paper and money end even where nobody waits for them any more


@dataclass(frozen=True, slots=True)
class _CloseCases:
    """What staff found out."""

    note: str
    sheets_destroyed: int | None


class _MoreTime:
    """Somebody asked for it."""


@dataclass(frozen=True, slots=True)
class _Touched:
    """A touch, and the state whose screen the finger saw."""

    event: Event
    state: State


class _Stop:
    """Tells the runner to end."""


_Item = Event | _Told | _Answer | _Done | _MoreTime | _Touched | _CloseCases | _Stop
_MUST_END: Final = (v.Print, v.CaptureMoney, v.ReturnMoney, v.CollectMoney)


class _LaneThread:
    """Executes the calls of one device, in order."""

    def __init__(self, lane: Lane, done: Callable[[_Done], None]) -> None:
        self._done = done
        self._calls: queue.SimpleQueue[tuple[_Running, Call] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=f"lane {lane}", daemon=True).start()

    def put(self, running: _Running, call: Call) -> None:
        self._calls.put((running, call))

    def stop(self) -> None:
        self._calls.put(None)

    def _run(self) -> None:
        while (item := self._calls.get()) is not None:
            running, call = item
            begun_s = time.monotonic()
            value: object = None
            error: Exception | None = None
            try:
                value = call.work()
            except Exception as raised:  # noqa: BLE001 - every error belongs to the program that made the call
                error = raised
            self._done(_Done(running, call, time.monotonic() - begun_s, value, error))


class Runner:
    """One terminal's visits, one after another.

    Shape:  open_journal is called on the runner's own thread, which owns the journal from then on.
            devices may call `tell` from the moment they exist; pages call `post`, `current`, `wait` and `more_time`.
    """

    def __init__(
        self,
        open_journal: Callable[[], Journal],
        devices: Devices,
        identity: Identity,
        guard: PaperGuard,
        *,
        sources: Sources | None = None,
        timeout_s: dict[State, float] | None = None,
    ) -> None:
        self._open_journal = open_journal
        self._devices = devices
        self._identity = identity
        self._guard = guard
        self._sources = sources or Sources(time.monotonic)
        self._timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._visit = Visit(State.OUT_OF_SERVICE, reasons=("starting",))
        self._shown = self._visit  # what other threads see: only once the rows of the step are written
        self._version = 0
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._unsent_events = 0
        self._started = threading.Event()
        self._start_error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)
        # Of the runner's thread alone:
        self._visit_number = 0
        self._stay = 0
        self._entered_s = 0.0
        self._deadline_s = 0.0
        self._sending = False
        self._resend_pause_s = RESEND_S
        self._resend_at_s = 0.0

    # For the pages, the devices and the wiring; from any thread

    def start(self) -> None:
        """Open the journal and begin. Errors: JournalUnavailable, JournalBroken."""
        self._thread.start()
        if not self._started.wait(START_TIMEOUT_S):
            raise JournalUnavailable(f"the journal did not open in {START_TIMEOUT_S:g} s")
        if self._start_error is not None:
            raise self._start_error

    def stop(self) -> None:
        """End; what is in flight at a device is left to it, and found at the next start."""
        self._queue.put(_Stop())
        self._thread.join(STOP_TIMEOUT_S)

    def post(self, event: Event) -> None:
        """Hand an event to the flow as it is."""
        self._queue.put(event)

    def touch(self, event: Event, state: State) -> None:
        """Hand in what a finger did on the screen of a state; once that state is over it counts for nothing."""
        self._queue.put(_Touched(event, state))

    def tell(self, event: DeviceEvent) -> None:
        """Hand in what a device said by itself."""
        self._queue.put(_Told(event))

    def close_cases(self, note: str, sheets_destroyed: int | None = None) -> None:
        """Staff have looked at printer and money and say what they found: the open cases are closed with it.

        Units: sheets_destroyed counts those found at the outlet; without it a case of sheets stays open.
        """
        self._queue.put(_CloseCases(note, sheets_destroyed))

    def current(self) -> tuple[int, Visit]:
        """Return the visit as it stands, and its version, which rises with every change."""
        with self._changed:
            return self._version, self._shown

    def wait(self, version: int, timeout_s: float) -> tuple[int, Visit]:
        """Return once there is another version than this, or what there is when the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout_s)
            return self._version, self._shown

    def more_time(self) -> None:
        """Begin the state's time anew, for somebody who asked for it."""
        self._queue.put(_MoreTime())

    def seconds(self) -> dict[str, float]:
        """Return where the time of the visit went: states by name, and device calls by "device.call"."""
        with self._changed:
            return dict(self._seconds)

    def unsent_events(self) -> int:
        """Return how many events the server has not accepted yet."""
        return self._unsent_events

    # The runner's thread

    def _run(self) -> None:
        try:
            journal = self._open_journal()
            effects = Effects(journal, self._devices, self._identity, self._guard, self._sources)
            effects.boot()
        except Exception as error:  # noqa: BLE001 - start() raises it
            self._start_error = error
            self._started.set()
            return
        self._journal, self._effects = journal, effects
        self._lanes = {lane: _LaneThread(lane, self._queue.put) for lane in Lane}
        self._rearm()
        self._begin((v.ForgetVisit(), v.CheckDevices()))
        self._started.set()
        try:
            self._loop()
        finally:
            for lane in self._lanes.values():
                lane.stop()
            self._effects.forget()
            journal.close()

    def _loop(self) -> None:
        while True:
            item = self._next()
            if isinstance(item, _Stop):
                return
            try:
                self._handle(item)
                self._send_events()
            except Exception as error:  # noqa: BLE001 - a fault must not leave money in the tray and a dead page
                _log_fault("runner", error)
                self._fail()

    def _fail(self) -> None:
        """End what was going on as well as it can be; this thread itself never ends, or the page would stand still."""
        self._rearm()
        try:
            self._step(v.Failed(TerminalCode.INTERNAL))
        except Exception as error:  # noqa: BLE001 - the same fault again: the state's time-out is what is left
            _log_fault("runner, after a fault", error)

    def _next(self) -> _Item:
        now_s = self._sources.monotonic()
        wake_s = self._deadline_s
        if self._unsent_events and not self._sending:
            wake_s = min(wake_s, self._resend_at_s)
        try:
            return self._queue.get(timeout=max(0.0, wake_s - now_s))
        except queue.Empty:
            return v.TimedOut()

    def _handle(self, item: _Item) -> None:
        match item:
            case _Done():
                self._resume(item)
            case _Answer():
                self._take_answer(item)
            case _Told():
                self._take_told(item.event)
            case _MoreTime():
                self._rearm()
            case _Touched():
                self._take_touch(item)
            case _CloseCases():
                self._effects.close_cases(item.note, item.sheets_destroyed)
                self._check_if_closed()
            case v.TimedOut() if self._sources.monotonic() < self._deadline_s:
                pass  # woken for the outbox
            case _Stop():
                raise AssertionError("the loop ends before")
            case _:
                self._step(item)

    def _take_touch(self, touched: _Touched) -> None:
        """Fingers touch twice, and pages lag behind: what was meant for another screen counts for nothing."""
        if touched.state is self._visit.state:
            self._step(touched.event)

    def _check_if_closed(self) -> None:
        if self._visit.state is State.OUT_OF_SERVICE:
            self._begin((v.CheckDevices(),))

    def _take_told(self, told: DeviceEvent) -> None:
        """Translate what a device said; what belongs to another payment or order is history."""
        visit = self._visit
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

    def _take_answer(self, answer: _Answer) -> None:
        if answer.visit_number != self._visit_number:
            return
        if isinstance(answer.event, v.Failed) and answer.stay != self._stay:
            log.info("late failure", code=answer.event.code, state=self._visit.state)
            return  # nobody waits for it: a time-out or the resident was quicker
        self._step(answer.event)

    def _step(self, event: Event) -> None:
        before = self._visit
        try:
            after, effects = step(before, event)
        except UnexpectedEvent as error:
            self._effects.open_case(Case(code=TerminalCode.INTERNAL, visit_id=before.visit_id, detail=str(error)))
            return
        if after.state is not before.state:
            self._account(before.state, after.state)
            self._stay += 1
            log.info("state", state=after.state, visit=after.visit_id or before.visit_id, code=_code(after))
        if any(isinstance(effect, v.ForgetVisit) for effect in effects):
            # At once, not behind a device that is slow; answers of this visit count for nothing from here on.
            self._visit_number += 1
            self._effects.forget()
        self._visit = after
        if after != before or isinstance(event, v.Touch | v.TimedOut):
            self._rearm()
        if effects:
            self._begin(effects)
        if after != before:
            self._publish()

    def _rearm(self) -> None:
        self._deadline_s = self._sources.monotonic() + self._timeout_s[self._visit.state]

    def _account(self, left: State, entered: State) -> None:
        now_s = self._sources.monotonic()
        with self._changed:
            if entered is State.READING:
                self._seconds.clear()
            else:
                self._seconds[left.value] += now_s - self._entered_s
        self._entered_s = now_s

    def _publish(self) -> None:
        self._count_unsent()
        with self._changed:
            self._shown = self._visit
            self._version += 1
            self._changed.notify_all()

    # Effects

    def _begin(self, effects: tuple[Effect, ...]) -> None:
        must_end = any(isinstance(effect, _MUST_END) for effect in effects)
        self._advance(_Running(self._in_order(effects), self._visit_number, must_end), None, None)

    def _in_order(self, effects: tuple[Effect, ...]) -> Program:
        """One effect after another; one that fails tells the flow and does not stop the next."""
        visit, visit_number, stay = self._visit, self._visit_number, self._stay
        for effect in effects:
            event: Event | None
            try:
                event = yield from self._effects.carry_out(effect, visit)
            except Exception as error:  # noqa: BLE001 - what is not known becomes INTERNAL
                event = failure(error, visit.tries_left)
                if event == v.Failed(TerminalCode.INTERNAL):
                    _log_fault(type(effect).__name__, error)
            if event is not None:
                self._queue.put(_Answer(visit_number, stay, event))
        return None

    def _resume(self, done: _Done) -> None:
        running = done.running
        with self._changed:
            self._seconds[done.call.name] += done.seconds
        if running.visit_number != self._visit_number and not running.must_end:
            running.program.close()
            return
        self._advance(running, done.value, done.error)

    def _advance(self, running: _Running, value: object, error: Exception | None) -> None:
        try:
            call = running.program.send(value) if error is None else running.program.throw(error)
        except StopIteration:
            return
        self._lanes[call.lane].put(running, call)

    # The outbox

    def _send_events(self) -> None:
        """Send the oldest events in the background, in order, until the server has them all."""
        self._count_unsent()
        if self._sending or not self._unsent_events or self._sources.monotonic() < self._resend_at_s:
            return
        try:
            rows = self._journal.outgoing(EVENTS_AT_ONCE)
        except JournalUnavailable as error:
            self._effects.lose_journal(error)
            self._resend_at_s = self._sources.monotonic() + RESEND_MAX_S
            return
        self._sending = True
        events = tuple(msgspec.json.decode(row.signed, type=SignedEvent) for row in rows)
        self._advance(_Running(self._send_once(events), self._visit_number, must_end=True), None, None)

    def _count_unsent(self) -> None:
        try:
            self._unsent_events = self._journal.unsent()
        except JournalUnavailable as error:
            self._effects.lose_journal(error)

    def _send_once(self, events: tuple[SignedEvent, ...]) -> Program:
        try:
            answer: EventsAnswer = yield Call(
                Lane.OUTBOX, "server.events", lambda: self._devices.server.send_events(events)
            )
            self._journal.accept_through(answer.accepted_through)
        except (NetworkDown, ServerRefused, JournalUnavailable, ValueError) as error:
            log.warning("events not accepted", error=type(error).__name__, detail=str(error))
            refused = isinstance(error, ServerRefused) and not error.retryable
            self._effects.events_refused = error.code if refused and isinstance(error, ServerRefused) else None
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
