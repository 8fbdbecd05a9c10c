"""Payment by QR code: what is wanted of the provider stands in a row before it is asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from issuance_server.schema import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "qr_codes",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=False),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("visit_id", sa.String(length=32), nullable=False),
        sa.Column("amount_yen", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("capture_yen", sa.Integer()),
        sa.Column("expires_at_utc", UtcDateTime(), nullable=False),
        sa.Column("busy_until_utc", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("municipality_code", "payment_id", name="pk_qr_codes"),
        sa.UniqueConstraint("payment_id", name="uq_qr_codes_payment_id"),
    )
    op.create_index("ix_qr_codes_state_expires_at_utc", "qr_codes", ["state", "expires_at_utc"])
