"""What came out of the printer: the witnesses, and the truth table that turns them into a verdict.

Pure. The verdict decides a charge, so it says `printed` and `failed` only for certain; UNKNOWN is an outcome like the
others and is never reprinted by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum


class JobState(IntEnum):
    """IPP job-state (RFC 8011, 5.3.7)."""

    PENDING = 3
    PENDING_HELD = 4
    PROCESSING = 5
    PROCESSING_STOPPED = 6
    CANCELED = 7
    ABORTED = 8
    COMPLETED = 9


ENDED = frozenset({JobState.CANCELED, JobState.ABORTED, JobState.COMPLETED})

# A job that says "completed" together with one of these has not, or not yet, or not all come out.
CONTRADICTING_REASONS = frozenset(
    {
        "aborted-by-system",
        "document-format-error",
        "errors-detected",
        "job-canceled-at-device",
        "job-canceled-by-operator",
        "job-canceled-by-user",
        "job-completed-with-errors",
        "job-queued",
        "printer-stopped",
        "printer-stopped-partly",
        "processing-to-stop-point",
        "queued-in-device",
    }
)


SIDES_A_SHEET = 2  # every paper has a front and a back on every sheet


class PaperOutlet(StrEnum):
    """Where paper comes out: a presenter can take it back, an open tray cannot."""

    PRESENTER = "presenter"
    OPEN_TRAY = "open_tray"


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """Which witnesses a printer model has, as configuration declares it.

    An undeclared witness is not required; a declared one that is missing makes the verdict unknown.
    """

    impressions: bool  # job-impressions-completed
    sheets: bool  # job-media-sheets-completed
    lifetime_counter: bool  # printer-impressions-completed, before and after
    path_sensor: bool  # whether the paper path is clear can be known
    outlet: PaperOutlet


@dataclass(frozen=True, kw_only=True)
class Witnesses:
    """What is known at one moment about one job; None = not known."""

    job_state: JobState | None
    job_state_reasons: tuple[str, ...] = ()
    jobs_found: int = 1  # jobs of this name that the printer lists
    impressions_completed: int | None = None
    sheets_completed: int | None = None
    lifetime_before: int | None = None
    lifetime_after: int | None = None
    path_clear: bool | None = None
    history_lost: bool = False  # the printer restarted or forgot a job that it had
    withdrawn: bool = False  # nothing of this order can print any more: neither CUPS nor the printer has it unfinished


class Outcome(StrEnum):
    """What came out of the printer."""

    PRINTED = "printed"
    PARTIAL = "partial"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """What came out; sheets_out is None unless it is known for certain."""

    outcome: Outcome
    sheets_out: int | None
    why: str


@dataclass(frozen=True)
class _Count:
    """One declared count beside what it should be at the end, and how many sheets that many can stand for."""

    name: str
    done: int
    expected: int
    least_sheets: int
    most_sheets: int


def decide(
    witnesses: Witnesses,
    capabilities: Capabilities,
    expected_sheets: int,
) -> Verdict:
    """Return the verdict for one job.

    Shape:  printed = completed and every declared count equals the expected one; failed = aborted or canceled, every
            declared count zero, path clear, and at least one count declared (none is no evidence that nothing came
            out); partial = ended, every declared count short of the expected one, agreeing on the sheets, and not all
            zero unless the path is not clear: then no sheet counts as out, and the one inside has to be taken out;
            unknown = all else.
            A sheet whose front alone is printed stands in the printer or in the tray: only a count of sheets tells
            which, and without one it is counted as out, since somebody has to look for it.
            Where the printer does not know the job (never had it, forgot it, or has two), its lifetime counter alone
            still tells failed and partial, once the job is withdrawn; never printed, which takes the word "completed".
    Units:  sheets are pieces of paper, impressions are printed sides, two a sheet.
    Errors: ValueError if no sheet is expected.
    """
    if expected_sheets < 1:
        raise ValueError(f"expected_sheets must be at least 1, not {expected_sheets}")
    state, said = witnesses.job_state, f"job {_state_word(witnesses.job_state)}"
    unsure = _doubt_of_job(witnesses)
    if unsure and witnesses.withdrawn and capabilities.lifetime_counter:
        state, said = None, f"{unsure}, and it is withdrawn"
        capabilities = replace(capabilities, impressions=False, sheets=False)
    elif unsure:
        return Verdict(Outcome.UNKNOWN, None, unsure)
    missing = _missing(witnesses, capabilities)
    if missing:
        return Verdict(Outcome.UNKNOWN, None, f"declared, but missing: {missing}")
    counts = _declared_counts(witnesses, capabilities, expected_sheets)
    said = f"{said}; {_words(counts)}"
    if state == JobState.COMPLETED and all(c.done == c.expected for c in counts):
        return Verdict(Outcome.PRINTED, expected_sheets, said)
    path_clear = witnesses.path_clear or not capabilities.path_sensor
    return _without_all_sheets(
        state, counts, said if path_clear else f"{said}; the paper path is not clear", path_clear
    )


def _without_all_sheets(state: JobState | None, counts: list[_Count], said: str, path_clear: bool) -> Verdict:
    """Return what the counts say of a job that is not printed; state is None where only the lifetime counter speaks."""
    if counts and all(0 <= c.done < c.expected for c in counts):
        if any(c.done for c in counts):
            least, most = max(c.least_sheets for c in counts), min(c.most_sheets for c in counts)
            if least <= most:
                return Verdict(Outcome.PARTIAL, most, said)
        elif state != JobState.COMPLETED:
            return Verdict(Outcome.FAILED if path_clear else Outcome.PARTIAL, 0, said)
    return Verdict(Outcome.UNKNOWN, None, f"the witnesses do not agree: {said}")


def _doubt_of_job(witnesses: Witnesses) -> str | None:
    """Return why the printer's word on this job decides nothing, or None."""
    completed = witnesses.job_state == JobState.COMPLETED
    doubts = (
        (witnesses.history_lost, "the printer lost its history"),
        (witnesses.jobs_found > 1, f"the printer lists {witnesses.jobs_found} jobs of this order"),
        (witnesses.job_state is None or witnesses.jobs_found < 1, "the printer does not know the job"),
        (witnesses.job_state not in ENDED, f"job {_state_word(witnesses.job_state)}"),
        (
            completed and not CONTRADICTING_REASONS.isdisjoint(witnesses.job_state_reasons),
            f"completed, but {', '.join(witnesses.job_state_reasons)}",
        ),
    )
    return next((words for holds, words in doubts if holds), None)


