"""Which fault was seen in which state; a cell that stays empty is a hole, unless it is impossible for a reason."""

from __future__ import annotations

from collections import Counter
from typing import Final

from terminal.visit import State
from tests.simulation.faults import Kind

_AT_THE_CONTRACT_TERMINAL: Final = (State.DEBITING, State.CANCELLING)
_CARD_STATES: Final = (State.READING, State.PIN, State.AUTHENTICATING, State.TAKE_CARD)
_NO_CARD: Final = "the resident has taken the card, or has not laid it on yet"
_NO_PAPER: Final = "no paper was prepared yet, or it is forgotten"
_PAPER_STATES: Final = (
    State.CONFIRMING,
    State.COLLECTING,
    State.SHOWING_CODE,
    *_AT_THE_CONTRACT_TERMINAL,
    State.RESERVED,
    State.GRANTING,
    State.PRINTING,
    State.ASK_SHEETS,
    State.CAPTURING,
    State.RETURNING,
    State.TAKE_PAPER,
)

#: Cells that cannot be filled, with the reason; others of these kinds may be filled and need not be.
IMPOSSIBLE: Final[dict[tuple[State, Kind], str]] = {
    **{
        (state, Kind.EMONEY_CARD_LEAVES): "no e-money card is asked for"
        for state in State
        if state not in _AT_THE_CONTRACT_TERMINAL
    },
    **{(state, Kind.CARD_PULLED): _NO_CARD for state in State if state not in _CARD_STATES},
    **{(state, Kind.MEMORY_MIXUP): _NO_PAPER for state in State if state not in _PAPER_STATES},
}


#: Every cell that must be filled.
CELLS: Final = tuple((state, kind) for state in State for kind in Kind if (state, kind) not in IMPOSSIBLE)


def empty(seen: Counter[tuple[str, str]]) -> list[tuple[State, Kind]]:
    """Return the cells that were not seen."""
    return [cell for cell in CELLS if not seen[cell]]


def table(seen: Counter[tuple[str, str]]) -> str:
    """Return states by faults, as text: a number, `-` where impossible, `0` where it is a hole."""
    width = max(len(kind) for kind in Kind)
    heads = [state.value[:6] for state in State]
    lines = [" " * width + " " + " ".join(f"{head:>6}" for head in heads)]
    for kind in Kind:
        counts = (seen[state, kind] or ("-" if (state, kind) in IMPOSSIBLE else 0) for state in State)
        lines.append(f"{kind.value:<{width}} " + " ".join(f"{count:>6}" for count in counts))
    return "\n".join(lines)
