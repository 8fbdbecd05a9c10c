"""`madoguchi verify FILE`: each kind of tampering with a file gets its own words and a fitting exit code."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
from madoguchi import main
from printing.paper import seal
from protocol.messages import Scope
from tests.issuing_parts import CODE
from tests.verify_parts import (
    HARD_NAMES,
    CheckedOffice,
    checked_office,
    content_of,
    new_key,
    picture,
    png,
    resealed,
    with_second_code,
)


@dataclass
class Desk:
    """Printed, void and unprinted papers of one office, and its check's address."""

    office: CheckedOffice
    folder: Path
    server: str
    paper: bytes
    void: bytes
    unprinted: bytes

    @property
    def seal_text(self) -> str:
        return seal.read_printed(self.paper)

    def verify(self, data: bytes, *options: str, name: str = "paper.pdf") -> Result:
        file = self.folder / name
        file.write_bytes(data)
        return CliRunner().invoke(main, ["verify", str(file), "--keys", str(self.folder / "keys.json"), *options])

    def signed(self, signer: seal.SealSigner, **changed: object) -> bytes:
        """The paper with a seal that somebody else made."""
        content = msgspec.structs.replace(content_of(self.office, self.paper), **changed)
        return resealed(self.office, self.paper, seal.sign(content, signer))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("verify")
    with checked_office(folder) as office, capture_logs():  # the server's lines must not stand among the command's
        void = office.issue()
        office.void()
        paper, unprinted = office.issue(), office.prepare(scope=Scope.HOUSEHOLD)
        office.publish(folder / "keys.json")
        server = make_server("127.0.0.1", 0, office.app(utc_now))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Desk(office, folder, f"http://127.0.0.1:{server.server_port}", paper, void, unprinted)
        server.shutdown()
        thread.join(10)
        server.server_close()


def letter_altered(desk: Desk) -> bytes:
    return resealed(desk.office, desk.paper, desk.seal_text, name="見本 太朗")


def name_forged(desk: Desk) -> bytes:
    impostor = replace(new_key()[0], key_id=desk.office.signer.key_id)
    return desk.signed(impostor, fields={"names": "見本 次郎", "address": "見本県"})


def no_code(desk: Desk) -> bytes:
    made = io.BytesIO()
    with pikepdf.open(io.BytesIO(desk.unprinted)) as paper:
        paper.add_blank_page(page_size=(595, 842))
        del paper.pages[0]
        paper.save(made)
    return made.getvalue()


