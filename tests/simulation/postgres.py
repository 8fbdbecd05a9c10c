"""The servers' one database on a real PostgreSQL, emptied for each seed; its machine is never cut."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from sqlalchemy import delete, insert, select, text

from deploy.demo.town_store import GO_ON
from issuance_server import database
from issuance_server.schema import metadata
from tests.simulation.disk import ServerDisk
from tests.simulation.statements import FastConnection, Statements

_EMPTY: Final = "; ".join(str(delete(table)) for table in metadata.sorted_tables)


class PostgresDisk:
    """What `ServerDisk` is on SQLite."""

    can_be_cut = False

    def __init__(self, url: str, template: bytes) -> None:
        """url: a database with the tables, of a role that may leave triggers out."""
        self.engine = database.open_engine(url)
        self._rows = _rows_of(template)
        self._statements = Statements(self.engine.dialect)
        raw = self.engine.raw_connection().driver_connection
        assert isinstance(raw, psycopg.Connection)
        self._raw = raw

    def begin(self) -> None:
        """Begin a seed with the town as it was written."""
        with database.write(self.engine) as connection:
            # Neither triggers nor foreign keys.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text(_EMPTY))
            for table, rows in self._rows:
                connection.execute(insert(table), rows)
            connection.execute(text(GO_ON))

    def cut(self) -> None:
        """Errors: AssertionError; what PostgreSQL does after a power cut is its own."""
        raise AssertionError("this database is not cut")

    def connect(self) -> FastConnection:
        """Return a connection whose statements take the short way."""
        return FastConnection(self._statements, self._raw, self._begin)

    def _begin(self, reads_only: bool) -> None:
        self._raw.read_only = reads_only  # the driver begins the transaction with its first statement

    def close(self) -> None:
        """Let go of the database."""
        self._raw.close()
        self.engine.dispose()


def _rows_of(template: bytes) -> list[tuple[Any, list[dict[str, Any]]]]:
    disk = ServerDisk(template)
    disk.begin()
    with database.read(disk.engine) as connection:
        found = [
            (table, [dict(row._mapping) for row in connection.execute(select(table))])
            for table in metadata.sorted_tables
        ]
    disk.engine.dispose()
    return [(table, rows) for table, rows in found if rows]
