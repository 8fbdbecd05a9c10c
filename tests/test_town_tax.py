"""The town's tax arithmetic, against worked examples and against itself."""

from __future__ import annotations

import pytest

from deploy.demo.town_tax_rules import (
    FISCAL_YEARS,
    Claims,
    Income,
    assess,
    pension_income_yen,
    salary_income_yen,
    without_amounts,
)
from issuance_server.register.records import TaxRecord, TaxStatus


# 所得税法別表第五 (令和2年分 to 令和6年分) and its amendment from 令和7年分.
@pytest.mark.parametrize(
    ("salary_yen", "fiscal_year", "income_yen"),
    [
        (550_999, 2024, 999),
        (500_000, 2024, 0),
        (1_030_000, 2025, 480_000),
        (1_618_999, 2025, 1_068_999),
        (1_619_999, 2025, 1_069_000),
        (1_627_999, 2025, 1_074_000),
        (1_628_000, 2025, 1_076_800),
        (1_799_999, 2025, 1_177_600),
        (1_800_000, 2025, 1_180_000),
        (3_599_999, 2025, 2_437_200),
        (3_600_000, 2025, 2_440_000),
        (6_599_999, 2025, 4_836_800),
        (6_600_000, 2025, 4_840_000),
        (8_500_000, 2025, 6_550_000),
        (10_000_000, 2025, 8_050_000),
        (650_999, 2026, 999),
        (1_230_000, 2026, 580_000),
        (1_899_999, 2026, 1_249_999),
        (1_900_000, 2026, 1_250_000),
        (6_240_000, 2026, 4_552_000),
    ],
)
def test_salary_income(salary_yen: int, fiscal_year: int, income_yen: int) -> None:
    assert salary_income_yen(salary_yen, fiscal_year) == income_yen


@pytest.mark.parametrize(
    ("pension_yen", "aged_65", "income_yen"),
    [
        (1_100_000, True, 0),
        (1_500_000, True, 400_000),
        (3_300_000, True, 2_200_000),
        (600_000, False, 0),
        (1_300_000, False, 700_000),
        (4_100_000, True, 2_800_000),
    ],
)
def test_pension_income(pension_yen: int, aged_65: bool, income_yen: int) -> None:
    assert pension_income_yen(pension_yen, aged_65=aged_65) == income_yen


def record(fiscal_year: int, income: Income, claims: Claims | None = None, *, aged_65: bool = False) -> TaxRecord:
    return assess("r", fiscal_year, "見本", income, claims or Claims(), aged_65=aged_65)


def test_worked_example_of_fiscal_year_2025() -> None:
    # 5,000,000 -> 3,560,000; deductions 740,000 + 430,000; base 2,390,000
    # 調整控除: max((50,000 - 390,000) x 5 %, 2,500) = 2,500
    # city 143,400 - 1,500 = 141,900; prefecture 95,600 - 1,000 = 94,600
    taxed = record(2025, Income(salary_yen=5_000_000))
    assert taxed.status is TaxStatus.TAXED
    assert taxed.incomes == (("給与収入", 5_000_000), ("給与所得", 3_560_000))
    assert taxed.deductions == (("社会保険料控除", 740_000), ("基礎控除", 430_000))
    assert taxed.taxable_base_yen == 2_390_000
    assert taxed.credits == (("調整控除", 2_500),)
    assert (taxed.city_income_based_yen, taxed.prefecture_income_based_yen) == (141_900, 94_600)
    assert taxed.annual_yen == 141_900 + 94_600 + 3_000 + 1_000 + 1_000


def test_adjustment_below_a_base_of_two_million_is_five_percent_of_the_differences() -> None:
    # 3,000,000 -> 2,020,000; deductions 444,000 + 330,000 + 430,000; base 816,000; differences 50,000 + 50,000
    taxed = record(2025, Income(salary_yen=3_000_000), Claims(spouse=True))
    assert taxed.taxable_base_yen == 816_000
    assert taxed.credits == (("調整控除", 5_000),)


def test_relief_of_fiscal_year_2024_is_ten_thousand_a_head() -> None:
    claims = Claims(spouse=True, under_16=2)
    relieved = record(2024, Income(salary_yen=4_000_000), claims)
    year_after = record(2025, Income(salary_yen=4_000_000), claims)
    assert relieved.credits == year_after.credits
    assert (relieved.flat_rate_reduction_yen, year_after.flat_rate_reduction_yen) == (40_000, 0)
    assert 40_000 <= year_after.annual_yen - relieved.annual_yen < 40_200  # each part is rounded down to a hundred


def test_relief_never_exceeds_what_is_levied() -> None:
    # 1,900,000 -> 1,250,000; base 208,000; city 9,400, prefecture 6,300 before the relief of 20,000
    relieved = record(2024, Income(salary_yen=1_900_000), Claims(spouse=True))
    assert relieved.taxable_base_yen == 208_000
    assert relieved.credits == (("調整控除", 5_000),)
    assert relieved.flat_rate_reduction_yen == 15_700
    assert (relieved.city_income_based_yen, relieved.prefecture_income_based_yen) == (0, 0)
    assert relieved.annual_yen == 5_000


@pytest.mark.parametrize("fiscal_year", FISCAL_YEARS)
def test_limits_below_which_nothing_is_levied(fiscal_year: int) -> None:
    floor_yen = 650_000 if fiscal_year == 2026 else 550_000
    below = record(fiscal_year, Income(salary_yen=floor_yen + 450_000))
    above = record(fiscal_year, Income(salary_yen=floor_yen + 450_001))
    assert (below.status, below.annual_yen) == (TaxStatus.UNTAXED, 0)
    assert above.status is TaxStatus.TAXED
    assert above.annual_yen >= 5_000


def test_between_the_two_limits_only_the_per_capita_tax_is_levied() -> None:
    # with a spouse: nothing up to 1,010,000, nothing income-based up to 1,120,000
    between = record(2025, Income(business_yen=1_100_000), Claims(spouse=True))
    assert between.status is TaxStatus.TAXED
    assert (between.city_income_based_yen, between.prefecture_income_based_yen, between.annual_yen) == (0, 0, 5_000)


def test_a_disabled_person_has_a_higher_limit() -> None:
    assert record(2025, Income(business_yen=1_350_000), Claims(disabled=True)).status is TaxStatus.UNTAXED
    assert record(2025, Income(business_yen=1_350_001), Claims(disabled=True)).status is TaxStatus.TAXED


def test_without_amounts_is_for_those_who_did_not_declare() -> None:
    assert without_amounts("r", 2025, "見本", TaxStatus.DEPENDANT).annual_yen == 0
    with pytest.raises(AssertionError):
        without_amounts("r", 2025, "見本", TaxStatus.TAXED)
