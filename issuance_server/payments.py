"""Payments, their lines and the accounts: what a visit's money did, posted once and never changed.

Every posting has an id made of what happened and to whom; the same event told twice is the same row, which stands
already. A payment whose order was never granted belongs to no municipality: NO_MUNICIPALITY.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from fees import postings
from fees.postings import Account, Posting, PostingKind
from issuance_server import audit_log, qr_codes
from issuance_server.audit_log import Written
from issuance_server.cases import CaseReason, Subject, close_case, is_open, open_case
from issuance_server.ledger import Order
from issuance_server.schema import NO_MUNICIPALITY, payment_lines, payments
from issuance_server.schema import postings as posted
from protocol.errors import ErrorCode, IssueError
from protocol.messages import GrantRequest, PaymentMethod

_columns = payments.c
_BY_ID = select(payments).where(_columns.payment_id == bindparam("payment"))
_OPEN = insert(payments)
_CLOSE = (
    update(payments)
    .where(
        _columns.municipality_code == bindparam("code"),
        _columns.payment_id == bindparam("payment"),
        _columns.closed_at_utc.is_(None),
    )
    .values(closed_at_utc=bindparam("closed"))
)
_ADD_LINE = insert(payment_lines)
_POSTING_KEY = ("municipality_code", "posting_id", "account")
_ALLOCATED = select(func.coalesce(func.sum(payment_lines.c.allocated_yen), 0)).where(
    payment_lines.c.municipality_code == bindparam("code"), payment_lines.c.payment_id == bindparam("payment")
)
_POST = insert(posted)
_BALANCES_OF_PAYMENT = (
    select(posted.c.account, func.sum(posted.c.amount_yen))
    .where(posted.c.municipality_code == bindparam("code"), posted.c.payment_id == bindparam("payment"))
    .group_by(posted.c.account)
)
_BALANCES = select(posted.c.account, func.sum(posted.c.amount_yen)).group_by(posted.c.account)


@dataclass(frozen=True, slots=True)
class Counted:
    """The device's own counts for one payment, in whole yen."""

    inserted_yen: int
    cashbox_yen: int
    change_yen: int
    returned_yen: int


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment's row."""

    municipality_code: str
    payment_id: str
    terminal_id: str
    visit_id: str | None
    method: PaymentMethod
    reserved_yen: int
    opened_at_utc: datetime
    closed_at_utc: datetime | None


def find(connection: Connection, payment_id: str) -> Payment | None:
    """Return a payment, or None."""
    row = connection.execute(_BY_ID, {"payment": payment_id}).one_or_none()
    return None if row is None else Payment(**{**row._mapping, "method": PaymentMethod(row.method)})


def reserve(connection: Connection, order: Order, request: GrantRequest, at_utc: datetime) -> None:
    """Allocate an order's fee out of a payment; what the device holds is posted with the payment's first order.

    Of e-money nothing is held: the card is debited once the grant is there, order by order.

    Errors: PAYMENT_INSUFFICIENT, naming the field and the rule.
    """
    if request.allocated_yen != order.fee_yen:
        raise IssueError(ErrorCode.PAYMENT_INSUFFICIENT, "allocated_yen: must equal the order's fee")
    if request.method is PaymentMethod.EMONEY and request.reserved_yen:
        raise IssueError(ErrorCode.PAYMENT_INSUFFICIENT, "reserved_yen: must be 0, e-money cannot be reserved")
    if request.method is PaymentMethod.QR and not qr_codes.is_agreed(
        connection, request.payment_id, order.terminal_id, order.visit_id, request.reserved_yen
    ):
        raise IssueError(ErrorCode.PAYMENT_INSUFFICIENT, "payment_id: nobody has agreed to pay so much")
    payment = find(connection, request.payment_id)
    if payment is None:
        payment = _open(connection, order, request, at_utc)
    elif not _is_same(payment, order, request):
        raise IssueError(ErrorCode.PAYMENT_INSUFFICIENT, "payment_id: another payment has this id, or it is closed")
    keys = {"code": payment.municipality_code, "payment": payment.payment_id}
    allocated_yen = int(connection.execute(_ALLOCATED, keys).scalar_one())
    held_first = payment.method is not PaymentMethod.EMONEY
    if held_first and allocated_yen + request.allocated_yen > payment.reserved_yen:
        raise IssueError(ErrorCode.PAYMENT_INSUFFICIENT, "reserved_yen: less than all orders of the payment cost")
    line, allocated = {**_key(payment), "order_id": order.order_id}, {"allocated_yen": request.allocated_yen}
    connection.execute(_ADD_LINE, {**line, **allocated})
    _record(connection, payment, "payment allocated", at_utc, Written("payment_lines", line, allocated))


