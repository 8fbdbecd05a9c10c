"""The responder's word: taken only whole, signed by whom it may be, fresh, and about this very card."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from deploy.demo.card_authority import CardAuthority, Standing
from deploy.demo.pki import Responder
from issuance_server.ocsp import MAX_ANSWER_BYTES, CardState, NoWord, OcspResponder, Unreachable, Word, read_answer
from tests.ocsp_parts import RESPONDER_EXTENSIONS, responder
from tests.server_parts import NOW, Authority, Clock, rsa_key

AUTHORITY = Authority()
OTHER = Authority(rsa_key("generation 2"))
CARD = x509.load_der_x509_certificate(AUTHORITY.card().certificate_der)
NONCE = bytes(range(32))
MAX_AGE = timedelta(seconds=60)
DELEGATED = responder(AUTHORITY, rsa_key("responder"))


@dataclass
class Answer:
    """An answer in which one thing after another may be wrong."""

    by: Responder = DELEGATED
    named: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.HASH
    card: x509.Certificate = CARD
    issuer: x509.Certificate = AUTHORITY.certificate
    nonce: bytes | None = NONCE
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD
    reason: x509.ReasonFlags | None = None
    this_update: datetime = NOW
    next_update: datetime | None = None
    id_hash: HashAlgorithm = field(default_factory=SHA256)
    signed_with: Any = field(default_factory=SHA256)
    carries: tuple[x509.Certificate, ...] | None = None

    def der(self) -> bytes:
        """Return its bytes."""
        builder = ocsp.OCSPResponseBuilder().add_response(
            self.card,
            self.issuer,
            self.id_hash,
            self.status,
            self.this_update,
            self.next_update,
            NOW if self.status is ocsp.OCSPCertStatus.REVOKED else None,
            self.reason,
        )
        if self.nonce is not None:
            builder = builder.add_extension(x509.OCSPNonce(self.nonce), critical=False)
        builder = builder.responder_id(self.named, self.by.certificate)
        carries = (self.by.certificate,) if self.carries is None else self.carries
        if carries:
            builder = builder.certificates(carries)
        return builder.sign(self.by.key, self.signed_with).public_bytes(Encoding.DER)


def read(answer: bytes, **given: Any) -> Word:
    """Judge an answer as the server does."""
    asked: dict[str, Any] = {
        "certificate": CARD,
        "issuer": AUTHORITY.certificate,
        "trusted": (),
        "nonce": NONCE,
        "now_utc": NOW,
        "max_age": MAX_AGE,
    }
    return read_answer(answer, **{**asked, **given})


ITSELF = Responder(AUTHORITY.key, AUTHORITY.certificate)  # type: ignore[arg-type]
EC_RESPONDER = responder(AUTHORITY, ec.generate_private_key(ec.SECP384R1()))
STRANGER = responder(OTHER, rsa_key("stranger"))
NOT_FOR_THIS = responder(
    AUTHORITY, rsa_key("client"), ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),)
)
NO_USAGE = responder(AUTHORITY, rsa_key("client"), ())
ENDED = responder(AUTHORITY, rsa_key("ended"), not_after_utc=NOW - timedelta(seconds=1))
#: Whoever has a card has a certificate of the authority: it must not speak for other cards.
A_CARD = Responder(rsa_key("card"), CARD)  # type: ignore[arg-type]
OTHER_CARD = x509.load_der_x509_certificate(AUTHORITY.card(serial=78).certificate_der)
SAME_SERIAL = x509.load_der_x509_certificate(OTHER.card(serial=77).certificate_der)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(),
        Answer(by=EC_RESPONDER),
        Answer(by=ITSELF, carries=()),
        Answer(named=ocsp.OCSPResponderEncoding.NAME),
        Answer(id_hash=SHA1()),  # noqa: S303 - it names the issuer and protects nothing
        Answer(this_update=NOW - MAX_AGE),
        Answer(this_update=NOW + timedelta(seconds=60)),  # two clocks
        Answer(next_update=NOW),
    ],
)
def test_a_good_card(answer: Answer) -> None:
    assert read(answer.der()) == Word(CardState.GOOD, answer.this_update)


@pytest.mark.parametrize(
    ("reason", "state"),
    [
        (x509.ReasonFlags.certificate_hold, CardState.SUSPENDED),
        (x509.ReasonFlags.affiliation_changed, CardState.REVOKED),
        (x509.ReasonFlags.key_compromise, CardState.REVOKED),
        (None, CardState.REVOKED),
    ],
)
def test_a_lost_card_is_suspended_and_any_other_revocation_is_one(
    reason: x509.ReasonFlags | None, state: CardState
) -> None:
    assert read(Answer(status=ocsp.OCSPCertStatus.REVOKED, reason=reason).der()).state is state


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(by=STRANGER), "whose word counts"),
        (Answer(by=NOT_FOR_THIS), "whose word counts"),
        (Answer(by=NO_USAGE), "whose word counts"),
        (Answer(by=A_CARD), "whose word counts"),
        (Answer(by=ENDED), "whose word counts"),
        (Answer(carries=()), "whose word counts"),
        (Answer(nonce=None), "no nonce"),
        (Answer(nonce=NONCE[::-1]), "another question"),
        (Answer(card=OTHER_CARD), "another certificate"),
        (Answer(card=SAME_SERIAL, issuer=OTHER.certificate), "another certificate"),
        (Answer(this_update=NOW - MAX_AGE - timedelta(seconds=1)), "too long ago"),
        (Answer(this_update=NOW + timedelta(seconds=61)), "from the future"),
        (Answer(this_update=NOW - timedelta(seconds=300), next_update=NOW - timedelta(seconds=61)), "too long ago"),
    ],
)
def test_what_is_no_word(answer: Answer, why: str) -> None:
    with pytest.raises(NoWord, match=why):
        read(answer.der())


def test_an_answer_that_has_run_out_is_none_however_old_a_word_may_be() -> None:
    answer = Answer(this_update=NOW - timedelta(seconds=300), next_update=NOW - timedelta(seconds=61))
    with pytest.raises(NoWord, match="run out"):
        read(answer.der(), max_age=timedelta(hours=1))


def test_a_responder_that_the_configuration_trusts_speaks_for_any_card() -> None:
    answer = Answer(by=STRANGER).der()
    assert read(answer, trusted=(STRANGER.certificate,)).state is CardState.GOOD
    ended = responder(OTHER, rsa_key("stranger"), not_after_utc=NOW - timedelta(seconds=1))
    with pytest.raises(NoWord, match="whose word counts"):
        read(Answer(by=ended).der(), trusted=(ended.certificate,))


def test_a_key_of_another_kind_signs_nothing() -> None:
    odd = ed25519.Ed25519PrivateKey.generate()
    made = responder(AUTHORITY, odd, RESPONDER_EXTENSIONS)  # type: ignore[arg-type]
    with pytest.raises(NoWord, match="method"):
        read(Answer(by=made, signed_with=None).der())


def test_every_byte_counts() -> None:
    """Whatever byte is another one, it is no word any more: none of them is unsigned or unread."""
    der = Answer(carries=(), by=ITSELF).der()
    read(der)
    for place in range(len(der)):
        altered = bytearray(der)
        altered[place] ^= 0x40
        with pytest.raises(NoWord):
            read(bytes(altered))


@pytest.mark.parametrize("answer", [b"", b"0", b"<html>", bytes(1000)])
def test_what_is_no_answer(answer: bytes) -> None:
    with pytest.raises(NoWord, match="is none"):
        read(answer)


NOT_NOW = {ocsp.OCSPResponseStatus.TRY_LATER, ocsp.OCSPResponseStatus.INTERNAL_ERROR}


@pytest.mark.parametrize("status", list(ocsp.OCSPResponseStatus)[1:])
def test_an_error_of_the_responder_is_no_word_and_only_some_say_that_it_is_down(
    status: ocsp.OCSPResponseStatus,
) -> None:
    """`unauthorized` is about one card: it must not cost all others theirs (RFC 5019)."""
    with pytest.raises(NoWord, match=status.name) as none:
        read(ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER))
    assert isinstance(none.value, Unreachable) == (status in NOT_NOW)


def test_a_certificate_that_its_authority_does_not_know_is_not_good() -> None:
    assert read(Answer(status=ocsp.OCSPCertStatus.UNKNOWN).der()).state is CardState.UNKNOWN


def test_while_a_responder_is_renewed_two_of_one_name_count() -> None:
    """Found by name, the old one comes first."""
    old = responder(OTHER, rsa_key("stranger"))
    new = responder(OTHER, rsa_key("renewed"))
    answer = Answer(by=new, named=ocsp.OCSPResponderEncoding.NAME, carries=()).der()
    assert read(answer, trusted=(old.certificate, new.certificate)).state is CardState.GOOD
    with pytest.raises(NoWord, match="does not hold"):
        read(answer, trusted=(old.certificate,))


# over HTTP


def said(answer: bytes) -> httpx.Response:
    """An answer as it comes over the wire."""
    return httpx.Response(200, stream=httpx.ByteStream(answer))


def asking(answer: Callable[[httpx.Request], httpx.Response], cert_id_hash: str = "sha256") -> OcspResponder:
    """The client, before a responder in this process."""
    return OcspResponder(
        "http://ocsp.example/",
        max_age=MAX_AGE,
        timeout_s=2,
        cert_id_hash=cert_id_hash,
        transport=httpx.MockTransport(answer),
    )


@pytest.mark.parametrize("cert_id_hash", ["sha256", "sha1"])
def test_each_question_is_another_and_an_answer_to_the_last_one_is_none(cert_id_hash: str) -> None:
    authority, asked = CardAuthority(DELEGATED, Clock()), list[bytes]()

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Content-Type"] == "application/ocsp-request"
        asked.append(request.content)
        return said(authority.answer(asked[0]))

    client = asking(answer, cert_id_hash)
    assert client.ask(CARD, AUTHORITY.certificate, Clock()) == Word(CardState.GOOD, NOW)
    with pytest.raises(NoWord, match="another question"):
        client.ask(CARD, AUTHORITY.certificate, Clock())
    assert asked[0] != asked[1]


def test_the_hotline_suspends_and_the_counter_lifts_it() -> None:
    authority = CardAuthority(DELEGATED, Clock())
    client = asking(lambda request: said(authority.answer(request.content)))
    for standing in (Standing.SUSPENDED, Standing.GOOD, Standing.REVOKED):
        authority.set(CARD.serial_number, standing)
        assert client.ask(CARD, AUTHORITY.certificate, Clock()).state == CardState(standing)


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (httpx.Response(500), "answers 500"),
        (httpx.Response(404), "answers 404"),
        (httpx.Response(302, headers={"Location": "http://elsewhere.example/"}), "answers 302"),
        (said(bytes(MAX_ANSWER_BYTES + 1)), "no end"),
        (httpx.ConnectError("refused"), "ConnectError"),
        (httpx.ReadTimeout("slow"), "ReadTimeout"),
    ],
)
def test_a_responder_in_trouble(response: httpx.Response | httpx.HTTPError, why: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if isinstance(response, httpx.HTTPError):
            raise response
        return response

    with pytest.raises(NoWord, match=why):
        asking(answer).ask(CARD, AUTHORITY.certificate, Clock())


class Dripping(BaseHTTPRequestHandler):
    """Answers byte by byte for ever: no byte is late, the answer is."""

    def do_POST(self) -> None:
        """Drip until nobody listens: in the body, or in a header already."""
        self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Drips: ")
        if self.path == "/body":
            self.wfile.write(b"no\r\n\r\n")
        try:
            while not self.server.over.wait(0.02):  # type: ignore[attr-defined]
                self.wfile.write(b"0")
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def dripping() -> Iterator[str]:
    """Serve that."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    server.over = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("where", ["/body", "/header"])
def test_an_answer_that_drips_in_keeps_nobody_waiting(where: str) -> None:
    before = threading.active_count()
    with dripping() as address:
        client = OcspResponder(address + where, max_age=MAX_AGE, timeout_s=0.2, cert_id_hash="sha256")
        for _ in range(3):  # a new connection each time
            with pytest.raises(Unreachable, match="too slow"):
                client.ask(CARD, AUTHORITY.certificate, Clock())
    deadline_s = time.monotonic() + 10
    while threading.active_count() > before:  # nobody goes on reading for ever
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
