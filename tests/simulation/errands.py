"""Who comes back for money that an earlier visit owes: with the code that the screen showed, or with the card alone."""

from __future__ import annotations

from typing import ClassVar

from protocol.codes import CODE_LENGTH, plain_code
from terminal import visit as v
from terminal.visit import State, Visit
from tests.simulation.crowd import Plan, Resident
from tests.simulation.hub import Hub
from tests.simulation.kiosk import Kiosk
from tests.simulation.world import Stay, World


class Errand(Resident):
    """One person who wants the money of an earlier stay back, and nothing else."""

    def __init__(self, hub: Hub, world: World, kiosk: Kiosk, stay: Stay, code: str) -> None:
        super().__init__(hub, world, kiosk, stay, Plan(wait_s=0.3))
        self._code = plain_code(code) or "" if code else ""

    def _idle(self, visit: Visit) -> None:
        if self._begun or self._ended:
            self._go("sees the first screen again")
        elif self._code:
            self._begin()
            self._kiosk.post(v.AskRefund())
        else:
            super()._idle(visit)

    def _type(self, visit: Visit) -> None:
        assert visit.refund is not None
        if visit.refund.wrong:
            self._kiosk.post(v.Cancel())
            return
        if not visit.refund.code:
            for character in self._code:
                self._kiosk.post(v.CodeKey(character))
        self._hub.at(self.legs, 0.4, self._press_ok)

    def _press_ok(self) -> None:
        shown = self._kiosk.shown
        if shown.state is State.REFUND_CODE:
            if shown.refund is not None and len(shown.refund.code) == CODE_LENGTH:
                self._kiosk.post(v.CodeOk())
        else:
            super()._press_ok()

    def _choose(self, visit: Visit) -> None:
        due = [refund.payment_id for refund in visit.refunds if not refund.in_review]
        self._kiosk.post(v.TakeRefund(due[0]) if due else v.Cancel())

    ACTS: ClassVar = {**Resident.ACTS, State.REFUND_CODE: _type}
