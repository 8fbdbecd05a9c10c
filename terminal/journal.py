"""The terminal's memory on disk: one append-only, hash-chained table of what was begun and what became of it.

A row stands before and after every irreversible act; events for the server stand here until they are accepted; cases
stand here until staff close them. Nothing personal: ids, amounts, counters, codes.

sqlite-utils 4 can lose rows: after `execute("INSERT ... RETURNING")` on a connection of its own a transaction stays
open, later inserts become savepoints in it, and a kill loses them all. So the connection is made here, in autocommit,
without plugins, writes go through one method that looks at `in_transaction` afterwards, and one thread owns it.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from sqlite_utils import Database

from protocol.chain import GENESIS, link
from protocol.messages import SignedEvent

# An unknown table would be created silently on the first insert: each name stands here, once, and nowhere else.
_JOURNAL: Final = "journal"
_POSITION: Final = "position"
_COLUMNS: Final = {
    "row": int,
    "at_utc": str,
    "kind": str,
    "of_row": int,  # result: its intent; close: its case
    "sequence": int,  # event: its number for the server
    "body": bytes,
    "previous_hash": bytes,
    "hash": bytes,
}
_MARKS: Final = {
    "id": int,
    "accepted_through": int,
    "accepted_head": bytes,  # the chain of events through that one
    "backed_up_through": int,
    "alive_utc": str,
    "settled_row": int,  # whatever was begun up to this row has an end
}
_FIRST_MARKS: Final = {
    "id": 1,
    "accepted_through": 0,
    "accepted_head": GENESIS,
    "backed_up_through": 0,
    "alive_utc": "",
    "settled_row": 0,
}
_GENESIS: Final = hashlib.sha256(b"madoguchi-journal-v1").digest()
_BUSY_TIMEOUT_S: Final = 5.0
_NONCE_BYTES: Final = 16
_CHAINED: Final = ("at_utc", "kind", "of_row", "sequence")  # what a row's hash stands for, beside its body
_VALUES: Final = tuple(_COLUMNS)[1:]  # all but the number, which SQLite gives
_TELLS: Final = ("row", "at_utc", "kind", "of_row", "sequence", "body")  # what is read again, as in `Row`
# Written out once: sqlite-utils looks at the schema anew with each row that it writes or reads.
_INSERT: Final = f"insert into {_JOURNAL} ({', '.join(_VALUES)}) values ({', '.join('?' for _ in _VALUES)})"  # noqa: S608 - ours
_SELECT: Final = f"select {', '.join(_TELLS)} from {_JOURNAL} where "  # noqa: S608 - our constants


class RowKind(StrEnum):
    """What a row tells."""

    BOOT = "boot"
    IDS = "ids"  # ids that were made here, before they are first sent
    INTENT = "intent"
    RESULT = "result"
    EVENT = "event"
    CASE = "case"
    CLOSE = "close"


class Act(StrEnum):
    """What cannot be undone."""

    COLLECT = "collect"
    PRINT = "print"
    CAPTURE = "capture"
    RETURN = "return"
    HAND_OUT = "hand out"  # a paper lies at the outlet; the result tells that its visit has ended with it
    OWE = "owe"  # its code stands on the screen; the result tells that nobody looks at it any more
    CLAIM = "claim"  # a refund at the server
    PAY_OUT = "pay out"  # of the hoppers, for a claim
    SHOW_CODE = "show code"  # somebody may agree to pay from then on; the result tells that the server knows the end
    DEBIT = "debit"  # of a card, for one order
    CANCEL_DEBIT = "cancel debit"  # back onto the same card
    RECEIPT = "receipt"  # of a payment: a second one would be a second proof of it
    KEEP = "keep"  # tray to cashbox, and nothing given back: what is no fee is owed


class JournalUnavailable(Exception):
    """The journal takes no row (full, gone, damaged): no intent row, no act."""


class JournalBroken(Exception):
    """The chain of hashes does not hold; `row` is the first that does not follow from the one before."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} does not follow from the one before it")
        self.row = row


