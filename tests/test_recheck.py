from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pikepdf
import pytest

from printing.paper.certificates import render, sheets, title
from printing.paper.era import era_date, fiscal_year_words, western_date
from printing.paper.recheck import Expected, RecheckFailed, Subject, recheck
from printing.paper.records import Certificate, Contact, ResidenceCertificate, ResidenceItem, back_of
from tests import certificate_parts
from tests.paper_samples import (
    ALL_ITEMS,
    FOREIGN,
    INDIVIDUAL_NUMBER,
    ISSUANCE,
    JAPANESE,
    TAXED,
    WATANABE,
    WITHHELD,
    bare,
    fonts,
    names,
    residence,
)
from tests.paper_samples_more import LIVED, REMOVED_BEFORE, supplementary

FIVE = residence(JAPANESE, FOREIGN, bare("見本 一"), bare("見本 二"), bare("見本 三"), whole=True)


def expected_of(record: Certificate) -> Expected:
    if isinstance(record, ResidenceCertificate):
        people = tuple(
            Subject(
                name=person.name,
                born_on=western_date(person.born_on) if person.foreign else era_date(person.born_on),
                individual_number=person.individual_number,
            )
            for person in record.people
        )
        address, second = record.address, "(世帯全員)" if record.whole_household else "(世帯の一部)"
    else:
        people = (Subject(name=record.name, born_on=era_date(record.born_on), individual_number=None),)
        address, second = record.address_on_1_january, fiscal_year_words(record.fiscal_year)
    return Expected(
        people=people,
        address=address,
        headings=(title(record), second),
        issue_number=ISSUANCE.issue_number,
        sheets=sheets(record),
        back=back_of(ISSUANCE),
    )


@cache
def pdf_of_five() -> bytes:
    return render(fonts(), FIVE, ISSUANCE, "MDG1:TEST")


@pytest.mark.parametrize("record", [residence(JAPANESE), FIVE, TAXED, WITHHELD])
def test_a_right_paper_passes(record: Certificate) -> None:
    recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))


def _changed(**changes: object) -> Expected:
    return msgspec.structs.replace(expected_of(FIVE), **changes)


def _named(*changed: str) -> Expected:
    """The order of other names, everything else of it as it is."""
    people = (*expected_of(FIVE).people, expected_of(FIVE).people[-1])
    return _changed(
        people=tuple(msgspec.structs.replace(person, name=name) for person, name in zip(people, changed, strict=False))
    )


def _first(**changes: object) -> Expected:
    first, *others = expected_of(FIVE).people
    return _changed(people=(msgspec.structs.replace(first, **changes), *others))


RIGHT = names(FIVE)


@pytest.mark.parametrize(
    ("expected", "what"),
    [
        (_named(*("見本 花子", *RIGHT[1:])), "names"),
        # The same base characters with another variant, or without one, are another name.
        (_named(*(WATANABE.replace("\U000e010f", "\U000e0110"), *RIGHT[1:])), "names"),
        (_named(*(WATANABE.replace("\U000e0102", ""), *RIGHT[1:])), "names"),
        (_named(*RIGHT[:4]), "names"),
        (_named(*(*RIGHT, "見本 四")), "names"),
        (_named(*(*RIGHT[:3], RIGHT[4], RIGHT[3])), "names"),
        (_named(*(*RIGHT[:4], "見本 三郎")), "names"),
        (_changed(issue_number="2026-00001235"), "issue_number"),
        (_changed(issue_number="2026-0000123"), "issue_number"),
        (_first(born_on="昭和60年4月4日"), "born_on"),  # a namesake
        (_first(individual_number=INDIVIDUAL_NUMBER), "individual_number"),
        (_changed(address="みほん県みほん市中央一丁目2番30号"), "address"),
        (_changed(address="みほん県みほん市中央一丁目2番"), "address"),
        (_changed(headings=("住民票", "(世帯全員)")), "headings"),
        (_changed(headings=("課税証明書", "(世帯全員)")), "headings"),
        (_changed(headings=("住民票の写し", "(世帯の一部)")), "headings"),
        (_changed(sheets=1), "pages"),
        (_changed(sheets=3), "pages"),
        (_changed(sheets=4), "pages"),  # as many as it has pages
    ],
)
def test_another_order_than_the_paper_is_caught(expected: Expected, what: str) -> None:
    with pytest.raises(RecheckFailed) as caught:
        recheck(pdf_of_five(), expected)
    assert caught.value.what.split(":")[0] == what
    assert not any(name in str(caught.value) for name in (*RIGHT, ISSUANCE.issue_number))


