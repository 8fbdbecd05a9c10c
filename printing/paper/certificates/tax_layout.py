"""What tax certificates say by fiscal year: rows, never branches. A year without a row is refused, not guessed.

Sources: 森林環境税法 (令和6年度 on); 地方税法附則 5条の8 to 5条の13 (定額減税, 令和6 and 7年度); 地方税法 314条の2
(特定親族特別控除, 令和8年度 on; ひとり親控除, 令和3年度 on).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from printing.paper.errors import InconsistentRecord, UnknownFiscalYear

FOREST_TAX = "森林環境税"
FLAT_RATE_REDUCTION = "定額減税"
SPECIFIC_RELATIVE_DEDUCTION = "特定親族特別控除"


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One amount that a year's certificate always shows. label: {city} and {prefecture} are the taxes' local names."""

    item: str
    label: str


@dataclass(frozen=True, slots=True)
class TaxLayout:
    """Fiscal years first_year to last_year, both of them in it.

    base stands before the record's own credits, reductions after them; other_years: words of amounts that these years
    do not have.
    """

    first_year: int
    last_year: int
    base: tuple[TaxLine, ...]
    reductions: tuple[TaxLine, ...]
    taxes: tuple[TaxLine, ...]
    other_years: tuple[str, ...]

    @property
    def lines(self) -> tuple[TaxLine, ...]:
        """Every single amount, in the order of printing."""
        return (*self.base, *self.reductions, *self.taxes)


_BASE = (TaxLine("taxable_base_yen", "課税標準額"),)
_FLAT_RATE = (TaxLine("flat_rate_reduction_yen", FLAT_RATE_REDUCTION),)
_LOCAL_TAXES = (
    TaxLine("city_income_based_yen", "{city} 所得割"),
    TaxLine("city_per_capita_yen", "{city} 均等割"),
    TaxLine("prefecture_income_based_yen", "{prefecture} 所得割"),
    TaxLine("prefecture_per_capita_yen", "{prefecture} 均等割"),
)
_FOREST = TaxLine("forest_tax_yen", FOREST_TAX)
_ANNUAL = TaxLine("annual_yen", "年税額")

LAYOUTS: tuple[TaxLayout, ...] = (
    TaxLayout(
        2021,
        2023,
        _BASE,
        (),
        (*_LOCAL_TAXES, _ANNUAL),
        (FOREST_TAX, FLAT_RATE_REDUCTION, SPECIFIC_RELATIVE_DEDUCTION),
    ),
    TaxLayout(2024, 2025, _BASE, _FLAT_RATE, (*_LOCAL_TAXES, _FOREST, _ANNUAL), (SPECIFIC_RELATIVE_DEDUCTION,)),
    TaxLayout(2026, 2026, _BASE, (), (*_LOCAL_TAXES, _FOREST, _ANNUAL), (FLAT_RATE_REDUCTION,)),
)
#: Every single amount that some year has.
_ITEMS = tuple(dict.fromkeys(line.item for layout in LAYOUTS for line in layout.lines))


def layout_of(fiscal_year: int) -> TaxLayout:
    """Return a fiscal year's layout.

    Errors: UnknownFiscalYear.
    """
    for layout in LAYOUTS:
        if layout.first_year <= fiscal_year <= layout.last_year:
            return layout
    raise UnknownFiscalYear(fiscal_year)


def check_labels(fiscal_year: int, item: str, labels: Iterable[str]) -> None:
    """Refuse a list whose words name what its fiscal year does not have.

    Errors: UnknownFiscalYear, InconsistentRecord(item).
    """
    others = layout_of(fiscal_year).other_years
    if any(word in label for label in labels for word in others):
        raise InconsistentRecord(item, "names an amount that the fiscal year does not have")


def check_amounts(fiscal_year: int, record: object) -> None:
    """Refuse a single amount that its fiscal year does not have.

    Errors: UnknownFiscalYear, InconsistentRecord.
    """
    known = {line.item for line in layout_of(fiscal_year).lines}
    for item in _ITEMS:
        if item not in known and getattr(record, item) is not None:
            raise InconsistentRecord(item, "the fiscal year does not have it")
