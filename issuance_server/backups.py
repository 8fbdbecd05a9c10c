"""Backups of the database while it is in use, and what is known to be in one.

Terminals learn through which of their events a backup has them: what comes after is still theirs to tell again, should
the server be lost. An SQLite is copied by its own means, a PostgreSQL dumped by pg_dump (its custom format, which
pg_restore reads); what is noted of either was read in the very snapshot that was kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, select, text, update

from issuance_server.database import open_engine, read, write
from issuance_server.schema import terminals

_ACCEPTED: Final = select(terminals.c.terminal_id, terminals.c.accepted_through)
_COVER: Final = (
    update(terminals)
    .where(
        terminals.c.terminal_id == bindparam("terminal"),
        terminals.c.accepted_through >= bindparam("through"),
        terminals.c.backed_up_through < bindparam("through"),
    )
    .values(backed_up_through=bindparam("through"))
)


class CannotBackUp(Exception):
    """No backup was made; the message says why."""


def back_up(engine: Engine, to: Path) -> None:
    """Copy the database into a new file, see that it is on the disk, and note what it has.

    Errors: CannotBackUp.
    """
    if to.exists():
        raise CannotBackUp(f"{to}: exists; a backup is never written over another")
    unfinished = to.with_name(f".{to.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    copy = _copy_sqlite if engine.dialect.name == "sqlite" else _dump_postgresql
    try:
        has = copy(engine, unfinished)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(to)
        folder = os.open(to.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (sqlite3.Error, OSError) as error:
        raise CannotBackUp(f"{to}: {error}") from error
    with write(engine) as connection:
        covers(connection, has)


def _copy_sqlite(engine: Engine, to: Path) -> dict[str, int]:
    with (
        contextlib.closing(sqlite3.connect(str(engine.url.database))) as live,
        contextlib.closing(sqlite3.connect(to)) as copy,
    ):
        live.backup(copy)
    backup = open_engine(f"sqlite:///{to}", read_only=True)
    with read(backup) as connection:
        has = accepted(connection)
    backup.dispose()
    return has


def _dump_postgresql(engine: Engine, to: Path) -> dict[str, int]:
    program = shutil.which("pg_dump")
    if program is None:
        raise CannotBackUp("pg_dump is not installed: it is in Debian's package postgresql-client")
    url = engine.url.set(drivername="postgresql", password=None)
    # In the environment: a command line can be read by every user of the machine.
    secret = {"PGPASSWORD": engine.url.password} if engine.url.password else {}
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        # The snapshot is this transaction's, which waits for as long as the dump takes.
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        has = accepted(connection)
        command = [program, "--format=custom", f"--snapshot={snapshot}", f"--file={to}", f"--dbname={url}"]
        done = subprocess.run(command, env={**os.environ, **secret}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        to.unlink(missing_ok=True)
        raise CannotBackUp(f"pg_dump ended with {done.returncode}: {done.stderr.strip()}")
    return has


def accepted(connection: Connection) -> dict[str, int]:
    """Return through which event a database has each terminal's."""
    return {row.terminal_id: row.accepted_through for row in connection.execute(_ACCEPTED)}


def covers(connection: Connection, has: dict[str, int]) -> None:
    """Note what a backup has; it never falls."""
    for terminal_id, through in has.items():
        connection.execute(_COVER, {"terminal": terminal_id, "through": through})
