"""Payment by e-money in the flow: order by order, debited between the grant and the print intent. Pure.

Nothing is reserved, and nothing is printed unless the contract terminal says that the card was debited. What it cannot
say, 処理未了, is an end of its own: never printed, never tried again.
"""

from __future__ import annotations

from dataclasses import replace

from protocol.messages import PaymentMethod
from terminal import visit as v
from terminal.flow_steps import (
    PAID,
    Step,
    UnexpectedEvent,
    close_debits,
    current,
    debits_over,
    granted,
    loose_order,
    money_of,
    void_waiting,
    with_outcome,
    without_grant,
)
from terminal.payment.emoney import DebitState
from terminal.visit import CopyOutcome, Refusal, State, TerminalCode, Visit

#: Nothing was debited, for certain.
_NOTHING_TAKEN = frozenset({DebitState.DECLINED, DebitState.UNKNOWN, DebitState.CANCELLED})


def granted_or_debited(visit: Visit, event: v.Granted) -> Step:
    """The grant is there: an order that a card pays for is debited before anything is printed."""
    money, order = money_of(visit), current(visit)
    if money.method is not PaymentMethod.EMONEY or not order.fee_yen:
        return granted(visit, event)
    debit = v.DebitCard(order.order_id, money.payment_id, order.fee_yen)
    return replace(visit, state=State.DEBITING, stopping=False, refusal=None), (debit,)


def decided(visit: Visit, event: v.DebitDecided) -> Step:
    if event.state in _NOTHING_TAKEN:
        return without_grant(visit, visit.refusal.code if visit.refusal else TerminalCode.DEBIT_DECLINED)
    match event.state:
        case DebitState.DEBITED:
            return _debited(visit)
        case DebitState.UNPROCESSED:
            return without_grant(replace(_doubted(visit), case=True), TerminalCode.DEBIT_UNPROCESSED)
        case _:
            raise UnexpectedEvent(visit.state, f"DebitDecided({event.state})")


def _debited(visit: Visit) -> Step:
    money, order = money_of(visit), current(visit)
    orders = tuple(replace(o, debited=True) if o is order else o for o in visit.orders)
    visit = replace(visit, orders=orders, money=replace(money, inserted_yen=money.inserted_yen + order.fee_yen))
    if visit.refusal == Refusal(TerminalCode.CANCELLED):  # the card was quicker than the finger, which counts
        return without_grant(visit, TerminalCode.CANCELLED)
    return replace(visit, state=State.PRINTING, refusal=None), (v.Print(order.order_id),)


def cancel_debit(visit: Visit, _: object) -> Step:
    return _stop(replace(visit, refusal=visit.refusal or Refusal(TerminalCode.CANCELLED)))


def debit_timed_out(visit: Visit, _: object) -> Step:
    if visit.stopping:
        return _in_doubt(visit)
    return _stop(replace(visit, refusal=Refusal(TerminalCode.TIMED_OUT)))


def _stop(visit: Visit) -> Step:
    """Only the contract terminal says how it ends: a card may be quicker than the word to stop."""
    return replace(visit, stopping=True), (v.StopDebit(_at_the_card(visit).order_id),)


def debit_failed(visit: Visit, event: v.Failed) -> Step:
    if event.code == TerminalCode.JOURNAL_UNAVAILABLE:  # no intent row, no act
        return without_grant(visit, event.code)
    return _in_doubt(visit)


def _in_doubt(visit: Visit) -> Step:
    """The contract terminal is silent: at the end of the visit it is asked until it tells, as at a start."""
    order_id = current(visit).order_id
    visit = with_outcome(_doubted(visit), CopyOutcome.VOID, None)
    orders, voids = void_waiting(visit)
    visit = _left_open(replace(visit, orders=orders), TerminalCode.DEBIT_UNANSWERED)
    return debits_over(visit, (v.AbandonGrant(order_id), *voids, v.StopDebit(order_id)))


# Back onto the card


def cancel_decided(visit: Visit, event: v.DebitDecided) -> Step:
    money, order = money_of(visit), _at_the_card(visit)
    if event.state is DebitState.CANCELLED:
        orders = tuple(replace(o, debited=False) if o is order else o for o in visit.orders)
        money = replace(money, returned_yen=money.returned_yen + order.fee_yen)
        return close_debits(replace(visit, orders=orders, money=money))
    if event.state is DebitState.DEBITED:  # no card came: it is owed
        return close_debits(visit)
    return _cancel_in_doubt(visit)


def no_card(visit: Visit, _: object) -> Step:
    return _stop(visit)


def cancel_timed_out(visit: Visit, _: object) -> Step:
    visit = replace(visit, alone=True)
    return _cancel_in_doubt(visit) if visit.stopping else _stop(visit)


def cancel_failed(visit: Visit, event: v.Failed) -> Step:
    if event.code == TerminalCode.JOURNAL_UNAVAILABLE:
        return close_debits(visit)
    return _cancel_in_doubt(visit)


def _cancel_in_doubt(visit: Visit) -> Step:
    """It was debited, and may be back on the card: asked as above."""
    money, fee_yen = money_of(visit), _at_the_card(visit).fee_yen
    money = replace(money, uncertain_yen=money.uncertain_yen + fee_yen)
    code = visit.refusal.code if visit.refusal else TerminalCode.DEBIT_UNANSWERED
    return debits_over(_left_open(replace(visit, money=money), code), (v.StopDebit(_at_the_card(visit).order_id),))


def _left_open(visit: Visit, code: str) -> Visit:
    """What is not known is not told: the payment stays open in the journal, and the visit's end takes it up."""
    captured_yen = sum(order.fee_yen for order in visit.orders if order.outcome in PAID)
    money = replace(money_of(visit), captured_yen=captured_yen)
    return replace(visit, money=money, refusal=Refusal(code), recovered=True)


def _doubted(visit: Visit) -> Visit:
    """Nobody knows whether this order's fee was taken."""
    money, fee_yen = money_of(visit), current(visit).fee_yen
    doubtful = replace(money, inserted_yen=money.inserted_yen + fee_yen, uncertain_yen=money.uncertain_yen + fee_yen)
    return replace(visit, money=doubtful)


def _at_the_card(visit: Visit) -> v.Order:
    """Return the order for which the contract terminal waits."""
    loose = loose_order(visit) if visit.state is State.CANCELLING else None
    return loose or current(visit)
