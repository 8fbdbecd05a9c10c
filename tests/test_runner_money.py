"""The runner with stateful fakes: what happens to money and paper when the coin unit or the press fails on cue."""

from __future__ import annotations

import pytest

from printing.press.verdict import Outcome, Verdict
from protocol.messages import EventKind
from terminal import visit as v
from terminal.journal import Act, Intent, Result, RowKind
from terminal.payment.device import DeviceGone, MoneyOutcomeUnknown
from terminal.visit import CopyOutcome, State, TerminalCode
from terminal.workers import WorkerDied, WorkerHung
from tests.fakes import FEE_YEN, PRINTER_LOST, QUEUE_STOPPED
from tests.terminal_rig import Rig, unfinished

# Money


def test_too_little_money_and_cancel_gives_it_back(rig: Rig) -> None:
    rig.to_collecting()
    rig.pay(50)
    rig.wait(lambda visit: visit.money is not None and visit.money.inserted_yen == 50)
    rig.runner.post(v.Cancel())
    visit = rig.until(State.REFUSED)
    assert visit.refusal == v.Refusal(TerminalCode.CANCELLED)
    assert visit.money == v.Money(visit.payment_id, 200, inserted_yen=50, returned_yen=50)
    assert (rig.coins.returned_yen, rig.coins.cashbox_yen) == (50, 0)
    assert rig.end().state is State.IDLE
    assert rig.sent() == [EventKind.ORDER_VOIDED, EventKind.PAYMENT_CLOSED]
    assert rig.server.granted == []


def test_a_coin_that_falls_in_together_with_the_cancel_goes_back_and_is_no_case(rig: Rig) -> None:
    rig.to_collecting()
    rig.pay(50)
    rig.wait(lambda visit: visit.money is not None and visit.money.inserted_yen == 50)
    rig.coins.tell = lambda _: None  # the unit's word on this coin is late
    rig.coins.insert(100)
    rig.runner.post(v.Cancel())
    visit = rig.until(State.REFUSED)
    assert (visit.money, visit.case) == (
        v.Money(visit.payment_id, 200, inserted_yen=150, returned_yen=150),
        False,
    )
    assert rig.end().state is State.IDLE


def test_a_paper_free_of_charge_touches_no_money(rig: Rig) -> None:
    rig.server.fee_yen = 0
    rig.to_confirming()
    rig.runner.post(v.Pay())
    visit = rig.until(State.TAKE_PAPER)
    assert visit.money == v.Money(visit.payment_id, 0)
    assert rig.coins.moved == {}
    assert rig.end().state is State.IDLE
    assert rig.sent() == [EventKind.PRINTED, EventKind.CAPTURED, EventKind.PAYMENT_CLOSED]


def test_change_is_given(rig: Rig) -> None:
    rig.to_collecting()
    rig.pay(500)
    visit = rig.until(State.TAKE_PAPER)
    assert visit.money == v.Money(visit.payment_id, 200, inserted_yen=500, captured_yen=200, change_yen=300)
    rig.sent()
    closed = rig.server.events[-1]
    assert (closed.inserted_yen, closed.cashbox_yen, closed.change_yen, closed.returned_yen) == (500, 500, 300, 0)


def test_change_that_does_not_come_out_is_owed(rig: Rig) -> None:
    rig.coins.stuck_yen = 100
    rig.to_collecting()
    rig.pay(500)
    visit = rig.until(State.TAKE_PAPER)
    assert visit.money is not None
    assert (visit.money.change_yen, visit.money.owed_yen) == (200, 100)
    assert rig.sent()[-2:] == [EventKind.RETURN_DUE, EventKind.PAYMENT_CLOSED], "the counts are held against all before"
    assert rig.server.events[-2].amount_yen == 100


def test_without_change_the_exact_sum_is_asked_for(rig: Rig) -> None:
    rig.coins.has_change = False
    rig.to_collecting()
    visit = rig.wait(lambda visit: visit.money is not None and visit.money.exact_only)
    assert visit.state is State.COLLECTING
    assert rig.coins.exact_only
    rig.pay(100, 100)
    rig.until(State.TAKE_PAPER)


