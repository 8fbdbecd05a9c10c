"""The commands that a newcomer and a program type: exit codes, last lines, outside cards; nothing stays running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from deploy.demo.pki import TownPki
from deploy.demo.virtual_card import PluggedCard, VirtualCard

REPOSITORY = Path(__file__).resolve().parents[1]
TIMEOUT_S = 110
pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("once")]


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(REPOSITORY / "madoguchi.py"), *arguments]


def run_once(tmp_path: Path, *options: str, **visit: Any) -> tuple[int, dict[str, Any]]:
    told = tmp_path / "visit.json"
    told.write_text(json.dumps(visit))
    done = subprocess.run(
        command("town", "once", "--residents", "200", "--visit", str(told), *options),
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
        cwd=REPOSITORY,
    )
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def children_of(session: str) -> list[str]:
    """Processes of a town: all of them carry the run's folder or its tmpfs in their command line or environment."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:
                continue
            if session.encode() in said:
                found.append(process.name)
    return found


def test_two_documents_are_paid_together(tmp_path: Path) -> None:
    code, line = run_once(tmp_path, coins=[500], documents=[{"kind": "seal_registration"}])
    assert (code, line["outcome"], line["paid_yen"], line["change_yen"]) == (0, "settled", 400, 100)
    assert [(order["kind"], order["state"]) for order in line["orders"]] == [
        ("residence", "SETTLED"),
        ("seal_registration", "SETTLED"),
    ]
    assert len(line["papers"]) == 2


def test_settled_and_nothing_stays(tmp_path: Path) -> None:
    code, line = run_once(tmp_path, resident="u-000001", coins=[500])
    assert (code, line["outcome"]) == (0, "settled")
    (order,) = line["orders"]
    assert order["verdict"] == "printed"
    assert (order["kind"], order["sheets"], order["fee_yen"]) == ("residence", 1, 200)
    assert (line["paid_yen"], line["change_yen"], line["money_returned_yen"]) == (200, 300, 0)
    (paper,) = line["papers"]
    assert (REPOSITORY / paper).read_bytes().startswith(b"%PDF")
    run = paper.split("/")[2]
    assert children_of(run) == []
    assert not list(Path("/dev/shm").glob(f"mdg-{run.split('-')[1]}-*"))
    # What the servers decided is recorded, and every row is what was decided of it.
    config = str(REPOSITORY / "var" / "runs" / run / "server.toml")
    verified = subprocess.run(command("audit", "verify", "--config", config), capture_output=True, check=False)
    said = json.loads(verified.stdout.splitlines()[-1])
    assert (verified.returncode, said["found"]) == (0, 0), verified.stdout
    assert said["records"] > 15


def test_settled_with_coins_counted_on_a_real_line(tmp_path: Path) -> None:
    code, line = run_once(tmp_path, "--cash", "cctalk", resident="u-000001", copies=2, coins=[100, 1000])
    assert (code, line["outcome"]) == (0, "settled")
    assert (line["paid_yen"], line["change_yen"], line["money_returned_yen"]) == (400, 600, 100)
    run = REPOSITORY / Path(line["papers"][0]).parents[1]
    world = json.loads((run / "world.json").read_bytes())["places"]
    assert world["cashbox"]["1000"] == 1
    assert world["tray"]["100"] == 0
    assert children_of(str(run)) == []


def test_refused_says_why_and_what_to_do(tmp_path: Path) -> None:
    code, line = run_once(tmp_path, resident="u-000023")
    assert (code, line["outcome"], line["refused"]) == (3, "refused", "NOT_ISSUABLE_HERE")
    assert "窓口" in line["words"]
    assert line["money_returned_yen"] == 0
    assert line["papers"] == []


def test_nobody_of_that_id_is_broken_and_named(tmp_path: Path) -> None:
    code, line = run_once(tmp_path, resident="u-999999")
    assert (code, line["outcome"]) == (1, "broken")
    assert "u-999999" in line["error"]


