"""The machine inside the virtual printer: paper tray, path, outlet, panel, and the jobs that it remembers.

Told faults strike at a stage of a numbered sheet, never by the clock, so that a test's world does not depend on how
fast the machine runs. What the paper really did stands in the record (printer_record.py); what the printer says of it
is computed beside it and may be told to lag or to lie.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import msgspec
import pypdfium2

from deploy.demo.printer_record import Act, Place, Record, Sheet, Side
from printing.press.verdict import ENDED, JobState

TRAY_SHEETS = 250
METER_BEGINS_AT = 1000
PICTURE_DPI = 36
TWO_SIDED = "two-sided-"


class Stage(StrEnum):
    """Where a sheet is when a fault strikes."""

    ARRIVAL = "arrival"  # of the job's document; its sheet is 0
    FEED = "feed"  # nothing of this sheet has moved
    FRONT = "front"  # it lies in the path, blank
    BACK = "back"  # its front is printed
    EXIT = "exit"  # all its sides are printed, and it is still inside
    END = "end"  # the last sheet is out, and the job has not said so


class Mishap(StrEnum):
    """What can strike."""

    JAM = "jam"
    COVER = "cover"
    STOP = "stop"
    ABORT = "abort"
    CANCEL = "cancel"  # at the panel
    HOLD = "hold"
    POWER_CUT = "power cut"


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a printer of this model has, and how its counts behave."""

    two_sided: bool = True
    create_job: bool = True  # old printers know only Print-Job
    impressions: bool = True
    sheets: bool = True
    meter: bool = True
    path_reasons: bool = True
    outlet: Literal["open_tray", "presenter"] = "open_tray"
    counts: Literal["stacked", "marked"] = "stacked"  # RFC 8011, 5.3.18: completed is stacked; some count at the drum
    counts_lag_s: float = 0.0
    says: Literal["truth", "nothing", "all at once", "twice"] = "truth"
    cancels_when_stopped: bool = True
    side_s: float = 0.02
    booted_s_ago: int = 86_400


@dataclass(frozen=True)
class Counted:
    """A job's counts from a moment on."""

    at_s: float
    impressions: int
    sheets: int


