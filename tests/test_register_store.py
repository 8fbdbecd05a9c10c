"""The register: sealed rows, links, and a reading that is of one moment (S8)."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Connection, Engine, event, select, text
from sqlalchemy.exc import IntegrityError

from issuance_server.database import read, write
from issuance_server.register.records import Household, RegisterRecord, Resident, SealRecord, TaxRecord, TaxStatus
from issuance_server.register.store import Link, RegisterStore
from issuance_server.schema import register_records
from issuance_server.vault import Vault, VaultError, VaultKeys

CODE = "999993"
SEAL = SealRecord(resident_id="r1", registered_on=date(2020, 1, 1), image_png=b"png")


def resident(resident_id: str, household_id: str = "h1", name: str = "見本 太郎") -> Resident:
    return Resident(
        resident_id=resident_id,
        household_id=household_id,
        name=name,
        born_on=date(1980, 1, 2),
        sex="男",
        relationship="世帯主",
    )


def household(
    address: str = "見本市一丁目1番1号", members: tuple[str, ...] = ("r1", "r2"), household_id: str = "h1"
) -> Household:
    return Household(household_id=household_id, address=address, head_name="見本 太郎", member_ids=members)


def tax(fiscal_year: int, resident_id: str = "r1") -> TaxRecord:
    return TaxRecord(
        resident_id=resident_id,
        fiscal_year=fiscal_year,
        status=TaxStatus.UNTAXED,
        address_on_1_january="見本市一丁目1番1号",
    )


@pytest.fixture
def store() -> RegisterStore:
    return RegisterStore(Vault(VaultKeys("v1", {"v1": bytes(range(32))}, bytes(32))))


@pytest.fixture
def filled(engine: Engine, store: RegisterStore) -> Engine:
    records: list[RegisterRecord] = [
        resident("r1"),
        resident("r2", name="見本 花子"),
        resident("r3", "h3", "他所 次郎"),
        household(),
        tax(2024),
        tax(2025),
        tax(2025, "r2"),
        SEAL,
    ]
    with write(engine) as connection:
        store.put(connection, CODE, records)
    return engine


def test_a_person_with_household_members_and_own_tax_years(filled: Engine, store: RegisterStore) -> None:
    with read(filled) as connection:
        person = store.read_person(connection, CODE, "r1")
    assert person is not None
    residence = person.residence
    assert residence is not None
    assert (residence.resident, residence.household) == (resident("r1"), household())
    assert [member.resident_id for member in residence.members] == ["r1", "r2"]
    assert dict(residence.tax) == {2024: tax(2024), 2025: tax(2025)}
    assert residence.seal == SEAL
    assert person.family is None


@pytest.mark.parametrize("members", [("r1", "r2", "r9"), ("r2",)])
def test_a_register_that_does_not_fit_together_certifies_nobody(
    filled: Engine, store: RegisterStore, members: tuple[str, ...]
) -> None:
    with write(filled) as connection:
        store.put(connection, CODE, [household(members=members)])
    with read(filled) as connection:
        assert store.read_person(connection, CODE, "r1") is None


@pytest.mark.parametrize(("code", "resident_id"), [(CODE, "r9"), (CODE, "r3"), ("999985", "r1")])
def test_nobody_is_found_without_whole_records(
    filled: Engine, store: RegisterStore, code: str, resident_id: str
) -> None:
    with read(filled) as connection:
        assert store.read_person(connection, code, resident_id) is None


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        (resident("r2", name="見本 改子"), True),
        (household("見本市二丁目"), True),
        (tax(2025), True),
        (tax(2025, "r2"), False),
    ],
)
def test_the_digest_follows_the_versions(
    filled: Engine, store: RegisterStore, changed: RegisterRecord, differs: bool
) -> None:
    with read(filled) as connection:
        before = store.read_person(connection, CODE, "r1")
    with write(filled) as connection:
        store.put(connection, CODE, [changed])
    with read(filled) as connection:
        after = store.read_person(connection, CODE, "r1")
    assert before is not None
    assert after is not None
    assert (before.records_digest != after.records_digest) is differs


def test_s8_a_register_update_between_two_statements_is_not_seen_half(filled: Engine, store: RegisterStore) -> None:
    """S8. An update is committed while the reader is at work: all it sees is of one moment."""
    updated = threading.Event()

    def update_whole_household() -> None:
        with write(filled) as connection:
            store.put(connection, CODE, [resident("r1", name="新 太郎"), resident("r2", name="新 花子")])
        updated.set()

    def seen(reader: RegisterStore, connection: Connection) -> set[str]:
        person = reader.read_person(connection, CODE, "r1")
        assert person is not None
        assert person.residence is not None
        return {member.name.split()[0] for member in person.residence.members}

    statements: list[str] = []
    event.listen(filled, "before_cursor_execute", lambda _c, _cu, sql, *_: statements.append(sql))
    with read(filled) as connection:
        first = seen(store, connection)
        thread = threading.Thread(target=update_whole_household)
        thread.start()
        assert updated.wait(10)
        second = seen(store, connection)
    thread.join(timeout=10)
    with read(filled) as connection:
        third = seen(store, connection)
    # A whole transaction is one moment on SQLite alone; what holds on both is that one statement is.
    assert (first, second, third) == ({"見本"}, {"見本"} if filled.dialect.name == "sqlite" else {"新"}, {"新"})
    assert [sql.split()[0] for sql in statements].count("SELECT") == 3


def test_a_blob_moved_to_another_row_does_not_open(filled: Engine, store: RegisterStore) -> None:
    with write(filled) as connection:
        connection.execute(
            text(
                "UPDATE register_records SET blob = (SELECT blob FROM register_records WHERE record_id = 'r3')"
                " WHERE record_id = 'r2' AND record_type = 'resident'"
            )
        )
    with read(filled) as connection, pytest.raises(VaultError):
        store.read_person(connection, CODE, "r1")


@pytest.mark.parametrize(
    ("wanders", "group"),
    [
        ("record_type = 'tax' AND record_id = 'r2:2025'", "resident:r1"),
        ("record_type = 'resident' AND record_id = 'r3'", "household:h1"),
        ("record_type = 'household' AND record_id = 'h3'", "household:h1"),
    ],
)
def test_a_record_in_another_s_group_certifies_nobody(
    filled: Engine, store: RegisterStore, wanders: str, group: str
) -> None:
    """The group is no part of what is sealed: it only says what is read together."""
    with write(filled) as connection:
        store.put(connection, CODE, [household(members=("r3",), household_id="h3")])
        moved = connection.execute(text(f"UPDATE register_records SET group_id = '{group}' WHERE {wanders}"))  # noqa: S608 (a test's own words)
        assert moved.rowcount == 1
    with read(filled) as connection:
        assert store.read_person(connection, CODE, "r1") is None


def test_nothing_personal_stands_open_in_the_table(filled: Engine) -> None:
    with read(filled) as connection:
        blobs = connection.execute(select(register_records.c.blob)).scalars().all()
    assert len(blobs) == 8
    assert all("見本".encode() not in blob and b"1980" not in blob for blob in blobs)


def test_thousands_of_records_are_one_statement(engine: Engine, store: RegisterStore) -> None:
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cu, sql, *_: statements.append(sql.split()[0]))
    with write(engine) as connection:
        store.put(connection, CODE, [resident(f"r{number}", f"h{number}") for number in range(3_000)])
    assert [word for word in statements if word != "BEGIN"] == ["INSERT"]  # PostgreSQL's driver begins by itself


LINK = Link(CODE, b"\x01" * 32, "r1")


def test_a_link_finds_its_resident_until_it_is_removed(engine: Engine, store: RegisterStore) -> None:
    digests = {CODE: b"\x01" * 32, "999985": b"\x02" * 32}
    with write(engine) as connection:
        assert store.find_link(connection, digests) is None
        store.add_link(connection, LINK)
        assert store.find_link(connection, digests) == (CODE, "r1")
        assert store.find_link(connection, {"999985": b"\x01" * 32}) is None
        assert store.find_link(connection, {}) is None
        assert store.remove_link(connection, LINK)
        assert store.find_link(connection, digests) is None
        store.add_link(connection, LINK)
        assert store.find_link(connection, digests) == (CODE, "r1")


def test_a_certificate_has_one_active_resident(engine: Engine, store: RegisterStore) -> None:
    other = Link(CODE, LINK.link_digest, "r2")
    with write(engine) as connection:
        store.add_link(connection, LINK)
    with pytest.raises(IntegrityError), write(engine) as connection:
        store.add_link(connection, other)
    with write(engine) as connection:
        store.remove_link(connection, LINK)
        store.add_link(connection, other)
        assert store.find_link(connection, {CODE: LINK.link_digest}) == (CODE, "r2")
        assert not store.remove_link(connection, Link(CODE, b"\x09" * 32, "r1"))


def test_the_feed_s_last_hour_is_kept(engine: Engine, store: RegisterStore) -> None:
    first, second = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)
    with write(engine) as connection:
        assert store.feed_received_at_utc(connection, CODE) is None
        store.feed_received(connection, CODE, first)
        store.feed_received(connection, CODE, second)
        assert store.feed_received_at_utc(connection, CODE) == second
