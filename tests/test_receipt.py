"""The receipt printer: what it says of a slip is what came out, and nothing comes out later for somebody else."""

from __future__ import annotations

import contextlib
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
    monkeypatch.setattr(receipt, "CLEAR_TIMEOUT_S", 0.2)
    monkeypatch.setattr(receipt, "BAND_TIMEOUT_S", 0.4)


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


TALL = Slip(tuple(Line(f"行 {number}") for number in range(40)))


def roll_ends_in_the_middle(rig: Rig) -> None:
    """The roll ends behind a third of a slip, and hours later somebody lays in a new one."""
    rig.paper.left_dots = draw(TALL).height // 3
    assert rig.printer.print(TALL) is SlipOutcome.NO_PAPER
    rig.paper.left_dots = 10_000
    rig.paper.feed(b"\x10\x04\x01")


@pytest.mark.usefixtures("impatient")
def test_a_roll_that_ends_in_the_middle_prints_nothing_later(rig: Rig) -> None:
    roll_ends_in_the_middle(rig)
    assert rig.slips == []
    assert rig.printer.print(SLIP) is SlipOutcome.PRINTED
    assert [slip.tobytes() for slip in rig.slips] == [draw(SLIP).tobytes()]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("guard", ["bands", "clearing"])
def test_either_guard_alone_is_enough(rig: Rig, monkeypatch: pytest.MonkeyPatch, guard: str) -> None:
    if guard == "bands":
        monkeypatch.setattr(receipt, "_CLEAR", b"")
    else:
        monkeypatch.setattr(receipt, "encode", in_one_piece)
    roll_ends_in_the_middle(rig)
    assert rig.slips == []


@pytest.mark.usefixtures("impatient")
def test_without_the_guards_it_comes_out_for_whoever_stands_there_then(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipt, "_CLEAR", b"")
    monkeypatch.setattr(receipt, "encode", in_one_piece)
    roll_ends_in_the_middle(rig)
    assert [slip.tobytes() for slip in rig.slips] == [draw(TALL).tobytes()]


def in_one_piece(picture: Image.Image) -> Iterator[bytes]:
    yield b"".join(encode(picture))


@pytest.mark.usefixtures("impatient")
def test_of_a_printer_that_stops_reading_no_more_than_a_band_is_ever_read() -> None:
    """It reads on later, hours perhaps: neither the rest of the picture nor the cut waits for it on the line."""
    heard, reads_on = bytearray(), threading.Event()

    def printer(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            while not heard.count(b"\x1dv0"):
                said = connection.recv(65_536)
                heard.extend(said)
                connection.sendall(b"\x37\x25\x00" if said.startswith(b"\x10\x14") else b"")
                connection.sendall(b"\x12" if b"\x10\x04" in said else b"")
                connection.sendall(b"\x00" if said.endswith(b"\x1dr\x01") and b"\x1dv0" not in said else b"")
            reads_on.wait(5)
            with contextlib.suppress(OSError):
                while more := connection.recv(65_536):
                    heard.extend(more)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=printer, args=(listening,), daemon=True)
        thread.start()
        address = f"socket://127.0.0.1:{listening.getsockname()[1]}"
        assert ReceiptPrinter(address).print(TALL) is SlipOutcome.UNKNOWN
        reads_on.set()
        thread.join(5)
    assert (heard.count(b"\x1dv0"), heard.count(b"\x1dV")) == (1, 0)


@pytest.mark.usefixtures("impatient")
def test_what_a_dead_terminal_left_half_sent_spoils_nothing(rig: Rig) -> None:
    half = b"".join(encode(draw(SLIP)))[:1000]
    rig.paper.feed(half)
    assert rig.printer.print(SLIP) is SlipOutcome.PRINTED
    assert [slip.tobytes() for slip in rig.slips] == [draw(SLIP).tobytes()]


@pytest.mark.usefixtures("impatient")
def test_a_printer_that_says_nothing_is_sent_nothing(rig: Rig) -> None:
    rig.paper.mute = True
    assert rig.printer.print(SLIP) is SlipOutcome.NOT_PRINTED
    assert rig.slips == []


@pytest.mark.usefixtures("impatient")
def test_a_printer_that_falls_silent_leaves_it_unknown(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = rig.paper.feed

    def falls_silent(data: bytes) -> bytes:
        rig.paper.mute = rig.paper.mute or b"\x1dV" in data
        return feed(data)

    monkeypatch.setattr(rig.paper, "feed", falls_silent)
    assert rig.printer.print(SLIP) is SlipOutcome.UNKNOWN
    assert len(rig.slips) == 1  # it did come out, and nobody knows


@pytest.mark.usefixtures("impatient")
def test_no_printer_at_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert ReceiptPrinter(f"socket://127.0.0.1:{port}").print(SLIP) is SlipOutcome.NOT_PRINTED


def test_a_text_that_is_too_wide_goes_on_in_the_next_line() -> None:
    wide = Slip((Line("この端末のあるお店なら、どこでも、お受け取りになれます。" * 3, size=Size.SMALL),))
    lines = draw(wide).height
    assert lines > draw(Slip((Line("あ", size=Size.SMALL),))).height
    picture = draw(wide).convert("L")
    right = picture.crop((WIDTH_DOTS - 12, 0, WIDTH_DOTS, picture.height))
    assert right.getextrema() == (255, 255)  # nothing runs over the margin


def test_a_line_that_is_too_wide_breaks_before_its_english() -> None:
    wide = Line("まだお返ししていない金額　Still due to you", "123,456円")
    rows = receipt._rows(wide)
    assert [(row.left, row.right) for row in rows] == [
        ("まだお返ししていない金額", ""),
        ("Still due to you", "123,456円"),
    ]


def test_lines_break_by_the_rules_of_setting_and_lose_nothing() -> None:
    """What the words of the receipts did before: a full stop began a line, and a word was cut behind a yen sign."""
    for text in (
        "300円が引き落とされたかどうか、まだわかりません。引き落とされていたときは、同じマイナンバーカードで、"
        "この端末のあるどのお店でも、お返しを受け取れます。",
        "It could not be confirmed whether ¥300 was charged. Staff will look into it.",
        "あ" * 24 + "。",
    ):
        rows = [row.left for row in receipt._rows(Line(text, size=Size.SMALL))]
        assert len(rows) > 1 or len(text) < 26
        assert "".join(rows).replace(" ", "") == text.replace(" ", "")
        assert not [row for row in rows if row[0] in "、。.,」"]
        assert all(word in text.split() for row in rows for word in row.split() if text[0] == "I")


def test_an_empty_line_is_no_rule() -> None:
    assert draw(Slip((Line(""),))).getextrema()[0] > 0
    assert draw(Slip((Line(rule=True),))).getextrema()[0] == 0


def test_the_commands_are_those_of_the_reference() -> None:
    """The first bytes by hand from Epson's reference; the width in bytes, then the height, low byte first."""
    begin, first, second, end = encode(Image.new("1", (WIDTH_DOTS, 60), 1))
    assert begin == b"\x1b@\x1da\x00"
    assert first[:8] == b"\x1dv0\x00" + bytes([72, 0, 48, 0])
    assert second[:8] == b"\x1dv0\x00" + bytes([72, 0, 12, 0])
    assert end == b"\x1dVB\x00"
    assert set(first[8:]) == {0}  # white: no dot is burnt
    assert len(first) - 8 == 72 * 48
