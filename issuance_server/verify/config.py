"""How the receivers' check is set up: one TOML file, named by MADOGUCHI_VERIFY_CONFIG."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from issuance_server.config import ConfigError
from issuance_server.verify.check import PublishedKeys
from protocol.trust import Trust
from protocol.trust_file import TrustFile, TrustUnreadable

ENVIRONMENT_VARIABLE: Final = "MADOGUCHI_VERIFY_CONFIG"


class VerifyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one check server. It holds no key that signs or opens anything.

    Shape:  trust_file holds the published keys, check_key_file the key of the look-up by check code alone. Relative
            paths are relative to the file.
    """

    database_url: Annotated[str, msgspec.Meta(min_length=1)]
    trust_file: Annotated[str, msgspec.Meta(min_length=1)]
    check_key_file: Annotated[str, msgspec.Meta(min_length=1)]


def load(path: Path) -> VerifyConfig:
    """Read the file. Errors: ConfigError."""
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=VerifyConfig)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    return msgspec.structs.replace(
        config,
        trust_file=str(path.parent / config.trust_file),
        check_key_file=str(path.parent / config.check_key_file),
    )


def load_from_environment(environment: Mapping[str, str] = os.environ) -> VerifyConfig:
    """Read the file that the environment names. Errors: ConfigError."""
    named = environment.get(ENVIRONMENT_VARIABLE)
    if not named:
        raise ConfigError(f"{ENVIRONMENT_VARIABLE} must name the check's configuration file")
    return load(Path(named).absolute())


class FollowedKeys:
    """The published keys of a file, made ready once a change. Errors of the constructor: TrustUnreadable."""

    def __init__(self, path: Path) -> None:
        self._trust = TrustFile(path)
        self._made = (self._trust(), PublishedKeys(self._trust().seal_keys))

    def __call__(self) -> PublishedKeys:
        """Return the keys as they are now."""
        trust = self._trust()
        if trust is not self._made[0]:
            self._made = (trust, PublishedKeys(trust.seal_keys))
        return self._made[1]


def read_trust(path: Path) -> Trust:
    """Read published keys. Errors: ConfigError."""
    try:
        return TrustFile(path)()
    except TrustUnreadable as error:
        raise ConfigError(str(error)) from None
