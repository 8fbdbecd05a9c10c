"""A case shows the terminal's word beside the books, with nothing of a person; a retry that worked is a case (S14)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from issuance_server import case_files, retries
from issuance_server.case_files import CaseFile
from issuance_server.database import read
from issuance_server.ledger import LEASE
from protocol.messages import EventKind, Scope
from tests.databases import Databases
from tests.issuing_parts import ADDRESS, CODE, FEE_YEN, Office, abandon, counted, longer, order_id, payment_id

SECOND_VISIT = "2" * 32


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    made = Office(tmp_path, databases.declared())
    yield made
    made.close()


def gathered(office: Office, case_id: str, code: str = CODE) -> CaseFile:
    with read(office.engine) as connection:
        found = case_files.gather(connection, code, case_id)
    assert found is not None
    return found


def bought(office: Office, number: int, visit: str, *ends: tuple[EventKind, int | None]) -> None:
    """An order, granted, of which the terminal then tells this."""
    caller = office.caller(visit=visit)
    office.prepare(caller, number)
    office.grant(caller, number, payment=number)
    for kind, sheets_out in ends:
        office.clock.advance(seconds=5)
        office.tell(kind, order_id=order_id(number), sheets_out=sheets_out)


def test_terminal_and_books_stand_beside_one_another(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller, scope=Scope.HOUSEHOLD)
    office.grant(caller)
    office.clock.advance(seconds=30)
    office.tell(EventKind.UNKNOWN, order_id=order_id(1))
    office.clock.advance(seconds=30)
    office.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
    office.tell(EventKind.CAPTURED, order_id=order_id(1), payment_id=payment_id(1), amount_yen=FEE_YEN)
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(1), **counted(500, 500, 200, 0))
    case = gathered(office, f"UNKNOWN:{order_id(1)}")
    assert [told.kind for told in case.told] == ["UNKNOWN", "PRINTED", "CAPTURED", "PAYMENT_CLOSED"]
    assert [moved.event for moved in case.moved] == ["INTEND", "PREPARE", "GRANT", "PRINTED", "CAPTURED"]
    assert sum(line.amount_yen for line in case.booked) == 0
    assert {line.account for line in case.booked} >= {"escrow", "cashbox", "municipality_payable"}
    text = "\n".join(case_files.lines(case))
    assert "2026-07-01 12:00:30  1 UNKNOWN" in text
    assert "PRINTED -> PRINTED" in text
    for personal in ("見本 太郎", "太郎", ADDRESS, "1980"):
        assert personal not in text
        assert personal not in msgspec.json.encode(case).decode()


def test_a_case_about_money_alone_shows_the_money(office: Office) -> None:
    office.tell(EventKind.PAYMENT_CLOSED, payment_id=payment_id(7), **counted(500, 0, 0, 400))
    case = gathered(office, f"COUNTS_DIFFER:{payment_id(7)}", "000000")
    assert case.order is None
    assert [(told.kind, told.fields["returned_yen"]) for told in case.told] == [("PAYMENT_CLOSED", 400)]
    assert {line.account for line in case.booked} >= {"suspense"}


def test_what_is_no_case_is_none(office: Office) -> None:
    with read(office.engine) as connection:
        assert case_files.gather(connection, CODE, f"UNKNOWN:{order_id(1)}") is None


def test_open_cases_come_oldest_first_and_ended_ones_when_asked(office: Office) -> None:
    for number in (1, 2):
        bought(office, number, str(number) * 32, (EventKind.PARTIAL, 0))
    with read(office.engine) as connection:
        found = [row.case_id for row in case_files.listed(connection)]
        elsewhere = case_files.listed(connection, municipality_code="999985")
    assert found == [f"PARTIAL:{order_id(1)}", f"PARTIAL:{order_id(2)}"]
    assert elsewhere == []


@pytest.mark.parametrize(
    "first",
    [(EventKind.FAILED, None), (EventKind.PARTIAL, 0), (EventKind.UNKNOWN, None)],
    ids=lambda told: told[0].value,
)
def test_s14_a_retry_that_worked_is_a_case_of_its_own(office: Office, first: tuple[EventKind, int | None]) -> None:
    bought(office, 1, "1" * 32, first)
    before = office.open_cases()
    bought(office, 2, SECOND_VISIT, (EventKind.PRINTED, 1))
    assert office.open_cases() == sorted([*before, "RETRY_WORKED"])
    assert gathered(office, f"RETRY_WORKED:{order_id(2)}").order is not None


def test_s14_two_copies_that_both_worked_are_no_retry(office: Office) -> None:
    bought(office, 1, "1" * 32, (EventKind.PRINTED, 1))
    bought(office, 2, SECOND_VISIT, (EventKind.PRINTED, 1))
    assert office.open_cases() == []


def test_s14_anothers_failure_or_an_old_one_is_not_this_persons_retry(office: Office) -> None:
    office.link("r-hanako")
    hanako = office.caller("r-hanako")
    office.prepare(hanako, 1)
    office.grant(hanako, 1)
    office.tell(EventKind.FAILED, order_id=order_id(1))
    bought(office, 2, SECOND_VISIT, (EventKind.FAILED, None))
    office.clock.advance(seconds=retries.SPAN / timedelta(seconds=1))
    bought(office, 3, "3" * 32, (EventKind.PRINTED, 1))
    assert office.open_cases() == []


def test_s14_a_worker_that_died_and_a_second_that_drew_the_paper_is_a_case(office: Office) -> None:
    caller = longer(office.caller())
    abandon(office, caller)
    office.clock.advance(seconds=LEASE.total_seconds())
    office.prepare(caller)
    assert office.open_cases() == ["RETRY_WORKED"]
