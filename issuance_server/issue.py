"""THE issuance cycle: from a wish to a sealed, re-checked paper, and from money to the grant to print it.

`prepare` and `grant` are linear and their steps are numbered. The intent is committed before anything is signed; no
rendering, signing or network happens inside a transaction; what a step found is handed on as a value. Everything that
may have changed since the paper was prepared is looked at again in the transaction that grants it (S13, S21).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from issuance_server import (
    audit_log,
    cases,
    check_codes,
    documents,
    events,
    ledger,
    payments,
    reissues,
    restores,
    retries,
    rules,
    sealing,
    snapshots,
)
from issuance_server.cases import CaseReason, Subject
from issuance_server.database import read
from issuance_server.holders import STOPPED, Holders
from issuance_server.keys import Keys
from issuance_server.ledger import Guard, Order, OrderEvent, OrderState
from issuance_server.masking import masked
from issuance_server.offers import MemberRefs
from issuance_server.reception import Reception, Welcome
from issuance_server.register.person import Person
from issuance_server.register.store import RegisterStore
from issuance_server.rules import JST, Asked, Clock, Decision, utc_now
from issuance_server.sessions import Caller, count_preparation
from issuance_server.settings import MunicipalitySettings, certifier_on
from issuance_server.settings_store import SettingsStore
from issuance_server.snapshots import Snapshot
from issuance_server.turns import turn
from issuance_server.vault import Vault
from printing.paper import certificates, recheck, seal
from printing.paper.build import build_id
from printing.paper.errors import NoEra, PaperError, UndrawableText, UnknownFiscalYear, ValueTooLong
from printing.paper.fonts import Fonts
from printing.paper.recheck import Expected
from printing.paper.records import Back, Certificate, Certifier, Issuance
from protocol import codes
from protocol import grant as grants
from protocol.errors import ErrorCode, IssueError
from protocol.messages import (
    GrantAnswer,
    GrantRequest,
    Message,
    PreparedOrder,
    PrepareRequest,
    RefundAnswer,
    RefundClaim,
)

Renderer = Callable[[Fonts, Certificate, Issuance, str], bytes]
Reread = Callable[[bytes, Expected], None]
RequireCurrent = Callable[[Connection, datetime], None]
RandomBytes = Callable[[int], bytes]

_STATUS_ID_BYTES: Final = 16
_SALT_BYTES: Final = 16
_GRANT_ID_BYTES: Final = 16
_OLDER: Final = "order: prepared by an older build, which cannot be drawn again"
#: pdfium draws one page at a time in a process. Workers serve one request at a time, so that nobody waits here.
_DRAWING: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Draft:
    """What was decided and looked up, before a number is taken."""

    caller: Caller
    request: PrepareRequest
    settings: MunicipalitySettings
    person: Person
    asked: Asked
    decision: Decision
    certificate: Certificate
    now_utc: datetime


class Issuer:
    """Issues for all municipalities of this server; it holds no state of its own."""

    def __init__(
        self,
        *,
        engine: Engine,
        vault: Vault,
        keys: Keys,
        settings_store: SettingsStore,
        register: RegisterStore,
        fonts: Fonts,
        check_address: str,
        clock: Clock = utc_now,
        random_bytes: RandomBytes = secrets.token_bytes,
        render: Renderer = certificates.render,
        reread: Reread = recheck.recheck,
        require_current: RequireCurrent = audit_log.require_current,
        build: str | None = None,
    ) -> None:
        """render, reread, require_current and build are arguments for tests alone: each check's fault, with it off."""
        self._engine = engine
        self._vault = vault
        self._keys = keys
        self._holders = Holders(register=register, settings_store=settings_store, key=keys.challenge)
        self._reception = Reception(engine=engine, holders=self._holders, vault=vault, key=keys.challenge)
        self._fonts = fonts
        self._check_address = check_address
        self._clock = clock
        self._random_bytes = random_bytes
        self._render = render
        self._reread = reread
        self._require_current = require_current
        self._build = build_id(fonts) if build is None else build

    def welcome(self, caller: Caller) -> Welcome:
        """Return who is there, masked, and what is there for them. Errors: those of `Reception.welcome`."""
        _check_session(caller, self._clock())
        return self._reception.welcome(caller, self._clock())

    def claim_refund(self, terminal_id: str, caller: Caller | None, asked: RefundClaim) -> RefundAnswer:
        """Return the claim of a refund. Errors: those of `Reception.claim_refund`."""
        return self._reception.claim_refund(terminal_id, caller, asked, self._clock())

    def prepare(self, caller: Caller, request: PrepareRequest) -> tuple[PreparedOrder, bytes]:
        """Return one prepared order and its PDF. The same request again gives the same answer and changes no row.

        Errors: IssueError SESSION_EXPIRED, TOO_MANY_PREPARATIONS; NOT_OFFERED, NOT_OFFERED_NOW, NOT_ISSUABLE_HERE,
                GLYPH_NOT_PRINTABLE, FORM_TOO_SMALL; ORDER_CONFLICT, ORDER_IN_FLIGHT, ORDER_STATE; SERVICE_RENEWED;
                ISSUING_STOPPED, INTEGRITY_STOP, RECORDS_BEHIND; BUSY while the seal's key cannot be used.
        """
        # 1. The session. An order id that is known is answered from what is stored.
        now_utc = self._clock()
        _check_session(caller, now_utc)
        code = caller.at(request.municipality_code).municipality_code
        with read(self._engine) as connection:
            known = ledger.find(connection, request.order_id)
            if known is None:
                # 2. The person, afresh from the card's certificate.
                settings, person = self._holders.look_up(connection, caller, code, request.kind, now_utc)
        if known is not None:
            return self._answer_again(known, caller, request, now_utc)
        # 3. The rules.
        asked = self._refs(caller).asked(request, person)
        decision = rules.decide(settings, person, asked, now_utc)
        if request.replaces is not None:
            with read(self._engine) as connection:
                reissues.check(
                    connection, self._vault, reissues.claimant(self._vault, person, now_utc), request.replaces, asked
                )
            decision = reissues.free(decision)
        # 4. The document; what cannot be drawn or sealed is refused before a number is taken.
        certificate = documents.certificate(person, asked, decision)
        draft = _Draft(caller, request, settings, person, asked, decision, certificate, now_utc)
        self._check_drawable(draft)
        sealing.require_key(self._keys.seals, code, now_utc.astimezone(JST).date())
        # 5. The intent is committed: id, fingerprint, number, snapshot, lease.
        try:
            order, snapshot = self._intend(draft)
        except IntegrityError:
            # The same id came twice at once, and the other was quicker.
            with read(self._engine) as connection:
                known = ledger.find(connection, request.order_id)
            if known is None:
                raise
            return self._answer_again(known, caller, request, now_utc)
        return self._finish(order, snapshot)

    def repeat(self, caller: Caller, order_id: str) -> tuple[PreparedOrder, bytes]:
        """Return a prepared order and its PDF again.

        Errors: IssueError SESSION_EXPIRED, UNKNOWN_ORDER, ORDER_IN_FLIGHT, ORDER_STATE, SERVICE_RENEWED,
                ISSUING_STOPPED, INTEGRITY_STOP; NOT_OFFERED, NOT_OFFERED_NOW, NOT_ISSUABLE_HERE, RECORD_CHANGED where
                it would not be prepared any more.
        """
        now_utc = self._clock()
        _check_session(caller, now_utc)
        with read(self._engine) as connection:
            order = _own(connection, caller, order_id)
        return self._answer(order, caller, now_utc)

    def grant(self, caller: Caller, order_id: str, request: GrantRequest) -> GrantAnswer:
        """Return the single-use grant to print one prepared order; the same request again gets the same grant.

        Shape:  caller.card is what its authority said of the card just now.
        Errors: IssueError SESSION_EXPIRED, UNKNOWN_ORDER, ORDER_STATE, ORDER_CONFLICT; NOT_OFFERED, NOT_OFFERED_NOW,
                CARD_STATUS_UNKNOWN, NOT_ISSUABLE_HERE, RECORD_CHANGED, SERVICE_RENEWED; PAYMENT_INSUFFICIENT;
                ISSUING_STOPPED, INTEGRITY_STOP, RECORDS_BEHIND.
        """
        # 1. The session and its order; a grant that stands is given again, while it still would be given.
        now_utc = self._clock()
        _check_session(caller, now_utc)
        fingerprint = _fingerprint(request)
        with read(self._engine) as connection:
            order = _own(connection, caller, order_id)
            stored = ledger.stored_grant(order, fingerprint)
            if stored is not None:
                self._check_again(connection, caller, order, now_utc)
                return stored
        # 2. Time: a paper that was prepared too long ago is void.
        if order.expires_at_utc <= now_utc:
            self._void(order, OrderEvent.TIME_OUT, Guard.EXPIRED, now_utc)
            raise IssueError(ErrorCode.ORDER_STATE, "order: prepared too long ago")
        # 3. The grant, signed outside the transaction; it leaves this function only if the transaction is committed.
        answer = self._sign_grant(order, now_utc)
        with turn(self._engine, order.terminal_id) as connection:
            # 4. Stops, hours, link, record and rules again.
            restores.require_none(connection)
            self._require_current(connection, now_utc)
            order = _own(connection, caller, order_id)
            self._check_again(connection, caller, order, now_utc)
            # 5. The order as it is now: the same request may have come twice at once.
            stored = ledger.stored_grant(order, fingerprint)
            if stored is not None:
                return stored
            # 6. The money, and the order's state.
            ledger.move(
                connection,
                order,
                OrderEvent.GRANT,
                guard=Guard.ENTITLED_AND_PAID,
                at_utc=now_utc,
                values={
                    "new_grant_fingerprint": fingerprint,
                    "new_grant_bytes": answer.grant,
                    "new_grant_signature": answer.signature,
                    "new_payment_id": request.payment_id,
                    "new_card_source": caller.card.source.value,
                    "new_card_as_of_utc": caller.card.as_of_utc,
                },
            )
            payments.reserve(connection, order, request, now_utc)
        return answer

    # Looking up

    def _check_allowed(
        self, connection: Connection, caller: Caller, order: Order, now_utc: datetime
    ) -> tuple[Snapshot, Person]:
        """Look at stops, hours, link and rules again."""
        code, kind = order.municipality_code, order.kind
        settings, person = self._holders.look_up(connection, caller, code, kind, now_utc)
        snapshot = self._open(connection, order)
        rules.decide(settings, person, snapshot.asked, now_utc)
        return snapshot, person

    def _check_again(self, connection: Connection, caller: Caller, order: Order, now_utc: datetime) -> None:
        """Look at all that again, and at the versions of every record that was read for the paper."""
        snapshot, person = self._check_allowed(connection, caller, order, now_utc)
        if person.person_id != snapshot.requester_id or person.records_digest != order.records_digest:
            raise IssueError(ErrorCode.RECORD_CHANGED, "register: changed since the paper was prepared")
        seal_text = ledger.opened_seal(self._vault, order)
        assert seal_text is not None
        code, on_jst = order.municipality_code, snapshot.issuance.issued_on_jst
        sealing.require_in_force(self._keys.seals, code, seal_text, on_jst)

    def _refs(self, caller: Caller) -> MemberRefs:
        return MemberRefs(self._keys.challenge, caller.session_hash)

    # Preparing

    def _check_drawable(self, draft: _Draft) -> None:
        """Refuse what the paper cannot say; the error names nothing of the person's."""
        year = draft.now_utc.astimezone(JST).year
        issuance = self._issuance(draft, ledger.issue_number(year, 0), codes.readable(bytes(check_codes.CODE_BYTES)))
        try:
            certificates.check(self._fonts, draft.certificate, issuance)
        except UndrawableText:
            raise IssueError(ErrorCode.GLYPH_NOT_PRINTABLE) from None
        except ValueTooLong as error:
            raise IssueError(ErrorCode.FORM_TOO_SMALL, f"{error.item}: longer than the form holds") from None
        except UnknownFiscalYear as unknown:
            raise IssueError(ErrorCode.NOT_OFFERED, str(unknown)) from None
        except NoEra:
            raise IssueError(ErrorCode.FORM_TOO_SMALL, "a date: before the calendar that the form knows") from None
        except PaperError:
            # A record that contradicts itself is the municipality's to mend; here it says something about a person.
            raise IssueError(ErrorCode.NOT_ISSUABLE_HERE) from None

    def _intend(self, draft: _Draft) -> tuple[Order, Snapshot]:
        caller, request, now_utc = draft.caller, draft.request, draft.now_utc
        claimant = reissues.claimant(self._vault, draft.person, now_utc)
        code, year = draft.person.municipality_code, now_utc.astimezone(JST).year
        with turn(self._engine, caller.terminal_id) as connection:
            restores.require_none(connection)
            self._require_current(connection, now_utc)
            if cases.is_stopped(connection, code):
                raise IssueError(ErrorCode.INTEGRITY_STOP, STOPPED)
            if events.are_about(connection, caller.terminal_id, request.order_id):
                raise IssueError(ErrorCode.ORDER_STATE, "order_id: given up before it arrived")
            ledger.void_expired(connection, caller.terminal_id, now_utc)
            count_preparation(connection, caller.session_hash, now_utc)
            number = ledger.next_number(connection, code, year)
            snapshot = self._snapshot(draft, ledger.issue_number(year, number))
            row = {
                "municipality_code": code,
                "order_id": request.order_id,
                "terminal_id": caller.terminal_id,
                "session_hash": caller.session_hash,
                "visit_id": caller.visit_id,
                "fingerprint": _fingerprint(request),
                "requester_digest": claimant.requester_digest,
                "card_source": caller.card.source.value,
                "card_as_of_utc": caller.card.as_of_utc,
                "kind": draft.decision.kind.value,
                "number_year": year,
                "number": number,
                "status_id": self._random_bytes(_STATUS_ID_BYTES),
                "fee_yen": draft.decision.fee.fee_yen,
                "commission_yen": draft.decision.fee.commission_yen,
                "snapshot": snapshots.seal(self._vault, code, request.order_id, snapshot),
                "records_digest": draft.person.records_digest,
                "lease_until_utc": now_utc + ledger.LEASE,
                "expires_at_utc": now_utc + ledger.LIFE,
                "check_digest": check_codes.digest(
                    self._keys.check, snapshot.issuance.issue_number, snapshot.issuance.check_code
                ),
            }
            order = ledger.intend(connection, row, now_utc)
            if request.replaces is not None:
                reissues.use(
                    connection, reissues.claimant(self._vault, draft.person, now_utc), request.replaces, order.order_id
                )
        return order, snapshot

    def _snapshot(self, draft: _Draft, issue_number: str) -> Snapshot:
        return Snapshot(
            requester_id=draft.person.person_id,
            masked_requester=masked(draft.person.name),
            asked=draft.asked,
            certificate=draft.certificate,
            issuance=self._issuance(draft, issue_number, codes.readable(self._random_bytes(check_codes.CODE_BYTES))),
            municipality_name=draft.settings.municipality_name,
            expected=documents.expected(
                draft.person,
                draft.asked,
                draft.decision,
                issue_number=issue_number,
                sheets=certificates.sheets(draft.certificate),
                back=self._back(draft.settings),
            ),
            binding=draft.request.binding,
            salt=self._random_bytes(_SALT_BYTES),
            build=self._build,
        )

    def _issuance(self, draft: _Draft, issue_number: str, check_code: str) -> Issuance:
        settings = draft.settings
        issued_on_jst = draft.now_utc.astimezone(JST).date()
        certifier = certifier_on(settings, draft.decision.kind, issued_on_jst)
        return Issuance(
            issue_number=issue_number,
            issued_on_jst=issued_on_jst,
            certifier=Certifier(
                municipality_code=settings.municipality_code,
                municipality_name=settings.municipality_name,
                office=certifier.office,
                title=certifier.title,
                name=certifier.name,
                seal_png=certifier.seal_png,
                specimen=settings.specimen,
                contact=settings.contact,
            ),
            check_code=check_code,
            check_address=self._check_address,
            latent_screen=settings.latent_screen,
        )

    def _back(self, settings: MunicipalitySettings) -> Back:
        return Back(
            municipality_name=settings.municipality_name,
            check_address=self._check_address,
            specimen=settings.specimen,
            latent_screen=settings.latent_screen,
            contact=settings.contact,
        )

    def _finish(self, order: Order, snapshot: Snapshot) -> tuple[PreparedOrder, bytes]:
        """Steps 6 to 8: what was intended becomes bytes, and the bytes are read again before anybody may have them."""
        # 6. Seal and render, outside any transaction.
        content = seal.content_of(
            snapshot.certificate,
            snapshot.issuance,
            status_id=order.status_id,
            binding=snapshot.binding,
            salt=snapshot.salt,
        )
        try:
            seal_text = sealing.sealed(self._keys.seals, content)
        except IssueError:
            with turn(self._engine, order.terminal_id) as connection:
                ledger.give_lease_back(connection, order, self._clock())
            raise
        with _DRAWING:
            pdf = self._render(self._fonts, snapshot.certificate, snapshot.issuance, seal_text)
            # 7. Another parser reads the finished bytes: subject, document and number.
            #    The number is the row's, not the snapshot's: a snapshot of another order is seen by it.
            expected = msgspec.structs.replace(snapshot.expected, issue_number=order.issue_number)
            disagreement = self._disagreement(pdf, expected)
        now_utc = self._clock()
        if disagreement is not None:
            self._stop(order, now_utc)
            raise IssueError(ErrorCode.INTEGRITY_STOP, disagreement)
        # 8. PREPARED, if this worker still holds the lease; else its late result is thrown away.
        digest, expires_at_utc = hashlib.sha256(pdf).digest(), now_utc + ledger.LIFE
        with turn(self._engine, order.terminal_id) as connection:
            ledger.move(
                connection,
                order,
                OrderEvent.PREPARE,
                guard=Guard.RECHECKED,
                at_utc=now_utc,
                values={
                    "lease": order.lease_until_utc,
                    "new_seal_blob": ledger.sealed_seal(self._vault, order, seal_text),
                    "new_seal_for_code": check_codes.seal_under(
                        snapshot.issuance.issue_number, snapshot.issuance.check_code, seal_text
                    ),
                    "new_statement_sha256": seal.statement_digest(seal_text),
                    "new_pdf_sha256": digest,
                    "new_sheets": snapshot.expected.sheets,
                    "new_expires_at_utc": expires_at_utc,
                },
            )
        return snapshots.prepared(order, snapshot, digest, expires_at_utc), pdf

    def _disagreement(self, pdf: bytes, expected: Expected) -> str | None:
        """Return which fact of a finished PDF disagrees, or None."""
        try:
            self._reread(pdf, expected)
        except recheck.RecheckFailed as failed:
            return failed.what
        return None

    # Answering again

    def _answer_again(
        self, order: Order, caller: Caller, request: PrepareRequest, now_utc: datetime
    ) -> tuple[PreparedOrder, bytes]:
        if order.session_hash != caller.session_hash or order.fingerprint != _fingerprint(request):
            raise IssueError(ErrorCode.ORDER_CONFLICT, "order_id: another request has this id")
        return self._answer(order, caller, now_utc)

    def _answer(self, order: Order, caller: Caller, now_utc: datetime) -> tuple[PreparedOrder, bytes]:
        """Answer with what is stored, as it was stored; but what a stop hides since is not told again."""
        if order.state not in {OrderState.INTENDED, OrderState.PREPARED, OrderState.GRANTED}:
            raise IssueError(ErrorCode.ORDER_STATE, f"order: {order.state.value}")
        if order.state is not OrderState.GRANTED and order.expires_at_utc <= now_utc:
            self._void(order, OrderEvent.TIME_OUT, Guard.EXPIRED, now_utc)
            raise IssueError(ErrorCode.ORDER_STATE, "order: its time is over")
        with read(self._engine) as connection:
            snapshot, _person = self._check_allowed(connection, caller, order, now_utc)
        if order.state is OrderState.INTENDED:
            return self._take_over(order, snapshot, now_utc)
        return self._render_again(order, snapshot, now_utc)

    def _take_over(self, order: Order, snapshot: Snapshot, now_utc: datetime) -> tuple[PreparedOrder, bytes]:
        """Render an intent whose worker did not come back; while its lease runs, or if another was quicker, wait."""
        if now_utc >= order.lease_until_utc:
            if snapshot.build != self._build:
                raise self._outlived(order, now_utc)
            with turn(self._engine, order.terminal_id) as connection:
                held = ledger.take_lease(connection, order, now_utc)
            if held is not None:
                finished = self._finish(held, snapshot)
                with turn(self._engine, order.terminal_id) as connection:  # why did the first worker not come back?
                    retries.note_worked(connection, order, now_utc)
                return finished
        raise IssueError(ErrorCode.ORDER_IN_FLIGHT, "order_id: it is being prepared")

    def _render_again(self, order: Order, snapshot: Snapshot, now_utc: datetime) -> tuple[PreparedOrder, bytes]:
        seal_text = ledger.opened_seal(self._vault, order)
        if seal_text is None:
            raise IssueError(ErrorCode.SERVICE_RENEWED, _OLDER)
        assert order.pdf_sha256 is not None
        same_build = snapshot.build == self._build
        try:
            with _DRAWING:
                pdf = self._render(self._fonts, snapshot.certificate, snapshot.issuance, seal_text)
        except PaperError:
            if same_build:
                raise
            raise self._outlived(order, now_utc) from None
        if hashlib.sha256(pdf).digest() != order.pdf_sha256:
            if not same_build:
                raise self._outlived(order, now_utc)
            self._stop(order, now_utc)
            raise IssueError(ErrorCode.INTEGRITY_STOP, "pdf: rendered again, it is not what was checked")
        return snapshots.prepared(order, snapshot, order.pdf_sha256, order.expires_at_utc), pdf

    def _open(self, connection: Connection, order: Order) -> Snapshot:
        blob = ledger.snapshot(connection, order.order_id)
        try:
            return snapshots.open_sealed(self._vault, order.municipality_code, order.order_id, blob)
        except msgspec.DecodeError:  # its own words would show what stands there; time voids the order
            raise IssueError(ErrorCode.SERVICE_RENEWED, "order: another build of the server wrote it") from None

    def _outlived(self, order: Order, now_utc: datetime) -> IssueError:
        """A deployment came between: nothing is wrong, but nobody can make that paper's bytes any more.

        What was granted stays with the terminal, which alone knows whether it is printed.
        """
        if (order.state, OrderEvent.OTHER_BUILD) in ledger.TRANSITIONS:
            self._void(order, OrderEvent.OTHER_BUILD, Guard.ANOTHER_BUILD, now_utc)
        return IssueError(ErrorCode.SERVICE_RENEWED, "order: another build of the server began it")

    # Giving up

    def _void(self, order: Order, event: OrderEvent, guard: Guard, now_utc: datetime) -> None:
        with turn(self._engine, order.terminal_id) as connection:
            ledger.move(connection, order, event, guard=guard, at_utc=now_utc)

    def _stop(self, order: Order, now_utc: datetime) -> None:
        """A paper is not what was ordered: the order is void, its municipality stops, a human is called (S6)."""
        subject = Subject(order.municipality_code, order.terminal_id, order_id=order.order_id)
        with turn(self._engine, order.terminal_id) as connection:
            cases.stop_municipality(connection, order.municipality_code, order.order_id, now_utc)
            cases.open_case(connection, CaseReason.RECHECK_FAILED, subject, now_utc)
            current = ledger.find(connection, order.order_id)
            if current is not None and (current.state, OrderEvent.RECHECK_FAILED) in ledger.TRANSITIONS:
                guard = Guard.RECHECK_DISAGREED
                ledger.move(connection, current, OrderEvent.RECHECK_FAILED, guard=guard, at_utc=now_utc)

    def _sign_grant(self, order: Order, now_utc: datetime) -> GrantAnswer:
        assert order.pdf_sha256 is not None
        grant = grants.Grant(
            grant_id=self._random_bytes(_GRANT_ID_BYTES).hex(),
            order_id=order.order_id,
            pdf_sha256=order.pdf_sha256,
            terminal_id=order.terminal_id,
            granted_at_utc=now_utc,
        )
        return grants.sign(grant, self._keys.grant)


def _check_session(caller: Caller, now_utc: datetime) -> None:
    if caller.expires_at_utc <= now_utc:
        raise IssueError(ErrorCode.SESSION_EXPIRED, "session: over")


def _own(connection: Connection, caller: Caller, order_id: str) -> Order:
    """Return an order of this very session; any other is unknown to it."""
    order = ledger.find(connection, order_id)
    if order is None or order.session_hash != caller.session_hash or order.terminal_id != caller.terminal_id:
        raise IssueError(ErrorCode.UNKNOWN_ORDER, "order_id: this session has no such order")
    return order


def _fingerprint(request: Message) -> bytes:
    return hashlib.sha256(msgspec.json.encode(request)).digest()
