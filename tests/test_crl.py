"""Lists of revoked certificates: made by openssl, taken only from the card's own issuer, and only while they hold."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from issuance_server.crl import Crls
from issuance_server.ocsp import CardState, NoWord, Word
from tests.server_parts import CARD_EXTENSIONS, NOW, Authority, rsa_key

AUTHORITY = Authority()
OTHER = Authority(rsa_key("generation 2"))
ISSUER = AUTHORITY.certificate
POINT = x509.DirectoryName(x509.Name([*ISSUER.subject, x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "CRLDP")]))
ANOTHER_POINT = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "elsewhere")]))
#: How openssl's index names a reason, if any, and what it means here.
INDEX = {
    "": CardState.REVOKED,
    ",certificateHold": CardState.SUSPENDED,
    ",affiliationChanged": CardState.REVOKED,
    ",superseded": CardState.REVOKED,
}


def card(serial: int = 77, point: x509.GeneralName = POINT) -> x509.Certificate:
    """A card's certificate, with the point that its list is for."""
    points = x509.CRLDistributionPoints([x509.DistributionPoint([point], None, None, None)])
    return x509.load_der_x509_certificate(
        AUTHORITY.card(serial=serial, extensions=(*CARD_EXTENSIONS, (points, False))).certificate_der
    )


def made_by_openssl(folder: Path, entries: list[str]) -> bytes:
    """A list as `openssl ca` makes one: fresh, for a day."""
    folder.mkdir()
    key = AUTHORITY.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key)
    (folder / "ca.pem").write_bytes(ISSUER.public_bytes(Encoding.PEM))
    (folder / "index.txt").write_text("".join(f"{entry}\n" for entry in entries))
    (folder / "crlnumber").write_text("01\n")
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca = here\n[here]\ndatabase = index.txt\ncrlnumber = crlnumber\ndefault_md = sha256\n"
        "default_crl_days = 1\n"
    )
    command = ["openssl", "ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "key.pem", "-cert", "ca.pem"]
    subprocess.run([*command, "-out", "made.pem"], cwd=folder, check=True, capture_output=True)
    to_der = ["openssl", "crl", "-in", "made.pem", "-outform", "DER", "-out", "made.crl"]
    subprocess.run(to_der, cwd=folder, check=True, capture_output=True)
    return (folder / "made.crl").read_bytes()


def revoked(serial: int, reason: str) -> str:
    """One line of openssl's index."""
    return f"R\t301231000000Z\t260101000000Z{reason}\t{serial:X}\tunknown\t/CN=AB12CD34"


@pytest.mark.parametrize(("reason", "state"), INDEX.items())
def test_a_list_by_openssl(tmp_path: Path, reason: str, state: CardState) -> None:
    made = made_by_openssl(tmp_path / "ca", [revoked(0x77, reason), revoked(0x79, "")])
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.crl").write_bytes(made)
    lists, now_utc = Crls(tmp_path / "lists"), datetime.now(UTC)
    as_of_utc = x509.load_der_x509_crl(made).last_update_utc
    assert lists.word(card(0x77), ISSUER, now_utc) == Word(state, as_of_utc)
    assert lists.word(card(0x78), ISSUER, now_utc) == Word(CardState.GOOD, as_of_utc)


def crl(
    *extensions: tuple[x509.ExtensionType, bool],
    by: Authority = AUTHORITY,
    serials: tuple[int, ...] = (77,),
    as_of_utc: datetime = NOW,
    ends_utc: datetime = NOW + timedelta(days=1),
) -> bytes:
    """A list of the tests' own."""
    builder = x509.CertificateRevocationListBuilder(by.certificate.subject, as_of_utc, ends_utc)
    for serial in serials:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(as_of_utc).build()
        )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(by.key, SHA256()).public_bytes(Encoding.DER)


def point(**options: object) -> tuple[x509.IssuingDistributionPoint, bool]:
    """What a list says that it is for."""
    said: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**said, **options}), True  # type: ignore[arg-type]


