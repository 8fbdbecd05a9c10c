"""The sealed register: residents, households, tax records, and which certificate belongs to whom.

A record is one opaque blob; its place (municipality, type, id) is sealed in with it, so that a blob moved to another
row does not open. What a document needs is read by one statement, which is one moment on every database: wholly the
old version of the register or wholly the new one (S8).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, text, union_all, update

from issuance_server.register.records import (
    Household,
    RecordType,
    RegisterRecord,
    Resident,
    SealRecord,
    TaxRecord,
)
from issuance_server.schema import certificate_links, register_feed, register_records
from issuance_server.vault import Vault

# One spelling for SQLite and PostgreSQL; Core has none that serves both.
_PUT = text(
    "INSERT INTO register_records (municipality_code, record_type, record_id, group_id, version, blob)"
    " VALUES (:municipality_code, :record_type, :record_id, :group_id, 1, :blob)"
    " ON CONFLICT (municipality_code, record_type, record_id) DO UPDATE"
    " SET version = register_records.version + 1, group_id = excluded.group_id, blob = excluded.blob"
)
_FEED = text(
    "INSERT INTO register_feed (municipality_code, received_at_utc) VALUES (:municipality_code, :received_at_utc)"
    " ON CONFLICT (municipality_code) DO UPDATE SET received_at_utc = excluded.received_at_utc"
).bindparams(bindparam("received_at_utc", type_=register_feed.c.received_at_utc.type))
_FEED_AT = select(register_feed.c.received_at_utc).where(register_feed.c.municipality_code == bindparam("code"))

_records = register_records.c
_COLUMNS = (_records.record_type, _records.record_id, _records.version, _records.blob)
_own_row = register_records.alias("own_row")
_HOUSEHOLD_OF = (
    select(_own_row.c.group_id)
    .where(
        _own_row.c.municipality_code == bindparam("code"),
        _own_row.c.record_type == RecordType.RESIDENT,
        _own_row.c.record_id == bindparam("resident_id"),
    )
    .scalar_subquery()
)
_READ_PERSON = union_all(
    select(*_COLUMNS).where(_records.municipality_code == bindparam("code"), _records.group_id == _HOUSEHOLD_OF),
    select(*_COLUMNS).where(
        _records.municipality_code == bindparam("code"),
        _records.group_id == bindparam("own_group"),
        _records.record_type == RecordType.TAX,
    ),
)

_links = certificate_links.c
# By digest alone: pairs in an IN list make SQLite read the whole table, and a keyed hash names its municipality.
_FIND_LINK = select(_links.municipality_code, _links.link_digest, _links.resident_id).where(
    _links.link_digest.in_(bindparam("digests", expanding=True)), _links.active.is_(True)
)
_ADD_LINK = insert(certificate_links)
_SET_LINK = (
    update(certificate_links)
    .where(
        _links.municipality_code == bindparam("code"),
        _links.link_digest == bindparam("digest"),
        _links.resident_id == bindparam("resident"),
    )
    .values(active=bindparam("is_active"))
)


@dataclass(frozen=True, slots=True)
class Person:
    """What the register says, at one moment, about a resident, the household, its members and the tax years."""

    municipality_code: str
    resident: Resident
    household: Household
    members: tuple[Resident, ...]  # in the order in which they print; the resident is one of them
    tax: Mapping[int, TaxRecord]  # by fiscal year
    records_digest: bytes  # changes with the version of any of these records


@dataclass(frozen=True, slots=True)
class Link:
    """One certificate's link to one resident."""

    municipality_code: str
    link_digest: bytes
    resident_id: str


