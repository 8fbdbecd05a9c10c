"""The scenarios' table and their judge; the quickest are played here, all of them by `make printer-scenarios`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.demo.printer_engine import Mishap, Stage, pictures
from deploy.demo.printer_record import Place, Sheet
from printing.press.verdict import Outcome, Verdict
from tests.judges.printer import DOCUMENT, table_in_words
from tests.press_parts import digest, memory_folder, pdf
from tests.printer_scenarios import SCENARIOS
from tests.printer_world import ORDER, Played, Scenario, counted, judge, nothing, play, played_world

QUICK = [scenario for scenario in SCENARIOS if scenario.quick]
PLAIN = SCENARIOS[0]


@pytest.mark.parts
@pytest.mark.parametrize("scenario", QUICK, ids=[scenario.name for scenario in QUICK])
def test_a_scenario_ends_as_it_must(scenario: Scenario) -> None:
    with memory_folder() as folder:
        assert play(scenario, folder).wrong == []


@pytest.mark.parts
def test_without_a_cancel_at_the_printer_a_closed_cover_lets_the_job_print_on(tmp_path: Path) -> None:
    """The guard off: CUPS's job is purged and the spool is empty, and still the next visitor finds these sheets."""
    faults = next(s.faults for s in SCENARIOS if s.name == "cover-open-on-sheet-3")
    with memory_folder() as folder, played_world(PLAIN, folder) as world:
        world.tell("fault", sheet=faults[0].sheet, stage=Stage.FEED, mishap=Mishap.COVER)
        job = world.press.submit(ORDER, world.document, PLAIN.sheets, digest(world.document))
        world.press.release(job)
        world.until_stopped()
        world.printer.tell("wire", operation="Cancel-Job", count=9, drop=True)
        world.press.purge_all()
        assert (world.press.residue(), len(world.out())) == ((), 2)
        assert "printer-has-unfinished-jobs" in world.press.check().reasons
        world.tell("close_cover")
        world.until_out(3)


def test_the_table_in_words_is_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == table_in_words()


def test_the_table_is_wide_enough() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    ends = Counter(scenario.expected for scenario in SCENARIOS)
    assert ends[Outcome.PRINTED] >= 12
    assert ends[Outcome.FAILED] >= 8
    assert ends[Outcome.PARTIAL] >= 3
    assert len(QUICK) == 12
    for scenario in SCENARIOS:
        assert bool(scenario.evidence_gone) is (scenario.expected is Outcome.UNKNOWN), scenario.name
        assert (scenario.sheets_out is None) is (scenario.expected is not Outcome.PARTIAL), scenario.name


DOCUMENT_OF_3 = pdf(3, ORDER)


def lying(*sheets: int, place: Place = Place.OUTLET, document: bytes = DOCUMENT_OF_3) -> tuple[Sheet, ...]:
    """Sheets of that document, by their number in it."""
    sides = pictures(document)
    return tuple(Sheet(n, ORDER, sides[2 * (n - 1) : 2 * n], place) for n in sheets)


@pytest.mark.parametrize(
    ("verdict", "out", "inside", "complaint"),
    [
        (Verdict(Outcome.PRINTED, 3, ""), lying(1, 2, 3), 0, None),
        (Verdict(Outcome.PRINTED, 3, ""), lying(1, 2), 0, "printed, but"),
        (Verdict(Outcome.PRINTED, 3, ""), lying(1, 3, 2), 0, "printed, but"),
        (Verdict(Outcome.PRINTED, 3, ""), lying(1, 2, 3, 3), 0, "printed, but"),
        (Verdict(Outcome.PRINTED, 3, ""), lying(1, 2, 3, document=pdf(3, "another")), 0, "printed, but"),
        (Verdict(Outcome.FAILED, 0, ""), (), 0, None),
        (Verdict(Outcome.FAILED, 0, ""), lying(1), 0, "failed, but"),
        (Verdict(Outcome.FAILED, 0, ""), (), 1, "failed, but"),
        (Verdict(Outcome.PARTIAL, 1, ""), lying(1), 0, None),
        (Verdict(Outcome.PARTIAL, 1, ""), lying(1, 2, 3), 0, "partial (1), but"),
        (Verdict(Outcome.PARTIAL, 1, ""), lying(1, 2), 0, "partial (1), but"),
        (Verdict(Outcome.PARTIAL, 2, ""), lying(1), 1, None),
        (Verdict(Outcome.PARTIAL, 2, ""), lying(1), 0, "partial (2), but"),
    ],
)
def test_the_judge_goes_by_the_sheets(
    verdict: Verdict, out: tuple[Sheet, ...], inside: int, complaint: str | None
) -> None:
    sheets_out = verdict.sheets_out if verdict.outcome is Outcome.PARTIAL else None
    scenario = Scenario(name="", story="", expected=verdict.outcome, sheets_out=sheets_out)
    wrong = judge(scenario, DOCUMENT_OF_3, verdict, out, inside)
    assert [words[: len(complaint or "")] for words in wrong] == ([complaint] if complaint else [])


def test_the_judge_goes_by_the_table() -> None:
    printed, sheets = Verdict(Outcome.PRINTED, 3, "why"), lying(1, 2, 3)
    other = replace(PLAIN, expected=Outcome.UNKNOWN, evidence_gone="it burnt")
    assert judge(other, DOCUMENT_OF_3, printed, sheets, 0) == [
        "printed (why), not unknown",
        "3 sheets named, not None",
    ]
    assert judge(replace(PLAIN, evidence_gone="it burnt"), DOCUMENT_OF_3, printed, sheets, 0) == [
        "unknown is right where the evidence is gone, and nowhere else"
    ]


def test_what_is_wrong_is_counted() -> None:
    played = [Played("a", Verdict(Outcome.PRINTED, 3, ""), 1.0), Played("b", Verdict(Outcome.FAILED, 0, ""), 1.0)]
    played[1].wrong.append("failed")
    assert counted(played) == {"scenarios": 2, "wrong": 1, "printed": 1, "failed": 1, "partial": 0, "unknown": 0}


@pytest.mark.parts
def test_a_scenario_that_cannot_be_played_is_wrong() -> None:
    assert PLAIN.meanwhile is nothing
    with memory_folder() as folder:
        played = play(replace(PLAIN, paper=0), folder)
    assert [words.partition(":")[0] for words in played.wrong] == ["AssertionError"]
