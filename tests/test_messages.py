"""Strict messages: what is unknown, missing or wrong is refused by its name, and no value is echoed."""

from datetime import UTC, datetime

import msgspec
import pytest

from protocol import codec
from protocol.errors import ErrorCode, IssueError
from protocol.messages import (
    AuthenticateRequest,
    ChallengeRequest,
    ErrorAnswer,
    Event,
    EventsRequest,
    GrantRequest,
    PreparedOrder,
    PrepareRequest,
)

PREPARE = {
    "session_id": "s",
    "order_id": "0" * 32,
    "municipality_code": "992011",
    "kind": "residence",
    "scope": "self",
    "members": [],
    "items": ["domicile"],
    "fiscal_year": None,
    "binding": "A" * 43 + "=",
}


def refusal(struct_type: type[msgspec.Struct], body: object) -> IssueError:
    """Decode, and return what it was refused with."""
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    with pytest.raises(IssueError) as caught:
        codec.decode(struct_type, encoded)
    assert caught.value.code is ErrorCode.BAD_REQUEST
    return caught.value


def test_a_message_survives_the_way() -> None:
    asked = codec.decode(PrepareRequest, msgspec.json.encode(PREPARE))
    assert asked.binding == bytes(32)
    assert codec.decode(PrepareRequest, codec.encode(asked)) == asked


@pytest.mark.parametrize("field", sorted(PREPARE))
def test_a_missing_field_is_named(field: str) -> None:
    body = {name: value for name, value in PREPARE.items() if name != field}
    assert f"`{field}`" in refusal(PrepareRequest, body).detail


def test_an_unknown_field_is_named() -> None:
    assert "`copies`" in refusal(PrepareRequest, {**PREPARE, "copies": 2}).detail


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("order_id", "0" * 31),
        ("order_id", "A" * 32),
        ("order_id", "0" * 32 + "\n"),
        ("order_id", 5),
        ("municipality_code", "99201"),
        ("municipality_code", "９９２０１１"),
        ("scope", "everybody"),
        ("members", ["m"] * 31),
        ("items", "domicile"),
        ("items", ["x" * 101]),
        ("fiscal_year", 1989),
        ("fiscal_year", 2025.5),
        ("fiscal_year", "2025"),
        ("binding", "A" * 42),
        ("binding", "!" * 44),
        ("binding", "A" * 48),
        ("session_id", "s" * 101),
        ("session_id", None),
    ],
)
def test_a_wrong_value_is_named_and_not_echoed(field: str, value: object) -> None:
    detail = refusal(PrepareRequest, {**PREPARE, field: value}).detail
    assert f"$.{field}" in detail
    assert "everybody" not in detail


@pytest.mark.parametrize(
    "body",
    [
        {**PREPARE, "scope": "窓口 花子 - at `$.x` 窓口 花子"},
        {**PREPARE, "窓口 花子": 1},
        {**PREPARE, "a` 窓口 花子 `b": 1},
        b'{"scope": "\xe7\xaa',
        '{"窓口 花子'.encode(),
        b"",
        b"[]",
        b"\xff",
    ],
)
def test_nothing_that_was_sent_comes_back(body: object) -> None:
    assert "花子" not in refusal(PrepareRequest, body).detail


@pytest.mark.parametrize(
    ("struct_type", "body", "named"),
    [
        (ChallengeRequest, {}, "visit_id"),
        (
            AuthenticateRequest,
            {"visit_id": "0" * 32, "challenge": "A" * 400, "certificate": "", "signature": ""},
            "challenge",
        ),
        (
            GrantRequest,
            {
                "session_id": "s",
                "payment_id": "0" * 32,
                "method": "cash",
                "reserved_yen": -1,
                "allocated_yen": 0,
            },
            "reserved_yen",
        ),
        (EventsRequest, {"events": []}, "events"),
        (Event, {"sequence": 0, "at_utc": "2026-01-01T00:00:00Z", "kind": "PRINTED"}, "sequence"),
    ],
)
def test_every_request_is_strict(struct_type: type[msgspec.Struct], body: object, named: str) -> None:
    assert named in refusal(struct_type, body).detail


PREPARED = PreparedOrder(
    order_id="0" * 32,
    municipality_code="992011",
    municipality_name="窓口市",
    kind="residence",
    title="住民票の写し",
    masked_names=("窓○ ○子",),
    items=("domicile",),
    fiscal_year=None,
    issue_number="R8-000001",
    sheets=2,
    fee_yen=200,
    pdf_sha256=b"p" * 32,
    expires_at_utc=datetime(2026, 3, 1, tzinfo=UTC),
)


def test_a_prepared_order_travels_in_a_header() -> None:
    value = codec.to_header(PREPARED)
    assert value.isascii()
    assert set(value).isdisjoint("=\r\n+/ ")
    assert codec.from_header(value) == PREPARED


@pytest.mark.parametrize("value", ["", "!", "A", "窓口", codec.to_header(PREPARED)[:-8]])
def test_a_broken_header_is_refused(value: str) -> None:
    with pytest.raises(IssueError):
        codec.from_header(value)


def test_an_answer_of_another_kind_is_refused() -> None:
    body = codec.encode(ErrorAnswer(code="BUSY", detail="", retryable=True))
    assert "code" in refusal(ChallengeRequest, body).detail
