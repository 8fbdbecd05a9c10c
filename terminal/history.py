"""What stands open in a journal: payments whose orders or money have no end yet. Pure; it asks no device.

An order has an end when the server was told that it is void, failed, partial, or that its fee was taken or could not
be. A payment's money has one when its collection has a result, or once it was told what a card's debits came to. What a
terminal without a memory can know of either stands in the rows alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from printing.press.slip import SlipOutcome
from protocol.messages import Event, EventKind, SignedEvent
from terminal.journal import Act, Boot, Ids, Intent, Result, Row
from terminal.visit import CopyOutcome, Money, Receipt

SHORT_CUT: Final = timedelta(seconds=60)  # whoever stood here may still stand here

#: What the server was told last of an order, if that is its end.
_ENDS: Final = {
    EventKind.ORDER_VOIDED: CopyOutcome.VOID,
    EventKind.GRANT_ABANDONED: CopyOutcome.VOID,
    EventKind.FAILED: CopyOutcome.FAILED,
    EventKind.PARTIAL: CopyOutcome.PARTIAL,
    EventKind.CAPTURED: CopyOutcome.PRINTED,
    EventKind.CAPTURE_FAILED: CopyOutcome.PRINTED,
}


@dataclass
class Debit:
    """One order's debit of a card, or the cancel of it, as the journal knows them; a result is a DebitState's word."""

    row: Row
    result: str | None = None

    @property
    def intent(self) -> Intent:
        """What was to be debited."""
        assert isinstance(self.row.body, Intent)
        return self.row.body


@dataclass
class Copy:
    """One order as the journal knows it."""

    order_id: str
    debit: Debit | None = None
    cancel: Debit | None = None
    intent: Row | None = None
    result: str | None = None  # the printer's verdict, as it was written
    told: list[EventKind] = field(default_factory=list)
    lying: int | None = None  # the row that says so: at the outlet, as far as anybody knows

    @property
    def printing(self) -> Intent:
        """What was to be printed."""
        assert self.intent is not None
        assert isinstance(self.intent.body, Intent)
        return self.intent.body

    @property
    def has_end(self) -> bool:
        """Whether nothing more is to be said of it."""
        return any(kind in _ENDS for kind in self.told)

    @property
    def unwritten(self) -> int | None:
        """The row of a print that has its end but no result: a disk took no row then, and does again."""
        return self.intent.row if self.has_end and self.intent is not None and self.result is None else None

    @property
    def outcome(self) -> CopyOutcome:
        """What is known to have become of it; UNKNOWN also where only the printer can tell."""
        for kind in reversed(self.told):
            if kind in _ENDS:
                return _ENDS[kind]
        if EventKind.PRINTED in self.told:
            return CopyOutcome.PRINTED
        return CopyOutcome.WAITING if self.intent is None else CopyOutcome.UNKNOWN


@dataclass
class Unfinished:
    """One payment with its orders; a payment without money too, since its orders are printed all the same."""

    visit_id: str
    payment_id: str
    copies: dict[str, Copy]
    last_utc: datetime  # when the terminal was last known to live in this visit
    cut: bool = False  # a process began after it
    collect: Row | None = None
    code: Row | None = None  # a QR code was shown
    collected: bool = False  # the collection has its result
    movement: Row | None = None  # the last that has no result
    owed_told: bool = False
    owing: Row | None = None  # the code of what is owed stands on the screen, as far as anybody knows
    money: Money | None = None  # as the server was told of it; None = of none yet
    closed_told: bool = False  # the server knows the sums of it
    receipt: Receipt | None = None  # whether a slip was asked for, and came out

    @property
    def is_open(self) -> bool:
        """Whether anything of it has no end."""
        waits = self.owing is not None or bool(self.lying()) or self.has_open_debits
        ended = all(copy.has_end and copy.unwritten is None for copy in self.copies.values())
        return waits or bool(self.begun()) or not ended

    @property
    def is_given_up(self) -> bool:
        """Whether all that is open is an order that nobody began to pay for or to print."""
        waiting = all(copy.has_end or copy.outcome is CopyOutcome.WAITING for copy in self.copies.values())
        return waiting and not self.begun() and not self.has_open_debits

    @property
    def has_open_debits(self) -> bool:
        """Whether a card was to be debited, or a code shown, and it was not told yet what that came to."""
        asked = self.code is not None or any(copy.debit is not None for copy in self.copies.values())
        return asked and not self.closed_told

    def lying(self) -> tuple[Copy, ...]:
        """Return the papers that lie at the outlet, as far as anybody knows."""
        return tuple(copy for copy in self.copies.values() if copy.lying is not None)

    def begun(self) -> tuple[Row, ...]:
        """Return the rows of money that have no result."""
        collect = self.collect if not self.collected else None
        return tuple(row for row in (self.movement, collect) if row is not None)


@dataclass
class Claim:
    """A refund that was claimed, or asked for, and whose payout was not told yet."""

    claim_id: str
    visit_id: str
    row: Row
    payout: Row | None = None


@dataclass
class BegunReceipt:
    """A slip of which it is not written what became of it."""

    row: Row
    cut: bool = False  # a process began after it


@dataclass(frozen=True)
class History:
    """What a terminal finds that begins: payments and claims without an end, and intents that belong to none."""

    unfinished: tuple[Unfinished, ...]
    strays: tuple[Row, ...]
    claims: tuple[Claim, ...] = ()
    receipts: tuple[BegunReceipt, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether anything has no end."""
        return bool(self.unfinished or self.strays or self.claims or self.receipts)


