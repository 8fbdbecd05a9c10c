"""`madoguchi codes settle`: tell the provider of QR payments what is wanted of it, and ask what it has done.

Any number of these may run: a code's row says who is busy with it, and the ids that the provider is given make the same
order one thing however often it is heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from issuance_server import qr_desk
from issuance_server.config import ConfigError, load
from issuance_server.database import SchemaMismatch, open_engine, require_schema
from issuance_server.logs import where

CANNOT_SETTLE = (ConfigError, SchemaMismatch)
_log = structlog.get_logger()


def settle(config_file: Path, every_s: float | None, pause: Callable[[float], None] = time.sleep) -> int:
    """Take up every code once, or again and again; return how many came to an end.

    Errors: ConfigError, SchemaMismatch.
    """
    config = load(config_file.absolute())
    if config.qr_provider is None:
        raise ConfigError(f"{config_file}: qr_provider: none is named")
    engine = open_engine(config.database_url)
    require_schema(engine)
    desk = qr_desk.open_desk(engine, config.qr_provider, asks_once=False)
    ended = 0
    while True:
        try:
            ended += desk.settle()
        except Exception as error:  # one bad minute of provider or database must not leave all later ones uncaptured
            if every_s is None:
                raise
            _log.error("codes not settled", **where(error))
        if every_s is None:
            return ended
        pause(every_s)
