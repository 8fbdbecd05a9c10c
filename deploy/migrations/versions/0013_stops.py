"""Stops: who stopped what, why, and which two started it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from issuance_server.schema import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "stops",
        sa.Column("stop_id", sa.String(length=16), nullable=False),
        sa.Column("reach", sa.String(length=16), nullable=False),
        sa.Column("terminal_id", sa.String(length=64)),
        sa.Column("operator", sa.String(length=100)),
        sa.Column("municipality_code", sa.String(length=6)),
        sa.Column("kind", sa.String(length=32)),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("begun_by", sa.String(length=200), nullable=False),
        sa.Column("begun_at_utc", UtcDateTime(), nullable=False),
        sa.Column("ended_at_utc", UtcDateTime()),
        sa.Column("ended_by", sa.String(length=400)),
        sa.PrimaryKeyConstraint("stop_id", name="pk_stops"),
    )
    op.create_index(
        "ix_stops_open",
        "stops",
        ["begun_at_utc"],
        sqlite_where=sa.text("ended_at_utc IS NULL"),
        postgresql_where=sa.text("ended_at_utc IS NULL"),
    )
