"""A name as it may stand on a kiosk's screen: enough to know oneself by, too little for who looks over a shoulder."""

from __future__ import annotations

import unicodedata

MASK = "●"


def masked(name: str) -> str:
    """Return the name with each of its parts cut to one character and one mask: 「山● 太●」, 「M● S●」.

    One mask whatever the part's length, so that a short name tells no more than a long one. A character keeps its
    variation selector and its combining marks: without them it would be another character.
    """
    return " ".join(_first_character(part) + MASK for part in name.split())


def _first_character(part: str) -> str:
    length = 1
    # Variation selectors are combining marks to Unicode (category Mn), as are a decomposed letter's accents.
    while length < len(part) and unicodedata.category(part[length]).startswith("M"):
        length += 1
    return part[:length]
