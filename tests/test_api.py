"""The routes: the five requests of a visit, and each refusal by its code. The issuance cycle behind them is a fake."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from deploy import migrations
from issuance_server import events
from issuance_server.api import Services
from issuance_server.app import MAX_BODY_BYTES, PerProcess, build, create_app
from issuance_server.card_auth import AnchorsError
from issuance_server.config import ServerConfig
from issuance_server.database import SchemaMismatch, open_engine, write
from issuance_server.keys import Keys
from issuance_server.register.store import Link, RegisterStore
from issuance_server.sessions import SESSION_LIFETIME_S, Caller
from issuance_server.terminals import Terminals, enrol, stop
from issuance_server.vault import Vault
from protocol import codec, grant, messages
from protocol.errors import TABLE, ErrorCode, IssueError
from protocol.messages import (
    AuthenticateAnswer,
    AuthenticateRequest,
    ChallengeAnswer,
    ChallengeRequest,
    ErrorAnswer,
    Event,
    EventKind,
    EventsAnswer,
    EventsRequest,
    GrantAnswer,
    GrantRequest,
    Message,
    Offer,
    PaymentMethod,
    PreparedOrder,
    PrepareRequest,
    Scope,
    SignedEvent,
)
from protocol.signing import CONTENT_TYPE, RequestSigner, key_thumbprint, sign_event
from tests.server_parts import NOW, VISIT, Authority, Card, Clock, order_row, rsa_key, terminal_key

AUTHORITY = "server.example:8800"
CODES = ("992011", "992020")
ORDER, PAYMENT = "7" * 32, "8" * 32
PDF = b"%PDF-1.7 pretended"
NAME = "窓口 花子"

Answer = TypeVar("Answer", bound=Message)


@dataclass
class FakeIssuer:
    """An issuance cycle that issues nothing: it keeps who asked, and fails on cue."""

    engine: Engine
    key: Ed25519PrivateKey
    callers: list[Caller] = field(default_factory=list)
    fails_with: Exception | None = None

    def offers(self, caller: Caller) -> tuple[str, tuple[Offer, ...]]:
        self._asked_by(caller)
        return "窓○ ○子", ()

    def prepare(self, caller: Caller, request: PrepareRequest) -> tuple[PreparedOrder, bytes]:
        self._asked_by(caller)
        with write(self.engine) as connection:
            connection.execute(order_row(caller, request.order_id))
        return _prepared(caller, request.order_id), PDF

    def repeat(self, caller: Caller, order_id: str) -> tuple[PreparedOrder, bytes]:
        self._asked_by(caller)
        return _prepared(caller, order_id), PDF

    def grant(self, caller: Caller, order_id: str, request: GrantRequest) -> GrantAnswer:
        self._asked_by(caller)
        assert request.payment_id == PAYMENT
        word = grant.Grant(
            grant_id="9" * 32,
            order_id=order_id,
            pdf_sha256=hashlib.sha256(PDF).digest(),
            terminal_id=caller.terminal_id,
            granted_at_utc=NOW,
        )
        return grant.sign(word, self.key)

    def _asked_by(self, caller: Caller) -> None:
        self.callers.append(caller)
        if self.fails_with is not None:
            raise self.fails_with


def _prepared(caller: Caller, order_id: str) -> PreparedOrder:
    return PreparedOrder(
        order_id=order_id,
        municipality_code=caller.municipality_code,
        municipality_name="窓口市",
        kind="residence",
        title="住民票の写し",
        masked_names=("窓○ ○子",),
        items=(),
        fiscal_year=None,
        issue_number="R8-1",
        pages=1,
        fee_yen=200,
        pdf_sha256=hashlib.sha256(PDF).digest(),
        expires_at_utc=caller.expires_at_utc,
    )


@dataclass
class Server:
    """A server under test, and a terminal that speaks to it."""

    app: Flask
    config: ServerConfig
    engine: Engine
    keys: Keys
    clock: Clock
    issuer: FakeIssuer
    card: Card

    def send(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        number: int = 1,
        key: int | None = None,
        headers: dict[str, str] | None = None,
        sent_as: str | None = None,
        authority: str = AUTHORITY,
    ) -> TestResponse:
        """Send a request signed by terminal number (with its own key); sent_as is another target than was signed."""
        signer = RequestSigner(f"T-{number:04}", terminal_key(key or number))
        signed = signer.headers(method, f"http://{authority}{target}", body, CONTENT_TYPE, self.clock())
        return self.app.test_client().open(
            sent_as or target,
            method=method,
            data=body,
            headers={**signed, **(headers or {})},
            base_url=f"http://{authority}",
        )

    def ask(self, target: str, message: Message, answer: type[Answer], **options: Any) -> Answer:
        """POST a message and decode its answer."""
        response = self.send("POST", target, codec.encode(message), **options)
        assert response.status_code == 200, response.data
        return codec.decode(answer, response.data)

    def code(self, response: TestResponse) -> ErrorCode:
        """What a request was refused with; the answer is always of one shape."""
        answer = codec.decode(ErrorAnswer, response.data)
        code = ErrorCode(answer.code)
        assert (response.status_code, answer.retryable) == TABLE[code]
        assert response.content_type == CONTENT_TYPE
        return code

    def challenge(self, number: int = 1) -> bytes:
        """Ask for a challenge."""
        request = ChallengeRequest(visit_id=VISIT)
        return self.ask(messages.PATH_CHALLENGE, request, ChallengeAnswer, number=number).challenge

    def authentication(self, challenge: bytes, number: int = 1, card: Card | None = None) -> AuthenticateRequest:
        """Have the card sign."""
        card = card or self.card
        thumbprint = key_thumbprint(terminal_key(number).public_key())
        return AuthenticateRequest(
            visit_id=VISIT,
            challenge=challenge,
            certificate=card.certificate_der,
            signature=card.sign(challenge, f"T-{number:04}", thumbprint),
        )

    def authenticate(self, number: int = 1) -> AuthenticateAnswer:
        """A card on a terminal, up to the offers."""
        request = self.authentication(self.challenge(number), number)
        return self.ask(messages.PATH_AUTHENTICATE, request, AuthenticateAnswer, number=number)

    def refused_card(self, request: AuthenticateRequest, number: int = 1) -> ErrorCode:
        """What a card is refused with."""
        return self.code(self.send("POST", messages.PATH_AUTHENTICATE, codec.encode(request), number=number))


def wanted(session_id: str) -> PrepareRequest:
    """One order."""
    return PrepareRequest(
        session_id=session_id,
        order_id=ORDER,
        municipality_code=CODES[1],
        kind="residence",
        scope=Scope.SELF,
        members=(),
        items=(),
        fiscal_year=None,
        binding=bytes(32),
    )


def paid(session_id: str) -> GrantRequest:
    """Its money."""
    return GrantRequest(
        session_id=session_id,
        payment_id=PAYMENT,
        method=PaymentMethod.CASH,
        reserved_yen=500,
        allocated_yen=200,
    )


def told(sequence: int, kind: EventKind = EventKind.NOT_ME) -> Event:
    """A fact."""
    return Event(sequence=sequence, at_utc=NOW, kind=kind, visit_id=VISIT)


@pytest.fixture
def config(tmp_path: Path) -> ServerConfig:
    """A server's folder: keys, anchors, and a database with two terminals and one linked card."""
    authority = Authority()
    keys = Keys.create(tmp_path / "keys", CODES)
    vault = Vault(keys.vault)
    url = f"sqlite:///{tmp_path / 'server.db'}"
    migrations.upgrade(url)
    engine = open_engine(url)
    digest = vault.link_digest(CODES[1], authority.key_sha256, 77)
    with write(engine) as connection:
        RegisterStore(vault).add_link(connection, Link(CODES[1], digest, "R1"))
        for number in (1, 2):
            enrol(
                connection,
                terminal_id=f"T-{number:04}",
                operator="窓口商店",
                public_key=terminal_key(number).public_key(),
                now_utc=NOW,
            )
    engine.dispose()
    return ServerConfig(
        database_url=url,
        keys_folder=tmp_path / "keys",
        anchors_folder=authority.anchor(tmp_path / "anchors"),
        authorities=(AUTHORITY, "issuing.example"),
        check_address="https://check.example/",
        production=False,
    )


