"""What goes wrong, and when: two faults a seed, each at a state of a visit, at a moment in it or between two rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from issuance_server.database import write
from protocol.messages import PaymentMethod
from terminal.client import Paper
from terminal.recovery import PRINTER_PATIENCE_S
from terminal.visit import State, Visit
from tests.issuing_parts import CODE
from tests.simulation.hub import Hub, Process
from tests.simulation.kiosk import Kiosk
from tests.simulation.paper import contents
from tests.simulation.provider import Silence
from tests.simulation.town import household
from tests.simulation.world import Lost, yen

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


class Kind(StrEnum):
    """What goes wrong."""

    TERMINAL_KILLED = "terminal killed"  # its process alone
    TERMINAL_CUT = "terminal cut"  # its power: queue and spool with it
    STORE_CUT = "store cut"  # terminal, printer and coin unit
    PRINTER_CUT = "printer cut"
    COINS_CUT = "coin unit cut"
    SERVER_KILLED = "server killed"
    DATABASE_CUT = "database cut"  # both servers and the machine of their database
    SERVER_SLOW = "server slow"
    NETWORK_DOWN = "network down"
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    DOUBLED = "message doubled"
    DELAYED = "message late"
    PRINTER_STOPS = "printer stops"  # jam or open cover; it goes on when somebody clears it
    PRINTER_ABORTS = "printer aborts"
    PRINTER_LIES = "printer lies"  # completed, and sheets are missing
    COIN_ANSWER_LOST = "coin answer lost"
    HOPPERS_JAM = "hoppers jam"
    EMONEY_CUT = "contract terminal cut"
    EMONEY_ANSWER_LOST = "contract terminal's answer lost"
    EMONEY_CARD_LEAVES = "e-money card leaves"  # in the middle of its debit
    RECEIPT_PRINTER_CUT = "receipt printer cut"
    RECEIPT_ROLL_OUT = "receipt printer out of paper"
    RECEIPT_ANSWER_LOST = "receipt printer's answer lost"
    PROVIDER_SILENT = "provider silent"  # before or after it has done what was asked
    DISK_FULL = "terminal's disk full"
    CARD_PULLED = "card pulled"
    CARD_TORN = "card torn"  # VERIFY is done and its answer is lost
    FEED = "register fed"
    RENDER_MIXUP = "renderer mixes people up"  # a page of the last one's data, as from a buffer used again
    ANSWER_MIXUP = "answers mixed up"  # another visit's genuine paper, vouched for
    MEMORY_MIXUP = "memory mixed up"  # other bytes where the granted paper was
    WALKED_AWAY = "walked away"
    CANCELLED = "cancelled"


OF_A_PERSON: Final = frozenset({Kind.WALKED_AWAY, Kind.CANCELLED, Kind.FEED})
EVERYWHERE: Final = frozenset(
    {
        Kind.SERVER_KILLED,
        Kind.DATABASE_CUT,
        Kind.SERVER_SLOW,
        Kind.PROVIDER_SILENT,
        Kind.RENDER_MIXUP,
        Kind.ANSWER_MIXUP,
    }
)
FOR_GOOD: Final = frozenset({Kind.RENDER_MIXUP})  # the municipality stays stopped until somebody has found out why
MIXING: Final = frozenset({Kind.RENDER_MIXUP, Kind.ANSWER_MIXUP})
OF_RECEIPTS: Final = frozenset({Kind.RECEIPT_PRINTER_CUT, Kind.RECEIPT_ROLL_OUT, Kind.RECEIPT_ANSWER_LOST})
AT_A_ROW: Final = frozenset({Kind.TERMINAL_KILLED, Kind.TERMINAL_CUT, Kind.STORE_CUT})
SHORT_S, LONG_S = (2.0, 20.0), (65.0, 140.0)
#: Whoever comes back for money comes to any terminal, after its visits.
REFUND_STATES: Final = frozenset({State.REFUND_CODE, State.CLAIMING, State.PAYING_OUT, State.PAID_OUT})
#: How whoever is hit has to pay, or the fault finds nothing.
PAYS_IN: Final[Mapping[State | Kind, PaymentMethod]] = {
    **dict.fromkeys((State.COLLECTING, State.RESERVED, State.CAPTURING, State.RETURNING), PaymentMethod.CASH),
    **dict.fromkeys((State.AFTER_CUT, State.KEEPING, *REFUND_STATES), PaymentMethod.CASH),
    **dict.fromkeys((State.DEBITING, State.CANCELLING), PaymentMethod.EMONEY),
    State.SHOWING_CODE: PaymentMethod.QR,
    **dict.fromkeys((Kind.EMONEY_CUT, Kind.EMONEY_ANSWER_LOST, Kind.EMONEY_CARD_LEAVES), PaymentMethod.EMONEY),
    Kind.PROVIDER_SILENT: PaymentMethod.QR,
}
_CUTS: Final = (Kind.TERMINAL_KILLED, Kind.TERMINAL_CUT, Kind.STORE_CUT)
_ACTS_AT: Final = (State.COLLECTING, State.RESERVED, State.GRANTING, State.PRINTING, State.CAPTURING)
#: Screens that are shown for a moment: whatever comes later comes too late.
_BRIEF: Final = frozenset(
    {
        State.RECOVERING,
        State.OUT_OF_SERVICE,
        State.IDLE,
        State.READING,
        State.PREPARING,
        State.RESERVED,
        State.GRANTING,
        State.CAPTURING,
        State.RETURNING,
        State.KEEPING,
        State.AFTER_CUT,
        State.ASK_SHEETS,
        State.REFUSED,
        State.CLOSED,
        *REFUND_STATES,
    }
)


@dataclass(frozen=True)
class _Lead:
    """What leads to a screen that is seldom seen: a kind of fault, in which state, and for how long."""

    kinds: tuple[Kind, ...]
    states: tuple[State, ...]
    within_s: tuple[float, float]
    long: bool = False
    size: int | None = None  # None = any


_LEADS: Final[dict[State, _Lead]] = {
    State.RECOVERING: _Lead(_CUTS, _ACTS_AT, (0.0, 0.3)),
    State.OUT_OF_SERVICE: _Lead(_CUTS, _ACTS_AT, (0.0, 0.3)),
    State.AFTER_CUT: _Lead(_CUTS, (State.RESERVED,), (0.0, 0.15)),
    State.KEEPING: _Lead(_CUTS, (State.RESERVED,), (0.0, 0.15), long=True),
    # A printer that comes back soon has its meter: only one that stays away leaves the sheets to be counted by hand.
    State.ASK_SHEETS: _Lead((Kind.PRINTER_CUT,), (State.PRINTING,), (0.1, 1.6), long=True),
    **{state: _Lead((Kind.HOPPERS_JAM,), (State.PRINTING,), (1.0, 1.5)) for state in REFUND_STATES},
    State.CANCELLING: _Lead((Kind.PRINTER_ABORTS,), (State.DEBITING,), (0.0, 0.05), size=0),
    State.RETURNING: _Lead((Kind.CANCELLED,), (State.COLLECTING,), (0.0, 1.0)),
    State.REFUSED: _Lead((Kind.CANCELLED,), (State.PIN, State.CHOOSING, State.CONFIRMING), (0.0, 0.3)),
}


@dataclass
class Fault:
    """One fault: at a terminal's nth visit, when it shows a state."""

    kind: Kind
    terminal: int
    visit: int
    state: State
    delay_s: float
    row: int = 0  # at the nth row after that; 0 = by time
    before_row: bool = False
    long: bool = False
    size: int = 1
    count: int = 1  # messages
    fired_in: State | None = None
    armed: bool = False
    over: bool = field(default=False)

    def __str__(self) -> str:
        where = f"row {self.row}{' before' if self.before_row else ''}" if self.row else f"{self.delay_s:.2f} s"
        return f"{self.kind} at terminal {self.terminal}, visit {self.visit}, {self.state} + {where}"


