"""The refund road with fakes and a real journal: owed with a code, claimed, paid once, and the power cut in between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from printing.press.verdict import Outcome, Verdict
from protocol.codes import claim_digest, plain_code
from protocol.errors import ErrorCode
from protocol.messages import EventKind, RefundOffer
from terminal import visit as v
from terminal.client import NetworkDown, ServerRefused
from terminal.journal import Act, Intent, JournalUnavailable
from terminal.payment.device import DeviceGone, MoneyOutcomeUnknown
from terminal.screens.view import view
from terminal.screens.words import Lang
from terminal.visit import State, TerminalCode
from terminal.workers import WorkerDied
from tests.crash_parts import Cut, Killed, Process, Script, Store, telling, visit_until
from tests.terminal_rig import Rig, unfinished

CODE = "ABCD-EFGH-JKMN-PQRS"
OWED_YEN = 300
PAID, NOT_PAID, UNKNOWN = EventKind.REFUND_PAID, EventKind.REFUND_NOT_PAID, EventKind.REFUND_UNKNOWN


def ask(rig: Rig, code: str = CODE) -> v.Visit:
    """Type a code and wait for what comes of it."""
    if rig.until(State.IDLE, State.REFUND_CODE).state is State.IDLE:
        rig.runner.post(v.AskRefund())
        rig.until(State.REFUND_CODE)
    for character in plain_code(code):
        rig.runner.post(v.CodeKey(character))
    rig.runner.post(v.CodeOk())
    rig.wait(lambda visit: visit.state in {State.CLAIMING, State.PAYING_OUT, State.PAID_OUT, State.REFUSED})
    return rig.until(State.PAID_OUT, State.REFUSED, State.REFUND_CODE)


@pytest.fixture
def due(rig: Rig) -> Rig:
    rig.server.due[plain_code(CODE)] = OWED_YEN
    return rig


# Owed


def test_what_could_not_be_given_back_has_a_code_and_the_journal_has_not(rig: Rig) -> None:
    rig.coins.stuck_yen = 100
    rig.to_collecting()
    rig.pay(500)
    visit = rig.until(State.TAKE_PAPER)
    shown = "-".join(view(visit, Lang.JA)["owed"]["code"])
    rig.sent()
    event = rig.server.events[-2]
    assert (event.kind, event.amount_yen) == (EventKind.RETURN_DUE, 100)
    assert (event.claim_digest, event.order_id) == (claim_digest(shown), visit.orders[0].order_id)
    assert rig.end().state is State.IDLE
    assert unfinished(rig.rows()) == []
    written = b"".join(path.read_bytes() for path in rig.journal_path.parent.glob("journal.sqlite*"))
    for spelling in (shown, plain_code(shown)):
        assert spelling.encode() not in written


# Paid


def test_a_code_is_paid_out(due: Rig) -> None:
    visit = ask(due)
    assert (visit.state, visit.refund) == (State.PAID_OUT, v.Refund(amount_yen=OWED_YEN, paid_yen=OWED_YEN))
    assert due.coins.change_yen == OWED_YEN
    assert due.end().state is State.IDLE
    assert due.sent() == [PAID]
    assert due.server.events[0].claim_id in due.server.claims
    rows = due.rows()
    assert unfinished(rows) == []
    intents = [row.body.act for row in rows if row.kind == "intent"]
    assert intents == ["claim", "pay out"]


def test_a_card_is_paid_what_it_is_owed(rig: Rig) -> None:
    rig.server.refunds = (RefundOffer(payment_id="a" * 32, amount_yen=OWED_YEN),)
    rig.server.due["a" * 32] = OWED_YEN
    rig.to_choosing()
    rig.runner.post(v.TakeRefund("a" * 32))
    assert rig.until(State.PAID_OUT, State.REFUSED).state is State.PAID_OUT
    assert rig.coins.change_yen == OWED_YEN
    assert rig.sent() == [PAID]


def test_a_wrong_code_moves_nothing_and_the_right_one_is_paid_behind_it(due: Rig) -> None:
    visit = ask(due, "0" * 16)
    assert (visit.state, visit.refund) == (State.REFUND_CODE, v.Refund(wrong=1))
    assert due.coins.change_yen == 0
    assert ask(due).state is State.PAID_OUT
    due.end()
    assert due.sent() == [PAID], "a code that is none is not told of"


def test_a_claim_whose_answer_is_lost_is_given_up_and_the_server_told(due: Rig) -> None:
    due.server.cues.fail("claim_refund answer", NetworkDown("cue"))
    visit = ask(due)
    assert (visit.state, visit.refusal) == (State.REFUSED, v.Refusal(TerminalCode.NETWORK_DOWN))
    assert "そのままお預かり" in view(visit, Lang.JA)["money_words"]
    assert due.end().state is State.IDLE
    assert due.sent() == [NOT_PAID]
    assert due.server.events[0].claim_id in due.server.claims, "the server had given it, and is told"
    assert due.coins.change_yen == 0


def test_a_server_that_is_busy_may_have_given_the_claim_before(due: Rig) -> None:
    due.server.cues.fail("claim_refund", ServerRefused(ErrorCode.BUSY, "", retryable=True))
    assert ask(due).refusal == v.Refusal(ErrorCode.BUSY)
    due.end()
    assert due.sent() == [NOT_PAID]


@pytest.mark.parametrize("setting", ["no change", "all stuck", "gone"])
def test_what_the_hoppers_cannot_pay_stays_owed(due: Rig, setting: str) -> None:
    if setting == "no change":
        due.coins.has_change = False
    elif setting == "all stuck":
        due.coins.stuck_yen = OWED_YEN
    else:
        due.until(State.IDLE)
        for _ in range(2):
            due.coins.cues.fail("counters", DeviceGone("cue"))
    visit = ask(due)
    assert (visit.state, visit.refusal) == (State.REFUSED, v.Refusal(TerminalCode.NO_COINS))
    assert due.end().state is State.IDLE
    assert due.sent() == [NOT_PAID]
    assert due.coins.change_yen == 0
    assert unfinished(due.rows()) == []


@pytest.mark.parametrize("error", [MoneyOutcomeUnknown("cue"), WorkerDied("payment", "pay_out")])
def test_a_payout_whose_answer_is_lost_is_asked_for_and_never_repeated(due: Rig, error: Exception) -> None:
    due.coins.cues.fail("pay_out answer", error)
    assert ask(due).state is State.PAID_OUT
    assert (due.coins.change_yen, due.coins.events) == (OWED_YEN, 1)
    due.end()
    assert due.sent() == [PAID]


def test_a_payout_of_which_nobody_knows_is_a_case_and_never_paid_again(due: Rig) -> None:
    due.coins.cues.fail("pay_out", MoneyOutcomeUnknown("cue"))
    assert ask(due).refusal == v.Refusal(TerminalCode.PAYOUT_UNCERTAIN)
    assert due.end().reasons == ("case PAYOUT_UNCERTAIN",)
    assert due.sent() == [UNKNOWN]
    assert due.coins.change_yen == 0


def test_a_payout_that_stops_half_way_is_a_case(due: Rig) -> None:
    due.coins.stuck_yen = 100
    assert ask(due).refusal == v.Refusal(TerminalCode.PAYOUT_UNCERTAIN)
    assert due.sent() == [UNKNOWN]
    assert due.coins.change_yen == OWED_YEN - 100


def test_without_its_row_nothing_is_claimed(due: Rig) -> None:
    due.until(State.IDLE)
    journal = due.stepper()._journal
    due.runner.post(v.AskRefund())
    due.until(State.REFUND_CODE)
    journal._write = _full  # type: ignore[method-assign]  # the disk is full from here on
    assert ask(due).refusal == v.Refusal(TerminalCode.JOURNAL_UNAVAILABLE)
    assert "claim_refund" not in due.server.attempts


def _full(_write: object) -> None:
    raise JournalUnavailable("database or disk is full")


@pytest.mark.parametrize("recovers", [True, False])
def test_a_claim_whose_payout_has_no_row_is_given_up_or_the_terminal_stands_still(due: Rig, recovers: bool) -> None:
    """The simulator filled a disk between the two: the claim stood for ever, and the money was nobody's to fetch."""
    due.until(State.IDLE)
    journal = due.stepper()._journal
    intent = journal.intent

    def full_at_the_payout(wanted: Intent) -> int:
        if wanted.act is Act.PAY_OUT:
            if not recovers:
                journal._write = _full  # type: ignore[method-assign]
            raise JournalUnavailable("database or disk is full")
        return intent(wanted)

    journal.intent = full_at_the_payout  # type: ignore[method-assign]
    assert ask(due).refusal == v.Refusal(TerminalCode.JOURNAL_UNAVAILABLE)
    assert due.coins.change_yen == 0
    ended = due.end()
    assert (ended.state is State.IDLE, due.sent()) == (recovers, [NOT_PAID] if recovers else [])


