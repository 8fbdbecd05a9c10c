"""What a forger, a flooder and a hostile network try on the check: each is answered, bounded, and told the truth."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from PIL import Image
from structlog.testing import capture_logs

from issuance_server.verify import app as check_app
from issuance_server.verify import status_list
from issuance_server.verify.alarms import AlarmBook
from issuance_server.verify.app import create_app
from issuance_server.verify.check import Finding, PublishedKeys
from issuance_server.verify.paper import MAX_FILE_BYTES, NotAPaper, read_file
from madoguchi import main
from printing.paper import seal
from tests.verify_parts import CheckedOffice, checked_office, content_of, picture, png
from tests.verify_vectors import Forgery

pytestmark = pytest.mark.slow


@pytest.fixture
def office(tmp_path: Path) -> Iterator[CheckedOffice]:
    with checked_office(tmp_path) as office:
        yield office


@pytest.fixture
def client(office: CheckedOffice) -> FlaskClient:
    return office.app().test_client()


def stolen(office: CheckedOffice) -> str:
    """A seal that only the key's holder can make, and that no ledger knows."""
    content = content_of(office, office.issue())
    return seal.sign(msgspec.structs.replace(content, status_id=bytes(16)), office.signer)


# Whoever holds a stolen key writes no answer of their own


@pytest.mark.parametrize(
    "done",
    [
        "a field beyond the allow-list",
        "a field of the language's own",
        "a name that commands a display",
        "a name that turns the line",
        "a number of something else",
    ],
)
def test_a_signed_text_that_no_paper_says_is_no_seal(done: str) -> None:
    forgery = Forgery()
    assert PublishedKeys(forgery.keys).read(forgery.codes[f"signed, but {done}"]).finding is Finding.DAMAGED


# Files


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_what_cameras_and_scanners_write_is_read(office: CheckedOffice, kind: str) -> None:
    paper, made = office.issue(), io.BytesIO()
    picture(paper).save(made, kind)
    assert read_file(made.getvalue()).codes == (seal.read_printed(paper),)


@pytest.mark.parametrize("kind", ["EPS", "ICO", "PCX", "PPM", "TGA", "DDS"])
def test_no_other_format_is_opened(kind: str) -> None:
    made = io.BytesIO()
    Image.new("RGB", (64, 64)).save(made, kind)
    with pytest.raises(NotAPaper):
        read_file(made.getvalue())


def test_a_broken_picture_is_no_picture_however_it_is_broken() -> None:
    whole = png(Image.new("RGB", (40, 40)))
    for place in range(len(whole)):
        for value in (0, 127, 255):
            broken = whole[:place] + bytes((value,)) + whole[place + 1 :]
            with suppress(NotAPaper):  # and nothing else
                assert read_file(broken).codes == ()


def test_a_file_without_an_end_is_not_read_to_its_end(office: CheckedOffice, tmp_path: Path) -> None:
    keys, endless = office.publish(tmp_path / "trust.json"), tmp_path / "endless"
    with endless.open("wb") as stream:
        os.truncate(stream.fileno(), 1000 * MAX_FILE_BYTES)  # sparse: read whole, it would fill the memory
    told = CliRunner().invoke(main, ["verify", str(endless), "--keys", str(keys), "--json"])
    assert (told.exit_code, msgspec.json.decode(told.output)["outcome"]) == (5, "not_a_picture")


@pytest.mark.parametrize("side", [b"20000", b"-1", b"0"])
def test_a_page_without_measure_is_not_drawn(side: bytes) -> None:
    pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    pdf += b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 " + side + b" " + side + b"]>>endobj\ntrailer<</Root 1 0 R>>"
    with pytest.raises(seal.SealUnreadable):
        seal.read_printed(pdf)


# The server


@pytest.mark.parametrize("path", ["/result", "/api/check", "/api/code", "/api/report"])
@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 400)])
def test_another_site_cannot_ask_in_a_visitor_s_name(client: FlaskClient, path: str, site: str, status: int) -> None:
    assert client.post(path, data=b"", headers={"Sec-Fetch-Site": site}).status_code == status


def test_a_link_from_another_site_leads_to_the_page(client: FlaskClient) -> None:
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_who_typed_the_address_once_never_comes_without_tls_again(client: FlaskClient) -> None:
    assert "max-age" in client.get("/").headers["Strict-Transport-Security"]


def test_a_broken_file_of_alarms_keeps_nobody_from_the_answer(office: CheckedOffice, tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database" * 100)
    book = AlarmBook(broken, office.office.clock)
    clock = office.office.clock
    client = create_app(lambda: office.trust, office.status_key, lambda: office.book, book, clock=clock).test_client()
    with capture_logs() as logs:
        told = client.post("/api/check", json={"seal": stolen(office)}).json
    assert told is not None
    assert (told["outcome"], told["reported"]) == ("not_issued", False)
    (line,) = [line for line in logs if line["log_level"] == "error"]
    assert (line["event"], line["key_id"]) == ("alarm not written", office.signer.key_id)


def test_who_asks_for_every_list_does_not_fill_the_memory(
    office: CheckedOffice, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    make = status_list.make

    def counted(bits: int, bucket: int, *rest: object) -> bytes:
        made.append(bucket)
        return make(bits, bucket, *rest)  # type: ignore[arg-type]  # the rest as it came

    monkeypatch.setattr(status_list, "make", counted)
    bits = office.trust.status_bits
    for bucket in (1, 1, 2, 1):
        assert client.get(status_list.path_of(bits, bucket)).status_code == 200
    assert made == [1, 2]
    monkeypatch.setattr(check_app, "_LISTS_KEPT_BYTES", 1)
    for bucket in (3, 3, 1):
        assert client.get(status_list.path_of(bits, bucket)).status_code == 200
    assert made == [1, 2, 3, 3, 1]
