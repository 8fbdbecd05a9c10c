"""What a certificate says: typed records, the only thing the pages are drawn from.

A value of None is "not recorded" and prints 【空欄】. An optional item that was not chosen prints 【省略】; its
value is not in the record at all, so that what was not asked for cannot be printed by mistake; a record that has it
nevertheless is refused. The Individual Number is chosen person by person: of whom it was not, it is None and 【省略】.
Sources: 住民基本台帳法 articles 7 and 30-45; the items' names are the field's English terms (README, glossary).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec


class CertificateKind(StrEnum):
    """The documents; the values are the words on the wire, in journals and in settings."""

    RESIDENCE = "residence"
    TAXATION = "taxation"


class ResidenceItem(StrEnum):
    """Items of a residence certificate that print only when chosen."""

    RELATIONSHIP = "relationship"  # head of household and relationship (世帯主・続柄)
    DOMICILE = "domicile"  # registered domicile and its head (本籍・筆頭者)
    NATIONALITY = "nationality"  # nationality or region (国籍・地域)
    STATUS = "status"  # category, status, period and expiry (30条の45の区分, 在留資格, 在留期間, 満了日)
    CARD_NUMBER = "card_number"  # residence-card number (在留カード番号)
    ALIAS_HISTORY = "alias_history"  # entry and removal of aliases (通称の記載と削除)
    PREVIOUS_ADDRESS = "previous_address"  # address before the change (異動前住所)
    INDIVIDUAL_NUMBER = "individual_number"  # Individual Number (個人番号), default off


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all records: frozen and strict."""


class ForeignResidentItems(Record, frozen=True, kw_only=True):
    """What a foreign resident's entry has in place of domicile and 住民となった年月日."""

    became_foreign_resident_on: date | None
    nationality: str | None = None
    category: str | None = None
    status: str | None = None
    period: str | None = None
    expires_on: date | None = None
    card_number: str | None = None
    alias: str | None = None  # always prints if recorded
    alias_history: tuple[str, ...] = ()
    kanji_name: str | None = None  # beside the name in Latin letters, on request; no cell without it


class ResidencePerson(Record, frozen=True, kw_only=True):
    """One person's entry on a residence certificate."""

    name: str
    name_reading: str | None = None
    former_surname: str | None = None  # always prints if recorded; Japanese nationals alone have one
    former_surname_reading: str | None = None
    born_on: date
    sex: str
    relationship: str | None = None
    domicile: str | None = None
    domicile_head: str | None = None
    became_resident_on: date | None = None
    address_since: date | None = None
    notified_on: date | None = None
    moved_in_from: str | None = None
    previous_address: str | None = None
    remarks: str | None = None
    individual_number: str | None = None
    foreign: ForeignResidentItems | None = None


class ResidenceCertificate(Record, tag="residence", frozen=True, kw_only=True):
    """Residence certificate (住民票の写し), 世帯連記式: 4 people a sheet."""

    address: str
    head_of_household: str | None
    whole_household: bool
    items: frozenset[ResidenceItem]
    people: tuple[ResidencePerson, ...]


class AmountLine(Record, frozen=True, kw_only=True):
    """One labelled amount of a tax certificate, whole yen; None prints 【空欄】."""

    label: str
    amount_yen: int | None


class TaxationCertificate(Record, tag="taxation", frozen=True, kw_only=True):
    """Taxation or non-taxation certificate (課税証明書 / 非課税証明書) of one fiscal year.

    taxed decides the title. amounts_withheld: a dependant who did not declare gets the statement that no tax was
    levied, without amounts, never ¥0.
    """

    fiscal_year: int
    taxed: bool
    amounts_withheld: bool
    name: str
    name_reading: str | None
    alias: str | None = None
    address_on_1_january: str
    born_on: date
    born_in_era: bool  # Japanese nationals' birth dates print in the era, others in the Western calendar
    incomes: tuple[AmountLine, ...] = ()
    totals: tuple[AmountLine, ...] = ()
    deductions: tuple[AmountLine, ...] = ()
    dependants: tuple[tuple[str, int], ...] = ()
    taxable_base_yen: int | None = None
    credits: tuple[AmountLine, ...] = ()
    city_income_based_yen: int | None = None
    city_per_capita_yen: int | None = None
    prefecture_income_based_yen: int | None = None
    prefecture_per_capita_yen: int | None = None
    forest_tax_yen: int | None = None
    annual_yen: int | None = None


Certificate = ResidenceCertificate | TaxationCertificate


class Certifier(Record, frozen=True, kw_only=True):
    """Who certifies: office, title and name, as decided by the date on the certificate."""

    municipality_code: str
    municipality_name: str
    title: str
    name: str
    specimen: bool  # prints 「見本」 over the page: invented municipalities only


class Issuance(Record, frozen=True, kw_only=True):
    """What one issue adds to the record: number, date, certifier and the printed ways to check it."""

    issue_number: str
    issued_on_jst: date
    certifier: Certifier
    check_code: str  # >= 80 bits in readable groups
    check_address: str  # the official page's address, to be typed
