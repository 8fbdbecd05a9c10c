"""A document under construction: A4 sheets, measured in mm from the top left corner.

What differs from paper to paper is drawn as it comes. What is the same on many (rules, the form's own words, whatever
is drawn within `prepared`) is a pure function of the calls that draw it: it is made once in a process's life and kept.
Rules and marks are shown as a form under the text; words stay among the values that they name, so that the text of a
page is read in the order in which it stands there. No font is registered anywhere: the bytes are a function of what
was drawn in this document and of nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar, cast

from printing.paper.fitting import (
    HANG_EM,
    MIN_SIZE_PT,
    PADDING_MM,
    PT_PER_MM,
    SIZE_STEP_PT,
    Align,
    Box,
    hang_em,
    middle_of_mm,
    place,
    start_mm,
)
from printing.paper.fonts import Face, FaceList, Fonts, ValueCodes, words_font, words_name
from printing.paper.pdf import A4_PT, EmbeddedFont, Form, Mask, PdfFile, mask

_LABEL_WHITE_MM: Final = 2.0
_BASELINE_EM = 0.38  # from the middle of an em box down to its baseline
#: What a process remembers of forms: some 20 KB each, so that a register of unusual papers cannot fill the memory.
_FORMS_KEPT: Final = 256
_WORDS_KEPT: Final = 8192
_CELLS_KEPT: Final = 256
_DRAWN_KEPT: Final = 16

T = TypeVar("T")
Colour = tuple[float, float, float]
BLACK: Colour = (0.0, 0.0, 0.0)
WHITE: Colour = (1.0, 1.0, 1.0)
#: A drawing call: the name of the method of `_Ink` and its arguments. Calls that draw the same are equal.
_Call = tuple[Any, ...]
#: Which characters the form's own words take of which face.
_Words = dict[tuple[FaceList, Face], set[str]]


class _Line(NamedTuple):
    """Where a line of text stands: its left end, middle or right end, and the middle of its em boxes."""

    x_mm: float
    middle_mm: float
    size_pt: float
    align: Align


class _Picture(NamedTuple):
    """A picture of one bit a pixel; rows are padded to bytes, 1 is paper."""

    name: str
    width_px: int
    height_px: int
    rows: bytes


class Style(NamedTuple):
    """The type of a cell's label and value before they are fitted, and its rules; pt."""

    label_pt: float
    value_pt: float
    rule_pt: float


class Cell(NamedTuple):
    """A label, the room for a value to the right of it, and the item whose value that is."""

    item: str
    label: str
    label_box: Box
    value_mm: float

    @property
    def value_box(self) -> Box:
        """The value's own rectangle."""
        left_mm, top_mm, width_mm, height_mm = self.label_box
        return Box(left_mm + width_mm, top_mm, self.value_mm, height_mm)


class Cells:
    """Cells that are ruled and labelled together; all but their values is worked out once.

    Equal where they look the same, whatever was forgotten in between; hashed once, since a sheet has dozens.
    """

    __slots__ = ("_hash", "_key")

    def __init__(self, cells: tuple[Cell, ...], style: Style) -> None:
        self._key = (cells, style)
        self._hash = hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Cells) and self._key == other._key)

    def __iter__(self) -> Iterator[Cell]:
        return iter(self._key[0])

    @property
    def style(self) -> Style:
        """The type of all of them."""
        return self._key[1]


class _Room(NamedTuple):
    """Where a value goes: its cell, its label's operators, its width, and how it begins: flush, or hanging out."""

    cell: Cell
    label: str
    width_em: float
    flush: str
    hung: str