Put = Callable[..., Crls]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Put lists into a folder, and read it."""
    (tmp_path / "lists").mkdir()

    def write(*lists: bytes) -> Crls:
        for number, one in enumerate(lists):
            (tmp_path / "lists" / f"{number}.crl").write_bytes(one)
        return Crls(tmp_path / "lists")

    return write


@pytest.mark.parametrize(
    "one",
    [
        crl(),
        crl(point(full_name=[POINT])),
        crl(point(full_name=[ANOTHER_POINT, POINT], only_contains_user_certs=True)),
        crl(point(only_contains_user_certs=True)),
        crl((x509.CRLNumber(4), False)),
        crl(as_of_utc=NOW - timedelta(days=40), ends_utc=NOW),
        crl(as_of_utc=NOW + timedelta(seconds=60)),
    ],
)
def test_a_list_that_may_say_it(put: Put, one: bytes) -> None:
    lists = put(one)
    assert lists.word(card(77), ISSUER, NOW).state is CardState.REVOKED
    assert lists.word(card(78), ISSUER, NOW).state is CardState.GOOD


FORGED = crl()[:-20] + bytes(20)
#: The version's number is another one; the library has an error of its own for that, as for other rare things.
ODD = crl(serials=()).replace(b"\x02\x01\x01", b"\x02\x01\x05", 1)


@pytest.mark.parametrize(
    "one",
    [
        crl(by=OTHER, serials=()),  # of the same name, by another key
        crl(by=Authority(AUTHORITY.key, "JPKI-OTHER"), serials=()),
        crl(serials=(), ends_utc=NOW - timedelta(seconds=1), as_of_utc=NOW - timedelta(days=1)),
        crl(serials=(), as_of_utc=NOW + timedelta(seconds=61)),
        crl(point(full_name=[ANOTHER_POINT]), serials=()),
        crl(point(only_contains_ca_certs=True), serials=()),
        crl(point(only_contains_attribute_certs=True), serials=()),
        crl(point(indirect_crl=True), serials=()),
        crl(point(full_name=[POINT], only_some_reasons=frozenset({x509.ReasonFlags.key_compromise})), serials=()),
        crl((x509.DeltaCRLIndicator(3), True), serials=()),
        FORGED,
        ODD,
        b"no list",
    ],
)
def test_a_list_that_may_not_says_nothing(put: Put, one: bytes) -> None:
    with pytest.raises(NoWord, match="no list covers"):
        put(one).word(card(77), ISSUER, NOW)


def test_a_card_without_a_point_is_covered_by_whole_lists_alone(put: Put) -> None:
    without = x509.load_der_x509_certificate(AUTHORITY.card(serial=77).certificate_der)
    with pytest.raises(NoWord):
        put(crl(point(full_name=[POINT]))).word(without, ISSUER, NOW)
    assert put(crl()).word(without, ISSUER, NOW).state is CardState.REVOKED


def test_an_odd_list_keeps_no_good_one_from_counting(put: Put) -> None:
    assert crl(serials=()) != ODD
    assert put(ODD, crl()).word(card(77), ISSUER, NOW).state is CardState.REVOKED


def test_the_newest_list_counts(put: Put) -> None:
    """A card that was found again is on the older list alone."""
    older = crl(as_of_utc=NOW - timedelta(hours=2))
    for lists in ((older, crl(serials=())), (crl(serials=()), older)):
        assert put(*lists).word(card(77), ISSUER, NOW) == Word(CardState.GOOD, NOW)


def test_each_generation_of_the_authority_has_lists_of_its_own(put: Put) -> None:
    lists = put(crl(serials=(77,)), crl(by=OTHER, serials=(78,)))
    assert lists.word(card(77), ISSUER, NOW).state is CardState.REVOKED
    assert lists.word(card(78), ISSUER, NOW).state is CardState.GOOD
    assert lists.word(card(77), OTHER.certificate, NOW).state is CardState.GOOD


def test_a_new_list_counts_from_the_next_question_on(put: Put, tmp_path: Path) -> None:
    lists = put(crl(serials=(), as_of_utc=NOW - timedelta(hours=1)))
    assert lists.word(card(77), ISSUER, NOW).state is CardState.GOOD
    fresh = tmp_path / "lists" / ".fresh"
    fresh.write_bytes(crl())
    os.replace(fresh, tmp_path / "lists" / "0.crl")  # as whoever fetches them does
    assert lists.word(card(77), ISSUER, NOW).state is CardState.REVOKED


def test_a_folder_that_is_gone_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(NoWord, match="cannot be read"):
        Crls(tmp_path / "nowhere").word(card(), ISSUER, NOW)
