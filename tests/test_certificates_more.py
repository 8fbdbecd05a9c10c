"""The kinds beside residence and taxation certificates, each with everything on it, with nothing, and too much."""

from __future__ import annotations

import re
import subprocess
from datetime import date
from io import BytesIO
from pathlib import Path

import msgspec
import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image

from printing.paper import seal
from printing.paper.certificates import LAYOUTS, check, family_register, pages, render, residence, title, undrawable
from printing.paper.certificates.wording import ROWS, WordingRow, wording
from printing.paper.era import era_date, fiscal_year_words, western_date
from printing.paper.errors import InconsistentRecord, PaperError, ValueTooLong, WrongVocabulary
from printing.paper.recheck import Expected, RecheckFailed, Subject, page_texts, recheck
from printing.paper.records import (
    Certificate,
    CertificateKind,
    FamilyRegister,
    IncomeCertificate,
    Issuance,
    RegisteredPerson,
    ResidenceItemCertificate,
    SealRegistrationCertificate,
    StatedItem,
    StatedPerson,
    SupplementaryItem,
    SupplementaryRegisterCopy,
    TaxPaymentCertificate,
    kind_of,
)
from tests.paper_samples import (
    ADDRESS,
    INDIVIDUAL_NUMBER,
    ISSUANCE,
    JAPANESE,
    TAXED,
    WATANABE,
    bare,
    fonts,
    key_pair,
    line,
    names,
)
from tests.paper_samples import residence as residence_sample
from tests.paper_samples_more import (
    ABROAD,
    ADOPTED,
    ALL_STATED,
    ALL_SUPPLEMENTARY,
    DOMICILE,
    FEW_STATED,
    ICHIRO,
    INCOME,
    KATSURAKO,
    LIVED,
    MOVED,
    PAYMENT,
    REMOVED,
    REMOVED_BEFORE,
    SEALED,
    SEALED_FOREIGN,
    STATED_FOREIGN,
    STATED_JAPANESE,
    individual,
    matter,
    register,
    seal_png,
    stated,
    supplementary,
)

replace = msgspec.structs.replace
LONG = "長" * 400
FULL = stated(STATED_JAPANESE, STATED_FOREIGN)
FAMILY = register(ICHIRO, KATSURAKO, ADOPTED, REMOVED)
ADDRESSES = supplementary(LIVED, ABROAD, REMOVED_BEFORE)
SAMPLES: list[Certificate] = [
    FULL,
    FEW_STATED,
    stated(STATED_JAPANESE, STATED_FOREIGN, *[STATED_JAPANESE] * 5),
    SEALED,
    SEALED_FOREIGN,
    INCOME,
    PAYMENT,
    FAMILY,
    register(*[ICHIRO, KATSURAKO, ADOPTED, REMOVED] * 4),
    individual(ADOPTED),
    individual(REMOVED),
    ADDRESSES,
    supplementary(LIVED, everybody=False),
    supplementary(*[LIVED, REMOVED_BEFORE] * 12),
]


def text_of(record: Certificate, issuance: Issuance = ISSUANCE) -> str:
    return "\n".join(page_texts(render(fonts(), record, issuance, "MDG1:TEST")))


def _born_words(person: object) -> str:
    born_on = getattr(person, "born_on", None)
    if born_on is None:
        return "【空欄】"
    western = getattr(person, "foreign", False) or not getattr(person, "born_in_era", True)
    return western_date(born_on) if western else era_date(born_on)


def expected_of(record: Certificate) -> Expected:
    """What an order for this record would say, apart from the drawing."""
    people = getattr(record, "people", (record,))
    address: str | None = None
    domicile: str | None = None
    headings: tuple[str, ...] = (title(record),)
    match record:
        case ResidenceItemCertificate() | SealRegistrationCertificate():
            address = record.address
        case TaxPaymentCertificate():
            address, headings = record.address, (*headings, fiscal_year_words(record.fiscal_year).split("(")[0])
        case IncomeCertificate():
            address, headings = record.address_on_1_january, (*headings, fiscal_year_words(record.fiscal_year))
        case FamilyRegister():
            domicile = record.domicile
        case SupplementaryRegisterCopy():
            domicile = record.domicile or "【省略】"
            headings = (*headings, "(全部)" if record.everybody else "(一部)")
    return Expected(
        people=tuple(
            Subject(
                name=name,
                born_on=_born_words(person),
                individual_number=getattr(person, "individual_number", None),
            )
            for name, person in zip(names(record), people, strict=True)
        ),
        address=address,
        domicile=domicile,
        headings=headings,
        issue_number=ISSUANCE.issue_number,
        pages=pages(record),
    )


