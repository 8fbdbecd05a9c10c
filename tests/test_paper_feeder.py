"""The demo's paper: a file whose pages are front, back, front, back, whatever a job asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.demo import paper_feeder
from printing.paper.recheck import page_texts
from tests.press_parts import pdf

TIMEOUT_S = 30


def feed(folder: Path, document: bytes, **attributes: str) -> subprocess.CompletedProcess[str]:
    """Run the feeder as the printer does."""
    (folder / "out").mkdir()
    (folder / "document.pdf").write_bytes(document)
    command = [sys.executable, "-I", paper_feeder.__file__, str(folder / "out"), str(folder / "document.pdf")]
    environment = {"IPP_JOB_NAME": "order-1", **attributes}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_a_two_sided_job_comes_out_as_it_was_sent(tmp_path: Path) -> None:
    document = pdf(2)
    done = feed(tmp_path, document, IPP_SIDES="two-sided-long-edge")
    assert (done.returncode, done.stderr) == (0, "ATTR: job-impressions=4 job-impressions-completed=4\n")
    assert (tmp_path / "out" / "000001-order-1.pdf").read_bytes() == document
    assert not (tmp_path / "document.pdf").exists()


@pytest.mark.parametrize("attributes", [{"IPP_SIDES": "one-sided"}, {}])
def test_a_job_that_lost_its_sides_comes_out_with_empty_backs(tmp_path: Path, attributes: dict[str, str]) -> None:
    assert feed(tmp_path, pdf(1), **attributes).returncode == 0
    texts = page_texts((tmp_path / "out" / "000001-order-1.pdf").read_bytes())
    assert [text.strip() for text in texts] == ["page 1", "", "page 2", ""]


def test_what_is_no_pdf_does_not_come_out(tmp_path: Path) -> None:
    assert feed(tmp_path, b"no PDF", IPP_SIDES="two-sided-long-edge").returncode == 1
    assert list((tmp_path / "out").iterdir()) == []
