"""Seals (印影) of the town: a round picture, drawn from the surname and the resident's id."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Final

from deploy.demo.seal_pictures import round_seal_png
from deploy.demo.town_people import AS_OF, Family
from issuance_server.register.records import Resident, SealRecord
from printing.paper.fonts import is_selector

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
    diameter_mm = _DIAMETERS_MM[look % len(_DIAMETERS_MM)]
    return round_seal_png(legend, diameter_mm, line_px=4 + look % 3, shift_px=look % 5 - 2)
