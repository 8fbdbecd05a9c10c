"""What is in doubt, and the stop of a municipality: rows that only a finding closes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.sql.elements import TextClause

from issuance_server import audit_log
from issuance_server.audit_log import Written
from issuance_server.schema import UtcDateTime, cases, municipality_stops

_log = structlog.get_logger()


class CaseReason(StrEnum):
    """Why somebody must look at it."""

    PARTIAL = "PARTIAL"  # some sheets came out
    UNKNOWN = "UNKNOWN"  # nobody knows whether paper came out
    UNCOLLECTED = "UNCOLLECTED"  # printed, and the fee could not be taken
    VOIDED_AFTER_PRINT = "VOIDED_AFTER_PRINT"
    CONTRADICTION = "CONTRADICTION"  # the terminal's fact and the server's books disagree
    NOT_ME = "NOT_ME"  # "this is not me": a link may be wrong
    LINKS_DISAGREE = "LINKS_DISAGREE"  # one card, and municipalities that know people of different birth dates by it
    COUNTS_DIFFER = "COUNTS_DIFFER"  # the device's money is not the books' money
    DEBIT_UNPROCESSED = "DEBIT_UNPROCESSED"  # 処理未了: only the brand's clearing tells whether a card was debited
    CAPTURE_UNKNOWN = "CAPTURE_UNKNOWN"  # the provider does not say whether it has charged; it is not told to again
    AGREED_UNTOLD = "AGREED_UNTOLD"  # a phone agreed to pay, and the terminal has not said for hours what it printed
    REFUND_REVIEW = "REFUND_REVIEW"  # one more refund of a person or a terminal than is paid without a look
    REFUND_UNKNOWN = "REFUND_UNKNOWN"  # a refund was being paid out, and nobody knows whether it came
    RETRY_WORKED = "RETRY_WORKED"  # something failed, and the next try worked: why did the first not?
    RECHECK_FAILED = "RECHECK_FAILED"  # a finished paper was not what was ordered
    TERMINAL_FORKED = "TERMINAL_FORKED"  # two went on from one journal, or one was set back
    SERVER_BEHIND = "SERVER_BEHIND"  # a terminal was told more than the server has: it was restored
    LOST_IN_RESTORE = "LOST_IN_RESTORE"  # a terminal printed for an order that the backup does not have


#: About a terminal as such.
_OF_TERMINAL = frozenset((CaseReason.TERMINAL_FORKED, CaseReason.SERVER_BEHIND))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a case is about: at least one of order, payment and visit, or the terminal as such."""

    municipality_code: str
    terminal_id: str
    order_id: str | None = None
    payment_id: str | None = None
    visit_id: str | None = None


def _insert_once(table: str, columns: tuple[str, ...]) -> TextClause:
    """One spelling for SQLite and PostgreSQL; Core has none that serves both."""
    names = ", ".join(columns)
    values = ", ".join(f":{column}" for column in columns)
    statement = text(f"INSERT INTO {table} ({names}) VALUES ({values}) ON CONFLICT DO NOTHING")  # noqa: S608 (constants)
    return statement.bindparams(bindparam("opened_at_utc", type_=UtcDateTime()))


_OPEN = _insert_once(
    "cases",
    (
        "municipality_code",
        "case_id",
        "reason",
        "order_id",
        "payment_id",
        "visit_id",
        "terminal_id",
        "opened_at_utc",
    ),
)
_CLOSE = (
    update(cases)
    .where(
        cases.c.municipality_code == bindparam("code"),
        cases.c.case_id == bindparam("case"),
        cases.c.closed_at_utc.is_(None),
    )
    .values(closed_at_utc=bindparam("closed"), finding=bindparam("found"))
)
_OPENED = {"cases": "case opened", "municipality_stops": "municipality stopped"}
_IS_OPEN = select(cases.c.case_id).where(
    cases.c.municipality_code == bindparam("code"),
    cases.c.case_id == bindparam("case"),
    cases.c.closed_at_utc.is_(None),
)
_STOP = _insert_once("municipality_stops", ("municipality_code", "stop_id", "reason", "order_id", "opened_at_utc"))
_stops = municipality_stops.c
_IS_STOPPED = (
    select(_stops.stop_id).where(_stops.municipality_code == bindparam("code"), _stops.closed_at_utc.is_(None)).limit(1)
)
_CLOSE_STOP = (
    update(municipality_stops)
    .where(
        _stops.municipality_code == bindparam("code"),
        _stops.stop_id == bindparam("stop"),
        _stops.closed_at_utc.is_(None),
    )
    .values(closed_at_utc=bindparam("closed"), finding=bindparam("found"))
)


