"""Copy of the supplementary family register (戸籍の附票の写し): where people of one register have lived.

Source: 住民基本台帳法 articles 17, 17-2 and 20.
"""

from __future__ import annotations

from datetime import date

from printing.paper.certificates import flow, sheet
from printing.paper.certificates.flow import Band, Block, Cell, Flow, Row
from printing.paper.certificates.sheet import EMPTY, OMITTED, SheetWords
from printing.paper.certificates.wording import wording
from printing.paper.errors import InconsistentRecord
from printing.paper.page import Document
from printing.paper.records import (
    CertificateKind,
    DatedAddress,
    Issuance,
    SupplementaryItem,
    SupplementaryPerson,
    SupplementaryRegisterCopy,
)

TITLE = "戸籍の附票の写し"
SEX_SINCE = date(2022, 1, 11)  # of who was removed before, sex was never entered

_INDEX_MM = 8.0
_LABEL_MM = 30.0
_WIDTH_MM = sheet.WIDTH_MM - _INDEX_MM
#: From the right: a date under the two cells of the sex, so that their rules are one.
_DATE_MM = 30.0
_SEX_MM = _DATE_MM / 2
_BORN_LABEL_MM = 18.0
_SINCE_LABEL_MM = 25.0
_VOTER_LABEL = "在外選挙人名簿の登録"


def sheets(record: SupplementaryRegisterCopy) -> int:
    """Return the number of sheets."""
    return flow.sheets(_flow(record, ()))


def title(_record: SupplementaryRegisterCopy) -> str:
    """Return the document's title."""
    return TITLE


def check(record: SupplementaryRegisterCopy) -> None:
    """Refuse a record that contradicts itself.

    Errors: InconsistentRecord.
    """
    if not record.people:
        raise InconsistentRecord("people", "a certificate names at least one person")
    if SupplementaryItem.DOMICILE not in record.items:
        for name in ("domicile", "domicile_head"):
            if getattr(record, name) is not None:
                raise InconsistentRecord(name, "in the record although its item was not chosen")
    for person in record.people:
        if SupplementaryItem.OVERSEAS_VOTER not in record.items and person.overseas_voter is not None:
            raise InconsistentRecord("overseas_voter", "in the record although its item was not chosen")
        if not _has_sex(person) and person.sex is not None:
            raise InconsistentRecord("sex", "never entered of who was removed before 2022-01-11")


def draw(document: Document, record: SupplementaryRegisterCopy, issuance: Issuance, seal_text: str) -> None:
    """Draw all sheets of a checked record.

    Errors: ValueTooLong, UndrawableText, NoEra.
    """
    row = wording(CertificateKind.SUPPLEMENTARY_REGISTER, issuance, part=not record.everybody)
    words = SheetWords(TITLE, "(全部)" if record.everybody else "(一部)", row.statement)
    flow.draw(document, _flow(record, row.notes), words, issuance, seal_text)


def _flow(record: SupplementaryRegisterCopy, notes: tuple[str, ...]) -> Flow:
    chosen = SupplementaryItem.DOMICILE in record.items
    domicile, head = ((value or EMPTY) if chosen else OMITTED for value in (record.domicile, record.domicile_head))
    label_mm = _INDEX_MM + _LABEL_MM
    header = (
        flow.wide_row("本籍", domicile, "domicile", label_mm),
        flow.wide_row("筆頭者", head, "domicile_head", label_mm),
    )
    blocks = (_block(record, person, number) for number, person in enumerate(record.people, start=1))
    return Flow(header, tuple(blocks), notes)


def _block(record: SupplementaryRegisterCopy, person: SupplementaryPerson, number: int) -> Block:
    rows = [_name_row(person)]
    if person.removed_on is not None:
        rows.append(_wide("除かれた年月日", flow.date_text(person.removed_on), "removed_on"))
    rows += map(_address_row, person.addresses or (None,))
    voter = (person.overseas_voter or EMPTY) if SupplementaryItem.OVERSEAS_VOTER in record.items else OMITTED
    rows.append(_wide(_VOTER_LABEL, voter, "overseas_voter"))
    return Block((Band(tuple(rows), str(number), _INDEX_MM),), person.name)


def _name_row(person: SupplementaryPerson) -> Row:
    born_on, label_mm = flow.date_text(person.born_on), _BORN_LABEL_MM
    name_mm = _WIDTH_MM - _LABEL_MM - label_mm - _DATE_MM
    sex: tuple[Cell, ...] = ()
    if _has_sex(person):
        name_mm -= 2 * _SEX_MM
        sex = (Cell("男女の別", person.sex or EMPTY, "sex", _SEX_MM, _SEX_MM),)
    name = Cell("氏名", person.name, "name", _LABEL_MM, name_mm, reading=person.name_reading)
    return Row((name, Cell("生年月日", born_on, "born_on", label_mm, _DATE_MM), *sex), sheet.NAME_ROW_MM)


def _address_row(address: DatedAddress | None) -> Row:
    where, since = (EMPTY, None) if address is None else (address.address, address.since)
    address_mm = _WIDTH_MM - _LABEL_MM - _SINCE_LABEL_MM - _DATE_MM
    return Row(
        (
            Cell("住所", where, "addresses", _LABEL_MM, address_mm),
            Cell("住所を定めた年月日", flow.date_text(since), "since", _SINCE_LABEL_MM, _DATE_MM),
        )
    )


def _wide(label: str, value: str, item: str) -> Row:
    return Row((Cell(label, value, item, _LABEL_MM, _WIDTH_MM - _LABEL_MM),))


def _has_sex(person: SupplementaryPerson) -> bool:
    return person.removed_on is None or person.removed_on >= SEX_SINCE
