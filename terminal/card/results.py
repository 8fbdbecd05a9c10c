"""What the card worker answers and reports: frozen values and typed errors, all of them picklable.

The errors carry facts, never words for the screen and never anything that was read from a person's card.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class CardInserted:
    """A card lies on the reader; nothing is known about it yet. Said again by a worker that starts anew."""


@dataclass(frozen=True)
class CardRemoved:
    """No card is on the reader; PIN digits are wiped before this is sent. Also what an empty reader begins with."""


@dataclass(frozen=True)
class ReaderGone:
    """The reader or pcscd is gone. Whether a card lies there is unknown until ReaderBack and what follows it."""


@dataclass(frozen=True)
class ReaderBack:
    """The reader answers again; CardInserted or CardRemoved follows."""


CardEvent = CardInserted | CardRemoved | ReaderGone | ReaderBack


@dataclass(frozen=True)
class CardRead:
    """What is read without a PIN.

    Units: tries_left counts VERIFY attempts of the authentication PIN; None where the card does not tell.
    """

    token_label: str
    certificate_der: bytes
    tries_left: int | None


@dataclass(frozen=True)
class Signed:
    """The card's signature; its length follows the certificate's key."""

    signature: bytes


class OtherCard(StrEnum):
    """What lies there instead of a My Number Card."""

    FOREIGN = "foreign"
    JUKI = "juki"
    PHONE_ANDROID = "phone-android"
    PHONE_IPHONE = "phone-iphone"
    UNKNOWN_TOKEN = "unknown-token"  # noqa: S105 - the name of a kind of card, no secret


class CardError(Exception):
    """The card or the reader could not do what was asked."""


class NoCard(CardError):
    """No card lies on the reader."""


class UnreadableCard(CardError):
    """A card lies there, but what it says cannot be used; `detail` names the step."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotMyNumberCard(CardError):
    """A card that answers, and that is another kind of card."""

    def __init__(self, kind: OtherCard) -> None:
        super().__init__(kind)
        self.kind = kind


class UnsupportedKey(CardError):
    """The certificate's key is of a kind that this build cannot sign with; `algorithm` names it."""

    def __init__(self, algorithm: str) -> None:
        super().__init__(algorithm)
        self.algorithm = algorithm


class PinLocked(CardError):
    """No tries are left; a face-recognition card, which has no PIN, answers the same."""


class PinWrong(CardError):
    """The card refused the PIN; `tries_left` is at least 1."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(tries_left)
        self.tries_left = tries_left


class PinIncomplete(CardError):
    """Fewer than four digits stand; nothing was sent to the card."""

    def __init__(self, digits: int) -> None:
        super().__init__(digits)
        self.digits = digits


class LastTryNotConfirmed(CardError):
    """One try is left and the resident has not said to go on; nothing was sent to the card."""


class VerifyInterrupted(CardError):
    """VERIFY was sent and its answer is not known: a try may have been used."""


class CardPulled(CardError):
    """The card went away while it was being talked to; no try of the PIN was at stake."""


class CardSwapped(CardError):
    """The card on the reader is not the one whose certificate was read before the PIN."""


class ReaderUnavailable(CardError):
    """The reader or pcscd is gone, or another program holds the reader; `detail` says which."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
