"""What the ledger says of a seal. Reads only, and of one table only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, Row, bindparam, exists, select

from issuance_server import check_codes
from issuance_server.database import read
from issuance_server.ledger import NUMBER_STATUS, NumberStatus, OrderState
from issuance_server.schema import orders, reissues
from issuance_server.verify.check import Status
from issuance_server.verify.status_list import bounds

_new = orders.alias("replacement")
_REISSUED = (
    exists()
    .where(
        reissues.c.municipality_code == orders.c.municipality_code,
        reissues.c.order_id == orders.c.order_id,
        _new.c.order_id == reissues.c.new_order_id,
        _new.c.state.in_([state.value for state, status in NUMBER_STATUS.items() if status is NumberStatus.ACTIVE]),
    )
    .correlate(orders)
    .label("reissued")
)
_BY_STATEMENT = select(orders.c.state, orders.c.status_id, _REISSUED).where(
    orders.c.statement_sha256 == bindparam("statement")
)
_BUCKET = select(orders.c.statement_sha256, orders.c.state, _REISSUED).where(
    orders.c.statement_sha256.between(bindparam("first"), bindparam("last"))
)
_BY_CODE = select(orders.c.seal_for_code).where(orders.c.check_digest == bindparam("check_digest"))


def _status(row: Row[Any]) -> Status:
    status = Status(NUMBER_STATUS[OrderState(row.state)].value)
    return Status.REISSUED if status is Status.VOID and row.reissued else status


class StatusBook:
    """The ledger, for whoever has a paper before them."""

    def __init__(self, engine: Engine, check_key: bytes) -> None:
        self._engine = engine
        self._check_key = check_key

    def status(self, status_id: bytes, statement_digest: bytes) -> Status:
        """Return the status of the paper whose seal states exactly this; anything else was not issued."""
        with read(self._engine) as connection:
            row = connection.execute(_BY_STATEMENT, {"statement": statement_digest}).one_or_none()
        # An intent without a statement has no paper: no seal of it ever left this server.
        if row is None or row.status_id != status_id:
            return Status.NOT_ISSUED
        return _status(row)

    def bucket(self, bits: int, bucket: int) -> list[tuple[bytes, Status]]:
        """Return the papers whose statements' digests begin with these bits, and their statuses."""
        first, last = bounds(bits, bucket)
        with read(self._engine) as connection:
            rows = connection.execute(_BUCKET, {"first": first, "last": last}).all()
        return [(row.statement_sha256, _status(row)) for row in rows]

    def seal_of(self, issue_number: str, check_code: str) -> str | None:
        """Return the seal of the paper with this number and check code; None for unknown and wrong alike."""
        digest = check_codes.digest(self._check_key, issue_number, check_code)
        with read(self._engine) as connection:
            sealed: bytes | None = connection.execute(_BY_CODE, {"check_digest": digest}).scalar_one_or_none()
        return None if sealed is None else check_codes.open_under(issue_number, check_code, sealed)
