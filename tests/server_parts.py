"""What tests of the server share: an invented card authority, an enrolled terminal, a server on SQLite in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import Insert

from issuance_server.card_auth import AUTHENTICATION_POLICY
from issuance_server.config import RevocationConfig
from issuance_server.revocation import CardStatus, Source
from issuance_server.schema import orders
from issuance_server.sessions import Caller
from protocol.challenge import PURPOSE_ISSUE, to_be_signed
from protocol.errors import ErrorCode, IssueError

NOW = datetime(2026, 3, 1, 3, 0, 0, tzinfo=UTC)
#: Nobody listens there: servers whose cards are spoken for by a stand-in never ask.
NO_RESPONDER = RevocationConfig(ocsp_address="http://127.0.0.1:9/", max_age_s=60)
GOOD = CardStatus(Source.OCSP, NOW)
VISIT = "5" * 32

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Extensions = tuple[tuple[x509.ExtensionType, bool], ...]


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key a name and a test run: each takes 55 ms to make."""
    assert name
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def key_usage(*, ca: bool, digital_signature: bool = True) -> x509.KeyUsage:
    """KeyUsage of an authority or of a card."""
    return x509.KeyUsage(
        digital_signature=digital_signature and not ca,
        content_commitment=not digital_signature and not ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def organization(name: str) -> x509.Name:
    """An authority's name, as JPKI's but for the organization."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "JPKI for user authentication"),
        ]
    )


CA_EXTENSIONS: Extensions = (
    (x509.BasicConstraints(ca=True, path_length=0), True),
    (key_usage(ca=True), True),
)
CARD_EXTENSIONS: Extensions = (
    (key_usage(ca=False), True),
    (x509.CertificatePolicies([x509.PolicyInformation(AUTHENTICATION_POLICY, None)]), False),
)


def certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    issuer_key: PrivateKey,
    *,
    extensions: Extensions,
    serial: int = 1,
    not_before_utc: datetime = NOW - timedelta(days=700),
    not_after_utc: datetime = NOW + timedelta(days=700),
) -> x509.Certificate:
    """Any certificate."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(not_before_utc)
        .not_valid_after(not_after_utc)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, SHA256())


@dataclass(frozen=True)
class Authority:
    """An invented card authority; two of one name differ by their key alone."""

    key: PrivateKey = field(default_factory=lambda: rsa_key("authority"))
    name: str = "JPKI-DEMO"
    extensions: Extensions = CA_EXTENSIONS

    @property
    def certificate(self) -> x509.Certificate:
        name = organization(self.name)
        return certificate(
            name,
            name,
            self.key,
            self.key,
            extensions=self.extensions,
            not_before_utc=NOW - timedelta(days=3650),
            not_after_utc=NOW + timedelta(days=3650),
        )

    @property
    def key_sha256(self) -> bytes:
        public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(public).digest()

    def anchor(self, folder: Path, name: str = "anchor.pem") -> Path:
        """Write the anchor's file."""
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return folder

    def card(
        self,
        key: PrivateKey | None = None,
        *,
        serial: int = 77,
        extensions: Extensions = CARD_EXTENSIONS,
        not_before_utc: datetime = NOW - timedelta(days=700),
        not_after_utc: datetime = NOW + timedelta(days=700),
    ) -> Card:
        """Make a card."""
        key = key or rsa_key("card")
        made = certificate(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AB12CD34")]),
            organization(self.name),
            key,
            self.key,
            extensions=extensions,
            serial=serial,
            not_before_utc=not_before_utc,
            not_after_utc=not_after_utc,
        )
        return Card(key, made.public_bytes(Encoding.DER))


@dataclass(frozen=True)
class Card:
    """A card's key and certificate."""

    key: PrivateKey
    certificate_der: bytes

    def sign(
        self,
        challenge: bytes,
        terminal_id: str,
        terminal_key_thumbprint: bytes,
        *,
        purpose: str = PURPOSE_ISSUE,
        certificate_der: bytes | None = None,
    ) -> bytes:
        """Sign as a terminal has it done."""
        data = to_be_signed(
            challenge=challenge,
            terminal_id=terminal_id,
            terminal_key_thumbprint=terminal_key_thumbprint,
            certificate_sha256=hashlib.sha256(certificate_der or self.certificate_der).digest(),
            purpose=purpose,
        )
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, PKCS1v15(), SHA256())
        return self.key.sign(data, ec.ECDSA(SHA256()))


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now_utc: datetime = NOW

    def __call__(self) -> datetime:
        return self.now_utc

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.now_utc += timedelta(seconds=seconds)


class SaidOfCards:
    """Stands for the card authority: every card is good, until somebody says something else."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.refuses: ErrorCode | None = None
        self.source = Source.OCSP
        self.as_of_utc: datetime | None = None  # None: now

    def check(self, certificate: x509.Certificate, issuer: x509.Certificate) -> CardStatus:
        """Return what is said of a card."""
        assert certificate.issuer == issuer.subject
        if self.refuses is not None:
            raise IssueError(self.refuses)
        return CardStatus(self.source, self.as_of_utc or self._clock())


def terminal_key(number: int = 1) -> Ed25519PrivateKey:
    """A terminal's key."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def order_row(caller: Caller, order_id: str) -> Insert:
    """A prepared order's row, as far as sessions look at it."""
    return orders.insert().values(
        municipality_code=caller.known_as[0].municipality_code,
        order_id=order_id,
        terminal_id=caller.terminal_id,
        session_hash=caller.session_hash,
        visit_id=caller.visit_id,
        state="PREPARED",
        fingerprint=bytes(32),
        kind="residence",
        number_year=2026,
        number=1,
        status_id=bytes(16),
        fee_yen=200,
        commission_yen=100,
        snapshot=b"",
        records_digest=bytes(32),
        intended_at_utc=NOW,
        lease_until_utc=NOW,
        expires_at_utc=NOW,
    )
