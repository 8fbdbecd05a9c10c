"""Signed requests and events: valid beside every way of being wrong, each refused by its code."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ED25519
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import signing
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EVENT_FIELDS, EVENT_OPTIONS, Event, EventKind, PaymentMethod, SignedEvent
from protocol.signing import RequestSigner, key_thumbprint, sign_event, verify_event, verify_request

KEY = Ed25519PrivateKey.from_private_bytes(b"1" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"2" * 32)
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
URL = "https://issuing.example:8443/v1/orders/0a?b=c%20d"
BODY = b'{"a":1}'


def resolve(terminal_id: str) -> Ed25519PublicKey:
    """Two enrolled terminals."""
    keys = {"T-0001": KEY, "T-0002": OTHER_KEY}
    if terminal_id not in keys:
        raise IssueError(ErrorCode.TERMINAL_UNKNOWN, "no such terminal")
    return keys[terminal_id].public_key()


def signed(method: str = "POST", url: str = URL, body: bytes = BODY, created_utc: datetime = NOW) -> dict[str, str]:
    """The headers that T-0001 sends."""
    headers = RequestSigner("T-0001", KEY).headers(method, url, body, "application/json", created_utc)
    return {name.lower(): value for name, value in headers.items()}


def code_of(
    headers: dict[str, str], method: str = "POST", url: str = URL, body: bytes = BODY, now_utc: datetime = NOW
) -> ErrorCode:
    """What a request is refused with."""
    with pytest.raises(IssueError) as caught:
        verify_request(method, url, headers, body, resolve_key=resolve, now_utc=now_utc)
    return caught.value.code


def sign_freely(components: tuple[str, ...], **options: object) -> dict[str, str]:
    """A signature by the library itself, outside of the profile."""
    headers = {"content-type": "application/json"}
    resolver = MappingKeyResolver(public_keys={}, private_keys={"T-0001": KEY})
    chosen = {"created": NOW, "tag": "madoguchi", "body": BODY, **options}
    HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=resolver).sign(
        signing._Request("POST", URL, headers), key_id="T-0001", covered_component_ids=components, **chosen
    )
    return {name.lower(): value for name, value in headers.items()}


def test_thumbprint_of_the_standards_key() -> None:
    """Source: RFC 8037, appendices A.2 and A.3."""
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    thumbprint = key_thumbprint(Ed25519PublicKey.from_public_bytes(public))
    assert signing.urlsafe_b64encode(thumbprint) == b"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k="


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", URL, BODY),
        ("GET", URL, b""),
        ("POST", "https://issuing.example/v1/events", BODY),
        ("POST", "http://127.0.0.1:8800/v1/challenge", b"x" * 100_000),
    ],
)
def test_a_signed_request_names_its_terminal(method: str, url: str, body: bytes) -> None:
    headers = signed(method, url, body)
    assert verify_request(method, url, headers, body, resolve_key=resolve, now_utc=NOW) == "T-0001"


def test_other_headers_do_not_matter() -> None:
    headers = {**signed(), "user-agent": "x", "date": "yesterday"}
    assert verify_request("POST", URL, headers, BODY, resolve_key=resolve, now_utc=NOW) == "T-0001"


@pytest.mark.parametrize("missing", ["signature", "signature-input"])
def test_unsigned(missing: str) -> None:
    headers = signed()
    del headers[missing]
    assert code_of(headers) is ErrorCode.UNSIGNED
    assert code_of({}) is ErrorCode.UNSIGNED


@pytest.mark.parametrize(
    "altered",
    [
        {"method": "PUT"},
        {"url": URL.replace("0a", "0b")},
        {"url": URL.replace("b=c", "b=d")},
        {"url": URL.partition("?")[0]},
        {"url": URL.replace("issuing", "other")},
        {"url": URL.replace("8443", "8444")},
        {"body": BODY + b" "},
        {"body": b""},
    ],
)
def test_an_altered_request_is_refused(altered: dict[str, object]) -> None:
    assert code_of(signed(), **altered) is ErrorCode.SIGNATURE_INVALID


@pytest.mark.parametrize(
    ("header", "old", "new"),
    [
        ("content-type", "json", "jsonp"),
        ("content-digest", "sha-256", "sha-512"),
        ("signature-input", 'keyid="T-0001"', 'keyid="T-0002"'),
        ("signature-input", "created=", "created=9"),
        ("signature-input", '"@method" "@authority"', '"@authority" "@method"'),
        ("signature-input", '"@query" ', ""),
        ("signature-input", 'tag="madoguchi"', 'tag="other"'),
        ("signature-input", "madoguchi=", "other="),
        ("signature", "madoguchi=:", "madoguchi=:AAAA"),
        ("signature", "madoguchi=", "garbage"),
    ],
)
def test_an_altered_header_is_refused(header: str, old: str, new: str) -> None:
    headers = signed()
    assert old in headers[header]
    headers[header] = headers[header].replace(old, new, 1)
    assert code_of(headers) is ErrorCode.SIGNATURE_INVALID


def test_another_terminals_name_is_refused() -> None:
    headers = RequestSigner("T-0002", KEY).headers("POST", URL, BODY, "application/json", NOW)
    assert code_of({name.lower(): value for name, value in headers.items()}) is ErrorCode.SIGNATURE_INVALID


def test_an_unknown_terminal_is_told_so() -> None:
    headers = RequestSigner("T-0003", KEY).headers("POST", URL, BODY, "application/json", NOW)
    assert code_of({name.lower(): value for name, value in headers.items()}) is ErrorCode.TERMINAL_UNKNOWN


def test_keys_that_cannot_be_looked_up_are_no_bad_signature() -> None:
    """A database that is away is said as such, so that the terminal asks again; the library would hide it."""

    def away(_terminal_id: str) -> Ed25519PublicKey:
        raise ConnectionError("the database is away")

    with pytest.raises(ConnectionError):
        verify_request("POST", URL, signed(), BODY, resolve_key=away, now_utc=NOW)


@pytest.mark.parametrize("age_s", [-61, 61, 3600])
def test_an_old_or_future_request_is_refused(age_s: int) -> None:
    assert code_of(signed(), now_utc=NOW + timedelta(seconds=age_s)) is ErrorCode.REQUEST_EXPIRED


@pytest.mark.parametrize("age_s", [-60, 0, 60])
def test_a_request_within_the_window_is_taken(age_s: int) -> None:
    now_utc = NOW + timedelta(seconds=age_s)
    assert verify_request("POST", URL, signed(), BODY, resolve_key=resolve, now_utc=now_utc) == "T-0001"


@pytest.mark.parametrize("left_out", signing.COVERED)
def test_a_signature_must_cover_everything(left_out: str) -> None:
    kept = tuple(component for component in signing.COVERED if component != left_out)
    headers = sign_freely(kept, body=None if left_out == "content-digest" else BODY)
    headers.setdefault("content-digest", signed()["content-digest"])
    assert code_of(headers) is ErrorCode.SIGNATURE_INVALID


def test_a_parameter_outside_the_profile_is_refused() -> None:
    headers = sign_freely(signing.COVERED)
    assert verify_request("POST", URL, headers, BODY, resolve_key=resolve, now_utc=NOW) == "T-0001"
    assert code_of(sign_freely(signing.COVERED, nonce="n")) is ErrorCode.SIGNATURE_INVALID
    assert code_of(sign_freely(signing.COVERED, tag=None)) is ErrorCode.SIGNATURE_INVALID


def test_two_signatures_are_one_too_many() -> None:
    first, second = signed(), sign_freely(signing.COVERED, label="second")
    for name in ("signature", "signature-input"):
        first[name] += ", " + second[name]
    assert code_of(first) is ErrorCode.SIGNATURE_INVALID


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["signature", "signature-input", "content-digest", "content-type"]), st.text(max_size=80))
def test_whatever_stands_in_a_header_is_a_refusal(header: str, value: str) -> None:
    headers = {**signed(), header: value}
    assert code_of(headers) is ErrorCode.SIGNATURE_INVALID


# events

FULL = Event(
    sequence=7,
    at_utc=NOW,
    kind=EventKind.PRINTED,
    order_id="0" * 32,
    payment_id="1" * 32,
    visit_id="2" * 32,
    claim_id="3" * 32,
    claim_digest=bytes(32),
    sheets_out=2,
    amount_yen=200,
    inserted_yen=500,
    cashbox_yen=200,
    change_yen=300,
    returned_yen=0,
    method=PaymentMethod.EMONEY,
)


def event_of(kind: EventKind) -> Event:
    """A right event of a kind: exactly its fields."""
    absent = {
        name: None
        for name in Event.__struct_fields__
        if name not in EVENT_FIELDS[kind] | {"sequence", "at_utc", "kind"}
    }
    return msgspec.structs.replace(FULL, kind=kind, **absent)


def refusal(signed_event: SignedEvent, key: Ed25519PrivateKey = KEY) -> IssueError:
    """What an event is refused with."""
    with pytest.raises(IssueError) as caught:
        verify_event(signed_event, key.public_key())
    return caught.value


def force(body: bytes) -> SignedEvent:
    """Sign whatever bytes as an event: a terminal with another program."""
    return SignedEvent(body=body, signature=KEY.sign(signing.preimage(signing._EVENT_DOMAIN, body)))


@pytest.mark.parametrize("kind", list(EventKind))
def test_an_event_survives_the_way(kind: EventKind) -> None:
    event = event_of(kind)
    assert verify_event(sign_event(event, KEY), KEY.public_key()) == event


def test_a_field_that_may_stand_or_not_survives_either_way() -> None:
    without = event_of(EventKind.RETURN_DUE)
    for event in (without, msgspec.structs.replace(without, claim_digest=bytes(32))):
        assert verify_event(sign_event(event, KEY), KEY.public_key()) == event


def test_an_altered_or_foreign_event_is_refused() -> None:
    right = sign_event(event_of(EventKind.PRINTED), KEY)
    altered = msgspec.structs.replace(right, body=right.body.replace(b'"sheets_out":2', b'"sheets_out":1'))
    assert altered.body != right.body
    assert refusal(altered).code is ErrorCode.SIGNATURE_INVALID
    assert refusal(right, OTHER_KEY).code is ErrorCode.SIGNATURE_INVALID


def test_a_signature_over_anything_else_is_no_events() -> None:
    body = sign_event(event_of(EventKind.PRINTED), KEY).body
    assert refusal(SignedEvent(body=body, signature=KEY.sign(body))).code is ErrorCode.SIGNATURE_INVALID


@pytest.mark.parametrize("kind", list(EventKind))
def test_each_missing_or_surplus_field_is_named(kind: EventKind) -> None:
    event = event_of(kind)
    optional = EVENT_OPTIONS.get(kind, frozenset())
    for name in sorted(set(Event.__struct_fields__) - {"sequence", "at_utc", "kind"} - optional):
        stands = getattr(event, name) is not None
        wrong = msgspec.structs.replace(event, **{name: None if stands else getattr(FULL, name)})
        with pytest.raises(ValueError, match=f"`{name}`"):
            sign_event(wrong, KEY)
        refused = refusal(force(msgspec.json.encode(wrong)))
        assert refused.code is ErrorCode.BAD_REQUEST
        assert f"`{name}`" in refused.detail


def test_a_signed_event_is_still_strict() -> None:
    body = msgspec.json.encode(event_of(EventKind.PRINTED))
    assert "sequence" in refusal(force(body.replace(b'"sequence":7', b'"sequence":0'))).detail
    assert "`at_utc`" in refusal(force(body.replace(b"00Z", b"00"))).detail
    assert refusal(force(b"{")).code is ErrorCode.BAD_REQUEST
