"""The commands around a backup: make one, say that the server was restored from one, answer for who is missing."""

from __future__ import annotations

from pathlib import Path

from issuance_server import backups, restores
from issuance_server.backups import CannotBackUp
from issuance_server.command_parts import database
from issuance_server.config import ConfigError
from issuance_server.database import SchemaMismatch, write
from issuance_server.restores import How, NothingToWaive
from issuance_server.rules import Clock, utc_now

#: What keeps one of these from being done; each message says what is wrong.
CANNOT = (CannotBackUp, ConfigError, NothingToWaive, SchemaMismatch, ValueError)


def back_up(config_file: Path, to: Path) -> None:
    """Make a backup. Errors: CANNOT."""
    with database(config_file) as engine:
        backups.back_up(engine, to)


def declare(config_file: Path, gap: int, clock: Clock = utc_now) -> tuple[str, ...]:
    """Say that the server was restored; return the terminals that are waited for. Errors: CANNOT."""
    with database(config_file) as engine, write(engine) as connection:
        return restores.begin(connection, How.DECLARED, clock(), gap)


def waive(config_file: Path, officers: tuple[str, str], clock: Clock = utc_now) -> tuple[str, ...]:
    """Wait for nobody any more; return the terminals that have not told what they have. Errors: CANNOT."""
    with database(config_file) as engine, write(engine) as connection:
        return restores.waive(connection, officers, clock())
