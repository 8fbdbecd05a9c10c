"""A pikepdf overlay: the form prepared as a PDF, the values laid over it with one subset font a document.

pikepdf draws no text of its own in such a font; lookup and subset are uharfbuzz's, prepared once as it advises.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import pikepdf
import uharfbuzz as hb
from pikepdf import Array, Dictionary, Name

from printing.paper.fonts import units
from tests.benches import reportlab_peer
from tests.benches.content import PAGE_HEIGHT_PT, VALUE_FONT, Page


def prepare(form: Page) -> Callable[[Page], bytes]:
    """Return the engine; the form's PDF, with its labels and rules, is made here."""
    fixed = Page(tuple(text for text in form.texts if text.fixed), form.rules)
    template = reportlab_peer.prepare(fixed)(fixed)
    face = hb.Face(hb.Blob.from_file_path(str(VALUE_FONT)))
    font, prepared = hb.Font(face), hb.subset_preprocess(face)

    def draw(page: Page) -> bytes:
        codes: dict[str, int] = {}
        glyphs: list[int] = []
        lines = ["q"]
        for text in page.texts:
            if text.fixed:
                continue
            shown: list[str] = []
            for unit in units(text.text):
                if unit not in codes:
                    glyphs.append(
                        font.get_nominal_glyph(ord(unit))
                        if len(unit) == 1
                        else font.get_variation_glyph(ord(unit[0]), ord(unit[1]))
                    )
                    codes[unit] = len(glyphs)
                shown.append(f"{codes[unit]:04X}")
            y_pt = PAGE_HEIGHT_PT - text.baseline_pt
            lines.append(f"BT /V {text.size_pt:g} Tf 1 0 0 1 {text.x_pt:.3f} {y_pt:.3f} Tm <{''.join(shown)}> Tj ET")
        lines.append("Q")
        with pikepdf.open(io.BytesIO(template)) as pdf:
            sheet = pdf.pages[0]
            sheet.Resources.Font.V = _font(pdf, font, prepared, glyphs, codes)
            sheet.contents_add("\n".join(lines).encode("ascii"))
            out = io.BytesIO()
            pdf.save(out)
            return out.getvalue()

    return draw


def _font(
    pdf: pikepdf.Pdf, font: hb.Font, prepared: hb.Face, glyphs: list[int], codes: dict[str, int]
) -> pikepdf.Object:
    request = hb.SubsetInput()
    request.glyph_set.update(set(glyphs))
    request.flags = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NO_LAYOUT_CLOSURE
    plan = hb.SubsetPlan(prepared, request)
    program = bytes(plan.execute().blob.data)
    places = dict(plan.old_to_new_glyph_mapping.items())
    scale = 1000 / prepared.upem
    cid_to_gid = b"\0\0" + b"".join(places[glyph].to_bytes(2, "big") for glyph in glyphs)
    pairs = [f"<{code:04X}> <{unit.encode('utf-16-be').hex()}>" for unit, code in codes.items()]
    blocks = [pairs[start : start + 100] for start in range(0, len(pairs), 100)]
    body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /Bench def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <FFFF> endcodespacerange\n{body}\nendcmap end end"
    )
    name = Name("/BENCHA+IPAmjMincho")
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=name,
        Flags=4,
        FontBBox=Array([0, -120, 1000, 880]),
        ItalicAngle=0,
        Ascent=880,
        Descent=-120,
        CapHeight=880,
        StemV=80,
        FontFile2=pdf.make_stream(program, Length1=len(program)),
    )
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=name,
        CIDSystemInfo=Dictionary(Registry="Adobe", Ordering="Identity", Supplement=0),
        FontDescriptor=pdf.make_indirect(descriptor),
        DW=1000,
        W=Array([1, Array([round(font.get_glyph_h_advance(glyph) * scale) for glyph in glyphs])]),
        CIDToGIDMap=pdf.make_stream(cid_to_gid),
    )
    return pdf.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=name,
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([pdf.make_indirect(descendant)]),
            ToUnicode=pdf.make_stream(cmap.encode("ascii")),
        )
    )
