"""`town up` and `town demo`: they say where everything is, stay, and leave nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.test_demo_once import REPOSITORY, children_of, command

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("once")]
FACTS = {
    "kiosk",
    "server",
    "check",
    "published_keys",
    "vpcd_port",
    "pcscd_socket",
    "cups_socket",
    "printer_output",
    "database",
    "trust_anchors",
    "residents",
}


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_town_stays_until_it_is_told_to_end(told: signal.Signals) -> None:
    town = subprocess.Popen(command("town", "up", "--residents", "200"), stdout=subprocess.PIPE, cwd=REPOSITORY)
    assert town.stdout is not None
    try:
        facts = json.loads(town.stdout.readline())
        assert set(facts) >= FACTS
        for socket in ("pcscd_socket", "cups_socket"):
            assert Path(facts[socket]).is_socket()
        with urllib.request.urlopen(facts["server"] + "/v1/openapi.json", timeout=10) as answer:
            assert answer.status == 200
        assert town.poll() is None
    finally:
        town.send_signal(told)
        town.wait(60)
        town.stdout.close()
    assert children_of(Path(facts["run"]).name) == []
    assert not Path(facts["cups_socket"]).exists()


def test_a_person_is_told_where_to_look() -> None:
    town = subprocess.Popen(
        [sys.executable, "-u", *command("town", "demo", "--residents", "200")[1:]],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert town.stdout is not None
    try:
        said = ""
        while "Ctrl-C" not in said:
            line = town.stdout.readline().decode()
            assert line, "the town ended before it was up"
            said += line
        address = next(word for word in said.split() if "/dock" in word)
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(address, timeout=10) as page:
            assert "<iframe" in page.read().decode()
    finally:
        town.terminate()
        town.wait(60)
        town.stdout.close()
