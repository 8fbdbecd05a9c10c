from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pikepdf
import pytest

from deploy.demo.seal_pictures import round_seal_png
from printing.paper.certificates import LAYOUTS, check, pages, render, title, undrawable
from printing.paper.certificates.wording import wording
from printing.paper.errors import InconsistentRecord, PaperError, ValueTooLong
from printing.paper.recheck import RecheckFailed, page_texts, recheck
from printing.paper.records import Certificate, CertificateKind, SupplementaryItem, SupplementaryRegisterCopy, kind_of
from tests.certificate_parts import ADDRESSES, FAMILY, FULL, LONG, NOTHING_BUT_NAMES, SAMPLES, expected_of, text_of
from tests.paper_samples import ISSUANCE, JAPANESE, TAXED, bare, fonts, line, names
from tests.paper_samples import residence as residence_sample
from tests.paper_samples_more import (
    ABROAD,
    ADOPTED,
    ALL_SUPPLEMENTARY,
    DOMICILE,
    FEW_STATED,
    ICHIRO,
    INCOME,
    LIVED,
    MOVED,
    PAYMENT,
    REMOVED_BEFORE,
    SEALED,
    SEALED_FOREIGN,
    STATED_FOREIGN,
    STATED_JAPANESE,
    matter,
    register,
    stated,
    supplementary,
)

replace = msgspec.structs.replace


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
        (replace(SEALED, image_png=round_seal_png("渡邊", 26.0)), "image_png"),
        (replace(SEALED, image_png=b"no picture"), "image_png"),
    ],
)
def test_records_that_contradict_themselves_are_refused(record: Certificate, item: str) -> None:
    for refuse in (lambda: render(fonts(), record, ISSUANCE, "MDG1:TEST"), lambda: check(fonts(), record, ISSUANCE)):
        with pytest.raises(InconsistentRecord) as caught:
            refuse()
        assert caught.value.item == item


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
    bad = "\u9089\U000e0101"
    for record in (
        replace(SEALED, name=bad),
        register(replace(ICHIRO, matters=(matter("出生", ("出生地", bad)),))),
        supplementary(replace(LIVED, addresses=(replace(MOVED[0], address=bad),))),
    ):
        assert undrawable(fonts(), record, ISSUANCE) == (bad,)
        with pytest.raises(PaperError):
            check(fonts(), record, ISSUANCE)


def test_one_person_more_is_on_no_paper() -> None:
    """Everybody who is drawn is named to the re-check and to the seal, whatever the kind."""
    for record in (FULL, FAMILY, ADDRESSES):
        more = replace(record, people=(*record.people, record.people[0]))
        assert len(names(more)) == len(names(record)) + 1
        with pytest.raises(RecheckFailed, match="names"):
            recheck(render(fonts(), more, ISSUANCE, "MDG1:TEST"), replace(expected_of(record), pages=pages(more)))
    assert names(residence_sample(bare("見本 一"))) == ("見本 一",)


def _sized(kind: CertificateKind, name: str, address: str) -> Certificate:
    lived = replace(LIVED, name=name, addresses=tuple(replace(moved, address=address) for moved in MOVED))
    people = (replace(STATED_JAPANESE, name=name, remarks=address), replace(STATED_FOREIGN, name=name))
    sized: dict[CertificateKind, Certificate] = {
        CertificateKind.RESIDENCE_ITEMS: replace(stated(*people), address=address),
        CertificateKind.SEAL_REGISTRATION: replace(SEALED, name=name, address=address),
        CertificateKind.INCOME: replace(INCOME, name=name, address_on_1_january=address),
        CertificateKind.TAX_PAYMENT: replace(PAYMENT, name=name, name_reading=None, address=address),
        CertificateKind.FAMILY_REGISTER: replace(
            register(replace(ICHIRO, given_name=name, matters=(matter("出生", ("出生地", address)),)), ADOPTED),
            domicile=address,
        ),
        CertificateKind.SUPPLEMENTARY_REGISTER: replace(supplementary(lived, ABROAD), domicile=address),
    }
    return sized[kind]


@pytest.mark.parametrize(
    "kind", sorted({kind_of(sample) for sample in SAMPLES} - {CertificateKind.FAMILY_REGISTER_INDIVIDUAL})
)
@pytest.mark.parametrize("letters", ["長", "N-", "ヴ 一"])
def test_whatever_fits_is_read_back_whole_and_the_rest_is_refused(kind: CertificateKind, letters: str) -> None:
    """A false alarm would stop a whole municipality, so that no length may be drawn but not read back."""
    outcomes = set()
    for length in range(4, 116, 14):
        text = ("みほん" + letters * length)[:length].strip()
        record = _sized(kind, text, "みほん県" + text)
        try:
            pdf = render(fonts(), record, ISSUANCE, "MDG1:TEST")
        except ValueTooLong:
            outcomes.add("refused")
            continue
        recheck(pdf, expected_of(record))
        outcomes.add("drawn")
    assert outcomes >= {"drawn"}
