"""Child processes of the demo: real parts that end with us, whatever happens to us."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class PartFailed(RuntimeError):
    """A part of the town did not come up, or ended by itself; the message names it and its log's last lines."""


class Process:
    """One child in a session of its own, so that what it started is ended with it.

    PDEATHSIG is bound to the thread that forks: start from the main thread, or the child dies with that thread.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        told: signal.Signals = signal.SIGTERM,
    ) -> None:
        """Start it. user: as whom it runs, where we are root; told: the signal that asks it to end."""
        self.name = name
        self.log = log
        self._told = told
        with log.open("ab") as stream:
            self._popen = subprocess.Popen(
                [*setpriv(user), "--pdeathsig", told.name.removeprefix("SIG"), *argv],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id; also the id of the child's process group."""
        return self._popen.pid

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = READY_TIMEOUT_S) -> None:
        """Wait until ready() holds; PartFailed when the child ends first or the time is up."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self._popen.poll() is not None:
                raise PartFailed(f"{self.name} ended with {self._popen.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise PartFailed(f"{self.name} was not ready within {timeout_s:.0f} s:\n{self.tail()}")
            time.sleep(0.02)

    def tail(self, lines: int = 15) -> str:
        """Return the log's last lines."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def is_alive(self) -> bool:
        """Tell whether the child itself still runs."""
        return self._popen.poll() is None

    def stop(self, *, kill: bool = False) -> None:
        """End the child and whatever stays in its process group: asked to, then by KILL; or by KILL at once."""
        if self._popen.poll() is None:
            if kill:
                self._popen.kill()
            else:
                self._popen.send_signal(self._told)
            try:
                self._popen.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def setpriv(user: str | None) -> list[str]:
    """Return how a command is begun as another user; what it is told at its parent's death has to come after that."""
    return ["setpriv", *([] if user is None else [f"--reuid={user}", f"--regid={user}", "--clear-groups"])]


def free_port() -> int:
    """Return a TCP port on loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Tell whether something accepts on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def remove_left(folder: Path, prefix: str) -> None:
    """Remove the folders that a killed town left: named by the prefix and its pid."""
    for left in folder.glob(f"{prefix}*-*"):
        if has_ended(left.name.removeprefix(prefix)):
            shutil.rmtree(left, ignore_errors=True)


def has_ended(owner: str) -> bool:
    """Tell whether whoever gave "<its pid>-..." as a name has ended; another name is nobody's of ours."""
    pid = owner.partition("-")[0]
    return pid.isdigit() and not Path("/proc", pid).exists()
