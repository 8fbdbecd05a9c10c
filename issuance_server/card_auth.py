"""Is this a card of ours, and is it here now? Numbered steps from challenge to `VerifiedCard`.

The certificate says which key and algorithm: nothing here is a constant of one card generation. Whose card it is, the
register says (register/store.py); whether the certificate is revoked, its authority does (revocation.py).
"""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)
from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from issuance_server.folders import Listing, listing
from issuance_server.schema import challenges_used
from protocol.challenge import PURPOSE_ISSUE, to_be_signed
from protocol.codec import preimage
from protocol.errors import ErrorCode, IssueError

AUTHENTICATION_POLICY: Final = x509.ObjectIdentifier("1.2.392.200149.8.5.1.3.30")
PRODUCTION_ORGANIZATION: Final = "JPKI"
CHALLENGE_LIFETIME_S: Final = 60
MIN_RSA_BITS: Final = 2048

CardKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)

_CHALLENGE_DOMAIN: Final = "madoguchi-challenge-token-v1"
_RANDOM_BYTES: Final = 16
_EXPIRY_BYTES: Final = 8
_MAC_BYTES: Final = 32
_FORGOTTEN_AT_ONCE: Final = 100
_KEPT_AFTER_EXPIRY: Final = timedelta(minutes=10)  # longer than servers' clocks may differ, or one could be used twice
#: What the library raises for a certificate that is none, some of it only when the field in question is looked at.
_NO_CERTIFICATE: Final = (
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.EXTENDED_KEY_USAGE,
    }
)

_USE: Final = insert(challenges_used)
# Rows that another transaction is removing are passed over: authentications do not wait for one another.
_FORGET: Final = delete(challenges_used).where(
    challenges_used.c.challenge_digest.in_(
        select(challenges_used.c.challenge_digest)
        .where(challenges_used.c.expires_at_utc < bindparam("before"))
        .limit(_FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
)


# The challenge: no row until it is used


@dataclass(frozen=True)
class Challenge:
    """A challenge as it is handed out; the token is opaque to the terminal."""

    token: bytes
    expires_at_utc: datetime


def new_challenge(key: bytes, *, terminal_id: str, visit_id: str, now_utc: datetime) -> Challenge:
    """Make a challenge for one visit at one terminal."""
    expires_at_utc = now_utc.replace(microsecond=0) + timedelta(seconds=CHALLENGE_LIFETIME_S)
    head = int(expires_at_utc.timestamp()).to_bytes(_EXPIRY_BYTES, "big") + os.urandom(_RANDOM_BYTES)
    return Challenge(head + _challenge_mac(key, head, terminal_id, visit_id), expires_at_utc)


def check_challenge(key: bytes, token: bytes, *, terminal_id: str, visit_id: str, now_utc: datetime) -> Challenge:
    """Check that this server made the token, for this visit at this terminal, and that it has not expired.

    Errors: IssueError CHALLENGE_INVALID, CHALLENGE_EXPIRED.
    """
    head, mac = token[: _EXPIRY_BYTES + _RANDOM_BYTES], token[_EXPIRY_BYTES + _RANDOM_BYTES :]
    if not hmac.compare_digest(mac, _challenge_mac(key, head, terminal_id, visit_id)):
        raise IssueError(ErrorCode.CHALLENGE_INVALID, "`challenge` was not made for this visit at this terminal")
    expires_at_utc = datetime.fromtimestamp(int.from_bytes(head[:_EXPIRY_BYTES], "big"), now_utc.tzinfo)
    if now_utc > expires_at_utc:
        raise IssueError(ErrorCode.CHALLENGE_EXPIRED, f"`challenge` is good for {CHALLENGE_LIFETIME_S} s")
    return Challenge(token, expires_at_utc)


def use_challenge(connection: Connection, challenge: Challenge, now_utc: datetime) -> None:
    """Use a challenge up, by a unique row. Errors: IssueError CHALLENGE_USED; the transaction must then be given up."""
    connection.execute(_FORGET, {"before": now_utc - _KEPT_AFTER_EXPIRY})
    digest = hashlib.sha256(challenge.token).digest()
    try:
        connection.execute(_USE, {"challenge_digest": digest, "expires_at_utc": challenge.expires_at_utc})
    except IntegrityError:
        raise IssueError(ErrorCode.CHALLENGE_USED, "`challenge` was used before") from None


def _challenge_mac(key: bytes, head: bytes, terminal_id: str, visit_id: str) -> bytes:
    return hmac.digest(key, preimage(_CHALLENGE_DOMAIN, head, terminal_id.encode(), visit_id.encode()), "sha256")


# The anchors


class AnchorsError(Exception):
    """The folder of anchors cannot be used as it is."""


class Anchors:
    """The card authorities that are trusted: every *.pem of a folder, read again when the folder changes.

    A file that is no authority's certificate is left out and logged: it trusts nobody, and keeps nobody else out.
    """

    def __init__(self, folder: Path, *, production: bool) -> None:
        """Read the folder. Errors: AnchorsError where no usable anchor is there, or a test hierarchy in production."""
        self._folder = folder
        self._production = production
        self._seen: Listing | None = None
        self._store: Store | None = None
        if self.store() is None:
            raise AnchorsError(f"{folder} holds no certificate that may be an anchor here")

    def store(self) -> Store | None:
        """Return the anchors as they are now; None where there is none."""
        try:
            seen = listing(self._folder, ".pem")
        except OSError as error:
            raise AnchorsError(f"{self._folder} cannot be read: {error.strerror}") from None
        if seen != self._seen:
            certificates = [certificate for name, _, _ in seen for certificate in self._load(self._folder / name)]
            self._store = Store(certificates) if certificates else None
            self._seen = seen
        return self._store

    def _load(self, path: Path) -> list[x509.Certificate]:
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError):
            structlog.get_logger().error("anchor_unreadable", file=path.name)
            return []
        if not all(_is_authority(certificate) for certificate in certificates):
            # Left in, it would be trusted as itself, without any path.
            structlog.get_logger().error("anchor_refused", file=path.name)
            return []
        if self._production and any(not _is_production(certificate.subject) for certificate in certificates):
            structlog.get_logger().error("anchor_refused", file=path.name)
            return []
        return certificates


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *_NO_CERTIFICATE):
        return False


