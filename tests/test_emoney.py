"""E-money: a debit's table, and the simulated terminal compared with what really lies on the cards."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.base import REPOSITORY
from deploy.demo.emoney_terminal import Box, EmoneyWorld, VirtualEmoney, open_box
from deploy.demo.processes import Process
from terminal.payment.device import BadAmount, DeviceGone, PaymentConflict
from terminal.payment.emoney import (
    WHAT_NEXT,
    Debit,
    DebitEvent,
    DebitState,
    EmoneyTerminal,
    ImpossibleDebit,
    Next,
    next_state,
)

PAY, OTHER = "a" * 32, "b" * 32
CARD, POOR = "card-1", "card-2"
BALANCES = {CARD: 2000, POOR: 100}


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return open_box(tmp_path / "cards.json", BALANCES)


def state(box: Box, payment_id: str = PAY) -> DebitState:
    return box.status(payment_id).state


# The table


def test_every_state_says_what_a_visit_does() -> None:
    assert set(WHAT_NEXT) == set(DebitState)
    assert [s for s, after in WHAT_NEXT.items() if after is Next.PRINT] == [DebitState.DEBITED]
    assert [s for s, after in WHAT_NEXT.items() if after is Next.CASE] == [DebitState.UNPROCESSED]


def test_a_pair_that_is_not_listed_raises() -> None:
    with pytest.raises(ImpossibleDebit):
        next_state(DebitState.DECLINED, DebitEvent.TOUCHED)
    with pytest.raises(ImpossibleDebit):
        next_state(DebitState.CANCELLED, DebitEvent.CANCEL_ASKED)


@given(events=st.lists(st.sampled_from(DebitEvent), max_size=12))
def test_from_declined_or_cancelled_nothing_is_debited_any_more(events: list[DebitEvent]) -> None:
    over = {DebitState.DECLINED, DebitState.CANCELLED}
    now, ended = DebitState.UNKNOWN, False
    for event in events:
        try:
            now = next_state(now, event)
        except ImpossibleDebit:
            continue
        assert not ended or now in over
        ended = ended or now in over


# The simulated terminal


def test_a_debit_and_its_cancel(box: Box) -> None:
    assert state(box) is DebitState.UNKNOWN
    assert box.debit(PAY, 300).state is DebitState.WAITING
    assert not box.ready()
    assert box.touch(CARD)
    assert box.debit(PAY, 300) == Debit(PAY, 300, DebitState.DEBITED, "000001")  # asked again: no second debit
    assert box.balances() == {CARD: 1700, POOR: 100, "brand": 300}
    assert box.cancel(PAY).state is DebitState.CANCELLING
    assert not box.touch(POOR), "only the same card"
    assert box.touch(CARD, "before")
    assert box.balances()["brand"] == 300
    assert box.touch(CARD)
    assert state(box) is DebitState.CANCELLED
    assert box.balances() == {**BALANCES, "brand": 0}
    with pytest.raises(PaymentConflict):
        box.cancel(PAY)


def test_refusals(box: Box) -> None:
    with pytest.raises(BadAmount):
        box.debit(PAY, 0)
    box.debit(PAY, 300)
    with pytest.raises(PaymentConflict, match="waited for"):
        box.debit(OTHER, 300)
    with pytest.raises(PaymentConflict, match="300 yen"):
        box.debit(PAY, 200)
    with pytest.raises(PaymentConflict, match="no payment"):
        box.stop(OTHER)
    assert box.touch(POOR)
    assert state(box) is DebitState.DECLINED
    assert not box.touch(CARD), "nothing is waited for"
    assert box.balances() == {**BALANCES, "brand": 0}


def test_a_stop_tells_that_the_card_was_quicker(box: Box) -> None:
    box.debit(PAY, 300)
    box.touch(CARD)
    assert box.stop(PAY).state is DebitState.DEBITED
    box.debit(OTHER, 300)
    assert box.stop(OTHER).state is DebitState.DECLINED
    assert not box.touch(CARD)


@pytest.mark.parametrize(("leaves", "really_yen"), [("before", 0), ("after", 300)])
def test_a_card_that_leaves_in_the_middle_is_unprocessed_either_way(box: Box, leaves: str, really_yen: int) -> None:
    box.debit(PAY, 300)
    box.touch(CARD, leaves)
    assert state(box) is DebitState.UNPROCESSED
    assert box.balances()["brand"] == really_yen


@pytest.mark.parametrize("leaves", ["before", "after"])
def test_the_next_touch_of_the_same_card_tells_and_debits_once(box: Box, leaves: str) -> None:
    box.debit(PAY, 300)
    box.touch(CARD, leaves)
    assert not box.touch(POOR)
    assert box.touch(CARD)
    assert state(box) is DebitState.DEBITED
    assert box.balances() == {CARD: 1700, POOR: 100, "brand": 300}


@pytest.mark.parametrize(("leaves", "cleared"), [("before", DebitState.DECLINED), ("after", DebitState.DEBITED)])
def test_without_it_only_the_clearing_tells(box: Box, leaves: str, cleared: DebitState) -> None:
    box.debit(PAY, 300)
    box.touch(CARD, leaves)
    assert box.stop(PAY).state is DebitState.UNPROCESSED
    assert box.clear(PAY).state is cleared


def test_what_is_cleared_is_not_waited_for(box: Box) -> None:
    """Found at random: the card was debited by its next touch, and the clearing had said that it was not."""
    box.debit(PAY, 300)
    box.touch(CARD, "before")
    assert box.clear(PAY).state is DebitState.DECLINED
    assert not box.touch(CARD)
    assert (state(box), box.balances()["brand"]) == (DebitState.DECLINED, 0)


def test_cards_and_debits_outlive_the_terminal_and_a_wait_does_not(tmp_path: Path) -> None:
    first = open_box(tmp_path / "cards.json", BALANCES)
    first.debit(PAY, 300)
    first.touch(CARD)
    first.debit(OTHER, 300)
    again = open_box(tmp_path / "cards.json", {})
    assert (state(again), state(again, OTHER)) == (DebitState.DEBITED, DebitState.DECLINED)
    assert again.balances() == first.balances()


@given(
    acts=st.lists(
        st.tuples(
            st.sampled_from(["debit", "stop", "cancel", "touch", "clear"]),
            st.sampled_from([PAY, OTHER]),
            st.sampled_from([CARD, POOR]),
            st.sampled_from([None, "before", "after"]),
        ),
        max_size=20,
    )
)
def test_what_is_said_is_what_lies_on_the_cards(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, str, str | None]]
) -> None:
    box = open_box(tmp_path_factory.mktemp("cards") / "cards.json", BALANCES)
    for act, payment_id, card, leaves in acts:
        try:
            if act == "debit":
                box.debit(payment_id, 300)
            elif act == "touch":
                box.touch(card, leaves)
            elif state(box, payment_id) is not DebitState.UNKNOWN:
                getattr(box, act)(payment_id)
        except PaymentConflict:
            pass
        balances = box.balances()
        assert sum(balances.values()) == sum(BALANCES.values())
        told = [state(box, one) for one in (PAY, OTHER)]
        certain_yen = 300 * sum(s in {DebitState.DEBITED, DebitState.CANCELLING} for s in told)
        doubtful_yen = 300 * told.count(DebitState.UNPROCESSED)
        assert certain_yen <= balances["brand"] <= certain_yen + doubtful_yen


@pytest.mark.slow
def test_over_its_socket_and_through_a_kill(tmp_path: Path) -> None:
    path, numbers = tmp_path / "emoney", itertools.count()
    for running in started(tmp_path, path, numbers):
        terminal: EmoneyTerminal = VirtualEmoney(str(path))
        world = EmoneyWorld(str(path))
        assert terminal.ready()
        assert terminal.debit(PAY, 300).state is DebitState.WAITING
        assert world.touch(CARD, "after")
        os.kill(running.pid, signal.SIGKILL)
        with pytest.raises(DeviceGone):
            terminal.status(PAY)
    for _ in started(tmp_path, path, numbers):
        assert terminal.status(PAY) == Debit(PAY, 300, DebitState.UNPROCESSED, "000001")
        with pytest.raises(PaymentConflict):
            terminal.cancel(PAY)
        assert world.clear(PAY).state is DebitState.DEBITED
        assert world.balances() == {CARD: 1700, "brand": 300}


def started(folder: Path, path: Path, numbers: Iterator[int]) -> Iterator[Process]:
    """The terminal's process, until the loop's body ends."""
    path.unlink(missing_ok=True)
    module = [sys.executable, "-m", "deploy.demo.emoney_terminal", "--socket", str(path)]
    process = Process(
        "contract terminal",
        [*module, "--cards", str(folder / "cards.json")],
        log=folder / f"{next(numbers)}.log",
        env={"PYTHONPATH": str(REPOSITORY)},
    )
    process.wait_until(path.exists)
    yield process
    process.stop()
