"""The fonts of the papers: what can be drawn, how wide it is, and one embedded subset a document and face.

Text is split into units: one character with its variation selector, if it has one. A unit is drawn exactly or not at
all; the base glyph never stands in for a variant. Glyph lookup, outlines and subsetting are uharfbuzz's work.

`Fonts` is loaded once, before workers fork, and is passed on as a value. What belongs to one document is in
`DocumentFont`, so that a document's bytes depend on nothing that was drawn before it.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import uharfbuzz as hb
from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFStream, PDFString, PDFZCompress

from printing.paper.errors import FontMissing, UndrawableText

FONT_FOLDER = Path("/usr/share/fonts/truetype")
_INSTALL = "install the Debian package "
# The characters of 行政事務標準文字 beyond MJ stand in the private use area: in any other font their codes mean others.
_PRIVATE_USE = "Co"

# The subset serves a Type0 font with its own CID map: only outlines and horizontal metrics are of use there.
_DROPPED_TABLES = frozenset(
    ("BASE", "DSIG", "GDEF", "GPOS", "GSUB", "OS/2", "cmap", "gasp", "meta", "name", "post", "vhea", "vmtx")
)
# An Mn, Cf, ... character would need shaping, or is invisible; of the spaces only the two that names are written with.
_DRAWABLE_CATEGORIES = frozenset(
    ("Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "So", "Co")
)
_SPACES = frozenset((" ", "\u3000"))


Matrix = tuple[float, float, float, float, float, float]  # a, b, c, d, e, f as PDF has them


def is_selector(character: str) -> bool:
    """Whether a character is a variation selector (FE00-FE0F, E0100-E01EF)."""
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def units(text: str) -> Iterator[str]:
    """Split text into characters with their selector; a selector without a base is a unit of its own."""
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or not (is_selector(text[index]) and index - start == 1 and not is_selector(text[start])):
            yield text[start:index]
            start = index


class Face:
    """One font file: lookup and metrics; immutable after construction."""

    def __init__(self, path: Path, remedy: str, *, addon: bool = False) -> None:
        if not path.is_file():
            raise FontMissing(f"{path} is missing: {remedy}")
        self._source = hb.Face(hb.Blob.from_file_path(str(path)))
        self._font = hb.Font(self._source)
        self._prepared = hb.subset_preprocess(self._source)
        self._addon = addon
        self.postscript_name: str = self._source.get_name(hb.OTNameIdPredefined.POSTSCRIPT_NAME) or path.stem
        self.units_per_em: int = self._source.upem

    def glyph(self, unit: str) -> int | None:
        """Return the glyph of a unit, or None where this face has no glyph for exactly that unit."""
        base = unit[:1]
        category = unicodedata.category(base)
        if category not in _DRAWABLE_CATEGORIES and base not in _SPACES:
            return None
        if category == _PRIVATE_USE and not self._addon:
            return None
        if len(unit) == 1:
            glyph = self._font.get_nominal_glyph(ord(base))
        else:
            glyph = self._font.get_variation_glyph(ord(base), ord(unit[1]))
        return glyph or None

    def advance_em(self, glyph: int) -> float:
        """Return a glyph's advance in em."""
        return float(self._font.get_glyph_h_advance(glyph)) / self.units_per_em

    @cached_property
    def descriptor(self) -> dict[str, int]:
        """What a PDF font descriptor says of the face, in thousandths of an em."""
        extents = self._font.get_font_extents("ltr")
        scale = 1000 / self.units_per_em
        return {"Ascent": round(extents.ascender * scale), "Descent": round(extents.descender * scale)}

    def subset(self, glyphs: Iterable[int]) -> tuple[bytes, dict[int, int]]:
        """Return a TrueType file of these glyphs without hinting, and where each glyph went."""
        request = hb.SubsetInput()
        request.glyph_set.update(set(glyphs))
        request.drop_table_tag_set.update(
            int.from_bytes(tag.ljust(4).encode("ascii"), "big") for tag in _DROPPED_TABLES
        )
        request.flags = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NO_LAYOUT_CLOSURE
        plan = hb.SubsetPlan(self._prepared, request)
        return bytes(plan.execute().blob.data), dict(plan.old_to_new_glyph_mapping.items())

    def outline(self, glyph: int) -> str:
        """Return a glyph's outline as PDF path operators in font units, for marks that must not be text."""
        pen = _PathPen()
        self._font.draw_glyph_with_pen(glyph, pen)
        return " ".join(pen.operators)

    def raster(self, placed: Iterable[tuple[int, Matrix]], side_px: int) -> bytes:
        """Return glyphs drawn into one square picture, a byte a pixel, rows from the top; 255 is wholly covered.

        placed: glyphs, each with the matrix from font units to pixels, counted from the lower left corner.
        """
        raster = hb.RasterDraw()
        raster.extents = hb.RasterExtents(0, 0, side_px, side_px, side_px)
        for glyph, matrix in placed:
            raster.transform = matrix
            raster.draw_glyph(self._font, glyph)
        from_bottom = bytes(raster.render().buffer)
        return b"".join(from_bottom[y * side_px : (y + 1) * side_px] for y in range(side_px - 1, -1, -1))


