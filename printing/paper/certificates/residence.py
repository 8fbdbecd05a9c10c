"""Residence certificate (住民票の写し), 世帯連記式: 4 people a sheet, one block a person.

Each block has the same rows for everyone of its kind, so that a missing row is never a question: what is not recorded
says 【空欄】, what was left out by choice 【省略】. Sources: 住民基本台帳法 articles 7, 12 and 30-45.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

from printing.paper.certificates import sheet
from printing.paper.certificates.sheet import EMPTY, OMITTED, SheetWords
from printing.paper.certificates.vocabulary import check_word
from printing.paper.certificates.wording import wording
from printing.paper.era import era_date, western_date
from printing.paper.errors import InconsistentRecord
from printing.paper.fitting import LEADING, MIN_SIZE_PT, PT_PER_MM, Align, Box
from printing.paper.page import Cell, Cells, Document
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


_HEAD_LABEL_MM = _INDEX_MM + _LABEL_MM
_HOUSEHOLD = Cells(
    tuple(
        Cell(
            item,
            label,
            Box(sheet.LEFT_MM, sheet.BODY_TOP_MM + row * _HEAD_ROW_MM, _HEAD_LABEL_MM, _HEAD_ROW_MM),
            sheet.WIDTH_MM - _HEAD_LABEL_MM,
        )
        for row, (label, item) in enumerate((("住所", "address"), ("世帯主", "head_of_household")))
    ),
    sheet.CELL._replace(value_pt=11.0),
)
#: Rows of cells: each cell's label and item, and where on the sheet the label and the value end, in mm.
_Rows = tuple[tuple[tuple[str, str, int, int], ...], ...]
_JAPANESE: _Rows = (
    (
        ("氏名", "name", 39, 99),
        ("性別", "sex", 110, 123),
        ("生年月日", "born_on", 137, 166),
        ("続柄", "relationship", 176, 195),
    ),
    (
        ("旧氏", "former_surname", 39, 99),
        ("住民となった年月日", "became_resident_on", 137, 195),
    ),
    (
        ("住所を定めた年月日", "address_since", 51, 80),
        ("届出日", "notified_on", 99, 137),
        ("個人番号", "individual_number", 152, 195),
    ),
    (("本籍", "domicile", 39, 137), ("筆頭者", "domicile_head", 152, 195)),
    (("転入前住所", "moved_in_from", 39, 195),),
    (("異動前住所", "previous_address", 39, 195),),
    (("備考", "remarks", 39, 195),),
)


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
    head = record.head_of_household if ResidenceItem.RELATIONSHIP in record.items else OMITTED
    values = {"address": record.address or EMPTY, "head_of_household": head or EMPTY}
    document.cells(_HOUSEHOLD, values)
    document.frame(Box(sheet.LEFT_MM, sheet.BODY_TOP_MM, sheet.WIDTH_MM, 2 * _HEAD_ROW_MM), sheet.BORDER_PT)


def _draw_person(
    document: Document, record: ResidenceCertificate, person: ResidencePerson, index: int, top_mm: float
) -> None:
    block = Box(sheet.LEFT_MM, top_mm, sheet.WIDTH_MM, _BLOCK_MM)
    document.label(str(index), Box(block.left_mm, block.top_mm, _INDEX_MM, block.height_mm), 9.0)
    name, others = _block(_JAPANESE if person.foreign is None else _foreign_rows(person.foreign), top_mm)
    below = bool(person.name_reading)
    name_pt = sheet.name_cell(document, name.label_box, person.name, name.value_mm, below_reading=below)
    document.cells(others, _values(record, person))
    if person.name_reading:
        sheet.name_reading(document, name.label_box, person.name_reading, name.value_mm, name_pt)
    document.frame(block, sheet.BORDER_PT)


@lru_cache(maxsize=64)
def _block(rows: _Rows, top_mm: float) -> tuple[Cell, Cells]:
    """Return the cells of one person's block: the name's, and all others in order."""
    assert len(rows) == _BLOCK_ROWS
    cells: list[Cell] = []
    for number, row in enumerate(rows):
        height_mm = _ROW_MM if number else sheet.NAME_ROW_MM
        left_mm = sheet.LEFT_MM + _INDEX_MM
        for label, item, label_end_mm, value_end_mm in row:
            assert {label_end_mm, value_end_mm} <= _GRID_MM, f"{label}: off the grid"
            label_box = Box(left_mm, top_mm, label_end_mm - left_mm, height_mm)
            cells.append(Cell(item, label, label_box, float(value_end_mm - label_end_mm)))
            left_mm = float(value_end_mm)
        top_mm += height_mm
    return cells[0], Cells(tuple(cells[1:]), sheet.CELL)


def _foreign_rows(foreign: ForeignResidentItems) -> _Rows:
    special = foreign.category == SPECIAL_PERMANENT_RESIDENT
    card = "特別永住者証明書番号" if special else "在留カード番号" if foreign.category else "在留カード等番号"
    since = ("外国人住民となった年月日", "became_foreign_resident_on")
    alias: tuple[tuple[str, str, int, int], ...] = (("通称", "alias", 39, 99), (*since, 137, 195))
    if foreign.kanji_name is not None:
        alias = (("通称", "alias", 39, 80), ("漢字氏名", "kanji_name", 99, 137), (*since, 166, 195))
    return (
        _JAPANESE[0],
        alias,
        (
            ("国籍・地域", "nationality", 39, 80),
            ("30条の45に規定する区分", "category", 110, 152),
            ("個人番号", "individual_number", 166, 195),
        ),
        (("在留資格", "status", 39, 99), ("在留期間", "period", 123, 152), ("満了日", "expires_on", 166, 195)),
        (
            (card, "card_number", 51, 99),
            ("住所を定めた年月日", "address_since", 123, 152),
            ("届出日", "notified_on", 166, 195),
        ),
        (("転入前住所", "moved_in_from", 39, 110), ("異動前住所", "previous_address", 123, 195)),
        (("通称の記載・削除", "alias_history", 51, 123), ("備考", "remarks", 137, 195)),
    )


def _values(record: ResidenceCertificate, person: ResidencePerson) -> dict[str, str]:
    """Return what stands in a person's cells but for the name's, by item."""
    foreign = person.foreign
    values = {
        "sex": person.sex or EMPTY,
        "born_on": western_date(person.born_on) if foreign else era_date(person.born_on),
        "relationship": _chosen(record, ResidenceItem.RELATIONSHIP, person.relationship),
        "address_since": _date_or_empty(person.address_since),
        "notified_on": _date_or_empty(person.notified_on),
        # The Individual Number is chosen person by person: whoever's was not chosen has none in the record.
        "individual_number": person.individual_number or OMITTED,
        "moved_in_from": person.moved_in_from or EMPTY,
        "previous_address": _chosen(record, ResidenceItem.PREVIOUS_ADDRESS, person.previous_address),
        "remarks": person.remarks or EMPTY,
    }
    return values | (_japanese_values(record, person) if foreign is None else _foreign_values(record, foreign))


def _japanese_values(record: ResidenceCertificate, person: ResidencePerson) -> dict[str, str]:
    former = person.former_surname or EMPTY
    if person.former_surname and person.former_surname_reading:
        former = f"{person.former_surname} ({person.former_surname_reading})"
    return {
        "former_surname": former,
        "became_resident_on": _date_or_empty(person.became_resident_on),
        "domicile": _chosen(record, ResidenceItem.DOMICILE, person.domicile),
        "domicile_head": _chosen(record, ResidenceItem.DOMICILE, person.domicile_head),
    }


def _foreign_values(record: ResidenceCertificate, foreign: ForeignResidentItems) -> dict[str, str]:
    expires_on = None if foreign.expires_on is None else western_date(foreign.expires_on)
    return {
        "alias": foreign.alias or EMPTY,
        "kanji_name": foreign.kanji_name or EMPTY,
        "became_foreign_resident_on": _date_or_empty(foreign.became_foreign_resident_on),
        "nationality": _chosen(record, ResidenceItem.NATIONALITY, foreign.nationality),
        "category": _chosen(record, ResidenceItem.STATUS, foreign.category),
        "status": _chosen(record, ResidenceItem.STATUS, foreign.status),
        "period": _chosen(record, ResidenceItem.STATUS, foreign.period),
        "expires_on": _chosen(record, ResidenceItem.STATUS, expires_on),
        "card_number": _chosen(record, ResidenceItem.CARD_NUMBER, foreign.card_number),
        "alias_history": _chosen(record, ResidenceItem.ALIAS_HISTORY, "、".join(foreign.alias_history) or None),
    }


def _chosen(record: ResidenceCertificate, item: ResidenceItem, value: str | None) -> str:
    return OMITTED if item not in record.items else value or EMPTY


def _date_or_empty(on: date | None) -> str:
    return EMPTY if on is None else era_date(on)
