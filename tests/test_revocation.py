"""Whether a card is revoked: by openssl's real responder, and never assumed where nobody says it (S18)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.demo.processes import Process, free_port
from issuance_server.config import ConfigError, RevocationConfig
from issuance_server.crl import Crls
from issuance_server.ocsp import CardState, NoWord, OcspResponder, Unreachable, Word
from issuance_server.revocation import (
    BREAKS_AFTER,
    Authority,
    CardStatus,
    Source,
    open_authority,
    read_responders,
    require_accepted,
)
from protocol.errors import ErrorCode, IssueError
from tests import server_parts
from tests.issuing_parts import code_of
from tests.ocsp_parts import responder
from tests.server_parts import NOW, Clock, PrivateKey, certificate, organization, rsa_key
from tests.test_crl import crl

SOON = datetime.now(UTC) + timedelta(days=30)
AGO = datetime.now(UTC) - timedelta(days=30)


@dataclass(frozen=True)
class Site:
    """A card authority whose responder is openssl's."""

    authority: server_parts.Authority
    issuer: x509.Certificate
    address: str
    folder: Path

    def card(self, serial: int) -> x509.Certificate:
        """Return a card's certificate."""
        made = self.authority.card(serial=serial)
        return x509.load_der_x509_certificate(made.certificate_der)

    def asks(self, **options: object) -> Authority:
        """Return what asks it."""
        config = RevocationConfig(ocsp_address=self.address, max_age_s=60, **options)  # type: ignore[arg-type]
        return open_authority(config, read_responders(config), lambda: datetime.now(UTC))


