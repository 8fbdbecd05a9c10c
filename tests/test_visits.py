"""Whole visits on real parts: card, server, coins, printer; what came out is judged by poppler, not by us."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

import pytest

from deploy.demo.books import Books
from deploy.demo.bring_up import RunningTown
from deploy.demo.town_scenes import Story
from deploy.demo.town_stories import STORIES
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import Outcome, Visitor
from issuance_server import rules
from issuance_server.rules import JST, NotNow, utc_now
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode
from protocol.messages import Scope
from tests.test_town_papers import code_of, town_of

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("town")]

SAMPLE = "u-000001"
REFUSED = sorted(key for key, story in STORIES.items() if story.refusal is not None)
ISSUED = sorted(key for key, story in STORIES.items() if story.refusal is None)


def text_of(paper: Path) -> str:
    done = subprocess.run(["pdftotext", "-layout", str(paper), "-"], capture_output=True, check=True, timeout=30)
    return done.stdout.decode()


def name_of(town: RunningTown, resident_id: str) -> str:
    return town.directory.residents[resident_id].name


def told(story: Story, coins: tuple[Literal[10, 50, 100, 500, 1000], ...] = (100, 100)) -> VisitFile:
    """The visit that shows a story."""
    return VisitFile(
        resident=story.resident_id,
        kind=story.kind,
        municipality=story.municipality,
        scope="household" if story.scope is Scope.HOUSEHOLD else "self",
        coins=coins,
    )


def is_open(story: Story) -> bool:
    """Whether the story's municipality gives the document at this hour, by its own settings."""
    people = town_of(100)
    code = story.municipality or code_of(people, story.resident_id)
    decided = next(one for one in people.municipalities if one.municipality_code == code)
    document = next(one for one in decided.documents if one.kind == story.kind)
    try:
        rules.check_hours(document, utc_now().astimezone(JST))
    except NotNow:
        return False
    return True


def require_settled(town: RunningTown, outcome: Outcome, copies: int = 1) -> None:
    assert outcome.refused is None, outcome.words
    assert not outcome.case
    assert [order["verdict"] for order in outcome.orders] == ["printed"] * copies
    assert len(outcome.papers) == copies
    books = Books(town.database)
    try:
        ids = [order["order"] for order in outcome.orders]
        assert set(books.wait_until_settled(ids).values()) == {"SETTLED"}
    finally:
        books.close()


def test_a_residence_certificate_comes_out_with_name_number_and_title(town: RunningTown, visitor: Visitor) -> None:
    outcome = visitor.visit(VisitFile(resident=SAMPLE, coins=(100, 100)))
    require_settled(town, outcome)
    text = text_of(outcome.papers[0])
    assert name_of(town, SAMPLE) in text
    assert "\U000e0119" in text  # the variation selector of the sample's surname
    assert "住民票の写し" in text
    assert outcome.orders[0]["issue_number"] in text
    assert (outcome.paid_yen, outcome.change_yen, outcome.money_returned_yen) == (200, 0, 0)


def test_the_whole_household_with_items(town: RunningTown, visitor: Visitor) -> None:
    asked = VisitFile(resident=SAMPLE, scope="household", items=("domicile", "relationship"), coins=(500,))
    outcome = visitor.visit(asked)
    require_settled(town, outcome)
    text = text_of(outcome.papers[0])
    for member in town.directory.residents[SAMPLE].household:
        assert name_of(town, member) in text
    assert "世帯全員の住民票の原本と相違ない" in "".join(text.split())
    assert (outcome.paid_yen, outcome.change_yen, outcome.money_returned_yen) == (200, 300, 0)


def test_chosen_members_alone(town: RunningTown, visitor: Visitor) -> None:
    household = town.directory.residents[SAMPLE].household
    outcome = visitor.visit(VisitFile(resident=SAMPLE, scope=(household[1], household[3])))
    require_settled(town, outcome)
    text = text_of(outcome.papers[0])
    printed = [member for member in household if name_of(town, member) in text]
    assert printed == [household[1], household[3]]


def test_s19_the_individual_number_prints_only_if_chosen(town: RunningTown, visitor: Visitor) -> None:
    without = visitor.visit(VisitFile(resident=SAMPLE))
    chosen = visitor.visit(VisitFile(resident=SAMPLE, items=("individual_number",)))
    require_settled(town, without)
    require_settled(town, chosen)
    assert "9900" not in text_of(without.papers[0])  # every number of the town begins so
    assert "9900" in text_of(chosen.papers[0])


