"""The press as one object that lives in the printing worker's process: check, submit, release, verdict, purge.

Every value in and out is frozen and picklable. Methods run one at a time; the worker's harness kills a hung one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from printing.press.cups import MEDIA, REQUESTING_USER, SIDES, Cups
from printing.press.errors import (
    CupsError,
    NoSuchJob,
    PrinterError,
    PurgeTimeout,
)
from printing.press.printer import Printer, PrinterJob, PrinterStatus
from printing.press.verdict import SIDES_A_SHEET, Capabilities, JobState, Outcome, Verdict, Witnesses, decide

BASE_TIMEOUT_S = 180.0
SHEET_TIMEOUT_S = 20.0
UNFINISHED_AT_PRINTER = "printer-has-unfinished-jobs"
PATH_REASONS = ("media-jam", "door-open", "cover-open", "interlock-open", "output-area-full", "output-tray-missing")
HARMLESS_SEVERITIES = ("-report", "-warning")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How long the press waits for what; the defaults are those of a store."""

    poll_s: float = 0.25
    stall_timeout_s: float = 60.0  # no progress for so long: the job is stopped
    base_timeout_s: float = BASE_TIMEOUT_S  # in all, and for each sheet beside
    sheet_timeout_s: float = SHEET_TIMEOUT_S
    settle_s: float = 1.0  # how long an end without all its sheets must stand: a printer's counts follow its state
    cancel_timeout_s: float = 20.0
    reply_timeout_s: float = 5.0  # of one request to the printer


@dataclass(frozen=True)
class PrinterState:
    """Whether a visit may begin; reasons are IPP's keywords and our own, for the staff and the log."""

    ready: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class HeldJob:
    """One order's job in CUPS; order_id is its name everywhere, since CUPS's ids start again after a wipe."""

    cups_job_id: int
    order_id: str
    sheets: int


@dataclass(frozen=True)
class Counters:
    """The printer's own meter; None = this printer has none."""

    lifetime_impressions: int | None


@dataclass(frozen=True)
class SheetProgress:
    """Emitted while a job prints, each time a sheet more is out."""

    order_id: str
    sheets_done: int
    sheets: int


