"""The terminal's client: what it sends is signed, what it retries is bounded, what it is told is typed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol import codec
from protocol.errors import ErrorCode
from protocol.messages import (
    PATH_EVENTS,
    PREPARED_HEADER,
    AuthenticateRequest,
    ChallengeAnswer,
    ErrorAnswer,
    Event,
    EventKind,
    EventsAnswer,
    GrantAnswer,
    GrantRequest,
    PaymentMethod,
    PreparedOrder,
    PrepareRequest,
    Scope,
)
from protocol.signing import RequestSigner, sign_event, verify_request
from terminal.client import ATTEMPTS, NetworkDown, ServerClient, ServerRefused

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ID = "a" * 32
KEY = Ed25519PrivateKey.generate()
CHALLENGE = ChallengeAnswer(challenge=b"c", expires_at_utc=NOW)
AUTHENTICATE = AuthenticateRequest(visit_id=ID, challenge=b"c", certificate=b"d", signature=b"s")
PREPARE = PrepareRequest(
    session_id="s",
    order_id=ID,
    municipality_code="990001",
    kind="residence",
    scope=Scope.SELF,
    members=(),
    items=(),
    fiscal_year=None,
    binding=b"b" * 32,
)
PREPARED = PreparedOrder(
    order_id=ID,
    municipality_code="990001",
    municipality_name="見本市",
    kind="residence",
    title="住民票の写し",
    masked_names=("山● 太●",),
    items=(),
    fiscal_year=None,
    issue_number="1",
    sheets=1,
    fee_yen=200,
    pdf_sha256=hashlib.sha256(b"%PDF").digest(),
    expires_at_utc=NOW,
)
Say = Callable[[httpx.Request], httpx.Response]


class Wire:
    """What lies between: gives the answers in turn (an exception is a fault on the way), and keeps what was sent."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[httpx.Request] = []
        self.pauses_s: list[float] = []
        transport = httpx.MockTransport(self.answer)
        signer = RequestSigner("terminal-1", KEY)
        self.client = ServerClient(
            "https://issuing.example", signer, transport=transport, now_utc=lambda: NOW, pause=self.pauses_s.append
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok(message: ChallengeAnswer | EventsAnswer | GrantAnswer) -> httpx.Response:
    return httpx.Response(200, content=codec.encode(message), headers={"Content-Type": "application/json"})


def paper(body: bytes = b"%PDF", content_type: str = "application/pdf", header: str | None = None) -> httpx.Response:
    value = codec.to_header(PREPARED) if header is None else header
    return httpx.Response(200, content=body, headers={"Content-Type": content_type, PREPARED_HEADER: value})


def refusal(code: str, *, retryable: bool, status: int = 403) -> httpx.Response:
    return httpx.Response(status, content=codec.encode(ErrorAnswer(code=code, detail="why", retryable=retryable)))


def test_every_request_is_signed_by_this_terminal() -> None:
    wire = Wire(ok(CHALLENGE))
    assert wire.client.challenge(ID) == CHALLENGE
    request = wire.sent[0]
    who = verify_request(
        request.method,
        str(request.url),
        request.headers,
        request.content,
        resolve_key=lambda _: KEY.public_key(),
        now_utc=NOW,
    )
    assert who == "terminal-1"


def test_a_lost_answer_is_asked_for_again_under_the_same_order_id() -> None:
    wire = Wire(httpx.ReadTimeout("cue"), httpx.ConnectError("cue"), paper())
    answer = wire.client.prepare(PREPARE)
    assert (answer.prepared, answer.pdf) == (PREPARED, b"%PDF")
    assert len({request.content for request in wire.sent}) == 1
    assert wire.pauses_s == [0.3, 0.6]


def test_retries_are_bounded() -> None:
    wire = Wire(*[httpx.ReadTimeout("cue")] * 9)
    with pytest.raises(NetworkDown):
        wire.client.challenge(ID)
    assert len(wire.sent) == ATTEMPTS


def test_an_authentication_is_sent_once() -> None:
    wire = Wire(httpx.ReadTimeout("the challenge may be used up"))
    with pytest.raises(NetworkDown):
        wire.client.authenticate(AUTHENTICATE)
    assert len(wire.sent) == 1


def test_a_refusal_is_typed_and_not_repeated() -> None:
    wire = Wire(refusal(ErrorCode.NOT_ISSUABLE_HERE, retryable=False))
    with pytest.raises(ServerRefused) as raised:
        wire.client.prepare(PREPARE)
    assert (raised.value.code, len(wire.sent)) == (ErrorCode.NOT_ISSUABLE_HERE, 1)


def test_what_is_still_in_flight_is_asked_for_again() -> None:
    wire = Wire(refusal(ErrorCode.ORDER_IN_FLIGHT, retryable=True, status=409), paper())
    assert wire.client.prepare(PREPARE).prepared == PREPARED


def test_a_code_that_this_build_does_not_know_is_still_a_refusal() -> None:
    wire = Wire(refusal("SOMETHING_NEW", retryable=False))
    with pytest.raises(ServerRefused) as raised:
        wire.client.challenge(ID)
    assert raised.value.code == "SOMETHING_NEW"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, content=b"<html>bad gateway</html>"),
        httpx.Response(200, content=b'{"challenge":"Yw=="}'),
        httpx.Response(200, content=b"not json"),
        httpx.Response(302, headers={"Location": "https://elsewhere.example"}),
    ],
)
def test_what_is_not_the_servers_answer_is_the_networks_fault(answer: httpx.Response) -> None:
    wire = Wire(*[answer] * ATTEMPTS)
    with pytest.raises(NetworkDown):
        wire.client.challenge(ID)
    assert {request.url.host for request in wire.sent} == {"issuing.example"}


@pytest.mark.parametrize(
    "answer",
    [paper(content_type="text/html"), paper(header="!"), paper(header="e30"), httpx.Response(200, content=b"%PDF")],
)
def test_a_paper_without_its_description_is_none(answer: httpx.Response) -> None:
    with pytest.raises(NetworkDown):
        Wire(answer).client.prepare(PREPARE)


def test_grant_and_events_have_their_own_paths() -> None:
    grant = GrantAnswer(grant=b"g", signature=b"s")
    wire = Wire(ok(grant), ok(EventsAnswer(accepted_through=1)))
    request = GrantRequest(
        session_id="s", payment_id=ID, method=PaymentMethod.CASH, reserved_yen=200, allocated_yen=200
    )
    event = Event(sequence=1, at_utc=NOW, kind=EventKind.FAILED, order_id=ID)
    assert wire.client.grant(ID, request) == grant
    assert wire.client.send_events((sign_event(event, KEY),)) == EventsAnswer(accepted_through=1)
    assert [request.url.path for request in wire.sent] == [f"/v1/orders/{ID}/grant", PATH_EVENTS]
