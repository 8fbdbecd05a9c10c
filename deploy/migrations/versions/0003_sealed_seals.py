"""The printed code's text is sealed, and a paper's status is asked by the digest of its statement."""

from __future__ import annotations

import hashlib
import zlib

import base45
import cbor2
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ORDERS = sa.table("orders", sa.column("order_id"), sa.column("seal_text"), sa.column("statement_sha256"))


def upgrade() -> None:
    """Keep the status of older papers, and no readable copy of their seals.

    An older paper is not found by number and check code any more, and not drawn again: its scanned code says the same.
    """
    connection = op.get_bind()
    op.add_column("orders", sa.Column("seal_blob", sa.LargeBinary(), nullable=True))
    op.add_column("orders", sa.Column("seal_for_code", sa.LargeBinary(), nullable=True))
    op.add_column("orders", sa.Column("statement_sha256", sa.LargeBinary(length=32), nullable=True))
    op.create_index("ix_orders_statement_sha256", "orders", ["statement_sha256"], unique=True)
    sealed = sa.select(_ORDERS.c.order_id, _ORDERS.c.seal_text).where(_ORDERS.c.seal_text.is_not(None))
    for order_id, seal_text in connection.execute(sealed).all():
        keep = sa.update(_ORDERS).where(_ORDERS.c.order_id == order_id)
        connection.execute(keep.values(statement_sha256=_statement_sha256(seal_text)))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # what is dropped must not stay in the file
    op.drop_column("orders", "seal_text")


def _statement_sha256(seal_text: str) -> bytes:
    """SHA-256 over the payload of the COSE message in a seal's text, as it was on the day of this migration."""
    signed = zlib.decompress(base45.b45decode(seal_text.removeprefix("MDG1:")))
    return hashlib.sha256(cbor2.loads(signed).value[2]).digest()
