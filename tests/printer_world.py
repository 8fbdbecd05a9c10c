"""One scenario of the printer on real parts: cupsd with its ipp backend, the virtual printer, the press in its worker.

The verdict is asked for on a thread, as the terminal's lane does, while the world's hands act on the main thread. What
is right is judged by the printer's own record of its sheets, which knows nothing of IPP.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cups

from deploy.demo.cupsd import PrivateCupsd
from deploy.demo.printer_engine import Mishap, Model, Stage, pictures
from deploy.demo.printer_ipp import WireFault
from deploy.demo.printer_record import Place, Sheet
from deploy.demo.processes import Process
from deploy.demo.virtual_printer import VirtualPrinter
from printing.press.cups import Cups
from printing.press.errors import PressError
from printing.press.service import Bounds, HeldJob, PressService
from printing.press.verdict import Capabilities, JobState, Outcome, PaperOutlet, Verdict
from terminal import flow
from terminal import visit as v
from terminal.devices import WorkerPress
from terminal.health import look_at_press
from terminal.programs import Call
from terminal.workers import Worker, WorkerDied
from tests.press_parts import QUEUE, digest, pdf, wait_for
from tests.sample_visits import order as sample_order

ORDER = "0123456789abcdef0123456789abcdef"
FEE_YEN = 300
#: A store's bounds, made short; one second of settling stays long against a machine that is busy.
BOUNDS = Bounds(poll_s=0.05, stall_timeout_s=5.0, settle_s=0.5, cancel_timeout_s=8.0, reply_timeout_s=2.0)
WHOLE = Capabilities(
    impressions=True, sheets=True, lifetime_counter=True, path_sensor=True, outlet=PaperOutlet.OPEN_TRAY
)


@dataclass(frozen=True)
class Fault:
    """Something that strikes the paper."""

    sheet: int
    stage: Stage
    mishap: Mishap


def nothing(_world: World) -> None:
    """Nobody is there."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One story with its one right end.

    Shape:  sheets_out is what a partial verdict names; evidence_gone says why unknown is right, and only then;
            declared is what the configuration says of the printer, model what it is;
            unconfirmed: the job could not be withdrawn, so that the terminal stays out of service until it is.
    """

    name: str
    story: str
    expected: Outcome
    sheets_out: int | None = None
    evidence_gone: str = ""
    sheets: int = 3
    paper: int = 250
    model: Model = Model()  # noqa: RUF009 -- frozen
    declared: Capabilities = WHOLE
    faults: tuple[Fault, ...] = ()
    wires: tuple[WireFault, ...] = ()
    released: Callable[[World], None] = nothing  # right before the release
    meanwhile: Callable[[World], None] = nothing
    bounds: Bounds = BOUNDS
    unconfirmed: bool = False
    quick: bool = False  # also among the tests


class World:
    """The parts of one scenario, and the hands at them."""

    def __init__(self, scenario: Scenario, cupsd: PrivateCupsd, printer: VirtualPrinter, worker: Worker) -> None:
        self.cupsd = cupsd
        self.printer = printer
        self.worker = worker
        self.press = WorkerPress(worker)
        self.cups = Cups(cupsd.socket, QUEUE)
        self.document = pdf(scenario.sheets, ORDER)
        self.at_end = contextlib.ExitStack()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for the world."""
        wait_for(holds, what, 40.0)

    def tell(self, op: str, /, **fields: object) -> None:
        """Do something to the printer."""
        self.printer.tell(op, **fields)

    def until_stopped(self) -> None:
        """Wait until the printer stands."""
        self.until(lambda: bool(self.printer.tell("look")["stopped"]), "the printer to stop")

    def until_out(self, sheets: int) -> None:
        """Wait until so many sheets are out."""
        self.until(lambda: len(self.out()) >= sheets, f"{sheets} sheets")

    def until_job(self, state: str) -> None:
        """Wait until the printer has a job in that state."""
        self.until(lambda: state in {job["state"] for job in self.printer.tell("look")["jobs"]}, f"a job {state}")

    def until_cut(self) -> None:
        """Wait until the power is gone."""
        self.until(lambda: not self.printer.is_on(), "the power cut")

    def until_cups_says_completed(self) -> None:
        """Wait until CUPS is wrong."""
        self.until(lambda: [job.state for job in self.cups.find(ORDER)] == [JobState.COMPLETED], "CUPS's job to end")

    def until_queue_stopped(self) -> None:
        """Wait until CUPS has given its queue up."""
        self.until(lambda: self.cups.queue_state().stopped, "the queue to stop")

    def enable_queue(self) -> None:
        """Do what nobody should: enable the queue with the job in it."""
        cups.Connection(str(self.cupsd.socket)).enablePrinter(QUEUE)

    def start_cupsd_carelessly(self) -> None:
        """Kill cupsd and start another over what it left, as nobody should."""
        self.cupsd.kill()
        etc = self.cupsd.root / "etc"
        command = ("cupsd", "-f", "-c", str(etc / "cupsd.conf"), "-s", str(etc / "cups-files.conf"))
        careless = Process("cupsd", command, log=self.cupsd.root / "log" / "careless")
        self.at_end.callback(careless.stop)

    def out(self) -> tuple[Sheet, ...]:
        """Return the sheets of our order that lie in the outlet."""
        return tuple(s for s in self.printer.sheets() if s.place is Place.OUTLET and s.name.endswith(ORDER))

    def inside(self) -> tuple[Sheet, ...]:
        """Return the sheets of our order that are in the path."""
        return tuple(s for s in self.printer.sheets() if s.place is Place.PATH and s.name.endswith(ORDER))

    def reach(self) -> None:
        """Power and network are there again."""
        if not self.printer.is_on():
            self.printer.power_back()
        self.tell("heal")

    def repair(self) -> None:
        """Make everything good that can be: whatever still waits at the printer or in CUPS would print now."""
        self.reach()
        self.tell("load", sheets=250)
        for hand in ("clear", "close_cover", "resume", "release"):
            self.tell(hand)
        self.tell("accept", accepting=True)
        self.until(lambda: not self._works(), "the printer and CUPS to be idle")

    def _works(self) -> bool:
        jobs = self.printer.tell("look")["jobs"]
        return self.cups.queue_state().processing or any(
            j["state"] in {"PROCESSING", "PROCESSING_STOPPED"} for j in jobs
        )


