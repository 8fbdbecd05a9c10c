"""Do all engines draw the same, and the right glyphs? Judged by pictures, against HarfBuzz's own outlines.

The reference page is drawn from the outlines that HarfBuzz gives for each unit, as plain paths, and rasterised by the
same pdfium as the engines' pages. A name's glyph is right where its cell's picture is nearest to the right outline,
and near it; the base glyph, another variant, the font's box and nothing at all stand as candidates beside it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import pikepdf
import pypdfium2 as pdfium
import uharfbuzz as hb
from PIL import Image, ImageChops, ImageFilter, ImageStat

from printing.paper.fonts import Face, units
from tests.benches.content import LABEL_FONT, PAGE_HEIGHT_PT, PAGE_WIDTH_PT, VALUE_FONT, Page, Text

GLYPH_DPI = 300
PAGE_DPI = 100
#: How much of a glyph's ink may differ: hinting and rounded places do that, another glyph does more.
GLYPH_DIFFERENCE_MAX = 0.35
#: The same of a whole page, after a blur of a pixel at PAGE_DPI.
PAGE_DIFFERENCE_MAX = 0.1
#: The same of one line of text.
LINE_DIFFERENCE_MAX = 0.45
_SHIFTS = tuple((x, y) for x in (-1, 0, 1) for y in (-1, 0, 1))

Substitute = Callable[[Face, str, int], int | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was seen on one page."""

    glyphs: int
    glyphs_right: int
    names: int
    names_extracted: int
    lines: int
    lines_right: int
    page_difference: float


class Judge:
    """Compares engines' pages with outlines from the original fonts."""

    @cached_property
    def _values(self) -> Face:
        return Face(VALUE_FONT, "the value font")

    @cached_property
    def _labels(self) -> Face:
        return Face(LABEL_FONT, "the label font")

    @cached_property
    def _variants(self) -> dict[str, list[int]]:
        """All variant glyphs of each base."""
        face = hb.Face(hb.Blob.from_file_path(str(VALUE_FONT)))
        found: dict[str, list[int]] = {}
        for selector in face.variation_selectors:
            for base in face.variation_unicodes(selector):
                glyph = self._values.glyph(chr(base) + chr(selector))
                if glyph is not None:
                    found.setdefault(chr(base), []).append(glyph)
        return found

    def judge(self, pdf: bytes, page: Page, *, whole: bool = True) -> Verdict:
        """Return what a PDF's first page shows of this page; whole: it shows nothing else."""
        drawn = raster(pdf, GLYPH_DPI)
        names = page.names
        found = _without_spaces(extracted(pdf))
        candidates = [self._picture(names, substitute) for substitute in (_right, _box, _nothing, self._base)]
        candidates += [self._picture(names, self._variant(number)) for number in range(2)]
        if not whole:  # the latent pattern's dots would outweigh what tells one variant from another
            under = raster(_without_text(pdf), GLYPH_DPI)
            candidates = [ImageChops.multiply(candidate, under) for candidate in candidates]
        verdicts = [self._is_right(box, drawn, candidates) for text in names for box in self._places(text)]
        page_difference, lines = self._differences(pdf, page)
        return Verdict(
            glyphs=len(verdicts),
            glyphs_right=sum(verdicts),
            names=len(names),
            names_extracted=sum(_without_spaces(text.text) in found for text in names),
            lines=len(lines),
            lines_right=sum(line <= LINE_DIFFERENCE_MAX for line in lines),
            page_difference=page_difference if whole else 0.0,
        )

    def outline_page(self, page: Page, substitute: Substitute | None = None) -> bytes:
        """Return a PDF of the page drawn as outlines; substitute puts other glyphs into the values."""
        parts = [
            f"{r.line_pt:g} w {r.left_pt:.3f} {PAGE_HEIGHT_PT - r.top_pt - r.height_pt:.3f} "
            f"{r.width_pt:.3f} {r.height_pt:.3f} re S"
            for r in page.rules
        ]
        for text in page.texts:
            parts += self._outlines(text, substitute or _right)
        return _pdf("\n".join(parts))

    def _outlines(self, text: Text, substitute: Substitute) -> Iterator[str]:
        face = self._labels if text.fixed else self._values
        x_pt, scale = text.x_pt, text.size_pt / face.units_per_em
        for unit in units(text.text):
            right = face.glyph(unit)
            assert right is not None
            glyph = substitute(face, unit, right)
            if glyph is not None:
                y_pt = PAGE_HEIGHT_PT - text.baseline_pt
                yield f"q {scale:.6f} 0 0 {scale:.6f} {x_pt:.3f} {y_pt:.3f} cm {face.outline(glyph)} f Q"
            x_pt += face.advance_em(right) * text.size_pt

    def _picture(self, names: tuple[Text, ...], substitute: Substitute) -> Image.Image:
        return raster(self.outline_page(Page(names, ()), substitute), GLYPH_DPI)

    def _base(self, face: Face, unit: str, right: int) -> int | None:
        return face.glyph(unit[0]) or right

    def _variant(self, number: int) -> Substitute:
        def other(face: Face, unit: str, right: int) -> int:
            others = [glyph for glyph in self._variants.get(unit[0], []) if glyph != right]
            return others[number] if number < len(others) else right

        return other

    def _places(self, text: Text) -> Iterator[tuple[int, int, int, int]]:
        """Yield the em box in pixels of each unit of a text that has ink."""
        x_pt = text.x_pt
        for unit in units(text.text):
            glyph = self._values.glyph(unit)
            assert glyph is not None
            width_pt = self._values.advance_em(glyph) * text.size_pt
            top_pt, bottom_pt = text.baseline_pt - 0.88 * text.size_pt, text.baseline_pt + 0.12 * text.size_pt
            if not unit.isspace():
                yield _pixels((x_pt, top_pt, x_pt + width_pt, bottom_pt), GLYPH_DPI)
            x_pt += width_pt

    def _is_right(self, box: tuple[int, int, int, int], drawn: Image.Image, candidates: list[Image.Image]) -> bool:
        right, *others = (candidate.crop(box) for candidate in candidates)
        ink = _ink(right)
        distance = _nearest(drawn, box, right) / ink
        wrong = [other for other in others if ImageChops.difference(right, other).getbbox() is not None]
        return distance < GLYPH_DIFFERENCE_MAX and all(distance < _nearest(drawn, box, other) / ink for other in wrong)

    def _differences(self, pdf: bytes, page: Page) -> tuple[float, list[float]]:
        """Return how much a page differs from the page of outlines, in all and line by line."""
        soft = ImageFilter.GaussianBlur(1)
        drawn = raster(pdf, PAGE_DPI).filter(soft)
        right = raster(self.outline_page(page), PAGE_DPI).filter(soft)
        boxes = [self._line_box(text) for text in page.texts]
        return _difference(drawn, right), [_difference(drawn.crop(box), right.crop(box)) for box in boxes]

    def _line_box(self, text: Text) -> tuple[int, int, int, int]:
        face = self._labels if text.fixed else self._values
        glyphs = [face.glyph(unit) for unit in units(text.text)]
        width_pt = sum(face.advance_em(glyph) for glyph in glyphs if glyph is not None) * text.size_pt
        # Inside the cell's rules, which would hide that a line of text is missing.
        top_pt, bottom_pt = text.baseline_pt - 0.8 * text.size_pt, text.baseline_pt + 0.05 * text.size_pt
        return _pixels((text.x_pt, top_pt, text.x_pt + width_pt, bottom_pt), PAGE_DPI)


