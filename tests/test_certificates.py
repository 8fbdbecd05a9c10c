from __future__ import annotations

import subprocess
from datetime import date
from pathlib import Path

import msgspec
import pikepdf
import pytest

from printing.paper.certificates import check, render, sheets, title, undrawable
from printing.paper.errors import InconsistentRecord, NoEra, PaperError, ValueTooLong, WrongVocabulary
from printing.paper.records import (
    Certificate,
    ForeignResidentItems,
    Issuance,
    ResidenceCertificate,
    ResidenceItem,
    ResidencePerson,
)
from printing.paper.seal import read_printed
from tests.paper_samples import (
    ADDRESS,
    CERTIFIER,
    CHINESE,
    FOREIGN,
    INDIVIDUAL_NUMBER,
    ISSUANCE,
    JAPANESE,
    TAXED,
    WATANABE,
    WITHHELD,
    bare,
    fonts,
    front_texts,
    line,
    names,
    residence,
)

replace = msgspec.structs.replace
NUMBERED = replace(JAPANESE, individual_number=INDIVIDUAL_NUMBER)
NINE = residence(JAPANESE, FOREIGN, *(bare(f"見本 {n}郎") for n in "一二三四五六七"), whole=True)


def text_of(record: Certificate, issuance: Issuance = ISSUANCE) -> str:
    return "\n".join(front_texts(render(fonts(), record, issuance, "MDG1:TEST")))


def foreign(**changes: object) -> ResidencePerson:
    assert FOREIGN.foreign is not None
    return replace(FOREIGN, foreign=replace(FOREIGN.foreign, **changes))


@pytest.mark.parametrize("record", [residence(JAPANESE), NINE, TAXED, WITHHELD])
def test_other_peoples_tools_accept_the_paper(record: Certificate, tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    path.write_bytes(render(fonts(), record, ISSUANCE, "MDG1:TEST"))
    checked = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, timeout=30, check=True)
    assert "No syntax or stream encoding errors found" in checked.stdout
    text = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, timeout=30, check=True).stdout
    for name in (*names(record), title(record), ISSUANCE.issue_number, ISSUANCE.check_code, ISSUANCE.check_address):
        assert name in text
    listed = subprocess.run(["pdffonts", path], capture_output=True, text=True, timeout=30, check=True).stdout
    rows = [row.split() for row in listed.splitlines()[2:]]
    assert len(rows) == 2 + 3  # one subset a face of what is the paper's own, and one of the back's words
    assert [row[-5:-2] for row in rows] == [["yes", "yes", "yes"]] * 5  # embedded, subset, with Unicode
    with pikepdf.open(path) as pdf:
        assert len(pdf.pages) == 2 * sheets(record)
        assert all([round(float(x), 3) for x in page.mediabox] == [0, 0, 595.276, 841.89] for page in pdf.pages)


def test_household_of_nine_takes_three_sheets() -> None:
    texts = front_texts(render(fonts(), NINE, ISSUANCE, "MDG1:TEST"))
    assert sheets(NINE) == len(texts) == 3
    for number, text in enumerate(texts, start=1):
        assert text.rstrip().endswith(f"{number}/3")
        assert f"発行番号 {ISSUANCE.issue_number}" in text
        assert f"住所 {ADDRESS}" in text
        assert text.startswith(title(NINE))
    assert [text.count("\n氏名 ") for text in texts] == [4, 4, 1]
    assert ["証明する。" in text for text in texts] == [False, False, True]
    assert [ISSUANCE.check_code in text for text in texts] == [True, False, False]
    assert ["以下余白" in text for text in texts] == [False, False, True]


@pytest.mark.parametrize(("people", "total"), [(1, 1), (4, 1), (5, 2), (8, 2)])
def test_four_people_a_sheet(people: int, total: int) -> None:
    record = residence(*[bare("見本 一")] * people)
    assert sheets(record) == total
    assert ("以下余白" in text_of(record)) == (people % 4 != 0)


