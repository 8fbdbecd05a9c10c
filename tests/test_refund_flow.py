"""The refund road in the flow's table, and the code that it begins with: who sees it, and who does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.codes import CODE_CHARACTERS, CODE_LENGTH, plain_code
from protocol.errors import ErrorCode
from protocol.messages import RefundOffer
from terminal import visit as v
from terminal.claims import claim_code
from terminal.flow import owes_visibly, step
from terminal.flow_refunds import CODES_A_VISIT
from terminal.screens.view import view
from terminal.screens.words import Lang
from terminal.visit import CopyOutcome, Money, Order, Refund, State, TerminalCode, Visit
from tests.test_flow import kinds

CODE = "ABCD" * 4
DUE = RefundOffer(payment_id="p", amount_yen=300)
LOOKED_AT = RefundOffer(payment_id="q", amount_yen=300, in_review=True)
CLAIMING = Visit(State.CLAIMING, refund=Refund(code=CODE))
BY_CARD = Visit(State.CLAIMING, visit_id="v", refund=Refund(payment_id="p"))
PAYING = Visit(State.PAYING_OUT, refund=Refund(amount_yen=300))
OWING = Visit(
    State.RETURNING,
    visit_id="v",
    payment_id="p",
    money=Money("p", 200, inserted_yen=200),
    refusal=v.Refusal(TerminalCode.CANCELLED),
    claim_code="1111-2222-3333-4444",
)
UNATTENDED = v.Unattended("v", "p", (), Money("p", 0, inserted_yen=300, owed_yen=300), OWING.claim_code)


def typed(text: str) -> Visit:
    visit, _ = step(Visit(State.IDLE), v.AskRefund())
    for character in text:
        visit, effects = step(visit, v.CodeKey(character))
        assert effects == ()
    return visit


# The code


def test_a_code_is_the_same_again_and_another_for_each_payment_and_key() -> None:
    key = Ed25519PrivateKey.generate()
    codes = {claim_code(key, f"{n:032x}") for n in range(200)}
    assert len(codes) == 200
    assert claim_code(key, "0" * 32) == claim_code(key, "0" * 32)
    assert claim_code(Ed25519PrivateKey.generate(), "0" * 32) not in codes
    assert {len(plain_code(code)) for code in codes} == {CODE_LENGTH}
    assert set("".join(codes)) - {"-"} == set(CODE_CHARACTERS)  # 3,200 characters: each of 32 comes


@pytest.mark.parametrize(
    ("event", "state"),
    [(v.MoneyReturned(0, 200, 200), State.REFUSED), (v.Failed(TerminalCode.MONEY_UNCERTAIN), State.REFUSED)],
)
def test_whoever_is_owed_sees_the_code(event: v.Event, state: State) -> None:
    after, _ = step(OWING, event)
    assert (after.state, owes_visibly(after)) == (state, True)
    shown = view(after, Lang.JA)
    assert shown["owed"] == {"amount": "200円", "code": ["1111", "2222", "3333", "4444"]}
    assert shown["timeout_s"] >= 180, "it has to be written down"


def test_a_visit_that_owes_nothing_shows_no_code() -> None:
    after, _ = step(OWING, v.MoneyReturned(200, 0, 200))
    assert "1111" not in str(view(after, Lang.JA))


def test_after_a_long_cut_no_stranger_sees_the_code_and_the_card_is_named() -> None:
    orders = (Order("o0", outcome=CopyOutcome.VOID),)
    asked = v.Interrupted("v", "p", orders, Money("p", 200, inserted_yen=200), short=False, claim_code=OWING.claim_code)
    keeping, _ = step(Visit(State.RECOVERING), asked)
    after, _ = step(keeping, v.MoneyCaptured(0, 0, 0, 200))
    assert (after.state, after.money and after.money.owed_yen) == (State.REFUSED, 200)
    shown = view(after, Lang.JA)
    assert (shown["owed"], "1111" in str(shown)) == (None, False)
    assert "同じマイナンバーカード" in shown["money_words"]


def test_a_code_that_a_short_cut_took_away_comes_back_for_a_touch_alone() -> None:
    asked, effects = step(Visit(State.RECOVERING), UNATTENDED)
    assert (asked.state, effects, view(asked, Lang.JA)["owed"]) == (State.AFTER_CUT, (), None)
    shown, effects = step(asked, v.TakeBack())
    assert (shown.state, owes_visibly(shown), kinds(effects)) == (State.REFUSED, True, ["GiveReceipt"])
    gone, _ = step(asked, v.TimedOut())
    assert gone.state is State.RECOVERING  # the next look for what was interrupted
    assert gone.claim_code == ""


def test_a_code_and_a_paper_that_a_short_cut_took_away_come_back_together() -> None:
    paper = Order("o0", sheets=1, outcome=CopyOutcome.PRINTED, journaled_fee_yen=200)
    money = Money("p", 200, inserted_yen=500, captured_yen=200, owed_yen=300)
    asked, _ = step(Visit(State.RECOVERING), replace(UNATTENDED, papers=(paper,), money=money))
    shown, effects = step(asked, v.TakeBack())
    assert (shown.state, owes_visibly(shown), kinds(effects)) == (State.TAKE_PAPER, True, ["GiveReceipt"])
    _, effects = step(asked, v.TimedOut())
    assert effects[0] == v.OpenCase(TerminalCode.PAPER_LEFT, "o0", visit_id="v"), "the next visitor would find it"


# Typed, claimed, paid


def test_a_code_is_typed_corrected_and_sent_once_it_is_whole() -> None:
    short = typed(CODE[:-1])
    assert step(short, v.CodeOk()) == (short, ())
    whole, _ = step(short, v.CodeKey("Z"))
    assert step(whole, v.CodeKey("Q"))[0] == whole, "there is no seventeenth"
    corrected, _ = step(whole, v.CodeCorrect())
    whole, _ = step(corrected, v.CodeKey(CODE[-1]))
    assert step(whole, v.CodeOk()) == (replace(whole, state=State.CLAIMING), (v.ClaimRefund(code=CODE),))


def test_a_claimed_refund_is_paid_and_the_next_visitor_finds_nothing() -> None:
    paying, effects = step(CLAIMING, v.RefundClaimed("c", 300))
    assert effects == (v.PayOut("c", 300),)
    assert paying.refund == Refund(amount_yen=300), "the code is forgotten"
    out, effects = step(paying, v.RefundPaid(300))
    assert (out.state, out.refund, effects) == (State.PAID_OUT, Refund(amount_yen=300, paid_yen=300), ())
    closed, _ = step(out, v.PaperTaken())
    assert closed == Visit(State.CLOSED)


def test_a_wrong_code_may_be_typed_again_a_few_times() -> None:
    visit = CLAIMING
    for wrong in range(1, CODES_A_VISIT):
        visit, _ = step(visit, v.Failed(ErrorCode.NO_REFUND))
        assert (visit.state, visit.refund) == (State.REFUND_CODE, Refund(wrong=wrong))
        visit = replace(visit, state=State.CLAIMING)
    visit, _ = step(visit, v.Failed(ErrorCode.NO_REFUND))
    assert (visit.state, visit.refusal) == (State.REFUSED, v.Refusal(ErrorCode.NO_REFUND))


@pytest.mark.parametrize(
    "code", [ErrorCode.REFUND_IN_REVIEW, ErrorCode.TOO_MANY_CODES, TerminalCode.NETWORK_DOWN, ErrorCode.RESTORING]
)
def test_other_answers_end_it_with_words_of_their_own(code: str) -> None:
    visit, effects = step(CLAIMING, v.Failed(code))
    assert (visit.state, visit.refusal) == (State.REFUSED, v.Refusal(code))
    assert not any(isinstance(effect, v.PayOut) for effect in effects)


def test_a_claim_that_comes_too_late_is_given_up() -> None:
    refused, _ = step(CLAIMING, v.TimedOut())
    assert step(refused, v.RefundClaimed("c", 300)) == (refused, (v.GiveUpClaim("c"),))


@pytest.mark.parametrize(
    ("event", "code", "case", "words"),
    [
        (v.Failed(TerminalCode.NO_COINS), TerminalCode.NO_COINS, False, "そのままお預かり"),
        (v.Failed(TerminalCode.JOURNAL_UNAVAILABLE), TerminalCode.JOURNAL_UNAVAILABLE, False, "そのままお預かり"),
        (v.Failed(TerminalCode.PAYOUT_UNCERTAIN), TerminalCode.PAYOUT_UNCERTAIN, True, "担当者が確かめ"),
        (v.Failed(TerminalCode.INTERNAL), TerminalCode.PAYOUT_UNCERTAIN, True, "担当者が確かめ"),
        (v.TimedOut(), TerminalCode.PAYOUT_UNCERTAIN, True, "担当者が確かめ"),
    ],
)
def test_what_could_not_be_paid_is_said(event: v.Event, code: str, case: bool, words: str) -> None:
    after, _ = step(PAYING, event)
    assert (after.state, after.refusal, after.case) == (State.REFUSED, v.Refusal(code), case)
    assert words in view(after, Lang.JA)["money_words"]


# The card


def test_a_card_is_paid_what_is_due_to_it_and_nothing_else() -> None:
    choosing = Visit(State.CHOOSING, visit_id="v", refunds=(DUE, LOOKED_AT))
    assert step(choosing, v.TakeRefund("p"))[1] == (v.ClaimRefund(payment_id="p"),)
    for other in ("q", "r"):
        assert step(choosing, v.TakeRefund(other)) == (choosing, ())
    refused, _ = step(BY_CARD, v.Failed(ErrorCode.NO_REFUND))
    assert refused.state is State.REFUSED, "there is no code to be typed again"


def test_a_card_on_the_codes_screen_begins_a_visit() -> None:
    after, effects = step(typed("AB"), v.CardInserted())
    assert (after, effects) == (Visit(State.READING, card_on_reader=True), (v.ReadCard(),))


@pytest.mark.parametrize("event", [v.Cancel(), v.TimedOut()])
def test_whoever_gives_up_typing_leaves_nothing(event: v.Event) -> None:
    after, _ = step(typed("AB12"), event)
    assert after == Visit(State.CLOSED)


def test_no_code_stands_in_a_visits_words_for_logs() -> None:
    assert CODE not in repr(CLAIMING) + repr(v.ClaimRefund(code=CODE)) + repr(replace(OWING, claim_code=CODE))
