"""What two servers could do to one order at the same instant, first without the guard, then with it. PostgreSQL alone:
SQLite has one writer at a time (test_database.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from issuance_server import card_auth, cases, events, ledger, payments, sessions
from issuance_server.cases import CaseReason, Subject
from issuance_server.database import read, write
from issuance_server.ledger import Guard, OrderEvent, OrderState
from issuance_server.register.store import Link
from issuance_server.schema import (
    cases as case_rows,
)
from issuance_server.schema import (
    challenges_used,
    issue_number_counters,
    municipality_stops,
    payment_lines,
    terminal_events,
)
from issuance_server.schema import (
    sessions as session_rows,
)
from issuance_server.turns import turn
from protocol.errors import ErrorCode, IssueError
from protocol.messages import Event, EventKind
from tests.issuing_parts import (
    CODE,
    FEE_YEN,
    NOW,
    Office,
    code_of,
    counted,
    grant_request,
    link_digest,
    order_id,
    payment_id,
)
from tests.races import Begin, Other, both_open
from tests.server_parts import GOOD

pytestmark = pytest.mark.parts

VISIT = "1" * 32
GUARDS = pytest.mark.parametrize("guarded", [False, True], ids=["guard off", "guard on"])


@pytest.fixture
def office(postgres_office: Office) -> Office:
    """An office on PostgreSQL."""
    return postgres_office


def beginning(office: Office, *, guarded: bool) -> Begin:
    """How a transaction of t-1's begins: with its turn, or, guard off, without."""
    return partial(turn, office.engine, "t-1") if guarded else partial(write, office.engine)


def refused_as(error: object) -> ErrorCode | None:
    assert error is None or isinstance(error, IssueError), error
    return None if error is None else error.code


def count(office: Office, what: Any) -> int:
    with read(office.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(what)).scalar_one())


def event(sequence: int, kind: EventKind, **fields: Any) -> Event:
    return Event(sequence=sequence, at_utc=NOW, kind=kind, **fields)


def order_row(caller: sessions.Caller) -> dict[str, Any]:
    """An order that nobody began yet, as `ledger.intend` writes it down."""
    return {
        "municipality_code": CODE,
        "order_id": order_id(1),
        "terminal_id": caller.terminal_id,
        "session_hash": caller.session_hash,
        "visit_id": caller.visit_id,
        "fingerprint": bytes(32),
        "kind": "residence",
        "number_year": 2026,
        "number": 1,
        "status_id": bytes(16),
        "fee_yen": FEE_YEN,
        "commission_yen": 117,
        "snapshot": b"sealed",
        "records_digest": bytes(32),
        "lease_until_utc": NOW + ledger.LEASE,
        "expires_at_utc": NOW + ledger.LIFE,
    }


# A turn


def test_a_terminal_that_is_not_enrolled_has_no_turn(office: Office) -> None:
    def take() -> None:
        with turn(office.engine, "t-9"):
            pass

    assert code_of(take) is ErrorCode.TERMINAL_UNKNOWN


def test_one_terminal_s_turn_holds_up_no_other_and_no_reader(office: Office) -> None:
    with turn(office.engine, "t-1"), turn(office.engine, "t-2"), read(office.engine) as reader:
        assert reader.execute(select(func.count()).select_from(terminal_events)).scalar_one() == 0


def acts_of(office: Office) -> dict[str, Callable[[], object]]:
    """Everything that writes of an order, as it is called from outside."""
    caller = office.caller()
    office.prepare(caller, 1)
    office.prepare(caller, 2)

    def expired_grant() -> None:
        office.clock.advance(minutes=11)
        longer = dataclasses.replace(caller, expires_at_utc=NOW + timedelta(hours=1))
        with pytest.raises(IssueError, match="too long ago"):
            office.grant(longer, 2)

    return {
        "prepare": lambda: office.prepare(caller, 3),
        "grant": lambda: office.grant(caller, 1),
        "events": lambda: office.tell(EventKind.NOT_ME, visit_id=VISIT),
        "expired grant": expired_grant,
    }


@pytest.mark.parametrize("name", ["prepare", "grant", "events", "expired grant"])
def test_whatever_writes_of_an_order_waits_for_its_terminal_s_turn(office: Office, name: str) -> None:
    act = acts_of(office)[name]
    with turn(office.engine, "t-1"):
        other = Other(office.engine, act)
        assert other.waits()
    assert other.join() is None


def test_the_same_of_another_terminal_waits_for_nothing(office: Office) -> None:
    act = acts_of(office)["grant"]
    with turn(office.engine, "t-2"):
        other = Other(office.engine, act)
        assert not other.waits()
    assert other.join() is None


# Money


