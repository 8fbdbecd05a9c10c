from __future__ import annotations

import re

import msgspec
import pytest

from printing.paper.certificates import check, render
from printing.paper.errors import InconsistentRecord
from printing.paper.recheck import RecheckFailed, recheck
from printing.paper.records import StatedItem
from tests.certificate_parts import FULL, NOTHING_BUT_NAMES, expected_of, text_of
from tests.paper_samples import ADDRESS, INDIVIDUAL_NUMBER, ISSUANCE, WATANABE, fonts
from tests.paper_samples_more import ALL_STATED, STATED_FOREIGN, STATED_JAPANESE, stated

replace = msgspec.structs.replace
STATED_LABELS: dict[StatedItem, tuple[str, ...]] = {
    StatedItem.ADDRESS: ("住所",),
    StatedItem.HEAD_OF_HOUSEHOLD: ("世帯主",),
    StatedItem.SEX: ("性別",),
    StatedItem.RELATIONSHIP: ("続柄",),
    StatedItem.RESIDENT_SINCE: ("住民となった年月日", "外国人住民となった年月日"),
    StatedItem.ADDRESS_SINCE: ("住所を定めた年月日",),
    StatedItem.NOTIFIED_ON: ("届出日",),
    StatedItem.MOVED_IN_FROM: ("転入前住所",),
    StatedItem.PREVIOUS_ADDRESS: ("異動前住所",),
    StatedItem.DOMICILE: ("本籍", "筆頭者"),
    StatedItem.NATIONALITY: ("国籍・地域",),
    StatedItem.STATUS: ("30条の45に規定する区分", "在留資格", "在留期間", "満了日"),
    StatedItem.CARD_NUMBER: ("在留カード等番号",),
    StatedItem.ALIAS_HISTORY: ("通称の記載・削除",),
    StatedItem.REMARKS: ("備考",),
    StatedItem.INDIVIDUAL_NUMBER: ("個人番号",),
}


@pytest.mark.parametrize("item", list(StatedItem))
def test_only_the_item_asked_for_has_a_row(item: StatedItem) -> None:
    record = replace(stated(*NOTHING_BUT_NAMES, items=frozenset((item,))), address=None, head_of_household=None)
    if item is StatedItem.ADDRESS:
        record = replace(record, address=ADDRESS)
    text = text_of(record)
    recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))
    for other, labels in STATED_LABELS.items():
        for label in labels:
            shown = re.search(rf"(?:^|\s){label} (?:【|{ADDRESS})", text) is not None
            assert shown == (other is item), label
    assert text.count("氏名 ") == 2


@pytest.mark.parametrize("item", sorted(ALL_STATED - {StatedItem.ADDRESS, StatedItem.HEAD_OF_HOUSEHOLD}))
def test_a_value_that_nobody_asked_for_refuses_the_paper(item: StatedItem) -> None:
    person = STATED_FOREIGN if item in {StatedItem.NATIONALITY, StatedItem.STATUS} else STATED_JAPANESE
    person = STATED_FOREIGN if item in {StatedItem.CARD_NUMBER, StatedItem.ALIAS_HISTORY} else person
    person = replace(person, remarks="備考", previous_address=ADDRESS)
    check(fonts(), stated(person), ISSUANCE)
    with pytest.raises(InconsistentRecord, match="not chosen"):
        check(fonts(), stated(person, items=ALL_STATED - {item}), ISSUANCE)


@pytest.mark.parametrize("item", ["address", "head_of_household"])
def test_a_household_s_value_that_nobody_asked_for_refuses_the_paper(item: str) -> None:
    with pytest.raises(InconsistentRecord, match=item):
        check(fonts(), replace(FULL, items=ALL_STATED - {StatedItem(item)}), ISSUANCE)


def test_stated_items_print_in_full() -> None:
    text = text_of(FULL)
    for words in (
        f"氏名 {WATANABE} 生年月日 昭和60年4月3日",
        "旧氏 佐藤 (さとう)",
        f"個人番号 {INDIVIDUAL_NUMBER}",
        "個人番号 【省略】",  # the other person's was not chosen
        "通称 山田 マリア",
        "満了日 2027年3月1日",
        "在留カード番号 AB12345678CD",
        "外国人住民となった年月日 平成30年2月3日",
        "異動前住所 【空欄】",
    ):
        assert words in text
    assert "漢字氏名" not in text
    assert "漢字氏名 李 小明" in text_of(stated(replace(STATED_FOREIGN, kanji_name="李 小明")))
    special = replace(STATED_FOREIGN, category="特別永住者", status=None, period=None, expires_on=None)
    assert "特別永住者証明書番号 AB12345678CD" in text_of(stated(special))


def test_the_individual_number_stands_in_its_own_entry_alone() -> None:
    other = replace(STATED_JAPANESE, individual_number=None)
    pdf = render(fonts(), stated(STATED_JAPANESE, other), ISSUANCE, "MDG1:TEST")
    recheck(pdf, expected_of(stated(STATED_JAPANESE, other)))
    with pytest.raises(RecheckFailed, match="individual_number"):
        recheck(pdf, expected_of(stated(other, STATED_JAPANESE)))
