from __future__ import annotations

import re

from printing.paper.certificates import check, pages
from printing.paper.records import CertificateKind, kind_of
from tests.gallery import FOLDER, LATENT
from tests.gallery_exhibits import exhibits
from tests.paper_samples import fonts


def test_the_gallery_shows_every_kind_and_nothing_that_would_be_refused() -> None:
    shown = exhibits()
    assert {kind_of(exhibit.record) for exhibit in shown} == set(CertificateKind)
    assert len({exhibit.file for exhibit in shown}) == len(shown)
    for exhibit in shown:
        check(fonts(), exhibit.record, exhibit.issuance)


def test_the_pictures_in_the_repository_are_those_of_the_exhibits() -> None:
    """A kind or a sheet more, and `make gallery` must be run again."""
    indexed = re.findall(r"\]\((.*?\.png)\)", (FOLDER / "README.md").read_text())
    assert sorted(indexed) == sorted(path.name for path in FOLDER.glob("*.png"))
    assert indexed.pop() == LATENT
    assert len(indexed) == sum(pages(exhibit.record) for exhibit in exhibits())
    assert {re.sub(r"(-\d)?\.png", "", name) for name in indexed} == {exhibit.file for exhibit in exhibits()}