@dataclass
class Job:
    """One job as the printer remembers it; it does not outlive a power cut."""

    job_id: int
    name: str
    user: str
    two_sided: bool
    state: JobState = JobState.PENDING
    reasons: tuple[str, ...] = ("job-incoming",)
    pages: tuple[Side, ...] | None = None
    sheets_done: int = 0
    counted: list[Counted] = field(default_factory=list)
    end: tuple[JobState, str] | None = None  # what it will end as, once the path allows
    at_once: bool = False  # not even the sheet on its way is finished

    @property
    def sides_a_sheet(self) -> int:
        """Return how many pages go on one sheet."""
        return 2 if self.two_sided else 1

    @property
    def sheets(self) -> int:
        """Return how many sheets its document takes."""
        return -(-len(self.pages or ()) // self.sides_a_sheet)


@dataclass(frozen=True)
class Status:
    """What the printer says of itself."""

    stopped: bool
    processing: bool
    reasons: tuple[str, ...]
    accepting: bool
    paper: bool
    up_time_s: int
    meter: int


class _Next(StrEnum):
    GO_ON = "go on"
    AGAIN = "again"  # the sheet was pulled out: it is printed anew
    ENDED = "ended"


class Engine:
    """One printer. Every method may be called from any thread; the paper moves on a thread of its own."""

    def __init__(self, model: Model, record: Record, paper: int = TRAY_SHEETS) -> None:
        self.model = model
        self._record = record
        self._changed = threading.Condition(threading.RLock())
        self._booted_s = time.monotonic() - model.booted_s_ago
        self._jobs: dict[int, Job] = {}
        self._last_job_id = 0
        self._faults: dict[tuple[int, Stage], Mishap] = {}
        self._paper = paper
        self._cover_open = self._paused = self._wants_paper = False
        self._accepting = True
        self._jammed = bool(record.at(Place.PATH))  # a sheet that a power cut left inside
        threading.Thread(target=self._run, name="paper", daemon=True).start()

    # what comes over IPP

    def create(self, name: str, user: str, *, two_sided: bool) -> Job:
        """Take a job whose document is still to come."""
        with self._changed:
            self._last_job_id += 1
            job = Job(self._last_job_id, name, user, two_sided and self.model.two_sided)
            self._jobs[job.job_id] = job
            return job

    def attach(self, job_id: int, document: bytes) -> None:
        """Give a job its document; what is no PDF aborts it. Errors: KeyError; ValueError if it can take none."""
        with self._changed:
            job = self._jobs[job_id]
            if job.pages is not None or job.state in ENDED:
                raise ValueError("this job takes no document")
            try:
                job.pages = pictures(document)
            except pypdfium2.PdfiumError:
                job.pages = ()
                self._finish(job, JobState.ABORTED, "document-format-error")
                return
            job.reasons = ("none",)
            self._count(job, 0, 0)
            mishap = self._faults.pop((0, Stage.ARRIVAL), None)
            if mishap is Mishap.HOLD:
                job.state, job.reasons = JobState.PENDING_HELD, ("job-hold-until-specified",)
            elif mishap is not None:
                self._strike(mishap, job)
            if job.end is not None:
                self._finish(job, *job.end)
            self._changed.notify_all()

    def cancel_job(self, job_id: int) -> bool:
        """Stop a job, as its owner asks; return whether there was anything to stop. Errors: KeyError."""
        with self._changed:
            return self._end(self._jobs[job_id], JobState.CANCELED, "job-canceled-by-user")

    def jobs(self, *, ended: bool) -> tuple[Job, ...]:
        """Return the jobs that have ended, the last one first, or those that have not."""
        with self._changed:
            found = [job for job in self._jobs.values() if (job.state in ENDED) is ended]
            return tuple(reversed(found) if ended else found)

    def job(self, job_id: int) -> Job:
        """Return one job. Errors: KeyError."""
        with self._changed:
            return self._jobs[job_id]

    def said_counts(self, job: Job) -> tuple[int, int]:
        """Return impressions and sheets as this model tells them: late or wrong, if it was told so."""
        with self._changed:
            pages = len(job.pages or ())
            if self.model.says == "all at once" and pages:
                return pages, job.sheets
            if self.model.says == "nothing" or not job.counted:
                return 0, 0
            until_s = time.monotonic() - self.model.counts_lag_s
            known = [c for c in job.counted if c.at_s <= until_s] or job.counted[:1]
            times = 2 if self.model.says == "twice" else 1
            return times * known[-1].impressions, times * known[-1].sheets

    def status(self) -> Status:
        """Return what the printer says of itself."""
        with self._changed:
            return Status(
                stopped=self._blocked(),
                processing=any(job.state is JobState.PROCESSING for job in self._jobs.values()),
                reasons=self._reasons(),
                accepting=self._accepting,
                paper=self._paper > 0,
                up_time_s=int(time.monotonic() - self._booted_s) + 1,
                meter=METER_BEGINS_AT
                + sum(len(sheet.sides) for sheet in self._record.sheets() if self._metered(sheet)),
            )

    # what the world does

    def fault(self, sheet: int, stage: Stage, mishap: Mishap) -> None:
        """Let something strike when that sheet of a job reaches that stage, once."""
        with self._changed:
            self._faults[sheet, stage] = mishap

    def load(self, sheets: int) -> None:
        """Set how much paper is in the tray."""
        with self._changed:
            self._paper = sheets
            self._changed.notify_all()

    def close_cover(self) -> None:
        """Close the cover: the job prints on."""
        with self._changed:
            self._cover_open = False
            self._changed.notify_all()

    def clear(self) -> None:
        """Pull what lies in the path out by hand: the job prints that sheet again."""
        with self._changed:
            for sheet in self._record.at(Place.PATH):
                self._record.move(sheet.number, Act.REMOVED)
            self._jammed = False
            self._changed.notify_all()

    def pause(self) -> None:
        """Press stop on the panel."""
        with self._changed:
            self._paused = True
            self._changed.notify_all()

    def resume(self) -> None:
        """Press start on the panel."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def cancel_at_panel(self) -> None:
        """Cancel whatever has not ended."""
        with self._changed:
            for job in self._jobs.values():
                self._end(job, JobState.CANCELED, "job-canceled-at-device")

    def release(self) -> None:
        """Let the jobs that the panel holds print."""
        with self._changed:
            for job in self._jobs.values():
                if job.state is JobState.PENDING_HELD:
                    job.state, job.reasons = JobState.PENDING, ("none",)
            self._changed.notify_all()

    def forget(self) -> None:
        """Forget the jobs that have ended."""
        with self._changed:
            self._jobs = {job_id: job for job_id, job in self._jobs.items() if job.state not in ENDED}

    def accept(self, accepting: bool) -> None:
        """Take jobs, or none."""
        with self._changed:
            self._accepting = accepting

    def copy(self, sheets: int) -> None:
        """Somebody uses the copier: sheets come out that are no job of ours."""
        with self._changed:
            for _ in range(sheets):
                number = self._record.feed("copy")
                for page in (1, 2):
                    self._record.mark(number, Side(page, ""))
                self._record.move(number, Act.OUT)

    def retract(self) -> None:
        """Take back what lies in the presenter. Errors: ValueError on an open tray."""
        if self.model.outlet != "presenter":
            raise ValueError("an open tray takes nothing back")
        with self._changed:
            for sheet in self._record.at(Place.OUTLET):
                self._record.move(sheet.number, Act.RETRACTED)

    # the paper's thread

    def _run(self) -> None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting() is not None)
                job = self._waiting()
                assert job is not None
                self._print(job)

    def _waiting(self) -> Job | None:
        return next((j for j in self._jobs.values() if j.state is JobState.PENDING and j.pages), None)

    def _print(self, job: Job) -> None:
        job.state, job.reasons = JobState.PROCESSING, ("job-printing",)
        while job.sheets_done < job.sheets:
            if self._one_sheet(job, job.sheets_done + 1) is _Next.ENDED:
                break
        else:
            self._gate(job, job.sheets, Stage.END, None)
        self._finish(job, *(job.end or (JobState.COMPLETED, "job-completed-successfully")))

    def _one_sheet(self, job: Job, number: int) -> _Next:
        if self._gate(job, number, Stage.FEED, None) is _Next.ENDED:
            return _Next.ENDED
        self._paper -= 1
        sheet = self._record.feed(job.name)
        assert job.pages is not None
        first = (number - 1) * job.sides_a_sheet
        for stage, side in zip((Stage.FRONT, Stage.BACK), job.pages[first : first + job.sides_a_sheet], strict=False):
            passed = self._gate(job, number, stage, sheet)
            if passed is not _Next.GO_ON:
                return passed
            self._rest(self.model.side_s)
            self._record.mark(sheet, side)
            if self.model.counts == "marked":
                self._count(job, 1, 0)
        passed = self._gate(job, number, Stage.EXIT, sheet)
        if passed is _Next.GO_ON:
            self._stack(job, sheet)
        return passed

    def _gate(self, job: Job, number: int, stage: Stage, sheet: int | None) -> _Next:
        """Let a sheet pass to its next stage: faults strike here, and here it waits while something is in the way."""
        mishap = self._faults.pop((number, stage), None)
        if mishap is not None:
            self._strike(mishap, job)
        while True:
            self._wants_paper = stage is Stage.FEED and self._paper == 0
            blocked = self._blocked()
            if job.end is not None and self._may_end(job, stage, blocked=blocked):
                self._wants_paper = False
                if sheet is not None and not blocked:
                    self._stack(job, sheet)
                return _Next.ENDED
            if not blocked:
                job.state = JobState.PROCESSING
                return _Next.GO_ON
            job.state, job.reasons = JobState.PROCESSING_STOPPED, ("printer-stopped",)
            self._changed.wait()
            if sheet is not None and sheet not in {inside.number for inside in self._record.at(Place.PATH)}:
                return _Next.AGAIN

    def _may_end(self, job: Job, stage: Stage, *, blocked: bool) -> bool:
        if blocked:
            return self.model.cancels_when_stopped
        return job.at_once or stage in {Stage.FEED, Stage.END}

    def _strike(self, mishap: Mishap, job: Job) -> None:
        match mishap:
            case Mishap.JAM:
                self._jammed = True
            case Mishap.COVER:
                self._cover_open = True
            case Mishap.STOP:
                self._paused = True
            case Mishap.ABORT:
                job.end, job.at_once = (JobState.ABORTED, "aborted-by-system"), True
            case Mishap.CANCEL:
                job.end = (JobState.CANCELED, "job-canceled-at-device")
            case Mishap.POWER_CUT:
                os.kill(os.getpid(), signal.SIGKILL)
            case Mishap.HOLD:
                raise ValueError("a job is held when it arrives")

    def _end(self, job: Job, state: JobState, reason: str) -> bool:
        if job.state in ENDED:
            return False
        if job.end is None:
            job.end = (state, reason)
        if job.state in {JobState.PENDING, JobState.PENDING_HELD}:
            self._finish(job, *job.end)
        else:
            job.reasons = (*job.reasons, "processing-to-stop-point")
        self._changed.notify_all()
        return True

    def _finish(self, job: Job, state: JobState, reason: str) -> None:
        job.state, job.reasons = state, (reason,)

    def _stack(self, job: Job, sheet: int) -> None:
        self._record.move(sheet, Act.OUT)
        job.sheets_done += 1
        sides = next(len(s.sides) for s in self._record.sheets() if s.number == sheet)
        self._count(job, sides if self.model.counts == "stacked" else 0, 1)

    def _count(self, job: Job, impressions: int, sheets: int) -> None:
        last = job.counted[-1] if job.counted else Counted(0, 0, 0)
        job.counted.append(Counted(time.monotonic(), last.impressions + impressions, last.sheets + sheets))

    def _metered(self, sheet: Sheet) -> bool:
        return self.model.counts == "marked" or sheet.place in {Place.OUTLET, Place.BIN}

    def _blocked(self) -> bool:
        return self._cover_open or self._jammed or self._paused or self._wants_paper

    def _reasons(self) -> tuple[str, ...]:
        sensed = self.model.path_reasons
        said: tuple[tuple[str, bool], ...] = (
            ("cover-open-error", self._cover_open and sensed),
            ("media-jam-error", self._jammed and sensed),
            ("paused", self._paused),
            ("media-needed-error", self._wants_paper),
            ("media-empty-error", self._paper == 0),
        )
        return tuple(reason for reason, holds in said if holds)

    def _rest(self, seconds: float) -> None:
        """Take time as the motor does; the panel and the network are heard meanwhile."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self._changed.wait(left_s)


def pictures(document: bytes) -> tuple[Side, ...]:
    """Return what each page puts on paper. Errors: pypdfium2.PdfiumError if it is no PDF."""
    with pypdfium2.PdfDocument(document) as pdf:
        found = []
        for number in range(len(pdf)):
            bitmap = pdf[number].render(scale=PICTURE_DPI / 72, grayscale=True)
            found.append(Side(number + 1, hashlib.sha256(bytes(bitmap.buffer)).hexdigest()))
        return tuple(found)
