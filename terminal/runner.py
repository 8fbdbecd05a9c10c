"""The runner: one thread that owns flow and journal, takes events in, and has effects carried out against the devices.

What it does with them is `stepping.Stepper`; here are the threads. Device calls run on a thread per device; their
answers come back through the same queue as touches and device events, so the runner never blocks for longer than a
journal row. The pages read a frozen `Visit` and wait for the next.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from terminal.devices import Devices
from terminal.journal import Journal, JournalUnavailable
from terminal.paper_check import PaperGuard
from terminal.programs import Call, Identity, Lane, Sources
from terminal.stepping import CloseCases, DeviceEvent, Done, Item, MoreTime, Running, Stepper, Timings, Told, Touched
from terminal.visit import Event, State, TimedOut, Visit

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 10.0


class _Stop:
    """Tells the runner to end."""


class _LaneThread:
    """Executes the calls of one device, in order."""

    def __init__(self, lane: Lane, done: Callable[[Done], None]) -> None:
        self._done = done
        self._calls: queue.SimpleQueue[tuple[Running, Call] | None] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=f"lane {lane}", daemon=True).start()

    def put(self, running: Running, call: Call) -> None:
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
            self._done(Done(running, call, time.monotonic() - begun_s, value, error))


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
        self._timeout_s = timeout_s
        self._queue: queue.SimpleQueue[Item | _Stop] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._shown = Visit(State.RECOVERING)
        self._version = 0
        self._timings = Timings()
        self._started = threading.Event()
        self._start_error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="runner", daemon=True)
        self._stepper: Stepper | None = None  # of the runner's thread alone

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
        self._queue.put(Touched(event, state))

    def tell(self, event: DeviceEvent) -> None:
        """Hand in what a device said by itself."""
        self._queue.put(Told(event))

    def close_cases(self, note: str, sheets_destroyed: int | None = None) -> None:
        """Staff have looked at printer and money and say what they found: the open cases are closed with it.

        Units: sheets_destroyed counts those found at the outlet; without it a case of sheets stays open.
        """
        self._queue.put(CloseCases(note, sheets_destroyed))

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
        self._queue.put(MoreTime())

    def seconds(self) -> dict[str, float]:
        """Return where the time of the visit went: states by name, and device calls by "device.call"."""
        return self._timings.read()

    def unsent_events(self) -> int:
        """Return how many events the server has not accepted yet."""
        return self._stepper.unsent_events if self._stepper else 0

    # The runner's thread

    def _run(self) -> None:
        try:
            stepper = self._open()
        except Exception as error:  # noqa: BLE001 - start() raises it
            self._start_error = error
            self._started.set()
            return
        self._stepper = stepper
        self._lanes = {lane: _LaneThread(lane, self._queue.put) for lane in Lane}
        stepper.begin()
        self._started.set()
        try:
            self._loop(stepper)
        finally:
            for lane in self._lanes.values():
                lane.stop()
            stepper.close()

    def _open(self) -> Stepper:
        stepper = Stepper(
            self._open_journal(),
            self._devices,
            self._identity,
            self._guard,
            self._sources,
            put=self._queue.put,
            execute=self._execute,
            show=self._publish,
            timings=self._timings,
            timeout_s=self._timeout_s,
        )
        stepper.boot()
        return stepper

    def _loop(self, stepper: Stepper) -> None:
        while True:
            item = self._next(stepper.wake_s())
            if isinstance(item, _Stop):
                return
            stepper.take(item)

    def _next(self, wake_s: float) -> Item | _Stop:
        try:
            return self._queue.get(timeout=max(0.0, wake_s - self._sources.monotonic()))
        except queue.Empty:
            return TimedOut()

    def _execute(self, running: Running, call: Call) -> None:
        self._lanes[call.lane].put(running, call)

    def _publish(self, visit: Visit) -> None:
        with self._changed:
            self._shown = visit
            self._version += 1
            self._changed.notify_all()
