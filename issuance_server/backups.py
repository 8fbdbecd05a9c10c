"""Backups of an SQLite database while it is in use, and what is known to be in one.

Terminals learn through which of their events a backup has them: what comes after is still theirs to tell again, should
the server be lost. PostgreSQL has means of its own (base backups and its log); `covers` is for whoever checks those.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, select, update

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
    if engine.dialect.name != "sqlite":
        raise CannotBackUp("this copies SQLite; a PostgreSQL is backed up by its own means")
    if to.exists():
        raise CannotBackUp(f"{to}: exists; a backup is never written over another")
    unfinished = to.with_name(f".{to.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        with (
            contextlib.closing(sqlite3.connect(str(engine.url.database))) as live,
            contextlib.closing(sqlite3.connect(unfinished)) as copy,
        ):
            live.backup(copy)
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(to)
    except (sqlite3.Error, OSError) as error:
        raise CannotBackUp(f"{to}: {error}") from error
    backup = open_engine(f"sqlite:///{to}", read_only=True)
    with read(backup) as connection:
        has = accepted(connection)
    backup.dispose()
    with write(engine) as connection:
        covers(connection, has)


def accepted(connection: Connection) -> dict[str, int]:
    """Return through which event a database has each terminal's."""
    return {row.terminal_id: row.accepted_through for row in connection.execute(_ACCEPTED)}


def covers(connection: Connection, has: dict[str, int]) -> None:
    """Note what a backup has; it never falls."""
    for terminal_id, through in has.items():
        connection.execute(_COVER, {"terminal": terminal_id, "through": through})
