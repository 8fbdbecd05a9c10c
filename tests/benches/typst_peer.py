"""Typst: one Compiler and its fonts reused, the form as the source, what changes as `sys.inputs`."""

from __future__ import annotations

import atexit
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import typst

from tests.benches.content import LABEL_FONT, PAGE_HEIGHT_PT, PAGE_WIDTH_PT, VALUE_FONT, Page, Text

_PRELUDE = f"""#set page(width: {PAGE_WIDTH_PT:.4f}pt, height: {PAGE_HEIGHT_PT:.4f}pt, margin: 0pt)
#set text(font: "BIZ UDMincho", lang: "ja", top-edge: "baseline", bottom-edge: "baseline", cjk-latin-spacing: none)
#set par(justify: false, leading: 0pt)
#let at(x, y, size, words) = place(dx: x * 1pt, dy: y * 1pt, text(size: size * 1pt, box(words)))
#let rule(x, y, w, h, line) = place(dx: x * 1pt, dy: y * 1pt, rect(width: w * 1pt, height: h * 1pt, stroke: line * 1pt))
"""
_OPENING = ("【", "（", "「")
_VALUES = """#set text(font: "IPAmjMincho")
#for (x, y, size, words) in json(bytes(sys.inputs.values)) { at(x, y, size, words) }
"""


def prepare(form: Page) -> Callable[[Page], bytes]:
    """Return the engine; labels and rules are those of the form, values those of each page."""
    lines = [
        f"#rule({r.left_pt:.3f}, {r.top_pt:.3f}, {r.width_pt:.3f}, {r.height_pt:.3f}, {r.line_pt:g})"
        for r in form.rules
    ]
    labels = [_placed(text) for text in form.texts if text.fixed]
    lines += [f"#at({x}, {y}, {size}, {json.dumps(words, ensure_ascii=False)})" for x, y, size, words in labels]
    source = _PRELUDE + "\n".join(lines) + "\n" + _VALUES
    folders = [str(font.parent) for font in (VALUE_FONT, LABEL_FONT)]
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
    folder = tempfile.TemporaryDirectory(prefix="bench-typst-")
    atexit.register(folder.cleanup)  # the compiler reads the form at every page
    main = Path(folder.name) / "form.typ"
    main.write_text(source, "utf-8")
    compiler = typst.Compiler(main, font_paths=fonts, ignore_system_fonts=True)

    def draw(page: Page) -> bytes:
        values = json.dumps([_placed(text) for text in page.texts if not text.fixed], ensure_ascii=False)
        pdf = compiler.compile(format="pdf", sys_inputs={"values": values}, pdf_tags=False)
        assert isinstance(pdf, bytes)
        return pdf

    return draw


def _placed(text: Text) -> tuple[float, float, float, str]:
    # Typst trims the blank half of an opening bracket where a line begins, as fine setting wants it; a form does not.
    trimmed_em = 0.5 if text.text.startswith(_OPENING) else 0.0
    return round(text.x_pt + trimmed_em * text.size_pt, 3), round(text.baseline_pt, 3), text.size_pt, text.text
