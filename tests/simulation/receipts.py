"""One receipt printer: slow, with a roll that can end, and a power of its own.

What was sent to it comes out, whether or not the terminal still lives; what it had not printed goes with its power.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from printing.press.slip import Slip, SlipOutcome
from tests.simulation.hub import Hub, Process, Reply
from tests.simulation.world import Lost, Machine

ANSWER_TIMEOUT_S: Final = 12.0
PRINTING_S: Final = (0.2, 2.0)


class SimReceipts:
    """The printer as the kiosk's receipt lane calls it."""

    def __init__(self, hub: Hub, machine: Machine, terminal: Process) -> None:
        self._hub, self._machine = hub, machine
        self.terminal = terminal  # whose thread waits for the answer
        self.out_of_paper = False
        self.lose_answers = False
        self.lose: Callable[[Lost], None] = lambda _: None
        self.up()

    def print(self, slip: Slip) -> SlipOutcome:
        if not self.power.alive:
            self._hub.sleep(1.0)
            return SlipOutcome.NOT_PRINTED
        if self.out_of_paper:
            return SlipOutcome.NO_PAPER
        reply = Reply(self._hub, self.terminal)
        lost = self.lose_answers

        def come_out() -> None:
            if self.out_of_paper:
                reply.give(SlipOutcome.NO_PAPER)
                return
            self._machine.slips.append(slip)
            if not lost:
                reply.give(SlipOutcome.PRINTED)

        self._hub.at(self.power, self._hub.random.uniform(*PRINTING_S), come_out)
        try:
            outcome: SlipOutcome = reply.wait(ANSWER_TIMEOUT_S, TimeoutError())
        except TimeoutError:
            return SlipOutcome.UNKNOWN
        return outcome

    def cut(self) -> None:
        """Power lost."""

    def up(self) -> None:
        """Power back."""
        self.power = Process("receipt printer")
