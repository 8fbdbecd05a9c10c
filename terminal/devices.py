"""The devices as the runner calls them: ports, the workers behind them, and what their errors mean for a visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, cast

from printing.press.errors import PdfRefused, PressError
from printing.press.service import BASE_TIMEOUT_S, SHEET_TIMEOUT_S, Counters, HeldJob, PrinterState
from printing.press.slip import Slip, SlipOutcome
from printing.press.verdict import PaperOutlet, Verdict
from protocol.messages import (
    AuthenticateAnswer,
    AuthenticateRequest,
    BootAnswer,
    BootRequest,
    ChallengeAnswer,
    EventsAnswer,
    GrantAnswer,
    GrantRequest,
    PrepareRequest,
    RefundAnswer,
    RefundClaim,
    SignedEvent,
)
from terminal.card import results as card
from terminal.client import NetworkDown, Paper, ServerRefused
from terminal.journal import JournalUnavailable
from terminal.paper_check import PaperCheck, PaperMismatch
from terminal.payment.device import CoinUnit, PaymentDeviceError
from terminal.payment.emoney import EmoneyTerminal
from terminal.payment.qr import Codes
from terminal.visit import Failed, PinRefused, TerminalCode
from terminal.workers import WorkerError

CARD_TIMEOUT_S: Final = 15.0  # a hung card; READ of a certificate takes one second, VERIFY and signature less
PIN_KEY_TIMEOUT_S: Final = 3.0
PRESS_TIMEOUT_S: Final = 20.0
PURGE_TIMEOUT_S: Final = 60.0
RECEIPT_TIMEOUT_S: Final = 30.0  # its own bounds together are shorter
VERDICT_MARGIN_S: Final = 60.0  # to stop a job that has reached its bound, and to ask what had come out


class CardDevice(Protocol):
    """The card on the reader. Errors: card.CardError and its kinds, WorkerError."""

    def read(self) -> card.CardRead:
        """Read what needs no PIN."""
        ...

    def pin_digit(self, digit: str) -> int:
        """Add a digit; return how many stand."""
        ...

    def pin_correct(self) -> int:
        """Take the last digit back; return how many stand."""
        ...

    def pin_clear(self) -> None:
        """Forget the digits."""
        ...

    def sign(self, digest: bytes, certificate_sha256: bytes, last_try_confirmed: bool) -> card.Signed:
        """Verify the PIN that stands, once, and sign."""
        ...


class PressDevice(Protocol):
    """The queue and the printer behind it. Errors: PressError and its kinds, WorkerError."""

    def check(self) -> PrinterState:
        """Return whether paper would come out now."""
        ...

    def submit(self, order_id: str, pdf: bytes, sheets: int, sha256: bytes) -> HeldJob:
        """Send a document into a held job."""
        ...

    def counters(self) -> Counters:
        """Return the printer's own meter."""
        ...

    def release(self, job: HeldJob) -> None:
        """Let a held job print."""
        ...

    def verdict(self, job: HeldJob, before: Counters) -> Verdict:
        """Ask the printer until it has said what came out."""
        ...

    def last_verdict(self, job: HeldJob, before: Counters) -> Verdict:
        """Stop a job of which nobody knows how far it came, and ask the printer what had come out."""
        ...

    def is_held(self, order_id: str) -> bool:
        """Return whether CUPS still holds this order's job: then it was given to nobody."""
        ...

    def cancel(self, job: HeldJob) -> None:
        """Stop a job in CUPS and at the printer."""
        ...

    def purge_all(self) -> None:
        """Remove every job and its document."""
        ...

    def residue(self) -> tuple[str, ...]:
        """Return what is left in the spool."""
        ...


class ReceiptDevice(Protocol):
    """The receipt printer. Errors: WorkerError; what it says for itself is in the outcome."""

    def print(self, slip: Slip) -> SlipOutcome:
        """Print one slip, once."""
        ...


