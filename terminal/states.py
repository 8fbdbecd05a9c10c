"""The names of a visit: where it stands, why it ends, what became of a paper. `visit.py` gives them on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Touch:
    """Base of what the resident does on the screen."""


class State(StrEnum):
    """Where a visit stands; one screen a state."""

    RECOVERING = "RECOVERING"  # the process has begun: what the one before left open is ended first
    AFTER_CUT = "AFTER_CUT"  # money of an interrupted visit lies in the tray: is there anybody to take it?
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    IDLE = "IDLE"
    READING = "READING"
    PIN = "PIN"
    AUTHENTICATING = "AUTHENTICATING"  # challenge, signature and session; the card stays on the reader
    TAKE_CARD = "TAKE_CARD"
    CHOOSING = "CHOOSING"
    PREPARING = "PREPARING"
    CONFIRMING = "CONFIRMING"
    COLLECTING = "COLLECTING"
    SHOWING_CODE = "SHOWING_CODE"  # a QR code that a phone reads and agrees to
    RESERVED = "RESERVED"
    GRANTING = "GRANTING"
    DEBITING = "DEBITING"  # e-money, after the grant: the contract terminal waits for a card
    PRINTING = "PRINTING"
    ASK_SHEETS = "ASK_SHEETS"  # UNKNOWN with someone present: 「n枚そろっていますか」
    CAPTURING = "CAPTURING"
    RETURNING = "RETURNING"
    CANCELLING = "CANCELLING"  # e-money: the same card may have its debit back at once
    KEEPING = "KEEPING"  # nobody is there: into the cashbox, as a refund that is due
    TAKE_PAPER = "TAKE_PAPER"
    REFUND_CODE = "REFUND_CODE"  # money of an earlier visit: its code is typed
    CLAIMING = "CLAIMING"  # the server is asked for it
    PAYING_OUT = "PAYING_OUT"  # the hoppers pay it
    PAID_OUT = "PAID_OUT"
    REFUSED = "REFUSED"  # a screen that says what happened, whether money was taken and what to do next
    CLOSED = "CLOSED"


class TerminalCode(StrEnum):
    """The terminal's own reasons to end a visit, beside the server's ErrorCode; words.py has words for each."""

    CARD_UNREADABLE = "CARD_UNREADABLE"
    NOT_MY_NUMBER_CARD = "NOT_MY_NUMBER_CARD"
    JUKI_CARD = "JUKI_CARD"
    PHONE_NOT_SUPPORTED = "PHONE_NOT_SUPPORTED"
    CARD_REMOVED = "CARD_REMOVED"  # too early; back to the start without a word of blame
    CARD_LEFT = "CARD_LEFT"
    PIN_LOCKED = "PIN_LOCKED"
    PIN_UNCERTAIN = "PIN_UNCERTAIN"  # a try may have been used
    READER_GONE = "READER_GONE"
    NETWORK_DOWN = "NETWORK_DOWN"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    NOT_ME = "NOT_ME"
    PAPER_MISMATCH = "PAPER_MISMATCH"  # what was prepared is not this person's paper: nothing is printed
    GRANT_INVALID = "GRANT_INVALID"
    GRANT_EXPIRED = "GRANT_EXPIRED"  # received, and not used in time
    PAYMENT_FAILED = "PAYMENT_FAILED"
    DEBIT_DECLINED = "DEBIT_DECLINED"  # the card was refused: nothing was debited, for certain
    DEBIT_UNPROCESSED = "DEBIT_UNPROCESSED"  # 処理未了: the card left in the middle, and nobody knows
    DEBIT_UNANSWERED = "DEBIT_UNANSWERED"  # the contract terminal fell silent: it is asked until it tells
    PRINTER_NOT_READY = "PRINTER_NOT_READY"
    PRINT_FAILED = "PRINT_FAILED"
    PRINT_PARTIAL = "PRINT_PARTIAL"  # 「出てきた紙は使えません」
    PRINT_UNKNOWN = "PRINT_UNKNOWN"
    PAPER_LEFT = "PAPER_LEFT"
    PAPER_BAD = "PAPER_BAD"  # came out, and is of no use: staff take and destroy it
    UNFINISHED_ACT = "UNFINISHED_ACT"  # begun, not ended, and nothing else of it is known
    POWER_CUT = "POWER_CUT"  # the visit was interrupted, and ended as well as it could be
    MONEY_UNCERTAIN = "MONEY_UNCERTAIN"
    NO_COINS = "NO_COINS"  # the hoppers cannot pay a refund: it stays due
    PAYOUT_UNCERTAIN = "PAYOUT_UNCERTAIN"  # a refund of which nobody knows how much came out
    RESIDUE = "RESIDUE"  # something of a visit is left on the disk
    OUT_OF_SERVICE = "OUT_OF_SERVICE"  # a device was lost before any money was taken
    JOURNAL_UNAVAILABLE = "JOURNAL_UNAVAILABLE"
    INTERNAL = "INTERNAL"


class Cut(StrEnum):
    """How an interrupted visit is ended; None once somebody has answered, since it is a visit like any other then."""

    SHORT = "short"  # somebody may still be there: asked before any money comes out
    LONG = "long"  # nobody answers, or not for sure the same person: the money is kept


class Receipt(StrEnum):
    """What is known of the slip of a payment."""

    NOT_FITTED = "not fitted"  # this terminal prints none
    COMING = "coming"
    PRINTED = "printed"
    WITH_CODE = "with code"  # printed, and the refund's code stands on it
    NOT_PRINTED = "not printed"  # or nobody knows: whoever needs what stands on it takes it from the screen


class CopyOutcome(StrEnum):
    """What became of one order's paper."""

    WAITING = "waiting"
    PRINTED = "printed"
    PARTIAL = "partial"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DECLARED = "declared"  # UNKNOWN, and the person present said that all sheets are there
    VOID = "void"
