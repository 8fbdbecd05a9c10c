"""One cell of the kill matrix on a whole town of real parts: a visit up to a point, the kill, the end, the judgement.

The judge holds three things against one another that know nothing of each other: coins and sheets as the machines have
them, the server's ledger, and the terminal's journal.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.demo.books import Books
from deploy.demo.bring_up import RunningTown, bring_up
from deploy.demo.cupsd import end_leftovers
from deploy.demo.halts import Halts
from deploy.demo.printer_record import Place
from deploy.demo.processes import free_port, listens
from deploy.demo.s1 import draw_visits
from deploy.demo.town import build_people
from deploy.demo.town_names import UMIBE
from deploy.demo.town_store import DatabaseKind
from deploy.demo.virtual_printer import VirtualPrinter
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import Visitor
from deploy.demo.world import World
from terminal import history
from terminal.journal import Ids, Journal
from tests.kill_cells import BY_NAME, Cell, Point, Story, Who
from tests.kill_judge import Facts, differences

SEED: Final = 1
RESIDENTS: Final = 500
CELLS_A_TOWN: Final = 60  # one cell a person: whoever had no paper and comes again is looked at by the server
COINS: Final = (100, 500)  # 400 yen come back, so that a capture moves tray and hoppers
OUTAGE_S: Final = 2.0  # how long servers and database are away: longer than a terminal asks again
_PAY: Final = {Story.PAYS: "pay", Story.CANCELS: "pay", Story.BY_CARD: "pay-emoney", Story.BY_PHONE: "pay-qr"}
#: After these the page says to lay the card on once more.
_LAID_AGAIN: Final = frozenset({"CARD_UNREADABLE", "PIN_UNCERTAIN"})
END_BOUND_S: Final = 10.0  # from the last part's restart, and from each touch that somebody makes after it
REACH_S: Final = 40.0
LOOK_S: Final = 0.1


class NotReached(AssertionError):
    """The visit did not come to the point, or not to its end."""


class Resident(Visitor):
    """Does what the screen asks for, once for each screen, and puts the coins in one by one."""

    def __init__(self, world: World, story: Story, resident_id: str) -> None:
        super().__init__(world)
        self._asked = VisitFile(resident=resident_id, municipality=UMIBE, coins=COINS)
        self._resident_id = resident_id
        self._story = story
        self._acted = (-1, "")
        self.has_come = False
        self.coins_in = 0
        self.was_asked = False
        self.agreed = False  # to pay by card or phone
        self.holds_back = False  # with the e-money card
        self.papers = 0
        self.acted_s = 0.0  # when it last did something

    def screen(self) -> str:
        """Look at the screen for a moment; "" while there is none."""
        try:
            self._look(LOOK_S)
        except httpx.HTTPError:
            time.sleep(LOOK_S)
            return ""
        return self._state

    def act(self) -> None:
        """Do what this screen asks for, if it was not done."""
        seen = (int(self._seen["version"]), self._state)
        if seen == self._acted:
            return
        with contextlib.suppress(httpx.TransportError):  # it died under the finger
            if self._do():
                self._acted = seen
                self.acted_s = time.monotonic()

    def again(self) -> None:
        """The terminal has begun anew: its page too."""
        self._acted = (-1, "")
        self.open()

    def lay_card(self) -> None:
        """Lay one's card on the reader."""
        self._world.put_card(self._resident_id)

    def holds_card(self) -> bool:
        """Hold the e-money card to the contract terminal, whatever the screen shows; tell whether it took it."""
        self.agreed = self._world.touch_emoney()
        return self.agreed

    def stands(self) -> str:
        """Say what the screen shows, for whoever has waited in vain."""
        if not self._seen:
            return ""
        return f"; the screen shows {self._state} {', '.join(self._view.get('reasons') or ())}"

    def _do(self) -> bool:
        match self._state:
            case "IDLE" if not self.has_come:
                self.has_come = True
                self.lay_card()
            case "PIN":
                return self._pin()
            case "TAKE_CARD":
                self._world.take_card()
            case "CHOOSING":
                self._choose_first()
            case "CONFIRMING":
                self._touch(_PAY[self._story])
            case _:
                return self._pays() or self._answers()
        return True

    def _pays(self) -> bool:
        match self._state:
            case "DEBITING" | "CANCELLING" | "SHOWING_CODE":
                return self._agree()
            case "COLLECTING":
                return self._pay_in()
        return False

    def _answers(self) -> bool:
        match self._state:
            case "AFTER_CUT":
                self._touch("take-back")
            case "ASK_SHEETS":
                self.was_asked = True
                self._touch("sheets-yes" if self.papers else "sheets-no")
            case "TAKE_PAPER" | "REFUSED":
                self._leave()
            case _:
                return False
        return True

    def _agree(self) -> bool:
        if self.holds_back or (self._state == "SHOWING_CODE" and not self._view["code"]):
            return False
        agreed = self._world.scan_code() if self._state == "SHOWING_CODE" else self._world.touch_emoney()
        self.agreed = self.agreed or agreed
        return agreed

    def _leave(self) -> None:
        if (self._view.get("refusal") or {}).get("code") in _LAID_AGAIN:
            self.has_come = False
        self._world.take_card()
        self._touch("taken")

    def _pin(self) -> bool:
        pin = self._view["pin"]
        if pin["length"] == len(self._asked.pin):
            self._touch("ok")
            return True
        self._touch("digit", digit=self._asked.pin[pin["length"]])
        return True

    def _choose_first(self) -> None:
        offer = self._offer(self._asked)
        assert offer is not None
        form = {"offer": str(offer["index"]), "copies": "1", "items": list(self._asked.chosen_items)}
        self._post("/touch/choose", {**form, "scope": self._asked.chosen_scope.value}).raise_for_status()

    def _pay_in(self) -> bool:
        money = self._view["money"]
        if not money["accepting"] or money["inserted_yen"] != sum(COINS[: self.coins_in]):
            return False
        if self._story is Story.CANCELS and self.coins_in:
            self._touch("cancel")
            return True
        if self.coins_in == len(COINS) or not self._world.insert_coin(COINS[self.coins_in]):
            return False  # it fell through: it is put in again
        self.coins_in += 1
        return True


