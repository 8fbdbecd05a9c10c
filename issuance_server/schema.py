"""The tables. `municipality_code` leads every key of what belongs to a municipality.

Rows of the append-only tables are never changed, only corrected by new rows; triggers hold it. Personal
data stands only in sealed blobs (vault.py). deploy/migrations creates all this; a test holds both equal.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.types import TypeDecorator

SCHEMA_VERSION = "0015"

#: Stands where money belongs to no municipality yet: a payment that no order was ever granted for.
NO_MUNICIPALITY = "000000"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, aware on both sides; SQLite alone would give it back without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive moment: nobody knows which zone it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (the decorator's signature)
        """Give the zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_CODE = String(6)
_ID = String(32)


def _municipality() -> Column[str]:
    return Column("municipality_code", _CODE, primary_key=True)


# What a municipality decided and recorded

settings = Table(
    "settings",
    metadata,
    _municipality(),
    Column("valid_from", Date, primary_key=True),
    Column("body", LargeBinary, nullable=False),  # MunicipalitySettings as JSON
)

register_records = Table(
    "register_records",
    metadata,
    _municipality(),
    Column("record_type", String(16), primary_key=True),
    Column("record_id", String(64), primary_key=True),
    # What is read together has one group: a household and its members, one resident's tax and seal records, or a
    # family register with its supplement and whoever of it is known here.
    Column("group_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Index(None, "municipality_code", "group_id"),
)

register_feed = Table(
    "register_feed",
    metadata,
    _municipality(),
    Column("received_at_utc", UtcDateTime, nullable=False),  # how old the register is
)

certificate_links = Table(
    "certificate_links",
    metadata,
    _municipality(),
    Column("link_digest", LargeBinary(32), primary_key=True, index=True),
    Column("resident_id", String(64), primary_key=True),
    Column("active", Boolean, nullable=False),
)
# One active resident per certificate, whoever writes the row.
Index(
    "uq_certificate_links_active",
    certificate_links.c.municipality_code,
    certificate_links.c.link_digest,
    unique=True,
    sqlite_where=certificate_links.c.active,
    postgresql_where=certificate_links.c.active,
)

municipality_stops = Table(
    "municipality_stops",
    metadata,
    _municipality(),
    Column("stop_id", String(64), primary_key=True),
    Column("reason", String(32), nullable=False),
    Column("order_id", _ID),
    Column("opened_at_utc", UtcDateTime, nullable=False),
    Column("closed_at_utc", UtcDateTime),
    Column("finding", Text),  # only a finding closes it
)

# By an officer: one stops, two start again.
stops = Table(
    "stops",
    metadata,
    Column("stop_id", String(16), primary_key=True),
    Column("reach", String(16), nullable=False),
    Column("terminal_id", String(64)),
    Column("operator", String(100)),
    Column("municipality_code", _CODE),
    Column("kind", String(32)),
    Column("reason", Text, nullable=False),
    Column("begun_by", String(200), nullable=False),
    Column("begun_at_utc", UtcDateTime, nullable=False),
    Column("ended_at_utc", UtcDateTime),
    Column("ended_by", String(400)),  # the two officers who answer for it
)
_NOT_ENDED = text("ended_at_utc IS NULL")
Index("ix_stops_open", stops.c.begun_at_utc, sqlite_where=_NOT_ENDED, postgresql_where=_NOT_ENDED)

# Who is asking

terminals = Table(
    "terminals",
    metadata,
    Column("terminal_id", String(64), primary_key=True),
    Column("operator", String(100), nullable=False),
    Column("public_key", LargeBinary(32), nullable=False),
    Column("key_thumbprint", LargeBinary(32), nullable=False, unique=True),
    Column("stopped", Boolean, nullable=False),
    Column("enrolled_at_utc", UtcDateTime, nullable=False),
    Column("accepted_through", BigInteger, nullable=False, server_default="0"),  # last event's sequence number
    Column("backed_up_through", BigInteger, nullable=False, server_default="0"),  # of these, what a backup has
    Column("forked", Boolean, nullable=False, server_default=false()),  # two may use this identity: it is over
)

# Invitations of terminals that are none yet: the code's digest, and the key that was shown with it.
enrolments = Table(
    "enrolments",
    metadata,
    Column("code_digest", LargeBinary(32), primary_key=True),
    Column("terminal_id", String(64), nullable=False),
    Column("operator", String(100), nullable=False),
    Column("invited_by", String(200), nullable=False),
    Column("invited_at_utc", UtcDateTime, nullable=False),
    Column("expires_at_utc", UtcDateTime, nullable=False),
    Column("public_key", LargeBinary(32)),
    Column("key_thumbprint", LargeBinary(32)),
    Column("shown_at_utc", UtcDateTime),
    Column("approved_by", String(200)),  # the first of the two officers
    Column("ended_at_utc", UtcDateTime),
    Column("ended_by", String(200)),
)
# One open invitation a terminal.
Index("uq_enrolments_open", enrolments.c.terminal_id, unique=True, sqlite_where=_NOT_ENDED, postgresql_where=_NOT_ENDED)

# Each start of a terminal, with the journal that it went on with.
terminal_boots = Table(
    "terminal_boots",
    metadata,
    Column("terminal_id", String(64), primary_key=True),
    Column("boot_number", BigInteger, primary_key=True),
    Column("journal_head", LargeBinary(32), nullable=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("event_head", LargeBinary(32), nullable=False),
    Column("received_at_utc", UtcDateTime, nullable=False),
    Index(None, "terminal_id", "last_sequence"),
)

# Each time that the server was restored from a backup.
restores = Table(
    "restores",
    metadata,
    Column("restore_id", Integer, primary_key=True, autoincrement=False),
    Column("how", String(16), nullable=False),
    Column("jump", BigInteger, nullable=False),  # of every municipality's issue number
    Column("begun_at_utc", UtcDateTime, nullable=False),
    Column("ended_at_utc", UtcDateTime),
    Column("waived_by", String(200)),  # the two officers who did not wait for all
)

# The terminals that are waited for: how far their events go, once they have said it.
restore_terminals = Table(
    "restore_terminals",
    metadata,
    Column("restore_id", Integer, primary_key=True),
    Column("terminal_id", String(64), primary_key=True),
    Column("must_reach", BigInteger),
    Column("caught_up_at_utc", UtcDateTime),
    ForeignKeyConstraint(["restore_id"], ["restores.restore_id"]),
)

challenges_used = Table(
    "challenges_used",
    metadata,
    Column("challenge_digest", LargeBinary(32), primary_key=True),
    Column("expires_at_utc", UtcDateTime, nullable=False, index=True),
)

sessions = Table(
    "sessions",
    metadata,
    Column("session_hash", LargeBinary(32), primary_key=True),
    Column("terminal_id", String(64), nullable=False),
    Column("key_thumbprint", LargeBinary(32), nullable=False),
    Column("visit_id", _ID, nullable=False, index=True),
    Column("expires_at_utc", UtcDateTime, nullable=False, index=True),
    Column("preparations", Integer, nullable=False, server_default="0"),
    Column("card_blob", LargeBinary),  # its certificate, under a key that only the session's id gives
    Column("card_source", String(8)),  # who said that it is good, and as of when
    Column("card_as_of_utc", UtcDateTime),
)

# The card's link of each municipality that knows it: of residence, and of registered domicile where that is another.
session_links = Table(
    "session_links",
    metadata,
    Column("session_hash", LargeBinary(32), primary_key=True),
    Column("municipality_code", _CODE, primary_key=True),
    Column("link_digest", LargeBinary(32), nullable=False),
    Column("holder_digest", LargeBinary(32), nullable=False),  # whom the link named when the session was opened
    ForeignKeyConstraint(["session_hash"], ["sessions.session_hash"]),
)

# What is issued

issue_number_counters = Table(
    "issue_number_counters",
    metadata,
    _municipality(),
    Column("number_year", Integer, primary_key=True),
    Column("last_number", Integer, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    _municipality(),
    Column("order_id", _ID, primary_key=True),
    Column("terminal_id", String(64), nullable=False),
    Column("session_hash", LargeBinary(32), nullable=False),
    Column("visit_id", _ID, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("fingerprint", LargeBinary(32), nullable=False),  # of the request: the same body, the same answer
    Column("kind", String(32), nullable=False),
    Column("number_year", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("status_id", LargeBinary(16), nullable=False, unique=True),  # random; the seal carries it
    Column("fee_yen", Integer, nullable=False),
    Column("commission_yen", Integer, nullable=False),
    Column("snapshot", LargeBinary, nullable=False),  # sealed: all that the paper says
    Column("records_digest", LargeBinary(32), nullable=False),  # of the register records' versions
    Column("intended_at_utc", UtcDateTime, nullable=False),
    Column("lease_until_utc", UtcDateTime, nullable=False),
    Column("expires_at_utc", UtcDateTime, nullable=False),
    Column("seal_blob", LargeBinary),  # sealed: the printed code's text, to render the same bytes again
    Column("seal_for_code", LargeBinary),  # the same text, under a key that only the printed check code gives
    Column("statement_sha256", LargeBinary(32), unique=True, index=True),  # what the paper's status is asked by
    Column("pdf_sha256", LargeBinary(32)),
    Column("sheets", Integer),
    Column("grant_fingerprint", LargeBinary(32)),
    Column("grant_bytes", LargeBinary),
    Column("grant_signature", LargeBinary),
    Column("payment_id", _ID),
    Column("sheets_out", Integer),
    Column("check_digest", LargeBinary(32), unique=True, index=True),  # keyed, of the printed number and check code
    Column("requester_digest", LargeBinary(32)),  # keyed, of whose order it is
    Column("card_source", String(8)),  # who said last that the card's certificate is good, and as of when
    Column("card_as_of_utc", UtcDateTime),
    UniqueConstraint("order_id"),
    UniqueConstraint("municipality_code", "number_year", "number"),
)
#: The few orders that time may void, found without reading the many that it may not. Literal, in index and query: a
#: partial index serves no query that binds its condition's values.
UNGRANTED = text("state IN ('INTENDED', 'PREPARED')")
Index(
    "ix_orders_ungranted",
    orders.c.terminal_id,
    orders.c.expires_at_utc,
    sqlite_where=UNGRANTED,
    postgresql_where=UNGRANTED,
)
# Whether somebody's last try failed; orders of before the column name nobody.
Index("ix_orders_requester", orders.c.municipality_code, orders.c.requester_digest, orders.c.intended_at_utc)

order_events = Table(
    "order_events",
    metadata,
    _municipality(),
    Column("order_id", _ID, primary_key=True),
    Column("to_state", String(16), primary_key=True),  # no state is entered twice
    Column("from_state", String(16)),
    Column("event", String(32), nullable=False),
    Column("at_utc", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["municipality_code", "order_id"], ["orders.municipality_code", "orders.order_id"]),
)

# A paper that was paid for and destroyed may be replaced once, free of charge.
reissues = Table(
    "reissues",
    metadata,
    _municipality(),
    Column("order_id", _ID, primary_key=True),
    Column("requester_digest", LargeBinary(32), nullable=False),
    Column("opened_at_utc", UtcDateTime, nullable=False),
    Column("new_order_id", _ID, unique=True),  # which uses the right up, unless it is void itself
    ForeignKeyConstraint(["municipality_code", "order_id"], ["orders.municipality_code", "orders.order_id"]),
    Index(None, "municipality_code", "requester_digest"),
)

terminal_events = Table(
    "terminal_events",
    metadata,
    Column("terminal_id", String(64), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("order_id", _ID, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("chain_head", LargeBinary(32), nullable=False),  # over all events through this one (protocol/chain.py)
    Column("received_at_utc", UtcDateTime, nullable=False),
)

# Money

payments = Table(
    "payments",
    metadata,
    _municipality(),
    Column("payment_id", _ID, primary_key=True),
    Column("terminal_id", String(64), nullable=False),
    Column("visit_id", _ID),
    Column("method", String(16), nullable=False),
    Column("reserved_yen", Integer, nullable=False),
    Column("opened_at_utc", UtcDateTime, nullable=False),
    Column("closed_at_utc", UtcDateTime),  # the device's own counts arrived
    UniqueConstraint("payment_id"),
)

payment_lines = Table(
    "payment_lines",
    metadata,
    _municipality(),
    Column("payment_id", _ID, primary_key=True),
    Column("order_id", _ID, primary_key=True),
    Column("allocated_yen", Integer, nullable=False),
    UniqueConstraint("municipality_code", "order_id"),
    ForeignKeyConstraint(["municipality_code", "payment_id"], ["payments.municipality_code", "payments.payment_id"]),
    ForeignKeyConstraint(["municipality_code", "order_id"], ["orders.municipality_code", "orders.order_id"]),
)

postings = Table(
    "postings",
    metadata,
    _municipality(),
    # Kind and subject: what happened once is posted once.
    Column("posting_id", String(80), primary_key=True),
    Column("account", String(32), primary_key=True),
    Column("amount_yen", Integer, nullable=False),  # debit positive, credit negative
    Column("payment_id", _ID, nullable=False),
    Column("order_id", _ID),
    Column("terminal_id", String(64), nullable=False),
    Column("posted_at_utc", UtcDateTime, nullable=False),
    Index(None, "municipality_code", "payment_id"),
)

# Money that could not be given back on the spot; whoever claims it gets it once.
refunds = Table(
    "refunds",
    metadata,
    _municipality(),
    Column("payment_id", _ID, primary_key=True),
    Column("amount_yen", Integer, nullable=False),
    Column("terminal_id", String(64), nullable=False),  # that owes it
    Column("state", String(16), nullable=False),
    Column("claim_digest", LargeBinary(32), unique=True),  # of the code that the terminal showed
    Column("requester_digest", LargeBinary(32)),  # whose card it was; unknown where no order was granted
    Column("opened_at_utc", UtcDateTime, nullable=False),
    Column("claim_id", _ID, unique=True),
    Column("claimed_by", String(64)),  # the terminal that is paying it out, or has
    UniqueConstraint("payment_id"),
    Index(None, "municipality_code", "requester_digest"),
    Index(None, "terminal_id", "opened_at_utc"),
)

# What is wanted of the provider of QR payments, and what it has done: one code a payment.
qr_codes = Table(
    "qr_codes",
    metadata,
    _municipality(),
    Column("payment_id", _ID, primary_key=True),
    Column("terminal_id", String(64), nullable=False),
    Column("visit_id", _ID, nullable=False),
    Column("amount_yen", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("capture_yen", Integer),  # of the printed orders, once the terminal has said it
    Column("expires_at_utc", UtcDateTime, nullable=False),
    Column("busy_until_utc", UtcDateTime, nullable=False),  # so long one process has the provider to itself
    UniqueConstraint("payment_id"),
    Index(None, "state", "expires_at_utc"),
)

# Wrong claim codes, so that nobody tries many.
refund_misses = Table(
    "refund_misses",
    metadata,
    Column("miss_id", Integer, primary_key=True),
    Column("terminal_id", String(64), nullable=False),
    Column("at_utc", UtcDateTime, nullable=False),
    Index(None, "terminal_id", "at_utc"),
)

cases = Table(
    "cases",
    metadata,
    _municipality(),
    # Reason and subject: the same doubt is one case.
    Column("case_id", String(80), primary_key=True),
    Column("reason", String(32), nullable=False),
    Column("order_id", _ID),
    Column("payment_id", _ID),
    Column("visit_id", _ID),
    Column("terminal_id", String(64), nullable=False),
    Column("opened_at_utc", UtcDateTime, nullable=False),
    Column("closed_at_utc", UtcDateTime),
    Column("finding", Text),
)

case_findings = Table(
    "case_findings",
    metadata,
    _municipality(),
    Column("case_id", String(80), primary_key=True),
    Column("side", String(16), primary_key=True),
    Column("person", String(100), nullable=False),  # who found it, of the staff
    Column("words", Text, nullable=False),
    Column("decision", String(16)),  # where money waits for it
    Column("found_at_utc", UtcDateTime, nullable=False),
    ForeignKeyConstraint(["municipality_code", "case_id"], ["cases.municipality_code", "cases.case_id"]),
)

# What was decided, and the tree that holds it (audit_log.py, audit_tree.py).

audit_records = Table(
    "audit_records",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),  # in the order of deciding
    Column("municipality_code", _CODE, nullable=False),
    Column("what", String(40), nullable=False),
    Column("at_utc", UtcDateTime, nullable=False),
    Column("subject", String(160), index=True),  # with salt and facts it is forgotten when retention ends
    Column("salt", LargeBinary(16)),
    Column("facts", LargeBinary),
    Column("commitment", LargeBinary(32), nullable=False),
    Column("leaf_index", BigInteger, unique=True),  # its place in the tree, once it has one
    Column("leaf_hash", LargeBinary(32)),
)
_OUTSIDE = text("leaf_index IS NULL")
Index("ix_audit_records_outside", audit_records.c.at_utc, sqlite_where=_OUTSIDE, postgresql_where=_OUTSIDE)

audit_checkpoints = Table(
    "audit_checkpoints",
    metadata,
    Column("tree_size", BigInteger, primary_key=True, autoincrement=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("signed_at_utc", UtcDateTime, nullable=False),
    Column("note", Text, nullable=False),  # origin, size and root, signed
)

APPEND_ONLY = (order_events, terminal_events, payment_lines, postings, case_findings, terminal_boots)


def append_only_triggers(dialect_name: str) -> list[str]:
    """Return the SQL of the triggers that keep rows of the append-only tables as they were written."""
    if dialect_name == "sqlite":
        return [
            f"CREATE TRIGGER {table.name}_no_{verb.lower()} BEFORE {verb} ON {table.name} "
            f"BEGIN SELECT RAISE(ABORT, '{table.name} is append-only'); END"
            for table in APPEND_ONLY
            for verb in ("UPDATE", "DELETE")
        ]
    refuse = (
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE integrity_constraint_violation USING MESSAGE = TG_TABLE_NAME || ' is append-only'; END $$"
    )
    triggers = [
        f"CREATE TRIGGER {table.name}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table.name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for table in APPEND_ONLY
    ]
    return [refuse, *triggers]


@event.listens_for(metadata, "after_create")
def _guard_append_only(_target: MetaData, connection: Connection, **_options: object) -> None:
    for statement in append_only_triggers(connection.dialect.name):
        connection.exec_driver_sql(statement)
