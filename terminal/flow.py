"""The resident's visit as a pure table: (state, event) -> (next visit, effects).

Every pair of state and event is either in HANDLERS, or in IGNORED with the reason why nothing happens, or it is
impossible and raises. No clock, no ids and no devices: ids arrive in events, time as `TimedOut`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_args

from terminal import flow_basket as basket
from terminal import flow_code as code
from terminal import flow_debit as debit
from terminal import flow_receipt as receipt
from terminal import flow_recovery as recovery
from terminal import flow_refunds as refunds
from terminal import flow_steps as steps
from terminal import visit as v
from terminal.flow_steps import Step, UnexpectedEvent
from terminal.visit import Event, State, Visit

Handler = Callable[[Visit, Any], Step]

#: What a finger may do.
TOUCHES: tuple[type, ...] = tuple(event for event in get_args(Event) if issubclass(event, v.Touch))

#: How long a state may last, in seconds, until `TimedOut`. Source: UX.md of the design; 60 s + 45 s of warning.
TIMEOUT_S: dict[State, float] = {
    State.RECOVERING: 5,  # asks the devices again
    State.AFTER_CUT: 60,
    State.OUT_OF_SERVICE: 5,  # looks at the devices again
    State.IDLE: 30,  # likewise: paper path, unfinished jobs, money held, clock
    State.READING: 8,
    State.PIN: 105,
    State.AUTHENTICATING: 60,
    State.TAKE_CARD: 60,
    State.CHOOSING: 105,
    State.PREPARING: 60,
    State.CONFIRMING: 105,
    State.COLLECTING: 180,
    State.SHOWING_CODE: 180,  # the code itself lives longer
    State.RESERVED: 30,
    State.GRANTING: 30,
    State.DEBITING: 35,  # of the grant's 60 s: behind the debit there must be time for the print intent
    State.PRINTING: 900,  # the press gives up long before: 180 s and 20 s a sheet
    State.ASK_SHEETS: 90,
    State.CAPTURING: 60,
    State.RETURNING: 60,
    State.CANCELLING: 40,
    State.KEEPING: 60,
    State.TAKE_PAPER: 90,
    State.REFUND_CODE: 180,
    State.CLAIMING: 60,
    State.PAYING_OUT: 60,
    State.PAID_OUT: 60,
    State.REFUSED: 30,
    State.CLOSED: 60,
}

#: A code that somebody has to write down is left on the screen at least so long.
CODE_TIMEOUT_S: float = 180


def owes_visibly(visit: Visit) -> bool:
    """Tell whether the screen shows a claim's code: money is owed, and whoever put it in may be there."""
    owed = visit.money is not None and visit.money.owed_yen > 0
    return owed and bool(visit.claim_code) and visit.cut is None and visit.state in {State.TAKE_PAPER, State.REFUSED}


def step(visit: Visit, event: Event) -> Step:
    """Return the visit after the event, and what is to be done.

    Errors: UnexpectedEvent if the pair of state and event is impossible.
    """
    pair = (visit.state, type(event))
    handler = HANDLERS.get(pair)
    if handler is not None:
        return receipt.with_receipt(handler(visit, event))
    if pair in IGNORED:
        return visit, ()
    raise UnexpectedEvent(visit.state, type(event).__name__)


