"""Income certificate (所得証明書) of one fiscal year: incomes by kind and totals, in the register's words."""

from __future__ import annotations

from printing.paper.certificates import flow, sheet
from printing.paper.certificates.flow import Band, Block, Cell, Flow, Row
from printing.paper.certificates.sheet import SheetWords
from printing.paper.certificates.tax_layout import check_labels
from printing.paper.certificates.taxpayer import january_label, taxpayer_rows
from printing.paper.certificates.wording import wording
from printing.paper.era import fiscal_year_words
from printing.paper.errors import InconsistentRecord, ValueTooLong
from printing.paper.fitting import Align
from printing.paper.page import Document
from printing.paper.records import AmountLine, CertificateKind, IncomeCertificate, Issuance

TITLE = "所得証明書"

_LABEL_MM, _AMOUNT_MM = 110.0, 70.0


def sheets(_record: IncomeCertificate) -> int:
    """Return the number of sheets."""
    return 1


def title(_record: IncomeCertificate) -> str:
    """Return the document's title."""
    return TITLE


def check(record: IncomeCertificate) -> None:
    """Refuse a record that says nothing of any income.

    Errors: InconsistentRecord, UnknownFiscalYear.
    """
    for item in ("incomes", "totals"):
        check_labels(record.fiscal_year, item, (line.label for line in getattr(record, item)))
    if not record.incomes and not record.totals:
        raise InconsistentRecord("incomes", "an income certificate states at least one amount")


def draw(document: Document, record: IncomeCertificate, issuance: Issuance, seal_text: str) -> None:
    """Draw all sheets of a checked record.

    Errors: ValueTooLong, UndrawableText, NoEra.
    """
    row = wording(CertificateKind.INCOME, issuance)
    words = SheetWords(TITLE, fiscal_year_words(record.fiscal_year), row.statement)
    body = _flow(record, row.notes)
    if flow.sheets(body) > 1:
        raise ValueTooLong("incomes")  # whose amounts they are stands at the head of one sheet
    flow.draw(document, body, words, issuance, seal_text)


def _flow(record: IncomeCertificate, notes: tuple[str, ...]) -> Flow:
    header = taxpayer_rows(record, january_label(record.fiscal_year), record.address_on_1_january)
    tables = (("収入・所得の内訳", "incomes", record.incomes), ("所得の合計", "totals", record.totals))
    return Flow(header, tuple(_block(*table) for table in tables), notes)


def _block(heading: str, item: str, lines: tuple[AmountLine, ...]) -> Block:
    """A part without lines says 【空欄】."""
    empty = Row((Cell("", sheet.EMPTY, item, 0.0, _LABEL_MM + _AMOUNT_MM, size_pt=10.5),))
    rows = [_row(item, line.label, flow.yen(line.amount_yen)) for line in lines] or [empty]
    head = flow.heading_row((heading, _LABEL_MM), ("金額", _AMOUNT_MM))
    return Block((Band((head, *rows)),), heading)


def _row(item: str, label: str, amount: str) -> Row:
    return Row(
        (
            Cell("", label, item, 0.0, _LABEL_MM, size_pt=10.5),
            Cell("", amount, item, 0.0, _AMOUNT_MM, align=Align.RIGHT, size_pt=10.5),
        )
    )
