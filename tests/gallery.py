"""The gallery: every kind of certificate with its important variants, drawn from invented records into docs/gallery/.

It stands beside the tests because it shows their samples: `make gallery`. The same records give the same pictures.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

import msgspec
import pypdfium2 as pdfium
from PIL import Image

from printing.paper.certificates import render, sheets, title
from printing.paper.records import Certificate, ForeignResidentItems, ResidencePerson, TaxationCertificate
from printing.paper.seal import SEAL_PREFIX, max_seal_chars
from tests.paper_samples import (
    FOREIGN,
    INDIVIDUAL_NUMBER,
    ISSUANCE,
    JAPANESE,
    TAXED,
    WITHHELD,
    bare,
    fonts,
    line,
    residence,
)
from tests.paper_samples_more import (
    ABROAD,
    ADOPTED,
    FEW_STATED,
    ICHIRO,
    INCOME,
    KATSURAKO,
    LIVED,
    MOVED,
    PAYMENT,
    REMOVED,
    REMOVED_BEFORE,
    SEALED,
    SEALED_FOREIGN,
    STATED_FOREIGN,
    STATED_JAPANESE,
    individual,
    matter,
    register,
    stated,
    supplementary,
)

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"
DPI = 90
BACK = "back.png"
# Ink, its greys, paper, the specimen mark, the electronic seal: one palette for all, or the seal would turn grey.
PALETTE = (
    *((level, level, level) for level in (0, 60, 120, 170, 215, 255)),
    (230, 235, 242),
    (184, 20, 26),
    (222, 130, 134),
)

_CODE_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONG_NAME = "MONTEMAYOR VILLAVICENCIO ECHEVERRIA GUADALUPE CONCEPCION FRANCISCA"
_LONG_ADDRESS = "みほん県みほん市中央一丁目2番3号 " + "アルファベータガンマデルタ" * 4 + " 2001号室"

replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One certificate of the gallery."""

    file: str
    shows: str
    record: Certificate


def _foreign(name: str, **changes: object) -> ResidencePerson:
    assert FOREIGN.foreign is not None
    without: dict[str, object] = {"alias": None, "alias_history": (), "kanji_name": None}
    foreign = replace(FOREIGN.foreign, **(without | changes))
    return replace(FOREIGN, name=name, name_reading=None, relationship="同居人", foreign=foreign)


def _household() -> tuple[ResidencePerson, ...]:
    husband = replace(
        JAPANESE,
        name="渡\u9089\U000e010f 一郎",
        name_reading="わたなべ いちろう",
        former_surname=None,
        former_surname_reading=None,
    )
    daughter = replace(husband, name="渡\u9089\U000e010f さくら", name_reading="わたなべ さくら", moved_in_from=None)
    return (
        JAPANESE,
        replace(husband, born_on=date(1983, 7, 9), sex="男", relationship="夫"),
        replace(daughter, born_on=date(2012, 3, 4), sex="女", relationship="子", became_resident_on=date(2012, 3, 4)),
        replace(FOREIGN, relationship="同居人"),
        replace(bare("見本 四郎"), relationship="縁故者"),
    )


def _untaxed() -> TaxationCertificate:
    return replace(
        TAXED,
        taxed=False,
        name="RAMIREZ GONZALEZ MARIA FERNANDA",
        name_reading=None,
        alias="山田 マリア",
        born_on=date(1990, 5, 3),
        born_in_era=False,
        incomes=(line("給与収入", 980_000), line("給与所得", 330_000)),
        totals=(line("総所得金額", 330_000), line("合計所得金額", 330_000)),
        deductions=(line("基礎控除", 430_000),),
        dependants=(),
        taxable_base_yen=0,
        credits=(),
        city_income_based_yen=0,
        city_per_capita_yen=0,
        prefecture_income_based_yen=0,
        prefecture_per_capita_yen=0,
        forest_tax_yen=0,
        annual_yen=0,
    )


def _every_category() -> tuple[ResidencePerson, ...]:
    no_term: dict[str, object] = {"status": None, "period": None, "expires_on": None}
    return (
        FOREIGN,
        _foreign(
            "KIM MINJUN", category="特別永住者", nationality="韓国", alias="金田 民俊", kanji_name="金民俊", **no_term
        ),
        _foreign("NGUYEN VAN AN", category="一時庇護許可者", nationality="ベトナム", card_number=None, **no_term),
        _foreign("SILVA LUCAS", category="出生による経過滞在者", nationality="ブラジル", card_number=None, **no_term),
    )


def _longest() -> tuple[ResidencePerson, ...]:
    long = replace(
        JAPANESE,
        name="じゅげむじゅげむごこうのすりきれ かいじゃりすいぎょのすいぎょうまつ",
        moved_in_from=_LONG_ADDRESS,
        previous_address=_LONG_ADDRESS,
        domicile=_LONG_ADDRESS,
        remarks="令和8年11月1日 記載の誤りを職権で修正 " * 3,
    )
    return long, replace(FOREIGN, name=_LONG_NAME)


