"""What must hold once the world is at rest: first of the world alone, then of journal and ledger against the world.

The first part reads coins, sheets, hands and cards, and of the books nothing but whether a doubt stands in a list. What
a stay's ids are is read from the screen that its resident saw.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from fees.postings import Account
from issuance_server.audit_verify import Verification
from issuance_server.schema import cases, orders, payments, postings, refunds, terminal_events
from terminal.journal import Case, RowKind
from terminal.screens.view import REFERENCE_CHARACTERS
from tests.issuing_parts import FEE_YEN
from tests.receipt_parts import written_on
from tests.simulation.expected import ENDS, End
from tests.simulation.faults import Kind
from tests.simulation.world import GONE, Hands, Moved, Stay, World

if TYPE_CHECKING:
    from tests.simulation.run import Simulation


@dataclass(frozen=True)
class Violation:
    """A rule that does not hold, and whose stay it is about."""

    rule: str
    what: str
    stay: int | None = None

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}" + (f" (stay {self.stay})" if self.stay is not None else "")


@dataclass
class Lists:
    """Where doubt may stand: ids in a case of a terminal or of the server, open or closed, and what is owed."""

    cases: set[str] = field(default_factory=set)
    owed: set[str] = field(default_factory=set)

    def has(self, ids: set[str]) -> bool:
        """Tell whether anything of a stay stands in a list."""
        return bool(ids & (self.cases | self.owed))


@dataclass
class Books:
    """Everything that journal and ledger say, read once."""

    lists: Lists
    orders: dict[str, Any]
    payments: dict[str, Any]
    balances: dict[str, Counter[str]]  # by payment
    claims: dict[str, set[str]]  # by payment: under which ids terminals were to pay its refund out
    open_payment_cases: set[str]
    received: Counter[str]  # events by terminal
    receivable: Counter[str]  # by payment: what cards and phones really gave for it, as the world knows


def read_books(simulation: Simulation) -> Books:
    """Read the server's tables and the terminals' cases."""
    lists = Lists()
    balances: dict[str, Counter[str]] = defaultdict(Counter)
    with simulation.server_disk.connect() as connection, connection.begin():
        open_cases = set()
        for row in connection.execute(select(cases)):
            lists.cases |= {one for one in (row.order_id, row.payment_id, row.visit_id) if one}
            if row.closed_at_utc is None and row.payment_id:
                open_cases.add(row.payment_id)
        for row in connection.execute(select(postings.c.payment_id, postings.c.account, postings.c.amount_yen)):
            balances[row.payment_id][row.account] += row.amount_yen
        found = {row.order_id: row for row in connection.execute(select(orders))}
        paid = {row.payment_id: row for row in connection.execute(select(payments))}
        received = Counter(connection.execute(select(terminal_events.c.terminal_id)).scalars())
        claims: dict[str, set[str]] = defaultdict(set)
        for row in connection.execute(select(refunds.c.payment_id, refunds.c.claim_id)):
            if row.claim_id is not None:
                claims[row.payment_id].add(row.claim_id)
    for payment_id, accounts in balances.items():
        if accounts[Account.REFUND_LIABILITY] or accounts[Account.UNCOLLECTED]:
            lists.owed.add(payment_id)
    lists.cases |= _in_journals(simulation)
    receivable = _receivable(simulation.world, found)
    return Books(lists, found, paid, dict(balances), claims, open_cases, received, receivable)


def _receivable(world: World, ordered: Mapping[str, Any]) -> Counter[str]:
    """Return what the brand of the cards and the provider of the phones have taken; a debit has its order's id."""
    taken: Counter[str] = Counter()
    for machine in world.machines:
        for order_id, debit in machine.emoney.debits.items():
            if debit.really_debited:
                taken[ordered[order_id].payment_id if order_id in ordered else order_id] += debit.amount_yen
    for payment_id, entry in {} if world.wallets is None else world.wallets.payments.items():
        taken[payment_id] += entry.captured_yen
    return +taken


def _in_journals(simulation: Simulation) -> set[str]:
    """Return what the terminals' cases are about."""
    journals = (kiosk.journal for kiosk in simulation.kiosks if kiosk.journal is not None)
    found = (row.body for journal in journals for row in journal.rows() if isinstance(row.body, Case))
    return {one for case in found for one in (case.visit_id, case.order_id, case.payment_id) if one}


