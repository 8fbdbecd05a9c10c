"""A whole town on one machine: the issuing server and 1 to 4 terminals with card reader, coin unit, CUPS and printer.

Every part is a real process and ends with us. What a power cut would take (spools, sockets, printers' memory) stands on
tmpfs and is removed at the end; what stays (database, journals, papers) stands under var/runs/.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from deploy.demo import base
from deploy.demo.card_authority import PATH_OCSP
from deploy.demo.cctalk_unit import HOPPERS
from deploy.demo.coin_box import FLOAT
from deploy.demo.cupsd import PrivateCupsd
from deploy.demo.halts import FOLDER, HALTS_VARIABLE, Halts
from deploy.demo.ippeveprinter import IppEvePrinter
from deploy.demo.machines import CoinMachine, EmoneyMachine, Machines, ReceiptMachine
from deploy.demo.outside import AUTHORITY
from deploy.demo.pcscd import PrivatePcscd, free_vpcd_ports, reader_prefix
from deploy.demo.pki import RESPONDERS, TownPki
from deploy.demo.postgres import PrivatePostgres
from deploy.demo.processes import Process, free_port, has_ended, listens, remove_left
from deploy.demo.qr_provider import KEY_ID
from deploy.demo.town_store import DatabaseKind, placed
from deploy.demo.virtual_printer import VirtualPrinter
from deploy.demo.world import Directory, Place, World
from issuance_server.config import ENVIRONMENT_VARIABLE
from issuance_server.verify.config import ENVIRONMENT_VARIABLE as VERIFY_ENVIRONMENT_VARIABLE
from issuance_server.verify.status_key import STATUS_KEY_FILE
from protocol.messages import PATH_OPENAPI
from terminal.config import KioskConfig, PrinterConfig, ReaderConfig, TerminalConfig
from terminal.payment.cash_devices import CashMachine
from terminal.payment.change import Coins

CURRENT: Final = base.VAR / "current"
RUNS_KEPT: Final = 10
QUEUE: Final = "paper"
PUBLISHED_KEYS: Final = "trust.json"
CHECK_ALARMS: Final = "check_alarms.db"
KIOSK_PORT: Final = 8300
CARD_STATUS_MAX_AGE_S: Final = 60
PROVIDER_SECRET: Final = "provider.secret"  # noqa: S105 - a file's name
CASH_LINE: Final = "cash-line"
JUDGED_FLOAT: Final = {worth: 5 * count for worth, count in FLOAT.items()}  # nobody fills hoppers between its visits
Cash = Literal["socket", "cctalk"]
CHECK_ADDRESS: Final = "https://check.madoguchi.example"
_VOLATILE_PREFIX: Final = "mdg-"
_SERVERS: Final = {DatabaseKind.SQLITE: 1, DatabaseKind.POSTGRESQL: 2}


class Server:
    """One issuing server of a town, and its own address behind the balancer; it can be killed and started again."""

    def __init__(self, port: int, config: Path, log: Path, halts: Path | None) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._log = log
        self._environment = {ENVIRONMENT_VARIABLE: str(config), "PYTHONPATH": str(base.REPOSITORY)}
        self._command = [str(Path(sys.executable).with_name("gunicorn"))]
        self._command += ["--config", str(base.REPOSITORY / "deploy" / "gunicorn.conf.py")]
        self._command += ["--bind", f"127.0.0.1:{port}"]
        self._command += ["deploy.demo.halting_server:app" if halts else "issuance_server.wsgi:app"]
        if halts:
            self._environment[HALTS_VARIABLE] = str(halts)
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        self.process = Process("issuing server", self._command, log=self._log, env=self._environment)

    def wait(self) -> None:
        """Wait until it answers. Errors: PartFailed."""
        self.process.wait_until(lambda: _answers(self.address + PATH_OPENAPI))

    def stop(self, *, kill: bool = False) -> None:
        """End it with its workers."""
        self.process.stop(kill=kill)


class RunningTown:
    """A town that is up. Facts for people and programs: `facts()`; hands at a terminal: `world(i)`."""

    def __init__(self, town: Path, run: Path, volatile: Path) -> None:
        self.town = town
        self.run = run
        self.volatile = volatile
        self.directory = Directory.read(town / "directory.json")
        self.places: list[Place] = []
        self.kiosks: list[Process] = []
        self.machines: list[Machines] = []
        self.database = ""  # its URL
        self.postgres: PrivatePostgres | None = None  # where it is one
        self.servers: list[Server] = []
        self.server = ""  # what terminals call
        self.check = ""
        self.provider = ""  # of payments by QR code
        self.card_authority = ""
        self.pki = TownPki.open(town / "pki")

    @property
    def anchors(self) -> Path:
        """The folder of the card authorities that this town's server trusts."""
        return self.run / "anchors"

    def world(self, terminal: int = 0) -> World:
        """Return the hands at one terminal."""
        return World(self.places[terminal], self.directory, self.pki, self.run / "cards")

    def cut(self, terminal: int = 0, *, kill: bool = True) -> None:
        """End a terminal's process; with kill at once, as a power cut does."""
        self.kiosks[terminal].stop(kill=kill)

    def restart(self, terminal: int = 0) -> None:
        """Start it again. Errors: PartFailed."""
        place = self.places[terminal]
        self.kiosks[terminal] = _kiosk(place)
        self.kiosks[terminal].wait_until(lambda: listens(place.kiosk_port))

    def halts(self, terminal: int = 0) -> Halts:
        """Return the points at which a terminal stops, in a town that is judged."""
        return Halts(Path(self.places[terminal].folder) / FOLDER)

    def server_halts(self) -> Halts:
        """Return the points at which a server's worker stops, in a town that is judged."""
        return Halts(self.run / FOLDER)

    def facts(self) -> dict[str, Any]:
        """Return where everything is; paths absolute."""
        first = self.places[0]
        return {
            "kiosk": first.kiosk,
            "dock": first.dock,
            "server": self.server,
            "check": self.check,
            "published_keys": str(self.run / PUBLISHED_KEYS),
            "check_alarms": str(self.run / CHECK_ALARMS),
            "vpcd_port": first.vpcd_port,
            "pcscd_socket": first.pcscd_socket,
            "cups_socket": first.cups_socket,
            "printer_output": first.papers,
            "coin_unit": first.coins_socket,
            "database": self.database.removeprefix("sqlite:///"),  # a file, or PostgreSQL's URL
            "database_url": self.database,
            "trust_anchors": str(self.anchors),
            "residents": str(self.town / "directory.json"),
            "sample_resident": self.directory.sample,
            "run": str(self.run),
            "terminals": [msgspec.to_builtins(place) for place in self.places],
        }


