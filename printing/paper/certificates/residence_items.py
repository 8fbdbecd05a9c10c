"""Residence item certificate (住民票記載事項証明書): a row for each item that was asked for, and no other."""

from __future__ import annotations

from collections.abc import Mapping

from printing.paper.certificates import flow, sheet
from printing.paper.certificates.flow import Band, Block, Cell, Flow, Row
from printing.paper.certificates.residence import SPECIAL_PERMANENT_RESIDENT
from printing.paper.certificates.sheet import EMPTY, OMITTED, SheetWords
from printing.paper.certificates.vocabulary import check_word
from printing.paper.certificates.wording import wording
from printing.paper.errors import InconsistentRecord
from printing.paper.page import Document
from printing.paper.records import CertificateKind, Issuance, ResidenceItemCertificate, StatedItem, StatedPerson

TITLE = "住民票記載事項証明書"

_INDEX_MM = 8.0
_WIDTH_MM = sheet.WIDTH_MM - _INDEX_MM
_LABEL_MM = 34.0

# Which fields belong to which item.
_FIELDS: Mapping[StatedItem, tuple[str, ...]] = {
    StatedItem.SEX: ("sex",),
    StatedItem.RELATIONSHIP: ("relationship",),
    StatedItem.RESIDENT_SINCE: ("resident_since",),
    StatedItem.ADDRESS_SINCE: ("address_since",),
    StatedItem.NOTIFIED_ON: ("notified_on",),
    StatedItem.MOVED_IN_FROM: ("moved_in_from",),
    StatedItem.PREVIOUS_ADDRESS: ("previous_address",),
    StatedItem.DOMICILE: ("domicile", "domicile_head"),
    StatedItem.NATIONALITY: ("nationality",),
    StatedItem.STATUS: ("category", "status", "period", "expires_on"),
    StatedItem.CARD_NUMBER: ("card_number",),
    StatedItem.ALIAS_HISTORY: ("alias_history",),
    StatedItem.REMARKS: ("remarks",),
    StatedItem.INDIVIDUAL_NUMBER: ("individual_number",),
}
# An item of foreign residents alone, or of Japanese nationals alone, has no row in the others' entries.
_FOREIGN_ONLY = (
    "alias",
    "kanji_name",
    "nationality",
    "category",
    "status",
    "period",
    "expires_on",
    "card_number",
    "alias_history",
)
_JAPANESE_ONLY = ("domicile", "domicile_head", "former_surname")


def sheets(record: ResidenceItemCertificate) -> int:
    """Return the number of sheets."""
    return flow.sheets(_flow(record, ()))


def title(_record: ResidenceItemCertificate) -> str:
    """Return the document's title."""
    return TITLE


def check(record: ResidenceItemCertificate) -> None:
    """Refuse a record that contradicts itself or uses another document's words.

    Errors: InconsistentRecord, WrongVocabulary.
    """
    if not record.people:
        raise InconsistentRecord("people", "a certificate names at least one person")
    if not record.items:
        raise InconsistentRecord("items", "at least one item is asked for")
    for item in (StatedItem.ADDRESS, StatedItem.HEAD_OF_HOUSEHOLD):
        if item not in record.items and getattr(record, item.value) is not None:
            raise InconsistentRecord(item.value, "in the record although its item was not chosen")
    for person in record.people:
        _check_person(record, person)


def draw(document: Document, record: ResidenceItemCertificate, issuance: Issuance, seal_text: str) -> None:
    """Draw all sheets of a checked record.

    Errors: ValueTooLong, UndrawableText, NoEra.
    """
    row = wording(CertificateKind.RESIDENCE_ITEMS, issuance)
    flow.draw(document, _flow(record, row.notes), SheetWords(TITLE, "", row.statement), issuance, seal_text)


def _check_person(record: ResidenceItemCertificate, person: StatedPerson) -> None:
    for item, fields in _FIELDS.items():
        for name in fields:
            if item not in record.items and getattr(person, name) not in {None, ()}:
                raise InconsistentRecord(name, "in the record although its item was not chosen")
    check_word(CertificateKind.RESIDENCE_ITEMS, "relationship", person.relationship)
    if person.former_surname is None and person.former_surname_reading is not None:
        raise InconsistentRecord("former_surname_reading", "the reading of a former surname that is not recorded")
    number = person.individual_number
    if number is not None and not (len(number) == 12 and number.isascii() and number.isdigit()):
        raise InconsistentRecord("individual_number", "12 digits")
    others = _JAPANESE_ONLY if person.foreign else _FOREIGN_ONLY
    if any(getattr(person, name) not in {None, ()} for name in others):
        raise InconsistentRecord("foreign", "items of foreign residents and of Japanese nationals exclude one another")


