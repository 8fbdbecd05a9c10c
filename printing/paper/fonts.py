"""The fonts of the papers: what can be drawn, how wide it is, and the subsets that are embedded.

Text is split into units: one character with its variation selector, if it has one. A unit is drawn exactly or not at
all; the base glyph never stands in for a variant. Glyph lookup, outlines and subsetting are uharfbuzz's work.

`Fonts` is loaded once, before workers fork, and is passed on as a value. Subsets are embedded with codes of two kinds:
`ValueCodes` for what registers say, one a document; `words_font` for the form's own words, kept between documents,
since the same labels come again and again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from struct import pack_into
from typing import NamedTuple

import uharfbuzz as hb

from printing.paper.errors import FontMissing, UndrawableText
from printing.paper.pdf import EmbeddedFont, embedded_font
from printing.paper.variation import normalised

FONT_FOLDER = Path("/usr/share/fonts/truetype")
_INSTALL = "install the Debian package "
# The characters of 行政事務標準文字 beyond MJ stand in the private use area: in any other font their codes mean others.
_PRIVATE_USE = "Co"

# The subset serves a Type0 font with its own CID map: only outlines and horizontal metrics are of use there.
_DROPPED_TABLES = frozenset(
    int.from_bytes(tag.ljust(4), "big")
    for tag in (
        *(b"BASE", b"DSIG", b"GDEF", b"GPOS", b"GSUB", b"OS/2"),
        *(b"cmap", b"gasp", b"meta", b"name", b"post", b"vhea", b"vmtx"),
    )
)
# An Mn, Cf, ... character would need shaping, or is invisible; of the spaces only the two that names are written with.
_DRAWABLE_CATEGORIES = frozenset(
    ("Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "So", "Co")
)
_SPACES = frozenset((" ", "\u3000"))


_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_UNIT = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]|.[\ufe00-\ufe0f\U000e0100-\U000e01ef]?", re.DOTALL)
_MAX_UNITS_KEPT = (
    4_096  # lookups that a process remembers: more than names commonly use, and full after some thousand papers
)

Matrix = tuple[float, float, float, float, float, float]  # a, b, c, d, e, f as PDF has them


def is_selector(character: str) -> bool:
    """Whether a character is a variation selector (FE00-FE0F, E0100-E01EF)."""
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def units(text: str) -> Sequence[str]:
    """Split text into characters with their selector; a selector without a base is a unit of its own."""
    return _UNIT.findall(text) if _SELECTOR.search(text) else text


class Hit(NamedTuple):
    """What a unit is drawn with; the advance is in em, utf16 in hexadecimal."""

    face: Face
    glyph: int
    advance_em: float
    utf16: str


class Face:
    """One font file: lookup and metrics; immutable after construction."""

    def __init__(self, path: Path, remedy: str, *, resource_name: str = "F", addon: bool = False) -> None:
        """resource_name: by which pages call this face, another one for each face of `Fonts`."""
        if not path.is_file():
            raise FontMissing(f"{path} is missing: {remedy}")
        self.path = path
        self.resource_name = resource_name
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
    def extents(self) -> tuple[int, int]:
        """Ascent and descent in thousandths of an em."""
        found = self._font.get_font_extents("ltr")
        scale = 1000 / self.units_per_em
        return round(found.ascender * scale), round(found.descender * scale)

    def subset(self, glyphs: Iterable[int]) -> tuple[bytes, dict[int, int]]:
        """Return a TrueType file of these glyphs without hinting, and where each glyph went."""
        request = hb.SubsetInput()
        request.glyph_set.update(set(glyphs))
        request.drop_table_tag_set.update(_DROPPED_TABLES)
        request.flags = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NO_LAYOUT_CLOSURE
        plan = hb.SubsetPlan(self._prepared, request)
        return bytes(plan.execute().blob.data), dict(plan.old_to_new_glyph_mapping.items())

    def embedded(self, codes: Sequence[tuple[int, Hit]], *, kept: bool) -> EmbeddedFont:
        """Return a subset under the given codes, for many files (kept) or one; a code stands for one unit."""
        program, places = self.subset([hit.glyph for _code, hit in codes])
        cid_to_gid = bytearray(2 * (max(codes)[0] + 1))
        for code, hit in codes:
            pack_into(">H", cid_to_gid, 2 * code, places[hit.glyph])
        return embedded_font(
            program,
            self.postscript_name,
            self.extents,
            advances={code: round(hit.advance_em * 1000) for code, hit in codes if hit.advance_em != 1.0},
            cid_to_gid=bytes(cid_to_gid),
            to_unicode=[(f"{code:04X}", hit.utf16) for code, hit in codes],
            kept=kept,
        )

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
        self.find = lru_cache(maxsize=_MAX_UNITS_KEPT)(self._find)

    def _find(self, unit: str) -> Hit | None:
        """Return what draws a unit, or None if no face can."""
        for face in self.faces:
            glyph = face.glyph(normalised(unit))
            if glyph is not None:
                return Hit(face, glyph, face.advance_em(glyph), unit.encode("utf-16-be").hex().upper())
        return None

    def undrawable(self, text: str) -> tuple[str, ...]:
        """Return every sequence of the text that cannot be drawn, once each, in order of appearance."""
        return tuple(dict.fromkeys(unit for unit in units(text) if self.find(unit) is None))

    def width_em(self, text: str) -> float:
        """Return the width of a text set on one line, in em.

        Errors: UndrawableText with all sequences that cannot be drawn.
        """
        return sum([hit.advance_em for _unit, hit in self.runs(text)])

    def runs(self, text: str) -> list[tuple[str, Hit]]:
        """Return a whole text's units with what draws them.

        Errors: UndrawableText with all sequences that cannot be drawn.
        """
        find, wanted = self.find, units(text)
        found = [(unit, hit) for unit in wanted if (hit := find(unit)) is not None]
        if len(found) != len(wanted):
            raise UndrawableText(self.undrawable(text))
        return found


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
        mincho = Face(folder / "ipamj" / "ipamjm.ttf", _INSTALL + "fonts-ipamj-mincho", resource_name="M")
        bizud = _INSTALL + "fonts-morisawa-bizud-"
        label = Face(folder / "bizud-mincho" / "BIZUDMincho-Regular.ttf", bizud + "mincho", resource_name="L")
        heading = Face(folder / "bizud-gothic" / "BIZUDGothic-Regular.ttf", bizud + "gothic", resource_name="H")
        extra: tuple[Face, ...] = ()
        if addon is not None:
            remedy = "it is configured as the font of add-on characters"
            extra = (Face(addon, remedy, resource_name="A", addon=True),)
        return cls(values=FaceList(mincho, *extra), labels=FaceList(label, mincho), headings=FaceList(heading, mincho))

    def draw_all(self, texts: Iterable[str]) -> bool:
        """Whether every one of these texts can be drawn as a value: as `undrawable` says of each, but faster."""
        # A selector at a text's beginning goes with the line feed before it, and nothing draws the two.
        find = self.values.find
        return all(find(unit) is not None for unit in {*units("\n".join(texts))} if unit != "\n")

    def undrawable(self, text: str) -> tuple[str, ...]:
        """Return every sequence of a register's text that cannot be drawn; an officer hears of it at intake."""
        return self.values.undrawable(text)


