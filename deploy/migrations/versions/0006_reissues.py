"""A paper that was destroyed may be replaced: whose order it was, and the right to a new one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from issuance_server.schema import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; orders of before name no requester, and their replacement is a matter for the counter."""
    op.add_column("orders", sa.Column("requester_digest", sa.LargeBinary(length=32)))
    op.create_table(
        "reissues",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=False),
        sa.Column("requester_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("opened_at_utc", UtcDateTime(), nullable=False),
        sa.Column("new_order_id", sa.String(length=32)),
        sa.ForeignKeyConstraint(
            ["municipality_code", "order_id"],
            ["orders.municipality_code", "orders.order_id"],
            name="fk_reissues_orders",
        ),
        sa.PrimaryKeyConstraint("municipality_code", "order_id", name="pk_reissues"),
        sa.UniqueConstraint("new_order_id", name="uq_reissues_new_order_id"),
    )
    op.create_index(
        "ix_reissues_municipality_code_requester_digest", "reissues", ["municipality_code", "requester_digest"]
    )
