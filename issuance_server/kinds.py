"""The kinds of documents as one table: what register they come from, for whom, and what may be chosen.

Beside it a municipality's settings can only take away: what this table does not allow is offered nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from printing.paper.records import CertificateKind, ResidenceItem, StatedItem, SupplementaryItem
from protocol.messages import Scope


class Source(StrEnum):
    """Which of a municipality's registers a document comes from."""

    RESIDENT_REGISTER = "resident_register"
    SEAL_REGISTER = "seal_register"
    TAX_RECORDS = "tax_records"
    FAMILY_REGISTER = "family_register"


@dataclass(frozen=True, slots=True)
class KindRow:
    """One kind.

    Shape: title as it stands in a list of offers; least_age: whatever a municipality decides; default_items are on
    when nothing is chosen.
    """

    title: str
    source: Source
    scopes: tuple[Scope, ...]
    items: tuple[str, ...] = ()
    default_items: tuple[str, ...] = ()
    least_items: int = 0
    least_age: int = 0


_SELF: Final = (Scope.SELF,)
_ANY: Final = (Scope.SELF, Scope.MEMBERS, Scope.HOUSEHOLD)

KINDS: Final[Mapping[CertificateKind, KindRow]] = {
    CertificateKind.RESIDENCE: KindRow("住民票の写し", Source.RESIDENT_REGISTER, _ANY, tuple(ResidenceItem)),
    CertificateKind.RESIDENCE_ITEMS: KindRow(
        "住民票記載事項証明書",
        Source.RESIDENT_REGISTER,
        _ANY,
        tuple(StatedItem),
        default_items=(StatedItem.ADDRESS,),
        least_items=1,
    ),
    CertificateKind.SEAL_REGISTRATION: KindRow("印鑑登録証明書", Source.SEAL_REGISTER, _SELF, least_age=15),
    CertificateKind.INCOME: KindRow("所得証明書", Source.TAX_RECORDS, _SELF),
    CertificateKind.TAXATION: KindRow("課税証明書・非課税証明書", Source.TAX_RECORDS, _SELF),
    CertificateKind.TAX_PAYMENT: KindRow("納税証明書", Source.TAX_RECORDS, _SELF),
    CertificateKind.FAMILY_REGISTER: KindRow("戸籍全部事項証明書", Source.FAMILY_REGISTER, (Scope.HOUSEHOLD,)),
    CertificateKind.FAMILY_REGISTER_INDIVIDUAL: KindRow(
        "戸籍個人事項証明書", Source.FAMILY_REGISTER, (Scope.SELF, Scope.MEMBERS)
    ),
    CertificateKind.SUPPLEMENTARY_REGISTER: KindRow(
        "戸籍の附票の写し", Source.FAMILY_REGISTER, _ANY, tuple(SupplementaryItem)
    ),
}


_BY_WORD: Final = {kind.value: row for kind, row in KINDS.items()}


def row_of(kind: str) -> KindRow | None:
    """Return a kind's row, or None where the word is no kind."""
    return _BY_WORD.get(kind)


def by_fiscal_year(kind: str) -> bool:
    """Whether a kind is of one fiscal year."""
    row = row_of(kind)
    return row is not None and row.source is Source.TAX_RECORDS
