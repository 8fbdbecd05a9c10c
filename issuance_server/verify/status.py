"""What the ledger says of a seal. Reads only, and of one table only."""

from __future__ import annotations

from sqlalchemy import Engine, bindparam, select

from issuance_server import check_codes
from issuance_server.database import read
from issuance_server.ledger import NUMBER_STATUS, OrderState
from issuance_server.schema import orders
from issuance_server.verify.check import Status
from issuance_server.verify.status_list import bounds

_BY_STATEMENT = select(orders.c.state, orders.c.status_id).where(orders.c.statement_sha256 == bindparam("statement"))
_BUCKET = select(orders.c.statement_sha256, orders.c.state).where(
    orders.c.statement_sha256.between(bindparam("first"), bindparam("last"))
)
_BY_CODE = select(orders.c.seal_for_code).where(orders.c.check_digest == bindparam("check_digest"))


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
        return Status(NUMBER_STATUS[OrderState(row.state)].value)

    def bucket(self, bits: int, bucket: int) -> list[tuple[bytes, Status]]:
        """Return the papers whose statements' digests begin with these bits, and their statuses."""
        first, last = bounds(bits, bucket)
        with read(self._engine) as connection:
            rows = connection.execute(_BUCKET, {"first": first, "last": last}).all()
        return [(row.statement_sha256, Status(NUMBER_STATUS[OrderState(row.state)].value)) for row in rows]

    def seal_of(self, issue_number: str, check_code: str) -> str | None:
        """Return the seal of the paper with this number and check code; None for unknown and wrong alike."""
        digest = check_codes.digest(self._check_key, issue_number, check_code)
        with read(self._engine) as connection:
            sealed: bytes | None = connection.execute(_BY_CODE, {"check_digest": digest}).scalar_one_or_none()
        return None if sealed is None else check_codes.open_under(issue_number, check_code, sealed)
