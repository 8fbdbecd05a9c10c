"""The town against the rules and the papers: each story ends as it says, everybody else's paper can be drawn."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from functools import cache

import pytest

from deploy.demo.pki import Standing
from deploy.demo.town import Town, build_people
from deploy.demo.town_stories import STORIES, Story
from issuance_server import documents, rules
from issuance_server.kinds import KINDS, by_fiscal_year
from issuance_server.register.person import Person, assemble
from issuance_server.register.records import RegisterRecord
from issuance_server.rules import Asked
from issuance_server.settings import MunicipalitySettings, certifier_on
from printing.paper import certificates
from printing.paper.errors import UndrawableText, ValueTooLong
from printing.paper.fonts import Fonts
from printing.paper.records import CertificateKind, Certifier, Issuance
from protocol.errors import ErrorCode, IssueError
from protocol.messages import Scope
from terminal.visit import TerminalCode

pytestmark = pytest.mark.slow

NOON_UTC = datetime(2026, 10, 1, 3, 0, tzinfo=UTC)
MIDNIGHT_UTC = datetime(2026, 10, 1, 15, 30, tzinfo=UTC)  # 00:30 in Japan
FISCAL_YEAR = 2026

#: Refused before the rules are asked: by the terminal, by the card's checks, or because no link leads to anybody.
BEFORE_THE_RULES = {
    key
    for key, story in STORIES.items()
    if not story.linked
    or story.certificate_expired
    or story.standing is not Standing.GOOD
    or isinstance(story.refusal, TerminalCode)
}


@cache
def town_of(residents: int) -> Town:
    return build_people(1, residents)


@cache
def fonts() -> Fonts:
    return Fonts.load()


def settings_of(town: Town, resident_id: str) -> MunicipalitySettings:
    code = code_of(town, resident_id)
    return next(decided for decided in town.municipalities if decided.municipality_code == code)


def person_of(town: Town, resident_id: str) -> Person:
    """What the registers say of a resident, or of somebody known elsewhere, put together as the server does it."""
    records: list[RegisterRecord] = []
    if resident_id in town.residents:
        household = town.households[town.residents[resident_id].household_id]
        records += [household, *(town.residents[member] for member in household.member_ids)]
        own = (*town.tax, *town.tax_payments, *town.seals.values())
        records += [record for record in own if record.resident_id == resident_id]
    told = next((one for one in town.registers if resident_id in {h.person_id for h in one.holders}), None)
    if told is not None:
        records += [told.register, told.supplementary, *told.holders]
    person = assemble(code_of(town, resident_id), resident_id, records, bytes(32))
    assert person is not None
    return person


def code_of(town: Town, person_id: str) -> str:
    elsewhere = {known.person_id: known.municipality_code for known in town.registrations.values()}
    return elsewhere.get(person_id) or town.municipality_of[person_id]


def issuance_of(settings: MunicipalitySettings, kind: CertificateKind) -> Issuance:
    issued_on_jst = date(2026, 10, 1)
    certifier = certifier_on(settings, kind, issued_on_jst)
    return Issuance(
        issue_number="990019-2026-00000001",
        issued_on_jst=issued_on_jst,
        certifier=Certifier(
            municipality_code=settings.municipality_code,
            municipality_name=settings.municipality_name,
            office=certifier.office,
            title=certifier.title,
            name=certifier.name,
            seal_png=certifier.seal_png,
            specimen=settings.specimen,
            contact=settings.contact,
        ),
        check_code="ABCDE-FGHJK-MNPQR-STUVW",
        check_address="https://check.example/",
    )


def outcome(town: Town, resident_id: str, kind: CertificateKind, scope: Scope, at_utc: datetime = NOON_UTC) -> str:
    """What happens to the fullest order of a kind: a refusal's code, or "issued"."""
    settings = settings_of(town, resident_id)
    items = next((document.items for document in settings.documents if document.kind == kind), ())
    asked = Asked(
        kind=kind,
        scope=scope,
        member_ids=(),
        items=items,
        fiscal_year=FISCAL_YEAR if by_fiscal_year(kind) else None,
    )
    person = person_of(town, resident_id)
    try:
        decision = rules.decide(settings, person, asked, at_utc)
        certificates.check(fonts(), documents.certificate(person, asked, decision), issuance_of(settings, kind))
    except IssueError as refused:
        return refused.code
    except UndrawableText:
        return ErrorCode.GLYPH_NOT_PRINTABLE
    except ValueTooLong:
        return ErrorCode.FORM_TOO_SMALL
    return "issued"


@pytest.mark.parametrize("key", sorted(set(STORIES) - BEFORE_THE_RULES))
def test_each_story_ends_as_it_says(key: str) -> None:
    story: Story = STORIES[key]
    town = town_of(100)
    person_id = story.resident_id
    if story.municipality is not None:
        known = town.registrations[person_id]
        assert known.municipality_code == story.municipality
        person_id = known.person_id
    assert outcome(town, person_id, story.kind, story.scope) == (story.refusal or "issued")


@pytest.mark.parametrize("key", sorted(BEFORE_THE_RULES - {"nobody"}))
def test_stories_of_cards_would_end_with_a_paper_but_for_the_card(key: str) -> None:
    story = STORIES[key]
    assert outcome(town_of(100), story.resident_id, story.kind, story.scope) == "issued"


@pytest.mark.parametrize("key", ["stopped-person", "stopped-persons-household", "stopped-address"])
def test_a_stop_refuses_every_document_alike(key: str) -> None:
    resident_id = STORIES[key].resident_id
    orders = [(kind, scope) for kind, row in KINDS.items() for scope in row.scopes if scope is not Scope.MEMBERS]
    assert len(orders) > 9
    found = {outcome(town_of(100), resident_id, kind, scope) for kind, scope in orders}
    assert found == {ErrorCode.NOT_ISSUABLE_HERE}


def test_the_two_municipalities_keep_different_hours() -> None:
    town = town_of(100)
    residence = (CertificateKind.RESIDENCE, Scope.SELF)
    assert outcome(town, STORIES["sample"].resident_id, *residence, MIDNIGHT_UTC) == "issued"
    assert outcome(town, STORIES["hoshimi"].resident_id, *residence, MIDNIGHT_UTC) == ErrorCode.NOT_OFFERED_NOW


def test_everybody_elses_papers_can_be_drawn() -> None:
    town = town_of(400)
    told = {story.resident_id for story in STORIES.values()}
    heads = [h.member_ids[0] for h in town.households.values() if told.isdisjoint(h.member_ids)]
    assert len(heads) > 100
    found = {outcome(town, head, CertificateKind.RESIDENCE, Scope.HOUSEHOLD) for head in heads}
    assert found == {"issued"}
    members = [member for h in town.households.values() for member in h.member_ids if member not in told]
    for kind, row in KINDS.items():
        scope = [scope for scope in row.scopes if scope is not Scope.MEMBERS][-1]
        outcomes = Counter(outcome(town, member, kind, scope) for member in members[::4])
        assert set(outcomes) <= {"issued", ErrorCode.NOT_ISSUABLE_HERE, ErrorCode.NOT_OFFERED}, kind
        assert outcomes["issued"] > 10, kind
    taxed = [r.resident_id for r in town.tax if r.fiscal_year == FISCAL_YEAR and r.resident_id not in told]
    results = {outcome(town, resident_id, CertificateKind.TAXATION, Scope.SELF) for resident_id in taxed}
    assert results <= {"issued", ErrorCode.NOT_ISSUABLE_HERE}  # the undeclared
    assert "issued" in results
