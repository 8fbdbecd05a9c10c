"""OCSP: how one certificate stands now, by its authority's own signed and fresh word; anything else is no word at all.

Source: RFC 6960; the nonce is RFC 9654's. An answer is judged in numbered steps by `read_answer`, a pure function.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from queue import Empty, Queue
from typing import Final

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

REQUEST_TYPE: Final = "application/ocsp-request"
ANSWER_TYPE: Final = "application/ocsp-response"
MAX_ANSWER_BYTES: Final = 64 * 1024
CLOCKS_DIFFER: Final = timedelta(seconds=60)

_NONCE_BYTES: Final = 32
_SIGNED_WITH: Final = (SHA256, SHA384, SHA512)
#: What the library raises for bytes that are no answer, some of it only when the field in question is looked at.
_NO_ANSWER: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
#: It would answer, but not now. Any other error is about what was asked, and says nothing of the next card.
_NOT_NOW: Final = (ocsp.OCSPResponseStatus.TRY_LATER, ocsp.OCSPResponseStatus.INTERNAL_ERROR)
#: How a request names the issuer; which of them a responder knows is its own affair. SHA-1 protects nothing here.
CERT_ID_HASHES: Final[dict[str, HashAlgorithm]] = {"sha256": SHA256(), "sha1": SHA1()}  # noqa: S303 (see above)


class CardState(StrEnum):
    """How a certificate stands."""

    GOOD = "good"
    SUSPENDED = "suspended"  # certificateHold: reported lost; it may come back
    REVOKED = "revoked"
    UNKNOWN = "unknown"  # its authority has no such certificate: no list's silence makes it good


@dataclass(frozen=True)
class Word:
    """An authority's signed word on one certificate, true as of a moment."""

    state: CardState
    as_of_utc: datetime


class NoWord(Exception):
    """Nobody who may say it has said how the certificate stands; the message says what was wrong, without the card."""


class Unreachable(NoWord):
    """The responder does not answer at all."""


class OcspResponder:
    """One responder. Errors of `ask`: NoWord."""

    def __init__(
        self,
        address: str,
        *,
        max_age: timedelta,
        timeout_s: float,
        cert_id_hash: str,
        trusted: tuple[x509.Certificate, ...] = (),
        transport: httpx.BaseTransport | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """max_age: how old a word may be. timeout_s: for the whole answer. transport: for tests.

        trusted: responders whose word counts whoever issued the card (RFC 6960, 2.2: locally configured).
        """
        self._address = address
        self._max_age = max_age
        self._timeout_s = timeout_s
        self._trusted = trusted
        self._cert_id_hash = CERT_ID_HASHES[cert_id_hash]
        self._transport = transport
        self._client = self._new_client()
        self._monotonic_s = monotonic_s

    def ask(self, certificate: x509.Certificate, issuer: x509.Certificate, now_utc: Callable[[], datetime]) -> Word:
        """Return the responder's word on a certificate of this issuer."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        asked = (
            ocsp.OCSPRequestBuilder()
            .add_certificate(certificate, issuer, self._cert_id_hash)
            .add_extension(x509.OCSPNonce(nonce), critical=False)
            .build()
        )
        answer = self._send(asked.public_bytes(Encoding.DER))
        return read_answer(
            answer,
            certificate=certificate,
            issuer=issuer,
            trusted=self._trusted,
            nonce=nonce,
            now_utc=now_utc(),
            max_age=self._max_age,
        )

    def _new_client(self) -> httpx.Client:
        return httpx.Client(timeout=self._timeout_s, transport=self._transport, trust_env=False)

    def _send(self, asked: bytes) -> bytes:
        """Send a request, and wait for the whole answer no longer than that: looking a name up has no time-out, and
        one that drips in, head or body, is never late by a byte.
        """
        answered: Queue[bytes | NoWord] = Queue()
        threading.Thread(target=self._post, args=(self._client, asked, answered), daemon=True).start()
        try:
            answer = answered.get(timeout=self._timeout_s)
        except Empty:
            self._client.close()  # which ends whoever still reads from it
            self._client = self._new_client()
            raise Unreachable("the responder is too slow") from None
        if isinstance(answer, NoWord):
            raise answer
        return answer

    def _post(self, client: httpx.Client, asked: bytes, answered: Queue[bytes | NoWord]) -> None:
        try:
            answered.put(self._answer(client, asked))
        except NoWord as none:
            answered.put(none)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits
            answered.put(Unreachable(f"the responder cannot be asked: {type(error).__name__}"))

    def _answer(self, client: httpx.Client, asked: bytes) -> bytes:
        until_s = self._monotonic_s() + self._timeout_s
        answer = b""
        with client.stream("POST", self._address, content=asked, headers={"Content-Type": REQUEST_TYPE}) as response:
            if response.status_code != 200:
                kind = Unreachable if response.status_code >= 500 else NoWord
                raise kind(f"the responder answers {response.status_code}")
            for part in response.iter_raw():
                answer += part
                if len(answer) > MAX_ANSWER_BYTES:
                    raise Unreachable("the responder's answer has no end")
                if self._monotonic_s() > until_s:
                    raise Unreachable("the responder is too slow")
        return answer


def read_answer(
    answer: bytes,
    *,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    trusted: tuple[x509.Certificate, ...],
    nonce: bytes,
    now_utc: datetime,
    max_age: timedelta,
) -> Word:
    """Return what an answer says of a certificate. Errors: NoWord."""
    try:
        # 1. An answer, and not an error.
        response = ocsp.load_der_ocsp_response(answer)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            kind = Unreachable if response.response_status in _NOT_NOW else NoWord
            raise kind(f"the responder says {response.response_status.name}")
        # 2. Signed by the issuer of the card, by whom it has named for this, or by whom we trust for it.
        _check_signed(response, _signers(response, issuer, trusted, now_utc))
        # 3. To this very question.
        if response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce != nonce:
            raise NoWord("the answer is to another question")
        # 4. About this very certificate.
        single = _about(response, certificate, issuer)
        # 5. Now, and not as of long ago.
        _check_times(single, now_utc, max_age)
        # 6. What it says.
        return Word(_state(single), single.this_update_utc)
    except x509.ExtensionNotFound:
        raise NoWord("the answer is to nobody's question: it has no nonce") from None
    except _NO_ANSWER:
        raise NoWord("the answer is none") from None


def _signers(
    response: ocsp.OCSPResponse,
    issuer: x509.Certificate,
    trusted: tuple[x509.Certificate, ...],
    now_utc: datetime,
) -> Iterator[x509.Certificate]:
    """Yield who may have signed (RFC 6960, 4.2.2.2); of one name there are two while a responder is renewed."""
    for candidate in (issuer, *trusted, *response.certificates):
        begun = candidate.not_valid_before_utc <= now_utc <= candidate.not_valid_after_utc
        if not _is_named(response, candidate) or not begun:
            continue
        if candidate in (issuer, *trusted) or _is_delegated(candidate, issuer):
            yield candidate


def _is_delegated(candidate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the card's issuer itself has named this certificate for OCSP's answers."""
    try:
        candidate.verify_directly_issued_by(issuer)
        usage = candidate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, x509.ExtensionNotFound, *_NO_ANSWER):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _is_named(response: ocsp.OCSPResponse, candidate: x509.Certificate) -> bool:
    """Whether the answer names this certificate as its signer's: by its name, or by a hash of its key."""
    if response.responder_name is not None:
        return response.responder_name == candidate.subject
    digest = x509.SubjectKeyIdentifier.from_public_key(candidate.public_key()).digest  # SHA-1 of the key's bits
    return response.responder_key_hash == digest


