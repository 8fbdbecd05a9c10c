"""Where every coin and note is: the world behind the simulated money devices, kept on disk so that a kill loses none.

Coins come out of the hand and go back into it; in between they lie in a place. Nothing is ever made or lost here:
`move` is the only way, and it takes from one place what it adds to another.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from deploy.demo.coin_box import Totals
from terminal.payment.change import Coins, yen

HAND = "hand"
TRAY = "tray"
ESCROW = "escrow"
CASHBOX = "cashbox"  # coins and the validator's stacker
CUP = "cup"
CHUTE = "chute"  # stuck in the coin acceptor, before its sensor
STAFF = "staff"
IN_HAND = 10_000  # of each denomination
KNOWN_YEN = (10, 50, 100, 500, 1000, 2000, 5000, 10_000)
_TAKEN = frozenset({TRAY, ESCROW, CASHBOX})


def hopper_place(address: int) -> str:
    """Return the name of a hopper's place."""
    return f"hopper-{address}"


@dataclass
class State:
    """All that outlives the process."""

    places: dict[str, Coins]
    inserted_yen: int = 0
    cashbox_yen: int = 0
    change_yen: int = 0
    returned_yen: int = 0
    payouts: dict[int, tuple[int, int]] = field(default_factory=dict)  # a hopper's own memory: paid, not paid yet


class World:
    """The places, and their file."""

    def __init__(self, path: Path, hoppers: dict[int, tuple[int, int]]) -> None:
        """hoppers: denomination and number of coins by address, for a world that begins now."""
        self._path = path
        if path.exists():
            self._state = msgspec.json.decode(path.read_bytes(), type=State, strict=False)
            return
        places = {HAND: dict.fromkeys(KNOWN_YEN, IN_HAND)}
        places |= {hopper_place(address): {denomination: count} for address, (denomination, count) in hoppers.items()}
        self._state = State(places)
        self._keep()

    def places(self) -> dict[str, Coins]:
        """Return what lies where."""
        return {place: {yen: n for yen, n in coins.items() if n} for place, coins in self._state.places.items()}

    def count(self, place: str, denomination: int) -> int:
        """Return how many of one kind lie in a place."""
        return self._state.places.get(place, {}).get(denomination, 0)

    def coins(self, place: str) -> list[int]:
        """Return what lies in a place, one by one."""
        return [denomination for denomination, n in self._state.places.get(place, {}).items() for _ in range(n)]

    def move(self, coins: list[int], source: str, target: str, payout: tuple[int, int, int] | None = None) -> None:
        """Take coins from one place to another; payout: a hopper's memory (address, paid, not paid) written with it.

        Errors: ValueError if they do not lie there.
        """
        state = self._state
        for coin in coins:
            if self.count(source, coin) < 1:
                raise ValueError(f"no {coin} yen lies in {source}")
            state.places[source][coin] -= 1
            there = state.places.setdefault(target, {})
            there[coin] = there.get(coin, 0) + 1
        if coins:
            self._total(sum(coins), source, target)
        if payout is not None:
            state.payouts[payout[0]] = payout[1:]
        self._keep()

    def payout(self, address: int) -> tuple[int, int]:
        """Return a hopper's memory: paid and not paid."""
        return self._state.payouts.get(address, (0, 0))

    def totals(self) -> Totals:
        """Return everything as it was, not as any driver thinks it was."""
        state = self._state
        cup = {denomination: n for denomination, n in state.places.get(CUP, {}).items() if n}
        hoppers = [coins for place, coins in state.places.items() if place.startswith("hopper-")]
        return Totals(
            inserted_yen=state.inserted_yen,
            cashbox_yen=state.cashbox_yen,
            change_yen=state.change_yen,
            returned_yen=state.returned_yen,
            tray_yen=yen(state.places.get(TRAY, {})) + yen(state.places.get(ESCROW, {})),
            hoppers_yen=sum(yen(coins) for coins in hoppers),
            cup_yen=yen(cup),
            cup=cup,
        )

    def _total(self, moved_yen: int, source: str, target: str) -> None:
        state = self._state
        if source == HAND and target in _TAKEN:
            state.inserted_yen += moved_yen
        if target == CASHBOX:
            state.cashbox_yen += moved_yen
        if target in {CUP, HAND} and source in {TRAY, ESCROW}:
            state.returned_yen += moved_yen
        if target == CUP and source.startswith("hopper-"):
            state.change_yen += moved_yen

    def _keep(self) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(self._state))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
