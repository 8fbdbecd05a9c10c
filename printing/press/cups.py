"""CUPS as transport: a document goes from memory into a held job, is released, and leaves nothing behind.

CUPS's "completed" and its page counts decide nothing here; what came out is asked of the printer (printer.py).
pycups is handled with care, since its faults are crashes and not exceptions: bytes only, the exact length, one
connection a call and never shared, and all of it inside a worker process that may be killed.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cups
import pypdfium2

from printing.press.errors import (
    CupsError,
    CupsForbidden,
    CupsUnavailable,
    DigestMismatch,
    DuplicateJob,
    JobNotPossible,
    NoSuchJob,
    NoSuchQueue,
    PageCountDiffers,
    PageSizeDiffers,
    PdfUnreadable,
    PurgeTimeout,
    QueueRejecting,
    QueueStopped,
)
from printing.press.verdict import ENDED, SIDES_A_SHEET, JobState

REQUESTING_USER = "madoguchi"  # the printer lets only the same user cancel a job
MEDIA = "iso_a4_210x297mm"
SIDES = "two-sided-long-edge"  # every sheet of a certificate has a back
A4_PT = (210 / 25.4 * 72, 297 / 25.4 * 72)
A4_TOLERANCE_PT = 0.01  # PDF writers round to two to four decimals
ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # opaque: it shows in process lists and logs
HTTP_CONTINUE = 100
PRINTER_STATE_PROCESSING, PRINTER_STATE_STOPPED = 4, 5
POLL_S = 0.05

_OPTIONS: Mapping[str, str] = {
    "job-hold-until": "indefinite",
    "media": MEDIA,
    "print-scaling": "none",
    "sides": SIDES,
    "print-color-mode": "color",
    "job-sheets": "none",
}

# IPP status -> error. Source: measured against CUPS 2.4.2.
_ERRORS: Mapping[int, type[CupsError]] = {
    1025: CupsForbidden,
    1028: JobNotPossible,
    1030: NoSuchJob,
    1280: NoSuchQueue,
    1282: CupsUnavailable,
    1286: QueueRejecting,
    4096: CupsForbidden,
}


@dataclass(frozen=True)
class QueueState:
    """What CUPS says of the queue."""

    processing: bool  # a backend runs
    stopped: bool
    accepting: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class CupsJob:
    """One job in CUPS's list."""

    job_id: int
    name: str
    state: JobState


def check_pdf(pdf: bytes, sheets: int) -> None:
    """Refuse a document that is not what was promised: a front and a back, both A4, for every sheet.

    Nothing on the way to the paper checks it: a page that is missing would print every later front on a back.
    Errors: PdfUnreadable, PageCountDiffers, PageSizeDiffers.
    """
    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as error:
        raise PdfUnreadable("not a PDF that a parser opens") from error
    pages = SIDES_A_SHEET * sheets
    with document:
        if len(document) != pages:
            raise PageCountDiffers(f"expected {pages} pages for {sheets} sheets, found {len(document)}")
        for number in range(pages):
            try:
                page = document[number]
            except pypdfium2.PdfiumError as error:
                raise PdfUnreadable(f"page {number + 1} does not open") from error
            _require_a4(number + 1, page.get_mediabox(), page.get_cropbox(), page.get_rotation())


def _require_a4(number: int, mediabox: tuple[float, ...], cropbox: tuple[float, ...], rotation: int) -> None:
    wanted = (0.0, 0.0, *A4_PT)
    for name, box in (("MediaBox", mediabox), ("CropBox", cropbox)):
        if any(abs(have - want) > A4_TOLERANCE_PT for have, want in zip(box, wanted, strict=True)):
            raise PageSizeDiffers(f"page {number}: {name} is {[round(v, 2) for v in box]}, not A4")
    if rotation:
        raise PageSizeDiffers(f"page {number}: rotated by {rotation} degrees")


