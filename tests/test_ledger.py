"""Orders and numbers: one table, guarded moves, numbers that never repeat."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import IntegrityError

from issuance_server import ledger
from issuance_server.database import read, write
from issuance_server.ledger import (
    NUMBER_STATUS,
    TRANSITIONS,
    Guard,
    NoTransition,
    NumberStatus,
    Order,
    OrderEvent,
    OrderState,
)
from issuance_server.schema import order_events, orders
from issuance_server.vault import Vault, VaultError, VaultKeys
from protocol.errors import ErrorCode, IssueError
from tests.databases import Plans, reads_whole
from tests.issuing_parts import CODE, NOW, order_id


def row(number: int) -> dict[str, Any]:
    return {
        "municipality_code": CODE,
        "order_id": order_id(number),
        "terminal_id": "t-1",
        "session_hash": bytes(32),
        "visit_id": "1" * 32,
        "fingerprint": bytes(32),
        "kind": "residence",
        "number_year": 2026,
        "number": number,
        "status_id": number.to_bytes(16, "big"),
        "fee_yen": 300,
        "commission_yen": 117,
        "snapshot": b"sealed",
        "records_digest": bytes(32),
        "lease_until_utc": NOW + ledger.LEASE,
        "expires_at_utc": NOW + ledger.LIFE,
    }


def intend(engine: Engine, which: int = 1, **changed: Any) -> Order:
    with write(engine) as connection:
        return ledger.intend(connection, row(which) | changed, NOW)


def found(engine: Engine, number: int = 1) -> Order:
    with read(engine) as connection:
        order = ledger.find(connection, order_id(number))
    assert order is not None
    return order


VALUES: dict[OrderEvent, dict[str, object]] = {
    OrderEvent.PREPARE: {
        "lease": NOW + ledger.LEASE,
        "new_seal_blob": b"sealed",
        "new_seal_for_code": b"sealed",
        "new_statement_sha256": bytes(32),
        "new_pdf_sha256": bytes(32),
        "new_sheets": 1,
        "new_expires_at_utc": NOW + ledger.LIFE,
    },
    OrderEvent.GRANT: {
        "new_grant_fingerprint": bytes(32),
        "new_grant_bytes": b"grant",
        "new_grant_signature": b"signature",
        "new_payment_id": "2" * 32,
        "new_card_source": "ocsp",
        "new_card_as_of_utc": NOW,
    },
    OrderEvent.PRINTED: {"new_sheets_out": 1},
    OrderEvent.PARTIAL: {"new_sheets_out": 1},
}
WAY: dict[OrderState, tuple[OrderEvent, ...]] = {
    OrderState.INTENDED: (),
    OrderState.PREPARED: (OrderEvent.PREPARE,),
    OrderState.GRANTED: (OrderEvent.PREPARE, OrderEvent.GRANT),
    OrderState.PRINTED: (OrderEvent.PREPARE, OrderEvent.GRANT, OrderEvent.PRINTED),
    OrderState.SETTLED: (OrderEvent.PREPARE, OrderEvent.GRANT, OrderEvent.PRINTED, OrderEvent.CAPTURED),
    OrderState.VOIDED: (OrderEvent.TIME_OUT,),
}


def advance(connection: Connection, order: Order, event_: OrderEvent) -> None:
    guard = TRANSITIONS[order.state, event_].guard
    values = VALUES.get(event_)
    if values is not None and event_ is OrderEvent.PREPARE:
        values = values | {"new_statement_sha256": order.status_id + bytes(16)}  # no two papers state the same
    ledger.move(connection, order, event_, guard=guard, at_utc=NOW, values=values)


def order_in(engine: Engine, state: OrderState, number: int = 1) -> Order:
    intend(engine, number)
    for event_ in WAY[state]:
        order = found(engine, number)
        with write(engine) as connection:
            advance(connection, order, event_)
    order = found(engine, number)
    assert order.state is state
    return order


@pytest.mark.parametrize(("state", "event_"), list(product(OrderState, OrderEvent)))
def test_every_pair_moves_as_the_table_says_or_raises(engine: Engine, state: OrderState, event_: OrderEvent) -> None:
    order = order_in(engine, state)
    line = TRANSITIONS.get((state, event_))
    if line is None:
        with pytest.raises(NoTransition), write(engine) as connection:
            ledger.move(connection, order, event_, guard=Guard.TERMINALS_WORD, at_utc=NOW)
        assert found(engine).state is state
        return
    with write(engine) as connection:
        advance(connection, order, event_)
    assert found(engine).state is line.to_state


def test_time_alone_voids_nothing_that_was_granted() -> None:
    timed = {state for state, event_ in TRANSITIONS if event_ is OrderEvent.TIME_OUT}
    assert timed == {OrderState.INTENDED, OrderState.PREPARED}


def test_nothing_leads_out_of_the_last_states() -> None:
    """But a paper that was paid for and is destroyed: it must not be valid any longer."""
    left = {(state, event) for state, event in TRANSITIONS if state in {OrderState.SETTLED, OrderState.VOIDED}}
    assert left == {(OrderState.SETTLED, OrderEvent.SHEETS_DESTROYED)}


def test_s2_a_thousand_orders_of_one_instant_have_each_its_number(engine: Engine) -> None:
    """The clock stands still throughout: whatever were made of it would be the same a thousand times."""
    for _ in range(1000):
        with write(engine) as connection:
            number = ledger.next_number(connection, CODE, 2026)
            ledger.intend(connection, row(number), NOW)
    with read(engine) as connection:
        taken = connection.execute(select(orders.c.number, orders.c.lease_until_utc)).all()
    assert {until for _number, until in taken} == {NOW + ledger.LEASE}
    assert sorted(number for number, _until in taken) == list(range(1, 1001))


def test_a_number_is_active_from_the_print_on() -> None:
    assert set(NUMBER_STATUS) == set(OrderState)
    active = {state for state, status in NUMBER_STATUS.items() if status is NumberStatus.ACTIVE}
    assert active == {OrderState.PRINTED, OrderState.SETTLED}


def test_a_move_needs_the_guard_of_its_line(engine: Engine) -> None:
    order = order_in(engine, OrderState.PREPARED)
    with pytest.raises(AssertionError, match="guard"), write(engine) as connection:
        ledger.move(connection, order, OrderEvent.GRANT, guard=Guard.RECHECKED, at_utc=NOW)


def test_each_move_is_a_row(engine: Engine) -> None:
    order_in(engine, OrderState.SETTLED)
    with read(engine) as connection:
        rows = connection.execute(
            select(order_events.c.from_state, order_events.c.event, order_events.c.to_state)
        ).all()
    assert [tuple(row) for row in rows] == [
        (None, "INTEND", "INTENDED"),
        ("INTENDED", "PREPARE", "PREPARED"),
        ("PREPARED", "GRANT", "GRANTED"),
        ("GRANTED", "PRINTED", "PRINTED"),
        ("PRINTED", "CAPTURED", "SETTLED"),
    ]


def test_two_who_read_the_same_state_cannot_both_move_it(engine: Engine) -> None:
    """First the fault, with an UPDATE that names no state; then the guard."""
    order = order_in(engine, OrderState.PREPARED)
    unguarded = text("UPDATE orders SET state = 'VOIDED' WHERE order_id = :order")
    with engine.connect() as connection, connection.begin() as transaction:
        advance(connection, order, OrderEvent.GRANT)
        assert connection.execute(unguarded, {"order": order.order_id}).rowcount == 1  # a granted order, voided
        transaction.rollback()
    with write(engine) as connection:
        advance(connection, order, OrderEvent.GRANT)
    with pytest.raises(IssueError) as refused, write(engine) as connection:
        advance(connection, order, OrderEvent.TIME_OUT)
    assert refused.value.code is ErrorCode.ORDER_STATE
    assert found(engine).state is OrderState.GRANTED


def test_s3_a_worker_that_lost_its_lease_is_too_late(engine: Engine) -> None:
    """S3: the late result of a job that timed out is thrown away."""
    slow = intend(engine)
    later = slow.lease_until_utc
    with write(engine) as connection:
        quick = ledger.take_lease(connection, slow, later)
        assert quick is not None
        assert ledger.take_lease(connection, slow, later) is None  # one successor
    values = VALUES[OrderEvent.PREPARE]
    with pytest.raises(IssueError) as refused, write(engine) as connection:
        ledger.move(
            connection,
            slow,
            OrderEvent.PREPARE,
            guard=Guard.RECHECKED,
            at_utc=later,
            values={**values, "new_sheets": 9},
        )
    assert refused.value.code is ErrorCode.ORDER_STATE
    with write(engine) as connection:
        ledger.move(
            connection,
            quick,
            OrderEvent.PREPARE,
            guard=Guard.RECHECKED,
            at_utc=later,
            values={**values, "lease": quick.lease_until_utc},
        )
    assert (found(engine).state, found(engine).sheets) == (OrderState.PREPARED, 1)


@pytest.mark.parametrize("changed", [{"number": 2}, {"order_id": order_id(2)}, {"status_id": bytes(15) + b"\x02"}])
def test_id_number_and_status_are_unique_by_constraint(engine: Engine, changed: dict[str, Any]) -> None:
    intend(engine, 1)
    intend(engine, 2)
    with pytest.raises(IntegrityError):
        intend(engine, 3, **changed)
    intend(engine, 3)


def test_the_same_number_may_stand_in_another_year(engine: Engine) -> None:
    first = intend(engine, 1)
    second = intend(engine, 2, number=1, number_year=2027)
    assert first.issue_number != second.issue_number


def take_numbers(engine: Engine, take: Any, each: int = 25, threads: int = 4) -> list[int]:
    """Take numbers on several threads at once; return them all."""
    taken: list[int] = []
    start = threading.Barrier(threads, timeout=10)

    def run() -> None:
        start.wait()
        taken.extend(take(engine) for _ in range(each))

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    return taken


def test_numbers_stay_unique_on_many_threads(engine: Engine) -> None:
    """First the fault: a number that is read in one transaction and raised in the next is given twice."""
    both_have_read = threading.Barrier(2, timeout=10)
    with write(engine) as connection:
        connection.execute(text("INSERT INTO issue_number_counters VALUES (:code, 2025, 0)"), {"code": CODE})

    def read_then_raise(engine_: Engine) -> int:
        with read(engine_) as connection:
            last = int(connection.execute(text("SELECT last_number FROM issue_number_counters")).scalar_one())
        both_have_read.wait()
        with write(engine_) as connection:
            connection.execute(text("UPDATE issue_number_counters SET last_number = :last"), {"last": last + 1})
        return last + 1

    assert take_numbers(engine, read_then_raise, each=1, threads=2) == [1, 1]

    def take(engine_: Engine) -> int:
        with write(engine_) as connection:
            return ledger.next_number(connection, CODE, 2026)

    assert sorted(take_numbers(engine, take)) == list(range(1, 101))


def test_numbers_run_by_municipality_and_year(engine: Engine) -> None:
    with write(engine) as connection:
        taken = [ledger.next_number(connection, code, year) for code in (CODE, "999985") for year in (2026, 2026, 2027)]
    assert taken == [1, 2, 1, 1, 2, 1]
    assert ledger.issue_number(2026, 1) == "2026-0000001"
    assert ledger.issue_number(2026, 12_345_678) == "2026-12345678"


def test_time_voids_only_what_is_expired_and_was_never_granted(engine: Engine) -> None:
    order_in(engine, OrderState.INTENDED, 1)
    order_in(engine, OrderState.PREPARED, 2)
    order_in(engine, OrderState.GRANTED, 3)
    intend(engine, 4, expires_at_utc=NOW + timedelta(hours=1))
    intend(engine, 5, terminal_id="t-2")
    with write(engine) as connection:
        assert ledger.void_expired(connection, "t-1", NOW + ledger.LIFE) == 0
        assert ledger.void_expired(connection, "t-1", NOW + ledger.LIFE + timedelta(seconds=1)) == 2
    states = [found(engine, number).state for number in range(1, 6)]
    voided, intended = OrderState.VOIDED, OrderState.INTENDED
    assert states == [voided, voided, OrderState.GRANTED, intended, intended]


def test_expired_orders_are_found_by_their_own_index(engine: Engine) -> None:
    with Plans(engine) as plans, write(engine) as connection:
        ledger.void_expired(connection, "t-1", NOW)
    plan = plans.of("SELECT")
    assert "ix_orders_ungranted" in plan
    assert not reads_whole(plan, orders.name)


def test_a_stored_seal_opens_for_its_own_order_alone(engine: Engine) -> None:
    vault = Vault(VaultKeys("v1", {"v1": bytes(32)}, bytes(32)))
    order, other = intend(engine, 1), intend(engine, 2)
    assert ledger.opened_seal(vault, order) is None
    sealed = replace(order, seal_blob=ledger.sealed_seal(vault, order, "MDG1:TEXT"))
    assert b"MDG1" not in (sealed.seal_blob or b"MDG1")
    assert ledger.opened_seal(vault, sealed) == "MDG1:TEXT"
    with pytest.raises(VaultError):
        ledger.opened_seal(vault, replace(other, seal_blob=sealed.seal_blob))
