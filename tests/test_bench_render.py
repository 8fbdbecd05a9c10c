"""The bench's own measures can tell: a wrong glyph, a missing line, a shifted page, a bar that is missed."""

from __future__ import annotations

import dataclasses
from functools import cache

import pytest

from printing.paper.fonts import Face, units
from tests.benches import pikepdf_peer
from tests.benches.content import Households, Page, one_page, recorded
from tests.benches.memory import in_child
from tests.benches.pictures import LINE_DIFFERENCE_MAX, PAGE_DIFFERENCE_MAX, Judge
from tests.benches.results import FULL, OURS, REPORTLAB, TYPST, Result, bars, table
from tests.paper_samples import fonts

RECORD = Households(1).next()


@cache
def page() -> Page:
    return recorded(fonts(), RECORD)


def test_every_name_has_a_sequence_and_no_two_households_are_alike() -> None:
    assert len(page().names) == 4
    assert all(any(len(unit) == 2 for unit in units(name.text)) for name in page().names)
    households = Households(1)
    assert households.next() == RECORD
    assert households.next() != RECORD


def test_ours_shows_and_extracts_every_name() -> None:
    seen = Judge().judge(one_page(fonts(), RECORD), page())
    assert (seen.glyphs_right, seen.names_extracted, seen.lines_right) == (seen.glyphs, 4, seen.lines)
    assert seen.glyphs >= 16
    assert seen.page_difference < PAGE_DIFFERENCE_MAX


def _base(face: Face, unit: str, right: int) -> int | None:
    return face.glyph(unit[0]) or right


def _box(face: Face, unit: str, right: int) -> int:
    return 0 if len(unit) == 2 else right


def _nothing(face: Face, unit: str, right: int) -> int | None:
    return None if len(unit) == 2 else right


@pytest.mark.slow
@pytest.mark.parametrize("substitute", [_base, _box, _nothing])
def test_a_base_glyph_a_box_or_nothing_in_place_of_a_variant_is_wrong(substitute: object) -> None:
    judge = Judge()
    assert callable(substitute)
    right = judge.judge(judge.outline_page(page()), page())
    wrong = judge.judge(judge.outline_page(page(), substitute), page())
    face = fonts().values.faces[0]
    sequences = [unit for name in page().names for unit in units(name.text) if len(unit) == 2]
    changed = [unit for unit in sequences if substitute(face, unit, face.glyph(unit)) != face.glyph(unit)]
    assert changed
    assert right.glyphs_right == right.glyphs
    assert wrong.glyphs_right == wrong.glyphs - len(changed)


@pytest.mark.slow
def test_a_missing_line_and_a_shifted_page_are_not_alike() -> None:
    judge = Judge()
    less = judge.judge(judge.outline_page(Page(page().texts[:-3], page().rules)), page())
    assert less.lines_right == less.lines - 3
    texts = tuple(dataclasses.replace(text, baseline_pt=text.baseline_pt + 3.0) for text in page().texts)
    shifted = judge.judge(judge.outline_page(Page(texts, page().rules)), page())
    assert shifted.page_difference > PAGE_DIFFERENCE_MAX
    assert shifted.lines_right < shifted.lines / 2
    assert 0 < LINE_DIFFERENCE_MAX < 1


@pytest.mark.slow
def test_another_engine_draws_the_same_page() -> None:
    draw = pikepdf_peer.prepare(page())
    another = Households(2).next()
    seen = Judge().judge(draw(recorded(fonts(), another)), recorded(fonts(), another))
    assert (seen.glyphs_right, seen.names_extracted, seen.lines_right) == (seen.glyphs, 4, seen.lines)
    assert seen.page_difference < PAGE_DIFFERENCE_MAX


def _result(engine: str, ms_median: float, *, right: bool = True) -> Result:
    return Result(engine, ms_median, ms_median, ms_median, 30.0, 1, right, right, "4/4", "4/4", "9/9", 0.01)


def test_bars_are_reached_and_missed() -> None:
    good = [_result(OURS, 1.0), _result(FULL, 2.4), _result(TYPST, 5.0), _result(REPORTLAB, 20.0)]
    assert all(bar["reached"] for bar in bars(good, {"end_mb": 40.0, "growth_mb": 0.2}).values())
    bad = [_result(OURS, 1.0, right=False), _result(FULL, 2.6), _result(TYPST, 4.9), _result(REPORTLAB, 19.0)]
    missed = {name for name, bar in bars(bad, {"end_mb": 81.0, "growth_mb": 9.0}).items() if not bar["reached"]}
    limits = {"typst_times", "reportlab_times", "full_of_typst", "ours_right", "memory_mb", "memory_growth_mb"}
    assert missed == limits
    assert len(table(good)) == 2 + len(good)


@pytest.mark.slow
def test_a_worker_s_memory_is_measured_in_a_child() -> None:
    found = in_child(20, seed=1)
    assert set(found) == {"after_2_mb", "after_4_mb", "after_10_mb", "after_20_mb", "end_mb", "growth_mb"}
    assert 1.0 < found["end_mb"] < 80.0
