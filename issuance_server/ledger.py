"""Orders and issue numbers: states as one table, moved by guarded updates, each move one append-only row.

An order's number is provisional until the paper is printed, active from then on, or void: NUMBER_STATUS. Numbers run
by municipality and JST calendar year; gaps are allowed, repetition is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, insert, select, text, update

from fees.postings import PostingKind
from issuance_server import audit_log
from issuance_server.audit_log import Written
from issuance_server.cases import CaseReason
from issuance_server.schema import UNGRANTED, order_events, orders
from issuance_server.vault import Vault
from protocol.errors import ErrorCode, IssueError
from protocol.messages import GrantAnswer

LEASE = timedelta(seconds=30)
LIFE = timedelta(minutes=10)  # from INTENDED to PREPARED, and again from PREPARED to the grant


class OrderState(StrEnum):
    """Where an order stands."""

    INTENDED = "INTENDED"
    PREPARED = "PREPARED"
    GRANTED = "GRANTED"
    PRINTED = "PRINTED"
    SETTLED = "SETTLED"  # its money is accounted for: captured, or posted as uncollected
    VOIDED = "VOIDED"


class OrderEvent(StrEnum):
    """What moves an order; those after OTHER_BUILD are the terminal's facts (protocol.messages)."""

    INTEND = "INTEND"
    PREPARE = "PREPARE"
    GRANT = "GRANT"
    TIME_OUT = "TIME_OUT"
    RECHECK_FAILED = "RECHECK_FAILED"
    OTHER_BUILD = "OTHER_BUILD"
    PRINTED = "PRINTED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    GRANT_ABANDONED = "GRANT_ABANDONED"
    ORDER_VOIDED = "ORDER_VOIDED"
    NOT_ME = "NOT_ME"
    CAPTURED = "CAPTURED"
    CAPTURE_FAILED = "CAPTURE_FAILED"
    SHEETS_DESTROYED = "SHEETS_DESTROYED"


class Guard(StrEnum):
    """What must have been shown before an order moves; whoever moves it says that it was."""

    RECHECKED = "the finished bytes were read again: subject, document and number agree"
    ENTITLED_AND_PAID = "rules, record and stops hold now, and the allocation equals the fee"
    EXPIRED = "its time is over"
    RECHECK_DISAGREED = "the finished bytes are not what was ordered"
    ANOTHER_BUILD = "another build of the server began it, and its bytes cannot be made again"
    TERMINALS_WORD = "the terminal that ordered it says so, signed"
    FEE_AGREES = "the terminal that ordered it took exactly this order's fee"


class NumberStatus(StrEnum):
    """What an issue number is worth; taken = provisional + active + void."""

    PROVISIONAL = "provisional"
    ACTIVE = "active"
    VOID = "void"


