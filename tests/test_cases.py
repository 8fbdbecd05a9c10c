"""Cases and stops: opened once, closed by a finding alone."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, func, select

from issuance_server.cases import CaseReason, Subject, close_case, close_stop, is_stopped, open_case, stop_municipality
from issuance_server.database import read, write
from issuance_server.schema import cases
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
