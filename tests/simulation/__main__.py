"""The simulator's command: seeds in two processes, one seed replayed, mutations.

python -m tests.simulation --seeds 20000 --start 1
python -m tests.simulation --seed 4711
python -m tests.simulation --mutations | --mutation NAME [--seed 4711]
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import click
import msgspec

from tests.simulation import coverage, mutations
from tests.simulation.run import Outcome, run_seed, run_seeds, silence

PROCESSES: Final = 2
CHUNK: Final = 25
SHOWN: Final = 20
MUTATION_SEEDS: Final = 5_000


@dataclass
class Totals:
    """What many seeds came to."""

    seeds: int = 0
    visits: int = 0
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    ends: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    violations: list[tuple[int, str]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one seed."""
        self.seeds += 1
        self.visits += len(outcome.stays)
        self.cells.update(outcome.faults)
        for stay in outcome.stays:
            for fault in stay.faults or ("no fault",):
                self.ends[fault][stay.end] += 1
        self.violations += [(outcome.seed, str(found)) for found in outcome.violations]


def _chunk(seeds: range) -> list[Outcome]:
    silence(for_good=True)
    return list(run_seeds(seeds))


def run_many(seeds: range) -> Iterator[Outcome]:
    """Run seeds in two processes and yield what they came to, in order."""
    chunks = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        for outcomes in pool.map(_chunk, chunks):
            yield from outcomes


@click.command()
@click.option("--seeds", type=int, default=200, help="how many")
@click.option("--start", type=int, default=1, help="the first")
@click.option("--seed", type=int, default=None, help="replay this one, with its trace")
@click.option("--mutation", "mutation", default=None, help="run one mutation; fails when it is caught")
@click.option("--mutations", "all_mutations", is_flag=True, help="run all of them; fails when one is not caught")
def main(seeds: int, start: int, seed: int | None, mutation: str | None, all_mutations: bool) -> None:
    """Drive the real flow, journal and ledger through faults."""
    if all_mutations:
        sys.exit(_mutations(start))
    if seed is not None:
        sys.exit(_replay(seed, mutation))
    if mutation is not None:
        sys.exit(_mutation(mutation, start))
    sys.exit(_many(range(start, start + seeds)))


def _replay(seed: int, mutation: str | None) -> int:
    if mutation is None:
        outcome = run_seed(seed, trace=True)
    else:
        with mutations.mutated(mutation):
            outcome = run_seed(seed, kinds=mutations.kinds(mutation, seed), trace=True)
    _print(outcome.trace)
    _print(map(str, outcome.stays))
    _print(f"VIOLATION {found}" for found in outcome.violations)
    _say_counts(seeds=1, visits=len(outcome.stays), faults=len(outcome.faults), violations=len(outcome.violations))
    return 1 if outcome.violations else 0


def _many(seeds: range) -> int:
    totals, begun_s = Totals(), time.monotonic()
    for outcome in run_many(seeds):
        totals.add(outcome)
    seconds = time.monotonic() - begun_s
    _print((coverage.table(totals.cells), ""))
    for fault, ends in sorted(totals.ends.items()):
        click.echo(f"{fault:<26} " + ", ".join(f"{end}: {count}" for end, count in sorted(ends.items())))
    for number, what in totals.violations[:SHOWN]:
        click.echo(f"VIOLATION in seed {number}: {what[:600]}\n  replay it: make sim SEED={number}")
    holes = coverage.empty(totals.cells)
    _print(f"EMPTY {kind} in {state}" for state, kind in holes[:SHOWN])
    _say_counts(
        seeds=totals.seeds,
        visits=totals.visits,
        faults=totals.cells.total(),
        violations=len(totals.violations),
        empty_cells=len(holes),
        seconds=round(seconds),
    )
    return 1 if totals.violations or holes else 0


def _mutation(name: str, start: int) -> int:
    caught = mutations.hunt(name, range(start, start + MUTATION_SEEDS))
    if caught is None:
        click.echo(f"{name}: not caught")
    else:
        replay = f"python -m tests.simulation --mutation {name} --seed {caught[0]}"
        click.echo(f"{name}: caught by seed {caught[0]}: {caught[1][:300]}\n  replay it: {replay}")
    tried = caught[0] - start + 1 if caught else MUTATION_SEEDS
    _say_counts(seeds=tried, mutations=1, caught=int(caught is not None))
    return 1 if caught else 0


def _mutations(start: int) -> int:
    caught = 0
    with ProcessPoolExecutor(PROCESSES) as pool:
        hunts = [(name, pool.submit(_hunt, name, start)) for name in mutations.MUTATIONS]
        for name, hunt in hunts:
            found = hunt.result()
            caught += found is not None
            tried = found[0] - start + 1 if found else MUTATION_SEEDS
            click.echo(f"{name:<28} {tried:>5} seeds  {found[1][:110] if found else 'NOT CAUGHT'}")
    _say_counts(mutations=len(mutations.MUTATIONS), caught=caught)
    return 0 if caught == len(mutations.MUTATIONS) else 1


def _hunt(name: str, start: int) -> tuple[int, str] | None:
    silence(for_good=True)
    return mutations.hunt(name, range(start, start + MUTATION_SEEDS))


def _say_counts(**counts: int) -> None:
    click.echo(msgspec.json.encode(counts).decode())


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


if __name__ == "__main__":
    main()
