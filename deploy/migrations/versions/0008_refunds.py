"""Money that is owed can be claimed: by a code, or by the card for which it was paid."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from issuance_server.schema import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables; what was owed before stands in the postings, and is paid by hand."""
    op.create_table(
        "refunds",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=False),
        sa.Column("amount_yen", sa.Integer(), nullable=False),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("claim_digest", sa.LargeBinary(length=32)),
        sa.Column("requester_digest", sa.LargeBinary(length=32)),
        sa.Column("opened_at_utc", UtcDateTime(), nullable=False),
        sa.Column("claim_id", sa.String(length=32)),
        sa.Column("claimed_by", sa.String(length=64)),
        sa.PrimaryKeyConstraint("municipality_code", "payment_id", name="pk_refunds"),
        sa.UniqueConstraint("payment_id", name="uq_refunds_payment_id"),
        sa.UniqueConstraint("claim_digest", name="uq_refunds_claim_digest"),
        sa.UniqueConstraint("claim_id", name="uq_refunds_claim_id"),
    )
    by_person = ["municipality_code", "requester_digest"]
    op.create_index("ix_refunds_municipality_code_requester_digest", "refunds", by_person)
    op.create_index("ix_refunds_terminal_id_opened_at_utc", "refunds", ["terminal_id", "opened_at_utc"])
    op.create_table(
        "refund_misses",
        sa.Column("miss_id", sa.Integer(), nullable=False),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("at_utc", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("miss_id", name="pk_refund_misses"),
    )
    op.create_index("ix_refund_misses_terminal_id_at_utc", "refund_misses", ["terminal_id", "at_utc"])
