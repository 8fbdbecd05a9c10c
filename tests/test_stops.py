"""What a stop refuses, it refuses at every door: every document, both municipalities, offers, repetition and grant.

Who looks for somebody has a card of their own, a household, a family register, and a terminal that may be theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from issuance_server import cases
from issuance_server.database import write
from issuance_server.kinds import KINDS, Source
from issuance_server.ledger import OrderState
from issuance_server.register.records import RegisterRecord
from issuance_server.sessions import Caller
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode
from protocol.messages import Offer
from tests.databases import Databases
from tests.issuing_parts import CODE, HANAKO, HOUSEHOLD, TARO, Office, abandon, code_of, longer, order_id
from tests.register_parts import (
    ALL_SETTINGS,
    ELSEWHERE,
    MORE_RECORDS,
    OTHER,
    OTHER_SETTINGS,
    REGISTER,
    elsewhere,
    two_towns,
)

K = CertificateKind
REFUSED = ErrorCode.NOT_ISSUABLE_HERE
OF_FAMILY = [kind for kind, row in KINDS.items() if row.source is Source.FAMILY_REGISTER]
OF_RESIDENTS = [kind for kind in K if kind not in OF_FAMILY]

STOPPED_TARO = replace(TARO, issuance_stop=True)
STOPPED_HANAKO = replace(HANAKO, issuance_stop=True)
STOPPED_HOME = replace(HOUSEHOLD, issuance_stop=True)
DEAD_TARO = replace(TARO, died_on=date(2026, 6, 30))


@pytest.fixture
def towns(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    """Taro lives in one municipality; his family register is another's."""
    made = Office(tmp_path, databases.declared(), decided=(ALL_SETTINGS, OTHER_SETTINGS))
    two_towns(made)
    yield made
    made.close()


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    """Household and family register in one municipality."""
    made = Office(tmp_path, databases.declared(), decided=(ALL_SETTINGS,))
    made.put(*MORE_RECORDS)
    yield made
    made.close()


def order_of(kind: CertificateKind) -> dict[str, Any]:
    row = KINDS[kind]
    year = 2026 if row.source is Source.TAX_RECORDS else None
    return {"kind": kind.value, "scope": row.scopes[0], "items": row.default_items, "fiscal_year": year}


def prepared_with(office: Office, caller: Caller, kind: CertificateKind, code: str = CODE) -> ErrorCode:
    """What one order of a kind is refused with."""
    return code_of(lambda: office.prepare(caller, 2, municipality_code=code, **order_of(kind)))


# One person, two municipalities


@pytest.mark.parametrize("record", [STOPPED_TARO, STOPPED_HANAKO, STOPPED_HOME, DEAD_TARO])
def test_who_is_refused_everything_at_home_is_refused_where_the_family_register_is(
    towns: Office, record: RegisterRecord
) -> None:
    """His copy of the supplement would say from another municipality what his own refuses."""
    caller = towns.caller(elsewhere=ELSEWHERE)
    there = {"municipality_code": OTHER}
    towns.prepare(caller, 1, **order_of(K.SUPPLEMENTARY_REGISTER), **there)
    towns.put(record)
    assert code_of(lambda: towns.grant(caller, 1)) is REFUSED
    offers = towns.issuer.welcome(caller).offers
    assert {offer.refusal for offer in offers} == {REFUSED}
    for kind in OF_FAMILY:
        assert prepared_with(towns, caller, kind, OTHER) is REFUSED


def test_a_stop_in_the_family_register_elsewhere_refuses_the_person_at_home(towns: Office) -> None:
    caller = towns.caller(elsewhere=ELSEWHERE)
    towns.prepare(caller, 1)
    people = (replace(REGISTER.people[0], issuance_stop=True), *REGISTER.people[1:])
    towns.put(elsewhere(replace(REGISTER, people=people)), code=OTHER)
    assert code_of(lambda: towns.grant(caller, 1)) is REFUSED
    for kind in OF_RESIDENTS:
        assert prepared_with(towns, caller, kind) is REFUSED
    offers = towns.issuer.welcome(caller).offers
    assert {offer.refusal for offer in offers} == {REFUSED}


def test_a_relative_s_stop_elsewhere_is_no_stop_of_the_household_at_home(towns: Office) -> None:
    caller = towns.caller(elsewhere=ELSEWHERE)
    people = (REGISTER.people[0], replace(REGISTER.people[1], issuance_stop=True), *REGISTER.people[2:])
    towns.put(elsewhere(replace(REGISTER, people=people)), code=OTHER)
    towns.prepare(caller, 1)
    there = {"municipality_code": OTHER}
    assert code_of(lambda: towns.prepare(caller, 2, **order_of(K.SUPPLEMENTARY_REGISTER), **there)) is REFUSED


def test_what_a_municipality_decided_is_said_before_what_another_knows_of_the_person(towns: Office) -> None:
    towns.put(STOPPED_TARO)
    towns.clock.advance(hours=9)  # 21:00 in Japan: there it is closed
    caller = towns.caller(elsewhere=ELSEWHERE)
    there = {"municipality_code": OTHER}
    closed = code_of(lambda: towns.prepare(caller, 1, **order_of(K.SUPPLEMENTARY_REGISTER), **there))
    assert closed is ErrorCode.NOT_OFFERED_NOW


