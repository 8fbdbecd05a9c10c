"""Receipts in the tests: a printer that fails on cue, and a slip as somebody reads it."""

from __future__ import annotations

import re

from printing.press.slip import Slip, SlipOutcome
from tests.fakes import Cues


class FakeReceipts:
    """A receipt printer that comes out with what it is given; outcomes, each once, say otherwise."""

    def __init__(self) -> None:
        self.cues = Cues()
        self.outcomes: list[SlipOutcome] = []
        self.slips: list[Slip] = []

    def print(self, slip: Slip) -> SlipOutcome:
        """See `terminal.devices.ReceiptDevice`."""
        self.cues.play("print")
        outcome = self.outcomes.pop(0) if self.outcomes else SlipOutcome.PRINTED
        if outcome in {SlipOutcome.PRINTED, SlipOutcome.UNKNOWN}:
            self.slips.append(slip)
        return outcome


def written_on(slip: Slip) -> dict[str, str]:
    """Return what stands at the right of a slip, by the Japanese at the left of it; "code" is the refund code."""
    said = {line.left.split("　")[0]: line.right for line in slip.lines if line.right}
    code = next((line.left for line in slip.lines if re.fullmatch(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){3}", line.left)), "")
    return {**said, "code": code}