@dataclass
class Played:
    """What became of one cell; wrong is empty where all is right."""

    name: str
    end: str = ""
    seconds: float = 0.0
    waited_s: float = 0.0  # the longest that nothing went on, from the last part's restart
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Before:
    """The world before a visit."""

    money: Any
    sheets: int
    slips: int
    row: int
    balances: Counter[str]
    cases: Counter[str]
    elsewhere_yen: int  # on the e-money card and in the phone


class Matrix:
    """A town that is up, and the cells played in it one after another."""

    def __init__(self, town: RunningTown, bound_s: float) -> None:
        self.town = town
        self._bound_s = bound_s
        self.world = town.world()
        self.machines = town.machines[0]
        self.place = town.places[0]
        visits = draw_visits(build_people(SEED, RESIDENTS), CELLS_A_TOWN)
        self._people = iter([str(visit.resident) for visit in visits])
        self._halts, self._server_halts = town.halts(), town.server_halts()
        self._books = Books(town.database)

    def close(self) -> None:
        """Let the books go."""
        self._books.close()

    def play(self, cell: Cell) -> Played:
        """Play one cell and judge it."""
        played = Played(cell.name)
        began_s = time.monotonic()
        resident = Resident(self.world, cell.point.story, next(self._people))
        try:
            before = self._before(resident)
            self._reach(cell.point, resident)
            if cell.point.paper:
                self._until(lambda: self._sheets() > before.sheets, "the sheet to come out")
            resident.holds_back = False
            if cell.point.touched:
                self._until(resident.holds_card, "the contract terminal to take the card")
            self._kill(cell.who, resident)
            resident.acted_s = time.monotonic()  # the restart: from here on nothing may take longer
            played.waited_s = self._end(resident, before)
            played.wrong += self._judge(cell, before, resident)
            played.waited_s = max(played.waited_s, time.monotonic() - resident.acted_s)
            played.end = self._facts(before, resident).end
        except Exception as error:  # noqa: BLE001 - a cell that cannot be played is wrong, and the next one is played
            played.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            self._disarm()
            resident.close()
        played.seconds = time.monotonic() - began_s
        return played

    # to the point

    def _before(self, resident: Resident) -> Before:
        self._until(lambda: resident.screen() == "IDLE", "an idle terminal", resident)
        self.world.take_cup()
        return Before(
            self.world.money(),
            self._sheets(),
            len(self.world.slips()),
            self._rows(),
            self._books.balances(),
            self._cases(),
            self._elsewhere_yen(),
        )

    def _reach(self, point: Point, resident: Resident) -> None:
        if point.after:
            first = BY_NAME[point.after]
            before = self._sheets()
            self._reach(first, resident)
            if first.paper:
                self._until(lambda: self._sheets() > before, "the sheet to come out")
            resident.papers = self._sheets() - before
            if point.dark:
                self._cut_power(resident)
            else:
                self.town.cut()
                self._arm(point)
                self.town.restart()
                resident.again()
        elif point.via:
            self._halts.arm(point.via)
            self._until(lambda: self._goes_to(self._halts, resident), point.via, resident)
            self._arm(point)
            if point.server:
                self._halts.disarm()
        else:
            self._arm(point)
        resident.holds_back = point.holds_back
        self._until(lambda: self._is_there(point, resident), point.name, resident)

    def _arm(self, point: Point) -> None:
        if point.halt:
            (self._server_halts if point.server else self._halts).arm(point.halt)

    def _disarm(self) -> None:
        self._halts.disarm()
        self._server_halts.disarm()

    def _is_there(self, point: Point, resident: Resident) -> bool:
        if point.halt:
            return self._goes_to(self._server_halts if point.server else self._halts, resident)
        state = resident.screen()
        if state == point.state and resident.coins_in >= point.coins:
            return True
        if state:
            resident.act()
        return False

    def _goes_to(self, halts: Halts, resident: Resident) -> bool:
        if halts.reached() is not None:
            return True
        if resident.screen():
            resident.act()
        return False

    # the kill

    def _kill(self, who: Who, resident: Resident) -> None:
        match who:
            case Who.TERMINAL:
                self.town.cut()
                self._disarm()
                self.town.restart()
                resident.again()
            case Who.POWER:
                self._cut_power(resident)
            case Who.CARD | Who.PRESS | Who.PAYMENT | Who.EMONEY | Who.RECEIPT:
                os.kill(self._worker(who), signal.SIGKILL)
            case Who.CUPSD:
                self.machines.cupsd.kill()
                self.machines.cupsd.start()
            case Who.PCSCD:
                self.machines.pcscd.kill()
                self.machines.pcscd.start()
                self._lay_card_back(resident)
            case Who.GUNICORN:
                reached = self._server_halts.reached()
                os.kill(reached.pid if reached else self._gunicorn(), signal.SIGKILL)
            case Who.SERVER:
                self._servers_away()
            case Who.POSTGRESQL:
                self._database_away()
        self._disarm()

    def _worker(self, who: Who) -> int:
        name = who.removesuffix(" worker").replace("print", "press").replace("-", "")
        kiosk = self.town.kiosks[0].pid
        return next(pid for pid in children(kiosk) if name in arguments(pid))

    def _gunicorn(self) -> int:
        return next(iter(children(self.town.servers[0].process.pid)))

    def _servers_away(self) -> None:
        for server in self.town.servers:
            server.stop(kill=True)
        self._server_halts.disarm()
        time.sleep(OUTAGE_S)
        for server in self.town.servers:
            server.start()
        for server in self.town.servers:
            server.wait()

    def _database_away(self) -> None:
        assert self.town.postgres is not None
        self.town.postgres.kill()
        self._server_halts.disarm()
        time.sleep(OUTAGE_S)
        self.town.postgres.again()

    def _cut_power(self, resident: Resident) -> None:
        """Everything at once; what lies in the machines stays, and what only stood in memory is gone."""
        machines = self.machines
        assert isinstance(machines.printer, VirtualPrinter)
        self.town.cut()
        machines.printer.cut_power()
        fed = (machines.coins, machines.emoney, machines.receipts)
        for machine in fed:
            machine.stop(kill=True)
        machines.cupsd.kill()
        end_leftovers(machines.cupsd.root)  # the backends
        machines.pcscd.kill()
        self._disarm()
        machines.printer.power_back()
        machines.cupsd.start()
        machines.pcscd.start()
        for machine in fed:
            machine.start()
            machine.wait()
        self._lay_card_back(resident)
        self.town.restart()
        resident.again()

    def _lay_card_back(self, resident: Resident) -> None:
        """A card that lies on the reader lies there still; the virtual one has to be told."""
        if self.world.has_card():
            resident.lay_card()

    # the end

    def _end(self, resident: Resident, before: Before) -> float:
        """Let the visit end; return the longest that it kept somebody waiting. Errors: NotReached."""
        longest_s = 0.0
        while True:
            longest_s = max(longest_s, time.monotonic() - resident.acted_s)
            if longest_s > self._bound_s:
                raise NotReached(f"nothing went on for {self._bound_s:g} s{resident.stands()}")
            resident.papers = self._sheets() - before.sheets
            state = resident.screen()
            if state == "IDLE" and resident.has_come and not self.world.has_card():
                return longest_s
            if state:
                resident.act()

    def _judge(self, cell: Cell, before: Before, resident: Resident) -> list[str]:
        """Return what is wrong once all has its end, or the time is over."""
        while True:
            found = differences(cell.end, self._facts(before, resident))
            if not found or time.monotonic() > resident.acted_s + self._bound_s:
                return found
            time.sleep(LOOK_S)

    def _facts(self, before: Before, resident: Resident) -> Facts:
        after, balances = self.world.money(), self._books.balances()
        orders, open_ends = self._journal_says(before)
        return Facts(
            papers=self._sheets() - before.sheets,
            slips=len(self.world.slips()) - before.slips,
            inserted_yen=after.inserted_yen - before.money.inserted_yen,
            out_yen=after.change_yen + after.returned_yen - before.money.change_yen - before.money.returned_yen,
            tray_yen=after.tray_yen,
            taken_yen=before.elsewhere_yen - self._elsewhere_yen(),
            was_asked=resident.was_asked,
            agreed=resident.agreed,
            moved={account: balances[account] - before.balances[account] for account in balances},
            states=Counter(self._books.states(orders).values()),
            cases=self._cases() - before.cases,
            open_ends=(*open_ends, *self._left_over()),
        )

    def _journal_says(self, before: Before) -> tuple[list[str], list[str]]:
        """Return the visit's orders, and what has no end in the terminal's journal."""
        open_ends = []
        with contextlib.closing(Journal(Path(self.place.folder) / "journal.db")) as journal:
            made = [row.body for row in journal.rows(before.row) if isinstance(row.body, Ids)]
            read = history.read(journal.rows())
            begun = len(read.strays) + len(read.receipts)
            if read.unfinished or begun:
                open_ends.append(f"in the journal: {len(read.unfinished)} payments, {begun} acts")
            open_ends += [f"the terminal's case {row.body!r}" for row in journal.open_cases()]
            if journal.unsent():
                open_ends.append(f"{journal.unsent()} events were not accepted")
        return [order_id for ids in made for order_id in ids.order_ids], open_ends

    def _left_over(self) -> list[str]:
        return [f"in the spool: {path.name}" for path in Path(self.place.spool).rglob("*") if path.is_file()]

    def _elsewhere_yen(self) -> int:
        return (self.world.emoney_yen() or 0) + (self.world.wallet_yen() or 0)

    def _cases(self) -> Counter[str]:
        return Counter(self._books.open_cases())

    # looking

    def _sheets(self) -> int:
        """Sheets at the outlet; each paper of these visits is one."""
        printer = self.machines.printer
        assert isinstance(printer, VirtualPrinter)
        return sum(sheet.place is Place.OUTLET for sheet in printer.sheets())

    def _rows(self) -> int:
        with contextlib.closing(Journal(Path(self.place.folder) / "journal.db")) as journal:
            return max((row.row for row in journal.rows()), default=0)

    def _until(self, holds: Callable[[], bool], what: str, resident: Resident | None = None) -> None:
        deadline_s = time.monotonic() + REACH_S
        while not holds():
            if time.monotonic() > deadline_s:
                raise NotReached(f"waited {REACH_S:g} s for {what}{resident.stands() if resident else ''}")
            time.sleep(0.01)


def children(pid: int) -> list[int]:
    """Return the processes that one has started, of any of its threads."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


def arguments(pid: int) -> list[str]:
    """Return a process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


@contextlib.contextmanager
def judged_town(bound_s: float = END_BOUND_S) -> Iterator[Matrix]:
    """Bring up a town in which cells can be played: two servers on PostgreSQL, coins on a ccTalk line.

    bound_s: how long an end may take; longer where the machine has much else to do.
    """
    with bring_up(
        seed=SEED,
        residents=RESIDENTS,
        kiosk_port=free_port(),
        database=DatabaseKind.POSTGRESQL,
        cash="cctalk",
        judged=True,
    ) as town:
        matrix = Matrix(town, bound_s)
        assert listens(town.places[0].kiosk_port)
        try:
            yield matrix
        finally:
            matrix.close()
