"""The screens of the latent 複写, as data: which dots a printing model draws it with.

Which dots a printer holds and a copier loses differs from model to model. The table is latent_screens.json beside this
file; the calibration page shows every entry under its name, and that name is a municipality's setting.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import msgspec

from printing.paper.errors import UnknownScreen

DPI = 600  # what the dots are counted in; the printers' own raster
MM_PER_PX = 25.4 / DPI
SIDE_PX = 1440  # 60.96 mm: whole pixels at 150, 200, 300, 400 and 600 dpi, and whole cells of every allowed grid


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