class Ids(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ids made by this terminal."""

    visit_id: str
    payment_id: str | None = None
    order_ids: tuple[str, ...] = ()


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """About to be done, with all that recovery needs: the process that knew it may be gone.

    Shape:  counters are the device's own, before the act. print: order_id, amount_yen (its fee), sheets. hand_out:
            order_id. collect, show code: payment_id, amount_yen (what is due). owe: payment_id, amount_yen. receipt:
            payment_id, amount_yen (what was charged), has_code. claim: claim_id. pay_out: claim_id, amount_yen. debit,
            cancel debit: order_id (which is the debit's id, too), payment_id, amount_yen. The other three: payment_id,
            held_yen, and as lines the printed orders with their fees; amount_yen is what stays in the cashbox, or for
            return what is to come back.
    """

    act: Act
    visit_id: str
    order_id: str | None = None
    payment_id: str | None = None
    claim_id: str | None = None
    amount_yen: int | None = None
    held_yen: int = 0
    sheets: int = 0
    lines: tuple[tuple[str, int], ...] = ()
    has_code: bool = False  # receipt: the refund's code stands on it
    counters: dict[str, int | None] = msgspec.field(default_factory=dict)


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of an intent."""

    outcome: str
    counters: dict[str, int | None] = msgspec.field(default_factory=dict)


class Case(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something is in doubt; the terminal serves nobody until staff close it."""

    code: str
    visit_id: str | None = None
    order_id: str | None = None
    payment_id: str | None = None
    detail: str = ""


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """The terminal's process began, for the number-th time. The nonce tells apart two who went on from one disk.

    alive_utc: when the process before was last known to live while it held somebody's money; "" = never.
    """

    number: int
    nonce: bytes
    alive_utc: str


class Close(msgspec.Struct, frozen=True, kw_only=True):
    """Staff found out what a case was; note is a word of theirs about sheets and money, never a person's data.

    Units: sheets_destroyed counts those that were found at the outlet and destroyed; None = none were looked for.
    """

    note: str
    sheets_destroyed: int | None = None


Body = Ids | Intent | Result | Case | Boot | Close
_BODY_TYPES: Final[dict[RowKind, type[Body]]] = {
    RowKind.IDS: Ids,
    RowKind.INTENT: Intent,
    RowKind.RESULT: Result,
    RowKind.CASE: Case,
    RowKind.BOOT: Boot,
    RowKind.CLOSE: Close,
}


@dataclass(frozen=True)
class Row:
    """One row of the journal; body is its struct, or for an event the exact bytes that were signed."""

    row: int
    at_utc: str
    kind: RowKind
    of_row: int | None
    sequence: int | None
    body: Body | bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be written. of_row: result: its intent; close: its case. sequence: event: its number."""

    kind: RowKind
    body: Body | bytes
    of_row: int | None = None
    sequence: int | None = None


@dataclass(frozen=True)
class Outgoing:
    """One event that the server has not accepted yet: the encoded SignedEvent."""

    sequence: int
    signed: bytes


class Journal:
    """The journal of one terminal. Every method belongs to the thread that made it.

    Errors of all methods: JournalUnavailable. Of the constructor also: JournalBroken.
    """

    def __init__(self, path: Path, now_utc: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now_utc = now_utc
        self._owner = threading.get_ident()
        try:
            self._db = open_database(path)
            self._create()
            self._hash = self._verify()
            # Nobody else writes: what these say is what was written last.
            self._marks: dict[str, Any] = next(iter(self._db.table(_POSITION).rows))
            self._last_sequence = int(self._scalar(f"select coalesce(max(sequence), 0) from {_JOURNAL}"))  # noqa: S608 - ours
        except sqlite3.Error as error:
            raise JournalUnavailable(str(error)) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def boot(self) -> Boot:
        """Write that the terminal began, one higher than the last time."""
        before = self._found("kind = 'boot' order by row desc limit 1")
        number = cast(Boot, before[0].body).number if before else 0
        alive_utc = self._marks["alive_utc"]
        boot = Boot(number=number + 1, nonce=secrets.token_bytes(_NONCE_BYTES), alive_utc=alive_utc)
        self.append(Entry(RowKind.BOOT, boot))
        return boot

    def append(self, *entries: Entry) -> tuple[int, ...]:
        """Write these rows, all or none of them, and return their numbers."""
        last, sequence, numbers = self._hash, self._last_sequence, []

        def write() -> None:
            nonlocal last, sequence
            with self._db.atomic():
                for entry in entries:
                    values = _values(entry, self._now(), last)
                    number = self._db.execute(_INSERT, [values[name] for name in _VALUES]).lastrowid
                    assert isinstance(number, int)
                    numbers.append(number)
                    last = values["hash"]
                    sequence = entry.sequence or sequence

        self._write(write)
        self._hash, self._last_sequence = last, sequence
        return tuple(numbers)

    def alive(self) -> None:
        """Remember that this process lives, so that the next one knows how long the cut was."""
        self._remember(alive_utc=self._now())

    def ids(self, ids: Ids) -> None:
        """Write ids before they are first sent."""
        self.append(Entry(RowKind.IDS, ids))

    def intent(self, intent: Intent) -> int:
        """Write what is about to be done; return the row for its result."""
        return self.append(Entry(RowKind.INTENT, intent))[0]

    def result(self, intent_row: int, result: Result) -> None:
        """Write what came of it."""
        self.append(Entry(RowKind.RESULT, result, of_row=intent_row))

    def has_result(self, intent_row: int) -> bool:
        """Tell whether it is written what came of an intent."""
        return bool(self._found("kind = 'result' and of_row = ? limit 1", intent_row))

    def next_sequence(self) -> int:
        """Return the number of the next event for the server."""
        return self._last_sequence + 1

    def event(self, sequence: int, signed: bytes) -> None:
        """Queue one signed event for the server. sequence is `next_sequence()`."""
        self.append(Entry(RowKind.EVENT, signed, sequence=sequence))

    def outgoing(self, limit: int) -> tuple[Outgoing, ...]:
        """Return the oldest events that the server has not accepted, in order."""
        found = self._found("kind = 'event' and sequence > ? order by sequence limit ?", self.accepted_through(), limit)
        return tuple(Outgoing(cast(int, row.sequence), cast(bytes, row.body)) for row in found)

    def unsent(self) -> int:
        """Return how many events the server has not accepted."""
        return self.next_sequence() - 1 - self.accepted_through()

    def accepted_through(self) -> int:
        """Return the last event number that the server has accepted."""
        return int(self._marks["accepted_through"])

    def backed_up_through(self) -> int:
        """Return the last event number that outlives the server; older rows need not be kept for it."""
        return int(self._marks["backed_up_through"])

    def resume_from(self, accepted_through: int, backed_up_through: int) -> None:
        """Go on with what the server says it has, even where that is less than it had: its backup lacks the rest."""
        known, head = self.accepted_through(), self._accepted_head()
        if accepted_through < known:
            known, head = 0, GENESIS
        self._remember(
            accepted_through=accepted_through,
            accepted_head=self._chain(head, known, accepted_through),
            backed_up_through=backed_up_through,
        )

    def event_heads(self) -> tuple[bytes, bytes]:
        """Return the chain over the events: through the last, and through the last that the server has accepted."""
        accepted, accepted_head = self.accepted_through(), self._accepted_head()
        return self._chain(accepted_head, accepted, self.next_sequence() - 1), accepted_head

    def _accepted_head(self) -> bytes:
        return bytes(self._marks["accepted_head"])

    def _chain(self, head: bytes, after: int, through: int) -> bytes:
        for row in self._found("kind = 'event' and sequence > ? and sequence <= ? order by sequence", after, through):
            head = link(head, msgspec.json.decode(cast(bytes, row.body), type=SignedEvent).body)
        return head

    @property
    def head(self) -> bytes:
        """Hash of the last row, and through it of every row."""
        return self._hash

    def accept_through(self, sequence: int, backed_up_through: int = 0) -> None:
        """Remember that the server has everything up to this number; neither falls."""
        if sequence >= self.next_sequence():
            raise ValueError(f"the server accepts event {sequence}, which was never written")
        known, kept = self.accepted_through(), self.backed_up_through()
        if sequence > known or backed_up_through > kept:
            self.resume_from(max(sequence, known), max(backed_up_through, kept))

    def case(self, case: Case) -> int:
        """Open a case; return its row."""
        return self.append(Entry(RowKind.CASE, case))[0]

    def close_case(self, case_row: int, note: str, sheets_destroyed: int | None = None) -> None:
        """Close a case with what was found. Errors: ValueError if no such case is open."""
        if case_row not in {row.row for row in self.open_cases()}:
            raise ValueError(f"no case is open under {case_row}")
        self.append(Entry(RowKind.CLOSE, Close(note=note, sheets_destroyed=sheets_destroyed), of_row=case_row))

    def open_cases(self) -> tuple[Row, ...]:
        """Return the cases that staff have not closed."""
        closed = f"select of_row from {_JOURNAL} where kind = 'close'"  # noqa: S608 - our constant
        return tuple(self._found(f"kind = 'case' and row not in ({closed}) order by row"))

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Return every row in order, or those after one."""
        with _reading():
            yield from map(_row, self._db.execute(f"{_SELECT} row > ? order by row", [after]))

    def open_rows(self) -> Iterator[Row]:
        """Return the rows in which anything can stand open, in order."""
        return self.rows(after=int(self._marks["settled_row"]))

    def settle(self) -> None:
        """Remember that nothing stands open: years of rows need not be read again at each start."""
        last = self._scalar(f"select coalesce(max(row), 0) from {_JOURNAL}")  # noqa: S608 - our constant
        self._remember(settled_row=last)

    def _remember(self, **marks: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in marks)
        self._write(lambda: self._db.execute(f"update {_POSITION} set {names}", list(marks.values())))  # noqa: S608 - ours
        self._marks |= marks

    def _write(self, write: Callable[[], Any]) -> Any:
        """Carry out one write and see that it is committed: an open transaction would be lost with the process."""
        assert threading.get_ident() == self._owner, "the journal belongs to the thread that opened it"
        try:
            written = write()
        except sqlite3.Error as error:
            raise JournalUnavailable(str(error)) from error
        if self._db.conn.in_transaction:
            raise JournalUnavailable("a transaction stayed open: the row is not safe")
        return written

    def _now(self) -> str:
        return self._now_utc().isoformat(timespec="milliseconds")

    def _create(self) -> None:
        rows, marks = self._db.table(_JOURNAL), self._db.table(_POSITION)
        if not rows.exists():
            rows.create(_COLUMNS, pk="row", not_null={"at_utc", "kind", "body", "previous_hash", "hash"}, strict=True)
            rows.create_index(["sequence"], unique=True)
            rows.create_index(["kind", "of_row"])
        if not marks.exists():
            marks.create(_MARKS, pk="id", not_null=set(_MARKS), strict=True)
        if marks.count == 0:
            marks.insert(_FIRST_MARKS)

    def _verify(self) -> bytes:
        """Return the last hash. Errors: JournalBroken."""
        last = _GENESIS
        told = ", ".join(_CHAINED)
        # Tuples, since there may be years of them.
        for row, previous, hash_, body, *chained in self._db.execute(
            f"select row, previous_hash, hash, body, {told} from {_JOURNAL} order by row"  # noqa: S608 - our constants
        ):
            if previous != last or hash_ != _link(previous, chained, body):
                raise JournalBroken(row)
            last = hash_
        return last

    def _found(self, where: str, *values: object) -> list[Row]:
        with _reading():
            return [_row(found) for found in self._db.execute(_SELECT + where, values)]

    def _scalar(self, sql: str) -> Any:
        with _reading():
            return self._db.execute(sql).fetchone()[0]


@contextmanager
def _reading() -> Iterator[None]:
    """A file that breaks under us is said as one that takes no row: nothing may begin on what cannot be read."""
    try:
        yield
    except sqlite3.Error as error:
        raise JournalUnavailable(str(error)) from error


def open_database(path: Path) -> Database:
    """Return the file in autocommit, with every commit on the disk before it returns."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    return Database(connection, execute_plugins=False, strict=True)


def _values(entry: Entry, at_utc: str, previous_hash: bytes) -> dict[str, Any]:
    body = entry.body if isinstance(entry.body, bytes) else msgspec.json.encode(entry.body)
    values: dict[str, Any] = {
        "at_utc": at_utc,
        "kind": entry.kind.value,
        "of_row": entry.of_row,
        "sequence": entry.sequence,
        "body": body,
        "previous_hash": previous_hash,
    }
    return {**values, "hash": _chained(values)}


def _chained(row: Mapping[str, Any]) -> bytes:
    return _link(row["previous_hash"], [row[name] for name in _CHAINED], row["body"])


def _link(previous_hash: bytes, chained: list[Any], body: bytes) -> bytes:
    told = msgspec.json.encode(chained)
    return hashlib.sha256(previous_hash + len(told).to_bytes(4, "big") + told + body).digest()


def _row(told: tuple[Any, ...]) -> Row:
    row, at_utc, said, of_row, sequence, encoded = told
    kind = RowKind(said)
    body_type = _BODY_TYPES.get(kind)
    body = encoded if body_type is None else msgspec.json.decode(encoded, type=body_type)
    return Row(row, at_utc, kind, of_row, sequence, body)