def was_short(payment: Unfinished, now_utc: datetime) -> bool:
    """Tell whether whoever stood here may still be there. A clock that went backwards is not believed."""
    return timedelta() <= now_utc - payment.last_utc < SHORT_CUT


def read(rows: Iterable[Row]) -> History:
    """Read a journal from its first row to its last."""
    reader = _Reader()
    for row in rows:
        reader.take(row)
    unfinished = tuple(payment for payment in reader.payments.values() if payment.is_open)
    strays, claims = tuple(reader.strays.values()), tuple(reader.claims.values())
    return History(unfinished, strays, claims, tuple(reader.receipts.values()))


class _Reader:
    """The fold over the rows. What has an end is forgotten when the next visit begins, so that it stays small."""

    def __init__(self) -> None:
        self.payments: dict[str, Unfinished] = {}
        self.strays: dict[int, Row] = {}
        self.claims: dict[int, Claim] = {}  # by the row of the claim
        self.receipts: dict[int, BegunReceipt] = {}
        self._of_order: dict[str, Copy] = {}
        self._of_row: dict[int, tuple[Unfinished | None, Copy | None]] = {}
        self._at_utc = datetime.min.replace(tzinfo=UTC)

    def take(self, row: Row) -> None:
        match row.body:
            case Boot():
                self._cut(row.body)
            case Ids():
                self._begin(row, row.body)
            case Intent():
                self._intend(row, row.body)
            case Result():
                self._end(row, row.body)
            case bytes():
                self._tell(row.body)
            case _:
                pass
        self._at_utc = datetime.fromisoformat(row.at_utc)
        for payment in self.payments.values():
            if not payment.cut:
                payment.last_utc = self._at_utc

    def _cut(self, boot: Boot) -> None:
        alive_utc = datetime.fromisoformat(boot.alive_utc) if boot.alive_utc else self._at_utc
        for payment in self.payments.values():
            if not payment.cut:
                payment.last_utc = max(payment.last_utc, alive_utc)
                payment.cut = True
        for receipt in self.receipts.values():
            receipt.cut = True
            self._end_receipt(receipt.row, SlipOutcome.UNKNOWN)

    def _begin(self, row: Row, ids: Ids) -> None:
        for payment in [payment for payment in self.payments.values() if not payment.is_open]:
            del self.payments[payment.payment_id]
            for order_id in payment.copies:
                del self._of_order[order_id]
        if ids.payment_id is None:
            return
        copies = {order_id: Copy(order_id) for order_id in ids.order_ids}
        if ids.payment_id in self.payments:  # one document more, paid for with those before
            self.payments[ids.payment_id].copies |= copies
            self._of_order |= copies
            return
        at_utc = datetime.fromisoformat(row.at_utc)
        self.payments[ids.payment_id] = Unfinished(ids.visit_id, ids.payment_id, copies, at_utc)
        self._of_order |= copies

    def _intend(self, row: Row, intent: Intent) -> None:
        if intent.act is Act.CLAIM:
            self.claims[row.row] = Claim(intent.claim_id or "", intent.visit_id, row)
            return
        if intent.act is Act.PAY_OUT:
            self._pay_out(row, intent)
            return
        payment = self.payments.get(intent.payment_id or "")
        if intent.act is Act.RECEIPT:
            self.receipts[row.row] = BegunReceipt(row)
            if payment is not None:
                payment.receipt = Receipt.COMING
            return
        copy = self._of_order.get(intent.order_id or "")
        if copy is None and payment is None:
            self.strays[row.row] = row
            return
        self._of_row[row.row] = (payment, copy)
        if copy is not None:
            _intend_copy(copy, row, intent.act)
        elif payment is not None:
            _intend_payment(payment, row, intent.act)

    def _pay_out(self, row: Row, intent: Intent) -> None:
        claim = next((claim for claim in self.claims.values() if claim.claim_id == intent.claim_id), None)
        if claim is None:
            self.strays[row.row] = row
        else:
            claim.payout = row

    def _end(self, row: Row, result: Result) -> None:
        of_row = row.of_row or 0
        self.strays.pop(of_row, None)
        self.claims.pop(of_row, None)
        if of_row in self.receipts:
            self._end_receipt(self.receipts.pop(of_row).row, result.outcome)
            return
        payment, copy = self._of_row.pop(of_row, (None, None))
        if copy is not None and copy.lying == of_row:
            copy.lying = None
        elif copy is not None and copy.debit is not None and copy.debit.row.row == of_row:
            copy.debit.result = result.outcome
        elif copy is not None and copy.cancel is not None and copy.cancel.row.row == of_row:
            copy.cancel.result = result.outcome
        elif copy is not None:
            copy.result = result.outcome
        elif payment is not None and payment.movement is not None and payment.movement.row == of_row:
            payment.movement = None
        elif payment is not None and payment.owing is not None and payment.owing.row == of_row:
            payment.owing = None
        elif payment is not None and payment.collect is not None and payment.collect.row == of_row:
            payment.collected = True

    def _end_receipt(self, row: Row, outcome: str) -> None:
        assert isinstance(row.body, Intent)
        payment = self.payments.get(row.body.payment_id or "")
        if payment is not None:
            payment.receipt = receipt_of(outcome, has_code=row.body.has_code)

    def _tell(self, signed: bytes) -> None:
        event = msgspec.json.decode(msgspec.json.decode(signed, type=SignedEvent).body, type=Event)
        if (copy := self._of_order.get(event.order_id or "")) is not None:
            copy.told.append(event.kind)
        if (payment := self.payments.get(event.payment_id or "")) is not None:
            payment.money = _counted(payment.money or Money(payment.payment_id, 0), event)
            payment.owed_told |= event.kind is EventKind.RETURN_DUE
            payment.closed_told |= event.kind is EventKind.PAYMENT_CLOSED