class Cups:
    """One queue of one CUPS server, over its domain socket."""

    def __init__(self, socket: Path, queue: str) -> None:
        self._socket = str(socket)
        self._queue = queue

    def submit_held(self, order_id: str, pdf: bytes, sheets: int, sha256: bytes) -> int:
        """Send a document into a held job and return CUPS's job id; nothing prints before `release`.

        Shape:  order_id is opaque (ORDER_ID); sha256 is the 32 bytes that the grant names.
        Errors: DigestMismatch, PdfRefused, DuplicateJob, CupsError; then no job is left behind.
        """
        _require_order_id(order_id)
        if type(pdf) is not bytes:  # a bytearray or memoryview crashes pycups
            raise TypeError(f"pdf must be bytes, not {type(pdf).__name__}")
        check_pdf(pdf, sheets)
        if self.find(order_id):
            raise DuplicateJob(f"a job of order {order_id} exists")
        self._require_queue(self.queue_state())
        # The last look at the very bytes that are sent: nothing stands between this line and the sending.
        if hashlib.sha256(pdf).digest() != sha256:
            raise DigestMismatch(f"order {order_id}: the bytes are not those of the grant")
        with self._connection() as connection:
            job_id = int(connection.createJob(self._queue, order_id, _OPTIONS))
            try:
                self._send(connection, job_id, order_id, pdf)
            except (CupsError, cups.IPPError, cups.HTTPError, RuntimeError):
                with suppress(CupsError):
                    self.purge(job_id)
                raise
        return job_id

    def release(self, job_id: int) -> None:
        """Let a held job print now.

        Errors: QueueStopped before anything is released; NoSuchJob, JobNotPossible, CupsError.
        """
        self._require_queue(self.queue_state())
        with self._connection() as connection:
            connection.setJobHoldUntil(job_id, "no-hold")

    def find(self, order_id: str) -> tuple[CupsJob, ...]:
        """Return the jobs of that order, by name: ids start again after a wipe, names do not."""
        return tuple(job for job in self.jobs() if job.name == order_id)

    def jobs(self, which: str = "all") -> tuple[CupsJob, ...]:
        """Return this queue's jobs; which is all, completed or not-completed."""
        # job-priority is not used: asking for it makes CUPS load an ended job again, which has no name otherwise.
        wanted = ["job-id", "job-name", "job-state", "job-printer-uri", "job-priority"]
        with self._connection() as connection:
            found = connection.getJobs(which_jobs=which, requested_attributes=wanted)
        return tuple(
            CupsJob(int(job_id), str(job.get("job-name", "")), JobState(job["job-state"]))
            for job_id, job in found.items()
            if str(job["job-printer-uri"]).rsplit("/", 1)[-1] == self._queue
        )

    def cancel(self, job_id: int, timeout_s: float = 5.0) -> None:
        """Cancel a job and wait until CUPS's backend has let go of it; an ended job is left as it is.

        Errors: PurgeTimeout if it has not ended in time; NoSuchJob, CupsError.
        """
        with suppress(JobNotPossible), self._connection() as connection:
            connection.cancelJob(job_id)
        deadline = time.monotonic() + timeout_s
        while not self._at_rest(job_id):
            if time.monotonic() > deadline:
                raise PurgeTimeout(f"job {job_id} did not end in {timeout_s:g} s")
            time.sleep(POLL_S)

    def purge(self, job_id: int, timeout_s: float = 5.0) -> None:
        """Remove a job and its document from the spool; a job that is gone already is fine.

        Cancels first and waits: purging an active job lets the printer go on with it, and one whose backend is still
        ending comes back into the spool when it has ended.
        Errors: PurgeTimeout, CupsError.
        """
        deadline = time.monotonic() + timeout_s
        with suppress(NoSuchJob):
            self.cancel(job_id, timeout_s)
            while True:
                with self._connection() as connection:
                    connection.cancelJob(job_id, purge_job=True)
                self._at_rest(job_id)  # raises NoSuchJob: only CUPS not knowing the job any more is the end
                if time.monotonic() > deadline:
                    raise PurgeTimeout(f"job {job_id} is still there after {timeout_s:g} s")
                time.sleep(POLL_S)

    def purge_all(self) -> None:
        """Remove every job of the queue, then enable it: enabled first, it would print what is left over."""
        for job in self.jobs():
            self.purge(job.job_id)
        state = self.queue_state()
        with self._connection() as connection:
            if state.stopped:
                connection.enablePrinter(self._queue)
            if not state.accepting:
                connection.acceptJobs(self._queue)

    def queue_state(self) -> QueueState:
        """Return whether the queue prints and accepts. Errors: CupsError."""
        wanted = ["printer-state", "printer-state-reasons", "printer-is-accepting-jobs"]
        with self._connection() as connection:
            found = connection.getPrinterAttributes(self._queue, requested_attributes=wanted)
        return QueueState(
            processing=found["printer-state"] == PRINTER_STATE_PROCESSING,
            stopped=found["printer-state"] == PRINTER_STATE_STOPPED,
            accepting=bool(found["printer-is-accepting-jobs"]),
            reasons=as_tuple(found.get("printer-state-reasons")),
        )

    def _at_rest(self, job_id: int) -> bool:
        """Return whether a job has ended and no backend holds it.

        Its state says so too early, and its reason processing-to-stop-point may stay for good. The queue is processing
        as long as a backend runs, and runs one job at a time.
        """
        with self._connection() as connection:
            found = connection.getJobAttributes(job_id, requested_attributes=["job-state"])
        if JobState(found["job-state"]) not in ENDED:
            return False
        if not self.queue_state().processing:
            return True
        return any(job.state == JobState.PROCESSING for job in self.jobs("not-completed"))

    def _send(self, connection: Any, job_id: int, order_id: str, pdf: bytes) -> None:  # pycups has no types
        status = connection.startDocument(self._queue, job_id, order_id, "application/pdf", 1)
        if status != HTTP_CONTINUE:
            raise CupsUnavailable(f"CUPS did not take the document's head: HTTP {status}")
        status = connection.writeRequestData(pdf, len(pdf))  # a greater length would send our memory
        if status != HTTP_CONTINUE:
            raise CupsUnavailable(f"CUPS did not take the document: HTTP {status}")
        connection.finishDocument(self._queue)

    def _require_queue(self, state: QueueState) -> None:
        if state.stopped:
            raise QueueStopped(f"queue {self._queue} is stopped")
        if not state.accepting:
            raise QueueRejecting(f"queue {self._queue} does not accept jobs")

    @contextmanager
    def _connection(self) -> Iterator[Any]:  # pycups has no types
        """Open a connection for one call (sub-millisecond) and give pycups's errors our names."""
        cups.setUser(REQUESTING_USER)
        try:
            yield cups.Connection(self._socket)
        except cups.IPPError as error:
            status, words = error.args
            raise _ERRORS.get(status, CupsError)(f"CUPS: {words}", int(status)) from error
        except (cups.HTTPError, RuntimeError) as error:
            raise CupsUnavailable(f"no answer from CUPS: {error}") from error


def as_tuple(value: object) -> tuple[str, ...]:
    """Return pycups's scalar-or-list-by-count as a tuple of strings."""
    if value is None:
        return ()
    return tuple(str(v) for v in value) if isinstance(value, list | tuple) else (str(value),)


def _require_order_id(order_id: str) -> None:
    if not ORDER_ID.fullmatch(order_id):
        raise ValueError("order_id must be 1 to 64 of A-Z a-z 0-9 _ -")
