"""Who may get the documents of seals, taxes and family registers: each rule with a valid case beside the invalid."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from issuance_server import rules
from issuance_server.kinds import KINDS, Source
from issuance_server.register.person import Family, Person
from issuance_server.register.records import FamilyRegisterRecord, PastAddress, SupplementaryRecord, TaxStatus
from issuance_server.rules import Asked, NotNow
from issuance_server.settings import MunicipalitySettings
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode, IssueError
from protocol.messages import Scope
from tests.issuing_parts import CHILD, HANAKO, HOUSEHOLD, NOW, TARO, TAXED, in_other_words, person
from tests.register_parts import (
    ALL_SETTINGS,
    OFFICE_HOURS,
    PAID,
    REGISTER,
    SEAL,
    SUPPLEMENTARY,
    TARO_IN,
    UNPAID,
    with_document,
)

K = CertificateKind
REFUSED = ErrorCode.NOT_ISSUABLE_HERE
OF_FAMILY = [kind for kind, row in KINDS.items() if row.source is Source.FAMILY_REGISTER]
OF_RESIDENTS = [kind for kind in K if kind not in OF_FAMILY]
OF_TAX = [kind for kind, row in KINDS.items() if row.source is Source.TAX_RECORDS]


def everything(
    who: Person | None = None,
    register: FamilyRegisterRecord = REGISTER,
    supplementary: SupplementaryRecord | None = SUPPLEMENTARY,
    **residence: Any,
) -> Person:
    """Taro with a seal, paid taxes and a family register; or that with a change."""
    made = in_other_words(who or person(), **({"seal": SEAL, "tax_payments": {2026: PAID}} | residence))
    assert made.residence is not None
    entry = next(one for one in register.people if one.person_id == made.person_id)
    members = tuple(one for one in made.residence.members if one.resident_id in {e.person_id for e in register.people})
    return dataclasses.replace(made, family=Family(entry, register, supplementary, members))


def asked(kind: CertificateKind, scope: Scope | None = None, members: tuple[str, ...] = (), **fields: Any) -> Asked:
    row = KINDS[kind]
    defaults: dict[str, Any] = {
        "items": row.default_items,
        "fiscal_year": 2026 if row.source is Source.TAX_RECORDS else None,
    }
    return Asked(kind=kind.value, scope=scope or row.scopes[0], member_ids=members, **(defaults | fields))


def outcome(
    who: Person, what: Asked, settings: MunicipalitySettings = ALL_SETTINGS, now_utc: datetime = NOW
) -> ErrorCode | None:
    try:
        rules.decide(settings, who, what, now_utc)
    except IssueError as error:
        return error.code
    return None


@pytest.mark.parametrize("kind", K)
def test_everything_can_be_had(kind: CertificateKind) -> None:
    for scope in KINDS[kind].scopes:
        members = ("r-hanako",) if scope is Scope.MEMBERS else ()
        assert outcome(everything(), asked(kind, scope, members)) is None


@pytest.mark.parametrize("kind", K)
def test_a_scope_that_the_document_does_not_have_is_not_offered(kind: CertificateKind) -> None:
    for scope in set(Scope) - set(KINDS[kind].scopes):
        members = ("r-hanako",) if scope is Scope.MEMBERS else ()
        assert outcome(everything(), asked(kind, scope, members)) is ErrorCode.NOT_OFFERED


@pytest.mark.parametrize("kind", K)
def test_another_documents_items_are_not_offered(kind: CertificateKind) -> None:
    settings = with_document(ALL_SETTINGS, kind, items=("overseas_voter", "sex", "alias_history"))
    foreign = {"overseas_voter", "sex", "alias_history"} - set(KINDS[kind].items)
    for item in foreign:
        assert outcome(everything(), asked(kind, items=(item,)), settings) is ErrorCode.NOT_OFFERED


def test_a_residence_item_certificate_states_something() -> None:
    assert outcome(everything(), asked(K.RESIDENCE_ITEMS, items=())) is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("kind", K)
def test_a_fiscal_year_stands_with_tax_certificates_alone(kind: CertificateKind) -> None:
    wrong = asked(kind, fiscal_year=None if kind in OF_TAX else 2026)
    assert outcome(everything(), wrong) is ErrorCode.BAD_REQUEST


# Seals


@pytest.mark.parametrize("seal", [None, replace(SEAL, cancelled=True)])
def test_without_a_registered_seal_there_is_nothing_to_certify(seal: Any) -> None:
    assert outcome(everything(seal=seal), asked(K.SEAL_REGISTRATION)) is REFUSED


@pytest.mark.parametrize(
    ("born_on", "expected"), [(date(2011, 7, 1), None), (date(2011, 7, 2), REFUSED), (date(2015, 7, 2), REFUSED)]
)
def test_under_15_there_is_no_seal_certificate_whatever_the_municipality_says(
    born_on: date, expected: ErrorCode | None
) -> None:
    young = everything(person(replace(TARO, born_on=born_on)))
    assert all(document.minimum_age == 0 for document in ALL_SETTINGS.documents)
    assert outcome(young, asked(K.SEAL_REGISTRATION)) is expected
    assert outcome(young, asked(K.RESIDENCE)) is None


# Taxes


@pytest.mark.parametrize("kind", OF_TAX)
@pytest.mark.parametrize(
    "changed",
    [
        {"tax": {}},
        {"tax": {2026: replace(TAXED, status=TaxStatus.UNDECLARED)}},
        {"resident": replace(TARO, became_resident_on=date(2026, 1, 2))},
        {"resident": replace(TARO, moved_out_on=date(2026, 6, 30))},
    ],
)
def test_tax_certificates_are_of_residents_then_and_now_who_declared(
    kind: CertificateKind, changed: dict[str, Any]
) -> None:
    assert outcome(everything(**changed), asked(kind)) is REFUSED


def test_a_dependant_who_did_not_declare_has_no_income_to_certify() -> None:
    dependant = everything(tax={2026: replace(TAXED, status=TaxStatus.DEPENDANT)})
    assert [outcome(dependant, asked(kind)) for kind in (K.INCOME, K.TAXATION)] == [REFUSED, None]


@pytest.mark.parametrize(("refuses", "expected"), [(True, REFUSED), (False, None)])
def test_whether_unpaid_tax_refuses_is_the_municipality_s(refuses: bool, expected: ErrorCode | None) -> None:
    settings = with_document(ALL_SETTINGS, K.TAX_PAYMENT, unpaid_refuses=refuses)
    owes = everything(tax_payments={2026: UNPAID})
    assert outcome(owes, asked(K.TAX_PAYMENT), settings) is expected
    assert outcome(everything(), asked(K.TAX_PAYMENT), settings) is None
    assert outcome(owes, asked(K.TAXATION), settings) is None


def test_without_a_payment_record_nothing_is_said_to_be_paid() -> None:
    assert outcome(everything(tax_payments={}), asked(K.TAX_PAYMENT)) is REFUSED


# Family registers


def _stop(person_id: str) -> FamilyRegisterRecord:
    people = tuple(replace(one, issuance_stop=one.person_id == person_id) for one in REGISTER.people)
    return replace(REGISTER, people=people)


_STOPPED_ADDRESS = PastAddress(address="架空県", since=None, issuance_stop=True)
_STOPPED_LINE = replace(SUPPLEMENTARY.people[2], addresses=(_STOPPED_ADDRESS,))


@pytest.mark.parametrize("kind", OF_FAMILY)
@pytest.mark.parametrize(
    "changed",
    [
        {"register": replace(REGISTER, filing_in_progress=True)},
        {"register": replace(REGISTER, closed_on=date(2026, 6, 1))},
        {"register": replace(REGISTER, people=(replace(TARO_IN, removed=True), *REGISTER.people[1:]))},
        {"register": _stop("r-taro")},
        {"register": _stop("r-hanako")},
        {"register": _stop("x-1")},
        {"supplementary": replace(SUPPLEMENTARY, people=(*SUPPLEMENTARY.people[:2], _STOPPED_LINE))},
        {"who": person(replace(HANAKO, issuance_stop=True))},
        {"who": person(replace(TARO, died_on=date(2026, 6, 1)))},
    ],
)
def test_no_document_of_a_family_register_that_is_stopped_or_not_current(
    kind: CertificateKind, changed: dict[str, Any]
) -> None:
    for scope in KINDS[kind].scopes:
        members = ("r-hanako",) if scope is Scope.MEMBERS else ()
        assert outcome(everything(**changed), asked(kind, scope, members)) is REFUSED


def test_who_lives_elsewhere_is_protected_by_a_stop_of_their_own_alone() -> None:
    """A wife who left: her stop stands in her record as a resident of another household, and nowhere else."""
    gone = person(household=replace(HOUSEHOLD, member_ids=("r-taro", "r-child")))
    who = everything(gone)
    assert who.family is not None
    assert outcome(who, asked(K.SUPPLEMENTARY_REGISTER)) is None
    protected = dataclasses.replace(who.family, residents=(*who.family.residents, replace(HANAKO, issuance_stop=True)))
    stopped = dataclasses.replace(who, family=protected)
    assert {outcome(stopped, asked(kind)) for kind in OF_FAMILY} == {REFUSED}
    # His own household is not hers any more: its documents say nothing of her, and nothing of the stop.
    assert {outcome(stopped, asked(kind)) for kind in OF_RESIDENTS} == {None}


@pytest.mark.parametrize("person_id", ["r-taro", "r-hanako", "r-child"])
def test_a_stop_in_the_family_register_alone_refuses_the_household_s_other_documents_too(person_id: str) -> None:
    stopped = everything(register=_stop(person_id))
    assert {outcome(stopped, asked(kind)) for kind in K} == {REFUSED}


@pytest.mark.parametrize(
    "moved", [{"moving_out_notified": True}, {"moved_out_on": date(2026, 8, 1)}, {"moved_out_on": date(2026, 6, 1)}]
)
def test_moving_out_ends_residence_documents_and_no_family_register(moved: dict[str, Any]) -> None:
    who = everything(person(replace(TARO, **moved)))
    assert {outcome(who, asked(kind)) for kind in OF_FAMILY} == {None}
    for kind in (K.RESIDENCE, K.RESIDENCE_ITEMS, K.SEAL_REGISTRATION):
        assert outcome(who, asked(kind)) is REFUSED


@pytest.mark.parametrize("kind", [K.FAMILY_REGISTER_INDIVIDUAL, K.SUPPLEMENTARY_REGISTER])
@pytest.mark.parametrize("member", ["x-1", "r-maria", "nobody"])
def test_only_current_people_of_the_register_may_be_chosen(kind: CertificateKind, member: str) -> None:
    assert outcome(everything(), asked(kind, Scope.MEMBERS, (member,))) is REFUSED


def test_who_is_in_no_register_here_gets_none_of_its_documents() -> None:
    resident_alone = in_other_words(person(), seal=SEAL, tax_payments={2026: PAID})
    assert {outcome(resident_alone, asked(kind)) for kind in OF_FAMILY} == {REFUSED}
    assert {outcome(resident_alone, asked(kind)) for kind in OF_RESIDENTS} == {None}
    registered_alone = dataclasses.replace(everything(), residence=None)
    assert {outcome(registered_alone, asked(kind)) for kind in OF_FAMILY} == {None}
    assert {outcome(registered_alone, asked(kind)) for kind in OF_RESIDENTS} == {REFUSED}


def test_without_a_supplement_its_copy_alone_is_refused() -> None:
    who = everything(supplementary=None)
    assert [outcome(who, asked(kind)) for kind in OF_FAMILY] == [None, None, REFUSED]


def test_the_whole_supplement_has_the_removed_too() -> None:
    decision = rules.decide(ALL_SETTINGS, everything(), asked(K.SUPPLEMENTARY_REGISTER, Scope.HOUSEHOLD), NOW)
    assert [one.person_id for one in decision.entries] == ["r-taro", "r-hanako", "x-1", "r-child"]
    assert decision.everybody
    chosen = asked(K.SUPPLEMENTARY_REGISTER, Scope.MEMBERS, ("r-child", "r-taro"))
    part = rules.decide(ALL_SETTINGS, everything(), chosen, NOW)
    assert ([one.person_id for one in part.entries], part.everybody) == (["r-taro", "r-child"], False)


@pytest.mark.parametrize(
    ("now_utc", "again"),
    [
        (datetime(2026, 7, 1, 3, 0, tzinfo=UTC), None),
        (datetime(2026, 7, 1, 9, 0, tzinfo=UTC), "2026-07-02T08:30:00+09:00"),
        (datetime(2026, 7, 4, 3, 0, tzinfo=UTC), "2026-07-06T08:30:00+09:00"),  # a Saturday
    ],
)
def test_family_registers_keep_office_hours_where_the_municipality_says_so(
    now_utc: datetime, again: str | None
) -> None:
    settings = with_document(ALL_SETTINGS, K.FAMILY_REGISTER, hours=OFFICE_HOURS)
    assert outcome(everything(), asked(K.SUPPLEMENTARY_REGISTER), settings, now_utc) is None
    if again is None:
        assert outcome(everything(), asked(K.FAMILY_REGISTER), settings, now_utc) is None
        return
    with pytest.raises(NotNow) as closed:
        rules.decide(settings, everything(), asked(K.FAMILY_REGISTER), now_utc)
    assert closed.value.available_again_jst is not None
    assert closed.value.available_again_jst.isoformat() == again


def test_a_child_may_ask_where_the_municipality_allows_it() -> None:
    child = everything(person(requester="r-child"))
    assert CHILD.born_on == date(2015, 7, 2)
    assert outcome(child, asked(K.FAMILY_REGISTER)) is None
    settings = with_document(ALL_SETTINGS, K.FAMILY_REGISTER, minimum_age=15)
    assert outcome(child, asked(K.FAMILY_REGISTER), settings) is REFUSED
