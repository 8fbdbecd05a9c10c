"""The truth table: which witnesses give which verdict."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from printing.press.verdict import (
    CONTRADICTING_REASONS,
    Capabilities,
    JobState,
    Outcome,
    PaperOutlet,
    Verdict,
    Witnesses,
    decide,
)

NONE = Capabilities(
    impressions=False, sheets=False, lifetime_counter=False, path_sensor=False, outlet=PaperOutlet.OPEN_TRAY
)
COUNTS = replace(NONE, impressions=True, sheets=True)
ALL = replace(COUNTS, lifetime_counter=True, path_sensor=True, outlet=PaperOutlet.PRESENTER)


def seen(state: JobState | None, impressions: int = 0, sheets: int = 0, lifetime: int | None = None) -> Witnesses:
    """All witnesses present; the lifetime counter went up by as much as the job's, unless it is told."""
    return Witnesses(
        job_state=state,
        impressions_completed=impressions,
        sheets_completed=sheets,
        lifetime_before=1000,
        lifetime_after=1000 + (impressions if lifetime is None else lifetime),
        path_clear=True,
    )


def outcome(
    witnesses: Witnesses, capabilities: Capabilities, sheets: int = 3, impressions: int | None = 3
) -> tuple[Outcome, int | None]:
    verdict = decide(witnesses, capabilities, expected_sheets=sheets, expected_impressions=impressions)
    assert verdict.why
    return verdict.outcome, verdict.sheets_out


PRINTED, UNKNOWN, FAILED = (Outcome.PRINTED, 3), (Outcome.UNKNOWN, None), (Outcome.FAILED, 0)


@pytest.mark.parametrize(
    ("state", "impressions", "sheets", "lifetime", "expected"),
    [
        (JobState.COMPLETED, 3, 3, 3, PRINTED),
        (JobState.COMPLETED, 3, 3, 2, UNKNOWN),
        (JobState.COMPLETED, 3, 2, 3, UNKNOWN),
        (JobState.COMPLETED, 2, 3, 3, UNKNOWN),
        (JobState.COMPLETED, 0, 0, 0, UNKNOWN),
        (JobState.COMPLETED, 4, 4, 4, UNKNOWN),
        (JobState.COMPLETED, 3, 3, 6, UNKNOWN),
        (JobState.COMPLETED, 2, 2, 2, (Outcome.PARTIAL, 2)),
        (JobState.ABORTED, 0, 0, 0, FAILED),
        (JobState.CANCELED, 0, 0, 0, FAILED),
        (JobState.ABORTED, 0, 0, 1, UNKNOWN),
        (JobState.ABORTED, 0, 1, 0, UNKNOWN),
        (JobState.ABORTED, 0, 0, -1, UNKNOWN),
        (JobState.ABORTED, 1, 1, 1, (Outcome.PARTIAL, 1)),
        (JobState.CANCELED, 2, 2, 2, (Outcome.PARTIAL, 2)),
        (JobState.CANCELED, 2, 1, 2, UNKNOWN),
        (JobState.ABORTED, 3, 3, 3, UNKNOWN),
        (JobState.PROCESSING, 3, 3, 3, UNKNOWN),
        (JobState.PROCESSING_STOPPED, 1, 1, 1, UNKNOWN),
        (JobState.PENDING, 0, 0, 0, UNKNOWN),
        (JobState.PENDING_HELD, 0, 0, 0, UNKNOWN),
        (None, 0, 0, 0, UNKNOWN),
    ],
)
def test_with_all_witnesses(
    state: JobState | None, impressions: int, sheets: int, lifetime: int, expected: tuple[Outcome, int | None]
) -> None:
    assert outcome(seen(state, impressions, sheets, lifetime), ALL) == expected


