"""The runner with stateful fakes: whole visits, and what happens when a device or the server fails on cue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from printing.press.service import PrinterState
from printing.press.verdict import Outcome, Verdict
from protocol.chain import GENESIS
from protocol.errors import ErrorCode
from protocol.messages import EventKind
from terminal import visit as v
from terminal.card import results as card
from terminal.client import NetworkDown, Paper, ServerRefused
from terminal.flow import TIMEOUT_S
from terminal.journal import Act, Case, Ids, Intent, Journal, JournalUnavailable, Result, RowKind
from terminal.screens.refusals import REFUSALS
from terminal.screens.view import view
from terminal.screens.words import Lang
from terminal.visit import CopyOutcome, State, TerminalCode, Visit
from terminal.workers import WorkerDied, WorkerHung
from tests.crash_parts import Process, Store
from tests.fakes import PRINTER_LOST
from tests.terminal_rig import BOUND_S, CHOICE, Rig, is_act, unfinished

NO_DUPLEX = "sides-not-supported"


def test_a_visit_from_card_to_paper(rig: Rig) -> None:
    rig.to_collecting()
    rig.pay(100, 100)
    visit = rig.until(State.TAKE_PAPER)

    assert [order.outcome for order in visit.orders] == [CopyOutcome.PRINTED]
    assert visit.money == v.Money(visit.payment_id, 200, inserted_yen=200, captured_yen=200)
    order_id = visit.orders[0].order_id
    assert rig.press.papers == [(order_id, rig.server.papers[order_id].pdf)]
    assert rig.end().state is State.IDLE
    assert rig.sent() == [EventKind.PRINTED, EventKind.CAPTURED, EventKind.PAYMENT_CLOSED]
    seconds = rig.runner.seconds()
    assert {"PIN", "PRINTING", "card.sign", "server.prepare", "press.verdict"} <= set(seconds)


# The card


def test_a_wrong_pin_goes_back_to_the_pad_and_the_last_try_asks_twice(rig: Rig) -> None:
    rig.until(State.IDLE)
    rig.put_card()
    assert rig.until(State.PIN).tries_left == 3
    rig.pin("9999")
    assert rig.wait(lambda visit: visit.tries_left == 2).state is State.PIN
    rig.pin("9998")
    assert rig.wait(lambda visit: visit.tries_left == 1).pin_length == 0
    rig.pin("1234")  # OK alone is not enough any more
    rig.wait(lambda visit: visit.pin_length == 4)
    rig.runner.post(v.ConfirmLastTry())
    rig.runner.post(v.PinOk())
    rig.until(State.TAKE_CARD)
    assert rig.card.digits == ""


def test_a_locked_card_is_refused_and_forgotten(rig: Rig) -> None:
    rig.card.tries = 1
    rig.until(State.IDLE)
    rig.put_card()
    rig.until(State.PIN)
    rig.runner.post(v.ConfirmLastTry())
    rig.pin("0000")
    assert rig.until(State.REFUSED).refusal == v.Refusal(TerminalCode.PIN_LOCKED, 0)
    assert rig.end() == Visit(State.IDLE, card_on_reader=True)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (card.UnreadableCard("step"), TerminalCode.CARD_UNREADABLE),
        (card.NotMyNumberCard(card.OtherCard.JUKI), TerminalCode.JUKI_CARD),
        (card.NotMyNumberCard(card.OtherCard.FOREIGN), TerminalCode.NOT_MY_NUMBER_CARD),
        (card.ReaderUnavailable("gone"), TerminalCode.READER_GONE),
        (WorkerHung("card", "read"), TerminalCode.CARD_UNREADABLE),
        (RuntimeError("a fault of ours"), TerminalCode.INTERNAL),
    ],
)
def test_a_card_that_cannot_be_read(rig: Rig, error: Exception, code: str) -> None:
    rig.card.cues.fail("read", error)
    rig.until(State.IDLE)
    rig.put_card()
    assert rig.until(State.REFUSED).refusal == v.Refusal(code)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (card.VerifyInterrupted(), TerminalCode.PIN_UNCERTAIN),
        (WorkerHung("card", "sign"), TerminalCode.PIN_UNCERTAIN),
    ],
)
def test_a_try_that_may_have_been_used_is_said(rig: Rig, error: Exception, code: str) -> None:
    rig.card.cues.fail("sign", error)
    rig.until(State.IDLE)
    rig.put_card()
    rig.until(State.PIN)
    rig.pin("1234")
    assert rig.until(State.REFUSED).refusal == v.Refusal(code)


@pytest.mark.parametrize("error", [WorkerDied("card", "pin_clear"), WorkerHung("card", "pin_clear")])
def test_digits_that_went_with_their_worker_are_wiped(tmp_path: Path, error: Exception) -> None:
    """The card has signed and the server knows whose it is: the visit does not end for that."""
    process = Process(Store(tmp_path))
    program = process.effects.carry_out(v.PinWipe(), Visit(State.TAKE_CARD))
    assert next(program).name == "card.pin"
    with pytest.raises(StopIteration) as ended:
        program.throw(error)
    assert ended.value.value is None
    process.journal.close()


def test_a_card_taken_before_its_time_leads_back_to_the_start(rig: Rig) -> None:
    rig.until(State.IDLE)
    rig.put_card()
    rig.until(State.PIN)
    rig.take_card()
    assert rig.until(State.IDLE) == Visit(State.IDLE)


def test_a_reader_that_goes_and_comes_back(rig: Rig) -> None:
    rig.until(State.IDLE)
    rig.runner.tell(card.ReaderGone())
    assert rig.until(State.OUT_OF_SERVICE).reasons == ("reader-gone",)
    rig.runner.tell(card.ReaderBack())
    rig.until(State.IDLE)


# The server


@pytest.mark.parametrize(
    ("method", "error", "code"),
    [
        ("challenge", NetworkDown("cue"), TerminalCode.NETWORK_DOWN),
        (
            "authenticate",
            ServerRefused("CARD_CERTIFICATE_REVOKED", "", retryable=False),
            ErrorCode.CARD_CERTIFICATE_REVOKED,
        ),
    ],
)
def test_a_refusal_while_the_card_is_read(rig: Rig, method: str, error: Exception, code: str) -> None:
    rig.until(State.IDLE)
    rig.put_card()
    rig.until(State.PIN)
    rig.server.cues.fail(method, error)
    rig.pin("1234")
    assert rig.until(State.REFUSED).refusal == v.Refusal(code)
    assert rig.server.told() == []


def test_copies_are_prepared_together_or_not_at_all(rig: Rig) -> None:
    rig.to_choosing()
    prepare, calls = rig.server.prepare, []

    def second_refused(request: Any) -> Paper:
        calls.append(request.order_id)
        if len(calls) == 2:
            raise ServerRefused(ErrorCode.NOT_ISSUABLE_HERE, "", retryable=False)
        return prepare(request)

    rig.server.prepare = second_refused  # type: ignore[method-assign]  # a fake's own cue
    rig.runner.post(v.Choose(replace(CHOICE, copies=3)))
    assert rig.until(State.REFUSED).refusal == v.Refusal(ErrorCode.NOT_ISSUABLE_HERE)
    assert rig.sent() == [EventKind.ORDER_VOIDED] * 3, "the refused one and the one never asked for, too"
    assert [event.order_id for event in rig.server.events[:2]] == calls


def test_not_me_is_told_and_nothing_is_issued(rig: Rig) -> None:
    visit = rig.to_confirming()
    rig.runner.post(v.NotMe())
    rig.until(State.REFUSED)
    assert rig.sent() == [EventKind.NOT_ME, EventKind.ORDER_VOIDED]
    assert rig.server.events[0].visit_id == visit.visit_id
    assert rig.press.printed_digests == []


def test_events_wait_for_the_network_and_arrive_once_and_in_order(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.server.cues.fail("send_events", NetworkDown("cue"))
    rig.server.cues.fail("send_events answer", NetworkDown("stored, and the answer lost"))
    rig.runner.start()
    try:
        rig.to_collecting()
        rig.pay(100, 100)
        rig.until(State.TAKE_PAPER)
        rig.skip_s = 60.0  # both pauses are over
        assert rig.end().state is State.IDLE
        assert rig.sent() == [EventKind.PRINTED, EventKind.CAPTURED, EventKind.PAYMENT_CLOSED]
        assert [event.sequence for event in rig.server.events] == [1, 2, 3]
    finally:
        rig.runner.stop()


def test_a_late_grant_is_never_used(tmp_path: Path) -> None:
    arrived = threading.Event()
    rig = Rig(tmp_path, timeout_s={**TIMEOUT_S, State.GRANTING: 0.2})
    rig.server.before_grant = lambda: assert_true(arrived.wait(BOUND_S))
    rig.runner.start()
    try:
        rig.to_collecting()
        rig.pay(100, 100)
        visit = rig.until(State.REFUSED)
        assert visit.refusal == v.Refusal(TerminalCode.NETWORK_DOWN)
        assert visit.money == v.Money(visit.payment_id, 200, inserted_yen=200, returned_yen=200)
        arrived.set()
        assert rig.end().state is State.IDLE
        assert rig.server.granted == [visit.orders[0].order_id], "the server did grant it"
        assert rig.sent() == [EventKind.GRANT_ABANDONED, EventKind.PAYMENT_CLOSED]
        assert rig.press.printed_digests == []
    finally:
        arrived.set()
        rig.runner.stop()


def assert_true(value: bool) -> None:
    assert value


# What stays


def test_s20_acts_are_journaled_before_and_after_and_nothing_personal_stays(rig: Rig) -> None:
    rig.to_collecting()
    rig.pay(500)
    rig.until(State.TAKE_PAPER)
    memory = rig.memory()
    secret = bytes(memory.visit_secret)
    assert len(secret) == 16
    rig.end()
    assert (memory.papers, memory.grants, memory.session_id, bytes(memory.visit_secret)) == ({}, {}, "", bytes(16))
    rows = rig.rows()
    acts = [(row.body.act if row.kind is RowKind.INTENT else row.body.outcome) for row in rows if is_act(row)]
    assert acts == [
        *(Act.COLLECT, Act.PRINT, "printed", Act.HAND_OUT),
        *(Act.CAPTURE, "captured", "captured", "visit over"),
    ]
    assert unfinished(rows) == []
    on_disk = b"".join(path.read_bytes() for path in rig.journal_path.parent.iterdir())
    for personal in ("山●".encode(), b"1234", rig.card.certificate, b"%PDF", b"session", secret):
        assert personal not in on_disk


def test_an_act_without_its_row_is_not_done(tmp_path: Path) -> None:
    class FullDisk(Journal):
        def intent(self, intent: Intent) -> int:
            if intent.act is Act.PRINT:
                raise JournalUnavailable("database or disk is full")
            return super().intent(intent)

    rig = Rig(tmp_path, journal=FullDisk)
    rig.runner.start()
    try:
        rig.to_collecting()
        rig.pay(100, 100)
        assert rig.until(State.REFUSED).refusal == v.Refusal(TerminalCode.JOURNAL_UNAVAILABLE)
        assert rig.press.papers == []
        assert rig.coins.returned_yen == 200
    finally:
        rig.runner.stop()


@pytest.mark.parametrize("method", ["unsent", "open_cases", "outgoing"])
def test_a_journal_that_cannot_be_read_any_more_leaves_no_money_in_the_tray_and_no_dead_page(
    tmp_path: Path, method: str
) -> None:
    broken = threading.Event()

    class Broken(Journal):
        def __getattribute__(self, name: str) -> Any:
            if name == method and broken.is_set():
                raise JournalUnavailable("database disk image is malformed")
            return super().__getattribute__(name)

    rig = Rig(tmp_path, journal=Broken)
    rig.runner.start()
    try:
        rig.to_collecting()
        rig.pay(100)
        broken.set()
        rig.runner.post(v.Cancel())
        rig.until(State.REFUSED)
        assert (rig.coins.returned_yen, rig.coins.tray_yen) == (100, 0)
        rig.runner.post(v.PaperTaken())
        rig.wait(lambda visit: "journal-unavailable" in visit.reasons)
    finally:
        rig.runner.stop()


def test_a_fault_that_comes_again_while_it_is_handled_does_not_end_the_runner(rig: Rig) -> None:
    rig.until(State.IDLE)
    stepper = rig.stepper()
    publish, faults = stepper._publish, [RuntimeError("one"), RuntimeError("another")]

    def fail_twice() -> None:
        if faults:
            raise faults.pop()
        publish()

    stepper._publish = fail_twice  # type: ignore[method-assign]  # a fault of our own, on cue
    rig.put_card()
    rig.wait(lambda _: not faults)
    rig.take_card()
    assert rig.until(State.REFUSED).refusal == v.Refusal(TerminalCode.INTERNAL)
    rig.end()
    rig.put_card()
    assert rig.until(State.PIN).state is State.PIN


def test_an_unfinished_act_is_found_at_start_and_only_staff_open_the_terminal_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.intent(Intent(act=Act.PRINT, visit_id="a" * 32, order_id="b" * 32))
    finished = journal.intent(Intent(act=Act.RETURN, visit_id="a" * 32, payment_id="c" * 32))
    journal.result(finished, Result(outcome="returned"))
    journal.close()
    rig = Rig(tmp_path)
    rig.runner.start()
    try:
        rig.wait(lambda visit: visit.reasons == ("case UNFINISHED_ACT",))
        rig.put_card()
        assert rig.runner.current()[1].state is State.OUT_OF_SERVICE
        rig.take_card()
        rig.runner.close_cases("no sheet in the tray")
        rig.until(State.IDLE)
    finally:
        rig.runner.stop()
    cases = [row.body for row in rig.rows() if isinstance(row.body, Case)]
    assert [(case.code, case.order_id, case.detail) for case in cases] == [("UNFINISHED_ACT", "b" * 32, Act.PRINT)]


def test_an_impossible_event_is_a_case_and_does_not_end_the_terminal(rig: Rig) -> None:
    rig.until(State.IDLE)
    rig.runner.post(v.Granted())
    rig.put_card()
    rig.until(State.PIN)
    rig.take_card()
    assert rig.until(State.OUT_OF_SERVICE).reasons == ("case INTERNAL",)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda rig: setattr(rig.press, "state", PrinterState(ready=False, reasons=("media-empty",))), "media-empty"),
        # A printer that cannot turn a sheet over is seen before a card is asked for.
        (lambda rig: setattr(rig.press, "state", PrinterState(ready=False, reasons=(NO_DUPLEX,))), NO_DUPLEX),
        (lambda rig: rig.server.cues.fail("challenge", NetworkDown("cue")), "server-unreachable"),
        (lambda rig: setattr(rig.coins, "tray_yen", 100), "money-held"),
        (lambda rig: setattr(rig.server, "clock_ahead_s", 45), "clock-wrong"),
    ],
)
def test_no_visit_begins_while_something_is_missing(tmp_path: Path, spoil: Callable[[Rig], None], reason: str) -> None:
    rig = Rig(tmp_path)
    spoil(rig)
    rig.runner.start()
    try:
        assert reason in rig.wait(lambda visit: visit.reasons not in {(), ("starting",)}).reasons
    finally:
        rig.runner.stop()


def test_a_finger_that_touches_twice_touches_once(rig: Rig) -> None:
    rig.to_confirming()
    rig.runner.touch(v.Cancel(), State.CONFIRMING)
    rig.runner.touch(v.Cancel(), State.CONFIRMING)  # would close the words that say what happened
    rig.runner.touch(v.PinCorrect(), State.REFUSED)  # the queue is empty once this has counted for nothing
    rig.until(State.REFUSED)
    assert rig.sent() == [EventKind.ORDER_VOIDED]
    assert rig.runner.current()[1].state is State.REFUSED
    rig.runner.touch(v.PaperTaken(), State.REFUSED)
    rig.until(State.IDLE)


def test_a_queue_that_comes_up_after_the_terminal_needs_no_staff(tmp_path: Path) -> None:
    rig = Rig(tmp_path, timeout_s={**TIMEOUT_S, State.OUT_OF_SERVICE: 0.2})
    rig.press.cues.fail("purge_all", PRINTER_LOST)
    rig.runner.start()
    try:
        rig.until(State.IDLE)
    finally:
        rig.runner.stop()
    assert [row.body for row in rig.rows() if isinstance(row.body, Case)] == []


@pytest.mark.parametrize("method", ["release", "verdict"])
def test_a_fault_of_the_press_after_the_release_proves_nothing_about_the_paper(rig: Rig, method: str) -> None:
    rig.press.cues.fail(method, KeyError("printer-state"))
    rig.press.verdicts = [Verdict(Outcome.UNKNOWN, None, "cue")] if method == "release" else []
    rig.to_collecting()
    rig.pay(100, 100)
    assert rig.until(State.ASK_SHEETS).orders[0].outcome is CopyOutcome.UNKNOWN


@pytest.mark.parametrize("method", ["release", "release answer", "counters"])
def test_a_press_worker_that_dies_around_the_release_costs_no_paper_and_makes_no_second(rig: Rig, method: str) -> None:
    """Whether its word was heard is CUPS's to tell: a job that is still held was given to nobody."""
    rig.press.cues.fail(method, WorkerDied("press", method))
    rig.to_collecting()
    rig.pay(100, 100)
    assert rig.until(State.TAKE_PAPER).orders[0].outcome is CopyOutcome.PRINTED
    assert (len(rig.press.papers), rig.press.cues.left()) == (1, [])


