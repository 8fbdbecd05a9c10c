"""The one description of a screen, made from the visit alone: templates draw it, the demo's driver reads it as JSON.

Everything in it may be seen by the person who stands there and by nobody else's right: masked names, amounts, words.
"""

from __future__ import annotations

import re
from typing import Any

from protocol.errors import ErrorCode
from protocol.messages import Offer, PaymentMethod, PreparedOrder, Scope
from terminal.flow import CODE_TIMEOUT_S, TIMEOUT_S, owes_visibly
from terminal.flow_basket import may_add
from terminal.flow_steps import PIN_LENGTH, loose_yen, methods, the_one_paid
from terminal.health import SERVER_REFUSES
from terminal.screens import choosing
from terminal.screens.basket import documents
from terminal.screens.choices import (
    choices,
    item_name,
    no_items,
    nothing_next,
    nothing_to_choose,
    offer_view,
    scope_words,
    titles,
    year_words,
)
from terminal.screens.code_picture import code_picture
from terminal.screens.documents import INDIVIDUAL_NUMBER, in_order
from terminal.screens.refunds import owed, refund, refund_words
from terminal.screens.refusals import refusal_words
from terminal.screens.words import LEADS, STEPS, TITLES, Lang, pick, say, sheets_words, yen_words
from terminal.visit import CopyOutcome, Money, Receipt, State, Visit

WARNING_S = 45  # of a state's time, how long the page asks "do you need more time?"
REFERENCE_CHARACTERS = 8
MORE_TIME = "more-time"

#: What a finger may do; the names are those of POST /touch/<action>.
ACTIONS: dict[State, tuple[str, ...]] = {
    State.RECOVERING: (),
    State.AFTER_CUT: ("take-back",),
    State.OUT_OF_SERVICE: (),
    State.IDLE: ("ask-refund",),
    State.READING: (),
    State.PIN: ("digit", "correct", "ok", "cancel"),
    State.AUTHENTICATING: (),
    State.TAKE_CARD: (),
    State.CHOOSING: ("choose", "take-refund", "add-nothing", "not-me", "cancel"),
    State.PREPARING: (),
    State.CONFIRMING: ("pay", "pay-emoney", "pay-qr", "add", "not-me", "change", "cancel"),
    State.COLLECTING: ("cancel",),
    State.SHOWING_CODE: ("cancel",),
    State.RESERVED: (),
    State.GRANTING: (),
    State.DEBITING: ("cancel",),
    State.PRINTING: (),
    State.ASK_SHEETS: ("sheets-yes", "sheets-no"),
    State.CAPTURING: (),
    State.RETURNING: (),
    State.CANCELLING: ("cancel",),
    State.KEEPING: (),
    State.TAKE_PAPER: ("taken", "paper-bad"),
    State.REFUND_CODE: ("code-key", "code-correct", "code-ok", "cancel"),
    State.CLAIMING: (),
    State.PAYING_OUT: (),
    State.PAID_OUT: ("taken",),
    State.REFUSED: ("taken",),
    State.CLOSED: (),
}

#: Which step of the way at the top a state belongs to; None shows no way.
STEP: dict[State, int | None] = {
    State.RECOVERING: None,
    State.AFTER_CUT: None,
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
    State.SHOWING_CODE: 4,
    State.RESERVED: 4,
    State.GRANTING: 4,
    State.DEBITING: 4,
    State.PRINTING: 5,
    State.ASK_SHEETS: 5,
    State.CAPTURING: 5,
    State.RETURNING: None,
    State.CANCELLING: None,
    State.KEEPING: None,
    State.TAKE_PAPER: 5,
    State.REFUND_CODE: None,
    State.CLAIMING: None,
    State.PAYING_OUT: None,
    State.PAID_OUT: None,
    State.REFUSED: None,
    State.CLOSED: None,
}

#: States in which somebody may need longer than the time-out.
_EXTENDABLE = frozenset(
    {
        State.PIN,
        State.CHOOSING,
        State.CONFIRMING,
        State.COLLECTING,
        State.SHOWING_CODE,
        State.ASK_SHEETS,
        State.TAKE_PAPER,
        State.REFUND_CODE,
    }
)
#: A reason for staff; whatever else a device said (addresses, errors) is for the log alone.
_KEYWORD = re.compile(r"[A-Za-z0-9_ -]{1,60}")
_SAID = frozenset(
    {
        *(State.REFUSED, State.AFTER_CUT, State.RETURNING, State.CANCELLING),
        *(State.KEEPING, State.CAPTURING, State.TAKE_PAPER),
    }
)
#: What is said of money that comes out, or would.
_MOVING = {State.AFTER_CUT: "money_waits", State.KEEPING: "money_keeping", State.RETURNING: "money_returning"}
_NO_WORDS = frozenset({State.CAPTURING, State.CANCELLING})  # the sum stands there
#: Why the server lets this terminal serve nobody.
_CLOSING = (ErrorCode.IDENTITY_FORKED, ErrorCode.RESTORING)
#: From the choice on, the screen says which document it is about.
_ABOUT_A_DOCUMENT = frozenset(
    {
        State.PREPARING,
        State.COLLECTING,
        State.SHOWING_CODE,
        State.RESERVED,
        State.GRANTING,
        State.DEBITING,
        State.PRINTING,
        State.ASK_SHEETS,
        State.CAPTURING,
        State.TAKE_PAPER,
    }
)
_CAME_OUT = frozenset({CopyOutcome.PRINTED, CopyOutcome.DECLARED})


