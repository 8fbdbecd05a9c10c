"""What the render bench draws: a residence certificate of a household of four, another one each time, all invented.

`Recorder` takes down what the product's own layout draws, as primitives with places, so that every other engine can be
given the same page: texts with their baselines, rules with their widths.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

import uharfbuzz as hb
from msgspec.structs import replace

from printing.paper.certificates import residence, sheet
from printing.paper.fitting import MIN_SIZE_PT, PADDING_MM, PT_PER_MM, Align, Box, place
from printing.paper.fonts import FONT_FOLDER, FaceList, Fonts
from printing.paper.page import Cells, Document, label_pt
from printing.paper.records import ResidenceCertificate, ResidencePerson
from tests.paper_samples import ALL_ITEMS
from tests.paper_samples import ISSUANCE as SAMPLE

VALUE_FONT = FONT_FOLDER / "ipamj" / "ipamjm.ttf"
LABEL_FONT = FONT_FOLDER / "bizud-mincho" / "BIZUDMincho-Regular.ttf"
PAGE_WIDTH_PT, PAGE_HEIGHT_PT = 210.0 * PT_PER_MM, 297.0 * PT_PER_MM
BASELINE_EM = 0.38  # from the middle of an em box down to its baseline

# No 「見本」 across the page, as on a real certificate.
ISSUANCE = replace(SAMPLE, certifier=replace(SAMPLE.certifier, specimen=False))
_READINGS = "アイウエオカキクケコサシスセソタチツテトナニハヒフヘホマミムメモヤユヨラリルレロワ"
_PLACES = "山川中本北南東西上下大小松竹梅森林田原野"


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; points from the top left corner to the start of its baseline. fixed: the form's own words."""

    text: str
    item: str
    x_pt: float
    baseline_pt: float
    size_pt: float
    fixed: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A ruled rectangle; points from the top left corner."""

    left_pt: float
    top_pt: float
    width_pt: float
    height_pt: float
    line_pt: float


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on one page."""

    texts: tuple[Text, ...]
    rules: tuple[Rule, ...]

    @property
    def names(self) -> tuple[Text, ...]:
        """The people's names, in order."""
        return tuple(text for text in self.texts if text.item == "name")


class Recorder:
    """Takes down what a layout draws; it has those methods of a Document that a page without seal needs."""

    def __init__(self, fonts: Fonts) -> None:
        self.fonts = fonts
        self.texts: list[Text] = []
        self.rules: list[Rule] = []
        self._item = ""

    def text(
        self, faces: FaceList, text: str, x_mm: float, middle_mm: float, size_pt: float, *, align: Align = Align.LEFT
    ) -> None:
        """Take down one line of text."""
        width_pt = faces.width_em(text) * size_pt
        x_pt = x_mm * PT_PER_MM - {Align.LEFT: 0.0, Align.CENTRE: width_pt / 2, Align.RIGHT: width_pt}[align]
        baseline_pt = middle_mm * PT_PER_MM + BASELINE_EM * size_pt
        self.texts.append(Text(text, self._item, x_pt, baseline_pt, size_pt, faces is self.fonts.labels))

    def label(self, text: str, box: Box, size_pt: float = 7.5) -> float:
        """Take down a label."""
        faces = self.fonts.labels
        size_pt = label_pt(faces, text, box.width_mm, size_pt)
        middle_mm = box.top_mm + box.height_mm / 2
        self.text(faces, text, box.left_mm + box.width_mm / 2, middle_mm, size_pt, align=Align.CENTRE)
        return size_pt

    def value(
        self,
        text: str,
        box: Box,
        size_pt: float,
        item: str,
        *,
        padding_mm: float = PADDING_MM,
        min_pt: float = MIN_SIZE_PT,
    ) -> float:
        """Take down a value, fitted to its cell; return its size."""
        placed = place(self.fonts.values, text, box, size_pt, item, padding_mm=padding_mm, min_pt=min_pt)
        self._item = item
        for line, x_mm, middle_mm in placed.lines:
            self.text(self.fonts.values, line, x_mm, middle_mm, placed.size_pt)
        self._item = ""
        return placed.size_pt

    def cells(self, cells: Cells, values: Mapping[str, str]) -> None:
        """Take down labels and values, both ruled."""
        for cell in cells:
            self.frame(cell.label_box, cells.style.rule_pt)
            self.frame(cell.value_box, cells.style.rule_pt)
            self.label(cell.label, cell.label_box, cells.style.label_pt)
            self.value(values[cell.item], cell.value_box, cells.style.value_pt, cell.item)

    def frame(self, box: Box, line_pt: float) -> None:
        """Take down a rectangle."""
        left_pt, top_pt = box.left_mm * PT_PER_MM, box.top_mm * PT_PER_MM
        self.rules.append(Rule(left_pt, top_pt, box.width_mm * PT_PER_MM, box.height_mm * PT_PER_MM, line_pt))