@pytest.mark.parametrize(
    ("method", "errors"),
    [
        ("submit", [KeyError("job-id")]),
        ("submit", [WorkerDied("press", "cue")]),
        ("counters", [KeyError("printer-state")]),
        ("counters", [WorkerDied("press", "cue")] * 2),
    ],
)
def test_a_fault_of_the_press_before_the_release_is_no_paper_for_certain(
    rig: Rig, method: str, errors: list[Exception]
) -> None:
    for error in errors:
        rig.press.cues.fail(method, error)
    rig.to_collecting()
    rig.pay(100, 100)
    visit = rig.until(State.REFUSED)
    assert (visit.refusal, visit.orders[0].outcome) == (v.Refusal(TerminalCode.PRINT_FAILED), CopyOutcome.FAILED)
    assert rig.coins.returned_yen == 200


def test_a_fault_of_our_own_while_a_paper_prints_does_not_say_that_none_came_out(rig: Rig) -> None:
    rig.press.may_decide.clear()
    rig.to_collecting()
    rig.pay(100, 100)
    rig.until(State.PRINTING)
    rig.wait(lambda _: bool(rig.press.said))  # released: the printer works on it
    rig.runner.post(v.Failed(TerminalCode.INTERNAL))  # what the loop makes of an exception
    visit = rig.until(State.ASK_SHEETS, State.RETURNING, State.REFUSED)
    rig.press.may_decide.set()
    assert (visit.state, visit.orders[0].outcome) == (State.ASK_SHEETS, CopyOutcome.UNKNOWN)