class _Ink:
    """Drawing calls as PDF operators, with the words and pictures that they use."""

    def __init__(self, words: _Words) -> None:
        self.operators: list[str] = []
        self._words = words
        self.masks: dict[str, Mask] = {}

    def frame(self, box: Box, line_pt: float, colour: Colour) -> None:
        self.operators.append("q {:g} {:g} {:g} RG ".format(*colour) + f"{line_pt:g} w {_rectangle(box)} S Q")

    def line(self, from_mm: tuple[float, float], to_mm: tuple[float, float], line_pt: float) -> None:
        (x0, y0), (x1, y1) = from_mm, to_mm
        path = f"{x0 * PT_PER_MM:.3f} {_y_pt(y0):.3f} m {x1 * PT_PER_MM:.3f} {_y_pt(y1):.3f} l"
        self.operators.append(f"{line_pt:g} w {path} S")

    def fill(self, box: Box, colour: Colour) -> None:
        self.paths([_rectangle(box)], colour)

    def paths(self, paths: list[str], colour: Colour) -> None:
        self.operators.append("q " + "{:g} {:g} {:g} rg ".format(*colour) + "\n".join(paths) + " f Q")

    def outlines(self, faces: FaceList, text: str, line: _Line, colour: Colour, angle: float) -> None:
        cos, sin, size_pt = math.cos(angle), math.sin(angle), line.size_pt
        x_pt, y_pt = line.x_mm * PT_PER_MM, _y_pt(line.middle_mm)
        along_pt = -faces.width_em(text) * size_pt / 2
        for _unit, (face, glyph, advance_em, _utf16) in faces.runs(text):
            scale = size_pt / face.units_per_em
            down_pt = -_BASELINE_EM * size_pt
            x, y = x_pt + along_pt * cos - down_pt * sin, y_pt + along_pt * sin + down_pt * cos
            matrix = f"{scale * cos:.5f} {scale * sin:.5f} {-scale * sin:.5f} {scale * cos:.5f} {x:.3f} {y:.3f} cm"
            self.paths([matrix, face.outline(glyph)], colour)
            along_pt += advance_em * size_pt

    def picture(self, picture: _Picture, boxes: tuple[Box, ...], colour: Colour) -> None:
        self.masks[picture.name] = mask(picture.width_px, picture.height_px, picture.rows)
        shows = " ".join(
            f"q {box.width_mm * PT_PER_MM:.3f} 0 0 {box.height_mm * PT_PER_MM:.3f} {box.left_mm * PT_PER_MM:.3f} "
            f"{_y_pt(box.top_mm + box.height_mm):.3f} cm /{picture.name} Do Q"
            for box in boxes
        )
        self.operators.append("q {:g} {:g} {:g} rg ".format(*colour) + shows + " Q")

    def cells(self, cells: Cells) -> None:
        for cell in cells:
            self.frame(cell.label_box, cells.style.rule_pt, BLACK)
            self.frame(cell.value_box, cells.style.rule_pt, BLACK)

    def word_line(self, faces: FaceList, text: str, line: _Line) -> None:
        operators, used = _word_line(faces, text, line)
        self.operators.append(operators)
        self.use(faces, used)

    def use(self, faces: FaceList, used: Iterable[tuple[Face, frozenset[str]]]) -> None:
        for face, characters in used:
            words = self._words.get((faces, face))
            if words is None:
                words = self._words[faces, face] = set()
            words |= characters


def _words_fonts(words: _Words) -> list[tuple[str, EmbeddedFont]]:
    return [
        (words_name(face), words_font(faces, face, frozenset(characters)))
        for (faces, face), characters in words.items()
    ]


@lru_cache(maxsize=_WORDS_KEPT)
def _word_line(faces: FaceList, text: str, line: _Line) -> tuple[str, tuple[tuple[Face, frozenset[str]], ...]]:
    """Return the operators of one of the form's own lines, and the characters that it takes of each face."""
    runs: list[tuple[Face, list[str]]] = []
    for unit, hit in faces.runs(text):
        assert len(unit) == 1 <= ord(unit) < 0x10000, "a form's own words are plain characters"
        if not runs or runs[-1][0] is not hit.face:
            runs.append((hit.face, []))
        runs[-1][1].append(unit)
    shown = [(words_name(face), "".join(characters).encode("utf-16-be").hex()) for face, characters in runs]
    operators = _shown(shown, faces.width_em(text), line)
    return operators, tuple((face, frozenset(characters)) for face, characters in runs)


