"""How this server is set up: one file (TOML or JSON), named by MADOGUCHI_SERVER_CONFIG."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

ENVIRONMENT_VARIABLE: Final = "MADOGUCHI_SERVER_CONFIG"


class ConfigError(Exception):
    """The server cannot start as it is set up; the message names the field and the rule."""


class QrProviderConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The provider of payments by QR code, and what it knows us by; secret_file holds the merchant's secret."""

    address: Annotated[str, msgspec.Meta(pattern="^https?://")]
    key_id: Annotated[str, msgspec.Meta(min_length=1)]
    secret_file: Path


class RevocationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the card authority says which certificates are revoked or suspended.

    Shape:  crls_folder holds its signed lists as *.crl in DER, as the operator fetches them; none: only the responder
            counts. responders_folder holds certificates in PEM of responders whose word counts by this configuration,
            beside the card's issuer and whom that has named. cert_id_hash is how the responder knows an issuer.
    Units:  max_age_s: how old the responder's word may be: a card that was reported lost is refused within it.
            timeout_s: how long a resident is kept waiting for the responder.
    """

    ocsp_address: Annotated[str, msgspec.Meta(pattern="^https?://")]
    max_age_s: Annotated[int, msgspec.Meta(ge=1, le=86_400)]
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=10)] = 2.0
    cert_id_hash: Literal["sha256", "sha1"] = "sha256"
    responders_folder: Path | None = None
    crls_folder: Path | None = None


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
    revocation: RevocationConfig
    addon_font: Path | None = None
    servers: Annotated[int, msgspec.Meta(ge=1)] = 1
    qr_provider: QrProviderConfig | None = None

    @property
    def audit_origin(self) -> str:
        """What the tree of records is called on its checkpoints: the address that receivers know, and a word."""
        return f"{self.check_address.partition('://')[2].strip('/')}/audit"


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
    revocation = config.revocation
    revocation = msgspec.structs.replace(
        revocation,
        responders_folder=_beside(path, revocation.responders_folder),
        crls_folder=_beside(path, revocation.crls_folder),
    )
    return msgspec.structs.replace(
        config,
        qr_provider=qr_provider,
        revocation=revocation,
        keys_folder=path.parent / config.keys_folder,
        anchors_folder=path.parent / config.anchors_folder,
        addon_font=_beside(path, config.addon_font),
    )


def load_from_environment(environment: Mapping[str, str] = os.environ) -> ServerConfig:
    """Read the file that the environment names. Errors: ConfigError."""
    named = environment.get(ENVIRONMENT_VARIABLE)
    if not named:
        raise ConfigError(f"{ENVIRONMENT_VARIABLE} must name the server's configuration file")
    return load(Path(named).absolute())


def _beside(file: Path, named: Path | None) -> Path | None:
    return None if named is None else file.parent / named


def _path(expected: type, value: object) -> Path:
    if expected is not Path or not isinstance(value, str) or not value:
        raise ValueError("Expected a path")
    return Path(value)
