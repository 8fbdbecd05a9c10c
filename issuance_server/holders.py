"""Who the card's holder is, looked up afresh at every step: by the certificate's link, at each municipality of it."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from issuance_server import cases, rules, stops
from issuance_server.register.person import Person
from issuance_server.register.store import RegisterStore
from issuance_server.revocation import require_accepted
from issuance_server.rules import JST
from issuance_server.sessions import Caller, KnownAs, holder_digest
from issuance_server.settings import MunicipalitySettings
from issuance_server.settings_store import SettingsStore
from issuance_server.stops import Asking
from protocol.errors import ErrorCode, IssueError

STOPPED: Final = "municipality: stopped until a finding"


class Holders:
    """Looks the holder up in one transaction of the caller's; it remembers nothing."""

    def __init__(self, *, register: RegisterStore, settings_store: SettingsStore, key: bytes) -> None:
        """key: the one that sessions' holder digests were made with."""
        self._register = register
        self._settings = settings_store
        self._key = key

    def look_up(
        self, connection: Connection, caller: Caller, code: str, kind: str, now_utc: datetime
    ) -> tuple[MunicipalitySettings, Person]:
        """Return what a municipality decided and what its register says of the card's holder, both as of now.

        Errors: IssueError ISSUING_STOPPED of this kind of document, INTEGRITY_STOP, and those of `who`.
        """
        stops.require_none(connection, Asking(caller.terminal_id, caller.operator, code, kind))
        if cases.is_stopped(connection, code):
            raise IssueError(ErrorCode.INTEGRITY_STOP, STOPPED)
        return self.who(connection, caller, code, now_utc)

    def who(
        self, connection: Connection, caller: Caller, code: str, now_utc: datetime
    ) -> tuple[MunicipalitySettings, Person]:
        """Return the same, whether the municipality is stopped or not.

        Errors: IssueError NOT_OFFERED, CARD_STATUS_UNKNOWN, NOT_ISSUABLE_HERE, RECORD_CHANGED.
        """
        known = caller.at(code)
        settings = self._settings.in_force(connection, code, now_utc.astimezone(JST).date())
        if settings is None:
            raise IssueError(ErrorCode.NOT_OFFERED, "municipality_code: decided nothing for this date")
        require_accepted(caller.card, settings.crl_max_age_h, now_utc)
        person = self._linked(connection, known)
        if person is None:
            raise IssueError(ErrorCode.NOT_ISSUABLE_HERE)
        if not self._is_holder(caller, known, person):
            raise IssueError(ErrorCode.RECORD_CHANGED, "register: the card's link names somebody else than it did")
        return settings, replace(person, barred_elsewhere=self._is_barred_elsewhere(connection, caller, code))

    def _is_barred_elsewhere(self, connection: Connection, caller: Caller, code: str) -> bool:
        """Whether another municipality of the visit refuses the card's holder everything, as of now.

        One that has no link any more, or links the card to somebody else than it did, says nothing of who is here.
        """
        for known in caller.known_as:
            if known.municipality_code != code:
                person = self._linked(connection, known)
                if person is not None and self._is_holder(caller, known, person) and rules.is_barred(person):
                    return True
        return False

    def _linked(self, connection: Connection, known: KnownAs) -> Person | None:
        link = self._register.find_link(connection, {known.municipality_code: known.link_digest})
        return None if link is None else self._register.read_person(connection, *link)

    def _is_holder(self, caller: Caller, known: KnownAs, person: Person) -> bool:
        """Whether a link still names whom it named when the session was opened."""
        holder = holder_digest(self._key, known.municipality_code, caller.visit_id, person.person_id)
        return hmac.compare_digest(holder, known.holder_digest)
