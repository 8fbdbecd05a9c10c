"""The payment port: everything that crosses the worker's pipe survives it."""

from __future__ import annotations

from multiprocessing import Pipe

import pytest

from deploy.demo.virtual_coins import VirtualCoinUnit
from terminal.payment import device
from terminal.payment.device import (
    Counted,
    DeviceCounters,
    MoneyCounted,
    PaymentState,
    PaymentStatus,
    UnitStatus,
)


def crossed(value: object) -> object:
    """Return what comes out of the other end of a pipe."""
    here, there = Pipe()
    with here, there:
        here.send(value)
        received: object = there.recv()
        return received


ERRORS = [kind for kind in vars(device).values() if isinstance(kind, type) and issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_errors_cross_a_pipe(kind: type[Exception]) -> None:
    error = crossed(kind("why"))
    assert type(error) is kind
    assert str(error) == "why"


@pytest.mark.parametrize(
    "value",
    [
        MoneyCounted("a" * 32, 100),
        Counted(300, 200, 0, 0),
        DeviceCounters(500, 500, 200, 0, 2),
        UnitStatus(ready=True, payment_id=None, tray_yen=0),
        PaymentStatus(PaymentState.CAPTURED, 0, Counted(300, 0, 0, 0)),
    ],
)
def test_answers_cross_a_pipe(value: object) -> None:
    assert crossed(value) == value


def test_the_virtual_unit_has_every_method_of_the_port() -> None:
    port = {name for name in vars(device.CoinUnit) if not name.startswith("_")}
    assert port <= set(vars(VirtualCoinUnit))
