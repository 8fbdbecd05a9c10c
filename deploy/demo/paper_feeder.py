"""What the demo's printer runs for each document: it comes out as a file, and its printed sides are counted.

Run by ippeveprinter as `paper_feeder.py OUTPUT DOCUMENT`, with the job's attributes in the environment. What it writes
as ATTR to its error output becomes the job's attributes: a witness of its own, counted from what came out.
A paper's pages are front, back, front, back: a job that is printed on one side alone comes out with empty backs.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pypdfium2

NUMBER_MAX = 999_999
TWO_SIDED = "two-sided-"


def come_out(document: Path, output: Path, job_name: str) -> Path:
    """Put the document into the folder of papers under the next number, in one step, and return where it is."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", job_name) or "unnamed"
    unfinished = output / f".unfinished-{os.getpid()}"
    shutil.copyfile(document, unfinished)
    numbers = [int(paper.name[:6]) for paper in output.glob("[0-9][0-9][0-9][0-9][0-9][0-9]-*.pdf")]
    try:
        for number in range(max(numbers, default=0) + 1, NUMBER_MAX + 1):
            paper = output / f"{number:06}-{name}.pdf"
            if not any(output.glob(f"{number:06}-*")):
                os.link(unfinished, paper)  # fails where a rename would replace a paper
                return paper
    finally:
        unfinished.unlink()
    raise RuntimeError("the folder of papers is full")


def _leave_backs_empty(pdf: pypdfium2.PdfDocument) -> None:
    for number in reversed(range(len(pdf))):
        width_pt, height_pt = pdf.get_page_size(number)
        pdf.new_page(width_pt, height_pt, number + 1)


def main() -> int:
    """Let the document come out; a document that is no PDF is aborted before anything does."""
    output, document = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        with pypdfium2.PdfDocument(document.read_bytes()) as pdf:
            pages = len(pdf)
            if not os.environ.get("IPP_SIDES", "").startswith(TWO_SIDED):
                _leave_backs_empty(pdf)
                pdf.save(document)
    except pypdfium2.PdfiumError:
        return 1
    come_out(document, output, os.environ.get("IPP_JOB_NAME", ""))
    document.unlink()  # ippeveprinter keeps it for a minute more; a printer forgets what has come out
    sys.stderr.write(f"ATTR: job-impressions={pages} job-impressions-completed={pages}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
