"""One seed: a town, three terminals, two servers, six visits and two faults, driven until everything is at rest."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, Final

import structlog
from sqlalchemy import select

from issuance_server.qr_codes import CodeState
from issuance_server.schema import qr_codes
from printing.press import service
from protocol.messages import PaymentMethod
from protocol.signing import RequestSigner
from terminal.visit import State, Visit
from tests.issuing_parts import FEE_YEN
from tests.simulation import coverage, invariants
from tests.simulation.crowd import Plan, Resident, Staff
from tests.simulation.disk import ServerDisk
from tests.simulation.errands import Errand
from tests.simulation.expected import End
from tests.simulation.faults import EVERYWHERE, FOR_GOOD, MIXING, OF_RECEIPTS, PAYS_IN, Fault, Faults, Kind, aim, plan
from tests.simulation.hub import Hub, Process, Stuck
from tests.simulation.invariants import Books, Violation
from tests.simulation.kiosk import Kiosk
from tests.simulation.network import Link
from tests.simulation.postgres import PostgresDisk
from tests.simulation.provider import SimProvider
from tests.simulation.server import SERVERS, SimServer
from tests.simulation.stand_ins import standing_in
from tests.simulation.town import TERMINALS, first_address, machines, people, terminal_id, town, wallets
from tests.simulation.world import GONE, Lost, Person, Stay, World

VISITS_A_TERMINAL: Final = 2
_STRIDE: Final = 7_919  # a prime: seeds beside one another aim far from one another
REAL_EVERY: Final = 100  # one seed of so many has real pages, their seals read from the picture, and signed requests
CANCEL_AT: Final = (State.PIN, State.CHOOSING, State.CONFIRMING, State.COLLECTING)
FITTED: Final = 0.1  # of the seeds have e-money, QR codes and receipts, and with them all that aim at these
_OTHER_WAYS: Final = frozenset({PaymentMethod.EMONEY, PaymentMethod.QR})
_OVER: Final = frozenset({CodeState.CAPTURED, CodeState.REVERTED, CodeState.LAPSED})
COLLECT_EVERY: Final = 100
LIMIT_S: Final = 7_200.0
_WITHOUT_CUTS: Final = tuple(cell for cell in coverage.CELLS if cell[1] is not Kind.DATABASE_CUT)
SETTLE_S: Final = 60.0  # longer than any message is late


@dataclass(frozen=True)
class StayTold:
    """One visit, for tables and traces."""

    number: int
    who: str
    terminal: int
    faults: tuple[str, ...]
    end: End
    paid_yen: int
    gave_up: str

    def __str__(self) -> str:
        faults = ", ".join(self.faults) or "no fault"
        what = f"visit {self.number}, {self.who} at terminal {self.terminal}: {self.end}, {self.paid_yen} yen"
        return f"{what}; {faults}{'; ' + self.gave_up if self.gave_up else ''}"


@dataclass
class Outcome:
    """What one seed came to."""

    seed: int
    faults: list[tuple[str, str]] = field(default_factory=list)  # (state, kind)
    violations: list[Violation] = field(default_factory=list)
    stays: list[StayTold] = field(default_factory=list)
    slips: int = 0  # receipts that came out
    trace: list[str] = field(default_factory=list)


class Simulation:
    """Everything of one seed."""

    def __init__(
        self,
        seed: int,
        server_disk: ServerDisk | PostgresDisk,
        kinds: tuple[Kind, Kind] | None = None,
        faults: list[Fault] | None = None,
    ) -> None:
        self.seed = seed
        self.hub = Hub(seed)
        self.town = town()
        self.server_disk = server_disk
        self.world = World(machines(), people(self.town))
        # A chance of its own: a seed whose crowd has coins alone stays the story that it was.
        self._ways = Random(f"how seed {seed} pays")
        is_fitted = faults is None and self._ways.random() < FITTED
        faults = self._planned(kinds) if faults is None else faults
        is_fitted = is_fitted or any(_needs_fitting(fault) for fault in faults)
        self.provider = SimProvider(self.hub, wallets()) if is_fitted else None
        if self.provider is not None:
            self.world.wallets = self.provider.books
            self.provider.doubt = self._doubted
        self.world.addresses = {person.name: [(0.0, first_address(person.number))] for person in self.world.people}
        self.server_faults: list[str] = []
        self.servers = [
            SimServer(self.hub, self.town, server_disk, number, self.server_faults, provider=self.provider)
            for number in range(SERVERS)
        ]
        links = [Link(self.hub, self.servers, terminal_id(number)) for number in range(TERMINALS)]
        self.kiosks = [
            Kiosk(self.hub, self.town, self.world, number, link, is_fitted=is_fitted)
            for number, link in enumerate(links)
        ]
        self.is_real = seed % REAL_EVERY == 0
        if self.is_real:
            self._take_real_parts()
        self.staff = Staff(self.hub, self.world, self.kiosks)
        self.faults = Faults(self, faults)
        self.residents: list[list[Resident]] = [[] for _ in self.kiosks]
        self._next = [0] * TERMINALS
        self._coming_back = 0
        self._door = Process("door")
        self._plan_visits()

    def _planned(self, kinds: tuple[Kind, Kind] | None) -> list[Fault]:
        """Each seed aims at one cell of the table, all in turn; with kinds given, at any cell of the first one."""
        possible = coverage.CELLS if self.server_disk.can_be_cut else _WITHOUT_CUTS
        if kinds is None:
            cell = possible[self.seed * _STRIDE % len(possible)]
            other = self.hub.random.choice(possible)[1]
        else:
            cell = aim(self.hub, kinds[0], [state for state, kind in possible if kind is kinds[0]])
            other = kinds[1]
        return plan(self.hub, cell, other, TERMINALS, VISITS_A_TERMINAL)

    def _take_real_parts(self) -> None:
        for server in self.servers:
            server.real = True
        for kiosk, key in zip(self.kiosks, self.town.terminal_keys, strict=True):
            kiosk.link.signer = RequestSigner(kiosk.link.terminal_id, key)

    def _plan_visits(self) -> None:
        order = list(self.world.people)
        self.hub.random.shuffle(order)
        for number, kiosk in enumerate(self.kiosks):
            kiosk.changed = self._seen_by(number)
            kiosk.reader.noted = self._card_read(number)
            kiosk.lose = self._lost(number)
            for visit in range(VISITS_A_TERMINAL):
                person = order[number * VISITS_A_TERMINAL + visit]
                stay = Stay(len(self.world.stays), number, person)
                self.world.stays.append(stay)
                hits = [fault for fault in self.faults.faults if (fault.terminal, fault.visit) == (number, visit)]
                resident = Resident(self.hub, self.world, kiosk, stay, self._habits(hits))
                resident.left = self._left(number, resident)
                if self.provider is not None:
                    resident.scan = self.provider.scan
                self.residents[number].append(resident)

    def _habits(self, hits: list[Fault]) -> Plan:
        chance = self.hub.random
        return Plan(
            copies=chance.choice((1, 1, 1, 2)),
            adds_document=chance.random() < 0.2,
            wrong_pins=chance.choice((0, 0, 0, 0, 1)),
            changes_choice=chance.random() < 0.1,
            # Who gives up seldom gets as far as the fault.
            cancels_at=chance.choice(CANCEL_AT) if chance.random() < (0.03 if hits else 0.12) else None,
            answers_sheets=chance.random() < 0.8,
            wait_s=chance.choice((0.05, 0.3, 2.0)),
            pays=self._method(hits),
        )

    def _method(self, hits: list[Fault]) -> PaymentMethod:
        if self.provider is None:
            return PaymentMethod.CASH
        asked_for = [method for method in map(_paid_by, hits) if method is not None]
        return asked_for[0] if asked_for else self._ways.choice(tuple(PaymentMethod))

    def _doubted(self, payment_id: str) -> None:
        """The server asked for a capture, perhaps long after whoever agreed to it has gone, and heard nothing."""
        for stay in self.world.stays:
            if payment_id in stay.ids:
                stay.faults.add(Kind.PROVIDER_SILENT)
                stay.lost.add(Lost.WORD)

    def _seen_by(self, number: int) -> Callable[[Visit], None]:
        def see(visit: Visit) -> None:
            self.faults.see(number, self._next[number] - 1, visit)
            self.staff.see(number, visit)
            resident = self.at_terminal(number)
            if resident is not None:
                resident.see(visit)

        return see

    def _card_read(self, number: int) -> Callable[[Person], None]:
        def note(person: Person) -> None:
            resident = self.at_terminal(number)
            if resident is not None:
                resident.stay.cards_read.append(person.name)

        return note

    def _lost(self, number: int) -> Callable[[Lost], None]:
        """Whoever stands there now, or stood there last, is whom the evidence was about."""

        def lose(lost: Lost) -> None:
            if self._next[number]:
                self.residents[number][self._next[number] - 1].stay.lost.add(lost)

        return lose

    def _left(self, number: int, resident: Resident) -> Callable[[], None]:
        def left() -> None:
            self.hub.at(self._door, 0.5 + self.hub.random.random() * 4, self._enter, number)
            if self._wants_back(resident.stay):
                self._coming_back += 1
                self.hub.at(self._door, 1 + self.hub.random.random() * 9, self._come_back, resident.stay)

        return left

    def _wants_back(self, stay: Stay) -> bool:
        """Tell whether somebody knows to have paid for more than they hold; who just went has given it up."""
        if stay.errand_of is not None or stay.gave_up in GONE:
            return False
        papers = invariants.complete(self.world, stay, in_hand=True)
        return stay.paid_yen > FEE_YEN * len(papers)

    def _come_back(self, stay: Stay) -> None:
        self._coming_back -= 1
        number = self.hub.random.randrange(TERMINALS)
        errand = Stay(len(self.world.stays), number, stay.person, errand_of=stay.number)
        self.world.stays.append(errand)
        resident = Errand(self.hub, self.world, self.kiosks[number], errand, stay.claim_code)
        resident.left = self._left(number, resident)
        self.residents[number].append(resident)
        self._enter(number)

    def _enter(self, number: int) -> None:
        if self.at_terminal(number) is None and self._next[number] < len(self.residents[number]):
            resident = self.residents[number][self._next[number]]
            self._next[number] += 1
            for fault in self.faults.faults:
                stands = self.kiosks[number].shown.state not in {State.IDLE, State.OUT_OF_SERVICE}
                left_standing = fault.kind is Kind.WALKED_AWAY and stands  # whoever comes waits for its time-out
                lasts = not fault.over or fault.kind in FOR_GOOD or left_standing
                if fault.fired_in is not None and lasts and (fault.terminal == number or _everywhere(fault)):
                    resident.stay.faults.add(fault.kind)
                    if fault.kind in MIXING:
                        resident.stay.lost.add(Lost.MIXED)
            resident.arrive()

    def at_terminal(self, number: int) -> Resident | None:
        """Return who stands there."""
        if self._next[number] == 0:
            return None
        resident = self.residents[number][self._next[number] - 1]
        return None if resident.gone else resident

    def mark(self, fault: Fault) -> None:
        """Remember whom a fault touches."""
        for number in range(TERMINALS):
            if number == fault.terminal or _everywhere(fault):
                index = self._next[number] - 1
                if index >= 0:
                    self.residents[number][index].stay.faults.add(fault.kind)

    def run(self) -> None:
        """Drive it to its end. Errors: Stuck."""
        self.world.begun_with_yen = self.world.everything_yen()
        for number, kiosk in enumerate(self.kiosks):
            kiosk.up()
            self.hub.at(self._door, self.hub.random.random() * 3, self._enter, number)
        self.hub.run(self._at_rest, LIMIT_S)
        settled_s = self.hub.now_s + SETTLE_S
        self.hub.run(lambda: self.hub.now_s >= settled_s and self._at_rest(), LIMIT_S)

    def _at_rest(self) -> bool:
        return (
            self.faults.over
            and not self._coming_back
            and all(resident.gone for residents in self.residents for resident in residents)
            and all(self._idle(kiosk) for kiosk in self.kiosks)
            and (self.provider is None or (self.provider.over and self._codes_are_over()))
        )

    def _codes_are_over(self) -> bool:
        with self.server_disk.connect() as connection, connection.begin():
            states = connection.execute(select(qr_codes.c.state)).scalars()
            return all(CodeState(state) in _OVER for state in states)

    def _idle(self, kiosk: Kiosk) -> bool:
        stepper = kiosk.stepper
        return stepper is not None and stepper.visit.state is State.IDLE and not stepper.unsent_events

    def close(self) -> None:
        """Let go of what is left of it."""
        for kiosk in self.kiosks:
            if kiosk.journal is not None:
                kiosk.cut()
            for process in (kiosk.power, *(device.power for device in kiosk.machines())):
                self.hub.kill(process)
        for server in self.servers:
            self.hub.kill(server.power)


def _paid_by(fault: Fault) -> PaymentMethod | None:
    """Return how whoever a fault hits has to pay, if that matters."""
    return PAYS_IN.get(fault.state) or PAYS_IN.get(fault.kind)


def _needs_fitting(fault: Fault) -> bool:
    """Tell whether a fault finds nothing where there are coins alone."""
    ways = {PAYS_IN.get(fault.state), PAYS_IN.get(fault.kind)}
    return fault.kind in OF_RECEIPTS or bool(ways & _OTHER_WAYS)


def _everywhere(fault: Fault) -> bool:
    return fault.kind in EVERYWHERE


@contextmanager
def substituted(hub: Hub) -> Iterator[None]:
    """Give the press the world's clock; in the worker's process it has the machine's."""
    before = service.time
    service.time = SimpleNamespace(monotonic=hub.monotonic, sleep=hub.sleep)  # type: ignore[assignment]
    try:
        yield
    finally:
        service.time = before