@contextlib.contextmanager
def bring_up(
    *,
    seed: int,
    residents: int,
    terminals: int = 1,
    kiosk_port: int = KIOSK_PORT,
    database: DatabaseKind = DatabaseKind.SQLITE,
    cash: Cash = "socket",
    judged: bool = False,
) -> Iterator[RunningTown]:
    """Bring a town up and keep it until the block ends; then nothing of it runs any more.

    cash: the coin units by their socket, or money devices on a ccTalk line. judged: the project's own printer, whose
    record of its sheets outlives it, and processes that stop at points (halts.py).
    Errors: PartFailed names the part that did not come up, with its log's last lines.
    """
    shared_memory = Path("/dev/shm")  # noqa: S108 - tmpfs on purpose: the spool must not reach a disk
    remove_left(shared_memory, _VOLATILE_PREFIX)
    town = base.prepare(seed, residents)
    run = _new_run()
    with contextlib.ExitStack() as parts:
        volatile = Path(
            tempfile.mkdtemp(
                prefix=f"{_VOLATILE_PREFIX}{os.getpid()}-", dir=shared_memory if shared_memory.is_dir() else None
            )
        )
        parts.callback(shutil.rmtree, volatile, ignore_errors=True)
        running = RunningTown(town, run, volatile)
        running.database, running.postgres = parts.enter_context(placed(database, town / "server.db", run))
        shutil.copytree(running.pki.anchor_path.parent, running.anchors)
        _start_outside(parts, running)
        _start_servers(parts, running, database, judged=judged)
        check = _start_check(parts, running)
        kiosks = [
            _start_terminal(
                parts, running, terminal_id, kiosk_port if number == 0 else free_port(), cash, judged=judged
            )
            for number, terminal_id in enumerate(base.TERMINAL_IDS[:terminals])
        ]
        for server in running.servers:
            server.wait()
        for kiosk, place in zip(kiosks, running.places, strict=True):
            kiosk.wait_until(lambda place=place: listens(place.kiosk_port))  # type: ignore[misc]
        check.wait_until(lambda: _answers(running.check + "/api/keys"))
        (run / "facts.json").write_bytes(msgspec.json.format(msgspec.json.encode(running.facts())))
        _point_current_at(run)
        yield running


def _start_outside(parts: contextlib.ExitStack, running: RunningTown) -> None:
    """What is outside: the provider of payments by QR code, with a merchant's secret that only it and the server
    know, and the cards' authority.
    """
    port = free_port()
    running.provider = f"http://127.0.0.1:{port}"
    running.card_authority = running.provider + AUTHORITY
    secret = running.run / PROVIDER_SECRET
    secret.write_text(secrets.token_hex(32))
    command = [sys.executable, "-m", "deploy.demo.outside", "--port", str(port), "--secret-file", str(secret)]
    command += ["--town", str(running.town)]
    environment = {"PYTHONPATH": str(base.REPOSITORY)}
    provider = Process("what is outside", command, log=running.run / "outside.log", env=environment)
    parts.callback(provider.stop)
    provider.wait_until(lambda: listens(port))


