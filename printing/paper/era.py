"""Western date -> Japanese era (和暦), as official papers write it: 令和7年10月3日, 令和元年5月1日."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from printing.paper.errors import NoEra

# An era's first day belongs to it: the edicts of 1912, 1926, 1989 and 2019 begin the new era with that day.
ERAS: tuple[tuple[date, str], ...] = (
    (date(2019, 5, 1), "令和"),
    (date(1989, 1, 8), "平成"),
    (date(1926, 12, 25), "昭和"),
    (date(1912, 7, 30), "大正"),
    (date(1868, 1, 25), "明治"),
)
assert all(later[0] > earlier[0] for later, earlier in pairwise(ERAS))

# Until 明治5年12月2日 the official calendar was lunisolar: a Western date is not the official date.
GREGORIAN_SINCE = date(1873, 1, 1)


def era_year(on: date) -> str:
    """Return era and year of a date: 「令和7年」, 「平成元年」.

    Errors: NoEra before 1873-01-01.
    """
    if on < GREGORIAN_SINCE:
        raise NoEra
    first, name = next(era for era in ERAS if on >= era[0])
    year = on.year - first.year + 1
    return f"{name}{'元' if year == 1 else year}年"


def era_date(on: date) -> str:
    """Return a date in the era: 「令和7年10月3日」.

    Errors: NoEra before 1873-01-01.
    """
    return f"{era_year(on)}{on.month}月{on.day}日"


def western_date(on: date) -> str:
    """Return a date in the Western calendar, as foreign residents' birth dates are written: 「1990年5月3日」."""
    return f"{on.year}年{on.month}月{on.day}日"


def fiscal_year_words(fiscal_year: int) -> str:
    """Return a tax year as certificates name it: 2025 -> 「令和7年度(令和6年分)」.

    The fiscal year is named by the era of its 1 April, the income year before it by the era of its 31 December:
    2019 -> 「平成31年度(平成30年分)」, 2020 -> 「令和2年度(令和元年分)」.
    """
    return f"{era_year(date(fiscal_year, 4, 1))}度({era_year(date(fiscal_year - 1, 12, 31))}分)"
