"""Money that is owed is paid once, to the code's holder or the card's; where people may try it on, it is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from fees.postings import Account
from issuance_server import findings, refunds
from issuance_server.database import read, write
from issuance_server.findings import Decision, Finding, FindingRefused, Side
from issuance_server.refunds import TRANSITIONS, RefundEvent, RefundState
from issuance_server.schema import refunds as refund_rows
from issuance_server.sessions import Caller
from protocol.codes import claim_digest, readable
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EventKind, RefundClaim
from tests.databases import Databases
from tests.issuing_parts import CODE, Office, code_of, counted, order_id, payment_id

HELD_YEN = 500
CLAIM, OTHER_CLAIM = "c" * 32, "d" * 32


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    made = Office(tmp_path, databases.declared())
    yield made
    made.close()


def code(number: int = 1) -> str:
    return readable(bytes([number]) * 10)


def owe(office: Office, number: int = 1, who: str = "r-taro", terminal: str = "t-1") -> None:
    """A visit whose paper failed and whose money stuck in the machine."""
    caller = office.caller(who, visit=f"{number:032d}", terminal=terminal)
    office.prepare(caller, number)
    office.grant(caller, number, payment=number, reserved_yen=HELD_YEN)
    office.tell(EventKind.FAILED, terminal=terminal, order_id=order_id(number))
    stuck = counted(HELD_YEN, HELD_YEN, 0, 0)
    office.tell(EventKind.PAYMENT_CLOSED, terminal=terminal, payment_id=payment_id(number), **stuck)
    told: dict[str, Any] = {"payment_id": payment_id(number), "amount_yen": HELD_YEN}
    office.tell(EventKind.RETURN_DUE, terminal=terminal, claim_digest=claim_digest(code(number)), **told)


@pytest.fixture
def owed(office: Office) -> Office:
    owe(office)
    return office


def state(office: Office, number: int = 1) -> str:
    with read(office.engine) as connection:
        statement = select(refund_rows.c.state).where(refund_rows.c.payment_id == payment_id(number))
        return str(connection.execute(statement).scalar_one())


def claim_by_code(office: Office, typed: str = "", terminal: str = "t-2", claim_id: str = CLAIM) -> int:
    asked = RefundClaim(claim_id=claim_id, code=typed or code())
    return office.issuer.claim_refund(terminal, None, asked).amount_yen


def claim_by_card(office: Office, caller: Caller, number: int = 1, claim_id: str = CLAIM) -> int:
    asked = RefundClaim(claim_id=claim_id, session_id="s", payment_id=payment_id(number))
    return office.issuer.claim_refund(caller.terminal_id, caller, asked).amount_yen


def test_every_pair_that_moves_a_refund_is_listed() -> None:
    assert {state for state, _event in TRANSITIONS} == set(RefundState) - {RefundState.PAID, RefundState.NOTHING}
    assert {event for _state, event in TRANSITIONS} == set(RefundEvent)


@pytest.mark.parametrize("typed", [code(), code().lower(), code().replace("-", " "), code().replace("0", "O")])
def test_a_code_is_paid_once_at_any_terminal(owed: Office, typed: str) -> None:
    assert claim_by_code(owed, typed) == HELD_YEN
    owed.tell(EventKind.REFUND_PAID, terminal="t-2", claim_id=CLAIM, amount_yen=HELD_YEN)
    assert state(owed) == "PAID"
    assert owed.balances() == {Account.CASHBOX: HELD_YEN, Account.HOPPER_FLOAT: -HELD_YEN}
    assert owed.open_cases() == []
    assert code_of(lambda: claim_by_code(owed, claim_id=OTHER_CLAIM)) is ErrorCode.NO_REFUND
    assert code_of(lambda: claim_by_code(owed)) is ErrorCode.NO_REFUND


def test_the_hoppers_that_paid_are_the_other_terminals(owed: Office) -> None:
    claim_by_code(owed)
    owed.tell(EventKind.REFUND_PAID, terminal="t-2", claim_id=CLAIM, amount_yen=HELD_YEN)
    with read(owed.engine) as connection:
        paid = text("SELECT DISTINCT terminal_id FROM postings WHERE posting_id LIKE 'refund_paid:%'")
        assert list(connection.execute(paid).scalars()) == ["t-2"]


def test_the_same_card_is_offered_it_and_gets_it(owed: Office) -> None:
    again = owed.caller(visit="9" * 32, terminal="t-2")
    (due,) = owed.issuer.welcome(again).refunds
    assert (due.payment_id, due.amount_yen) == (payment_id(1), HELD_YEN)
    assert claim_by_card(owed, again) == HELD_YEN
    assert owed.issuer.welcome(again).refunds == ()


def test_another_card_is_offered_nothing(owed: Office) -> None:
    owed.link("r-hanako")
    other = owed.caller("r-hanako", visit="9" * 32)
    assert owed.issuer.welcome(other).refunds == ()
    assert code_of(lambda: claim_by_card(owed, other)) is ErrorCode.NO_REFUND


def test_a_claim_is_one_terminals_and_asking_again_changes_nothing(owed: Office) -> None:
    assert claim_by_code(owed) == claim_by_code(owed) == HELD_YEN
    assert code_of(lambda: claim_by_code(owed, claim_id=OTHER_CLAIM)) is ErrorCode.NO_REFUND
    assert code_of(lambda: claim_by_code(owed, terminal="t-1")) is ErrorCode.NO_REFUND
    assert state(owed) == "CLAIMED"


def test_of_two_claims_at_once_one_is_granted(owed: Office) -> None:
    """Both have read that it is due; with the state left out of the update both would be granted."""
    with read(owed.engine) as connection:
        due = refunds.find(connection, payment_id(1))
    assert due is not None
    unguarded = text("UPDATE refunds SET state = 'CLAIMED', claim_id = :claim WHERE payment_id = :payment")
    with write(owed.engine) as connection:
        won = [
            connection.execute(unguarded, {"claim": claim_id, "payment": due.payment_id}).rowcount
            for claim_id in (CLAIM, OTHER_CLAIM)
        ]
        assert won == [1, 1]  # the race happens
        connection.execute(text("UPDATE refunds SET state = 'DUE', claim_id = NULL"))
    with write(owed.engine) as connection:
        assert refunds.claim(connection, due, "t-1", CLAIM)
        assert not refunds.claim(connection, due, "t-2", OTHER_CLAIM)


def test_what_did_not_come_out_is_due_again(owed: Office) -> None:
    claim_by_code(owed)
    owed.tell(EventKind.REFUND_NOT_PAID, terminal="t-2", claim_id=CLAIM)
    assert state(owed) == "DUE"
    assert claim_by_code(owed, claim_id=OTHER_CLAIM) == HELD_YEN
    owed.tell(EventKind.REFUND_NOT_PAID, terminal="t-2", claim_id=CLAIM)  # told late: nothing is claimed by it
    assert state(owed) == "CLAIMED"
    assert owed.open_cases() == []


def found(side: Side, decision: Decision | None, person: str = "") -> Finding:
    return Finding(side, person or side.value, "the hopper's counter was read", decision)


@pytest.mark.parametrize(
    ("decision", "ends", "float_yen"), [(Decision.PAY, "DUE", 0), (Decision.PAID, "PAID", -HELD_YEN)]
)
def test_a_doubtful_payout_is_never_paid_again_before_two_sides_decide(
    owed: Office, decision: Decision, ends: str, float_yen: int
) -> None:
    claim_by_code(owed)
    owed.tell(EventKind.REFUND_UNKNOWN, terminal="t-2", claim_id=CLAIM)
    assert owed.open_cases() == ["REFUND_UNKNOWN"]
    assert code_of(lambda: claim_by_code(owed, claim_id=OTHER_CLAIM)) is ErrorCode.NO_REFUND
    case_id = f"REFUND_UNKNOWN:{payment_id(1)}"
    with write(owed.engine) as connection:
        findings.add(connection, CODE, case_id, found(Side.OPERATOR, decision), owed.clock())
        other = Decision.PAID if decision is Decision.PAY else Decision.PAY
        with pytest.raises(FindingRefused, match="decide the same"):
            findings.add(connection, CODE, case_id, found(Side.MUNICIPALITY, other), owed.clock())
        with pytest.raises(FindingRefused, match="pay"):
            findings.add(connection, CODE, case_id, found(Side.MUNICIPALITY, None), owed.clock())
        assert findings.add(connection, CODE, case_id, found(Side.MUNICIPALITY, decision), owed.clock())
    assert state(owed) == ends
    assert owed.balances().get(Account.HOPPER_FLOAT, 0) == float_yen
    assert (claim_by_code(owed, claim_id=OTHER_CLAIM) if ends == "DUE" else 0) in {0, HELD_YEN}


def test_the_second_of_one_person_is_looked_at_first(owed: Office) -> None:
    owe(owed, 2, terminal="t-2")
    assert (state(owed, 1), state(owed, 2)) == ("DUE", "REVIEW")
    assert owed.open_cases() == ["REFUND_REVIEW"]
    assert code_of(lambda: claim_by_code(owed, code(2))) is ErrorCode.REFUND_IN_REVIEW
    again = owed.caller(visit="9" * 32)
    due = [(offered.payment_id, offered.in_review) for offered in owed.issuer.welcome(again).refunds]
    assert due == [(payment_id(1), False), (payment_id(2), True)]
    assert code_of(lambda: claim_by_card(owed, again, 2)) is ErrorCode.REFUND_IN_REVIEW
    case_id = f"REFUND_REVIEW:{payment_id(2)}"
    with write(owed.engine) as connection:
        with pytest.raises(FindingRefused, match="decision: of this case pay"):
            findings.add(connection, CODE, case_id, found(Side.OPERATOR, Decision.PAID), owed.clock())
        for side in (Side.OPERATOR, Side.MUNICIPALITY):
            findings.add(connection, CODE, case_id, found(side, Decision.PAY), owed.clock())
    assert claim_by_code(owed, code(2)) == HELD_YEN


def test_after_thirty_days_it_is_not_the_second_any_more(owed: Office) -> None:
    owed.clock.advance(days=30)
    owe(owed, 2)
    assert state(owed, 2) == "DUE"


def test_the_third_of_one_terminal_is_looked_at_first(office: Office) -> None:
    for number, who in enumerate(("r-taro", "r-hanako", "r-maria"), start=1):
        if number > 1:
            office.link(who)
        owe(office, number, who)
    assert [state(office, number) for number in (1, 2, 3)] == ["DUE", "DUE", "REVIEW"]


def test_guesses_are_counted_by_terminal_and_end(owed: Office) -> None:
    for number in range(100, 100 + refunds.MISSES_ALLOWED):
        with pytest.raises(IssueError, match="NO_REFUND"):
            claim_by_code(owed, code(number))
    assert code_of(lambda: claim_by_code(owed)) is ErrorCode.TOO_MANY_CODES
    assert claim_by_code(owed, terminal="t-1", claim_id=OTHER_CLAIM) == HELD_YEN
    owed.tell(EventKind.REFUND_NOT_PAID, terminal="t-1", claim_id=OTHER_CLAIM)
    owed.clock.advance(seconds=refunds.MISS_SPAN.total_seconds())
    assert claim_by_code(owed) == HELD_YEN


def test_money_that_stuck_before_any_grant_is_the_cards_too(office: Office) -> None:
    """First the fault: without a word on the order nobody knows whose card it was."""
    for number, told in ((1, {}), (2, {"order_id": order_id(2)})):
        office.prepare(office.caller(visit=f"{number:032d}"), number)
        office.tell(EventKind.ORDER_VOIDED, order_id=order_id(number))
        office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(number), **counted(100, 100, 0, 0))
        office.tell(EventKind.RETURN_DUE, payment_id=payment_id(number), amount_yen=100, **told)
    again = office.caller(visit="9" * 32)
    assert [offered.payment_id for offered in office.issuer.welcome(again).refunds] == [payment_id(2)]
    assert claim_by_card(office, again, 2) == 100
    office.tell(EventKind.REFUND_PAID, terminal=again.terminal_id, claim_id=CLAIM, amount_yen=100)
    assert state(office, 2) == "PAID"


def test_an_order_of_another_terminal_names_nobody(office: Office) -> None:
    office.prepare(office.caller(), 1)
    office.tell(EventKind.RETURN_DUE, terminal="t-2", payment_id=payment_id(7), amount_yen=100, order_id=order_id(1))
    assert office.issuer.welcome(office.caller(visit="9" * 32)).refunds == ()


def test_a_refund_whose_code_nobody_saw_is_still_the_cards(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    office.tell(EventKind.FAILED, order_id=order_id(1))
    office.tell(EventKind.RETURN_DUE, payment_id=payment_id(1), amount_yen=HELD_YEN)
    assert office.issuer.welcome(office.caller(visit="9" * 32)).refunds


def test_money_of_no_order_is_claimed_by_its_code_alone(office: Office) -> None:
    told: dict[str, Any] = {"payment_id": payment_id(7), "amount_yen": 100}
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(7), **counted(100, 100, 0, 0))
    office.tell(EventKind.RETURN_DUE, claim_digest=claim_digest(code(7)), **told)
    assert office.issuer.welcome(office.caller()).refunds == ()
    assert claim_by_code(office, code(7)) == 100


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (EventKind.REFUND_PAID, {"claim_id": CLAIM, "amount_yen": HELD_YEN - 1}),
        (EventKind.REFUND_PAID, {"claim_id": OTHER_CLAIM, "amount_yen": HELD_YEN}),
        (EventKind.REFUND_UNKNOWN, {"claim_id": OTHER_CLAIM}),
    ],
)
def test_a_payout_that_the_books_do_not_know_is_a_case(owed: Office, kind: EventKind, fields: dict[str, Any]) -> None:
    claim_by_code(owed)
    owed.tell(kind, terminal="t-2", **fields)
    assert owed.open_cases() == ["CONTRADICTION"]
    assert state(owed) == "CLAIMED"


def test_paid_twice_is_posted_once(owed: Office) -> None:
    claim_by_code(owed)
    for _ in range(2):
        owed.tell(EventKind.REFUND_PAID, terminal="t-2", claim_id=CLAIM, amount_yen=HELD_YEN)
    assert owed.balances()[Account.HOPPER_FLOAT] == -HELD_YEN
    assert owed.open_cases() == ["CONTRADICTION"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"code": "x", "session_id": "s", "payment_id": payment_id(1)},
        {"session_id": "s"},
        {"code": "x", "payment_id": payment_id(1)},
    ],
)
def test_a_claim_names_one_way(owed: Office, wrong: dict[str, Any]) -> None:
    caller = owed.caller(visit="9" * 32) if "session_id" in wrong else None
    with pytest.raises(IssueError) as refused:
        owed.issuer.claim_refund("t-1", caller, RefundClaim(claim_id=CLAIM, **wrong))
    assert refused.value.code is ErrorCode.BAD_REQUEST


def test_the_code_stands_in_no_table(owed: Office) -> None:
    with read(owed.engine) as connection:
        stored = str(connection.execute(select(refund_rows)).all())
        bodies = str(connection.execute(text("SELECT body FROM terminal_events")).all())
    for spelling in (code(), code().replace("-", "")):
        assert spelling not in stored + bodies
