"""The grant: everything that may have changed since the paper was prepared is looked at again; whole cycles."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, event

from fees.postings import Account
from issuance_server import cases
from issuance_server.database import write
from issuance_server.issue import Issuer
from issuance_server.ledger import OrderState
from issuance_server.register.store import Link
from issuance_server.settings import OpenHours
from printing.paper import certificates
from protocol import grant as grants
from protocol.errors import ErrorCode
from protocol.messages import EventKind
from tests.databases import Databases
from tests.issuing_parts import (
    CHILD,
    CODE,
    FEE_YEN,
    HOUSEHOLD,
    MARIA,
    SETTINGS,
    TARO,
    Office,
    abandon,
    code_of,
    counted,
    grant_request,
    longer,
    order_id,
    payment_id,
    rows,
)

REFUSED = ErrorCode.NOT_ISSUABLE_HERE


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    office = Office(tmp_path, databases.declared())
    yield office
    office.close()


def test_a_grant_names_order_bytes_and_terminal_and_is_given_once(office: Office) -> None:
    caller = office.caller()
    prepared, _pdf = office.prepare(caller)
    answer = office.grant(caller)
    grant = grants.verify(answer, office.keys.grant.public_key())
    assert (grant.order_id, grant.pdf_sha256, grant.terminal_id) == (order_id(1), prepared.pdf_sha256, "t-1")
    before = rows(office), office.balances()
    office.clock.advance(seconds=5)
    assert office.grant(caller) == answer
    assert (rows(office), office.balances()) == before
    assert code_of(lambda: office.grant(caller, payment=2)) is ErrorCode.ORDER_CONFLICT
    assert code_of(lambda: office.grant(caller, reserved_yen=600)) is ErrorCode.ORDER_CONFLICT


def test_two_grants_at_once_are_one(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    start, answers = threading.Barrier(4, timeout=20), []

    def run() -> None:
        start.wait()
        answers.append(office.grant(caller))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)
    assert office.balances() == {Account.ESCROW: 500, Account.CUSTOMER_DEPOSIT: -500}


def test_a_used_order_is_not_granted_again(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    office.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    assert code_of(lambda: office.grant(caller)) is ErrorCode.ORDER_STATE


def test_an_intent_is_not_granted(office: Office) -> None:
    caller = office.caller()
    abandon(office, caller)
    assert code_of(lambda: office.grant(caller)) is ErrorCode.ORDER_STATE


def test_ten_minutes_after_it_was_prepared_it_is_void(office: Office) -> None:
    caller = longer(office.caller())
    office.prepare(caller, 1)
    office.prepare(caller, 2)
    office.clock.advance(minutes=9, seconds=59)
    office.grant(caller, 2)
    office.clock.advance(seconds=1)
    assert code_of(lambda: office.grant(caller, 1)) is ErrorCode.ORDER_STATE
    assert [office.order(number).state for number in (1, 2)] == [OrderState.VOIDED, OrderState.GRANTED]


TAROS_LINK = Link(CODE, hashlib.sha256(b"r-taro").digest(), "r-taro")


def remove_link(office: Office) -> None:
    with write(office.engine) as connection:
        assert office.register.remove_link(connection, TAROS_LINK)


def relink(office: Office) -> None:
    """The same certificate, now another resident's."""
    remove_link(office)
    with write(office.engine) as connection:
        office.register.add_link(connection, dataclasses.replace(TAROS_LINK, resident_id="r-hanako"))


def close_for_today(office: Office) -> None:
    hours = (OpenHours(weekday=2, opens_at=time(8), closes_at=time(12)),)
    documents = tuple(replace(document, hours=hours) for document in SETTINGS.documents)
    with write(office.engine) as connection:
        office.settings.put(connection, replace(SETTINGS, valid_from=date(2026, 7, 1), documents=documents))


def stop(office: Office) -> None:
    with write(office.engine) as connection:
        cases.stop_municipality(connection, CODE, order_id(9), office.clock())


SOMEBODY_ELSE = replace(MARIA, resident_id="r-other", household_id="h-2", issuance_stop=True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda office: office.put(replace(TARO, issuance_stop=True)), REFUSED),
        (lambda office: office.put(replace(CHILD, issuance_stop=True)), REFUSED),
        (lambda office: office.put(replace(HOUSEHOLD, issuance_stop=True)), REFUSED),
        (lambda office: office.put(replace(TARO, died_on=date(2026, 7, 1))), REFUSED),
        (lambda office: office.put(replace(TARO, moving_out_notified=True)), REFUSED),
        (lambda office: office.put(replace(TARO, name="改名 太郎")), ErrorCode.RECORD_CHANGED),
        (lambda office: office.put(replace(HOUSEHOLD, address="見本市二丁目")), ErrorCode.RECORD_CHANGED),
        (remove_link, REFUSED),
        (relink, ErrorCode.RECORD_CHANGED),
        (close_for_today, ErrorCode.NOT_OFFERED_NOW),
        (stop, ErrorCode.INTEGRITY_STOP),
        (lambda office: office.put(SOMEBODY_ELSE), None),
    ],
)
def test_s13_s21_what_changed_since_is_checked_again(
    office: Office, change: Callable[[Office], object], code: ErrorCode | None
) -> None:
    """S13, S21. The last line is the other side: a change that concerns somebody else stops nothing."""
    caller = office.caller()
    office.prepare(caller)
    change(office)
    if code is None:
        office.grant(caller)
        return
    assert code_of(lambda: office.grant(caller)) is code
    assert office.order().state is OrderState.PREPARED
    assert office.balances() == {}