class ServerPort(Protocol):
    """The issuing server. Errors: NetworkDown, ServerRefused."""

    def challenge(self, visit_id: str) -> ChallengeAnswer:
        """Ask for a challenge."""
        ...

    def authenticate(self, request: AuthenticateRequest) -> AuthenticateAnswer:
        """Show the card's signature."""
        ...

    def prepare(self, request: PrepareRequest) -> Paper:
        """Have one order prepared."""
        ...

    def grant(self, order_id: str, request: GrantRequest) -> GrantAnswer:
        """Ask for the grant of one order."""
        ...

    def claim_refund(self, request: RefundClaim) -> RefundAnswer:
        """Claim a refund that is about to be paid out."""
        ...

    def boot(self, request: BootRequest) -> BootAnswer:
        """Say that this terminal began, and with which journal."""
        ...

    def send_events(self, events: tuple[SignedEvent, ...]) -> EventsAnswer:
        """Hand over numbered events."""
        ...


@dataclass(frozen=True)
class Devices:
    """Everything that the runner acts through, and where paper comes out of it."""

    card: CardDevice
    press: PressDevice
    payment: CoinUnit
    server: ServerPort
    outlet: PaperOutlet = PaperOutlet.OPEN_TRAY
    emoney: EmoneyTerminal | None = None
    codes: Codes | None = None
    receipt: ReceiptDevice | None = None


class CallableWorker(Protocol):
    """What is needed of `terminal.workers.Worker`."""

    def call(self, method: str, *args: object, timeout_s: float) -> object:
        """Execute one method of the service."""
        ...


class WorkerCard:
    """`CardDevice` over the card worker."""

    def __init__(self, worker: CallableWorker) -> None:
        self._worker = worker

    def read(self) -> card.CardRead:
        """See the port."""
        return cast(card.CardRead, self._worker.call("read", timeout_s=CARD_TIMEOUT_S))

    def pin_digit(self, digit: str) -> int:
        """See the port."""
        return cast(int, self._worker.call("pin_digit", digit, timeout_s=PIN_KEY_TIMEOUT_S))

    def pin_correct(self) -> int:
        """See the port."""
        return cast(int, self._worker.call("pin_correct", timeout_s=PIN_KEY_TIMEOUT_S))

    def pin_clear(self) -> None:
        """See the port."""
        self._worker.call("pin_clear", timeout_s=PIN_KEY_TIMEOUT_S)

    def sign(self, digest: bytes, certificate_sha256: bytes, last_try_confirmed: bool) -> card.Signed:
        """See the port."""
        signed = self._worker.call("sign", digest, certificate_sha256, last_try_confirmed, timeout_s=CARD_TIMEOUT_S)
        return cast(card.Signed, signed)


class WorkerPress:
    """`PressDevice` over the printing worker."""

    def __init__(self, worker: CallableWorker) -> None:
        self._worker = worker

    def check(self) -> PrinterState:
        """See the port."""
        return cast(PrinterState, self._worker.call("check", timeout_s=PRESS_TIMEOUT_S))

    def submit(self, order_id: str, pdf: bytes, sheets: int, sha256: bytes) -> HeldJob:
        """See the port."""
        arguments = (order_id, pdf, sheets, sha256)
        return cast(HeldJob, self._worker.call("submit", *arguments, timeout_s=PRESS_TIMEOUT_S))

    def counters(self) -> Counters:
        """See the port."""
        return cast(Counters, self._worker.call("counters", timeout_s=PRESS_TIMEOUT_S))

    def release(self, job: HeldJob) -> None:
        """See the port."""
        self._worker.call("release", job, timeout_s=PRESS_TIMEOUT_S)

    def verdict(self, job: HeldJob, before: Counters) -> Verdict:
        """See the port."""
        bound_s = BASE_TIMEOUT_S + SHEET_TIMEOUT_S * job.sheets + VERDICT_MARGIN_S
        return cast(Verdict, self._worker.call("verdict", job, before, timeout_s=bound_s))

    def last_verdict(self, job: HeldJob, before: Counters) -> Verdict:
        """See the port."""
        return cast(Verdict, self._worker.call("last_verdict", job, before, timeout_s=PURGE_TIMEOUT_S))

    def is_held(self, order_id: str) -> bool:
        """See the port."""
        return cast(bool, self._worker.call("is_held", order_id, timeout_s=PRESS_TIMEOUT_S))

    def cancel(self, job: HeldJob) -> None:
        """See the port."""
        self._worker.call("cancel", job, timeout_s=PURGE_TIMEOUT_S)

    def purge_all(self) -> None:
        """See the port."""
        self._worker.call("purge_all", timeout_s=PURGE_TIMEOUT_S)

    def residue(self) -> tuple[str, ...]:
        """See the port."""
        return cast(tuple[str, ...], self._worker.call("residue", timeout_s=PRESS_TIMEOUT_S))


