"""What every certificate's sheet carries: title, numbers, certification, the ways to check it."""

from __future__ import annotations

from dataclasses import dataclass

from printing.paper.era import era_date
from printing.paper.errors import ValueTooLong
from printing.paper.marks import draw_qr, draw_specimen, draw_stamp, qr_side_mm
from printing.paper.page import MIN_READING_PT, MIN_SIZE_PT, Align, Box, Document
from printing.paper.records import Issuance

LEFT_MM = 15.0
WIDTH_MM = 180.0
RIGHT_MM = LEFT_MM + WIDTH_MM
BODY_TOP_MM = 27.0
FOOT_TOP_MM = 222.0  # the body ends here; certification and seal stand below
NUMBER_LINE_MM = 287.5  # issue number and page, on every sheet

LABEL_PT = 7.5
VALUE_PT = 9.5
NAME_PT = 13.0
NAME_ROW_MM = 9.0
RULE_PT = 0.5
BORDER_PT = 1.1

EMPTY = "【空欄】"  # not recorded
OMITTED = "【省略】"  # left out by choice

_SPECIMEN_WORDS = "見本です。記載された人物・住所・番号はすべて架空のものです。 Specimen: all people are invented."
_STAMP_MM = 21.0
_READING_MM = 3.0
_ONE_LINE_MM = 4.5  # too low for a second line: what must be typed or compared is never broken
_SEAL_AREA_MM = 54.5  # a QR code of up to 97 modules, 970 characters, with its quiet zone
_SEAL_AREA_WIDE_MM = 60.0  # up to 109 modules, 1,170 characters: many people, many names


@dataclass(frozen=True, slots=True)
class SheetWords:
    """The words that differ from kind to kind."""

    title: str
    subtitle: str
    statement: str


def draw_head(document: Document, words: SheetWords, issuance: Issuance) -> None:
    """Draw specimen mark, title and subtitle; everything else is drawn over it."""
    if issuance.certifier.specimen:
        draw_specimen(document)
    fonts = document.fonts
    document.text(fonts.labels, words.title, 105.0, 14.0, 18.0, align=Align.CENTRE)
    document.text(fonts.labels, words.subtitle, 105.0, 21.8, 9.5, align=Align.CENTRE)


def draw_foot(
    document: Document, words: SheetWords, issuance: Issuance, seal_text: str, *, page: int, pages: int
) -> None:
    """Draw what stands below the body: certification on the last sheet, the seal on the first, numbers on each."""
    if page == pages:
        _draw_certification(document, words.statement, issuance)
    else:
        note = f"認証文は{pages}枚目にあります。全{pages}枚がそろって1通の証明書です。"
        document.text(document.fonts.labels, note, RIGHT_MM, FOOT_TOP_MM + 5.0, 8.5, align=Align.RIGHT)
    if page == 1:
        _draw_check(document, issuance, seal_text, alone=pages == 1)
    _draw_numbers(document, issuance, page, pages)


def _draw_certification(document: Document, statement: str, issuance: Issuance) -> None:
    certifier, labels = issuance.certifier, document.fonts.labels
    document.text(labels, statement, LEFT_MM + 1.0, FOOT_TOP_MM + 3.5, 10.5)
    left_mm, width_mm = LEFT_MM + _SEAL_AREA_MM, WIDTH_MM - _SEAL_AREA_MM - _STAMP_MM - 2.0
    document.text(labels, era_date(issuance.issued_on_jst), left_mm, FOOT_TOP_MM + 12.0, 10.5)
    title = Box(left_mm, FOOT_TOP_MM + 18.0, width_mm, _ONE_LINE_MM)
    name = Box(left_mm + 6.0, FOOT_TOP_MM + 26.0, width_mm - 6.0, _ONE_LINE_MM)
    document.value(certifier.title, title, 12.0, "certifier.title", padding_mm=0.0)
    document.value(certifier.name, name, 14.0, "certifier.name", padding_mm=0.0)
    stamp = Box(RIGHT_MM - _STAMP_MM, FOOT_TOP_MM + 11.5, _STAMP_MM, _STAMP_MM)
    draw_stamp(document, certifier.title + "之印", stamp)


