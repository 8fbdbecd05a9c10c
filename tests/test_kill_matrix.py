"""The kill matrix's table and its judge; some cells are played here, all listed ones by `make kill-matrix`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fees.postings import Account
from tests.judges.kill import DOCUMENT, table_in_words
from tests.kill_cells import CELLS, LISTED, OTHER_ENDS, POINTS, End, Who
from tests.kill_judge import Facts, differences
from tests.kill_world import Matrix, judged_town

BY_NAME = {cell.name: cell for cell in CELLS}
#: One for each of: never released, out and paid for, the printer's memory gone, the database gone in mid-request.
PLAYED = (
    "PRINTING begun: terminal",
    "CAPTURING done: terminal",
    "PRINTING done: power",
    "GRANTING granted: PostgreSQL",
)

BUSY_S = 40.0  # the other tests run beside these; the command holds every cell to the real bound


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    with judged_town(BUSY_S) as town:
        yield town


@pytest.mark.parts
@pytest.mark.xdist_group("two servers")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", PLAYED)
def test_a_cell_ends_as_it_must(matrix: Matrix, name: str) -> None:
    assert matrix.play(BY_NAME[name]).wrong == []


# the table


def test_the_table_in_words_is_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == table_in_words()


def test_the_table_is_wide_enough() -> None:
    assert len({point.name for point in POINTS}) == len(POINTS)
    assert len(LISTED) == 169
    assert {cell.who for cell in LISTED} == set(Who)
    assert {cell.point for cell in LISTED} == set(POINTS)


def test_every_other_end_is_one() -> None:
    for (name, who), (end, why) in OTHER_ENDS.items():
        cell = BY_NAME[f"{name}: {who}"]
        ordinary = cell.point.cut if who in {Who.TERMINAL, Who.POWER} or cell.point.after else cell.point.whole
        assert end is not ordinary, cell.name
        assert why


def test_somebody_is_asked_only_where_the_evidence_is_destroyed() -> None:
    asked = [cell for cell in CELLS if cell.end is End.ASKED]
    assert {cell.who for cell in asked if not cell.point.dark} == {Who.POWER}
    assert {cell.point.name for cell in asked if cell.point.dark} == {"ASK_SHEETS waits"}  # the power went before


# the judge

SERVED = Facts(
    papers=1,
    slips=1,
    inserted_yen=600,
    out_yen=400,
    moved={
        Account.CASHBOX: 600,
        Account.HOPPER_FLOAT: -400,
        Account.MUNICIPALITY_PAYABLE: -120,
        Account.OPERATOR_COMMISSION: -80,
        Account.ESCROW: 0,
    },
    states=Counter(SETTLED=1),
)
RETURNED = Facts(inserted_yen=600, out_yen=600, states=Counter(VOIDED=1))


@pytest.mark.parametrize(
    ("end", "facts"),
    [
        (End.SERVED, SERVED),
        (End.SERVED, replace(SERVED, slips=0)),  # the terminal died before it was printed
        (End.SERVED, replace(SERVED, states=Counter(SETTLED=1, VOIDED=1))),  # a first visit broke off
        (End.ASKED, replace(SERVED, was_asked=True, cases=Counter(UNKNOWN=1))),
        (End.RETURNED, RETURNED),
        (End.NOTHING, Facts()),
        (End.NOTHING, Facts(states=Counter(VOIDED=1))),
    ],
)
def test_what_is_right_has_nothing_wrong(end: End, facts: Facts) -> None:
    assert differences(end, facts) == []


@pytest.mark.parametrize(
    ("end", "facts", "complaints"),
    [
        (End.SERVED, replace(SERVED, was_asked=True), ["asked, not served"]),
        (End.SERVED, replace(SERVED, slips=2), ["2 receipts came out"]),
        (End.ASKED, replace(SERVED, was_asked=True), ["the server's cases {}"]),
        (End.SERVED, replace(SERVED, cases=Counter(RETRY_WORKED=1)), ["the server's cases {'RETRY_WORKED': 1}"]),
        (End.SERVED, replace(SERVED, papers=2), ["2 papers came out", "200 yen were kept"]),
        (End.SERVED, replace(SERVED, out_yen=300), ["300 yen were kept", "the books moved"]),
        (End.SERVED, replace(SERVED, states=Counter(PRINTED=1)), ["orders ended {'PRINTED': 1}"]),
        (End.SERVED, replace(SERVED, states=Counter(SETTLED=2)), ["orders ended {'SETTLED': 2}"]),
        (End.SERVED, replace(SERVED, open_ends=("a case",)), ["a case"]),
        (
            End.SERVED,
            replace(SERVED, moved={**SERVED.moved, Account.OPERATOR_COMMISSION: 0, Account.SUSPENSE: -80}),
            ["open in the books: suspense"],
        ),
        (End.SERVED, RETURNED, ["returned, not served", "0 papers", "orders ended {'VOIDED': 1}"]),
        (End.RETURNED, replace(RETURNED, out_yen=500), ["100 yen were kept", "the books moved"]),
        (End.RETURNED, replace(RETURNED, out_yen=500, tray_yen=100), ["100 yen were kept", "the books moved"]),
        (End.RETURNED, replace(RETURNED, states=Counter(GRANTED=1)), ["orders ended {'GRANTED': 1}"]),
        (End.NOTHING, RETURNED, ["returned, not nothing"]),
    ],
)
def test_the_judge_goes_by_the_world(end: End, facts: Facts, complaints: list[str]) -> None:
    found = differences(end, facts)
    assert [words[: len(complaint)] for words, complaint in zip(found, complaints, strict=True)] == complaints
