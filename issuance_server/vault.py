"""Seal and open personal data; the keyed hash that stands for a card's certificate.

A blob says which key sealed it, so that keys can be exchanged while old rows still open; its AAD says which row it is,
so that a blob moved to another row does not open there.
"""

from __future__ import annotations

import functools
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.codec import preimage

KEY_BYTES: Final = 32
_FORMAT: Final = b"\x01"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_MAX_SERIAL_BYTES: Final = 20  # RFC 5280, 4.1.2.2
_LINK_KEY_INFO: Final = "madoguchi-link-key-v1"
_LINK_DOMAIN: Final = "madoguchi-link-v1"
_REQUESTER_DOMAIN: Final = "madoguchi-requester-v1"


class VaultError(Exception):
    """A blob that does not open: altered, from another row, cut short, or sealed with a key that is not here."""


@dataclass(frozen=True)
class VaultKeys:
    """Sealing keys by id (current seals, all open), and the key behind the links, which outlives their exchange."""

    current: str
    sealing: Mapping[str, bytes] = field(repr=False)
    link: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse keys that cannot serve, at start instead of at the first row."""
        if self.current not in self.sealing:
            raise ValueError(f"the current vault key {self.current!r} is not among the vault's keys")
        if any(not 1 <= len(key_id.encode()) <= 255 for key_id in self.sealing):
            raise ValueError("a vault key's id must have 1 to 255 bytes")
        if any(len(key) != KEY_BYTES for key in (self.link, *self.sealing.values())):
            raise ValueError(f"a vault key must have {KEY_BYTES} bytes")


class Vault:
    """AES-256-GCM with a random nonce per blob."""

    def __init__(self, keys: VaultKeys) -> None:
        self._header = _header(keys.current)
        self._current = keys.current
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.sealing.items()}
        self._link_key = keys.link
        self._municipality_key = functools.cache(self._derive_municipality_key)

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """Return the sealed blob. Shape: aad names the row that the blob is for."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, plaintext, self._header + aad)
        return self._header + nonce + sealed

    def open(self, aad: bytes, blob: bytes) -> bytes:
        """Return what was sealed for the row that aad names. Errors: VaultError."""
        if blob[:1] != _FORMAT or len(blob) < 2:
            raise VaultError("not a blob of this vault")
        start = 2 + blob[1]
        if len(blob) < start + _NONCE_BYTES + _TAG_BYTES:
            raise VaultError("the blob is cut short")
        cipher = self._ciphers.get(blob[2:start].decode("utf-8", "replace"))
        if cipher is None:
            raise VaultError("the blob's key is not here")
        nonce, sealed = blob[start : start + _NONCE_BYTES], blob[start + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, sealed, blob[:start] + aad)
        except InvalidTag:
            raise VaultError("the blob is altered or belongs to another row") from None

    def link_digest(self, municipality_code: str, issuer_key_sha256: bytes, serial: int) -> bytes:
        """Return the only form in which a certificate is stored: a hash keyed for one municipality.

        The issuer counts by its key: several generations of the authority share one name and could reuse a serial.

        Shape:  issuer_key_sha256 is over the issuer's SubjectPublicKeyInfo in DER; the digest has 32 bytes.
        """
        serial_bytes = serial.to_bytes(_MAX_SERIAL_BYTES, "big")
        message = preimage(_LINK_DOMAIN, issuer_key_sha256, serial_bytes)
        return hmac.digest(self._municipality_key(municipality_code), message, "sha256")

    def requester_digest(self, municipality_code: str, person_id: str) -> bytes:
        """Return the only form in which an order names whose it is: a hash keyed for one municipality."""
        message = preimage(_REQUESTER_DOMAIN, person_id.encode())
        return hmac.digest(self._municipality_key(municipality_code), message, "sha256")

    def _derive_municipality_key(self, municipality_code: str) -> bytes:
        info = preimage(_LINK_KEY_INFO, municipality_code.encode("ascii"))
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self._link_key)


def _header(key_id: str) -> bytes:
    encoded = key_id.encode()
    return _FORMAT + bytes([len(encoded)]) + encoded
