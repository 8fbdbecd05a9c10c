"""The demo server's books, read from outside: what became of orders, and whether every account balances."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Engine, select

from issuance_server import database
from issuance_server.schema import cases, orders, postings

SETTLE_TIMEOUT_S: Final = 15.0
_POLL_S: Final = 0.05


class Books:
    """One town's ledger, postings and cases, read only."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = database.open_engine(url)

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()

    def states(self, order_ids: Iterable[str]) -> dict[str, str]:
        """Return the states of these orders, by id."""
        with database.read(self._engine) as connection:
            rows = connection.execute(select(orders.c.order_id, orders.c.state).where(orders.c.order_id.in_(order_ids)))
            return {row.order_id: row.state for row in rows}

    def wait_until_settled(self, order_ids: list[str], timeout_s: float = SETTLE_TIMEOUT_S) -> dict[str, str]:
        """Wait until all of these are SETTLED, since events arrive behind the visit; return the states as they are."""
        deadline = time.monotonic() + timeout_s
        while True:
            states = self.states(order_ids)
            settled = all(states.get(order_id) == "SETTLED" for order_id in order_ids)
            if settled or time.monotonic() > deadline:
                return states
            time.sleep(_POLL_S)

    def balances(self) -> Counter[str]:
        """Return every account's balance in whole yen: debits positive."""
        with database.read(self._engine) as connection:
            balances: Counter[str] = Counter()
            for row in connection.execute(select(postings.c.account, postings.c.amount_yen)):
                balances[row.account] += row.amount_yen
            return balances

    def issue_numbers(self) -> list[tuple[str, int, int]]:
        """Return (municipality, year, number) of all orders."""
        with database.read(self._engine) as connection:
            rows = connection.execute(select(orders.c.municipality_code, orders.c.number_year, orders.c.number))
            return [tuple(row) for row in rows]

    def open_cases(self) -> list[str]:
        """Return the reasons of the cases that are open."""
        with database.read(self._engine) as connection:
            return list(connection.execute(select(cases.c.reason).where(cases.c.closed_at_utc.is_(None))).scalars())
