"""Enrolment: an invitation with a single-use code, a key that a terminal shows, and two officers who let it in.

The code is good for minutes and for one key. Whoever finds it first shows a key, and no more: the officers compare its
fingerprint with what the terminal itself shows, so that a stolen code is seen, and lets nobody in.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from issuance_server import audit_log, terminals
from issuance_server.audit_log import Written
from issuance_server.schema import NO_MUNICIPALITY, enrolments
from issuance_server.schema import terminals as terminal_rows
from protocol import enrolment
from protocol.codes import CODE_BYTES, plain_code, readable
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EnrolRequest
from protocol.signing import key_thumbprint

CODE_LIFETIME: Final = timedelta(minutes=15)
APPROVED_WITHIN: Final = timedelta(hours=1)  # of when the key was shown

_MEANWHILE: Final = "terminal_id: somebody else changed this invitation at the same moment; look again"
_REFUSED: Final = "code: wrong, used by another key, or over"
_columns = enrolments.c
_INVITE: Final = insert(enrolments)
_IS_ENROLLED: Final = select(terminal_rows.c.terminal_id).where(terminal_rows.c.terminal_id == bindparam("terminal"))
_IS_KNOWN: Final = select(terminal_rows.c.terminal_id).where(terminal_rows.c.key_thumbprint == bindparam("thumbprint"))
_OPEN: Final = select(enrolments).where(_columns.ended_at_utc.is_(None)).order_by(_columns.invited_at_utc)
_OPEN_OF: Final = select(enrolments).where(
    _columns.ended_at_utc.is_(None), _columns.terminal_id == bindparam("terminal")
)
_SHOW: Final = (
    update(enrolments)
    .where(
        _columns.code_digest == bindparam("digest"),
        _columns.public_key.is_(None),
        _columns.ended_at_utc.is_(None),
        _columns.expires_at_utc > bindparam("now"),
    )
    .values(
        public_key=bindparam("key"),
        key_thumbprint=bindparam("thumbprint"),
        shown_at_utc=bindparam("now"),
        expires_at_utc=bindparam("until"),
    )
)
_BY_CODE: Final = select(enrolments).where(_columns.code_digest == bindparam("digest"))
_APPROVE: Final = (
    update(enrolments)
    .where(_columns.code_digest == bindparam("digest"), _columns.approved_by.is_(None), _columns.ended_at_utc.is_(None))
    .values(approved_by=bindparam("officer"))
)
_END: Final = (
    update(enrolments)
    .where(_columns.code_digest == bindparam("digest"), _columns.ended_at_utc.is_(None))
    .values(ended_at_utc=bindparam("now"), ended_by=bindparam("officer"))
)


class CannotEnrol(Exception):
    """What was asked for cannot be done; the message names field and rule."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A terminal that is invited. fingerprint: of the key that it has shown, if it has."""

    terminal_id: str
    operator: str
    invited_by: str
    expires_at_utc: datetime
    fingerprint: str | None
    approved_by: str | None


def invite(connection: Connection, *, terminal_id: str, operator: str, officer: str, now_utc: datetime) -> str:
    """Invite a terminal, and return the code, which is told once and stored nowhere. An earlier one is void.

    Errors: CannotEnrol where the id is no id, or enrolled: a terminal's identity is never replaced, it gets a new one.
    """
    if not operator.strip() or not officer.strip():
        raise CannotEnrol("operator, officer: whose terminal it is, and who invites it")
    if not terminals.is_terminal_id(terminal_id):
        raise CannotEnrol("terminal_id: 1 to 64 letters, digits and hyphens")
    if connection.execute(_IS_ENROLLED, {"terminal": terminal_id}).first() is not None:
        raise CannotEnrol(f"terminal_id: {terminal_id} is enrolled; a new key is a new terminal")
    for row in _waiting_of(connection, terminal_id):
        _end(connection, row, officer, now_utc)
    code = readable(secrets.token_bytes(CODE_BYTES))
    digest = enrolment.code_digest(code)
    values = {
        "terminal_id": terminal_id,
        "operator": operator,
        "invited_by": officer,
        "invited_at_utc": now_utc,
        "expires_at_utc": now_utc + CODE_LIFETIME,
    }
    connection.execute(_INVITE, {"code_digest": digest, **values})
    _record(connection, "terminal invited", digest, now_utc, values)
    return code


def require_known(connection: Connection, code: str, now_utc: datetime) -> None:
    """See that an invitation with this code is open. Errors: IssueError ENROLMENT_REFUSED."""
    row = connection.execute(_BY_CODE, {"digest": enrolment.code_digest(code)}).one_or_none()
    if row is None or row.ended_at_utc is not None or row.expires_at_utc <= now_utc:
        raise IssueError(ErrorCode.ENROLMENT_REFUSED, _REFUSED)


