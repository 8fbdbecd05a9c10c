"""Points at which one process of the demo stops itself, exactly, so that a judge can kill it or another one there.

A point is named for what has just happened, or is about to: "row intent print" (the journal has committed that row),
"before press.release", "after press.release" (the device has answered, and nobody was told yet), "after /v1/events".
A judge arms one point; the first process that comes by takes the arming away, says that it is there, and waits. A
process without a folder of halts never looks for one, and none of this is in a production build.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from terminal.devices import CardDevice, Devices, PressDevice, ReceiptDevice, ServerPort
from terminal.journal import Entry, Intent, Journal, RowKind
from terminal.payment.device import CoinUnit
from terminal.payment.emoney import EmoneyTerminal
from terminal.payment.qr import Codes

FOLDER: Final = "halts"
HALTS_VARIABLE: Final = "MADOGUCHI_DEMO_HALTS"  # tells a server's workers the folder
_POLL_S: Final = 0.005


class Reached(msgspec.Struct, frozen=True):
    """Who waits at the point that was armed."""

    point: str
    pid: int


class Halts:
    """One folder of halts: the judge's side arms and lets go, the process's side comes by."""

    def __init__(self, folder: Path) -> None:
        self._armed = folder / "armed"
        self._reached = folder / "reached"
        self._writing = folder / "writing"
        folder.mkdir(parents=True, exist_ok=True)

    # the judge's side

    def arm(self, point: str) -> None:
        """Let whoever comes to this point first stop there; an earlier arming is over, and who waits goes on to it."""
        somebody_waits = self._reached.exists()
        self._writing.write_text(point)
        self._writing.replace(self._armed)
        if somebody_waits:
            self._reached.unlink()

    def disarm(self) -> None:
        """Nobody stops any more, and who waits goes on."""
        self._armed.unlink(missing_ok=True)
        self._reached.unlink(missing_ok=True)

    def reached(self) -> Reached | None:
        """Return who waits at the armed point."""
        with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
            return msgspec.json.decode(self._reached.read_bytes(), type=Reached)
        return None

    # the process's side

    def at(self, point: str) -> None:
        """Stop here if this point is armed, until the judge lets go."""
        try:
            if self._armed.read_text() != point:
                return
            taken = self._armed.with_name(f"taken-{os.getpid()}-{time.monotonic_ns()}")
            self._armed.rename(taken)
        except FileNotFoundError:
            return
        taken.write_bytes(msgspec.json.encode(Reached(point, os.getpid())))
        taken.replace(self._reached)
        while self._reached.exists():
            time.sleep(_POLL_S)


class HaltingJournal(Journal):
    """The terminal's journal, which stops behind rows that are committed."""

    def __init__(self, path: Path, halts: Halts) -> None:
        super().__init__(path)
        self._halts = halts
        self._acts: dict[int, str] = {row.row: row.body.act for row in self.rows() if isinstance(row.body, Intent)}

    def append(self, *entries: Entry) -> tuple[int, ...]:
        """See the journal; then come by the points of these rows."""
        numbers = super().append(*entries)
        for number, entry in zip(numbers, entries, strict=True):
            if isinstance(entry.body, Intent):
                self._acts[number] = entry.body.act
            act = self._acts.get(number if entry.kind is RowKind.INTENT else entry.of_row or 0, "")
            self._halts.at(" ".join(filter(None, ("row", entry.kind, act))))
        return numbers


class _HaltingPort:
    """A device whose calls stop before they begin and once they have answered."""

    def __init__(self, name: str, port: object, halts: Halts) -> None:
        self._name, self._port, self._halts = name, port, halts

    def __getattr__(self, method: str) -> Callable[..., Any]:
        act: Callable[..., Any] = getattr(self._port, method)

        def call(*args: object, **named: object) -> Any:
            self._halts.at(f"before {self._name}.{method}")
            answer = act(*args, **named)
            self._halts.at(f"after {self._name}.{method}")
            return answer

        return call


def halting(devices: Devices, halts: Halts) -> Devices:
    """Return the same devices with points around each of their calls."""
    return Devices(
        cast(CardDevice, _HaltingPort("card", devices.card, halts)),
        cast(PressDevice, _HaltingPort("press", devices.press, halts)),
        cast(CoinUnit, _HaltingPort("payment", devices.payment, halts)),
        cast(ServerPort, _HaltingPort("server", devices.server, halts)),
        devices.outlet,
        None if devices.emoney is None else cast(EmoneyTerminal, _HaltingPort("emoney", devices.emoney, halts)),
        None if devices.codes is None else cast(Codes, _HaltingPort("codes", devices.codes, halts)),
        None if devices.receipt is None else cast(ReceiptDevice, _HaltingPort("receipt", devices.receipt, halts)),
    )
