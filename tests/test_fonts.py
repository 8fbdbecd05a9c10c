from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import pytest
import uharfbuzz as hb
from fontTools.ttLib import TTFont

from printing.paper.certificates import render, undrawable
from printing.paper.errors import FontMissing, UndrawableText
from printing.paper.fonts import FONT_FOLDER, Face, FaceList, Fonts, units
from printing.paper.page import Document
from printing.paper.recheck import page_texts
from tests.paper_samples import FOREIGN, ISSUANCE, JAPANESE, bare, fonts, names, residence

IPAMJ = FONT_FOLDER / "ipamj" / "ipamjm.ttf"
ADOBE_JAPAN1 = "\u9089\U000e0101"  # of the Adobe-Japan1 collection, and no Moji_Joho sequence is certainly of its shape
MOJI_JOHO = "葛\U000e0102"


def test_units_are_characters_with_their_selector() -> None:
    assert list(units("渡\u9089\U000e010f子")) == ["渡", "\u9089\U000e010f", "子"]
    assert list(units("")) == []
    # A selector that follows no base, and a second one, stand alone: nothing can draw them.
    assert list(units("\U000e0100葛\U000e0102\U000e0103")) == ["\U000e0100", MOJI_JOHO, "\U000e0103"]


@pytest.mark.parametrize(
    "sequence",
    [
        ADOBE_JAPAN1,
        "あ\U000e0102",  # a selector that its base has no sequence with
        "\u3099",  # a combining mark needs shaping
        "\u200b",
        "\u202e",
        "\n",
        "\t",
        "\xa0",
        "\ue000",  # private use: means something in the add-on font alone
        "\uf860",  # ... even where IPAmj Mincho happens to have a glyph there
        "😀",
        "ก",
    ],
)
def test_what_cannot_be_drawn_exactly_is_undrawable(sequence: str) -> None:
    assert fonts().undrawable("山田 太郎　Ａ-1") == ()
    assert fonts().undrawable(f"山{sequence}田{sequence}") == (sequence,)


def test_selector_without_base_is_undrawable() -> None:
    assert fonts().undrawable("\U000e0102山") == ("\U000e0102",)


def test_adobe_japan1_sequence_is_refused_though_its_base_could_be_drawn() -> None:
    assert fonts().undrawable("\u9089") == ()
    assert fonts().undrawable("\u9089\U000e010f") == ()
    assert fonts().undrawable(ADOBE_JAPAN1) == (ADOBE_JAPAN1,)
    with pytest.raises(UndrawableText) as caught:
        fonts().values.width_em(f"山{ADOBE_JAPAN1}\ue000{ADOBE_JAPAN1}")
    assert caught.value.sequences == (ADOBE_JAPAN1, "\ue000")
    assert "\u9089" not in str(caught.value)


def test_variants_of_one_base_are_different_glyphs() -> None:
    found = [fonts().values.find("\u9089" + chr(selector)) for selector in range(0xE010F, 0xE011E)]
    assert len({hit[1] for hit in found if hit is not None}) == len(found) == 15


def test_missing_font_names_its_debian_package(tmp_path: Path) -> None:
    with pytest.raises(FontMissing, match="fonts-ipamj-mincho"):
        Fonts.load(tmp_path)


def test_missing_addon_font_is_told(tmp_path: Path) -> None:
    with pytest.raises(FontMissing, match="add-on"):
        Fonts.load(addon=tmp_path / "addon.ttf")


def test_addon_font_draws_private_use_in_the_second_slot(tmp_path: Path) -> None:
    path = tmp_path / "addon.ttf"
    font = TTFont(FONT_FOLDER / "bizud-mincho" / "BIZUDMincho-Regular.ttf")
    glyph = font.getBestCmap()[ord("山")]
    for table in font["cmap"].tables:
        if table.isUnicode():
            table.cmap = {0xE000: glyph, ord("山"): glyph}
    font.save(path)
    with_addon = Fonts.load(addon=path)
    assert fonts().undrawable("\ue000") == ("\ue000",)
    assert with_addon.undrawable("\ue000") == ()
    found = with_addon.values.find("山")
    assert found is not None
    assert found[0].postscript_name == "IPAmjMincho"  # the first slot keeps what it has
    text = page_texts(render(with_addon, residence(bare("山\ue000 一")), ISSUANCE, "MDG1:TEST"))[0]
    assert "氏名 山\ue000 一 " in text


