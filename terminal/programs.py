"""What the effects' programs are made of: calls to devices, and what a visit keeps in memory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from terminal import visit as v
from terminal.client import Paper
from terminal.paper_check import HeldGrant

ID_BYTES: Final = 16


class Lane(StrEnum):
    """One thread each: a device that is slow or hung holds up nobody but itself."""

    CARD = "card"
    PRESS = "press"
    PAYMENT = "payment"
    EMONEY = "emoney"
    SERVER = "server"
    PAPER = "paper"  # pdfium draws one page at a time
    CODES = "codes"  # asked again and again while a phone is looked for
    OUTBOX = "outbox"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class Call:
    """One call to be executed on a lane; name is for timings and the log."""

    lane: Lane
    name: str
    work: Callable[[], Any]


Program = Generator[Call, Any, v.Event | None]


@dataclass
class Memory:
    """What a visit needs and nobody else may ever have; only in memory, wiped when the visit is forgotten."""

    visit_id: str = ""
    visit_secret: bytearray = field(default_factory=bytearray, repr=False)
    certificate_der: bytes = field(default=b"", repr=False)
    certificate_sha256: bytes = field(default=b"", repr=False)
    session_id: str = field(default="", repr=False)
    papers: dict[str, Paper] = field(default_factory=dict, repr=False)
    grants: dict[str, HeldGrant] = field(default_factory=dict, repr=False)
    collect_row: int | None = None
    held_yen: int = 0
    codes_closed: set[str] = field(default_factory=set)  # payments whose code nobody looks at any more
    claim_row: int | None = None  # of the refund that is being paid out
    owed_told: bool = False  # the server knows of a return that is due for this payment

    def wipe(self) -> None:
        """Forget everything; best effort, since Python may have copied."""
        self.visit_secret[:] = bytes(len(self.visit_secret))
        self.certificate_der = self.certificate_sha256 = b""
        self.visit_id = self.session_id = ""
        self.papers.clear()
        self.grants.clear()


@dataclass(frozen=True)
class Identity:
    """Who this terminal is."""

    terminal_id: str
    key: Ed25519PrivateKey = field(repr=False)


@dataclass(frozen=True)
class Sources:
    """Clock and chance, as arguments so that a simulation can give its own."""

    monotonic: Callable[[], float]
    now_utc: Callable[[], datetime] = lambda: datetime.now(UTC)
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
