"""One table of codes: complete, and what it says is what an error carries."""

import pytest

from protocol.errors import TABLE, ErrorCode, IssueError


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(ErrorCode)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_an_error_carries_its_row(code: ErrorCode) -> None:
    error = IssueError(code, "a field, a rule")
    assert (error.http_status, error.retryable) == TABLE[code]
    assert 400 <= error.http_status < 600
    assert code.value == code.name


def test_only_what_changes_nothing_by_waiting_may_be_sent_again() -> None:
    assert {code for code, (_, retryable) in TABLE.items() if retryable} == {
        ErrorCode.ORDER_IN_FLIGHT,
        ErrorCode.CARD_STATUS_UNKNOWN,
        ErrorCode.RECORDS_BEHIND,
        ErrorCode.BUSY,
    }
