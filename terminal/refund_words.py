"""The words of the refund road: what can happen on it and what it asks to be done. `visit.py` gives them on."""

from __future__ import annotations

from dataclasses import dataclass, field

from terminal.states import Touch


@dataclass(frozen=True, slots=True)
class Refund:
    """Money of an earlier visit that is wanted back; whole yen."""

    code: str = field(default="", repr=False)  # as far as it is typed
    wrong: int = 0  # so many codes were no code
    payment_id: str | None = None  # due to the card's holder: no code is needed
    amount_yen: int = 0  # what was claimed
    paid_yen: int = 0


# What can happen


@dataclass(frozen=True, slots=True)
class AskRefund(Touch):
    """「返金を受け取る」 on the first screen."""


@dataclass(frozen=True, slots=True)
class CodeKey(Touch):
    """A character of a claim's code was pressed."""

    character: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CodeCorrect(Touch):
    """Take the last character back."""


@dataclass(frozen=True, slots=True)
class CodeOk(Touch):
    """The code is complete; before that it changes nothing."""


@dataclass(frozen=True, slots=True)
class TakeRefund(Touch):
    """Money that is due to the card's holder is to be paid out now."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class RefundClaimed:
    """The server gave the claim to this terminal: its word alone ends it."""

    claim_id: str
    amount_yen: int


@dataclass(frozen=True, slots=True)
class RefundPaid:
    """The hoppers paid it, all of it."""

    paid_yen: int


# What is asked to be done


@dataclass(frozen=True, slots=True)
class ClaimRefund:
    """Claim a refund at the server: by its code, or by the session's card and the payment."""

    code: str | None = field(default=None, repr=False)
    payment_id: str | None = None


@dataclass(frozen=True, slots=True)
class PayOut:
    """Pay a claimed refund out of the hoppers. Irreversible."""

    claim_id: str
    amount_yen: int


@dataclass(frozen=True, slots=True)
class GiveUpClaim:
    """Nothing will be paid for this claim: the money is due again."""

    claim_id: str
