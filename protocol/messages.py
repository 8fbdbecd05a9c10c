"""Every request and answer between terminal and server, as strict structs.

A visit is five requests: challenge, authenticate, prepare, grant, events. Unknown or missing fields are refused with
the field's name. bytes travel as Base64 in JSON. Ids of visits, orders and payments are 128 random bits in lower-case
hex, made by the terminal and journaled before they are first sent.

The answer to prepare *is* the PDF (application/pdf); its `PreparedOrder` stands Base64url-encoded in the header named
by PREPARED_HEADER, so that nothing has to be fetched a second time.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

PATH_CHALLENGE = "/v1/challenge"
PATH_AUTHENTICATE = "/v1/authenticate"
PATH_ORDERS = "/v1/orders"  # POST prepares; GET PATH_ORDERS/<order_id> repeats the prepared PDF
PATH_EVENTS = "/v1/events"
PATH_BOOT = "/v1/boot"
PATH_ENROLMENTS = "/v1/enrolments"  # the one request of a terminal that nobody knows yet
PATH_REFUNDS = "/v1/refunds"  # POST claims one
PATH_CODES = "/v1/codes"  # POST has a code made that a resident pays by
PATH_CODE_STATUS = "/v1/codes/status"  # POST asks whether somebody has agreed
PATH_OPENAPI = "/v1/openapi.json"
PREPARED_HEADER = "Madoguchi-Prepared"

# The lengths stand beside the patterns because Python's $ also matches before a line feed.
Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$", max_length=32)]
MunicipalityCode = Annotated[str, msgspec.Meta(pattern="^[0-9]{6}$", max_length=6)]
Yen = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Sha256 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Short = Annotated[str, msgspec.Meta(max_length=100)]


def grant_path(order_id: str) -> str:
    """Path of the grant request of one order."""
    return f"{PATH_ORDERS}/{order_id}/grant"


def order_path(order_id: str) -> str:
    """Path that repeats one order's prepared PDF."""
    return f"{PATH_ORDERS}/{order_id}"


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all messages: frozen, by keyword, unknown fields refused."""


class Scope(StrEnum):
    """Whose entries a document shows."""

    SELF = "self"
    MEMBERS = "members"
    HOUSEHOLD = "household"  # everybody: of the household, or of the family register


# 1. challenge


class ChallengeRequest(Message, frozen=True, kw_only=True):
    """Ask for a challenge for one visit."""

    visit_id: Id


class ChallengeAnswer(Message, frozen=True, kw_only=True):
    """An opaque challenge token, good once and until expires_at_utc (60 s)."""

    challenge: bytes
    expires_at_utc: datetime


# 2. authenticate


class AuthenticateRequest(Message, frozen=True, kw_only=True):
    """The card's certificate and its signature over `protocol.challenge.to_be_signed`."""

    visit_id: Id
    challenge: Annotated[bytes, msgspec.Meta(max_length=200)]
    certificate: Annotated[bytes, msgspec.Meta(max_length=8192)]
    signature: Annotated[bytes, msgspec.Meta(max_length=1024)]


class ItemOffer(Message, frozen=True, kw_only=True):
    """One optional item of a document and whether it is on when nothing is chosen."""

    item: str
    default: bool


class MemberOffer(Message, frozen=True, kw_only=True):
    """One person who may be printed: a reference that means something in this session alone, and a masked name."""

    ref: str
    masked_name: str
    is_requester: bool


class Offer(Message, frozen=True, kw_only=True):
    """One document that a municipality offers this person, or why not.

    scopes: the only ones that are taken for this document. least_items: so many of its items must be chosen.
    """

    municipality_code: str
    municipality_name: str
    kind: str
    title: str
    fee_yen: int
    refusal: str | None  # an ErrorCode; None = can be had now
    available_again: str | None  # for NOT_OFFERED_NOW: when, ISO 8601 with JST offset
    scopes: tuple[Scope, ...]
    items: tuple[ItemOffer, ...]
    least_items: Annotated[int, msgspec.Meta(ge=0)] = 0
    fiscal_years: tuple[int, ...]
    members: tuple[MemberOffer, ...]


class ReissueOffer(Message, frozen=True, kw_only=True):
    """A paper of this person that was paid for and destroyed: the very document may be had again for nothing.

    replaces: the destroyed order; issue_number: what stood on it. What is asked for is exactly what stands here.
    """

    replaces: Id
    municipality_code: str
    municipality_name: str
    kind: str
    title: str
    issue_number: str
    scope: Scope
    members: tuple[str, ...]
    items: tuple[str, ...]
    fiscal_year: int | None


class RefundOffer(Message, frozen=True, kw_only=True):
    """Money that is owed to the card's holder since an earlier visit; in_review: somebody looks at it first."""

    payment_id: Id
    amount_yen: Yen
    in_review: bool = False


class AuthenticateAnswer(Message, frozen=True, kw_only=True):
    """The session of this visit: who is there (masked) and what can be had."""

    session_id: str
    expires_at_utc: datetime
    masked_name: str
    offers: tuple[Offer, ...]
    reissues: tuple[ReissueOffer, ...] = ()
    refunds: tuple[RefundOffer, ...] = ()


