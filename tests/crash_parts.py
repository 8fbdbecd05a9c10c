"""A store whose power can go at any point: paper, coins, the disk and the server stay, every process's memory goes.

One process is driven step by step on one thread, through the real flow, the real effects and a real journal on disk.
Points stand before and behind every call to a device and every append to the journal; at the one that is chosen the
process ends as by a kill, and nothing of it is asked again but its journal.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from printing.press.verdict import Verdict
from protocol.messages import ChallengeAnswer, Event, EventKind, PaymentMethod, SignedEvent
from terminal import history
from terminal import visit as v
from terminal.devices import Devices, failure
from terminal.effects import Effects
from terminal.flow import TIMEOUT_S, step
from terminal.journal import Act, Case, Entry, Intent, Journal
from terminal.paper_check import ALL_CHECKS, PaperCheck, PaperGuard
from terminal.payment.device import MoneyCounted
from terminal.programs import Identity, Program, Sources
from terminal.visit import State, Visit
from tests.code_parts import Phone, PhoneCodes
from tests.emoney_parts import Hand, HandHeldEmoney
from tests.fakes import TERMINAL_ID, FakeCard, FakeCoins, FakePress, FakeServer
from tests.receipt_parts import FakeReceipts
from tests.terminal_rig import CHOICE

KEY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
UNSEALED = ALL_CHECKS - {PaperCheck.SHEETS, PaperCheck.PRINTED_SEAL}  # bytes are bytes here: no page is drawn
NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
ENDS = {
    EventKind.ORDER_VOIDED: "void",
    EventKind.GRANT_ABANDONED: "void",
    EventKind.FAILED: "void",
    EventKind.PARTIAL: "void",
    EventKind.CAPTURED: "settled",
    EventKind.CAPTURE_FAILED: "uncollected",
}


class Killed(BaseException):
    """The process is gone."""


class QuickServer(FakeServer):
    """Papers without a page, and the store's clock."""

    now_utc: Callable[[], datetime]

    def challenge(self, visit_id: str) -> ChallengeAnswer:
        answer = super().challenge(visit_id)
        return msgspec.structs.replace(answer, expires_at_utc=self.now_utc() + timedelta(seconds=60))

    def paper_pdf(self, binding: bytes, issue_number: str, **_sealed: Any) -> bytes:
        return b"paper of " + issue_number.encode() + binding


@dataclass(frozen=True)
class Script:
    """What somebody does at the terminal; they stay through a short cut, if they stay."""

    coins: tuple[int, ...] = (100, 100)
    copies: int = 1
    cancels: bool = False  # instead of paying in full
    stays: bool = True
    verdicts: tuple[Verdict, ...] = ()
    fee_yen: int = 200
    stuck_yen: int = 0
    loses_answer_of: str | None = None
    documents: int = 1  # of so many kinds, each with `copies`, paid for together
    hands: tuple[Hand, ...] | None = None  # that hold a card to the contract terminal; None = coins
    phone: Phone | None = None  # that reads the code on the screen; None = coins

    @property
    def method(self) -> PaymentMethod:
        """How they pay."""
        if self.hands is not None:
            return PaymentMethod.EMONEY
        return PaymentMethod.QR if self.phone is not None else PaymentMethod.CASH


@dataclass(frozen=True)
class Cut:
    """How the power goes."""

    length_s: float = 10.0
    printer_too: bool = False  # printer and queue forget; without, only the terminal's process ends
    meter: bool = True  # the printer has a lifetime counter


