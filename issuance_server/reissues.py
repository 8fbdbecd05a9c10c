"""Free replacements: one new paper for one that was paid for, found faulty, and destroyed under staff's eyes.

The right is a row that the destroyed order opens. It is its requester's, at any terminal, for the very document that
was destroyed; a new order uses it up, and gives it back only by being void itself. So for one fee there is at most one
paper that holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, insert, or_, select, update

from fees.schedule import FeeRow
from issuance_server import ledger, snapshots
from issuance_server.ledger import Order, OrderEvent, OrderState
from issuance_server.offers import MemberRefs
from issuance_server.register.person import Person
from issuance_server.rules import Asked, Decision
from issuance_server.schema import order_events, orders, reissues
from issuance_server.snapshots import Snapshot
from issuance_server.vault import Vault
from protocol.errors import ErrorCode, IssueError
from protocol.messages import ReissueOffer

LIFE: Final = timedelta(days=30)  # until when a right can be used; afterwards it is a matter for the counter
_NOTHING: Final = "replaces: no destroyed paper of this person and document waits for a new one"

_rights = reissues.c
_OPEN = insert(reissues)
_REQUESTER = select(orders.c.requester_digest).where(orders.c.order_id == bindparam("order"))
_CAPTURED = select(order_events.c.event).where(
    order_events.c.municipality_code == bindparam("code"),
    order_events.c.order_id == bindparam("order"),
    order_events.c.to_state == OrderState.SETTLED.value,
)
# A replacement that was printed has used the right up for good: should it be destroyed too, that opens its own.
_CAME_OUT = select(order_events.c.order_id).where(
    order_events.c.municipality_code == _rights.municipality_code,
    order_events.c.order_id == _rights.new_order_id,
    order_events.c.to_state == OrderState.PRINTED.value,
)
_VOID = select(orders.c.order_id).where(
    orders.c.municipality_code == _rights.municipality_code,
    orders.c.order_id == _rights.new_order_id,
    orders.c.state == OrderState.VOIDED.value,
    ~_CAME_OUT.correlate(reissues).exists(),
)
_UNUSED = or_(_rights.new_order_id.is_(None), _VOID.correlate(reissues).exists())
_OF_PERSON = select(_rights.order_id).where(
    _rights.municipality_code == bindparam("code"),
    _rights.requester_digest == bindparam("requester"),
    _rights.opened_at_utc > bindparam("since"),
    _UNUSED,
)
# Of two that come at once the second finds the row changed: one row must change.
_USE = (
    update(reissues)
    .where(
        _rights.municipality_code == bindparam("code"),
        _rights.order_id == bindparam("order"),
        _rights.requester_digest == bindparam("requester"),
        _rights.opened_at_utc > bindparam("since"),
        _UNUSED,
    )
    .values(new_order_id=bindparam("new_order"))
)


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who asks for a replacement, at one municipality, as of a moment."""

    municipality_code: str
    requester_digest: bytes
    now_utc: datetime


def claimant(vault: Vault, person: Person, now_utc: datetime) -> Claimant:
    """Return who asks."""
    code = person.municipality_code
    return Claimant(code, vault.requester_digest(code, person.person_id), now_utc)


def open_right(connection: Connection, order: Order, sheets_destroyed: int, at_utc: datetime) -> bool:
    """Open the right to a new paper; False where none is due: not all sheets were destroyed, or nothing was paid."""
    requester = connection.execute(_REQUESTER, {"order": order.order_id}).scalar_one()
    keys = {"code": order.municipality_code, "order": order.order_id}
    settled_by = connection.execute(_CAPTURED, keys).scalar_one_or_none()
    if sheets_destroyed != order.sheets or requester is None or settled_by != OrderEvent.CAPTURED:
        return False
    row = {
        "municipality_code": order.municipality_code,
        "order_id": order.order_id,
        "requester_digest": requester,
        "opened_at_utc": at_utc,
        "new_order_id": None,
    }
    connection.execute(_OPEN, row)
    return True


def check(connection: Connection, vault: Vault, asking: Claimant, replaces: str, asked: Asked) -> None:
    """Check that somebody may have a destroyed paper again, before anything is drawn.

    Errors: NOT_OFFERED, the same for a right that is used up, another person's, or another document's.
    """
    if replaces not in set(_open_rights(connection, asking)):
        raise IssueError(ErrorCode.NOT_OFFERED, _NOTHING)
    destroyed = _snapshot(connection, vault, asking, replaces)
    if destroyed is None or destroyed.asked != asked:
        raise IssueError(ErrorCode.NOT_OFFERED, _NOTHING)


def use(connection: Connection, asking: Claimant, replaces: str, new_order_id: str) -> None:
    """Use a right up for a new order, in the transaction that begins it. Errors: NOT_OFFERED."""
    keys = {
        "code": asking.municipality_code,
        "order": replaces,
        "requester": asking.requester_digest,
        "since": asking.now_utc - LIFE,
    }
    if connection.execute(_USE, {**keys, "new_order": new_order_id}).rowcount != 1:
        raise IssueError(ErrorCode.NOT_OFFERED, _NOTHING)


def free(decision: Decision) -> Decision:
    """Return the same consent at no fee: what was earned with the destroyed paper pays for this one."""
    fee = decision.fee
    nothing = FeeRow(fee.municipality_code, fee.kind, 0, 0, fee.valid_from, fee.ordinance)
    return Decision(decision.kind, decision.document, nothing, decision.people, decision.entries, decision.everybody)


def offers(
    connection: Connection, vault: Vault, asking: Claimant, person: Person, refs: MemberRefs
) -> Iterator[ReissueOffer]:
    """Yield what this person may have again for nothing; what another build wrote is the counter's."""
    for order_id in _open_rights(connection, asking):
        destroyed = _snapshot(connection, vault, asking, order_id)
        if destroyed is None or destroyed.requester_id != person.person_id:
            continue
        yield ReissueOffer(
            replaces=order_id,
            municipality_code=asking.municipality_code,
            municipality_name=destroyed.municipality_name,
            kind=destroyed.asked.kind,
            title=destroyed.expected.headings[0],
            issue_number=destroyed.issuance.issue_number,
            scope=destroyed.asked.scope,
            members=tuple(refs.ref(member_id) for member_id in destroyed.asked.member_ids),
            items=destroyed.asked.items,
            fiscal_year=destroyed.asked.fiscal_year,
        )


def _open_rights(connection: Connection, asking: Claimant) -> list[str]:
    keys = {
        "code": asking.municipality_code,
        "requester": asking.requester_digest,
        "since": asking.now_utc - LIFE,
    }
    return list(connection.execute(_OF_PERSON, keys).scalars())


def _snapshot(connection: Connection, vault: Vault, asking: Claimant, order_id: str) -> Snapshot | None:
    blob = ledger.snapshot(connection, order_id)
    try:
        return snapshots.open_sealed(vault, asking.municipality_code, order_id, blob)
    except msgspec.DecodeError:
        return None
