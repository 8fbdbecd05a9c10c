"""Codes that residents pay by: one row a payment, moved by guarded updates, never while the provider is asked.

The row says what the server wants of the provider. What the provider has done of it is asked for and written behind it:
whoever is killed in between finds the wish, and asks again; the provider's own ids make that harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, exists, insert, or_, select, update

from issuance_server.cases import CaseReason
from issuance_server.schema import cases, qr_codes

LIFE: Final = timedelta(minutes=4)  # of a code that nobody has agreed to
AFTER_LIFE: Final = timedelta(minutes=2)  # the terminal says how it ended, long before; if it does not, time does
UNTOLD: Final = timedelta(hours=2)  # an agreement is a case once its terminal has said nothing of it for so long
BUSY: Final = timedelta(seconds=60)  # so long one process has the provider to itself for a payment


class CodeState(StrEnum):
    """What is wanted of the provider, or what it has done."""

    OPEN = "OPEN"  # the code is out: nobody has agreed yet, as far as is known
    AUTHORIZED = "AUTHORIZED"
    TO_CAPTURE = "TO_CAPTURE"  # of what was agreed to, the fees of the printed papers
    TO_REVERT = "TO_REVERT"  # nothing came out, or nobody agreed in time: an authorisation may arrive all the same
    CAPTURED = "CAPTURED"
    REVERTED = "REVERTED"
    LAPSED = "LAPSED"  # printed, and what was agreed to cannot be had any more
    DOUBTFUL = "DOUBTFUL"  # a case: it is asked about, and not ordered again


class CodeEvent(StrEnum):
    """What moves a code."""

    AGREED = "AGREED"
    PRINTED = "PRINTED"  # the terminal's word: so much came out
    NOTHING_PRINTED = "NOTHING_PRINTED"
    TIME_OUT = "TIME_OUT"
    CAPTURED = "CAPTURED"
    FREE = "FREE"  # the provider's word: nothing is charged, and nothing will be
    NO_WORD = "NO_WORD"


_S, _E = CodeState, CodeEvent
TRANSITIONS: Mapping[tuple[CodeState, CodeEvent], CodeState] = {
    (_S.OPEN, _E.AGREED): _S.AUTHORIZED,
    (_S.OPEN, _E.NOTHING_PRINTED): _S.TO_REVERT,
    (_S.OPEN, _E.TIME_OUT): _S.TO_REVERT,
    (_S.OPEN, _E.FREE): _S.REVERTED,
    (_S.AUTHORIZED, _E.PRINTED): _S.TO_CAPTURE,
    (_S.AUTHORIZED, _E.NOTHING_PRINTED): _S.TO_REVERT,
    (_S.TO_CAPTURE, _E.CAPTURED): _S.CAPTURED,
    (_S.TO_CAPTURE, _E.FREE): _S.LAPSED,
    (_S.TO_CAPTURE, _E.NO_WORD): _S.DOUBTFUL,
    (_S.DOUBTFUL, _E.CAPTURED): _S.CAPTURED,
    (_S.DOUBTFUL, _E.FREE): _S.LAPSED,
    (_S.TO_REVERT, _E.FREE): _S.REVERTED,
}
#: Nothing is charged in these, and nothing will be.
LET_GO: Final = frozenset((_S.TO_REVERT, _S.REVERTED))


@dataclass(frozen=True, slots=True)
class Code:
    """One code's row."""

    municipality_code: str
    payment_id: str
    terminal_id: str
    visit_id: str
    amount_yen: int
    state: CodeState
    capture_yen: int | None
    expires_at_utc: datetime
    busy_until_utc: datetime