def view(visit: Visit, lang: Lang, municipality: str | None = None) -> dict[str, Any]:
    """Return the screen of this visit in one language.

    Shape: state, lang, title, other_title, lead, steps, step, actions, masked_name, document, pin, offers, choices,
           nothing_to_choose, closed, confirm, money, code (a picture), debited_now, goes_back (onto a card), words on
           money, printing, paper, refusal, receipt (words), reference, reasons (for staff), owed (the code of what
           could not be given back), refund, timeout_s and warning_s; None where a state has no such thing.
           municipality: the code of the one whose documents are being looked at, where there are several.
    Units: amounts in whole yen; timeout_s None where nobody is asked for more time.
    """
    other = Lang.EN if lang is Lang.JA else Lang.JA
    municipality = _joined(visit) or municipality
    return {
        "state": str(visit.state),
        "lang": str(lang),
        "title": _title(visit, lang, municipality),
        "other_title": _title(visit, other, municipality),
        "lead": _lead(visit, lang, municipality),
        "steps": [pick(words, lang) for words in STEPS],
        "step": STEP[visit.state],
        "actions": list(_actions(visit)),
        "masked_name": visit.masked_name or None,
        "document": _document(visit, lang),
        "pin": _pin(visit, lang) if visit.state is State.PIN else None,
        "offers": [offer_view(i, offer, lang) for i, offer in enumerate(visit.offers)],
        "choices": choices(visit, lang, municipality) if visit.state is State.CHOOSING else None,
        "nothing_to_choose": nothing_to_choose(visit, municipality),
        "confirm": _confirm(visit, lang),
        "money": _money(visit.money, lang) if visit.money else None,
        "code": code_picture(visit.code_url) if visit.code_url else None,
        "debited_now": yen_words(visit.orders[visit.current].fee_yen, lang) if visit.state is State.DEBITING else None,
        "goes_back": yen_words(loose_yen(visit), lang) if visit.state is State.CANCELLING else None,
        "one_by_one": say("one_by_one", lang, count=visit.left_out) if visit.left_out else None,
        "money_words": money_words(visit, lang),
        "printing": _printing(visit, lang),
        "paper": _paper(visit, lang),
        "refusal": _refusal(visit, lang),
        "owed": owed(visit, lang),
        "refund": refund(visit, lang),
        "receipt": _receipt(visit, lang),
        "reference": reference(visit),
        "reasons": [reason for reason in visit.reasons if _KEYWORD.fullmatch(reason)],
        "closed": _closed(visit, lang),
        "timeout_s": _timeout_s(visit),
        "warning_s": WARNING_S,
    }


def _joined(visit: Visit) -> str | None:
    """Return whose documents may join those that are prepared: a payment is one municipality's."""
    first = visit.orders[0].prepared if visit.orders and visit.state is State.CHOOSING else None
    return first.municipality_code if first else None


def touches(visit: Visit) -> frozenset[str]:
    """Return the names of POST /touch/<action> that this screen takes."""
    return frozenset({*_actions(visit), *((MORE_TIME,) if _timeout_s(visit) else ())})


def _timeout_s(visit: Visit) -> float | None:
    if owes_visibly(visit):
        return CODE_TIMEOUT_S
    return TIMEOUT_S[visit.state] if visit.state in _EXTENDABLE else None


def money_words(visit: Visit, lang: Lang) -> str | None:
    """Say whether money was taken and where it is now; None on the screens where the question does not arise."""
    if visit.state not in _SAID:
        return None
    money = visit.money
    if visit.refund is not None:
        return refund_words(visit, lang)
    if money is None or money.inserted_yen == 0 or _only_agreed_to(money):
        return say("money_none", lang) if visit.state is State.REFUSED else None
    if visit.state in _MOVING:
        return _moving_words(visit, money, lang)
    return None if visit.state in _NO_WORDS else _moved_words(visit, money, lang)


