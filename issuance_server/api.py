"""The terminals' routes: the five requests of a visit, an order repeated, and the description of it all.

Every route begins with the terminal's signature; nothing of a request is looked at before it holds. Two are without:
the description, and the one by which a terminal that nobody knows yet shows its key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from cryptography import x509
from flask import Blueprint, Response, g, request
from sqlalchemy import Engine

from issuance_server import boots, card_auth, enrolments, openapi, restores, sessions, stops
from issuance_server.card_auth import Anchors
from issuance_server.database import read, write
from issuance_server.keys import Keys
from issuance_server.reception import Welcome
from issuance_server.register.store import RegisterStore
from issuance_server.revocation import CardStatus, Revocation
from issuance_server.rules import Clock
from issuance_server.sessions import Caller, KnownAs
from issuance_server.stops import Asking
from issuance_server.terminals import Terminal, Terminals
from issuance_server.vault import Vault
from protocol import codec, messages
from protocol.errors import ErrorCode, IssueError
from protocol.messages import (
    AuthenticateAnswer,
    AuthenticateRequest,
    BootRequest,
    ChallengeAnswer,
    ChallengeRequest,
    CodeAnswer,
    CodeQuestion,
    CodeRequest,
    CodeStatus,
    EnrolAnswer,
    EnrolRequest,
    Event,
    EventsAnswer,
    EventsRequest,
    GrantAnswer,
    GrantRequest,
    Message,
    PreparedOrder,
    PrepareRequest,
    RefundAnswer,
    RefundClaim,
)
from protocol.signing import CONTENT_TYPE, verify_event, verify_request

PDF_TYPE: Final = "application/pdf"
_ORDER_ID: Final = re.compile("[0-9a-f]{32}")


class Issuing(Protocol):
    """What the routes ask of the issuance cycle (issue.py)."""

    def welcome(self, caller: Caller) -> Welcome:
        """Return the masked name, and what is there for its holder."""
        ...

    def claim_refund(self, terminal_id: str, caller: Caller | None, asked: RefundClaim) -> RefundAnswer:
        """Return the claim of a refund."""
        ...

    def prepare(self, caller: Caller, wanted: PrepareRequest) -> tuple[PreparedOrder, bytes]:
        """Return the prepared order and its PDF."""
        ...

    def repeat(self, caller: Caller, order_id: str) -> tuple[PreparedOrder, bytes]:
        """Return what was prepared, again."""
        ...

    def grant(self, caller: Caller, order_id: str, wanted: GrantRequest) -> GrantAnswer:
        """Return the grant."""
        ...


class Codes(Protocol):
    """What the routes ask of the payments by QR code (qr_desk.py)."""

    def show(self, caller: Caller, asked: CodeRequest) -> CodeAnswer:
        """Return the code of a payment."""
        ...

    def look(self, terminal_id: str, payment_id: str) -> CodeStatus:
        """Return how it stands."""
        ...


@dataclass(frozen=True)
class Services:
    """What a worker process has of its own, made after the fork."""

    engine: Engine
    terminals: Terminals
    issuer: Issuing
    revocation: Revocation
    apply_events: Callable[[str, tuple[Event, ...]], int]
    codes: Codes | None = None  # None: this operator has no provider of payments by QR code


def note(**fields: str | int) -> None:
    """Add ids and counts to the request's one log line; never anything of a person."""
    g.line.update(fields)


