"""One invented visit in every state, for the tests of the pages and for looking at them."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from protocol.errors import ErrorCode
from protocol.messages import ItemOffer, MemberOffer, Offer, PreparedOrder, Scope
from terminal.visit import (
    Choice,
    CopyOutcome,
    Event,
    Money,
    Order,
    Refusal,
    State,
    TerminalCode,
    Visit,
)

VISIT_ID = "0123456789abcdef" * 2
PAYMENT_ID = "fedcba9876543210" * 2
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
CHOICE = Choice("999016", "residence", Scope.SELF, (), (), None, 1)
_PERSON = Visit(
    State.CHOOSING, visit_id=VISIT_ID, certificate_sha256=b"\1" * 32, masked_name="山● 太●", offers=OFFERS, tries_left=3
)
_ORDERED = replace(_PERSON, choice=CHOICE, orders=(order(),), payment_id=PAYMENT_ID)
_NINE_PREPARED = msgspec.structs.replace(prepared(), masked_names=NINE, items=MANY_ITEMS)
_PAYING = replace(_ORDERED, money=Money(PAYMENT_ID, 300))
_PAID = replace(_ORDERED, money=Money(PAYMENT_ID, 300, inserted_yen=500))


def refused(code: str, money: Money | None = None) -> Visit:
    return Visit(State.REFUSED, visit_id=VISIT_ID, refusal=Refusal(code), money=money)


VISITS: dict[str, Visit] = {
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
    "preparing": replace(_PERSON, state=State.PREPARING, choice=CHOICE),
    "confirming": replace(_ORDERED, state=State.CONFIRMING),
    "confirming_two": replace(_ORDERED, state=State.CONFIRMING, orders=(order(), order(1))),
    "confirming_nine": replace(
        _ORDERED,
        state=State.CONFIRMING,
        offers=(NINE_OFFER, TAXATION),
        orders=tuple(replace(order(n), prepared=_NINE_PREPARED) for n in range(5)),
    ),
    "collecting": replace(_PAYING, state=State.COLLECTING),
    "collecting_some": replace(
        _PAYING, state=State.COLLECTING, money=Money(PAYMENT_ID, 300, exact_only=True, inserted_yen=100)
    ),
    "reserved": replace(_PAID, state=State.RESERVED),
    "granting": replace(_PAID, state=State.GRANTING),
    "printing": replace(_PAID, state=State.PRINTING, orders=(order(), order(1)), sheets_done=1),
    "ask_sheets": replace(_PAID, state=State.ASK_SHEETS),
    "ask_sheets_one": replace(_PAID, state=State.ASK_SHEETS, orders=(order(sheets=1),)),
    "capturing": replace(_PAID, state=State.CAPTURING),
    "returning": replace(_PAID, state=State.RETURNING, refusal=Refusal(TerminalCode.CANCELLED)),
    "take_paper": replace(
        _PAID,
        state=State.TAKE_PAPER,
        orders=(order(outcome=CopyOutcome.PRINTED, sheets_out=2),),
        money=Money(PAYMENT_ID, 300, inserted_yen=500, captured_yen=300, change_yen=200),
    ),
    "take_paper_one_of_two": replace(
        _PAID,
        state=State.TAKE_PAPER,
        refusal=Refusal(TerminalCode.PRINT_PARTIAL),
        case=True,
        orders=(order(outcome=CopyOutcome.PRINTED, sheets_out=2), order(1, outcome=CopyOutcome.PARTIAL, sheets_out=1)),
        money=Money(PAYMENT_ID, 600, inserted_yen=600, captured_yen=300, change_yen=200, owed_yen=100),
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
