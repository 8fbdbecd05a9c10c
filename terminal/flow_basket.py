"""Several documents with one payment, before it is paid: how one more joins, or does not. Pure, as `flow_steps.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from protocol.errors import ErrorCode
from terminal import visit as v
from terminal.flow_steps import Step, money_of, stop
from terminal.visit import Choice, Effect, Order, Refusal, State, TerminalCode, Visit

ORDERS_MAX: Final = 5  # of one visit; the server prepares no more

#: Whoever cannot have one document may still have the others. What else fails ends the visit before any money.
_THE_OTHERS_STAY: Final = frozenset(
    {
        *(ErrorCode.NOT_OFFERED, ErrorCode.NOT_OFFERED_NOW, ErrorCode.NOT_ISSUABLE_HERE),
        *(ErrorCode.GLYPH_NOT_PRINTABLE, ErrorCode.FORM_TOO_SMALL, ErrorCode.TOO_MANY_PREPARATIONS),
        *(ErrorCode.BUSY, TerminalCode.NETWORK_DOWN),
    }
)


def may_add(visit: Visit) -> bool:
    """Tell whether there is room for one document more."""
    return 0 < len(visit.orders) < ORDERS_MAX


def joins(visit: Visit, choice: Choice) -> bool:
    """Tell whether a choice can be paid for together with what is prepared: a payment is one municipality's."""
    if not visit.orders:
        return True
    first = visit.orders[0].prepared
    same = first is not None and first.municipality_code == choice.municipality_code
    return same and len(visit.orders) + choice.copies <= ORDERS_MAX


def choose(visit: Visit, event: v.Choose) -> Step:
    if not joins(visit, event.choice):
        return visit, ()
    preparing = replace(visit, state=State.PREPARING, choice=event.choice, not_added=None)
    return preparing, (v.PrepareOrders(event.choice, visit.payment_id if visit.orders else ""),)


def prepared(visit: Visit, event: v.Prepared) -> Step:
    orders = (*visit.orders, *(Order(p.order_id, p, p.sheets) for p in event.orders))
    confirming = replace(visit, state=State.CONFIRMING, orders=orders, current=0, payment_id=event.payment_id)
    return replace(confirming, claim_code=event.claim_code, methods=event.methods), ()


def not_prepared(visit: Visit, event: v.Failed) -> Step:
    """What was prepared before stays: it is said that this one did not join."""
    if visit.orders and event.code in _THE_OTHERS_STAY:
        return replace(visit, state=State.CONFIRMING, not_added=Refusal(event.code)), ()
    return stop(visit, event.code, event.tries_left)


def add_document(visit: Visit, _: object) -> Step:
    if not may_add(visit):
        return visit, ()
    return replace(visit, state=State.CHOOSING, choice=None, not_added=None), ()


def add_nothing(visit: Visit, _: object) -> Step:
    return (replace(visit, state=State.CONFIRMING), ()) if visit.orders else (visit, ())


def one_by_one(visit: Visit, _: object) -> Step:
    """Money is accepted only while every possible remainder could be returned: the first alone, the others later."""
    rest = tuple(order.order_id for order in visit.orders[1:])
    first = visit.orders[:1]
    due_yen = first[0].fee_yen
    money = replace(money_of(visit), due_yen=due_yen)
    visit = replace(visit, orders=first, left_out=len(rest), money=money)
    effects: tuple[Effect, ...] = (v.VoidOrders(rest), v.CollectMoney(visit.payment_id, due_yen))
    return visit, effects
