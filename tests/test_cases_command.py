"""`madoguchi cases` as two people use it, one of the operator and one of the municipality."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from madoguchi import main
from protocol.messages import EventKind
from tests.databases import Databases
from tests.issuing_parts import CODE, Office, order_id
from tests.server_parts import Authority

CASE_ID = f"PARTIAL:{order_id(1)}"


class Desk:
    """An office with one doubtful order, and its command line."""

    def __init__(self, folder: Path, url: str) -> None:
        self.office = Office(folder, url)
        caller = self.office.caller()
        self.office.prepare(caller)
        self.office.grant(caller)
        self.office.tell(EventKind.PARTIAL, order_id=order_id(1), sheets_out=0)
        self.config = folder / "server.toml"
        Authority().anchor(folder / "anchors")
        self.config.write_text(
            f'database_url = "{self.office.url}"\nkeys_folder = "{folder / "keys"}"\n'
            f'anchors_folder = "{folder / "anchors"}"\nauthorities = ["server.example"]\n'
            'check_address = "https://check.invalid/"\nproduction = false\n'
            '[revocation]\nocsp_address = "http://127.0.0.1:9/"\nmax_age_s = 60\n',
            "utf-8",
        )

    def run(self, *arguments: str) -> Result:
        command, *rest = arguments
        return CliRunner().invoke(main, ["cases", command, "--config", str(self.config), *rest])

    def found(self, side: str, person: str, words: str = "the sheet was destroyed", case_id: str = CASE_ID) -> Result:
        told = ("--side", side, "--by", person, "--words", words)
        return self.run("found", "--municipality", CODE, *told, case_id)


@pytest.fixture
def desk(tmp_path: Path, databases: Databases) -> Iterator[Desk]:
    made = Desk(tmp_path, databases.migrated())
    yield made
    made.office.close()


def test_a_case_is_listed_shown_and_closed_by_two(desk: Desk) -> None:
    listed = desk.run("list").output
    assert CASE_ID in listed
    assert "found: nobody yet" in listed
    assert listed.endswith("1 case\n")
    shown = desk.run("show", "--municipality", CODE, CASE_ID).output
    assert "1 PARTIAL sheets_out=0" in shown
    assert "PARTIAL -> VOIDED" in shown
    assert "municipality has to say what it found" in desk.found("operator", "staff-7").output
    assert "found: operator" in desk.run("list").output
    assert desk.found("municipality", "officer-3").output == f"{CASE_ID}: closed\n"
    assert desk.run("list").output == "0 cases\n"
    assert "closed; found: municipality, operator" in desk.run("list", "--ended").output.replace(
        "operator, municipality", "municipality, operator"
    )
    case = json.loads(desk.run("show", "--municipality", CODE, "--json", CASE_ID).output)
    assert {one["person"] for one in case["found"]} == {"staff-7", "officer-3"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "--municipality", CODE, "UNKNOWN:1"), "case: none is known under UNKNOWN:1"),
        (("found", "--municipality", CODE, "--side", "boss", "--by", "x", "--words", "y", CASE_ID), "'boss' is not"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    refused = desk.run(*arguments)
    assert refused.exit_code != 0
    assert said in refused.output
    assert "Traceback" not in refused.output


def test_one_person_is_not_two(desk: Desk) -> None:
    desk.found("operator", "staff-7")
    refused = desk.found("municipality", "staff-7")
    assert refused.exit_code == 1
    assert refused.output == "Error: by: two sides are two persons\n"
    assert desk.run("list").output.endswith("1 case\n")


def test_a_configuration_that_is_not_there_is_named(desk: Desk, tmp_path: Path) -> None:
    desk.config = tmp_path / "missing.toml"
    refused = desk.run("list")
    assert refused.exit_code == 1
    assert "missing.toml" in refused.output
