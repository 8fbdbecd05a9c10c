"""E-money on the server: nothing is reserved, a debit is the provider's debt, and 処理未了 waits for two findings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from fees import postings
from fees.postings import Account
from issuance_server import findings
from issuance_server.database import read, write
from issuance_server.findings import Decision, Finding, FindingRefused, Side
from issuance_server.ledger import OrderState
from issuance_server.schema import refunds as refund_rows
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EventKind, PaymentMethod, RefundClaim
from tests.databases import Databases
from tests.issuing_parts import CODE, FEE_YEN, Office, code_of, counted, grant_request, order_id, payment_id
from tests.test_events import EARNED
from tests.test_postings import standing


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    office = Office(tmp_path, databases.declared())
    yield office
    office.close()


def grant(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    asked = msgspec.structs.replace(grant_request(1, 0), method=PaymentMethod.EMONEY)
    office.issuer.grant(caller, order_id(1), asked)


def tell_printed(office: Office, number: int = 1) -> None:
    office.tell(EventKind.PRINTED, order_id=order_id(number), sheets_out=1)
    office.tell(EventKind.CAPTURED, order_id=order_id(number), payment_id=payment_id(1), amount_yen=FEE_YEN)


def tell_closed(office: Office, debited_yen: int, returned_yen: int = 0) -> None:
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(debited_yen, 0, 0, returned_yen))


def tell_unprocessed(office: Office, **changes: Any) -> None:
    fields = {"order_id": order_id(1), "payment_id": payment_id(1), "amount_yen": FEE_YEN}
    office.tell(EventKind.DEBIT_UNPROCESSED, **fields | changes)


def refund_state(office: Office) -> str | None:
    with read(office.engine) as connection:
        return connection.execute(select(refund_rows.c.state)).scalar_one_or_none()


# The postings


def test_a_debit_is_the_providers_debt_until_it_is_put_back() -> None:
    assert standing(postings.debit(300), postings.capture(300, 117)) == {
        Account.PROVIDER_RECEIVABLE: 300,
        Account.MUNICIPALITY_PAYABLE: -183,
        Account.OPERATOR_COMMISSION: -117,
    }
    assert standing(postings.debit(300), postings.cancel_debit(300)) == {}
    assert standing(postings.debit(300), postings.refund_due(300)) == {
        Account.PROVIDER_RECEIVABLE: 300,
        Account.REFUND_LIABILITY: -300,
    }


# The grant


def test_nothing_can_be_reserved_of_e_money(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    asked = msgspec.structs.replace(grant_request(1, 0), method=PaymentMethod.EMONEY)
    with pytest.raises(IssueError, match="reserved_yen") as refused:
        office.issuer.grant(caller, order_id(1), msgspec.structs.replace(asked, reserved_yen=FEE_YEN))
    assert refused.value.code is ErrorCode.PAYMENT_INSUFFICIENT
    assert office.order().state is OrderState.PREPARED
    office.issuer.grant(caller, order_id(1), asked)
    assert office.order().state is OrderState.GRANTED
    assert office.balances() == {}


def test_a_payment_keeps_its_method(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller, 1)
    office.prepare(caller, 2)
    by_card = msgspec.structs.replace(grant_request(1, 0), method=PaymentMethod.EMONEY)
    office.issuer.grant(caller, order_id(1), by_card)
    assert code_of(lambda: office.grant(caller, 2, reserved_yen=0)) is ErrorCode.PAYMENT_INSUFFICIENT
    office.issuer.grant(caller, order_id(2), by_card)


# What the terminal tells


def test_a_paper_that_a_card_paid_for(office: Office) -> None:
    grant(office)
    tell_printed(office)
    tell_closed(office, FEE_YEN)
    assert office.order().state is OrderState.SETTLED
    assert office.balances() == {Account.PROVIDER_RECEIVABLE: FEE_YEN, **EARNED}
    assert office.open_cases() == []


def test_a_debit_that_went_back_leaves_nothing(office: Office) -> None:
    grant(office)
    office.tell(EventKind.FAILED, order_id=order_id(1))
    tell_closed(office, FEE_YEN, FEE_YEN)
    assert office.balances() == {}
    assert office.open_cases() == []


def test_a_debit_that_could_not_go_back_is_a_refund_due(office: Office) -> None:
    grant(office)
    office.tell(EventKind.FAILED, order_id=order_id(1))
    office.tell(EventKind.RETURN_DUE, payment_id=payment_id(1), amount_yen=FEE_YEN)
    tell_closed(office, FEE_YEN)
    assert office.balances() == {Account.PROVIDER_RECEIVABLE: FEE_YEN, Account.REFUND_LIABILITY: -FEE_YEN}
    assert refund_state(office) == "DUE"
    assert office.open_cases() == []


@pytest.mark.parametrize("told", [counted(FEE_YEN, FEE_YEN, 0, 0), counted(FEE_YEN, 0, 100, 0), counted(0, 0, 0, 0)])
def test_counts_that_no_card_can_have_are_a_case(office: Office, told: dict[str, Any]) -> None:
    grant(office)
    tell_printed(office)
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **told)
    assert office.open_cases() == ["COUNTS_DIFFER"]


@pytest.mark.parametrize("owed_yen", [0, 100])
def test_of_a_payment_that_a_restored_server_knows_nothing_of_the_brand_owes_it_and_it_is_a_case(
    office: Office, owed_yen: int
) -> None:
    """Not the cashbox, which no card ever filled."""
    if owed_yen:
        told = {"payment_id": payment_id(1), "amount_yen": owed_yen, "order_id": order_id(1)}
        office.tell(EventKind.RETURN_DUE, **told, method=PaymentMethod.EMONEY)
    told = {"payment_id": payment_id(1), **counted(FEE_YEN + owed_yen, 0, 0, 0)}
    office.tell(EventKind.PAYMENT_CLOSED, **told, method=PaymentMethod.EMONEY)
    standing_now = {
        Account.PROVIDER_RECEIVABLE: FEE_YEN + owed_yen,
        Account.REFUND_LIABILITY: -owed_yen,
        Account.SUSPENSE: -FEE_YEN,
    }
    assert office.balances() == {account: yen for account, yen in standing_now.items() if yen}
    assert office.open_cases() == ["COUNTS_DIFFER"]


# 処理未了


def found(side: Side, decision: Decision | None) -> Finding:
    return Finding(side, side.value, "the brand's clearing was read", decision)


def decide(office: Office, decision: Decision) -> None:
    case_id = f"DEBIT_UNPROCESSED:{order_id(1)}"
    with write(office.engine) as connection:
        for side in (Side.OPERATOR, Side.MUNICIPALITY):
            findings.add(connection, CODE, case_id, found(side, decision), office.clock())


@pytest.fixture
def unprocessed(office: Office) -> Office:
    grant(office)
    tell_unprocessed(office)
    office.tell(EventKind.GRANT_ABANDONED, order_id=order_id(1))
    tell_closed(office, 0)
    return office


def test_what_nobody_knows_is_a_case_and_is_not_booked(unprocessed: Office) -> None:
    assert unprocessed.order().state is OrderState.VOIDED
    assert unprocessed.open_cases() == ["DEBIT_UNPROCESSED"]
    assert unprocessed.balances() == {}
    due = unprocessed.issuer.welcome(unprocessed.caller(visit="9" * 32)).refunds
    assert [(one.amount_yen, one.in_review) for one in due] == [(FEE_YEN, True)]


def test_nobody_is_paid_before_the_clearing_was_read(unprocessed: Office) -> None:
    caller = unprocessed.caller(visit="9" * 32)
    asked = RefundClaim(claim_id="c" * 32, session_id="s", payment_id=payment_id(1))
    claim = lambda: unprocessed.issuer.claim_refund("t-1", caller, asked)  # noqa: E731
    assert code_of(claim) is ErrorCode.REFUND_IN_REVIEW
    decide(unprocessed, Decision.PAY)
    assert claim().amount_yen == FEE_YEN
    assert unprocessed.balances() == {
        Account.PROVIDER_RECEIVABLE: FEE_YEN,
        Account.REFUND_LIABILITY: -FEE_YEN,
    }
    unprocessed.tell(EventKind.REFUND_PAID, claim_id="c" * 32, amount_yen=FEE_YEN)
    assert unprocessed.balances() == {Account.PROVIDER_RECEIVABLE: FEE_YEN, Account.HOPPER_FLOAT: -FEE_YEN}
    assert unprocessed.open_cases() == []


def test_a_card_that_was_not_debited_is_owed_nothing(unprocessed: Office) -> None:
    decide(unprocessed, Decision.NOT_TAKEN)
    assert refund_state(unprocessed) == "NOTHING"
    assert unprocessed.balances() == {}
    assert unprocessed.open_cases() == []
    assert unprocessed.issuer.welcome(unprocessed.caller(visit="9" * 32)).refunds == ()


def test_a_coin_s_word_decides_nothing_here(unprocessed: Office) -> None:
    case_id, said = f"DEBIT_UNPROCESSED:{order_id(1)}", found(Side.OPERATOR, Decision.PAID)
    with write(unprocessed.engine) as connection, pytest.raises(FindingRefused, match="not-taken or pay"):
        findings.add(connection, CODE, case_id, said, unprocessed.clock())


def test_a_doubt_beside_a_debt_is_a_contradiction(office: Office) -> None:
    grant(office)
    office.tell(EventKind.FAILED, order_id=order_id(1))
    office.tell(EventKind.RETURN_DUE, payment_id=payment_id(1), amount_yen=FEE_YEN)
    tell_unprocessed(office)
    assert office.open_cases() == ["CONTRADICTION"]
    assert refund_state(office) == "DUE"


def test_a_doubt_of_which_the_server_knows_no_grant(office: Office) -> None:
    """Lost in a restore, perhaps: the doubt is written down all the same."""
    tell_unprocessed(office)
    assert office.open_cases() == ["DEBIT_UNPROCESSED"]
    assert refund_state(office) == "REVIEW"
