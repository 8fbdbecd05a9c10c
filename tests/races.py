"""Two transactions on PostgreSQL that are open at once, one step after the other: no luck and no sleep is in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, event, text

Begin = Callable[[], AbstractContextManager[Connection]]
Act = Callable[[Connection], object]
_DEADLINE_S: Final = 20.0
_WAITING: Final = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@contextmanager
def without_row_locks(engine: Engine) -> Iterator[None]:
    """Guard off: what is read to be written is not locked."""

    def plain(_c: object, _cu: object, sql: str, values: object, *_: object) -> tuple[str, object]:
        return sql.replace(" FOR NO KEY UPDATE", ""), values

    event.listen(engine, "before_cursor_execute", plain, retval=True)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", plain)


class Other:
    """Another server's transaction, in a thread of its own."""

    def __init__(self, engine: Engine, act: Callable[[], object]) -> None:
        self.error: Exception | None = None
        self._engine = engine
        self._act = act
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def waits(self) -> bool:
        """Go on when it has ended, or cannot go on; tell whether it waits for a lock."""
        deadline = time.monotonic() + _DEADLINE_S
        while self._thread.is_alive():
            with self._engine.connect() as connection:
                if connection.execute(_WAITING).scalar_one():
                    return True
            assert time.monotonic() < deadline, "it neither ended nor waits for a lock"
            self._thread.join(0.005)
        return False

    def join(self) -> Exception | None:
        """Wait until it has ended; return what it failed with."""
        self._thread.join(_DEADLINE_S)
        assert not self._thread.is_alive()
        return self.error

    def _run(self) -> None:
        try:
            self._act()
        except Exception as error:  # noqa: BLE001 - whatever it is, a test compares it
            self.error = error


def both_open(engine: Engine, begin: Begin, first: Act, second: Act, then: Act | None = None) -> tuple[object, object]:
    """Do `first`; with its transaction open, all of `second` in another, then `then` in the first; return errors."""

    def run_second() -> None:
        with begin() as connection:
            second(connection)

    other: Other | None = None
    failed: Exception | None = None
    try:
        with begin() as connection:
            first(connection)
            other = Other(engine, run_second)
            other.waits()
            if then is not None:
                then(connection)
    except Exception as error:  # noqa: BLE001 - as above
        failed = error
    assert other is not None, failed
    return failed, other.join()
