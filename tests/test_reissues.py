"""A paper that was paid for and destroyed is replaced once, for its requester alone, and the check tells both apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from fees.postings import Account
from issuance_server import reissues
from issuance_server.database import write
from issuance_server.issue import Issuer
from issuance_server.ledger import OrderState
from issuance_server.sessions import Caller
from issuance_server.verify.check import Status
from printing.paper import seal
from protocol.errors import ErrorCode
from protocol.messages import EventKind, PreparedOrder, Scope
from tests.databases import Databases
from tests.issuing_parts import CODE, FEE_YEN, Office, code_of, counted, order_id, payment_id, rows
from tests.verify_parts import CheckedOffice, checked_office, content_of

SECOND_VISIT = "2" * 32
THIRD_VISIT = "3" * 32


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    made = Office(tmp_path, databases.declared())
    yield made
    made.close()


def sell(office: Office, caller: Caller, number: int = 1, fee_yen: int = FEE_YEN, **fields: Any) -> PreparedOrder:
    """One order from wish to settled."""
    prepared, _pdf = office.prepare(caller, number, **fields)
    office.grant(caller, number, payment=number, reserved_yen=fee_yen, allocated_yen=fee_yen)
    office.tell(EventKind.PRINTED, order_id=order_id(number), sheets_out=prepared.sheets)
    office.tell(
        EventKind.CAPTURED, order_id=order_id(number), payment_id=payment_id(number), amount_yen=prepared.fee_yen
    )
    if fee_yen:
        counts = counted(fee_yen, fee_yen, 0, 0)
        office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(number), **counts)
    assert office.order(number).state is OrderState.SETTLED
    return prepared


def destroy(office: Office, number: int = 1, sheets: int = 1) -> None:
    office.tell(EventKind.SHEETS_DESTROYED, order_id=order_id(number), sheets_out=sheets)


@pytest.fixture
def destroyed(office: Office) -> Office:
    """A household's certificate was bought, came out smeared and was destroyed."""
    sell(office, office.caller(), scope=Scope.HOUSEHOLD)
    destroy(office)
    return office


def test_a_destroyed_paper_is_void_and_what_was_earned_stays_earned(destroyed: Office) -> None:
    assert destroyed.order().state is OrderState.VOIDED
    assert destroyed.open_cases() == []
    assert destroyed.balances()[Account.MUNICIPALITY_PAYABLE] == -(FEE_YEN - 117)


def test_the_requester_is_offered_the_very_document_again_and_gets_it_free(destroyed: Office) -> None:
    again = destroyed.caller(visit=SECOND_VISIT, terminal="t-2")
    (offer,) = destroyed.issuer.welcome(again).reissues
    assert (offer.replaces, offer.scope, offer.kind) == (order_id(1), Scope.HOUSEHOLD, "residence")
    assert offer.issue_number == "2026-0000001"
    earned = destroyed.balances()
    prepared, _pdf = destroyed.prepare(again, 2, scope=offer.scope, replaces=offer.replaces)
    assert prepared.fee_yen == 0
    assert prepared.issue_number == "2026-0000002"
    assert destroyed.issuer.welcome(again).reissues == ()
    destroyed.grant(again, 2, payment=2, reserved_yen=0, allocated_yen=0)
    destroyed.tell(EventKind.PRINTED, terminal="t-2", order_id=order_id(2), sheets_out=prepared.sheets)
    destroyed.tell(EventKind.CAPTURED, terminal="t-2", order_id=order_id(2), payment_id=payment_id(2), amount_yen=0)
    assert destroyed.order(2).state is OrderState.SETTLED
    assert destroyed.balances() == earned
    assert destroyed.open_cases() == []


@pytest.mark.parametrize(
    "changed", [{"scope": Scope.SELF}, {"scope": Scope.SELF, "kind": "taxation", "fiscal_year": 2026}]
)
def test_another_document_is_not_a_replacement(destroyed: Office, changed: dict[str, Any]) -> None:
    again = destroyed.caller(visit=SECOND_VISIT)
    before = rows(destroyed)
    wish = {"scope": Scope.HOUSEHOLD, "replaces": order_id(1)} | changed
    assert code_of(lambda: destroyed.prepare(again, 2, **wish)) is ErrorCode.NOT_OFFERED
    assert rows(destroyed) == before


def test_another_person_gets_nothing_for_it(destroyed: Office) -> None:
    """The wife of the same household asks for the very same document."""
    destroyed.link("r-hanako")
    other = destroyed.caller("r-hanako", visit=SECOND_VISIT)
    assert destroyed.issuer.welcome(other).reissues == ()
    wish = {"scope": Scope.HOUSEHOLD, "replaces": order_id(1)}
    assert code_of(lambda: destroyed.prepare(other, 2, **wish)) is ErrorCode.NOT_OFFERED


def test_one_right_is_one_paper(destroyed: Office) -> None:
    again = destroyed.caller(visit=SECOND_VISIT)
    wish = {"scope": Scope.HOUSEHOLD, "replaces": order_id(1)}
    destroyed.prepare(again, 2, **wish)
    before = rows(destroyed)
    assert code_of(lambda: destroyed.prepare(again, 3, **wish)) is ErrorCode.NOT_OFFERED
    assert rows(destroyed) == before
    # A replacement that was given up gives the right back.
    destroyed.tell(EventKind.ORDER_VOIDED, order_id=order_id(2))
    assert destroyed.prepare(again, 3, **wish)[0].fee_yen == 0


