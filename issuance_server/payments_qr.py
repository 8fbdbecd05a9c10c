"""QR-code payments: created, captured and reverted by the server, since merchant secrets never stand in a store.

Every order to the provider carries an id of ours, made from the payment's, so that what was asked is one thing however
often it is heard. A time-out says nothing: the provider may have charged. It is resolved by asking how the payment
stands, never by charging again; what the provider does not settle in time is a case.

Shape of the provider's API: a code for an authorisation, then capture or revert, then refunds under ids of their own,
as the large Japanese providers offer it; requests are signed with the merchant's secret.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import quote

import httpx
import msgspec

ID_MAX: Final = 64
TIMEOUT_S: Final = 10.0
ASK_TRIES: Final = 5
ASK_PAUSE_S: Final = 1.0
AUTHORIZATION: Final = "Authorization"
_ID = Annotated[str, msgspec.Meta(min_length=1, max_length=ID_MAX)]


class QrState(StrEnum):
    """How a payment stands at the provider; the words are the provider's but for NONE."""

    NONE = "NONE"  # it never heard of it
    CREATED = "CREATED"  # the code is out, nobody has agreed yet
    AUTHORIZED = "AUTHORIZED"
    CAPTURED = "COMPLETED"
    REVERTED = "CANCELED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


#: Nothing is charged in these, and nothing will be.
FREE: Final = frozenset({QrState.NONE, QrState.REVERTED, QrState.EXPIRED, QrState.FAILED})


class QrStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The provider's word on one payment. amount_yen: asked for; captured_yen: what stays of it."""

    merchant_payment_id: _ID
    status: QrState
    amount_yen: int = 0
    captured_yen: int = 0
    code_url: str = ""


class QrError(Exception):
    """The provider could not be asked or has refused; nothing was charged by what was asked."""


