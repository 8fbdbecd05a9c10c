"""The dock: every button moves a hand of the world, and only the page's own may press it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image
from reportlab.pdfgen.canvas import Canvas

from deploy.demo.coin_box import Totals
from deploy.demo.dock import create_dock
from deploy.demo.pki import Standing
from deploy.demo.tray import NoSuchPaper, Side, Tray, draw
from deploy.demo.virtual_card import CardKind
from deploy.demo.world import CardHolder, Leaves, NoSuchResident
from terminal.app import TOKEN_HEADER, create_app
from terminal.payment.change import Coins, yen
from tests.sample_visits import FakeRunner

ORIGIN = "http://127.0.0.1:8300"


def holder(name: str, what: str | None) -> CardHolder:
    return CardHolder(
        name=name,
        municipality="999016",
        household=(),
        register=(),
        registration=None,
        story="story" if what else None,
        what=what,
        kind=None,
        scope=None,
        document_of=None,
        refusal=None,
        card=CardKind.MY_NUMBER,
        pin="1234",
        tries_left=3,
        certificate_expired=False,
        standing=Standing.GOOD,
        linked=True,
    )


class FakeWorld:
    """A world of two residents that remembers what was done in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acts: list[str] = []
        self.cup: Coins = {}
        self.on_card_yen: int | None = 5000
        self.in_wallet_yen: int | None = 4000
        self.lost: set[str] = set()
        self.has_roll: bool | None = True

    def holder(self, resident_id: str) -> CardHolder:
        found = dict(self.residents(""))
        if resident_id not in found:
            raise NoSuchResident(resident_id)
        return found[resident_id]

    def put_card(self, resident_id: str) -> None:
        self.acts.append(f"put {resident_id}")

    def take_card(self) -> None:
        self.acts.append("take card")

    def insert_coin(self, yen: int) -> bool:
        self.acts.append(f"coin {yen}")
        if yen == 500:
            self.cup[500] = self.cup.get(500, 0) + 1
        return yen != 500

    def take_cup(self) -> Coins:
        self.acts.append("take cup")
        taken, self.cup = self.cup, {}
        return taken

    def slips(self) -> Sequence[Path]:
        return tuple(sorted(self.folder.glob("slip-*.png")))

    def take_slips(self) -> None:
        self.acts.append("take slips")

    def has_receipt_roll(self) -> bool | None:
        return self.has_roll

    def set_receipt_roll(self, *, in_place: bool) -> None:
        self.has_roll = in_place

    def is_suspended(self, resident_id: str) -> bool:
        return resident_id in self.lost

    def report(self, resident_id: str, *, lost: bool) -> None:
        (self.lost.add if lost else self.lost.discard)(resident_id)

    def scan_code(self) -> bool:
        self.acts.append("scan")
        return False

    def wallet_yen(self) -> int | None:
        return self.in_wallet_yen

    def touch_emoney(self, leaves: Leaves | None = None) -> bool:
        self.acts.append(f"touch {leaves}")
        return leaves is None

    def emoney_yen(self) -> int | None:
        return self.on_card_yen

    def money(self) -> Totals:
        return Totals(
            inserted_yen=0,
            cashbox_yen=0,
            change_yen=0,
            returned_yen=0,
            tray_yen=0,
            hoppers_yen=0,
            cup_yen=yen(self.cup),
            cup=self.cup,
        )

    def papers(self) -> Sequence[Path]:
        return sorted(self.folder.glob("*.pdf"))

    def residents(self, query: str) -> Sequence[tuple[str, CardHolder]]:
        everybody = [("r1", holder("山田 <太郎>", "moved out")), ("r2", holder("海野 花子", None))]
        return [entry for entry in everybody if query in entry[0] or query in entry[1].name]


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


class Dock:
    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self.client.get("/dock?key=k", base_url=ORIGIN)
        answer = self.client.get("/dock", base_url=ORIGIN)
        self.page = answer.get_data(as_text=True)
        self.policy = answer.headers["Content-Security-Policy"]
        found = re.search(r'"Kiosk-Token": "([^"]+)"', self.page)
        assert found
        self.token = found[1]

    def get(self, path: str) -> str:
        return self.client.get(path, base_url=ORIGIN).get_data(as_text=True)

    def post(self, path: str, **form: str) -> tuple[int, str]:
        headers = {"Origin": ORIGIN, TOKEN_HEADER: self.token}
        answer = self.client.post(path, base_url=ORIGIN, headers=headers, data=form)
        return answer.status_code, answer.get_data(as_text=True)


