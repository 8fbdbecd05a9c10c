"""Nothing unchosen is in any record (S19): every value of the registers carries a mark, and is looked for."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import count

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from issuance_server import documents, rules
from issuance_server.kinds import KINDS, Source
from issuance_server.register.person import Family, Person, Residence
from issuance_server.register.records import (
    Adoption,
    FamilyRegisterRecord,
    ForeignResident,
    Household,
    LeviedTax,
    PastAddress,
    RegisterEntry,
    RegisterMatter,
    Resident,
    SealRecord,
    SupplementaryEntry,
    SupplementaryRecord,
    TaxPaymentRecord,
    TaxRecord,
    TaxStatus,
)
from printing.paper.records import CertificateKind, StatedItem
from protocol.messages import Scope
from tests.issuing_parts import CODE, NOW
from tests.register_parts import ALL_SETTINGS
from tests.test_documents import ORDER
from tests.test_rules_kinds import asked

K = CertificateKind
_DAYS = count()


def day() -> date:
    """A day that stands nowhere else."""
    return date(1950, 1, 1) + timedelta(days=next(_DAYS))


def resident(person_id: str, foreign: ForeignResident | None = None) -> Resident:
    """Every text of it carries the person's id and the field's name."""
    texts = {
        name: f"<{person_id} {name}>"
        for name in (
            *("name", "name_reading", "former_surname", "former_surname_reading", "sex", "relationship"),
            *("domicile", "domicile_head", "moved_in_from", "previous_address", "remarks", "individual_number"),
        )
    }
    if foreign is not None:
        texts = {key: text for key, text in texts.items() if not key.startswith(("domicile", "former"))}
    return Resident(
        resident_id=person_id,
        household_id="h",
        born_on=day(),
        became_resident_on=None if foreign else day(),
        address_since=day(),
        notified_on=day(),
        foreign=foreign,
        **texts,
    )


FOREIGN = ForeignResident(
    became_foreign_resident_on=day(),
    nationality="<m nationality>",
    category="<m category>",
    status="<m status>",
    period="<m period>",
    expires_on=day(),
    card_number="<m card_number>",
    alias="<m alias>",
    alias_history=("<m alias_history>",),
    kanji_name="<m kanji_name>",
)
TARO, HANAKO, MARIA = resident("t"), resident("h"), resident("m", FOREIGN)


def tax(year: int) -> TaxRecord:
    return TaxRecord(
        resident_id="t",
        fiscal_year=year,
        status=TaxStatus.TAXED,
        address_on_1_january=f"<{year} january>",
        incomes=((f"<{year} incomes>", 1),),
        totals=((f"<{year} totals>", 1),),
        deductions=((f"<{year} deductions>", 1),),
        dependants=((f"<{year} dependants>", 1),),
        credits=((f"<{year} credits>", 1),),
    )


def paid(year: int) -> TaxPaymentRecord:
    line = LeviedTax(tax=f"<{year} paid>", levied_yen=1, paid_yen=1, unpaid_yen=0)
    return TaxPaymentRecord(resident_id="t", fiscal_year=year, confirmed_until=day(), taxes=(line,))


def entry(person_id: str, *, removed: bool = False) -> RegisterEntry:
    return RegisterEntry(
        person_id=person_id,
        given_name=f"<{person_id} given>",
        born_on=TARO.born_on if person_id == "t" else day(),
        father=f"<{person_id} father>",
        mother=f"<{person_id} mother>",
        relationship=f"<{person_id} relation>",
        adoption=Adoption(father=f"<{person_id} adoptive>", mother=None, relationship="養子"),
        removed=removed,
        matters=(RegisterMatter(title="出生", entries=((f"<{person_id} matter>", None),)),),
    )


ENTRIES = (entry("t"), entry("h"), entry("x", removed=True))
REGISTER = FamilyRegisterRecord(
    register_id="k",
    domicile="<register domicile>",
    surname="<register surname>",
    surname_reading="<register reading>",
    head_given_name="<register head>",
    matters=(RegisterMatter(title="<register matters>", entries=(("編製日", None),)),),
    people=ENTRIES,
)
SUPPLEMENTARY = SupplementaryRecord(
    register_id="k",
    people=tuple(
        SupplementaryEntry(
            person_id=one.person_id,
            name=f"<register surname> {one.given_name}",
            born_on=one.born_on,
            sex="男",
            addresses=(PastAddress(address=f"<{one.person_id} lived>", since=day()),),
            overseas_voter=f"<{one.person_id} voter>",
        )
        for one in ENTRIES
    ),
)
PERSON = Person(
    CODE,
    "t",
    Residence(
        resident=TARO,
        household=Household(
            household_id="h", address="<household address>", head_name="<household head>", member_ids=("t", "h", "m")
        ),
        members=(TARO, HANAKO, MARIA),
        tax={2025: tax(2025), 2026: tax(2026)},
        tax_payments={2025: paid(2025), 2026: paid(2026)},
        seal=SealRecord(resident_id="t", registered_on=day(), image_png=b"<seal image>"),
    ),
    Family(ENTRIES[0], REGISTER, SUPPLEMENTARY),
    bytes(32),
)

#: What a record of a resident always has, and which fields come with which item. Items' names are the fields'.
_ALWAYS = {"name", "name_reading", "former_surname", "former_surname_reading", "alias", "kanji_name"}
_RESIDENCE_ALWAYS = {"moved_in_from", "remarks", "sex"}
_WITH_ITEM = {
    "domicile": {"domicile", "domicile_head"},
    "status": {"category", "status", "period"},
    **{item: {item} for item in (*StatedItem,) if item not in {"domicile", "status"}},
}


def marks_of(kind: CertificateKind, items: tuple[str, ...], people: set[str]) -> set[str]:
    """Every mark that may stand in a record of a resident register's document."""
    fields = _ALWAYS | set().union(*(_WITH_ITEM[item] for item in items))
    marks = {f"<{person_id} {name}>" for person_id in people for name in fields}
    if kind is K.RESIDENCE:
        marks |= {f"<{person_id} {name}>" for person_id in people for name in _RESIDENCE_ALWAYS}
        marks |= {"<household address>"} | ({"<household head>"} if "relationship" in items else set())
        return marks
    marks |= {"<household address>"} if "address" in items else set()
    return marks | ({"<household head>"} if "head_of_household" in items else set())


