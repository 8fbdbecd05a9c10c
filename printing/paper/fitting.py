"""Where a value stands in its cell: as large as it fits, on one line or two, never cut."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from printing.paper.errors import ValueTooLong
from printing.paper.fonts import FaceList, units
from printing.paper.lines import Break, Room, divide

PT_PER_MM: Final = 72 / 25.4
MIN_SIZE_PT = 6.0  # the smallest type that an officer signs; a value that needs smaller type is refused
MIN_READING_PT = 4.5  # of readings above a name, as ruby is set
SIZE_STEP_PT = 0.25
LEADING = 1.18  # line distance by type size
PADDING_MM = 1.2  # between a value and the rules beside it
HANG_EM: Final = 0.5  # 【 and 】 are half white
_HARDLY_SMALLER: Final = 0.9  # a value stays on one line where two would not make it larger than by this
_TWO_LINES_EM: Final = LEADING + 1.22  # a bracket reaches out of its em box by a tenth of it
_WHITE_MM: Final = 0.4  # above and below two lines together


class Align(StrEnum):
    """Where text stands in its cell."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


class Box(NamedTuple):
    """A rectangle on the sheet; mm from the top left corner."""

    left_mm: float
    top_mm: float
    width_mm: float
    height_mm: float

    def inset(self, by_mm: float) -> Box:
        """Return the rectangle inside this one, smaller on every side."""
        return Box(self.left_mm + by_mm, self.top_mm + by_mm, self.width_mm - 2 * by_mm, self.height_mm - 2 * by_mm)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A value's type size and lines, as they fit its cell."""

    size_pt: float
    lines: tuple[str, ...]


def fit(
    faces: FaceList,
    text: str,
    width_mm: float,
    height_mm: float,
    size_pt: float,
    *,
    item: str,
    min_pt: float = MIN_SIZE_PT,
    lead: str = "",
) -> Fitted:
    """Return how a value fits: as large as one line or two allow; on one line if it is hardly smaller there.

    Shape:  lead stands before the value on its first line, and the second begins under the value.
    Errors: ValueTooLong(item) where min_pt is too large; UndrawableText.
    """
    width_pt, height_pt = width_mm * PT_PER_MM, height_mm * PT_PER_MM
    advances_em = [hit.advance_em for _unit, hit in faces.runs(text)]
    lead_em = faces.width_em(lead)
    width_em = lead_em + sum(advances_em) - sum(hang_em(lead + text))
    one_pt = min(size_pt, width_pt / width_em // SIZE_STEP_PT * SIZE_STEP_PT) if width_em > 0 else size_pt
    # Never three lines: they would not be read back beside their label.
    two_pt = min(size_pt, (height_pt - _WHITE_MM * PT_PER_MM) / _TWO_LINES_EM // SIZE_STEP_PT * SIZE_STEP_PT)
    if two_pt < min_pt and 2 * min_pt * LEADING <= height_pt:
        two_pt = min_pt
    if one_pt >= max(min_pt, two_pt * _HARDLY_SMALLER):
        return Fitted(one_pt, (text,))
    letters = units(text)
    two = divide(letters, advances_em, Room(width_pt, lead_em, two_pt, min_pt, SIZE_STEP_PT))
    if one_pt >= min_pt:
        freely_pt = two.size_pt if two is not None and two.cost is Break.FREE else 0.0
        if one_pt >= freely_pt * _HARDLY_SMALLER:
            return Fitted(one_pt, (text,))
    if two is None:
        raise ValueTooLong(item)
    return Fitted(two.size_pt, ("".join(letters[: two.at]), "".join(letters[two.at :])))


@dataclass(frozen=True, slots=True)
class Placed:
    """A value's type size, and its lines with their left end, middle or right end and the middle of their em boxes."""

    size_pt: float
    lines: tuple[tuple[str, float, float], ...]


def place(
    faces: FaceList,
    text: str,
    box: Box,
    size_pt: float,
    item: str,
    *,
    align: Align = Align.LEFT,
    padding_mm: float = PADDING_MM,
    min_pt: float = MIN_SIZE_PT,
    lead: str = "",
    level_mm: float | None = None,
) -> Placed:
    """Return where a value stands in its cell.

    Shape:  level_mm: where the middle of the first line stands below the cell's top; without it, the lines stand in the
            middle of the cell. lead: of values on the left alone.
    Errors: ValueTooLong(item), UndrawableText.
    """
    fitted = fit(
        faces, text, box.width_mm - 2 * padding_mm, box.height_mm, size_pt, item=item, min_pt=min_pt, lead=lead
    )
    pitch_mm, em_mm = fitted.size_pt * LEADING / PT_PER_MM, fitted.size_pt / PT_PER_MM
    first_mm = (
        box.top_mm + level_mm if level_mm is not None else middle_of_mm(box) - pitch_mm * (len(fitted.lines) - 1) / 2
    )
    first, *others = fitted.lines
    x_mm = start_mm(box, align, padding_mm, *(part * em_mm for part in hang_em(lead + text)))
    lines = [(lead + first if align is Align.LEFT else first.rstrip(), x_mm, first_mm)]
    if others:
        under_mm = x_mm + faces.width_em(lead) * em_mm
        lines.append((others[0], under_mm, first_mm + pitch_mm))
    return Placed(fitted.size_pt, tuple(lines))


def middle_of_mm(box: Box) -> float:
    """Return the middle of a cell's height, from the sheet's top."""
    return box.top_mm + box.height_mm / 2


def hang_em(text: str) -> tuple[float, float]:
    """Return how far a value hangs out at either side: half white, it would stand further in."""
    return HANG_EM * text.startswith("【"), HANG_EM * text.endswith("】")


def start_mm(box: Box, align: Align, padding_mm: float, left_mm: float, right_mm: float) -> float:
    """Return a line's left end, middle or right end in a cell; left_mm and right_mm: how far it hangs out there."""
    match align:
        case Align.LEFT:
            return box.left_mm + padding_mm - left_mm
        case Align.CENTRE:
            return box.left_mm + box.width_mm / 2
        case Align.RIGHT:
            return box.left_mm + box.width_mm - padding_mm + right_mm
