"""Seal registration certificates."""

from __future__ import annotations

from issuance_server.documents.facts import Facts, asked_for, subjects
from issuance_server.register.person import Person
from issuance_server.rules import Asked, Decision, residence_of
from printing.paper.records import SealRegistrationCertificate

TITLE = "印鑑登録証明書"


def certificate(person: Person, _asked: Asked, decision: Decision) -> SealRegistrationCertificate:
    """Return the record of a seal registration certificate."""
    residence = residence_of(person)
    (resident,), registered = decision.people, residence.seal
    assert registered is not None
    foreign = resident.foreign
    return SealRegistrationCertificate(
        name=resident.name,
        former_surname=resident.former_surname if foreign is None else None,
        alias=None if foreign is None else foreign.alias,
        born_on=resident.born_on,
        born_in_era=foreign is None,
        address=residence.household.address,
        image_png=registered.image_png,
        largest_mm=decision.document.largest_seal_mm,
    )


def facts(person: Person, asked: Asked, decision: Decision) -> Facts:
    """Return what a seal registration certificate must say."""
    people = subjects(asked_for(person, asked, decision))
    return Facts(people=people, headings=(TITLE,), address=residence_of(person).household.address)