@GUARDS
def test_two_copies_cannot_be_paid_by_the_same_yen(office: Office, guarded: bool) -> None:
    """payments.reserve adds up what is allocated, and then allocates."""
    caller = office.caller()
    for number in (1, 2, 3):
        office.prepare(caller, number)
    office.grant(caller, 1, reserved_yen=2 * FEE_YEN)

    def reserve(connection: Connection, number: int) -> None:
        payments.reserve(connection, office.order(number), grant_request(1, 2 * FEE_YEN), NOW)

    failed, other_failed = both_open(
        office.engine,
        beginning(office, guarded=guarded),
        partial(reserve, number=2),
        partial(reserve, number=3),
    )
    assert failed is None
    assert refused_as(other_failed) is (ErrorCode.PAYMENT_INSUFFICIENT if guarded else None)
    with read(office.engine) as connection:
        allocated_yen = connection.execute(select(func.sum(payment_lines.c.allocated_yen))).scalar_one()
    assert allocated_yen == (2 if guarded else 3) * FEE_YEN  # of 2 * FEE_YEN in the tray


@GUARDS
def test_two_copies_may_open_one_payment(office: Office, guarded: bool) -> None:
    caller = office.caller()
    office.prepare(caller, 1)
    office.prepare(caller, 2)

    def reserve(connection: Connection, number: int) -> None:
        payments.reserve(connection, office.order(number), grant_request(1, 2 * FEE_YEN), NOW)

    failed, other_failed = both_open(
        office.engine,
        beginning(office, guarded=guarded),
        partial(reserve, number=1),
        partial(reserve, number=2),
    )
    assert failed is None
    assert isinstance(other_failed, IntegrityError) is not guarded
    assert count(office, payment_lines) == (2 if guarded else 1)


@GUARDS
def test_a_payment_that_is_closed_pays_nothing_more(office: Office, guarded: bool) -> None:
    caller = office.caller()
    office.prepare(caller, 1)
    office.prepare(caller, 2)
    office.grant(caller, 1, reserved_yen=2 * FEE_YEN)
    with read(office.engine) as connection:
        payment = payments.find(connection, payment_id(1))
    assert payment is not None
    held = payments.Counted(2 * FEE_YEN, 0, 0, 2 * FEE_YEN)

    def grant(connection: Connection) -> None:
        payments.reserve(connection, office.order(2), grant_request(1, 2 * FEE_YEN), NOW)

    def close(connection: Connection) -> None:
        payments.close(connection, payment, held, NOW)

    begin = beginning(office, guarded=guarded)
    failed, other_failed = both_open(office.engine, begin, close, grant)
    assert failed is None
    assert refused_as(other_failed) is (ErrorCode.PAYMENT_INSUFFICIENT if guarded else None)
    assert count(office, payment_lines) == (1 if guarded else 2)


@GUARDS
def test_a_payment_has_one_refund_due(office: Office, guarded: bool) -> None:
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    with read(office.engine) as connection:
        payment = payments.find(connection, payment_id(1))
    assert payment is not None

    def owe(connection: Connection) -> None:
        payments.owe(connection, payment, 200, NOW)

    failed, other_failed = both_open(office.engine, beginning(office, guarded=guarded), owe, owe)
    assert failed is None
    # Guard off, the constraint alone holds: whoever told it hears of an inner failure, and there is no case.
    assert isinstance(other_failed, IntegrityError) is not guarded
    assert office.open_cases() == (["CONTRADICTION"] if guarded else [])


# Events


@GUARDS
def test_events_told_twice_at_once_are_stored_once_and_answered_twice(office: Office, guarded: bool) -> None:
    told = (event(1, EventKind.NOT_ME, visit_id=VISIT), event(2, EventKind.ORDER_VOIDED, order_id=order_id(1)))
    accepted: list[int] = []

    def tell(connection: Connection) -> None:
        accepted.append(events.take_in(connection, "t-1", told, office.clock)[0])

    failed, other_failed = both_open(office.engine, beginning(office, guarded=guarded), tell, tell)
    assert failed is None
    assert isinstance(other_failed, IntegrityError) is not guarded
    assert accepted == [2, 2] if guarded else [2]
    assert count(office, terminal_events) == 2


@GUARDS
def test_what_is_given_up_while_it_is_ordered_is_void(office: Office, guarded: bool) -> None:
    """The order asks whether it was given up, the event whether there is such an order: each could miss the other."""
    caller = office.caller()
    begun = order_row(caller)
    told = (event(1, EventKind.ORDER_VOIDED, order_id=order_id(1)),)

    def intend(connection: Connection) -> None:
        assert not events.are_about(connection, "t-1", order_id(1))
        ledger.intend(connection, begun, NOW)

    def give_up(connection: Connection) -> None:
        events.take_in(connection, "t-1", told, office.clock)

    assert both_open(office.engine, beginning(office, guarded=guarded), intend, give_up) == (None, None)
    assert office.order().state is (OrderState.VOIDED if guarded else OrderState.INTENDED)