def lay_out(document: Document, record: ResidenceCertificate) -> None:
    """Draw the one-page content with the product's own layout: title, household, one block a person."""
    # Not the whole head: the latent pattern is no part of what the other engines draw.
    document.text(document.fonts.labels, residence.TITLE, 105.0, 14.0, 18.0, align=Align.CENTRE)
    document.text(document.fonts.labels, "(世帯全員)", 105.0, 21.8, 9.5, align=Align.CENTRE)
    residence._draw_household(document, record)
    top_mm = sheet.BODY_TOP_MM + 2 * residence._HEAD_ROW_MM + 2.0
    pitch_mm = residence._BLOCK_MM + residence._BLOCK_GAP_MM
    for index, person in enumerate(record.people):
        residence._draw_person(document, record, person, index + 1, top_mm + index * pitch_mm)


def one_page(fonts: Fonts, record: ResidenceCertificate) -> bytes:
    """Return the one-page content as this project's own engine draws it."""
    document = Document(fonts, residence.TITLE, ISSUANCE.certifier.municipality_name)
    lay_out(document, record)
    document.next_page()
    return document.finish()


def recorded(fonts: Fonts, record: ResidenceCertificate) -> Page:
    """Return the same page as primitives."""
    recorder = Recorder(fonts)
    lay_out(cast(Document, recorder), record)
    return Page(tuple(recorder.texts), tuple(recorder.rules))


def kanji_and_sequences() -> tuple[list[str], list[str]]:
    """Return the Han characters of the value font and its variation sequences, from the font's own tables."""
    face = hb.Face(hb.Blob.from_file_path(str(VALUE_FONT)))
    kanji = [chr(code) for code in face.unicodes if 0x4E00 <= code <= 0x9FFF]
    sequences = [
        chr(base) + chr(selector) for selector in face.variation_selectors for base in face.variation_unicodes(selector)
    ]
    return kanji, sequences


class Households:
    """Seeded households of four invented people; every name has a variation sequence."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kanji, self._sequences = kanji_and_sequences()

    def next(self) -> ResidenceCertificate:
        """Return another household's certificate."""
        surname = self._pick(self._sequences) + self._pick(self._kanji)
        head = f"{surname} {self._given()}"
        relations = ("世帯主", "妻", "子", "子")
        people = tuple(
            self._person(head if index == 0 else f"{surname} {self._given()}", head, relation)
            for index, relation in enumerate(relations)
        )
        return ResidenceCertificate(
            address=self._address(), head_of_household=head, whole_household=True, items=ALL_ITEMS, people=people
        )

    def _person(self, name: str, head: str, relationship: str) -> ResidencePerson:
        moved_on = self._day(2000, 9000)
        return ResidencePerson(
            name=name,
            name_reading=f"{self._reading()} {self._reading()}",
            born_on=self._day(1940, 29_000),
            sex=self._pick("男女"),
            relationship=relationship,
            domicile=self._address(),
            domicile_head=head,
            became_resident_on=moved_on,
            address_since=moved_on,
            notified_on=moved_on + timedelta(days=3),
            moved_in_from=self._address(),
            individual_number="".join(self._pick("0123456789") for _ in range(12)),
        )

    def _given(self) -> str:
        return self._pick(self._kanji) + self._pick(self._sequences)

    def _reading(self) -> str:
        return "".join(self._pick(_READINGS) for _ in range(4))

    def _address(self) -> str:
        town = "".join(self._pick(_PLACES) for _ in range(2))
        block, house, number = (self._random.randint(1, 40) for _ in range(3))
        return f"みほん県みほん市{town}{block}丁目{house}番{number}号"

    def _day(self, year: int, days: int) -> date:
        return date(year, 1, 1) + timedelta(days=self._random.randrange(days))

    def _pick(self, choices: Sequence[str]) -> str:
        return self._random.choice(choices)
