"""The transport: what may be sent, and what CUPS does with it. Real cupsd, and a real printer behind it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import cups
import pikepdf
import pytest
from reportlab.lib.pagesizes import A4, A5, LETTER, landscape

from printing.press import errors
from printing.press.cups import REQUESTING_USER, Cups, check_pdf
from printing.press.verdict import Outcome
from tests.press_parts import QUEUE, Parts, digest, memory_folder, pdf, press_parts, wait_for


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as path:
        yield path


@pytest.fixture
def parts(folder: Path) -> Iterator[Parts]:
    with press_parts(folder) as running:
        yield running


def changed(document: bytes, key: str, value: object) -> bytes:
    """Set one entry of the last page."""
    out = BytesIO()
    with pikepdf.open(BytesIO(document)) as opened:
        opened.pages[-1][key] = value
        opened.save(out)
    return out.getvalue()


@pytest.mark.parametrize("sheets", [1, 2, 7])
def test_an_a4_document_is_sent(sheets: int) -> None:
    check_pdf(pdf(sheets), sheets)


@pytest.mark.parametrize(
    ("document", "sheets", "error", "words"),
    [
        (b"", 1, errors.PdfUnreadable, "not a PDF"),
        (b"%PDF-1.7 and then nothing", 1, errors.PdfUnreadable, "not a PDF"),
        (bytes(range(256)) * 40, 1, errors.PdfUnreadable, "not a PDF"),
        (pdf(1), 2, errors.PageCountDiffers, "expected 4 pages for 2 sheets, found 2"),
        (pdf(3), 2, errors.PageCountDiffers, "expected 4 pages for 2 sheets, found 6"),
        (pdf(1, sides=1), 1, errors.PageCountDiffers, "expected 2 pages for 1 sheets, found 1"),  # without its back
        (pdf(3, sides=1), 1, errors.PageCountDiffers, "found 3"),
        (pdf(3, sides=1), 2, errors.PageCountDiffers, "found 3"),
        (pdf(1, size=LETTER), 1, errors.PageSizeDiffers, "page 1: MediaBox"),
        (pdf(1, size=A5), 1, errors.PageSizeDiffers, "page 1: MediaBox"),
        (pdf(1, size=landscape(A4)), 1, errors.PageSizeDiffers, "page 1: MediaBox"),
        (pdf(1, size=(A4[0], A4[1] + 0.1)), 1, errors.PageSizeDiffers, "page 1: MediaBox"),
        (changed(pdf(2), "/CropBox", [0, 0, 300, 300]), 2, errors.PageSizeDiffers, "page 4: CropBox"),
        (changed(pdf(2), "/Rotate", 90), 2, errors.PageSizeDiffers, "page 4: rotated by 90"),
    ],
)
def test_what_is_no_such_document_is_refused(
    document: bytes, sheets: int, error: type[errors.PdfRefused], words: str
) -> None:
    with pytest.raises(error, match=words):
        check_pdf(document, sheets)


def test_arguments_that_would_crash_or_leak_are_refused(folder: Path) -> None:
    transport, document = Cups(folder / "cups.sock", QUEUE), pdf()
    with pytest.raises(TypeError, match="pdf must be bytes"):
        transport.submit_held("order-1", bytearray(document), 1, digest(document))  # type: ignore[arg-type] # the fault
    for name in ("", "a b", "山田太郎", "x" * 65, "a\nb", "../a"):
        with pytest.raises(ValueError, match="order_id"):
            transport.submit_held(name, document, 1, digest(document))


def test_no_cupsd_is_a_typed_error(folder: Path) -> None:
    document = pdf()
    with pytest.raises(errors.CupsUnavailable):
        Cups(folder / "cups.sock", QUEUE).submit_held("order-1", document, 1, digest(document))


@pytest.mark.parametrize(
    "error",
    [
        errors.CupsUnavailable("no answer"),
        errors.QueueStopped("stopped", 1282),
        errors.PrinterError("refused", 1030),
        errors.DigestMismatch("order-1: not those of the grant"),
    ],
)
def test_errors_travel_between_processes(error: errors.PressError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own bytes
    assert (type(back), back.detail, vars(back)) == (type(error), error.detail, vars(error))


@pytest.mark.parts
def test_options_arrive_at_cups_as_they_were_given(parts: Parts) -> None:
    job = parts.submit("order-1", pdf(2), 2)
    wanted = {
        "job-hold-until": "indefinite",
        "job-name": "order-1",
        "job-originating-user-name": REQUESTING_USER,
        "media": "iso_a4_210x297mm",
        "print-color-mode": "color",
        "print-scaling": "none",
        "sides": "two-sided-long-edge",
    }
    found = cups.Connection(str(parts.cupsd.socket)).getJobAttributes(job.cups_job_id)
    assert {key: found.get(key) for key in wanted} == wanted
    assert "number-up" not in found
    assert found["job-sheets"] in ("none", ["none", "none"])


@pytest.mark.parts
def test_a_digest_that_differs_sends_nothing(parts: Parts) -> None:
    document = pdf()
    with pytest.raises(errors.DigestMismatch):
        parts.cups.submit_held("order-1", document, 1, digest(document + b" "))
    with pytest.raises(errors.PdfRefused):
        parts.cups.submit_held("order-1", document, 2, digest(document))
    assert parts.cups.jobs() == ()
    assert parts.service.residue() == ()
    parts.cups.submit_held("order-1", document, 1, digest(document))
    assert [job.name for job in parts.cups.jobs()] == ["order-1"], "the same order goes once its digest is right"


@pytest.mark.parts
def test_an_order_is_sent_once(parts: Parts) -> None:
    job = parts.submit("order-1", pdf())
    with pytest.raises(errors.DuplicateJob):
        parts.submit("order-1", pdf())
    assert [found.job_id for found in parts.cups.jobs()] == [job.cups_job_id]


@pytest.mark.parts
def test_an_ended_job_keeps_its_name(parts: Parts) -> None:
    """CUPS unloads an ended job, and then lists it without its name unless it has to load it again."""
    job = parts.submit("order-1", pdf())
    parts.service.release(job)
    connection = cups.Connection(str(parts.cupsd.socket))

    def name_listed() -> str | None:
        listed = connection.getJobs(which_jobs="all", requested_attributes=["job-id", "job-name", "job-state"])
        return listed[job.cups_job_id].get("job-name")  # type: ignore[no-any-return] # pycups has no types

    wait_for(lambda: name_listed() is None, "the fault with the guard off: a job without a name")
    assert [found.job_id for found in parts.cups.find("order-1")] == [job.cups_job_id]
    with pytest.raises(errors.DuplicateJob):
        parts.submit("order-1", pdf())
    parts.service.purge(job)
    assert parts.service.residue() == ()


HALF_A_DOCUMENT = """
import os, sys, cups
connection = cups.Connection(sys.argv[1])
held = {"job-hold-until": "indefinite"} if sys.argv[2] == "held" else {}
job = connection.createJob("sheets", "order-dead", held)
connection.startDocument("sheets", job, "order-dead", "application/pdf", 1)
document = sys.stdin.buffer.read()
connection.writeRequestData(document, len(document))
if sys.argv[3] == "finish":
    connection.finishDocument("sheets")
