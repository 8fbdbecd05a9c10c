"""The virtual printer itself: what its paper does, what it says of it, and that its record outlives it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cups
import httpx
import pytest

from deploy.demo.printer_engine import METER_BEGINS_AT, Engine, Job, Mishap, Model, Stage, pictures
from deploy.demo.printer_ipp import ANY, Dropped, IppFace, Wire, WireFault, encode
from deploy.demo.printer_record import Act, Place, Record, Sheet, Side, read_record
from deploy.demo.virtual_printer import PATH, PrinterToldWrong, VirtualPrinter
from printing.press.errors import PrinterError, PrinterUnreachable
from printing.press.printer import Printer
from printing.press.verdict import ENDED, JobState
from tests.press_parts import ipp_message, memory_folder, pdf, wait_for

FAST = Model(side_s=0.001)


class Machine:
    """An engine in this process, without a wire."""

    def __init__(self, model: Model = FAST, record: Record | None = None, paper: int = 10) -> None:
        self.record = record or Record()
        self.engine = Engine(model, self.record, paper)

    def send(self, sheets: int = 3, name: str = "order-1", *, two_sided: bool = True) -> Job:
        job = self.engine.create(name, "madoguchi", two_sided=two_sided)
        self.engine.attach(job.job_id, pdf(sheets, name))
        return job

    def printed(self, job: Job) -> JobState:
        wait_for(lambda: job.state in ENDED, "the job's end")
        return job.state

    def stopped(self, job: Job) -> None:
        wait_for(lambda: job.state == JobState.PROCESSING_STOPPED, "the printer to stop")

    def out(self) -> list[tuple[int, ...]]:
        """The pages of each sheet in the outlet."""
        return [pages(sheet) for sheet in self.record.at(Place.OUTLET)]


def pages(sheet: Sheet) -> tuple[int, ...]:
    return tuple(side.page for side in sheet.sides)


def test_sheets_come_out_in_order_with_the_pages_pictures_on_them() -> None:
    machine = Machine()
    job = machine.send()
    assert machine.printed(job) == JobState.COMPLETED
    assert machine.out() == [(1, 2), (3, 4), (5, 6)]
    faces = [side for sheet in machine.record.sheets() for side in sheet.sides]
    assert tuple(faces) == pictures(pdf(3, "order-1")) != pictures(pdf(3, "order-2"))
    assert machine.engine.said_counts(job) == (6, 3)
    assert machine.engine.status().meter == METER_BEGINS_AT + 6


def test_a_printer_that_cannot_turn_a_sheet_prints_fronts_in_silence() -> None:
    machine = Machine(Model(side_s=0.001, two_sided=False))
    machine.printed(machine.send(1))
    assert machine.out() == [(1,), (2,)]


def test_without_paper_it_waits() -> None:
    machine = Machine(paper=1)
    job = machine.send()
    machine.stopped(job)
    assert machine.out() == [(1, 2)]
    assert machine.engine.status().reasons == ("media-needed-error", "media-empty-error")
    machine.engine.load(2)
    assert machine.printed(job) == JobState.COMPLETED
    assert machine.out() == [(1, 2), (3, 4), (5, 6)]
    assert machine.engine.status().reasons == ("media-empty-error",)


@pytest.mark.parametrize(("stage", "inside"), [(Stage.FRONT, ()), (Stage.BACK, (3,)), (Stage.EXIT, (3, 4))])
@pytest.mark.parametrize(("counts", "sides"), [("stacked", 2), ("marked", None)])
def test_a_jammed_sheet_is_inside_until_it_is_pulled_out_and_is_printed_again(
    stage: Stage, inside: tuple[int, ...], counts: Any, sides: int | None
) -> None:
    machine = Machine(Model(side_s=0.001, counts=counts))
    machine.engine.fault(2, stage, Mishap.JAM)
    job = machine.send()
    machine.stopped(job)
    assert [pages(sheet) for sheet in machine.record.at(Place.PATH)] == [inside]
    assert machine.engine.status().reasons == ("media-jam-error",)
    assert machine.engine.said_counts(job) == (sides or 2 + len(inside), 1)
    machine.engine.clear()
    assert machine.printed(job) == JobState.COMPLETED
    assert [pages(sheet) for sheet in machine.record.at(Place.BY_HAND)] == [inside]
    assert machine.out() == [(1, 2), (3, 4), (5, 6)]
    assert machine.engine.status().meter == METER_BEGINS_AT + 6 + (0 if sides else len(inside))


def test_a_closed_cover_lets_the_job_print_on_and_a_cancelled_one_not() -> None:
    for cancelled, expected in ((False, [(1, 2), (3, 4)]), (True, [(1, 2)])):
        machine = Machine()
        machine.engine.fault(2, Stage.FEED, Mishap.COVER)
        job = machine.send(2)
        machine.stopped(job)
        if cancelled:
            assert machine.engine.cancel_job(job.job_id)
            assert machine.printed(job) == JobState.CANCELED
        machine.engine.close_cover()
        machine.printed(job)
        assert machine.out() == expected


def test_a_printer_may_take_a_cancel_and_carry_it_out_only_when_it_runs() -> None:
    machine = Machine(Model(side_s=0.001, cancels_when_stopped=False))
    machine.engine.fault(2, Stage.FEED, Mishap.COVER)
    job = machine.send()
    machine.stopped(job)
    assert machine.engine.cancel_job(job.job_id)
    wait_for(lambda: "processing-to-stop-point" in job.reasons or job.state in ENDED, "the word that it will stop")
    assert job.state == JobState.PROCESSING_STOPPED
    machine.engine.close_cover()
    assert machine.printed(job) == JobState.CANCELED
    assert machine.out() == [(1, 2)]


@pytest.mark.parametrize(
    ("stage", "mishap", "state", "expected"),
    [
        (Stage.FEED, Mishap.ABORT, JobState.ABORTED, [(1, 2)]),
        (Stage.BACK, Mishap.ABORT, JobState.ABORTED, [(1, 2), (3,)]),  # laid out with an empty back
        (Stage.FEED, Mishap.CANCEL, JobState.CANCELED, [(1, 2)]),
        (Stage.BACK, Mishap.CANCEL, JobState.CANCELED, [(1, 2), (3, 4)]),  # the sheet on its way is finished
    ],
)
def test_ended_at_the_printer(stage: Stage, mishap: Mishap, state: JobState, expected: list[tuple[int, ...]]) -> None:
    machine = Machine()
    machine.engine.fault(2, stage, mishap)
    assert machine.printed(machine.send()) == state
    assert machine.out() == expected
    assert machine.record.at(Place.PATH) == ()


def test_a_held_job_waits_for_the_panel() -> None:
    machine = Machine()
    machine.engine.fault(0, Stage.ARRIVAL, Mishap.HOLD)
    held, other = machine.send(1), machine.send(1, "order-2")
    assert machine.printed(other) == JobState.COMPLETED
    assert held.state == JobState.PENDING_HELD
    machine.engine.release()
    assert machine.printed(held) == JobState.COMPLETED


def test_stop_and_start_cancel_at_the_panel_and_a_short_memory() -> None:
    machine = Machine()
    machine.engine.pause()
    job = machine.send(1)
    machine.stopped(job)
    machine.engine.cancel_at_panel()
    assert machine.printed(job) == JobState.CANCELED
    assert not machine.engine.cancel_job(job.job_id), "it has ended"
    machine.engine.resume()
    assert machine.printed(machine.send(1)) == JobState.COMPLETED
    assert len(machine.engine.jobs(ended=True)) == 2
    machine.engine.forget()
    assert machine.engine.jobs(ended=True) == ()
    assert machine.send(1).job_id == 3


def test_what_is_no_pdf_is_aborted_and_a_job_takes_one_document() -> None:
    machine = Machine()
    job = machine.engine.create("order-1", "madoguchi", two_sided=True)
    machine.engine.attach(job.job_id, b"%!PS")
    assert (job.state, job.reasons) == (JobState.ABORTED, ("document-format-error",))
    with pytest.raises(ValueError, match="takes no document"):
        machine.engine.attach(job.job_id, pdf())
    with pytest.raises(KeyError):
        machine.engine.attach(77, pdf())


@pytest.mark.parametrize(("says", "expected"), [("nothing", (0, 0)), ("all at once", (6, 3)), ("twice", (4, 2))])
def test_counts_lie_if_they_are_told_to(says: Any, expected: tuple[int, int]) -> None:
    machine = Machine(Model(side_s=0.001, says=says))
    machine.engine.fault(2, Stage.FEED, Mishap.ABORT)
    job = machine.send()
    assert machine.printed(job) == JobState.ABORTED
    assert machine.engine.said_counts(job) == expected
    assert machine.out() == [(1, 2)]


def test_counts_may_come_late() -> None:
    machine = Machine(Model(side_s=0.001, counts_lag_s=0.2))
    job = machine.send(1)
    machine.printed(job)
    wait_for(lambda: machine.engine.said_counts(job) == (2, 1), "the counts")
    assert time.monotonic() - job.counted[-1].at_s >= 0.2


def test_a_presenter_takes_sheets_back_and_an_open_tray_does_not() -> None:
    machine = Machine(Model(side_s=0.001, outlet="presenter"))
    machine.printed(machine.send(1))
    machine.engine.retract()
    assert (machine.out(), len(machine.record.at(Place.BIN))) == ([], 1)
    assert machine.engine.status().meter == METER_BEGINS_AT + 2
    with pytest.raises(ValueError, match="open tray"):
        Machine().engine.retract()


def test_a_copy_moves_the_meter_alone() -> None:
    machine = Machine()
    machine.engine.copy(2)
    assert machine.engine.status().meter == METER_BEGINS_AT + 4
    assert machine.engine.jobs(ended=True) == ()


def test_a_record_is_there_again_and_a_sheet_inside_is_a_jam(tmp_path: Path) -> None:
    path = tmp_path / "sheets.jsonl"
    record = Record(path)
    for number in (1, 2):
        assert record.feed("order-1") == number
        record.mark(number, Side(2 * number - 1, "aa"))
    record.move(1, Act.OUT)
    assert read_record(path) == record.sheets()
    again = Record(path)
    assert [sheet.place for sheet in again.sheets()] == [Place.OUTLET, Place.PATH]
    assert again.feed("order-2") == 3
    assert Engine(FAST, Record(path)).status().reasons == ("media-jam-error",)
    assert read_record(tmp_path / "none") == ()


# The wire


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def face(wire: Wire) -> IppFace:
    return IppFace(Machine().engine, wire, "ipp://localhost/ipp/print")


GET_JOBS = b"\x02\x00" + cups.IPP_OP_GET_JOBS.to_bytes(2, "big") + ipp_message(0)[4:]


def status(answer: bytes) -> int:
    return int.from_bytes(answer[2:4], "big")


def test_faults_of_the_wire_strike_as_often_and_whom_they_should(face: IppFace, wire: Wire) -> None:
    wire.add(WireFault("Get-Jobs", count=2, after=1, drop=True, agent="CUPS"))
    wire.add(WireFault(ANY, status=cups.IPP_STATUS_ERROR_BUSY, agent="httpx"))
    assert status(face.answer(GET_JOBS, "CUPS/2.4")) == cups.IPP_STATUS_OK
    for _ in range(2):
        with pytest.raises(Dropped):
            face.answer(GET_JOBS, "CUPS/2.4")
    assert status(face.answer(GET_JOBS, "CUPS/2.4")) == cups.IPP_STATUS_OK
    assert status(face.answer(GET_JOBS, "httpx/1")) == cups.IPP_STATUS_ERROR_BUSY
    assert status(face.answer(GET_JOBS, "httpx/1")) == cups.IPP_STATUS_OK
    wire.add(WireFault(ANY, drop=True))
    wire.heal()
    assert status(face.answer(GET_JOBS, "")) == cups.IPP_STATUS_OK
    with pytest.raises(ValueError, match="no operation"):
        wire.add(WireFault("Reprint-Job"))


def test_an_answer_repeats_the_request_s_number(face: IppFace) -> None:
    numbered = GET_JOBS[:4] + (77).to_bytes(4, "big") + GET_JOBS[8:]
    assert face.answer(numbered, "")[4:8] == (77).to_bytes(4, "big")


@pytest.mark.parametrize("message", [b"", b"\x02\x00\x00\x0a", GET_JOBS[:-5], b"\xff" * 40])
def test_what_is_no_request_is_a_bad_one(face: IppFace, message: bytes) -> None:
    assert status(face.answer(message, "")) == cups.IPP_STATUS_ERROR_BAD_REQUEST


def test_an_unknown_operation_and_an_old_printer_s_create_are_refused(wire: Wire) -> None:
    old = IppFace(Machine(Model(create_job=False)).engine, wire, "ipp://localhost/ipp/print")
    for operation in (0x4001, cups.IPP_OP_CREATE_JOB, cups.IPP_OP_SEND_DOCUMENT):
        request = GET_JOBS[:2] + operation.to_bytes(2, "big") + GET_JOBS[4:]
        assert status(old.answer(request, "")) == cups.IPP_STATUS_ERROR_OPERATION_NOT_SUPPORTED


def test_an_answer_s_groups_do_not_run_together() -> None:
    one = [(cups.IPP_TAG_JOB, [(cups.IPP_TAG_INTEGER, "job-id", [n])]) for n in (1, 2)]
    assert encode(0, 1, one).count(bytes([cups.IPP_TAG_JOB, cups.IPP_TAG_INTEGER, 0, 6]) + b"job-id") == 2


# The process


@pytest.fixture
def printer() -> Iterator[VirtualPrinter]:
    with memory_folder() as folder, VirtualPrinter(folder / "printer", Model(booted_s_ago=1000)) as running:
        yield running


@pytest.fixture
def asked(printer: VirtualPrinter) -> Iterator[Printer]:
    asking = Printer(printer.uri, "madoguchi", timeout_s=5.0)
    yield asking
    asking.close()


@pytest.mark.slow
def test_a_power_cut_takes_the_jobs_and_leaves_sheets_and_meter(printer: VirtualPrinter, asked: Printer) -> None:
    printer.tell("fault", sheet=2, stage="back", mishap="power cut")
    attributes = [(0x42, "job-name", b"order-1"), (0x44, "sides", b"two-sided-long-edge")]
    request = ipp_message(cups.IPP_OP_PRINT_JOB, (cups.IPP_TAG_JOB, attributes))
    before = asked.status()
    url = f"http://localhost:{printer.port}{PATH}"
    assert status(httpx.post(url, content=request + pdf(3), trust_env=False).content) == cups.IPP_STATUS_OK
    wait_for(lambda: not printer.is_on(), "the power cut")
    with pytest.raises(PrinterUnreachable):
        asked.status()
    assert [(pages(sheet), sheet.place) for sheet in printer.sheets()] == [((1, 2), Place.OUTLET), ((3,), Place.PATH)]
    printer.power_back()
    after = asked.status()
    assert asked.find("order-1") == ()
    assert (after.reasons, after.stopped) == (("media-jam-error",), True)
    assert before.up_time_s is not None
    assert after.up_time_s is not None
    assert after.up_time_s < before.up_time_s
    assert (before.lifetime_impressions, after.lifetime_impressions) == (METER_BEGINS_AT, METER_BEGINS_AT + 2)


@pytest.mark.slow
def test_it_says_what_it_was_told_wrong(printer: VirtualPrinter, asked: Printer) -> None:
    for op, fields in (
        ("explode", {}),
        ("fault", {"sheet": 1, "stage": "roof", "mishap": "jam"}),
        ("load", {"cats": 3}),
        ("wire", {"operation": "Reprint-Job"}),
        ("retract", {}),
    ):
        with pytest.raises(PrinterToldWrong):
            printer.tell(op, **fields)
    printer.tell("wire", operation="Get-Jobs", status=cups.IPP_STATUS_ERROR_BUSY)
    with pytest.raises(PrinterError) as refused:
        asked.find("order-1")
    assert refused.value.ipp_status == cups.IPP_STATUS_ERROR_BUSY
    assert asked.find("order-1") == ()
