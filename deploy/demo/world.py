"""The hands at one terminal of the demo: cards put on and taken off, coins put in, paper and change taken.

Used by the dock beside the kiosk's page and by the commands that drive visits. It knows nothing of the terminal's
inside: it plugs a virtual card into the reader's port and puts coins into the coin unit's slot.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import msgspec

from deploy.demo.card_authority import PATH_HOTLINE
from deploy.demo.card_slot import CardSlot
from deploy.demo.cctalk_unit import CcTalkWorld
from deploy.demo.coin_box import Totals
from deploy.demo.emoney_terminal import EmoneyWorld
from deploy.demo.pki import Standing, TownPki, Validity
from deploy.demo.qr_provider import PATH_SCAN, PATH_WALLET
from deploy.demo.virtual_card import AUTH_TRIES, EF_AUTH_PIN, CardKind, PluggedCard, TryCounters, VirtualCard
from deploy.demo.virtual_coins import CoinWorld
from deploy.demo.virtual_receipts import SlipTray
from terminal.payment.change import Coins

EMONEY_CARD: Final = "card-1"
Leaves = Literal["before", "after"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts of one terminal are. Shape: paths absolute, ports on loopback."""

    terminal_id: str
    folder: str
    kiosk: str  # address of the kiosk's pages, with the key that opens them
    dock: str  # address of the dock around them
    kiosk_port: int
    entry_key: str
    vpcd_port: int
    reader_prefix: str
    pcscd_socket: str
    cups_socket: str
    queue: str
    printer_uri: str
    papers: str  # where the printer's sheets lie
    cash: Literal["socket", "cctalk"]  # what speaks behind the coins' socket
    coins_socket: str
    spool: str
    card_authority: str | None = None  # address of the cards' authority, where there is one
    qr_provider: str | None = None  # address of the simulated provider, where there is one
    emoney_socket: str | None = None  # of the simulated contract terminal, where there is one
    receipt_printer: str | None = None  # where the simulated receipt printer is, where there is one
    slips: str | None = None  # where its slips lie


