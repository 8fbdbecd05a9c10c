"""Money that is moved while the wire, a device or a process fails: what is said is what happened, or that nobody knows.

Each end is judged by the world: `Counted` must be what the resident lost; held must be untouched; and after "unknown"
nothing moves any more, whatever is asked.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.cctalk_line import Trouble
from deploy.demo.cctalk_unit import TRAY_ADDRESS
from deploy.demo.cctalk_world import hopper_place
from terminal.payment.cash import CcTalkCash
from terminal.payment.cash_moves import Mover
from terminal.payment.cash_record import Record, RecordFile
from terminal.payment.cctalk import Header, Said, Taken
from terminal.payment.device import (
    Counted,
    DeviceGone,
    MoneyOutcomeUnknown,
    PaymentDeviceError,
    PaymentState,
    PaymentStatus,
)
from terminal.payment.worker import WorkerCoinUnit
from terminal.workers import Worker, WorkerDied
from tests.cash_parts import PAY, Kiosk, kiosk

pytestmark = pytest.mark.slow

STATUS_TRIES = 5
VISITS = 8
DROP, ROUTE, DISPENSE = Header.OPERATE_ESCROW, Header.ROUTE_BILL, Header.DISPENSE_HOPPER_COINS


@pytest.fixture
def tray(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk(tmp_path) as made:
        yield made


def filled(made: Kiosk, *coins: int, due_yen: int = 300, payment_id: str = PAY) -> int:
    """Put money in and hold it; return how much."""
    made.unit.start(payment_id, due_yen)
    made.inserted(*coins)
    return made.unit.hold()


def move(made: Kiosk, capture_yen: int, payment_id: str = PAY) -> Counted:
    return made.unit.capture(payment_id, capture_yen) if capture_yen else made.unit.give_back(payment_id)


def ask_status(made: Kiosk, payment_id: str = PAY) -> PaymentStatus:
    for _ in range(STATUS_TRIES):
        with contextlib.suppress(DeviceGone):
            return made.unit.status(payment_id)
    raise AssertionError("the devices do not answer")


class Judge:
    """Compares what a movement says with what it did; made before anything was inserted."""

    def __init__(self, made: Kiosk) -> None:
        self.made = made
        self.spent_yen = made.spent_yen()
        self.totals = made.world.totals()
        self.full: dict[str, dict[int, int]] = {}

    def before_the_movement(self) -> None:
        self.full = self.made.world.places()

    def holds(self, capture_yen: int, said: Counted | None, payment_id: str = PAY) -> PaymentState:
        """Hold the unit to its word; return how the payment stands."""
        status = ask_status(self.made, payment_id)
        if said is not None:
            assert status.counted == said
        if status.counted is not None:
            self._is_true(status.counted)
            assert status.counted.captured_yen == capture_yen
        elif status.state is PaymentState.ACTIVE:
            assert self.made.world.places() == self.full, "held, but something moved"
        else:
            self._stays_unknown(payment_id)
        assert self.made.conserved()
        return status.state

    def _is_true(self, counted: Counted) -> None:
        totals = self.made.world.totals()
        assert self.made.spent_yen() - self.spent_yen == counted.captured_yen + counted.owed_yen
        assert totals.change_yen - self.totals.change_yen == counted.change_yen
        assert totals.returned_yen - self.totals.returned_yen == counted.returned_yen
        counters = self.made.unit.counters()
        assert counters.change_yen >= counted.change_yen

    def _stays_unknown(self, payment_id: str) -> None:
        places = self.made.world.places()
        for ask in (self.made.unit.give_back, lambda payment: self.made.unit.capture(payment, 10)):
            with pytest.raises(PaymentDeviceError):
                ask(payment_id)
        assert self.made.world.places() == places, "unknown, and moved again"


def moved_under(made: Kiosk, judge: Judge, capture_yen: int) -> tuple[Counted | None, PaymentState]:
    judge.before_the_movement()
    said = None
    with contextlib.suppress(PaymentDeviceError):
        said = move(made, capture_yen)
    return said, judge.holds(capture_yen, said)


#: What a lost or spoilt frame leads to: the device's own counter tells, so the order is carried out, once.
HARMLESS = [trouble for trouble in Trouble if not trouble.startswith("cut")]


@pytest.mark.parametrize("header", [DROP, ROUTE, DISPENSE], ids=lambda header: header.name)
@pytest.mark.parametrize("trouble", HARMLESS)
def test_an_order_whose_answer_is_spoilt_is_carried_out_once(tray: Kiosk, header: Header, trouble: Trouble) -> None:
    judge = Judge(tray)
    filled(tray, 100, 1000)
    tray.world.ask("cue", header=header, trouble=trouble)
    said, state = moved_under(tray, judge, 300)
    assert (said, state) == (Counted(300, 700, 100, 0), PaymentState.CAPTURED)
    assert tray.world.ask("asked", address=6, header=DISPENSE) <= 2


def test_without_the_counter_s_word_a_lost_answer_pays_twice(tray: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard off: what was not acknowledged is taken for not done."""
    counted = Mover._payout_taken
    believing = lambda self, order: counted(self, order) if order.said is Said.YES else Taken.NO  # noqa: E731
    monkeypatch.setattr(Mover, "_payout_taken", believing)
    filled(tray, 1000)
    tray.world.ask("cue", header=DISPENSE, trouble=Trouble.LOSE_ANSWER)
    with contextlib.suppress(PaymentDeviceError):
        tray.unit.capture(PAY, 500)
    assert tray.world.totals().change_yen > 500


