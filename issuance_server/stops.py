"""Stops: one person stops issuing at once, two start it again. Of a terminal, an operator, a document, all of it.

A stopped terminal is not trusted: nothing that it sends is taken in. Every other stop ends issuing alone: what was
granted before is printed, and terminals go on telling what they did (S21). Stops are read in the transaction that they
concern, terminals' within `terminals.CACHE_S`: each works in less than ten seconds on every server.

A municipality that the re-check stopped (cases.py) is another matter: only a finding closes that.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from issuance_server import audit_log, terminals
from issuance_server.audit_log import Written
from issuance_server.schema import NO_MUNICIPALITY, settings, stops
from issuance_server.schema import terminals as terminal_rows
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode, IssueError

_STOP_ID_BYTES: Final = 4
_COLUMNS: Final = (
    stops.c.stop_id,
    stops.c.reach,
    stops.c.terminal_id,
    stops.c.operator,
    stops.c.municipality_code,
    stops.c.kind,
    stops.c.reason,
    stops.c.begun_by,
    stops.c.begun_at_utc,
)
_BEGIN: Final = insert(stops)
_OPEN: Final = select(*_COLUMNS).where(stops.c.ended_at_utc.is_(None)).order_by(stops.c.begun_at_utc)
_END: Final = (
    update(stops)
    .where(stops.c.stop_id == bindparam("stop"), stops.c.ended_at_utc.is_(None))
    .values(ended_at_utc=bindparam("now"), ended_by=bindparam("officers"))
)
_FIND_TERMINAL: Final = select(terminal_rows.c.terminal_id).where(terminal_rows.c.terminal_id == bindparam("named"))
_FIND_OPERATOR: Final = (
    select(terminal_rows.c.terminal_id).where(terminal_rows.c.operator == bindparam("named")).limit(1)
)
_FIND_MUNICIPALITY: Final = (
    select(settings.c.municipality_code).where(settings.c.municipality_code == bindparam("named")).limit(1)
)
_KINDS: Final = tuple(kind.value for kind in CertificateKind)


class Reach(StrEnum):
    """How far a stop goes."""

    TERMINAL = "terminal"
    OPERATOR = "operator"
    MUNICIPALITY = "municipality"
    DOCUMENT = "document"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Target:
    """What is stopped: exactly what its reach needs is named. Errors: CannotStop."""

    reach: Reach
    terminal_id: str | None = None
    operator: str | None = None
    municipality_code: str | None = None
    kind: str | None = None

    def __post_init__(self) -> None:
        """Refuse a stop that would stop nothing, or something else than was meant."""
        needed = _NEEDED[self.reach]
        for name in ("terminal_id", "operator", "municipality_code", "kind"):
            if (getattr(self, name) is not None) != (name in needed):
                raise CannotStop(f"{name}: must {'be' if name in needed else 'not be'} named to stop: {self.reach}")


_NEEDED: Final = {
    Reach.TERMINAL: frozenset({"terminal_id"}),
    Reach.OPERATOR: frozenset({"operator"}),
    Reach.MUNICIPALITY: frozenset({"municipality_code"}),
    Reach.DOCUMENT: frozenset({"municipality_code", "kind"}),
    Reach.ALL: frozenset[str](),
}


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop that stands."""

    stop_id: str
    target: Target
    reason: str
    begun_by: str
    begun_at_utc: datetime


class CannotStop(Exception):
    """What was named is not there, or not named as it must be; the message names field and rule."""


class NoSuchStop(Exception):
    """No open stop has this id."""


def begin(connection: Connection, target: Target, *, reason: str, officer: str, now_utc: datetime) -> str:
    """Stop, and return the stop's id.

    Errors: CannotStop without a reason or a name, and where nothing is there that the stop would stop.
    """
    if not reason.strip() or not officer.strip():
        raise CannotStop("reason, officer: why, and who says so")
    _check_there(connection, target)
    if target.terminal_id is not None:
        terminals.lock(connection, target.terminal_id)  # of two who stop and start it at once, one sees the other
        terminals.stop(connection, target.terminal_id, now_utc)
    stop_id = secrets.token_hex(_STOP_ID_BYTES)
    row = {name: getattr(target, name) for name in ("reach", "terminal_id", "operator", "municipality_code", "kind")}
    told = {"stop_id": stop_id, "reason": reason, "begun_by": officer, "begun_at_utc": now_utc}
    connection.execute(_BEGIN, {**row, **told})
    values = {**row, **told, "ended_at_utc": None, "ended_by": None}
    del values["stop_id"]
    said = Written("stops", {"stop_id": stop_id}, values)
    audit_log.record(connection, "stop begun", target.municipality_code or NO_MUNICIPALITY, now_utc, said)
    return stop_id


