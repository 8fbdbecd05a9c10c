"""Taxation and non-taxation certificate (課税証明書 / 非課税証明書) of one fiscal year, one sheet."""

from __future__ import annotations

from printing.paper.certificates import flow, sheet
from printing.paper.certificates.sheet import EMPTY, SheetWords
from printing.paper.certificates.tax_layout import TaxLine, check_amounts, check_labels, layout_of
from printing.paper.certificates.taxpayer import january_label, taxpayer_rows
from printing.paper.certificates.wording import TaxNames, tax_names, wording
from printing.paper.era import fiscal_year_words
from printing.paper.errors import InconsistentRecord, ValueTooLong
from printing.paper.fitting import Align, Box
from printing.paper.page import Document
from printing.paper.records import AmountLine, CertificateKind, Issuance, TaxationCertificate

TITLE_TAXED = "課税証明書"
TITLE_UNTAXED = "非課税証明書"

_ROW_MM = 6.0
_TABLE_GAP_MM = 3.0
_END_MM = sheet.FOOT_TOP_MM - 5.0  # below the longer column stands that nothing follows
_LABEL_MM = 44.0
_GAP_MM = _TABLE_GAP_MM
_COLUMN_MM = (sheet.WIDTH_MM - _GAP_MM) / 2


def sheets(_record: TaxationCertificate) -> int:
    """Return the number of sheets."""
    return 1


def title(record: TaxationCertificate) -> str:
    """Return the document's title: decided by whether tax was levied."""
    return TITLE_TAXED if record.taxed else TITLE_UNTAXED


def check(record: TaxationCertificate) -> None:
    """Refuse a record that contradicts itself.

    Errors: InconsistentRecord, UnknownFiscalYear.
    """
    check_amounts(record.fiscal_year, record)
    for item in ("incomes", "totals", "deductions", "credits"):
        check_labels(record.fiscal_year, item, (line.label for line in getattr(record, item)))
    if record.amounts_withheld and record.taxed:
        raise InconsistentRecord("amounts_withheld", "only of a person on whom no tax was levied")
    if record.amounts_withheld and _has_amounts(record):
        raise InconsistentRecord("amounts_withheld", "amounts are in the record although they are withheld")
    if not record.amounts_withheld and record.taxed != bool(record.annual_yen):
        raise InconsistentRecord("taxed", "the annual amount says otherwise")


def draw(document: Document, record: TaxationCertificate, issuance: Issuance, seal_text: str) -> None:
    """Draw the sheet of a checked record.

    Errors: ValueTooLong, UndrawableText, NoEra.
    """
    row, names = wording(CertificateKind.TAXATION, issuance), tax_names(issuance)
    words = SheetWords(title(record), fiscal_year_words(record.fiscal_year), row.statement)
    sheet.draw_head(document, words, issuance)
    below_mm = _draw_person(document, record) + _TABLE_GAP_MM
    if record.amounts_withheld:
        end_mm = _draw_withheld(document, record, row.withheld, names, below_mm)
    else:
        end_mm = _draw_amounts(document, record, names, below_mm)
    flow.draw_end(document, row.notes, end_mm)
    sheet.finish_sheet(document, words, issuance, seal_text, number=1, total=1)


def _has_amounts(record: TaxationCertificate) -> bool:
    lists = (record.incomes, record.totals, record.deductions, record.dependants, record.credits)
    return any(lists) or any(getattr(record, line.item) is not None for line in layout_of(record.fiscal_year).lines)


def _draw_person(document: Document, record: TaxationCertificate) -> float:
    """Draw whose certificate it is; return where the table ends."""
    rows = taxpayer_rows(record, january_label(record.fiscal_year), record.address_on_1_january)
    end_mm = flow.draw_rows(document, rows, sheet.BODY_TOP_MM, sheet.LEFT_MM)
    document.frame(Box(sheet.LEFT_MM, sheet.BODY_TOP_MM, sheet.WIDTH_MM, end_mm - sheet.BODY_TOP_MM), sheet.BORDER_PT)
    return end_mm


