"""Family register certificates, full and individual (戸籍全部事項証明書, 戸籍個人事項証明書).

Matters stand as the register has them: a heading, and lines 【label】value. Source: 戸籍法 articles 13 and 120,
戸籍法施行規則 articles 30, 33 and 73.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace

from printing.paper.certificates import flow, sheet
from printing.paper.certificates.flow import Band, Block, Cell, Flow, Row
from printing.paper.certificates.sheet import EMPTY, SheetWords
from printing.paper.certificates.vocabulary import check_word
from printing.paper.certificates.wording import wording
from printing.paper.errors import InconsistentRecord
from printing.paper.fitting import Align
from printing.paper.page import Document
from printing.paper.records import (
    FamilyRegister,
    FamilyRegisterCertificate,
    FamilyRegisterIndividualCertificate,
    Issuance,
    Matter,
    RegisteredPerson,
    kind_of,
)

AnyFamilyRegister = FamilyRegisterCertificate | FamilyRegisterIndividualCertificate

TITLE_FULL = "戸籍全部事項証明書"
TITLE_INDIVIDUAL = "戸籍個人事項証明書"

_HEADING_MM = 30.0
_WIDTH_MM = sheet.WIDTH_MM - _HEADING_MM
_PARENT_LABEL_MM = 12.0
_RELATION_MM = 26.0
_ONE_LINE_EM = 42.0
_UNDIVIDED_LINES = 8  # a matter of no more lines stands on one sheet


def sheets(record: FamilyRegister) -> int:
    """Return the number of sheets."""
    return flow.sheets(_flow(record, ()))


def title(record: FamilyRegister) -> str:
    """Return the document's title."""
    return TITLE_FULL if isinstance(record, FamilyRegisterCertificate) else TITLE_INDIVIDUAL


def check(record: AnyFamilyRegister) -> None:
    """Refuse a record that contradicts itself or uses another document's words.

    Errors: InconsistentRecord, WrongVocabulary.
    """
    if not record.people:
        raise InconsistentRecord("people", "a certificate names at least one person")
    if any(not matter.entries for matter in (*record.matters, *(m for p in record.people for m in p.matters))):
        raise InconsistentRecord("matters", "a matter says at least one thing")
    kind = kind_of(record)
    for person in record.people:
        adoptive = None if person.adoptive is None else person.adoptive.relationship
        check_word(kind, "relationship", person.relationship)
        check_word(kind, "adoptive.relationship", adoptive)
        check_word(kind, "spouse", person.spouse)


def draw(document: Document, record: AnyFamilyRegister, issuance: Issuance, seal_text: str) -> None:
    """Draw all sheets of a checked record.

    Errors: ValueTooLong, UndrawableText, NoEra.
    """
    row = wording(kind_of(record), issuance)
    flow.draw(document, _flow(record, row.notes), SheetWords(title(record), "", row.statement), issuance, seal_text)


def _flow(record: FamilyRegister, notes: tuple[str, ...]) -> Flow:
    head = _full_name(record, record.head_given_name)
    header = (
        flow.wide_row("本籍", record.domicile, "domicile", _HEADING_MM),
        flow.wide_row("筆頭者", head, "head_given_name", _HEADING_MM),
    )
    blocks = (
        Block(_matters("戸籍事項", record.matters), "戸籍事項"),
        *(_block(record, person) for person in record.people),
    )
    return Flow(header, blocks, notes)


def _full_name(record: FamilyRegister, given_name: str) -> str:
    return f"{record.surname} {given_name}"


def _block(record: FamilyRegister, person: RegisteredPerson) -> Block:
    intro = Band((_recorded(person), *_intro(record, person)), whole=True)
    return Block((intro, *_matters("身分事項", person.matters)), _full_name(record, person.given_name))


def _recorded(person: RegisteredPerson) -> Row:
    """Who was removed stands in the register still, under the mark 除籍 in a frame of its own."""
    words = flow.section_row("戸籍に記録されている者")
    if not person.removed:
        return words
    cell, mark_mm = words.cells[0], _HEADING_MM - _PARENT_LABEL_MM
    mark = Cell("", "除籍", "removed", 0.0, mark_mm, align=Align.CENTRE)
    return replace(words, cells=(replace(cell, value_mm=2 * _HEADING_MM - mark_mm), mark))


def _intro(record: FamilyRegister, person: RegisteredPerson) -> tuple[Row, ...]:
    # Surname and given name got their readings each in its own time: one without the other still stands there.
    readings = (record.surname_reading, person.given_name_reading)
    reading = " ".join(part or EMPTY for part in readings) if any(readings) else None
    name = flow.name_row(
        _full_name(record, person.given_name), reading, flow.date_text(person.born_on), sheet.WIDTH_MM, _HEADING_MM
    )
    relationship = Cell("続柄", person.relationship or EMPTY, "relationship", _PARENT_LABEL_MM, _RELATION_MM)
    rows = [name]
    if person.spouse is not None:
        rows.append(Row((Cell("配偶者区分", person.spouse, "spouse", _HEADING_MM, _WIDTH_MM),)))
    rows.append(Row((*_parents(("父", person.father), ("母", person.mother)), relationship)))
    if person.adoptive is not None:
        adoptive = person.adoptive
        relationship = Cell("続柄", adoptive.relationship, "adoptive.relationship", _PARENT_LABEL_MM, _RELATION_MM)
        rows.append(Row((*_parents(("養父", adoptive.father), ("養母", adoptive.mother)), relationship)))
    return tuple(rows)


def _parents(*parents: tuple[str, str | None]) -> Iterator[Cell]:
    name_mm = (_WIDTH_MM - 2 * _PARENT_LABEL_MM - _RELATION_MM) / 2
    for (label, name), label_mm in zip(parents, (_HEADING_MM, _PARENT_LABEL_MM), strict=True):
        yield Cell(label, name or EMPTY, "parents", label_mm, name_mm)


def _matters(section: str, matters: tuple[Matter, ...]) -> tuple[Band, ...]:
    if not matters:
        return (Band((_line("matters", "", EMPTY),), section=section),)
    return tuple(_matter(section, matter) for matter in matters)


def _matter(section: str, matter: Matter) -> Band:
    rows = (_line(matter.title, f"【{entry.label}】", entry.value or EMPTY) for entry in matter.entries)
    return Band(tuple(rows), matter.title, _HEADING_MM, whole=len(matter.entries) <= _UNDIVIDED_LINES, section=section)


def _line(item: str, lead: str, text: str) -> Row:
    """A line's height must be known before a font is: a text that will be set on two lines gets the room for them."""
    width_em = sum(1.0 if unicodedata.east_asian_width(letter) in "WFA" else 0.5 for letter in lead + text)
    height_mm = flow.LINE_MM if width_em <= _ONE_LINE_EM else flow.TWO_LINES_MM
    width_mm = _WIDTH_MM if lead else sheet.WIDTH_MM
    return Row((Cell("", text, item, 0.0, width_mm, lead=lead),), height_mm, ruled=False)
