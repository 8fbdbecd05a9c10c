"""Municipal tax as arithmetic: incomes and deductions of one person's fiscal year -> a register's tax record.

A demo's tax office, true enough that the amounts on a certificate add up: 給与所得控除, 公的年金等控除, personal
deductions, 調整控除, 所得割 6 % and 4 %, 均等割 by year with 森林環境税 from fiscal year 2024, 定額減税 of fiscal year
2024, and the limits below which nothing is levied (those of a first-class area). Left out: every other credit, capital
income, losses.
Source: 所得税法 28条, 35条, 別表第五; 地方税法 24条の5, 34条, 35条, 37条, 38条, 295条, 310条, 314条の2, 314条の3,
314条の6; 復興財源確保の地方税臨時特例法 2条 (均等割 until fiscal year 2023); 森林環境税法 5条.

Units: whole yen throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from issuance_server.register.records import TaxRecord, TaxStatus

FISCAL_YEARS: Final = (2024, 2025, 2026)
#: 定額減税; in the second year only for those whose spouse is no dependant by their own high income: nobody here.
RELIEF_YEARS: Final = (2024, 2025)
REFORM_YEAR: Final = 2026  # 令和7年分 on: more 給与所得控除, a higher limit for dependants

CITY_PERCENT: Final = 6
PREFECTURE_PERCENT: Final = 4
FOREST_YEAR: Final = 2024
#: City, prefecture, 森林環境税: what one person owes whatever the income; the sum stayed the same.
_PER_CAPITA_BEFORE_YEN: Final = (3_500, 1_500, None)
_PER_CAPITA_YEN: Final = (3_000, 1_000, 1_000)
BASIC_DEDUCTION_YEN: Final = 430_000
RELIEF_PER_HEAD_YEN: Final = 10_000

#: (from this salary on, percent of it, less this sum, in steps of)
_UPPER_ROWS: Final = (
    (8_500_000, 100, 1_950_000, 1),
    (6_600_000, 90, 1_100_000, 1),
    (3_600_000, 80, 440_000, 4_000),
)
_SALARY_ROWS: Final = (
    *_UPPER_ROWS,
    (1_800_000, 70, 80_000, 4_000),
    (1_628_000, 60, -100_000, 4_000),
    (1_624_000, 0, -1_074_000, 1),
    (1_622_000, 0, -1_072_000, 1),
    (1_620_000, 0, -1_070_000, 1),
    (1_619_000, 0, -1_069_000, 1),
    (0, 100, 550_000, 1),
)
_SALARY_ROWS_REFORMED: Final = (*_UPPER_ROWS, (1_900_000, 70, 80_000, 4_000), (0, 100, 650_000, 1))


@dataclass(frozen=True, slots=True)
class Income:
    """What one person had in the year before the fiscal year."""

    salary_yen: int = 0
    pension_yen: int = 0
    business_yen: int = 0  # 営業等所得, after expenses

    @property
    def none(self) -> bool:
        """Whether there was nothing at all."""
        return not (self.salary_yen or self.pension_yen or self.business_yen)


@dataclass(frozen=True, slots=True)
class Claims:
    """What one person may deduct. dependants: counted by class; under_16 counts, but deducts nothing."""

    spouse: bool = False
    spouse_70: bool = False
    general: int = 0
    specific: int = 0  # 特定扶養親族, 19 to 22
    aged: int = 0  # 同居老親等, 70 and over
    special_relatives_yen: int = 0  # 特定親族特別控除: what is deducted for them, by each one's income
    under_16: int = 0
    disabled: bool = False
    life_insurance_yen: int = 0
    earthquake_insurance_yen: int = 0

    @property
    def heads(self) -> int:
        """How many people live on this income beside the taxpayer."""
        return int(self.spouse) + self.general + self.specific + self.aged + self.under_16


def salary_income_yen(salary_yen: int, fiscal_year: int) -> int:
    """Return 給与所得 of a salary. Source: 所得税法 28条 and 別表第五."""
    rows = _SALARY_ROWS_REFORMED if fiscal_year >= REFORM_YEAR else _SALARY_ROWS
    _, percent, less_yen, step_yen = next(row for row in rows if salary_yen >= row[0])
    return max(0, salary_yen // step_yen * step_yen * percent // 100 - less_yen)


def pension_income_yen(pension_yen: int, *, aged_65: bool) -> int:
    """Return 公的年金等に係る雑所得. Source: 所得税法 35条, other income below ten million."""
    if pension_yen < (3_300_000 if aged_65 else 1_300_000):
        return max(0, pension_yen - (1_100_000 if aged_65 else 600_000))
    if pension_yen < 4_100_000:
        return pension_yen * 75 // 100 - 275_000
    return pension_yen * 85 // 100 - 685_000


def dependant_limit_yen(fiscal_year: int) -> int:
    """Return the income up to which somebody can be another's dependant."""
    return 580_000 if fiscal_year >= REFORM_YEAR else 480_000


