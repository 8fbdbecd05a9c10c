"""Kill every part of a town at every point of a visit, and judge what became of it: `python -m tests.judges.kill`.

The last line is one JSON object; the exit code is 1 if any cell was wrong.
"""

from __future__ import annotations

import json
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import click

from tests.kill_cells import CELLS, LISTED
from tests.kill_world import Played, judged_town

DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "kill-matrix.md"


@click.command()
@click.option("--only", default="", help="one cell, or how several begin")
@click.option("--all", "every", is_flag=True, help="all cells, not the listed ones alone")
@click.option("--cells", default=0, help="so many of all cells, at random")
@click.option("--seed", default=1, show_default=True, help="which ones")
@click.option("--towns", default=2, show_default=True, help="how many towns stand side by side")
@click.option("--write", is_flag=True, help="only write docs/kill-matrix.md")
def main(only: str, cells: int, seed: int, towns: int, *, every: bool, write: bool) -> None:
    """Play the cells."""
    if write:
        DOCUMENT.write_text(table_in_words(), encoding="utf-8")
        return
    chosen = [cell for cell in CELLS if cell.name.startswith(only)] if only or every or cells else list(LISTED)
    if not chosen:
        raise click.BadParameter(f"there is no cell {only!r}")
    if cells:
        chosen = random.Random(seed).sample(chosen, min(cells, len(chosen)))
    shares = [[cell.name for cell in chosen[start::towns]] for start in range(towns)]
    played: list[Played] = []
    # Each town in a process's main thread: the parts are bound to the thread that starts them.
    with ProcessPoolExecutor(towns, get_context("spawn")) as pool:
        for some in pool.map(play_all, [share for share in shares if share]):
            played += some
    wrong = [one for one in played if one.wrong]
    click.echo(f"the slowest end: {max(one.ended_after_s for one in played):.1f} s after the restart")
    click.echo(json.dumps({"cells": len(played), "wrong": len(wrong)}))
    sys.exit(1 if wrong else 0)


def play_all(names: list[str]) -> list[Played]:
    """Play cells in one town; in a new one after a cell that was wrong, since that one's town may not be whole."""
    by_name = {cell.name: cell for cell in CELLS}
    played: list[Played] = []
    while len(played) < len(names):
        with judged_town() as matrix:
            for name in names[len(played) :]:
                one = matrix.play(by_name[name])
                _tell(one)
                played.append(one)
                if one.wrong:
                    break
    return played


def table_in_words() -> str:
    """Return docs/kill-matrix.md."""
    raise NotImplementedError


def _tell(played: Played) -> None:
    mark = "WRONG" if played.wrong else "ok"
    click.echo(f"{mark:5} {played.name:44} {played.end:9} {played.seconds:5.1f} s, {played.ended_after_s:5.1f} s")
    for wrong in played.wrong:
        click.echo(f"      {wrong}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
