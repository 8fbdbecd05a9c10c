"""What stands on a paper that comes as a file: its codes, and the text that a PDF carries. In memory only."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass
from typing import Final

import pypdfium2 as pdfium
import zxingcpp
from PIL import Image, ImageOps, UnidentifiedImageError

from printing.paper.seal import RASTER_DPI

MAX_FILE_BYTES: Final = 30 * 1024 * 1024
MAX_PIXELS: Final = 60_000_000  # A4 at 600 dpi has 35 million
_MAX_TEXT_PAGES: Final = 40  # twenty sheets with their backs
_MAX_PAGE_SIDE_PT: Final = 1_500
_PDF_MAGIC: Final = b"%PDF-"
#: What cameras and scanners write. The imaging library knows many more, and starts another program for some of them.
_FORMATS: Final = ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"]
Image.init()  # or some of them are not known to it yet


class NotAPaper(Exception):
    """Neither a picture nor a PDF that can be drawn."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A file's content. codes: those of the picture or the first page; page_text: a PDF's own text, else None."""

    codes: tuple[str, ...]
    page_text: str | None


def read_file(data: bytes) -> Paper:
    """Read a picture or PDF. pdfium is not thread-safe: one call at a time in a process.

    Errors: NotAPaper.
    """
    if len(data) > MAX_FILE_BYTES:
        raise NotAPaper(f"more than {MAX_FILE_BYTES // 2**20} MiB")
    return _read_pdf(data) if _PDF_MAGIC in data[:1024] else _read_picture(data)


def _read_pdf(data: bytes) -> Paper:
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise NotAPaper("not a PDF that can be drawn") from error
    try:
        first = document[0]
        if max(first.get_size()) > _MAX_PAGE_SIDE_PT:
            raise NotAPaper("the first page is far larger than A4")
        picture = first.render(scale=RASTER_DPI / 72, grayscale=True).to_pil()
        pages = range(min(len(document), _MAX_TEXT_PAGES))
        text = "\n".join(document[number].get_textpage().get_text_range() for number in pages)
    except pdfium.PdfiumError as error:
        raise NotAPaper("a page of the PDF cannot be drawn") from error
    finally:
        document.close()
    # pdfium reports a hyphen that ends a line as U+FFFE.
    return Paper(_codes(picture), text.replace("\ufffe", "-"))


def _read_picture(data: bytes) -> Paper:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a broken file's parts; whether it can be read is what counts
            file = Image.open(io.BytesIO(data), formats=_FORMATS)
            if file.width * file.height > MAX_PIXELS:
                raise NotAPaper("the picture has too many pixels")
            picture = ImageOps.exif_transpose(file).convert("L")
    # The decoders of broken files raise all of these.
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise NotAPaper("not a picture") from error
    except (ArithmeticError, LookupError, NotImplementedError, TypeError, struct.error) as error:
        raise NotAPaper("not a picture that is whole") from error
    return Paper(_codes(picture), None)


def _codes(picture: Image.Image) -> tuple[str, ...]:
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))
    return tuple(bytes(code.bytes).decode("utf-8", "replace") for code in found)
