"""The money devices on one line, each by its own commands; what they answer is decoded, nothing is decided here."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from terminal.payment.cctalk import (
    HOPPER_ENABLE,
    HOPPER_FAULTS,
    BadFrame,
    Checksum,
    Header,
    HopperFlag,
    HopperStatus,
    Route,
    RouteError,
    TrayAction,
    TrayStatus,
    coin_yen,
    hopper_flags,
    hopper_status,
    tray_status,
)
from terminal.payment.device import DeviceGone
from terminal.payment.line import Line, Refused

Address = Annotated[int, msgspec.Meta(ge=2, le=255)]
POSITIONS: Final = 16
SERIAL_NUMBER_BYTES: Final = 3
CIPHER_KEY_BYTES: Final = 8
DISPENSE_MAX_COINS: Final = 255
ESCROW_AND_STACKER: Final = 0b11
T = TypeVar("T")


class CashMachine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands on the line, and the driver's file.

    Shape:  hoppers: how many coins each was first filled with, by address; a hopper says itself which coin it has.
            cipher_hoppers: those that want a one-time key instead of their serial number.
            tray: None where coins fall into the cashbox at once.
    """

    record: Path
    hoppers: dict[Address, Annotated[int, msgspec.Meta(ge=0)]]
    cipher_hoppers: tuple[Address, ...] = ()
    coin_acceptor: Address = 2
    bill_validator: Address = 40
    bill_checksum: Literal["simple", "crc"] = "simple"
    tray: Address | None = 150
    drain_s: Annotated[float, msgspec.Meta(ge=0, le=5)] = 2.0


def decoded(decode: Callable[[bytes], T], answer: bytes) -> T:
    """Decode an answer's data; one that has another shape is no device of ours. Errors: DeviceGone."""
    try:
        return decode(answer)
    except BadFrame as error:
        raise DeviceGone(str(error)) from error


class Acceptor:
    """A coin acceptor or a bill validator: events, inhibits, and what its positions are worth."""

    def __init__(self, line: Line, address: int, events: Header, names: Header, checksum: Checksum) -> None:
        self._line = line
        self._address = address
        self._events = events
        self._names = names
        self._checksum = checksum
        self._yen: dict[int, int] = {}

    def events(self) -> bytes:
        """Return counter and buffer as they are."""
        return self._ask(self._events)

    def began_anew(self) -> bool:
        """Tell whether its power was off since `mark`: then no position is open any more."""
        return not any(self._ask(Header.REQUEST_INHIBIT_STATUS))

    def mark(self) -> None:
        """Close it, with every position marked: a device that began anew has forgotten that."""
        self._ask(Header.MODIFY_MASTER_INHIBIT_STATUS, b"\0")
        self._inhibit(set(self.yen()))

    def open(self, positions: set[int]) -> None:
        """Open these positions alone; with none the mark stays and the master inhibit closes it."""
        if positions:
            self._inhibit(positions)
        self._ask(Header.MODIFY_MASTER_INHIBIT_STATUS, bytes((bool(positions),)))

    def yen(self) -> dict[int, int]:
        """Return what each position takes, for those that are Japanese money."""
        if not self._yen:
            self._yen = {position: yen for position in range(1, POSITIONS + 1) if (yen := self._position_yen(position))}
        return self._yen

    def healthy(self) -> bool:
        """Ask it to check itself."""
        return self._ask(Header.PERFORM_SELF_CHECK)[:1] == b"\0"

    def _position_yen(self, position: int) -> int | None:
        try:
            return coin_yen(self._ask(self._names, bytes((position,))))
        except Refused:
            return None

    def _inhibit(self, positions: set[int]) -> None:
        mask = sum(1 << (position - 1) for position in positions)
        self._ask(Header.MODIFY_INHIBIT_STATUS, mask.to_bytes(2, "little"))

    def _ask(self, header: Header, data: bytes = b"") -> bytes:
        return self._line.ask(self._address, header, data, self._checksum)


