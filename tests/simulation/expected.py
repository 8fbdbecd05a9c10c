"""How a visit may end after each kind of fault. What is not in the table may not be, whatever the books say of it.

"In a list" is right only where the world has destroyed the evidence, or where somebody left paper behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tests.simulation.faults import Kind


class End(StrEnum):
    """How a visit ended, as the world saw it."""

    PRINTED = "every paper, paid"
    SOME_PRINTED = "some papers, those paid"
    NOTHING = "no paper, no charge"
    IN_A_LIST = "in a list"


_CLEAR: Final = frozenset({End.SOME_PRINTED, End.NOTHING})
_DOUBT: Final = frozenset({*_CLEAR, End.IN_A_LIST})

ENDS: Final[Mapping[str, frozenset[End]]] = {
    # The terminal comes back and asks: the printer knows its jobs, the coin unit its counters. Listed: money of whoever
    # is not there to take it, and paper that nobody takes.
    Kind.TERMINAL_KILLED: _DOUBT,
    Kind.TERMINAL_CUT: _DOUBT,
    # With the printer's power goes its history, with the coin unit's what a movement had done.
    Kind.STORE_CUT: _DOUBT,
    Kind.PRINTER_CUT: _DOUBT,
    Kind.COINS_CUT: _DOUBT,
    # The server keeps what it committed, and is asked again.
    Kind.SERVER_KILLED: _CLEAR,
    Kind.DATABASE_CUT: _CLEAR,
    Kind.SERVER_SLOW: _CLEAR,
    Kind.NETWORK_DOWN: _CLEAR,
    Kind.REQUEST_LOST: _CLEAR,
    Kind.ANSWER_LOST: _CLEAR,
    Kind.DOUBLED: _CLEAR,
    Kind.DELAYED: _CLEAR,
    # Sheets in the path, and some that came out, are for staff.
    Kind.PRINTER_STOPS: _DOUBT,
    Kind.PRINTER_ABORTS: _DOUBT,
    Kind.PRINTER_LIES: _DOUBT,
    Kind.COIN_ANSWER_LOST: _CLEAR,  # the unit is asked what it did
    Kind.HOPPERS_JAM: _DOUBT,  # what does not come out is owed
    Kind.CARD_PULLED: _CLEAR,
    Kind.CARD_TORN: _CLEAR,
    Kind.FEED: _CLEAR,
    # Nothing is printed, that municipality stops, and a human looks at it.
    Kind.RENDER_MIXUP: _DOUBT,
    Kind.ANSWER_MIXUP: _DOUBT,
    Kind.MEMORY_MIXUP: _DOUBT,
    Kind.WALKED_AWAY: _DOUBT,
    Kind.CANCELLED: _CLEAR,
}