class PressService:
    """The press of one terminal: one CUPS queue and the printer behind it.

    Shape:  spool_folders are where CUPS keeps documents, looked at by `residue`; emit takes a SheetProgress.
    Errors of all methods: CupsError, PrinterError and their kinds (printing/press/errors.py).
    """

    def __init__(  # noqa: PLR0917 -- the workers' harness gives plain positional arguments, emit last
        self,
        cups_socket: Path,
        queue: str,
        printer_uri: str,
        capabilities: Capabilities,
        spool_folders: tuple[Path, ...],
        emit: Callable[[SheetProgress], None],
        *,
        bounds: Bounds | None = None,
    ) -> None:
        self._bounds = bounds or Bounds()
        self._cups = Cups(cups_socket, queue)
        self._printer = Printer(printer_uri, REQUESTING_USER, self._bounds.reply_timeout_s)
        self._capabilities = capabilities
        self._spool_folders = spool_folders
        self._emit = emit

    def close(self) -> None:
        """Close the connection to the printer."""
        self._printer.close()

    def check(self) -> PrinterState:
        """Return whether paper would come out now; to be asked before any money is taken. Raises nothing."""
        reasons = (*self._printer_reasons(), *self._queue_reasons())
        return PrinterState(ready=not reasons, reasons=reasons)

    def submit(self, order_id: str, pdf: bytes, sheets: int, sha256: bytes) -> HeldJob:
        """Send a document into a held job; nothing prints before `release`.

        Shape:  sheets of paper: the document has a front and a back of each.
        Errors: DigestMismatch, PdfUnreadable, PageCountDiffers, PageSizeDiffers, DuplicateJob.
        """
        job_id = self._cups.submit_held(order_id, pdf, sheets, sha256)
        return HeldJob(job_id, order_id, sheets)

    def counters(self) -> Counters:
        """Return the printer's meter, if it is declared to have one."""
        if not self._capabilities.lifetime_counter:
            return Counters(None)
        return Counters(self._printer.status().lifetime_impressions)

    def release(self, job: HeldJob) -> None:
        """Let a held job print. Errors: QueueStopped, NoSuchJob, JobNotPossible."""
        self._require_own(job)
        self._cups.release(job.cups_job_id)

    def verdict(self, job: HeldJob, before: Counters) -> Verdict:
        """Ask the printer until it has said what came out, or a bound is reached; then stop the job, and ask what had.

        Any other verdict than printed is given only once the job is withdrawn: CUPS sends a job again that the printer
        did not take, and a printer that recovers prints on. What cannot be withdrawn for certain is unknown.
        """
        watch = _Watch(self._printer, self._capabilities, job, before)
        return self._decide(watch, job, self._watch_until_ended(watch, job))

    def last_verdict(self, job: HeldJob, before: Counters) -> Verdict:
        """Stop a job of which nobody knows how far it came, and ask the printer what had come out: after a power cut.

        It does not wait for the printer to go on, or for a job that the printer does not know.
        """
        watch = _Watch(self._printer, self._capabilities, job, before)
        watch.look()
        return self._decide(watch, job, "")

    def _decide(self, watch: _Watch, job: HeldJob, bound: str) -> Verdict:
        """Withdraw the job, then say what the truth table makes of it."""
        trouble = ""
        try:
            self._withdraw(watch, job)
        except (CupsError, PrinterError) as error:
            trouble = f"not withdrawn ({error.detail}): "
        verdict = watch.verdict()
        if trouble and verdict.outcome != Outcome.PRINTED:
            verdict = replace(verdict, outcome=Outcome.UNKNOWN, sheets_out=None)
        return replace(verdict, why=f"{bound}{trouble}{verdict.why}")

    def _withdraw(self, watch: _Watch, job: HeldJob) -> None:
        """Stop the job everywhere; if it is not printed, also look until what came out stands still.

        A job that is printed is stopped too: CUPS may be about to send it again. A request that was on its way may
        bring the printer a new job after it was asked, which is then stopped in turn.
        Errors: PurgeTimeout, PrinterError, CupsError.
        """
        deadline_s = time.monotonic() + self._bounds.cancel_timeout_s
        while True:
            self.cancel(job)
            if watch.verdict().outcome == Outcome.PRINTED:
                return
            watch.withdraw()
            if self._stands_still(watch, deadline_s):
                return

    def _stands_still(self, watch: _Watch, deadline_s: float) -> bool:
        """Look until nothing has changed for a while, and return True; False if something prints again.

        Errors: PurgeTimeout if that takes too long.
        """
        changed_at_s = time.monotonic()
        while True:
            changed_at_s = time.monotonic() if watch.look() else changed_at_s
            now_s = time.monotonic()
            if now_s >= deadline_s:
                raise PurgeTimeout(f"not settled in {self._bounds.cancel_timeout_s:g} s")
            if watch.answered() and not watch.at_rest():
                return False
            settled = watch.answered() and now_s - changed_at_s >= self._bounds.settle_s
            if settled or watch.verdict().outcome == Outcome.PRINTED:
                return True
            time.sleep(self._bounds.poll_s)

    def _watch_until_ended(self, watch: _Watch, job: HeldJob) -> str:
        """Look until the printer has ended with the job; return which bound was reached before, or ""."""
        bounds = self._bounds
        bound_s = bounds.base_timeout_s + bounds.sheet_timeout_s * job.sheets
        began_s = changed_at_s = time.monotonic()
        sheets_done = 0
        while True:
            changed_at_s = time.monotonic() if watch.look() else changed_at_s
            if watch.sheets_done() > sheets_done:
                sheets_done = watch.sheets_done()
                self._emit(SheetProgress(job.order_id, sheets_done, job.sheets))
            now_s = time.monotonic()
            if watch.ended():
                return ""
            if now_s - changed_at_s >= bounds.stall_timeout_s:
                return f"no progress for {bounds.stall_timeout_s:g} s: "
            if now_s - began_s >= bound_s:
                return f"not decided in {bound_s:g} s: "
            time.sleep(bounds.poll_s)

    def cancel(self, job: HeldJob) -> None:
        """Stop a job in CUPS and at the printer, and return when neither works on it any more.

        CUPS first, so that it sends nothing after the printer was asked; its word that the job is over counts for
        nothing, so the printer is asked in any case.
        Errors: PurgeTimeout if the printer still has the job when the time is over; PrinterError if it did not answer;
                CupsError where CUPS could not be asked, once the printer has no such job any more.
        """
        cups_error: CupsError | None = None
        try:
            for found in self._cups.find(job.order_id):
                self._cups.cancel(found.job_id)
        except CupsError as error:
            cups_error = error  # it is the printer that lays paper into the tray: it is asked in any case
        self._stop_at_printer(job.order_id)
        if cups_error is not None:
            raise cups_error

    def is_held(self, order_id: str) -> bool:
        """Return whether CUPS still holds this order's job and has begun nothing with it."""
        states = {found.state for found in self._cups.find(order_id)}
        return states == {JobState.PENDING_HELD}

    def _stop_at_printer(self, order_id: str) -> None:
        """Cancel at the printer until it works on no job of the order; a lost answer is asked for again.

        Errors: PurgeTimeout, PrinterError.
        """
        deadline_s = time.monotonic() + self._bounds.cancel_timeout_s
        while True:
            try:
                going_on = [job for job in self._printer.find(order_id) if not job.at_rest]
                for job in going_on:
                    self._cancel_at_printer(job)
            except PrinterError:
                if time.monotonic() >= deadline_s:
                    raise
            else:
                if not going_on:
                    return
                if time.monotonic() >= deadline_s:
                    raise PurgeTimeout(
                        f"order {order_id}: the printer goes on after {self._bounds.cancel_timeout_s:g} s"
                    )
            time.sleep(self._bounds.poll_s)

    def purge(self, job: HeldJob) -> None:
        """Remove every job of that order, and its document, from CUPS."""
        for found in self._cups.find(job.order_id):
            self._cups.purge(found.job_id)

    def purge_all(self) -> None:
        """Remove every job from the queue and enable it, and cancel at the printer what is left of ours there.

        For the time between visits, and the start. Whether the printer has stopped is for `check` to tell, as is a
        printer that does not answer.
        """
        self._cups.purge_all()
        with suppress(PrinterError):
            for job in self._printer.jobs("not-completed"):
                if job.user == REQUESTING_USER:
                    self._cancel_at_printer(job)

    def residue(self) -> tuple[str, ...]:
        """Return the names of the files that are left in the spool; none may be, after a purge."""
        return tuple(
            str(path.relative_to(folder))
            for folder in self._spool_folders
            for path in sorted(folder.rglob("*"))
            if not path.is_dir()
        )

    def _require_own(self, job: HeldJob) -> None:
        if job.cups_job_id not in {found.job_id for found in self._cups.find(job.order_id)}:
            raise NoSuchJob(f"CUPS has no job {job.cups_job_id} of order {job.order_id}")

    def _cancel_at_printer(self, at_printer: PrinterJob) -> None:
        try:
            self._printer.cancel(at_printer.job_id)
        except PrinterError as error:
            if error.ipp_status is None:  # not a refusal (the job may have just ended) but no answer
                raise

    def _printer_reasons(self) -> tuple[str, ...]:
        try:
            status = self._printer.status()
            unfinished = self._printer.jobs("not-completed")
        except PrinterError as error:
            return ("printer-unreachable", error.detail)
        return (*_blocking(status), *((UNFINISHED_AT_PRINTER,) if unfinished else ()))

    def _queue_reasons(self) -> tuple[str, ...]:
        try:
            queue = self._cups.queue_state()
            unfinished = self._cups.jobs("not-completed")
        except CupsError as error:
            return ("cups-unavailable", error.detail)
        said = (
            ("queue-stopped", queue.stopped),
            ("queue-rejecting", not queue.accepting),
            ("queue-has-unfinished-jobs", bool(unfinished)),
        )
        return tuple(reason for reason, holds in said if holds)


