"""Several documents with one payment: each joins or does not, one is printed at a time, and each pays for itself."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from printing.press.verdict import Outcome, Verdict
from protocol.errors import ErrorCode
from protocol.messages import EventKind
from terminal import visit as v
from terminal.client import NetworkDown, Paper, ServerRefused
from terminal.flow import step
from terminal.flow_basket import ORDERS_MAX
from terminal.screens.view import view
from terminal.screens.words import Lang
from terminal.visit import CopyOutcome, Money, Order, State, TerminalCode, Visit
from tests.sample_visits import VISITS
from tests.terminal_rig import CHOICE, Rig, unfinished
from tests.test_flow import prepared

TAX = replace(CHOICE, kind="taxation")
CONFIRMING = Visit(
    State.CONFIRMING, visit_id="v", payment_id="p", orders=(Order("o0", prepared("o0"), 1),), choice=CHOICE
)
ADDING = replace(CONFIRMING, state=State.CHOOSING, choice=None)


# The table


def test_one_document_more_joins_the_payment_and_what_is_prepared() -> None:
    choosing, effects = step(CONFIRMING, v.AddDocument())
    assert (choosing, effects) == (ADDING, ())
    preparing, effects = step(choosing, v.Choose(TAX))
    assert effects == (v.PrepareOrders(TAX, "p"),)
    both, _ = step(preparing, v.Prepared("p", (prepared("o1", 300),)))
    assert [order.order_id for order in both.orders] == ["o0", "o1"]
    _, effects = step(both, v.Pay())
    assert effects == (v.CollectMoney("p", 500, orders=2),)


def test_whoever_adds_nothing_is_back_where_they_were() -> None:
    assert step(ADDING, v.AddNothing()) == (replace(CONFIRMING, choice=None), ())
    empty = Visit(State.CHOOSING)
    assert step(empty, v.AddNothing()) == (empty, ())


@pytest.mark.parametrize(
    "choice", [replace(TAX, municipality_code="999999"), replace(TAX, copies=ORDERS_MAX)], ids=["other place", "many"]
)
def test_what_cannot_be_paid_together_does_not_join(choice: v.Choice) -> None:
    assert step(ADDING, v.Choose(choice)) == (ADDING, ())


def test_a_full_visit_takes_no_document_more() -> None:
    full = replace(CONFIRMING, orders=tuple(Order(f"o{n}", prepared(f"o{n}"), 1) for n in range(ORDERS_MAX)))
    assert step(full, v.AddDocument()) == (full, ())
    assert "add" not in view(full, Lang.JA)["actions"]


@pytest.mark.parametrize(
    ("code", "stays"),
    [
        (ErrorCode.NOT_ISSUABLE_HERE, True),
        (TerminalCode.NETWORK_DOWN, True),
        (ErrorCode.SESSION_EXPIRED, False),
        (TerminalCode.PAPER_MISMATCH, False),
    ],
)
def test_a_document_that_is_refused_leaves_the_first_as_it_was(code: str, stays: bool) -> None:
    preparing = replace(ADDING, state=State.PREPARING, choice=TAX)
    after, effects = step(preparing, v.Failed(code))
    assert (after.state, v.VoidOrders(("o0",)) in effects) == (
        (State.CONFIRMING, False) if stays else (State.REFUSED, True)
    )
    if stays:
        assert (after.orders, after.not_added) == (CONFIRMING.orders, v.Refusal(code))
        assert view(after, Lang.JA)["confirm"]["not_added"]["code"] == code
        paying, _ = step(after, v.Pay())
        assert (paying.state, paying.not_added) == (State.COLLECTING, None)


@pytest.mark.parametrize("touch", [v.Cancel(), v.NotMe(), v.TimedOut()])
def test_whoever_stops_while_adding_gives_up_what_was_prepared(touch: v.Event) -> None:
    after, effects = step(ADDING, touch)
    assert (after.state, v.VoidOrders(("o0",)) in effects) == (State.REFUSED, True)


def test_without_change_for_the_whole_sum_the_first_is_paid_alone() -> None:
    orders = tuple(Order(f"o{n}", prepared(f"o{n}"), 1) for n in range(3))
    collecting = replace(CONFIRMING, state=State.COLLECTING, orders=orders, money=Money("p", 600))
    after, effects = step(collecting, v.OneByOne())
    assert effects == (v.VoidOrders(("o1", "o2")), v.CollectMoney("p", 200))
    assert (after.orders, after.left_out, after.money) == (orders[:1], 2, Money("p", 200))
    assert "残りの2通" in view(after, Lang.JA)["one_by_one"]


def test_only_the_same_municipalitys_documents_are_offered_with_what_is_prepared() -> None:
    more = VISITS["choosing_more"]
    shown = view(more, Lang.JA)["choices"]
    codes = {offer["municipality_code"] for column in shown["columns"] for group in column for offer in group["offers"]}
    first = more.orders[0].prepared
    assert first is not None
    assert (codes, shown["municipalities"], shown["back"]) == ({first.municipality_code}, [], False)


def test_copies_of_one_document_are_one_line_of_the_list() -> None:
    listed = view(VISITS["confirming_several"], Lang.JA)["confirm"]["documents"]
    assert [(line["kind"], line["copies"], line["fee"]) for line in listed] == [
        ("residence", "2通", "600円"),
        ("taxation", "1通", "200円"),
    ]


# With fakes and a journal


def both(rig: Rig) -> Visit:
    """Have two documents prepared."""
    rig.to_confirming()
    rig.runner.post(v.AddDocument())
    rig.until(State.CHOOSING)
    rig.runner.post(v.Choose(TAX))
    return rig.until(State.CONFIRMING, State.REFUSED)


def paid(rig: Rig, *coins_yen: int) -> Visit:
    rig.runner.post(v.Pay())
    rig.until(State.COLLECTING)
    rig.pay(*coins_yen)
    return rig.until(State.TAKE_PAPER, State.REFUSED)


def test_two_documents_are_paid_once_and_printed_one_after_the_other(rig: Rig) -> None:
    assert len(both(rig).orders) == 2
    visit = paid(rig, 500)
    assert visit.money == Money(visit.payment_id, 400, inserted_yen=500, captured_yen=400, change_yen=100)
    assert [order_id for order_id, _ in rig.press.papers] == [order.order_id for order in visit.orders]
    assert [(ask.payment_id, ask.reserved_yen, ask.allocated_yen) for ask in rig.server.grant_requests] == [
        (visit.payment_id, 500, 200)
    ] * 2
    rig.end()
    printed, captured = EventKind.PRINTED, EventKind.CAPTURED
    assert rig.sent() == [printed, printed, captured, captured, EventKind.PAYMENT_CLOSED]
    assert unfinished(rig.rows()) == []


@pytest.mark.parametrize("fault", ["prepare", "grant", "failed", "partial", "unknown"])
def test_of_two_documents_the_second_fails_and_the_first_stays_paid(rig: Rig, fault: str) -> None:
    said = {"failed": Outcome.FAILED, "partial": Outcome.PARTIAL, "unknown": Outcome.UNKNOWN}
    if fault in said:
        rig.press.verdicts = [Verdict(Outcome.PRINTED, 1, "cue"), Verdict(said[fault], None, "cue")]
    if fault == "prepare":
        rig.to_confirming()
        rig.server.cues.fail("prepare", ServerRefused(ErrorCode.NOT_ISSUABLE_HERE, "", retryable=False))
        rig.runner.post(v.AddDocument())
        rig.until(State.CHOOSING)
        rig.runner.post(v.Choose(TAX))
        visit = rig.wait(lambda visit: visit.not_added is not None)
        assert (visit.state, len(visit.orders)) == (State.CONFIRMING, 1)
    else:
        both(rig)
    if fault == "grant":
        grants = iter((None, NetworkDown("cue")))

        def before() -> None:
            if (error := next(grants)) is not None:
                raise error

        rig.server.before_grant = before
    rig.runner.post(v.Pay())
    rig.until(State.COLLECTING)
    rig.pay(500)
    if fault == "unknown":
        rig.until(State.ASK_SHEETS)
        rig.runner.post(v.SheetsAnswered(all_there=False))
    visit = rig.until(State.TAKE_PAPER)
    assert (rig.coins.cashbox_yen, rig.coins.change_yen, rig.coins.tray_yen) == (500, 300, 0)
    assert [order_id for order_id, _ in rig.press.papers] == [visit.orders[0].order_id]
    assert visit.orders[0].outcome is CopyOutcome.PRINTED
    rig.end()
    told = rig.sent()
    assert (told.count(EventKind.PRINTED), told.count(EventKind.CAPTURED)) == (1, 1)
    closed = rig.server.events[-1]
    assert (closed.kind, closed.cashbox_yen, closed.change_yen) == (EventKind.PAYMENT_CLOSED, 500, 300)


def test_without_change_the_first_is_paid_alone_and_the_other_is_void(rig: Rig) -> None:
    rig.coins.has_change = False
    second = both(rig).orders[1].order_id
    visit = paid(rig, 100, 100)
    assert (visit.state, visit.left_out, len(visit.orders)) == (State.TAKE_PAPER, 1, 1)
    assert (rig.coins.cashbox_yen, rig.coins.exact_only) == (200, True)
    rig.end()
    assert rig.sent()[0] is EventKind.ORDER_VOIDED
    assert rig.server.events[0].order_id == second
    assert unfinished(rig.rows()) == []


def test_the_second_document_is_checked_as_the_first(rig: Rig) -> None:
    """Another kind than was chosen is nobody's paper: nothing of the visit is printed or paid."""
    rig.to_confirming()

    def other(paper: Paper) -> Paper:
        return replace(paper, prepared=msgspec.structs.replace(paper.prepared, kind="residence"))

    rig.server.swap = other
    rig.runner.post(v.AddDocument())
    rig.until(State.CHOOSING)
    rig.runner.post(v.Choose(TAX))
    assert rig.until(State.REFUSED).refusal == v.Refusal(TerminalCode.PAPER_MISMATCH)
    assert rig.coins.inserted_yen == 0
