"""Whatever a terminal sends to prepare, it gets a typed code, and a refusal changes no row of any table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from issuance_server import events, sessions
from issuance_server.api import Services
from issuance_server.app import Deadline, create_app
from issuance_server.config import ServerConfig
from issuance_server.database import read, write
from issuance_server.kinds import KINDS, Source
from issuance_server.offers import MemberRefs
from issuance_server.schema import metadata
from issuance_server.sessions import KnownAs
from issuance_server.terminals import Terminals
from printing.paper.records import CertificateKind
from protocol import codec, messages
from protocol.errors import TABLE, ErrorCode
from protocol.messages import ErrorAnswer, Scope
from protocol.signing import CONTENT_TYPE, RequestSigner
from tests.databases import DATABASES, Databases, databases_for
from tests.issuing_parts import CODE, Office, link_digest, order_id
from tests.register_parts import ALL_SETTINGS, MORE_RECORDS, OTHER
from tests.server_parts import GOOD, NO_RESPONDER, Authority, SaidOfCards

AUTHORITY = "server.example:8800"
VISIT = "1" * 32


class Desk:
    """The real routes over the real cycle, and one card's session at a terminal."""

    def __init__(self, folder: Path, url: str, deadline: Deadline | None = None) -> None:
        self.office = Office(folder, url, decided=(ALL_SETTINGS,))
        self.office.put(*MORE_RECORDS)
        self._deadline = deadline or Deadline(sleep=lambda _seconds: None)
        self.app = self._app(folder)
        holder = sessions.holder_digest(self.office.keys.challenge, CODE, VISIT, "r-taro")
        with write(self.office.engine) as connection:
            self.session_id, caller = sessions.open_session(
                connection,
                terminal=self.office.terminals["t-1"],
                known_as=[KnownAs(CODE, link_digest("r-taro"), holder)],
                visit_id=VISIT,
                certificate_der=b"",
                card=GOOD,
                now_utc=self.office.clock(),
            )
        refs = MemberRefs(self.office.keys.challenge, caller.session_hash)
        self.refs = {person_id: refs.ref(person_id) for person_id in ("r-taro", "r-hanako", "x-1")}

    def _app(self, folder: Path) -> Flask:
        office = self.office
        config = ServerConfig(
            database_url=office.url,
            keys_folder=folder / "keys",
            anchors_folder=Authority().anchor(folder / "anchors"),
            authorities=(AUTHORITY,),
            check_address="https://check.invalid/",
            production=False,
            revocation=NO_RESPONDER,
        )
        services = Services(
            engine=office.engine,
            terminals=Terminals(office.engine),
            issuer=office.issuer,
            revocation=SaidOfCards(office.clock),
            apply_events=partial(events.apply, office.engine, clock=office.clock),
        )
        parts: dict[str, Any] = {"keys": office.keys, "vault": office.vault, "register": office.register}
        parts["deadline"] = self._deadline
        return create_app(config, lambda _engine: services, clock=office.clock, **parts)

    def send(self, body: bytes) -> TestResponse:
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"t-1").digest())
        target = messages.PATH_ORDERS
        signer = RequestSigner("t-1", key)
        headers = signer.headers("POST", f"http://{AUTHORITY}{target}", body, CONTENT_TYPE, self.office.clock())
        client = self.app.test_client()
        return client.post(target, data=body, headers=headers, base_url=f"http://{AUTHORITY}")

    def refused(self, body: bytes) -> ErrorCode:
        """Send what must be refused; return its code."""
        before = self.rows()
        response = self.send(body)
        answer = codec.decode(ErrorAnswer, response.data)
        code = ErrorCode(answer.code)
        assert response.status_code == TABLE[code][0] != TABLE[ErrorCode.INTERNAL][0]
        assert code is not ErrorCode.NOT_ISSUABLE_HERE or answer.detail == ""
        assert self.rows() == before
        return code

    def rows(self) -> dict[str, list[Any]]:
        with read(self.office.engine) as connection:
            return {table.name: list(connection.execute(table.select())) for table in metadata.sorted_tables}

    def order(self, kind: CertificateKind, **fields: Any) -> dict[str, Any]:
        row = KINDS[kind]
        made: dict[str, Any] = {
            "session_id": self.session_id,
            "order_id": order_id(1),
            "municipality_code": CODE,
            "kind": kind.value,
            "scope": row.scopes[0].value,
            "members": [],
            "items": list(row.default_items),
            "fiscal_year": 2026 if row.source is Source.TAX_RECORDS else None,
            "binding": "A" * 43 + "=",
            "replaces": None,
        }
        return made | fields


@pytest.fixture(scope="module", params=DATABASES)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    with databases_for(request, folder) as databases:
        made = Desk(folder, databases.migrated())
        yield made
        made.office.close()