def receipt_of(outcome: str, *, has_code: bool) -> Receipt:
    """Return what a slip is to whoever stands there, once it is written what became of it."""
    if outcome != SlipOutcome.PRINTED:
        return Receipt.NOT_PRINTED
    return Receipt.WITH_CODE if has_code else Receipt.PRINTED


def _intend_payment(payment: Unfinished, row: Row, act: Act) -> None:
    match act:
        case Act.COLLECT:
            payment.collect, payment.collected = row, False
        case Act.OWE:
            payment.owing = row
        case Act.SHOW_CODE:
            payment.code = row
        case _:
            payment.movement = row


def _intend_copy(copy: Copy, row: Row, act: Act) -> None:
    match act:
        case Act.HAND_OUT:
            copy.lying = row.row
        case Act.DEBIT:
            copy.debit = Debit(row)
        case Act.CANCEL_DEBIT:
            copy.cancel = Debit(row)
        case _:
            copy.intent = row


def _counted(money: Money, event: Event) -> Money:
    """Return what is known of a payment's money once the server was told this of it."""
    amount_yen = event.amount_yen or 0
    money = replace(money, method=event.method or money.method)
    match event.kind:
        case EventKind.CAPTURED:
            money = replace(money, captured_yen=money.captured_yen + amount_yen)
        case EventKind.CAPTURE_FAILED:
            money = replace(money, uncertain_yen=money.uncertain_yen + amount_yen)
        case EventKind.RETURN_DUE:
            money = replace(money, owed_yen=money.owed_yen + amount_yen)
        case EventKind.PAYMENT_CLOSED:
            money = replace(money, change_yen=event.change_yen or 0, returned_yen=event.returned_yen or 0)
    due_yen = money.captured_yen + money.uncertain_yen
    inserted_yen = due_yen + money.change_yen + money.returned_yen + money.owed_yen
    return replace(money, due_yen=due_yen, inserted_yen=inserted_yen)
