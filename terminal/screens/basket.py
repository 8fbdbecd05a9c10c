"""Several documents with one payment, as the screen that asks for it lists them."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from protocol.messages import PreparedOrder
from terminal.screens.choices import item_name, titles, year_words
from terminal.screens.documents import in_order
from terminal.screens.words import Lang, say, yen_words
from terminal.visit import Visit


def documents(visit: Visit, lang: Lang) -> list[dict[str, Any]]:
    """Return the documents of a visit in the order of their printing, copies of one together.

    Shape: titles, fiscal_year, people, items, copies, fee.
    """
    prepared = [order.prepared for order in visit.orders if order.prepared]
    return [_document(list(copies), lang) for _, copies in groupby(prepared, key=_shown)]


def _shown(prepared: PreparedOrder) -> tuple[object, ...]:
    return (prepared.kind, prepared.title, prepared.items, prepared.masked_names, prepared.fiscal_year)


def _document(copies: list[PreparedOrder], lang: Lang) -> dict[str, Any]:
    first = copies[0]
    return {
        "kind": first.kind,
        **titles(first, lang),
        "fiscal_year": year_words(first.kind, first.fiscal_year, lang) if first.fiscal_year else None,
        "people": list(first.masked_names),
        "items": [item_name(first.kind, item, lang) for item in in_order(first.kind, first.items)],
        "copies": say("for_one_copy" if len(copies) == 1 else "for_copies", lang, count=len(copies)),
        "fee": yen_words(sum(copy.fee_yen for copy in copies), lang),
    }
