"""The boot handshake: a terminal that begins says with which journal, and what it has is held against what it told.

Two machines that went on from one disk, and one that was set back to an older disk, each say something that cannot be:
a boot with the number of another, a boot before the last, fewer events than it told, or other ones. The identity is
then disabled, for both: nobody can know which of two is the right one. An enrolled identity is never mended; the
terminal gets a new one.

A terminal that was told more than this server has is no fork: the server was restored from a backup (restores.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, func, insert, select

from issuance_server import restores, terminals
from issuance_server.cases import CaseReason, Subject, open_case
from issuance_server.database import read
from issuance_server.schema import NO_MUNICIPALITY, terminal_boots, terminal_events
from issuance_server.schema import terminals as enrolled
from issuance_server.turns import turn
from protocol.chain import GENESIS
from protocol.errors import ErrorCode, IssueError
from protocol.messages import BootAnswer, BootRequest

_boots = terminal_boots.c
_OF_TERMINAL: Final = enrolled.c.terminal_id == bindparam("terminal")
_POSITION: Final = select(enrolled.c.accepted_through, enrolled.c.backed_up_through).where(_OF_TERMINAL)
_STORE: Final = insert(terminal_boots)
_HEAD_OF_BOOT: Final = select(_boots.journal_head).where(
    _boots.terminal_id == bindparam("terminal"), _boots.boot_number == bindparam("number")
)
_LAST_BOOT: Final = select(func.max(_boots.boot_number)).where(_boots.terminal_id == bindparam("terminal"))
_PROMISED: Final = select(_boots.last_sequence, _boots.event_head).where(
    _boots.terminal_id == bindparam("terminal"), _boots.last_sequence > bindparam("number")
)
_HEAD: Final = select(terminal_events.c.chain_head).where(
    terminal_events.c.terminal_id == bindparam("terminal"), terminal_events.c.sequence == bindparam("number")
)


def handshake(engine: Engine, terminal_id: str, asked: BootRequest, now_utc: datetime) -> BootAnswer:
    """Store that a terminal began and answer what the server has of it; the same boot again is answered again.

    Errors: IssueError IDENTITY_FORKED, and the identity is disabled; TERMINAL_UNKNOWN.
    """
    with turn(engine, terminal_id) as connection:
        position = connection.execute(_POSITION, {"terminal": terminal_id}).one()
        fork = _fork(connection, terminal_id, asked, position.accepted_through)
        if fork is None:
            _store(connection, terminal_id, asked, now_utc)
            if asked.accepted_through > position.accepted_through:
                restores.detect(connection, terminal_id, now_utc)
            restores.heard(connection, terminal_id, asked.last_sequence, position.accepted_through, now_utc)
        else:
            disable(connection, terminal_id, now_utc)
    if fork is not None:
        raise IssueError(ErrorCode.IDENTITY_FORKED, fork)
    return BootAnswer(
        accepted_through=position.accepted_through,
        backed_up_through=min(position.backed_up_through, position.accepted_through),
    )


def disable(connection: Connection, terminal_id: str, now_utc: datetime) -> None:
    """Disable an identity that two may use, and call a human."""
    terminals.stop(connection, terminal_id, now_utc, forked=True)
    open_case(connection, CaseReason.TERMINAL_FORKED, Subject(NO_MUNICIPALITY, terminal_id), now_utc)


def backed_up_through(engine: Engine, terminal_id: str) -> int:
    """Return the last of a terminal's events that a backup has."""
    with read(engine) as connection:
        return int(connection.execute(_POSITION, {"terminal": terminal_id}).one().backed_up_through)


def head_at(connection: Connection, terminal_id: str, sequence: int) -> bytes:
    """Return the chain over a terminal's events through one that is stored."""
    if sequence == 0:
        return GENESIS
    head: bytes = connection.execute(_HEAD, {"terminal": terminal_id, "number": sequence}).scalar_one()
    return head


def promised(connection: Connection, terminal_id: str, accepted: int) -> dict[int, set[bytes]]:
    """Return, by sequence, what boots said of the chain through events that are not stored yet."""
    said: dict[int, set[bytes]] = {}
    for row in connection.execute(_PROMISED, {"terminal": terminal_id, "number": accepted}):
        said.setdefault(row.last_sequence, set()).add(row.event_head)
    return said


def _fork(connection: Connection, terminal_id: str, asked: BootRequest, accepted_through: int) -> str | None:
    """Return which rule the boot breaks, or None."""
    keys = {"terminal": terminal_id}
    # 1. Each boot is one higher than the last, and has its number alone.
    known_head = connection.execute(_HEAD_OF_BOOT, keys | {"number": asked.boot_number}).scalar()
    if known_head is not None and known_head != asked.journal_head:
        return f"boot_number {asked.boot_number}: known with another journal"
    if known_head is None:
        last = connection.execute(_LAST_BOOT, keys).scalar() or 0
        if asked.boot_number < last:
            return f"boot_number {asked.boot_number}: {last} was before"
        # 2. No event that was told is missing. A boot that is known may only be late: the line doubles and delays.
        if asked.last_sequence < accepted_through:
            return f"last_sequence {asked.last_sequence}: {accepted_through} were told"
    # 3. What was told is what stands in the journal. What is not told yet is compared when it arrives.
    claimed = ((asked.accepted_through, asked.accepted_head), (asked.last_sequence, asked.event_head))
    for sequence, head in claimed:
        if sequence <= accepted_through and head != head_at(connection, terminal_id, sequence):
            return f"event {sequence}: another journal"
    return None


def _store(connection: Connection, terminal_id: str, asked: BootRequest, now_utc: datetime) -> None:
    keys = {"terminal": terminal_id, "number": asked.boot_number}
    if connection.execute(_HEAD_OF_BOOT, keys).scalar() is None:
        connection.execute(
            _STORE,
            {
                "terminal_id": terminal_id,
                "boot_number": asked.boot_number,
                "journal_head": asked.journal_head,
                "last_sequence": asked.last_sequence,
                "event_head": asked.event_head,
                "received_at_utc": now_utc,
            },
        )
