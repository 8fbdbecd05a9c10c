"""The gallery: every kind of certificate with its important variants, drawn from invented records into docs/gallery/.

It stands beside the tests because it shows their samples: `make gallery`. The same records give the same pictures.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pypdfium2 as pdfium
from PIL import Image

from printing.paper.certificates import render, sheets, title
from printing.paper.records import Certificate, Issuance
from printing.paper.seal import SEAL_PREFIX, max_seal_chars
from tests.gallery_exhibits import exhibits
from tests.paper_samples import ISSUANCE, fonts

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"
DPI = 90
BACK = "back.png"
# Ink, its greys, paper, the specimen mark, the electronic seal: one palette for all, or the seal would turn grey.
PALETTE = (
    *((level, level, level) for level in (0, 60, 120, 170, 215, 255)),
    (230, 235, 242),
    (184, 20, 26),
    (222, 130, 134),
)

_CODE_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def pictures(record: Certificate, issuance: Issuance = ISSUANCE) -> Iterator[bytes]:
    """Yield a PNG of every side; the code on a front has a real one's greatest length, but is nobody's signature."""
    length = max_seal_chars(record) - len(SEAL_PREFIX)
    stream = hashlib.shake_256(record.__class__.__name__.encode()).digest(length)
    code = SEAL_PREFIX + "".join(_CODE_LETTERS[byte % len(_CODE_LETTERS)] for byte in stream)
    document = pdfium.PdfDocument(render(fonts(), record, issuance, code))
    try:
        for index in range(len(document)):
            yield _png(document[index].render(scale=DPI / 72).to_pil().convert("RGB"))
    finally:
        document.close()


def _png(side: Image.Image) -> bytes:
    out = io.BytesIO()
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for colour in PALETTE for channel in colour])
    side.quantize(palette=palette, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    """Draw the gallery anew: what is no longer shown goes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    lines = [
        "# Gallery",
        "",
        "Every kind of certificate as it is drawn, made by `make gallery`. All people, addresses and numbers are",
        "invented; the codes have a real one's greatest length, but are nobody's signature. Every sheet is printed on",
        "both sides: the fronts stand here, and at the end the back, which is the same for every paper of an issuer.",
    ]
    for exhibit in exhibits():
        lines += ["", f"## {title(exhibit.record)}: {exhibit.shows}", ""]
        for number, png in enumerate(islice(pictures(exhibit.record, exhibit.issuance), 0, None, 2), start=1):
            name = f"{exhibit.file}.png" if sheets(exhibit.record) == 1 else f"{exhibit.file}-{number}.png"
            (FOLDER / name).write_bytes(png)
            lines.append(f"![{title(exhibit.record)}, {exhibit.shows}, sheet {number}]({name})")
    _front, back, *_others = pictures(exhibits()[0].record)
    (FOLDER / BACK).write_bytes(back)
    lines += ["", "## The back of every sheet", "", f"![How to check the certificate]({BACK})"]
    (FOLDER / "README.md").write_text("\n".join(lines) + "\n")
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}")


if __name__ == "__main__":
    main()
