"""A virtual coin and note unit: a process of its own, so that money outlives the terminal, as in a real machine.

The machine itself is `coin_box.CoinBox`. It is reached by JSON lines over a unix socket, one request a connection.
`VirtualCoinUnit` is the terminal's side and implements the payment port; `CoinWorld` is the world's side: whoever puts
coins in and takes them out of the cup.

    python -m deploy.demo.virtual_coins --socket S [--float '{"100": 50}'] [--state F]
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from deploy.demo.coin_box import FLOAT, CoinBox, Contents, Totals
from terminal.payment import device
from terminal.payment.change import Coins
from terminal.payment.device import (
    DENOMINATIONS_YEN,
    Counted,
    DeviceCounters,
    DeviceGone,
    MoneyCounted,
    MoneyOutcomeUnknown,
    PaymentDeviceError,
    PaymentStatus,
    UnitStatus,
)

ANSWER_TIMEOUT_S = 5.0
RECONNECT_S = 0.2
ALIVE_S = 1.0  # an empty line on every event stream, so that a dead peer is noticed
LINE_MAX_BYTES = 65_536


# the process


class _Streams:
    """The event streams that are open now."""

    def __init__(self) -> None:
        self._queues: set[queue.SimpleQueue[MoneyCounted]] = set()
        self._lock = threading.Lock()

    def tell(self, event: MoneyCounted) -> None:
        with self._lock:
            for stream in self._queues:
                stream.put(event)

    @contextlib.contextmanager
    def opened(self) -> Any:
        stream: queue.SimpleQueue[MoneyCounted] = queue.SimpleQueue()
        with self._lock:
            self._queues.add(stream)
        try:
            yield stream
        finally:
            with self._lock:
                self._queues.discard(stream)


OPERATIONS = frozenset(
    {"check", "start", "hold", "capture", "give_back", "pay_out", "status", "counters"}
    | {"insert", "take_cup", "totals", "jam"}
)


class _Handler(socketserver.StreamRequestHandler):
    server: CoinServer
    timeout = 60.0

    def handle(self) -> None:
        request = msgspec.json.decode(self.rfile.readline(LINE_MAX_BYTES), type=dict[str, Any])
        operation = request.pop("op")
        if operation == "events":
            with contextlib.suppress(OSError):  # the listener went away
                self._stream()
            return
        if operation not in OPERATIONS:
            self._answer({"error": "PaymentDeviceError", "detail": f"there is no operation {operation!r}"})
            return
        try:
            self._answer({"ok": getattr(self.server.box, operation)(**request)})
        except PaymentDeviceError as error:
            self._answer({"error": type(error).__name__, "detail": str(error)})

    def _answer(self, answer: dict[str, object]) -> None:
        self.wfile.write(msgspec.json.encode(answer) + b"\n")

    def _stream(self) -> None:
        with self.server.streams.opened() as stream:
            first = self.server.box.active()
            if first is not None:
                self.wfile.write(msgspec.json.encode(first) + b"\n")
            while True:
                try:
                    line = msgspec.json.encode(stream.get(timeout=ALIVE_S))
                except queue.Empty:
                    line = b""
                self.wfile.write(line + b"\n")


class CoinServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The unit's process: one box behind one socket."""

    daemon_threads = True

    def __init__(self, path: Path, float_: Coins, state: Path | None = None) -> None:
        path.unlink(missing_ok=True)
        super().__init__(str(path), _Handler)
        path.chmod(0o600)
        self.streams = _Streams()
        contents = Contents(hoppers=dict(float_))
        if state is not None and state.exists():
            contents = msgspec.json.decode(state.read_bytes(), type=Contents)
        self.box = CoinBox(contents, lambda now: _keep(state, now), self.streams.tell)


def _keep(state: Path | None, contents: Contents) -> None:
    if state is None:
        return
    fresh = state.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(contents))
    os.replace(fresh, state)


# the two sides' clients


def ask(path: str, request: dict[str, object], *, moves: bool = False) -> Any:
    """Send one request and return the answer's value; raise its typed error.

    Errors: DeviceGone; for a movement MoneyOutcomeUnknown from the moment on at which the unit may have heard of it.
    """
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(ANSWER_TIMEOUT_S)
        try:
            wire.connect(path)
        except OSError as error:
            raise DeviceGone(f"the coin unit does not answer: {error.strerror}") from error
        try:
            wire.sendall(msgspec.json.encode(request) + b"\n")
            with wire.makefile("rb") as lines:
                answer = msgspec.json.decode(lines.readline(LINE_MAX_BYTES), type=dict[str, Any])
        except (OSError, msgspec.DecodeError) as error:
            lost = MoneyOutcomeUnknown if moves else DeviceGone
            raise lost(f"no answer to {request['op']}: {error}") from error
    if "error" in answer:
        raise _ERRORS.get(answer["error"], PaymentDeviceError)(answer["detail"])
    return answer["ok"]


