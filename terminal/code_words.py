"""The words of a payment by QR code: what the server is asked, and what it says. `visit.py` gives them on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodeShown:
    """The provider's code is there."""

    code_url: str


@dataclass(frozen=True, slots=True)
class CodeAgreed:
    """Somebody has agreed to pay: what is printed can be captured."""


@dataclass(frozen=True, slots=True)
class CodeOver:
    """Nobody can agree any more."""


@dataclass(frozen=True, slots=True)
class ShowCode:
    """Have a code made for these orders' fees. Irreversible: somebody may agree to it from then on."""

    payment_id: str
    order_ids: tuple[str, ...]
    due_yen: int


@dataclass(frozen=True, slots=True)
class WatchCode:
    """Ask the server until somebody has agreed, or nobody can any more."""

    payment_id: str
