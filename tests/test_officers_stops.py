"""The kill switch: one officer stops, two start again; each stop ends what it names and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from issuance_server import stops, terminals
from issuance_server.database import read, write
from issuance_server.ledger import OrderState
from issuance_server.stops import CannotStop, NoSuchStop, Reach, Target
from issuance_server.terminals import CACHE_S
from madoguchi import main
from protocol import codec, messages
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EventKind, EventsAnswer, EventsRequest
from protocol.signing import sign_event
from tests.api_parts import CHALLENGE_BODY, Server, make_folder, serving, told, write_toml
from tests.databases import Databases
from tests.issuing_parts import CODE, Office, code_of
from tests.register_parts import ALL_SETTINGS, ELSEWHERE, OTHER, OTHER_SETTINGS, two_towns
from tests.server_parts import NOW, terminal_key

OPERATOR = "見本商店"
OTHER_KIND = {"kind": "family_register", "municipality_code": OTHER, "scope": messages.Scope.HOUSEHOLD}
STOPPED = ErrorCode.ISSUING_STOPPED
TARGETS = {
    "a terminal": Target(Reach.TERMINAL, terminal_id="t-1"),
    "an operator": Target(Reach.OPERATOR, operator=OPERATOR),
    "a municipality": Target(Reach.MUNICIPALITY, municipality_code=CODE),
    "a document": Target(Reach.DOCUMENT, municipality_code=CODE, kind="residence"),
    "everything": Target(Reach.ALL),
}


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    """Two municipalities that know one card."""
    made = Office(tmp_path, databases.declared(), decided=(ALL_SETTINGS, OTHER_SETTINGS))
    two_towns(made)
    yield made
    made.close()


def begin(office: Office, what: str, officer: str = "officer a") -> str:
    """Stop something."""
    with write(office.engine) as connection:
        return stops.begin(
            connection, TARGETS[what], reason="the seal is wrong", officer=officer, now_utc=office.clock()
        )


def end(office: Office, stop_id: str, *officers: str) -> None:
    """Start again."""
    with write(office.engine) as connection:
        stops.end(connection, stop_id, officers or ("officer a", "officer b"), office.clock())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "residence", "tax", "elsewhere"),
    [
        ("a terminal", STOPPED, STOPPED, STOPPED),
        ("an operator", STOPPED, STOPPED, STOPPED),
        ("a municipality", STOPPED, STOPPED, None),
        ("a document", STOPPED, None, None),
        ("everything", STOPPED, STOPPED, STOPPED),
    ],
)
def test_a_stop_ends_what_it_names_and_nothing_else(
    office: Office, what: str, residence: ErrorCode | None, tax: ErrorCode | None, elsewhere: ErrorCode | None
) -> None:
    caller = office.caller(elsewhere=ELSEWHERE)
    tries: tuple[tuple[Callable[[], object], ErrorCode | None], ...] = (
        (lambda: office.prepare(caller, 1), residence),
        (lambda: office.prepare(caller, 2, kind="income", fiscal_year=2026), tax),
        (lambda: office.prepare(caller, 3, **OTHER_KIND), elsewhere),
    )
    stop_id = begin(office, what)
    for act, code in tries:
        if code is None:
            act()
        else:
            assert code_of(act) is code
    end(office, stop_id)
    for act, _code in tries:
        act()


@pytest.mark.parametrize("what", ["a terminal", "an operator", "a municipality", "a document", "everything"])
def test_s21_a_stop_in_mid_visit_ends_it_before_the_grant_and_not_behind(office: Office, what: str) -> None:
    """S21: what is prepared gets no grant and costs nothing; what is granted is printed, and the books go on."""
    caller = office.caller(elsewhere=ELSEWHERE)
    office.prepare(caller, 1)
    office.prepare(caller, 2)
    office.grant(caller, 1)
    begin(office, what)
    before = office.balances()
    assert code_of(lambda: office.grant(caller, 2)) is STOPPED
    assert code_of(lambda: office.grant(caller, 1)) is STOPPED, "a grant whose answer was lost is not given again"
    assert office.balances() == before
    told_of = {"order_id": office.order(1).order_id}
    office.tell(EventKind.PRINTED, sheets_out=1, **told_of)
    assert [office.order(number).state for number in (1, 2)] == [OrderState.PRINTED, OrderState.PREPARED]


def test_without_the_check_a_stop_would_stop_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault, with the guard off."""
    caller = office.caller(elsewhere=ELSEWHERE)
    begin(office, "everything")
    assert code_of(lambda: office.prepare(caller, 1)) is STOPPED
    monkeypatch.setattr(stops, "require_none", lambda *_, **__: None)
    office.prepare(caller, 1)


