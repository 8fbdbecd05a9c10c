"""Transactions: what each database holds of itself, and what it does not; the schema is declared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from deploy.migrations import upgrade
from issuance_server.database import SchemaMismatch, open_engine, read, require_schema, write
from tests.databases import Cluster, Databases, PostgresDatabases, SqliteDatabases

Begin = Callable[[Engine], AbstractContextManager[Connection]]
VALUE = text("SELECT value FROM counter WHERE id = 1")
SET = text("UPDATE counter SET value = :value WHERE id = 1")
SET_IF_UNCHANGED = text("UPDATE counter SET value = :value WHERE id = 1 AND value = :value - 1")


def counter_in(url: str) -> Engine:
    """A table with two numbers, both 0."""
    engine = open_engine(url)
    with write(engine) as connection:
        connection.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO counter VALUES (1, 0), (2, 0)"))
    return engine


@pytest.fixture
def counter(databases: Databases) -> Iterator[Engine]:
    """That table on either database."""
    engine = counter_in(databases.empty())
    yield engine
    engine.dispose()


@pytest.fixture
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """That table on SQLite."""
    engine = counter_in(SqliteDatabases(tmp_path_factory.mktemp("sqlite")).empty())
    yield engine
    engine.dispose()


@pytest.fixture
def on_postgresql(cluster: Cluster) -> Iterator[Engine]:
    """That table on PostgreSQL."""
    databases = PostgresDatabases(cluster)
    engine = counter_in(databases.empty())
    yield engine
    engine.dispose()
    databases.close()


def test_sqlite_is_opened_durably(on_sqlite: Engine) -> None:
    with read(on_sqlite) as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


@pytest.mark.parts
def test_postgresql_is_opened_durably_whatever_its_defaults_are(on_postgresql: Engine) -> None:
    careless = {"synchronous_commit": "off", "default_transaction_isolation": "serializable", "lock_timeout": "0"}
    with write(on_postgresql) as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        for setting, value in careless.items():
            connection.execute(text(f"ALTER DATABASE {name} SET {setting} = '{value}'"))
    on_postgresql.dispose()

    def shown(engine: Engine) -> list[str]:
        with engine.begin() as connection:
            names = ("synchronous_commit", "transaction_isolation", "lock_timeout")
            return [connection.execute(text(f"SHOW {name}")).scalar_one() for name in names]

    assert shown(on_postgresql) == ["on", "read committed", "5s"]
    plain = create_engine(on_postgresql.url)  # guard off: as the database's administrator left it
    assert shown(plain) == ["off", "serializable", "0"]
    plain.dispose()


def test_an_exception_rolls_the_whole_transaction_back(counter: Engine) -> None:
    def change_then_fail() -> None:
        with write(counter) as connection:
            connection.execute(SET, {"value": 7})
            connection.execute(text("INSERT INTO counter VALUES (1, 0)"))

    with pytest.raises(IntegrityError):
        change_then_fail()
    assert value_in(counter) == 0


def value_in(engine: Engine) -> int:
    with read(engine) as connection:
        return int(connection.execute(VALUE).scalar_one())


def raised_by_two(
    engine: Engine, begin: Begin, *, meet_before_begin: bool = False, raise_by: object = SET
) -> tuple[int, list[str]]:
    """Two threads read a number, both, and write it one higher; return what it is then and who could not."""
    both = threading.Barrier(2, timeout=10)
    failures: list[str] = []

    def raise_by_one() -> None:
        try:
            if meet_before_begin:
                both.wait()
            with begin(engine) as connection:
                value = connection.execute(VALUE).scalar_one()
                if not meet_before_begin:
                    both.wait()
                changed = connection.execute(raise_by, {"value": value + 1})  # type: ignore[call-overload]
                if changed.rowcount != 1:
                    failures.append("another was quicker")
        except OperationalError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=raise_by_one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return value_in(engine), failures


def test_on_sqlite_a_writer_without_the_lock_at_begin_fails_half_way(on_sqlite: Engine) -> None:
    value, failures = raised_by_two(on_sqlite, read)  # `read` begins without the lock
    assert (value, len(failures)) == (1, 1)


def test_on_sqlite_both_writers_succeed_with_the_lock_at_begin(on_sqlite: Engine) -> None:
    assert raised_by_two(on_sqlite, write, meet_before_begin=True) == (2, [])


@pytest.mark.parts
def test_on_postgresql_a_transaction_alone_loses_what_another_wrote(on_postgresql: Engine) -> None:
    assert raised_by_two(on_postgresql, write) == (1, [])


@pytest.mark.parts
def test_on_postgresql_an_update_that_names_what_it_expects_loses_nothing(on_postgresql: Engine) -> None:
    assert raised_by_two(on_postgresql, write, raise_by=SET_IF_UNCHANGED) == (1, ["another was quicker"])


@pytest.mark.parts
def test_on_postgresql_a_reading_transaction_cannot_write(on_postgresql: Engine) -> None:
    with pytest.raises(DBAPIError, match="read-only"), read(on_postgresql) as connection:
        connection.execute(SET, {"value": 1})
    with write(on_postgresql) as connection:  # the same connection, given back: it is a writer's again
        connection.execute(SET, {"value": 1})
    assert value_in(on_postgresql) == 1


@pytest.mark.parts
def test_whoever_waits_too_long_for_a_lock_or_for_each_other_is_told_that_the_database_is_busy(
    on_postgresql: Engine,
) -> None:
    """OperationalError is what the application answers BUSY to."""

    def change(connection: Connection, number: int) -> None:
        connection.execute(text("UPDATE counter SET value = value + 1 WHERE id = :id"), {"id": number})

    with write(on_postgresql) as first:
        change(first, 1)
        at_once = text("SET LOCAL lock_timeout = '10ms'; UPDATE counter SET value = value + 1 WHERE id = 1")
        with pytest.raises(OperationalError, match="lock timeout"), write(on_postgresql) as second:
            second.execute(at_once)

    both_hold_one = threading.Barrier(2, timeout=10)
    told: list[str] = []

    def one_then_the_other(numbers: tuple[int, int]) -> None:
        try:
            with write(on_postgresql) as connection:
                connection.execute(text("SET LOCAL deadlock_timeout = '10ms'"))
                change(connection, numbers[0])
                both_hold_one.wait()
                change(connection, numbers[1])
        except OperationalError as error:
            told.append(str(error.orig))

    threads = [threading.Thread(target=one_then_the_other, args=(order,)) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert ["deadlock detected" in error for error in told] == [True]


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all.db", "postgresql+psycopg://nobody@/none?host=/nowhere"])
def test_a_database_that_cannot_be_asked_is_no_reason_for_a_traceback(url: str) -> None:
    with pytest.raises(SchemaMismatch, match="cannot be asked"):
        require_schema(open_engine(url))


def test_s10_the_declared_schema_is_accepted_and_any_other_refused(databases: Databases) -> None:
    """S10."""
    url = databases.empty()
    engine = open_engine(url)
    with pytest.raises(SchemaMismatch, match="schema is None"):
        require_schema(engine)
    upgrade(url)
    require_schema(engine)
    with write(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(SchemaMismatch, match="schema is 0000"):
        require_schema(engine)
    engine.dispose()