_DATES = {
    StatedItem.RESIDENT_SINCE: lambda one: one.became_resident_on or one.foreign.became_foreign_resident_on,
    StatedItem.ADDRESS_SINCE: lambda one: one.address_since,
    StatedItem.NOTIFIED_ON: lambda one: one.notified_on,
    StatedItem.STATUS: lambda one: one.foreign.expires_on if one.foreign else None,
}
_ALWAYS_DATED = (
    StatedItem.RESIDENT_SINCE,
    StatedItem.ADDRESS_SINCE,
    StatedItem.NOTIFIED_ON,
)  # on a residence certificate


def dates_of(kind: CertificateKind, items: tuple[str, ...], people: set[str]) -> set[str]:
    """Every date that may stand there: each day stands once in all registers."""
    dated = {item for item in _DATES if item in items} | (set(_ALWAYS_DATED) if kind is K.RESIDENCE else set())
    shown = [one for one in (TARO, HANAKO, MARIA) if one.resident_id in people]
    days = {_DATES[item](one) for one in shown for item in dated} | {one.born_on for one in shown}
    return {day.isoformat() for day in days if day is not None}


def dates_in(record: object) -> set[str]:
    return set(re.findall("[0-9]{4}-[0-9]{2}-[0-9]{2}", msgspec.json.encode(record).decode()))


def marks_in(record: object) -> set[str]:
    text = msgspec.json.encode(record).decode()
    return {f"<{part.split('>')[0]}>" for part in text.split("<")[1:]}


@st.composite
def orders(draw: st.DrawFn, kinds: tuple[CertificateKind, ...]) -> rules.Asked:
    kind = draw(st.sampled_from(kinds))
    row = KINDS[kind]
    scope = draw(st.sampled_from(row.scopes))
    choosable = ("t", "h", "m") if row.source is Source.RESIDENT_REGISTER else ("t", "h")
    members = draw(st.sets(st.sampled_from(choosable), min_size=1)) if scope is Scope.MEMBERS else set()
    items = draw(st.sets(st.sampled_from(row.items), min_size=row.least_items)) if row.items else set()
    year = draw(st.sampled_from((2025, 2026))) if row.source is Source.TAX_RECORDS else None
    return asked(kind, scope, tuple(sorted(members)), items=tuple(sorted(items)), fiscal_year=year)


