"""Twelve ways to break the product that people have found before us; each must be caught.

A mutation substitutes a collaborator or a function of the module under test, from outside and for the run alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast

from sqlalchemy import Connection, Engine

from issuance_server import database, events, ledger
from issuance_server.database import write
from issuance_server.issue import Issuer
from issuance_server.ledger import Guard, Order, OrderEvent, OrderState, Transition
from printing.press import service
from printing.press.errors import PressError
from printing.press.service import Counters, HeldJob, PressService
from printing.press.verdict import Capabilities, JobState, Outcome, Verdict, Witnesses
from protocol.messages import Event, GrantAnswer
from terminal import journal as journals
from terminal.card.results import Signed, VerifyInterrupted
from terminal.effects import Effects
from terminal.journal import Intent
from terminal.money import MoneyPrograms
from terminal.payment.device import Counted, PaymentDeviceError
from terminal.programs import Call, Lane, Sources
from tests.simulation import crowd, paper, run
from tests.simulation.faults import Kind
from tests.simulation.kiosk import Kiosk
from tests.simulation.reader import SimReader
from tests.simulation.run import run_seed, run_seeds

Mutate = Callable[[], Iterable[tuple[Any, str, Any]]]


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """Put a mutation in place for a while; what is opened once is opened anew."""
    run.forget_disk()
    substitutes = list(MUTATIONS[name]())
    before = [(where, what, getattr(where, what)) for where, what, _ in substitutes]
    for where, what, mutation in substitutes:
        setattr(where, what, mutation)
    try:
        yield
    finally:
        for where, what, original in before:
            setattr(where, what, original)
        run.forget_disk()


def hunt(name: str, seeds: range) -> tuple[int, str] | None:
    """Return the first seed that catches a mutation, and by what; None if none does.

    One fault of each seed is of the kind that the mutation has to do with, at any state and moment; the other is any.
    A seed that fails without the mutation too catches nothing.
    """
    if name not in ALWAYS:
        with mutated(name):
            without = run_seed(seeds[0], faults=[]).violations
        assert not without, f"{name} breaks more than it says: {without[0]}"
    while seeds:
        caught = _first(name, seeds)
        if caught is None or not run_seed(caught[0], kinds=kinds(name, caught[0])).violations:
            return caught
        seeds = range(caught[0] + 1, seeds.stop)
    return None


def _first(name: str, seeds: range) -> tuple[int, str] | None:
    with mutated(name):
        for outcome in run_seeds(seeds, kinds=partial(kinds, name)):
            if outcome.violations:
                return outcome.seed, str(outcome.violations[0])
    return None


def kinds(name: str, seed: int) -> tuple[Kind, Kind]:
    """Return the kinds of a seed's faults: the one that the mutation has to do with, and each other one in turn."""
    return FOCUS[name], list(Kind)[seed % len(Kind)]


# Each check of the right person off


def _checks_off() -> Iterable[tuple[Any, str, Any]]:
    yield paper, "reread", lambda _pdf, _expected: None
    yield paper, "CHECKS", frozenset()
    yield crowd, "masked_by_hand", lambda _name: crowd.ANY_NAME


# Yokohama: the wait for the print timed out, and the time-out let the lock go but not the job


def _lock_released() -> Iterable[tuple[Any, str, Any]]:
    yield PressService, "_withdraw", lambda _self, watch, _job: watch.withdraw()
    yield PressService, "cancel", lambda _self, _job: None
    yield PressService, "purge_all", lambda self: self._cups.purge_all()


# Kawasaki: two within one second were one


def _sources(self: Kiosk) -> Sources:
    def of_the_clock(length: int) -> bytes:
        return hashlib.sha256(f"{int(self._hub.now_s)}".encode()).digest()[:length]

    return Sources(self._hub.monotonic, self._hub.now_utc, of_the_clock)


def _clock_ids() -> Iterable[tuple[Any, str, Any]]:
    yield Kiosk, "sources", _sources


# Adachi: the register was fed while a request was under way


def _feed_unseen() -> Iterable[tuple[Any, str, Any]]:
    def check_again(self: Issuer, connection: Connection, caller: Any, order: Order, now_utc: Any) -> None:
        self._check_allowed(connection, caller, order, now_utc)

    yield Issuer, "_check_again", check_again


# "completed" is taken for printed


def _completed_is_printed() -> Iterable[tuple[Any, str, Any]]:
    real = service.decide

    def decide(witnesses: Witnesses, capabilities: Capabilities, expected_sheets: int) -> Verdict:
        if witnesses.job_state == JobState.COMPLETED:
            return Verdict(Outcome.PRINTED, expected_sheets, "completed")
        return real(witnesses, capabilities, expected_sheets)

    yield service, "decide", decide


# Retries of what cannot be undone


def _capture_retried() -> Iterable[tuple[Any, str, Any]]:
    real = MoneyPrograms._move

    def move(self: MoneyPrograms, intent: Intent, call: Call) -> Generator[Call, Any, Counted | None]:
        def again() -> Counted:
            try:
                return cast(Counted, call.work())
            except PaymentDeviceError:
                return cast(Counted, call.work())

        return (yield from real(self, intent, Call(call.lane, call.name, again)))

    yield MoneyPrograms, "_move", move


