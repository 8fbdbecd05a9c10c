"""The family register in the sealed register: read in one statement with the person, and only if all fits together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, event, text

from issuance_server.database import open_engine, read, write
from issuance_server.register.person import Person
from issuance_server.register.records import RegisterRecord
from issuance_server.register.store import RegisterStore
from issuance_server.vault import Vault, VaultError, VaultKeys
from tests.databases import Databases, Plans, reads_whole
from tests.issuing_parts import CODE, HANAKO, HOUSEHOLD, RECORDS, TARO
from tests.register_parts import HOLDERS, MORE_RECORDS, PAID, REGISTER, SEAL, SUPPLEMENTARY

STORE = RegisterStore(Vault(VaultKeys("v1", {"v1": bytes(range(32))}, bytes(32))))
#: Hanako has left the household: she lives in another one, and stands in Taro's family register still.
LEFT = (
    replace(HANAKO, household_id="h-2"),
    replace(HOUSEHOLD, member_ids=("r-taro", "r-child", "r-maria")),
    replace(HOUSEHOLD, household_id="h-2", member_ids=("r-hanako",)),
)


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    engine = open_engine(databases.declared())
    with write(engine) as connection:
        STORE.put(connection, CODE, (*RECORDS, *MORE_RECORDS))
    yield engine
    engine.dispose()


def put(engine: Engine, *records: RegisterRecord) -> None:
    with write(engine) as connection:
        STORE.put(connection, CODE, records)


def person_in(engine: Engine, person_id: str = "r-taro") -> Person | None:
    with read(engine) as connection:
        return STORE.read_person(connection, CODE, person_id)


def test_a_resident_with_all_that_a_document_may_need_in_one_statement(engine: Engine) -> None:
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cu, sql, *_: statements.append(sql.split()[0]))
    person = person_in(engine)
    assert statements.count("SELECT") == 1
    assert person is not None
    assert person.residence is not None
    assert person.family is not None
    assert (person.residence.seal, dict(person.residence.tax_payments)) == (SEAL, {2026: PAID})
    assert (person.family.register, person.family.supplementary) == (REGISTER, SUPPLEMENTARY)
    assert person.family.entry.given_name == "太郎"
    assert (person.name, person.born_on) == ("見本 太郎", TARO.born_on)


def test_a_person_known_by_registration_alone(engine: Engine) -> None:
    put(engine, replace(REGISTER, register_id="k-2"), *(replace(one, register_id="k-2") for one in HOLDERS))
    with write(engine) as connection:
        gone = "'resident', 'household', 'seal', 'tax', 'tax_payment'"
        connection.execute(text(f"DELETE FROM register_records WHERE record_type IN ({gone})"))  # noqa: S608 (a test's own words)
    person = person_in(engine)
    assert person is not None
    assert person.residence is None
    assert (person.name, person.born_on) == ("見本 太郎", TARO.born_on)
    assert person.family is not None
    assert person.family.supplementary is None


def test_who_of_the_register_lives_in_another_household_is_read_for_their_stop(engine: Engine) -> None:
    put(engine, *LEFT)
    before = person_in(engine)
    assert before is not None
    assert before.family is not None
    assert {one.resident_id for one in before.family.residents} == {"r-taro", "r-hanako", "r-child", "r-maria"}
    assert {one.household_id for one in before.family.households} == {"h-1", "h-2"}
    put(engine, replace(LEFT[0], issuance_stop=True))
    after = person_in(engine)
    assert after is not None
    assert after.family is not None
    assert [one.resident_id for one in after.family.residents if one.issuance_stop] == ["r-hanako"]
    assert after.records_digest != before.records_digest


@pytest.mark.parametrize(
    "changed",
    [
        replace(REGISTER, people=REGISTER.people[1:]),  # without the person
        replace(REGISTER, surname="他所"),
        replace(REGISTER, people=(replace(REGISTER.people[0], born_on=date(1999, 1, 1)), *REGISTER.people[1:])),
        replace(HOLDERS[0], name="見本 次郎"),
        replace(HOLDERS[0], born_on=date(1999, 1, 1)),
        replace(HOLDERS[0], register_id="k-9"),  # of a register that is not there
        replace(SUPPLEMENTARY, people=(replace(SUPPLEMENTARY.people[1], name="見本 次子"),)),
        replace(SUPPLEMENTARY, people=(replace(SUPPLEMENTARY.people[1], born_on=date(1999, 1, 1)),)),
        replace(SUPPLEMENTARY, people=(replace(SUPPLEMENTARY.people[1], person_id="r-maria"),)),
        replace(TARO, born_on=date(1999, 1, 1)),  # resident register and family register disagree
    ],
)
def test_registers_that_disagree_certify_nothing(engine: Engine, changed: RegisterRecord) -> None:
    assert person_in(engine) is not None
    put(engine, changed)
    assert person_in(engine) is None


@pytest.mark.parametrize(
    ("wanders", "group"),
    [
        ("record_type = 'family_register' AND record_id = 'k-2'", "register:k-1"),
        ("record_type = 'supplementary' AND record_id = 'k-2'", "register:k-1"),
        ("record_type = 'holder' AND record_id = 'r-other'", "register:k-1"),
        ("record_type = 'seal' AND record_id = 'r-hanako'", "resident:r-taro"),
        ("record_type = 'tax_payment' AND record_id = 'r-hanako:2026'", "resident:r-taro"),
        ("record_type = 'resident' AND record_id = 'r-other'", "household:h-1"),
    ],
)
def test_a_record_in_another_s_group_certifies_nobody(engine: Engine, wanders: str, group: str) -> None:
    put(
        engine,
        replace(REGISTER, register_id="k-2"),
        replace(SUPPLEMENTARY, register_id="k-2"),
        replace(HOLDERS[0], person_id="r-other", register_id="k-2"),
        replace(SEAL, resident_id="r-hanako"),
        replace(PAID, resident_id="r-hanako"),
        replace(TARO, resident_id="r-other", household_id="h-9"),
    )
    assert person_in(engine) is not None
    with write(engine) as connection:
        moved = connection.execute(text(f"UPDATE register_records SET group_id = '{group}' WHERE {wanders}"))  # noqa: S608 (a test's own words)
        assert moved.rowcount == 1
    assert person_in(engine) is None


def test_a_register_s_blob_moved_to_another_register_does_not_open(engine: Engine) -> None:
    put(engine, replace(REGISTER, register_id="k-2"))
    with write(engine) as connection:
        connection.execute(
            text(
                "UPDATE register_records SET blob = (SELECT blob FROM register_records WHERE record_id = 'k-2')"
                " WHERE record_id = 'k-1' AND record_type = 'family_register'"
            )
        )
    with pytest.raises(VaultError):
        person_in(engine)


def test_the_look_up_reads_no_whole_table(engine: Engine) -> None:
    """Its cost must not grow with the register."""
    with Plans(engine) as plans:
        person_in(engine)
    plan = plans.of("SELECT")
    assert "register_records" in plan
    assert not reads_whole(plan, "register_records")
