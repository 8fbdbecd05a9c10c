"""Pictures of seals that nobody has: round ones of people (印鑑), square ones of invented municipalities (電子公印).

Drawn with Pillow, one bit a pixel, with their resolution, so that their true size is in them. The same words give the
same bytes.
"""

from __future__ import annotations

import math
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from printing.paper.fonts import FONT_FOLDER

DPI: Final = 300
SQUARE_DPI: Final = 600
_EM_PX: Final = 300
_MM_PER_INCH: Final = 25.4
_MINCHO: Final = FONT_FOLDER / "ipamj" / "ipamjm.ttf"
_GOTHIC: Final = FONT_FOLDER / "bizud-gothic" / "BIZUDGothic-Regular.ttf"


def round_seal_png(legend: str, diameter_mm: float, *, dpi: int = DPI, line_px: int = 5, shift_px: int = 0) -> bytes:
    """Return a round seal of one column, black on paper."""
    side_px = round(diameter_mm / _MM_PER_INCH * dpi)
    image = Image.new("1", (side_px, side_px), 1)
    draw = ImageDraw.Draw(image)
    draw.ellipse((1, 1, side_px - 2, side_px - 2), outline=0, width=line_px)
    font = _font(_MINCHO, round(side_px * 0.8 / max(2, len(legend))))
    step_px = side_px * 0.78 / len(legend)
    for at, letter in enumerate(legend):
        middle = (side_px / 2 + shift_px, side_px * 0.11 + step_px * (at + 0.5))
        draw.text(middle, letter, fill=0, font=font, anchor="mm")
    return _png(image, dpi)


@cache
def square_seal_png(words: str, side_mm: float = 21.0) -> bytes:
    """Return a square seal in a double frame: columns from the right, each filled from top to bottom."""
    side_px = round(side_mm / _MM_PER_INCH * SQUARE_DPI)
    image = Image.new("1", (side_px, side_px), 1)
    draw = ImageDraw.Draw(image)
    outer_px, inner_px, inset_px = (max(1, round(side_px * part)) for part in (0.03, 0.008, 0.055))
    draw.rectangle((0, 0, side_px - 1, side_px - 1), outline=0, width=outer_px)
    draw.rectangle((inset_px, inset_px, side_px - 1 - inset_px, side_px - 1 - inset_px), outline=0, width=inner_px)
    margin_px = round(side_px * 0.085)
    room_px = side_px - 2 * margin_px
    columns = math.ceil(math.sqrt(len(words)))
    width_px = room_px / columns
    for column in range(columns):
        letters = words[column * len(words) // columns : (column + 1) * len(words) // columns]
        height_px = room_px / len(letters)
        left_px = side_px - margin_px - (column + 1) * width_px
        for row, letter in enumerate(letters):
            drawn = _letter(letter, round(width_px * 0.94), round(height_px * 0.94))
            at = (round(left_px + width_px * 0.03), round(margin_px + (row + 0.03) * height_px))
            image.paste(0, at, drawn)
    return _png(image, SQUARE_DPI)


def _letter(letter: str, width_px: int, height_px: int) -> Image.Image:
    """One letter's ink as a mask: its em box is stretched to the cell, as an engraver does."""
    mask = Image.new("L", (_EM_PX, _EM_PX), 0)
    ImageDraw.Draw(mask).text((_EM_PX / 2, _EM_PX / 2), letter, fill=255, font=_font(_GOTHIC, _EM_PX), anchor="mm")
    ink = mask.resize((width_px, height_px), Image.Resampling.LANCZOS)
    return ink.point([255 * (level > 127) for level in range(256)]).convert("1")


def _png(image: Image.Image, dpi: int) -> bytes:
    out = BytesIO()
    image.save(out, "PNG", dpi=(dpi, dpi))
    return out.getvalue()


@cache
def _font(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size_px)
