"""The sealed register: residents, households, taxes, seals, family registers, and which certificate belongs to whom.

A record is one opaque blob; its place (municipality, type, id) is sealed in with it, so that a blob moved to another
row does not open. What a document needs is read by one statement, which is one moment on every database: wholly the
old version of the register or wholly the new one (S8).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    bindparam,
    insert,
    select,
    text,
    union_all,
    update,
)

from issuance_server.register.person import Person, assemble
from issuance_server.register.records import (
    FamilyRegisterRecord,
    Household,
    RecordType,
    RegisterHolder,
    RegisterRecord,
    Resident,
    SealRecord,
    SupplementaryRecord,
    TaxPaymentRecord,
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


def _group_of(record_type: RecordType) -> ScalarSelect[str]:
    """The group that the person's own record of a type stands in: their household, or their family register."""
    own_row = register_records.alias()
    return (
        select(own_row.c.group_id)
        .where(
            own_row.c.municipality_code == bindparam("code"),
            own_row.c.record_type == record_type,
            own_row.c.record_id == bindparam("person_id"),
        )
        .scalar_subquery()
    )


def _rows_of(group_id: ColumnElement[str]) -> Select[Any]:
    return select(*_COLUMNS).where(_records.municipality_code == bindparam("code"), _records.group_id == group_id)


def _relatives() -> Select[Any]:
    """The households in which people of the person's family register live, wherever that is: for their stops."""
    holder, relative = register_records.alias(), register_records.alias()
    holders = select(holder.c.record_id).where(
        holder.c.municipality_code == bindparam("code"),
        holder.c.group_id == _group_of(RecordType.HOLDER),
        holder.c.record_type == RecordType.HOLDER,
    )
    households = select(relative.c.group_id).where(
        relative.c.municipality_code == bindparam("code"),
        relative.c.record_type == RecordType.RESIDENT,
        relative.c.record_id.in_(holders),
    )
    return select(*_COLUMNS).where(_records.municipality_code == bindparam("code"), _records.group_id.in_(households))


_READ_PERSON = union_all(
    _rows_of(_group_of(RecordType.RESIDENT)),
    _rows_of(_group_of(RecordType.HOLDER)),
    _relatives(),
    _rows_of(bindparam("own_group")),
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

    def read_person(self, connection: Connection, municipality_code: str, person_id: str) -> Person | None:
        """Read all that the municipality's registers say of a person, of one moment.

        Errors: None if it is nothing, or does not fit together; there is nothing to certify then.
        """
        rows = connection.execute(
            _READ_PERSON,
            {"code": municipality_code, "person_id": person_id, "own_group": _own_group(person_id)},
        ).all()
        # The household of who lives with somebody of their family register is read twice.
        blobs: dict[tuple[str, str, int], bytes] = {(row[0], row[1], row[2]): row[3] for row in rows}
        records = [self._open(municipality_code, key[0], key[1], blob) for key, blob in blobs.items()]
        return assemble(municipality_code, person_id, records, _versions_digest(blobs))

    def find_links(self, connection: Connection, digests: Mapping[str, bytes]) -> dict[str, str]:
        """Return whom the active links among these digests by municipality name: person ids by municipality."""
        rows = connection.execute(_FIND_LINK, {"digests": sorted(digests.values())})
        return {
            row.municipality_code: row.resident_id
            for row in rows
            if digests.get(row.municipality_code) == row.link_digest
        }

    def find_link(self, connection: Connection, digests: Mapping[str, bytes]) -> tuple[str, str] | None:
        """Return (municipality code, resident id) of an active link among these digests by municipality, or None."""
        return next(iter(self.find_links(connection, digests).items()), None)

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
    RecordType.TAX_PAYMENT: TaxPaymentRecord,
    RecordType.SEAL: SealRecord,
    RecordType.FAMILY_REGISTER: FamilyRegisterRecord,
    RecordType.SUPPLEMENTARY: SupplementaryRecord,
    RecordType.HOLDER: RegisterHolder,
}
_TYPE_OF = {made: record_type for record_type, made in _TYPES.items()}


def _place(record: RegisterRecord) -> tuple[RecordType, str, str]:
    """Return (type, id, group) of a record. Shape: what is read together has one group."""
    record_type = _TYPE_OF.get(type(record))
    match record:
        case Resident():
            place = (record.resident_id, f"household:{record.household_id}")
        case Household():
            place = (record.household_id, f"household:{record.household_id}")
        case TaxRecord() | TaxPaymentRecord():
            place = (f"{record.resident_id}:{record.fiscal_year}", _own_group(record.resident_id))
        case SealRecord():
            place = (record.resident_id, _own_group(record.resident_id))
        case FamilyRegisterRecord() | SupplementaryRecord():
            place = (record.register_id, f"register:{record.register_id}")
        case RegisterHolder():
            place = (record.person_id, f"register:{record.register_id}")
    if record_type is None:
        raise TypeError(f"no register record: {type(record).__name__}")
    return record_type, *place


def _own_group(person_id: str) -> str:
    return f"resident:{person_id}"


def _aad(municipality_code: str, record_type: RecordType, record_id: str) -> bytes:
    return f"register/{municipality_code}/{record_type.value}/{record_id}".encode()


def _versions_digest(versions: Iterable[tuple[str, str, int]]) -> bytes:
    return hashlib.sha256(msgspec.json.encode(sorted(versions))).digest()
