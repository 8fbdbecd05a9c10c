"""A person whose registered domicile is elsewhere: one card, one visit, two municipalities that know it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from issuance_server import cases, schema
from issuance_server.database import write
from issuance_server.register.records import RegisterHolder
from issuance_server.register.store import Link
from issuance_server.revocation import CardStatus, Source
from issuance_server.sessions import Caller
from printing.paper import recheck, seal
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode
from protocol.messages import EventKind, Offer, Scope
from tests.databases import Databases
from tests.issuing_parts import CODE, TARO, Office, code_of, link_digest, order_id
from tests.register_parts import (
    ALL_SETTINGS,
    ELSEWHERE,
    HOLDERS,
    OTHER,
    OTHER_SETTINGS,
    REGISTER,
    SUPPLEMENTARY,
    elsewhere,
    two_towns,
)

REGISTER_KIND, ADDRESSES_KIND = CertificateKind.FAMILY_REGISTER.value, CertificateKind.SUPPLEMENTARY_REGISTER.value
WHOLE = {"scope": Scope.HOUSEHOLD}
HAS_LINK = Link(OTHER, link_digest("d-r-taro", OTHER), "d-r-taro")


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    made = Office(tmp_path, databases.declared(), decided=(ALL_SETTINGS, OTHER_SETTINGS))
    two_towns(made)
    yield made
    made.close()


def offered(office: Office, caller: Caller) -> dict[str, list[Offer]]:
    offers = office.issuer.welcome(caller).offers
    return {code: [offer for offer in offers if offer.municipality_code == code] for code in (CODE, OTHER)}


def test_each_municipality_offers_what_it_has_of_this_person(office: Office) -> None:
    welcome = office.issuer.welcome(office.caller(elsewhere=ELSEWHERE))
    name, offers = welcome.masked_name, welcome.offers
    assert name == "見● 太●"
    here = {offer.kind: offer.refusal for offer in offers if offer.municipality_code == CODE}
    there = {offer.kind: offer.refusal for offer in offers if offer.municipality_code == OTHER}
    assert here["residence"] is None
    assert here[REGISTER_KIND] == ErrorCode.NOT_ISSUABLE_HERE  # its register is another municipality's
    assert there == dict.fromkeys(
        (REGISTER_KIND, CertificateKind.FAMILY_REGISTER_INDIVIDUAL.value, ADDRESSES_KIND)
    )  # and no document of residents there
    assert [offer.municipality_code for offer in offers] == [CODE] * len(here) + [OTHER] * len(there)


def test_the_municipality_of_the_residence_comes_first_whatever_the_codes(office: Office) -> None:
    assert OTHER < CODE
    offers = office.issuer.welcome(office.caller(elsewhere=ELSEWHERE)).offers
    assert offers[0].municipality_code == CODE


def test_the_one_that_is_asked_issues_with_its_own_number_and_seal(office: Office) -> None:
    caller = office.caller(elsewhere=ELSEWHERE)
    prepared, pdf = office.prepare(caller, 1, kind=REGISTER_KIND, municipality_code=OTHER, **WHOLE)
    here, _pdf = office.prepare(caller, 2)
    assert (prepared.municipality_code, prepared.municipality_name) == (OTHER, "遠見市")
    assert prepared.masked_requester == "見● 太●"
    assert here.municipality_code == CODE
    assert prepared.issue_number == here.issue_number  # each counts its own
    assert "見本 花子" in "\n".join(recheck.page_texts(pdf))
    content = seal.verify(seal.read_printed(pdf), office.keys.trust().seal_keys_of(OTHER))
    assert content.municipality_code == OTHER
    office.grant(caller, 1)
    office.grant(caller, 2, payment=2)


def test_a_municipality_without_a_link_of_this_card_issues_nothing(office: Office) -> None:
    caller = office.caller()
    refused = code_of(lambda: office.prepare(caller, 1, kind=REGISTER_KIND, municipality_code=OTHER, **WHOLE))
    assert refused is ErrorCode.NOT_OFFERED


def test_residents_of_another_municipality_get_no_residence_documents(office: Office) -> None:
    caller = office.caller(elsewhere=ELSEWHERE)
    assert code_of(lambda: office.prepare(caller, 1, municipality_code=OTHER)) is ErrorCode.NOT_ISSUABLE_HERE


def test_references_mean_people_of_the_register_that_is_asked(office: Office) -> None:
    caller = office.caller(elsewhere=ELSEWHERE)
    asked = {"kind": CertificateKind.FAMILY_REGISTER_INDIVIDUAL.value, "municipality_code": OTHER}
    prepared, _pdf = office.prepare(caller, 1, scope=Scope.MEMBERS, member_ids=("d-r-hanako",), **asked)
    assert prepared.masked_names == ("見● 花●",)
    refused = code_of(lambda: office.prepare(caller, 2, scope=Scope.MEMBERS, member_ids=("r-hanako",), **asked))
    assert refused is ErrorCode.BAD_REQUEST


def test_s18_where_one_of_them_takes_lists_its_documents_alone_can_be_had(office: Office) -> None:
    with write(office.engine) as connection:
        connection.execute(schema.settings.delete().where(schema.settings.c.municipality_code == OTHER))
        office.settings.put(connection, replace(OTHER_SETTINGS, crl_max_age_h=24))
    by_list = CardStatus(Source.CRL, office.clock() - timedelta(hours=1))
    caller = dataclasses.replace(office.caller(elsewhere=ELSEWHERE), card=by_list)
    offers = offered(office, caller)
    assert offers[CODE] == []
    assert {offer.refusal for offer in offers[OTHER]} == {None}
    assert code_of(lambda: office.prepare(caller, 1)) is ErrorCode.CARD_STATUS_UNKNOWN
    office.prepare(caller, 2, kind=REGISTER_KIND, municipality_code=OTHER, **WHOLE)


def test_a_stopped_municipality_stops_its_own_documents_alone(office: Office) -> None:
    with write(office.engine) as connection:
        cases.stop_municipality(connection, OTHER, order_id(9), office.clock())
    caller = office.caller(elsewhere=ELSEWHERE)
    found = offered(office, caller)
    assert {offer.refusal for offer in found[OTHER]} == {ErrorCode.INTEGRITY_STOP}
    assert not any(offer.members for offer in found[OTHER])
    assert found[CODE][0].refusal is None
    asked = {"kind": ADDRESSES_KIND, "municipality_code": OTHER}
    assert code_of(lambda: office.prepare(caller, 1, **asked)) is ErrorCode.INTEGRITY_STOP
    office.prepare(caller, 2)
    with write(office.engine) as connection:
        cases.stop_municipality(connection, CODE, order_id(8), office.clock())
    assert code_of(lambda: office.issuer.welcome(caller)) is ErrorCode.INTEGRITY_STOP


def test_a_municipality_that_is_closed_is_closed_alone(office: Office) -> None:
    office.clock.advance(hours=9)  # 21:00 in Japan
    found = offered(office, office.caller(elsewhere=ELSEWHERE))
    assert {offer.refusal for offer in found[OTHER]} == {ErrorCode.NOT_OFFERED_NOW}
    assert {offer.available_again for offer in found[OTHER]} == {"2026-07-02T08:30:00+09:00"}
    assert found[CODE][0].refusal is None


@pytest.mark.parametrize("removed", [HAS_LINK, Link(CODE, link_digest("r-taro"), "r-taro")])
def test_a_link_that_is_gone_takes_its_own_municipality_s_documents_with_it(office: Office, removed: Link) -> None:
    caller = office.caller(elsewhere=ELSEWHERE)
    office.prepare(caller, 1, kind=ADDRESSES_KIND, municipality_code=OTHER)
    office.prepare(caller, 2)
    with write(office.engine) as connection:
        assert office.register.remove_link(connection, removed)
    gone, stays = (1, 2) if removed.municipality_code == OTHER else (2, 1)
    assert code_of(lambda: office.grant(caller, gone)) is ErrorCode.NOT_ISSUABLE_HERE
    office.grant(caller, stays, payment=2)
    found = offered(office, caller)
    assert found[removed.municipality_code] == []
    assert found[CODE if removed.municipality_code == OTHER else OTHER]


def test_a_link_that_names_somebody_else_since_is_nobody_s_consent(office: Office) -> None:
    """The other municipality corrects its link in mid-visit, to its Hanako."""
    office.put(elsewhere(HOLDERS[1]), code=OTHER)
    caller = office.caller(elsewhere=ELSEWHERE)
    office.prepare(caller, 1, kind=ADDRESSES_KIND, municipality_code=OTHER)
    with write(office.engine) as connection:
        office.register.remove_link(connection, HAS_LINK)
        office.register.add_link(connection, Link(OTHER, HAS_LINK.link_digest, "d-r-hanako"))
    assert code_of(lambda: office.grant(caller, 1)) is ErrorCode.RECORD_CHANGED
    asked = {"kind": ADDRESSES_KIND, "municipality_code": OTHER}
    assert code_of(lambda: office.prepare(caller, 2, **asked)) is ErrorCode.RECORD_CHANGED
    office.prepare(caller, 3)


def test_a_card_that_two_municipalities_link_to_different_people_gets_nothing(office: Office) -> None:
    """One of both links is wrong; neither municipality can see it alone."""
    somebody = replace(HOLDERS[2], person_id="d-somebody", register_id="k-9", name="他所 三郎")
    entry = replace(REGISTER.people[3], person_id="d-somebody", given_name="三郎")
    office.put(replace(REGISTER, register_id="k-9", surname="他所", people=(entry,)), somebody, code=OTHER)
    office.link("d-somebody", OTHER)
    assert entry.born_on != TARO.born_on
    caller = office.caller(elsewhere={OTHER: "d-somebody"})
    assert code_of(lambda: office.issuer.welcome(caller)) is ErrorCode.NOT_ISSUABLE_HERE
    assert office.open_cases() == ["LINKS_DISAGREE", "LINKS_DISAGREE"]


def test_not_me_ends_the_visit_at_both(office: Office) -> None:
    caller = office.caller(elsewhere=ELSEWHERE)
    office.prepare(caller, 1, kind=ADDRESSES_KIND, municipality_code=OTHER)
    office.tell(EventKind.NOT_ME, visit_id=caller.visit_id)
    assert office.order().state.value == "VOIDED"
    assert office.open_cases() == ["NOT_ME"]  # the municipality whose name was shown looks at its link
    assert code_of(lambda: office.prepare(caller, 2)) is ErrorCode.SESSION_EXPIRED
    other = office.caller(elsewhere=ELSEWHERE, visit="3" * 32)
    office.tell(EventKind.NOT_ME, visit_id=other.visit_id)
    assert office.open_cases() == ["NOT_ME"] * 3  # before anything was chosen, both do


def test_where_registration_and_register_name_different_people_there_is_nobody(office: Office) -> None:
    caller = office.caller(elsewhere=ELSEWHERE)
    assert offered(office, caller)[OTHER]
    wrong = RegisterHolder(
        person_id="d-r-taro", register_id="k-1", name="見本 太郎", born_on=TARO.born_on.replace(day=9)
    )
    office.put(wrong, code=OTHER)
    assert offered(office, caller)[OTHER] == []
    office.put(elsewhere(HOLDERS[0]), code=OTHER)
    lines = (replace(SUPPLEMENTARY.people[0], name="見本 次郎"), *SUPPLEMENTARY.people[1:])
    office.put(elsewhere(replace(SUPPLEMENTARY, people=lines)), code=OTHER)
    assert offered(office, caller)[OTHER] == []
