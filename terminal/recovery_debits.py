"""What a terminal that begins does with cards that were to be debited: it asks the contract terminal of each.

A debit without a print intent is given back: onto the card where somebody is still there with it, else as a refund that
is due. 処理未了 is told and is a case; of what was never debited nothing is left but to say so.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from protocol.messages import PaymentMethod
from terminal import visit as v
from terminal.book import Book, result
from terminal.debit_programs import cancel_ended, closed, debit_ended, stand_of
from terminal.history import Copy, Unfinished
from terminal.journal import Intent
from terminal.payment.emoney import DebitState, EmoneyTerminal
from terminal.programs import Call
from terminal.visit import CopyOutcome, Money

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DebitsFound:
    """What a payment's debits came to: its money, and the orders of which the card has not got its debit back."""

    money: Money
    debited: frozenset[str]


def debits(book: Book, emoney: EmoneyTerminal | None, payment: Unfinished) -> Generator[Call, Any, DebitsFound | None]:
    """End every debit whose answer died with the process, and return what they came to; None = nothing is left to do.

    Errors: DeviceGone, WorkerError: nobody but the contract terminal can tell.
    """
    debited: set[str] = set()
    inserted_yen = returned_yen = uncertain_yen = 0
    for copy in payment.copies.values():
        if copy.debit is None:
            continue
        fee_yen = copy.debit.intent.amount_yen or 0
        state = yield from _debit(book, emoney, copy)
        if state is DebitState.UNPROCESSED:
            uncertain_yen += fee_yen
        if state is not DebitState.DEBITED:
            continue
        inserted_yen += fee_yen
        if (yield from _is_back(book, emoney, copy)):
            returned_yen += fee_yen
        else:
            debited.add(copy.order_id)
    if not debited and not uncertain_yen:
        book.write(*closed(v.CloseDebits(payment.payment_id, (), returned_yen, 0)))
        return None
    money = Money(
        payment.payment_id,
        inserted_yen + uncertain_yen,
        method=PaymentMethod.EMONEY,
        inserted_yen=inserted_yen + uncertain_yen,
        returned_yen=returned_yen,
        uncertain_yen=uncertain_yen,
    )
    return DebitsFound(money, frozenset(debited))


def code_found(book: Book, payment: Unfinished, outcomes: Mapping[str, CopyOutcome]) -> Money | None:
    """Return what was agreed to where a paper may have come out; None = nothing did: the server lets it all go."""
    assert payment.code is not None
    assert isinstance(payment.code.body, Intent)
    if not set(outcomes.values()) & {CopyOutcome.PRINTED, CopyOutcome.UNKNOWN}:
        let_go = v.CloseDebits(payment.payment_id, (), 0, 0, PaymentMethod.QR)
        book.write(result(payment.code.row, "over"), *closed(let_go))
        return None
    agreed_yen = payment.code.body.amount_yen or 0
    return Money(payment.payment_id, agreed_yen, method=PaymentMethod.QR, inserted_yen=agreed_yen)


def _debit(book: Book, emoney: EmoneyTerminal | None, copy: Copy) -> Generator[Call, Any, DebitState]:
    assert copy.debit is not None
    if copy.debit.result is not None:
        return DebitState(copy.debit.result)
    said = yield from stand_of(emoney, copy.order_id)
    book.write(*debit_ended(book, copy.debit.intent, copy.debit.row.row, said))
    return said.state


def _is_back(book: Book, emoney: EmoneyTerminal | None, copy: Copy) -> Generator[Call, Any, bool]:
    if copy.cancel is None:
        return False
    if copy.cancel.result is not None:
        return copy.cancel.result == DebitState.CANCELLED
    said = yield from stand_of(emoney, copy.order_id)
    book.write(*cancel_ended(book, copy.cancel.row.row, said))
    return said.state is DebitState.CANCELLED