@contextmanager
def openssl_responder(folder: Path, key: PrivateKey, *options: str, own_key: bool = False) -> Iterator[Site]:
    """`openssl ocsp` over an index in which 0x77 is good, 0x78 on hold, 0x79 revoked, and 0x7A not known."""
    authority = server_parts.Authority(key)
    signer = certificate(
        organization("openssl"),
        authority.certificate.subject,
        rsa_key("responder"),
        key,
        extensions=((x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.OCSP_SIGNING]), False),),
        not_before_utc=AGO,
        not_after_utc=SOON,
    )
    lines = [
        "V\t301231000000Z\t\t77\tunknown\t/CN=a",
        "R\t301231000000Z\t260101000000Z,certificateHold\t78\tunknown\t/CN=b",
        "R\t301231000000Z\t260101000000Z,affiliationChanged\t79\tunknown\t/CN=c",
    ]
    (folder / "index.txt").write_text("".join(f"{line}\n" for line in lines))
    (folder / "ca.pem").write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    signs = (authority.certificate, key) if own_key else (signer, rsa_key("responder"))
    (folder / "signer.pem").write_bytes(signs[0].public_bytes(Encoding.PEM))
    (folder / "signer.key").write_bytes(signs[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    port = free_port()
    command = ["openssl", "ocsp", "-port", str(port), "-ignore_err", "-index", str(folder / "index.txt")]
    command += ["-CA", str(folder / "ca.pem"), "-rsigner", str(folder / "signer.pem")]
    command += ["-rkey", str(folder / "signer.key"), *options]
    process = Process("openssl ocsp", command, log=folder / "ocsp.log")
    try:
        # Not by connecting to it: it waits for ever for what a connection does not say.
        process.wait_until(lambda: b"waiting for OCSP client" in (folder / "ocsp.log").read_bytes())
        yield Site(authority, authority.certificate, f"http://127.0.0.1:{port}/", folder)
    finally:
        process.stop()


KEYS: dict[str, Callable[[], PrivateKey]] = {
    "RSA-2048": lambda: rsa_key("authority"),
    "P-384": lambda: ec.generate_private_key(ec.SECP384R1()),
}


@pytest.mark.parts
@pytest.mark.parametrize("own_key", [False, True], ids=["named responder", "the authority itself"])
@pytest.mark.parametrize("kind", KEYS)
def test_openssls_responder(tmp_path: Path, kind: str, own_key: bool) -> None:
    with openssl_responder(tmp_path, KEYS[kind](), own_key=own_key) as site:
        for cert_id_hash in ("sha256", "sha1"):
            asks = site.asks(cert_id_hash=cert_id_hash)
            status = asks.check(site.card(0x77), site.issuer)
            assert status.source is Source.OCSP
            assert abs(datetime.now(UTC) - status.as_of_utc) < timedelta(seconds=60)
            for serial, code in (
                (0x78, ErrorCode.CARD_CERTIFICATE_SUSPENDED),
                (0x79, ErrorCode.CARD_CERTIFICATE_REVOKED),
                (0x7A, ErrorCode.CARD_STATUS_UNKNOWN),
            ):
                assert code_of(partial(asks.check, site.card(serial), site.issuer)) is code


@pytest.mark.parts
@pytest.mark.parametrize(
    ("option", "why"),
    [("-badsig", "does not hold"), ("-resp_no_certs", "whose word counts"), ("-rmd sha1", "method")],
)
def test_s18_an_answer_of_openssls_that_does_not_hold_is_none(tmp_path: Path, option: str, why: str) -> None:
    with openssl_responder(tmp_path, rsa_key("authority"), *option.split()) as site:
        with pytest.raises(IssueError, match=why) as refused:
            site.asks().check(site.card(0x77), site.issuer)
        assert refused.value.code is ErrorCode.CARD_STATUS_UNKNOWN


@pytest.mark.parts
def test_another_generation_of_the_same_name_gets_no_word(tmp_path: Path) -> None:
    with openssl_responder(tmp_path, rsa_key("authority")) as site:
        other = server_parts.Authority(rsa_key("generation 2"))
        card = x509.load_der_x509_certificate(other.card(serial=0x77).certificate_der)
        assert code_of(lambda: site.asks().check(card, other.certificate)) is ErrorCode.CARD_STATUS_UNKNOWN


@pytest.mark.parts
def test_s18_nobody_listens(tmp_path: Path) -> None:
    with openssl_responder(tmp_path, rsa_key("authority")) as site:
        asks = site.asks()
        asks.check(site.card(0x77), site.issuer)
    assert code_of(lambda: asks.check(site.card(0x77), site.issuer)) is ErrorCode.CARD_STATUS_UNKNOWN


# where the responder has no word

CARD = x509.load_der_x509_certificate(server_parts.Authority().card(serial=77).certificate_der)
ISSUER = server_parts.Authority().certificate


@dataclass
class Responds:
    """A responder that does as it is told."""

    error: NoWord | None = None
    state: CardState = CardState.GOOD
    asked: int = 0
    clock: Clock = field(default_factory=Clock)

    def ask(self, certificate: x509.Certificate, issuer: x509.Certificate, now_utc: Callable[[], datetime]) -> Word:
        """Answer, or not."""
        assert certificate.issuer == issuer.subject
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Word(self.state, now_utc())


def authority(responds: Responds, lists: Path | None = None, after_s: float = 60) -> Authority:
    """The authority behind that responder."""
    crls = None if lists is None else Crls(lists)
    after = timedelta(seconds=after_s)
    return Authority(responds, crls, clock=responds.clock, tried_again_after=after)  # type: ignore[arg-type]


def test_s18_a_responder_that_does_not_answer_is_not_waited_for_by_everybody() -> None:
    """After three in a row nobody is kept waiting; after a while one asks again, and then all."""
    responds = Responds(Unreachable("gone"))
    asks = authority(responds, after_s=0.05)
    for _ in range(BREAKS_AFTER + 5):
        assert code_of(lambda: asks.check(CARD, ISSUER)) is ErrorCode.CARD_STATUS_UNKNOWN
    assert responds.asked == BREAKS_AFTER
    responds.error = None
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while True:
        try:
            assert asks.check(CARD, ISSUER) == CardStatus(Source.OCSP, NOW)
            break
        except IssueError:
            assert datetime.now(UTC) < deadline
    assert responds.asked == BREAKS_AFTER + 1


def test_nonsense_keeps_nobody_waiting_and_closes_nothing() -> None:
    """One card that the responder does not know must not cost all others theirs."""
    responds = Responds(NoWord("the responder does not know the certificate"))
    asks = authority(responds)
    for _ in range(2 * BREAKS_AFTER):
        assert code_of(lambda: asks.check(CARD, ISSUER)) is ErrorCode.CARD_STATUS_UNKNOWN
    responds.error = None
    assert asks.check(CARD, ISSUER).source is Source.OCSP
    assert responds.asked == 2 * BREAKS_AFTER + 1


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (CardState.SUSPENDED, ErrorCode.CARD_CERTIFICATE_SUSPENDED),
        (CardState.REVOKED, ErrorCode.CARD_CERTIFICATE_REVOKED),
        (CardState.UNKNOWN, ErrorCode.CARD_STATUS_UNKNOWN),
    ],
)
def test_the_responders_no_is_not_asked_of_a_list(tmp_path: Path, state: CardState, code: ErrorCode) -> None:
    (tmp_path / "0.crl").write_bytes(crl(serials=()))
    assert code_of(lambda: authority(Responds(state=state), tmp_path).check(CARD, ISSUER)) is code


