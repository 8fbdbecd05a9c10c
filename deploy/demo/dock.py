"""The dock: beside the kiosk's page, a strip that plays the world. Registered by the demo alone.

Put an invented resident's card on, take it off, insert coins, take the change and the paper, look at the papers that
came out. It touches nothing of the terminal's inside: what it does, a hand could do.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from flask import Blueprint, Response, abort, g, jsonify, render_template, request

from deploy.demo.coin_box import Totals
from deploy.demo.tray import DPI, NoSuchPaper, Side, Tray
from deploy.demo.world import CardHolder, Leaves, NoSuchResident
from terminal.payment.change import Coins, yen
from terminal.payment.device import DENOMINATIONS_YEN

QUERY_MAX = 60
LEAVES: tuple[Leaves | None, ...] = (None, "before", "after")
SHEETS_MAX = 99


class DockWorld(Protocol):
    """The hands that the dock moves; deploy.demo.world.World are they."""

    def holder(self, resident_id: str) -> CardHolder:
        """Return who that is. Errors: NoSuchResident."""
        ...

    def put_card(self, resident_id: str) -> None:
        """Put this resident's card on. Errors: NoSuchResident."""
        ...

    def take_card(self) -> None:
        """Take the card off, if one lies there."""
        ...

    def insert_coin(self, yen: int) -> bool:
        """Put a coin in; False = it fell through into the return cup."""
        ...

    def take_cup(self) -> Coins:
        """Take what lies in the return cup."""
        ...

    def money(self) -> Totals:
        """Return what the coin unit counted."""
        ...

    def touch_emoney(self, leaves: Leaves | None = None) -> bool:
        """Hold the e-money card to the contract terminal, or pull it away in the middle; False = it waits for none."""
        ...

    def emoney_yen(self) -> int | None:
        """Return what is on the e-money card; None = nothing here takes one."""
        ...

    def scan_code(self) -> bool:
        """Read the code with a phone and agree to pay; False = there is none."""
        ...

    def wallet_yen(self) -> int | None:
        """Return what is in the phone's wallet; None = nothing here takes it."""
        ...

    def is_suspended(self, resident_id: str) -> bool:
        """Return whether the hotline has suspended a resident's card."""
        ...

    def report(self, resident_id: str, *, lost: bool) -> None:
        """Call the hotline: a card was lost, or is found again."""
        ...

    def papers(self) -> Sequence[Path]:
        """Return the papers that came out, oldest first."""
        ...

    def slips(self) -> Sequence[Path]:
        """Return the receipts that lie there, oldest first."""
        ...

    def take_slips(self) -> None:
        """Take them."""
        ...

    def has_receipt_roll(self) -> bool | None:
        """Tell whether there is paper for receipts; None = nothing here prints any."""
        ...

    def set_receipt_roll(self, *, in_place: bool) -> None:
        """Take the roll out, or lay one in."""
        ...

    def residents(self, query: str) -> Sequence[tuple[str, CardHolder]]:
        """Return residents whose id or name holds the query; without one, those with a story."""
        ...


class Staff(Protocol):
    """What a member of the store's staff can see and say at the terminal."""

    def cases(self) -> Sequence[str]:
        """Return what keeps the terminal closed until somebody has looked into it."""
        ...

    def looked_into(self, sheets_destroyed: int) -> None:
        """Say that printer and money were looked at, and how many sheets were found: the terminal opens again."""
        ...


