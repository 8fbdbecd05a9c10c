"""From the register to the paper's record: what is printed of what is known. Pure.

The value of an item that was not chosen is not put in at all, so that no fault of drawing can print it (S19).
"""

from __future__ import annotations

import msgspec

from issuance_server.register.records import ForeignResident, Resident, TaxRecord, TaxStatus
from issuance_server.register.store import Person
from issuance_server.rules import Asked, Decision
from printing.paper.era import era_date, fiscal_year_words, western_date
from printing.paper.recheck import Expected, Subject
from printing.paper.records import (
    AmountLine,
    Back,
    Certificate,
    CertificateKind,
    ForeignResidentItems,
    ResidenceCertificate,
    ResidenceItem,
    ResidencePerson,
    TaxationCertificate,
)

#: What the headings must be, stated apart from the drawing, so that the re-check compares two sources.
RESIDENCE_TITLE = "住民票の写し"
WHOLE_HOUSEHOLD = "(世帯全員)"
PART_OF_HOUSEHOLD = "(世帯の一部)"
TAXED_TITLE = "課税証明書"
UNTAXED_TITLE = "非課税証明書"


def certificate(person: Person, asked: Asked, decision: Decision) -> Certificate:
    """Return the record of the paper that was decided on."""
    if decision.kind is CertificateKind.TAXATION:
        assert asked.fiscal_year is not None
        return _taxation(person.resident, person.tax[asked.fiscal_year])
    return _residence(person, asked, decision)


def expected(
    person: Person, asked: Asked, decision: Decision, *, issue_number: str, sheets: int, back: Back
) -> Expected:
    """Return what the finished paper must say, from the register and the decision and not from the record drawn."""
    if decision.kind is CertificateKind.RESIDENCE:
        address = person.household.address
        headings = (RESIDENCE_TITLE, WHOLE_HOUSEHOLD if decision.whole_household else PART_OF_HOUSEHOLD)
    else:
        assert asked.fiscal_year is not None
        tax = person.tax[asked.fiscal_year]
        address = tax.address_on_1_january
        title = TAXED_TITLE if tax.status is TaxStatus.TAXED else UNTAXED_TITLE
        headings = (title, fiscal_year_words(asked.fiscal_year))
    with_numbers = ResidenceItem.INDIVIDUAL_NUMBER in asked.items
    return Expected(
        people=tuple(_subject(resident, with_number=with_numbers) for resident in decision.people),
        address=address,
        headings=headings,
        issue_number=issue_number,
        sheets=sheets,
        back=back,
    )


def _subject(resident: Resident, *, with_number: bool) -> Subject:
    return Subject(
        name=resident.name,
        born_on=era_date(resident.born_on) if resident.foreign is None else western_date(resident.born_on),
        individual_number=resident.individual_number if with_number else None,
    )


def _residence(person: Person, asked: Asked, decision: Decision) -> ResidenceCertificate:
    items = frozenset(ResidenceItem(item) for item in asked.items)
    return ResidenceCertificate(
        address=person.household.address,
        head_of_household=person.household.head_name if ResidenceItem.RELATIONSHIP in items else None,
        whole_household=decision.whole_household,
        items=items,
        people=tuple(_residence_person(resident, items) for resident in decision.people),
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


def _taxation(resident: Resident, tax: TaxRecord) -> TaxationCertificate:
    alias = None if resident.foreign is None else resident.foreign.alias
    # A dependant who did not declare: that no tax was levied, and no amount, since ¥0 would be a statement.
    withheld = tax.status is TaxStatus.DEPENDANT
    paper = TaxationCertificate(
        fiscal_year=tax.fiscal_year,
        taxed=tax.status is TaxStatus.TAXED,
        amounts_withheld=withheld,
        name=resident.name,
        name_reading=resident.name_reading,
        alias=alias,
        address_on_1_january=tax.address_on_1_january,
        born_on=resident.born_on,
        born_in_era=resident.foreign is None,
    )
    return paper if withheld else _with_amounts(paper, tax)


def _with_amounts(paper: TaxationCertificate, tax: TaxRecord) -> TaxationCertificate:
    return msgspec.structs.replace(
        paper,
        incomes=_lines(tax.incomes),
        totals=_lines(tax.totals),
        deductions=_lines(tax.deductions),
        dependants=tax.dependants,
        taxable_base_yen=tax.taxable_base_yen,
        credits=_lines(tax.credits),
        flat_rate_reduction_yen=tax.flat_rate_reduction_yen,
        city_income_based_yen=tax.city_income_based_yen,
        city_per_capita_yen=tax.city_per_capita_yen,
        prefecture_income_based_yen=tax.prefecture_income_based_yen,
        prefecture_per_capita_yen=tax.prefecture_per_capita_yen,
        forest_tax_yen=tax.forest_tax_yen,
        annual_yen=tax.annual_yen,
    )


def _lines(amounts: tuple[tuple[str, int], ...]) -> tuple[AmountLine, ...]:
    return tuple(AmountLine(label=label, amount_yen=amount_yen) for label, amount_yen in amounts)