@settings(deadline=None, max_examples=300)
@given(orders((K.RESIDENCE, K.RESIDENCE_ITEMS)))
def test_of_residents_only_the_items_and_people_that_were_chosen(what: rules.Asked) -> None:
    decision = rules.decide(ALL_SETTINGS, PERSON, what, NOW)
    people = {Scope.SELF: {"t"}, Scope.HOUSEHOLD: {"t", "h", "m"}, Scope.MEMBERS: set(what.member_ids)}[what.scope]
    record = documents.certificate(PERSON, what, decision)
    allowed = marks_of(decision.kind, what.items, people)
    assert marks_in(record) <= allowed
    assert dates_in(record) == dates_of(decision.kind, what.items, people)
    # And what was chosen is there, as far as it is recorded of these people.
    recorded = marks_in([one for one in (TARO, HANAKO, MARIA) if one.resident_id in people])
    recorded |= {"<household address>", "<household head>"}
    assert marks_in(record) >= allowed & recorded - {"<m domicile>", "<m domicile_head>"}
    chosen_numbers = {f"<{one} individual_number>" for one in people} if "individual_number" in what.items else set()
    expected = documents.expected(PERSON, what, decision, **ORDER)
    assert {one.individual_number for one in expected.people} - {None} == chosen_numbers


@settings(deadline=None, max_examples=100)
@given(orders((K.INCOME, K.TAXATION, K.TAX_PAYMENT, K.SEAL_REGISTRATION)))
def test_of_taxes_only_the_year_and_what_the_document_states(what: rules.Asked) -> None:
    decision = rules.decide(ALL_SETTINGS, PERSON, what, NOW)
    year = what.fiscal_year
    who = {"<t name>", "<t name_reading>"}
    of_the_year = {
        K.INCOME: {f"<{year} january>", f"<{year} incomes>", f"<{year} totals>"},
        K.TAXATION: {
            f"<{year} {name}>" for name in ("january", "incomes", "totals", "deductions", "dependants", "credits")
        },
        K.TAX_PAYMENT: {f"<{year} paid>", "<household address>"},
        K.SEAL_REGISTRATION: {"<household address>", "<t former_surname>"},
    }[decision.kind]
    found = marks_in(documents.certificate(PERSON, what, decision))
    with_reading = decision.kind is not K.SEAL_REGISTRATION
    assert found == of_the_year | (who if with_reading else {"<t name>"})


@settings(deadline=None, max_examples=200)
@given(orders((K.FAMILY_REGISTER, K.FAMILY_REGISTER_INDIVIDUAL, K.SUPPLEMENTARY_REGISTER)))
def test_of_a_family_register_only_the_people_and_items_that_were_chosen(what: rules.Asked) -> None:
    decision = rules.decide(ALL_SETTINGS, PERSON, what, NOW)
    people = {Scope.SELF: {"t"}, Scope.HOUSEHOLD: {"t", "h", "x"}, Scope.MEMBERS: set(what.member_ids)}[what.scope]
    found = marks_in(documents.certificate(PERSON, what, decision))
    of_people = {"given", "lived"} if decision.kind is K.SUPPLEMENTARY_REGISTER else set()
    if "overseas_voter" in what.items:
        of_people |= {"voter"}
    if decision.kind is not K.SUPPLEMENTARY_REGISTER:
        of_people = {"given", "father", "mother", "relation", "adoptive", "matter"}
    allowed = {f"<{person_id} {name}>" for person_id in people for name in of_people} | {"<register surname>"}
    if decision.kind is not K.SUPPLEMENTARY_REGISTER:
        allowed |= {f"<register {name}>" for name in ("domicile", "reading", "head", "matters")}
    elif "domicile" in what.items:
        allowed |= {"<register domicile>", "<register head>"}
    assert found == allowed


def test_the_marks_find_what_does_not_belong_there() -> None:
    what = asked(K.RESIDENCE_ITEMS, items=("sex",))
    decision = rules.decide(ALL_SETTINGS, PERSON, what, NOW)
    record = documents.certificate(PERSON, what, decision)
    assert marks_in(replace(record, address="<household address>")) - marks_of(decision.kind, what.items, {"t"})
