"""The cash driver on a real pseudo-terminal: what it says is compared with where the coins really lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.payment.device import (
    CoinUnit,
    Counted,
    PaymentState,
    PaymentStatus,
)
from tests.cash_parts import PAY, Kiosk, kiosk

pytestmark = pytest.mark.slow


@pytest.fixture
def tray(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk(tmp_path) as made:
        yield made


@pytest.fixture
def boxed(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk(tmp_path, tray=False) as made:
        yield made


def test_exact_money_goes_into_the_cashbox(tray: Kiosk) -> None:
    unit: CoinUnit = tray.unit
    assert unit.check().ready
    before = unit.counters()
    unit.start(PAY, 300)
    tray.inserted(100, 100, 100)
    assert unit.hold() == 300
    assert unit.capture(PAY, 300) == Counted(300, 0, 0, 0)
    assert (tray.cashbox_yen(), tray.cup_yen(), tray.spent_yen()) == (300, 0, 300)
    after = unit.counters()
    assert (after.inserted_yen, after.cashbox_yen, after.change_yen, after.returned_yen) == (300, 300, 0, 0)
    assert after.event_counter > before.event_counter
    assert unit.status(PAY) == PaymentStatus(PaymentState.CAPTURED, 0, Counted(300, 0, 0, 0))
    assert unit.check().payment_id is None
