"""The words of several documents with one payment: what can happen to them. `visit.py` gives them on."""

from __future__ import annotations

from dataclasses import dataclass

from terminal.states import Touch


@dataclass(frozen=True, slots=True)
class AddDocument(Touch):
    """From CONFIRMING to CHOOSING: another document, paid for together with what is prepared already."""


@dataclass(frozen=True, slots=True)
class AddNothing(Touch):
    """Back to CONFIRMING: what is prepared is enough."""


@dataclass(frozen=True, slots=True)
class OneByOne:
    """The unit could not return the whole sum, and nothing was opened: only one order may be paid for at a time."""