HANDLERS: dict[tuple[State, type], Handler] = {
    (State.RECOVERING, v.Recovered): recovery.recovered,
    (State.RECOVERING, v.Interrupted): recovery.interrupted,
    (State.RECOVERING, v.Unattended): recovery.unattended,
    (State.RECOVERING, v.DevicesLost): recovery.not_recovered,
    (State.RECOVERING, v.TimedOut): recovery.recover_again,
    (State.RECOVERING, v.Failed): recovery.not_recovered,
    (State.AFTER_CUT, v.TakeBack): recovery.take_back,
    (State.AFTER_CUT, v.TimedOut): recovery.nobody_there,
    (State.KEEPING, v.MoneyCaptured): recovery.kept,
    (State.KEEPING, v.TimedOut): recovery.keep_in_doubt,
    (State.KEEPING, v.Failed): recovery.keep_in_doubt,
    (State.OUT_OF_SERVICE, v.DevicesReady): steps.ready,
    (State.OUT_OF_SERVICE, v.DevicesLost): steps.out_of_service,
    (State.OUT_OF_SERVICE, v.TimedOut): steps.check,
    (State.OUT_OF_SERVICE, v.Failed): steps.not_forgotten,
    (State.IDLE, v.CardInserted): steps.read_card,
    (State.IDLE, v.AskRefund): refunds.ask_refund,
    (State.IDLE, v.DevicesLost): steps.out_of_service,
    (State.IDLE, v.TimedOut): steps.check,
    (State.IDLE, v.Failed): steps.not_forgotten,
    (State.READING, v.CardReadDone): steps.card_read,
    (State.READING, v.CardInserted): steps.card_swapped,
    (State.READING, v.CardRemoved): steps.card_gone_early,
    (State.READING, v.DevicesLost): steps.device_lost,
    (State.READING, v.TimedOut): steps.unreadable_in_time,
    (State.READING, v.Failed): steps.card_failed,
    (State.PIN, v.PinDigit): steps.pin_digit,
    (State.PIN, v.PinCorrect): steps.pin_correct,
    (State.PIN, v.PinLengthChanged): steps.pin_length,
    (State.PIN, v.ConfirmLastTry): steps.confirm_last_try,
    (State.PIN, v.PinOk): steps.pin_ok,
    (State.PIN, v.CardInserted): steps.card_swapped,
    (State.PIN, v.CardRemoved): steps.card_gone_early,
    (State.PIN, v.DevicesLost): steps.device_lost,
    (State.PIN, v.Cancel): steps.cancel,
    (State.PIN, v.TimedOut): steps.timed_out,
    (State.PIN, v.Failed): steps.card_failed,
    (State.AUTHENTICATING, v.Authenticated): steps.authenticated,
    (State.AUTHENTICATING, v.PinRefused): steps.pin_refused,
    (State.AUTHENTICATING, v.CardInserted): steps.card_swapped,
    (State.AUTHENTICATING, v.CardRemoved): steps.card_gone_early,
    (State.AUTHENTICATING, v.DevicesLost): steps.device_lost,
    (State.AUTHENTICATING, v.TimedOut): steps.timed_out,
    (State.AUTHENTICATING, v.Failed): steps.card_failed,
    (State.TAKE_CARD, v.CardRemoved): steps.card_taken,
    (State.TAKE_CARD, v.DevicesLost): steps.device_lost,
    (State.TAKE_CARD, v.Cancel): steps.cancel,
    (State.TAKE_CARD, v.TimedOut): steps.card_left,
    (State.TAKE_CARD, v.Failed): steps.failed,
    (State.CHOOSING, v.Choose): basket.choose,
    (State.CHOOSING, v.AddNothing): basket.add_nothing,
    (State.CHOOSING, v.TakeRefund): refunds.take_refund,
    (State.CHOOSING, v.NotMe): steps.not_me,
    (State.CHOOSING, v.Cancel): steps.cancel,
    (State.CHOOSING, v.TimedOut): steps.timed_out,
    (State.CHOOSING, v.Failed): steps.failed,
    (State.PREPARING, v.Prepared): basket.prepared,
    (State.PREPARING, v.TimedOut): steps.timed_out,
    (State.PREPARING, v.Failed): basket.not_prepared,
    (State.CONFIRMING, v.Pay): steps.pay,
    (State.CONFIRMING, v.AddDocument): basket.add_document,
    (State.CONFIRMING, v.ChangeChoice): steps.change_choice,
    (State.CONFIRMING, v.NotMe): steps.not_me,
    (State.CONFIRMING, v.Cancel): steps.cancel,
    (State.CONFIRMING, v.TimedOut): steps.timed_out,
    (State.CONFIRMING, v.Failed): steps.failed,
    (State.COLLECTING, v.CollectionOpened): steps.collection_opened,
    (State.COLLECTING, v.OneByOne): basket.one_by_one,
    (State.COLLECTING, v.MoneyInserted): steps.money_inserted,
    (State.COLLECTING, v.Cancel): steps.cancel_payment,
    (State.COLLECTING, v.TimedOut): steps.payment_timed_out,
    (State.COLLECTING, v.Failed): steps.collection_failed,
    (State.SHOWING_CODE, v.CodeShown): code.shown,
    (State.SHOWING_CODE, v.CodeAgreed): code.agreed,
    (State.SHOWING_CODE, v.CodeOver): code.over,
    (State.SHOWING_CODE, v.Cancel): code.cancelled,
    (State.SHOWING_CODE, v.TimedOut): code.over,
    (State.SHOWING_CODE, v.Failed): code.failed,
    (State.RESERVED, v.MoneyInserted): steps.counted,
    (State.RESERVED, v.MoneyHeld): steps.money_held,
    (State.RESERVED, v.TimedOut): steps.hold_timed_out,
    (State.RESERVED, v.Failed): steps.money_failed,
    (State.GRANTING, v.Granted): debit.granted_or_debited,
    (State.GRANTING, v.TimedOut): steps.grant_timed_out,
    (State.GRANTING, v.Failed): steps.grant_failed,
    (State.DEBITING, v.DebitDecided): debit.decided,
    (State.DEBITING, v.Cancel): debit.cancel_debit,
    (State.DEBITING, v.TimedOut): debit.debit_timed_out,
    (State.DEBITING, v.Failed): debit.debit_failed,
    (State.PRINTING, v.SheetsProgress): steps.sheets,
    (State.PRINTING, v.PrintDecided): steps.print_decided,
    (State.PRINTING, v.TimedOut): steps.print_timed_out,
    (State.PRINTING, v.Failed): steps.not_printed,
    (State.ASK_SHEETS, v.SheetsAnswered): steps.sheets_answered,
    (State.ASK_SHEETS, v.TimedOut): steps.no_answer,
    (State.CAPTURING, v.MoneyCaptured): steps.captured,
    (State.CAPTURING, v.TimedOut): steps.capture_in_doubt,
    (State.CAPTURING, v.Failed): steps.capture_in_doubt,
    (State.RETURNING, v.MoneyInserted): steps.counted,
    (State.RETURNING, v.MoneyReturned): steps.returned,
    (State.RETURNING, v.TimedOut): steps.return_in_doubt,
    (State.RETURNING, v.Failed): steps.return_in_doubt,
    (State.CANCELLING, v.DebitDecided): debit.cancel_decided,
    (State.CANCELLING, v.Cancel): debit.no_card,
    (State.CANCELLING, v.TimedOut): debit.cancel_timed_out,
    (State.CANCELLING, v.Failed): debit.cancel_failed,
    (State.TAKE_PAPER, v.PaperTaken): steps.end,
    (State.TAKE_PAPER, v.PaperBad): steps.paper_bad,
    (State.TAKE_PAPER, v.ReceiptGiven): receipt.given,
    (State.TAKE_PAPER, v.TimedOut): steps.left_alone,
    (State.REFUND_CODE, v.CodeKey): refunds.code_key,
    (State.REFUND_CODE, v.CodeCorrect): refunds.code_correct,
    (State.REFUND_CODE, v.CodeOk): refunds.code_ok,
    (State.REFUND_CODE, v.CardInserted): steps.read_card,
    (State.REFUND_CODE, v.Cancel): refunds.leave,
    (State.REFUND_CODE, v.TimedOut): refunds.leave,
    (State.REFUND_CODE, v.Failed): steps.failed,
    (State.CLAIMING, v.RefundClaimed): refunds.refund_claimed,
    (State.CLAIMING, v.TimedOut): refunds.claim_timed_out,
    (State.CLAIMING, v.Failed): refunds.not_claimed,
    (State.PAYING_OUT, v.RefundPaid): refunds.refund_paid,
    (State.PAYING_OUT, v.TimedOut): refunds.payout_timed_out,
    (State.PAYING_OUT, v.Failed): refunds.not_paid,
    (State.PAID_OUT, v.PaperTaken): steps.end,
    (State.PAID_OUT, v.TimedOut): steps.end,
    (State.REFUSED, v.RefundClaimed): refunds.claimed_too_late,
    (State.REFUSED, v.Prepared): steps.prepared_too_late,
    (State.REFUSED, v.ReceiptGiven): receipt.given,
    (State.REFUSED, v.PaperTaken): steps.end,
    (State.REFUSED, v.Cancel): steps.end,
    (State.REFUSED, v.TimedOut): steps.left_alone,
    (State.CLOSED, v.DevicesReady): steps.ready,
    (State.CLOSED, v.DevicesLost): steps.out_of_service,
    (State.CLOSED, v.TimedOut): steps.check,
    (State.CLOSED, v.Failed): steps.not_forgotten,
}

