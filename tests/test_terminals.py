"""Terminals: known by an enrolled key, refused within seconds once stopped."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from issuance_server.database import write
from issuance_server.terminals import CACHE_S, Terminals, enrol, stop
from protocol.errors import ErrorCode, IssueError
from protocol.signing import key_thumbprint
from tests.server_parts import NOW, terminal_key


def enrol_one(engine: Engine, terminal_id: str = "T-0001", key: int = 1) -> bytes:
    """Enrol a terminal."""
    with write(engine) as connection:
        return enrol(
            connection,
            terminal_id=terminal_id,
            operator="窓口商店",
            public_key=terminal_key(key).public_key(),
            now_utc=NOW,
        )


def code_of(terminals: Terminals, terminal_id: str) -> ErrorCode:
    """What a terminal is refused with."""
    with pytest.raises(IssueError) as caught:
        terminals.active(terminal_id)
    return caught.value.code


def test_an_enrolled_terminal_is_known_by_its_key(engine: Engine) -> None:
    thumbprint = enrol_one(engine)
    terminal = Terminals(engine).active("T-0001")
    assert thumbprint == key_thumbprint(terminal_key().public_key())
    assert (terminal.terminal_id, terminal.operator, terminal.key_thumbprint) == ("T-0001", "窓口商店", thumbprint)
    assert terminal.public_key == terminal_key().public_key()
    assert Terminals(engine).public_key("T-0001") == terminal_key().public_key()


@pytest.mark.parametrize("terminal_id", ["T-0002", "t-0001", "", "x" * 65, "T-0001 ", "窓口", "' OR 1=1 --"])
def test_nobody_else_is_known(engine: Engine, terminal_id: str) -> None:
    enrol_one(engine)
    assert code_of(Terminals(engine), terminal_id) is ErrorCode.TERMINAL_UNKNOWN


@pytest.mark.parametrize("terminal_id", ["", "x" * 65, "T 1", "T-0001\n", "窓口"])
def test_an_id_must_fit(engine: Engine, terminal_id: str) -> None:
    with pytest.raises(ValueError, match="terminal_id"):
        enrol_one(engine, terminal_id)


@pytest.mark.parametrize(("terminal_id", "key"), [("T-0001", 2), ("T-0002", 1)])
def test_neither_id_nor_key_is_enrolled_twice(engine: Engine, terminal_id: str, key: int) -> None:
    enrol_one(engine)
    with pytest.raises(IntegrityError):
        enrol_one(engine, terminal_id, key)


def test_a_stop_takes_effect_in_time(engine: Engine) -> None:
    enrol_one(engine)
    now_s = [100.0]
    terminals = Terminals(engine, lambda: now_s[0])
    terminals.active("T-0001")
    with write(engine) as connection:
        stop(connection, "T-0001", NOW)
    now_s[0] += CACHE_S
    assert CACHE_S < 10
    assert code_of(terminals, "T-0001") is ErrorCode.TERMINAL_STOPPED
    assert code_of(Terminals(engine), "T-0001") is ErrorCode.TERMINAL_STOPPED


def test_within_that_time_the_database_is_not_asked(engine: Engine) -> None:
    enrol_one(engine)
    now_s = [100.0]
    terminals = Terminals(engine, lambda: now_s[0])
    first = terminals.active("T-0001")
    now_s[0] += CACHE_S - 0.1
    assert terminals.active("T-0001") is first
    now_s[0] += 0.1
    assert terminals.active("T-0001") is not first


def test_one_that_is_enrolled_now_is_known_now(engine: Engine) -> None:
    terminals = Terminals(engine)
    assert code_of(terminals, "T-0001") is ErrorCode.TERMINAL_UNKNOWN
    enrol_one(engine)
    assert terminals.active("T-0001").terminal_id == "T-0001"


def test_stopping_nobody_is_an_error(engine: Engine) -> None:
    with pytest.raises(IssueError) as caught, write(engine) as connection:
        stop(connection, "T-0001", NOW)
    assert caught.value.code is ErrorCode.TERMINAL_UNKNOWN
