"""What each side found of a case, in rows that stay; and whether somebody's last try failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from issuance_server.schema import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the rows and the index."""
    op.create_table(
        "case_findings",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("side", sa.String(length=16), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("decision", sa.String(length=16)),
        sa.Column("found_at_utc", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_code", "case_id"],
            ["cases.municipality_code", "cases.case_id"],
            name="fk_case_findings_cases",
        ),
        sa.PrimaryKeyConstraint("municipality_code", "case_id", "side", name="pk_case_findings"),
    )
    op.create_index("ix_orders_requester", "orders", ["municipality_code", "requester_digest", "intended_at_utc"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER case_findings_no_{verb.lower()} BEFORE {verb} ON case_findings "
                "BEGIN SELECT RAISE(ABORT, 'case_findings is append-only'); END"
            )
