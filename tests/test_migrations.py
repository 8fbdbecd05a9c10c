"""The migrations make exactly the tables that the server declares."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from deploy.migrations import upgrade
from issuance_server.database import open_engine, read, write
from issuance_server.schema import metadata
from printing.paper import seal
from tests.paper_samples import ISSUANCE, TAXED
from tests.verify_parts import new_key

NOW = "2026-07-01 03:00:00.000000"


def triggers(engine: Engine) -> dict[str, str]:
    with read(engine) as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        return {row.name: row.sql for row in rows}


def test_migrations_equal_the_declared_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'migrated.db'}"
    upgrade(url)
    migrated = open_engine(url)
    with read(migrated) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    declared = open_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    with write(declared) as connection:
        metadata.create_all(connection)
    assert triggers(migrated) == triggers(declared)
    assert len(triggers(migrated)) == 10
    migrated.dispose()
    declared.dispose()


def test_the_comparison_notices_a_missing_column(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'altered.db'}"
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


def test_a_second_upgrade_does_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'twice.db'}"
    upgrade(url)
    once = (tmp_path / "twice.db").read_bytes()
    upgrade(url)
    assert (tmp_path / "twice.db").read_bytes() == once


def test_the_seal_of_an_older_paper_leaves_its_digest_and_no_text(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'older.db'}"
    upgrade(url, "0002")
    engine = open_engine(url)
    seal_text = seal.sign(
        seal.content_of(TAXED, ISSUANCE, status_id=bytes(16), binding=bytes(32), salt=bytes(16)), new_key()[0]
    )
    with write(engine) as connection:
        columns = [column for column in inspect(connection).get_columns("orders") if not column["nullable"]]
        values = {column["name"]: NOW if "utc" in column["name"] else "1" for column in columns}
        values |= {"seal_text": seal_text}
        insert = f"INSERT INTO orders ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})"  # noqa: S608 - the columns' own names
        connection.execute(text(insert), values)
    engine.dispose()
    upgrade(url)
    engine = open_engine(url)
    with read(engine) as connection:
        digest = connection.execute(text("SELECT statement_sha256 FROM orders")).scalar_one()
    engine.dispose()
    assert digest == seal.statement_digest(seal_text)
    assert seal_text[5:60].encode() not in (tmp_path / "older.db").read_bytes()


def test_a_session_of_one_municipality_goes_on_after_the_upgrade(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    upgrade(url, "0002")
    engine = open_engine(url)
    with write(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO sessions (session_hash, terminal_id, key_thumbprint, municipality_code, link_digest,"
                " holder_digest, visit_id, expires_at_utc, preparations)"
                " VALUES (x'01', 'T-0001', x'02', '999993', x'03', x'04', 'v', '2026-01-01 00:00:00', 2)"
            )
        )
    engine.dispose()
    upgrade(url)
    engine = open_engine(url)
    with read(engine) as connection:
        assert connection.execute(text("SELECT * FROM session_links")).all() == [(b"\x01", "999993", b"\x03", b"\x04")]
        assert connection.execute(text("SELECT session_hash, preparations FROM sessions")).all() == [(b"\x01", 2)]
    engine.dispose()