def test_a_key_is_good_for_one_payout_however_often_it_is_heard(tmp_path: Path) -> None:
    with kiosk(tmp_path, cipher=True) as made:
        judge = Judge(made)
        filled(made, 1000)
        for trouble in (Trouble.LOSE_ANSWER, Trouble.LOSE_REQUEST, Trouble.LOSE_ANSWER):
            made.world.ask("cue", header=DISPENSE, trouble=trouble)
        said, _ = moved_under(made, judge, 300)
        assert said == Counted(300, 700, 0, 0)


@pytest.mark.parametrize(
    ("header", "trouble", "end"),
    [
        (ROUTE, Trouble.CUT_BEFORE, PaymentState.CAPTURED),  # the note still lies there: asked again
        (ROUTE, Trouble.CUT_AFTER, PaymentState.UNKNOWN),  # gone, and nobody says where
        (ROUTE, Trouble.CUT_ANSWERED, PaymentState.UNKNOWN),
        (DROP, Trouble.CUT_BEFORE, PaymentState.UNKNOWN),  # a counter at 0 tells nothing
        (DROP, Trouble.CUT_AFTER, PaymentState.UNKNOWN),
        (DROP, Trouble.CUT_ANSWERED, PaymentState.UNKNOWN),  # half of it fell
        (DISPENSE, Trouble.CUT_BEFORE, PaymentState.UNKNOWN),
        (DISPENSE, Trouble.CUT_AFTER, PaymentState.UNKNOWN),
        (DISPENSE, Trouble.CUT_ANSWERED, PaymentState.CAPTURED),  # the hopper remembers what it has paid
    ],
)
def test_a_cut_at_an_order(tray: Kiosk, header: Header, trouble: Trouble, end: PaymentState) -> None:
    judge = Judge(tray)
    filled(tray, 100, 100, 1000, due_yen=1200)
    tray.world.ask("cue", header=header, trouble=trouble)
    _, state = moved_under(tray, judge, 300)
    assert state is end


def test_a_hopper_that_jams_in_mid_payout_is_relieved_by_smaller_coins(tray: Kiosk) -> None:
    judge = Judge(tray)
    filled(tray, 1000)
    tray.world.ask("payout", address=5, jam_after=1)
    said, _ = moved_under(tray, judge, 300)
    assert said == Counted(300, 700, 0, 0)
    assert tray.world.places()["cup"] == {500: 1, 100: 1, 50: 2}


def test_a_power_cut_in_mid_payout_loses_no_coin(tray: Kiosk) -> None:
    judge = Judge(tray)
    filled(tray, 1000)
    tray.world.ask("payout", address=5, cut_after=1)
    said, _ = moved_under(tray, judge, 300)
    assert said == Counted(300, 700, 0, 0)


def test_what_no_hopper_can_pay_is_owed(tray: Kiosk) -> None:
    judge = Judge(tray)
    filled(tray, 1000)
    tray.world.jam(jammed=True)
    said, _ = moved_under(tray, judge, 300)
    assert said == Counted(300, 0, 0, 700)
    tray.world.ask("clear_by_hand")
    assert tray.unit.check().ready


def test_a_hopper_that_was_filled_short_is_found_out_and_not_counted_on_again(tray: Kiosk) -> None:
    tray.world.ask("steal", place=hopper_place(6), coin=500, count=20)
    judge = Judge(tray)
    filled(tray, 1000)
    said, _ = moved_under(tray, judge, 300)
    assert said == Counted(300, 700, 0, 0)
    assert tray.world.places()["cup"] == {100: 7}


