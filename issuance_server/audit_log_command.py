"""`madoguchi audit verify` and `madoguchi audit checkpoint`: was anything changed by hand, and what to keep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click
import msgspec
from sqlalchemy import Engine, select

from issuance_server import audit_tree
from issuance_server.audit_tree import Signer
from issuance_server.audit_verify import Verification
from issuance_server.command_parts import config_option, database, said_in_a_line
from issuance_server.config import ConfigError, load
from issuance_server.database import SchemaMismatch, read
from issuance_server.key_files import KeysError
from issuance_server.keys import load_audit_key
from issuance_server.rules import utc_now
from issuance_server.schema import audit_checkpoints

CANNOT: Final = (ConfigError, KeysError, OSError, SchemaMismatch)
_LAST: Final = select(audit_checkpoints.c.note).order_by(audit_checkpoints.c.tree_size.desc()).limit(1)


@click.command("verify")
@config_option
@click.option(
    "--kept",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A checkpoint that was kept elsewhere; may be named more than once.",
)
def verify(config: Path, kept: tuple[Path, ...]) -> None:
    """Look whether a record, a checkpoint or a row was changed, left out or put in by hand. It reads only.

    One line a finding, then one JSON line. Exit codes: 0 nothing was, 1 something was. Example: madoguchi audit verify
    --config server.toml --kept monday.checkpoint
    """
    with said_in_a_line(*CANNOT), database(config) as engine:
        notes = tuple(path.read_text(encoding="utf-8") for path in kept)
        run = Verification(engine, _signer(config), utc_now(), notes)
        for found in run.run():
            click.echo(f"{found.fault}: {found.where}")
        click.echo(msgspec.json.encode(run.counts).decode())
    sys.exit(1 if run.counts.found else 0)


@click.command("checkpoint")
@config_option
@click.option("--key", "shows_key", is_flag=True, help="The key instead by which others check it, once for all.")
def checkpoint(config: Path, shows_key: bool) -> None:
    """The last signed checkpoint of all records, to be kept where this server's operator cannot reach it.

    Example: madoguchi audit checkpoint --config server.toml > monday.checkpoint
    """
    with said_in_a_line(*CANNOT), database(config) as engine:
        if shows_key:
            click.echo(_signer(config).verifier_key)
            return
        note = _last_note(engine)
    if note is None:
        raise click.ClickException("nothing is signed yet: `madoguchi beat` does it")
    click.echo(note, nl=False)


def _signer(config: Path) -> Signer:
    loaded = load(config.absolute())
    return audit_tree.Signer(loaded.audit_origin, load_audit_key(loaded.keys_folder).public_key())


def _last_note(engine: Engine) -> str | None:
    with read(engine) as connection:
        note: str | None = connection.execute(_LAST).scalar()
    return note
