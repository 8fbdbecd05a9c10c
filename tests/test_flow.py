"""The flow's table: whole, and right in what it does with papers and money whatever happens."""

from __future__ import annotations

import typing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from protocol.messages import PreparedOrder, Scope
from terminal import visit as v
from terminal.flow import HANDLERS, IGNORED, TIMEOUT_S, TOUCHES, step
from terminal.flow_steps import UnexpectedEvent
from terminal.payment.emoney import DebitState
from terminal.visit import CopyOutcome, Money, Order, Receipt, State, TerminalCode, Visit
from tests.fakes import MUNICIPALITY, offer

CHOICE = v.Choice(MUNICIPALITY, "residence", Scope.SELF, (), (), None, 1)
EVENTS = typing.get_args(v.Event)
CHARGED = {CopyOutcome.PRINTED, CopyOutcome.DECLARED}


def prepared(order_id: str, fee_yen: int = 200) -> PreparedOrder:
    return PreparedOrder(
        order_id=order_id,
        municipality_code=MUNICIPALITY,
        municipality_name="見本市",
        kind="residence",
        title="住民票の写し",
        masked_names=(),
        items=(),
        fiscal_year=None,
        issue_number="1",
        sheets=1,
        fee_yen=fee_yen,
        pdf_sha256=b"0" * 32,
        expires_at_utc=datetime(2026, 11, 22, tzinfo=UTC),
    )


def printing(copies: int = 1, inserted_yen: int | None = None) -> Visit:
    """A visit whose first copy is at the printer."""
    due_yen = 200 * copies
    return Visit(
        State.PRINTING,
        visit_id="v",
        payment_id="p",
        orders=tuple(Order(f"o{n}", prepared(f"o{n}"), sheets=1) for n in range(copies)),
        money=Money("p", due_yen, inserted_yen=due_yen if inserted_yen is None else inserted_yen),
    )


def interrupted(*outcomes: CopyOutcome, inserted_yen: int = 200, short: bool = True) -> v.Interrupted:
    """A visit of the process before, each copy for 200 yen."""
    orders = tuple(Order(f"o{n}", sheets=1, outcome=o, journaled_fee_yen=200) for n, o in enumerate(outcomes))
    return v.Interrupted("v", "p", orders, Money("p", 200 * len(outcomes), inserted_yen=inserted_yen), short)


def unattended(*outcomes: CopyOutcome, owed_yen: int = 0) -> v.Unattended:
    """A visit of the process before that is over but for what lies there, or stood on the screen."""
    paid_yen = 200 * len(outcomes)
    money = Money("p", paid_yen, inserted_yen=paid_yen + owed_yen, captured_yen=paid_yen, owed_yen=owed_yen)
    return v.Unattended("v", "p", interrupted(*outcomes).orders, money, "CODE")


