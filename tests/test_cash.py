"""The cash driver on a real pseudo-terminal: what it says is compared with where the coins really lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.cctalk_unit import BILL_VALIDATOR
from deploy.demo.cctalk_world import STAFF, hopper_place
from terminal.payment.cash import CcTalkCash
from terminal.payment.cash_devices import Acceptor
from terminal.payment.cash_record import RecordUnusable
from terminal.payment.cctalk import Header
from terminal.payment.device import (
    BadAmount,
    ChangeUnavailable,
    Counted,
    CountUncertain,
    DeviceGone,
    MoneyCounted,
    MoneyOutcomeUnknown,
    PaymentConflict,
    PaymentState,
    PaymentStatus,
    UnitStatus,
)
from tests.cash_parts import OTHER, PAY, Heard, Kiosk, kiosk

pytestmark = pytest.mark.slow


@pytest.fixture
def tray(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk(tmp_path) as made:
        yield made


@pytest.fixture
def boxed(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk(tmp_path, tray=False) as made:
        yield made


def paid_in(made: Kiosk, *coins: int, due_yen: int = 300) -> Kiosk:
    made.unit.start(PAY, due_yen)
    made.inserted(*coins)
    return made


# Visits without a fault


def test_exact_money_goes_into_the_cashbox(tray: Kiosk) -> None:
    before = tray.unit.counters()
    assert tray.unit.check().ready
    paid_in(tray, 100, 100, 100)
    assert tray.unit.hold() == 300
    assert tray.unit.capture(PAY, 300) == Counted(300, 0, 0, 0)
    assert (tray.cashbox_yen(), tray.cup_yen(), tray.spent_yen()) == (300, 0, 300)
    after = tray.unit.counters()
    assert (after.inserted_yen, after.cashbox_yen, after.change_yen, after.returned_yen) == (300, 300, 0, 0)
    assert after.event_counter > before.event_counter
    assert tray.unit.status(PAY) == PaymentStatus(PaymentState.CAPTURED, 0, Counted(300, 0, 0, 0))
    assert tray.unit.check().payment_id is None


@pytest.mark.parametrize(
    ("coins", "due_yen", "capture_yen", "counted"),
    [
        ((500,), 300, 300, Counted(300, 200, 0, 0)),  # change from the hoppers
        ((1000,), 300, 300, Counted(300, 700, 0, 0)),  # the note is needed: stacked, 700 in coins
        ((100, 1000), 900, 100, Counted(100, 0, 1000, 0)),  # the note goes back as it came
        ((100, 100, 1000), 1200, 1000, Counted(1000, 0, 200, 0)),  # the tray goes back as it came
        ((500, 1000), 1500, 300, Counted(300, 200, 1000, 0)),  # the note back, change for the coin
        ((500, 100), 600, 0, Counted(0, 0, 600, 0)),  # the very coins
        ((50, 100, 1000), 1200, 0, Counted(0, 0, 1150, 0)),
    ],
)
def test_note_tray_and_hoppers_return_in_that_order(
    tray: Kiosk, coins: tuple[int, ...], due_yen: int, capture_yen: int, counted: Counted
) -> None:
    paid_in(tray, *coins, due_yen=due_yen)
    assert tray.unit.hold() == sum(coins)
    assert (tray.unit.capture(PAY, capture_yen) if capture_yen else tray.unit.give_back(PAY)) == counted
    totals = tray.world.totals()
    assert (totals.change_yen, totals.returned_yen) == (counted.change_yen, counted.returned_yen)
    assert totals.cashbox_yen == tray.unit.counters().cashbox_yen == sum(coins) - counted.returned_yen
    assert tray.spent_yen() == capture_yen


@pytest.mark.parametrize(
    ("coins", "due_yen", "capture_yen", "counted"),
    [
        ((500,), 300, 300, Counted(300, 200, 0, 0)),
        ((50, 100), 300, 0, Counted(0, 150, 0, 0)),  # in the cashbox already: paid out from the hoppers
        ((100, 1000), 900, 100, Counted(100, 0, 1000, 0)),
        ((100, 1000), 900, 0, Counted(0, 100, 1000, 0)),
    ],
)
def test_without_a_tray_coins_come_back_from_the_hoppers(
    boxed: Kiosk, coins: tuple[int, ...], due_yen: int, capture_yen: int, counted: Counted
) -> None:
    paid_in(boxed, *coins, due_yen=due_yen)
    assert boxed.unit.hold() == sum(coins)
    assert (boxed.unit.capture(PAY, capture_yen) if capture_yen else boxed.unit.give_back(PAY)) == counted
    assert boxed.spent_yen() == capture_yen
    counters, totals = boxed.unit.counters(), boxed.world.totals()
    assert (counters.inserted_yen, counters.cashbox_yen) == (totals.inserted_yen, totals.cashbox_yen)
    assert (counters.change_yen, counters.returned_yen) == (totals.change_yen, totals.returned_yen)


@pytest.mark.parametrize("how", [{"cipher": True}, {"crc": True}])
def test_keys_and_crcs(tmp_path: Path, how: dict[str, bool]) -> None:
    with kiosk(tmp_path, **how) as made:
        paid_in(made, 1000)
        assert made.unit.capture(PAY, 300) == Counted(300, 700, 0, 0)
        assert made.spent_yen() == 300


# What may be put in


def test_a_refund_of_another_visit_is_paid_out_of_the_hoppers_once(tray: Kiosk) -> None:
    before = tray.unit.counters()
    for _ in range(2):  # asked again: what was done
        assert tray.unit.pay_out("refund", 300) == Counted(0, 300, 0, 0)
    after = tray.unit.counters()
    assert (after.change_yen - before.change_yen, after.cashbox_yen, after.inserted_yen) == (300, 0, 0)
    assert tray.unit.status("refund").counted == Counted(0, 300, 0, 0)
    assert tray.unit.check().payment_id is None
    with pytest.raises(ChangeUnavailable):
        tray.unit.pay_out("another", 10_000_000)
    assert tray.unit.status("another").state is PaymentState.UNKNOWN


def test_nothing_goes_in_while_it_is_shut(tray: Kiosk) -> None:
    assert not tray.world.insert(100)
    paid_in(tray, 100, 100, 100)
    assert not tray.world.insert(100), "enough lies in the tray"
    tray.unit.hold()
    assert not tray.world.insert(100)
    tray.unit.give_back(PAY)
    assert not tray.world.insert(100)
    assert tray.world.totals().inserted_yen == 300


def test_one_note_and_only_the_one_that_is_due(tray: Kiosk) -> None:
    tray.unit.start(PAY, 1500)
    assert not tray.world.insert(5000)
    tray.inserted(1000)
    assert not tray.world.insert(1000), "escrow holds one"
    tray.inserted(500)
    assert tray.unit.hold() == 1500


def test_a_denomination_is_open_only_while_all_could_be_returned(tray: Kiosk) -> None:
    for place, coin, count in ((3, 10, 50), (4, 50, 20), (6, 500, 20)):
        tray.world.ask("steal", place=hopper_place(place), coin=coin, count=count)
    tray.unit.close()
    tray.machine.record.unlink()
    tray.machine.hoppers.update({3: 0, 4: 0, 5: 4, 6: 0})
    tray.driver()
    with pytest.raises(ChangeUnavailable):
        tray.unit.start(PAY, 500)
    assert tray.unit.status(PAY).state is PaymentState.UNKNOWN
    tray.unit.start(PAY, 300)
    assert not tray.world.insert(500), "four of 100 yen cannot return 500"
    assert not tray.world.insert(50)
    tray.inserted(100)
    tray.unit.give_back(PAY)
    tray.unit.start(OTHER, 500, exact_only=True)
    tray.inserted(500)
    assert tray.unit.capture(OTHER, 500) == Counted(500, 0, 0, 0)


def test_without_a_tray_not_even_the_exact_sum_is_taken_where_it_could_not_be_returned(boxed: Kiosk) -> None:
    boxed.unit.close()
    boxed.machine.record.unlink()
    boxed.machine.hoppers.update(dict.fromkeys(boxed.machine.hoppers, 0))
    boxed.driver()
    for exact_only in (False, True):
        with pytest.raises(ChangeUnavailable):
            boxed.unit.start(PAY, 300, exact_only=exact_only)
    assert not boxed.world.insert(100)


# The port's rules


def test_refusals_move_nothing(tray: Kiosk) -> None:
    for due_yen in (0, -10, 305):
        with pytest.raises(BadAmount, match="due_yen"):
            tray.unit.start(PAY, due_yen)
    with pytest.raises(PaymentConflict):
        tray.unit.hold()
    paid_in(tray, 100, 100)
    tray.unit.start(PAY, 300)  # asked again: nothing changes
    with pytest.raises(PaymentConflict):
        tray.unit.start(OTHER, 300)
    with pytest.raises(PaymentConflict):
        tray.unit.capture(OTHER, 100)
    assert tray.unit.hold() == 200
    for capture_yen in (0, 105, 210):
        with pytest.raises(BadAmount, match="capture_yen"):
            tray.unit.capture(PAY, capture_yen)
    assert tray.world.totals().tray_yen == 200
    first = tray.unit.capture(PAY, 100)
    places = tray.world.places()
    assert tray.unit.capture(PAY, 100) == first
    with pytest.raises(PaymentConflict):
        tray.unit.give_back(PAY)
    with pytest.raises(PaymentConflict):
        tray.unit.start(PAY, 300)
    assert tray.world.places() == places


def test_a_record_that_cannot_be_read_takes_no_money(tray: Kiosk) -> None:
    tray.unit.close()
    tray.machine.record.write_bytes(b"{")
    with pytest.raises(RecordUnusable):
        CcTalkCash(str(tray.line), tray.machine, Heard())


def test_a_line_that_is_not_there_is_a_device_that_is_gone(tray: Kiosk, tmp_path: Path) -> None:
    unit = CcTalkCash(str(tmp_path / "nowhere"), tray.machine, Heard())
    for ask in (unit.check, lambda: unit.start(PAY, 300)):
        with pytest.raises(DeviceGone):
            ask()
    unit.close()
    tray.world.ask("mute", address=BILL_VALIDATOR, muted=True)
    with pytest.raises(DeviceGone):
        tray.unit.check()


def test_two_drivers_never_share_a_line(tray: Kiosk) -> None:
    assert tray.unit.check().ready
    second = CcTalkCash(str(tray.line), tray.machine, Heard())
    with pytest.raises(DeviceGone):
        second.check()
    second.close()
    assert tray.unit.check().ready


# The count in doubt


def uncertain(made: Kiosk) -> None:
    with pytest.raises(CountUncertain):
        made.unit.hold()
    with pytest.raises(CountUncertain):
        made.unit.capture(PAY, 100)


def test_five_coins_between_two_looks_are_counted(tray: Kiosk) -> None:
    tray.unit.start(PAY, 1000)
    assert all(tray.world.insert_all([100, 50, 10, 10, 10]))
    assert tray.heard.wait_for(180)


def test_more_events_than_are_kept_are_never_guessed_and_all_of_it_goes_back(tray: Kiosk) -> None:
    tray.unit.start(PAY, 1000)
    assert all(tray.world.insert_all([10] * 6))
    uncertain(tray)
    counted = tray.unit.give_back(PAY)
    assert (tray.spent_yen(), tray.cashbox_yen()) == (0, 0)
    assert counted.returned_yen <= 60
    assert tray.unit.check().ready


def test_without_a_tray_a_doubt_moves_nothing_but_the_note(boxed: Kiosk) -> None:
    paid_in(boxed, 1000, due_yen=1200)
    assert all(boxed.world.insert_all([10] * 6))
    uncertain(boxed)
    for _ in range(2):
        with pytest.raises(MoneyOutcomeUnknown):
            boxed.unit.give_back(PAY)
        assert (boxed.cup_yen(), boxed.cashbox_yen()) == (1000, 60)
    assert boxed.unit.status(PAY) == PaymentStatus(PaymentState.UNKNOWN, 0, None)


def test_a_cut_while_money_is_taken_is_a_doubt(tray: Kiosk) -> None:
    paid_in(tray, 100)
    tray.world.insert_all([100])
    tray.world.ask("cut")
    uncertain(tray)
    tray.unit.give_back(PAY)
    assert tray.spent_yen() == 0


def test_without_the_mark_a_cut_is_taken_for_a_coin_less(tray: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard off: the counter alone looks as if nothing but a rejected coin had come."""
    monkeypatch.setattr(Acceptor, "began_anew", lambda _: False)
    paid_in(tray, 100, 100)
    tray.unit.close()
    tray.world.insert_all([50])
    tray.world.ask("cut")
    tray.world.insert_all([10, 10, 10])
    tray.driver()
    assert tray.unit.hold() == 200
    assert tray.world.totals().tray_yen == 250