@pytest.mark.parametrize("error", [Unreachable("gone"), NoWord("forged")])
def test_s18_a_list_is_what_it_says_it_is(tmp_path: Path, error: NoWord) -> None:
    """By whom and as of when is told: whether that is enough, the municipality has decided."""
    as_of_utc = NOW - timedelta(hours=5)
    (tmp_path / "0.crl").write_bytes(crl(serials=(), as_of_utc=as_of_utc))
    asks = authority(Responds(error), tmp_path)
    for _ in range(BREAKS_AFTER + 1):  # also while the responder is not asked
        assert asks.check(CARD, ISSUER) == CardStatus(Source.CRL, as_of_utc)
    (tmp_path / "0.crl").write_bytes(crl(serials=(77,), as_of_utc=as_of_utc))
    assert code_of(lambda: asks.check(CARD, ISSUER)) is ErrorCode.CARD_CERTIFICATE_REVOKED
    (tmp_path / "0.crl").unlink()
    assert code_of(lambda: asks.check(CARD, ISSUER)) is ErrorCode.CARD_STATUS_UNKNOWN


@pytest.mark.parametrize(
    ("status", "crl_max_age_h", "accepted"),
    [
        (CardStatus(Source.OCSP, NOW), 0, True),
        (CardStatus(Source.CRL, NOW), 0, False),
        (CardStatus(Source.CRL, NOW + timedelta(seconds=30)), 0, False),
        (CardStatus(Source.CRL, NOW - timedelta(hours=24)), 24, True),
        (CardStatus(Source.CRL, NOW - timedelta(hours=24, seconds=1)), 24, False),
    ],
)
def test_a_municipality_takes_lists_up_to_the_age_that_it_decided(
    status: CardStatus, crl_max_age_h: int, accepted: bool
) -> None:
    if accepted:
        require_accepted(status, crl_max_age_h, NOW)
    else:
        assert code_of(lambda: require_accepted(status, crl_max_age_h, NOW)) is ErrorCode.CARD_STATUS_UNKNOWN


# how it is set up


def test_responders_that_the_configuration_trusts_are_read_at_start(tmp_path: Path) -> None:
    trusted = responder(server_parts.Authority()).certificate
    (tmp_path / "a.pem").write_bytes(trusted.public_bytes(Encoding.PEM))
    config = RevocationConfig(ocsp_address="http://127.0.0.1:9/", max_age_s=60, responders_folder=tmp_path)
    assert read_responders(config) == (trusted,)
    (tmp_path / "b.pem").write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match="responders_folder"):
        read_responders(config)
    for folder in (tmp_path / "nowhere", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        empty = RevocationConfig(ocsp_address="http://127.0.0.1:9/", max_age_s=60, responders_folder=folder)
        with pytest.raises(ConfigError, match="responders_folder"):
            read_responders(empty)


def test_no_proxy_of_the_environment_comes_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which cards are here is nobody's to see by a variable that somebody forgot."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    client = OcspResponder("http://ocsp.example/", max_age=timedelta(1), timeout_s=1, cert_id_hash="sha256")
    assert client._client._mounts == {}
