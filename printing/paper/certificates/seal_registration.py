"""Seal registration certificate (印鑑登録証明書): the registered seal at true size beside whose it is; one sheet."""

from __future__ import annotations

from printing.paper.bitmap import Bitmap, read_bitmap
from printing.paper.certificates import flow, sheet
from printing.paper.certificates.flow import Cell, Row
from printing.paper.certificates.sheet import EMPTY, SheetWords
from printing.paper.certificates.wording import wording
from printing.paper.errors import BadBitmap, InconsistentRecord
from printing.paper.fitting import Align, Box
from printing.paper.page import Document
from printing.paper.records import CertificateKind, Issuance, SealRegistrationCertificate

TITLE = "印鑑登録証明書"

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
    _seal(record)


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
    seal = _seal(record)
    document.frame(frame, sheet.RULE_PT)
    document.text(document.fonts.labels, "印影", frame.left_mm + 2.0, frame.top_mm + 4.0, sheet.LABEL_PT)
    middle_mm = (frame.left_mm + frame.width_mm / 2, frame.top_mm + frame.height_mm / 2)
    left_mm, top_mm = middle_mm[0] - seal.width_mm / 2, middle_mm[1] - seal.height_mm / 2
    box = Box(left_mm, top_mm, seal.width_mm, seal.height_mm)
    document.bitmap("registered-seal", seal.width_px, seal.height_px, seal.rows, box)
    # A scale at true size: whoever holds a ruler to it sees whether a copy was enlarged.
    left_mm, y_mm = frame.left_mm + 3.0, frame.top_mm + frame.height_mm - 4.0
    document.line((left_mm, y_mm), (left_mm + _SCALE_MM, y_mm), sheet.RULE_PT)
    for x_mm in (left_mm, left_mm + _SCALE_MM):
        document.line((x_mm, y_mm - 1.0), (x_mm, y_mm + 1.0), sheet.RULE_PT)
    words_mm = left_mm + _SCALE_MM + 1.5
    document.text(document.fonts.labels, f"{_SCALE_MM:g}mm", words_mm, y_mm, 6.5, align=Align.LEFT)


def _seal(record: SealRegistrationCertificate) -> Bitmap:
    """Return the registered seal's picture.

    Errors: InconsistentRecord.
    """
    try:
        return read_bitmap(record.image_png, largest_mm=record.largest_mm)
    except BadBitmap as bad:
        raise InconsistentRecord("image_png", bad.rule) from bad
