"""Money that could not be given back on the spot: who may have it, and that it is paid out once.

A refund is due to whoever holds the claim's code, and to the card for which the payment was made. A terminal that pays
it out claims it first, under an id of its own that it wrote down before it asked; from then on nobody else gets it, and
only that terminal's word ends the claim: paid, not paid, or not known. Time ends nothing here: only the terminal knows
whether its hoppers moved.

Source: PAYMENT.md of the design (refunds and their abuse rules).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, Update, bindparam, func, insert, or_, select, update

from issuance_server.cases import CaseReason, Subject, open_case
from issuance_server.payments import Payment
from issuance_server.schema import NO_MUNICIPALITY, issue_number_counters, orders, refund_misses, refunds
from protocol.codes import claim_digest

SPAN: Final = timedelta(days=30)
PERSONS_FREE: Final = 1  # refunds of one person within SPAN that are paid without a look
TERMINALS_FREE: Final = 2
MISS_SPAN: Final = timedelta(hours=1)
MISSES_ALLOWED: Final = 10  # wrong codes at one terminal within MISS_SPAN


class RefundState(StrEnum):
    """Where a refund stands."""

    REVIEW = "REVIEW"  # somebody looks first: a case is open
    DUE = "DUE"
    CLAIMED = "CLAIMED"  # a terminal is paying it out
    PAID = "PAID"
    NOTHING = "NOTHING"  # a card of which nobody knew had not been debited


class RefundEvent(StrEnum):
    """What moves a refund."""

    RELEASE = "RELEASE"  # both sides found: it is due
    FOUND_PAID = "FOUND_PAID"  # both sides found: it had come out
    FOUND_NOT_TAKEN = "FOUND_NOT_TAKEN"  # both sides found: it had never been taken
    CLAIM = "CLAIM"
    PAID = "REFUND_PAID"
    NOT_PAID = "REFUND_NOT_PAID"  # for certain nothing came out
    UNKNOWN = "REFUND_UNKNOWN"


_R, _D, _C, _P, _N = RefundState
TRANSITIONS: Mapping[tuple[RefundState, RefundEvent], RefundState] = {
    (_R, RefundEvent.RELEASE): _D,
    (_R, RefundEvent.FOUND_PAID): _P,
    (_R, RefundEvent.FOUND_NOT_TAKEN): _N,
    (_D, RefundEvent.CLAIM): _C,
    (_C, RefundEvent.PAID): _P,
    (_C, RefundEvent.NOT_PAID): _D,
    (_C, RefundEvent.UNKNOWN): _R,
}


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund's row."""

    municipality_code: str
    payment_id: str
    amount_yen: int
    terminal_id: str  # that owes it
    state: RefundState
    claim_id: str | None
    claimed_by: str | None


_columns = refunds.c
_ROW = tuple(_columns[name] for name in Refund.__dataclass_fields__)
_OPEN = insert(refunds)
_REQUESTER = (
    select(orders.c.requester_digest)
    .where(orders.c.municipality_code == bindparam("code"), orders.c.payment_id == bindparam("payment"))
    .limit(1)
)
# One refund of a municipality is opened at a time: two of one person's, at two terminals, count each other. They are
# rare, and the counter's row is one that every municipality with an order has.
_ONE_AT_A_TIME = (
    select(issue_number_counters.c.last_number)
    .where(issue_number_counters.c.municipality_code == bindparam("code"))
    .order_by(issue_number_counters.c.number_year)
    .with_for_update(key_share=True)
)
_OF_PERSON = select(func.count()).where(
    _columns.municipality_code.in_((bindparam("code"), NO_MUNICIPALITY)),
    _columns.requester_digest == bindparam("requester"),
    _columns.opened_at_utc > bindparam("since"),
)
_OF_TERMINAL = select(func.count()).where(
    _columns.terminal_id == bindparam("terminal"), _columns.opened_at_utc > bindparam("since")
)
_BY_PAYMENT = select(*_ROW).where(_columns.payment_id == bindparam("payment"))
_BY_CODE = select(*_ROW).where(_columns.claim_digest == bindparam("digest"))
_BY_CLAIM = select(*_ROW).where(_columns.claim_id == bindparam("claim"))
_REQUESTER_OF_ORDER = select(orders.c.municipality_code, orders.c.requester_digest).where(
    orders.c.order_id == bindparam("order"), orders.c.terminal_id == bindparam("terminal")
)
_DUE_TO = (
    select(*_ROW)
    .where(
        _columns.municipality_code.in_((bindparam("code"), NO_MUNICIPALITY)),  # the latter: paid before any grant
        _columns.requester_digest == bindparam("requester"),
        _columns.state.in_((_D.value, _R.value)),
    )
    .order_by(_columns.opened_at_utc)
)
_MISSES = select(func.count()).where(
    refund_misses.c.terminal_id == bindparam("terminal"), refund_misses.c.at_utc > bindparam("since")
)
_MISS = insert(refund_misses)