@dataclass(frozen=True, slots=True)
class _Base:
    """The lines of a certificate down to the taxable base."""

    incomes: tuple[tuple[str, int], ...]
    total_yen: int
    deductions: tuple[tuple[str, int], ...]
    dependants: tuple[tuple[str, int], ...]
    differences_yen: int = field(default=0)  # 人的控除額の差の合計額

    @property
    def taxable_yen(self) -> int:
        """課税標準額, in whole thousands."""
        return max(0, self.total_yen - sum(yen for _, yen in self.deductions)) // 1_000 * 1_000


def total_income_yen(income: Income, fiscal_year: int, *, aged_65: bool) -> int:
    """Return 合計所得金額."""
    return (
        salary_income_yen(income.salary_yen, fiscal_year)
        + pension_income_yen(income.pension_yen, aged_65=aged_65)
        + income.business_yen
    )


def assess(
    resident_id: str, fiscal_year: int, address: str, income: Income, claims: Claims, *, aged_65: bool
) -> TaxRecord:
    """Return the record of one who declared, or for whom an employer did: TAXED, or UNTAXED below the limits."""
    base = _base(fiscal_year, income, claims, aged_65=aged_65)
    untaxed = base.total_yen <= _per_capita_limit_yen(claims)
    credits_yen = 0 if untaxed or base.total_yen <= _income_based_limit_yen(claims) else _adjustment_yen(base)
    levied = not untaxed and base.total_yen > _income_based_limit_yen(claims)
    city_yen = _levy_yen(base.taxable_yen, CITY_PERCENT, credits_yen * 3 // 5) if levied else 0
    prefecture_yen = _levy_yen(base.taxable_yen, PREFECTURE_PERCENT, credits_yen * 2 // 5) if levied else 0
    lines = (("調整控除", credits_yen),) if levied else ()
    reduction_yen = 0 if fiscal_year in RELIEF_YEARS else None
    if levied and fiscal_year == RELIEF_YEARS[0]:
        relief_yen = min(RELIEF_PER_HEAD_YEN * (1 + claims.heads), city_yen + prefecture_yen)
        city_relief_yen = min(city_yen, -(-relief_yen * CITY_PERCENT // (CITY_PERCENT + PREFECTURE_PERCENT)))
        prefecture_relief_yen = min(prefecture_yen, relief_yen - city_relief_yen)
        city_yen = (city_yen - city_relief_yen) // 100 * 100
        prefecture_yen = (prefecture_yen - prefecture_relief_yen) // 100 * 100
        reduction_yen = city_relief_yen + prefecture_relief_yen
    per_capita: tuple[int, int, int | None] = _PER_CAPITA_YEN if fiscal_year >= FOREST_YEAR else _PER_CAPITA_BEFORE_YEN
    if untaxed:
        per_capita = (0, 0, None if per_capita[2] is None else 0)
    return TaxRecord(
        resident_id=resident_id,
        fiscal_year=fiscal_year,
        status=TaxStatus.UNTAXED if untaxed else TaxStatus.TAXED,
        address_on_1_january=address,
        incomes=base.incomes,
        totals=(("総所得金額", base.total_yen), ("合計所得金額", base.total_yen)),
        deductions=base.deductions,
        dependants=base.dependants,
        taxable_base_yen=base.taxable_yen,
        credits=lines,
        flat_rate_reduction_yen=reduction_yen,
        city_income_based_yen=city_yen,
        city_per_capita_yen=per_capita[0],
        prefecture_income_based_yen=prefecture_yen,
        prefecture_per_capita_yen=per_capita[1],
        forest_tax_yen=per_capita[2],
        annual_yen=city_yen + prefecture_yen + sum(yen or 0 for yen in per_capita),
    )


def without_amounts(resident_id: str, fiscal_year: int, address: str, status: TaxStatus) -> TaxRecord:
    """Return the record of one who did not declare: UNDECLARED, or somebody's DEPENDANT."""
    assert status in (TaxStatus.UNDECLARED, TaxStatus.DEPENDANT)
    return TaxRecord(resident_id=resident_id, fiscal_year=fiscal_year, status=status, address_on_1_january=address)


def _base(fiscal_year: int, income: Income, claims: Claims, *, aged_65: bool) -> _Base:
    salary_yen = salary_income_yen(income.salary_yen, fiscal_year)
    pension_yen = pension_income_yen(income.pension_yen, aged_65=aged_65)
    incomes: list[tuple[str, int]] = []
    if income.salary_yen:
        incomes += [("給与収入", income.salary_yen), ("給与所得", salary_yen)]
    if income.pension_yen:
        incomes += [("公的年金等収入", income.pension_yen), ("雑所得(公的年金等)", pension_yen)]
    if income.business_yen:
        incomes += [("営業等所得", income.business_yen)]
    social_yen = income.salary_yen * 148 // 1_000 + income.pension_yen * 6 // 100 + income.business_yen * 14 // 100
    # label, deducted here, difference from income tax's deduction of the same kind (for 調整控除), count
    rows = (
        ("社会保険料控除", social_yen, 0),
        ("生命保険料控除", claims.life_insurance_yen, 0),
        ("地震保険料控除", claims.earthquake_insurance_yen, 0),
        ("配偶者控除", _spouse_yen(claims), (100_000 if claims.spouse_70 else 50_000) if claims.spouse else 0),
        (
            "扶養控除",
            330_000 * claims.general + 450_000 * (claims.specific + claims.aged),
            50_000 * claims.general + 180_000 * claims.specific + 130_000 * claims.aged,
        ),
        ("特定親族特別控除", claims.special_relatives_yen, 0),
        ("障害者控除", 260_000 if claims.disabled else 0, 10_000 if claims.disabled else 0),
        ("基礎控除", BASIC_DEDUCTION_YEN, 50_000),
    )
    counts = (
        ("控除対象配偶者", int(claims.spouse)),
        ("一般扶養", claims.general),
        ("特定扶養", claims.specific),
        ("老人扶養(同居老親等)", claims.aged),
        ("16歳未満", claims.under_16),
    )
    return _Base(
        incomes=tuple(incomes),
        total_yen=salary_yen + pension_yen + income.business_yen,
        deductions=tuple((label, yen) for label, yen, _ in rows if yen),
        dependants=tuple((label, count) for label, count in counts if count),
        differences_yen=sum(difference for _, _, difference in rows),
    )


def _spouse_yen(claims: Claims) -> int:
    if not claims.spouse:
        return 0
    return 380_000 if claims.spouse_70 else 330_000


def _per_capita_limit_yen(claims: Claims) -> int:
    """Income up to which nothing at all is levied; a disabled person has a limit of their own."""
    limit_yen = 350_000 * (claims.heads + 1) + 100_000 + (210_000 if claims.heads else 0)
    return max(limit_yen, 1_350_000) if claims.disabled else limit_yen


def _income_based_limit_yen(claims: Claims) -> int:
    """Income up to which only 均等割 is levied."""
    return 350_000 * (claims.heads + 1) + 100_000 + (320_000 if claims.heads else 0)


def _adjustment_yen(base: _Base) -> int:
    """調整控除: 5 % of the differences, at least 2,500 yen above a base of two million."""
    if base.taxable_yen <= 2_000_000:
        return min(base.differences_yen, base.taxable_yen) * 5 // 100
    return max((base.differences_yen - (base.taxable_yen - 2_000_000)) * 5 // 100, 2_500)


def _levy_yen(taxable_yen: int, percent: int, credit_yen: int) -> int:
    """所得割, in whole hundreds."""
    return max(0, taxable_yen * percent // 100 - credit_yen) // 100 * 100
