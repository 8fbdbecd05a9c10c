"""Sessions: who is asking, from the card's signature on until minutes later, at one terminal alone.

A session is a row, so that any server process can go on with it. Its id is stored hashed: who reads the table cannot
speak for anybody. Of the card only its keyed links stand beside it, one a municipality that knows the card, and its
certificate, sealed under a key that the id alone gives: whether it was revoked meanwhile can be asked with the
terminal's own request in hand, and by nobody else.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from issuance_server.revocation import CardStatus, Source
from issuance_server.schema import orders, session_links, sessions
from issuance_server.terminals import Terminal
from protocol.codec import preimage
from protocol.errors import ErrorCode, IssueError

SESSION_LIFETIME_S: Final = 600
_HOLDER_DOMAIN: Final = "madoguchi-session-holder-v1"
_CARD_DOMAIN: Final = "madoguchi-session-card-v1"
_ONLY_NONCE: Final = bytes(12)  # each key seals one certificate, once
MAX_PREPARATIONS: Final = 5
_SESSION_ID_BYTES: Final = 32
_FORGOTTEN_AT_ONCE: Final = 100
_KEPT_AFTER_EXPIRY: Final = timedelta(days=1)  # a late answer about an order still finds whose it was

_OPEN: Final = insert(sessions)
_ADD_LINKS: Final = insert(session_links)
_FIND: Final = select(sessions).where(sessions.c.session_hash == bindparam("hash"))
_FIND_CARD: Final = select(sessions.c.card_blob).where(sessions.c.session_hash == bindparam("hash"))
_FIND_BY_ORDER: Final = (
    select(sessions)
    .join(orders, orders.c.session_hash == sessions.c.session_hash)
    .where(orders.c.order_id == bindparam("order"))
)
_FIND_LINKS: Final = (
    select(session_links)
    .where(session_links.c.session_hash == bindparam("hash"))
    .order_by(session_links.c.municipality_code)
)
_COUNT: Final = (
    update(sessions)
    .where(
        sessions.c.session_hash == bindparam("hash"),
        sessions.c.preparations < MAX_PREPARATIONS,
        sessions.c.expires_at_utc > bindparam("now"),
    )
    .values(preparations=sessions.c.preparations + 1)
)
_END: Final = (
    update(sessions)
    .where(
        sessions.c.visit_id == bindparam("visit"),
        sessions.c.terminal_id == bindparam("terminal"),
        sessions.c.expires_at_utc > bindparam("now"),
    )
    .values(expires_at_utc=bindparam("now"))
)
# Rows that another transaction is removing are passed over: authentications do not wait for one another.
_OLD: Final = (
    select(sessions.c.session_hash)
    .where(sessions.c.expires_at_utc < bindparam("before"))
    .limit(_FORGOTTEN_AT_ONCE)
    .with_for_update(skip_locked=True)
)
_FORGET: Final = tuple(
    delete(table).where(table.c.session_hash.in_(bindparam("old", expanding=True)))
    for table in (session_links, sessions)
)


@dataclass(frozen=True)
class KnownAs:
    """One municipality's knowledge of the card: its link, and whom that named when the session was opened."""

    municipality_code: str
    link_digest: bytes
    holder_digest: bytes  # see the function of that name


@dataclass(frozen=True)
class Caller:
    """Who is asking: one card, as each municipality that knows it has it; one visit, one terminal."""

    terminal_id: str
    operator: str
    session_hash: bytes
    known_as: tuple[KnownAs, ...]  # at least one, by municipality code
    visit_id: str
    expires_at_utc: datetime
    card: CardStatus

    def at(self, municipality_code: str) -> KnownAs:
        """Return what a municipality knows the card as.

        Errors: IssueError NOT_OFFERED where this session has no link of it.
        """
        for known in self.known_as:
            if known.municipality_code == municipality_code:
                return known
        raise IssueError(ErrorCode.NOT_OFFERED, "municipality_code: not this session's")


def holder_digest(key: bytes, municipality_code: str, visit_id: str, resident_id: str) -> bytes:
    """Return what a session keeps of the resident whom its card's link named: nothing that joins two visits.

    The resident was shown this person's name; a link that names somebody else since then is nobody's consent.
    """
    fields = (municipality_code, visit_id, resident_id)
    return hmac.digest(key, preimage(_HOLDER_DOMAIN, *(field.encode() for field in fields)), "sha256")