def _flow(record: ResidenceItemCertificate, notes: tuple[str, ...]) -> Flow:
    label_mm = _INDEX_MM + _LABEL_MM
    header = []
    if StatedItem.ADDRESS in record.items:
        header.append(flow.wide_row("住所", record.address or EMPTY, "address", label_mm))
    if StatedItem.HEAD_OF_HOUSEHOLD in record.items:
        header.append(flow.wide_row("世帯主", record.head_of_household or EMPTY, "head_of_household", label_mm))
    blocks = (
        Block((Band(_rows(record, person), str(number), _INDEX_MM),), person.name, whole=True)
        for number, person in enumerate(record.people, start=1)
    )
    return Flow(tuple(header), tuple(blocks), notes)


def _rows(record: ResidenceItemCertificate, person: StatedPerson) -> tuple[Row, ...]:
    born_on = flow.date_text(person.born_on, in_era=not person.foreign)
    cells = [cell for cell in _cells(person) if cell[0] is None or cell[0] in record.items]
    halves = [(Cell(label, value, item, 0.0, 0.0), half) for _item, label, value, item, half in cells]
    name = flow.name_row(person.name, person.name_reading, born_on, _WIDTH_MM, _LABEL_MM)
    return (name, *flow.packed(halves, _WIDTH_MM, _LABEL_MM))


_Stated = tuple[StatedItem | None, str, str, str, bool]  # item, label, value, field, whether half a row will do


def _cells(person: StatedPerson) -> list[_Stated]:
    """Return every item that this person's entry can have, in the order of printing."""
    cells: list[_Stated] = [(StatedItem.SEX, "性別", person.sex or EMPTY, "sex", True)]
    if person.former_surname is not None:
        reading = f" ({person.former_surname_reading})" if person.former_surname_reading else ""
        cells.append((None, "旧氏", f"{person.former_surname}{reading}", "former_surname", True))
    if person.alias is not None:
        cells.append((None, "通称", person.alias, "alias", True))
    if person.kanji_name is not None:
        cells.append((None, "漢字氏名", person.kanji_name, "kanji_name", True))
    since_label = "外国人住民となった年月日" if person.foreign else "住民となった年月日"
    cells += [
        (StatedItem.RELATIONSHIP, "続柄", person.relationship or EMPTY, "relationship", True),
        (StatedItem.RESIDENT_SINCE, since_label, flow.date_text(person.resident_since), "resident_since", True),
        (StatedItem.ADDRESS_SINCE, "住所を定めた年月日", flow.date_text(person.address_since), "address_since", True),
        (StatedItem.NOTIFIED_ON, "届出日", flow.date_text(person.notified_on), "notified_on", True),
        *(_foreign_cells(person) if person.foreign else _japanese_cells(person)),
        (StatedItem.MOVED_IN_FROM, "転入前住所", person.moved_in_from or EMPTY, "moved_in_from", False),
        (StatedItem.PREVIOUS_ADDRESS, "異動前住所", person.previous_address or EMPTY, "previous_address", False),
        # Chosen person by person: whoever's was not chosen has none in the record.
        (StatedItem.INDIVIDUAL_NUMBER, "個人番号", person.individual_number or OMITTED, "individual_number", False),
        (StatedItem.REMARKS, "備考", person.remarks or EMPTY, "remarks", False),
    ]
    return cells


def _japanese_cells(person: StatedPerson) -> list[_Stated]:
    return [
        (StatedItem.DOMICILE, "本籍", person.domicile or EMPTY, "domicile", False),
        (StatedItem.DOMICILE, "筆頭者", person.domicile_head or EMPTY, "domicile_head", False),
    ]


def _foreign_cells(person: StatedPerson) -> list[_Stated]:
    expires_on = flow.date_text(person.expires_on, in_era=False)
    special = person.category == SPECIAL_PERMANENT_RESIDENT
    card = "特別永住者証明書番号" if special else "在留カード番号" if person.category else "在留カード等番号"
    history = "、".join(person.alias_history) or EMPTY
    return [
        (StatedItem.NATIONALITY, "国籍・地域", person.nationality or EMPTY, "nationality", True),
        (StatedItem.STATUS, "30条の45に規定する区分", person.category or EMPTY, "category", True),
        (StatedItem.STATUS, "在留資格", person.status or EMPTY, "status", True),
        (StatedItem.STATUS, "在留期間", person.period or EMPTY, "period", True),
        (StatedItem.STATUS, "満了日", expires_on, "expires_on", True),
        (StatedItem.CARD_NUMBER, card, person.card_number or EMPTY, "card_number", True),
        (StatedItem.ALIAS_HISTORY, "通称の記載・削除", history, "alias_history", False),
    ]