def broken(simulation: Simulation, books: Books) -> list[Violation]:
    """Return what does not hold."""
    world = simulation.world
    found = _of_coins_and_sheets(world)
    for stay in world.visits():
        found += _of_stay(world, stay, books.lists)
    found += [v for stay in world.visits() for v in _end_is_expected(world, stay, books.lists)]
    found += _ledger_against_world(simulation, books)
    found += _journals(simulation)
    found += [Violation("the server failed", fault) for fault in simulation.server_faults]
    if simulation.is_real:
        found += _records(simulation)
    return found


def _records(simulation: Simulation) -> list[Violation]:
    """Every row is what was decided of it, whatever happened: a change that nobody recorded would look like a fraud."""
    verification = Verification(simulation.server_disk.engine, None, simulation.hub.now_utc())
    return [Violation("every decision is recorded", f"{one.fault}: {one.where}") for one in verification.rows()]


# The world alone


def _of_coins_and_sheets(world: World) -> list[Violation]:
    found = []
    now_yen = world.everything_yen()
    if now_yen != world.begun_with_yen:
        found.append(Violation("every yen is somewhere", f"{world.begun_with_yen} became {now_yen}"))
    for (order_id, index), count in Counter((s.order_id, s.index) for s in world.sheets).items():
        if count > 1:
            found.append(Violation("one paper an order", f"sheet {index + 1} of {order_id} came out {count} times"))
    numbers: dict[str, str] = {}
    for sheet in world.sheets:
        if numbers.setdefault(sheet.issue_number, sheet.order_id) != sheet.order_id:
            found.append(Violation("one paper a number", sheet.issue_number))
        if sheet.hands is Hands.TAKEN and sheet.names != (sheet.holder,):
            found.append(Violation("nobody gets another's paper", f"{sheet.holder} has {sheet.names}", sheet.visit))
    return found


def complete(world: World, stay: Stay, *, in_hand: bool) -> set[str]:
    """Return the orders of a stay of which every sheet came out, or is in its resident's hands."""
    sheets: dict[str, set[int]] = defaultdict(set)
    of: dict[str, int] = {}
    for sheet in world.sheets:
        if sheet.names == (stay.person.name,) and (not in_hand or sheet.visit == stay.number):
            sheets[sheet.order_id].add(sheet.index)
            of[sheet.order_id] = sheet.sheets
    return {order_id for order_id, indexes in sheets.items() if len(indexes) == of[order_id]}


def _of_stay(world: World, stay: Stay, lists: Lists) -> list[Violation]:
    found = []
    listed = lists.has(stay.ids)
    worth_yen = FEE_YEN * len(complete(world, stay, in_hand=True))
    if _cost_yen(world, stay) > worth_yen and not listed:
        what = f"{stay.person.name} paid {world.cost_yen(stay)} yen for {worth_yen} yen of paper"
        found.append(Violation("nobody pays for nothing", what, stay.number))
    cost_yen = world.cost_yen(stay)
    if cost_yen < worth_yen and not listed:
        what = f"{stay.person.name} has {worth_yen} yen of paper for {cost_yen} yen"
        found.append(Violation("no paper without its fee", what, stay.number))
    if cost_yen < 0:
        what = f"{stay.person.name} was given {-cost_yen} yen more than was put in"
        found.append(Violation("nobody gets more than was put in", what, stay.number))
    for sheet in world.sheets:
        if sheet.visit == stay.number and not _address_holds(world, stay, sheet.address):
            found.append(Violation("what a paper says held when it was paid", sheet.address, stay.number))
    if stay.person.verified > stay.person.oks:
        what = f"{stay.person.verified} VERIFY for {stay.person.oks} times OK"
        found.append(Violation("a try is used only by an OK", what, stay.number))
    return found