def test_a_shorter_title_is_not_found_within_a_longer_one() -> None:
    pdf = render(fonts(), WITHHELD, ISSUANCE, "MDG1:TEST")
    expected = expected_of(WITHHELD)
    assert expected.headings[0] == "非課税証明書"
    with pytest.raises(RecheckFailed, match="headings"):
        recheck(pdf, msgspec.structs.replace(expected, headings=("課税証明書", expected.headings[1])))


def test_another_fiscal_year_s_paper_of_the_same_person_is_caught() -> None:
    expected = expected_of(TAXED)
    recheck(render(fonts(), TAXED, ISSUANCE, "MDG1:TEST"), expected)
    pdf = render(fonts(), msgspec.structs.replace(TAXED, fiscal_year=2024), ISSUANCE, "MDG1:TEST")
    with pytest.raises(RecheckFailed, match="headings"):
        recheck(pdf, expected)


def test_an_individual_number_stands_in_its_own_entry_alone() -> None:
    """S19: one that nobody chose, and one that stands with somebody else."""
    numbered = msgspec.structs.replace(bare("見本 一"), individual_number=INDIVIDUAL_NUMBER)
    one = residence(numbered, bare("見本 二"))
    pdf = render(fonts(), one, ISSUANCE, "MDG1:TEST")
    recheck(pdf, expected_of(one))
    other = msgspec.structs.replace(bare("見本 二"), individual_number=INDIVIDUAL_NUMBER)
    for wrong in (
        residence(bare("見本 一"), bare("見本 二"), items=ALL_ITEMS - {ResidenceItem.INDIVIDUAL_NUMBER}),
        residence(bare("見本 一"), other),
    ):
        with pytest.raises(RecheckFailed, match="individual_number"):
            recheck(pdf, expected_of(wrong))


@pytest.mark.parametrize(
    "hidden",
    ["123456789018", "1234 5678 9018", "1234-5678-9018", "１２３４５６７８９０１８", "見" * 95 + "123456789018"],
)
def test_an_individual_number_among_other_words_is_caught(hidden: str) -> None:
    """S19: in whatever width and groups, and where a line breaks within it."""
    record = residence(msgspec.structs.replace(JAPANESE, remarks=hidden))
    with pytest.raises(RecheckFailed, match="individual_number"):
        recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))


@pytest.mark.parametrize("separator", [" ", "-", "\u3000", ""])
def test_an_individual_number_on_two_lines_is_caught(separator: str) -> None:
    """S19: wherever the line ends, within its groups or between them."""
    number = separator.join(("1234", "5678", "9018"))
    for fill in range(62, 76):
        record = residence(msgspec.structs.replace(JAPANESE, remarks="見" * fill + number + "本" * 40))
        with pytest.raises(RecheckFailed, match="individual_number"):
            recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))


@pytest.mark.parametrize(
    "harmless",
    [
        "電話 090-1234-5678",
        "1234567890123",
        "123-4567-8901",
        "12-3456-7890-12",
        "2019-05-01 12:34:56",
        "令和8年11月22日",
    ],
)
def test_other_numbers_are_no_individual_number(harmless: str) -> None:
    """A false alarm would stop a whole municipality."""
    record = residence(msgspec.structs.replace(JAPANESE, remarks=harmless))
    recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))