def test_a_unit_that_does_not_open_takes_no_money_and_leaves_no_unfinished_act(rig: Rig) -> None:
    for _ in range(2):
        rig.coins.cues.fail("start", DeviceGone("cue"))
    rig.to_confirming()
    rig.runner.post(v.Pay())
    assert rig.until(State.REFUSED).refusal == v.Refusal(TerminalCode.PAYMENT_FAILED)
    assert rig.end().state is State.IDLE
    assert unfinished(rig.rows()) == []


@pytest.mark.parametrize("error", [WorkerDied("payment", "start"), WorkerHung("payment", "start"), DeviceGone("cue")])
def test_a_unit_that_opened_without_saying_so_is_asked_again_and_takes_the_fee(rig: Rig, error: Exception) -> None:
    rig.coins.cues.fail("start answer", error)
    rig.to_collecting()
    rig.pay(100, 100)
    rig.until(State.TAKE_PAPER)
    assert (rig.coins.cashbox_yen, rig.coins.tray_yen) == (200, 0)


def test_a_unit_that_may_stand_open_is_asked_until_it_answers(rig: Rig) -> None:
    for _ in range(2):
        rig.coins.cues.fail("start answer", DeviceGone("cue"))
    rig.to_confirming()
    rig.runner.post(v.Pay())
    assert rig.until(State.REFUSED).refusal == v.Refusal(TerminalCode.PAYMENT_FAILED)
    assert rig.end().state is State.IDLE
    assert (rig.coins.tray_yen, unfinished(rig.rows())) == (0, [])
    assert [row for row in rig.rows() if row.kind is RowKind.CASE] == [], "it held nothing, and says so"


def test_money_that_was_counted_uncertainly_goes_back_all_the_same(rig: Rig) -> None:
    """Nothing can be captured of it; what lies there as it came was somebody's who stands here."""
    rig.to_collecting()
    rig.coins.uncertain = True
    rig.pay(500)
    visit = rig.until(State.REFUSED)
    assert (visit.refusal, visit.case) == (v.Refusal(TerminalCode.PAYMENT_FAILED), False)
    assert (rig.coins.returned_yen, rig.coins.tray_yen) == (500, 0)
    assert rig.end().state is State.IDLE
    assert unfinished(rig.rows()) == []


def test_money_that_cannot_even_be_counted_for_the_return_is_owed_and_told(rig: Rig) -> None:
    rig.to_collecting()
    rig.pay(50)
    rig.wait(lambda visit: visit.money is not None and visit.money.inserted_yen == 50)
    for _ in range(2):
        rig.coins.cues.fail("hold", DeviceGone("cue"))
    rig.runner.post(v.Cancel())
    visit = rig.until(State.REFUSED)
    assert visit.money is not None
    assert (visit.money.owed_yen, visit.case) == (50, True)
    assert rig.sent() == [EventKind.ORDER_VOIDED, EventKind.RETURN_DUE]
    assert rig.server.events[-1].amount_yen == 50


def test_a_fee_that_cannot_be_taken_because_the_unit_is_gone_is_told(rig: Rig) -> None:
    rig.press.may_decide.clear()
    rig.to_collecting()
    rig.pay(500)
    rig.until(State.PRINTING)
    for _ in range(2):
        rig.coins.cues.fail("counters", DeviceGone("cue"))
    rig.press.may_decide.set()
    visit = rig.until(State.TAKE_PAPER)
    assert visit.money == v.Money(visit.payment_id, 200, inserted_yen=500, uncertain_yen=200, owed_yen=300)
    assert rig.sent() == [EventKind.PRINTED, EventKind.CAPTURE_FAILED, EventKind.RETURN_DUE]


@pytest.mark.parametrize("method", ["counters", "hold"])
def test_one_lost_answer_of_what_moves_nothing_gives_nothing_up(rig: Rig, method: str) -> None:
    rig.to_collecting()
    rig.wait(lambda _: rig.coins.open)
    rig.coins.cues.fail(method, DeviceGone("cue"))
    rig.pay(500)
    visit = rig.until(State.TAKE_PAPER)
    assert (visit.case, rig.coins.cues.left()) == (False, [])
    assert (rig.coins.cashbox_yen, rig.coins.change_yen) == (500, 300)


