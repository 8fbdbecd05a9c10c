"""What terminals tell: numbered facts, applied once and in order.

The terminal owns physical facts, the server owns entitlement, number and accounts. A fact that contradicts the books
is written down and opens a case; it is never refused, since a refused fact would block all that come after it. Only
what is no numbered fact of this terminal is refused: a gap, another body under a known number, missing fields.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine, bindparam, insert, select, update

from fees.postings import PostingKind
from issuance_server import boots, ledger, payments, qr_codes, refunds, reissues, restores, retries
from issuance_server.cases import CaseReason, Subject, close_case, open_case
from issuance_server.ledger import AGREE_WITH_VOID, TRANSITIONS, Guard, Order, OrderEvent, OrderState
from issuance_server.payments import Counted, Payment
from issuance_server.refunds import RefundEvent
from issuance_server.rules import Clock, utc_now
from issuance_server.schema import NO_MUNICIPALITY, session_links, sessions, terminal_events, terminals
from issuance_server.sessions import end_visit
from issuance_server.turns import turn
from protocol.chain import link
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EVENT_FIELDS, EVENT_OPTIONS, Event, EventKind, PaymentMethod

_ACCEPTED = select(terminals.c.accepted_through).where(terminals.c.terminal_id == bindparam("terminal"))
_ADVANCE = (
    update(terminals)
    .where(terminals.c.terminal_id == bindparam("terminal"), terminals.c.accepted_through == bindparam("old"))
    .values(accepted_through=bindparam("new"))
)
_STORE = insert(terminal_events)
_STORED_BODY = select(terminal_events.c.body).where(
    terminal_events.c.terminal_id == bindparam("terminal"), terminal_events.c.sequence == bindparam("number")
)
_ABOUT_ORDER = (
    select(terminal_events.c.sequence)
    .where(terminal_events.c.order_id == bindparam("order"), terminal_events.c.terminal_id == bindparam("terminal"))
    .limit(1)
)
_MUNICIPALITIES_OF_VISIT = (
    select(session_links.c.municipality_code)
    .join(sessions, sessions.c.session_hash == session_links.c.session_hash)
    .where(sessions.c.visit_id == bindparam("visit"), sessions.c.terminal_id == bindparam("terminal"))
)

_OPTIONAL_FIELDS = frozenset(Event.__struct_fields__) - {"sequence", "at_utc", "kind"}
_WITH_SHEETS = frozenset((OrderEvent.PRINTED, OrderEvent.PARTIAL))
_WITH_FEE = frozenset((OrderEvent.CAPTURED, OrderEvent.CAPTURE_FAILED))


def apply(engine: Engine, terminal_id: str, events: tuple[Event, ...], clock: Clock = utc_now) -> int:
    """Apply a terminal's events in their order and return the number through which all are stored.

    What stands before the first refused event is stored all the same. An event that is known already changes nothing.

    Errors: TERMINAL_UNKNOWN; BAD_REQUEST for missing or foreign fields; EVENT_OUT_OF_ORDER for a gap; IDENTITY_FORKED
            for another event under a number that is known, or others than a boot said: the identity is then disabled;
            BOOT_REQUIRED where the server was restored and has not heard yet what the terminal has.
    """
    with turn(engine, terminal_id) as connection:
        restores.require_heard(connection, terminal_id)
        accepted, refusal = take_in(connection, terminal_id, events, clock)
        if refusal is not None and refusal.code is ErrorCode.IDENTITY_FORKED:
            boots.disable(connection, terminal_id, clock())
        restores.caught_up(connection, terminal_id, accepted, clock())
    if refusal is not None:
        raise refusal
    return accepted


def take_in(
    connection: Connection, terminal_id: str, events: tuple[Event, ...], clock: Clock
) -> tuple[int, IssueError | None]:
    """Apply events in a transaction that has the turn; return also what the first refused one is refused with."""
    refusal: IssueError | None = None
    accepted = known = int(connection.execute(_ACCEPTED, {"terminal": terminal_id}).scalar_one())
    head, promised = boots.head_at(connection, terminal_id, known), boots.promised(connection, terminal_id, known)
    for event in events:
        try:
            is_new = _check(connection, terminal_id, event, accepted)
            if is_new:
                head = _linked(event, head, promised.get(event.sequence, set()))
        except IssueError as error:
            refusal = error
            break
        if is_new:
            _store(connection, terminal_id, event, head, clock())
            accepted = event.sequence
    advance = {"terminal": terminal_id, "old": known, "new": accepted}
    if connection.execute(_ADVANCE, advance).rowcount != 1:
        raise IssueError(ErrorCode.BUSY, "events: this terminal is telling others at the same time")
    return accepted, refusal


def are_about(connection: Connection, terminal_id: str, order_id: str) -> bool:
    """Whether a terminal has told anything about an order: what was given up before it arrived is not begun."""
    return connection.execute(_ABOUT_ORDER, {"terminal": terminal_id, "order": order_id}).first() is not None


def _check(connection: Connection, terminal_id: str, event: Event, accepted: int) -> bool:
    """Return whether an event is new; refuse what is no numbered fact."""
    if event.sequence <= accepted:
        keys = {"terminal": terminal_id, "number": event.sequence}
        if connection.execute(_STORED_BODY, keys).scalar() != msgspec.json.encode(event):
            raise IssueError(ErrorCode.IDENTITY_FORKED, f"sequence {event.sequence}: known with another body")
        return False
    if event.sequence != accepted + 1:
        raise IssueError(ErrorCode.EVENT_OUT_OF_ORDER, f"sequence: {accepted + 1} must come next")
    given = {name for name in _OPTIONAL_FIELDS if getattr(event, name) is not None}
    given -= EVENT_OPTIONS.get(event.kind, frozenset())
    for name in sorted(given ^ EVENT_FIELDS[event.kind]):
        rule = "does not belong to" if name in given else "is missing in"
        raise IssueError(ErrorCode.BAD_REQUEST, f"{name}: {rule} {event.kind.value}")
    return True


def _linked(event: Event, head: bytes, promised: set[bytes]) -> bytes:
    """Return the chain's head after one more event, unless a boot said that it is another."""
    head = link(head, msgspec.json.encode(event))
    if promised - {head}:
        raise IssueError(ErrorCode.IDENTITY_FORKED, f"sequence {event.sequence}: not the events of that boot")
    return head


