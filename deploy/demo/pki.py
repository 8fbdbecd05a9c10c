"""The town's look-alike of JPKI: two invented authorities, a kept pool of keys, cards made on demand. Demo only.

Everything here is invented and says so (O=JPKI-DEMO); a production build refuses this hierarchy.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.demo.virtual_card import CardKind

POOL_SIZE: Final = 16  # a key takes 55 ms to make; a town of thousands shares these
KEY_BITS: Final = 2048
RSA_EXPONENT: Final = 65537
CA_YEARS: Final = 10
AUTHENTICATION_POLICY: Final = x509.ObjectIdentifier("1.2.392.200149.8.5.1.3.30")
SIGNATURE_POLICY: Final = x509.ObjectIdentifier("1.2.392.200149.8.5.1.1.10")
PUBLIC_AUTHENTICATION_CA: Final = Path("anchors") / "user-authentication-ca.pem"
"""Where the anchor lies that the server is configured with, under the folder of the PKI."""
RESPONDERS: Final = "responders"
"""The folder of the responder's certificate, whose word counts for every card of the demo."""


def issuer_key_sha256(ca_cert: x509.Certificate) -> bytes:
    """SHA-256 of the authority's SubjectPublicKeyInfo in DER: with the serial it names a certificate for good.

    The issuer's name does not: several generations of the authority share one.
    """
    spki = ca_cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def serial_of(seed: int, resident_id: str, generation: int = 0) -> int:
    """The serial of a resident's authentication certificate, without making it; each renewal is a generation.

    Units: a positive integer below 2**63.
    """
    name = f"madoguchi-demo-serial-v1|{seed}|{generation}|{resident_id}".encode()
    return (int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> 1) | 1


@dataclass(frozen=True)
class Issuer:
    """One authority."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True)
class Responder:
    """Who answers how a card stands, named for this by the authority."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class Standing(StrEnum):
    """How a certificate stands at its authority."""

    GOOD = "good"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


@dataclass(frozen=True)
class Validity:
    """A certificate's span, both ends included. Units: UTC."""

    not_before_utc: datetime
    not_after_utc: datetime

    @classmethod
    def current(cls) -> "Validity":
        """A card in the middle of its five years."""
        now_utc = datetime.now(UTC).replace(microsecond=0)
        return cls(now_utc - timedelta(days=730), now_utc + timedelta(days=1095))

    @classmethod
    def expired(cls) -> "Validity":
        """A card whose certificate ended yesterday."""
        now_utc = datetime.now(UTC).replace(microsecond=0)
        return cls(now_utc - timedelta(days=1826), now_utc - timedelta(days=1))


