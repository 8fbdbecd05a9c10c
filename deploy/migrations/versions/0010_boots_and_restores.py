"""What terminals say when they begin, the chain over their events, and restores from a backup."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from issuance_server.schema import UtcDateTime
from protocol.chain import GENESIS, link

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and give the events that are stored their places in the chain."""
    for name in ("backed_up_through", "forked"):
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        if name == "forked":
            column = sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
        op.add_column("terminals", column)
    _create_tables()
    _guard("terminal_boots")
    _chain_events()


def _create_tables() -> None:
    op.create_table(
        "terminal_boots",
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("boot_number", sa.BigInteger(), nullable=False),
        sa.Column("journal_head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("event_head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("received_at_utc", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("terminal_id", "boot_number", name="pk_terminal_boots"),
    )
    op.create_index("ix_terminal_boots_terminal_id_last_sequence", "terminal_boots", ["terminal_id", "last_sequence"])
    op.create_table(
        "restores",
        sa.Column("restore_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("how", sa.String(length=16), nullable=False),
        sa.Column("jump", sa.BigInteger(), nullable=False),
        sa.Column("begun_at_utc", UtcDateTime(), nullable=False),
        sa.Column("ended_at_utc", UtcDateTime()),
        sa.Column("waived_by", sa.String(length=200)),
        sa.PrimaryKeyConstraint("restore_id", name="pk_restores"),
    )
    op.create_table(
        "restore_terminals",
        sa.Column("restore_id", sa.Integer(), nullable=False),
        sa.Column("terminal_id", sa.String(length=64), nullable=False),
        sa.Column("must_reach", sa.BigInteger()),
        sa.Column("caught_up_at_utc", UtcDateTime()),
        sa.ForeignKeyConstraint(["restore_id"], ["restores.restore_id"], name="fk_restore_terminals_restores"),
        sa.PrimaryKeyConstraint("restore_id", "terminal_id", name="pk_restore_terminals"),
    )


def _chain_events() -> None:
    """Rows of this table never change but here, where they get what they would have been written with."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        op.execute("DROP TRIGGER terminal_events_no_update")
    else:
        op.execute("ALTER TABLE terminal_events DISABLE TRIGGER terminal_events_append_only")
    op.add_column("terminal_events", sa.Column("chain_head", sa.LargeBinary(length=32)))
    connection, heads = op.get_bind(), dict[str, bytes]()
    rows = sa.text("SELECT terminal_id, sequence, body FROM terminal_events ORDER BY terminal_id, sequence")
    fill = sa.text(
        "UPDATE terminal_events SET chain_head = :head WHERE terminal_id = :terminal_id AND sequence = :sequence"
    )
    for row in connection.execute(rows).all():
        head = heads[row.terminal_id] = link(heads.get(row.terminal_id, GENESIS), bytes(row.body))
        connection.execute(fill, {"head": head, "terminal_id": row.terminal_id, "sequence": row.sequence})
    with op.batch_alter_table("terminal_events") as table:  # SQLite knows no other way to say that it may not lack
        table.alter_column("chain_head", existing_type=sa.LargeBinary(length=32), nullable=False)
    if sqlite:
        for verb in ("UPDATE", "DELETE"):  # a table that was made anew has lost both
            op.execute(f"DROP TRIGGER IF EXISTS terminal_events_no_{verb.lower()}")
        _guard("terminal_events")
    else:
        op.execute("ALTER TABLE terminal_events ENABLE TRIGGER terminal_events_append_only")


def _guard(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    else:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
