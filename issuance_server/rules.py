"""Who may get what, where and when. Pure: settings, register records and a moment in; consent or an IssueError out.

The municipality's own decisions come first (NOT_OFFERED, NOT_OFFERED_NOW): they are the same for everybody. Whatever
says something about a person comes last and is one code, NOT_ISSUABLE_HERE, without detail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

import msgspec

from fees.schedule import FeeRow, UnknownFee, fee_on
from issuance_server.register.records import Resident, TaxStatus
from issuance_server.register.store import Person
from issuance_server.settings import DocumentSettings, MunicipalitySettings, NoCertifier, certifier_on
from printing.paper.records import CertificateKind, ResidenceItem
from protocol.errors import ErrorCode, IssueError
from protocol.messages import Scope

JST = timezone(timedelta(hours=9), "JST")
Clock = Callable[[], datetime]

_DAYS_AHEAD = 370  # how far the next opening is looked for
_NOT_ISSUABLE = ErrorCode.NOT_ISSUABLE_HERE
# The kinds whose records documents.py makes; a municipality that names another one does not offer it yet.
_ISSUED_KINDS = frozenset((CertificateKind.RESIDENCE, CertificateKind.TAXATION))


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for, in the server's own terms: members are resident ids."""

    kind: str
    scope: Scope
    member_ids: tuple[str, ...]
    items: tuple[str, ...]
    fiscal_year: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Consent: the document's settings and fee, and exactly whose entries it shows, in the order of printing."""

    kind: CertificateKind
    document: DocumentSettings
    fee: FeeRow
    people: tuple[Resident, ...]
    whole_household: bool


class NotNow(IssueError):
    """NOT_OFFERED_NOW, with the moment from which it can be had again (None: no hours are set)."""

    def __init__(self, available_again_jst: datetime | None) -> None:
        super().__init__(ErrorCode.NOT_OFFERED_NOW, "outside the municipality's hours")
        self.available_again_jst = available_again_jst


def utc_now() -> datetime:
    """The clock of a running server."""
    return datetime.now(UTC)


def decide(settings: MunicipalitySettings, person: Person, asked: Asked, now_utc: datetime) -> Decision:
    """Return consent to one document for the person who asks.

    Errors: IssueError BAD_REQUEST, NOT_OFFERED, NOT_OFFERED_NOW (as NotNow), NOT_ISSUABLE_HERE, in this order.
    """
    now_jst = now_utc.astimezone(JST)
    today = now_jst.date()
    _check_form(asked)
    document, fee = offered(settings, asked.kind, today)
    kind = CertificateKind(asked.kind)
    _check_choice(settings, document, asked, today)
    check_hours(document, now_jst)
    check_person(document, person, today)
    if kind is CertificateKind.TAXATION:
        check_tax(person, asked.fiscal_year, today)
    people = _people(person, asked, today)
    if kind is CertificateKind.RESIDENCE and any(_leaving(resident) for resident in people):
        raise IssueError(_NOT_ISSUABLE)
    whole = kind is CertificateKind.RESIDENCE and len(people) == len(current_members(person, today))
    return Decision(kind, document, fee, people, whole)


def offered(settings: MunicipalitySettings, kind: str, on_jst: date) -> tuple[DocumentSettings, FeeRow]:
    """Return a document's settings and its fee on a date.

    Errors: NOT_OFFERED if the municipality does not offer the kind, no ordinance says what it costs, or nobody
            certifies it.
    """
    document = next((document for document in settings.documents if document.kind == kind), None)
    if document is None or kind not in _ISSUED_KINDS:
        raise IssueError(ErrorCode.NOT_OFFERED, "kind: not offered by this municipality")
    rows = (
        FeeRow(settings.municipality_code, fee.kind, fee.fee_yen, fee.commission_yen, fee.valid_from, fee.ordinance)
        for fee in settings.fees
    )
    try:
        certifier_on(settings, kind, on_jst)
        return document, fee_on(kind, settings.municipality_code, on_jst, rows)
    except UnknownFee as unknown:
        raise IssueError(ErrorCode.NOT_OFFERED, f"fee: {unknown}") from None
    except NoCertifier as nobody:
        raise IssueError(ErrorCode.NOT_OFFERED, f"certifier: {nobody}") from None


def open_fiscal_years(settings: MunicipalitySettings, on_jst: date) -> tuple[int, ...]:
    """Return the fiscal years whose tax certificates can be had on a date, the latest first."""
    begun = {opening.fiscal_year for opening in settings.fiscal_years if opening.available_from <= on_jst}
    return tuple(sorted(begun, reverse=True))


def check_hours(document: DocumentSettings, now_jst: datetime) -> None:
    """Refuse outside the hours that the municipality set.

    Errors: NotNow, saying from when it can be had again.
    """
    if any(opens <= now_jst < closes for opens, closes in _openings(document, now_jst.date())):
        return
    for days in range(_DAYS_AHEAD):
        for opens, _closes in _openings(document, now_jst.date() + timedelta(days=days)):
            if opens > now_jst:
                raise NotNow(opens)
    raise NotNow(None)


