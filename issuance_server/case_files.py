"""What is known of a case, side by side: what the terminal told, what the books say, and where the money stands.

Ids, states, sheets and yen; nothing of a person, so that whoever has to look into it may see all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, select

from issuance_server import findings
from issuance_server.ledger import issue_number
from issuance_server.rules import JST
from issuance_server.schema import cases, order_events, orders, payments, postings, terminal_events
from protocol.messages import Event


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One fact as the terminal told it, signed."""

    at_utc: datetime
    received_at_utc: datetime
    sequence: int
    kind: str
    fields: dict[str, int | str]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One move of an order in the ledger."""

    at_utc: datetime
    event: str
    to_state: str


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a posting: debit positive."""

    at_utc: datetime
    posting: str
    account: str
    amount_yen: int


class OrderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An order's row, without whose it is."""

    order_id: str
    state: str
    kind: str
    issue_number: str
    fee_yen: int
    sheets: int | None
    sheets_out: int | None
    payment_id: str | None


class PaymentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A payment's row."""

    payment_id: str
    method: str
    reserved_yen: int
    closed: bool


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one side found."""

    side: str
    person: str
    words: str


class CaseFile(msgspec.Struct, frozen=True, kw_only=True):
    """One case with everything that is known of it."""

    municipality_code: str
    case_id: str
    reason: str
    terminal_id: str
    opened_at_utc: datetime
    closed_at_utc: datetime | None
    order: OrderFacts | None
    payment: PaymentFacts | None
    told: tuple[Told, ...]
    moved: tuple[Moved, ...]
    booked: tuple[Booked, ...]
    found: tuple[Found, ...]


_CASES = select(cases).order_by(cases.c.opened_at_utc, cases.c.municipality_code, cases.c.case_id)
_OPEN = _CASES.where(cases.c.closed_at_utc.is_(None))
_ONE = select(cases).where(cases.c.municipality_code == bindparam("code"), cases.c.case_id == bindparam("case"))
_ORDER = select(orders).where(orders.c.order_id == bindparam("order"))
_PAYMENT = select(payments).where(payments.c.payment_id == bindparam("payment"))
_MOVES = select(order_events).where(order_events.c.order_id == bindparam("order")).order_by(order_events.c.at_utc)
_POSTINGS = (
    select(postings)
    .where(postings.c.municipality_code == bindparam("code"), postings.c.payment_id == bindparam("payment"))
    .order_by(postings.c.posted_at_utc, postings.c.posting_id, postings.c.account)
)
_OF_TERMINAL = (
    select(terminal_events)
    .where(terminal_events.c.terminal_id == bindparam("terminal"))
    .order_by(terminal_events.c.sequence)
)


def listed(connection: Connection, *, ended_too: bool = False, municipality_code: str | None = None) -> list[Row[Any]]:
    """Return the rows of the open cases, the oldest first."""
    statement: Select[Any] = _CASES if ended_too else _OPEN
    if municipality_code is not None:
        statement = statement.where(cases.c.municipality_code == municipality_code)
    return list(connection.execute(statement))


def gather(connection: Connection, municipality_code: str, case_id: str) -> CaseFile | None:
    """Return everything that is known of a case, or None if there is no such case."""
    case = connection.execute(_ONE, {"code": municipality_code, "case": case_id}).one_or_none()
    if case is None:
        return None
    order = None if case.order_id is None else connection.execute(_ORDER, {"order": case.order_id}).one_or_none()
    payment_id = case.payment_id or (None if order is None else order.payment_id)
    payment = connection.execute(_PAYMENT, {"payment": payment_id}).one_or_none() if payment_id else None
    moves = connection.execute(_MOVES, {"order": order.order_id}) if order is not None else ()
    booked_at = municipality_code if payment is None else payment.municipality_code
    lines = connection.execute(_POSTINGS, {"code": booked_at, "payment": payment_id}) if payment_id else ()
    return CaseFile(
        municipality_code=case.municipality_code,
        case_id=case.case_id,
        reason=case.reason,
        terminal_id=case.terminal_id,
        opened_at_utc=case.opened_at_utc,
        closed_at_utc=case.closed_at_utc,
        order=None if order is None else _order(order),
        payment=None if payment is None else _payment(payment),
        told=tuple(_told_of(connection, case, payment_id)),
        moved=tuple(Moved(at_utc=row.at_utc, event=row.event, to_state=row.to_state) for row in moves),
        booked=tuple(
            Booked(at_utc=row.posted_at_utc, posting=row.posting_id, account=row.account, amount_yen=row.amount_yen)
            for row in lines
        ),
        found=tuple(
            Found(side=one.side.value, person=one.person, words=one.words)
            for one in findings.of_case(connection, municipality_code, case_id)
        ),
    )


def lines(case: CaseFile) -> Iterator[str]:
    """Yield a case as text: a head, terminal and books beside one another by time, the money, the findings."""
    state = "open" if case.closed_at_utc is None else f"closed {_jst(case.closed_at_utc)}"
    yield f"{case.reason}  {case.municipality_code} {case.case_id}  ({state})"
    yield f"terminal {case.terminal_id}, since {_jst(case.opened_at_utc)} (Japan time)"
    if case.order is not None:
        one = case.order
        sheets = f"{'?' if one.sheets_out is None else one.sheets_out} of {'?' if one.sheets is None else one.sheets}"
        what = f"{one.kind}, No. {one.issue_number}, {one.fee_yen} yen"
        yield f"order {one.order_id}: {one.state}, {what}, sheets {sheets}"
    if case.payment is not None:
        paid = case.payment
        closed = "closed" if paid.closed else "not closed"
        yield f"payment {paid.payment_id}: {paid.method}, {paid.reserved_yen} yen held at the grant, {closed}"
    yield ""
    yield f"{'':19}  {'the terminal told':44}  the books"
    for at_utc, told, moved in _by_time(case):
        yield f"{_jst(at_utc)}  {told:44}  {moved}".rstrip()
    if case.booked:
        yield ""
        yield from (f"{line.amount_yen:>8} yen  {line.account:24}  {line.posting}" for line in case.booked)
    if case.found:
        yield ""
        yield from (f"{one.side} ({one.person}): {one.words}" for one in case.found)


def _by_time(case: CaseFile) -> list[tuple[datetime, str, str]]:
    told = [(one.at_utc, _words(one), "") for one in case.told]
    moved = [(one.at_utc, "", f"{one.event} -> {one.to_state}") for one in case.moved]
    return sorted(told + moved)


def _words(told: Told) -> str:
    fields = " ".join(f"{name}={value}" for name, value in told.fields.items() if not name.endswith("_id"))
    return f"{told.sequence} {told.kind} {fields}".rstrip()


def _told_of(connection: Connection, case: Row[Any], payment_id: str | None) -> Iterator[Told]:
    """Walk over all that this terminal ever told: a payment's and a visit's facts are found in the bodies alone."""
    for row in connection.execute(_OF_TERMINAL, {"terminal": case.terminal_id}):
        event = msgspec.json.decode(row.body, type=Event)
        about = (
            (event.order_id, case.order_id),
            (event.payment_id, payment_id),
            (event.visit_id, case.visit_id),
        )
        if any(said is not None and said == asked for said, asked in about):
            yield _told(row, event)


def _told(row: Row[Any], event: Event) -> Told:
    fields = {
        name: value
        for name in Event.__struct_fields__
        if name not in {"sequence", "at_utc", "kind"} and (value := getattr(event, name)) is not None
    }
    return Told(
        at_utc=event.at_utc,
        received_at_utc=row.received_at_utc,
        sequence=event.sequence,
        kind=event.kind.value,
        fields=fields,
    )


def _order(row: Row[Any]) -> OrderFacts:
    names = ("order_id", "state", "kind", "fee_yen", "sheets", "sheets_out", "payment_id")
    number = issue_number(row.number_year, row.number)
    return OrderFacts(issue_number=number, **{name: row._mapping[name] for name in names})


def _payment(row: Row[Any]) -> PaymentFacts:
    closed = row.closed_at_utc is not None
    return PaymentFacts(payment_id=row.payment_id, method=row.method, reserved_yen=row.reserved_yen, closed=closed)


def _jst(at_utc: datetime) -> str:
    return at_utc.astimezone(JST).strftime("%Y-%m-%d %H:%M:%S")
