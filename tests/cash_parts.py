"""A kiosk's money devices on a real pseudo-terminal, in a process of their own, and the driver in front of them."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.demo.base import REPOSITORY
from deploy.demo.cctalk_unit import BILL_VALIDATOR, HOPPERS, TRAY_ADDRESS, CcTalkWorld
from deploy.demo.cctalk_world import CASHBOX, CUP, HAND, IN_HAND, KNOWN_YEN, hopper_place
from deploy.demo.processes import Process
from terminal.payment.cash import CcTalkCash
from terminal.payment.cash_devices import CashMachine
from terminal.payment.cash_record import Record, fill
from terminal.payment.change import Coins, yen
from terminal.payment.device import CoinUnit, MoneyCounted

FLOAT: Coins = {10: 50, 50: 20, 100: 50, 500: 20}
ALL_IN_HAND_YEN = sum(denomination * IN_HAND for denomination in KNOWN_YEN)
PAY = "a" * 32
OTHER = "b" * 32


class Heard:
    """Collects events and waits for one, with a bound."""

    def __init__(self) -> None:
        self.events: list[MoneyCounted] = []
        self._changed = threading.Condition()

    def __call__(self, event: MoneyCounted) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_for(self, total_yen: int, timeout_s: float = 10) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: bool(self.events) and self.events[-1].total_yen == total_yen, timeout_s
            )


class Kiosk:
    """The devices' process, the world's hands, and as many drivers, one after another, as a test wants."""

    def __init__(self, folder: Path, *, tray: bool = True, cipher: bool = False, crc: bool = False) -> None:
        self._folder = folder
        self.line = folder / "line"
        self._socket = folder / "control"
        self._flags = ["--tray" if tray else "--no-tray"]
        self._flags += ["--bill-crc"] if crc else []
        self._flags += [flag for address in HOPPERS for flag in ("--cipher", str(address)) if cipher]
        self.machine = CashMachine(
            record=folder / "record.json",
            hoppers={address: FLOAT[worth] for address, worth in HOPPERS.items()},
            cipher_hoppers=tuple(HOPPERS) if cipher else (),
            bill_validator=BILL_VALIDATOR,
            bill_checksum="crc" if crc else "simple",
            tray=TRAY_ADDRESS if tray else None,
            drain_s=0.1,
        )
        self.heard = Heard()
        self.process = self._start()
        self.world = CcTalkWorld(str(self._socket))
        self.unit: CoinUnit = self.driver()

    def driver(self) -> CcTalkCash:
        """Return a driver that finds what the one before it has left."""
        self.heard = Heard()
        self.unit = cash = CcTalkCash(str(self.line), self.machine, self.heard)
        return cash

    def driver_that_stops_writing(self, *, after: int, blocked: Path) -> CcTalkCash:
        """Return a driver whose disk takes so many writes, and none until the folder in its way is gone."""
        self.unit.close()
        unit = self.driver()
        kept = unit._file.keep
        writes = itertools.count(1)

        def keep(**changes: Any) -> Record:
            if next(writes) == after + 1:
                blocked.mkdir()
            return kept(**changes)

        unit._file.keep = keep  # type: ignore[method-assign] # the disk fails on cue; the driver is the real one
        return unit

    def kill_devices(self) -> None:
        """End the devices' process at once, and start it again: what a power cut is to them."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.stop()
        self._socket.unlink()
        self.process = self._start()

    def inserted(self, *coins: int) -> None:
        """Put coins in, and wait until the driver has said the last sum."""
        payment = self.unit.check().payment_id
        held_yen = next((e.total_yen for e in reversed(self.heard.events) if e.payment_id == payment), 0)
        for coin in coins:
            assert self.world.insert(coin), f"{coin} yen did not go in"
            held_yen += coin
            assert self.heard.wait_for(held_yen), f"{held_yen} yen were not told of"
        self.unit.check()  # waits for the turn in which the sum was told: at its end the driver shuts what is enough

    def fill(self) -> None:
        """Staff count the hoppers, and the driver begins anew."""
        self.unit.close()
        places = self.world.places()
        counts = {address: places.get(hopper_place(address), {}).get(worth, 0) for address, worth in HOPPERS.items()}
        fill(self.machine.record, counts)
        self.driver()

    def cup_yen(self) -> int:
        """Return what lies in the return cup, by the world's word."""
        return yen(self.world.places().get(CUP, {}))

    def cashbox_yen(self) -> int:
        """Return what lies in the cashbox, by the world's word."""
        return yen(self.world.places().get(CASHBOX, {}))

    def hoppers_yen(self) -> int:
        """Return what lies in the hoppers, by the world's word."""
        return self.world.totals().hoppers_yen

    def spent_yen(self) -> int:
        """Return what the resident no longer has: neither in the hand nor in the cup."""
        places = self.world.places()
        return ALL_IN_HAND_YEN - yen(places[HAND]) - yen(places.get(CUP, {}))

    def conserved(self) -> bool:
        """Tell whether every coin is somewhere."""
        return sum(yen(coins) for coins in self.world.places().values()) == ALL_IN_HAND_YEN + yen(FLOAT)

    def stop(self) -> None:
        """End driver and devices."""
        self.unit.close()
        self.process.stop()

    def _start(self) -> Process:
        process = Process(
            "money devices",
            [
                *(sys.executable, "-m", "deploy.demo.cctalk_unit", "--line", str(self.line)),
                *("--socket", str(self._socket), "--world", str(self._folder / "world.json"), *self._flags),
            ],
            log=self._folder / "unit.log",
            env={"PYTHONPATH": str(REPOSITORY)},
        )
        process.wait_until(self._socket.exists)
        return process


@contextlib.contextmanager
def kiosk(folder: Path, **how: bool) -> Iterator[Kiosk]:
    """A kiosk's money devices until the block ends; whatever happened, no coin is lost."""
    made = Kiosk(folder, **how)
    try:
        yield made
        assert made.conserved()
    finally:
        made.stop()