class Validator(Acceptor):
    """A bill validator with an escrow for one note."""

    def use_escrow(self) -> None:
        """Hold each note until it is routed."""
        self._ask(Header.MODIFY_BILL_OPERATING_MODE, bytes((ESCROW_AND_STACKER,)))

    def has_note(self) -> bool:
        """Tell whether a note is in escrow, and keep it there for longer."""
        return self._line.ask(*self._route(Route.EXTEND_TIMEOUT)) != bytes((RouteError.ESCROW_EMPTY,))

    def route(self, route: Route) -> bool:
        """Send the note on, once; False = the validator says that it did not. Errors: as Line.order."""
        return self._line.order(*self._route(route)) == b""

    def _route(self, route: Route) -> tuple[int, Header, bytes, Checksum]:
        return self._address, Header.ROUTE_BILL, bytes((route,)), self._checksum


class Hopper:
    """One payout hopper."""

    def __init__(self, line: Line, address: int, *, cipher: bool) -> None:
        self.address = address
        self._line = line
        self._cipher = cipher
        self._yen = 0

    def yen(self) -> int:
        """Return which coin it pays out. Errors: DeviceGone where it is none of Japan's."""
        if not self._yen:
            worth = coin_yen(self._line.ask(self.address, Header.REQUEST_HOPPER_COIN))
            if not worth:
                raise DeviceGone(f"hopper {self.address} pays no Japanese coin")
            self._yen = worth
        return self._yen

    def status(self) -> HopperStatus:
        """Return its word on the last payout."""
        return decoded(hopper_status, self._line.ask(self.address, Header.REQUEST_HOPPER_STATUS))

    def usable(self) -> bool:
        """Tell whether it has no fault."""
        return not self._flags() & HOPPER_FAULTS

    def began_anew(self) -> bool:
        """Tell whether its power was off since `enable`."""
        return HopperFlag.DISABLED in self._flags()

    def enable(self, *, enabled: bool = True) -> None:
        """Allow payouts, or forbid them."""
        self._line.ask(self.address, Header.ENABLE_HOPPER, bytes((HOPPER_ENABLE if enabled else 0,)))

    def permit(self) -> bytes:
        """Return what the next payout must carry: a key that works once, or the hopper's number."""
        if not self._cipher:
            return self._line.ask(self.address, Header.REQUEST_SERIAL_NUMBER)[:SERIAL_NUMBER_BYTES]
        self._line.ask(self.address, Header.PUMP_RNG, secrets.token_bytes(CIPHER_KEY_BYTES))
        return self._line.ask(self.address, Header.REQUEST_CIPHER_KEY)

    def dispense(self, permit: bytes, coins: int) -> None:
        """Order a payout, once. Errors: as Line.order."""
        self._line.order(self.address, Header.DISPENSE_HOPPER_COINS, permit + bytes((coins,)))

    def _flags(self) -> HopperFlag:
        return decoded(hopper_flags, self._line.ask(self.address, Header.TEST_HOPPER))


class Tray:
    """The holding tray: an escrow for coins, with a flap to the cashbox and one to the return cup."""

    def __init__(self, line: Line, address: int) -> None:
        self._line = line
        self._address = address

    def status(self) -> TrayStatus:
        """Return counter and sensor."""
        return decoded(tray_status, self._line.ask(self._address, Header.REQUEST_ESCROW_STATUS))

    def close_flaps(self) -> None:
        """Hold what falls in."""
        self._line.ask(self._address, Header.OPERATE_ESCROW, bytes((TrayAction.HOLD,)))

    def drop(self, action: TrayAction) -> None:
        """Open a flap, once. Errors: as Line.order."""
        self._line.order(self._address, Header.OPERATE_ESCROW, bytes((action,)))


class CashDevices:
    """All devices of one machine."""

    def __init__(self, line: Line, machine: CashMachine) -> None:
        self.line = line
        self.coins = Acceptor(
            line, machine.coin_acceptor, Header.READ_BUFFERED_CREDIT, Header.REQUEST_COIN_ID, Checksum.SIMPLE
        )
        self.bills = Validator(
            line,
            machine.bill_validator,
            Header.READ_BUFFERED_BILL_EVENTS,
            Header.REQUEST_BILL_ID,
            Checksum(machine.bill_checksum),
        )
        self.hoppers = {
            address: Hopper(line, address, cipher=address in machine.cipher_hoppers) for address in machine.hoppers
        }
        self.tray = None if machine.tray is None else Tray(line, machine.tray)
