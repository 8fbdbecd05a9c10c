"""The contract terminal in a worker process of its own: its library can hang, the kiosk cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, cast

from terminal.payment.emoney import Debit, EmoneyTerminal
from terminal.payment.worker import CallableWorker

CALL_TIMEOUT_S: Final = 10.0

EmoneyFactory = Callable[..., "EmoneyService"]  # (address, emit); built inside the worker


class EmoneyService(EmoneyTerminal, Protocol):
    """What runs inside the worker."""

    def close(self) -> None:
        """Let go of the contract terminal; what it waits for stays as it is."""
        ...


class WorkerEmoney:
    """`EmoneyTerminal` over its worker. Errors of all methods: those of the port, and WorkerError."""

    def __init__(self, worker: CallableWorker) -> None:
        self._worker = worker

    def ready(self) -> bool:
        """See the port."""
        return cast(bool, self._worker.call("ready", timeout_s=CALL_TIMEOUT_S))

    def debit(self, payment_id: str, amount_yen: int) -> Debit:
        """See the port."""
        return cast(Debit, self._worker.call("debit", payment_id, amount_yen, timeout_s=CALL_TIMEOUT_S))

    def stop(self, payment_id: str) -> Debit:
        """See the port."""
        return cast(Debit, self._worker.call("stop", payment_id, timeout_s=CALL_TIMEOUT_S))

    def cancel(self, payment_id: str) -> Debit:
        """See the port."""
        return cast(Debit, self._worker.call("cancel", payment_id, timeout_s=CALL_TIMEOUT_S))

    def wait(self, payment_id: str, timeout_s: float) -> Debit:
        """See the port."""
        return cast(Debit, self._worker.call("wait", payment_id, timeout_s, timeout_s=timeout_s + CALL_TIMEOUT_S))

    def status(self, payment_id: str) -> Debit:
        """See the port."""
        return cast(Debit, self._worker.call("status", payment_id, timeout_s=CALL_TIMEOUT_S))
