from __future__ import annotations

from datetime import date

import pytest

from printing.paper.era import era_date, era_year, fiscal_year_words, western_date
from printing.paper.errors import NoEra


@pytest.mark.parametrize(
    ("on", "words"),
    [
        (date(1873, 1, 1), "明治6年1月1日"),  # the first official day in the Gregorian calendar
        (date(1912, 7, 29), "明治45年7月29日"),
        (date(1912, 7, 30), "大正元年7月30日"),
        (date(1926, 12, 24), "大正15年12月24日"),
        (date(1926, 12, 25), "昭和元年12月25日"),
        (date(1927, 1, 1), "昭和2年1月1日"),
        (date(1989, 1, 7), "昭和64年1月7日"),
        (date(1989, 1, 8), "平成元年1月8日"),
        (date(2019, 4, 30), "平成31年4月30日"),
        (date(2019, 5, 1), "令和元年5月1日"),
        (date(2020, 2, 29), "令和2年2月29日"),
        (date(2025, 10, 3), "令和7年10月3日"),
    ],
)
def test_era_date_on_both_sides_of_every_change(on: date, words: str) -> None:
    assert era_date(on) == words
    assert words.startswith(era_year(on))


def test_no_era_before_the_gregorian_calendar() -> None:
    with pytest.raises(NoEra):
        era_date(date(1872, 12, 31))


def test_western_date_has_no_era_and_no_leading_zeros() -> None:
    assert western_date(date(1990, 5, 3)) == "1990年5月3日"


@pytest.mark.parametrize(
    ("fiscal_year", "words"),
    [
        (2019, "平成31年度(平成30年分)"),
        (2020, "令和2年度(令和元年分)"),
        (2025, "令和7年度(令和6年分)"),
    ],
)
def test_fiscal_year_is_named_with_its_income_year(fiscal_year: int, words: str) -> None:
    assert fiscal_year_words(fiscal_year) == words
