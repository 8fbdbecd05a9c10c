"""A simulated provider of QR-code payments: wallets of invented people, and a merchant who is paid from them.

It answers the server over HTTP as a real one would, checks who signs, and knows the truth about every yen. Told so, it
hangs before or after it has done what it was asked, or answers 500 after: the caller cannot tell these apart.
"""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, Flask, Response, abort, jsonify, request

from issuance_server.payments_qr import AUTHORIZATION, ID_MAX, Merchant, QrState, sign

SKEW_MAX_S = 60
KEY_ID: Final = "demo-merchant"
WALLET: Final = "wallet-1"
PATH_SCAN: Final = "/world/scan"
PATH_WALLET: Final = "/world/wallet"


@dataclass
class Entry:
    """One payment; held_yen is set aside in the wallet that agreed."""

    amount_yen: int
    expires_at_utc: datetime
    state: QrState = QrState.CREATED
    wallet: str = ""
    held_yen: int = 0
    captured_yen: int = 0
    orders: dict[str, int] = field(default_factory=dict)  # capture, revert and refund ids that were carried out


class Refusal(Exception):
    """The provider's own no."""


class Provider:
    """The provider's books. Every method is one act; `clock` says what time it is there."""

    def __init__(self, wallets: dict[str, int], clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.wallets = dict(wallets)
        self.merchant_yen = 0
        self.payments: dict[str, Entry] = {}
        self.charges = 0  # captures that were carried out
        self._clock = clock
        self._lock = threading.Lock()

    def create(self, payment_id: str, amount_yen: int, expires_at_utc: datetime) -> Entry:
        """Make a code, once."""
        with self._lock:
            entry = self.payments.get(payment_id)
            if entry is None:
                if not 0 < len(payment_id) <= ID_MAX or amount_yen <= 0:
                    raise Refusal("INVALID_PARAMS")
                entry = self.payments[payment_id] = Entry(amount_yen, expires_at_utc)
            if entry.amount_yen != amount_yen:
                raise Refusal("DUPLICATE_DYNAMIC_QR_REQUEST")
            return entry

    def find(self, payment_id: str) -> Entry:
        """Return a payment as it stands now."""
        with self._lock:
            return self._find(payment_id)

    def scan(self, payment_id: str, wallet: str) -> bool:
        """Somebody scans the code and agrees; False = it did not work out."""
        with self._lock:
            entry = self._find(payment_id)
            if entry.state is not QrState.CREATED or self.wallets[wallet] < entry.amount_yen:
                return False
            self.wallets[wallet] -= entry.amount_yen
            entry.state, entry.wallet, entry.held_yen = QrState.AUTHORIZED, wallet, entry.amount_yen
            return True

    def capture(self, payment_id: str, order_id: str, amount_yen: int) -> Entry:
        """Charge, once for each order id."""
        with self._lock:
            entry = self._find(payment_id)
            if entry.orders.get(order_id) == amount_yen:
                return entry
            if entry.state is not QrState.AUTHORIZED or not 0 < amount_yen <= entry.held_yen:
                raise Refusal("CAPTURE_NOT_POSSIBLE")
            self.wallets[entry.wallet] += entry.held_yen - amount_yen
            self.merchant_yen += amount_yen
            entry.state, entry.held_yen, entry.captured_yen = QrState.CAPTURED, 0, amount_yen
            entry.orders[order_id] = amount_yen
            self.charges += 1
            return entry

    def revert(self, payment_id: str, order_id: str) -> Entry:
        """Let go, once."""
        with self._lock:
            entry = self._find(payment_id)
            if entry.state not in {QrState.CREATED, QrState.AUTHORIZED}:
                if order_id in entry.orders:
                    return entry
                raise Refusal("REVERT_NOT_POSSIBLE")
            if entry.wallet:
                self.wallets[entry.wallet] += entry.held_yen
            entry.state, entry.held_yen = QrState.REVERTED, 0
            entry.orders[order_id] = 0
            return entry

    def refund(self, payment_id: str, order_id: str, amount_yen: int) -> Entry:
        """Give back, once for each refund id."""
        with self._lock:
            entry = self._find(payment_id)
            if entry.orders.get(order_id) == amount_yen:
                return entry
            if order_id in entry.orders or not 0 < amount_yen <= entry.captured_yen:
                raise Refusal("REFUND_NOT_POSSIBLE")
            self.wallets[entry.wallet] += amount_yen
            self.merchant_yen -= amount_yen
            entry.captured_yen -= amount_yen
            entry.orders[order_id] = amount_yen
            return entry

    def newest(self) -> str | None:
        """Return the code that was made last and that nobody has agreed to."""
        with self._lock:
            waiting = [payment_id for payment_id in self.payments if self._find(payment_id).state is QrState.CREATED]
        return waiting[-1] if waiting else None

    def all_yen(self) -> int:
        """Return every yen that there is: in wallets, set aside, or the merchant's."""
        return sum(self.wallets.values()) + self.merchant_yen + sum(entry.held_yen for entry in self.payments.values())

    def _find(self, payment_id: str) -> Entry:
        entry = self.payments.get(payment_id)
        if entry is None:
            raise Refusal("PAYMENT_NOT_FOUND")
        if entry.state is QrState.CREATED and self._clock() >= entry.expires_at_utc:
            entry.state = QrState.EXPIRED
        return entry


class Troubles:
    """What goes wrong with the next request of a kind; a hang ends when `let_go` is set."""

    def __init__(self) -> None:
        self._next: list[tuple[str, str]] = []
        self.let_go = threading.Event()

    def cue(self, endpoint: str, how: str) -> None:
        """how: hang before, hang after, or 500 after."""
        self._next.append((endpoint, how))

    def around(self, endpoint: str, act: Callable[[], Response]) -> Response:
        """Carry an act out with what was cued for it."""
        how = next((how for wanted, how in self._next if wanted == endpoint), "")
        if how:
            self._next.remove((endpoint, how))
        if how == "hang before":
            self.let_go.wait()
            abort(503)
        answer = act()
        if how == "hang after":
            self.let_go.wait()
        if how == "500 after":
            abort(500)
        return answer


def create_provider(provider: Provider, merchant: Merchant, troubles: Troubles) -> Flask:
    """Return the provider's API."""
    app = Flask(__name__)
    api = _Api(provider, troubles)
    app.before_request(lambda: _check_signature(merchant))
    app.register_error_handler(Refusal, _refused)
    app.add_url_rule("/v2/codes", "create", api.create, methods=["POST"])
    app.add_url_rule("/v2/payments/<payment_id>", "status", api.status)
    app.add_url_rule("/v2/payments/<payment_id>/capture", "capture", api.capture, methods=["POST"])
    app.add_url_rule("/v2/payments/<payment_id>/revert", "revert", api.revert, methods=["POST"])
    app.add_url_rule("/v2/payments/<payment_id>/refund", "refund", api.refund, methods=["POST"])
    return app


class _Api:
    """The routes; each is one act of the provider, with the trouble that was cued for it."""

    def __init__(self, provider: Provider, troubles: Troubles) -> None:
        self._provider = provider
        self._troubles = troubles

    def create(self) -> Response:
        body = _body()
        payment_id, expires_at_utc = body["merchantPaymentId"], datetime.fromisoformat(body["expiresAt"])
        return self._act(payment_id, lambda: self._provider.create(payment_id, body["amountYen"], expires_at_utc))

    def status(self, payment_id: str) -> Response:
        return self._act(payment_id, lambda: self._provider.find(payment_id))

    def capture(self, payment_id: str) -> Response:
        order_id, amount_yen = _body()["merchantCaptureId"], _body()["amountYen"]
        return self._act(payment_id, lambda: self._provider.capture(payment_id, order_id, amount_yen))

    def revert(self, payment_id: str) -> Response:
        order_id = _body()["merchantRevertId"]
        return self._act(payment_id, lambda: self._provider.revert(payment_id, order_id))

    def refund(self, payment_id: str) -> Response:
        order_id, amount_yen = _body()["merchantRefundId"], _body()["amountYen"]
        return self._act(payment_id, lambda: self._provider.refund(payment_id, order_id, amount_yen))

    def _act(self, payment_id: str, act: Callable[[], Entry]) -> Response:
        return self._troubles.around(str(request.endpoint), lambda: _told(payment_id, act()))


def _check_signature(merchant: Merchant) -> tuple[Response, int] | None:
    if request.path in {PATH_SCAN, PATH_WALLET}:
        return None  # no merchant's: the phone's
    header = request.headers.get(AUTHORIZATION, "")
    parts = header.partition(" ")[2].split(":")
    if len(parts) != 4 or not parts[2].isdigit() or abs(time.time() - int(parts[2])) > SKEW_MAX_S:
        return jsonify(code="UNAUTHORIZED"), 401
    what = f"{request.method} {request.path}"
    expected = sign(merchant, what, request.get_data(), parts[1], int(parts[2]))
    return None if hmac.compare_digest(expected, header) else (jsonify(code="UNAUTHORIZED"), 401)


def _refused(refusal: Refusal) -> tuple[Response, int]:
    return jsonify(code=str(refusal)), 404 if str(refusal) == "PAYMENT_NOT_FOUND" else 400


def _body() -> dict[str, Any]:
    body: dict[str, Any] = request.get_json()
    return body


def _told(payment_id: str, entry: Entry) -> Response:
    return jsonify(
        merchantPaymentId=payment_id,
        status=entry.state,
        amountYen=entry.amount_yen,
        capturedYen=entry.captured_yen,
        codeUrl=f"https://pay.example/{payment_id}",
    )


def world(provider: Provider) -> Blueprint:
    """Return the routes of the hand with the phone; only who sees the screen can read a code from it."""
    routes = Blueprint("world", __name__)

    def scan() -> Response:
        payment_id = provider.newest()
        return jsonify(scanned=payment_id is not None and provider.scan(payment_id, WALLET))

    routes.add_url_rule(PATH_SCAN, "scan", scan, methods=["POST"])
    routes.add_url_rule(PATH_WALLET, "wallet", lambda: jsonify(yen=provider.wallets[WALLET]))
    return routes
