"""The receipt printer: what it says of a slip is what came out, and nothing comes out later for somebody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from PIL import Image

from deploy.demo.virtual_receipts import Paper, ReceiptServer
from printing.press import receipt
from printing.press.receipt import WIDTH_DOTS, ReceiptPrinter, draw, encode
from printing.press.slip import Line, Size, Slip, SlipOutcome

SLIP = Slip((Line("領収書　Receipt", size=Size.LARGE, centred=True), Line(), Line("お支払い　Charged", "300円")))


@dataclass
class Rig:
    """A printer over TCP, its paper and the slips that came out."""

    printer: ReceiptPrinter
    paper: Paper
    slips: list[Image.Image] = field(default_factory=list)


@pytest.fixture
def rig() -> Iterator[Rig]:
    slips: list[Image.Image] = []
    paper = Paper(slips.append)
    with ReceiptServer(0, paper) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        printer = ReceiptPrinter(f"socket://127.0.0.1:{server.server_address[1]}")
        yield Rig(printer, paper, slips)
        printer.close()
        server.shutdown()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipt, "ANSWER_TIMEOUT_S", 0.2)
    monkeypatch.setattr(receipt, "SLIP_TIMEOUT_S", 0.4)


def test_what_comes_out_is_what_was_drawn(rig: Rig) -> None:
    assert rig.printer.print(SLIP) is SlipOutcome.PRINTED
    assert [slip.tobytes() for slip in rig.slips] == [draw(SLIP).tobytes()]


def test_a_long_slip_comes_out_whole(rig: Rig) -> None:
    long = Slip(tuple(Line(f"行 {number}", f"{number}円") for number in range(60)))
    assert draw(long).height > 4 * receipt.BAND_DOTS
    assert rig.printer.print(long) is SlipOutcome.PRINTED
    assert [slip.tobytes() for slip in rig.slips] == [draw(long).tobytes()]


def test_one_slip_after_another(rig: Rig) -> None:
    assert [rig.printer.print(SLIP) for _ in range(3)] == [SlipOutcome.PRINTED] * 3
    assert len(rig.slips) == 3


def test_without_paper_nothing_is_sent(rig: Rig) -> None:
    rig.paper.left_dots = 0
    assert rig.printer.print(SLIP) is SlipOutcome.NO_PAPER
    rig.paper.left_dots = 10_000
    rig.paper.feed(b"\x10\x04\x01")
    assert rig.slips == []


@pytest.mark.usefixtures("impatient")
def test_a_roll_that_ends_in_the_middle_prints_nothing_later(rig: Rig) -> None:
    tall = Slip(tuple(Line(f"行 {number}") for number in range(40)))
    rig.paper.left_dots = receipt.BAND_DOTS + 1
    assert rig.printer.print(tall) is SlipOutcome.NO_PAPER
    rig.paper.left_dots = 10_000  # a new roll, hours later
    rig.paper.feed(b"\x10\x04\x01")
    assert rig.slips == []
    assert rig.printer.print(SLIP) is SlipOutcome.PRINTED
    assert [slip.tobytes() for slip in rig.slips] == [draw(SLIP).tobytes()]


@pytest.mark.usefixtures("impatient")
def test_what_is_not_cleared_comes_out_later(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard off: whoever lays in the roll, or stands there then, has somebody's code in hand."""
    monkeypatch.setattr(receipt, "_CLEAR", b"")
    tall = Slip(tuple(Line(f"行 {number}") for number in range(40)))
    rig.paper.left_dots = receipt.BAND_DOTS + 1
    assert rig.printer.print(tall) is SlipOutcome.NO_PAPER
    rig.paper.left_dots = 10_000
    rig.paper.feed(b"\x10\x04\x01")
    assert len(rig.slips) == 1


@pytest.mark.usefixtures("impatient")
def test_a_printer_that_says_nothing_is_sent_nothing(rig: Rig) -> None:
    rig.paper.mute = True
    assert rig.printer.print(SLIP) is SlipOutcome.NOT_PRINTED
    assert rig.slips == []


@pytest.mark.usefixtures("impatient")
def test_a_printer_that_falls_silent_leaves_it_unknown(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = rig.paper.feed

    def falls_silent(data: bytes) -> bytes:
        rig.paper.mute = rig.paper.mute or b"\x1dv0" in data
        return feed(data)

    monkeypatch.setattr(rig.paper, "feed", falls_silent)
    assert rig.printer.print(SLIP) is SlipOutcome.UNKNOWN
    assert len(rig.slips) == 1  # it did come out, and nobody knows


@pytest.mark.usefixtures("impatient")
def test_no_printer_at_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert ReceiptPrinter(f"socket://127.0.0.1:{port}").print(SLIP) is SlipOutcome.NOT_PRINTED
    assert ReceiptPrinter("/dev/no-such-printer").print(SLIP) is SlipOutcome.NOT_PRINTED


def test_a_text_that_is_too_wide_goes_on_in_the_next_line() -> None:
    wide = Slip((Line("この端末のあるお店なら、どこでも、お受け取りになれます。" * 3, size=Size.SMALL),))
    lines = draw(wide).height
    assert lines > draw(Slip((Line("あ", size=Size.SMALL),))).height
    picture = draw(wide).convert("L")
    right = picture.crop((WIDTH_DOTS - 12, 0, WIDTH_DOTS, picture.height))
    assert right.getextrema() == (255, 255)  # nothing runs over the margin


def test_the_commands_are_those_of_the_reference() -> None:
    """The first bytes by hand from Epson's reference; the width in bytes, then the height, low byte first."""
    told = encode(Image.new("1", (WIDTH_DOTS, 300), 1))
    assert told[:2] == b"\x1b@"
    assert told[2:10] == b"\x1dv0\x00" + bytes([72, 0, 0, 1])
    assert told[10 + 72 * 256 :][:8] == b"\x1dv0\x00" + bytes([72, 0, 44, 0])
    assert told.endswith(b"\x1dVB\x00")
    assert set(told[10 : 10 + 72 * 256]) == {0}  # white: no dot is burnt
