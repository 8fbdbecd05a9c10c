"""What each event does to a visit: the leaves of `flow.py`'s table, pure, one small function each.

Every function takes the visit and one event of its pair in the table, and returns the next visit and what is to be
done. Money is settled in one place (`settle`), an end without money in another (`stop`).
"""

from __future__ import annotations

from dataclasses import replace

from protocol.messages import PaymentMethod
from terminal import visit as v
from terminal.visit import CopyOutcome, Cut, Effect, Money, Order, Refusal, State, TerminalCode, Visit

Step = tuple[Visit, tuple[Effect, ...]]

PIN_LENGTH = 4
PAID = frozenset({CopyOutcome.PRINTED, CopyOutcome.DECLARED})
#: These say that somebody's paper may not be what it should be: nothing more is issued here until a finding is made.
INTEGRITY = frozenset({TerminalCode.PAPER_MISMATCH, TerminalCode.GRANT_INVALID})


class UnexpectedEvent(Exception):
    """This event cannot happen in this state: a fault of the program or of a device, never of the resident."""

    def __init__(self, state: State, event_name: str) -> None:
        super().__init__(f"{event_name} in {state}")
        self.state = state
        self.event_name = event_name


# Ends


def close_visit(visit: Visit) -> Step:
    """Forget everything but where the cards lie, then look at the devices before the next visit."""
    if visit.recovered:  # there may be another that was interrupted before it
        return recover(visit, None)
    forgotten = Visit(State.CLOSED, card_on_reader=visit.card_on_reader, next_card=visit.next_card)
    return forgotten, (v.PinWipe(), v.ForgetVisit(), v.CheckDevices())


def say_refused(visit: Visit, refusal: Refusal, effects: tuple[Effect, ...]) -> Step:
    """Say what happened; what is known of the person leaves the screen at once."""
    said = replace(visit, state=State.REFUSED, refusal=refusal, sheets_done=0)
    said = replace(said, reissues=(), refunds=(), refund=said.refund and replace(said.refund, code=""))
    return replace(said, masked_name="", offers=(), choice=None, pin_length=0, pin_wrong=False), effects


def void_waiting(visit: Visit) -> tuple[tuple[Order, ...], tuple[Effect, ...]]:
    waiting = tuple(o.order_id for o in visit.orders if o.outcome is CopyOutcome.WAITING)
    orders = tuple(replace(o, outcome=CopyOutcome.VOID) if o.order_id in waiting else o for o in visit.orders)
    return orders, (v.VoidOrders(waiting),) if waiting else ()


def stop(visit: Visit, code: str, tries_left: int | None = None) -> Step:
    """End a visit that holds no money."""
    orders, voids = void_waiting(visit)
    case = code in INTEGRITY
    effects: tuple[Effect, ...] = (*voids, *((v.OpenCase(code),) if case else ()), v.PinWipe())
    return say_refused(replace(visit, orders=orders, case=visit.case or case), Refusal(code, tries_left), effects)


def settle(visit: Visit, code: str | None, effects: tuple[Effect, ...] = ()) -> Step:
    """No more papers: capture for the ones that came out, return the rest."""
    orders, voids = void_waiting(visit)
    money = visit.money
    assert money is not None
    visit = replace(visit, orders=orders, refusal=Refusal(code) if code else None, sheets_done=0)
    if money.method is PaymentMethod.EMONEY:
        return _settle_debits(visit, (*effects, *voids))
    if money.method is PaymentMethod.QR:
        return _settle_code(visit, (*effects, *voids))
    lines = _paid_lines(visit)
    if visit.cut is not None and money.inserted_yen > sum(fee for _, fee in lines):
        return _after_cut(visit, lines, (*effects, *voids))
    if lines:
        capture = v.CaptureMoney(money.payment_id, sum(fee for _, fee in lines), lines)
        return replace(visit, state=State.CAPTURING), (*effects, *voids, capture)
    if money.due_yen > 0:
        returning = replace(visit, state=State.RETURNING, money=replace(money, accepting=False))
        return returning, (*effects, *voids, v.ReturnMoney(money.payment_id))
    return say_refused(visit, Refusal(code or TerminalCode.INTERNAL), (*effects, *voids))