def _cost_yen(world: World, stay: Stay) -> int:
    """Return what a stay cost; who went away has what the machine laid into the cup for them."""
    if any(errand.gave_up in GONE for errand in world.stays if errand.errand_of == stay.number):
        return 0  # whatever comes out now, nobody is there
    if stay.gave_up not in GONE:
        return world.cost_yen(stay)
    moved = [world.machines[stay.terminal].by_payment.get(one, Moved()) for one in stay.ids]
    in_coins_yen = sum(of.inserted_yen - of.change_yen - of.returned_yen for of in moved)
    return in_coins_yen + stay.debited_yen + world.captured_yen(stay)


def _address_holds(world: World, stay: Stay, address: str) -> bool:
    """Tell whether an address was not yet superseded when its holder said "that is me, and I pay"."""
    history = world.addresses[stay.person.name]
    ends = [since_s for since_s, _ in history[1:]] + [float("inf")]
    return any(said == address and end_s >= stay.paid_at_s for (_, said), end_s in zip(history, ends, strict=True))


def end_of(world: World, stay: Stay, lists: Lists) -> End:
    """Return how a stay ended."""
    if lists.has(stay.ids):
        return End.IN_A_LIST
    papers = len(complete(world, stay, in_hand=True))
    if papers == 0:
        return End.NOTHING
    return End.PRINTED if papers == stay.wanted else End.SOME_PRINTED


def _end_is_expected(world: World, stay: Stay, lists: Lists) -> list[Violation]:
    """A visit without faults gets its papers; with faults it ends as one of them allows."""
    if stay.gave_up == "not me":
        return []
    end = end_of(world, stay, lists)
    kinds = stay.faults | ({Kind.CANCELLED} if stay.gave_up == "cancelled" else set())
    allowed = {End.PRINTED}.union(*(ENDS[kind].ends for kind in kinds))
    may_lose = frozenset().union(*(ENDS[kind].may_lose for kind in kinds))
    if stay.lost & may_lose:
        allowed.add(End.IN_A_LIST)
    if end in allowed:
        return []
    why = ", ".join(sorted(kinds)) or "no fault"
    lost = ", ".join(stay.lost) or "nothing"
    return [Violation("a doubt only where the evidence is gone", f"{end} after {why}; lost: {lost}", stay.number)]


# Journal and ledger against the world

_PHYSICAL: Final = (Account.ESCROW, Account.CASHBOX, Account.HOPPER_FLOAT, Account.PROVIDER_RECEIVABLE)


def _ledger_against_world(simulation: Simulation, books: Books) -> list[Violation]:
    found = []
    total_yen = sum(sum(accounts.values()) for accounts in books.balances.values())
    if total_yen:
        found.append(Violation("postings sum to 0", f"{total_yen}"))
    moved = {payment: done for machine in simulation.world.machines for payment, done in machine.by_payment.items()}
    of_claims = {claim_id for claim_ids in books.claims.values() for claim_id in claim_ids}
    for payment_id in (moved.keys() - of_claims) | books.payments.keys() | books.receivable.keys():
        paid_out_yen = sum(moved.get(one, Moved()).change_yen for one in books.claims.get(payment_id, ()))
        found += _payment(books, payment_id, moved.get(payment_id, Moved()), paid_out_yen)
    for order in books.orders.values():
        found += _order(simulation.world, books, order)
    found += _receipts(simulation.world, books, moved)
    for order_id in {sheet.order_id for sheet in simulation.world.sheets} - books.orders.keys():
        found.append(Violation("no paper without an order", order_id))
    return found