def plan(hub: Hub, cell: tuple[State, Kind], other: Kind, terminals: int, visits: int) -> list[Fault]:
    """Return two faults: one aims at a cell, the other leads there, or is any that mostly hits the same visit."""
    chance = hub.random
    state, kind = cell
    aimed = _fault(hub, kind, state, chance.randrange(terminals), chance.randrange(visits))
    lead = _LEADS.get(state)
    if lead is not None:
        first = _fault(hub, chance.choice(lead.kinds), chance.choice(lead.states), aimed.terminal, aimed.visit)
        first.row, first.delay_s = 0, chance.uniform(*lead.within_s)
        first.long = lead.long
        first.size = first.size if lead.size is None else lead.size
        aimed.row = aimed.row and 1
        return [first, aimed]
    second = _fault(hub, other, _any_state(hub), chance.randrange(terminals), chance.randrange(visits))
    if chance.random() < 0.6:
        second.terminal, second.visit = aimed.terminal, aimed.visit
    return [aimed, second]


def aim(hub: Hub, kind: Kind, states: Sequence[State]) -> tuple[State, Kind]:
    """Return a cell of a kind: half of them are where something is done that cannot be undone."""
    acts = [state for state in states if state in _ACTS_AT]
    return hub.random.choice(acts if acts and hub.random.random() < 0.5 else states), kind


