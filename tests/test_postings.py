"""Double entry: every posting sums to 0 by construction, and whole visits leave what they should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fees import postings
from fees.postings import Account, Line, Posting, PostingKind, Unbalanced

AMOUNT = st.integers(min_value=1, max_value=10_000_000)


def standing(*made: Posting) -> dict[Account, int]:
    return {account: amount for account, amount in postings.balances(made).items() if amount}


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (Line(Account.ESCROW, 300),),
        (Line(Account.ESCROW, 300), Line(Account.CUSTOMER_DEPOSIT, -299)),
        (Line(Account.ESCROW, 300), Line(Account.ESCROW, -300)),
        (Line(Account.ESCROW, 0), Line(Account.CUSTOMER_DEPOSIT, 0)),
        (Line(Account.ESCROW, 0.5), Line(Account.CUSTOMER_DEPOSIT, -0.5)),  # type: ignore[arg-type]  # the fault itself
    ],
)
def test_what_does_not_balance_cannot_be_made(lines: tuple[Line, ...]) -> None:
    with pytest.raises(Unbalanced):
        Posting(PostingKind.RESERVE, lines)


def test_the_worked_visit() -> None:
    made = (postings.reserve(500), postings.capture(300, 117), postings.move(500), postings.change(200))
    assert standing(*made) == {
        Account.CASHBOX: 500,
        Account.HOPPER_FLOAT: -200,
        Account.MUNICIPALITY_PAYABLE: -183,
        Account.OPERATOR_COMMISSION: -117,
    }


def test_everything_given_back_leaves_nothing() -> None:
    assert standing(postings.reserve(500), postings.give_back(500)) == {}


def test_what_cannot_be_given_back_is_owed() -> None:
    made = (postings.reserve(500), postings.give_back(400), postings.refund_due(100))
    assert standing(*made) == {Account.ESCROW: 100, Account.REFUND_LIABILITY: -100}


def test_a_void_takes_the_capture_back() -> None:
    made = (postings.reserve(300), postings.capture(300, 117), postings.move(300), postings.void(300, 117))
    assert standing(*made) == {Account.CASHBOX: 300, Account.REFUND_LIABILITY: -300}


def test_uncollected_owes_the_municipality_all_the_same() -> None:
    made = (postings.reserve(300), postings.give_back(300), postings.uncollected(300, 117))
    assert standing(*made) == {
        Account.UNCOLLECTED: 300,
        Account.MUNICIPALITY_PAYABLE: -183,
        Account.OPERATOR_COMMISSION: -117,
    }


def test_a_commission_above_the_fee_is_the_municipality_s_debt() -> None:
    made = (postings.reserve(10), postings.capture(10, 117), postings.move(10))
    assert standing(*made)[Account.MUNICIPALITY_PAYABLE] == 107


def test_a_device_that_counts_less_is_short() -> None:
    made = (postings.reserve(500), postings.move(400), postings.over_short(Account.ESCROW, -100))
    assert standing(*made) == {Account.CASHBOX: 400, Account.CUSTOMER_DEPOSIT: -500, Account.OVER_SHORT: 100}


def test_an_unexplained_deposit_waits_in_suspense_and_can_become_a_refund() -> None:
    made = [postings.reserve(500), postings.move(500), postings.suspend(500)]
    assert standing(*made) == {Account.CASHBOX: 500, Account.SUSPENSE: -500}
    made.append(postings.refund_due(500, out_of=Account.SUSPENSE))
    assert standing(*made) == {Account.CASHBOX: 500, Account.REFUND_LIABILITY: -500}


@given(AMOUNT, AMOUNT, AMOUNT)
def test_any_visit_sums_to_zero(inserted_yen: int, fee_yen: int, commission_yen: int) -> None:
    made = (
        postings.reserve(inserted_yen),
        postings.capture(fee_yen, commission_yen),
        postings.move(inserted_yen),
        postings.change(commission_yen),
        postings.void(fee_yen, commission_yen),
        postings.suspend(fee_yen - inserted_yen) if fee_yen != inserted_yen else postings.suspend(1),
    )
    balances = postings.balances(made)
    assert sum(balances.values()) == 0
    assert balances[Account.ESCROW] == 0
    assert balances[Account.MUNICIPALITY_PAYABLE] + balances[Account.OPERATOR_COMMISSION] == 0


@pytest.mark.parametrize("make", [postings.reserve, postings.move, postings.change, postings.give_back])
def test_nothing_is_posted_of_nothing(make: object) -> None:
    assert callable(make)
    with pytest.raises(Unbalanced):
        make(0)
