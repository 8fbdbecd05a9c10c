"""When a payment is over whoever stands there is given a receipt: once, and whatever the visit's end. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from terminal import visit as v
from terminal.flow_steps import Step
from terminal.visit import Cut, Receipt, State, Visit

#: Where a payment is over and somebody may still stand there.
_ENDS: Final = frozenset({State.TAKE_PAPER, State.REFUSED})


def with_receipt(step: Step) -> Step:
    """Return a step that gives a receipt besides, if it ends a payment of which one is due."""
    visit, effects = step
    if not _is_due(visit):
        return step
    return replace(visit, receipt=Receipt.COMING), (*effects, v.GiveReceipt(visit.payment_id))


def given(visit: Visit, event: v.ReceiptGiven) -> Step:
    """The answer of a visit before this one says nothing here."""
    if event.payment_id != visit.payment_id:
        return visit, ()
    return replace(visit, receipt=event.receipt), ()


def _is_due(visit: Visit) -> bool:
    """What went back whole needs no receipt. Where nobody is there, a code must not lie about."""
    money, is_alone = visit.money, visit.alone or visit.cut is Cut.LONG
    if money is None or visit.receipt is not None or visit.state not in _ENDS or is_alone:
        return False
    return bool(money.captured_yen or money.owed_yen or money.uncertain_yen)
