"""One coin unit: the real port over the world's coins, slow, and cut at any coin.

What stays through a cut of its power is what the machine holds and what its driver keeps on a disk: whose money lies in
the tray, and the totals. What a movement had done when the power went is told by the totals alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from terminal.payment.device import (
    DENOMINATIONS_YEN,
    BadAmount,
    ChangeUnavailable,
    Counted,
    DeviceCounters,
    DeviceGone,
    MoneyCounted,
    MoneyOutcomeUnknown,
    PaymentConflict,
    PaymentState,
    PaymentStatus,
    UnitStatus,
)
from tests.simulation.hub import Hub, Process, Reply
from tests.simulation.world import Coins, Lost, Machine, pour, yen

ANSWER_TIMEOUT_S = 10.0
MOVEMENT_TIMEOUT_S = 50.0
COIN_S = 0.3


@dataclass
class _Payment:
    payment_id: str
    due_yen: int
    exact_only: bool
    open: bool = True
    moving: str = ""  # a movement that was begun


class SimCoins:
    """The unit as the terminal's payment lane calls it."""

    def __init__(self, hub: Hub, machine: Machine, terminal: Process) -> None:
        self._hub = hub
        self._machine = machine
        self.terminal = terminal  # whose thread waits for the answer
        self.power = Process("coin unit")
        self.tell: Callable[[MoneyCounted], None] = lambda _: None
        self.payment: _Payment | None = None
        self.moved: dict[str, Counted] = {}
        self.jammed = False
        self.lose_answers = 0
        self._ordered = 0  # movements that are on their way to the unit
        self.lose: Callable[[Lost], None] = lambda _: None
        self.totals = [0, 0, 0, 0, 0]

    # the port; each is carried out by the unit, whatever becomes of whoever asked

    def check(self) -> UnitStatus:
        return self._ask(self._check)  # type: ignore[no-any-return]

    def start(self, payment_id: str, due_yen: int, exact_only: bool = False) -> None:
        self._ask(lambda: self._start(payment_id, due_yen, exact_only))

    def hold(self) -> int:
        return self._ask(self._hold, waits=True)  # type: ignore[no-any-return]

    def capture(self, payment_id: str, capture_yen: int) -> Counted:
        return self._ask(lambda: self._capture(payment_id, capture_yen), moves=True)  # type: ignore[no-any-return]

    def give_back(self, payment_id: str) -> Counted:
        return self._ask(lambda: self._give_back(payment_id), moves=True)  # type: ignore[no-any-return]

    def pay_out(self, payout_id: str, amount_yen: int) -> Counted:
        return self._ask(lambda: self._pay_out(payout_id, amount_yen), moves=True)  # type: ignore[no-any-return]

    def status(self, payment_id: str) -> PaymentStatus:
        return self._ask(lambda: self._status(payment_id))  # type: ignore[no-any-return]

    def counters(self) -> DeviceCounters:
        return self._ask(lambda: DeviceCounters(*self.totals))  # type: ignore[no-any-return]

    def close(self) -> None:
        """The unit stays as it is."""

    def _ask(self, work: Callable[[], object], *, moves: bool = False, waits: bool = False) -> object:
        """Have the unit do it. waits: it takes its time, and needs a thread for it; what moves coins always does."""
        waits = waits or moves
        if not self.power.alive:
            if self.payment is not None:
                self.lose(Lost.MOVEMENT)
            self._hub.sleep(1.0)
            raise DeviceGone("no answer")
        reply = Reply(self._hub, self.terminal)
        lost = self.lose_answers > 0
        self.lose_answers -= lost

        self._ordered += moves

        def serve() -> None:
            self._ordered -= moves
            try:
                value = work()
            except Exception as error:  # noqa: BLE001 - it is the caller's
                reply.fail(error)
                return
            if not lost:
                reply.give(value)

        delay_s = 0.005 + self._hub.random.random() * 0.03
        if waits:
            self._hub.spawn(self.power, serve, delay_s)
        else:
            self._hub.at(self.power, delay_s, serve)
        late = MoneyOutcomeUnknown("no answer") if moves else DeviceGone("no answer")
        return reply.wait(MOVEMENT_TIMEOUT_S if moves else ANSWER_TIMEOUT_S, late)

    # the unit

    def _check(self) -> UnitStatus:
        payment = self.payment
        whose = payment.payment_id if payment else None
        return UnitStatus(ready=True, payment_id=whose, tray_yen=yen(self._machine.tray))

    def _start(self, payment_id: str, due_yen: int, exact_only: bool) -> None:
        if self.payment is not None:
            if (self.payment.payment_id, self.payment.due_yen, self.payment.open) == (payment_id, due_yen, True):
                return
            raise PaymentConflict(f"payment {self.payment.payment_id} is not over")
        if payment_id in self.moved:
            raise PaymentConflict("over")
        if not exact_only and pick(self._machine.hoppers, due_yen) is None:
            raise ChangeUnavailable("no change")
        self.payment = _Payment(payment_id, due_yen, exact_only)

    def _hold(self) -> int:
        if self.payment is None:
            raise PaymentConflict("no payment is open")
        self.payment.open = False
        self._hub.sleep(0.2)
        return yen(self._machine.tray)

    def _own(self, payment_id: str) -> _Payment:
        if self.payment is None or self.payment.payment_id != payment_id:
            raise PaymentConflict(f"payment {payment_id} is not in the tray")
        self.payment.open = False
        return self.payment

    def _capture(self, payment_id: str, capture_yen: int) -> Counted:
        if payment_id in self.moved:
            return self.moved[payment_id]
        payment, held_yen = self._own(payment_id), yen(self._machine.tray)
        if payment.moving:
            # The driver wrote that it began, and what for: it goes on, and pays the change that it does not know of.
            held_yen = self._machine.of(payment_id).inserted_yen
        if not 0 < capture_yen <= held_yen:
            raise BadAmount(f"capture_yen {capture_yen} of {held_yen}")
        payment.moving = "capture"
        self._hub.sleep(COIN_S)
        dropped_yen = pour(self._machine.tray, self._machine.cashbox)
        self._count(payment_id, cashbox_yen=dropped_yen)
        change_yen = held_yen - capture_yen
        paid_yen = self._pay(payment_id, change_yen)
        return self._finish(payment_id, Counted(capture_yen, paid_yen, 0, change_yen - paid_yen))

    def _pay(self, payment_id: str, change_yen: int) -> int:
        coins = pick(self._machine.hoppers, change_yen)
        if coins is None:
            self.lose(Lost.CHANGE)
            return 0
        paid_yen = 0
        for coin_yen in coins.elements():
            self._hub.sleep(COIN_S)
            if self.jammed:
                self.lose(Lost.CHANGE)
                break
            self._machine.hoppers[coin_yen] -= 1
            self._machine.cup[coin_yen] += 1
            self._count(payment_id, change_yen=coin_yen)
            paid_yen += coin_yen
        return paid_yen

    def _give_back(self, payment_id: str) -> Counted:
        if payment_id in self.moved:
            return self.moved[payment_id]
        self._own(payment_id).moving = "return"
        self._hub.sleep(COIN_S)
        returned_yen = pour(self._machine.tray, self._machine.cup)
        self._count(payment_id, returned_yen=returned_yen)
        return self._finish(payment_id, Counted(0, 0, returned_yen, 0))

    def _pay_out(self, payout_id: str, amount_yen: int) -> Counted:
        if payout_id in self.moved:
            return self.moved[payout_id]
        if self.payment is not None:
            raise PaymentConflict("busy")
        if pick(self._machine.hoppers, amount_yen) is None:
            raise ChangeUnavailable("no change")
        self.payment = _Payment(payout_id, amount_yen, exact_only=False, open=False, moving="pay out")
        paid_yen = self._pay(payout_id, amount_yen)
        return self._finish(payout_id, Counted(0, paid_yen, 0, amount_yen - paid_yen))

    def _finish(self, payment_id: str, counted: Counted) -> Counted:
        self.payment = None
        self.totals[4] += 1
        self.moved[payment_id] = counted
        return counted

    def _status(self, payment_id: str) -> PaymentStatus:
        done = self.moved.get(payment_id)
        if done is not None:
            state = PaymentState.CAPTURED if done.captured_yen else PaymentState.ROLLED_BACK
            return PaymentStatus(state, 0, done)
        if self.payment is not None and self.payment.payment_id == payment_id and not self.payment.moving:
            return PaymentStatus(PaymentState.ACTIVE, yen(self._machine.tray), None)
        return PaymentStatus(PaymentState.UNKNOWN, yen(self._machine.tray), None)

    def _count(self, payment_id: str, **moved: int) -> None:
        of_payment = self._machine.of(payment_id)
        for place, (name, amount_yen) in enumerate(
            (name, moved.get(name, 0)) for name in ("inserted_yen", "cashbox_yen", "change_yen", "returned_yen")
        ):
            self.totals[place] += amount_yen
            setattr(of_payment, name, getattr(of_payment, name) + amount_yen)

    # the world's side

    def insert(self, coin_yen: int) -> bool:
        """Put a coin in: True = it lies in the tray, False = it fell through into the cup."""
        payment = self.payment
        if not self.power.alive or payment is None or not self._takes(payment, coin_yen):
            self._machine.cup[coin_yen] += 1
            return False
        self._machine.tray[coin_yen] += 1
        self._count(payment.payment_id, inserted_yen=coin_yen)
        self.totals[4] += 1
        self.tell(MoneyCounted(payment.payment_id, yen(self._machine.tray)))
        return True

    def _takes(self, payment: _Payment, coin_yen: int) -> bool:
        tray_yen = yen(self._machine.tray)
        if not payment.open or tray_yen >= payment.due_yen or coin_yen not in DENOMINATIONS_YEN:
            return False
        total_yen = tray_yen + coin_yen
        if payment.exact_only:
            return total_yen <= payment.due_yen
        over_yen = max(0, total_yen - payment.due_yen)
        return pick(self._machine.hoppers, total_yen) is not None and pick(self._machine.hoppers, over_yen) is not None

    def cut(self) -> None:
        """Power lost: nothing is open any more, and what was moving stands where it is."""
        ordered, self._ordered = self._ordered, 0
        if self.payment is not None:
            self.payment.open = False
            if self.payment.moving or ordered:
                self.lose(Lost.MOVEMENT)
            if self.payment.moving == "pay out":  # nobody's money lies in the tray for it: the totals tell the rest
                self.payment = None
                self.totals[4] += 1

    def up(self) -> None:
        """Power back."""
        self.power = Process("coin unit")

    def empty_by_hand(self) -> None:
        """Staff take what lies in the tray into an envelope, and set the unit back."""
        pour(self._machine.tray, self._machine.envelope)
        self.payment = None
        self.jammed = False


def pick(hoppers: Coins, sum_yen: int) -> Coins | None:
    """Return coins that make up a sum, the largest first; None if there are none."""
    picked: Coins = Coins()
    for coin_yen in sorted((coin for coin, count in hoppers.items() if count > 0), reverse=True):
        count = min(sum_yen // coin_yen, hoppers[coin_yen])
        if count:
            picked[coin_yen] = count
            sum_yen -= coin_yen * count
    return picked if sum_yen == 0 else None
