"""Faults of the product that the simulator has found and that are not mended yet. The list is to be empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Known:
    """A rule that is known to be broken where these faults happened."""

    rule: str
    kinds: frozenset[str]
    why: str


KNOWN: Final[tuple[Known, ...]] = ()


def is_known(rule: str, kinds: set[str]) -> bool:
    """Tell whether a violation is one of these."""
    return any(known.rule == rule and known.kinds & kinds for known in KNOWN)