def _any_state(hub: Hub) -> State:
    return hub.random.choice((*State, *_ACTS_AT, *_ACTS_AT))


def _fault(hub: Hub, kind: Kind, state: State, terminal: int, visit: int) -> Fault:
    chance = hub.random
    last_s = 0.2 if state in _BRIEF else 3.0
    return Fault(
        kind=kind,
        terminal=terminal,
        visit=visit,
        state=state,
        delay_s=chance.choice((0.0, chance.random() * 0.02, chance.random() * 0.06, chance.random() * last_s)),
        row=chance.choice((1, 1, 2, 2, 3, 4, 5, 6)) if kind in AT_A_ROW and chance.random() < 0.5 else 0,
        before_row=chance.random() < 0.5,
        long=chance.random() < 0.4,
        size=chance.randrange(4),
        count=chance.randrange(1, 5),
    )


class Faults:
    """Lets the planned faults happen, and heals what is broken after its time."""

    def __init__(self, simulation: Simulation, faults: list[Fault]) -> None:
        self._simulation = simulation
        self.faults = faults
        self._fate = Process("fate")

    @property
    def over(self) -> bool:
        """Tell whether nothing is broken any more."""
        return all(fault.over or fault.fired_in is None for fault in self.faults)

    def see(self, number: int, visit_number: int, visit: Visit) -> None:
        """A terminal shows something."""
        for fault in self.faults:
            here = fault.state is visit.state and (fault.terminal == number or fault.state in REFUND_STATES)
            seldom = {State.OUT_OF_SERVICE, State.RECOVERING, *REFUND_STATES}  # not a visit's
            now = fault.visit == visit_number or fault.state in seldom
            if here and now and not fault.armed:
                fault.armed, fault.terminal = True, number
                self._arm(fault, self._simulation.kiosks[number])

    def _arm(self, fault: Fault, kiosk: Kiosk) -> None:
        hub = self._simulation.hub
        if not fault.row:
            hub.at(self._fate, fault.delay_s, self._fire, fault, kiosk)
            return
        left = fault.row

        def asked() -> bool:
            nonlocal left
            left -= 1
            if left:
                return False
            kiosk.before_commit = kiosk.after_commit = lambda: False
            kiosk.cut_here = lambda: self._fire(fault, kiosk)
            return True

        if fault.before_row:
            kiosk.before_commit = asked
        else:
            kiosk.after_commit = asked

    def _fire(self, fault: Fault, kiosk: Kiosk) -> None:
        simulation = self._simulation
        if not self._is_possible(fault, kiosk):
            fault.armed = False  # the next time, perhaps
            return
        fault.fired_in = kiosk.shown.state
        simulation.hub.say("FAULT", f"{fault} (now {kiosk.shown.state})")
        simulation.mark(fault)
        low_s, high_s = LONG_S if fault.long else SHORT_S
        delay_s = low_s + simulation.hub.random.random() * (high_s - low_s)
        waits = bool(yen(kiosk.machine.tray) or simulation.world.outlet(kiosk.number) or self._has_at_stake(kiosk))
        if fault.kind in AT_A_ROW and fault.long and waits:
            kiosk.lose(Lost.LONG)
        if fault.kind is Kind.PRINTER_CUT and delay_s > PRINTER_PATIENCE_S:
            kiosk.lose(Lost.AWAY)
        heal = _ACTS[fault.kind](self, fault, kiosk)
        simulation.hub.at(self._fate, delay_s, self._heal, fault, heal)

    def _has_at_stake(self, kiosk: Kiosk) -> bool:
        """Tell whether who stands there holds paper of this visit, which the terminal may not know, or has paid."""
        resident, world = self._simulation.at_terminal(kiosk.number), self._simulation.world
        if resident is None:
            return False
        paid = bool(resident.stay.debited_yen or world.captured_yen(resident.stay))
        return paid or any(sheet.visit == resident.stay.number for sheet in world.sheets)

    def _is_possible(self, fault: Fault, kiosk: Kiosk) -> bool:
        """Tell whether there is anything to break: what would do nothing is no fault, and fills no cell."""
        resident = self._simulation.at_terminal(kiosk.number)
        if fault.kind in OF_A_PERSON:
            return resident is not None
        if fault.kind is Kind.CARD_PULLED:
            return resident is not None and kiosk.reader.owner is resident.stay.person
        if fault.kind in {Kind.TERMINAL_KILLED, Kind.TERMINAL_CUT, Kind.STORE_CUT}:
            return kiosk.power.alive
        if fault.kind is Kind.MEMORY_MIXUP:
            return kiosk.stepper is not None and bool(kiosk.stepper._effects.memory.papers)
        emoney = kiosk.emoney
        return {
            Kind.EMONEY_CUT: emoney is not None and emoney.power.alive,
            Kind.EMONEY_ANSWER_LOST: emoney is not None,
            Kind.EMONEY_CARD_LEAVES: emoney is not None and emoney.asks_for_card,
            Kind.RECEIPT_PRINTER_CUT: kiosk.receipts is not None and kiosk.receipts.power.alive,
            Kind.RECEIPT_ROLL_OUT: kiosk.receipts is not None,
            Kind.RECEIPT_ANSWER_LOST: kiosk.receipts is not None,
            Kind.PROVIDER_SILENT: self._simulation.provider is not None,
            Kind.DISK_FULL: kiosk.journal is not None,
            Kind.PRINTER_CUT: kiosk.printer.power.alive,
            Kind.COINS_CUT: kiosk.coins.power.alive,
        }.get(fault.kind, True)

    def _heal(self, fault: Fault, heal: Callable[[], None] | None) -> None:
        if heal is not None:
            heal()
            self._simulation.hub.say("healed", fault.kind)
        fault.over = True

    # each breaks something, and returns how it is healed

    def _terminal_killed(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.cut()
        return kiosk.up

    def _terminal_cut(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.cut()
        kiosk.cups.lose()
        return kiosk.up

    def _store_cut(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.cut()
        kiosk.cups.lose()
        cut_here = [device for device in kiosk.machines() if device.power.alive]
        for device in cut_here:
            self._simulation.hub.kill(device.power)
            device.cut()

        def up() -> None:
            for device in cut_here:
                device.up()
            kiosk.up()

        return up

    def _printer_cut(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        self._simulation.hub.kill(kiosk.printer.power)
        kiosk.printer.cut()
        return kiosk.printer.up

    def _coins_cut(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        self._simulation.hub.kill(kiosk.coins.power)
        kiosk.coins.cut()
        return kiosk.coins.up

    def _server_killed(self, fault: Fault, _kiosk: Kiosk) -> Callable[[], None]:
        server = self._simulation.servers[fault.size % len(self._simulation.servers)]
        if not server.power.alive:
            return lambda: None
        server.cut()
        return server.up

    def _database_cut(self, _fault: Fault, _kiosk: Kiosk) -> Callable[[], None]:
        servers = [server for server in self._simulation.servers if server.power.alive]
        for server in servers:
            server.cut()
        self._simulation.server_disk.cut()

        def up() -> None:
            for server in servers:
                server.up()

        return up

    def _server_slow(self, fault: Fault, _kiosk: Kiosk) -> Callable[[], None]:
        servers = self._simulation.servers
        for server in servers:
            server.slow_s = (0.2, 1.0, 4.0, 12.0)[fault.size]

        def up() -> None:
            for server in servers:
                server.slow_s = 0.0

        return up

    def _network_down(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.link.down_until_s = float("inf")

        def up() -> None:
            kiosk.link.down_until_s = -1.0

        return up

    def _line(self, name: str, fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        setattr(kiosk.link, name, fault.count)
        kiosk.link.delay_s = (0.3, 3.0, 9.0, 35.0)[fault.size]

        def up() -> None:
            setattr(kiosk.link, name, 0)

        return up

    def _printer_stops(self, fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.printer.stop_after = fault.size
        kiosk.printer.reasons_when_stopped = (("media-jam",), ("cover-open",))[fault.long]

        def up() -> None:
            kiosk.printer.stop_after = None
            kiosk.printer.clear()

        return up

    def _printer_aborts(self, fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.printer.abort_after = fault.size

        def up() -> None:
            kiosk.printer.abort_after = None

        return up

    def _printer_lies(self, fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.printer.says_completed = True
        healed = self._printer_aborts(fault, kiosk)

        def up() -> None:
            healed()
            kiosk.printer.says_completed = False

        return up

    def _coin_answer_lost(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.coins.lose_answers = 1

        def up() -> None:
            kiosk.coins.lose_answers = 0

        return up

    def _hoppers_jam(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.coins.jammed = True

        def up() -> None:
            kiosk.coins.jammed = False

        return up

    def _emoney_cut(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        emoney = kiosk.emoney
        assert emoney is not None
        self._simulation.hub.kill(emoney.power)
        emoney.cut()
        return emoney.up

    def _emoney(self, name: str, kiosk: Kiosk) -> Callable[[], None]:
        setattr(kiosk.emoney, name, True)
        return lambda: setattr(kiosk.emoney, name, False)

    def _receipt_printer_cut(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        assert kiosk.receipts is not None
        self._simulation.hub.kill(kiosk.receipts.power)
        return kiosk.receipts.up

    def _receipts(self, name: str, kiosk: Kiosk) -> Callable[[], None]:
        setattr(kiosk.receipts, name, True)
        return lambda: setattr(kiosk.receipts, name, False)

    def _provider_silent(self, fault: Fault, _kiosk: Kiosk) -> Callable[[], None]:
        provider = self._simulation.provider
        assert provider is not None
        provider.silence = (Silence.UNREACHABLE, Silence.BEFORE, Silence.AFTER, Silence.FAILS)[fault.size]

        def up() -> None:
            provider.silence = Silence.NONE

        return up

    def _disk_full(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        journal = kiosk.journal
        assert journal is not None
        journal.full = True
        kiosk.lose(Lost.DISK)

        def up() -> None:
            journal.full = False

        return up

    def _card_pulled(self, _fault: Fault, kiosk: Kiosk) -> None:
        resident = self._simulation.at_terminal(kiosk.number)
        if resident is not None:
            resident.take_card()

    def _card_torn(self, _fault: Fault, kiosk: Kiosk) -> Callable[[], None]:
        kiosk.reader.tear = True

        def up() -> None:
            kiosk.reader.tear = False

        return up

    def _feed(self, _fault: Fault, kiosk: Kiosk) -> None:
        """The person moves: the register has it from this moment on."""
        resident = self._simulation.at_terminal(kiosk.number)
        if resident is None:
            return
        person = resident.stay.person
        person.address += "の2"
        with write(self._simulation.server_disk.engine) as connection:
            records = (household(person.number, person.address),)
            self._simulation.town.register.put(connection, CODE, records)
        self._simulation.world.addresses[person.name].append((self._simulation.hub.now_s, person.address))

    def _render_mixup(self, _fault: Fault, _kiosk: Kiosk) -> None:
        for server in self._simulation.servers:
            server.mixes_people = True
        self._lose_everywhere()

    def _answer_mixup(self, _fault: Fault, _kiosk: Kiosk) -> Callable[[], None]:
        for server in self._simulation.servers:
            server.mixes_answers = True
        self._lose_everywhere()

        def up() -> None:
            for server in self._simulation.servers:
                server.mixes_answers = False

        return up

    def _memory_mixup(self, _fault: Fault, kiosk: Kiosk) -> None:
        if kiosk.stepper is None:
            return
        papers = kiosk.stepper._effects.memory.papers
        others = [other.pdf for server in self._simulation.servers for other in server.made]
        for order_id, paper in papers.items():
            pdf = next((pdf for pdf in others if contents(pdf).names != contents(paper.pdf).names), paper.pdf)
            papers[order_id] = Paper(paper.prepared, pdf)
        kiosk.lose(Lost.MIXED)

    def _lose_everywhere(self) -> None:
        for kiosk in self._simulation.kiosks:
            kiosk.lose(Lost.MIXED)

    def _walked_away(self, _fault: Fault, kiosk: Kiosk) -> None:
        resident = self._simulation.at_terminal(kiosk.number)
        if resident is not None:
            resident.stay.gave_up = "walked away"
            resident.walk_away()

    def _cancelled(self, _fault: Fault, kiosk: Kiosk) -> None:
        resident = self._simulation.at_terminal(kiosk.number)
        if resident is not None:
            resident.cancel()


def _of_line(name: str) -> Callable[[Faults, Fault, Kiosk], Callable[[], None] | None]:
    return lambda faults, fault, kiosk: faults._line(name, fault, kiosk)


_ACTS: Final[dict[Kind, Callable[[Faults, Fault, Kiosk], Callable[[], None] | None]]] = {
    Kind.TERMINAL_KILLED: Faults._terminal_killed,
    Kind.TERMINAL_CUT: Faults._terminal_cut,
    Kind.STORE_CUT: Faults._store_cut,
    Kind.PRINTER_CUT: Faults._printer_cut,
    Kind.COINS_CUT: Faults._coins_cut,
    Kind.SERVER_KILLED: Faults._server_killed,
    Kind.DATABASE_CUT: Faults._database_cut,
    Kind.SERVER_SLOW: Faults._server_slow,
    Kind.NETWORK_DOWN: Faults._network_down,
    Kind.REQUEST_LOST: _of_line("lose_requests"),
    Kind.ANSWER_LOST: _of_line("lose_answers"),
    Kind.DOUBLED: _of_line("double"),
    Kind.DELAYED: _of_line("delay"),
    Kind.PRINTER_STOPS: Faults._printer_stops,
    Kind.PRINTER_ABORTS: Faults._printer_aborts,
    Kind.PRINTER_LIES: Faults._printer_lies,
    Kind.COIN_ANSWER_LOST: Faults._coin_answer_lost,
    Kind.HOPPERS_JAM: Faults._hoppers_jam,
    Kind.EMONEY_CUT: Faults._emoney_cut,
    Kind.EMONEY_ANSWER_LOST: lambda faults, _, kiosk: faults._emoney("lose_answers", kiosk),
    Kind.EMONEY_CARD_LEAVES: lambda faults, _, kiosk: faults._emoney("leaves", kiosk),
    Kind.RECEIPT_PRINTER_CUT: Faults._receipt_printer_cut,
    Kind.RECEIPT_ROLL_OUT: lambda faults, _, kiosk: faults._receipts("out_of_paper", kiosk),
    Kind.RECEIPT_ANSWER_LOST: lambda faults, _, kiosk: faults._receipts("lose_answers", kiosk),
    Kind.PROVIDER_SILENT: Faults._provider_silent,
    Kind.DISK_FULL: Faults._disk_full,
    Kind.CARD_PULLED: Faults._card_pulled,
    Kind.CARD_TORN: Faults._card_torn,
    Kind.FEED: Faults._feed,
    Kind.RENDER_MIXUP: Faults._render_mixup,
    Kind.ANSWER_MIXUP: Faults._answer_mixup,
    Kind.MEMORY_MIXUP: Faults._memory_mixup,
    Kind.WALKED_AWAY: Faults._walked_away,
    Kind.CANCELLED: Faults._cancelled,
}