NUMBER_STATUS: Mapping[OrderState, NumberStatus] = {
    OrderState.INTENDED: NumberStatus.PROVISIONAL,
    OrderState.PREPARED: NumberStatus.PROVISIONAL,
    OrderState.GRANTED: NumberStatus.PROVISIONAL,
    OrderState.PRINTED: NumberStatus.ACTIVE,
    OrderState.SETTLED: NumberStatus.ACTIVE,
    OrderState.VOIDED: NumberStatus.VOID,
}


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of the table. case: why somebody must look at it; posting: what it does to the accounts."""

    guard: Guard
    to_state: OrderState
    posting: PostingKind | None = None
    case: CaseReason | None = None


_I, _P, _G, _R, _S, _V = OrderState
_E, _W = OrderEvent, Guard.TERMINALS_WORD

TRANSITIONS: Mapping[tuple[OrderState, OrderEvent], Transition] = {
    (_I, _E.PREPARE): Transition(Guard.RECHECKED, _P),
    (_I, _E.TIME_OUT): Transition(Guard.EXPIRED, _V),
    (_I, _E.RECHECK_FAILED): Transition(Guard.RECHECK_DISAGREED, _V, case=CaseReason.RECHECK_FAILED),
    (_I, _E.OTHER_BUILD): Transition(Guard.ANOTHER_BUILD, _V),
    (_I, _E.ORDER_VOIDED): Transition(_W, _V),
    (_I, _E.NOT_ME): Transition(_W, _V),
    (_P, _E.RECHECK_FAILED): Transition(Guard.RECHECK_DISAGREED, _V, case=CaseReason.RECHECK_FAILED),
    (_P, _E.GRANT): Transition(Guard.ENTITLED_AND_PAID, _G, PostingKind.RESERVE),
    (_P, _E.TIME_OUT): Transition(Guard.EXPIRED, _V),
    (_P, _E.OTHER_BUILD): Transition(Guard.ANOTHER_BUILD, _V),
    (_P, _E.ORDER_VOIDED): Transition(_W, _V),
    (_P, _E.GRANT_ABANDONED): Transition(_W, _V),  # the request for the grant never arrived
    (_P, _E.NOT_ME): Transition(_W, _V),
    # From here on time alone voids nothing: only the terminal knows what its printer did.
    (_G, _E.PRINTED): Transition(_W, _R),
    (_G, _E.PARTIAL): Transition(_W, _V, case=CaseReason.PARTIAL),
    (_G, _E.FAILED): Transition(_W, _V),
    (_G, _E.UNKNOWN): Transition(_W, _G, case=CaseReason.UNKNOWN),  # whoever stands there is asked: PRINTED, or void
    (_G, _E.GRANT_ABANDONED): Transition(_W, _V),
    (_G, _E.ORDER_VOIDED): Transition(_W, _V),
    (_G, _E.NOT_ME): Transition(_W, _V),
    (_R, _E.CAPTURED): Transition(Guard.FEE_AGREES, _S, PostingKind.CAPTURE),
    (_R, _E.CAPTURE_FAILED): Transition(Guard.FEE_AGREES, _S, PostingKind.UNCOLLECTED, case=CaseReason.UNCOLLECTED),
    (_R, _E.ORDER_VOIDED): Transition(_W, _V, case=CaseReason.VOIDED_AFTER_PRINT),
    (_R, _E.SHEETS_DESTROYED): Transition(_W, _V, case=CaseReason.VOIDED_AFTER_PRINT),
    (_S, _E.SHEETS_DESTROYED): Transition(_W, _V),  # what was earned stays earned: it pays for a replacement
}

#: Said of an order that is void already, these agree with the books and change nothing.
AGREE_WITH_VOID = frozenset((_E.FAILED, _E.GRANT_ABANDONED, _E.ORDER_VOIDED, _E.NOT_ME, _E.SHEETS_DESTROYED))


class NoTransition(Exception):
    """The table has no line for this state and event."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order's row, without its sealed snapshot."""

    municipality_code: str
    order_id: str
    terminal_id: str
    session_hash: bytes
    visit_id: str
    state: OrderState
    fingerprint: bytes
    kind: str
    number_year: int
    number: int
    status_id: bytes
    fee_yen: int
    commission_yen: int
    records_digest: bytes
    lease_until_utc: datetime
    expires_at_utc: datetime
    seal_blob: bytes | None
    pdf_sha256: bytes | None
    sheets: int | None
    grant_fingerprint: bytes | None
    grant_bytes: bytes | None
    grant_signature: bytes | None
    payment_id: str | None

    @property
    def issue_number(self) -> str:
        """The number as it is printed."""
        return issue_number(self.number_year, self.number)


_ROW = tuple(orders.c[name] for name in Order.__dataclass_fields__)
_LATER = (
    "seal_blob",
    "pdf_sha256",
    "sheets",
    "grant_fingerprint",
    "grant_bytes",
    "grant_signature",
    "payment_id",
)  # what an order has none of when it begins
_FIRST = tuple(name for name in Order.__dataclass_fields__ if name not in {*_LATER, "state"})
_BY_ID = select(*_ROW).where(orders.c.order_id == bindparam("order"))
_BY_VISIT = select(*_ROW).where(orders.c.visit_id == bindparam("visit"), orders.c.terminal_id == bindparam("terminal"))
_EXPIRED = select(*_ROW).where(
    orders.c.terminal_id == bindparam("terminal"), orders.c.expires_at_utc < bindparam("now"), UNGRANTED
)
_SNAPSHOT = select(orders.c.snapshot).where(orders.c.order_id == bindparam("order"))
# One spelling for SQLite and PostgreSQL; Core has none that serves both. The row's lock makes the next one wait.
_NEXT_NUMBER = text(
    "INSERT INTO issue_number_counters (municipality_code, number_year, last_number) VALUES (:code, :year, 1)"
    " ON CONFLICT (municipality_code, number_year) DO UPDATE SET last_number = issue_number_counters.last_number + 1"
    " RETURNING last_number"
)
#: No decisions: sealed anew when keys change, or who is at work until when.
NOT_RECORDED = frozenset(("snapshot", "seal_blob", "seal_for_code", "lease_until_utc", "expires_at_utc"))
_INTEND = insert(orders)
_LOG = insert(order_events)
_TAKE_LEASE = (
    update(orders)
    .where(
        orders.c.municipality_code == bindparam("code"),
        orders.c.order_id == bindparam("order"),
        orders.c.state == _I.value,
        orders.c.lease_until_utc == bindparam("old_lease"),
    )
    .values(lease_until_utc=bindparam("new_lease"))
)


