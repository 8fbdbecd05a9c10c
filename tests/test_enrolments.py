"""From an invitation to a terminal that may ask: a code for minutes, a key, and two officers who compared it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from issuance_server import api, enrolments
from issuance_server.database import open_engine, read, write
from issuance_server.enrolments import APPROVED_WITHIN, CODE_LIFETIME, CannotEnrol
from issuance_server.terminals import Terminals
from madoguchi import main
from protocol import codec, enrolment, messages
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EnrolAnswer, EnrolRequest
from protocol.signing import CONTENT_TYPE, RequestSigner, key_thumbprint
from terminal import enrol_command
from terminal.client import ServerRefused
from tests.api_parts import AUTHORITY, CHALLENGE_BODY, Server, make_folder, serving, write_toml
from tests.databases import Databases, everything_in
from tests.issuing_parts import code_of
from tests.server_parts import NOW

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
THIEF = Ed25519PrivateKey.from_private_bytes(bytes(reversed(range(32))))


def shown_by(key: Ed25519PrivateKey) -> str:
    """The fingerprint that a terminal shows."""
    return enrolment.fingerprint(key_thumbprint(key.public_key()))


def invite(engine: Engine, terminal_id: str = "T-0009", at: Any = NOW) -> str:
    with write(engine) as connection:
        return enrolments.invite(
            connection, terminal_id=terminal_id, operator="見本商店", officer="officer a", now_utc=at
        )


def show(engine: Engine, request: EnrolRequest, at: Any = NOW) -> str:
    with write(engine) as connection:
        return enrolments.show(connection, request, at)


def approve(engine: Engine, officer: str, typed: str = shown_by(KEY), at: Any = NOW) -> bool:
    with write(engine) as connection:
        return enrolments.approve(connection, "T-0009", typed, officer, at)


def is_enrolled(engine: Engine) -> bool:
    try:
        return Terminals(engine).active("T-0009").public_key == KEY.public_key()
    except IssueError:
        return False


def test_a_terminal_is_enrolled_by_a_code_a_key_and_two_officers(engine: Engine) -> None:
    code = invite(engine)
    assert show(engine, enrolment.ask(code.lower().replace("-", " "), KEY)) == "T-0009"
    assert not is_enrolled(engine)
    with read(engine) as connection:
        (waits,) = enrolments.waiting(connection, NOW)
    assert (waits.terminal_id, waits.fingerprint, waits.approved_by) == ("T-0009", shown_by(KEY), None)
    assert approve(engine, "officer b") is False
    assert not is_enrolled(engine)
    assert approve(engine, "officer c", shown_by(KEY).lower()) is True
    assert is_enrolled(engine)
    with read(engine) as connection:
        assert enrolments.waiting(connection, NOW) == ()


def test_the_code_stands_nowhere(engine: Engine) -> None:
    code = invite(engine)
    assert code.encode() not in everything_in(engine)
    assert code.replace("-", "").encode() not in everything_in(engine)


# the code


def test_a_code_is_good_for_one_key(engine: Engine) -> None:
    """The answer to the first may have been lost, so that the same key is answered again; any other is refused."""
    code = invite(engine)
    for _ in range(2):
        assert show(engine, enrolment.ask(code, KEY)) == "T-0009"
    assert code_of(lambda: show(engine, enrolment.ask(code, THIEF))) is ErrorCode.ENROLMENT_REFUSED


def test_a_code_is_good_for_minutes(engine: Engine) -> None:
    code = invite(engine)
    late = NOW + CODE_LIFETIME
    assert code_of(lambda: show(engine, enrolment.ask(code, KEY), late)) is ErrorCode.ENROLMENT_REFUSED
    assert show(engine, enrolment.ask(code, KEY), late - timedelta(seconds=1)) == "T-0009"


@pytest.mark.parametrize("code", ["", "0000-0000-0000-0000", "\x00", "０" * 40])
def test_a_wrong_code_is_refused_like_a_used_one(engine: Engine, code: str) -> None:
    invite(engine)
    assert code_of(lambda: show(engine, enrolment.ask(code, KEY))) is ErrorCode.ENROLMENT_REFUSED


def test_a_second_invitation_ends_the_first(engine: Engine) -> None:
    first, second = invite(engine), invite(engine)
    assert code_of(lambda: show(engine, enrolment.ask(first, KEY))) is ErrorCode.ENROLMENT_REFUSED
    assert show(engine, enrolment.ask(second, KEY)) == "T-0009"


def test_a_withdrawn_invitation_is_over_whatever_was_shown(engine: Engine) -> None:
    code = invite(engine)
    show(engine, enrolment.ask(code, KEY))
    with write(engine) as connection:
        enrolments.refuse(connection, "T-0009", "officer a", NOW)
    assert code_of(lambda: show(engine, enrolment.ask(code, KEY))) is ErrorCode.ENROLMENT_REFUSED
    with pytest.raises(CannotEnrol, match="has shown no key"):
        approve(engine, "officer b")
    with pytest.raises(CannotEnrol, match="no invitation"), write(engine) as connection:
        enrolments.refuse(connection, "T-0009", "officer a", NOW)


# the key


def test_whoever_shows_a_key_has_it(engine: Engine) -> None:
    """A stranger's key cannot be enrolled as somebody's terminal, nor one proof be used with another code."""
    code, other = invite(engine), invite(engine, "T-0010")
    asked, theirs = enrolment.ask(code, KEY), enrolment.ask(other, KEY)
    for wrong in (
        EnrolRequest(code=code, public_key=THIEF.public_key().public_bytes_raw(), proof=asked.proof),
        EnrolRequest(code=code, public_key=asked.public_key, proof=theirs.proof),
        EnrolRequest(code=code, public_key=asked.public_key, proof=bytes(64)),
    ):
        assert code_of(lambda wrong=wrong: show(engine, wrong)) is ErrorCode.SIGNATURE_INVALID


def test_a_stolen_code_lets_no_other_key_in(engine: Engine) -> None:
    """The thief was quicker: the terminal's own key is refused, and its fingerprint is not the one that waits."""
    code = invite(engine)
    show(engine, enrolment.ask(code, THIEF))
    assert code_of(lambda: show(engine, enrolment.ask(code, KEY))) is ErrorCode.ENROLMENT_REFUSED
    with pytest.raises(CannotEnrol, match="fingerprint"):
        approve(engine, "officer b", shown_by(KEY))
    assert not is_enrolled(engine)