@dataclass
class Store:
    """Everything that is left when a process is killed."""

    folder: Path
    script: Script = field(default_factory=Script)
    cut: Cut = field(default_factory=Cut)

    def __post_init__(self) -> None:
        self.press, self.coins, self.server = FakePress(), FakeCoins(), QuickServer(KEY)
        self.emoney = HandHeldEmoney(self.folder, self.script.hands or ())
        self.codes = PhoneCodes(self.script.phone or "agrees")
        self.receipts = FakeReceipts()
        self.press.verdicts = list(self.script.verdicts)
        self.press.has_meter = self.cut.meter
        self.coins.stuck_yen = self.script.stuck_yen
        self.server.fee_yen = self.script.fee_yen
        self.now_utc = NOW
        self.server.now_utc = lambda: self.now_utc
        self.points: list[str] = []
        self.kill_at: int | str | None = None
        self.is_there = True
        self.guard = PaperGuard(TERMINAL_ID, self.server.trust, UNSEALED)

    def point(self, name: str) -> None:
        """The power may go here."""
        self.points.append(name)
        if self.kill_at in {len(self.points) - 1, name}:
            raise Killed(name)

    def journal(self) -> Journal:
        return Journal(self.folder / "journal.sqlite", now_utc=lambda: self.now_utc)

    def lose_power(self) -> None:
        """The cut, and the time that it takes."""
        if self.cut.printer_too:
            self.press.lose_power()
            self.emoney.lose_power()
        self.now_utc += timedelta(seconds=self.cut.length_s)
        self.is_there = self.script.stays
        self.points, self.kill_at = [], None

    @property
    def now_s(self) -> float:
        return self.now_utc.timestamp()

    def told(self) -> Told:
        """Send what the journal holds, and return what stands in it and what the server was ever told."""
        journal = self.journal()
        signed = [msgspec.json.decode(row.signed, type=SignedEvent) for row in journal.outgoing(1000)]
        if signed:
            journal.accept_through(self.server.send_events(tuple(signed)).accepted_through)
        cases = sorted(str(row.body.code) for row in journal.open_cases() if isinstance(row.body, Case))
        found = history.read(journal.rows())
        journal.close()
        return Told(tuple(self.server.events), tuple(cases), found.is_open)


@dataclass(frozen=True)
class Told:
    """What the terminal has said of itself, to the server and to staff."""

    events: tuple[Event, ...]
    cases: tuple[str, ...]
    is_open: bool  # something in the journal has no end

    def ends(self) -> tuple[str, ...]:
        """Return what became of the orders; each has one end at most."""
        orders: dict[str, list[str]] = {}
        for event in self.events:
            if event.order_id is not None:
                orders.setdefault(event.order_id, []).extend([ENDS[event.kind]] if event.kind in ENDS else [])
        assert all(len(ends) <= 1 for ends in orders.values()), "an order has one end"
        return tuple(sorted(end for ends in orders.values() for end in ends))

    def printed(self) -> int:
        """Return for how many orders the server was told that their paper is out."""
        counted = Counter(event.order_id for event in self.events if event.kind is EventKind.PRINTED)
        assert set(counted.values()) <= {1}, "told once"
        return len(counted)

    def owed_yen(self) -> int:
        """Return what the server was told to be due."""
        return sum(event.amount_yen or 0 for event in self.events if event.kind is EventKind.RETURN_DUE)


