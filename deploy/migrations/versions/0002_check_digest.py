"""Printed check codes can be looked up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the keyed hash of number and check code; orders from before it can be checked by their seal alone."""
    op.add_column("orders", sa.Column("check_digest", sa.LargeBinary(length=32), nullable=True))
    op.create_index("ix_orders_check_digest", "orders", ["check_digest"], unique=True)