_NEEDS_NO_CARD = (
    State.RECOVERING,
    State.AFTER_CUT,
    State.KEEPING,
    State.OUT_OF_SERVICE,
    State.CHOOSING,
    State.PREPARING,
    State.CONFIRMING,
    State.COLLECTING,
    State.SHOWING_CODE,
    State.RESERVED,
    State.GRANTING,
    State.DEBITING,
    State.PRINTING,
    State.ASK_SHEETS,
    State.CAPTURING,
    State.RETURNING,
    State.CANCELLING,
    State.TAKE_PAPER,
    State.REFUND_CODE,
    State.CLAIMING,
    State.PAYING_OUT,
    State.PAID_OUT,
    State.REFUSED,
    State.CLOSED,
)
HANDLERS |= {
    (state, v.CardInserted): steps.note_card for state in _NEEDS_NO_CARD if (state, v.CardInserted) not in HANDLERS
}
HANDLERS |= {(state, v.CardRemoved): steps.note_no_card for state in (State.IDLE, *_NEEDS_NO_CARD)}

#: Pairs in which nothing happens, with the reason.
IGNORED: dict[tuple[State, type], str] = {}


def _ignore(states: Iterable[State], events: Iterable[type], reason: str) -> None:
    IGNORED.update({(s, e): reason for s in states for e in events if (s, e) not in HANDLERS})