def end(connection: Connection, stop_id: str, officers: tuple[str, str], now_utc: datetime) -> Stop:
    """Start again; two answer for it. What else is stopped stays stopped. Return the stop that is over.

    A terminal whose identity is disabled for good stays stopped. Errors: CannotStop unless they are two; NoSuchStop.
    """
    names = tuple(officer.strip() for officer in officers)
    if not all(names) or len(set(names)) != 2:
        raise CannotStop("officers: two people, each by name")
    stop = next((one for one in open_stops(connection) if one.stop_id == stop_id), None)
    if stop is not None and stop.target.terminal_id is not None:
        terminals.lock(connection, stop.target.terminal_id)
    keys = {"stop": stop_id, "now": now_utc, "officers": ", ".join(names)}
    if stop is None or connection.execute(_END, keys).rowcount != 1:
        raise NoSuchStop(f"no stop is open under {stop_id!r}")
    terminal_id = stop.target.terminal_id
    others = (one.target.terminal_id for one in open_stops(connection))
    if terminal_id is not None and terminal_id not in others:
        terminals.start(connection, terminal_id, now_utc)
    said = Written("stops", {"stop_id": stop_id}, {"ended_at_utc": now_utc, "ended_by": keys["officers"]})
    audit_log.record(connection, "stop ended", stop.target.municipality_code or NO_MUNICIPALITY, now_utc, said)
    return stop


def _check_there(connection: Connection, target: Target) -> None:
    """A stop of something misspelt would stop nothing, and nobody would know."""
    for name, value, finds in (
        ("terminal_id", target.terminal_id, _FIND_TERMINAL),
        ("operator", target.operator, _FIND_OPERATOR),
        ("municipality_code", target.municipality_code, _FIND_MUNICIPALITY),
    ):
        if value is not None and connection.execute(finds, {"named": value}).first() is None:
            raise CannotStop(f"{name}: nothing here is called {value!r}")
    if target.kind is not None and target.kind not in _KINDS:
        raise CannotStop(f"kind: none of {', '.join(_KINDS)}")


def open_stops(connection: Connection) -> tuple[Stop, ...]:
    """Return every stop that stands, the oldest first."""
    return tuple(
        Stop(
            row.stop_id,
            Target(Reach(row.reach), row.terminal_id, row.operator, row.municipality_code, row.kind),
            row.reason,
            row.begun_by,
            row.begun_at_utc,
        )
        for row in connection.execute(_OPEN)
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """Who wants something issued, and what."""

    terminal_id: str
    operator: str
    municipality_code: str | None = None
    kind: str | None = None


def reaches(stands: Iterable[Stop], asking: Asking) -> bool:
    """Whether one of these stops ends this."""
    targets = {one.target for one in stands}
    code, kind = asking.municipality_code, asking.kind
    ending = [
        Target(Reach.ALL),
        Target(Reach.OPERATOR, operator=asking.operator),
        Target(Reach.TERMINAL, terminal_id=asking.terminal_id),
    ]
    if code is not None:
        ending.append(Target(Reach.MUNICIPALITY, municipality_code=code))
        if kind is not None:
            ending.append(Target(Reach.DOCUMENT, municipality_code=code, kind=kind))
    return not targets.isdisjoint(ending)


def require_none(connection: Connection, asking: Asking) -> None:
    """See that nothing of that is stopped. Errors: IssueError ISSUING_STOPPED."""
    if reaches(open_stops(connection), asking):
        raise IssueError(ErrorCode.ISSUING_STOPPED, "stopped by an officer")
