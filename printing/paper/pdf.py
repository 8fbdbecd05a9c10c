"""The file: PDF's own syntax for what a certificate needs, and no more. Bytes follow from what was added, in order.

Fonts, pictures and forms are prepared values: their streams are compressed once, when they are made, and go into any
number of files as they are. A file numbers its objects from 1 in the order in which they came, holds no date, and takes
its identifier from what stands on its pages. Source: ISO 32000-1; sections are named where a rule is not obvious.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

A4_PT: Final = (595.2756, 841.8898)

_HEADER: Final = b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n"
_MEDIA_BOX: Final = f"[0 0 {A4_PT[0]} {A4_PT[1]}]"
_BLOCK: Final = 100  # entries of one bfchar block, at most (Adobe Technical Note 5411)
# What is kept is made as small as it gets. What is one document's own is done fast: level 9 would save a tenth of it,
# and cost more than everything else about the page.
_KEPT: Final = 9
_ONCE: Final = 1


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFont:
    """One subset of one face: a Type0 font with two-byte codes, and the streams that it refers to."""

    base_name: str
    descriptor: str  # entries of the font descriptor but for its name and file
    widths: str  # entries DW and W
    program: bytes
    cid_to_gid: bytes
    to_unicode: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A picture of one bit a pixel, drawn in the colour of the moment where its bits are 0."""

    body: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """What is drawn once and shown on many pages: a compressed stream with the resources that it names."""

    compressed: bytes
    fonts: tuple[tuple[str, EmbeddedFont], ...]
    masks: tuple[tuple[str, Mask], ...]

    @classmethod
    def of(cls, operators: bytes, fonts: Iterable[tuple[str, EmbeddedFont]], masks: Iterable[tuple[str, Mask]]) -> Self:
        """Make a form of operators with the fonts and pictures that they name."""
        return cls(zlib.compress(operators, _KEPT), tuple(fonts), tuple(masks))


