"""Residence certificates and residence item certificates."""

from __future__ import annotations

from collections.abc import Mapping

from issuance_server.documents.facts import Facts, asked_for, subjects
from issuance_server.register.person import Person
from issuance_server.register.records import ForeignResident, Resident
from issuance_server.rules import Asked, Decision, residence_of
from printing.paper.records import (
    ForeignResidentItems,
    ResidenceCertificate,
    ResidenceItem,
    ResidenceItemCertificate,
    ResidencePerson,
    StatedItem,
    StatedPerson,
)

RESIDENCE_TITLE = "住民票の写し"
WHOLE_HOUSEHOLD = "(世帯全員)"
PART_OF_HOUSEHOLD = "(世帯の一部)"
ITEMS_TITLE = "住民票記載事項証明書"

# Items that are one field of everybody's entry, by that field's name in register and record alike.
_STATED: Mapping[StatedItem, str] = {
    StatedItem.SEX: "sex",
    StatedItem.RELATIONSHIP: "relationship",
    StatedItem.ADDRESS_SINCE: "address_since",
    StatedItem.NOTIFIED_ON: "notified_on",
    StatedItem.MOVED_IN_FROM: "moved_in_from",
    StatedItem.PREVIOUS_ADDRESS: "previous_address",
    StatedItem.REMARKS: "remarks",
    StatedItem.INDIVIDUAL_NUMBER: "individual_number",
}
_STATED_OF_FOREIGN: Mapping[StatedItem, tuple[str, ...]] = {
    StatedItem.NATIONALITY: ("nationality",),
    StatedItem.STATUS: ("category", "status", "period", "expires_on"),
    StatedItem.CARD_NUMBER: ("card_number",),
    StatedItem.ALIAS_HISTORY: ("alias_history",),
}


def certificate(person: Person, asked: Asked, decision: Decision) -> ResidenceCertificate:
    """Return the record of a residence certificate."""
    household = residence_of(person).household
    items = frozenset(ResidenceItem(item) for item in asked.items)
    return ResidenceCertificate(
        address=household.address,
        head_of_household=household.head_name if ResidenceItem.RELATIONSHIP in items else None,
        whole_household=decision.everybody,
        items=items,
        people=tuple(_residence_person(resident, items) for resident in decision.people),
    )


def facts(person: Person, asked: Asked, decision: Decision) -> Facts:
    """Return what a residence certificate must say."""
    return Facts(
        people=subjects(
            asked_for(person, asked, decision), with_numbers=ResidenceItem.INDIVIDUAL_NUMBER in asked.items
        ),
        headings=(RESIDENCE_TITLE, WHOLE_HOUSEHOLD if decision.everybody else PART_OF_HOUSEHOLD),
        address=residence_of(person).household.address,
    )


def item_certificate(person: Person, asked: Asked, decision: Decision) -> ResidenceItemCertificate:
    """Return the record of a residence item certificate."""
    household = residence_of(person).household
    items = frozenset(StatedItem(item) for item in asked.items)
    return ResidenceItemCertificate(
        address=household.address if StatedItem.ADDRESS in items else None,
        head_of_household=household.head_name if StatedItem.HEAD_OF_HOUSEHOLD in items else None,
        items=items,
        people=tuple(_stated_person(resident, items) for resident in decision.people),
    )


def item_facts(person: Person, asked: Asked, decision: Decision) -> Facts:
    """Return what a residence item certificate must say."""
    return Facts(
        people=subjects(asked_for(person, asked, decision), with_numbers=StatedItem.INDIVIDUAL_NUMBER in asked.items),
        headings=(ITEMS_TITLE,),
        address=residence_of(person).household.address if StatedItem.ADDRESS in asked.items else None,
    )


def _residence_person(resident: Resident, items: frozenset[ResidenceItem]) -> ResidencePerson:
    japanese = resident.foreign is None
    domicile = japanese and ResidenceItem.DOMICILE in items
    return ResidencePerson(
        name=resident.name,
        name_reading=resident.name_reading,
        former_surname=resident.former_surname if japanese else None,
        former_surname_reading=resident.former_surname_reading if japanese else None,
        born_on=resident.born_on,
        sex=resident.sex,
        relationship=resident.relationship if ResidenceItem.RELATIONSHIP in items else None,
        domicile=resident.domicile if domicile else None,
        domicile_head=resident.domicile_head if domicile else None,
        became_resident_on=resident.became_resident_on if japanese else None,
        address_since=resident.address_since,
        notified_on=resident.notified_on,
        moved_in_from=resident.moved_in_from,
        previous_address=resident.previous_address if ResidenceItem.PREVIOUS_ADDRESS in items else None,
        remarks=resident.remarks,
        individual_number=resident.individual_number if ResidenceItem.INDIVIDUAL_NUMBER in items else None,
        foreign=None if resident.foreign is None else _foreign(resident.foreign, items),
    )


def _foreign(foreign: ForeignResident, items: frozenset[ResidenceItem]) -> ForeignResidentItems:
    status = ResidenceItem.STATUS in items
    return ForeignResidentItems(
        became_foreign_resident_on=foreign.became_foreign_resident_on,
        nationality=foreign.nationality if ResidenceItem.NATIONALITY in items else None,
        category=foreign.category if status else None,
        status=foreign.status if status else None,
        period=foreign.period if status else None,
        expires_on=foreign.expires_on if status else None,
        card_number=foreign.card_number if ResidenceItem.CARD_NUMBER in items else None,
        alias=foreign.alias,
        alias_history=foreign.alias_history if ResidenceItem.ALIAS_HISTORY in items else (),
        kanji_name=foreign.kanji_name,
    )


def _stated_person(resident: Resident, items: frozenset[StatedItem]) -> StatedPerson:
    foreign = resident.foreign
    chosen = {name: getattr(resident, name) for item, name in _STATED.items() if item in items}
    if StatedItem.RESIDENT_SINCE in items:
        chosen["resident_since"] = (
            resident.became_resident_on if foreign is None else foreign.became_foreign_resident_on
        )
    if foreign is None:
        chosen["former_surname"] = resident.former_surname
        chosen["former_surname_reading"] = resident.former_surname_reading
        if StatedItem.DOMICILE in items:
            chosen["domicile"], chosen["domicile_head"] = resident.domicile, resident.domicile_head
    else:
        chosen["alias"], chosen["kanji_name"] = foreign.alias, foreign.kanji_name
        for item, names in _STATED_OF_FOREIGN.items():
            if item in items:
                chosen |= {name: getattr(foreign, name) for name in names}
    return StatedPerson(
        name=resident.name,
        name_reading=resident.name_reading,
        foreign=foreign is not None,
        born_on=resident.born_on,
        **chosen,
    )