def test_statement_says_whole_household_or_part() -> None:
    whole, part = text_of(residence(JAPANESE, whole=True)), text_of(residence(JAPANESE))
    assert "この写しは、世帯全員の住民票の原本と相違ないことを証明する。" in whole
    assert "この写しは、住民票の原本と相違ないことを証明する。" in part
    for text in (whole, part):
        assert "令和8年11月22日\r\nみほん市役所\r\nみほん市長\r\n見本 太郎" in text


def test_japanese_entry_has_its_items() -> None:
    text = text_of(residence(JAPANESE))
    for words in (
        f"氏名 {WATANABE} 性別 女 生年月日 昭和60年4月3日 続柄 世帯主",
        "旧氏 佐藤 (さとう) 住民となった年月日 平成27年4月1日",
        "住所を定めた年月日 令和元年5月1日 届出日 令和元年5月3日",
        "本籍 みほん県みほん市本町一丁目2番 筆頭者 渡\u9089\U000e010f 一郎",
        "転入前住所 架空県そら市北町三丁目14番地15 メゾン架空 203号",
        "異動前住所 【空欄】",
        "備考 【空欄】",
        "振り仮名 わたなべ かつらこ",
        f"世帯主 {WATANABE}",
    ):
        assert words in text
    assert "国籍" not in text


def test_foreign_entry_has_its_own_items() -> None:
    text = text_of(residence(FOREIGN))
    for words in (
        "氏名 RAMIREZ GONZALEZ MARIA FERNANDA 性別 女 生年月日 1990年5月3日 続柄 弟の妻",
        "通称 山田 マリア 外国人住民となった年月日 平成30年2月3日",
        "国籍・地域 ペルー 30条の45に規定する区分 中長期在留者",
        "在留資格 技術・人文知識・国際業務 在留期間 5年 満了日 2027年3月1日",
        "在留カード番号 AB12345678CD",
        "通称の記載・削除 令和2年4月1日 記載 山田 マリア",
    ):
        assert words in text
    for words in ("本籍", "筆頭者", "旧氏", "\r\n住民となった年月日"):
        assert words not in text


def test_a_name_in_kanji_stands_beside_the_latin_letters() -> None:
    text = text_of(residence(CHINESE))
    assert "氏名 LI XIAOMING 性別 男 生年月日 1996年8月15日" in text
    assert "通称 【空欄】 漢字氏名 李 小明 外国人住民となった年月日 令和6年4月5日" in text


def test_special_permanent_resident_has_no_status_and_another_number() -> None:
    person = foreign(category="特別永住者", status=None, period=None, expires_on=None)
    text = text_of(residence(person))
    assert "特別永住者証明書番号 AB12345678CD" in text
    assert "在留資格 【空欄】 在留期間 【空欄】 満了日 【空欄】" in text
    assert "漢字氏名" not in text


def test_missing_values_say_so() -> None:
    text = text_of(
        residence(bare("見本 一"), replace(bare("LEE"), foreign=ForeignResidentItems(became_foreign_resident_on=None)))
    )
    assert "旧氏 【空欄】 住民となった年月日 【空欄】" in text
    assert "通称 【空欄】 外国人住民となった年月日 【空欄】" in text
    assert "本籍 【空欄】 筆頭者 【空欄】" in text
    assert "通称の記載・削除 【空欄】" in text
    assert "振り仮名" not in text  # a reading stands there only if it is recorded


ITEM_CELLS = {
    ResidenceItem.RELATIONSHIP: (JAPANESE, ("relationship",), ("続柄", "世帯主"), ("続柄 世帯主",)),
    ResidenceItem.DOMICILE: (
        JAPANESE,
        ("domicile", "domicile_head"),
        ("本籍", "筆頭者"),
        ("本籍 みほん県みほん市本町一丁目2番",),
    ),
    ResidenceItem.NATIONALITY: (FOREIGN, ("nationality",), ("国籍・地域",), ("国籍・地域 ペルー",)),
    ResidenceItem.STATUS: (
        FOREIGN,
        ("category", "status", "period", "expires_on"),
        ("30条の45に規定する区分", "在留資格", "在留期間", "満了日"),
        ("区分 中長期在留者", "在留期間 5年"),
    ),
    ResidenceItem.CARD_NUMBER: (FOREIGN, ("card_number",), ("在留カード番号",), ("在留カード番号 AB12345678CD",)),
    ResidenceItem.ALIAS_HISTORY: (FOREIGN, ("alias_history",), ("通称の記載・削除",), ("削除 令和2年4月1日",)),
    ResidenceItem.PREVIOUS_ADDRESS: (
        replace(JAPANESE, previous_address="みほん県みほん市南町5番6号"),
        ("previous_address",),
        ("異動前住所",),
        ("異動前住所 みほん県みほん市南町5番6号",),
    ),
    ResidenceItem.INDIVIDUAL_NUMBER: (
        NUMBERED,
        ("individual_number",),
        ("個人番号",),
        (f"個人番号 {INDIVIDUAL_NUMBER}",),
    ),
}


