"""The table of Adobe-Japan1 sequences: what is certain is drawn and extracted as it was, all else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from printing.paper import variation
from printing.paper.certificates import render
from printing.paper.fonts import units
from printing.paper.recheck import page_texts
from printing.paper.variation import VariationError, load, normalised
from tests.judges.glyphs import judge, original
from tests.paper_samples import ISSUANCE, bare, fonts, residence

ROW = "845B E0100\t845B E0102\tjis90\n"
SOURCES = '[sources]\njis90 = "why"\n'
DECISION = """
[[decision]]
sequence = "9089 E0101"
drawn_as = "9089 E0117"
decided_by = "みほん市 市民課長"
decided_on = 2026-04-01
reason = "compared on paper"
"""


@pytest.mark.parametrize(
    ("sequence", "drawn_as"),
    [
        ("葛\U000e0100", "葛\U000e0102"),  # the shape of 1990, CID+1481 and MJ022335
        ("葛\U000e0101", "葛\U000e0103"),  # the shape of 2004, CID+7652 and MJ022336
        ("辻\U000e0100", "辻\U000e0102"),
        ("辻\U000e0101", "辻\U000e0103"),
        ("高\U000e0100", "高"),
    ],
)
def test_a_sequence_is_drawn_as_the_one_of_its_shape(sequence: str, drawn_as: str) -> None:
    assert normalised(sequence) == drawn_as
    found, wanted = fonts().values.find(sequence), fonts().values.find(drawn_as)
    assert found is not None
    assert wanted is not None
    assert (found.face, found.glyph) == (wanted.face, wanted.glyph)
    assert bytes.fromhex(found.utf16).decode("utf-16-be") == sequence  # extracted as what it was


@pytest.mark.parametrize("unit", ["葛", "葛\U000e0102", "\u9089\U000e0101", "あ\U000e0100", "\ue000", "A"])
def test_everything_else_stays_what_it_is(unit: str) -> None:
    assert normalised(unit) == unit


def test_the_paper_keeps_the_register_s_sequence() -> None:
    name = "葛\U000e0100西\U000e0100 辻\U000e0101子"
    text = page_texts(render(fonts(), residence(bare(name)), ISSUANCE, "MDG1:TEST"))[0]
    assert f"氏名 {name} " in text


def test_the_whole_table_is_drawn_exactly() -> None:
    table = load()
    assert len(table) > 9_000
    assert not {
        sequence for sequence in table if original().glyph(sequence) is not None
    }  # what the font has is its own
    sample = sorted(table)[::20]
    report = judge(fonts(), [tuple(sample[start : start + 5]) for start in range(0, len(sample), 5)])
    assert report.faults == []
    assert report.refused == 0


def test_refusal_names_all_sequences_and_only_those() -> None:
    text = "葛\U000e0100邉\U000e0101山\U000e0105邉\U000e0101"
    assert next(iter(units(text))) == "葛\U000e0100"
    assert fonts().undrawable(text) == ("邉\U000e0101", "山\U000e0105")


def _written(folder: Path, rows: str, told: str) -> Path:
    (folder / "variation.tsv").write_text(rows, "utf-8")
    (folder / "variation.toml").write_text(told, "utf-8")
    return folder


def test_a_municipality_s_decision_is_read_beside_the_table(tmp_path: Path) -> None:
    table = load(_written(tmp_path, "# a comment\n" + ROW, SOURCES + DECISION))
    assert table == {"葛\U000e0100": "葛\U000e0102", "\u9089\U000e0101": "\u9089\U000e0117"}


@pytest.mark.parametrize(
    ("rows", "told", "message"),
    [
        (ROW, '[sources]\nother = "why"\n', "source"),
        ("845B E0100\t845B E0102\n", SOURCES, "source"),
        (ROW + ROW, SOURCES, "twice"),
        ("845B E0100\t8FBB E0102\tjis90\n", SOURCES, "same character"),
        ("845B E0100\t845B E0100\tjis90\n", SOURCES, "same character"),
        (ROW + "845B E0102\t845B E0103\tjis90\n", SOURCES, "itself drawn"),
        (ROW, SOURCES + DECISION.replace("9089 E0101", "845B E0100"), "same character|twice"),
        (ROW, SOURCES + DECISION.replace("decided_on = 2026-04-01\n", ""), "decided_on"),
        (ROW, SOURCES + DECISION.replace("みほん市 市民課長", ""), "decided_by"),
        (ROW, SOURCES + DECISION.replace('"9089 E0101"', '"9089"'), "sequence"),
        (ROW, "[sources", "variation.toml"),
    ],
)
def test_a_wrong_table_is_told(tmp_path: Path, rows: str, told: str, message: str) -> None:
    with pytest.raises(VariationError, match=message):
        load(_written(tmp_path, rows, told))


def test_every_source_is_named_in_the_file_beside_the_table() -> None:
    told = (variation.FOLDER / "variation.toml").read_text("utf-8")
    assert "JIS X 0213:2004" in told
    assert "Hanyo-Denshi" in told
