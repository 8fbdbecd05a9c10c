"""The schema's history. `upgrade(url)` brings a database to the schema this build declares."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config


def config_for(url: str) -> Config:
    """Return Alembic's configuration for one database; there is no alembic.ini to keep in step."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations that the database lacks; on a database that has them all it does nothing."""
    command.upgrade(config_for(url), revision)
