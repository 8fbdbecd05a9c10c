"""The server's own keys, in a folder that only it can read.

server.json holds the symmetric keys (vault, links, challenge) in Base64, grant.pem the Ed25519 key of grants, and
seals/<municipality code>.pem each municipality's ES256 key, all PKCS #8. check.key, 32 bytes for the look-up of
printed check codes, is alone in its file because the receivers' check has it too. A production site points the same
names at files that its key service provides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Self

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from issuance_server.vault import KEY_BYTES, VaultKeys
from printing.paper.seal import SealSigner, key_id_of
from protocol.trust import SealKeyTrust, Trust

_MUNICIPALITY_CODE: Final = re.compile("[0-9]{6}")
_SYMMETRIC: Final = "server.json"
_GRANT: Final = "grant.pem"
_CHECK: Final = "check.key"
_SEALS: Final = "seals"
_FIRST_VAULT_KEY: Final = "v1"

_Key = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]


class KeysError(Exception):
    """The folder of keys cannot be used; the message names the file and what is wrong with it, never its contents."""


class _SymmetricKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    vault_current: str
    vault: dict[str, _Key]
    link: _Key
    challenge: _Key


@dataclass(frozen=True)
class SealKey:
    """One municipality's key behind the seals on its papers."""

    municipality_code: str
    public_key_pem: bytes
    signer: SealSigner = field(repr=False)

    @property
    def key_id(self) -> str:
        """The id that stands in each seal."""
        return self.signer.key_id


@dataclass(frozen=True)
class Keys:
    """All that the server signs, seals and derives with; seals by municipality code."""

    vault: VaultKeys = field(repr=False)
    challenge: bytes = field(repr=False)
    grant: Ed25519PrivateKey = field(repr=False)
    check: bytes = field(repr=False)
    seals: Mapping[str, SealKey]

    @classmethod
    def create(cls, folder: Path, municipality_codes: Iterable[str]) -> Self:
        """Make all keys in a folder, readable by the owner alone, and load them.

        Errors: KeysError where keys stand there already: what they sealed could never be opened again.
        """
        codes = tuple(municipality_codes)
        if wrong := [code for code in codes if _MUNICIPALITY_CODE.fullmatch(code) is None]:
            raise KeysError(f"a municipality is named by six digits, not {wrong[0]!r}")
        if (folder / _SYMMETRIC).exists():
            raise KeysError(f"{folder} already holds keys; they are never overwritten")
        (folder / _SEALS).mkdir(mode=0o700, parents=True, exist_ok=True)
        for code in codes:
            _write_private(folder / _SEALS / f"{code}.pem", _pem(ec.generate_private_key(ec.SECP256R1())))
        _write_private(folder / _GRANT, _pem(Ed25519PrivateKey.generate()))
        _write_private(folder / _CHECK, os.urandom(KEY_BYTES))
        symmetric = _SymmetricKeys(
            vault_current=_FIRST_VAULT_KEY,
            vault={_FIRST_VAULT_KEY: os.urandom(KEY_BYTES)},
            link=os.urandom(KEY_BYTES),
            challenge=os.urandom(KEY_BYTES),
        )
        _write_private(folder / _SYMMETRIC, msgspec.json.encode(symmetric))  # last: it marks completeness
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load what `create` made. Errors: KeysError, also where others than the owner may read a file."""
        try:
            symmetric = msgspec.json.decode(_read_private(folder / _SYMMETRIC), type=_SymmetricKeys)
            vault = VaultKeys(symmetric.vault_current, symmetric.vault, symmetric.link)
        except (msgspec.DecodeError, ValueError):
            raise KeysError(f"{folder / _SYMMETRIC} is not a file of the server's keys") from None
        seals = {path.stem: _load_seal(path) for path in sorted((folder / _SEALS).glob("*.pem"))}
        return cls(vault, symmetric.challenge, _load_grant(folder / _GRANT), load_check_key(folder / _CHECK), seals)

    @property
    def municipality_codes(self) -> tuple[str, ...]:
        """The municipalities that this server can seal for."""
        return tuple(self.seals)

    def trust(self, municipality_names: Mapping[str, str] = MappingProxyType({})) -> Trust:
        """Return what a terminal pins and a receiver's check knows; names by municipality code, for people."""
        return Trust(
            grant_public_key=self.grant.public_key().public_bytes_raw(),
            seal_keys=tuple(
                SealKeyTrust(
                    municipality_code=code,
                    key_id=seal.key_id,
                    public_key_pem=seal.public_key_pem.decode("ascii"),
                    municipality_name=municipality_names.get(code, ""),
                )
                for code, seal in self.seals.items()
            ),
        )


def load_check_key(path: Path) -> bytes:
    """Return the key behind the look-up of check codes. Errors: KeysError."""
    key = _read_private(path)
    if len(key) != KEY_BYTES:
        raise KeysError(f"{path} is not a key of {KEY_BYTES} bytes")
    return key


def _pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load_seal(path: Path) -> SealKey:
    key = _load_pem(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeysError(f"{path} is not a key on P-256")
    public_key_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return SealKey(path.stem, public_key_pem, SealSigner.from_pem(key_id_of(public_key_pem), _pem(key)))


def _load_grant(path: Path) -> Ed25519PrivateKey:
    key = _load_pem(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysError(f"{path} is not an Ed25519 key")
    return key


def _load_pem(path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(_read_private(path), password=None)
    except ValueError:
        raise KeysError(f"{path} is not a private key in PEM") from None


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            content = stream.read()
    except OSError as error:
        raise KeysError(f"{path} cannot be read: {error.strerror}") from None
    if mode & 0o077:
        raise KeysError(f"{path} may be read by others than its owner: its mode must be 0600")
    return content
