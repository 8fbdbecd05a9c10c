"""The calibration page: every screen of the latent pattern as a field of its own, to be printed and copied.

Which field vanishes best on the sheet and shows best on its copy is a matter of the printing model; the field's name is
then the setting `latent_screen` of the municipalities whose papers that model prints.
"""

from __future__ import annotations

from printing.paper import latent
from printing.paper.fitting import Align, Box
from printing.paper.fonts import Fonts
from printing.paper.page import Document
from printing.paper.records import STANDARD_SCREEN
from printing.paper.screens import MM_PER_PX, SCREENS, SIDE_PX, LatentScreen

TITLE = "複写けん制文字の調整用紙"
TITLE_ENGLISH = "Calibration page of the latent pattern"

_LEFT_MM = 15.0
_RIGHT_MM = 195.0
_TOP_MM = 66.0  # the first row of fields
_FIELD_PX = (1328, 912)  # as much of a tile as a field shows; rows stay whole bytes
_STEP_MM = (61.0, 45.0)
_NAME_MM = 2.6  # from a field's upper edge up to the middle of its name
_RULER_MM = 100.0

_STEPS = (
    (
        "1. 片面、100 %(実際のサイズ)、最高品質で、証明書の用紙へ印刷し、下の線が100 mmであることを確かめます。",
        "Print on one side at 100 % (actual size), best quality, on the certificates' paper; the line must be 100 mm.",
    ),
    (
        "2. 印刷した紙を30 cm離して見て、文字が目立たない欄を選びます。",
        "Look at the sheet from 30 cm and note the fields in which no word is seen.",
    ),
    (
        "3. その紙を、ふつうのコピー機で(文字モード、濃度標準、100 %)複写します。白黒とカラーの両方を試します。",
        "Copy that sheet on ordinary copiers (text mode, normal density, 100 %), in black and white and in colour.",
    ),
    (
        "4. 2で目立たず、3で「複写」がもっともはっきり現れた欄の名が、その機種の設定値(latent_screen)です。",
        "The field that hid the word best and whose copy shows it best names the model's setting, latent_screen.",
    ),
)
_LEGEND = (
    "数字は左から、地の点/間隔、文字の点/間隔(600 dpiの画素)。列は左から淡い、標準、濃い。",
    "Figures: dot/grid of the ground, then of the letters, in px of 600 dpi. Columns: light, normal, strong.",
)


def render(fonts: Fonts) -> bytes:
    """Return the page as a PDF: the same bytes for the same fonts and table of screens."""
    document = Document(fonts, TITLE, "Madoguchi")
    _draw_instructions(document)
    fields = [(name, screen) for name, screen in SCREENS.items() if name != STANDARD_SCREEN]
    for number, (name, screen) in enumerate(fields):
        row, column = divmod(number, 3)
        _draw_field(document, name, screen, _LEFT_MM + column * _STEP_MM[0], _TOP_MM + row * _STEP_MM[1])
    document.next_page()
    return document.finish()


def _draw_instructions(document: Document) -> None:
    fonts = document.fonts
    document.text(fonts.headings, TITLE, _LEFT_MM, 13.0, 15.0)
    document.text(fonts.values, TITLE_ENGLISH, _RIGHT_MM, 13.4, 9.5, align=Align.RIGHT)
    for number, (japanese, english) in enumerate((*_STEPS, _LEGEND)):
        middle_mm = 20.5 + 7.8 * number
        document.text(fonts.labels, japanese, _LEFT_MM, middle_mm, 8.5)
        document.text(fonts.values, english, _LEFT_MM + 3.5, middle_mm + 3.5, 7.5)
    ruler_mm = _TOP_MM - 6.3
    document.line((_LEFT_MM, ruler_mm), (_LEFT_MM + _RULER_MM, ruler_mm), 0.5)
    for tick in range(11):
        at_mm = _LEFT_MM + tick * _RULER_MM / 10
        document.line((at_mm, ruler_mm - (1.5 if tick % 10 == 0 else 0.8)), (at_mm, ruler_mm), 0.5)
    document.text(fonts.labels, "100 mm", _LEFT_MM + _RULER_MM + 2.0, ruler_mm - 0.7, 7.5)


def _draw_field(document: Document, name: str, screen: LatentScreen, left_mm: float, top_mm: float) -> None:
    """Draw a field at whole pixels: between them, a printer would draw other dots than on a certificate."""
    width_px, height_px = _FIELD_PX
    left_mm, top_mm = (round(edge_mm / MM_PER_PX) * MM_PER_PX for edge_mm in (left_mm, top_mm))
    whole = latent.tile(document.fonts, screen)
    stride = SIDE_PX // 8
    rows = b"".join(whole.rows[y * stride : y * stride + width_px // 8] for y in range(height_px))
    box = Box(left_mm, top_mm, width_px * MM_PER_PX, height_px * MM_PER_PX)
    document.bitmap(whole.name, width_px, height_px, rows, box, colour=screen.colour)
    document.text(document.fonts.headings, name, left_mm, top_mm - _NAME_MM, 11.0)
    standard = "(標準 standard)" if screen == SCREENS[STANDARD_SCREEN] else ""
    words = (
        f"{_dots(screen.ground_dot_px, screen.ground_grid_px)}  {_dots(screen.letter_dot_px, screen.letter_grid_px)}"
    )
    document.text(document.fonts.labels, f"{words} {standard}", left_mm + 7.0, top_mm - _NAME_MM, 7.5)


def _dots(dot_px: tuple[int, int], grid_px: int) -> str:
    return f"{dot_px[0]}×{dot_px[1]}/{grid_px}"
