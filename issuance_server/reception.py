"""Who is there and what can be had: the first answer to a card, at every municipality that knows it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine

from issuance_server import cases, reissues
from issuance_server import offers as offering
from issuance_server.cases import CaseReason, Subject
from issuance_server.database import read, write
from issuance_server.holders import STOPPED, Holders
from issuance_server.masking import masked
from issuance_server.offers import MemberRefs
from issuance_server.register.person import Person
from issuance_server.sessions import Caller, end_visit
from issuance_server.settings import MunicipalitySettings
from issuance_server.vault import Vault
from protocol.errors import ErrorCode, IssueError
from protocol.messages import Offer, ReissueOffer


@dataclass(frozen=True, slots=True)
class _Known:
    """The card's holder as one municipality of the visit knows them."""

    settings: MunicipalitySettings
    person: Person
    stopped: bool


class Reception:
    """Looks the card's holder up and says what is offered; it remembers nothing."""

    def __init__(self, *, engine: Engine, holders: Holders, vault: Vault, key: bytes) -> None:
        """key: the one that references to people are made with."""
        self._engine = engine
        self._holders = holders
        self._vault = vault
        self._key = key

    def offers(self, caller: Caller, now_utc: datetime) -> tuple[str, tuple[Offer, ...]]:
        """Return who is there, masked, and what can be had.

        Errors: IssueError INTEGRITY_STOP, NOT_OFFERED, NOT_ISSUABLE_HERE.
        """
        known: list[_Known] = []
        refusals: list[IssueError] = []
        for code in (link.municipality_code for link in caller.known_as):
            try:
                with read(self._engine) as connection:
                    stopped = cases.is_stopped(connection, code)
                    known.append(_Known(*self._holders.who(connection, caller, code, now_utc), stopped))
            except IssueError as refused:
                refusals.append(refused)  # that municipality's documents alone
        if known and all(one.stopped for one in known):
            raise IssueError(ErrorCode.INTEGRITY_STOP, STOPPED)
        if not known:
            raise refusals[0]
        self._check_same_person(caller, known, now_utc)
        # Where the person lives comes first, and with it the name by which the visit begins.
        known.sort(key=lambda one: one.person.residence is None)
        made = [
            offer
            for one in known
            for offer in offering.offers(
                one.settings,
                one.person,
                MemberRefs(self._key, caller.session_hash),
                now_utc,
                refusal=ErrorCode.INTEGRITY_STOP if one.stopped else None,
            )
        ]
        return masked(known[0].person.name), tuple(made)

    def replaceable(self, caller: Caller, now_utc: datetime) -> tuple[ReissueOffer, ...]:
        """Return the destroyed papers that may be had again for nothing, at every municipality of the session."""
        refs = MemberRefs(self._key, caller.session_hash)
        found: list[ReissueOffer] = []
        for code in (link.municipality_code for link in caller.known_as):
            with suppress(IssueError), read(self._engine) as connection:  # `offers` has said why
                _settings, person = self._holders.look_up(connection, caller, code, now_utc)
                claimant = reissues.claimant(self._vault, person, now_utc)
                found += reissues.offers(connection, self._vault, claimant, person, refs)
        return tuple(found)

    def _check_same_person(self, caller: Caller, known: list[_Known], now_utc: datetime) -> None:
        """Refuse a card that two municipalities link to people of different birth dates: one of them is wrong."""
        if len({one.person.born_on for one in known}) == 1:
            return
        with write(self._engine) as connection:
            for one in known:
                subject = Subject(one.person.municipality_code, caller.terminal_id, visit_id=caller.visit_id)
                cases.open_case(connection, CaseReason.LINKS_DISAGREE, subject, now_utc)
            end_visit(connection, caller.terminal_id, caller.visit_id, now_utc)
        raise IssueError(ErrorCode.NOT_ISSUABLE_HERE)
