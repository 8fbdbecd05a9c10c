"""What a certificate says: typed records, the only thing the fronts are drawn from.

A value of None is "not recorded" and prints 【空欄】. An optional item that was not chosen prints 【省略】; its
value is not in the record at all, so that what was not asked for cannot be printed by mistake; a record that has it
nevertheless is refused. The Individual Number is chosen person by person: of whom it was not, it is None and 【省略】.
Sources: 住民基本台帳法 articles 7 and 30-45; the items' names are the field's English terms (README, glossary).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

STANDARD_SCREEN = "standard"  # the latent pattern of a printing model that was not calibrated


class CertificateKind(StrEnum):
    """The documents; the values are the words on the wire, in journals and in settings."""

    RESIDENCE = "residence"
    RESIDENCE_ITEMS = "residence_items"
    SEAL_REGISTRATION = "seal_registration"
    INCOME = "income"
    TAXATION = "taxation"
    TAX_PAYMENT = "tax_payment"
    FAMILY_REGISTER = "family_register"
    FAMILY_REGISTER_INDIVIDUAL = "family_register_individual"
    SUPPLEMENTARY_REGISTER = "supplementary_register"


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


class StatedItem(StrEnum):
    """Items of a residence item certificate: beside name and birth date, only those chosen have a row at all."""

    ADDRESS = "address"  # 住所
    HEAD_OF_HOUSEHOLD = "head_of_household"  # 世帯主
    SEX = "sex"  # 性別
    RELATIONSHIP = "relationship"  # 続柄
    RESIDENT_SINCE = "resident_since"  # 住民となった年月日, 外国人住民となった年月日
    ADDRESS_SINCE = "address_since"  # 住所を定めた年月日
    NOTIFIED_ON = "notified_on"  # 届出日
    MOVED_IN_FROM = "moved_in_from"  # 転入前住所
    PREVIOUS_ADDRESS = "previous_address"  # 異動前住所
    DOMICILE = "domicile"  # 本籍・筆頭者
    NATIONALITY = "nationality"  # 国籍・地域
    STATUS = "status"  # 30条の45の区分, 在留資格, 在留期間, 満了日
    CARD_NUMBER = "card_number"  # 在留カード番号
    ALIAS_HISTORY = "alias_history"  # 通称の記載と削除
    REMARKS = "remarks"  # 備考
    INDIVIDUAL_NUMBER = "individual_number"  # 個人番号, default off


class SupplementaryItem(StrEnum):
    """Items of a copy of the supplementary family register that print only when chosen."""

    DOMICILE = "domicile"  # registered domicile and its head (本籍・筆頭者)
    OVERSEAS_VOTER = "overseas_voter"  # entry in a register of overseas voters (在外選挙人)


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
    sex: str | None
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
    flat_rate_reduction_yen: int | None = None  # 定額減税, fiscal years 2024 and 2025
    city_income_based_yen: int | None = None
    city_per_capita_yen: int | None = None
    prefecture_income_based_yen: int | None = None
    prefecture_per_capita_yen: int | None = None
    forest_tax_yen: int | None = None
    annual_yen: int | None = None


class StatedPerson(Record, frozen=True, kw_only=True):
    """One person on a residence item certificate; what was not asked for is None, and has no row."""

    name: str
    name_reading: str | None = None
    former_surname: str | None = None  # always prints if recorded
    former_surname_reading: str | None = None
    alias: str | None = None  # always prints if recorded
    kanji_name: str | None = None  # beside the name in Latin letters, on request
    foreign: bool = False
    born_on: date
    sex: str | None = None
    relationship: str | None = None
    resident_since: date | None = None
    address_since: date | None = None
    notified_on: date | None = None
    moved_in_from: str | None = None
    previous_address: str | None = None
    domicile: str | None = None
    domicile_head: str | None = None
    nationality: str | None = None
    category: str | None = None
    status: str | None = None
    period: str | None = None
    expires_on: date | None = None
    card_number: str | None = None
    alias_history: tuple[str, ...] = ()
    remarks: str | None = None
    individual_number: str | None = None


class ResidenceItemCertificate(Record, tag="residence_items", frozen=True, kw_only=True):
    """Residence item certificate (住民票記載事項証明書): only the items asked for.

    Name and birth date always stand there: a name alone says of nobody who it is.
    """

    address: str | None
    head_of_household: str | None
    items: frozenset[StatedItem]
    people: tuple[StatedPerson, ...]


class SealRegistrationCertificate(Record, tag="seal_registration", frozen=True, kw_only=True):
    """Seal registration certificate (印鑑登録証明書).

    image_png: one bit a pixel, and its resolution in it, from which comes the size on the paper. largest_mm: the side
    of the square that a registered seal must go into by the municipality's rules.
    """

    name: str
    former_surname: str | None = None  # printed without its reading
    alias: str | None = None
    born_on: date
    born_in_era: bool
    address: str
    image_png: bytes
    largest_mm: float = 25.0


class IncomeCertificate(Record, tag="income", frozen=True, kw_only=True):
    """Income certificate (所得証明書) of one fiscal year."""

    fiscal_year: int
    name: str
    name_reading: str | None
    alias: str | None = None
    address_on_1_january: str
    born_on: date
    born_in_era: bool
    incomes: tuple[AmountLine, ...] = ()
    totals: tuple[AmountLine, ...] = ()


class TaxPaymentLine(Record, frozen=True, kw_only=True):
    """One tax: levied, paid, unpaid; whole yen, None prints 【空欄】."""

    tax: str
    levied_yen: int | None
    paid_yen: int | None
    unpaid_yen: int | None


class TaxPaymentCertificate(Record, tag="tax_payment", frozen=True, kw_only=True):
    """Tax payment certificate (納税証明書) of one fiscal year.

    confirmed_until: the last day whose payments are in it.
    """

    fiscal_year: int
    name: str
    name_reading: str | None
    alias: str | None = None
    address: str
    born_on: date
    born_in_era: bool
    confirmed_until: date
    lines: tuple[TaxPaymentLine, ...]


class MatterEntry(Record, frozen=True, kw_only=True):
    """One line of a matter, in the register's own words: 出生日, 届出人, ..."""

    label: str
    value: str | None