def _draw_withheld(
    document: Document, record: TaxationCertificate, lines: tuple[str, ...], names: TaxNames, top_mm: float
) -> float:
    """A dependant who did not declare: that no tax was levied, and no amount, never ¥0. Return where it ends."""
    year = fiscal_year_words(record.fiscal_year)
    for number, line in enumerate(lines):
        words = line.format(year=year, city=names.city, prefecture=names.prefecture)
        document.text(document.fonts.labels, words, sheet.LEFT_MM, top_mm + 5.0 + 7.0 * number, 10.0)
    return top_mm + 5.0 + 7.0 * len(lines)


def _draw_amounts(document: Document, record: TaxationCertificate, names: TaxNames, top_mm: float) -> float:
    layout = layout_of(record.fiscal_year)
    left_mm = sheet.LEFT_MM
    right_mm = sheet.LEFT_MM + _COLUMN_MM + _GAP_MM
    y_mm = _table(document, "収入・所得の内訳", _amounts("incomes", record.incomes), left_mm, top_mm)
    y_mm = _table(document, "所得の合計", _amounts("totals", record.totals), left_mm, y_mm)
    dependants = [("dependants", label, f"{count}人") for label, count in record.dependants]
    y_mm = _table(document, "扶養の内訳", dependants, left_mm, y_mm)
    _fits(y_mm, "incomes")
    left_end_mm = y_mm
    y_mm = _table(document, "所得控除の内訳", _amounts("deductions", record.deductions), right_mm, top_mm)
    base, reductions = (_lines(record, lines, names) for lines in (layout.base, layout.reductions))
    y_mm = _table(
        document, "課税標準額・税額控除", [*base, *_amounts("credits", record.credits), *reductions], right_mm, y_mm
    )
    y_mm = _table(document, "税額", _lines(record, layout.taxes, names), right_mm, y_mm)
    _fits(y_mm, "deductions")
    return max(left_end_mm, y_mm) - _TABLE_GAP_MM


def _lines(record: TaxationCertificate, lines: tuple[TaxLine, ...], names: TaxNames) -> list[tuple[str, str, str]]:
    return [
        (
            line.item,
            line.label.format(city=names.city, prefecture=names.prefecture),
            flow.yen(getattr(record, line.item)),
        )
        for line in lines
    ]


def _amounts(item: str, lines: tuple[AmountLine, ...]) -> list[tuple[str, str, str]]:
    return [(item, line.label, flow.yen(line.amount_yen)) for line in lines]


def _table(document: Document, heading: str, lines: list[tuple[str, str, str]], left_mm: float, top_mm: float) -> float:
    """Draw a heading and its lines; return where the next table begins. A part without lines says 【空欄】."""
    box = Box(left_mm, top_mm, _COLUMN_MM, _ROW_MM * (1 + max(1, len(lines))))
    heading_box = Box(left_mm, top_mm, _COLUMN_MM, _ROW_MM)
    document.frame(heading_box, sheet.RULE_PT)
    document.label(heading, heading_box, 8.5)
    if not lines:
        document.value(EMPTY, box._replace(top_mm=top_mm + _ROW_MM, height_mm=_ROW_MM), 10.0, heading)
    for number, (item, label, value) in enumerate(lines):
        y_mm = top_mm + (number + 1) * _ROW_MM
        label_box = Box(left_mm, y_mm, _LABEL_MM, _ROW_MM)
        value_box = Box(left_mm + _LABEL_MM, y_mm, _COLUMN_MM - _LABEL_MM, _ROW_MM)
        document.frame(label_box, sheet.RULE_PT)
        document.frame(value_box, sheet.RULE_PT)
        document.value(label, label_box, 8.5, item)
        document.value(value, value_box, 10.0, item, align=Align.RIGHT, padding_mm=2.0)
    document.frame(box, sheet.BORDER_PT)
    return top_mm + box.height_mm + _TABLE_GAP_MM


def _fits(end_mm: float, item: str) -> None:
    if end_mm > _END_MM:
        raise ValueTooLong(item)