def show(connection: Connection, request: EnrolRequest, now_utc: datetime) -> str:
    """Take in the key that a terminal shows with its code; return the terminal's id. It is not enrolled by that.

    Errors: IssueError ENROLMENT_REFUSED: one code for wrong, used, late and withdrawn; SIGNATURE_INVALID.
    """
    thumbprint = key_thumbprint(enrolment.check(request))
    if connection.execute(_IS_KNOWN, {"thumbprint": thumbprint}).first() is not None:
        raise IssueError(ErrorCode.ENROLMENT_REFUSED, "public_key: enrolled before; a new identity has a new key")
    require_known(connection, request.code, now_utc)
    digest = enrolment.code_digest(request.code)
    shown = {"public_key": request.public_key, "key_thumbprint": thumbprint, "shown_at_utc": now_utc}
    keys = {"digest": digest, "now": now_utc, "until": now_utc + APPROVED_WITHIN}
    values = {"key": request.public_key, "thumbprint": thumbprint}
    if connection.execute(_SHOW, {**keys, **values}).rowcount == 1:
        _record(connection, "terminal shown", digest, now_utc, {**shown, "expires_at_utc": keys["until"]})
    row = connection.execute(_BY_CODE, {"digest": digest}).one_or_none()
    # The same key again is the same answer: the first one may have been lost.
    if row is None or row.public_key != request.public_key:
        raise IssueError(ErrorCode.ENROLMENT_REFUSED, _REFUSED)
    return str(row.terminal_id)


def waiting(connection: Connection, now_utc: datetime) -> tuple[Waiting, ...]:
    """Return the terminals that are invited, the oldest first."""
    return tuple(
        Waiting(
            row.terminal_id,
            row.operator,
            row.invited_by,
            row.expires_at_utc,
            None if row.key_thumbprint is None else enrolment.fingerprint(row.key_thumbprint),
            row.approved_by,
        )
        for row in connection.execute(_OPEN)
        if row.expires_at_utc > now_utc
    )


def approve(connection: Connection, terminal_id: str, typed: str, officer: str, now_utc: datetime) -> bool:
    """Let a terminal's key in: each of two officers types the fingerprint that the terminal shows. Return whether
    both have.

    Errors: CannotEnrol: nothing waits, another fingerprint, or the same officer again.
    """
    row = next(iter(_waiting_of(connection, terminal_id)), None)
    if row is None or row.key_thumbprint is None or row.expires_at_utc <= now_utc:
        raise CannotEnrol(f"terminal_id: {terminal_id} has shown no key that waits")
    if not officer.strip():
        raise CannotEnrol("officer: who has compared it")
    if plain_code(typed) != plain_code(enrolment.fingerprint(row.key_thumbprint)):
        raise CannotEnrol("fingerprint: another one than the key's that waits; if the terminal shows this one, refuse")
    if row.approved_by is None:
        if connection.execute(_APPROVE, {"digest": row.code_digest, "officer": officer.strip()}).rowcount != 1:
            raise CannotEnrol(_MEANWHILE)
        _record(connection, "terminal approved", row.code_digest, now_utc, {"approved_by": officer.strip()})
        return False
    if row.approved_by == officer.strip():
        raise CannotEnrol("officer: two people, each by name")
    if connection.execute(_IS_KNOWN, {"thumbprint": row.key_thumbprint}).first() is not None:
        raise CannotEnrol("fingerprint: this key was enrolled meanwhile; refuse, and have the terminal make a new one")
    _end(connection, row, officer.strip(), now_utc)
    key = Ed25519PublicKey.from_public_bytes(row.public_key)
    terminals.enrol(connection, terminal_id=terminal_id, operator=row.operator, public_key=key, now_utc=now_utc)
    return True


def refuse(connection: Connection, terminal_id: str, officer: str, now_utc: datetime) -> None:
    """Withdraw an invitation, whatever has been shown. Errors: CannotEnrol."""
    rows = _waiting_of(connection, terminal_id)
    if not rows or not officer.strip():
        raise CannotEnrol(f"terminal_id, officer: no invitation of {terminal_id} is open, or nobody says so")
    for row in rows:
        _end(connection, row, officer.strip(), now_utc)


def _waiting_of(connection: Connection, terminal_id: str) -> Sequence[Row[Any]]:
    """Return the open invitation of a terminal, held so that nobody changes it meanwhile."""
    return connection.execute(_OPEN_OF.with_for_update(), {"terminal": terminal_id}).all()


def _end(connection: Connection, row: Row[Any], officer: str, now_utc: datetime) -> None:
    if connection.execute(_END, {"digest": row.code_digest, "now": now_utc, "officer": officer}).rowcount != 1:
        raise CannotEnrol(_MEANWHILE)
    ended = {"ended_at_utc": now_utc, "ended_by": officer}
    _record(connection, "invitation over", row.code_digest, now_utc, ended)


def _record(connection: Connection, what: str, digest: bytes, now_utc: datetime, values: dict[str, Any]) -> None:
    audit_log.record(connection, what, NO_MUNICIPALITY, now_utc, Written("enrolments", {"code_digest": digest}, values))
