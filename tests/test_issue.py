"""The issuance cycle with real rendering: each step with what it refuses, each check with a fault that only it sees."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from issuance_server import cases, documents, ledger, rules
from issuance_server.database import read, write
from issuance_server.ledger import OrderState
from issuance_server.schema import issue_number_counters
from issuance_server.settings import FiscalYearOpening
from printing.paper import certificates, recheck, seal
from printing.paper.fonts import Fonts
from printing.paper.records import (
    Certificate,
    Issuance,
    ResidenceCertificate,
    ResidenceItem,
    TaxationCertificate,
)
from protocol.errors import ErrorCode, IssueError
from protocol.messages import EventKind, PreparedOrder, Scope
from tests.databases import Databases, stored_in
from tests.issuing_parts import (
    CHILD,
    CODE,
    FEE_YEN,
    HANAKO,
    HOUSEHOLD,
    INDIVIDUAL_NUMBER,
    NOW,
    SETTINGS,
    TARO,
    TAXED,
    Office,
    abandon,
    asked,
    code_of,
    link_digest,
    longer,
    order_id,
    person,
    rows,
)

REFUSED = ErrorCode.NOT_ISSUABLE_HERE


@pytest.fixture
def office(tmp_path: Path, databases: Databases) -> Iterator[Office]:
    office = Office(tmp_path, databases.declared())
    yield office
    office.close()


def last_number(office: Office) -> int | None:
    with read(office.engine) as connection:
        return connection.execute(select(issue_number_counters.c.last_number)).scalar()


def text_of(pdf: bytes) -> str:
    return "\n".join(recheck.page_texts(pdf))


# Prepare


def test_a_paper_says_what_was_ordered(office: Office) -> None:
    prepared, pdf = office.prepare(office.caller())
    assert prepared.pdf_sha256 == hashlib.sha256(pdf).digest()
    assert prepared.masked_names == ("見● 太●",)
    assert (prepared.issue_number, prepared.title, prepared.sheets) == ("2026-0000001", "住民票の写し", 1)
    assert prepared.fee_yen == FEE_YEN
    assert prepared.expires_at_utc == NOW + timedelta(minutes=10)
    found = text_of(pdf)
    assert "見本 太郎" in found
    assert "2026-0000001" in found
    assert "見本 花子" not in found
    assert office.order().state is OrderState.PREPARED


def test_the_printed_seal_is_the_municipality_s_over_this_paper_and_binding(office: Office) -> None:
    request = office.request()
    prepared, pdf = office.issuer.prepare(office.caller(), request)
    keys = office.keys.trust().seal_keys_of(CODE)
    content = seal.verify(seal.read_printed(pdf), keys)
    assert content.binding == request.binding
    assert content.issue_number == prepared.issue_number
    assert content.status_id == office.order().status_id
    assert content.fields["names"] == "見本 太郎"


@pytest.mark.parametrize(
    ("fields", "names", "sheets", "title"),
    [
        ({"scope": Scope.HOUSEHOLD}, 4, 1, "住民票の写し"),
        ({"scope": Scope.MEMBERS, "member_ids": ("r-child", "r-maria")}, 2, 1, "住民票の写し"),
        ({"kind": "taxation", "fiscal_year": 2026}, 1, 1, "課税証明書"),
    ],
)
def test_households_members_and_taxation(
    office: Office, fields: dict[str, Any], names: int, sheets: int, title: str
) -> None:
    prepared, pdf = office.prepare(office.caller(), 1, **fields)
    assert (len(prepared.masked_names), prepared.sheets, prepared.title) == (names, sheets, title)
    assert title in text_of(pdf)


def test_more_than_four_people_take_more_sheets(office: Office) -> None:
    more = [replace(CHILD, resident_id=f"r-{n}", name=f"見本 子{n}") for n in range(3)]
    members = (*HOUSEHOLD.member_ids, *(child.resident_id for child in more))
    office.put(*more, replace(HOUSEHOLD, member_ids=members))
    prepared, _pdf = office.prepare(office.caller(), 1, scope=Scope.HOUSEHOLD)
    assert (len(prepared.masked_names), prepared.sheets) == (7, 2)


def test_the_individual_number_prints_only_if_chosen(office: Office) -> None:
    """S19."""
    caller = office.caller()
    _prepared, without = office.prepare(caller, 1, items=("domicile", "relationship"))
    _prepared, chosen = office.prepare(caller, 2, items=("individual_number",))
    assert INDIVIDUAL_NUMBER not in text_of(without)
    assert INDIVIDUAL_NUMBER in text_of(chosen)


def test_nothing_personal_stands_open_in_the_database(office: Office) -> None:
    office.prepare(office.caller(), 1, items=("individual_number", "domicile"))
    stored = stored_in(office.engine)
    assert link_digest("r-taro") in stored
    for personal in ("見本 太郎", "ミホン", INDIVIDUAL_NUMBER, "一丁目1番1号"):
        assert personal.encode() not in stored


@pytest.mark.parametrize(
    ("changed", "what", "code"),
    [
        (replace(HANAKO, issuance_stop=True), {}, REFUSED),
        (replace(TARO, died_on=date(2026, 1, 1)), {}, REFUSED),
        (replace(HOUSEHOLD, member_ids=("r-hanako",)), {}, REFUSED),
        (replace(TARO, name="辻\U000e01ef井 太郎"), {}, ErrorCode.GLYPH_NOT_PRINTABLE),
        (replace(HANAKO, name="辻\U000e01ef井 花子"), {"scope": Scope.HOUSEHOLD}, ErrorCode.GLYPH_NOT_PRINTABLE),
        (replace(TARO, name="見本" + " 長" * 120), {}, ErrorCode.FORM_TOO_SMALL),
        (replace(TARO, relationship="長男"), {"items": ("relationship",)}, REFUSED),
        (replace(TARO, born_on=date(1870, 1, 1)), {}, ErrorCode.FORM_TOO_SMALL),
        (None, {"kind": "seal"}, ErrorCode.NOT_OFFERED),
        (None, {"kind": "taxation", "fiscal_year": 2025}, REFUSED),
        (None, {"municipality_code": "999985"}, ErrorCode.NOT_OFFERED),
        (None, {"scope": Scope.MEMBERS, "members": ("0" * 24,)}, ErrorCode.BAD_REQUEST),
    ],
)
def test_a_refusal_takes_no_number_and_leaves_no_row(
    office: Office, changed: Any, what: dict[str, Any], code: ErrorCode
) -> None:
    caller = office.caller()
    if changed is not None:
        office.put(changed)
    with pytest.raises(IssueError) as refused:
        office.prepare(caller, 1, **what)
    assert refused.value.code is code
    assert "辻" not in refused.value.detail
    assert "長" not in refused.value.detail
    assert rows(office) == (0, 0, 0)
    assert last_number(office) is None


def test_a_fiscal_year_without_a_layout_is_not_offered(office: Office) -> None:
    opened = FiscalYearOpening(fiscal_year=2020, available_from=date(2020, 6, 1))
    later = replace(SETTINGS, valid_from=date(2026, 6, 1), fiscal_years=(*SETTINGS.fiscal_years, opened))
    with write(office.engine) as connection:
        office.settings.put(connection, later)
    office.put(replace(TAXED, fiscal_year=2020))
    with pytest.raises(IssueError, match="no layout for 2020") as refused:
        office.prepare(office.caller(), 1, kind="taxation", fiscal_year=2020)
    assert refused.value.code is ErrorCode.NOT_OFFERED
    assert rows(office) == (0, 0, 0)


def test_the_date_on_the_paper_decides_who_certifies(office: Office) -> None:
    """An acting head takes over at midnight; the day before, the paper still names the mayor."""
    mayor = SETTINGS.certifiers[0]
    acting = replace(mayor, valid_from=date(2026, 7, 2), title="見本市長職務代理者 見本市副市長", name="見本 なぎさ")
    with write(office.engine) as connection:
        office.settings.put(connection, replace(SETTINGS, valid_from=date(2026, 6, 1), certifiers=(acting, mayor)))
    for number, names in ((1, (mayor.title, mayor.name)), (2, (acting.title, acting.name))):
        _prepared, pdf = office.prepare(office.caller(visit=str(number) * 32), number)
        text = recheck.page_texts(pdf)[0]
        assert "\r\n".join((mayor.office, *names)) in text
        office.clock.advance(days=1)


def test_a_removed_link_is_nobody(office: Office) -> None:
    caller = office.caller()
    link = office.link("r-hanako")
    office.prepare(office.caller("r-hanako", visit="2" * 32), 1)
    with write(office.engine) as connection:
        office.register.remove_link(connection, link)
    assert code_of(lambda: office.prepare(office.caller("r-hanako", visit="3" * 32), 2)) is REFUSED
    office.prepare(caller, 3)


def test_a_session_ends(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    office.clock.now_utc = caller.expires_at_utc
    expired = ErrorCode.SESSION_EXPIRED
    assert code_of(lambda: office.prepare(caller, 2)) is expired
    assert code_of(lambda: office.issuer.repeat(caller, order_id(1))) is expired
    assert code_of(lambda: office.grant(caller)) is expired
    assert code_of(lambda: office.issuer.welcome(caller)) is expired


def test_a_visit_prepares_five_orders(office: Office) -> None:
    caller = office.caller()
    for number in range(1, 6):
        office.prepare(caller, number)
        office.prepare(caller, number)  # a repetition does not count
    assert code_of(lambda: office.prepare(caller, 6)) is ErrorCode.TOO_MANY_PREPARATIONS
    assert last_number(office) == 5
    office.prepare(office.caller(visit="2" * 32), 7)


# The same order again


def test_the_same_request_gets_the_same_answer_and_changes_no_row(office: Office) -> None:
    caller = office.caller()
    first = office.prepare(caller)
    before = rows(office)
    assert office.prepare(caller) == first
    assert office.issuer.repeat(caller, order_id(1)) == first
    assert office.new_issuer().prepare(caller, office.request()) == first  # another server, the same bytes
    office.grant(caller)
    assert office.prepare(caller) == first
    assert rows(office) == (before[0], before[1] + 1, before[2])  # the grant


@pytest.mark.parametrize("changed", [{"items": ("domicile",)}, {"binding": bytes(32)}, {"session_id": "other"}])
def test_another_request_under_a_known_id_is_a_conflict(office: Office, changed: dict[str, Any]) -> None:
    caller = office.caller()
    office.prepare(caller)
    assert code_of(lambda: office.prepare(caller, 1, **changed)) is ErrorCode.ORDER_CONFLICT


def test_an_order_is_its_session_s_alone(office: Office) -> None:
    caller, other = office.caller(), office.caller(terminal="t-2", visit="2" * 32)
    office.prepare(caller)
    assert code_of(lambda: office.prepare(other)) is ErrorCode.ORDER_CONFLICT
    assert code_of(lambda: office.issuer.repeat(other, order_id(1))) is ErrorCode.UNKNOWN_ORDER
    assert code_of(lambda: office.grant(other)) is ErrorCode.UNKNOWN_ORDER
    assert code_of(lambda: office.issuer.repeat(caller, order_id(2))) is ErrorCode.UNKNOWN_ORDER


def test_an_order_that_is_over_is_not_given_again(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    office.tell(EventKind.ORDER_VOIDED, order_id=order_id(1))
    assert code_of(lambda: office.prepare(caller)) is ErrorCode.ORDER_STATE
    assert code_of(lambda: office.issuer.repeat(caller, order_id(1))) is ErrorCode.ORDER_STATE


class Pausing:
    """A renderer that waits in the middle, so that a test can act while a paper is being made."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.resume = threading.Event()

    def __call__(self, fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
        self.reached.set()
        assert self.resume.wait(20)
        return certificates.render(fonts, record, issuance, seal_text)


class Worker:
    """A request on a thread of its own; what it answered or raised."""

    def __init__(self, act: Callable[[], tuple[PreparedOrder, bytes]]) -> None:
        self.answer: tuple[PreparedOrder, bytes] | None = None
        self.code: ErrorCode | None = None
        self._act = act
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.answer = self._act()
        except IssueError as error:
            self.code = error.code

    def wait(self) -> None:
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()


def test_while_it_is_being_prepared_it_is_in_flight(office: Office) -> None:
    caller, pausing = office.caller(), Pausing()
    slow = office.new_issuer(render=pausing)
    worker = Worker(lambda: slow.prepare(caller, office.request()))
    assert pausing.reached.wait(20)
    assert code_of(lambda: office.prepare(caller)) is ErrorCode.ORDER_IN_FLIGHT
    pausing.resume.set()
    worker.wait()
    assert office.prepare(caller) == worker.answer
    assert rows(office)[0] == 1


def test_s5_s8_after_the_lease_the_same_id_renders_from_the_same_snapshot(office: Office) -> None:
    """S5, S8: the worker is gone and the register has moved on; the order stays what it was."""
    caller = office.caller()
    abandon(office, caller)
    office.put(replace(TARO, name="改名 太郎"))
    assert code_of(lambda: office.prepare(caller)) is ErrorCode.ORDER_IN_FLIGHT
    office.clock.advance(seconds=30)
    prepared, pdf = office.prepare(caller)
    assert prepared.issue_number == "2026-0000001"
    assert "見本 太郎" in text_of(pdf)
    assert "改名" not in text_of(pdf)
    assert office.prepare(caller) == (prepared, pdf)
    assert code_of(lambda: office.grant(caller)) is ErrorCode.RECORD_CHANGED


def test_after_ten_minutes_an_intent_is_void(office: Office) -> None:
    caller = longer(office.caller())
    abandon(office, caller)
    office.clock.advance(minutes=10)
    assert code_of(lambda: office.issuer.repeat(caller, order_id(1))) is ErrorCode.ORDER_STATE
    assert office.order().state is OrderState.VOIDED


def test_s3_a_late_worker_s_result_is_thrown_away(office: Office) -> None:
    """S3: its time is over, another has done it; the late one has no paper and no row."""
    caller, pausing = office.caller(), Pausing()
    slow = office.new_issuer(render=pausing)
    worker = Worker(lambda: slow.prepare(caller, office.request()))
    assert pausing.reached.wait(20)
    office.clock.advance(seconds=30)
    # The late worker holds this process's drawing lock; another server does not wait for it.
    with write(office.engine) as connection:
        held = ledger.take_lease(connection, office.order(), office.clock())
    assert held is not None
    pausing.resume.set()
    worker.wait()
    assert (worker.answer, worker.code) == (None, ErrorCode.ORDER_STATE)
    assert office.order().pdf_sha256 is None
    office.clock.advance(seconds=30)
    assert office.prepare(caller)[0].issue_number == "2026-0000001"


def test_two_at_once_with_the_same_id_make_one_order(office: Office) -> None:
    caller = office.caller()
    start = threading.Barrier(4, timeout=20)

    def prepare() -> tuple[PreparedOrder, bytes]:
        start.wait()
        return office.prepare(caller)

    workers = [Worker(prepare) for _ in range(4)]
    for worker in workers:
        worker.wait()
    answers = [worker.answer for worker in workers if worker.answer is not None]
    assert answers
    assert all(answer == answers[0] for answer in answers)
    assert {worker.code for worker in workers if worker.answer is None} <= {ErrorCode.ORDER_IN_FLIGHT}
    assert rows(office)[0] == 1
    assert last_number(office) == 1


def test_s1_s2_orders_of_one_instant_stay_distinct(office: Office) -> None:
    """S1, S2: the clock stands still; two people at two terminals, the same document."""
    office.link("r-hanako")
    callers = {
        "見本 太郎": [office.caller(visit=f"{n:032x}") for n in range(8)],
        "見本 花子": [office.caller("r-hanako", "t-2", visit=f"{n + 100:032x}") for n in range(8)],
    }
    start = threading.Barrier(4, timeout=20)
    papers: list[tuple[str, PreparedOrder, bytes]] = []

    def run(name: str, offset: int, part: slice) -> None:
        start.wait()
        for number, caller in list(enumerate(callers[name]))[part]:
            papers.append((name, *office.prepare(caller, offset + number)))

    threads = [
        threading.Thread(target=run, args=(name, offset, part))
        for name, offset in (("見本 太郎", 0), ("見本 花子", 100))
        for part in (slice(0, 4), slice(4, 8))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(papers) == 16
    numbers = {prepared.issue_number for _name, prepared, _pdf in papers}
    assert numbers == {f"2026-{number:07d}" for number in range(1, 17)}
    assert len({prepared.pdf_sha256 for _name, prepared, _pdf in papers}) == 16
    for name, prepared, pdf in papers:
        found = text_of(pdf)
        assert name in found
        assert ({"見本 太郎", "見本 花子"} - {name}).pop() not in found.replace("筆頭者", "")
        assert prepared.issue_number in found


def test_s8_a_register_update_while_it_is_drawn(office: Office) -> None:
    """S8: wholly the old version; the grant then sees that there is a newer one."""
    caller, pausing = office.caller(), Pausing()
    slow = office.new_issuer(render=pausing)
    worker = Worker(lambda: slow.prepare(caller, office.request(scope=Scope.HOUSEHOLD)))
    assert pausing.reached.wait(20)
    office.put(replace(TARO, name="改名 太郎"), replace(HANAKO, name="改名 花子"))
    pausing.resume.set()
    worker.wait()
    assert worker.answer is not None
    assert "改名" not in text_of(worker.answer[1])
    assert code_of(lambda: office.grant(caller)) is ErrorCode.RECORD_CHANGED
    _prepared, pdf = office.prepare(caller, 2, scope=Scope.HOUSEHOLD)
    found = text_of(pdf)
    assert "改名 太郎" in found
    assert "改名 花子" in found
    assert "見本 花子" not in found


# What the re-check finds


def other_subject(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    assert isinstance(record, ResidenceCertificate)
    someone = replace(record, people=(replace(record.people[0], name="別人 次郎"),))
    return certificates.render(fonts, someone, issuance, seal_text)


def other_number(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    return certificates.render(fonts, record, replace(issuance, issue_number="2026-0000009"), seal_text)


def other_document(fonts: Fonts, _record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    what = asked("taxation", fiscal_year=2026)
    record = documents.certificate(person(), what, rules.decide(SETTINGS, person(), what, NOW))
    return certificates.render(fonts, record, issuance, seal_text)


def namesake(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    """Somebody else of the same name, in the same house: only the date of birth tells them apart."""
    assert isinstance(record, ResidenceCertificate)
    someone = replace(record, people=(replace(record.people[0], born_on=date(2003, 1, 2)),))
    return certificates.render(fonts, someone, issuance, seal_text)


def other_address(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    assert isinstance(record, ResidenceCertificate)
    return certificates.render(fonts, replace(record, address=record.address + "9"), issuance, seal_text)


def whole_household(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    assert isinstance(record, ResidenceCertificate)
    return certificates.render(fonts, replace(record, whole_household=True), issuance, seal_text)


def number_unasked(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    """S19: the register's own copy of the person was drawn, and not what was chosen of it."""
    assert isinstance(record, ResidenceCertificate)
    chosen = frozenset((*record.items, ResidenceItem.INDIVIDUAL_NUMBER))
    someone = replace(record.people[0], individual_number=INDIVIDUAL_NUMBER)
    return certificates.render(fonts, replace(record, items=chosen, people=(someone,)), issuance, seal_text)


def broken_page(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    return certificates.render(fonts, record, issuance, seal_text).replace(b"/Kids[", b"/Kids[9")


class LastOne:
    """The fault of 2023: it hands out the paper that it made before."""

    def __init__(self) -> None:
        self.kept: bytes | None = None

    def __call__(self, fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
        last, self.kept = self.kept, certificates.render(fonts, record, issuance, seal_text)
        return last or self.kept


@pytest.mark.parametrize(
    "fault",
    [
        other_subject,
        namesake,
        other_address,
        whole_household,
        number_unasked,
        other_number,
        other_document,
        broken_page,
    ],
)
def test_s6_s14_a_paper_that_is_not_what_was_ordered_stops_the_municipality(
    office: Office, fault: Callable[..., bytes]
) -> None:
    caller = office.caller()
    faulty = office.new_issuer(render=fault)
    assert code_of(lambda: faulty.prepare(caller, office.request())) is ErrorCode.INTEGRITY_STOP
    assert office.order().state is OrderState.VOIDED
    assert office.order().pdf_sha256 is None
    assert office.open_cases() == ["RECHECK_FAILED"]
    # S14: the next one would be right; nothing is issued all the same until there is a finding.
    assert code_of(lambda: office.prepare(caller, 2)) is ErrorCode.INTEGRITY_STOP
    assert code_of(lambda: office.issuer.welcome(caller)) is ErrorCode.INTEGRITY_STOP
    stop_id = f"RECHECK_FAILED:{order_id(1)}"
    with pytest.raises(ValueError, match="finding"), write(office.engine) as connection:
        cases.close_stop(connection, CODE, stop_id, " ", office.clock())
    assert code_of(lambda: office.prepare(caller, 2)) is ErrorCode.INTEGRITY_STOP
    with write(office.engine) as connection:
        assert cases.close_stop(connection, CODE, stop_id, "the renderer was replaced", office.clock())
        assert not cases.close_stop(connection, CODE, stop_id, "again", office.clock())
    office.prepare(caller, 2)


def test_another_fiscal_year_than_the_one_ordered_stops_the_municipality(office: Office) -> None:
    def last_year(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
        assert isinstance(record, TaxationCertificate)
        return certificates.render(fonts, replace(record, fiscal_year=2025), issuance, seal_text)

    caller, wanted = office.caller(), office.request(kind="taxation", fiscal_year=2026)
    assert code_of(lambda: office.new_issuer(render=last_year).prepare(caller, wanted)) is ErrorCode.INTEGRITY_STOP


def test_the_last_one_s_paper_reaches_nobody(office: Office) -> None:
    office.link("r-hanako")
    faulty = office.new_issuer(render=LastOne())
    faulty.prepare(office.caller(), office.request(1))
    other = office.caller("r-hanako", "t-2", visit="2" * 32)
    assert code_of(lambda: faulty.prepare(other, office.request(2))) is ErrorCode.INTEGRITY_STOP


def test_a_paper_that_is_not_the_same_again_stops_too(office: Office) -> None:
    caller = office.caller()
    office.prepare(caller)
    faulty = office.new_issuer(render=other_subject)
    assert code_of(lambda: faulty.repeat(caller, order_id(1))) is ErrorCode.INTEGRITY_STOP
    assert office.order().state is OrderState.VOIDED
