"""Virtual time and the processes that live in it: one thread, one heap of moments, nothing that waits.

A process is whatever can be cut: its greenlets are its threads, and every call of a port is a point at which another
may go on. What runs between two such points runs alone, as a transaction must.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from greenlet import getcurrent, greenlet

from tests.issuing_parts import NOW

LOOK_S = 0.5  # how often it is asked whether the world is at rest


class Killed(BaseException):
    """The process was cut while it was doing this; nothing catches it."""


class Stuck(AssertionError):
    """The world did not come to rest in its time."""


class Process:
    """Something that can be cut: with it go its greenlets, and whatever it had meant to do later."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.greenlets: set[greenlet] = set()

    def __repr__(self) -> str:
        return self.name


class Thread(greenlet):
    """One thread of a process."""

    process: Process


class Hub:
    """The one scheduler. Whatever may happen at once happens in an order that the seed decides."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_s = 0.0
        self.trace: list[str] | None = None
        self._heap: list[tuple[float, float, int, Process, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._limit_s = 0.0
        self._main = getcurrent()

    def now_utc(self) -> datetime:
        """Return the wall clock."""
        return NOW + timedelta(seconds=self.now_s)

    def monotonic(self) -> float:
        """Return the seconds since the world began."""
        return self.now_s

    def say(self, who: object, what: str) -> None:
        """Write a line of the trace, when somebody reads it."""
        if self.trace is not None:
            self.trace.append(f"{self.now_s:9.3f}  {who!s:<12} {what}")

    def at(self, process: Process, delay_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """Have something done later, unless the process is cut before."""
        self._number += 1
        # Of two things at one moment neither is the first by right.
        entry = (self.now_s + delay_s, self.random.random(), self._number, process, act, arguments)
        heapq.heappush(self._heap, entry)

    def spawn(self, process: Process, work: Callable[[], None], delay_s: float = 0.0) -> None:
        """Start a thread of a process."""

        def run() -> None:
            try:
                work()
            except Killed:
                pass
            finally:
                process.greenlets.discard(made)

        made = Thread(run, parent=self._main)
        made.process = process
        process.greenlets.add(made)
        self.at(process, delay_s, self._resume, made)

    def sleep(self, seconds: float) -> None:
        """Let others go on; called on a thread of a process."""
        until_s = self.now_s + seconds
        if until_s <= self._limit_s and (not self._heap or until_s < self._heap[0][0]):
            # Nobody else has anything to do until then: time passes, and this one goes on.
            self.random.random()  # as if it had waited its turn, so that a seed is the same story either way
            self.now_s = until_s
            return
        current = getcurrent()
        assert isinstance(current, Thread)
        self.at(current.process, seconds, self._resume, current)
        self._main.switch()

    def pause(self) -> None:
        """Let others go on until somebody calls `wake` with this thread."""
        self._main.switch()

    def wake(self, process: Process, paused: greenlet) -> None:
        """Let a paused thread go on."""
        self.at(process, 0.0, self._resume, paused)

    def kill(self, process: Process) -> None:
        """Cut a process. Its `finally` run, as locks are let go by a process that ends."""
        process.alive = False
        current = getcurrent()
        for one in list(process.greenlets):
            if one is not current and one:
                one.throw(Killed)
        process.greenlets.clear()

    def run(self, until: Callable[[], bool], limit_s: float) -> None:
        """Let time pass until the world is at rest. Errors: Stuck."""
        asked_s, self._limit_s = -LOOK_S, limit_s
        while True:
            if self.now_s - asked_s >= LOOK_S:
                asked_s = self.now_s
                if until():
                    return
            if not self._heap or self._heap[0][0] > limit_s:
                raise Stuck(f"not at rest after {self.now_s:.0f} s")
            moment_s, _, _, process, act, arguments = heapq.heappop(self._heap)
            self.now_s = max(self.now_s, moment_s)
            if process.alive:
                act(*arguments)

    def _resume(self, sleeping: greenlet) -> None:
        if sleeping.dead:
            return
        sleeping.switch()


class Reply:
    """One answer that a thread waits for, or its time is over."""

    def __init__(self, hub: Hub, waiting: Process) -> None:
        self._hub, self._waiting = hub, waiting
        self._thread: greenlet | None = None
        self._over = False
        self._value: Any = None
        self._error: Exception | None = None

    def give(self, value: Any) -> None:
        """Answer; a second answer, or one that comes too late, is thrown away."""
        self._end(value, None)

    def fail(self, error: Exception) -> None:
        """Answer with an error."""
        self._end(None, error)

    def wait(self, timeout_s: float, late: Exception) -> Any:
        """Return the value. Errors: the given error, or `late` when the time is over."""
        if not self._over:
            self._thread = getcurrent()
            self._hub.at(self._waiting, timeout_s, self._end, None, late)
            self._hub.pause()
        if self._error is not None:
            raise self._error
        return self._value

    def _end(self, value: Any, error: Exception | None) -> None:
        if self._over:
            return
        self._over, self._value, self._error = True, value, error
        if self._thread is not None and self._waiting.alive:
            self._hub.wake(self._waiting, self._thread)
