"""Services for the tests of the worker harness: they hang, die and misbehave on cue."""

import ctypes
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from terminal.card.results import PinWrong

SEEN_AT_IMPORT = os.environ.get("MADOGUCHI_TOY", "")
"""What a library would see that reads its environment once, when it is imported."""


class Toy:
    """A service with one method for each way to behave."""

    def __init__(self, label: str, emit: Callable[[object], None]) -> None:
        self._label = label
        self._emit = emit

    def close(self) -> None:
        self._emit("closed")

    def echo(self, value: object) -> tuple[str, object]:
        return self._label, value

    def pid(self) -> int:
        return os.getpid()

    def environment(self) -> str:
        return SEEN_AT_IMPORT

    def core_limit(self) -> tuple[int, int]:
        return resource.getrlimit(resource.RLIMIT_CORE)

    def ignores_interrupt(self) -> bool:
        return signal.getsignal(signal.SIGINT) is signal.SIG_IGN

    def wrong_pin(self) -> None:
        raise PinWrong(2)

    def unpicklable(self) -> object:
        return threading.Lock()

    def emit_all(self, events: list[object]) -> None:
        for event in events:
            self._emit(event)

    def sleep(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"

    def sleep_holding_the_gil(self, seconds: int) -> None:
        ctypes.PyDLL(None).sleep(seconds)

    def die(self) -> None:
        os._exit(3)


class NeedsFile:
    """A service that can be built only while a file is there."""

    def __init__(self, path: Path, emit: Callable[[object], None]) -> None:
        self._content = path.read_text(encoding="ascii")
        self._emit = emit

    def close(self) -> None:
        self._emit("closed")

    def content(self) -> str:
        return self._content