def _start_beat(parts: contextlib.ExitStack, running: RunningTown, config: Path) -> None:
    """What has to be done beside the servers: records into the tree, and word to the provider."""
    command = [sys.executable, str(base.REPOSITORY / "madoguchi.py"), "beat", "--config", str(config)]
    environment = {"PYTHONPATH": str(base.REPOSITORY)}
    beat = Process("beat", [*command, "--every", "1"], log=running.run / "beat.log", env=environment)
    parts.callback(beat.stop)


def _start_servers(parts: contextlib.ExitStack, running: RunningTown, database: DatabaseKind, *, judged: bool) -> None:
    """One server on SQLite; on PostgreSQL several, and before them a balancer that asks them in turn."""
    ports = [free_port() for _ in range(_SERVERS[database])]
    port = ports[0] if len(ports) == 1 else free_port()
    running.server = f"http://127.0.0.1:{port}"
    config = running.run / "server.toml"
    values: dict[str, object] = {
        "database_url": running.database,
        "keys_folder": str(running.town / "keys"),
        "anchors_folder": str(running.anchors),
        "authorities": [f"127.0.0.1:{port}"],
        "check_address": CHECK_ADDRESS,
        "production": False,
        "servers": len(ports),
    }
    told = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    told += f'[qr_provider]\naddress = "{running.provider}"\nkey_id = "{KEY_ID}"\n'
    told += f'secret_file = "{PROVIDER_SECRET}"\n'
    told += f'[revocation]\nocsp_address = "{running.card_authority}{PATH_OCSP}"\nmax_age_s = {CARD_STATUS_MAX_AGE_S}\n'
    told += f'responders_folder = "{running.town / "pki" / RESPONDERS}"\n'
    config.write_text(told, encoding="utf-8")
    _start_beat(parts, running, config)
    for number, own_port in enumerate(ports):
        log = running.run / ("server.log" if number == 0 else f"server{number + 1}.log")
        server = Server(own_port, config, log, running.run / FOLDER if judged else None)
        parts.callback(server.stop)
        running.servers.append(server)
    if port not in ports:
        command = [sys.executable, "-m", "deploy.demo.balancer", "--port", str(port), *map(str, ports)]
        environment = {"PYTHONPATH": str(base.REPOSITORY)}
        balancer = Process("balancer", command, log=running.run / "balancer.log", env=environment)
        parts.callback(balancer.stop)
        balancer.wait_until(lambda: listens(port))


def _start_check(parts: contextlib.ExitStack, running: RunningTown) -> Process:
    """The receivers' check: processes of its own. Papers print the official address, which is not this one."""
    port = free_port()
    running.check = f"http://127.0.0.1:{port}"
    (running.run / PUBLISHED_KEYS).symlink_to(running.town / "trust.json")
    config = running.run / "verify.toml"
    values = {
        "database_url": running.database,
        "trust_file": PUBLISHED_KEYS,
        "check_key_file": str(running.town / "keys" / "check.key"),
        "status_key_file": str(running.town / "keys" / STATUS_KEY_FILE),
        "alarms_file": CHECK_ALARMS,
    }
    config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()), encoding="utf-8")
    check = Process(
        "receivers' check",
        [
            str(Path(sys.executable).with_name("gunicorn")),
            "--config",
            str(base.REPOSITORY / "deploy" / "gunicorn_verify.conf.py"),
            "--bind",
            f"127.0.0.1:{port}",
            "issuance_server.verify.wsgi:app",
        ],
        log=running.run / "verify.log",
        env={VERIFY_ENVIRONMENT_VARIABLE: str(config), "PYTHONPATH": str(base.REPOSITORY)},
    )
    parts.callback(check.stop)
    return check