def _guarded(*columns: str) -> Update:
    """An UPDATE that names the state it expects, and sets these columns along."""
    return (
        update(orders)
        .where(
            orders.c.municipality_code == bindparam("code"),
            orders.c.order_id == bindparam("order"),
            orders.c.state == bindparam("from_state"),
        )
        .values(state=bindparam("to_state"), **{column: bindparam(f"new_{column}") for column in columns})
    )


_MOVE = _guarded()
_MOVES: Mapping[OrderEvent, Update] = {
    # The lease stands in the guard too: a late result of a worker that lost it is thrown away.
    _E.PREPARE: _guarded(
        "seal_blob", "seal_for_code", "statement_sha256", "pdf_sha256", "sheets", "expires_at_utc"
    ).where(orders.c.lease_until_utc == bindparam("lease")),
    _E.GRANT: _guarded(
        "grant_fingerprint", "grant_bytes", "grant_signature", "payment_id", "card_source", "card_as_of_utc"
    ),
    _E.PRINTED: _guarded("sheets_out"),
    _E.PARTIAL: _guarded("sheets_out"),
}


def issue_number(year: int, number: int) -> str:
    """Return an issue number as it is printed."""
    return f"{year}-{number:07d}"


def next_number(connection: Connection, municipality_code: str, year: int) -> int:
    """Take the next issue number of a municipality and JST year."""
    return int(connection.execute(_NEXT_NUMBER, {"code": municipality_code, "year": year}).scalar_one())


def intend(connection: Connection, row: Mapping[str, Any], at_utc: datetime) -> Order:
    """Write a new order and return it.

    Errors: IntegrityError if its id or its number is taken.
    """
    written = {"state": _I.value, "intended_at_utc": at_utc, **row}
    connection.execute(_INTEND, written)
    order = Order(**{**dict.fromkeys(_LATER), **{name: row[name] for name in _FIRST}, "state": _I})
    _log(connection, order, from_state=None, event=_E.INTEND, to_state=_I, at_utc=at_utc, values=written)
    return order


def find(connection: Connection, order_id: str) -> Order | None:
    """Return an order, or None."""
    row = connection.execute(_BY_ID, {"order": order_id}).one_or_none()
    return None if row is None else _order(row)


def of_visit(connection: Connection, terminal_id: str, visit_id: str) -> tuple[Order, ...]:
    """Return a visit's orders at one terminal."""
    rows = connection.execute(_BY_VISIT, {"visit": visit_id, "terminal": terminal_id})
    return tuple(_order(row) for row in rows)


def snapshot(connection: Connection, order_id: str) -> bytes:
    """Return an order's sealed snapshot."""
    blob: bytes = connection.execute(_SNAPSHOT, {"order": order_id}).scalar_one()
    return blob


def sealed_seal(vault: Vault, order: Order, seal_text: str) -> bytes:
    """Return an order's printed code as it is stored: its text names people."""
    return vault.seal(_seal_aad(order), seal_text.encode("ascii"))


def opened_seal(vault: Vault, order: Order) -> str | None:
    """Return the text of an order's printed code; None if it was never sealed. Errors: VaultError."""
    return None if order.seal_blob is None else vault.open(_seal_aad(order), order.seal_blob).decode("ascii")


