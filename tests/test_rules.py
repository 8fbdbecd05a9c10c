"""Who may get what, where and when: each rule with a valid case beside the invalid one."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from msgspec.structs import replace

from issuance_server import rules
from issuance_server.register.person import Person
from issuance_server.register.records import Resident, TaxStatus
from issuance_server.rules import JST, Asked, NotNow
from issuance_server.settings import DocumentSettings, MunicipalitySettings, OpenHours
from protocol.errors import ErrorCode, IssueError
from protocol.messages import Scope
from tests.issuing_parts import (
    CHILD,
    HANAKO,
    HOUSEHOLD,
    MARIA,
    NOW,
    SETTINGS,
    TARO,
    TAXED,
    asked,
    in_other_words,
    person,
)

SELF, ALL = asked(), asked(scope=Scope.HOUSEHOLD)
TAX = asked("taxation", fiscal_year=2026)
WITH_CHILD = asked(scope=Scope.MEMBERS, members=("r-child",))
TODAY = date(2026, 7, 1)


def outcome(
    who: Person, what: Asked, settings: MunicipalitySettings = SETTINGS, now_utc: datetime = NOW
) -> ErrorCode | None:
    try:
        rules.decide(settings, who, what, now_utc)
    except IssueError as error:
        return error.code
    return None


REFUSED = ErrorCode.NOT_ISSUABLE_HERE

STOPPED = [
    person(replace(TARO, issuance_stop=True)),
    person(replace(HANAKO, issuance_stop=True)),
    person(replace(CHILD, issuance_stop=True)),
    person(household=replace(HOUSEHOLD, issuance_stop=True)),
    person(replace(HANAKO, issuance_stop=True, moved_out_on=date(2026, 1, 1))),
]


@pytest.mark.parametrize("what", [SELF, ALL, TAX, WITH_CHILD])
def test_without_a_stop_everything_can_be_had(what: Asked) -> None:
    assert outcome(person(), what) is None


@pytest.mark.parametrize("what", [SELF, ALL, TAX, WITH_CHILD])
@pytest.mark.parametrize("who", STOPPED)
def test_a_stop_on_anybody_or_the_address_refuses_every_document_alike(who: Person, what: Asked) -> None:
    """If one's own copy could be had and the household's not, the difference would tell."""
    assert outcome(who, what) is REFUSED


def test_a_refusal_for_a_person_s_sake_has_no_detail() -> None:
    with pytest.raises(IssueError) as refused:
        rules.decide(SETTINGS, STOPPED[0], SELF, NOW)
    assert (refused.value.code, refused.value.detail) == (REFUSED, "")


@pytest.mark.parametrize(
    ("changed", "what", "expected"),
    [
        (replace(TARO, died_on=date(2026, 6, 1)), SELF, REFUSED),
        (replace(TARO, died_on=date(2026, 6, 1)), TAX, REFUSED),
        (replace(HANAKO, died_on=date(2026, 6, 1)), SELF, None),
        (replace(HANAKO, died_on=date(2026, 6, 1)), ALL, None),  # the dead are not named
        (replace(TARO, moved_out_on=TODAY), SELF, REFUSED),
        (replace(TARO, moved_out_on=TODAY), TAX, REFUSED),
        (replace(TARO, moved_out_on=TODAY + timedelta(days=1)), SELF, REFUSED),  # as good as notified
        (replace(TARO, moved_out_on=TODAY + timedelta(days=1)), TAX, None),  # still a resident today
        (replace(TARO, moving_out_notified=True), SELF, REFUSED),
        (replace(TARO, moving_out_notified=True), TAX, None),
        (replace(CHILD, moving_out_notified=True), SELF, None),
        (replace(CHILD, moving_out_notified=True), ALL, REFUSED),
        (replace(CHILD, moving_out_notified=True), WITH_CHILD, REFUSED),
        (replace(CHILD, moved_out_on=TODAY), ALL, None),
        (replace(CHILD, moved_out_on=TODAY), WITH_CHILD, REFUSED),
        (replace(TARO, born_on=date(2011, 7, 1)), SELF, None),  # 15 today
        (replace(TARO, born_on=date(2011, 7, 2)), SELF, REFUSED),  # 15 tomorrow
        (replace(TARO, became_resident_on=date(2026, 1, 1)), TAX, None),
        (replace(TARO, became_resident_on=date(2026, 1, 2)), TAX, REFUSED),  # lived elsewhere on that 1 January
        (replace(TARO, became_resident_on=date(2026, 1, 2)), SELF, None),
    ],
)
def test_what_is_said_about_a_person(changed: Resident, what: Asked, expected: ErrorCode | None) -> None:
    assert outcome(person(changed), what) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (TaxStatus.TAXED, None),
        (TaxStatus.UNTAXED, None),
        (TaxStatus.DEPENDANT, None),
        (TaxStatus.UNDECLARED, REFUSED),
    ],
)
def test_tax_that_was_not_declared_is_refused(status: TaxStatus, expected: ErrorCode | None) -> None:
    assert outcome(person(tax=(replace(TAXED, status=status),)), TAX) is expected


def test_without_a_tax_record_there_is_nothing_to_certify() -> None:
    assert outcome(person(), TAX) is None
    assert outcome(in_other_words(person(), tax={}), TAX) is REFUSED


def test_a_foreign_resident_was_no_resident_before_that_date() -> None:
    assert MARIA.foreign is not None
    came_late = replace(MARIA, foreign=replace(MARIA.foreign, became_foreign_resident_on=date(2026, 1, 2)))
    assert outcome(person(requester="r-maria"), TAX) is None
    assert outcome(person(came_late, requester="r-maria"), TAX) is REFUSED


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (asked(items=("domicile",)), None),
        (asked(items=("salary",)), ErrorCode.NOT_OFFERED),
        (asked(items=("domicile", "domicile")), ErrorCode.BAD_REQUEST),
        (asked("seal"), ErrorCode.NOT_OFFERED),
        (asked("taxation", fiscal_year=2026, items=("domicile",)), ErrorCode.NOT_OFFERED),
        (asked("taxation", Scope.HOUSEHOLD, fiscal_year=2026), ErrorCode.NOT_OFFERED),
        (asked("taxation"), ErrorCode.BAD_REQUEST),
        (asked("taxation", fiscal_year=2027), ErrorCode.NOT_OFFERED),  # from June next year
        (asked("taxation", fiscal_year=2020), ErrorCode.NOT_OFFERED),
        (asked(fiscal_year=2026), ErrorCode.BAD_REQUEST),
        (asked(scope=Scope.MEMBERS), ErrorCode.BAD_REQUEST),
        (asked(scope=Scope.SELF, members=("r-child",)), ErrorCode.BAD_REQUEST),
        (asked(scope=Scope.HOUSEHOLD, members=("r-child",)), ErrorCode.BAD_REQUEST),
        (asked(scope=Scope.MEMBERS, members=("r-child", "r-child")), ErrorCode.BAD_REQUEST),
        (asked(scope=Scope.MEMBERS, members=("r-stranger",)), REFUSED),
    ],
)
def test_what_is_offered(what: Asked, expected: ErrorCode | None) -> None:
    assert outcome(person(), what) is expected


def test_what_nobody_can_have_is_refused_before_what_one_person_cannot() -> None:
    stopped = STOPPED[0]
    assert outcome(stopped, asked("seal")) is ErrorCode.NOT_OFFERED
    assert outcome(stopped, SELF, with_hours()) is ErrorCode.NOT_OFFERED_NOW


def test_an_item_that_the_municipality_does_not_offer() -> None:
    documents = (replace(SETTINGS.documents[0], items=("domicile",)),)
    settings = replace(SETTINGS, documents=documents)
    assert outcome(person(), asked(items=("domicile",)), settings) is None
    assert outcome(person(), asked(items=("individual_number",)), settings) is ErrorCode.NOT_OFFERED
    assert outcome(person(), TAX, settings) is ErrorCode.NOT_OFFERED


def test_a_word_that_is_no_kind_is_not_offered_whatever_a_municipality_says() -> None:
    document = replace(SETTINGS.documents[0], kind="closed_family_register")
    fee = replace(SETTINGS.fees[0], kind="closed_family_register")
    settings = replace(SETTINGS, documents=(*SETTINGS.documents, document), fees=(*SETTINGS.fees, fee))
    assert outcome(person(), asked("closed_family_register"), settings) is ErrorCode.NOT_OFFERED


def test_without_a_fee_there_is_no_document() -> None:
    settings = replace(SETTINGS, fees=(SETTINGS.fees[0],))
    assert outcome(person(), SELF, settings) is None
    assert outcome(person(), TAX, settings) is ErrorCode.NOT_OFFERED
    later = replace(SETTINGS, fees=(replace(SETTINGS.fees[0], valid_from=date(2026, 7, 2)),))
    assert outcome(person(), SELF, later) is ErrorCode.NOT_OFFERED


@pytest.mark.parametrize(
    ("on_jst", "years"),
    [(date(2025, 5, 31), ()), (date(2026, 5, 31), (2025,)), (date(2026, 6, 1), (2026, 2025))],
)
def test_a_fiscal_year_opens_on_its_date(on_jst: date, years: tuple[int, ...]) -> None:
    assert rules.open_fiscal_years(SETTINGS, on_jst) == years


def with_hours(*hours: OpenHours, closed_on: tuple[date, ...] = ()) -> MunicipalitySettings:
    documents = (replace(SETTINGS.documents[0], hours=hours, closed_on=closed_on),)
    return replace(SETTINGS, documents=documents)


WEEKDAYS = tuple(OpenHours(weekday=day, opens_at=time(6, 30), closes_at=time(23)) for day in range(5))
HALVES = (
    OpenHours(weekday=2, opens_at=time(13), closes_at=time(0)),
    OpenHours(weekday=2, opens_at=time(9), closes_at=time(12)),
)


def jst(day: int, hour: int, minute: int = 0, month: int = 7) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=JST)


@pytest.mark.parametrize(
    ("hours", "now_jst", "again"),
    [
        (WEEKDAYS, jst(1, 12), "open"),
        (WEEKDAYS, jst(1, 6, 30), "open"),
        (WEEKDAYS, jst(1, 6, 29), jst(1, 6, 30)),
        (WEEKDAYS, jst(1, 22, 59), "open"),
        (WEEKDAYS, jst(1, 23), jst(2, 6, 30)),
        (WEEKDAYS, jst(3, 23), jst(6, 6, 30)),  # Friday night: Monday
        (WEEKDAYS, jst(5, 12), jst(6, 6, 30)),
        (HALVES, jst(1, 9), "open"),
        (HALVES, jst(1, 12), jst(1, 13)),
        (HALVES, jst(1, 23, 59), "open"),  # 00:00 is the end of the day
        (HALVES, jst(2, 0), jst(8, 9)),
        ((), jst(1, 12), None),
    ],
)
def test_hours(hours: tuple[OpenHours, ...], now_jst: datetime, again: datetime | str | None) -> None:
    document: DocumentSettings = with_hours(*hours).documents[0]
    if again == "open":
        rules.check_hours(document, now_jst)
        return
    with pytest.raises(NotNow) as closed:
        rules.check_hours(document, now_jst)
    assert closed.value.available_again_jst == again


def test_a_day_that_is_closed_is_left_out() -> None:
    settings = with_hours(*WEEKDAYS, closed_on=(date(2026, 7, 2), date(2026, 7, 3)))
    rules.check_hours(settings.documents[0], jst(1, 12))
    with pytest.raises(NotNow) as closed:
        rules.check_hours(settings.documents[0], jst(2, 12))
    assert closed.value.available_again_jst == jst(6, 6, 30)


def test_the_date_is_japan_s() -> None:
    """Late in the evening of UTC it is the next day in Japan, and that day's fee and fiscal year hold."""
    opens = asked("taxation", fiscal_year=2027)
    before = datetime(2027, 5, 31, 14, 59, tzinfo=NOW.tzinfo)
    who = person(tax=(replace(TAXED, fiscal_year=2027),))
    assert outcome(who, opens, now_utc=before) is ErrorCode.NOT_OFFERED
    assert outcome(who, opens, now_utc=before + timedelta(minutes=1)) is None


