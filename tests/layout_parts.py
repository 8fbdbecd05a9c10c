"""A finished page as pdfium sees it: where each line of text stands, and where the rules are."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from printing.paper.fitting import PT_PER_MM
from printing.paper.pdf import A4_PT

MARGINS_MM = (15.0, 8.0, 15.0, 6.0)  # left, top, right, bottom: no text stands in them
TOLERANCE_PT = 0.25  # a letter's ink may reach so far out of its em box


@dataclass(frozen=True, slots=True)
class Inked:
    """The ink of one line of text, or a rule; in pt from the lower left corner."""

    words: str
    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: Inked, by_pt: float) -> bool:
        """Whether the two lie upon one another by more than so much, both ways."""
        across = min(self.right, other.right) - max(self.left, other.left)
        up = min(self.top, other.top) - max(self.bottom, other.bottom)
        return across > by_pt and up > by_pt


def faults(pdf: bytes) -> list[str]:
    """Return what is wrong with a paper's pages: text in the margins, on other text, or on a rule."""
    found: list[str] = []
    document = pdfium.PdfDocument(pdf)
    try:
        for number in range(len(document)):
            page = document[number]
            found += [f"page {number + 1}: {fault}" for fault in page_faults(lines(page), rules(page))]
    finally:
        document.close()
    return found


def page_faults(texts: list[Inked], ruled: list[Inked]) -> Iterator[str]:
    """Yield a page's faults."""
    left, top, right, bottom = (margin_mm * PT_PER_MM for margin_mm in MARGINS_MM)
    page = Inked("", left, bottom, A4_PT[0] - right, A4_PT[1] - top)
    for at, text in enumerate(texts):
        reaches = (page.left - text.left, page.bottom - text.bottom, text.right - page.right, text.top - page.top)
        if max(reaches) > TOLERANCE_PT:
            yield f"{text.words!r} stands in the margin"
        yield from (
            f"{text.words!r} on {other.words!r}" for other in texts[at + 1 :] if text.meets(other, TOLERANCE_PT)
        )
        # A rule has hardly a width: what matters is that it runs through the ink.
        yield from (f"{text.words!r} on a rule" for rule in ruled if text.meets(rule, 0.0))


def lines(page: pdfium.PdfPage) -> list[Inked]:
    """Return the ink of every line of text on a page, in the order of drawing."""
    textpage = page.get_textpage()
    boxes: dict[int, list[Any]] = {}
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    for index in range(textpage.count_chars()):
        line = pdfium_c.FPDFText_GetTextObject(textpage.raw, index)
        letter = chr(pdfium_c.FPDFText_GetUnicode(textpage.raw, index))
        if not line or letter.isspace():
            continue
        pdfium_c.FPDFText_GetCharBox(textpage.raw, index, left, right, bottom, top)
        entry = (letter, left.value, bottom.value, right.value, top.value)
        boxes.setdefault(ctypes.addressof(line.contents), []).append(entry)
    return [_around(entries) for entries in boxes.values()]


def _around(entries: list[tuple[str, float, float, float, float]]) -> Inked:
    words, left, bottom, right, top = zip(*entries, strict=True)
    return Inked("".join(words), min(left), min(bottom), max(right), max(top))


def rules(page: pdfium.PdfPage) -> list[Inked]:
    """Return every straight stroke on a page, as wide as it is drawn."""
    return [
        rule
        for path in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_PATH])
        if _is_stroked(path)
        for rule in _strokes(path)
    ]


def _is_stroked(path: pdfium.PdfObject) -> bool:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium_c.FPDFPath_GetDrawMode(path.raw, fill, stroke)
    return bool(stroke.value)


def _strokes(path: pdfium.PdfObject) -> Iterator[Inked]:
    width, x, y = ctypes.c_float(), ctypes.c_float(), ctypes.c_float()
    pdfium_c.FPDFPageObj_GetStrokeWidth(path.raw, width)
    half = width.value / 2
    points: list[tuple[float, float]] = []
    for index in range(pdfium_c.FPDFPath_CountSegments(path.raw)):
        segment = pdfium_c.FPDFPath_GetPathSegment(path.raw, index)
        pdfium_c.FPDFPathSegment_GetPoint(segment, x, y)
        points.append((x.value, y.value))
        if pdfium_c.FPDFPathSegment_GetClose(segment):
            points.append(points[0])
    for (x0, y0), (x1, y1) in pairwise(points):
        yield Inked("", min(x0, x1) - half, min(y0, y1) - half, max(x0, x1) + half, max(y0, y1) + half)