def earn(connection: Connection, payment: Payment, order: Order, kind: PostingKind, at_utc: datetime) -> None:
    """Post an order's fee, captured or uncollected."""
    make = {PostingKind.CAPTURE: postings.capture, PostingKind.UNCOLLECTED: postings.uncollected}[kind]
    if order.fee_yen or order.commission_yen:
        posting = make(order.fee_yen, order.commission_yen)
        _post(connection, payment, posting, f"{kind.value}:{order.order_id}", at_utc, order_id=order.order_id)
    if payment.closed_at_utc is not None:
        _explain(connection, payment, order.order_id, at_utc)


def owe(connection: Connection, payment: Payment, owed_yen: int, at_utc: datetime) -> bool:
    """Post what could not be given back on the spot as a refund that is due; a payment has at most one.

    Return whether this one was posted.
    """
    if owed_yen == 0:
        return False
    if balances_of(connection, payment)[Account.REFUND_LIABILITY]:
        open_case(connection, CaseReason.CONTRADICTION, _subject(payment), at_utc)
        return False
    _post(connection, payment, postings.refund_due(owed_yen), f"refund_due:{payment.payment_id}", at_utc)
    if payment.closed_at_utc is not None:
        _explain(connection, payment, "refund_due", at_utc)
    return True


def pay_refund(connection: Connection, payment: Payment, paid_yen: int, terminal_id: str, at_utc: datetime) -> None:
    """Post a refund that came out of a terminal's hoppers; once, whatever is told."""
    posting_id = f"refund_paid:{payment.payment_id}"
    _post(connection, replace(payment, terminal_id=terminal_id), postings.refund_paid(paid_yen), posting_id, at_utc)


def close(connection: Connection, payment: Payment, counted: Counted, at_utc: datetime) -> None:
    """Post what the device counted for a whole payment; where counts and books disagree, a case.

    A deposit that is neither earned nor given back waits in suspense, with a case, until a capture or a refund due
    that the terminal tells afterwards explains it.
    """
    keys = {"code": payment.municipality_code, "payment": payment.payment_id, "closed": at_utc}
    if connection.execute(_CLOSE, keys).rowcount != 1:
        open_case(connection, CaseReason.CONTRADICTION, _subject(payment), at_utc)
        return
    _record(connection, payment, "payment closed", at_utc, values={"closed_at_utc": at_utc})
    # 1. What the device moved.
    for make, amount_yen, name in _moved(payment, counted):
        if amount_yen:
            _post(connection, payment, make(amount_yen), f"{name}:{payment.payment_id}", at_utc)
    # 2. In the tray nothing may be left but what is owed because it could not be given back.
    balances = balances_of(connection, payment)
    held_yen, owed_yen = balances[Account.ESCROW], -balances[Account.REFUND_LIABILITY]
    difference_yen = min(max(held_yen, 0), owed_yen) - held_yen
    if difference_yen:
        posting = postings.over_short(Account.ESCROW, difference_yen)
        _post(connection, payment, posting, f"over_short:{payment.payment_id}", at_utc)
    # 3. Nothing of the customer's may be left that is neither earned, given back nor owed.
    unexplained = _suspend_rest(connection, payment, "close", at_utc)
    # 4. What was debited from a card lies in no box and brings no change.
    foreign = payment.method is not PaymentMethod.CASH and (counted.cashbox_yen or counted.change_yen)
    if difference_yen or unexplained or foreign:
        open_case(connection, CaseReason.COUNTS_DIFFER, _subject(payment), at_utc)


def find_debited(connection: Connection, payment: Payment, debited_yen: int, at_utc: datetime) -> None:
    """Post a debit of which nobody knew whether it was taken, and which was: it is owed to whoever has the card."""
    _post(connection, payment, postings.debit(debited_yen), f"found_debited:{payment.payment_id}", at_utc)
    owe(connection, payment, debited_yen, at_utc)


def lapse(connection: Connection, payment: Payment, fees_yen: int, at_utc: datetime) -> None:
    """Post that what was agreed to cannot be captured any more."""
    _post(connection, payment, postings.lapse(fees_yen), f"lapse:{payment.payment_id}", at_utc)


def ungranted(
    connection: Connection,
    terminal_id: str,
    payment_id: str,
    at_utc: datetime,
    *,
    method: PaymentMethod = PaymentMethod.CASH,
) -> Payment:
    """Open a payment that the server first hears of from the device: no order was ever granted for it."""
    payment = Payment(NO_MUNICIPALITY, payment_id, terminal_id, None, method, 0, at_utc, None)
    _insert(connection, payment)
    return payment


def balances_of(connection: Connection, payment: Payment) -> dict[Account, int]:
    """Return every account's balance of one payment."""
    keys = {"code": payment.municipality_code, "payment": payment.payment_id}
    return _filled({Account(account): int(sum_) for account, sum_ in connection.execute(_BALANCES_OF_PAYMENT, keys)})


def balances(connection: Connection) -> dict[Account, int]:
    """Return every account's balance; they sum to 0."""
    return _filled({Account(account): int(sum_) for account, sum_ in connection.execute(_BALANCES)})


