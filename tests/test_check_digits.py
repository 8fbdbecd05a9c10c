"""Check digits of municipality codes and Individual Numbers."""

from __future__ import annotations

import pytest

from deploy.demo.check_digits import (
    individual_number_check_digit,
    is_individual_number,
    is_municipality_code,
    municipality_check_digit,
)


# Published codes: 北海道札幌市, 東京都千代田区, 神奈川県横浜市.
@pytest.mark.parametrize("code", ["011002", "131016", "141003"])
def test_published_municipality_codes_are_right(code: str) -> None:
    assert municipality_check_digit(code[:5]) == int(code[5])
    assert is_municipality_code(code)


@pytest.mark.parametrize("code", ["131015", "13101", "1310166", "13101６", "", "abcdef"])
def test_wrong_municipality_codes(code: str) -> None:
    assert not is_municipality_code(code)


def test_sample_individual_number_is_right() -> None:
    assert individual_number_check_digit("12345678901") == 8
    assert is_individual_number("123456789018")


def test_remainders_of_zero_and_one_give_check_digit_zero() -> None:
    assert individual_number_check_digit("00000000000") == 0  # remainder 0
    assert individual_number_check_digit("00000000006") == 0  # 6 x 2 = 12, remainder 1
    assert individual_number_check_digit("00000000001") == 9  # 1 x 2, 11 - 2


@pytest.mark.parametrize("number", ["123456789019", "12345678901", "1234567890188", "12345678901８", ""])
def test_wrong_individual_numbers(number: str) -> None:
    assert not is_individual_number(number)


def test_one_wrong_digit_is_found() -> None:
    for at in range(11):
        wrong = "123456789018"[:at] + str((int("123456789018"[at]) + 1) % 10) + "123456789018"[at + 1 :]
        assert not is_individual_number(wrong)


@pytest.mark.parametrize("digits", ["1234", "123456", "12a45", "１２３４５"])
def test_check_digit_of_something_else_names_the_rule(digits: str) -> None:
    with pytest.raises(ValueError, match="municipality code: 5 decimal digits"):
        municipality_check_digit(digits)


def test_check_digit_of_a_short_number_names_the_rule() -> None:
    with pytest.raises(ValueError, match="Individual Number: 11 decimal digits"):
        individual_number_check_digit("123")