def _settle_debits(visit: Visit, effects: tuple[Effect, ...]) -> Step:
    """What a card paid for a paper that did not come out goes back onto it, if whoever has it may still be there."""
    loose = loose_order(visit)
    if loose is None or visit.cut is Cut.LONG:
        return close_debits(visit, effects)
    if visit.cut is Cut.SHORT:
        return replace(visit, state=State.AFTER_CUT), effects
    cancel = v.CancelDebit(loose.order_id, money_of(visit).payment_id, loose.fee_yen)
    return replace(visit, state=State.CANCELLING, stopping=False), (*effects, cancel)


def loose_order(visit: Visit) -> Order | None:
    """Return the order that a card paid for and that did not come out; there is one at most, since it is the last."""
    return next((order for order in visit.orders if order.debited and order.outcome not in PAID), None)


def loose_yen(visit: Visit) -> int:
    """Return what would go back onto the card."""
    loose = loose_order(visit)
    return loose.fee_yen if loose is not None else 0


def _settle_code(visit: Visit, effects: tuple[Effect, ...]) -> Step:
    """Of what was agreed to the server captures what came out; the rest was never taken."""
    money = money_of(visit)
    printed_yen = sum(fee for _, fee in _paid_lines(visit))
    return close_debits(replace(visit, money=replace(money, returned_yen=money.inserted_yen - printed_yen)), effects)


def close_debits(visit: Visit, effects: tuple[Effect, ...] = ()) -> Step:
    """The payment is over: what was neither earned nor put back onto the card, and is no doubt, is owed."""
    money, lines = money_of(visit), _paid_lines(visit)
    captured_yen = sum(fee for _, fee in lines)
    owed_yen = money.inserted_yen - money.uncertain_yen - money.returned_yen - captured_yen
    visit = replace(visit, money=replace(money, captured_yen=captured_yen, owed_yen=owed_yen))
    closing = v.CloseDebits(money.payment_id, lines, money.returned_yen, owed_yen, money.method)
    return debits_over(visit, (*effects, closing))


def debits_over(visit: Visit, effects: tuple[Effect, ...]) -> Step:
    """Show what came out, or why nothing did."""
    if not came_out(visit):
        return say_refused(visit, _reason(visit), effects)
    visit = replace(visit, state=State.TAKE_PAPER)
    if visit.cut is not Cut.LONG:
        return visit, effects
    closed, closing = leave(visit)
    return closed, (*effects, *closing)


def _paid_lines(visit: Visit) -> tuple[tuple[str, int], ...]:
    return tuple((o.order_id, o.fee_yen) for o in visit.orders if o.outcome in PAID)


# After a cut


def recover(visit: Visit, _: object) -> Step:
    """Look for what was interrupted, before anything else."""
    looking = Visit(State.RECOVERING, card_on_reader=visit.card_on_reader, next_card=visit.next_card)
    return looking, (v.PinWipe(), v.ForgetVisit(), v.Recover())


def _after_cut(visit: Visit, lines: tuple[tuple[str, int], ...], effects: tuple[Effect, ...]) -> Step:
    """Money would come out: only if somebody says so; else it is kept, and owed."""
    if visit.cut is Cut.SHORT:
        return replace(visit, state=State.AFTER_CUT), effects
    return replace(visit, state=State.KEEPING), (*effects, v.KeepMoney(money_of(visit).payment_id, lines))


# Before and between visits


def check(visit: Visit, _: object) -> Step:
    return visit, (v.CheckDevices(),)


def ready(visit: Visit, _: object) -> Step:
    if visit.next_card:
        return Visit(State.READING, card_on_reader=True), (v.ReadCard(),)
    return Visit(State.IDLE, card_on_reader=visit.card_on_reader), ()


def out_of_service(visit: Visit, event: v.DevicesLost) -> Step:
    lost = Visit(
        State.OUT_OF_SERVICE, card_on_reader=visit.card_on_reader, next_card=visit.next_card, reasons=event.reasons
    )
    return lost, ()


def not_forgotten(visit: Visit, event: v.Failed) -> Step:
    """Nobody stands here: whatever failed, the next look at the devices tells whether a visit may begin."""
    return out_of_service(visit, v.DevicesLost((event.code,)))