# the officers


@pytest.mark.parametrize("officer", ["officer b", " officer b "])
def test_one_officer_is_not_two(engine: Engine, officer: str) -> None:
    show(engine, enrolment.ask(invite(engine), KEY))
    approve(engine, "officer b")
    with pytest.raises(CannotEnrol, match="two people"):
        approve(engine, officer)
    with pytest.raises(CannotEnrol, match="officer"):
        approve(engine, " ")
    assert not is_enrolled(engine)


@pytest.mark.parametrize("meanwhile", ["approved by another", "withdrawn"])
def test_what_somebody_else_did_at_the_same_moment_is_not_overlooked(
    databases: Databases, meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read the invitation as it was; the second one's word must not count, and must not be recorded."""
    engine = open_engine(databases.declared())
    show(engine, enrolment.ask(invite(engine), KEY))
    if meanwhile == "withdrawn":
        approve(engine, "officer b")
    with read(engine) as connection:
        (as_it_was,) = connection.execute(enrolments._OPEN_OF, {"terminal": "T-0009"}).all()
    if meanwhile == "withdrawn":
        with write(engine) as connection:
            enrolments.refuse(connection, "T-0009", "officer a", NOW)
    else:
        approve(engine, "officer b")
    monkeypatch.setattr(enrolments, "_waiting_of", lambda *_: [as_it_was])
    with pytest.raises(CannotEnrol, match="same moment"):
        approve(engine, "officer c")
    assert not is_enrolled(engine)
    engine.dispose()


def test_a_key_that_is_enrolled_already_is_not_shown_again(engine: Engine) -> None:
    """A machine whose identity is over makes a new key: the old one would be refused at the last step."""
    show(engine, enrolment.ask(invite(engine), KEY))
    approve(engine, "officer b")
    approve(engine, "officer c")
    other = invite(engine, "T-0010")
    assert code_of(lambda: show(engine, enrolment.ask(other, KEY))) is ErrorCode.ENROLMENT_REFUSED


def test_a_key_that_nobody_compares_in_time_is_not_let_in(engine: Engine) -> None:
    show(engine, enrolment.ask(invite(engine), KEY))
    approve(engine, "officer b")
    with pytest.raises(CannotEnrol, match="has shown no key that waits"):
        approve(engine, "officer c", at=NOW + APPROVED_WITHIN)
    again = invite(engine)
    show(engine, enrolment.ask(again, KEY))
    too_late = NOW + APPROVED_WITHIN
    assert code_of(lambda: show(engine, enrolment.ask(again, KEY), too_late)) is ErrorCode.ENROLMENT_REFUSED
    assert not is_enrolled(engine)


def test_nothing_is_approved_before_a_key_is_shown(engine: Engine) -> None:
    invite(engine)
    with pytest.raises(CannotEnrol, match="has shown no key"):
        approve(engine, "officer b", "")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"terminal_id": ""}, "terminal_id"),
        ({"terminal_id": "T 9"}, "terminal_id"),
        ({"operator": " "}, "operator"),
        ({"officer": ""}, "officer"),
    ],
)
def test_an_invitation_says_whom_it_is_for(engine: Engine, fields: dict[str, str], named: str) -> None:
    asked = {"terminal_id": "T-0009", "operator": "見本商店", "officer": "officer a", **fields}
    with pytest.raises(CannotEnrol, match=named), write(engine) as connection:
        enrolments.invite(connection, now_utc=NOW, **asked)