def test_a_capture_whose_answer_is_lost_is_asked_for_and_not_repeated(rig: Rig) -> None:
    rig.coins.cues.fail("capture answer", MoneyOutcomeUnknown("cue"))
    rig.to_collecting()
    rig.pay(500)
    visit = rig.until(State.TAKE_PAPER)
    assert (visit.case, visit.money) == (
        False,
        v.Money(visit.payment_id, 200, inserted_yen=500, captured_yen=200, change_yen=300),
    )
    assert rig.coins.events == 1


@pytest.mark.parametrize(("method", "rows"), [("capture", ["not begun", "captured"]), ("capture answer", ["captured"])])
def test_a_capture_is_ordered_again_only_if_the_unit_never_heard_of_it(rig: Rig, method: str, rows: list[str]) -> None:
    rig.coins.cues.fail(method, WorkerDied("payment", "capture"))
    rig.to_collecting()
    rig.pay(500)
    visit = rig.until(State.TAKE_PAPER)
    assert (visit.case, visit.money) == (
        False,
        v.Money(visit.payment_id, 200, inserted_yen=500, captured_yen=200, change_yen=300),
    )
    assert rig.coins.events == 1
    intents = [row.row for row in rig.rows() if isinstance(row.body, Intent) and row.body.act is Act.CAPTURE]
    assert [r.body.outcome for r in rig.rows() if isinstance(r.body, Result) and r.of_row in intents] == rows


def test_a_worker_that_dies_under_every_order_leaves_a_doubt(rig: Rig) -> None:
    for _ in range(2):
        rig.coins.cues.fail("capture", WorkerDied("payment", "capture"))
    rig.to_collecting()
    rig.pay(500)
    visit = rig.until(State.TAKE_PAPER)
    assert visit.money == v.Money(visit.payment_id, 200, inserted_yen=500, uncertain_yen=200, owed_yen=300)
    assert visit.case


def test_a_capture_that_nobody_knows_of_is_a_case_and_uncollected(rig: Rig) -> None:
    rig.coins.cues.fail("capture", MoneyOutcomeUnknown("cue"))
    rig.to_collecting()
    rig.pay(500)
    visit = rig.until(State.TAKE_PAPER)
    assert visit.money == v.Money(visit.payment_id, 200, inserted_yen=500, uncertain_yen=200, owed_yen=300)
    assert rig.end().state is State.OUT_OF_SERVICE
    assert rig.sent() == [EventKind.PRINTED, EventKind.CAPTURE_FAILED, EventKind.RETURN_DUE]
    assert rig.coins.tray_yen == 500, "never moved again on doubt"
    assert set(rig.runner.current()[1].reasons) == {"case MONEY_UNCERTAIN", "money-held"}


# Paper


@pytest.mark.parametrize(
    ("outcome", "code", "told"),
    [
        (Outcome.FAILED, TerminalCode.PRINT_FAILED, EventKind.FAILED),
        (Outcome.PARTIAL, TerminalCode.PRINT_PARTIAL, EventKind.PARTIAL),
    ],
)
def test_without_paper_the_money_goes_back(rig: Rig, outcome: Outcome, code: str, told: EventKind) -> None:
    rig.press.verdicts = [Verdict(outcome, 0, "cue")]
    rig.to_collecting()
    rig.pay(100, 100)
    visit = rig.until(State.REFUSED)
    assert visit.refusal == v.Refusal(code)
    assert (rig.coins.returned_yen, rig.coins.cashbox_yen) == (200, 0)
    assert rig.press.cancelled == [visit.orders[0].order_id], "a printer that recovers must not print on"
    stays_closed = outcome is Outcome.PARTIAL
    assert rig.end().state is (State.OUT_OF_SERVICE if stays_closed else State.IDLE)
    assert rig.sent() == [told, EventKind.PAYMENT_CLOSED]


