"""Tables that go over as many sheets as they need: rows of cells, bands with a heading at the left, blocks.

Every row's height is given, so that the number of sheets follows from the record alone, before a font is asked. A block
that is divided says on the next sheet whose it is; a band that is divided repeats its heading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby

from printing.paper.certificates import sheet
from printing.paper.certificates.sheet import SheetWords
from printing.paper.era import era_date, western_date
from printing.paper.fitting import LEADING, MIN_SIZE_PT, PADDING_MM, PT_PER_MM, Align, Box
from printing.paper.page import BLACK, Document
from printing.paper.records import Issuance

ROW_MM = 6.5
LINE_MM = 5.2  # a line without rules around it
TWO_LINES_MM = LINE_MM + sheet.VALUE_PT * LEADING / PT_PER_MM  # two of them, at their full size
LABEL_MM = 26.0
NOTE_MM = 4.6
_GAP_MM = 2.0
_CONTINUED_MM = 6.0
_END_MM = sheet.FOOT_TOP_MM - 5.0  # below it, every last sheet says that nothing follows
_CONTINUED = "(続き)"
_WIDE_INDENT_MM = 2.0  # of values without a label
_LEAD_UNITS = 2  # no block begins at a sheet's foot with less


@dataclass(frozen=True, slots=True)
class Cell:
    """One label with its value and the width of both; a width of 0 leaves that half out.

    lead: the form's word that a line without rules begins with; what does not go on its line stands under the value.
    """

    label: str
    value: str
    item: str
    label_mm: float
    value_mm: float
    align: Align = Align.LEFT
    size_pt: float = sheet.VALUE_PT
    reading: str | None = None  # of a name
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """Cells beside one another. Without rules it is one line of text."""

    cells: tuple[Cell, ...]
    height_mm: float = ROW_MM
    ruled: bool = True


@dataclass(frozen=True, slots=True)
class Band:
    """Rows with one heading at their left: words beside lines, a number beside a table.

    whole: never divided between sheets. section: what bands that follow one another are a part of; it stands above the
    first of them, and once more where a sheet begins with one.
    """

    rows: tuple[Row, ...]
    heading: str = ""
    heading_mm: float = 0.0
    whole: bool = False
    section: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Bands within one border; subject is what a continued block says of itself on the next sheet."""

    bands: tuple[Band, ...]
    subject: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """A certificate's body: header on every sheet, blocks one after the other, notes under the last."""

    header: tuple[Row, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Unit:
    """What stays together: a row, or the rows of a band that is not divided."""

    band: Band
    rows: tuple[Row, ...]


def _height_mm(units: Sequence[_Unit]) -> float:
    """Return what units take one under the other, sections included."""
    sections = sum(section != "" for section, _units in groupby(unit.band.section for unit in units))
    return sections * LINE_MM + sum(row.height_mm for unit in units for row in unit.rows)


@dataclass(slots=True)
class _Piece:
    """The part of a block that stands on one sheet."""

    block: Block
    top_mm: float
    continued: bool
    units: list[_Unit] = field(default_factory=list)


def sheets(flow: Flow) -> int:
    """Return the number of sheets."""
    return len(_paginate(flow))


def draw(document: Document, flow: Flow, words: SheetWords, issuance: Issuance, seal_text: str) -> None:
    """Draw all sheets.

    Errors: ValueTooLong, UndrawableText.
    """
    divided = _paginate(flow)
    for number, pieces in enumerate(divided, start=1):
        sheet.draw_head(document, words, issuance)
        end_mm = _draw_rows(document, flow.header, sheet.BODY_TOP_MM)
        for piece in pieces:
            end_mm = _draw_piece(document, piece)
        if number == len(divided):
            draw_end(document, flow.notes, end_mm)
        sheet.finish_sheet(document, words, issuance, seal_text, number=number, total=len(divided))


def draw_rows(document: Document, rows: tuple[Row, ...], top_mm: float, left_mm: float) -> float:
    """Draw rows one under the other within no border; return where they end."""
    for row in rows:
        _draw_row(document, row, left_mm, top_mm)
        top_mm += row.height_mm
    return top_mm


def packed(cells: list[tuple[Cell, bool]], width_mm: float, label_mm: float = LABEL_MM) -> tuple[Row, ...]:
    """Return rows of cells over a width: two halves in a row where two such follow one another, else one over all."""
    rows: list[Row] = []
    at = 0
    while at < len(cells):
        pair = at + 1 < len(cells) and cells[at][1] and cells[at + 1][1]
        chosen = [cell for cell, _half in cells[at : at + 2 if pair else at + 1]]
        value_mm = width_mm / len(chosen) - label_mm
        rows.append(Row(tuple(_sized(cell, label_mm, value_mm) for cell in chosen)))
        at += len(chosen)
    return tuple(rows)


def date_text(on: date | None, *, in_era: bool = True) -> str:
    """Return a date as papers write it, or that it is not recorded.

    Errors: NoEra.
    """
    if on is None:
        return sheet.EMPTY
    return era_date(on) if in_era else western_date(on)


def name_row(name: str, reading: str | None, born_on: str, width_mm: float, label_mm: float = LABEL_MM) -> Row:
    """Return the row of a name and a birth date."""
    born_label_mm, born_mm = 20.0, 38.0
    value_mm = width_mm - label_mm - born_label_mm - born_mm
    cells = (
        Cell("氏名", name, "name", label_mm, value_mm, reading=reading),
        Cell("生年月日", born_on, "born_on", born_label_mm, born_mm),
    )
    return Row(cells, sheet.NAME_ROW_MM)


def wide_row(label: str, value: str, item: str, label_mm: float = LABEL_MM, height_mm: float = ROW_MM) -> Row:
    """Return a row of one cell over the sheet's width."""
    return Row((Cell(label, value, item, label_mm, sheet.WIDTH_MM - label_mm, size_pt=10.5),), height_mm)


def heading_row(*columns: tuple[str, float]) -> Row:
    """Return a table's head: labels with their widths."""
    return Row(tuple(Cell(label, "", label, width_mm, 0.0) for label, width_mm in columns), 6.0)


def section_row(words: str) -> Row:
    """Return a line of its own that says what follows."""
    return Row((Cell("", words, "section", 0.0, sheet.WIDTH_MM),), LINE_MM)


def yen(amount_yen: int | None) -> str:
    """Return an amount as papers write it, or that it is not recorded."""
    return sheet.EMPTY if amount_yen is None else f"{amount_yen:,}円"


def _sized(cell: Cell, label_mm: float, value_mm: float) -> Cell:
    return replace(cell, label_mm=label_mm, value_mm=value_mm)


def _units(block: Block) -> Iterator[_Unit]:
    for band in block.bands:
        if band.whole:
            yield _Unit(band, band.rows)
        else:
            yield from (_Unit(band, (row,)) for row in band.rows)


def _paginate(flow: Flow) -> list[list[_Piece]]:
    head_mm = sum(row.height_mm for row in flow.header)
    first_mm = sheet.BODY_TOP_MM + head_mm + (_GAP_MM if head_mm else 0.0)
    divided: list[list[_Piece]] = [[]]
    y_mm = first_mm
    for block in flow.blocks:
        units = list(_units(block))
        # Kept together at the block's beginning: all of it, or enough that nobody's heading stands alone.
        if y_mm + _height_mm(units if block.whole else units[:_LEAD_UNITS]) > _END_MM and y_mm > first_mm:
            divided.append([])
            y_mm = first_mm
        piece = _Piece(block, y_mm, continued=False)
        divided[-1].append(piece)
        for unit in units:
            if y_mm + _height_mm([*piece.units, unit]) > _END_MM and piece.units:
                piece = _Piece(block, first_mm, continued=True)
                divided.append([piece])
                y_mm = first_mm + _CONTINUED_MM
            piece.units.append(unit)
        y_mm += _height_mm(piece.units) + _GAP_MM
    if flow.notes and y_mm + NOTE_MM * len(flow.notes) > _END_MM:
        divided.append([])
    return divided


def _draw_piece(document: Document, piece: _Piece) -> float:
    y_mm = piece.top_mm
    if piece.continued:
        box = Box(sheet.LEFT_MM, y_mm, sheet.WIDTH_MM, _CONTINUED_MM)
        document.frame(box, sheet.RULE_PT)
        document.value(f"{piece.block.subject}{_CONTINUED}", box, 9.0, "continued", padding_mm=2.0)
        y_mm += _CONTINUED_MM
    section = ""
    for _identity, group in groupby(piece.units, key=lambda unit: id(unit.band)):
        units = list(group)
        band, rows = units[0].band, tuple(row for unit in units for row in unit.rows)
        if band.section not in {"", section}:
            y_mm = draw_rows(document, (section_row(band.section),), y_mm, sheet.LEFT_MM)
        section = band.section
        y_mm = _draw_band(document, band, rows, y_mm, continued=rows[0] is not band.rows[0])
    document.frame(Box(sheet.LEFT_MM, piece.top_mm, sheet.WIDTH_MM, y_mm - piece.top_mm), sheet.BORDER_PT)
    return y_mm


def _draw_band(document: Document, band: Band, rows: tuple[Row, ...], top_mm: float, *, continued: bool) -> float:
    height_mm = sum(row.height_mm for row in rows)
    left_mm = sheet.LEFT_MM + band.heading_mm
    box = Box(sheet.LEFT_MM, top_mm, band.heading_mm, height_mm)
    heading = f"{band.heading}{_CONTINUED}" if continued and band.heading else band.heading
    document.frame(Box(left_mm, top_mm, sheet.WIDTH_MM - band.heading_mm, height_mm), sheet.RULE_PT)
    if not rows[0].ruled:
        # Beside lines the heading stands on the first of them, and before it in the extracted text.
        _draw_heading(document, heading, box)
        return draw_rows(document, rows, top_mm, left_mm)
    # Beside a table it is a number of its own in the middle, and no text: it would be extracted amidst a name.
    if box.width_mm:
        document.frame(Box(box.left_mm, top_mm, box.width_mm, height_mm), sheet.RULE_PT)
        at_mm = (box.left_mm + box.width_mm / 2, top_mm + height_mm / 2)
        document.outlines(document.fonts.labels, heading, at_mm, 9.0, colour=BLACK)
    return draw_rows(document, rows, top_mm, left_mm)


def _draw_heading(document: Document, heading: str, box: Box) -> None:
    if box.width_mm:
        document.frame(box, sheet.RULE_PT)
        at = box._replace(height_mm=LINE_MM)
        document.value(heading, at, 9.0, "heading", align=Align.CENTRE, padding_mm=0.6)


def _draw_rows(document: Document, rows: tuple[Row, ...], top_mm: float) -> float:
    end_mm = draw_rows(document, rows, top_mm, sheet.LEFT_MM)
    if rows:
        document.frame(Box(sheet.LEFT_MM, top_mm, sheet.WIDTH_MM, end_mm - top_mm), sheet.BORDER_PT)
    return end_mm


def _draw_row(document: Document, row: Row, left_mm: float, top_mm: float) -> None:
    names: list[tuple[Cell, Box, float]] = []
    for cell in row.cells:
        label_box = Box(left_mm, top_mm, cell.label_mm, row.height_mm)
        if cell.reading:
            name_pt = sheet.name_cell(document, label_box, cell.value, cell.value_mm, below_reading=True)
            names.append((cell, label_box, name_pt))
        else:
            _draw_cell(document, cell, label_box, ruled=row.ruled)
        left_mm += cell.label_mm + cell.value_mm
    # After all others, or it would be extracted amidst the name.
    for cell, label_box, name_pt in names:
        sheet.name_reading(document, label_box, cell.reading or "", cell.value_mm, name_pt)


def _draw_cell(document: Document, cell: Cell, label_box: Box, *, ruled: bool) -> None:
    value_box = Box(label_box.left_mm + cell.label_mm, label_box.top_mm, cell.value_mm, label_box.height_mm)
    if ruled:
        document.frame(label_box, sheet.RULE_PT)
        document.frame(value_box, sheet.RULE_PT)
    if cell.label_mm:
        label_pt = document.label(cell.label, label_box, sheet.LABEL_PT)
        assert label_pt >= MIN_SIZE_PT, f"the form leaves too little room for {cell.label}"
    if cell.value_mm:
        document.value(
            cell.value,
            value_box,
            sheet.NAME_PT if cell.item == "name" else cell.size_pt,
            cell.item,
            align=cell.align,
            padding_mm=PADDING_MM if cell.label_mm else _WIDE_INDENT_MM,
            lead=cell.lead,
            level_mm=None if ruled else LINE_MM / 2,
        )


def draw_end(document: Document, notes: tuple[str, ...], end_mm: float) -> None:
    """Draw the notes below a body, and that nothing follows."""
    y_mm = end_mm + _GAP_MM
    for note in notes:
        document.text(document.fonts.labels, note, sheet.LEFT_MM + 1.0, y_mm + NOTE_MM / 2, 8.0)
        y_mm += NOTE_MM
    document.text(document.fonts.labels, "以下余白", 105.0, y_mm + (4.0 if notes else 3.0), 9.5, align=Align.CENTRE)