@dataclass
class Played:
    """How a scenario ended; wrong is empty where all is right."""

    name: str
    verdict: Verdict
    seconds: float
    wrong: list[str] = field(default_factory=list)


def play(scenario: Scenario, folder: Path) -> Played:
    """Play one scenario and judge it."""
    began_s = time.monotonic()
    played = Played(scenario.name, Verdict(Outcome.UNKNOWN, None, "never asked"), 0.0)
    try:
        with played_world(scenario, folder) as world:
            played.verdict, at_verdict, inside = _print(scenario, world)
            played.wrong += judge(scenario, world.document, played.verdict, at_verdict, inside)
            played.wrong += _afterwards(scenario, world, at_verdict)
    except Exception as error:  # noqa: BLE001 -- a scenario that cannot be played is wrong, and the next one is played
        played.wrong.append(f"{type(error).__name__}: {error}")
    played.seconds = time.monotonic() - began_s
    return played


@contextlib.contextmanager
def played_world(scenario: Scenario, folder: Path) -> Iterator[World]:
    """Bring the parts of a scenario up."""
    with (
        PrivateCupsd(folder / "cups") as cupsd,
        VirtualPrinter(folder / "printer", scenario.model, scenario.paper) as printer,
    ):
        cupsd.add_raw_queue(QUEUE, printer.uri)
        arguments = (cupsd.socket, QUEUE, printer.uri, scenario.declared, (cupsd.spool,))
        worker = Worker("press", partial(PressService, bounds=scenario.bounds), arguments, lambda _event: None)
        worker.start()
        world = World(scenario, cupsd, printer, worker)
        try:
            yield world
        finally:
            worker.stop()
            world.at_end.close()


def _print(scenario: Scenario, world: World) -> tuple[Verdict, tuple[Sheet, ...], int]:
    """Print as the terminal does (terminal/effects.py), with the world's hands at work meanwhile."""
    press = world.press
    state = press.check()
    assert state.ready, state.reasons
    job = press.submit(ORDER, world.document, scenario.sheets, digest(world.document))
    before = press.counters()
    for fault in scenario.faults:
        world.tell("fault", sheet=fault.sheet, stage=fault.stage, mishap=fault.mishap)
    for wire in scenario.wires:
        world.tell("wire", **{name: getattr(wire, name) for name in WireFault.__dataclass_fields__})
    scenario.released(world)
    press.release(job)

    def ask() -> tuple[Verdict, tuple[Sheet, ...], int]:
        try:
            verdict = press.verdict(job, before)
        except WorkerDied:
            verdict = press.verdict(job, before)
        return verdict, world.out(), len(world.inside())

    with ThreadPoolExecutor(1) as lane:
        asked: Future[tuple[Verdict, tuple[Sheet, ...], int]] = lane.submit(ask)
        scenario.meanwhile(world)
        verdict, out, inside = asked.result()
    _clean_up(world, job, verdict)
    return verdict, out, inside


def _clean_up(world: World, job: HeldJob, verdict: Verdict) -> None:
    calls: list[Callable[[], object]] = [world.press.purge_all]
    if verdict.outcome is not Outcome.PRINTED:
        calls.insert(0, lambda: world.press.cancel(job))
    for call in calls:
        with contextlib.suppress(PressError):  # as the terminal does: the look at the devices sees it
            call()


