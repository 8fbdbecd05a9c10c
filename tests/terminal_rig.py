"""A terminal put together from the fakes, and a hand to touch it: what the runner's tests share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from printing.press.verdict import PaperOutlet
from protocol.messages import EventKind, Scope
from terminal import visit as v
from terminal.card import results as card
from terminal.devices import Devices
from terminal.journal import Journal, RowKind
from terminal.paper_check import ALL_CHECKS, PaperCheck, PaperGuard
from terminal.programs import Identity, Memory, Sources
from terminal.runner import Runner
from terminal.stepping import Stepper
from terminal.visit import State, Visit
from tests.fakes import MUNICIPALITY, TERMINAL_ID, FakeCard, FakeCoins, FakePress, FakeServer

BOUND_S = 10.0
CHOICE = v.Choice(MUNICIPALITY, "residence", Scope.SELF, (), (), None, 1)


class Rig:
    """One terminal with fakes, and a hand to touch it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.journal_path = folder / "journal.sqlite"
        self.key = Ed25519PrivateKey.generate()
        self.card, self.press, self.coins, self.server = FakeCard(), FakePress(), FakeCoins(), FakeServer(self.key)
        self.skip_s = 0.0
        self.runner = self.build(**settings)

    def build(
        self,
        *,
        checks: frozenset[PaperCheck] = ALL_CHECKS,
        timeout_s: dict[State, float] | None = None,
        journal: type[Journal] = Journal,
        outlet: PaperOutlet = PaperOutlet.OPEN_TRAY,
    ) -> Runner:
        runner = Runner(
            lambda: journal(self.journal_path),
            Devices(self.card, self.press, self.coins, self.server, outlet),
            Identity(TERMINAL_ID, self.key),
            PaperGuard(TERMINAL_ID, self.server.trust, checks),
            sources=Sources(lambda: time.monotonic() + self.skip_s),
            timeout_s=timeout_s,
        )
        self.press.tell = runner.tell
        self.coins.tell = runner.tell
        return runner

    def stepper(self) -> Stepper:
        """Return what the runner's thread steps: for faults of our own, and to look into its memory."""
        assert self.runner._stepper is not None
        return self.runner._stepper

    def memory(self) -> Memory:
        return self.stepper()._effects.memory

    def until(self, *states: State) -> Visit:
        """Wait for one of these states."""
        return self.wait(lambda visit: visit.state in states)

    def wait(self, met: Callable[[Visit], bool]) -> Visit:
        deadline_s = time.monotonic() + BOUND_S
        version, visit = self.runner.current()
        while not met(visit):
            assert time.monotonic() < deadline_s, f"still {visit}"
            version, visit = self.runner.wait(version, 0.5)
        return visit

    def sent(self) -> list[EventKind]:
        """Wait until the server has every event, and return their kinds."""
        deadline_s = time.monotonic() + BOUND_S
        while self.runner.unsent_events():
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
        return self.server.told()

    def put_card(self) -> None:
        self.card.there = True
        self.runner.tell(card.CardInserted())

    def take_card(self) -> None:
        self.card.there = False
        self.runner.tell(card.CardRemoved())

    def pin(self, pin: str) -> None:
        for digit in pin:
            self.runner.post(v.PinDigit(digit))
        self.wait(lambda visit: visit.pin_length == len(pin) or visit.state is not State.PIN)
        self.runner.post(v.PinOk())

    def to_choosing(self) -> Visit:
        self.until(State.IDLE)
        self.put_card()
        self.until(State.PIN)
        self.pin("1234")
        self.until(State.TAKE_CARD)
        self.take_card()
        return self.until(State.CHOOSING)

    def to_confirming(self, copies: int = 1) -> Visit:
        self.to_choosing()
        self.runner.post(v.Choose(replace(CHOICE, copies=copies)))
        return self.until(State.CONFIRMING, State.REFUSED)

    def to_collecting(self, copies: int = 1) -> Visit:
        self.to_confirming(copies)
        self.runner.post(v.Pay())
        return self.until(State.COLLECTING)

    def pay(self, *coins_yen: int) -> None:
        self.wait(lambda _: self.coins.open)
        self.coins.insert(*coins_yen)

    def end(self) -> Visit:
        """Finish the visit and return where the terminal stands then."""
        self.runner.post(v.PaperTaken())
        return self.until(State.IDLE, State.OUT_OF_SERVICE)

    def rows(self) -> list[Any]:
        """Return the journal's bodies, once the runner has let go of it."""
        self.runner.stop()
        journal = Journal(self.journal_path)
        try:
            return list(journal.rows())
        finally:
            journal.close()


def is_act(row: Any) -> bool:
    return row.kind in {RowKind.INTENT, RowKind.RESULT}


def unfinished(rows: list[Any]) -> list[int]:
    ended = {row.of_row for row in rows if row.kind is RowKind.RESULT}
    return [row.row for row in rows if row.kind is RowKind.INTENT and row.row not in ended]