def test_a_note_that_cannot_be_routed_stays_and_nothing_else_moves(tray: Kiosk) -> None:
    judge = Judge(tray)
    filled(tray, 100, 1000)
    tray.world.ask("jam_next", what="route")
    said, state = moved_under(tray, judge, 300)
    assert (said, state) == (None, PaymentState.ACTIVE)


def test_a_tray_that_jams_half_way_is_unknown(tray: Kiosk) -> None:
    judge = Judge(tray)
    filled(tray, 100, 100)
    tray.world.ask("jam_next", what="tray")
    _, state = moved_under(tray, judge, 0)
    assert state is PaymentState.UNKNOWN
    assert not tray.unit.check().ready
    tray.world.ask("clear_by_hand")
    assert tray.unit.check().ready


def test_a_device_that_falls_silent_over_an_order_is_asked_when_it_is_back(tray: Kiosk) -> None:
    judge = Judge(tray)
    filled(tray, 100, 100, 100)
    tray.unit.close()
    tray.driver()
    judge.before_the_movement()
    tray.world.ask("cue", header=DROP, trouble=Trouble.LOSE_ANSWER)
    tray.world.ask("silence_after", address=TRAY_ADDRESS, header=DROP)
    with pytest.raises(MoneyOutcomeUnknown):
        tray.unit.capture(PAY, 300)
    with pytest.raises(DeviceGone):
        tray.unit.status(PAY)
    with pytest.raises(MoneyOutcomeUnknown):
        tray.unit.give_back(PAY)
    tray.world.ask("mute", address=TRAY_ADDRESS, muted=False)
    assert judge.holds(300, None) is PaymentState.CAPTURED
    assert tray.world.ask("asked", address=TRAY_ADDRESS, header=DROP) == 2, "held once, dropped once"


def test_a_record_that_cannot_be_written_in_the_middle_says_that_nobody_knows(tray: Kiosk) -> None:
    judge = Judge(tray)
    filled(tray, 100, 100, 100)
    tray.world.ask("cue", header=DROP, trouble=Trouble.LOSE_ANSWER)
    blocked = tray.machine.record.with_name(tray.machine.record.name + ".new")
    judge.before_the_movement()
    unit = tray.driver_that_stops_writing(after=3, blocked=blocked)
    with pytest.raises(MoneyOutcomeUnknown):
        unit.capture(PAY, 300)
    blocked.rmdir()
    assert judge.holds(300, None) is PaymentState.CAPTURED


# The driver's process dies: before or after each of its writes


class Died(BaseException):
    """The process is gone: no handler runs."""


class MortalFile(RecordFile):
    """A record whose process dies at its nth write, before or after the disk has it."""

    def __init__(self, path: Path, levels: dict[int, int], writes_left: int, *, before: bool) -> None:
        super().__init__(path, levels)
        self._writes_left, self._before = writes_left, before

    def keep(self, **changes: Any) -> Record:
        self._writes_left -= 1
        if self._writes_left == 0 and self._before:
            raise Died
        kept = super().keep(**changes)
        if self._writes_left == 0:
            raise Died
        return kept


def die_in_a_movement(made: Kiosk, capture_yen: int, payment_id: str, writes_left: int, *, before: bool) -> bool:
    """Begin a movement with a driver that dies; False = it came to its end first."""
    made.unit.close()
    unit = made.driver()
    unit._closed.set()  # a dead process polls no more
    unit._poller.join()
    file = MortalFile(made.machine.record, made.machine.hoppers, writes_left, before=before)
    unit._file = unit._mover._file = file
    try:
        move(made, capture_yen, payment_id)
    except Died:
        return True
    finally:
        unit._devices.line.close()
        made.driver()
    return False


@pytest.mark.parametrize("capture_yen", [300, 0])
@pytest.mark.parametrize("before", [True, False], ids=["before the write", "after it"])
def test_a_driver_that_dies_at_any_write_tells_afterwards_what_happened(
    tmp_path: Path, capture_yen: int, *, before: bool
) -> None:
    ends = set()
    with kiosk(tmp_path) as made:
        for number in itertools.count(1):
            payment_id = f"{number:032x}"
            judge = Judge(made)
            filled(made, 100, 1000, payment_id=payment_id)
            judge.before_the_movement()
            died = die_in_a_movement(made, capture_yen, payment_id, number, before=before)
            ends.add(judge.holds(capture_yen, None, payment_id))
            if not died:
                break
            put_in_order(made, payment_id)
    over = PaymentState.CAPTURED if capture_yen else PaymentState.ROLLED_BACK
    assert {PaymentState.ACTIVE, over} <= ends