class Strip:
    """What the strip shows, and the acts behind its buttons."""

    def __init__(self, world: DockWorld, staff: Staff) -> None:
        self._world = world
        self._staff = staff
        self._tray = Tray(world.papers)
        self._lock = threading.Lock()
        self._card_on: tuple[str, CardHolder] | None = None
        self._last: tuple[str, CardHolder] | None = None  # whose card was there last
        self._said = ""

    def page(self) -> str:
        """The kiosk in its frame, and the strip."""
        return render_template(
            "dock.html", token=g.token, denominations=DENOMINATIONS_YEN, found=self._world.residents(""), **self._now()
        )

    def residents(self) -> str:
        """Who may come, by part of an id or a name."""
        query = request.args.get("query", "")[:QUERY_MAX]
        return render_template("dock_residents.html", found=self._world.residents(query))

    def tray(self) -> str:
        """What lies where, now."""
        return render_template("dock_tray.html", **self._now())

    def put_card(self) -> str:
        """Lay a card on the reader."""
        resident_id = request.form.get("resident", "")
        try:
            holder = self._world.holder(resident_id)
            self._world.put_card(resident_id)
        except NoSuchResident:
            abort(404)
        with self._lock:
            self._card_on = self._last = (resident_id, holder)
            self._said = ""
        return self.tray()

    def take_card(self) -> str:
        """Take the card off."""
        self._world.take_card()
        with self._lock:
            self._card_on = None
        return self.tray()

    def hotline(self) -> str:
        """Report the card that was there last as lost, or as found again."""
        with self._lock:
            last = self._last
        if last is None:
            abort(400)
        self._world.report(last[0], lost=not self._world.is_suspended(last[0]))
        return self.tray()

    def coin(self) -> str:
        """Insert one coin or note."""
        coin_yen = request.form.get("yen", 0, type=int)
        if coin_yen not in DENOMINATIONS_YEN:
            abort(400)
        taken = self._world.insert_coin(coin_yen)
        with self._lock:
            self._said = "" if taken else f"¥{coin_yen} fell through into the return cup"
        return self.tray()

    def emoney(self) -> str:
        """Hold the e-money card to the contract terminal."""
        leaves = request.form.get("leaves") or None
        if leaves not in LEAVES:
            abort(400)
        touched = self._world.touch_emoney(leaves)
        with self._lock:
            self._said = "" if touched else "The contract terminal waits for no card"
        return self.tray()

    def scan(self) -> str:
        """Read the code on the screen with a phone."""
        scanned = self._world.scan_code()
        with self._lock:
            self._said = "" if scanned else "No code stands on the screen"
        return self.tray()

    def take_cup(self) -> str:
        """Empty the return cup."""
        taken = self._world.take_cup()
        with self._lock:
            self._said = f"You took ¥{yen(taken)}"
        return self.tray()

    def take_papers(self) -> str:
        """Take the papers out of the tray."""
        self._tray.take()
        return self.tray()

    def take_slips(self) -> str:
        """Take the receipts."""
        self._world.take_slips()
        return self.tray()

    def roll(self) -> str:
        """Take the receipts' roll out, or lay one in."""
        self._world.set_receipt_roll(in_place=not self._world.has_receipt_roll())
        return self.tray()

    def slip(self, name: str) -> Response:
        """One receipt, as a picture."""
        found = next((slip for slip in self._world.slips() if slip.stem == name), None)
        if found is None:
            abort(404)
        return Response(found.read_bytes(), mimetype="image/png")

    def looked_into(self) -> str:
        """Staff have looked into what is in doubt, and say how many sheets they found and destroyed."""
        sheets_destroyed = request.form.get("sheets", -1, type=int)
        if not 0 <= sheets_destroyed <= SHEETS_MAX:
            abort(400)
        self._staff.looked_into(sheets_destroyed)
        return self.tray()

    def sheets(self, number: int) -> Response:
        """How many sheets a paper has."""
        try:
            return jsonify(sheets=self._tray.sheets(number))
        except NoSuchPaper:
            abort(404)

    def side(self, number: int, sheet: int, side: str, dpi: int) -> Response:
        """One side of one sheet, as a picture."""
        try:
            return Response(self._tray.picture(number, sheet, Side(side), dpi), mimetype="image/png")
        except NoSuchPaper:
            abort(404)

    def _now(self) -> dict[str, object]:
        with self._lock:
            card_on, last, said = self._card_on, self._last, self._said
        money = self._world.money()
        return {
            "card_on": card_on and {"id": card_on[0], "name": card_on[1].name, "pin": card_on[1].pin},
            "last": last and {"name": last[1].name, "suspended": self._world.is_suspended(last[0])},
            "said": said,
            "cup": sorted(money.cup.items()),
            "cup_yen": money.cup_yen,
            "wallet_yen": self._world.wallet_yen(),
            "emoney_yen": self._world.emoney_yen(),
            "papers": self._tray.papers(),
            "dpi": DPI,
            "slips": [slip.stem for slip in self._world.slips()],
            "has_roll": self._world.has_receipt_roll(),
            "cases": self._staff.cases(),
        }


def create_dock(world: DockWorld, staff: Staff) -> Blueprint:
    """Return the dock's blueprint; the application around it checks who asks."""
    pages = Path(__file__).with_name("dock_pages")
    dock = Blueprint(
        "dock", __name__, url_prefix="/dock", template_folder=pages / "templates", static_folder=pages / "static"
    )
    strip = Strip(world, staff)
    dock.add_url_rule("", "page", strip.page)
    dock.add_url_rule("/residents", "residents", strip.residents)
    dock.add_url_rule("/tray", "tray", strip.tray)
    dock.add_url_rule("/card", "put_card", strip.put_card, methods=["POST"])
    dock.add_url_rule("/card/take", "take_card", strip.take_card, methods=["POST"])
    dock.add_url_rule("/card/hotline", "hotline", strip.hotline, methods=["POST"])
    dock.add_url_rule("/coin", "coin", strip.coin, methods=["POST"])
    dock.add_url_rule("/code", "scan", strip.scan, methods=["POST"])
    dock.add_url_rule("/emoney", "emoney", strip.emoney, methods=["POST"])
    dock.add_url_rule("/cup/take", "take_cup", strip.take_cup, methods=["POST"])
    dock.add_url_rule("/papers/take", "take_papers", strip.take_papers, methods=["POST"])
    dock.add_url_rule("/receipts/take", "take_slips", strip.take_slips, methods=["POST"])
    dock.add_url_rule("/receipts/roll", "roll", strip.roll, methods=["POST"])
    dock.add_url_rule("/receipt/<name>.png", "slip", strip.slip)
    dock.add_url_rule("/staff", "looked_into", strip.looked_into, methods=["POST"])
    dock.add_url_rule("/paper/<int:number>", "sheets", strip.sheets)
    sides = ",".join(Side)
    dock.add_url_rule(f"/paper/<int:number>/<int:sheet>/<any({sides}):side>/<int:dpi>.png", "side", strip.side)
    return dock
