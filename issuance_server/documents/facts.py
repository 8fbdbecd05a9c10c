"""What a paper must say, stated apart from the record that is drawn, so that the re-check compares two sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from issuance_server.register.records import Resident
from printing.paper.era import era_date, western_date
from printing.paper.recheck import Subject


@dataclass(frozen=True, slots=True)
class Facts:
    """One paper's facts; see printing.paper.recheck.Expected."""

    people: tuple[Subject, ...]
    headings: tuple[str, ...]
    address: str | None = None
    domicile: str | None = None


def subjects(residents: Iterable[Resident], *, with_numbers: bool = False) -> tuple[Subject, ...]:
    """Return residents as the paper names them."""
    return tuple(
        Subject(
            name=resident.name,
            born_on=era_date(resident.born_on) if resident.foreign is None else western_date(resident.born_on),
            individual_number=resident.individual_number if with_numbers else None,
        )
        for resident in residents
    )
