"""What stands at one terminal beside its own process, as parts that can be killed one by one and started again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from deploy.demo import base
from deploy.demo.cupsd import PrivateCupsd
from deploy.demo.ippeveprinter import IppEvePrinter
from deploy.demo.pcscd import PrivatePcscd
from deploy.demo.processes import Process, free_port, listens
from deploy.demo.virtual_printer import VirtualPrinter
from deploy.demo.world import EMONEY_CARD
from terminal.payment.change import Coins

BALANCE_YEN: Final = 5000


class SocketMachine:
    """A simulated machine in a process of its own, reached over one socket."""

    def __init__(self, name: str, command: list[str], control: Path, log: Path) -> None:
        self._name = name
        self._command = [sys.executable, "-m", *command, "--socket", str(control)]
        self._control = control
        self._log = log
        self._process: Process | None = None

    def start(self) -> None:
        """Switch it on."""
        self._control.unlink(missing_ok=True)
        self._process = Process(self._name, self._command, log=self._log, env={"PYTHONPATH": str(base.REPOSITORY)})

    def wait(self) -> None:
        """Wait until hands can reach it. Errors: PartFailed."""
        assert self._process is not None
        self._process.wait_until(self._control.exists)

    def stop(self, *, kill: bool = False) -> None:
        """End it; with kill at once, as a power cut does."""
        if self._process is not None:
            self._process.stop(kill=kill)
            self._process = None


class CoinMachine(SocketMachine):
    """The coin unit's process. On a ccTalk line what lies where survives it; behind a socket it does not."""

    def __init__(self, folder: Path, control: Path, line: Path | None, float_: Coins) -> None:
        """line: where the terminal's end of the ccTalk line is; None = a unit behind its socket."""
        command = ["deploy.demo.virtual_coins"]
        if line is not None:
            command = ["deploy.demo.cctalk_unit", "--line", str(line), "--world", str(folder / "world.json")]
        command += ["--float", msgspec.json.encode(float_).decode()]
        super().__init__("coin unit", command, control, folder / "coins.log")


class EmoneyMachine(SocketMachine):
    """The contract terminal's process, and the cards that are held to it: what was debited survives."""

    def __init__(self, folder: Path, control: Path) -> None:
        cards = ["--cards", str(folder / "emoney.json"), "--balances", f'{{"{EMONEY_CARD}": {BALANCE_YEN}}}']
        super().__init__("contract terminal", ["deploy.demo.emoney_terminal", *cards], control, folder / "emoney.log")


class ReceiptMachine:
    """The receipt printer's process; its slips lie in a tray."""

    def __init__(self, folder: Path, tray: Path) -> None:
        tray.mkdir()
        self._port, self.tray, self._log = free_port(), tray, folder / "receipts.log"
        self._command = [sys.executable, "-m", "deploy.demo.virtual_receipts"]
        self._command += ["--port", str(self._port), "--tray", str(tray)]
        self._process: Process | None = None

    @property
    def address(self) -> str:
        """Where it is, as the terminal's configuration says it."""
        return f"socket://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Switch it on."""
        environment = {"PYTHONPATH": str(base.REPOSITORY)}
        self._process = Process("receipt printer", self._command, log=self._log, env=environment)

    def wait(self) -> None:
        """Wait until it can be reached. Errors: PartFailed."""
        assert self._process is not None
        self._process.wait_until(lambda: listens(self._port))

    def stop(self, *, kill: bool = False) -> None:
        """End it; with kill at once, as a power cut does."""
        if self._process is not None:
            self._process.stop(kill=kill)
            self._process = None


@dataclass(frozen=True)
class Machines:
    """One terminal's surroundings."""

    pcscd: PrivatePcscd
    cupsd: PrivateCupsd
    printer: IppEvePrinter | VirtualPrinter
    coins: CoinMachine
    emoney: EmoneyMachine
    receipts: ReceiptMachine
