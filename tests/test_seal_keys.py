"""The register of seal keys: one key in force on a date, rotation, revocation, and who hears of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from structlog.testing import capture_logs

from issuance_server import seal_keys
from issuance_server.key_files import KeysError
from issuance_server.keys import Keys
from issuance_server.publishing import publish
from issuance_server.rules import JST, utc_now
from issuance_server.seal_keys import SealKey, SealKeys, SealKeyUnavailable
from issuance_server.verify.app import create_app
from issuance_server.verify.check import Finding, PublishedKeys
from issuance_server.verify.config import follow_trust
from issuance_server.verify.status_key import STATUS_KEY_FILE, create_status_key
from madoguchi import main
from printing.paper import seal
from protocol.errors import ErrorCode
from protocol.trust import Trust
from protocol.trust_file import TrustFile, TrustUnreadable
from terminal.client import Paper
from terminal.paper_check import PaperCheck, PaperGuard, PaperMismatch
from tests.issuing_parts import CODE, Office, code_of
from tests.paper_samples import TAXED
from tests.softhsm_parts import private
from tests.test_seal import content
from tests.verify_parts import checked_office

TODAY = date(2026, 7, 1)
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a server's keys."""
    Keys.create(tmp_path / "keys", {CODE: "見本市", "999985": "となり市"})
    return tmp_path / "keys"


def rotate(folder: Path, days: int = 30, code: str = CODE, **more: Any) -> SealKey:
    return seal_keys.rotate(folder, code, from_jst=TODAY + days * DAY, today_jst=TODAY, **more)


def own(folder: Path) -> list[SealKey]:
    return [key for key in seal_keys.read_register(folder) if key.municipality_code == CODE]


def in_force(folder: Path, on_jst: date) -> str | None:
    key = seal_keys.in_force(seal_keys.read_register(folder), CODE, on_jst)
    return None if key is None else key.key_id


def test_on_every_date_one_key_is_in_force(folder: Path) -> None:
    (first,) = own(folder)
    second, third = rotate(folder, 30), rotate(folder, 60)
    days = {offset: in_force(folder, TODAY + offset * DAY) for offset in (-9999, 0, 29, 30, 59, 60, 9999)}
    assert days == dict(zip(days, [*[first.key_id] * 3, *[second.key_id] * 2, *[third.key_id] * 2], strict=True))
    assert second.municipality_name == "見本市"


def test_the_signer_is_the_paper_s_date_s(folder: Path) -> None:
    (first,), second = own(folder), rotate(folder, 30)
    keys = SealKeys(folder)
    assert keys.signer(CODE, TODAY).key_id == first.key_id
    assert keys.signer(CODE, TODAY + 30 * DAY).key_id == second.key_id
    with pytest.raises(SealKeyUnavailable, match="no seal key"):
        keys.signer("123456", TODAY)


@pytest.mark.parametrize(("days", "what"), [(-1, "past"), (0, "sealed with a key already")])
def test_a_key_begins_after_today(folder: Path, days: int, what: str) -> None:
    with pytest.raises(KeysError, match=what):
        rotate(folder, days)
    assert len(own(folder)) == 1


def test_keys_begin_one_after_another(folder: Path) -> None:
    rotate(folder, 30)
    for days in (30, 20):
        with pytest.raises(KeysError, match="or later already"):
            rotate(folder, days)


def test_a_new_municipality_gets_its_first_key_at_once(folder: Path) -> None:
    made = rotate(folder, 0, "999977", municipality_name="新しい市", at_once=True)
    assert SealKeys(folder).signer("999977", TODAY).key_id == made.key_id
    with pytest.raises(KeysError, match="six digits"):
        rotate(folder, 1, "../etc")
    with pytest.raises(KeysError, match="no token"):
        rotate(folder, 1, token_name="main")


