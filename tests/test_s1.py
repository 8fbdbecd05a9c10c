"""S1 and S20 on real parts: four terminals at once, the same municipality and document, each gets its own."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from deploy.demo.s1 import draw_visits, is_personal, run_s1, wrong_on_paper
from deploy.demo.town import build_people
from printing.paper.records import CertificateKind

TAX = (CertificateKind.INCOME, CertificateKind.TAXATION, CertificateKind.TAX_PAYMENT)
REGISTER = (CertificateKind.FAMILY_REGISTER, CertificateKind.FAMILY_REGISTER_INDIVIDUAL)
FEE_YEN = dict.fromkeys(CertificateKind, 200) | dict.fromkeys(TAX, 250) | dict.fromkeys(REGISTER, 450)


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


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("見本 太郎 7\fhow to check\f", []),
        ("所得証明書 7\fhow to check\f", ["no front says this visit's name"]),
        ("見本 太郎 7\f", ["1 pages are not 1 sheets"]),
        ("見本 太郎 7\fhow to check\f見本 太郎 7\fhow to check\f", ["4 pages are not 1 sheets"]),
        ("見本 次郎 7\fhow to check\f", ["no front says this visit's name"]),
        ("見本 太郎 8\fhow to check\f", ["a front does not say this visit's number"]),
        ("見本 太郎 7\f見本 太郎\f", ["a back says this visit's name"]),
        ("見本 太郎 7\f\n\f", ["a back says nothing"]),
    ],
)
def test_a_paper_is_judged_by_both_sides_of_its_sheet(text: str, wrong: list[str]) -> None:
    assert wrong_on_paper(text, 1, name="見本 太郎", number="7") == wrong


def test_of_a_register_on_two_sheets_the_name_stands_on_one_and_the_number_on_both() -> None:
    back = "\fhow to check\f"
    assert wrong_on_paper(f"見本 花子 7{back}見本 太郎 7{back}", 2, name="見本 太郎", number="7") == []
    assert wrong_on_paper(f"見本 花子 8{back}見本 太郎 7{back}", 2, name="見本 太郎", number="7") == [
        "a front does not say this visit's number"
    ]
    assert wrong_on_paper(f"見本 花子 7{back}見本 次郎 7{back}", 2, name="見本 太郎", number="7") == [
        "no front says this visit's name"
    ]


def test_every_kind_is_asked_for_as_often_and_by_who_may_have_it() -> None:
    town = build_people(1, 400)
    drawn = draw_visits(town, 90)
    often = Counter(visit.kind for visit in drawn)
    assert set(often) == set(CertificateKind)
    assert max(often.values()) - min(often.values()) <= 3
    storied = {story.resident_id for story in town.stories.values()}
    assert not storied & {visit.resident for visit in drawn}
    with_seal = {seal.resident_id for seal in town.seals.values() if not seal.cancelled}
    assert {visit.resident for visit in drawn if visit.kind is CertificateKind.SEAL_REGISTRATION} <= with_seal
    assert draw_visits(town, 90) == drawn


@pytest.mark.parts
@pytest.mark.xdist_group("s1")
@pytest.mark.timeout(240)
def test_s1_s20_forty_visits_of_every_kind_on_four_terminals_each_get_their_own() -> None:
    line = run_s1(40, seed=1, residents=400)
    assert line["wrong"] == []
    assert (line["settled"], line["papers"]) == (40, 40)
    assert set(line["kinds"]) == set(CertificateKind)
    assert line["sheets"] >= 40
    assert line["paid_yen"] == sum(FEE_YEN[kind] * papers for kind, papers in line["kinds"].items())