def _payment(books: Books, payment_id: str, moved: Moved, paid_out_yen: int) -> list[Violation]:
    """Hold the books of a payment to its coins. paid_out_yen: its refund, from the hoppers of any machine."""
    receivable_yen = books.receivable[payment_id]
    if payment_id not in books.payments:
        silent = moved.inserted_yen == moved.change_yen == receivable_yen == 0 or books.lists.has({payment_id})
        return [] if silent else [Violation("every payment is told", f"{payment_id}: {moved}, {receivable_yen}")]
    accounts = books.balances.get(payment_id, Counter())
    found = []
    kept_yen = receivable_yen + moved.inserted_yen - moved.change_yen - moved.returned_yen - paid_out_yen
    if -accounts[Account.REFUND_LIABILITY] > kept_yen:
        what = f"{payment_id}: {-accounts[Account.REFUND_LIABILITY]} yen are owed, {kept_yen} yen were kept"
        found.append(Violation("nothing is owed that was not kept", what))
    if accounts[Account.SUSPENSE] and payment_id not in books.open_payment_cases:
        found.append(Violation("suspense only with an open case", f"{payment_id}: {accounts[Account.SUSPENSE]}"))
    if books.lists.has({payment_id} | {o.order_id for o in books.orders.values() if o.payment_id == payment_id}):
        return found
    escrow_yen = moved.inserted_yen - moved.cashbox_yen - moved.returned_yen
    physical = (escrow_yen, moved.cashbox_yen, -moved.change_yen - paid_out_yen, receivable_yen)
    said = tuple(accounts[account] for account in _PHYSICAL)
    if physical != said or accounts[Account.CUSTOMER_DEPOSIT]:
        what = f"{payment_id}: escrow, cashbox, hoppers, receivable are {physical}, the books say {said}"
        found.append(Violation("physical accounts equal coins", what))
    return found


def _receipts(world: World, books: Books, moved: Mapping[str, Moved]) -> list[Violation]:
    """Hold what stands on receipts to coins, cards and phones: one a payment, and its sums are true."""
    said: dict[str, list[dict[str, str]]] = defaultdict(list)
    for machine in world.machines:
        for slip in machine.slips:
            of = written_on(slip)
            said[of["受付番号"]].append(of)
    payments_ = {one[:REFERENCE_CHARACTERS].upper(): one for one in moved.keys() | books.payments.keys()}
    found = []
    for reference, slips in said.items():
        if len(slips) > 1:
            found.append(Violation("one receipt a payment", f"{reference}: {len(slips)} slips"))
        payment_id = payments_.get(reference, "")
        of, coins = slips[0], moved.get(payment_id, Moved())
        charged_yen, owed_yen = _on(of, "お支払い"), _on(of, "まだお返ししていない金額")
        in_doubt_yen = _on(of, "確認中の金額")
        if (of["code"] != "") > (owed_yen > 0):
            found.append(Violation("a code only for what is owed", reference))
        if in_doubt_yen or books.lists.has({payment_id}):
            continue
        # What is owed lies in the cashbox, too, until it is fetched.
        kept_yen = books.receivable[payment_id] + coins.inserted_yen - coins.change_yen - coins.returned_yen
        if charged_yen + owed_yen != kept_yen:
            what = f"{reference}: {charged_yen} yen charged, {owed_yen} owed; {kept_yen} yen were kept"
            found.append(Violation("a receipt says what was paid", what))
    return found


def _on(slip: Mapping[str, str], words: str) -> int:
    return int(slip.get(words, "0円").removesuffix("円").replace(",", ""))


def _order(world: World, books: Books, order: Any) -> list[Violation]:
    out = [sheet for sheet in world.sheets if sheet.order_id == order.order_id]
    whole = bool(out) and len({sheet.index for sheet in out}) == out[0].sheets
    listed = books.lists.has({one for one in (order.order_id, order.payment_id, order.visit_id) if one})
    found = []
    if any(sheet.pdf_sha256 != order.pdf_sha256 for sheet in out):
        found.append(Violation("what came out is what was prepared", order.order_id))
    wrong = {
        "SETTLED": not whole,
        "PRINTED": True,  # its money is not accounted for
        "GRANTED": True,  # nobody will say any more what became of it
        "VOIDED": bool(out),
        "PREPARED": bool(out),  # time voids it
        "INTENDED": bool(out),
    }[order.state]
    if wrong and not listed:
        what = f"{order.order_id} is {order.state}, {len(out)} sheets are out"
        found.append(Violation("orders are what the sheets are", what))
    return found


def _journals(simulation: Simulation) -> list[Violation]:
    found = []
    for kiosk in simulation.kiosks:
        if kiosk.journal is not None:
            rows = list(kiosk.journal.rows())
            ended = {row.of_row for row in rows if row.kind is RowKind.RESULT}
            unfinished = [row.row for row in rows if row.kind is RowKind.INTENT and row.row not in ended]
            if unfinished:
                found.append(Violation("no act without a result", f"terminal {kiosk.number}: rows {unfinished}"))
    return found
