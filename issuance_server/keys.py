"""The server's own keys, in a folder that only it can read.

server.json holds the symmetric keys (vault, links, challenge) in Base64, grant.pem the Ed25519 key of grants,
audit.pem that of the records' checkpoints, and seals.json the register of the municipalities' ES256 keys, which are
files in seals/ or keys in a token (seal_keys.py). check.key, 32 bytes for the look-up of printed check codes, is alone
in its file because the receivers' check has it too. A production site points the same names at files that its key
service provides.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from issuance_server import seal_keys
from issuance_server.key_files import KeysError, load_pem, pem, read_private, write_private
from issuance_server.seal_keys import SealKeys
from issuance_server.vault import KEY_BYTES, VaultKeys
from protocol.trust import Trust

_SYMMETRIC: Final = "server.json"
_GRANT: Final = "grant.pem"
_AUDIT: Final = "audit.pem"
_CHECK: Final = "check.key"
_FIRST_VAULT_KEY: Final = "v1"

_Key = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]


class _SymmetricKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    vault_current: str
    vault: dict[str, _Key]
    link: _Key
    challenge: _Key


@dataclass(frozen=True)
class Keys:
    """All that the server signs, seals and derives with; seals by municipality and date."""

    vault: VaultKeys = field(repr=False)
    challenge: bytes = field(repr=False)
    grant: Ed25519PrivateKey = field(repr=False)
    check: bytes = field(repr=False)
    seals: SealKeys = field(repr=False)

    @classmethod
    def create(cls, folder: Path, municipalities: Iterable[str] | Mapping[str, str]) -> Self:
        """Make all keys in a folder, readable by the owner alone, and load them.

        Shape:  municipalities are codes, with their names where it is a mapping.

        Errors: KeysError where keys stand there already: what they sealed could never be opened again.
        """
        named = municipalities if isinstance(municipalities, Mapping) else dict.fromkeys(municipalities, "")
        if (folder / _SYMMETRIC).exists():
            raise KeysError(f"{folder} already holds keys; they are never overwritten")
        seal_keys.create(folder, named)
        write_private(folder / _GRANT, pem(Ed25519PrivateKey.generate()))
        write_private(folder / _AUDIT, pem(Ed25519PrivateKey.generate()))
        write_private(folder / _CHECK, os.urandom(KEY_BYTES))
        symmetric = _SymmetricKeys(
            vault_current=_FIRST_VAULT_KEY,
            vault={_FIRST_VAULT_KEY: os.urandom(KEY_BYTES)},
            link=os.urandom(KEY_BYTES),
            challenge=os.urandom(KEY_BYTES),
        )
        write_private(folder / _SYMMETRIC, msgspec.json.encode(symmetric))  # last: it marks completeness
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load what `create` made. Errors: KeysError, also where others than the owner may read a file."""
        try:
            symmetric = msgspec.json.decode(read_private(folder / _SYMMETRIC), type=_SymmetricKeys)
            vault = VaultKeys(symmetric.vault_current, symmetric.vault, symmetric.link)
        except (msgspec.DecodeError, ValueError):
            raise KeysError(f"{folder / _SYMMETRIC} is not a file of the server's keys") from None
        grant, check = _load_ed25519(folder / _GRANT), load_check_key(folder / _CHECK)
        return cls(vault, symmetric.challenge, grant, check, SealKeys(folder))

    @property
    def municipality_codes(self) -> tuple[str, ...]:
        """The municipalities that this server can seal for."""
        return self.seals.municipality_codes

    def trust(self, municipality_names: Mapping[str, str] = MappingProxyType({})) -> Trust:
        """Return what a terminal pins and a receiver's check knows; names by municipality code, for people."""
        return Trust(
            grant_public_key=self.grant.public_key().public_bytes_raw(),
            seal_keys=self.seals.trust(municipality_names),
        )


def load_check_key(path: Path) -> bytes:
    """Return the key behind the look-up of check codes. Errors: KeysError."""
    key = read_private(path)
    if len(key) != KEY_BYTES:
        raise KeysError(f"{path} is not a key of {KEY_BYTES} bytes")
    return key


def load_audit_key(folder: Path) -> Ed25519PrivateKey:
    """Return the key that signs checkpoints; the servers do without. Errors: KeysError."""
    return _load_ed25519(folder / _AUDIT)


def _load_ed25519(path: Path) -> Ed25519PrivateKey:
    key = load_pem(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysError(f"{path} is not an Ed25519 key")
    return key
