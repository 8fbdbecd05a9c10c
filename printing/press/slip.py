"""A receipt as a value: what stands on it, and what became of it. `receipt.py` draws and prints it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Size(StrEnum):
    """How large a line is written."""

    SMALL = "small"
    PLAIN = "plain"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: at the left, and what stands at the right of it; or a rule across."""

    left: str = ""
    right: str = ""
    size: Size = Size.PLAIN
    centred: bool = False
    rule: bool = False


@dataclass(frozen=True, slots=True)
class Slip:
    """Everything on one receipt, from top to bottom."""

    lines: tuple[Line, ...]


class SlipOutcome(StrEnum):
    """What became of a slip, as the printer says."""

    PRINTED = "printed"
    NO_PAPER = "no paper"  # a part of it may have come out
    NOT_PRINTED = "not printed"  # for certain: it was never sent
    UNKNOWN = "unknown"