def test_a_cut_that_the_counter_alone_would_not_show_is_seen(tray: Kiosk) -> None:
    paid_in(tray, 100, 100)  # two events
    tray.unit.close()
    tray.world.insert_all([50])
    tray.world.ask("cut")
    assert tray.world.insert_all([10, 10, 10]) == [False] * 3  # three more of another kind: as if one coin had come
    tray.driver()
    uncertain(tray)
    tray.unit.give_back(PAY)
    assert tray.spent_yen() == 0


def test_after_it_is_shut_a_cut_changes_nothing(tray: Kiosk) -> None:
    paid_in(tray, 100, 100, 1000, due_yen=1200)
    assert tray.unit.hold() == 1200
    tray.kill_devices()
    assert tray.unit.hold() == 1200
    assert tray.unit.capture(PAY, 300) == Counted(300, 700, 200, 0)
    assert tray.spent_yen() == 300


def test_a_driver_that_comes_back_counts_what_came_meanwhile(tray: Kiosk) -> None:
    paid_in(tray, 100, due_yen=1000)
    tray.unit.close()
    assert all(tray.world.insert_all([100, 500, 10]))
    tray.driver()
    assert tray.heard.wait_for(710)
    assert tray.heard.events[0] == MoneyCounted(PAY, 100), "first what was known"
    assert tray.unit.status(PAY) == PaymentStatus(PaymentState.ACTIVE, 710, None)
    tray.inserted(100)
    assert tray.unit.hold() == 810
    assert tray.unit.give_back(PAY) == Counted(0, 0, 810, 0)


