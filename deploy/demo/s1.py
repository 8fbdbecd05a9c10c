"""`make s1`: visits on four terminals at once, and the proof that every paper is its own card's.

The judge is not ours: pdftotext reads both sides of each sheet that lies in a printer's tray, and what it says is
compared with whose card was on that reader; a back says nothing of anybody. Then the books: every account balances, no
number was given twice, nothing is left in a spool or on a terminal's disk.
"""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.demo.books import Books
from deploy.demo.bring_up import RunningTown, bring_up
from deploy.demo.processes import free_port
from deploy.demo.town_names import UMIBE
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import VisitBroken, Visitor
from printing.paper.records import CertificateKind

TERMINALS: Final = 4
KIND: Final = CertificateKind.RESIDENCE
_RESTING: Final = ("customer_deposit", "suspense", "refund_liability", "uncollected", "over_short")


@dataclass
class _Tally:
    """What the four threads found; one lock, since they share it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    settled: int = 0
    sheets: int = 0
    wrong: list[str] = field(default_factory=list)
    paid_yen: int = 0
    order_ids: list[str] = field(default_factory=list)

    def add_wrong(self, what: str) -> None:
        """Note something that must not be."""
        with self.lock:
            self.wrong.append(what)


def run_s1(visits: int, *, seed: int, residents: int) -> dict[str, Any]:
    """Walk the visits and return one object of counts; `wrong` names what must not be; empty when all is well."""
    started = time.monotonic()
    with bring_up(seed=seed, residents=residents, terminals=TERMINALS, kiosk_port=free_port()) as town:
        people = _people(town, visits, seed)
        tally = _Tally()
        threads = [
            threading.Thread(
                target=_walk, args=(town, number, people[number::TERMINALS], tally), name=f"terminal {number}"
            )
            for number in range(TERMINALS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _check_books(town, tally)
        _check_nothing_left(town, people, tally)
    return {
        "visits": visits,
        "terminals": TERMINALS,
        "settled": tally.settled,
        "papers": len(tally.order_ids),
        "sheets": tally.sheets,
        "paid_yen": tally.paid_yen,
        "wrong": tally.wrong,
        "seconds": round(time.monotonic() - started, 1),
    }


def _people(town: RunningTown, visits: int, seed: int) -> list[str]:
    """Draw people of one municipality: heads of household, who are old enough, without a story of being refused."""
    fit = [
        resident_id
        for resident_id, holder in town.directory.residents.items()
        if holder.municipality == UMIBE and holder.story is None and holder.household[0] == resident_id
    ]
    rng = random.Random(f"s1:{seed}")
    rng.shuffle(fit)
    return [fit[number % len(fit)] for number in range(visits)]


def _walk(town: RunningTown, number: int, people: list[str], tally: _Tally) -> None:
    world = town.world(number)
    visitor = Visitor(world)
    try:
        for resident_id in people:
            outcome = visitor.visit(VisitFile(resident=resident_id, kind=KIND, coins=(100, 100)))
            name = world.holder(resident_id).name
            if outcome.refused or outcome.case or len(outcome.papers) != 1:
                tally.add_wrong(f"{resident_id}: {outcome.refused or 'case'}, {len(outcome.papers)} papers")
                continue
            text = subprocess.run(
                ["pdftotext", str(outcome.papers[0]), "-"], capture_output=True, check=True, timeout=30
            ).stdout.decode()
            order = outcome.orders[0]
            for what in wrong_on_paper(text, order["sheets"], name=name, number=order["issue_number"]):
                tally.add_wrong(f"{resident_id}: {what}")
            with tally.lock:
                tally.settled += 1
                tally.sheets += order["sheets"]
                tally.paid_yen += outcome.paid_yen
                tally.order_ids.append(outcome.orders[0]["order"])
    except (VisitBroken, subprocess.SubprocessError) as error:
        tally.add_wrong(f"terminal {number}: {error}")
    finally:
        visitor.close()
        world.take_card()


def wrong_on_paper(text: str, sheets: int, **said: str) -> list[str]:
    """Return what is wrong on a paper of so many sheets, as pdftotext reads it: a form feed ends every page."""
    pages = text.split("\f")[:-1]
    fronts, backs = pages[::2], pages[1::2]
    if not len(fronts) == len(backs) == sheets:
        return [f"{len(pages)} pages are not {sheets} sheets"]
    wrong = [
        f"a front does not say this visit's {what}"
        for what, word in said.items()
        if any(word not in front for front in fronts)
    ]
    wrong += [f"a back says this visit's {what}" for what, word in said.items() if any(word in back for back in backs)]
    return wrong + ["a back says nothing" for back in backs if not back.strip()]


def _check_books(town: RunningTown, tally: _Tally) -> None:
    books = Books(town.database)
    try:
        states = books.wait_until_settled(tally.order_ids)
        if set(states.values()) - {"SETTLED"}:
            tally.wrong.append(f"not settled: {sorted(set(states.values()))}")
        balances = books.balances()
        if sum(balances.values()) != 0:
            tally.wrong.append("the accounts do not sum to 0")
        tally.wrong += [f"{account} is {balances[account]}" for account in _RESTING if balances[account] != 0]
        counted = [town.world(number).money() for number in range(TERMINALS)]
        cashbox_yen = sum(totals.cashbox_yen for totals in counted)
        if balances["cashbox"] != cashbox_yen:
            tally.wrong.append(f"cashbox is {balances['cashbox']} in the books and {cashbox_yen} in the coin units")
        numbers = books.issue_numbers()
        if len(set(numbers)) != len(numbers):
            tally.wrong.append("a number was given twice")
        tally.wrong += [f"open case: {reason}" for reason in books.open_cases()]
    finally:
        books.close()


def _check_nothing_left(town: RunningTown, people: list[str], tally: _Tally) -> None:
    """S20: no spool file, and nothing personal in what a terminal wrote, to disk or tmpfs, but its printed sheets."""
    names = {town.directory.residents[resident_id].name for resident_id in people}
    for place in town.places:
        spooled = [path.name for path in Path(place.spool).rglob("*") if path.is_file()]
        if spooled:
            tally.wrong.append(f"{place.terminal_id}: left in the spool: {spooled}")
        written = (path for path in Path(place.folder).iterdir() if not path.is_symlink())
        for path in (*written, *(town.volatile / place.terminal_id).rglob("*")):
            if path.is_file() and is_personal(path.read_bytes(), names):
                tally.wrong.append(f"{place.terminal_id}: something personal in {path.name}")


def is_personal(body: bytes, names: set[str]) -> bool:
    """Tell whether a paper, or one of these names, stands in what a program wrote: as text, or escaped as in a log."""
    forms = (form for name in names for form in (name.encode(), json.dumps(name)[1:-1].encode()))
    return b"%PDF" in body or any(form in body for form in forms)
