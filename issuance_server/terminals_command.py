"""`madoguchi terminals`: who is enrolled, and how a new terminal becomes one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
from sqlalchemy import select

from issuance_server import enrolments
from issuance_server.command_parts import config_option, database, said_in_a_line
from issuance_server.config import ConfigError
from issuance_server.database import SchemaMismatch, read, write
from issuance_server.enrolments import CODE_LIFETIME, CannotEnrol
from issuance_server.rules import JST, utc_now
from issuance_server.schema import terminals
from protocol.enrolment import fingerprint

CANNOT: Final = (CannotEnrol, ConfigError, SchemaMismatch)
_ALL: Final = select(
    terminals.c.terminal_id, terminals.c.operator, terminals.c.key_thumbprint, terminals.c.stopped, terminals.c.forked
).order_by(terminals.c.terminal_id)
officer_option = click.option("--officer", required=True, help="Who says so: your staff id.")


@click.group("terminals")
def group() -> None:
    """Who may ask this server: invite a terminal, compare its key, let it in with two officers."""


@group.command("list")
@config_option
def listed(config: Path) -> None:
    """Every enrolled terminal and its key. Example: madoguchi terminals list --config server.toml"""
    with said_in_a_line(*CANNOT), database(config) as engine, read(engine) as connection:
        rows = connection.execute(_ALL).all()
    for row in rows:
        state = "disabled" if row.forked else "stopped" if row.stopped else "active"
        click.echo(f"{row.terminal_id}  {row.operator}  {state}  {fingerprint(row.key_thumbprint)}")
    click.echo(f"{len(rows)} terminals" if len(rows) != 1 else "1 terminal")


@group.command("invite")
@config_option
@officer_option
@click.option("--operator", required=True, help="Whose terminal it is.")
@click.argument("terminal_id")
def invite(config: Path, officer: str, operator: str, terminal_id: str) -> None:
    """Make the code that a new terminal shows its key with. Example: madoguchi terminals invite --config server.toml
    --officer a --operator demo-stores T-0005
    """
    with said_in_a_line(*CANNOT), database(config) as engine, write(engine) as connection:
        code = enrolments.invite(
            connection, terminal_id=terminal_id, operator=operator, officer=officer, now_utc=utc_now()
        )
    click.echo(f"{code}  good once, for {CODE_LIFETIME.seconds // 60} minutes")


@group.command("waiting")
@config_option
def waiting(config: Path) -> None:
    """Who is invited, and which key they have shown. Example: madoguchi terminals waiting --config server.toml"""
    with said_in_a_line(*CANNOT), database(config) as engine, read(engine) as connection:
        found = enrolments.waiting(connection, utc_now())
    for one in found:
        until = one.expires_at_utc.astimezone(JST).strftime("%H:%M")
        shown = one.fingerprint or "has shown no key yet"
        approved = f", compared by {one.approved_by}" if one.approved_by else ""
        click.echo(f"{one.terminal_id}  {one.operator}  until {until}  {shown}{approved}")
    click.echo(f"{len(found)} waiting")


@group.command("approve")
@config_option
@officer_option
@click.option("--fingerprint", "typed", required=True, help="What the terminal shows, typed from there.")
@click.argument("terminal_id")
def approve(config: Path, officer: str, typed: str, terminal_id: str) -> None:
    """Say that the key that waits is this terminal's; two officers let it in. Example: madoguchi terminals approve
    --config server.toml --officer a --fingerprint XXXX-XXXX-... T-0005
    """
    with said_in_a_line(*CANNOT), database(config) as engine, write(engine) as connection:
        enrolled = enrolments.approve(connection, terminal_id, typed, officer, utc_now())
    click.echo(f"{terminal_id}: enrolled" if enrolled else f"{terminal_id}: one more officer has to compare it")


@group.command("refuse")
@config_option
@officer_option
@click.argument("terminal_id")
def refuse(config: Path, officer: str, terminal_id: str) -> None:
    """Withdraw an invitation: its code and what was shown are void. Example: madoguchi terminals refuse --config
    server.toml --officer a T-0005
    """
    with said_in_a_line(*CANNOT), database(config) as engine, write(engine) as connection:
        enrolments.refuse(connection, terminal_id, officer, utc_now())
    click.echo(f"{terminal_id}: withdrawn")
