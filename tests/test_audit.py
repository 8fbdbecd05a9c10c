"""The audit of papers: an untouched ledger is clean, and each fault is found, most of them by one comparison alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace as changed
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from sqlalchemy import select, update

from issuance_server import ledger, snapshots
from issuance_server.audit import Audited, Fault, Found, PaperAudit
from issuance_server.database import open_engine, read, write
from issuance_server.issue import Issuer
from issuance_server.ledger import OrderState
from issuance_server.schema import orders
from issuance_server.snapshots import Snapshot
from issuance_server.verify.check import PublishedKeys
from madoguchi import main
from printing.paper import certificates, seal
from protocol.messages import EventKind
from protocol.trust import SealKeyTrust
from tests.databases import Databases, everything_in
from tests.issuing_parts import ADDRESS, CODE, INDIVIDUAL_NUMBER, MEMBERS, Office, fonts, order_id
from tests.verify_parts import OTHER_CODE, new_key

pytestmark = pytest.mark.slow


class Audit:
    """An office with three papers (printed, prepared, void) and an intent that became none; and who audits it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.office = office = Office(folder, url)
        self.published: tuple[SealKeyTrust, ...] = office.keys.trust({CODE: "見本市"}).seal_keys
        self.render: Any = certificates.render
        self.build: str | None = None
        caller = office.caller()
        office.prepare(caller, 1, items=("individual_number",))
        office.grant(caller, 1)
        office.tell(EventKind.PRINTED, order_id=order_id(1), sheets_out=1)
        office.prepare(caller, 2, kind="taxation", fiscal_year=2026)
        office.prepare(caller, 3)
        office.tell(EventKind.ORDER_VOIDED, order_id=order_id(3))
        with pytest.raises(KeyboardInterrupt):
            office.new_issuer(render=self._die).prepare(caller, office.request(4))
        assert [office.order(n).state for n in (1, 2, 3, 4)] == [
            OrderState.PRINTED,
            OrderState.PREPARED,
            OrderState.VOIDED,
            OrderState.INTENDED,
        ]

    @staticmethod
    def _die(*_: object) -> bytes:
        raise KeyboardInterrupt

    def run(self, **asked: Any) -> list[Audited]:
        engine = open_engine(self.office.url, read_only=True)
        try:
            audit = PaperAudit(
                engine=engine,
                vault=self.office.vault,
                fonts=fonts(),
                published=PublishedKeys(self.published),
                check=self.office.keys.check,
                render=self.render,
                build=self.build,
            )
            return list(audit.papers(**asked))
        finally:
            engine.dispose()

    def found(self, number: int = 1) -> set[str]:
        """What is found of one order; the others are clean."""
        by_id = {audited.order_id: audited for audited in self.run()}
        mine = by_id.pop(order_id(number))
        assert not [audited for audited in by_id.values() if audited.found]
        return {found.fault.value + (f": {found.detail}" if found.detail else "") for found in mine.found}

    def column(self, name: str, number: int = 1) -> Any:
        with read(self.office.engine) as connection:
            return connection.execute(select(orders.c[name]).where(orders.c.order_id == order_id(number))).scalar_one()

    def put(self, number: int = 1, /, **values: object) -> None:
        """Alter a row, as somebody with the database in their hands could."""
        with write(self.office.engine) as connection:
            connection.execute(update(orders).where(orders.c.order_id == order_id(number)).values(**values))

    def snapshot(self, number: int = 1) -> Snapshot:
        return snapshots.open_sealed(self.office.vault, CODE, order_id(number), self.column("snapshot", number))

    def put_snapshot(self, snapshot: Snapshot, number: int = 1) -> None:
        """Alter a snapshot, as somebody who has the vault's key too could."""
        self.put(number, snapshot=snapshots.seal(self.office.vault, CODE, order_id(number), snapshot))

    def seal_text(self, number: int = 1) -> str:
        opened = ledger.opened_seal(self.office.vault, self.office.order(number))
        assert opened is not None
        return opened

    def put_seal(self, seal_text: str, number: int = 1) -> None:
        self.put(number, seal_blob=ledger.sealed_seal(self.office.vault, self.office.order(number), seal_text))


@pytest.fixture
def audit(tmp_path: Path, databases: Databases) -> Iterator[Audit]:
    audit = Audit(tmp_path, databases.migrated())
    yield audit
    audit.office.close()


