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
from issuance_server.kinds import KINDS, Source, by_fiscal_year, row_of
from issuance_server.register.person import Family, Person, Residence
from issuance_server.register.records import RegisterEntry, Resident, TaxStatus
from issuance_server.settings import DocumentSettings, MunicipalitySettings, NoCertifier, certifier_on
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode, IssueError
from protocol.messages import Scope

JST = timezone(timedelta(hours=9), "JST")
Clock = Callable[[], datetime]

_DAYS_AHEAD = 370  # how far the next opening is looked for
_NOT_ISSUABLE = ErrorCode.NOT_ISSUABLE_HERE
# A moving-out notice ends these; a tax certificate only the move itself, a family register's document neither.
_ENDED_BY_LEAVING = frozenset(
    (CertificateKind.RESIDENCE, CertificateKind.RESIDENCE_ITEMS, CertificateKind.SEAL_REGISTRATION)
)


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for, in the server's own terms: members are person ids."""

    kind: str
    scope: Scope
    member_ids: tuple[str, ...]
    items: tuple[str, ...]
    fiscal_year: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Consent: the document's settings and fee, and exactly whose entries it shows, in the order of printing.

    Shape:  entries for a family register's documents, people for all others; everybody: nobody is left out.
    """

    kind: CertificateKind
    document: DocumentSettings
    fee: FeeRow
    people: tuple[Resident, ...]
    entries: tuple[RegisterEntry, ...]
    everybody: bool


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

    Errors: IssueError BAD_REQUEST, NOT_OFFERED, NOT_OFFERED_NOW (as NotNow), NOT_ISSUABLE_HERE; what says something
            about a person comes last.
    """
    now_jst = now_utc.astimezone(JST)
    today = now_jst.date()
    _check_form(asked)
    document, fee = offered(settings, asked.kind, today)
    kind = CertificateKind(asked.kind)
    _check_choice(settings, document, asked, today)
    check_hours(document, now_jst)
    check_person(document, person, today)
    if by_fiscal_year(kind):
        _check_tax(document, residence_of(person), asked.fiscal_year)
    if KINDS[kind].source is Source.FAMILY_REGISTER:
        entries, everybody = _entries(kind, family_of(person), asked)
        return Decision(kind, document, fee, (), entries, everybody)
    residence = residence_of(person)
    people = _people(residence, asked, today)
    if kind in _ENDED_BY_LEAVING and any(_leaving(resident) for resident in people):
        raise IssueError(_NOT_ISSUABLE)
    return Decision(kind, document, fee, people, (), len(people) == len(current_members(residence, today)))


def offered(settings: MunicipalitySettings, kind: str, on_jst: date) -> tuple[DocumentSettings, FeeRow]:
    """Return a document's settings and its fee on a date.

    Errors: NOT_OFFERED if the municipality does not offer the kind, no ordinance says what it costs, or nobody
            certifies it.
    """
    document = next((document for document in settings.documents if document.kind == kind), None)
    if document is None or row_of(kind) is None:
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
    """Refuse what no document of this kind may be issued for, whatever is chosen of it and whoever's entries it shows.

    Errors: NOT_ISSUABLE_HERE.
    """
    kind = CertificateKind(document.kind)
    row = KINDS[kind]
    if age_on(person.born_on, on_jst) < max(document.minimum_age, row.least_age):
        raise IssueError(_NOT_ISSUABLE)
    if person.barred_elsewhere or is_barred(person):
        raise IssueError(_NOT_ISSUABLE)
    if row.source is Source.FAMILY_REGISTER:
        _check_family(kind, family_of(person))
        return
    residence = residence_of(person)
    leaving = kind in _ENDED_BY_LEAVING and _leaving(residence.resident)
    if leaving or _moved_out(residence.resident, on_jst):
        raise IssueError(_NOT_ISSUABLE)
    if row.source is Source.SEAL_REGISTER and (residence.seal is None or residence.seal.cancelled):
        raise IssueError(_NOT_ISSUABLE)


def is_barred(person: Person) -> bool:
    """Whether a person is refused every document, of this municipality and of each other that knows the same card."""
    return _is_stopped(person) or (person.residence is not None and person.residence.resident.died_on is not None)


def residence_of(person: Person) -> Residence:
    """Return what the resident register says.

    Errors: NOT_ISSUABLE_HERE: no resident of this municipality.
    """
    if person.residence is None:
        raise IssueError(_NOT_ISSUABLE)
    return person.residence


def family_of(person: Person) -> Family:
    """Return what the family register says.

    Errors: NOT_ISSUABLE_HERE: in no family register of this municipality, as far as is known here.
    """
    if person.family is None:
        raise IssueError(_NOT_ISSUABLE)
    return person.family


def choosable(kind: CertificateKind, person: Person, on_jst: date) -> tuple[Resident, ...] | tuple[RegisterEntry, ...]:
    """Return whose entries may be chosen one by one, in the order of printing.

    Errors: NOT_ISSUABLE_HERE.
    """
    if KINDS[kind].source is Source.FAMILY_REGISTER:
        return _current_entries(kind, family_of(person))
    return current_members(residence_of(person), on_jst)


def current_members(residence: Residence, on_jst: date) -> tuple[Resident, ...]:
    """Return who belongs to the household now, in the order of printing: not the dead, nor those who have moved."""
    return tuple(member for member in residence.members if member.died_on is None and not _moved_out(member, on_jst))


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
    if by_fiscal_year(asked.kind) != (asked.fiscal_year is not None):
        raise IssueError(ErrorCode.BAD_REQUEST, "fiscal_year: with a tax certificate, and only then")


