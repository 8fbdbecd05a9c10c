from __future__ import annotations

import msgspec
import pytest

from printing.paper.certificates import check
from printing.paper.errors import ValueTooLong
from tests.certificate_parts import text_of
from tests.paper_samples import ADDRESS, ISSUANCE, fonts, line
from tests.paper_samples_more import INCOME, PAYMENT

replace = msgspec.structs.replace


def test_income_certificate_says_its_amounts() -> None:
    text = text_of(INCOME)
    for words in (
        "令和7年度(令和6年分)",
        f"住所(令和7年1月1日現在) {ADDRESS}",
        "給与収入 5,123,456円",
        "公的年金等収入 【空欄】",
        "不動産所得 0円",
        "合計所得金額 3,776,000円",
        "上記のとおり証明する。",
    ):
        assert words in text
    foreign = replace(INCOME, born_in_era=False, alias="山田 マリア", totals=())
    assert "生年月日 1985年4月3日" in text_of(foreign)
    assert "通称 山田 マリア" in text_of(foreign)
    assert "所得の合計 金額\r\n【空欄】\r\n" in text_of(foreign)


@pytest.mark.parametrize("count", [1, 15, 19])
def test_a_sheet_of_amounts_is_whole_and_more_is_refused(count: int) -> None:
    record = replace(INCOME, incomes=tuple(line(f"所得{n}", n * 1000) for n in range(1, count + 1)))
    assert all(f"所得{n} {n * 1000:,}円" in text_of(record) for n in range(1, count + 1))
    payments = replace(PAYMENT, lines=(PAYMENT.lines[0],) * count)
    assert text_of(payments).count("113,200円") == count
    for too_many in (replace(INCOME, incomes=record.incomes * 40), replace(PAYMENT, lines=payments.lines * 40)):
        with pytest.raises(ValueTooLong):
            check(fonts(), too_many, ISSUANCE)


def test_tax_payment_certificate_says_how_long_payments_take() -> None:
    text = text_of(PAYMENT)
    for words in (
        "令和8年度",
        "収納確認日 令和8年11月20日",
        "市民税・県民税・森林環境税 226,500円 113,300円 113,200円",
        "軽自動車税(種別割) 【空欄】 【空欄】 【空欄】",
        "2週間から3週間を要する。",
    ):
        assert words in text
