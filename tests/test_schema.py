"""What the tables themselves hold, whoever writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from issuance_server.database import read, write
from issuance_server.schema import (
    certificate_links,
    challenges_used,
    issue_number_counters,
    postings,
    register_feed,
)

NOW = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)


def test_a_moment_keeps_its_zone(engine: Engine) -> None:
    noon_in_tokyo = datetime(2026, 4, 1, 12, 0, tzinfo=timezone(timedelta(hours=9)))
    with write(engine) as connection:
        connection.execute(insert(register_feed), {"municipality_code": "999993", "received_at_utc": noon_in_tokyo})
    with read(engine) as connection:
        stored = connection.execute(select(register_feed.c.received_at_utc)).scalar_one()
    assert stored == noon_in_tokyo
    assert stored.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(engine: Engine) -> None:
    row = {"municipality_code": "999993", "received_at_utc": NOW.replace(tzinfo=None)}
    with pytest.raises(StatementError, match="needs a time zone"), write(engine) as connection:
        connection.execute(insert(register_feed), row)


def test_a_challenge_is_used_once(engine: Engine) -> None:
    row = {"challenge_digest": bytes(32), "expires_at_utc": NOW}
    with write(engine) as connection:
        connection.execute(insert(challenges_used), row)
    with pytest.raises(IntegrityError), write(engine) as connection:
        connection.execute(insert(challenges_used), row)


@pytest.mark.parametrize(
    ("first_active", "second_active", "accepted"), [(True, True, False), (False, True, True), (True, False, True)]
)
def test_one_active_resident_a_certificate(
    engine: Engine, first_active: bool, second_active: bool, accepted: bool
) -> None:
    key = {"municipality_code": "999993", "link_digest": bytes(32)}
    with write(engine) as connection:
        connection.execute(insert(certificate_links), key | {"resident_id": "r1", "active": first_active})
    second = key | {"resident_id": "r2", "active": second_active}
    if accepted:
        with write(engine) as connection:
            connection.execute(insert(certificate_links), second)
    else:
        with pytest.raises(IntegrityError), write(engine) as connection:
            connection.execute(insert(certificate_links), second)


@pytest.mark.parametrize(
    "statement", ["UPDATE postings SET amount_yen = 0", "DELETE FROM postings", "TRUNCATE TABLE postings"]
)
def test_append_only_rows_stay_as_they_were_written(engine: Engine, statement: str) -> None:
    row = {
        "municipality_code": "999993",
        "posting_id": "capture:1",
        "account": "escrow",
        "amount_yen": 300,
        "payment_id": "0" * 32,
        "terminal_id": "t1",
        "posted_at_utc": NOW,
    }
    with write(engine) as connection:
        connection.execute(insert(postings), row)
    refused = 'append-only|near "TRUNCATE"'  # SQLite has no such statement
    with pytest.raises(DBAPIError, match=refused), write(engine) as connection:
        connection.execute(text(statement))
    with read(engine) as connection:
        assert connection.execute(select(postings.c.amount_yen)).scalar_one() == 300


def test_other_tables_may_change(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(
            insert(issue_number_counters), {"municipality_code": "999993", "number_year": 2026, "last_number": 1}
        )
        assert connection.execute(text("UPDATE issue_number_counters SET last_number = 2")).rowcount == 1
