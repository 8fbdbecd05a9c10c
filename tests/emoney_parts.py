"""The demo's simulated contract terminal, with a hand that holds a card to it whenever it waits for one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from deploy.demo.emoney_terminal import open_box
from terminal.payment.emoney import WAITS, Debit
from tests.fakes import Cues

CARD, POOR = "card-1", "card-2"
BALANCES = {CARD: 2000, POOR: 100}

#: touch: it stays until all is written; before, after: it leaves in the middle; poor: another, with too little on it;
#: nobody: no card comes until the contract terminal has waited enough.
Hand = Literal["touch", "before", "after", "poor", "nobody"]


class HandHeldEmoney:
    """`terminal.payment.emoney.EmoneyTerminal` on the simulated box itself; the hand does what its script says."""

    def __init__(self, folder: Path, hands: Iterable[Hand] = ()) -> None:
        self._cards = folder / "cards.json"
        self.box = open_box(self._cards, BALANCES)
        self.hands: deque[Hand] = deque(hands)
        self.cues = Cues()
        self.asked: list[str] = []  # what was asked that moves money

    def lose_power(self) -> None:
        """What lies on the cards survives; which card it waited for does not."""
        self.box = open_box(self._cards, BALANCES)

    @property
    def brand_yen(self) -> int:
        """What was taken from cards, in truth."""
        return self.box.balances()["brand"]

    def ready(self) -> bool:
        self.cues.play("ready")
        return self.box.ready()

    def debit(self, payment_id: str, amount_yen: int) -> Debit:
        self.cues.play("debit")
        self.asked.append(f"debit {payment_id}")
        said = self.box.debit(payment_id, amount_yen)
        self.cues.play("debit answer")
        return said

    def stop(self, payment_id: str) -> Debit:
        self.cues.play("stop")
        return self.box.stop(payment_id)

    def cancel(self, payment_id: str) -> Debit:
        self.cues.play("cancel")
        self.asked.append(f"cancel {payment_id}")
        said = self.box.cancel(payment_id)
        self.cues.play("cancel answer")
        return said

    def wait(self, payment_id: str, timeout_s: float) -> Debit:  # noqa: ARG002 - the port's
        self.cues.play("wait")
        if self.box.status(payment_id).state in WAITS:
            self._hold(self.hands.popleft() if self.hands else "touch", payment_id)
        self.cues.play("wait answer")
        return self.box.status(payment_id)

    def status(self, payment_id: str) -> Debit:
        self.cues.play("status")
        return self.box.status(payment_id)

    def _hold(self, hand: Hand, payment_id: str) -> None:
        match hand:
            case "touch":
                self.box.touch(CARD)
            case "poor":
                self.box.touch(POOR)
            case "nobody":
                self.box.stop(payment_id)
            case leaves:
                self.box.touch(CARD, leaves)
