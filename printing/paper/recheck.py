"""Read a finished PDF back with another parser than the one that wrote it, before anybody may have it.

pdfium gives the text, the boxes and the fonts; what it says is compared with what the order says, not with the record
that was drawn. pdfium is not thread-safe: one call at a time in a process.
"""

from __future__ import annotations

import ctypes
import re

import msgspec
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from printing.paper.certificates import back
from printing.paper.records import Back

A4_PT = (0.0, 0.0, 595.2756, 841.8898)
BOX_TOLERANCE_PT = 0.01
MAX_SHEETS = 50
SIDES = 2  # of a sheet: front and back are a page each in the file

# Labels that begin a line of the extracted text; a wrapped value goes over several lines, up to the next label. A name
# is what stands right before its own sex or birth: a remark that happens to break before the word 氏名 is none.
_ENTRY = re.compile(r"^氏名 ((?:(?!^氏名 ).)*?)\s(?:性別 \S+\s+)?生年月日 (\S+)", re.DOTALL | re.MULTILINE)
# The address at a sheet's head, or of a seal's owner; those of a supplementary register have their dates beside them.
_ADDRESS = re.compile(
    r"^住所(?:\(\S+\))? ((?:(?!住所を定めた年月日).)*?)\s(?:世帯主 |氏名 |印影\s)", re.DOTALL | re.MULTILINE
)
_DOMICILE = re.compile(r"^本籍 (.*?)\s筆頭者 ", re.DOTALL | re.MULTILINE)
_ISSUE_NUMBER = re.compile(r"^発行番号 (\S+)", re.MULTILINE)
_SHEET_NUMBER = re.compile(r"(?<!\S)([0-9]+/[0-9]+)\s*\Z")
# Digits of any width, in one run that a line may break, or in groups of four as the card has them; lines may part them.
_INDIVIDUAL_NUMBER = re.compile(
    r"(?<![\d-])(?:\d(?:\r?\n?\d){11}|\d{4}([ \u3000-])(?:\r?\n)?\d{4}\1(?:\r?\n)?\d{4})(?![\d-])"
)
_UNMOVED = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class RecheckFailed(Exception):
    """A finished PDF is not what was ordered; `what` says which fact, never a value."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Subject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose entry it must be. A name alone is not enough: many people share one.

    Shape:  born_on in the words of the paper; individual_number None = must not be on the paper (S19).
    """

    name: str
    born_on: str
    individual_number: str | None


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the order says: everybody's entry in order, where they live, the document by its headings, the number.

    Shape:  address None = no address at any sheet's head; domicile: of family registers, at the head of every sheet;
            back: from the issuer's own settings.
    """

    people: tuple[Subject, ...]
    address: str | None
    domicile: str | None = None
    headings: tuple[str, ...]  # each is a line of its own on every front
    issue_number: str
    sheets: int
    back: Back


def recheck(pdf: bytes, expected: Expected) -> None:
    """Refuse a PDF that is not exactly what was ordered.

    Errors: RecheckFailed(what).
    """
    try:
        texts = _read(pdf, expected)
    except pdfium.PdfiumError as error:
        raise RecheckFailed("pdf: cannot be read") from error
    fronts, backs = texts[::SIDES], texts[1::SIDES]
    words = back.words(expected.back)
    if any(_bare(text) != words for text in backs):
        raise RecheckFailed("back: not the issuer's own words")
    for number, text in enumerate(fronts, start=1):
        # Of people with one name and birth date, nothing else tells a sheet from another.
        if _SHEET_NUMBER.findall(text) != [f"{number}/{expected.sheets}"]:
            raise RecheckFailed("pages: a sheet is not at its place")
        # Headings are compared as lines: 課税証明書 is a part of 非課税証明書.
        if not set(expected.headings) <= {line.strip() for line in text.splitlines()}:
            raise RecheckFailed("headings: not on every front")
        if _ISSUE_NUMBER.findall(text) != [expected.issue_number]:
            raise RecheckFailed("issue_number: another one, or not on every front")
        addresses = [] if expected.address is None else [_bare(expected.address)]
        if [_bare(address) for address in _ADDRESS.findall(text)] != addresses:
            raise RecheckFailed("address: another one, or not on every front")
        domicile = _DOMICILE.search(text)
        if expected.domicile is not None and (domicile is None or _bare(domicile[1]) != _bare(expected.domicile)):
            raise RecheckFailed("domicile: another one, or not on every front")
    _check_people(fronts, expected.people)


def page_texts(pdf: bytes) -> list[str]:
    """Return the text of every page as pdfium extracts it, variation selectors included."""
    document = pdfium.PdfDocument(pdf)
    try:
        return [_text(document[index]) for index in range(len(document))]
    finally:
        document.close()


def _read(pdf: bytes, expected: Expected) -> list[str]:
    document = pdfium.PdfDocument(pdf)
    try:
        count = len(document)
        if expected.sheets > MAX_SHEETS or count != SIDES * expected.sheets:
            raise RecheckFailed("pages: not a front and a back for every sheet")
        texts = []
        for index in range(count):
            page = document[index]
            _check_boxes(page)
            _check_objects(page)
            texts.append(_text(page))
        return texts
    finally:
        document.close()


def _check_people(texts: list[str], people: tuple[Subject, ...]) -> None:
    """Everybody's entry in order, and nobody else's; an Individual Number in nobody's entry but its own."""
    printed: list[tuple[str, str]] = []
    numbers: list[list[str]] = []
    for text in texts:
        entries = list(_ENTRY.finditer(text))
        ends = [entry.start() for entry in entries[1:]] + [len(text)]
        if entries and _INDIVIDUAL_NUMBER.search(text, 0, entries[0].start()):
            raise RecheckFailed("individual_number: in nobody's entry")
        for entry, end in zip(entries, ends, strict=False):
            printed.append((_bare(entry[1]), entry[2]))
            numbers.append([found[0] for found in _INDIVIDUAL_NUMBER.finditer(text, entry.end(), end)])
    if [name for name, _born_on in printed] != [_bare(person.name) for person in people]:
        raise RecheckFailed("names: not those of the order")
    if [born_on for _name, born_on in printed] != [person.born_on for person in people]:
        raise RecheckFailed("born_on: not those of the order")
    if numbers != [[person.individual_number] if person.individual_number else [] for person in people]:
        raise RecheckFailed("individual_number: not as it was chosen")


