"""The gallery: every kind of certificate with its important variants, drawn from invented records into docs/gallery/.

It stands beside the tests because it shows their samples: `make gallery`. The same records give the same pictures.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pypdfium2 as pdfium
from PIL import Image

from printing.paper.certificates import render, sheets, title
from printing.paper.records import Certificate, Issuance
from printing.paper.seal import SEAL_PREFIX, max_seal_chars
from tests.gallery_exhibits import exhibits
from tests.paper_samples import ISSUANCE, fonts
from tests.photocopier import SCANNER_DPI, copied, seen

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"
DRAWN_DPI = 600  # the screens of the latent pattern are whole pixels here; shown smaller, they are what an eye sees
DPI = 100
FRONT, BACK = 0, 1  # where a sheet's sides stand in the file
BACK_PICTURE = "back.png"
LATENT = "latent.png"
LATENT_DPI = 150
_LATENT_MM = (100.0, 70.0)  # of the sheet's upper left corner
_LATENT_GAP_PX = 12
_COPIER = (1.15, 215)  # dot gain in px, and the level that a copier takes for paper
_TINT = (234, 245, 246)
_GREYS = 16
# Ink and its shades on the latent tint and on white, the specimen mark, the electronic seal: one palette for all, or
# the seal would turn grey. A thin rule falls between pixels: with too few shades it would look dashed.
PALETTE = (
    *(tuple(round(channel * shade / _GREYS) for channel in _TINT) for shade in range(_GREYS + 1)),
    *((level, level, level) for level in (64, 128, 192, 255)),
    (217, 223, 233),
    (184, 20, 26),
    (222, 130, 134),
)

_CODE_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def pictures(record: Certificate, issuance: Issuance = ISSUANCE) -> Iterator[bytes]:
    """Yield a PNG of every front; the code on it has a real one's greatest length, but is nobody's signature."""
    for sheet in _drawn(record, issuance):
        yield _png(seen(sheet, DPI))


def latent_picture(record: Certificate) -> bytes:
    """Return a PNG of a sheet's corner beside the same corner of its copy, as tests/photocopier.py models one."""
    sheet = next(_drawn(record, ISSUANCE))
    width_px, height_px = (round(side_mm / 25.4 * LATENT_DPI) for side_mm in _LATENT_MM)
    both = Image.new("RGB", (2 * width_px + _LATENT_GAP_PX, height_px), (120, 120, 120))
    both.paste(seen(sheet, LATENT_DPI).crop((0, 0, width_px, height_px)), (0, 0))
    copy = copied(sheet.convert("L"), *_COPIER).reduce(SCANNER_DPI // LATENT_DPI)
    both.paste(copy.crop((0, 0, width_px, height_px)).convert("RGB"), (width_px + _LATENT_GAP_PX, 0))
    out = io.BytesIO()
    both.quantize(24, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def _drawn(record: Certificate, issuance: Issuance, side: int = FRONT) -> Iterator[Image.Image]:
    length = max_seal_chars(record) - len(SEAL_PREFIX)
    stream = hashlib.shake_256(record.__class__.__name__.encode()).digest(length)
    code = SEAL_PREFIX + "".join(_CODE_LETTERS[byte % len(_CODE_LETTERS)] for byte in stream)
    document = pdfium.PdfDocument(render(fonts(), record, issuance, code))
    try:
        for index in range(side, len(document), 2):
            yield document[index].render(scale=DRAWN_DPI / 72, no_smoothimage=True).to_pil().convert("RGB")
    finally:
        document.close()


def _png(sheet: Image.Image) -> bytes:
    out = io.BytesIO()
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for colour in PALETTE for channel in colour])
    sheet.quantize(palette=palette, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
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
        "both sides: the fronts stand here, and after them the back, which is the same for every paper of an issuer.",
    ]
    for exhibit in exhibits():
        lines += ["", f"## {title(exhibit.record)}: {exhibit.shows}", ""]
        for number, png in enumerate(pictures(exhibit.record, exhibit.issuance), start=1):
            name = f"{exhibit.file}.png" if sheets(exhibit.record) == 1 else f"{exhibit.file}-{number}.png"
            (FOLDER / name).write_bytes(png)
            lines.append(f"![{title(exhibit.record)}, {exhibit.shows}, sheet {number}]({name})")
    (FOLDER / BACK_PICTURE).write_bytes(_png(seen(next(_drawn(exhibits()[0].record, ISSUANCE, BACK)), DPI)))
    lines += ["", "## The back of every sheet", "", f"![How to check the certificate]({BACK_PICTURE})"]
    (FOLDER / LATENT).write_bytes(latent_picture(exhibits()[0].record))
    lines += ["", "## Latent 複写: a sheet as an eye has it at 300 mm, and its copy by a model of a copier", ""]
    lines.append(f"![A sheet's corner, and the same corner of its copy, where 複写 appears]({LATENT})")
    (FOLDER / "README.md").write_text("\n".join(lines) + "\n")
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}")


if __name__ == "__main__":
    main()
