"""Make printing/paper/variation.tsv from the registries' own data: `python -m tests.judges.variation_table moji.db`.

moji.db is the SQLite file of the npm package @mandel59/mojidata (1.8.1 made the table as it stands). A sequence gets an
entry only where both collections name the same standard's example shape, by one of two rules (variation.toml,
[sources]), and where exactly one glyph answers. Where both rules answer, they must agree; in 1,561 cases they do.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import defaultdict
from pathlib import Path

from printing.paper.fonts import FONT_FOLDER, Face
from printing.paper.variation import FOLDER

_HEADER = """\
# What Adobe-Japan1 sequences are drawn as: sequence, drawn as, source (variation.toml).
# Made by tests.judges.variation_table from MJ文字情報一覧表 Ver.006.02 (CC BY-SA 2.1 JP, whose terms
# hold for this file), the Ideographic Variation Database (Unicode, Inc.) and Adobe-Japan1-7 (Adobe, BSD-3-Clause).
"""


class Registries:
    """The tables of the collections, as far as the rules need them."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.adobe = dict(database.execute('SELECT IVS, CID FROM "ivs_Adobe-Japan1"'))
        self._hanyo_denshi: set[tuple[str, str]] = set(database.execute('SELECT IVS, code FROM "ivs_Hanyo-Denshi"'))
        self._example_1990 = self._cids(database, "aj1_UniJIS_H")
        self._example_2004 = self._cids(database, "aj1_UniJISX02132004_H")
        self._glyphs: dict[str, list[tuple[str | None, str | None, str | None, int | None]]] = defaultdict(list)
        columns = "対応するUCS, 実装したUCS, 実装したMoji_JohoコレクションIVS, X0213, X0213_包摂区分"
        for base, *glyph in database.execute(f"SELECT {columns} FROM mji"):  # noqa: S608 - constants
            self._glyphs[base].append(tuple(glyph))

    @staticmethod
    def _cids(database: sqlite3.Connection, table: str) -> set[tuple[int, str]]:
        return set(database.execute(f'SELECT CID, UCS FROM "{table}"'))  # noqa: S608 - constants

    def jis2004(self, sequence: str) -> str | None:
        """The rule `jis2004`."""
        base = sequence[0]
        if (self.adobe[sequence], base) not in self._example_2004:
            return None
        found = [moji_joho or plain for plain, moji_joho, _place, unified in self._glyphs[base] if unified == 0]
        return found[0] if len(found) == 1 else None

    def jis90(self, sequence: str) -> str | None:
        """The rule `jis90`."""
        base = sequence[0]
        if (self.adobe[sequence], base) not in self._example_1990:
            return None
        found = [
            moji_joho
            for _plain, moji_joho, place, _unified in self._glyphs[base]
            if moji_joho and place and (moji_joho, _hanyo_denshi_code(place)) in self._hanyo_denshi
        ]
        return found[0] if len(found) == 1 else None


def _hanyo_denshi_code(place: str) -> str:
    """Return Hanyo-Denshi's identifier of a place in JIS X 0208; another plane has none."""
    plane, row, cell = place.split("-")
    return f"JA{row}{cell}" if plane == "1" else ""


def rows(registries: Registries, face: Face) -> list[tuple[str, str, str]]:
    """Return the entries: sequence, what draws it, and the rule."""
    found = []
    for sequence in sorted(registries.adobe):
        by_2004, by_1990 = registries.jis2004(sequence), registries.jis90(sequence)
        if by_2004 and by_1990 and by_2004 != by_1990:
            raise ValueError(f"{_code_points(sequence)}: the rules do not agree")
        target = by_2004 or by_1990
        if target and face.glyph(target) is not None and face.glyph(sequence) is None:
            found.append((sequence, target, "jis2004" if by_2004 else "jis90"))
    return found


def _code_points(text: str) -> str:
    return " ".join(f"{ord(character):04X}" for character in text)


def main() -> int:
    """Write the table."""
    with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as database:
        registries = Registries(database)
    found = rows(registries, Face(FONT_FOLDER / "ipamj" / "ipamjm.ttf", "the value font"))
    lines = [f"{_code_points(sequence)}\t{_code_points(target)}\t{rule}\n" for sequence, target, rule in found]
    (Path(FOLDER) / "variation.tsv").write_text(_HEADER + "".join(lines), "utf-8")
    print(f"{len(lines)} of {len(registries.adobe)} sequences")
    return 0


if __name__ == "__main__":
    sys.exit(main())
