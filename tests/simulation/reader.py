"""The card reader: the port over somebody's card, which can be taken away at any moment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from terminal.card.results import (
    CardEvent,
    CardPulled,
    CardRead,
    CardSwapped,
    LastTryNotConfirmed,
    NoCard,
    PinIncomplete,
    PinLocked,
    PinWrong,
    Signed,
    VerifyInterrupted,
)
from tests.simulation.hub import Hub, Process
from tests.simulation.town import Town
from tests.simulation.world import Person

PIN_LENGTH = 4


class SimReader:
    """The reader of one terminal."""

    def __init__(self, hub: Hub, town: Town, terminal: Process) -> None:
        self._hub, self._town, self.terminal = hub, town, terminal
        self.tell: Callable[[CardEvent], None] = lambda _: None
        self.noted: Callable[[Person], None] = lambda _: None
        self.owner: Person | None = None  # whose card lies there
        self.tear = False  # the next VERIFY is carried out, and its answer does not come
        self._digits = ""

    def read(self) -> CardRead:
        owner = self._require()
        self._digits = ""
        self._hub.sleep(0.5)
        if self.owner is not owner:
            raise CardPulled
        self.noted(owner)
        return CardRead("JPKIAPICCTOKEN2", owner.certificate_der, owner.tries)

    def pin_digit(self, digit: str) -> int:
        self._digits += digit
        return len(self._digits)

    def pin_correct(self) -> int:
        self._digits = self._digits[:-1]
        return len(self._digits)

    def pin_clear(self) -> None:
        self._digits = ""

    def sign(self, digest: bytes, certificate_sha256: bytes, last_try_confirmed: bool) -> Signed:
        owner, digits = self._require(), self._digits
        self._digits = ""
        if hashlib.sha256(owner.certificate_der).digest() != certificate_sha256:
            raise CardSwapped
        if len(digits) != PIN_LENGTH:
            raise PinIncomplete(len(digits))
        if owner.tries == 0:
            raise PinLocked
        if owner.tries == 1 and not last_try_confirmed:
            raise LastTryNotConfirmed
        self._hub.sleep(0.2)
        if self.owner is not owner:
            raise CardPulled
        owner.verified += 1
        right = digits == owner.pin
        owner.tries = 3 if right else owner.tries - 1
        if self.tear:
            self.tear = False
            self._digits = digits  # a harness that asks again would send them again
            raise VerifyInterrupted
        if not right:
            raise PinWrong(owner.tries) if owner.tries else PinLocked
        self._hub.sleep(0.4)
        if self.owner is not owner:
            raise CardPulled
        key = self._town.cards[owner.number].key
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return Signed(key.sign(digest, ec.ECDSA(Prehashed(SHA256()))))

    def _require(self) -> Person:
        if self.owner is None:
            raise NoCard
        return self.owner

    def lose(self) -> None:
        """The worker's memory is gone."""
        self._digits = ""
