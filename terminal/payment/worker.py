"""The coin unit in a worker process of its own: its line can hang, the terminal cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, cast

from terminal.payment.device import CoinUnit, Counted, DeviceCounters, PaymentStatus, UnitStatus

CALL_TIMEOUT_S: Final = 10.0
MOVEMENT_TIMEOUT_S: Final = 50.0  # hoppers pay coin by coin

CoinUnitFactory = Callable[..., CoinUnit]  # (address, emit); built inside the worker


class CallableWorker(Protocol):
    """What is needed of `terminal.workers.Worker`."""

    def call(self, method: str, *args: object, timeout_s: float) -> object:
        """Execute one method of the service."""
        ...


class WorkerCoinUnit:
    """`CoinUnit` over the payment worker. Errors of all methods: those of the port, and WorkerError."""

    def __init__(self, worker: CallableWorker) -> None:
        self._worker = worker

    def check(self) -> UnitStatus:
        """See the port."""
        return cast(UnitStatus, self._worker.call("check", timeout_s=MOVEMENT_TIMEOUT_S))  # as for the status

    def start(self, payment_id: str, due_yen: int, exact_only: bool = False) -> None:
        """See the port."""
        self._worker.call("start", payment_id, due_yen, exact_only, timeout_s=CALL_TIMEOUT_S)

    def hold(self) -> int:
        """See the port."""
        return cast(int, self._worker.call("hold", timeout_s=CALL_TIMEOUT_S))

    def capture(self, payment_id: str, capture_yen: int) -> Counted:
        """See the port."""
        return cast(Counted, self._worker.call("capture", payment_id, capture_yen, timeout_s=MOVEMENT_TIMEOUT_S))

    def give_back(self, payment_id: str) -> Counted:
        """See the port."""
        return cast(Counted, self._worker.call("give_back", payment_id, timeout_s=MOVEMENT_TIMEOUT_S))

    def pay_out(self, payout_id: str, amount_yen: int) -> Counted:
        """See the port."""
        return cast(Counted, self._worker.call("pay_out", payout_id, amount_yen, timeout_s=MOVEMENT_TIMEOUT_S))

    def status(self, payment_id: str) -> PaymentStatus:
        """See the port."""
        # A hopper that is still paying is waited for: its last coin belongs to the answer.
        return cast(PaymentStatus, self._worker.call("status", payment_id, timeout_s=MOVEMENT_TIMEOUT_S))

    def counters(self) -> DeviceCounters:
        """See the port."""
        return cast(DeviceCounters, self._worker.call("counters", timeout_s=CALL_TIMEOUT_S))

    def close(self) -> None:
        """Nothing to let go of here: the worker closes its unit."""