def test_a_driver_s_process_that_is_killed_in_mid_payout_is_asked_again_and_pays_no_more(tray: Kiosk) -> None:
    tray.unit.close()
    worker = Worker("payment", CcTalkCash, (str(tray.line), tray.machine), tray.heard)
    worker.start()
    tray.unit = unit = WorkerCoinUnit(worker)
    try:
        judge = Judge(tray)
        filled(tray, 1000)
        tray.world.ask("pace", coin_s=0.2)
        with ThreadPoolExecutor() as pool:
            capture = pool.submit(unit.capture, PAY, 10)
            first = worker.pid
            while not tray.world.totals().change_yen:
                assert not capture.done()
            assert first is not None
            os.kill(first, signal.SIGKILL)
            with pytest.raises(WorkerDied):
                capture.result()
        wait_for_another(worker, first)
        assert judge.holds(10, None) is PaymentState.CAPTURED
        counted = unit.status(PAY).counted
        assert counted is not None
        assert counted.owed_yen > 0
    finally:
        worker.stop()


def wait_for_another(worker: Worker, first: int) -> None:
    while worker.pid in {None, first}:  # the test's own time-out bounds it
        time.sleep(0.01)


# Anything at all, by chance


def one_visit(made: Kiosk, seed: int) -> PaymentState:
    """A visit with trouble of every kind, each by chance; judged at its end."""
    chance = random.Random(seed)
    payment_id = f"{seed:032x}"
    made.world.take_cup()
    judge = Judge(made)
    due_yen = 100 * chance.randrange(1, 15)
    made.unit.start(payment_id, due_yen)
    coins = chance.choices([10, 50, 100, 500, 1000], k=chance.randrange(1, 7))
    made.world.ask("noise", rate=chance.choice([0.0, 0.05, 0.15]), seed=seed)
    taken_yen = 0
    while coins:
        burst, coins = coins[: chance.randrange(1, 4)], coins[3:]
        taken = made.world.insert_all(burst)
        taken_yen += sum(coin for coin, was in zip(burst, taken, strict=True) if was)
    if chance.random() < 0.1:
        made.world.ask("cut")
    if chance.random() < 0.2:
        made.unit.close()
        made.driver()
    certain = False
    with contextlib.suppress(PaymentDeviceError):
        certain = made.unit.hold() == taken_yen
    for header in (DROP, ROUTE, DISPENSE):
        if chance.random() < 0.2:
            made.world.ask("cue", header=header, trouble=chance.choice(list(Trouble)))
    if chance.random() < 0.3:
        address = chance.choice(list(made.machine.hoppers))
        how = chance.choice(["jam_after", "cut_after"])
        made.world.ask("payout", address=address, **{how: chance.randrange(3)})
    judge.before_the_movement()
    capture_yen = min(due_yen, taken_yen) if certain and chance.random() < 0.6 else 0
    said = None
    with contextlib.suppress(PaymentDeviceError):
        said = move(made, capture_yen, payment_id)
    made.world.ask("noise", rate=0.0, seed=0)
    if certain:
        return judge.holds(capture_yen, said, payment_id)
    status = ask_status(made, payment_id)
    if status.counted is not None and made.machine.tray is not None:
        assert made.spent_yen() == judge.spent_yen, "in doubt everything goes back as it came"
    return status.state


def put_in_order(made: Kiosk, payment_id: str) -> None:
    """What staff do after a visit that did not end by itself."""
    made.world.ask("clear_by_hand")
    made.world.ask("uncue")
    for _ in range(STATUS_TRIES):
        with contextlib.suppress(PaymentDeviceError):
            if made.unit.check().payment_id is not None:
                made.unit.give_back(payment_id)
    assert made.unit.check().ready
    made.fill()


@pytest.mark.parametrize("with_tray", [True, False], ids=["tray", "no tray"])
def test_whatever_happens_no_yen_is_lost_or_made(tmp_path: Path, *, with_tray: bool) -> None:
    ends = set()
    with kiosk(tmp_path, tray=with_tray) as made:
        for seed in range(VISITS):
            ends.add(one_visit(made, seed))
            put_in_order(made, f"{seed:032x}")
    assert {PaymentState.CAPTURED, PaymentState.ROLLED_BACK} <= ends
