"""What one copy costs: by municipality, document and date, as the ordinance says. No row, no fee, no document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


class UnknownFee(LookupError):
    """No row, or more than one, says what a copy costs on that date."""


@dataclass(frozen=True, slots=True)
class FeeRow:
    """One decision: from valid_from on, one copy costs fee_yen, of which the operator keeps commission_yen."""

    municipality_code: str
    kind: str
    fee_yen: int
    commission_yen: int
    valid_from: date
    ordinance: str

    def __post_init__(self) -> None:
        """Refuse amounts that are no whole yen."""
        for amount_yen in (self.fee_yen, self.commission_yen):
            if type(amount_yen) is not int or amount_yen < 0:
                raise ValueError("fee_yen and commission_yen: whole yen, not below 0")


def fee_on(kind: str, municipality_code: str, on_jst: date, rows: Iterable[FeeRow]) -> FeeRow:
    """Return the row that says what one copy costs.

    Shape:  municipality_code is the 6-digit local-government code.
    Units:  whole yen; on_jst is a JST calendar date.
    Errors: UnknownFee if no row covers on_jst, or two begin on the same day; there is no default fee.
    Source: the ordinance named in the row.
    """
    begun = [
        row
        for row in rows
        if row.kind == kind and row.municipality_code == municipality_code and row.valid_from <= on_jst
    ]
    if not begun:
        raise UnknownFee(f"{municipality_code} {kind}: no row covers {on_jst}")
    latest = max(row.valid_from for row in begun)
    in_force = [row for row in begun if row.valid_from == latest]
    if len(in_force) > 1:
        raise UnknownFee(f"{municipality_code} {kind}: more than one row begins on {latest}")
    return in_force[0]
