"""The town that every seed begins with: made once a process, in memory and a folder of its own."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from deploy.demo.emoney_terminal import Contents
from issuance_server import terminals
from issuance_server.card_auth import Anchors
from issuance_server.database import open_engine, write
from issuance_server.keys import Keys
from issuance_server.register.records import Household, Resident
from issuance_server.register.store import Link, RegisterStore
from issuance_server.schema import metadata
from issuance_server.settings_store import SettingsStore
from issuance_server.vault import Vault
from printing.paper.fonts import Fonts
from protocol.trust import Trust
from tests.issuing_parts import CODE, NOW, SETTINGS, TARO
from tests.server_parts import Authority, Card
from tests.simulation.world import Machine, Person

TERMINALS = 3
PEOPLE = 6
AUTHORITY = "issuing.invalid"
_GIVEN = ("一郎", "二葉", "三郎", "四葉", "五郎", "六花")
FLOAT = {10: 20, 50: 10, 100: 20, 500: 6}
ON_CARD_YEN = 2_000
IN_WALLET_YEN = 2_000
PURSE = {10: 10, 50: 4, 100: 12, 500: 4, 1000: 3}


@dataclass(frozen=True)
class Town:
    """What does not change from seed to seed."""

    keys: Keys
    vault: Vault
    anchors: Anchors
    register: RegisterStore
    settings: SettingsStore
    fonts: Fonts
    trust: Trust
    terminal_keys: tuple[Ed25519PrivateKey, ...]
    cards: tuple[Card, ...]
    template: bytes


def terminal_id(number: int) -> str:
    """Return a terminal's name."""
    return f"t-{number + 1}"


def resident(number: int) -> Resident:
    """Return one of the town's people as registered."""
    return replace(
        TARO,
        resident_id=f"r-{number}",
        household_id=f"h-{number}",
        name=f"見本 {_GIVEN[number]}",
        individual_number=None,
    )


def household(number: int, address: str) -> Household:
    """Return the household of one."""
    return Household(
        household_id=f"h-{number}", address=address, head_name=resident(number).name, member_ids=(f"r-{number}",)
    )


def first_address(number: int) -> str:
    """Return where somebody lives when the world begins."""
    return f"見本県見本市一丁目{number + 1}番1号"


def people(town: Town) -> list[Person]:
    """Return the people with full purses and their cards in hand."""
    return [
        Person(
            number=number,
            name=resident(number).name,
            resident_id=f"r-{number}",
            pin=f"{1111 * (number + 1)}",
            certificate_der=town.cards[number].certificate_der,
            address=first_address(number),
            purse=Counter(PURSE),
        )
        for number in range(PEOPLE)
    ]


def machines() -> list[Machine]:
    """Return the coin units, filled, and the contract terminals beside them."""
    cards = wallets(ON_CARD_YEN)
    return [Machine(hoppers=Counter(FLOAT), emoney=Contents(cards)) for _ in range(TERMINALS)]


def wallets(amount_yen: int = IN_WALLET_YEN) -> dict[str, int]:
    """Return what everybody has on a card or in a phone."""
    return {resident(number).name: amount_yen for number in range(PEOPLE)}


@cache
def town() -> Town:
    """Return the town."""
    folder = Path(tempfile.mkdtemp(prefix="town-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    keys = Keys.create(folder / "keys", [CODE])
    vault = Vault(keys.vault)
    authority = Authority(key=ec.generate_private_key(ec.SECP256R1()))
    anchors = Anchors(authority.anchor(folder / "anchors"), production=False)
    cards = tuple(
        authority.card(ec.generate_private_key(ec.SECP256R1()), serial=100 + number) for number in range(PEOPLE)
    )
    terminal_keys = tuple(
        Ed25519PrivateKey.from_private_bytes(hashlib.sha256(terminal_id(number).encode()).digest())
        for number in range(TERMINALS)
    )
    register, settings = RegisterStore(vault), SettingsStore()
    engine = open_engine("sqlite://")
    with write(engine) as connection:
        metadata.create_all(connection)
        settings.put(connection, SETTINGS)
        for number, key in enumerate(terminal_keys):
            terminals.enrol(
                connection,
                terminal_id=terminal_id(number),
                operator="見本商店",
                public_key=key.public_key(),
                now_utc=NOW,
            )
        for number in range(PEOPLE):
            register.put(connection, CODE, (resident(number), household(number, first_address(number))))
            digest = vault.link_digest(CODE, authority.key_sha256, 100 + number)
            register.add_link(connection, Link(CODE, digest, f"r-{number}"))
    raw = engine.raw_connection()
    template = raw.driver_connection.serialize()  # type: ignore[union-attr]
    raw.close()
    return Town(
        keys=keys,
        vault=vault,
        anchors=anchors,
        register=register,
        settings=settings,
        fonts=Fonts.load(),
        trust=keys.trust({CODE: SETTINGS.municipality_name}),
        terminal_keys=terminal_keys,
        cards=cards,
        template=template,
    )
