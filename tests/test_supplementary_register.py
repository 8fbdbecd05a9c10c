from __future__ import annotations

from datetime import date

import msgspec

from tests.certificate_parts import ADDRESSES, text_of
from tests.paper_samples import ADDRESS, WATANABE
from tests.paper_samples_more import LIVED, REMOVED_BEFORE, supplementary

replace = msgspec.structs.replace


def test_supplementary_register_says_where_and_since_when() -> None:
    text = text_of(ADDRESSES)
    for words in (
        f"氏名 {WATANABE} 生年月日 昭和60年4月3日 男女の別 女",
        f"住所 {ADDRESS} 住所を定めた年月日 令和元年5月1日",
        "住所 架空県そら市東町1番 住所を定めた年月日 【空欄】",
        "除かれた年月日 令和3年3月3日",
        "在外選挙人名簿の登録 令和6年7月1日 みほん県みほん市 登録",
        "在外選挙人名簿の登録 【空欄】",
    ):
        assert words in text
    assert text.count("男女の別") == 2  # not of who was removed before 2022-01-11
    since = replace(REMOVED_BEFORE, removed_on=date(2022, 1, 11))
    assert "男女の別 【空欄】" in text_of(supplementary(since))
    assert "住所 【空欄】" in text_of(supplementary(replace(LIVED, addresses=())))


def test_domicile_and_overseas_voters_print_only_if_chosen() -> None:
    text = text_of(supplementary(LIVED, everybody=False, items=frozenset()))
    for words in (
        "本籍 【省略】",
        "筆頭者 【省略】",
        "在外選挙人名簿の登録 【省略】",
        "(一部)",
        "附票の一部の原本と相違ない",
    ):
        assert words in text
    assert "戸籍の附票の全部の原本と相違ない" in text_of(ADDRESSES)
