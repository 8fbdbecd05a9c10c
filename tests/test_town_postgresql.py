"""The town on PostgreSQL: two servers behind a balancer, and visits that settle though each is asked in turn."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from deploy.demo.bring_up import RunningTown, bring_up
from deploy.demo.processes import free_port
from deploy.demo.town_store import DatabaseKind
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import Visitor
from tests.test_visits import SAMPLE, name_of, require_settled, text_of

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("two servers"), pytest.mark.timeout(240)]


def requests(town: RunningTown) -> list[int]:
    """How many requests each server has answered."""
    return [log.read_text().count('"request"') for log in sorted(town.run.glob("server*.log"))]


def test_s9_visits_settle_through_two_servers_and_through_the_one_that_is_left() -> None:
    with bring_up(seed=1, residents=200, kiosk_port=free_port(), database=DatabaseKind.POSTGRESQL) as town:
        visitor = Visitor(town.world())
        try:
            outcome = visitor.visit(VisitFile(resident=SAMPLE, coins=(100, 100)))
            require_settled(town, outcome)
            assert name_of(town, SAMPLE) in text_of(outcome.papers[0])
            first, second = requests(town)
            assert first >= 2
            assert second >= 2
            os.killpg(town.servers[0].process.pid, signal.SIGKILL)
            require_settled(town, visitor.visit(VisitFile(resident=SAMPLE, coins=(100, 100))))
            assert requests(town)[0] == first
            folder = Path(town.database.partition("host=")[2])
            assert folder.is_dir()
        finally:
            visitor.close()
    assert not folder.exists()