def exhibits() -> tuple[Exhibit, ...]:
    """Return the gallery's certificates, in the order of the index."""
    numbered = replace(JAPANESE, individual_number=INDIVIDUAL_NUMBER, previous_address="みほん県みほん市南町5番6号")
    omitted = residence(bare("見本 花子"), _nothing_known(), items=frozenset())
    long_matters = replace(
        ICHIRO,
        matters=(
            *ICHIRO.matters,
            matter(
                "氏の変更",
                *(
                    (f"従前の記録{n}", _LONG_ADDRESS if n % 6 == 0 else f"みほん県みほん市南町{n}番")
                    for n in range(1, 25)
                ),
            ),
        ),
    )
    return (
        Exhibit(
            "residence-one",
            "one Japanese national, every item chosen, Individual Number among them",
            residence(numbered),
        ),
        Exhibit(
            "residence-household",
            "a whole household of five on two sheets",
            residence(*_household(), whole=True),
        ),
        Exhibit("residence-foreign", "every category of foreign resident", residence(*_every_category())),
        Exhibit("residence-nothing-chosen", "no item chosen, nothing recorded", omitted),
        Exhibit(
            "residence-longest",
            "the longest values: shrunk, then wrapped",
            residence(*_longest()),
        ),
        Exhibit("items-all", "every item asked for", stated(STATED_JAPANESE, STATED_FOREIGN)),
        Exhibit("items-few", "the address alone asked for", FEW_STATED),
        Exhibit("seal", "a seal of 15 mm at true size, a former surname", SEALED),
        Exhibit("seal-foreign", "the largest seal, an alias", SEALED_FOREIGN),
        Exhibit("income", "incomes by kind, one of them not recorded", INCOME),
        Exhibit("taxed", "tax levied", TAXED),
        Exhibit("untaxed", "no tax levied, foreign resident with an alias", _untaxed()),
        Exhibit("withheld", "a dependant who did not declare: no amounts", WITHHELD),
        Exhibit("payment", "levied, paid, unpaid; one tax not recorded", PAYMENT),
        Exhibit("register", "full, on two sheets, one person removed", register(ICHIRO, KATSURAKO, ADOPTED, REMOVED)),
        Exhibit("register-individual", "individual: an adopted daughter", individual(ADOPTED)),
        Exhibit(
            "register-continued", "a matter divided between sheets, with headings that continue", register(long_matters)
        ),
        Exhibit(
            "supplementary",
            "everybody, every item chosen, one removed before 2022-01-11",
            supplementary(LIVED, ABROAD, REMOVED_BEFORE),
        ),
        Exhibit(
            "supplementary-part", "one person, no item chosen", supplementary(LIVED, everybody=False, items=frozenset())
        ),
        Exhibit(
            "supplementary-longest",
            "the longest values",
            supplementary(
                replace(LIVED, name=_LONG_NAME, addresses=(replace(MOVED[0], address=_LONG_ADDRESS), *MOVED[1:]))
            ),
        ),
    )


def _nothing_known() -> ResidencePerson:
    return replace(bare("LEE"), foreign=ForeignResidentItems(became_foreign_resident_on=None), born_on=date(1990, 5, 3))


def pictures(record: Certificate) -> Iterator[bytes]:
    """Yield a PNG of every side; the code on a front has a real one's greatest length, but is nobody's signature."""
    length = max_seal_chars(record) - len(SEAL_PREFIX)
    stream = hashlib.shake_256(record.__class__.__name__.encode()).digest(length)
    code = SEAL_PREFIX + "".join(_CODE_LETTERS[byte % len(_CODE_LETTERS)] for byte in stream)
    document = pdfium.PdfDocument(render(fonts(), record, ISSUANCE, code))
    try:
        for index in range(len(document)):
            yield _png(document[index].render(scale=DPI / 72).to_pil().convert("RGB"))
    finally:
        document.close()


def _png(side: Image.Image) -> bytes:
    out = io.BytesIO()
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for colour in PALETTE for channel in colour])
    side.quantize(palette=palette, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    """Draw the gallery anew: what is no longer shown goes."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    lines = [
        "# Gallery",
        "",
        "Every kind of certificate as it is drawn, made by `make gallery`. All people, addresses and numbers are",
        "invented; the codes have a real one's greatest length, but are nobody's signature. Every sheet is printed on",
        "both sides: the fronts stand here, and at the end the back, which is the same for every paper of an issuer.",
    ]
    for exhibit in exhibits():
        lines += ["", f"## {title(exhibit.record)}: {exhibit.shows}", ""]
        for number, png in enumerate(islice(pictures(exhibit.record), 0, None, 2), start=1):
            name = f"{exhibit.file}.png" if sheets(exhibit.record) == 1 else f"{exhibit.file}-{number}.png"
            (FOLDER / name).write_bytes(png)
            lines.append(f"![{title(exhibit.record)}, {exhibit.shows}, sheet {number}]({name})")
    _front, back, *_others = pictures(exhibits()[0].record)
    (FOLDER / BACK).write_bytes(back)
    lines += ["", "## The back of every sheet", "", f"![How to check the certificate]({BACK})"]
    (FOLDER / "README.md").write_text("\n".join(lines) + "\n")
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}")


if __name__ == "__main__":
    main()
