"""Transactions: a writing one holds the lock from its start, a reading one holds nothing; the schema is declared."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from deploy.migrations import upgrade
from issuance_server.database import SchemaMismatch, open_engine, read, require_schema, write


def counter_database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'counter.db'}"
    engine = open_engine(url)
    with write(engine) as connection:
        connection.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO counter VALUES (1, 0)"))
    engine.dispose()
    return url


def test_sqlite_is_opened_durably(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with read(engine) as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    engine.dispose()


def test_an_exception_rolls_the_whole_transaction_back(tmp_path: Path) -> None:
    engine = open_engine(counter_database(tmp_path))

    def change_then_fail() -> None:
        with write(engine) as connection:
            connection.execute(text("UPDATE counter SET value = 7"))
            connection.execute(text("INSERT INTO counter VALUES (1, 0)"))

    with pytest.raises(IntegrityError):
        change_then_fail()
    with read(engine) as connection:
        assert connection.execute(text("SELECT value FROM counter")).scalar() == 0
    engine.dispose()


def read_then_write(tmp_path: Path, *, locked_at_begin: bool) -> tuple[int, int]:
    """Two threads read a counter at the same time and write it one higher; return (value, failures)."""
    url = counter_database(tmp_path)
    engine = open_engine(url)
    both_have_begun = threading.Barrier(2, timeout=10)
    failures: list[str] = []

    def raise_by_one() -> None:
        transaction = write if locked_at_begin else read  # `read` begins without the lock
        try:
            if locked_at_begin:
                both_have_begun.wait()
            with transaction(engine) as connection:
                value = connection.execute(text("SELECT value FROM counter")).scalar_one()
                if not locked_at_begin:
                    both_have_begun.wait()
                connection.execute(text("UPDATE counter SET value = :value"), {"value": value + 1})
        except OperationalError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=raise_by_one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    with read(engine) as connection:
        value = connection.execute(text("SELECT value FROM counter")).scalar_one()
    engine.dispose()
    return value, len(failures)


def test_without_the_lock_at_begin_a_writer_fails_half_way(tmp_path: Path) -> None:
    assert read_then_write(tmp_path, locked_at_begin=False) == (1, 1)


def test_with_the_lock_at_begin_both_writers_succeed(tmp_path: Path) -> None:
    assert read_then_write(tmp_path, locked_at_begin=True) == (2, 0)


def test_the_declared_schema_is_accepted_and_any_other_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'b.db'}"
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
