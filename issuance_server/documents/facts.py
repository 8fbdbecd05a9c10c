"""What a paper must say, stated apart from the record that is drawn, so that the re-check compares two sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from issuance_server.register.person import Person
from issuance_server.register.records import RegisterEntry, Resident
from issuance_server.rules import Asked, Decision, family_of, residence_of
from printing.paper.era import era_date, western_date
from printing.paper.recheck import Subject
from protocol.messages import Scope


@dataclass(frozen=True, slots=True)
class Facts:
    """One paper's facts; see printing.paper.recheck.Expected."""

    people: tuple[Subject, ...]
    headings: tuple[str, ...]
    address: str | None = None
    domicile: str | None = None


def asked_for(person: Person, asked: Asked, decision: Decision) -> tuple[Resident, ...]:
    """Return whose entries a resident register's document must show: of people who were named, not the decision's word.

    The record that is drawn follows the decision; a decision that names somebody else must not be what it is
    compared with.
    """
    residence = residence_of(person)
    match asked.scope:
        case Scope.SELF:
            return (residence.resident,)
        case Scope.MEMBERS:
            return tuple(member for member in residence.members if member.resident_id in asked.member_ids)
        case Scope.HOUSEHOLD:
            return decision.people


def entries_asked_for(person: Person, asked: Asked, decision: Decision) -> tuple[RegisterEntry, ...]:
    """Return the same of a family register's document."""
    family = family_of(person)
    match asked.scope:
        case Scope.SELF:
            return (family.entry,)
        case Scope.MEMBERS:
            return tuple(entry for entry in family.register.people if entry.person_id in asked.member_ids)
        case Scope.HOUSEHOLD:
            return decision.entries


def subjects(residents: Iterable[Resident], *, with_numbers: bool = False) -> tuple[Subject, ...]:
    """Return residents as the paper names them."""
    return tuple(
        Subject(
            name=resident.name,
            born_on=era_date(resident.born_on) if resident.foreign is None else western_date(resident.born_on),
            individual_number=resident.individual_number if with_numbers else None,
        )
        for resident in residents
    )
