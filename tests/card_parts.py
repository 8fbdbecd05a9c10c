"""What the tests of the card share: a port without a reader, and a bench with a real pcscd."""

import queue
import time
from collections.abc import Callable
from pathlib import Path

from smartcard import scard

from deploy.demo.pcscd import PrivatePcscd, free_vpcd_ports, reader_prefix
from deploy.demo.pki import TownPki
from deploy.demo.virtual_card import CardDrops, PluggedCard, VirtualCard
from terminal.card.jpki import Transmit
from terminal.card.reader import CardService, card_session
from terminal.card.results import CardEvent, CardInserted, CardPulled, CardRemoved, NoCard
from terminal.workers import Worker

LONG_S = 20.0


def direct_port(card: VirtualCard) -> Transmit:
    """The transmit port of a card without reader: a drop is a pulled card."""

    def transmit(command: bytearray) -> bytes:
        try:
            return card.answer(bytes(command))
        except CardDrops as error:
            raise CardPulled from error

    return transmit


class RawCard:
    """A service that does what our own must not: it shares the card and leaves it as it is."""

    def __init__(self, prefix: str, emit: Callable[[object], None]) -> None:
        self._prefix = prefix
        self._emit = emit

    def close(self) -> None:
        self._emit("closed")

    def shared(self, commands: list[str]) -> list[str]:
        """Send commands on a shared handle and disconnect with LEAVE; data and status words in hexadecimal."""
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        try:
            card = self._connect(context)
            answers = []
            for command in commands:
                result, answer = scard.SCardTransmit(card, scard.SCARD_PCI_T1, list(bytes.fromhex(command)))
                assert result == scard.SCARD_S_SUCCESS, hex(result)
                answers.append(bytes(answer).hex().upper())
            scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
        finally:
            scard.SCardReleaseContext(context)
        return answers

    def ours_warm(self, commands: list[str]) -> list[str]:
        """Send commands in one of our own sessions that takes the card as it is."""
        with card_session(self._prefix, cold=False) as transmit:
            return [transmit(bytearray.fromhex(command)).hex().upper() for command in commands]

    def ours_cold(self, commands: list[str]) -> list[str]:
        """Send commands in one of our own sessions that begins with the power off."""
        with card_session(self._prefix, cold=True) as transmit:
            return [transmit(bytearray.fromhex(command)).hex().upper() for command in commands]

    def connects_beside_our_session(self) -> bool:
        """Whether another handle gets in while ours is open."""
        with card_session(self._prefix, cold=False):
            _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
            try:
                result, _, _ = scard.SCardConnect(
                    context, self._reader(context), scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_ANY
                )
            finally:
                scard.SCardReleaseContext(context)
        return bool(result == scard.SCARD_S_SUCCESS)

    def _connect(self, context: int) -> int:
        result, card, _ = scard.SCardConnect(
            context, self._reader(context), scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T1
        )
        assert result == scard.SCARD_S_SUCCESS, hex(result)
        return int(card)

    def _reader(self, context: int) -> str:
        _, readers = scard.SCardListReaders(context, [])
        return next(str(reader) for reader in readers if reader.startswith(self._prefix))


class Bench:
    """A private pcscd with one reader, a small town's PKI, and a card worker on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pki = TownPki.create(root / "pki", seed=7, pool_size=4)
        (self.port,) = free_vpcd_ports(1)
        self.pcscd = PrivatePcscd(root / "pcscd", [self.port])
        self.events: queue.Queue[object] = queue.Queue()

    def worker(self, pin_idle_timeout_s: float = 60.0) -> Worker:
        """A started card worker; the event with which it begins is left in the queue."""
        while not self.events.empty():
            self.events.get_nowait()
        arguments = (reader_prefix(self.port), pin_idle_timeout_s)
        worker = Worker("card", CardService, arguments, self.events.put, env=self.pcscd.environment)
        worker.start()
        return worker

    def raw(self) -> Worker:
        arguments = (reader_prefix(self.port),)
        worker = Worker("raw", RawCard, arguments, self.events.put, env=self.pcscd.environment)
        worker.start()
        return worker

    def expect(self, *expected: CardEvent) -> None:
        """Take exactly these events, in this order."""
        for event in expected:
            assert self.events.get(timeout=LONG_S) == event

    def insert(self, card: VirtualCard) -> PluggedCard:
        """Lay a card on and wait until a worker says so; what it said before is passed over."""
        plugged = PluggedCard(card, self.port)
        self.await_event(CardInserted())
        return plugged

    def pull(self, plugged: PluggedCard) -> None:
        plugged.pull()
        self.await_event(CardRemoved())

    def await_empty(self, worker: Worker) -> None:
        """Wait until the reader is empty for whoever asks it."""
        deadline_s = time.monotonic() + LONG_S
        while time.monotonic() < deadline_s:
            try:
                worker.call("read", timeout_s=LONG_S)
            except NoCard:
                return
            except CardPulled:  # pcscd has not noticed yet
                pass
            time.sleep(0.01)
        raise AssertionError("the card is still there")

    def await_event(self, event: CardEvent) -> None:
        """Pass over what comes before this event."""
        while self.events.get(timeout=LONG_S) != event:
            pass


def enter(worker: Worker, digits: str) -> None:
    for digit in digits:
        worker.call("pin_digit", digit, timeout_s=LONG_S)