@pytest.fixture
def server(config: ServerConfig) -> Iterator[Server]:
    """The application over that folder."""
    keys, clock = Keys.load(config.keys_folder), Clock()
    vault = Vault(keys.vault)
    engine = open_engine(config.database_url)
    issuer = FakeIssuer(engine, keys.grant)

    def services(own_engine: Engine) -> Services:
        own_engine.dispose()
        return Services(
            engine=engine,
            terminals=Terminals(engine, lambda: clock().timestamp()),
            issuer=issuer,
            apply_events=partial(events.apply, engine, clock=clock),
        )

    app = create_app(config, services, keys=keys, vault=vault, register=RegisterStore(vault), clock=clock)
    yield Server(app, config, engine, keys, clock, issuer, Authority().card(serial=77))
    engine.dispose()


# the way of one visit


def test_the_five_requests_of_a_visit(server: Server) -> None:
    session = server.authenticate()
    assert session.masked_name == "窓○ ○子"

    first = server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session.session_id)))
    again = server.send("GET", messages.order_path(ORDER))
    for response in (first, again):
        assert (response.status_code, response.content_type, response.data) == (200, "application/pdf", PDF)
        prepared = codec.from_header(response.headers[messages.PREPARED_HEADER])
        assert (prepared.order_id, prepared.pdf_sha256) == (ORDER, hashlib.sha256(PDF).digest())

    answer = server.ask(messages.grant_path(ORDER), paid(session.session_id), GrantAnswer)
    word = grant.verify(answer, server.keys.trust().grant_key())
    assert (word.order_id, word.terminal_id) == (ORDER, "T-0001")

    facts = EventsRequest(events=tuple(sign_event(told(sequence), terminal_key()) for sequence in (1, 2)))
    assert server.ask(messages.PATH_EVENTS, facts, EventsAnswer).accepted_through == 2

    caller = server.issuer.callers[0]
    assert server.issuer.callers == [caller] * 4
    assert (caller.terminal_id, caller.municipality_code, caller.visit_id) == ("T-0001", CODES[1], VISIT)
    assert caller.link_digest == Vault(server.keys.vault).link_digest(CODES[1], Authority().key_sha256, 77)