def _check_choice(settings: MunicipalitySettings, document: DocumentSettings, asked: Asked, on_jst: date) -> None:
    """Refuse items, scope and fiscal year that this municipality, or this kind of document, does not offer."""
    row = KINDS[CertificateKind(asked.kind)]
    if not set(asked.items) <= set(row.items) & set(document.items):
        raise IssueError(ErrorCode.NOT_OFFERED, "items: not all are offered for this document")
    if len(asked.items) < row.least_items:
        raise IssueError(ErrorCode.BAD_REQUEST, f"items: this document states at least {row.least_items}")
    if asked.scope not in row.scopes:
        raise IssueError(ErrorCode.NOT_OFFERED, "scope: not for this document")
    if asked.fiscal_year is not None and asked.fiscal_year not in open_fiscal_years(settings, on_jst):
        raise IssueError(ErrorCode.NOT_OFFERED, "fiscal_year: not available on this date")


def _is_stopped(person: Person) -> bool:
    """Whether a stop refuses every document of this person: if one could be had and another not, it would tell.

    That is a stop on the address or on anybody of the household, in whichever of the registers it stands.
    """
    residence, family = person.residence, person.family
    household = {person.person_id}
    if residence is not None:
        if residence.household.issuance_stop or any(member.issuance_stop for member in residence.members):
            return True
        household |= {member.resident_id for member in residence.members}
    return family is not None and any(
        entry.issuance_stop for entry in family.register.people if entry.person_id in household
    )


def _check_family(kind: CertificateKind, family: Family) -> None:
    """Refuse the documents of a family register that is not current, or whose own the requester is no longer.

    A stop on anybody in it, or on an address in its supplement, refuses all its documents to everybody in it: a
    spouse's or a parent's copy would show where the one lives whom the stop protects. Which of the documents shows
    addresses makes no difference, or the difference would tell. Where they live makes none either: a stop on whoever
    is a resident here in another household counts as well, and so does one on that home or on anybody in it, since
    the supplement says where it is.
    """
    register, supplementary = family.register, family.supplementary
    lines = () if supplementary is None else supplementary.people
    stopped = (
        any(entry.issuance_stop for entry in register.people)
        or any(resident.issuance_stop for resident in family.residents)
        or any(household.issuance_stop for household in family.households)
        or any(address.issuance_stop for line in lines for address in line.addresses)
    )
    current = register.closed_on is None and not register.filing_in_progress and not family.entry.removed
    if stopped or not current or family.entry not in _current_entries(kind, family):
        raise IssueError(_NOT_ISSUABLE)


def _check_tax(document: DocumentSettings, residence: Residence, fiscal_year: int | None) -> None:
    """Refuse a tax certificate without what it states, or for who was no resident on that 1 January."""
    assert fiscal_year is not None
    record = residence.tax.get(fiscal_year)
    if record is None or record.status is TaxStatus.UNDECLARED:
        raise IssueError(_NOT_ISSUABLE)
    if not resident_on(residence.resident, date(fiscal_year, 1, 1)):
        raise IssueError(_NOT_ISSUABLE)
    # Who did not declare, being somebody's dependant, has no income on record: ¥0 would be a statement.
    if document.kind == CertificateKind.INCOME and record.status is TaxStatus.DEPENDANT:
        raise IssueError(_NOT_ISSUABLE)
    if document.kind == CertificateKind.TAX_PAYMENT:
        payment = residence.tax_payments.get(fiscal_year)
        if payment is None or (document.unpaid_refuses and any(tax.unpaid_yen for tax in payment.taxes)):
            raise IssueError(_NOT_ISSUABLE)


def _people(residence: Residence, asked: Asked, on_jst: date) -> tuple[Resident, ...]:
    current = current_members(residence, on_jst)
    if asked.scope is Scope.SELF:
        return (residence.resident,)
    if asked.scope is Scope.HOUSEHOLD:
        return current
    chosen = tuple(member for member in current if member.resident_id in asked.member_ids)
    if len(chosen) != len(asked.member_ids):
        # Somebody who was there when it was offered is not there now; who, and why, is nobody's business.
        raise IssueError(_NOT_ISSUABLE)
    return chosen


def _entries(kind: CertificateKind, family: Family, asked: Asked) -> tuple[tuple[RegisterEntry, ...], bool]:
    """Return whose entries of a family register are shown, and whether these are all that there are."""
    everybody = _entries_in(kind, family)
    if asked.scope is Scope.HOUSEHOLD:
        return everybody, True
    if asked.scope is Scope.SELF:
        chosen: tuple[RegisterEntry, ...] = (family.entry,)
    else:
        chosen = tuple(entry for entry in _current_entries(kind, family) if entry.person_id in asked.member_ids)
        if len(chosen) != len(asked.member_ids):
            raise IssueError(_NOT_ISSUABLE)
    return chosen, len(chosen) == len(everybody)


def _entries_in(kind: CertificateKind, family: Family) -> tuple[RegisterEntry, ...]:
    """Return everybody who stands in a document of this kind, in its order; the removed among them."""
    if kind is not CertificateKind.SUPPLEMENTARY_REGISTER:
        return family.register.people
    entries = {entry.person_id: entry for entry in family.register.people}
    lines = () if family.supplementary is None else family.supplementary.people
    return tuple(entries[line.person_id] for line in lines)


def _current_entries(kind: CertificateKind, family: Family) -> tuple[RegisterEntry, ...]:
    return tuple(entry for entry in _entries_in(kind, family) if not entry.removed)


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
