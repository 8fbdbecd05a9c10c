"""Tax payment certificate (納税証明書) of one fiscal year: a line a tax with levied, paid, unpaid."""

from __future__ import annotations

from datetime import date

from printing.paper.certificates import flow
from printing.paper.certificates.flow import Band, Block, Cell, Flow, Row
from printing.paper.certificates.sheet import SheetWords
from printing.paper.certificates.tax_layout import check_labels
from printing.paper.certificates.taxpayer import taxpayer_rows
from printing.paper.certificates.wording import wording
from printing.paper.era import era_date, era_year
from printing.paper.errors import InconsistentRecord, ValueTooLong
from printing.paper.fitting import Align
from printing.paper.page import Document
from printing.paper.records import CertificateKind, Issuance, TaxPaymentCertificate, TaxPaymentLine

TITLE = "納税証明書"

_LABEL_MM = 40.0
_TAX_MM = 60.0
_COLUMNS = (("課税額", "levied_yen"), ("納付済額", "paid_yen"), ("未納額", "unpaid_yen"))
_AMOUNT_MM = 40.0


def sheets(_record: TaxPaymentCertificate) -> int:
    """Return the number of sheets."""
    return 1


def title(_record: TaxPaymentCertificate) -> str:
    """Return the document's title."""
    return TITLE


def check(record: TaxPaymentCertificate) -> None:
    """Refuse a record without a tax, or whose amounts do not add up.

    Errors: InconsistentRecord, UnknownFiscalYear.
    """
    check_labels(record.fiscal_year, "lines", (line.tax for line in record.lines))
    if not record.lines:
        raise InconsistentRecord("lines", "a tax payment certificate states at least one tax")
    for line in record.lines:
        amounts = (line.levied_yen, line.paid_yen, line.unpaid_yen)
        if any(amount is not None and amount < 0 for amount in amounts):
            raise InconsistentRecord("lines", "no amount is below zero")
        levied, paid, unpaid = amounts
        if levied is not None and paid is not None and unpaid is not None and levied != paid + unpaid:
            raise InconsistentRecord("lines", "levied is what is paid and what is unpaid")


def draw(document: Document, record: TaxPaymentCertificate, issuance: Issuance, seal_text: str) -> None:
    """Draw all sheets of a checked record.

    Errors: ValueTooLong, UndrawableText, NoEra.
    """
    row = wording(CertificateKind.TAX_PAYMENT, issuance)
    words = SheetWords(TITLE, f"{era_year(date(record.fiscal_year, 4, 1))}度", row.statement)
    body = _flow(record, row.notes)
    if flow.sheets(body) > 1:
        raise ValueTooLong("lines")  # whose amounts they are stands at the head of one sheet
    flow.draw(document, body, words, issuance, seal_text)


def _flow(record: TaxPaymentCertificate, notes: tuple[str, ...]) -> Flow:
    confirmed = flow.wide_row("収納確認日", era_date(record.confirmed_until), "confirmed_until", _LABEL_MM)
    header = (*taxpayer_rows(record, "住所", record.address), confirmed)
    head = flow.heading_row(("税目", _TAX_MM), *((label, _AMOUNT_MM) for label, _item in _COLUMNS))
    return Flow(header, (Block((Band((head, *map(_row, record.lines))),), "税目"),), notes)


def _row(line: TaxPaymentLine) -> Row:
    amounts = (
        Cell("", flow.yen(getattr(line, item)), item, 0.0, _AMOUNT_MM, align=Align.RIGHT, size_pt=10.5)
        for _label, item in _COLUMNS
    )
    return Row((Cell("", line.tax, "tax", 0.0, _TAX_MM, size_pt=10.5), *amounts), 7.5)
