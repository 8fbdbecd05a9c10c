"""What a municipality's register says: plain frozen facts, kept sealed (vault.py) in `register_records`.

These are the municipality's records, not the certificate's: issuance_server/documents.py decides what of them is
printed. None = not recorded.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec


class RecordType(StrEnum):
    """Kinds of sealed register records; part of their key."""

    RESIDENT = "resident"
    HOUSEHOLD = "household"
    TAX = "tax"
    TAX_PAYMENT = "tax_payment"
    SEAL = "seal"
    FAMILY_REGISTER = "family_register"
    SUPPLEMENTARY = "supplementary"
    HOLDER = "holder"


class RegisterRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all register records."""


class ForeignResident(RegisterRecord, frozen=True, kw_only=True):
    """外国人住民: what stands in place of domicile and 住民となった年月日 (住民基本台帳法30条の45)."""

    became_foreign_resident_on: date | None
    nationality: str
    category: str
    status: str | None = None
    period: str | None = None
    expires_on: date | None = None
    card_number: str | None = None
    alias: str | None = None
    alias_history: tuple[str, ...] = ()
    kanji_name: str | None = None


class Resident(RegisterRecord, frozen=True, kw_only=True):
    """One resident."""

    resident_id: str
    household_id: str
    name: str
    name_reading: str | None = None
    former_surname: str | None = None
    former_surname_reading: str | None = None
    born_on: date
    sex: str
    relationship: str
    domicile: str | None = None
    domicile_head: str | None = None
    became_resident_on: date | None = None
    address_since: date | None = None
    notified_on: date | None = None
    moved_in_from: str | None = None
    previous_address: str | None = None
    remarks: str | None = None
    individual_number: str | None = None
    foreign: ForeignResident | None = None
    issuance_stop: bool = False  # one bit without a reason: the server never learns why
    moving_out_notified: bool = False
    moved_out_on: date | None = None
    died_on: date | None = None


class Household(RegisterRecord, frozen=True, kw_only=True):
    """One household at one address; member_ids in the order in which they print, head first."""

    household_id: str
    address: str
    head_name: str
    member_ids: tuple[str, ...]
    issuance_stop: bool = False


class TaxStatus(StrEnum):
    """What the tax office knows of one person's fiscal year."""

    TAXED = "taxed"
    UNTAXED = "untaxed"
    UNDECLARED = "undeclared"
    DEPENDANT = "dependant"  # somebody's dependant who did not declare


class TaxRecord(RegisterRecord, frozen=True, kw_only=True):
    """One resident's municipal tax of one fiscal year; amounts in whole yen, keyed by the layout's words."""

    resident_id: str
    fiscal_year: int
    status: TaxStatus
    address_on_1_january: str
    incomes: tuple[tuple[str, int], ...] = ()
    totals: tuple[tuple[str, int], ...] = ()
    deductions: tuple[tuple[str, int], ...] = ()
    dependants: tuple[tuple[str, int], ...] = ()
    taxable_base_yen: int = 0
    credits: tuple[tuple[str, int], ...] = ()
    flat_rate_reduction_yen: int | None = None  # 定額減税, fiscal years 2024 and 2025
    city_income_based_yen: int = 0
    city_per_capita_yen: int = 0
    prefecture_income_based_yen: int = 0
    prefecture_per_capita_yen: int = 0
    forest_tax_yen: int | None = None  # 森林環境税, from fiscal year 2024
    annual_yen: int = 0


class SealRecord(RegisterRecord, frozen=True, kw_only=True):
    """One registered seal (印鑑登録): the image is a 1-bit PNG."""

    resident_id: str
    registered_on: date
    image_png: bytes
    cancelled: bool = False


class LeviedTax(RegisterRecord, frozen=True, kw_only=True):
    """One tax of a fiscal year: levied, paid, unpaid; whole yen, None = not recorded."""

    tax: str
    levied_yen: int | None
    paid_yen: int | None
    unpaid_yen: int | None


class TaxPaymentRecord(RegisterRecord, frozen=True, kw_only=True):
    """What one resident paid of one fiscal year's taxes, as far as payments were recorded on confirmed_until."""

    resident_id: str
    fiscal_year: int
    confirmed_until: date
    taxes: tuple[LeviedTax, ...]


class RegisterMatter(RegisterRecord, frozen=True, kw_only=True):
    """A matter of a family register or of a person's status in it: lines of label and value, in its own words."""

    title: str
    entries: tuple[tuple[str, str | None], ...]


class Adoption(RegisterRecord, frozen=True, kw_only=True):
    """Adoptive parents and the relationship to them."""

    father: str | None
    mother: str | None
    relationship: str


class RegisterEntry(RegisterRecord, frozen=True, kw_only=True):
    """One person of a family register.

    person_id is of the same municipality as the register: a person who is a resident there has one id in both.
    removed: 除籍, by marriage, adoption or death; who was removed stands in the register still, but not as its own.
    """

    person_id: str
    given_name: str
    given_name_reading: str | None = None
    born_on: date
    spouse: str | None = None
    father: str | None
    mother: str | None
    relationship: str | None
    adoption: Adoption | None = None
    removed: bool = False
    matters: tuple[RegisterMatter, ...] = ()
    issuance_stop: bool = False  # on the person, wherever they live now: one bit without a reason


class FamilyRegisterRecord(RegisterRecord, frozen=True, kw_only=True):
    """One family register (戸籍). closed_on: it is no current one any more (除籍, 改製原戸籍)."""

    register_id: str
    domicile: str
    surname: str
    surname_reading: str | None = None
    head_given_name: str
    matters: tuple[RegisterMatter, ...] = ()
    people: tuple[RegisterEntry, ...]  # in the order in which they print
    filing_in_progress: bool = False  # something was filed that is not entered yet
    closed_on: date | None = None


class PastAddress(RegisterRecord, frozen=True, kw_only=True):
    """An address and the date on which it was taken up."""

    address: str
    since: date | None
    issuance_stop: bool = False


class SupplementaryEntry(RegisterRecord, frozen=True, kw_only=True):
    """Where one person of a family register has lived since they stand in it; the oldest address first."""

    person_id: str
    name: str
    name_reading: str | None = None
    born_on: date | None
    sex: str | None
    removed_on: date | None = None
    addresses: tuple[PastAddress, ...]
    overseas_voter: str | None = None


class SupplementaryRecord(RegisterRecord, frozen=True, kw_only=True):
    """The supplementary register (戸籍の附票) of one family register."""

    register_id: str
    people: tuple[SupplementaryEntry, ...]  # in the order in which they print


class RegisterHolder(RegisterRecord, frozen=True, kw_only=True):
    """Who in which family register a person is whom a certificate may be linked to.

    A resident whose domicile is here, or somebody who lives elsewhere and registered for use (利用登録申請). Name and
    birth date are those of the registration: where the register's entry says otherwise, one of both is somebody else.
    """

    person_id: str
    register_id: str
    name: str
    born_on: date