_DISKS: dict[int, ServerDisk] = {}


def server_disk() -> ServerDisk:
    """Return this process's database, made anew after a mutation of how it is opened."""
    if 0 not in _DISKS:
        _DISKS[0] = ServerDisk(town().template)
    return _DISKS[0]


def forget_disk() -> None:
    """Have the database opened anew, under whatever opens it now."""
    _DISKS.clear()


def run_seed(
    seed: int,
    *,
    kinds: tuple[Kind, Kind] | None = None,
    faults: list[Fault] | None = None,
    trace: bool = False,
    disk: ServerDisk | PostgresDisk | None = None,
) -> Outcome:
    """Return what a seed comes to; with its own faults, or with those that are given."""
    disk = disk or server_disk()
    disk.begin()
    simulation = Simulation(seed, disk, kinds, faults)
    outcome = Outcome(seed)
    if trace:
        simulation.hub.trace = outcome.trace
    with ExitStack() as stack:
        stack.enter_context(quiet())
        stack.enter_context(standing_in(real=seed % REAL_EVERY == 0))
        stack.enter_context(substituted(simulation.hub))
        stack.callback(simulation.close)
        try:
            simulation.run()
        except Stuck as stuck:
            outcome.violations.append(Violation("the world comes to rest", f"{stuck}: {_standing(simulation)}"))
        books = invariants.read_books(simulation)
        outcome.violations += invariants.broken(simulation, books)
        outcome.stays = list(_told(simulation, books))
        outcome.slips = sum(len(machine.slips) for machine in simulation.world.machines)
    outcome.faults = [(str(f.fired_in), str(f.kind)) for f in simulation.faults.faults if f.fired_in is not None]
    return outcome