def test_two_copies_are_two_documents(town: RunningTown, visitor: Visitor) -> None:
    outcome = visitor.visit(VisitFile(resident=SAMPLE, copies=2, coins=(500,)))
    require_settled(town, outcome, copies=2)
    numbers = [order["issue_number"] for order in outcome.orders]
    assert len(set(numbers)) == 2
    for paper, number in zip(outcome.papers, numbers, strict=True):
        assert number in text_of(paper)
    assert (outcome.paid_yen, outcome.change_yen) == (400, 100)


def test_a_taxation_certificate_of_a_fiscal_year(town: RunningTown, visitor: Visitor) -> None:
    resident = STORIES["taxed"].resident_id
    outcome = visitor.visit(VisitFile(resident=resident, kind=CertificateKind.TAXATION, fiscal_year=2025, coins=(500,)))
    require_settled(town, outcome)
    text = text_of(outcome.papers[0])
    assert "令和7年度" in text
    assert name_of(town, resident) in text


def test_chosen_people_of_a_family_register(town: RunningTown, visitor: Visitor) -> None:
    resident = STORIES["register"].resident_id
    register = town.directory.residents[resident].register
    assert len(register) == 3
    asked = VisitFile(
        resident=resident, kind=CertificateKind.FAMILY_REGISTER_INDIVIDUAL, scope=(register[2],), coins=(500,)
    )
    outcome = visitor.visit(asked)
    require_settled(town, outcome)
    text = text_of(outcome.papers[0])
    assert "一部の者について" in "".join(text.split())
    assert f"氏名 {name_of(town, register[2])}" in " ".join(text.split())
    assert f"氏名 {name_of(town, resident)}" not in " ".join(text.split())


def test_s19_of_a_residence_item_certificate_only_what_was_asked_for_is_there(
    town: RunningTown, visitor: Visitor
) -> None:
    resident = STORIES["stated-items"].resident_id
    asked = VisitFile(resident=resident, kind=CertificateKind.RESIDENCE_ITEMS, items=("sex",))
    outcome = visitor.visit(asked)
    require_settled(town, outcome)
    text = text_of(outcome.papers[0])
    assert "性別" in text
    assert not [word for word in ("本籍", "9900", "世帯主", "続柄", "届出日") if word in text]


def test_not_enough_money_goes_back(town: RunningTown, visitor: Visitor) -> None:
    outcome = visitor.visit(VisitFile(resident=SAMPLE, coins=(100, 50)))
    assert outcome.refused == "CANCELLED"
    assert outcome.papers == []
    assert (outcome.paid_yen, outcome.money_returned_yen) == (0, 150)


def test_a_wrong_pin_costs_a_try_and_nothing_else(town: RunningTown, visitor: Visitor) -> None:
    resident = STORIES["single"].resident_id
    wrong = visitor.visit(VisitFile(resident=resident, pin="9999"))
    assert wrong.refused == "PIN_WRONG"
    assert "2" in (wrong.words or "")
    require_settled(town, visitor.visit(VisitFile(resident=resident)))


@pytest.mark.parametrize("key", REFUSED)
def test_a_story_that_must_be_refused(town: RunningTown, visitor: Visitor, key: str) -> None:
    story = STORIES[key]
    outcome = visitor.visit(told(story))
    assert outcome.refused == story.refusal
    assert outcome.words
    assert outcome.papers == []
    assert outcome.paid_yen == 0


@pytest.mark.parametrize("key", ISSUED)
def test_a_story_that_is_issued(town: RunningTown, visitor: Visitor, key: str) -> None:
    """Not all municipalities are open at all hours: outside theirs the same story is refused, and says until when."""
    story = STORIES[key]
    open_before = is_open(story)
    outcome = visitor.visit(told(story, coins=(500,)))
    if not (open_before or is_open(story)):
        assert (outcome.refused, outcome.papers) == (ErrorCode.NOT_OFFERED_NOW, [])
        assert "から受け付けます" in outcome.words
        return
    require_settled(town, outcome)
    assert name_of(town, story.resident_id) in text_of(outcome.papers[0])


def test_after_all_visits_the_accounts_balance(town: RunningTown, visitor: Visitor) -> None:
    require_settled(town, visitor.visit(VisitFile(resident=SAMPLE)))
    books = Books(town.database)
    try:
        balances = books.balances()
    finally:
        books.close()
    assert sum(balances.values()) == 0
    assert balances["customer_deposit"] == 0
    assert balances["suspense"] == 0
    assert balances["cashbox"] == town.world().money().cashbox_yen
