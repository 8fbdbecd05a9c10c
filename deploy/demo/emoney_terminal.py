"""A simulated contract terminal for e-money, with invented cards: a process of its own that knows who was debited.

The kiosk's side and the world's side speak JSON lines over one unix socket, as the coin unit does. What lies on the
cards survives the process; which debit the terminal waits for does not, so that a cut in the middle of a touch is
処理未了 as well.

    python -m deploy.demo.emoney_terminal --socket S --cards C
"""

from __future__ import annotations

import os
import socketserver
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from deploy.demo.virtual_coins import LINE_MAX_BYTES, ask
from terminal.payment.device import BadAmount, PaymentConflict, PaymentDeviceError
from terminal.payment.emoney import WAITS, Debit, DebitEvent, DebitState, ImpossibleDebit, next_state

POLL_S: Final = 0.05


@dataclass
class Entry:
    """One debit, and what really happened to the card, which the terminal does not know."""

    amount_yen: int
    state: DebitState
    reference: str
    card: str | None = None  # the card that was touched
    really_debited: bool = False


@dataclass
class Contents:
    """Everything; brand_yen is what the brand has taken from cards and not given back."""

    balances: dict[str, int]
    brand_yen: int = 0
    debits: dict[str, Entry] = field(default_factory=dict)


class Box:
    """The terminal and its cards. Every method is one act; `keep` is called behind each that changed something."""

    def __init__(self, contents: Contents, keep: Callable[[Contents], None]) -> None:
        self._now, self._write_down = contents, keep
        self._lock = threading.Lock()
        self._waiting: str | None = None
        for entry in self._now.debits.values():
            if entry.state in {DebitState.WAITING, DebitState.CANCELLING}:  # the power was off meanwhile
                entry.state = next_state(entry.state, DebitEvent.STOPPED)
        self._keep()

    # the kiosk's side

    def ready(self) -> bool:
        """See the port."""
        return self._waiting is None

    def debit(self, payment_id: str, amount_yen: int) -> Debit:
        """See the port."""
        with self._lock:
            if amount_yen <= 0:
                raise BadAmount(f"amount_yen {amount_yen} must be above 0")
            entry = self._now.debits.get(payment_id)
            if entry is not None:
                if entry.amount_yen != amount_yen:
                    raise PaymentConflict(f"payment {payment_id} is for {entry.amount_yen} yen")
                return self._told(payment_id)
            if self._waiting is not None:
                raise PaymentConflict(f"payment {self._waiting} is waited for")
            number = f"{len(self._now.debits) + 1:06d}"
            state = next_state(DebitState.UNKNOWN, DebitEvent.ASKED)
            self._now.debits[payment_id] = Entry(amount_yen, state, number)
            self._waiting = payment_id
            return self._keep(payment_id)

    def stop(self, payment_id: str) -> Debit:
        """See the port."""
        with self._lock:
            self._step(payment_id, DebitEvent.STOPPED)
            if self._waiting == payment_id:
                self._waiting = None
            return self._keep(payment_id)

    def cancel(self, payment_id: str) -> Debit:
        """See the port."""
        with self._lock:
            if self._waiting is not None:
                raise PaymentConflict(f"payment {self._waiting} is waited for")
            self._step(payment_id, DebitEvent.CANCEL_ASKED)
            self._waiting = payment_id
            return self._keep(payment_id)

    def status(self, payment_id: str) -> Debit:
        """See the port."""
        with self._lock:
            return self._told(payment_id)

    # the world's side

    def touch(self, card: str, leaves: str | None = None) -> bool:
        """Hold a card to the terminal; leaves: "before" or "after" it was written. False = nothing came of it."""
        with self._lock:
            payment_id = self._waiting
            if payment_id is None or card not in self._now.balances:
                return False
            entry = self._now.debits[payment_id]
            if entry.card not in {None, card}:
                return False  # only the same card can tell
            self._touch(payment_id, entry, card, leaves)
            if entry.state not in {DebitState.WAITING, DebitState.UNPROCESSED, DebitState.CANCELLING}:
                self._waiting = None
            self._keep()
            return True

    def clear(self, payment_id: str) -> Debit:
        """The brand's clearing, days later."""
        with self._lock:
            debited = self._now.debits[payment_id].really_debited
            if self._waiting == payment_id:  # it is decided: that card is not waited for any more
                self._waiting = None
            self._step(payment_id, DebitEvent.CLEARED_DEBITED if debited else DebitEvent.CLEARED_NOT_DEBITED)
            return self._keep(payment_id)

    def balances(self) -> dict[str, int]:
        """Return what is on the cards, and under "brand" what was taken from them."""
        return {**self._now.balances, "brand": self._now.brand_yen}

    # inside the lock

    def _touch(self, payment_id: str, entry: Entry, card: str, leaves: str | None) -> None:
        entry.card = card
        if entry.state is DebitState.CANCELLING:  # a give-back is one write: it is whole, or it is not
            if leaves is None:
                self._write(entry, card, entry.amount_yen)
        elif leaves != "before" and not entry.really_debited:
            if self._now.balances[card] < entry.amount_yen:
                self._step(payment_id, DebitEvent.REFUSED)
                return
            self._write(entry, card, -entry.amount_yen)
        self._step(payment_id, DebitEvent.TOUCHED if leaves is None else DebitEvent.CARD_LOST)

    def _write(self, entry: Entry, card: str, change_yen: int) -> None:
        self._now.balances[card] += change_yen
        self._now.brand_yen -= change_yen
        entry.really_debited = change_yen < 0

    def _step(self, payment_id: str, event: DebitEvent) -> None:
        entry = self._now.debits.get(payment_id)
        if entry is None:
            raise PaymentConflict(f"there is no payment {payment_id}")
        try:
            entry.state = next_state(entry.state, event)
        except ImpossibleDebit as error:
            raise PaymentConflict(f"payment {payment_id}: {error}") from error

    def _told(self, payment_id: str) -> Debit:
        entry = self._now.debits.get(payment_id)
        if entry is None:
            return Debit(payment_id, 0, DebitState.UNKNOWN, "")
        return Debit(payment_id, entry.amount_yen, entry.state, entry.reference)

    def _keep(self, payment_id: str = "") -> Debit:
        self._write_down(self._now)
        return self._told(payment_id)


