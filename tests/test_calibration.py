from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from madoguchi import main
from printing.paper import calibration, latent
from printing.paper.recheck import page_texts
from printing.paper.records import STANDARD_SCREEN
from printing.paper.screens import MM_PER_PX, SCREENS
from tests.paper_samples import fonts
from tests.photocopier import printed

pytestmark = pytest.mark.slow

FIELDS = [name for name in SCREENS if name != STANDARD_SCREEN]


def test_every_screen_of_the_table_is_a_field_under_its_name() -> None:
    (text,) = page_texts(calibration.render(fonts()))
    named = re.findall(r"\b([A-Z][0-9]) +(\d×\d/\d+) +(\d×\d/\d+)( \(標準)?", text)
    assert [name for name, *_ in named] == FIELDS
    assert [name for name, *_, standard in named if standard] == ["A2"]
    assert named[-1][1:3] == ("3×3/9", "6×6/18")
    assert SCREENS[STANDARD_SCREEN] == SCREENS["A2"]
    for words in (calibration.TITLE, calibration.TITLE_ENGLISH, "100 mm", "latent_screen"):
        assert words in text


def test_a_field_is_printed_dot_by_dot() -> None:
    pdf = calibration.render(fonts())
    page = printed(pdf)
    assert pdf == calibration.render(fonts())
    for number, name in enumerate(FIELDS):
        row, column = divmod(number, 3)
        left_px, top_px = (round(edge_mm / MM_PER_PX) for edge_mm in (15.0 + 61.0 * column, 66.0 + 45.0 * row))
        one = latent.tile(fonts(), SCREENS[name])
        field = page.crop((left_px + 8, top_px + 8, left_px + 1320, top_px + 900))
        paper = sum(field.histogram()[250:]) / (field.width * field.height)
        assert 1 - paper == pytest.approx(one.screen.ground_coverage, rel=0.1)


def test_the_command_writes_the_page(tmp_path: Path) -> None:
    out = tmp_path / "calibration.pdf"
    done = CliRunner().invoke(main, ["paper", "calibration", "--out", str(out)])
    assert done.exit_code == 0
    assert out.read_bytes() == calibration.render(fonts())
    refused = CliRunner().invoke(main, ["paper", "calibration", "--out", str(tmp_path / "no" / "folder.pdf")])
    assert refused.exit_code == 1
    assert "No such file or directory" in refused.output
