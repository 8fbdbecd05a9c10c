"""What runs beside the servers: once, or for ever, whatever one of its tasks comes to."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from issuance_server import beat as beats
from issuance_server.beat import beat
from issuance_server.database import open_engine, write
from issuance_server.key_files import KeysError
from madoguchi import main
from tests.api_parts import make_folder, write_toml
from tests.databases import Databases


@pytest.fixture
def site(tmp_path: Path, databases: Databases) -> Path:
    """A server's configuration, beside a migrated database in which something was decided."""
    return write_toml(make_folder(tmp_path, databases.migrated()), tmp_path / "server.toml")


def invoke(*words: str) -> tuple[int, list[str]]:
    """Run a command; what it said, line by line."""
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.stdout.splitlines()


def test_from_a_decision_to_a_kept_checkpoint_and_a_change_that_is_found(site: Path, tmp_path: Path) -> None:
    """The commands as an officer types them."""
    named = ("--config", str(site))
    assert invoke("audit", "checkpoint", *named)[0] == 1, "nothing is signed yet"
    assert beat(site, None) == {"records": 2}
    code, note = invoke("audit", "checkpoint", *named)
    assert (code, note[:2]) == (0, ["check.example/audit", "2"])
    kept = tmp_path / "monday.checkpoint"
    kept.write_text("".join(f"{line}\n" for line in note))
    code, said = invoke("audit", "verify", *named, "--kept", str(kept))
    assert code == 0
    assert said == ['{"records":2,"forgotten":0,"checkpoints":1,"unsigned":0,"rows":2,"found":0}']
    code, key = invoke("audit", "checkpoint", *named, "--key")
    assert (code, key[0].startswith("check.example/audit+")) == (0, True)
    engine = open_engine(_url(site))
    with write(engine) as connection:
        connection.execute(text("UPDATE terminals SET operator = 'somebody' WHERE terminal_id = 'T-0002'"))
    engine.dispose()
    code, said = invoke("audit", "verify", *named)
    assert (code, said[0]) == (1, "cell: terminals:T-0002: operator")


def _url(site: Path) -> str:
    return site.read_text().split('"')[1]


def test_a_wrong_file_is_named(site: Path, tmp_path: Path) -> None:
    missing = ("--config", str(site), "--kept", str(tmp_path / "none"))
    assert invoke("audit", "verify", *missing)[0] == 1
    (tmp_path / "keys" / "audit.pem").unlink()
    with pytest.raises(KeysError, match=r"audit\.pem"):
        beat(site, None)
    assert invoke("audit", "verify", "--config", str(site))[0] == 1


class Enough(Exception):
    """The test has seen enough."""


def test_one_bad_minute_does_not_end_it(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is away for a while; the next beat does what was left."""
    grown: list[int] = []
    real, fails = beats.audit_tree.grow, [True, False, False]

    def grow(*parts: object) -> int:
        if fails.pop(0):
            raise DBAPIError("", None, Exception("gone"))
        grown.append(real(*parts))  # type: ignore[arg-type]
        return grown[-1]

    monkeypatch.setattr(beats.audit_tree, "grow", grow)

    def pause(_seconds: float) -> None:
        if not fails:
            raise Enough

    with pytest.raises(Enough):
        beat(site, 1, pause)
    assert grown == [2, 0]


def test_a_provider_that_hangs_keeps_no_record_from_the_tree(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its orders take a minute each; half a minute without the tree, and nothing would be issued anywhere."""
    hangs, grown = threading.Event(), threading.Event()

    def pause(_seconds: float) -> None:
        grown.set()
        hangs.wait()
        raise Enough

    real = beats._tasks

    def tasks(*parts: Any) -> Any:
        return {"codes settled": hangs.wait, **real(*parts)}

    monkeypatch.setattr(beats, "_tasks", tasks)

    def run() -> None:
        with pytest.raises(Enough):
            beat(site, 1, pause)

    running = threading.Thread(target=run)
    running.start()
    try:
        assert grown.wait(timeout=10)
    finally:
        hangs.set()
        running.join()


def test_once_it_says_what_is_wrong(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def grow(*_: object) -> int:
        raise Enough

    monkeypatch.setattr(beats.audit_tree, "grow", grow)
    with pytest.raises(Enough):
        beat(site, None)