def _check_boxes(page: pdfium.PdfPage) -> None:
    for box in (page.get_mediabox(), page.get_cropbox()):
        if any(abs(have - want) > BOX_TOLERANCE_PT for have, want in zip(box, A4_PT, strict=True)):
            raise RecheckFailed("box: not A4")
    if page.get_rotation() != 0:
        raise RecheckFailed("box: rotated")


def _check_objects(page: pdfium.PdfPage) -> None:
    """What is read must be what is seen: a parser reads text that is hidden, and a printer draws what it does not read.

    A page is forms as they are, and over them the text and what is drawn in black; a form holds no other form.
    """
    if pdfium_c.FPDFPage_GetAnnotCount(page.raw) != 0:
        raise RecheckFailed("objects: an annotation")
    covered = False
    for item in page.get_objects(max_depth=3):
        if item.type == pdfium_c.FPDF_PAGEOBJ_FORM:
            if covered or item.level > 0 or item.get_matrix().get() != _UNMOVED:
                raise RecheckFailed("objects: a form over the words, in another form, or moved")
        elif item.type == pdfium_c.FPDF_PAGEOBJ_TEXT:
            _check_text(item)
        elif item.level == 0 and not _is_black(item):
            raise RecheckFailed("objects: a colour over the words")
        covered |= item.level == 0 and item.type != pdfium_c.FPDF_PAGEOBJ_FORM


def _check_text(item: pdfium.PdfObject) -> None:
    font = pdfium_c.FPDFTextObj_GetFont(item.raw)
    if not font or pdfium_c.FPDFFont_GetIsEmbedded(font) != 1:
        raise RecheckFailed("fonts: one is not embedded")
    visible = pdfium_c.FPDFTextObj_GetTextRenderMode(item.raw) == pdfium_c.FPDF_TEXTRENDERMODE_FILL
    clipped = pdfium_c.FPDFClipPath_CountPaths(pdfium_c.FPDFPageObj_GetClipPath(item.raw)) > 0
    if not visible or clipped or not _is_black(item):
        raise RecheckFailed("text: read, but not seen")
    left, bottom, right, top = item.get_bounds()
    if left < A4_PT[0] or bottom < A4_PT[1] or right > A4_PT[2] or top > A4_PT[3]:
        raise RecheckFailed("text: not on the sheet")


def _is_black(item: pdfium.PdfObject) -> bool:
    red, green, blue, alpha = colour = [ctypes.c_uint() for _ in range(4)]
    told = pdfium_c.FPDFPageObj_GetFillColor(item.raw, red, green, blue, alpha)
    return bool(told) and [part.value for part in colour] == [0, 0, 0, 255]


def _text(page: pdfium.PdfPage) -> str:
    text: str = page.get_textpage().get_text_range()
    # pdfium reports a hyphen that ends a line as U+FFFE; the only other hyphen it means, U+00AD, is never drawn.
    return text.replace("\ufffe", "-")


def _bare(text: str) -> str:
    """Leave out white space: pdfium makes it up between runs and where a value is wrapped."""
    return "".join(text.split())
