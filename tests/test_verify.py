"""The receivers' check: tampering told apart, status, typed codes, and what must not be learnt from any answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from issuance_server.config import ConfigError
from issuance_server.database import read, write
from issuance_server.schema import orders
from issuance_server.verify import words
from issuance_server.verify.check import Finding, Outcome, PublishedKeys, Status, judge, missing_on_page
from issuance_server.verify.config import load, load_from_environment, read_trust
from printing.paper import seal
from protocol import codes
from protocol.messages import EventKind, Scope
from tests.databases import Databases, Plans, everything_in, reads_whole, stored_in
from tests.issuing_parts import CODE, abandon, order_id
from tests.verify_parts import CheckedOffice, checked_office, content_of, new_key

TODAY = date(2026, 7, 1)


@dataclass
class Desk:
    """An office with one printed paper, and its check."""

    office: CheckedOffice
    client: FlaskClient
    pdf: bytes

    @property
    def text(self) -> str:
        return seal.read_printed(self.pdf)

    @property
    def content(self) -> seal.SealContent:
        return content_of(self.office, self.pdf)

    def check(self, seal_text: str) -> dict[str, object]:
        answer = self.client.post("/api/check", json={"seal": seal_text})
        assert answer.status_code == 200
        return dict(answer.json)  # type: ignore[arg-type]  # an object, as the API says

    def outcome(self, seal_text: str) -> object:
        return self.check(seal_text)["outcome"]


@pytest.fixture
def desk(tmp_path: Path, databases: Databases) -> Iterator[Desk]:
    with checked_office(tmp_path, databases.declared()) as office:
        pdf = office.issue()
        yield Desk(office, office.app().test_client(), pdf)


def altered(desk: Desk, **fields: str) -> seal.SealContent:
    return msgspec.structs.replace(desk.content, fields=desk.content.fields | fields)


# By the seal alone


def test_a_printed_paper_is_genuine_and_says_what_is_proven(desk: Desk) -> None:
    told = desk.check(desk.text)
    assert (told["outcome"], told["seal"], told["status"]) == ("genuine", "valid", "active")
    assert told["proven"] == {
        "municipality_code": CODE,
        "municipality_name": "見本市",
        "kind": "residence",
        "issue_number": "2026-0000001",
        "issued_on_jst": "2026-07-01",
        "age_days": 0,
        "fields": {"names": ["見本 太郎"], "address": [desk.content.fields["address"]]},
    }
    desk.office.office.clock.advance(days=100)
    later = desk.check(desk.text)
    assert later["outcome"] == "genuine"  # no certificate expires
    assert later["proven"]["age_days"] == 100  # type: ignore[index]  # it was an object just now


def test_a_digit_altered_in_the_code_is_forged(desk: Desk) -> None:
    genuine = desk.text
    other = "1" if genuine[60] != "1" else "2"
    assert desk.outcome(genuine[:60] + other + genuine[61:]) in {"damaged", "forged"}
    impostor, published = new_key()
    renamed = replace(impostor, key_id=desk.office.signer.key_id)
    assert desk.outcome(seal.sign(altered(desk, names="見本 次郎"), renamed)) == "forged"
    assert desk.outcome(seal.sign(desk.content, impostor)) == "unknown_key"
    assert published.key_id not in {key.key_id for key in desk.office.keys.all}


def test_another_municipalitys_key_cannot_speak_for_this_one(desk: Desk) -> None:
    foreign = seal.sign(desk.content, desk.office.other_signer)
    pem = {key.key_id: key.public_key_pem.encode() for key in desk.office.keys.all}
    assert seal.verify(foreign, pem) == desk.content  # the signature alone says nothing of whose key it is
    told = desk.check(foreign)
    assert (told["outcome"], told["proven"]) == ("other_key", None)


def test_a_stolen_keys_seal_without_a_ledger_row_is_not_issued_and_an_alarm(desk: Desk) -> None:
    invented = msgspec.structs.replace(desk.content, status_id=bytes(16), issue_number="2026-0009999")
    with capture_logs() as logs:
        told = desk.check(seal.sign(invented, desk.office.signer))
    assert (told["outcome"], told["seal"], told["status"]) == ("not_issued", "valid", "not_issued")
    assert told["proven"] is None
    alarms = [line for line in logs if line["event"] == "alarm"]
    assert alarms == [
        {
            "event": "alarm",
            "log_level": "error",
            "reason": "valid_seal_without_order",
            "municipality_code": CODE,
            "key_id": desk.office.signer.key_id,
        }
    ]
    assert told["reported"] is True
    desk.check(desk.text)
    assert [(alarm.municipality_code, alarm.seen) for alarm in desk.office.alarms.all()] == [(CODE, 1)]


def test_a_stolen_key_cannot_borrow_a_real_papers_id_and_digest(desk: Desk) -> None:
    borrowed = altered(desk, names="見本 次郎")
    # All that a status by id and content digest alone would look at is the real paper's.
    assert (borrowed.status_id, borrowed.digest) == (desk.content.status_id, desk.content.digest)
    assert desk.outcome(seal.sign(borrowed, desk.office.signer)) == "not_issued"
    assert desk.outcome(seal.sign(desk.content, desk.office.signer)) == "genuine"  # the same statement, signed again


def test_a_retired_keys_papers_stay_good_and_it_signs_no_new_ones(desk: Desk) -> None:
    mine, other, _retired = desk.office.keys.all
    for window, expected in (
        ({"sealed_until_jst": TODAY}, Finding.VALID),
        ({"sealed_until_jst": TODAY - timedelta(days=1)}, Finding.RETIRED_KEY),
        ({"sealed_from_jst": TODAY}, Finding.VALID),
        ({"sealed_from_jst": TODAY + timedelta(days=1)}, Finding.RETIRED_KEY),
    ):
        keys = PublishedKeys((msgspec.structs.replace(mine, **window), other))
        assert keys.read(desk.text).finding is expected
    with pytest.raises(ValueError, match="two of one key id"):
        PublishedKeys((mine, mine))


@pytest.mark.parametrize(
    ("alter", "outcome"),
    [
        (lambda genuine: genuine[:-20], "damaged"),
        (lambda genuine: genuine[:40] + genuine[60:], "damaged"),
        (lambda genuine: genuine[:5], "damaged"),
        (lambda genuine: "https://kakunin.example/?" + genuine, "foreign"),
        (lambda genuine: genuine.removeprefix("MDG1:"), "foreign"),
        (lambda genuine: genuine[:0], "foreign"),
    ],
)
def test_damaged_and_foreign_codes_are_told_apart(desk: Desk, alter: Callable[[str], str], outcome: str) -> None:
    told = desk.check(alter(desk.text))
    assert (told["outcome"], told["status"], told["proven"]) == (outcome, None, None)


# Status


def test_the_status_follows_the_paper(desk: Desk) -> None:
    pdf = desk.office.prepare()
    unprinted = seal.read_printed(pdf)
    assert desk.outcome(unprinted) == "provisional"
    desk.office.grant()
    assert desk.outcome(unprinted) == "provisional"
    desk.office.office.tell(EventKind.PRINTED, order_id=order_id(2), sheets_out=1)
    assert desk.outcome(unprinted) == "genuine"
    desk.office.void()
    told = desk.check(unprinted)
    assert (told["outcome"], told["seal"], told["status"]) == ("void", "valid", "void")
    assert desk.outcome(desk.text) == "genuine"  # the other paper's number stays what it was


def test_s15_the_sheets_of_a_jam_are_void_for_whoever_gets_them(desk: Desk) -> None:
    jammed = seal.read_printed(desk.office.prepare(scope=Scope.HOUSEHOLD))
    desk.office.grant()
    desk.office.office.tell(EventKind.PARTIAL, order_id=order_id(2), sheets_out=1)
    assert desk.outcome(jammed) == "void"


def test_an_intent_that_was_never_sealed_has_no_paper(desk: Desk, databases: Databases) -> None:
    with checked_office(desk.office.office.folder / "second", databases.declared()) as office:
        abandon(office.office, office.caller)
        invented = msgspec.structs.replace(desk.content, status_id=office.office.order().status_id)
        stolen = seal.sign(invented, office.signer)
        assert replace(desk, client=office.app().test_client()).outcome(stolen) == "not_issued"
        number, code = office.printed_numbers()
        assert office.book.seal_of(number, code) is None


def test_the_check_cannot_write(desk: Desk) -> None:
    harmful = text("UPDATE orders SET state = 'VOIDED'")
    for begin in (read, write):
        with pytest.raises(DBAPIError, match=r"read-?only"), begin(desk.office.engine) as connection:
            connection.execute(harmful)
    with write(desk.office.office.engine) as connection:  # guard off: the office's own engine
        assert connection.execute(harmful).rowcount == 1


@pytest.mark.parametrize("column", ["statement_sha256", "check_digest"])
def test_a_paper_is_found_by_an_index_however_many_there_are(desk: Desk, column: str) -> None:
    with Plans(desk.office.engine) as plans, read(desk.office.engine) as connection:
        connection.execute(select(orders.c.state).where(orders.c[column] == bytes(32)))
    plan = plans.of("SELECT")
    assert f"orders_{column}" in plan
    assert not reads_whole(plan, "orders")


# Number and check code


def test_number_and_code_find_the_paper(desk: Desk) -> None:
    number, code = desk.office.printed_numbers()
    told = desk.client.post("/api/code", json={"issue_number": number, "check_code": code}).json
    assert told == desk.check(desk.text)
    desk.office.void()
    answer = desk.client.post("/api/code", json={"issue_number": number, "check_code": code.lower()})
    assert msgspec.json.decode(answer.data)["outcome"] == "void"


def test_unknown_wrong_and_nonsense_are_one_answer(desk: Desk) -> None:
    number, code = desk.office.printed_numbers()
    other_number, other_code = "2026-0000002", codes.readable(bytes(10))
    asked = [(number, other_code), (other_number, code), (other_number, other_code), ("", ""), ("'--", "💣" * 60)]
    told = {
        desk.client.post("/api/code", json={"issue_number": typed, "check_code": guess}).data for typed, guess in asked
    }
    assert len(told) == 1
    assert msgspec.json.decode(told.pop())["outcome"] == "not_found"


def test_the_code_stands_nowhere_in_the_database(desk: Desk) -> None:
    code = desk.office.printed_numbers()[1]
    stored = stored_in(desk.office.office.engine)
    assert desk.content.issue_number.encode() not in stored  # the year and the number stand apart
    assert order_id(1).encode() in stored
    for form in (code, code.replace("-", ""), desk.text):
        assert form.encode() not in stored


# Nothing is kept, nothing is said twice


def test_nothing_that_was_asked_is_logged_or_kept(desk: Desk) -> None:
    number, code = desk.office.printed_numbers()
    before = everything_in(desk.office.office.engine)
    with capture_logs() as logs:
        desk.check(desk.text)
        desk.client.post("/api/code", json={"issue_number": number, "check_code": code})
        desk.client.post("/result", data={"lang": "ja", "seal": desk.text})
        desk.client.post("/result", data={"lang": "en", "issue_number": number, "check_code": "wrong"})
        desk.client.post("/api/check", data=b"\xff" + desk.text.encode())
        desk.client.get(f"/api/check?seal={desk.text}")
    assert everything_in(desk.office.office.engine) == before
    assert len(logs) == 6
    for secret in ("見本", code, number, desk.text, "wrong", "MDG1"):
        assert secret not in str(logs)


def test_what_is_personal_comes_in_bodies_only(desk: Desk) -> None:
    number, code = desk.office.printed_numbers()
    for path in ("/result", "/api/check", "/api/code", "/api/report"):
        assert desk.client.get(path, query_string={"issue_number": number, "check_code": code}).status_code == 405
    answer = desk.client.post(f"/result?issue_number={number}&check_code={code}", data={"lang": "ja"})
    assert "該当する証明書がありません" in answer.text


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/check", b"{}", 400),
        ("/api/check", b"no json", 400),
        ("/api/check", b'{"seal": 1}', 400),
        ("/api/check", b'{"seal": "x", "more": 1}', 400),
        ("/api/check", b'{"seal": "%s"}' % (b"A" * 2001), 400),
        ("/api/check", b"A" * 20_000, 413),
        ("/api/code", b'{"issue_number": "1"}', 400),
        ("/api/report", b"{}", 400),
        ("/api/nothing", b"{}", 404),
    ],
)
def test_what_is_not_a_question_is_refused(desk: Desk, path: str, body: bytes, status: int) -> None:
    answer = desk.client.post(path, data=body)
    assert answer.status_code == status
    assert msgspec.json.decode(answer.data).keys() == {"code"}


def test_only_the_named_library_files_are_served(desk: Desk) -> None:
    for name in ("zxing/zxing_reader.wasm", "pdfjs/pdf.worker.min.mjs"):
        with desk.client.get(f"/lib/{name}") as answer:
            assert answer.status_code == 200
    for name in ("pdfjs/pdf.sandbox.min.mjs", "htmx.org/dist/htmx.js", "..%2f..%2fpackage.json"):
        assert desk.client.get(f"/lib/{name}").status_code == 404


def test_every_answer_is_strict(desk: Desk) -> None:
    for answer in (desk.client.get("/"), desk.client.get("/en"), desk.client.get("/nothing")):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';")
        assert "unsafe-inline" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "style=" not in answer.text
        assert "<script>" not in answer.text


def test_the_check_carries_nothing_that_issues() -> None:
    code = (
        "import sys, issuance_server.verify.app; sys.exit(bool({'reportlab', 'uharfbuzz', 'issuance_server.issue', "
        "'issuance_server.card_auth', 'issuance_server.app'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


# Words


def test_every_outcome_has_words_of_its_own() -> None:
    assert set(words.WORDS) == set(Outcome)
    for lang in (words.JA, words.EN):
        for part in ("title", "meaning"):
            said = [getattr(entry, part)[lang] for entry in words.WORDS.values()]
            assert len(set(said)) == len(Outcome)
            assert all(said)
        assert all(entry.advice[lang] for entry in words.WORDS.values())
    everything = str(words.WORDS) + str(words.PAGE)
    assert "期限" not in everything
    assert "expire" not in everything


@pytest.mark.parametrize(("days", "said"), [(0, "issued today"), (1, "issued 1 day ago"), (95, "issued 95 days ago")])
def test_age_in_words(days: int, said: str) -> None:
    assert words.age(days, words.EN) == said


def test_dates_and_years_are_said_as_on_the_paper_too() -> None:
    assert words.day(date(2026, 11, 22), words.JA) == "2026年11月22日 (令和8年11月22日)"
    assert words.day(date(2019, 5, 1), words.EN) == "1 May 2019 (令和元年5月1日)"
    assert words.values("fiscal_year", ("2026", "2019")) == ("2026 (令和8年度)", "2019 (平成31年度)")
    assert words.values("fiscal_year", ("0001", "二〇二六", "")) == ("0001", "二〇二六", "")
    assert words.values("names", ("2026",)) == ("2026",)


@pytest.mark.parametrize(
    ("lang", "said"), [("ja", "有効な証明書です"), ("en", "This certificate is genuine and valid")]
)
def test_the_page_answers_in_its_language(desk: Desk, lang: str, said: str) -> None:
    whole = desk.client.post("/result", data={"lang": lang, "seal": desk.text})
    assert said in whole.text
    assert "<!doctype html>" in whole.text
    alone = desk.client.post("/result", data={"lang": lang, "seal": desk.text, "alone": "1"})
    assert said in alone.text
    assert "<html" not in alone.text
    assert desk.client.post("/result", data={"lang": "xx", "seal": desk.text}).status_code == 400


def test_what_a_page_does_not_say_is_named(desk: Desk) -> None:
    proven = judge(desk.office.keys.read(desk.text), Status.ACTIVE, TODAY).proven
    assert proven is not None
    page = f"氏名 見本\n太郎 住所 {proven.fields['address'][0]} 発行番号 {proven.issue_number}"
    assert missing_on_page(proven, page) == ()
    assert missing_on_page(proven, page.replace("太郎", "太朗")) == ("names",)
    assert missing_on_page(proven, page.replace("0000001", "0000007")) == ("issue_number",)


# Configuration


def test_configuration_is_read_and_its_errors_named(tmp_path: Path) -> None:
    path = tmp_path / "verify.toml"
    with pytest.raises(ConfigError, match=r"verify\.toml cannot be read"):
        load(path)
    path.write_text('database_url = "sqlite:///x.db"\ntrust_file = "trust.json"\n')
    with pytest.raises(ConfigError, match="check_key_file"):
        load(path)
    path.write_text(
        'database_url = "sqlite:///x.db"\ntrust_file = "trust.json"\ncheck_key_file = "check.key"\n'
        'status_key_file = "status.pem"\nalarms_file = "alarms.db"\n'
    )
    config = load_from_environment({"MADOGUCHI_VERIFY_CONFIG": str(path)})
    files = (config.trust_file, config.check_key_file, config.status_key_file, config.alarms_file)
    assert files == tuple(str(tmp_path / name) for name in ("trust.json", "check.key", "status.pem", "alarms.db"))
    with pytest.raises(ConfigError, match="MADOGUCHI_VERIFY_CONFIG"):
        load_from_environment({})
    (tmp_path / "trust.json").write_text("{}")
    with pytest.raises(ConfigError, match="no published keys"):
        read_trust(tmp_path / "trust.json")
