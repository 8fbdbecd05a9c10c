"""`madoguchi stops`: stop at once, start again with two, and see what is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from issuance_server import stops
from issuance_server.command_parts import config_option, database, said_in_a_line
from issuance_server.config import ConfigError
from issuance_server.database import SchemaMismatch, read, write
from issuance_server.rules import JST, utc_now
from issuance_server.stops import CannotStop, NoSuchStop, Reach, Stop, Target

#: What keeps one of these from being done; each message says what is wrong.
CANNOT: Final = (CannotStop, ConfigError, NoSuchStop, SchemaMismatch)


@click.group("stops")
def group() -> None:
    """What is stopped: one person stops at once, two start again."""


@group.command("begin")
@config_option
@click.option("--by", "officer", required=True, help="Who stops it: your staff id.")
@click.option("--reason", required=True, help="Why. Nothing of a resident.")
@click.option("--terminal", "terminal_id", help="One terminal: nothing that it sends is taken in any more.")
@click.option("--operator", help="All terminals of one store operator.")
@click.option("--municipality", "municipality_code", help="All documents of one municipality, by its code.")
@click.option("--document", "kind", help="With --municipality: this kind of document alone.")
@click.option("--all", "everything", is_flag=True, help="All that this server issues.")
def begin(config: Path, officer: str, reason: str, everything: bool, **named: str | None) -> None:
    """Stop, in less than ten seconds; what was granted before is printed. Example: madoguchi stops begin --config
    server.toml --by a.officer --reason "seal printed too small" --municipality 990001 --document seal_registration
    """
    with said_in_a_line(*CANNOT), database(config) as engine, write(engine) as connection:
        target = Target(_reach(named, everything=everything), **named)
        stop_id = stops.begin(connection, target, reason=reason, officer=officer, now_utc=utc_now())
    click.echo(f"stopped: {stop_id}")


@group.command("end")
@config_option
@click.option("--officer", "officers", required=True, multiple=True, help="Who answers for it; two, each by name.")
@click.argument("stop_id")
def end(config: Path, officers: tuple[str, ...], stop_id: str) -> None:
    """Start again. Example: madoguchi stops end --config server.toml --officer A --officer B 1a2b3c4d"""
    if len(officers) != 2:
        raise click.UsageError("--officer: two people, each by name")
    with said_in_a_line(*CANNOT), database(config) as engine, write(engine) as connection:
        stop = stops.end(connection, stop_id, (officers[0], officers[1]), utc_now())
        left = stops.open_stops(connection)
    click.echo(f"over: {_line(stop)}")
    for one in left:
        click.echo(f"still stopped: {_line(one)}")


@group.command("list")
@config_option
def listed(config: Path) -> None:
    """What is stopped, the oldest first. Example: madoguchi stops list --config server.toml"""
    with said_in_a_line(*CANNOT), database(config) as engine, read(engine) as connection:
        stands = stops.open_stops(connection)
    for one in stands:
        click.echo(_line(one))
    click.echo("1 stop" if len(stands) == 1 else f"{len(stands)} stops")


def _reach(named: dict[str, str | None], *, everything: bool) -> Reach:
    """Return how far what was named goes; `Target` says what is wrong with it."""
    if everything:
        return Reach.ALL
    for name, reach in (
        ("terminal_id", Reach.TERMINAL),
        ("operator", Reach.OPERATOR),
        ("kind", Reach.DOCUMENT),
        ("municipality_code", Reach.MUNICIPALITY),
    ):
        if named[name] is not None:
            return reach
    raise click.UsageError("name what is to be stopped: --terminal, --operator, --municipality or --all")


def _line(stop: Stop) -> str:
    since, target = stop.begun_at_utc.astimezone(JST).strftime("%Y-%m-%d %H:%M"), stop.target
    named = (target.terminal_id, target.operator, target.municipality_code, target.kind)
    what = " ".join((target.reach, *(one for one in named if one is not None)))
    return f"{stop.stop_id}  since {since}  {what}  by {stop.begun_by}: {stop.reason}"