def open_case(connection: Connection, reason: CaseReason, subject: Subject, at_utc: datetime) -> None:
    """Open a case, unless the same doubt is a case already."""
    row = {
        "municipality_code": subject.municipality_code,
        "case_id": _case_id(reason, subject),
        "reason": reason.value,
        "order_id": subject.order_id,
        "payment_id": subject.payment_id,
        "visit_id": subject.visit_id,
        "terminal_id": subject.terminal_id,
        "opened_at_utc": at_utc,
    }
    if connection.execute(_OPEN, row).rowcount == 1:
        _record_opened(connection, "cases", row)
    _log.warning(
        "case",
        reason=reason.value,
        municipality=subject.municipality_code,
        terminal=subject.terminal_id,
        order_id=subject.order_id,
        payment_id=subject.payment_id,
        visit_id=subject.visit_id,
    )


def is_open(connection: Connection, reason: CaseReason, subject: Subject) -> bool:
    """Whether a case is open."""
    keys = {"code": subject.municipality_code, "case": _case_id(reason, subject)}
    return connection.execute(_IS_OPEN, keys).first() is not None


def close_case(connection: Connection, reason: CaseReason, subject: Subject, finding: str, at_utc: datetime) -> bool:
    """Close a case with what was found. Return whether it was open.

    Errors: ValueError without a finding.
    """
    return close_by_id(connection, subject.municipality_code, _case_id(reason, subject), finding, at_utc)


def close_by_id(connection: Connection, municipality_code: str, case_id: str, finding: str, at_utc: datetime) -> bool:
    """The same, by the case's id."""
    keys = {"code": municipality_code, "case": case_id, "closed": at_utc, "found": _checked(finding)}
    closed = connection.execute(_CLOSE, keys).rowcount == 1
    if closed:
        key = {"municipality_code": municipality_code, "case_id": case_id}
        said = Written("cases", key, {"closed_at_utc": at_utc, "finding": finding})
        audit_log.record(connection, "case closed", municipality_code, at_utc, said)
    return closed


def stop_municipality(connection: Connection, municipality_code: str, order_id: str, at_utc: datetime) -> None:
    """Stop issuing for a municipality: a finished paper was not what was ordered (S6)."""
    row = {
        "municipality_code": municipality_code,
        "stop_id": f"{CaseReason.RECHECK_FAILED.value}:{order_id}",
        "reason": CaseReason.RECHECK_FAILED.value,
        "order_id": order_id,
        "opened_at_utc": at_utc,
    }
    if connection.execute(_STOP, row).rowcount == 1:
        _record_opened(connection, "municipality_stops", row)
    _log.critical("municipality stopped", municipality=municipality_code, order_id=order_id)


def is_stopped(connection: Connection, municipality_code: str) -> bool:
    """Whether a municipality is stopped."""
    return connection.execute(_IS_STOPPED, {"code": municipality_code}).first() is not None


def close_stop(connection: Connection, municipality_code: str, stop_id: str, finding: str, at_utc: datetime) -> bool:
    """Close a stop with what was found (S14). Return whether it was open.

    Errors: ValueError without a finding: "it worked the second time" closes nothing.
    """
    keys = {"code": municipality_code, "stop": stop_id, "closed": at_utc, "found": _checked(finding)}
    closed = connection.execute(_CLOSE_STOP, keys).rowcount == 1
    if closed:
        key = {"municipality_code": municipality_code, "stop_id": stop_id}
        said = Written("municipality_stops", key, {"closed_at_utc": at_utc, "finding": finding})
        audit_log.record(connection, "municipality started", municipality_code, at_utc, said)
    return closed


def _record_opened(connection: Connection, table: str, row: Mapping[str, Any]) -> None:
    """Shape: row begins with its key's two columns, as the tables do."""
    (code_column, code), (id_column, row_id), *values = row.items()
    key = {code_column: code, id_column: row_id}
    said = Written(table, key, {**dict(values), "closed_at_utc": None, "finding": None})
    audit_log.record(connection, _OPENED[table], str(code), row["opened_at_utc"], said)


def _case_id(reason: CaseReason, subject: Subject) -> str:
    about = subject.order_id or subject.payment_id or subject.visit_id
    if reason in _OF_TERMINAL:
        about = subject.terminal_id
    assert about is not None, "a case is about something"
    return f"{reason.value}:{about}"


def _checked(finding: str) -> str:
    if not finding.strip():
        raise ValueError("finding: what was found closes it, nothing else does")
    return finding
