"""`make s1`: visits on four terminals at once, and the proof that every paper is its own card's.

The visits draw from every kind that a resident may have. The judge is not ours: pdftotext reads both sides of each
sheet that lies in a printer's tray, and what it says is compared with whose card was on that reader and what was asked
for; a back says nothing of anybody. Then the books: every account balances, no number was given twice, nothing is left
in a spool or on a terminal's disk.
"""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.demo.books import Books
from deploy.demo.bring_up import RunningTown, bring_up
from deploy.demo.processes import free_port
from deploy.demo.town import Town, build_people
from deploy.demo.town_names import UMIBE
from deploy.demo.town_store import DatabaseKind
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import VisitBroken, Visitor
from deploy.demo.world import CardHolder
from issuance_server.kinds import KINDS, Source
from issuance_server.register.records import TaxStatus
from printing.paper.records import CertificateKind

TERMINALS: Final = 4
FISCAL_YEAR: Final = 2026  # what the kiosk proposes: the newest that is open
COINS: Final = (100, 100, 50, 100, 100)  # whatever the fee, the coin that reaches it leaves no change
#: What stands on every front, whatever the year's or the person's own title is.
TITLES: Final = {
    CertificateKind.RESIDENCE: "住民票の写し",
    CertificateKind.RESIDENCE_ITEMS: "住民票記載事項証明書",
    CertificateKind.SEAL_REGISTRATION: "印鑑登録証明書",
    CertificateKind.INCOME: "所得証明書",
    CertificateKind.TAXATION: "課税証明書",  # the end of 非課税証明書 too
    CertificateKind.TAX_PAYMENT: "納税証明書",
    CertificateKind.FAMILY_REGISTER: "戸籍全部事項証明書",
    CertificateKind.FAMILY_REGISTER_INDIVIDUAL: "戸籍個人事項証明書",
    CertificateKind.SUPPLEMENTARY_REGISTER: "戸籍の附票の写し",
}
_RESTING: Final = ("customer_deposit", "suspense", "refund_liability", "uncollected", "over_short")


