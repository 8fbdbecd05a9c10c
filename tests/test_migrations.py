"""The migrations make exactly the tables that the server declares."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Engine, MetaData, Table, insert, text

from deploy.migrations import upgrade
from issuance_server.database import open_engine, read, write
from issuance_server.schema import metadata
from printing.paper import seal
from tests.databases import Databases, everything_in, stored_in
from tests.paper_samples import ISSUANCE, TAXED
from tests.verify_parts import new_key

NOW = datetime(2026, 7, 1, 3, 0)  # noqa: DTZ001 - as the older tables say it


def triggers(engine: Engine) -> dict[str, str]:
    """What a database's triggers are made of, by name."""
    of_postgresql = (
        "SELECT tgname AS name, pg_get_triggerdef(oid) || pg_get_functiondef(tgfoid) AS made_of"
        " FROM pg_trigger WHERE NOT tgisinternal"
    )
    of_sqlite = "SELECT name, sql AS made_of FROM sqlite_master WHERE type = 'trigger'"
    with read(engine) as connection:
        rows = connection.execute(text(of_sqlite if engine.dialect.name == "sqlite" else of_postgresql))
        return {row.name: row.made_of for row in rows}


def test_migrations_equal_the_declared_tables(databases: Databases) -> None:
    migrated, declared = open_engine(databases.migrated()), open_engine(databases.declared())
    with read(migrated) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert triggers(migrated) == triggers(declared)
    assert len(triggers(migrated)) == {"sqlite": 12, "postgresql": 6}[databases.name]
    migrated.dispose()
    declared.dispose()


def test_the_comparison_notices_a_missing_column(databases: Databases) -> None:
    url = databases.empty()
    upgrade(url)
    engine = open_engine(url)
    with write(engine) as connection:
        connection.execute(text("ALTER TABLE orders DROP COLUMN sheets_out"))
    with read(engine) as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    assert [(difference[0], difference[2], difference[3].name) for difference in found] == [
        ("add_column", "orders", "sheets_out")
    ]
    engine.dispose()


def test_a_second_upgrade_does_nothing(databases: Databases) -> None:
    url = databases.migrated()
    engine = open_engine(url)
    once = everything_in(engine)
    upgrade(url)
    assert everything_in(engine) == once
    engine.dispose()


def test_the_seal_of_an_older_paper_leaves_its_digest_and_no_text(databases: Databases) -> None:
    url = databases.empty()
    upgrade(url, "0002")
    engine = open_engine(url)
    seal_text = seal.sign(
        seal.content_of(TAXED, ISSUANCE, status_id=bytes(16), binding=bytes(32), salt=bytes(16)), new_key()[0]
    )
    old = Table("orders", MetaData(), autoload_with=engine)
    values = {column.name: example(column) for column in old.columns if not column.nullable}
    with write(engine) as connection:
        connection.execute(insert(old), values | {"seal_text": seal_text})
    engine.dispose()
    upgrade(url)
    engine = open_engine(url)
    with read(engine) as connection:
        digest = connection.execute(text("SELECT statement_sha256 FROM orders")).scalar_one()
    assert digest == seal.statement_digest(seal_text)
    assert seal_text[5:60].encode() not in stored_in(engine)
    engine.dispose()


def example(column: Column[Any]) -> object:
    """Some value of a column's type."""
    return {datetime: NOW, int: 1, bytes: b"1", str: "1"}[column.type.python_type]


def test_a_session_of_one_municipality_goes_on_after_the_upgrade(databases: Databases) -> None:
    url = databases.empty()
    upgrade(url, "0002")
    engine = open_engine(url)
    old = Table("sessions", MetaData(), autoload_with=engine)
    row = {
        "session_hash": b"\x01",
        "terminal_id": "T-0001",
        "key_thumbprint": b"\x02",
        "municipality_code": "999993",
        "link_digest": b"\x03",
        "holder_digest": b"\x04",
        "visit_id": "v",
        "expires_at_utc": NOW,
        "preparations": 2,
    }
    with write(engine) as connection:
        connection.execute(insert(old), row)
    engine.dispose()
    upgrade(url)
    engine = open_engine(url)
    with read(engine) as connection:
        assert connection.execute(text("SELECT * FROM session_links")).all() == [(b"\x01", "999993", b"\x03", b"\x04")]
        assert connection.execute(text("SELECT session_hash, preparations FROM sessions")).all() == [(b"\x01", 2)]
    engine.dispose()
