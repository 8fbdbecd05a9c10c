"""WeasyPrint: font configuration and style sheet parsed once, one absolutely placed line of HTML a text."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from weasyprint import CSS, HTML  # type: ignore[import-untyped]  # it ships no types
from weasyprint.text.fonts import FontConfiguration  # type: ignore[import-untyped]  # it ships no types

from tests.benches.content import LABEL_FONT, PAGE_HEIGHT_PT, PAGE_WIDTH_PT, VALUE_FONT, Page

_STYLE = f"""
@font-face {{ font-family: BenchValues; src: url({VALUE_FONT.as_uri()}) }}
@font-face {{ font-family: BenchLabels; src: url({LABEL_FONT.as_uri()}) }}
@page {{ size: {PAGE_WIDTH_PT:.4f}pt {PAGE_HEIGHT_PT:.4f}pt; margin: 0 }}
body {{ margin: 0 }}
svg {{ position: absolute; left: 0; top: 0 }}
p {{ position: absolute; margin: 0; white-space: pre; line-height: 0 }}
p {{ font-family: BenchValues; font-variant-ligatures: none }}
p.l {{ font-family: BenchLabels }}
"""
_DROP_EM = 0.38  # half of ascent less descent: 0.88 and 0.12 em in both fonts


def prepare(form: Page) -> Callable[[Page], bytes]:
    """Return the engine with its configuration loaded."""
    configuration = FontConfiguration()
    style = CSS(string=_STYLE, font_config=configuration)

    rules = _rules(form)

    def draw(page: Page) -> bytes:
        parts = [rules]
        for text in page.texts:
            # With a line height of zero the baseline lies half of ascent less descent below the line's top.
            top_pt = text.baseline_pt - _DROP_EM * text.size_pt
            kind = ' class="l"' if text.fixed else ""
            place = f"left:{text.x_pt:.3f}pt;top:{top_pt:.3f}pt;font-size:{text.size_pt}pt"
            parts.append(f'<p{kind} style="{place}">{escape(text.text)}</p>')
        html = f'<html lang="ja"><body>{"".join(parts)}</body></html>'
        pdf: bytes = HTML(string=html).write_pdf(stylesheets=[style], font_config=configuration)
        return pdf

    return draw


def _rules(form: Page) -> str:
    """Return all rules as one drawing: a CSS border of half a point would be drawn thinner."""
    size = f'width="{PAGE_WIDTH_PT:.4f}pt" height="{PAGE_HEIGHT_PT:.4f}pt"'
    box = f'viewBox="0 0 {PAGE_WIDTH_PT:.4f} {PAGE_HEIGHT_PT:.4f}"'
    rectangles = "".join(
        f'<rect x="{r.left_pt:.3f}" y="{r.top_pt:.3f}" width="{r.width_pt:.3f}" height="{r.height_pt:.3f}" '
        f'stroke-width="{r.line_pt:g}"/>'
        for r in form.rules
    )
    return f'<svg {size} {box} fill="none" stroke="black">{rectangles}</svg>'
