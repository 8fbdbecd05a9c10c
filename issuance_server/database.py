"""Engines and transactions: SQLite as the embedded default, PostgreSQL for more than one server.

A transaction says at its start whether it writes. On SQLite a writing one takes the write lock at BEGIN, so that it
cannot read first, find the lock taken by another and fail half way. Nothing rests on isolation levels: what must hold
is a constraint, or an UPDATE that names the state it expects, and one row must change.

Engines are made after the fork: a connection that two processes share answers one of them with the other's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.exc import DBAPIError

from issuance_server.schema import SCHEMA_VERSION

BUSY_TIMEOUT_MS = 5_000
_READ_ONLY = "madoguchi_read_only"


class SchemaMismatch(RuntimeError):
    """The database's schema is not the one this build declares; the server refuses to start (S10)."""


def open_engine(url: str) -> Engine:
    """Open an engine whose transactions are what `write` and `read` promise.

    Shape:  url as SQLAlchemy's, for example sqlite:////var/lib/madoguchi/issuance.db.
    """
    engine = create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
    return engine


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: committed at the end, rolled back on any exception."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """One reading transaction. What must be of one moment is read by one statement."""
    with engine.connect() as connection:
        connection.execution_options(**{_READ_ONLY: True})
        with connection.begin():
            yield connection


def require_schema(engine: Engine) -> None:
    """Check that the database's schema is the one this build declares.

    Errors: SchemaMismatch.
    """
    with read(engine) as connection:
        try:
            found = connection.execute(select(text("version_num")).select_from(text("alembic_version"))).scalar()
        except DBAPIError:
            found = None
    if found != SCHEMA_VERSION:
        raise SchemaMismatch(f"schema is {found}, this build declares {SCHEMA_VERSION}: run the migrations")


def _on_sqlite_connect(dbapi_connection: Any, _record: Any) -> None:
    # isolation_level None: the driver must not open transactions by itself; _on_sqlite_begin does.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _on_sqlite_begin(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