# The boot handshake


def test_the_server_hears_of_each_start_before_anybody_is_served(rig: Rig) -> None:
    rig.until(State.IDLE)
    (said,) = rig.server.boots
    assert (said.boot_number, said.last_sequence, said.event_head) == (1, 0, GENESIS)


def test_a_disabled_identity_serves_nobody_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.server.cues.fail("boot", ServerRefused(ErrorCode.IDENTITY_FORKED, "", retryable=False))
    rig.runner.start()
    try:
        visit = rig.wait(lambda visit: bool(visit.reasons))
        assert visit.reasons == (f"server-refuses {ErrorCode.IDENTITY_FORKED}",)
        assert view(visit, Lang.JA)["closed"] == REFUSALS[ErrorCode.IDENTITY_FORKED].what[0]
        assert "challenge" not in rig.server.attempts
    finally:
        rig.runner.stop()


def test_events_wait_until_the_server_has_heard_of_the_start(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.ids(Ids(visit_id="a" * 32, payment_id="b" * 32, order_ids=("c" * 32,)))
    journal.close()
    rig = Rig(tmp_path, timeout_s={**TIMEOUT_S, State.OUT_OF_SERVICE: 0.2})
    for _ in range(2):
        rig.server.cues.fail("boot", NetworkDown("cue"))
    rig.runner.start()
    try:
        rig.until(State.IDLE)
        assert rig.sent() == [EventKind.ORDER_VOIDED]
    finally:
        rig.runner.stop()
    attempts = rig.server.attempts
    assert attempts.index("send_events") > max(n for n, attempt in enumerate(attempts) if attempt == "boot")


def test_a_server_that_was_restored_is_told_again_what_it_lacks(tmp_path: Path) -> None:
    rig = Rig(tmp_path, timeout_s={**TIMEOUT_S, State.IDLE: 0.2, State.OUT_OF_SERVICE: 0.2})
    rig.runner.start()
    try:
        rig.to_collecting()
        rig.pay(100, 100)
        rig.until(State.TAKE_PAPER)
        assert rig.end().state is State.IDLE
        told = rig.sent()
        rig.server.events.clear()  # the backup has none of them
        rig.server.cues.fail("challenge", ServerRefused(ErrorCode.BOOT_REQUIRED, "", retryable=False))
        deadline_s = time.monotonic() + BOUND_S
        while rig.server.told() != told:
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
        assert len(rig.server.boots) == 2
        assert rig.server.boots[0].journal_head == rig.server.boots[1].journal_head, "it is the same start"
    finally:
        rig.runner.stop()


# After a cut


@pytest.mark.parametrize("takes_it", [True, False])
def test_s16_money_of_a_visit_that_the_power_ended_comes_out_for_who_is_there(tmp_path: Path, takes_it: bool) -> None:
    """S16 on threads: the process ends with 500 yen in the tray and the paper out, and another one begins."""
    rig = Rig(tmp_path, timeout_s={**TIMEOUT_S, State.AFTER_CUT: 60.0 if takes_it else 0.2})
    rig.press.may_decide.clear()
    rig.runner.start()
    rig.to_collecting()
    rig.pay(500)
    rig.until(State.PRINTING)
    rig.wait(lambda _: bool(rig.press.said))
    rig.runner.stop()  # whatever was asked of the devices is asked by nobody any more
    rig.press.may_decide.set()
    rig.runner = rig.build(timeout_s={**TIMEOUT_S, State.AFTER_CUT: 60.0 if takes_it else 0.2})
    rig.runner.start()
    try:
        if takes_it:
            visit = rig.until(State.AFTER_CUT)
            assert rig.coins.change_yen == 0
            rig.runner.touch(v.TakeBack(), visit.state)
        ended = rig.until(State.TAKE_PAPER, State.REFUSED)
        assert (rig.coins.cashbox_yen, rig.coins.change_yen) == (500, 300 if takes_it else 0)
        assert ended.money is not None
        assert (ended.money.captured_yen, ended.money.owed_yen) == (200, 0 if takes_it else 300)
        assert rig.end().reasons == (() if takes_it else ("case PAPER_LEFT",)), "who did not answer left the paper, too"
        owed = [EventKind.RETURN_DUE] * (not takes_it)
        assert rig.sent() == [EventKind.PRINTED, EventKind.CAPTURED, *owed, EventKind.PAYMENT_CLOSED]
    finally:
        rig.runner.stop()


def test_while_money_lies_in_the_tray_the_journal_knows_that_the_terminal_lives(rig: Rig) -> None:
    rig.to_collecting()
    rig.pay(100)
    rig.wait(lambda visit: visit.money is not None and visit.money.inserted_yen == 100)
    rig.runner.stop()
    journal = Journal(rig.journal_path)
    assert journal.boot().alive_utc != ""
    journal.close()
