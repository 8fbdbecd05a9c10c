"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("order_events", "terminal_events", "payment_lines", "postings")


def upgrade() -> None:
    """Create every table, and the triggers that keep append-only rows as they were written."""
    _create_cases()
    _create_certificate_links()
    _create_challenges_used()
    _create_issue_number_counters()
    _create_municipality_stops()
    _create_orders()
    _create_payments()
    _create_postings()
    _create_register_feed()
    _create_register_records()
    _create_sessions()
    _create_settings()
    _create_terminal_events()
    _create_terminals()
    _create_order_events()
    _create_payment_lines()
    if op.get_bind().dialect.name == "sqlite":
        for table in APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )


def _create_cases() -> None:
    op.create_table(
        "cases",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("case_id", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=True),
        sa.Column("payment_id", sa.String(length=32), nullable=True),
        sa.Column("visit_id", sa.String(length=32), nullable=True),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("opened_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finding", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("municipality_code", "case_id", name="pk_cases"),
    )


def _create_certificate_links() -> None:
    op.create_table(
        "certificate_links",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("link_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("resident_id", sa.String(length=64), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("municipality_code", "link_digest", "resident_id", name="pk_certificate_links"),
    )
    op.create_index("ix_certificate_links_link_digest", "certificate_links", ["link_digest"], unique=False)
    op.create_index(
        "uq_certificate_links_active",
        "certificate_links",
        ["municipality_code", "link_digest"],
        unique=True,
        sqlite_where=sa.text("active"),
        postgresql_where=sa.text("active"),
    )


def _create_challenges_used() -> None:
    op.create_table(
        "challenges_used",
        sa.Column("challenge_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("expires_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("challenge_digest", name="pk_challenges_used"),
    )
    op.create_index("ix_challenges_used_expires_at_utc", "challenges_used", ["expires_at_utc"], unique=False)


def _create_issue_number_counters() -> None:
    op.create_table(
        "issue_number_counters",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("number_year", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("municipality_code", "number_year", name="pk_issue_number_counters"),
    )


def _create_municipality_stops() -> None:
    op.create_table(
        "municipality_stops",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("stop_id", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=True),
        sa.Column("opened_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at_utc", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finding", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("municipality_code", "stop_id", name="pk_municipality_stops"),
    )


def _create_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=False),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("session_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("visit_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("number_year", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("fee_yen", sa.Integer(), nullable=False),
        sa.Column("commission_yen", sa.Integer(), nullable=False),
        sa.Column("snapshot", sa.LargeBinary(), nullable=False),
        sa.Column("records_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("intended_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seal_text", sa.Text(), nullable=True),
        sa.Column("pdf_sha256", sa.LargeBinary(length=32), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("grant_fingerprint", sa.LargeBinary(length=32), nullable=True),
        sa.Column("grant_bytes", sa.LargeBinary(), nullable=True),
        sa.Column("grant_signature", sa.LargeBinary(), nullable=True),
        sa.Column("payment_id", sa.String(length=32), nullable=True),
        sa.Column("sheets_out", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("municipality_code", "order_id", name="pk_orders"),
        sa.UniqueConstraint(
            "municipality_code", "number_year", "number", name="uq_orders_municipality_code_number_year_number"
        ),
        sa.UniqueConstraint("order_id", name="uq_orders_order_id"),
        sa.UniqueConstraint("status_id", name="uq_orders_status_id"),
    )
    op.create_index(
        "ix_orders_ungranted",
        "orders",
        ["terminal_id", "expires_at_utc"],
        unique=False,
        sqlite_where=sa.text("state IN ('INTENDED', 'PREPARED')"),
        postgresql_where=sa.text("state IN ('INTENDED', 'PREPARED')"),
    )
    op.create_index("ix_orders_visit_id", "orders", ["visit_id"], unique=False)


def _create_payments() -> None:
    op.create_table(
        "payments",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=False),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("visit_id", sa.String(length=32), nullable=True),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("reserved_yen", sa.Integer(), nullable=False),
        sa.Column("opened_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at_utc", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("municipality_code", "payment_id", name="pk_payments"),
        sa.UniqueConstraint("payment_id", name="uq_payments_payment_id"),
    )


def _create_postings() -> None:
    op.create_table(
        "postings",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("posting_id", sa.String(length=80), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("amount_yen", sa.Integer(), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=True),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("posted_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("municipality_code", "posting_id", "account", name="pk_postings"),
    )
    op.create_index(
        "ix_postings_municipality_code_payment_id", "postings", ["municipality_code", "payment_id"], unique=False
    )


def _create_register_feed() -> None:
    op.create_table(
        "register_feed",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("received_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("municipality_code", name="pk_register_feed"),
    )


def _create_register_records() -> None:
    op.create_table(
        "register_records",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("record_type", sa.String(length=16), nullable=False),
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("blob", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("municipality_code", "record_type", "record_id", name="pk_register_records"),
    )
    op.create_index(
        "ix_register_records_municipality_code_group_id",
        "register_records",
        ["municipality_code", "group_id"],
        unique=False,
    )


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("key_thumbprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("link_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("holder_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("visit_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("preparations", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("session_hash", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at_utc", "sessions", ["expires_at_utc"], unique=False)
    op.create_index("ix_sessions_visit_id", "sessions", ["visit_id"], unique=False)


def _create_settings() -> None:
    op.create_table(
        "settings",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("municipality_code", "valid_from", name="pk_settings"),
    )


def _create_terminal_events() -> None:
    op.create_table(
        "terminal_events",
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("terminal_id", "sequence", name="pk_terminal_events"),
    )
    op.create_index("ix_terminal_events_order_id", "terminal_events", ["order_id"], unique=False)


def _create_terminals() -> None:
    op.create_table(
        "terminals",
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("operator", sa.String(length=100), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_thumbprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("enrolled_at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_through", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("terminal_id", name="pk_terminals"),
        sa.UniqueConstraint("key_thumbprint", name="uq_terminals_key_thumbprint"),
    )


def _create_order_events() -> None:
    op.create_table(
        "order_events",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=False),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=True),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("at_utc", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_code", "order_id"],
            ["orders.municipality_code", "orders.order_id"],
            name="fk_order_events_orders",
        ),
        sa.PrimaryKeyConstraint("municipality_code", "order_id", "to_state", name="pk_order_events"),
    )


def _create_payment_lines() -> None:
    op.create_table(
        "payment_lines",
        sa.Column("municipality_code", sa.String(length=6), nullable=False),
        sa.Column("payment_id", sa.String(length=32), nullable=False),
        sa.Column("order_id", sa.String(length=32), nullable=False),
        sa.Column("allocated_yen", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["municipality_code", "order_id"],
            ["orders.municipality_code", "orders.order_id"],
            name="fk_payment_lines_orders",
        ),
        sa.ForeignKeyConstraint(
            ["municipality_code", "payment_id"],
            ["payments.municipality_code", "payments.payment_id"],
            name="fk_payment_lines_payments",
        ),
        sa.PrimaryKeyConstraint("municipality_code", "payment_id", "order_id", name="pk_payment_lines"),
        sa.UniqueConstraint("municipality_code", "order_id", name="uq_payment_lines_municipality_code_order_id"),
    )