TAMPERED: dict[str, tuple[Callable[[Desk], bytes], Outcome, int]] = {
    "untouched": (lambda desk: desk.paper, Outcome.GENUINE, 0),
    "a letter of the page": (letter_altered, Outcome.TEXT_DIFFERS, 1),
    "the seal of another paper": (
        lambda desk: resealed(desk.office, desk.paper, seal.read_printed(desk.void)),
        Outcome.VOID,
        4,
    ),
    "the seal of another household": (
        lambda desk: resealed(desk.office, desk.paper, seal.read_printed(desk.unprinted)),
        Outcome.TEXT_DIFFERS,
        1,
    ),
    "a digit of the issue number": (
        lambda desk: desk.signed(desk.office.signer, issue_number="2026-0000009"),
        Outcome.NOT_ISSUED,
        1,
    ),
    "an old void number": (lambda desk: desk.void, Outcome.VOID, 4),
    "not printed yet": (lambda desk: desk.unprinted, Outcome.PROVISIONAL, 3),
    "another municipality's key": (lambda desk: desk.signed(desk.office.other_signer), Outcome.OTHER_KEY, 1),
    "a stolen key": (lambda desk: desk.signed(desk.office.signer, status_id=bytes(16)), Outcome.NOT_ISSUED, 1),
    "a key of one's own": (lambda desk: desk.signed(new_key()[0]), Outcome.UNKNOWN_KEY, 1),
    "a key of one's own under the real one's name": (name_forged, Outcome.FORGED, 1),
    "a damaged code": (lambda desk: resealed(desk.office, desk.paper, desk.seal_text[:-9]), Outcome.DAMAGED, 5),
    "a foreign code": (
        lambda desk: resealed(desk.office, desk.paper, "https://kakunin.example/"),
        Outcome.FOREIGN,
        5,
    ),
    "no code": (no_code, Outcome.NO_CODE, 5),
    "two codes": (lambda desk: with_second_code(desk.paper, desk.void), Outcome.SEVERAL_CODES, 5),
    "half a file": (lambda desk: desk.paper[:300], Outcome.NOT_A_PICTURE, 5),
    "no paper at all": (lambda desk: desk.seal_text.encode(), Outcome.NOT_A_PICTURE, 5),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_each_kind_of_tampering_is_told_apart(desk: Desk, kind: str) -> None:
    make, outcome, exit_code = TAMPERED[kind]
    data = make(desk)
    line = desk.verify(data, "--server", desk.server, "--json")
    told = msgspec.json.decode(line.output)
    assert (told["outcome"], told["exit_code"], line.exit_code) == (outcome, exit_code, exit_code)
    people = desk.verify(data, "--server", desk.server)
    for lang in (words.JA, words.EN):
        assert words.WORDS[outcome].title[lang] in people.output
    assert people.exit_code == exit_code


def test_what_differs_is_named(desk: Desk) -> None:
    told = msgspec.json.decode(desk.verify(letter_altered(desk), "--json").output)
    assert (told["differing"], told["proven"]["fields"]["names"]) == (["names"], ["見本 太郎"])
    assert "氏名 / Name  <- not on the page" in desk.verify(letter_altered(desk)).output


def test_a_retired_key_is_told_apart(desk: Desk) -> None:
    retired = tuple(
        msgspec.structs.replace(key, sealed_until_jst="2026-06-30") if key.municipality_code == CODE else key
        for key in desk.office.trust.seal_keys
    )
    keys = desk.office.publish(
        desk.folder / "retired.json", msgspec.structs.replace(desk.office.trust, seal_keys=retired)
    )
    line = desk.verify(desk.paper, "--keys", str(keys), "--json")
    assert (msgspec.json.decode(line.output)["outcome"], line.exit_code) == ("retired_key", 1)


def test_a_letter_altered_on_paper_shows_beside_what_is_proven(desk: Desk) -> None:
    photo = picture(letter_altered(desk))  # a picture has no text that a program could compare
    told = msgspec.json.decode(desk.verify(png(photo), "--server", desk.server, "--json", name="photo.png").output)
    assert (told["outcome"], told["proven"]["fields"]["names"]) == ("genuine", ["見本 太郎"])


def test_a_tired_photo_is_read_too(desk: Desk) -> None:
    photo = (
        picture(desk.paper, 150).rotate(2, expand=True, fillcolor=(90, 90, 80)).filter(ImageFilter.GaussianBlur(0.6))
    )
    made = io.BytesIO()
    photo.save(made, "JPEG", quality=60)
    assert desk.verify(made.getvalue(), "--server", desk.server, name="photo.jpg").exit_code == 0


def test_offline_the_signature_is_all_that_is_known(desk: Desk) -> None:
    for data in (desk.paper, desk.void):
        line = desk.verify(data, "--json")
        told = msgspec.json.decode(line.output)
        assert (told["outcome"], told["status"], line.exit_code) == ("signed", "not_asked", 0)


@pytest.mark.parametrize("server", ["http://127.0.0.1:{port}", "ftp://127.0.0.1", "{desk}/nothing"])
def test_a_server_that_does_not_answer_is_not_a_good_answer(desk: Desk, server: str) -> None:
    address = server.format(port=free_port(), desk=desk.server)
    line = desk.verify(desk.paper, "--server", address, "--json")
    told = msgspec.json.decode(line.output)
    assert (told["outcome"], line.exit_code) == ("signed", 6)
    assert told["unanswered"]
    forged = desk.verify(name_forged(desk), "--server", address)
    assert forged.exit_code == 1  # known without any server


def test_what_is_missing_is_said(desk: Desk) -> None:
    missing = CliRunner().invoke(
        main, ["verify", str(desk.folder / "none.pdf"), "--keys", str(desk.folder / "keys.json")]
    )
    assert (missing.exit_code, "none.pdf cannot be read" in missing.output) == (2, True)
    keyless = desk.verify(desk.paper, "--keys", str(desk.folder / "none.json"))
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
