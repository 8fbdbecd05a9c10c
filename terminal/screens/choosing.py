"""What is being chosen on the choosing page, before it is said to the flow: a draft that lives in the page's form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from werkzeug.datastructures import MultiDict

from protocol.messages import Offer, Scope
from terminal.visit import Choice, Visit

COPIES_MAX = 5
ITEMS_INLINE_MAX = 4  # more of them have a page of their own, as have the people


class BadTouch(ValueError):
    """A field of a touch cannot be used; the message names the field and the rule, and repeats no value."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class Page(StrEnum):
    """On which page of one offer's options the resident is; one question a page where the answers are many."""

    OPTIONS = "options"
    PEOPLE = "people"
    ITEMS = "items"


@dataclass(frozen=True, slots=True)
class Draft:
    """A choice in the making.

    Shape: offer is the index into the visit's offers; least_items: so many of its items must be chosen.
    """

    offer: int
    scope: Scope
    members: tuple[str, ...]
    items: tuple[str, ...]
    fiscal_year: int | None
    copies: int
    page: Page = Page.OPTIONS
    least_items: int = 0

    def missing(self) -> str | None:
        """Return the key of the words for what is still missing, or None."""
        if self.scope is Scope.MEMBERS and not self.members:
            return "choose_member"
        return "choose_item" if len(self.items) < self.least_items else None


def usual(offers: tuple[Offer, ...], index: int) -> Draft:
    """Return the usual choice of one offer: the requester alone, items as the municipality presets them, one copy."""
    offer = offers[index]
    scope = Scope.SELF if Scope.SELF in _scopes(offer) else offer.scopes[0]
    items = tuple(item.item for item in offer.items if item.default)
    year = max(offer.fiscal_years, default=None)
    return Draft(index, scope, (), items, year, 1, least_items=offer.least_items)


def municipalities(offers: tuple[Offer, ...]) -> tuple[str, ...]:
    """Return the codes of the municipalities that offer anything, each once, in the server's order."""
    return tuple(dict.fromkeys(offer.municipality_code for offer in offers))


def copies_max(visit: Visit) -> int:
    """Return how many copies may join what is prepared already."""
    return COPIES_MAX - len(visit.orders)


def read_municipality(form: MultiDict[str, str], visit: Visit) -> str:
    """Return the code of the municipality whose documents are asked for.

    Errors: BadTouch.
    """
    code = form.get("municipality", "")
    if code not in municipalities(visit.offers):
        raise BadTouch("municipality", "must be one of the offers'")
    return code


def read_offer(form: MultiDict[str, str], visit: Visit) -> int:
    """Return the index of the offer that a form is about.

    Errors: BadTouch.
    """
    return _number(form, "offer", 0, len(visit.offers) - 1)


def read_refund(form: MultiDict[str, str], visit: Visit) -> str:
    """Return the payment whose refund is wanted.

    Errors: BadTouch.
    """
    return visit.refunds[_number(form, "refund", 0, len(visit.refunds) - 1)].payment_id


def read_draft(form: MultiDict[str, str], visit: Visit) -> Draft:
    """Read a draft from the page's form; what is not in the form is as usual.

    Errors: BadTouch.
    """
    index = read_offer(form, visit)
    offer = visit.offers[index]
    if offer.refusal is not None:
        raise BadTouch("offer", "cannot be had now")
    if "scope" not in form:
        return usual(visit.offers, index)
    scope = form["scope"]
    if scope not in _scopes(offer):
        raise BadTouch("scope", "must be one of the offer's")
    members = _of(form, "members", {member.ref for member in offer.members})
    items = _of(form, "items", {item.item for item in offer.items})
    fiscal_year = None
    if offer.fiscal_years:
        fiscal_year = _number(form, "fiscal_year", min(offer.fiscal_years), max(offer.fiscal_years))
        if fiscal_year not in offer.fiscal_years:
            raise BadTouch("fiscal_year", "must be one of the offer's")
    chosen = members if scope == Scope.MEMBERS else ()
    copies = _number(form, "copies", 1, copies_max(visit))
    draft = Draft(index, Scope(scope), chosen, items, fiscal_year, copies, least_items=offer.least_items)
    return replace(draft, page=_page(form, draft, offer))


def choice(draft: Draft, visit: Visit) -> Choice:
    """Return what the flow is told."""
    offer = visit.offers[draft.offer]
    return Choice(
        municipality_code=offer.municipality_code,
        kind=offer.kind,
        scope=draft.scope,
        members=draft.members,
        items=draft.items,
        fiscal_year=draft.fiscal_year,
        copies=draft.copies,
    )


def read_reissue(form: MultiDict[str, str], visit: Visit) -> Choice:
    """Return the choice of a free replacement: the very document that was destroyed.

    Errors: BadTouch.
    """
    offer = visit.reissues[_number(form, "reissue", 0, len(visit.reissues) - 1)]
    return Choice(
        municipality_code=offer.municipality_code,
        kind=offer.kind,
        scope=offer.scope,
        members=offer.members,
        items=offer.items,
        fiscal_year=offer.fiscal_year,
        copies=1,
        replaces=offer.replaces,
    )


def _scopes(offer: Offer) -> tuple[Scope, ...]:
    return offer.scopes or (Scope.SELF,)


def _page(form: MultiDict[str, str], draft: Draft, offer: Offer) -> Page:
    """Return the page to be shown: the one asked for if it has a question, or the one on which something is missing."""
    page = form.get("page")
    if page not in {None, *Page}:
        raise BadTouch("page", "must be one of " + ", ".join(Page))
    missing = draft.missing()
    if missing == "choose_member" or (page == Page.PEOPLE and draft.scope is Scope.MEMBERS):
        return Page.PEOPLE
    asks_items = page == Page.ITEMS or (page == Page.OPTIONS and missing == "choose_item")
    return Page.ITEMS if asks_items and len(offer.items) > ITEMS_INLINE_MAX else Page.OPTIONS


def _number(form: MultiDict[str, str], field: str, low: int, high: int) -> int:
    text = form.get(field, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and low <= int(text) <= high):
        raise BadTouch(field, f"must be a number from {low} to {high}")
    return int(text)


def _of(form: MultiDict[str, str], field: str, allowed: set[str]) -> tuple[str, ...]:
    """Return the field's values in the form's order, each once."""
    values = tuple(dict.fromkeys(form.getlist(field)))
    if not allowed.issuperset(values):
        raise BadTouch(field, "must be among the offer's")
    return values