@pytest.mark.parametrize(
    ("impressions", "sheets", "expected"),
    [
        (5, 3, PRINTED),  # five sides on three sheets
        (4, 2, (Outcome.PARTIAL, 2)),
        (3, 2, (Outcome.PARTIAL, 2)),  # the second sheet's front is printed: it is out, or on its way out
        (3, 1, UNKNOWN),
        (4, 3, UNKNOWN),
        (1, 0, UNKNOWN),
        (0, 0, UNKNOWN),
    ],
)
def test_two_sided(impressions: int, sheets: int, expected: tuple[Outcome, int | None]) -> None:
    state = JobState.COMPLETED
    assert outcome(seen(state, impressions, sheets), ALL, impressions=5) == expected


@pytest.mark.parametrize(
    "missing", ["impressions_completed", "sheets_completed", "lifetime_before", "lifetime_after", "path_clear"]
)
@pytest.mark.parametrize(("state", "done"), [(JobState.COMPLETED, 3), (JobState.ABORTED, 0)])
def test_a_declared_witness_that_is_missing_makes_it_unknown(missing: str, state: JobState, done: int) -> None:
    whole = seen(state, done, done)
    assert outcome(whole, ALL)[0] in {Outcome.PRINTED, Outcome.FAILED}
    gone: dict[str, Any] = {missing: None}
    without = replace(whole, **gone)
    assert outcome(without, ALL) == UNKNOWN
    assert outcome(without, NONE) == outcome(whole, NONE), "undeclared = not required"


def test_undeclared_witnesses_are_not_heard_at_all() -> None:
    lying = replace(seen(JobState.COMPLETED, 1, 9, 77), path_clear=False)
    assert outcome(lying, NONE) == PRINTED


def test_nothing_counted_is_no_evidence_that_nothing_came_out() -> None:
    assert outcome(seen(JobState.ABORTED), replace(NONE, sheets=True)) == FAILED
    assert outcome(seen(JobState.ABORTED), NONE) == UNKNOWN


def test_failed_needs_a_clear_path() -> None:
    blocked = replace(seen(JobState.ABORTED), path_clear=False)
    assert outcome(blocked, COUNTS) == FAILED
    assert outcome(blocked, ALL) == UNKNOWN


@pytest.mark.parametrize("doubt", [{"history_lost": True}, {"jobs_found": 2}, {"jobs_found": 0}])
@pytest.mark.parametrize(("state", "done"), [(JobState.COMPLETED, 3), (JobState.ABORTED, 0), (JobState.ABORTED, 1)])
def test_a_doubt_about_the_job_itself_decides(doubt: dict[str, Any], state: JobState, done: int) -> None:
    certain = seen(state, done, done)
    assert outcome(certain, ALL)[0] != Outcome.UNKNOWN
    assert outcome(replace(certain, **doubt), ALL) == UNKNOWN


@pytest.mark.parametrize("reason", sorted(CONTRADICTING_REASONS))
def test_completed_with_a_reason_against_it(reason: str) -> None:
    completed = seen(JobState.COMPLETED, 3, 3)
    assert outcome(replace(completed, job_state_reasons=("job-completed-successfully",)), ALL) == PRINTED
    assert outcome(replace(completed, job_state_reasons=("job-completed-successfully", reason)), ALL) == UNKNOWN


def test_impressions_that_nobody_told_cannot_agree() -> None:
    completed = seen(JobState.COMPLETED, 3, 3)
    assert outcome(completed, replace(NONE, impressions=True), impressions=None) == UNKNOWN
    assert outcome(completed, replace(NONE, lifetime_counter=True), impressions=None) == UNKNOWN
    assert outcome(completed, replace(NONE, sheets=True), impressions=None) == PRINTED


@pytest.mark.parametrize(("sheets", "impressions"), [(0, 0), (-1, None), (2, 1), (2, 5)])
def test_expectations_that_fit_no_job_are_refused(sheets: int, impressions: int | None) -> None:
    with pytest.raises(ValueError, match=r"sheets"):
        outcome(seen(JobState.COMPLETED), ALL, sheets, impressions)


def test_values_travel_between_processes() -> None:
    verdict = Verdict(Outcome.PARTIAL, 1, "why")
    assert pickle.loads(pickle.dumps(verdict)) == verdict  # noqa: S301 -- our own bytes
    assert pickle.loads(pickle.dumps(ALL)) == ALL  # noqa: S301 -- our own bytes
