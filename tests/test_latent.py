from __future__ import annotations

import dataclasses
import hashlib
import io
import subprocess
import sys
import zlib
from datetime import timedelta
from pathlib import Path

import msgspec
import pikepdf
import pypdfium2 as pdfium
import pytest

from issuance_server.database import write
from issuance_server.settings import MunicipalitySettings
from printing.paper import latent
from printing.paper.certificates import check, render
from printing.paper.errors import UnknownScreen
from printing.paper.fonts import Fonts
from printing.paper.latent import Tile
from printing.paper.marks import qr_side_mm, snap_mm
from printing.paper.page import Document
from printing.paper.recheck import page_texts, recheck
from printing.paper.records import STANDARD_SCREEN, Certificate
from printing.paper.screens import MM_PER_PX, SCREENS, SIDE_PX, read_screens
from printing.paper.seal import SEAL_PREFIX, max_seal_chars, read_printed
from tests.certificate_parts import FAMILY, SAMPLES, SEALED, expected_of
from tests.issuing_parts import SETTINGS, Office
from tests.paper_samples import FOREIGN, ISSUANCE, JAPANESE, TAXED, fonts, residence
from tests.photocopier import Sheet, copy, look, printed, scan, sheet, without_pattern

STANDARD = SCREENS[STANDARD_SCREEN]
ONE_TILE = (SIDE_PX, SIDE_PX, 2 * SIDE_PX, 2 * SIDE_PX)
# From a sharp printer to a soft one, and copiers that take 16 to 18 % grey for paper.
GAINS_PX = (0.8, 1.15, 1.5)
WHITE_LEVELS = (212, 215, 218)

replace = msgspec.structs.replace


def tile() -> Tile:
    return latent.tile(fonts(), STANDARD)


def sealed(record: Certificate) -> bytes:
    """A certificate with a code of a real one's greatest length."""
    return render(fonts(), record, ISSUANCE, (SEAL_PREFIX + "7A" * max_seal_chars(record))[: max_seal_chars(record)])


def drawn(one: Tile) -> bytes:
    document = Document(fonts(), "複写", "みほん市")
    latent.draw(document, one)
    document.next_page()
    return document.finish()


def masks(pdf: bytes) -> list[bytes]:
    """The tiles in a file; the municipality's seal is a picture of another size."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        streams = [item for item in document.objects if isinstance(item, pikepdf.Stream)]
        return [stream.read_bytes() for stream in streams if stream.get("/Width") == SIDE_PX]


def plain_tint(colour: tuple[float, float, float]) -> Tile:
    """The word without any screen: letters filled, nothing around them."""
    one = tile()
    count = SIDE_PX // STANDARD.letter_grid_px
    rows = bytearray()
    for row in range(count):
        bits = "".join(("0" if cell else "1") * STANDARD.letter_grid_px for cell in one.cells[row * count :][:count])
        rows += int(bits, 2).to_bytes(SIDE_PX // 8, "big") * STANDARD.letter_grid_px
    return dataclasses.replace(one, name="tint", rows=bytes(rows), screen=replace(STANDARD, colour=colour))


def shown_on_copies(page: Sheet) -> list[bool]:
    scans = [scan(page, gain_px) for gain_px in GAINS_PX]
    return [copy(scanned, white_level).shows for scanned in scans for white_level in WHITE_LEVELS]


@pytest.mark.slow
def test_every_sheet_hides_the_word_and_every_copy_shows_it() -> None:
    """Measured: tone apart 0.0001 of white at most; a copy's letters 3.6 % blacker than its ground at least."""
    pdf = sealed(residence(JAPANESE, FOREIGN))
    for page in range(len(page_texts(pdf))):
        page_sheet = sheet(pdf, tile(), page)
        assert look(page_sheet).hides
        for gain_px in GAINS_PX:
            scanned = scan(page_sheet, gain_px)
            for white_level in WHITE_LEVELS:
                assert copy(scanned, white_level).shows


def test_one_tile_hides_the_word_and_its_copies_show_it() -> None:
    page = sheet(drawn(tile()), tile(), area=ONE_TILE)
    assert look(page).hides
    assert all(shown_on_copies(page))


@pytest.mark.slow
def test_an_ordinary_printer_s_sheet_shows_it_on_any_copier() -> None:
    """Copiers that take from 7 % to 22 % grey for paper. Measured: letters 13.7 % to 4.1 % black, the ground 0."""
    scanned = scan(sheet(drawn(tile()), tile(), area=ONE_TILE), 1.15)
    copies = [copy(scanned, white_level) for white_level in (200, 206, 212, 218, 224, 230, 236)]
    assert all(made.shows and made.ground < 0.001 for made in copies)
    assert [made.letters for made in copies] == sorted(made.letters for made in copies)