def test_a_leaked_key_is_followed_by_another_on_the_same_day(folder: Path) -> None:
    (leaked,) = own(folder)
    seal_keys.revoke(folder, leaked.key_id, from_jst=TODAY)
    assert in_force(folder, TODAY - DAY) == leaked.key_id
    assert in_force(folder, TODAY) is None
    with pytest.raises(SealKeyUnavailable):
        SealKeys(folder).signer(CODE, TODAY)
    with pytest.raises(KeysError, match="would take the next paper for a forged one"):
        rotate(folder, 0)
    new = rotate(folder, 0, at_once=True)
    assert in_force(folder, TODAY) == new.key_id
    # The new one leaks on its first day: it never sealed a thing, and yet another begins on that day.
    seal_keys.revoke(folder, new.key_id, from_jst=TODAY)
    newest = rotate(folder, 0, at_once=True)
    assert in_force(folder, TODAY) == newest.key_id
    assert [seal_keys.state_of(key, TODAY) for key in own(folder)] == ["revoked", "revoked", "in force"]


def test_a_revocation_only_goes_further_back(folder: Path) -> None:
    (key,) = own(folder)
    seal_keys.revoke(folder, key.key_id, from_jst=TODAY)
    with pytest.raises(KeysError, match="revoked from 2026-07-01 already"):
        seal_keys.revoke(folder, key.key_id, from_jst=TODAY + DAY)
    assert seal_keys.revoke(folder, key.key_id, from_jst=TODAY - DAY).last_day_jst == TODAY - 2 * DAY
    with pytest.raises(KeysError, match="no key 'x'"):
        seal_keys.revoke(folder, "x", from_jst=TODAY)


def test_retired_and_revoked_keys_stay_published_with_their_dates(folder: Path) -> None:
    (first,), second = own(folder), rotate(folder, 30)
    seal_keys.revoke(folder, second.key_id, from_jst=TODAY + 40 * DAY)
    published = {key.key_id: key for key in Keys.load(folder).trust().seal_keys}
    assert published[first.key_id].sealed_until_jst == TODAY + 29 * DAY
    assert published[second.key_id].sealed_from_jst == TODAY + 30 * DAY
    assert published[second.key_id].sealed_until_jst == TODAY + 39 * DAY


def test_a_retired_key_s_private_part_may_be_destroyed_and_one_in_force_may_not(folder: Path) -> None:
    (first,), second = own(folder), rotate(folder, 30)
    (folder / first.private.path).unlink()  # type: ignore[union-attr] # keys in files here
    keys = SealKeys(folder)
    with pytest.raises(SealKeyUnavailable, match="not here"):
        keys.signer(CODE, TODAY)
    with pytest.raises(KeysError, match=first.key_id):
        keys.check(TODAY)
    keys.check(TODAY + 30 * DAY)
    assert keys.signer(CODE, TODAY + 30 * DAY).key_id == second.key_id
    assert first.key_id in {key.key_id for key in keys.trust()}


def test_a_running_server_signs_with_a_key_that_was_made_meanwhile(tmp_path: Path) -> None:
    office = Office(tmp_path)
    today = office.clock().astimezone(JST).date()
    caller = office.caller()
    _prepared, before = office.prepare(caller, 1)
    made = seal_keys.rotate(tmp_path / "keys", CODE, from_jst=today + DAY, today_jst=today)
    assert office.prepare(caller, 1)[1] == before
    office.clock.advance(days=1)
    _prepared, after = office.prepare(office.caller(visit="2" * 32), 2)
    assert seal.key_id_in(seal.read_printed(after)) == made.key_id
    keys = PublishedKeys(office.keys.trust().seal_keys)
    for pdf in (before, after):
        assert keys.read(seal.read_printed(pdf)).finding is Finding.VALID
    office.close()


def test_a_paper_keeps_its_seal_when_it_is_rendered_again_after_a_revocation(tmp_path: Path) -> None:
    office = Office(tmp_path)
    caller = office.caller()
    _prepared, before = office.prepare(caller)
    (key,) = seal_keys.read_register(tmp_path / "keys")
    seal_keys.revoke(tmp_path / "keys", key.key_id, from_jst=date(2020, 1, 1))
    assert office.issuer.repeat(caller, office.order().order_id)[1] == before
    assert code_of(lambda: office.prepare(office.caller(visit="2" * 32), 2)) is ErrorCode.BUSY
    office.close()


def test_a_broken_register_stops_sealing_until_it_is_mended(tmp_path: Path) -> None:
    office = Office(tmp_path)
    register = tmp_path / "keys" / "seals.json"
    good = register.read_text()
    private(register, "{}broken")
    assert code_of(lambda: office.prepare(office.caller())) is ErrorCode.BUSY
    private(register, good)
    office.prepare(office.caller())
    office.close()