class Api:
    """The routes. services is called in each request: a process makes its own on its first."""

    def __init__(
        self,
        *,
        authorities: tuple[str, ...],
        keys: Keys,
        vault: Vault,
        anchors: Anchors,
        register: RegisterStore,
        clock: Clock,
        services: Callable[[], Services],
    ) -> None:
        self._authorities = authorities
        self._keys = keys
        self._vault = vault
        self._anchors = anchors
        self._register = register
        self._clock = clock
        self._services = services

    def blueprint(self) -> Blueprint:
        """Return the routes."""
        routes = Blueprint("api", __name__)
        order = f"{messages.PATH_ORDERS}/<order_id>"
        routes.add_url_rule(messages.PATH_CHALLENGE, view_func=self.challenge, methods=["POST"])
        routes.add_url_rule(messages.PATH_AUTHENTICATE, view_func=self.authenticate, methods=["POST"])
        routes.add_url_rule(messages.PATH_ORDERS, view_func=self.prepare, methods=["POST"])
        routes.add_url_rule(order, view_func=self.repeat, methods=["GET"])
        routes.add_url_rule(f"{order}/grant", view_func=self.grant, methods=["POST"])
        routes.add_url_rule(messages.PATH_REFUNDS, view_func=self.claim_refund, methods=["POST"])
        routes.add_url_rule(messages.PATH_CODES, view_func=self.show_code, methods=["POST"])
        routes.add_url_rule(messages.PATH_CODE_STATUS, view_func=self.look_at_code, methods=["POST"])
        routes.add_url_rule(messages.PATH_EVENTS, view_func=self.events, methods=["POST"])
        routes.add_url_rule(messages.PATH_BOOT, view_func=self.boot, methods=["POST"])
        routes.add_url_rule(messages.PATH_ENROLMENTS, view_func=self.enrol, methods=["POST"])
        routes.add_url_rule(messages.PATH_OPENAPI, view_func=self.description, methods=["GET"])
        return routes

    def challenge(self) -> Response:
        """1. Hand out a challenge; no row is written. Where nothing can be issued, nobody is asked for a card."""
        terminal, body = self._signed()
        restores.require_none_for(self._services().engine, terminal.terminal_id)
        with read(self._services().engine) as connection:
            stops.require_none(connection, Asking(terminal.terminal_id, terminal.operator))
        asked = codec.decode(ChallengeRequest, body)
        note(visit_id=asked.visit_id)
        challenge = card_auth.new_challenge(
            self._keys.challenge, terminal_id=terminal.terminal_id, visit_id=asked.visit_id, now_utc=self._clock()
        )
        return _json(ChallengeAnswer(challenge=challenge.token, expires_at_utc=challenge.expires_at_utc))

    def authenticate(self) -> Response:
        """2. Card, certificate and signature; then whose it is; then what can be had."""
        terminal, body = self._signed()
        asked = codec.decode(AuthenticateRequest, body)
        note(visit_id=asked.visit_id)
        session_id, caller = self._authenticate(terminal, asked)
        _note_municipalities(caller)
        welcome = self._services().issuer.welcome(caller)
        answer = AuthenticateAnswer(
            session_id=session_id,
            expires_at_utc=caller.expires_at_utc,
            masked_name=welcome.masked_name,
            offers=welcome.offers,
            reissues=welcome.reissues,
            refunds=welcome.refunds,
        )
        return _json(answer)

    def prepare(self) -> Response:
        """3. Prepare one order; the answer is the PDF."""
        terminal, body = self._signed()
        asked = codec.decode(PrepareRequest, body)
        note(order_id=asked.order_id)
        caller = self._caller(terminal, asked.session_id)
        note(municipality=asked.municipality_code)
        return _pdf(*self._services().issuer.prepare(caller, asked))

    def repeat(self, order_id: str) -> Response:
        """3a. The same order's PDF again, for an answer that was lost."""
        terminal, _ = self._signed()
        order_id = _checked(order_id)
        with read(self._services().engine) as connection:
            caller = sessions.find_session_of_order(connection, order_id, terminal, self._clock())
        _note_municipalities(caller)
        note(visit_id=caller.visit_id)
        return _pdf(*self._services().issuer.repeat(caller, order_id))

    def grant(self, order_id: str) -> Response:
        """4. The grant to print one order; the card's authority is asked once more (S13)."""
        terminal, body = self._signed()
        order_id = _checked(order_id)
        asked = codec.decode(GrantRequest, body)
        note(payment_id=asked.payment_id)
        caller = self._asked_again(self._caller(terminal, asked.session_id), asked.session_id)
        return _json(self._services().issuer.grant(caller, order_id, asked))

    def show_code(self) -> Response:
        """Have a code made that a resident pays by."""
        terminal, body = self._signed()
        asked = codec.decode(CodeRequest, body)
        note(payment_id=asked.payment_id)
        return _json(self._codes().show(self._caller(terminal, asked.session_id), asked))

    def look_at_code(self) -> Response:
        """Say whether somebody has agreed to pay."""
        terminal, body = self._signed()
        asked = codec.decode(CodeQuestion, body)
        note(payment_id=asked.payment_id)
        return _json(self._codes().look(terminal.terminal_id, asked.payment_id))

    def _codes(self) -> Codes:
        codes = self._services().codes
        if codes is None:
            raise IssueError(ErrorCode.NOT_FOUND, "no provider of payments by QR code")
        return codes

    def claim_refund(self) -> Response:
        """Claim a refund that this terminal is about to pay out."""
        terminal, body = self._signed()
        asked = codec.decode(RefundClaim, body)
        note(claim_id=asked.claim_id)
        caller = None if asked.session_id is None else self._caller(terminal, asked.session_id)
        return _json(self._services().issuer.claim_refund(terminal.terminal_id, caller, asked))

    def events(self) -> Response:
        """5. What happened: each event with the terminal's own signature, checked before any is applied."""
        terminal, body = self._signed()
        asked = codec.decode(EventsRequest, body)
        told = tuple(verify_event(signed, terminal.public_key) for signed in asked.events)
        note(events=len(told), first_sequence=told[0].sequence)
        services = self._services()
        accepted = services.apply_events(terminal.terminal_id, told)
        backed_up = boots.backed_up_through(services.engine, terminal.terminal_id)
        return _json(EventsAnswer(accepted_through=accepted, backed_up_through=min(accepted, backed_up)))

    def boot(self) -> Response:
        """A terminal began: with which journal, and what the server has of it."""
        terminal, body = self._signed()
        asked = codec.decode(BootRequest, body)
        note(boot=asked.boot_number, last_sequence=asked.last_sequence)
        return _json(boots.handshake(self._services().engine, terminal.terminal_id, asked, self._clock()))

    def enrol(self) -> Response:
        """A terminal that nobody knows yet shows its key: nothing but an invitation's code speaks for it."""
        asked = codec.decode(EnrolRequest, request.get_data(cache=False))
        with read(self._services().engine) as connection:  # a flood of wrong codes locks and costs nothing
            enrolments.require_known(connection, asked.code, self._clock())
        with write(self._services().engine) as connection:
            terminal_id = enrolments.show(connection, asked, self._clock())
        note(invited=terminal_id)
        return _json(EnrolAnswer(terminal_id=terminal_id))

    def description(self) -> Response:
        """The OpenAPI description, for whoever writes a terminal; it is open to all."""
        return Response(openapi.document(), content_type=CONTENT_TYPE)

    def _signed(self) -> tuple[Terminal, bytes]:
        """Return the terminal that signed this request, and its body. Errors: those of `signing.verify_request`."""
        authority = request.environ.get("HTTP_HOST", "").lower()
        target = request.environ["RAW_URI"]  # as it was sent: a decoded path is not what was signed
        if authority not in self._authorities or not target.startswith("/"):
            raise IssueError(ErrorCode.SIGNATURE_INVALID, "`Host` is none that this server answers to")
        body = request.get_data(cache=False)
        terminals = self._services().terminals
        terminal_id = verify_request(
            request.method,
            f"{request.scheme}://{authority}{target}",
            {name.lower(): value for name, value in request.headers},
            body,
            resolve_key=terminals.public_key,
            now_utc=self._clock(),
        )
        note(terminal=terminal_id)
        return terminals.active(terminal_id), body

    def _caller(self, terminal: Terminal, session_id: str) -> Caller:
        with read(self._services().engine) as connection:
            caller = sessions.find_session(connection, session_id, terminal, self._clock())
        _note_municipalities(caller)
        note(visit_id=caller.visit_id)
        return caller

    def _authenticate(self, terminal: Terminal, asked: AuthenticateRequest) -> tuple[str, Caller]:
        now_utc = self._clock()
        # 1. The challenge is ours, this terminal's and this visit's, and fresh.
        challenge = card_auth.check_challenge(
            self._keys.challenge,
            asked.challenge,
            terminal_id=terminal.terminal_id,
            visit_id=asked.visit_id,
            now_utc=now_utc,
        )
        # 2. The card's certificate and its signature over the challenge.
        card = card_auth.verify_card(
            certificate_der=asked.certificate,
            signature=asked.signature,
            challenge=challenge,
            terminal_id=terminal.terminal_id,
            terminal_key_thumbprint=terminal.key_thumbprint,
            anchors=self._anchors,
            now_utc=now_utc,
        )
        # 3. Its authority says that it is good.
        status = self._check_status(card.certificate, card.issuer)
        # 4. What each municipality would know this card by.
        digests = {
            code: self._vault.link_digest(code, card.issuer_key_sha256, card.serial)
            for code in self._keys.municipality_codes
        }
        # 5. In one transaction: the challenge is used up, whom its links name found, the session opened. The challenge
        #    stays used when nobody is found.
        with write(self._services().engine) as connection:
            card_auth.use_challenge(connection, challenge, now_utc)
            found = self._register.find_links(connection, digests)
            if found:
                return sessions.open_session(
                    connection,
                    terminal=terminal,
                    known_as=[
                        KnownAs(code, digests[code], self._holder(code, asked.visit_id, person_id))
                        for code, person_id in found.items()
                    ],
                    visit_id=asked.visit_id,
                    certificate_der=asked.certificate,
                    card=status,
                    now_utc=now_utc,
                )
        raise IssueError(ErrorCode.NOT_ISSUABLE_HERE)

    def _asked_again(self, caller: Caller, session_id: str) -> Caller:
        with read(self._services().engine) as connection:
            certificate_der = sessions.card_of(connection, session_id, caller)
        certificate, issuer = card_auth.verify_certificate(certificate_der, self._anchors, self._clock())
        return replace(caller, card=self._check_status(certificate, issuer))

    def _check_status(self, certificate: x509.Certificate, issuer: x509.Certificate) -> CardStatus:
        status = self._services().revocation.check(certificate, issuer)
        note(card_status_by=status.source.value)
        return status

    def _holder(self, municipality_code: str, visit_id: str, person_id: str) -> bytes:
        return sessions.holder_digest(self._keys.challenge, municipality_code, visit_id, person_id)


def _note_municipalities(caller: Caller) -> None:
    note(municipality=" ".join(known.municipality_code for known in caller.known_as))


def _checked(order_id: str) -> str:
    if _ORDER_ID.fullmatch(order_id) is None:
        raise IssueError(ErrorCode.UNKNOWN_ORDER, "an order's id is 32 lower-case hexadecimal digits")
    note(order_id=order_id)
    return order_id


def _json(message: Message) -> Response:
    return Response(codec.encode(message), content_type=CONTENT_TYPE)


def _pdf(prepared: PreparedOrder, pdf: bytes) -> Response:
    note(kind=prepared.kind, issue_number=prepared.issue_number)
    headers = {messages.PREPARED_HEADER: codec.to_header(prepared)}
    return Response(pdf, content_type=PDF_TYPE, headers=headers)
