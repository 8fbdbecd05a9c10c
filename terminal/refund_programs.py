"""A refund's programs: claimed under an id that was written down first, then paid out of the hoppers once.

The server keeps a claim for this terminal until it says what became of it, so every way out of here says so. What could
not be paid for certain is due again; what nobody knows is never paid a second time before somebody has looked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

import structlog

from protocol.errors import ErrorCode
from protocol.messages import EventKind, RefundAnswer, RefundClaim
from terminal import visit as v
from terminal.book import Book, Note, Telling, result
from terminal.client import NetworkDown, ServerRefused
from terminal.devices import ServerPort
from terminal.journal import Act, Case, Intent, JournalUnavailable
from terminal.money import asked, attempt, totals
from terminal.payment.device import (
    BadAmount,
    ChangeUnavailable,
    CoinUnit,
    Counted,
    DeviceCounters,
    PaymentConflict,
    PaymentDeviceError,
    PaymentState,
    PaymentStatus,
)
from terminal.programs import ID_BYTES, Call, Lane, Memory, Program, Sources
from terminal.visit import TerminalCode, Visit
from terminal.workers import WorkerError

#: With these the server has decided that it gave no claim; after any other it may have given one to a lost answer.
_NOT_GIVEN: Final = frozenset(
    {ErrorCode.NO_REFUND, ErrorCode.REFUND_IN_REVIEW, ErrorCode.TOO_MANY_CODES, ErrorCode.BAD_REQUEST}
)

log = structlog.get_logger()


class RefundPrograms:
    """The part of the effects that pays back what an earlier visit is owed."""

    def __init__(
        self, book: Book, payment: CoinUnit, server: ServerPort, memory: Callable[[], Memory], sources: Sources
    ) -> None:
        self._book = book
        self._payment = payment
        self._server = server
        self._memory = memory
        self._sources = sources

    def claim(self, effect: v.ClaimRefund, visit: Visit) -> Program:
        """Claim a refund for this terminal."""
        memory = self._memory()
        claim_id = self._sources.random_bytes(ID_BYTES).hex()
        visit_id = visit.visit_id or self._sources.random_bytes(ID_BYTES).hex()
        row = self._book.journal.intent(Intent(act=Act.CLAIM, visit_id=visit_id, claim_id=claim_id))
        request = RefundClaim(
            claim_id=claim_id,
            code=effect.code,
            session_id=memory.session_id if effect.payment_id is not None else None,
            payment_id=effect.payment_id,
        )
        try:
            answer: RefundAnswer = yield Call(Lane.SERVER, "server.refund", lambda: self._server.claim_refund(request))
        except (NetworkDown, ServerRefused) as error:
            if isinstance(error, ServerRefused) and error.code in _NOT_GIVEN:
                self._book.write(result(row, "refused"))
            else:
                self._book.write(*given_up(claim_id, row))
            raise
        if self._memory() is not memory:  # nobody waits for it any more
            self._book.write(*given_up(claim_id, row))
            return None
        memory.claim_row = row
        return v.RefundClaimed(claim_id, answer.amount_yen)

    def give_up(self, effect: v.GiveUpClaim, _visit: Visit) -> tuple[Note, ...]:
        """The claim came when nobody waited for it any more."""
        return given_up(effect.claim_id, self._memory().claim_row)

    def pay_out(self, effect: v.PayOut, visit: Visit) -> Program:
        """Pay a claimed refund out of the hoppers."""
        payment, (claim_id, amount_yen) = self._payment, (effect.claim_id, effect.amount_yen)
        claim_row = self._memory().claim_row
        # 1. What the unit has paid so far; without that nothing is moved.
        try:
            before: DeviceCounters = yield from asked(Call(Lane.PAYMENT, "payment.counters", payment.counters))
        except (PaymentDeviceError, WorkerError):
            self._book.write(*given_up(claim_id, claim_row))
            return v.Failed(TerminalCode.NO_COINS)
        # 2. Moved once.
        intent = Intent(
            act=Act.PAY_OUT, visit_id=visit.visit_id, claim_id=claim_id, amount_yen=amount_yen, counters=totals(before)
        )
        try:
            row = self._book.journal.intent(intent)
        except JournalUnavailable:  # no row, no act; where not even this can be written, nothing begins any more
            self._book.write(*given_up(claim_id, claim_row))
            raise
        call = Call(Lane.PAYMENT, "payment.pay_out", lambda: payment.pay_out(claim_id, amount_yen))
        counted = yield from self._move(call, intent)
        after = yield from attempt(Call(Lane.PAYMENT, "payment.counters", payment.counters))
        counters = totals(after) if isinstance(after, DeviceCounters) else {}
        # 3. What came of it, claim and word to the server in one append.
        self._book.write(*payout_ended(intent, row, claim_row, counted, counters))
        log.info("refund", claim=claim_id, paid_yen=None if counted is None else counted.change_yen)
        if counted is None or 0 < counted.change_yen < amount_yen:
            return v.Failed(TerminalCode.PAYOUT_UNCERTAIN)
        return v.RefundPaid(amount_yen) if counted.change_yen else v.Failed(TerminalCode.NO_COINS)

    def _move(self, call: Call, intent: Intent) -> Generator[Call, Any, Counted | None]:
        """Pay once; None = nobody knows what came out."""
        claim_id, nothing = intent.claim_id or "", Counted(0, 0, 0, intent.amount_yen or 0)
        try:
            counted: Counted = yield call
        except (ChangeUnavailable, BadAmount, PaymentConflict) as error:
            log.warning("not paid out", claim=claim_id, error=type(error).__name__)
            return nothing
        except (PaymentDeviceError, WorkerError) as error:
            log.warning("paid out without an answer", claim=claim_id, error=type(error).__name__)
            status = yield from attempt(Call(Lane.PAYMENT, "payment.status", lambda: self._payment.status(claim_id)))
            return paid_out(status) if isinstance(status, PaymentStatus) else None
        return counted


def paid_out(status: PaymentStatus) -> Counted | None:
    """Return what a payout did, where the unit itself says that it is done."""
    return status.counted if status.state is PaymentState.ROLLED_BACK else None


def given_up(claim_id: str, claim_row: int | None) -> tuple[Note, ...]:
    """Return what is written where nothing was paid for a claim: the money is due again."""
    told = Telling(EventKind.REFUND_NOT_PAID, {"claim_id": claim_id})
    return (told,) if claim_row is None else (result(claim_row, "given up"), told)


def payout_ended(
    intent: Intent, row: int, claim_row: int | None, counted: Counted | None, counters: dict[str, int | None]
) -> tuple[Note, ...]:
    """Return all that is to be written behind a payout; counted None: nobody knows what it did."""
    claim_id, amount_yen = intent.claim_id or "", intent.amount_yen or 0
    claim = {"claim_id": claim_id}
    notes: tuple[Note, ...]
    if counted is not None and counted.change_yen == amount_yen:
        outcome, notes = "paid", (Telling(EventKind.REFUND_PAID, {**claim, "amount_yen": amount_yen}),)
    elif counted is not None and counted.change_yen == 0:
        outcome, notes = "not paid", (Telling(EventKind.REFUND_NOT_PAID, claim),)
    else:
        outcome = "uncertain"
        out = "unknown" if counted is None else f"{counted.change_yen} of {amount_yen} yen"
        case = Case(code=TerminalCode.PAYOUT_UNCERTAIN, visit_id=intent.visit_id, detail=f"claim {claim_id}: {out}")
        notes = (Telling(EventKind.REFUND_UNKNOWN, claim), case)
    ends = (result(row, outcome, counters), *(() if claim_row is None else (result(claim_row, outcome),)))
    return (*ends, *notes)
