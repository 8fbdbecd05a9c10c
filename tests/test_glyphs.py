"""Random names over all characters of the font: a sample of `make glyphs`; and broken builds, which it catches."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pikepdf
import pytest
import uharfbuzz as hb
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from printing.paper.certificates import render
from printing.paper.errors import UndrawableText
from printing.paper.fonts import FONT_FOLDER, Face, FaceList, Fonts
from printing.paper.recheck import page_texts
from tests.judges.glyphs import Embedded, Report, expected_glyph, judge, names, original, outline, shown_lines
from tests.paper_samples import ISSUANCE, bare, fonts, residence

SEED = 20261122
VARIANT = "\u9089\U000e0117"
ADDON = "\U000f0001"


class BaseForVariant(Face):
    """A face that draws the base glyph where it should draw a variant."""

    def glyph(self, unit: str) -> int | None:
        return super().glyph(unit[:1])


class BoxForVariant(Face):
    """A face that draws the font's box where it should draw a variant."""

    def glyph(self, unit: str) -> int | None:
        return 0 if len(unit) == 2 else super().glyph(unit)


class NeighbourInSubset(Face):
    """A face that finds the right glyphs and embeds one of them under another's code."""

    def subset(self, glyphs: object) -> tuple[bytes, dict[int, int]]:
        program, places = super().subset(glyphs)  # type: ignore[arg-type]  # handed on as it came
        first, second, *_rest = sorted(place for place in places.values() if place)
        swapped = {first: second, second: first}
        return program, {glyph: swapped.get(place, place) for glyph, place in places.items()}


def _with(face: type[Face]) -> Fonts:
    broken = face(FONT_FOLDER / "ipamj" / "ipamjm.ttf", "fonts-ipamj-mincho")
    return dataclasses.replace(fonts(), values=FaceList(broken))


def test_the_font_has_the_characters_and_sequences_it_is_said_to_have() -> None:
    assert len(original().han) == 52_605
    assert len(original().sequences) == 11_474


def test_500_random_names_are_extracted_and_drawn_exactly_or_refused() -> None:
    report = judge(fonts(), list(names(SEED, 0, 500)))
    assert report.faults == []
    assert report.drawn + report.refused == report.names == 500
    assert report.refused > 50
    assert report.outlines > 1000


def test_a_whole_deck_has_every_character_once() -> None:
    # Two units of the deck a name, in four names of five: 40,051 names deal all 64,079.
    count = 40_051
    dealt = {unit for name in names(SEED, 0, count) for unit in name}
    assert {*original().han, *original().sequences} <= dealt


@pytest.mark.parametrize("broken", [BaseForVariant, BoxForVariant])
def test_a_base_glyph_or_a_box_in_place_of_a_variant_is_caught(broken: type[Face]) -> None:
    dealt = [("山", VARIANT), ("川",)]
    assert judge(fonts(), dealt).faults == []
    found = judge(_with(broken), dealt)
    assert [fault for fault in found.faults if fault.startswith("drawn")] == [
        "drawn otherwise than HarfBuzz draws it: 9089 E0117"
    ]
    assert found.drawn == 2


@pytest.mark.parametrize("broken", [BaseForVariant, BoxForVariant])
def test_a_substitute_for_what_the_font_lacks_is_caught(broken: type[Face]) -> None:
    missing = "\u9089\U000e0101"
    assert expected_glyph(missing) is None
    assert judge(fonts(), [("山", missing)]) == Report(names=1, refused=1)
    faults = judge(_with(broken), [("山", missing)]).faults
    assert "refused with other sequences than those that cannot be drawn: 5C71 9089 E0101" in faults


def test_glyphs_that_changed_places_in_the_subset_are_caught() -> None:
    faults = judge(_with(NeighbourInSubset), [("山", "川", VARIANT)]).faults
    assert len(faults) == 2
    assert all(fault.startswith("drawn otherwise") for fault in faults)


def _addon_font(path: Path) -> None:
    """A font with one glyph of its own in the private use area: a frame with a bar."""
    font = TTFont(FONT_FOLDER / "bizud-mincho" / "BIZUDMincho-Regular.ttf")
    name = font.getBestCmap()[ord("山")]
    pen = TTGlyphPen(None)
    for left, bottom, right, top in ((200, 0, 1800, 100), (200, 1500, 1800, 1600), (950, 100, 1050, 1500)):
        pen.moveTo((left, bottom))
        pen.lineTo((left, top))
        pen.lineTo((right, top))
        pen.lineTo((right, bottom))
        pen.closePath()
    font["glyf"][name] = pen.glyph()
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap = {0xE000: name} if table.format == 4 else {0xE000: name, ord(ADDON): name}
    for record in font["name"].names:
        if record.nameID == 6:
            record.string = "AddonMincho"
    font.save(path)


@pytest.mark.slow
def test_the_add_on_font_is_drawn_embedded_on_its_own_and_extracted(tmp_path: Path) -> None:
    path = tmp_path / "addon.ttf"
    _addon_font(path)
    name = f"山{ADDON}\ue000川"
    record = residence(bare(name))
    with pytest.raises(UndrawableText) as caught:
        render(fonts(), record, ISSUANCE, "MDG1:TEST")
    assert caught.value.sequences == (ADDON, "\ue000")

    pdf = render(Fonts.load(addon=path), record, ISSUANCE, "MDG1:TEST")
    assert f"氏名 {name} " in page_texts(pdf)[0]
    embedded: dict[tuple[int, int], Embedded] = {}
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        lines = list(shown_lines(opened.pages[0], embedded))
        fonts_by_name = {
            str(font.BaseFont).split("+")[1]: bytes(font.DescendantFonts[0].FontDescriptor.FontFile2.read_bytes())
            for font in opened.pages[0].Resources.Font.values()
        }
    (line,) = (line for line in lines if "".join(unit for unit, _shape in line) == name)
    source = hb.Font(hb.Face(hb.Blob.from_file_path(str(path))))
    right = hash(outline(source, source.get_nominal_glyph(0xE000)))
    assert [shape for _unit, shape in line][1:3] == [right, right]
    assert len(fonts_by_name["AddonMincho"]) < 5_000
    assert "IPAmjMincho" in fonts_by_name