@pytest.mark.parametrize("all_there", [True, False])
def test_an_unknown_paper_is_asked_for_and_never_printed_again(rig: Rig, all_there: bool) -> None:
    rig.press.verdicts = [Verdict(Outcome.UNKNOWN, None, "cue")]
    rig.to_collecting()
    rig.pay(100, 100)
    rig.until(State.ASK_SHEETS)
    rig.runner.post(v.SheetsAnswered(all_there=all_there))
    visit = rig.until(State.TAKE_PAPER, State.REFUSED)
    assert len(rig.press.printed_digests) == 1
    if all_there:
        assert visit.orders[0].outcome is CopyOutcome.DECLARED
        assert rig.end().state is State.IDLE
        expected = [EventKind.UNKNOWN, EventKind.PRINTED, EventKind.CAPTURED, EventKind.PAYMENT_CLOSED]
    else:
        assert (visit.case, rig.coins.returned_yen) == (True, 200)
        assert rig.end().reasons == ("case PRINT_UNKNOWN",)
        expected = [EventKind.UNKNOWN, EventKind.ORDER_VOIDED, EventKind.PAYMENT_CLOSED]
    assert rig.sent() == expected


@pytest.mark.parametrize(
    "errors", [[WorkerDied("press", "verdict")] * 2, [WorkerHung("press", "verdict")], [PRINTER_LOST]]
)
def test_a_verdict_that_never_comes_is_unknown(rig: Rig, errors: list[Exception]) -> None:
    for error in errors:
        rig.press.cues.fail("verdict", error)
    rig.to_collecting()
    rig.pay(100, 100)
    assert rig.until(State.ASK_SHEETS).orders[0].outcome is CopyOutcome.UNKNOWN


def test_a_worker_that_dies_over_the_verdict_is_replaced_and_the_printer_asked_again(rig: Rig) -> None:
    rig.press.cues.fail("verdict", WorkerDied("press", "verdict"))
    rig.to_collecting()
    rig.pay(100, 100)
    assert rig.until(State.TAKE_PAPER).orders[0].outcome is CopyOutcome.PRINTED
    assert len(rig.press.printed_digests) == 1, "asked again, never printed again"


def test_a_release_without_an_answer_is_the_printers_to_tell(rig: Rig) -> None:
    rig.press.cues.fail("release answer", WorkerHung("press", "release"))
    rig.to_collecting()
    rig.pay(100, 100)
    assert rig.until(State.TAKE_PAPER).orders[0].outcome is CopyOutcome.PRINTED


@pytest.mark.parametrize(("method", "error"), [("release", QUEUE_STOPPED), ("submit", QUEUE_STOPPED)])
def test_a_job_that_was_not_released_has_failed_for_certain(rig: Rig, method: str, error: Exception) -> None:
    rig.press.cues.fail(method, error)
    rig.to_collecting()
    rig.pay(100, 100)
    visit = rig.until(State.REFUSED)
    assert (visit.refusal, visit.case) == (v.Refusal(TerminalCode.PRINT_FAILED), False)
    assert rig.coins.returned_yen == 200
    assert rig.end().state is State.IDLE
    assert rig.sent() == [EventKind.FAILED, EventKind.PAYMENT_CLOSED]


def test_of_two_copies_the_second_fails_and_only_the_first_is_paid(rig: Rig) -> None:
    rig.press.verdicts = [Verdict(Outcome.PRINTED, 1, "cue"), Verdict(Outcome.FAILED, 0, "cue")]
    rig.to_collecting(copies=2)
    rig.pay(100, 100, 100, 100)
    visit = rig.until(State.TAKE_PAPER)
    assert [order.outcome for order in visit.orders] == [CopyOutcome.PRINTED, CopyOutcome.FAILED]
    assert visit.money == v.Money(visit.payment_id, 400, inserted_yen=400, captured_yen=200, change_yen=200)
    assert visit.refusal == v.Refusal(TerminalCode.PRINT_FAILED)
    assert [order_id for order_id, _ in rig.press.papers] == [visit.orders[0].order_id]
    assert [(r.reserved_yen, r.allocated_yen) for r in rig.server.grant_requests] == [(400, FEE_YEN)] * 2
    rig.end()
    assert rig.sent() == [EventKind.PRINTED, EventKind.FAILED, EventKind.CAPTURED, EventKind.PAYMENT_CLOSED]


def test_paper_in_the_spool_keeps_the_terminal_closed(rig: Rig) -> None:
    rig.to_collecting()
    rig.pay(100, 100)
    rig.until(State.TAKE_PAPER)
    rig.press.left_over = ("d00001-001",)
    assert rig.end().state is State.OUT_OF_SERVICE
    rig.wait(lambda visit: "spool-not-empty" in visit.reasons)
