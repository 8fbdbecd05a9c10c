"""Random names over every character of the font: `python -m tests.judges.glyphs --names 100000`.

Each name is either on the paper exactly, or refused with all of its sequences that cannot be drawn. Exactly means:
pdfium extracts it as it went in; the codes on the page say the same by the file's own ToUnicode table; and the outline
behind each code, in the font program that is embedded, is the outline that HarfBuzz draws for that very sequence from
the original font. Hinting is gone from the embedded font and plays no part in an outline.

The names are dealt from a shuffled deck of all Han characters and variation sequences, so that a full run has each at
least once; every fifth name has something that must be refused, or an Adobe-Japan1 sequence.
"""

from __future__ import annotations

import argparse
import io
import random
import re
import sys
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium
import uharfbuzz as hb

from printing.paper.errors import UndrawableText
from printing.paper.fonts import FONT_FOLDER, Fonts
from printing.paper.page import Document
from printing.paper.variation import FOLDER

FONT = FONT_FOLDER / "ipamj" / "ipamjm.ttf"
PROCESSES = 2
NAMES_A_DOCUMENT = 1500
NAMES_A_PAGE = 90
DECK_UNITS_A_NAME = 2
STRANGER_EVERY = 5
FAULTS_KEPT = 20

_SELECTORS = range(0xE0100, 0xE01F0)
#: What no name may have: private use, unassigned, controls, marks, invisible characters, emoji, other scripts.
_REFUSED = (
    *map(chr, (0xE000, 0xF8FF, 0xF860, 0x100000)),
    *map(chr, (0x0378, 0x2FFFE, 0x3FFFD, 0xFFFF)),
    *map(chr, (0x00, 0x07, 0x09, 0x0A, 0x0D, 0x1B, 0x7F, 0x85, 0x9F)),
    *map(chr, (0x0301, 0x3099, 0x309A, 0x20DD)),
    *map(chr, (0x200B, 0x200D, 0x202E, 0x2060, 0xFEFF, 0x00A0, 0x2028)),
    *map(chr, (0x1F600, 0x1F468, 0x2764, 0x0E01, 0x05D0)),
    "あ\U000e0100",
    "A\ufe0f",
)

Outline = tuple[tuple[str, tuple[tuple[float, float], ...]], ...]


@dataclass
class Report:
    """What became of some names."""

    names: int = 0
    drawn: int = 0
    refused: int = 0
    outlines: int = 0
    seen: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def fault(self, what: str, text: str) -> None:
        """Note a fault, by code points."""
        self.faults.append(f"{what}: {' '.join(f'{ord(character):04X}' for character in text)}")

    def add(self, other: Report) -> None:
        """Add another report to this one."""
        self.names += other.names
        self.drawn += other.drawn
        self.refused += other.refused
        self.outlines += other.outlines
        self.seen |= other.seen
        self.faults += other.faults


class Original:
    """The original font, seen by HarfBuzz alone."""

    def __init__(self, path: Path = FONT) -> None:
        face = hb.Face(hb.Blob.from_file_path(str(path)))
        self._font = hb.Font(face)
        self._outlines: dict[int, int] = {}
        self.han = [chr(code) for code in face.unicodes if _is_han(chr(code))]
        self.sequences = [
            chr(base) + chr(selector)
            for selector in face.variation_selectors
            for base in face.variation_unicodes(selector)
        ]

    def glyph(self, unit: str) -> int | None:
        """Return the glyph of exactly this unit."""
        if len(unit) == 1:
            return self._font.get_nominal_glyph(ord(unit)) or None
        return self._font.get_variation_glyph(ord(unit[0]), ord(unit[1])) or None

    def outline(self, glyph: int) -> int:
        """Return the hash of a glyph's outline: the outlines of a whole font would be many."""
        if glyph not in self._outlines:
            self._outlines[glyph] = hash(outline(self._font, glyph))
        return self._outlines[glyph]


class _Pen:
    """Collects an outline."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, tuple[tuple[float, float], ...]]] = []

    def moveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self.parts.append(("m", points))

    def lineTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self.parts.append(("l", points))

    def qCurveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self.parts.append(("q", points))

    def curveTo(self, *points: tuple[float, float]) -> None:  # noqa: N802 - the pen protocol's name
        self.parts.append(("c", points))

    def closePath(self) -> None:  # noqa: N802 - the pen protocol's name
        self.parts.append(("h", ()))


def outline(font: hb.Font, glyph: int) -> Outline:
    """Return a glyph's outline in font units."""
    pen = _Pen()
    font.draw_glyph_with_pen(glyph, pen)
    return tuple(pen.parts)


