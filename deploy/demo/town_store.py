"""The town's database where a run uses it: a file of its own, or a PostgreSQL of its own for more than one server."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import insert, select, text

from deploy import migrations
from deploy.demo.postgres import PrivatePostgres
from issuance_server.database import open_engine, read, write
from issuance_server.schema import metadata

_ROWS_AT_ONCE: Final = 1_000
#: On PostgreSQL: what rows from elsewhere took from a sequence is taken.
GO_ON: Final = (
    "SELECT setval(pg_get_serial_sequence('audit_records', 'number'), (SELECT max(number) FROM audit_records))"
)


class DatabaseKind(StrEnum):
    """Which database a town runs on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@contextlib.contextmanager
def placed(kind: DatabaseKind, town_file: Path, run: Path) -> Iterator[tuple[str, PrivatePostgres | None]]:
    """Copy the town's database to where this run uses it; yield its URL, and its PostgreSQL if it is one.

    The file stays when the town is down; PostgreSQL's data do not.
    """
    if kind is DatabaseKind.SQLITE:
        _copy_file(town_file, run / town_file.name)
        yield f"sqlite:///{run / town_file.name}", None
        return
    with PrivatePostgres(durable=True) as postgres:
        url = postgres.create("town")
        migrations.upgrade(url)
        _copy_rows(f"sqlite:///{town_file}", url)
        yield url, postgres


def _copy_file(source: Path, target: Path) -> None:
    """Copy by SQLite's own backup, which also takes what may still stand in a write-ahead log."""
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _copy_rows(source_url: str, target_url: str) -> None:
    source, target = open_engine(source_url, read_only=True), open_engine(target_url)
    with read(source) as old, write(target) as new:
        for table in metadata.sorted_tables:
            for rows in old.execute(select(table)).mappings().partitions(_ROWS_AT_ONCE):
                new.execute(insert(table), [dict(row) for row in rows])
        new.execute(text(GO_ON))
    source.dispose()
    target.dispose()
