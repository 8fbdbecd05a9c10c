"""The money devices of one kiosk on one ccTalk line, simulated: a process of its own, with real bytes and a real world.

Coin acceptor, bill validator with escrow, hoppers and holding tray speak ccTalk on a pseudo-terminal; whoever plays the
world (puts coins in, jams a hopper, cuts the power) speaks JSON lines over a unix socket, one request a connection.
What lies where survives the process.

    python -m deploy.demo.cctalk_unit --line L --socket S --world W [--no-tray] [--bill-crc]
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from deploy.demo.cctalk_devices import BillValidator, CoinAcceptor, Device, HoldingTray, Hopper
from deploy.demo.cctalk_line import Trouble, Wire
from deploy.demo.cctalk_world import CASHBOX, CHUTE, CUP, ESCROW, HAND, STAFF, TRAY, World
from deploy.demo.coin_box import FLOAT, Totals
from deploy.demo.virtual_coins import ask
from terminal.payment.cctalk import Checksum
from terminal.payment.change import Coins
from terminal.payment.device import DENOMINATIONS_YEN, BadAmount, PaymentDeviceError

COIN_ACCEPTOR = 2
BILL_VALIDATOR = 40
TRAY_ADDRESS = 150
HOPPERS = {3: 10, 4: 50, 5: 100, 6: 500}
COINS = {1: (b"JP010A", 10), 2: (b"JP050A", 50), 3: (b"JP100A", 100), 4: (b"JP500A", 500)}
BILLS = {1: (b"JP1000A", 1000), 2: (b"JP2000A", 2000), 3: (b"JP5000A", 5000), 4: (b"JP10000A", 10_000)}
LINE_QUIET_S = 0.05
BUSY_TICK_S = 0.005
LINE_MAX_BYTES = 65_536


class Unit:
    """The devices and the world's hands."""

    def __init__(self, line: Path, world: World, *, tray: bool, bill_crc: bool, cipher: frozenset[int]) -> None:
        self.world = world
        self.coins = CoinAcceptor(world, COIN_ACCEPTOR, COINS, TRAY if tray else CASHBOX)
        self.bills = BillValidator(world, BILL_VALIDATOR, BILLS, Checksum.CRC if bill_crc else Checksum.SIMPLE)
        coins = {worth: name for name, worth in COINS.values()}
        self.hoppers = {
            address: Hopper(world, address, (coins[worth], worth), cipher=address in cipher)
            for address, worth in HOPPERS.items()
        }
        self.tray = HoldingTray(world, TRAY_ADDRESS) if tray else None
        devices: list[Device] = [self.coins, self.bills, *self.hoppers.values(), *([self.tray] if self.tray else [])]
        self._devices = devices
        self.wire = Wire(line, {device.address: device for device in devices}, self.cut)
        self.is_on = True

    def tick(self, now_s: float) -> None:
        """Let time pass in every device."""
        for device in self._devices:
            device.tick(now_s)
        if any(hopper.wants_cut for hopper in self.hoppers.values()):
            self.cut()

    def cut(self) -> None:
        """The power goes and comes back at once."""
        for device in self._devices:
            device.power_up()

    # the world's hands, by the names of the requests

    def insert(self, coins: list[int], *, pulled: bool = False) -> list[bool]:
        """Put coins and notes in, faster than any poll; True for each that went where money is counted."""
        if unknown := [coin for coin in coins if coin not in {*DENOMINATIONS_YEN, 2000, 5000, 10_000}]:
            raise BadAmount(f"there is no {unknown[0]} yen coin or note here")
        return [self._insert(coin, pulled=pulled) for coin in coins]

    def _insert(self, coin_yen: int, *, pulled: bool) -> bool:
        is_note = coin_yen >= 1000
        if not self.is_on:
            if not is_note:
                self.world.move([coin_yen], HAND, CUP)
            return False
        return self.bills.insert(coin_yen, pulled=pulled) if is_note else self.coins.insert(coin_yen)

    def take_cup(self) -> Coins:
        """Take everything out of the return cup."""
        return self._take(CUP, HAND)

    def clear_by_hand(self) -> Coins:
        """Staff open the machine: tray, escrow and chute are emptied, jams are gone, the power is cycled."""
        taken: Coins = {}
        for place in (TRAY, ESCROW, CHUTE):
            for coin, count in self._take(place, STAFF).items():
                taken[coin] = taken.get(coin, 0) + count
        self.coins.fault = self.bills.fault = 0
        self.bills.jam_route = False
        self.jam(jammed=False)
        self.cut()
        return taken

    def _take(self, place: str, target: str) -> Coins:
        taken: Coins = {}
        coins = self.world.coins(place)
        for coin in coins:
            taken[coin] = taken.get(coin, 0) + 1
        self.world.move(coins, place, target)
        return taken

    def totals(self) -> Totals:
        """Return what really happened."""
        return self.world.totals()

    def places(self) -> dict[str, Coins]:
        """Return what lies where."""
        return self.world.places()

    def steal(self, place: str, coin: int, count: int) -> None:
        """Coins are missing where they were counted: a hopper that was filled short."""
        self.world.move([coin] * count, place, STAFF)

    def jam(self, *, jammed: bool) -> None:
        """Jam all hoppers, or clear them."""
        for hopper in self.hoppers.values():
            hopper.jammed = jammed

    def jam_next(self, what: str) -> None:
        """The next coin, route or drop gets stuck."""
        if what == "coin":
            self.coins.jam_next = True
        elif what == "route":
            self.bills.jam_route = True
        else:
            assert self.tray is not None, "there is no tray"
            self.tray.jam_next = True

    def payout(self, address: int, *, jam_after: int | None = None, cut_after: int | None = None) -> None:
        """In this hopper's next payout: a jam, or a cut, after so many coins."""
        self.hoppers[address].jam_after, self.hoppers[address].cut_after = jam_after, cut_after

    def pace(self, coin_s: float) -> None:
        """Let the hoppers take so long for each coin."""
        for hopper in self.hoppers.values():
            hopper.coin_s = coin_s

    def pull_note(self) -> None:
        """Pull the note out of escrow."""
        self.bills.pull_out()

    def cue(self, header: int, trouble: str) -> None:
        """The next frame of a command has this trouble."""
        self.wire.cue(header, Trouble(trouble))

    def uncue(self) -> None:
        """Forget the cues that were not used."""
        self.wire.uncue()
        for hopper in self.hoppers.values():
            hopper.jam_after = hopper.cut_after = None

    def silence_after(self, address: int, header: int) -> None:
        """One device falls silent once it has had this command."""
        self.wire.silence_after(address, header)

    def noise(self, rate: float, seed: int) -> None:
        """Any frame may have trouble."""
        self.wire.noise(rate, seed)

    def power(self, *, on: bool) -> None:
        """Switch everything off, or on again."""
        self.is_on = on
        self.wire.mute = set() if on else {device.address for device in self._devices}
        if on:
            self.cut()

    def mute(self, address: int, *, muted: bool) -> None:
        """One device's plug is pulled, or put in again."""
        (self.wire.mute.add if muted else self.wire.mute.discard)(address)

    def asked(self, address: int, header: int) -> int:
        """Return how many frames of one command the host has sent to one device."""
        return self.wire.asked[address, header]


