"""Pictures of the papers that came out of the demo's printer, for the dock.

A picture is drawn by a process of its own and kept in memory alone: pdfium must not be used from two threads, and the
terminal beside us uses it to look at what it prints.

    python -m deploy.demo.tray PAPER.pdf PAGE DPI      writes the number of pages, a line's end, and one PNG
"""

from __future__ import annotations

import io
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec
import pypdfium2

DRAW_TIMEOUT_S = 20.0
PICTURES_MAX = 64
DPI = (40, 110)  # the small picture in the strip, and the one to look at


SIDES_A_SHEET = 2


class NoSuchPaper(LookupError):
    """No such paper lies in the tray, or it has no such page."""


class Side(StrEnum):
    """The two sides of a sheet, as they follow one another in a paper's file."""

    FRONT = "front"
    BACK = "back"


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """One paper of the tray: its number, counted from 0 in the order of coming out, and its file's name."""

    number: int
    name: str


class Tray:
    """What lies in the printer's output, until somebody takes it; taken papers stay on disk for whoever audits."""

    def __init__(self, papers: Callable[[], Sequence[Path]]) -> None:
        self._papers = papers
        self._pictures: dict[tuple[Path, int, int], tuple[int, bytes]] = {}
        self._lock = threading.Lock()
        self._taken = len(papers())

    def papers(self) -> list[Paper]:
        """Return the papers that lie there, oldest first."""
        return [Paper(number=n, name=path.name) for n, path in enumerate(self._papers()) if n >= self._taken]

    def take(self) -> None:
        """Take everything that lies there."""
        self._taken = len(self._papers())

    def sheets(self, number: int) -> int:
        """Return how many sheets a paper has. Errors: NoSuchPaper."""
        return -(-self._drawn(number, 0, DPI[0])[0] // SIDES_A_SHEET)

    def picture(self, number: int, sheet: int, side: Side, dpi: int) -> bytes:
        """Return one side of a sheet as PNG.

        Shape:  sheets count from 0; dpi is one of DPI.
        Errors: NoSuchPaper.
        """
        return self._drawn(number, SIDES_A_SHEET * sheet + (side is Side.BACK), dpi)[1]

    def _drawn(self, number: int, page: int, dpi: int) -> tuple[int, bytes]:
        papers = self._papers()
        if dpi not in DPI or not 0 <= number < len(papers):
            raise NoSuchPaper(f"paper {number}, {dpi} dpi")
        key = (papers[number], page, dpi)
        with self._lock:  # one at a time: a picture is worth a second of one core
            if key not in self._pictures:
                self._pictures[key] = _draw_apart(*key)
            while len(self._pictures) > PICTURES_MAX:
                del self._pictures[next(iter(self._pictures))]
            return self._pictures[key]


def _draw_apart(path: Path, page: int, dpi: int) -> tuple[int, bytes]:
    command = [sys.executable, "-m", "deploy.demo.tray", str(path), str(page), str(dpi)]
    drawn = subprocess.run(command, capture_output=True, timeout=DRAW_TIMEOUT_S, check=False)
    pages, _, png = drawn.stdout.partition(b"\n")
    if drawn.returncode != 0 or not png:
        raise NoSuchPaper(f"page {page} of {path.name}")
    return int(pages), png


def draw(path: Path, page: int, dpi: int) -> tuple[int, bytes]:
    """Return how many pages there are, and one of them as PNG.

    Errors: NoSuchPaper where the paper has no such page or is no PDF.
    """
    try:
        with pypdfium2.PdfDocument(path) as document:
            if not 0 <= page < len(document):
                raise NoSuchPaper(f"page {page} of {path.name}")
            pages = len(document)
            picture = document[page].render(scale=dpi / 72).to_pil()
    except pypdfium2.PdfiumError as error:
        raise NoSuchPaper(f"{path.name} is no PDF") from error
    png = io.BytesIO()
    picture.save(png, "PNG")
    return pages, png.getvalue()


def main() -> int:
    """Draw what the arguments name."""
    path, page, dpi = sys.argv[1:]
    try:
        pages, png = draw(Path(path), int(page), int(dpi))
    except NoSuchPaper as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(b"%d\n" % pages + png)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
