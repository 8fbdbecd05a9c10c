"""Put a terminal together from its configuration: its workers, the server's client, the runner."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO, cast

import structlog

from printing.press.receipt import ReceiptPrinter
from printing.press.service import PressService
from printing.press.verdict import Capabilities, PaperOutlet
from protocol.signing import RequestSigner
from terminal.card.reader import CardService
from terminal.client import ServerClient
from terminal.config import TerminalConfig, follow_trust, load_private_key
from terminal.devices import Devices, WorkerCard, WorkerPress, WorkerReceipt
from terminal.journal import Journal
from terminal.paper_check import ALL_CHECKS, PaperCheck, PaperGuard
from terminal.payment.cash import CcTalkCash
from terminal.payment.emoney_worker import EmoneyFactory, WorkerEmoney
from terminal.payment.qr import ServerCodes
from terminal.payment.worker import CoinUnitFactory, WorkerCoinUnit
from terminal.programs import Identity
from terminal.runner import Runner
from terminal.workers import Worker

Tell = Callable[[object], None]
_SPARED: Final = frozenset({"receipt"})  # without it residents are served all the same

log = structlog.get_logger()


@dataclass(frozen=True)
class Terminal:
    """One terminal with its workers."""

    runner: Runner
    workers: tuple[Worker, ...]
    client: ServerClient

    def start(self) -> None:
        """Start workers and runner. Errors: WorkerDied, JournalUnavailable."""
        for worker in self.workers:
            try:
                worker.start()
            except Exception as error:
                if worker.name not in _SPARED:
                    raise
                log.error("worker does not start", worker=worker.name, error=type(error).__name__)  # noqa: TRY400
        self.runner.start()

    def stop(self) -> None:
        """End the runner first, so that nothing is asked of a worker that is gone."""
        self.runner.stop()
        for worker in self.workers:
            worker.stop()
        self.client.close()


def build(
    config: TerminalConfig,
    socket_unit: CoinUnitFactory,
    checks: frozenset[PaperCheck] = ALL_CHECKS,
    *,
    socket_emoney: EmoneyFactory | None = None,
    open_journal: Callable[[Path], Journal] = Journal,
    around: Callable[[Devices], Devices] | None = None,
) -> Terminal:
    """Return the terminal of a configuration, not started yet.

    Shape:  socket_unit(address, emit) is a demo's unit, built inside the payment worker where the configuration names
            a socket, and socket_emoney(address, emit) its contract terminal, without which no card can pay; checks are
            all on but in tests. open_journal and around are a demo's too: what it puts in place of the journal's own
            class, and around the devices.
    Errors: terminal.config.ConfigError.
    """
    key = load_private_key(config.key_file)
    client = ServerClient(config.server_url, RequestSigner(config.terminal_id, key))
    built: list[Runner] = []

    def tell(event: object) -> None:
        built[0].tell(event)  # type: ignore[arg-type] # what the three services emit is DeviceEvent

    card = _card_worker(config, tell)
    press = _press_worker(config, tell)
    payment = _payment_worker(config, socket_unit, tell)
    emoney = _emoney_worker(config, socket_emoney, tell)
    receipt = Worker("receipt", ReceiptPrinter, (config.receipt_printer,), tell) if config.receipt_printer else None
    devices = Devices(
        WorkerCard(card),
        WorkerPress(press),
        WorkerCoinUnit(payment),
        client,
        PaperOutlet(config.printer.outlet),
        WorkerEmoney(emoney) if emoney is not None else None,
        ServerCodes(client) if config.qr_codes else None,
        WorkerReceipt(receipt) if receipt is not None else None,
    )
    runner = Runner(
        lambda: open_journal(config.journal),
        around(devices) if around else devices,
        Identity(config.terminal_id, key),
        PaperGuard(config.terminal_id, follow_trust(config.trust_file), checks),
    )
    built.append(runner)
    fitted = tuple(worker for worker in (card, press, payment, emoney, receipt) if worker is not None)
    return Terminal(runner, fitted, client)


def log_to_stderr() -> None:
    """Write structured lines to stderr, one a fact; nothing personal is ever given to the log."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Stderr())),
    )


class _Stderr(io.TextIOBase):
    """Standard error that never fails: a line lost on a full disk must not end the visit that it tells of."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


def _card_worker(config: TerminalConfig, tell: Tell) -> Worker:
    socket = config.reader.pcscd_socket
    return Worker(
        "card",
        CardService,
        (config.reader.name_prefix, config.reader.pin_idle_timeout_s),
        tell,
        env={"PCSCLITE_CSOCK_NAME": str(socket)} if socket else {},
    )


def _payment_worker(config: TerminalConfig, socket_unit: CoinUnitFactory, tell: Tell) -> Worker:
    kind, _, address = config.cash.partition(":")
    if kind == "cctalk":
        return Worker("payment", CcTalkCash, (address, config.cash_machine), tell)
    return Worker("payment", socket_unit, (address,), tell)


def _emoney_worker(config: TerminalConfig, socket_emoney: EmoneyFactory | None, tell: Tell) -> Worker | None:
    if config.emoney is None or socket_emoney is None:
        return None
    return Worker("emoney", socket_emoney, (config.emoney.removeprefix("socket:"),), tell)


def _press_worker(config: TerminalConfig, tell: Tell) -> Worker:
    printer = config.printer
    capabilities = Capabilities(
        impressions=printer.impressions,
        sheets=printer.sheets,
        lifetime_counter=printer.lifetime_counter,
        path_sensor=printer.path_sensor,
        outlet=PaperOutlet(printer.outlet),
    )
    arguments = (printer.cups_socket, printer.queue, printer.printer_uri, capabilities, printer.spool_folders)
    return Worker("press", PressService, arguments, tell, env={"CUPS_SERVER": str(printer.cups_socket)})