@pytest.mark.parametrize(
    ("visit", "named"),
    [
        ({"residents": "u-000001"}, "residents"),
        ({"pin": "12345"}, "pin"),
        ({"kind": "seal"}, "kind"),
        ({"copies": 9}, "copies"),
        ({"coins": [7]}, "coins"),
        ({"scope": []}, "scope"),
    ],
)
def test_a_visit_file_that_cannot_be_used_is_named_by_field(tmp_path: Path, visit: dict[str, Any], named: str) -> None:
    told = tmp_path / "visit.json"
    told.write_text(json.dumps(visit))
    done = subprocess.run(
        command("town", "once", "--visit", str(told)), capture_output=True, check=False, timeout=TIMEOUT_S
    )
    assert done.returncode == 1
    assert named in done.stderr.decode()
    assert done.stdout == b""


# A card that somebody else brings


class OutsideVisit:
    """`once` with an external card, as a program outside drives it."""

    def __init__(self, tmp_path: Path) -> None:
        told = tmp_path / "visit.json"
        told.write_text(json.dumps({"resident": None, "pin": "4321", "card": "external", "coins": [100, 100]}))
        self._process = subprocess.Popen(
            command("town", "once", "--residents", "200", "--visit", str(told)),
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
        )
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        self.facts = json.loads(self._lines.readline())

    def end(self) -> tuple[int, dict[str, Any]]:
        last = self._lines.read().splitlines()[-1]
        return self._process.wait(TIMEOUT_S), json.loads(last)

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)
        self._lines.close()


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[OutsideVisit]:
    visit = OutsideVisit(tmp_path)
    yield visit
    visit.stop()


@pytest.fixture
def stranger(tmp_path: Path) -> tuple[TownPki, Path]:
    """A card of another authority than the town's."""
    pki = TownPki.create(tmp_path / "pki", seed=99, pool_size=2)
    return pki, pki.issue_card(tmp_path / "cards", "stranger", pin="4321")


def known(outside: OutsideVisit, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command(*arguments, "--run", outside.facts["run"]), capture_output=True, check=False, timeout=TIMEOUT_S
    )


def test_a_card_of_an_unknown_authority_is_refused(outside: OutsideVisit, stranger: tuple[TownPki, Path]) -> None:
    with PluggedCard(VirtualCard(stranger[1]), outside.facts["vpcd_port"]):
        code, line = outside.end()
    assert (code, line["refused"]) == (3, "CARD_CERTIFICATE_INVALID")


def test_a_part_that_dies_is_broken_and_named(outside: OutsideVisit, stranger: tuple[TownPki, Path]) -> None:
    for pid in children_of(outside.facts["coin_unit"]):
        os.kill(int(pid), signal.SIGKILL)
    with PluggedCard(VirtualCard(stranger[1]), outside.facts["vpcd_port"]):
        code, line = outside.end()
    assert (code, line["outcome"]) == (1, "broken")
    assert "coin unit" in line["error"]
    assert children_of(outside.facts["run"]) == []


def test_a_card_that_was_made_known_gets_its_resident_s_paper(
    outside: OutsideVisit, stranger: tuple[TownPki, Path], tmp_path: Path
) -> None:
    pki, card = stranger
    certificate = tmp_path / "certificate.pem"
    read = x509.load_der_x509_certificate((card / "000A.der").read_bytes())
    certificate.write_bytes(read.public_bytes(Encoding.PEM))
    link = ("link", "add", "--certificate", str(certificate), "--resident")
    too_early = known(outside, *link, "u-000014")
    assert too_early.returncode == 1
    assert b"trust add" in too_early.stderr
    assert known(outside, "trust", "add", str(certificate)).returncode == 1  # a card's certificate is no authority
    assert known(outside, "trust", "add", str(pki.anchor_path)).returncode == 0
    assert known(outside, *link, "u-000014").returncode == 0
    assert b"another resident" in known(outside, *link, "u-000015").stderr
    with PluggedCard(VirtualCard(card), outside.facts["vpcd_port"]):
        code, line = outside.end()
    assert (code, line["outcome"]) == (0, "settled")
    residents = json.loads(Path(outside.facts["residents"]).read_bytes())["residents"]
    text = subprocess.run(["pdftotext", REPOSITORY / line["papers"][0], "-"], capture_output=True, check=True).stdout
    assert residents["u-000014"]["name"] in text.decode()
