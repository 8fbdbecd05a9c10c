"""A private pcscd with vsmartcard's virtual readers; it touches no system daemon. Demo and tests only.

vpcd listens on all addresses, so that this file must stay out of production.
"""

import os
import random
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

DRIVER: Final = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
READY_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.005
SOCKET_PATH_MAX: Final = 107  # sun_path of Linux, without its closing zero
PORTS: Final = range(20_000, 32_000, 2)  # below Linux's ephemeral ports, so that no client takes one meanwhile
_TCP_LISTEN: Final = "0A"


class PcscdFailed(RuntimeError):
    """pcscd did not come up; the message carries the end of its log."""


def free_vpcd_ports(count: int) -> list[int]:
    """Return ports for `count` virtual readers; vpcd takes each one and the next."""
    chosen: list[int] = []
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        if len(chosen) == count:
            break
        if _is_free(port) and _is_free(port + 1):
            chosen.append(port)
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - the address that vpcd will bind
        except OSError:
            return False
    return True


def reader_prefix(vpcd_port: int) -> str:
    """The reader's name without the slot that pcscd appends."""
    return f"Madoguchi virtual reader {vpcd_port}"


class PrivatePcscd:
    """One pcscd with a virtual reader for each port, on a socket of its own under `root`.

    Shape:  root is a folder with a short path, private to this instance.
    Errors: PcscdFailed where it is not ready in time.
    The process dies with the thread that started it: start it from one that lives as long.
    """

    def __init__(self, root: Path, vpcd_ports: list[int]) -> None:
        self._root = root
        self._ports = vpcd_ports
        self._process: subprocess.Popen[bytes] | None = None
        self.socket_path = root / "pcscd.comm"
        if len(os.fsencode(self.socket_path)) > SOCKET_PATH_MAX:
            raise ValueError(f"root: {self.socket_path} is too long for a socket's path")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def environment(self) -> dict[str, str]:
        """What a client's environment needs; libpcsclite reads it once a process, at its first call."""
        return {"PCSCLITE_CSOCK_NAME": str(self.socket_path)}

    def start(self) -> None:
        """Start and return once every reader listens."""
        assert self._process is None
        self._write_configuration()
        self.socket_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(self.socket_path))
            listening.listen(64)
            # systemd's socket activation without systemd: LISTEN_PID is to be pcscd's own pid, hence the shell's $$.
            command = (
                "LISTEN_PID=$$ LISTEN_FDS=1 exec setpriv --pdeathsig TERM"
                ' pcscd --foreground --config "$1" 3<&0 0</dev/null'  # a shell may know one-digit descriptors alone
            )
            with (self._root / "pcscd.log").open("wb") as log:
                self._process = subprocess.Popen(
                    ["sh", "-c", command, "sh", str(self._root / "readers")],
                    stdin=listening.fileno(),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        # Our own copy of the socket is closed here; kept open, clients of a dead pcscd would hang for ever.
        self._await_ready(self._process)

    def stop(self) -> None:
        """End it in order, or by force after a bounded wait."""
        self._end(force=False)

    def kill(self) -> None:
        """End it at once, as a crash would; the socket's path stays and refuses."""
        self._end(force=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, *, force: bool) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if not force:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                force = True
        if force:
            process.kill()
        process.wait(STOP_TIMEOUT_S)

    def _write_configuration(self) -> None:
        readers = self._root / "readers"
        readers.mkdir(parents=True, exist_ok=True)
        entries = []
        for port in self._ports:
            driver = self._root / f"libifdvpcd-{port}.so"
            shutil.copy(DRIVER, driver)  # pcscd loads a driver once: two entries on one file share their state
            entries.append(
                f'FRIENDLYNAME "{reader_prefix(port)}"\nDEVICENAME /dev/null:{port}\n'
                f"LIBPATH {driver}\nCHANNELID {port}\n"
            )
        (readers / "reader.conf").write_text("\n".join(entries), encoding="ascii")

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while not set(self._ports) <= _listening_ports(process.pid):
            if process.poll() is not None or time.monotonic() > deadline_s:
                self.kill()
                log = (self._root / "pcscd.log").read_text(encoding="utf-8", errors="replace")
                raise PcscdFailed(f"pcscd is not ready on {self._ports}: {log[-2000:]}")
            time.sleep(POLL_S)


def _listening_ports(pid: int) -> set[int]:
    """The TCP ports on which that process itself listens: another's listener on the port is no readiness."""
    try:
        targets = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
        table = Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:  # the process or one of its files has just gone; the caller asks again
        return set()
    rows = [line.split() for line in table]
    return {
        int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _TCP_LISTEN and f"socket:[{row[9]}]" in targets
    }
