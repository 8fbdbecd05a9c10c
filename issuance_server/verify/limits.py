"""How often one client may ask for what a person does by hand.

A printed check code has 80 random bits: no limit is needed against guessing. This one keeps a machine that guesses all
the same from taking the check from everybody else. Counted in memory: each process counts for itself, so a client gets
at most that many times the processes. What floods from many addresses is stopped before us: see
deploy/gunicorn_verify.conf.py.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 60.0
MAX_CLIENTS: Final = 10_000
_IPV6_NETWORK_BITS: Final = 64  # one household or office has a whole network of addresses


class Limiter:
    """At most `times` in a window of a minute for each client; the window begins with the first."""

    def __init__(self, times: int, clock_s: Callable[[], float]) -> None:
        self._times = times
        self._clock_s = clock_s
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def allows(self, address: str | None) -> bool:
        """Count one more of a client's, and say whether it may have it."""
        now_s, client = self._clock_s(), _client(address)
        begun_s, count = self._windows.pop(client, (now_s, 0))
        if now_s - begun_s >= WINDOW_S:
            begun_s, count = now_s, 0
        self._windows[client] = (begun_s, count + 1)
        if len(self._windows) > MAX_CLIENTS:
            self._windows.popitem(last=False)  # the one that has been silent for longest
        return count < self._times


def _client(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
