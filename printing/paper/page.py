"""A document under construction: A4 sheets, measured in mm from the top left corner, drawn through a ReportLab canvas.

ReportLab keeps the file's structure; text is set with our own fonts (fonts.py), and no font is registered anywhere,
so that the bytes are a function of what was drawn in this document and of nothing else.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reportlab import rl_config
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFName, PDFStream, PDFZCompress
from reportlab.pdfgen.canvas import Canvas

from printing.paper.errors import ValueTooLong
from printing.paper.fonts import DocumentFont, Face, FaceList, Fonts, units

# ReportLab would write page streams in ASCII, a third of a document's whole time. Set once, before anything is drawn.
rl_config.useA85 = 0

PT_PER_MM = mm
MIN_SIZE_PT = 6.0  # the smallest type that an officer signs; below it a value wraps, and then is refused
MIN_READING_PT = 4.5  # of readings above a name, as ruby is set
SIZE_STEP_PT = 0.25
LEADING = 1.18  # line distance by type size
_BASELINE_EM = 0.38  # from the middle of an em box down to its baseline

Colour = tuple[float, float, float]
BLACK: Colour = (0.0, 0.0, 0.0)
WHITE: Colour = (1.0, 1.0, 1.0)


class Align(StrEnum):
    """Where text stands in its cell."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on the sheet; mm from the top left corner."""

    left_mm: float
    top_mm: float
    width_mm: float
    height_mm: float

    def inset(self, by_mm: float) -> Box:
        """Return the rectangle inside this one, smaller on every side."""
        return Box(self.left_mm + by_mm, self.top_mm + by_mm, self.width_mm - 2 * by_mm, self.height_mm - 2 * by_mm)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A value's type size and lines, as they fit its cell."""

    size_pt: float
    lines: tuple[str, ...]


def fit(
    faces: FaceList,
    text: str,
    width_mm: float,
    height_mm: float,
    size_pt: float,
    *,
    item: str,
    min_pt: float = MIN_SIZE_PT,
) -> Fitted:
    """Return how a value fits: shrunk on one line to min_pt at the least, then wrapped at that size.

    Errors: ValueTooLong(item) where even that does not hold it; UndrawableText.
    """
    width_pt = width_mm * PT_PER_MM
    width_em = faces.width_em(text)
    if width_em * size_pt <= width_pt:
        return Fitted(size_pt, (text,))
    shrunk_pt = (width_pt / width_em) // SIZE_STEP_PT * SIZE_STEP_PT
    if shrunk_pt >= min_pt:
        return Fitted(shrunk_pt, (text,))
    most = int(height_mm * PT_PER_MM / (min_pt * LEADING))
    for at_spaces in (True, False):
        lines = _wrap(faces, text, width_pt / min_pt, at_spaces=at_spaces)
        if len(lines) <= most:
            return Fitted(min_pt, lines)
    raise ValueTooLong(item)


