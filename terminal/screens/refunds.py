"""The refund road as the screens show it: a code to write down, one to type, what is due to a card, what came out."""

from __future__ import annotations

from typing import Any

from protocol.codes import CODE_CHARACTERS, CODE_LENGTH, grouped
from protocol.errors import ErrorCode
from terminal.flow import owes_visibly
from terminal.screens.words import Lang, say, yen_words
from terminal.visit import State, TerminalCode, Visit

GROUP_CHARACTERS = 4
#: Refusals of which the code itself is the matter: it is not said to be good still.
_ABOUT_THE_CODE = frozenset({ErrorCode.NO_REFUND, ErrorCode.TOO_MANY_CODES, ErrorCode.REFUND_IN_REVIEW})


def owed(visit: Visit, lang: Lang) -> dict[str, Any] | None:
    """Return the code of what could not be given back, for whoever put it in; None where nobody may see it.

    Shape: amount, code in groups (a list).
    """
    if not owes_visibly(visit) or visit.money is None:
        return None
    return {"amount": yen_words(visit.money.owed_yen, lang), "code": visit.claim_code.split("-")}


def refund(visit: Visit, lang: Lang) -> dict[str, Any] | None:
    """Return what is shown of money from an earlier visit; None where the screen is not about it.

    Shape: of the code's screen: groups, length, of, entered, wrong, keys; later: amount, paid; of the choice: due.
    """
    if visit.state is State.CHOOSING:
        due = [_due(index, visit, lang) for index in range(len(visit.refunds))]
        return {"due": due} if due and not visit.orders else None
    wanted = visit.refund
    if wanted is None:
        return None
    typed = grouped(wanted.code).split("-") if wanted.code else []
    groups = [(*typed, *[""] * 4)[n].ljust(GROUP_CHARACTERS, "_") for n in range(CODE_LENGTH // GROUP_CHARACTERS)]
    return {
        "groups": groups,
        "length": len(wanted.code),
        "of": CODE_LENGTH,
        "entered": say("code_entered", lang, count=len(wanted.code)),
        "wrong": wanted.wrong > 0,
        "keys": list(CODE_CHARACTERS),
        "amount": yen_words(wanted.amount_yen, lang) if wanted.amount_yen else None,
        "paid": yen_words(wanted.paid_yen, lang),
        "paid_yen": wanted.paid_yen,
    }


def refund_words(visit: Visit, lang: Lang) -> str | None:
    """Say where the money is, when a refund was not paid."""
    code = visit.refusal.code if visit.refusal else None
    if visit.state is not State.REFUSED or code in _ABOUT_THE_CODE:
        return None
    return say("refund_looked_at" if code == TerminalCode.PAYOUT_UNCERTAIN else "refund_stays", lang)


def _due(index: int, visit: Visit, lang: Lang) -> dict[str, Any]:
    due = visit.refunds[index]
    amount = yen_words(due.amount_yen, lang)
    return {
        "index": index,
        "amount": amount,
        "take": say("refund_take", lang, amount=amount),
        "in_review": due.in_review,
    }
