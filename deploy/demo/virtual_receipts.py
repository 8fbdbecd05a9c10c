"""A simulated receipt printer: ESC/POS over TCP, a roll that can end, and slips as pictures in a tray.

It keeps to what real ones do that matters here. DLE EOT is answered at once; everything else waits in the buffer, GS r
too, and while there is no paper nothing there is executed: lay in a roll, and what was kept comes out. A slip has come
out when the paper is cut.

    python -m deploy.demo.virtual_receipts --port P --tray FOLDER
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
from PIL import Image

ROLL_DOTS: Final = 400_000  # 50 m at 8 dots a millimetre
OUT_OF_PAPER: Final = "roll-is-out"  # a file of this name in the tray: whoever plays the world has taken the roll out

_FIXED: Final = 0x12
_PAPER_END: Final = 0x60
_OFFLINE: Final = 0x08
_CLEAR: Final = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
_CLEARED: Final = b"\x37\x25\x00"
_SIZES: Final = {b"\x10\x04": 3, b"\x1b@": 2, b"\x1da": 3, b"\x1dV": 4, b"\x1dr": 3}  # of commands but the picture


class Paper:
    """The roll and the slips that came out of it. Called from one thread a connection, one at a time."""

    def __init__(self, keep: Callable[[Image.Image], None], is_out: Callable[[], bool] = lambda: False) -> None:
        self._keep, self._is_out = keep, is_out
        self.left_dots = ROLL_DOTS
        self.mute = False  # prints, and answers nothing
        self._held = b""
        self._bands: list[Image.Image] = []

    @property
    def is_out(self) -> bool:
        """Whether there is no paper."""
        return self.left_dots <= 0 or self._is_out()

    def feed(self, data: bytes) -> bytes:
        """Take bytes and return what is answered. An order to clear is heard at once, whatever is half done."""
        answers = []
        if data.startswith(_CLEAR):
            data, self._held, self._bands = data[len(_CLEAR) :], b"", []
            answers.append(_CLEARED)
        self._held += data
        while self._held:
            told = self._answer_at_once() if self.is_out else self._next()
            if told is None:
                break
            answers.append(told)
        return b"" if self.mute else b"".join(answers)

    def _answer_at_once(self) -> bytes | None:
        """With no paper only what is real-time is heard, wherever it stands."""
        at = self._held.find(b"\x10\x04")
        if at < 0 or len(self._held) < at + 3:
            return None
        which = self._held[at + 2]
        self._held = self._held[:at] + self._held[at + 3 :]
        return self._status(which)

    def _next(self) -> bytes | None:
        """Execute the command at the head of the buffer; None where it is not whole yet."""
        held = self._held
        if held.startswith(b"\x1dv0") and len(held) >= 8:
            return self._raster(held)
        for head, size in _SIZES.items():
            if held.startswith(head):
                if len(held) < size:
                    return None
                self._held = held[size:]
                return self._execute(head, held[:size])
        if len(held) < 8:
            return None
        self._held = b""
        raise ValueError(f"no command of this printer: {held[:4]!r}")

    def _execute(self, head: bytes, command: bytes) -> bytes:
        """Both resets of a printer's settings have nothing to reset here."""
        if head == b"\x10\x04":
            return self._status(command[2])
        if head == b"\x1dr":
            return b"\x00"
        if head == b"\x1dV":
            self._cut()
        return b""

    def _status(self, which: int) -> bytes:
        if which == 4:
            return bytes([_FIXED | (_PAPER_END if self.is_out else 0)])
        return bytes([_FIXED | (_OFFLINE if self.is_out else 0)])

    def _raster(self, held: bytes) -> bytes | None:
        width_bytes, height = int.from_bytes(held[4:6], "little"), int.from_bytes(held[6:8], "little")
        end = 8 + width_bytes * height
        if len(held) < end:
            return None
        dots = bytes(255 - byte for byte in held[8:end])  # a set bit is black there
        self._bands.append(Image.frombytes("1", (width_bytes * 8, height), dots))
        self._held = held[end:]
        self.left_dots -= height
        return b""

    def _cut(self) -> None:
        bands, self._bands = self._bands, []
        if not bands:
            return
        slip = Image.new("1", (bands[0].width, sum(band.height for band in bands)), 1)
        top = 0
        for band in bands:
            slip.paste(band, (0, top))
            top += band.height
        self._keep(slip)


class _Handler(socketserver.BaseRequestHandler):
    server: ReceiptServer

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(65_536):
                with self.server.turn:
                    answer = self.server.paper.feed(data)
                self.request.sendall(answer)


class ReceiptServer(socketserver.ThreadingTCPServer):
    """The printer's network side; one printer whoever connects."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, paper: Paper) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.paper = paper
        self.turn = threading.Lock()


class SlipTray:
    """The folder in which slips lie, as the hands see it: oldest first, and a roll that can be taken out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._out = folder / OUT_OF_PAPER

    def keep(self, slip: Image.Image) -> None:
        """Lay one more slip down."""
        number = 1 + max((int(path.stem) for path in self.slips()), default=0)
        fresh = self._folder / f".{number}"
        slip.save(fresh, format="PNG")
        fresh.replace(self._folder / f"{number:06d}.png")

    def slips(self) -> tuple[Path, ...]:
        """Return the slips that lie there."""
        return tuple(sorted(self._folder.glob("*.png")))

    def take(self) -> None:
        """Take them all."""
        for slip in self.slips():
            slip.unlink(missing_ok=True)

    @property
    def is_out(self) -> bool:
        """Whether somebody has taken the roll out."""
        return self._out.exists()

    def set_roll(self, *, in_place: bool) -> None:
        """Take the roll out, or lay one in."""
        if in_place:
            self._out.unlink(missing_ok=True)
        else:
            self._out.touch()


@click.command()
@click.option("--port", required=True, type=int, help="Loopback port to listen on.")
@click.option("--tray", "folder", required=True, type=click.Path(path_type=Path), help="Where slips lie.")
def main(port: int, folder: Path) -> None:
    """Run the simulated receipt printer until it is ended."""
    tray = SlipTray(folder)
    with ReceiptServer(port, Paper(tray.keep, lambda: tray.is_out)) as server:
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