os._exit(9)
"""


def run_client(parts: Parts, *words: str) -> None:
    """Run a client that ends without a word after it has sent a whole document, finished or not."""
    ended = subprocess.run(
        [sys.executable, "-c", HALF_A_DOCUMENT, str(parts.cupsd.socket), *words], input=pdf(), timeout=20, check=False
    )
    assert ended.returncode == 9


@pytest.mark.parts
@pytest.mark.parametrize("held", ["held", "free"])
def test_a_client_that_dies_before_the_end_of_the_document_prints_nothing(parts: Parts, held: str) -> None:
    run_client(parts, held, "die")
    job = parts.submit("order-next", pdf())
    before = parts.service.counters()
    parts.service.release(job)
    assert parts.service.verdict(job, before).outcome == Outcome.PRINTED
    assert [paper.name for paper in parts.printer.papers()] == ["000001-order-next.pdf"]
    parts.service.purge_all()
    assert parts.service.residue() == ()


@pytest.mark.parts
def test_a_document_that_was_finished_prints_without_its_client(parts: Parts) -> None:
    run_client(parts, "free", "finish")  # so that the test above is about the document's end and nothing else
    wait_for(lambda: len(parts.printer.papers()) == 1, "the paper")


@pytest.mark.parts
@pytest.mark.parametrize("waits", [False, True])
def test_a_purge_waits_for_the_backend(folder: Path, waits: bool) -> None:
    """Cancelled and purged at once, the job is listed and in the spool again when its backend has ended."""
    with press_parts(folder, command=f"while [ ! -e {folder}/go ]; do sleep 0.02; done") as parts:
        job = parts.submit("order-1", pdf())
        parts.service.release(job)
        wait_for(lambda: bool(parts.at_printer.find("order-1")), "the job at the printer")
        if waits:
            parts.service.purge(job)
        else:
            connection = cups.Connection(str(parts.cupsd.socket))
            connection.cancelJob(job.cups_job_id)
            connection.cancelJob(job.cups_job_id, purge_job=True)
            wait_for(lambda: not backends(parts), "the backend's end")
        assert not backends(parts)
        assert [found.name for found in parts.cups.jobs()] == ([] if waits else ["order-1"])
        assert parts.service.residue() == (() if waits else ("c00001",))
        (folder / "go").touch()


def backends(parts: Parts) -> list[str]:
    """Return the processes that work for this cupsd, itself left out."""
    mark = f"CUPS_SERVERROOT={parts.cupsd.root}/etc".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "comm").read_text().strip())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return [name for name in found if name not in {"cupsd", "setpriv"}]


@pytest.mark.parts
def test_a_stopped_queue_releases_nothing_and_is_emptied_before_it_is_enabled(parts: Parts) -> None:
    job = parts.submit("order-1", pdf())
    connection = cups.Connection(str(parts.cupsd.socket))
    connection.disablePrinter(QUEUE)
    with pytest.raises(errors.QueueStopped):
        parts.service.release(job)
    with pytest.raises(errors.QueueStopped):
        parts.submit("order-2", pdf())
    assert parts.service.check().reasons == ("queue-stopped", "queue-has-unfinished-jobs")
    connection.setJobHoldUntil(job.cups_job_id, "no-hold")  # a job that waits would print as soon as it is enabled
    parts.service.purge_all()
    assert parts.service.check().ready
    following = parts.submit("order-3", pdf())
    before = parts.service.counters()
    parts.service.release(following)
    assert parts.service.verdict(following, before).outcome == Outcome.PRINTED
    assert [paper.name for paper in parts.printer.papers()] == ["000001-order-3.pdf"]


@pytest.mark.parts
def test_refusals_of_cups_have_names(parts: Parts) -> None:
    document = pdf()
    with pytest.raises(errors.CupsError) as no_queue:
        Cups(parts.cupsd.socket, "nowhere").submit_held("order-1", document, 1, digest(document))
    assert no_queue.value.ipp_status is not None
    with pytest.raises(errors.NoSuchJob):
        parts.cups.release(77)
    with pytest.raises(errors.NoSuchJob):
        parts.cups.cancel(77)
    parts.cups.purge(77)
    cups.Connection(str(parts.cupsd.socket)).rejectJobs(QUEUE)
    with pytest.raises(errors.QueueRejecting):
        parts.submit("order-1", document)
    parts.service.purge_all()
    parts.submit("order-1", document)
