"""A server that was restored from a backup: it issues nothing until it has been told again what the backup lacks.

What was issued after the backup is known to the terminals alone. So the numbers jump, since those after the backup's
last are on papers already; each terminal is asked to say what it has (`BOOT_REQUIRED`) and sends again what is missing;
and only when all have, or two officers answer for those that have not, anything is issued.

The jump grows with the time since the backup's newest row: restored twice from one backup, no number is given twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import structlog
from sqlalchemy import Connection, Engine, Integer, bindparam, func, insert, select, text, update

from issuance_server import audit_log
from issuance_server.audit_log import Written
from issuance_server.cases import CaseReason, Subject, open_case
from issuance_server.database import read
from issuance_server.rules import JST
from issuance_server.schema import (
    NO_MUNICIPALITY,
    UtcDateTime,
    issue_number_counters,
    orders,
    restore_terminals,
    restores,
    settings,
    terminals,
)
from protocol.errors import ErrorCode, IssueError

GAP: Final = 10_000
GAP_A_SECOND: Final = 1  # more than any municipality issues in the long run

_log = structlog.get_logger()
_told = restore_terminals.c
_OPEN: Final = select(restores.c.restore_id).where(restores.c.ended_at_utc.is_(None)).limit(1)
# Locked: of two terminals that are the last to catch up, at once, one sees that both have.
_OPEN_LOCKED: Final = _OPEN.with_for_update(key_share=True)
# Whoever comes second, on another server, goes on with what the first began.
_BEGIN: Final = text(
    "INSERT INTO restores (restore_id, how, jump, begun_at_utc) VALUES (:restore, :how, :jump, :now)"
    " ON CONFLICT DO NOTHING"
).bindparams(bindparam("now", type_=UtcDateTime()))
_LAST_ID: Final = select(func.coalesce(func.max(restores.c.restore_id), 0))
_EXPECT: Final = insert(restore_terminals).from_select(
    ["restore_id", "terminal_id"],
    select(bindparam("restore", type_=Integer), terminals.c.terminal_id).where(terminals.c.stopped.is_(False)),
)
_ASKED: Final = select(_told.must_reach).where(
    _told.restore_id == bindparam("restore"), _told.terminal_id == bindparam("terminal")
)
_HEARD: Final = (
    update(restore_terminals)
    .where(_told.restore_id == bindparam("restore"), _told.terminal_id == bindparam("terminal"))
    .values(must_reach=bindparam("last"))
)
_CAUGHT_UP: Final = (
    update(restore_terminals)
    .where(
        _told.restore_id == bindparam("restore"),
        _told.terminal_id == bindparam("terminal"),
        _told.must_reach <= bindparam("accepted"),
        _told.caught_up_at_utc.is_(None),
    )
    .values(caught_up_at_utc=bindparam("now"))
)
_MISSING: Final = (
    select(_told.terminal_id)
    .join(terminals, terminals.c.terminal_id == _told.terminal_id)
    .where(_told.restore_id == bindparam("restore"), _told.caught_up_at_utc.is_(None), terminals.c.stopped.is_(False))
    .order_by(_told.terminal_id)
)
_END: Final = (
    update(restores)
    .where(restores.c.restore_id == bindparam("restore"), restores.c.ended_at_utc.is_(None))
    .values(ended_at_utc=bindparam("now"), waived_by=bindparam("officers"))
)
_NEWEST: Final = select(func.max(orders.c.intended_at_utc))
_CODES: Final = select(settings.c.municipality_code).distinct()
_FIRST_OF_YEAR: Final = text(
    "INSERT INTO issue_number_counters (municipality_code, number_year, last_number) VALUES (:code, :year, 0)"
    " ON CONFLICT DO NOTHING"
)
_JUMP: Final = update(issue_number_counters).values(last_number=issue_number_counters.c.last_number + bindparam("gap"))


class How(StrEnum):
    """How it became known that the server was restored."""

    DECLARED = "declared"  # by whoever restored it
    DETECTED = "detected"  # a terminal was told more than the server has


class NothingToWaive(Exception):
    """No restore is under way."""


def begin(connection: Connection, how: How, now_utc: datetime, gap: int = GAP) -> tuple[str, ...]:
    """Stop issuing until every terminal has told again what it has; return those that are waited for.

    The numbers jump with each restore that is declared, since each may be another; one that is under way is gone on
    with.
    Shape:  gap is added to every municipality's issue number, and GAP_A_SECOND for each second since the newest order.
    """
    restore = connection.execute(_OPEN_LOCKED).scalar()
    if restore is None or how is How.DECLARED:
        if restore is not None:
            _end(connection, restore, now_utc)
        restore = int(connection.execute(_LAST_ID).scalar_one()) + 1
        jump = gap + GAP_A_SECOND * _seconds_since_backup(connection, now_utc)
        row = {"restore": restore, "how": how.value, "jump": jump, "now": now_utc}
        if connection.execute(_BEGIN, row).rowcount == 1:
            values = {"how": how.value, "jump": jump, "begun_at_utc": now_utc, "ended_at_utc": None, "waived_by": None}
            _record(connection, "restore begun", restore, now_utc, values)
            connection.execute(_EXPECT, {"restore": restore})
            _jump(connection, jump, now_utc)
    return _missing(connection, restore, now_utc)


def detect(connection: Connection, terminal_id: str, now_utc: datetime) -> None:
    """A terminal was told that more is stored than is: the server was restored, and nobody has said so."""
    missing = begin(connection, How.DETECTED, now_utc)
    _log.critical("restored, and nobody said so", waits_for=len(missing))
    open_case(connection, CaseReason.SERVER_BEHIND, Subject(NO_MUNICIPALITY, terminal_id), now_utc)


def heard(connection: Connection, terminal_id: str, last_sequence: int, accepted: int, now_utc: datetime) -> None:
    """Note, if a restore is under way, how far a terminal's events go."""
    restore = connection.execute(_OPEN_LOCKED).scalar()
    if restore is not None:
        connection.execute(_HEARD, {"restore": restore, "terminal": terminal_id, "last": last_sequence})
        caught_up(connection, terminal_id, accepted, now_utc)


