"""Whatever happens to a visit, in whatever order: papers and money agree."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ErrorCode
from protocol.messages import PaymentMethod, RefundOffer
from terminal import visit as v
from terminal.flow import step
from terminal.flow_steps import UnexpectedEvent
from terminal.payment.emoney import WAITS, DebitState
from terminal.visit import CopyOutcome, Cut, Money, Receipt, State, TerminalCode, Visit
from tests.fakes import offer
from tests.test_flow import CHARGED, CHOICE, EVENTS, interrupted, prepared, unattended

ENDED = [state for state in DebitState if state not in WAITS]
YEN = st.integers(0, 30).map(lambda n: n * 50)
OUTCOMES = st.sampled_from(
    [CopyOutcome.PRINTED, CopyOutcome.PRINTED, CopyOutcome.PARTIAL, CopyOutcome.FAILED, CopyOutcome.UNKNOWN]
)
STRATEGIES: dict[type, st.SearchStrategy[v.Event]] = {
    v.PinDigit: st.builds(v.PinDigit, st.sampled_from("0123456789")),
    v.Choose: st.just(v.Choose(CHOICE)),
    v.SheetsAnswered: st.builds(v.SheetsAnswered, st.booleans()),
    v.CardReadDone: st.builds(v.CardReadDone, st.just("v"), st.just(b"c" * 32), st.sampled_from([None, 0, 1, 2, 3])),
    v.PinLengthChanged: st.builds(v.PinLengthChanged, st.sampled_from([0, 3, 4, 4, 4])),
    v.Authenticated: st.just(
        v.Authenticated("山● 太●", (offer(),), (), (RefundOffer(payment_id="p", amount_yen=300),))
    ),
    v.PinRefused: st.builds(v.PinRefused, st.integers(0, 2), wrong=st.booleans()),
    v.Pay: st.builds(v.Pay, st.sampled_from(PaymentMethod)),
    v.Prepared: st.integers(1, 3).map(
        lambda n: v.Prepared("p", tuple(prepared(f"o{i}") for i in range(n)), methods=tuple(PaymentMethod))
    ),
    v.CodeShown: st.just(v.CodeShown("https://pay.example/p")),
    v.DebitDecided: st.builds(v.DebitDecided, st.sampled_from(ENDED)),
    v.CollectionOpened: st.builds(v.CollectionOpened, st.booleans()),
    v.MoneyInserted: st.builds(v.MoneyInserted, YEN),
    v.MoneyHeld: st.builds(v.MoneyHeld, YEN),
    v.SheetsProgress: st.builds(v.SheetsProgress, st.integers(0, 3)),
    v.PrintDecided: st.builds(v.PrintDecided, OUTCOMES, st.sampled_from([None, 0, 1])),
    v.MoneyCaptured: st.builds(v.MoneyCaptured, YEN, YEN, YEN, YEN),
    v.MoneyReturned: st.builds(v.MoneyReturned, YEN, YEN, YEN),
    v.Failed: st.builds(v.Failed, st.sampled_from([*TerminalCode, ErrorCode.NO_REFUND])),
    v.CodeKey: st.builds(v.CodeKey, st.sampled_from("0AZ")),
    v.ReceiptGiven: st.builds(v.ReceiptGiven, st.sampled_from(["p", "q"]), st.sampled_from(Receipt)),
    v.TakeRefund: st.just(v.TakeRefund("p")),
    v.RefundClaimed: st.just(v.RefundClaimed("c", 300)),
    v.RefundPaid: st.just(v.RefundPaid(300)),
    v.Unattended: st.sampled_from([unattended(owed_yen=300), unattended(CopyOutcome.PRINTED)]),
    v.DevicesLost: st.just(v.DevicesLost(("x",))),
    v.Interrupted: st.lists(OUTCOMES, min_size=1, max_size=3).flatmap(
        lambda outcomes: st.one_of(
            st.builds(
                lambda rest_yen, short: interrupted(
                    *outcomes,
                    inserted_yen=rest_yen + 200 * sum(o is CopyOutcome.PRINTED for o in outcomes),
                    short=short,
                ),
                YEN,
                st.booleans(),
            ),
            st.builds(lambda short: debited_before(*outcomes, short=short), st.booleans()),
        )
    ),
}


def _events(event: type) -> st.SearchStrategy[v.Event]:
    return STRATEGIES[event] if event in STRATEGIES else st.just(event())


ANY_EVENT = st.one_of([_events(event) for event in EVENTS])
ONWARD = {
    State.RECOVERING: [v.Interrupted, v.Recovered],
    State.AFTER_CUT: [v.TakeBack, v.TimedOut],
    State.KEEPING: [v.MoneyCaptured],
    State.OUT_OF_SERVICE: [v.DevicesReady],
    State.IDLE: [v.CardInserted, v.AskRefund],
    State.REFUND_CODE: [v.CodeKey, v.CodeOk, v.Cancel],
    State.CLAIMING: [v.RefundClaimed, v.Failed],
    State.PAYING_OUT: [v.RefundPaid, v.Failed],
    State.PAID_OUT: [v.PaperTaken],
    State.READING: [v.CardReadDone],
    State.PIN: [v.PinLengthChanged, v.PinOk, v.ConfirmLastTry],
    State.AUTHENTICATING: [v.Authenticated],
    State.TAKE_CARD: [v.CardRemoved],
    State.CHOOSING: [v.Choose, v.TakeRefund],
    State.PREPARING: [v.Prepared],
    State.CONFIRMING: [v.Pay, v.Pay, v.AddDocument],
    State.COLLECTING: [v.CollectionOpened, v.MoneyInserted, v.OneByOne],
    State.RESERVED: [v.MoneyHeld],
    State.GRANTING: [v.Granted],
    State.SHOWING_CODE: [v.CodeShown, v.CodeAgreed],
    State.DEBITING: [v.DebitDecided],
    State.PRINTING: [v.PrintDecided],
    State.ASK_SHEETS: [v.SheetsAnswered],
    State.CAPTURING: [v.MoneyCaptured],
    State.RETURNING: [v.MoneyReturned],
    State.CANCELLING: [v.DebitDecided],
    State.TAKE_PAPER: [v.PaperTaken],
    State.REFUSED: [v.Cancel],
    State.CLOSED: [v.DevicesReady],
}


@dataclass
class Account:
    """What the effects of one visit asked for."""

    printed: list[str]
    debited: list[str] = field(default_factory=list)
    captures: int = 0
    returns: int = 0
    receipts: int = 0


def debited_before(*outcomes: CopyOutcome, short: bool) -> v.Interrupted:
    """A visit of the process before that a card paid for: the next order is debited once the one before is printed."""
    outcomes = (*(CopyOutcome.PRINTED for _ in outcomes[1:]), outcomes[-1])
    was = interrupted(*outcomes, short=short)
    money = Money("p", 200 * len(outcomes), method=PaymentMethod.EMONEY, inserted_yen=200 * len(outcomes))
    return replace(was, money=money, orders=tuple(replace(order, debited=True) for order in was.orders))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_happens_papers_and_money_agree(data: st.DataObject) -> None:
    visit, account = Visit(State.RECOVERING), Account([])
    for _ in range(data.draw(st.integers(5, 60))):
        onward = st.one_of([_events(event) for event in ONWARD[visit.state]])
        event = data.draw(st.one_of(onward, onward, onward, ANY_EVENT))
        try:
            after, effects = step(visit, event)
        except UnexpectedEvent:
            continue
        if isinstance(event, v.Interrupted):
            account = Account([o.order_id for o in event.orders], [o.order_id for o in event.orders if o.debited])
        _check_step(visit, after, effects, account)
        if after.state in {State.IDLE, State.READING, State.CLOSED, State.RECOVERING}:
            account = Account([])
        visit = after


def _check_step(before: Visit, after: Visit, effects: tuple[v.Effect, ...], account: Account) -> None:
    for effect in effects:
        _check_paper(after, effect, account)
        _check_debit(before, after, effect, account)
        _check_money(after, effect, account)
        _check_receipt(after, effect, account)
    assert account.captures + account.returns <= 1, "money is moved once"
    money = after.money
    if money is not None and after.state in {State.TAKE_PAPER, State.REFUSED}:
        out_yen = money.captured_yen + money.change_yen + money.returned_yen + money.owed_yen + money.uncertain_yen
        assert out_yen == money.inserted_yen
        assert not any(order.outcome is CopyOutcome.WAITING for order in after.orders)
    if after.state in {State.IDLE, State.CLOSED, State.OUT_OF_SERVICE, State.RECOVERING}:
        assert (after.masked_name, after.offers, after.orders, after.money, after.visit_id) == ("", (), (), None, "")
        assert (after.refund, after.refunds, after.claim_code) == (None, (), "")
    if before.state is not after.state and after.state is State.CLOSED:
        assert any(isinstance(effect, v.ForgetVisit) for effect in effects)


def _check_paper(after: Visit, effect: v.Effect, account: Account) -> None:
    if not isinstance(effect, v.Print):
        return
    assert after.state is State.PRINTING
    assert effect.order_id not in account.printed, "an order is printed once"
    account.printed.append(effect.order_id)
    by_card = after.money is not None and after.money.method is PaymentMethod.EMONEY
    assert not by_card or after.orders[after.current].debited, "no paper before the debit"
    by_code = after.money is not None and after.money.method is PaymentMethod.QR
    assert not by_code or after.money.inserted_yen == after.money.due_yen, "no paper before somebody has agreed"


def _check_debit(before: Visit, after: Visit, effect: v.Effect, account: Account) -> None:
    match effect:
        case v.DebitCard():
            assert effect.order_id not in account.debited, "an order is debited once"
            order = after.orders[after.current]
            assert (effect.order_id, effect.amount_yen) == (order.order_id, order.fee_yen)
            account.debited.append(effect.order_id)
        case v.CancelDebit():
            order = next(order for order in after.orders if order.order_id == effect.order_id)
            assert order.debited
            assert order.outcome not in CHARGED, "what a paper came out for is not given back"
        case v.CloseDebits():
            account.captures += 1
            orders = after.orders or before.orders
            paid = {order.order_id: order.fee_yen for order in orders if order.outcome in CHARGED}
            assert not orders or dict(effect.lines) == paid  # an interrupted visit can be over at once


def _check_receipt(after: Visit, effect: v.Effect, account: Account) -> None:
    if not isinstance(effect, v.GiveReceipt):
        return
    account.receipts += 1
    assert account.receipts == 1, "one receipt a payment"
    assert after.state in {State.TAKE_PAPER, State.REFUSED}, "once the payment is over"
    assert after.cut is not Cut.LONG, "nobody is there to take it"
    assert effect.payment_id == after.payment_id


def _check_money(after: Visit, effect: v.Effect, account: Account) -> None:
    match effect:
        case v.CaptureMoney():
            account.captures += 1
            paid = {o.order_id: o.fee_yen for o in after.orders if o.outcome in CHARGED}
            assert dict(effect.lines) == paid
            assert effect.capture_yen == sum(paid.values())
            assert set(paid) <= set(account.printed)
            assert after.money is not None
            assert after.cut is None or effect.capture_yen == after.money.inserted_yen, "no change for nobody"
        case v.KeepMoney():
            account.captures += 1
            assert dict(effect.lines) == {o.order_id: o.fee_yen for o in after.orders if o.outcome in CHARGED}
        case v.ReturnMoney():
            account.returns += 1
            assert not any(order.outcome in CHARGED for order in after.orders)
            assert after.money is not None
            assert after.cut is None or after.money.inserted_yen == 0, "no money for nobody"