class FakeStaff:
    """A terminal with or without an open case."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.sheets_destroyed: int | None = None

    def cases(self) -> list[str]:
        return self.open

    def looked_into(self, sheets_destroyed: int) -> None:
        self.open = []
        self.sheets_destroyed = sheets_destroyed


@pytest.fixture
def staff() -> FakeStaff:
    return FakeStaff()


@pytest.fixture
def dock(world: FakeWorld, staff: FakeStaff) -> Dock:
    app = create_app(FakeRunner(), origin=ORIGIN, entry_key="k", frame_ancestors="'self'")
    app.register_blueprint(create_dock(world, staff))
    return Dock(app)


def test_staff_open_a_terminal_that_a_case_has_closed(dock: Dock, staff: FakeStaff) -> None:
    assert "Looked into" not in dock.get("/dock/tray")
    staff.open = ["case PAPER_LEFT"]
    assert "case PAPER_LEFT" in dock.get("/dock/tray")
    for wrong in ({}, {"sheets": "-1"}, {"sheets": "many"}, {"sheets": "100"}):
        assert dock.post("/dock/staff", **wrong)[0] == 400
    assert staff.open == ["case PAPER_LEFT"]
    assert "Looked into" not in dock.post("/dock/staff", sheets="2")[1]
    assert (staff.open, staff.sheets_destroyed) == ([], 2)


def test_the_e_money_card_is_held_to_the_terminal_or_pulled_away(dock: Dock, world: FakeWorld) -> None:
    assert "¥5000" in dock.get("/dock/tray")
    assert "waits for no card" not in dock.post("/dock/emoney")[1]
    assert "waits for no card" in dock.post("/dock/emoney", leaves="before")[1]
    assert dock.post("/dock/emoney", leaves="never")[0] == 400
    assert world.acts == ["touch None", "touch before"]


def test_a_phone_reads_the_code_on_the_screen(dock: Dock, world: FakeWorld) -> None:
    assert "¥4000" in dock.get("/dock/tray")
    assert "No code stands on the screen" in dock.post("/dock/code")[1]
    assert world.acts == ["scan"]
    world.in_wallet_yen = None
    assert "Read the code" not in dock.get("/dock")


def test_the_hotline_is_called_for_the_card_that_was_there_last(dock: Dock, world: FakeWorld) -> None:
    """Taken off it can be reported, too: in mid-visit it lies in the resident's hand."""
    assert "hotline" not in dock.get("/dock/tray")
    assert dock.post("/dock/card/hotline")[0] == 400
    dock.post("/dock/card", resident="r2")
    dock.post("/dock/card/take")
    assert "It is found" in dock.post("/dock/card/hotline")[1]
    assert world.lost == {"r2"}
    assert "Report it lost" in dock.post("/dock/card/hotline")[1]
    assert world.lost == set()


def test_where_no_card_can_pay_the_dock_has_none(dock: Dock, world: FakeWorld) -> None:
    assert "E-money card" in dock.get("/dock")
    world.on_card_yen = None
    assert "E-money card" not in dock.get("/dock")
    assert "e-money" not in dock.get("/dock/tray")


def paper(path: Path, sheets: int = 1) -> None:
    canvas = Canvas(str(path), pagesize=(210, 297))
    for number in range(2 * sheets):
        canvas.drawString(20, 200, f"page {number}")
        canvas.showPage()
    canvas.save()


def test_the_dock_stands_around_the_kiosk_and_says_what_it_is(dock: Dock) -> None:
    assert '<iframe class="kiosk" src="/"' in dock.page
    assert "invented" in dock.page
    assert "frame-ancestors 'self'" in dock.policy
    assert not re.search(r"<style|style=|<script>|onclick|https?://", dock.page)


def test_a_production_kiosk_has_no_dock() -> None:
    app = create_app(FakeRunner(), origin=ORIGIN, entry_key="k")
    client = app.test_client()
    client.get("/?key=k", base_url=ORIGIN)
    assert client.get("/dock", base_url=ORIGIN).status_code == 404