@GUARDS
def test_not_me_voids_an_order_that_is_on_its_way(office: Office, guarded: bool) -> None:
    caller = office.caller()
    begun = order_row(caller)
    told = (event(1, EventKind.NOT_ME, visit_id=VISIT),)

    def intend(connection: Connection) -> None:
        sessions.count_preparation(connection, caller.session_hash, NOW)
        ledger.intend(connection, begun, NOW)

    def not_me(connection: Connection) -> None:
        events.take_in(connection, "t-1", told, office.clock)

    assert both_open(office.engine, beginning(office, guarded=guarded), intend, not_me) == (None, None)
    assert office.order().state is (OrderState.VOIDED if guarded else OrderState.INTENDED)


# An order


@GUARDS
def test_a_stop_stands_whatever_becomes_of_its_order_meanwhile(office: Office, guarded: bool) -> None:
    """S6. An order that moves on between look and move would take the stop of its municipality with it."""
    caller = office.caller()
    office.prepare(caller)
    seen = office.order()

    def stop(connection: Connection) -> None:
        cases.stop_municipality(connection, CODE, seen.order_id, NOW)

    def void_it(connection: Connection) -> None:
        guard = Guard.RECHECK_DISAGREED
        ledger.move(connection, seen, OrderEvent.RECHECK_FAILED, guard=guard, at_utc=NOW)

    def give_up(connection: Connection) -> None:
        current = ledger.find(connection, seen.order_id)
        assert current is not None
        if current.state is OrderState.PREPARED:
            ledger.move(connection, current, OrderEvent.ORDER_VOIDED, guard=Guard.TERMINALS_WORD, at_utc=NOW)

    begin = beginning(office, guarded=guarded)
    failed, other_failed = both_open(office.engine, begin, stop, give_up, then=void_it)
    assert other_failed is None
    assert refused_as(failed) is (None if guarded else ErrorCode.ORDER_STATE)
    assert count(office, municipality_stops) == (1 if guarded else 0)


def test_an_order_moves_once_though_two_move_it(office: Office) -> None:
    """The guarded UPDATE holds by itself, without a turn."""
    caller = office.caller()
    office.prepare(caller)
    seen = office.order()

    def move(connection: Connection, event: OrderEvent, guard: Guard) -> None:
        ledger.move(connection, seen, event, guard=guard, at_utc=NOW)

    failed, other_failed = both_open(
        office.engine,
        partial(write, office.engine),
        partial(move, event=OrderEvent.ORDER_VOIDED, guard=Guard.TERMINALS_WORD),
        partial(move, event=OrderEvent.TIME_OUT, guard=Guard.EXPIRED),
    )
    assert failed is None
    assert refused_as(other_failed) is ErrorCode.ORDER_STATE


def test_a_lease_is_taken_over_by_one(office: Office) -> None:
    caller = office.caller()
    with write(office.engine) as connection:
        order = ledger.intend(connection, order_row(caller), NOW)
    held: list[bool] = []

    def take(connection: Connection) -> None:
        held.append(ledger.take_lease(connection, order, NOW + ledger.LEASE) is not None)

    assert both_open(office.engine, partial(write, office.engine), take, take) == (None, None)
    assert held == [True, False]


# Counters and constraints, which hold without a turn


def naive_number(connection: Connection) -> int:
    """Guard off: look, then write."""
    rows = issue_number_counters
    last = connection.execute(select(rows.c.last_number)).scalar_one()
    connection.execute(update(rows).values(last_number=last + 1))
    return int(last + 1)


@GUARDS
def test_no_number_is_given_twice(office: Office, guarded: bool) -> None:
    with write(office.engine) as connection:
        assert ledger.next_number(connection, CODE, 2026) == 1
    given: list[int] = []

    def take(connection: Connection) -> None:
        given.append(ledger.next_number(connection, CODE, 2026) if guarded else naive_number(connection))

    assert both_open(office.engine, partial(write, office.engine), take, take) == (None, None)
    assert given == ([2, 3] if guarded else [2, 2])


def naive_count(connection: Connection, session_hash: bytes) -> None:
    """Guard off: look, then write."""
    mine = session_rows.c.session_hash == session_hash
    already = connection.execute(select(session_rows.c.preparations).where(mine)).scalar_one()
    if already >= sessions.MAX_PREPARATIONS:
        raise IssueError(ErrorCode.TOO_MANY_PREPARATIONS)
    connection.execute(update(session_rows).where(mine).values(preparations=already + 1))