# The power goes


def refund_until(store: Store, point: int | str | None) -> list[str]:
    """Serve somebody who has typed a code until the power goes; return the points that were passed."""
    store.server.due = {plain_code(CODE): OWED_YEN}
    process = Process(store)
    process.boot()
    store.points, store.kill_at = [], point
    process.visit = replace(process.visit, state=State.CLAIMING, refund=v.Refund(code=plain_code(CODE)))
    try:
        process._begin((v.ClaimRefund(code=plain_code(CODE)),))
        process._run()
    finally:
        process.journal.close()
    return list(store.points)


def test_wherever_the_power_goes_a_refund_is_paid_once_or_still_owed(ram: Path) -> None:
    """What the server is told is what came out of the hoppers."""
    (ram / "whole").mkdir()
    points = telling(refund_until(Store(ram / "whole"), None))
    assert len(points) >= 8
    ends = set()
    for point in points:
        (ram / str(point)).mkdir()
        store = Store(ram / str(point))
        with pytest.raises(Killed) as killed:
            refund_until(store, point)
        store.lose_power()
        process = Process(store)
        assert process.boot().state is State.IDLE, killed.value
        process.journal.close()
        told = store.told()
        assert (told.is_open, told.cases) == (False, ()), killed.value
        claimed = bool(store.server.claims)
        assert store.coins.change_yen in {0, OWED_YEN}
        expected = [PAID] if store.coins.change_yen else [NOT_PAID]
        begun = "after row intent claim" in str(killed.value) or point > points[0] or claimed
        assert [event.kind for event in told.events] == (expected if begun else []), killed.value
        ends.add(bool(store.coins.change_yen))
    assert ends == {True, False}