def test_nobody_presses_the_docks_buttons_from_elsewhere(dock: Dock, world: FakeWorld) -> None:
    answer = dock.client.post("/dock/coin", base_url=ORIGIN, headers={"Origin": ORIGIN}, data={"yen": "100"})
    assert answer.status_code == 403
    dock.client.delete_cookie("kiosk", domain="127.0.0.1")
    assert dock.client.get("/dock/tray", base_url=ORIGIN).status_code == 403
    assert world.acts == []


def test_a_card_is_put_on_and_taken_off(dock: Dock, world: FakeWorld) -> None:
    lying = dock.post("/dock/card", resident="r2")[1]
    assert "海野 花子" in lying
    assert "PIN 1234" in lying
    assert "No card" in dock.post("/dock/card/take")[1]
    assert dock.post("/dock/card", resident="nobody")[0] == 404
    assert world.acts == ["put r2", "take card"]


def test_residents_are_found_by_part_of_their_name_or_id(dock: Dock) -> None:
    assert "海野 花子" in dock.get("/dock/residents?query=花子")
    assert "海野 花子" not in dock.get("/dock/residents?query=r1")
    assert "Nobody of that name" in dock.get("/dock/residents?query=zz")
    assert "山田 &lt;太郎&gt;" in dock.page


def test_coins_go_in_or_fall_through(dock: Dock, world: FakeWorld) -> None:
    assert "fell through" not in dock.post("/dock/coin", yen="100")[1]
    assert "¥500 fell through" in dock.post("/dock/coin", yen="500")[1]
    assert "1 × ¥500" in dock.get("/dock/tray")
    assert "You took ¥500" in dock.post("/dock/cup/take")[1]
    assert dock.post("/dock/coin", yen="25")[0] == 400
    assert dock.post("/dock/coin", yen="x")[0] == 400
    assert world.acts == ["coin 100", "coin 500", "take cup"]


def test_papers_lie_in_the_tray_as_pictures_until_they_are_taken(dock: Dock, world: FakeWorld) -> None:
    assert "data-paper" not in dock.get("/dock/tray")
    paper(world.folder / "000001-job.pdf", sheets=2)
    assert 'data-paper="0"' in dock.get("/dock/tray")
    answer = dock.client.get("/dock/paper/0/1/back/40.png", base_url=ORIGIN)
    assert answer.mimetype == "image/png"
    assert Image.open(io.BytesIO(answer.data)).size == (round(210 * 40 / 72), round(297 * 40 / 72))
    assert dock.client.get("/dock/paper/0", base_url=ORIGIN).json == {"sheets": 2}
    assert dock.client.get("/dock/paper/1", base_url=ORIGIN).status_code == 404
    for path in ("0/2/front/40", "1/0/front/40", "0/0/front/41", "0/0/edge/40", "0/0/40"):
        assert dock.client.get(f"/dock/paper/{path}.png", base_url=ORIGIN).status_code == 404
    assert "data-paper" not in dock.post("/dock/papers/take")[1]
    assert (world.folder / "000001-job.pdf").exists()


def test_a_tray_knows_only_papers_that_came_out_after_it(tmp_path: Path) -> None:
    paper(tmp_path / "1.pdf")
    tray = Tray(lambda: sorted(tmp_path.glob("*.pdf")))
    assert tray.papers() == []
    paper(tmp_path / "2.pdf")
    assert [lying.name for lying in tray.papers()] == ["2.pdf"]


def test_what_is_no_paper_has_no_picture(tmp_path: Path) -> None:
    (tmp_path / "1.pdf").write_bytes(b"nonsense")
    with pytest.raises(NoSuchPaper):
        draw(tmp_path / "1.pdf", 0, 40)
    with pytest.raises(NoSuchPaper):
        Tray(lambda: [tmp_path / "1.pdf"]).picture(0, 0, Side.FRONT, 40)
    paper(tmp_path / "2.pdf")
    with pytest.raises(NoSuchPaper):
        draw(tmp_path / "2.pdf", 2, 40)


def test_a_sheet_is_looked_at_from_both_sides(tmp_path: Path) -> None:
    paper(tmp_path / "1.pdf", sheets=2)
    tray = Tray(lambda: [tmp_path / "1.pdf"])
    assert tray.sheets(0) == 2
    seen = [tray.picture(0, sheet, side, 40) for sheet in range(2) for side in (Side.FRONT, Side.BACK)]
    assert seen == [draw(tmp_path / "1.pdf", page, 40)[1] for page in range(4)]
    assert len(set(seen)) == 4
