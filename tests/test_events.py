"""What terminals tell: once, in order, never lost; facts against the books become cases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from fees.postings import Account
from issuance_server import events, ledger
from issuance_server.database import read
from issuance_server.ledger import OrderState
from issuance_server.schema import cases, terminal_events
from issuance_server.terminals import Terminals
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EVENT_FIELDS, Event, EventKind
from tests.databases import Databases
from tests.issuing_parts import CODE, COMMISSION_YEN, FEE_YEN, NOW, Office, counted, order_id, payment_id

VISIT = "1" * 32
EARNED = {
    Account.MUNICIPALITY_PAYABLE: COMMISSION_YEN - FEE_YEN,
    Account.OPERATOR_COMMISSION: -COMMISSION_YEN,
}


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    office = Office(tmp_path, databases.declared())
    yield office
    office.close()


@pytest.fixture
def granted(office: Office) -> Office:
    """One order of ¥300, granted against ¥500 in the tray."""
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    return office


def stored(office: Office) -> int:
    with read(office.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(terminal_events)).scalar_one())


def test_a_whole_visit_balances(granted: Office) -> None:
    granted.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    assert granted.order().state is OrderState.PRINTED
    granted.tell(EventKind.CAPTURED, order_id=order_id(1), payment_id=payment_id(1), amount_yen=FEE_YEN)
    granted.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 500, 200, 0))
    assert granted.order().state is OrderState.SETTLED
    assert granted.balances() == {Account.CASHBOX: 500, Account.HOPPER_FLOAT: -200, **EARNED}
    assert sum(granted.balances().values()) == 0
    assert granted.open_cases() == []


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (EventKind.FAILED, {}),
        (EventKind.GRANT_ABANDONED, {}),
        (EventKind.ORDER_VOIDED, {}),
    ],
)
def test_no_paper_no_charge(granted: Office, kind: EventKind, fields: dict[str, Any]) -> None:
    granted.tell(kind, order_id=order_id(1), **fields)
    granted.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 0, 0, 500))
    assert granted.order().state is OrderState.VOIDED
    assert granted.balances() == {}
    assert granted.open_cases() == []


def test_some_sheets_are_void_and_a_case(granted: Office) -> None:
    granted.tell(EventKind.PARTIAL, order_id=order_id(1), sheets_out=1)
    assert granted.order().state is OrderState.VOIDED
    assert granted.open_cases() == ["PARTIAL"]


@pytest.mark.parametrize(
    ("answer", "fields", "state"),
    [
        (EventKind.PRINTED, {"sheets_out": 1}, OrderState.PRINTED),
        (EventKind.ORDER_VOIDED, {}, OrderState.VOIDED),
    ],
)
def test_unknown_waits_for_who_stands_there_and_stays_a_case(
    granted: Office, answer: EventKind, fields: dict[str, Any], state: OrderState
) -> None:
    granted.tell(EventKind.UNKNOWN, order_id=order_id(1))
    assert granted.order().state is OrderState.GRANTED
    granted.tell(answer, order_id=order_id(1), **fields)
    assert granted.order().state is state
    assert granted.open_cases() == ["UNKNOWN"]


def test_printed_but_not_collected_is_valid_and_owed_to_the_municipality(granted: Office) -> None:
    granted.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    granted.tell(EventKind.CAPTURE_FAILED, order_id=order_id(1), payment_id=payment_id(1), amount_yen=FEE_YEN)
    granted.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 0, 0, 500))
    assert granted.order().state is OrderState.SETTLED
    assert granted.balances() == {Account.UNCOLLECTED: FEE_YEN, **EARNED}
    assert granted.open_cases() == ["UNCOLLECTED"]


@pytest.mark.parametrize("close_first", [True, False])
def test_what_could_not_be_given_back_is_a_refund_due(granted: Office, close_first: bool) -> None:
    granted.tell(EventKind.FAILED, order_id=order_id(1))
    closed = granted.event(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 100, 0, 400))
    due = granted.event(EventKind.RETURN_DUE, payment_id=payment_id(1), amount_yen=100)
    told = (closed, due) if close_first else (due, closed)
    for sequence, event in enumerate(told, start=closed.sequence):
        events.apply(granted.engine, "t-1", (msgspec.structs.replace(event, sequence=sequence),), granted.clock)
    assert granted.balances() == {Account.CASHBOX: 100, Account.REFUND_LIABILITY: -100}
    assert granted.open_cases() == []


def test_a_deposit_that_nothing_explains_is_suspense_and_a_case(granted: Office) -> None:
    granted.tell(EventKind.FAILED, order_id=order_id(1))
    granted.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 500, 0, 0))
    assert granted.balances() == {Account.CASHBOX: 500, Account.SUSPENSE: -500}
    assert granted.open_cases() == ["COUNTS_DIFFER"]
    granted.tell(EventKind.RETURN_DUE, payment_id=payment_id(1), amount_yen=400)  # explains it in part
    assert granted.balances()[Account.SUSPENSE] == -100
    assert granted.open_cases() == ["COUNTS_DIFFER"]


def test_a_tray_that_lost_coins_is_short_and_a_case(granted: Office) -> None:
    granted.tell(EventKind.FAILED, order_id=order_id(1))
    granted.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 0, 0, 400))
    assert granted.balances() == {Account.OVER_SHORT: 100, Account.SUSPENSE: -100}
    assert granted.open_cases() == ["COUNTS_DIFFER"]


def test_coins_that_fell_after_the_reservation_are_counted(granted: Office) -> None:
    granted.tell(EventKind.FAILED, order_id=order_id(1))
    granted.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(600, 0, 0, 600))
    assert granted.balances() == {}
    assert granted.open_cases() == []


def test_a_payment_that_no_order_was_granted_for(office: Office) -> None:
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(7), **counted(500, 0, 0, 500))
    assert office.balances() == {}
    office.tell(EventKind.RETURN_DUE, payment_id=payment_id(8), amount_yen=100)
    assert office.balances() == {Account.CUSTOMER_DEPOSIT: 100, Account.REFUND_LIABILITY: -100}
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(8), **counted(100, 100, 0, 0))
    assert office.balances() == {Account.CASHBOX: 100, Account.REFUND_LIABILITY: -100}
    assert office.open_cases() == []


def test_s11_an_event_told_twice_changes_nothing(granted: Office) -> None:
    """S11. First the fault: the same fact under the next number, as if nobody knew it, is no longer the same."""
    granted.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    granted.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    assert granted.open_cases() == ["CONTRADICTION"]
    captured = granted.event(EventKind.CAPTURED, order_id=order_id(1), payment_id=payment_id(1), amount_yen=FEE_YEN)
    closed = granted.event(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 500, 200, 0))
    assert events.apply(granted.engine, "t-1", (captured, closed), granted.clock) == 4
    before, kept = granted.balances(), stored(granted)
    granted.clock.advance(seconds=30)
    assert events.apply(granted.engine, "t-1", (captured, closed), granted.clock) == 4
    assert events.apply(granted.engine, "t-1", (captured,), granted.clock) == 4
    assert (granted.balances(), stored(granted)) == (before, kept)
    assert granted.open_cases() == ["CONTRADICTION"]


def test_another_event_under_a_known_number_is_refused_and_the_identity_is_over(granted: Office) -> None:
    granted.tell(EventKind.FAILED, order_id=order_id(1))
    other = Event(sequence=1, at_utc=NOW, kind=EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    with pytest.raises(IssueError, match="another body") as refused:
        events.apply(granted.engine, "t-1", (other,), granted.clock)
    assert refused.value.code is ErrorCode.IDENTITY_FORKED
    assert granted.order().state is OrderState.VOIDED
    assert granted.open_cases() == ["TERMINAL_FORKED"]
    with pytest.raises(IssueError) as disabled:
        Terminals(granted.engine).active("t-1")
    assert disabled.value.code is ErrorCode.IDENTITY_FORKED


def test_a_gap_is_refused_and_what_stood_before_it_is_kept(granted: Office) -> None:
    first = granted.event(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    granted.event(EventKind.ORDER_VOIDED, order_id=order_id(2))
    third = granted.event(EventKind.ORDER_VOIDED, order_id=order_id(3))
    with pytest.raises(IssueError, match="2 must come next") as refused:
        events.apply(granted.engine, "t-1", (first, third), granted.clock)
    assert refused.value.code is ErrorCode.EVENT_OUT_OF_ORDER
    assert granted.order().state is OrderState.PRINTED
    assert stored(granted) == 1


def test_terminals_count_apart(granted: Office) -> None:
    assert granted.tell(EventKind.ORDER_VOIDED, order_id=order_id(5)) == 1
    assert granted.tell(EventKind.ORDER_VOIDED, terminal="t-2", order_id=order_id(6)) == 1


def test_an_unknown_terminal_tells_nothing(granted: Office) -> None:
    told = (Event(sequence=1, at_utc=NOW, kind=EventKind.NOT_ME, visit_id=VISIT),)
    with pytest.raises(IssueError) as refused:
        events.apply(granted.engine, "t-9", told, granted.clock)
    assert refused.value.code is ErrorCode.TERMINAL_UNKNOWN


FIELDS: dict[str, Any] = {
    "order_id": order_id(1),
    "payment_id": payment_id(1),
    "visit_id": VISIT,
    "claim_id": VISIT,
    "sheets_out": 1,
    "amount_yen": 100,
    **counted(100, 0, 0, 100),
}


@pytest.mark.parametrize("kind", list(EventKind))
def test_each_kind_has_exactly_its_fields(office: Office, kind: EventKind) -> None:
    own = {name: FIELDS[name] for name in EVENT_FIELDS[kind]}
    foreign = sorted(set(FIELDS) - EVENT_FIELDS[kind])[0]
    wrong = [({**own, foreign: FIELDS[foreign]}, f"{foreign}: does not belong")]
    wrong += [({name: own[name] for name in own if name != gone}, f"{gone}: is missing") for gone in own]
    for fields, rule in wrong:
        event = msgspec.convert({"sequence": 1, "at_utc": NOW, "kind": kind, **fields}, Event)
        with pytest.raises(IssueError, match=rule) as refused:
            events.apply(office.engine, "t-1", (event,), office.clock)
        assert refused.value.code is ErrorCode.BAD_REQUEST
    assert stored(office) == 0
    event = msgspec.convert({"sequence": 1, "at_utc": NOW, "kind": kind, **own}, Event)
    assert events.apply(office.engine, "t-1", (event,), office.clock) == 1


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (EventKind.PRINTED, {"sheets_out": 1}),
        (EventKind.PARTIAL, {"sheets_out": 1}),
        (EventKind.UNKNOWN, {}),
        (EventKind.CAPTURED, {"payment_id": payment_id(1), "amount_yen": FEE_YEN}),
    ],
)
def test_paper_without_a_grant_is_a_contradiction(office: Office, kind: EventKind, fields: dict[str, Any]) -> None:
    office.prepare(office.caller())
    office.tell(kind, order_id=order_id(1), **fields)
    assert office.order().state is OrderState.PREPARED
    assert office.open_cases() == ["CONTRADICTION"]
    assert office.balances() == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"payment_id": payment_id(1), "amount_yen": FEE_YEN - 10},
        {"payment_id": payment_id(2), "amount_yen": FEE_YEN},
    ],
)
def test_a_capture_of_another_sum_or_payment_is_a_contradiction(granted: Office, fields: dict[str, Any]) -> None:
    granted.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    granted.tell(EventKind.CAPTURED, order_id=order_id(1), **fields)
    assert granted.order().state is OrderState.PRINTED
    assert granted.open_cases() == ["CONTRADICTION"]
    assert Account.MUNICIPALITY_PAYABLE not in granted.balances()


def test_another_terminal_s_order_is_not_moved(granted: Office) -> None:
    granted.tell(EventKind.PRINTED, terminal="t-2", order_id=order_id(1), sheets_out=1)
    granted.tell(EventKind.PAYMENT_CLOSED, terminal="t-2", payment_id=payment_id(1), **counted(500, 0, 0, 500))
    assert granted.order().state is OrderState.GRANTED
    assert granted.balances() == {Account.ESCROW: 500, Account.CUSTOMER_DEPOSIT: -500}
    assert granted.open_cases() == ["CONTRADICTION", "CONTRADICTION"]


def test_an_order_that_the_server_never_heard_of(office: Office) -> None:
    office.tell(EventKind.ORDER_VOIDED, order_id=order_id(1))
    assert office.open_cases() == []
    office.tell(EventKind.PRINTED, order_id=order_id(2), sheets_out=1)
    assert office.open_cases() == ["CONTRADICTION"]


def test_given_up_before_it_arrived_is_not_begun(office: Office) -> None:
    caller = office.caller()
    office.tell(EventKind.ORDER_VOIDED, order_id=order_id(1))
    with pytest.raises(IssueError, match="given up") as refused:
        office.prepare(caller, 1)
    assert refused.value.code is ErrorCode.ORDER_STATE
    office.prepare(caller, 2)


def test_void_told_again_agrees(granted: Office) -> None:
    granted.tell(EventKind.FAILED, order_id=order_id(1))
    granted.tell(EventKind.ORDER_VOIDED, order_id=order_id(1))
    granted.tell(EventKind.GRANT_ABANDONED, order_id=order_id(1))
    assert granted.open_cases() == []
    granted.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    assert granted.open_cases() == ["CONTRADICTION"]
    assert granted.order().state is OrderState.VOIDED


def test_not_me_voids_the_visit_and_calls_somebody(office: Office) -> None:
    caller, other = office.caller(), office.caller(visit="2" * 32)
    office.prepare(caller, 1)
    office.prepare(caller, 2)
    office.prepare(other, 3)
    office.grant(caller, 1)
    office.tell(EventKind.NOT_ME, visit_id=VISIT)
    states = [office.order(number).state for number in (1, 2, 3)]
    assert states == [OrderState.VOIDED, OrderState.VOIDED, OrderState.PREPARED]
    assert office.open_cases() == ["NOT_ME"]


def test_after_not_me_the_visit_gets_nothing_more(office: Office) -> None:
    """A request for another order was on its way; the session was looked up before the event was told."""
    caller, other = office.caller(), office.caller(terminal="t-2", visit="2" * 32)
    office.tell(EventKind.NOT_ME, visit_id=VISIT)
    with pytest.raises(IssueError) as refused:
        office.prepare(caller, 1)
    assert refused.value.code is ErrorCode.SESSION_EXPIRED
    with read(office.engine) as connection:
        assert ledger.find(connection, order_id(1)) is None
    office.prepare(other, 2)


def test_not_me_before_any_order_still_names_the_municipality(office: Office) -> None:
    office.caller()
    office.tell(EventKind.NOT_ME, visit_id=VISIT)
    with read(office.engine) as connection:
        assert connection.execute(select(cases.c.municipality_code, cases.c.visit_id)).one() == (CODE, VISIT)


def test_a_payment_closed_twice_is_a_contradiction(granted: Office) -> None:
    granted.tell(EventKind.FAILED, order_id=order_id(1))
    granted.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 0, 0, 500))
    granted.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 500, 0, 0))
    assert granted.balances() == {}
    assert granted.open_cases() == ["CONTRADICTION"]


def test_the_same_batch_sent_twice_at_once_is_applied_once(granted: Office) -> None:
    told = (granted.event(EventKind.PRINTED, order_id=order_id(1), sheets_out=1),)
    start = threading.Barrier(4, timeout=10)
    accepted: list[int] = []

    def tell() -> None:
        start.wait()
        accepted.append(events.apply(granted.engine, "t-1", told, granted.clock))

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert accepted == [1, 1, 1, 1]
    assert stored(granted) == 1
    assert granted.open_cases() == []


def test_reason_and_subject_are_one_case(granted: Office) -> None:
    granted.tell(EventKind.PRINTED, terminal="t-2", order_id=order_id(1), sheets_out=1)
    granted.tell(EventKind.PARTIAL, terminal="t-2", order_id=order_id(1), sheets_out=1)
    assert granted.open_cases() == ["CONTRADICTION"]
