"""The terminals that may ask: enrolled by their key, stopped within seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine, bindparam, insert, or_, select, update

from issuance_server import audit_log
from issuance_server.audit_log import Written
from issuance_server.database import read
from issuance_server.schema import NO_MUNICIPALITY, terminals
from protocol.errors import ErrorCode, IssueError
from protocol.signing import key_thumbprint

CACHE_S: Final = 5.0  # a stop takes effect within this
_TERMINAL_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")

_ENROL: Final = insert(terminals)
_STOP: Final = (
    update(terminals)
    .where(terminals.c.terminal_id == bindparam("id"))
    .values(stopped=True, forked=or_(terminals.c.forked, bindparam("fork")))
)
_LOCK: Final = (
    select(terminals.c.terminal_id).where(terminals.c.terminal_id == bindparam("id")).with_for_update(key_share=True)
)
_START: Final = (
    update(terminals)
    .where(terminals.c.terminal_id == bindparam("id"), terminals.c.forked.is_(False))
    .values(stopped=False)
)
_FIND: Final = select(
    terminals.c.terminal_id,
    terminals.c.operator,
    terminals.c.public_key,
    terminals.c.key_thumbprint,
    terminals.c.stopped,
    terminals.c.forked,
).where(terminals.c.terminal_id == bindparam("id"))


@dataclass(frozen=True)
class Terminal:
    """One enrolled terminal."""

    terminal_id: str
    operator: str
    public_key: Ed25519PublicKey
    key_thumbprint: bytes
    stopped: bool
    forked: bool = False


def is_terminal_id(terminal_id: str) -> bool:
    """Whether a terminal may be called so."""
    return _TERMINAL_ID.fullmatch(terminal_id) is not None


def enrol(
    connection: Connection, *, terminal_id: str, operator: str, public_key: Ed25519PublicKey, now_utc: datetime
) -> bytes:
    """Enrol a terminal and return its key's thumbprint, which two officers compare with what the terminal shows.

    Errors: ValueError for an id that is not 1 to 64 letters, digits and hyphens; IntegrityError where the id or the
            key is enrolled already: a terminal's identity is never replaced, it gets a new one.
    """
    if not is_terminal_id(terminal_id):
        raise ValueError("terminal_id must be 1 to 64 letters, digits and hyphens")
    thumbprint = key_thumbprint(public_key)
    values = {
        "operator": operator,
        "public_key": public_key.public_bytes_raw(),
        "key_thumbprint": thumbprint,
        "stopped": False,
        "forked": False,
        "enrolled_at_utc": now_utc,
    }
    connection.execute(_ENROL, {"terminal_id": terminal_id, **values})
    _record(connection, "terminal enrolled", terminal_id, now_utc, values)
    return thumbprint


def lock(connection: Connection, terminal_id: str) -> None:
    """Have whoever else changes this terminal wait until this transaction is over."""
    connection.execute(_LOCK, {"id": terminal_id})


def stop(connection: Connection, terminal_id: str, now_utc: datetime, *, forked: bool = False) -> None:
    """Stop a terminal; every server refuses it within CACHE_S. Errors: IssueError TERMINAL_UNKNOWN."""
    if connection.execute(_STOP, {"id": terminal_id, "fork": forked}).rowcount != 1:
        raise IssueError(ErrorCode.TERMINAL_UNKNOWN, "no such terminal")
    values = {"stopped": True, "forked": True} if forked else {"stopped": True}
    _record(connection, "terminal stopped", terminal_id, now_utc, values)


def start(connection: Connection, terminal_id: str, now_utc: datetime) -> None:
    """Let a stopped terminal go on, unless its identity is disabled for good: it gets a new one."""
    if connection.execute(_START, {"id": terminal_id}).rowcount == 1:
        _record(connection, "terminal started", terminal_id, now_utc, {"stopped": False})


def _record(
    connection: Connection, what: str, terminal_id: str, now_utc: datetime, values: Mapping[str, object]
) -> None:
    row = Written("terminals", {"terminal_id": terminal_id}, values)
    audit_log.record(connection, what, NO_MUNICIPALITY, now_utc, row)


class Terminals:
    """The enrolled terminals as one process sees them: asked at every request, read from the database every CACHE_S."""

    def __init__(self, engine: Engine, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._monotonic_s = monotonic_s
        self._cache: dict[str, tuple[float, Terminal]] = {}  # of enrolled ones alone: nobody else can make it grow

    def active(self, terminal_id: str) -> Terminal:
        """Return the terminal. Errors: IssueError TERMINAL_UNKNOWN, TERMINAL_STOPPED, IDENTITY_FORKED."""
        now_s = self._monotonic_s()
        read_at_s, terminal = self._cache.get(terminal_id, (0.0, None))
        if terminal is None or now_s - read_at_s >= CACHE_S:
            terminal = self._read(terminal_id)
            self._cache[terminal_id] = (now_s, terminal)
        if terminal.forked:
            raise IssueError(ErrorCode.IDENTITY_FORKED, "this identity is disabled")
        if terminal.stopped:
            raise IssueError(ErrorCode.TERMINAL_STOPPED, "this terminal is stopped")
        return terminal

    def public_key(self, terminal_id: str) -> Ed25519PublicKey:
        """Return the key of an active terminal, as `signing.verify_request` asks for it."""
        return self.active(terminal_id).public_key

    def _read(self, terminal_id: str) -> Terminal:
        row = None
        if is_terminal_id(terminal_id):
            with read(self._engine) as connection:
                row = connection.execute(_FIND, {"id": terminal_id}).one_or_none()
        if row is None:
            self._cache.pop(terminal_id, None)
            raise IssueError(ErrorCode.TERMINAL_UNKNOWN, "no such terminal")
        return Terminal(
            row.terminal_id,
            row.operator,
            Ed25519PublicKey.from_public_bytes(row.public_key),
            row.key_thumbprint,
            row.stopped,
            row.forked,
        )