@pytest.mark.parametrize(
    ("change", "code"),
    [(stop, ErrorCode.INTEGRITY_STOP), (lambda office: office.put(replace(TARO, issuance_stop=True)), REFUSED)],
)
def test_s13_a_grant_that_stands_is_not_given_again_once_it_would_not_be_given(
    office: Office, change: Callable[[Office], object], code: ErrorCode
) -> None:
    """S13: its answer may have been lost, and the terminal's 60 s begin when it receives one."""
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    before = rows(office), office.balances()
    change(office)
    assert code_of(lambda: office.grant(caller)) is code
    assert office.order().state is OrderState.GRANTED, "what the printer did, only the terminal knows"
    assert (rows(office), office.balances()) == before


class Forgetful(Issuer):
    """The fault: it grants what was prepared, without another look."""

    def _check_again(self, *_: object) -> None:
        pass


def test_without_another_look_a_stop_in_between_would_be_missed(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller, 1)
    office.prepare(caller, 2)
    office.put(replace(TARO, issuance_stop=True))
    forgetful = Forgetful(**office.wiring())
    assert forgetful.grant(caller, order_id(1), grant_request()).grant
    assert code_of(lambda: office.grant(caller, 2)) is REFUSED


def test_a_new_fee_does_not_touch_what_was_prepared(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    dearer = replace(SETTINGS, valid_from=date(2026, 7, 1), fees=tuple(replace(f, fee_yen=400) for f in SETTINGS.fees))
    with write(office.engine) as connection:
        office.settings.put(connection, dearer)
    office.grant(caller)
    assert office.prepare(caller, 2)[0].fee_yen == 400


# The whole cycle, and the wiring


def test_two_copies_one_payment(office: Office) -> None:
    caller = office.caller()
    for number in (1, 2):
        office.prepare(caller, number)
    for number in (1, 2):
        office.grant(caller, number, reserved_yen=1000)
        office.tell(EventKind.PRINTED, order_id=order_id(number), sheets_out=1)
    for number in (1, 2):
        office.tell(EventKind.CAPTURED, order_id=order_id(number), payment_id=payment_id(1), amount_yen=FEE_YEN)
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(1000, 1000, 400, 0))
    balances = office.balances()
    assert {office.order(number).state for number in (1, 2)} == {OrderState.SETTLED}
    assert -balances[Account.MUNICIPALITY_PAYABLE] - balances[Account.OPERATOR_COMMISSION] == 2 * FEE_YEN
    assert balances[Account.CASHBOX] + balances[Account.HOPPER_FLOAT] == 2 * FEE_YEN
    assert not {Account.CUSTOMER_DEPOSIT, Account.SUSPENSE, Account.ESCROW} & set(balances)
    assert sum(balances.values()) == 0


def test_a_prepared_order_is_three_transactions_with_a_write(office: Office) -> None:
    """Speed: a read, the intent and the result; none of them is open while the paper is drawn."""
    caller = office.caller()
    may_write: list[bool] = []
    open_while_drawn: list[int] = []

    def begin(connection: Connection) -> None:
        may_write.append(not connection.get_execution_options().get("postgresql_readonly", False))

    event.listen(office.engine, "begin", begin)

    def render(*arguments: Any) -> bytes:
        open_while_drawn.append(office.engine.pool.checkedout())  # type: ignore[attr-defined]  # QueuePool's
        return certificates.render(*arguments)

    office.new_issuer(render=render).prepare(caller, office.request())
    assert may_write == [False, True, True]
    assert open_while_drawn == [0]


def test_an_issuer_holds_no_state(office: Office) -> None:
    """S9: one server prepares, another repeats, a third grants."""
    first, second, third = (office.new_issuer() for _ in range(3))
    caller = office.caller()
    assert isinstance(first, Issuer)
    made = first.prepare(caller, office.request())
    assert second.repeat(caller, order_id(1)) == made
    assert third.grant(caller, order_id(1), grant_request()) == first.grant(caller, order_id(1), grant_request())
