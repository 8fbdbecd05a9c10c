"""OpenSC accepts the virtual card, and would not accept another."""

from pathlib import Path

import pytest

from deploy.demo.virtual_card import CardKind
from tests.judges.card import judge


@pytest.mark.parts
def test_opensc_accepts_the_virtual_card(tmp_path: Path) -> None:
    verdicts = judge(tmp_path)
    assert len(verdicts) == 5
    assert [verdict for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parts
def test_opensc_does_not_take_a_foreign_card_for_one(tmp_path: Path) -> None:
    assert not any(verdict.passed for verdict in judge(tmp_path, CardKind.FOREIGN))
