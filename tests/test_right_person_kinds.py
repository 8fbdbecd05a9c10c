"""The right person and the right year on every kind of paper; and what each kind reads is what its grant looks at.

Faults are put where the record that is drawn is made. What the paper is compared with is stated apart from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from issuance_server import rules
from issuance_server.documents import tax
from issuance_server.kinds import KINDS, Source
from issuance_server.ledger import OrderState
from issuance_server.register import store
from issuance_server.register.person import Family, Person, Residence
from issuance_server.register.records import RecordType, RegisterRecord
from issuance_server.rules import Asked, Decision
from printing.paper import recheck
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode
from protocol.messages import Scope
from tests.issuing_parts import CHILD, HANAKO, HOUSEHOLD, TARO, TAXED, Office, code_of
from tests.register_parts import ALL_SETTINGS, MORE_RECORDS, PAID, REGISTER, SEAL, SUPPLEMENTARY

pytestmark = pytest.mark.slow

K = CertificateKind
OF_ONE = [kind for kind, row in KINDS.items() if Scope.SELF in row.scopes]
OF_MEMBERS = [kind for kind, row in KINDS.items() if Scope.MEMBERS in row.scopes]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, decided=(ALL_SETTINGS,))
    made.put(*MORE_RECORDS, replace(TAXED, fiscal_year=2025), replace(PAID, fiscal_year=2025))
    yield made
    made.close()


def order_of(kind: CertificateKind, scope: Scope | None = None) -> dict[str, Any]:
    row = KINDS[kind]
    year = 2026 if row.source is Source.TAX_RECORDS else None
    return {"kind": kind.value, "scope": scope or row.scopes[0], "items": row.default_items, "fiscal_year": year}


def seen_only_by_reading_again(office: Office, **asked: Any) -> None:
    caller = office.caller()
    believing = office.new_issuer(reread=lambda _pdf, _expected: None)
    believing.prepare(caller, office.request(1, caller, **asked))  # the fault, unseen
    refused = code_of(lambda: office.issuer.prepare(caller, office.request(2, caller, **asked)))
    assert refused is ErrorCode.INTEGRITY_STOP
    assert office.order(2).state is OrderState.VOIDED


# Whose


@pytest.mark.parametrize("kind", OF_ONE)
def test_a_decision_for_somebody_else_of_the_household_is_no_proof_of_itself(
    office: Office, kind: CertificateKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, entries = rules._people, rules._entries

    def another(residence: Residence, asked: Asked, on_jst: Any) -> Any:
        return people(dataclasses.replace(residence, resident=residence.members[1]), asked, on_jst)

    def another_s(kind: CertificateKind, family: Family, asked: Asked) -> Any:
        return entries(kind, dataclasses.replace(family, entry=family.register.people[1]), asked)

    monkeypatch.setattr(rules, "_people", another)
    monkeypatch.setattr(rules, "_entries", another_s)
    seen_only_by_reading_again(office, **order_of(kind, Scope.SELF))


@pytest.mark.parametrize("kind", OF_MEMBERS)
def test_members_who_were_not_chosen_are_seen(
    office: Office, kind: CertificateKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = rules.decide

    def more(settings: Any, person: Person, asked: Asked, now_utc: Any) -> Decision:
        return decide(settings, person, replace(asked, member_ids=("r-taro", "r-hanako")), now_utc)

    monkeypatch.setattr(rules, "decide", more)
    seen_only_by_reading_again(office, **order_of(kind, Scope.MEMBERS), member_ids=("r-hanako",))


# Which year


@pytest.mark.parametrize("kind", [K.INCOME, K.TAXATION])
def test_another_year_s_record_is_seen(office: Office, kind: CertificateKind, monkeypatch: pytest.MonkeyPatch) -> None:
    taxed = tax._taxed

    def last_year(person: Person, asked: Asked, decision: Decision) -> Any:
        return taxed(person, replace(asked, fiscal_year=2025), decision)

    monkeypatch.setattr(tax, "_taxed", last_year)
    seen_only_by_reading_again(office, **order_of(kind))


# What is read is what the grant looks at (S13): each record that a kind prints or is decided by

_HOME = (RecordType.RESIDENT, replace(TARO, notified_on=TARO.born_on))
_HOUSE = (RecordType.HOUSEHOLD, replace(HOUSEHOLD, address="見本県見本市二丁目2番2号"))
_TAX = (RecordType.TAX, replace(TAXED, annual_yen=1))
_FAMILY = (RecordType.FAMILY_REGISTER, replace(REGISTER, domicile="見本県見本市四丁目4番"))
_LINES = (
    RecordType.SUPPLEMENTARY,
    replace(SUPPLEMENTARY, people=(*SUPPLEMENTARY.people[:3], replace(SUPPLEMENTARY.people[3], addresses=()))),
)
READ: list[tuple[CertificateKind, tuple[RecordType, RegisterRecord]]] = [
    (K.RESIDENCE, _HOME),
    (K.RESIDENCE, _HOUSE),
    (K.RESIDENCE_ITEMS, _HOME),
    (K.RESIDENCE_ITEMS, _HOUSE),
    (K.SEAL_REGISTRATION, _HOME),
    (K.SEAL_REGISTRATION, _HOUSE),
    (K.SEAL_REGISTRATION, (RecordType.SEAL, replace(SEAL, registered_on=TARO.born_on))),
    (K.INCOME, _HOME),
    (K.INCOME, _TAX),
    (K.TAXATION, _HOME),
    (K.TAXATION, _TAX),
    (K.TAX_PAYMENT, _HOUSE),
    (K.TAX_PAYMENT, (RecordType.TAX_PAYMENT, replace(PAID, confirmed_until=TARO.born_on))),
    (K.FAMILY_REGISTER, _FAMILY),
    (K.FAMILY_REGISTER_INDIVIDUAL, _FAMILY),
    (K.SUPPLEMENTARY_REGISTER, _FAMILY),
    (K.SUPPLEMENTARY_REGISTER, _LINES),
]


def blind_to(left_out: RecordType) -> Callable[[Iterable[tuple[str, str, int]]], bytes]:
    digest = store._versions_digest
    return lambda versions: digest([one for one in versions if one[0] != left_out])


@pytest.mark.parametrize(("kind", "changed"), READ)
def test_s13_every_record_that_a_paper_rests_on_is_in_its_digest(
    office: Office, kind: CertificateKind, changed: tuple[RecordType, RegisterRecord]
) -> None:
    record_type, record = changed
    caller = office.caller()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "_versions_digest", blind_to(record_type))
        office.prepare(caller, 1, **order_of(kind))
        office.put(record)
        office.grant(caller, 1)  # the fault: what was printed is not what is recorded
    office.prepare(caller, 2, **order_of(kind))
    office.put(record)  # the same words, entered once more: a version of its own
    assert code_of(lambda: office.grant(caller, 2, payment=2)) is ErrorCode.RECORD_CHANGED


def test_s13_every_kind_and_every_type_of_record_stands_in_the_table() -> None:
    assert {kind for kind, _changed in READ} == set(K)
    assert {record_type for _kind, (record_type, _record) in READ} == set(RecordType) - {RecordType.HOLDER}


def test_s13_the_registration_itself_is_looked_at(office: Office) -> None:
    holder = next(one for one in MORE_RECORDS if getattr(one, "person_id", "") == "r-taro")
    caller = office.caller()
    office.prepare(caller, 1, **order_of(K.SUPPLEMENTARY_REGISTER))
    office.put(holder)
    assert code_of(lambda: office.grant(caller, 1)) is ErrorCode.RECORD_CHANGED


# Lives that are unusual


def test_twins_of_one_name_and_one_birth_date_stay_two(office: Office) -> None:
    """They are told apart by what nobody shares: here the Individual Number, each in its own entry."""
    one = replace(CHILD, resident_id="r-child", individual_number="123456789018")
    other = replace(CHILD, resident_id="r-twin", individual_number="222222222220")
    office.put(
        one,
        other,
        replace(HOUSEHOLD, member_ids=("r-taro", "r-child", "r-twin")),
        replace(HANAKO, household_id="h-2"),
        replace(HOUSEHOLD, household_id="h-2", member_ids=("r-hanako",)),
    )
    caller = office.caller()
    chosen = {"items": ("individual_number",), "scope": Scope.MEMBERS}
    first, first_pdf = office.prepare(caller, 1, member_ids=("r-child",), **chosen)
    second, second_pdf = office.prepare(caller, 2, member_ids=("r-twin",), **chosen)
    assert first.masked_names == second.masked_names
    assert "222222222220" not in "".join(recheck.page_texts(first_pdf))
    assert "222222222220" in "".join(recheck.page_texts(second_pdf))
