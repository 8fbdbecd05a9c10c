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


def outcome(witnesses: Witnesses, capabilities: Capabilities, sheets: int = 3) -> tuple[Outcome, int | None]:
    verdict = decide(witnesses, capabilities, sheets)
    assert verdict.why
    return verdict.outcome, verdict.sheets_out


def partial(sheets: int) -> tuple[Outcome, int]:
    return Outcome.PARTIAL, sheets


PRINTED, UNKNOWN, FAILED = (Outcome.PRINTED, 3), (Outcome.UNKNOWN, None), (Outcome.FAILED, 0)


@pytest.mark.parametrize(
    ("state", "impressions", "sheets", "lifetime", "expected"),
    [
        # Three sheets with six sides.
        (JobState.COMPLETED, 6, 3, 6, PRINTED),
        (JobState.COMPLETED, 6, 3, 5, UNKNOWN),
        (JobState.COMPLETED, 6, 2, 6, UNKNOWN),
        (JobState.COMPLETED, 5, 3, 6, UNKNOWN),
        (JobState.COMPLETED, 0, 0, 0, UNKNOWN),
        (JobState.COMPLETED, 8, 4, 8, UNKNOWN),
        (JobState.COMPLETED, 6, 3, 12, UNKNOWN),
        (JobState.COMPLETED, 3, 3, 3, UNKNOWN),  # three fronts without their backs
        (JobState.COMPLETED, 6, 6, 6, UNKNOWN),  # six sides on six sheets: the printer took it for one-sided
        (JobState.COMPLETED, 4, 2, 4, partial(2)),
        (JobState.ABORTED, 0, 0, 0, FAILED),
        (JobState.CANCELED, 0, 0, 0, FAILED),
        (JobState.ABORTED, 0, 0, 2, UNKNOWN),
        (JobState.ABORTED, 0, 1, 0, UNKNOWN),
        (JobState.ABORTED, 0, 0, -1, UNKNOWN),
        (JobState.ABORTED, 2, 1, 2, partial(1)),
        (JobState.ABORTED, 3, 1, 3, partial(1)),  # a jam on sheet 2 of 3 (S15): its front is printed, and stays inside
        (JobState.ABORTED, 3, 2, 3, partial(2)),  # the same sheet, come out without its back
        (JobState.ABORTED, 1, 0, 1, partial(0)),  # a front, and not one sheet out
        (JobState.ABORTED, 3, 1, 4, UNKNOWN),
        (JobState.CANCELED, 4, 2, 4, partial(2)),
        (JobState.CANCELED, 4, 1, 4, UNKNOWN),
        (JobState.ABORTED, 4, 3, 4, UNKNOWN),
        (JobState.ABORTED, 5, 3, 5, UNKNOWN),  # three sheets out, and one side missing
        (JobState.ABORTED, 2, 0, 2, UNKNOWN),
        (JobState.ABORTED, 6, 3, 6, UNKNOWN),
        (JobState.PROCESSING, 6, 3, 6, UNKNOWN),
        (JobState.PROCESSING_STOPPED, 2, 1, 2, UNKNOWN),
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
    ("impressions", "expected"),
    [
        (6, PRINTED),
        (5, partial(3)),  # who counts sides alone takes a front for a sheet that somebody must look for
        (4, partial(2)),
        (3, partial(2)),
        (2, partial(1)),
        (1, partial(1)),
        (0, UNKNOWN),
        (7, UNKNOWN),
    ],
)
def test_sides_alone_are_counted(impressions: int, expected: tuple[Outcome, int | None]) -> None:
    assert outcome(seen(JobState.COMPLETED, impressions), replace(NONE, impressions=True)) == expected


@pytest.mark.parametrize(
    ("state", "impressions", "expected"),
    [
        (JobState.COMPLETED, 2, (Outcome.PRINTED, 1)),
        (JobState.COMPLETED, 1, partial(1)),  # a front without its back is no certificate
        (JobState.ABORTED, 1, partial(1)),
        (JobState.ABORTED, 2, UNKNOWN),
        (JobState.ABORTED, 0, FAILED),
    ],
)
def test_one_sheet_has_two_sides(state: JobState, impressions: int, expected: tuple[Outcome, int | None]) -> None:
    assert outcome(seen(state, impressions), replace(NONE, impressions=True), sheets=1) == expected


@pytest.mark.parametrize(
    "missing", ["impressions_completed", "sheets_completed", "lifetime_before", "lifetime_after", "path_clear"]
)
@pytest.mark.parametrize(("state", "sheets"), [(JobState.COMPLETED, 3), (JobState.ABORTED, 0)])
def test_a_declared_witness_that_is_missing_makes_it_unknown(missing: str, state: JobState, sheets: int) -> None:
    whole = seen(state, 2 * sheets, sheets)
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
    assert outcome(blocked, ALL) == partial(0), "not one sheet is out, and one has to be taken out of the printer"
    assert outcome(replace(blocked, job_state=JobState.COMPLETED), ALL) == UNKNOWN


@pytest.mark.parametrize("doubt", [{"history_lost": True}, {"jobs_found": 2}, {"jobs_found": 0}])
@pytest.mark.parametrize(("state", "sheets"), [(JobState.COMPLETED, 3), (JobState.ABORTED, 0), (JobState.ABORTED, 1)])
def test_a_doubt_about_the_job_itself_decides(doubt: dict[str, Any], state: JobState, sheets: int) -> None:
    certain = seen(state, 2 * sheets, sheets)
    assert outcome(certain, ALL)[0] != Outcome.UNKNOWN
    assert outcome(replace(certain, **doubt), ALL) == UNKNOWN


DOUBTS: list[dict[str, Any]] = [
    {"job_state": None, "jobs_found": 0},
    {"history_lost": True},
    {"jobs_found": 2},
    {"job_state": JobState.COMPLETED, "job_state_reasons": ("job-canceled-at-device",)},
]


@pytest.mark.parametrize("doubt", DOUBTS)
@pytest.mark.parametrize(
    ("lifetime", "expected"),
    [(0, FAILED), (1, partial(1)), (2, partial(1)), (5, partial(3)), (6, UNKNOWN), (8, UNKNOWN)],
)
def test_of_a_withdrawn_job_the_meter_alone_tells_what_did_not_come_out(
    doubt: dict[str, Any], lifetime: int, expected: tuple[Outcome, int | None]
) -> None:
    """Whatever the job's own counts say; and "printed" takes the printer's own word."""
    in_doubt = replace(seen(JobState.ABORTED, 6, 3, lifetime), **doubt)
    assert outcome(in_doubt, ALL) == UNKNOWN, "it may still print"
    withdrawn = replace(in_doubt, withdrawn=True)
    assert outcome(withdrawn, ALL) == expected
    assert outcome(withdrawn, COUNTS) == UNKNOWN, "no meter is declared"
    assert outcome(replace(withdrawn, lifetime_after=None), ALL) == UNKNOWN
    assert outcome(replace(withdrawn, path_clear=None), ALL) == UNKNOWN


def test_of_a_withdrawn_job_nothing_came_out_and_the_path_is_not_clear() -> None:
    stuck = replace(seen(None, lifetime=0), jobs_found=0, withdrawn=True, path_clear=False)
    assert outcome(stuck, ALL) == partial(0)


@pytest.mark.parametrize("reason", sorted(CONTRADICTING_REASONS))
def test_completed_with_a_reason_against_it(reason: str) -> None:
    completed = seen(JobState.COMPLETED, 6, 3)
    assert outcome(replace(completed, job_state_reasons=("job-completed-successfully",)), ALL) == PRINTED
    assert outcome(replace(completed, job_state_reasons=("job-completed-successfully", reason)), ALL) == UNKNOWN


@pytest.mark.parametrize("sheets", [0, -1])
def test_a_job_without_a_sheet_is_refused(sheets: int) -> None:
    with pytest.raises(ValueError, match=r"sheets"):
        outcome(seen(JobState.COMPLETED), ALL, sheets)


def test_values_travel_between_processes() -> None:
    verdict = Verdict(Outcome.PARTIAL, 1, "why")
    assert pickle.loads(pickle.dumps(verdict)) == verdict  # noqa: S301 -- our own bytes
    assert pickle.loads(pickle.dumps(ALL)) == ALL  # noqa: S301 -- our own bytes
