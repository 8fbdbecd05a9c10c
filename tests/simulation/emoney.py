"""One contract terminal: the demo's own over the crowd's e-money cards, slow, and cut in the middle of a touch.

What was written on a card, and what the terminal was told of it, stays through a cut; for which card it waits does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from deploy.demo.emoney_terminal import Box, Contents
from terminal.payment.device import DeviceGone
from terminal.payment.emoney import WAITS, Debit, DebitState
from tests.simulation.hub import Hub, Process, Reply
from tests.simulation.world import Lost

ANSWER_TIMEOUT_S: Final = 10.0
TOUCH_S: Final = 0.15
POLL_S: Final = 0.25


class SimEmoney:
    """The terminal as the kiosk's e-money lane calls it."""

    def __init__(self, hub: Hub, contents: Contents, terminal: Process) -> None:
        self._hub, self._contents = hub, contents
        self.terminal = terminal  # whose thread waits for the answer
        self.lose_answers = 0
        self.leaves = False  # the next card that is held to it leaves in the middle
        self.lose: Callable[[Lost], None] = lambda _: None
        self.up()

    # the port

    def ready(self) -> bool:
        if not self.power.alive:
            raise DeviceGone("no answer")
        return self._box.ready()

    def debit(self, payment_id: str, amount_yen: int) -> Debit:
        return self._ask(lambda: self._box.debit(payment_id, amount_yen))

    def stop(self, payment_id: str) -> Debit:
        return self._ask(lambda: self._box.stop(payment_id))

    def cancel(self, payment_id: str) -> Debit:
        return self._ask(lambda: self._box.cancel(payment_id))

    def wait(self, payment_id: str, timeout_s: float) -> Debit:
        until_s = self._hub.now_s + timeout_s
        while (said := self.status(payment_id)).state in WAITS and self._hub.now_s < until_s:
            self._hub.sleep(POLL_S)
        return said

    def status(self, payment_id: str) -> Debit:
        return self._ask(lambda: self._box.status(payment_id))

    def _ask(self, work: Callable[[], Debit]) -> Debit:
        if not self.power.alive:
            self.lose(Lost.DEBIT)
            self._hub.sleep(1.0)
            raise DeviceGone("no answer")
        reply = Reply(self._hub, self.terminal)
        lost = self.lose_answers > 0
        self.lose_answers -= lost

        def serve() -> None:
            try:
                said = work()
            except Exception as error:  # noqa: BLE001 - it is the caller's
                reply.fail(error)
                return
            if not lost:
                reply.give(said)

        self._hub.at(self.power, 0.005 + self._hub.random.random() * 0.03, serve)
        answer: Debit = reply.wait(ANSWER_TIMEOUT_S, DeviceGone("no answer"))
        return answer

    # the world's side

    @property
    def asks_for_card(self) -> bool:
        """Whether it waits for one."""
        return self.power.alive and not self._box.ready()

    def touch(self, card: str, told: Callable[[int], None]) -> None:
        """Hold a card to it; `told` hears how many yen that cost, below 0 what was put back."""
        if self.power.alive and not self._touching:
            self._touching = (card, told)
            self._hub.at(self.power, TOUCH_S, self._touched, self.leaves)

    def _touched(self, leaves: bool) -> None:
        (card, told), self._touching = self._touching or ("", lambda _: None), None
        if self._box.ready():
            return
        self.leaves = self.leaves and not leaves
        before_yen = self._contents.balances[card]
        self._box.touch(card, self._hub.random.choice(("before", "after")) if leaves else None)
        told(before_yen - self._contents.balances[card])
        if any(
            debit.card == card and debit.state is DebitState.UNPROCESSED for debit in self._contents.debits.values()
        ):
            self.lose(Lost.DEBIT)

    def cut(self) -> None:
        """Power lost; a card that is just being written to is left in the middle."""
        if self._touching:
            self._touched(leaves=True)

    def up(self) -> None:
        """Power back."""
        self.power = Process("contract terminal")
        self._box = Box(self._contents, lambda _: None)
        self._touching: tuple[str, Callable[[int], None]] | None = None
