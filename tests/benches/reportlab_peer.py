"""Stock ReportLab, warm: its own font class, fonts registered once, its own shaping for variation sequences."""

from __future__ import annotations

import io
from collections.abc import Callable

from reportlab import rl_config
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont, shapeStr
from reportlab.pdfgen.canvas import Canvas

from printing.paper.fonts import is_selector
from tests.benches.content import LABEL_FONT, PAGE_HEIGHT_PT, PAGE_WIDTH_PT, VALUE_FONT, Page

_VALUES, _LABELS = "BenchValues", "BenchLabels"


def prepare(form: Page) -> Callable[[Page], bytes]:
    """Return the engine, its fonts registered."""
    rl_config.useA85 = 0  # streams without ASCII armour: the faster of its settings
    pdfmetrics.registerFont(TTFont(_VALUES, str(VALUE_FONT), shapable=True))
    pdfmetrics.registerFont(TTFont(_LABELS, str(LABEL_FONT)))

    def draw(page: Page) -> bytes:
        out = io.BytesIO()
        canvas = Canvas(out, pagesize=(PAGE_WIDTH_PT, PAGE_HEIGHT_PT), pageCompression=1, invariant=1)
        for rule in page.rules:
            canvas.setLineWidth(rule.line_pt)
            bottom_pt = PAGE_HEIGHT_PT - rule.top_pt - rule.height_pt
            canvas.rect(rule.left_pt, bottom_pt, rule.width_pt, rule.height_pt)
        for text in page.texts:
            font = _LABELS if text.fixed else _VALUES
            canvas.setFont(font, text.size_pt)
            words = text.text
            if any(map(is_selector, words)):
                # `drawString(shaping=True)` does nothing without rlbidi, which it does not need for Japanese.
                words = shapeStr(words, font, text.size_pt)
            canvas.drawString(text.x_pt, PAGE_HEIGHT_PT - text.baseline_pt, words)
        canvas.save()
        return out.getvalue()

    return draw