def test_every_answer_forbids_to_be_kept_or_guessed_at(server: Server) -> None:
    for response in (server.send("GET", "/nothing"), server.send("GET", messages.PATH_OPENAPI)):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


# who is asking: the terminal


def routes(app: Flask) -> list[tuple[str, str]]:
    """Every route with its method."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule != messages.PATH_OPENAPI]
    found = [
        (method, rule.rule.replace("<order_id>", ORDER)) for rule in rules for method in sorted(rule.methods or ())
    ]
    assert len(found) == 7  # the GET has its HEAD
    return found


def test_every_route_but_the_description_must_be_signed(server: Server) -> None:
    client = server.app.test_client()
    for method, target in routes(server.app):
        response = client.open(target, method=method, base_url=f"http://{AUTHORITY}")
        if method == "HEAD":
            assert response.status_code == 401
        else:
            assert server.code(response) is ErrorCode.UNSIGNED
    assert client.get(messages.PATH_OPENAPI).status_code == 200


CHALLENGE_BODY = codec.encode(ChallengeRequest(visit_id=VISIT))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, None),
        ({"key": 2}, ErrorCode.SIGNATURE_INVALID),
        ({"number": 3}, ErrorCode.TERMINAL_UNKNOWN),
        ({"sent_as": messages.PATH_CHALLENGE + "?a=1"}, ErrorCode.SIGNATURE_INVALID),
        ({"sent_as": "/v1/%63hallenge"}, ErrorCode.SIGNATURE_INVALID),
        ({"sent_as": messages.PATH_AUTHENTICATE}, ErrorCode.SIGNATURE_INVALID),
        ({"authority": "another.example"}, ErrorCode.SIGNATURE_INVALID),
        ({"authority": "issuing.example"}, None),
        ({"headers": {"Content-Type": "text/plain"}}, ErrorCode.SIGNATURE_INVALID),
        ({"headers": {"Signature": ""}}, ErrorCode.SIGNATURE_INVALID),
        ({"headers": {"Host": "issuing.example"}}, ErrorCode.SIGNATURE_INVALID),
    ],
)
def test_the_terminals_signature(server: Server, options: dict[str, Any], code: ErrorCode | None) -> None:
    response = server.send("POST", messages.PATH_CHALLENGE, CHALLENGE_BODY, **options)
    if code is None:
        assert response.status_code == 200
    else:
        assert server.code(response) is code


def test_an_old_request_is_refused(server: Server) -> None:
    signer = RequestSigner("T-0001", terminal_key())
    url = f"http://{AUTHORITY}{messages.PATH_CHALLENGE}"
    headers = signer.headers("POST", url, CHALLENGE_BODY, CONTENT_TYPE, NOW)
    send = partial(server.app.test_client().post, url, data=CHALLENGE_BODY, headers=headers)
    assert send().status_code == 200
    server.clock.pass_s(61)
    assert server.code(send()) is ErrorCode.REQUEST_EXPIRED


def test_a_body_that_was_altered_on_the_way(server: Server) -> None:
    signer = RequestSigner("T-0001", terminal_key())
    url = f"http://{AUTHORITY}{messages.PATH_CHALLENGE}"
    headers = signer.headers("POST", url, CHALLENGE_BODY, CONTENT_TYPE, NOW)
    altered = CHALLENGE_BODY.replace(b"5", b"6")
    response = server.app.test_client().post(url, data=altered, headers=headers)
    assert server.code(response) is ErrorCode.SIGNATURE_INVALID


def test_a_stopped_terminal_is_refused_everywhere_within_ten_seconds(server: Server) -> None:
    server.challenge()
    with write(server.engine) as connection:
        stop(connection, "T-0001")
    server.clock.pass_s(9.9)
    for method, target in routes(server.app):
        if method != "HEAD":
            assert server.code(server.send(method, target)) is ErrorCode.TERMINAL_STOPPED
    assert len(server.challenge(number=2)) == 56


# who is asking: the card


def test_a_challenge_is_good_once(server: Server) -> None:
    request = server.authentication(server.challenge())
    server.ask(messages.PATH_AUTHENTICATE, request, AuthenticateAnswer)
    assert server.refused_card(request) is ErrorCode.CHALLENGE_USED


def test_a_challenge_is_good_for_a_minute(server: Server) -> None:
    request = server.authentication(server.challenge())
    server.clock.pass_s(61)
    assert server.refused_card(request) is ErrorCode.CHALLENGE_EXPIRED


def test_a_challenge_is_one_terminals(server: Server) -> None:
    request = server.authentication(server.challenge(number=1), number=2)
    assert server.refused_card(request, number=2) is ErrorCode.CHALLENGE_INVALID


def test_a_card_that_signed_at_one_terminal_is_not_at_another(server: Server) -> None:
    challenge = server.challenge(number=2)
    request = server.authentication(challenge, number=1)
    assert server.refused_card(request, number=2) is ErrorCode.CARD_SIGNATURE_INVALID


def test_a_refused_card_leaves_its_challenge_and_a_used_one_stays_used(server: Server) -> None:
    challenge = server.challenge()
    right = server.authentication(challenge)
    wrong = msgspec.structs.replace(right, signature=right.signature[::-1])
    assert server.refused_card(wrong) is ErrorCode.CARD_SIGNATURE_INVALID
    server.ask(messages.PATH_AUTHENTICATE, right, AuthenticateAnswer)


def test_a_card_that_nobody_knows_is_told_no_more_than_one_that_may_have_nothing(server: Server) -> None:
    stranger = Authority().card(rsa_key("other card"), serial=78)
    request = server.authentication(server.challenge(), card=stranger)
    unknown = server.send("POST", messages.PATH_AUTHENTICATE, codec.encode(request))
    assert server.code(unknown) is ErrorCode.NOT_ISSUABLE_HERE
    assert server.refused_card(request) is ErrorCode.CHALLENGE_USED

    server.issuer.fails_with = IssueError(ErrorCode.NOT_ISSUABLE_HERE, "died_on")
    known = server.send("POST", messages.PATH_AUTHENTICATE, codec.encode(server.authentication(server.challenge())))
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data)
    assert dict(known.headers) == dict(unknown.headers)


def test_one_serial_of_two_issuers_is_two_cards(server: Server) -> None:
    other = Authority(rsa_key("generation 2"))
    other.anchor(server.config.anchors_folder, "second.pem")
    request = server.authentication(server.challenge(), card=other.card(serial=77))
    assert server.refused_card(request) is ErrorCode.NOT_ISSUABLE_HERE


def test_an_anchor_that_was_added_counts_from_the_next_request_on(server: Server) -> None:
    other = Authority(rsa_key("generation 2"))
    card = other.card(serial=5)
    request = server.authentication(server.challenge(), card=card)
    assert server.refused_card(request) is ErrorCode.CARD_CERTIFICATE_INVALID
    other.anchor(server.config.anchors_folder, "second.pem")
    assert server.refused_card(request) is ErrorCode.NOT_ISSUABLE_HERE


# the session


@pytest.mark.parametrize("number", [1, 2])
def test_a_session_is_one_terminals_and_minutes_long(server: Server, number: int) -> None:
    session_id = server.authenticate(number=1).session_id
    if number == 1:
        server.clock.pass_s(SESSION_LIFETIME_S)
    for target, message in (
        (messages.PATH_ORDERS, wanted(session_id)),
        (messages.grant_path(ORDER), paid(session_id)),
    ):
        response = server.send("POST", target, codec.encode(message), number=number)
        assert server.code(response) is ErrorCode.SESSION_EXPIRED
    assert len(server.issuer.callers) == 1


def test_an_order_is_repeated_to_its_own_terminal_alone(server: Server) -> None:
    session_id = server.authenticate().session_id
    assert server.code(server.send("GET", messages.order_path(ORDER))) is ErrorCode.UNKNOWN_ORDER
    server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session_id)))
    assert server.send("GET", messages.order_path(ORDER)).status_code == 200
    assert server.code(server.send("GET", messages.order_path(ORDER), number=2)) is ErrorCode.UNKNOWN_ORDER
    assert server.code(server.send("GET", messages.order_path("x"))) is ErrorCode.UNKNOWN_ORDER
    server.clock.pass_s(SESSION_LIFETIME_S)
    assert server.code(server.send("GET", messages.order_path(ORDER))) is ErrorCode.SESSION_EXPIRED


# events


def test_one_forged_event_and_none_is_applied(server: Server) -> None:
    right = sign_event(told(1), terminal_key())
    for forged in (
        sign_event(told(2), terminal_key(2)),
        SignedEvent(body=sign_event(told(2), terminal_key()).body, signature=right.signature),
    ):
        response = server.send("POST", messages.PATH_EVENTS, codec.encode(EventsRequest(events=(right, forged))))
        assert server.code(response) is ErrorCode.SIGNATURE_INVALID
    gap = EventsRequest(events=(sign_event(told(2), terminal_key()),))
    response = server.send("POST", messages.PATH_EVENTS, codec.encode(gap))
    assert server.code(response) is ErrorCode.EVENT_OUT_OF_ORDER
    assert server.ask(messages.PATH_EVENTS, EventsRequest(events=(right,)), EventsAnswer).accepted_through == 1


# bad requests, failures, log


@pytest.mark.parametrize(
    ("target", "body", "named"),
    [
        (messages.PATH_CHALLENGE, b"{}", "`visit_id`"),
        (messages.PATH_CHALLENGE, b'{"visit_id":"5","more":1}', "visit_id"),
        (messages.PATH_CHALLENGE, CHALLENGE_BODY[:-1] + b',"more":1}', "`more`"),
        (messages.PATH_CHALLENGE, b"", "not JSON"),
        (messages.PATH_AUTHENTICATE, CHALLENGE_BODY, "`challenge`"),
        (messages.PATH_ORDERS, b"{}", "`session_id`"),
        (messages.grant_path(ORDER), b"{}", "`session_id`"),
        (messages.PATH_EVENTS, b'{"events":[]}', "events"),
    ],
)
def test_a_bad_body_is_refused_by_the_fields_name(server: Server, target: str, body: bytes, named: str) -> None:
    response = server.send("POST", target, body)
    assert server.code(response) is ErrorCode.BAD_REQUEST
    assert named in codec.decode(ErrorAnswer, response.data).detail


@pytest.mark.parametrize(("size", "code"), [(MAX_BODY_BYTES, "not JSON"), (MAX_BODY_BYTES + 1, "at most")])
def test_a_body_has_a_bound(server: Server, size: int, code: str) -> None:
    response = server.send("POST", messages.PATH_CHALLENGE, b"x" * size)
    assert server.code(response) is ErrorCode.BAD_REQUEST
    assert code in codec.decode(ErrorAnswer, response.data).detail


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", messages.PATH_CHALLENGE),
        ("POST", "/v1//challenge"),
        ("OPTIONS", messages.PATH_CHALLENGE),
        ("DELETE", messages.order_path(ORDER)),
        ("GET", "/static/x"),
        ("POST", messages.PATH_OPENAPI),
    ],
)
def test_there_is_nothing_else(server: Server, method: str, target: str) -> None:
    assert server.code(server.send(method, target)) is ErrorCode.NOT_FOUND


def test_a_failure_says_nothing_outside_and_where_inside(server: Server) -> None:
    request = codec.encode(wanted(server.authenticate().session_id))
    server.issuer.fails_with = RuntimeError(NAME)
    server.issuer.fails_with.__cause__ = KeyError(NAME)
    with capture_logs() as logs:
        response = server.send("POST", messages.PATH_ORDERS, request)
    assert server.code(response) is ErrorCode.INTERNAL
    assert codec.decode(ErrorAnswer, response.data).detail == ""
    failure, line = logs
    assert [entry["type"] for entry in failure["errors"]] == ["RuntimeError", "KeyError"]
    assert "_asked_by" in failure["errors"][0]["at"][-1]
    assert (line["event"], line["code"], line["order_id"]) == ("request", "INTERNAL", ORDER)
    assert NAME not in repr(logs)
    assert NAME not in response.text


def test_a_database_that_is_busy_may_be_asked_again(server: Server) -> None:
    request = codec.encode(wanted(server.authenticate().session_id))
    server.issuer.fails_with = OperationalError(NAME, (NAME,), sqlite3.OperationalError("database is locked"))
    with capture_logs() as logs:
        response = server.send("POST", messages.PATH_ORDERS, request)
    assert server.code(response) is ErrorCode.BUSY
    assert NAME not in repr(logs) + response.text


def test_one_line_a_request_and_nothing_of_a_person(server: Server) -> None:
    with capture_logs() as logs:
        session = server.authenticate()
        server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session.session_id)))
        server.send("GET", messages.order_path(ORDER) + f"?q={VISIT}")
        server.send("POST", messages.grant_path(ORDER), codec.encode(paid(session.session_id)))
        server.send("POST", messages.PATH_ORDERS, b"{}")
    assert [line["event"] for line in logs] == ["request"] * 6
    _, authenticate, prepare, repeat, granted, refused = logs
    assert authenticate["municipality"] == prepare["municipality"] == granted["municipality"] == CODES[1]
    assert (prepare["order_id"], prepare["kind"], prepare["issue_number"]) == (ORDER, "residence", "R8-1")
    assert (repeat["route"], repeat["status"]) == (f"{messages.PATH_ORDERS}/<order_id>", 200)
    assert (refused["code"], refused["status"], refused["terminal"]) == ("BAD_REQUEST", 400, "T-0001")
    written = json.dumps(logs, ensure_ascii=False)
    for secret in (session.session_id, "窓○", "花子", "?q=", server.card.certificate_der.hex()):
        assert secret not in written
    assert all(isinstance(value, str | int | float) for line in logs for value in line.values())


# start


def test_the_server_refuses_to_start_over_a_wrong_schema_or_without_anchors(
    config: ServerConfig, tmp_path: Path
) -> None:
    replace = partial(msgspec.structs.replace, config)
    with pytest.raises(SchemaMismatch):
        build(replace(database_url=f"sqlite:///{tmp_path / 'empty.db'}"))
    with pytest.raises(AnchorsError):
        build(replace(anchors_folder=tmp_path / "nowhere"))
    with pytest.raises(AnchorsError), capture_logs():
        build(replace(production=True))  # its only anchor is a test hierarchy's


def test_it_starts_with_its_real_parts(config: ServerConfig) -> None:
    app = build(config, Clock())
    headers = RequestSigner("T-0001", terminal_key()).headers(
        "POST", f"http://{AUTHORITY}{messages.PATH_CHALLENGE}", CHALLENGE_BODY, CONTENT_TYPE, NOW
    )
    response = app.test_client().post(
        messages.PATH_CHALLENGE, base_url=f"http://{AUTHORITY}", data=CHALLENGE_BODY, headers=headers
    )
    assert len(codec.decode(ChallengeAnswer, response.data).challenge) == 56


def test_a_forked_process_makes_its_own_services() -> None:
    made: list[int] = []
    per_process: PerProcess = PerProcess(lambda: made.append(os.getpid()))  # type: ignore[arg-type,func-returns-value]  # any value does
    per_process()
    per_process()
    assert made == [os.getpid()]
    child = os.fork()
    if child == 0:
        per_process()
        per_process()
        os._exit(0 if made == [os.getppid(), os.getpid()] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert made == [os.getpid()]
