"""What a terminal is told about itself, in one file (JSON or TOML); never written, and read once at start
but for the pinned keys, which change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from protocol.trust_file import TrustFile, TrustUnreadable
from terminal.payment.cash_devices import CashMachine

NonEmpty = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class ConfigError(ValueError):
    """The configuration cannot be used; the message names the file, the field and the rule."""


class PrinterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The queue, the printer behind it, and which witnesses of a printed sheet that model has."""

    cups_socket: Path
    queue: NonEmpty
    printer_uri: NonEmpty
    spool_folders: tuple[Path, ...]
    impressions: bool
    sheets: bool
    lifetime_counter: bool
    path_sensor: bool
    outlet: Literal["presenter", "open_tray"]


class ReaderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card reader: how its name begins ("" = the first one), and pcscd's socket where it is not the usual one."""

    name_prefix: str
    pcscd_socket: Path | None = None
    pin_idle_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 120.0


class KioskConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the page is served; loopback only. Port 0 takes a free one."""

    host: Literal["127.0.0.1", "::1"]
    port: Port


class TerminalConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One terminal.

    Shape:  key_file is an Ed25519 key in PEM; trust_file is a protocol.trust.Trust in JSON; cash is "cctalk:" and a
            serial line with the devices of cash_machine on it, or in a demo "socket:" and a simulated unit's; emoney is
            a demo's alone, "socket:" and a simulated contract terminal's: what a real one speaks is its maker's secret.
    receipt_printer: where it stands in the network, "socket://host:9100"; None = this terminal prints no receipts.
    qr_codes: the server has a provider of payments by QR code.
    production: no dock, no virtual device, no test anchor.
    """

    terminal_id: NonEmpty
    key_file: Path
    server_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/?#]+$")]
    trust_file: Path
    journal: Path
    cash: Annotated[str, msgspec.Meta(pattern=r"^(cctalk|socket):.+$")]
    cash_machine: CashMachine | None = None
    qr_codes: bool = False
    emoney: Annotated[str, msgspec.Meta(pattern=r"^socket:.+$")] | None = None
    receipt_printer: Annotated[str, msgspec.Meta(pattern=r"^socket://[^/:]+:[0-9]+$")] | None = None
    printer: PrinterConfig
    reader: ReaderConfig
    kiosk: KioskConfig
    production: bool


def read_config(path: Path) -> TerminalConfig:
    """Read a terminal's file; the name's end (.toml, .json) says which it is.

    Errors: ConfigError.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    decode = msgspec.toml.decode if path.suffix == ".toml" else msgspec.json.decode
    try:
        config = decode(text, type=TerminalConfig, dec_hook=_path)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    if config.production and not config.server_url.startswith("https://"):
        raise ConfigError(f"{path}: `server_url` must be https in production")
    if config.production and not config.cash.startswith("cctalk:"):
        raise ConfigError(f"{path}: `cash` must be a cctalk line in production")
    if config.production and config.emoney is not None:
        raise ConfigError(f"{path}: `emoney` has no driver in production")
    if config.cash.startswith("cctalk:") and config.cash_machine is None:
        raise ConfigError(f"{path}: `cash_machine` must say what stands on the cctalk line")
    return config


def _path(expected: type, value: object) -> Path:
    """msgspec knows no paths of its own."""
    if expected is not Path or not isinstance(value, str) or not value:
        raise ValueError("Expected a path")
    return Path(value)


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read the terminal's own key. Errors: ConfigError."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: no usable private key ({type(error).__name__})") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path}: the key must be Ed25519")
    return key


def follow_trust(path: Path) -> TrustFile:
    """Return what is pinned of the server, read again when it changes. Errors: ConfigError."""
    try:
        return TrustFile(path)
    except TrustUnreadable as error:
        raise ConfigError(str(error)) from error
