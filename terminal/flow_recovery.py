"""What the flow does after a cut: with whatever the process before left open. Pure, as `flow_steps.py`.

Nobody is given anything who has not answered the screen shortly after the cut: no coins, and no code that is worth
coins. Whoever comes later has the card.
"""

from __future__ import annotations

from dataclasses import replace

from terminal import visit as v
from terminal.flow_steps import (
    PAID,
    Step,
    came_out,
    capture_in_doubt,
    close_visit,
    closed_account,
    leave,
    money_of,
    no_answer,
    say_refused,
    settle,
)
from terminal.visit import CopyOutcome, Cut, Refusal, State, TerminalCode, Visit


def recovered(visit: Visit, _: object) -> Step:
    return close_visit(replace(visit, recovered=False))


def not_recovered(visit: Visit, event: v.DevicesLost | v.Failed) -> Step:
    """Without that device nobody knows what became of the paper or the money: it is asked again, and nothing begins."""
    reasons = event.reasons if isinstance(event, v.DevicesLost) else (event.code,)
    return replace(visit, reasons=reasons), ()


def recover_again(visit: Visit, _: object) -> Step:
    """Not while one look is still under way: that has no reasons yet."""
    return (replace(visit, reasons=()), (v.Recover(),)) if visit.reasons else (visit, ())


def interrupted(visit: Visit, event: v.Interrupted) -> Step:
    """Go on where the visit stood. Who stood there is asked; after a long cut nobody is, and no money comes out."""
    visit = replace(
        _again(visit, event),
        orders=event.orders,
        money=event.money,
        case=any(o.outcome is CopyOutcome.PARTIAL for o in event.orders) or event.money.uncertain_yen > 0,
        cut=Cut.SHORT if event.short else Cut.LONG,
    )
    unknown = next((n for n, o in enumerate(visit.orders) if o.outcome is CopyOutcome.UNKNOWN), None)
    if unknown is None:
        code = TerminalCode.DEBIT_UNPROCESSED if event.money.uncertain_yen else TerminalCode.POWER_CUT
        return settle(visit, None if all(o.outcome in PAID for o in visit.orders) else code)
    visit = replace(visit, current=unknown)
    return (replace(visit, state=State.ASK_SHEETS), ()) if event.short else no_answer(visit, event)


def unattended(visit: Visit, event: v.Unattended) -> Step:
    """A paper lies there, or a code stood on the screen: the code is seen again by whoever says to be still there."""
    visit = replace(_again(visit, event), orders=event.papers, money=event.money)
    if event.money.owed_yen:
        return replace(visit, state=State.AFTER_CUT, cut=Cut.SHORT), ()
    return replace(visit, state=State.TAKE_PAPER), ()


def _again(visit: Visit, event: v.Interrupted | v.Unattended) -> Visit:
    """A visit that the power ended stands again; of what was on since the start, only the card is."""
    return Visit(
        State.RECOVERING,
        visit_id=event.visit_id,
        payment_id=event.payment_id,
        card_on_reader=visit.card_on_reader,
        next_card=visit.next_card,
        recovered=True,
        claim_code=event.claim_code,
        receipt=event.receipt,
    )


def take_back(visit: Visit, _: object) -> Step:
    visit = replace(visit, cut=None)
    if not money_of(visit).owed_yen:
        return settle(visit, _code(visit))
    if came_out(visit):
        return replace(visit, state=State.TAKE_PAPER), ()
    return say_refused(visit, Refusal(TerminalCode.POWER_CUT), ())


def nobody_there(visit: Visit, _: object) -> Step:
    if money_of(visit).owed_yen:
        return leave(visit)
    return settle(replace(visit, cut=Cut.LONG), _code(visit))


def kept(visit: Visit, event: v.MoneyCaptured) -> Step:
    """Whoever comes back finds on the screen that the money is safe."""
    counted = replace(money_of(visit), captured_yen=event.captured_yen, owed_yen=event.owed_yen)
    visit, effects = closed_account(visit, counted)
    return say_refused(visit, visit.refusal or Refusal(TerminalCode.POWER_CUT), effects)


def keep_in_doubt(visit: Visit, event: object) -> Step:
    visit, effects = capture_in_doubt(visit, event)
    return say_refused(visit, visit.refusal or Refusal(TerminalCode.POWER_CUT), effects)


def _code(visit: Visit) -> str | None:
    return visit.refusal.code if visit.refusal else None