_ignore(State, TOUCHES, "a finger was quicker than the page, or the page older than the state")
_ignore(State, (v.ReceiptGiven,), "whoever it was printed for has gone")
_ignore((State.TAKE_CARD,), (v.CardInserted,), "a phone on the reader comes and goes; only removal counts here")
_ignore(
    set(State) - {State.OUT_OF_SERVICE, State.CLOSED},
    (v.DevicesReady,),
    "a look at the devices that was begun before the card came, or that found what it should",
)
_ignore(_NEEDS_NO_CARD, (v.DevicesLost,), "each effect's own result decides; the devices are looked at when it is over")
_ignore(
    (State.AUTHENTICATING, State.TAKE_CARD, State.REFUSED),
    (v.PinLengthChanged,),
    "the answer to a key that was pressed together with OK",
)
_ignore(
    (State.REFUSED,),
    (v.CardReadDone, v.Authenticated, v.PinRefused, v.CollectionOpened),
    "the time-out, the removal or the other failure was quicker; whoever asked has been told",
)
_ignore(
    (State.GRANTING, State.PRINTING, State.ASK_SHEETS, State.CAPTURING, State.TAKE_PAPER, State.REFUSED),
    (v.MoneyInserted,),
    "a count that the answer to hold has overtaken: that answer is the sum",
)
_ignore(
    (State.RESERVED, State.GRANTING),
    (v.CollectionOpened,),
    "the coins were quicker than the word that the unit is open",
)
_ignore((State.RETURNING,), (v.CollectionOpened, v.MoneyHeld), "cancelled or timed out meanwhile: the money goes back")
_ignore(
    (State.CAPTURING, State.RETURNING, State.CANCELLING, State.REFUSED, State.TAKE_PAPER),
    (v.Granted,),
    "a late grant is discarded; GRANT_ABANDONED is journaled",
)
_ignore(
    (State.ASK_SHEETS, State.CAPTURING, State.RETURNING, State.CANCELLING, State.TAKE_PAPER, State.REFUSED),
    (v.PrintDecided, v.SheetsProgress),
    "the verdict came after the bound: the order stays unknown, staff look at the printer",
)
_ignore(
    (State.REFUSED,),
    (v.CodeShown, v.CodeAgreed, v.CodeOver),
    "cancelled or timed out meanwhile: the server lets go whatever is agreed to after that word",
)
_ignore(
    (State.TAKE_PAPER, State.REFUSED),
    (v.DebitDecided,),
    "the contract terminal answered after the bound: its own word is asked for when the visit is over",
)
_ignore(
    (State.TAKE_PAPER, State.REFUSED),
    (v.MoneyCaptured, v.MoneyReturned, v.MoneyHeld, v.RefundPaid),
    "the device answered after the bound: the case is open, its own counters tell",
)
_ignore(
    (State.ASK_SHEETS, State.TAKE_PAPER, State.PAID_OUT, State.REFUSED),
    (v.Failed,),
    "what failed belongs to an effect that a time-out has ended already",
)
