"""A receipt's program: written down, printed once, and written down what became of it."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from printing.press.slip import SlipOutcome
from terminal import visit as v
from terminal.book import Book, result
from terminal.devices import ReceiptDevice
from terminal.flow import owes_visibly
from terminal.history import receipt_of
from terminal.journal import Act, Intent, JournalUnavailable
from terminal.programs import Call, Identity, Lane, Memory, Program, Sources
from terminal.screens.receipt import slip
from terminal.visit import Receipt, Visit

log = structlog.get_logger()


class ReceiptPrograms:
    """The part of the effects that prints a slip. Whatever becomes of it changes nothing about paper or money."""

    def __init__(
        self,
        book: Book,
        printer: ReceiptDevice | None,
        memory: Callable[[], Memory],
        identity: Identity,
        sources: Sources,
    ) -> None:
        self._book = book
        self._printer = printer
        self._memory = memory
        self._identity = identity
        self._sources = sources

    def give(self, effect: v.GiveReceipt, visit: Visit) -> Program:
        """Print the slip of a payment that is over."""
        printer, payment_id, money = self._printer, effect.payment_id, visit.money
        if printer is None or money is None:
            return v.ReceiptGiven(payment_id, Receipt.NOT_FITTED)
        has_code = owes_visibly(visit)
        intent = Intent(
            act=Act.RECEIPT,
            visit_id=visit.visit_id,
            payment_id=payment_id,
            amount_yen=money.captured_yen,
            has_code=has_code,
        )
        # 1. One slip a payment, whatever led here.
        try:
            if self._book.has_receipt(payment_id):
                return None
            row = self._book.journal.intent(intent)
        except JournalUnavailable as error:
            self._book.lose(error)
            return v.ReceiptGiven(payment_id, Receipt.NOT_PRINTED)
        # 2. Printed, if whoever it is for still stands there when the printer's turn comes.
        told = slip(visit, self._identity.terminal_id, self._sources.now_utc())
        memory = self._memory()

        def give() -> SlipOutcome:
            return printer.print(told) if self._memory() is memory else SlipOutcome.NOT_PRINTED

        try:
            outcome: SlipOutcome = yield Call(Lane.RECEIPT, "receipt.print", give)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is not asked for again
            log.warning("receipt without an answer", payment=payment_id, error=type(error).__name__)
            outcome = SlipOutcome.UNKNOWN
        self._book.write(result(row, outcome))
        say = log.info if outcome is SlipOutcome.PRINTED else log.warning
        say("receipt", payment=payment_id, outcome=outcome)
        return v.ReceiptGiven(payment_id, receipt_of(outcome, has_code=has_code))