def test_a_note_that_the_hand_does_not_let_go_is_none(tray: Kiosk) -> None:
    tray.unit.start(PAY, 300)
    assert tray.world.insert_all([1000], pulled=True) == [False]
    assert tray.unit.hold() == 0
    assert tray.unit.give_back(PAY) == Counted(0, 0, 0, 0)


def test_a_note_pulled_out_of_escrow_is_counted_as_gone_back(tray: Kiosk) -> None:
    paid_in(tray, 50, 1000)
    tray.world.ask("pull_note")
    assert tray.heard.wait_for(50)
    assert tray.unit.hold() == 50
    assert tray.unit.give_back(PAY) == Counted(0, 0, 1050, 0)
    assert (tray.spent_yen(), tray.unit.counters().returned_yen) == (0, 1050)


def test_a_note_is_kept_in_escrow_as_long_as_the_visit_lasts(tray: Kiosk) -> None:
    tray.unit.start(PAY, 300)
    asked = tray.world.ask("asked", address=BILL_VALIDATOR, header=Header.ROUTE_BILL)
    tray.inserted(1000)
    tray.unit.hold()
    assert tray.world.ask("asked", address=BILL_VALIDATOR, header=Header.ROUTE_BILL) > asked


def test_a_coin_stuck_before_the_sensor_is_a_doubt_and_keeps_the_unit_closed_until_staff_came(tray: Kiosk) -> None:
    paid_in(tray, 100)
    tray.world.ask("jam_next", what="coin")
    assert not tray.world.insert(100)
    uncertain(tray)
    assert tray.unit.give_back(PAY) == Counted(0, 0, 100, 0)
    assert not tray.unit.check().ready
    assert tray.world.ask("clear_by_hand") == {"100": 1}
    assert tray.unit.check().ready


