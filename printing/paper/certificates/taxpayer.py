"""Whose tax certificate it is: the rows above the amounts."""

from __future__ import annotations

from datetime import date

from printing.paper.certificates import flow, sheet
from printing.paper.certificates.flow import Row
from printing.paper.era import era_year
from printing.paper.records import IncomeCertificate, TaxationCertificate, TaxPaymentCertificate

_LABEL_MM = 40.0


def january_label(fiscal_year: int) -> str:
    """Return the label of the address that decides who taxes: that of 1 January."""
    return f"住所({era_year(date(fiscal_year, 1, 1))}1月1日現在)"


def taxpayer_rows(
    record: IncomeCertificate | TaxationCertificate | TaxPaymentCertificate, address_label: str, address: str
) -> tuple[Row, ...]:
    """Return address, name, birth date and, where one is recorded, the alias.

    Errors: NoEra.
    """
    born_on = flow.date_text(record.born_on, in_era=record.born_in_era)
    rows = [
        flow.wide_row(address_label, address, "address", _LABEL_MM, 7.5),
        flow.name_row(record.name, record.name_reading, born_on, sheet.WIDTH_MM, _LABEL_MM),
    ]
    if record.alias is not None:
        rows.append(flow.wide_row("通称", record.alias, "alias", _LABEL_MM))
    return tuple(rows)
