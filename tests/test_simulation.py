"""Seeds of the simulator: nothing new is broken, kept seeds stay whole, one seed is one story, mutations are caught."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest

from terminal.visit import State
from tests.databases import Cluster, PostgresDatabases
from tests.simulation import coverage, mutations
from tests.simulation.expected import ENDS
from tests.simulation.faults import Fault, Kind
from tests.simulation.postgres import PostgresDisk
from tests.simulation.run import Outcome, run_seed, run_seeds
from tests.simulation.town import town

SEEDS, PARTS = 500, 20
POSTGRES_SEEDS, POSTGRES_PARTS = 200, 8
#: Seeds that once showed a fault of the product, each with its faults and what it was.
KEPT: tuple[tuple[int, tuple[Fault, ...], str], ...] = (
    (
        1,
        (Fault(Kind.COINS_CUT, 1, 0, State.CAPTURING, 0.0), Fault(Kind.TERMINAL_KILLED, 1, 1, State.TAKE_PAPER, 0.0)),
        "a collection that was left open was read at the next start against totals that held others' money",
    ),
    (
        5,
        (Fault(Kind.COIN_ANSWER_LOST, 2, 0, State.PRINTING, 1.0),),
        "a lost answer to counters left a paper uncollected",
    ),
    (
        1,
        (
            Fault(Kind.WALKED_AWAY, 2, 0, State.RESERVED, 0.06),
            Fault(Kind.TERMINAL_KILLED, 2, 0, State.PRINTING, 0.4, long=True),
        ),
        "a paper that came out during a cut lay there for whoever came next",
    ),
    (
        0,
        (Fault(Kind.COINS_CUT, 1, 0, State.CAPTURING, 0.72),),
        "change of which a part had come out was owed whole",
    ),
    (
        5,
        (
            Fault(Kind.WALKED_AWAY, 1, 0, State.PRINTING, 0.02),
            Fault(Kind.TERMINAL_KILLED, 1, 0, State.CAPTURING, 0.0, row=3, before_row=True),
        ),
        "a paper lay there when the terminal was killed, and whoever came next found it",
    ),
    (
        1,
        (Fault(Kind.PRINTER_LIES, 2, 0, State.PIN, 0.01), Fault(Kind.DISK_FULL, 2, 0, State.GRANTING, 0.06)),
        "a print whose result found no room on the disk never got one",
    ),
    (
        0,
        (Fault(Kind.TERMINAL_KILLED, 0, 0, State.SHOWING_CODE, 1.0, long=True),),
        "a QR code's row had no result where a long cut ended the visit in one step",
    ),
    (
        3,
        (
            Fault(Kind.RECEIPT_ANSWER_LOST, 0, 0, State.CHOOSING, 0.0, long=True),
            Fault(Kind.DISK_FULL, 0, 1, State.PIN, 0.0),
        ),
        "a receipt's result found no room on the disk when its visit was over, and nobody noticed",
    ),
)


def broken_by(outcomes: Iterable[Outcome]) -> list[tuple[int, str]]:
    """Return which seed broke what; `make sim SEED=n` replays one."""
    return [(outcome.seed, str(found)) for outcome in outcomes for found in outcome.violations]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_broken(part: int) -> None:
    each = SEEDS // PARTS
    seeds = range(1 + part * each, 1 + (part + 1) * each)
    assert broken_by(run_seeds(seeds)) == []


@pytest.fixture(scope="module")
def postgres_disk(cluster: Cluster) -> Iterator[PostgresDisk]:
    databases = PostgresDatabases(cluster)
    disk = PostgresDisk(databases.declared(), town().template)
    yield disk
    disk.close()
    databases.close()


@pytest.mark.parts
@pytest.mark.xdist_group("simulation on PostgreSQL")
@pytest.mark.parametrize("part", range(POSTGRES_PARTS))
def test_nothing_is_broken_on_postgresql(part: int, postgres_disk: PostgresDisk) -> None:
    """The same servers on a real PostgreSQL, whose machine is not cut."""
    each = POSTGRES_SEEDS // POSTGRES_PARTS
    seeds = range(1 + part * each, 1 + (part + 1) * each)
    assert broken_by(run_seeds(seeds, disk=postgres_disk)) == []


@pytest.mark.slow
def test_seeds_that_failed_once_are_whole() -> None:
    found = {why: run_seed(seed, faults=[replace(fault) for fault in faults]).violations for seed, faults, why in KEPT}
    assert found == {why: [] for _, _, why in KEPT}


def test_without_faults_every_visit_ends_in_its_papers() -> None:
    outcome = run_seed(2, faults=[])  # nobody in it cancels
    assert outcome.violations == []
    assert {stay.end.value for stay in outcome.stays} == {"every paper, paid"}


@pytest.mark.slow
def test_whoever_pays_gets_one_receipt() -> None:
    never = Fault(Kind.RECEIPT_ROLL_OUT, 0, 0, State.AFTER_CUT, 0.0)  # nothing is cut: it only has the printers there
    outcome = run_seed(2, faults=[never])
    assert (outcome.violations, outcome.faults) == ([], [])
    assert outcome.slips == len(outcome.stays)
    without_paper = Fault(Kind.RECEIPT_ROLL_OUT, 0, 0, State.PIN, 0.0, long=True)
    outcome = run_seed(2, faults=[without_paper])
    assert outcome.violations == []
    assert 0 < outcome.slips < len(outcome.stays)


@pytest.mark.slow
def test_a_seed_is_one_story_whatever_the_process() -> None:
    """Two processes with other hash seeds tell the same, line by line."""
    told = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "7"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=False,
            timeout=100,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert len(told[0].splitlines()) > 50


def test_every_kind_of_fault_has_its_ends() -> None:
    assert set(ENDS) == set(Kind)


def test_an_impossible_cell_says_why() -> None:
    assert all(reason for reason in coverage.IMPOSSIBLE.values())
    assert len(list(coverage.CELLS)) + len(coverage.IMPOSSIBLE) == len(State) * len(Kind)


#: For each mutation the seed and the fault that show it at once; `make sim-mutations` finds them by chance.
SHOWN_BY: dict[str, tuple[int, Fault]] = {
    "checks-off": (0, Fault(Kind.RENDER_MIXUP, 0, 1, State.PIN, 0.0)),
    "lock-released-on-time-out": (1, Fault(Kind.PRINTER_STOPS, 0, 0, State.PRINTING, 0.1, long=True, size=0)),
    "ids-from-the-clock": (0, Fault(Kind.DELAYED, 0, 0, State.PIN, 0.0)),
    "feed-during-a-request": (0, Fault(Kind.FEED, 0, 0, State.CONFIRMING, 0.0)),
    "completed-is-printed": (0, Fault(Kind.PRINTER_LIES, 0, 0, State.GRANTING, 0.0, size=0)),
    "capture-retried": (0, Fault(Kind.COINS_CUT, 2, 0, State.CAPTURING, 0.72)),
    "verify-retried": (0, Fault(Kind.CARD_TORN, 0, 0, State.PIN, 0.0)),
    "reprint-on-unknown": (0, Fault(Kind.PRINTER_CUT, 0, 0, State.PRINTING, 1.71)),
    "event-applied-twice": (0, Fault(Kind.ANSWER_LOST, 0, 0, State.CAPTURING, 0.0, count=2)),
    "guard-dropped": (0, Fault(Kind.ANSWER_LOST, 0, 0, State.RESERVED, 0.15, long=True)),
    "synchronous-off": (0, Fault(Kind.TERMINAL_CUT, 0, 0, State.TAKE_PAPER, 0.0)),
    "act-before-commit": (0, Fault(Kind.TERMINAL_KILLED, 0, 0, State.PRINTING, 0.0, row=1, before_row=True)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", mutations.MUTATIONS)
def test_a_mutation_is_caught_and_nothing_but_the_mutation(name: str) -> None:
    seed, fault = SHOWN_BY[name]
    assert run_seed(seed, faults=[replace(fault)]).violations == []
    with mutations.mutated(name):
        without = run_seed(1, faults=[]).violations
        caught = run_seed(seed, faults=[replace(fault)]).violations
    assert bool(without) == (name in mutations.ALWAYS)
    assert caught
