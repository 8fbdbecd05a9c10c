"""`madoguchi verify FILE`: each kind of tampering with a file gets its own words and a fitting exit code."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pikepdf
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from structlog.testing import capture_logs
from werkzeug.serving import make_server

from deploy.demo.processes import free_port
from issuance_server.rules import utc_now
from issuance_server.verify import words
from issuance_server.verify.check import Outcome
from issuance_server.verify.command import verify_file
from issuance_server.verify.paper import NotAPaper, read_file
from issuance_server.verify.status_key import create_status_key
from madoguchi import main
from protocol.messages import Scope
from tests.tampered_papers import TAMPERED, Papers, letter_altered, name_forged
from tests.verify_parts import HARD_NAMES, CheckedOffice, checked_office, picture, png

pytestmark = pytest.mark.slow


@dataclass
class Desk:
    """An office's papers, a folder of files, and its check's address."""

    papers: Papers
    folder: Path
    server: str

    @property
    def office(self) -> CheckedOffice:
        return self.papers.office

    def verify(self, data: bytes, *options: str, name: str = "paper.pdf") -> Result:
        file = self.folder / name
        file.write_bytes(data)
        return CliRunner().invoke(main, ["verify", str(file), "--keys", str(self.folder / "keys.json"), *options])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("verify")
    with checked_office(folder) as office, capture_logs():  # the server's lines must not stand among the command's
        papers = Papers.of(office)
        office.publish(folder / "keys.json")
        server = make_server("127.0.0.1", 0, office.app(utc_now))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Desk(papers, folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.mark.parametrize("kind", TAMPERED)
def test_each_kind_of_tampering_is_told_apart(desk: Desk, kind: str) -> None:
    make, outcome, exit_code = TAMPERED[kind]
    data = make(desk.papers)
    line = desk.verify(data, "--server", desk.server, "--json")
    told = msgspec.json.decode(line.output)
    assert (told["outcome"], told["exit_code"], line.exit_code) == (outcome, exit_code, exit_code)
    people = desk.verify(data, "--server", desk.server)
    for lang in (words.JA, words.EN):
        assert words.WORDS[outcome].title[lang] in people.output
    assert people.exit_code == exit_code


def test_what_differs_is_named(desk: Desk) -> None:
    told = msgspec.json.decode(desk.verify(letter_altered(desk.papers), "--json").output)
    assert (told["differing"], told["proven"]["fields"]["names"]) == (["names"], ["見本 太郎"])
    assert "氏名 / Name  <- not on the page" in desk.verify(letter_altered(desk.papers)).output


def test_a_letter_altered_on_paper_shows_beside_what_is_proven(desk: Desk) -> None:
    photo = picture(letter_altered(desk.papers))  # a picture has no text that a program could compare
    told = msgspec.json.decode(desk.verify(png(photo), "--server", desk.server, "--json", name="photo.png").output)
    assert (told["outcome"], told["proven"]["fields"]["names"]) == ("genuine", ["見本 太郎"])


def test_a_tired_photo_is_read_too(desk: Desk) -> None:
    photo = (
        picture(desk.papers.paper, 150)
        .rotate(2, expand=True, fillcolor=(90, 90, 80))
        .filter(ImageFilter.GaussianBlur(0.6))
    )
    made = io.BytesIO()
    photo.save(made, "JPEG", quality=60)
    assert desk.verify(made.getvalue(), "--server", desk.server, name="photo.jpg").exit_code == 0


def test_offline_the_signature_is_all_that_is_known(desk: Desk) -> None:
    for data in (desk.papers.paper, desk.papers.void):
        line = desk.verify(data, "--json")
        told = msgspec.json.decode(line.output)
        assert (told["outcome"], told["status"], line.exit_code) == ("signed", "not_asked", 0)


@pytest.mark.parametrize("server", ["http://127.0.0.1:{port}", "ftp://127.0.0.1", "{desk}/nothing"])
def test_a_server_that_does_not_answer_is_not_a_good_answer(desk: Desk, server: str) -> None:
    address = server.format(port=free_port(), desk=desk.server)
    line = desk.verify(desk.papers.paper, "--server", address, "--json")
    told = msgspec.json.decode(line.output)
    assert (told["outcome"], line.exit_code) == ("signed", 6)
    assert told["unanswered"]
    forged = desk.verify(name_forged(desk.papers), "--server", address)
    assert forged.exit_code == 1  # known without any server


def test_a_list_that_nobody_published_a_key_for_is_no_status(desk: Desk) -> None:
    strange = create_status_key(desk.folder / "strange.pem").published
    for status_keys, why in (((), "not among the published"), ((strange,), "not among the published")):
        trust = msgspec.structs.replace(desk.office.trust, status_keys=status_keys)
        keys = desk.office.publish(desk.folder / "strange.json", trust)
        line = desk.verify(desk.papers.void, "--keys", str(keys), "--server", desk.server, "--json")
        told = msgspec.json.decode(line.output)
        assert (told["outcome"], line.exit_code) == ("signed", 6)
        assert why in told["unanswered"]


def test_of_when_a_status_is_and_that_nobody_was_told_is_said(desk: Desk) -> None:
    known = desk.verify(desk.papers.paper, "--server", desk.server)
    assert "The status is that of 20" in known.output
    stolen = desk.verify(TAMPERED["a stolen key"][0](desk.papers), "--server", desk.server)
    assert "Nobody has been told of this." in stolen.output
    assert desk.office.alarms.all() == ()  # a list was asked


def test_what_is_missing_is_said(desk: Desk) -> None:
    missing = CliRunner().invoke(
        main, ["verify", str(desk.folder / "none.pdf"), "--keys", str(desk.folder / "keys.json")]
    )
    assert (missing.exit_code, "none.pdf cannot be read" in missing.output) == (2, True)
    keyless = desk.verify(desk.papers.paper, "--keys", str(desk.folder / "none.json"))
    assert (keyless.exit_code, "none.json cannot be read" in keyless.output) == (2, True)


def test_a_file_is_bounded() -> None:
    huge = io.BytesIO()
    Image.new("1", (9000, 9000)).save(huge, "PNG")
    for data in (bytes(31 * 1024 * 1024), huge.getvalue()):
        with pytest.raises(NotAPaper):
            read_file(data)
    empty = io.BytesIO()
    with pikepdf.new() as made:
        made.save(empty)
    with pytest.raises(NotAPaper):
        read_file(empty.getvalue())
    poster = io.BytesIO()
    with pikepdf.new() as made:
        made.add_blank_page(page_size=(10_000, 10_000))
        made.save(poster)
    with pytest.raises(NotAPaper, match="larger than A4"):
        read_file(poster.getvalue())


def test_hard_names_are_found_on_their_page(tmp_path: Path) -> None:
    with checked_office(tmp_path) as office:
        office.rename(HARD_NAMES)
        (tmp_path / "hard.pdf").write_bytes(office.issue(scope=Scope.HOUSEHOLD))
        verified = verify_file(tmp_path / "hard.pdf", office.publish(tmp_path / "keys.json"), None)
    assert (verified.check.outcome, verified.differing) == (Outcome.SIGNED, ())
    assert verified.check.proven is not None
    assert verified.check.proven.fields["names"] == HARD_NAMES


@given(st.binary(max_size=200), st.sampled_from([b"", b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"]))
@settings(max_examples=150, deadline=None)
def test_no_file_breaks_the_reader(data: bytes, magic: bytes) -> None:
    with pytest.raises(NotAPaper):
        read_file(magic + data)
