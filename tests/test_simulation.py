"""Seeds of the simulator: nothing new is broken, kept seeds stay whole, one seed is one story, mutations are caught."""

from __future__ import annotations

import copy
import os
import subprocess
import sys

import pytest

from terminal.visit import State
from tests.simulation import coverage, mutations
from tests.simulation.__main__ import new_violations
from tests.simulation.expected import ENDS
from tests.simulation.faults import Fault, Kind
from tests.simulation.known import KNOWN
from tests.simulation.run import run_seed

SEEDS, PARTS = 500, 20
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
)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_broken(part: int) -> None:
    each = SEEDS // PARTS
    seeds = range(1 + part * each, 1 + (part + 1) * each)
    assert [(seed, found) for seed in seeds for found in new_violations(run_seed(seed))] == []


def test_seeds_that_failed_once_are_whole() -> None:
    found = {why: new_violations(run_seed(seed, faults=copy.deepcopy(list(faults)))) for seed, faults, why in KEPT}
    assert found == {why: [] for _, _, why in KEPT}


def test_without_faults_every_visit_ends_in_its_papers() -> None:
    outcome = run_seed(1, kinds=())
    assert outcome.violations == []
    assert {stay.end.value for stay in outcome.stays} == {"every paper, paid"}


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
    assert all(known.kinds <= set(Kind) for known in KNOWN)


def test_an_impossible_cell_says_why() -> None:
    assert all(reason for reason in coverage.IMPOSSIBLE.values())
    assert len(list(coverage.cells())) + len(coverage.IMPOSSIBLE) == len(State) * len(Kind)


#: What is caught within a few seeds; the others are hunted by `make sim-mutations`.
QUICK = ("ids-from-the-clock", "synchronous-off", "event-applied-twice")


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_a_mutation_is_caught(name: str) -> None:
    assert mutations.hunt(name, range(1, 200), new_violations) is not None
    assert new_violations(run_seed(1)) == []
