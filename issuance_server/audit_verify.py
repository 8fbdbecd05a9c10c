"""Was anything changed, left out or put in by hand? The tree is built anew, and every decision compared with its rows.

Three looks, each of which finds what the others do not:
1. Every record is hashed again: what it says with its commitment, the record with its leaf.
2. The leaves give the roots that were signed, and those that somebody has kept.
3. What the records of a subject say, one after the other, is what its rows say now; no row without a record, and no
   record without its row.

It reads only, one subject at a time, and what it tells of names places and never values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Date,
    Engine,
    LargeBinary,
    Row,
    Table,
    bindparam,
    exists,
    select,
)

from issuance_server.audit_log import FORGOTTEN, MAX_LAG, Facts, Value, commitment, entry, plain, subject_of
from issuance_server.audit_tree import BadCheckpoint, Checkpoint, Signer
from issuance_server.database import read
from issuance_server.ledger import NOT_RECORDED
from issuance_server.merkle import HASH_BYTES, Frontier, leaf_hash
from issuance_server.schema import (
    audit_checkpoints,
    audit_records,
    case_findings,
    cases,
    enrolments,
    municipality_stops,
    order_events,
    orders,
    payment_lines,
    payments,
    postings,
    restores,
    settings,
    stops,
    terminals,
)

_BATCH: Final = 500


class Fault(StrEnum):
    """What was found; each names its place."""

    FACTS = "facts"  # what a record says is not what it committed to
    RECORD = "record"  # a record is not what the tree holds of it
    GAP = "gap"  # the tree has leaves there, and no records are
    ROOT = "root"  # between two checkpoints something is not what was signed
    CHECKPOINT = "checkpoint"  # a checkpoint is not signed, or says something else
    KEPT = "kept"  # a checkpoint that somebody kept is not one of this tree
    OUTSIDE = "outside"  # a record waits for its place or its signature: the tree is not grown
    CELL = "cell"  # a row's column is not what was decided
    ROW_MISSING = "row missing"  # decided, and not there
    ROW_UNDECIDED = "row undecided"  # there, and nobody decided it


@dataclass(frozen=True, slots=True)
class Found:
    """One finding."""

    fault: Fault
    where: str


@dataclass
class Verified:
    """How much was looked at. unsigned: leaves behind the last checkpoint, which the next one signs."""

    records: int = 0
    forgotten: int = 0
    checkpoints: int = 0
    unsigned: int = 0
    rows: int = 0
    found: int = 0


@dataclass(frozen=True, slots=True)
class _Recorded:
    """A table whose rows are decided. root: of whose row they are part; the subject is that row."""

    table: Table
    left_out: frozenset[str] = frozenset()
    root: Table | None = None

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.table.primary_key)

    @property
    def columns(self) -> tuple[str, ...]:
        left_out = self.left_out.union(self.key)
        return tuple(column.name for column in self.table.columns if column.name not in left_out)

    def name(self, key: Mapping[str, Any]) -> str:
        """Return what a row is called here."""
        return subject_of(self.table.name, {column: key[column] for column in self.key})


_TOLD = frozenset(("accepted_through", "backed_up_through"))  # of a terminal: it moves on with every event
_RECORDED: Final = (
    _Recorded(orders, NOT_RECORDED),
    _Recorded(order_events, root=orders),
    _Recorded(settings),
    _Recorded(stops),
    _Recorded(municipality_stops),
    _Recorded(terminals, _TOLD),
    _Recorded(enrolments),
    _Recorded(cases),
    _Recorded(case_findings, root=cases),
    _Recorded(payments),
    _Recorded(payment_lines, root=payments),
    _Recorded(postings, root=payments),
    _Recorded(restores),
)
_BY_NAME: Final = {one.table.name: one for one in _RECORDED}
_records = audit_records.c
_INSIDE: Final = (
    select(audit_records).where(_records.leaf_index >= bindparam("start")).order_by(_records.leaf_index).limit(_BATCH)
)
_OUTSIDE: Final = select(audit_records).where(_records.leaf_index.is_(None)).order_by(_records.number)
_CHECKPOINTS: Final = select(audit_checkpoints).order_by(audit_checkpoints.c.tree_size)
_SUBJECTS: Final = select(_records.subject).where(_records.subject.is_not(None)).distinct().order_by(_records.subject)
_OF_SUBJECT: Final = select(audit_records).where(_records.subject == bindparam("about")).order_by(_records.number)


@dataclass
class Verification:
    """One run over a database. signer: for looks 1 and 2; kept: checkpoints that somebody kept, as notes."""

    engine: Engine
    signer: Signer | None
    now_utc: datetime
    kept: tuple[str, ...] = ()
    counts: Verified = field(default_factory=Verified)

    def run(self) -> Iterator[Found]:
        """Yield what is found."""
        for look in (self.tree, self.rows):
            for found in look():
                self.counts.found += 1
                yield found

    # 1 and 2: the tree

    def tree(self) -> Iterator[Found]:
        """Yield what is wrong with records and checkpoints: looks 1 and 2."""
        assert self.signer is not None
        with _one_moment(self.engine) as connection:
            roots = _Roots()
            yield from self._signed(connection, self.signer, roots)
            last_signed = roots.largest
            yield from self._kept(self.signer, roots)
            frontier, emptied, accounted = Frontier(), set[int](), set[int]()
            for row in self._inside(connection):
                for place in range(frontier.size, row.leaf_index):
                    yield Found(Fault.GAP, f"leaf {place}")
                    frontier = frontier.add(bytes(HASH_BYTES))
                yield from self._record(row, emptied, accounted)
                frontier = frontier.add(leaf_hash(entry(row)))
                yield from roots.compare(frontier)
                if frontier.size > last_signed and self.now_utc - row.at_utc > MAX_LAG:
                    yield Found(Fault.OUTSIDE, f"leaf {row.leaf_index} is not signed")
            yield from roots.never_reached(frontier.size)
            self.counts.unsigned = max(0, frontier.size - last_signed)
            for row in connection.execute(_OUTSIDE):
                if self.now_utc - row.at_utc > MAX_LAG:
                    yield Found(Fault.OUTSIDE, f"record {row.number}")
                if row.facts is not None and (facts := _facts(row)) is not None:
                    accounted.update(facts.forgotten)
            for number in sorted(emptied ^ accounted):
                yield Found(Fault.FACTS, f"record {number}: {'emptied' if number in emptied else 'not forgotten'}")

    def _signed(self, connection: Connection, signer: Signer, roots: _Roots) -> Iterator[Found]:
        for row in connection.execute(_CHECKPOINTS):
            self.counts.checkpoints += 1
            try:
                frontier = signer.frontier(row)
            except BadCheckpoint as bad:
                yield Found(Fault.CHECKPOINT, f"tree size {row.tree_size}: {bad}")
                continue
            roots.want(Fault.ROOT, Checkpoint(frontier.size, frontier.root()))

    def _kept(self, signer: Signer, roots: _Roots) -> Iterator[Found]:
        for number, note in enumerate(self.kept, start=1):
            try:
                roots.want(Fault.KEPT, signer.read(note))
            except BadCheckpoint as bad:
                yield Found(Fault.KEPT, f"kept checkpoint {number}: {bad}")

    def _inside(self, connection: Connection) -> Iterator[Row[Any]]:
        start = 0
        while rows := connection.execute(_INSIDE, {"start": start}).all():
            yield from rows
            start = rows[-1].leaf_index + 1

    def _record(self, row: Row[Any], emptied: set[int], accounted: set[int]) -> Iterator[Found]:
        """Judge one record. emptied: those of which nothing is left; accounted: those that records say were."""
        self.counts.records += 1
        where = f"leaf {row.leaf_index}, record {row.number}"
        if row.leaf_hash != leaf_hash(entry(row)):
            yield Found(Fault.RECORD, where)
        if row.salt is None and row.facts is None and row.subject is None:
            self.counts.forgotten += 1
            emptied.add(row.number)
        elif row.salt is None or row.facts is None or row.commitment != commitment(row.salt, row.facts):
            yield Found(Fault.FACTS, where)
        elif (facts := _facts(row)) is None or facts.subject != row.subject:
            yield Found(Fault.FACTS, f"{where}: it is about another row")
        else:
            accounted.update(facts.forgotten)

    # 3: the rows

    def rows(self) -> Iterator[Found]:
        """Yield what is wrong with rows: look 3."""
        with _one_moment(self.engine) as connection:
            for one in _RECORDED:
                if one.root is None:
                    keys = [one.table.c[name] for name in one.key]
                    for row in connection.execute(select(*keys).order_by(*keys)).all():
                        yield from self._compare(connection, one, dict(row._mapping))
                else:
                    yield from _orphans(connection, one, one.root)
            for (subject,) in connection.execute(_SUBJECTS).all():
                yield from _look_for(connection, subject)

    def _compare(self, connection: Connection, root: _Recorded, key: Mapping[str, Any]) -> Iterator[Found]:
        """Compare all rows of a subject with what was decided of them."""
        decided = _Decided.read(connection, root.name(key))
        for one in (root, *(child for child in _RECORDED if child.root is root.table)):
            where = [one.table.c[name] == value for name, value in key.items()]
            for row in connection.execute(select(*one.table.columns).where(*where)):
                self.counts.rows += 1
                yield from decided.compare(one, dict(row._mapping))
        for name in decided.rows:
            yield Found(Fault.ROW_MISSING, name)


@contextmanager
def _one_moment(engine: Engine) -> Iterator[Connection]:
    """A transaction whose statements all see one moment: a server that issues meanwhile is no fraud."""
    if engine.dialect.name != "sqlite":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with read(engine) as connection:
        yield connection


def _facts(row: Row[Any]) -> Facts | None:
    """Return what a record says; None where nobody can read it, which is found by its commitment."""
    try:
        return msgspec.json.decode(row.facts, type=Facts)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _orphans(connection: Connection, one: _Recorded, root: Table) -> Iterator[Found]:
    """Yield rows that are part of nothing: they would be compared with nothing."""
    same = [one.table.c[column.name] == column for column in root.primary_key]
    keys = [one.table.c[name] for name in one.key]
    for row in connection.execute(select(*keys).where(~exists().where(*same))).all():
        yield Found(Fault.ROW_UNDECIDED, one.name(dict(row._mapping)))


def _look_for(connection: Connection, subject: str) -> Iterator[Found]:
    """Yield a row that was decided and is not there at all; what of it is there, was compared."""
    key = _Decided.read(connection, subject).keys.get(subject)
    if key is not None:
        one = _BY_NAME[subject.partition(":")[0]]
        where = [_is(one.table.c[name], value) for name, value in key.items()]
        if connection.execute(select(one.table.c[one.key[0]]).where(*where)).first() is None:
            yield Found(Fault.ROW_MISSING, subject)


class _Roots:
    """The roots that the tree must have had, by its size."""

    def __init__(self) -> None:
        self._wanted: dict[int, list[tuple[Fault, bytes]]] = {}
        self._holds_to = {Fault.ROOT: 0, Fault.KEPT: 0}
        self._lost: set[Fault] = set()  # behind the first root that is another one all are

    @property
    def largest(self) -> int:
        """The largest size of which one is wanted."""
        return max(self._wanted, default=0)

    def want(self, fault: Fault, checkpoint: Checkpoint) -> None:
        """Have a root compared; fault: what it is if the tree has another."""
        self._wanted.setdefault(checkpoint.tree_size, []).append((fault, checkpoint.root))

    def compare(self, frontier: Frontier) -> Iterator[Found]:
        """Yield the first root of each kind that the tree does not have."""
        for fault, root in self._wanted.pop(frontier.size, ()):
            if frontier.root() == root:
                self._holds_to[fault] = frontier.size
            elif fault not in self._lost:
                self._lost.add(fault)
                yield Found(fault, f"leaves {self._holds_to[fault]} to {frontier.size - 1}")

    def never_reached(self, size: int) -> Iterator[Found]:
        """Yield what is missing at the tree's end: it was larger once."""
        for fault in (Fault.ROOT, Fault.KEPT):
            sizes = [one for one, wanted in self._wanted.items() if any(of is fault for of, _root in wanted)]
            if sizes:
                yield Found(Fault.GAP if fault is Fault.ROOT else fault, f"leaves {size} to {max(sizes) - 1}")