def _verify_retried() -> Iterable[tuple[Any, str, Any]]:
    real = SimReader.sign

    def sign(self: SimReader, digest: bytes, certificate_sha256: bytes, last_try_confirmed: bool) -> Signed:
        try:
            return real(self, digest, certificate_sha256, last_try_confirmed)
        except VerifyInterrupted:
            return real(self, digest, certificate_sha256, last_try_confirmed)

    yield SimReader, "sign", sign


def _reprint_on_unknown() -> Iterable[tuple[Any, str, Any]]:
    real = Effects._release_and_ask

    def release_and_ask(self: Effects, job: HeldJob, before: Counters) -> Generator[Call, Any, Verdict]:
        verdict = yield from real(self, job, before)
        if verdict.outcome is not Outcome.UNKNOWN:
            return verdict
        printed, press = self.memory.papers[job.order_id], self._devices.press
        try:
            yield Call(Lane.PRESS, "press.purge", press.purge_all)
            again, counters = yield from self._submit_held(printed, printed.prepared.pdf_sha256)
        except PressError:
            return verdict
        return (yield from real(self, again, counters))

    yield Effects, "_release_and_ask", release_and_ask


# The server


def _event_applied_twice() -> Iterable[tuple[Any, str, Any]]:
    real = events.apply

    def apply(engine: Engine, terminal_id: str, told: tuple[Event, ...], clock: Any = None) -> int:
        with write(engine) as connection:
            known = int(connection.execute(events._ACCEPTED, {"terminal": terminal_id}).scalar_one())
        accepted = real(engine, terminal_id, told, clock)
        for event in told:
            if event.sequence <= known:
                with write(engine) as connection:
                    events._EFFECTS[event.kind](connection, terminal_id, event, clock())
        return accepted

    yield events, "apply", apply


def _guard_dropped() -> Iterable[tuple[Any, str, Any]]:
    """An order that is granted may be granted again: only the constraints below are left to see it."""
    real = ledger.stored_grant

    def stored_grant(order: Order, fingerprint: bytes) -> GrantAnswer | None:
        return None if order.state is OrderState.GRANTED else real(order, fingerprint)

    yield ledger, "stored_grant", stored_grant
    again = {(OrderState.GRANTED, OrderEvent.GRANT): Transition(Guard.ENTITLED_AND_PAID, OrderState.GRANTED)}
    yield ledger, "TRANSITIONS", {**ledger.TRANSITIONS, **again}


# The disk


def _synchronous_off() -> Iterable[tuple[Any, str, Any]]:
    real_journal, real_engine = journals.open_database, database.open_engine

    def open_journal(path: Any) -> Any:
        made = real_journal(path)
        made.conn.execute("pragma synchronous = off")
        return made

    def open_engine(url: str) -> Engine:
        engine = real_engine(url)
        database.event.listen(engine, "connect", lambda dbapi, _: dbapi.execute("pragma synchronous = off"))
        return engine

    yield journals, "open_database", open_journal
    yield database, "open_engine", open_engine


def _act_before_commit() -> Iterable[tuple[Any, str, Any]]:
    real = Effects._submit_held

    def submit_and_release(self: Effects, *of_paper: Any) -> Generator[Call, Any, tuple[HeldJob, Counters]]:
        job, before = yield from real(self, *of_paper)
        yield Call(Lane.PRESS, "press.release", lambda: self._devices.press.release(job))
        return job, before

    def only_ask(self: Effects, job: HeldJob, before: Counters) -> Generator[Call, Any, Verdict]:
        verdict: Verdict = yield Call(Lane.PRESS, "press.verdict", lambda: self._devices.press.verdict(job, before))
        return verdict

    yield Effects, "_submit_held", submit_and_release
    yield Effects, "_release_and_ask", only_ask


#: Broken at once, without any other fault; of all others a visit without faults must know nothing.
ALWAYS: Final = frozenset({"ids-from-the-clock"})

MUTATIONS: Final[dict[str, Mutate]] = {
    "checks-off": _checks_off,
    "lock-released-on-time-out": _lock_released,
    "ids-from-the-clock": _clock_ids,
    "feed-during-a-request": _feed_unseen,
    "completed-is-printed": _completed_is_printed,
    "capture-retried": _capture_retried,
    "verify-retried": _verify_retried,
    "reprint-on-unknown": _reprint_on_unknown,
    "event-applied-twice": _event_applied_twice,
    "guard-dropped": _guard_dropped,
    "synchronous-off": _synchronous_off,
    "act-before-commit": _act_before_commit,
}

FOCUS: Final[dict[str, Kind]] = {
    "checks-off": Kind.RENDER_MIXUP,
    "lock-released-on-time-out": Kind.PRINTER_STOPS,
    "ids-from-the-clock": Kind.DELAYED,
    "feed-during-a-request": Kind.FEED,
    "completed-is-printed": Kind.PRINTER_LIES,
    "capture-retried": Kind.COINS_CUT,
    "verify-retried": Kind.CARD_TORN,
    "reprint-on-unknown": Kind.PRINTER_CUT,
    "event-applied-twice": Kind.ANSWER_LOST,
    "guard-dropped": Kind.ANSWER_LOST,
    "synchronous-off": Kind.TERMINAL_CUT,
    "act-before-commit": Kind.TERMINAL_KILLED,
}
