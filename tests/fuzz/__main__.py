"""Feeds every reader of other people's bytes with what is almost right: `make fuzz`, or a short round in the tests.

An input that a reader neither takes nor answers with a typed error is a fault of it; so is one that ends the process,
and one that takes longer than two seconds. Each is told with the bytes, so that it can become a test.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType
from typing import Final

import click
import msgspec

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import Target, targets

PROCESSES: Final = 2
BATCH: Final = 2_000
HANGS_AFTER_S: Final = 2.0
SHOWN: Final = 20


class Hang(BaseException):
    """An input that takes too long. No reader may catch it."""


@dataclass
class Round:
    """What one batch came to."""

    inputs: int = 0
    taken: int = 0
    untyped: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)


def run(target: Target, seed: int, inputs: int, at: Path | None = None) -> Round:
    """Feed one target; at: where the input that is being read is written down, for a process that it ends."""
    chance, made = Random(f"{target.name} {seed}"), Round()
    before = signal.signal(signal.SIGALRM, _hang)
    try:
        for _ in range(inputs):
            said = mutated(chance, target.corpus)
            if at is not None:
                at.write_bytes(said)
            made.inputs += 1
            _feed(target, said, made)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return made


def _feed(target: Target, said: bytes, made: Round) -> None:
    signal.setitimer(signal.ITIMER_REAL, HANGS_AFTER_S)
    try:
        target.read(said)
        made.taken += 1
    except target.typed:
        pass
    except Hang:
        made.hangs.append(f"{target.name}: {said.hex()}")
    except Exception as error:  # noqa: BLE001 - this is what is looked for
        made.untyped.append(f"{target.name}: {type(error).__name__}: {error}: {said.hex()}"[:2_000])


def _hang(_signal: int, _frame: FrameType | None) -> None:
    raise Hang


def _batch(name: str, seed: int, inputs: int) -> Round:
    return run(next(one for one in targets() if one.name == name), seed, inputs)


@click.command()
@click.option("--inputs", type=int, default=1_000_000, show_default=True, help="How many in all.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the first batch.")
@click.option("--target", "only", help="This one alone.")
def main(inputs: int, seed: int, only: str | None) -> None:
    """Feed them all, in two processes. Exit codes: 0 all answered with a typed error, 1 one did not."""
    names = [one.name for one in targets() if only in {None, one.name}]
    if not names:
        raise click.UsageError(f"--target: one of {', '.join(one.name for one in targets())}")
    each = -(-inputs // len(names))
    total, crashes = Round(), list[str]()
    for name in names:
        batches = [(name, seed + number, min(BATCH, each - at)) for number, at in enumerate(range(0, each, BATCH))]
        taken = 0
        for made in _rounds(batches, crashes):
            taken += made.taken
            total.inputs += made.inputs
            total.untyped += made.untyped
            total.hangs += made.hangs
        click.echo(f"{name:<24} {each:>8} inputs, {taken:>7} taken as right")
    for fault in (*crashes, *total.hangs, *total.untyped)[:SHOWN]:
        click.echo(f"FAULT {fault}")
    counts = {"inputs": total.inputs, "untyped": len(total.untyped), "crashes": len(crashes), "hangs": len(total.hangs)}
    click.echo(msgspec.json.encode(counts).decode())
    sys.exit(1 if crashes or total.hangs or total.untyped else 0)


def _rounds(batches: list[tuple[str, int, int]], crashes: list[str]) -> Iterator[Round]:
    """Yield what batches come to; one that ends its process is run again alone, to see by which input."""
    try:
        with ProcessPoolExecutor(PROCESSES) as pool:
            yield from pool.map(_batch, *zip(*batches, strict=True))
    except BrokenProcessPool:
        for batch in batches:
            crashes += _crash(*batch)


def _crash(name: str, seed: int, inputs: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "input"
        child = os.fork()
        if child == 0:
            run(next(one for one in targets() if one.name == name), seed, inputs, at)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        return [f"{name}: ended by {status}: {at.read_bytes().hex()}"] if status else []


if __name__ == "__main__":
    main()
