from __future__ import annotations

import msgspec
import pytest

from printing.paper.certificates import check, render, sheets
from printing.paper.errors import WrongVocabulary
from printing.paper.recheck import recheck
from printing.paper.records import RegisteredPerson
from tests.certificate_parts import FAMILY, expected_of, text_of
from tests.paper_samples import ISSUANCE, JAPANESE, fonts, front_texts
from tests.paper_samples import residence as residence_sample
from tests.paper_samples_more import (
    ADOPTED,
    DOMICILE,
    ICHIRO,
    KATSURAKO,
    STATED_JAPANESE,
    individual,
    matter,
    register,
    stated,
)

replace = msgspec.structs.replace


@pytest.mark.parametrize("word", ["長男", "長女", "二男", "三女", "十一男", "男", "女"])
def test_words_of_the_family_register_are_its_own(word: str) -> None:
    assert f"続柄 {word}" in text_of(register(replace(ICHIRO, relationship=word)))
    for record in (
        residence_sample(replace(JAPANESE, relationship=word)),
        stated(replace(STATED_JAPANESE, relationship=word)),
    ):
        with pytest.raises(WrongVocabulary):
            check(fonts(), record, ISSUANCE)


@pytest.mark.parametrize(
    "word", ["世帯主", "妻", "夫", "子", "子の妻", "縁故者", "同居人", "養子", "", "長", "一男", "son"]
)
def test_words_of_a_residence_certificate_are_refused_in_a_family_register(word: str) -> None:
    with pytest.raises(WrongVocabulary) as caught:
        check(fonts(), individual(replace(ICHIRO, relationship=word)), ISSUANCE)
    assert caught.value.item == "relationship"


@pytest.mark.parametrize(
    ("person", "item"), [(replace(ICHIRO, spouse="夫(未届)"), "spouse"), (ADOPTED, "adoptive.relationship")]
)
def test_other_words_of_a_family_register_are_checked_too(person: RegisteredPerson, item: str) -> None:
    if person.adoptive is not None:
        assert "続柄 養女" in text_of(register(person))
        person = replace(person, adoptive=replace(person.adoptive, relationship="長女"))
    with pytest.raises(WrongVocabulary) as caught:
        check(fonts(), register(person), ISSUANCE)
    assert caught.value.item == item


def test_family_register_says_all_of_everybody() -> None:
    text = text_of(FAMILY)
    for words in (
        f"本籍 {DOMICILE}",
        "筆頭者 渡\u9089\U000e010f 一郎",
        "戸籍編製 【編製日】平成18年6月6日",
        "氏名 渡\u9089\U000e010f さくら 生年月日 平成24年3月4日",
        "振り仮名 わたなべ さくら",
        "父 【空欄】 母 見本 花子 続柄 長女",
        "養父 渡\u9089\U000e010f 一郎 養母 渡\u9089\U000e010f 葛\U000e0102子 続柄 養女",
        "配偶者区分 妻",
        "【従前戸籍】架空県そら市北町三丁目14番地 佐藤 次郎",
        "戸籍に記録されている者 除籍\r\n氏名 渡\u9089\U000e010f 太一",
    ):
        assert words in text
    assert text.count("配偶者区分") == 2  # who is not married has no such row
    # A surname's reading that was recorded before the given name's is on the paper all the same.
    half = register(replace(ADOPTED, given_name_reading=None))
    assert "振り仮名 わたなべ 【空欄】" in text_of(half)
    assert "振り仮名" not in text_of(replace(half, surname_reading=None))
    empty = text_of(replace(register(replace(ADOPTED, matters=())), matters=()))
    assert "戸籍事項\r\n【空欄】" in empty
    assert "身分事項\r\n【空欄】" in empty


def test_continued_sheets_say_whose_matters_they_are() -> None:
    long = replace(
        ICHIRO, matters=tuple(matter("氏の変更", *(("従前の記録", f"第{n}") for n in range(30))) for _ in range(3))
    )
    record = register(KATSURAKO, long)
    texts = front_texts(render(fonts(), record, ISSUANCE, "MDG1:TEST"))
    assert len(texts) == sheets(record) > 2
    for text in texts:
        assert f"本籍 {DOMICILE}" in text
    for text in texts[1:]:
        assert "渡\u9089\U000e010f 一郎(続き)\r\n身分事項\r\n" in text
        assert "氏の変更(続き) 【従前の記録】第" in text
    every = "".join(texts)
    assert [every.count(f"【従前の記録】第{n}\r\n") for n in range(30)] == [3] * 30
    recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))


def test_a_short_matter_is_not_divided() -> None:
    for people in range(1, 8):
        for text in front_texts(render(fonts(), register(*[KATSURAKO, ADOPTED] * people), ISSUANCE, "MDG1:TEST")):
            assert "出生(続き)" not in text
            assert text.count("【出生日】") == text.count("【届出人】")


def test_a_removed_person_is_marked_and_nobody_else() -> None:
    text = text_of(FAMILY)
    assert text.count("戸籍に記録されている者") == 4
    assert text.count("除籍") == 1


def test_the_spouse_s_part_stands_before_the_parents() -> None:
    text = text_of(individual(ICHIRO))
    assert text.index("生年月日") < text.index("配偶者区分") < text.index("\n父 ")


def test_no_section_s_heading_stands_alone_at_a_sheet_s_foot() -> None:
    for lines in range(1, 40):
        grown = replace(ICHIRO, matters=(matter("氏の変更", *(("従前の記録", f"第{n}") for n in range(lines))),))
        for text in front_texts(render(fonts(), register(grown, KATSURAKO), ISSUANCE, "MDG1:TEST")):
            for after in text.split("身分事項\r\n")[1:]:
                assert "【" in after.splitlines()[0]
