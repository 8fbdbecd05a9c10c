"""A model of an ordinary copier and of an eye, to measure what a sheet shows of its latent 複写 and what a copy shows.

The printer is pdfium's raster at 600 dpi without smoothing: a device sets whole dots. Then the toner spreads (a blur of
`gain_px`), the sheet lies on the glass a little askew, the scanner integrates over its own pixels of 300 dpi, a tone
curve takes what is light to white, and the copy is set in black or not at all. The eye at 300 mm is a blur that halves
what repeats 8 times in a degree.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import pikepdf
import pypdfium2 as pdfium
from PIL import Image, ImageChops, ImageFilter, ImageStat

from printing.paper.latent import Tile
from printing.paper.screens import DPI, SIDE_PX

SCANNER_DPI = 300
EYE_PX = 2.9  # of 600 dpi: half the contrast at 8 cycles a degree, 0.65 mm at 300 mm
TURN_DEG = 0.7  # no sheet lies straight: over a page, dots meet the scanner's pixels in every way

# What the untouched sheet may differ by at reading distance, and what a copy must; parts of white or of the paper.
TONE_MAX = 0.004
TEXTURE_MAX = 0.03
SHOWN_MIN = 0.03
SHOWN_RATIO_MIN = 2.0

_CURVE_LEVELS = 40  # from what a copier takes for white to what it takes for black
_KEEP_OFF_PX = 9  # of 100 dpi: around print; a code's white ground reaches 2 mm


@dataclass(frozen=True, slots=True)
class Sheet:
    """A printed sheet at 600 dpi, or its scan; masks say where letters and ground stand free of print."""

    picture: Image.Image
    letters: Image.Image
    ground: Image.Image


@dataclass(frozen=True, slots=True)
class Original:
    """What an eye has of the untouched sheet: tone apart, and how restless letters are beyond the ground."""

    tone: float
    texture: float

    @property
    def hides(self) -> bool:
        """Whether a reader sees one even tint."""
        return self.tone <= TONE_MAX and self.texture <= TEXTURE_MAX


@dataclass(frozen=True, slots=True)
class Copy:
    """What part of the copy is black in the letters and in the ground."""

    letters: float
    ground: float

    @property
    def shows(self) -> bool:
        """Whether the word stands on the copy."""
        return self.letters - self.ground >= SHOWN_MIN and self.letters >= SHOWN_RATIO_MIN * self.ground


def printed(pdf: bytes, page: int = 0) -> Image.Image:
    """Return a page as a printer of 600 dpi sets it, in grey."""
    document = pdfium.PdfDocument(pdf)
    try:
        return document[page].render(scale=DPI / 72, grayscale=True, no_smoothimage=True).to_pil()
    finally:
        document.close()


def without_pattern(pdf: bytes) -> bytes:
    """Return a document whose tiles of the pattern hold no ink."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        for item in document.objects:
            if isinstance(item, pikepdf.Stream) and item.get("/Width") == SIDE_PX:
                item.write(b"\xff" * (SIDE_PX * SIDE_PX // 8))
        document.save(out)
    return out.getvalue()


def sheet(pdf: bytes, tile: Tile, page: int = 0, area: tuple[int, int, int, int] | None = None) -> Sheet:
    """Return a page with its masks, or an area of it, in px of 600 dpi."""
    pictures = (printed(pdf, page), printed(without_pattern(pdf), page), _letters(tile))
    picture, bare, letters = (whole.crop(area or (0, 0, *pictures[0].size)) for whole in pictures)
    free = bare.reduce(DPI // 100).point(lambda level: 255 * (level == 255))
    free = free.filter(ImageFilter.MinFilter(2 * _KEEP_OFF_PX + 1)).resize(picture.size, Image.Resampling.NEAREST)
    return Sheet(picture, ImageChops.multiply(letters, free), ImageChops.multiply(ImageChops.invert(letters), free))


def look(page: Sheet) -> Original:
    """Return what an eye at reading distance has of the untouched sheet."""
    tones = [_mean(page.picture, mask) for mask in (page.letters, page.ground)]
    blurred = page.picture.filter(ImageFilter.GaussianBlur(EYE_PX))
    letters, ground = (ImageStat.Stat(blurred, mask).stddev[0] / 255 for mask in (page.letters, page.ground))
    return Original(abs(tones[0] - tones[1]), letters - ground)


def scan(page: Sheet, gain_px: float) -> Sheet:
    """Return the sheet as a scanner has it, printed with so much dot gain."""
    masks = (_laid(mask, Image.Resampling.NEAREST, 0) for mask in (page.letters, page.ground))
    # Only where a scanner's pixel lies wholly within a mask.
    letters, ground = (mask.point(lambda level: 255 * (level == 255)) for mask in masks)
    return Sheet(_scanned(page.picture, gain_px), letters, ground)


def seen(picture: Image.Image, dpi: int) -> Image.Image:
    """Return a printed picture as an eye has it, made smaller."""
    half = picture.reduce(2)
    return half.filter(ImageFilter.GaussianBlur(EYE_PX / 2)).reduce(DPI // 2 // dpi)


def copied(picture: Image.Image, gain_px: float, white_level: int) -> Image.Image:
    """Return the copy of a printed picture, at the scanner's resolution."""
    return _set_again(_scanned(picture, gain_px), white_level)


def _scanned(picture: Image.Image, gain_px: float) -> Image.Image:
    return _laid(picture.filter(ImageFilter.GaussianBlur(gain_px)), Image.Resampling.BICUBIC, 255)


def _set_again(scanned: Image.Image, white_level: int) -> Image.Image:
    """Return the copy: the scan after the tone curve, in black and white; what is lighter than white_level is lost."""
    black_level = white_level - _CURVE_LEVELS
    curve = scanned.point(lambda level: max(0, min(255, (level - black_level) * 255 / _CURVE_LEVELS)))
    return curve.point(lambda level: 255 * (level >= 128))


def copy(scanned: Sheet, white_level: int) -> Copy:
    """Return what stands on a copy, made by a copier that takes what is lighter than white_level, of 255, for paper."""
    made = _set_again(scanned.picture, white_level)
    return Copy(1 - _mean(made, scanned.letters), 1 - _mean(made, scanned.ground))


def _laid(picture: Image.Image, resampling: Image.Resampling, outside: int) -> Image.Image:
    """Return a picture as it lies on the glass, integrated over the scanner's pixels."""
    return picture.rotate(TURN_DEG, resample=resampling, fillcolor=outside).reduce(DPI // SCANNER_DPI)


@lru_cache(maxsize=2)
def _letters(tile: Tile) -> Image.Image:
    """Return where letters are, on a little more than a sheet."""
    count = tile.width_px // tile.screen.letter_grid_px
    cells = Image.frombytes("L", (count, count), bytes(255 * cell for cell in tile.cells))
    one = cells.resize((tile.width_px, tile.height_px), Image.Resampling.NEAREST)
    letters = Image.new("L", (4 * tile.width_px, 5 * tile.height_px))
    for left_px in range(0, letters.width, tile.width_px):
        for top_px in range(0, letters.height, tile.height_px):
            letters.paste(one, (left_px, top_px))
    return letters


def _mean(picture: Image.Image, mask: Image.Image) -> float:
    return ImageStat.Stat(picture, mask).mean[0] / 255
