"""One terminal, one writing transaction at a time.

An order, its session, its payment and its events are one terminal's. Whoever writes of them takes that terminal's turn
first, by locking its row, so that what a transaction has read still holds when it writes: how much of a payment is
allocated, that nobody gave an order up, through which number events are stored. SQLite has one writer at all.

What is no terminal's own is locked behind the turn, where a look decides a write: a municipality's counter of issue
numbers (also by who opens a refund), a case whose two sides speak, a restore that waits for the last terminal. Each is
held for one statement or two; should two transactions ever wait for each other, PostgreSQL ends one, and who asked is
told BUSY and asks again. Who removes old rows of all terminals passes over those that another is removing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, select

from issuance_server.database import write
from issuance_server.schema import terminals
from protocol.errors import ErrorCode, IssueError

# The key itself is not changed: readers and foreign keys need not wait.
_TAKE: Final = (
    select(terminals.c.terminal_id)
    .where(terminals.c.terminal_id == bindparam("terminal"))
    .with_for_update(key_share=True)
)


@contextmanager
def turn(engine: Engine, terminal_id: str) -> Iterator[Connection]:
    """One writing transaction of a terminal's; another of the same terminal's waits until this one has ended.

    Errors: IssueError TERMINAL_UNKNOWN.
    """
    with write(engine) as connection:
        if connection.execute(_TAKE, {"terminal": terminal_id}).first() is None:
            raise IssueError(ErrorCode.TERMINAL_UNKNOWN, "terminal: not enrolled")
        yield connection