def test_a_sheet_that_comes_twice_is_caught_though_all_have_one_name() -> None:
    """Of namesakes who share a birth date nothing but the sheets' numbers tells one sheet from another."""
    record = residence(*[bare("見本 一")] * 8)
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(render(fonts(), record, ISSUANCE, "MDG1:TEST"))) as pdf:
        pdf.pages[2] = pdf.pages[0]
        pdf.save(out)
    with pytest.raises(RecheckFailed, match="pages"):
        recheck(out.getvalue(), expected_of(record))


def test_a_remark_that_breaks_before_a_label_is_no_other_person() -> None:
    """A false alarm would stop a whole municipality."""
    for fill in range(60, 90):
        remarks = "見" * fill + " 氏名 変更 " + "本" * 20
        record = residence(msgspec.structs.replace(JAPANESE, remarks=remarks), bare("見本 二"))
        recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))


def _altered(change: Callable[[pikepdf.Pdf], None]) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf_of_five())) as pdf:
        change(pdf)
        pdf.save(out)
    return out.getvalue()


def _letter(pdf: pikepdf.Pdf) -> None:
    pdf.pages[1].mediabox = [0, 0, 612, 792]


def _cropped(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].cropbox = [0, 0, 300, 841.89]


def _shifted(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].mediabox = [10, 0, 605.2756, 841.8898]


def _turned(pdf: pikepdf.Pdf) -> None:
    pdf.pages[1].Rotate = 180


def _fontless(pdf: pikepdf.Pdf) -> None:
    for font in pdf.pages[1].resources.Font.values():
        del font.DescendantFonts[0].FontDescriptor["/FontFile2"]


def _helvetica(pdf: pikepdf.Pdf) -> None:
    page = pdf.pages[0]
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    page.resources.Font["/Stray"] = pdf.make_indirect(font)
    page.contents_add(pdf.make_stream(b"BT /Stray 8 Tf 20 20 Td (x) Tj ET"))


def _nothing(pdf: pikepdf.Pdf) -> None:
    assert len(pdf.pages) == 4


def _backless(pdf: pikepdf.Pdf) -> None:
    del pdf.pages[1]


def _last_backless(pdf: pikepdf.Pdf) -> None:
    del pdf.pages[3]


def _one_back_more(pdf: pikepdf.Pdf) -> None:
    pdf.pages.append(pdf.pages[1])


def _one_sheet_more(pdf: pikepdf.Pdf) -> None:
    pdf.pages.extend([pdf.pages[2], pdf.pages[3]])


def _front_as_back(pdf: pikepdf.Pdf) -> None:
    pdf.pages[1] = pdf.pages[2]


def _back_as_front(pdf: pikepdf.Pdf) -> None:
    pdf.pages[2] = pdf.pages[3]


def _back_first(pdf: pikepdf.Pdf) -> None:
    pdf.pages.reverse()


def _blank_back(pdf: pikepdf.Pdf) -> None:
    pdf.pages[3].Contents = pdf.make_stream(b"")


def _written_on_back(pdf: pikepdf.Pdf) -> None:
    """All of the right words, and a front's beside them."""
    pikepdf.Page(pdf.pages[3]).add_overlay(pikepdf.Page(pdf.pages[0]), pikepdf.Rectangle(40, 20, 120, 60))


def _word_on_back(pdf: pikepdf.Pdf) -> None:
    """One word more, in the same font and just as black."""
    pdf.pages[3].contents_add(pdf.make_stream(b"BT /VM 8 Tf 300 40 Td <00010002> Tj ET"))


def _before(operators: bytes) -> Callable[[pikepdf.Pdf], None]:
    """Put operators before everything that the first front draws: all of its text is still read."""

    def change(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].contents_add(pdf.make_stream(operators), prepend=True)

    return change


def _after(operators: bytes) -> Callable[[pikepdf.Pdf], None]:
    """Draw over the first front."""

    def change(pdf: pikepdf.Pdf) -> None:
        pdf.pages[0].contents_add(pdf.make_stream(operators))

    return change


