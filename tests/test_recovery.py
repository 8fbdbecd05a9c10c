"""The power goes at every point of a visit, and again at every point of what ends it: each has one expected end.

A store is what survives: coins, sheets, the printer's meter, the journal's file, what the server was told. Before each
table the fault is shown: what is left lying when nothing is recovered.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from printing.press.errors import PrinterUnreachable
from printing.press.verdict import Outcome, Verdict
from protocol.messages import EventKind
from terminal import visit as v
from terminal.journal import Entry, JournalUnavailable
from terminal.payment.device import DeviceGone, PaymentState, PaymentStatus
from terminal.recovery import PRINTER_PATIENCE_S
from terminal.visit import State
from terminal.workers import WorkerDied
from tests.crash_parts import Cut, Killed, Process, Script, Store, points_of, visit_killed_at

SHORT, LONG = Cut(), Cut(length_s=3600)
BACKWARDS = Cut(length_s=-30)  # a clock that lost its time: nobody knows how long the cut was
PRINTER_TOO = Cut(printer_too=True)
NO_METER = Cut(printer_too=True, meter=False)
NO_METER_LONG = Cut(length_s=3600, printer_too=True, meter=False)
FAILED = Verdict(Outcome.FAILED, 0, "cue")
PARTIAL = Verdict(Outcome.PARTIAL, 1, "cue")


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder whose commits cost nothing: thousands of rows are written, and no power goes in truth."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class End:
    """How a store looks when the next visitor may come."""

    state: State
    orders: tuple[str, ...]
    told_printed: int
    papers: int
    cashbox_yen: int
    change_yen: int
    returned_yen: int
    tray_yen: int
    owed_yen: int
    cases: tuple[str, ...]


def end_of(store: Store, state: State) -> End:
    coins = store.coins
    return End(
        state,
        tuple(store.ends()),
        store.printed(),
        len(store.press.papers),
        coins.cashbox_yen,
        coins.change_yen,
        coins.returned_yen,
        coins.tray_yen,
        store.owed_yen(),
        tuple(store.cases()),
    )


def restart(store: Store) -> End:
    """Begin again after the cut, and look at what there is once nobody is waited for any more."""
    process = Process(store)
    state = process.boot().state
    process.journal.close()
    assert not store.is_open(), "the journal holds nothing without an end"
    return end_of(store, state)


def expected(store: Store, points: list[str]) -> End:
    """Return the one end, from what the world was like when the power went; points: those that the visit passed.

    A printer that forgot a job which nobody has asked about yet leaves it unknown, unless its meter tells that nothing
    came out.
    """
    script, cut, coins = store.script, store.cut, store.coins
    present = script.stays and 0 <= cut.length_s < 60
    released = points.count("after press.release")
    said = dict(enumerate(script.verdicts)).get(released - 1, Verdict(Outcome.PRINTED, 1, "cue"))
    if points.count("after row intent print") > released:
        said = FAILED  # intended and not released: nothing can come out
    asked = points.count("after row result+event") + points.count("after row result+event+case")
    forgotten = cut.printer_too and points.count("after row intent print") > asked
    unknown = forgotten and (not cut.meter or bool(said.sheets_out))
    declared = unknown and present and said.outcome is Outcome.PRINTED
    out = len(store.press.papers)
    settled = out - (unknown and said.outcome is Outcome.PRINTED and not declared)
    cases = ["PRINT_UNKNOWN"] if unknown and not declared else []
    if said == PARTIAL and not unknown:
        cases = ["PRINT_PARTIAL"]
    ordered = script.copies if "after row ids" in points else 0
    return End(
        State.OUT_OF_SERVICE if cases else State.IDLE,
        ("settled",) * settled + ("void",) * (ordered - settled),
        settled,
        out,
        *money_of(store, settled * script.fee_yen, present=present),
        tuple(cases),
    )


def money_of(store: Store, fees_yen: int, *, present: bool) -> tuple[int, int, int, int, int]:
    """Return cashbox, change, returned, tray and owed: what was moved stays, what was not comes out only for somebody."""
    coins = store.coins
    if coins.moved:
        return coins.cashbox_yen, coins.change_yen, coins.returned_yen, 0, 0
    rest_yen = coins.inserted_yen - fees_yen
    if rest_yen and not present:
        return coins.inserted_yen, 0, 0, 0, rest_yen
    return (coins.inserted_yen, rest_yen, 0, 0, 0) if fees_yen else (0, 0, rest_yen, 0, 0)


VISITS = {
    "paid exactly": Script(),
    "with change": Script(coins=(500,)),
    "two copies": Script(coins=(100, 100, 100, 100), copies=2),
    "two copies, the second fails": Script(
        coins=(500,), copies=2, verdicts=(Verdict(Outcome.PRINTED, 1, "cue"), FAILED)
    ),
    "nothing came out": Script(verdicts=(FAILED,)),
    "a sheet came out": Script(coins=(500,), verdicts=(PARTIAL,)),
    "cancelled": Script(coins=(50,), cancels=True),
    "left": Script(coins=(500,), stays=False),
}
CUTS = {"short": SHORT, "long": LONG, "backwards": BACKWARDS, "printer too": PRINTER_TOO, "no meter": NO_METER}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("visit", VISITS)
def test_s16_wherever_the_power_goes_there_is_one_end(ram: Path, visit: str, cut: str) -> None:
    """S16: exactly one of printed and paid, or money back or owed; in a list only what the world left unknown."""

    def fresh(name: str) -> Store:
        (ram / name).mkdir()
        return Store(ram / name, VISITS[visit], CUTS[cut])

    whole = points_of(fresh("whole"))
    assert len(whole) > 30
    wrong = []
    for point, _ in enumerate(whole):
        store = fresh(str(point))
        where = visit_killed_at(store, point)
        passed, papers = list(store.points), list(store.press.papers)
        wanted = expected(store, passed)
        store.lose_power()
        if (found := restart(store)) != wanted:
            wrong.append((point, where, found, wanted))
        assert store.press.papers == papers, "nothing is printed by itself"
    assert wrong == []


NESTED = {
    "paid, printed and forgotten": (Script(coins=(500,)), NO_METER, "after press.release"),
    "printed": (Script(coins=(500,)), SHORT, "after press.release"),
    "printed, long ago": (Script(coins=(500,)), LONG, "after press.release"),
    "held": (Script(coins=(500,)), SHORT, "after payment.hold"),
    "held, long ago": (Script(coins=(500,)), LONG, "after payment.hold"),
    "about to be captured": (Script(coins=(500,)), SHORT, "after row intent capture"),
    "captured": (Script(coins=(500,)), LONG, "after payment.capture"),
    "about to be returned": (Script(coins=(50,), cancels=True), LONG, "after row intent return"),
    "half printed": (Script(coins=(500,), verdicts=(PARTIAL,)), SHORT, "after press.release"),
    "one of two": (Script(coins=(500,), copies=2), SHORT, "after row result+event"),
}


@pytest.mark.parametrize("name", NESTED)
def test_s16_wherever_the_power_goes_again_the_end_is_the_same(ram: Path, name: str) -> None:
    script, cut, where = NESTED[name]

    def interrupted(folder: str) -> Store:
        (ram / folder).mkdir()
        whole = points_of(Store(ram / folder, script, cut))
        (ram / folder / "journal.sqlite").unlink()
        store = Store(ram / folder, script, cut)
        visit_killed_at(store, whole.index(where))
        store.lose_power()
        return store

    once = interrupted("once")
    wanted = restart(once)
    assert len(once.points) > 10
    wrong = []
    for point, _ in enumerate(once.points):
        store = interrupted(str(point))
        store.kill_at = point
        with pytest.raises(Killed) as killed:
            Process(store).boot()
        store.points, store.kill_at = [], None
        store.now_utc += timedelta(seconds=10)
        if (found := restart(store)) != wanted:
            wrong.append((point, str(killed.value), found, wanted))
    assert wrong == []
