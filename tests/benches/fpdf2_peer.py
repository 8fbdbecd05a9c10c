"""fpdf2: text shaping on for variation sequences; its API has no way to share a font between documents."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fpdf import FPDF

from printing.paper.fonts import is_selector
from tests.benches.content import LABEL_FONT, PAGE_HEIGHT_PT, PAGE_WIDTH_PT, VALUE_FONT, Page

_VALUES, _LABELS = "benchvalues", "benchlabels"


def prepare(form: Page) -> Callable[[Page], bytes]:
    """Return the engine."""
    logging.getLogger("fpdf").setLevel(logging.ERROR)  # it logs each selector that it leaves out

    def draw(page: Page) -> bytes:
        pdf = FPDF(unit="pt", format=(PAGE_WIDTH_PT, PAGE_HEIGHT_PT))
        pdf.set_auto_page_break(auto=False)
        pdf.add_font(_VALUES, fname=VALUE_FONT)
        pdf.add_font(_LABELS, fname=LABEL_FONT)
        pdf.add_page()
        for rule in page.rules:
            pdf.set_line_width(rule.line_pt)
            pdf.rect(rule.left_pt, rule.top_pt, rule.width_pt, rule.height_pt)
        for text in page.texts:
            pdf.set_font(_LABELS if text.fixed else _VALUES, size=text.size_pt)
            pdf.set_text_shaping(use_shaping_engine=any(map(is_selector, text.text)))
            pdf.text(text.x_pt, text.baseline_pt, text.text)
        return bytes(pdf.output())

    return draw