def test_an_untouched_ledger_is_clean(audit: Audit) -> None:
    audited = audit.run()
    assert [one.found for one in audited] == [()] * 4
    assert sum(one.paper for one in audited) == 3


def _swapped(audit: Audit) -> None:
    first, second = audit.column("snapshot", 1), audit.column("snapshot", 3)
    audit.put(1, snapshot=second)
    audit.put(3, snapshot=first)


ONE_FACT: dict[str, tuple[Callable[[Audit], object], str]] = {
    "hash": (lambda audit: audit.put(pdf_sha256=bytes(32)), "hash"),
    "sheets": (lambda audit: audit.put(sheets=2), "sheets"),
    "status id": (lambda audit: audit.put(status_id=bytes(16)), "stated: status_id of the row"),
    "kind": (lambda audit: audit.put(kind="taxation"), "stated: kind of the row"),
    "statement": (lambda audit: audit.put(statement_sha256=bytes(32)), "statement"),
    "check digest": (lambda audit: audit.put(check_digest=bytes(32)), "check_code: the row is not found by it"),
    "no check digest": (lambda audit: audit.put(check_digest=None), "check_code: the row is not found by it"),
    "seal for the code": (lambda audit: audit.put(seal_for_code=bytes(40)), "check_code: it does not open the seal"),
    "no seal for the code": (lambda audit: audit.put(seal_for_code=None), "check_code: it does not open the seal"),
    "snapshot": (
        lambda audit: audit.put(snapshot=audit.column("snapshot")[:-1] + b"x"),
        "snapshot: the blob is altered or belongs to another row",
    ),
    "stored seal": (
        lambda audit: audit.put(seal_blob=audit.column("seal_blob")[:-1] + b"x"),
        "seal_stored: the blob is altered or belongs to another row",
    ),
    "no seal": (lambda audit: audit.put(seal_blob=None), "incomplete"),
    "binding": (
        lambda audit: audit.put_snapshot(replace(audit.snapshot(), binding=bytes(32))),
        "stated: binding of the snapshot",
    ),
    "what was ordered": (
        lambda audit: audit.put_snapshot(
            replace(audit.snapshot(), expected=replace(audit.snapshot().expected, address="みほん"))
        ),
        "recheck: address: another one, or not on every front",
    ),
}


@pytest.mark.parametrize("fault", ONE_FACT)
def test_a_fact_that_was_altered_is_found_and_nothing_else(audit: Audit, fault: str) -> None:
    alter, found = ONE_FACT[fault]
    alter(audit)
    assert audit.found() == {found}


def test_a_hash_that_is_gone_makes_a_paper_incomplete(audit: Audit) -> None:
    audit.put(pdf_sha256=None)
    assert audit.found() == {"incomplete", "hash"}


def test_snapshots_of_two_orders_that_change_places_do_not_open(audit: Audit) -> None:
    _swapped(audit)
    found = {one.order_id: one.found for one in audit.run() if one.found}
    moved = (Found(Fault.SNAPSHOT, "the blob is altered or belongs to another row"),)
    assert found == {order_id(1): moved, order_id(3): moved}


def test_and_who_has_the_vault_s_key_is_found_out_too(audit: Audit) -> None:
    audit.put_snapshot(audit.snapshot(3))
    assert audit.found() >= {
        "hash",
        "recheck: issue_number: another one, or not on every front",
        "stated: digest of the snapshot",
        "stated: issue_number of the snapshot",
        "stated: salt of the snapshot",
        "check_code: it does not open the seal",
    }


def test_a_number_that_was_altered(audit: Audit) -> None:
    audit.put(number=99)
    assert audit.found() == {
        "recheck: issue_number: another one, or not on every front",
        "stated: issue_number of the row",
    }


def test_a_name_that_was_altered_in_the_snapshot(audit: Audit) -> None:
    snapshot = audit.snapshot()
    people = tuple(replace(person, name="見本 偽造") for person in snapshot.certificate.people)  # type: ignore[union-attr] # a residence paper
    audit.put_snapshot(replace(snapshot, certificate=replace(snapshot.certificate, people=people)))  # type: ignore[call-arg] # same
    assert audit.found() == {
        "hash",
        "recheck: names: not those of the order",
        "stated: digest of the snapshot",
        "stated: fields of the snapshot",
    }


