"""`madoguchi beat`: what runs beside the servers, again and again, and keeps no visit waiting.

Records are put into the tree and signed; without that nothing is issued any more after half a minute. The provider of
QR payments is told what is wanted of it, and asked what it has done.

Any number of these may run: the database says who was first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Final

import click
import structlog
from sqlalchemy import Engine

from issuance_server import audit_tree, qr_desk
from issuance_server.command_parts import config_option, database, said_in_a_line
from issuance_server.config import ConfigError, ServerConfig, load
from issuance_server.database import SchemaMismatch
from issuance_server.key_files import KeysError
from issuance_server.keys import load_audit_key
from issuance_server.logs import configure_logging, where
from issuance_server.rules import Clock, utc_now

CANNOT: Final = (ConfigError, KeysError, SchemaMismatch)
_log = structlog.get_logger()


@click.command("beat")
@config_option
@click.option("--every", "every_s", type=click.FloatRange(min=0.1), help="Again after so many seconds, until ended.")
def command(config: Path, every_s: float | None) -> None:
    """What has to be done beside the servers, once or again and again; how much it was. Example: madoguchi beat
    --config server.toml --every 1
    """
    configure_logging()
    with said_in_a_line(*CANNOT):
        done = beat(config, every_s)
    for name, count in done.items():
        click.echo(f"{name}: {count}")


def beat(
    config_file: Path, every_s: float | None, pause: Callable[[float], None] = time.sleep, clock: Clock = utc_now
) -> dict[str, int]:
    """Do all of it once and return how much each came to; or again and again, for ever.

    Errors: ConfigError, KeysError, SchemaMismatch; once, those of the tasks, too.
    """
    with database(config_file) as engine:
        tasks = _tasks(load(config_file.absolute()), engine, clock)
        if every_s is None:
            return {name: task() for name, task in tasks.items()}
        # Each by itself: a provider that hangs for minutes must not keep records from the tree.
        ended: Queue[BaseException] = Queue()
        for name, task in tasks.items():
            turn = partial(_again, name, task, partial(pause, every_s), ended)
            threading.Thread(target=turn, name=name, daemon=True).start()
        raise ended.get()


def _again(name: str, task: Callable[[], int], pause: Callable[[], None], ended: Queue[BaseException]) -> None:
    """Do a task again and again, whatever it comes to; only what ends the pause ends it."""
    try:
        while True:
            try:
                task()
            except Exception as error:  # noqa: BLE001 - a bad minute of provider or database must not end later ones
                _log.error("beat failed", task=name, **where(error))
            pause()
    except BaseException as error:  # noqa: BLE001 - whoever waits for the threads hears of it
        ended.put(error)


def _tasks(config: ServerConfig, engine: Engine, clock: Clock) -> Mapping[str, Callable[[], int]]:
    key = load_audit_key(config.keys_folder)
    signer = audit_tree.Signer(config.audit_origin, key.public_key())
    tasks: dict[str, Callable[[], int]] = {"records": lambda: audit_tree.grow(engine, signer, key, clock)}
    if config.qr_provider is not None:
        tasks["codes settled"] = qr_desk.open_desk(engine, config.qr_provider, asks_once=False).settle
    return tasks
