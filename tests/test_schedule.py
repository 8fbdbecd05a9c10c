"""Fees by municipality, document and date; the table is the rule."""

from __future__ import annotations

from datetime import date

import pytest

from fees.schedule import FeeRow, UnknownFee, fee_on


def row(kind: str, fee_yen: int, valid_from: date, code: str = "999993") -> FeeRow:
    return FeeRow(code, kind, fee_yen, 117, valid_from, "見本市手数料条例")


ROWS = (
    row("residence", 300, date(2020, 4, 1)),
    row("residence", 200, date(2026, 4, 1)),
    row("taxation", 350, date(2020, 4, 1)),
    row("residence", 10, date(2020, 4, 1), code="999985"),
)


@pytest.mark.parametrize(
    ("kind", "code", "on_jst", "fee_yen"),
    [
        ("residence", "999993", date(2020, 4, 1), 300),
        ("residence", "999993", date(2026, 3, 31), 300),
        ("residence", "999993", date(2026, 4, 1), 200),
        ("taxation", "999993", date(2026, 4, 1), 350),
        ("residence", "999985", date(2026, 4, 1), 10),
    ],
)
def test_the_fee_in_force(kind: str, code: str, on_jst: date, fee_yen: int) -> None:
    assert fee_on(kind, code, on_jst, ROWS).fee_yen == fee_yen


@pytest.mark.parametrize(
    ("kind", "code", "on_jst"),
    [
        ("residence", "999993", date(2020, 3, 31)),
        ("seal", "999993", date(2026, 4, 1)),
        ("taxation", "999985", date(2026, 4, 1)),
    ],
)
def test_no_row_no_fee(kind: str, code: str, on_jst: date) -> None:
    with pytest.raises(UnknownFee, match="no row covers"):
        fee_on(kind, code, on_jst, ROWS)


def test_two_rows_of_one_day_decide_nothing() -> None:
    rows = (*ROWS, row("residence", 250, date(2026, 4, 1)))
    with pytest.raises(UnknownFee, match="more than one"):
        fee_on("residence", "999993", date(2026, 4, 1), rows)
    assert fee_on("residence", "999993", date(2026, 3, 31), rows).fee_yen == 300


@pytest.mark.parametrize("fee_yen", [-1, 300.0, True])
def test_a_fee_is_whole_yen(fee_yen: int) -> None:
    with pytest.raises(ValueError, match="whole yen"):
        row("residence", fee_yen, date(2026, 4, 1))
