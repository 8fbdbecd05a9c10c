"""Residence certificate (住民票の写し), 世帯連記式: 4 people a sheet, one block a person.

Each block has the same rows for everyone of its kind, so that a missing row is never a question: what is not recorded
says 【空欄】, what was left out by choice 【省略】. Sources: 住民基本台帳法 articles 7, 12 and 30-45.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from printing.paper.certificates import sheet
from printing.paper.certificates.sheet import EMPTY, OMITTED, SheetWords
from printing.paper.certificates.vocabulary import check_word
from printing.paper.certificates.wording import wording
from printing.paper.era import era_date, western_date
from printing.paper.errors import InconsistentRecord
from printing.paper.fitting import LEADING, MIN_SIZE_PT, PT_PER_MM, Align, Box
from printing.paper.page import Document
from printing.paper.records import (
    CertificateKind,
    ForeignResidentItems,
    Issuance,
    ResidenceCertificate,
    ResidenceItem,
    ResidencePerson,
)

PEOPLE_A_SHEET = 4
TITLE = "住民票の写し"
SPECIAL_PERMANENT_RESIDENT = "特別永住者"

_HEAD_ROW_MM = 6.0
_HEAD_CELL = sheet.CELL._replace(value_pt=11.0)
_ROW_MM = 5.8
_WHITE_MM = 0.6  # above and below two lines of the smallest type together: they never touch the rules
assert _ROW_MM >= 2 * MIN_SIZE_PT * LEADING / PT_PER_MM + _WHITE_MM
_INDEX_MM = 6.0
_BLOCK_ROWS = 7
_BLOCK_MM = sheet.NAME_ROW_MM + (_BLOCK_ROWS - 1) * _ROW_MM
_BLOCK_GAP_MM = 1.0
_LABEL_MM = 18.0
#: Where every vertical rule of a person's rows stands on the sheet: two rules are one, or far enough apart.
_GRID_MM = frozenset((39, 51, 80, 99, 110, 123, 137, 152, 166, 176, 195))


class Cell(NamedTuple):
    """One label with its value, and the width of both."""

    label: str
    value: str
    item: str
    label_mm: float
    value_mm: float


def sheets(record: ResidenceCertificate) -> int:
    """Return the number of sheets."""
    return -(-len(record.people) // PEOPLE_A_SHEET)


def title(_record: ResidenceCertificate) -> str:
    """Return the document's title."""
    return TITLE


def check(record: ResidenceCertificate) -> None:
    """Refuse a record that contradicts itself or uses another document's words.

    Errors: InconsistentRecord, WrongVocabulary.
    """
    if not record.people:
        raise InconsistentRecord("people", "a certificate names at least one person")
    _unchosen(record, ResidenceItem.RELATIONSHIP, head_of_household=record.head_of_household)
    for person in record.people:
        _check_person(record, person)


def draw(document: Document, record: ResidenceCertificate, issuance: Issuance, seal_text: str) -> None:
    """Draw all sheets of a checked record.

    Errors: ValueTooLong, UndrawableText, NoEra.
    """
    row = wording(CertificateKind.RESIDENCE, issuance, part=not record.whole_household)
    words = SheetWords(TITLE, "(世帯全員)" if record.whole_household else "(世帯の一部)", row.statement)
    total = sheets(record)
    for number in range(1, total + 1):
        first = (number - 1) * PEOPLE_A_SHEET
        sheet.draw_head(document, words, issuance)
        _draw_household(document, record)
        top_mm = sheet.BODY_TOP_MM + 2 * _HEAD_ROW_MM + 2.0
        for index, person in enumerate(record.people[first : first + PEOPLE_A_SHEET]):
            _draw_person(document, record, person, first + index + 1, top_mm + index * (_BLOCK_MM + _BLOCK_GAP_MM))
        if first + PEOPLE_A_SHEET > len(record.people):
            end_mm = top_mm + (len(record.people) - first) * (_BLOCK_MM + _BLOCK_GAP_MM)
            document.text(document.fonts.labels, "以下余白", 105.0, end_mm + 6.0, 9.5, align=Align.CENTRE)
        sheet.finish_sheet(document, words, issuance, seal_text, number=number, total=total)