_columns = qr_codes.c
_ROW = tuple(_columns[name] for name in Code.__dataclass_fields__)
_BY_PAYMENT = select(*_ROW).where(_columns.payment_id == bindparam("payment"))
_OPEN = insert(qr_codes)
_MOVE = (
    update(qr_codes)
    .where(_columns.payment_id == bindparam("payment"), _columns.state == bindparam("from_state"))
    .values(state=bindparam("to_state"), capture_yen=bindparam("new_capture"), busy_until_utc=bindparam("new_busy"))
)
_TAKE = (
    update(qr_codes)
    .where(
        _columns.payment_id == bindparam("payment"),
        _columns.state == bindparam("from_state"),
        _columns.busy_until_utc <= bindparam("now"),
    )
    .values(busy_until_utc=bindparam("until"))
)
_DUE = (
    select(*_ROW)
    .where(
        or_(
            _columns.state.in_((_S.TO_CAPTURE.value, _S.TO_REVERT.value, _S.DOUBTFUL.value)),
            (_columns.state == _S.OPEN.value) & (_columns.expires_at_utc < bindparam("lapsed")),
        ),
        _columns.busy_until_utc <= bindparam("now"),
    )
    .order_by(_columns.expires_at_utc)
    .limit(bindparam("most"))
)
_WAS_NOTICED = exists().where(
    cases.c.municipality_code == _columns.municipality_code,
    cases.c.payment_id == _columns.payment_id,
    cases.c.reason == CaseReason.AGREED_UNTOLD.value,
)
_UNTOLD = (
    select(*_ROW)
    .where(_columns.state == _S.AUTHORIZED.value, _columns.expires_at_utc < bindparam("long_ago"), ~_WAS_NOTICED)
    .order_by(_columns.expires_at_utc)
    .limit(bindparam("most"))
)


def find(connection: Connection, payment_id: str) -> Code | None:
    """Return a payment's code, or None."""
    row = connection.execute(_BY_PAYMENT, {"payment": payment_id}).one_or_none()
    return None if row is None else _code(row)


def open_code(connection: Connection, row: Mapping[str, Any]) -> None:
    """Write that a code is wanted, before the provider is asked for it."""
    connection.execute(_OPEN, {**row, "state": _S.OPEN.value})


def move(
    connection: Connection, code: Code, event: CodeEvent, at_utc: datetime, capture_yen: int | None = None
) -> CodeState | None:
    """Move a code along its line of the table; None where there is none, or it stands there no more."""
    to_state = TRANSITIONS.get((code.state, event))
    if to_state is None:
        return None
    keys = {"payment": code.payment_id, "from_state": code.state.value, "to_state": to_state.value}
    kept = code.capture_yen if capture_yen is None else capture_yen
    moved = connection.execute(_MOVE, {**keys, "new_capture": kept, "new_busy": at_utc}).rowcount == 1
    return to_state if moved else None


def take(connection: Connection, code: Code, now_utc: datetime) -> bool:
    """Keep other processes from asking the provider about a payment at the same time; False if one is at it."""
    keys = {"payment": code.payment_id, "from_state": code.state.value, "now": now_utc, "until": now_utc + BUSY}
    return connection.execute(_TAKE, keys).rowcount == 1


def due(connection: Connection, now_utc: datetime, most: int) -> tuple[Code, ...]:
    """Return the codes of which the provider is to be told, or asked, and with which nobody is busy."""
    keys = {"now": now_utc, "lapsed": now_utc - AFTER_LIFE, "most": most}
    return tuple(_code(row) for row in connection.execute(_DUE, keys))


def untold(connection: Connection, now_utc: datetime, most: int) -> tuple[Code, ...]:
    """Return what was agreed to long ago, of which the terminal has said nothing, and that was never a case."""
    keys = {"long_ago": now_utc - UNTOLD, "most": most}
    return tuple(_code(row) for row in connection.execute(_UNTOLD, keys))


def is_agreed(connection: Connection, payment_id: str, terminal_id: str, visit_id: str, amount_yen: int) -> bool:
    """Whether somebody has agreed to pay exactly so much, at this terminal and in this visit."""
    code = find(connection, payment_id)
    whose = code is not None and (code.terminal_id, code.visit_id, code.amount_yen) == (
        terminal_id,
        visit_id,
        amount_yen,
    )
    return code is not None and whose and code.state is CodeState.AUTHORIZED


def _code(row: Row[Any]) -> Code:
    return Code(**{**row._mapping, "state": CodeState(row.state)})