def run_seeds(
    seeds: Iterable[int],
    *,
    kinds: Callable[[int], tuple[Kind, Kind] | None] = lambda _: None,
    disk: ServerDisk | PostgresDisk | None = None,
) -> Iterator[Outcome]:
    """Yield what seeds come to. What they leave behind is collected now and then, not all the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for number, seed in enumerate(seeds, start=1):
            yield run_seed(seed, kinds=kinds(seed), disk=disk)
            if number % COLLECT_EVERY == 0:
                gc.collect()
                gc.freeze()  # what is left is modules and caches: it need not be looked at again
    finally:
        if was_enabled:
            gc.enable()


def _told(simulation: Simulation, books: Books) -> Iterator[StayTold]:
    for stay in simulation.world.visits():
        yield StayTold(
            number=stay.number,
            who=stay.person.name,
            terminal=stay.terminal,
            faults=tuple(sorted(stay.faults)),
            end=invariants.end_of(simulation.world, stay, books.lists),
            paid_yen=simulation.world.cost_yen(stay),
            gave_up=stay.gave_up,
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing log; a line costs more than what it tells of."""
    if structlog.is_configured() and structlog.get_config()["processors"] == _SILENT:
        yield
        return
    before = structlog.get_config()

    silence(for_good=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def silence(*, for_good: bool) -> None:
    """Let nothing log from now on; for good: no logger of this process is ever asked again what it may say."""
    structlog.configure(
        processors=_SILENT,
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=for_good,
    )


def _drop(*_: object) -> None:
    raise structlog.DropEvent


_SILENT: list[Any] = [_drop]


def _standing(simulation: Simulation) -> str:
    return "; ".join(
        f"terminal {kiosk.number} {kiosk.shown.state} {' '.join(kiosk.shown.reasons)}"
        f" {kiosk.stepper.unsent_events if kiosk.stepper else '-'} unsent"
        for kiosk in simulation.kiosks
    )