class ValueCodes:
    """What one document uses of the faces for values: two-byte codes in the order of first use.

    A code stands for a unit, not for a glyph: base and base + selector may share a glyph and must still be extracted
    as what they were.
    """

    def __init__(self, faces: FaceList) -> None:
        self._faces = faces
        self._codes = _Codes(faces)

    def line(self, text: str) -> tuple[float, list[tuple[str, str]]]:
        """Return a text's width in em, and its runs: a face's name on the page, and codes in hexadecimal.

        Errors: UndrawableText with all sequences that cannot be drawn.
        """
        codes, wanted = self._codes, units(text)
        try:
            shown = "".join(map(codes.__getitem__, wanted))
        except UndrawableText:
            raise UndrawableText(self._faces.undrawable(text)) from None
        width_em = sum(map(codes.advances_em.__getitem__, wanted))
        if len(codes.used) == 1:
            return width_em, [(codes.names[0], shown)]
        runs: list[tuple[str, str]] = []
        for unit in wanted:
            name = codes.name(unit)
            if runs and runs[-1][0] == name:
                runs[-1] = (name, runs[-1][1] + codes[unit])
            else:
                runs.append((name, codes[unit]))
        return width_em, runs

    def fonts(self) -> list[tuple[str, EmbeddedFont]]:
        """Return the subsets of everything that was set, with the names under which pages call them."""
        return [(_value_name(face), face.embedded(codes, kept=False)) for face, codes in self._codes.used.items()]


class _Codes(dict[str, str]):
    """Units and their codes in hexadecimal: a unit that was not asked for before gets its face's next one."""

    def __init__(self, faces: FaceList) -> None:
        super().__init__()
        self._faces = faces
        self.advances_em: dict[str, float] = {}
        self.used: dict[Face, list[tuple[int, Hit]]] = {}
        self.names: list[str] = []  # of the faces in use, as pages call them

    def __missing__(self, unit: str) -> str:
        hit = self._faces.find(unit)
        if hit is None:
            raise UndrawableText((unit,))
        codes = self.used.get(hit.face)
        if codes is None:
            codes = self.used[hit.face] = []
            self.names.append(_value_name(hit.face))
        number = len(codes) + 1
        codes.append((number, hit))
        self.advances_em[unit] = hit.advance_em
        code = self[unit] = f"{number:04X}"
        return code

    def name(self, unit: str) -> str:
        """Return how pages call the face that draws a unit."""
        hit = self._faces.find(unit)
        assert hit is not None, "a unit has a code"
        return _value_name(hit.face)


def _value_name(face: Face) -> str:
    return f"V{face.resource_name}"


def words_name(face: Face) -> str:
    """Return the name by which pages call a face under the codes of `words_font`."""
    return f"W{face.resource_name}"


@lru_cache(maxsize=256)
def words_font(faces: FaceList, face: Face, characters: frozenset[str]) -> EmbeddedFont:
    """Return a subset for the form's own words. A character's code is its code point, so that lines can be kept.

    Shape:  characters of the Basic Multilingual Plane without selectors; a pure function, remembered.
    """
    found = [(ord(character), faces.find(character)) for character in sorted(characters)]
    return face.embedded([(code, hit) for code, hit in found if hit is not None], kept=True)