class Matter(Record, frozen=True, kw_only=True):
    """A matter of the register (戸籍編製, ...) or of a person's status (出生, 婚姻, ...)."""

    title: str
    entries: tuple[MatterEntry, ...]


class AdoptiveParents(Record, frozen=True, kw_only=True):
    """Adoptive parents and the relationship to them (養子, 養女)."""

    father: str | None
    mother: str | None
    relationship: str


class RegisteredPerson(Record, frozen=True, kw_only=True):
    """One person in a family register; the surname is the register's."""

    given_name: str
    given_name_reading: str | None = None
    born_on: date
    spouse: str | None = None  # 配偶者区分: 夫 or 妻; who is not married has no such item
    father: str | None
    mother: str | None
    relationship: str | None  # 続柄 to the parents: 長男, 二女, ...
    adoptive: AdoptiveParents | None = None
    removed: bool = False  # 除籍
    matters: tuple[Matter, ...] = ()


class FamilyRegister(Record, frozen=True, kw_only=True):
    """What both family register certificates say."""

    domicile: str
    surname: str
    surname_reading: str | None = None
    head_given_name: str
    matters: tuple[Matter, ...] = ()
    people: tuple[RegisteredPerson, ...]


class FamilyRegisterCertificate(FamilyRegister, tag="family_register", frozen=True, kw_only=True):
    """Family register certificate, full (戸籍全部事項証明書): everybody in the register."""


class FamilyRegisterIndividualCertificate(FamilyRegister, tag="family_register_individual", frozen=True, kw_only=True):
    """Family register certificate, individual (戸籍個人事項証明書): everything about some of the people in it."""


class DatedAddress(Record, frozen=True, kw_only=True):
    """An address and the date on which it was taken up (住所を定めた年月日)."""

    address: str
    since: date | None


class SupplementaryPerson(Record, frozen=True, kw_only=True):
    """One person in a supplementary family register; sex stands there only since 2022-01-11."""

    name: str
    name_reading: str | None = None
    born_on: date | None
    sex: str | None
    removed_on: date | None = None
    addresses: tuple[DatedAddress, ...]  # the oldest first
    overseas_voter: str | None = None


class SupplementaryRegisterCopy(Record, tag="supplementary_register", frozen=True, kw_only=True):
    """Copy of the supplementary family register (戸籍の附票の写し): where people of one register have lived."""

    domicile: str | None
    domicile_head: str | None
    everybody: bool  # decides the statement
    items: frozenset[SupplementaryItem]
    people: tuple[SupplementaryPerson, ...]


Certificate = (
    ResidenceCertificate
    | ResidenceItemCertificate
    | SealRegistrationCertificate
    | IncomeCertificate
    | TaxationCertificate
    | TaxPaymentCertificate
    | FamilyRegisterCertificate
    | FamilyRegisterIndividualCertificate
    | SupplementaryRegisterCopy
)


def kind_of(record: Certificate) -> CertificateKind:
    """Return a record's kind: its tag is the kind's word."""
    return CertificateKind(str(record.__struct_config__.tag))


def printed_names(record: Certificate) -> tuple[str, ...]:
    """Return the names printed as 氏名, in order; a family register's people all have its surname."""
    if isinstance(record, FamilyRegister):
        return tuple(f"{record.surname} {person.given_name}" for person in record.people)
    if isinstance(record, ResidenceCertificate | ResidenceItemCertificate | SupplementaryRegisterCopy):
        return tuple(person.name for person in record.people)
    return (record.name,)


class Contact(Record, frozen=True, kw_only=True):
    """Whom a receiver may ask about a paper: an office (担当課) and its telephone number, as both are printed."""

    office: str
    telephone: str


class Certifier(Record, frozen=True, kw_only=True):
    """Who certifies: office, title, name and seal, as decided by the date on the certificate.

    seal_png: the municipal seal (電子公印), one bit a pixel, and its resolution in it, from which comes its size.
    contact: None = the back sends nobody anywhere with questions.
    """

    municipality_code: str
    municipality_name: str
    office: str
    title: str
    name: str
    seal_png: bytes
    specimen: bool  # prints 「見本」 on every side: invented municipalities only
    contact: Contact | None = None


class Issuance(Record, frozen=True, kw_only=True):
    """What one issue adds to the record: number, date, certifier and the printed ways to check it."""

    issue_number: str
    issued_on_jst: date
    certifier: Certifier
    check_code: str  # >= 80 bits in readable groups
    check_address: str  # the official page's address, to be typed
    latent_screen: str = STANDARD_SCREEN  # which of latent_screens.json the printing model was calibrated to


class Back(Record, frozen=True, kw_only=True):
    """What the back of a paper depends on: the same for every paper of its issuer."""

    municipality_name: str
    check_address: str
    specimen: bool
    latent_screen: str = STANDARD_SCREEN
    contact: Contact | None = None


def back_of(issuance: Issuance) -> Back:
    """Return what the backs of an issue's papers depend on."""
    certifier = issuance.certifier
    return Back(
        municipality_name=certifier.municipality_name,
        check_address=issuance.check_address,
        specimen=certifier.specimen,
        latent_screen=issuance.latent_screen,
        contact=certifier.contact,
    )
