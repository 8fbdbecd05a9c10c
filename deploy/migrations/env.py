"""Alembic's environment: one connection, one transaction, the tables of issuance_server/schema.py."""

from __future__ import annotations

from alembic import context

from issuance_server.database import open_engine
from issuance_server.schema import metadata

engine = open_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