def test_every_kind_has_a_layout_and_its_word_on_the_record() -> None:
    assert set(LAYOUTS) == set(CertificateKind)
    kinds = {kind_of(record) for record in SAMPLES}
    assert kinds == set(CertificateKind) - {CertificateKind.RESIDENCE, CertificateKind.TAXATION}
    assert (kind_of(residence_sample(JAPANESE)), kind_of(TAXED)) == ("residence", "taxation")
    for record in SAMPLES:
        again: Certificate = msgspec.json.decode(msgspec.json.encode(record), type=Certificate)
        assert again == record


@pytest.mark.parametrize("record", SAMPLES)
def test_other_peoples_tools_accept_the_paper(record: Certificate, tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    path.write_bytes(render(fonts(), record, ISSUANCE, "MDG1:TEST"))
    checked = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, timeout=30, check=True)
    assert "No syntax or stream encoding errors found" in checked.stdout
    text = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, timeout=30, check=True).stdout
    for words in (*names(record), title(record), ISSUANCE.issue_number, ISSUANCE.check_code):
        assert words in text
    with pikepdf.open(path) as pdf:
        assert len(pdf.pages) == pages(record)


@pytest.mark.parametrize("record", SAMPLES)
def test_a_right_paper_passes_the_recheck_and_another_does_not(record: Certificate) -> None:
    pdf = render(fonts(), record, ISSUANCE, "MDG1:TEST")
    right = expected_of(record)
    recheck(pdf, right)
    first = right.people[0]
    wrong = {
        "names": replace(right, people=(replace(first, name="見本 他人"), *right.people[1:])),
        "born_on": replace(right, people=(replace(first, born_on="昭和1年1月1日"), *right.people[1:])),
        "address": replace(right, address="みほん県みほん市"),
        "domicile": replace(right, domicile="みほん県みほん市"),
        "pages": replace(right, pages=right.pages + 1),
        "headings": replace(right, headings=("住民票の写し",)),
        "issue_number": replace(right, issue_number="2026-00001235"),
    }
    for what, expected in wrong.items():
        with pytest.raises(RecheckFailed) as caught:
            recheck(pdf, expected)
        assert caught.value.what.split(":")[0] == what


@pytest.mark.parametrize("record", SAMPLES)
def test_same_input_same_bytes_and_check_agrees(record: Certificate) -> None:
    assert undrawable(fonts(), record, ISSUANCE) == ()
    check(fonts(), record, ISSUANCE)
    assert render(fonts(), record, ISSUANCE, "MDG1:T") == render(fonts(), record, ISSUANCE, "MDG1:T")


@pytest.mark.parametrize("record", SAMPLES)
def test_every_sheet_is_numbered_and_the_last_one_certifies(record: Certificate) -> None:
    texts = page_texts(render(fonts(), record, ISSUANCE, "MDG1:TEST"))
    total = len(texts)
    for number, text in enumerate(texts, start=1):
        assert text.rstrip().endswith(f"{number}/{total}")
        assert text.startswith(title(record))
    row = wording(
        kind_of(record), ISSUANCE, part=isinstance(record, SupplementaryRegisterCopy) and not record.everybody
    )
    assert [row.statement in text for text in texts] == [False] * (total - 1) + [True]
    assert ["以下余白" in text for text in texts] == [False] * (total - 1) + [True]


# Residence item certificate


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
NOTHING_BUT_NAMES = (
    StatedPerson(name="見本 花子", born_on=date(2004, 9, 30)),
    StatedPerson(name="LEE", born_on=date(1990, 5, 3), foreign=True),
)


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
    special = replace(STATED_FOREIGN, category="特別永住者", status=None, period=None, expires_on=None)
    assert "特別永住者証明書番号 AB12345678CD" in text_of(stated(special))