def test_two_that_come_at_once_share_one_right(destroyed: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have passed the check before either began; with the guard of the update off, both would be free."""
    again = destroyed.caller(visit=SECOND_VISIT)
    wish = {"scope": Scope.HOUSEHOLD, "replaces": order_id(1)}

    def between(issuer: Issuer, number: int) -> None:
        """Another request for the same right comes between this one's check and its intent."""
        check = reissues.check

        def checked(*arguments: Any) -> None:
            check(*arguments)
            monkeypatch.setattr(reissues, "check", check)
            destroyed.prepare(again, number, **wish)

        monkeypatch.setattr(reissues, "check", checked)

    with monkeypatch.context() as off:
        between(destroyed.issuer, 3)
        off.setattr(reissues, "use", lambda *_: None)
        destroyed.prepare(again, 2, **wish)
    assert [destroyed.order(number).fee_yen for number in (2, 3)] == [0, 0]  # the race happens
    for number in (2, 3):
        destroyed.tell(EventKind.ORDER_VOIDED, order_id=order_id(number))

    between(destroyed.issuer, 5)
    assert code_of(lambda: destroyed.prepare(again, 4, **wish)) is ErrorCode.NOT_OFFERED
    assert destroyed.order(5).fee_yen == 0


def test_a_right_ends_after_its_time(destroyed: Office) -> None:
    destroyed.clock.advance(days=reissues.LIFE.days, seconds=1)
    late = destroyed.caller(visit=SECOND_VISIT)
    assert destroyed.issuer.welcome(late).reissues == ()
    wish = {"scope": Scope.HOUSEHOLD, "replaces": order_id(1)}
    assert code_of(lambda: destroyed.prepare(late, 2, **wish)) is ErrorCode.NOT_OFFERED


def test_a_link_that_was_ended_since_then_hides_the_right_too(destroyed: Office) -> None:
    with write(destroyed.engine) as connection:
        connection.execute(text("UPDATE certificate_links SET active = false"))
    again = destroyed.caller(visit=SECOND_VISIT)
    assert code_of(lambda: destroyed.issuer.welcome(again)) is ErrorCode.NOT_ISSUABLE_HERE


def test_sheets_that_are_missing_open_no_right_but_a_case(office: Office) -> None:
    prepared = sell(office, office.caller(), scope=Scope.HOUSEHOLD)
    destroy(office, sheets=prepared.sheets - 1)
    assert office.order().state is OrderState.VOIDED
    assert office.open_cases() == ["VOIDED_AFTER_PRINT"]
    assert office.issuer.welcome(office.caller(visit=SECOND_VISIT)).reissues == ()


def test_a_paper_whose_fee_was_never_taken_is_not_replaced_free(office: Office) -> None:
    caller = office.caller()
    prepared, _pdf = office.prepare(caller)
    office.grant(caller)
    office.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=prepared.sheets)
    office.tell(EventKind.CAPTURE_FAILED, order_id=order_id(1), payment_id=payment_id(1), amount_yen=FEE_YEN)
    destroy(office, sheets=prepared.sheets)
    assert office.order().state is OrderState.VOIDED
    assert office.open_cases() == ["UNCOLLECTED", "VOIDED_AFTER_PRINT"]
    assert office.issuer.welcome(office.caller(visit=SECOND_VISIT)).reissues == ()


def test_sheets_of_a_void_order_are_destroyed_without_a_doubt(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    office.tell(EventKind.FAILED, order_id=order_id(1))
    destroy(office)
    assert office.open_cases() == []


def test_a_replacement_can_be_replaced(destroyed: Office) -> None:
    again = destroyed.caller(visit=SECOND_VISIT)
    sell(destroyed, again, 2, 0, scope=Scope.HOUSEHOLD, replaces=order_id(1))
    destroy(destroyed, 2)
    (offer,) = destroyed.issuer.welcome(destroyed.caller(visit=THIRD_VISIT)).reissues
    assert offer.replaces == order_id(2)


def test_the_check_says_reissued_once_the_new_paper_is_out(tmp_path: Path) -> None:
    with checked_office(tmp_path) as checked:
        pdf = checked.issue()
        statement = _statement(checked, pdf)
        assert checked.book.status(*statement) is Status.ACTIVE
        new_pdf = checked.reissue()
        assert checked.book.status(*statement) is Status.REISSUED
        assert checked.book.status(*_statement(checked, new_pdf)) is Status.ACTIVE
        # It is the new paper's being out that says so.
        destroyed_again = {"order_id": order_id(2), "sheets_out": 1}
        checked.office.tell(EventKind.SHEETS_DESTROYED, **destroyed_again)
        assert checked.book.status(*statement) is Status.VOID


def _statement(checked: CheckedOffice, pdf: bytes) -> tuple[bytes, bytes]:
    return content_of(checked, pdf).status_id, seal.statement_digest(seal.read_printed(pdf))


def test_who_asked_stands_in_no_table_in_clear(destroyed: Office) -> None:
    with write(destroyed.engine) as connection:
        stored = connection.execute(text("SELECT requester_digest FROM reissues")).scalar_one()
    assert stored == destroyed.vault.requester_digest(CODE, "r-taro")
    assert stored != destroyed.vault.requester_digest("131016", "r-taro")
