"""Asking the printer: readable answers, unreadable ones, none at all; then a real ippeveprinter."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from printing.press.errors import PrinterError, PrinterUnreachable, PrinterUnreadable
from printing.press.printer import Printer, is_of_order
from printing.press.verdict import JobState
from tests.press_parts import ipp_message, memory_folder, pdf, press_parts, told_printer, wait_for

INTEGER, BOOLEAN, ENUM, NO_VALUE, DATE_TIME, TEXT, NAME, KEYWORD = 0x21, 0x22, 0x23, 0x13, 0x31, 0x41, 0x42, 0x44
JOB, PRINTER = 2, 4

Attribute = tuple[int, str, bytes]


def number(value: int) -> bytes:
    return struct.pack(">i", value)


def job(job_id: int, name: str, state: int, *more: Attribute) -> tuple[int, list[Attribute]]:
    return JOB, [
        (INTEGER, "job-id", number(job_id)),
        (NAME, "job-name", name.encode()),
        (ENUM, "job-state", number(state)),
        (KEYWORD, "job-state-reasons", b"none"),
        *more,
    ]


@contextmanager
def printer_that_says(answer: Callable[[bytes], tuple[int, bytes]]) -> Iterator[Printer]:
    with told_printer(answer) as uri:
        printer = Printer(uri, "madoguchi", timeout_s=5.0)
        try:
            yield printer
        finally:
            printer.close()


def lists(unfinished: bytes, ended: bytes) -> Callable[[bytes], tuple[int, bytes]]:
    return lambda request: (200, unfinished if b"not-completed" in request else ended)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("order-1", True),
        ("7 - order-1", True),
        ("12 - 7 - order-1", True),
        ("order-11", False),
        ("xorder-1", False),
        ("order-1 - 7", False),
        ("", False),
    ],
)
def test_a_jobs_name_is_ours_or_not(name: str, ours: bool) -> None:
    assert is_of_order(name, "order-1") is ours


def test_the_printers_own_jobs_are_found_by_name() -> None:
    unfinished = ipp_message(
        0, job(8, "order-2", 5), job(9, "7 - order-1", 5, (INTEGER, "job-impressions-completed", number(2)))
    )
    ended = ipp_message(
        0, job(3, "order-11", 9), job(4, "order-3", 9, (INTEGER, "job-media-sheets-completed", number(1)))
    )
    with printer_that_says(lists(unfinished, ended)) as printer:
        (found,) = printer.find("order-1")
        assert (found.job_id, found.state, found.impressions_completed) == (9, JobState.PROCESSING, 2)
        (other,) = printer.find("order-3")
        assert (other.job_id, other.state, other.sheets_completed) == (4, JobState.COMPLETED, 1)
        assert printer.find("order-4") == ()


def test_a_job_in_both_lists_is_one_job_that_ended() -> None:
    with printer_that_says(
        lists(ipp_message(0, job(9, "order-1", 5)), ipp_message(0, job(9, "order-1", 9)))
    ) as printer:
        assert [found.state for found in printer.find("order-1")] == [JobState.COMPLETED]


def test_two_jobs_of_one_name_are_two() -> None:
    ended = ipp_message(0, job(9, "order-1", 9), job(10, "order-1", 9))
    with printer_that_says(lists(ipp_message(0), ended)) as printer:
        assert [found.job_id for found in printer.find("order-1")] == [9, 10]


@pytest.mark.parametrize(
    ("state", "reason", "at_rest"),
    [
        (JobState.PROCESSING, b"job-printing", False),
        (JobState.PROCESSING_STOPPED, b"printer-stopped", False),
        (JobState.PENDING_HELD, b"none", False),
        (JobState.CANCELED, b"processing-to-stop-point", False),  # its last sheet is on its way
        (JobState.CANCELED, b"job-canceled-by-user", True),
        (JobState.COMPLETED, b"none", True),
    ],
)
def test_a_job_is_at_rest_once_it_moves_no_more_paper(state: JobState, reason: bytes, at_rest: bool) -> None:
    listed = (JOB, [*job(9, "order-1", state)[1][:3], (KEYWORD, "job-state-reasons", reason)])
    with printer_that_says(lists(ipp_message(0), ipp_message(0, listed))) as printer:
        assert [found.at_rest for found in printer.find("order-1")] == [at_rest]


@pytest.mark.parametrize(("documents", "can_print"), [(None, True), (0, False), (1, True)])
def test_a_job_without_a_document_cannot_print(documents: int | None, can_print: bool) -> None:
    told = [] if documents is None else [(INTEGER, "number-of-documents", number(documents))]
    user = (NAME, "job-originating-user-name", b"madoguchi")
    listed = job(9, "order-1", JobState.PENDING, user, *told)
    with printer_that_says(lists(ipp_message(0, listed), ipp_message(0))) as printer:
        (found,) = printer.find("order-1")
    assert (found.can_print, found.documents, found.user) == (can_print, documents, "madoguchi")


def status_answer(*attributes: Attribute) -> Callable[[bytes], tuple[int, bytes]]:
    return lambda _request: (200, ipp_message(0, (PRINTER, list(attributes))))


def test_a_printers_state_is_read() -> None:
    attributes = (
        (ENUM, "printer-state", number(3)),
        (KEYWORD, "printer-state-reasons", b"media-low-report"),
        (KEYWORD, "", b"toner-low-warning"),
        (BOOLEAN, "printer-is-accepting-jobs", b"\x01"),
        (KEYWORD, "media-ready", b"iso_a4_210x297mm"),
        (INTEGER, "printer-up-time", number(60)),
        (INTEGER, "printer-impressions-completed", number(123456)),
    )
    with printer_that_says(status_answer(*attributes)) as printer:
        status = printer.status()
    assert (status.stopped, status.accepting, status.media_ready) == (False, True, ("iso_a4_210x297mm",))
    assert status.reasons == ("media-low-report", "toner-low-warning")
    assert (status.up_time_s, status.lifetime_impressions, status.sides_supported) == (60, 123456, ())


def test_a_printer_that_says_nothing_is_not_ready() -> None:
    with printer_that_says(lambda _request: (200, ipp_message(0))) as printer:
        status = printer.status()
    assert status.stopped
    assert not status.accepting
    assert (status.media_ready, status.up_time_s, status.lifetime_impressions) == ((), None, None)


READ_NO_VALUE = """
import io, sys, cups
answer = cups.IPPRequest()
answer.readIO(io.BytesIO(sys.stdin.buffer.read()).read)
print([attribute.values for attribute in answer.attributes])
"""


def test_a_value_of_kind_no_value_is_not_known() -> None:
    answer = ipp_message(0, job(9, "order-1", 9, (NO_VALUE, "job-impressions-completed", b"")))
    unguarded = subprocess.run(
        [sys.executable, "-c", READ_NO_VALUE], input=answer, capture_output=True, timeout=20, check=False
    )
    assert unguarded.returncode < 0, "read without looking at its kind, it kills the process"
    with printer_that_says(lists(ipp_message(0), answer)) as printer:
        (found,) = printer.find("order-1")
        assert (found.job_id, found.impressions_completed) == (9, None)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x02\x00",
        b"<html>It works!</html>",
        ipp_message(0, job(9, "order-1", 9))[:-20],
        ipp_message(0, job(9, "order-1", 9, (DATE_TIME, "date-time-at-completed", bytes(11)))),
        ipp_message(0, job(9, "order-1", 77)),
        ipp_message(0, (JOB, [(NAME, "job-name", b"order-1")])),
        ipp_message(0, (JOB, [(INTEGER, "job-id", number(1)), (NAME, "job-name", b"\xff\xfe")])),
    ],
)
def test_an_unreadable_answer_is_a_typed_error(answer: bytes) -> None:
    with printer_that_says(lambda _request: (200, answer)) as printer, pytest.raises(PrinterUnreadable):
        printer.find("order-1")


@pytest.mark.parametrize("status", [302, 404, 426, 500])
def test_another_http_status_is_a_typed_error(status: int) -> None:
    with (
        printer_that_says(lambda _request: (status, b"")) as printer,
        pytest.raises(PrinterUnreadable, match=str(status)),
    ):
        printer.status()


def test_a_refusal_keeps_its_ipp_status() -> None:
    with printer_that_says(lambda _request: (200, ipp_message(0x0404))) as printer:
        with pytest.raises(PrinterError) as refused:
            printer.cancel(1)
        assert refused.value.ipp_status == 0x0404


def test_a_printer_that_hangs_or_is_not_there_is_unreachable() -> None:
    go_on = threading.Event()

    def hang(_request: bytes) -> tuple[int, bytes]:
        go_on.wait(20)
        return 200, b""

    with told_printer(hang) as uri:
        printer = Printer(uri, "madoguchi", timeout_s=0.2)
        with pytest.raises(PrinterUnreachable, match="ReadTimeout"):
            printer.status()
        go_on.set()
        printer.close()
    gone = Printer(uri, "madoguchi", timeout_s=5.0)
    with pytest.raises(PrinterUnreachable, match="ConnectError"):
        gone.status()
    gone.close()


@pytest.mark.parametrize("uri", ["", "http://localhost/ipp/print", "ipp:///ipp/print", "localhost:631"])
def test_only_ipp_addresses_are_taken(uri: str) -> None:
    with pytest.raises(ValueError, match="printer_uri"):
        Printer(uri, "madoguchi")


@pytest.mark.parts
def test_a_real_printer_is_asked_and_a_job_cancelled_at_it() -> None:
    with memory_folder() as folder, press_parts(folder, f"while [ ! -e {folder}/go ]; do sleep 0.02; done") as parts:
        status = parts.at_printer.status()
        assert "iso_a4_210x297mm" in status.media_ready
        assert (status.stopped, status.accepting, status.reasons) == (False, True, ())
        assert status.lifetime_impressions is None, "this model has no meter"
        held = parts.submit("order-1", pdf())
        parts.service.release(held)
        wait_for(lambda: bool(parts.at_printer.find("order-1")), "the job at the printer")
        (at_printer,) = parts.at_printer.find("order-1")
        assert at_printer.state == JobState.PROCESSING
        parts.at_printer.cancel(at_printer.job_id)
        (folder / "go").touch()
        wait_for(lambda: parts.at_printer.find("order-1")[0].state == JobState.CANCELED, "the end")
        with pytest.raises(PrinterError) as refused:
            parts.at_printer.cancel(at_printer.job_id)
        assert refused.value.ipp_status is not None