def _form(pdf: pikepdf.Pdf, operators: bytes, **resources: pikepdf.Object) -> pikepdf.Object:
    form = pdf.make_stream(operators)
    form.Type, form.Subtype, form.BBox = pikepdf.Name.XObject, pikepdf.Name.Form, [0, 0, 596, 842]
    form.Resources = pikepdf.Dictionary(**resources)
    return form


def _stray(pdf: pikepdf.Pdf) -> pikepdf.Object:
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    return pikepdf.Dictionary(Stray=pdf.make_indirect(font))


def _form_below(pdf: pikepdf.Pdf, form: pikepdf.Object) -> None:
    pdf.pages[0].resources.XObject["/Below"] = form
    pdf.pages[0].contents_add(pdf.make_stream(b"/Below Do"), prepend=True)


def _helvetica_in_a_form(pdf: pikepdf.Pdf) -> None:
    _form_below(pdf, _form(pdf, b"BT /Stray 8 Tf 20 20 Td (x) Tj ET", Font=_stray(pdf)))


def _helvetica_deep_in_forms(pdf: pikepdf.Pdf) -> None:
    """Deeper than the parser's own walk over a page goes, and still drawn."""
    form = _form(pdf, b"BT /Stray 8 Tf 20 20 Td (x) Tj ET", Font=_stray(pdf))
    for _ in range(20):
        form = _form(pdf, b"/Inner Do", XObject=pikepdf.Dictionary(Inner=form))
    _form_below(pdf, form)


def _form_over(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].resources.XObject["/Over"] = _form(pdf, b"1 1 1 rg 100 700 200 60 re f")
    pdf.pages[0].contents_add(pdf.make_stream(b"/Over Do"))


def _patterned(pdf: pikepdf.Pdf) -> None:
    """Words in a pattern: they are printed, and no parser reads them."""
    pattern = pdf.make_stream(b"BT /Stray 30 Tf 10 10 Td (x) Tj ET")
    pattern.Type, pattern.PatternType, pattern.PaintType, pattern.TilingType = pikepdf.Name.Pattern, 1, 1, 1
    pattern.BBox, pattern.XStep, pattern.YStep = [0, 0, 200, 200], 200, 200
    pattern.Resources = pikepdf.Dictionary(Font=_stray(pdf))
    pdf.pages[0].resources["/Pattern"] = pikepdf.Dictionary(Words=pattern)
    pdf.pages[0].contents_add(pdf.make_stream(b"/Pattern cs /Words scn 0 0 596 842 re f"))


def _annotated(pdf: pikepdf.Pdf) -> None:
    note = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.FreeText, Rect=[100, 100, 300, 300])
    pdf.pages[0].Annots = pikepdf.Array([pdf.make_indirect(note)])


def _first_sheet_twice(pdf: pikepdf.Pdf) -> None:
    pdf.pages[2] = pdf.pages[0]


def _sheets_swapped(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0], pdf.pages[2] = pdf.pages[2], pdf.pages[0]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (_letter, "box"),
        (_cropped, "box"),
        (_shifted, "box"),
        (_turned, "box"),
        (_fontless, "fonts"),
        (_helvetica, "fonts"),
        (_backless, "pages"),
        (_last_backless, "pages"),
        (_one_back_more, "pages"),
        (_one_sheet_more, "pages"),
        (_front_as_back, "back"),
        (_back_as_front, "pages"),
        (_first_sheet_twice, "pages"),
        (_sheets_swapped, "pages"),
        (_back_first, "back"),
        (_blank_back, "back"),
        (_written_on_back, "objects"),
        (_word_on_back, "back"),
        (_helvetica_in_a_form, "fonts"),
        (_helvetica_deep_in_forms, "objects"),
        (_form_over, "objects"),
        (_patterned, "objects"),
        (_annotated, "objects"),
        (_after(b"1 1 1 rg 0 0 596 842 re f"), "objects"),
        (_before(b"3 Tr"), "text"),
        (_before(b"1 1 1 rg"), "text"),
        (_before(b"0 0 10 10 re W n"), "text"),
        (_before(b"1 0 0 1 3000 0 cm"), "objects"),
        (_after(b"BT /VM 8 Tf 3000 40 Td <00010002> Tj ET"), "text"),
    ],
)
def test_an_altered_file_is_caught(change: Callable[[pikepdf.Pdf], None], what: str) -> None:
    recheck(_altered(_nothing), expected_of(FIVE))
    with pytest.raises(RecheckFailed) as caught:
        recheck(_altered(change), expected_of(FIVE))
    assert caught.value.what.split(":")[0] == what