def note_card(visit: Visit, _: object) -> Step:
    """A card is laid on while this visit needs none: it is the next visit's."""
    return replace(visit, card_on_reader=True, next_card=True), ()


def note_no_card(visit: Visit, _: object) -> Step:
    return replace(visit, card_on_reader=False, next_card=False), ()


# Card and PIN


def read_card(_visit: Visit, _: object) -> Step:
    return Visit(State.READING, card_on_reader=True), (v.ReadCard(),)


def card_read(visit: Visit, event: v.CardReadDone) -> Step:
    visit = replace(visit, visit_id=event.visit_id, certificate_sha256=event.certificate_sha256)
    if event.tries_left == 0:
        return stop(visit, TerminalCode.PIN_LOCKED, 0)
    return replace(visit, state=State.PIN, tries_left=event.tries_left), ()


def unreadable_in_time(visit: Visit, _: object) -> Step:
    return stop(visit, TerminalCode.CARD_UNREADABLE)


def card_gone_early(visit: Visit, _: object) -> Step:
    return close_visit(replace(visit, card_on_reader=False, next_card=False))


def card_swapped(visit: Visit, _: object) -> Step:
    """A card came and none was seen to go: whose PIN stands there is not known."""
    return close_visit(replace(visit, card_on_reader=True, next_card=True))


def card_failed(visit: Visit, event: v.Failed) -> Step:
    if event.code == TerminalCode.CARD_REMOVED:
        return card_gone_early(visit, event)
    return stop(visit, event.code, event.tries_left)


def pin_digit(visit: Visit, event: v.PinDigit) -> Step:
    return replace(visit, pin_wrong=False), (v.PinKey(event.digit),)


def pin_correct(visit: Visit, _: object) -> Step:
    return visit, (v.PinBack(),)


def pin_length(visit: Visit, event: v.PinLengthChanged) -> Step:
    return replace(visit, pin_length=event.length), ()


def confirm_last_try(visit: Visit, _: object) -> Step:
    return replace(visit, last_try_confirmed=visit.tries_left == 1), ()


def pin_ok(visit: Visit, _: object) -> Step:
    if visit.pin_length != PIN_LENGTH or (visit.tries_left == 1 and not visit.last_try_confirmed):
        return visit, ()
    return replace(visit, state=State.AUTHENTICATING, pin_wrong=False), (v.Authenticate(visit.last_try_confirmed),)


def pin_refused(visit: Visit, event: v.PinRefused) -> Step:
    if event.tries_left == 0:
        return stop(visit, TerminalCode.PIN_LOCKED, 0)
    again = replace(visit, state=State.PIN, tries_left=event.tries_left, pin_length=0, last_try_confirmed=False)
    return replace(again, pin_wrong=event.wrong), (v.PinWipe(),)


def authenticated(visit: Visit, event: v.Authenticated) -> Step:
    known = replace(visit, masked_name=event.masked_name, offers=event.offers, pin_length=0, last_try_confirmed=False)
    known = replace(known, reissues=event.reissues, refunds=event.refunds)
    return replace(known, state=State.TAKE_CARD), (v.PinWipe(),)


def card_taken(visit: Visit, _: object) -> Step:
    return replace(visit, state=State.CHOOSING, card_on_reader=False), ()


def card_left(visit: Visit, _: object) -> Step:
    return stop(visit, TerminalCode.CARD_LEFT)


def device_lost(visit: Visit, _: object) -> Step:
    return stop(visit, TerminalCode.OUT_OF_SERVICE)


# Choosing and confirming


def prepared_too_late(visit: Visit, event: v.Prepared) -> Step:
    return visit, (v.VoidOrders(tuple(p.order_id for p in event.orders)),)


def change_choice(visit: Visit, _: object) -> Step:
    _, voids = void_waiting(visit)
    visit = replace(visit, not_added=None, claim_code="")
    return replace(visit, state=State.CHOOSING, choice=None, orders=(), payment_id=""), voids


def methods(visit: Visit) -> tuple[PaymentMethod, ...]:
    """Return how this can be paid for; where nothing is due there is nothing to choose."""
    return visit.methods if any(order.fee_yen for order in visit.orders) else (PaymentMethod.CASH,)


