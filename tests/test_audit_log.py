"""What was decided, in a tree that nobody can change unseen and that can forget: on both databases."""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import delete, insert, select, text, update

from issuance_server import audit_log, audit_tree, audit_verify, enrolments, stops
from issuance_server.audit_log import MAX_LAG, Written, require_current
from issuance_server.audit_tree import AT_ONCE, BadCheckpoint, Checkpoint, Signer
from issuance_server.audit_verify import Fault, Found, Verification, Verified
from issuance_server.database import open_engine, read, write
from issuance_server.merkle import leaf_hash
from issuance_server.schema import (
    APPEND_ONLY,
    append_only_triggers,
    audit_checkpoints,
    audit_records,
    order_events,
    orders,
    settings,
    terminals,
)
from issuance_server.stops import Reach, Target
from protocol.errors import ErrorCode
from protocol.messages import EventKind
from tests.databases import Databases
from tests.issuing_parts import CODE, SETTINGS, Office, code_of, order_id, payment_id

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
AT = datetime(2026, 7, 1, tzinfo=UTC)
SIGNER = Signer("check.invalid/audit", KEY.public_key())


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    """An office in which something was decided: papers, a stop, a case with its finding."""
    made = Office(tmp_path, databases.declared())
    caller = made.caller()
    made.prepare(caller, 1)
    made.prepare(caller, 2)
    made.grant(caller, 1)
    made.tell(EventKind.PARTIAL, order_id=order_id(1), sheets_out=1)
    with write(made.engine) as connection:
        target = Target(Reach.DOCUMENT, municipality_code=CODE, kind="income")
        stops.begin(connection, target, reason="why", officer="a", now_utc=made.clock())
        enrolments.invite(connection, terminal_id="t-9", operator="x", officer="a", now_utc=made.clock())
    yield made
    made.close()


def grow(office: Office) -> int:
    """What the beat does."""
    return audit_tree.grow(office.engine, SIGNER, KEY, office.clock)


def verify(office: Office, *kept: str) -> tuple[list[Found], Verified]:
    """What `audit verify` finds."""
    run = Verification(office.engine, SIGNER, office.clock(), kept)
    return list(run.run()), run.counts


def last_note(office: Office) -> str:
    with read(office.engine) as connection:
        return str(
            connection.execute(select(audit_checkpoints.c.note).order_by(audit_checkpoints.c.tree_size.desc())).scalar()
        )


def by_hand(office: Office, statement: Any) -> None:
    """What somebody with the database's own rights does: the triggers are taken away first."""
    engine = open_engine(office.url)
    with write(engine) as connection:
        for table in APPEND_ONLY:
            if engine.dialect.name == "sqlite":
                for verb in ("update", "delete"):
                    connection.execute(text(f"DROP TRIGGER IF EXISTS {table.name}_no_{verb}"))
            else:
                connection.execute(text(f"DROP TRIGGER IF EXISTS {table.name}_append_only ON {table.name}"))
        connection.execute(statement)
        for trigger in append_only_triggers(engine.dialect.name):
            connection.execute(text(trigger))
    engine.dispose()


def test_what_was_decided_is_recorded_and_nothing_is_found(office: Office) -> None:
    grown = grow(office)
    with read(office.engine) as connection:
        said = connection.execute(select(audit_records.c.what).order_by(audit_records.c.leaf_index)).scalars().all()
    assert grown == len(said)
    assert set(said) >= {
        "settings",
        "terminal enrolled",
        "order INTEND",
        "order PREPARE",
        "order GRANT",
        "order PARTIAL",
        "case opened",
        "stop begun",
    }
    found, counts = verify(office)
    assert found == []
    assert (counts.records, counts.forgotten, counts.checkpoints, counts.unsigned) == (grown, 0, 1, 0)
    assert counts.rows > 8
    assert grow(office) == 0
    assert len(verify(office, last_note(office))[0]) == 0