def _missing(witnesses: Witnesses, capabilities: Capabilities) -> str | None:
    """Return which declared witness is not there, or None."""
    lifetime = (witnesses.lifetime_before, witnesses.lifetime_after)
    missing = (
        (capabilities.impressions and witnesses.impressions_completed is None, "impressions"),
        (capabilities.sheets and witnesses.sheets_completed is None, "sheets"),
        (capabilities.lifetime_counter and None in lifetime, "lifetime counter"),
        (capabilities.path_sensor and witnesses.path_clear is None, "path sensor"),
    )
    return next((words for holds, words in missing if holds), None)


def _declared_counts(witnesses: Witnesses, capabilities: Capabilities, expected_sheets: int) -> list[_Count]:
    counts = []
    if capabilities.impressions and witnesses.impressions_completed is not None:
        counts.append(_sides("impressions", witnesses.impressions_completed, expected_sheets))
    if capabilities.sheets and witnesses.sheets_completed is not None:
        done = witnesses.sheets_completed
        counts.append(_Count("sheets", done, expected_sheets, done, done))
    before, after = witnesses.lifetime_before, witnesses.lifetime_after
    if capabilities.lifetime_counter and before is not None and after is not None:
        counts.append(_sides("lifetime counter", after - before, expected_sheets))
    return counts


def _sides(name: str, done: int, expected_sheets: int) -> _Count:
    return _Count(name, done, SIDES_A_SHEET * expected_sheets, done // SIDES_A_SHEET, -(-done // SIDES_A_SHEET))


def _words(counts: list[_Count]) -> str:
    return ", ".join(f"{c.name} {c.done} of {c.expected}" for c in counts) or "no count declared"


def _state_word(state: JobState | None) -> str:
    return "unseen" if state is None else state.name.lower().replace("_", "-")