def test_without_recovery_a_claim_is_held_for_ever(ram: Path) -> None:
    store = Store(ram)
    with pytest.raises(Killed):
        refund_until(store, "after server.refund")
    store.lose_power()
    process = Process(store, recovers=False)
    process.boot()
    process.journal.close()
    assert (store.told().events, len(store.server.claims)) == ((), 1)


@pytest.mark.parametrize(("moved_yen", "kind"), [(OWED_YEN, PAID), (100, UNKNOWN), (0, UNKNOWN)])
def test_a_unit_that_forgot_a_payout_tells_by_its_totals(ram: Path, moved_yen: int, kind: EventKind) -> None:
    store = Store(ram)
    with pytest.raises(Killed):
        refund_until(store, "after payment.pay_out")
    store.coins.moved.clear()
    store.coins.change_yen = moved_yen
    store.lose_power()
    process = Process(store)
    process.boot()
    process.journal.close()
    told = store.told()
    assert [event.kind for event in told.events] == [kind]
    assert told.cases == (() if kind is PAID else ("PAYOUT_UNCERTAIN",))


OWING = Script(coins=(500,), verdicts=(Verdict(Outcome.PRINTED, 1, "cue"),), stuck_yen=100)


@pytest.mark.parametrize(("length_s", "asked"), [(10, True), (3600, False)])
def test_a_code_on_the_screen_comes_back_after_a_short_cut_alone(ram: Path, length_s: float, asked: bool) -> None:
    store = Store(ram, OWING, Cut(length_s=length_s))
    with pytest.raises(Killed):
        visit_until(store, "after row result+result+event+event+intent owe+event")
    store.lose_power()
    process = Process(store)
    process.boot()
    process.journal.close()
    assert (State.AFTER_CUT in process.states, State.TAKE_PAPER in process.states) == (asked, asked)
    assert (store.told().owed_yen(), store.told().is_open) == (100, False)
    assert store.told().cases == (() if asked else ("PAPER_LEFT",))
    again = Process(store)
    again.boot()
    again.journal.close()
    assert State.AFTER_CUT not in again.states, "shown once more, not at every start"
