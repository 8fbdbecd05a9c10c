"""The words of the certificates that differ by kind, by municipality and by date: rows, never branches.

A row holds from valid_from on, for one municipality or for all; a municipality's own row goes before the general one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from printing.paper.records import CertificateKind, Issuance

_ALWAYS = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class WordingRow:
    """What one kind says. notes stand under the table; part: the row for a certificate of some of the people.

    withheld: what stands in place of amounts; {year}, {city} and {prefecture} are filled in.
    """

    kind: CertificateKind
    statement: str
    notes: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    part: bool = False
    municipality_code: str | None = None
    valid_from: date = _ALWAYS


ROWS: tuple[WordingRow, ...] = (
    WordingRow(CertificateKind.RESIDENCE, "この写しは、世帯全員の住民票の原本と相違ないことを証明する。"),
    WordingRow(CertificateKind.RESIDENCE, "この写しは、住民票の原本と相違ないことを証明する。", part=True),
    WordingRow(
        CertificateKind.RESIDENCE_ITEMS,
        "上記の事項は、住民票に記載されている事項と相違ないことを証明する。",
    ),
    WordingRow(
        CertificateKind.SEAL_REGISTRATION,
        "この写しは、登録された印影と相違ないことを証明する。",
        notes=("印影は実物大である。左下の目盛りの長さが10mmでないものは、拡大又は縮小されたものである。",),
    ),
    WordingRow(CertificateKind.INCOME, "上記のとおり証明する。"),
    WordingRow(
        CertificateKind.TAXATION,
        "上記のとおり証明する。",
        withheld=(
            "上記の者には、{year}の{city}及び{prefecture}は課税されていない。",
            "被扶養者で申告がないため、所得及び控除の金額は証明しない。",
        ),
    ),
    WordingRow(
        CertificateKind.TAX_PAYMENT,
        "上記のとおり相違ないことを証明する。",
        notes=(
            "納付された税が収納の記録に載るまで、2週間から3週間を要する。",
            "収納確認日より後に納付された額は、納付済額に含まれない。",
        ),
    ),
    WordingRow(CertificateKind.FAMILY_REGISTER, "これは、戸籍に記録されている事項の全部を証明した書面である。"),
    WordingRow(
        CertificateKind.FAMILY_REGISTER_INDIVIDUAL,
        "これは、戸籍中の一部の者について記録されている事項の全部を証明した書面である。",
    ),
    WordingRow(CertificateKind.SUPPLEMENTARY_REGISTER, "この写しは、戸籍の附票の全部の原本と相違ないことを証明する。"),
    WordingRow(
        CertificateKind.SUPPLEMENTARY_REGISTER,
        "この写しは、戸籍の附票の一部の原本と相違ないことを証明する。",
        part=True,
    ),
)


def wording(
    kind: CertificateKind, issuance: Issuance, *, part: bool = False, rows: Iterable[WordingRow] = ROWS
) -> WordingRow:
    """Return the row in force for the certificate's municipality on its date.

    Errors: LookupError if there is none: the rows are ours, so that is a programmer's fault.
    """
    municipality_code = issuance.certifier.municipality_code
    fitting = [
        row
        for row in rows
        if row.kind is kind
        and row.part == part
        and row.municipality_code in {None, municipality_code}
        and row.valid_from <= issuance.issued_on_jst
    ]
    if not fitting:
        raise LookupError(f"{kind}: no wording on {issuance.issued_on_jst}")
    return max(fitting, key=lambda row: (row.municipality_code is not None, row.valid_from))


@dataclass(frozen=True, slots=True)
class TaxNames:
    """What the two local taxes on income are called where a certificate is issued: 市民税 and 県民税, ..."""

    city: str
    prefecture: str


# By the last letter of the municipality's name, and by its prefecture, the code's first two digits.
# Source: 地方税法 1条2項, 734条, 736条.
_CITY_TAXES: Mapping[str, str] = {"市": "市民税", "町": "町民税", "村": "村民税", "区": "特別区民税"}
_PREFECTURE_TAXES: Mapping[str, str] = {"01": "道民税", "13": "都民税", "26": "府民税", "27": "府民税"}


def tax_names(issuance: Issuance) -> TaxNames:
    """Return the taxes' names in the certificate's municipality."""
    certifier = issuance.certifier
    return TaxNames(
        city=_CITY_TAXES.get(certifier.municipality_name[-1:], "市町村民税"),
        prefecture=_PREFECTURE_TAXES.get(certifier.municipality_code[:2], "県民税"),
    )
