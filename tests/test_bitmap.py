"""A seal's picture: one bit a pixel, its true size in it; everything else is refused by a rule's name."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from deploy.demo.seal_pictures import round_seal_png, square_seal_png
from printing.paper.bitmap import read_bitmap
from printing.paper.errors import BadBitmap

SQUARE = square_seal_png("見本市長之印")


def png(mode: str = "1", size: tuple[int, int] = (300, 300), dpi: tuple[float, float] | None = (300, 300)) -> bytes:
    image = Image.new(mode, size, 1 if mode == "1" else "white")
    image.paste(0, (10, 10, 50, 50))
    out = BytesIO()
    image.save(out, "PNG", **({} if dpi is None else {"dpi": dpi}))
    return out.getvalue()


def blank() -> bytes:
    out = BytesIO()
    Image.new("1", (300, 300), 1).save(out, "PNG", dpi=(300, 300))
    return out.getvalue()


@pytest.mark.parametrize(
    ("picture", "side_mm"),
    [
        (SQUARE, 21.0),
        (square_seal_png("星見町長之印", 18.0), 18.0),
        (round_seal_png("渡邊", 15.0), 15.0),
        (square_seal_png("見本市長之印", 30.0), 30.0),
        (png(), 25.4),
    ],
)
def test_the_true_size_comes_from_the_picture_itself(picture: bytes, side_mm: float) -> None:
    seal = read_bitmap(picture, largest_mm=30.0)
    assert (seal.width_mm, seal.height_mm) == pytest.approx((side_mm, side_mm), abs=0.05)
    assert len(seal.rows) == seal.height_px * -(-seal.width_px // 8)


@pytest.mark.parametrize(
    ("picture", "rule"),
    [
        (b"", "can be read"),
        (b"no picture", "can be read"),
        (SQUARE[:200], "can be read"),
        (SQUARE[:-40], "can be read"),
        (SQUARE.replace(b"IDAT", b"IDAX"), "can be read"),
        (b"\xff\xd8\xff" + bytes(50), "can be read"),
        (bytes(1_000_001), "bytes"),
        (png(mode="L"), "one bit"),
        (png(mode="RGB"), "one bit"),
        (png(size=(2_001, 100)), "2000 pixels"),
        (png(dpi=None), "resolution"),
        (png(dpi=(100, 100)), "at least 150 dpi"),
        (png(dpi=(300, 200)), "the same both ways"),
        (blank(), "even colour"),
        (square_seal_png("見本市長之印", 30.2), "at most 30 mm"),
    ],
)
def test_what_cannot_be_shown_at_true_size_is_refused(picture: bytes, rule: str) -> None:
    with pytest.raises(BadBitmap, match=rule) as caught:
        read_bitmap(picture, largest_mm=30.0)
    assert rule in caught.value.rule


def test_a_picture_that_would_fill_the_memory_is_never_unpacked() -> None:
    head = bytearray(png())
    head[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(BadBitmap):
        read_bitmap(bytes(head), largest_mm=30.0)