def _moved(payment: Payment, counted: Counted) -> tuple[tuple[Callable[[int], Posting], int, str], ...]:
    """Return what a device did, as postings: coins may still fall after the reservation, or without any grant."""
    if payment.method is PaymentMethod.EMONEY:
        return (
            (postings.debit, counted.inserted_yen, "debit"),
            (postings.cancel_debit, counted.returned_yen, "debit_cancelled"),
        )
    if payment.method is PaymentMethod.QR:  # what was let go was never taken
        return ((postings.debit, counted.inserted_yen - counted.returned_yen, "debit"),)
    return (
        (postings.reserve, counted.inserted_yen - payment.reserved_yen, "inserted"),
        (postings.move, counted.cashbox_yen, "move"),
        (postings.change, counted.change_yen, "change"),
        (postings.give_back, counted.returned_yen, "return"),
    )


def _filled(found: Mapping[Account, int]) -> dict[Account, int]:
    return {account: found.get(account, 0) for account in Account}


def _open(connection: Connection, order: Order, request: GrantRequest, at_utc: datetime) -> Payment:
    payment = Payment(
        municipality_code=order.municipality_code,
        payment_id=request.payment_id,
        terminal_id=order.terminal_id,
        visit_id=order.visit_id,
        method=request.method,
        reserved_yen=request.reserved_yen,
        opened_at_utc=at_utc,
        closed_at_utc=None,
    )
    _insert(connection, payment)
    if payment.reserved_yen and payment.method is PaymentMethod.CASH:  # what is only agreed to lies nowhere yet
        posting = postings.reserve(payment.reserved_yen)
        _post(connection, payment, posting, f"reserve:{payment.payment_id}", at_utc)
    return payment


def _insert(connection: Connection, payment: Payment) -> None:
    row = {name: getattr(payment, name) for name in Payment.__dataclass_fields__} | {"method": payment.method.value}
    connection.execute(_OPEN, row)
    values = _without(row, tuple(_key(payment)))
    _record(connection, payment, "payment opened", payment.opened_at_utc, values=values)


def _is_same(payment: Payment, order: Order, request: GrantRequest) -> bool:
    return (
        payment.municipality_code == order.municipality_code
        and payment.terminal_id == order.terminal_id
        and payment.visit_id == order.visit_id
        and payment.method is request.method
        and payment.reserved_yen == request.reserved_yen
        and payment.closed_at_utc is None
    )


def _explain(connection: Connection, payment: Payment, name: str, at_utc: datetime) -> None:
    """After the close: take what was just told out of suspense; end the case if it explains all, or it is one."""
    _suspend_rest(connection, payment, name, at_utc)
    balances = balances_of(connection, payment)
    if balances[Account.SUSPENSE]:
        # The close agreed, or was explained before; that case is not opened again.
        if not is_open(connection, CaseReason.COUNTS_DIFFER, _subject(payment)):
            open_case(connection, CaseReason.CONTRADICTION, _subject(payment), at_utc)
    elif not balances[Account.OVER_SHORT]:
        finding = "the terminal told afterwards what was earned or owed"
        close_case(connection, CaseReason.COUNTS_DIFFER, _subject(payment), finding, at_utc)


def _suspend_rest(connection: Connection, payment: Payment, name: str, at_utc: datetime) -> bool:
    """Move what is left of a customer's deposit to suspense; return whether there was anything."""
    rest_yen = -balances_of(connection, payment)[Account.CUSTOMER_DEPOSIT]
    if rest_yen:
        _post(connection, payment, postings.suspend(rest_yen), f"suspense:{payment.payment_id}:{name}", at_utc)
    return rest_yen != 0


def _post(
    connection: Connection,
    payment: Payment,
    posting: Posting,
    posting_id: str,
    at_utc: datetime,
    *,
    order_id: str | None = None,
) -> None:
    rows = [
        {
            "municipality_code": payment.municipality_code,
            "posting_id": posting_id,
            "account": line.account.value,
            "amount_yen": line.amount_yen,
            "payment_id": payment.payment_id,
            "order_id": order_id,
            "terminal_id": payment.terminal_id,
            "posted_at_utc": at_utc,
        }
        for line in posting.lines
    ]
    connection.execute(_POST, rows)
    keys = [{name: row[name] for name in _POSTING_KEY} for row in rows]
    written = (Written("postings", key, _without(row, _POSTING_KEY)) for key, row in zip(keys, rows, strict=True))
    _record(connection, payment, "posting", at_utc, *written)


def _key(payment: Payment) -> dict[str, str]:
    return {"municipality_code": payment.municipality_code, "payment_id": payment.payment_id}


def _without(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _record(
    connection: Connection,
    payment: Payment,
    what: str,
    at_utc: datetime,
    *more: Written,
    values: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Write down what a payment came to, by its rows."""
    first = Written("payments", _key(payment), values)
    audit_log.record(connection, what, payment.municipality_code, at_utc, first, *more)


def _subject(payment: Payment) -> Subject:
    return Subject(payment.municipality_code, payment.terminal_id, payment_id=payment.payment_id)