@GUARDS
def test_a_visit_prepares_five_orders_however_many_ask_at_once(office: Office, guarded: bool) -> None:
    caller = office.caller()
    with write(office.engine) as connection:
        for _ in range(sessions.MAX_PREPARATIONS - 1):
            sessions.count_preparation(connection, caller.session_hash, NOW)

    def another(connection: Connection) -> None:
        if guarded:
            sessions.count_preparation(connection, caller.session_hash, NOW)
        else:
            naive_count(connection, caller.session_hash)

    failed, other_failed = both_open(office.engine, partial(write, office.engine), another, another)
    assert failed is None
    assert refused_as(other_failed) is (ErrorCode.TOO_MANY_PREPARATIONS if guarded else None)


def test_a_challenge_is_used_once_though_two_use_it(office: Office) -> None:
    challenge = card_auth.Challenge(b"token", NOW + timedelta(seconds=60))

    def use(connection: Connection) -> None:
        card_auth.use_challenge(connection, challenge, NOW)

    failed, other_failed = both_open(office.engine, partial(write, office.engine), use, use)
    assert failed is None
    assert refused_as(other_failed) is ErrorCode.CHALLENGE_USED


def test_a_certificate_has_one_active_resident_though_two_are_linked_at_once(office: Office) -> None:
    def link(connection: Connection, resident_id: str) -> None:
        office.register.add_link(connection, Link(CODE, link_digest("r-new"), resident_id))

    failed, other_failed = both_open(
        office.engine,
        partial(write, office.engine),
        partial(link, resident_id="r-hanako"),
        partial(link, resident_id="r-child"),
    )
    assert failed is None
    assert isinstance(other_failed, IntegrityError)


def test_the_same_doubt_of_two_is_one_case(office: Office) -> None:
    def doubt(connection: Connection) -> None:
        cases.open_case(connection, CaseReason.UNKNOWN, Subject(CODE, "t-1", order_id=order_id(1)), NOW)

    assert both_open(office.engine, partial(write, office.engine), doubt, doubt) == (None, None)
    assert count(office, case_rows) == 1


# Waiting


@GUARDS
def test_who_forgets_old_rows_waits_for_nobody_who_does_the_same(office: Office, guarded: bool) -> None:
    """Every authentication does it, at every terminal of the country."""
    with write(office.engine) as connection:
        connection.execute(insert(challenges_used), {"challenge_digest": bytes(32), "expires_at_utc": NOW})
    office.caller(visit="7" * 32)
    later = NOW + timedelta(days=2)
    office.clock.now_utc = later

    def authenticate(connection: Connection, number: int) -> None:
        if not guarded:
            connection.execute(delete(challenges_used).where(challenges_used.c.expires_at_utc < later))
        challenge = card_auth.Challenge(bytes([number]), later)
        card_auth.use_challenge(connection, challenge, later)
        sessions.open_session(
            connection,
            terminal=office.terminals[f"t-{number}"],
            known_as=[sessions.KnownAs(CODE, bytes(32), bytes(32))],
            visit_id=str(number) * 32,
            certificate_der=b"",
            card=GOOD,
            now_utc=later,
        )

    with write(office.engine) as connection:
        authenticate(connection, 1)

        def second() -> None:
            with write(office.engine) as other_connection:
                authenticate(other_connection, 2)

        other = Other(office.engine, second)
        assert other.waits() is not guarded
    assert other.join() is None
    assert count(office, challenges_used) == 2
    assert count(office, session_rows) == 2


@GUARDS
def test_a_terminal_s_grant_and_its_events_never_wait_for_each_other(office: Office, guarded: bool) -> None:
    """A grant takes its order and then its payment; events may name the payment first."""
    caller = office.caller()
    office.prepare(caller, 1)
    office.prepare(caller, 2)
    office.grant(caller, 1, reserved_yen=2 * FEE_YEN)
    seen = office.order(2)
    closed = event(1, EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(600, 0, 0, 600))
    voided = event(2, EventKind.ORDER_VOIDED, order_id=order_id(2))

    def lock_order(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL deadlock_timeout = '10ms'")
        ledger.move(connection, seen, OrderEvent.TIME_OUT, guard=Guard.EXPIRED, at_utc=NOW)

    def tell(connection: Connection) -> None:
        events.take_in(connection, "t-1", (closed, voided), office.clock)

    def close_payment(connection: Connection) -> None:
        payment = payments.find(connection, payment_id(1))
        assert payment is not None
        payments.close(connection, payment, payments.Counted(600, 0, 0, 600), NOW)

    failed, other_failed = both_open(
        office.engine, beginning(office, guarded=guarded), lock_order, tell, then=close_payment
    )
    if guarded:
        assert (failed, other_failed) == (None, None)
    else:
        assert isinstance(failed, OperationalError)
        assert "deadlock detected" in str(failed)
        assert other_failed is None
