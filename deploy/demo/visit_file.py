"""A visit told from outside: `make demo-once VISIT=visit.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

KINDS = Literal["residence", "taxation"]


class VisitFileError(ValueError):
    """The file cannot be used; the message names the field and the rule."""


class VisitFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who comes, what is asked for and which coins are put in.

    resident: an id of the town; None is the town's sample resident (with a virtual card), or whoever the external card
    is. scope: a list names at least one of the household. coins: whole yen, in the order of insertion. items and
    fiscal_year as on the wire.
    """

    resident: str | None = None
    pin: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}$")] = "1234"
    kind: KINDS = "residence"
    scope: Literal["self", "household"] | Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = "self"
    items: tuple[str, ...] = ()
    fiscal_year: int | None = None
    copies: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    coins: tuple[Literal[10, 50, 100, 500, 1000], ...] = (100, 100)
    card: Literal["virtual", "external"] = "virtual"


def read_visit(path: Path) -> VisitFile:
    """Read a visit file.

    Errors: VisitFileError names the file, the field and the rule.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise VisitFileError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return msgspec.json.decode(body, type=VisitFile)
    except msgspec.DecodeError as error:
        raise VisitFileError(f"{path}: {error}") from error