def test_the_individual_number_stands_in_its_own_entry_alone() -> None:
    other = replace(STATED_JAPANESE, individual_number=None)
    pdf = render(fonts(), stated(STATED_JAPANESE, other), ISSUANCE, "MDG1:TEST")
    recheck(pdf, expected_of(stated(STATED_JAPANESE, other)))
    with pytest.raises(RecheckFailed, match="individual_number"):
        recheck(pdf, expected_of(stated(other, STATED_JAPANESE)))


@pytest.mark.parametrize(
    ("record", "item"),
    [
        (stated(), "people"),
        (replace(FEW_STATED, items=frozenset(), address=None), "items"),
        (stated(replace(STATED_JAPANESE, nationality="ペルー")), "foreign"),
        (stated(replace(STATED_FOREIGN, domicile=DOMICILE)), "foreign"),
        (stated(replace(STATED_FOREIGN, former_surname="佐藤")), "foreign"),
        (stated(replace(STATED_JAPANESE, alias="山田 マリア")), "foreign"),
        (stated(replace(STATED_JAPANESE, individual_number="12345678901")), "individual_number"),
        (register(), "people"),
        (register(replace(ICHIRO, matters=(matter("出生"),))), "matters"),
        (supplementary(), "people"),
        (supplementary(replace(REMOVED_BEFORE, sex="女")), "sex"),
        (supplementary(ABROAD, items=ALL_SUPPLEMENTARY - {SupplementaryItem.OVERSEAS_VOTER}), "overseas_voter"),
        (replace(ADDRESSES, items=ALL_SUPPLEMENTARY - {SupplementaryItem.DOMICILE}), "domicile"),
        (replace(INCOME, incomes=(), totals=()), "incomes"),
        (replace(PAYMENT, lines=()), "lines"),
        (replace(PAYMENT, lines=(replace(PAYMENT.lines[0], paid_yen=-1),)), "lines"),
        (replace(PAYMENT, lines=(replace(PAYMENT.lines[0], unpaid_yen=0),)), "lines"),
        (replace(SEALED, alias="山田 マリア"), "alias"),
        (replace(SEALED, largest_mm=14.0), "image_png"),
        (replace(SEALED, largest_mm=41.0), "largest_mm"),
        (replace(SEALED, image_png=seal_png(26.0)), "image_png"),
        (replace(SEALED, image_png=seal_png(dpi=100)), "image_png"),
        (replace(SEALED, image_png=seal_png(mode="L")), "image_png"),
        (replace(SEALED, image_png=seal_png(15.0, dpi=4000)), "image_png"),
        (replace(SEALED, image_png=b"no picture"), "image_png"),
        (replace(SEALED, image_png=seal_png()[:200]), "image_png"),
    ],
)
def test_records_that_contradict_themselves_are_refused(record: Certificate, item: str) -> None:
    for refuse in (lambda: render(fonts(), record, ISSUANCE, "MDG1:TEST"), lambda: check(fonts(), record, ISSUANCE)):
        with pytest.raises(InconsistentRecord) as caught:
            refuse()
        assert caught.value.item == item


# Vocabulary by document


@pytest.mark.parametrize("word", ["長男", "長女", "二男", "三女", "十一男", "男", "女"])
def test_words_of_the_family_register_are_its_own(word: str) -> None:
    assert f"続柄 {word}" in text_of(register(replace(ICHIRO, relationship=word)))
    assert not residence.is_relationship(word)
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
    assert not family_register.is_relationship(word)
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


# Family registers


def test_family_register_says_all_of_everybody() -> None:
    text = text_of(FAMILY)
    for words in (
        f"本籍 {DOMICILE}",
        "筆頭者 渡\u9089\U000e010f 一郎",
        "戸籍編製 【編製日】平成22年6月6日",
        "氏名 渡\u9089\U000e010f さくら 生年月日 平成24年3月4日",
        "振り仮名 わたなべ さくら",
        "父 【空欄】 母 見本 花子 続柄 長女",
        "養父 渡\u9089\U000e010f 一郎 養母 渡\u9089\U000e010f 葛\U000e0102子 続柄 養女",
        "配偶者区分 妻",
        "【従前戸籍】架空県そら市北町三丁目14番地 佐藤 次郎",
        "戸籍から除かれている者(除籍)\r\n氏名 渡\u9089\U000e010f 二郎",
    ):
        assert words in text
    assert text.count("配偶者区分") == 2  # who is not married has no such row
    assert "振り仮名" not in text_of(register(replace(ADOPTED, given_name_reading=None)))
    assert "身分事項" not in text_of(replace(register(replace(ADOPTED, matters=())), matters=()))