def raster(pdf: bytes, dpi: int) -> Image.Image:
    """Return a PDF's first page as a picture in grey."""
    document = pdfium.PdfDocument(pdf)
    try:
        image: Image.Image = document[0].render(scale=dpi / 72, grayscale=True).to_pil()
        return image.convert("L")
    finally:
        document.close()


def _without_text(pdf: bytes) -> bytes:
    """Return a PDF with what lies under its first page's text alone: the forms that the page shows."""
    opened = pikepdf.open(io.BytesIO(pdf))
    page = opened.pages[0]
    shown = [command for command in pikepdf.parse_content_stream(page) if str(command.operator) == "Do"]
    page.Contents = opened.make_stream(pikepdf.unparse_content_stream(shown))
    out = io.BytesIO()
    opened.save(out)
    return out.getvalue()


def extracted(pdf: bytes) -> str:
    """Return the text of a PDF's first page as pdfium extracts it."""
    document = pdfium.PdfDocument(pdf)
    try:
        return str(document[0].get_textpage().get_text_range())
    finally:
        document.close()


def _right(_face: Face, _unit: str, right: int) -> int:
    return right


def _box(_face: Face, _unit: str, _right_glyph: int) -> int:
    return 0


def _nothing(_face: Face, _unit: str, _right_glyph: int) -> None:
    return None


def _without_spaces(text: str) -> str:
    """Engines set a space as a glyph or as a gap: both are right."""
    return "".join(text.split())


def _pixels(sides_pt: tuple[float, float, float, float], dpi: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(side_pt * dpi / 72) for side_pt in sides_pt)
    return left, top, right, bottom


def _difference(drawn: Image.Image, right: Image.Image) -> float:
    """Return how much differs, as a share of the right picture's ink."""
    return _ink(ImageChops.invert(ImageChops.difference(drawn, right))) / _ink(right)


def _ink(image: Image.Image) -> float:
    return float(ImageStat.Stat(ImageChops.invert(image)).sum[0])


def _nearest(drawn: Image.Image, box: tuple[int, int, int, int], wanted: Image.Image) -> float:
    """Return the least difference between a cell of a drawn page and a picture, a pixel to and fro."""
    left, top, right, bottom = box
    cells = (drawn.crop((left + x, top + y, right + x, bottom + y)) for x, y in _SHIFTS)
    return min(float(ImageStat.Stat(ImageChops.difference(cell, wanted)).sum[0]) for cell in cells)


def _pdf(content: str) -> bytes:
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(PAGE_WIDTH_PT, PAGE_HEIGHT_PT))
    pdf.pages[0].Contents = pdf.make_stream(content.encode("ascii"))
    out = io.BytesIO()
    pdf.save(out)
    return out.getvalue()