def _store(connection: Connection, terminal_id: str, event: Event, head: bytes, now_utc: datetime) -> None:
    connection.execute(
        _STORE,
        {
            "terminal_id": terminal_id,
            "sequence": event.sequence,
            "kind": event.kind.value,
            "order_id": event.order_id,
            "body": msgspec.json.encode(event),
            "chain_head": head,
            "received_at_utc": now_utc,
        },
    )
    _EFFECTS[event.kind](connection, terminal_id, event, now_utc)


def _of_order(connection: Connection, terminal_id: str, event: Event, now_utc: datetime) -> None:
    """A fact about one order."""
    assert event.order_id is not None
    order = ledger.find(connection, event.order_id)
    fact = OrderEvent(event.kind.value)
    if order is None:
        # Given up before the request for it arrived: there is nothing to void. Anything else cannot be.
        if fact not in AGREE_WITH_VOID:
            subject = Subject(NO_MUNICIPALITY, terminal_id, order_id=event.order_id)
            lost = restores.is_under_way(connection)
            open_case(connection, CaseReason.LOST_IN_RESTORE if lost else CaseReason.CONTRADICTION, subject, now_utc)
    elif order.terminal_id != terminal_id:
        subject = Subject(order.municipality_code, terminal_id, order_id=order.order_id)
        open_case(connection, CaseReason.CONTRADICTION, subject, now_utc)
    else:
        _move(connection, order, fact, event, now_utc)


