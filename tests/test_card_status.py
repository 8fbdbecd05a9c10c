"""A card's status in a visit: asked for before anything is told, again at the grant, and written on the order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from issuance_server.database import read, write
from issuance_server.ledger import OrderState
from issuance_server.revocation import CardStatus, Source
from issuance_server.schema import metadata, orders, sessions
from issuance_server.sessions import Caller
from protocol import codec, messages
from protocol.errors import ErrorCode
from protocol.messages import AuthenticateAnswer
from tests.api_parts import ORDER, Server, make_folder, paid, serving, wanted
from tests.databases import Databases, everything_in
from tests.issuing_parts import SETTINGS, Office, code_of
from tests.server_parts import NOW, Authority

REFUSALS = (
    ErrorCode.CARD_CERTIFICATE_SUSPENDED,
    ErrorCode.CARD_CERTIFICATE_REVOKED,
    ErrorCode.CARD_STATUS_UNKNOWN,
)


@pytest.fixture
def server(tmp_path: Path, databases: Databases) -> Iterator[Server]:
    """The application, with an authority that says what it is told to."""
    with serving(make_folder(tmp_path, databases.migrated())) as running:
        yield running


def row_counts(server: Server) -> dict[str, int]:
    """How many rows each table has."""
    with read(server.engine) as connection:
        return {table.name: len(connection.execute(table.select()).all()) for table in metadata.sorted_tables}


@pytest.mark.parametrize("code", REFUSALS)
def test_s18_a_card_that_is_not_good_gets_no_session(server: Server, code: ErrorCode) -> None:
    """Refused before anything is told of anybody; and whoever asks again in time is answered."""
    request, before = server.authentication(server.challenge()), row_counts(server)
    server.cards.refuses = code
    assert server.refused_card(request) is code
    assert row_counts(server) == before
    assert server.issuer.callers == []
    server.cards.refuses = None
    server.ask(messages.PATH_AUTHENTICATE, request, AuthenticateAnswer)


def test_a_forged_signature_is_refused_before_anybody_is_asked(server: Server) -> None:
    """Whoever has no card must not learn from us how somebody else's stands."""
    server.cards.refuses = ErrorCode.CARD_CERTIFICATE_SUSPENDED
    right = server.authentication(server.challenge())
    assert server.refused_card(replace(right, signature=right.signature[::-1])) is ErrorCode.CARD_SIGNATURE_INVALID


@pytest.mark.parametrize("code", REFUSALS)
def test_s13_a_card_that_was_reported_lost_since_gets_no_grant(server: Server, code: ErrorCode) -> None:
    session = server.authenticate()
    server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session.session_id)))
    server.cards.refuses = code
    before = row_counts(server), len(server.issuer.callers)
    grant = codec.encode(paid(session.session_id))
    assert server.code(server.send("POST", messages.grant_path(ORDER), grant)) is code
    assert (row_counts(server), len(server.issuer.callers)) == before
    server.cards.refuses = None
    assert server.send("POST", messages.grant_path(ORDER), grant).status_code == 200


def test_a_card_that_expires_in_mid_visit_gets_no_grant(server: Server) -> None:
    server.card = Authority().card(serial=77, not_after_utc=NOW + timedelta(seconds=60))
    session = server.authenticate()
    server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session.session_id)))
    server.clock.pass_s(61)
    refused = server.send("POST", messages.grant_path(ORDER), codec.encode(paid(session.session_id)))
    assert server.code(refused) is ErrorCode.CARD_CERTIFICATE_EXPIRED


def test_a_card_whose_authority_is_not_trusted_any_more_gets_no_grant(server: Server) -> None:
    session = server.authenticate()
    server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session.session_id)))
    for anchor in server.config.anchors_folder.iterdir():
        anchor.unlink()
    refused = server.send("POST", messages.grant_path(ORDER), codec.encode(paid(session.session_id)))
    assert server.code(refused) is ErrorCode.CARD_CERTIFICATE_INVALID


def test_the_grant_is_judged_by_what_was_said_just_now(server: Server) -> None:
    session = server.authenticate()
    server.clock.pass_s(100)
    server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session.session_id)))
    server.cards.source = Source.CRL
    server.send("POST", messages.grant_path(ORDER), codec.encode(paid(session.session_id)))
    first, prepared, granted = (caller.card for caller in server.issuer.callers)
    assert first == prepared == CardStatus(Source.OCSP, NOW)
    assert granted == CardStatus(Source.CRL, NOW + timedelta(seconds=100))


def test_the_certificate_stands_nowhere_in_the_open(server: Server) -> None:
    """Only who sends the session's id can ask about it again."""
    server.authenticate()
    stored = everything_in(server.engine)
    assert server.card.certificate_der[60:100] not in stored


def test_a_session_of_an_older_build_begins_anew(server: Server) -> None:
    session = server.authenticate()
    with write(server.engine) as connection:
        connection.execute(sessions.update().values(card_blob=None, card_source=None, card_as_of_utc=None))
    response = server.send("POST", messages.PATH_ORDERS, codec.encode(wanted(session.session_id)))
    assert server.code(response) is ErrorCode.SERVICE_RENEWED


# what a municipality takes


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    """One municipality, real cycle."""
    made = Office(tmp_path, databases.declared())
    yield made
    made.close()


def by_list(office: Office, hours: float = 1, resident_id: str = "r-taro") -> Caller:
    """A session whose card is good by a list of some hours ago."""
    status = CardStatus(Source.CRL, office.clock() - timedelta(hours=hours))
    return dataclasses.replace(office.caller(resident_id), card=status)


def decide(office: Office, crl_max_age_h: int) -> None:
    """Have the municipality decide anew."""
    with write(office.engine) as connection:
        connection.execute(metadata.tables["settings"].delete())
        office.settings.put(connection, replace(SETTINGS, crl_max_age_h=crl_max_age_h))


def said(office: Office) -> tuple[str, object]:
    """What stands on the order of its card."""
    with read(office.engine) as connection:
        row = connection.execute(select(orders.c.card_source, orders.c.card_as_of_utc)).one()
    return row.card_source, row.card_as_of_utc


def test_s18_a_municipality_that_takes_no_list_refuses_before_money(office: Office) -> None:
    caller = by_list(office)
    assert code_of(lambda: office.issuer.welcome(caller)) is ErrorCode.CARD_STATUS_UNKNOWN
    assert code_of(lambda: office.prepare(caller)) is ErrorCode.CARD_STATUS_UNKNOWN
    with read(office.engine) as connection:
        assert connection.execute(select(orders.c.order_id)).all() == []


def test_a_municipality_that_takes_lists_issues_and_the_order_says_by_whose_word(office: Office) -> None:
    decide(office, 24)
    caller = by_list(office, hours=23)
    office.issuer.welcome(caller)
    office.prepare(caller)
    assert said(office) == ("crl", office.clock() - timedelta(hours=23))
    fresh = CardStatus(Source.OCSP, office.clock())
    office.grant(dataclasses.replace(caller, card=fresh))
    assert said(office) == ("ocsp", office.clock())


def test_s18_at_the_grant_a_list_that_got_too_old_is_refused_and_nothing_is_charged(office: Office) -> None:
    decide(office, 24)
    caller = by_list(office)
    office.prepare(caller)
    old = dataclasses.replace(caller, card=CardStatus(Source.CRL, office.clock() - timedelta(hours=24, seconds=1)))
    assert code_of(lambda: office.grant(old)) is ErrorCode.CARD_STATUS_UNKNOWN
    assert office.order().state is OrderState.PREPARED
    assert office.balances() == {}
    decide(office, 25)
    office.grant(old)