@dataclass
class _Tally:
    """What the four threads found; one lock, since they share it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    settled: Counter[str] = field(default_factory=Counter)
    sheets: int = 0
    wrong: list[str] = field(default_factory=list)
    paid_yen: int = 0
    order_ids: list[str] = field(default_factory=list)

    def add_wrong(self, what: str) -> None:
        """Note something that must not be."""
        with self.lock:
            self.wrong.append(what)


def run_s1(visits: int, *, seed: int, residents: int, database: DatabaseKind = DatabaseKind.SQLITE) -> dict[str, Any]:
    """Walk the visits and return one object of counts; `wrong` names what must not be; empty when all is well."""
    started = time.monotonic()
    asked = draw_visits(build_people(seed, residents), visits)
    with bring_up(
        seed=seed, residents=residents, terminals=TERMINALS, kiosk_port=free_port(), database=database
    ) as town:
        tally = _Tally()
        threads = [
            threading.Thread(
                target=_walk, args=(town, number, asked[number::TERMINALS], tally), name=f"terminal {number}"
            )
            for number in range(TERMINALS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _check_books(town, tally)
        _check_nothing_left(town, asked, tally)
    return {
        "visits": visits,
        "terminals": TERMINALS,
        "database": database,
        "servers": len(town.servers),
        "settled": tally.settled.total(),
        "kinds": dict(sorted(tally.settled.items())),
        "papers": len(tally.order_ids),
        "sheets": tally.sheets,
        "paid_yen": tally.paid_yen,
        "wrong": tally.wrong,
        "seconds": round(time.monotonic() - started, 1),
    }


def draw_visits(town: Town, visits: int) -> list[VisitFile]:
    """Draw visits of heads of household without a story: each asks for what was asked for least so far.

    Where there are more visits than people, they come again, in the same order.
    """
    may_have = dict(_may_have(town))
    order = sorted(may_have)
    random.Random(f"s1:{town.seed}").shuffle(order)
    asked: Counter[CertificateKind] = Counter()
    drawn = []
    for number in range(visits):
        resident_id = order[number % len(order)]
        kind = min(may_have[resident_id], key=lambda kind: asked[kind])
        asked[kind] += 1
        drawn.append(VisitFile(resident=resident_id, kind=kind, municipality=UMIBE, coins=COINS))
    return drawn


def _may_have(town: Town) -> Iterator[tuple[str, list[CertificateKind]]]:
    """Yield those of one municipality who are old enough and never refused, with what each may have there."""
    seals = {seal.resident_id for seal in town.seals.values() if not seal.cancelled}
    tax = {record.resident_id: record.status for record in town.tax if record.fiscal_year == FISCAL_YEAR}
    paid = {
        record.resident_id
        for record in town.tax_payments
        if record.fiscal_year == FISCAL_YEAR and not any(line.unpaid_yen for line in record.taxes)
    }
    in_register = {holder.person_id for told in town.registers for holder in told.holders}
    storied = {story.resident_id for story in town.stories.values()}
    for household in town.households.values():
        head = household.member_ids[0]
        if head in storied or town.municipality_of[head] != UMIBE:
            continue
        kinds = [CertificateKind.RESIDENCE, CertificateKind.RESIDENCE_ITEMS]
        kinds += [CertificateKind.SEAL_REGISTRATION] * (head in seals)
        kinds += [CertificateKind.INCOME] * (tax.get(head) in {TaxStatus.TAXED, TaxStatus.UNTAXED})
        kinds += [CertificateKind.TAXATION] * (head in tax and tax[head] is not TaxStatus.UNDECLARED)
        kinds += [CertificateKind.TAX_PAYMENT] * (head in paid)
        if head in in_register:
            kinds += [kind for kind in CertificateKind if KINDS[kind].source is Source.FAMILY_REGISTER]
        yield head, kinds


def _walk(town: RunningTown, number: int, visits: list[VisitFile], tally: _Tally) -> None:
    world = town.world(number)
    visitor = Visitor(world)
    try:
        for asked in visits:
            outcome = visitor.visit(asked)
            if outcome.refused or outcome.case or len(outcome.papers) != 1:
                tally.add_wrong(f"{_whose(asked)}: {outcome.refused or 'case'}, {len(outcome.papers)} papers")
                continue
            text = subprocess.run(
                ["pdftotext", str(outcome.papers[0]), "-"], capture_output=True, check=True, timeout=30
            ).stdout.decode()
            order = outcome.orders[0]
            said = {"title": TITLES[asked.kind], "name": _holder(town, asked).name, "number": order["issue_number"]}
            for what in wrong_on_paper(text, order["sheets"], **said):
                tally.add_wrong(f"{_whose(asked)}: {what}")
            with tally.lock:
                tally.settled[asked.kind] += 1
                tally.sheets += order["sheets"]
                tally.paid_yen += outcome.paid_yen
                tally.order_ids.append(order["order"])
    except (VisitBroken, subprocess.SubprocessError) as error:
        tally.add_wrong(f"terminal {number}: {error}")
    finally:
        visitor.close()
        world.take_card()


def _whose(asked: VisitFile) -> str:
    return f"{asked.resident}, {asked.kind}"


def _holder(town: RunningTown, asked: VisitFile) -> CardHolder:
    return town.directory.residents[str(asked.resident)]


def wrong_on_paper(text: str, sheets: int, *, name: str, **said: str) -> list[str]:
    """Return what is wrong on a paper of so many sheets, as pdftotext reads it: a form feed ends every page.

    said: what every front says. The name may stand on one of them alone: the others show others of the family.
    """
    pages = text.split("\f")[:-1]
    fronts, backs = pages[::2], pages[1::2]
    if not len(fronts) == len(backs) == sheets:
        return [f"{len(pages)} pages are not {sheets} sheets"]
    wrong = [
        f"a front does not say this visit's {what}"
        for what, word in said.items()
        if any(word not in front for front in fronts)
    ]
    wrong += [] if any(name in front for front in fronts) else ["no front says this visit's name"]
    personal = {"name": name, **said}
    wrong += [f"a back says this visit's {what}" for what, word in personal.items() if any(word in b for b in backs)]
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


def _check_nothing_left(town: RunningTown, asked: list[VisitFile], tally: _Tally) -> None:
    """S20: no spool file, and nothing personal in what a terminal wrote, to disk or tmpfs, but its printed sheets."""
    names = {_holder(town, visit).name for visit in asked}
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
