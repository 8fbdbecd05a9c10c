"""What is pure and costs much is done once, or by a stand-in with the same bindings; not in the seeds with real parts.

A seal of the stand-in is bound to its key's id and to all that it states; what it states and who asks for it is the
product's. Whether a card's certificate leads to an anchor, whether a page can be drawn and whether a PDF has its sides
depends on nothing that a seed does, so it is asked once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from unittest.mock import patch

import msgspec
from cryptography import x509

from issuance_server import card_auth
from printing.paper import certificates, seal
from printing.paper.fonts import Fonts
from printing.paper.records import Certificate, Issuance
from printing.paper.seal import SealContent, SealForged, SealSigner, SealUnknownKey, SealUnreadable
from terminal import paper_check
from tests.simulation import paper

_PROOF_BYTES: Final = 16
_SECRET: Final = b"nobody else seals in the simulation"


@contextmanager
def standing_in(*, real: bool) -> Iterator[None]:
    """Let the stand-ins do it; with real parts only what is asked of the same page again is asked once."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(certificates, "check", _check(certificates.check)))
        if not real:
            path = _path(card_auth._verify_path)
            stack.enter_context(patch.object(card_auth, "_verify_path", path))
            stack.enter_context(patch.object(paper_check, "check_pdf", paper.check_pdf))
            for name, stand_in in _SEALS.items():
                stack.enter_context(patch.object(seal, name, stand_in))
        yield


# Pages


@lru_cache(maxsize=4096)
def _checked(check: Callable[..., None], certificate: bytes, issuance: bytes, call: _Call) -> None:
    check(*call.arguments)


@dataclass(frozen=True)
class _Call:
    arguments: tuple[Any, ...] = field(hash=False, compare=False)


def _check(real: Callable[..., None]) -> Callable[..., None]:
    def check(fonts: Fonts, certificate: Certificate, issuance: Issuance) -> None:
        key = msgspec.json.encode(certificate), msgspec.json.encode(issuance)
        _checked(real, *key, _Call((fonts, certificate, issuance)))

    return check


# Cards

_PATHS: dict[tuple[x509.Certificate, int], x509.Certificate] = {}


def _path(real: Callable[..., x509.Certificate]) -> Callable[..., x509.Certificate]:
    def verify_path(certificate: x509.Certificate, anchors: Any, now_utc: Any) -> x509.Certificate:
        key = certificate, id(anchors)
        if key not in _PATHS:
            _PATHS[key] = real(certificate, anchors, now_utc)
        return _PATHS[key]

    return verify_path


# Seals


def _prove(said: bytes) -> bytes:
    return hashlib.blake2b(said, key=_SECRET, digest_size=_PROOF_BYTES).digest()


def _sign(content: SealContent, signer: SealSigner) -> str:
    said = msgspec.json.encode((signer.key_id, content))
    return seal.SEAL_PREFIX + (_prove(said) + said).hex()


@lru_cache(maxsize=256)
def _parts(text: str) -> tuple[bytes, str, SealContent]:
    """Return all that a stand-in states, its key's id and its content."""
    try:
        packed = bytes.fromhex(text.removeprefix(seal.SEAL_PREFIX))
        said = packed[_PROOF_BYTES:]
        key_id, content = msgspec.json.decode(said, type=tuple[str, SealContent])
    except (ValueError, msgspec.DecodeError) as error:
        raise SealUnreadable("not a seal's text") from error
    if packed[:_PROOF_BYTES] != _prove(said):
        raise SealForged("the signature does not hold")
    return said, key_id, content


def _verify(text: str, keys: Mapping[str, bytes]) -> SealContent:
    _, key_id, content = _parts(text)
    if key_id not in keys:
        raise SealUnknownKey("the seal names a key that is not known here")
    return content


_SEALS: Final[dict[str, Callable[..., Any]]] = {
    "sign": _sign,
    "verify": _verify,
    "key_id_in": lambda text: _parts(text)[1],
    "statement_digest": lambda text: hashlib.sha256(_parts(text)[0]).digest(),
}
