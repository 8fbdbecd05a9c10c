"""A try that failed and a later one that worked: both are looked at (S14).

In 2023 each early alert was closed with "the second try printed normally". So a paper that comes out for somebody whose
last try for the same document failed opens a case about the one that worked, and the failure waits for a finding.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, exists, or_, select

from issuance_server.cases import CaseReason, Subject, open_case
from issuance_server.ledger import Order, OrderEvent
from issuance_server.schema import order_events, orders, terminal_events

SPAN: Final = timedelta(hours=24)

_FAILED: Final = tuple(event.value for event in (OrderEvent.FAILED, OrderEvent.PARTIAL, OrderEvent.UNKNOWN))
_this = orders.alias("this")
_same_wish = (
    (orders.c.municipality_code == _this.c.municipality_code)
    & (orders.c.requester_digest == _this.c.requester_digest)
    & (orders.c.kind == _this.c.kind)
    & (orders.c.order_id != _this.c.order_id)
    & (orders.c.intended_at_utc <= _this.c.intended_at_utc)
    & (orders.c.intended_at_utc > bindparam("since"))
)
_told = exists().where(terminal_events.c.order_id == orders.c.order_id, terminal_events.c.kind.in_(_FAILED))
_rechecked = exists().where(
    order_events.c.municipality_code == orders.c.municipality_code,
    order_events.c.order_id == orders.c.order_id,
    order_events.c.event == OrderEvent.RECHECK_FAILED.value,
)
_FAILED_BEFORE = (
    select(orders.c.order_id)
    .select_from(orders.join(_this, _same_wish))
    .where(_this.c.municipality_code == bindparam("code"), _this.c.order_id == bindparam("order"))
    .where(or_(_told.correlate(orders), _rechecked.correlate(orders)))
    .limit(1)
)


def note_printed(connection: Connection, order: Order, now_utc: datetime) -> None:
    """Open a case if this paper came out after a try of the same person for the same document had failed."""
    keys = {"code": order.municipality_code, "order": order.order_id, "since": now_utc - SPAN}
    if connection.execute(_FAILED_BEFORE, keys).first() is not None:
        note_worked(connection, order, now_utc)


def note_worked(connection: Connection, order: Order, now_utc: datetime) -> None:
    """Open a case about an order for which a second try worked."""
    subject = Subject(order.municipality_code, order.terminal_id, order_id=order.order_id)
    open_case(connection, CaseReason.RETRY_WORKED, subject, now_utc)
