"""What the server's commands share: the option that names its configuration, and its database, opened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from issuance_server.config import load
from issuance_server.database import open_engine, require_schema

config_option = click.option(
    "--config", required=True, type=click.Path(path_type=Path), help="The issuing server's configuration."
)


@contextmanager
def said_in_a_line(*errors: type[Exception]) -> Iterator[None]:
    """Let what can be wrong with what was named be said in a line."""
    try:
        yield
    except errors as error:
        raise click.ClickException(str(error)) from error
    except DBAPIError as error:  # its own words hold statements and values
        why = type(error.orig).__name__
        raise click.ClickException(f"NOT done, try again: the database refused or did not answer ({why})") from None


@contextmanager
def database(config_file: Path) -> Iterator[Engine]:
    """Open the database of a server. Errors: ConfigError, SchemaMismatch."""
    engine = open_engine(load(config_file.absolute()).database_url)
    try:
        require_schema(engine)
        yield engine
    finally:
        engine.dispose()
