"""Statuses by signed lists: who asks does not say for which paper, and a void shows in time. Alarms and limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from issuance_server.key_files import KeysError
from issuance_server.ledger import NumberStatus
from issuance_server.verify import status_list
from issuance_server.verify.alarms import AlarmBook
from issuance_server.verify.app import TYPED_A_MINUTE, build, create_app
from issuance_server.verify.check import Status
from issuance_server.verify.config import VerifyConfig
from issuance_server.verify.installed import Installed
from issuance_server.verify.limits import MAX_CLIENTS, WINDOW_S, Limiter
from issuance_server.verify.status_key import STATUS_KEY_FILE, create_status_key, load_status_key
from issuance_server.verify.status_list import LIFE, MADE_EVERY, ListRefused, StatusList
from madoguchi import main
from printing.paper import seal
from protocol.trust import Trust
from tests.databases import Databases, Plans, connections_closed, reads_whole
from tests.verify_parts import CheckedOffice, checked_office, content_of, new_key

pytestmark = pytest.mark.slow


@dataclass
class Desk:
    """An office with one printed paper, and its check."""

    office: CheckedOffice
    client: FlaskClient
    pdf: bytes

    @property
    def statement(self) -> bytes:
        return self.office.keys.read(seal.read_printed(self.pdf)).statement_sha256

    @property
    def bucket(self) -> int:
        return status_list.bucket_of(self.statement, self.office.trust.status_bits)

    @property
    def path(self) -> str:
        return status_list.path_of(self.office.trust.status_bits, self.bucket)

    def read(self, signed: bytes) -> StatusList:
        bits, now_utc = self.office.trust.status_bits, self.office.office.clock()
        return status_list.read(signed, self.office.trust.status_keys, bits=bits, bucket=self.bucket, now_utc=now_utc)

    def status(self) -> Status:
        return self.read(self.client.get(self.path).data).status(self.statement)

    def stolen(self) -> str:
        """A seal that only the key's holder can make, and that no ledger knows."""
        content = msgspec.structs.replace(content_of(self.office, self.pdf), status_id=bytes(16))
        return seal.sign(content, self.office.signer)


@pytest.fixture
def desk(tmp_path: Path, databases: Databases) -> Iterator[Desk]:
    with checked_office(tmp_path, databases.declared()) as office:
        pdf = office.issue()
        yield Desk(office, office.app().test_client(), pdf)


def test_a_paper_stands_in_the_list_of_its_bucket(desk: Desk) -> None:
    assert desk.status() is Status.ACTIVE
    found = desk.read(desk.client.get(desk.path).data)
    assert found.status(bytes(32)) is Status.NOT_ISSUED
    assert found.digests[Status.ACTIVE] == desk.statement[:16]
    assert found.expires_at_utc - found.issued_at_utc == LIFE


def test_a_void_shows_as_soon_as_the_next_list_is_made(desk: Desk) -> None:
    assert desk.status() is Status.ACTIVE
    desk.office.void()
    assert desk.status() is Status.ACTIVE  # the list of this minute: it says of when it is
    desk.office.office.clock.advance(seconds=MADE_EVERY.total_seconds())
    assert desk.status() is Status.VOID


def test_an_old_list_is_refused_whoever_kept_it(desk: Desk) -> None:
    kept = desk.client.get(desk.path).data
    desk.office.office.clock.advance(seconds=LIFE.total_seconds())
    assert desk.read(kept).status(desk.statement) is Status.ACTIVE
    desk.office.office.clock.advance(seconds=1)
    with pytest.raises(ListRefused, match="out of date"):
        desk.read(kept)


def test_the_empty_list_is_signed_too(desk: Desk) -> None:
    bits = desk.office.trust.status_bits
    other = (desk.bucket + 1) % (1 << bits)
    signed = desk.client.get(status_list.path_of(bits, other)).data
    with pytest.raises(ListRefused, match="of other papers"):
        desk.read(signed)
    now_utc = desk.office.office.clock()
    found = status_list.read(signed, desk.office.trust.status_keys, bits=bits, bucket=other, now_utc=now_utc)
    assert set(found.digests.values()) == {b""}
    with pytest.raises(ListRefused, match="not among the published"):
        status_list.read(signed, (), bits=bits, bucket=other, now_utc=now_utc)


def test_a_list_says_nothing_of_anybody(desk: Desk) -> None:
    desk.office.prepare()
    number, code = desk.office.printed_numbers()
    content = content_of(desk.office, desk.pdf)
    body = desk.client.get(desk.path).data
    for secret in (number, code, content.fields["names"], content.municipality_code):
        assert secret.encode() not in body
    assert content.status_id not in body
    assert desk.statement not in body  # only its first half: the list does not give away what it is asked by


