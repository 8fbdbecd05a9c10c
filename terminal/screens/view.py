"""The one description of a screen, made from the visit alone: templates draw it, the demo's driver reads it as JSON.

Everything in it may be seen by the person who stands there and by nobody else's right: masked names, amounts, words.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from protocol.messages import MemberOffer, Offer, PreparedOrder
from terminal.flow import TIMEOUT_S
from terminal.flow_steps import PIN_LENGTH
from terminal.screens import choosing
from terminal.screens.choosing import Draft
from terminal.screens.refusals import refusal_words
from terminal.screens.words import (
    ITEMS,
    KINDS,
    LEADS,
    SCOPES,
    STEPS,
    TITLES,
    Lang,
    fiscal_year_words,
    pick,
    say,
    sheets_words,
    yen_words,
)
from terminal.visit import CopyOutcome, Money, State, Visit

WARNING_S = 45  # of a state's time, how long the page asks "do you need more time?"
REFERENCE_CHARACTERS = 8
INDIVIDUAL_NUMBER = "individual_number"
MORE_TIME = "more-time"

#: What a finger may do; the names are those of POST /touch/<action>.
ACTIONS: dict[State, tuple[str, ...]] = {
    State.OUT_OF_SERVICE: (),
    State.IDLE: (),
    State.READING: (),
    State.PIN: ("digit", "correct", "ok", "cancel"),
    State.AUTHENTICATING: (),
    State.TAKE_CARD: (),
    State.CHOOSING: ("choose", "not-me", "cancel"),
    State.PREPARING: (),
    State.CONFIRMING: ("pay", "not-me", "change", "cancel"),
    State.COLLECTING: ("cancel",),
    State.RESERVED: (),
    State.GRANTING: (),
    State.PRINTING: (),
    State.ASK_SHEETS: ("sheets-yes", "sheets-no"),
    State.CAPTURING: (),
    State.RETURNING: (),
    State.TAKE_PAPER: ("taken",),
    State.REFUSED: ("taken",),
    State.CLOSED: (),
}

#: Which step of the way at the top a state belongs to; None shows no way.
STEP: dict[State, int | None] = {
    State.OUT_OF_SERVICE: None,
    State.IDLE: 0,
    State.READING: 0,
    State.PIN: 1,
    State.AUTHENTICATING: 1,
    State.TAKE_CARD: 1,
    State.CHOOSING: 2,
    State.PREPARING: 2,
    State.CONFIRMING: 3,
    State.COLLECTING: 4,
    State.RESERVED: 4,
    State.GRANTING: 4,
    State.PRINTING: 5,
    State.ASK_SHEETS: 5,
    State.CAPTURING: 5,
    State.RETURNING: None,
    State.TAKE_PAPER: 5,
    State.REFUSED: None,
    State.CLOSED: None,
}

#: States in which somebody may need longer than the time-out.
_EXTENDABLE = frozenset(
    {State.PIN, State.CHOOSING, State.CONFIRMING, State.COLLECTING, State.ASK_SHEETS, State.TAKE_PAPER}
)
#: A reason for staff; whatever else a device said (addresses, errors) is for the log alone.
_KEYWORD = re.compile(r"[A-Za-z0-9_ -]{1,60}")
_SAID = frozenset({State.REFUSED, State.RETURNING, State.CAPTURING, State.TAKE_PAPER})
_CAME_OUT = frozenset({CopyOutcome.PRINTED, CopyOutcome.DECLARED})


def view(visit: Visit, lang: Lang) -> dict[str, Any]:
    """Return the screen of this visit in one language.

    Shape: state, lang, title, other_title, lead, steps, step, actions, masked_name, pin, offers, nothing_to_choose,
           confirm, money, words on money, printing, paper, refusal, reference, reasons (for staff), timeout_s and
           warning_s; None where a state has no such thing.
    Units: amounts in whole yen; timeout_s None where nobody is asked for more time.
    """
    other = Lang.EN if lang is Lang.JA else Lang.JA
    return {
        "state": str(visit.state),
        "lang": str(lang),
        "title": _title(visit, lang),
        "other_title": _title(visit, other),
        "lead": _lead(visit, lang),
        "steps": [pick(words, lang) for words in STEPS],
        "step": STEP[visit.state],
        "actions": list(_actions(visit)),
        "masked_name": visit.masked_name or None,
        "pin": _pin(visit, lang) if visit.state is State.PIN else None,
        "offers": [_offer(i, offer, lang) for i, offer in enumerate(visit.offers)],
        "nothing_to_choose": _nothing_to_choose(visit),
        "confirm": _confirm(visit, lang),
        "money": _money(visit.money, lang) if visit.money else None,
        "money_words": money_words(visit, lang),
        "printing": _printing(visit, lang),
        "paper": _paper(visit, lang),
        "refusal": _refusal(visit, lang),
        "reference": reference(visit),
        "reasons": [reason for reason in visit.reasons if _KEYWORD.fullmatch(reason)],
        "timeout_s": TIMEOUT_S[visit.state] if visit.state in _EXTENDABLE else None,
        "warning_s": WARNING_S,
    }


def touches(visit: Visit) -> frozenset[str]:
    """Return the names of POST /touch/<action> that this screen takes."""
    return frozenset({*_actions(visit), *((MORE_TIME,) if visit.state in _EXTENDABLE else ())})


def details(visit: Visit, draft: Draft, lang: Lang, *, complain: bool = False) -> dict[str, Any]:
    """Return the page on which one offer's options are chosen: what stands chosen, and what it costs.

    complain: say what is missing, where the resident wanted to go on without it.
    """
    offer = visit.offers[draft.offer]
    missing = draft.missing()
    scopes = offer.scopes if len(offer.members) > 1 else ()
    return {
        "offer": _offer(draft.offer, offer, lang),
        "scope": str(draft.scope),
        "scopes": [_option(str(s), pick(SCOPES[s], lang), chosen=s is draft.scope) for s in scopes],
        "members": [_member(member, draft, lang) for member in offer.members] if draft.scope == "members" else [],
        "item_options": [
            _option(item.item, _item(item.item, lang), chosen=item.item in draft.items) for item in offer.items
        ],
        "individual_number": INDIVIDUAL_NUMBER in draft.items,
        "fiscal_years": [
            _option(str(year), fiscal_year_words(year, lang), chosen=year == draft.fiscal_year)
            for year in sorted(offer.fiscal_years, reverse=True)
        ],
        "copies": [
            _option(str(n), say("copies", lang, count=n), chosen=n == draft.copies)
            for n in range(1, choosing.COPIES_MAX + 1)
        ],
        "total": yen_words(offer.fee_yen * draft.copies, lang),
        "missing": say(missing, lang) if missing and complain else None,
    }


def money_words(visit: Visit, lang: Lang) -> str | None:
    """Say whether money was taken and where it is now; None on the screens where the question does not arise."""
    if visit.state not in _SAID:
        return None
    money = visit.money
    if money is None or money.inserted_yen == 0:
        return say("money_none", lang) if visit.state is State.REFUSED else None
    if visit.state is State.CAPTURING:
        return None
    if visit.state is State.RETURNING:
        return say("money_returning", lang, amount=yen_words(money.inserted_yen, lang))
    if money.returned_yen == money.inserted_yen:
        return say("money_returned", lang, amount=yen_words(money.returned_yen, lang))
    parts = (
        ("money_captured", money.captured_yen),
        ("money_change", money.change_yen),
        ("money_back", money.returned_yen),
        ("money_uncertain", money.uncertain_yen),
        ("money_owed", money.owed_yen),
    )
    return "".join(say(key, lang, amount=yen_words(amount, lang)) + _gap(lang) for key, amount in parts if amount)


def reference(visit: Visit) -> str | None:
    """Return what a resident reads to staff: the beginning of the payment's or the visit's id, nothing personal."""
    if visit.state not in _SAID:
        return None
    return (visit.payment_id or visit.visit_id)[:REFERENCE_CHARACTERS].upper() or None


def _gap(lang: Lang) -> str:
    return "" if lang is Lang.JA else " "


def _actions(visit: Visit) -> tuple[str, ...]:
    if _asks_last_try(visit):
        return ("confirm-last-try", "cancel")
    return ACTIONS[visit.state]


def _asks_last_try(visit: Visit) -> bool:
    return visit.state is State.PIN and visit.tries_left == 1 and not visit.last_try_confirmed


def _title(visit: Visit, lang: Lang) -> str:
    if visit.state is State.REFUSED and visit.refusal is not None:
        return pick(refusal_words(visit.refusal.code).title, lang)
    if visit.state is State.ASK_SHEETS:
        sheets = visit.orders[visit.current].sheets
        return say("all_there_title", lang, count=sheets) if sheets > 1 else say("one_there_title", lang)
    if _nothing_to_choose(visit):
        return say("nothing_to_choose", lang)
    if _asks_last_try(visit):
        return say("last_try_wrong_title" if visit.pin_wrong else "last_try_title", lang)
    return pick(TITLES[visit.state], lang)


def _nothing_to_choose(visit: Visit) -> bool:
    return visit.state is State.CHOOSING and all(offer.refusal is not None for offer in visit.offers)


def _lead(visit: Visit, lang: Lang) -> str:
    if _nothing_to_choose(visit):
        return say("money_none", lang)
    money = visit.money
    if visit.state is State.TAKE_PAPER and not (money and money.change_yen + money.returned_yen):
        return say("no_change", lang)
    return pick(LEADS[visit.state], lang)


def _pin(visit: Visit, lang: Lang) -> dict[str, Any]:
    tries = visit.tries_left
    fewer = tries in {1, 2}
    note = ("pin_wrong_note" if visit.pin_wrong else "tries_fewer") if fewer else "tries_note"
    return {
        "length": visit.pin_length,
        "of": PIN_LENGTH,
        "entered": say("pin_entered", lang, count=visit.pin_length),
        "tries_left": tries,
        "tries": say("pin_wrong" if visit.pin_wrong else "tries_left", lang, count=tries)
        if tries is not None
        else None,
        "wrong": visit.pin_wrong,
        "note": say(note, lang, count=tries),
        "fewer": fewer,
        "last_try": _asks_last_try(visit),
    }


def _offer(index: int, offer: Offer, lang: Lang) -> dict[str, Any]:
    refusal = None
    if offer.refusal is not None:
        words = refusal_words(offer.refusal)
        again = offer.available_again
        refusal = {
            "code": offer.refusal,
            "title": pick(words.title, lang),
            "next": pick(words.next, lang),
            "again": say("available_again", lang, when=_when(again, lang)) if again else None,
        }
    draft = choosing.usual((offer,), 0)
    return {
        "index": index,
        "kind": offer.kind,
        "municipality_code": offer.municipality_code,
        "municipality_name": offer.municipality_name,
        "title": offer.title if lang is Lang.JA or offer.kind not in KINDS else pick(KINDS[offer.kind], lang),
        "printed_title": offer.title if lang is not Lang.JA and offer.kind in KINDS else None,
        "fee_yen": offer.fee_yen,
        "fee": yen_words(offer.fee_yen, lang),
        "usual": fiscal_year_words(draft.fiscal_year, lang) if draft.fiscal_year else _usual_scope(draft, lang),
        "has_options": len(offer.members) > 1 or bool(offer.items) or len(offer.fiscal_years) > 1,
        "refusal": refusal,
    }


def _usual_scope(draft: Draft, lang: Lang) -> str:
    items = [_item(item, lang) for item in draft.items]
    return say("default_residence", lang) if not items else " / ".join([pick(SCOPES[draft.scope], lang), *items])


def _when(again: str, lang: Lang) -> str:
    when = datetime.fromisoformat(again)
    if lang is Lang.JA:
        return f"{when.month}月{when.day}日 {when.hour}時{when.minute:02}分"
    return f"{when.day} {when:%B, %H:%M}"


def _member(member: MemberOffer, draft: Draft, lang: Lang) -> dict[str, Any]:
    words = member.masked_name + (f" ({say('requester', lang)})" if member.is_requester else "")
    return _option(member.ref, words, chosen=member.ref in draft.members)


def _option(value: str, words: str, *, chosen: bool) -> dict[str, Any]:
    return {"value": value, "words": words, "chosen": chosen}


def _item(item: str, lang: Lang) -> str:
    return pick(ITEMS[item], lang) if item in ITEMS else item


def _confirm(visit: Visit, lang: Lang) -> dict[str, Any] | None:
    prepared = [order.prepared for order in visit.orders if order.prepared]
    if visit.state is not State.CONFIRMING or not prepared:
        return None
    first = prepared[0]
    total_yen = sum(order.fee_yen for order in prepared)
    offer = next((o for o in visit.offers if (o.municipality_code, o.kind) == _key(first)), None)
    offered = {item.item for item in offer.items} if offer else set()
    return {
        "municipality": first.municipality_name,
        "title": first.title if lang is Lang.JA or first.kind not in KINDS else pick(KINDS[first.kind], lang),
        "printed_title": first.title if lang is not Lang.JA and first.kind in KINDS else None,
        "people": list(first.masked_names),
        "items_shown": [_item(item, lang) for item in first.items if item != INDIVIDUAL_NUMBER],
        "number_offered": INDIVIDUAL_NUMBER in offered,
        "number_shown": INDIVIDUAL_NUMBER in first.items,
        "fiscal_year": fiscal_year_words(first.fiscal_year, lang) if first.fiscal_year else None,
        "copies": say("for_one_copy" if len(prepared) == 1 else "for_copies", lang, count=len(prepared)),
        "total_yen": total_yen,
        "total": yen_words(total_yen, lang),
        "pay": say("pay", lang, amount=yen_words(total_yen, lang)) if total_yen else say("receive_free", lang),
    }


def _key(prepared: PreparedOrder) -> tuple[str, str]:
    return prepared.municipality_code, prepared.kind


def _money(money: Money, lang: Lang) -> dict[str, Any]:
    left_yen = max(0, money.due_yen - money.inserted_yen)
    amounts = {
        "due_yen": money.due_yen,
        "inserted_yen": money.inserted_yen,
        "left_yen": left_yen,
        "captured_yen": money.captured_yen,
        "change_yen": money.change_yen,
        "returned_yen": money.returned_yen,
        "owed_yen": money.owed_yen,
        "uncertain_yen": money.uncertain_yen,
    }
    words = {key.removesuffix("_yen"): yen_words(amount, lang) for key, amount in amounts.items()}
    return {**amounts, "words": words, "accepting": money.accepting, "exact_only": money.exact_only}


def _printing(visit: Visit, lang: Lang) -> dict[str, Any] | None:
    if visit.state not in {State.PRINTING, State.ASK_SHEETS}:
        return None
    sheets = visit.orders[visit.current].sheets
    copies = len(visit.orders)
    return {
        "sheets": sheets,
        "sheets_words": sheets_words(sheets, lang),
        "done": visit.sheets_done,
        "words": say("sheet_of", lang, done=visit.sheets_done, total=sheets),
        "which_copy": say("copy_of", lang, current=visit.current + 1, total=copies) if copies > 1 else None,
    }


def _paper(visit: Visit, lang: Lang) -> dict[str, Any] | None:
    if visit.state is not State.TAKE_PAPER:
        return None
    out = [order for order in visit.orders if order.outcome in _CAME_OUT]
    sheets = sum(order.sheets_out or order.sheets for order in out)
    return {"copies": len(out), "sheets": sheets, "sheets_words": sheets_words(sheets, lang)}


def _refusal(visit: Visit, lang: Lang) -> dict[str, Any] | None:
    if visit.refusal is None or visit.state not in _SAID:
        return None
    words = refusal_words(visit.refusal.code)
    return {
        "code": visit.refusal.code,
        "title": pick(words.title, lang),
        "what": pick(words.what, lang),
        "next": pick(words.next, lang),
    }
