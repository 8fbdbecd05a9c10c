"""The cash driver's file: whole or as before, and never longer than it must be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.payment.cash_record import REMEMBERED_PAYMENTS, Payment, RecordFile, RecordUnusable, fill
from terminal.payment.change import Coins, most, pick, yen
from terminal.payment.device import DENOMINATIONS_YEN, Counted


def payment(number: int) -> Payment:
    return Payment(payment_id=f"{number:032x}", due_yen=300, exact_only=False)


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "cash.json", {3: 50})
    file.keep(payment=payment(1), coin_counter=7)
    file.end(300, Counted(300, 0, 0, 0))
    again = RecordFile(tmp_path / "cash.json", {3: 1}).now
    assert again == file.now
    assert (again.levels, again.payment, again.coin_counter, again.event_counter) == ({3: 50}, None, 7, 1)
    assert again.ended[f"{1:032x}"].counted == Counted(300, 0, 0, 0)


def test_a_change_that_cannot_be_written_has_not_happened(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    file = RecordFile(folder / "cash.json", {})
    (folder / "cash.json").unlink()
    folder.rmdir()
    with pytest.raises(RecordUnusable):
        file.keep(coin_counter=1)
    assert file.now.coin_counter == 0


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"levels": {"3": "x"}}'])
def test_a_file_that_is_none_is_not_begun_anew(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "cash.json").write_bytes(text)
    with pytest.raises(RecordUnusable, match=r"cash\.json"):
        RecordFile(tmp_path / "cash.json", {})


def test_only_so_many_payments_are_remembered(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "cash.json", {})
    for number in range(REMEMBERED_PAYMENTS + 2):
        file.keep(payment=payment(number))
        file.end(0, None)
    assert len(file.now.ended) == REMEMBERED_PAYMENTS
    assert payment(0).payment_id not in file.now.ended
    assert payment(REMEMBERED_PAYMENTS + 1).payment_id in file.now.ended


def test_staff_say_what_lies_in_the_hoppers(tmp_path: Path) -> None:
    RecordFile(tmp_path / "cash.json", {3: 50, 5: 40}).keep(coin_counter=9)
    fill(tmp_path / "cash.json", {5: 12})
    now = RecordFile(tmp_path / "cash.json", {}).now
    assert (now.levels, now.coin_counter) == ({3: 50, 5: 12}, 9)


@given(
    hoppers=st.dictionaries(st.sampled_from(DENOMINATIONS_YEN), st.integers(0, 3)),
    sum_yen=st.integers(0, 300).map(lambda tens: tens * 10),
)
def test_the_coins_that_are_picked_are_there_and_none_come_closer(hoppers: Coins, sum_yen: int) -> None:
    coins = most(hoppers, sum_yen)
    assert all(count <= hoppers[denomination] for denomination, count in coins.items())
    reachable = {0}
    for denomination, count in hoppers.items():
        reachable = {one + denomination * n for one in reachable for n in range(count + 1)}
    assert yen(coins) == max(one for one in reachable if one <= sum_yen)
    assert (pick(hoppers, sum_yen) is not None) == (sum_yen in reachable)
