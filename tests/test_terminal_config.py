"""A terminal's configuration: strict, and with errors that name the field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from protocol.trust import Trust
from terminal.config import ConfigError, follow_trust, load_private_key, read_config
from terminal.payment.cash_devices import CashMachine

VALID: dict[str, Any] = {
    "terminal_id": "terminal-1",
    "key_file": "terminal.pem",
    "server_url": "http://127.0.0.1:8000",
    "trust_file": "trust.json",
    "journal": "journal.sqlite",
    "cash": "socket:coins.sock",
    "printer": {
        "cups_socket": "cups.sock",
        "queue": "paper",
        "printer_uri": "ipp://127.0.0.1:8631/ipp/print",
        "spool_folders": ["spool"],
        "impressions": True,
        "sheets": False,
        "lifetime_counter": False,
        "path_sensor": True,
        "outlet": "open_tray",
    },
    "reader": {"name_prefix": ""},
    "kiosk": {"host": "127.0.0.1", "port": 0},
    "production": False,
}


def write(path: Path, values: dict[str, Any]) -> Path:
    path.write_bytes(msgspec.json.encode(values))
    return path


def write_toml(path: Path, values: dict[str, Any]) -> Path:
    """JSON's scalars and lists are TOML's; only tables are written another way."""
    plain = {name: value for name, value in values.items() if not isinstance(value, dict)}
    tables = {name: value for name, value in values.items() if isinstance(value, dict)}
    lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in plain.items()]
    for table, fields in tables.items():
        lines += [f"[{table}]", *(f"{name} = {msgspec.json.encode(value).decode()}" for name, value in fields.items())]
    path.write_text("\n".join(lines))
    return path


def test_both_kinds_of_file_say_the_same(tmp_path: Path) -> None:
    config = read_config(write(tmp_path / "terminal.json", VALID))
    assert config == read_config(write_toml(tmp_path / "terminal.toml", VALID))
    assert (config.printer.spool_folders, config.reader.pcscd_socket) == ((Path("spool"),), None)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"terminal_id": ""}, "terminal_id"),
        ({"server_url": "issuing.example"}, "server_url"),
        ({"kiosk": {"host": "0.0.0.0", "port": 1}}, "host"),  # noqa: S104 - refused: the page is for loopback
        ({"checks": []}, "checks"),
        ({"production": True}, "server_url"),
        ({"production": True, "server_url": "https://issuing.example"}, "cash"),
        ({"cash": "coins.sock"}, "cash"),
        ({"emoney": "emoney.sock"}, "emoney"),
        (
            {
                "production": True,
                "server_url": "https://issuing.example",
                "cash": "cctalk:/dev/ttyUSB0",
                "emoney": "socket:emoney.sock",
            },
            "emoney",
        ),
        ({"cash": "cctalk:/dev/ttyUSB0"}, "cash_machine"),
        ({"cash_machine": {"record": "cash.json", "hoppers": {"300": 1}}}, "cash_machine"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    path = write(tmp_path / "terminal.json", {**VALID, **change})
    with pytest.raises(ConfigError, match=named):
        read_config(path)


def test_a_cctalk_line_and_what_stands_on_it(tmp_path: Path) -> None:
    machine = {"record": "cash.json", "hoppers": {"3": 50, "5": 40}, "tray": None}
    told = {**VALID, "cash": "cctalk:/dev/ttyUSB0", "cash_machine": machine}
    config = read_config(write(tmp_path / "terminal.json", told))
    assert config.cash_machine == CashMachine(record=Path("cash.json"), hoppers={3: 50, 5: 40}, tray=None)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_config, load_private_key, follow_trust):
        with pytest.raises(ConfigError, match="nowhere"):
            read(tmp_path / "nowhere")


def test_only_an_ed25519_key_is_a_terminals(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    for key, usable in ((Ed25519PrivateKey.generate(), True), (ec.generate_private_key(ec.SECP256R1()), False)):
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        if usable:
            assert isinstance(load_private_key(path), Ed25519PrivateKey)
        else:
            with pytest.raises(ConfigError, match="Ed25519"):
                load_private_key(path)


def test_what_is_pinned_is_read(tmp_path: Path) -> None:
    trust = Trust(grant_public_key=b"k" * 32, seal_keys=())
    path = tmp_path / "trust.json"
    path.write_bytes(msgspec.json.encode(trust))
    assert follow_trust(path)() == trust
    path.write_bytes(b"{}")
    with pytest.raises(ConfigError, match="grant_public_key"):
        follow_trust(path)
