"""What every certificate's sheet carries: title, numbers, certification, the ways to check it, and its back."""

from __future__ import annotations

from dataclasses import dataclass

from printing.paper import latent
from printing.paper.bitmap import municipal_seal
from printing.paper.certificates import back
from printing.paper.era import era_date
from printing.paper.errors import ValueTooLong
from printing.paper.fitting import MIN_READING_PT, MIN_SIZE_PT, PT_PER_MM, SIZE_STEP_PT, Align, Box, fit
from printing.paper.marks import draw_qr, draw_specimen, draw_stamp, qr_side_mm
from printing.paper.page import Document, Style
from printing.paper.records import Issuance, back_of
from printing.paper.screens import screen_named
from printing.paper.seal import MAX_SEAL_CHARS

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
CELL = Style(LABEL_PT, VALUE_PT, RULE_PT)

EMPTY = "【空欄】"  # not recorded
OMITTED = "【省略】"  # left out by choice

_SPECIMEN_WORDS = "見本です。記載された人物・住所・番号はすべて架空のものです。 Specimen: all people are invented."
_STAMP_GAP_MM = 2.0
_STAMP_OVERLAP_MM = 1.2  # a quarter of a letter
_STAMP_BOTTOM_MM = 35.0
_NAME_INDENT_MM = 6.0
_CERTIFIER_PT = 14.0
_READING_MM = 2.4
_ABOVE_READING_MM = 0.3
_READING_PT = 6.5
_READING_SHARE = 0.6  # of its name's size: two lines of a long name are not outgrown by their reading
_ONE_LINE_MM = 4.5  # too low for a second line: what must be typed or compared is never broken
_STATEMENT_PT = 10.5


@dataclass(frozen=True, slots=True)
class _CodeArea:
    """Where the seal's code stands below the body, and how large it may be; text stands to the right of it.

    most_mm: its side without the quiet zone, which reaches into the margin and into the white around.
    """

    top_mm: float
    width_mm: float
    most_mm: float
    beside_statement: bool


# Below the statement: 101 modules, 1,035 characters. Beside it, for many people and long names: 117 modules, 1,451,
# which is all that there is between the body of four people and the line of numbers.
_BELOW = _CodeArea(FOOT_TOP_MM + 8.5, 54.5, 51.4, beside_statement=False)
_BESIDE = _CodeArea(FOOT_TOP_MM + 0.5, 62.5, 59.5, beside_statement=True)


@dataclass(frozen=True, slots=True)
class SheetWords:
    """The words that differ from kind to kind."""

    title: str
    subtitle: str
    statement: str


def draw_head(document: Document, words: SheetWords, issuance: Issuance) -> None:
    """Draw latent pattern, specimen mark, title and subtitle; everything else is drawn over them."""
    latent.draw(document, latent.tile(document.fonts, screen_named(issuance.latent_screen)))
    if issuance.certifier.specimen:
        draw_specimen(document)
    fonts = document.fonts
    document.text(fonts.labels, words.title, 105.0, 14.0, 18.0, align=Align.CENTRE)
    document.text(fonts.labels, words.subtitle, 105.0, 21.8, 9.5, align=Align.CENTRE)


def finish_sheet(
    document: Document, words: SheetWords, issuance: Issuance, seal_text: str, *, number: int, total: int
) -> None:
    """Finish a sheet whose body is drawn: what stands below it on the front, then the back.

    Certification stands on the last sheet, the seal on the first, numbers on each.
    """
    if len(seal_text) > MAX_SEAL_CHARS:  # no reader takes it, and at some length no code holds it
        raise ValueTooLong("seal")
    side_mm = qr_side_mm(len(seal_text)) if number == 1 else 0.0
    area = _BELOW if number == total and side_mm <= _BELOW.most_mm else _BESIDE
    if side_mm > area.most_mm:
        raise ValueTooLong("seal")
    if number == total:
        _draw_certification(document, words.statement, issuance, area)
    else:
        note = f"認証文は{total}枚目にあります。全{total}枚がそろって1通の証明書です。"
        document.text(document.fonts.labels, note, RIGHT_MM, FOOT_TOP_MM + 5.0, 8.5, align=Align.RIGHT)
    if number == 1:
        draw_qr(document, seal_text, LEFT_MM, area.top_mm)
        _draw_check(document, issuance, LEFT_MM + area.width_mm)
    _draw_numbers(document, issuance, number, total)
    document.next_page()
    back.draw(document, back_of(issuance))
    document.next_page()


