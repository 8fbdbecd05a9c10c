"""The refund road of the flow: a code or a card, the server's claim, the hoppers. Pure, as `flow_steps.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from protocol.codes import CODE_LENGTH
from protocol.errors import ErrorCode
from terminal import visit as v
from terminal.flow_steps import Step, close_visit, say_refused, stop
from terminal.visit import Refund, Refusal, State, TerminalCode, Visit

CODES_A_VISIT: Final = 3  # so many wrong codes end it; the server counts over all visits


def ask_refund(visit: Visit, _: object) -> Step:
    return Visit(State.REFUND_CODE, card_on_reader=visit.card_on_reader, refund=Refund()), ()


def code_key(visit: Visit, event: v.CodeKey) -> Step:
    return _typed(visit, (_refund(visit).code + event.character)[:CODE_LENGTH])


def code_correct(visit: Visit, _: object) -> Step:
    return _typed(visit, _refund(visit).code[:-1])


def code_ok(visit: Visit, _: object) -> Step:
    code = _refund(visit).code
    if len(code) != CODE_LENGTH:
        return visit, ()
    return replace(visit, state=State.CLAIMING), (v.ClaimRefund(code=code),)


def leave(visit: Visit, _: object) -> Step:
    return close_visit(visit)


def take_refund(visit: Visit, event: v.TakeRefund) -> Step:
    """What the card's holder is owed needs no code. Whoever has begun to choose finishes that first."""
    due = next((one for one in visit.refunds if one.payment_id == event.payment_id and not one.in_review), None)
    if due is None or visit.orders:
        return visit, ()
    claiming = replace(visit, state=State.CLAIMING, refund=Refund(payment_id=due.payment_id))
    return claiming, (v.ClaimRefund(payment_id=due.payment_id),)


def refund_claimed(visit: Visit, event: v.RefundClaimed) -> Step:
    refund = replace(_refund(visit), code="", amount_yen=event.amount_yen)
    return replace(visit, state=State.PAYING_OUT, refund=refund), (v.PayOut(event.claim_id, event.amount_yen),)


def claimed_too_late(visit: Visit, event: v.RefundClaimed) -> Step:
    return visit, (v.GiveUpClaim(event.claim_id),)


def not_claimed(visit: Visit, event: v.Failed) -> Step:
    """A wrong code may be typed again, a few times."""
    refund = _refund(visit)
    wrong = refund.wrong + 1
    if event.code == ErrorCode.NO_REFUND and refund.payment_id is None and wrong < CODES_A_VISIT:
        return replace(visit, state=State.REFUND_CODE, refund=Refund(wrong=wrong)), ()
    return stop(visit, event.code)


def claim_timed_out(visit: Visit, _: object) -> Step:
    return stop(visit, TerminalCode.NETWORK_DOWN)


def refund_paid(visit: Visit, event: v.RefundPaid) -> Step:
    refund = replace(_refund(visit), paid_yen=event.paid_yen)
    return replace(visit, state=State.PAID_OUT, refund=refund, masked_name="", offers=(), reissues=(), refunds=()), ()


def not_paid(visit: Visit, event: v.Failed) -> Step:
    """What became of it was written down and told by whoever moved the money; here it is said."""
    in_doubt = event.code not in {TerminalCode.NO_COINS, TerminalCode.JOURNAL_UNAVAILABLE}
    code = TerminalCode.PAYOUT_UNCERTAIN if in_doubt else event.code
    return say_refused(replace(visit, case=visit.case or in_doubt), Refusal(code), (v.PinWipe(),))


def payout_timed_out(visit: Visit, _: object) -> Step:
    return not_paid(visit, v.Failed(TerminalCode.PAYOUT_UNCERTAIN))


def _typed(visit: Visit, code: str) -> Step:
    return replace(visit, refund=replace(_refund(visit), code=code)), ()


def _refund(visit: Visit) -> Refund:
    assert visit.refund is not None
    return visit.refund
