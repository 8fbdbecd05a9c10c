"""A process's writes as the kernel saw them: was what the journal says on the disk before the act was begun?"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CALLS: Final = "pwrite64,fdatasync,fsync,write,sendto"
_STRING_BYTES: Final = 5000  # a whole page of the database
_LINE: Final = re.compile(r"^(?P<thread>\d+) +(?P<what>.*)$")
_RESUMED: Final = re.compile(r"^<\.\.\. (?P<name>\w+) resumed>")
_UNFINISHED: Final = "<unfinished ...>"


@dataclass(frozen=True)
class Seen:
    """One call, at its begin or its end; told is its text with name, file and bytes."""

    told: str
    ended: bool


def traces() -> bool:
    """Tell whether a process may be traced here at all: some containers forbid it."""
    told = subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, check=False)
    return told.returncode == 0


@contextmanager
def traced(pid: int) -> Iterator[list[Seen]]:
    """Trace a process with its threads; the list is filled when the block ends."""
    with tempfile.NamedTemporaryFile("r") as output:
        options = ["-f", "-qq", "-yy", "-s", str(_STRING_BYTES), "-e", f"trace={_CALLS}", "-o", output.name]
        tracer = subprocess.Popen(["strace", *options, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        seen: list[Seen] = []
        try:
            _until_attached(pid)
            yield seen
        finally:
            tracer.terminate()
            tracer.communicate()
            seen += read_trace(output.read())


def _until_attached(pid: int) -> None:
    """Wait until every thread has its tracer."""
    while not all(
        "TracerPid:\t0\n" not in (task / "status").read_text() for task in Path(f"/proc/{pid}/task").iterdir()
    ):
        time.sleep(0.01)


def run_traced(script: str) -> list[Seen]:
    """Run a Python script to its end and return its calls."""
    with tempfile.NamedTemporaryFile("r") as output:
        options = ["-f", "-qq", "-yy", "-s", str(_STRING_BYTES), "-e", f"trace={_CALLS}", "-o", output.name]
        subprocess.run(["strace", *options, sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)
        return read_trace(output.read())


def read_trace(text: str) -> list[Seen]:
    """Read strace's lines; a call that was interrupted by another thread's stands in two."""
    seen: list[Seen] = []
    open_calls: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        thread, what = match["thread"], match["what"]
        if _RESUMED.match(what):
            seen.append(Seen(open_calls.pop(thread, ""), ended=what.endswith("= 0")))
        elif what.endswith(_UNFINISHED):
            open_calls[thread] = what.removesuffix(_UNFINISHED)
            seen.append(Seen(what, ended=False))
        else:
            seen += [Seen(what, ended=False), Seen(what, ended=True)]
    return seen


def was_on_disk_before(seen: list[Seen], row: str, act: str) -> bool:
    """Tell whether the journal's row was synced between its writing and the first writing of the act after it.

    Errors: ValueError if there was no such row, or no such act behind it.
    """
    written = _first(
        seen, 0, lambda call: call.told.startswith("pwrite64(") and "-wal>" in call.told and row in call.told
    )
    begun = _first(seen, written, lambda call: call.told.startswith("write(") and act in call.told)
    return any(
        call.ended and call.told.startswith("fdatasync(") and "-wal>" in call.told for call in seen[written:begun]
    )


def _first(seen: list[Seen], after: int, holds: Callable[[Seen], bool]) -> int:
    for number in range(after, len(seen)):
        if holds(seen[number]):
            return number
    raise ValueError("no such call was seen")