def _is_han(character: str) -> bool:
    return unicodedata.name(character, "").startswith("CJK ") and unicodedata.category(character) == "Lo"


@cache
def original() -> Original:
    """The original font, loaded once and before processes are forked off."""
    return Original()


@cache
def drawn_as() -> dict[str, str]:
    """The table of Adobe-Japan1 sequences, read without the product's own reader."""
    rows = (FOLDER / "variation.tsv").read_text("utf-8").splitlines()
    pairs = (row.split("\t")[:2] for row in rows if not row.startswith("#"))
    return {_text(sequence): _text(target) for sequence, target in pairs}


def _text(code_points: str) -> str:
    return "".join(chr(int(code, 16)) for code in code_points.split())


def expected_glyph(unit: str) -> int | None:
    """Return the original font's glyph that must stand for a unit, or None where the unit must be refused."""
    unit = drawn_as().get(unit, unit)
    if len(unit) == 1 and not _is_han(unit):
        return None
    return original().glyph(unit)


def names(seed: int, start: int, count: int) -> Iterator[tuple[str, ...]]:
    """Yield names as units: number `start` and those that follow. The same seed deals the same deck."""
    deck = [*original().han, *original().sequences]
    random.Random(seed).shuffle(deck)
    mapped = sorted(drawn_as())
    for number in range(start, start + count):
        rng = random.Random(f"{seed} {number}")
        units = rng.sample(deck, rng.randrange(3))
        if number % STRANGER_EVERY == 0:
            units += [_stranger(rng, mapped) for _ in range(rng.randrange(1, 4))]
        else:
            first = (number - number // STRANGER_EVERY - 1) * DECK_UNITS_A_NAME
            units += [deck[(first + place) % len(deck)] for place in range(DECK_UNITS_A_NAME)]
        rng.shuffle(units)
        yield tuple(units)


def _stranger(rng: random.Random, mapped: list[str]) -> str:
    """Return what is in no Japanese name, or a sequence of another collection."""
    kind = rng.randrange(3)
    if kind == 0:
        return rng.choice(_REFUSED)
    if kind == 1:
        return rng.choice(mapped)
    return rng.choice(original().han) + chr(rng.choice(_SELECTORS[:40]))


def judge(fonts: Fonts, dealt: list[tuple[str, ...]]) -> Report:
    """Return what becomes of these names with these fonts."""
    report = Report(names=len(dealt))
    good: list[tuple[str, ...]] = []
    for units in dealt:
        wanted = tuple(dict.fromkeys(unit for unit in units if expected_glyph(unit) is None))
        name = "".join(units)
        try:
            fonts.values.width_em(name)
            refused: tuple[str, ...] = ()
        except UndrawableText as error:
            refused = error.sequences
        if refused != wanted or fonts.undrawable(name) != wanted:
            report.fault("refused with other sequences than those that cannot be drawn", name)
        if refused:
            report.refused += 1
        else:
            good.append(units)
    for start in range(0, len(good), NAMES_A_DOCUMENT):
        _judge_document(report, fonts, good[start : start + NAMES_A_DOCUMENT])
    return report


def _judge_document(report: Report, fonts: Fonts, good: list[tuple[str, ...]]) -> None:
    pages = [good[start : start + NAMES_A_PAGE] for start in range(0, len(good), NAMES_A_PAGE)]
    pdf = _draw(fonts, pages)
    opened = pdfium.PdfDocument(pdf)
    try:
        extracted = [str(opened[number].get_textpage().get_text_range()) for number in range(len(opened))]
    finally:
        opened.close()
    with pikepdf.open(io.BytesIO(pdf)) as file:
        embedded: dict[tuple[int, int], Embedded] = {}
        for sheet, page, text in zip(pages, file.pages, extracted, strict=True):
            wanted = ["".join(units) for units in sheet]
            if text.split("\r\n") != wanted:
                report.fault("extracted otherwise", "".join(wanted[:1]))
            lines = list(shown_lines(page, embedded))
            if ["".join(unit for unit, _outline in line) for line in lines] != wanted:
                report.fault("set otherwise", "".join(wanted[:1]))
            for line, units in zip(lines, sheet, strict=False):
                _judge_name(report, line, units)


def _judge_name(report: Report, line: list[tuple[str, int]], units: tuple[str, ...]) -> None:
    report.drawn += 1
    for (unit, shape), wanted in zip(line, units, strict=False):
        glyph = expected_glyph(wanted)
        report.outlines += 1
        report.seen.add(unit)
        if unit != wanted or glyph is None or shape != original().outline(glyph):
            report.fault("drawn otherwise than HarfBuzz draws it", wanted)


def _draw(fonts: Fonts, pages: list[list[tuple[str, ...]]]) -> bytes:
    document = Document(fonts, "glyphs", "tests")
    for sheet in pages:
        for number, units in enumerate(sheet):
            document.text(fonts.values, "".join(units), 20.0, 10.0 + 3.0 * number, 6.0)
        document.next_page()
    return document.finish()


class Embedded:
    """A font as it is embedded: code -> unit by ToUnicode, code -> outline by CIDToGIDMap and the program."""

    def __init__(self, font: pikepdf.Object) -> None:
        descendant = font.DescendantFonts[0]
        program = bytes(descendant.FontDescriptor.FontFile2.read_bytes())
        self._font = hb.Font(hb.Face(program))
        self._map = bytes(descendant.CIDToGIDMap.read_bytes())
        self._units = _to_unicode(bytes(font.ToUnicode.read_bytes()))
        self._shapes: dict[int, int] = {}

    def shown(self, code: int) -> tuple[str, int]:
        """Return a code's unit and the hash of its outline."""
        if code not in self._shapes:
            glyph = int.from_bytes(self._map[2 * code : 2 * code + 2], "big")
            self._shapes[code] = hash(outline(self._font, glyph))
        return self._units.get(code, ""), self._shapes[code]


def _to_unicode(cmap: bytes) -> dict[int, str]:
    """Return code -> text of a ToUnicode table of single codes (bfchar)."""
    blocks = re.findall(rb"beginbfchar(.*?)endbfchar", cmap, re.DOTALL)
    pairs = (pair for block in blocks for pair in re.findall(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>", block))
    return {int(code, 16): bytes.fromhex(text.decode("ascii")).decode("utf-16-be") for code, text in pairs}


def shown_lines(page: pikepdf.Page, embedded: dict[tuple[int, int], Embedded]) -> Iterator[list[tuple[str, int]]]:
    """Yield what each text object of a page shows, as unit and outline; embedded keeps the file's fonts."""
    font: Embedded | None = None
    line: list[tuple[str, int]] = []
    for instruction in pikepdf.parse_content_stream(page):
        operands = instruction.operands
        match str(instruction.operator):
            case "BT":
                line = []
            case "Tf":
                resource = page.Resources.Font[str(operands[0])]
                font = embedded.get(resource.objgen) or embedded.setdefault(resource.objgen, Embedded(resource))
            case "Tj" if font is not None:
                codes = bytes(operands[0])
                line += [font.shown(int.from_bytes(codes[at : at + 2], "big")) for at in range(0, len(codes), 2)]
            case "ET":
                yield line
            case _:
                pass


@cache
def _fonts() -> Fonts:
    return Fonts.load()


def _chunk(seed: int, start: int, count: int) -> Report:
    return judge(_fonts(), list(names(seed, start, count)))


def main() -> int:
    """Print what was found; 1 where a name was neither exact nor refused as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    started = time.monotonic()
    all_units = {*original().han, *original().sequences}
    print(f"{len(original().han)} Han characters, {len(original().sequences)} sequences, {len(drawn_as())} mapped")
    _fonts(), drawn_as()
    total = Report()
    starts = range(0, options.names, NAMES_A_DOCUMENT)
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("fork")) as pool:
        counts = [min(NAMES_A_DOCUMENT, options.names - start) for start in starts]
        for report in pool.map(_chunk, [options.seed] * len(counts), starts, counts):
            total.add(report)
    print(
        f"{total.names} names in {time.monotonic() - started:.0f} s: {total.drawn} drawn, {total.refused} refused, "
        f"{total.outlines} outlines compared, {len(all_units & total.seen)} of {len(all_units)} characters and "
        f"sequences seen, {len(total.faults)} faults"
    )
    for fault in total.faults[:FAULTS_KEPT]:
        print("FAULT", fault)
    return 1 if total.faults or total.drawn + total.refused != total.names else 0


if __name__ == "__main__":
    sys.exit(main())
