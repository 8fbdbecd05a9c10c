"""The virtual coin unit: the box's rules, and the unit over its socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.coin_box import FLOAT, CoinBox, Contents
from deploy.demo.virtual_coins import CoinServer, CoinWorld, VirtualCoinUnit
from terminal.payment.change import Coins, pick, yen
from terminal.payment.device import (
    DENOMINATIONS_YEN,
    BadAmount,
    ChangeUnavailable,
    CoinUnit,
    Counted,
    DeviceGone,
    MoneyCounted,
    MoneyOutcomeUnknown,
    PaymentConflict,
    PaymentState,
)

pytestmark = pytest.mark.slow

PAY = "a" * 32
OTHER = "b" * 32


def box(hoppers: Coins | None = None) -> CoinBox:
    return CoinBox(Contents(hoppers=dict(FLOAT if hoppers is None else hoppers)), lambda _: None, lambda _: None)


def collected(coins: list[int], due_yen: int = 300, hoppers: Coins | None = None) -> CoinBox:
    unit = box(hoppers)
    unit.start(PAY, due_yen)
    assert [coin for coin in coins if not unit.insert(coin)] == []
    return unit


def test_exact_money_goes_into_the_cashbox() -> None:
    unit = collected([100, 100, 100])
    assert unit.hold() == 300
    assert unit.capture(PAY, 300) == Counted(300, 0, 0, 0)
    totals = unit.totals()
    assert (totals.inserted_yen, totals.cashbox_yen, totals.change_yen, totals.cup_yen) == (300, 300, 0, 0)


def test_change_comes_from_the_hoppers() -> None:
    unit = collected([1000])
    assert unit.capture(PAY, 300) == Counted(300, 700, 0, 0)
    assert unit.totals().cup == {500: 1, 100: 2}
    assert unit.totals().hoppers_yen == yen(FLOAT) - 700


def test_what_was_not_printed_comes_back_with_the_change() -> None:
    unit = collected([500, 100], due_yen=600)
    assert unit.capture(PAY, 300) == Counted(300, 300, 0, 0)


def test_giving_back_drops_the_very_coins() -> None:
    unit = collected([50, 100])
    assert unit.give_back(PAY) == Counted(0, 0, 150, 0)
    assert unit.take_cup() == {50: 1, 100: 1}
    assert unit.take_cup() == {}
    assert unit.totals().returned_yen == 150


def test_money_falls_through_while_the_unit_is_closed() -> None:
    unit = box()
    assert not unit.insert(100)
    unit.start(PAY, 300)
    unit.hold()
    assert not unit.insert(500)
    assert unit.totals().cup == {100: 1, 500: 1}
    assert unit.totals().inserted_yen == 0


def test_nothing_is_open_once_enough_lies_in_the_tray() -> None:
    unit = collected([100, 100, 100])
    assert not unit.insert(100)


def test_a_denomination_is_open_only_while_all_could_be_returned() -> None:
    unit = collected([100], hoppers={100: 4})
    assert not unit.insert(500)  # 600 could not be returned
    assert unit.insert(100)
    unit = collected([], hoppers={500: 1, 100: 3})
    assert not unit.insert(1000)
    assert unit.insert(500)  # 500 could be returned, and 200 of change be given


def test_without_change_only_the_exact_amount_is_taken() -> None:
    unit = box({100: 2})
    with pytest.raises(ChangeUnavailable):
        unit.start(PAY, 300)
    assert unit.check().payment_id is None
    unit.start(PAY, 300, exact_only=True)
    assert unit.insert(100)
    assert not unit.insert(500)
    assert unit.insert(100)
    assert unit.insert(100)
    assert unit.capture(PAY, 300).captured_yen == 300


@pytest.mark.parametrize("due_yen", [0, -100, 305])
def test_a_sum_that_no_coins_make_is_refused(due_yen: int) -> None:
    with pytest.raises(BadAmount, match="due_yen"):
        box().start(PAY, due_yen)


def test_a_coin_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadAmount, match="25 yen"):
        box().insert(25)


@pytest.mark.parametrize("capture_yen", [0, 310, 105])
def test_a_capture_that_the_tray_does_not_cover_moves_nothing(capture_yen: int) -> None:
    unit = collected([100, 100, 100])
    with pytest.raises(BadAmount, match="capture_yen"):
        unit.capture(PAY, capture_yen)
    assert unit.totals().tray_yen == 300


def test_moving_twice_moves_once() -> None:
    unit = collected([500])
    first = unit.capture(PAY, 300)
    before = unit.counters()
    assert unit.capture(PAY, 300) == first
    assert unit.counters() == before
    with pytest.raises(PaymentConflict, match="300 yen captured"):
        unit.capture(PAY, 200)
    with pytest.raises(PaymentConflict, match="was captured"):
        unit.give_back(PAY)
    unit = collected([100])
    first = unit.give_back(PAY)
    assert unit.give_back(PAY) == first
    with pytest.raises(PaymentConflict):
        unit.capture(PAY, 100)


def test_one_payment_at_a_time() -> None:
    unit = collected([100])
    unit.start(PAY, 300)  # asked again: nothing changes
    assert unit.hold() == 100
    with pytest.raises(PaymentConflict):
        unit.start(PAY, 300)  # held already
    with pytest.raises(PaymentConflict):
        unit.start(OTHER, 300)
    with pytest.raises(PaymentConflict):
        unit.capture(OTHER, 100)
    unit.give_back(PAY)
    with pytest.raises(PaymentConflict, match="over"):
        unit.start(PAY, 300)
    with pytest.raises(PaymentConflict):
        unit.hold()


def test_what_the_hoppers_cannot_pay_is_owed() -> None:
    unit = collected([1000])
    unit.jam(jammed=True)
    assert not unit.check().ready
    assert unit.capture(PAY, 300) == Counted(300, 0, 0, 700)
    unit = collected([100, 100, 100], hoppers={100: 1, 50: 4})
    assert unit.capture(PAY, 10) == Counted(10, 250, 0, 40)


def test_the_status_says_what_became_of_a_payment() -> None:
    unit = box()
    assert unit.status(PAY).state is PaymentState.UNKNOWN
    unit.start(PAY, 300)
    unit.insert(100)
    assert (unit.status(PAY).state, unit.status(PAY).held_yen) == (PaymentState.ACTIVE, 100)
    unit.give_back(PAY)
    assert unit.status(PAY).state is PaymentState.ROLLED_BACK
    assert unit.status(PAY).counted == Counted(0, 0, 100, 0)


@given(
    coins=st.lists(st.sampled_from(DENOMINATIONS_YEN), max_size=12),
    hoppers=st.dictionaries(st.sampled_from(DENOMINATIONS_YEN), st.integers(0, 9)),
    due=st.integers(1, 120),
    captured=st.integers(0, 120),
)
def test_no_yen_appears_or_vanishes(coins: list[int], hoppers: Coins, due: int, captured: int) -> None:
    contents = Contents(hoppers=dict(hoppers))
    unit = CoinBox(contents, lambda _: None, lambda _: None)
    exact = pick(hoppers, due * 10) is None
    unit.start(PAY, due * 10, exact_only=exact)
    accepted = sum(coin for coin in coins if unit.insert(coin))
    held = unit.hold()
    capture_yen = min(captured * 10, held)
    counted = unit.capture(PAY, capture_yen) if capture_yen else unit.give_back(PAY)
    assert held == accepted
    assert counted.captured_yen + counted.change_yen + counted.returned_yen + counted.owed_yen == held
    assert yen(contents.hoppers) + yen(contents.cashbox) + yen(contents.cup) == yen(hoppers) + sum(coins)
    assert contents.tray == {}
    assert not exact or held <= due * 10
    if capture_yen == due * 10 or not capture_yen:
        assert counted.owed_yen == 0


# over the socket


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "coins"


def serve(server: CoinServer) -> Iterator[CoinServer]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.fixture
def unit(path: Path, tmp_path: Path) -> Iterator[CoinServer]:
    yield from serve(CoinServer(path, FLOAT, tmp_path / "state.json"))


class Heard:
    """Collects events and waits for one, with a bound."""

    def __init__(self) -> None:
        self.events: list[MoneyCounted] = []
        self._changed = threading.Condition()

    def __call__(self, event: MoneyCounted) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, total_yen: int) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: any(event.total_yen == total_yen for event in self.events), timeout=10
            )


def test_a_visit_over_the_socket(unit: CoinServer, path: Path) -> None:
    heard = Heard()
    terminal: CoinUnit = VirtualCoinUnit(str(path), heard)
    world = CoinWorld(str(path))
    try:
        before = terminal.counters()
        assert terminal.check().ready
        terminal.start(PAY, 300)
        assert world.insert(500)
        assert heard.wait_for(500)
        assert heard.events[-1].payment_id == PAY
        assert terminal.hold() == 500
        assert terminal.capture(PAY, 300) == Counted(300, 200, 0, 0)
        assert terminal.counters().event_counter == before.event_counter + 2
        assert world.take_cup() == {100: 2}
        assert world.totals().cup_yen == 0
        with pytest.raises(PaymentConflict):
            terminal.start(PAY, 300)
        with pytest.raises(BadAmount):
            world.insert(1)
        world.jam(jammed=True)
        assert not terminal.check().ready
    finally:
        terminal.close()


def test_a_terminal_that_comes_back_hears_what_lies_in_the_tray(unit: CoinServer, path: Path) -> None:
    first = VirtualCoinUnit(str(path), Heard())
    first.start(PAY, 300)
    first.close()
    CoinWorld(str(path)).insert(100)
    heard = Heard()
    second = VirtualCoinUnit(str(path), heard)
    assert heard.wait_for(100)
    assert second.status(PAY).state is PaymentState.ACTIVE
    assert second.give_back(PAY).returned_yen == 100
    second.close()


def test_the_contents_survive_the_units_own_end(path: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    for _ in serve(CoinServer(path, FLOAT, state)):
        terminal = VirtualCoinUnit(str(path), Heard())
        terminal.start(PAY, 300)
        CoinWorld(str(path)).insert(100)
        before = terminal.counters()
        terminal.close()
    for _ in serve(CoinServer(path, FLOAT, state)):
        terminal = VirtualCoinUnit(str(path), Heard())
        assert terminal.counters() == before
        assert terminal.status(PAY).held_yen == 100
        terminal.close()


def test_a_unit_that_is_not_there_is_gone(path: Path) -> None:
    terminal = VirtualCoinUnit(str(path), Heard())
    with pytest.raises(DeviceGone):
        terminal.capture(PAY, 300)
    terminal.close()


def test_a_movement_without_an_answer_is_unknown_and_a_question_is_gone(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def hang_up() -> None:
            for _ in range(3):
                peer, _address = listener.accept()
                with peer, peer.makefile("rb") as lines:
                    asked.append(msgspec.json.decode(lines.readline())["op"])

        asked: list[str] = []
        thread = threading.Thread(target=hang_up)
        thread.start()
        terminal = VirtualCoinUnit.__new__(VirtualCoinUnit)
        terminal._path = str(path)
        with pytest.raises(MoneyOutcomeUnknown):
            terminal.capture(PAY, 300)
        with pytest.raises(MoneyOutcomeUnknown):
            terminal.give_back(PAY)
        with pytest.raises(DeviceGone):
            terminal.hold()
        thread.join(5)
    assert asked == ["capture", "give_back", "hold"]  # each was sent once: nothing is tried again