def test_continued_sheets_say_whose_matters_they_are() -> None:
    long = replace(
        ICHIRO, matters=tuple(matter("氏の変更", *(("従前の記録", f"第{n}") for n in range(30))) for _ in range(3))
    )
    record = register(KATSURAKO, long)
    texts = page_texts(render(fonts(), record, ISSUANCE, "MDG1:TEST"))
    assert len(texts) == pages(record) > 2
    for text in texts:
        assert f"本籍 {DOMICILE}" in text
    for text in texts[1:]:
        assert "渡\u9089\U000e010f 一郎 (続き)" in text
        assert "氏の変更(続き) 【従前の記録】第" in text
    every = "".join(texts)
    assert [every.count(f"【従前の記録】第{n}\r\n") for n in range(30)] == [3] * 30
    recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))


def test_a_short_matter_is_not_divided() -> None:
    for people in range(1, 8):
        for text in page_texts(render(fonts(), register(*[KATSURAKO, ADOPTED] * people), ISSUANCE, "MDG1:TEST")):
            assert "出生(続き)" not in text
            assert text.count("【出生日】") == text.count("【届出人】")


# Supplementary register


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


# Tax


def test_income_certificate_says_its_amounts() -> None:
    text = text_of(INCOME)
    for words in (
        "令和7年度(令和6年分)",
        f"住所(令和7年1月1日現在) {ADDRESS}",
        "給与収入 5,123,456円",
        "公的年金等収入 【空欄】",
        "不動産所得 0円",
        "合計所得金額 3,770,000円",
        "上記のとおり証明する。",
    ):
        assert words in text
    foreign = replace(INCOME, born_in_era=False, alias="山田 マリア", totals=())
    assert "生年月日 1985年4月3日" in text_of(foreign)
    assert "通称 山田 マリア" in text_of(foreign)
    assert "所得の合計 金額\r\n【空欄】" in text_of(foreign)


@pytest.mark.parametrize("count", [1, 15, 19])
def test_a_sheet_of_amounts_is_whole_and_more_is_refused(count: int) -> None:
    record = replace(INCOME, incomes=tuple(line(f"所得{n}", n * 1000) for n in range(1, count + 1)))
    assert all(f"所得{n} {n * 1000:,}円" in text_of(record) for n in range(1, count + 1))
    payments = replace(PAYMENT, lines=(PAYMENT.lines[0],) * count)
    assert text_of(payments).count("106,200円") == count
    for too_many in (replace(INCOME, incomes=record.incomes * 40), replace(PAYMENT, lines=payments.lines * 40)):
        with pytest.raises(ValueTooLong):
            check(fonts(), too_many, ISSUANCE)


def test_tax_payment_certificate_says_how_long_payments_take() -> None:
    text = text_of(PAYMENT)
    for words in (
        "令和8年度",
        "収納確認日 令和8年11月20日",
        "市民税・県民税・森林環境税 212,500円 106,300円 106,200円",
        "軽自動車税(種別割) 【空欄】 【空欄】 【空欄】",
        "2週間から3週間かかります。",
    ):
        assert words in text


# Seal registration


