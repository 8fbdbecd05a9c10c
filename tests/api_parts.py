"""What tests of the routes share: a server over a folder of its own, a terminal that speaks to it, a fake cycle."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from issuance_server import events
from issuance_server.api import Services
from issuance_server.app import Deadline, create_app
from issuance_server.config import ServerConfig
from issuance_server.database import open_engine, write
from issuance_server.keys import Keys
from issuance_server.reception import Welcome
from issuance_server.register.store import Link, RegisterStore
from issuance_server.sessions import Caller
from issuance_server.terminals import Terminals, enrol
from issuance_server.vault import Vault
from protocol import codec, grant, messages
from protocol.errors import TABLE, ErrorCode
from protocol.messages import (
    AuthenticateAnswer,
    AuthenticateRequest,
    ChallengeAnswer,
    ChallengeRequest,
    ErrorAnswer,
    Event,
    EventKind,
    GrantAnswer,
    GrantRequest,
    Message,
    PaymentMethod,
    PreparedOrder,
    PrepareRequest,
    RefundAnswer,
    RefundClaim,
    Scope,
)
from protocol.signing import CONTENT_TYPE, RequestSigner, key_thumbprint
from tests.server_parts import NO_RESPONDER, NOW, VISIT, Authority, Card, Clock, SaidOfCards, order_row, terminal_key

AUTHORITY = "server.example:8800"
CODES = ("992011", "992020")
ORDER, PAYMENT = "7" * 32, "8" * 32
CHALLENGE_BODY = codec.encode(ChallengeRequest(visit_id=VISIT))
PDF = b"%PDF-1.7 pretended"
NAME = "窓口 花子"

Answer = TypeVar("Answer", bound=Message)


@dataclass
class FakeIssuer:
    """An issuance cycle that issues nothing: it keeps who asked, and fails on cue."""

    engine: Engine
    key: Ed25519PrivateKey
    callers: list[Caller] = field(default_factory=list)
    claims: list[tuple[str, RefundClaim]] = field(default_factory=list)
    fails_with: Exception | None = None

    def welcome(self, caller: Caller) -> Welcome:
        self._asked_by(caller)
        return Welcome("窓○ ○子", (), (), ())

    def claim_refund(self, terminal_id: str, caller: Caller | None, asked: RefundClaim) -> RefundAnswer:
        if caller is not None:
            self._asked_by(caller)
        self.claims.append((terminal_id, asked))
        return RefundAnswer(claim_id=asked.claim_id, amount_yen=500)

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
        municipality_code=caller.known_as[0].municipality_code,
        municipality_name="窓口市",
        kind="residence",
        title="住民票の写し",
        masked_names=("窓○ ○子",),
        items=(),
        fiscal_year=None,
        issue_number="R8-1",
        sheets=1,
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
    cards: SaidOfCards
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


def make_folder(tmp_path: Path, url: str) -> ServerConfig:
    """A server's folder: keys and anchors; and into a migrated database, two terminals and one linked card."""
    authority = Authority()
    keys = Keys.create(tmp_path / "keys", CODES)
    vault = Vault(keys.vault)
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
        revocation=NO_RESPONDER,
    )


def write_toml(config: ServerConfig, file: Path) -> Path:
    """Write a server's configuration as its operator does; the file's folder is no matter."""
    file.write_text(
        f'database_url = "{config.database_url}"\nkeys_folder = "{config.keys_folder}"\n'
        f'anchors_folder = "{config.anchors_folder}"\nauthorities = ["a.example"]\n'
        f'check_address = "{config.check_address}"\nproduction = false\n'
        f'[revocation]\nocsp_address = "{config.revocation.ocsp_address}"\nmax_age_s = {config.revocation.max_age_s}\n'
    )
    return file


@contextmanager
def serving(config: ServerConfig, deadline: Deadline | None = None) -> Iterator[Server]:
    """The application over that folder."""
    keys, clock = Keys.load(config.keys_folder), Clock()
    vault = Vault(keys.vault)
    engine = open_engine(config.database_url)
    issuer, cards = FakeIssuer(engine, keys.grant), SaidOfCards(clock)

    def services(own_engine: Engine) -> Services:
        own_engine.dispose()
        return Services(
            engine=engine,
            terminals=Terminals(engine, lambda: clock().timestamp()),
            issuer=issuer,
            revocation=cards,
            apply_events=partial(events.apply, engine, clock=clock),
        )

    at_once = Deadline(sleep=lambda _seconds: None)
    parts: dict[str, Any] = {"keys": keys, "vault": vault, "register": RegisterStore(vault), "clock": clock}
    app = create_app(config, services, deadline=deadline or at_once, **parts)
    yield Server(app, config, engine, keys, clock, issuer, cards, Authority().card(serial=77))
    engine.dispose()
