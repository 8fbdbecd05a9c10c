"""The servers: the real routes, cycle and ledger over one database; only the request's own signature is taken on trust.

Each request is a thread of its server's process, and every transaction stands between two points at which others go on.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import msgspec
from flask import Flask, Response, g
from greenlet import getcurrent, greenlet

from issuance_server import events, qr_desk
from issuance_server.api import Api, Services
from issuance_server.issue import Issuer
from issuance_server.payments_qr import QrPayments
from issuance_server.qr_desk import QrDesk
from issuance_server.terminals import Terminal, Terminals
from printing.paper import certificates
from printing.paper.fonts import Fonts
from printing.paper.records import Certificate, Issuance
from protocol import codec, messages
from protocol.errors import ErrorCode, IssueError
from protocol.signing import verify_request
from terminal.client import Paper, ServerRefused
from tests.server_parts import SaidOfCards
from tests.simulation import paper
from tests.simulation.disk import ServerDisk, SimEngine
from tests.simulation.hub import Hub, Process, Reply
from tests.simulation.postgres import PostgresDisk
from tests.simulation.provider import MERCHANT, SimProvider
from tests.simulation.town import AUTHORITY, Town

SERVERS = 2
SETTLE_EVERY_S = 15.0
_APP = Flask("simulation", static_folder=None)
_NO_HEADERS = httpx.Headers()  # of answers whose client asks for none


@dataclass(frozen=True)
class Sent:
    """What goes over the wire; without headers the signature is taken on trust."""

    terminal_id: str
    path: str
    body: bytes
    headers: dict[str, str] | None


@dataclass(frozen=True)
class Answer:
    """What comes back over the wire."""

    content: bytes
    headers: httpx.Headers


@dataclass(frozen=True)
class _Request:
    terminal: Terminal
    body: bytes


class _SimApi(Api):
    """The routes, told of a request by the thread that serves it."""

    def __init__(self, **wiring: Any) -> None:
        super().__init__(**wiring)
        self.requests: dict[greenlet, _Request] = {}

    def _signed(self) -> tuple[Terminal, bytes]:
        asked = self.requests[getcurrent()]
        return asked.terminal, asked.body


class SimServer:
    """One server's process: what it keeps in memory goes with it."""

    def __init__(
        self,
        hub: Hub,
        town: Town,
        disk: ServerDisk | PostgresDisk,
        number: int,
        faults: list[str],
        *,
        provider: SimProvider | None,
    ) -> None:
        """provider: of payments by QR code; None = this operator has none."""
        self._hub, self._town, self._disk, self._provider = hub, town, disk, provider
        self.number = number
        self.faults = faults  # errors that no table knows
        self.slow_s = 0.0
        self.real = False  # pages and requests' signatures as in the product
        self.mixes_people = False  # a page of the last one's data, as from a buffer used again
        self.mixes_answers = False  # the last paper of another visit
        self.made: list[Paper] = []
        self.up()

    def up(self) -> None:
        """Start the process."""
        self.power = Process(f"server {self.number}")
        town, engine = self._town, SimEngine(self._connect, self._pause)
        clock = self._hub.now_utc
        self._last: Certificate | None = None
        self._terminals = Terminals(engine, self._hub.monotonic)  # type: ignore[arg-type]
        issuer = Issuer(
            engine=engine,  # type: ignore[arg-type]
            vault=town.vault,
            keys=town.keys,
            settings_store=town.settings,
            register=town.register,
            fonts=town.fonts,
            check_address="https://check.invalid/",
            clock=clock,
            random_bytes=self._hub.random.randbytes,
            render=self._render,
            reread=lambda pdf, expected: paper.reread(pdf, expected),  # noqa: PLW0108 - looked up anew: it is mutated
            require_current=lambda *_: None,  # no tree grows here
            build="simulation",
        )
        codes = None
        if self._provider is not None:
            # As open_desk makes them: a request asks once, and what settles has time.
            codes = self._desk(engine, self._provider, timeout_s=qr_desk.REQUEST_TIMEOUT_S, ask_tries=1)
            if self.number == 0:
                settling = self._desk(engine, self._provider)
                self._hub.spawn(self.power, lambda: self._settle(settling), SETTLE_EVERY_S)
        services = Services(
            engine=engine,  # type: ignore[arg-type]
            terminals=self._terminals,
            issuer=issuer,
            revocation=SaidOfCards(clock),
            apply_events=partial(events.apply, engine, clock=clock),  # type: ignore[arg-type]
            codes=codes,
        )
        self._api = _SimApi(
            authorities=(AUTHORITY,),
            keys=town.keys,
            vault=town.vault,
            anchors=town.anchors,
            register=town.register,
            clock=clock,
            services=lambda: services,
        )

    def serve(self, sent: Sent, reply: Reply) -> None:
        """Serve one request in a thread of its own."""
        self._hub.spawn(self.power, lambda: self._serve(sent, reply))

    def _serve(self, sent: Sent, reply: Reply) -> None:
        terminal_id, path, body = sent.terminal_id, sent.path, sent.body
        thread = getcurrent()
        try:
            with _APP.app_context():
                g.line = {}
                if sent.headers is not None:
                    terminal_id = verify_request(
                        "POST",
                        f"http://{AUTHORITY}{path}",
                        sent.headers,
                        body,
                        resolve_key=self._terminals.public_key,
                        now_utc=self._hub.now_utc(),
                    )
                self._api.requests[thread] = _Request(self._terminals.active(terminal_id), body)
                response = self._route(path)
            if path == messages.PATH_ORDERS:
                answer = self._keep(Answer(response.get_data(), httpx.Headers(list(response.headers))))
            else:
                answer = Answer(response.get_data(), _NO_HEADERS)
        except IssueError as refused:
            self._hub.say(self.power, f"{path} of {terminal_id}: {refused.code} {refused.detail}")
            reply.fail(ServerRefused(refused.code, refused.detail, refused.retryable))
        except Exception as error:  # noqa: BLE001 - the application answers INTERNAL, and the simulation counts it
            self.faults.append("".join(traceback.format_exception(error)))
            reply.fail(ServerRefused(ErrorCode.INTERNAL, "", retryable=False))
        else:
            reply.give(answer)
        finally:
            self._api.requests.pop(thread, None)

    def _desk(self, engine: SimEngine, provider: SimProvider, **how_long: Any) -> QrDesk:
        payments = QrPayments(provider.client(), MERCHANT, pause=self._hub.sleep, **how_long)
        return QrDesk(engine, payments, self._hub.now_utc)  # type: ignore[arg-type]

    def _settle(self, desk: QrDesk) -> None:
        """What `madoguchi beat --every 15` does beside the first server."""
        assert self._provider is not None
        while True:
            if self._provider.was_asked:
                try:
                    desk.settle()
                except Exception as error:  # noqa: BLE001 - the command goes on, and the simulation counts it
                    self.faults.append("".join(traceback.format_exception(error)))
            self._hub.sleep(SETTLE_EVERY_S)

    def _route(self, path: str) -> Response:
        api = self._api
        if path.endswith("/grant"):
            return api.grant(path.split("/")[-2])
        routes = {
            messages.PATH_CHALLENGE: api.challenge,
            messages.PATH_AUTHENTICATE: api.authenticate,
            messages.PATH_ORDERS: api.prepare,
            messages.PATH_EVENTS: api.events,
            messages.PATH_BOOT: api.boot,
            messages.PATH_REFUNDS: api.claim_refund,
            messages.PATH_CODES: api.show_code,
            messages.PATH_CODE_STATUS: api.look_at_code,
        }
        return routes[path]()

    def _render(self, fonts: Fonts, certificate: Certificate, issuance: Issuance, seal_text: str) -> bytes:
        last, self._last = self._last, certificate
        if self.mixes_people and last is not None and last != certificate:
            self.mixes_people = False
            certificate = last
        render = certificates.render if self.real else paper.render
        return render(fonts, certificate, issuance, seal_text)

    def _keep(self, answer: Answer) -> Answer:
        """Keep what was made, and with the fault give the last one's instead."""
        prepared = codec.from_header(answer.headers[messages.PREPARED_HEADER])
        other = None
        if self.mixes_answers:
            mine = _subject(answer.content)
            other = next((one for one in reversed(self.made) if _subject(one.pdf) != mine), None)
        if other is not None:
            self.mixes_answers = False
            vouched = msgspec.structs.replace(prepared, pdf_sha256=other.prepared.pdf_sha256)
            headers = {**answer.headers, messages.PREPARED_HEADER: codec.to_header(vouched)}
            return Answer(other.pdf, httpx.Headers(headers))
        self.made.append(Paper(prepared, answer.content))
        return answer

    def _connect(self) -> Any:
        return self._disk.engine.connect() if self.real else self._disk.connect()

    def _pause(self) -> None:
        """A transaction begins or has ended: others go on here, and the process may end here."""
        self._hub.sleep(self._hub.random.random() * 0.004 + self.slow_s)

    def cut(self) -> None:
        """Whoever waited for an answer hears that the connection is closed."""
        self._hub.kill(self.power)


def _subject(pdf: bytes) -> tuple[str, ...]:
    return paper.contents(pdf).names
