"""Offers: fees, items off, people by references of one session, refusals that do not tell."""

from __future__ import annotations

from datetime import date, time

import pytest
from msgspec.structs import replace

from issuance_server import offers
from issuance_server.offers import MemberRefs
from issuance_server.register.person import Person
from issuance_server.settings import MunicipalitySettings, OpenHours
from protocol.errors import ErrorCode, IssueError
from protocol.messages import Offer, PrepareRequest, Scope
from tests.issuing_parts import CHILD, CODE, HANAKO, HOUSEHOLD, NOW, SETTINGS, TARO, person

REFS = MemberRefs(bytes(32), b"session 1")


def made(who: Person | None = None, settings: MunicipalitySettings = SETTINGS) -> dict[str, Offer]:
    return {offer.kind: offer for offer in offers.offers(settings, who or person(), REFS, NOW)}


def test_what_can_be_had() -> None:
    residence, taxation = made()["residence"], made()["taxation"]
    assert (residence.fee_yen, residence.refusal, residence.scopes) == (300, None, tuple(Scope))
    assert (taxation.fee_yen, taxation.refusal, taxation.scopes) == (350, None, (Scope.SELF,))
    assert taxation.fiscal_years == (2026, 2025)
    assert (taxation.members, taxation.items, residence.fiscal_years) == ((), (), ())


def test_nothing_is_on_that_was_not_chosen() -> None:
    items = made()["residence"].items
    assert len(items) == 8
    assert not any(item.default for item in items)


def test_items_of_nobody_there_are_left_out() -> None:
    japanese = person(household=replace(HOUSEHOLD, member_ids=("r-taro", "r-hanako")))
    assert {item.item for item in made(japanese)["residence"].items} == {
        "relationship",
        "domicile",
        "previous_address",
        "individual_number",
    }
    foreign = person(requester="r-maria", household=replace(HOUSEHOLD, member_ids=("r-maria",)))
    assert "domicile" not in {item.item for item in made(foreign)["residence"].items}


def test_who_lives_alone_chooses_no_members() -> None:
    alone = person(household=replace(HOUSEHOLD, member_ids=("r-taro",)))
    assert made(alone)["residence"].scopes == (Scope.SELF, Scope.HOUSEHOLD)


def test_members_are_masked_and_current() -> None:
    members = made(person(replace(CHILD, died_on=date(2026, 1, 1))))["residence"].members
    assert [(member.masked_name, member.is_requester) for member in members] == [
        ("見● 太●", True),
        ("見● 花●", False),
        ("S● M●", False),
    ]


def test_a_refusal_says_nothing_of_whom_or_why() -> None:
    by_requester = made(person(replace(TARO, issuance_stop=True)))
    by_member = made(person(replace(HANAKO, issuance_stop=True)))
    by_age = made(person(replace(TARO, born_on=date(2020, 1, 1))))
    assert by_requester == by_member == by_age
    assert {offer.refusal for offer in by_member.values()} == {ErrorCode.NOT_ISSUABLE_HERE.value}
    assert all(not offer.members for offer in by_member.values())


def test_closed_hours_say_when_again() -> None:
    hours = (OpenHours(weekday=3, opens_at=time(8, 30), closes_at=time(17)),)
    closed = replace(SETTINGS, documents=(replace(SETTINGS.documents[0], hours=hours), SETTINGS.documents[1]))
    found = made(settings=closed)
    assert found["residence"].refusal == ErrorCode.NOT_OFFERED_NOW.value
    assert found["residence"].available_again == "2026-07-02T08:30:00+09:00"
    assert (found["taxation"].refusal, found["taxation"].available_again) == (None, None)


def test_without_a_fee_it_is_not_offered() -> None:
    assert set(made(settings=replace(SETTINGS, fees=SETTINGS.fees[:1]))) == {"residence"}


def request(members: tuple[str, ...]) -> PrepareRequest:
    return PrepareRequest(
        session_id="s",
        order_id="0" * 32,
        municipality_code=CODE,
        kind="residence",
        scope=Scope.MEMBERS,
        members=members,
        items=("domicile",),
        fiscal_year=None,
        binding=bytes(32),
    )


def test_a_reference_leads_back_to_its_member() -> None:
    refs = tuple(member.ref for member in made()["residence"].members)
    asked = REFS.asked(request((refs[2], refs[0])), person())
    assert asked.member_ids == ("r-child", "r-taro")
    assert (asked.kind, asked.scope, asked.items) == ("residence", Scope.MEMBERS, ("domicile",))


@pytest.mark.parametrize("other", [MemberRefs(bytes(32), b"session 2"), MemberRefs(b"\x01" * 32, b"session 1")])
def test_a_reference_means_nothing_in_another_session(other: MemberRefs) -> None:
    ref = other.ref("r-child")
    assert ref != REFS.ref("r-child")
    with pytest.raises(IssueError, match="not a reference") as refused:
        REFS.asked(request((ref,)), person())
    assert refused.value.code is ErrorCode.BAD_REQUEST


def test_a_resident_s_id_is_no_reference() -> None:
    with pytest.raises(IssueError, match="not a reference"):
        REFS.asked(request(("r-child",)), person())
