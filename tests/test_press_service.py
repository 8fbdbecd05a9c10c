"""The press as the terminal uses it, on real parts with real faults: check, submit, release, verdict, cancel, purge."""

from __future__ import annotations

import os
import pickle
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cups
import pytest

from deploy.demo.cupsd import PrivateCupsd
from deploy.demo.ippeveprinter import IppEvePrinter
from deploy.demo.processes import Process
from printing.press.errors import CupsUnavailable, DigestMismatch, NoSuchJob, PageCountDiffers, PurgeTimeout
from printing.press.service import Bounds, Counters, HeldJob, PressService, PrinterState, SheetProgress
from printing.press.verdict import Capabilities, JobState, Outcome, Verdict
from tests.press_parts import (
    IPPEVEPRINTER,
    QUEUE,
    Parts,
    digest,
    ipp_message,
    memory_folder,
    pdf,
    press_parts,
    told_printer,
    wait_for,
)
from tests.printer_world import ORDER, Scenario, played_world

pytestmark = pytest.mark.slow

METER_ONLY = replace(IPPEVEPRINTER, impressions=False, lifetime_counter=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as path:
        yield path


@pytest.fixture
def parts(folder: Path) -> Iterator[Parts]:
    with press_parts(folder) as running:
        yield running


def printed(parts: Parts, job: HeldJob) -> Verdict:
    before = parts.service.counters()
    parts.service.release(job)
    return parts.service.verdict(job, before)


def impatient(parts: Parts, **bounds: float) -> PressService:
    return parts.press(Bounds(**bounds))


@pytest.mark.parts
@pytest.mark.parametrize("sheets", [1, 3])
def test_a_document_comes_out_byte_for_byte(parts: Parts, sheets: int) -> None:
    document = pdf(sheets)
    assert parts.service.check() == PrinterState(ready=True, reasons=())
    job = parts.submit("order-1", document, sheets)
    assert (job.order_id, job.sheets) == ("order-1", sheets)
    verdict = printed(parts, job)
    assert (verdict.outcome, verdict.sheets_out) == (Outcome.PRINTED, sheets), verdict.why
    (paper,) = parts.printer.papers()
    assert paper.name == "000001-order-1.pdf"
    assert paper.read_bytes() == document
    assert parts.emitted[-1] == SheetProgress("order-1", sheets, sheets)
    parts.service.purge(job)
    assert parts.service.residue() == ()
    assert parts.service.check().ready


@pytest.mark.parts
def test_s7_a_held_job_waits_and_two_orders_never_mix(parts: Parts) -> None:
    first, second = pdf(1, "first"), pdf(2, "second")
    job_first, job_second = parts.submit("order-1", first), parts.submit("order-2", second, 2)
    assert printed(parts, job_second).outcome == Outcome.PRINTED
    assert [paper.name for paper in parts.printer.papers()] == ["000001-order-2.pdf"], "the held one waits"
    assert parts.at_printer.find("order-1") == ()
    assert printed(parts, job_first).outcome == Outcome.PRINTED
    papers = {paper.name: paper.read_bytes() for paper in parts.printer.papers()}
    assert papers == {"000001-order-2.pdf": second, "000002-order-1.pdf": first}
    parts.service.purge(job_first)
    parts.service.purge(job_second)
    assert parts.service.residue() == ()


@pytest.mark.parts
def test_another_orders_job_is_not_released(parts: Parts) -> None:
    job = parts.submit("order-1", pdf())
    with pytest.raises(NoSuchJob):
        parts.service.release(replace(job, order_id="order-2"))
    with pytest.raises(NoSuchJob):
        parts.service.release(replace(job, cups_job_id=77))
    assert printed(parts, job).outcome == Outcome.PRINTED


@pytest.mark.parts
def test_what_is_refused_leaves_nothing(parts: Parts) -> None:
    document = pdf()
    with pytest.raises(DigestMismatch):
        parts.service.submit("order-1", document, 1, digest(pdf(1, "another")))
    with pytest.raises(PageCountDiffers):
        parts.service.submit("order-1", document, 2, digest(document))
    assert parts.cups.jobs() == ()
    assert parts.service.residue() == ()
    assert parts.printer.papers() == ()


@pytest.mark.parts
def test_check_says_why_before_any_money(parts: Parts) -> None:
    connection = cups.Connection(str(parts.cupsd.socket))
    connection.rejectJobs(QUEUE)
    connection.disablePrinter(QUEUE)
    assert parts.service.check().reasons == ("queue-stopped", "queue-rejecting")
    parts.service.purge_all()
    assert parts.service.check().ready
    parts.submit("order-1", pdf())
    assert parts.service.check().reasons == ("queue-has-unfinished-jobs",)
    parts.printer.stop()
    unreachable = parts.service.check()
    assert (unreachable.ready, unreachable.reasons[0]) == (False, "printer-unreachable")
    parts.cupsd.stop()
    both = parts.service.check()
    assert {"printer-unreachable", "cups-unavailable"} <= set(both.reasons)


@pytest.mark.parts
def test_aborted_at_the_printer_is_not_printed_whatever_cups_says(folder: Path) -> None:
    with press_parts(folder, command="exit 1") as parts:
        cups_says = set()
        for number in range(3):
            job = parts.submit(f"order-{number}", pdf())
            before = parts.service.counters()
            parts.service.release(job)
            wait_for(lambda: parts.cups.jobs("not-completed") == (), "the end of CUPS's job")
            cups_says |= {found.state for found in parts.cups.find(job.order_id)}
            verdict = parts.service.verdict(job, before)
            assert (verdict.outcome, verdict.sheets_out) == (Outcome.FAILED, 0), verdict.why
            parts.service.purge(job)
            assert parts.service.residue() == ()
        # The fault with the guard off: CUPS says completed or canceled, by a race, and never what happened.
        assert cups_says <= {JobState.COMPLETED, JobState.CANCELED}
        assert parts.emitted == []
        assert parts.printer.papers() == ()


REPORT = 'echo "ATTR: job-impressions-completed={done}" >&2'


@pytest.mark.parts
@pytest.mark.parametrize(("sides_printed", "sheets_out"), [(2, 1), (3, 2), (4, 2)])
def test_s15_a_jam_on_a_sheet_of_three_is_partial(folder: Path, sides_printed: int, sheets_out: int) -> None:
    """S15: after the first sheet, between front and back of the second, after the second."""
    with press_parts(folder, command=f"{REPORT.format(done=sides_printed)}; exit 1") as parts:
        job = parts.submit("order-1", pdf(3), 3)
        verdict = printed(parts, job)
        assert (verdict.outcome, verdict.sheets_out) == (Outcome.PARTIAL, sheets_out), verdict.why


@pytest.mark.parts
def test_a_front_without_its_back_is_not_printed(folder: Path) -> None:
    with press_parts(folder, command=REPORT.format(done=1)) as parts:
        verdict = printed(parts, parts.submit("order-1", pdf()))
        assert verdict.outcome == Outcome.PARTIAL, verdict.why


@pytest.mark.parts
def test_a_printer_that_cannot_turn_a_sheet_is_seen_before_any_money(folder: Path) -> None:
    with press_parts(folder, two_sided=False) as parts:
        assert parts.service.check() == PrinterState(ready=False, reasons=("sides-not-supported",))
        # With the guard off: this printer refuses the job, and nothing that comes out says so.
        job = parts.submit("order-1", pdf())
        parts.service.release(job)
        verdict = impatient(parts, stall_timeout_s=2).verdict(job, Counters(None))
        assert (verdict.outcome, parts.printer.papers()) == (Outcome.UNKNOWN, ()), verdict.why


@pytest.mark.parts
def test_completed_without_its_sheets_is_unknown(folder: Path) -> None:
    with press_parts(folder, command="exit 0") as parts:
        job = parts.submit("order-1", pdf(2), 2)
        verdict = printed(parts, job)
        assert (verdict.outcome, verdict.sheets_out) == (Outcome.UNKNOWN, None), verdict.why


@pytest.mark.parts
def test_progress_is_told_sheet_by_sheet(folder: Path) -> None:
    wait = f"until [ -e {folder}/seen-$n ]; do sleep 0.02; done"
    front, back = REPORT.format(done="$((2 * n - 1))"), REPORT.format(done="$((2 * n))")
    command = f"for n in 1 2 3; do {front}; {back}; {wait}; done"
    with press_parts(folder, command=command) as parts:

        def emit(progress: SheetProgress) -> None:
            parts.emitted.append(progress)
            (folder / f"seen-{progress.sheets_done}").touch()

        service = PressService(parts.cupsd.socket, QUEUE, parts.printer.uri, IPPEVEPRINTER, (), emit)
        job = parts.submit("order-1", pdf(3), 3)
        service.release(job)
        assert service.verdict(job, Counters(None)).outcome == Outcome.PRINTED
        service.close()
        assert [progress.sheets_done for progress in parts.emitted] == [1, 2, 3]


@pytest.mark.parts
def test_a_job_is_cancelled_at_the_printer(folder: Path) -> None:
    with press_parts(folder, command=f"until [ -e {folder}/go ]; do sleep 0.02; done") as parts:
        job = parts.submit("order-1", pdf())
        before = parts.service.counters()
        parts.service.release(job)
        wait_for(lambda: bool(parts.at_printer.find("order-1")), "the job at the printer")
        with pytest.raises(PurgeTimeout, match="the printer goes on"):
            impatient(parts, cancel_timeout_s=0.5).cancel(job)
        assert parts.cups.jobs("not-completed") == (), "CUPS calls it over while the printer works on"
        assert "printer-has-unfinished-jobs" in parts.service.check().reasons
        (folder / "go").touch()
        parts.service.cancel(job)
        assert [found.state for found in parts.at_printer.find("order-1")] == [JobState.CANCELED]
        verdict = parts.service.verdict(job, before)
        assert (verdict.outcome, verdict.sheets_out) == (Outcome.FAILED, 0), verdict.why
        parts.service.purge(job)
        assert parts.service.residue() == ()
        assert parts.service.check().ready


@pytest.mark.parts
def test_a_job_is_cancelled_at_the_printer_without_cups_too(folder: Path) -> None:
    with press_parts(folder, command=f"until [ -e {folder}/go ]; do sleep 0.02; done") as parts:
        job = parts.submit("order-1", pdf())
        parts.service.release(job)
        wait_for(lambda: bool(parts.at_printer.find("order-1")), "the job at the printer")
        parts.cupsd.kill()
        with pytest.raises(PurgeTimeout, match="the printer goes on"):
            impatient(parts, cancel_timeout_s=0.5).cancel(job)
        (folder / "go").touch()
        with pytest.raises(CupsUnavailable):
            parts.service.cancel(job)
        assert [found.state for found in parts.at_printer.find("order-1")] == [JobState.CANCELED]


@pytest.mark.parts
def test_without_progress_it_is_unknown_within_the_bound(folder: Path) -> None:
    with press_parts(folder, command=f"until [ -e {folder}/go ]; do sleep 0.02; done") as parts:
        job = parts.submit("order-1", pdf())
        before = parts.service.counters()
        parts.service.release(job)
        stalled = impatient(parts, stall_timeout_s=0.6, cancel_timeout_s=0.5).verdict(job, before)
        assert stalled.outcome == Outcome.UNKNOWN
        assert "no progress for 0.6 s" in stalled.why
        assert "not withdrawn" in stalled.why
        bounds = {"base_timeout_s": 0.2, "sheet_timeout_s": 0.1, "cancel_timeout_s": 0.5}
        late = impatient(parts, **bounds).verdict(job, before)
        assert late.outcome == Outcome.UNKNOWN
        assert "not decided in 0.3 s" in late.why
        (folder / "go").touch()


@pytest.mark.parts
def test_a_printer_that_forgets_is_unknown(parts: Parts) -> None:
    job = parts.submit("order-1", pdf())
    before = parts.service.counters()
    parts.service.release(job)
    assert parts.service.verdict(job, before).outcome == Outcome.PRINTED
    parts.printer.stop()
    silent = impatient(parts, stall_timeout_s=0.5, cancel_timeout_s=0.5).verdict(job, before)
    assert silent.outcome == Outcome.UNKNOWN
    assert "does not answer" in silent.why
    parts.printer.start()
    forgotten = impatient(parts, stall_timeout_s=0.5).verdict(job, before)
    assert (forgotten.outcome, forgotten.sheets_out) == (Outcome.UNKNOWN, None)


@pytest.mark.parts
def test_s7_after_cupsd_was_killed_the_next_order_never_gets_the_last_ones_sheet(folder: Path) -> None:
    document = pdf()
    with press_parts(folder) as parts:
        waiting = parts.submit("order-1", document)
        parts.cupsd.kill()
        for call in (
            lambda: parts.submit("order-2", document),
            lambda: parts.service.release(waiting),
            lambda: parts.service.purge(waiting),
            parts.service.purge_all,
        ):
            with pytest.raises(CupsUnavailable):
                call()
        assert parts.service.check().reasons[0] == "cups-unavailable"
        assert parts.service.residue() != (), "the crash left a document"
        parts.cupsd.start()
        assert parts.service.residue() == ()
        with pytest.raises(NoSuchJob):
            parts.service.release(waiting)
        again = parts.submit("order-2", document)
        assert again.cups_job_id == waiting.cups_job_id, "ids start again, so a job is known by its name"
        assert printed(parts, again).outcome == Outcome.PRINTED
        assert [paper.name for paper in parts.printer.papers()] == ["000001-order-2.pdf"]


@pytest.mark.parts
@pytest.mark.parametrize("cleaned", [False, True])
def test_s7_cupsd_killed_while_it_prints(folder: Path, cleaned: bool) -> None:
    """Started again over what the crash left, it sends the job a second time; started as we do, once."""
    out = folder / "out"
    command = f'until [ -e {folder}/go ]; do sleep 0.02; done; cp "$1" {out}/"$IPP_JOB_ID".pdf; {REPORT.format(done=2)}'
    with press_parts(folder, command=command) as parts:
        job = parts.submit("order-1", pdf())
        before = parts.service.counters()
        parts.service.release(job)
        wait_for(lambda: bool(parts.at_printer.find("order-1")), "the job at the printer")
        parts.cupsd.kill()
        if cleaned:
            parts.cupsd.start()
            assert parts.cups.jobs() == ()
            (folder / "go").touch()
            verdict = parts.service.verdict(job, before)
            assert verdict.outcome == Outcome.PRINTED, "the printer is asked by name: CUPS's crash does not matter"
            assert len(parts.printer.papers()) == len(parts.at_printer.find("order-1")) == 1
            return
        etc = parts.cupsd.root / "etc"
        careless = ("cupsd", "-f", "-c", str(etc / "cupsd.conf"), "-s", str(etc / "cups-files.conf"))
        process = Process("cupsd", careless, log=folder / "careless.log")
        try:
            (folder / "go").touch()
            wait_for(lambda: len(parts.printer.papers()) == 2, "the second paper")
            verdict = impatient(parts, stall_timeout_s=2).verdict(job, before)
        finally:
            process.stop()
        assert verdict.outcome == Outcome.UNKNOWN
        assert "2 jobs of this order" in verdict.why


@pytest.mark.parts
def test_parts_stand_side_by_side_and_leave_nothing_running(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    with press_parts(folder / "a") as left, press_parts(folder / "b") as right:
        assert printed(left, left.submit("order-l", pdf(1, "left"))).outcome == Outcome.PRINTED
        assert printed(right, right.submit("order-r", pdf(1, "right"))).outcome == Outcome.PRINTED
        assert [paper.name for paper in left.printer.papers()] == ["000001-order-l.pdf"]
        assert [paper.name for paper in right.printer.papers()] == ["000001-order-r.pdf"]
    assert not [name for name in commands() if str(folder) in name]


def commands() -> list[str]:
    """Return the command line of every process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found.append(os.fsdecode((process / "cmdline").read_bytes()))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_folder_whose_socket_would_not_fit_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="too long"):
        PrivateCupsd(folder / ("x" * 100))


@pytest.mark.parts
def test_parts_are_started_once(folder: Path) -> None:
    with PrivateCupsd(folder / "cups") as cupsd, IppEvePrinter(folder / "printer", folder / "out") as printer:
        for part in (cupsd, printer):
            with pytest.raises(RuntimeError, match="started already"):
                part.start()


def told(*states: tuple[int, int | None, int]) -> Callable[[bytes], tuple[int, bytes]]:
    """Answer as a printer with a meter: (job-state, meter, up-time) at one look after the other; the last one stays."""
    looks = list(states)

    def answer(request: bytes) -> tuple[int, bytes]:
        state, meter, up_time = looks[0]
        if b"which-jobs" not in request:
            if b"printer-state" in request and len(looks) > 1:  # the last question of a look
                looks.pop(0)
            counted = [] if meter is None else [(0x21, "printer-impressions-completed", struct.pack(">i", meter))]
            found = [
                (0x23, "printer-state", struct.pack(">i", 3)),
                (0x21, "printer-up-time", struct.pack(">i", up_time)),
            ]
            return 200, ipp_message(0, (4, [*found, *counted]))
        if b"not-completed" in request or not state:
            return 200, ipp_message(0)
        named = [(0x21, "job-id", struct.pack(">i", 5)), (0x42, "job-name", b"3 - order-1")]
        return 200, ipp_message(0, (2, [*named, (0x23, "job-state", struct.pack(">i", state))]))

    return answer


@pytest.mark.parts
@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(9, 102, 50)], Outcome.PRINTED),
        ([(9, 100, 50), (9, 101, 50), (9, 102, 51)], Outcome.PRINTED),  # the meter follows the job's end
        ([(9, 100, 50)], Outcome.UNKNOWN),
        ([(9, 101, 50)], Outcome.PARTIAL),  # a front without its back
        ([(9, 104, 50)], Outcome.UNKNOWN),  # somebody else's sheet, or ours twice
        ([(9, None, 50)], Outcome.UNKNOWN),  # declared, but missing
        ([(8, 100, 50)], Outcome.FAILED),
        ([(8, 100, 50), (8, 102, 50)], Outcome.UNKNOWN),  # a sheet that was on its way when the job was aborted
        ([(5, 100, 50), (9, 102, 2)], Outcome.UNKNOWN),  # the power was cut in between
        ([(5, 100, 50), (0, 102, 2)], Outcome.UNKNOWN),  # forgotten, and as much as all of it came out
        ([(5, 100, 50), (0, 101, 51)], Outcome.PARTIAL),  # forgotten, and half of it came out
        ([(5, 100, 50), (0, 100, 51)], Outcome.FAILED),  # forgotten, and nothing came out
        ([(0, 100, 50), (0, 100, 50), (9, 102, 51)], Outcome.PRINTED),  # not there yet, then there
    ],
)
def test_the_meter_is_a_witness(folder: Path, looks: list[tuple[int, int | None, int]], expected: Outcome) -> None:
    with PrivateCupsd(folder / "cups") as cupsd, told_printer(told(*looks)) as uri:
        cupsd.add_raw_queue(QUEUE, uri)
        bounds = Bounds(base_timeout_s=10, stall_timeout_s=2)
        service = PressService(cupsd.socket, QUEUE, uri, METER_ONLY, (), lambda _progress: None, bounds=bounds)
        verdict = service.verdict(HeldJob(1, "order-1", 1), Counters(100))
        service.close()
    assert verdict.outcome == expected, verdict.why


def twice_created(documents: int) -> Callable[[bytes], tuple[int, bytes]]:
    """Answer as a printer that lists an aborted job with so many documents beside the one that it printed."""

    def answer(request: bytes) -> tuple[int, bytes]:
        if b"which-jobs" not in request:
            told = ((0x23, "printer-state", 3), (0x21, "printer-impressions-completed", 102))
            return 200, ipp_message(0, (4, [(tag, name, struct.pack(">i", value)) for tag, name, value in told]))
        jobs = []
        for job_id, state, number in ((5, 8, documents), (6, 9, 1)):
            told = ((0x21, "job-id", job_id), (0x23, "job-state", state), (0x21, "number-of-documents", number))
            named = [(tag, name, struct.pack(">i", value)) for tag, name, value in told]
            jobs.append((2, [*named, (0x42, "job-name", b"order-1")]))
        return 200, ipp_message(0) if b"not-completed" in request else ipp_message(0, *jobs)

    return answer


@pytest.mark.parametrize(("documents", "expected"), [(0, Outcome.PRINTED), (1, Outcome.UNKNOWN)])
def test_a_job_that_never_had_its_document_does_not_count_beside_the_one_that_had(
    folder: Path, documents: int, expected: Outcome
) -> None:
    with told_printer(twice_created(documents)) as uri:
        bounds = Bounds(settle_s=0.1)
        service = PressService(folder / "none", QUEUE, uri, METER_ONLY, (), lambda _progress: None, bounds=bounds)
        verdict = service.verdict(HeldJob(1, "order-1", 1), Counters(100))
        service.close()
    assert verdict.outcome == expected, verdict.why


def test_what_cups_may_still_send_is_not_decided_but_for_printed(folder: Path) -> None:
    """CUPS does not answer: the sheet that is out is out, and what is not out may still come."""
    for looks, expected in (((9, 102, 50), Outcome.PRINTED), ((8, 100, 50), Outcome.UNKNOWN)):
        with told_printer(told(looks)) as uri:
            bounds = Bounds(settle_s=0.1)
            service = PressService(folder / "none", QUEUE, uri, METER_ONLY, (), lambda _progress: None, bounds=bounds)
            verdict = service.verdict(HeldJob(1, "order-1", 1), Counters(100))
            service.close()
        assert verdict.outcome == expected, verdict.why


def test_values_travel_between_processes() -> None:
    values = (
        HeldJob(1, "order-1", 2),
        Counters(5),
        SheetProgress("order-1", 1, 2),
        PrinterState(ready=False, reasons=("media-empty",)),
    )
    assert pickle.loads(pickle.dumps(values)) == values  # noqa: S301 -- our own bytes


def test_the_service_takes_plain_arguments_with_emit_last(folder: Path) -> None:
    arguments: tuple[Path, str, str, Capabilities, tuple[Path, ...]] = (
        folder / "cups.sock",
        QUEUE,
        "ipp://localhost:1/ipp/print",
        IPPEVEPRINTER,
        (folder,),
    )
    service = PressService(*arguments, lambda _progress: None)
    (folder / "left").touch()
    assert service.residue() == ("left",)
    service.close()


@pytest.mark.parts
@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        (1, Verdict(Outcome.FAILED, 0, "")),
        (2, Verdict(Outcome.PARTIAL, 1, "")),
        (None, Verdict(Outcome.PRINTED, 2, "")),
    ],
)
def test_after_a_power_cut_of_the_terminal_the_job_is_stopped_and_the_printer_asked(
    sheet: int | None, expected: Verdict
) -> None:
    """The press that released the job is gone, and with it what it had seen."""
    scenario = Scenario(name="", story="", expected=expected.outcome, sheets=2)
    with memory_folder() as folder, played_world(scenario, folder) as world:
        if sheet:
            world.tell("fault", sheet=sheet, stage="feed", mishap="stop")
        job = world.press.submit(ORDER, world.document, 2, digest(world.document))
        before = world.press.counters()
        world.press.release(job)
        if sheet:
            world.until_stopped()
        else:
            world.until_job("COMPLETED")
        verdict = world.press.last_verdict(job, before)
        assert replace(verdict, why="") == expected
        world.tell("resume")
        world.press.purge_all()
        assert len(world.out()) == expected.sheets_out