def kinds(effects: tuple[v.Effect, ...]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


# The table


def test_every_pair_is_handled_ignored_for_a_reason_or_impossible() -> None:
    pairs = {(state, event) for state in State for event in EVENTS}
    assert set(HANDLERS) <= pairs
    assert set(IGNORED) <= pairs
    assert not set(HANDLERS) & set(IGNORED)
    assert all(len(reason) > 10 for reason in IGNORED.values())


@pytest.mark.parametrize("state", State)
def test_impossible_pairs_raise_and_ignored_ones_change_nothing(state: State) -> None:
    visit = replace(printing(), state=state)
    for event_type, event in _samples().items():
        if (state, event_type) in HANDLERS:
            continue
        if (state, event_type) in IGNORED:
            assert step(visit, event) == (visit, ())
        else:
            with pytest.raises(UnexpectedEvent) as raised:
                step(visit, event)
            assert (raised.value.state, raised.value.event_name) == (state, event_type.__name__)


@pytest.mark.parametrize("state", State)
def test_no_state_is_a_trap(state: State) -> None:
    assert TIMEOUT_S[state] > 0
    assert (state, v.TimedOut) in HANDLERS
    for touch in TOUCHES:
        assert (state, touch) in HANDLERS.keys() | IGNORED.keys()
    for event in (v.CardInserted, v.CardRemoved, v.DevicesLost):
        assert (state, event) in HANDLERS.keys() | IGNORED.keys()


def test_a_table_that_lacks_a_pair_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(HANDLERS, (State.GRANTING, v.Granted))
    with pytest.raises(UnexpectedEvent):
        step(replace(printing(), state=State.GRANTING), v.Granted())


def _samples() -> dict[type, v.Event]:
    given_values: dict[type, v.Event] = {
        v.PinDigit: v.PinDigit("1"),
        v.Choose: v.Choose(CHOICE),
        v.SheetsAnswered: v.SheetsAnswered(all_there=True),
        v.CardReadDone: v.CardReadDone("v", b"", 3),
        v.PinLengthChanged: v.PinLengthChanged(1),
        v.Authenticated: v.Authenticated("山● 太●", ()),
        v.PinRefused: v.PinRefused(2, wrong=True),
        v.Prepared: v.Prepared("p", ()),
        v.CollectionOpened: v.CollectionOpened(exact_only=False),
        v.MoneyInserted: v.MoneyInserted(0),
        v.MoneyHeld: v.MoneyHeld(0),
        v.SheetsProgress: v.SheetsProgress(1),
        v.PrintDecided: v.PrintDecided(CopyOutcome.PRINTED, 1),
        v.MoneyCaptured: v.MoneyCaptured(0, 0, 0, 0),
        v.MoneyReturned: v.MoneyReturned(0, 0, 0),
        v.ReceiptGiven: v.ReceiptGiven("p", Receipt.PRINTED),
        v.Failed: v.Failed("X"),
        v.Interrupted: interrupted(CopyOutcome.PRINTED),
        v.CodeShown: v.CodeShown("https://pay.example/p"),
        v.DebitDecided: v.DebitDecided(DebitState.DEBITED),
        v.CodeKey: v.CodeKey("A"),
        v.TakeRefund: v.TakeRefund("p"),
        v.RefundClaimed: v.RefundClaimed("c", 300),
        v.RefundPaid: v.RefundPaid(300),
        v.Unattended: unattended(owed_yen=300),
        v.DevicesLost: v.DevicesLost(("x",)),
    }
    return {event: given_values[event] if event in given_values else event() for event in EVENTS}


# The card


def test_a_card_taken_too_early_leads_back_without_a_word() -> None:
    for state in (State.READING, State.PIN, State.AUTHENTICATING):
        after, effects = step(Visit(state, visit_id="v", card_on_reader=True), v.CardRemoved())
        assert after == Visit(State.CLOSED)
        assert kinds(effects) == ["PinWipe", "ForgetVisit", "CheckDevices"]
        same, _ = step(Visit(state, visit_id="v", card_on_reader=True), v.Failed(TerminalCode.CARD_REMOVED))
        assert same == after


def test_the_last_try_needs_a_second_word() -> None:
    visit = Visit(State.PIN, tries_left=1, pin_length=4)
    assert step(visit, v.PinOk()) == (visit, ())
    confirmed, _ = step(visit, v.ConfirmLastTry())
    after, effects = step(confirmed, v.PinOk())
    assert after.state is State.AUTHENTICATING
    assert effects == (v.Authenticate(last_try_confirmed=True),)


def test_a_word_for_the_last_try_is_good_for_that_try_alone() -> None:
    early, _ = step(Visit(State.PIN, tries_left=2, pin_length=4), v.ConfirmLastTry())
    assert not early.last_try_confirmed
    after, _ = step(Visit(State.AUTHENTICATING, tries_left=1, last_try_confirmed=True), v.PinRefused(1, wrong=True))
    assert (after.state, after.last_try_confirmed) == (State.PIN, False)


@pytest.mark.parametrize(
    ("event", "state", "code"),
    [
        (v.PinRefused(2, wrong=True), State.PIN, None),
        (v.PinRefused(0, wrong=True), State.REFUSED, TerminalCode.PIN_LOCKED),
        (v.Failed(TerminalCode.PIN_LOCKED, 0), State.REFUSED, TerminalCode.PIN_LOCKED),
    ],
)
def test_a_refused_pin(event: v.Event, state: State, code: str | None) -> None:
    after, effects = step(Visit(State.AUTHENTICATING, tries_left=3, pin_length=4), event)
    assert (after.state, after.refusal.code if after.refusal else None) == (state, code)
    assert after.pin_length == 0
    assert v.PinWipe() in effects


@pytest.mark.parametrize(
    "next_event", [v.PinDigit("1"), v.Cancel(), v.CardRemoved(), v.TimedOut(), v.Failed(TerminalCode.INTERNAL)]
)
def test_a_pin_is_called_wrong_only_until_the_next_digit_or_the_end(next_event: v.Event) -> None:
    wrong, _ = step(Visit(State.AUTHENTICATING, tries_left=3, pin_length=4), v.PinRefused(2, wrong=True))
    assert wrong.pin_wrong
    assert not step(wrong, next_event)[0].pin_wrong
    last = replace(wrong, tries_left=1)
    assert step(last, v.ConfirmLastTry())[0].pin_wrong, "the word for the last try is no digit yet"


def test_a_pin_that_the_card_never_saw_is_not_called_wrong() -> None:
    after, _ = step(Visit(State.AUTHENTICATING, tries_left=3, pin_length=4), v.PinRefused(3, wrong=False))
    assert (after.state, after.pin_wrong, after.pin_length) == (State.PIN, False, 0)


def test_a_card_without_tries_is_refused_before_a_pin_is_asked_for() -> None:
    after, _ = step(Visit(State.READING), v.CardReadDone("v", b"c" * 32, 0))
    assert after.refusal == v.Refusal(TerminalCode.PIN_LOCKED, 0)


def test_an_incomplete_pin_changes_nothing() -> None:
    visit = Visit(State.PIN, tries_left=3, pin_length=3)
    assert step(visit, v.PinOk()) == (visit, ())


def test_nothing_goes_on_before_the_card_is_taken() -> None:
    visit = Visit(State.TAKE_CARD, masked_name="山● 太●", offers=(offer(),), card_on_reader=True)
    assert step(visit, v.Choose(CHOICE)) == (visit, ())
    after, _ = step(visit, v.TimedOut())
    assert (after.state, after.offers, after.masked_name) == (State.REFUSED, (), "")
    assert after.refusal == v.Refusal(TerminalCode.CARD_LEFT)


def test_the_next_persons_card_waits_for_the_end_of_this_visit() -> None:
    visit, _ = step(replace(printing(), state=State.TAKE_PAPER), v.CardInserted())
    closed, _ = step(visit, v.PaperTaken())
    after, effects = step(closed, v.DevicesReady())
    assert (after, effects) == (Visit(State.READING, card_on_reader=True), (v.ReadCard(),))


def test_a_card_that_stays_after_a_refusal_is_not_read_again() -> None:
    refused, _ = step(Visit(State.AUTHENTICATING, card_on_reader=True), v.PinRefused(0, wrong=True))
    closed, _ = step(refused, v.TimedOut())
    after, _ = step(closed, v.DevicesReady())
    assert after == Visit(State.IDLE, card_on_reader=True)


# Choosing


def test_not_me_issues_nothing_and_says_so() -> None:
    confirming = replace(printing(2), state=State.CONFIRMING, money=None)
    after, effects = step(confirming, v.NotMe())
    assert effects == (v.ReportNotMe(), v.VoidOrders(("o0", "o1")), v.PinWipe())
    assert after.refusal == v.Refusal(TerminalCode.NOT_ME)
    assert {order.outcome for order in after.orders} == {CopyOutcome.VOID}


def test_another_choice_voids_what_was_prepared() -> None:
    confirming = replace(printing(2), state=State.CONFIRMING, money=None)
    after, effects = step(confirming, v.ChangeChoice())
    assert (after.state, after.orders, effects) == (State.CHOOSING, (), (v.VoidOrders(("o0", "o1")),))


def test_the_price_is_the_sum_of_the_copies() -> None:
    confirming = replace(printing(3), state=State.CONFIRMING, money=None)
    after, effects = step(confirming, v.Pay())
    assert effects == (v.CollectMoney("p", 600, orders=3),)
    assert after.money == Money("p", 600)


def test_a_paper_free_of_charge_asks_for_no_money() -> None:
    free = Order("o0", prepared("o0", fee_yen=0), sheets=1)
    after, effects = step(Visit(State.CONFIRMING, payment_id="p", orders=(free,)), v.Pay())
    assert (after.state, effects) == (State.GRANTING, (v.RequestGrant("o0"),))
    after, effects = step(replace(after, state=State.PRINTING), v.PrintDecided(CopyOutcome.FAILED, 0))
    assert (after.state, "ReturnMoney" in kinds(effects)) == (State.REFUSED, False)


def test_a_cancel_does_not_overtake_the_opening_of_the_coin_unit() -> None:
    collecting = replace(printing(inserted_yen=0), state=State.COLLECTING)
    assert step(collecting, v.Cancel()) == (collecting, ())
    opened, _ = step(collecting, v.CollectionOpened(exact_only=False))
    after, effects = step(opened, v.Cancel())
    assert (after.state, effects[-1]) == (State.RETURNING, v.ReturnMoney("p"))


# Papers and money


@pytest.mark.parametrize(
    ("outcome", "state", "code", "case"),
    [
        (CopyOutcome.PRINTED, State.CAPTURING, None, False),
        (CopyOutcome.FAILED, State.RETURNING, TerminalCode.PRINT_FAILED, False),
        (CopyOutcome.PARTIAL, State.RETURNING, TerminalCode.PRINT_PARTIAL, True),
        (CopyOutcome.UNKNOWN, State.ASK_SHEETS, None, False),
    ],
)
def test_what_a_verdict_leads_to(outcome: CopyOutcome, state: State, code: str | None, case: bool) -> None:
    after, effects = step(printing(), v.PrintDecided(outcome, None))
    assert (after.state, after.refusal.code if after.refusal else None, after.case) == (state, code, case)
    assert effects[0] == v.ReportPaper("o0", outcome, None)
    assert ("OpenCase" in kinds(effects)) == case


def test_the_next_copy_only_after_the_one_before_is_printed() -> None:
    second, effects = step(printing(2), v.PrintDecided(CopyOutcome.PRINTED, 1))
    assert effects[1:] == (v.RequestGrant("o1"),)
    done, effects = step(replace(second, state=State.PRINTING), v.PrintDecided(CopyOutcome.FAILED, 0))
    assert effects[-1] == v.CaptureMoney("p", 200, (("o0", 200),))
    after, _ = step(done, v.MoneyCaptured(200, 200, 0, 0))
    assert (after.state, after.refusal) == (State.TAKE_PAPER, v.Refusal(TerminalCode.PRINT_FAILED))


def test_a_copy_that_was_not_begun_is_void() -> None:
    after, effects = step(printing(3), v.PrintDecided(CopyOutcome.PARTIAL, 1))
    assert v.VoidOrders(("o1", "o2")) in effects
    assert [order.outcome for order in after.orders] == ["partial", "void", "void"]


@pytest.mark.parametrize("answer", [v.SheetsAnswered(all_there=False), v.TimedOut()])
def test_an_unknown_paper_that_nobody_vouches_for_is_void_and_a_case(answer: v.Event) -> None:
    asked, _ = step(printing(), v.PrintDecided(CopyOutcome.UNKNOWN, None))
    after, effects = step(asked, answer)
    assert (after.state, after.case) == (State.RETURNING, True)
    assert kinds(effects) == ["VoidOrders", "OpenCase", "ReturnMoney"]


def test_an_unknown_paper_that_someone_vouches_for_is_charged_as_declared() -> None:
    asked, _ = step(printing(2), v.PrintDecided(CopyOutcome.UNKNOWN, None))
    after, effects = step(asked, v.SheetsAnswered(all_there=True))
    assert after.orders[0].outcome is CopyOutcome.DECLARED
    assert kinds(effects) == ["ReportPaper", "VoidOrders", "CaptureMoney"], "no second copy from a printer in doubt"
    assert effects[-1] == v.CaptureMoney("p", 200, (("o0", 200),))


def test_a_late_grant_is_discarded() -> None:
    granting = replace(printing(), state=State.GRANTING)
    after, effects = step(granting, v.TimedOut())
    assert kinds(effects) == ["AbandonGrant", "ReturnMoney"]
    assert step(after, v.Granted()) == (after, ())


@pytest.mark.parametrize("code", [TerminalCode.PAPER_MISMATCH, TerminalCode.GRANT_INVALID])
def test_a_paper_in_doubt_is_a_case_before_it_is_printed(code: TerminalCode) -> None:
    for state in (State.GRANTING, State.PRINTING):
        after, effects = step(replace(printing(), state=state), v.Failed(code))
        assert (after.state, after.case) == (State.RETURNING, True)
        assert v.OpenCase(code, "o0") in effects
    after, effects = step(Visit(State.PREPARING), v.Failed(code))
    assert (after.state, after.case) == (State.REFUSED, True)
    assert v.OpenCase(code) in effects


def test_money_that_is_in_doubt_is_never_moved_again() -> None:
    capturing, _ = step(printing(inserted_yen=500), v.PrintDecided(CopyOutcome.PRINTED, 1))
    after, effects = step(capturing, v.Failed(TerminalCode.MONEY_UNCERTAIN))
    assert after.money == Money("p", 200, inserted_yen=500, owed_yen=300, uncertain_yen=200)
    assert (after.state, after.case, kinds(effects)) == (State.TAKE_PAPER, True, ["OpenCase", "GiveReceipt"])


def test_a_device_whose_sum_is_short_owes_the_rest() -> None:
    returning = replace(printing(inserted_yen=300), state=State.RETURNING)
    after, effects = step(returning, v.MoneyReturned(200, 0, 200))
    assert after.money == Money("p", 200, inserted_yen=300, returned_yen=200, owed_yen=100)
    assert (after.case, kinds(effects)) == (True, ["OpenCase", "GiveReceipt"])


@pytest.mark.parametrize(
    ("outcomes", "code", "event", "case"),
    [
        ((CopyOutcome.PRINTED, CopyOutcome.FAILED), TerminalCode.PRINT_FAILED, v.TimedOut(), TerminalCode.PAPER_LEFT),
        ((CopyOutcome.PRINTED, CopyOutcome.VOID), TerminalCode.POWER_CUT, v.TimedOut(), TerminalCode.PAPER_LEFT),
        ((CopyOutcome.PRINTED, CopyOutcome.FAILED), TerminalCode.PRINT_FAILED, v.PaperTaken(), None),
        ((CopyOutcome.FAILED, CopyOutcome.VOID), TerminalCode.PRINT_FAILED, v.TimedOut(), None),
        ((CopyOutcome.PRINTED, CopyOutcome.VOID), TerminalCode.PAPER_BAD, v.TimedOut(), None),  # it stands open already
    ],
)
def test_paper_that_came_out_before_a_refusal_is_a_case_unless_somebody_takes_it(
    outcomes: tuple[CopyOutcome, ...], code: TerminalCode, event: v.Event, case: TerminalCode | None
) -> None:
    orders = tuple(Order(f"o{n}", sheets=1, outcome=outcome) for n, outcome in enumerate(outcomes))
    refused = Visit(State.REFUSED, visit_id="v", orders=orders, refusal=v.Refusal(code))
    _after, effects = step(refused, event)
    assert [e for e in effects if isinstance(e, v.OpenCase)] == ([v.OpenCase(case, "o0", visit_id="v")] if case else [])


def test_paper_that_nobody_takes_is_a_case() -> None:
    capturing, _ = step(printing(), v.PrintDecided(CopyOutcome.PRINTED, 1))
    after, effects = step(replace(capturing, state=State.TAKE_PAPER), v.TimedOut())
    assert effects[0] == v.OpenCase(TerminalCode.PAPER_LEFT, "o0", visit_id="v")
    assert after == Visit(State.CLOSED)


# After a cut

RECOVERING = Visit(State.RECOVERING)
FEES = (("o0", 200),)


def test_a_paper_that_lay_there_when_the_power_went_is_asked_for_again() -> None:
    """A visitor of the simulator walked away, the terminal was killed, and the next one found the paper."""
    there, effects = step(RECOVERING, unattended(CopyOutcome.PRINTED))
    assert (there.state, there.money and there.money.captured_yen) == (State.TAKE_PAPER, 200)
    assert kinds(effects) == ["GiveReceipt"]
    assert step(there, v.PaperTaken()) == (RECOVERING, (v.PinWipe(), v.ForgetVisit(), v.Recover()))
    _, effects = step(there, v.TimedOut())
    assert effects[0] == v.OpenCase(TerminalCode.PAPER_LEFT, "o0", visit_id="v")


def test_after_a_long_cut_a_touch_tells_nothing_of_the_paper() -> None:
    keeping, _ = step(RECOVERING, interrupted(CopyOutcome.PRINTED, inserted_yen=500, short=False))
    kept, _ = step(keeping, v.MoneyCaptured(200, 0, 0, 300))
    _, effects = step(kept, v.PaperTaken())
    assert (kept.state, effects[0]) == (State.REFUSED, v.OpenCase(TerminalCode.PAPER_LEFT, "o0", visit_id="v"))


@pytest.mark.parametrize(
    ("event", "state", "last"),
    [
        (interrupted(CopyOutcome.PRINTED), State.CAPTURING, v.CaptureMoney("p", 200, FEES)),
        (interrupted(CopyOutcome.PRINTED, short=False), State.CAPTURING, v.CaptureMoney("p", 200, FEES)),
        (interrupted(CopyOutcome.PRINTED, inserted_yen=500), State.AFTER_CUT, None),
        (interrupted(CopyOutcome.PRINTED, inserted_yen=500, short=False), State.KEEPING, v.KeepMoney("p", FEES)),
        (interrupted(CopyOutcome.FAILED), State.AFTER_CUT, None),
        (interrupted(CopyOutcome.FAILED, short=False), State.KEEPING, v.KeepMoney("p", ())),
        (interrupted(CopyOutcome.VOID, inserted_yen=0), State.RETURNING, v.ReturnMoney("p")),
        (interrupted(CopyOutcome.VOID, inserted_yen=0, short=False), State.RETURNING, v.ReturnMoney("p")),
        (interrupted(CopyOutcome.UNKNOWN), State.ASK_SHEETS, None),
        (interrupted(CopyOutcome.UNKNOWN, short=False), State.KEEPING, v.KeepMoney("p", ())),
    ],
)
def test_where_an_interrupted_visit_goes_on(event: v.Interrupted, state: State, last: v.Effect | None) -> None:
    after, effects = step(RECOVERING, event)
    assert (after.state, effects[-1] if effects else None) == (state, last)
    assert ("OpenCase" in kinds(effects)) == (event.orders[0].outcome is CopyOutcome.UNKNOWN and not event.short)


def test_money_comes_out_after_a_cut_only_if_somebody_says_so() -> None:
    asked, _ = step(RECOVERING, interrupted(CopyOutcome.FAILED))
    back, effects = step(asked, v.TakeBack())
    assert (back.state, effects) == (State.RETURNING, (v.ReturnMoney("p"),))
    kept, effects = step(asked, v.TimedOut())
    assert (kept.state, effects) == (State.KEEPING, (v.KeepMoney("p", ()),))
    said, _ = step(kept, v.MoneyCaptured(0, 0, 0, 200))
    assert (said.state, said.refusal) == (State.REFUSED, v.Refusal(TerminalCode.POWER_CUT))
    assert said.money == Money("p", 200, inserted_yen=200, owed_yen=200)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (v.SheetsAnswered(all_there=True), State.CAPTURING),
        (v.SheetsAnswered(all_there=False), State.RETURNING),
        (v.TimedOut(), State.KEEPING),
    ],
)
def test_a_paper_that_the_cut_left_unknown_is_asked_for(answer: v.Event, state: State) -> None:
    asked, _ = step(RECOVERING, interrupted(CopyOutcome.UNKNOWN))
    after, effects = step(asked, answer)
    assert after.state is state
    assert after.case == (state is not State.CAPTURING)
    assert ("OpenCase" in kinds(effects)) == after.case


