"""The receipt: 80 mm of thermal paper, straight to a printer in the network, so that its paper can be asked for.

A slip goes out as a picture, so that no model's code page decides which characters it has. The commands are those of
Epson's ESC/POS reference. Two questions look alike and are not: DLE EOT is answered at once, by a printer that has
stopped, too; GS r stands in the buffer behind the picture and is answered once that is on the paper, and not at all by
a printer that has stopped. So the second is the word that a part came out.

What a printer without paper still holds it would print whenever somebody lays in a roll, before whoever stands there
then, and a code that is worth money may stand on it. So it is given one narrow band at a time, the next only when that
is on the paper; and before every slip, and behind every one that did not come out, its buffer is cleared.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from PIL import Image, ImageDraw, ImageFont

from printing.paper.lines import Break, break_costs
from printing.press.slip import Line, Size, Slip, SlipOutcome

WIDTH_DOTS: Final = 576  # 72 mm at 8 dots a millimetre: what an 80 mm roll takes
BAND_DOTS: Final = 48  # of height: less than a line of a code, and less than the smallest printer's buffer of 4 KiB
CONNECT_TIMEOUT_S: Final = 2.0
ANSWER_TIMEOUT_S: Final = 1.0  # of a question that is answered at once
CLEAR_TIMEOUT_S: Final = 0.5  # of a word that not every model has
BAND_TIMEOUT_S: Final = 3.0  # until a band is on the paper
SLIP_TIMEOUT_S: Final = 12.0  # for all bands; with what comes before and behind it 26 s at most

_FONT: Final = Path("/usr/share/fonts/truetype/bizud-gothic/BIZUDGothic-Regular.ttf")
_MARGIN_DOTS: Final = 12
_LEADING: Final = 1.35
_RULE_DOTS: Final = 2
_HEIGHT_DOTS: Final = {Size.SMALL: 22, Size.PLAIN: 28, Size.LARGE: 44}
_GAP: Final = "\u3000"  # between the Japanese and the English of a line

_PAPER: Final = b"\x10\x04\x04"  # DLE EOT 4
_ONLINE: Final = b"\x10\x04\x01"  # DLE EOT 1
_CLEAR: Final = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"  # DLE DC4 8: clear the buffers
_CLEARED: Final = b"\x37\x25\x00"
_INIT: Final = b"\x1b@\x1da\x00"  # ESC @, GS a 0: no status but what is asked for
_RASTER: Final = b"\x1dv0\x00"
_FEED_AND_CUT: Final = b"\x1dVB\x00"
_IN_ORDER: Final = b"\x1dr\x01"  # GS r 1

_FIXED_BITS, _FIXED = 0x93, 0x12  # of every answer to DLE EOT
_PAPER_END: Final = 0x60
_OFFLINE: Final = 0x08
_IN_ORDER_FIXED_BITS: Final = 0x90  # both 0 in the answer to GS r
_IN_ORDER_PAPER_END: Final = 0x0C
_DROP_WHAT_WAITS: Final = struct.pack("ii", 1, 0)  # SO_LINGER: at close nothing is sent any more


class _Stopped(Exception):
    """The printer did not say that what it was given is on the paper."""


class ReceiptPrinter:
    """One receipt printer; what runs inside its worker.

    Shape:  address is "socket://host:port"; most models listen on 9100.
    """

    def __init__(self, address: str, _emit: Callable[[object], None] = lambda _: None) -> None:
        where = urlsplit(address)
        self._address = (where.hostname or "", where.port or 0)
        for size in Size:
            _font(size)

    def print(self, slip: Slip) -> SlipOutcome:
        """Print one slip, once; never again by itself."""
        picture = draw(slip)
        try:
            connection = socket.create_connection(self._address, CONNECT_TIMEOUT_S)
        except OSError:
            return SlipOutcome.NOT_PRINTED
        with connection:
            # 1. Would it come out? A printer that does not answer is given nothing.
            try:
                _clear(connection)
                is_ready = _is_ready(connection)
                if not is_ready:
                    return SlipOutcome.NO_PAPER if _is_out_of_paper(connection) else SlipOutcome.NOT_PRINTED
            except OSError:
                return SlipOutcome.NOT_PRINTED
            # 2. Band by band.
            try:
                _give(connection, picture)
            except (_Stopped, OSError):
                # 3. It stopped: what it still holds must not come out later.
                return _give_up(connection)
        return SlipOutcome.PRINTED

    def close(self) -> None:
        """Nothing to let go of: each slip has a connection of its own."""


def _give(connection: socket.socket, picture: Image.Image) -> None:
    """Errors: _Stopped, OSError."""
    deadline_s = time.monotonic() + SLIP_TIMEOUT_S
    for part in encode(picture):
        connection.settimeout(BAND_TIMEOUT_S)
        connection.sendall(part + _IN_ORDER)
        said = _hear(connection, _IN_ORDER_FIXED_BITS, 0, BAND_TIMEOUT_S)
        if said is None or said & _IN_ORDER_PAPER_END or time.monotonic() > deadline_s:
            raise _Stopped


def _give_up(connection: socket.socket) -> SlipOutcome:
    is_out = False
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DROP_WHAT_WAITS)
        is_out = _is_out_of_paper(connection)
        _clear(connection)
    return SlipOutcome.NO_PAPER if is_out else SlipOutcome.UNKNOWN


def _clear(connection: socket.socket) -> None:
    """Have the printer forget what it was given; a model that knows no such command says nothing. Errors: OSError."""
    connection.settimeout(ANSWER_TIMEOUT_S)
    connection.sendall(_CLEAR)
    heard, deadline_s = b"", time.monotonic() + CLEAR_TIMEOUT_S
    while not heard.endswith(_CLEARED) and (left_s := deadline_s - time.monotonic()) > 0:
        heard += _next_byte(connection, left_s)


def _is_ready(connection: socket.socket) -> bool:
    connection.sendall(_ONLINE)
    said = _hear(connection, _FIXED_BITS, _FIXED, ANSWER_TIMEOUT_S)
    return said is not None and not said & _OFFLINE and not _is_out_of_paper(connection)


def _is_out_of_paper(connection: socket.socket) -> bool:
    connection.settimeout(ANSWER_TIMEOUT_S)
    connection.sendall(_PAPER)
    said = _hear(connection, _FIXED_BITS, _FIXED, ANSWER_TIMEOUT_S)
    return said is not None and said & _PAPER_END == _PAPER_END


def _hear(connection: socket.socket, fixed_bits: int, fixed: int, timeout_s: float) -> int | None:
    """Return the first byte that is an answer of this kind; None if none comes. Errors: OSError."""
    deadline_s = time.monotonic() + timeout_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        said = _next_byte(connection, left_s)
        if said and said[0] & fixed_bits == fixed:
            return said[0]
    return None


def _next_byte(connection: socket.socket, timeout_s: float) -> bytes:
    """Return what comes next, or b"" where nothing does in time. Errors: OSError, where the line is down."""
    connection.settimeout(timeout_s)
    try:
        said = connection.recv(1)
    except TimeoutError:
        return b""
    if not said:
        raise ConnectionResetError("the printer has closed the line")
    return said


def encode(picture: Image.Image) -> Iterator[bytes]:
    """Return the commands that print a picture of 1 bit a dot and cut the paper behind it, part by part.

    Shape:  picture's mode is "1", 0 is black; its width is a multiple of 8.
    """
    width_bytes = picture.width // 8
    yield _INIT
    for top in range(0, picture.height, BAND_DOTS):
        band = picture.crop((0, top, picture.width, min(top + BAND_DOTS, picture.height)))
        size = width_bytes.to_bytes(2, "little") + band.height.to_bytes(2, "little")
        yield _RASTER + size + bytes(255 - byte for byte in band.tobytes())  # a set bit is black there
    yield _FEED_AND_CUT


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
    """Return a line as rows of which each has room; what stands at the right of it is in the last."""
    if line.rule:
        return [line]
    font = _font(line.size)
    whole = WIDTH_DOTS - 2 * _MARGIN_DOTS
    room = whole - (font.getlength(line.right + _GAP) if line.right else 0)
    rows, rest = [], line.left
    while rest and font.getlength(rest) > room:
        fits = next(count for count in range(len(rest), 0, -1) if count == 1 or font.getlength(rest[:count]) <= whole)
        at = rest.rfind(_GAP, 0, fits) + 1 or _break_at(rest, fits)
        rows.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    last = Line(rest, line.right, line.size, line.centred)
    return [*(Line(row, "", line.size, line.centred) for row in rows), last]


def _break_at(text: str, fits: int) -> int:
    """Return the last good place to break at, of those up to which there is room."""
    costs = break_costs(text)[:fits]
    for cost in Break:
        if cost in costs:
            return len(costs) - costs[::-1].index(cost)
    return fits


def _row_height(row: Line) -> int:
    return int(_HEIGHT_DOTS[row.size] * _LEADING)


def _draw_row(pen: ImageDraw.ImageDraw, row: Line, top: int) -> None:
    font = _font(row.size)
    right_edge = WIDTH_DOTS - _MARGIN_DOTS
    if row.rule:
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
