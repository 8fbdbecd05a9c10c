"""When a receipt is given, what stands on it, and that nothing about paper or money waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from printing.press.slip import Slip, SlipOutcome
from protocol.messages import PaymentMethod
from terminal import visit as v
from terminal.flow import step
from terminal.journal import Act, Intent, Journal, Result, RowKind
from terminal.screens.receipt import slip
from terminal.screens.view import view
from terminal.screens.words import Lang
from terminal.visit import CopyOutcome, Cut, Money, Receipt, State, Visit
from terminal.workers import WorkerDied, WorkerHung
from tests.crash_parts import Cut as PowerCut
from tests.crash_parts import Killed, Process, Script, Store, visit_until
from tests.receipt_parts import written_on
from tests.sample_visits import CLAIM_CODE, PREPARED_TAX, VISITS, order
from tests.test_flow import kinds, printing, unattended

AT_UTC = datetime(2026, 11, 30, 18, 5, tzinfo=UTC)
TAKEN = v.MoneyCaptured(captured_yen=200, change_yen=0, returned_yen=0, owed_yen=0)


def said_by(visit: Visit) -> dict[str, str]:
    return written_on(slip(visit, "store-1-a", AT_UTC))


# When


def captured(cut: Cut | None = None) -> tuple[Visit, tuple[v.Effect, ...]]:
    visit, _ = step(printing(), v.PrintDecided(CopyOutcome.PRINTED, 1))
    return step(replace(visit, cut=cut), TAKEN)


def test_a_paid_visit_ends_with_a_receipt() -> None:
    visit, effects = captured()
    assert (visit.state, visit.receipt) == (State.TAKE_PAPER, Receipt.COMING)
    assert effects[-1] == v.GiveReceipt("p")


def test_it_is_given_once_whatever_comes_after() -> None:
    visit, _ = captured()
    visit, effects = step(visit, v.PaperBad())
    assert visit.state is State.REFUSED
    assert "GiveReceipt" not in kinds(effects)


@pytest.mark.parametrize("cut", [None, Cut.SHORT])
def test_somebody_may_be_there(cut: Cut | None) -> None:
    assert "GiveReceipt" in kinds(captured(cut)[1])


def test_nobody_is_there_after_a_long_cut() -> None:
    assert "GiveReceipt" not in kinds(captured(Cut.LONG)[1])


def test_money_that_went_back_whole_needs_none() -> None:
    visit, _ = step(printing(), v.PrintDecided(CopyOutcome.FAILED, 0))
    visit, effects = step(visit, v.MoneyReturned(returned_yen=200, owed_yen=0, held_yen=200))
    assert (visit.state, kinds(effects)) == (State.REFUSED, [])
    visit, _ = step(printing(), v.PrintDecided(CopyOutcome.FAILED, 0))
    visit, effects = step(visit, v.MoneyReturned(returned_yen=0, owed_yen=200, held_yen=200))
    assert (visit.state, kinds(effects)) == (State.REFUSED, ["GiveReceipt"])


@pytest.mark.parametrize(("event", "given"), [(v.Cancel(), ["GiveReceipt"]), (v.TimedOut(), [])])
def test_a_code_is_not_printed_for_somebody_who_has_gone(event: v.Event, given: list[str]) -> None:
    """Coins are in, and stick in the return: whoever asked for them is there, whoever let the time run out is not."""
    collecting = replace(printing(inserted_yen=100), state=State.COLLECTING)
    assert collecting.money is not None
    returning, _ = step(replace(collecting, money=replace(collecting.money, accepting=True)), event)
    assert returning.state is State.RETURNING
    stuck, effects = step(returning, v.MoneyReturned(returned_yen=0, owed_yen=100, held_yen=100))
    assert (stuck.state, kinds(effects)) == (State.REFUSED, given)


def test_nobody_says_whether_the_sheets_are_there() -> None:
    asked, _ = step(printing(), v.PrintDecided(CopyOutcome.UNKNOWN, None))
    returning, _ = step(asked, v.TimedOut())
    _, effects = step(returning, v.MoneyReturned(returned_yen=0, owed_yen=200, held_yen=200))
    assert "GiveReceipt" not in kinds(effects)


def test_a_visit_that_stands_again_gives_none_if_one_was_begun() -> None:
    lying = unattended(CopyOutcome.PRINTED)
    visit, effects = step(Visit(State.RECOVERING), lying)
    assert (visit.state, kinds(effects)) == (State.TAKE_PAPER, ["GiveReceipt"])
    visit, effects = step(Visit(State.RECOVERING), replace(lying, receipt=Receipt.NOT_PRINTED))
    assert (visit.receipt, kinds(effects)) == (Receipt.NOT_PRINTED, [])


def test_the_answer_of_a_visit_before_says_nothing() -> None:
    visit, _ = captured()
    assert step(visit, v.ReceiptGiven("q", Receipt.NOT_PRINTED))[0].receipt is Receipt.COMING
    assert step(visit, v.ReceiptGiven("p", Receipt.PRINTED))[0].receipt is Receipt.PRINTED
    idle = Visit(State.IDLE)
    assert step(idle, v.ReceiptGiven("p", Receipt.PRINTED)) == (idle, ())


# What stands on it


def test_what_was_paid_and_what_came_back() -> None:
    said = said_by(VISITS["take_paper"])
    assert said["2026年12月1日"] == "03:05"  # Japan's, not UTC's
    assert (said["端末"], said["受付番号"]) == ("store-1-a", "FEDCBA98")
    assert (said["お支払い"], said["お預かり 現金"], said["おつり"]) == ("300円", "500円", "200円")
    assert said["code"] == ""
    assert "まだお返ししていない金額" not in said


def test_the_code_is_that_of_the_screen() -> None:
    for name in ("take_paper_owed", "refused_owed_code"):
        assert said_by(VISITS[name])["code"] == CLAIM_CODE
        assert view(VISITS[name], Lang.JA)["owed"]["code"] == CLAIM_CODE.split("-")


def test_a_code_that_the_screen_does_not_show_is_not_on_paper() -> None:
    asked_first = replace(VISITS["take_paper_owed"], cut=Cut.SHORT)
    said = said_by(asked_first)
    assert (said["code"], said["まだお返ししていない金額"]) == ("", "200円")


def test_copies_of_one_document_stand_together() -> None:
    out = CopyOutcome.PRINTED
    orders = (
        order(0, outcome=out),
        order(1, outcome=out),
        replace(order(2, outcome=out), prepared=PREPARED_TAX),
        order(3, outcome=CopyOutcome.FAILED),
    )
    money = Money("p", 1100, inserted_yen=1100, captured_yen=800, returned_yen=300, method=PaymentMethod.EMONEY)
    said = {
        line.left: line.right
        for line in slip(replace(VISITS["take_paper"], orders=orders, money=money), "t", AT_UTC).lines
    }
    assert (said["住民票の写し　2通"], said["課税証明書　1通"]) == ("600円", "200円")
    assert said["電子マネー　E-money"] == "1,100円"
    assert said["カードへお戻し　Put back"] == "300円"


def test_each_language_says_sums_in_its_own_words() -> None:
    doubtful = Money("p", 300, inserted_yen=300, uncertain_yen=300)
    lines = [line.left for line in slip(replace(VISITS["take_paper"], money=doubtful), "t", AT_UTC).lines]
    assert lines[0] == "お取引の記録　Record"  # nothing is known to be charged: it is no receipt
    assert any("300円の料金" in line for line in lines)
    assert any("¥300 was charged" in line for line in lines)
    assert not any("My Number" in line for line in lines)  # nothing is due


def test_nobody_is_named() -> None:
    for visit in VISITS.values():
        if visit.money is not None:
            text = "".join(line.left + line.right for line in slip(visit, "t", AT_UTC).lines)
            assert "●" not in text
            assert "様" not in text


# How it is printed


class Rows:
    """A visitor served, and what the journal has of the receipt."""

    def __init__(self, folder: Path, *, outcomes: tuple[SlipOutcome, ...] = (), error: Exception | None = None) -> None:
        self.store = Store(folder, Script(coins=(500,)), PowerCut())
        self.store.receipts.outcomes = list(outcomes)
        if error is not None:
            self.store.receipts.cues.fail("print", error)
        process = Process(self.store)
        process.boot()
        process.serve()
        self.said = receipts_in(process.journal)
        self.process = process
        process.journal.close()


def receipts_in(journal: Journal) -> list[str]:
    rows = list(journal.rows())
    begun = [row.row for row in rows if isinstance(row.body, Intent) and row.body.act is Act.RECEIPT]
    return [
        row.body.outcome
        for row in rows
        if row.kind is RowKind.RESULT and row.of_row in begun and isinstance(row.body, Result)
    ]


@pytest.mark.parametrize("outcome", list(SlipOutcome))
def test_whatever_becomes_of_it_is_written_and_the_visit_ends(ram: Path, outcome: SlipOutcome) -> None:
    rows = Rows(ram, outcomes=(outcome,))
    assert rows.said == [outcome]
    assert (rows.process.visit.state, rows.store.coins.cashbox_yen) == (State.IDLE, 500)
    assert rows.store.told().ends() == ("settled",)


@pytest.mark.parametrize("error", [WorkerDied("receipt", "print"), WorkerHung("receipt", "print")])
def test_a_worker_that_fails_leaves_it_unknown(ram: Path, error: Exception) -> None:
    rows = Rows(ram, error=error)
    assert rows.said == [SlipOutcome.UNKNOWN]
    assert rows.store.told().ends() == ("settled",)


def test_a_second_slip_of_a_payment_is_not_begun(ram: Path) -> None:
    """Whatever asks for it: here the first is on its way when it is asked for again."""
    store = Store(ram, Script(coins=(500,)), PowerCut())
    process = Process(store)
    process.boot()
    begun: list[object] = []

    def asked_again(told: Slip) -> SlipOutcome:
        again = process.effects.carry_out(v.GiveReceipt(process.visit.payment_id), process.visit)
        with pytest.raises(StopIteration) as ended:
            begun.append(next(again))
        begun.append(ended.value.value)
        return SlipOutcome.PRINTED

    store.receipts.print = asked_again  # type: ignore[method-assign]
    process.serve()
    assert begun == [None]
    assert receipts_in(process.journal) == [SlipOutcome.PRINTED]
    process.journal.close()


def test_a_slip_whose_turn_comes_when_its_visitor_has_gone_is_not_printed(ram: Path) -> None:
    store = Store(ram, Script(coins=(500,)), PowerCut())
    process = Process(store)
    process.boot()
    program = process.effects.carry_out(v.GiveReceipt("p"), replace(VISITS["take_paper_owed"], payment_id="p"))
    call = next(program)
    process.effects.forget()
    assert (call.work(), store.receipts.slips) == (SlipOutcome.NOT_PRINTED, [])
    process.journal.close()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script(hands=("touch",)), "電子マネー"),
        (Script(phone="agrees"), "コード決済"),
        (Script(coins=(500,)), "お預かり 現金"),
    ],
)
def test_after_a_cut_it_says_still_how_it_was_paid(ram: Path, script: Script, words: str) -> None:
    store = Store(ram, script, PowerCut())
    with pytest.raises(Killed):
        visit_until(store, "before row intent receipt")
    store.lose_power()
    process = Process(store)
    process.boot()
    process.journal.close()
    (told,) = store.receipts.slips
    assert words in written_on(told)
    assert written_on(told)["お支払い"] == "200円"


def test_a_terminal_without_a_printer_speaks_of_none() -> None:
    for receipt, words in ((None, None), (Receipt.COMING, None), (Receipt.NOT_FITTED, None)):
        assert view(replace(VISITS["take_paper"], receipt=receipt), Lang.EN)["receipt"] is words
    before = view(replace(VISITS["take_paper_owed"], receipt=Receipt.PRINTED), Lang.EN)["receipt"]
    assert before == "Please take your receipt, too."  # it was printed when nothing was owed yet
    printed = view(replace(VISITS["take_paper_owed"], receipt=Receipt.WITH_CODE), Lang.EN)["receipt"]
    assert printed == "The code is on your receipt, too. Please take it with you."
    missing = view(replace(VISITS["take_paper"], receipt=Receipt.NOT_PRINTED), Lang.EN)["receipt"]
    assert missing.startswith("If no receipt came out")
