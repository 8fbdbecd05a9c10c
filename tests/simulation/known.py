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


_COINS: Final = frozenset({Kind.COIN_ANSWER_LOST, Kind.COINS_CUT, Kind.STORE_CUT})
_READ_ONCE: Final = "a lost answer to counters or hold, which move nothing, is not asked for again: the act is given up"

_LEFT_OPEN: Final = "a collection left open by that is read at the next start against totals that hold others' money"

KNOWN: Final[tuple[Known, ...]] = (
    Known("nothing is owed that was not kept", _COINS, _LEFT_OPEN),
    Known("a doubt only where the evidence is gone", frozenset({Kind.COIN_ANSWER_LOST}), _READ_ONCE),
    Known("no act without a result", _COINS, _READ_ONCE),
)


def is_known(rule: str, kinds: set[str]) -> bool:
    """Tell whether a violation is one of these."""
    return any(known.rule == rule and known.kinds & kinds for known in KNOWN)
