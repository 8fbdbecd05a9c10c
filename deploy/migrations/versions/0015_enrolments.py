"""Invitations of terminals that are none yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from issuance_server.schema import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "enrolments",
        sa.Column("code_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("operator", sa.String(length=100), nullable=False),
        sa.Column("invited_by", sa.String(length=200), nullable=False),
        sa.Column("invited_at_utc", UtcDateTime(), nullable=False),
        sa.Column("expires_at_utc", UtcDateTime(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32)),
        sa.Column("key_thumbprint", sa.LargeBinary(length=32)),
        sa.Column("shown_at_utc", UtcDateTime()),
        sa.Column("approved_by", sa.String(length=200)),
        sa.Column("ended_at_utc", UtcDateTime()),
        sa.Column("ended_by", sa.String(length=200)),
        sa.PrimaryKeyConstraint("code_digest", name="pk_enrolments"),
    )
    is_open = sa.text("ended_at_utc IS NULL")
    op.create_index(
        "uq_enrolments_open",
        "enrolments",
        ["terminal_id"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