class QrRefused(QrError):
    """The provider said no: `code` is its word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class QrUnreachable(QrError):
    """The provider does not answer a question; asking again moves nothing."""


class QrOutcomeUnknown(Exception):
    """An order was sent, and the provider does not say what became of it: a case. Ask `status`, do not order again."""


@dataclass(frozen=True, slots=True)
class Merchant:
    """What the provider knows us by."""

    key_id: str
    secret: bytes


class QrPayments:
    """The provider of one operator. payment_id is at most 64 characters and names one payment for ever."""

    def __init__(
        self,
        http: httpx.Client,
        merchant: Merchant,
        *,
        timeout_s: float = TIMEOUT_S,
        ask_tries: int = ASK_TRIES,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._merchant = merchant
        self._timeout_s = timeout_s
        self._ask_tries = ask_tries
        self._pause = pause

    def create(self, payment_id: str, amount_yen: int, expires_at_utc: datetime) -> QrStatus:
        """Have a code made for an authorisation; the same again gives the same code.

        Errors: QrRefused; QrUnreachable: a code may exist, but nobody has seen it.
        """
        body = {"merchantPaymentId": payment_id, "amountYen": amount_yen, "expiresAt": expires_at_utc.isoformat()}
        try:
            return _status(self._send("POST", "/v2/codes", body))
        except httpx.HTTPError:
            return self._sure(payment_id, amount_yen)

    def status(self, payment_id: str) -> QrStatus:
        """Ask how a payment stands. Errors: QrUnreachable, QrRefused."""
        for tries_left in reversed(range(self._ask_tries)):
            try:
                return _status(self._send("GET", f"/v2/payments/{quote(payment_id, safe='')}", None))
            except httpx.HTTPError as error:
                if not tries_left:
                    raise QrUnreachable(f"payment {payment_id}: {type(error).__name__}") from error
                self._pause(ASK_PAUSE_S)
            except QrRefused as error:
                if error.code != "PAYMENT_NOT_FOUND":
                    raise
                return QrStatus(merchant_payment_id=payment_id, status=QrState.NONE)
        raise AssertionError("the last try returns or raises")

    def capture(self, payment_id: str, capture_yen: int) -> QrStatus:
        """Charge so much of what was authorised, once; the rest is let go.

        Errors: QrRefused: not charged; QrOutcomeUnknown.
        """
        body = {"merchantCaptureId": _derived(payment_id, "capture"), "amountYen": capture_yen}
        done = self._order(payment_id, "capture", body, lambda state: state is QrState.CAPTURED)
        if done.captured_yen != capture_yen:
            raise QrOutcomeUnknown(f"payment {payment_id}: {done.captured_yen} yen captured instead of {capture_yen}")
        return done

    def revert(self, payment_id: str) -> QrStatus:
        """Let an authorisation go, or end a code that nobody agreed to. What is free already is an answer.

        Errors: QrRefused if it was captured; QrOutcomeUnknown.
        """
        body = {"merchantRevertId": _derived(payment_id, "revert")}
        try:
            return self._order(payment_id, "revert", body, FREE.__contains__)
        except QrRefused:
            stands = self.status(payment_id)
            if stands.status in FREE:
                return stands
            raise

    def refund(self, payment_id: str, refund_id: str, refund_yen: int) -> QrStatus:
        """Give back of what was captured; refund_id names this refund for ever.

        Errors: QrRefused; QrOutcomeUnknown.
        """
        before = self.status(payment_id)
        left_yen = before.captured_yen - refund_yen
        body = {"merchantRefundId": refund_id, "amountYen": refund_yen}
        try:
            return _status(self._send("POST", f"/v2/payments/{quote(payment_id, safe='')}/refund", body))
        except httpx.HTTPError:
            return self._settled(payment_id, lambda now: now.captured_yen == left_yen)

    def _order(
        self, payment_id: str, verb: str, body: Mapping[str, object], is_done: Callable[[QrState], bool]
    ) -> QrStatus:
        """Order once; where no answer came, ask until it is done or the time is over."""
        try:
            return _status(self._send("POST", f"/v2/payments/{quote(payment_id, safe='')}/{verb}", body))
        except httpx.HTTPError:
            return self._settled(payment_id, lambda now: is_done(now.status))

    def _settled(self, payment_id: str, is_done: Callable[[QrStatus], bool]) -> QrStatus:
        for _ in range(self._ask_tries):
            try:
                now = self.status(payment_id)
            except QrUnreachable as error:
                raise QrOutcomeUnknown(str(error)) from error
            if is_done(now):
                return now
            self._pause(ASK_PAUSE_S)  # it may still be at it
        raise QrOutcomeUnknown(f"payment {payment_id} stays {now.status}")

    def _sure(self, payment_id: str, amount_yen: int) -> QrStatus:
        now = self.status(payment_id)
        if now.status is QrState.NONE or now.amount_yen != amount_yen:
            raise QrUnreachable(f"payment {payment_id}: no code was made")
        return now

    def _send(self, method: str, path: str, body: Mapping[str, object] | None) -> bytes:
        """Send once. Errors: httpx.HTTPError where no word of the provider came back; QrRefused."""
        content = b"" if body is None else msgspec.json.encode(body)
        signed = sign(self._merchant, f"{method} {path}", content, secrets.token_hex(8), int(time.time()))
        headers = {AUTHORIZATION: signed, "Content-Type": "application/json"}
        answer = self._http.request(method, path, content=content, headers=headers, timeout=self._timeout_s)
        if answer.is_server_error:
            raise httpx.HTTPStatusError("no word", request=answer.request, response=answer)
        if answer.is_success:
            return answer.content
        raise QrRefused(_code(answer.content))


def must_revert(*, given_up: bool, state: QrState) -> bool:
    """Tell whether a payment that we gave up is to be reverted now: an authorisation may arrive after that."""
    return given_up and state in {QrState.CREATED, QrState.AUTHORIZED}


def sign(merchant: Merchant, what: str, content: bytes, nonce: str, at_epoch_s: int) -> str:
    """Return the header by which the provider knows that a request is ours, and whole; what: method and path."""
    digest = hashlib.sha256(content).hexdigest()
    text = "\n".join((what, digest, nonce, str(at_epoch_s)))
    mac = hmac.new(merchant.secret, text.encode(), hashlib.sha256).hexdigest()
    return f"hmac {merchant.key_id}:{nonce}:{at_epoch_s}:{mac}"


def _derived(payment_id: str, verb: str) -> str:
    """Return the id of the one capture or revert that a payment can have; it fits whatever the payment's length."""
    return hashlib.sha256(f"{verb}:{payment_id}".encode()).hexdigest()


def _status(content: bytes) -> QrStatus:
    try:
        return msgspec.json.decode(content, type=QrStatus)
    except msgspec.DecodeError as error:
        raise httpx.DecodingError(f"what the provider said is no status: {error}") from error


def _code(content: bytes) -> str:
    try:
        return str(msgspec.json.decode(content, type=dict[str, str]).get("code", "UNKNOWN"))
    except msgspec.DecodeError:
        return "UNKNOWN"
