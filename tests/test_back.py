"""The back of every sheet: its exact words, its setting, and that it is nobody's."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest
from msgspec.structs import replace

from issuance_server.database import write
from issuance_server.verify.check import Outcome
from issuance_server.verify.words import WORDS
from printing.paper.certificates import back, render
from printing.paper.errors import UndrawableText, ValueTooLong
from printing.paper.page import Document
from printing.paper.recheck import page_texts
from printing.paper.records import Back, Contact, back_of
from tests.issuing_parts import SETTINGS, Office
from tests.paper_samples import ADDRESS, FOREIGN, ISSUANCE, JAPANESE, TAXED, bare, fonts, names, residence

BACK = back_of(ISSUANCE)
PT_PER_MM = 72 / 25.4
#: Word for word, as pdfium reads it. Whoever changes the back reads it once more here.
TEXT = """
この証明書の確かめ方
How to check this certificate
この紙の表面は、下記の市区町村が発行した証明書です。
受け取った方は、だれでも本物かどうかを確かめられます。
The front of this paper is a certificate of the
municipality named below. Anyone may check it.
公式の確認ページ
The official page for checking
確かめる手順
Three steps
1
公式のページを開く
上のアドレスを、ご自分で入力して開いてください。
ひとりでにページを開くコードや、人から送られた
リンクは、決して使わないでください。
Open the official page
Type the address above into your browser yourself.
Never follow a code that opens a link by itself,
nor a link that somebody sent you.
2
そのページの中で、表面のコードを読み取る
1枚目の表面にある四角いコードを、ページの中の
カメラで読み取るか、写真やPDFを選んでください。
発行番号と確認コードを入力することもできます。
Scan the code on the front inside that page
Point the page's camera at the square code on the
front of the first sheet, or choose a photo or PDF.
Or type the issue number and the check code.
3
画面と紙を、一文字ずつ見比べる
画面に示された項目が、紙の記載と一文字も違わない
ことを確かめてください。違うところがあるときは、
その紙を受け取らないでください。
Compare screen and paper, letter by letter
Every item that the screen names must be the same
on the paper, letter by letter. If anything differs,
do not accept the paper.
確認で証明されること
What the check proves
証明されるもの
画面に示された項目だけです。発行されたときの
内容のままです。
Proven
Only the items that the screen names: they are as
they were issued.
証明されないもの
画面に示されない、紙のほかの部分です。
書き換えられていても、この確認ではわかりません。
Not proven
The rest of the paper: whether it was altered is
not seen by this check.
結果の意味
What the answers mean
有効な証明書です
発行元の署名が正しく、無効にされていません。
This certificate is genuine and valid
The issuer's signature is right; it is not void.
印刷の完了がまだ確認できていません
しばらくしてから、もう一度お確かめください。
Printing is not confirmed yet
Please check again later.
この証明書は無効です
受け取らず、新しい証明書をお求めください。
This certificate is void
Do not accept it; ask for a new certificate.
この証明書は作り直されました。この紙は無効です
受け取らず、作り直された証明書をお求めください。
This certificate was replaced; this paper is void
Do not accept it; ask for the new one.
この証明書は発行されていません
受け取らず、下記にお問い合わせください。
This certificate was not issued by us
Do not accept it; ask the municipality below.
ご注意
Please note
コピーには「複写」の文字が現れます
この文字が読める紙は、コピーしたものです。
「複写」 (copy) appears on photocopies
Where these letters can be read, it is a photocopy.
法律で定められた有効期限はありません
内容は発行時点のものです。
No period of validity is set by law
The content is that of the day of issue.
すべての用紙がそろって1通の証明書です
何枚あるかは、表面の右下に記してあります。
All sheets together are one certificate
The front says at its lower right how many there are.
発行元・お問い合わせ先
Issued by; please ask here
見本です。発行元も記載もすべて架空のものです。 Specimen: issuer and content are invented.
https://kakunin.mihon.example/
みほん市
市民課 証明係
電話 0000-00-0000
"""


def drawn(facts: Back) -> bytes:
    document = Document(fonts(), "back", facts.municipality_name)
    back.draw(document, facts)
    document.next_page()
    return document.finish()


def bare_text(text: str) -> str:
    return "".join(text.split())


def test_the_back_says_exactly_this() -> None:
    (text,) = page_texts(drawn(BACK))
    assert bare_text(text) == bare_text(TEXT) == back.words(BACK)


def test_every_sheet_of_every_paper_has_the_same_back_and_nobody_s_name() -> None:
    papers = (residence(JAPANESE), residence(FOREIGN, *[bare("見本 一")] * 8), TAXED)
    backs = [text for record in papers for text in page_texts(render(fonts(), record, ISSUANCE, "MDG1:TEST"))[1::2]]
    assert len(backs) == 1 + 3 + 1
    assert {bare_text(text) for text in backs} == {back.words(BACK)}
    personal = (*(name for record in papers for name in names(record)), ADDRESS, ISSUANCE.issue_number)
    for word in (*personal, ISSUANCE.check_code, ISSUANCE.certifier.name):
        assert bare_text(word) not in back.words(BACK)


def test_an_issuer_that_is_real_says_nothing_of_specimens() -> None:
    (text,) = page_texts(drawn(replace(BACK, specimen=False)))
    assert "見本" not in text
    assert "Specimen" not in text
    assert bare_text(text) == back.words(BACK).replace(bare_text(back.SPECIMEN), "")


def test_who_has_nobody_to_ask_is_sent_to_nobody() -> None:
    """Settings of before there was a contact: the back names its issuer, and promises no answer."""
    (text,) = page_texts(drawn(replace(BACK, contact=None)))
    assert bare_text(text) == back.words(replace(BACK, contact=None))
    assert text.rstrip().endswith(BACK.municipality_name)
    assert not [word for word in ("問い合わせ", "ask here", "municipality below", "電話") if word in text]


def test_answers_are_named_as_the_page_names_them() -> None:
    outcomes = (Outcome.GENUINE, Outcome.PROVISIONAL, Outcome.VOID, Outcome.REISSUED, Outcome.NOT_ISSUED)
    assert [(entry.japanese, entry.english) for entry in back.ANSWERS.entries] == [
        WORDS[outcome].title for outcome in outcomes
    ]


@pytest.mark.parametrize(
    "facts",
    [
        BACK,
        replace(BACK, contact=None),
        Back(
            municipality_name="鹿児島県大島郡瀬戸内町",
            check_address="https://" + "k" * 60 + ".lg.jp/",
            specimen=True,
            contact=Contact(
                office="市民生活部 市民窓口課 証明発行担当(本庁舎1階)", telephone="000-0000-0000(代表) 内線0000"
            ),
        ),
    ],
)
def test_lines_keep_to_their_column_and_nothing_overlaps(facts: Back) -> None:
    document = pdfium.PdfDocument(drawn(facts))
    page = document[0]
    boxes = [item.get_bounds() for item in page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_TEXT])]
    document.close()
    assert len(boxes) > 80
    left, right = back.LEFT_MM * PT_PER_MM, back.RIGHT_MM * PT_PER_MM
    top, bottom = (297 - 12) * PT_PER_MM, 6 * PT_PER_MM
    for x0, y0, x1, y1 in boxes:
        assert left - 0.5 <= x0 < x1 <= right + 0.5
        assert bottom < y0 < y1 < top
    # Em boxes may touch; ink may not.
    for one, other in combinations(boxes, 2):
        across = min(one[2], other[2]) - max(one[0], other[0])
        down = min(one[3], other[3]) - max(one[1], other[1])
        assert not (across > 0 and down > 0), (one, other)


@pytest.mark.parametrize(
    ("facts", "item"),
    [
        (replace(BACK, check_address="https://" + "k" * 300 + ".example/"), "check_address"),
        (replace(BACK, municipality_name="長" * 60), "municipality_name"),
        (replace(BACK, contact=Contact(office="課" * 60, telephone="0000-00-0000")), "contact.office"),
        (replace(BACK, contact=Contact(office="市民課", telephone="0" * 99)), "contact.telephone"),
    ],
)
def test_what_does_not_fit_is_refused(facts: Back, item: str) -> None:
    with pytest.raises(ValueTooLong) as refused:
        drawn(facts)
    assert refused.value.item == item


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UndrawableText):
        drawn(replace(BACK, municipality_name="\U000f0000市"))


def test_the_issuer_sends_receivers_to_whom_its_municipality_named(tmp_path: Path) -> None:
    office = Office(tmp_path)
    try:
        _prepared, with_contact = office.prepare(office.caller())
        decided = replace(SETTINGS, valid_from=SETTINGS.valid_from + timedelta(days=1), contact=None)
        with write(office.engine) as connection:
            office.settings.put(connection, decided)
        _prepared, without = office.prepare(office.caller(), 2)
    finally:
        office.close()
    assert SETTINGS.contact is not None
    assert f"電話 {SETTINGS.contact.telephone}" in page_texts(with_contact)[1]
    assert "電話" not in page_texts(without)[1]
