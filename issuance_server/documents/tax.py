"""Taxation, income and tax payment certificates, each of one fiscal year."""

from __future__ import annotations

from datetime import date

import msgspec

from issuance_server.documents.facts import Facts, asked_for, subjects
from issuance_server.register.person import Person
from issuance_server.register.records import Resident, TaxRecord, TaxStatus
from issuance_server.rules import Asked, Decision, residence_of
from printing.paper.era import era_year, fiscal_year_words
from printing.paper.records import (
    AmountLine,
    IncomeCertificate,
    TaxationCertificate,
    TaxPaymentCertificate,
    TaxPaymentLine,
)

TAXED_TITLE = "課税証明書"
UNTAXED_TITLE = "非課税証明書"
INCOME_TITLE = "所得証明書"
PAYMENT_TITLE = "納税証明書"


def taxation(person: Person, asked: Asked, decision: Decision) -> TaxationCertificate:
    """Return the record of a taxation or non-taxation certificate."""
    resident, tax = _taxed(person, asked, decision)
    # A dependant who did not declare: that no tax was levied, and no amount, since ¥0 would be a statement.
    withheld = tax.status is TaxStatus.DEPENDANT
    paper = TaxationCertificate(
        fiscal_year=tax.fiscal_year,
        taxed=tax.status is TaxStatus.TAXED,
        amounts_withheld=withheld,
        name=resident.name,
        name_reading=resident.name_reading,
        alias=_alias(resident),
        address_on_1_january=tax.address_on_1_january,
        born_on=resident.born_on,
        born_in_era=resident.foreign is None,
    )
    return paper if withheld else _with_amounts(paper, tax)


def taxation_facts(person: Person, asked: Asked, decision: Decision) -> Facts:
    """Return what a taxation or non-taxation certificate must say."""
    assert asked.fiscal_year is not None
    tax = residence_of(person).tax[asked.fiscal_year]
    return Facts(
        people=subjects(asked_for(person, asked, decision)),
        headings=(
            TAXED_TITLE if tax.status is TaxStatus.TAXED else UNTAXED_TITLE,
            fiscal_year_words(asked.fiscal_year),
        ),
        address=tax.address_on_1_january,
    )


def income(person: Person, asked: Asked, decision: Decision) -> IncomeCertificate:
    """Return the record of an income certificate."""
    resident, tax = _taxed(person, asked, decision)
    return IncomeCertificate(
        fiscal_year=tax.fiscal_year,
        name=resident.name,
        name_reading=resident.name_reading,
        alias=_alias(resident),
        address_on_1_january=tax.address_on_1_january,
        born_on=resident.born_on,
        born_in_era=resident.foreign is None,
        incomes=_lines(tax.incomes),
        totals=_lines(tax.totals),
    )


def income_facts(person: Person, asked: Asked, decision: Decision) -> Facts:
    """Return what an income certificate must say."""
    assert asked.fiscal_year is not None
    return Facts(
        people=subjects(asked_for(person, asked, decision)),
        headings=(INCOME_TITLE, fiscal_year_words(asked.fiscal_year)),
        address=residence_of(person).tax[asked.fiscal_year].address_on_1_january,
    )


def payment(person: Person, asked: Asked, decision: Decision) -> TaxPaymentCertificate:
    """Return the record of a tax payment certificate; its address is today's."""
    residence = residence_of(person)
    (resident,) = decision.people
    assert asked.fiscal_year is not None
    paid = residence.tax_payments[asked.fiscal_year]
    return TaxPaymentCertificate(
        fiscal_year=paid.fiscal_year,
        name=resident.name,
        name_reading=resident.name_reading,
        alias=_alias(resident),
        address=residence.household.address,
        born_on=resident.born_on,
        born_in_era=resident.foreign is None,
        confirmed_until=paid.confirmed_until,
        lines=tuple(
            TaxPaymentLine(tax=line.tax, levied_yen=line.levied_yen, paid_yen=line.paid_yen, unpaid_yen=line.unpaid_yen)
            for line in paid.taxes
        ),
    )


def payment_facts(person: Person, asked: Asked, decision: Decision) -> Facts:
    """Return what a tax payment certificate must say."""
    residence = residence_of(person)
    assert asked.fiscal_year is not None
    return Facts(
        people=subjects(asked_for(person, asked, decision)),
        headings=(PAYMENT_TITLE, f"{era_year(date(asked.fiscal_year, 4, 1))}度"),
        address=residence.household.address,
    )


def _taxed(person: Person, asked: Asked, decision: Decision) -> tuple[Resident, TaxRecord]:
    """For records alone: what they are compared with is looked up without it."""
    assert asked.fiscal_year is not None
    (resident,) = decision.people
    return resident, residence_of(person).tax[asked.fiscal_year]


def _alias(resident: Resident) -> str | None:
    return None if resident.foreign is None else resident.foreign.alias


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
