"""What the virtual printer's paper did: one line for every physical act, on the disk before anything else goes on.

The judge of the printer's tests. It is written by the paper's path alone, never by what the printer says over IPP, so
that a printer which is told to lie still has a true record; and it outlives the kill -9 that plays a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import msgspec


class Act(StrEnum):
    """What can happen to a sheet."""

    FED = "fed"
    MARKED = "marked"  # one side of it
    OUT = "out"
    REMOVED = "removed"  # pulled out of the path by hand
    RETRACTED = "retracted"  # taken back by the presenter


class Place(StrEnum):
    """Where a sheet is."""

    PATH = "path"
    OUTLET = "outlet"
    BY_HAND = "by hand"
    BIN = "bin"


PLACE_AFTER = {Act.FED: Place.PATH, Act.OUT: Place.OUTLET, Act.REMOVED: Place.BY_HAND, Act.RETRACTED: Place.BIN}


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One act; name is the job's, page and sha256 belong to a side."""

    act: Act
    sheet: int
    name: str = ""
    page: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Side:
    """One printed side: the page's number in its document, and the hash of its picture."""

    page: int
    sha256: str


@dataclass(frozen=True)
class Sheet:
    """One sheet, front first; number counts every sheet that was ever fed."""

    number: int
    name: str
    sides: tuple[Side, ...] = ()
    place: Place = Place.PATH


class Record:
    """All sheets of one printer; with a file they are there again after the process's end."""

    def __init__(self, path: Path | None = None) -> None:
        self._sheets: dict[int, Sheet] = {}
        self._file: int | None = None
        if path is not None:
            self._sheets = {sheet.number: sheet for sheet in read_record(path)}
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def feed(self, name: str) -> int:
        """A blank sheet leaves the paper tray; return its number."""
        number = len(self._sheets) + 1
        self._write(Line(Act.FED, number, name))
        return number

    def mark(self, number: int, side: Side) -> None:
        """A side is printed."""
        self._write(Line(Act.MARKED, number, page=side.page, sha256=side.sha256))

    def move(self, number: int, act: Act) -> None:
        """The sheet goes somewhere."""
        self._write(Line(act, number))

    def sheets(self) -> tuple[Sheet, ...]:
        """Return every sheet, in the order in which they were fed."""
        return tuple(self._sheets.values())

    def at(self, place: Place) -> tuple[Sheet, ...]:
        """Return the sheets in one place."""
        return tuple(sheet for sheet in self._sheets.values() if sheet.place == place)

    def _write(self, line: Line) -> None:
        if self._file is not None:
            os.write(self._file, msgspec.json.encode(line) + b"\n")  # one call: a kill leaves no half line
            os.fsync(self._file)
        _apply(self._sheets, line)


def read_record(path: Path) -> tuple[Sheet, ...]:
    """Return the sheets of a record, also while its printer runs; none if it has not begun."""
    lines: Iterable[bytes] = path.read_bytes().splitlines() if path.exists() else ()
    sheets: dict[int, Sheet] = {}
    for line in lines:
        _apply(sheets, msgspec.json.decode(line, type=Line))
    return tuple(sheets.values())


def _apply(sheets: dict[int, Sheet], line: Line) -> None:
    if line.act is Act.FED:
        sheets[line.sheet] = Sheet(line.sheet, line.name)
        return
    sheet = sheets[line.sheet]
    if line.act is Act.MARKED:
        sheets[line.sheet] = replace(sheet, sides=(*sheet.sides, Side(line.page, line.sha256)))
    else:
        sheets[line.sheet] = replace(sheet, place=PLACE_AFTER[line.act])