class _PathPen:
    """Collects an outline as PDF operators; PDF has cubic curves only."""

    def __init__(self) -> None:
        self.operators: list[str] = []
        self._at = (0.0, 0.0)

    def _add(self, operator: str, *points: tuple[float, float]) -> None:
        self.operators.append(" ".join(f"{x:.1f} {y:.1f}" for x, y in points) + " " + operator)
        self._at = points[-1]

    def moveTo(self, point: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self._add("m", point)

    def lineTo(self, point: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self._add("l", point)

    def curveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self._add("c", *points)

    def qCurveTo(self, control: tuple[float, float], end: tuple[float, float]) -> None:  # noqa: N802 - the same
        start = self._at
        first = tuple(s + 2 / 3 * (c - s) for s, c in zip(start, control, strict=True))
        second = tuple(e + 2 / 3 * (c - e) for e, c in zip(end, control, strict=True))
        self._add("c", (first[0], first[1]), (second[0], second[1]), end)

    def closePath(self) -> None:  # noqa: N802 - the pen protocol's name
        self.operators.append("h")


class FaceList:
    """Faces in order of preference: a unit is drawn by the first that has it."""

    def __init__(self, *faces: Face) -> None:
        self.faces = faces

    def find(self, unit: str) -> tuple[Face, int] | None:
        """Return face and glyph for a unit, or None if no face can draw it."""
        for face in self.faces:
            glyph = face.glyph(unit)
            if glyph is not None:
                return face, glyph
        return None

    def undrawable(self, text: str) -> tuple[str, ...]:
        """Return every sequence of the text that cannot be drawn, once each, in order of appearance."""
        return tuple(dict.fromkeys(unit for unit in units(text) if self.find(unit) is None))

    def width_em(self, text: str) -> float:
        """Return the width of a text set on one line, in em.

        Errors: UndrawableText with all sequences that cannot be drawn.
        """
        return sum(face.advance_em(glyph) for _unit, face, glyph in self.runs(text))

    def runs(self, text: str) -> list[tuple[str, Face, int]]:
        """Return (unit, face, glyph) for a whole text.

        Errors: UndrawableText with all sequences that cannot be drawn.
        """
        found = [(unit, self.find(unit)) for unit in units(text)]
        if any(hit is None for _unit, hit in found):
            raise UndrawableText(self.undrawable(text))
        return [(unit, *hit) for unit, hit in found if hit is not None]


@dataclass(frozen=True, slots=True)
class Fonts:
    """All fonts of the papers: `values` draws what registers say, `labels` the form's own words."""

    values: FaceList
    labels: FaceList
    headings: FaceList

    @classmethod
    def load(cls, folder: Path = FONT_FOLDER, addon: Path | None = None) -> Fonts:
        """Load the fonts, once in a process's life and before it forks.

        addon: the font of the characters of 行政事務標準文字 beyond the MJ collection, where the operator has one.
        Errors: FontMissing, naming the Debian package.
        """
        mincho = Face(folder / "ipamj" / "ipamjm.ttf", _INSTALL + "fonts-ipamj-mincho")
        label = Face(folder / "bizud-mincho" / "BIZUDMincho-Regular.ttf", _INSTALL + "fonts-morisawa-bizud-mincho")
        heading = Face(folder / "bizud-gothic" / "BIZUDGothic-Regular.ttf", _INSTALL + "fonts-morisawa-bizud-gothic")
        extra = () if addon is None else (Face(addon, "it is configured as the font of add-on characters", addon=True),)
        return cls(values=FaceList(mincho, *extra), labels=FaceList(label, mincho), headings=FaceList(heading, mincho))

    def undrawable(self, text: str) -> tuple[str, ...]:
        """Return every sequence of a register's text that cannot be drawn; an officer hears of it at intake."""
        return self.values.undrawable(text)


class DocumentFont:
    """What one document uses of one face: a Type0 font with Identity-H codes in the order of first use.

    A code stands for a unit, not for a glyph: base and base + selector may share a glyph and must still be extracted
    as what they were. ReportLab asks for `addObjects` when the document is finished.
    """

    def __init__(self, face: Face, resource_name: str) -> None:
        self._face = face
        self._resource_name = resource_name
        self._codes: dict[str, int] = {}
        self._glyphs: list[int] = []

    def code(self, unit: str, glyph: int) -> int:
        """Return the document's code for a unit, giving it one at first use."""
        code = self._codes.get(unit)
        if code is None:
            self._glyphs.append(glyph)
            code = self._codes[unit] = len(self._glyphs)
        return code

    def addObjects(self, doc: Any) -> None:  # noqa: N802 - ReportLab's name
        """Add the font's objects to a ReportLab document and to its pages' resources."""
        program, places = self._face.subset(self._glyphs)
        digest = hashlib.sha256(program).digest()
        name = "".join(chr(65 + byte % 26) for byte in digest[:6]) + "+" + self._face.postscript_name
        ref = self._resource_name
        file = _stream(program, {"Length1": len(program)})
        cid_to_gid = b"\0\0" + b"".join(places[glyph].to_bytes(2, "big") for glyph in self._glyphs)
        descriptor = PDFDictionary(
            {
                "Type": PDFName("FontDescriptor"),
                "FontName": PDFName(name),
                "Flags": 4,
                "FontBBox": PDFArray([0, self._face.descriptor["Descent"], 1000, self._face.descriptor["Ascent"]]),
                "ItalicAngle": 0,
                **self._face.descriptor,
                "CapHeight": self._face.descriptor["Ascent"],
                "StemV": 80,
                "FontFile2": doc.Reference(file, f"{ref}.file"),
            }
        )
        widths = [round(self._face.advance_em(glyph) * 1000) for glyph in self._glyphs]
        descendant = PDFDictionary(
            {
                "Type": PDFName("Font"),
                "Subtype": PDFName("CIDFontType2"),
                "BaseFont": PDFName(name),
                "CIDSystemInfo": PDFDictionary(
                    {"Registry": PDFString("Adobe"), "Ordering": PDFString("Identity"), "Supplement": 0}
                ),
                "FontDescriptor": doc.Reference(descriptor, f"{ref}.descriptor"),
                "DW": 1000,
                "W": PDFArray([1, PDFArray(widths)]),
                "CIDToGIDMap": doc.Reference(_stream(cid_to_gid), f"{ref}.map"),
            }
        )
        font = PDFDictionary(
            {
                "Type": PDFName("Font"),
                "Subtype": PDFName("Type0"),
                "BaseFont": PDFName(name),
                "Encoding": PDFName("Identity-H"),
                "DescendantFonts": PDFArray([doc.Reference(descendant, f"{ref}.descendant")]),
                "ToUnicode": doc.Reference(_stream(to_unicode(self._codes)), f"{ref}.unicode"),
            }
        )
        doc.idToObject["BasicFonts"].dict[ref] = doc.Reference(font, ref)


def to_unicode(codes: dict[str, int]) -> bytes:
    """Return a ToUnicode CMap: code -> base and selector in UTF-16."""
    lines = [f"<{code:04X}> <{unit.encode('utf-16-be').hex().upper()}>" for unit, code in codes.items()]
    blocks = [
        lines[start : start + 100] for start in range(0, len(lines), 100)
    ]  # a block holds at most 100 by the rule
    body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        f"{body}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode("ascii")


def _stream(content: bytes, entries: dict[str, int] | None = None) -> PDFStream:
    return PDFStream(dictionary=PDFDictionary(dict(entries or {})), content=content, filters=[PDFZCompress])