def _without(person: ResidencePerson, fields: tuple[str, ...]) -> ResidencePerson:
    own = {name: None for name in fields if hasattr(person, name)}
    theirs = {name: () if name == "alias_history" else None for name in fields if hasattr(person.foreign, name)}
    person = replace(person, **own)
    return person if person.foreign is None else replace(person, foreign=replace(person.foreign, **theirs))


@pytest.mark.parametrize("item", list(ResidenceItem))
def test_each_item_on_prints_and_off_is_left_out(item: ResidenceItem) -> None:
    person, fields, labels, printed = ITEM_CELLS[item]
    on = residence(person)
    off = residence(_without(person, fields), items=frozenset(ResidenceItem) - {item})
    for words in printed:
        assert words in text_of(on)
        assert words not in text_of(off)
    for label in labels:
        assert f"{label} 【省略】" in text_of(off)
        assert f"{label} 【省略】" not in text_of(on)
    # A value that nobody chose refuses the paper, whatever put it into the record.
    slipped = residence(person, items=frozenset(ResidenceItem) - {item})
    with pytest.raises(InconsistentRecord) as caught:
        render(fonts(), slipped, ISSUANCE, "MDG1:TEST")
    assert caught.value.item in (*fields, "head_of_household")


@pytest.mark.parametrize("items", [frozenset[ResidenceItem](), frozenset(ResidenceItem)])
def test_former_surname_and_alias_print_whatever_was_chosen(items: frozenset[ResidenceItem]) -> None:
    every = [field for _person, fields, _labels, _printed in ITEM_CELLS.values() for field in fields]
    people = (JAPANESE, FOREIGN) if items else (_without(JAPANESE, tuple(every)), _without(FOREIGN, tuple(every)))
    text = text_of(residence(*people, items=items))
    assert "旧氏 佐藤 (さとう)" in text
    assert "通称 山田 マリア" in text


@pytest.mark.parametrize(
    "word",
    [
        "世帯主",
        "妻",
        "夫",
        "子",
        "子の妻",
        "妻の子",
        "子の子",
        "父",
        "母",
        "夫(未届)",
        "妻（未届）",
        "縁故者",
        "同居人",
        "妻の母の弟",
    ],
)
def test_relationship_words_of_a_residence_certificate(word: str) -> None:
    assert f"続柄 {word}" in text_of(residence(replace(JAPANESE, relationship=word)))


@pytest.mark.parametrize(
    "word", ["長男", "長女", "二男", "養子", "養女", "筆頭者", "子の長男", "世帯主の妻", "子の", "の", "", "son"]
)
def test_words_of_the_family_register_are_refused(word: str) -> None:
    with pytest.raises(WrongVocabulary) as caught:
        render(fonts(), residence(replace(JAPANESE, relationship=word)), ISSUANCE, "MDG1:TEST")
    assert caught.value.item == "relationship"


@pytest.mark.parametrize(
    "person",
    [
        replace(FOREIGN, domicile="みほん県みほん市"),
        replace(FOREIGN, former_surname="佐藤"),
        replace(FOREIGN, became_resident_on=date(2020, 1, 1)),
    ],
)
def test_items_of_japanese_nationals_on_a_foreign_entry_are_refused(person: ResidencePerson) -> None:
    with pytest.raises(InconsistentRecord, match="foreign"):
        render(fonts(), residence(person), ISSUANCE, "MDG1:TEST")


