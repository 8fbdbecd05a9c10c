"""One terminal of the demo town: the product's own terminal, with the virtual coin unit behind its payment port.

Beside the kiosk's pages it serves the dock (for people) and two JSON views (for programs that walk visits). None of
that is in a production build: `terminal/` knows nothing of this module.

    python -m deploy.demo.kiosk FOLDER
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

import msgspec
from flask import Blueprint, jsonify, request

from deploy.demo.dock import create_dock
from deploy.demo.emoney_terminal import VirtualEmoney
from deploy.demo.halts import FOLDER, HaltingJournal, Halts, halting
from deploy.demo.pki import TownPki
from deploy.demo.virtual_coins import VirtualCoinUnit
from deploy.demo.world import Directory, Place, World
from terminal.app import KioskServer, create_app
from terminal.config import TerminalConfig, read_config
from terminal.runner import Runner
from terminal.screens.view import view
from terminal.screens.words import Lang
from terminal.start import Terminal, build, log_to_stderr
from terminal.visit import Visit

LONGEST_WAIT_S: Final = 10.0


def main(folder: Path) -> None:
    """Run one terminal until it is told to stop."""
    log_to_stderr()
    config = read_config(folder / "terminal.json")
    place = msgspec.json.decode((folder / "place.json").read_bytes(), type=Place)
    town = (folder / "town").resolve()
    world = World(place, Directory.read(town / "directory.json"), TownPki.open(town / "pki"), folder / "cards")
    terminal = _build(config, folder / FOLDER)
    closing = threading.Event()
    app = create_app(
        terminal.runner,
        origin=f"http://{config.kiosk.host}:{config.kiosk.port}",
        entry_key=place.entry_key,
        frame_ancestors="'self'",
        closing=closing,
    )
    app.register_blueprint(create_dock(world, DemoStaff(terminal.runner)))
    app.register_blueprint(_views(terminal.runner))
    server = KioskServer(app, config.kiosk.port, closing)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: closing.set())
    terminal.start()
    server.start()
    closing.wait()
    world.take_card()
    server.stop()
    terminal.stop()


def _build(config: TerminalConfig, folder: Path) -> Terminal:
    """The product's own terminal; where a judge has made a folder of halts, it stops at their points."""
    if not folder.is_dir():
        return build(config, VirtualCoinUnit, socket_emoney=VirtualEmoney)
    halts = Halts(folder)
    return build(
        config,
        VirtualCoinUnit,
        socket_emoney=VirtualEmoney,
        open_journal=lambda path: HaltingJournal(path, halts),
        around=lambda devices: halting(devices, halts),
    )


class DemoStaff:
    """The staff of the demo's store: a button on the dock."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def cases(self) -> list[str]:
        """Return the cases for which the terminal is out of service."""
        _, visit = self._runner.current()
        return [reason for reason in visit.reasons if reason.startswith("case ")]

    def looked_into(self, sheets_destroyed: int) -> None:
        """Close them."""
        self._runner.close_cases("looked into at the demo's dock", sheets_destroyed)


def _views(runner: Runner) -> Blueprint:
    views = Blueprint("demo", __name__, url_prefix="/demo")

    @views.get("/state")
    def state() -> Any:
        """The screen as JSON; waits for a newer one than `after`, at most timeout_s."""
        after = request.args.get("after", -1, type=int)
        timeout_s = min(request.args.get("timeout_s", 0.0, type=float), LONGEST_WAIT_S)
        version, visit = runner.wait(after, timeout_s)
        return jsonify(version=version, view={**view(visit, Lang.JA), "reasons": list(visit.reasons)})

    @views.get("/report")
    def report() -> Any:
        """What the visit that stands now has come to."""
        _, visit = runner.current()
        return jsonify(orders=_orders(visit), case=visit.case, seconds=runner.seconds())

    return views


def _orders(visit: Visit) -> list[dict[str, Any]]:
    return [
        {
            "order": order.order_id,
            "issue_number": order.prepared.issue_number,
            "kind": order.prepared.kind,
            "municipality": order.prepared.municipality_code,
            "sheets": order.prepared.sheets,
            "fee_yen": order.prepared.fee_yen,
            "verdict": str(order.outcome),
        }
        for order in visit.orders
        if order.prepared is not None
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
