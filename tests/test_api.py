"""The routes: the five requests of a visit, and each refusal by its code. The issuance cycle behind them is a fake."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flask import Flask

from issuance_server.config import ServerConfig
from issuance_server.database import write
from issuance_server.register.store import Link, RegisterStore
from issuance_server.sessions import SESSION_LIFETIME_S
from issuance_server.terminals import stop
from issuance_server.vault import Vault
from protocol import codec, grant, messages
from protocol.errors import ErrorCode, IssueError
from protocol.messages import (
    AuthenticateAnswer,
    EventsAnswer,
    EventsRequest,
    GrantAnswer,
    RefundAnswer,
    RefundClaim,
    SignedEvent,
)
from protocol.signing import CONTENT_TYPE, RequestSigner, sign_event
from tests.api_parts import (
    AUTHORITY,
    CHALLENGE_BODY,
    CODES,
    ORDER,
    PDF,
    Server,
    make_folder,
    paid,
    serving,
    told,
    wanted,
)
from tests.databases import Databases
from tests.server_parts import NOW, VISIT, Authority, rsa_key, terminal_key


@pytest.fixture
def config(tmp_path: Path, databases: Databases) -> ServerConfig:
    """A server's folder."""
    return make_folder(tmp_path, databases.migrated())


@pytest.fixture
def server(config: ServerConfig) -> Iterator[Server]:
    """The application over that folder."""
    with serving(config) as running:
        yield running


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
    assert (caller.terminal_id, caller.known_as[0].municipality_code, caller.visit_id) == ("T-0001", CODES[1], VISIT)
    assert caller.known_as[0].link_digest == Vault(server.keys.vault).link_digest(CODES[1], Authority().key_sha256, 77)


def test_a_card_that_two_municipalities_know_has_one_session_with_both(server: Server) -> None:
    vault = Vault(server.keys.vault)
    digest = vault.link_digest(CODES[0], Authority().key_sha256, 77)
    with write(server.engine) as connection:
        RegisterStore(vault).add_link(connection, Link(CODES[0], digest, "D1"))
        # Another certificate's link at the same municipality is not this card's.
        RegisterStore(vault).add_link(connection, Link(CODES[0], bytes(32), "D2"))
    session = server.authenticate()
    server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session.session_id)))
    for caller in server.issuer.callers:
        assert {known.municipality_code: known.link_digest for known in caller.known_as} == {
            CODES[0]: digest,
            CODES[1]: vault.link_digest(CODES[1], Authority().key_sha256, 77),
        }
        assert len({known.holder_digest for known in caller.known_as}) == 2
    assert len(server.issuer.callers) == 2


def test_every_answer_forbids_to_be_kept_or_guessed_at(server: Server) -> None:
    for response in (server.send("GET", "/nothing"), server.send("GET", messages.PATH_OPENAPI)):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


# who is asking: the terminal


def routes(app: Flask) -> list[tuple[str, str]]:
    """Every route with its method."""
    unsigned = {messages.PATH_OPENAPI, messages.PATH_ENROLMENTS}
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule not in unsigned]
    found = [
        (method, rule.rule.replace("<order_id>", ORDER)) for rule in rules for method in sorted(rule.methods or ())
    ]
    assert len(found) == 11  # the GET has its HEAD
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
        stop(connection, "T-0001", NOW)
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
        (messages.PATH_REFUNDS, RefundClaim(claim_id=ORDER, session_id=session_id, payment_id=ORDER)),
    ):
        response = server.send("POST", target, codec.encode(message), number=number)
        assert server.code(response) is ErrorCode.SESSION_EXPIRED
    assert len(server.issuer.callers) == 1


def test_a_refund_is_claimed_for_the_terminal_that_signs_by_code_or_by_the_session(server: Server) -> None:
    by_code = RefundClaim(claim_id=ORDER, code="0410-6105-0R3G-G28A")
    assert server.ask(messages.PATH_REFUNDS, by_code, RefundAnswer, number=2).amount_yen == 500
    session_id = server.authenticate().session_id
    by_card = RefundClaim(claim_id=ORDER, session_id=session_id, payment_id=ORDER)
    assert server.ask(messages.PATH_REFUNDS, by_card, RefundAnswer).claim_id == ORDER
    assert server.issuer.claims == [("T-0002", by_code), ("T-0001", by_card)]
    assert [caller.terminal_id for caller in server.issuer.callers[1:]] == ["T-0001"]


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
