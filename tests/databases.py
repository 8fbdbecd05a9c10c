"""Databases for tests, on SQLite and on a real PostgreSQL: each test has fresh ones, and leaves none behind."""

from __future__ import annotations

import itertools
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, Self

import pytest
from sqlalchemy import Engine, NullPool, Pool, create_engine, delete, event, inspect, make_url, select, text

from deploy import migrations
from deploy.demo.postgres import PrivatePostgres
from issuance_server.database import open_engine, read, write
from issuance_server.schema import metadata

#: For a fixture's `params`. PostgreSQL is a real part: `make check` does without.
DATABASES: Final = ("sqlite", pytest.param("postgresql", marks=pytest.mark.parts))


def declare(url: str) -> None:
    """Make the tables as the server declares them."""
    engine = open_engine(url)
    with write(engine) as connection:
        metadata.create_all(connection)
    engine.dispose()


class Databases(Protocol):
    """Where a test's databases come from."""

    name: str

    def empty(self) -> str:
        """Make an empty database and return its URL."""

    def declared(self) -> str:
        """Make one with the tables as the server declares them."""

    def migrated(self) -> str:
        """Make one with the tables as the migrations make them. Who changes tables upgrades an empty one."""

    def keep(self, url: str) -> None:
        """Keep a copy of an `empty` one as it is now. Nobody may be connected to it."""

    def lose(self, url: str) -> None:
        """Put the copy that was kept in its place."""


class SqliteDatabases:
    """Files in a folder."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def empty(self) -> str:
        return f"sqlite:///{self._folder / f'test{next(self._numbers)}.db'}"

    def declared(self) -> str:
        return self._made_by(declare)

    def migrated(self) -> str:
        return self._made_by(migrations.upgrade)

    def keep(self, url: str) -> None:
        shutil.copy(_file_of(url), _file_of(url).with_suffix(".kept"))

    def lose(self, url: str) -> None:
        file = _file_of(url)
        kept = file.with_suffix(".kept")
        for part in file.parent.glob(f"{file.name}*"):
            part.unlink()
        shutil.copy(kept, file)

    def _made_by(self, make: Callable[[str], None]) -> str:
        url = self.empty()
        if make.__name__ not in _IMAGES:
            make(url)
            file = _file_of(url)
            assert list(file.parent.glob(f"{file.name}*")) == [file], "whoever made it has closed it"
            _IMAGES[make.__name__] = file.read_bytes()
        else:
            _file_of(url).write_bytes(_IMAGES[make.__name__])
        return url


#: Files with the tables, by what made them: to make them anew for each test would take longer than most tests.
_IMAGES: Final[dict[str, bytes]] = {}


def _file_of(url: str) -> Path:
    return Path(str(make_url(url).database))


class Cluster:
    """One PostgreSQL for a test run's worker. A database with tables is emptied and used again: making one is slow."""

    def __init__(self, postgres: PrivatePostgres) -> None:
        self._postgres = postgres
        self._numbers = itertools.count(1)
        self._free: defaultdict[str, list[str]] = defaultdict(list)

    def empty(self) -> tuple[str, str]:
        """Return (name, URL) of a new database."""
        name = f"test{next(self._numbers)}"
        return name, self._postgres.create(name)

    def made_by(self, make: Callable[[str], None]) -> str:
        """Return the URL of a database that this made, and that holds nothing of an earlier test."""
        if self._free[make.__name__]:
            return self._free[make.__name__].pop()
        _name, url = self.empty()
        make(url)
        return url

    def copy(self, database: str, name: str) -> None:
        """Make a database that is another as it is now."""
        self._postgres.copy(database, name)

    def drop(self, name: str) -> None:
        """Remove a database."""
        self._postgres.drop(name)

    def give_back(self, make: Callable[[str], None], url: str) -> None:
        """Empty a database for the next test; one whose tables a test changed must be `empty()` to begin with."""
        engine = create_engine(url, poolclass=NullPool, connect_args={"options": "-c lock_timeout=5000"})
        with engine.begin() as connection:  # a test that left a transaction open fails here
            # Neither triggers nor foreign keys.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("; ".join(str(delete(table)) for table in metadata.sorted_tables)))
        self._free[make.__name__].append(url)