def not_me(visit: Visit, _: object) -> Step:
    stopped, effects = stop(visit, TerminalCode.NOT_ME)
    return stopped, (v.ReportNotMe(), *effects)


def pay(visit: Visit, event: v.Pay) -> Step:
    due_yen = sum(o.prepared.fee_yen for o in visit.orders if o.prepared)
    if event.method not in methods(visit):
        return visit, ()
    visit = replace(visit, money=Money(visit.payment_id, due_yen, method=event.method), not_added=None)
    if due_yen == 0 or event.method is PaymentMethod.EMONEY:
        return request_grant(visit, 0)
    if event.method is PaymentMethod.QR:
        order_ids = tuple(order.order_id for order in visit.orders)
        return replace(visit, state=State.SHOWING_CODE), (v.ShowCode(visit.payment_id, order_ids, due_yen),)
    return replace(visit, state=State.COLLECTING), (v.CollectMoney(visit.payment_id, due_yen, len(visit.orders)),)


# Money in


def collection_opened(visit: Visit, event: v.CollectionOpened) -> Step:
    return replace(visit, money=replace(money_of(visit), accepting=True, exact_only=event.exact_only)), ()


def money_inserted(visit: Visit, event: v.MoneyInserted) -> Step:
    visit = counted(visit, event)[0]
    money = money_of(visit)
    if money.inserted_yen >= money.due_yen:
        return replace(visit, state=State.RESERVED), (v.HoldMoney(),)
    return visit, ()


def counted(visit: Visit, event: v.MoneyInserted) -> Step:
    """A count never falls: events of the device and answers of its calls may overtake one another."""
    money = money_of(visit)
    return replace(visit, money=replace(money, inserted_yen=max(money.inserted_yen, event.total_yen))), ()


def money_held(visit: Visit, event: v.MoneyHeld) -> Step:
    money = money_of(visit)
    visit = replace(visit, money=replace(money, inserted_yen=event.total_yen, accepting=False))
    if event.total_yen < money.due_yen:
        return settle(visit, TerminalCode.PAYMENT_FAILED)
    return request_grant(visit, 0)


def collection_failed(visit: Visit, event: v.Failed) -> Step:
    if money_of(visit).inserted_yen == 0:
        return stop(replace(visit, recovered=True), event.code)  # a unit that said nothing may stand open all the same
    return settle(visit, event.code)


def money_failed(visit: Visit, event: v.Failed) -> Step:
    return settle(visit, event.code)


def hold_timed_out(visit: Visit, _: object) -> Step:
    return settle(visit, TerminalCode.PAYMENT_FAILED)


def money_of(visit: Visit) -> Money:
    assert visit.money is not None
    return visit.money


# One order at a time: grant, print, verdict


def request_grant(visit: Visit, index: int) -> Step:
    visit = replace(visit, state=State.GRANTING, current=index, sheets_done=0)
    return visit, (v.RequestGrant(visit.orders[index].order_id),)


def granted(visit: Visit, _: object) -> Step:
    return replace(visit, state=State.PRINTING), (v.Print(current(visit).order_id),)


def grant_failed(visit: Visit, event: v.Failed) -> Step:
    return without_grant(visit, event.code)


def grant_timed_out(visit: Visit, _: object) -> Step:
    return without_grant(visit, TerminalCode.NETWORK_DOWN)


def without_grant(visit: Visit, code: str) -> Step:
    """The grant will never be used, whether or not the server has made one."""
    order_id = current(visit).order_id
    case = code in INTEGRITY
    effects: tuple[Effect, ...] = (v.AbandonGrant(order_id), *((v.OpenCase(code, order_id),) if case else ()))
    return settle(replace(with_outcome(visit, CopyOutcome.VOID, None), case=visit.case or case), code, effects)


def sheets(visit: Visit, event: v.SheetsProgress) -> Step:
    return replace(visit, sheets_done=max(visit.sheets_done, event.sheets_done)), ()


