"""The receipt: 80 mm of thermal paper, straight to the device, so that its paper can be asked for.

A slip goes out as one picture, so that no model's code page decides which characters it has. The commands are those of
Epson's ESC/POS reference. Two questions look alike and are not: DLE EOT is answered at once, by a printer that has
stopped, too; GS r stands in the buffer behind the picture and is answered once that is on the paper, and not at all by
a printer that has stopped. So the second is the word that the slip came out. What a printer without paper still holds
it would print whenever somebody lays in a roll, before whoever stands there then: its buffer is cleared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import serial
from PIL import Image, ImageDraw, ImageFont

from printing.press.slip import Line, Size, Slip, SlipOutcome

WIDTH_DOTS: Final = 576  # 72 mm at 8 dots a millimetre: what an 80 mm roll takes
BAUD: Final = 38_400
ANSWER_TIMEOUT_S: Final = 1.0  # of a question that is answered at once
SLIP_TIMEOUT_S: Final = 12.0  # until the picture is on the paper; 150 mm/s is slow
BAND_DOTS: Final = 256  # of height a command: small buffers take no whole slip at once

_FONT: Final = Path("/usr/share/fonts/truetype/bizud-gothic/BIZUDGothic-Regular.ttf")
_MARGIN_DOTS: Final = 12
_LEADING: Final = 1.35
_RULE_DOTS: Final = 2

_PAPER: Final = b"\x10\x04\x04"  # DLE EOT 4
_ONLINE: Final = b"\x10\x04\x01"  # DLE EOT 1
_CLEAR: Final = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"  # DLE DC4 8: clear the buffers
_INIT: Final = b"\x1b@"
_RASTER: Final = b"\x1dv0\x00"
_FEED_AND_CUT: Final = b"\x1dVB\x00"
_IN_ORDER: Final = b"\x1dr\x01"  # GS r 1

_FIXED_BITS, _FIXED = 0x93, 0x12  # of every answer to DLE EOT
_PAPER_END: Final = 0x60
_OFFLINE: Final = 0x08
_IN_ORDER_FIXED_BITS: Final = 0x90  # both 0 in the answer to GS r
_IN_ORDER_PAPER_END: Final = 0x0C
_PORT_ERRORS: Final = (OSError, serial.SerialException)


_HEIGHT_DOTS: Final = {Size.SMALL: 22, Size.PLAIN: 28, Size.LARGE: 44}


class ReceiptPrinter:
    """One receipt printer; what runs inside its worker.

    Shape:  port is a serial device's path, or a URL of pyserial's ("socket://host:9100").
    """

    def __init__(self, port: str, _emit: Callable[[object], None] = lambda _: None) -> None:
        self._address = port
        self._port: serial.Serial | None = None

    def print(self, slip: Slip) -> SlipOutcome:
        """Print one slip, once; never again by itself."""
        picture = draw(slip)
        # 1. Would it come out? A printer that does not answer is sent nothing.
        try:
            port = self._open()
            if not self._is_ready(port):
                return SlipOutcome.NO_PAPER if self._is_out_of_paper(port) else SlipOutcome.NOT_PRINTED
        except _PORT_ERRORS:
            self.close()
            return SlipOutcome.NOT_PRINTED
        # 2. Sent, and behind it the question that is answered when it is on the paper.
        try:
            port.write(encode(picture) + _IN_ORDER)
            said = self._hear(port, _IN_ORDER_FIXED_BITS, 0, SLIP_TIMEOUT_S)
            if said is not None and not said & _IN_ORDER_PAPER_END:
                return SlipOutcome.PRINTED
            # 3. It stopped: what it still holds must not come out later.
            is_out = self._is_out_of_paper(port)
            port.write(_CLEAR + _ONLINE)
            self._hear(port, _FIXED_BITS, _FIXED, ANSWER_TIMEOUT_S)  # behind this answer it is cleared
        except _PORT_ERRORS:
            self.close()
            return SlipOutcome.UNKNOWN
        return SlipOutcome.NO_PAPER if is_out else SlipOutcome.UNKNOWN

    def close(self) -> None:
        """Let the port go."""
        if self._port is not None:
            self._port.close()
            self._port = None

    def _open(self) -> serial.Serial:
        """Return the port, opened anew for each slip: a printer that was off meanwhile answers on a new line only."""
        self.close()
        self._port = serial.serial_for_url(
            self._address, baudrate=BAUD, timeout=ANSWER_TIMEOUT_S, write_timeout=SLIP_TIMEOUT_S
        )
        return self._port

    def _is_ready(self, port: serial.Serial) -> bool:
        port.reset_input_buffer()
        port.write(_ONLINE)
        said = self._hear(port, _FIXED_BITS, _FIXED, ANSWER_TIMEOUT_S)
        return said is not None and not said & _OFFLINE and not self._is_out_of_paper(port)

    def _is_out_of_paper(self, port: serial.Serial) -> bool:
        port.write(_PAPER)
        said = self._hear(port, _FIXED_BITS, _FIXED, ANSWER_TIMEOUT_S)
        return said is not None and said & _PAPER_END == _PAPER_END

    def _hear(self, port: serial.Serial, fixed_bits: int, fixed: int, timeout_s: float) -> int | None:
        """Return the first byte that is an answer of this kind; None if none comes."""
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            port.timeout = left_s
            said: bytes = port.read(1)
            if said and said[0] & fixed_bits == fixed:
                return said[0]
        return None


def encode(picture: Image.Image) -> bytes:
    """Return the commands that print a picture of 1 bit a dot, and cut the paper behind it.

    Shape:  picture's mode is "1", 0 is black; its width is a multiple of 8.
    """
    width_bytes = picture.width // 8
    told = [_INIT]
    for top in range(0, picture.height, BAND_DOTS):
        band = picture.crop((0, top, picture.width, min(top + BAND_DOTS, picture.height)))
        size = width_bytes.to_bytes(2, "little") + band.height.to_bytes(2, "little")
        told.append(_RASTER + size + bytes(255 - byte for byte in band.tobytes()))  # a set bit is black there
    return b"".join((*told, _FEED_AND_CUT))


def draw(slip: Slip) -> Image.Image:
    """Return the slip as a picture; a text that is too wide for its line goes on in the next."""
    laid = [row for line in slip.lines for row in _rows(line)]
    height = sum(map(_row_height, laid)) + 2 * _MARGIN_DOTS
    picture = Image.new("1", (WIDTH_DOTS, height), 1)
    pen = ImageDraw.Draw(picture)
    pen.fontmode = "1"
    top = _MARGIN_DOTS
    for row in laid:
        _draw_row(pen, row, top)
        top += _row_height(row)
    return picture


def _rows(line: Line) -> list[Line]:
    """Return a line as rows of which each has room."""
    font = _font(line.size)
    room = WIDTH_DOTS - 2 * _MARGIN_DOTS - (font.getlength(line.right + "　") if line.right else 0)
    rows, rest = [], line.left
    while rest and font.getlength(rest) > room:
        fits = next(count for count in range(len(rest), 0, -1) if count == 1 or font.getlength(rest[:count]) <= room)
        cut = rest.rfind(" ", 0, fits + 1) + 1 if rest[:fits].isascii() else 0
        rows.append(rest[: cut or fits].rstrip())
        rest = rest[cut or fits :]
    last = Line(rest, line.right, line.size, line.centred)
    return [*(Line(row, "", line.size, line.centred) for row in rows), last]


def _row_height(row: Line) -> int:
    return int(_HEIGHT_DOTS[row.size] * _LEADING)


def _draw_row(pen: ImageDraw.ImageDraw, row: Line, top: int) -> None:
    font = _font(row.size)
    right_edge = WIDTH_DOTS - _MARGIN_DOTS
    if not row.left and not row.right:
        middle = top + _row_height(row) // 2
        pen.line(((_MARGIN_DOTS, middle), (right_edge, middle)), fill=0, width=_RULE_DOTS)
        return
    left = (WIDTH_DOTS - font.getlength(row.left)) / 2 if row.centred else _MARGIN_DOTS
    pen.text((left, top), row.left, font=font, fill=0)
    if row.right:
        pen.text((right_edge - font.getlength(row.right), top), row.right, font=font, fill=0)


@cache
def _font(size: Size) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_FONT), _HEIGHT_DOTS[size])
