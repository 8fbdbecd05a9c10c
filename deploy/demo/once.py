"""`make demo-once`: a whole town, one visit, everything stopped; the last line says what came of it."""

from __future__ import annotations

import time
import traceback
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import msgspec

from deploy.demo.books import Books
from deploy.demo.bring_up import Cash, RunningTown, bring_up
from deploy.demo.processes import PartFailed, free_port
from deploy.demo.town_store import DatabaseKind
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import Outcome, VisitBroken, Visitor
from deploy.demo.world import NoSuchResident


class End(StrEnum):
    """How a visit ended, for programs."""

    SETTLED = "settled"
    REFUSED = "refused"
    CASE = "case"
    BROKEN = "broken"


EXIT_CODES: dict[End, int] = {End.SETTLED: 0, End.BROKEN: 1, End.REFUSED: 3, End.CASE: 4}


def run_once(
    asked: VisitFile,
    *,
    seed: int,
    residents: int,
    database: DatabaseKind = DatabaseKind.SQLITE,
    cash: Cash = "socket",
) -> tuple[End, dict[str, Any]]:
    """Bring the town up, walk one visit, stop everything; return how it ended and the last line's object."""
    started = time.monotonic()
    try:
        with bring_up(seed=seed, residents=residents, kiosk_port=free_port(), database=database, cash=cash) as town:
            up_s = time.monotonic() - started
            end, line = _visit(town, asked)
            stopping = time.monotonic()
    except (PartFailed, VisitBroken, NoSuchResident) as error:
        return _broken(str(error))
    except Exception as error:  # noqa: BLE001 - whichever part broke, programs find one object on the last line
        traceback.print_exc()
        return _broken(f"{type(error).__name__}: {error}")
    now = time.monotonic()
    line["seconds"] = {
        "town_up": round(up_s, 3),
        **line["seconds"],
        "town_down": round(now - stopping, 3),
        "total": round(now - started, 3),
    }
    return end, line


def _broken(what: str) -> tuple[End, dict[str, Any]]:
    return End.BROKEN, {"outcome": End.BROKEN, "error": what, "orders": [], "papers": []}


def print_facts(town: RunningTown, **other: object) -> None:
    """Print where everything is, as one JSON line; other facts take the place of the town's."""
    click.echo(msgspec.json.encode(town.facts() | other).decode())


def _visit(town: RunningTown, asked: VisitFile) -> tuple[End, dict[str, Any]]:
    world = town.world()
    visitor = Visitor(world)
    try:
        if asked.card == "external":
            print_facts(town, vpcd_port=world.open_slot())
        outcome = visitor.visit(asked)
    finally:
        visitor.close()
    books = Books(town.database)
    try:
        printed = [order["order"] for order in outcome.orders if order["verdict"] in {"printed", "declared"}]
        states = books.wait_until_settled(printed)
    finally:
        books.close()
    end = _end(outcome, states, asked)
    line: dict[str, Any] = {
        "outcome": end,
        "orders": [{**order, "state": states.get(order["order"])} for order in outcome.orders],
        "papers": [_relative(paper) for paper in outcome.papers],
        "paid_yen": outcome.paid_yen,
        "change_yen": outcome.change_yen,
        "money_returned_yen": outcome.money_returned_yen,
        "seconds": outcome.seconds,
    }
    if outcome.refused is not None:
        line |= {"refused": outcome.refused, "words": outcome.words}
    if outcome.not_offered is not None:
        line["not_offered"] = outcome.not_offered
    return end, line


def _end(outcome: Outcome, states: dict[str, str], asked: VisitFile) -> End:
    """Settled only if every copy that was asked for is printed, settled at the server, and lies in the tray."""
    if outcome.case:
        return End.CASE
    if outcome.refused is not None or outcome.not_offered is not None:
        return End.REFUSED
    wanted = asked.copies + sum(document.copies for document in asked.documents)
    all_settled = len(states) == wanted and set(states.values()) == {"SETTLED"}
    return End.SETTLED if all_settled and len(outcome.papers) == wanted else End.BROKEN


def _relative(path: Path) -> str:
    """Return the path as seen from where the command runs, if it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
