"""`town up` and `town demo`: they say where everything is, stay, and leave nothing behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from deploy.demo import base, bring_up
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


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_town_stays_until_it_is_told_to_end(told: signal.Signals) -> None:
    # As from a window of its own: under nohup the town would let SIGHUP pass, as it should.
    own_window = ["env", "--default-signal=HUP", *command("town", "up", "--residents", "200")]
    town = subprocess.Popen(own_window, stdout=subprocess.PIPE, cwd=REPOSITORY)
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
        _tell_until_ended(town, told)
        town.stdout.close()
    assert town.returncode == 0
    assert children_of(Path(facts["run"]).name) == []
    assert not Path(facts["cups_socket"]).exists()


def _tell_until_ended(town: subprocess.Popen[bytes], told: signal.Signals) -> None:
    """Tell it again and again, as an impatient hand does, and as make does when its whole group is told."""
    deadline = time.monotonic() + 60
    while town.poll() is None:
        if time.monotonic() > deadline:
            town.terminate()
            town.wait(60)
            raise AssertionError("the town did not end")
        town.send_signal(told)
        time.sleep(0.05)


def test_old_runs_are_forgotten_but_none_whose_town_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "VAR", tmp_path)
    with subprocess.Popen(["sleep", "60"]) as town:
        runs = [tmp_path / "runs" / f"20260101T0000{n:02}-{pid}-abcd" for n, pid in enumerate((town.pid, 0, 0))]
        for old in runs:
            old.mkdir(parents=True)
        fresh = [bring_up._new_run() for _ in range(bring_up.RUNS_KEPT + 1)]
        assert [old.exists() for old in runs] == [True, False, False]
        assert all(new.exists() for new in fresh)
        town.kill()
        town.wait()
        bring_up._new_run()
        assert not runs[0].exists()


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