def print_decided(visit: Visit, event: v.PrintDecided) -> Step:
    order_id = current(visit).order_id
    visit = with_outcome(visit, event.outcome, event.sheets_out)
    report = v.ReportPaper(order_id, event.outcome, event.sheets_out)
    match event.outcome:
        case CopyOutcome.PRINTED if visit.current + 1 < len(visit.orders):
            granting, effects = request_grant(visit, visit.current + 1)
            return granting, (report, *effects)
        case CopyOutcome.PRINTED:
            return settle(visit, None, (report,))
        case CopyOutcome.FAILED:
            return settle(visit, TerminalCode.PRINT_FAILED, (report,))
        case CopyOutcome.PARTIAL:
            code = TerminalCode.PRINT_PARTIAL
            return settle(replace(visit, case=True), code, (report, v.OpenCase(code, order_id)))
        case CopyOutcome.UNKNOWN:
            return replace(visit, state=State.ASK_SHEETS), (report,)
        case _:
            raise UnexpectedEvent(visit.state, f"PrintDecided({event.outcome})")


def print_timed_out(visit: Visit, _: object) -> Step:
    return print_decided(visit, v.PrintDecided(CopyOutcome.UNKNOWN, None))


def not_printed(visit: Visit, event: v.Failed) -> Step:
    """The runner stopped before the release: for certain nothing came out."""
    if event.code == TerminalCode.INTERNAL:  # a fault of the program's own: no word on the paper at all
        return print_decided(visit, v.PrintDecided(CopyOutcome.UNKNOWN, None))
    order_id = current(visit).order_id
    case = event.code in INTEGRITY
    opened: tuple[Effect, ...] = (v.OpenCase(event.code, order_id),) if case else ()
    visit = replace(with_outcome(visit, CopyOutcome.FAILED, 0), case=visit.case or case)
    return settle(visit, event.code, (v.ReportPaper(order_id, CopyOutcome.FAILED, 0), *opened))


def sheets_answered(visit: Visit, event: v.SheetsAnswered) -> Step:
    """A printer in doubt prints no further copy, whatever the answer."""
    order = current(visit)
    visit = replace(visit, cut=None)  # somebody is there
    if not event.all_there:
        return void_unknown(visit, event)
    visit = with_outcome(visit, CopyOutcome.DECLARED, order.sheets)
    more = visit.current + 1 < len(visit.orders)
    report = v.ReportPaper(order.order_id, CopyOutcome.DECLARED, order.sheets)
    return settle(visit, TerminalCode.PRINT_UNKNOWN if more else None, (report,))


def no_answer(visit: Visit, event: object) -> Step:
    return void_unknown(replace(visit, cut=visit.cut and Cut.LONG, alone=True), event)


def void_unknown(visit: Visit, _: object) -> Step:
    order_id = current(visit).order_id
    code = TerminalCode.PRINT_UNKNOWN
    return settle(replace(visit, case=True), code, (v.VoidOrders((order_id,)), v.OpenCase(code, order_id)))


def current(visit: Visit) -> Order:
    return visit.orders[visit.current]


def with_outcome(visit: Visit, outcome: CopyOutcome, sheets_out: int | None) -> Visit:
    decided = replace(current(visit), outcome=outcome, sheets_out=sheets_out)
    orders = tuple(decided if i == visit.current else o for i, o in enumerate(visit.orders))
    return replace(visit, orders=orders)


# Money out


def captured(visit: Visit, event: v.MoneyCaptured) -> Step:
    counted = replace(
        money_of(visit),
        captured_yen=event.captured_yen,
        change_yen=event.change_yen,
        returned_yen=event.returned_yen,
        owed_yen=event.owed_yen,
    )
    visit, effects = closed_account(replace(visit, state=State.TAKE_PAPER), counted)
    if visit.cut is not Cut.LONG:
        return visit, effects
    closed, closing = leave(visit)
    return closed, (*effects, *closing)


def capture_in_doubt(visit: Visit, _: object) -> Step:
    """Never moved again on doubt: the fee is uncertain, what is above it a liability. The paper stays valid."""
    money = money_of(visit)
    fee_yen = min(sum(fee for _, fee in _paid_lines(visit)), money.inserted_yen)
    doubtful = replace(money, uncertain_yen=fee_yen, owed_yen=money.inserted_yen - fee_yen)
    case = v.OpenCase(TerminalCode.MONEY_UNCERTAIN, None, money.payment_id)
    return replace(visit, state=State.TAKE_PAPER, money=doubtful, case=True), (case,)


