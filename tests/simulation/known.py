"""Faults of the product that the simulator has found and that are not mended yet. The list is to be empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.simulation.faults import Kind


@dataclass(frozen=True)
class Known:
    """A rule that is known to be broken where these faults happened."""

    rule: str
    kinds: frozenset[str]
    why: str


_CUTS: Final = frozenset({Kind.TERMINAL_KILLED, Kind.TERMINAL_CUT, Kind.STORE_CUT})
_COINS: Final = frozenset({Kind.COIN_ANSWER_LOST, Kind.COINS_CUT, Kind.STORE_CUT})
_NO_EVENT: Final = "a cut between the row that ends an act and the row of its event: the server never hears of it"
_READ_ONCE: Final = "a lost answer to counters, which moves nothing, is not asked for again: the act is given up"

KNOWN: Final = (
    Known("orders are what the sheets are", _CUTS, _NO_EVENT),
    Known("physical accounts equal coins", _CUTS, _NO_EVENT),
    Known("every payment is told", _CUTS, _NO_EVENT),
    Known(
        "a doubt only where the evidence is gone",
        _CUTS,
        "an act that was begun becomes a case, whatever the devices say",
    ),
    Known("a doubt only where the evidence is gone", frozenset({Kind.COIN_ANSWER_LOST}), _READ_ONCE),
    Known("no act without a result", _COINS, _READ_ONCE),
)


def is_known(rule: str, kinds: set[str]) -> bool:
    """Tell whether a violation is one of these."""
    return any(known.rule == rule and known.kinds & kinds for known in KNOWN)