def open_box(path: Path, balances: dict[str, int]) -> Box:
    """Return the terminal whose cards stand in a file, or new ones."""
    contents = Contents(dict(balances))
    if path.exists():
        contents = msgspec.json.decode(path.read_bytes(), type=Contents)
    return Box(contents, lambda now: _keep(path, now))


def _keep(path: Path, contents: Contents) -> None:
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.encode(contents))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


OPERATIONS = frozenset(name for name in vars(Box) if not name.startswith("_"))


class _Handler(socketserver.StreamRequestHandler):
    server: EmoneyServer
    timeout = 10.0

    def handle(self) -> None:
        request = msgspec.json.decode(self.rfile.readline(LINE_MAX_BYTES), type=dict[str, Any])
        operation = request.pop("op")
        self.wfile.write(msgspec.json.encode(self._answer(operation, request)) + b"\n")

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, object]:
        if operation not in OPERATIONS:
            return {"error": "PaymentDeviceError", "detail": f"there is no operation {operation!r}"}
        try:
            return {"ok": getattr(self.server.box, operation)(**request)}
        except PaymentDeviceError as error:
            return {"error": type(error).__name__, "detail": str(error)}


class EmoneyServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The terminal's process: one box behind one socket."""

    daemon_threads = True

    def __init__(self, path: Path, box: Box) -> None:
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Handler)
        path.chmod(0o600)
        self.box = box


class VirtualEmoney:
    """The kiosk's side: implements `terminal.payment.emoney.EmoneyTerminal`."""

    def __init__(self, path: str, _emit: Callable[[object], None] = lambda _: None) -> None:
        self._path = path

    def ready(self) -> bool:
        """See the port."""
        return bool(self._ask("ready"))

    def debit(self, payment_id: str, amount_yen: int) -> Debit:
        """See the port."""
        return msgspec.convert(self._ask("debit", payment_id=payment_id, amount_yen=amount_yen), Debit)

    def stop(self, payment_id: str) -> Debit:
        """See the port."""
        return msgspec.convert(self._ask("stop", payment_id=payment_id), Debit)

    def cancel(self, payment_id: str) -> Debit:
        """See the port."""
        return msgspec.convert(self._ask("cancel", payment_id=payment_id), Debit)

    def wait(self, payment_id: str, timeout_s: float) -> Debit:
        """See the port."""
        end_s = time.monotonic() + timeout_s
        while (said := self.status(payment_id)).state in WAITS and time.monotonic() < end_s:
            time.sleep(POLL_S)
        return said

    def status(self, payment_id: str) -> Debit:
        """See the port."""
        return msgspec.convert(self._ask("status", payment_id=payment_id), Debit)

    def close(self) -> None:
        """Nothing to let go of: each question has a connection of its own."""

    def _ask(self, operation: str, **arguments: object) -> Any:
        return ask(self._path, {"op": operation, **arguments})


class EmoneyWorld:
    """The world's side: the hand with the cards, and the brand."""

    def __init__(self, path: str) -> None:
        self._path = path

    def touch(self, card: str, leaves: str | None = None) -> bool:
        """Hold a card to the terminal; leaves: "before" or "after" it was written."""
        return bool(ask(self._path, {"op": "touch", "card": card, "leaves": leaves}))

    def clear(self, payment_id: str) -> Debit:
        """The brand's clearing tells."""
        return msgspec.convert(ask(self._path, {"op": "clear", "payment_id": payment_id}), Debit)

    def balances(self) -> dict[str, int]:
        """Return what is on the cards, and under "brand" what was taken from them."""
        return msgspec.convert(ask(self._path, {"op": "balances"}), dict[str, int])


@click.command()
@click.option("--socket", "path", required=True, type=click.Path(path_type=Path), help="Unix socket to listen on.")
@click.option("--cards", required=True, type=click.Path(path_type=Path), help="Keep cards and debits in this file.")
@click.option("--balances", default='{"card-1": 2000}', show_default=True, help="Invented cards of a new file.")
def main(path: Path, cards: Path, balances: str) -> None:
    """Run the simulated contract terminal until it is ended."""
    box = open_box(cards, msgspec.json.decode(balances, type=dict[str, int]))
    with EmoneyServer(path, box) as server:
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
