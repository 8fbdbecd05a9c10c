"""Every kind of document through the whole cycle: the right record, re-checked; refusals; what changes is noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from issuance_server.kinds import KINDS
from issuance_server.ledger import OrderState
from issuance_server.register.records import PastAddress, RegisterRecord
from printing.paper import recheck, seal
from printing.paper.certificates import render
from printing.paper.fonts import Fonts
from printing.paper.records import Certificate, CertificateKind, Issuance, kind_of
from protocol.errors import ErrorCode
from protocol.messages import Scope
from tests.issuing_parts import ADDRESS, CODE, FEE_YEN, HANAKO, HOUSEHOLD, INDIVIDUAL_NUMBER, Office, code_of
from tests.register_parts import (
    ALL_SETTINGS,
    HIDDEN_ADDRESS,
    MORE_RECORDS,
    REGISTER,
    SEAL,
    SUPPLEMENTARY,
    UNPAID,
)

pytestmark = pytest.mark.slow

REFUSED = ErrorCode.NOT_ISSUABLE_HERE
K = CertificateKind


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, decided=(ALL_SETTINGS,))
    made.put(*MORE_RECORDS)
    yield made
    made.close()


@dataclass(frozen=True)
class Case:
    """One order of a kind, and what its paper says and does not say."""

    kind: CertificateKind
    title: str
    names: tuple[str, ...]
    said: tuple[str, ...]
    unsaid: tuple[str, ...]
    asked: dict[str, Any] = field(default_factory=dict)


_HANAKO, _CHILD, _REMOVED = "見本 花子", "見本 一葉", "見本 双葉"
CASES = [
    Case(
        K.RESIDENCE_ITEMS,
        "住民票記載事項証明書",
        ("見● 太●",),
        ("性別", "見本県見本市一丁目1番"),
        (ADDRESS, INDIVIDUAL_NUMBER, "続柄", _HANAKO, "旧住所市"),
        {"items": ("sex", "domicile")},
    ),
    Case(
        K.RESIDENCE_ITEMS,
        "住民票記載事項証明書",
        ("見● 花●", "見● 一●"),
        (ADDRESS, INDIVIDUAL_NUMBER),
        ("見本 太郎", "本籍"),
        {
            "items": ("address", "individual_number"),
            "scope": Scope.MEMBERS,
            "member_ids": ("r-hanako", "r-child"),
        },
    ),
    Case(K.SEAL_REGISTRATION, "印鑑登録証明書", ("見● 太●",), (ADDRESS, "印影"), (INDIVIDUAL_NUMBER, "ミホン")),
    Case(
        K.INCOME,
        "所得証明書",
        ("見● 太●",),
        ("給与収入", "5,000,000", "令和8年度"),
        ("基礎控除", "118,500"),
        {"fiscal_year": 2026},
    ),
    Case(K.TAXATION, "課税証明書", ("見● 太●",), ("118,500",), (INDIVIDUAL_NUMBER,), {"fiscal_year": 2026}),
    Case(
        K.TAX_PAYMENT,
        "納税証明書",
        ("見● 太●",),
        ("202,500", "収納確認日"),
        ("給与収入", "5,000,000"),
        {"fiscal_year": 2026},
    ),
    Case(
        K.FAMILY_REGISTER,
        "戸籍全部事項証明書",
        ("見● 太●", "見● 花●", "見● 双●", "見● 一●"),
        (_HANAKO, _CHILD, _REMOVED, "戸籍編製", "全部を証明"),
        (ADDRESS, HIDDEN_ADDRESS),
        {"scope": Scope.HOUSEHOLD},
    ),
    Case(
        K.FAMILY_REGISTER_INDIVIDUAL,
        "戸籍個人事項証明書",
        ("見● 太●",),
        ("一部の者について",),
        ("佐藤 梅子", "双葉", "一葉"),
    ),
    Case(
        K.FAMILY_REGISTER_INDIVIDUAL,
        "戸籍個人事項証明書",
        ("見● 花●", "見● 一●"),
        ("佐藤 梅子", "養女"),
        ("双葉",),
        {"scope": Scope.MEMBERS, "member_ids": ("r-child", "r-hanako")},
    ),
    Case(
        K.SUPPLEMENTARY_REGISTER,
        "戸籍の附票の写し",
        ("見● 太●",),
        (ADDRESS, "(一部)"),
        (REGISTER.domicile, "令和6年7月1日", _HANAKO, HIDDEN_ADDRESS),
    ),
    Case(
        K.SUPPLEMENTARY_REGISTER,
        "戸籍の附票の写し",
        ("見● 太●", "見● 花●", "見● 双●", "見● 一●"),
        (HIDDEN_ADDRESS, "(全部)", "令和6年7月1日"),
        ("佐藤 梅子",),
        {"scope": Scope.HOUSEHOLD, "items": ("domicile", "overseas_voter")},
    ),
]


def text_of(pdf: bytes) -> str:
    """The paper's words, white space left out."""
    return "".join("".join(recheck.page_texts(pdf)).split())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{len(case.names)}")
