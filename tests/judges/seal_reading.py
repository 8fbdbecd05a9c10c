"""What a scanner does to a page, and two readers of codes that know nothing of one another or of us."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import zxingcpp
from PIL import Image, ImageChops, ImageFilter

TOOL_TIMEOUT_S: Final = 30.0
DPIS: Final = (150, 200, 300)
#: How strong each fault is in the table: a hand-fed page on a worn office scanner.
BLUR_MM: Final = 0.1  # standard deviation; a module of the code is 0.508 mm
TURN_DEG: Final = 2.0
NOISE_SHARE: Final = 0.15  # of the range from black to white, evenly spread to either side
#: All together: from about 0.12 on zbar loses one page in ten at 300 dpi, by how the code happens to lie.
NOISE_TOGETHER_SHARE: Final = 0.10
#: Strengths that are tried for the margins, from weak to strong.
BLUR_STEPS_MM: Final = (0.1, 0.15, 0.2, 0.25, 0.3)
TURN_STEPS_DEG: Final = (2.0, 5.0, 10.0, 30.0, 45.0)
NOISE_STEPS: Final = (0.1, 0.2, 0.3, 0.4, 0.5)

Reader = Callable[[Image.Image, Path], tuple[str, ...]]


def page(pdf: bytes, dpi: int, folder: Path) -> Image.Image:
    """Return a paper's first page in grey, drawn by poppler; the product draws with pdfium."""
    (folder / "paper.pdf").write_bytes(pdf)
    subprocess.run(
        ["pdftoppm", "-r", str(dpi), "-f", "1", "-l", "1", "-gray", "-singlefile", "paper.pdf", "page"],
        cwd=folder,
        timeout=TOOL_TIMEOUT_S,
        check=True,
    )
    with Image.open(folder / "page.pgm") as image:
        return image.convert("L")


def blurred(image: Image.Image, dpi: int, sigma_mm: float = BLUR_MM) -> Image.Image:
    """Gaussian, so wide on the paper whatever the resolution is."""
    return image.filter(ImageFilter.GaussianBlur(sigma_mm / 25.4 * dpi))


def turned(image: Image.Image, _dpi: int, degrees: float = TURN_DEG) -> Image.Image:
    """Laid on the glass askew; white where the paper ends."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)


def noisy(image: Image.Image, _dpi: int, share: float = NOISE_SHARE) -> Image.Image:
    """Grey noise at each pixel, the same in each run."""
    assert share <= 0.5, "more than half of the range wraps round"
    noise = Image.frombytes("L", image.size, random.Random(1).randbytes(image.width * image.height))
    noise = noise.point([round(127 + (level - 127.5) * share * 2) for level in range(256)])
    return ImageChops.add(image, noise, 1.0, -127)


def everything(image: Image.Image, dpi: int) -> Image.Image:
    """All of it together."""
    return noisy(blurred(turned(image, dpi), dpi), dpi, NOISE_TOGETHER_SHARE)


FAULTS: Mapping[str, Callable[[Image.Image, int], Image.Image]] = {
    "untouched": lambda image, _dpi: image,
    "blur": blurred,
    "turn": turned,
    "noise": noisy,
    "all": everything,
}


def zxing(image: Image.Image, _folder: Path) -> tuple[str, ...]:
    """Every code that zxing-cpp finds, of any kind."""
    return tuple(found.text for found in zxingcpp.read_barcodes(image))


def zbar(image: Image.Image, folder: Path) -> tuple[str, ...]:
    """Every QR code that zbar finds."""
    image.save(folder / "zbar.pgm")
    done = subprocess.run(
        ["zbarimg", "-q", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", "zbar.pgm"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TOOL_TIMEOUT_S,
        check=False,
    )
    return tuple(done.stdout.splitlines())


READERS: Mapping[str, Reader] = {"zxing": zxing, "zbar": zbar}


def margin(held_at: Callable[[float], bool], steps: tuple[float, ...]) -> float:
    """Return the last strength before the first at which a code is no longer read; 0 if it fails at once."""
    held = 0.0
    for step in steps:
        if not held_at(step):
            break
        held = step
    return held