def _move(connection: Connection, order: Order, fact: OrderEvent, event: Event, now_utc: datetime) -> None:
    """Move an order by the table; a pair that is not in it agrees with a void order, or is a contradiction."""
    subject = Subject(order.municipality_code, order.terminal_id, order_id=order.order_id)
    line = TRANSITIONS.get((order.state, fact))
    payment = _payment_of(connection, order, event) if fact in _WITH_FEE else None
    if line is None or (fact in _WITH_FEE and payment is None):
        if not (order.state is OrderState.VOIDED and fact in AGREE_WITH_VOID):
            open_case(connection, CaseReason.CONTRADICTION, subject, now_utc)
        return
    values = {"new_sheets_out": event.sheets_out} if fact in _WITH_SHEETS else None
    guard = Guard.FEE_AGREES if payment is not None else Guard.TERMINALS_WORD
    ledger.move(connection, order, fact, guard=guard, at_utc=now_utc, values=values)
    if payment is not None and line.posting in {PostingKind.CAPTURE, PostingKind.UNCOLLECTED}:
        payments.earn(connection, payment, order, line.posting, now_utc)
    if line.to_state is OrderState.PRINTED:
        retries.note_printed(connection, order, now_utc)
    if fact is OrderEvent.SHEETS_DESTROYED and order.state is OrderState.SETTLED:
        right = reissues.open_right(connection, order, event.sheets_out or 0, now_utc)
        if not right:  # paid for, void, and no replacement is due by itself: somebody has to look
            open_case(connection, CaseReason.VOIDED_AFTER_PRINT, subject, now_utc)
    if line.case is not None:
        open_case(connection, line.case, subject, now_utc)


def _payment_of(connection: Connection, order: Order, event: Event) -> Payment | None:
    """Return the payment that a capture names, if it is this order's and the sum is this order's fee."""
    assert event.payment_id is not None
    if event.payment_id != order.payment_id or event.amount_yen != order.fee_yen:
        return None
    return payments.find(connection, event.payment_id)


def _not_me(connection: Connection, terminal_id: str, event: Event, now_utc: datetime) -> None:
    """The resident says that the card shows somebody else: nothing of this visit is issued, and a human looks at it.

    The name was that of the municipality whose document was chosen; before any was, each that knows the card looks.
    """
    assert event.visit_id is not None
    keys = {"visit": event.visit_id, "terminal": terminal_id}
    known = set(connection.execute(_MUNICIPALITIES_OF_VISIT, keys).scalars())
    ordered = ledger.of_visit(connection, terminal_id, event.visit_id)
    for order in ordered:
        _move(connection, order, OrderEvent.NOT_ME, event, now_utc)
    # A request for another order may be on its way still.
    end_visit(connection, terminal_id, event.visit_id, now_utc)
    for municipality_code in {order.municipality_code for order in ordered} or known or {NO_MUNICIPALITY}:
        subject = Subject(municipality_code, terminal_id, visit_id=event.visit_id)
        open_case(connection, CaseReason.NOT_ME, subject, now_utc)


def _payment_closed(connection: Connection, terminal_id: str, event: Event, now_utc: datetime) -> None:
    payment = _own_payment(connection, terminal_id, event, now_utc)
    if payment is not None:
        counted = Counted(
            event.inserted_yen or 0, event.cashbox_yen or 0, event.change_yen or 0, event.returned_yen or 0
        )
        payments.close(connection, payment, counted, now_utc)
        _close_code(connection, payment, counted, now_utc)


def _close_code(connection: Connection, payment: Payment, counted: Counted, now_utc: datetime) -> None:
    """Want of the provider what the papers that came out cost, and not more; it is told behind this transaction."""
    code = qr_codes.find(connection, payment.payment_id)
    if code is None:
        return
    capture_yen = counted.inserted_yen - counted.returned_yen
    event = qr_codes.CodeEvent.PRINTED if capture_yen else qr_codes.CodeEvent.NOTHING_PRINTED
    wrong = code.terminal_id != payment.terminal_id or not 0 <= capture_yen <= code.amount_yen
    subject = Subject(code.municipality_code, code.terminal_id, payment_id=code.payment_id)
    close_case(connection, CaseReason.AGREED_UNTOLD, subject, "the terminal has said what it printed", now_utc)
    if not wrong and qr_codes.move(connection, code, event, now_utc, capture_yen or None) is not None:
        return
    if wrong or capture_yen or code.state not in qr_codes.LET_GO:  # what is let go already needs no word
        subject = Subject(payment.municipality_code, payment.terminal_id, payment_id=payment.payment_id)
        open_case(connection, CaseReason.CONTRADICTION, subject, now_utc)


