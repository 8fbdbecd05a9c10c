"""The files that the writer makes, as other programs see them; and what a process remembers between documents."""

from __future__ import annotations

import io
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pikepdf
import pypdfium2 as pdfium
import pytest

from printing.paper import fonts as paper_fonts
from printing.paper import latent, marks, page
from printing.paper.certificates import render, sheet
from printing.paper.fitting import Box
from printing.paper.page import BLACK, Document
from printing.paper.pdf import PdfFile
from printing.paper.records import Certificate
from tests.certificate_parts import FAMILY, FULL
from tests.gallery import exhibits
from tests.paper_samples import ISSUANCE, fonts
from tests.paper_samples_more import SEALED

SEAL = "MDG1:" + "A7BX9" * 60


def _forget() -> None:
    """Make this process as new: nothing is remembered of earlier documents."""
    for remembered in (page._prepared, page._word_line, page.label_pt, paper_fonts.words_font):
        remembered.cache_clear()


def _every_kind() -> list[Any]:
    return [
        pytest.param(record, id=name) for name, record in ((exhibit.file, exhibit.record) for exhibit in exhibits())
    ]


@pytest.mark.slow
@pytest.mark.parametrize("record", _every_kind())
def test_other_programs_accept_every_kind(record: Certificate, tmp_path: Path) -> None:
    made = render(fonts(), record, ISSUANCE, SEAL)
    file = tmp_path / "paper.pdf"
    file.write_bytes(made)
    for judge in (["qpdf", "--check", "--warning-exit-0", file], ["pdffonts", file], ["pdftotext", file, "-"]):
        said = subprocess.run(judge, capture_output=True, timeout=30, check=True)
        assert said.stderr == b""
    with pikepdf.open(io.BytesIO(made)) as paper:
        assert paper.check_pdf_syntax() == []
        assert paper.pages
    document = pdfium.PdfDocument(made)
    assert len(document) == len(paper.pages)
    document.close()


@pytest.mark.parametrize("record", _every_kind())
def test_bytes_are_the_same_with_nothing_remembered_and_with_everything(record: Certificate) -> None:
    _forget()
    first = render(fonts(), record, ISSUANCE, SEAL)
    misses = page._prepared.cache_info().misses
    assert render(fonts(), record, ISSUANCE, SEAL) == first
    assert page._prepared.cache_info().misses == misses, "the same paper was prepared again"


_REMEMBERED = (
    (page, "_prepared"),
    (page, "_word_line"),
    (page, "label_pt"),
    (page, "_tiles"),
    (page, "words_font"),
    (latent, "tile"),
    (marks, "_qr_modules"),
    (sheet, "municipal_seal"),
)


def test_bytes_are_the_same_where_next_to_nothing_can_be_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after any history: whatever another paper would have pushed out of memory is not there."""
    records = (FULL, FAMILY, SEALED)
    at_ease = [render(fonts(), record, ISSUANCE, SEAL) for record in records]
    for module, name in _REMEMBERED:
        monkeypatch.setattr(module, name, lru_cache(maxsize=1)(getattr(module, name).__wrapped__))
    for faces in (fonts().values, fonts().labels, fonts().headings):
        monkeypatch.setattr(faces, "find", lru_cache(maxsize=1)(faces._find))
    assert [render(fonts(), record, ISSUANCE, SEAL) for record in records] == at_ease


def test_bytes_are_the_same_from_threads_that_begin_with_nothing_remembered() -> None:
    records = (FULL, FAMILY, SEALED) * 4
    alone = [render(fonts(), record, ISSUANCE, SEAL) for record in records]
    _forget()
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda record: render(fonts(), record, ISSUANCE, SEAL), records))
    assert together == alone


def test_a_form_that_was_forgotten_between_two_pages_is_still_one() -> None:
    def paper(*, forgetful: bool) -> bytes:
        document = Document(fonts(), "title", "author")
        for _ in range(2):
            document.frame(Box(10.0, 10.0, 50.0, 20.0), 0.5)
            document.next_page()
            if forgetful:
                _forget()
        return document.finish()

    assert paper(forgetful=True) == paper(forgetful=False)


_PERSONAL = frozenset(
    ("name", "name_reading", "address", "head_of_household", "domicile", "domicile_head", "surname", "given_name",
     "head_given_name", "individual_number", "card_number", "moved_in_from", "previous_address", "father", "mother",
     "address_on_1_january", "alias", "former_surname", "kanji_name", "value", "nationality")
)  # fmt: skip


def _another_person(value: object) -> object:
    """The same shape with other people: every personal value backwards."""
    if isinstance(value, dict):
        return {
            key: "".join(reversed(paper_fonts.units(part)))
            if key in _PERSONAL and isinstance(part, str)
            else _another_person(part)
            for key, part in value.items()
        }
    return [_another_person(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("record", _every_kind())
def test_nothing_of_a_person_is_remembered(record: Certificate) -> None:
    """Lines and forms that outlive a document hold the form's own words alone: another person adds none."""
    plain = msgspec.json.decode(msgspec.json.encode(record))
    other = msgspec.convert(_another_person(plain), type(record), strict=False)
    assert other != record
    render(fonts(), record, ISSUANCE, SEAL)
    remembered = page._word_line.cache_info().misses, page._prepared.cache_info().misses
    render(fonts(), other, ISSUANCE, SEAL)
    assert (page._word_line.cache_info().misses, page._prepared.cache_info().misses) == remembered


def test_what_is_prepared_stands_below_and_is_kept() -> None:
    def paper(words: str) -> bytes:
        document = Document(fonts(), "title", "author")
        document.value(words, Box(20.0, 20.0, 100.0, 10.0), 12.0, "words")
        with document.prepared():
            document.text(fonts().headings, "見本", 20.0, 40.0, 12.0)
            document.bitmap("dot", 8, 1, b"\x00", Box(20.0, 50.0, 5.0, 5.0), colour=BLACK)
        document.next_page()
        return document.finish()

    first = paper("山田")
    prepared = page._prepared.cache_info().misses
    second = paper("川口")
    assert page._prepared.cache_info().misses == prepared
    with pikepdf.open(io.BytesIO(first)) as one, pikepdf.open(io.BytesIO(second)) as other:
        (form,), (same) = (list(pdf.pages[0].Resources.XObject.values()) for pdf in (one, other))
        assert form.read_raw_bytes() == same[0].read_raw_bytes()
        content = one.pages[0].Contents.read_bytes()
        assert content.index(b"/P0 Do") < content.index(b"Tj")
    document = pdfium.PdfDocument(first)
    assert document[0].get_textpage().get_text_range().split() == ["見本", "山田"]
    document.close()


def test_an_empty_file_has_no_pages() -> None:
    with pikepdf.open(io.BytesIO(PdfFile().finish("title", "author"))) as made:
        assert len(made.pages) == 0
        assert str(made.docinfo["/Title"]) == "title"


def test_a_line_in_the_forms_own_faces_is_remembered() -> None:
    """What the test above would see, if a value were set with the form's own words."""
    remembered = page._word_line.cache_info().misses
    Document(fonts(), "title", "author").text(fonts().labels, "山田 太郎 何某", 20.0, 20.0, 10.0)
    assert page._word_line.cache_info().misses == remembered + 1
