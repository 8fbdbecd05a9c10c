"""How the receivers' check is set up: one TOML file, named by MADOGUCHI_VERIFY_CONFIG."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec

from issuance_server.config import ConfigError
from protocol.trust import Trust

ENVIRONMENT_VARIABLE: Final = "MADOGUCHI_VERIFY_CONFIG"


class VerifyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one check server. It holds one key that signs, that of status lists, and none that opens.

    Shape:  trust_file holds the published keys, check_key_file the key of the look-up by check code alone. Its alarms
            are the one thing that it writes. Relative paths are relative to the file. proxies: how many proxies in
            front of it say whom they speak for; whose limits would otherwise all be the proxy's.
    """

    database_url: Annotated[str, msgspec.Meta(min_length=1)]
    trust_file: Annotated[str, msgspec.Meta(min_length=1)]
    check_key_file: Annotated[str, msgspec.Meta(min_length=1)]
    status_key_file: Annotated[str, msgspec.Meta(min_length=1)]
    alarms_file: Annotated[str, msgspec.Meta(min_length=1)]
    proxies: Annotated[int, msgspec.Meta(ge=0, le=5)] = 0


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
        status_key_file=str(path.parent / config.status_key_file),
        alarms_file=str(path.parent / config.alarms_file),
    )


def load_from_environment(environment: Mapping[str, str] = os.environ) -> VerifyConfig:
    """Read the file that the environment names. Errors: ConfigError."""
    named = environment.get(ENVIRONMENT_VARIABLE)
    if not named:
        raise ConfigError(f"{ENVIRONMENT_VARIABLE} must name the check's configuration file")
    return load(Path(named).absolute())


def read_trust(path: Path) -> Trust:
    """Read published keys. Errors: ConfigError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Trust)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path} holds no published keys: {error}") from None