# 3. prepare


class PrepareRequest(Message, frozen=True, kw_only=True):
    """One order: one copy of one document. binding: see protocol/binding.py; replaces: a destroyed order."""

    session_id: Short
    order_id: Id
    municipality_code: MunicipalityCode
    kind: Short
    scope: Scope
    members: Annotated[tuple[Short, ...], msgspec.Meta(max_length=30)]
    items: Annotated[tuple[Short, ...], msgspec.Meta(max_length=30)]
    fiscal_year: Annotated[int, msgspec.Meta(ge=1990, le=2200)] | None
    binding: Sha256
    replaces: Id | None = None


class PreparedOrder(Message, frozen=True, kw_only=True):
    """What was prepared; the PDF itself is the answer's body.

    masked_requester: the card's holder as the issuing municipality knows them, for 「この方はあなたですか」: of two
    municipalities each has its own link from the card, and each must be looked at.
    """

    order_id: str
    municipality_code: str
    municipality_name: str
    kind: str
    title: str
    masked_names: tuple[str, ...]
    masked_requester: str = ""
    items: tuple[str, ...]
    fiscal_year: int | None
    issue_number: str
    sheets: int  # of paper; the PDF has a front and a back of each
    fee_yen: int
    pdf_sha256: bytes
    expires_at_utc: datetime


# 4. grant


class PaymentMethod(StrEnum):
    """How the fee is paid."""

    CASH = "cash"
    EMONEY = "emoney"  # prepaid IC: debited after the grant, order by order
    QR = "qr"  # a code: authorised before the grant, captured by the server for what was printed


class GrantRequest(Message, frozen=True, kw_only=True):
    """Ask for the single-use grant to print one order, with the money that is reserved for the whole payment.

    With e-money nothing can be reserved: reserved_yen is 0, and the card is debited once the grant is there.
    """

    session_id: Short
    payment_id: Id
    method: PaymentMethod
    reserved_yen: Yen  # held by the device for the payment, all orders of the visit together
    allocated_yen: Yen  # of it, for this order: must equal the order's fee


class GrantAnswer(Message, frozen=True, kw_only=True):
    """The grant's bytes (protocol/grant.py) and the server's Ed25519 signature over them."""

    grant: bytes
    signature: bytes


# Payment by QR code


class CodeRequest(Message, frozen=True, kw_only=True):
    """Have a code made for the fees of these prepared orders, all of one payment; the same again is the same code."""

    session_id: Short
    payment_id: Id
    order_ids: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=5)]


class CodeAnswer(Message, frozen=True, kw_only=True):
    """What the resident's phone is to read, and until when somebody may agree to it."""

    payment_id: Id
    amount_yen: Yen
    code_url: Annotated[str, msgspec.Meta(max_length=500)]
    expires_at_utc: datetime


class CodeQuestion(Message, frozen=True, kw_only=True):
    """Ask how a code of this terminal's stands."""

    payment_id: Id


class CodeStatus(Message, frozen=True, kw_only=True):
    """authorized: somebody has agreed, and what is printed can be captured; over: nobody can agree any more."""

    payment_id: Id
    authorized: bool
    over: bool


# Refunds


class RefundClaim(Message, frozen=True, kw_only=True):
    """Claim a refund that this terminal is about to pay out: by its code, or by the card of a session.

    claim_id is the terminal's own, written down before it is first sent; the same claim again is the same answer.
    """

    claim_id: Id
    code: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    session_id: Short | None = None
    payment_id: Id | None = None  # with a session: which of those that were offered


class RefundAnswer(Message, frozen=True, kw_only=True):
    """The claim is this terminal's; its word alone ends it: REFUND_PAID, REFUND_NOT_PAID or REFUND_UNKNOWN."""

    claim_id: Id
    amount_yen: Yen


# 5. events


class EventKind(StrEnum):
    """Physical facts that the terminal owns."""

    PRINTED = "PRINTED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    GRANT_ABANDONED = "GRANT_ABANDONED"  # a grant that will never be used
    ORDER_VOIDED = "ORDER_VOIDED"  # a prepared order that the visit gave up
    NOT_ME = "NOT_ME"  # "this is not me": nothing is issued, an alert is raised
    CAPTURED = "CAPTURED"  # this order's fee became the municipality's
    SHEETS_DESTROYED = "SHEETS_DESTROYED"  # so many sheets of an order were found and destroyed by staff
    CAPTURE_FAILED = "CAPTURE_FAILED"  # printed, but the fee could not be taken: posted as uncollected
    PAYMENT_CLOSED = "PAYMENT_CLOSED"  # the device's own counts for one payment
    RETURN_DUE = "RETURN_DUE"  # money that could not be given back on the spot
    DEBIT_UNPROCESSED = "DEBIT_UNPROCESSED"  # 処理未了: nobody knows whether a card was debited; the order is void
    REFUND_PAID = "REFUND_PAID"  # a claimed refund came out
    REFUND_NOT_PAID = "REFUND_NOT_PAID"  # for certain nothing came out
    REFUND_UNKNOWN = "REFUND_UNKNOWN"