def test_a_snapshot_that_cannot_be_drawn(audit: Audit) -> None:
    snapshot = audit.snapshot()
    people = tuple(replace(person, name="\U0001f600") for person in snapshot.certificate.people)  # type: ignore[union-attr] # a residence paper
    audit.put_snapshot(replace(snapshot, certificate=replace(snapshot.certificate, people=people)))  # type: ignore[call-arg] # same
    assert "not_drawn: UndrawableText" in audit.found()


def test_a_snapshot_of_another_build(audit: Audit) -> None:
    aad = f"order/{CODE}/{order_id(1)}".encode()
    audit.put(snapshot=audit.office.vault.seal(aad, '{"requester_id": "見本 太郎", "owner": 1}'.encode()))
    assert audit.found() == {"snapshot: not one of this build"}


def test_a_seal_of_another_order(audit: Audit) -> None:
    audit.put_seal(audit.seal_text(3))
    assert audit.found() >= {
        "hash",
        "statement",
        "stated: status_id of the row",
        "stated: issue_number of the row",
        "check_code: it does not open the seal",
    }


def resigned(audit: Audit, signer: seal.SealSigner) -> None:
    """The same statement, signed by another key."""
    content = seal.verify(audit.seal_text(), {key.key_id: key.public_key_pem.encode() for key in audit.published})
    audit.put_seal(seal.sign(content, signer))


def test_a_seal_under_a_key_that_is_not_published_or_not_the_municipality_s(audit: Audit) -> None:
    thief, known = new_key(OTHER_CODE)
    resigned(audit, thief)
    assert "signature: unknown_key" in audit.found()
    audit.published = (*audit.published, known)
    assert "signature: other_key" in audit.found()
    resigned(audit, changed(thief, key_id=audit.published[0].key_id))
    assert "signature: forged" in audit.found()


def test_a_key_that_was_swapped_in_what_is_published(audit: Audit) -> None:
    _signer, other = new_key(CODE)
    (own,) = audit.published
    audit.published = (replace(own, public_key_pem=other.public_key_pem),)
    found = {one.order_id: one.found for one in audit.run() if one.found}
    assert found == {order_id(number): (Found(Fault.SIGNATURE, "forged"),) for number in (1, 2, 3)}


def test_a_key_that_was_not_in_use_on_the_paper_s_date(audit: Audit) -> None:
    (own,) = audit.published
    audit.published = (replace(own, sealed_until_jst=date(2026, 6, 30)),)
    assert {found for one in audit.run() for found in one.found} == {Found(Fault.SIGNATURE, "retired_key")}


def test_papers_of_another_build_are_no_finding_and_are_counted(audit: Audit) -> None:
    audit.render = lambda *paper: certificates.render(*paper) + b"% drawn otherwise\n"
    assert {found for one in audit.run() for found in one.found} == {Found(Fault.HASH)}
    audit.build = "another"
    audited = audit.run()
    assert [one.found for one in audited] == [()] * 4
    assert [one.other_build for one in audited] == [one.paper for one in audited]


@pytest.mark.parametrize("fault", ["what was ordered", "stored seal", "kind", "check digest"])
def test_another_build_excuses_the_bytes_alone(audit: Audit, fault: str) -> None:
    audit.build = "another"
    alter, found = ONE_FACT[fault]
    alter(audit)
    assert audit.found() == {found}


def test_a_code_that_the_printing_itself_got_wrong(audit: Audit) -> None:
    """Only the audit and the terminal look at the code as it is printed: the server's re-check reads text."""

    def wrong(fonts: Any, certificate: Any, issuance: Any, seal_text: str) -> bytes:
        return certificates.render(fonts, certificate, issuance, seal_text[:-2] + "00")

    issuer: Issuer = audit.office.new_issuer(render=wrong)
    issuer.prepare(audit.office.caller(visit="2" * 32), audit.office.request(5))
    audit.render = lambda fonts, record, issuance, seal_text: (
        wrong if issuance.issue_number.endswith("5") else certificates.render
    )(fonts, record, issuance, seal_text)
    assert audit.found(5) == {"printed_code: another text"}


