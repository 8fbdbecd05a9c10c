"""The simulated money devices: what each answers to its commands, what it forgets without power, what jams.

They know the world and nothing of the driver. `power_up` is what a device is after a cut: counters at 0, all positions
inhibited, hoppers disabled; coins stay where they lie. Time comes in by `tick`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from deploy.demo.cctalk_world import CASHBOX, CHUTE, CUP, ESCROW, HAND, TRAY, World, hopper_place
from terminal.payment.cctalk import (
    EVENTS_KEPT,
    HOPPER_ENABLE,
    HOPPER_FAULTS,
    BillEvent,
    BillPlace,
    Checksum,
    CoinError,
    Header,
    HopperFlag,
    Route,
    RouteError,
    TrayAction,
    TrayFlag,
    next_counter,
)

#: Header and data of an answer.
Answer = tuple[Header, bytes]
ACK: Answer = (Header.REPLY, b"")
NAK: Answer = (Header.NAK, b"")
BUSY: Answer = (Header.BUSY, b"")
MASTER_INHIBITED = 0
COIN_INHIBITED = 2
INVALID_BILL = 2
FAULT_ON_CREDIT_SENSOR = 3
FAULT_JAMMED = 14


class Device:
    """What all have in common."""

    checksum = Checksum.SIMPLE

    def __init__(self, world: World, address: int) -> None:
        self.world = world
        self.address = address

    def power_up(self) -> None:
        """Forget what does not outlive a cut."""

    def tick(self, now_s: float) -> None:
        """Let time pass."""

    def handle(self, header: int, data: bytes) -> Answer:
        """Answer one command."""
        command = self.commands().get(header)
        return NAK if command is None else command(data)

    def commands(self) -> dict[int, Callable[[bytes], Answer]]:
        """Return what the device can do."""
        return {Header.SIMPLE_POLL: lambda _: ACK, Header.RESET_DEVICE: self._reset}

    def _reset(self, _: bytes) -> Answer:
        self.power_up()
        return ACK


class Acceptor(Device):
    """Events and inhibits, as a coin acceptor and a bill validator have them."""

    events_header = Header.READ_BUFFERED_CREDIT
    names_header = Header.REQUEST_COIN_ID

    def __init__(self, world: World, address: int, names: dict[int, tuple[bytes, int]]) -> None:
        super().__init__(world, address)
        self.names = names  # position: its id, and what it is worth
        self.fault = 0
        self.power_up()

    def power_up(self) -> None:
        """See the base."""
        self._counter = 0
        self._events = [(0, 0)] * EVENTS_KEPT
        self._mask = 0
        self._accepting = True

    def commands(self) -> dict[int, Callable[[bytes], Answer]]:
        """See the base."""
        return super().commands() | {
            self.events_header: self._read_events,
            self.names_header: self._name,
            Header.REQUEST_INHIBIT_STATUS: lambda _: (Header.REPLY, self._mask.to_bytes(2, "little")),
            Header.MODIFY_INHIBIT_STATUS: self._inhibit,
            Header.MODIFY_MASTER_INHIBIT_STATUS: self._master,
            Header.PERFORM_SELF_CHECK: lambda _: (Header.REPLY, bytes((self.fault,))),
        }

    def position(self, worth_yen: int) -> int | None:
        """Return the position of a coin or note that is open now."""
        for position, (_, yen) in self.names.items():
            if yen == worth_yen and self._accepting and self._mask >> (position - 1) & 1:
                return position
        return None

    def event(self, a: int, b: int) -> None:
        """Note one event; the oldest leaves."""
        self._counter = next_counter(self._counter)
        self._events = [(a, b), *self._events[:-1]]

    def _read_events(self, _: bytes) -> Answer:
        return Header.REPLY, bytes((self._counter, *(byte for pair in self._events for byte in pair)))

    def _name(self, data: bytes) -> Answer:
        name = self.names.get(data[0]) if data else None
        return NAK if name is None else (Header.REPLY, name[0])

    def _inhibit(self, data: bytes) -> Answer:
        self._mask = int.from_bytes(data, "little")
        return ACK

    def _master(self, data: bytes) -> Answer:
        self._accepting = bool(data[0] & 1)
        return ACK


class CoinAcceptor(Acceptor):
    """Coins: into the tray, or straight into the cashbox where there is none."""

    def __init__(self, world: World, address: int, names: dict[int, tuple[bytes, int]], target: str) -> None:
        self._target = target
        self.jam_next = False
        super().__init__(world, address, names)

    def insert(self, coin_yen: int) -> bool:
        """Put a coin in; False = it did not go where money is counted."""
        position = self.position(coin_yen)
        if position is None or self.fault:
            self.event(0, COIN_INHIBITED)
            self.world.move([coin_yen], HAND, CUP)
            return False
        if self.jam_next:
            self.jam_next, self.fault = False, FAULT_ON_CREDIT_SENSOR
            self.world.move([coin_yen], HAND, CHUTE)
            self.event(0, CoinError.CREDIT_SENSOR_TIMEOUT)
            return False
        self.world.move([coin_yen], HAND, self._target)
        self.event(position, 1)
        return True


class BillValidator(Acceptor):
    """Notes, one at a time, with an escrow."""

    events_header = Header.READ_BUFFERED_BILL_EVENTS
    names_header = Header.REQUEST_BILL_ID

    def __init__(self, world: World, address: int, names: dict[int, tuple[bytes, int]], checksum: Checksum) -> None:
        self.checksum = checksum
        self.escrow_timeout_s = 10.0
        self.route_s = 0.05
        self.jam_route = False
        self._routing: tuple[Route, float] | None = None
        super().__init__(world, address, names)

    def power_up(self) -> None:
        """See the base; a note in escrow stays there, one on its way gets there, and the event is forgotten."""
        if self._routing is not None:
            self._carry(self._routing[0])
        super().power_up()
        self._mode = 0
        self._now_s = 0.0
        self._give_back_at_s: float | None = None
        self._routing = None

    def commands(self) -> dict[int, Callable[[bytes], Answer]]:
        """See the base."""
        return super().commands() | {
            Header.MODIFY_BILL_OPERATING_MODE: self._set_mode,
            Header.ROUTE_BILL: self._route,
        }

    def insert(self, note_yen: int, *, pulled: bool = False) -> bool:
        """Put a note in; False = it came back. pulled: the hand does not let go."""
        position = self.position(note_yen)
        if position is None or self.world.coins(ESCROW) or self.fault:
            self.event(0, MASTER_INHIBITED if not self._accepting else INVALID_BILL)
            return False
        if pulled:
            self.event(0, BillEvent.PULLED_BACKWARDS)
            return False
        if not self._mode & 2:
            self.world.move([note_yen], HAND, CASHBOX)
            self.event(position, BillPlace.STACKED)
            return True
        self.world.move([note_yen], HAND, ESCROW)
        self.event(position, BillPlace.IN_ESCROW)
        self._give_back_at_s = self._now_s + self.escrow_timeout_s
        return True

    def pull_out(self) -> None:
        """Somebody pulls the note out of escrow, on a string or by force."""
        self.world.move(self.world.coins(ESCROW), ESCROW, HAND)
        self.event(0, BillEvent.PULLED_BACKWARDS)

    def tick(self, now_s: float) -> None:
        """See the base."""
        self._now_s = now_s
        if self._routing is not None and now_s >= self._routing[1]:
            route, self._routing = self._routing[0], None
            self._carry(route)
        if self._give_back_at_s is not None and now_s >= self._give_back_at_s and self.world.coins(ESCROW):
            self._carry(Route.RETURN)

    def _carry(self, route: Route) -> None:
        self._give_back_at_s = None
        notes = self.world.coins(ESCROW)
        if not notes:
            return
        if route is Route.RETURN:
            self.world.move(notes, ESCROW, CUP)
            self.event(0, BillEvent.RETURNED_FROM_ESCROW)
            return
        self.world.move(notes, ESCROW, CASHBOX)
        self.event(next(p for p, (_, yen) in self.names.items() if yen == notes[0]), BillPlace.STACKED)

    def _set_mode(self, data: bytes) -> Answer:
        self._mode = data[0]
        return ACK

    def _route(self, data: bytes) -> Answer:
        if self._routing is not None:
            return BUSY
        if not self.world.coins(ESCROW):
            return Header.REPLY, bytes((RouteError.ESCROW_EMPTY,))
        route = Route(data[0])
        if route is Route.EXTEND_TIMEOUT:
            self._give_back_at_s = self._now_s + self.escrow_timeout_s
            return ACK
        if self.jam_route:
            return Header.REPLY, bytes((RouteError.FAILED,))
        self._routing = (route, self._now_s + self.route_s)
        return ACK


class Hopper(Device):
    """Pays out one kind of coin."""

    def __init__(self, world: World, address: int, coin: tuple[bytes, int], *, cipher: bool) -> None:
        super().__init__(world, address)
        self._coin = coin
        self._cipher = cipher
        self.serial_number = bytes((address, 0x4D, 0x07))
        self.coin_s = 0.02
        self.jam_after: int | None = None  # coins of the next payout
        self.cut_after: int | None = None  # the same, and then the power goes
        self.jammed = False
        self.power_up()

    def power_up(self) -> None:
        """See the base; paid and unpaid were saved."""
        self._enabled = False
        self._counter = 0
        self._remaining = 0
        self._flags = HopperFlag.POWER_UP
        self._key = b""
        self._next_s = 0.0
        self.wants_cut = False

    def commands(self) -> dict[int, Callable[[bytes], Answer]]:
        """See the base."""
        return super().commands() | {
            Header.REQUEST_HOPPER_COIN: lambda _: (Header.REPLY, self._coin[0]),
            Header.REQUEST_SERIAL_NUMBER: lambda _: (Header.REPLY, self.serial_number),
            Header.TEST_HOPPER: self._test,
            Header.ENABLE_HOPPER: self._enable,
            Header.PUMP_RNG: lambda _: ACK,
            Header.REQUEST_CIPHER_KEY: self._request_key,
            Header.REQUEST_HOPPER_STATUS: self._status,
            Header.DISPENSE_HOPPER_COINS: self._dispense,
        }

    def tick(self, now_s: float) -> None:
        """See the base: one coin at a time."""
        if not self._remaining:
            self._next_s = now_s + self.coin_s
            return
        if now_s < self._next_s:
            return
        self._next_s = now_s + self.coin_s
        paid, unpaid = self.world.payout(self.address)
        worth, place = self._coin[1], hopper_place(self.address)
        if self.jammed or self.jam_after == paid or not self.world.count(place, worth):
            self.jam_after = None
            self._remaining = 0
            self._flags |= HopperFlag.PAYOUT_TIMEOUT
            return
        if self.cut_after == paid:
            self.cut_after, self.wants_cut = None, True
            return
        self._remaining -= 1
        self.world.move([worth], place, CUP, (self.address, paid + 1, unpaid - 1))

    def _test(self, _: bytes) -> Answer:
        flags = self._flags | (HopperFlag(0) if self._enabled else HopperFlag.DISABLED)
        if self.jammed:
            flags |= HopperFlag.PATH_BLOCKED_IDLE
        return Header.REPLY, bytes((flags, 0))

    def _enable(self, data: bytes) -> Answer:
        self._enabled = data == bytes((HOPPER_ENABLE,))
        return ACK

    def _request_key(self, _: bytes) -> Answer:
        self._key = secrets.token_bytes(8)
        return Header.REPLY, self._key

    def _status(self, _: bytes) -> Answer:
        paid, unpaid = self.world.payout(self.address)
        return Header.REPLY, bytes((self._counter, self._remaining, paid, 0 if self._remaining else unpaid))

    def _dispense(self, data: bytes) -> Answer:
        permit, key, self._key = data[:-1], self._key, b""
        allowed = bool(key) and permit == key if self._cipher else permit == self.serial_number
        if not (allowed and self._enabled and data[-1]) or self._remaining or self._flags & HOPPER_FAULTS:
            return NAK
        self._counter = next_counter(self._counter)
        self._remaining = data[-1]
        self.world.move([], HAND, CUP, (self.address, 0, self._remaining))
        return Header.REPLY, bytes((self._counter,))


class HoldingTray(Device):
    """Two flaps and a sensor. A cut while a flap is open: half of what lay there has fallen."""

    def __init__(self, world: World, address: int) -> None:
        super().__init__(world, address)
        self.drop_s = 0.05
        self.jam_next = False
        self._now_s = 0.0
        self._dropping: tuple[TrayAction, float] | None = None
        self.power_up()

    def power_up(self) -> None:
        """See the base."""
        if self._dropping is not None:
            self._fall(self._dropping[0], half=True)
        self._dropping = None
        self._counter = 0
        self._flags = TrayFlag.POWER_UP

    def commands(self) -> dict[int, Callable[[bytes], Answer]]:
        """See the base."""
        return super().commands() | {
            Header.REQUEST_ESCROW_STATUS: self._status,
            Header.OPERATE_ESCROW: self._operate,
        }

    def tick(self, now_s: float) -> None:
        """See the base."""
        self._now_s = now_s
        if self._dropping is not None and now_s >= self._dropping[1]:
            action, self._dropping = self._dropping[0], None
            self._fall(action, half=self.jam_next)
            self._flags |= TrayFlag.JAMMED if self.jam_next else TrayFlag(0)
            self.jam_next = False

    def _fall(self, action: TrayAction, *, half: bool) -> None:
        coins = self.world.coins(TRAY)
        fallen = coins[: len(coins) // 2] if half else coins
        self.world.move(fallen, TRAY, CUP if action is TrayAction.TO_CUP else CASHBOX)

    def _status(self, _: bytes) -> Answer:
        flags = self._flags
        flags |= TrayFlag.NOT_EMPTY if self.world.coins(TRAY) else TrayFlag(0)
        flags |= TrayFlag.MOVING if self._dropping is not None else TrayFlag(0)
        return Header.REPLY, bytes((self._counter, flags))

    def _operate(self, data: bytes) -> Answer:
        action = TrayAction(data[0])
        if self._dropping is not None:
            return BUSY
        if action is TrayAction.HOLD:
            self._flags &= ~(TrayFlag.POWER_UP | TrayFlag.JAMMED)
            return ACK
        self._counter = next_counter(self._counter)
        self._dropping = (action, self._now_s + self.drop_s)
        return ACK
