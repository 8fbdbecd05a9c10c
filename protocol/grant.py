"""The single-use grant: the server's word that this terminal may print these very bytes, once.

How long a grant may be used is the terminal's affair (its monotonic clock, from receipt to the print intent);
granted_at_utc stands here for the record.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.messages import GrantAnswer, Id, Message, Sha256

DOMAIN: Final = b"madoguchi-grant-v1\n"


class Grant(Message, frozen=True, kw_only=True):
    """One order, one document, one terminal."""

    grant_id: Id
    order_id: Id
    pdf_sha256: Sha256
    terminal_id: str
    granted_at_utc: Annotated[datetime, msgspec.Meta(tz=True)]


class GrantInvalid(Exception):
    """The grant is not the server's, or not a grant; it must not be used."""


def encode(grant: Grant) -> bytes:
    """Return the exact bytes that are signed: the domain and the grant's JSON, fields in declared order."""
    return DOMAIN + msgspec.json.encode(grant)


def sign(grant: Grant, key: Ed25519PrivateKey) -> GrantAnswer:
    """Return the grant with the server's signature over its bytes."""
    body = encode(grant)
    return GrantAnswer(grant=body, signature=key.sign(body))


def verify(answer: GrantAnswer, public_key: Ed25519PublicKey) -> Grant:
    """Return the grant whose signature holds; whether it names this order and these bytes is for the caller.

    Errors: GrantInvalid for a foreign signature, another kind of message, or any bytes that `encode` would not make.
    """
    try:
        public_key.verify(answer.signature, answer.grant)
    except InvalidSignature:
        raise GrantInvalid("the signature does not hold") from None
    if not answer.grant.startswith(DOMAIN):
        raise GrantInvalid("the signed bytes are no grant")
    try:
        grant = msgspec.json.decode(answer.grant[len(DOMAIN) :], type=Grant)
    except (msgspec.DecodeError, UnicodeDecodeError):  # the second is what msgspec raises for a field's name
        raise GrantInvalid("the signed bytes are no grant") from None
    if encode(grant) != answer.grant:
        raise GrantInvalid("the grant is not in its canonical form")
    return grant