def _return_due(connection: Connection, terminal_id: str, event: Event, now_utc: datetime) -> None:
    payment = _own_payment(connection, terminal_id, event, now_utc)
    if payment is not None and payments.owe(connection, payment, event.amount_yen or 0, now_utc):
        refunds.open_refund(
            connection, payment, event.amount_yen or 0, event.claim_digest, now_utc, order_id=event.order_id
        )


def _debit_unprocessed(connection: Connection, terminal_id: str, event: Event, now_utc: datetime) -> None:
    """Nobody knows whether a card was debited: nothing is posted, and what may be due waits for the findings."""
    assert event.payment_id is not None
    payment = payments.find(connection, event.payment_id)
    if payment is None:
        payment = payments.ungranted(connection, terminal_id, event.payment_id, now_utc, method=PaymentMethod.EMONEY)
    subject = Subject(payment.municipality_code, terminal_id, order_id=event.order_id, payment_id=payment.payment_id)
    if payment.terminal_id != terminal_id or refunds.find(connection, payment.payment_id) is not None:
        open_case(connection, CaseReason.CONTRADICTION, subject, now_utc)
        return
    open_case(connection, CaseReason.DEBIT_UNPROCESSED, subject, now_utc)
    refunds.open_refund(
        connection, payment, event.amount_yen or 0, None, now_utc, order_id=event.order_id, in_doubt=True
    )


def _of_claim(connection: Connection, terminal_id: str, event: Event, now_utc: datetime) -> None:
    """What became of a refund that this terminal claimed."""
    assert event.claim_id is not None
    refund = refunds.claimed(connection, event.claim_id)
    fact = RefundEvent(event.kind.value)
    if refund is None or refund.claimed_by != terminal_id:
        if fact is not RefundEvent.NOT_PAID:  # given up before the claim arrived, or told again: nothing was claimed
            subject = Subject(NO_MUNICIPALITY, terminal_id, payment_id=event.claim_id)
            open_case(connection, CaseReason.CONTRADICTION, subject, now_utc)
        return
    subject = Subject(refund.municipality_code, terminal_id, payment_id=refund.payment_id)
    wrong_sum = fact is RefundEvent.PAID and event.amount_yen != refund.amount_yen
    if wrong_sum or not refunds.end_claim(connection, refund, fact):
        open_case(connection, CaseReason.CONTRADICTION, subject, now_utc)
    elif fact is RefundEvent.PAID:
        payment = payments.find(connection, refund.payment_id)
        assert payment is not None
        payments.pay_refund(connection, payment, refund.amount_yen, terminal_id, now_utc)
    elif fact is RefundEvent.UNKNOWN:
        open_case(connection, CaseReason.REFUND_UNKNOWN, subject, now_utc)


def _own_payment(connection: Connection, terminal_id: str, event: Event, now_utc: datetime) -> Payment | None:
    assert event.payment_id is not None
    payment = payments.find(connection, event.payment_id)
    if payment is None:
        method = event.method or PaymentMethod.CASH
        return payments.ungranted(connection, terminal_id, event.payment_id, now_utc, method=method)
    if payment.terminal_id != terminal_id:
        subject = Subject(payment.municipality_code, terminal_id, payment_id=payment.payment_id)
        open_case(connection, CaseReason.CONTRADICTION, subject, now_utc)
        return None
    return payment


_EFFECTS: Mapping[EventKind, Callable[[Connection, str, Event, datetime], None]] = {
    **dict.fromkeys(EventKind, _of_order),
    EventKind.NOT_ME: _not_me,
    EventKind.PAYMENT_CLOSED: _payment_closed,
    EventKind.RETURN_DUE: _return_due,
    EventKind.DEBIT_UNPROCESSED: _debit_unprocessed,
    **dict.fromkeys((EventKind.REFUND_PAID, EventKind.REFUND_NOT_PAID, EventKind.REFUND_UNKNOWN), _of_claim),
}