_ERRORS: dict[str, type[PaymentDeviceError]] = {
    kind.__name__: kind
    for kind in vars(device).values()
    if isinstance(kind, type) and issubclass(kind, PaymentDeviceError)
}


class VirtualCoinUnit:
    """The terminal's side: implements `terminal.payment.device.CoinUnit`."""

    def __init__(self, path: str, emit: Callable[[MoneyCounted], None]) -> None:
        self._path = path
        self._emit = emit
        self._closed = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="coin-events", daemon=True)
        self._listener.start()

    def check(self) -> UnitStatus:
        """See the port."""
        return msgspec.convert(ask(self._path, {"op": "check"}), UnitStatus)

    def start(self, payment_id: str, due_yen: int, exact_only: bool = False) -> None:
        """See the port."""
        ask(self._path, {"op": "start", "payment_id": payment_id, "due_yen": due_yen, "exact_only": exact_only})

    def hold(self) -> int:
        """See the port."""
        return int(ask(self._path, {"op": "hold"}))

    def capture(self, payment_id: str, capture_yen: int) -> Counted:
        """See the port."""
        request: dict[str, object] = {"op": "capture", "payment_id": payment_id, "capture_yen": capture_yen}
        return msgspec.convert(ask(self._path, request, moves=True), Counted)

    def give_back(self, payment_id: str) -> Counted:
        """See the port."""
        return msgspec.convert(ask(self._path, {"op": "give_back", "payment_id": payment_id}, moves=True), Counted)

    def pay_out(self, payout_id: str, amount_yen: int) -> Counted:
        """See the port."""
        request: dict[str, object] = {"op": "pay_out", "payout_id": payout_id, "amount_yen": amount_yen}
        return msgspec.convert(ask(self._path, request, moves=True), Counted)

    def status(self, payment_id: str) -> PaymentStatus:
        """See the port."""
        return msgspec.convert(ask(self._path, {"op": "status", "payment_id": payment_id}), PaymentStatus)

    def counters(self) -> DeviceCounters:
        """See the port."""
        return msgspec.convert(ask(self._path, {"op": "counters"}), DeviceCounters)

    def close(self) -> None:
        """See the port."""
        self._closed.set()
        self._listener.join(2 * ALIVE_S + ANSWER_TIMEOUT_S)

    def _listen(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(OSError, msgspec.DecodeError), socket.socket(socket.AF_UNIX) as wire:
                wire.settimeout(ANSWER_TIMEOUT_S)
                wire.connect(self._path)
                wire.sendall(b'{"op":"events"}\n')
                with wire.makefile("rb") as lines:
                    self._follow(lines)
            self._closed.wait(RECONNECT_S)

    def _follow(self, lines: Any) -> None:
        while line := lines.readline(LINE_MAX_BYTES):
            if self._closed.is_set():
                return
            if line.strip():
                self._emit(msgspec.json.decode(line, type=MoneyCounted))


class CoinWorld:
    """The world's side: the hand that puts coins in and takes them out of the return cup."""

    def __init__(self, path: str) -> None:
        self._path = path

    def insert(self, coin_yen: int) -> bool:
        """Put one coin or note in; False = it fell through into the return cup.

        Errors: BadAmount for what is no coin here, DeviceGone.
        """
        return bool(ask(self._path, {"op": "insert", "coin_yen": coin_yen}))

    def take_cup(self) -> Coins:
        """Take what lies in the return cup: count by denomination."""
        return msgspec.convert(ask(self._path, {"op": "take_cup"}), Coins, strict=False)

    def totals(self) -> Totals:
        """Return everything that the unit counted."""
        return msgspec.convert(ask(self._path, {"op": "totals"}), Totals, strict=False)

    def jam(self, *, jammed: bool) -> None:
        """Jam the hoppers, or clear them."""
        ask(self._path, {"op": "jam", "jammed": jammed})


@click.command()
@click.option("--socket", "path", required=True, type=click.Path(path_type=Path), help="Unix socket to listen on.")
@click.option("--float", "float_json", default=None, help='Coins in the hoppers, as {"100": 50, ...}.')
@click.option("--state", default=None, type=click.Path(path_type=Path), help="Keep the contents in this file.")
def main(path: Path, float_json: str | None, state: Path | None) -> None:
    """Run the virtual coin unit until it is ended."""
    float_ = FLOAT if float_json is None else msgspec.json.decode(float_json, type=Coins, strict=False)
    if unknown := set(float_) - set(DENOMINATIONS_YEN):
        raise click.BadParameter(f"no such denominations: {sorted(unknown)}", param_hint="--float")
    with CoinServer(path, float_, state) as server:
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