def _draw_certification(document: Document, statement: str, issuance: Issuance, area: _CodeArea) -> None:
    certifier = issuance.certifier
    _draw_statement(document, statement, LEFT_MM + area.width_mm if area.beside_statement else LEFT_MM)
    stamp = municipal_seal(certifier.seal_png)
    left_mm, top_mm = LEFT_MM + area.width_mm, FOOT_TOP_MM + _STAMP_BOTTOM_MM - stamp.height_mm
    width_mm = RIGHT_MM - left_mm - stamp.width_mm - _STAMP_GAP_MM
    lines = (
        (era_date(issuance.issued_on_jst), "issued_on", 10.5, 10.5),
        (certifier.office, "certifier.office", 16.5, 9.5),
        (certifier.title, "certifier.title", 22.5, 12.0),
    )
    beside_mm = left_mm  # where the lines end that the seal stands beside
    for text, item, middle_mm, size_pt in lines:
        box = Box(left_mm, FOOT_TOP_MM + middle_mm - _ONE_LINE_MM / 2, width_mm, _ONE_LINE_MM)
        document.value(text, box, size_pt, item, padding_mm=0.0)
        if box.top_mm + box.height_mm > top_mm:
            beside_mm = max(beside_mm, left_mm + _set_mm(document, text, box, size_pt, item) + _STAMP_GAP_MM)
    # The seal's edge touches the name's last letter, as a clerk sets it, and no other word; the name is set over it.
    room = Box(left_mm + _NAME_INDENT_MM, FOOT_TOP_MM + 27.25, width_mm - _NAME_INDENT_MM, _ONE_LINE_MM)
    name_mm = _set_mm(document, certifier.name, room, _CERTIFIER_PT, "certifier.name")
    name = room._replace(left_mm=max(room.left_mm, beside_mm + _STAMP_OVERLAP_MM - name_mm))
    draw_stamp(document, stamp, name.left_mm + name_mm - _STAMP_OVERLAP_MM, top_mm)
    document.value(certifier.name, name, _CERTIFIER_PT, "certifier.name", padding_mm=0.0)


def _draw_statement(document: Document, statement: str, left_mm: float) -> None:
    labels = document.fonts.labels
    size_pt = min(_STATEMENT_PT, (RIGHT_MM - left_mm) * PT_PER_MM / labels.width_em(statement))
    assert size_pt >= MIN_SIZE_PT, "the form leaves too little room for the statement"
    document.text(labels, statement, left_mm, FOOT_TOP_MM + 3.5, size_pt)


def _set_mm(document: Document, text: str, box: Box, size_pt: float, item: str) -> float:
    """Return how wide a line comes out in its room.

    Errors: ValueTooLong(item).
    """
    values = document.fonts.values
    fitted = fit(values, text, box.width_mm, box.height_mm, size_pt, item=item)
    return values.width_em(text) * fitted.size_pt / PT_PER_MM


def _draw_check(document: Document, issuance: Issuance, left_mm: float) -> None:
    """Draw what to do with the seal's code, to the right of it."""
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


def _draw_numbers(document: Document, issuance: Issuance, number: int, total: int) -> None:
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
    document.text(values, f"{number}/{total}", RIGHT_MM, NUMBER_LINE_MM, VALUE_PT, align=Align.RIGHT)
    if issuance.certifier.specimen:
        document.text(labels, _SPECIMEN_WORDS, RIGHT_MM - 12.0, NUMBER_LINE_MM, 6.5, align=Align.RIGHT)


def name_cell(document: Document, label_box: Box, name: str, value_width_mm: float, *, below_reading: bool) -> float:
    """Draw the name, below the line of its reading if it has one; return its size.

    Label and value stand together in extracted text.
    """
    value_box = Box(label_box.left_mm + label_box.width_mm, label_box.top_mm, value_width_mm, label_box.height_mm)
    document.frame(label_box, RULE_PT)
    document.frame(value_box, RULE_PT)
    above_mm = _READING_MM if below_reading else 0.0
    top_mm, height_mm = label_box.top_mm + above_mm, label_box.height_mm - above_mm
    document.label("氏名", Box(label_box.left_mm, top_mm, label_box.width_mm, height_mm), LABEL_PT)
    return document.value(name, Box(value_box.left_mm, top_mm, value_width_mm, height_mm), NAME_PT, "name")


def name_reading(document: Document, label_box: Box, reading: str, value_width_mm: float, name_pt: float) -> None:
    """Draw the reading above a name of this size, in the cell that name_cell ruled."""
    label_box = Box(label_box.left_mm, label_box.top_mm + _ABOVE_READING_MM, label_box.width_mm, _READING_MM)
    document.label("振り仮名", label_box, MIN_SIZE_PT)
    value_box = label_box._replace(left_mm=label_box.left_mm + label_box.width_mm, width_mm=value_width_mm)
    size_pt = max(MIN_READING_PT, min(_READING_PT, name_pt * _READING_SHARE // SIZE_STEP_PT * SIZE_STEP_PT))
    document.value(reading, value_box, size_pt, "name_reading", min_pt=MIN_READING_PT)
