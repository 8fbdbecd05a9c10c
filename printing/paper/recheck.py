"""Read a finished PDF back with another parser than the one that wrote it, before anybody may have it.

pdfium gives the text, the boxes and the fonts; what it says is compared with what the order says, not with the record
that was drawn. pdfium is not thread-safe: one call at a time in a process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

A4_PT = (0.0, 0.0, 595.2756, 841.8898)
BOX_TOLERANCE_PT = 0.01
MAX_PAGES = 50

# What follows a name: its reading, or whichever item of its entry stands there; on a residence item certificate that
# may be any of them, the next person, or the end of the sheet's entries.
_AFTER_NAME = (
    "振り仮名|生年月日|性別|旧氏|通称|続柄|住民となった年月日|外国人住民となった年月日|住所を定めた年月日|届出日|本籍|"
    "国籍・地域|30条の45に規定する区分|在留カード番号|在留カード等番号|特別永住者証明書番号|通称の記載・削除|転入前住所|"
    "異動前住所|個人番号|備考"
)
# Both labels begin a line of the extracted text; a wrapped name goes over several lines, up to the next label.
_NAME = re.compile(
    rf"^(?:[0-9]+ )?氏名 (.*?)\s(?=(?:{_AFTER_NAME})\s|(?:[0-9]+ )?氏名 |以下余白|認証文は)", re.DOTALL | re.MULTILINE
)
_ISSUE_NUMBER = re.compile(r"^発行番号 (\S+)", re.MULTILINE)


class RecheckFailed(Exception):
    """A finished PDF is not what was ordered; `what` says which fact, never a value."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True, slots=True)
class Expected:
    """What the order says: the names printed as 氏名 in order, title, number and sheets."""

    names: tuple[str, ...]
    title: str
    issue_number: str
    pages: int


def recheck(pdf: bytes, expected: Expected) -> None:
    """Refuse a PDF that is not exactly what was ordered.

    Errors: RecheckFailed(what).
    """
    try:
        document = pdfium.PdfDocument(pdf)
    except pdfium.PdfiumError as error:
        raise RecheckFailed("pdf: cannot be read") from error
    try:
        texts = _read(document, expected)
    finally:
        document.close()
    for text in texts:
        # The title is compared as a line: 課税証明書 is a part of 非課税証明書.
        if expected.title not in (line.strip() for line in text.splitlines()):
            raise RecheckFailed("title: not on every page")
        if _ISSUE_NUMBER.findall(text) != [expected.issue_number]:
            raise RecheckFailed("issue_number: another one, or not on every page")
    printed = [_bare(name) for text in texts for name in _NAME.findall(text)]
    if printed != [_bare(name) for name in expected.names]:
        raise RecheckFailed("names: not those of the order")


def page_texts(pdf: bytes) -> list[str]:
    """Return the text of every page as pdfium extracts it, variation selectors included."""
    document = pdfium.PdfDocument(pdf)
    try:
        return [_text(document[index]) for index in range(len(document))]
    finally:
        document.close()


def _read(document: pdfium.PdfDocument, expected: Expected) -> list[str]:
    count = len(document)
    if count != expected.pages or count > MAX_PAGES:
        raise RecheckFailed("pages: another number")
    texts = []
    for index in range(count):
        page = document[index]
        _check_boxes(page)
        _check_fonts(page)
        texts.append(_text(page))
    return texts


def _check_boxes(page: pdfium.PdfPage) -> None:
    for box in (page.get_mediabox(), page.get_cropbox()):
        if any(abs(have - want) > BOX_TOLERANCE_PT for have, want in zip(box, A4_PT, strict=True)):
            raise RecheckFailed("box: not A4")
    if page.get_rotation() != 0:
        raise RecheckFailed("box: rotated")


def _check_fonts(page: pdfium.PdfPage) -> None:
    for item in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_TEXT]):
        font = pdfium_c.FPDFTextObj_GetFont(item.raw)
        if not font or pdfium_c.FPDFFont_GetIsEmbedded(font) != 1:
            raise RecheckFailed("fonts: one is not embedded")


def _text(page: pdfium.PdfPage) -> str:
    text: str = page.get_textpage().get_text_range()
    # pdfium reports a hyphen that ends a line as U+FFFE; the only other hyphen it means, U+00AD, is never drawn.
    return text.replace("\ufffe", "-")


def _bare(text: str) -> str:
    """Leave out white space: pdfium makes it up between runs and where a value is wrapped."""
    return "".join(text.split())