def open_session(
    connection: Connection,
    *,
    terminal: Terminal,
    known_as: Iterable[KnownAs],
    visit_id: str,
    certificate_der: bytes,
    card: CardStatus,
    now_utc: datetime,
) -> tuple[str, Caller]:
    """Open a session and return its id, which is told once and stored nowhere, with its caller."""
    session_id = secrets.token_urlsafe(_SESSION_ID_BYTES)
    caller = Caller(
        terminal_id=terminal.terminal_id,
        operator=terminal.operator,
        session_hash=_hash(session_id),
        known_as=tuple(sorted(known_as, key=lambda known: known.municipality_code)),
        visit_id=visit_id,
        expires_at_utc=now_utc + timedelta(seconds=SESSION_LIFETIME_S),
        card=card,
    )
    _forget_old(connection, now_utc)
    connection.execute(
        _OPEN,
        {
            "session_hash": caller.session_hash,
            "terminal_id": caller.terminal_id,
            "key_thumbprint": terminal.key_thumbprint,
            "visit_id": caller.visit_id,
            "expires_at_utc": caller.expires_at_utc,
            "preparations": 0,
            "card_blob": AESGCM(_card_key(session_id)).encrypt(_ONLY_NONCE, certificate_der, None),
            "card_source": card.source.value,
            "card_as_of_utc": card.as_of_utc,
        },
    )
    links = [{"session_hash": caller.session_hash, **asdict(known)} for known in caller.known_as]
    connection.execute(_ADD_LINKS, links)
    return session_id, caller


def find_session(connection: Connection, session_id: str, terminal: Terminal, now_utc: datetime) -> Caller:
    """Return the caller of a session that is this terminal key's and has not ended.

    Errors: IssueError SESSION_EXPIRED: one code for "over", "another terminal's" and "never was"; SERVICE_RENEWED.
    """
    row = connection.execute(_FIND, {"hash": _hash(session_id)}).one_or_none()
    return _caller(connection, row, terminal, now_utc)


def card_of(connection: Connection, session_id: str, caller: Caller) -> bytes:
    """Return the certificate, in DER, of the card that a session was opened with."""
    blob = connection.execute(_FIND_CARD, {"hash": caller.session_hash}).scalar_one()
    return AESGCM(_card_key(session_id)).decrypt(_ONLY_NONCE, blob, None)


def find_session_of_order(connection: Connection, order_id: str, terminal: Terminal, now_utc: datetime) -> Caller:
    """Return the caller that prepared an order: a request that only repeats it has no body to name a session in.

    Errors: IssueError UNKNOWN_ORDER where this terminal has no such order; SESSION_EXPIRED, SERVICE_RENEWED.
    """
    row = connection.execute(_FIND_BY_ORDER, {"order": order_id}).one_or_none()
    if row is None or row.terminal_id != terminal.terminal_id:
        raise IssueError(ErrorCode.UNKNOWN_ORDER, "this terminal has no such order")
    return _caller(connection, row, terminal, now_utc)


def count_preparation(connection: Connection, session_hash: bytes, now_utc: datetime) -> None:
    """Count one new order of a session, in the transaction that takes it in.

    Errors: IssueError TOO_MANY_PREPARATIONS after MAX_PREPARATIONS; SESSION_EXPIRED where the session was ended after
            it was looked up. The transaction must then be given up.
    """
    if connection.execute(_COUNT, {"hash": session_hash, "now": now_utc}).rowcount == 1:
        return
    row = connection.execute(_FIND, {"hash": session_hash}).one_or_none()
    if row is None or row.expires_at_utc <= now_utc:
        raise IssueError(ErrorCode.SESSION_EXPIRED, "the session is over")
    raise IssueError(ErrorCode.TOO_MANY_PREPARATIONS, f"a visit may prepare {MAX_PREPARATIONS} orders")


def end_visit(connection: Connection, terminal_id: str, visit_id: str, now_utc: datetime) -> None:
    """End a visit's sessions at one terminal; the rows stay, since they say whose visit it was."""
    connection.execute(_END, {"terminal": terminal_id, "visit": visit_id, "now": now_utc})


def _forget_old(connection: Connection, now_utc: datetime) -> None:
    old = connection.execute(_OLD, {"before": now_utc - _KEPT_AFTER_EXPIRY}).scalars().all()
    if old:
        for forget in _FORGET:
            connection.execute(forget, {"old": old})


def _caller(connection: Connection, row: Row[Any] | None, terminal: Terminal, now_utc: datetime) -> Caller:
    if row is None or row.key_thumbprint != terminal.key_thumbprint or row.expires_at_utc <= now_utc:
        raise IssueError(ErrorCode.SESSION_EXPIRED, "no session of this terminal, or it is over")
    if row.card_source is None:
        raise IssueError(ErrorCode.SERVICE_RENEWED, "session: an older build of the server opened it")
    links = connection.execute(_FIND_LINKS, {"hash": row.session_hash})
    return Caller(
        terminal_id=row.terminal_id,
        operator=terminal.operator,
        session_hash=row.session_hash,
        known_as=tuple(KnownAs(link.municipality_code, link.link_digest, link.holder_digest) for link in links),
        visit_id=row.visit_id,
        expires_at_utc=row.expires_at_utc,
        card=CardStatus(Source(row.card_source), row.card_as_of_utc),
    )


def _card_key(session_id: str) -> bytes:
    return hmac.digest(session_id.encode("utf-8"), preimage(_CARD_DOMAIN), "sha256")


def _hash(session_id: str) -> bytes:
    return hashlib.sha256(session_id.encode("utf-8")).digest()