def embedded_font(
    program: bytes,
    postscript_name: str,
    extents: tuple[int, int],
    *,
    advances: Mapping[int, int],
    cid_to_gid: bytes,
    to_unicode: Sequence[tuple[str, str]],
    kept: bool,
) -> EmbeddedFont:
    """Return a font ready for any file.

    Shape:  program is a TrueType file; extents are ascent and descent, advances by code (a whole em may be left out),
            both in thousandths of an em; cid_to_gid as in ISO 32000-1 9.7.4.2; to_unicode: codes with their text in
            UTF-16, both in hexadecimal; kept: for many files.
    """
    # The tag that marks a subset (9.6.4) must differ between subsets: it comes from the subset itself.
    checksum = zlib.crc32(program)
    tag = "".join(chr(65 + checksum // 26**place % 26) for place in range(6))
    ascent, descent = extents
    length = f"/Length1 {len(program)}"
    other = " ".join(f"{code}[{advance}]" for code, advance in sorted(advances.items()) if advance != 1000)
    return EmbeddedFont(
        base_name=f"{tag}+{postscript_name}",
        descriptor=(
            f"/Flags 4/FontBBox[0 {descent} 1000 {ascent}]/ItalicAngle 0/Ascent {ascent}/Descent {descent}"
            f"/CapHeight {ascent}/StemV 80"
        ),
        widths=f"/DW 1000/W[{other}]",
        # Outlines give a fifth of their length to deflate, for an eighth of a page's whole time; the others are short.
        program=_deflated(program, _KEPT, length) if kept else _stream(program, length),
        cid_to_gid=_deflated(cid_to_gid, _KEPT) if kept else _stream(cid_to_gid, ""),
        to_unicode=_deflated(_cmap(to_unicode), _KEPT) if kept else _stream(_cmap(to_unicode), ""),
    )


def mask(width_px: int, height_px: int, rows: bytes) -> Mask:
    """Return a picture ready for any file; each row is padded to whole bytes."""
    entries = f"/Type/XObject/Subtype/Image/ImageMask true/BitsPerComponent 1/Width {width_px}/Height {height_px}"
    return Mask(_deflated(rows, _KEPT, entries))


def _cmap(pairs: Sequence[tuple[str, str]]) -> bytes:
    """Return a ToUnicode CMap (9.10.3): codes to UTF-16, variation selectors included."""
    lines = [f"<{code}> <{text}>" for code, text in pairs]
    blocks = [lines[start : start + _BLOCK] for start in range(0, len(lines), _BLOCK)]
    body = "\n".join(f"{len(block)} beginbfchar\n" + "\n".join(block) + "\nendbfchar" for block in blocks)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        f"{body}\nendcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode("ascii")


def _deflated(data: bytes, level: int, entries: str = "") -> bytes:
    return _stream(zlib.compress(data, level), f"{entries}/Filter/FlateDecode")


def _stream(data: bytes, entries: str) -> bytes:
    return f"<<{entries}/Length {len(data)}>>stream\n".encode("ascii") + data + b"\nendstream"


def _text(words: str) -> str:
    """Return a text string (7.9.2.2) in hexadecimal UTF-16."""
    return f"<FEFF{words.encode('utf-16-be').hex().upper()}>"


class PdfFile:
    """One file under construction. What is prepared is added once, however often it is used."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = [b"", b""]  # the catalogue and the page tree come first, and are known last
        self._pages: list[int] = []
        self._identity = hashlib.sha256()
        # By identity: the values are kept alive beside their numbers, so that no identity is given again.
        self._known: dict[int, tuple[object, int]] = {}

    def page(
        self, operators: bytes, fonts: Sequence[tuple[str, EmbeddedFont]], xobjects: Sequence[tuple[str, Form | Mask]]
    ) -> None:
        """Add an A4 page that draws operators with the fonts, forms and pictures that they name."""
        contents = self._add(_deflated(operators, _ONCE))
        self._identity.update(self._bodies[-1])
        resources = self._resources(fonts, xobjects)
        page = f"<</Type/Page/Parent 2 0 R/MediaBox{_MEDIA_BOX}/Resources{resources}/Contents {contents} 0 R>>"
        self._pages.append(self._add(page.encode("ascii")))

    def finish(self, title: str, author: str) -> bytes:
        """Return the file's bytes."""
        kids = " ".join(f"{number} 0 R" for number in self._pages)
        catalogue = "<</Type/Catalog/Pages 2 0 R/Lang(ja-JP)/ViewerPreferences<</PrintScaling/None>>>>"
        self._bodies[0] = catalogue.encode("ascii")
        self._bodies[1] = f"<</Type/Pages/Count {len(self._pages)}/Kids[{kids}]>>".encode("ascii")
        info = self._add(f"<</Title{_text(title)}/Author{_text(author)}/Creator(Madoguchi)>>".encode("ascii"))
        parts = [_HEADER]
        offsets: list[int] = []
        at = len(_HEADER)
        for number, body in enumerate(self._bodies, start=1):
            part = b"%d 0 obj\n%b\nendobj\n" % (number, body)
            offsets.append(at)
            at += len(part)
            parts.append(part)
        size = len(self._bodies) + 1
        parts.append(f"xref\n0 {size}\n0000000000 65535 f \n".encode("ascii"))
        parts.append("".join(f"{offset:010} 00000 n \n" for offset in offsets).encode("ascii"))
        identifier = self._identity.hexdigest()[:32]
        trailer = f"<</Size {size}/Root 1 0 R/Info {info} 0 R/ID[<{identifier}><{identifier}>]>>"
        parts.append(f"trailer\n{trailer}\nstartxref\n{at}\n%%EOF\n".encode("ascii"))
        return b"".join(parts)

    def _resources(self, fonts: Sequence[tuple[str, EmbeddedFont]], xobjects: Sequence[tuple[str, Form | Mask]]) -> str:
        font_entries = "".join(f"/{name} {self._shared(font)} 0 R" for name, font in fonts)
        entries = "".join(f"/{name} {self._shared(xobject)} 0 R" for name, xobject in xobjects)
        return f"<</Font<<{font_entries}>>/XObject<<{entries}>>>>"

    def _shared(self, prepared: EmbeddedFont | Form | Mask) -> int:
        known = self._known.get(id(prepared))
        if known is None:
            known = self._known[id(prepared)] = (prepared, self._prepared(prepared))
        return known[1]

    def _prepared(self, prepared: EmbeddedFont | Form | Mask) -> int:
        match prepared:
            case EmbeddedFont():
                return self._font(prepared)
            case Mask():
                return self._add(prepared.body)
            case Form():
                resources = self._resources(prepared.fonts, prepared.masks)
                entries = f"/Type/XObject/Subtype/Form/BBox{_MEDIA_BOX}/Resources{resources}/Filter/FlateDecode"
                return self._add(_stream(prepared.compressed, entries))

    def _font(self, font: EmbeddedFont) -> int:
        program, cid_to_gid, to_unicode = map(self._add, (font.program, font.cid_to_gid, font.to_unicode))
        name = font.base_name
        descriptor = self._add(
            f"<</Type/FontDescriptor/FontName/{name}{font.descriptor}/FontFile2 {program} 0 R>>".encode("ascii")
        )
        descendant = self._add(
            (
                f"<</Type/Font/Subtype/CIDFontType2/BaseFont/{name}"
                "/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
                f"/FontDescriptor {descriptor} 0 R{font.widths}/CIDToGIDMap {cid_to_gid} 0 R>>"
            ).encode("ascii")
        )
        return self._add(
            (
                f"<</Type/Font/Subtype/Type0/BaseFont/{name}/Encoding/Identity-H/DescendantFonts[{descendant} 0 R]"
                f"/ToUnicode {to_unicode} 0 R>>"
            ).encode("ascii")
        )

    def _add(self, body: bytes) -> int:
        self._bodies.append(body)
        return len(self._bodies)
