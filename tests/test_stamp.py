"""The municipal seal (電子公印): a stencil of its picture, at true size, over the name's last letter alone."""

from __future__ import annotations

import io

import msgspec
import pikepdf
import pypdfium2 as pdfium
import pytest

from deploy.demo.seal_pictures import square_seal_png
from printing.paper.certificates import check, render
from printing.paper.errors import BadBitmap, ValueTooLong
from printing.paper.records import Certificate, Issuance
from printing.paper.screens import SIDE_PX
from tests.gallery_exhibits import ACTING_HEAD, TOWN, WARD_HEAD
from tests.paper_samples import FOREIGN, ISSUANCE, JAPANESE, TAXED, bare, fonts, front_texts, residence

replace = msgspec.structs.replace
_PT_PER_MM = 72 / 25.4
Edges = tuple[float, float, float, float]  # left, bottom, right, top; points

NINE = residence(JAPANESE, FOREIGN, *(bare(f"見本 {n}郎") for n in "一二三四五六七"), whole=True)


def certified_by(**changes: object) -> Issuance:
    return replace(ISSUANCE, certifier=replace(ISSUANCE.certifier, **changes))


def stamp_and_words(record: Certificate, issuance: Issuance, words: tuple[str, ...]) -> tuple[Edges, list[Edges]]:
    """Where the seal stands on the last sheet, and where each of the words does, letter by letter."""
    document = pdfium.PdfDocument(render(fonts(), record, issuance, "MDG1:TEST"))
    try:
        page = document[len(document) - 2]
        images = [item for item in page.get_objects() if isinstance(item, pdfium.PdfImage)]
        (picture,) = [image for image in images if image.get_px_size() != (SIDE_PX, SIDE_PX)]  # the latent pattern's
        text = page.get_textpage()
        found = []
        for word in words:
            place = text.search(word).get_next()
            assert place is not None
            letters = [text.get_charbox(index) for index in range(place[0], place[0] + place[1])]
            found.append(
                tuple(pick(edges) for pick, edges in zip((min, min, max, max), zip(*letters, strict=True), strict=True))
            )
        return picture.get_bounds(), found
    finally:
        document.close()


def overlap(one: Edges, other: Edges) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize(
    ("issuance", "side_mm"),
    [
        (ISSUANCE, 21.0),
        (TOWN, 18.0),
        (WARD_HEAD, 24.0),
        (ACTING_HEAD, 30.0),
        (certified_by(name="宮", seal_png=square_seal_png("印", 9.0)), 9.0),
        (
            certified_by(
                title="みほん市長", name="じゅげむじゅげむごこうのすりきれ 太郎", seal_png=square_seal_png("印", 30.0)
            ),
            30.0,
        ),
    ],
)
@pytest.mark.parametrize("record", [TAXED, NINE])
def test_it_touches_the_name_s_last_letter_and_no_other_word(
    record: Certificate, issuance: Issuance, side_mm: float
) -> None:
    certifier = issuance.certifier
    others = ("令和8年11月22日", certifier.office, certifier.title)
    stamp, (name, *words) = stamp_and_words(record, issuance, (certifier.name, *others))
    assert stamp[2] - stamp[0] == pytest.approx(side_mm * _PT_PER_MM, abs=0.3)
    assert stamp[3] - stamp[1] == pytest.approx(side_mm * _PT_PER_MM, abs=0.3)
    # By the letter's box, of which り fills less than 郎.
    letter_pt = name[3] - name[1]
    assert -0.3 * letter_pt < name[2] - stamp[0] < 0.4 * letter_pt + 1.0
    assert not any(overlap(stamp, word) for word in words)
    assert stamp[2] <= 195.0 * _PT_PER_MM + 0.1
    text = front_texts(render(fonts(), record, issuance, "MDG1:TEST"))[-1]
    assert "\r\n".join((*others, certifier.name)) in text


def test_it_is_a_stencil_in_vermilion_and_not_a_box() -> None:
    pdf = render(fonts(), TAXED, ISSUANCE, "MDG1:TEST")
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        images = [
            item
            for item in opened.objects
            if isinstance(item, pikepdf.Stream) and item.get("/Subtype") == "/Image" and item.Width != SIDE_PX
        ]
        assert [(bool(image.ImageMask), int(image.BitsPerComponent)) for image in images] == [(True, 1)]
    stamp, _words = stamp_and_words(TAXED, ISSUANCE, ())
    document = pdfium.PdfDocument(pdf)
    try:
        page = document[0].render(scale=300 / 72).to_pil().convert("RGB")
    finally:
        document.close()
    left, bottom, right, top = (edge * 300 / 72 for edge in stamp)
    picture = page.crop((round(left) + 20, round(page.height - top), round(right), round(page.height - bottom)))
    pixels = list(picture.get_flattened_data())
    red = sum(1 for r, g, b in pixels if r > 150 and g < 60 and b < 60) / len(pixels)
    white = sum(1 for pixel in pixels if min(pixel) > 200) / len(pixels)
    assert 0.1 < red < 0.5
    assert white > 0.4  # what is no ink is left as it was


def test_what_cannot_be_drawn_is_refused_before_there_is_a_paper() -> None:
    with pytest.raises(BadBitmap, match="at most 30 mm"):
        check(fonts(), TAXED, certified_by(seal_png=square_seal_png("印", 31.0)))
    for item in ("office", "title", "name"):
        with pytest.raises(ValueTooLong, match=f"certifier.{item}"):
            check(fonts(), TAXED, certified_by(**{item: "長" * 60}))