class TownPki:
    """Two authorities and a pool of keys in a folder; made once, opened often."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.seed: int = json.loads((folder / "pki.json").read_text(encoding="ascii"))["seed"]
        self.authentication = _load_authority(folder, "user-authentication-ca")
        self._signature = _load_authority(folder, "digital-signature-ca")
        self._pool_pems = [path.read_bytes() for path in sorted((folder / "pool").glob("*.pem"))]

    @classmethod
    def create(cls, folder: Path, seed: int, pool_size: int = POOL_SIZE) -> Self:
        """Make authorities and pool, about a second of work. The keys are random; the serials follow the seed."""
        (folder / "pool").mkdir(parents=True, exist_ok=True)
        (folder / "anchors").mkdir(exist_ok=True)
        for index in range(pool_size):
            (folder / "pool" / f"{index:02}.pem").write_bytes(_key_pem(_new_key()))
        _make_authority(folder, "user-authentication-ca", "JPKI for user authentication")
        _make_authority(folder, "digital-signature-ca", "JPKI for digital signature")
        _make_responder(folder)
        (folder / "pki.json").write_text(json.dumps({"seed": seed}), encoding="ascii")  # last: it marks completeness
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open what `create` made. Errors: FileNotFoundError where it is not complete."""
        return cls(folder)

    @property
    def authentication_ca(self) -> x509.Certificate:
        return self.authentication.certificate

    @property
    def anchor_path(self) -> Path:
        return self._folder / PUBLIC_AUTHENTICATION_CA

    @property
    def responder(self) -> Responder:
        """Return who answers for the authentication authority."""
        key = load_pem_private_key((self._folder / "ocsp-responder-key.pem").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        pem = (self._folder / RESPONDERS / "ocsp-responder.pem").read_bytes()
        return Responder(key, x509.load_pem_x509_certificate(pem))

    def serial_of(self, resident_id: str, generation: int = 0) -> int:
        return serial_of(self.seed, resident_id, generation)

    def issue_card(
        self,
        folder: Path,
        resident_id: str,
        *,
        pin: str = "1234",
        signing_pin: str = "ABCDEF1",
        kind: CardKind = CardKind.MY_NUMBER,
        validity: Validity | None = None,
        serial: int | None = None,
    ) -> Path:
        """Write a card's directory under `folder` and return its path; an older card of that name keeps its tries.

        Shape: the directory has card.json, the certificates as <file id>.der and the keys as <file id>.pem.
        """
        validity = validity or Validity.current()
        serial = self.serial_of(resident_id) if serial is None else serial
        directory = folder / resident_id
        directory.mkdir(parents=True, exist_ok=True)
        pool_index = int.from_bytes(hashlib.sha256(resident_id.encode()).digest()[:4], "big")
        auth_pem = self._pool_pems[pool_index % len(self._pool_pems)]
        sign_pem = self._pool_pems[(pool_index + 1) % len(self._pool_pems)]
        auth_der = _issue(self.authentication, _public(auth_pem), serial, validity, AUTHENTICATION_POLICY)
        sign_der = _issue(self._signature, _public(sign_pem), serial, validity, SIGNATURE_POLICY)
        contents = {
            "000A.der": auth_der,
            "000B.der": self.authentication.certificate.public_bytes(Encoding.DER),
            "0001.der": sign_der,
            "0002.der": self._signature.certificate.public_bytes(Encoding.DER),
            "0017.pem": auth_pem,
            "001A.pem": sign_pem,
            "card.json": json.dumps({"kind": kind, "pins": {"authentication": pin, "signing": signing_pin}}).encode(
                "ascii"
            ),
        }
        for name, content in contents.items():
            (directory / name).write_bytes(content)
        return directory


def _make_responder(folder: Path) -> None:
    """Name a key for OCSP's answers: a certificate for these and nothing else."""
    authority, now_utc = _load_authority(folder, "user-authentication-ca"), datetime.now(UTC).replace(microsecond=0)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = [*authority.certificate.subject, x509.NameAttribute(NameOID.COMMON_NAME, "OCSP responder")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(2)
        .not_valid_before(now_utc - timedelta(days=1))
        .not_valid_after(now_utc + timedelta(days=365 * CA_YEARS // 2))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .sign(authority.key, SHA256())
    )
    (folder / RESPONDERS).mkdir(exist_ok=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "ocsp-responder-key.pem").write_bytes(pem)
    (folder / RESPONDERS / "ocsp-responder.pem").write_bytes(certificate.public_bytes(Encoding.PEM))


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=RSA_EXPONENT, key_size=KEY_BITS)


def _key_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load_key(pem: bytes) -> rsa.RSAPrivateKey:
    # Our own keys, made above: the check of a foreign one would take 37 ms.
    key = load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _public(pem: bytes) -> rsa.RSAPublicKey:
    return _load_key(pem).public_key()


def _load_authority(folder: Path, name: str) -> Issuer:
    return Issuer(
        _load_key((folder / f"{name}-key.pem").read_bytes()),
        x509.load_pem_x509_certificate((folder / "anchors" / f"{name}.pem").read_bytes()),
    )


def _make_authority(folder: Path, name: str, unit: str) -> None:
    key = _new_key()
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "JPKI-DEMO"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Invented for a demonstration"),
        ]
    )
    now_utc = datetime.now(UTC).replace(microsecond=0)
    skid = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now_utc - timedelta(days=365 * CA_YEARS // 2))
        .not_valid_after(now_utc + timedelta(days=365 * CA_YEARS // 2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(skid, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(skid), critical=False)
        .sign(key, SHA256())
    )
    (folder / f"{name}-key.pem").write_bytes(_key_pem(key))
    (folder / "anchors" / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))


def _issue(
    authority: Issuer,
    key: rsa.RSAPublicKey,
    serial: int,
    validity: Validity,
    policy: x509.ObjectIdentifier,
) -> bytes:
    """Make one card certificate: an opaque name, no personal data, as the real one."""
    opaque = (
        hashlib.sha256(f"madoguchi-demo-subject-v1|{policy.dotted_string}|{serial}".encode()).hexdigest()[:26].upper()
    )
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, "JP"), x509.NameAttribute(NameOID.COMMON_NAME, opaque)]
    )
    issuer = authority.certificate.subject
    crl_name = x509.Name([*issuer, x509.NameAttribute(NameOID.COMMON_NAME, "CRLDP")])
    issuer_key = authority.key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(validity.not_before_utc)
        .not_valid_after(validity.not_after_utc)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.CertificatePolicies([x509.PolicyInformation(policy, None)]), critical=False)
        .add_extension(
            x509.CRLDistributionPoints([x509.DistributionPoint([x509.DirectoryName(crl_name)], None, None, None)]),
            critical=False,
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .sign(authority.key, SHA256())
        .public_bytes(Encoding.DER)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
