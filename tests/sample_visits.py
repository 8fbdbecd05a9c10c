"""One invented visit in every state, for the tests of the pages and for looking at them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from printing.paper.records import StatedItem, SupplementaryItem
from protocol.errors import ErrorCode
from protocol.messages import ItemOffer, MemberOffer, Offer, PaymentMethod, PreparedOrder, RefundOffer, Scope
from terminal.visit import (
    Choice,
    CopyOutcome,
    Cut,
    Event,
    Money,
    Order,
    Receipt,
    Refund,
    Refusal,
    State,
    TerminalCode,
    Visit,
)

VISIT_ID = "0123456789abcdef" * 2
PAYMENT_ID = "fedcba9876543210" * 2
CLAIM_CODE = "04H6-2KZC-9W8T-XA3P"
RESIDENCE_ITEMS = ("relationship", "domicile", "previous_address", "individual_number")


def offer(kind: str = "residence", **changes: object) -> Offer:
    fields: dict[str, object] = {
        "municipality_code": "999016",
        "municipality_name": "みなと野市",
        "kind": kind,
        "title": "住民票の写し",
        "fee_yen": 300,
        "refusal": None,
        "available_again": None,
        "scopes": (Scope.SELF, Scope.MEMBERS, Scope.HOUSEHOLD),
        "items": tuple(ItemOffer(item=item, default=False) for item in RESIDENCE_ITEMS),
        "fiscal_years": (),
        "members": tuple(
            MemberOffer(ref=f"m{n}", masked_name=name, is_requester=n == 0)
            for n, name in enumerate(("山● 太●", "山● 花●", "山● 一●", "山● さ●●"))
        ),
    }
    return Offer(**(fields | changes))  # type: ignore[arg-type] # the fields are checked by the tests that use them


TAXATION = offer(
    "taxation",
    title="課税証明書",
    fee_yen=200,
    scopes=(Scope.SELF,),
    items=(),
    fiscal_years=(2025, 2024, 2023),
    members=(),
)
CLOSED_NOW = offer(
    "family_register",
    title="戸籍全部事項証明書",
    fee_yen=450,
    refusal=ErrorCode.NOT_OFFERED_NOW,
    available_again="2026-01-05T09:00:00+09:00",
    scopes=(Scope.SELF,),
    items=(),
    members=(),
)
OFFERS = (offer(), TAXATION, CLOSED_NOW)


def prepared(n: int = 0) -> PreparedOrder:
    return PreparedOrder(
        order_id=f"{n:032x}",
        municipality_code="999016",
        municipality_name="みなと野市",
        kind="residence",
        title="住民票の写し",
        masked_names=("山● 太●", "山● 花●"),
        items=("relationship", "individual_number"),
        fiscal_year=None,
        issue_number="2025-000123",
        sheets=2,
        fee_yen=300,
        pdf_sha256=b"\0" * 32,
        expires_at_utc=datetime(2025, 6, 1, tzinfo=UTC),
    )


PREPARED_TAX = msgspec.structs.replace(
    prepared(2), kind="taxation", title="課税証明書", items=(), masked_names=("山● 太●",), fiscal_year=2025, fee_yen=200
)


def order(n: int = 0, **changes: object) -> Order:
    return replace(Order(f"{n:032x}", prepared(n), sheets=2), **changes)  # type: ignore[arg-type] # as above


NINE = tuple(f"M●●●● H●●●●●●● {'A' * (n % 3)}●●" if n % 2 else "山● 太●" for n in range(9))
MANY_ITEMS = (
    "relationship",
    "nationality",
    "status",
    "card_number",
    "alias_history",
    "previous_address",
    "individual_number",
)
NINE_OFFER = offer(
    members=tuple(MemberOffer(ref=f"m{n}", masked_name=name, is_requester=n == 0) for n, name in enumerate(NINE)),
    items=tuple(ItemOffer(item=item, default=False) for item in MANY_ITEMS),
)
MEMBERS = offer().members
_SELF = (Scope.SELF,)
_ALL_SCOPES = tuple(Scope)
EVERY_KIND: dict[str, Offer] = {
    "residence": offer(),
    "residence_items": offer(
        "residence_items",
        title="住民票記載事項証明書",
        items=tuple(ItemOffer(item=item.value, default=item is StatedItem.ADDRESS) for item in StatedItem),
        least_items=1,
    ),
    "seal_registration": offer("seal_registration", title="印鑑登録証明書", scopes=_SELF, items=(), members=()),
    "income": offer("income", title="所得証明書", scopes=_SELF, items=(), members=(), fiscal_years=(2025, 2024)),
    "taxation": TAXATION,
    "tax_payment": offer("tax_payment", title="納税証明書", scopes=_SELF, items=(), members=(), fiscal_years=(2025,)),
    "family_register": offer(
        "family_register", title="戸籍全部事項証明書", fee_yen=450, scopes=(Scope.HOUSEHOLD,), items=()
    ),
    "family_register_individual": offer(
        "family_register_individual", title="戸籍個人事項証明書", fee_yen=450, scopes=_ALL_SCOPES[:2], items=()
    ),
    "supplementary_register": offer(
        "supplementary_register",
        title="戸籍の附票の写し",
        scopes=_ALL_SCOPES,
        items=tuple(ItemOffer(item=item.value, default=False) for item in SupplementaryItem),
    ),
}
DOMICILE_CODE = "999024"
LONG_NAME = "北みなと野県東虹が丘郡南ほし野川瀬町"  # as long as a county's town in full can be
FAMILY_KINDS = ("family_register", "family_register_individual", "supplementary_register")
TWO_PLACES = tuple(
    msgspec.structs.replace(made, municipality_code=DOMICILE_CODE, municipality_name=LONG_NAME)
    if kind in FAMILY_KINDS
    else made
    for kind, made in EVERY_KIND.items()
)
REFUSED_ALL = tuple(
    msgspec.structs.replace(made, refusal=ErrorCode.NOT_ISSUABLE_HERE, members=()) for made in EVERY_KIND.values()
)
CLOSED_ALL = tuple(
    msgspec.structs.replace(
        made, refusal=ErrorCode.NOT_OFFERED_NOW, available_again="2026-01-05T09:00:00+09:00", members=()
    )
    for made in EVERY_KIND.values()
)
HARD_OFFERS = tuple(
    msgspec.structs.replace(
        made,
        municipality_name=LONG_NAME,
        title="市民税・県民税・森林環境税課税(非課税)証明書" if kind == "taxation" else made.title,
        members=NINE_OFFER.members[:8] if made.members else (),
        fee_yen=800,
    )
    for kind, made in EVERY_KIND.items()
)
CHOICE = Choice("999016", "residence", Scope.SELF, (), (), None, 1)
_PERSON = Visit(
    State.CHOOSING, visit_id=VISIT_ID, certificate_sha256=b"\1" * 32, masked_name="山● 太●", offers=OFFERS, tries_left=3
)


def confirming(made: Offer, scope: Scope, items: tuple[str, ...], people: tuple[str, ...], copies: int = 1) -> Visit:
    """A visit that has one document of an offer prepared."""
    year = max(made.fiscal_years, default=None)
    paper = msgspec.structs.replace(
        prepared(),
        municipality_code=made.municipality_code,
        municipality_name=made.municipality_name,
        kind=made.kind,
        title=made.title,
        masked_names=people,
        items=items,
        fiscal_year=year,
        fee_yen=made.fee_yen,
    )
    return replace(
        _PERSON,
        state=State.CONFIRMING,
        offers=(made,),
        choice=Choice(made.municipality_code, made.kind, scope, (), items, year, copies),
        orders=tuple(Order(f"{n:032x}", paper, sheets=-(-len(people) // 4)) for n in range(copies)),
        payment_id=PAYMENT_ID,
    )


_ORDERED = replace(_PERSON, choice=CHOICE, orders=(order(),), payment_id=PAYMENT_ID)
_NINE_PREPARED = msgspec.structs.replace(prepared(), masked_names=NINE, items=MANY_ITEMS)
_PAYING = replace(_ORDERED, money=Money(PAYMENT_ID, 300))
_PAID = replace(_ORDERED, money=Money(PAYMENT_ID, 300, inserted_yen=500))


def refused(code: str, money: Money | None = None) -> Visit:
    return Visit(State.REFUSED, visit_id=VISIT_ID, refusal=Refusal(code), money=money)


_ALL_WAYS = tuple(PaymentMethod)
_DEBITED = Money(PAYMENT_ID, 600, method=PaymentMethod.EMONEY, inserted_yen=600)


def by_card(state: State, **changes: object) -> Visit:
    """Two copies that a card pays for, of which the second did not come out."""
    orders = (order(outcome=CopyOutcome.PRINTED, sheets_out=2, debited=True), order(1, debited=True))
    visit = replace(_ORDERED, state=state, methods=_ALL_WAYS, orders=orders, current=1, money=_DEBITED)
    return replace(visit, **changes)  # type: ignore[arg-type] # as above


_SELF_NAME = ("山● 太●",)
CONFIRMING: dict[str, Visit] = {
    "confirming_residence_items": confirming(
        EVERY_KIND["residence_items"], Scope.SELF, ("individual_number", "address", "sex"), _SELF_NAME
    ),
    "confirming_seal": confirming(EVERY_KIND["seal_registration"], Scope.SELF, (), _SELF_NAME, 2),
    "confirming_income": confirming(EVERY_KIND["income"], Scope.SELF, (), _SELF_NAME),
    "confirming_taxation": confirming(HARD_OFFERS[4], Scope.SELF, (), _SELF_NAME),
    "confirming_tax_payment": confirming(EVERY_KIND["tax_payment"], Scope.SELF, (), _SELF_NAME),
    "confirming_family": confirming(HARD_OFFERS[6], Scope.HOUSEHOLD, (), NINE[:8]),
    "confirming_individual": confirming(EVERY_KIND["family_register_individual"], Scope.SELF, (), _SELF_NAME),
    "confirming_supplementary": confirming(
        EVERY_KIND["supplementary_register"], Scope.MEMBERS, ("domicile",), ("山● 太●", "山● 花●")
    ),
    "confirming_all_items": confirming(
        HARD_OFFERS[1], Scope.HOUSEHOLD, tuple(item.value for item in StatedItem), NINE[:8], 5
    ),
}

VISITS: dict[str, Visit] = {
    "recovering": Visit(State.RECOVERING, reasons=("recovering DeviceGone",)),
    "after_cut": Visit(
        State.AFTER_CUT,
        visit_id=VISIT_ID,
        payment_id=PAYMENT_ID,
        orders=(Order("0" * 32, sheets=2, outcome=CopyOutcome.PRINTED, journaled_fee_yen=300),),
        money=Money(PAYMENT_ID, 300, inserted_yen=500),
        cut=Cut.SHORT,
        recovered=True,
    ),
    "keeping": Visit(State.KEEPING, payment_id=PAYMENT_ID, money=Money(PAYMENT_ID, 300, inserted_yen=500)),
    "out_of_service": Visit(State.OUT_OF_SERVICE, reasons=(TerminalCode.PRINTER_NOT_READY,)),
    "idle": Visit(State.IDLE),
    "reading": Visit(State.READING, card_on_reader=True),
    "pin": Visit(State.PIN, visit_id=VISIT_ID, tries_left=3, pin_length=2),
    "pin_again": Visit(State.PIN, visit_id=VISIT_ID, tries_left=2, pin_wrong=True),
    "pin_last_try": Visit(State.PIN, visit_id=VISIT_ID, tries_left=1),
    "pin_last_try_confirmed": Visit(State.PIN, visit_id=VISIT_ID, tries_left=1, last_try_confirmed=True),
    "authenticating": Visit(State.AUTHENTICATING, visit_id=VISIT_ID),
    "take_card": replace(_PERSON, state=State.TAKE_CARD),
    "choosing": _PERSON,
    "choosing_nine": replace(_PERSON, offers=(NINE_OFFER, TAXATION)),
    "choosing_every_kind": replace(_PERSON, offers=tuple(EVERY_KIND.values())),
    "choosing_two_places": replace(_PERSON, offers=TWO_PLACES),
    "choosing_hard": replace(_PERSON, offers=HARD_OFFERS),
    "choosing_refused": replace(_PERSON, offers=REFUSED_ALL),
    "choosing_closed": replace(_PERSON, offers=CLOSED_ALL),
    "preparing": replace(_PERSON, state=State.PREPARING, choice=CHOICE),
    "confirming": replace(_ORDERED, state=State.CONFIRMING),
    "confirming_two": replace(_ORDERED, state=State.CONFIRMING, orders=(order(), order(1))),
    "confirming_several": replace(
        _ORDERED, state=State.CONFIRMING, orders=(order(), order(1), order(2, prepared=PREPARED_TAX, sheets=1))
    ),
    "confirming_not_added": replace(
        _ORDERED, state=State.CONFIRMING, not_added=Refusal(ErrorCode.NOT_ISSUABLE_HERE), orders=(order(),)
    ),
    "choosing_more": replace(_ORDERED, state=State.CHOOSING, offers=TWO_PLACES),
    "collecting_one_by_one": replace(_PAYING, state=State.COLLECTING, left_out=2),
    "confirming_nine": replace(
        _ORDERED,
        state=State.CONFIRMING,
        offers=(NINE_OFFER, TAXATION),
        orders=tuple(replace(order(n), prepared=_NINE_PREPARED) for n in range(5)),
    ),
    **CONFIRMING,
    "collecting": replace(_PAYING, state=State.COLLECTING),
    "collecting_some": replace(
        _PAYING, state=State.COLLECTING, money=Money(PAYMENT_ID, 300, exact_only=True, inserted_yen=100)
    ),
    "reserved": replace(_PAID, state=State.RESERVED),
    "granting": replace(_PAID, state=State.GRANTING),
    "printing": replace(_PAID, state=State.PRINTING, orders=(order(), order(1)), sheets_done=1),
    "ask_sheets": replace(_PAID, state=State.ASK_SHEETS),
    "ask_sheets_one": replace(_PAID, state=State.ASK_SHEETS, orders=(order(sheets=1),)),
    "confirming_methods": replace(_ORDERED, state=State.CONFIRMING, methods=_ALL_WAYS),
    "confirming_methods_several": replace(
        _ORDERED,
        state=State.CONFIRMING,
        methods=_ALL_WAYS,
        orders=(order(), order(1), order(2, prepared=PREPARED_TAX, sheets=1)),
    ),
    "showing_code_soon": replace(
        _ORDERED, state=State.SHOWING_CODE, money=Money(PAYMENT_ID, 300, method=PaymentMethod.QR)
    ),
    "showing_code": replace(
        _ORDERED,
        state=State.SHOWING_CODE,
        money=Money(PAYMENT_ID, 300, method=PaymentMethod.QR),
        code_url=f"https://pay.example/{PAYMENT_ID}",
    ),
    "take_paper_code": replace(
        _ORDERED,
        state=State.TAKE_PAPER,
        refusal=Refusal(TerminalCode.PRINT_FAILED),
        orders=(order(outcome=CopyOutcome.PRINTED, sheets_out=2), order(1, outcome=CopyOutcome.FAILED)),
        money=Money(PAYMENT_ID, 600, method=PaymentMethod.QR, inserted_yen=600, captured_yen=300, returned_yen=300),
    ),
    "refused_code": refused(
        TerminalCode.PRINT_FAILED,
        Money(PAYMENT_ID, 300, method=PaymentMethod.QR, inserted_yen=300, returned_yen=300),
    ),
    "debiting": by_card(State.DEBITING),
    "cancelling": by_card(State.CANCELLING, refusal=Refusal(TerminalCode.PRINT_PARTIAL)),
    "after_cut_card": by_card(State.AFTER_CUT, cut=Cut.SHORT),
    "take_paper_after_cut": Visit(
        State.TAKE_PAPER,
        visit_id=PAYMENT_ID,
        payment_id=PAYMENT_ID,
        orders=(Order("o1", sheets=2, outcome=CopyOutcome.PRINTED, journaled_fee_yen=300),),
        money=Money(PAYMENT_ID, 300, inserted_yen=500, captured_yen=300, change_yen=200),
        recovered=True,
    ),
    "take_paper_card": by_card(
        State.TAKE_PAPER,
        current=0,
        money=replace(_DEBITED, inserted_yen=300, captured_yen=300),
        orders=(order(outcome=CopyOutcome.PRINTED, sheets_out=2, debited=True),),
    ),
    "take_paper_card_owed": by_card(
        State.TAKE_PAPER,
        refusal=Refusal(TerminalCode.PRINT_FAILED),
        money=replace(_DEBITED, captured_yen=300, owed_yen=300),
        claim_code=CLAIM_CODE,
    ),
    "take_paper_card_unprocessed": by_card(
        State.TAKE_PAPER,
        refusal=Refusal(TerminalCode.DEBIT_UNPROCESSED),
        money=replace(_DEBITED, captured_yen=300, uncertain_yen=300),
    ),
    "refused_declined": refused(TerminalCode.DEBIT_DECLINED, replace(_DEBITED, inserted_yen=0)),
    "refused_unprocessed": refused(
        TerminalCode.DEBIT_UNPROCESSED, replace(_DEBITED, inserted_yen=300, uncertain_yen=300)
    ),
    "refused_unanswered": refused(
        TerminalCode.DEBIT_UNANSWERED, replace(_DEBITED, inserted_yen=300, uncertain_yen=300)
    ),
    "refused_card_back": refused(TerminalCode.PRINT_FAILED, replace(_DEBITED, inserted_yen=300, returned_yen=300)),
    "capturing": replace(_PAID, state=State.CAPTURING),
    "returning": replace(_PAID, state=State.RETURNING, refusal=Refusal(TerminalCode.CANCELLED)),
    "take_paper": replace(
        _PAID,
        state=State.TAKE_PAPER,
        orders=(order(outcome=CopyOutcome.PRINTED, sheets_out=2),),
        money=Money(PAYMENT_ID, 300, inserted_yen=500, captured_yen=300, change_yen=200),
        receipt=Receipt.PRINTED,
    ),
    "take_paper_one_of_two": replace(
        _PAID,
        state=State.TAKE_PAPER,
        refusal=Refusal(TerminalCode.PRINT_PARTIAL),
        case=True,
        orders=(order(outcome=CopyOutcome.PRINTED, sheets_out=2), order(1, outcome=CopyOutcome.PARTIAL, sheets_out=1)),
        money=Money(PAYMENT_ID, 600, inserted_yen=600, captured_yen=300, change_yen=200, owed_yen=100),
        receipt=Receipt.NOT_PRINTED,
    ),
    "take_paper_owed": replace(
        _PAID,
        state=State.TAKE_PAPER,
        orders=(order(outcome=CopyOutcome.PRINTED, sheets_out=2),),
        money=Money(PAYMENT_ID, 300, inserted_yen=500, captured_yen=300, owed_yen=200),
        claim_code=CLAIM_CODE,
        receipt=Receipt.NOT_PRINTED,
    ),
    "after_cut_code": Visit(
        State.AFTER_CUT,
        visit_id=VISIT_ID,
        payment_id=PAYMENT_ID,
        money=Money(PAYMENT_ID, 0, inserted_yen=500, owed_yen=500),
        cut=Cut.SHORT,
        recovered=True,
        claim_code=CLAIM_CODE,
    ),
    "choosing_refund": replace(
        _PERSON,
        offers=tuple(EVERY_KIND.values()),
        refunds=(RefundOffer(payment_id=PAYMENT_ID, amount_yen=300),),
    ),
    "choosing_refund_review": replace(
        _PERSON, refunds=(RefundOffer(payment_id=PAYMENT_ID, amount_yen=300, in_review=True),)
    ),
    "refund_code": Visit(State.REFUND_CODE, refund=Refund()),
    "refund_code_wrong": Visit(State.REFUND_CODE, refund=Refund(code="AB12C", wrong=1)),
    "claiming": Visit(State.CLAIMING, refund=Refund(code="ABCD" * 4)),
    "paying_out": Visit(State.PAYING_OUT, refund=Refund(amount_yen=300)),
    "paid_out": Visit(State.PAID_OUT, refund=Refund(amount_yen=300, paid_yen=300)),
    "refused_no_refund": replace(refused(ErrorCode.NO_REFUND), refund=Refund(wrong=2)),
    "refused_review": replace(refused(ErrorCode.REFUND_IN_REVIEW), refund=Refund()),
    "refused_no_coins": replace(refused(TerminalCode.NO_COINS), refund=Refund(amount_yen=300)),
    "refused_payout": replace(refused(TerminalCode.PAYOUT_UNCERTAIN), refund=Refund(amount_yen=300)),
    "refused_owed_code": replace(
        refused(TerminalCode.MONEY_UNCERTAIN, Money(PAYMENT_ID, 300, inserted_yen=500, owed_yen=500)),
        payment_id=PAYMENT_ID,
        claim_code=CLAIM_CODE,
        receipt=Receipt.NOT_PRINTED,
    ),
    "refused": refused(ErrorCode.NOT_ISSUABLE_HERE),
    "refused_locked": refused(TerminalCode.PIN_LOCKED),
    "refused_returned": refused(TerminalCode.PRINT_PARTIAL, Money(PAYMENT_ID, 300, inserted_yen=500, returned_yen=500)),
    "refused_owed": refused(TerminalCode.MONEY_UNCERTAIN, Money(PAYMENT_ID, 300, inserted_yen=500, owed_yen=500)),
    "closed": Visit(State.CLOSED),
}


class FakeRunner:
    """A runner without a flow: shows the visit that a test puts there and remembers what is posted."""

    def __init__(self, visit: Visit = VISITS["idle"]) -> None:
        self.posted: deque[Event] = deque()
        self.extended = 0
        self._version = 1
        self._visit = visit
        self._changed = threading.Condition()

    def current(self) -> tuple[int, Visit]:
        with self._changed:
            return self._version, self._visit

    def wait(self, version: int, timeout_s: float) -> tuple[int, Visit]:
        with self._changed:
            self._changed.wait_for(lambda: self._version != version, timeout_s)
            return self._version, self._visit

    def touch(self, event: Event, state: State) -> None:
        with self._changed:
            assert state is self._visit.state
            self.posted.append(event)
            self._changed.notify_all()

    def more_time(self) -> None:
        self.extended += 1

    def show(self, visit: Visit) -> None:
        with self._changed:
            self._visit = visit
            self._version += 1
            self._changed.notify_all()

    def wait_for_posted(self, count: int, timeout_s: float = 10) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.posted) >= count, timeout_s)
