"""What was decided, written beside the rows that it changes and in the same transaction: kept, and able to forget.

A record says which rows of which tables got which values. What it says is behind a salted commitment: whoever has the
tree (audit_tree.py) sees that nothing was changed, left out or put in, and nothing of what it was. `forget` takes away
what a record says and its salt; its commitment stays, and with it the tree.

Sealed blobs are left out, since a change of keys seals them anew; so are leases, which only say who is at work.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from issuance_server.schema import audit_records
from protocol.codec import preimage
from protocol.errors import ErrorCode, IssueError

FORGOTTEN: Final = "forgotten"
MAX_LAG: Final = timedelta(seconds=30)
SALT_BYTES: Final = 16
_SHORT: Final = 64  # bytes; what is longer is recorded as its hash
_FACTS_DOMAIN: Final = "madoguchi-audit-facts-v1"
_ENTRY_DOMAIN: Final = "madoguchi-audit-entry-v1"
_columns = audit_records.c
_RECORD: Final = insert(audit_records)
_OLDEST_OUTSIDE: Final = select(func.min(_columns.at_utc)).where(_columns.leaf_index.is_(None))
_FORGET: Final = (
    update(audit_records).where(_columns.number == bindparam("record")).values(subject=None, salt=None, facts=None)
)
_OF_SUBJECT: Final = select(_columns.number).where(
    _columns.subject == bindparam("about"), _columns.leaf_index.is_not(None), _columns.what != FORGOTTEN
)

#: A row's value as it stands in a record: what JSON has of its own, and text for the rest.
Value: TypeAlias = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Written:
    """Values that one row of a table got; with its first record, all that the record will ever compare."""

    table: str
    key: Mapping[str, Any]
    values: Mapping[str, Any]


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What a record says: for each row its table, its key and the values that it got."""

    subject: str
    rows: tuple[tuple[str, dict[str, Value], dict[str, Value]], ...]
    forgotten: tuple[int, ...] = ()  # of a record that others were forgotten: their numbers


def subject_of(table: str, key: Mapping[str, Any]) -> str:
    """Return what a row's records are found by: the table of the decision, and its row's key."""
    return ":".join((table, *(str(plain(value)) for value in key.values())))


def record(
    connection: Connection,
    what: str,
    municipality_code: str,
    at_utc: datetime,
    first: Written,
    *more: Written,
    forgotten: tuple[int, ...] = (),
) -> None:
    """Write one decision down, in the transaction that carries it out.

    Shape:  what names the decision for everybody; first is the row that the decision is about, more are its others.
    """
    subject = subject_of(first.table, first.key)
    rows = tuple((one.table, _plain(one.key), _plain(one.values)) for one in (first, *more))
    facts = msgspec.json.encode(Facts(subject, rows, forgotten))
    salt = secrets.token_bytes(SALT_BYTES)
    row = {
        "municipality_code": municipality_code,
        "what": what,
        "at_utc": at_utc,
        "subject": subject,
        "salt": salt,
        "facts": facts,
        "commitment": commitment(salt, facts),
    }
    connection.execute(_RECORD, row)


def commitment(salt: bytes, facts: bytes) -> bytes:
    """Return what hides and binds facts. Shape: 32 bytes; the facts cannot be tried out without the salt."""
    return hashlib.sha256(preimage(_FACTS_DOMAIN, salt, facts)).digest()


def entry(row: Row[Any]) -> bytes:
    """Return the bytes of a record that the tree holds: all that is left of it when it is forgotten."""
    return preimage(
        _ENTRY_DOMAIN,
        str(row.number).encode(),
        row.municipality_code.encode(),
        row.what.encode(),
        str(plain(row.at_utc)).encode(),
        row.commitment,
    )


def forget(connection: Connection, municipality_code: str, at_utc: datetime, table: str, key: Mapping[str, Any]) -> int:
    """Forget what was decided about a row, and return how many records that were; they stay in the tree.

    A record says which ones were: a record that is empty and that none accounts for was emptied by hand. One that is
    not in the tree yet is kept: it goes the next time.
    """
    numbers = tuple(connection.execute(_OF_SUBJECT, {"about": subject_of(table, key)}).scalars())
    for number in numbers:
        connection.execute(_FORGET, {"record": number})
    record(connection, FORGOTTEN, municipality_code, at_utc, Written(table, key, {}), forgotten=numbers)
    return len(numbers)


def require_current(connection: Connection, now_utc: datetime) -> None:
    """Refuse to decide more while what was decided is not put into the tree. Errors: IssueError RECORDS_BEHIND."""
    oldest_utc = connection.execute(_OLDEST_OUTSIDE).scalar()
    if oldest_utc is not None and now_utc - oldest_utc > MAX_LAG:
        raise IssueError(ErrorCode.RECORDS_BEHIND, f"audit: a record waits longer than {MAX_LAG.seconds} s")


def plain(value: Any) -> Value:
    """Return a row's value as records have it; the same on every database."""
    match value:
        case None | bool() | int() | str():
            return value
        case bytes():
            return value.hex() if len(value) <= _SHORT else f"sha256 {hashlib.sha256(value).hexdigest()}"
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case date():
            return value.isoformat()
        case _:
            raise TypeError(f"no value of a row that is recorded: {type(value).__name__}")


def _plain(values: Mapping[str, Any]) -> dict[str, Value]:
    return {name: plain(value) for name, value in values.items()}