OPERATIONS = frozenset(name for name in vars(Unit) if not name.startswith("_")) - {"tick"}


class UnitServer:
    """The process: one loop over wire, control socket and time."""

    def __init__(self, unit: Unit, control: Path) -> None:
        self._unit = unit
        control.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(control))
        control.chmod(0o600)
        self._listener.listen(16)
        self._selector = selectors.DefaultSelector()
        self._selector.register(unit.wire, selectors.EVENT_READ, self._hear)
        self._selector.register(self._listener, selectors.EVENT_READ, self._obey)
        self._heard_s = 0.0
        self.stopping = False

    def serve(self) -> None:
        """Run until `stopping`."""
        while not self.stopping:
            ready = self._selector.select(BUSY_TICK_S)
            self._unit.tick(time.monotonic())
            for key, _ in ready:
                act: Callable[[], None] = key.data
                act()
            if not ready and time.monotonic() > self._heard_s + LINE_QUIET_S:
                self._unit.wire.quiet()
        self._listener.close()
        self._unit.wire.close()

    def _hear(self) -> None:
        self._heard_s = time.monotonic()
        self._unit.wire.hear()

    def _obey(self) -> None:
        peer, _ = self._listener.accept()
        peer.settimeout(1.0)
        with peer, contextlib.suppress(OSError, msgspec.DecodeError), peer.makefile("rb") as lines:
            request = msgspec.json.decode(lines.readline(LINE_MAX_BYTES), type=dict[str, Any])
            peer.sendall(msgspec.json.encode(self._answer(request.pop("op"), request)) + b"\n")

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, object]:
        if operation not in OPERATIONS:
            return {"error": "PaymentDeviceError", "detail": f"there is no operation {operation!r}"}
        try:
            return {"ok": getattr(self._unit, operation)(**request)}
        except PaymentDeviceError as error:
            return {"error": type(error).__name__, "detail": str(error)}