class _Watch:
    """One job at the printer, looked at again and again; remembers what a single look cannot tell."""

    def __init__(self, printer: Printer, capabilities: Capabilities, job: HeldJob, before: Counters) -> None:
        self._printer = printer
        self._capabilities = capabilities
        self._job = job
        self._witnesses = Witnesses(job_state=None, lifetime_before=before.lifetime_impressions)
        self._seen = self._at_rest = False
        self._up_time_s: int | None = None
        self._error: PrinterError | None = None

    def look(self) -> bool:
        """Ask the printer once; return whether anything changed. A lost answer is no change."""
        try:
            # In this order: the meter that is held against a job's end is read after that end.
            found, status = self._printer.find(self._job.order_id), self._printer.status()
        except PrinterError as error:
            self._error = error
            return False
        self._error = None
        found = tuple(job for job in found if job.can_print)
        restarted = self._restarted(status.up_time_s)
        forgot = self._seen and not found
        self._seen = self._seen or bool(found)
        previous = self._witnesses
        job = found[0] if len(found) == 1 else None
        self._at_rest = all(job.at_rest for job in found)
        self._witnesses = Witnesses(
            job_state=job.state if job else None,
            job_state_reasons=job.reasons if job else (),
            jobs_found=len(found),
            impressions_completed=job.impressions_completed if job else None,
            sheets_completed=job.sheets_completed if job else None,
            lifetime_before=previous.lifetime_before,
            lifetime_after=status.lifetime_impressions,
            path_clear=_path_clear(status),
            history_lost=previous.history_lost or restarted or forgot,
            withdrawn=previous.withdrawn and self._at_rest,
        )
        return self._witnesses != previous

    def _restarted(self, up_time_s: int | None) -> bool:
        before, self._up_time_s = self._up_time_s, up_time_s
        return before is not None and up_time_s is not None and up_time_s < before

    def ended(self) -> bool:
        """Return whether the printer will say nothing more about this job."""
        witnesses = self._witnesses
        if self._error is not None:
            return False
        if witnesses.history_lost or witnesses.jobs_found > 1:
            return True  # whatever it says from now on, and the sooner it is stopped the better
        return witnesses.jobs_found == 1 and self._at_rest

    def at_rest(self) -> bool:
        """Return whether none of the jobs that the printer lists moves paper."""
        return self._at_rest

    def answered(self) -> bool:
        """Return whether the printer answered the last look."""
        return self._error is None

    def withdraw(self) -> None:
        """Note that neither CUPS nor the printer can print anything of this order any more."""
        self._witnesses = replace(self._witnesses, withdrawn=True)

    def verdict(self) -> Verdict:
        """Return what the truth table makes of the last look."""
        if self._error is not None:
            return Verdict(Outcome.UNKNOWN, None, f"the printer does not answer: {self._error.detail}")
        return decide(self._witnesses, self._capabilities, self._job.sheets)

    def sheets_done(self) -> int:
        """Return how many whole sheets are known to be out."""
        witnesses, job = self._witnesses, self._job
        if self._capabilities.sheets and witnesses.sheets_completed is not None:
            return min(witnesses.sheets_completed, job.sheets)
        if self._capabilities.impressions and witnesses.impressions_completed:
            return min(witnesses.impressions_completed // SIDES_A_SHEET, job.sheets)
        return 0


def _path_clear(status: PrinterStatus) -> bool:
    return not any(reason.startswith(PATH_REASONS) for reason in status.reasons)


def _blocking(status: PrinterStatus) -> tuple[str, ...]:
    said = (
        ("printer-stopped", status.stopped),
        ("printer-not-accepting", not status.accepting),
        ("media-not-ready", MEDIA not in status.media_ready),
        (
            "sides-not-supported",
            SIDES not in status.sides_supported,
        ),  # one-sided in silence, or refused after the money
    )
    # A reason without a severity counts as an error (RFC 8011, 5.4.12).
    own = tuple(reason for reason in status.reasons if not reason.endswith(HARMLESS_SEVERITIES))
    return (*own, *(reason for reason, holds in said if holds))