def caught_up(connection: Connection, terminal_id: str, accepted: int, now_utc: datetime) -> None:
    """Note how far a terminal's events are stored now; with the last that was waited for, issuing goes on."""
    restore = connection.execute(_OPEN_LOCKED).scalar()
    if restore is None:
        return
    keys = {"restore": restore, "terminal": terminal_id, "accepted": accepted, "now": now_utc}
    connection.execute(_CAUGHT_UP, keys)
    if not _missing(connection, restore, now_utc):
        _log.info("restore complete")


def waive(connection: Connection, officers: tuple[str, str], now_utc: datetime) -> tuple[str, ...]:
    """Two officers answer for the terminals that have not told what they have; return those. Issuing goes on.

    Errors: ValueError unless they are two; NothingToWaive.
    """
    names = tuple(officer.strip() for officer in officers)
    if not all(names) or len(set(names)) != 2:
        raise ValueError("officers: two people, each by name")
    restore = connection.execute(_OPEN_LOCKED).scalar()
    if restore is None:
        raise NothingToWaive("no restore is under way")
    missing = tuple(connection.execute(_MISSING, {"restore": restore}).scalars())
    _end(connection, restore, now_utc, ", ".join(names))
    return missing


def _end(connection: Connection, restore: int, now_utc: datetime, officers: str | None = None) -> None:
    if connection.execute(_END, {"restore": restore, "now": now_utc, "officers": officers}).rowcount == 1:
        values = {"ended_at_utc": now_utc, "waived_by": officers}
        _record(connection, "restore ended", restore, now_utc, values)


def _record(connection: Connection, what: str, restore: int, now_utc: datetime, values: Mapping[str, object]) -> None:
    row = Written("restores", {"restore_id": restore}, values)
    audit_log.record(connection, what, NO_MUNICIPALITY, now_utc, row)


def is_under_way(connection: Connection) -> bool:
    """Whether what the backup lacks is still being told."""
    return connection.execute(_OPEN).scalar() is not None


def require_none(connection: Connection) -> None:
    """Refuse to issue while a restore is under way. Errors: IssueError RESTORING."""
    if is_under_way(connection):
        raise IssueError(ErrorCode.RESTORING, "server: restored, and not every terminal has told what it has")


def require_none_for(engine: Engine, terminal_id: str) -> None:
    """The same for whoever may be asked to say what it has. Errors: IssueError RESTORING, BOOT_REQUIRED."""
    with read(engine) as connection:
        if is_under_way(connection):
            require_heard(connection, terminal_id)
            require_none(connection)


def require_heard(connection: Connection, terminal_id: str) -> None:
    """Ask a terminal for its boot, if a restore is under way and it has not said it.

    Errors: IssueError BOOT_REQUIRED.
    """
    restore = connection.execute(_OPEN).scalar()
    if restore is None:
        return
    asked = connection.execute(_ASKED, {"restore": restore, "terminal": terminal_id}).first()
    if asked is not None and asked.must_reach is None:
        raise IssueError(ErrorCode.BOOT_REQUIRED, "server: restored; say your boot again")


def _missing(connection: Connection, restore: int, now_utc: datetime) -> tuple[str, ...]:
    """Return who is waited for; if it is nobody any more, the restore is over."""
    missing = tuple(connection.execute(_MISSING, {"restore": restore}).scalars())
    if not missing:
        _end(connection, restore, now_utc)
    return missing


def _seconds_since_backup(connection: Connection, now_utc: datetime) -> int:
    newest = connection.execute(_NEWEST).scalar()
    return 0 if newest is None else max(0, int((now_utc - newest).total_seconds()))


def _jump(connection: Connection, jump: int, now_utc: datetime) -> None:
    """Every number that may have been given since the backup is left out; a year that began since has its row too."""
    year = now_utc.astimezone(JST).year
    for code in connection.execute(_CODES).scalars().all():
        connection.execute(_FIRST_OF_YEAR, {"code": code, "year": year})
    connection.execute(_JUMP, {"gap": jump})