class Process:
    """The terminal's process, from its first row to the kill or to the next visitor."""

    def __init__(self, store: Store, *, recovers: bool = True) -> None:
        self.store = store
        self._recovers = recovers
        self.journal = store.journal()
        append = self.journal.append
        receipts = {row.row for row in self.journal.rows() if _is_receipt(row.body)}

        def append_at_points(*entries: Entry) -> tuple[int, ...]:
            name = "+".join(_name(entry) + " receipt" * (entry.of_row in receipts) for entry in entries)
            store.point(f"before row {name}")
            rows = append(*entries)
            receipts.update(row for row, entry in zip(rows, entries, strict=True) if _is_receipt(entry.body))
            store.point(f"after row {name}")
            return rows

        self.journal.append = append_at_points  # type: ignore[method-assign]  # the same append, between two points
        store.coins.tell = self._counted
        emoney = store.emoney if store.script.hands is not None else None
        codes = store.codes if store.script.phone is not None else None
        devices = Devices(
            FakeCard(), store.press, store.coins, store.server, emoney=emoney, codes=codes, receipt=store.receipts
        )
        sources = Sources(monotonic=lambda: store.now_s, now_utc=lambda: store.now_utc)
        self.effects = Effects(self.journal, devices, Identity(TERMINAL_ID, KEY), store.guard, sources)
        self.visit = Visit(State.RECOVERING)
        self.events: deque[v.Event] = deque()
        self.states: list[State] = []

    def boot(self) -> Visit:
        """Begin, and end what the process before left open."""
        self.effects.boot()
        if self._recovers:
            self._begin((v.Recover(),))
        else:
            self.events.append(v.Recovered())
        return self._run()

    def serve(self) -> Visit:
        """Serve one visitor, from the choice of a document on."""
        memory, script = self.effects.memory, self.store.script
        memory.visit_id, memory.session_id = "a" * 32, "session"
        memory.visit_secret, memory.certificate_sha256 = bytearray(16), bytes(32)
        self.visit = Visit(State.CHOOSING, visit_id=memory.visit_id)
        self.events.append(v.Choose(replace(CHOICE, copies=script.copies)))
        return self._run()

    def _run(self) -> Visit:
        """Until the terminal waits for nobody any more."""
        for _ in range(200):
            if not self.events:
                if self.visit.state in {State.IDLE, State.OUT_OF_SERVICE}:
                    return self.visit
                self._act()
            event = self.events.popleft()
            after, effects = step(self.visit, event)
            if after.state is not self.visit.state:
                self.states.append(after.state)
            about = after
            if any(isinstance(effect, v.ForgetVisit) for effect in effects):
                self.effects.forget()
                about = self.visit
            self.visit = after
            self._begin(self.effects.write_first(effects, about))
        raise AssertionError(f"no end: {self.states}")

    def _act(self) -> None:
        """What the person does, or the clock where there is none."""
        store, visit, script = self.store, self.visit, self.store.script
        touches: dict[State, Callable[[], v.Event]] = {
            State.CONFIRMING: self._pay_or_add,
            State.CHOOSING: lambda: v.Choose(replace(CHOICE, kind="taxation", copies=script.copies)),
            State.TAKE_PAPER: v.PaperTaken,
            State.REFUSED: v.PaperTaken,
            State.AFTER_CUT: v.TakeBack,
            State.PAID_OUT: v.PaperTaken,
            State.ASK_SHEETS: lambda: v.SheetsAnswered(all_there=self._sees_all()),
        }
        if not store.is_there or visit.state not in {*touches, State.COLLECTING}:
            store.now_utc += timedelta(seconds=TIMEOUT_S[visit.state])
            self.events.append(v.TimedOut())
        elif visit.state in touches:
            self.events.append(touches[visit.state]())
        elif store.coins.inserted_yen == 0:
            store.coins.insert(*script.coins)
        else:
            self.events.append(v.Cancel() if script.cancels else v.TimedOut())

    def _pay_or_add(self) -> v.Event:
        more = len({order.prepared.kind for order in self.visit.orders if order.prepared}) < self.store.script.documents
        return v.AddDocument() if more else v.Pay(self.store.script.method)

    def _sees_all(self) -> bool:
        order_id = self.visit.orders[self.visit.current].order_id
        return order_id in {printed for printed, _ in self.store.press.papers}

    def _counted(self, counted: MoneyCounted) -> None:
        self.events.append(v.MoneyInserted(counted.total_yen))

    def _begin(self, effects: tuple[v.Effect, ...]) -> None:
        for effect in effects:
            event: v.Event | None
            try:
                event = self._carry_out(self.effects.carry_out(effect, self.visit))
            except Exception as error:
                event = failure(error, None)
                if event == v.Failed(v.TerminalCode.INTERNAL):
                    raise
            if event is not None:
                self.events.append(event)

    def _carry_out(self, program: Program) -> v.Event | None:
        value: object = None
        error: Exception | None = None
        while True:
            try:
                call = program.send(value) if error is None else program.throw(error)
            except StopIteration as ended:
                returned: v.Event | None = ended.value
                return returned
            self.store.point(f"before {call.name}")
            value, error = None, None
            try:
                value = call.work()
            except Exception as raised:  # noqa: BLE001 - the program's own to handle
                error = raised
            self.store.point(f"after {call.name}")


def _is_receipt(body: object) -> bool:
    return isinstance(body, Intent) and body.act is Act.RECEIPT


def _name(entry: Entry) -> str:
    return f"intent {entry.body.act}" if isinstance(entry.body, Intent) else str(entry.kind)


def points_of(store: Store) -> list[str]:
    """Return where the power may go during a visit that nothing interrupts."""
    process = Process(store)
    process.boot()
    store.points.clear()
    process.serve()
    process.journal.close()
    return list(store.points)


def telling(points: list[str]) -> list[int]:
    """Return the points at which store and disk differ from the point before; coins fall in before they are held."""
    return [n for n, name in enumerate(points) if n == 0 or name.startswith("after") or name == "before payment.hold"]


def visit_until(store: Store, point: int | str) -> None:
    """Serve a visitor until the power goes, at a point by its number or name. Errors: Killed names it."""
    process = Process(store)
    process.boot()
    store.points, store.kill_at = [], point
    try:
        process.serve()
    finally:
        process.journal.close()


def visit_killed_at(store: Store, point: int) -> str:
    """Serve a visitor until the power goes; return where it went."""
    try:
        visit_until(store, point)
    except Killed as killed:
        return str(killed)
    raise AssertionError(f"there is no point {point}")
