"""A private cupsd for the demo and the tests: everything under one folder, its own socket, nothing of the machine's."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

import cups

from deploy.demo.processes import Process, free_port, listens

PROGRAMS = (Path("backend/ipp"), Path("daemon/cups-exec"))  # cups-exec is what starts a backend
SERVER_BIN = Path("/usr/lib/cups")
START_TIMEOUT_S = 10.0
END_TIMEOUT_MS = 10_000
SOCKET_PATH_MAX = 100  # sockaddr_un holds 108 bytes

_CUPSD_CONF = """\
LogLevel warn
PreserveJobHistory Yes
PreserveJobFiles No
MaxJobs 0
DirtyCleanInterval 0
JobKillDelay 3
Listen {socket}
Listen 127.0.0.1:{port}
WebInterface No
Browsing No
DefaultAuthType None
ErrorPolicy abort-job
<Location />
  Order deny,allow
</Location>
<Location /admin>
  Order deny,allow
</Location>
<Policy default>
  JobPrivateAccess all
  JobPrivateValues none
  SubscriptionPrivateAccess all
  SubscriptionPrivateValues none
  <Limit All>
    Order deny,allow
  </Limit>
</Policy>
"""

# SystemGroup must differ from Group when cupsd runs as root.
_FILES_CONF = """\
{user_lines}SystemGroup {system_group}
FileDevice No
ServerRoot {root}/etc
RequestRoot {root}/spool
TempDir {root}/spool/tmp
CacheDir {root}/cache
StateDir {root}/state
ServerKeychain {root}/keys
ServerBin {root}/bin
DataDir /usr/share/cups
DocumentRoot {root}/empty
AccessLog {root}/log/access
ErrorLog {root}/log/error
PageLog {root}/log/page
"""
_FOLDERS = ("etc", "spool", "spool/tmp", "cache", "state", "keys", "log", "empty", "bin/backend", "bin/daemon")


class PrivateCupsd:
    """One cupsd under `root`, which the caller puts on tmpfs; many may run side by side.

    Shape:  root's path is short, since the socket's path has to fit; the backends run as root if cupsd does.
    Errors: PartFailed if cupsd does not come up in time, with the end of its log.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.socket = self.root / "cups.sock"
        self.spool = self.root / "spool"
        self.port = 0
        self._process: Process | None = None
        if len(str(self.socket)) > SOCKET_PATH_MAX:
            raise ValueError(f"the folder's path is too long for a socket: {self.root}")

    def start(self) -> None:
        """Start afresh: end what an earlier cupsd left, delete its documents, and wait until it answers.

        A backend outlives a killed cupsd and goes on printing, while the new cupsd sends the job again: two papers.
        """
        if self._process is not None:
            raise RuntimeError("cupsd was started already")
        end_leftovers(self.root)
        for folder in ("spool", "cache"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        self.socket.unlink(missing_ok=True)
        for folder in _FOLDERS:
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        self._copy_programs()
        self.port = free_port()
        self._write_configuration()
        command = ("cupsd", "-f", "-c", f"{self.root}/etc/cupsd.conf", "-s", f"{self.root}/etc/cups-files.conf")
        name, value = _mark(self.root)
        process = Process("cupsd", command, log=self.root / "log" / "error", env={name: value})
        try:
            process.wait_until(lambda: listens(self.port) and _listens(self.socket), START_TIMEOUT_S)
        except BaseException:
            process.stop()
            raise
        self._process = process

    def add_raw_queue(self, name: str, device_uri: str) -> None:
        """Add a queue that passes a document byte for byte and sends every option as given."""
        connection = cups.Connection(str(self.socket))
        connection.addPrinter(name, device=device_uri)
        connection.setPrinterErrorPolicy(name, "abort-job")
        connection.enablePrinter(name)
        connection.acceptJobs(name)

    def stop(self) -> None:
        """End cupsd and its backends."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        end_leftovers(self.root)

    def kill(self) -> None:
        """Kill cupsd alone, as a crash would: its backends live on until the next start."""
        if self._process is None:
            raise RuntimeError("cupsd does not run")
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.stop()  # its group holds cupsd alone: each backend has a group of its own
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _copy_programs(self) -> None:
        """Only the ipp backend, closed to others: then cupsd runs it as its own user, and root may stay closed too."""
        for program in PROGRAMS:
            copy = self.root / "bin" / program
            shutil.copyfile(SERVER_BIN / program, copy)
            copy.chmod(0o700)

    def _write_configuration(self) -> None:
        as_root = os.geteuid() == 0
        files = _FILES_CONF.format(
            root=self.root,
            user_lines="User lp\nGroup lp\n" if as_root else "",
            system_group="lpadmin" if as_root else "nogroup",
        )
        (self.root / "etc" / "cups-files.conf").write_text(files)
        daemon = _CUPSD_CONF.format(socket=self.socket, port=self.port)
        (self.root / "etc" / "cupsd.conf").write_text(daemon)


def end_leftovers(root: Path) -> None:
    """End every process that an earlier cupsd under that root left, and wait until it is gone.

    They are known by the server root in their environment (cupsd gives it to each backend), since a process id may
    have become somebody else's. A pidfd is opened before the environment is read, so that the signal cannot go astray.
    """
    mark = "=".join(_mark(root)).encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        try:
            descriptor = os.pidfd_open(int(folder.name))
        except ProcessLookupError:
            continue
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                _wait_for_end(descriptor)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended meanwhile, or is another user's
        finally:
            os.close(descriptor)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(str(path)) == 0


def _mark(root: Path) -> tuple[str, str]:
    return "CUPS_SERVERROOT", f"{root.resolve()}/etc"


def _wait_for_end(descriptor: int) -> None:
    ended = select.poll()
    ended.register(descriptor, select.POLLIN)
    if not ended.poll(END_TIMEOUT_MS):
        raise RuntimeError("a process that an earlier cupsd left does not end")
