"""Settings by date: the row in force is the latest that has begun."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from deploy.demo.seal_pictures import square_seal_png
from issuance_server.database import open_engine, read, write
from issuance_server.settings import CertifierSettings, MunicipalitySettings
from issuance_server.settings_store import SettingsStore
from tests.databases import Databases


def settings(code: str, valid_from: date, certifier_name: str) -> MunicipalitySettings:
    return MunicipalitySettings(
        municipality_code=code,
        municipality_name="見本市",
        valid_from=valid_from,
        specimen=True,
        documents=(),
        fees=(),
        fiscal_years=(),
        certifiers=(
            CertifierSettings(
                valid_from=date(2020, 4, 1),
                office="見本市役所",
                title="見本市長",
                name=certifier_name,
                seal_png=square_seal_png("見本市長之印"),
            ),
        ),
    )


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    engine = open_engine(databases.declared())
    with write(engine) as connection:
        store = SettingsStore()
        store.put(connection, settings("999993", date(2025, 4, 1), "見本 一郎"))
        store.put(connection, settings("999993", date(2026, 4, 1), "見本 二郎"))
        store.put(connection, settings("999985", date(2026, 4, 1), "見本 三郎"))
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("on_jst", "name"),
    [
        (date(2025, 3, 31), None),
        (date(2025, 4, 1), "見本 一郎"),
        (date(2026, 3, 31), "見本 一郎"),
        (date(2026, 4, 1), "見本 二郎"),
    ],
)
def test_the_row_in_force(engine: Engine, on_jst: date, name: str | None) -> None:
    with read(engine) as connection:
        found = SettingsStore().in_force(connection, "999993", on_jst)
    assert (found and found.certifiers[0].name) == name


def test_an_unknown_municipality_decided_nothing(engine: Engine) -> None:
    with read(engine) as connection:
        assert SettingsStore().in_force(connection, "130001", date(2026, 4, 1)) is None


def test_all_codes(engine: Engine) -> None:
    with read(engine) as connection:
        assert SettingsStore().codes(connection) == ("999985", "999993")


def test_a_decision_is_not_changed_afterwards(engine: Engine) -> None:
    with pytest.raises(IntegrityError), write(engine) as connection:
        SettingsStore().put(connection, settings("999993", date(2026, 4, 1), "見本 四郎"))
