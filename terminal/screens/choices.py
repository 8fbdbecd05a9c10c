"""What can be chosen, as the screens show it: municipalities, their documents by group, and one document's options."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from protocol.errors import ErrorCode
from protocol.messages import MemberOffer, Offer, PreparedOrder, ReissueOffer, Scope
from terminal.screens import choosing
from terminal.screens.choosing import Draft
from terminal.screens.documents import (
    COLUMNS,
    GROUPS,
    INDIVIDUAL_NUMBER,
    KINDS,
    Group,
    group_of,
    in_order,
    item_of,
    scope_of,
)
from terminal.screens.refusals import refusal_words
from terminal.screens.words import Lang, fiscal_year_words, pick, say, yen_words
from terminal.visit import State, Visit

_USUAL_KIND = "residence"


def nothing_to_choose(visit: Visit, municipality: str | None = None) -> bool:
    """Tell whether nothing can be had now, of one municipality or of all."""
    return visit.state is State.CHOOSING and all(offer.refusal is not None for _, offer in _of(visit, municipality))


def nothing_next(visit: Visit, lang: Lang, municipality: str | None = None) -> str | None:
    """Say what to do next where nothing can be had, if it is the same for every document."""
    codes = {offer.refusal for _, offer in _of(visit, municipality)}
    return pick(refusal_words(str(codes.pop())).next, lang) if len(codes) == 1 else None


def choices(visit: Visit, lang: Lang, municipality: str | None) -> dict[str, Any]:
    """Return what the choosing page shows: the municipalities where there are several, else one's documents.

    Shape: municipalities (empty where there is no question), municipality_name, usual, columns of groups of offers,
           back (there is a question to go back to), reissues (papers that may be had again for nothing), adding (to
           what is prepared already).
           municipality: the code that was chosen, None before that.
    """
    codes = choosing.municipalities(visit.offers)
    shown = municipality or (codes[0] if len(codes) == 1 else None)
    offers = [] if shown is None else [offer_view(index, offer, lang) for index, offer in _of(visit, shown)]
    return {
        "municipalities": [] if shown else [_municipality(visit, code, lang) for code in codes],
        "municipality_name": offers[0]["municipality_name"] if offers else None,
        "usual": next((o for o in offers if o["kind"] == _USUAL_KIND and o["refusal"] is None), None),
        "columns": _columns(offers, lang),
        "back": len(codes) > 1 and shown is not None and not visit.orders,
        "reissues": [_reissue(index, offer, lang) for index, offer in enumerate(visit.reissues) if not visit.orders],
        "adding": bool(visit.orders),
    }


def _reissue(index: int, offer: ReissueOffer, lang: Lang) -> dict[str, Any]:
    return {
        "index": index,
        "municipality": offer.municipality_name,
        **titles(offer, lang),
        "number": say("reissue_number", lang, number=offer.issue_number),
    }


def details(visit: Visit, draft: Draft, lang: Lang, *, complain: bool = False) -> dict[str, Any]:
    """Return the pages on which one offer's options are chosen: what stands chosen, and what it costs.

    complain: say what is missing, where the resident wanted to go on without it.
    """
    offer = visit.offers[draft.offer]
    missing = draft.missing()
    scopes = offer.scopes if len(offer.scopes) > 1 and len(offer.members) > 1 else ()
    return {
        "offer": offer_view(draft.offer, offer, lang),
        "page": str(draft.page),
        "note": pick(KINDS[offer.kind].note, lang) if offer.kind in KINDS else None,
        "scope": str(draft.scope),
        "scopes": [_option(str(s), scope_words(offer.kind, s, lang), chosen=s is draft.scope) for s in scopes],
        "members": [_member(m, draft, lang) for m in offer.members] if draft.scope is Scope.MEMBERS else [],
        "chosen_people": say(
            "one_chosen" if len(draft.members) == 1 else "people_chosen", lang, count=len(draft.members)
        ),
        "item_options": [_item_option(offer, item, draft, lang) for item in offered_items(offer)],
        "items_inline": len(offer.items) <= choosing.ITEMS_INLINE_MAX,
        "items_chosen": [item_name(offer.kind, item, lang) for item in in_order(offer.kind, draft.items)],
        "no_items": say("choose_item", lang) if missing == "choose_item" else no_items(offer.kind, lang),
        "individual_number": INDIVIDUAL_NUMBER in draft.items,
        "fiscal_years": [
            _option(str(year), year_words(offer.kind, year, lang), chosen=year == draft.fiscal_year)
            for year in sorted(offer.fiscal_years, reverse=True)
        ],
        "copies": [
            _option(str(n), say("copies", lang, count=n), chosen=n == draft.copies)
            for n in range(1, choosing.copies_max(visit) + 1)
        ],
        "total": yen_words(offer.fee_yen * draft.copies, lang),
        "missing": say(missing, lang) if missing and complain else None,
    }


def offer_view(index: int, offer: Offer, lang: Lang) -> dict[str, Any]:
    """Return one document of the list, or why it cannot be had now."""
    draft = choosing.usual((offer,), 0)
    year = draft.fiscal_year
    return {
        "index": index,
        "kind": offer.kind,
        "group": str(group_of(offer.kind)),
        "municipality_code": offer.municipality_code,
        "municipality_name": offer.municipality_name,
        **titles(offer, lang),
        "use": pick(KINDS[offer.kind].use, lang) if offer.kind in KINDS else "",
        "fee_yen": offer.fee_yen,
        "fee": yen_words(offer.fee_yen, lang),
        "usual": year_words(offer.kind, year, lang) if year else _usual_scope(offer.kind, draft, lang),
        "refusal": _refusal(offer, offer.refusal, lang) if offer.refusal is not None else None,
    }


def titles(document: Offer | PreparedOrder | ReissueOffer, lang: Lang) -> dict[str, str | None]:
    """Return a document's title in the screen's language, and its own on the paper where that is another one."""
    if lang is Lang.JA or document.kind not in KINDS:
        return {"title": document.title, "printed_title": None}
    return {"title": pick(KINDS[document.kind].name, lang), "printed_title": document.title}


def year_words(kind: str, fiscal_year: int, lang: Lang) -> str:
    """Return a fiscal year as this kind of document speaks of it."""
    return fiscal_year_words(fiscal_year, lang, of_income=kind != "tax_payment")


def scope_words(kind: str, scope: Scope, lang: Lang) -> str:
    """Return whose entries are shown."""
    return pick(scope_of(kind, scope), lang)


def item_name(kind: str, item: str, lang: Lang) -> str:
    """Return an item's name."""
    return pick(item_of(kind, item).name, lang)


