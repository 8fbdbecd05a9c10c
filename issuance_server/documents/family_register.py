"""Family register certificates, full and individual, and copies of the supplementary family register."""

from __future__ import annotations

from typing import TypeVar

from issuance_server.documents.facts import Facts, entries_asked_for
from issuance_server.register.person import Family, Person
from issuance_server.register.records import RegisterEntry, RegisterMatter, SupplementaryEntry
from issuance_server.rules import Asked, Decision, family_of
from printing.paper.certificates.supplementary_register import SEX_SINCE
from printing.paper.era import era_date
from printing.paper.recheck import Subject
from printing.paper.records import (
    AdoptiveParents,
    DatedAddress,
    FamilyRegisterCertificate,
    FamilyRegisterIndividualCertificate,
    Matter,
    MatterEntry,
    RegisteredPerson,
    SupplementaryItem,
    SupplementaryPerson,
    SupplementaryRegisterCopy,
)

_Certificate = TypeVar("_Certificate", FamilyRegisterCertificate, FamilyRegisterIndividualCertificate)

FULL_TITLE = "戸籍全部事項証明書"
INDIVIDUAL_TITLE = "戸籍個人事項証明書"
SUPPLEMENTARY_TITLE = "戸籍の附票の写し"
ALL_OF_IT = "(全部)"
PART_OF_IT = "(一部)"
LEFT_OUT = "【省略】"
NOT_RECORDED = "【空欄】"


def full(person: Person, _asked: Asked, decision: Decision) -> FamilyRegisterCertificate:
    """Return the record of a full family register certificate."""
    return _register(FamilyRegisterCertificate, person, decision)


def full_facts(person: Person, asked: Asked, decision: Decision) -> Facts:
    """Return what a full family register certificate must say."""
    return _register_facts(FULL_TITLE, person, asked, decision)


def individual(person: Person, _asked: Asked, decision: Decision) -> FamilyRegisterIndividualCertificate:
    """Return the record of an individual family register certificate."""
    return _register(FamilyRegisterIndividualCertificate, person, decision)


def individual_facts(person: Person, asked: Asked, decision: Decision) -> Facts:
    """Return what an individual family register certificate must say."""
    return _register_facts(INDIVIDUAL_TITLE, person, asked, decision)


def _register(kind: type[_Certificate], person: Person, decision: Decision) -> _Certificate:
    register = family_of(person).register
    return kind(
        domicile=register.domicile,
        surname=register.surname,
        surname_reading=register.surname_reading,
        head_given_name=register.head_given_name,
        matters=_matters(register.matters),
        people=tuple(_registered(entry) for entry in decision.entries),
    )


def _register_facts(title: str, person: Person, asked: Asked, decision: Decision) -> Facts:
    family = family_of(person)
    people = _subjects(family, entries_asked_for(person, asked, decision))
    return Facts(people=people, headings=(title,), domicile=family.register.domicile)


def supplementary(person: Person, asked: Asked, decision: Decision) -> SupplementaryRegisterCopy:
    """Return the record of a copy of the supplementary register."""
    family = family_of(person)
    items = frozenset(SupplementaryItem(item) for item in asked.items)
    with_domicile = SupplementaryItem.DOMICILE in items
    head = f"{family.register.surname} {family.register.head_given_name}"
    return SupplementaryRegisterCopy(
        domicile=family.register.domicile if with_domicile else None,
        domicile_head=head if with_domicile else None,
        everybody=decision.everybody,
        items=items,
        people=tuple(_lived(line, entry, items) for line, entry in _lines(family, decision)),
    )


def supplementary_facts(person: Person, asked: Asked, decision: Decision) -> Facts:
    """Return what a copy of the supplementary register must say; the names are the family register's."""
    family = family_of(person)
    assert family.supplementary is not None
    lines = {line.person_id: line for line in family.supplementary.people}
    return Facts(
        people=tuple(
            Subject(
                name=family.name_of(entry),
                born_on=era_date(entry.born_on) if lines[entry.person_id].born_on else NOT_RECORDED,
                individual_number=None,
            )
            for entry in sorted(
                entries_asked_for(person, asked, decision), key=lambda entry: list(lines).index(entry.person_id)
            )
        ),
        headings=(SUPPLEMENTARY_TITLE, ALL_OF_IT if decision.everybody else PART_OF_IT),
        domicile=family.register.domicile if SupplementaryItem.DOMICILE in asked.items else LEFT_OUT,
    )


def _subjects(family: Family, entries: tuple[RegisterEntry, ...]) -> tuple[Subject, ...]:
    return tuple(
        Subject(name=family.name_of(entry), born_on=era_date(entry.born_on), individual_number=None)
        for entry in entries
    )


def _registered(entry: RegisterEntry) -> RegisteredPerson:
    adoption = entry.adoption
    return RegisteredPerson(
        given_name=entry.given_name,
        given_name_reading=entry.given_name_reading,
        born_on=entry.born_on,
        spouse=entry.spouse,
        father=entry.father,
        mother=entry.mother,
        relationship=entry.relationship,
        adoptive=None
        if adoption is None
        else AdoptiveParents(father=adoption.father, mother=adoption.mother, relationship=adoption.relationship),
        removed=entry.removed,
        matters=_matters(entry.matters),
    )


def _matters(matters: tuple[RegisterMatter, ...]) -> tuple[Matter, ...]:
    return tuple(
        Matter(
            title=matter.title,
            entries=tuple(MatterEntry(label=label, value=value) for label, value in matter.entries),
        )
        for matter in matters
    )


def _lines(family: Family, decision: Decision) -> tuple[tuple[SupplementaryEntry, RegisterEntry], ...]:
    """For records alone: what they are compared with is looked up without it."""
    assert family.supplementary is not None
    shown = {entry.person_id: entry for entry in decision.entries}
    return tuple((line, shown[line.person_id]) for line in family.supplementary.people if line.person_id in shown)


def _lived(line: SupplementaryEntry, entry: RegisterEntry, items: frozenset[SupplementaryItem]) -> SupplementaryPerson:
    # The law added the sex for who was not removed before that day; of others it is never stated, recorded or not. Of
    # whom the register says that they were removed, and the supplement does not say when, it is not known to be due.
    with_sex = not entry.removed if line.removed_on is None else line.removed_on >= SEX_SINCE
    return SupplementaryPerson(
        name=line.name,
        name_reading=line.name_reading,
        born_on=line.born_on,
        sex=line.sex if with_sex else None,
        removed_on=line.removed_on,
        addresses=tuple(DatedAddress(address=past.address, since=past.since) for past in line.addresses),
        overseas_voter=line.overseas_voter if SupplementaryItem.OVERSEAS_VOTER in items else None,
    )
