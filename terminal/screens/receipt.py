"""What stands on a receipt, in Japanese and English: paper has no button for the language. Nothing of a person.

It says what the screen says, so that nobody has to write a code down by hand. Whoever has the slip has the code: it is
on it only where the screen shows it, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Final

from printing.press.slip import Line, Size, Slip
from protocol.messages import PaymentMethod
from terminal.flow import owes_visibly
from terminal.flow_steps import came_out
from terminal.screens.choices import titles
from terminal.screens.view import reference, uncertain_key
from terminal.screens.words import Lang, say, yen_words
from terminal.visit import Money, Order, Visit

_JST: Final = timezone(timedelta(hours=9), "JST")
_RULE: Final = Line(rule=True)
_RECEIPT: Final = "領収書　Receipt"
_REFUND: Final = "返金のご案内　Refund"
_SERVICE: Final = "証明書交付サービス 窓口　Madoguchi"
_MACHINE: Final = "端末　Machine"
_RECORD: Final = "お取引の記録　Record"
_OF_UNKNOWN_TITLE: Final = "証明書"  # of a visit that a power cut ended: the terminal remembers its fee alone
_COPIES: Final = "{title}　{count}通"
_WITH: Final = {
    PaymentMethod.CASH: "お預かり 現金　Cash inserted",
    PaymentMethod.EMONEY: "電子マネー　E-money",
    PaymentMethod.QR: "コード決済　QR payment approved",
}
_CHARGED: Final = "お支払い　Charged"
_CHANGE: Final = "おつり　Change"
_RETURNED: Final = {
    PaymentMethod.CASH: "お返しした金額　Returned",
    PaymentMethod.EMONEY: "カードへお戻し　Put back",
    PaymentMethod.QR: "お引き落としなし　Not taken",
}
_UNCERTAIN: Final = "確認中の金額　Being looked into"
_OWED: Final = "まだお返ししていない金額　Still due"


def slip(visit: Visit, terminal_id: str, at_utc: datetime) -> Slip:
    """Return the receipt of a visit whose payment is over."""
    money = visit.money
    assert money is not None
    at_jst = at_utc.astimezone(_JST)
    return Slip(
        (
            Line(_title(money), size=Size.LARGE, centred=True),
            Line(_SERVICE, size=Size.SMALL, centred=True),
            _RULE,
            Line(f"{at_jst.year}年{at_jst.month}月{at_jst.day}日", f"{at_jst:%H:%M}"),
            Line(_MACHINE, terminal_id, Size.SMALL),
            Line(_both("reference"), reference(visit) or "", Size.SMALL),
            _RULE,
            *_documents(came_out(visit)),
            *_sums(money),
            *_owed(visit),
        )
    )


def _title(money: Money) -> str:
    """It is a receipt for what was charged, and for nothing else."""
    if money.captured_yen:
        return _RECEIPT
    return _REFUND if money.owed_yen else _RECORD


def _both(key: str) -> str:
    return f"{say(key, Lang.JA)}　{say(key, Lang.EN)}"


def _documents(orders: tuple[Order, ...]) -> Iterator[Line]:
    """List what was paid for, copies of one kind together."""
    fees: Counter[tuple[str, str, str]] = Counter()
    counts: Counter[tuple[str, str, str]] = Counter()
    for order in orders:
        one = _named(order)
        fees[one] += order.fee_yen
        counts[one] += 1
    for (issuer, title, english), count in counts.items():
        if issuer:
            yield Line(issuer, size=Size.SMALL)
        fee = yen_words(fees[issuer, title, english], Lang.JA)
        yield Line(_COPIES.format(title=title, count=count), fee)
        yield Line(english, size=Size.SMALL)
    if counts:
        yield _RULE


def _named(order: Order) -> tuple[str, str, str]:
    if order.prepared is None:
        return "", _OF_UNKNOWN_TITLE, say("document", Lang.EN)
    english = titles(order.prepared, Lang.EN)["title"] or ""
    return order.prepared.municipality_name, order.prepared.title, english


def _sums(money: Money) -> Iterator[Line]:
    if money.captured_yen:
        yield Line(_CHARGED, yen_words(money.captured_yen, Lang.JA), Size.LARGE)
    yield Line(_WITH[money.method], yen_words(money.inserted_yen, Lang.JA))
    rest = (
        (_CHANGE, money.change_yen),
        (_RETURNED[money.method], money.returned_yen),
        (_UNCERTAIN, money.uncertain_yen),
        (_OWED, money.owed_yen),
    )
    for words, amount_yen in rest:
        if amount_yen:
            yield Line(words, yen_words(amount_yen, Lang.JA))


def _owed(visit: Visit) -> Iterator[Line]:
    """Say how to get what is due: by the code, where it may be seen, and by the card in any case; and what is open."""
    money = visit.money
    assert money is not None
    if owes_visibly(visit):
        yield _RULE
        yield Line(_both("refund_code"), centred=True)
        yield Line(visit.claim_code, size=Size.LARGE, centred=True)
        yield from _said("receipt_code")
        yield from _said("refund_code_card")
    elif money.owed_yen:
        yield _RULE
        yield from _said("receipt_card")
    if money.uncertain_yen:
        yield _RULE
        yield from _said(uncertain_key(money), money.uncertain_yen)


def _said(key: str, amount_yen: int = 0) -> Iterator[Line]:
    """Say it in both languages, each with the sum in its own words."""
    for lang in (Lang.JA, Lang.EN):
        yield Line(say(key, lang, amount=yen_words(amount_yen, lang)), size=Size.SMALL)
