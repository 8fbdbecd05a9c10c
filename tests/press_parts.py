"""What the press's tests share: test documents, a small town of real parts, and a printer that says what it is told."""

from __future__ import annotations

import hashlib
import shutil
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from deploy.demo.cupsd import PrivateCupsd
from deploy.demo.ippeveprinter import IppEvePrinter
from printing.press.cups import Cups
from printing.press.printer import Printer
from printing.press.service import Bounds, HeldJob, PressService, SheetProgress
from printing.press.verdict import Capabilities, PaperOutlet

QUEUE = "sheets"
IPPEVEPRINTER = Capabilities(
    impressions=True, sheets=False, lifetime_counter=False, path_sensor=False, outlet=PaperOutlet.OPEN_TRAY
)


def pdf(sheets: int = 1, words: str = "page", size: tuple[float, float] = A4, *, sides: int = 2) -> bytes:
    """Draw a document of so many sheets."""
    out = BytesIO()
    canvas = Canvas(out, pagesize=size)
    for number in range(sides * sheets):
        canvas.drawString(72, 72, f"{words} {number + 1}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def digest(document: bytes) -> bytes:
    """Return a document's SHA-256."""
    return hashlib.sha256(document).digest()


def wait_for(holds: Callable[[], bool], what: str, timeout_s: float = 20.0) -> None:
    """Poll until something holds; fail after the bound."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder in memory with a short path, closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="mdg-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@dataclass
class Parts:
    """A cupsd, a printer, and the service between them."""

    cupsd: PrivateCupsd
    printer: IppEvePrinter
    capabilities: Capabilities = IPPEVEPRINTER
    emitted: list[SheetProgress] = field(default_factory=list)
    opened: list[PressService] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = self.press(Bounds())
        self.cups = Cups(self.cupsd.socket, QUEUE)
        self.at_printer = Printer(self.printer.uri, "madoguchi")

    def press(self, bounds: Bounds) -> PressService:
        """Return a press on these parts."""
        arguments = (self.cupsd.socket, QUEUE, self.printer.uri, self.capabilities, (self.cupsd.spool,))
        press = PressService(*arguments, self.emitted.append, bounds=bounds)
        self.opened.append(press)
        return press

    def submit(self, order_id: str, document: bytes, sheets: int = 1) -> HeldJob:
        """Submit with the right digest."""
        return self.service.submit(order_id, document, sheets, digest(document))

    def close(self) -> None:
        """Close what holds sockets."""
        for press in self.opened:
            press.close()
        self.at_printer.close()


@contextmanager
def press_parts(folder: Path, command: str | None = None, *, two_sided: bool = True) -> Iterator[Parts]:
    """Bring the parts up; `command` is the text of a script that the printer runs in place of its paper feed."""
    script = None
    if command is not None:
        script = folder / "command"
        script.write_text(f"#!/bin/sh\n{command}\n")
        script.chmod(0o755)
    with (
        PrivateCupsd(folder / "cups") as cupsd,
        IppEvePrinter(folder / "printer", folder / "out", script, two_sided=two_sided) as printer,
    ):
        cupsd.add_raw_queue(QUEUE, printer.uri)
        parts = Parts(cupsd, printer)
        try:
            yield parts
        finally:
            parts.close()


def ipp_message(status: int, *groups: tuple[int, list[tuple[int, str, bytes]]]) -> bytes:
    """Encode an answer by RFC 8010, 3.1: the kinds of value that libcups's wrapper cannot encode are wanted too."""
    message = struct.pack(">BBHI", 2, 0, status, 1)
    standard = (1, [(0x47, "attributes-charset", b"utf-8"), (0x48, "attributes-natural-language", b"en")])
    for group, attributes in (standard, *groups):
        message += bytes([group])
        for tag, name, value in attributes:
            message += struct.pack(">BH", tag, len(name)) + name.encode() + struct.pack(">H", len(value)) + value
    return message + b"\x03"


@contextmanager
def told_printer(answer: Callable[[bytes], tuple[int, bytes]]) -> Iterator[str]:
    """Serve a printer that answers what `answer` returns (HTTP status, body) for a request's body; yields its URI."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name that the library calls
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"ipp://127.0.0.1:{server.server_port}/ipp/print"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
