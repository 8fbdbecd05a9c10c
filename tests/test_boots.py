"""The boot handshake: an honest terminal passes whatever happens to it, a cloned disk and an older one are the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from issuance_server import boots
from issuance_server.database import read
from issuance_server.schema import cases, terminal_boots
from issuance_server.terminals import Terminals
from protocol import messages
from protocol.chain import GENESIS, link
from protocol.errors import ErrorCode, IssueError
from protocol.messages import BootAnswer, BootRequest, EventKind
from protocol.signing import sign_event
from tests.api_parts import make_folder, serving, told
from tests.databases import Databases
from tests.issuing_parts import Office, code_of, order_id
from tests.machine_parts import Machine
from tests.server_parts import terminal_key

VOID = EventKind.ORDER_VOIDED


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    office = Office(tmp_path, databases.declared())
    yield office
    office.close()


@pytest.fixture
def machine(office: Office, tmp_path: Path) -> Iterator[Machine]:
    """A terminal that has begun, and told two things."""
    machine = Machine(office, tmp_path / "journal.sqlite")
    machine.say()
    machine.tell(VOID, order_id=order_id(1))
    machine.tell(VOID, order_id=order_id(2))
    yield machine
    machine.stop()


def boots_of(office: Office) -> int:
    with read(office.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(terminal_boots)).scalar_one())


def is_over(office: Office) -> bool:
    """Whether the identity is disabled, and a human called."""
    with read(office.engine) as connection:
        reasons = connection.execute(select(cases.c.reason, cases.c.terminal_id)).all()
    try:
        Terminals(office.engine).active("t-1")
    except IssueError as error:
        code: ErrorCode | None = error.code
    else:
        code = None
    told = ErrorCode.IDENTITY_FORKED if reasons else None
    assert (code, [tuple(row) for row in reasons]) == (told, [("TERMINAL_FORKED", "t-1")] * bool(told))
    return code is not None


def test_the_chain_is_of_these_events_in_this_order() -> None:
    one, two = link(GENESIS, b"one"), link(GENESIS, b"two")
    assert len({GENESIS, one, two, link(one, b"two"), link(two, b"one"), link(GENESIS, b"onetwo")}) == 6


def test_a_terminal_says_each_start_once_and_goes_on_where_the_server_is(office: Office, machine: Machine) -> None:
    machine.happens(VOID, order_id=order_id(3))
    machine.stop()
    machine.start()
    assert machine.say() == BootAnswer(accepted_through=2, backed_up_through=0)
    assert machine.say() == BootAnswer(accepted_through=2, backed_up_through=0)  # the answer was lost
    assert boots_of(office) == 2
    assert machine.send() == 3
    assert not is_over(office)


def test_an_answer_that_was_lost_is_no_step_back(office: Office, machine: Machine) -> None:
    machine.journal.resume_from(0, 0)  # it does not know that two events arrived
    machine.stop()
    machine.start()
    assert machine.say().accepted_through == 2
    assert not is_over(office)


def test_a_boot_that_the_line_doubled_and_delayed_is_no_step_back(office: Office, machine: Machine) -> None:
    """It comes again after more was told, and after the terminal began anew; a clone's own words still end it."""
    machine.stop()
    machine.start()
    late = machine.request()
    machine.say()
    machine.tell(VOID, order_id=order_id(3))
    assert boots.handshake(office.engine, "t-1", late, office.clock()).accepted_through == 3
    machine.stop()
    machine.start()
    machine.say()
    assert boots.handshake(office.engine, "t-1", late, office.clock()).accepted_through == 3
    assert not is_over(office)
    altered = msgspec.structs.replace(late, journal_head=bytes(32))
    assert code_of(lambda: boots.handshake(office.engine, "t-1", altered, office.clock())) is ErrorCode.IDENTITY_FORKED


def test_a_cloned_disk_ends_the_identity(office: Office, machine: Machine, tmp_path: Path) -> None:
    machine.stop()
    clone = Machine(office, machine.copy(tmp_path / "clone.sqlite"))
    machine.start()
    # First the fault: without the handshake either tells what it likes, and the other's events are the ones refused.
    assert clone.request().last_sequence == machine.request().last_sequence
    assert clone.request().event_head == machine.request().event_head
    machine.say()
    assert code_of(clone.say) is ErrorCode.IDENTITY_FORKED
    assert is_over(office)
    clone.stop()


def test_a_clone_that_began_more_often_is_found_when_the_first_begins_again(
    office: Office, machine: Machine, tmp_path: Path
) -> None:
    machine.stop()
    clone = Machine(office, machine.copy(tmp_path / "clone.sqlite"))
    clone.say()  # looks like the terminal itself, begun again
    machine.start()
    assert code_of(machine.say) is ErrorCode.IDENTITY_FORKED
    assert is_over(office)
    clone.stop()


