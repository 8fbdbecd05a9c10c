"""A server restored from an older backup: the drill, with a real copy of the file and real journals on both sides."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, make_url, select

from fees.postings import Account
from issuance_server import backups, restores, terminals
from issuance_server.backups import CannotBackUp
from issuance_server.database import open_engine, read, write
from issuance_server.ledger import OrderState
from issuance_server.restores import GAP, How, NothingToWaive
from issuance_server.schema import orders, restore_terminals
from issuance_server.schema import restores as restore_rows
from madoguchi import main
from protocol import messages
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EventKind, RefundClaim
from tests.api_parts import CHALLENGE_BODY, make_folder, serving, write_toml
from tests.databases import Databases, declare, everything_in
from tests.issuing_parts import FEE_YEN, Office, code_of, counted, order_id, payment_id
from tests.machine_parts import Machine


class Drill:
    """One office, its two terminals, and a backup of its database."""

    def __init__(self, folder: Path, databases: Databases) -> None:
        self.databases = databases
        url = databases.empty()
        declare(url)
        self.office = Office(folder, url)
        self.machines = [Machine(self.office, folder / f"{name}.sqlite", name) for name in ("t-1", "t-2")]
        for machine in self.machines:
            machine.say()
        self.numbers: list[str] = []

    def visit(self, number: int, machine: int = 0) -> None:
        """A whole visit: an order, its paper, its money."""
        office, at = self.office, self.machines[machine]
        caller = office.caller(terminal=at.terminal, visit=f"{number:032x}")
        prepared, _ = office.prepare(caller, number)
        self.numbers.append(prepared.issue_number)
        office.grant(caller, number, payment=number)
        order, payment = order_id(number), payment_id(number)
        at.tell(EventKind.PRINTED, order_id=order, sheets_out=1)
        at.tell(EventKind.CAPTURED, order_id=order, payment_id=payment, amount_yen=FEE_YEN)
        at.tell(EventKind.PAYMENT_CLOSED, payment_id=payment, **counted(500, 500, 200, 0))
        office.clock.advance(seconds=5)

    def back_up(self) -> None:
        self.office.engine.dispose()
        self.databases.keep(self.office.url)
        with write(self.office.engine) as connection:
            backups.covers(connection, backups.accepted(connection))

    def restore(self) -> None:
        """The disk is lost; what is left is the backup."""
        self.office.engine.dispose()
        self.databases.lose(self.office.url)
        self.office.clock.advance(minutes=10)

    def declare(self) -> tuple[str, ...]:
        with write(self.office.engine) as connection:
            return restores.begin(connection, How.DECLARED, self.office.clock())

    def may_issue(self) -> bool:
        with read(self.office.engine) as connection:
            return not restores.is_under_way(connection)

    def close(self) -> None:
        for machine in self.machines:
            machine.stop()
        self.office.close()


@pytest.fixture
def drill(tmp_path: Path, databases: Databases) -> Iterator[Drill]:
    drill = Drill(tmp_path, databases)
    yield drill
    drill.close()


def test_a_server_that_nobody_told_of_its_restore_gives_a_number_twice(drill: Drill) -> None:
    """The fault, with the handshake left out."""
    drill.visit(1)
    drill.back_up()
    drill.visit(2)
    drill.restore()
    caller = drill.office.caller(visit="9" * 32)
    prepared, _ = drill.office.prepare(caller, 9)
    assert prepared.issue_number in drill.numbers


def test_a_restored_server_is_told_again_what_its_backup_lacks_and_repeats_no_number(drill: Drill) -> None:
    drill.visit(1)
    drill.visit(2, machine=1)
    drill.back_up()
    drill.visit(3)  # a paper that the backup does not know
    drill.visit(4, machine=1)
    drill.restore()
    assert drill.declare() == ("t-1", "t-2")
    # Nothing is issued, and no money that may have been paid already is paid.
    caller = drill.office.caller(visit="9" * 32)
    assert code_of(lambda: drill.office.prepare(caller, 9)) is ErrorCode.RESTORING
    claim = RefundClaim(claim_id="c" * 32, code="x")
    assert code_of(lambda: drill.office.issuer.claim_refund("t-1", None, claim)) is ErrorCode.RESTORING
    # Each terminal is asked what it has, and sends it again.
    first, second = drill.machines
    assert code_of(lambda: first.tell(EventKind.NOT_ME, visit_id="a" * 32)) is ErrorCode.BOOT_REQUIRED
    answer = first.say()
    assert (answer.accepted_through, first.journal.unsent()) == (3, 4)
    first.send()
    assert not drill.may_issue(), "the other has not told yet"
    second.say()
    second.send()
    assert drill.may_issue()
    # What is known of the lost orders stands in a list; what the backup has is whole.
    assert drill.office.order(1).state is OrderState.SETTLED
    assert drill.office.open_cases().count("LOST_IN_RESTORE") == 2
    assert drill.office.balances()[Account.CASHBOX] == 4 * 500
    drill.visit(5)
    assert len(set(drill.numbers)) == 5
    assert int(drill.numbers[-1].split("-")[1]) > GAP


def test_a_restore_that_nobody_declared_is_seen_by_the_first_terminal_that_was_told_more(drill: Drill) -> None:
    drill.visit(1)
    drill.back_up()
    drill.visit(2)
    drill.restore()
    drill.machines[0].stop()
    drill.machines[0].start()
    drill.machines[0].say()
    assert "SERVER_BEHIND" in drill.office.open_cases()
    assert not drill.may_issue()
    drill.machines[0].send()
    drill.machines[1].say()
    assert drill.may_issue()
    drill.visit(3)
    assert len(set(drill.numbers)) == 3


@pytest.mark.parametrize("a_second", [0, restores.GAP_A_SECOND])
def test_restored_twice_from_one_backup_no_number_is_given_twice(
    drill: Drill, monkeypatch: pytest.MonkeyPatch, a_second: int
) -> None:
    """A gap that is the same each time ends at the same number each time: first that fault."""
    monkeypatch.setattr(restores, "GAP_A_SECOND", a_second)
    drill.visit(1)
    drill.back_up()
    for number in (2, 3):
        drill.visit(10 * number)
        drill.restore()
        drill.declare()
        for machine in drill.machines:
            machine.say()
            machine.send()
        drill.visit(10 * number + 1)
    assert len(drill.numbers) == 5
    assert (len(set(drill.numbers)) == 5) == bool(a_second)


def test_a_year_that_began_after_the_backup_jumps_too(drill: Drill) -> None:
    drill.visit(1)
    drill.back_up()
    drill.office.clock.advance(days=200)
    drill.office.clock.advance(days=200)
    drill.visit(2)
    drill.restore()
    drill.declare()
    for machine in drill.machines:
        machine.say()
        machine.send()
    drill.visit(3)
    assert len(set(drill.numbers)) == 3


def test_two_officers_may_go_on_without_a_terminal_that_is_lost(drill: Drill) -> None:
    drill.visit(1)
    drill.back_up()
    drill.restore()
    with write(drill.office.engine) as connection, pytest.raises(NothingToWaive):
        restores.waive(connection, ("見本 一郎", "見本 二郎"), drill.office.clock())
    drill.declare()
    drill.machines[0].say()
    for names in (("見本 一郎", "見本 一郎 "), ("見本 一郎", "")):
        with write(drill.office.engine) as connection, pytest.raises(ValueError, match="two people"):
            restores.waive(connection, names, drill.office.clock())
    with write(drill.office.engine) as connection:
        assert restores.waive(connection, ("見本 一郎", "見本 二郎"), drill.office.clock()) == ("t-2",)
        assert connection.execute(select(restore_rows.c.waived_by)).scalar_one() == "見本 一郎, 見本 二郎"
    assert drill.may_issue()
    drill.visit(2)


def test_a_terminal_that_is_stopped_is_not_waited_for(drill: Drill) -> None:
    drill.back_up()
    drill.restore()
    drill.declare()
    with write(drill.office.engine) as connection:
        terminals.stop(connection, "t-2", drill.office.clock())
    drill.machines[0].say()
    assert drill.may_issue()


def test_terminals_learn_what_a_backup_has_and_never_more(drill: Drill) -> None:
    drill.visit(1)
    assert drill.machines[0].say().backed_up_through == 0
    drill.back_up()
    drill.visit(2)
    assert drill.machines[0].say() == messages.BootAnswer(accepted_through=6, backed_up_through=3)
    assert drill.machines[0].journal.backed_up_through() == 3
    drill.restore()  # the backup was made before it was known what it has
    assert drill.machines[0].say().backed_up_through == 0


def restored(office: Office, backup: Path, databases: Databases) -> Engine:
    """What an operator would have after a restore."""
    if office.engine.dialect.name == "sqlite":
        return open_engine(f"sqlite:///{backup}", read_only=True)
    url = databases.empty()
    into = make_url(url).set(drivername="postgresql")
    subprocess.run(["pg_restore", "--exit-on-error", f"--dbname={into}", str(backup)], check=True)
    return open_engine(url, read_only=True)


def test_a_backup_is_what_the_database_was_and_is_never_written_over(tmp_path: Path, databases: Databases) -> None:
    office = Office(tmp_path, databases.declared())
    machine = Machine(office, tmp_path / "journal.sqlite")
    machine.say()
    machine.tell(EventKind.ORDER_VOIDED, order_id=order_id(1))
    before = everything_in(office.engine)
    backups.back_up(office.engine, tmp_path / "backup")
    machine.tell(EventKind.ORDER_VOIDED, order_id=order_id(2))
    with pytest.raises(CannotBackUp, match="exists"):
        backups.back_up(office.engine, tmp_path / "backup")
    kept = restored(office, tmp_path / "backup", databases)
    assert everything_in(kept) == before
    assert machine.say().backed_up_through == 1
    kept.dispose()
    machine.stop()
    office.close()


def test_a_backup_that_fails_leaves_no_file_and_covers_nothing(tmp_path: Path, databases: Databases) -> None:
    office = Office(tmp_path, databases.declared())
    machine = Machine(office, tmp_path / "journal.sqlite")
    machine.say()
    machine.tell(EventKind.ORDER_VOIDED, order_id=order_id(1))
    with pytest.raises(CannotBackUp, match="no such folder"):
        backups.back_up(office.engine, tmp_path / "no such folder" / "backup")
    assert machine.say().backed_up_through == 0
    machine.stop()
    office.close()


def test_where_nothing_can_be_issued_nobody_is_asked_for_a_card(tmp_path: Path, databases: Databases) -> None:
    with serving(make_folder(tmp_path, databases.migrated())) as server:
        with write(server.engine) as connection:
            assert restores.begin(connection, How.DECLARED, server.clock()) == ("T-0001", "T-0002")
        asked = server.send("POST", messages.PATH_CHALLENGE, CHALLENGE_BODY)
        assert server.code(asked) is ErrorCode.BOOT_REQUIRED
        with write(server.engine) as connection:
            restores.heard(connection, "T-0001", 0, 0, server.clock())
        asked = server.send("POST", messages.PATH_CHALLENGE, CHALLENGE_BODY)
        assert server.code(asked) is ErrorCode.RESTORING
        with write(server.engine) as connection:
            restores.heard(connection, "T-0002", 3, 0, server.clock())
            assert restores.is_under_way(connection)
            restores.caught_up(connection, "T-0002", 3, server.clock())
        assert server.send("POST", messages.PATH_CHALLENGE, CHALLENGE_BODY).status_code == 200


def test_a_grant_is_not_given_while_a_restore_is_under_way(drill: Drill) -> None:
    caller = drill.office.caller()
    drill.office.prepare(caller, 1)
    drill.declare()
    with pytest.raises(IssueError) as refused:
        drill.office.grant(caller, 1)
    assert refused.value.code is ErrorCode.RESTORING
    assert drill.office.order(1).state is OrderState.PREPARED


def test_the_commands_say_what_they_did_and_what_is_wrong(tmp_path: Path, databases: Databases) -> None:
    url = databases.migrated()
    config = make_folder(tmp_path, url)
    file = write_toml(config, tmp_path / "server.toml")
    run, to = CliRunner(), tmp_path / "copy.db"
    named = ["--config", str(file)]
    made = run.invoke(main, ["backup", *named, "--to", str(to)])
    assert (made.exit_code, made.output, to.exists()) == (0, f"backed up: {to}\n", True)
    said = run.invoke(main, ["restored", *named])
    assert (said.exit_code, said.output) == (0, "issuing waits for 2 terminals: T-0001 T-0002\n")
    assert run.invoke(main, ["waive-restore", *named, "--officer", "A"]).exit_code == 2
    same = run.invoke(main, ["waive-restore", *named, "--officer", "A", "--officer", "A"])
    assert (same.exit_code, same.output) == (1, "Error: officers: two people, each by name\n")
    waived = run.invoke(main, ["waive-restore", *named, "--officer", "A", "--officer", "B"])
    assert (waived.exit_code, waived.output) == (0, "issuing goes on without 2 terminals: T-0001 T-0002\n")
    again = run.invoke(main, ["waive-restore", *named, "--officer", "A", "--officer", "B"])
    assert (again.exit_code, again.output) == (1, "Error: no restore is under way\n")


def test_a_second_restore_declared_while_one_is_under_way_waits_for_everybody_again(drill: Drill) -> None:
    drill.declare()
    drill.machines[0].say()
    assert drill.declare() == ("t-1", "t-2")
    with read(drill.office.engine) as connection:
        assert connection.execute(select(restore_rows.c.restore_id)).scalars().all() == [1, 2]
        assert len(connection.execute(select(restore_terminals)).all()) == 4
        assert connection.execute(select(orders.c.order_id)).all() == []


def test_without_terminals_nobody_is_waited_for(databases: Databases, tmp_path: Path) -> None:
    office = Office(tmp_path, databases.declared())
    with write(office.engine) as connection:
        for name in ("t-1", "t-2"):
            terminals.stop(connection, name, office.clock())
        assert restores.begin(connection, How.DECLARED, office.clock()) == ()
        assert not restores.is_under_way(connection)
    office.close()
