"""What the terminal writes down: results, events and cases; those of one step all together or not at all.

A row before an act may fail, and then the act is not begun. What has happened already is noted: where the journal takes
no row any more, the visit still ends well and nothing more begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast

import structlog

from printing.press.verdict import Outcome, Verdict
from protocol import messages
from protocol.codec import encode
from protocol.codes import claim_digest
from protocol.messages import EventKind
from protocol.signing import sign_event
from terminal import history
from terminal.claims import claim_code
from terminal.history import Copy, Unfinished
from terminal.journal import Act, Case, Entry, Intent, Journal, JournalUnavailable, Result, RowKind
from terminal.outlet import SHEET_CASES, is_found_out
from terminal.programs import Identity, Sources
from terminal.visit import CopyOutcome, TerminalCode

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Telling:
    """An event for the server; it gets its number when it is written."""

    kind: EventKind
    fields: dict[str, Any] = field(default_factory=dict)


Note = Entry | Telling | Case
UNAVAILABLE: Final = "journal-unavailable"  # why nothing begins any more

#: What the server is told of a paper, and whether the sheets are counted in it.
_PAPER_EVENTS: Final[dict[CopyOutcome, tuple[EventKind, bool]]] = {
    CopyOutcome.PRINTED: (EventKind.PRINTED, True),
    CopyOutcome.DECLARED: (EventKind.PRINTED, True),  # after UNKNOWN: the doubt stands in the row before
    CopyOutcome.PARTIAL: (EventKind.PARTIAL, True),
    CopyOutcome.FAILED: (EventKind.FAILED, False),
    CopyOutcome.UNKNOWN: (EventKind.UNKNOWN, False),
}


def result(intent_row: int, outcome: str, counters: dict[str, int | None] | None = None) -> Entry:
    """Return the row that ends an act."""
    return Entry(RowKind.RESULT, Result(outcome=outcome, counters=counters or {}), of_row=intent_row)


def paper_told(book: Book, visit_id: str, order_id: str, verdict: Verdict) -> tuple[Note, ...]:
    """Return what stands beside a verdict: the word to the server, and a case where sheets lie about."""
    told = book.paper(visit_id, order_id, CopyOutcome(verdict.outcome.value), verdict.sheets_out)
    if verdict.outcome is not Outcome.PARTIAL:
        return told
    return (*told, Case(code=TerminalCode.PRINT_PARTIAL, visit_id=visit_id, order_id=order_id))


def voids(payment: Unfinished) -> tuple[Note, ...]:
    """Of the orders that were never printed the first may have been granted, once there was money for it."""
    waiting = [copy.order_id for copy in payment.copies.values() if copy.outcome is CopyOutcome.WAITING]
    first = EventKind.ORDER_VOIDED if payment.collect is None else EventKind.GRANT_ABANDONED
    kinds = (first, *(EventKind.ORDER_VOIDED for _ in waiting[1:]))
    return tuple(Telling(kind, {"order_id": order_id}) for kind, order_id in zip(kinds, waiting, strict=False))


def unwritten(copy: Copy) -> tuple[Note, ...]:
    """Return the result of a print that has its end and no result yet."""
    return () if copy.unwritten is None else (result(copy.unwritten, copy.outcome),)


class Book:
    """The journal as the effects use it; of the runner's thread."""

    def __init__(self, journal: Journal, identity: Identity, sources: Sources) -> None:
        self.journal = journal
        self._identity = identity
        self._sources = sources
        self._papers: dict[str, CopyOutcome] = {}  # what this process has told of them
        self.lost = False

    def write(self, *notes: Note) -> None:
        """Write down what has happened, in one append."""
        self.note(lambda: self.journal.append(*self._entries(notes)))

    def tell(self, kind: EventKind, **fields: Any) -> None:
        """Queue a signed event for the server; it stands in the journal until it is accepted."""
        self.write(Telling(kind, fields))

    def paper(self, visit_id: str, order_id: str, outcome: CopyOutcome, sheets_out: int | None) -> tuple[Note, ...]:
        """Return what the server is to be told of one order's paper; nothing where it was told so already.

        Beside the word that it came out stands that it lies there: whoever comes next must not find it.
        """
        if self._papers.get(order_id) is outcome:
            return ()
        self._papers[order_id] = outcome
        kind, counts_sheets = _PAPER_EVENTS[outcome]
        sheets = {"sheets_out": sheets_out or 0} if counts_sheets else {}
        telling = Telling(kind, {"order_id": order_id, **sheets})
        if kind is not EventKind.PRINTED:
            return (telling,)
        return (telling, Entry(RowKind.INTENT, Intent(act=Act.HAND_OUT, visit_id=visit_id, order_id=order_id)))

    def has_told_of(self, order_id: str) -> bool:
        """Tell whether anything was said of that order's paper: a verdict that comes later is for the journal alone."""
        return order_id in self._papers

    def close_cases(self, note: str, sheets_destroyed: int | None = None) -> None:
        """Close the open cases with what staff found; a case of sheets stays open until they are counted.

        The server is told of sheets that were destroyed: it owns what their number is worth.
        """
        rows = self.journal.open_cases()
        handed_over = any(cast(Case, row.body).code == TerminalCode.PAPER_BAD for row in rows)
        for row in rows:
            case = cast(Case, row.body)
            if handed_over and case.code in SHEET_CASES and case.code != TerminalCode.PAPER_BAD:
                continue  # the count is of what was handed over; what a presenter took back is counted by itself
            if not is_found_out(case.code, sheets_destroyed):
                continue
            self.journal.close_case(row.row, note, sheets_destroyed)
            if case.code == TerminalCode.MONEY_UNCERTAIN:
                self.journal.append(*self._left_to_staff(case.payment_id))
            if case.code in SHEET_CASES and case.order_id is not None:
                self.tell(EventKind.SHEETS_DESTROYED, order_id=case.order_id, sheets_out=sheets_destroyed)

    def settle(self) -> None:
        """A visit is forgotten: void what it left prepared, and remember that nothing stands open, if nothing does."""
        found = history.read(self.journal.open_rows())
        notes: list[Note] = [note for payment in found.unfinished if payment.is_given_up for note in voids(payment)]
        for payment in found.unfinished:
            if payment.owing is not None:
                notes.append(result(payment.owing.row, "shown"))
                payment.owing = None
            for copy in payment.copies.values():
                notes += unwritten(copy)
            for copy in payment.lying():
                assert copy.lying is not None
                notes.append(result(copy.lying, "visit over"))
                copy.lying = None
        if notes:
            self.write(*notes)
        still_open = [payment for payment in found.unfinished if payment.is_open and not payment.is_given_up]
        if not (found.strays or found.claims or found.receipts or still_open):
            self.note(self.journal.settle)

    def code_row(self, payment_id: str) -> int | None:
        """Return the row of the QR code that was shown for a payment, as long as it has no result."""
        try:
            found = history.read(self.journal.open_rows()).unfinished
        except JournalUnavailable as error:
            self.lose(error)
            return None
        codes = [payment.code for payment in found if payment.payment_id == payment_id and not payment.closed_told]
        return next((code.row for code in codes if code is not None), None)

    def has_receipt(self, payment_id: str) -> bool:
        """Tell whether a slip of this payment was begun, as far as anything of it stands open."""
        found = history.read(self.journal.open_rows()).unfinished
        return any(payment.payment_id == payment_id and payment.receipt is not None for payment in found)

    def claim_code(self, payment_id: str) -> str:
        """Return the code for what a payment comes to owe; it is written nowhere, and made again when it is wanted."""
        return claim_code(self._identity.key, payment_id)

    def _left_to_staff(self, payment_id: str | None) -> list[Entry]:
        """End what nobody could: others' money goes through the unit next, and its totals then tell of theirs too."""
        found = history.read(self.journal.open_rows()).unfinished
        begun = [row for payment in found if payment.payment_id == payment_id for row in payment.begun()]
        return [result(row.row, "left to staff") for row in begun]

    def open_cases(self) -> tuple[Case, ...]:
        """Return the cases that staff have not closed; none where they cannot be read, which is told as such."""
        try:
            return tuple(cast(Case, row.body) for row in self.journal.open_cases())
        except JournalUnavailable as error:
            self.lose(error)
            return ()

    def note(self, write: Callable[[], Any]) -> None:
        """Write what has happened already: without the row the visit still ends well, and then nothing more begins."""
        try:
            write()
        except JournalUnavailable as error:
            self.lose(error)

    def lose(self, error: JournalUnavailable) -> None:
        """Nothing begins any more until the terminal is started anew, and its journal has been read from the start."""
        if not self.lost:
            log.critical("journal unavailable", error=str(error))
        self.lost = True

    def _entries(self, notes: tuple[Note, ...]) -> list[Entry]:
        entries: list[Entry] = []
        sequence = self.journal.next_sequence()
        open_cases = self.journal.open_cases() if any(isinstance(note, Case) for note in notes) else ()
        for note in notes:
            match note:
                case Telling(kind=EventKind.RETURN_DUE):
                    telling, owing = self._owing(note)
                    entries.append(Entry(RowKind.EVENT, self._signed(sequence, telling), sequence=sequence))
                    entries.append(owing)
                    sequence += 1
                case Telling():
                    entries.append(Entry(RowKind.EVENT, self._signed(sequence, note), sequence=sequence))
                    sequence += 1
                case Case():
                    if note not in (row.body for row in open_cases):  # the same doubt is one case
                        log.error(
                            "case", code=note.code, order=note.order_id, payment=note.payment_id, detail=note.detail
                        )
                        entries.append(Entry(RowKind.CASE, note))
                case Entry():
                    entries.append(note)
        return entries

    def _owing(self, telling: Telling) -> tuple[Telling, Entry]:
        """With a debt go the digest of its code, one of the payment's orders, and a row that its code is shown."""
        payment_id = str(telling.fields["payment_id"])
        found = history.read(self.journal.open_rows()).unfinished
        payment = next((one for one in found if one.payment_id == payment_id), None)
        fields = {**telling.fields, "claim_digest": claim_digest(self.claim_code(payment_id))}
        if payment is not None and payment.copies:
            fields["order_id"] = next(iter(payment.copies))
        visit_id = payment.visit_id if payment is not None else ""
        amount_yen = telling.fields["amount_yen"]
        owing = Intent(act=Act.OWE, visit_id=visit_id, payment_id=payment_id, amount_yen=amount_yen)
        return Telling(telling.kind, fields), Entry(RowKind.INTENT, owing)

    def _signed(self, sequence: int, telling: Telling) -> bytes:
        at_utc = self._sources.now_utc()
        event = messages.Event(sequence=sequence, at_utc=at_utc, kind=telling.kind, **telling.fields)
        return encode(sign_event(event, self._identity.key))