def no_items(kind: str, lang: Lang) -> str:
    """Say what is shown where no item was asked for."""
    return say("only_name" if kind == "residence_items" else "no_items", lang)


def offered_items(offer: Offer) -> tuple[str, ...]:
    """Return an offer's optional items in the order in which they are asked."""
    return in_order(offer.kind, tuple(item.item for item in offer.items))


def _of(visit: Visit, municipality: str | None) -> list[tuple[int, Offer]]:
    return [(i, o) for i, o in enumerate(visit.offers) if municipality in {None, o.municipality_code}]


def _municipality(visit: Visit, code: str, lang: Lang) -> dict[str, Any]:
    offers = [offer for _, offer in _of(visit, code)]
    # What this person cannot have there would send them the wrong way; the list that follows says it of each.
    named = [offer for offer in offers if offer.refusal in {None, ErrorCode.NOT_OFFERED_NOW}] or offers
    ordered = sorted(named, key=lambda offer: list(Group).index(group_of(offer.kind)))
    return {
        "code": code,
        "name": offers[0].municipality_name,
        "documents": [titles(offer, lang)["title"] for offer in ordered],
        "nothing": nothing_to_choose(visit, code),
    }


def _columns(offers: list[dict[str, Any]], lang: Lang) -> list[list[dict[str, Any]]]:
    """Return the groups that have a document, in the columns in which they stand."""
    columns = (
        [
            {"name": pick(GROUPS[group], lang), "offers": [o for o in offers if o["group"] == group]}
            for group in column
            if any(o["group"] == group for o in offers)
        ]
        for column in COLUMNS
    )
    return [column for column in columns if column]


def _refusal(offer: Offer, code: str, lang: Lang) -> dict[str, Any]:
    words = refusal_words(code)
    again = offer.available_again if code == ErrorCode.NOT_OFFERED_NOW else None
    return {
        "code": code,
        "title": pick(words.title, lang),
        "what": pick(words.what, lang),
        "next": pick(words.next, lang),
        "again": say("available_again", lang, when=_when(again, lang)) if again else None,
    }


def _usual_scope(kind: str, draft: Draft, lang: Lang) -> str:
    if kind == _USUAL_KIND and not draft.items and draft.scope is Scope.SELF:
        return say("default_residence", lang)
    return " / ".join([scope_words(kind, draft.scope, lang), *(item_name(kind, item, lang) for item in draft.items)])


def _when(again: str, lang: Lang) -> str:
    when = datetime.fromisoformat(again)
    if lang is Lang.JA:
        return f"{when.month}月{when.day}日 {when.hour}時{when.minute:02}分"
    return f"{when.day} {when:%B, %H:%M}"


def _member(member: MemberOffer, draft: Draft, lang: Lang) -> dict[str, Any]:
    words = member.masked_name + (f" ({say('requester', lang)})" if member.is_requester else "")
    return _option(member.ref, words, chosen=member.ref in draft.members)


def _item_option(offer: Offer, item: str, draft: Draft, lang: Lang) -> dict[str, Any]:
    words = item_of(offer.kind, item)
    option = _option(item, pick(words.name, lang), chosen=item in draft.items)
    return option | {"help": pick(words.help, lang) if words.help else None}


def _option(value: str, words: str, *, chosen: bool) -> dict[str, Any]:
    return {"value": value, "words": words, "chosen": chosen}