def stored_grant(order: Order, fingerprint: bytes) -> GrantAnswer | None:
    """Return the grant that stands, if this is the request that got it; None if there is none yet."""
    if order.state is OrderState.PREPARED:
        return None
    if order.state is not OrderState.GRANTED:
        raise IssueError(ErrorCode.ORDER_STATE, f"order: {order.state.value}")
    if order.grant_fingerprint != fingerprint:
        raise IssueError(ErrorCode.ORDER_CONFLICT, "order_id: another request was granted")
    assert order.grant_bytes is not None
    assert order.grant_signature is not None
    return GrantAnswer(grant=order.grant_bytes, signature=order.grant_signature)


def take_lease(connection: Connection, order: Order, now_utc: datetime) -> Order | None:
    """Take over an order whose lease has run out; return it with the new lease, or None if another was quicker."""
    lease = now_utc + LEASE
    keys = {"code": order.municipality_code, "order": order.order_id}
    result = connection.execute(_TAKE_LEASE, {**keys, "old_lease": order.lease_until_utc, "new_lease": lease})
    return replace(order, lease_until_utc=lease) if result.rowcount == 1 else None


def give_lease_back(connection: Connection, order: Order, now_utc: datetime) -> None:
    """Let the same request take an intent over at once: whoever held it knows that nothing comes of it."""
    keys = {"code": order.municipality_code, "order": order.order_id}
    connection.execute(_TAKE_LEASE, {**keys, "old_lease": order.lease_until_utc, "new_lease": now_utc})


def transition(state: OrderState, event: OrderEvent) -> Transition:
    """Return the table's line.

    Errors: NoTransition.
    """
    found = TRANSITIONS.get((state, event))
    if found is None:
        raise NoTransition(f"{event.value} in {state.value}")
    return found


def move(
    connection: Connection,
    order: Order,
    event: OrderEvent,
    *,
    guard: Guard,
    at_utc: datetime,
    values: Mapping[str, object] | None = None,
) -> Transition:
    """Move an order along its line of the table, if it still stands where it was read.

    Shape:  values are the columns that this event sets along (as `new_<column>`), and `lease` for PREPARE.
    Errors: NoTransition; ORDER_STATE if it moved meanwhile: one row must change.
    """
    line = transition(order.state, event)
    if line.to_state is order.state:
        return line
    assert guard is line.guard, f"{event.value} needs another guard"
    keys = {"code": order.municipality_code, "order": order.order_id, "from_state": order.state.value}
    statement = _MOVES.get(event, _MOVE)
    result = connection.execute(statement, {**keys, "to_state": line.to_state.value, **(values or {})})
    if result.rowcount != 1:
        raise IssueError(ErrorCode.ORDER_STATE, f"order: no longer {order.state.value}")
    new = {name.removeprefix("new_"): value for name, value in (values or {}).items() if name.startswith("new_")}
    _log(connection, order, from_state=order.state, event=event, to_state=line.to_state, at_utc=at_utc, values=new)
    return line


def void_expired(connection: Connection, terminal_id: str, now_utc: datetime) -> int:
    """Void a terminal's orders whose time is over and that were never granted; return how many."""
    expired = [_order(row) for row in connection.execute(_EXPIRED, {"terminal": terminal_id, "now": now_utc})]
    for order in expired:
        move(connection, order, _E.TIME_OUT, guard=Guard.EXPIRED, at_utc=now_utc)
    return len(expired)


def _seal_aad(order: Order) -> bytes:
    return f"order-seal/{order.municipality_code}/{order.order_id}".encode()


def _order(row: Row[Any]) -> Order:
    return Order(**{**row._mapping, "state": OrderState(row.state)})


def _log(
    connection: Connection,
    order: Order,
    *,
    from_state: OrderState | None,
    event: OrderEvent,
    to_state: OrderState,
    at_utc: datetime,
    values: Mapping[str, object],
) -> None:
    """Write the event's row, and the record of what it set."""
    key = {"municipality_code": order.municipality_code, "order_id": order.order_id}
    said = {"from_state": None if from_state is None else from_state.value, "event": event.value, "at_utc": at_utc}
    connection.execute(_LOG, {**key, "to_state": to_state.value, **said})
    kept = {name: value for name, value in values.items() if name not in NOT_RECORDED and name not in key}
    audit_log.record(
        connection,
        f"order {event.value}",
        order.municipality_code,
        at_utc,
        Written("orders", key, {**kept, "state": to_state.value}),
        Written("order_events", {**key, "to_state": to_state.value}, said),
    )
