"""A session may have links of several municipalities: of residence, and of registered domicile."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OF_THE_LINK = ("municipality_code", "link_digest", "holder_digest")


def upgrade() -> None:
    """Move each session's one link into a row of its own."""
    op.create_table(
        "session_links",
        sa.Column("session_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("link_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("holder_digest", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["session_hash"], ["sessions.session_hash"], name="fk_session_links_sessions"),
        sa.PrimaryKeyConstraint("session_hash", "municipality_code", name="pk_session_links"),
    )
    columns = ", ".join(("session_hash", *_OF_THE_LINK))
    op.execute(f"INSERT INTO session_links ({columns}) SELECT {columns} FROM sessions")  # noqa: S608 (constants)
    for name in _OF_THE_LINK:
        op.drop_column("sessions", name)