@lru_cache(maxsize=_WORDS_KEPT)
def label_pt(faces: FaceList, text: str, width_mm: float, size_pt: float) -> float:
    """Return the size of one of the form's own words in a cell: white stays between it and a value that hangs out."""
    return min(size_pt, (width_mm - _LABEL_WHITE_MM) * PT_PER_MM / faces.width_em(text) // SIZE_STEP_PT * SIZE_STEP_PT)


@lru_cache(maxsize=_FORMS_KEPT)
def _prepared(calls: tuple[_Call, ...]) -> Form:
    """Return the form that these calls draw: a pure function, remembered."""
    words: _Words = {}
    ink = _Ink(words)
    for name, *arguments in calls:
        getattr(ink, name)(*arguments)
    return Form.of("\n".join(ink.operators).encode("ascii"), _words_fonts(words), ink.masks.items())


def _shown(runs: list[tuple[str, str]], width_em: float, line: _Line) -> str:
    """Return the operators of one line. Shape: runs are font names with codes in hexadecimal."""
    return _at(line, width_em) + _shows(runs, line.size_pt)


def _at(line: _Line, width_em: float) -> str:
    x_mm, middle_mm, size_pt, align = line
    x_pt = x_mm * PT_PER_MM
    if align is not Align.LEFT:
        x_pt -= width_em * size_pt / (2 if align is Align.CENTRE else 1)
    y_pt = A4_PT[1] - middle_mm * PT_PER_MM - _BASELINE_EM * size_pt
    return f"BT 1 0 0 1 {x_pt:.3f} {y_pt:.3f} Tm "


def _shows(runs: list[tuple[str, str]], size_pt: float) -> str:
    if len(runs) == 1:
        return f"/{runs[0][0]} {size_pt:g} Tf <{runs[0][1]}> Tj ET"
    return "".join([f"/{name} {size_pt:g} Tf <{codes}> Tj " for name, codes in runs]) + "ET"


@lru_cache(maxsize=_CELLS_KEPT)
def _rooms(faces: FaceList, cells: Cells) -> tuple[tuple[_Room, ...], tuple[tuple[Face, frozenset[str]], ...]]:
    """Return the cells with their labels set, and the characters that these take of each face."""
    rooms: list[_Room] = []
    used: list[tuple[Face, frozenset[str]]] = []
    value_pt = cells.style.value_pt
    em_mm = value_pt / PT_PER_MM
    for cell in cells:
        box, label_box = cell.value_box, cell.label_box
        size_pt = label_pt(faces, cell.label, label_box.width_mm, cells.style.label_pt)
        assert size_pt >= MIN_SIZE_PT, f"the form leaves too little room for {cell.label}"
        middle_mm = middle_of_mm(box)
        centre = _Line(label_box.left_mm + label_box.width_mm / 2, middle_mm, size_pt, Align.CENTRE)
        label, characters = _word_line(faces, cell.label, centre)
        used += characters
        flush, hung = (
            _at(_Line(start_mm(box, Align.LEFT, PADDING_MM, by_em * em_mm, 0.0), middle_mm, value_pt, Align.LEFT), 0.0)
            for by_em in (0.0, HANG_EM)
        )
        rooms.append(_Room(cell, label, (cell.value_mm - 2 * PADDING_MM) / em_mm, flush, hung))
    return tuple(rooms), tuple(used)


@dataclass(frozen=True, slots=True)
class _Page:
    operators: bytes
    xobjects: tuple[tuple[str, Form | Mask], ...]


@lru_cache(maxsize=16)
def _tiles(tile: Box) -> tuple[Box, ...]:
    """Return the boxes that cover the sheet from a tile's corner on to the right and down."""
    across = math.ceil((A4_PT[0] / PT_PER_MM - tile.left_mm) / tile.width_mm)
    down = math.ceil((A4_PT[1] / PT_PER_MM - tile.top_mm) / tile.height_mm)
    return tuple(
        tile._replace(left_mm=tile.left_mm + column * tile.width_mm, top_mm=tile.top_mm + row * tile.height_mm)
        for row in range(down)
        for column in range(across)
    )


class Document:
    """One PDF under construction.

    trial: it is drawn to see whether everything fits, and nobody will have it.
    """

    def __init__(self, fonts: Fonts, title: str, author: str, *, trial: bool = False) -> None:
        self.fonts = fonts
        self.trial = trial
        self._title = title
        self._author = author
        self._codes = ValueCodes(fonts.values)
        self._words: _Words = {}
        self._pages: list[_Page] = []
        # The same calls on two pages are one form of this document, whatever was forgotten in between.
        self._forms: dict[tuple[_Call, ...], Form] = {}
        self._drawn: dict[tuple[Any, ...], tuple[Form, Any]] = {}
        self._recording: list[_Call] | None = None
        self._begin_page()

    def _begin_page(self) -> None:
        self._ink = _Ink(self._words)
        self._rules: list[_Call] = []
        self._under: list[Form] = []

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """What is drawn within is the same on many papers, and stands below what is drawn without."""
        assert self._recording is None, "prepared within prepared"
        self._recording = []
        yield
        calls, self._recording = tuple(self._recording), None
        self._under.append(self._form(calls))

    def prepared_by(self, draw: Callable[..., T], *arguments: Hashable) -> T:
        """Show what draw(document, *arguments) draws, as within `prepared`; return what it returns.

        It is called once in a process's life: whatever it does must follow from its arguments and the fonts.
        """
        key = (draw, arguments)
        drawn = self._drawn.get(key)
        if drawn is None:
            drawn = self._drawn[key] = _drawn(self.fonts, draw, arguments)
        form, value = drawn
        self._under.append(form)
        return cast(T, value)

    def next_page(self) -> None:
        """Finish a page; another one begins with what is drawn next."""
        assert self._recording is None, "a page ends within prepared"
        forms = [*self._under, self._form(tuple(self._rules))] if self._rules else self._under
        named = [(f"P{number}", form) for number, form in enumerate(forms)]
        shows = [f"/{name} Do" for name, _form in named]
        content = "\n".join([*shows, *self._ink.operators]).encode("ascii")
        self._pages.append(_Page(content, (*named, *self._ink.masks.items())))
        self._begin_page()

    def finish(self) -> bytes:
        """Return the document's bytes; the last page was finished by next_page."""
        fonts = [*self._codes.fonts(), *_words_fonts(self._words)]
        file = PdfFile()
        for page in self._pages:
            file.page(page.operators, fonts, page.xobjects)
        return file.finish(self._title, self._author)

    def text(
        self, faces: FaceList, text: str, x_mm: float, middle_mm: float, size_pt: float, *, align: Align = Align.LEFT
    ) -> None:
        """Set one line of text; x_mm is its left end, middle or right end, middle_mm the middle of its em boxes.

        Lines in any faces but those for values are kept beyond the document: nothing of a person's may stand in them.
        Errors: UndrawableText.
        """
        line = _Line(x_mm, middle_mm, size_pt, align)
        if self._recording is not None:
            self._recording.append(("word_line", faces, text, line))
        elif faces is self.fonts.values:
            width_em, runs = self._codes.line(text)
            self._ink.operators.append(_shown(runs, width_em, line))
        else:
            self._ink.word_line(faces, text, line)

    def value(
        self,
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
    ) -> float:
        """Set a register's value in its cell as `place` says, never cut; return its size.

        Errors: ValueTooLong(item), UndrawableText.
        """
        if self._recording is None:
            width_em, runs = self._codes.line(lead + text)
            left_em, right_em = hang_em(lead + text)
            em_mm = size_pt / PT_PER_MM
            if (width_em - left_em - right_em) * em_mm <= box.width_mm - 2 * padding_mm:
                x_mm = start_mm(box, align, padding_mm, left_em * em_mm, right_em * em_mm)
                middle_mm = box.top_mm + level_mm if level_mm is not None else middle_of_mm(box)
                self._ink.operators.append(_shown(runs, width_em, _Line(x_mm, middle_mm, size_pt, align)))
                return size_pt
        faces = self.fonts.values
        placed = place(
            faces,
            text,
            box,
            size_pt,
            item,
            align=align,
            padding_mm=padding_mm,
            min_pt=min_pt,
            lead=lead,
            level_mm=level_mm,
        )
        for line, x_mm, middle_mm in placed.lines:
            self.text(faces, line, x_mm, middle_mm, placed.size_pt, align=align)
        return placed.size_pt

    def label(self, text: str, box: Box, size_pt: float = 7.5) -> float:
        """Set one of the form's own words in the middle of its cell, shrunk to the cell's width; return the size."""
        faces = self.fonts.labels
        size_pt = label_pt(faces, text, box.width_mm, size_pt)
        self.text(
            faces, text, box.left_mm + box.width_mm / 2, box.top_mm + box.height_mm / 2, size_pt, align=Align.CENTRE
        )
        return size_pt

    def cells(self, cells: Cells, values: Mapping[str, str]) -> None:
        """Rule and label cells and set their values by item, as `frame`, `label` and `value` do, in the cells' order.

        Errors: ValueTooLong(item), UndrawableText.
        """
        assert self._recording is None, "a register's value within prepared"
        faces, size_pt = self.fonts.labels, cells.style.value_pt
        rooms, used = _rooms(faces, cells)
        self._rules.append(("cells", cells))
        self._ink.use(faces, used)
        operators, set_line = self._ink.operators, self._codes.line
        for cell, label, room_em, flush, hung in rooms:
            operators.append(label)
            value = values[cell.item]
            width_em, runs = set_line(value)
            left_em, right_em = hang_em(value)
            if width_em - left_em - right_em <= room_em:
                operators.append((hung if left_em else flush) + _shows(runs, size_pt))
            else:
                self.value(value, cell.value_box, size_pt, cell.item)

    def frame(self, box: Box, line_pt: float, colour: Colour = BLACK) -> None:
        """Rule a rectangle."""
        self._rule("frame", box, line_pt, colour)

    def fill(self, box: Box, colour: Colour) -> None:
        """Fill a rectangle; the colour holds for this rectangle alone."""
        self._rule("fill", box, colour)

    def line(self, from_mm: tuple[float, float], to_mm: tuple[float, float], line_pt: float) -> None:
        """Rule a line."""
        self._rule("line", from_mm, to_mm, line_pt)

    def grid(self, paths: list[str], at_mm: tuple[float, float], step_mm: float) -> None:
        """Fill paths given in whole steps of a grid that runs right and down from a point: this document's own."""
        step_pt = step_mm * PT_PER_MM
        matrix = f"{step_pt:.5f} 0 0 {-step_pt:.5f} {at_mm[0] * PT_PER_MM:.5f} {_y_pt(at_mm[1]):.5f} cm"
        self._ink.paths([matrix, *paths], BLACK)

    def outlines(
        self,
        faces: FaceList,
        text: str,
        at_mm: tuple[float, float],
        size_pt: float,
        *,
        colour: Colour,
        angle: float = 0.0,
    ) -> None:
        """Draw text as outlines, which no one can extract; at_mm is the middle of the line, angle in radians."""
        self._rule("outlines", faces, text, _Line(*at_mm, size_pt, Align.CENTRE), colour, angle)

    def bitmap(
        self, name: str, width_px: int, height_px: int, rows: bytes, box: Box, *, colour: Colour = BLACK
    ) -> None:
        """Draw a picture of one bit a pixel on what is there; rows are padded to bytes, 1 is paper.

        name: the same for the same picture within a document. Only within `prepared` is it kept beyond the document.
        """
        picture = _Picture(name, width_px, height_px, rows)
        if self._recording is None:
            self._ink.picture(picture, (box,), colour)
        else:
            self._recording.append(("picture", picture, (box,), colour))

    def tiled(self, name: str, width_px: int, height_px: int, rows: bytes, tile: Box, *, colour: Colour) -> None:
        """Cover the sheet with a picture of one bit a pixel, from a tile's corner on to the right and down."""
        boxes = _tiles(tile)
        self._rule("picture", _Picture(name, width_px, height_px, rows), boxes, colour)

    def _rule(self, *call: Any) -> None:
        (self._rules if self._recording is None else self._recording).append(call)

    def _form(self, calls: tuple[_Call, ...]) -> Form:
        form = self._forms.get(calls)
        if form is None:
            form = self._forms[calls] = _prepared(calls)
        return form


@lru_cache(maxsize=_DRAWN_KEPT)
def _drawn(fonts: Fonts, draw: Callable[..., T], arguments: tuple[Hashable, ...]) -> tuple[Form, T]:
    document = Document(fonts, "", "")
    with document.prepared():
        value = draw(document, *arguments)
    return document._under[0], value


def _y_pt(y_mm: float) -> float:
    return A4_PT[1] - y_mm * PT_PER_MM


def _rectangle(box: Box) -> str:
    y_pt = _y_pt(box.top_mm + box.height_mm)
    sizes = (box.left_mm * PT_PER_MM, y_pt, box.width_mm * PT_PER_MM, box.height_mm * PT_PER_MM)
    return " ".join([f"{size:.3f}" for size in sizes]) + " re"
