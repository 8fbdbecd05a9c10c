"""A PostgreSQL of one's own leaves nothing, whatever happens to whoever started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from deploy.demo.postgres import PrivatePostgres
from deploy.demo.processes import remove_left
from issuance_server.database import open_engine, read, write

pytestmark = pytest.mark.parts

REPOSITORY = Path(__file__).resolve().parents[1]
STARTS_ONE = """
import time
from deploy.demo.postgres import PrivatePostgres
postgres = PrivatePostgres(durable=False)
postgres.start()
print(postgres.folder, flush=True)
time.sleep(600)
"""


def postmaster_of(folder: Path) -> Path:
    """Where the process stands while it runs."""
    return Path("/proc", (folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def test_it_is_gone_with_its_folder_when_it_is_stopped() -> None:
    with PrivatePostgres(durable=False) as postgres:
        process = postmaster_of(postgres.folder)
        assert process.exists()
        assert [path.name for path in postgres.folder.glob(".s.*")] == [".s.PGSQL.5432", ".s.PGSQL.5432.lock"]
    assert not process.exists()
    assert not postgres.folder.exists()


def test_it_ends_with_whoever_started_it_and_its_folder_goes_with_the_next() -> None:
    starter = subprocess.Popen([sys.executable, "-c", STARTS_ONE], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert starter.stdout is not None
    folder = Path(starter.stdout.readline().strip())
    process = postmaster_of(folder)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    deadline = time.monotonic() + 30
    while process.exists():
        assert time.monotonic() < deadline, "PostgreSQL outlives whoever started it"
        time.sleep(0.02)
    assert folder.exists()
    remove_left(folder.parent, "mdg-postgres-")
    assert not folder.exists()


def killed_and_started(postgres: PrivatePostgres) -> None:
    """Kill its first process alone, as nobody would ask for."""
    postgres.kill()
    postgres.again()


@pytest.mark.parametrize("crash", [PrivatePostgres.crash, killed_and_started])
def test_what_was_committed_survives_a_crash_and_what_was_not_does_not(
    crash: Callable[[PrivatePostgres], None],
) -> None:
    with PrivatePostgres(durable=True) as postgres:
        engine = open_engine(postgres.create("kept"))
        with write(engine) as connection:
            connection.execute(text("CREATE TABLE counter (value INTEGER)"))
            connection.execute(text("INSERT INTO counter VALUES (1)"))
        open_one = engine.connect()
        open_one.execute(text("INSERT INTO counter VALUES (2)"))
        crash(postgres)
        open_one.invalidate()
        open_one.close()
        with read(engine) as connection:
            assert connection.execute(text("SELECT value FROM counter")).scalars().all() == [1]
            assert connection.execute(text("SHOW fsync")).scalar() == "on"
        engine.dispose()