def test_whoever_cannot_be_there_is_not_waited_for() -> None:
    capturing, _ = step(RECOVERING, interrupted(CopyOutcome.PRINTED, short=False))
    after, effects = step(capturing, v.MoneyCaptured(200, 0, 0, 0))
    assert (after, kinds(effects)) == (RECOVERING, ["OpenCase", "PinWipe", "ForgetVisit", "Recover"])
    returning, _ = step(RECOVERING, interrupted(CopyOutcome.VOID, inserted_yen=0))
    after, effects = step(returning, v.MoneyReturned(0, 0, 0))
    assert (after, kinds(effects)) == (RECOVERING, ["PinWipe", "ForgetVisit", "Recover"])


def test_nothing_begins_before_what_was_interrupted_is_ended() -> None:
    waiting, effects = step(RECOVERING, v.DevicesLost(("recovering DeviceGone",)))
    assert (waiting.state, waiting.reasons, effects) == (State.RECOVERING, ("recovering DeviceGone",), ())
    again, effects = step(waiting, v.TimedOut())
    assert (again, effects) == (RECOVERING, (v.Recover(),))
    assert step(again, v.TimedOut()) == (again, ()), "one look at a time"
    closed, effects = step(again, v.Recovered())
    assert (closed, kinds(effects)) == (Visit(State.CLOSED), ["PinWipe", "ForgetVisit", "CheckDevices"])
