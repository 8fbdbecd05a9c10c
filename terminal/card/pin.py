"""The PIN's digits, in the one place where they stand together."""

import threading
from collections.abc import Callable
from typing import Final

from terminal.card.results import PinIncomplete

PIN_DIGITS: Final = 4
"""The authentication PIN; the signing PIN of 6 to 16 characters is never asked for here."""


class PinPad:
    """Collects digits in a buffer that is overwritten with zeros whenever the digits are no longer needed.

    Best effort: Python may have copied a digit on its way here. The card's removal clears from another thread.
    """

    def __init__(self, clock_s: Callable[[], float], idle_timeout_s: float) -> None:
        self._clock_s = clock_s
        self._idle_timeout_s = idle_timeout_s
        self._buffer = bytearray(PIN_DIGITS)
        self._count = 0
        self._touched_at_s = clock_s()
        self._lock = threading.Lock()

    def digit(self, digit: str) -> int:
        """Add one digit, unless four stand already; return how many stand now.

        Errors: ValueError, without the value, where it is not one of 0..9.
        """
        if len(digit) != 1 or digit not in "0123456789":
            raise ValueError("digit must be one of 0..9")
        with self._lock:
            self._touch()
            if self._count < PIN_DIGITS:
                self._buffer[self._count] = ord(digit)
                self._count += 1
            return self._count

    def correct(self) -> int:
        """Take the last digit back; return how many stand now."""
        with self._lock:
            self._touch()
            if self._count > 0:
                self._count -= 1
                self._buffer[self._count] = 0
            return self._count

    def clear(self) -> None:
        with self._lock:
            self._wipe()

    def clear_if_idle(self) -> None:
        """Wipe digits that somebody left standing; called by a clock's tick."""
        with self._lock:
            if self._clock_s() - self._touched_at_s > self._idle_timeout_s:
                self._wipe()

    def take(self) -> bytearray:
        """Hand the four digits over and keep none; the caller wipes what it got.

        Errors: PinIncomplete where fewer than four stand; they are wiped too.
        """
        with self._lock:
            self._touch()
            taken, digits = bytearray(self._buffer), self._count
            self._wipe()
        if digits < PIN_DIGITS:
            taken[:] = bytes(PIN_DIGITS)
            raise PinIncomplete(digits)
        return taken

    def _touch(self) -> None:
        if self._clock_s() - self._touched_at_s > self._idle_timeout_s:
            self._wipe()
        self._touched_at_s = self._clock_s()

    def _wipe(self) -> None:
        self._buffer[:] = bytes(PIN_DIGITS)
        self._count = 0