@pytest.mark.parametrize(("side_mm", "record"), [(15.0, SEALED), (24.9, SEALED_FOREIGN)])
def test_the_registered_seal_stands_there_at_true_size(side_mm: float, record: Certificate) -> None:
    document = pdfium.PdfDocument(render(fonts(), record, ISSUANCE, "MDG1:TEST"))
    try:
        pictures = [item for item in document[0].get_objects() if isinstance(item, pdfium.PdfImage)]
        assert len(pictures) == 1
        left, bottom, right, top = (edge / 72 * 25.4 for edge in pictures[0].get_bounds())
        assert (right - left, top - bottom) == pytest.approx((side_mm, side_mm), abs=0.05)
        page = document[0].render(scale=600 / 72, grayscale=True).to_pil()
    finally:
        document.close()
    box = [round(edge / 25.4 * 600) for edge in (left, 297 - top, right, 297 - bottom)]
    drawn = page.crop(box).point(lambda level: 255 * (level > 128))
    dark = 1 - sum(drawn.histogram()[128:]) / (drawn.width * drawn.height)
    assert 0.05 < dark < 0.5  # lines on paper, neither a black square nor nothing
    inner = drawn.crop((drawn.width // 4, drawn.height // 8, drawn.width * 3 // 4, drawn.height * 7 // 8))
    assert inner.getextrema() == (0, 255)


def test_seal_registration_names_whose_it_is() -> None:
    text = text_of(SEALED)
    for words in (f"氏名 {WATANABE}", "旧氏 佐藤", "通称 【空欄】", f"住所 {ADDRESS}", "印影は実物大です。"):
        assert words in text
    assert "旧氏 佐藤 (" not in text  # without its reading
    assert "通称 山田 マリア" in text_of(SEALED_FOREIGN)
    with pytest.raises(InconsistentRecord, match="even colour"):
        check(fonts(), replace(SEALED, image_png=_blank()), ISSUANCE)


def _blank() -> bytes:
    out = BytesIO()
    Image.new("1", (200, 200), 1).save(out, "PNG", dpi=(300, 300))
    return out.getvalue()


# Too long, and wording


TOO_LONG: list[tuple[str, Certificate]] = [
    ("name", stated(replace(STATED_JAPANESE, name=LONG))),
    ("name_reading", stated(replace(STATED_JAPANESE, name_reading="な" * 200))),
    ("domicile", stated(replace(STATED_JAPANESE, domicile=LONG))),
    ("status", stated(replace(STATED_FOREIGN, status=LONG))),
    ("remarks", stated(replace(STATED_JAPANESE, remarks=LONG))),
    ("address", replace(FULL, address=LONG)),
    ("name", replace(SEALED, name=LONG)),
    ("address", replace(SEALED, address=LONG)),
    ("alias", replace(SEALED_FOREIGN, alias=LONG)),
    ("address", replace(INCOME, address_on_1_january=LONG)),
    ("incomes", replace(INCOME, incomes=(line(LONG, 1),))),
    ("tax", replace(PAYMENT, lines=(replace(PAYMENT.lines[0], tax=LONG),))),
    ("domicile", replace(FAMILY, domicile=LONG)),
    ("parents", register(replace(ICHIRO, father=LONG))),
    ("name", register(replace(ICHIRO, given_name=LONG))),
    ("出生", register(replace(ICHIRO, matters=(matter("出生", ("出生地", LONG)),)))),
    ("heading", register(replace(ICHIRO, matters=(matter(LONG, ("出生地", "みほん市")),)))),
    ("addresses", supplementary(replace(LIVED, addresses=(replace(MOVED[0], address=LONG),)))),
    ("overseas_voter", supplementary(replace(ABROAD, overseas_voter=LONG))),
]


@pytest.mark.parametrize(("item", "record"), TOO_LONG)
def test_too_long_values_are_refused_by_name_and_never_cut(item: str, record: Certificate) -> None:
    for refuse in (lambda: render(fonts(), record, ISSUANCE, "MDG1:TEST"), lambda: check(fonts(), record, ISSUANCE)):
        with pytest.raises(ValueTooLong) as caught:
            refuse()
        assert caught.value.item == item
        assert LONG not in str(caught.value)


def test_long_values_that_fit_are_shrunk_then_wrapped_and_whole() -> None:
    name = "MONTEMAYOR VILLAVICENCIO ECHEVERRIA GUADALUPE CONCEPCION FRANCISCA"
    address = "みほん県みほん市" + "一二三四五六七八九十" * 7
    for record in (
        replace(FEW_STATED, address=address, people=(replace(NOTHING_BUT_NAMES[0], name=name),)),
        replace(SEALED, name=name, address=address),
        replace(INCOME, name=name, address_on_1_january=address),
        replace(PAYMENT, name=name, address=address),
        replace(register(replace(ADOPTED, given_name=name)), domicile=address),
        replace(
            supplementary(replace(LIVED, name=name, addresses=(replace(MOVED[0], address=address),))), domicile=address
        ),
    ):
        text = "".join(text_of(record).split())
        assert "".join(name.split()) in text
        assert address in text
        recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))