class CardHolder(msgspec.Struct, frozen=True, kw_only=True):
    """One invented resident, as deploy.demo.town.directory has them.

    household and register: who may be chosen, in the order of printing; register: of the family register, by the ids
    that its municipality has. registration: at which other municipality the person is known, and as whom.
    document_of: whose document the story asks for; None = no matter.
    """

    name: str
    municipality: str | None
    household: tuple[str, ...]
    register: tuple[str, ...]
    registration: tuple[str, str] | None
    story: str | None
    what: str | None
    kind: str | None
    scope: str | None
    document_of: str | None
    refusal: str | None
    card: CardKind
    pin: str
    tries_left: int
    certificate_expired: bool
    standing: Standing
    linked: bool


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """The demo's phone book; sample is whose visit it is when nobody is named."""

    seed: int
    sample: str
    residents: dict[str, CardHolder]

    @classmethod
    def read(cls, path: Path) -> Directory:
        """Read what deploy.demo.base wrote."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


class NoSuchResident(LookupError):
    """The town has nobody of that id."""


@dataclass
class World:
    """One terminal's surroundings. Put one card on at a time, as a reader has room for one."""

    place: Place
    directory: Directory
    pki: TownPki
    cards: Path

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._card: PluggedCard | None = None
        self._slot: CardSlot | None = None
        hand = CcTalkWorld if self.place.cash == "cctalk" else CoinWorld
        self._coins: CoinWorld | CcTalkWorld = hand(self.place.coins_socket)
        self._emoney = EmoneyWorld(self.place.emoney_socket) if self.place.emoney_socket else None
        self._slips = SlipTray(Path(self.place.slips)) if self.place.slips else None

    def holder(self, resident_id: str) -> CardHolder:
        """Return one resident of the phone book. Errors: NoSuchResident."""
        try:
            return self.directory.residents[resident_id]
        except KeyError:
            raise NoSuchResident(f"the town has no resident {resident_id!r}") from None

    def put_card(self, resident_id: str) -> None:
        """Put this resident's card on the reader; an earlier one is taken off first."""
        holder = self.holder(resident_id)
        with self._lock:
            self._pull()
            card = VirtualCard(self._card_of(resident_id, holder))
            self._card = PluggedCard(card, self.place.vpcd_port)

    def take_card(self) -> None:
        """Take the card off, if one lies there."""
        with self._lock:
            self._pull()

    def has_card(self) -> bool:
        """Tell whether a card was put on and not taken off."""
        with self._lock:
            return self._card is not None

    def open_slot(self) -> int:
        """Make room for a card that somebody else brings; return the port to which it connects instead of vpcd's."""
        with self._lock:
            self._pull()
            self._slot = CardSlot(self.place.vpcd_port)
            return self._slot.port

    def insert_coin(self, yen: int) -> bool:
        """Put one coin or note in; False = it fell through into the return cup."""
        return self._coins.insert(yen)

    def take_cup(self) -> Coins:
        """Take what lies in the return cup: count by denomination."""
        return self._coins.take_cup()

    def money(self) -> Totals:
        """Return what the coin unit counted."""
        return self._coins.totals()

    def touch_emoney(self, leaves: Leaves | None = None) -> bool:
        """Hold the e-money card to the contract terminal; leaves: it is pulled away before or after it was debited.

        False = nothing waits for a card, or there is no contract terminal.
        """
        return self._emoney is not None and self._emoney.touch(EMONEY_CARD, leaves)

    def emoney_yen(self) -> int | None:
        """Return what is on the e-money card; None = nothing here takes one."""
        return None if self._emoney is None else self._emoney.balances()[EMONEY_CARD]

    def scan_code(self) -> bool:
        """Read the code with a phone and agree to pay; False = none stands on a screen, or the wallet is too empty."""
        return bool(self._phone("POST", PATH_SCAN)["scanned"])

    def wallet_yen(self) -> int | None:
        """Return what is in the phone's wallet; None = nothing here takes it."""
        return None if self.place.qr_provider is None else int(self._phone("GET", PATH_WALLET)["yen"])

    def _phone(self, method: str, path: str) -> dict[str, Any]:
        answer = httpx.request(method, f"{self.place.qr_provider}{path}", timeout=10, trust_env=False)
        said: dict[str, Any] = answer.raise_for_status().json()
        return said

    def is_suspended(self, resident_id: str) -> bool:
        """Tell whether the hotline has suspended a resident's card."""
        return self._hotline("GET", resident_id) is Standing.SUSPENDED

    def report(self, resident_id: str, *, lost: bool) -> None:
        """Call the hotline: a card was lost, or is found again."""
        self._hotline("POST", resident_id, standing=Standing.SUSPENDED if lost else Standing.GOOD)

    def _hotline(self, method: str, resident_id: str, **said: str) -> Standing:
        url = f"{self.place.card_authority}{PATH_HOTLINE}/{self.pki.serial_of(resident_id)}"
        answer = httpx.request(method, url, data=said, timeout=10, trust_env=False)
        return Standing(answer.raise_for_status().json()["standing"])

    def papers(self) -> tuple[Path, ...]:
        """Return the papers that came out of the printer, oldest first."""
        return tuple(sorted(Path(self.place.papers).glob("*.pdf")))

    def slips(self) -> tuple[Path, ...]:
        """Return the receipts that lie there, oldest first."""
        return () if self._slips is None else self._slips.slips()

    def take_slips(self) -> None:
        """Take them."""
        if self._slips is not None:
            self._slips.take()

    def has_receipt_roll(self) -> bool | None:
        """Tell whether there is paper for receipts; None = nothing here prints any."""
        return None if self._slips is None else not self._slips.is_out

    def set_receipt_roll(self, *, in_place: bool) -> None:
        """Take the roll out, or lay one in."""
        if self._slips is not None:
            self._slips.set_roll(in_place=in_place)

    def residents(self, query: str, limit: int = 40) -> tuple[tuple[str, CardHolder], ...]:
        """Return residents whose id or name holds the query; without one, those with a story."""
        wanted = query.strip()
        chosen = (
            (resident_id, holder)
            for resident_id, holder in self.directory.residents.items()
            if (wanted in resident_id or wanted in holder.name if wanted else holder.story)
        )
        return tuple(islice(chosen, limit))

    def _card_of(self, resident_id: str, holder: CardHolder) -> Path:
        """A card is made when it is first used and kept, so that its tries survive."""
        folder = self.cards / resident_id
        if (folder / "card.json").exists():
            return folder
        validity = Validity.expired() if holder.certificate_expired else Validity.current()
        self.pki.issue_card(self.cards, resident_id, pin=holder.pin, kind=holder.card, validity=validity)
        if holder.tries_left < AUTH_TRIES:
            TryCounters(folder / "tries.json").set(EF_AUTH_PIN, holder.tries_left)
        return folder

    def _pull(self) -> None:
        if self._card is not None:
            self._card.pull()
            self._card = None
        if self._slot is not None:
            self._slot.lift()
            self._slot = None
