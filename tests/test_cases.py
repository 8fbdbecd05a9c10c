"""Cases and stops: opened once, closed by a finding alone."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, func, select

from issuance_server import findings
from issuance_server.cases import (
    CaseReason,
    Subject,
    close_case,
    close_stop,
    is_open,
    is_stopped,
    open_case,
    stop_municipality,
)
from issuance_server.database import read, write
from issuance_server.findings import Finding, FindingRefused, Side
from issuance_server.schema import NO_MUNICIPALITY, cases
from tests.issuing_parts import CODE, NOW, order_id

SUBJECT = Subject(CODE, "t-1", order_id=order_id(1))


def test_the_same_doubt_is_one_case_and_another_is_another(engine: Engine) -> None:
    with write(engine) as connection:
        for reason in (CaseReason.PARTIAL, CaseReason.PARTIAL, CaseReason.UNKNOWN):
            open_case(connection, reason, SUBJECT, NOW)
        open_case(connection, CaseReason.PARTIAL, Subject(CODE, "t-1", order_id=order_id(2)), NOW)
    with read(engine) as connection:
        assert connection.execute(select(func.count()).select_from(cases)).scalar_one() == 3
        assert connection.execute(select(cases.c.opened_at_utc).limit(1)).scalar_one() == NOW


def test_a_case_is_about_something(engine: Engine) -> None:
    with write(engine) as connection, pytest.raises(AssertionError, match="about something"):
        open_case(connection, CaseReason.PARTIAL, Subject(CODE, "t-1"), NOW)


@pytest.mark.parametrize("finding", ["", "  "])
def test_only_a_finding_closes_a_case(engine: Engine, finding: str) -> None:
    with write(engine) as connection:
        open_case(connection, CaseReason.PARTIAL, SUBJECT, NOW)
        with pytest.raises(ValueError, match="finding"):
            close_case(connection, CaseReason.PARTIAL, SUBJECT, finding, NOW)
        assert close_case(connection, CaseReason.PARTIAL, SUBJECT, "sheets destroyed", NOW)
        assert not close_case(connection, CaseReason.PARTIAL, SUBJECT, "again", NOW)
        assert connection.execute(select(cases.c.finding)).scalar_one() == "sheets destroyed"


def test_a_stop_is_one_municipality_s_and_ends_with_its_last_finding(engine: Engine) -> None:
    with write(engine) as connection:
        stop_municipality(connection, CODE, order_id(1), NOW)
        stop_municipality(connection, CODE, order_id(1), NOW)
        stop_municipality(connection, CODE, order_id(2), NOW)
        assert is_stopped(connection, CODE)
        assert not is_stopped(connection, "999985")
        assert close_stop(connection, CODE, f"RECHECK_FAILED:{order_id(1)}", "found", NOW)
        assert is_stopped(connection, CODE)
        assert close_stop(connection, CODE, f"RECHECK_FAILED:{order_id(2)}", "found", NOW)
        assert not is_stopped(connection, CODE)


# What two sides found

CASE_ID = f"PARTIAL:{order_id(1)}"
STAFF = Finding(Side.OPERATOR, "staff-7", "one sheet lay in the tray; destroyed")
OFFICER = Finding(Side.MUNICIPALITY, "officer-3", "number void, money was given back")


@pytest.fixture
def doubtful(engine: Engine) -> Engine:
    with write(engine) as connection:
        open_case(connection, CaseReason.PARTIAL, SUBJECT, NOW)
    return engine


@pytest.mark.parametrize("order", [(STAFF, OFFICER), (OFFICER, STAFF)])
def test_two_sides_close_a_case_in_either_order(doubtful: Engine, order: tuple[Finding, Finding]) -> None:
    with write(doubtful) as connection:
        assert not findings.add(connection, CODE, CASE_ID, order[0], NOW)
        assert is_open(connection, CaseReason.PARTIAL, SUBJECT)
        assert findings.add(connection, CODE, CASE_ID, order[1], NOW)
        assert not is_open(connection, CaseReason.PARTIAL, SUBJECT)
        assert set(findings.of_case(connection, CODE, CASE_ID)) == {STAFF, OFFICER}
        told = connection.execute(select(cases.c.finding)).scalar_one()
    assert told == f"municipality: {OFFICER.words}; operator: {STAFF.words}"


@pytest.mark.parametrize(
    ("second", "rule"),
    [
        (STAFF, "has said already"),
        (Finding(Side.MUNICIPALITY, "staff-7", "number void, money was given back"), "two persons"),
        (Finding(Side.MUNICIPALITY, " staff-7 ", "number void, money was given back"), "two persons"),
        (Finding(Side.MUNICIPALITY, "  ", "number void, money was given back"), "two persons"),
        (Finding(Side.MUNICIPALITY, "officer-3", "  ok      "), "what was found"),
        (Finding(Side.CENTRAL, "central-1", "looked at it twice"), "municipality and operator speak"),
    ],
)
def test_what_is_no_second_finding_closes_nothing(doubtful: Engine, second: Finding, rule: str) -> None:
    with write(doubtful) as connection:
        findings.add(connection, CODE, CASE_ID, STAFF, NOW)
        with pytest.raises(FindingRefused, match=rule):
            findings.add(connection, CODE, CASE_ID, second, NOW)
        assert is_open(connection, CaseReason.PARTIAL, SUBJECT)


@pytest.mark.parametrize("case_id", [f"UNKNOWN:{order_id(1)}", ""])
def test_a_finding_needs_an_open_case(doubtful: Engine, case_id: str) -> None:
    with write(doubtful) as connection:
        for finding in (STAFF, OFFICER):
            findings.add(connection, CODE, CASE_ID, finding, NOW)
        for closed_or_unknown in (case_id, CASE_ID):
            with pytest.raises(FindingRefused, match="none is open"):
                findings.add(connection, CODE, closed_or_unknown, OFFICER, NOW)


def test_without_a_municipality_the_central_operator_speaks(engine: Engine) -> None:
    subject = Subject(NO_MUNICIPALITY, "t-1", payment_id=order_id(9))
    with write(engine) as connection:
        open_case(connection, CaseReason.COUNTS_DIFFER, subject, NOW)
        case_id = f"COUNTS_DIFFER:{order_id(9)}"
        findings.add(connection, NO_MUNICIPALITY, case_id, STAFF, NOW)
        with pytest.raises(FindingRefused, match="central and operator speak"):
            findings.add(connection, NO_MUNICIPALITY, case_id, OFFICER, NOW)
        central = Finding(Side.CENTRAL, "central-1", "the tray held 100 yen")
        assert findings.add(connection, NO_MUNICIPALITY, case_id, central, NOW)


def test_the_two_findings_that_close_an_integrity_case_end_the_stop(engine: Engine) -> None:
    with write(engine) as connection:
        stop_municipality(connection, CODE, order_id(1), NOW)
        open_case(connection, CaseReason.RECHECK_FAILED, SUBJECT, NOW)
        case_id = f"RECHECK_FAILED:{order_id(1)}"
        findings.add(connection, CODE, case_id, STAFF, NOW)
        assert is_stopped(connection, CODE)
        findings.add(connection, CODE, case_id, OFFICER, NOW)
        assert not is_stopped(connection, CODE)