@pytest.mark.parametrize(
    ("what", "names", "whole"),
    [
        (SELF, ["r-taro"], False),
        (ALL, ["r-taro", "r-hanako", "r-child", "r-maria"], True),
        (asked(scope=Scope.MEMBERS, members=("r-maria", "r-hanako")), ["r-hanako", "r-maria"], False),
        (asked(scope=Scope.MEMBERS, members=("r-maria", "r-child", "r-hanako", "r-taro")), None, True),
        (TAX, ["r-taro"], False),
    ],
)
def test_whose_entries_it_shows(what: Asked, names: list[str] | None, whole: bool) -> None:
    decision = rules.decide(SETTINGS, person(), what, NOW)
    assert [resident.resident_id for resident in decision.people] == (names or list(HOUSEHOLD.member_ids))
    assert decision.everybody is whole


def test_who_lives_alone_is_the_everybody() -> None:
    alone = person(household=replace(HOUSEHOLD, member_ids=("r-taro",)))
    assert rules.decide(SETTINGS, alone, SELF, NOW).everybody


@pytest.mark.parametrize(
    ("born_on", "day", "age"),
    [
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2011, 7, 1), date(2026, 6, 30), 14),
        (date(2011, 7, 1), date(2026, 7, 1), 15),
    ],
)
def test_age(born_on: date, day: date, age: int) -> None:
    assert rules.age_on(born_on, day) == age
