"""Independent judges accept our seals and read our codes, and would not accept others; `make judge-seal` does more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from printing.paper.records import CertificateKind, kind_of
from tests.judges import seal_reading as reading
from tests.judges.seal import Sealer, by_node, by_pycose, cose_faults, largest, margins, read_table, records, tampered
from tests.paper_samples import JAPANESE, TAXED, residence

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("softhsm")]


@pytest.fixture
def sealer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sealer]:
    sealer = Sealer(tmp_path, monkeypatch)
    yield sealer
    sealer.close()


def test_the_judges_see_every_kind() -> None:
    assert {kind_of(record) for _name, record in records()} == set(CertificateKind)


def test_two_cose_libraries_read_what_was_signed_and_refuse_what_was_altered(sealer: Sealer) -> None:
    papers = sealer.papers()
    assert len({paper.key_id for paper in papers}) == 2  # a file's and a token's
    assert cose_faults(papers) == []


def test_they_would_say_so_if_it_were_otherwise(sealer: Sealer) -> None:
    """The same judges on a seal under the wrong key, and on one that states something else than was signed."""
    first, second = sealer.papers()[:2]
    wrong = (first.text, second.public_key_pem)
    assert by_node([wrong]) == [{"refused": "ERR_COSE_SIGNATURE_VERIFICATION_FAILED"}]
    assert by_pycose(*wrong) == {"refused": "signature"}
    assert len(tampered(first, second)) == 16
    assert by_node([(second.text, second.public_key_pem)])[0] != first.stated


@pytest.mark.parametrize("dpi", reading.DPIS)
@pytest.mark.parametrize("name", ["one person", "taxation", "largest of 8"])
def test_zbar_and_zxing_read_worn_pages(sealer: Sealer, name: str, dpi: int, tmp_path: Path) -> None:
    record = {"one person": residence(JAPANESE), "taxation": TAXED}.get(name) or largest(8)
    table = read_table(sealer.paper(name, record), dpi, tmp_path)
    assert [f"{fault}: {reader}" for fault, row in table.items() for reader, ok in row.items() if not ok] == []
    assert len(table) == 5


def test_a_fault_can_be_too_strong(sealer: Sealer, tmp_path: Path) -> None:
    """The margins end somewhere: what is read worn is no constant answer."""
    paper = sealer.paper("one person", residence(JAPANESE))
    image = reading.page(paper.pdf, 150, tmp_path)
    for read in reading.READERS.values():
        assert read(reading.blurred(image, 150, 1.0), tmp_path) == ()
    for blur_mm, turn_deg, noise in margins(paper, 150, tmp_path).values():
        assert blur_mm >= reading.BLUR_MM
        assert turn_deg >= reading.TURN_DEG
        assert noise >= reading.NOISE_SHARE
