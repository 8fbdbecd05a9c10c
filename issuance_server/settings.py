"""What a municipality decided, by date: documents, items, hours, fees, who certifies.

One `MunicipalitySettings` is one row with `valid_from`; the row in force on a JST date is the one with the greatest
valid_from not after it. Rows are data of the municipality; nothing here is a branch of code.
"""

from __future__ import annotations

from datetime import date, time
from typing import Annotated

import msgspec

from printing.paper.bitmap import municipal_seal
from printing.paper.errors import BadBitmap, UnknownScreen
from printing.paper.records import STANDARD_SCREEN, Contact
from printing.paper.screens import screen_named


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all settings."""


class OpenHours(Setting, frozen=True, kw_only=True):
    """Hours of one weekday (0 = Monday), JST; closes_at 00:00 means the end of the day."""

    weekday: int
    opens_at: time
    closes_at: time


class Fee(Setting, frozen=True, kw_only=True):
    """The fee for one copy of one kind, from the ordinance that is named."""

    kind: str
    fee_yen: int
    commission_yen: int
    valid_from: date
    ordinance: str


class DocumentSettings(Setting, frozen=True, kw_only=True):
    """One document that is offered."""

    kind: str
    items: tuple[str, ...]  # optional items that may be chosen
    minimum_age: int
    hours: tuple[OpenHours, ...]
    closed_on: tuple[date, ...] = ()
    unpaid_refuses: bool = False  # of a tax payment certificate: unpaid tax refuses it
    largest_seal_mm: float = 25.0  # of a seal registration certificate: the square that a registered seal must go into


class FiscalYearOpening(Setting, frozen=True, kw_only=True):
    """From which date tax certificates of a fiscal year can be had."""

    fiscal_year: int
    available_from: date


class NoCertifier(Exception):
    """Nobody certifies this document on this date; the message names both."""


class CertifierSettings(Setting, frozen=True, kw_only=True):
    """Who certifies from valid_from on: the mayor, a ward's head, an acting head are just rows.

    Shape:  kinds: the documents; none = all that no other row names. seal_png: the municipal seal, one bit a pixel with
            its resolution.
    Errors: ValueError if the seal cannot be shown at true size; while decoding, msgspec.ValidationError with its place.
    """

    kinds: tuple[str, ...] = ()
    valid_from: date
    office: str
    title: str
    name: str
    seal_png: bytes

    def __post_init__(self) -> None:
        """A seal that cannot be drawn would stop papers one by one, in front of residents."""
        try:
            municipal_seal(self.seal_png)
        except BadBitmap as bad:
            raise ValueError(f"seal_png: {bad.rule}") from bad


class MunicipalitySettings(Setting, frozen=True, kw_only=True):
    """Everything one municipality decided, from valid_from on."""

    municipality_code: str
    municipality_name: str
    valid_from: date
    specimen: bool  # invented municipality: every paper says 見本
    latent_screen: str = STANDARD_SCREEN  # to which its operator's printing model was calibrated
    # Where the card authority does not answer, its signed lists count up to this age; 0: they never do.
    crl_max_age_h: Annotated[int, msgspec.Meta(ge=0, le=168)] = 0
    contact: Contact | None = None  # on the back of every paper: whom a receiver may ask
    documents: tuple[DocumentSettings, ...]
    fees: tuple[Fee, ...]
    fiscal_years: tuple[FiscalYearOpening, ...]
    certifiers: tuple[CertifierSettings, ...]

    def __post_init__(self) -> None:
        """Refuse what would stop papers one by one, in front of residents.

        Two certifiers of one document from the same day on: nobody could say whose paper it is. A latent screen that
        nobody calibrated. A contact that is none.
        """
        keys = [(kind, row.valid_from) for row in self.certifiers for kind in row.kinds or (None,)]
        if len(set(keys)) != len(keys):
            raise ValueError("certifiers: two for the same document from the same day on")
        if self.contact is not None and not (self.contact.office.strip() and self.contact.telephone.strip()):
            raise ValueError("contact: an office and a telephone number")
        try:
            screen_named(self.latent_screen)
        except UnknownScreen as unknown:
            raise ValueError(str(unknown)) from unknown


def certifier_on(settings: MunicipalitySettings, kind: str, on_jst: date) -> CertifierSettings:
    """Return who certifies a document: the date on it decides.

    Shape:  a row that names the kind goes before a row for all; of those, the latest that has begun.
    Errors: NoCertifier if no row covers the date.
    """
    begun = [row for row in settings.certifiers if row.valid_from <= on_jst and (not row.kinds or kind in row.kinds)]
    if not begun:
        raise NoCertifier(f"{kind}: nobody certifies on {on_jst}")
    return max(begun, key=lambda row: (bool(row.kinds), row.valid_from))
