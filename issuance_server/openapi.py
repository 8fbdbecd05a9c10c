"""The API's description (OpenAPI 3.1), made from the structs that the server really decodes with."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from protocol import messages
from protocol.errors import TABLE, ErrorCode
from protocol.messages import Message
from protocol.signing import COVERED, MAX_AGE_S, TAG

_REF: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_PDF: Final = "application/pdf"

_ORDER_ID: Final = {
    "name": "order_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
}
_SIGNATURE: Final = (
    f'HTTP Message Signatures (RFC 9421): one signature with tag "{TAG}", Ed25519, keyid = the terminal\'s id, '
    f"created within {MAX_AGE_S} s of the server's clock, over {' '.join(COVERED)}. Signature-Input and Content-Digest "
    "(RFC 9530, also of an empty body) stand beside it."
)


@functools.cache
def document() -> bytes:
    """Return the description as JSON."""
    return msgspec.json.encode(describe())


def describe() -> dict[str, Any]:
    """Return the description."""
    spoken: Sequence[type[Message]] = (
        messages.ChallengeRequest,
        messages.ChallengeAnswer,
        messages.AuthenticateRequest,
        messages.AuthenticateAnswer,
        messages.PrepareRequest,
        messages.PreparedOrder,
        messages.GrantRequest,
        messages.GrantAnswer,
        messages.CodeRequest,
        messages.CodeAnswer,
        messages.CodeQuestion,
        messages.CodeStatus,
        messages.RefundClaim,
        messages.RefundAnswer,
        messages.EventsRequest,
        messages.EventsAnswer,
        messages.BootRequest,
        messages.BootAnswer,
        messages.EnrolRequest,
        messages.EnrolAnswer,
        messages.Event,
        messages.ErrorAnswer,
    )
    _, schemas = msgspec.json.schema_components(spoken, ref_template=_REF)
    schemas["ErrorAnswer"]["properties"]["code"]["enum"] = [code.value for code in ErrorCode]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Madoguchi issuing server",
            "version": "1",
            "description": "What a store's terminal asks of the municipal issuing server. bytes are Base64.",
        },
        "paths": _paths(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "terminal": {"type": "apiKey", "in": "header", "name": "Signature", "description": _SIGNATURE}
            },
        },
        "security": [{"terminal": []}],
    }


def _paths() -> dict[str, Any]:
    order = messages.order_path("{order_id}")
    return {
        messages.PATH_CHALLENGE: {
            "post": _operation("challenge", messages.ChallengeRequest, _answer(messages.ChallengeAnswer))
        },
        messages.PATH_AUTHENTICATE: {
            "post": _operation("authenticate", messages.AuthenticateRequest, _answer(messages.AuthenticateAnswer))
        },
        messages.PATH_ORDERS: {"post": _operation("prepare", messages.PrepareRequest, _prepared())},
        order: {"parameters": [_ORDER_ID], "get": _operation("repeat", None, _prepared())},
        messages.grant_path("{order_id}"): {
            "parameters": [_ORDER_ID],
            "post": _operation("grant", messages.GrantRequest, _answer(messages.GrantAnswer)),
        },
        messages.PATH_REFUNDS: {
            "post": _operation("claim_refund", messages.RefundClaim, _answer(messages.RefundAnswer))
        },
        messages.PATH_CODES: {"post": _operation("show_code", messages.CodeRequest, _answer(messages.CodeAnswer))},
        messages.PATH_CODE_STATUS: {
            "post": _operation("look_at_code", messages.CodeQuestion, _answer(messages.CodeStatus))
        },
        messages.PATH_EVENTS: {"post": _operation("events", messages.EventsRequest, _answer(messages.EventsAnswer))},
        messages.PATH_BOOT: {"post": _operation("boot", messages.BootRequest, _answer(messages.BootAnswer))},
        messages.PATH_ENROLMENTS: {
            "post": {**_operation("enrol", messages.EnrolRequest, _answer(messages.EnrolAnswer)), "security": []}
        },
        messages.PATH_OPENAPI: {
            "get": {
                "operationId": "openapi",
                "security": [],
                "responses": {
                    "200": {"description": "This description.", "content": {_JSON: {"schema": {"type": "object"}}}}
                },
            }
        },
    }


def _operation(name: str, asked: type[Message] | None, answer: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": name, "responses": {"200": answer, **_refusals()}}
    if asked is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": _ref(asked)}}}
    return operation


def _answer(message: type[Message]) -> dict[str, Any]:
    return {"description": message.__name__, "content": {_JSON: {"schema": _ref(message)}}}


def _prepared() -> dict[str, Any]:
    return {
        "description": "The certificate's PDF; the header holds the prepared order, Base64url of its JSON.",
        "headers": {
            messages.PREPARED_HEADER: {
                "required": True,
                "description": "Base64url without padding of a PreparedOrder.",
                "schema": {
                    "type": "string",
                    "contentEncoding": "base64url",
                    "contentSchema": _ref(messages.PreparedOrder),
                },
            }
        },
        "content": {_PDF: {"schema": {"type": "string", "format": "binary"}}},
    }


def _refusals() -> dict[str, Any]:
    by_status: dict[int, list[ErrorCode]] = {}
    for code, (status, _) in TABLE.items():
        by_status.setdefault(status, []).append(code)
    return {
        str(status): {"description": ", ".join(codes), "content": {_JSON: {"schema": _ref(messages.ErrorAnswer)}}}
        for status, codes in sorted(by_status.items())
    }


def _ref(message: type[Message]) -> dict[str, str]:
    return {"$ref": _REF.format(name=message.__name__)}
