"""Disks that lose what was not synced: SQLite in memory, cut at a commit.

A commit counts as synced only where the connection itself says `synchronous = FULL`: whatever is looser keeps what it
had when it was opened, the worst that a disk may do. What was committed under FULL is the same at the cut as it was at
the last commit, since nothing is cut in the middle of a transaction; so it is copied once, at the cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Engine

from issuance_server import database
from terminal import journal as journals
from terminal.journal import Journal
from tests.simulation.hub import Killed
from tests.simulation.statements import FastConnection, Statements

_MEMORY = ":memory:"
_FULL = 2


class Disk:
    """One file as it would be found after a cut."""

    def __init__(self, image: bytes) -> None:
        self._image = image

    def load(self, connection: sqlite3.Connection) -> None:
        """Fill a new connection; by backup, which leaves its pragmas alone, as `deserialize` would not."""
        copy(self._image, connection)

    def cut(self, connection: sqlite3.Connection) -> None:
        """Keep what is safe."""
        if connection.in_transaction:
            connection.rollback()
        if connection.execute("pragma synchronous").fetchone()[0] >= _FULL:
            self._image = connection.serialize()


def copy(image: bytes, connection: sqlite3.Connection) -> None:
    """Put a serialized database into a connection."""
    source = sqlite3.connect(_MEMORY)
    source.deserialize(image)
    source.backup(connection)
    source.close()


class SimJournal(Journal):
    """The real journal on a disk that is cut: `before` and `after` stand around every commit and may raise `Killed`."""

    def __init__(
        self, disk: Disk, now_utc: Callable[[], datetime], before: Callable[[], None], after: Callable[[], None]
    ) -> None:
        self.dead = False
        self.full = False
        self._disk = disk
        self._before, self._after = before, after
        with _opening(disk):
            super().__init__(Path(_MEMORY), now_utc)

    def _write(self, write: Callable[[], Any]) -> Any:
        if self.dead:
            raise Killed
        if self.full:
            write = _take_no_row
        self._before()
        written = super()._write(write)
        self._after()
        return written

    def cut(self) -> None:
        """The terminal's power is gone."""
        self.dead = True
        self._disk.cut(self._db.conn)
        self._db.close()


def _take_no_row() -> None:
    raise sqlite3.OperationalError("database or disk is full")


class _Connecting(ModuleType):
    """The sqlite3 module as the journal sees it, with one disk in it."""

    def __init__(self, disk: Disk) -> None:
        super().__init__("sqlite3")
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)

    def connect(self, path: Path, **options: Any) -> sqlite3.Connection:
        assert str(path) == _MEMORY
        connection = sqlite3.connect(_MEMORY, **options)
        self._disk.load(connection)
        return connection


@contextmanager
def _opening(disk: Disk) -> Iterator[None]:
    """Have the journal's own `open_database` open this disk: its pragmas are what is tried here."""
    journals.sqlite3 = _Connecting(disk)  # type: ignore[assignment, attr-defined]
    try:
        yield
    finally:
        journals.sqlite3 = sqlite3  # type: ignore[attr-defined]


@cache
def new_journal() -> bytes:
    """Return the image of a journal in which nothing stands yet."""
    journal = Journal(Path(_MEMORY))
    image = journal._db.conn.serialize()
    journal.close()
    return image


class ServerDisk:
    """The servers' one database: engine and compiled statements stay from seed to seed, the rows do not."""

    can_be_cut = True

    def __init__(self, template: bytes) -> None:
        self._template = template
        self.engine: Engine = database.open_engine("sqlite://")
        self._statements = Statements(self.engine.dialect)
        self._raw = self._opened()
        self._disk = Disk(template)

    def begin(self) -> None:
        """Begin a seed with the town as it was written."""
        self._disk = Disk(self._template)
        self._disk.load(self._raw)

    def cut(self) -> None:
        """The machine of the database loses its power, and comes back."""
        self._disk.cut(self._raw)
        self.engine.dispose()
        self._raw = self._opened()
        self._disk.load(self._raw)

    def connect(self) -> FastConnection:
        """Return a connection whose statements take the short way."""
        return FastConnection(self._statements, self._raw, self._begin)

    def _begin(self, reads_only: bool) -> None:
        self._raw.execute("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    def _opened(self) -> sqlite3.Connection:
        fairy = self.engine.raw_connection()
        connection = fairy.driver_connection
        fairy.close()
        assert isinstance(connection, sqlite3.Connection)
        return connection


class SimEngine:
    """An engine whose transactions stand between two switch points: `pause` is called before and after each."""

    def __init__(self, connect: Callable[[], Any], pause: Callable[[], None]) -> None:
        self._connect = connect
        self._pause = pause

    def connect(self) -> _Paused:
        return _Paused(self._connect, self._pause)


class _Paused:
    def __init__(self, connect: Callable[[], Any], pause: Callable[[], None]) -> None:
        self._connect, self._pause = connect, pause

    def __enter__(self) -> Any:
        self._pause()
        self._connection = self._connect()
        return self._connection

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._connection.close()
        if kind is None:
            self._pause()
