"""How a visit may end after each kind of fault, and what evidence that kind can destroy.

A visit ends in a list only where the world has lost evidence about it: the world notes it when it happens, and what a
kind is not said to destroy here it may not have destroyed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.simulation.faults import Kind
from tests.simulation.world import Lost


class End(StrEnum):
    """How a visit ended, as the world saw it."""

    PRINTED = "every paper, paid"
    SOME_PRINTED = "some papers, those paid"
    NOTHING = "no paper, no charge"
    IN_A_LIST = "in a list"


@dataclass(frozen=True)
class Expected:
    """What may come of a fault; "every paper, paid" always may. may_lose: only with it "in a list"."""

    ends: frozenset[End]
    may_lose: frozenset[Lost] = frozenset()


_LESS: Final = frozenset({End.SOME_PRINTED, End.NOTHING})


def _less(*lost: Lost) -> Expected:
    return Expected(_LESS, frozenset(lost))


ENDS: Final[Mapping[str, Expected]] = {
    # The terminal comes back and asks: the printer knows its jobs, the coin unit its counters.
    Kind.TERMINAL_KILLED: _less(Lost.LONG, Lost.NOBODY, Lost.SHEETS),
    Kind.TERMINAL_CUT: _less(Lost.LONG, Lost.NOBODY, Lost.SHEETS),
    Kind.STORE_CUT: _less(Lost.LONG, Lost.NOBODY, Lost.SHEETS, Lost.HISTORY, Lost.MOVEMENT, Lost.DEBIT),
    Kind.PRINTER_CUT: _less(Lost.HISTORY, Lost.AWAY, Lost.NOBODY),
    Kind.COINS_CUT: _less(Lost.MOVEMENT, Lost.NOBODY),
    # The server keeps what it committed, and is asked again.
    Kind.SERVER_KILLED: _less(Lost.NOBODY),
    Kind.DATABASE_CUT: _less(Lost.NOBODY),
    Kind.SERVER_SLOW: _less(Lost.NOBODY),
    Kind.NETWORK_DOWN: _less(Lost.NOBODY),
    Kind.REQUEST_LOST: _less(),
    Kind.ANSWER_LOST: _less(),
    Kind.DOUBLED: _less(),
    Kind.DELAYED: _less(),
    Kind.PRINTER_STOPS: _less(Lost.SHEETS, Lost.NOBODY),
    Kind.PRINTER_ABORTS: _less(Lost.SHEETS, Lost.NOBODY),
    Kind.PRINTER_LIES: _less(Lost.SHEETS, Lost.NOBODY),
    Kind.COIN_ANSWER_LOST: _less(),  # the unit is asked again what it did
    Kind.HOPPERS_JAM: _less(Lost.CHANGE),
    # Only the card knows, and it was not laid on again.
    Kind.EMONEY_CUT: _less(Lost.DEBIT, Lost.NOBODY),
    Kind.EMONEY_ANSWER_LOST: _less(),  # it is asked how the debit stands
    Kind.EMONEY_CARD_LEAVES: _less(Lost.DEBIT),
    # A receipt changes nothing about paper or money.
    Kind.RECEIPT_PRINTER_CUT: Expected(frozenset()),
    Kind.RECEIPT_ROLL_OUT: Expected(frozenset()),
    Kind.RECEIPT_ANSWER_LOST: Expected(frozenset()),
    Kind.PROVIDER_SILENT: _less(Lost.WORD),  # it is asked until it says
    Kind.DISK_FULL: _less(Lost.DISK, Lost.NOBODY),
    Kind.CARD_PULLED: _less(),
    Kind.CARD_TORN: _less(),
    Kind.FEED: _less(),
    # Nothing is printed, that municipality or terminal stops, and a human looks at it.
    Kind.RENDER_MIXUP: _less(Lost.MIXED),
    Kind.ANSWER_MIXUP: _less(Lost.MIXED),
    Kind.MEMORY_MIXUP: _less(Lost.MIXED),
    Kind.WALKED_AWAY: _less(Lost.NOBODY),
    Kind.CANCELLED: _less(),
}
