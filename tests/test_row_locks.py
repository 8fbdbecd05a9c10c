"""What is no terminal's own, where a look decides a write: first with the look's lock taken off, then with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import pytest
from sqlalchemy import Connection, select

from issuance_server import cases, findings, payments, refunds, restores
from issuance_server.cases import CaseReason, Subject
from issuance_server.database import read, write
from issuance_server.findings import Finding, FindingRefused, Side
from issuance_server.restores import How
from issuance_server.schema import case_findings
from tests.issuing_parts import CODE, NOW, Office, order_id, payment_id
from tests.races import both_open, without_row_locks

pytestmark = pytest.mark.parts

GUARDS = pytest.mark.parametrize("guarded", [False, True], ids=["guard off", "guard on"])
CASE_ID = f"UNKNOWN:{order_id(1)}"


@pytest.fixture
def office(postgres_office: Office) -> Iterator[Office]:
    """An office on PostgreSQL, with one case."""
    with write(postgres_office.engine) as connection:
        cases.open_case(connection, CaseReason.UNKNOWN, Subject(CODE, "t-1", order_id=order_id(1)), NOW)
    return postgres_office


def locks(office: Office, *, guarded: bool) -> AbstractContextManager[None]:
    return nullcontext() if guarded else without_row_locks(office.engine)


def said(office: Office) -> list[str]:
    with read(office.engine) as connection:
        return list(connection.execute(select(case_findings.c.side).order_by(case_findings.c.side)).scalars())


@GUARDS
def test_a_case_ends_by_the_second_of_two_sides_that_speak_at_once(office: Office, guarded: bool) -> None:
    closed: list[bool] = []

    def find(connection: Connection, side: Side) -> None:
        found = Finding(side, f"staff of {side}", "one sheet lay in the tray")
        closed.append(findings.add(connection, CODE, CASE_ID, found, NOW))

    with locks(office, guarded=guarded):
        errors = both_open(
            office.engine,
            partial(write, office.engine),
            partial(find, side=Side.OPERATOR),
            partial(find, side=Side.MUNICIPALITY),
        )
    assert errors == (None, None)
    assert said(office) == ["municipality", "operator"]
    assert closed == [False, guarded]
    assert office.open_cases() == ([] if guarded else ["UNKNOWN"])  # guard off it stays open for ever


@GUARDS
def test_one_person_is_not_two_sides_though_both_are_said_at_once(office: Office, guarded: bool) -> None:
    def find(connection: Connection, side: Side) -> None:
        findings.add(connection, CODE, CASE_ID, Finding(side, "the same", "one sheet lay in the tray"), NOW)

    with locks(office, guarded=guarded):
        _failed, other_failed = both_open(
            office.engine,
            partial(write, office.engine),
            partial(find, side=Side.OPERATOR),
            partial(find, side=Side.MUNICIPALITY),
        )
    assert isinstance(other_failed, FindingRefused) is guarded
    assert len(said(office)) == (1 if guarded else 2)


@GUARDS
def test_a_restore_is_over_when_the_last_two_terminals_catch_up_at_once(office: Office, guarded: bool) -> None:
    with write(office.engine) as connection:
        assert restores.begin(connection, How.DECLARED, NOW) == ("t-1", "t-2")
        for terminal_id in ("t-1", "t-2"):
            restores.heard(connection, terminal_id, 1, 0, NOW)

    def catch_up(connection: Connection, terminal_id: str) -> None:
        restores.caught_up(connection, terminal_id, 1, NOW)

    with locks(office, guarded=guarded):
        errors = both_open(
            office.engine,
            partial(write, office.engine),
            partial(catch_up, terminal_id="t-1"),
            partial(catch_up, terminal_id="t-2"),
        )
    assert errors == (None, None)
    with read(office.engine) as connection:
        assert restores.is_under_way(connection) is not guarded


@GUARDS
def test_the_second_refund_of_a_person_is_looked_at_though_both_are_opened_at_once(
    office: Office, guarded: bool
) -> None:
    for number, terminal in ((1, "t-1"), (2, "t-2")):
        caller = office.caller(terminal=terminal, visit=f"{number:032d}")
        office.prepare(caller, number)
        office.grant(caller, number, payment=number)
    states: list[str] = []

    def open_one(connection: Connection, number: int) -> None:
        payment = payments.find(connection, payment_id(number))
        assert payment is not None
        states.append(refunds.open_refund(connection, payment, 500, None, NOW))

    with locks(office, guarded=guarded):
        errors = both_open(
            office.engine,
            partial(write, office.engine),
            partial(open_one, number=1),
            partial(open_one, number=2),
        )
    assert errors == (None, None)
    assert states == ["DUE", "REVIEW" if guarded else "DUE"]