def test_a_server_that_issues_meanwhile_is_no_fraud(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paper is granted between the look at its records and the look at its rows."""
    grow(office)
    caller = office.caller()
    office.prepare(caller, 3)
    grow(office)
    real, granted = audit_verify._Decided.read.__func__, list[str]()  # type: ignore[attr-defined]

    def read_and_grant(cls: Any, connection: Any, subject: str) -> Any:
        decided = real(cls, connection, subject)
        if subject.endswith(order_id(3)) and not granted:
            granted.append(subject)
            office.grant(caller, 3, payment=3)
        return decided

    monkeypatch.setattr(audit_verify._Decided, "read", classmethod(read_and_grant))
    assert verify(office)[0] == []
    assert len(granted) == 1


# what somebody changes by hand


SETTING = f"settings:{CODE}:{SETTINGS.valid_from}"
CHANGES: dict[str, tuple[Callable[[], Any], tuple[Fault, str]]] = {
    "a fee": (lambda: update(orders).values(fee_yen=0), (Fault.CELL, f"orders:{CODE}:{order_id(1)}: fee_yen")),
    "whose order it is": (
        lambda: update(orders).where(orders.c.order_id == order_id(2)).values(requester_digest=bytes(32)),
        (Fault.CELL, f"orders:{CODE}:{order_id(2)}: requester_digest"),
    ),
    "a void paper made valid": (
        lambda: update(orders).where(orders.c.order_id == order_id(1)).values(state="PRINTED"),
        (Fault.CELL, f"orders:{CODE}:{order_id(1)}: state"),
    ),
    "a paper's hash": (
        lambda: update(orders).where(orders.c.order_id == order_id(2)).values(pdf_sha256=bytes(32)),
        (Fault.CELL, f"orders:{CODE}:{order_id(2)}: pdf_sha256"),
    ),
    "a column that nobody ever set": (
        lambda: update(orders).where(orders.c.order_id == order_id(2)).values(sheets_out=3),
        (Fault.CELL, f"orders:{CODE}:{order_id(2)}: sheets_out"),
    ),
    "when it happened": (
        lambda: update(order_events).where(order_events.c.to_state == "GRANTED").values(event="PRINTED"),
        (Fault.CELL, f"order_events:{CODE}:{order_id(1)}:GRANTED: event"),
    ),
    "an event left out": (
        lambda: delete(order_events).where(order_events.c.to_state == "GRANTED"),
        (Fault.ROW_MISSING, f"order_events:{CODE}:{order_id(1)}:GRANTED"),
    ),
    "an event put in": (
        lambda: insert(order_events).values(
            municipality_code=CODE, order_id=order_id(2), to_state="PRINTED", event="PRINTED", at_utc=AT
        ),
        (Fault.ROW_UNDECIDED, f"order_events:{CODE}:{order_id(2)}:PRINTED"),
    ),
    "a setting": (lambda: update(settings).values(body=b"{}"), (Fault.CELL, f"{SETTING}: body")),
    "a setting left out": (lambda: delete(settings), (Fault.ROW_MISSING, SETTING)),
    "a setting put in": (
        lambda: insert(settings).values(municipality_code=CODE, valid_from=date(2030, 1, 1), body=b"{}"),
        (Fault.ROW_UNDECIDED, f"settings:{CODE}:2030-01-01"),
    ),
    "money": (
        lambda: text("UPDATE postings SET amount_yen = 0 WHERE account = 'escrow'"),
        (Fault.CELL, f"postings:{CODE}:reserve:{payment_id(1)}:escrow: amount_yen"),
    ),
    "money put in": (
        lambda: text(
            "INSERT INTO postings SELECT municipality_code, 'again', account, amount_yen, payment_id, order_id,"
            " terminal_id, posted_at_utc FROM postings WHERE account = 'escrow'"
        ),
        (Fault.ROW_UNDECIDED, f"postings:{CODE}:again:escrow"),
    ),
    "money left out": (
        lambda: text("DELETE FROM postings WHERE account = 'escrow'"),
        (Fault.ROW_MISSING, f"postings:{CODE}:reserve:{payment_id(1)}:escrow"),
    ),
    "how it was paid": (
        lambda: text("UPDATE payments SET method = 'emoney'"),
        (Fault.CELL, f"payments:{CODE}:{payment_id(1)}: method"),
    ),
    "a terminal's key": (
        lambda: update(terminals).where(terminals.c.terminal_id == "t-1").values(public_key=bytes(32)),
        (Fault.CELL, "terminals:t-1: public_key"),
    ),
    "a stop ended": (
        lambda: text("UPDATE stops SET ended_by = 'nobody'"),
        (Fault.CELL, "stops:"),
    ),
    "a case closed": (lambda: text("UPDATE cases SET finding = 'it worked'"), (Fault.CELL, "cases:")),
    "what a record says": (lambda: update(audit_records).values(facts=b'["x",[]]'), (Fault.FACTS, "leaf 0, record ")),
    "a record's salt": (lambda: update(audit_records).values(salt=bytes(16)), (Fault.FACTS, "leaf 0, record ")),
    "what a record is about": (
        lambda: update(audit_records).where(audit_records.c.leaf_index == 0).values(subject="terminals:t-2"),
        (Fault.FACTS, "leaf 0, record "),
    ),
    "a record's name": (lambda: update(audit_records).values(what="order PRINTED"), (Fault.RECORD, "leaf 0, record ")),
    "a record's commitment": (
        lambda: update(audit_records).where(audit_records.c.leaf_index == 3).values(commitment=bytes(32)),
        (Fault.RECORD, "leaf 3, record "),
    ),
    "a record left out": (lambda: delete(audit_records).where(audit_records.c.leaf_index == 2), (Fault.GAP, "leaf 2")),
    "the last record left out": (
        lambda: text("DELETE FROM audit_records WHERE leaf_index = (SELECT max(leaf_index) FROM audit_records)"),
        (Fault.GAP, "leaves "),
    ),
    "a record emptied": (
        lambda: (
            update(audit_records).where(audit_records.c.leaf_index == 5).values(subject=None, salt=None, facts=None)
        ),
        (Fault.FACTS, "record "),
    ),
    "a record that nobody can read": (
        lambda: update(audit_records).where(audit_records.c.leaf_index == 4).values(facts=b"\xff"),
        (Fault.FACTS, "leaf 4, record "),
    ),
    "money of no payment": (
        lambda: text(
            "INSERT INTO postings SELECT municipality_code, 'x', account, amount_yen, 'nobody', order_id,"
            " terminal_id, posted_at_utc FROM postings WHERE account = 'escrow'"
        ),
        (Fault.ROW_UNDECIDED, f"postings:{CODE}:x:escrow"),
    ),
    "an invitation": (
        lambda: text("UPDATE enrolments SET operator = 'somebody'"),
        (Fault.CELL, "enrolments:"),
    ),
    "an invitation left out": (lambda: text("DELETE FROM enrolments"), (Fault.ROW_MISSING, "enrolments:")),
    "what a checkpoint goes on from": (
        lambda: update(audit_checkpoints).values(frontier=bytes(32)),
        (Fault.CHECKPOINT, "tree size "),
    ),
    "a checkpoint": (
        lambda: text("UPDATE audit_checkpoints SET note = replace(note, 'audit', 'other')"),
        (Fault.CHECKPOINT, "tree size "),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_one_row_changed_by_hand_is_found_and_named(office: Office, name: str) -> None:
    change, (fault, where) = CHANGES[name]
    grow(office)
    by_hand(office, change())
    found = verify(office)[0]
    assert any(one.fault is fault and one.where.startswith(where) for one in found), found


def forge(office: Office, place: int, old: bytes, new: bytes) -> None:
    """Change what a record says, with all that follows from it but for the roots."""
    with read(office.engine) as connection:
        row = connection.execute(select(audit_records).where(audit_records.c.leaf_index == place)).one()
    assert old in row.facts
    facts = row.facts.replace(old, new)
    committed = audit_log.commitment(row.salt, facts)
    forged = SimpleNamespace(**{**row._mapping, "facts": facts, "commitment": committed})
    values = {"facts": facts, "commitment": committed, "leaf_hash": leaf_hash(audit_log.entry(forged))}  # type: ignore[arg-type]
    by_hand(office, update(audit_records).where(audit_records.c.number == row.number).values(**values))


def test_a_change_that_reaches_into_the_tree_is_found_by_its_root(office: Office) -> None:
    """Whoever changes a row, its record, commitment and leaf is caught by the next signature, to the checkpoint."""
    first = grow(office)
    with write(office.engine) as connection:
        target = Target(Reach.MUNICIPALITY, municipality_code=CODE)
        stops.begin(connection, target, reason="why", officer="b", now_utc=office.clock())
    second = first + grow(office)
    forge(office, second - 1, b'"b"', b'"c"')
    by_hand(office, text("UPDATE stops SET begun_by = 'c' WHERE begun_by = 'b'"))
    assert verify(office)[0] == [Found(Fault.ROOT, f"leaves {first} to {second - 1}")]


def test_a_history_that_was_written_anew_is_found_by_whoever_kept_a_checkpoint(office: Office) -> None:
    """Even with the server's own key: everything here agrees with itself, and not with what was kept."""
    last = grow(office) - 1
    kept = last_note(office)
    forge(office, last, b'"a"', b'"c"')
    by_hand(office, text("UPDATE enrolments SET invited_by = 'c'"))
    by_hand(office, delete(audit_checkpoints))
    grow(office)
    assert verify(office)[0] == []
    assert verify(office, kept)[0] == [Found(Fault.KEPT, f"leaves 0 to {last}")]


@pytest.mark.parametrize("note", ["", "no note", "check.invalid/audit\n1\nAAAA\n\n\u2014 check.invalid/audit AAAA\n"])
def test_what_was_kept_and_is_no_checkpoint_is_said_to_be_none(office: Office, note: str) -> None:
    grow(office)
    assert [one.fault for one in verify(office, note)[0]] == [Fault.KEPT]


# forgetting


def test_a_signed_tree_whose_last_checkpoint_was_changed_does_not_grow_on_from_it(office: Office) -> None:
    """It would sign roots of a tree that never was."""
    grow(office)
    by_hand(office, update(audit_checkpoints).values(frontier=bytes(32)))
    office.prepare(office.caller(), 3)
    with pytest.raises(BadCheckpoint):
        grow(office)


def test_what_is_forgotten_leaves_the_tree_verifiable(office: Office) -> None:
    grow(office)
    kept = last_note(office)
    key = {"municipality_code": CODE, "order_id": order_id(1)}
    with write(office.engine) as connection:
        forgotten = audit_log.forget(connection, CODE, office.clock(), "orders", key)
    assert forgotten > 3
    assert verify(office, kept)[0] == [], "what says so waits for its place yet"
    grow(office)
    found, counts = verify(office, kept)
    assert found == []
    assert counts.forgotten == forgotten
    with read(office.engine) as connection:
        left = connection.execute(select(audit_records.c.facts).where(audit_records.c.facts.is_not(None))).scalars()
        said = b"".join(left.all())
    digest = office.order(1).fingerprint.hex().encode()
    assert digest not in said
    assert office.order(2).fingerprint.hex().encode() in said


def test_a_commitment_cannot_be_tried_out_without_its_salt(office: Office) -> None:
    """Two records of the same facts commit to different things."""
    said = Written("stops", {"stop_id": "x"}, {"reason": "the same"})
    with write(office.engine) as connection:
        for _ in range(2):
            audit_log.record(connection, "stop begun", CODE, office.clock(), said)
        rows = connection.execute(
            select(audit_records.c.facts, audit_records.c.commitment).where(audit_records.c.subject == "stops:x")
        ).all()
    assert rows[0].facts == rows[1].facts
    assert rows[0].commitment != rows[1].commitment


# growing


def test_a_decision_that_is_given_up_leaves_no_record(office: Office) -> None:
    def give_up() -> None:
        with write(office.engine) as connection:
            stops.begin(connection, Target(Reach.ALL), reason="why", officer="a", now_utc=office.clock())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        give_up()
    grow(office)
    assert verify(office)[0] == []
    with read(office.engine) as connection:
        assert [one.target.reach for one in stops.open_stops(connection)] == [Reach.DOCUMENT]


def test_whoever_is_killed_between_putting_in_and_signing_goes_on_where_it_was(office: Office) -> None:
    put_in = audit_tree._put_in(office.engine)
    assert put_in > 0
    assert verify(office)[1].unsigned == put_in
    assert grow(office) == 0
    found, counts = verify(office)
    assert (found, counts.unsigned) == ([], 0)


def test_more_than_fits_at_once(office: Office) -> None:
    with write(office.engine) as connection:
        for number in range(AT_ONCE + 5):
            audit_log.record(
                connection, "stop begun", CODE, office.clock(), Written("stops", {"stop_id": str(number)}, {})
            )
    assert grow(office) > AT_ONCE
    with read(office.engine) as connection:
        places = connection.execute(select(audit_records.c.leaf_index).order_by(audit_records.c.leaf_index)).scalars()
        assert places.all() == list(range(verify(office)[1].records))


def test_two_that_grow_it_at_once_make_one_tree(office: Office) -> None:
    gate = threading.Barrier(2, timeout=10)

    def run() -> None:
        gate.wait()
        grow(office)

    for number in range(5):
        with write(office.engine) as connection:
            for at in range(20):
                said = Written("stops", {"stop_id": f"{number}-{at}"}, {})
                audit_log.record(connection, "stop begun", CODE, office.clock(), said)
        both = [threading.Thread(target=run) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
    grow(office)
    found, counts = verify(office)
    assert (found, counts.unsigned) == ([], 0)


def test_nothing_is_decided_any_more_while_records_wait(office: Office) -> None:
    """The tree is not grown: half a minute later nothing is prepared or granted, and nothing is lost."""
    issuer = office.new_issuer(require_current=require_current)
    grow(office)
    caller = office.caller()
    issuer.prepare(caller, office.request(3, caller))
    office.clock.advance(seconds=MAX_LAG.total_seconds())
    issuer.prepare(caller, office.request(4, caller))
    office.clock.advance(seconds=1)
    assert code_of(lambda: issuer.prepare(caller, office.request(5, caller))) is ErrorCode.RECORDS_BEHIND
    office.prepare(caller, 5)  # the guard off
    grow(office)
    issuer.prepare(caller, office.request(6, caller))


def test_a_tree_that_is_not_grown_is_seen(office: Office) -> None:
    grow(office)
    office.clock.advance(seconds=100)
    with write(office.engine) as connection:
        at_utc = office.clock() - MAX_LAG - timedelta(seconds=1)
        audit_log.record(connection, "stop begun", CODE, at_utc, Written("stops", {"stop_id": "x"}, {}))
    assert [one.fault for one in verify(office)[0]] == [Fault.OUTSIDE]


# checkpoints


def test_openssl_takes_a_checkpoints_signature(tmp_path: Path) -> None:
    """The note's text is what is signed: four bytes of the key's hash stand before the signature."""
    note = SIGNER.note(Checkpoint(7, bytes(32)), KEY)
    said, _, signature = note.partition("\n\n")
    assert said == f"check.invalid/audit\n7\n{base64.b64encode(bytes(32)).decode()}"
    (tmp_path / "said").write_text(f"{said}\n")
    (tmp_path / "signature").write_bytes(base64.b64decode(signature.split()[-1])[4:])
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "said"]
    done = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, b"Signature Verified Successfully")


def test_a_checkpoint_is_read_back_and_nothing_else() -> None:
    note = SIGNER.note(Checkpoint(7, bytes(32)), KEY)
    assert SIGNER.read(note) == Checkpoint(7, bytes(32))
    other = Signer("elsewhere.invalid/audit", KEY.public_key())
    wrong = Signer("check.invalid/audit", Ed25519PrivateKey.generate().public_key())
    for signer, why in ((other, "another tree"), (wrong, "another key")):
        with pytest.raises(BadCheckpoint, match=why):
            signer.read(note)
    for altered in (note.replace("\n7\n", "\n8\n"), note.replace("\n7\n", "\n07\n"), note.replace("AAAA", "AAAB", 1)):
        with pytest.raises(BadCheckpoint, match="does not hold"):
            SIGNER.read(altered)
