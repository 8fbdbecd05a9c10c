"""Who stands before the terminals: residents who do what the screen asks, or something else; and staff, later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from protocol.messages import PaymentMethod, Scope
from terminal import visit as v
from terminal.card.results import CardInserted, CardRemoved
from terminal.flow import owes_visibly
from terminal.visit import State, Visit
from tests.issuing_parts import CODE
from tests.simulation.hub import Hub, Process
from tests.simulation.kiosk import Kiosk
from tests.simulation.world import Hands, Lost, Stay, World, pour, yen

PATIENCE_S: Final = 150.0  # with a dark screen, or one that stays
STAFF_S: Final = 30.0
_COINS: Final = ((100, 100, 100), (500,), (1000,), (500, 100), (50, 50, 100, 100), (100, 100, 50, 10, 10, 10, 10, 10))
_PAYING: Final = frozenset({State.DEBITING, State.SHOWING_CODE})


@dataclass(frozen=True)
class Plan:
    """What somebody means to do."""

    copies: int = 1
    adds_document: bool = False
    wrong_pins: int = 0
    changes_choice: bool = False
    cancels_at: State | None = None
    answers_sheets: bool = True
    wait_s: float = 0.3  # how slow these fingers are
    pays: PaymentMethod = PaymentMethod.CASH  # if it is offered


class Resident:
    """One person's stay."""

    def __init__(self, hub: Hub, world: World, kiosk: Kiosk, stay: Stay, plan: Plan) -> None:
        self._hub, self._world, self._kiosk = hub, world, kiosk
        self.stay, self.plan = stay, plan
        self.left: Callable[[], None] = lambda: None
        self.scan: Callable[[str, str], None] = lambda _url, _wallet: None
        self.legs = Process(stay.person.name)
        self._wrong_pins = plan.wrong_pins
        self._coins = list(hub.random.choice(_COINS))
        self._asked_money = False
        self._look = 0
        self._changed_choice = False
        self._added = False
        self._ended = False
        self._begun = False  # the own card was laid on: what the screen shows is about this stay
        self.gone = False

    def arrive(self) -> None:
        """Stand before the terminal."""
        self.stay.begun_s = self._hub.now_s
        pour(self._kiosk.machine.cup, self._kiosk.machine.lost_and_found)  # somebody else's
        self._hub.say(self.stay.person.name, f"comes to terminal {self._kiosk.number}")
        self.see(self._kiosk.shown)

    def see(self, visit: Visit) -> None:
        """The screen has changed: think, then act on what it shows by then."""
        if self.gone:
            return
        if visit.visit_id and self._begun:
            ids = (visit.visit_id, visit.payment_id, *(order.order_id for order in visit.orders))
            self.stay.ids |= {one for one in ids if one}
            if owes_visibly(visit):
                self.stay.claim_code = visit.claim_code  # copied from the screen
        if not self.stay.screens or self.stay.screens[-1] != visit.state:
            self.stay.screens.append(visit.state)
        self._look += 1
        self._hub.at(self.legs, self.plan.wait_s * (0.5 + self._hub.random.random()), self._act, self._look)
        self._hub.at(self.legs, PATIENCE_S, self._lose_patience, self._look)

    def _lose_patience(self, look: int) -> None:
        if look == self._look and not self.gone:
            self.stay.gave_up = self.stay.gave_up or "lost patience"
            self._go("lost patience")

    def _act(self, look: int) -> None:
        if self.gone or look != self._look:
            return
        visit = self._kiosk.shown
        act = self.ACTS.get(visit.state)
        if self._means_to_stop(visit.state) and self._begun:
            self.cancel()
        elif act is not None and (self._begun or visit.state is State.IDLE):
            getattr(self, act.__name__)(visit)

    def _means_to_stop(self, state: State) -> bool:
        """Whoever means to stop while paying does so whichever way it is paid."""
        return (State.COLLECTING if state in _PAYING else state) is self.plan.cancels_at

    # what the screens ask for

    def _idle(self, _visit: Visit) -> None:
        if self._ended or self.stay.cards_read:
            self._go("sees the first screen again")
        elif self._kiosk.reader.owner is None:
            self._begin()
            self._kiosk.reader.owner = self.stay.person
            self._kiosk.reader.tell(CardInserted())

    def _begin(self) -> None:
        self._begun = True
        pour(self._kiosk.machine.cup, self._kiosk.machine.lost_and_found)  # what came out since for whoever had left

    def _dark(self, _visit: Visit) -> None:
        """Out of service: the card is taken back; who has not begun waits."""
        if self._kiosk.reader.owner is self.stay.person:
            self.take_card()
        self._take_all()

    def _after_cut(self, visit: Visit) -> None:
        """Money of the visit that was cut: whoever put it in takes it back."""
        self.take_card()
        if visit.visit_id in self.stay.ids:
            self._kiosk.post(v.TakeBack())

    def _pin(self, visit: Visit) -> None:
        if visit.pin_length:
            return
        if visit.tries_left == 1:
            if not visit.last_try_confirmed:
                self._kiosk.post(v.ConfirmLastTry())
                return
            self._wrong_pins = 0
        pin = self.stay.person.pin
        if self._wrong_pins:
            self._wrong_pins -= 1
            pin = "0000"
        for digit in pin:
            self._kiosk.post(v.PinDigit(digit))
        self._hub.at(self.legs, 0.4, self._press_ok)

    def _press_ok(self) -> None:
        if self._kiosk.shown.state is State.PIN and self._kiosk.shown.pin_length == len(self.stay.person.pin):
            self.stay.person.oks += 1
            self._kiosk.post(v.PinOk())
        elif self._kiosk.shown.state is State.PIN:
            self._hub.at(self.legs, 0.4, self._press_ok)

    def _take_card(self, _visit: Visit) -> None:
        self.take_card()

    def take_card(self) -> None:
        """Take the own card."""
        if self._kiosk.reader.owner is self.stay.person:
            self._kiosk.reader.owner = None
            self._kiosk.reader.tell(CardRemoved())

    def _choose(self, visit: Visit) -> None:
        had = [offer for offer in visit.offers if offer.refusal is None]
        if not had:
            self._kiosk.post(v.Choose(v.Choice(CODE, "residence", Scope.SELF, (), (), None, self.plan.copies)))
            return
        offer = had[-1 if visit.orders else 0]
        items = tuple(item.item for item in offer.items if item.default)
        year = max(offer.fiscal_years, default=None)
        copies = 1 if visit.orders else self.plan.copies
        self._kiosk.post(v.Choose(v.Choice(CODE, offer.kind, offer.scopes[0], (), items, year, copies)))

    def _confirm(self, visit: Visit) -> None:
        mine = masked_by_hand(self.stay.person.name)
        if visit.masked_name != mine or any(o.prepared and o.prepared.masked_names != (mine,) for o in visit.orders):
            self.stay.gave_up = "not me"
            self._kiosk.post(v.NotMe())
        elif self.plan.changes_choice and not self._changed_choice:
            self._changed_choice = True
            self._kiosk.post(v.ChangeChoice())
        elif self.plan.adds_document and not self._added:
            self._added = True
            self._kiosk.post(v.AddDocument())
        else:
            self.stay.wanted = len(visit.orders)
            self.stay.paid_at_s = self._hub.now_s
            self._kiosk.post(v.Pay(self.plan.pays if self.plan.pays in visit.methods else PaymentMethod.CASH))

    def _hold_card(self, visit: Visit) -> None:
        """Hold the e-money card to it; again, if it still asks for it."""
        emoney = self._kiosk.emoney
        assert emoney is not None
        if not visit.stopping:
            emoney.touch(self.stay.person.name, self._debited)
            self._hub.at(self.legs, 2.0, self._hold_again, self._look)

    def _hold_again(self, look: int) -> None:
        if look == self._look and self._kiosk.shown.state in {State.DEBITING, State.CANCELLING}:
            self._hold_card(self._kiosk.shown)

    def _debited(self, cost_yen: int) -> None:
        self.stay.debited_yen += cost_yen

    def _scan(self, visit: Visit) -> None:
        if visit.code_url:
            self.scan(visit.code_url, self.stay.person.name)

    def _collect(self, visit: Visit) -> None:
        money = visit.money
        self.stay.wanted = len(visit.orders)  # fewer where there is no change for several
        if money is None or not money.accepting or money.inserted_yen >= money.due_yen:
            return
        self._insert(money.due_yen - money.inserted_yen)

    def _insert(self, lacking_yen: int) -> None:
        purse = self.stay.person.purse
        wanted_yen = self._coins.pop(0) if self._coins else min(lacking_yen, 100)
        fitting = [coin for coin, count in purse.items() if count and coin <= max(wanted_yen, 10)]
        if not fitting:
            return
        coin_yen = max(fitting)
        purse[coin_yen] -= 1
        self.stay.inserted_yen += coin_yen
        if not self._kiosk.coins.insert(coin_yen):
            self._take_cup()
            self._hub.at(self.legs, 1.0, self._again, self._look)

    def _again(self, look: int) -> None:
        if look == self._look and self._kiosk.shown.state is State.COLLECTING:
            self._collect(self._kiosk.shown)

    def walk_away(self) -> None:
        """Leave for good, with the card, and everything else where it is."""
        self._go("walks away", takes=False)

    def cancel(self) -> None:
        """Touch "stop"."""
        self.stay.gave_up = "cancelled"
        self._kiosk.post(v.Cancel())

    def _sheets(self, visit: Visit) -> None:
        if self.plan.answers_sheets:
            order = visit.orders[visit.current]
            lying = {s.index for s in self._world.outlet(self._kiosk.number) if s.order_id == order.order_id}
            self._kiosk.post(v.SheetsAnswered(len(lying) == order.sheets))
        else:
            self.stay.lost.add(Lost.NOBODY)

    def _end(self, _visit: Visit) -> None:
        self._ended = True
        self.take_card()
        self._take_all()
        self._kiosk.post(v.PaperTaken())
        self._hub.at(self.legs, 0.5, self._go, "is done")

    # what hands do

    def _take_all(self) -> None:
        self._take_cup()
        for sheet in self._world.outlet(self._kiosk.number):
            sheet.hands, sheet.holder, sheet.visit = Hands.TAKEN, self.stay.person.name, self.stay.number

    def _take_cup(self) -> None:
        self.stay.received_yen += pour(self._kiosk.machine.cup, self.stay.person.purse)

    def _go(self, why: str, *, takes: bool = True) -> None:
        if self.gone:
            return
        self._hub.say(self.stay.person.name, why)
        self.take_card()
        if takes and self._begun:
            self._take_all()
        elif not takes:
            pour(self._kiosk.machine.cup, self._kiosk.machine.lost_and_found)
        if why in {"walks away", "lost patience"} or not self._kiosk.power.alive:
            self.stay.lost.add(Lost.NOBODY)
        self.gone = True
        self.stay.ended_s = self._hub.now_s
        self.legs.alive = False
        self.left()

    ACTS: ClassVar[dict[State, Callable[[Any, Visit], None]]] = {
        State.IDLE: _idle,
        State.OUT_OF_SERVICE: _dark,
        State.RECOVERING: _dark,
        State.AFTER_CUT: _after_cut,
        State.PIN: _pin,
        State.TAKE_CARD: _take_card,
        State.CHOOSING: _choose,
        State.CONFIRMING: _confirm,
        State.COLLECTING: _collect,
        State.DEBITING: _hold_card,
        State.CANCELLING: _hold_card,
        State.SHOWING_CODE: _scan,
        State.ASK_SHEETS: _sheets,
        State.TAKE_PAPER: _end,
        State.PAID_OUT: _end,
        State.REFUSED: _end,
    }