class RegisterStore:
    """The `register_records` and `certificate_links` tables."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def put(self, connection: Connection, municipality_code: str, records: Iterable[RegisterRecord]) -> None:
        """Store records, each as a new version of itself; thousands at once are one statement."""
        rows = [self._row(municipality_code, record) for record in records]
        if rows:
            connection.execute(_PUT, rows)

    def read_person(self, connection: Connection, municipality_code: str, resident_id: str) -> Person | None:
        """Read a resident with household, members and tax records, all of one moment.

        Errors: None if any of it is not there or does not fit together; there is nothing to certify then.
        """
        rows = connection.execute(
            _READ_PERSON,
            {"code": municipality_code, "resident_id": resident_id, "own_group": _resident_group(resident_id)},
        ).all()
        residents: dict[str, Resident] = {}
        household: Household | None = None
        tax: dict[int, TaxRecord] = {}
        for record_type, record_id, _version, blob in rows:
            record = self._open(municipality_code, record_type, record_id, blob)
            if isinstance(record, Resident):
                residents[record.resident_id] = record
            elif isinstance(record, Household):
                household = record
            elif isinstance(record, TaxRecord):
                tax[record.fiscal_year] = record
        if household is None or not _fits(household, residents, tax, resident_id):
            return None
        return Person(
            municipality_code=municipality_code,
            resident=residents[resident_id],
            household=household,
            members=tuple(residents[member_id] for member_id in household.member_ids),
            tax=tax,
            records_digest=_versions_digest((row[0], row[1], row[2]) for row in rows),
        )

    def find_link(self, connection: Connection, digests: Mapping[str, bytes]) -> tuple[str, str] | None:
        """Return (municipality code, resident id) of the active link among these digests by municipality, or None."""
        for row in connection.execute(_FIND_LINK, {"digests": sorted(digests.values())}):
            if digests.get(row.municipality_code) == row.link_digest:
                return row.municipality_code, row.resident_id
        return None

    def add_links(self, connection: Connection, links: Iterable[Link]) -> None:
        """Add new links, all active.

        Errors: IntegrityError if a certificate has an active resident already.
        """
        rows = [
            {
                "municipality_code": link.municipality_code,
                "link_digest": link.link_digest,
                "resident_id": link.resident_id,
                "active": True,
            }
            for link in links
        ]
        if rows:
            connection.execute(_ADD_LINK, rows)

    def add_link(self, connection: Connection, link: Link) -> None:
        """Add one link, or make a removed one active again.

        Errors: IntegrityError if the certificate has an active resident already.
        """
        if not self._set_link(connection, link, is_active=True):
            self.add_links(connection, [link])

    def remove_link(self, connection: Connection, link: Link) -> bool:
        """Take a link out of use; the row stays. Return whether there was one."""
        return self._set_link(connection, link, is_active=False)

    def feed_received(self, connection: Connection, municipality_code: str, at_utc: datetime) -> None:
        """Note when the municipality's feed was last heard."""
        connection.execute(_FEED, {"municipality_code": municipality_code, "received_at_utc": at_utc})

    def feed_received_at_utc(self, connection: Connection, municipality_code: str) -> datetime | None:
        """Return when the municipality's feed was last heard, or None."""
        return connection.execute(_FEED_AT, {"code": municipality_code}).scalar()

    def _set_link(self, connection: Connection, link: Link, *, is_active: bool) -> bool:
        result = connection.execute(
            _SET_LINK,
            {
                "code": link.municipality_code,
                "digest": link.link_digest,
                "resident": link.resident_id,
                "is_active": is_active,
            },
        )
        return result.rowcount == 1

    def _row(self, municipality_code: str, record: RegisterRecord) -> dict[str, object]:
        record_type, record_id, group_id = _place(record)
        aad = _aad(municipality_code, record_type, record_id)
        return {
            "municipality_code": municipality_code,
            "record_type": record_type.value,
            "record_id": record_id,
            "group_id": group_id,
            "blob": self._vault.seal(aad, msgspec.json.encode(record)),
        }

    def _open(self, municipality_code: str, record_type: str, record_id: str, blob: bytes) -> RegisterRecord:
        plain = self._vault.open(_aad(municipality_code, RecordType(record_type), record_id), blob)
        return msgspec.json.decode(plain, type=_TYPES[RecordType(record_type)])


_TYPES: dict[RecordType, type[RegisterRecord]] = {
    RecordType.RESIDENT: Resident,
    RecordType.HOUSEHOLD: Household,
    RecordType.TAX: TaxRecord,
    RecordType.SEAL: SealRecord,
}


def _place(record: RegisterRecord) -> tuple[RecordType, str, str]:
    """Return (type, id, group) of a record."""
    match record:
        case Resident():
            return RecordType.RESIDENT, record.resident_id, f"household:{record.household_id}"
        case Household():
            return RecordType.HOUSEHOLD, record.household_id, f"household:{record.household_id}"
        case TaxRecord():
            return (
                RecordType.TAX,
                f"{record.resident_id}:{record.fiscal_year}",
                _resident_group(record.resident_id),
            )
        case SealRecord():
            return RecordType.SEAL, record.resident_id, _resident_group(record.resident_id)
        case _:
            raise TypeError(f"no register record: {type(record).__name__}")


def _fits(
    household: Household, residents: Mapping[str, Resident], tax: Mapping[int, TaxRecord], resident_id: str
) -> bool:
    """Whether what was read together belongs together. Groups are not sealed: a row in the wrong one must not count."""
    return (
        resident_id in household.member_ids
        and all(member_id in residents for member_id in household.member_ids)
        and all(resident.household_id == household.household_id for resident in residents.values())
        and all(record.resident_id == resident_id for record in tax.values())
    )


def _resident_group(resident_id: str) -> str:
    return f"resident:{resident_id}"


def _aad(municipality_code: str, record_type: RecordType, record_id: str) -> bytes:
    return f"register/{municipality_code}/{record_type.value}/{record_id}".encode()


def _versions_digest(versions: Iterable[tuple[str, str, int]]) -> bytes:
    return hashlib.sha256(msgspec.json.encode(sorted(versions))).digest()