def returned(visit: Visit, event: v.MoneyReturned) -> Step:
    money = money_of(visit)
    inserted_yen = max(money.inserted_yen, event.held_yen)  # a coin may fall in together with the word to stop
    money = replace(money, inserted_yen=inserted_yen, returned_yen=event.returned_yen, owed_yen=event.owed_yen)
    visit, effects = closed_account(visit, money)
    if visit.cut is not None and money.inserted_yen == 0:  # nothing to say, and nobody asked
        closed, closing = close_visit(visit)
        return closed, (*effects, *closing)
    return say_refused(visit, _reason(visit), effects)


def return_in_doubt(visit: Visit, _: object) -> Step:
    money = money_of(visit)
    visit = replace(visit, money=replace(money, owed_yen=money.inserted_yen), case=True)
    return say_refused(visit, _reason(visit), (v.OpenCase(TerminalCode.MONEY_UNCERTAIN, None, money.payment_id),))


def closed_account(visit: Visit, money: Money) -> Step:
    """Hold the device to its own sum: a coin more is counted in, a coin less is owed, and either way it is a case."""
    out_yen = money.captured_yen + money.change_yen + money.returned_yen + money.owed_yen
    missing_yen = money.inserted_yen - out_yen
    if missing_yen == 0:
        return replace(visit, money=money), ()
    if missing_yen > 0:
        money = replace(money, owed_yen=money.owed_yen + missing_yen)
    else:
        money = replace(money, inserted_yen=out_yen)
    case = v.OpenCase(TerminalCode.MONEY_UNCERTAIN, None, money.payment_id)
    return replace(visit, money=money, case=True), (case,)


def _reason(visit: Visit) -> Refusal:
    return visit.refusal or Refusal(TerminalCode.INTERNAL)


# Stops by hand, by time and by failure


def cancel(visit: Visit, _: object) -> Step:
    return stop(visit, TerminalCode.CANCELLED)


def timed_out(visit: Visit, _: object) -> Step:
    return stop(visit, TerminalCode.TIMED_OUT)


def failed(visit: Visit, event: v.Failed) -> Step:
    return stop(visit, event.code, event.tries_left)


def cancel_payment(visit: Visit, _: object) -> Step:
    return _stop_collecting(visit, TerminalCode.CANCELLED, alone=False)


def payment_timed_out(visit: Visit, _: object) -> Step:
    return _stop_collecting(visit, TerminalCode.TIMED_OUT, alone=True)


def _stop_collecting(visit: Visit, code: str, *, alone: bool) -> Step:
    """Not while the unit is being opened: its answer comes at once, and a return must not overtake the opening."""
    money = money_of(visit)
    return settle(replace(visit, alone=alone), code) if money.accepting or money.inserted_yen else (visit, ())


def end(visit: Visit, _: object) -> Step:
    """Somebody touched the page; after a long cut that may be anybody."""
    return leave(visit) if visit.cut is Cut.LONG else close_visit(visit)


def the_one_paid(visit: Visit) -> Order | None:
    """Return the one paper that came out; None where there are several, since nobody could say which is meant."""
    paid = came_out(visit)
    return paid[0] if len(paid) == 1 else None


def paper_bad(visit: Visit, _: object) -> Step:
    """Blank, smeared or torn: staff destroy it and count its sheets, and what was paid pays for another."""
    order = the_one_paid(visit)
    if order is None:
        return visit, ()
    code = TerminalCode.PAPER_BAD
    return say_refused(replace(visit, case=True), Refusal(code), (v.OpenCase(code, order.order_id),))


def left_alone(visit: Visit, _: object) -> Step:
    """Nobody touched the page."""
    return leave(visit)


def leave(visit: Visit) -> Step:
    """Close where nobody was seen: a paper that came out may lie there for whoever comes next."""
    out = came_out(visit)
    closed, effects = close_visit(visit)
    if not out or visit.refusal == Refusal(TerminalCode.PAPER_BAD):  # of a bad one staff know already
        return closed, effects
    left = v.OpenCase(TerminalCode.PAPER_LEFT, out[-1].order_id, visit_id=visit.visit_id)
    return closed, (left, *effects)


def came_out(visit: Visit) -> tuple[Order, ...]:
    """Return the papers that are whole and paid for."""
    return tuple(order for order in visit.orders if order.outcome in PAID)
