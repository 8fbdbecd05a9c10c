"""What a visit's words are about card and PIN: touches, what the card's worker tells, and what it is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field

from terminal.states import Touch


@dataclass(frozen=True, slots=True)
class PinDigit(Touch):
    """A digit was pressed; the runner hands it to the card worker, the flow learns only the length."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PinCorrect(Touch):
    """Take the last digit back."""


@dataclass(frozen=True, slots=True)
class PinOk(Touch):
    """The PIN is complete; before that it changes nothing."""


@dataclass(frozen=True, slots=True)
class ConfirmLastTry(Touch):
    """「残り1回です。続けますか」 answered with yes."""


@dataclass(frozen=True, slots=True)
class CardInserted:
    """A card lies on the reader."""


@dataclass(frozen=True, slots=True)
class CardRemoved:
    """The reader is empty."""


@dataclass(frozen=True, slots=True)
class CardReadDone:
    """Token information and certificate were read."""

    visit_id: str
    certificate_sha256: bytes
    tries_left: int | None


@dataclass(frozen=True, slots=True)
class PinLengthChanged:
    """The card worker says how many digits stand."""

    length: int


@dataclass(frozen=True, slots=True)
class PinRefused:
    """The PIN has to be entered again; tries_left 0 = locked. wrong: the card itself refused it, and a try is used."""

    tries_left: int
    wrong: bool


# What is asked to be done


@dataclass(frozen=True, slots=True)
class ReadCard:
    """Read token information and authentication certificate."""


@dataclass(frozen=True, slots=True)
class PinKey:
    """Hand a digit to the card worker."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PinBack:
    """Take the last digit back."""


@dataclass(frozen=True, slots=True)
class PinWipe:
    """Forget the digits."""
