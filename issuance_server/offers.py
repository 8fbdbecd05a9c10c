"""What one session may have: documents with fees, items, people and refusals. Pure but for the session's key.

People are told to the terminal as masked names and references that mean something in this session alone, so that
nothing that a terminal keeps or leaks joins two visits of one person.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from issuance_server import rules
from issuance_server.kinds import KINDS, KindRow, Source, by_fiscal_year
from issuance_server.masking import masked
from issuance_server.register.person import Family, Person
from issuance_server.register.records import RegisterEntry, Resident
from issuance_server.rules import JST, Asked, NotNow
from issuance_server.settings import DocumentSettings, MunicipalitySettings
from printing.paper.records import CertificateKind, ResidenceItem, StatedItem
from protocol.codec import preimage
from protocol.errors import ErrorCode, IssueError
from protocol.messages import ItemOffer, MemberOffer, Offer, PrepareRequest, Scope

_REF_DOMAIN = "madoguchi-member-ref-v1"
_REF_BYTES = 12

# Values of both item lists: a residence certificate's and a residence item certificate's.
_FOREIGN_ONLY = frozenset(
    (
        *(ResidenceItem.NATIONALITY, ResidenceItem.STATUS, ResidenceItem.CARD_NUMBER, ResidenceItem.ALIAS_HISTORY),
        *(StatedItem.NATIONALITY, StatedItem.STATUS, StatedItem.CARD_NUMBER, StatedItem.ALIAS_HISTORY),
    )
)
_JAPANESE_ONLY = frozenset((ResidenceItem.DOMICILE, StatedItem.DOMICILE))


class MemberRefs:
    """References to people within one session."""

    def __init__(self, key: bytes, session_hash: bytes) -> None:
        self._key = key
        self._session_hash = session_hash

    def ref(self, person_id: str) -> str:
        """Return the reference of one person in this session."""
        message = preimage(_REF_DOMAIN, self._session_hash, person_id.encode())
        return hmac.digest(self._key, message, "sha256")[:_REF_BYTES].hex()

    def asked(self, request: PrepareRequest, person: Person) -> Asked:
        """Return a request in the server's own terms.

        Errors: BAD_REQUEST if a reference is not one of this session.
        """
        by_ref = {self.ref(person_id): person_id for person_id in _known_ids(person)}
        if not set(request.members) <= set(by_ref):
            raise IssueError(ErrorCode.BAD_REQUEST, "members: not a reference of this session")
        return Asked(
            kind=request.kind,
            scope=request.scope,
            member_ids=tuple(by_ref[ref] for ref in request.members),
            items=request.items,
            fiscal_year=request.fiscal_year,
        )


def offers(
    settings: MunicipalitySettings,
    person: Person,
    refs: MemberRefs,
    now_utc: datetime,
    *,
    refused: Mapping[str, ErrorCode | None] = MappingProxyType({}),
) -> tuple[Offer, ...]:
    """Return every document that the municipality offers, in its order, each with the reason why it cannot be had.

    What does not depend on the person is the same for everybody, refused or not. Who does not live there but stands
    in a family register there is offered that register's documents alone. refused: kinds that nobody gets now.
    """
    made = (
        _offer(settings, document, person, refs, now_utc, for_all=refused.get(document.kind))
        for document in settings.documents
    )
    return tuple(offer for offer in made if offer is not None)


def _offer(
    settings: MunicipalitySettings,
    document: DocumentSettings,
    person: Person,
    refs: MemberRefs,
    now_utc: datetime,
    *,
    for_all: ErrorCode | None,
) -> Offer | None:
    now_jst = now_utc.astimezone(JST)
    try:
        _document, fee = rules.offered(settings, document.kind, now_jst.date())
    except IssueError:
        return None  # no fee on this date, so no document
    kind = CertificateKind(document.kind)
    row = KINDS[kind]
    if person.residence is None and row.source is not Source.FAMILY_REGISTER:
        return None
    refusal, available_again = (for_all.value, None) if for_all else _refusal(document, person, now_jst)
    people = () if refusal else rules.choosable(kind, person, now_jst.date())
    return Offer(
        municipality_code=settings.municipality_code,
        municipality_name=settings.municipality_name,
        kind=kind.value,
        title=row.title,
        fee_yen=fee.fee_yen,
        refusal=refusal,
        available_again=available_again,
        scopes=_scopes(row, people),
        items=_items(row, document, people),
        least_items=row.least_items,
        fiscal_years=rules.open_fiscal_years(settings, now_jst.date()) if by_fiscal_year(kind) else (),
        members=tuple(_member(one, person, refs) for one in people) if Scope.MEMBERS in row.scopes else (),
    )


def _refusal(document: DocumentSettings, person: Person, now_jst: datetime) -> tuple[str | None, str | None]:
    try:
        rules.check_hours(document, now_jst)
        rules.check_person(document, person, now_jst.date())
    except NotNow as closed:
        again = closed.available_again_jst
        return closed.code.value, None if again is None else again.isoformat()
    except IssueError as refused:
        return refused.code.value, None
    return None, None


def _scopes(row: KindRow, people: tuple[Resident, ...] | tuple[RegisterEntry, ...]) -> tuple[Scope, ...]:
    return tuple(scope for scope in row.scopes if scope is not Scope.MEMBERS or len(people) > 1)


def _items(
    row: KindRow, document: DocumentSettings, people: tuple[Resident, ...] | tuple[RegisterEntry, ...]
) -> tuple[ItemOffer, ...]:
    """Return the items, off but for those without which there is no paper: the least is printed unless more is asked.

    Items of nobody there are left out.
    """
    residents = [one for one in people if isinstance(one, Resident)]
    hidden: set[str] = set()
    if residents and all(member.foreign is None for member in residents):
        hidden |= _FOREIGN_ONLY
    if residents and all(member.foreign is not None for member in residents):
        hidden |= _JAPANESE_ONLY
    return tuple(
        ItemOffer(item=item, default=item in row.default_items)
        for item in document.items
        if item in row.items and item not in hidden
    )


def _member(one: Resident | RegisterEntry, person: Person, refs: MemberRefs) -> MemberOffer:
    person_id, name = _id_and_name(one, person.family)
    return MemberOffer(ref=refs.ref(person_id), masked_name=masked(name), is_requester=person_id == person.person_id)


def _id_and_name(one: Resident | RegisterEntry, family: Family | None) -> tuple[str, str]:
    if isinstance(one, Resident):
        return one.resident_id, one.name
    assert family is not None
    return one.person_id, family.name_of(one)


def _known_ids(person: Person) -> tuple[str, ...]:
    """Return everybody who may be chosen of any document."""
    residents = () if person.residence is None else person.residence.members
    entries = () if person.family is None else person.family.register.people
    return (*(member.resident_id for member in residents), *(entry.person_id for entry in entries))
