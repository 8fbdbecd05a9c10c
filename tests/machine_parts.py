"""A terminal's machine as the server sees it: a real journal on a disk that can be copied, its key, its events."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from issuance_server import boots, events
from protocol.codec import encode
from protocol.messages import BootAnswer, BootRequest, Event, EventKind, SignedEvent
from protocol.signing import sign_event, verify_event
from terminal.health import boot_request
from terminal.journal import Journal
from tests.issuing_parts import Office


class Machine:
    """One machine with one disk; two may have the same identity."""

    def __init__(self, office: Office, disk: Path, terminal: str = "t-1") -> None:
        self._office = office
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(terminal.encode()).digest())
        self.disk = disk
        self.terminal = terminal
        self.start()

    def start(self) -> None:
        """Begin, without a word to the server yet."""
        self.journal = Journal(self.disk)
        self.number = self.journal.boot().number
        self.head = self.journal.head

    def stop(self) -> None:
        """End; the disk stays."""
        self.journal.close()

    def copy(self, disk: Path) -> Path:
        """Copy the disk of a machine that does not run."""
        shutil.copy(self.disk, disk)
        return disk

    def request(self) -> BootRequest:
        """Return what this process says of itself."""
        return boot_request(self.journal, self.number, self.head)

    def say(self) -> BootAnswer:
        """Say the boot, and go on from where the server is."""
        answer = boots.handshake(self._office.engine, self.terminal, self.request(), self._office.clock())
        self.journal.resume_from(answer.accepted_through, answer.backed_up_through)
        return answer

    def happens(self, kind: EventKind, **fields: Any) -> None:
        """Write an event down."""
        sequence = self.journal.next_sequence()
        event = Event(sequence=sequence, at_utc=self._office.clock(), kind=kind, **fields)
        self.journal.event(sequence, encode(sign_event(event, self._key)))

    def send(self) -> int:
        """Send what the server has not, and return through which event it has all."""
        signed = [msgspec.json.decode(row.signed, type=SignedEvent) for row in self.journal.outgoing(100)]
        told = tuple(verify_event(one, self._key.public_key()) for one in signed)
        accepted = events.apply(self._office.engine, self.terminal, told, self._office.clock)
        self.journal.accept_through(accepted)
        return accepted

    def tell(self, kind: EventKind, **fields: Any) -> int:
        """Write an event down and send it."""
        self.happens(kind, **fields)
        return self.send()
