"""What the tax certificates of a fiscal year have; a year that is not known is refused, not guessed."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest

from printing.paper.certificates import check, render
from printing.paper.certificates.tax_layout import LAYOUTS, layout_of
from printing.paper.certificates.wording import tax_names
from printing.paper.errors import InconsistentRecord, UnknownFiscalYear
from printing.paper.records import Certificate, TaxationCertificate
from tests.certificate_parts import text_of
from tests.paper_samples import ISSUANCE, TAXED, WITHHELD, fonts, line, taxed_in
from tests.paper_samples_more import INCOME, PAYMENT

replace = msgspec.structs.replace


def changed(fiscal_year: int, **changes: object) -> TaxationCertificate:
    """The taxation certificate of a year, changed."""
    return replace(taxed_in(fiscal_year), **changes)


def test_the_rows_follow_one_another_without_a_gap() -> None:
    for earlier, later in pairwise(LAYOUTS):
        assert earlier.first_year <= earlier.last_year == later.first_year - 1
    assert [layout_of(year) for year in (2021, 2023, 2024, 2025, 2026)] == [LAYOUTS[n] for n in (0, 0, 1, 1, 2)]


@pytest.mark.parametrize(
    ("fiscal_year", "having", "lacking"),
    [
        (2023, ("市民税 均等割 3,500円", "県民税 均等割 1,500円", "年税額 226,500円"), ("森林環境税", "定額減税")),
        (2024, ("森林環境税 1,000円", "市民税 所得割 120,900円", "定額減税 20,000円", "年税額 206,500円"), ()),
        (2025, ("森林環境税 1,000円", "市民税 均等割 3,000円", "定額減税 0円", "年税額 226,500円"), ()),
        (2026, ("森林環境税 1,000円", "県民税 均等割 1,000円", "年税額 226,500円"), ("定額減税",)),
    ],
)
def test_a_year_shows_its_own_lines(fiscal_year: int, having: tuple[str, ...], lacking: tuple[str, ...]) -> None:
    text = text_of(taxed_in(fiscal_year))
    assert all(words in text for words in ("課税標準額 2,240,000円", "調整控除 2,500円", *having))
    assert not any(words in text for words in lacking)


def test_a_line_of_the_year_that_is_not_recorded_says_so() -> None:
    text = text_of(changed(2024, flat_rate_reduction_yen=None, forest_tax_yen=None))
    assert "定額減税 【空欄】" in text
    assert "森林環境税 【空欄】" in text


DEDUCTED = (line("基礎控除", 430_000), line("特定親族特別控除", 450_000))


@pytest.mark.parametrize(
    ("record", "item"),
    [
        (changed(2023, forest_tax_yen=1_000), "forest_tax_yen"),
        (changed(2023, flat_rate_reduction_yen=0), "flat_rate_reduction_yen"),
        (changed(2026, flat_rate_reduction_yen=40_000), "flat_rate_reduction_yen"),
        (changed(2025, deductions=DEDUCTED), "deductions"),
        (changed(2026, credits=(line("定額減税額", 40_000),)), "credits"),
        (replace(INCOME, incomes=(line("定額減税", 1),), fiscal_year=2026), "incomes"),
        (replace(PAYMENT, fiscal_year=2023), "lines"),
    ],
)
def test_a_line_of_another_year_is_refused(record: Certificate, item: str) -> None:
    with pytest.raises(InconsistentRecord) as caught:
        check(fonts(), record, ISSUANCE)
    assert caught.value.item == item


def test_the_same_lines_stand_in_their_own_year() -> None:
    assert "特定親族特別控除 450,000円" in text_of(changed(2026, deductions=DEDUCTED))
    assert "令和5年度" in text_of(replace(PAYMENT, fiscal_year=2023, lines=PAYMENT.lines[1:]))


@pytest.mark.parametrize("fiscal_year", [2020, 2027])
def test_a_year_without_a_row_is_refused(fiscal_year: int) -> None:
    records: tuple[Certificate, ...] = (TAXED, WITHHELD, INCOME, PAYMENT)
    for record in records:
        unknown = replace(record, fiscal_year=fiscal_year)
        with pytest.raises(UnknownFiscalYear, match=f"no layout for {fiscal_year}"):
            check(fonts(), unknown, ISSUANCE)
        with pytest.raises(UnknownFiscalYear):
            render(fonts(), unknown, ISSUANCE, "MDG1:TEST")


@pytest.mark.parametrize(
    ("name", "code", "city", "prefecture"),
    [
        ("みほん市", "999993", "市民税", "県民税"),
        ("みほん町", "013030", "町民税", "道民税"),
        ("みほん村", "273010", "村民税", "府民税"),
        ("みほん区", "131130", "特別区民税", "都民税"),
        ("みほん市", "132012", "市民税", "都民税"),
        ("みほん市", "261009", "市民税", "府民税"),
    ],
)
def test_the_taxes_have_their_local_names(name: str, code: str, city: str, prefecture: str) -> None:
    issuance = replace(ISSUANCE, certifier=replace(ISSUANCE.certifier, municipality_name=name, municipality_code=code))
    assert (tax_names(issuance).city, tax_names(issuance).prefecture) == (city, prefecture)
    text = text_of(TAXED, issuance)
    assert f"{city} 所得割 132,900円" in text
    assert f"{prefecture} 均等割 1,000円" in text
    assert f"令和7年度(令和6年分)の{city}及び{prefecture}は課税されていない。" in text_of(WITHHELD, issuance)
    assert "市町村民税" not in text
