"""What several test files share: one small town that is up for the whole run, and the databases."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from deploy.demo.bring_up import RunningTown, bring_up
from deploy.demo.postgres import PrivatePostgres
from deploy.demo.processes import free_port
from deploy.demo.visitor import Visitor
from issuance_server.database import open_engine
from tests.databases import DATABASES, Cluster, Databases, PostgresDatabases, databases_for
from tests.issuing_parts import Office
from tests.terminal_rig import Rig

TOWN_RESIDENTS = 200

# Tests commit a hundred thousand times, and no power goes in truth: their files stand where a commit costs nothing.
# What has to reach a disk is looked at in the kernel's own trace (test_on_disk.py).
if Path("/dev/shm").is_dir():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", "/dev/shm")


@pytest.fixture(scope="session")
def town() -> Iterator[RunningTown]:
    """A town of real parts with one terminal. Tests of it belong to one group, so that one worker brings it up."""
    with bring_up(seed=1, residents=TOWN_RESIDENTS, kiosk_port=free_port()) as running:
        yield running


@pytest.fixture
def visitor(town: RunningTown) -> Iterator[Visitor]:
    """Somebody who stands before the town's kiosk."""
    someone = Visitor(town.world())
    yield someone
    someone.close()


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder whose commits cost nothing: thousands of rows are written, and no power goes in truth."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL that is up for the whole run: one a worker, in which each test has databases of its own."""
    with PrivatePostgres(durable=False) as postgres:
        yield Cluster(postgres)


@pytest.fixture(params=DATABASES)
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Fresh databases of either kind: whatever asks for them is run on both."""
    with databases_for(request, tmp_path) as made:
        yield made


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    """A database with the tables."""
    opened = open_engine(databases.declared())
    yield opened
    opened.dispose()


@pytest.fixture
def postgres_office(tmp_path: Path, cluster: Cluster) -> Iterator[Office]:
    """An office on PostgreSQL alone, for what two can do there at once."""
    made_in = PostgresDatabases(cluster)
    made = Office(tmp_path, made_in.declared())
    yield made
    made.close()
    made_in.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A runner over stateful fakes."""
    made = Rig(tmp_path)
    made.runner.start()
    yield made
    made.press.may_decide.set()
    made.runner.stop()