def _only_agreed_to(money: Money) -> bool:
    """Tell whether a phone agreed to pay, and nothing was printed that it would pay for."""
    return money.method is PaymentMethod.QR and money.captured_yen == 0


def _moving_words(visit: Visit, money: Money, lang: Lang) -> str:
    if visit.state is State.AFTER_CUT and money.owed_yen:
        return say("money_owed_waits", lang, amount=yen_words(money.owed_yen, lang))
    if money.method is PaymentMethod.EMONEY:
        return say("debit_waits", lang, amount=yen_words(loose_yen(visit), lang))
    rest_yen = money.inserted_yen - sum(order.fee_yen for order in visit.orders if order.outcome in _CAME_OUT)
    return say(_MOVING[visit.state], lang, amount=yen_words(rest_yen, lang))


def _moved_words(visit: Visit, money: Money, lang: Lang) -> str:
    by_card = money.method is PaymentMethod.EMONEY
    back = {PaymentMethod.EMONEY: "debit_back", PaymentMethod.QR: "code_let_go"}
    if money.returned_yen == money.inserted_yen:
        key = "debit_returned" if by_card else "money_returned"
        return say(key, lang, amount=yen_words(money.returned_yen, lang))
    parts = (
        ("money_captured", money.captured_yen),
        ("money_change", money.change_yen),
        (back.get(money.method, "money_back"), money.returned_yen),
        (uncertain_key(money), money.uncertain_yen),
        ("money_owed_code" if owes_visibly(visit) else "money_owed", money.owed_yen),
    )
    return "".join(say(key, lang, amount=yen_words(amount, lang)) + _gap(lang) for key, amount in parts if amount)


def uncertain_key(money: Money) -> str:
    """Return under which key stands what is said of money in doubt."""
    return "debit_uncertain" if money.method is PaymentMethod.EMONEY else "money_uncertain"


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
    if visit.state is State.TAKE_PAPER and the_one_paid(visit) is None:
        return ("taken",)
    without = set()
    if visit.state is State.CONFIRMING:
        without = {"add"} if not may_add(visit) else set()
        without |= {f"pay-{method}" for method in PaymentMethod if method not in methods(visit)}
    if visit.state is State.CHOOSING:
        without = {"take-refund"} if visit.orders else {"add-nothing"}
    return tuple(action for action in ACTIONS[visit.state] if action not in without)


def _asks_last_try(visit: Visit) -> bool:
    return visit.state is State.PIN and visit.tries_left == 1 and not visit.last_try_confirmed


def _title(visit: Visit, lang: Lang, municipality: str | None) -> str:
    if visit.state is State.REFUSED and visit.refusal is not None:
        return pick(refusal_words(visit.refusal.code).title, lang)
    if visit.state is State.ASK_SHEETS:
        sheets = visit.orders[visit.current].sheets
        return say("all_there_title", lang, count=sheets) if sheets > 1 else say("one_there_title", lang)
    if nothing_to_choose(visit, municipality):
        return say("nothing_to_choose", lang)
    if _asks_municipality(visit, municipality):
        return say("which_municipality", lang)
    return _other_title(visit, lang) or pick(TITLES[visit.state], lang)


def _other_title(visit: Visit, lang: Lang) -> str | None:
    """Return the headline where it is not the state's own."""
    if visit.state is State.CHOOSING and visit.orders:
        return say("add_title", lang)
    if visit.state is State.CONFIRMING and len(documents(visit, lang)) > 1:
        return say("confirm_several", lang)
    if _asks_last_try(visit):
        return say("last_try_wrong_title" if visit.pin_wrong else "last_try_title", lang)
    return None


def _asks_municipality(visit: Visit, municipality: str | None) -> bool:
    return visit.state is State.CHOOSING and municipality is None and len(choosing.municipalities(visit.offers)) > 1


def _lead(visit: Visit, lang: Lang, municipality: str | None) -> str:
    if nothing_to_choose(visit, municipality):
        return _gap(lang).join(filter(None, (say("money_none", lang), nothing_next(visit, lang, municipality))))
    if _asks_municipality(visit, municipality):
        return say("which_municipality_lead", lang)
    money = visit.money
    if visit.state is State.AFTER_CUT and money and money.method is PaymentMethod.EMONEY:
        return say("after_cut_debit", lang)
    coins_yen = money.change_yen + money.returned_yen if money and money.method is PaymentMethod.CASH else 0
    if visit.state is State.TAKE_PAPER and not coins_yen:
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


