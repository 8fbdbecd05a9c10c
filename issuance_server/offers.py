"""What one session may have: documents with fees, items, people and refusals. Pure but for the session's key.

People are told to the terminal as masked names and references that mean something in this session alone, so that
nothing that a terminal keeps or leaks joins two visits of one person.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime

from issuance_server import rules
from issuance_server.masking import masked
from issuance_server.register.records import Resident
from issuance_server.register.store import Person
from issuance_server.rules import JST, Asked, NotNow
from issuance_server.settings import DocumentSettings, MunicipalitySettings
from printing.paper.records import CertificateKind, ResidenceItem
from protocol.codec import preimage
from protocol.errors import ErrorCode, IssueError
from protocol.messages import ItemOffer, MemberOffer, Offer, PrepareRequest, Scope

_REF_DOMAIN = "madoguchi-member-ref-v1"
_REF_BYTES = 12

TITLES: Mapping[CertificateKind, str] = {
    CertificateKind.RESIDENCE: "住民票の写し",
    CertificateKind.TAXATION: "課税証明書・非課税証明書",
}
_FOREIGN_ONLY = frozenset(
    (ResidenceItem.NATIONALITY, ResidenceItem.STATUS, ResidenceItem.CARD_NUMBER, ResidenceItem.ALIAS_HISTORY)
)
_JAPANESE_ONLY = frozenset((ResidenceItem.DOMICILE,))


class MemberRefs:
    """References to residents within one session."""

    def __init__(self, key: bytes, session_hash: bytes) -> None:
        self._key = key
        self._session_hash = session_hash

    def ref(self, resident_id: str) -> str:
        """Return the reference of one resident in this session."""
        message = preimage(_REF_DOMAIN, self._session_hash, resident_id.encode())
        return hmac.digest(self._key, message, "sha256")[:_REF_BYTES].hex()

    def asked(self, request: PrepareRequest, person: Person) -> Asked:
        """Return a request in the server's own terms.

        Errors: BAD_REQUEST if a reference is not one of this session.
        """
        by_ref = {self.ref(member.resident_id): member.resident_id for member in person.members}
        if not set(request.members) <= set(by_ref):
            raise IssueError(ErrorCode.BAD_REQUEST, "members: not a reference of this session")
        return Asked(
            kind=request.kind,
            scope=request.scope,
            member_ids=tuple(by_ref[ref] for ref in request.members),
            items=request.items,
            fiscal_year=request.fiscal_year,
        )


def offers(settings: MunicipalitySettings, person: Person, refs: MemberRefs, now_utc: datetime) -> tuple[Offer, ...]:
    """Return every document that the municipality offers, in its order, each with the reason why it cannot be had.

    What does not depend on the person is the same for everybody, refused or not.
    """
    made = (_offer(settings, document, person, refs, now_utc) for document in settings.documents)
    return tuple(offer for offer in made if offer is not None)


def _offer(
    settings: MunicipalitySettings, document: DocumentSettings, person: Person, refs: MemberRefs, now_utc: datetime
) -> Offer | None:
    now_jst = now_utc.astimezone(JST)
    try:
        _document, fee = rules.offered(settings, document.kind, now_jst.date())
    except IssueError:
        return None  # no fee on this date, so no document
    kind = CertificateKind(document.kind)
    refusal, available_again = _refusal(document, person, now_jst)
    residence = kind is CertificateKind.RESIDENCE
    people = rules.current_members(person, now_jst.date()) if refusal is None else ()
    return Offer(
        municipality_code=settings.municipality_code,
        municipality_name=settings.municipality_name,
        kind=kind.value,
        title=TITLES[kind],
        fee_yen=fee.fee_yen,
        refusal=refusal,
        available_again=available_again,
        scopes=_scopes(people) if residence else (Scope.SELF,),
        items=_items(document, people) if residence else (),
        fiscal_years=() if residence else rules.open_fiscal_years(settings, now_jst.date()),
        members=tuple(_member(member, person, refs) for member in people) if residence else (),
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


def _scopes(people: tuple[Resident, ...]) -> tuple[Scope, ...]:
    return tuple(Scope) if len(people) > 1 else (Scope.SELF, Scope.HOUSEHOLD)


def _items(document: DocumentSettings, people: tuple[Resident, ...]) -> tuple[ItemOffer, ...]:
    """Return the items, all off: the least is printed unless more is asked for. Items of nobody there are left out."""
    hidden: set[str] = set()
    if people and all(member.foreign is None for member in people):
        hidden |= _FOREIGN_ONLY
    if people and all(member.foreign is not None for member in people):
        hidden |= _JAPANESE_ONLY
    return tuple(ItemOffer(item=item, default=False) for item in document.items if item not in hidden)


def _member(member: Resident, person: Person, refs: MemberRefs) -> MemberOffer:
    return MemberOffer(
        ref=refs.ref(member.resident_id),
        masked_name=masked(member.name),
        is_requester=member.resident_id == person.resident.resident_id,
    )
