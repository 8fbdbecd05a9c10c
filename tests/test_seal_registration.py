from __future__ import annotations

import pypdfium2 as pdfium
import pytest

from printing.paper.certificates import render
from printing.paper.records import Certificate
from printing.paper.screens import SIDE_PX
from tests.certificate_parts import text_of
from tests.paper_samples import ADDRESS, ISSUANCE, WATANABE, fonts
from tests.paper_samples_more import SEALED, SEALED_FOREIGN


@pytest.mark.parametrize(("side_mm", "record"), [(15.0, SEALED), (24.9, SEALED_FOREIGN)])
def test_the_registered_seal_stands_there_at_true_size(side_mm: float, record: Certificate) -> None:
    document = pdfium.PdfDocument(render(fonts(), record, ISSUANCE, "MDG1:TEST"))
    try:
        images = [item for item in document[0].get_objects() if isinstance(item, pdfium.PdfImage)]
        pictures = [image for image in images if image.get_px_size() != (SIDE_PX, SIDE_PX)]  # the latent pattern's
        assert len(pictures) == 2  # the registered seal, and the municipality's below
        highest = max(pictures, key=lambda picture: picture.get_bounds()[3])
        left, bottom, right, top = (edge / 72 * 25.4 for edge in highest.get_bounds())
        assert (right - left, top - bottom) == pytest.approx((side_mm, side_mm), abs=0.05)
        page = document[0].render(scale=600 / 72, grayscale=True).to_pil()
    finally:
        document.close()
    box = [round(edge / 25.4 * 600) for edge in (left, 297 - top, right, 297 - bottom)]
    drawn = page.crop(box).point(lambda level: 255 * (level > 128))
    dark = 1 - sum(drawn.histogram()[128:]) / (drawn.width * drawn.height)
    assert 0.05 < dark < 0.5  # lines on paper, neither a black square nor nothing
    inner = drawn.crop((drawn.width // 4, drawn.height // 8, drawn.width * 3 // 4, drawn.height * 7 // 8))
    assert inner.getextrema() == (0, 255)


def test_seal_registration_names_whose_it_is() -> None:
    text = text_of(SEALED)
    for words in (f"氏名 {WATANABE}", "旧氏 佐藤", "通称 【空欄】", f"住所 {ADDRESS}", "印影は実物大である。"):
        assert words in text
    assert "旧氏 佐藤 (" not in text  # without its reading
    assert "通称 山田 マリア" in text_of(SEALED_FOREIGN)
