"""Seal registration certificate (印鑑登録証明書): the registered seal at true size beside whose it is; one sheet."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image

from printing.paper.certificates import flow, sheet
from printing.paper.certificates.flow import Cell, Row
from printing.paper.certificates.sheet import EMPTY, SheetWords
from printing.paper.certificates.wording import wording
from printing.paper.errors import InconsistentRecord
from printing.paper.page import Align, Box, Document
from printing.paper.records import CertificateKind, Issuance, SealRegistrationCertificate

TITLE = "印鑑登録証明書"
MAX_SIDE_PX = 2000
MIN_DPI = 150  # below it, a seal's lines cannot be compared

_MM_PER_INCH = 25.4
_FRAME_MM = 60.0  # the area in which the seal stands
_MARGIN_MM = 10.0  # kept free around it, for the scale below
_SCALE_MM = 10.0
_LABEL_MM = 22.0
_ROW_MM = _FRAME_MM / 5


def sheets(_record: SealRegistrationCertificate) -> int:
    """Return the number of sheets."""
    return 1


def title(_record: SealRegistrationCertificate) -> str:
    """Return the document's title."""
    return TITLE


def check(record: SealRegistrationCertificate) -> None:
    """Refuse an image that cannot be shown at true size, or that is larger than the rules allow.

    Errors: InconsistentRecord.
    """
    if record.former_surname is not None and record.alias is not None:
        raise InconsistentRecord("alias", "nobody has both a former surname and an alias")
    if not 0 < record.largest_mm <= _FRAME_MM - 2 * _MARGIN_MM:
        raise InconsistentRecord("largest_mm", "larger than the paper's frame")
    _picture, width_mm, height_mm = _seal(record.image_png)
    if max(width_mm, height_mm) > record.largest_mm:
        raise InconsistentRecord("image_png", "larger than a registered seal may be")


def draw(document: Document, record: SealRegistrationCertificate, issuance: Issuance, seal_text: str) -> None:
    """Draw the sheet of a checked record.

    Errors: ValueTooLong, UndrawableText, NoEra, InconsistentRecord.
    """
    row = wording(CertificateKind.SEAL_REGISTRATION, issuance)
    words = SheetWords(TITLE, "", row.statement)
    sheet.draw_head(document, words, issuance)
    frame = Box(sheet.LEFT_MM, sheet.BODY_TOP_MM, _FRAME_MM, _FRAME_MM)
    left_mm = frame.left_mm + frame.width_mm
    flow.draw_rows(document, _rows(record), frame.top_mm, left_mm)
    _draw_seal(document, record, frame)
    outer = Box(frame.left_mm, frame.top_mm, sheet.WIDTH_MM, frame.height_mm)
    document.frame(outer, sheet.BORDER_PT)
    flow.draw_end(document, row.notes, frame.top_mm + frame.height_mm)
    sheet.finish_sheet(document, words, issuance, seal_text, number=1, total=1)


def _rows(record: SealRegistrationCertificate) -> tuple[Row, ...]:
    value_mm = sheet.WIDTH_MM - _FRAME_MM - _LABEL_MM
    born_on = flow.date_text(record.born_on, in_era=record.born_in_era)
    rows = (
        ("生年月日", born_on, "born_on"),
        ("旧氏", record.former_surname or EMPTY, "former_surname"),
        ("通称", record.alias or EMPTY, "alias"),
        ("住所", record.address, "address"),
    )
    name = Cell("氏名", record.name, "name", _LABEL_MM, value_mm)
    return (
        Row((name,), _ROW_MM),
        *(Row((Cell(label, value, item, _LABEL_MM, value_mm, size_pt=11.0),), _ROW_MM) for label, value, item in rows),
    )


def _draw_seal(document: Document, record: SealRegistrationCertificate, frame: Box) -> None:
    picture, width_mm, height_mm = _seal(record.image_png)
    document.frame(frame, sheet.RULE_PT)
    document.text(document.fonts.labels, "印影", frame.left_mm + 2.0, frame.top_mm + 4.0, sheet.LABEL_PT)
    middle_mm = (frame.left_mm + frame.width_mm / 2, frame.top_mm + frame.height_mm / 2)
    box = Box(middle_mm[0] - width_mm / 2, middle_mm[1] - height_mm / 2, width_mm, height_mm)
    document.bitmap("registered-seal", picture.width, picture.height, picture.tobytes(), box)
    # A scale at true size: whoever holds a ruler to it sees whether a copy was enlarged.
    left_mm, y_mm = frame.left_mm + 3.0, frame.top_mm + frame.height_mm - 4.0
    document.line((left_mm, y_mm), (left_mm + _SCALE_MM, y_mm), sheet.RULE_PT)
    for x_mm in (left_mm, left_mm + _SCALE_MM):
        document.line((x_mm, y_mm - 1.0), (x_mm, y_mm + 1.0), sheet.RULE_PT)
    words_mm = left_mm + _SCALE_MM + 1.5
    document.text(document.fonts.labels, f"{_SCALE_MM:g}mm", words_mm, y_mm, 6.5, align=Align.LEFT)


def _seal(image_png: bytes) -> tuple[Image.Image, float, float]:
    """Return a registered seal's picture, one bit a pixel, and its true width and height.

    Errors: InconsistentRecord.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(BytesIO(image_png), formats=("PNG",))
            if picture.mode != "1" or max(picture.size) > MAX_SIDE_PX:
                raise InconsistentRecord("image_png", f"one bit a pixel, at most {MAX_SIDE_PX} pixels a side")
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InconsistentRecord("image_png", "a PNG picture that can be read") from error
    across, down = picture.info.get("dpi", (0.0, 0.0))
    if min(across, down) < MIN_DPI or abs(across - down) > 0.5:
        raise InconsistentRecord("image_png", f"its resolution, the same both ways, at least {MIN_DPI} dpi")
    if picture.getextrema() != (0, 255):
        raise InconsistentRecord("image_png", "a seal, not one even colour")
    return picture, picture.width / across * _MM_PER_INCH, picture.height / down * _MM_PER_INCH
