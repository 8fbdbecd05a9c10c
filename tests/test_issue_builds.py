"""What came between two requests of one visit: a deployment of another build, or a seal's key that was revoked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from issuance_server import seal_keys
from issuance_server.database import write
from issuance_server.ledger import OrderState
from issuance_server.rules import JST
from issuance_server.schema import orders
from printing.paper import build, certificates, seal
from printing.paper.errors import NoEra
from printing.paper.fonts import Fonts
from printing.paper.records import Certificate, Issuance
from protocol.errors import ErrorCode
from tests.databases import Databases
from tests.issuing_parts import CODE, Office, abandon, code_of, fonts, order_id


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    office = Office(tmp_path, databases.declared())
    yield office
    office.close()


def drawn_otherwise(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    return certificates.render(fonts, record, issuance, seal_text) + b"% another build\n"


def test_a_paper_of_another_build_is_void_and_the_town_goes_on(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    renewed = office.new_issuer(build="another", render=drawn_otherwise)
    assert code_of(lambda: renewed.repeat(caller, order_id(1))) is ErrorCode.SERVICE_RENEWED
    assert office.order().state is OrderState.VOIDED
    assert office.open_cases() == []
    renewed.prepare(caller, office.request(2))


def test_the_same_bytes_are_the_same_paper_whichever_build_draws_them(office: Office) -> None:
    caller = office.caller()
    first = office.prepare(caller)
    assert office.new_issuer(build="another").repeat(caller, order_id(1)) == first


def test_the_build_itself_is_no_excuse_for_other_bytes(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    assert code_of(lambda: office.new_issuer(render=drawn_otherwise).repeat(caller, order_id(1))) is (
        ErrorCode.INTEGRITY_STOP
    )


def test_a_paper_that_another_build_cannot_draw_at_all(office: Office) -> None:
    def refuses(*_: object) -> bytes:
        raise NoEra

    caller = office.caller()
    office.prepare(caller)
    renewed = office.new_issuer(build="another", render=refuses)
    assert code_of(lambda: renewed.repeat(caller, order_id(1))) is ErrorCode.SERVICE_RENEWED
    assert office.order().state is OrderState.VOIDED


def test_an_intent_of_another_build_is_not_taken_over(office: Office) -> None:
    caller = office.caller()
    abandon(office, caller)
    renewed = office.new_issuer(build="another")
    assert code_of(lambda: renewed.prepare(caller, office.request())) is ErrorCode.ORDER_IN_FLIGHT
    office.clock.advance(seconds=31)
    assert code_of(lambda: renewed.prepare(caller, office.request())) is ErrorCode.SERVICE_RENEWED
    assert office.order().state is OrderState.VOIDED


def test_what_was_granted_stays_the_terminal_s_to_end(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    office.grant(caller)
    renewed = office.new_issuer(build="another", render=drawn_otherwise)
    assert code_of(lambda: renewed.repeat(caller, order_id(1))) is ErrorCode.SERVICE_RENEWED
    assert office.order().state is OrderState.GRANTED
    assert office.open_cases() == []


def test_a_snapshot_that_this_build_does_not_know_is_no_fault_of_the_paper_s(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    with write(office.engine) as connection:
        blob = office.vault.seal(f"order/{CODE}/{order_id(1)}".encode(), b'{"of": "another build"}')
        connection.execute(update(orders).values(snapshot=blob))
    for again in (lambda: office.issuer.repeat(caller, order_id(1)), lambda: office.grant(caller)):
        assert code_of(again) is ErrorCode.SERVICE_RENEWED
    assert office.open_cases() == []


def test_the_build_is_told_apart_by_what_draws_and_by_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, font = tmp_path / "paper", tmp_path / "font.ttf"
    package.mkdir()
    (package / "page.py").write_text("MARGIN_MM = 20\n")
    font.write_bytes(b"glyphs")

    def built() -> str:
        build._of.cache_clear()
        return build._of(package, (font,))

    try:
        first = built()
        (package / "page.pyc").write_bytes(b"compiled")
        assert built() == first
        (package / "page.py").write_text("MARGIN_MM = 21\n")
        second = built()
        font.write_bytes(b"other glyphs")
        third = built()
        monkeypatch.setattr(build, "version", lambda _name: "0.0.0")
        assert len({first, second, third, built()}) == 4
    finally:
        build._of.cache_clear()
    assert build.build_id(fonts()) == build.build_id(Fonts.load())


# A key that leaked


def test_a_paper_whose_key_was_revoked_meanwhile_is_not_sold(office: Office, tmp_path: Path) -> None:
    caller, today = office.caller(), office.clock().astimezone(JST).date()
    office.prepare(caller)
    (key,) = office.keys.seals.all
    seal_keys.revoke(tmp_path / "keys", key.key_id, from_jst=today)
    assert code_of(lambda: office.grant(caller)) is ErrorCode.SERVICE_RENEWED
    assert office.order().state is OrderState.PREPARED
    # Another key for today: the old key's paper stays refused, a new one is sold.
    seal_keys.rotate(tmp_path / "keys", CODE, from_jst=today, today_jst=today, at_once=True)
    assert code_of(lambda: office.grant(caller)) is ErrorCode.SERVICE_RENEWED
    _prepared, pdf = office.prepare(caller, 2)
    assert seal.key_id_in(seal.read_printed(pdf)) != key.key_id
    office.grant(caller, 2)