def edited(change: Callable[[list[dict[str, object]]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        register = json.loads((folder / "seals.json").read_text())
        change(register["keys"])
        private(folder / "seals.json", json.dumps(register))

    return edit


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (edited(lambda keys: keys.append(keys[0])), "one id"),
        (edited(lambda keys: keys[0].update(public_key_pem=keys[1]["public_key_pem"])), "not its public key's"),
        (edited(lambda keys: keys[0].update(public_key_pem="none")), "not its public key's"),
        (edited(lambda keys: keys[0].update(municipality_code="999985")), "two keys in force on one date"),
        (edited(lambda keys: keys[0].update(private={"type": "file", "path": "grant.pem"})), "not a key on P-256"),
        (edited(lambda keys: keys[0].update(private={"type": "page"})), "no register"),
        (lambda folder: (folder / "seals.json").chmod(0o644), "0600"),
        (lambda folder: private(folder / "tokens.toml", "[main]\nmodule = 3\n"), "tokens.toml"),
    ],
)
def test_a_register_that_contradicts_itself_is_refused(folder: Path, edit: Callable[[Path], None], what: str) -> None:
    SealKeys(folder)
    edit(folder)
    with pytest.raises(KeysError, match=what):
        SealKeys(folder)


def test_two_officers_at_once_make_two_keys_and_lose_none(folder: Path) -> None:
    made: list[SealKey] = []
    threads = [
        threading.Thread(target=lambda n=n: made.append(rotate(folder, 1, f"99990{n}")))  # type: ignore[misc] # bound
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert {key.key_id for key in made} <= {key.key_id for key in seal_keys.read_register(folder)}
    assert len(made) == 6


# Who hears of it


def signed(folder: Path, key: SealKey, on_jst: date) -> str:
    """A seal of one key, whatever its dates say, as a thief could make it."""
    signers = SealKeys(folder)._signers
    stated = replace(content(TAXED), issued_on_jst=on_jst, municipality_code=CODE)
    return seal.sign(stated, signers[key.key_id])


def test_the_receivers_check_knows_a_new_key_and_an_end_without_a_restart(folder: Path, tmp_path: Path) -> None:
    trust = tmp_path / "trust.json"
    publish(folder, trust)
    follow = follow_trust(trust)

    def followed() -> PublishedKeys:
        return PublishedKeys(follow().seal_keys)

    (first,), second = own(folder), rotate(folder, 30)
    old, new = signed(folder, first, TODAY), signed(folder, second, TODAY + 30 * DAY)
    assert [followed().read(text).finding for text in (old, new)] == [Finding.VALID, Finding.UNKNOWN_KEY]
    publish(folder, trust)
    assert [followed().read(text).finding for text in (old, new)] == [Finding.VALID, Finding.VALID]
    assert follow() is follow()
    seal_keys.revoke(folder, first.key_id, from_jst=TODAY)
    publish(folder, trust)
    assert [followed().read(text).finding for text in (old, new)] == [Finding.RETIRED_KEY, Finding.VALID]
    assert followed().read(signed(folder, first, TODAY - DAY)).finding is Finding.VALID


def test_a_broken_file_leaves_what_was_known(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    trust = publish(folder, path)
    followed = TrustFile(path)
    doubled = replace(trust, seal_keys=trust.seal_keys * 2)
    for broken in (b"{", msgspec.json.encode(doubled)):
        path.write_bytes(broken)
        assert followed() == trust
        with pytest.raises(TrustUnreadable, match=r"trust\.json"):
            TrustFile(path)
    path.unlink()
    assert followed() == trust
    rotate(folder)
    assert publish(folder, path) == followed() != trust


def test_a_link_to_the_published_keys_stays_a_link(folder: Path, tmp_path: Path) -> None:
    publish(folder, tmp_path / "trust.json")
    (tmp_path / "link.json").symlink_to("trust.json")
    rotate(folder)
    publish(folder, tmp_path / "link.json")
    assert (tmp_path / "link.json").is_symlink()
    assert TrustFile(tmp_path / "trust.json")() == Keys.load(folder).trust()


def test_a_terminal_prints_nothing_that_a_key_out_of_use_sealed(tmp_path: Path) -> None:
    office = Office(tmp_path)
    prepared, pdf = office.prepare(office.caller())
    trust = office.keys.trust()

    def check(known: Trust) -> None:
        guard = PaperGuard("t-1", lambda: known, frozenset((PaperCheck.PRINTED_SEAL,)))
        guard.check_prepared(Paper(prepared, pdf), prepared.order_id, bytes(16), bytes(32))

    check(trust)
    for window in ({"sealed_until_jst": TODAY - DAY}, {"sealed_from_jst": TODAY + DAY}):
        out = tuple(replace(key, **window) for key in trust.seal_keys)
        with pytest.raises(PaperMismatch, match="not in use"):
            check(replace(trust, seal_keys=out))
    office.close()


def test_publishing_keeps_what_is_said_of_status_lists(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    elsewhere = create_status_key(tmp_path / "elsewhere.pem").published
    before = replace(publish(folder, path), status_keys=(elsewhere,), status_bits=12)
    path.write_bytes(msgspec.json.encode(before))
    rotate(folder)
    after = publish(folder, path)
    assert (after.status_keys, after.status_bits) == ((elsewhere,), 12)
    own = create_status_key(folder / STATUS_KEY_FILE).published
    assert publish(folder, path).status_keys == publish(folder, path).status_keys == (elsewhere, own)
    path.write_text("somebody's notes")
    with pytest.raises(KeysError, match="no published keys"):
        publish(folder, path)
    assert path.read_text() == "somebody's notes"


def test_the_check_follows_the_file_and_says_if_its_lists_cannot_be_read(tmp_path: Path) -> None:
    with checked_office(tmp_path) as office:
        path = office.publish(tmp_path / "trust.json")
        alarms = office.alarms
        app = create_app(
            follow_trust(path), office.status_key, lambda: office.book, alarms, clock=office.office.clock
        ).test_client()
        text = seal.read_printed(office.issue())
        assert app.post("/api/check", json={"seal": text}).json["outcome"] == "genuine"
        ended = tuple(replace(key, sealed_until_jst=TODAY - DAY) for key in office.trust.seal_keys)
        office.publish(path, replace(office.trust, seal_keys=ended))
        assert app.post("/api/check", json={"seal": text}).json["outcome"] == "retired_key"
        assert "2026-06-30" in app.get("/api/keys").text
        with capture_logs() as logs:
            office.publish(path, replace(office.trust, status_keys=()))
            for _ in range(3):
                assert app.post("/api/check", json={"seal": text}).json["outcome"] == "genuine"
        assert [line["what"] for line in logs if line["event"] == "alarm"] == ["the status key is not among them"]


# The commands


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["keys", *map(str, arguments)])
    return result.exit_code, result.output


def test_the_commands_rotate_revoke_list_and_publish(folder: Path, tmp_path: Path) -> None:
    today = utc_now().astimezone(JST).date()
    (first,) = own(folder)
    code, told = run("rotate", "--keys", folder, "--municipality", CODE, "--from", today + 2 * DAY)
    assert code == 0
    second = own(folder)[1]
    assert second.key_id in told
    assert run("revoke", "--keys", folder, second.key_id, "--from", today + 3 * DAY)[0] == 0
    code, told = run("list", "--keys", folder)
    assert code == 0
    rows = {row.split()[1]: row for row in told.splitlines()}
    assert "in force" in rows[first.key_id]
    assert "revoked" in rows[second.key_id]
    assert f"{today + 2 * DAY} to {today + 2 * DAY}" in rows[second.key_id]
    assert run("publish", "--keys", folder, "--to", tmp_path / "trust.json")[0] == 0
    assert TrustFile(tmp_path / "trust.json")() == Keys.load(folder).trust()
    assert "PRIVATE" not in (tmp_path / "trust.json").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("rotate", "--municipality", CODE, "--from", "2020-01-01"),
        ("revoke", "nobody", "--from", "2020-01-01"),
        ("publish", "--to", "/nowhere/trust.json"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(folder: Path, arguments: tuple[str, ...]) -> None:
    code, told = run(*arguments, "--keys", folder)
    assert code == 1
    assert told.startswith("Error: ")
    assert len(told.splitlines()) == 1
    code, told = run(*arguments, "--keys", folder / "elsewhere")
    assert (code, len(told.splitlines())) == (1, 1)
