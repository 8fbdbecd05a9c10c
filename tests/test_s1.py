"""S1 and S20 on real parts: four terminals at once, the same municipality and document, each gets its own."""

from __future__ import annotations

import pytest

from deploy.demo.s1 import run_s1


@pytest.mark.parts
@pytest.mark.xdist_group("s1")
@pytest.mark.timeout(240)
def test_s1_forty_visits_on_four_terminals_each_get_their_own() -> None:
    line = run_s1(40, seed=1, residents=400)
    assert line["wrong"] == []
    assert (line["settled"], line["papers"]) == (40, 40)
    assert line["paid_yen"] == 40 * 200