def _every_sequence() -> list[str]:
    """Every code point and variation sequence in the font's own tables."""
    face = hb.Face(hb.Blob.from_file_path(str(IPAMJ)))
    singles = [chr(code) for code in face.unicodes]
    return singles + [
        chr(base) + chr(selector) for selector in face.variation_selectors for base in face.variation_unicodes(selector)
    ]


def _random_names(count: int) -> list[str]:
    sequences = _every_sequence()
    rng = random.Random(20261122)
    variants = [sequence for sequence in sequences if len(sequence) == 2]
    assert len(variants) > 11_000
    foreign = [chr(rng.randrange(0x3400, 0x9FFF)) + chr(0xE0100 + rng.randrange(40)) for _ in range(count)]
    pool = (
        [rng.choice(sequences) for _ in range(3 * count)] + [rng.choice(variants) for _ in range(3 * count)] + foreign
    )
    rng.shuffle(pool)
    return ["".join(rng.choice(pool) for _ in range(rng.randrange(1, 4))) for _ in range(count)]


def test_random_names_are_extracted_exactly_or_refused() -> None:
    drawn = refused = 0
    for start in range(0, 400, 40):
        chunk = _random_names(400)[start : start + 40]
        good = [name for name in chunk if not fonts().undrawable(name) and name.strip()]
        refused += len(chunk) - len(good)
        record = residence(*(bare(name) for name in good))
        texts = page_texts(render(fonts(), record, ISSUANCE, "MDG1:TEST"))
        lines = [row for text in texts for row in text.splitlines() if row.startswith("氏名 ")]
        assert [row.split(" 性別 ")[0].removeprefix("氏名 ").strip() for row in lines] == [
            name.strip() for name in good
        ]
        drawn += len(good)
    assert drawn > 200
    assert refused > 20


def test_s22_a_glyph_that_cannot_be_drawn_is_refused_with_all_of_them() -> None:
    record = residence(bare(f"{ADOBE_JAPAN1}山"), bare("\ue001川"), JAPANESE)
    assert undrawable(fonts(), record, ISSUANCE) == (ADOBE_JAPAN1, "\ue001")
    with pytest.raises(UndrawableText) as caught:
        render(fonts(), record, ISSUANCE, "MDG1:TEST")
    assert caught.value.sequences == (ADOBE_JAPAN1, "\ue001")
    # With the guard off, the base glyph would stand in for the variant and nobody would notice.
    unguarded = render(fonts(), residence(bare("\u9089山")), ISSUANCE, "MDG1:TEST")
    assert "\u9089山" in page_texts(unguarded)[0]
    assert names(record)[0] not in page_texts(unguarded)[0]


def test_subset_holds_only_what_was_drawn_and_no_hinting() -> None:
    face = Face(IPAMJ, "fonts-ipamj-mincho")
    glyphs = [hit[1] for hit in (FaceList(face).find(unit) for unit in units(f"山田{MOJI_JOHO}")) if hit]
    program, places = face.subset(glyphs)
    assert sorted(places) == sorted({0, *glyphs})
    assert len(program) < 10_000
    assert not {b"fpgm", b"prep", b"cvt "} & {program[12 + 16 * n : 16 + 16 * n] for n in range(program[5])}


_TWO_PROCESSES = """
import hashlib
from printing.paper.certificates import render
from tests.paper_samples import FOREIGN, ISSUANCE, JAPANESE, fonts, residence
print(hashlib.sha256(render(fonts(), residence(JAPANESE, FOREIGN), ISSUANCE, "MDG1:TEST")).hexdigest())
"""


@pytest.mark.slow
def test_same_bytes_in_another_process_and_after_another_history() -> None:
    record = residence(JAPANESE, FOREIGN)
    first = render(fonts(), record, ISSUANCE, "MDG1:TEST")
    for name in _random_names(40)[:20]:
        if not fonts().undrawable(name):
            render(fonts(), residence(bare(name)), ISSUANCE, "MDG1:OTHER")
    unfinished = Document(fonts(), "left half way", "nobody")
    unfinished.text(fonts().values, "途中", 20.0, 20.0, 10.0)
    assert render(fonts(), record, ISSUANCE, "MDG1:TEST") == first
    assert render(Fonts.load(), record, ISSUANCE, "MDG1:TEST") == first
    other = subprocess.run(
        [sys.executable, "-c", _TWO_PROCESSES], capture_output=True, text=True, timeout=60, check=True
    )
    assert other.stdout.strip() == hashlib.sha256(first).hexdigest()
