"""The card reader over PC/SC, and the service that runs inside the card worker.

PC/SC has no time-out: a hung card blocks a call without limit. So nothing here runs in the terminal's own process;
`terminal.workers.Worker` kills and replaces the one it runs in.
"""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from smartcard import scard

from terminal.card import jpki
from terminal.card.pin import PinPad
from terminal.card.results import (
    CardError,
    CardEvent,
    CardInserted,
    CardPulled,
    CardRead,
    CardRemoved,
    CardSwapped,
    LastTryNotConfirmed,
    NoCard,
    ReaderBack,
    ReaderGone,
    ReaderUnavailable,
    Signed,
    UnreadableCard,
)

MONITOR_WAIT_MS: Final = 250  # also the tick at which idle digits are wiped
READER_RETRY_S: Final = 0.25
STOP_TIMEOUT_S: Final = 2.0

_PROTOCOLS: Final = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
_PCI: Final = {scard.SCARD_PROTOCOL_T0: scard.SCARD_PCI_T0, scard.SCARD_PROTOCOL_T1: scard.SCARD_PCI_T1}
_COUNTER_SHIFT: Final = 16  # pcsc-lite counts insertions and removals in the upper half of a reader's state
_READER_LOST_STATES: Final = scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_IGNORE

_NO_CARD: Final = frozenset({scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_REMOVED_CARD})
_MUTE: Final = frozenset(
    {
        scard.SCARD_W_UNRESPONSIVE_CARD,
        scard.SCARD_W_UNPOWERED_CARD,
        scard.SCARD_W_UNSUPPORTED_CARD,
        scard.SCARD_E_PROTO_MISMATCH,
    }
)
_READER_LOST: Final = frozenset(
    {
        scard.SCARD_E_NO_SERVICE,
        scard.SCARD_E_SERVICE_STOPPED,
        scard.SCARD_E_NO_READERS_AVAILABLE,
        scard.SCARD_E_READER_UNAVAILABLE,
        scard.SCARD_E_UNKNOWN_READER,
        scard.SCARD_E_INVALID_HANDLE,
        scard.SCARD_E_SHARING_VIOLATION,
        scard.SCARD_F_COMM_ERROR,
        scard.SCARD_F_INTERNAL_ERROR,
    }
)


def _failure(hresult: int) -> CardError:
    """What a PC/SC error means to us. What is not listed happened to the card: it was pulled, reset or exchanged."""
    if hresult in _NO_CARD:
        return NoCard()
    if hresult in _MUTE:
        return UnreadableCard(f"the card is mute: {hresult & 0xFFFFFFFF:08X}")
    if hresult in _READER_LOST:
        return ReaderUnavailable(f"PC/SC {hresult & 0xFFFFFFFF:08X}")
    return CardPulled()


@contextmanager
def _pcsc_context() -> Iterator[int]:
    """A fresh context: one from before a restart of pcscd never works again. Errors: ReaderUnavailable."""
    hresult, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if hresult != scard.SCARD_S_SUCCESS:
        raise ReaderUnavailable(f"PC/SC {hresult & 0xFFFFFFFF:08X}")
    try:
        yield context
    finally:
        scard.SCardReleaseContext(context)


def _find_reader(context: int, prefix: str) -> str:
    """The first reader whose name begins with prefix. Errors: ReaderUnavailable."""
    hresult, readers = scard.SCardListReaders(context, [])
    if hresult == scard.SCARD_S_SUCCESS:
        for reader in readers:
            if reader.startswith(prefix):
                return str(reader)
    raise ReaderUnavailable("no reader of the configured name")


@contextmanager
def card_session(reader_prefix: str, *, cold: bool) -> Iterator[jpki.Transmit]:
    """Hold the card alone for the block, and take its power at the end: that alone undoes VERIFY.

    With `cold` the power is taken at the beginning too.
    Errors: NoCard, UnreadableCard, ReaderUnavailable; CardPulled from the transmit port.
    """
    with _pcsc_context() as context:
        reader = _find_reader(context, reader_prefix)
        hresult, card, protocol = scard.SCardConnect(context, reader, scard.SCARD_SHARE_EXCLUSIVE, _PROTOCOLS)
        if hresult != scard.SCARD_S_SUCCESS:
            raise _failure(hresult)
        try:
            if cold:
                hresult, protocol = scard.SCardReconnect(
                    card, scard.SCARD_SHARE_EXCLUSIVE, _PROTOCOLS, scard.SCARD_UNPOWER_CARD
                )
                if hresult != scard.SCARD_S_SUCCESS:
                    raise _failure(hresult)
            yield lambda command: _transmit(card, _PCI[protocol], command)
        finally:
            scard.SCardDisconnect(card, scard.SCARD_UNPOWER_CARD)


def _transmit(card: int, pci: int, command: bytearray) -> bytes:
    hresult, answer = scard.SCardTransmit(card, pci, list(command))
    if hresult != scard.SCARD_S_SUCCESS:
        failure = _failure(hresult)
        raise CardPulled if isinstance(failure, NoCard) else failure
    if not answer:  # a card pulled inside an APDU: PC/SC calls it a success without an answer
        raise CardPulled
    return bytes(answer)