def _is_production(name: x509.Name) -> bool:
    return [a.value for a in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == [PRODUCTION_ORGANIZATION]


# The card


@dataclass(frozen=True)
class VerifiedCard:
    """A card whose certificate and signature hold; issuer's key and serial name the certificate for good."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    issuer_key_sha256: bytes
    serial: int


def verify_card(
    *,
    certificate_der: bytes,
    signature: bytes,
    challenge: Challenge,
    terminal_id: str,
    terminal_key_thumbprint: bytes,
    anchors: Anchors,
    now_utc: datetime,
) -> VerifiedCard:
    """Return the card that signed this challenge at this terminal.

    Shape:  certificate_der without the filler of the card's file; signature is PKCS #1 v1.5 for RSA, and for ECDSA the
            DER of RFC 3279, 2.2.3; both over SHA-256.
    Errors: IssueError CARD_CERTIFICATE_INVALID, CARD_CERTIFICATE_EXPIRED, CARD_SIGNATURE_INVALID.
    """
    # 1 to 3. The certificate.
    certificate, issuer = verify_certificate(certificate_der, anchors, now_utc)
    # 4. The signature, by this certificate's key, over this terminal's challenge and this certificate.
    certificate_sha256 = hashlib.sha256(certificate_der).digest()
    signed = to_be_signed(
        challenge=challenge.token,
        terminal_id=terminal_id,
        terminal_key_thumbprint=terminal_key_thumbprint,
        certificate_sha256=certificate_sha256,
        purpose=PURPOSE_ISSUE,
    )
    _verify_signature(_card_key(certificate), signature, signed)
    # 5. What names the certificate: the issuer's key, not its name, and the serial.
    issuer_key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return VerifiedCard(certificate, issuer, hashlib.sha256(issuer_key).digest(), certificate.serial_number)


def verify_certificate(
    certificate_der: bytes, anchors: Anchors, now_utc: datetime
) -> tuple[x509.Certificate, x509.Certificate]:
    """Return a card's certificate and its issuer's, an anchor.

    Errors: IssueError CARD_CERTIFICATE_INVALID, CARD_CERTIFICATE_EXPIRED.
    """
    # 1. Parse: one certificate, no trailing bytes, a key that a card may have.
    certificate = _parse(certificate_der)
    _card_key(certificate)
    # 2. Path to an anchor, chosen by its signature; key usage, policy, no extension that we do not understand.
    issuer = _verify_path(certificate, anchors, now_utc)
    # 3. Expired has a word of its own: the resident can renew it.
    if now_utc > certificate.not_valid_after_utc:
        raise IssueError(ErrorCode.CARD_CERTIFICATE_EXPIRED, "the certificate has expired")
    return certificate, issuer


def _parse(certificate_der: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        unknown = [e.oid for e in certificate.extensions if e.critical and e.oid not in _UNDERSTOOD]
    except _NO_CERTIFICATE:
        raise IssueError(ErrorCode.CARD_CERTIFICATE_INVALID, "`certificate` is not one certificate in DER") from None
    if unknown:
        raise IssueError(ErrorCode.CARD_CERTIFICATE_INVALID, "`certificate` has an unknown critical extension")
    return certificate


def _verify_path(certificate: x509.Certificate, anchors: Anchors, now_utc: datetime) -> x509.Certificate:
    store = anchors.store()
    if store is None:
        raise IssueError(ErrorCode.CARD_CERTIFICATE_INVALID, "no anchor is configured")
    # An expired certificate is judged as of its last moment, so that only a true one is told that it has expired.
    at_utc = min(now_utc, certificate.not_valid_after_utc)
    verifier = (
        PolicyBuilder()
        .store(store)
        .time(at_utc)
        .max_chain_depth(0)
        .extension_policies(ca_policy=_CA_POLICY, ee_policy=_LEAF_POLICY)
        .build_client_verifier()
    )
    try:
        chain = verifier.verify(certificate, []).chain
    except (VerificationError, *_NO_CERTIFICATE):
        raise IssueError(ErrorCode.CARD_CERTIFICATE_INVALID, "no path from `certificate` to an anchor") from None
    return chain[1]


def _card_key(certificate: x509.Certificate) -> CardKey:
    """The library judges the path's keys and not the leaf's, since the leaf's policy is ours."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        return key
    raise IssueError(ErrorCode.CARD_CERTIFICATE_INVALID, "`certificate` has a key that no card of ours has")


def _verify_signature(key: CardKey, signature: bytes, signed: bytes) -> None:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, PKCS1v15(), SHA256())
        else:
            key.verify(signature, signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise IssueError(
            ErrorCode.CARD_SIGNATURE_INVALID, "`signature` is not this certificate's over this challenge"
        ) from None


# JPKI's leaves have no SAN and their policies are no web server's: the library's default policy refuses them, so what
# is required of a leaf is said here.


def _leaf_key_usage(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.digital_signature:
        raise ValueError("keyUsage must have digitalSignature")


def _leaf_policies(_policy: Policy, _certificate: x509.Certificate, policies: x509.CertificatePolicies) -> None:
    if all(information.policy_identifier != AUTHENTICATION_POLICY for information in policies):
        raise ValueError("certificatePolicies must have user authentication")


def _leaf_basic_constraints(
    _policy: Policy, _certificate: x509.Certificate, constraints: x509.BasicConstraints | None
) -> None:
    if constraints is not None and constraints.ca:
        raise ValueError("a card's certificate is no authority")


def _anchor_key_usage(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("keyUsage must have keyCertSign")


_LEAF_POLICY: Final = (
    ExtensionPolicy.permit_all()
    .require_present(x509.KeyUsage, Criticality.CRITICAL, _leaf_key_usage)
    .require_present(x509.CertificatePolicies, Criticality.AGNOSTIC, _leaf_policies)
    .may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, _leaf_basic_constraints)
)
# An anchor is trusted by configuration, and common tools make roots without keyUsage: it may be absent, not wrong.
_CA_POLICY: Final = ExtensionPolicy.webpki_defaults_ca().may_be_present(
    x509.KeyUsage, Criticality.AGNOSTIC, _anchor_key_usage
)