def _check_signed(response: ocsp.OCSPResponse, signers: Iterator[x509.Certificate]) -> None:
    hashed = response.signature_hash_algorithm
    if not isinstance(hashed, _SIGNED_WITH):
        raise NoWord("the answer is signed by a method that is not taken")
    why = "the answer is signed by nobody whose word counts for this card"
    for signer in signers:
        if _holds(response, signer, hashed):
            return
        why = "the answer's signature does not hold"
    raise NoWord(why)


def _holds(response: ocsp.OCSPResponse, signer: x509.Certificate, hashed: HashAlgorithm) -> bool:
    key = signer.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(response.signature, response.tbs_response_bytes, PKCS1v15(), hashed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(hashed))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _about(
    response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> ocsp.OCSPSingleResponse:
    """Return the one word on this certificate: serials are an issuer's own, so its name and key count, too."""
    for single in response.responses:
        asked = (
            ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, single.hash_algorithm).build()
            if single.serial_number == certificate.serial_number
            else None
        )
        if (
            asked is not None
            and asked.issuer_key_hash == single.issuer_key_hash
            and asked.issuer_name_hash == single.issuer_name_hash
        ):
            return single
    raise NoWord("the answer is about another certificate")


def _check_times(single: ocsp.OCSPSingleResponse, now_utc: datetime, max_age: timedelta) -> None:
    """Judge as of when the word is; when the answer was signed, the nonce says better than producedAt."""
    if single.this_update_utc > now_utc + CLOCKS_DIFFER:
        raise NoWord("the answer is from the future")
    if now_utc - single.this_update_utc > max_age:
        raise NoWord("the answer is as of too long ago")
    if single.next_update_utc is not None and single.next_update_utc < now_utc - CLOCKS_DIFFER:
        raise NoWord("the answer has run out")


def _state(single: ocsp.OCSPSingleResponse) -> CardState:
    match single.certificate_status:
        case ocsp.OCSPCertStatus.GOOD:
            return CardState.GOOD
        case ocsp.OCSPCertStatus.REVOKED:
            held = single.revocation_reason is x509.ReasonFlags.certificate_hold
            return CardState.SUSPENDED if held else CardState.REVOKED
        case _:
            return CardState.UNKNOWN
