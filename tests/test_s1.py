"""S1 and S20 on real parts: four terminals at once, the same municipality and document, each gets its own."""

from __future__ import annotations

import json

import pytest

from deploy.demo.s1 import is_personal, run_s1


@pytest.mark.parametrize(
    ("body", "personal"),
    [
        (b'{"event": "state", "state": "IDLE"}', False),
        ("name=見本 太郎".encode(), True),
        (json.dumps({"detail": "見本 太郎"}).encode(), True),  # as a log line would have it: escaped
        (b"%PDF-1.7 ...", True),
    ],
)
def test_what_is_personal_is_found_in_every_form(body: bytes, personal: bool) -> None:
    assert is_personal(body, {"見本 太郎"}) is personal


@pytest.mark.parts
@pytest.mark.xdist_group("s1")
@pytest.mark.timeout(240)
def test_s1_forty_visits_on_four_terminals_each_get_their_own() -> None:
    line = run_s1(40, seed=1, residents=400)
    assert line["wrong"] == []
    assert (line["settled"], line["papers"]) == (40, 40)
    assert line["paid_yen"] == 40 * 200
