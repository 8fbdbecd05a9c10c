"""One printer and the queue before it: the real press and its truth table over sheets that come out one by one.

The queue is the terminal's (it goes with its power); the printer is a machine of its own, prints on whoever asks, and
forgets jobs and history with its power. Sheets and the lifetime counter stay.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from printing.press.cups import MEDIA, REQUESTING_USER, SIDES, QueueState
from printing.press.errors import DigestMismatch, DuplicateJob, NoSuchJob, PrinterUnreachable
from printing.press.printer import PrinterJob, PrinterStatus
from printing.press.service import Bounds, PressService, SheetProgress
from printing.press.verdict import ENDED, Capabilities, JobState, PaperOutlet
from tests.simulation.hub import Hub, Process
from tests.simulation.paper import check_pdf, contents
from tests.simulation.world import Lost, Sheet, World

SIDE_S = 0.7
CAPABILITIES = Capabilities(
    impressions=True, sheets=True, lifetime_counter=True, path_sensor=True, outlet=PaperOutlet.OPEN_TRAY
)


@dataclass
class _Job:
    job_id: int
    order_id: str
    pdf: bytes
    sheets: int
    state: JobState = JobState.PENDING
    reasons: tuple[str, ...] = ()
    sides: int = 0


class SimPrinter:
    """The machine, as `printing.press.printer.Printer` is to the press."""

    def __init__(self, hub: Hub, world: World, number: int) -> None:
        self._hub, self._world, self._number = hub, world, number
        self.power = Process("printer")
        self.jobs_known: list[_Job] = []
        self.lifetime = 100
        self.up_since_s = 0.0
        self.reasons: tuple[str, ...] = ()
        self.stop_after: int | None = None  # sides until it stops, with a reason
        self.abort_after: int | None = None  # sides until the job is aborted
        self.says_completed = False  # and then it says that the job is complete
        self.stopped = False
        self.asked_for: set[str] = set()  # orders whose outcome the press has not heard yet
        self.lose: Callable[[Lost], None] = lambda _: None
        self.reasons_when_stopped: tuple[str, ...] = ("media-jam",)

    # what the press asks

    def status(self) -> PrinterStatus:
        self._require()
        return PrinterStatus(
            stopped=self.stopped,
            reasons=self.reasons,
            accepting=True,
            media_ready=(MEDIA,),
            sides_supported=(SIDES,),
            up_time_s=int(self._hub.now_s - self.up_since_s),
            lifetime_impressions=self.lifetime,
        )

    def find(self, order_id: str) -> tuple[PrinterJob, ...]:
        self._require()
        self.asked_for = {order_id}
        return tuple(_told(job) for job in self.jobs_known if job.order_id == order_id)

    def jobs(self, which: str) -> tuple[PrinterJob, ...]:
        self._require()
        ended = which == "completed"
        return tuple(_told(job) for job in self.jobs_known if (job.state in ENDED) == ended)

    def cancel(self, job_id: int) -> None:
        self._require()
        for job in self.jobs_known:
            if job.job_id == job_id and job.state not in ENDED:
                if job.sides:
                    self.lose(Lost.SHEETS)  # stopped between its sides: what is out is no whole paper
                job.state, job.reasons = JobState.CANCELED, ("job-canceled-by-user",)

    def close(self) -> None:
        """It stays."""

    def _require(self) -> None:
        if not self.power.alive:
            raise PrinterUnreachable("no answer")

    # the machine

    def take(self, order_id: str, pdf: bytes, sheets: int) -> None:
        """Take a job from the queue."""
        if not self.power.alive:
            self.lose(Lost.HISTORY)
            return  # the queue sends it into nothing
        job = _Job(len(self.jobs_known) + 1, order_id, pdf, sheets)
        self.jobs_known.append(job)
        self._hub.spawn(self.power, lambda: self._print(job), 0.05)

    def _print(self, job: _Job) -> None:
        while any(other.state not in ENDED for other in self.jobs_known[: self.jobs_known.index(job)]):
            self._hub.sleep(1.0)
        if job.state is JobState.PENDING:
            job.state = JobState.PROCESSING
        while job.state not in ENDED and job.sides < 2 * job.sheets:
            self._hub.sleep(SIDE_S)
            if self._stands(job):
                self._hub.sleep(0.5)
                continue
            if job.state in ENDED:
                return
            self._side(job)
        if job.state not in ENDED:
            job.state, job.reasons = JobState.COMPLETED, ("job-completed-successfully",)

    def _stands(self, job: _Job) -> bool:
        if self.abort_after is not None and job.sides >= self.abort_after:
            self.abort_after = None
            if job.sides or self.says_completed:
                self.lose(Lost.SHEETS)
            job.state, job.reasons = JobState.ABORTED, ("aborted-by-system",)
            if self.says_completed:
                self.says_completed = False
                job.state, job.reasons = JobState.COMPLETED, ("job-completed-successfully",)
            return False
        if self.stop_after is not None and job.sides >= self.stop_after:
            self.stop_after, self.stopped, self.reasons = None, True, self.reasons_when_stopped
            self.lose(Lost.SHEETS)
        if job.state not in ENDED:
            job.state = JobState.PROCESSING_STOPPED if self.stopped else JobState.PROCESSING
        return self.stopped

    def _side(self, job: _Job) -> None:
        job.sides += 1
        self.lifetime += 1
        if job.sides % 2 == 0:
            said = contents(job.pdf)
            self._world.sheets.append(
                Sheet(
                    order_id=job.order_id,
                    index=job.sides // 2 - 1,
                    sheets=job.sheets,
                    names=said.names,
                    address=said.address,
                    issue_number=said.issue_number,
                    pdf_sha256=hashlib.sha256(job.pdf).digest(),
                    terminal=self._number,
                    at_s=self._hub.now_s,
                )
            )
            self._hub.say(f"printer {self._number}", f"sheet {job.sides // 2} of {job.sheets} for {said.names}")

    def cut(self) -> None:
        """Power lost."""
        if any(job.state not in ENDED or job.order_id in self.asked_for for job in self.jobs_known):
            self.lose(Lost.HISTORY)
        self.jobs_known.clear()
        self.reasons, self.stopped, self.stop_after, self.abort_after = (), False, None, None

    def up(self) -> None:
        """Power back."""
        self.power = Process("printer")
        self.up_since_s = self._hub.now_s

    def clear(self) -> None:
        """Somebody opened it, took the paper out of its path, and closed it: it goes on by itself."""
        self.stopped, self.reasons = False, ()


def _told(job: _Job) -> PrinterJob:
    return PrinterJob(
        job_id=job.job_id,
        name=job.order_id,
        state=job.state,
        reasons=job.reasons,
        impressions_completed=job.sides,
        sheets_completed=job.sides // 2,
        user=REQUESTING_USER,
        documents=1,
    )


@dataclass
class _Queued:
    job_id: int
    order_id: str
    pdf: bytes
    sheets: int
    released: bool = False

    @property
    def state(self) -> JobState:
        return JobState.PROCESSING if self.released else JobState.PENDING_HELD


class SimCups:
    """The queue, as `printing.press.cups.Cups` is to the press."""

    def __init__(self, hub: Hub, terminal: Process, printer: SimPrinter) -> None:
        self._hub, self.terminal, self._printer = hub, terminal, printer
        self.power = Process("queue")
        self.queued: dict[int, _Queued] = {}
        self._number = 0

    def submit_held(self, order_id: str, pdf: bytes, sheets: int, sha256: bytes) -> int:
        if hashlib.sha256(pdf).digest() != sha256:
            raise DigestMismatch("other bytes")
        check_pdf(pdf, sheets)
        if any(job.order_id == order_id for job in self.queued.values()):
            raise DuplicateJob("there is one")
        self._hub.sleep(0.01)
        self._number += 1
        self.queued[self._number] = _Queued(self._number, order_id, pdf, sheets)
        return self._number

    def find(self, order_id: str) -> tuple[_Queued, ...]:
        return tuple(job for job in self.queued.values() if job.order_id == order_id)

    def jobs(self, which: str) -> tuple[_Queued, ...]:
        return tuple(self.queued.values()) if which == "not-completed" else ()

    def queue_state(self) -> QueueState:
        return QueueState(processing=False, stopped=False, accepting=True, reasons=())

    def release(self, job_id: int) -> None:
        job = self.queued.get(job_id)
        if job is None:
            raise NoSuchJob("no such job")
        self._hub.sleep(0.005)
        job.released = True
        # The backend is a process of its own: a terminal that is killed now does not stop it.
        self._hub.at(self.power, 0.1 + self._hub.random.random() * 0.2, self._send, job)

    def _send(self, job: _Queued) -> None:
        if self.queued.pop(job.job_id, None) is not None:
            self._printer.take(job.order_id, job.pdf, job.sheets)

    def cancel(self, job_id: int) -> None:
        self.queued.pop(job_id, None)

    purge = cancel

    def purge_all(self) -> None:
        self.queued.clear()

    def lose(self) -> None:
        """The terminal's power is gone: its spool was in memory."""
        self.queued.clear()
        self.power.alive = False
        self.power = Process("queue")


class SimPress(PressService):
    """The real press over that queue and that printer."""

    def __init__(self, cups_queue: SimCups, printer: SimPrinter, emit: Callable[[SheetProgress], None]) -> None:
        self._cups = cups_queue  # type: ignore[assignment]
        self._printer = printer  # type: ignore[assignment]
        self._capabilities = CAPABILITIES
        self._emit = emit
        self._bounds = Bounds()
        self._queue = cups_queue

    def residue(self) -> tuple[str, ...]:
        return tuple(job.order_id for job in self._queue.queued.values())