def _moving(*conditions: Any) -> Update:
    """An UPDATE that names the state it expects; of two that come at once, one changes no row."""
    return (
        update(refunds)
        .where(
            _columns.municipality_code == bindparam("code"),
            _columns.payment_id == bindparam("payment"),
            _columns.state == bindparam("from_state"),
            *conditions,
        )
        .values(state=bindparam("to_state"), claim_id=bindparam("new_claim"), claimed_by=bindparam("new_by"))
    )


_MOVE = _moving(or_(_columns.claim_id.is_(None), _columns.claim_id == bindparam("claim")))


def open_refund(
    connection: Connection,
    payment: Payment,
    amount_yen: int,
    code_digest: bytes | None,
    at_utc: datetime,
    *,
    order_id: str | None = None,
    in_doubt: bool = False,
) -> RefundState:
    """Open the refund of a payment, and say whether somebody has to look at it first.

    The second of one person, or the third of one terminal, within 30 days is looked at: people jam printers for money.
    in_doubt: it waits for the findings of a case that is open already.

    Shape:  code_digest is protocol.codes.claim_digest of the code that the terminal showed; order_id is one of the
            payment's orders, of which no grant may have told.
    """
    keys = {"code": payment.municipality_code, "payment": payment.payment_id, "since": at_utc - SPAN}
    code, requester = payment.municipality_code, connection.execute(_REQUESTER, keys).scalar()
    if requester is None and order_id is not None:
        ordered = connection.execute(_REQUESTER_OF_ORDER, {"order": order_id, "terminal": payment.terminal_id}).first()
        code, requester = (code, None) if ordered is None else (ordered.municipality_code, ordered.requester_digest)
    of_person = 0
    if requester is not None:
        connection.execute(_ONE_AT_A_TIME, {**keys, "code": code})
        of_person = int(connection.execute(_OF_PERSON, {**keys, "code": code, "requester": requester}).scalar_one())
    of_terminal = int(connection.execute(_OF_TERMINAL, {**keys, "terminal": payment.terminal_id}).scalar_one())
    looked_at = of_person >= PERSONS_FREE or of_terminal >= TERMINALS_FREE
    state = _R if looked_at or in_doubt else _D
    row = {
        "municipality_code": payment.municipality_code,
        "payment_id": payment.payment_id,
        "amount_yen": amount_yen,
        "terminal_id": payment.terminal_id,
        "state": state.value,
        "claim_digest": code_digest,
        "requester_digest": requester,
        "opened_at_utc": at_utc,
    }
    connection.execute(_OPEN, row)
    if looked_at and not in_doubt:
        subject = Subject(payment.municipality_code, payment.terminal_id, payment_id=payment.payment_id)
        open_case(connection, CaseReason.REFUND_REVIEW, subject, at_utc)
    return state


