"""What is physically there: people, their cards, coins and sheets. Nothing here knows a journal, a ledger or a state.

Every coin is in exactly one place at any time; every sheet that came out stays on record with who took it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.demo.emoney_terminal import Contents
from deploy.demo.qr_provider import Provider
from printing.press.slip import Slip

Coins = Counter[int]


def yen(coins: Coins) -> int:
    """Return what coins are worth."""
    return sum(coin_yen * count for coin_yen, count in coins.items())


def pour(source: Coins, target: Coins) -> int:
    """Move all coins of a place to another; return what they were worth."""
    moved_yen = yen(source)
    target.update(source)
    source.clear()
    return moved_yen


class Hands(StrEnum):
    """Where a sheet ended."""

    OUTLET = "outlet"  # where it came out, and where whoever comes next finds it
    TAKEN = "taken"
    DESTROYED = "destroyed"  # by staff, unread


class Lost(StrEnum):
    """Evidence that the world destroyed, or that nobody was there to give: only with it may a visit end in a list."""

    HISTORY = "the printer's history went with its power while it had this visit's job, or was to get it"
    AWAY = "the printer stayed dark for longer than anybody waits for it"
    SHEETS = "some sheets came out and not all, or one stands in the path"
    MOVEMENT = "the coin unit's power went while coins moved, or it was dark when they had to"
    CHANGE = "the hoppers did not pay out"
    DEBIT = "an e-money card left in the middle of its debit, or the contract terminal was dark when it was to be asked"
    WORD = "the provider never said what became of a capture"
    LONG = "money or a paper waited longer than a minute in the dark"
    NOBODY = "nobody answered, or nobody was there any more"
    MIXED = "a paper was not what was ordered"
    DISK = "the terminal's disk took no row"


#: Whoever ends so takes nothing along.
GONE = frozenset({"walked away", "lost patience"})


@dataclass
class Sheet:
    """One sheet that came out, with what can be read on it."""

    order_id: str
    index: int
    sheets: int
    names: tuple[str, ...]
    address: str
    issue_number: str
    pdf_sha256: bytes
    terminal: int
    at_s: float
    hands: Hands = Hands.OUTLET
    holder: str = ""
    visit: int = -1


@dataclass
class Moved:
    """What the machine physically did with one payment's coins; whole yen."""

    inserted_yen: int = 0
    cashbox_yen: int = 0
    change_yen: int = 0
    returned_yen: int = 0
    tray_yen: int = 0


@dataclass
class Machine:
    """One coin unit's places, and what lies in front of it."""

    tray: Coins = field(default_factory=Counter)
    cashbox: Coins = field(default_factory=Counter)
    hoppers: Coins = field(default_factory=Counter)
    cup: Coins = field(default_factory=Counter)
    envelope: Coins = field(default_factory=Counter)  # what staff took out of the machine and wrote down
    lost_and_found: Coins = field(default_factory=Counter)
    by_payment: dict[str, Moved] = field(default_factory=dict)
    slips: list[Slip] = field(default_factory=list)  # receipts that came out
    emoney: Contents = field(default_factory=lambda: Contents({}))  # of the contract terminal, with everybody's cards

    def of(self, payment_id: str) -> Moved:
        """Return what was done with a payment's coins."""
        return self.by_payment.setdefault(payment_id, Moved())

    def places(self) -> Iterable[Coins]:
        """Return every place where a coin of this machine may be."""
        return (self.tray, self.cashbox, self.hoppers, self.cup, self.envelope, self.lost_and_found)


@dataclass
class Person:
    """Somebody with a card, a PIN and a purse."""

    number: int
    name: str
    resident_id: str
    pin: str
    certificate_der: bytes
    address: str
    purse: Coins = field(default_factory=Counter)
    tries: int = 3
    verified: int = 0  # VERIFY that reached the card
    oks: int = 0  # OK that this finger pressed


@dataclass
class Stay:
    """One person's stay at one terminal: what the world saw of it."""

    number: int
    terminal: int
    person: Person
    begun_s: float = -1.0
    ended_s: float = -1.0
    inserted_yen: int = 0
    received_yen: int = 0
    debited_yen: int = 0  # from the e-money card, less what was put back onto it
    cards_read: list[str] = field(default_factory=list)  # whose certificate the reader read
    paid_at_s: float = -1.0  # when "that is me, and I pay" was touched
    screens: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)  # that the screen stood for: visit, payment, orders
    faults: set[str] = field(default_factory=set)
    wanted: int = 0  # copies
    lost: set[Lost] = field(default_factory=set)
    gave_up: str = ""  # what the person did of their own will
    claim_code: str = ""  # that the screen showed, for money that did not come out
    errand_of: int | None = None  # the stay whose money is wanted back; None = a visit for paper

    @property
    def paid_yen(self) -> int:
        """Return what this stay cost in coins and by card; what a phone agreed to is captured later."""
        return self.inserted_yen + self.debited_yen - self.received_yen


@dataclass
class World:
    """All of it."""

    machines: list[Machine]
    people: list[Person]
    stays: list[Stay] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    addresses: dict[str, list[tuple[float, str]]] = field(default_factory=dict)  # by name: since when
    wallets: Provider | None = None  # of everybody's phone; None = nobody pays by one
    begun_with_yen: int = 0

    def visits(self) -> list[Stay]:
        """Return the stays for paper."""
        return [stay for stay in self.stays if stay.errand_of is None]

    def cost_yen(self, stay: Stay) -> int:
        """Return what a stay cost in the end, with what was captured, and what was fetched back, later."""
        fetched_yen = sum(errand.paid_yen for errand in self.stays if errand.errand_of == stay.number)
        return stay.paid_yen + self.captured_yen(stay) + fetched_yen

    def captured_yen(self, stay: Stay) -> int:
        """Return what was taken, or is still held, from the phone of a stay."""
        payments = {} if self.wallets is None else self.wallets.payments
        mine = [payments[one] for one in stay.ids & payments.keys() if payments[one].wallet == stay.person.name]
        return sum(entry.captured_yen + entry.held_yen for entry in mine)

    def everything_yen(self) -> int:
        """Return all money that there is."""
        in_machines = sum(yen(place) for machine in self.machines for place in machine.places())
        on_cards = sum(self.machines[0].emoney.balances.values())  # the same cards before every machine
        taken = sum(machine.emoney.brand_yen for machine in self.machines)
        of_phones = 0 if self.wallets is None else self.wallets.all_yen()
        return in_machines + on_cards + taken + of_phones + sum(yen(person.purse) for person in self.people)

    def outlet(self, terminal: int) -> list[Sheet]:
        """Return the sheets that lie in front of a terminal."""
        return [sheet for sheet in self.sheets if sheet.terminal == terminal and sheet.hands is Hands.OUTLET]
