"""How this server is set up: one file (TOML or JSON), named by MADOGUCHI_SERVER_CONFIG."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

ENVIRONMENT_VARIABLE: Final = "MADOGUCHI_SERVER_CONFIG"


class ConfigError(Exception):
    """The server cannot start as it is set up; the message names the field and the rule."""


class QrProviderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The provider of payments by QR code, and what it knows us by; secret_file holds the merchant's secret."""

    address: Annotated[str, msgspec.Meta(pattern="^https?://")]
    key_id: Annotated[str, msgspec.Meta(min_length=1)]
    secret_file: Path


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one server, not of a municipality (settings.py).

    Shape:  authorities are what terminals call this server by, as `host` or `host:port` in lower case: a request that
            was signed for another server is refused. anchors_folder holds the card authorities' certificates in PEM.
            check_address is the address that the code on a paper leads to. addon_font is the font of the characters
            of 行政事務標準文字 beyond the MJ collection, where the operator has one. servers is how many share the
            database: SQLite serves one. Relative paths are relative to the file.
    """

    database_url: Annotated[str, msgspec.Meta(min_length=1)]
    keys_folder: Path
    anchors_folder: Path
    authorities: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern=r"^[^A-Z/\s]+$")], ...], msgspec.Meta(min_length=1)
    ]
    check_address: Annotated[str, msgspec.Meta(pattern="^https?://")]
    production: bool
    addon_font: Path | None = None
    servers: Annotated[int, msgspec.Meta(ge=1)] = 1
    qr_provider: QrProviderConfig | None = None


def load(path: Path) -> ServerConfig:
    """Read the file; the name's end (.toml, .json) says which it is. Errors: ConfigError."""
    decode = msgspec.toml.decode if path.suffix == ".toml" else msgspec.json.decode
    try:
        config = decode(path.read_bytes(), type=ServerConfig, dec_hook=_path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if config.servers > 1 and config.database_url.startswith("sqlite"):
        raise ConfigError(f"{path}: servers: SQLite serves one server; more need PostgreSQL")
    qr_provider = config.qr_provider
    if qr_provider is not None:
        if config.production and not qr_provider.address.startswith("https://"):
            raise ConfigError(f"{path}: qr_provider.address: https in production")
        secret_file = path.parent / qr_provider.secret_file
        qr_provider = msgspec.structs.replace(qr_provider, secret_file=secret_file)
    return msgspec.structs.replace(
        config,
        qr_provider=qr_provider,
        keys_folder=path.parent / config.keys_folder,
        anchors_folder=path.parent / config.anchors_folder,
        addon_font=None if config.addon_font is None else path.parent / config.addon_font,
    )


def load_from_environment(environment: Mapping[str, str] = os.environ) -> ServerConfig:
    """Read the file that the environment names. Errors: ConfigError."""
    named = environment.get(ENVIRONMENT_VARIABLE)
    if not named:
        raise ConfigError(f"{ENVIRONMENT_VARIABLE} must name the server's configuration file")
    return load(Path(named).absolute())


def _path(expected: type, value: object) -> Path:
    if expected is not Path or not isinstance(value, str) or not value:
        raise ValueError("Expected a path")
    return Path(value)