def test_an_older_disk_ends_the_identity(office: Office, machine: Machine, tmp_path: Path) -> None:
    machine.stop()
    older = machine.copy(tmp_path / "older.sqlite")
    machine.start()
    machine.say()
    machine.stop()
    machine.start()
    machine.say()
    set_back = Machine(office, older)
    assert code_of(set_back.say) is ErrorCode.IDENTITY_FORKED
    assert is_over(office)
    set_back.stop()


def test_a_disk_without_what_was_told_ends_the_identity(office: Office, machine: Machine, tmp_path: Path) -> None:
    machine.stop()
    older = machine.copy(tmp_path / "older.sqlite")
    machine.start()
    machine.say()
    machine.tell(VOID, order_id=order_id(3))
    set_back = Machine(office, older)
    for _ in range(3):  # it has begun more often since
        set_back.stop()
        set_back.start()
    assert code_of(set_back.say) is ErrorCode.IDENTITY_FORKED
    assert is_over(office)
    set_back.stop()


def test_a_disk_that_went_on_otherwise_ends_the_identity(office: Office, machine: Machine, tmp_path: Path) -> None:
    machine.stop()
    other = Machine(office, machine.copy(tmp_path / "other.sqlite"))
    machine.start()
    machine.tell(VOID, order_id=order_id(3))
    other.happens(VOID, order_id=order_id(4))  # as many events, and another one
    assert code_of(other.say) is ErrorCode.IDENTITY_FORKED
    assert is_over(office)
    other.stop()


def test_what_a_boot_said_of_events_that_come_later_is_held_against_them(
    office: Office, machine: Machine, tmp_path: Path
) -> None:
    machine.stop()
    other = Machine(office, machine.copy(tmp_path / "other.sqlite"))
    machine.start()
    machine.happens(VOID, order_id=order_id(3))
    machine.happens(VOID, order_id=order_id(4))
    machine.say()  # of two events that the server has not yet
    other.happens(VOID, order_id=order_id(5))
    other.happens(VOID, order_id=order_id(6))
    assert code_of(other.send) is ErrorCode.IDENTITY_FORKED
    assert is_over(office)
    other.stop()


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(["happens", "send", "restart", "kill", "say", "forget"]), max_size=30))
def test_an_honest_terminal_always_passes(tmp_path_factory: pytest.TempPathFactory, acts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("honest")
    office = Office(folder)
    machine = Machine(office, folder / "journal.sqlite")
    machine.say()
    for number, act in enumerate(acts):
        match act:
            case "happens":
                machine.happens(VOID, order_id=order_id(number))
            case "send":
                machine.send()
            case "restart":
                machine.stop()
                machine.start()
                machine.say()
            case "kill":  # before it could say its boot
                machine.stop()
                machine.start()
            case "say":
                machine.say()
            case "forget":  # an answer was lost, and what it accepted with it
                machine.journal.resume_from(0, 0)
    machine.say()
    machine.send()
    assert not is_over(office)
    machine.stop()
    office.close()


def test_the_route_takes_a_signed_boot_and_nothing_else(tmp_path: Path, databases: Databases) -> None:
    with serving(make_folder(tmp_path, databases.migrated())) as server:
        asked = BootRequest(
            boot_number=1,
            journal_head=bytes(32),
            last_sequence=0,
            event_head=GENESIS,
            accepted_through=0,
            accepted_head=GENESIS,
        )
        assert server.ask(messages.PATH_BOOT, asked, BootAnswer) == BootAnswer(accepted_through=0, backed_up_through=0)
        other = msgspec.structs.replace(asked, journal_head=b"\1" * 32)
        refused = server.send("POST", messages.PATH_BOOT, msgspec.json.encode(other))
        assert server.code(refused) is ErrorCode.IDENTITY_FORKED
        server.clock.pass_s(10)  # every process has noticed
        again = server.send("POST", messages.PATH_BOOT, msgspec.json.encode(asked))
        assert server.code(again) is ErrorCode.IDENTITY_FORKED
        unsigned = server.app.test_client().post(messages.PATH_BOOT, data=msgspec.json.encode(asked))
        assert server.code(unsigned) is ErrorCode.SIGNATURE_INVALID  # not even our name


def test_the_events_answer_says_what_a_backup_has(tmp_path: Path, databases: Databases) -> None:
    with serving(make_folder(tmp_path, databases.migrated())) as server:
        signed = messages.EventsRequest(events=(sign_event(told(1), terminal_key()),))
        answer = server.ask(messages.PATH_EVENTS, signed, messages.EventsAnswer)
        assert answer == messages.EventsAnswer(accepted_through=1, backed_up_through=0)
        assert boots.backed_up_through(server.engine, "T-0001") == 0
