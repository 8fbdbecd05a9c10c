"""The provider of payments by QR code and the way to it: the demo's own application, silent before or after an act."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

import httpx
import msgspec

from deploy.demo.qr_provider import KEY_ID, Provider, Troubles, create_provider
from issuance_server.payments_qr import Merchant, QrState
from tests.simulation.hub import Hub, Process

MERCHANT: Final = Merchant(KEY_ID, b"nobody else is paid in the simulation")
BY_HAND_S: Final = 300.0
_CAPTURE: Final = "/capture"
_OVER: Final = frozenset({QrState.CAPTURED, QrState.REVERTED, QrState.EXPIRED})


class Silence(StrEnum):
    """How no word comes back."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    BEFORE = "hangs before"
    AFTER = "hangs after"
    FAILS = "500 after"


class SimProvider(httpx.BaseTransport):
    """One for all servers; each asks over a client of its own."""

    def __init__(self, hub: Hub, wallets: dict[str, int]) -> None:
        self._hub = hub
        self.books = Provider(wallets, hub.now_utc)
        self._app = httpx.WSGITransport(create_provider(self.books, MERCHANT, Troubles()))
        self.silence = Silence.NONE
        self.doubt: Callable[[str], None] = lambda _: None  # told of a payment whose capture got no word back
        self.was_asked = False
        self._people = Process("provider's people")

    def client(self) -> httpx.Client:
        """Return a server's way to it."""
        return httpx.Client(transport=self, base_url="https://provider.invalid", trust_env=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.was_asked = True
        self._hub.sleep(0.02 + self._hub.random.random() * 0.1)
        how, path = self.silence, request.url.path
        if how is not Silence.NONE and path.endswith(_CAPTURE):
            payment_id = path.removesuffix(_CAPTURE).rpartition("/")[2]
            self.doubt(payment_id)
            amount_yen = msgspec.json.decode(request.read())["amountYen"]
            self._hub.at(self._people, BY_HAND_S, self._end_by_hand, payment_id, amount_yen)
        if how is Silence.UNREACHABLE:
            raise httpx.ConnectError("refused", request=request)
        if how is Silence.BEFORE:
            self._hang(request)
        answer = self._app.handle_request(request)
        if how is Silence.AFTER:
            self._hang(request)
        return httpx.Response(500) if how is Silence.FAILS else answer

    def _hang(self, request: httpx.Request) -> None:
        self._hub.sleep(request.extensions["timeout"]["read"])
        raise httpx.ReadTimeout("no answer", request=request)

    def _end_by_hand(self, payment_id: str, amount_yen: int) -> None:
        """Somebody at the provider finds what was never ended; the server does not order twice."""
        if self.books.find(payment_id).state is not QrState.AUTHORIZED:
            return
        if self._hub.random.random() < 0.7:
            self.books.capture(payment_id, "by hand", amount_yen)
        else:
            self.books.revert(payment_id, "by hand")

    def scan(self, code_url: str, wallet: str) -> None:
        """Somebody holds a phone before a screen and agrees."""
        self.books.scan(code_url.rpartition("/")[2], wallet)

    @property
    def over(self) -> bool:
        """Whether nothing is held or can be agreed to any more."""
        return all(self.books.find(one).state in _OVER for one in self.books.payments)
