"""A PostgreSQL of one's own: a cluster in a fresh folder, reached by its socket alone, ended with whoever started it.

No cluster of the system's is needed or touched. PostgreSQL does not run as root: started by root, it runs as the user
whom Debian's package made for it, to whom its folder belongs.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Self

import psycopg
from psycopg import sql

from deploy.demo.processes import READY_TIMEOUT_S, PartFailed, Process, remove_left, setpriv

_USER: Final = "postgres"
_ROLE: Final = "madoguchi"
_PREFIX: Final = "mdg-postgres-"
_PROGRAMS: Final = Path("/usr/lib/postgresql")
_ROOM_BYTES: Final = 1 << 30
_POLL_S: Final = 0.1
_INITDB: Final = (
    "--no-locale",
    "--encoding=UTF8",
    "--auth=trust",
    "--no-instructions",
    "--no-sync",
    f"--username={_ROLE}",
)


class PrivatePostgres:
    """One cluster; many may run side by side. Only this user, and root, can reach its socket.

    Shape:  durable is PostgreSQL's own default: a commit is on the disk. Off, a power cut could break the cluster, and
            nothing else: for tests and demos, whose data end with it.
    Errors: PartFailed if PostgreSQL is not installed, or does not come up in time, with the end of its log.
    """

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._user = _USER if os.geteuid() == 0 else None
        self._process: Process | None = None
        self.folder = Path()

    def start(self) -> None:
        """Make the cluster and wait until it answers."""
        home = _temporary(on_disk=self._durable)
        remove_left(home, _PREFIX)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=home))
        try:
            self._make()
            self._run()
        except BaseException:
            self.stop()
            raise

    def crash(self) -> None:
        """End it as a crash does, without a word to its disk, and start it again from what it had committed."""
        if self._process is None:
            raise RuntimeError("PostgreSQL does not run")
        self._process.stop()
        self._run()

    def kill(self) -> None:
        """Kill its first process, and nothing else: the others find out by themselves."""
        if self._process is None:
            raise RuntimeError("PostgreSQL does not run")
        self._process.stop(kill=True)

    def again(self) -> None:
        """Start it again from what it had committed; not before the last of the killed one's processes has ended.

        Errors: PartFailed.
        """
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                self._run()
            except PartFailed:  # they still hold its memory
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(_POLL_S)
            else:
                return

    def stop(self) -> None:
        """End it and remove its data."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def url(self, database: str) -> str:
        """Return a database's URL, as SQLAlchemy's."""
        return f"postgresql+psycopg://{_ROLE}@/{database}?host={self.folder}"

    def create(self, database: str) -> str:
        """Make an empty database; return its URL."""
        self._tell(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return self.url(database)

    def copy(self, database: str, name: str) -> None:
        """Make a database that is another as it is now; nobody may be connected to that."""
        self._tell(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(database)))

    def drop(self, database: str) -> None:
        """Remove a database with whoever is connected to it."""
        self._tell(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _make(self) -> None:
        if self._user is not None:
            shutil.chown(self.folder, self._user, self._user)
        command = [*setpriv(self._user), str(_program("initdb")), *_INITDB, "-D", str(self._data)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise PartFailed(f"initdb ended with {made.returncode}:\n{made.stderr}")

    def _run(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "on" if self._durable else "off",
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._process = Process(
            "PostgreSQL",
            [str(_program("postgres")), "-D", str(self._data), *given],
            log=self.folder / "log",
            user=self._user,
            told=signal.SIGQUIT,  # at once: its data end with it; TERM would wait for whoever is connected
        )
        self._process.wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _tell(self, statement: sql.Composed) -> None:
        with self._connect() as connection:
            connection.execute(statement)

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=str(self.folder), user=_ROLE, dbname="postgres", autocommit=True)


def _temporary(*, on_disk: bool) -> Path:
    """Where a cluster may stand: what need not last stands on tmpfs, where that has room for it."""
    memory = Path("/dev/shm")  # noqa: S108 - on purpose
    roomy = not on_disk and memory.is_dir() and shutil.disk_usage(memory).free > _ROOM_BYTES
    return memory if roomy else Path(tempfile.gettempdir())


def _program(name: str) -> Path:
    """Find one of the server's programs: Debian keeps a folder a version, outside the path."""
    found = _PROGRAMS.glob(f"*/bin/{name}")
    newest = max(found, key=lambda program: float(program.parents[1].name), default=None)
    if newest is None:
        raise PartFailed(
            f"PostgreSQL's {name} is not below {_PROGRAMS}: `make setup-test` installs Debian's postgresql"
        )
    return newest