def _check_person(record: ResidenceCertificate, person: ResidencePerson) -> None:
    _unchosen(record, ResidenceItem.RELATIONSHIP, relationship=person.relationship)
    _unchosen(record, ResidenceItem.DOMICILE, domicile=person.domicile, domicile_head=person.domicile_head)
    _unchosen(record, ResidenceItem.PREVIOUS_ADDRESS, previous_address=person.previous_address)
    _unchosen(record, ResidenceItem.INDIVIDUAL_NUMBER, individual_number=person.individual_number)
    check_word(CertificateKind.RESIDENCE, "relationship", person.relationship)
    if person.former_surname is None and person.former_surname_reading is not None:
        raise InconsistentRecord("former_surname_reading", "the reading of a former surname that is not recorded")
    number = person.individual_number
    if number is not None and not (len(number) == 12 and number.isascii() and number.isdigit()):
        raise InconsistentRecord("individual_number", "12 digits")
    foreign = person.foreign
    if foreign is None:
        return
    _unchosen(record, ResidenceItem.NATIONALITY, nationality=foreign.nationality)
    _unchosen(
        record,
        ResidenceItem.STATUS,
        category=foreign.category,
        status=foreign.status,
        period=foreign.period,
        expires_on=foreign.expires_on,
    )
    _unchosen(record, ResidenceItem.CARD_NUMBER, card_number=foreign.card_number)
    _unchosen(record, ResidenceItem.ALIAS_HISTORY, alias_history=foreign.alias_history or None)
    japanese_only = (person.became_resident_on, person.domicile, person.domicile_head, person.former_surname)
    if any(value is not None for value in japanese_only):
        raise InconsistentRecord("foreign", "a foreign resident's entry has no domicile, 旧氏 or 住民となった年月日")


def _unchosen(record: ResidenceCertificate, item: ResidenceItem, **values: object) -> None:
    """Refuse values of an item that was not chosen: S19, and the same rule for every other item."""
    if item in record.items:
        return
    for name, value in values.items():
        if value is not None:
            raise InconsistentRecord(name, "in the record although its item was not chosen")


def _draw_household(document: Document, record: ResidenceCertificate) -> None:
    relationship = ResidenceItem.RELATIONSHIP in record.items
    rows = (
        ("住所", record.address, "address"),
        ("世帯主", record.head_of_household if relationship else OMITTED, "head_of_household"),
    )
    box = Box(sheet.LEFT_MM, sheet.BODY_TOP_MM, sheet.WIDTH_MM, len(rows) * _HEAD_ROW_MM)
    label_mm = _INDEX_MM + _LABEL_MM
    for number, (label, value, item) in enumerate(rows):
        label_box = Box(box.left_mm, box.top_mm + number * _HEAD_ROW_MM, label_mm, _HEAD_ROW_MM)
        document.cell(label, label_box, value or EMPTY, sheet.WIDTH_MM - label_mm, item, style=_HEAD_CELL)
    document.frame(box, sheet.BORDER_PT)


def _draw_person(
    document: Document, record: ResidenceCertificate, person: ResidencePerson, index: int, top_mm: float
) -> None:
    block = Box(sheet.LEFT_MM, top_mm, sheet.WIDTH_MM, _BLOCK_MM)
    document.label(str(index), Box(block.left_mm, block.top_mm, _INDEX_MM, block.height_mm), 9.0)
    rows = [_name_row(record, person), *_rows(record, person)]
    assert len(rows) == _BLOCK_ROWS
    y_mm, name_pt = top_mm, 0.0
    for row in rows:
        height_mm = sheet.NAME_ROW_MM if row is rows[0] else _ROW_MM
        x_mm = block.left_mm + _INDEX_MM
        for cell in row:
            label_box = Box(x_mm, y_mm, cell.label_mm, height_mm)
            if cell.item == "name":
                below = bool(person.name_reading)
                name_pt = sheet.name_cell(document, label_box, cell.value, cell.value_mm, below_reading=below)
            else:
                document.cell(cell.label, label_box, cell.value, cell.value_mm, cell.item, style=sheet.CELL)
            x_mm += cell.label_mm + cell.value_mm
        y_mm += height_mm
    if person.name_reading:
        label_box = Box(block.left_mm + _INDEX_MM, top_mm, _LABEL_MM, sheet.NAME_ROW_MM)
        sheet.name_reading(document, label_box, person.name_reading, rows[0][0].value_mm, name_pt)
    document.frame(block, sheet.BORDER_PT)


def _name_row(record: ResidenceCertificate, person: ResidencePerson) -> tuple[Cell, ...]:
    born_on = western_date(person.born_on) if person.foreign else era_date(person.born_on)
    relationship = _chosen(record, ResidenceItem.RELATIONSHIP, person.relationship)
    return _row(
        ("氏名", person.name, "name", 39, 99),
        ("性別", person.sex or EMPTY, "sex", 110, 123),
        ("生年月日", born_on, "born_on", 137, 166),
        ("続柄", relationship, "relationship", 176, 195),
    )


def _rows(record: ResidenceCertificate, person: ResidencePerson) -> tuple[tuple[Cell, ...], ...]:
    return _japanese_rows(record, person) if person.foreign is None else _foreign_rows(record, person, person.foreign)


