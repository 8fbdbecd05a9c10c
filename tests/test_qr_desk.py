"""QR codes on the server: what is wanted stands in a row, the provider is asked between transactions, and once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from fees.postings import Account
from issuance_server import findings, qr_codes
from issuance_server.database import read, write
from issuance_server.findings import Decision, Finding, Side
from issuance_server.ledger import OrderState
from issuance_server.payments_qr import QrState
from issuance_server.qr_codes import TRANSITIONS, CodeEvent, CodeState
from issuance_server.qr_desk import QrDesk
from protocol.errors import ErrorCode, IssueError
from protocol.messages import CodeRequest, EventKind, PaymentMethod
from tests.databases import Databases
from tests.issuing_parts import CODE, FEE_YEN, Office, code_of, counted, grant_request, order_id, payment_id
from tests.test_events import EARNED
from tests.test_payments_qr import Desk

WALLET = "wallet-1"


class Counter:
    """A server with a provider beside it; the provider's clock is the server's."""

    def __init__(self, office: Office, provider: Desk) -> None:
        self.office, self.there = office, provider
        self.caller = office.caller()
        self.codes = QrDesk(office.engine, provider.qr, office.clock)
        self.tick()

    def tick(self, **time: float) -> None:
        self.office.clock.advance(**time)
        self.there.now = self.office.clock()

    def show(self, *numbers: int) -> str:
        for number in numbers or (1,):
            self.office.prepare(self.caller, number)
        asked = CodeRequest(
            session_id="s", payment_id=payment_id(1), order_ids=tuple(order_id(n) for n in numbers or (1,))
        )
        return self.codes.show(self.caller, asked).code_url

    def agree(self) -> None:
        assert self.there.provider.scan(payment_id(1), WALLET)
        assert self.codes.look("t-1", payment_id(1)).authorized

    def grant(self, number: int = 1, agreed_yen: int = FEE_YEN) -> None:
        asked = msgspec.structs.replace(grant_request(1, agreed_yen), method=PaymentMethod.QR)
        self.office.issuer.grant(self.caller, order_id(number), asked)

    def tell_printed(self, number: int = 1) -> None:
        self.office.tell(EventKind.PRINTED, order_id=order_id(number), sheets_out=1)
        told = {"order_id": order_id(number), "payment_id": payment_id(1), "amount_yen": FEE_YEN}
        self.office.tell(EventKind.CAPTURED, **told)

    def tell_closed(self, agreed_yen: int, returned_yen: int = 0) -> None:
        told = counted(agreed_yen, 0, 0, returned_yen)
        self.office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **told)

    def state(self) -> CodeState:
        with read(self.office.engine) as connection:
            code = qr_codes.find(connection, payment_id(1))
        assert code is not None
        return code.state

    def stands(self) -> QrState:
        return self.there.provider.payments[payment_id(1)].state


@pytest.fixture
def desk(tmp_path: Path, databases: Databases) -> Iterator[Counter]:
    office, provider = Office(tmp_path, databases.declared()), Desk()
    yield Counter(office, provider)
    assert provider.provider.all_yen() == 3100
    provider.stop()
    office.close()


def test_what_is_over_is_left_by_nothing() -> None:
    over = {CodeState.CAPTURED, CodeState.REVERTED, CodeState.LAPSED}
    assert {state for state, _ in TRANSITIONS} == set(CodeState) - over


def test_a_code_is_for_the_orders_fees_and_one_however_often_it_is_asked_for(desk: Counter) -> None:
    url = desk.show(1, 2)
    asked = CodeRequest(session_id="s", payment_id=payment_id(1), order_ids=(order_id(1), order_id(2)))
    assert desk.codes.show(desk.caller, asked).code_url == url
    assert desk.there.provider.payments[payment_id(1)].amount_yen == 2 * FEE_YEN


def test_a_strangers_order_has_no_code(desk: Counter) -> None:
    desk.office.prepare(desk.caller)
    other = desk.office.caller(terminal="t-2", visit="2" * 32)
    asked = CodeRequest(session_id="s", payment_id=payment_id(1), order_ids=(order_id(1),))
    assert code_of(lambda: desk.codes.show(other, asked)) is ErrorCode.UNKNOWN_ORDER
    desk.codes.show(desk.caller, asked)
    assert code_of(lambda: desk.codes.look("t-2", payment_id(1))) is ErrorCode.UNKNOWN_ORDER


@pytest.mark.parametrize("agreed", [False, True])
def test_a_grant_needs_somebody_who_has_agreed_to_exactly_so_much(desk: Counter, agreed: bool) -> None:
    desk.show()
    if agreed:
        desk.agree()
        with pytest.raises(IssueError, match="nobody has agreed"):
            desk.grant(agreed_yen=2 * FEE_YEN)
        desk.grant()
        assert desk.office.order().state is OrderState.GRANTED
    else:
        with pytest.raises(IssueError, match="nobody has agreed"):
            desk.grant()
        assert desk.office.order().state is OrderState.PREPARED
    assert desk.office.balances() == {}, "what is only agreed to lies nowhere yet"


def test_what_was_printed_is_captured_and_the_rest_let_go(desk: Counter) -> None:
    desk.show(1, 2)
    desk.agree()
    desk.grant(1, 2 * FEE_YEN)
    desk.tell_printed(1)
    desk.grant(2, 2 * FEE_YEN)
    desk.office.tell(EventKind.FAILED, order_id=order_id(2))
    desk.tell_closed(2 * FEE_YEN, FEE_YEN)
    assert desk.stands() is QrState.AUTHORIZED, "nothing is asked of the provider while a fact is written"
    assert desk.codes.settle() == 1
    assert (desk.state(), desk.there.provider.merchant_yen) == (CodeState.CAPTURED, FEE_YEN)
    assert desk.codes.settle() == 0
    assert desk.there.provider.charges == 1
    assert desk.office.balances() == {Account.PROVIDER_RECEIVABLE: FEE_YEN, **EARNED}
    assert desk.office.open_cases() == []


@pytest.mark.parametrize("how", ["hang after", "500 after"])
def test_a_provider_that_times_out_after_it_has_charged_is_asked(desk: Counter, how: str) -> None:
    printed(desk)
    desk.there.troubles.cue("capture", how)
    assert desk.codes.settle() == 1
    assert (desk.state(), desk.there.provider.charges) == (CodeState.CAPTURED, 1)


def printed(desk: Counter) -> None:
    desk.show()
    desk.agree()
    desk.grant()
    desk.tell_printed()
    desk.tell_closed(FEE_YEN)


def test_a_capture_that_stays_unknown_is_a_case_and_is_not_ordered_again(desk: Counter) -> None:
    printed(desk)
    desk.there.troubles.cue("capture", "hang before")
    assert desk.codes.settle() == 0
    assert (desk.state(), desk.office.open_cases()) == (CodeState.DOUBTFUL, ["CAPTURE_UNKNOWN"])
    desk.tick(minutes=2)
    assert desk.codes.settle() == 0, "it is asked about, and stays a doubt"
    assert desk.there.provider.charges == 0
    desk.there.provider.capture(payment_id(1), "by hand", FEE_YEN)  # the provider's own people found it
    desk.tick(minutes=2)
    assert desk.codes.settle() == 1
    assert (desk.state(), desk.office.open_cases()) == (CodeState.CAPTURED, [])


def test_what_lapsed_at_the_provider_is_not_collected_and_a_case(desk: Counter) -> None:
    printed(desk)
    desk.there.provider.revert(payment_id(1), "lapsed")
    assert desk.codes.settle() == 1
    assert desk.state() is CodeState.LAPSED
    assert desk.office.balances() == {Account.UNCOLLECTED: FEE_YEN, **EARNED}
    assert desk.office.open_cases() == ["UNCOLLECTED"]


def test_a_visit_without_paper_lets_the_authorisation_go(desk: Counter) -> None:
    desk.show()
    desk.agree()
    desk.grant()
    desk.office.tell(EventKind.FAILED, order_id=order_id(1))
    desk.tell_closed(FEE_YEN, FEE_YEN)
    assert desk.codes.settle() == 1
    assert (desk.state(), desk.there.provider.wallets[WALLET]) == (CodeState.REVERTED, 3000)
    assert desk.office.balances() == {}


@pytest.fixture
def untold(desk: Counter) -> Counter:
    """Somebody has agreed, and the terminal is never heard of again."""
    desk.show()
    desk.agree()
    desk.grant()
    desk.tick(hours=3)
    assert desk.codes.settle() == 0
    return desk


def test_an_agreement_of_which_the_terminal_says_nothing_is_a_case_once(untold: Counter) -> None:
    assert untold.codes.settle() == 0
    assert (untold.state(), untold.office.open_cases()) == (CodeState.AUTHORIZED, ["AGREED_UNTOLD"])


def test_before_it_may_still_be_told(desk: Counter) -> None:
    desk.show()
    desk.agree()
    desk.tick(hours=2)
    assert (desk.codes.settle(), desk.office.open_cases()) == (0, [])


def test_it_ends_when_the_terminal_says_what_it_printed(untold: Counter) -> None:
    untold.tell_printed()
    untold.tell_closed(FEE_YEN)
    assert untold.office.open_cases() == []
    assert (untold.codes.settle(), untold.state()) == (1, CodeState.CAPTURED)


def test_both_sides_may_let_it_go_and_a_word_behind_that_is_a_contradiction(untold: Counter) -> None:
    with write(untold.office.engine) as connection:
        for side in (Side.OPERATOR, Side.MUNICIPALITY):
            found = Finding(side, side.value, "the terminal burnt down before it printed", Decision.LET_GO)
            findings.add(connection, CODE, f"AGREED_UNTOLD:{payment_id(1)}", found, untold.office.clock())
    assert (untold.codes.settle(), untold.state()) == (1, CodeState.REVERTED)
    assert (untold.there.provider.wallets[WALLET], untold.office.open_cases()) == (3000, [])
    untold.tell_printed()
    untold.tell_closed(FEE_YEN)
    assert untold.office.open_cases() == ["CONTRADICTION"]


def test_who_agrees_after_the_visit_was_given_up_is_let_go(desk: Counter) -> None:
    """The word to let go is written; before the provider hears of it, a phone agrees."""
    desk.show()
    desk.tell_closed(0)
    assert desk.there.provider.scan(payment_id(1), WALLET)
    assert not desk.codes.look("t-1", payment_id(1)).authorized
    assert desk.codes.settle() == 1
    assert (desk.stands(), desk.there.provider.wallets[WALLET]) == (QrState.REVERTED, 3000)


def test_a_terminal_that_is_never_heard_of_again_leaves_no_code_open(desk: Counter) -> None:
    desk.show()
    desk.tick(minutes=3)
    assert desk.codes.settle() == 0
    assert desk.state() is CodeState.OPEN
    desk.tick(minutes=4)
    desk.codes.settle()
    assert desk.codes.settle() == 1
    assert desk.state() is CodeState.REVERTED


def test_of_two_processes_one_asks_the_provider(desk: Counter) -> None:
    """First the race: both have read that a capture is wanted."""
    printed(desk)
    with read(desk.office.engine) as connection:
        (due,) = qr_codes.due(connection, desk.office.clock(), 10)
        (same,) = qr_codes.due(connection, desk.office.clock(), 10)
    assert due == same
    with write(desk.office.engine) as connection:
        assert qr_codes.take(connection, due, desk.office.clock())
        assert not qr_codes.take(connection, same, desk.office.clock())
    assert desk.codes.settle() == 0
    desk.tick(minutes=2)  # whoever took it was killed
    assert desk.codes.settle() == 1
    assert desk.there.provider.charges == 1


def test_a_move_from_where_it_stands_no_more_changes_nothing(desk: Counter) -> None:
    desk.show()
    with read(desk.office.engine) as connection:
        code = qr_codes.find(connection, payment_id(1))
    assert code is not None
    with write(desk.office.engine) as connection:
        assert qr_codes.move(connection, code, CodeEvent.AGREED, desk.office.clock()) is CodeState.AUTHORIZED
        assert qr_codes.move(connection, code, CodeEvent.TIME_OUT, desk.office.clock()) is None
        assert (
            qr_codes.move(connection, replace(code, state=CodeState.CAPTURED), CodeEvent.AGREED, code.expires_at_utc)
            is None
        )


def test_more_printed_than_agreed_to_is_a_contradiction(desk: Counter) -> None:
    desk.show()
    desk.agree()
    desk.grant()
    desk.tell_printed()
    desk.tell_closed(3 * FEE_YEN)
    assert "CONTRADICTION" in desk.office.open_cases()
    assert desk.state() is CodeState.AUTHORIZED