@pytest.mark.slow
def test_one_screen_everywhere_shows_nothing_on_a_copy() -> None:
    fine = replace(STANDARD, letter_dot_px=STANDARD.ground_dot_px, letter_grid_px=STANDARD.ground_grid_px)
    one = latent.tile(fonts(), fine)
    page = sheet(drawn(one), tile(), area=ONE_TILE)
    assert look(page).hides
    assert not any(shown_on_copies(page))


@pytest.mark.slow
@pytest.mark.parametrize(("level", "copied"), [(0.92, False), (0.7, True)])
def test_the_word_in_plain_tint_is_seen_on_the_untouched_sheet(level: float, copied: bool) -> None:
    one = plain_tint((level, level, level))
    page = sheet(drawn(one), tile(), area=ONE_TILE)
    original = look(page)
    assert original.tone == pytest.approx(1 - level, abs=0.02)
    assert not original.hides
    assert set(shown_on_copies(page)) == {copied}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ({"letter_dot_px": (5, 4)}, "tone"),  # a quarter more ink in the letters
        ({"letter_dot_px": (6, 6), "letter_grid_px": 18}, "texture"),  # equal ink, too coarse for this colour
    ],
)
def test_screens_that_do_not_match_are_seen(change: dict[str, object], seen: str) -> None:
    one = latent.tile(fonts(), replace(STANDARD, **change))
    original = look(sheet(drawn(one), one, area=ONE_TILE))
    assert not original.hides
    assert getattr(original, seen) > getattr(look(sheet(drawn(tile()), tile(), area=ONE_TILE)), seen)


def test_every_cell_has_the_same_ink() -> None:
    assert STANDARD.letter_coverage == STANDARD.ground_coverage == pytest.approx(1 / 9)
    grid_px, one = STANDARD.letter_grid_px, tile()
    lines = [f"{int.from_bytes(one.rows[y * 180 : y * 180 + 180], 'big'):01440b}" for y in range(SIDE_PX)]
    count = SIDE_PX // grid_px
    inks = [
        sum(line[x * grid_px : (x + 1) * grid_px].count("0") for line in lines[y * grid_px : (y + 1) * grid_px])
        for y in range(count)
        for x in range(count)
    ]
    assert set(inks) == {16}
    assert 0.1 < sum(one.cells) / len(one.cells) < 0.35


def test_the_tile_has_no_seam() -> None:
    """Its own stagger, half a tile right and a line down, moves every word across an edge: nothing may change."""
    one, count = tile(), SIDE_PX // STANDARD.letter_grid_px
    rows = [one.cells[y * count : (y + 1) * count] for y in range(count)]
    down, right = count // STANDARD.lines, count // 2
    moved = [row[-right:] + row[:-right] for row in rows[-down:] + rows[:-down]]
    assert moved == rows
    assert any(rows[0])  # a word does cross an edge
    for dpi in (150, 200, 300, 400, 600):
        assert (one.side_mm / 25.4 * dpi) == pytest.approx(round(one.side_mm / 25.4 * dpi))


