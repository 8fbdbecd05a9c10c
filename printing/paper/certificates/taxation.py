"""Taxation and non-taxation certificate (課税証明書 / 非課税証明書) of one fiscal year, one sheet."""

from __future__ import annotations

from datetime import date

from printing.paper.certificates import sheet
from printing.paper.certificates.sheet import EMPTY, SheetWords
from printing.paper.era import era_date, era_year, fiscal_year_words, western_date
from printing.paper.errors import InconsistentRecord, ValueTooLong
from printing.paper.page import Align, Box, Document
from printing.paper.records import AmountLine, Issuance, TaxationCertificate

TITLE_TAXED = "課税証明書"
TITLE_UNTAXED = "非課税証明書"
FOREST_TAX_SINCE = 2024  # 森林環境税 is levied from 令和6年度 on

_STATEMENT = "上記のとおり証明する。"
_ROW_MM = 6.0
_HEAD_ROW_MM = 7.0
_LABEL_MM = 44.0
_COLUMN_MM = 88.0
_GAP_MM = sheet.WIDTH_MM - 2 * _COLUMN_MM


def sheets(_record: TaxationCertificate) -> int:
    """Return the number of sheets."""
    return 1


def title(record: TaxationCertificate) -> str:
    """Return the document's title: decided by whether tax was levied."""
    return TITLE_TAXED if record.taxed else TITLE_UNTAXED


def check(record: TaxationCertificate) -> None:
    """Refuse a record that contradicts itself.

    Errors: InconsistentRecord.
    """
    if record.amounts_withheld and record.taxed:
        raise InconsistentRecord("amounts_withheld", "only of a person on whom no tax was levied")
    if record.amounts_withheld and _has_amounts(record):
        raise InconsistentRecord("amounts_withheld", "amounts are in the record although they are withheld")
    if not record.amounts_withheld and record.taxed != bool(record.annual_yen):
        raise InconsistentRecord("taxed", "the annual amount says otherwise")
    if record.forest_tax_yen is not None and record.fiscal_year < FOREST_TAX_SINCE:
        raise InconsistentRecord("forest_tax_yen", "not levied in that fiscal year")


def draw(document: Document, record: TaxationCertificate, issuance: Issuance, seal_text: str) -> None:
    """Draw the sheet of a checked record.

    Errors: ValueTooLong, UndrawableText, NoEra.
    """
    words = SheetWords(title=title(record), subtitle=fiscal_year_words(record.fiscal_year), statement=_STATEMENT)
    sheet.draw_head(document, words, issuance)
    below_mm = _draw_person(document, record) + 4.0
    if record.amounts_withheld:
        _draw_withheld(document, record, below_mm)
    else:
        _draw_amounts(document, record, below_mm)
    sheet.finish_sheet(document, words, issuance, seal_text, number=1, total=1)


def _has_amounts(record: TaxationCertificate) -> bool:
    lists = (record.incomes, record.totals, record.deductions, record.dependants, record.credits)
    return any(lists) or any(line.amount_yen is not None for _item, line in _tax_lines(record))


def _draw_person(document: Document, record: TaxationCertificate) -> float:
    """Draw whose certificate it is; return where the table ends."""
    born_on = era_date(record.born_on) if record.born_in_era else western_date(record.born_on)
    rows = [
        (f"住所({era_year(date(record.fiscal_year, 1, 1))}1月1日現在)", record.address_on_1_january, "address"),
        ("氏名", record.name, "name"),
        ("生年月日", born_on, "born_on"),
    ]
    if record.alias is not None:
        rows.append(("通称", record.alias, "alias"))
    top_mm = y_mm = sheet.BODY_TOP_MM
    width_mm = sheet.WIDTH_MM - _LABEL_MM
    name_box = Box(sheet.LEFT_MM, top_mm + _HEAD_ROW_MM, _LABEL_MM, sheet.NAME_ROW_MM)
    for label, value, item in rows:
        if item == "name":
            sheet.name_cell(document, name_box, value, width_mm, below_reading=bool(record.name_reading))
            y_mm += sheet.NAME_ROW_MM
        else:
            label_box = Box(sheet.LEFT_MM, y_mm, _LABEL_MM, _HEAD_ROW_MM)
            sheet.cell(document, label, label_box, value, width_mm, item=item, size_pt=10.5)
            y_mm += _HEAD_ROW_MM
    if record.name_reading:
        sheet.name_reading(document, name_box, record.name_reading, width_mm)
    document.frame(Box(sheet.LEFT_MM, top_mm, sheet.WIDTH_MM, y_mm - top_mm), sheet.BORDER_PT)
    return y_mm