class PostgresDatabases:
    """Databases of one cluster; `close` gives them back."""

    name = "postgresql"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._empty: list[str] = []
        self._made: list[tuple[Callable[[str], None], str]] = []

    def empty(self) -> str:
        name, url = self._cluster.empty()
        self._empty.append(name)
        return url

    def declared(self) -> str:
        return self._made_by(declare)

    def migrated(self) -> str:
        return self._made_by(migrations.upgrade)

    def keep(self, url: str) -> None:
        name = str(make_url(url).database)
        self._cluster.copy(name, f"{name}kept")
        self._empty.append(f"{name}kept")

    def lose(self, url: str) -> None:
        name = str(make_url(url).database)
        self._cluster.drop(name)
        self._cluster.copy(f"{name}kept", name)

    def close(self) -> None:
        """Remove those that were empty, and give the others back."""
        for name in self._empty:
            self._cluster.drop(name)
        for make, url in self._made:
            self._cluster.give_back(make, url)

    def _made_by(self, make: Callable[[str], None]) -> str:
        url = self._cluster.made_by(make)
        self._made.append((make, url))
        return url


def everything_in(engine: Engine) -> bytes:
    """Every value of every table, one after the other; rows have no order of their own."""
    rows: list[bytes] = []
    with read(engine) as connection:
        for name in sorted(inspect(connection).get_table_names()):
            found = connection.execute(select(text("*")).select_from(text(f'"{name}"')))
            rows += sorted(b"|".join(_as_bytes(value) for value in row) for row in found)
    return b"\n".join(rows)


def _as_bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def stored_in(engine: Engine) -> bytes:
    """The same as it is stored: of SQLite the files, with what was deleted in them."""
    if engine.dialect.name != "sqlite":
        return everything_in(engine)
    engine.dispose()
    file = Path(str(engine.url.database))
    return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))


class Plans:
    """How a database answers what it is asked meanwhile; a small table would be read whole, so that is forbidden."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: list[tuple[str, Any]] = []

    def __enter__(self) -> Self:
        event.listen(self._engine, "before_cursor_execute", self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._hear)

    def of(self, begin: str) -> str:
        """Return the plan of the first statement that begins so."""
        sql, values = next(asked for asked in self._asked if asked[0].startswith(begin))
        with read(self._engine) as connection:
            if self._engine.dialect.name == "sqlite":
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)
                return "\n".join(row.detail for row in rows)
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            return "\n".join(connection.exec_driver_sql(f"EXPLAIN {sql}", values).scalars())

    def _hear(self, _connection: object, _cursor: object, sql: str, values: object, *_: object) -> None:
        self._asked.append((sql, values))


def reads_whole(plan: str, table: str) -> bool:
    """Tell whether a table is read from its first row to its last."""
    return re.search(rf"^SCAN {table}(?! USING)|Seq Scan on {table}", plan, re.MULTILINE) is not None


@contextmanager
def connections_closed() -> Iterator[None]:
    """Close at the end what was opened meanwhile: an application's own connections last as long as its process."""
    opened: list[Any] = []

    def note(connection: Any, _record: object) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", note)
    try:
        yield
    finally:
        event.remove(Pool, "connect", note)
        for connection in opened:
            connection.close()


@contextmanager
def databases_for(request: pytest.FixtureRequest, folder: Path) -> Iterator[Databases]:
    """What a fixture with `params=DATABASES` gives, whatever its scope is."""
    if request.param == SqliteDatabases.name:
        yield SqliteDatabases(folder)
        return
    made = PostgresDatabases(request.getfixturevalue("cluster"))
    yield made
    made.close()