def test_what_is_stopped_is_said_at_once_by_document(office: Office) -> None:
    """Nobody chooses and pays for what will be refused."""
    caller = office.caller(elsewhere=ELSEWHERE)
    begin(office, "a document")
    offers = {(one.municipality_code, one.kind): one.refusal for one in office.issuer.welcome(caller).offers}
    assert [place for place, refusal in offers.items() if refusal == STOPPED] == [(CODE, "residence")]
    begin(office, "a municipality")
    offers = {(one.municipality_code, one.kind): one.refusal for one in office.issuer.welcome(caller).offers}
    assert {refusal for (code, _kind), refusal in offers.items() if code == CODE} == {STOPPED}
    assert offers[OTHER, "family_register"] is None
    begin(office, "everything")
    assert code_of(lambda: office.issuer.welcome(caller)) is STOPPED


def test_another_operators_terminals_go_on(office: Office) -> None:
    caller = office.caller(elsewhere=ELSEWHERE)
    begin(office, "an operator")
    others = caller.__class__(**{**caller.__dict__, "operator": "別の商店"})
    office.prepare(others, 1)
    assert code_of(lambda: office.prepare(caller, 2)) is STOPPED


# starting again


@pytest.mark.parametrize("officers", [("a", "a"), ("a", " a "), ("a", ""), ("", "")])
def test_one_officer_starts_nothing(office: Office, officers: tuple[str, str]) -> None:
    stop_id = begin(office, "everything")
    with pytest.raises(CannotStop, match="two people"):
        end(office, stop_id, *officers)
    assert code_of(lambda: office.prepare(office.caller(), 1)) is STOPPED


def test_two_stops_are_ended_one_by_one(office: Office) -> None:
    first, second = begin(office, "everything"), begin(office, "everything", "officer c")
    end(office, first)
    assert code_of(lambda: office.prepare(office.caller(), 1)) is STOPPED
    with pytest.raises(NoSuchStop, match=first):
        end(office, first)
    end(office, second)
    office.prepare(office.caller(), 1)


def is_stopped(office: Office) -> bool:
    """Whether the first terminal is refused, as a process that has just begun sees it."""
    try:
        terminals.Terminals(office.engine).active("t-1")
    except IssueError:
        return True
    return False


def test_a_terminal_with_two_stops_waits_for_both(office: Office) -> None:
    first, second = begin(office, "a terminal"), begin(office, "a terminal")
    end(office, first)
    assert is_stopped(office)
    end(office, second)
    assert not is_stopped(office)


def test_a_forked_identity_stays_stopped(office: Office) -> None:
    with write(office.engine) as connection:
        terminals.stop(connection, "t-1", NOW, forked=True)
    end(office, begin(office, "a terminal"))
    assert code_of(lambda: terminals.Terminals(office.engine).active("t-1")) is ErrorCode.IDENTITY_FORKED


# what is named


@pytest.mark.parametrize(
    ("target", "field"),
    [
        (lambda: Target(Reach.TERMINAL), "terminal_id"),
        (lambda: Target(Reach.ALL, operator=OPERATOR), "operator"),
        (lambda: Target(Reach.DOCUMENT, municipality_code=CODE), "kind"),
        (lambda: Target(Reach.DOCUMENT, kind="residence"), "municipality_code"),
        (lambda: Target(Reach.OPERATOR, operator="見木商店"), "operator"),
        (lambda: Target(Reach.TERMINAL, terminal_id="t-9"), "terminal_id"),
        (lambda: Target(Reach.MUNICIPALITY, municipality_code="000000"), "municipality_code"),
        (lambda: Target(Reach.DOCUMENT, municipality_code=CODE, kind="residense"), "kind"),
    ],
)
def test_what_would_stop_nothing_is_refused_by_its_field(
    office: Office, target: Callable[[], Target], field: str
) -> None:
    with pytest.raises(CannotStop, match=field), write(office.engine) as connection:
        stops.begin(connection, target(), reason="why", officer="a", now_utc=NOW)
    with read(office.engine) as connection:
        assert stops.open_stops(connection) == ()


