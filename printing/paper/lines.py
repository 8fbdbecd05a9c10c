"""Where a value may be divided into two lines.

The rules of Japanese setting (kinsoku), and what belongs together in a register's values: a number with its counter, a
word of Latin letters. Sources: JIS X 4051, 6.1 (行頭禁則, 行末禁則, 分離禁止).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import IntEnum
from itertools import accumulate, chain, pairwise
from typing import Final, NamedTuple

SPACES: Final = frozenset((" ", "\u3000"))
#: Closing brackets, marks that end a phrase, and what is never read without the letter before it.
_NOT_FIRST: Final = frozenset(
    ")]}>）］｝〉》」』】〕〗、。，．・：；？！!?,.:;%％℃゛゜々〻ゝゞヽヾー-‐–～"
    "ぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰㇱㇲㇳㇴㇵㇶㇷㇸㇹㇺㇻㇼㇽㇾㇿ"
)
_NOT_LAST: Final = frozenset("([{<（［｛〈《「『【〔〖第")
_NUMBER: Final = r"\d+(?:[.,．，]\d+)*"
_COUNTER: Final = "番地|番|号室|号棟|号|丁目|年度|年|月|日|円|人|歳|階|棟|通|枚|条|項"
_NUMBERS: Final = re.compile(_NUMBER)
#: A date, a house number and a telephone's parts are read in one piece; 一丁目 is a number and its counter, too.
_DATE: Final = r"(?:明治|大正|昭和|平成|令和)?(?:元|\d+)年\d+月\d+日"
_COUNTED: Final = re.compile(
    rf"{_DATE}|{_NUMBER}(?:[-/‐–]{_NUMBER})+|(?:{_NUMBER}|[一二三四五六七八九十])(?:{_COUNTER})"
)
_WORD: Final = re.compile(r"[0-9A-Za-zÀ-ÖØ-öø-ɏＡ-Ｚａ-ｚ０-９'’]+")
_ALONE: Final = 2  # so few letters do not stand alone on a line
#: What a break is worth beside the size that it allows: after a comma, between words, after another mark, in a word.
_AFTER: Final = {"、": 1.15, "。": 1.15, " ": 1.1, "\u3000": 1.1} | dict.fromkeys("・,)]）］】」』", 1.05)
_WITHIN_RUN: Final = 0.95
_RUNS: Final = re.compile(r"[ァ-ヺー]+|[ぁ-ゖ]+|[々〆一-\u9fff]+")


class Break(IntEnum):
    """What a break costs: the rules' own places first, the others only where those do not do."""

    FREE = 0
    RESORT = 1  # against the rules of setting, but between two letters of Japanese
    WORD = 2  # within a word of Latin letters


class Room(NamedTuple):
    """The room for two lines. lead_em: what stands before the first of them, and is left free before the second."""

    width_pt: float
    lead_em: float
    most_pt: float
    least_pt: float
    step_pt: float


class Division(NamedTuple):
    """Two lines: the first ends before letter `at`."""

    cost: Break
    size_pt: float
    at: int


def divide(letters: Sequence[str], advances_em: Sequence[float], room: Room) -> Division | None:
    """Return the best division into two lines, or None if there is none.

    Shape: letters with their selectors. The cheapest places first; among those the one that allows the largest type and
           parts no word, then the one that fills the first line.
    """
    ends_em = [0.0, *accumulate(advances_em)]
    widest_em = room.width_pt / room.least_pt - room.lead_em
    fitting = range(max(1, bisect_left(ends_em, ends_em[-1] - widest_em)), bisect_right(ends_em, widest_em) + 1)
    costs = break_costs(letters)
    for cost in Break:
        places = [at for at in fitting if at <= len(costs) and costs[at - 1] is cost]
        best = _best(letters, ends_em, places, room) if places else None
        if best is not None:
            return Division(cost, *best)
    return None


def _best(letters: Sequence[str], ends_em: list[float], places: list[int], room: Room) -> tuple[float, int] | None:
    """Return the size and place of the best of these breaks, or None if each leaves too little room."""
    worths, all_em = _worths(letters), ends_em[-1]
    best: tuple[float, int, float] = (0.0, 0, 0.0)
    for at in places:
        first_em = ends_em[at - 1 if letters[at - 1] in SPACES else at]
        wider_em = room.lead_em + max(first_em, all_em - ends_em[at])
        size_pt = room.width_pt / wider_em // room.step_pt * room.step_pt
        size_pt = min(size_pt, room.most_pt)
        if size_pt >= room.least_pt:
            best = max(best, (size_pt * worths[at], at, size_pt))
    _worth, at, size_pt = best
    return (size_pt, at) if at else None


def _worths(letters: Sequence[str]) -> list[float]:
    """Return what a break before each letter is worth: no dictionary tells words, but a change of script often does."""
    bases = "".join([letter[0] for letter in letters])
    worth = [1.0] * len(bases)
    for run in _RUNS.finditer(bases):
        worth[run.start() + 1 : run.end()] = [_WITHIN_RUN] * (run.end() - run.start() - 1)
    return [_AFTER.get(before, value) for before, value in zip(f"x{bases}", worth, strict=False)]


def break_costs(letters: Sequence[str]) -> list[Break | None]:
    """Return what a break costs before every letter but the first; None where there is never one."""
    bases = "".join([letter[0] for letter in letters])
    # A space ends a line, and begins none.
    costs = [
        None if after in SPACES else Break.RESORT if after in _NOT_FIRST or before in _NOT_LAST else Break.FREE
        for before, after in pairwise(bases)
    ]
    for pattern, cost in ((_COUNTED, Break.RESORT), (_WORD, Break.WORD), (_NUMBERS, None)):
        for found in pattern.finditer(bases):
            # What several rules keep together is as dear as the dearest of them: numbers come last, and are never cut.
            costs[found.start() : found.end() - 1] = [cost] * (found.end() - found.start() - 1)
    enough = len(bases) - len(bases[_ALONE:].lstrip())
    for at in chain(range(1, min(enough + 1, len(bases))), range(max(1, len(bases) - _ALONE), len(bases))):
        if costs[at - 1] is Break.FREE:
            costs[at - 1] = Break.RESORT
    return costs
