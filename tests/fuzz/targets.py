"""What reads bytes of somebody else's: each with inputs that are right, and the errors that it may answer with."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final

import cbor2
import cups
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from issuance_server import card_auth, ocsp
from issuance_server.audit_tree import BadCheckpoint, Checkpoint, Signer
from issuance_server.verify import status_list
from printing.paper import seal
from printing.press import printer
from printing.press.errors import PressError
from protocol import codec, grant, messages, signing
from protocol.errors import IssueError
from protocol.messages import Event, EventKind, Message
from protocol.signing import CONTENT_TYPE, RequestSigner, verify_request
from terminal.card import jpki
from terminal.card.results import CardError
from terminal.payment import cctalk
from terminal.payment.cctalk import BadFrame, Checksum, Frame, Header
from tests.paper_samples import TAXED
from tests.server_parts import NOW, Authority
from tests.test_client import PREPARED
from tests.test_ocsp import ITSELF, MAX_AGE, NONCE, Answer
from tests.test_seal import KEYS, SIGNER, content, packed, unpacked

KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ID: Final = "a" * 32
URL: Final = "http://server.example:8800/v1/events?x=1"


@dataclass(frozen=True)
class Target:
    """One reader. typed: what it may raise; anything else is a fault of it."""

    name: str
    corpus: tuple[bytes, ...]
    read: Callable[[bytes], object]
    typed: tuple[type[Exception], ...]


def _json(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


_EVENT: Final = Event(sequence=1, at_utc=NOW, kind=EventKind.PRINTED, order_id=ID, sheets_out=1)
_MESSAGES: Final[dict[type[Message], tuple[bytes, ...]]] = {
    messages.ChallengeRequest: (_json(visit_id=ID),),
    messages.AuthenticateRequest: (_json(visit_id=ID, challenge="QUJD", certificate="QUJD", signature="QUJD"),),
    messages.PrepareRequest: (
        _json(
            session_id="s",
            order_id=ID,
            municipality_code="990001",
            kind="residence",
            scope="members",
            members=["a", "b"],
            items=["domicile"],
            fiscal_year=2026,
            binding="A" * 43 + "=",
            replaces=None,
        ),
    ),
    messages.GrantRequest: (_json(session_id="s", payment_id=ID, method="cash", reserved_yen=500, allocated_yen=300),),
    messages.CodeRequest: (_json(session_id="s", payment_id=ID, order_ids=[ID]),),
    messages.RefundClaim: (_json(claim_id=ID, code="AAAA-BBBB", session_id=None, payment_id=None),),
    messages.EventsRequest: (codec.encode(messages.EventsRequest(events=(signing.sign_event(_EVENT, KEY),))),),
    messages.BootRequest: (
        _json(
            boot_number=3,
            journal_head="A" * 43 + "=",
            last_sequence=4,
            event_head="A" * 43 + "=",
            accepted_through=4,
            accepted_head="A" * 43 + "=",
        ),
    ),
    messages.EnrolRequest: (_json(code="AAAA", public_key="A" * 43 + "=", proof="A" * 86 + "=="),),
    messages.AuthenticateAnswer: (
        _json(session_id="s", expires_at_utc="2026-01-01T00:00:00Z", masked_name="x", offers=[], reissues=[]),
    ),
    messages.ErrorAnswer: (_json(code="BUSY", detail="", retryable=True),),
}


def _read_message(struct: type[Message]) -> Callable[[bytes], object]:
    return lambda body: codec.decode(struct, body)


def _signed_request(headers: bytes) -> object:
    """Headers as they come: a name and a value a line."""
    lines = headers.decode("latin-1").split("\n")
    found = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return verify_request("POST", URL, found, b"{}", resolve_key=lambda _: KEY.public_key(), now_utc=NOW)


@cache
def _headers() -> bytes:
    signed = RequestSigner("T-0001", KEY).headers("POST", URL, b"{}", CONTENT_TYPE, NOW)
    return "\n".join(f"{name}: {value}" for name, value in signed.items()).encode()


def _read_event(body: bytes) -> object:
    """Signed by a terminal that sends anything."""
    signature = KEY.sign(codec.preimage("madoguchi-event-v1", body))
    return signing.verify_event(messages.SignedEvent(body=body, signature=signature), KEY.public_key())


def _read_grant(body: bytes) -> object:
    return grant.verify(messages.GrantAnswer(grant=body, signature=KEY.sign(body)), KEY.public_key())


_GRANT: Final = grant.Grant(
    grant_id=ID,
    order_id=ID,
    pdf_sha256=bytes(32),
    terminal_id="T-0001",
    granted_at_utc=datetime(2026, 1, 1, tzinfo=UTC),
)


# The card: answers one behind the other, each with its length before it


def _card(answers: bytes) -> object:
    """Everything that is read of a card, from whatever it answers."""
    left = bytearray(answers)

    def transmit(_command: bytearray) -> bytes:
        size = int.from_bytes(left[:2], "big") % 300
        answer = bytes(left[2 : 2 + size])
        del left[: 2 + size]
        return answer

    jpki.select_application(transmit)
    jpki.token_label(transmit)
    der = jpki.authentication_certificate(transmit)
    jpki.tries_left(transmit)
    jpki.verify(transmit, bytearray(b"1234"))
    return jpki.sign(transmit, bytes(32), jpki.signing_key(der))


@cache
def _answers() -> bytes:
    der = Authority().card().certificate_der
    file = der + bytes(-len(der) % 256)
    blocks = [file[at : at + 256][: len(der) - at if at else 256] for at in range(0, len(der), 256)]
    ok = (0x9000).to_bytes(2, "big")
    said = [ok, ok, b"JPKIAPICCTOKEN2".ljust(32, b"\x00") + ok, ok, *(block + ok for block in blocks)]
    said += [ok, b"\x63\xc3", ok, ok, bytes(256) + ok]
    return b"".join(len(one).to_bytes(2, "big") + one for one in said)


# The printer


def _ipp(content: bytes) -> object:
    groups = printer._decode(content)
    return [printer._job(group) for tag, group in groups if tag == cups.IPP_TAG_JOB]


@cache
def _ipp_answers() -> tuple[bytes, ...]:
    """What a printer answers, written by libcups."""
    found = []
    for state in (3, 5, 9):
        answer = cups.IPPRequest(cups.IPP_OP_GET_JOBS)
        for tag, kind, name, value in (
            (cups.IPP_TAG_OPERATION, cups.IPP_TAG_CHARSET, "attributes-charset", "utf-8"),
            (cups.IPP_TAG_OPERATION, cups.IPP_TAG_LANGUAGE, "attributes-natural-language", "en"),
            (cups.IPP_TAG_JOB, cups.IPP_TAG_INTEGER, "job-id", 7),
            (cups.IPP_TAG_JOB, cups.IPP_TAG_NAME, "job-name", ID),
            (cups.IPP_TAG_JOB, cups.IPP_TAG_ENUM, "job-state", state),
            (cups.IPP_TAG_JOB, cups.IPP_TAG_KEYWORD, "job-state-reasons", "none"),
            (cups.IPP_TAG_JOB, cups.IPP_TAG_INTEGER, "job-impressions-completed", 2),
        ):
            answer.add(cups.IPPAttribute(tag, kind, name, value))
        written = bytearray()
        answer.writeIO(lambda part, written=written: written.extend(part) or len(part))
        written[2:4] = bytes(2)  # an answer's status instead of a request's operation
        found.append(bytes(written))
    return tuple(found)


# Money


def _cctalk(text: bytes) -> object:
    """All that is read from a line, whoever speaks on it."""
    checksum = Checksum.CRC if text[:1] < b"\x80" else Checksum.SIMPLE
    frame = cctalk.decode_answer(text[1:], 2, checksum)
    events = partial(cctalk.new_events, 3)
    for read in (cctalk.hopper_flags, cctalk.hopper_status, cctalk.tray_status, cctalk.coin_yen, events):
        with suppress(BadFrame):  # each reads another device's answers
            read(frame.data)
    return frame


_FRAMES: Final = tuple(
    first + cctalk.encode(Frame(cctalk.HOST, 2 if checksum is Checksum.SIMPLE else None, Header.REPLY, data), checksum)
    for first, checksum in ((b"\xff", Checksum.SIMPLE), (b"\x00", Checksum.CRC))
    for data in (b"", b"JP100A", bytes((3, *range(10))), bytes(11), b"\x00\x01\x02\x03\x04")
)


# The receiver


def _seal(text: bytes) -> object:
    return seal.verify(text.decode("latin-1"), KEYS)


def _seal_inside(cose: bytes) -> object:
    """Packed as it should be, and anything within."""
    return seal.verify(packed(cose), KEYS)


@cache
def _seal_text() -> str:
    return seal.sign(content(TAXED), SIGNER)


@cache
def _cose() -> bytes:
    return unpacked(_seal_text())


@cache
def _payload() -> bytes:
    payload: bytes = cbor2.loads(_cose()).value[2]
    return payload


def _status_list(signed: bytes) -> object:
    return status_list.read(signed, (), bits=10, bucket=1, now_utc=NOW)


# The card authority


def _answer_of_ocsp(der: bytes) -> object:
    return ocsp.read_answer(
        der,
        certificate=_CARD,
        issuer=Authority().certificate,
        trusted=(),
        nonce=NONCE,
        now_utc=NOW,
        max_age=MAX_AGE,
    )


_CARD: Final = x509.load_der_x509_certificate(Authority().card().certificate_der)


class _NoAnchors:
    """No authority is trusted: a certificate is read whole, and refused."""

    def store(self) -> None:
        """There is none."""


_CHECKPOINTS: Final = Signer("check.invalid/audit", KEY.public_key())


def targets() -> tuple[Target, ...]:
    """Return all of them."""
    wire = (IssueError,)
    return (
        *(Target(struct.__name__, corpus, _read_message(struct), wire) for struct, corpus in _MESSAGES.items()),
        Target(
            "PreparedOrder",
            (codec.to_header(PREPARED).encode(),),
            lambda text: codec.from_header(text.decode("latin-1")),
            wire,
        ),
        Target("signed request", (_headers(),), _signed_request, wire),
        Target("event", (codec.encode(_EVENT),), _read_event, wire),
        Target("grant", (grant.encode(_GRANT),), _read_grant, (grant.GrantInvalid,)),
        Target("card", (_answers(),), _card, (CardError,)),
        Target("IPP", _ipp_answers(), _ipp, (PressError,)),
        Target("ccTalk", _FRAMES, _cctalk, (BadFrame,)),
        Target("seal", (_seal_text().encode(),), _seal, (seal.SealError,)),
        Target("seal's COSE", (_cose(),), _seal_inside, (seal.SealError,)),
        Target("seal's content", (_payload(),), seal._content, (seal.SealError,)),
        Target("status list", (_cose(), _payload()), _status_list, (status_list.ListRefused,)),
        Target("OCSP", (Answer(by=ITSELF, carries=()).der(), Answer().der()), _answer_of_ocsp, (ocsp.NoWord,)),
        Target(
            "certificate",
            (_CARD.public_bytes(Encoding.DER),),
            lambda der: card_auth.verify_certificate(der, _NoAnchors(), NOW),  # type: ignore[arg-type]
            wire,
        ),
        Target(
            "checkpoint",
            (_CHECKPOINTS.note(Checkpoint(7, bytes(32)), KEY).encode(),),
            lambda text: _CHECKPOINTS.read(text.decode("utf-8", "replace")),
            (BadCheckpoint,),
        ),
    )