def test_the_right_paper_of_every_kind(office: Office, case: Case) -> None:
    caller = office.caller()
    prepared, pdf = office.prepare(caller, 1, kind=case.kind.value, **case.asked)
    assert (prepared.title, prepared.masked_names) == (case.title, case.names)
    assert prepared.masked_requester == "見● 太●"
    text = text_of(pdf)
    assert [words for words in case.said if "".join(words.split()) not in text] == []
    assert [words for words in case.unsaid if "".join(words.split()) in text] == []
    content = seal.verify(seal.read_printed(pdf), office.keys.trust().seal_keys_of(CODE))
    assert (content.kind, content.issue_number) == (case.kind, prepared.issue_number)
    office.grant(caller, 1)
    assert office.order().state is OrderState.GRANTED


def test_every_kind_has_a_case_here_or_in_the_first_tests() -> None:
    assert {case.kind for case in CASES} | {K.RESIDENCE} == set(CertificateKind) == set(KINDS)


class _AnotherRecord:
    """The fault: another order's record is drawn, with this order's number."""

    def __init__(self) -> None:
        self.first: dict[CertificateKind, Certificate] = {}

    def __call__(self, fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
        return render(fonts, self.first.setdefault(kind_of(record), record), issuance, seal_text)


#: (kind, the first order, the second order, which gets the first one's record)
SWAPPED: list[tuple[CertificateKind, dict[str, Any], dict[str, Any]]] = [
    (K.RESIDENCE_ITEMS, {"items": ("sex",)}, {"items": ("sex",), "resident": "r-hanako"}),
    (K.FAMILY_REGISTER_INDIVIDUAL, {}, {"resident": "r-hanako"}),
    (K.SUPPLEMENTARY_REGISTER, {"scope": Scope.HOUSEHOLD}, {}),
]


@pytest.mark.parametrize(("kind", "first", "second"), SWAPPED, ids=[swap[0].value for swap in SWAPPED])
def test_s6_another_record_is_seen_and_stops_the_municipality(
    office: Office, kind: CertificateKind, first: dict[str, Any], second: dict[str, Any]
) -> None:
    office.link("r-hanako")
    drawing = _AnotherRecord()
    other = {**second}
    resident = other.pop("resident", "r-taro")
    believing = office.new_issuer(render=drawing, reread=lambda _pdf, _expected: None)
    caller = office.caller()
    believing.prepare(caller, office.request(1, caller, kind=kind.value, **first))
    second_caller = office.caller(resident, visit="2" * 32)
    believing.prepare(second_caller, office.request(2, second_caller, kind=kind.value, **other))  # the fault, unseen

    reading = office.new_issuer(render=drawing)
    refused = code_of(
        lambda: reading.prepare(second_caller, office.request(3, second_caller, kind=kind.value, **other))
    )
    assert refused is ErrorCode.INTEGRITY_STOP
    assert office.order(3).state is OrderState.VOIDED
    assert code_of(lambda: office.prepare(caller, 4)) is ErrorCode.INTEGRITY_STOP


def _changed_register(**changes: Any) -> RegisterRecord:
    return replace(REGISTER, **changes)


def _stopped(person_id: str) -> RegisterRecord:
    people = tuple(replace(one, issuance_stop=one.person_id == person_id) for one in REGISTER.people)
    return _changed_register(people=people)


_MOVED = PastAddress(address=HIDDEN_ADDRESS, since=date(2026, 6, 30))
_ALL_OF_IT = {"scope": Scope.HOUSEHOLD}
_THIS_YEAR = {"fiscal_year": 2026}

#: What changes between PIN and print, and what the grant says then (S13).
CHANGES: list[tuple[CertificateKind, dict[str, Any], tuple[RegisterRecord, ...], ErrorCode]] = [
    (K.SEAL_REGISTRATION, {}, (replace(SEAL, cancelled=True),), REFUSED),
    (K.SEAL_REGISTRATION, {}, (replace(SEAL, registered_on=date(2026, 7, 1)),), ErrorCode.RECORD_CHANGED),
    (K.TAX_PAYMENT, _THIS_YEAR, (UNPAID,), ErrorCode.RECORD_CHANGED),
    (K.FAMILY_REGISTER, _ALL_OF_IT, (_changed_register(filing_in_progress=True),), REFUSED),
    (K.FAMILY_REGISTER, _ALL_OF_IT, (_changed_register(closed_on=date(2026, 7, 1)),), REFUSED),
    (K.FAMILY_REGISTER, _ALL_OF_IT, (_changed_register(people=REGISTER.people[:2]),), REFUSED),  # no longer whole
    (K.FAMILY_REGISTER_INDIVIDUAL, {}, (_stopped("r-hanako"),), REFUSED),
    (
        K.SUPPLEMENTARY_REGISTER,
        {},
        (
            replace(
                SUPPLEMENTARY, people=(replace(SUPPLEMENTARY.people[0], addresses=(_MOVED,)), *SUPPLEMENTARY.people[1:])
            ),
        ),
        ErrorCode.RECORD_CHANGED,
    ),
    (
        # She left the household, and her documents are stopped: it stands in her own resident's record alone.
        K.SUPPLEMENTARY_REGISTER,
        {},
        (
            replace(HANAKO, household_id="h-2", issuance_stop=True),
            replace(HOUSEHOLD, member_ids=("r-taro", "r-child", "r-maria")),
            replace(HOUSEHOLD, household_id="h-2", member_ids=("r-hanako",)),
        ),
        REFUSED,
    ),
]


@pytest.mark.parametrize(("kind", "asked", "records", "refusal"), CHANGES)
def test_s13_what_changes_before_the_print_is_seen_at_the_grant(
    office: Office,
    kind: CertificateKind,
    asked: dict[str, Any],
    records: tuple[RegisterRecord, ...],
    refusal: ErrorCode,
) -> None:
    caller = office.caller()
    office.prepare(caller, 1, kind=kind.value, **asked)
    office.put(*records)
    assert code_of(lambda: office.grant(caller, 1, allocated_yen=FEE_YEN)) is refusal


@pytest.mark.parametrize(
    ("spoil", "kind", "asked"),
    [
        (lambda office: office.put(replace(SEAL, image_png=b"no picture")), K.SEAL_REGISTRATION, {}),
        (
            lambda office: office.put(
                replace(REGISTER, people=(replace(REGISTER.people[0], relationship="子"), *REGISTER.people[1:]))
            ),
            K.FAMILY_REGISTER,
            _ALL_OF_IT,
        ),
    ],
)
def test_a_record_that_contradicts_itself_is_refused_without_a_number(
    office: Office, spoil: Callable[[Office], None], kind: CertificateKind, asked: dict[str, Any]
) -> None:
    spoil(office)
    caller = office.caller()
    assert code_of(lambda: office.prepare(caller, 1, kind=kind.value, **asked)) is REFUSED
    prepared, _pdf = office.prepare(caller, 2)
    assert prepared.issue_number.endswith("1")  # none was taken for the other


def test_who_may_be_chosen_is_offered_by_the_family_register(office: Office) -> None:
    offers = office.issuer.welcome(office.caller()).offers
    by_kind = {offer.kind: offer for offer in offers}
    individual = by_kind[K.FAMILY_REGISTER_INDIVIDUAL]
    assert [(one.masked_name, one.is_requester) for one in individual.members] == [
        ("見● 太●", True),
        ("見● 花●", False),
        ("見● 一●", False),
    ]
    assert individual.scopes == (Scope.SELF, Scope.MEMBERS)
    assert by_kind[K.FAMILY_REGISTER].scopes == (Scope.HOUSEHOLD,)
    assert by_kind[K.FAMILY_REGISTER].members == ()
    assert [item.item for item in by_kind[K.SUPPLEMENTARY_REGISTER].items] == ["domicile", "overseas_voter"]
    stated = by_kind[K.RESIDENCE_ITEMS]
    assert (stated.least_items, [item.item for item in stated.items if item.default]) == (1, ["address"])
    assert {offer.kind for offer in offers if offer.fiscal_years} == {K.INCOME, K.TAXATION, K.TAX_PAYMENT}
    assert all(offer.refusal is None for offer in offers)
    assert msgspec.json.encode(offers).count("花子".encode()) == 0
