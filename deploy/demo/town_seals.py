"""Seals (印影) of the town: a round 1-bit picture, drawn with Pillow from the surname and the resident's id."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from functools import cache
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from deploy.demo.town_people import AS_OF, Family
from issuance_server.register.records import Resident, SealRecord
from printing.paper.fonts import FONT_FOLDER, is_selector

DPI: Final = 300
_FONT: Final = FONT_FOLDER / "ipamj" / "ipamjm.ttf"
_ADULT_AGE: Final = 18
_SHARE: Final = 0.35
_DIAMETERS_MM: Final = (12.0, 13.5, 15.0, 18.0)  # most rules allow 8 to 25 mm


class SealStory(StrEnum):
    """What a story says of somebody's seal."""

    REGISTERED = "registered"
    CANCELLED = "cancelled"
    NONE = "none"


def seals(
    rng: random.Random, family: Family, prescribed: Mapping[str, SealStory] | None = None
) -> tuple[SealRecord, ...]:
    """Return the registered seals of one household: about every third adult has one, one in twenty was cancelled.

    Shape: prescribed says by resident id what a story needs; everything else is drawn.
    """
    records = []
    for resident in family.residents:
        chance, cancelled, days, look = rng.random(), rng.random(), rng.randint(100, 4_000), rng.randrange(1_000)
        told = (prescribed or {}).get(resident.resident_id)
        has_none = chance > _SHARE or AS_OF.year - resident.born_on.year <= _ADULT_AGE
        if told is SealStory.NONE or (told is None and has_none):
            continue
        came_on = resident.address_since or AS_OF
        records.append(
            SealRecord(
                resident_id=resident.resident_id,
                registered_on=max(came_on, AS_OF - timedelta(days=days)),
                image_png=_image_png(_legend(resident), look),
                cancelled=cancelled < 1 / 20 if told is None else told is SealStory.CANCELLED,
            )
        )
    return tuple(records)


def _legend(resident: Resident) -> str:
    """What the seal says: the surname, without selectors, since an engraver follows no collection."""
    alias = resident.foreign.alias if resident.foreign is not None else None
    surname = (alias or resident.name).split(" ")[0]
    return "".join(character for character in surname if not is_selector(character))[:3]


@cache
def _image_png(legend: str, look: int) -> bytes:
    diameter_px = round(_DIAMETERS_MM[look % len(_DIAMETERS_MM)] / 25.4 * DPI)
    line_px = 4 + look % 3
    image = Image.new("1", (diameter_px, diameter_px), 1)
    draw = ImageDraw.Draw(image)
    draw.ellipse((1, 1, diameter_px - 2, diameter_px - 2), outline=0, width=line_px)
    font = _font(round(diameter_px * 0.8 / max(2, len(legend))))
    step_px = diameter_px * 0.78 / len(legend)
    for at, character in enumerate(legend):
        middle = (diameter_px / 2 + look % 5 - 2, diameter_px * 0.11 + step_px * (at + 0.5))
        draw.text(middle, character, fill=0, font=font, anchor="mm")
    out = BytesIO()
    image.save(out, "PNG", dpi=(DPI, DPI))
    return out.getvalue()


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONT, size_px)