# One register, several households


LEFT = (
    replace(HANAKO, household_id="h-2"),
    replace(HOUSEHOLD, member_ids=("r-taro", "r-child", "r-maria")),
)
NEW_HOME = replace(HOUSEHOLD, household_id="h-2", member_ids=("r-hanako",))
HOST = replace(HANAKO, resident_id="r-host", household_id="h-2", name="佐藤 梅子")


@pytest.mark.parametrize(
    "stop",
    [
        (replace(NEW_HOME, issuance_stop=True),),
        (replace(NEW_HOME, member_ids=("r-hanako", "r-host")), replace(HOST, issuance_stop=True)),
    ],
)
def test_a_stop_on_the_home_of_somebody_in_the_family_register_hides_it(
    office: Office, stop: tuple[RegisterRecord, ...]
) -> None:
    """She left for a home that is stopped as an address, or for her mother, who is: the supplement shows where."""
    office.put(*LEFT, NEW_HOME)
    caller = office.caller()
    office.prepare(caller, 1, **order_of(K.SUPPLEMENTARY_REGISTER))
    office.put(*stop)
    assert code_of(lambda: office.grant(caller, 1)) is REFUSED
    for kind in OF_FAMILY:
        assert prepared_with(office, caller, kind) is REFUSED
    office.prepare(caller, 3)  # his own household's papers say nothing of her


def test_who_lives_with_a_relative_without_a_stop_changes_nothing_but_the_version(office: Office) -> None:
    office.put(*LEFT, NEW_HOME)
    caller = office.caller()
    office.prepare(caller, 1, **order_of(K.SUPPLEMENTARY_REGISTER))
    office.grant(caller, 1)
    office.put(replace(NEW_HOME, member_ids=("r-hanako", "r-host")), HOST)
    office.prepare(caller, 2, **order_of(K.SUPPLEMENTARY_REGISTER))
    assert office.order(2).state is OrderState.PREPARED


# What offers say beside the refusal


def test_two_towns_one_stopped_its_offers_do_not_tell_who_is_refused(towns: Office) -> None:
    """A scope or an item that is left out for some would say what the one refusal for all hides."""
    with write(towns.engine) as connection:
        cases.stop_municipality(connection, CODE, order_id(9), towns.clock())
    caller = towns.caller(elsewhere=ELSEWHERE)

    def here() -> list[Offer]:
        offers = towns.issuer.welcome(caller).offers
        return [offer for offer in offers if offer.municipality_code == CODE]

    before = here()
    towns.put(STOPPED_TARO)
    assert here() == before


@pytest.mark.parametrize("record", [STOPPED_HANAKO, STOPPED_HOME, DEAD_TARO])
def test_offers_of_the_refused_are_one_like_another(office: Office, record: RegisterRecord) -> None:
    caller = office.caller()
    allowed = office.issuer.welcome(caller).offers
    office.put(STOPPED_TARO)
    one = office.issuer.welcome(caller).offers
    office.put(TARO, record)
    another = office.issuer.welcome(caller).offers
    assert another == one != allowed


# What is repeated is looked at again


def test_a_paper_is_not_repeated_after_a_stop(office: Office) -> None:
    caller = office.caller()
    request = office.request(1, caller, **order_of(K.SUPPLEMENTARY_REGISTER))
    office.issuer.prepare(caller, request)
    office.issuer.repeat(caller, order_id(1))
    office.put(STOPPED_HANAKO)
    assert code_of(lambda: office.issuer.repeat(caller, order_id(1))) is REFUSED
    assert code_of(lambda: office.issuer.prepare(caller, request)) is REFUSED


def test_a_granted_paper_is_not_repeated_after_a_stop(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller, 1)
    office.grant(caller, 1)
    office.put(STOPPED_TARO)
    assert code_of(lambda: office.issuer.repeat(caller, order_id(1))) is REFUSED


def test_an_intent_that_was_left_is_not_drawn_after_a_stop(office: Office) -> None:
    caller = longer(office.caller())
    abandon(office, caller)
    office.put(STOPPED_TARO)
    office.clock.advance(seconds=31)
    assert code_of(lambda: office.prepare(caller, 1)) is REFUSED


# What an older build left


@pytest.mark.parametrize(
    "older",
    [
        "UPDATE orders SET seal_blob = NULL, seal_for_code = NULL",  # a seal that was kept as text is kept no more
        "snapshot",
    ],
)
def test_an_order_of_an_older_build_is_answered_and_stops_nobody(office: Office, older: str) -> None:
    caller = office.caller()
    office.prepare(caller, 1)
    with write(office.engine) as connection:
        if older == "snapshot":
            blob = office.vault.seal(f"order/{CODE}/{order_id(1)}".encode(), b'{"requester_id": "r-taro"}')
            connection.execute(text("UPDATE orders SET snapshot = :blob"), {"blob": blob})
        else:
            connection.execute(text(older))
    assert code_of(lambda: office.issuer.repeat(caller, order_id(1))) is ErrorCode.SERVICE_RENEWED
    office.prepare(caller, 2)