def judge(scenario: Scenario, document: bytes, verdict: Verdict, out: tuple[Sheet, ...], inside: int) -> list[str]:
    """Hold the verdict to the table, and the table to the world."""
    wrong = []
    if verdict.outcome is not scenario.expected:
        wrong.append(f"{verdict.outcome} ({verdict.why}), not {scenario.expected}")
    wanted = {Outcome.PRINTED: scenario.sheets, Outcome.FAILED: 0}.get(scenario.expected, scenario.sheets_out)
    if verdict.sheets_out != wanted:
        wrong.append(f"{verdict.sheets_out} sheets named, not {wanted}")
    if (scenario.expected is Outcome.UNKNOWN) != bool(scenario.evidence_gone):
        wrong.append("unknown is right where the evidence is gone, and nowhere else")
    pages = [tuple(s.sha256 for s in sheet.sides) for sheet in out]
    faces = [side.sha256 for side in pictures(document)]
    complete = [tuple(faces[at : at + 2]) for at in range(0, len(faces), 2)]
    match verdict.outcome:
        case Outcome.PRINTED if pages != complete:
            wrong.append(f"printed, but the sheets out are {_words(out)}")
        case Outcome.FAILED if out or inside:
            wrong.append(f"failed, but {_words(out)} are out and {inside} inside")
        case Outcome.PARTIAL if pages == complete or not len(out) <= (verdict.sheets_out or 0) <= len(out) + inside:
            wrong.append(f"partial ({verdict.sheets_out}), but {_words(out)} are out and {inside} inside")
    return wrong + _money(verdict)


def _money(verdict: Verdict) -> list[str]:
    """Money follows the verdict, through the flow's own table."""
    order = sample_order()
    money = v.Money("p", FEE_YEN, inserted_yen=FEE_YEN)
    visit = v.Visit(v.State.PRINTING, orders=(order,), money=money)
    after, effects = flow.step(visit, v.PrintDecided(v.CopyOutcome(verdict.outcome.value), verdict.sheets_out))
    moved = [effect for effect in effects if isinstance(effect, v.CaptureMoney | v.ReturnMoney)]
    wanted: dict[Outcome, list[v.Effect]] = {
        Outcome.PRINTED: [v.CaptureMoney("p", FEE_YEN, ((order.order_id, FEE_YEN),))],
        Outcome.PARTIAL: [v.ReturnMoney("p")],
        Outcome.FAILED: [v.ReturnMoney("p")],
        Outcome.UNKNOWN: [],  # whoever is there is asked first
    }
    wrong = [] if moved == wanted[verdict.outcome] else [f"money: {moved} after {verdict.outcome}"]
    if (after.state is v.State.ASK_SHEETS) != (verdict.outcome is Outcome.UNKNOWN):
        wrong.append(f"the visit is {after.state} after {verdict.outcome}")
    return wrong


def _afterwards(scenario: Scenario, world: World, at_verdict: tuple[Sheet, ...]) -> list[str]:
    """Everything is made good; then no sheet more comes out, nothing is left, and the next visit may begin."""
    wrong = []
    residue = world.press.residue()
    if residue or world.cups.jobs():
        wrong.append(f"left in CUPS: {residue} {world.cups.jobs()}")
    withdrawn = len(at_verdict)
    if scenario.unconfirmed:
        if world.press.check().ready:
            wrong.append("the job may still print, and the terminal is ready")
        world.reach()
        _carry_out(look_at_press(world.press))
        withdrawn = len(world.out())
    world.repair()
    if len(world.out()) != withdrawn:
        wrong.append(f"{len(world.out()) - withdrawn} sheets came out after the job was withdrawn")
    reasons = _look(world)
    if reasons:
        wrong.append(f"not ready again: {reasons}")
    return wrong


def _look(world: World) -> list[str]:
    """Look at the press as the terminal does between visits, until the next one may begin."""
    reasons: list[str] = []

    def ready() -> bool:
        reasons[:] = _carry_out(look_at_press(world.press))
        return not reasons

    with contextlib.suppress(AssertionError):
        wait_for(ready, "the press to be ready", 5.0)
    return reasons


def _carry_out(program: Generator[Call, Any, list[str]]) -> list[str]:
    value: object = None
    error: Exception | None = None
    while True:
        try:
            call = program.send(value) if error is None else program.throw(error)
        except StopIteration as end:
            reasons: list[str] = end.value
            return reasons
        value = error = None
        try:
            value = call.work()
        except Exception as raised:  # noqa: BLE001 -- every error belongs to the program
            error = raised


def _words(sheets: tuple[Sheet, ...]) -> str:
    return str([tuple(side.page for side in sheet.sides) for sheet in sheets])


def counted(played: list[Played]) -> dict[str, int]:
    """Return how many scenarios ended how."""
    ends = Counter(p.verdict.outcome.value for p in played)
    return {
        "scenarios": len(played),
        "wrong": sum(bool(p.wrong) for p in played),
        **{outcome.value: ends[outcome.value] for outcome in (Outcome.PRINTED, Outcome.FAILED)},
        **{outcome.value: ends[outcome.value] for outcome in (Outcome.PARTIAL, Outcome.UNKNOWN)},
    }


def but(**changes: object) -> Capabilities:
    """Return what is declared of a printer that lacks something."""
    return replace(WHOLE, **changes)  # type: ignore[arg-type] # the fields are checked by the scenarios
