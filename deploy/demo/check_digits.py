"""Check digits of municipality codes and Individual Numbers."""

from __future__ import annotations

from collections.abc import Callable

_MUNICIPALITY_WEIGHTS = (6, 5, 4, 3, 2)


def municipality_check_digit(five_digits: str) -> int:
    """Return the sixth digit of a local-government code (全国地方公共団体コード).

    Shape:  five decimal digits: two for the prefecture, three for the municipality.
    Errors: ValueError on anything else.
    """
    digits = _digits(five_digits, 5, "municipality code")
    total = sum(weight * digit for weight, digit in zip(_MUNICIPALITY_WEIGHTS, digits, strict=True))
    return (11 - total % 11) % 10


def is_municipality_code(code: str) -> bool:
    """Whether a text is six digits with the right check digit."""
    return _is_checked(code, 6, municipality_check_digit)


def individual_number_check_digit(eleven_digits: str) -> int:
    """Return the twelfth digit of an Individual Number (個人番号).

    Shape:  eleven decimal digits.
    Errors: ValueError on anything else.
    Source: 平成26年総務省令第85号第5条.
    """
    digits = _digits(eleven_digits, 11, "Individual Number")
    weighted = (digit * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(digits), start=1))
    remainder = sum(weighted) % 11
    return 0 if remainder <= 1 else 11 - remainder


def is_individual_number(number: str) -> bool:
    """Whether a text is twelve digits with the right check digit."""
    return _is_checked(number, 12, individual_number_check_digit)


def _digits(text: str, length: int, what: str) -> tuple[int, ...]:
    if len(text) != length or not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{what}: {length} decimal digits are needed before the check digit")
    return tuple(int(character) for character in text)


def _is_checked(text: str, length: int, check_digit: Callable[[str], int]) -> bool:
    if len(text) != length or not (text.isascii() and text.isdecimal()):
        return False
    return check_digit(text[:-1]) == int(text[-1])