def due_to(connection: Connection, requesters: Iterable[tuple[str, bytes]]) -> tuple[Refund, ...]:
    """Return what is due to a card's holder, now or once it was looked at.

    Shape:  requesters are municipality codes and requester digests.
    """
    found: list[Refund] = []
    for code, requester in requesters:
        found += [_refund(row) for row in connection.execute(_DUE_TO, {"code": code, "requester": requester})]
    return tuple(found)


def by_code(connection: Connection, terminal_id: str, code: str, at_utc: datetime) -> Refund | None:
    """Return the refund that a code names; None for a wrong one, which is counted.

    A code whose refund was paid or is being paid is told as wrong ones are, but not counted.
    """
    row = connection.execute(_BY_CODE, {"digest": claim_digest(code)}).one_or_none()
    if row is None:
        connection.execute(_MISS, {"terminal_id": terminal_id, "at_utc": at_utc})
        return None
    return _refund(row)


def may_guess(connection: Connection, terminal_id: str, at_utc: datetime) -> bool:
    """Whether a terminal may try a code: not after ten wrong ones within an hour."""
    keys = {"terminal": terminal_id, "since": at_utc - MISS_SPAN}
    return int(connection.execute(_MISSES, keys).scalar_one()) < MISSES_ALLOWED


def claim(connection: Connection, refund: Refund, terminal_id: str, claim_id: str) -> bool:
    """Claim a refund for a terminal that is about to pay it out; False if another was quicker, or none is due.

    The same claim again changes nothing and is granted again.
    """
    if refund.state is _C and (refund.claim_id, refund.claimed_by) == (claim_id, terminal_id):
        return True
    if (refund.state, RefundEvent.CLAIM) not in TRANSITIONS:
        return False
    return _move(connection, refund, RefundEvent.CLAIM, claim_id, new_claim=claim_id, new_by=terminal_id)


def claimed(connection: Connection, claim_id: str) -> Refund | None:
    """Return the refund that a claim holds, or None."""
    row = connection.execute(_BY_CLAIM, {"claim": claim_id}).one_or_none()
    return None if row is None else _refund(row)


def end_claim(connection: Connection, refund: Refund, event: RefundEvent) -> bool:
    """Apply what the terminal says became of its claim; False where nothing is claimed."""
    if (refund.state, event) not in TRANSITIONS or refund.claim_id is None:
        return False
    back = event is RefundEvent.NOT_PAID  # free for the next claim; else it stays on record who claimed
    new = {"new_claim": None, "new_by": None} if back else {"new_claim": refund.claim_id, "new_by": refund.claimed_by}
    return _move(connection, refund, event, refund.claim_id, **new)


def decide(connection: Connection, refund: Refund, event: RefundEvent) -> bool:
    """Apply what both sides decided of a refund that was looked at; False where nothing is looked at."""
    if (refund.state, event) not in TRANSITIONS:
        return False
    free = event is RefundEvent.RELEASE
    new = {"new_claim": None, "new_by": None} if free else {"new_claim": refund.claim_id, "new_by": refund.claimed_by}
    return _move(connection, refund, event, refund.claim_id, **new)


def find(connection: Connection, payment_id: str) -> Refund | None:
    """Return a payment's refund, or None."""
    row = connection.execute(_BY_PAYMENT, {"payment": payment_id}).one_or_none()
    return None if row is None else _refund(row)


def _move(connection: Connection, refund: Refund, event: RefundEvent, claim_id: str | None, **new: str | None) -> bool:
    keys = {
        "code": refund.municipality_code,
        "payment": refund.payment_id,
        "from_state": refund.state.value,
        "to_state": TRANSITIONS[refund.state, event].value,
        "claim": claim_id,
    }
    return connection.execute(_MOVE, {**keys, **new}).rowcount == 1


def _refund(row: Row[Any]) -> Refund:
    return Refund(**{**row._mapping, "state": RefundState(row.state)})
