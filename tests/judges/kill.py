"""Kill every part of a town at every point of a visit, and judge what became of it: `python -m tests.judges.kill`.

The last line is one JSON object; the exit code is 1 if any cell was wrong.
"""

from __future__ import annotations

import json
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import click

from tests.kill_cells import CELLS, ENDS_IN_WORDS, LISTED, OTHER_ENDS, POINTS, Cell, Point, Who
from tests.kill_world import CELLS_A_TOWN, END_BOUND_S, Played, judged_town

HEAD: Final = """\
# What is killed at which point of a visit, and how it must end

Played by `make kill-matrix` on a whole town of real parts: pcscd with a virtual card, cupsd with its ipp backend, the
project's virtual printer, coins on a ccTalk line, a contract terminal for e-money, a receipt printer, a provider of
payments by QR code, two servers under gunicorn, and PostgreSQL. The process that comes to the point stops itself there
(deploy/demo/halts.py), so that no cell depends on timing; then something is killed by -9 and started again. Judged
are coins, sheets, card and phone as the world has them, the server's ledger, postings and cases, and the terminal's
journal: no yen is lost, no second paper comes out, and each order has its one expected end, with nothing on the way
taking longer than 10 s from the restart, or from a touch that somebody makes after it.

The visit is for one copy of 200 yen, paid with 600; RETURNING belongs to one that is cancelled with 100 in the tray,
DEBITING, CANCELLING and *debited* to one that is paid by e-money card, SHOWING_CODE and *agreed* to one paid by
phone. Somebody stands there all the time and answers what is asked. Of the points, *begun* has the intent committed
and nothing of the act done, *done* has the act done and its result unwritten, *written* has the result committed;
*waits* is a screen that waits for somebody. Servers and database are away for two seconds, everything else is started
at once; "power" takes terminal, workers, pcscd, cupsd with its backends, printer, coin unit, contract terminal and
receipt printer, with what only stood in their memory. Not here, since they take a minute of nobody's answer, or wait
for staff: KEEPING and OUT_OF_SERVICE; the simulator (`make sim`) goes through them.

Without arguments the command goes through the cells in **bold**; `ALL=1` takes all, `CELLS=n SEED=k` some of them.
Written by `make kill-matrix WRITE=1`; a test holds it to the table in the code (tests/kill_cells.py).

"""
DOCUMENT: Final = Path(__file__).resolve().parents[2] / "docs" / "kill-matrix.md"


@click.command()
@click.option("--only", multiple=True, help="one cell, or how several begin; may be given again")
@click.option("--all", "every", is_flag=True, help="all cells, not the listed ones alone")
@click.option("--cells", default=0, help="so many of all cells, at random")
@click.option("--seed", default=1, show_default=True, help="which ones")
@click.option("--towns", default=2, show_default=True, help="how many towns stand side by side")
@click.option("--bound", "bound_s", default=END_BOUND_S, show_default=True, help="how long an end may take")
@click.option("--write", is_flag=True, help="only write docs/kill-matrix.md")
def main(only: tuple[str, ...], cells: int, seed: int, towns: int, bound_s: float, *, every: bool, write: bool) -> None:
    """Play the cells."""
    if write:
        DOCUMENT.write_text(table_in_words(), encoding="utf-8")
        return
    chosen = [cell for cell in (CELLS if every or cells else LISTED) if cell.name.startswith(only or "")]
    chosen = chosen or [cell for cell in CELLS if cell.name.startswith(only)]
    if not chosen:
        raise click.BadParameter(f"there is no cell {only!r}")
    if cells:
        chosen = random.Random(seed).sample(chosen, min(cells, len(chosen)))
    shares = [[cell.name for cell in chosen[start::towns]] for start in range(towns)]
    played: list[Played] = []
    # Each town in a process's main thread: the parts are bound to the thread that starts them.
    with ProcessPoolExecutor(towns, get_context("spawn")) as pool:
        for some in pool.map(partial(play_all, bound_s), [share for share in shares if share]):
            played += some
    wrong = [one for one in played if one.wrong]
    click.echo(f"the longest wait after a restart or a touch: {max(one.waited_s for one in played):.1f} s")
    click.echo(json.dumps({"cells": len(played), "wrong": len(wrong)}))
    sys.exit(1 if wrong else 0)


def play_all(bound_s: float, names: list[str]) -> list[Played]:
    """Play cells in one town; in a new one after a cell that was wrong, since that one's town may not be whole."""
    by_name = {cell.name: cell for cell in CELLS}
    played: list[Played] = []
    while len(played) < len(names):
        with judged_town(bound_s) as matrix:
            for name in names[len(played) :][:CELLS_A_TOWN]:
                one = matrix.play(by_name[name])
                _tell(one)
                played.append(one)
                if one.wrong:
                    break
    return played


def table_in_words() -> str:
    """Return docs/kill-matrix.md."""
    lines = [HEAD + "| end | what it is |", "|---|---|"]
    lines += [f"| {end} | {words} |" for end, words in ENDS_IN_WORDS.items()]
    lines += ["", "| point | it stops | " + " | ".join(Who) + " |", "|---" * (len(Who) + 2) + "|"]
    lines += [_row(point) for point in POINTS]
    lines += ["", "Ends that are neither those of a visit which goes on nor of a terminal that is cut, and why:", ""]
    lines += [f"- {name}, {who}: {end}; {why}." for (name, who), (end, why) in OTHER_ENDS.items()]
    return "\n".join(lines) + "\n"


def _row(point: Point) -> str:
    stops = (
        f"`{point.halt}`" if point.halt else f"{point.coins} coin in the tray" if point.coins else "the screen waits"
    )
    cells = {cell.who: cell for cell in CELLS if cell.point is point}
    return f"| {point.name} | {stops} | " + " | ".join(_end(cells.get(who)) for who in Who) + " |"


def _end(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    return f"**{cell.end}**" if cell in LISTED else str(cell.end)


def _tell(played: Played) -> None:
    mark = "WRONG" if played.wrong else "ok"
    click.echo(f"{mark:5} {played.name:44} {played.end:9} {played.seconds:5.1f} s, {played.waited_s:5.1f} s")
    for wrong in played.wrong:
        click.echo(f"      {wrong}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
