"""From register to record: what was not chosen is not in it at all (S19)."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from issuance_server import documents, rules
from issuance_server.documents.residence import RESIDENCE_TITLE
from issuance_server.register.person import Person
from issuance_server.register.records import TaxRecord, TaxStatus
from issuance_server.rules import Asked
from printing.paper import certificates
from printing.paper.records import Back, Certificate, ResidenceCertificate, ResidenceItem, TaxationCertificate
from protocol.messages import Scope
from tests.issuing_parts import ADDRESS, INDIVIDUAL_NUMBER, NOW, SETTINGS, TARO, TAXED, asked, person

ALL = Scope.HOUSEHOLD
NUMBER = "2026-0000001"
BACK = Back(municipality_name="見本市", check_address="https://check.example/", specimen=True)
ORDER: dict[str, Any] = {"issue_number": NUMBER, "sheets": 1, "back": BACK}
#: What of the register each item puts on the paper: a value of a Japanese or of the foreign member.
VALUES = {
    ResidenceItem.RELATIONSHIP: "同居人",
    ResidenceItem.DOMICILE: "見本県見本市一丁目1番",
    ResidenceItem.NATIONALITY: "フィリピン",
    ResidenceItem.STATUS: "技術・人文知識・国際業務",
    ResidenceItem.CARD_NUMBER: "AB12345678CD",
    ResidenceItem.ALIAS_HISTORY: "令和2年1月1日 三都 真理 記載",
    ResidenceItem.PREVIOUS_ADDRESS: "見本県旧住所市",
    ResidenceItem.INDIVIDUAL_NUMBER: INDIVIDUAL_NUMBER,
}


def made(what: Asked, who: Person | None = None) -> Certificate:
    who = who or person()
    return documents.certificate(who, what, rules.decide(SETTINGS, who, what, NOW))


def headings(what: Asked, who: Person) -> tuple[str, ...]:
    return documents.expected(who, what, rules.decide(SETTINGS, who, what, NOW), **ORDER).headings


def values_in(record: Certificate) -> set[str]:
    """Every text that stands in a record."""

    def walk(value: object) -> set[str]:
        if isinstance(value, dict):
            return set().union(*map(walk, value.values()))
        if isinstance(value, list | tuple | set | frozenset):
            return set().union(*map(walk, value))
        return {value} if isinstance(value, str) else set()

    return walk(msgspec.to_builtins(record))


def test_the_least_says_none_of_the_optional_items() -> None:
    found = values_in(made(asked(scope=ALL)))
    assert not found & set(VALUES.values())
    assert {ADDRESS, "見本 太郎", "SANTOS MARIA", "三都 真理"} <= found  # an alias always prints


@pytest.mark.parametrize("item", list(ResidenceItem))
def test_each_item_brings_its_own_value_and_no_other(item: ResidenceItem) -> None:
    found = values_in(made(asked(scope=ALL, items=(item.value,))))
    assert found & set(VALUES.values()) == {VALUES[item]}


@pytest.mark.parametrize("items", [(), tuple(item.value for item in ResidenceItem)])
def test_what_is_made_is_what_the_paper_accepts(items: tuple[str, ...]) -> None:
    record = made(asked(scope=ALL, items=items))
    assert isinstance(record, ResidenceCertificate)
    certificates.residence.check(record)


def test_only_the_chosen_people_are_in_it() -> None:
    record = made(asked(scope=Scope.MEMBERS, members=("r-child",)))
    assert isinstance(record, ResidenceCertificate)
    assert [entry.name for entry in record.people] == ["見本 一葉"]
    assert not record.whole_household
    assert "見本 太郎" not in values_in(record)


def test_a_foreign_resident_has_no_domicile_and_no_former_surname() -> None:
    record = made(asked(items=("domicile",)), person(requester="r-maria"))
    assert isinstance(record, ResidenceCertificate)
    entry = record.people[0]
    assert entry.foreign is not None
    assert entry.foreign.became_foreign_resident_on == date(2018, 1, 1)
    assert (entry.became_resident_on, entry.domicile, entry.former_surname) == (None, None, None)


def test_a_former_surname_always_prints() -> None:
    record = made(asked(), person(replace(TARO, former_surname="旧姓", former_surname_reading="キュウセイ")))
    assert {"旧姓", "キュウセイ"} <= values_in(record)


TAX = asked("taxation", fiscal_year=2026)
UNTAXED = replace(
    TAXED,
    status=TaxStatus.UNTAXED,
    city_income_based_yen=0,
    city_per_capita_yen=0,
    prefecture_income_based_yen=0,
    prefecture_per_capita_yen=0,
    forest_tax_yen=0,
    annual_yen=0,
)


@pytest.mark.parametrize(
    ("tax", "taxed", "withheld", "title"),
    [
        (TAXED, True, False, "課税証明書"),
        (UNTAXED, False, False, "非課税証明書"),
        (replace(UNTAXED, status=TaxStatus.DEPENDANT), False, True, "非課税証明書"),
    ],
)
def test_the_tax_office_s_word_decides_title_and_amounts(
    tax: TaxRecord, taxed: bool, withheld: bool, title: str
) -> None:
    who = person(tax=(tax,))
    record = made(TAX, who)
    assert isinstance(record, TaxationCertificate)
    certificates.taxation.check(record)
    assert (record.taxed, record.amounts_withheld) == (taxed, withheld)
    assert headings(TAX, who) == (title, "令和8年度(令和7年分)")
    assert certificates.title(record) == title


def test_a_dependant_who_did_not_declare_gets_no_amount_not_even_0() -> None:
    record = made(TAX, person(tax=(replace(TAXED, status=TaxStatus.DEPENDANT),)))
    assert isinstance(record, TaxationCertificate)
    assert not any((record.incomes, record.totals, record.deductions, record.credits, record.dependants))
    assert record.annual_yen is None
    assert record.taxable_base_yen is None


def test_amounts_are_the_record_s() -> None:
    record = made(TAX)
    assert isinstance(record, TaxationCertificate)
    assert [(line.label, line.amount_yen) for line in record.incomes] == [("給与収入", 5_000_000)]
    assert (record.annual_yen, record.forest_tax_yen, record.born_in_era) == (202_500, 1_000, True)


def test_what_the_paper_must_say_is_the_register_s_and_the_decision_s() -> None:
    who, what = person(), asked(scope=Scope.MEMBERS, members=("r-taro", "r-maria"), items=("individual_number",))
    expected = documents.expected(who, what, rules.decide(SETTINGS, who, what, NOW), **ORDER)
    assert [(entry.name, entry.born_on, entry.individual_number) for entry in expected.people] == [
        ("見本 太郎", "昭和55年1月2日", INDIVIDUAL_NUMBER),
        ("SANTOS MARIA", "1985年3月4日", None),
    ]
    assert (expected.address, expected.issue_number, expected.sheets, expected.back) == (ADDRESS, NUMBER, 1, BACK)
    assert expected.headings == ("住民票の写し", "(世帯の一部)")
    assert headings(asked(scope=ALL), who)[1] == "(世帯全員)"
    least = documents.expected(who, asked(), rules.decide(SETTINGS, who, asked(), NOW), **ORDER)
    assert [entry.individual_number for entry in least.people] == [None]
    assert certificates.title(made(asked())) == RESIDENCE_TITLE
