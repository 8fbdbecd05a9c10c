"""E-money in the flow: debited after the grant, printed after the debit, put back where nothing came out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.messages import PaymentMethod
from terminal import visit as v
from terminal.flow import TIMEOUT_S, step
from terminal.paper_check import GRANT_LIFETIME_S
from terminal.payment.emoney import WAITS, WHAT_NEXT, DebitState, Next
from terminal.visit import CopyOutcome, Cut, Money, Order, Refusal, State, TerminalCode, Visit
from tests.test_flow import interrupted, kinds, prepared

BOTH = (PaymentMethod.CASH, PaymentMethod.EMONEY)
BY_CARD = v.Pay(PaymentMethod.EMONEY)
RECEIPT = v.GiveReceipt("p")


def answered(event: v.Event) -> tuple[v.Effect, ...]:
    """A receipt is for whoever is there: nobody has let the time run out."""
    return () if isinstance(event, v.TimedOut) else (RECEIPT,)


def confirming(copies: int = 1, **changes: object) -> Visit:
    orders = tuple(Order(f"o{n}", prepared(f"o{n}"), sheets=1) for n in range(copies))
    visit = Visit(State.CONFIRMING, visit_id="v", payment_id="p", orders=orders, methods=BOTH)
    return replace(visit, **changes)  # type: ignore[arg-type] # the fields are checked by the tests that use them


def after(visit: Visit, *events: v.Event) -> Visit:
    for event in events:
        visit, _ = step(visit, event)
    return visit


def debiting(copies: int = 1) -> Visit:
    return after(confirming(copies), BY_CARD, v.Granted())


def printing(copies: int = 1) -> Visit:
    return after(debiting(copies), v.DebitDecided(DebitState.DEBITED))


def cancelling() -> Visit:
    return after(printing(), v.PrintDecided(CopyOutcome.FAILED, 0))


# Choosing how to pay


def test_a_card_pays_order_by_order_and_nothing_is_reserved() -> None:
    granting, effects = step(confirming(2), BY_CARD)
    assert (granting.state, effects) == (State.GRANTING, (v.RequestGrant("o0"),))
    waiting, effects = step(granting, v.Granted())
    assert (waiting.state, effects) == (State.DEBITING, (v.DebitCard("o0", "p", 200),))
    first, effects = step(waiting, v.DebitDecided(DebitState.DEBITED))
    assert (first.state, effects) == (State.PRINTING, (v.Print("o0"),))
    second, effects = step(first, v.PrintDecided(CopyOutcome.PRINTED, 1))
    assert (second.state, effects[1:]) == (State.GRANTING, (v.RequestGrant("o1"),))
    last = after(second, v.Granted(), v.DebitDecided(DebitState.DEBITED))
    done, effects = step(last, v.PrintDecided(CopyOutcome.PRINTED, 1))
    assert effects[1:] == (v.CloseDebits("p", (("o0", 200), ("o1", 200)), 0, 0), RECEIPT)
    assert done.state is State.TAKE_PAPER
    assert done.money == Money("p", 400, method=PaymentMethod.EMONEY, inserted_yen=400, captured_yen=400)


def test_only_what_the_kiosk_has_can_be_paid_with() -> None:
    cash_alone = confirming(methods=(PaymentMethod.CASH,))
    assert step(cash_alone, BY_CARD) == (cash_alone, ())
    assert after(cash_alone, v.Pay()).state is State.COLLECTING
    assert after(confirming(), v.Pay()).state is State.COLLECTING


def test_where_nothing_is_due_no_card_is_asked_for() -> None:
    free = confirming(orders=(Order("o0", prepared("o0", fee_yen=0), sheets=1),))
    assert step(free, BY_CARD) == (free, ())
    assert after(free, v.Pay()).state is State.GRANTING


def test_the_print_intent_fits_into_the_grants_time_behind_the_wait_for_a_card() -> None:
    assert TIMEOUT_S[State.DEBITING] + 20 < GRANT_LIFETIME_S


# What the contract terminal says


@pytest.mark.parametrize("state", [state for state in DebitState if state not in WAITS])
def test_paper_comes_only_after_the_word_that_it_was_debited(state: DebitState) -> None:
    decided, effects = step(debiting(), v.DebitDecided(state))
    assert (v.Print("o0") in effects) == (WHAT_NEXT[state] is Next.PRINT)
    assert decided.case == (WHAT_NEXT[state] is Next.CASE)


def test_a_refused_card_ends_the_visit_and_nothing_was_taken() -> None:
    refused, effects = step(debiting(), v.DebitDecided(DebitState.DECLINED))
    assert effects == (v.AbandonGrant("o0"), v.CloseDebits("p", (), 0, 0))
    assert refused.refusal == Refusal(TerminalCode.DEBIT_DECLINED)
    assert refused.money == Money("p", 200, method=PaymentMethod.EMONEY)


def test_unprocessed_is_never_printed_never_debited_again_and_in_doubt() -> None:
    first = after(debiting(3), v.DebitDecided(DebitState.DEBITED), v.PrintDecided(CopyOutcome.PRINTED, 1), v.Granted())
    over, effects = step(first, v.DebitDecided(DebitState.UNPROCESSED))
    assert kinds(effects) == ["AbandonGrant", "VoidOrders", "CloseDebits", "GiveReceipt"]
    assert effects[-2] == v.CloseDebits("p", (("o0", 200),), 0, 0), "of what nobody knows nothing is told as taken"
    assert (over.state, over.refusal, over.case) == (
        State.TAKE_PAPER,
        Refusal(TerminalCode.DEBIT_UNPROCESSED),
        True,
    )
    assert over.money is not None
    assert (over.money.inserted_yen, over.money.captured_yen, over.money.uncertain_yen) == (400, 200, 200)


def test_a_finger_or_the_clock_stops_the_wait_and_the_contract_terminal_says_how_it_ended() -> None:
    for event, code in ((v.Cancel(), TerminalCode.CANCELLED), (v.TimedOut(), TerminalCode.TIMED_OUT)):
        stopping, effects = step(debiting(), event)
        assert (stopping.state, effects) == (State.DEBITING, (v.StopDebit("o0"),))
        ended = after(stopping, v.DebitDecided(DebitState.DECLINED))
        assert (ended.state, ended.refusal) == (State.REFUSED, Refusal(code))


def test_a_card_that_was_quicker_than_the_clock_has_its_paper_and_than_the_finger_its_money() -> None:
    late = after(debiting(), v.TimedOut(), v.DebitDecided(DebitState.DEBITED))
    assert (late.state, late.refusal) == (State.PRINTING, None)
    quick = after(debiting(), v.Cancel(), v.DebitDecided(DebitState.DEBITED))
    assert (quick.state, quick.refusal) == (State.CANCELLING, Refusal(TerminalCode.CANCELLED))


@pytest.mark.parametrize("events", [(v.Failed(TerminalCode.PAYMENT_FAILED),), (v.TimedOut(), v.TimedOut())])
def test_a_silent_contract_terminal_is_asked_when_the_visit_is_over(events: tuple[v.Event, ...]) -> None:
    *before, last = events
    doubtful, effects = step(after(debiting(2), *before), last)
    assert kinds(effects)[:-1] == ["AbandonGrant", "VoidOrders", "StopDebit"], "nothing is told that is not known"
    assert effects[-1] == RECEIPT
    assert doubtful.refusal == Refusal(TerminalCode.DEBIT_UNANSWERED)
    assert step(doubtful, v.DebitDecided(DebitState.DEBITED)) == (doubtful, ())
    again, effects = step(doubtful, v.PaperTaken())
    assert (again, kinds(effects)) == (Visit(State.RECOVERING), ["PinWipe", "ForgetVisit", "Recover"])


def test_without_an_intent_row_nothing_was_debited() -> None:
    refused, effects = step(debiting(), v.Failed(TerminalCode.JOURNAL_UNAVAILABLE))
    assert kinds(effects) == ["AbandonGrant", "CloseDebits"]
    assert refused.money is not None
    assert refused.money.uncertain_yen == 0


# Back onto the card


@pytest.mark.parametrize("outcome", [CopyOutcome.FAILED, CopyOutcome.PARTIAL])
def test_what_did_not_come_out_goes_back_onto_the_card(outcome: CopyOutcome) -> None:
    back, effects = step(printing(), v.PrintDecided(outcome, 0))
    assert (back.state, effects[-1]) == (State.CANCELLING, v.CancelDebit("o0", "p", 200))
    over, effects = step(back, v.DebitDecided(DebitState.CANCELLED))
    assert effects == (v.CloseDebits("p", (), 200, 0),)
    assert over.state is State.REFUSED
    assert over.money == Money("p", 200, method=PaymentMethod.EMONEY, inserted_yen=200, returned_yen=200)


def test_a_paper_that_nobody_vouches_for_is_paid_back_too() -> None:
    asked = after(printing(), v.PrintDecided(CopyOutcome.UNKNOWN, None))
    assert asked.state is State.ASK_SHEETS
    assert after(asked, v.SheetsAnswered(all_there=False)).state is State.CANCELLING
    declared, effects = step(asked, v.SheetsAnswered(all_there=True))
    assert (declared.state, effects[-2:]) == (State.TAKE_PAPER, (v.CloseDebits("p", (("o0", 200),), 0, 0), RECEIPT))


@pytest.mark.parametrize("event", [v.Cancel(), v.TimedOut()])
def test_without_the_card_it_is_owed_and_the_code_is_shown(event: v.Event) -> None:
    stopping, effects = step(replace(cancelling(), claim_code="CODE"), event)
    assert (stopping.state, effects) == (State.CANCELLING, (v.StopDebit("o0"),))
    over, effects = step(stopping, v.DebitDecided(DebitState.DEBITED))
    assert effects == (v.CloseDebits("p", (), 0, 200), *answered(event))
    assert over.money is not None
    assert (over.money.owed_yen, over.claim_code) == (200, "CODE")


@pytest.mark.parametrize(
    "events",
    [
        (v.Failed(TerminalCode.PAYMENT_FAILED),),
        (v.TimedOut(), v.TimedOut()),
        (v.DebitDecided(DebitState.UNPROCESSED),),
    ],
)
def test_a_cancel_in_doubt_is_neither_told_as_back_nor_as_owed(events: tuple[v.Event, ...]) -> None:
    *before, last = events
    doubtful, effects = step(after(cancelling(), *before), last)
    assert effects == (v.StopDebit("o0"), *answered(last))
    assert doubtful.money is not None
    assert (doubtful.money.owed_yen, doubtful.money.returned_yen, doubtful.money.uncertain_yen) == (0, 0, 200)
    assert after(doubtful, v.PaperTaken()).state is State.RECOVERING


def test_the_papers_before_it_are_kept_and_paid_for() -> None:
    two = after(printing(2), v.PrintDecided(CopyOutcome.PRINTED, 1), v.Granted(), v.DebitDecided(DebitState.DEBITED))
    back, effects = step(two, v.PrintDecided(CopyOutcome.FAILED, 0))
    assert effects[-1] == v.CancelDebit("o1", "p", 200)
    over, effects = step(back, v.DebitDecided(DebitState.CANCELLED))
    assert effects == (v.CloseDebits("p", (("o0", 200),), 200, 0), RECEIPT)
    assert (over.state, over.refusal) == (State.TAKE_PAPER, Refusal(TerminalCode.PRINT_FAILED))


# After a cut


def was_debited(outcome: CopyOutcome, *, short: bool) -> v.Interrupted:
    was = interrupted(outcome, short=short)
    money = Money("p", 200, method=PaymentMethod.EMONEY, inserted_yen=200)
    return replace(was, money=money, orders=tuple(replace(order, debited=True) for order in was.orders))


def test_after_a_short_cut_the_card_is_asked_for_if_somebody_is_there() -> None:
    asked, effects = step(Visit(State.RECOVERING), was_debited(CopyOutcome.VOID, short=True))
    assert (asked.state, effects) == (State.AFTER_CUT, ())
    back, effects = step(asked, v.TakeBack())
    assert (back.state, effects) == (State.CANCELLING, (v.CancelDebit("o0", "p", 200),))
    nobody, effects = step(asked, v.TimedOut())
    assert effects == (v.CloseDebits("p", (), 0, 200),)
    assert (nobody.state, nobody.cut) == (State.REFUSED, Cut.LONG)


def test_after_a_long_cut_it_is_owed_and_a_paper_is_paid_for() -> None:
    _, effects = step(Visit(State.RECOVERING), was_debited(CopyOutcome.VOID, short=False))
    assert effects == (v.CloseDebits("p", (), 0, 200),)
    over, effects = step(Visit(State.RECOVERING), was_debited(CopyOutcome.PRINTED, short=False))
    assert effects[0] == v.CloseDebits("p", (("o0", 200),), 0, 0)
    assert effects[1] == v.OpenCase(TerminalCode.PAPER_LEFT, "o0", visit_id="v")
    assert over.state is State.RECOVERING
