"""What must hold once the world is at rest. First the world alone; then journal and ledger against the world."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


def broken(simulation: Simulation) -> list[str]:
    return []
