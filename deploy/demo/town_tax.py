"""The town's tax office: who earned what, who lives on whose income, and each one's records by fiscal year."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Final

from deploy.demo import town_tax_rules as rules
from deploy.demo.town_people import Family
from deploy.demo.town_shapes import FATHER, HEAD, HUSBAND, LODGER, MOTHER, RELATED_PERSON, WIFE
from deploy.demo.town_shapes import UNREGISTERED_HUSBAND as UNREGISTERED_H
from deploy.demo.town_shapes import UNREGISTERED_WIFE as UNREGISTERED_W
from deploy.demo.town_tax_rules import FISCAL_YEARS, Claims, Income
from issuance_server.register.records import Resident, TaxRecord, TaxStatus

RECORDED_FROM_AGE: Final = 15  # on 1 January; the office keeps no record of a younger child
_NO_RELATIVES: Final = frozenset((UNREGISTERED_H, UNREGISTERED_W, RELATED_PERSON, LODGER))


class Work(StrEnum):
    """What a person lives on, the same in all years."""

    SALARY = "salary"
    PART_TIME = "part-time"
    BUSINESS = "business"
    PENSION = "pension"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Means:
    """One person's work, a year's sum for the first fiscal year, and what is deducted for themselves."""

    work: Work
    yearly_yen: int
    claims: Claims = field(default_factory=Claims)
    declares: bool = True

    def income(self, fiscal_year: int) -> Income:
        """Return the income before a fiscal year; salaries and businesses grow by 2 % a year."""
        grown_yen = self.yearly_yen * (100 + 2 * (fiscal_year - FISCAL_YEARS[0])) // 100
        match self.work:
            case Work.SALARY:
                return Income(salary_yen=grown_yen)
            case Work.PART_TIME:
                return Income(salary_yen=self.yearly_yen)
            case Work.BUSINESS:
                return Income(business_yen=grown_yen)
            case Work.PENSION:
                return Income(pension_yen=self.yearly_yen)
            case Work.NOTHING:
                return Income()


def tax_records(
    rng: random.Random, family: Family, prescribed: Mapping[str, Means] | None = None
) -> tuple[TaxRecord, ...]:
    """Return the tax records of one household, by resident and fiscal year.

    Shape: prescribed says by resident id what a story needs; everything else is drawn. Who came after 1 January of a
    year is recorded for that year by another municipality, and has no record here.
    """
    means = {resident.resident_id: _draw_means(rng, resident) for resident in family.residents}
    means.update(prescribed or {})
    records: list[TaxRecord] = []
    for fiscal_year in FISCAL_YEARS:
        records += _year(family, means, fiscal_year)
    return tuple(sorted(records, key=lambda record: (record.resident_id, record.fiscal_year)))


def _year(family: Family, means: Mapping[str, Means], fiscal_year: int) -> list[TaxRecord]:
    on = date(fiscal_year, 1, 1)
    here = [resident for resident in family.residents if _came_on(resident) <= on]
    provider = _provider(here, means, fiscal_year)
    dependants = [
        resident
        for resident in here
        if provider is not None and _may_depend(resident, provider) and _small(resident, means, fiscal_year)
    ]
    records = []
    for resident in here:
        if _age(resident, on) < RECORDED_FROM_AGE:
            continue
        own = means[resident.resident_id]
        address = _address_on(resident, family, on)
        income = own.income(fiscal_year)
        if income.none and resident in dependants:
            status = TaxStatus.DEPENDANT
        elif not own.declares:
            status = TaxStatus.UNDECLARED
        else:
            claims = _claim(own.claims, dependants, fiscal_year) if resident is provider else own.claims
            aged_65 = _age(resident, on) >= 65
            records.append(rules.assess(resident.resident_id, fiscal_year, address, income, claims, aged_65=aged_65))
            continue
        records.append(rules.without_amounts(resident.resident_id, fiscal_year, address, status))
    return records


def _draw_means(rng: random.Random, resident: Resident) -> Means:
    """Draw what a resident lives on, by age and place in the household. Every draw is made, whatever is used."""
    age = _age(resident, date(FISCAL_YEARS[0], 1, 1))
    chance, share = rng.random(), rng.random()
    claims = Claims(
        life_insurance_yen=rng.choice((0, 0, 28_000, 35_000, 56_000, 70_000)),
        earthquake_insurance_yen=rng.choice((0, 0, 0, 8_500, 25_000)),
        disabled=rng.random() < 0.02,
    )
    silent = rng.random() < 0.25  # of those who had nothing, and are nobody's dependant
    if age >= 66:
        return Means(Work.PENSION, 600_000 + int(share * 2_400_000), claims)
    if age < 22:
        return Means(Work.PART_TIME if chance < 0.3 else Work.NOTHING, 300_000 + int(share * 500_000), claims)
    if chance < 0.06:
        return Means(Work.NOTHING, 0, claims, declares=not silent)
    if resident.relationship in (WIFE, MOTHER) and chance < 0.55:
        work = Work.NOTHING if chance < 0.3 else Work.PART_TIME
        return Means(work, 400_000 + int(share * 600_000), claims)
    if chance > 0.92:
        return Means(Work.BUSINESS, 900_000 + int(share * 4_500_000), claims)
    return Means(Work.SALARY, 1_800_000 + int(share * share * 8_000_000), claims)


def _provider(here: Sequence[Resident], means: Mapping[str, Means], fiscal_year: int) -> Resident | None:
    """Whoever of head and spouse earned most claims the whole household; nobody does who earned little."""
    pair = [resident for resident in here if resident.relationship in (HEAD, WIFE, HUSBAND)]
    able = [resident for resident in pair if not _small(resident, means, fiscal_year)]
    return max(able, key=lambda resident: _total_yen(resident, means, fiscal_year), default=None)


def _may_depend(resident: Resident, provider: Resident) -> bool:
    return resident is not provider and resident.relationship not in _NO_RELATIVES


def _small(resident: Resident, means: Mapping[str, Means], fiscal_year: int) -> bool:
    return _total_yen(resident, means, fiscal_year) <= rules.dependant_limit_yen(fiscal_year)


def _total_yen(resident: Resident, means: Mapping[str, Means], fiscal_year: int) -> int:
    aged_65 = _age(resident, date(fiscal_year, 1, 1)) >= 65
    return rules.total_income_yen(means[resident.resident_id].income(fiscal_year), fiscal_year, aged_65=aged_65)


def _claim(own: Claims, dependants: Sequence[Resident], fiscal_year: int) -> Claims:
    """Count the dependants by class; their age is that of 31 December, which 1 January ends."""
    general = specific = aged = under_16 = 0
    spouse: Resident | None = None
    for resident in dependants:
        age = _age(resident, date(fiscal_year, 1, 1))
        if resident.relationship in (HEAD, WIFE, HUSBAND):
            spouse = resident
        elif age < 16:
            under_16 += 1
        elif 19 <= age <= 22:
            specific += 1
        elif age >= 70 and resident.relationship in (FATHER, MOTHER):
            aged += 1
        else:
            general += 1
    spouse_70 = spouse is not None and _age(spouse, date(fiscal_year, 1, 1)) >= 70
    return replace(
        own,
        spouse=spouse is not None,
        spouse_70=spouse_70,
        general=general,
        specific=specific,
        aged=aged,
        under_16=under_16,
    )


def _age(resident: Resident, on: date) -> int:
    born = resident.born_on
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def _came_on(resident: Resident) -> date:
    came = resident.became_resident_on
    if came is None and resident.foreign is not None:
        came = resident.foreign.became_foreign_resident_on
    assert came is not None
    return came


def _address_on(resident: Resident, family: Family, on: date) -> str:
    moved = resident.address_since is not None and resident.address_since > on
    return resident.previous_address if moved and resident.previous_address else family.household.address
