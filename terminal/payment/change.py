"""Which coins make a sum: pure, over counts by denomination."""

from __future__ import annotations

Coins = dict[int, int]  # denomination in yen: how many


def yen(coins: Coins) -> int:
    """Return what these coins are worth."""
    return sum(denomination * count for denomination, count in coins.items())


def most(hoppers: Coins, sum_yen: int) -> Coins:
    """Return the coins that come closest to sum_yen from below.

    Largest first is exact here, since every denomination divides the next larger one.
    """
    picked: Coins = {}
    for denomination in sorted(hoppers, reverse=True):
        count = min(hoppers[denomination], sum_yen // denomination)
        if count > 0:
            picked[denomination] = count
            sum_yen -= denomination * count
    return picked


def pick(hoppers: Coins, sum_yen: int) -> Coins | None:
    """Return the coins that make exactly sum_yen, or None."""
    coins = most(hoppers, sum_yen)
    return coins if yen(coins) == sum_yen else None