def _start_terminal(
    parts: contextlib.ExitStack,
    running: RunningTown,
    terminal_id: str,
    kiosk_port: int,
    cash: Cash,
    *,
    judged: bool,
) -> Process:
    folder = running.run / terminal_id
    volatile = running.volatile / terminal_id
    papers = folder / "papers"
    for new in (papers, volatile):
        new.mkdir(parents=True)
    (vpcd_port,) = free_vpcd_ports(1)
    pcscd = parts.enter_context(PrivatePcscd(volatile / "pcscd", [vpcd_port]))
    cupsd = parts.enter_context(PrivateCupsd(volatile / "cups"))
    printer: IppEvePrinter | VirtualPrinter
    printer = VirtualPrinter(folder / "printer") if judged else IppEvePrinter(volatile / "printer", papers)
    parts.enter_context(printer)
    cupsd.add_raw_queue(QUEUE, printer.uri)
    coins_socket = volatile / "coins.sock"
    emoney_socket = volatile / "emoney.sock"
    float_ = JUDGED_FLOAT if judged else FLOAT
    coins = CoinMachine(folder, coins_socket, folder / CASH_LINE if cash == "cctalk" else None, float_)
    emoney = EmoneyMachine(folder, emoney_socket)
    receipts = ReceiptMachine(folder, volatile / "slips")  # codes that are worth money stand on them
    for machine in (coins, emoney, receipts):
        machine.start()
        parts.callback(machine.stop)
    running.machines.append(Machines(pcscd, cupsd, printer, coins, emoney, receipts))
    if judged:
        (folder / FOLDER).mkdir()
    if listens(kiosk_port):
        kiosk_port = free_port()
    key = secrets.token_urlsafe(16)
    place = Place(
        terminal_id=terminal_id,
        folder=str(folder),
        kiosk=f"http://127.0.0.1:{kiosk_port}/?key={key}",
        dock=f"http://127.0.0.1:{kiosk_port}/dock?key={key}",
        kiosk_port=kiosk_port,
        entry_key=key,
        vpcd_port=vpcd_port,
        reader_prefix=reader_prefix(vpcd_port),
        pcscd_socket=str(pcscd.socket_path),
        cups_socket=str(cupsd.socket),
        queue=QUEUE,
        printer_uri=printer.uri,
        papers=str(papers),
        cash=cash,
        coins_socket=str(coins_socket),
        spool=str(cupsd.spool),
        card_authority=running.card_authority,
        qr_provider=running.provider,
        emoney_socket=str(emoney_socket),
        receipt_printer=receipts.address,
        slips=str(receipts.tray),
    )
    running.places.append(place)
    _write_terminal_files(running, place, float_, counts_all=judged)
    for machine in (coins, emoney, receipts):
        machine.wait()
    kiosk = _kiosk(place)
    running.kiosks.append(kiosk)
    parts.callback(running.cut, len(running.kiosks) - 1, kill=False)
    return kiosk


def _kiosk(place: Place) -> Process:
    """Start a terminal's process; what it drives and what it wrote are there."""
    return Process(
        f"kiosk {place.terminal_id}",
        [sys.executable, "-m", "deploy.demo.kiosk", place.folder],
        log=Path(place.folder) / "kiosk.log",
        env={"PYTHONPATH": str(base.REPOSITORY)},
    )


def _write_terminal_files(running: RunningTown, place: Place, float_: Coins, *, counts_all: bool) -> None:
    """counts_all: the printer counts its sheets, and has a meter and a sensor of its path."""
    folder = Path(place.folder)
    config = TerminalConfig(
        terminal_id=place.terminal_id,
        key_file=running.town / "terminals" / f"{place.terminal_id}.pem",
        server_url=running.server,
        trust_file=running.town / "trust.json",
        journal=folder / "journal.db",
        cash=f"cctalk:{folder / CASH_LINE}" if place.cash == "cctalk" else f"socket:{place.coins_socket}",
        cash_machine=CashMachine(record=folder / "cash.json", hoppers={a: float_[yen] for a, yen in HOPPERS.items()}),
        qr_codes=place.qr_provider is not None,
        emoney=None if place.emoney_socket is None else f"socket:{place.emoney_socket}",
        receipt_printer=place.receipt_printer,
        printer=PrinterConfig(
            cups_socket=Path(place.cups_socket),
            queue=place.queue,
            printer_uri=place.printer_uri,
            spool_folders=(Path(place.spool),),
            impressions=True,
            sheets=counts_all,
            lifetime_counter=counts_all,
            path_sensor=counts_all,
            outlet="open_tray",
        ),
        reader=ReaderConfig(name_prefix=place.reader_prefix, pcscd_socket=Path(place.pcscd_socket)),
        kiosk=KioskConfig(host="127.0.0.1", port=place.kiosk_port),
        production=False,
    )
    (folder / "terminal.json").write_bytes(msgspec.json.encode(config, enc_hook=str))
    (folder / "place.json").write_bytes(msgspec.json.encode(place))
    (folder / "town").symlink_to(running.town)
    (folder / "cards").symlink_to(running.run / "cards")


def _new_run() -> Path:
    """Return a fresh folder for one run, and forget the oldest ones, but never one whose town is still up."""
    runs = base.VAR / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(runs.iterdir())[:-RUNS_KEPT]:
        if has_ended(old.name.partition("-")[2]):
            shutil.rmtree(old, ignore_errors=True)
    run = runs / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(2)}"
    (run / "cards").mkdir(parents=True)
    return run


def _point_current_at(run: Path) -> None:
    fresh = CURRENT.with_name(f".current-{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(run)
    fresh.replace(CURRENT)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - our own loopback address
            return bool(answer.status == 200)
    except OSError:
        return False
