"""The people of samples and gallery agree with themselves: whoever looks at a picture adds up what it says."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest

from deploy.demo.town_tax_rules import salary_income_yen
from printing.paper.records import (
    FamilyRegister,
    ResidenceCertificate,
    ResidenceItem,
    ResidencePerson,
    TaxationCertificate,
)
from tests.gallery_exhibits import Exhibit, exhibits
from tests.paper_samples import ISSUANCE, TAXED

#: Values as long as they may be are nobody's, and add up to nothing.
SHOWN = [exhibit for exhibit in exhibits() if "longest" not in exhibit.file]
TAX = [
    exhibit
    for exhibit in SHOWN
    if isinstance(exhibit.record, TaxationCertificate) and exhibit.record.taxable_base_yen is not None
]
RESIDENCE = [exhibit for exhibit in SHOWN if isinstance(exhibit.record, ResidenceCertificate)]


def disagreements(tax: TaxationCertificate) -> list[str]:
    """Return what does not add up on a taxation certificate's face."""
    incomes = {line.label: line.amount_yen for line in tax.incomes}
    deducted_yen = {line.label: line.amount_yen or 0 for line in tax.deductions}
    credits_yen = sum(line.amount_yen or 0 for line in tax.credits)
    total_yen = sum(yen or 0 for label, yen in incomes.items() if label.endswith("所得"))
    base_yen = max(0, total_yen - sum(deducted_yen.values())) // 1_000 * 1_000
    relief_yen = tax.flat_rate_reduction_yen or 0
    city_yen, prefecture_yen = (
        max(0, base_yen * percent // 100 - (credits_yen + relief_yen) * percent // 10) // 100 * 100
        for percent in (6, 4)
    )
    per_capita = (3_500, 1_500, None) if tax.fiscal_year < 2024 else (3_000, 1_000, 1_000)
    levied_yen = (tax.city_per_capita_yen, tax.prefecture_per_capita_yen, tax.forest_tax_yen)
    facts = {
        "給与所得": incomes["給与所得"] == salary_income_yen(incomes["給与収入"] or 0, tax.fiscal_year),
        "所得の合計": {line.amount_yen for line in tax.totals} == {total_yen},
        "扶養控除": deducted_yen.get("扶養控除", 0) == 330_000 * dict(tax.dependants).get("一般扶養", 0),
        "基礎控除": deducted_yen["基礎控除"] == 430_000,
        "特定親族特別控除": "特定親族特別控除" not in deducted_yen or tax.fiscal_year >= 2026,
        "課税標準額": tax.taxable_base_yen == base_yen,
        "定額減税": relief_yen == (10_000 * (1 + sum(n for _, n in tax.dependants)) if tax.fiscal_year == 2024 else 0),
        "所得割": (tax.city_income_based_yen, tax.prefecture_income_based_yen) == (city_yen, prefecture_yen),
        "均等割": levied_yen == (per_capita if tax.taxed else (0, 0, 0)),
        "年税額": tax.annual_yen == city_yen + prefecture_yen + sum(yen or 0 for yen in levied_yen),
    }
    return [name for name, agrees in facts.items() if not agrees]


def test_there_is_something_to_judge() -> None:
    assert {exhibit.record.fiscal_year for exhibit in TAX if isinstance(exhibit.record, TaxationCertificate)} == {
        2023,
        2024,
        2025,
        2026,
    }
    assert len(RESIDENCE) >= 6


@pytest.mark.parametrize("exhibit", TAX, ids=lambda exhibit: exhibit.file)
def test_a_tax_certificate_adds_up(exhibit: Exhibit) -> None:
    assert isinstance(exhibit.record, TaxationCertificate)
    assert disagreements(exhibit.record) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"taxable_base_yen": 2_507_000}, ["課税標準額"]),
        ({"city_income_based_yen": 124_500}, ["所得割"]),
        ({"city_per_capita_yen": 3_500}, ["均等割", "年税額"]),
        ({"annual_yen": 212_500}, ["年税額"]),
        ({"flat_rate_reduction_yen": 40_000}, ["定額減税", "所得割", "年税額"]),
        ({"dependants": ()}, ["扶養控除"]),
    ],
)
def test_what_does_not_add_up_is_seen(changes: dict[str, object], what: list[str]) -> None:
    assert disagreements(TAXED) == []
    assert disagreements(msgspec.structs.replace(TAXED, **changes)) == what


def contradictions(record: ResidenceCertificate) -> list[str]:
    """Return what cannot be true of the people on a residence certificate."""
    found = [f"{person.name}: {what}" for person in record.people for what in _of_person(record, person)]
    numbers = [person.individual_number for person in record.people if person.individual_number]
    cards = [person.foreign.card_number for person in record.people if person.foreign and person.foreign.card_number]
    found += ["two with one number"] * (len(set(numbers)) < len(numbers) or len(set(cards)) < len(cards))
    heads = {person.domicile_head for person in record.people} - {None}
    children = {person.name for person in record.people if person.relationship == "子"}
    return found + ["a child is the head of the family's register"] * bool(heads & children)


def _of_person(record: ResidenceCertificate, person: ResidencePerson) -> list[str]:
    foreign, found = person.foreign, []
    sex = {"子": "女", "郎": "男"}.get(person.name[-1])
    if None not in {sex, person.sex} and person.sex != sex:
        found.append("sex")
    if person.became_resident_on and person.address_since and person.became_resident_on > person.address_since:
        found.append("住民となった年月日")
    if foreign is None:
        return found
    if foreign.alias and not foreign.alias_history and ResidenceItem.ALIAS_HISTORY in record.items:
        found.append("an alias that was never entered")
    if foreign.kanji_name and foreign.nationality not in {None, "中国", "韓国", "台湾"}:
        found.append("kanji")
    newborn = ISSUANCE.issued_on_jst - timedelta(days=60)
    if foreign.category == "出生による経過滞在者" and not (
        person.born_on == foreign.became_foreign_resident_on and person.born_on > newborn
    ):
        found.append("born long ago")
    return found


@pytest.mark.parametrize("exhibit", RESIDENCE, ids=lambda exhibit: exhibit.file)
def test_nobody_s_entry_contradicts_itself(exhibit: Exhibit) -> None:
    assert isinstance(exhibit.record, ResidenceCertificate)
    assert contradictions(exhibit.record) == []


def test_the_same_household_is_whole_on_both_papers() -> None:
    both = [e.record for e in RESIDENCE if e.file in {"residence-all-chosen", "residence-none-chosen"}]
    first, second = (record for record in both if isinstance(record, ResidenceCertificate))
    assert [person.name for person in first.people] == [person.name for person in second.people]
    assert first.whole_household
    assert second.whole_household


def test_a_register_names_its_head_first_and_others_as_they_were_entered() -> None:
    for exhibit in SHOWN:
        record = exhibit.record
        if isinstance(record, FamilyRegister) and len(record.people) > 1:
            assert record.people[0].given_name == record.head_given_name
            entered = [_entered_on(person.born_on, person.adoptive is not None) for person in record.people[2:]]
            assert entered == sorted(entered)


def _entered_on(born_on: date, adopted: bool) -> date:
    return date(2015, 5, 5) if adopted else born_on
