"""What was decided, behind salted commitments, and the signed tree that holds them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from issuance_server.schema import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "audit_records",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("what", sa.String(length=40), nullable=False),
        sa.Column("at_utc", UtcDateTime(), nullable=False),
        sa.Column("subject", sa.String(length=160)),
        sa.Column("salt", sa.LargeBinary(length=16)),
        sa.Column("facts", sa.LargeBinary()),
        sa.Column("commitment", sa.LargeBinary(length=32), nullable=False),
        sa.Column("leaf_index", sa.BigInteger()),
        sa.Column("leaf_hash", sa.LargeBinary(length=32)),
        sa.PrimaryKeyConstraint("number", name="pk_audit_records"),
        sa.UniqueConstraint("leaf_index", name="uq_audit_records_leaf_index"),
    )
    op.create_index("ix_audit_records_subject", "audit_records", ["subject"])
    outside = sa.text("leaf_index IS NULL")
    op.create_index(
        "ix_audit_records_outside", "audit_records", ["at_utc"], sqlite_where=outside, postgresql_where=outside
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("tree_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at_utc", UtcDateTime(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tree_size", name="pk_audit_checkpoints"),
    )