@pytest.mark.slow
def test_the_same_bytes_in_any_process_and_small() -> None:
    code = (
        "import hashlib\nfrom printing.paper import latent, screens\nfrom printing.paper.fonts import Fonts\n"
        "print(hashlib.sha256(latent.tile(Fonts.load(), screens.SCREENS['standard']).rows).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert other.stdout.strip() == hashlib.sha256(tile().rows).hexdigest()
    again = latent.tile(Fonts.load(), replace(STANDARD))
    assert (again.rows, again.name) == (tile().rows, tile().name)
    assert len(zlib.compress(tile().rows)) < 6_000
    pdf = sealed(residence(JAPANESE))
    assert pdf == sealed(residence(JAPANESE))
    one, three = drawn(tile()), sealed(SAMPLES[8])
    assert len(one) < 8_000
    assert len(page_texts(three)) > 1
    assert masks(three) == [tile().rows]  # one object for all sheets


@pytest.mark.parametrize("record", [residence(JAPANESE, FOREIGN), TAXED, *SAMPLES])
def test_every_sheet_of_every_kind_carries_it(record: Certificate) -> None:
    document = pdfium.PdfDocument(sealed(record))
    try:
        for page in document:
            tiles = [
                item.get_bounds()
                for item in page.get_objects()
                if isinstance(item, pdfium.PdfImage) and item.get_px_size() == (SIDE_PX, SIDE_PX)
            ]
            assert min(left for left, *_ in tiles) == pytest.approx(0)
            assert min(bottom for _, bottom, *_ in tiles) < 0
            assert max(right for *_, right, _ in tiles) > page.get_width()
            assert max(top for *_, top in tiles) == pytest.approx(page.get_height())
    finally:
        document.close()


@pytest.mark.parametrize("dpi", [150, 200, 300])
@pytest.mark.parametrize("record", [residence(JAPANESE, FOREIGN), residence(*[JAPANESE, FOREIGN] * 2, JAPANESE)])
def test_the_code_is_read_through_it(record: Certificate, dpi: int) -> None:
    assert read_printed(sealed(record), dpi).startswith(SEAL_PREFIX)


@pytest.mark.parametrize("record", [SEALED, FAMILY])
def test_text_is_read_back_through_it(record: Certificate) -> None:
    pdf = sealed(record)
    recheck(pdf, expected_of(record))
    assert page_texts(pdf) == page_texts(without_pattern(pdf))


def test_the_code_stands_on_white() -> None:
    text = SEAL_PREFIX + "7A" * 200
    pdf = render(fonts(), residence(JAPANESE), ISSUANCE, text)
    pictures = [printed(with_or_without) for with_or_without in (pdf, without_pattern(pdf))]
    side_mm = qr_side_mm(len(text))
    box_mm = (snap_mm(15.0), snap_mm(230.0), snap_mm(15.0) + side_mm, snap_mm(230.0) + side_mm)
    left_px, top_px, right_px, bottom_px = (round(edge_mm / MM_PER_PX) for edge_mm in box_mm)
    zones = [picture.crop((left_px + 1, top_px + 1, right_px - 1, bottom_px - 1)) for picture in pictures]
    assert zones[0].tobytes() == zones[1].tobytes()
    assert zones[0].getextrema() == (0, 255)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"letter_grid_px": 15}, "must divide"),
        ({"ground_grid_px": 7, "letter_grid_px": 14}, "must divide"),
        ({"letter_dot_px": [12, 4]}, "smaller"),
        ({"ground_dot_px": [0, 2]}, "smaller"),
        ({"colour": [0.0, 0.0, 1.5]}, "0 to 1"),
        ({"lines": 3}, "even"),
        ({"lines": 0}, "even"),
        ({"dots": 3}, "unknown field"),
        ({"letter_grid_px": "12"}, "int"),
    ],
)
def test_a_table_of_screens_is_read_strictly(change: dict[str, object], rule: str) -> None:
    plain = msgspec.to_builtins(STANDARD)
    assert read_screens(msgspec.json.encode({"model": plain})) == {"model": STANDARD}
    with pytest.raises(msgspec.ValidationError, match=rule):
        read_screens(msgspec.json.encode({"model": plain | change}))


def test_a_screen_that_nobody_calibrated_is_refused_before_a_number_is_taken() -> None:
    check(fonts(), TAXED, ISSUANCE)
    with pytest.raises(UnknownScreen, match="copier-9000"):
        check(fonts(), TAXED, replace(ISSUANCE, latent_screen="copier-9000"))


def test_the_screen_of_an_issue_is_drawn_and_no_other() -> None:
    first, other = (latent.tile(fonts(), SCREENS[name]) for name in (STANDARD_SCREEN, "B3"))
    assert first.name != other.name
    issuance = replace(ISSUANCE, latent_screen="B3")
    for issue, drawn_tile in ((ISSUANCE, first), (issuance, other), (ISSUANCE, first)):
        assert masks(render(fonts(), TAXED, issue, "MDG1:TEST")) == [drawn_tile.rows]


def test_a_municipality_decides_the_screen() -> None:
    assert SETTINGS.latent_screen == STANDARD_SCREEN
    decided = replace(SETTINGS, latent_screen="B3")
    assert msgspec.json.decode(msgspec.json.encode(decided), type=MunicipalitySettings) == decided
    with pytest.raises(msgspec.ValidationError, match="copier-9000"):
        msgspec.json.decode(
            msgspec.json.encode(msgspec.to_builtins(decided) | {"latent_screen": "copier-9000"}),
            type=MunicipalitySettings,
        )


def test_the_issuer_draws_what_its_municipality_decided(tmp_path: Path) -> None:
    office = Office(tmp_path)
    try:
        decided = replace(SETTINGS, valid_from=SETTINGS.valid_from + timedelta(days=1), latent_screen="B3")
        with write(office.engine) as connection:
            office.settings.put(connection, decided)
        _prepared, pdf = office.prepare(office.caller())
    finally:
        office.close()
    assert masks(pdf) == [latent.tile(fonts(), SCREENS["B3"]).rows]
