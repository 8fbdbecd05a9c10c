"""A picture of one bit a pixel that knows its true size: registered seals (印影) and municipal seals (電子公印).

The one place where such a PNG is read. What cannot be shown at true size is refused here, with the rule that it breaks.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO

from PIL import Image

from printing.paper.errors import BadBitmap

MAX_SIDE_PX = 2000
MAX_MUNICIPAL_SEAL_MM = 30.0  # the room that every sheet has for it
MIN_DPI = 150  # below it, a seal's lines cannot be compared

_MM_PER_INCH = 25.4
_STAMPS_KEPT = 256  # what a process remembers of municipal seals, some 30 KB each
_MAX_BYTES = 1_000_000  # far more than MAX_SIDE_PX squared takes
_ROUNDING_MM = 0.05  # a side is a whole number of pixels
_DPI_TOLERANCE = 0.5  # PNG counts pixels per metre, in whole ones


@dataclass(frozen=True, slots=True)
class Bitmap:
    """A picture and its true size. rows: one bit a pixel, padded to bytes, 1 is paper."""

    width_px: int
    height_px: int
    rows: bytes
    width_mm: float
    height_mm: float


def read_bitmap(png: bytes, *, largest_mm: float) -> Bitmap:
    """Return the picture in a PNG of one bit a pixel that states its resolution.

    Shape:  largest_mm is the longest side that there may be.
    Errors: BadBitmap, which names the rule and nothing of the picture.
    """
    if len(png) > _MAX_BYTES:
        raise BadBitmap(f"at most {_MAX_BYTES} bytes")
    picture = _picture(png)
    across, down = picture.info.get("dpi", (0.0, 0.0))
    if min(across, down) < MIN_DPI or abs(across - down) > _DPI_TOLERANCE:
        raise BadBitmap(f"its resolution, the same both ways, at least {MIN_DPI} dpi")
    if picture.getextrema() != (0, 255):
        raise BadBitmap("a seal, not one even colour")
    width_mm, height_mm = picture.width / across * _MM_PER_INCH, picture.height / down * _MM_PER_INCH
    if max(width_mm, height_mm) > largest_mm + _ROUNDING_MM:
        raise BadBitmap(f"at most {largest_mm:g} mm a side")
    return Bitmap(picture.width, picture.height, picture.tobytes(), width_mm, height_mm)


@lru_cache(maxsize=_STAMPS_KEPT)
def municipal_seal(png: bytes) -> Bitmap:
    """Return a municipal seal's picture; registered seals are a person's, and are not remembered.

    Errors: BadBitmap if it cannot be shown at true size, or is larger than the form's room for it.
    """
    return read_bitmap(png, largest_mm=MAX_MUNICIPAL_SEAL_MM)


def _picture(png: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(BytesIO(png), formats=("PNG",))
            # Its head says so much before a single pixel is unpacked.
            if picture.mode != "1" or max(picture.size) > MAX_SIDE_PX:
                raise BadBitmap(f"one bit a pixel, at most {MAX_SIDE_PX} pixels a side")
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadBitmap("a PNG picture that can be read") from error
    return picture
