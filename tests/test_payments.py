"""The reservation: what a grant asks of the money, and a payment that is one payment."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from fees.postings import Account, PostingKind
from issuance_server import payments
from issuance_server.database import read, write
from issuance_server.ledger import OrderState
from issuance_server.schema import payment_lines, postings
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EventKind
from tests.databases import Databases
from tests.issuing_parts import FEE_YEN, NOW, Office, code_of, counted, grant_request, order_id, payment_id

INSUFFICIENT = ErrorCode.PAYMENT_INSUFFICIENT


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    office = Office(tmp_path, databases.declared())
    yield office
    office.close()


@pytest.mark.parametrize(
    ("reserved_yen", "allocated_yen", "field"),
    [
        (500, FEE_YEN - 10, "allocated_yen"),
        (500, FEE_YEN + 10, "allocated_yen"),
        (500, 0, "allocated_yen"),
        (FEE_YEN - 10, FEE_YEN, "reserved_yen"),
        (0, FEE_YEN, "reserved_yen"),
    ],
)
def test_a_grant_needs_exactly_the_fee(office: Office, reserved_yen: int, allocated_yen: int, field: str) -> None:
    caller = office.caller()
    office.prepare(caller)
    with pytest.raises(IssueError, match=field) as refused:
        office.grant(caller, reserved_yen=reserved_yen, allocated_yen=allocated_yen)
    assert refused.value.code is INSUFFICIENT
    assert office.order().state is OrderState.PREPARED
    assert office.balances() == {}
    office.grant(caller, reserved_yen=FEE_YEN)


def test_one_payment_is_reserved_once_whatever_it_pays(office: Office) -> None:
    caller = office.caller()
    for number in (1, 2, 3):
        office.prepare(caller, number)
    office.grant(caller, 1, reserved_yen=2 * FEE_YEN)
    office.grant(caller, 2, reserved_yen=2 * FEE_YEN)
    assert office.balances() == {Account.ESCROW: 2 * FEE_YEN, Account.CUSTOMER_DEPOSIT: -2 * FEE_YEN}
    # The third copy is not covered: without the sum over the payment's lines it would be.
    assert code_of(lambda: office.grant(caller, 3, reserved_yen=2 * FEE_YEN)) is INSUFFICIENT
    with read(office.engine) as connection:
        lines = connection.execute(select(payment_lines.c.order_id).order_by(payment_lines.c.order_id)).scalars()
        assert list(lines) == sorted((order_id(1), order_id(2)))


def test_a_payment_is_what_it_was_when_it_was_first_told(office: Office) -> None:
    caller, other = office.caller(), office.caller(terminal="t-2", visit="2" * 32)
    office.prepare(caller, 1)
    office.prepare(caller, 2)
    office.prepare(other, 3)
    office.grant(caller, 1, reserved_yen=1000)
    assert code_of(lambda: office.grant(caller, 2, reserved_yen=2000)) is INSUFFICIENT
    assert code_of(lambda: office.grant(other, 3, reserved_yen=1000)) is INSUFFICIENT
    office.grant(other, 3, payment=2, reserved_yen=1000)
    office.grant(caller, 2, reserved_yen=1000)


def test_a_closed_payment_pays_nothing_more(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller, 1)
    office.prepare(caller, 2)
    office.grant(caller, 1, reserved_yen=1000)
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(1000, 0, 0, 1000))
    assert code_of(lambda: office.grant(caller, 2, reserved_yen=1000)) is INSUFFICIENT
    office.grant(caller, 2, payment=2, reserved_yen=1000)


def test_a_copy_without_fee_moves_no_money(office: Office) -> None:
    office.prepare(office.caller())
    free = dataclasses.replace(office.order(), fee_yen=0, commission_yen=0)
    with write(office.engine) as connection:
        payments.reserve(connection, free, grant_request(1, 0, 0), NOW)
        payment = payments.find(connection, payment_id(1))
        assert payment is not None
        payments.earn(connection, payment, free, PostingKind.CAPTURE, NOW)
        payments.close(connection, payment, payments.Counted(0, 0, 0, 0), NOW)
    assert office.balances() == {}
    assert office.open_cases() == []


def test_a_capture_told_after_the_close_comes_out_of_suspense(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    office.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 500, 200, 0))
    assert office.balances()[Account.SUSPENSE] == -FEE_YEN
    assert office.open_cases() == ["COUNTS_DIFFER"]
    office.tell(EventKind.CAPTURED, order_id=order_id(1), payment_id=payment_id(1), amount_yen=FEE_YEN)
    assert Account.SUSPENSE not in office.balances()
    assert office.open_cases() == []
    assert sum(office.balances().values()) == 0


def test_more_given_back_than_was_owed_is_a_case(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    office.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    office.tell(EventKind.CAPTURED, order_id=order_id(1), payment_id=payment_id(1), amount_yen=FEE_YEN)
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 500, 300, 0))
    assert office.balances()[Account.SUSPENSE] == 100
    assert office.open_cases() == ["COUNTS_DIFFER"]


def test_a_refund_is_due_once(office: Office) -> None:
    office.tell(EventKind.RETURN_DUE, payment_id=payment_id(1), amount_yen=0)
    assert office.balances() == {}
    office.tell(EventKind.RETURN_DUE, payment_id=payment_id(1), amount_yen=100)
    office.tell(EventKind.RETURN_DUE, payment_id=payment_id(1), amount_yen=100)
    assert office.balances()[Account.REFUND_LIABILITY] == -100
    assert office.open_cases() == ["CONTRADICTION"]


@pytest.mark.parametrize("late", [EventKind.CAPTURED, EventKind.RETURN_DUE])
def test_what_is_told_after_a_close_that_agreed_is_a_case(office: Office, late: EventKind) -> None:
    """Nothing stands in suspense while no case is open."""
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    office.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 0, 0, 500))
    assert office.open_cases() == []
    about = {"order_id": order_id(1)} if late is EventKind.CAPTURED else {}
    office.tell(late, payment_id=payment_id(1), amount_yen=FEE_YEN, **about)
    assert office.balances()[Account.SUSPENSE] == FEE_YEN
    assert office.open_cases() == ["CONTRADICTION"]


def test_every_posting_in_the_table_sums_to_0(office: Office) -> None:
    test_a_capture_told_after_the_close_comes_out_of_suspense(office)
    with read(office.engine) as connection:
        rows = connection.execute(select(postings.c.posting_id, postings.c.amount_yen)).all()
    sums: dict[str, int] = {}
    for posting_id, amount_yen in rows:
        sums[posting_id] = sums.get(posting_id, 0) + amount_yen
    assert len(sums) == 6
    assert set(sums.values()) == {0}