def _draw_check(document: Document, issuance: Issuance, seal_text: str, *, alone: bool) -> None:
    """Draw the seal's code and what to do with it; where no certification stands beside it, it may be larger."""
    area_mm = _SEAL_AREA_MM if alone else _SEAL_AREA_WIDE_MM
    top_mm = FOOT_TOP_MM + (8.0 if alone else 1.5)
    if qr_side_mm(len(seal_text)) > area_mm:
        raise ValueTooLong("seal")
    draw_qr(document, seal_text, LEFT_MM, top_mm)
    left_mm = LEFT_MM + area_mm
    width_mm = RIGHT_MM - left_mm
    top_mm = FOOT_TOP_MM + 36.0
    labels = document.fonts.labels
    document.line((left_mm, top_mm), (RIGHT_MM, top_mm), RULE_PT)
    lines = (
        ("この証明書を確かめるには", 8.5),
        ("下のアドレスを入力して公式のページを開き、そのページの中で左のコードを読み取るか、", 7.0),
        ("発行番号と確認コードを入力してください。コードがひとりでにページを開くことはありません。", 7.0),
    )
    for number, (words, size_pt) in enumerate(lines):
        document.text(labels, words, left_mm, top_mm + 3.2 + 4.0 * number, size_pt)
    rows = (("アドレス", issuance.check_address, "check_address"), ("確認コード", issuance.check_code, "check_code"))
    for number, (label, value, item) in enumerate(rows):
        middle_mm = top_mm + 15.6 + 5.0 * number
        document.text(labels, label, left_mm, middle_mm, LABEL_PT)
        box = Box(left_mm + 15.0, middle_mm - _ONE_LINE_MM / 2, width_mm - 15.0, _ONE_LINE_MM)
        document.value(value, box, 10.0, item, padding_mm=0.0)


def _draw_numbers(document: Document, issuance: Issuance, page: int, pages: int) -> None:
    labels, values = document.fonts.labels, document.fonts.values
    document.line((LEFT_MM, NUMBER_LINE_MM - 3.2), (RIGHT_MM, NUMBER_LINE_MM - 3.2), RULE_PT)
    document.text(labels, "発行番号", LEFT_MM, NUMBER_LINE_MM, LABEL_PT)
    document.value(
        issuance.issue_number,
        Box(LEFT_MM + 14.0, NUMBER_LINE_MM - _ONE_LINE_MM / 2, 48.0, _ONE_LINE_MM),
        VALUE_PT,
        "issue_number",
        padding_mm=0.0,
    )
    document.text(values, f"{page}/{pages}", RIGHT_MM, NUMBER_LINE_MM, VALUE_PT, align=Align.RIGHT)
    if issuance.certifier.specimen:
        document.text(labels, _SPECIMEN_WORDS, RIGHT_MM - 12.0, NUMBER_LINE_MM, 6.5, align=Align.RIGHT)


def cell(
    document: Document,
    label: str,
    label_box: Box,
    value: str,
    value_width_mm: float,
    *,
    item: str,
    size_pt: float = VALUE_PT,
) -> Box:
    """Draw a ruled label and its value to the right of it; return the value's box."""
    value_box = Box(label_box.left_mm + label_box.width_mm, label_box.top_mm, value_width_mm, label_box.height_mm)
    document.frame(label_box, RULE_PT)
    document.frame(value_box, RULE_PT)
    label_pt = document.label(label, label_box, LABEL_PT)
    assert label_pt >= MIN_SIZE_PT, f"the form leaves too little room for {label}"
    document.value(value, value_box, size_pt, item)
    return value_box


def name_cell(document: Document, label_box: Box, name: str, value_width_mm: float, *, below_reading: bool) -> None:
    """Draw the name, below the line of its reading if it has one; label and value stand together in extracted text."""
    value_box = Box(label_box.left_mm + label_box.width_mm, label_box.top_mm, value_width_mm, label_box.height_mm)
    document.frame(label_box, RULE_PT)
    document.frame(value_box, RULE_PT)
    # As high with a reading as without: a name of three lines would no longer be read back beside its label.
    height_mm = label_box.height_mm - _READING_MM
    top_mm = label_box.top_mm + (_READING_MM if below_reading else _READING_MM / 2)
    document.label("氏名", Box(label_box.left_mm, top_mm, label_box.width_mm, height_mm), LABEL_PT)
    document.value(name, Box(value_box.left_mm, top_mm, value_width_mm, height_mm), NAME_PT, "name")


def name_reading(document: Document, label_box: Box, reading: str, value_width_mm: float) -> None:
    """Draw the reading above a name, in the cell that name_cell ruled."""
    document.label("振り仮名", Box(label_box.left_mm, label_box.top_mm, label_box.width_mm, _READING_MM), 5.0)
    value_box = Box(label_box.left_mm + label_box.width_mm, label_box.top_mm + 0.2, value_width_mm, _READING_MM)
    document.value(reading, value_box, 6.5, "name_reading", min_pt=MIN_READING_PT)