@dataclass
class _Decided:
    """What the records of a subject say of its rows, all taken together.

    rows: by name, the last value of each column; those that are compared are taken out. partly: some of it was
    forgotten, and what is left proves less.
    """

    rows: dict[str, dict[str, Value]] = field(default_factory=dict)
    keys: dict[str, dict[str, Value]] = field(default_factory=dict)
    partly: bool = False

    @classmethod
    def read(cls, connection: Connection, subject: str) -> _Decided:
        """Replay the records of a subject."""
        made = cls()
        for record in connection.execute(_OF_SUBJECT, {"about": subject}):
            made.partly = made.partly or record.what == FORGOTTEN
            facts = None if record.facts is None else _facts(record)
            if facts is not None:
                made._take(facts)
        return made

    def _take(self, facts: Facts) -> None:
        for table, key, values in facts.rows:
            if table not in _BY_NAME:
                continue
            name = _BY_NAME[table].name(key)
            if values or name != facts.subject:
                self.rows.setdefault(name, {}).update(values)
                self.keys[name] = key

    def compare(self, one: _Recorded, row: Mapping[str, Any]) -> Iterator[Found]:
        """Compare one row; what was never said of a column is that it is empty."""
        name = one.name(row)
        said = self.rows.pop(name, None)
        if said is None:
            if not self.partly:
                yield Found(Fault.ROW_UNDECIDED, name)
            return
        for column in one.columns:
            if column not in said and self.partly:
                continue
            if said.get(column) != plain(row[column]):
                yield Found(Fault.CELL, f"{name}: {column}")


def _is(column: Column[Any], value: Value) -> ColumnElement[bool]:
    """Compare a key's column with a value as records have it."""
    match column.type:
        case Date():
            return column == date.fromisoformat(str(value))
        case LargeBinary():
            return column == bytes.fromhex(str(value))
        case _:
            return column == value