@pytest.mark.parametrize(
    "fact",
    [
        {"municipality_name": "べつの市"},
        {"check_address": "https://kakunin.mihon.example.evil/"},
        {"specimen": False},
        {"contact": None},
        {"contact": Contact(office="市民課 証明係", telephone="0000-00-0009")},
    ],
)
def test_another_issuer_s_back_is_caught(fact: dict[str, Any]) -> None:
    with pytest.raises(RecheckFailed, match="back"):
        recheck(pdf_of_five(), _changed(back=msgspec.structs.replace(back_of(ISSUANCE), **fact)))


@pytest.mark.parametrize("pdf", [b"", b"%PDF-1.4\n", b"not a pdf at all", pdf_of_five().replace(b"/Kids[", b"/Kids[9")])
def test_what_is_no_pdf_is_caught(pdf: bytes) -> None:
    with pytest.raises(RecheckFailed, match="pdf"):
        recheck(pdf, expected_of(FIVE))


def test_another_number_on_one_sheet_alone_is_caught() -> None:
    other = msgspec.structs.replace(ISSUANCE, issue_number="2026-00009999")
    second = io.BytesIO()
    with (
        pikepdf.open(io.BytesIO(pdf_of_five())) as right,
        pikepdf.open(io.BytesIO(render(fonts(), FIVE, other, "MDG1:TEST"))) as wrong,
    ):
        right.pages[2] = wrong.pages[2]
        right.save(second)
    with pytest.raises(RecheckFailed, match="issue_number"):
        recheck(second.getvalue(), expected_of(FIVE))


@pytest.mark.parametrize(
    "name",
    [
        "MONTEMAYOR-VILLAVICENCIO-ECHEVERRIA-GUADALUPE-CONCEPCION-FRANCISCA MARIA",
        "VENKATANARASIMHARAJUVARIPETA SUBRAMANIAN KRISHNASWAMY RAJAGOPALACHARI",
        "じゅげむじゅげむごこうのすりきれかいじゃりすいぎょのすいぎょうまつうんらい",
        "A",
    ],
)
def test_a_long_name_is_read_back_whole(name: str) -> None:
    record = residence(bare(name), bare("見本 二"))
    recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))


def test_a_hyphen_at_the_end_of_a_line_is_read_back() -> None:
    # Wherever the line breaks, before or after the hyphen, the name must come back with it.
    record = residence(*(bare("N" * before + "-" + "N" * (60 - before)) for before in range(28, 48)))
    recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), expected_of(record))
    spaced = residence(*(bare("N" * before + " " + "N" * (60 - before)) for before in range(28, 48)))
    recheck(render(fonts(), spaced, ISSUANCE, "MDG1:TEST"), expected_of(spaced))


def test_a_person_without_an_address_is_no_address_of_the_paper() -> None:
    """Of a supplementary register: what is not recorded must not stop a whole municipality."""
    nowhere = msgspec.structs.replace(LIVED, addresses=())
    record = supplementary(nowhere, LIVED, nowhere, REMOVED_BEFORE)
    recheck(render(fonts(), record, ISSUANCE, "MDG1:TEST"), certificate_parts.expected_of(record))