def test_certificate_of_nobody_is_refused() -> None:
    with pytest.raises(InconsistentRecord, match="people"):
        render(fonts(), residence(), ISSUANCE, "MDG1:TEST")


LONG = "長" * 400
TOO_LONG: list[tuple[str, Certificate]] = [
    ("name", residence(replace(JAPANESE, name=LONG))),
    ("name_reading", residence(replace(JAPANESE, name_reading="な" * 60))),
    ("former_surname", residence(replace(JAPANESE, former_surname=LONG))),
    ("domicile", residence(replace(JAPANESE, domicile=LONG))),
    ("domicile_head", residence(replace(JAPANESE, domicile_head=LONG))),
    ("moved_in_from", residence(replace(JAPANESE, moved_in_from=LONG))),
    ("previous_address", residence(replace(JAPANESE, previous_address=LONG))),
    ("remarks", residence(replace(JAPANESE, remarks=LONG))),
    ("sex", residence(replace(JAPANESE, sex=LONG))),
    ("alias", residence(foreign(alias=LONG))),
    ("kanji_name", residence(foreign(kanji_name=LONG))),
    ("nationality", residence(foreign(nationality=LONG))),
    ("status", residence(foreign(status=LONG))),
    ("card_number", residence(foreign(card_number=LONG))),
    ("alias_history", residence(foreign(alias_history=(LONG,)))),
    ("address", replace(residence(JAPANESE), address=LONG)),
    ("head_of_household", replace(residence(JAPANESE), head_of_household=LONG)),
    ("name", replace(TAXED, name=LONG)),
    ("address", replace(TAXED, address_on_1_january=LONG)),
    ("incomes", replace(TAXED, incomes=(line(LONG, 1),))),
    ("incomes", replace(TAXED, incomes=tuple(line("給与収入", n) for n in range(30)))),
    ("deductions", replace(TAXED, deductions=tuple(line("基礎控除", n) for n in range(30)))),
]


@pytest.mark.parametrize(("item", "record"), TOO_LONG)
def test_too_long_values_are_refused_by_name_and_never_cut(item: str, record: Certificate) -> None:
    for refuse in (lambda: render(fonts(), record, ISSUANCE, "MDG1:TEST"), lambda: check(fonts(), record, ISSUANCE)):
        with pytest.raises(ValueTooLong) as caught:
            refuse()
        assert caught.value.item == item
        assert LONG not in str(caught.value)


def test_long_values_that_fit_are_whole() -> None:
    address = "みほん県みほん市" + "一二三四五六七八九十" * 11
    person = replace(JAPANESE, moved_in_from=address, remarks="備" * 140)
    text = "".join(text_of(residence(person)).split())
    assert address in text
    assert "備" * 140 in text


@pytest.mark.parametrize("item", ["issue_number", "check_address", "check_code"])
def test_too_long_issue_facts_are_refused(item: str) -> None:
    with pytest.raises(ValueTooLong, match=item):
        check(fonts(), TAXED, replace(ISSUANCE, **{item: "9" * 200}))


@pytest.mark.parametrize("item", ["office", "title", "name"])
def test_too_long_certifiers_are_refused(item: str) -> None:
    with pytest.raises(ValueTooLong, match=f"certifier.{item}"):
        check(fonts(), TAXED, replace(ISSUANCE, certifier=replace(CERTIFIER, **{item: "長" * 60})))


@pytest.mark.parametrize(("record", "most"), [(TAXED, 1_035), (TAXED, 1_036), (TAXED, 1_451), (NINE, 1_451)])
def test_a_seal_larger_than_its_area_is_refused(record: Certificate, most: int) -> None:
    assert read_printed(render(fonts(), record, ISSUANCE, "MDG1:" + "A" * (most - 5))) == "MDG1:" + "A" * (most - 5)
    with pytest.raises(ValueTooLong, match="seal"):
        render(fonts(), record, ISSUANCE, "MDG1:" + "A" * 1_447)


