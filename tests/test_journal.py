"""The journal keeps what it was given: against kills, against a full disk, against its own library's trap."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import pytest
from sqlite_utils import Database

from protocol.chain import GENESIS, link
from protocol.codec import encode
from protocol.messages import SignedEvent
from terminal.journal import (
    Act,
    Case,
    Close,
    Entry,
    Ids,
    Intent,
    Journal,
    JournalBroken,
    JournalUnavailable,
    Result,
    RowKind,
    open_database,
)

ROOT = Path(__file__).resolve().parent.parent
BOUND_S = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    made = Journal(path)
    yield made
    made.close()


def _intent(act: Act = Act.PRINT) -> Intent:
    return Intent(act=act, visit_id="a" * 32, order_id="b" * 32, counters={"lifetime_impressions": 7})


def signed(body: bytes) -> bytes:
    return encode(SignedEvent(body=body, signature=bytes(64)))


def _write_intents(journal: Journal, count: int) -> None:
    for _ in range(count):
        journal.intent(_intent())


def test_what_was_written_is_read_again(path: Path) -> None:
    journal = Journal(path)
    assert journal.boot().number == 1
    journal.ids(Ids(visit_id="a" * 32, order_ids=("b" * 32,)))
    row = journal.intent(_intent())
    journal.result(row, Result(outcome="printed"))
    journal.close()
    again = Journal(path)
    rows = list(again.rows())
    assert [r.kind for r in rows] == [RowKind.BOOT, RowKind.IDS, RowKind.INTENT, RowKind.RESULT]
    assert (rows[2].body, rows[3].of_row) == (_intent(), row)
    again.close()


def test_each_start_is_one_higher_than_the_last_and_like_no_other(path: Path) -> None:
    boots = []
    for _ in range(3):
        journal = Journal(path)
        boots.append(journal.boot())
        journal.close()
    assert [boot.number for boot in boots] == [1, 2, 3]
    assert len({boot.nonce for boot in boots}) == 3


def test_a_start_knows_when_the_process_before_was_last_alive(path: Path) -> None:
    moments = iter([datetime(2026, 11, 29, 3, minute, tzinfo=UTC) for minute in range(9)])
    journal = Journal(path, now_utc=lambda: next(moments))
    assert journal.boot().alive_utc == ""
    journal.alive()
    assert journal.boot().alive_utc == "2026-11-29T03:01:00.000+00:00"
    journal.close()


def test_rows_that_belong_together_are_written_together_or_not_at_all(journal: Journal) -> None:
    journal.event(1, b"one")
    result, event = Entry(RowKind.RESULT, Result(outcome="printed"), of_row=9), Entry(RowKind.EVENT, b"x", sequence=1)
    with pytest.raises(JournalUnavailable, match="UNIQUE"):
        journal.append(result, event)  # the number is taken
    assert [row.kind for row in journal.rows()] == [RowKind.EVENT]
    assert journal.append(result, Entry(RowKind.EVENT, b"two", sequence=2)) == (2, 3)
    assert [row.kind for row in journal.rows()] == [RowKind.EVENT, RowKind.RESULT, RowKind.EVENT]


def test_the_chain_holds_over_rows_that_were_written_together(path: Path) -> None:
    journal = Journal(path)
    with pytest.raises(JournalUnavailable):
        journal.append(Entry(RowKind.EVENT, b"x", sequence=1), Entry(RowKind.EVENT, b"y", sequence=1))
    journal.append(Entry(RowKind.EVENT, b"x", sequence=1), Entry(RowKind.EVENT, b"y", sequence=2))
    journal.close()
    again = Journal(path)  # raises JournalBroken where a hash does not follow
    assert [row.body for row in again.rows()] == [b"x", b"y"]
    again.close()


def test_events_wait_in_order_until_they_are_accepted(journal: Journal) -> None:
    bodies = (b"one", b"two", b"three")
    for body in bodies:
        journal.event(journal.next_sequence(), signed(body))
    assert [(e.sequence, e.signed) for e in journal.outgoing(2)] == [(1, signed(b"one")), (2, signed(b"two"))]
    heads = [GENESIS, *accumulate(bodies, link, initial=GENESIS)][1:]
    assert journal.event_heads() == (heads[3], heads[0])
    journal.accept_through(2, backed_up_through=1)
    journal.accept_through(1)
    assert journal.event_heads() == (heads[3], heads[2])
    assert journal.backed_up_through() == 1
    assert [e.sequence for e in journal.outgoing(9)] == [3]
    assert (journal.accepted_through(), journal.unsent()) == (2, 1)
    with pytest.raises(ValueError, match="never written"):
        journal.accept_through(4)
    journal.resume_from(1, 0)  # the server was restored
    assert ([e.sequence for e in journal.outgoing(9)], journal.event_heads()) == ([2, 3], (heads[3], heads[1]))


def test_what_has_an_end_is_not_read_again(journal: Journal) -> None:
    journal.ids(Ids(visit_id="a" * 32))
    journal.settle()
    assert list(journal.open_rows()) == []
    row = journal.intent(_intent())
    assert [each.row for each in journal.open_rows()] == [row]
    assert len(list(journal.rows())) == 2


def test_an_event_number_is_used_once(journal: Journal) -> None:
    journal.event(1, b"one")
    with pytest.raises(JournalUnavailable, match="UNIQUE"):
        journal.event(1, b"another")


def test_a_case_is_open_until_it_is_closed_once(journal: Journal) -> None:
    row = journal.case(Case(code="PRINT_UNKNOWN", order_id="b" * 32))
    assert [case.row for case in journal.open_cases()] == [row]
    journal.close_case(row, "found in the tray", 2)
    assert journal.open_cases() == ()
    assert [r.body for r in journal.rows() if r.of_row == row] == [Close(note="found in the tray", sheets_destroyed=2)]
    with pytest.raises(ValueError, match="no case is open"):
        journal.close_case(row, "again")


@pytest.mark.parametrize(
    "damage",
    [
        'update journal set body = cast(\'{"act":"print"}\' as blob) where row = 2',
        "update journal set of_row = 1 where row = 3",
        "delete from journal where row = 2",
    ],
)
def test_a_changed_or_missing_row_is_noticed(path: Path, damage: str) -> None:
    journal = Journal(path)
    for _ in range(4):
        journal.intent(_intent())
    journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises(JournalBroken):
        Journal(path)


def test_a_full_disk_is_said_and_the_journal_goes_on_afterwards(journal: Journal) -> None:
    (pages,) = journal._db.execute("pragma page_count").fetchone()
    journal._db.execute(f"pragma max_page_count = {pages + 1}")
    with pytest.raises(JournalUnavailable, match="full"):
        _write_intents(journal, 200)
    journal._db.execute("pragma max_page_count = 100000")
    row = journal.intent(_intent())
    assert [r.row for r in journal.rows()][-1] == row


def test_what_it_counts_in_memory_is_what_stands_in_the_file(path: Path, journal: Journal) -> None:
    journal.event(1, b"one")
    journal.event(2, b"two")
    journal.alive()
    with pytest.raises(JournalUnavailable):
        journal.append(Entry(RowKind.EVENT, b"three", sequence=3), Entry(RowKind.EVENT, b"two again", sequence=2))
    counted = journal.next_sequence(), journal.unsent(), journal.accepted_through(), journal.head
    again = Journal(path)
    assert counted == (again.next_sequence(), again.unsent(), again.accepted_through(), again.head)
    assert counted[:3] == (3, 2, 0)
    assert again.boot().alive_utc == journal.boot().alive_utc != ""


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"x" * 4096)
    with pytest.raises(JournalUnavailable):
        Journal(path)


@pytest.mark.parametrize(
    "read",
    [
        Journal.open_cases,
        Journal.boot,
        Journal.event_heads,
        lambda j: list(j.open_rows()),
        lambda j: j.outgoing(1),
    ],
)
def test_a_file_that_breaks_while_it_is_open_is_said_by_every_read(
    path: Path, journal: Journal, read: Callable[[Journal], object]
) -> None:
    journal.event(1, b"event")
    other = sqlite3.connect(path)
    other.execute("alter table journal rename column kind to sort")
    other.execute("alter table journal rename column sequence to number")
    other.commit()
    other.close()
    with pytest.raises(JournalUnavailable):
        read(journal)


def test_only_the_thread_that_opened_it_writes(journal: Journal) -> None:
    raised: list[BaseException] = []

    def write() -> None:
        try:
            journal.boot()
        except (AssertionError, JournalUnavailable, sqlite3.Error) as error:
            raised.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join(BOUND_S)
    assert len(raised) == 1


def test_every_commit_reaches_the_disk_before_it_returns(journal: Journal) -> None:
    assert journal._db.execute("pragma synchronous").fetchone() == (2,)
    assert journal._db.execute("pragma journal_mode").fetchone() == ("wal",)
    assert all(table.strict for table in journal._db.tables)


def test_the_librarys_trap_and_the_guard_against_it(path: Path) -> None:
    insert = "insert into t values (1) returning n"
    # The fault: on a connection of the library's own making, RETURNING leaves a transaction open, and all is lost.
    trapped = Database(path)
    trapped.execute("create table t (n integer)")
    assert trapped.execute(insert).fetchone() == (1,)
    assert trapped.conn.in_transaction
    trapped.table("t").insert({"n": 2})
    trapped.conn.close()
    assert sqlite3.connect(path).execute("select count(*) from t").fetchone() == (0,)
    # The same with our connection.
    safe = open_database(path)
    assert safe.execute(insert).fetchone() == (1,)
    assert not safe.conn.in_transaction
    safe.table("t").insert({"n": 2})
    safe.conn.close()
    assert sqlite3.connect(path).execute("select count(*) from t").fetchone() == (2,)


def test_a_transaction_that_stays_open_is_an_error_and_not_a_loss_later(journal: Journal) -> None:
    journal._db.execute("begin")
    with pytest.raises(JournalUnavailable, match="stayed open"):
        journal.boot()


WRITER = """
import sys
from pathlib import Path
from terminal.journal import Act, Intent, Journal
journal = Journal(Path(sys.argv[1]))
while True:
    print(journal.intent(Intent(act=Act.PRINT, visit_id="a" * 32)), flush=True)
"""


def test_a_killed_process_keeps_every_row_that_it_was_told_of(path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    try:
        told = [int(writer.stdout.readline()) for _ in range(50)]
    finally:
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate(timeout=BOUND_S)
    told += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    journal = Journal(path)
    kept = [row.row for row in journal.rows()]
    journal.close()
    assert kept[:50] == told[:50] == list(range(1, 51))
    assert set(told) <= set(kept)
