"""What the town's people paid of their taxes: a line a tax, made from the tax records. All of it is invented."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from typing import Final

from deploy.demo.town_people import AS_OF
from issuance_server.register.records import LeviedTax, TaxPaymentRecord, TaxRecord, TaxStatus

RESIDENT_TAX: Final = "市民税・県民税・森林環境税"
PROPERTY_TAX: Final = "固定資産税・都市計画税"
CAR_TAX: Final = "軽自動車税(種別割)"
CONFIRMED_UNTIL: Final = AS_OF - timedelta(days=16)  # payments take two to three weeks to show

_ARREARS_SHARE: Final = 0.05
_PROPERTY_SHARE: Final = 0.4
_CAR_SHARE: Final = 0.25
_CAR_TAX_YEN: Final = 10_800


def tax_payments(
    rng: random.Random, tax: Iterable[TaxRecord], in_arrears: Collection[str] = ()
) -> tuple[TaxPaymentRecord, ...]:
    """Return the payments of one household, by resident and fiscal year; one in twenty is in arrears.

    Shape: in_arrears are resident ids, as a story needs it; who declared nothing has no record.
    """
    made = []
    for record in tax:
        late, owns, drives, property_yen = rng.random(), rng.random(), rng.random(), rng.randint(300, 1_400) * 100
        if record.status not in {TaxStatus.TAXED, TaxStatus.UNTAXED}:
            continue
        unpaid = record.resident_id in in_arrears or (late < _ARREARS_SHARE and record.annual_yen > 0)
        taxes = [_line(RESIDENT_TAX, record.annual_yen, unpaid=unpaid)]
        if owns < _PROPERTY_SHARE:
            taxes.append(_line(PROPERTY_TAX, property_yen, unpaid=False))
        if drives < _CAR_SHARE:
            taxes.append(_line(CAR_TAX, _CAR_TAX_YEN, unpaid=False))
        confirmed_until = min(CONFIRMED_UNTIL, date(record.fiscal_year + 1, 5, 31))
        made.append(
            TaxPaymentRecord(
                resident_id=record.resident_id,
                fiscal_year=record.fiscal_year,
                confirmed_until=confirmed_until,
                taxes=tuple(taxes),
            )
        )
    return tuple(made)


def _line(tax: str, levied_yen: int, *, unpaid: bool) -> LeviedTax:
    """Somebody in arrears paid the first of four instalments."""
    paid_yen = levied_yen // 4 // 100 * 100 if unpaid else levied_yen
    return LeviedTax(tax=tax, levied_yen=levied_yen, paid_yen=paid_yen, unpaid_yen=levied_yen - paid_yen)