class _Monitor:
    """Watches one reader and says what happens there; it outlives the reader and pcscd.

    It begins with what it finds, so that nothing is missed while a killed worker is being replaced.
    """

    def __init__(self, reader_prefix: str, pin: PinPad, emit: Callable[[CardEvent], None]) -> None:
        self._reader_prefix = reader_prefix
        self._pin = pin
        self._emit = emit
        self._reader_there = True
        self._card_there: bool | None = None  # unknown: the first look is announced whatever it shows
        self._counter = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader monitor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(STOP_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with _pcsc_context() as context:
                    self._watch(context, _find_reader(context, self._reader_prefix))
            except ReaderUnavailable:
                self._reader_lost()
            self._pin.clear_if_idle()
            self._stop.wait(READER_RETRY_S)

    def _watch(self, context: int, reader: str) -> None:
        """Emit until told to stop. Errors: ReaderUnavailable once the reader or pcscd is gone."""
        state = scard.SCARD_STATE_UNAWARE
        while not self._stop.is_set():
            hresult, states = scard.SCardGetStatusChange(context, MONITOR_WAIT_MS, [(reader, state)])
            self._pin.clear_if_idle()
            if hresult == scard.SCARD_E_TIMEOUT:
                continue
            if hresult != scard.SCARD_S_SUCCESS or states[0][1] & _READER_LOST_STATES:
                raise ReaderUnavailable(f"PC/SC {hresult & 0xFFFFFFFF:08X}")
            state = states[0][1] & ~scard.SCARD_STATE_CHANGED
            self._seen(bool(state & scard.SCARD_STATE_PRESENT), state >> _COUNTER_SHIFT)

    def _seen(self, card_there: bool, counter: int) -> None:
        if not self._reader_there:
            self._reader_there = True
            self._emit(ReaderBack())
        swapped = self._card_there and card_there and counter != self._counter  # faster than our look
        if swapped or self._card_there is not card_there:
            self._pin.clear()
            if swapped or not card_there:
                self._emit(CardRemoved())
            if card_there:
                self._emit(CardInserted())
        self._card_there, self._counter = card_there, counter

    def _reader_lost(self) -> None:
        self._pin.clear()
        self._card_there = None
        if self._reader_there:
            self._reader_there = False
            self._emit(ReaderGone())


class CardService:
    """What the card worker does. Its public methods are called from the terminal, one at a time.

    Shape:  reader_prefix is how the configured reader's name begins ("" takes the first reader).
    Units:  pin_idle_timeout_s is how long digits may stand untouched.
    Errors: subclasses of CardError. After any of them a later attempt starts over: no identity is carried across.
    """

    def __init__(self, reader_prefix: str, pin_idle_timeout_s: float, emit: Callable[[CardEvent], None]) -> None:
        self._reader_prefix = reader_prefix
        self._pin = PinPad(time.monotonic, pin_idle_timeout_s)
        self._power_unknown = True
        self._monitor = _Monitor(reader_prefix, self._pin, emit)

    def close(self) -> None:
        self._pin.clear()
        self._monitor.stop()

    def read(self) -> CardRead:
        """Read what the card says without a PIN; digits that stand are wiped.

        Errors: NoCard, UnreadableCard, NotMyNumberCard, UnsupportedKey, PinLocked, CardPulled, ReaderUnavailable.
        """
        self._pin.clear()
        with self._session() as transmit:
            jpki.select_application(transmit)
            label = jpki.token_label(transmit)
            certificate_der = jpki.authentication_certificate(transmit)
            jpki.signing_key(certificate_der)  # refuse a key that we cannot use before a PIN is asked for
            return CardRead(label, certificate_der, jpki.tries_left(transmit))

    def tries_left(self) -> int | None:
        """Ask the tries alone; None where the card does not tell. Errors: as read()."""
        with self._session() as transmit:
            jpki.select_application(transmit)
            return jpki.tries_left(transmit)

    def pin_digit(self, digit: str) -> int:
        return self._pin.digit(digit)

    def pin_correct(self) -> int:
        return self._pin.correct()

    def pin_clear(self) -> None:
        self._pin.clear()

    def sign(self, digest: bytes, certificate_sha256: bytes, last_try_confirmed: bool) -> Signed:
        """Verify the PIN that stands, once, and sign. The digits are wiped whatever happens.

        Shape:  digest is the SHA-256 that goes into DigestInfo; certificate_sha256 is of the certificate read before.
        Errors: those of read(); PinIncomplete, CardSwapped, LastTryNotConfirmed, PinWrong, VerifyInterrupted.
        """
        pin = self._pin.take()
        try:
            with self._session() as transmit:
                # 1. The same application on the same card: a swap can leave an old handle valid on another card.
                jpki.select_application(transmit)
                certificate_der = jpki.authentication_certificate(transmit)
                if not hmac.compare_digest(hashlib.sha256(certificate_der).digest(), certificate_sha256):
                    raise CardSwapped
                key = jpki.signing_key(certificate_der)
                # 2. The card's own counter decides, asked just before the attempt.
                if jpki.tries_left(transmit) == 1 and not last_try_confirmed:
                    raise LastTryNotConfirmed
                # 3. One VERIFY, never repeated.
                jpki.verify(transmit, pin)
                # 4. The signature, checked against the certificate.
                return Signed(jpki.sign(transmit, digest, key))
        finally:
            pin[:] = bytes(len(pin))

    @contextmanager
    def _session(self) -> Iterator[jpki.Transmit]:
        """The first session of this process is cold: a killed predecessor may have left a PIN verified."""
        with card_session(self._reader_prefix, cold=self._power_unknown) as transmit:
            self._power_unknown = False
            yield transmit
