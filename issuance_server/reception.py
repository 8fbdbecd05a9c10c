"""Who is there and what can be had: the first answer to a card, at every municipality that knows it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from issuance_server import cases, refunds, reissues, restores, stops
from issuance_server import offers as offering
from issuance_server.cases import CaseReason, Subject
from issuance_server.database import read
from issuance_server.holders import STOPPED, Holders
from issuance_server.masking import masked
from issuance_server.offers import MemberRefs
from issuance_server.refunds import Refund, RefundState
from issuance_server.register.person import Person
from issuance_server.sessions import Caller, end_visit
from issuance_server.settings import MunicipalitySettings
from issuance_server.stops import Asking
from issuance_server.turns import turn
from issuance_server.vault import Vault
from protocol.errors import ErrorCode, IssueError
from protocol.messages import Offer, RefundAnswer, RefundClaim, RefundOffer, ReissueOffer


@dataclass(frozen=True, slots=True)
class Welcome:
    """Who is there, masked, what can be had, and what is due to them since an earlier visit."""

    masked_name: str
    offers: tuple[Offer, ...]
    reissues: tuple[ReissueOffer, ...]
    refunds: tuple[RefundOffer, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """The card's holder as one municipality of the visit knows them."""

    settings: MunicipalitySettings
    person: Person
    stopped: ErrorCode | None  # all that it issues, whoever asks
    refused: Mapping[str, ErrorCode | None]  # a kind of document, whoever asks
    reissues: tuple[ReissueOffer, ...]


class Reception:
    """Looks the card's holder up and says what is offered; it remembers nothing."""

    def __init__(self, *, engine: Engine, holders: Holders, vault: Vault, key: bytes) -> None:
        """key: the one that references to people are made with."""
        self._engine = engine
        self._holders = holders
        self._vault = vault
        self._key = key

    def welcome(self, caller: Caller, now_utc: datetime) -> Welcome:
        """Return who is there and what is there for them: destroyed papers to be had again, and what is owed.

        Errors: IssueError ISSUING_STOPPED, INTEGRITY_STOP, NOT_OFFERED, CARD_STATUS_UNKNOWN, NOT_ISSUABLE_HERE.
        """
        known: list[_Known] = []
        refusals: list[IssueError] = []
        refs = MemberRefs(self._key, caller.session_hash)
        with read(self._engine) as connection:
            for code in (link.municipality_code for link in caller.known_as):
                try:
                    known.append(self._known(connection, caller, code, refs, now_utc))
                except IssueError as refused:
                    refusals.append(refused)  # that municipality's documents alone
            due = refunds.due_to(connection, [self._requester(one.person) for one in known])
        stopped = [one.stopped for one in known]
        if stopped and all(stopped):
            raise IssueError(stopped[0] or ErrorCode.INTERNAL, STOPPED)
        if not known:
            raise refusals[0]
        self._check_same_person(caller, known, now_utc)
        # Where the person lives comes first, and with it the name by which the visit begins.
        known.sort(key=lambda one: one.person.residence is None)
        made = [
            offer
            for one in known
            for offer in offering.offers(one.settings, one.person, refs, now_utc, refused=one.refused)
        ]
        return Welcome(
            masked(known[0].person.name),
            tuple(made),
            tuple(reissue for one in known for reissue in one.reissues),
            tuple(
                RefundOffer(
                    payment_id=one.payment_id, amount_yen=one.amount_yen, in_review=one.state is RefundState.REVIEW
                )
                for one in due
            ),
        )

    def _known(self, connection: Connection, caller: Caller, code: str, refs: MemberRefs, now_utc: datetime) -> _Known:
        stands, integrity = stops.open_stops(connection), cases.is_stopped(connection, code)

        def refusal(kind: str | None = None) -> ErrorCode | None:
            if integrity:
                return ErrorCode.INTEGRITY_STOP
            ends = stops.reaches(stands, Asking(caller.terminal_id, caller.operator, code, kind))
            return ErrorCode.ISSUING_STOPPED if ends else None

        settings, person = self._holders.who(connection, caller, code, now_utc)
        refused = {document.kind: refusal(document.kind) for document in settings.documents}
        claimant = reissues.claimant(self._vault, person, now_utc)
        found = reissues.offers(connection, self._vault, claimant, person, refs)
        return _Known(
            settings, person, refusal(), refused, tuple(one for one in found if refused.get(one.kind) is None)
        )

    def _requester(self, person: Person) -> tuple[str, bytes]:
        code = person.municipality_code
        return code, self._vault.requester_digest(code, person.person_id)

    def claim_refund(
        self, terminal_id: str, caller: Caller | None, asked: RefundClaim, now_utc: datetime
    ) -> RefundAnswer:
        """Claim a refund for a terminal, by its code or by the session's card; the same claim again is granted again.

        Errors: IssueError BAD_REQUEST unless exactly one way is named; NO_REFUND for all that is not due, whatever
                the reason, but REFUND_IN_REVIEW to whoever has the right code or card; TOO_MANY_CODES.
        """
        if (asked.code is None) == (caller is None) or (caller is None) != (asked.payment_id is None):
            raise IssueError(ErrorCode.BAD_REQUEST, "code: either a code, or a session and a payment")
        with turn(self._engine, terminal_id) as connection:
            restores.require_none(connection)  # it may have been paid already, and the backup does not know
            refund = refunds.claimed(connection, asked.claim_id)
            if refund is None and asked.code is not None:
                if not refunds.may_guess(connection, terminal_id, now_utc):
                    raise IssueError(ErrorCode.TOO_MANY_CODES, "code: too many wrong ones at this terminal")
                refund = refunds.by_code(connection, terminal_id, asked.code, now_utc)  # a wrong one is counted
            elif refund is None and caller is not None:
                due = self._due(connection, caller, now_utc)
                refund = next((one for one in due if one.payment_id == asked.payment_id), None)
            granted = refund is not None and refunds.claim(connection, refund, terminal_id, asked.claim_id)
        if refund is not None and refund.state is RefundState.REVIEW and refund.claim_id is None:
            raise IssueError(ErrorCode.REFUND_IN_REVIEW, "code: somebody looks at this refund first")
        if refund is None or not granted:
            raise IssueError(ErrorCode.NO_REFUND, "code: no refund is due by it")
        return RefundAnswer(claim_id=asked.claim_id, amount_yen=refund.amount_yen)

    def _due(self, connection: Connection, caller: Caller, now_utc: datetime) -> tuple[Refund, ...]:
        requesters: list[tuple[str, bytes]] = []
        for code in (link.municipality_code for link in caller.known_as):
            with suppress(IssueError):
                _settings, person = self._holders.who(connection, caller, code, now_utc)
                requesters.append(self._requester(person))
        return refunds.due_to(connection, requesters)

    def _check_same_person(self, caller: Caller, known: list[_Known], now_utc: datetime) -> None:
        """Refuse a card that two municipalities link to people of different birth dates: one of them is wrong."""
        if len({one.person.born_on for one in known}) == 1:
            return
        with turn(self._engine, caller.terminal_id) as connection:
            for one in known:
                subject = Subject(one.person.municipality_code, caller.terminal_id, visit_id=caller.visit_id)
                cases.open_case(connection, CaseReason.LINKS_DISAGREE, subject, now_utc)
            end_visit(connection, caller.terminal_id, caller.visit_id, now_utc)
        raise IssueError(ErrorCode.NOT_ISSUABLE_HERE)
