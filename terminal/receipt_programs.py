"""A receipt's program: written down, printed once, and written down what became of it."""

from __future__ import annotations

from typing import Final

import structlog

from printing.press.slip import SlipOutcome
from terminal import visit as v
from terminal.book import Book, result
from terminal.devices import ReceiptDevice
from terminal.journal import Act, Intent, JournalUnavailable
from terminal.programs import Call, Identity, Lane, Program, Sources
from terminal.screens.receipt import slip
from terminal.visit import Receipt, Visit
from terminal.workers import WorkerError

_KNOWN: Final = {SlipOutcome.PRINTED: Receipt.PRINTED}

log = structlog.get_logger()


class ReceiptPrograms:
    """The part of the effects that prints a slip. Whatever becomes of it changes nothing about paper or money."""

    def __init__(self, book: Book, printer: ReceiptDevice | None, identity: Identity, sources: Sources) -> None:
        self._book = book
        self._printer = printer
        self._identity = identity
        self._sources = sources

    def give(self, effect: v.GiveReceipt, visit: Visit) -> Program:
        """Print the slip of a payment that is over."""
        printer, payment_id, money = self._printer, effect.payment_id, visit.money
        if printer is None or money is None:
            return v.ReceiptGiven(payment_id, Receipt.NOT_FITTED)
        told = slip(visit, self._identity.terminal_id, self._sources.now_utc())
        intent = Intent(act=Act.RECEIPT, visit_id=visit.visit_id, payment_id=payment_id, amount_yen=money.captured_yen)
        try:
            row = self._book.journal.intent(intent)
        except JournalUnavailable as error:
            self._book.lose(error)
            return v.ReceiptGiven(payment_id, Receipt.NOT_PRINTED)
        try:
            outcome: SlipOutcome = yield Call(Lane.RECEIPT, "receipt.print", lambda: printer.print(told))
        except WorkerError as error:
            log.warning("receipt without an answer", payment=payment_id, error=type(error).__name__)
            outcome = SlipOutcome.UNKNOWN
        self._book.write(result(row, outcome))
        log.info("receipt", payment=payment_id, outcome=outcome)
        return v.ReceiptGiven(payment_id, _KNOWN.get(outcome, Receipt.NOT_PRINTED))