def _document(visit: Visit, lang: Lang) -> dict[str, Any] | None:
    """Return which document the screen is about: what was prepared, and before that what was chosen."""
    if visit.state not in _ABOUT_A_DOCUMENT:
        return None
    if visit.state is State.PREPARING:
        about: PreparedOrder | Offer | None = _chosen_offer(visit)
    else:
        about = visit.orders[visit.current].prepared if visit.orders else _chosen_offer(visit)
    return None if about is None else {"municipality": about.municipality_name, **titles(about, lang)}


def _chosen_offer(visit: Visit) -> Offer | None:
    if visit.choice is None:
        return None
    wanted = (visit.choice.municipality_code, visit.choice.kind)
    return next((offer for offer in visit.offers if (offer.municipality_code, offer.kind) == wanted), None)


def _confirm(visit: Visit, lang: Lang) -> dict[str, Any] | None:
    prepared = [order.prepared for order in visit.orders if order.prepared]
    if visit.state is not State.CONFIRMING or not prepared:
        return None
    first = prepared[0]
    total_yen = sum(order.fee_yen for order in prepared)
    offer = _chosen_offer(visit)
    offered = {item.item for item in offer.items} if offer else set(first.items)
    items = [item for item in in_order(first.kind, first.items) if item != INDIVIDUAL_NUMBER]
    sheets = sum(order.sheets for order in visit.orders)
    return {
        "masked_name": first.masked_requester or visit.masked_name,
        "municipality": first.municipality_name,
        **titles(first, lang),
        "documents": documents(visit, lang),
        "not_added": _not_added(visit, lang),
        "people": list(first.masked_names),
        "everybody": _everybody(visit, first, lang),
        "items_offered": bool(offered - {INDIVIDUAL_NUMBER}),
        "items_shown": [item_name(first.kind, item, lang) for item in items],
        "no_items": no_items(first.kind, lang),
        "number_offered": INDIVIDUAL_NUMBER in offered,
        "number_shown": INDIVIDUAL_NUMBER in first.items,
        "fiscal_year": year_words(first.kind, first.fiscal_year, lang) if first.fiscal_year else None,
        "copies": say("for_one_copy" if len(prepared) == 1 else "for_copies", lang, count=len(prepared)),
        "sheets": sheets_words(sheets, lang),
        "total_yen": total_yen,
        "total": yen_words(total_yen, lang),
        **_pay_words(visit, total_yen, lang),
    }


def _pay_words(visit: Visit, total_yen: int, lang: Lang) -> dict[str, str | None]:
    """Return what the buttons say that pay: with one way the sum, with several the ways; the sum stands above them."""
    ways = methods(visit)
    others = {
        "pay_emoney": say("pay_emoney", lang) if PaymentMethod.EMONEY in ways else None,
        "pay_qr": say("pay_qr", lang) if PaymentMethod.QR in ways else None,
    }
    if any(others.values()):
        return {"pay": say("pay_cash", lang), **others}
    words = say("pay", lang, amount=yen_words(total_yen, lang)) if total_yen else say("receive_free", lang)
    return {"pay": words, **others}


def _not_added(visit: Visit, lang: Lang) -> dict[str, str] | None:
    if visit.not_added is None:
        return None
    words = refusal_words(visit.not_added.code)
    return {"code": visit.not_added.code, "title": pick(words.title, lang), "next": pick(words.next, lang)}


def _everybody(visit: Visit, prepared: PreparedOrder, lang: Lang) -> str | None:
    if visit.choice is None or visit.choice.scope is not Scope.HOUSEHOLD:
        return None
    return scope_words(prepared.kind, Scope.HOUSEHOLD, lang)


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
    return {
        **amounts,
        "words": words,
        "accepting": money.accepting,
        "exact_only": money.exact_only,
        "by_card": money.method is PaymentMethod.EMONEY,
        "in_cash": money.method is PaymentMethod.CASH,
    }


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


def _receipt(visit: Visit, lang: Lang) -> str | None:
    """Say whether a receipt came out, once that is known."""
    if visit.state not in {State.TAKE_PAPER, State.REFUSED}:
        return None
    if visit.receipt is Receipt.WITH_CODE and owes_visibly(visit):
        return say("receipt_has_code", lang)
    if visit.receipt in {Receipt.PRINTED, Receipt.WITH_CODE}:
        return say("receipt_too", lang)
    return say("receipt_missing", lang) if visit.receipt is Receipt.NOT_PRINTED else None


def _closed(visit: Visit, lang: Lang) -> str | None:
    """Say why nobody is served, where the server has a reason that is more than being prepared or checked."""
    if visit.state is not State.OUT_OF_SERVICE:
        return None
    said = (code for code in _CLOSING if f"{SERVER_REFUSES} {code}" in visit.reasons)
    return next((pick(refusal_words(code).what, lang) for code in said), say("closed_for_now", lang))


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