def test_a_list_can_be_kept_by_whatever_stands_between(desk: Desk) -> None:
    first = desk.client.get(desk.path)
    assert first.headers["Cache-Control"] == "public, max-age=60"
    assert first.content_type == "application/cwt"
    again = desk.client.get(desk.path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    desk.office.office.clock.advance(seconds=40)
    assert desk.client.get(desk.path).headers["Cache-Control"] == "public, max-age=20"
    desk.office.office.clock.advance(seconds=20)
    assert desk.client.get(desk.path, headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/status/10/400", "/status/10/0000", "/status/10/00", "/status/10/0A0", "/status/16/0000", "/status/10/-01"],
)
def test_a_list_has_one_address(desk: Desk, path: str) -> None:
    assert desk.client.get("/status/10/000").status_code == 200
    assert desk.client.get(path).status_code == 404


def test_a_list_is_found_by_an_index_however_many_papers_there_are(desk: Desk) -> None:
    with Plans(desk.office.engine) as plans:
        desk.office.book.bucket(10, 0)
    plan = plans.of("SELECT")
    assert "ix_orders_statement_sha256" in plan
    assert not reads_whole(plan, "orders")


@pytest.mark.parametrize("bits", [4, 10, 17, 20])
def test_the_buckets_cover_every_paper_once(bits: int) -> None:
    assert status_list.bounds(bits, 0)[0] == bytes(32)
    assert status_list.bounds(bits, (1 << bits) - 1)[1] == b"\xff" * 32
    for bucket in (0, 1, (1 << bits) - 2):
        last, following = status_list.bounds(bits, bucket)[1], status_list.bounds(bits, bucket + 1)[0]
        assert int.from_bytes(following, "big") - int.from_bytes(last, "big") == 1
        assert (status_list.bucket_of(last, bits), status_list.bucket_of(following, bits)) == (bucket, bucket + 1)


def test_every_status_of_a_number_can_be_listed() -> None:
    assert {status.value for status in NumberStatus} == {"provisional", "active", "void"}
    of_a_number = {Status(status.value) for status in NumberStatus}
    assert of_a_number == set(Status) - {Status.NOT_ASKED, Status.NOT_ISSUED, Status.REISSUED}


def test_who_chooses_the_bits_cannot_ask_for_one_paper() -> None:
    with pytest.raises(msgspec.ValidationError, match="<= 20"):
        msgspec.json.decode(b'{"grant_public_key":"%s=","seal_keys":[],"status_bits":64}' % (b"A" * 43), type=Trust)


# The key


def test_a_status_key_is_kept_from_others_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "status.pem"
    made = create_status_key(path)
    assert load_status_key(path).published == made.published
    with pytest.raises(FileExistsError):
        create_status_key(path)
    path.chmod(0o640)
    with pytest.raises(KeysError, match="0600"):
        load_status_key(path)
    path.chmod(0o600)
    path.write_bytes(b"rubbish")
    with pytest.raises(KeysError, match="not a private key"):
        load_status_key(path)
    with pytest.raises(KeysError, match="cannot be read"):
        load_status_key(tmp_path / "none.pem")


def test_lists_that_nobody_could_read_are_not_made(desk: Desk, tmp_path: Path) -> None:
    unpublished = create_status_key(tmp_path / "unpublished.pem")
    with pytest.raises(ValueError, match="not among the published"):
        create_app(lambda: desk.office.trust, unpublished, lambda: desk.office.book, desk.office.alarms)


# Alarms


def test_an_alarm_counts_and_keeps_only_whose_key_it_was(desk: Desk) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            answer = desk.client.post("/api/report", json={"seal": desk.stolen()})
            assert answer.json == {"reported": True}
    assert len([line for line in logs if line["event"] == "alarm"]) == 1  # the first of a minute
    (alarm,) = desk.office.alarms.all()
    assert (alarm.key_id, alarm.seen) == (desk.office.signer.key_id, 3)
    desk.office.office.clock.advance(seconds=60)
    desk.client.post("/api/report", json={"seal": desk.stolen()})
    assert [alarm.seen for alarm in desk.office.alarms.all()] == [3, 1]
    stored = (desk.office.office.folder / "alarms.db").read_bytes()
    content = content_of(desk.office, desk.pdf)
    for secret in (content.issue_number, content.fields["names"], "MDG1:"):
        assert secret.encode() not in stored


def test_nobody_can_report_what_is_no_alarm(desk: Desk) -> None:
    for code in (seal.read_printed(desk.pdf), seal.sign(content_of(desk.office, desk.pdf), new_key()[0]), "x"):
        assert desk.client.post("/api/report", json={"seal": code}).json == {"reported": False}
    assert desk.office.alarms.all() == ()


def test_an_alarm_that_could_not_be_written_is_not_said_to_have_been(desk: Desk, tmp_path: Path) -> None:
    nowhere = AlarmBook(tmp_path / "no" / "such" / "folder.db")
    client = create_app(
        lambda: desk.office.trust,
        desk.office.status_key,
        lambda: desk.office.book,
        nowhere,
        clock=desk.office.office.clock,
    ).test_client()
    with capture_logs() as logs:
        told = client.post("/api/check", json={"seal": desk.stolen()}).json
        page = client.post("/result", data={"lang": "en", "seal": desk.stolen()})
    assert told is not None
    assert (told["outcome"], told["reported"]) == ("not_issued", False)
    assert "The operator could not be told." in page.text
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["alarm not written"] * 2
    assert "The operator has been told." in desk.client.post("/result", data={"lang": "en", "seal": desk.stolen()}).text


def test_alarms_are_shown_on_the_command_line(desk: Desk) -> None:
    file = str(desk.office.office.folder / "alarms.db")
    assert CliRunner().invoke(main, ["alarms", file]).exit_code == 0
    desk.client.post("/api/report", json={"seal": desk.stolen()})
    shown = CliRunner().invoke(main, ["alarms", file])
    assert (shown.exit_code, shown.output) == (1, f"2026-07-01T03:00Z 999993 key {desk.office.signer.key_id}: 1\n")


# Limits


def test_a_client_is_held_to_its_window_and_others_are_not() -> None:
    now_s = [0.0]
    limiter = Limiter(2, lambda: now_s[0])
    assert [limiter.allows("192.0.2.1") for _ in range(3)] == [True, True, False]
    assert limiter.allows("192.0.2.2")
    now_s[0] = WINDOW_S
    assert limiter.allows("192.0.2.1")
    assert [limiter.allows(f"2001:db8::{number}") for number in range(3)] == [True, True, False]  # one network
    assert limiter.allows("2001:db8:1::1")
    assert [limiter.allows(address) for address in (None, "unix", None)] == [True, True, False]


def test_what_a_limiter_remembers_is_bounded() -> None:
    limiter = Limiter(1, lambda: 0.0)
    for number in range(MAX_CLIENTS + 1):
        assert limiter.allows(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert limiter.allows("10.0.0.0")  # forgotten, as the one that was silent for longest
    assert not limiter.allows("10.0.0.2")


def test_typing_is_limited_alike_for_right_and_wrong(desk: Desk) -> None:
    number, code = desk.office.printed_numbers()
    right = {"issue_number": number, "check_code": code}
    for _ in range(TYPED_A_MINUTE):
        assert desk.client.post("/api/code", json={**right, "check_code": "wrong"}).status_code == 200
    for typed in (right, {**right, "check_code": "wrong"}):
        answer = desk.client.post("/api/code", json=typed)
        assert (answer.status_code, answer.json) == (429, {"code": "TOO_MANY"})
        assert answer.headers["Retry-After"] == "60"
    page = desk.client.post("/result", data={"lang": "en", **right})
    assert page.status_code == 429
    assert "There were many checks in a short time." in page.text
    assert desk.client.post("/result", data={"lang": "en", "alone": "1", **right}).json == {"code": "TOO_MANY"}
    assert desk.client.post("/api/check", json={"seal": seal.read_printed(desk.pdf)}).status_code == 200
    assert desk.client.post("/api/code", json=right, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200


def test_behind_a_proxy_each_client_has_its_own_limit(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "check.key").write_bytes(desk.office.office.keys.check)
    (tmp_path / "check.key").chmod(0o600)
    desk.office.publish(tmp_path / "trust.json")
    config = VerifyConfig(
        database_url=desk.office.office.url,
        trust_file=str(tmp_path / "trust.json"),
        check_key_file=str(tmp_path / "check.key"),
        status_key_file=str(tmp_path / STATUS_KEY_FILE),
        alarms_file=str(tmp_path / "alarms.db"),
    )
    told = {}
    for proxies in (0, 1):
        client = build(msgspec.structs.replace(config, proxies=proxies), desk.office.office.clock).test_client()
        typed = {"issue_number": "2026-0000001", "check_code": "wrong"}
        with connections_closed():
            told[proxies] = [
                client.post("/api/code", json=typed, headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
                for number in range(TYPED_A_MINUTE + 1)
            ]
    assert told[0][-1] == 429  # whoever is asked directly believes nobody's word on who asks
    assert set(told[1]) == {200}


# What a browser keeps


def test_a_version_is_its_files_contents(desk: Desk) -> None:
    app = desk.office.app()
    one = Installed(app, {"/": "page"})
    assert Installed(desk.office.app(), {"/": "page"}).script == one.script
    other = Installed(app, {"/": "another page"})
    assert one.version != other.version
    assert one.script.startswith(f'const VERSION = "{one.version}";')
    served = desk.client.get("/worker.js")
    assert (served.content_type, served.headers["Cache-Control"]) == ("text/javascript; charset=utf-8", "no-store")
    for path in one.paths:
        with desk.client.get(path) as answer:
            assert answer.status_code == 200


def test_what_is_kept_is_the_same_for_everybody(desk: Desk) -> None:
    pages = {desk.client.get("/en", headers={"User-Agent": agent}).data for agent in ("one", "another")}
    desk.office.office.clock.advance(days=1)
    assert pages == {desk.client.get("/en").data}