class Event(Message, frozen=True, kw_only=True):
    """One numbered fact. Amounts in whole yen; EVENT_FIELDS says which fields stand with which kind."""

    sequence: Annotated[int, msgspec.Meta(ge=1)]
    at_utc: datetime
    kind: EventKind
    order_id: Id | None = None
    payment_id: Id | None = None
    visit_id: Id | None = None
    claim_id: Id | None = None
    claim_digest: Sha256 | None = None
    sheets_out: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None
    amount_yen: Yen | None = None
    inserted_yen: Yen | None = None
    cashbox_yen: Yen | None = None
    change_yen: Yen | None = None
    returned_yen: Yen | None = None
    method: PaymentMethod | None = None


_ORDER = frozenset({"order_id"})
EVENT_FIELDS: dict[EventKind, frozenset[str]] = {
    EventKind.PRINTED: _ORDER | {"sheets_out"},
    EventKind.PARTIAL: _ORDER | {"sheets_out"},
    EventKind.FAILED: _ORDER,
    EventKind.SHEETS_DESTROYED: _ORDER | {"sheets_out"},
    EventKind.UNKNOWN: _ORDER,
    EventKind.GRANT_ABANDONED: _ORDER,
    EventKind.ORDER_VOIDED: _ORDER,
    EventKind.NOT_ME: frozenset({"visit_id"}),
    EventKind.CAPTURED: _ORDER | {"payment_id", "amount_yen"},
    EventKind.CAPTURE_FAILED: _ORDER | {"payment_id", "amount_yen"},
    EventKind.PAYMENT_CLOSED: frozenset({"payment_id", "inserted_yen", "cashbox_yen", "change_yen", "returned_yen"}),
    EventKind.RETURN_DUE: frozenset({"payment_id", "amount_yen"}),
    EventKind.DEBIT_UNPROCESSED: _ORDER | {"payment_id", "amount_yen"},
    EventKind.REFUND_PAID: frozenset({"claim_id", "amount_yen"}),
    EventKind.REFUND_NOT_PAID: frozenset({"claim_id"}),
    EventKind.REFUND_UNKNOWN: frozenset({"claim_id"}),
}
#: What may stand with a kind, or not. order_id: one of the payment's orders, for whose requester's card the money is
#: due, too, where no grant ever told the server which orders a payment was for. method: of a payment that the server
#: knows nothing of; without it, in cash.
EVENT_OPTIONS: dict[EventKind, frozenset[str]] = {
    EventKind.RETURN_DUE: frozenset({"claim_digest", "order_id", "method"}),
    EventKind.PAYMENT_CLOSED: frozenset({"method"}),
}


class SignedEvent(Message, frozen=True, kw_only=True):
    """The event's exact JSON bytes and the terminal's Ed25519 signature over them (protocol/signing.py)."""

    body: Annotated[bytes, msgspec.Meta(max_length=2048)]
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class EventsRequest(Message, frozen=True, kw_only=True):
    """Numbered events in order, without gaps; what is known already is accepted again and changes nothing."""

    events: Annotated[tuple[SignedEvent, ...], msgspec.Meta(min_length=1, max_length=100)]


class EventsAnswer(Message, frozen=True, kw_only=True):
    """Everything up to accepted_through is stored, and up to backed_up_through it outlives this server."""

    accepted_through: int
    backed_up_through: int = 0


# At each start of a terminal


class BootRequest(Message, frozen=True, kw_only=True):
    """A terminal began, for the boot_number-th time, with this journal.

    journal_head: hash of the journal's row that says so, and through it of all before. event_head, accepted_head: the
    chain (protocol/chain.py) through its last event, and through the last that it was told is stored.
    """

    boot_number: Annotated[int, msgspec.Meta(ge=1)]
    journal_head: Sha256
    last_sequence: Annotated[int, msgspec.Meta(ge=0)]
    event_head: Sha256
    accepted_through: Annotated[int, msgspec.Meta(ge=0)]
    accepted_head: Sha256


class BootAnswer(Message, frozen=True, kw_only=True):
    """What the server has of this terminal's events: what comes after is to be sent, if it was sent before or not."""

    accepted_through: int
    backed_up_through: int


# Before all of it


class EnrolRequest(Message, frozen=True, kw_only=True):
    """A terminal that nobody knows yet shows its Ed25519 key, with an invitation's code (protocol/enrolment.py)."""

    code: Annotated[str, msgspec.Meta(max_length=40)]
    public_key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    proof: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class EnrolAnswer(Message, frozen=True, kw_only=True):
    """The key was taken in for this terminal; two officers let it in."""

    terminal_id: str


class ErrorAnswer(Message, frozen=True, kw_only=True):
    """A refusal. detail names field and rule; it is empty where it could say something about a person."""

    code: str
    detail: str
    retryable: bool
