"""The terminals' application: wiring, one handler of errors, one log line a request."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from flask import Flask, Response, g, request
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from issuance_server import events, qr_desk, revocation
from issuance_server.api import Api, Services
from issuance_server.card_auth import Anchors
from issuance_server.config import ServerConfig
from issuance_server.database import open_engine, require_schema
from issuance_server.issue import Issuer
from issuance_server.keys import Keys
from issuance_server.logs import where
from issuance_server.register.store import RegisterStore
from issuance_server.rules import JST, Clock, utc_now
from issuance_server.settings_store import SettingsStore
from issuance_server.terminals import Terminals
from issuance_server.vault import Vault
from printing.paper.fonts import Fonts
from protocol import codec
from protocol.errors import ErrorCode, IssueError
from protocol.messages import ErrorAnswer
from protocol.signing import CONTENT_TYPE

MAX_BODY_BYTES: Final = 512 * 1024  # the largest request is a hundred signed events
ANSWERS_EVERY_S: Final = 0.3  # longer than any of them takes, and no burden: few are refused
_SILENT: Final = frozenset({ErrorCode.INTERNAL, ErrorCode.NOT_ISSUABLE_HERE})  # a detail could say why
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
}


class Deadline:
    """When an answer about a person leaves: at fixed moments after the request, so that its time says no reason.

    A card that nobody knows is refused by one look-up, a person who is stopped by reading a household and two
    registers. What took longer than the first moment leaves at the next.
    """

    def __init__(
        self,
        every_s: float = ANSWERS_EVERY_S,
        monotonic_s: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._every_s, self._monotonic_s, self._sleep = every_s, monotonic_s, sleep

    def begin(self) -> None:
        """Note when a request came."""
        g.asked_s = self._monotonic_s()

    def wait(self) -> None:
        """Wait for its next moment."""
        taken_s = self._monotonic_s() - g.asked_s
        self._sleep((math.floor(taken_s / self._every_s) + 1) * self._every_s - taken_s)


class PerProcess:
    """Services that each process makes for itself on its first request: a connection must not survive a fork."""

    def __init__(self, make: Callable[[], Services]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[int, Services] | None = None

    def __call__(self) -> Services:
        """Return this process's services."""
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = (os.getpid(), self._make())
            return self._made[1]


def create_app(
    config: ServerConfig,
    make_services: Callable[[Engine], Services],
    *,
    keys: Keys,
    vault: Vault,
    register: RegisterStore,
    clock: Clock = utc_now,
    deadline: Deadline | None = None,
) -> Flask:
    """Return the application, ready to be forked. deadline: for tests alone, which turn its clock.

    Errors: AnchorsError, SchemaMismatch: the server refuses to start.
    """
    anchors = Anchors(config.anchors_folder, production=config.production)
    require_schema(open_engine(config.database_url))
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    api = Api(
        authorities=config.authorities,
        keys=keys,
        vault=vault,
        anchors=anchors,
        register=register,
        clock=clock,
        services=PerProcess(lambda: make_services(open_engine(config.database_url))),
    )
    app.register_blueprint(api.blueprint())
    deadline = deadline or Deadline()
    app.before_request(_begin)
    app.before_request(deadline.begin)
    app.after_request(_end)
    app.register_error_handler(Exception, _Refusals(deadline))
    return app


def build(config: ServerConfig, clock: Clock = utc_now) -> Flask:
    """Return the application with its real parts; fonts are read here, once for all processes that are forked off.

    Errors: KeysError, FontMissing, ConfigError, and those of create_app.
    """
    keys = Keys.load(config.keys_folder)
    keys.seals.check(clock().astimezone(JST).date())
    vault = Vault(keys.vault)
    register = RegisterStore(vault)
    fonts = Fonts.load(addon=config.addon_font)
    responders = revocation.read_responders(config.revocation)

    def make_services(engine: Engine) -> Services:
        issuer = Issuer(
            engine=engine,
            vault=vault,
            keys=keys,
            settings_store=SettingsStore(),
            register=register,
            fonts=fonts,
            check_address=config.check_address,
            clock=clock,
        )
        return Services(
            engine=engine,
            terminals=Terminals(engine),
            issuer=issuer,
            revocation=revocation.open_authority(config.revocation, responders, clock),
            apply_events=lambda terminal_id, told: events.apply(engine, terminal_id, told, clock),
            codes=None
            if config.qr_provider is None
            else qr_desk.open_desk(engine, config.qr_provider, asks_once=True, clock=clock),
        )

    return create_app(config, make_services, keys=keys, vault=vault, register=register, clock=clock)


def _begin() -> None:
    g.line = {}
    g.begun_s = time.perf_counter()


def _end(response: Response) -> Response:
    """One line a request. The route's pattern stands for the path; ids were noted by the routes."""
    response.headers.update(_HEADERS)
    structlog.get_logger().info(
        "request",
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        duration_ms=round((time.perf_counter() - g.begun_s) * 1000, 1),
        **g.line,
    )
    return response


class _Refusals:
    """Every refusal goes through here, and nothing leaves that is not in the table of codes."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def __call__(self, error: Exception) -> Response:
        refusal = _as_refusal(error)
        g.line.update(code=refusal.code.value, detail=refusal.detail)
        detail = "" if refusal.code in _SILENT else refusal.detail
        answer = ErrorAnswer(code=refusal.code.value, detail=detail, retryable=refusal.retryable)
        response = Response(codec.encode(answer), status=refusal.http_status, content_type=CONTENT_TYPE)
        if refusal.code is ErrorCode.NOT_ISSUABLE_HERE:
            self._deadline.wait()
        return response


def _as_refusal(error: Exception) -> IssueError:
    if isinstance(error, IssueError):
        return error
    if isinstance(error, HTTPException):
        if error.code == 413:
            return IssueError(ErrorCode.BAD_REQUEST, f"the body must have at most {MAX_BODY_BYTES} bytes")
        code = ErrorCode.NOT_FOUND if error.code in {308, 404, 405} else ErrorCode.BAD_REQUEST
        return IssueError(code, "no such route" if code is ErrorCode.NOT_FOUND else "not an HTTP request of this API")
    structlog.get_logger().error("failure", **where(error))
    if isinstance(error, OperationalError):
        return IssueError(ErrorCode.BUSY, "the database did not answer in time")
    return IssueError(ErrorCode.INTERNAL)
