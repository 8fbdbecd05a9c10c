"""The description: whole, and the same as what the server really does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from flask import Flask

from issuance_server import openapi
from issuance_server.api import Api
from protocol import messages
from protocol.errors import TABLE, ErrorCode
from protocol.messages import Message

DESCRIPTION: dict[str, Any] = json.loads(openapi.document())
SCHEMAS: dict[str, Any] = DESCRIPTION["components"]["schemas"]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation as (method, path, itself)."""
    for path, item in DESCRIPTION["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield method.upper(), path, operation


def nodes(value: object) -> Iterator[dict[str, Any]]:
    """Every object within."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def test_the_head_is_openapi_3_1() -> None:
    assert DESCRIPTION["openapi"].startswith("3.1.")
    assert set(DESCRIPTION["info"]) >= {"title", "version"}
    assert set(DESCRIPTION) == {"openapi", "info", "paths", "components", "security"}


def test_every_reference_leads_somewhere() -> None:
    references = [node["$ref"] for node in nodes(DESCRIPTION) if "$ref" in node]
    assert len(references) > 20
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in SCHEMAS


def test_it_names_exactly_the_routes_that_there_are() -> None:
    app = Flask("routes")
    app.register_blueprint(Api.blueprint(Api.__new__(Api)))
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint != "static"]
    served = {
        (method, re.sub("<(.*?)>", r"{\1}", rule.rule))
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {(method, path) for method, path, _ in operations()} == served
    assert len({operation["operationId"] for _, _, operation in operations()}) == len(served)


def test_every_path_parameter_is_described() -> None:
    for path, item in DESCRIPTION["paths"].items():
        described = [parameter["name"] for parameter in item.get("parameters", [])]
        assert described == re.findall("{(.*?)}", path)


def test_every_code_stands_with_its_status_in_every_signed_operation() -> None:
    for _, path, operation in operations():
        if path == messages.PATH_OPENAPI:
            assert operation["security"] == []
            continue
        for code, (status, _) in TABLE.items():
            answer = operation["responses"][str(status)]
            assert code.value in answer["description"].split(", ")
            assert answer["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}
    assert SCHEMAS["ErrorAnswer"]["properties"]["code"]["enum"] == [code.value for code in ErrorCode]


@pytest.mark.parametrize(
    "struct_type",
    [
        messages.ChallengeRequest,
        messages.AuthenticateRequest,
        messages.PrepareRequest,
        messages.GrantRequest,
        messages.EventsRequest,
        messages.Event,
        messages.BootRequest,
    ],
)
def test_requests_are_described_as_strictly_as_they_are_read(struct_type: type[Message]) -> None:
    schema = SCHEMAS[struct_type.__name__]
    fields = msgspec.structs.fields(struct_type)
    assert set(schema["properties"]) == {field.name for field in fields}
    assert set(schema["required"]) == {field.name for field in fields if field.required}
    assert schema["additionalProperties"] is False


def test_the_prepared_order_stands_in_its_header() -> None:
    prepare = DESCRIPTION["paths"][messages.PATH_ORDERS]["post"]["responses"]["200"]
    assert set(prepare["content"]) == {"application/pdf"}
    assert prepare["headers"][messages.PREPARED_HEADER]["required"] is True
