"""Sessions: one card's, one visit's, one terminal key's, minutes long, five orders at most."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select, update

from issuance_server.database import read, write
from issuance_server.schema import session_links, sessions
from issuance_server.sessions import (
    MAX_PREPARATIONS,
    SESSION_LIFETIME_S,
    Caller,
    KnownAs,
    count_preparation,
    find_session,
    find_session_of_order,
    open_session,
)
from issuance_server.terminals import Terminal
from protocol.errors import ErrorCode, IssueError
from protocol.signing import key_thumbprint
from tests.databases import everything_in
from tests.server_parts import GOOD, NOW, VISIT, order_row, terminal_key

LINK = b"d" * 32
KNOWN_AS = (KnownAs("992011", LINK, bytes(range(32))), KnownAs("992020", b"e" * 32, bytes(32)))
ORDER = "7" * 32
CERTIFICATE = b"a card's certificate"


def terminal(number: int = 1, key: int = 1) -> Terminal:
    """A terminal as it is looked up."""
    public_key = terminal_key(key).public_key()
    return Terminal(f"T-{number:04}", "窓口商店", public_key, key_thumbprint(public_key), stopped=False)


def begin(engine: Engine, *, visit_id: str = VISIT, hours: float = 0) -> tuple[str, Caller]:
    """Open a session."""
    with write(engine) as connection:
        return open_session(
            connection,
            terminal=terminal(),
            known_as=KNOWN_AS,
            visit_id=visit_id,
            certificate_der=CERTIFICATE,
            card=GOOD,
            now_utc=NOW + timedelta(hours=hours),
        )


def find(engine: Engine, session_id: str, asking: Terminal | None = None, age_s: float = 0) -> Caller:
    """Find a session."""
    with read(engine) as connection:
        return find_session(connection, session_id, asking or terminal(), NOW + timedelta(seconds=age_s))


def test_a_session_says_who_is_asking(engine: Engine) -> None:
    session_id, caller = begin(engine)
    assert find(engine, session_id) == caller
    assert caller == Caller(
        terminal_id="T-0001",
        operator="窓口商店",
        session_hash=caller.session_hash,
        known_as=KNOWN_AS,
        visit_id=VISIT,
        expires_at_utc=NOW + timedelta(seconds=SESSION_LIFETIME_S),
        card=GOOD,
    )


def test_a_session_knows_the_card_as_each_municipality_does(engine: Engine) -> None:
    _session_id, caller = begin(engine)
    assert caller.at("992020").link_digest == b"e" * 32
    assert caller.at("992011").link_digest == LINK
    with pytest.raises(IssueError) as caught:
        caller.at("999993")
    assert caught.value.code is ErrorCode.NOT_OFFERED


def test_the_id_stands_nowhere_and_fits_the_message(engine: Engine) -> None:
    session_id, _ = begin(engine)
    assert 40 <= len(session_id) <= 100
    stored = everything_in(engine)
    assert LINK in stored
    assert session_id.encode() not in stored


@pytest.mark.parametrize(
    ("asking", "age_s"),
    [
        (terminal(number=2, key=2), 0),
        (terminal(number=1, key=2), 0),  # its key was exchanged
        (terminal(), SESSION_LIFETIME_S),
    ],
)
def test_another_terminal_another_key_or_too_late(engine: Engine, asking: Terminal, age_s: float) -> None:
    session_id, _ = begin(engine)
    with pytest.raises(IssueError) as caught:
        find(engine, session_id, asking, age_s)
    assert caught.value.code is ErrorCode.SESSION_EXPIRED
    assert find(engine, session_id, age_s=SESSION_LIFETIME_S - 1).visit_id == VISIT


@pytest.mark.parametrize("session_id", ["", "x", "窓口", "0" * 100])
def test_a_session_that_never_was_looks_the_same(engine: Engine, session_id: str) -> None:
    begin(engine)
    with pytest.raises(IssueError) as caught:
        find(engine, session_id)
    assert caught.value.code is ErrorCode.SESSION_EXPIRED


def count(engine: Engine, session_hash: bytes) -> None:
    """Count one order."""
    with write(engine) as connection:
        count_preparation(connection, session_hash, NOW)


def test_five_orders_and_no_more(engine: Engine) -> None:
    _, caller = begin(engine)
    _, other = begin(engine, visit_id="6" * 32)
    for _ in range(MAX_PREPARATIONS):
        count(engine, caller.session_hash)
    with pytest.raises(IssueError) as caught:
        count(engine, caller.session_hash)
    assert caught.value.code is ErrorCode.TOO_MANY_PREPARATIONS
    count(engine, other.session_hash)


def fifth_and_sixth_at_once(engine: Engine, *, guarded: bool) -> list[ErrorCode | None]:
    """Two orders at the same time where one more is allowed; return what each is refused with."""
    _, caller = begin(engine)
    for _ in range(MAX_PREPARATIONS - 1):
        count(engine, caller.session_hash)
    both_have_looked = threading.Barrier(2, timeout=10)
    row = sessions.c.session_hash == caller.session_hash

    def take_in() -> ErrorCode | None:
        with read(engine) as connection:
            counted = connection.execute(select(sessions.c.preparations).where(row)).scalar_one()
        both_have_looked.wait()
        if guarded:
            try:
                count(engine, caller.session_hash)
            except IssueError as error:
                return error.code
            return None
        if counted >= MAX_PREPARATIONS:  # what was read before decides
            return ErrorCode.TOO_MANY_PREPARATIONS
        with write(engine) as connection:
            connection.execute(update(sessions).where(row).values(preparations=counted + 1))
        return None

    with ThreadPoolExecutor(2) as pool:
        return [future.result(timeout=20) for future in [pool.submit(take_in) for _ in range(2)]]


def test_two_at_once_are_still_counted(engine: Engine) -> None:
    assert fifth_and_sixth_at_once(engine, guarded=False) == [None, None]
    assert set(fifth_and_sixth_at_once(engine, guarded=True)) == {None, ErrorCode.TOO_MANY_PREPARATIONS}


def test_a_counted_order_that_was_given_up_is_not_counted(engine: Engine) -> None:
    _, caller = begin(engine)

    def count_then_give_up() -> None:
        with write(engine) as connection:
            count_preparation(connection, caller.session_hash, NOW)
            raise RuntimeError

    for _ in range(MAX_PREPARATIONS + 1):
        with pytest.raises(RuntimeError):
            count_then_give_up()
    count(engine, caller.session_hash)


def test_an_order_leads_to_its_session(engine: Engine) -> None:
    _, caller = begin(engine)
    begin(engine, visit_id="6" * 32)
    with write(engine) as connection:
        connection.execute(order_row(caller, ORDER))

    def code_of(order_id: str, asking: Terminal, age_s: float = 0) -> ErrorCode:
        with pytest.raises(IssueError) as caught, read(engine) as connection:
            find_session_of_order(connection, order_id, asking, NOW + timedelta(seconds=age_s))
        return caught.value.code

    with read(engine) as connection:
        assert find_session_of_order(connection, ORDER, terminal(), NOW) == caller
    assert code_of("8" * 32, terminal()) is ErrorCode.UNKNOWN_ORDER
    assert code_of(ORDER, terminal(number=2, key=2)) is ErrorCode.UNKNOWN_ORDER
    assert code_of(ORDER, terminal(key=2)) is ErrorCode.SESSION_EXPIRED
    assert code_of(ORDER, terminal(), SESSION_LIFETIME_S) is ErrorCode.SESSION_EXPIRED


def test_old_sessions_are_forgotten(engine: Engine) -> None:
    for day in range(5):
        begin(engine, visit_id=str(day) * 32, hours=24 * day)
    with read(engine) as connection:
        assert connection.execute(select(func.count()).select_from(sessions)).scalar() == 2
        assert connection.execute(select(func.count()).select_from(session_links)).scalar() == 2 * len(KNOWN_AS)
