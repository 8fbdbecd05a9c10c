"""By whose word a card's certificate was good, and as of when; sessions and orders of before say nothing of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from issuance_server.schema import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("sessions", sa.Column("card_blob", sa.LargeBinary()))
    for table in ("sessions", "orders"):
        op.add_column(table, sa.Column("card_source", sa.String(length=8)))
        op.add_column(table, sa.Column("card_as_of_utc", UtcDateTime()))
