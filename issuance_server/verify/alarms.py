"""Alarms of the check: a key signed what no ledger knows, so it is stolen, or a ledger lost what it issued.

The check may read the ledger and write nothing there. Its alarms go to a file of their own: one row for a key and a
minute, counted, so that whoever holds such a paper cannot fill a disk. Of the paper nothing is kept but whose key it
was. The first of each minute is a line of the log as well, for whoever is on call.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, bindparam, select, text
from sqlalchemy.exc import DBAPIError

from issuance_server.database import open_engine, read, write
from issuance_server.logs import where
from issuance_server.rules import Clock, utc_now
from issuance_server.schema import UtcDateTime
from protocol.trust import SealKeyTrust

_metadata: Final = MetaData()
_alarms: Final = Table(
    "check_alarms",
    _metadata,
    Column("municipality_code", String(6), primary_key=True),
    Column("key_id", String(64), primary_key=True),
    Column("minute_utc", UtcDateTime, primary_key=True),
    Column("seen", Integer, nullable=False),
)
_COUNT: Final = text(
    "INSERT INTO check_alarms (municipality_code, key_id, minute_utc, seen) VALUES (:code, :key_id, :minute, 1)"
    " ON CONFLICT (municipality_code, key_id, minute_utc) DO UPDATE SET seen = check_alarms.seen + 1 RETURNING seen"
).bindparams(bindparam("minute", type_=UtcDateTime()))


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """How often in one minute a valid seal of this key had no order."""

    municipality_code: str
    key_id: str
    minute_utc: datetime
    seen: int


class AlarmBook:
    """The file of alarms; it is made when it is missing."""

    def __init__(self, file: Path, clock: Clock = utc_now) -> None:
        self._file = file
        self._clock = clock
        self._opened: Engine | None = None

    def tell(self, key: SealKeyTrust) -> bool:
        """Write an alarm down; False if that failed, so that nobody is told that it was. The log has it either way."""
        now_utc = self._clock()
        minute = now_utc - timedelta(seconds=now_utc.second, microseconds=now_utc.microsecond)
        values = {"code": key.municipality_code, "key_id": key.key_id, "minute": minute}
        about = {
            "reason": "valid_seal_without_order",
            "municipality_code": key.municipality_code,
            "key_id": key.key_id,
        }
        try:
            with write(self._engine()) as connection:
                seen: int = connection.execute(_COUNT, values).scalar_one()
        except DBAPIError as error:  # a full disk, or a file that is broken: the receiver is answered all the same
            structlog.get_logger().error("alarm not written", **about, **where(error))
            return False
        if seen == 1:
            structlog.get_logger().error("alarm", **about)
        return True

    def all(self) -> tuple[Alarm, ...]:
        """Return what was written down, oldest first."""
        with read(self._engine()) as connection:
            rows = connection.execute(select(_alarms).order_by(_alarms.c.minute_utc))
            return tuple(Alarm(**row._mapping) for row in rows)

    def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            self._opened.dispose()

    def _engine(self) -> Engine:
        """Each process opens the file for itself, after the fork."""
        if self._opened is None:
            engine = open_engine(f"sqlite:///{self._file}")
            with write(engine) as connection:
                _metadata.create_all(connection)
            self._opened = engine
        return self._opened