class CcTalkWorld:
    """The world's side: the hand that puts coins in, and everything that can happen to a machine."""

    def __init__(self, path: str) -> None:
        self._path = path

    def insert(self, coin_yen: int) -> bool:
        """Put one coin or note in; False = it did not go where money is counted. Errors: BadAmount, DeviceGone."""
        return self.insert_all([coin_yen])[0]

    def insert_all(self, coins: list[int], *, pulled: bool = False) -> list[bool]:
        """Put several in at once."""
        return msgspec.convert(self.ask("insert", coins=coins, pulled=pulled), list[bool])

    def take_cup(self) -> Coins:
        """Take what lies in the return cup: count by denomination."""
        return msgspec.convert(self.ask("take_cup"), Coins, strict=False)

    def totals(self) -> Totals:
        """Return what really happened."""
        return msgspec.convert(self.ask("totals"), Totals, strict=False)

    def places(self) -> dict[str, Coins]:
        """Return what lies where."""
        return msgspec.convert(self.ask("places"), dict[str, Coins], strict=False)

    def jam(self, *, jammed: bool) -> None:
        """Jam the hoppers, or clear them."""
        self.ask("jam", jammed=jammed)

    def ask(self, operation: str, **arguments: object) -> Any:
        """Ask for any of the unit's operations."""
        return ask(self._path, {"op": operation, **arguments})


@click.command()
@click.option("--line", required=True, type=click.Path(path_type=Path), help="Where the terminal's end shall be.")
@click.option("--socket", "control", required=True, type=click.Path(path_type=Path), help="Unix socket of the world.")
@click.option("--world", required=True, type=click.Path(path_type=Path), help="Keep what lies where in this file.")
@click.option("--float", "float_json", default=None, help='Coins in the hoppers, as {"100": 50, ...}.')
@click.option("--tray/--no-tray", default=True, help="Whether coins are held before they are kept.")
@click.option("--bill-crc", is_flag=True, help="The validator checks frames by CRC.")
@click.option("--cipher", multiple=True, type=int, help="Address of a hopper that wants a one-time key.")
def main(
    line: Path,
    control: Path,
    world: Path,
    float_json: str | None,
    *,
    tray: bool,
    bill_crc: bool,
    cipher: tuple[int, ...],
) -> None:
    """Run the simulated devices until they are ended."""
    float_ = FLOAT if float_json is None else msgspec.json.decode(float_json, type=Coins, strict=False)
    filled = {address: (worth, float_.get(worth, 0)) for address, worth in HOPPERS.items()}
    unit = Unit(line, World(world, filled), tray=tray, bill_crc=bill_crc, cipher=frozenset(cipher))
    server = UnitServer(unit, control)
    signal.signal(signal.SIGTERM, lambda *_: setattr(server, "stopping", True))
    server.serve()


if __name__ == "__main__":
    main()
