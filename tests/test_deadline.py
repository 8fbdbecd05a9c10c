"""When an answer about a person leaves: at fixed moments, whatever it took to find out why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from issuance_server.app import ANSWERS_EVERY_S, Deadline
from protocol import codec, messages
from protocol.errors import ErrorCode, IssueError
from tests.api_parts import CHALLENGE_BODY, Server, make_folder, serving, wanted
from tests.databases import Databases
from tests.server_parts import Authority, rsa_key

REASONS_TAKE_S = (0.0, 0.001, 0.05, 0.2, 0.299)


@dataclass
class Monotonic:
    """A clock that work moves, and waiting."""

    now_s: float = 1000.0
    waited: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now_s += seconds

    def work(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
def server(tmp_path: Path, databases: Databases, clock: Monotonic) -> Iterator[Server]:
    """The application, whose deadlines go by that clock."""
    deadline = Deadline(monotonic_s=clock, sleep=clock.sleep)
    with serving(make_folder(tmp_path, databases.migrated()), deadline) as running:
        yield running


def refused_after_s(server: Server, clock: Monotonic, takes_s: float, code: ErrorCode) -> float:
    """How long a refusal takes whose reason takes so long to find."""

    def prepare(*_: Any) -> Any:
        clock.work(takes_s)
        raise IssueError(code, "died_on")

    session = server.authenticate()
    server.issuer.prepare = prepare  # type: ignore[method-assign]
    begun_s = clock()
    response = server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session.session_id)))
    assert server.code(response) is code
    return clock() - begun_s


@pytest.mark.parametrize("takes_s", REASONS_TAKE_S)
def test_every_reason_that_concerns_a_person_takes_the_same_time(
    server: Server, clock: Monotonic, takes_s: float
) -> None:
    taken_s = refused_after_s(server, clock, takes_s, ErrorCode.NOT_ISSUABLE_HERE)
    assert taken_s == pytest.approx(ANSWERS_EVERY_S)


def test_what_took_longer_leaves_at_the_next_moment(server: Server, clock: Monotonic) -> None:
    taken_s = refused_after_s(server, clock, 0.31, ErrorCode.NOT_ISSUABLE_HERE)
    assert taken_s == pytest.approx(2 * ANSWERS_EVERY_S)


def test_a_card_that_nobody_knows_is_refused_at_the_same_moment(server: Server, clock: Monotonic) -> None:
    stranger = Authority().card(rsa_key("other card"), serial=78)
    request = server.authentication(server.challenge(), card=stranger)
    begun_s = clock()
    assert server.refused_card(request) is ErrorCode.NOT_ISSUABLE_HERE
    assert clock() - begun_s == pytest.approx(ANSWERS_EVERY_S)


def test_nobody_else_is_kept_waiting(server: Server, clock: Monotonic) -> None:
    refused_after_s(server, clock, 0.01, ErrorCode.NOT_OFFERED_NOW)
    server.send("POST", messages.PATH_CHALLENGE, CHALLENGE_BODY)
    assert clock.waited == []


def test_without_the_deadline_the_time_says_which_reason_it_was(
    tmp_path: Path, databases: Databases, clock: Monotonic
) -> None:
    """The fault, with the guard off."""
    deadline = Deadline(monotonic_s=clock, sleep=lambda _seconds: None)
    with serving(make_folder(tmp_path, databases.migrated()), deadline) as server:
        taken = {refused_after_s(server, clock, takes_s, ErrorCode.NOT_ISSUABLE_HERE) for takes_s in (0.1, 0.2)}
    assert len(taken) == 2