FIELDS = tuple(messages.PrepareRequest.__struct_fields__)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=120),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
#: Values that are well-formed for their field and wrong for the order, among those that are nothing at all.
_WRONG: dict[str, st.SearchStrategy[Any]] = {
    "session_id": st.text(max_size=100),
    "order_id": st.text(max_size=33),
    "municipality_code": st.sampled_from([OTHER, "000000", "999992", "９９９９９３", f"{CODE}\n"]),
    "kind": st.text(max_size=100) | st.sampled_from(["", "RESIDENCE", "residence "]),
    "scope": st.text(max_size=20) | st.sampled_from(["SELF", "everybody"]),
    "members": st.lists(st.text(max_size=100), min_size=1, max_size=31),
    "items": st.lists(st.text(max_size=100), min_size=1, max_size=31),
    "fiscal_year": st.integers(2027, 2200) | st.integers(max_value=2025) | st.floats(0, 1) | st.just("2026"),
    "binding": st.binary(max_size=31).map(lambda raw: raw.hex()),
    "replaces": st.binary(min_size=16, max_size=16).map(lambda raw: raw.hex()),
}


@settings(deadline=None, max_examples=40)
@given(st.data(), st.sampled_from(list(CertificateKind)), st.sampled_from(FIELDS))
def test_any_value_of_any_field_is_refused_by_its_code(
    desk: Desk, data: st.DataObject, kind: CertificateKind, field: str
) -> None:
    wrong = data.draw(_WRONG[field] | _JSON)
    right = desk.order(kind)
    if wrong == right[field]:
        wrong = [wrong, wrong]
    if field == "binding" and isinstance(wrong, str) and len(wrong) > 40:
        wrong = ""  # another binding is another order, and a good one
    if field == "kind" and wrong in list(CertificateKind):
        wrong = ""
    desk.refused(json.dumps(right | {field: wrong}).encode())


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode()))
@example(b"")
@example(b"{}")
@example(b'{"session_id": "\\ud800"}')
@example(b"[" * 5000)
def test_any_body_is_refused_by_its_code(desk: Desk, body: bytes) -> None:
    assert desk.refused(body) is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("field", [field for field in FIELDS if field != "replaces"])  # the one that may be left out
def test_a_field_that_is_missing(desk: Desk, field: str) -> None:
    order = desk.order(CertificateKind.RESIDENCE)
    del order[field]
    assert desk.refused(json.dumps(order).encode()) is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize("field", ["session_id", "kind", "order_id", "members", "items"])
def test_half_a_character_is_no_text(desk: Desk, field: str) -> None:
    order = desk.order(CertificateKind.RESIDENCE)
    value: Any = ["half"] if isinstance(order[field], list) else "half"
    body = json.dumps(order | {field: value}).replace("half", "\\ud800").encode()
    assert desk.refused(body) is ErrorCode.BAD_REQUEST


#: Well-formed, and against a rule of its kind: (kind, changes, code)
AGAINST: list[tuple[CertificateKind, dict[str, Any], ErrorCode]] = [
    *(
        (kind, {"fiscal_year": None}, ErrorCode.BAD_REQUEST)
        for kind in KINDS
        if KINDS[kind].source is Source.TAX_RECORDS
    ),
    *(
        (kind, {"fiscal_year": 2026}, ErrorCode.BAD_REQUEST)
        for kind in KINDS
        if KINDS[kind].source is not Source.TAX_RECORDS
    ),
    *((kind, {"items": ["resident_record_code"]}, ErrorCode.NOT_OFFERED) for kind in KINDS),
    *((kind, {"items": ["sex", "sex"]}, ErrorCode.BAD_REQUEST) for kind in KINDS),
    *((kind, {"scope": "members", "members": []}, ErrorCode.BAD_REQUEST) for kind in KINDS),
    *((kind, {"scope": "members", "members": ["r-hanako"]}, ErrorCode.BAD_REQUEST) for kind in KINDS),
    *(
        (kind, {"scope": scope.value}, ErrorCode.NOT_OFFERED)
        for kind, row in KINDS.items()
        for scope in (Scope.SELF, Scope.HOUSEHOLD)
        if scope not in row.scopes
    ),
    *((kind, {"municipality_code": OTHER}, ErrorCode.NOT_OFFERED) for kind in KINDS),
]


@pytest.mark.parametrize(("kind", "changes", "code"), AGAINST)
def test_what_is_against_a_rule_of_the_kind(
    desk: Desk, kind: CertificateKind, changes: dict[str, Any], code: ErrorCode
) -> None:
    assert desk.refused(json.dumps(desk.order(kind, **changes)).encode()) is code


@pytest.mark.parametrize("kind", [kind for kind, row in KINDS.items() if Scope.MEMBERS in row.scopes])
def test_somebody_removed_is_not_chosen_even_by_a_true_reference(desk: Desk, kind: CertificateKind) -> None:
    order = desk.order(kind, scope="members", members=[desk.refs["x-1"]])
    assert desk.refused(json.dumps(order).encode()) is ErrorCode.NOT_ISSUABLE_HERE


def test_and_the_right_one_is_prepared(tmp_path: Path, databases: Databases) -> None:
    desk = Desk(tmp_path, databases.migrated())
    members = [desk.refs["r-hanako"], desk.refs["r-taro"]]
    order = desk.order(CertificateKind.RESIDENCE, scope="members", members=members)
    response = desk.send(json.dumps(order).encode())
    assert (response.status_code, response.content_type) == (200, "application/pdf")
    desk.office.close()