def test_a_seal_that_could_not_be_held_is_refused_before_it_exists() -> None:
    names_of_60 = residence(*[bare("MONTEMAYOR" * 6)] * 4)
    check(fonts(), names_of_60, ISSUANCE)
    with pytest.raises(ValueTooLong, match="seal"):
        check(fonts(), residence(*[bare("MONTEMAYOR" * 6)] * 14), ISSUANCE)


def test_dates_before_the_gregorian_calendar_are_refused() -> None:
    with pytest.raises(NoEra):
        render(fonts(), residence(replace(JAPANESE, born_on=date(1872, 12, 31))), ISSUANCE, "MDG1:TEST")


def test_taxation_certificate_says_what_was_levied() -> None:
    text = text_of(TAXED)
    assert text.splitlines()[:2] == ["課税証明書", "令和7年度(令和6年分)"]
    for words in (
        f"住所(令和7年1月1日現在) {ADDRESS}",
        f"氏名 {WATANABE} 生年月日 昭和60年4月3日",
        "給与収入 5,123,456円",
        "公的年金等収入 【空欄】",
        "一般扶養 1人",
        "調整控除 2,500円",
        "課税標準額 2,240,000円",
        "市民税 所得割 132,900円",
        "森林環境税 1,000円",
        "年税額 226,500円",
        "上記のとおり証明する。",
    ):
        assert words in text
    assert "通称" not in text


def test_non_taxation_certificate_has_the_other_title() -> None:
    record = replace(TAXED, taxed=False, annual_yen=0, born_in_era=False, alias="山田 マリア", born_on=date(1990, 5, 3))
    text = text_of(record)
    assert text.splitlines()[0] == title(record) == "非課税証明書"
    assert "年税額 0円" in text
    assert "生年月日 1990年5月3日" in text
    assert "通称 山田 マリア" in text


def test_withheld_amounts_are_never_zero_yen() -> None:
    text = text_of(WITHHELD)
    assert text.splitlines()[0] == "非課税証明書"
    assert "課税されていない。" in text
    assert "円" not in text
    assert "年税額" not in text


@pytest.mark.parametrize(
    ("record", "item"),
    [
        (replace(TAXED, amounts_withheld=True), "amounts_withheld"),
        (replace(WITHHELD, annual_yen=0), "amounts_withheld"),
        (replace(WITHHELD, incomes=(line("給与収入", 0),)), "amounts_withheld"),
        (replace(TAXED, taxed=False), "taxed"),
        (replace(TAXED, annual_yen=0), "taxed"),
        (replace(TAXED, annual_yen=None), "taxed"),
    ],
)
def test_tax_records_that_contradict_themselves_are_refused(record: Certificate, item: str) -> None:
    with pytest.raises(InconsistentRecord) as caught:
        render(fonts(), record, ISSUANCE, "MDG1:TEST")
    assert caught.value.item == item


def test_specimen_mark_is_no_text_and_only_on_specimens() -> None:
    real = replace(ISSUANCE, certifier=replace(CERTIFIER, specimen=False))
    with_mark, without = text_of(residence(JAPANESE)), text_of(residence(JAPANESE), real)
    assert "すべて架空のものです。" in with_mark
    assert "架空のもの" not in without
    marked_line = next(row for row in with_mark.splitlines() if "すべて架空" in row)
    assert with_mark.replace(marked_line, f"発行番号 {ISSUANCE.issue_number} 1/1") == without


@pytest.mark.parametrize("record", [residence(JAPANESE, FOREIGN), NINE, TAXED, WITHHELD])
def test_a_paper_that_passes_the_check_is_drawn(record: Certificate) -> None:
    assert undrawable(fonts(), record, ISSUANCE) == ()
    check(fonts(), record, ISSUANCE)
    assert render(fonts(), record, ISSUANCE, "MDG1:TEST").startswith(b"%PDF-")


def test_every_refusal_is_one_family() -> None:
    refused: list[ResidenceCertificate] = [residence(), residence(bare("\u9089\U000e0101")), residence(bare(LONG))]
    for record in refused:
        with pytest.raises(PaperError):
            render(fonts(), record, ISSUANCE, "MDG1:TEST")
