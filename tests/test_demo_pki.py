"""The town's PKI: certificates like the real ones, serials that are known before the certificates are made."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from deploy.demo.pki import AUTHENTICATION_POLICY, TownPki, Validity, issuer_key_sha256, serial_of


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> TownPki:
    return TownPki.create(tmp_path_factory.mktemp("pki"), seed=7, pool_size=3)


def certificate(directory: Path, file_id: str = "000A") -> x509.Certificate:
    return x509.load_der_x509_certificate((directory / f"{file_id}.der").read_bytes())


def verify(leaf: x509.Certificate, ca: x509.Certificate) -> None:
    """The path check of the issuing server's design: a permissive leaf with two required extensions."""
    leaf_policy = ExtensionPolicy.permit_all().require_present(x509.KeyUsage, Criticality.CRITICAL, None)
    leaf_policy = leaf_policy.require_present(x509.CertificatePolicies, Criticality.AGNOSTIC, None)
    builder = PolicyBuilder().store(Store([ca])).time(datetime.now(UTC))
    builder = builder.extension_policies(ee_policy=leaf_policy, ca_policy=ExtensionPolicy.webpki_defaults_ca())
    builder.build_client_verifier().verify(leaf, [])


def test_a_card_certificate_stands_the_path_check_under_its_own_authority(pki: TownPki, tmp_path: Path) -> None:
    leaf = certificate(pki.issue_card(tmp_path, "resident"))
    verify(leaf, pki.authentication_ca)
    other = TownPki.create(tmp_path / "other", seed=7, pool_size=2)  # the same names, other keys
    assert other.authentication_ca.subject == pki.authentication_ca.subject
    with pytest.raises(VerificationError):
        verify(leaf, other.authentication_ca)


def test_an_expired_card_fails_it(pki: TownPki, tmp_path: Path) -> None:
    leaf = certificate(pki.issue_card(tmp_path, "late", validity=Validity.expired()))
    with pytest.raises(VerificationError):
        verify(leaf, pki.authentication_ca)


def test_a_certificate_has_what_the_real_one_has_and_nothing_personal(pki: TownPki, tmp_path: Path) -> None:
    leaf = certificate(pki.issue_card(tmp_path, "resident-1"))
    assert [attribute.oid for attribute in leaf.subject] == [NameOID.COUNTRY_NAME, NameOID.COMMON_NAME]
    assert "resident" not in leaf.subject.rfc4514_string()
    policies = leaf.extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert [policy.policy_identifier for policy in policies] == [AUTHENTICATION_POLICY]
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert [type(name) for point in points for name in point.full_name or []] == [x509.DirectoryName]
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert "JPKI-DEMO" in leaf.issuer.rfc4514_string()


def test_serials_are_known_without_certificates(pki: TownPki, tmp_path: Path) -> None:
    leaf = certificate(pki.issue_card(tmp_path, "resident-1"))
    assert leaf.serial_number == serial_of(7, "resident-1") == pki.serial_of("resident-1")
    serials = {serial_of(7, f"resident-{index}", generation) for index in range(2000) for generation in (0, 1)}
    assert len(serials) == 4000
    assert all(0 < serial < 2**63 for serial in serials)
    assert serial_of(8, "resident-1") != serial_of(7, "resident-1")
    renewed = certificate(pki.issue_card(tmp_path, "renewed", serial=pki.serial_of("resident-1", generation=1)))
    assert renewed.serial_number == serial_of(7, "resident-1", 1)


def test_the_issuers_key_is_named_by_its_hash(pki: TownPki) -> None:
    spki = pki.authentication_ca.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert issuer_key_sha256(pki.authentication_ca) == hashlib.sha256(spki).digest()


def test_a_folder_is_made_once_and_opened_again(pki: TownPki, tmp_path: Path) -> None:
    made = TownPki.create(tmp_path, seed=9, pool_size=2)
    opened = TownPki.open(tmp_path)
    assert opened.authentication_ca == made.authentication_ca
    assert opened.seed == 9
    assert opened.anchor_path == tmp_path / "anchors" / "user-authentication-ca.pem"
    assert x509.load_pem_x509_certificate(opened.anchor_path.read_bytes()) == made.authentication_ca
    with pytest.raises(FileNotFoundError):
        TownPki.open(tmp_path / "nothing")


def test_an_issued_card_keeps_its_tries_when_it_is_issued_again(pki: TownPki, tmp_path: Path) -> None:
    directory = pki.issue_card(tmp_path, "resident")
    (directory / "tries.json").write_text('{"authentication": 1, "signing": 5}', encoding="utf-8")
    pki.issue_card(tmp_path, "resident")
    assert '"authentication": 1' in (directory / "tries.json").read_text(encoding="utf-8")