def test_it_goes_on_where_it_was_cut_short(audit: Audit) -> None:
    everything = [one.order_id for one in audit.run()]
    assert everything == sorted(everything)
    assert [one.order_id for one in audit.run(after=(CODE, everything[1]))] == everything[2:]
    assert audit.run(municipality_code=OTHER_CODE) == []
    assert len(audit.run(municipality_code=CODE)) == 4


def test_since_is_a_date_in_japan(audit: Audit) -> None:
    audit.office.clock.advance(hours=12)  # midnight in Japan
    audit.office.prepare(audit.office.caller(visit="2" * 32), 5)
    assert [one.order_id for one in audit.run(since_jst=date(2026, 7, 2))] == [order_id(5)]
    assert len(audit.run(since_jst=date(2026, 7, 1))) == 5
    assert audit.run(since_jst=date(2026, 7, 3)) == []


# The command


@pytest.fixture
def config(audit: Audit) -> Path:
    path = audit.office.folder / "server.toml"
    path.write_text(
        f'database_url = "{audit.office.url}"\nkeys_folder = "keys"\nanchors_folder = "anchors"\n'
        'authorities = ["127.0.0.1:1"]\ncheck_address = "https://check.example"\nproduction = false\n'
        '[revocation]\nocsp_address = "http://127.0.0.1:9/"\nmax_age_s = 60\n'
    )
    return path


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["audit", "papers", "--config", str(config), *arguments])


def test_the_command_says_that_all_is_right_and_writes_nothing(audit: Audit, config: Path) -> None:
    before = everything_in(audit.office.engine)
    result = run(config)
    (line,) = result.output.splitlines()
    assert result.exit_code == 0
    told = json.loads(line)
    assert (told["orders"], told["papers"], told["findings"], told["complete"]) == (4, 3, 0, True)
    assert told["other_build"] == 0
    assert everything_in(audit.office.engine) == before
    rest = json.loads(run(config, "--after", told["last"]).output)
    assert (rest["orders"], rest["last"], rest["complete"]) == (0, told["last"], True)


def test_the_command_names_orders_and_facts_and_nobody(audit: Audit, config: Path) -> None:
    audit.put(pdf_sha256=bytes(32))
    audit.put_snapshot(audit.snapshot(1), number=2)
    audit.put(3, seal_blob=b"x")
    result = run(config)
    lines = result.output.splitlines()
    told = json.loads(lines[-1])
    assert result.exit_code == 1
    assert told["findings"] == len(lines) - 1 == sum(told["faults"].values())
    assert f"{CODE} {order_id(1)} 2026-0000001 hash" in lines
    everybody = [part for member in MEMBERS for part in (member.name, *member.name.split(), str(member.born_on))]
    for personal in (*everybody, ADDRESS, INDIVIDUAL_NUMBER, "202,500", "202500", "MDG1:"):
        assert personal not in result.output


def test_it_judges_by_the_file_that_receivers_have(audit: Audit, config: Path, tmp_path: Path) -> None:
    published = tmp_path / "trust.json"
    assert CliRunner().invoke(main, ["keys", "publish", "--keys", str(tmp_path / "keys"), "--to", str(published)])
    assert run(config, "--published", str(published)).exit_code == 0
    published.write_text(published.read_text().replace(CODE, OTHER_CODE))
    assert json.loads(run(config, "--published", str(published)).output.splitlines()[-1])["faults"] == {"signature": 3}


def test_interrupted_it_says_how_far_it_came(audit: Audit, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Audited] = []
    whole = PaperAudit.papers

    def cut(self: PaperAudit, **asked: Any) -> Iterator[Audited]:
        for one in whole(self, **asked):
            if len(seen) == 2:
                raise KeyboardInterrupt
            seen.append(one)
            yield one

    monkeypatch.setattr(PaperAudit, "papers", cut)
    result = run(config)
    told = json.loads(result.output)
    assert (told["orders"], told["complete"], result.exit_code) == (2, False, 1)
    assert told["last"] == f"{CODE}/{seen[-1].order_id}"


@pytest.mark.parametrize("arguments", [["--published", "nowhere.json"], ["--config", "nowhere.toml"]])
def test_what_keeps_it_from_beginning_is_said_in_a_line(config: Path, arguments: list[str]) -> None:
    result = run(config, *arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output.splitlines()) == 1