def check_person(document: DocumentSettings, person: Person, on_jst: date) -> None:
    """Refuse what no document of this kind may be issued for, whoever's entries it would show.

    A stop on anybody of the household, or on the address, refuses every document of all of them: if one document
    could be had and another not, the difference would tell.

    Errors: NOT_ISSUABLE_HERE.
    """
    requester = person.resident
    stopped = person.household.issuance_stop or any(member.issuance_stop for member in person.members)
    gone = requester.died_on is not None or _moved_out(requester, on_jst)
    leaving = document.kind == CertificateKind.RESIDENCE and _leaving(requester)
    if stopped or gone or leaving or age_on(requester.born_on, on_jst) < document.minimum_age:
        raise IssueError(_NOT_ISSUABLE)


def check_tax(person: Person, fiscal_year: int | None, on_jst: date) -> None:
    """Refuse a tax certificate without a declared record, or for who was no resident on that 1 January.

    Errors: NOT_ISSUABLE_HERE.
    """
    record = None if fiscal_year is None else person.tax.get(fiscal_year)
    if record is None or record.status is TaxStatus.UNDECLARED:
        raise IssueError(_NOT_ISSUABLE)
    if not resident_on(person.resident, date(record.fiscal_year, 1, 1)) or _moved_out(person.resident, on_jst):
        raise IssueError(_NOT_ISSUABLE)


def current_members(person: Person, on_jst: date) -> tuple[Resident, ...]:
    """Return who belongs to the household now, in the order of printing: not the dead, nor those who have moved."""
    return tuple(member for member in person.members if member.died_on is None and not _moved_out(member, on_jst))


def resident_on(resident: Resident, day: date) -> bool:
    """Whether somebody was a resident on a day, as far as the dates that are recorded say."""
    since = resident.became_resident_on
    if resident.foreign is not None:
        since = resident.foreign.became_foreign_resident_on
    return since is None or since <= day


def age_on(born_on: date, day: date) -> int:
    """Return the age in whole years; who was born on 29 February is a year older on 1 March."""
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))


def _check_form(asked: Asked) -> None:
    """Refuse a request that contradicts itself, whatever a municipality offers."""
    if len(set(asked.items)) != len(asked.items):
        raise IssueError(ErrorCode.BAD_REQUEST, "items: each at most once")
    if (asked.scope is Scope.MEMBERS) != bool(asked.member_ids):
        raise IssueError(ErrorCode.BAD_REQUEST, "members: with scope `members`, and only then")
    if len(set(asked.member_ids)) != len(asked.member_ids):
        raise IssueError(ErrorCode.BAD_REQUEST, "members: each at most once")
    if (asked.kind == CertificateKind.TAXATION) != (asked.fiscal_year is not None):
        raise IssueError(ErrorCode.BAD_REQUEST, "fiscal_year: with a tax certificate, and only then")


def _check_choice(settings: MunicipalitySettings, document: DocumentSettings, asked: Asked, on_jst: date) -> None:
    """Refuse items, scope and fiscal year that this municipality does not offer."""
    known = set(ResidenceItem) if asked.kind == CertificateKind.RESIDENCE else set()
    if not set(asked.items) <= known & set(document.items):
        raise IssueError(ErrorCode.NOT_OFFERED, "items: not all are offered for this document")
    if asked.kind == CertificateKind.TAXATION and asked.scope is not Scope.SELF:
        raise IssueError(ErrorCode.NOT_OFFERED, "scope: a tax certificate is for oneself only")
    if asked.fiscal_year is not None and asked.fiscal_year not in open_fiscal_years(settings, on_jst):
        raise IssueError(ErrorCode.NOT_OFFERED, "fiscal_year: not available on this date")


def _people(person: Person, asked: Asked, on_jst: date) -> tuple[Resident, ...]:
    current = current_members(person, on_jst)
    if asked.scope is Scope.SELF:
        return (person.resident,)
    if asked.scope is Scope.HOUSEHOLD:
        return current
    chosen = tuple(member for member in current if member.resident_id in asked.member_ids)
    if len(chosen) != len(asked.member_ids):
        # Somebody who was there when it was offered is not there now; who, and why, is nobody's business.
        raise IssueError(_NOT_ISSUABLE)
    return chosen


def _moved_out(resident: Resident, on_jst: date) -> bool:
    return resident.moved_out_on is not None and resident.moved_out_on <= on_jst


def _leaving(resident: Resident) -> bool:
    return resident.moving_out_notified or resident.moved_out_on is not None


def _openings(document: DocumentSettings, day: date) -> list[tuple[datetime, datetime]]:
    """Return one day's opening and closing moments, in order."""
    if day in document.closed_on:
        return []
    windows = []
    for hours in document.hours:
        if hours.weekday == day.weekday():
            opens = datetime.combine(day, hours.opens_at, JST)
            closing_day = day + timedelta(days=1) if hours.closes_at == time(0) else day
            windows.append((opens, datetime.combine(closing_day, hours.closes_at, JST)))
    return sorted(windows)
