"""The issuing server as the terminal sees it: five signed requests, each bounded in time, retried only here.

What may be sent again: a challenge (it holds no state), an order under its id (the same id gives the same bytes), a
grant and a claim of a refund (the stored answer is given again) and events (what is known is accepted again). An
authentication may not: a lost answer has used the challenge up. Every attempt is signed afresh, since a signature is
good for 60 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import httpx
import msgspec

from protocol import codec
from protocol.errors import IssueError
from protocol.messages import (
    PATH_AUTHENTICATE,
    PATH_BOOT,
    PATH_CHALLENGE,
    PATH_CODE_STATUS,
    PATH_CODES,
    PATH_EVENTS,
    PATH_ORDERS,
    PATH_REFUNDS,
    PREPARED_HEADER,
    AuthenticateAnswer,
    AuthenticateRequest,
    BootAnswer,
    BootRequest,
    ChallengeAnswer,
    ChallengeRequest,
    CodeAnswer,
    CodeQuestion,
    CodeRequest,
    CodeStatus,
    ErrorAnswer,
    EventsAnswer,
    EventsRequest,
    GrantAnswer,
    GrantRequest,
    Message,
    PreparedOrder,
    PrepareRequest,
    RefundAnswer,
    RefundClaim,
    SignedEvent,
    grant_path,
)
from protocol.signing import CONTENT_TYPE, RequestSigner

ATTEMPTS: Final = 3
PAUSE_S: Final = 0.3  # before the second attempt; twice as long before the third
TIMEOUT: Final = httpx.Timeout(8.0, connect=3.0)
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
PDF_TYPE: Final = "application/pdf"

Answer = TypeVar("Answer", bound=Message)


class NetworkDown(Exception):
    """No answer came, or none that is the server's. What was asked may have been done."""


class ServerRefused(Exception):
    """The server said no; code is an ErrorCode's name, or one that this build does not know yet."""

    def __init__(self, code: str, detail: str, retryable: bool) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Paper:
    """One prepared order and the very bytes that may be printed for it."""

    prepared: PreparedOrder
    pdf: bytes


class ServerClient:
    """The server's API over kept connections; its methods may be called from several threads.

    Shape:  base_url without a path, e.g. "https://issuing.example".
    Errors of all methods: NetworkDown, ServerRefused.
    """

    def __init__(
        self,
        base_url: str,
        signer: RequestSigner,
        *,
        transport: httpx.BaseTransport | None = None,
        now_utc: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._signer = signer
        self._now_utc = now_utc
        self._pause = pause
        # No proxy or .netrc from the environment: a terminal talks to its server and to nobody else.
        self._http = httpx.Client(base_url=base_url, timeout=TIMEOUT, transport=transport, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def challenge(self, visit_id: str) -> ChallengeAnswer:
        """Ask for a challenge for one visit."""
        return self._ask(PATH_CHALLENGE, ChallengeRequest(visit_id=visit_id), ChallengeAnswer)

    def authenticate(self, request: AuthenticateRequest) -> AuthenticateAnswer:
        """Show the card's certificate and signature; sent once, since the challenge is good once."""
        return self._ask(PATH_AUTHENTICATE, request, AuthenticateAnswer, attempts=1)

    def prepare(self, request: PrepareRequest) -> Paper:
        """Have one order prepared; again under the same order id after a lost answer."""
        response = self._post(PATH_ORDERS, request, ATTEMPTS)
        if response.headers.get("content-type", "").partition(";")[0] != PDF_TYPE:
            raise NetworkDown("the answer to prepare is no PDF")
        header = response.headers.get(PREPARED_HEADER)
        if header is None:
            raise NetworkDown(f"the answer to prepare has no {PREPARED_HEADER}")
        try:
            return Paper(codec.from_header(header), response.content)
        except IssueError as error:
            raise NetworkDown(f"{PREPARED_HEADER}: {error.detail}") from error

    def grant(self, order_id: str, request: GrantRequest) -> GrantAnswer:
        """Ask for the grant to print one order."""
        return self._ask(grant_path(order_id), request, GrantAnswer)

    def show_code(self, request: CodeRequest) -> CodeAnswer:
        """Have a code made that a resident pays by; again under the same payment id after a lost answer."""
        return self._ask(PATH_CODES, request, CodeAnswer)

    def look_at_code(self, payment_id: str) -> CodeStatus:
        """Ask whether somebody has agreed to pay; this moves nothing."""
        return self._ask(PATH_CODE_STATUS, CodeQuestion(payment_id=payment_id), CodeStatus, attempts=1)

    def claim_refund(self, request: RefundClaim) -> RefundAnswer:
        """Claim a refund; again under the same claim id after a lost answer."""
        return self._ask(PATH_REFUNDS, request, RefundAnswer)

    def boot(self, request: BootRequest) -> BootAnswer:
        """Say that this terminal began, and with which journal; the same again is answered again."""
        return self._ask(PATH_BOOT, request, BootAnswer)

    def send_events(self, events: tuple[SignedEvent, ...]) -> EventsAnswer:
        """Hand over numbered events, in order."""
        return self._ask(PATH_EVENTS, EventsRequest(events=events), EventsAnswer)

    def _ask(self, path: str, request: Message, answer_type: type[Answer], attempts: int = ATTEMPTS) -> Answer:
        response = self._post(path, request, attempts)
        try:
            return codec.decode(answer_type, response.content)
        except IssueError as error:
            raise NetworkDown(f"{path}: {error.detail}") from error

    def _post(self, path: str, request: Message, attempts: int) -> httpx.Response:
        """Send until answered, at most `attempts` times; a refusal that cannot change is not asked again."""
        body = codec.encode(request)
        for attempt in range(1, attempts + 1):
            try:
                return self._send(path, body)
            except NetworkDown:
                if attempt == attempts:
                    raise
            except ServerRefused as error:
                if attempt == attempts or not error.retryable:
                    raise
            self._pause(PAUSE_S * 2 ** (attempt - 1))
        raise AssertionError("attempts is at least 1")

    def _send(self, path: str, body: bytes) -> httpx.Response:
        url = str(self._http.base_url.join(path))
        headers = self._signer.headers("POST", url, body, CONTENT_TYPE, self._now_utc())
        try:
            response = self._http.post(path, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise NetworkDown(f"{path}: {type(error).__name__}") from error
        if len(response.content) > MAX_ANSWER_BYTES:
            raise NetworkDown(f"{path}: the answer is larger than {MAX_ANSWER_BYTES} bytes")
        if response.status_code == httpx.codes.OK:
            return response
        raise read_refusal(path, response)


def read_refusal(path: str, response: httpx.Response) -> Exception:
    """An error of the server's own making names its code; anything else (a proxy's page) is the network's."""
    try:
        answer = msgspec.json.decode(response.content, type=ErrorAnswer)
    except msgspec.DecodeError:
        return NetworkDown(f"{path}: status {response.status_code} without an answer of the server's")
    return ServerRefused(answer.code, answer.detail, answer.retryable)