def _wrap(faces: FaceList, text: str, width_em: float, *, at_spaces: bool) -> tuple[str, ...]:
    """Break a text into lines: between any two units, or at the last space of a line's second half if there is one."""
    lines: list[str] = []
    line: list[str] = []
    used_em = 0.0
    for unit in units(text):
        advance_em = faces.width_em(unit)
        if line and used_em + advance_em > width_em:
            cut = len(line)
            if at_spaces and unit != " ":
                cut = next((n for n in range(len(line), len(line) // 2, -1) if line[n - 1] == " "), cut)
            lines.append("".join(line[:cut]))
            line = line[cut:]
            used_em = faces.width_em("".join(line))
        line.append(unit)
        used_em += advance_em
    lines.append("".join(line))
    return tuple(lines)


class _Canvas(Canvas):
    """A canvas without ReportLab's initial Helvetica, which would be a font that is not embedded."""

    _doc: Any  # the document behind the canvas; its stub leaves it out
    _formsinuse: list[str]  # pictures on the current page

    def _make_preamble(self) -> None:
        self._preamble = "1 0 0 1 0 0 cm"


class Document:
    """One PDF under construction."""

    def __init__(self, fonts: Fonts, title: str, author: str) -> None:
        self.fonts = fonts
        self._out = io.BytesIO()
        self._canvas = _Canvas(self._out, pagesize=A4, pageCompression=1, invariant=1, lang="ja-JP")
        self._canvas.setTitle(title)
        self._canvas.setAuthor(author)
        self._canvas.setCreator("Madoguchi")
        self._fonts: dict[Face, tuple[str, DocumentFont]] = {}
        self._pictures: set[str] = set()

    def next_page(self) -> None:
        """Finish a sheet; another one begins with what is drawn next."""
        self._canvas.showPage()

    def finish(self) -> bytes:
        """Return the document's bytes; the last sheet was finished by next_page."""
        self._canvas.save()
        return self._out.getvalue()

    def text(
        self, faces: FaceList, text: str, x_mm: float, middle_mm: float, size_pt: float, *, align: Align = Align.LEFT
    ) -> None:
        """Set one line of text; x_mm is its left end, middle or right end, middle_mm the middle of its em boxes.

        Errors: UndrawableText.
        """
        runs = faces.runs(text)
        width_pt = sum(face.advance_em(glyph) for _unit, face, glyph in runs) * size_pt
        x_pt = x_mm * PT_PER_MM - {Align.LEFT: 0.0, Align.CENTRE: width_pt / 2, Align.RIGHT: width_pt}[align]
        y_pt = _y_pt(middle_mm) - _BASELINE_EM * size_pt
        parts: list[str] = []
        current: Face | None = None
        for unit, face, glyph in runs:
            name, font = self._font(face)
            if face is not current:
                parts.append(f"{'> Tj ' if current else ''}/{name} {size_pt:g} Tf <")
                current = face
            parts.append(f"{font.code(unit, glyph):04X}")
        if parts:
            self._add(f"BT 1 0 0 1 {x_pt:.3f} {y_pt:.3f} Tm {''.join(parts)}> Tj ET")

    def value(
        self,
        text: str,
        box: Box,
        size_pt: float,
        item: str,
        *,
        align: Align = Align.LEFT,
        padding_mm: float = 1.2,
        min_pt: float = MIN_SIZE_PT,
    ) -> None:
        """Set a register's value in its cell: shrunk, then wrapped, never cut.

        Errors: ValueTooLong(item), UndrawableText.
        """
        faces = self.fonts.values
        fitted = fit(faces, text, box.width_mm - 2 * padding_mm, box.height_mm, size_pt, item=item, min_pt=min_pt)
        pitch_mm = fitted.size_pt * LEADING / PT_PER_MM
        x_mm = {
            Align.LEFT: box.left_mm + padding_mm,
            Align.CENTRE: box.left_mm + box.width_mm / 2,
            Align.RIGHT: box.left_mm + box.width_mm - padding_mm,
        }[align]
        first_mm = box.top_mm + box.height_mm / 2 - pitch_mm * (len(fitted.lines) - 1) / 2
        for number, line in enumerate(fitted.lines):
            self.text(faces, line, x_mm, first_mm + number * pitch_mm, fitted.size_pt, align=align)

    def label(self, text: str, box: Box, size_pt: float = 7.5) -> float:
        """Set one of the form's own words in the middle of its cell, shrunk to the cell's width; return the size."""
        faces = self.fonts.labels
        size_pt = min(size_pt, (box.width_mm - 1.0) * PT_PER_MM / faces.width_em(text) // SIZE_STEP_PT * SIZE_STEP_PT)
        self.text(
            faces, text, box.left_mm + box.width_mm / 2, box.top_mm + box.height_mm / 2, size_pt, align=Align.CENTRE
        )
        return size_pt

    def frame(self, box: Box, line_pt: float, colour: Colour = BLACK) -> None:
        """Rule a rectangle."""
        self._add("q {:g} {:g} {:g} RG ".format(*colour) + f"{line_pt:g} w {_rectangle(box)} S Q")

    def fill(self, box: Box, colour: Colour) -> None:
        """Fill a rectangle; the colour holds for this rectangle alone."""
        self.paths([_rectangle(box)], colour)

    def line(self, from_mm: tuple[float, float], to_mm: tuple[float, float], line_pt: float) -> None:
        """Rule a line."""
        (x0, y0), (x1, y1) = from_mm, to_mm
        self._add(f"{line_pt:g} w {x0 * PT_PER_MM:.3f} {_y_pt(y0):.3f} m {x1 * PT_PER_MM:.3f} {_y_pt(y1):.3f} l S")

    def paths(self, paths: list[str], colour: Colour) -> None:
        """Fill paths given as PDF operators in points."""
        self._add("q " + "{:g} {:g} {:g} rg ".format(*colour) + "\n".join(paths) + " f Q")

    def grid(self, paths: list[str], at_mm: tuple[float, float], step_mm: float) -> None:
        """Fill paths given in whole steps of a grid that runs right and down from a point."""
        step_pt = step_mm * PT_PER_MM
        matrix = f"{step_pt:.5f} 0 0 {-step_pt:.5f} {at_mm[0] * PT_PER_MM:.5f} {_y_pt(at_mm[1]):.5f} cm"
        self.paths([matrix, *paths], BLACK)

    def outlines(
        self,
        faces: FaceList,
        text: str,
        at_mm: tuple[float, float],
        size_pt: float,
        *,
        colour: Colour,
        angle: float = 0.0,
    ) -> None:
        """Draw text as outlines, which no one can extract; at_mm is the middle of the line, angle in radians."""
        cos, sin = math.cos(angle), math.sin(angle)
        x_pt, y_pt = at_mm[0] * PT_PER_MM, _y_pt(at_mm[1])
        along_pt = -faces.width_em(text) * size_pt / 2
        for _unit, face, glyph in faces.runs(text):
            scale = size_pt / face.units_per_em
            down_pt = -_BASELINE_EM * size_pt
            x, y = x_pt + along_pt * cos - down_pt * sin, y_pt + along_pt * sin + down_pt * cos
            matrix = f"{scale * cos:.5f} {scale * sin:.5f} {-scale * sin:.5f} {scale * cos:.5f} {x:.3f} {y:.3f} cm"
            self.paths([matrix, face.outline(glyph)], colour)
            along_pt += face.advance_em(glyph) * size_pt

    def outline_in(self, faces: FaceList, unit: str, box: Box, colour: Colour) -> None:
        """Draw one unit's outline, its em box stretched to a rectangle."""
        ((_unit, face, glyph),) = faces.runs(unit)
        x_scale, y_scale = (side_mm * PT_PER_MM / face.units_per_em for side_mm in (box.width_mm, box.height_mm))
        y_pt = _y_pt(box.top_mm + box.height_mm) + (0.5 - _BASELINE_EM) * box.height_mm * PT_PER_MM
        matrix = f"{x_scale:.5f} 0 0 {y_scale:.5f} {box.left_mm * PT_PER_MM:.3f} {y_pt:.3f} cm"
        self.paths([matrix, face.outline(glyph)], colour)

    def bitmap(self, name: str, width_px: int, height_px: int, rows: bytes, box: Box) -> None:
        """Draw a picture of one bit a pixel in black on what is there; rows are padded to bytes, 1 is paper.

        name: the same for the same picture within a document.
        """
        self._add("q 0 0 0 rg " + self._picture(name, width_px, height_px, rows, [box]) + " Q")

    def tiled(self, name: str, width_px: int, height_px: int, rows: bytes, tile: Box, *, colour: Colour) -> None:
        """Cover the whole sheet with a picture of one bit a pixel, laid side by side from a tile's upper left corner.

        name: the same for the same picture within a document.
        """
        (sheet_width_mm, sheet_height_mm) = (side_pt / PT_PER_MM for side_pt in A4)
        columns = math.ceil((sheet_width_mm - tile.left_mm) / tile.width_mm)
        lines = math.ceil((sheet_height_mm - tile.top_mm) / tile.height_mm)
        boxes = [
            Box(
                tile.left_mm + column * tile.width_mm,
                tile.top_mm + line * tile.height_mm,
                tile.width_mm,
                tile.height_mm,
            )
            for line in range(lines)
            for column in range(columns)
        ]
        self._add("q {:g} {:g} {:g} rg ".format(*colour) + self._picture(name, width_px, height_px, rows, boxes) + " Q")

    def _picture(self, name: str, width_px: int, height_px: int, rows: bytes, boxes: list[Box]) -> str:
        """Return the operators that draw a picture of one bit a pixel; its object is made at its first use."""
        if name not in self._pictures:
            self._pictures.add(name)
            entries = {
                "Type": PDFName("XObject"),
                "Subtype": PDFName("Image"),
                "Width": width_px,
                "Height": height_px,
                "ImageMask": "true",
                "BitsPerComponent": 1,
            }
            picture = PDFStream(dictionary=PDFDictionary(entries), content=rows, filters=[PDFZCompress])
            self._canvas._doc.addForm(name, picture)
        self._canvas._formsinuse.append(name)
        reference = self._canvas._doc.getXObjectName(name)
        draws = []
        for box in boxes:
            size = f"{box.width_mm * PT_PER_MM:.3f} 0 0 {box.height_mm * PT_PER_MM:.3f}"
            place = f"{box.left_mm * PT_PER_MM:.3f} {_y_pt(box.top_mm + box.height_mm):.3f}"
            draws.append(f"q {size} {place} cm /{reference} Do Q")
        return "\n".join(draws)

    def _font(self, face: Face) -> tuple[str, DocumentFont]:
        known = self._fonts.get(face)
        if known is None:
            name = f"M{len(self._fonts) + 1}"
            font = DocumentFont(face, name)
            # ReportLab calls addObjects of these when the document is finished and every code is known.
            self._canvas._doc.delayedFonts.append(font)
            known = self._fonts[face] = (name, font)
        return known

    def _add(self, operators: str) -> None:
        self._canvas.addLiteral(operators)


def _y_pt(y_mm: float) -> float:
    return float(A4[1]) - y_mm * PT_PER_MM


def _rectangle(box: Box) -> str:
    y_pt = _y_pt(box.top_mm + box.height_mm)
    sizes = (box.left_mm * PT_PER_MM, y_pt, box.width_mm * PT_PER_MM, box.height_mm * PT_PER_MM)
    return " ".join(f"{size:.3f}" for size in sizes) + " re"