def test_what_staff_took_out_by_hand_is_not_moved_any_more(tray: Kiosk) -> None:
    paid_in(tray, 100, 100)
    tray.unit.hold()
    tray.world.ask("clear_by_hand")
    assert tray.unit.check().ready
    with pytest.raises(MoneyOutcomeUnknown):
        tray.unit.give_back(PAY)
    assert tray.world.places()[STAFF] == {100: 2}
    assert tray.unit.status(PAY).state is PaymentState.UNKNOWN


def test_what_staff_took_out_while_the_driver_was_down_does_not_keep_the_unit_closed(tray: Kiosk) -> None:
    paid_in(tray, 100, 1000, due_yen=1200)
    tray.unit.hold()
    tray.unit.close()
    tray.world.ask("clear_by_hand")
    tray.driver()
    with pytest.raises(CountUncertain):
        tray.unit.capture(PAY, 100)
    assert tray.unit.check() == UnitStatus(ready=True, payment_id=None, tray_yen=0)


def test_nothing_begins_over_money_that_lies_there(tray: Kiosk) -> None:
    paid_in(tray, 100)
    tray.unit.close()
    tray.machine.record.unlink()
    tray.driver()
    assert not tray.unit.check().ready
    with pytest.raises(DeviceGone, match="somebody's money"):
        tray.unit.start(OTHER, 300)
