"""How values are set in their cells: sizes, lines, hanging brackets, one grid."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from itertools import pairwise

import msgspec
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest

from printing.paper.certificates import render
from printing.paper.certificates.sheet import EMPTY, OMITTED
from printing.paper.errors import ValueTooLong
from printing.paper.fitting import LEADING, MIN_READING_PT, PT_PER_MM, Align, Box, fit, place
from printing.paper.records import Certificate, CertificateKind, kind_of
from tests.certificate_parts import text_of
from tests.gallery_exhibits import LONG_ADDRESS, LONG_NAME, LONG_READING, exhibits
from tests.layout_parts import lines, rules
from tests.paper_samples import ISSUANCE, JAPANESE, bare, fonts, residence
from tests.paper_samples_more import ICHIRO, matter, register

replace = msgspec.structs.replace
VALUES = fonts().values


def pages(record: Certificate) -> Iterator[pdfium.PdfPage]:
    """Yield the fronts of a paper."""
    document = pdfium.PdfDocument(render(fonts(), record, ISSUANCE, "MDG1:TEST"))
    try:
        for index in range(0, len(document), 2):
            yield document[index]
    finally:
        document.close()


def sizes(record: Certificate) -> dict[str, float]:
    """Return the type size of every line of text on the fronts, as pdfium reads it."""
    found: dict[str, float] = {}
    size = ctypes.c_float()
    for page in pages(record):
        textpage = page.get_textpage()
        for item in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_TEXT]):
            pdfium_c.FPDFTextObj_GetFontSize(item.raw, size)
            length = pdfium_c.FPDFTextObj_GetText(item.raw, textpage.raw, None, 0)
            buffer = ctypes.create_string_buffer(length)
            pdfium_c.FPDFTextObj_GetText(
                item.raw, textpage.raw, ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort)), length
            )
            text = buffer.raw.decode("utf-16-le").rstrip("\0").strip()
            found[text] = min(size.value, found.get(text, size.value))
    return found


def test_a_value_that_fits_keeps_its_size() -> None:
    assert fit(VALUES, "見本 花子", 57.6, 9.0, 13.0, item="name").size_pt == 13.0


@pytest.mark.parametrize(
    ("text", "width_mm", "height_mm", "least_pt", "count"),
    [
        (LONG_ADDRESS, 95.6, 12.0, 6.5, 2),  # as wide as two lines of it allow, though there was one size for all
        (LONG_ADDRESS, 155.0, 12.0, 9.0, 2),
        (LONG_NAME, 57.6, 9.0, 6.5, 2),
        ("見本町" * 11, 120.0, 12.0, 9.9, 1),  # hardly smaller on one line
    ],
)
def test_a_long_value_takes_the_largest_size_that_fits(
    text: str, width_mm: float, height_mm: float, least_pt: float, count: int
) -> None:
    fitted = fit(VALUES, text, width_mm, height_mm, 11.0, item="address")
    assert "".join(fitted.lines) == text
    assert len(fitted.lines) == count
    assert fitted.size_pt >= least_pt
    widest_em = max(VALUES.width_em(line.rstrip()) for line in fitted.lines)
    assert widest_em * fitted.size_pt <= width_mm * PT_PER_MM
    assert (1 + LEADING * (count - 1)) * fitted.size_pt <= height_mm * PT_PER_MM


def test_no_value_takes_three_lines() -> None:
    """They would not be read back beside their label, however high the cell."""
    with pytest.raises(ValueTooLong):
        fit(VALUES, "見本町" * 40, 80.0, 60.0, 9.5, item="address")


def test_a_line_goes_on_under_its_value() -> None:
    box = Box(45.0, 100.0, 150.0, 10.0)
    (first, first_mm, top_mm), (second, second_mm, below_mm) = place(
        VALUES, LONG_ADDRESS, box, 9.5, "address", lead="【従前戸籍】", level_mm=2.6
    ).lines
    assert first.startswith("【従前戸籍】")
    assert first.removeprefix("【従前戸籍】") + second == LONG_ADDRESS
    size_pt = (below_mm - top_mm) * PT_PER_MM / LEADING
    assert second_mm - first_mm == pytest.approx(VALUES.width_em("【従前戸籍】") * size_pt / PT_PER_MM)
    assert top_mm == pytest.approx(box.top_mm + 2.6)  # level with its heading, however many lines follow


@pytest.mark.parametrize("align", [Align.LEFT, Align.RIGHT])
def test_half_white_brackets_hang_out(align: Align) -> None:
    box = Box(10.0, 10.0, 30.0, 6.0)
    ((_text, hung_mm, _),) = place(VALUES, EMPTY, box, 10.0, "sex", align=align).lines
    ((_text, plain_mm, _),) = place(VALUES, "男", box, 10.0, "sex", align=align).lines
    assert abs(plain_mm - hung_mm) == pytest.approx(5.0 / PT_PER_MM)
    assert (hung_mm < plain_mm) == (align is Align.LEFT)


@pytest.mark.parametrize(
    "exhibit", [e for e in exhibits() if "empty" in e.file or "chosen" in e.file], ids=lambda exhibit: exhibit.file
)
def test_what_is_not_recorded_says_so_on_one_line_and_at_full_size(exhibit: object) -> None:
    found = sizes(exhibit.record)  # type: ignore[attr-defined]
    told = {text: size for text, size in found.items() if text in {EMPTY, OMITTED}}
    assert told
    assert min(told.values()) >= 9.5
    assert not [text for text in found if text in {EMPTY[:3], EMPTY[3:], OMITTED[:3], OMITTED[3:], "】"}]


def test_a_sex_that_is_not_recorded_says_so() -> None:
    assert "性別 【空欄】 生年月日" in text_of(residence(replace(bare("見本 一"), sex=None)))


@pytest.mark.parametrize("name", ["見本 花子", LONG_NAME, "じゅげむじゅげむごこうのすりきれ かいじゃりすいぎょ"])
def test_a_reading_is_smaller_than_its_name(name: str) -> None:
    found = sizes(residence(replace(JAPANESE, name=name, name_reading="みほん はなこ"), replace(bare("見本 二"))))
    name_pt = found.get(name) or min(size for text, size in found.items() if text and name.startswith(text))
    assert found["みほん はなこ"] <= max(MIN_READING_PT, 0.6 * name_pt)


GRIDDED = (CertificateKind.RESIDENCE, CertificateKind.SUPPLEMENTARY_REGISTER)


@pytest.mark.parametrize(
    "exhibit", [e for e in exhibits() if kind_of(e.record) in GRIDDED], ids=lambda exhibit: exhibit.file
)
def test_rules_stand_under_one_another_or_well_apart(exhibit: object) -> None:
    for page in pages(exhibit.record):  # type: ignore[attr-defined]
        upright = {
            round((rule.left + rule.right) / 2 / PT_PER_MM, 1)
            for rule in rules(page)
            if rule.right - rule.left < 2.0 and rule.bottom > 220.0
        }
        places = sorted(upright)
        assert len(places) > 6
        assert [b - a for a, b in pairwise(places) if b - a < 4.5] == []


def test_a_heading_is_level_with_its_first_line() -> None:
    person = replace(ICHIRO, matters=(matter("出生", ("出生地", LONG_ADDRESS)),))
    boxes = {line.words: line for page in pages(register(person)) for line in lines(page)}
    heading = boxes["出生"]
    first = next(line for words, line in boxes.items() if words.startswith("【出生地】"))
    assert (heading.top + heading.bottom) / 2 == pytest.approx((first.top + first.bottom) / 2, abs=1.0)


def test_long_readings_are_no_larger_than_allowed() -> None:
    found = sizes(residence(replace(JAPANESE, name=LONG_NAME, name_reading=LONG_READING)))
    assert found[LONG_READING] == 4.5
