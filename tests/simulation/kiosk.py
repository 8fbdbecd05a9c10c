"""One terminal: the real stepper over the real journal, its lanes as threads of a process that can be cut.

What `terminal.runner.Runner` does with threads and a queue is done here with the hub: items are taken one by one, in an
order that the seed decides, and a cut may come between any two rows of the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf

from terminal.card.results import CardInserted, CardRemoved
from terminal.devices import Devices
from terminal.flow import TIMEOUT_S
from terminal.payment.qr import ServerCodes
from terminal.programs import Call, Identity, Lane, Sources
from terminal.stepping import CloseCases, DeviceEvent, Done, Item, Running, Stepper, Timings, Told, Touched
from terminal.visit import Event, State, TimedOut, Visit
from tests.simulation import paper
from tests.simulation.coins import SimCoins
from tests.simulation.disk import Disk, SimJournal, new_journal
from tests.simulation.emoney import SimEmoney
from tests.simulation.hub import Hub, Killed, Process
from tests.simulation.network import Link, SimClient
from tests.simulation.printer import CAPABILITIES, SimCups, SimPress, SimPrinter
from tests.simulation.reader import SimReader
from tests.simulation.receipts import SimReceipts
from tests.simulation.town import Town, terminal_id
from tests.simulation.world import Lost, Machine, World

#: Nobody stands before an idle terminal: it looks at its devices a quarter as often; a look costs much here.
_TIMEOUT_S = {**TIMEOUT_S, State.IDLE: 4 * TIMEOUT_S[State.IDLE]}
#: Calls that never wait here: they need no thread of their own.
_AT_ONCE = {
    "card.pin",
    "emoney.ready",
    "paper.check",
    "press.check",
    "press.counters",
    "press.is_held",
    "press.purge",
    "press.residue",
}
_DARK = Visit(State.OUT_OF_SERVICE, reasons=("dark",))


class Kiosk:
    """One terminal with its devices. `shown` is what its screen shows."""

    def __init__(self, hub: Hub, town: Town, world: World, number: int, link: Link, *, is_fitted: bool) -> None:
        """is_fitted: with a contract terminal, payment by QR code, and a receipt printer."""
        self._hub, self._town, self.number = hub, town, number
        self.link = link
        self.power = Process(f"terminal {number}")
        self.reader = SimReader(hub, town, self.power)
        self.printer = SimPrinter(hub, world, number)
        self.cups = SimCups(hub, self.power, self.printer)
        self.coins = SimCoins(hub, world.machines[number], self.power)
        self.emoney = SimEmoney(hub, world.machines[number].emoney, self.power) if is_fitted else None
        self.receipts = SimReceipts(hub, world.machines[number], self.power) if is_fitted else None
        self.disk = Disk(new_journal())
        self.shown = _DARK
        self.changed: Callable[[Visit], None] = lambda _: None
        self.lose: Callable[[Lost], None] = lambda _: None  # evidence about whoever stands there
        for device in self.machines():
            device.lose = lambda lost: self.lose(lost)  # noqa: PLW0108 - set later
        self.before_commit: Callable[[], bool] = lambda: False  # True = the power goes here
        self.after_commit: Callable[[], bool] = lambda: False
        self.cut_here: Callable[[], None] = self.cut  # given by the faults: what goes out with the terminal
        self.boots = 0
        self.guard = paper.StandInGuard(terminal_id(number), lambda: town.trust, paper.CHECKS)
        self.stepper: Stepper | None = None
        self.journal: SimJournal | None = None

    def machines(self) -> list[SimPrinter | SimCoins | SimEmoney | SimReceipts]:
        """Return what stands beside the terminal with a power of its own."""
        return [self.printer, self.coins, *self._fitted()]

    def _fitted(self) -> list[SimEmoney | SimReceipts]:
        return [device for device in (self.emoney, self.receipts) if device is not None]

    @property
    def machine(self) -> Machine:
        return self.coins._machine

    # power

    def up(self) -> None:
        """Start the terminal's process."""
        self.power = Process(f"terminal {self.number}")
        self.boots += 1
        for device in (self.reader, self.cups, self.coins, *self._fitted()):
            device.terminal = self.power
        self._queue: deque[Item] = deque()
        self._pumping = False
        self._armed_s = inf
        self._busy: dict[Lane, deque[tuple[Running, Call]]] = {lane: deque() for lane in Lane}
        self._working: set[Lane] = set()
        self._hub.at(self.power, 0.0, self._guarded, self._boot)

    def _boot(self) -> None:
        hub, power = self._hub, self.power
        self.journal = SimJournal(
            self.disk, hub.now_utc, lambda: self._cut_at(self.before_commit), lambda: self._cut_at(self.after_commit)
        )
        press = SimPress(self.cups, self.printer, self.tell)
        client = SimClient(hub, self.link, power)
        self.stepper = Stepper(
            self.journal,
            Devices(
                self.reader,
                press,
                self.coins,
                client,
                CAPABILITIES.outlet,
                self.emoney,
                ServerCodes(client, hub.sleep) if self.emoney else None,
                self.receipts,
            ),
            Identity(terminal_id(self.number), self._town.terminal_keys[self.number]),
            self.guard,
            self.sources(),
            put=self._put,
            execute=self._execute,
            show=self._show,
            timings=Timings(),
            timeout_s=_TIMEOUT_S,
        )
        self.coins.tell = self.tell
        self.reader.tell = self.tell
        self.stepper.boot()
        self.stepper.begin()
        self._show(self.stepper.visit)
        self.tell(CardInserted() if self.reader.owner else CardRemoved())
        self._arm()

    def sources(self) -> Sources:
        """Return clock and chance."""
        return Sources(self._hub.monotonic, self._hub.now_utc, self._hub.random.randbytes)

    def _cut_at(self, asked: Callable[[], bool]) -> None:
        if asked():
            raise Killed

    def _guarded(self, act: Callable[[], None]) -> None:
        """Whatever the runner's thread does may be cut at a row."""
        try:
            act()
        except Killed:
            self.cut_here()

    def cut(self) -> None:
        """The terminal's power goes: what was not synced is lost, and so is its memory."""
        if self.journal is not None:
            self.journal.cut()
        self._hub.kill(self.power)
        self.stepper = self.journal = None
        self.coins.tell = self.reader.tell = lambda _: None
        self.shown = _DARK
        self.reader.lose()
        self.changed(self.shown)

    def restart(self) -> None:
        """Staff switch it off and on."""
        self.cut()
        self.cups.lose()
        self._hub.at(Process("switch"), 3.0, self.up)

    # items

    def post(self, event: Event) -> None:
        """A finger, on the screen that is shown."""
        if self.power.alive:
            self._put(Touched(event, self.shown.state))

    def tell(self, event: DeviceEvent) -> None:
        """A device says something by itself."""
        self._put(Told(event))

    def close_cases(self, note: str, sheets_destroyed: int) -> None:
        """Staff say what they found."""
        if self.power.alive:
            self._put(CloseCases(note, sheets_destroyed))

    def _put(self, item: Item) -> None:
        self._queue.append(item)
        self._pump_soon()

    def _pump_soon(self) -> None:
        if not self._pumping and self._queue:
            self._pumping = True
            self._hub.at(self.power, self._hub.random.random() * 0.002, self._guarded, self._pump)

    def _pump(self) -> None:
        self._pumping = False
        if self.stepper is None:
            return
        self.stepper.take(self._queue.popleft())
        self._pump_soon()
        self._arm()

    def _arm(self) -> None:
        """See that something happens at the stepper's next moment: an earlier wake looks again."""
        assert self.stepper is not None
        wake_s = max(self._hub.now_s, self.stepper.wake_s())
        if wake_s < self._armed_s:
            self._armed_s = wake_s
            self._hub.at(self.power, wake_s - self._hub.now_s, self._wake, wake_s)

    def _wake(self, armed_s: float) -> None:
        if armed_s != self._armed_s:
            return  # an earlier one has taken its place
        self._armed_s = inf
        if self.stepper is None:
            return
        if self._hub.now_s < self.stepper.wake_s():
            self._arm()
        elif not self._queue:
            self._put(TimedOut())

    def _show(self, visit: Visit) -> None:
        if visit.state is not self.shown.state:
            why = visit.refusal.code if visit.refusal else " ".join(visit.reasons)
            self._hub.say(self.power, f"{visit.state} {why}")
        self.shown = visit
        self.changed(visit)

    # lanes

    def _execute(self, running: Running, call: Call) -> None:
        self._busy[call.lane].append((running, call))
        self._work_on(call.lane)

    def _work_on(self, lane: Lane) -> None:
        if lane not in self._working and self._busy[lane]:
            self._working.add(lane)
            running, call = self._busy[lane].popleft()
            delay_s = self._hub.random.random() * 0.003
            if call.name in _AT_ONCE:
                self._hub.at(self.power, delay_s, self._work, lane, running, call)
            else:
                self._hub.spawn(self.power, lambda: self._work(lane, running, call), delay_s)

    def _work(self, lane: Lane, running: Running, call: Call) -> None:
        begun_s = self._hub.now_s
        value: object = None
        error: Exception | None = None
        try:
            value = call.work()
        except Exception as raised:  # noqa: BLE001 - every error belongs to the program that made the call
            error = raised
            self._hub.say(self.power, f"{call.name}: {type(raised).__name__} {raised}")
        self._working.discard(lane)
        self._put(Done(running, call, self._hub.now_s - begun_s, value, error))
        self._work_on(lane)