def test_a_glyph_that_cannot_be_drawn_is_refused_wherever_it_stands() -> None:
    bad = "葛\U000e0100"
    for record in (
        replace(SEALED, name=bad),
        register(replace(ICHIRO, matters=(matter("出生", ("出生地", bad)),))),
        supplementary(replace(LIVED, addresses=(replace(MOVED[0], address=bad),))),
    ):
        assert undrawable(fonts(), record, ISSUANCE) == (bad,)
        with pytest.raises(PaperError):
            check(fonts(), record, ISSUANCE)


def test_wording_is_the_municipality_s_own_and_the_newest_in_force() -> None:
    kind = CertificateKind.INCOME
    own = WordingRow(kind, "当市の文言", municipality_code="131130", valid_from=date(2021, 1, 1))
    newer = WordingRow(kind, "新しい文言", valid_from=date(2026, 11, 22))
    later = WordingRow(kind, "明日からの文言", valid_from=date(2026, 11, 23))
    other = WordingRow(kind, "他市の文言", municipality_code="999016", valid_from=date(2026, 1, 1))
    assert wording(kind, ISSUANCE, rows=(*ROWS, newer, later, other)).statement == "新しい文言"
    assert wording(kind, ISSUANCE, rows=(*ROWS, newer, own, other)).statement == "当市の文言"
    with pytest.raises(LookupError):
        wording(kind, ISSUANCE, rows=(later, other))


# The printed seal


PRIVATE, PUBLIC = key_pair()
SIGNER = seal.SealSigner.from_pem(seal.key_id_of(PUBLIC), PRIVATE)
LONGEST = replace(ISSUANCE, issue_number="9" * 40)


def _content(record: Certificate) -> seal.SealContent:
    return seal.content_of(record, LONGEST, status_id=b"s" * 16, binding=b"b" * 32, salt=b"a" * 32)


@pytest.mark.parametrize("record", SAMPLES)
def test_seals_prove_what_their_kind_allows_and_no_more(record: Certificate) -> None:
    text = seal.sign(_content(record), SIGNER)
    assert len(text) <= seal.max_seal_chars(record)
    content = seal.verify(text, {SIGNER.key_id: PUBLIC})
    assert content.kind is kind_of(record)
    assert content.fields["names"].split("\n") == list(names(record))
    plain = "".join(content.fields.values())
    for secret in (DOMICILE, INDIVIDUAL_NUMBER, "AB12345678CD", "3770000", "212500", "1985", "昭和", "長男", "佐藤"):
        assert secret not in plain


def test_what_the_paper_is_about_is_proven() -> None:
    assert seal.proven_fields(FULL) == {"names": f"{WATANABE}\n{STATED_FOREIGN.name}", "address": ADDRESS}
    without = replace(FULL, items=ALL_STATED - {StatedItem.ADDRESS}, address=None)
    assert set(seal.proven_fields(without)) == {"names"}
    assert seal.proven_fields(SEALED) == {"names": WATANABE, "address": ADDRESS}
    assert seal.proven_fields(INCOME) == {"names": WATANABE, "fiscal_year": "2025"}
    assert seal.proven_fields(PAYMENT) == {"names": WATANABE, "fiscal_year": "2026"}
    assert set(seal.proven_fields(FAMILY)) == {"names"}
    assert seal.proven_fields(supplementary(LIVED, ABROAD))["address"] == ADDRESS
    assert set(seal.proven_fields(ADDRESSES)) == {"names"}  # not all of them live at one address
    assert set(seal.proven_fields(supplementary(replace(LIVED, addresses=())))) == {"names"}


def test_the_digest_covers_the_registered_seal() -> None:
    other = replace(SEALED, image_png=seal_png(legend="渡部"))
    assert seal.content_digest(SEALED, ISSUANCE, b"a" * 16) != seal.content_digest(other, ISSUANCE, b"a" * 16)


def test_one_person_more_is_on_no_paper() -> None:
    """Everybody who is drawn is named to the re-check and to the seal, whatever the kind."""
    for record in (FULL, FAMILY, ADDRESSES):
        more = replace(record, people=(*record.people, record.people[0]))
        assert len(names(more)) == len(names(record)) + 1
        with pytest.raises(RecheckFailed, match="names"):
            recheck(render(fonts(), more, ISSUANCE, "MDG1:TEST"), replace(expected_of(record), pages=pages(more)))
    assert names(residence_sample(bare("見本 一"))) == ("見本 一",)
