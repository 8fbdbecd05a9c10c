"""The points at which a judged process stops: exactly there, once, and only where it was told to."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.demo.halts import HaltingJournal, Halts, Reached, halting
from terminal.devices import Devices
from terminal.journal import Act, Entry, Ids, Intent, Journal, Result, RowKind
from tests.crash_parts import KEY
from tests.fakes import FakeCard, FakeCoins, FakePress, FakeServer
from tests.press_parts import wait_for

INTENT = Intent(act=Act.PRINT, visit_id="v")


@pytest.fixture
def halts(tmp_path: Path) -> Halts:
    return Halts(tmp_path / "halts")


def stopped(halts: Halts, work: Callable[[], object]) -> threading.Thread:
    """Begin something, and wait until it stands at the armed point."""
    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: halts.reached() is not None, "the point", 10.0)
    return thread


def test_who_comes_to_the_armed_point_first_waits_there_until_it_is_let_go(halts: Halts) -> None:
    halts.arm("here")
    halts.at("elsewhere")
    assert halts.reached() is None
    thread = stopped(halts, lambda: halts.at("here"))
    assert halts.reached() == Reached("here", os.getpid())
    halts.at("here")  # a second one passes: the arming was for one
    assert thread.is_alive()
    halts.disarm()
    thread.join(10)
    assert not thread.is_alive()
    halts.at("here")


def test_an_arming_that_nobody_came_to_is_over_with_the_next(halts: Halts) -> None:
    halts.arm("here")
    halts.arm("there")
    halts.at("here")
    assert halts.reached() is None
    thread = stopped(halts, lambda: halts.at("there"))
    assert halts.reached() == Reached("there", os.getpid())
    halts.disarm()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("point", "committed"), [("row intent print", ["intent"]), ("row result print", ["intent", "result", "event"])]
)
def test_a_journal_stops_behind_what_is_committed_whole(
    halts: Halts, tmp_path: Path, point: str, committed: list[str]
) -> None:
    def act() -> None:
        with contextlib.closing(HaltingJournal(tmp_path / "j.db", halts)) as journal:
            row = journal.intent(INTENT)
            result = Entry(RowKind.RESULT, Result(outcome="printed"), of_row=row)
            journal.append(result, Entry(RowKind.EVENT, b"{}", sequence=1))
            journal.ids(Ids(visit_id="v"))

    halts.arm(point)
    thread = stopped(halts, act)
    with contextlib.closing(Journal(tmp_path / "j.db")) as beside:
        assert [row.kind for row in beside.rows()] == committed
    halts.disarm()
    thread.join(10)
    with contextlib.closing(Journal(tmp_path / "j.db")) as beside:
        assert [row.kind for row in beside.rows()] == ["intent", "result", "event", "ids"]


def test_a_journal_knows_the_acts_of_the_process_before(halts: Halts, tmp_path: Path) -> None:
    with contextlib.closing(Journal(tmp_path / "j.db")) as before:
        row = before.intent(INTENT)

    def recover() -> None:
        with contextlib.closing(HaltingJournal(tmp_path / "j.db", halts)) as journal:
            journal.result(row, Result(outcome="failed"))

    halts.arm("row result print")
    thread = stopped(halts, recover)
    assert halts.reached() == Reached("row result print", os.getpid())
    halts.disarm()
    thread.join(10)
    assert not thread.is_alive()


def test_a_device_s_call_stops_before_it_begins_and_behind_its_answer(halts: Halts) -> None:
    card = FakeCard()
    devices = halting(Devices(card, FakePress(), FakeCoins(), FakeServer(KEY)), halts)
    lengths: list[int] = []
    for point, done in (("before card.pin_digit", 0), ("after card.pin_digit", 2)):
        halts.arm(point)
        thread = stopped(halts, lambda: lengths.append(devices.card.pin_digit("1")))
        assert len(card.digits) == done
        halts.disarm()
        thread.join(10)
    assert lengths == [1, 2]