@pytest.mark.parametrize(("reason", "officer"), [("", "a"), (" ", "a"), ("why", " ")])
def test_a_stop_says_why_and_by_whom(office: Office, reason: str, officer: str) -> None:
    with pytest.raises(CannotStop, match="reason, officer"), write(office.engine) as connection:
        stops.begin(connection, TARGETS["everything"], reason=reason, officer=officer, now_utc=NOW)


# over the wire


@pytest.fixture
def server(tmp_path: Path, databases: Databases) -> Iterator[Server]:
    """The application over a folder."""
    with serving(make_folder(tmp_path, databases.migrated())) as running:
        yield running


def test_where_everything_is_stopped_nobody_is_asked_for_a_card_and_events_are_taken(server: Server) -> None:
    with write(server.engine) as connection:
        stops.begin(connection, TARGETS["everything"], reason="why", officer="a", now_utc=NOW)
    asked = server.send("POST", messages.PATH_CHALLENGE, CHALLENGE_BODY)
    assert server.code(asked) is STOPPED
    facts = EventsRequest(events=(sign_event(told(1), terminal_key()),))
    assert server.ask(messages.PATH_EVENTS, facts, EventsAnswer).accepted_through == 1


def test_a_stopped_terminals_word_is_not_taken_within_ten_seconds(server: Server) -> None:
    """It is known to this process, and asked for again in time."""
    assert server.send("POST", messages.PATH_CHALLENGE, CHALLENGE_BODY).status_code == 200
    with write(server.engine) as connection:
        stops.begin(connection, Target(Reach.TERMINAL, terminal_id="T-0001"), reason="stolen", officer="a", now_utc=NOW)
    assert CACHE_S < 10
    server.clock.pass_s(CACHE_S)
    facts = EventsRequest(events=(sign_event(told(1), terminal_key()),))
    refused = server.send("POST", messages.PATH_EVENTS, codec.encode(facts))
    assert server.code(refused) is ErrorCode.TERMINAL_STOPPED
    assert server.send("POST", messages.PATH_CHALLENGE, CHALLENGE_BODY, number=2).status_code == 200


def test_the_commands_say_what_they_did_and_what_is_wrong(tmp_path: Path, databases: Databases) -> None:
    url = databases.migrated()
    config = make_folder(tmp_path, url)
    file = write_toml(config, tmp_path / "server.toml")
    run, named = CliRunner(), ["--config", str(file)]

    def stop(*what: str) -> tuple[int, str]:
        made = run.invoke(main, ["stops", "begin", *named, "--by", "a", "--reason", "why", *what])
        return made.exit_code, made.output

    assert stop()[0] == 2
    assert stop("--operator", "窓口商点") == (1, "Error: operator: nothing here is called '窓口商点'\n")
    wrong = "Error: municipality_code: must be named to stop: document\n"
    assert stop("--document", "residence") == (1, wrong)
    code, output = stop("--operator", "窓口商店")
    stop_id = output.removeprefix("stopped: ").strip()
    assert code == 0
    listed = run.invoke(main, ["stops", "list", *named]).output.splitlines()
    assert listed[0].startswith(f"{stop_id}  since ")
    assert listed[0].endswith("operator 窓口商店  by a: why")
    assert listed[1:] == ["1 stop"]
    alone = run.invoke(main, ["stops", "end", *named, "--officer", "a", stop_id])
    assert (alone.exit_code, "two people" in alone.output) == (2, True)
    both = run.invoke(main, ["stops", "end", *named, "--officer", "a", "--officer", "b", stop_id])
    assert (both.exit_code, both.output.startswith("over: ")) == (0, True)
    assert run.invoke(main, ["stops", "list", *named]).output == "0 stops\n"
    again = run.invoke(main, ["stops", "end", *named, "--officer", "a", "--officer", "b", stop_id])
    assert (again.exit_code, again.output) == (1, f"Error: no stop is open under '{stop_id}'\n")