def _japanese_rows(record: ResidenceCertificate, person: ResidencePerson) -> tuple[tuple[Cell, ...], ...]:
    former = person.former_surname or EMPTY
    if person.former_surname and person.former_surname_reading:
        former = f"{person.former_surname} ({person.former_surname_reading})"
    domicile, head = (
        _chosen(record, ResidenceItem.DOMICILE, value) for value in (person.domicile, person.domicile_head)
    )
    previous = _chosen(record, ResidenceItem.PREVIOUS_ADDRESS, person.previous_address)
    return (
        _row(
            ("旧氏", former, "former_surname", 39, 99),
            ("住民となった年月日", _date_or_empty(person.became_resident_on), "became_resident_on", 137, 195),
        ),
        _row(
            ("住所を定めた年月日", _date_or_empty(person.address_since), "address_since", 51, 80),
            ("届出日", _date_or_empty(person.notified_on), "notified_on", 99, 137),
            ("個人番号", _individual_number(person), "individual_number", 152, 195),
        ),
        _row(("本籍", domicile, "domicile", 39, 137), ("筆頭者", head, "domicile_head", 152, 195)),
        _row(("転入前住所", person.moved_in_from or EMPTY, "moved_in_from", 39, 195)),
        _row(("異動前住所", previous, "previous_address", 39, 195)),
        _row(("備考", person.remarks or EMPTY, "remarks", 39, 195)),
    )


def _foreign_rows(
    record: ResidenceCertificate, person: ResidencePerson, foreign: ForeignResidentItems
) -> tuple[tuple[Cell, ...], ...]:
    category, status, period, expires_on = (
        _chosen(record, ResidenceItem.STATUS, value)
        for value in (
            foreign.category,
            foreign.status,
            foreign.period,
            None if foreign.expires_on is None else western_date(foreign.expires_on),
        )
    )
    nationality = _chosen(record, ResidenceItem.NATIONALITY, foreign.nationality)
    special = foreign.category == SPECIAL_PERMANENT_RESIDENT
    card_label = "特別永住者証明書番号" if special else "在留カード番号" if foreign.category else "在留カード等番号"
    card = _chosen(record, ResidenceItem.CARD_NUMBER, foreign.card_number)
    previous = _chosen(record, ResidenceItem.PREVIOUS_ADDRESS, person.previous_address)
    history = _chosen(record, ResidenceItem.ALIAS_HISTORY, "、".join(foreign.alias_history) or None)
    return (
        _alias_row(foreign),
        _row(
            ("国籍・地域", nationality, "nationality", 39, 80),
            ("30条の45に規定する区分", category, "category", 110, 152),
            ("個人番号", _individual_number(person), "individual_number", 166, 195),
        ),
        _row(
            ("在留資格", status, "status", 39, 99),
            ("在留期間", period, "period", 123, 152),
            ("満了日", expires_on, "expires_on", 166, 195),
        ),
        _row(
            (card_label, card, "card_number", 51, 99),
            ("住所を定めた年月日", _date_or_empty(person.address_since), "address_since", 123, 152),
            ("届出日", _date_or_empty(person.notified_on), "notified_on", 166, 195),
        ),
        _row(
            ("転入前住所", person.moved_in_from or EMPTY, "moved_in_from", 39, 110),
            ("異動前住所", previous, "previous_address", 123, 195),
        ),
        _row(
            ("通称の記載・削除", history, "alias_history", 51, 123),
            ("備考", person.remarks or EMPTY, "remarks", 137, 195),
        ),
    )


def _alias_row(foreign: ForeignResidentItems) -> tuple[Cell, ...]:
    alias, since = foreign.alias or EMPTY, _date_or_empty(foreign.became_foreign_resident_on)
    label, item = "外国人住民となった年月日", "became_foreign_resident_on"
    if foreign.kanji_name is None:
        return _row(("通称", alias, "alias", 39, 99), (label, since, item, 137, 195))
    return _row(
        ("通称", alias, "alias", 39, 80),
        ("漢字氏名", foreign.kanji_name, "kanji_name", 99, 137),
        (label, since, item, 166, 195),
    )


def _chosen(record: ResidenceCertificate, item: ResidenceItem, value: str | None) -> str:
    return OMITTED if item not in record.items else value or EMPTY


def _individual_number(person: ResidencePerson) -> str:
    """The Individual Number is chosen person by person: whoever's was not chosen has none in the record."""
    return person.individual_number or OMITTED


def _date_or_empty(on: date | None) -> str:
    return EMPTY if on is None else era_date(on)


def _row(*cells: tuple[str, str, str, int, int]) -> tuple[Cell, ...]:
    """Return a row: each cell's label, value and item, and where on the sheet the two end, in mm."""
    row: list[Cell] = []
    left_mm = sheet.LEFT_MM + _INDEX_MM
    for label, value, item, label_end_mm, value_end_mm in cells:
        assert {label_end_mm, value_end_mm} <= _GRID_MM, f"{label}: off the grid"
        row.append(Cell(label, value, item, label_end_mm - left_mm, value_end_mm - label_end_mm))
        left_mm = value_end_mm
    return tuple(row)
