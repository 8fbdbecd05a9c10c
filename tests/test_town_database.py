"""The town in the server's tables, and in the phone book that the demo reads."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import msgspec
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import IntegrityError

from deploy.demo.pki import serial_of
from deploy.demo.town import Town, directory, write
from deploy.demo.town_stories import NOBODY_ID, STORIES
from issuance_server.database import read
from issuance_server.register.records import RegisterRecord
from issuance_server.register.store import RegisterStore
from issuance_server.schema import certificate_links, register_records
from issuance_server.settings_store import SettingsStore
from issuance_server.vault import Vault, VaultKeys
from protocol.errors import ErrorCode
from tests.test_town import town_of

pytestmark = pytest.mark.slow

ISSUER_KEY_SHA256 = bytes(32)
NOW_UTC = datetime(2026, 10, 1, 3, 0, tzinfo=UTC)


@pytest.fixture
def vault() -> Vault:
    return Vault(VaultKeys("v1", {"v1": bytes(range(32))}, bytes(32)))


def load(town: Town, engine: Engine, vault: Vault) -> RegisterStore:
    register = RegisterStore(vault)
    write(
        town,
        engine,
        vault,
        register,
        SettingsStore(),
        issuer_key_sha256=ISSUER_KEY_SHA256,
        received_at_utc=NOW_UTC,
    )
    with engine.connect() as connection:
        # As autovacuum does after a load: until then PostgreSQL takes the tables for empty and reads them whole.
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    return register


@pytest.mark.timeout(240)
def test_the_whole_town_stands_in_the_servers_tables(engine: Engine, vault: Vault) -> None:
    town = town_of(300)
    register = load(town, engine, vault)
    with read(engine) as connection:
        rows = connection.execute(select(func.count()).select_from(register_records)).scalar()
        own = (town.residents, town.households, town.tax, town.tax_payments, town.seals)
        of_registers = sum(2 + len(told.holders) for told in town.registers)
        assert rows == sum(len(records) for records in own) + of_registers
        links = connection.execute(select(func.count()).select_from(certificate_links)).scalar()
        assert links == len(town.links) + len(town.registrations)
        for resident_id, resident in town.residents.items():
            code = town.municipality_of[resident_id]
            person = register.read_person(connection, code, resident_id)
            assert person is not None
            assert person.residence is not None
            assert person.residence.resident == resident
            assert person.residence.household == town.households[resident.household_id]
            assert set(person.residence.tax) == {r.fiscal_year for r in town.tax if r.resident_id == resident_id}
        assert register.feed_received_at_utc(connection, "990027") == NOW_UTC


def test_a_card_leads_to_its_resident_and_an_unlinked_one_to_nobody(engine: Engine, vault: Vault) -> None:
    town = town_of(100)
    register = load(town, engine, vault)

    def found(resident_id: str) -> tuple[str, str] | None:
        serial = serial_of(town.seed, resident_id)
        codes = [decided.municipality_code for decided in town.municipalities]
        digests = {code: vault.link_digest(code, ISSUER_KEY_SHA256, serial) for code in codes}
        with read(engine) as connection:
            return register.find_link(connection, digests)

    assert found("u-000001") == ("990019", "u-000001")
    there = STORIES["domicile-elsewhere"].resident_id
    assert town.registrations[there].municipality_code == "990027"
    serial = serial_of(town.seed, there)
    digests = {code: vault.link_digest(code, ISSUER_KEY_SHA256, serial) for code in ("990019", "990027")}
    with read(engine) as connection:
        both = register.find_links(connection, digests)
        assert both == {"990019": there, "990027": town.registrations[there].person_id}
        elsewhere = register.read_person(connection, "990027", both["990027"])
    assert elsewhere is not None
    assert elsewhere.residence is None
    assert elsewhere.name == town.residents[there].name
    assert found(STORIES["hoshimi"].resident_id) == ("990027", STORIES["hoshimi"].resident_id)
    assert found(STORIES["unlinked"].resident_id) is None
    assert found(NOBODY_ID) is None


def test_settings_are_in_force(engine: Engine, vault: Vault) -> None:
    town = town_of(100)
    load(town, engine, vault)
    with read(engine) as connection:
        assert SettingsStore().in_force(connection, "990019", date(2026, 10, 1)) == town.municipalities[0]
        assert SettingsStore().in_force(connection, "990019", date(2024, 3, 31)) is None


def test_a_town_is_written_once_and_wholly(engine: Engine, vault: Vault) -> None:
    load(town_of(100), engine, vault)
    other = replace(town_of(120), seed=3)
    with pytest.raises(IntegrityError):
        load(other, engine, vault)
    with read(engine) as connection:
        kinds = select(func.count()).where(register_records.c.record_type == "resident")
        assert connection.execute(kinds).scalar() == 100


def test_records_survive_the_registers_encoding() -> None:
    town = town_of(100)
    records: list[RegisterRecord] = [*town.residents.values(), *town.households.values(), *town.tax]
    for record in records:
        assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


def test_the_directory_is_json_and_knows_everybody() -> None:
    town = town_of(100)
    book = json.loads(json.dumps(directory(town)))
    assert book["seed"] == 1
    assert book["sample"] == "u-000001"
    assert set(book["residents"]) == {*town.residents, NOBODY_ID}
    sample = book["residents"]["u-000001"]
    assert sample["name"] == town.residents["u-000001"].name
    assert sample["household"] == ["u-000001", "u-000002", "u-000003", "u-000004"]
    assert sample["register"] == sample["household"]
    assert (sample["story"], sample["refusal"], sample["card"], sample["pin"]) == ("sample", None, "my-number", "1234")
    assert book["residents"]["u-000002"]["story"] is None
    assert book["residents"][STORIES["expired-certificate"].resident_id]["certificate_expired"]
    nobody = book["residents"][NOBODY_ID]
    assert (nobody["linked"], nobody["refusal"]) == (False, ErrorCode.NOT_ISSUABLE_HERE)
    assert "9900" not in json.dumps([entry["name"] for entry in book["residents"].values()])
