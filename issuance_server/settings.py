"""What a municipality decided, by date: documents, items, hours, fees, who certifies.

One `MunicipalitySettings` is one row with `valid_from`; the row in force on a JST date is the one with the greatest
valid_from not after it. Rows are data of the municipality; nothing here is a branch of code.
"""

from __future__ import annotations

from datetime import date, time

import msgspec


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


class MunicipalitySettings(Setting, frozen=True, kw_only=True):
    """Everything one municipality decided, from valid_from on."""

    municipality_code: str
    municipality_name: str
    valid_from: date
    specimen: bool  # invented municipality: every paper says 見本
    documents: tuple[DocumentSettings, ...]
    fees: tuple[Fee, ...]
    fiscal_years: tuple[FiscalYearOpening, ...]
    certifier_title: str
    certifier_name: str
