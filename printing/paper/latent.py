"""The latent 複写 of a sheet: equal ink in two screens, of which a copier keeps only the coarse one.

The ground is of fine dots, the letters of coarse ones that cover just as much paper, so that an eye at reading distance
sees one even tint. A copier's lens, scanner and tone curve lose the fine dots, and the word stands alone on the copy.
Which dots a printer holds and a copier loses differs from model to model (screens.py).
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from functools import lru_cache

from printing.paper.fitting import Box
from printing.paper.fonts import Fonts, Matrix
from printing.paper.page import Document
from printing.paper.screens import MM_PER_PX, SIDE_PX, LatentScreen

WORD = "複写"

_COVERED = 96  # of 255: strokes of a cell's width must not break
_BASELINE_EM = 0.38  # from the middle of an em box down to its baseline


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of the pattern, made once; laid side by side it has no seam.

    Shape:  name: one for each picture; rows of one bit a pixel, padded to bytes, 0 is ink; cells: a byte a cell of the
            letters' grid, row by row from the top, 1 within a letter.
    """

    screen: LatentScreen
    name: str
    width_px: int
    height_px: int
    rows: bytes
    cells: bytes
    side_mm: float


@lru_cache(maxsize=32)
def tile(fonts: Fonts, screen: LatentScreen) -> Tile:
    """Return a screen's tile: the same bytes for the same fonts and screen, kept because every sheet asks for it."""
    cells = _cells(fonts, screen)
    grid_px, count = screen.letter_grid_px, SIDE_PX // screen.letter_grid_px
    letter = _cell_lines(screen.letter_dot_px, grid_px, 1)
    ground = _cell_lines(screen.ground_dot_px, screen.ground_grid_px, grid_px // screen.ground_grid_px)
    rows = []
    for row in range(count):
        line = cells[row * count : (row + 1) * count]
        for y in range(grid_px):
            bits = "".join(letter[y] if inside else ground[y] for inside in line)
            rows.append(int(bits, 2).to_bytes(SIDE_PX // 8, "big"))
    picture = b"".join(rows)
    return Tile(screen, f"latent{zlib.crc32(picture):08x}", SIDE_PX, SIDE_PX, picture, cells, SIDE_PX * MM_PER_PX)


def draw(document: Document, tile: Tile) -> None:
    """Cover the current page with the pattern, under everything else: to be drawn first, and not within `prepared`."""
    box = Box(0.0, 0.0, tile.side_mm, tile.side_mm)
    # One form for all pages and papers with this screen, front or back.
    with document.prepared():
        document.tiled(tile.name, tile.width_px, tile.height_px, tile.rows, box, colour=tile.screen.colour)


def _cells(fonts: Fonts, screen: LatentScreen) -> bytes:
    """Return which cells of the letters' grid lie within the word.

    A cell is wholly of one screen or the other: a dot that the outline cut would give letters an edge to be seen by.
    """
    count = SIDE_PX // screen.letter_grid_px
    em_cells = screen.em_mm / MM_PER_PX / screen.letter_grid_px
    cos, sin = (turn(math.radians(screen.angle_deg)) for turn in (math.cos, math.sin))
    faces = fonts.headings
    runs = faces.runs(WORD)
    # In parts of a tile's side, from its upper left corner.
    places = [(0.25 + 0.5 * (line % 2), (line + 0.5) / screen.lines) for line in range(screen.lines)]
    placed: list[tuple[int, Matrix]] = []
    along_em = -faces.width_em(WORD) / 2
    face = runs[0][1].face
    for _unit, hit in runs:
        assert hit.face is face, "the word is set in one face"
        scale = em_cells / face.units_per_em
        x = (along_em * cos + _BASELINE_EM * sin) * em_cells
        y = (along_em * sin - _BASELINE_EM * cos) * em_cells
        along_em += hit.advance_em
        # Around each place also where the neighbouring tiles have it: what leaves at one edge enters at the other.
        placed += [
            (hit.glyph, (scale * cos, scale * sin, -scale * sin, scale * cos, x + right * count, y + up * count))
            for at_x, at_y in places
            for right in (at_x - 1, at_x, at_x + 1)
            for up in (-at_y, 1 - at_y, 2 - at_y)
        ]
    coverage = face.raster(placed, count)
    return bytes(level >= _COVERED for level in coverage)


def _cell_lines(dot_px: tuple[int, int], grid_px: int, repeat: int) -> list[str]:
    """Return a square of cells as lines of bits, 0 is ink: in each cell a dot in the middle."""
    width_px, height_px = dot_px
    left_px, top_px = (grid_px - width_px) // 2, (grid_px - height_px) // 2
    inked = "1" * left_px + "0" * width_px + "1" * (grid_px - left_px - width_px)
    bare = "1" * grid_px
    return [(inked if top_px <= y < top_px + height_px else bare) * repeat for y in range(grid_px)] * repeat