class WorkerReceipt:
    """`ReceiptDevice` over its worker."""

    def __init__(self, worker: CallableWorker) -> None:
        self._worker = worker

    def print(self, slip: Slip) -> SlipOutcome:
        """See the port."""
        return cast(SlipOutcome, self._worker.call("print", slip, timeout_s=RECEIPT_TIMEOUT_S))


_CARD_KINDS: Final = {
    card.OtherCard.JUKI: TerminalCode.JUKI_CARD,
    card.OtherCard.PHONE_ANDROID: TerminalCode.PHONE_NOT_SUPPORTED,
    card.OtherCard.PHONE_IPHONE: TerminalCode.PHONE_NOT_SUPPORTED,
}

_CODES: Final[tuple[tuple[type[Exception], TerminalCode], ...]] = (
    (card.NoCard, TerminalCode.CARD_REMOVED),
    (card.CardPulled, TerminalCode.CARD_REMOVED),
    (card.CardSwapped, TerminalCode.CARD_REMOVED),
    (card.VerifyInterrupted, TerminalCode.PIN_UNCERTAIN),
    (card.ReaderUnavailable, TerminalCode.READER_GONE),
    (card.CardError, TerminalCode.CARD_UNREADABLE),
    (NetworkDown, TerminalCode.NETWORK_DOWN),
    (PdfRefused, TerminalCode.PAPER_MISMATCH),
    (PressError, TerminalCode.PRINT_FAILED),
    (PaymentDeviceError, TerminalCode.PAYMENT_FAILED),
    (JournalUnavailable, TerminalCode.JOURNAL_UNAVAILABLE),
)
_WORKER_CODES: Final = {
    "card": TerminalCode.CARD_UNREADABLE,
    "press": TerminalCode.PRINT_FAILED,
    "payment": TerminalCode.PAYMENT_FAILED,
    "emoney": TerminalCode.PAYMENT_FAILED,
}

_MISMATCH_CODES: Final[dict[PaperCheck, TerminalCode]] = {
    PaperCheck.GRANT: TerminalCode.GRANT_INVALID,
    PaperCheck.GRANT_AGE: TerminalCode.GRANT_EXPIRED,
}


def failure(error: Exception, tries_left: int | None) -> Failed | PinRefused:
    """Return what a device's error means for the visit; what is not listed is INTERNAL.

    Shape:  tries_left is what was known before: an incomplete PIN has used none.
    """
    if isinstance(error, card.PinLocked):
        return Failed(TerminalCode.PIN_LOCKED, 0)
    left = _tries_left(error, tries_left)
    return Failed(_code(error)) if left is None else PinRefused(left, wrong=isinstance(error, card.PinWrong))


def _tries_left(error: Exception, before: int | None) -> int | None:
    """Return the tries that are left where the resident may simply enter the PIN again."""
    match error:
        case card.PinWrong():
            return error.tries_left
        case card.LastTryNotConfirmed():
            return 1
        case card.PinIncomplete():
            return before
        case _:
            return None


def _code(error: Exception) -> str:
    match error:
        case card.NotMyNumberCard():
            return _CARD_KINDS.get(error.kind, TerminalCode.NOT_MY_NUMBER_CARD)
        case ServerRefused():
            return error.code
        case PaperMismatch():
            return _MISMATCH_CODES.get(error.check, TerminalCode.PAPER_MISMATCH)
        case WorkerError(worker="card", method="sign"):
            return TerminalCode.PIN_UNCERTAIN  # a try may have been used
        case WorkerError():
            return _WORKER_CODES.get(error.worker, TerminalCode.INTERNAL)
        case _:
            return next((code for kind, code in _CODES if isinstance(error, kind)), TerminalCode.INTERNAL)