class _AnyName(str):
    """Equal to every name, for somebody who does not look."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


ANY_NAME: Final = _AnyName()


def masked_by_hand(name: str) -> str:
    """Return how a name reads on the screen, as somebody knows their own."""
    return " ".join(part[0] + "●" for part in name.split())


class Staff:
    """Come when a terminal stands still, look at paper and money, and say what they found."""

    def __init__(self, hub: Hub, world: World, kiosks: list[Kiosk]) -> None:
        self._hub, self._world, self._kiosks = hub, world, kiosks
        self._feet = Process("staff")
        self._coming: set[int] = set()
        self.found: list[str] = []

    def see(self, number: int, visit: Visit) -> None:
        """A terminal shows something."""
        if number not in self._coming and _needs_staff(visit):
            self._coming.add(number)
            self._hub.at(self._feet, STAFF_S, self._come, number)

    def _come(self, number: int) -> None:
        self._coming.discard(number)
        kiosk = self._kiosks[number]
        if not _needs_staff(kiosk.shown):
            return
        tray_yen = yen(kiosk.machine.tray)
        self._hub.say("staff", f"at terminal {number}: {' '.join(kiosk.shown.reasons)}; {tray_yen} yen in the tray")
        found = self._world.outlet(number)
        for sheet in found:
            sheet.hands = Hands.DESTROYED
        pour(kiosk.machine.cup, kiosk.machine.lost_and_found)
        kiosk.coins.empty_by_hand()
        kiosk.printer.clear()
        self.found.append(f"{number}: {' '.join(kiosk.shown.reasons)}")
        kiosk.close_cases("sheets destroyed, money counted", len(found))
        if "journal-unavailable" in kiosk.shown.reasons:
            kiosk.restart()
        self._hub.at(self._feet, STAFF_S, self.see, number, kiosk.shown)


def _needs_staff(visit: Visit) -> bool:
    said = (
        "journal-unavailable",
        "case",
        "money-held",
        "media-jam",
        "printer-stopped",
        "printer-has-unfinished-jobs",
        "cover-open",
    )
    return visit.state in {State.OUT_OF_SERVICE, State.RECOVERING} and any(
        reason.startswith(said) for reason in visit.reasons
    )