def _draw_withheld(document: Document, record: TaxationCertificate, top_mm: float) -> None:
    """A dependant who did not declare: that no tax was levied, and no amount, never ¥0."""
    lines = (
        f"上記の者には、{fiscal_year_words(record.fiscal_year)}の市町村民税・都道府県民税は課税されていません。",
        "被扶養者で申告がないため、所得および控除の金額は証明しません。",
    )
    for number, line in enumerate(lines):
        document.text(document.fonts.labels, line, sheet.LEFT_MM + 2.0, top_mm + 5.0 + 7.0 * number, 10.0)


def _draw_amounts(document: Document, record: TaxationCertificate, top_mm: float) -> None:
    left_mm = sheet.LEFT_MM
    right_mm = sheet.LEFT_MM + _COLUMN_MM + _GAP_MM
    y_mm = _table(document, "収入・所得の内訳", _amounts("incomes", record.incomes), left_mm, top_mm)
    y_mm = _table(document, "所得の合計", _amounts("totals", record.totals), left_mm, y_mm)
    dependants = [("dependants", label, f"{count}人") for label, count in record.dependants]
    y_mm = _table(document, "扶養の内訳", dependants, left_mm, y_mm)
    _fits(y_mm, "incomes")
    y_mm = _table(document, "所得控除の内訳", _amounts("deductions", record.deductions), right_mm, top_mm)
    lines = _tax_lines(record)
    base = [(item, line.label, _yen(line.amount_yen)) for item, line in lines[:1]]
    y_mm = _table(document, "課税標準額・税額控除", [*base, *_amounts("credits", record.credits)], right_mm, y_mm)
    taxes = [(item, line.label, _yen(line.amount_yen)) for item, line in lines[1:]]
    y_mm = _table(document, "税額", taxes, right_mm, y_mm)
    _fits(y_mm, "deductions")


def _tax_lines(record: TaxationCertificate) -> tuple[tuple[str, AmountLine], ...]:
    """The single amounts with their labels, the taxable base first; the forest tax only in years that have it."""
    lines = [
        ("taxable_base_yen", "課税標準額"),
        ("city_income_based_yen", "市町村民税 所得割"),
        ("city_per_capita_yen", "市町村民税 均等割"),
        ("prefecture_income_based_yen", "都道府県民税 所得割"),
        ("prefecture_per_capita_yen", "都道府県民税 均等割"),
        ("forest_tax_yen", "森林環境税"),
        ("annual_yen", "年税額"),
    ]
    return tuple(
        (item, AmountLine(label=label, amount_yen=getattr(record, item)))
        for item, label in lines
        if item != "forest_tax_yen" or record.fiscal_year >= FOREST_TAX_SINCE
    )


def _amounts(item: str, lines: tuple[AmountLine, ...]) -> list[tuple[str, str, str]]:
    return [(item, line.label, _yen(line.amount_yen)) for line in lines]


def _yen(amount_yen: int | None) -> str:
    return EMPTY if amount_yen is None else f"{amount_yen:,}円"


def _table(document: Document, heading: str, lines: list[tuple[str, str, str]], left_mm: float, top_mm: float) -> float:
    """Draw a heading and its lines; return where the next table begins. A part without lines says 【空欄】."""
    box = Box(left_mm, top_mm, _COLUMN_MM, _ROW_MM * (1 + max(1, len(lines))))
    heading_box = Box(left_mm, top_mm, _COLUMN_MM, _ROW_MM)
    document.frame(heading_box, sheet.RULE_PT)
    document.label(heading, heading_box, 8.5)
    for number, (item, label, value) in enumerate(lines or [(heading, "", EMPTY)]):
        y_mm = top_mm + (number + 1) * _ROW_MM
        label_box = Box(left_mm, y_mm, _LABEL_MM, _ROW_MM)
        value_box = Box(left_mm + _LABEL_MM, y_mm, _COLUMN_MM - _LABEL_MM, _ROW_MM)
        document.frame(label_box, sheet.RULE_PT)
        document.frame(value_box, sheet.RULE_PT)
        document.value(label, label_box, 8.5, item)
        document.value(value, value_box, 10.0, item, align=Align.RIGHT, padding_mm=2.0)
    document.frame(box, sheet.BORDER_PT)
    return top_mm + box.height_mm + 3.0


def _fits(end_mm: float, item: str) -> None:
    if end_mm > sheet.FOOT_TOP_MM:
        raise ValueTooLong(item)
