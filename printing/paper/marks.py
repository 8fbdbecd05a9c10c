"""What is drawn on a paper beside text: the QR code of the seal, the electronic seal, the specimen mark."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

import zxingcpp

from printing.paper.bitmap import Bitmap
from printing.paper.fitting import Box
from printing.paper.page import WHITE, Document

QR_MODULE_MM = 0.508  # 0.02 inch: 3, 4 and 6 whole pixels at 150, 200 and 300 dpi
QR_QUIET_MM = 4 * QR_MODULE_MM
# Masks break up patterns in the data. A seal's is deflated and signed, so that no mask is better than another, and to
# weigh all eight would take a third of a paper's whole time.
_QR_MASK = 3
_DARK = bytes([ord("1")]) + bytes([ord("0")]) * 255  # of a picture's byte: 0 is dark
STAMP_COLOUR = (0.72, 0.08, 0.10)
SPECIMEN_COLOUR = (0.85, 0.875, 0.915)


def snap_mm(value_mm: float) -> float:
    """Return the nearest place on the module grid, so that modules fall on whole pixels of a raster of the page."""
    return round(value_mm / QR_MODULE_MM) * QR_MODULE_MM


def qr_rows(text: str) -> list[bytes]:
    """Return the modules of a QR code, level M, one bytes a row; 0 is dark, 255 light."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M", data_mask=_QR_MASK)
    image: Any = code.to_image(scale=1, add_quiet_zones=False)  # a buffer, though its stub does not say so
    side = int(image.shape[0])
    modules = bytes(image)
    return [modules[row * side : (row + 1) * side] for row in range(side)]


@lru_cache(maxsize=256)
def _qr_modules(characters: int) -> int:
    return len(qr_rows("A" * characters))


def qr_side_mm(characters: int) -> float:
    """Return the side of a QR code of so many capital letters and digits, without its quiet zone."""
    return _qr_modules(characters) * QR_MODULE_MM


def draw_qr(document: Document, text: str, left_mm: float, top_mm: float) -> None:
    """Draw a QR code as vector runs, its first module at a place, on white that is its quiet zone."""
    left_mm, top_mm = snap_mm(left_mm), snap_mm(top_mm)
    side_mm = qr_side_mm(len(text)) + 2 * QR_QUIET_MM
    document.fill(Box(left_mm - QR_QUIET_MM, top_mm - QR_QUIET_MM, side_mm, side_mm), WHITE)
    if document.trial:  # encoding is a quarter of a page's whole time
        return
    rows = qr_rows(text)
    assert len(rows) == _qr_modules(len(text)), "a seal's text is capital letters, digits and the like alone"
    document.grid(_dark_runs(rows), (left_mm, top_mm), QR_MODULE_MM)


def _dark_runs(rows: list[bytes]) -> list[str]:
    """Return a code's dark runs as rectangles of the grid, one text a row; a run ends with its eight modules at most.

    Rectangles that touch within one path are filled as one: there is no seam to be seen.
    """
    chunks = _chunks(-(-len(rows) // 8))
    pad = b"0" * (-len(rows) % 8)
    found = []
    for number, row in enumerate(rows):
        packed = int(row.translate(_DARK) + pad, 2).to_bytes(len(chunks), "big")
        found.append(
            "".join([runs[modules] for runs, modules in zip(chunks, packed, strict=True)]).replace("y", str(number))
        )
    return found


@lru_cache(maxsize=8)
def _chunks(count: int) -> list[list[str]]:
    """Return the rectangles of every eight modules at each place of a row that is called y."""
    return [[_rectangles(8 * place, modules) for modules in range(256)] for place in range(count)]


def _rectangles(left: int, modules: int) -> str:
    return "".join(f"{left + run.start()} y {len(run[0])} 1 re\n" for run in re.finditer("1+", f"{modules:08b}"))


def draw_stamp(document: Document, stamp: Bitmap, left_mm: float, top_mm: float) -> None:
    """Draw the municipal seal (電子公印) as a stencil at its true size: only its ink is drawn, on what is there."""
    box = Box(left_mm, top_mm, stamp.width_mm, stamp.height_mm)
    with document.prepared():
        document.bitmap("municipal-seal", stamp.width_px, stamp.height_px, stamp.rows, box, colour=STAMP_COLOUR)


def draw_specimen(document: Document) -> None:
    """Draw 「見本」 over the sheet: light, large, diagonal, and as outlines, so that it is in no extracted text."""
    angle = math.radians(35)
    with document.prepared():
        document.outlines(document.fonts.headings, "見　本", (105.0, 140.0), 150.0, angle=angle, colour=SPECIMEN_COLOUR)
