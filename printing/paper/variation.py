"""Sequences of the Adobe-Japan1 collection, drawn by the glyph of the Moji_Joho sequence of the same shape.

Registers hold names from two collections of the Ideographic Variation Database; the font has only one of them. What is
mapped is looked up in a table that says for each entry why the shapes are the same (variation.toml, [sources]); what
is not in it stays as it is, and is refused where the font lacks it. Only the glyph is another's: text that is extracted
from a paper has the sequence that the register has. A municipality's own, dated decisions stand in variation.toml.
Sources: UTS #37; 文字情報基盤 MJ文字情報一覧表 Ver.006.02 (CC BY-SA 2.1 JP); Adobe-Japan1-7's cid2code.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

FOLDER = Path(__file__).parent
_SEQUENCE = r"^[0-9A-F]{4,5} E01[0-9A-E][0-9A-F]$"


class VariationError(Exception):
    """The table or a decision is not one; the message names the entry and the rule."""


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an officer decided: this sequence is drawn by that one's glyph. Code points in hexadecimal."""

    sequence: Annotated[str, msgspec.Meta(pattern=_SEQUENCE)]
    drawn_as: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-F]{4,5}( E01[0-9A-E][0-9A-F])?$")]
    decided_by: Annotated[str, msgspec.Meta(min_length=1)]
    decided_on: date
    reason: Annotated[str, msgspec.Meta(min_length=1)]


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sources: dict[str, str]
    decision: tuple[Decision, ...] = ()


def load(folder: Path = FOLDER) -> dict[str, str]:
    """Return what each sequence is drawn as, from variation.tsv and variation.toml.

    Errors: VariationError for an entry without source, of another base, or given twice.
    """
    try:
        told = msgspec.toml.decode((folder / "variation.toml").read_bytes(), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VariationError(f"variation.toml: {error}") from None
    rows = [line.split("\t") for line in (folder / "variation.tsv").read_text("utf-8").splitlines() if line[0] != "#"]
    if any(len(row) != 3 or row[2] not in told.sources for row in rows):
        raise VariationError("variation.tsv: a row has a sequence, what it is drawn as, and a source of variation.toml")
    rows += [[decision.sequence, decision.drawn_as, "decision"] for decision in told.decision]
    table: dict[str, str] = {}
    for sequence, drawn_as, source in rows:
        unit, target = _text(sequence), _text(drawn_as)
        if unit[0] != target[0] or unit == target:
            raise VariationError(f"{sequence} ({source}): drawn as another sequence of the same character")
        if unit in table:
            raise VariationError(f"{sequence} ({source}): given twice")
        table[unit] = target
    chained = next((unit for unit, target in table.items() if target in table), None)
    if chained is not None:
        raise VariationError(f"{ord(chained[0]):04X}: drawn as a sequence that is itself drawn as another")
    return table


def _text(code_points: str) -> str:
    return "".join(chr(int(code, 16)) for code in code_points.split(" "))


_TABLE = load()


def normalised(unit: str) -> str:
    """Return the sequence whose glyph draws a unit: the unit itself, unless the table knows another of its shape."""
    return _TABLE.get(unit, unit)
