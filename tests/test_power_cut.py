"""S16 on real parts: a terminal's process is killed in mid-visit, with coins in the unit and a job at the printer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from deploy.demo.books import Books
from deploy.demo.bring_up import RunningTown, bring_up
from deploy.demo.processes import free_port
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import Visitor
from deploy.demo.world import World
from fees.postings import Account

pytestmark = [pytest.mark.parts, pytest.mark.slow]

FEE_YEN = 200
BOUND_S = 30.0
Seen = Callable[[dict[str, Any]], bool]


class PowerGone(Exception):
    """The moment has come."""


class UntilTheCut(Visitor):
    """Walks until the screen shows what was waited for."""

    def __init__(self, world: World, moment: Seen) -> None:
        self._moment = moment
        super().__init__(world)

    def _look(self, timeout_s: float = 5.0) -> None:
        super()._look(timeout_s)
        if self._moment(self._view):
            raise PowerGone


class Returned(Visitor):
    """Stands there when the terminal is back."""

    def see(self, *states: str) -> str:
        self._wait_for(set(states))
        return self._state

    def touch(self, action: str) -> None:
        state = self._state
        self._touch(action)
        self._wait_for_other(state)


@pytest.fixture(scope="module")
def town() -> Iterator[RunningTown]:
    with bring_up(seed=1, residents=200, kiosk_port=free_port()) as running:
        yield running


MOMENTS: dict[str, Seen] = {
    "a coin lies in the tray": lambda view: view["state"] == "COLLECTING" and view["money"]["inserted_yen"] > 0,
    "a paper prints": lambda view: view["state"] == "PRINTING",
    "the money moves, or the paper waits": lambda view: view["state"] in {"CAPTURING", "TAKE_PAPER"},
}


#: How many papers may be out then; where it prints, the kill comes before the release or behind it.
OUT = dict(zip(MOMENTS, ({0}, {0, 1}, {1}), strict=True))


@pytest.mark.parametrize("moment", MOMENTS)
def test_s16_a_killed_terminal_ends_the_visit_when_it_is_back(town: RunningTown, moment: str) -> None:
    world = town.world()
    money, papers = world.money(), len(world.papers())
    visitor = UntilTheCut(world, MOMENTS[moment])
    with pytest.raises(PowerGone):
        visitor.visit(VisitFile(resident="u-000001", coins=(100, 500)))
    visitor.close()
    town.cut()
    town.restart()
    back = Returned(world)
    while (state := back.see("IDLE", "AFTER_CUT", "ASK_SHEETS", "TAKE_PAPER", "REFUSED", "OUT_OF_SERVICE")) != "IDLE":
        assert state != "OUT_OF_SERVICE", "nothing here is in doubt: printer and coin unit remember"
        back.touch({"AFTER_CUT": "take-back", "ASK_SHEETS": "sheets-yes"}.get(state, "taken"))
    back.close()
    # What the world says: a paper that is paid for, or all the money in the cup.
    out, after = len(world.papers()) - papers, world.money()
    inserted_yen = after.inserted_yen - money.inserted_yen
    kept_yen = inserted_yen - (after.change_yen - money.change_yen) - (after.returned_yen - money.returned_yen)
    assert (kept_yen, after.tray_yen) == (out * FEE_YEN, 0)
    assert out in OUT[moment]
    world.take_cup()
    # What the books say: the same.
    books = Books(town.database)
    try:
        deadline_s = time.monotonic() + BOUND_S
        while books.balances()[Account.ESCROW] or books.balances()[Account.CUSTOMER_DEPOSIT]:
            assert time.monotonic() < deadline_s, "the events do not arrive"
            time.sleep(0.05)
        assert sum(books.balances().values()) == 0
        assert books.open_cases() == []
    finally:
        books.close()
