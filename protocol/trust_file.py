"""Published keys in a file, followed while we run: a new seal key needs neither a restart nor a new installation.

Whoever keeps a terminal or a receivers' check puts the new file in the old one's place (whole, by a rename), as they
keep their other configuration. A file that cannot be read leaves what was known before in force, and says so once.
"""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import structlog

from protocol.trust import Trust


class TrustUnreadable(Exception):
    """The file holds no published keys; the message names it and what is wrong."""


class TrustFile:
    """The keys of one file as they are now. Errors of the constructor: TrustUnreadable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen = _seen(path)
        self._trust = _read(path)

    def __call__(self) -> Trust:
        """Return the keys, read again if the file is another than before."""
        with self._lock:
            try:
                seen = _seen(self._path)
                if seen != self._seen:
                    self._seen = seen  # before it is read: a broken file is told of once
                    self._trust = _read(self._path)
            except TrustUnreadable as error:
                structlog.get_logger().error("alarm", reason="published_keys", what=str(error))
            return self._trust


def _seen(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)  # reading it says what is wrong
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def _read(path: Path) -> Trust:
    try:
        trust = msgspec.json.decode(path.read_bytes(), type=Trust)
    except OSError as error:
        raise TrustUnreadable(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise TrustUnreadable(f"{path} holds no published keys: {error}") from None
    if len({key.key_id for key in trust.seal_keys}) != len(trust.seal_keys):
        raise TrustUnreadable(f"{path}: two keys have one id")
    return trust
