"""One terminal, one writing transaction at a time.

An order, its session, its payment and its events are one terminal's. Whoever writes of them takes that terminal's turn
first, by locking its row, so that what a transaction has read still holds when it writes: how much of a payment is
allocated, that nobody gave an order up, through which number events are stored. SQLite has one writer at all.

Two turns cannot each wait for the other: besides its turn a transaction waits for a municipality's counter of issue
numbers, and behind that for nothing that another terminal holds. Who removes old rows of all terminals passes over
those that another is removing.
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
