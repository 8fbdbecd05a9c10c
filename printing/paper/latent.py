"""The latent 複写 of a sheet: equal ink in two screens, of which a copier keeps only the coarse one.

The ground is of fine dots, the letters of coarse ones that cover just as much paper, so that an eye at reading distance
sees one even tint. A copier's lens, scanner and tone curve lose the fine dots, and the word stands alone on the copy.
Which dots a printer holds and a copier loses differs from model to model: screens are data (latent_screens.json), and
the calibration page shows which one serves a model best.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec

from printing.paper.errors import UnknownScreen
from printing.paper.fonts import Fonts, Matrix
from printing.paper.page import Box, Document

DPI = 600  # what the dots are counted in; the printers' own raster
MM_PER_PX = 25.4 / DPI
SIDE_PX = 1440  # 60.96 mm: whole pixels at 150, 200, 300, 400 and 600 dpi, and whole cells of every allowed grid
WORD = "複写"

_COVERED = 96  # of 255: strokes of a cell's width must not break
_BASELINE_EM = 0.38  # from the middle of an em box down to its baseline


class LatentScreen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one printer model draws the pattern; px are those of 600 dpi.

    Shape:  a letter's cell holds whole cells of the ground, a tile whole cells of the letters; a dot is smaller than
            its cell. A dot's width and height are told apart, so that a model's dot gain can be balanced finely.
            colour: red, green, blue, 0 to 1; lines: of words in a tile, one word a line, staggered.
    Errors: ValueError naming the rule.
    """

    ground_dot_px: tuple[int, int]
    ground_grid_px: int
    letter_dot_px: tuple[int, int]
    letter_grid_px: int
    colour: tuple[float, float, float]
    em_mm: float = 13.0
    angle_deg: float = 25.0
    lines: int = 4

    def __post_init__(self) -> None:
        """Refuse a screen that would show a seam, or no dots."""
        for dot_px, grid_px in ((self.ground_dot_px, self.ground_grid_px), (self.letter_dot_px, self.letter_grid_px)):
            if not all(0 < side_px < grid_px for side_px in dot_px):
                raise ValueError("a dot must be smaller than its grid's cell, and have an area")
        if self.letter_grid_px % self.ground_grid_px or SIDE_PX % self.letter_grid_px:
            raise ValueError(f"ground_grid_px must divide letter_grid_px, and that must divide {SIDE_PX}")
        if self.lines < 1 or self.lines % 2:
            raise ValueError("lines: an even number, or a tile would not stagger with the next")
        if not all(0.0 <= part <= 1.0 for part in self.colour):
            raise ValueError("colour: red, green and blue are 0 to 1")

    @property
    def ground_coverage(self) -> float:
        """What part of the paper the ground's dots cover."""
        return math.prod(self.ground_dot_px) / self.ground_grid_px**2

    @property
    def letter_coverage(self) -> float:
        """What part of the paper the letters' dots cover."""
        return math.prod(self.letter_dot_px) / self.letter_grid_px**2


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


def read_screens(data: bytes) -> Mapping[str, LatentScreen]:
    """Return the screens of a table: a printer model's or municipality's name and its screen.

    Errors: msgspec.ValidationError naming field and rule.
    """
    return msgspec.json.decode(data, type=dict[str, LatentScreen])


SCREENS = read_screens((Path(__file__).parent / "latent_screens.json").read_bytes())


def screen_named(name: str) -> LatentScreen:
    """Return a printer model's screen. Errors: UnknownScreen; none stands in for another."""
    if name not in SCREENS:
        raise UnknownScreen(name)
    return SCREENS[name]


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
