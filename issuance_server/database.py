"""Engines and transactions: SQLite as the embedded default, PostgreSQL for more than one server.

A transaction says at its start whether it writes. On SQLite a writing one takes the write lock at BEGIN, so that it
cannot read first, find the lock taken by another and fail half way. On PostgreSQL many write at once, and nothing rests
on isolation levels: what must hold is a constraint, an UPDATE that names the state it expects, of which one row must
change, or a terminal's turn (turns.py).

Engines are made after the fork: a connection that two processes share answers one of them with the other's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url, select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from issuance_server.schema import SCHEMA_VERSION

BUSY_TIMEOUT_MS: Final = 5_000
_IDLE_TIMEOUT_MS: Final = 10_000  # of an open transaction: a worker that stands still must not hold its locks for ever
READ_ONLY: Final = "postgresql_readonly"  # SQLAlchemy's own; on SQLite it is read when a transaction begins


class SchemaMismatch(RuntimeError):
    """The database's schema is not the one this build declares; the server refuses to start (S10)."""


def open_engine(url: str, *, read_only: bool = False) -> Engine:
    """Open an engine whose transactions are what `write` and `read` promise.

    Shape:  url as SQLAlchemy's: sqlite:////var/lib/madoguchi/issuance.db, postgresql+psycopg://role@host/database.
            read_only: it cannot write, whatever it is asked to.
    """
    options = {READ_ONLY: read_only}
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(url, execution_options=options)
        event.listen(engine, "connect", _on_sqlite_connect)
        event.listen(engine, "begin", _on_sqlite_begin)
        if read_only:
            event.listen(engine, "connect", _refuse_writes)
        return engine
    return create_engine(
        url,
        execution_options=options,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args=_postgresql(),
    )


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """One writing transaction: committed at the end, rolled back on any exception."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """One reading transaction. What must be of one moment is read by one statement."""
    with engine.connect() as connection:
        connection.execution_options(**{READ_ONLY: True})
        with connection.begin():
            yield connection


def require_schema(engine: Engine) -> None:
    """Check that the database's schema is the one this build declares; leave no connection that a fork could share.

    Errors: SchemaMismatch, also where the database cannot be asked.
    """
    try:
        with read(engine) as connection:
            try:
                found = connection.execute(select(text("version_num")).select_from(text("alembic_version"))).scalar()
            except DBAPIError:
                found = None
    except OperationalError as error:
        raise SchemaMismatch(f"the database cannot be asked: {error.orig}") from None
    finally:
        engine.dispose()
    if found != SCHEMA_VERSION:
        raise SchemaMismatch(f"schema is {found}, this build declares {SCHEMA_VERSION}: run the migrations")


def _postgresql() -> dict[str, object]:
    """What libpq is told: how long to wait, and that a commit is on the disk, whatever the cluster's defaults are."""
    settings = {
        "lock_timeout": BUSY_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": _IDLE_TIMEOUT_MS,
        "synchronous_commit": "on",
        "timezone": "UTC",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return {"options": options, "connect_timeout": 5, "tcp_user_timeout": 10_000}


def _on_sqlite_connect(dbapi_connection: Any, _record: Any) -> None:
    # isolation_level None: the driver must not open transactions by itself; _on_sqlite_begin does.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _refuse_writes(dbapi_connection: Any, _record: Any) -> None:
    cursor = dbapi_connection.cursor()
    cursor.execute("PRAGMA query_only = ON")
    cursor.close()


def _on_sqlite_begin(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(READ_ONLY, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
