"""An order's paper is counted in sheets; a sheet has two pages in its PDF."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give the column its right name; until now every sheet had one page."""
    op.execute("ALTER TABLE orders RENAME COLUMN pages TO sheets")  # one spelling for SQLite and PostgreSQL
