"""Files of keys under a power cut, a full disk, somebody's links and a tired operator."""

from __future__ import annotations

import os
import threading
from datetime import date
from pathlib import Path
from typing import NoReturn

import pytest

from issuance_server import key_files, seal_keys
from issuance_server.key_files import KeysError, locked, replace_file, write_private
from issuance_server.keys import Keys
from issuance_server.publishing import publish
from protocol.trust_file import TrustFile
from tests.issuing_parts import CODE


class PowerCut(BaseException):
    """The machine is off from here on."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Keys.create(tmp_path / "keys", {CODE: "見本市"})
    return tmp_path / "keys"


def test_nobody_else_can_put_files_beside_the_keys(tmp_path: Path) -> None:
    before = os.umask(0o002)  # a usual one, where each user has a group
    try:
        Keys.create(tmp_path / "of" / "keys", {CODE: "見本市"})
    finally:
        os.umask(before)
    for made in (tmp_path / "of" / "keys", tmp_path / "of" / "keys" / "seals"):
        assert made.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_power_cut_leaves_the_old_register(folder: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    register = (folder / "seals.json").read_bytes()

    def cut(*_: object) -> NoReturn:
        raise PowerCut

    with monkeypatch.context() as patched:
        if at == "fsync":
            patched.setattr(os, "fsync", cut)
        else:
            patched.setattr(Path, "replace", cut)
        (key,) = Keys.load(folder).seals.all
        with pytest.raises(PowerCut):
            seal_keys.revoke(folder, key.key_id, from_jst=date(2026, 7, 1))
    assert (folder / "seals.json").read_bytes() == register
    assert seal_keys.revoke(folder, key.key_id, from_jst=date(2026, 7, 1)).revoked_from_jst


def test_a_file_and_its_name_are_on_the_disk_before_anything_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bool] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        kept.append(os.path.isdir(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    write_private(tmp_path / "new.pem", b"key")
    assert kept == [False, True]
    replace_file(tmp_path / "new.pem", b"another")
    assert kept[-1] is True


def test_a_link_that_somebody_laid_is_not_followed(tmp_path: Path) -> None:
    victim, target = tmp_path / "victim", tmp_path / "trust.json"
    victim.write_text("mine")
    (tmp_path / f".trust.json-{os.getpid()}").symlink_to(victim)
    replace_file(target, b"public", mode=0o644)
    assert (victim.read_text(), target.read_text()) == ("mine", "public")
    assert target.stat().st_mode & 0o777 == 0o644


def test_another_server_s_keys_do_not_take_the_place_of_what_is_published(folder: Path, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    publish(folder, trust)
    Keys.create(tmp_path / "other", {CODE: "見本市"})
    before = trust.read_bytes()
    with pytest.raises(KeysError, match="another server's keys"):
        publish(tmp_path / "other", trust)
    assert trust.read_bytes() == before


def test_a_key_that_sealed_papers_never_leaves_what_is_published(folder: Path, tmp_path: Path) -> None:
    trust, backup = tmp_path / "trust.json", (folder / "seals.json").read_bytes()
    today = date(2026, 7, 1)
    new = seal_keys.rotate(folder, CODE, from_jst=date(2026, 8, 1), today_jst=today)
    publish(folder, trust)
    key_files.replace_file(folder / "seals.json", backup)  # an older backup
    with pytest.raises(KeysError, match=f"publishes the seal key {new.key_id}, which"):
        publish(folder, trust)
    assert new.key_id in {key.key_id for key in TrustFile(trust)().seal_keys}


def test_publishing_waits_for_a_rotation(folder: Path, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    publish(folder, trust)
    thread = threading.Thread(target=publish, args=(folder, trust))
    with locked(folder):
        thread.start()
        thread.join(timeout=0.3)
        assert thread.is_alive()
    thread.join(timeout=30)
    assert not thread.is_alive()
