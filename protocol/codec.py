"""Structs to bytes and back: strict, with errors that name the field and the rule and never echo a value."""

from __future__ import annotations

import base64
import binascii
import functools
import re
from typing import Any, Final, TypeVar

import msgspec

from protocol.errors import ErrorCode, IssueError
from protocol.messages import PreparedOrder

T = TypeVar("T", bound=msgspec.Struct)

_LENGTH_BYTES: Final = 4
_ENUM_VALUE: Final = re.compile(r"Invalid enum value .*(?= - at `\$)", re.DOTALL)
_UNKNOWN_FIELD: Final = "Object contains unknown field"
_HARMLESS_UNKNOWN_FIELD: Final = re.compile(_UNKNOWN_FIELD + r" `[A-Za-z0-9_-]{1,40}`(?: - at `\$[A-Za-z0-9_.\[\]]*`)?")


def encode(message: msgspec.Struct) -> bytes:
    """Return the message as JSON, fields in declared order (so the same message is always the same bytes)."""
    return msgspec.json.encode(message)


def decode(struct_type: type[T], body: bytes) -> T:
    """Return body as struct_type.

    Errors: IssueError BAD_REQUEST; its detail names the field and the rule, never a value.
    """
    try:
        message: T = _decoder(struct_type).decode(body)
    except msgspec.ValidationError as error:
        raise IssueError(ErrorCode.BAD_REQUEST, _without_values(str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise IssueError(ErrorCode.BAD_REQUEST, "the body is not JSON") from None
    return message


def to_header(prepared: PreparedOrder) -> str:
    """Return the prepared order as the value of PREPARED_HEADER: Base64url without padding."""
    return base64.urlsafe_b64encode(encode(prepared)).rstrip(b"=").decode("ascii")


def from_header(value: str) -> PreparedOrder:
    """Read the value of PREPARED_HEADER. Errors: IssueError BAD_REQUEST."""
    try:
        body = base64.b64decode(value.encode("ascii") + b"=" * (-len(value) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise IssueError(ErrorCode.BAD_REQUEST, "the header is not Base64url") from None
    return decode(PreparedOrder, body)


def preimage(domain: str, *fields: bytes) -> bytes:
    """Return the domain string and each field behind its length: no two lists of fields give the same bytes.

    Shape:  domain is ASCII and ends in a version; a length is four bytes, big-endian.
    """
    parts = [domain.encode("ascii")]
    for field in fields:
        parts += (len(field).to_bytes(_LENGTH_BYTES, "big"), field)
    return b"".join(parts)


@functools.cache
def _decoder(struct_type: type[msgspec.Struct]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(struct_type)


def _without_values(text: str) -> str:
    """msgspec quotes what was sent in two of its messages: an enum's value, and the name of an unknown field."""
    if text.startswith(_UNKNOWN_FIELD) and _HARMLESS_UNKNOWN_FIELD.fullmatch(text) is None:
        return _UNKNOWN_FIELD
    return _ENUM_VALUE.sub("Not one of the allowed values", text, count=1)
