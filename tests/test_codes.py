"""QR codes through the real effects and a real journal, with a phone; the power goes anywhere.

The kiosk moves no money: what is looked at is the one word by which the server captures what was printed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from printing.press.verdict import Outcome, Verdict
from protocol.errors import ErrorCode
from protocol.messages import CodeAnswer, CodeRequest, CodeStatus, EventKind, PaymentMethod
from terminal import visit as v
from terminal.client import NetworkDown, ServerRefused
from terminal.flow import step
from terminal.payment.qr import ServerCodes
from terminal.visit import CopyOutcome, Money, Order, Refusal, State, TerminalCode, Visit
from tests.crash_parts import Cut, Killed, Process, Script, Store, points_of, telling, visit_killed_at, visit_until
from tests.test_flow import kinds, prepared

FEE_YEN = 200
PRINTED = Verdict(Outcome.PRINTED, 1, "cue")
FAILED = Verdict(Outcome.FAILED, 0, "cue")


# The flow


def confirming(copies: int = 1) -> Visit:
    orders = tuple(Order(f"o{n}", prepared(f"o{n}"), sheets=1) for n in range(copies))
    return Visit(
        State.CONFIRMING, visit_id="v", payment_id="p", orders=orders, methods=tuple(PaymentMethod), claim_code="C"
    )


def after(visit: Visit, *events: v.Event) -> Visit:
    for event in events:
        visit, _ = step(visit, event)
    return visit


def test_a_phone_agrees_before_the_grant_and_the_rest_is_let_go() -> None:
    showing, effects = step(confirming(2), v.Pay(PaymentMethod.QR))
    assert (showing.state, effects) == (State.SHOWING_CODE, (v.ShowCode("p", ("o0", "o1"), 400),))
    shown, effects = step(showing, v.CodeShown("https://pay.example/p"))
    assert (shown.code_url, effects) == ("https://pay.example/p", (v.WatchCode("p"),))
    granting, effects = step(shown, v.CodeAgreed())
    assert (granting.state, granting.code_url, effects) == (State.GRANTING, "", (v.RequestGrant("o0"),))
    second = after(granting, v.Granted(), v.PrintDecided(CopyOutcome.PRINTED, 1), v.Granted())
    done, effects = step(second, v.PrintDecided(CopyOutcome.FAILED, 0))
    closed = v.CloseDebits("p", (("o0", 200),), 200, 0, PaymentMethod.QR)
    assert effects[-2:] == (closed, v.GiveReceipt("p"))
    assert done.state is State.TAKE_PAPER
    assert done.money == Money("p", 400, method=PaymentMethod.QR, inserted_yen=400, captured_yen=200, returned_yen=200)


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (v.Cancel(), TerminalCode.CANCELLED),
        (v.TimedOut(), TerminalCode.TIMED_OUT),
        (v.CodeOver(), TerminalCode.TIMED_OUT),
        (v.Failed(ErrorCode.BUSY), ErrorCode.BUSY),
    ],
)
def test_without_an_agreement_nothing_is_granted_and_a_late_one_counts_for_nothing(event: v.Event, code: str) -> None:
    shown = after(confirming(), v.Pay(PaymentMethod.QR), v.CodeShown("u"))
    over, effects = step(shown, event)
    assert kinds(effects) == ["VoidOrders", "CloseDebits"]
    assert (over.state, over.refusal, over.code_url) == (State.REFUSED, Refusal(code), "")
    assert step(over, v.CodeAgreed()) == (over, ())


def test_what_was_never_taken_is_never_owed() -> None:
    printing = after(confirming(), v.Pay(PaymentMethod.QR), v.CodeShown("u"), v.CodeAgreed(), v.Granted())
    over, effects = step(printing, v.PrintDecided(CopyOutcome.FAILED, 0))
    assert effects[-1] == v.CloseDebits("p", (), 200, 0, PaymentMethod.QR)
    assert over.money is not None
    assert over.money.owed_yen == 0


# The effects


def served(store: Store) -> Process:
    process = Process(store)
    process.boot()
    process.serve()
    process.journal.close()
    return process


def captured(store: Store) -> int:
    """Return what the server captures by what it was told; -1 where that is told twice, or does not agree."""
    told = store.told()
    closed = [event for event in told.events if event.kind is EventKind.PAYMENT_CLOSED]
    fees_yen = sum(event.amount_yen or 0 for event in told.events if event.kind is EventKind.CAPTURED)
    captured_yen = sum((event.inserted_yen or 0) - (event.returned_yen or 0) for event in closed)
    return captured_yen if len(closed) <= 1 and captured_yen == fees_yen else -1


def require_agreement(store: Store) -> int:
    """Nothing is open, and the server captures what was printed; return how much."""
    told = store.told()
    assert (told.is_open, told.owed_yen()) == (False, 0)
    assert captured(store) == FEE_YEN * told.printed()
    return captured(store)


VISITS = {
    "paid": Script(phone="agrees"),
    "two copies, the second fails": Script(phone="agrees", copies=2, verdicts=(PRINTED, FAILED)),
    "nothing came out": Script(phone="agrees", verdicts=(FAILED,)),
    "nobody reads it": Script(phone="nobody"),
}


@pytest.mark.parametrize(("visit", "captured_yen"), list(zip(VISITS, (200, 200, 0, 0), strict=True)))
def test_a_visit_that_a_phone_pays_for(ram: Path, visit: str, captured_yen: int) -> None:
    store = Store(ram, VISITS[visit])
    served(store)
    assert require_agreement(store) == captured_yen
    agreed_yen = FEE_YEN * VISITS[visit].copies
    granted = store.server.grant_requests
    assert {(one.method, one.reserved_yen) for one in granted} <= {(PaymentMethod.QR, agreed_yen)}
    assert bool(granted) == (VISITS[visit].phone == "agrees")
    assert len(store.codes.asked) == 1


@pytest.mark.parametrize("error", [NetworkDown("cue"), ServerRefused(ErrorCode.BUSY, "", retryable=True)])
@pytest.mark.parametrize("method", ["show", "show answer", "wait"])
def test_a_server_that_does_not_answer_ends_it_without_paper(ram: Path, method: str, error: Exception) -> None:
    store = Store(ram, VISITS["paid"])
    store.codes.cues.fail(method, error)
    served(store)
    assert require_agreement(store) == 0
    assert not store.press.papers


class FlakyClient:
    """A server that cannot be reached at first."""

    def __init__(self) -> None:
        busy = ServerRefused(ErrorCode.BUSY, "the database did not answer in time", retryable=True)
        self.answers: list[Exception | bool] = [NetworkDown("cue"), busy, False, True]

    def show_code(self, request: CodeRequest) -> CodeAnswer:
        raise AssertionError(f"a code that is shown is not asked for again: {request}")

    def look_at_code(self, payment_id: str) -> CodeStatus:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return CodeStatus(payment_id=payment_id, authorized=answer, over=False)


def test_a_network_that_is_down_for_a_moment_changes_nothing_about_the_code() -> None:
    pauses: list[float] = []
    assert ServerCodes(FlakyClient(), pauses.append).wait("p", 5).authorized
    assert len(pauses) == 3


def test_a_code_that_the_server_does_not_know_is_not_looked_at_again() -> None:
    client = FlakyClient()
    client.answers = [ServerRefused(ErrorCode.UNKNOWN_ORDER, "payment_id", retryable=False)]
    with pytest.raises(ServerRefused):
        ServerCodes(client, lambda _: None).wait("p", 5)


CUTS = {"short": Cut(), "long": Cut(length_s=3600), "printer too": Cut(printer_too=True)}


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("visit", VISITS)
def test_wherever_the_power_goes_what_was_printed_is_captured(ram: Path, visit: str, cut: str) -> None:
    def fresh(name: str) -> Store:
        (ram / name).mkdir()
        return Store(ram / name, VISITS[visit], CUTS[cut])

    whole = points_of(fresh("whole"))
    assert len(whole) > 20
    wrong = []
    for point in telling(whole):
        store = fresh(str(point))
        where = visit_killed_at(store, point)
        store.lose_power()
        process = Process(store)
        process.boot()
        process.journal.close()
        told = store.told()
        if told.is_open or told.owed_yen() or captured(store) != FEE_YEN * told.printed():
            wrong.append((where, told))
    assert wrong == []


def test_without_recovery_a_printed_paper_is_never_captured(ram: Path) -> None:
    """First the fault."""
    store = Store(ram, VISITS["paid"])
    with pytest.raises(Killed):
        visit_until(store, "after press.release")
    store.lose_power()
    process = Process(store, recovers=False)
    process.boot()
    process.journal.close()
    assert store.told().is_open
    assert store.press.papers
