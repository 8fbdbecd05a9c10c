"""Who speaks: signatures of requests (RFC 9421, one profile for both sides) and of events.

The profile: one signature, tag "madoguchi", Ed25519, keyid = terminal id, `created` within 60 s of the server's clock,
over exactly COVERED. Every request has a Content-Digest, that of the empty body included, so that there is one way.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature as InvalidEd25519Signature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)
from http_message_signatures.algorithms import ED25519

from protocol.codec import decode, encode, preimage
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EVENT_FIELDS, EVENT_OPTIONS, Event, SignedEvent

TAG: Final = "madoguchi"
LABEL: Final = "madoguchi"
COVERED: Final = ("@method", "@authority", "@path", "@query", "content-type", "content-digest")
MAX_AGE_S: Final = 60
CONTENT_TYPE: Final = "application/json"

_HEADERS: Final = ("content-type", "content-digest", "signature-input", "signature")
_PARAMETERS: Final = frozenset({"created", "keyid", "alg", "tag"})
_EVENT_DOMAIN: Final = "madoguchi-event-v1"
_EVENT_BASE: Final = frozenset({"sequence", "at_utc", "kind"})


def key_thumbprint(public_key: Ed25519PublicKey) -> bytes:
    """Return the key's thumbprint. Source: RFC 7638 with RFC 8037's members for Ed25519; SHA-256."""
    x = urlsafe_b64encode(public_key.public_bytes_raw()).rstrip(b"=").decode("ascii")
    canonical = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).digest()


# requests


@dataclass(frozen=True)
class _Request:
    """What the library reads: only the covered headers, since it walks through all that it is given."""

    method: str
    url: str
    headers: dict[str, str]


class _Keys(HTTPSignatureKeyResolver):
    """One side's keys for one request."""

    def __init__(
        self, *, public: Callable[[str], Ed25519PublicKey] | None = None, private: Ed25519PrivateKey | None = None
    ) -> None:
        self._public, self._private = public, private
        self.failure: Exception | None = None  # what `public` raised: the library says nothing of it

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        assert self._public is not None
        try:
            return self._public(key_id)
        except Exception as error:
            self.failure = error
            raise

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:  # noqa: ARG002 - one key a signer
        assert self._private is not None
        return self._private


class _Verifier(HTTPMessageVerifier):
    """The library's verifier, without its own clock: `created` is judged after the signature, by our clock."""

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:  # noqa: ARG002 - its signature
        if "created" not in sig_input.params or set(sig_input.params) - _PARAMETERS:
            raise InvalidSignature("signature parameters other than the profile's")


class RequestSigner:
    """A terminal's signature on its requests."""

    def __init__(self, terminal_id: str, private_key: Ed25519PrivateKey) -> None:
        self._terminal_id = terminal_id
        self._signer = HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=_Keys(private=private_key))

    def headers(self, method: str, url: str, body: bytes, content_type: str, created_utc: datetime) -> dict[str, str]:
        """Return the headers to send with the request: Content-Type, Content-Digest, Signature-Input, Signature.

        Shape:  url is absolute, encoded as it is sent; a request without a body is signed with body b"" (and its
                Content-Type is sent all the same).
        Units:  created_utc is an aware datetime.
        """
        headers = {"Content-Type": content_type}
        self._signer.sign(
            _Request(method, url, headers),
            key_id=self._terminal_id,
            created=created_utc,
            label=LABEL,
            tag=TAG,
            covered_component_ids=COVERED,
            body=body,
        )
        return headers


def verify_request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    resolve_key: Callable[[str], Ed25519PublicKey],
    now_utc: datetime,
) -> str:
    """Return the id of the terminal that signed this request.

    Shape:  url is absolute and its authority is one that the caller answers to; headers may be any mapping that finds
            names in lower case; resolve_key raises IssueError TERMINAL_UNKNOWN or TERMINAL_STOPPED.
    Errors: IssueError UNSIGNED, SIGNATURE_INVALID, REQUEST_EXPIRED, and whatever resolve_key raises, as it is: a
            database that is away is no bad signature, and whoever asked may ask again.
    """
    # 1. Signed at all?
    sent = {name: value for name in _HEADERS if (value := headers.get(name)) is not None}
    if "signature" not in sent or "signature-input" not in sent:
        raise IssueError(ErrorCode.UNSIGNED, "the request has no signature")
    # 2. The signature holds over all that the profile covers.
    keys = _Keys(public=resolve_key)
    verifier = _Verifier(signature_algorithm=ED25519, key_resolver=keys)
    try:
        request = _Request(method, url, sent)
        results = verifier.verify(request, max_age=None, expect_tag=TAG, require_components=COVERED)
        # 3. The covered digest is this body's, recomputed.
        verifier.verify_body(request, results, body)
    except InvalidSignature:
        if keys.failure is not None:
            raise keys.failure from None
        raise IssueError(ErrorCode.SIGNATURE_INVALID, "the request's signature does not hold") from None
    # 4. One signer, and fresh: a replay within the window meets the order's, challenge's and event's own guards.
    if len(results) != 1:
        raise IssueError(ErrorCode.SIGNATURE_INVALID, "more than one signature")
    parameters = results[0].parameters
    if abs(now_utc.timestamp() - int(parameters["created"])) > MAX_AGE_S:
        raise IssueError(ErrorCode.REQUEST_EXPIRED, f"created must be within {MAX_AGE_S} s of the server's clock")
    return str(parameters["keyid"])


# events


def sign_event(event: Event, key: Ed25519PrivateKey) -> SignedEvent:
    """Return the event's bytes with the terminal's signature. Errors: ValueError where fields and kind disagree."""
    if (wrong := _wrong_field(event)) is not None:
        raise ValueError(wrong)
    body = encode(event)
    return SignedEvent(body=body, signature=key.sign(preimage(_EVENT_DOMAIN, body)))


def verify_event(signed: SignedEvent, key: Ed25519PublicKey) -> Event:
    """Return the event that this terminal's key signed.

    Errors: IssueError SIGNATURE_INVALID; BAD_REQUEST, naming the field, where it is malformed or does not fit its kind.
    """
    try:
        key.verify(signed.signature, preimage(_EVENT_DOMAIN, signed.body))
    except InvalidEd25519Signature:
        raise IssueError(ErrorCode.SIGNATURE_INVALID, "an event's signature does not hold") from None
    event = decode(Event, signed.body)
    if (wrong := _wrong_field(event)) is not None:
        raise IssueError(ErrorCode.BAD_REQUEST, wrong)
    return event


def _wrong_field(event: Event) -> str | None:
    """EVENT_FIELDS exactly, but for what EVENT_OPTIONS leaves open.

    A missing field would be guessed at later, a surplus one would be believed by nobody.
    """
    if event.at_utc.tzinfo is None:
        return "`at_utc` must have an offset"
    wanted, open_to_both = EVENT_FIELDS[event.kind], EVENT_OPTIONS.get(event.kind, frozenset())
    for name in Event.__struct_fields__:
        present = getattr(event, name) is not None
        if name not in _EVENT_BASE | open_to_both and present != (name in wanted):
            return f"`{name}` must {'stand' if not present else 'not stand'} with {event.kind}"
    return None
