"""The application around the routes: bad requests, failures, the log, the start."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from issuance_server.app import MAX_BODY_BYTES, PerProcess, build
from issuance_server.card_auth import AnchorsError
from issuance_server.config import ServerConfig
from issuance_server.database import SchemaMismatch
from protocol import codec, messages
from protocol.errors import ErrorCode
from protocol.messages import (
    ChallengeAnswer,
    ErrorAnswer,
)
from protocol.signing import CONTENT_TYPE, RequestSigner
from tests.api_parts import (
    AUTHORITY,
    CHALLENGE_BODY,
    CODES,
    NAME,
    ORDER,
    Server,
    make_folder,
    paid,
    serving,
    wanted,
)
from tests.databases import Databases, connections_closed
from tests.server_parts import NOW, VISIT, Clock, terminal_key


@pytest.fixture
def config(tmp_path: Path, databases: Databases) -> ServerConfig:
    """A server's folder."""
    return make_folder(tmp_path, databases.migrated())


@pytest.fixture
def server(config: ServerConfig) -> Iterator[Server]:
    """The application over that folder."""
    with serving(config) as running:
        yield running


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
    config: ServerConfig, tmp_path: Path, databases: Databases
) -> None:
    replace = partial(msgspec.structs.replace, config)
    with pytest.raises(SchemaMismatch, match="schema is None"):
        build(replace(database_url=databases.empty()))
    with pytest.raises(AnchorsError):
        build(replace(anchors_folder=tmp_path / "nowhere"))
    with pytest.raises(AnchorsError), capture_logs():
        build(replace(production=True))  # its only anchor is a test hierarchy's


def test_it_starts_with_its_real_parts(config: ServerConfig) -> None:
    app = build(config, Clock())
    headers = RequestSigner("T-0001", terminal_key()).headers(
        "POST", f"http://{AUTHORITY}{messages.PATH_CHALLENGE}", CHALLENGE_BODY, CONTENT_TYPE, NOW
    )
    with connections_closed():
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