def test_an_enrolled_terminal_is_not_invited_again(engine: Engine) -> None:
    show(engine, enrolment.ask(invite(engine), KEY))
    approve(engine, "officer b")
    approve(engine, "officer c")
    with pytest.raises(CannotEnrol, match="is enrolled"):
        invite(engine)


# over the wire


@pytest.fixture
def server(tmp_path: Path, databases: Databases) -> Iterator[Server]:
    """The application over a folder."""
    with serving(make_folder(tmp_path, databases.migrated())) as running:
        yield running


def test_a_new_terminal_asks_once_it_is_let_in(server: Server, tmp_path: Path) -> None:
    transport = httpx.WSGITransport(app=server.app)
    code = invite(server.engine)
    answer = enrol_command.show(f"http://{AUTHORITY}", code, KEY, transport)
    assert answer == EnrolAnswer(terminal_id="T-0009")

    def challenged() -> int:
        target = messages.PATH_CHALLENGE
        signer = RequestSigner("T-0009", KEY)
        signed = signer.headers("POST", f"http://{AUTHORITY}{target}", CHALLENGE_BODY, CONTENT_TYPE, server.clock())
        client = server.app.test_client()
        return client.post(target, data=CHALLENGE_BODY, headers=signed, base_url=f"http://{AUTHORITY}").status_code

    assert challenged() == 401
    approve(server.engine, "officer b")
    assert challenged() == 401
    approve(server.engine, "officer c")
    assert challenged() == 200
    with pytest.raises(ServerRefused, match="ENROLMENT_REFUSED"):
        enrol_command.show(f"http://{AUTHORITY}", code, KEY, transport)


def test_a_flood_of_wrong_codes_takes_no_lock(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to be known to send it: it must cost no more than a look."""
    monkeypatch.setattr(api, "write", None)
    body = codec.encode(enrolment.ask("0000-0000-0000-0000", KEY))
    response = server.app.test_client().post(messages.PATH_ENROLMENTS, data=body, base_url=f"http://{AUTHORITY}")
    assert server.code(response) is ErrorCode.ENROLMENT_REFUSED


@pytest.mark.parametrize("body", [b"", b"{}", b'{"code":"x","public_key":"AA==","proof":"AA=="}', b"[]", b"\xff"])
def test_what_is_no_request_is_refused_by_its_field(server: Server, body: bytes) -> None:
    response = server.app.test_client().post(messages.PATH_ENROLMENTS, data=body, base_url=f"http://{AUTHORITY}")
    assert server.code(response) is ErrorCode.BAD_REQUEST


def test_the_key_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "terminal.pem"
    key = enrol_command._make(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        enrol_command._make(path)
    assert enrol_command.load_private_key(path).private_bytes_raw() == key.private_bytes_raw()


def test_the_commands_from_invitation_to_list(tmp_path: Path, databases: Databases) -> None:
    url = databases.migrated()
    config = make_folder(tmp_path, url)
    file = write_toml(config, tmp_path / "server.toml")

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["terminals", *words[:1], "--config", str(file), *words[1:]])
        return done.exit_code, done.output

    code = run("invite", "--officer", "a", "--operator", "見本商店", "T-0009")[1].split()[0]
    assert run("invite", "--officer", "a", "--operator", "見本商店", "T-0001")[1].startswith(
        "Error: terminal_id: T-0001 is"
    )
    assert "has shown no key yet" in run("waiting")[1]
    with serving(config) as server:
        show(server.engine, enrolment.ask(code, KEY), datetime.now(UTC))
    assert shown_by(KEY) in run("waiting")[1]
    typed = ("--fingerprint", shown_by(KEY), "T-0009")
    assert run("approve", "--officer", "b", *typed) == (0, "T-0009: one more officer has to compare it\n")
    assert run("approve", "--officer", "b", *typed)[0] == 1
    assert run("approve", "--officer", "c", *typed) == (0, "T-0009: enrolled\n")
    listed = run("list")[1].splitlines()
    assert listed[-2:] == [f"T-0009  見本商店  active  {shown_by(KEY)}", "3 terminals"]
    assert run("refuse", "--officer", "a", "T-0009")[0] == 1


def test_the_terminals_command_says_what_is_wrong(tmp_path: Path) -> None:
    key = tmp_path / "terminal.pem"
    asked = ["terminal", "enrol", "--server", "http://127.0.0.1:9", "--code", "x", "--key", str(key)]
    done = CliRunner().invoke(main, asked)
    assert (done.exit_code, done.output.startswith("Error: http://127.0.0.1:9: ConnectError")) == (1, True)
    first = key.read_bytes()
    assert CliRunner().invoke(main, asked).exit_code == 1
    assert key.read_bytes() == first, "the key that was made is shown again"
    key.write_bytes(b"no key")
    assert "no usable private key" in CliRunner().invoke(main, asked).output
