"""Every kind as an officer looks at it, over random records: nothing overlaps, is cut, or stands on a rule.

A record is drawn or refused by a PaperError. What is drawn stands on the page with every value, whole.
"""

from __future__ import annotations

import enum
import re
import types
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from printing.paper.certificates import LAYOUTS, check, render
from printing.paper.era import era_date, western_date
from printing.paper.errors import InconsistentRecord, PaperError, ValueTooLong
from printing.paper.fitting import Box
from printing.paper.fonts import units
from printing.paper.page import Document
from printing.paper.records import (
    AdoptiveParents,
    Certificate,
    CertificateKind,
    IncomeCertificate,
    Issuance,
    RegisteredPerson,
    ResidencePerson,
    SealRegistrationCertificate,
    StatedPerson,
    TaxationCertificate,
    TaxPaymentCertificate,
    TaxPaymentLine,
    kind_of,
)
from printing.paper.seal import SEAL_PREFIX, max_seal_chars
from tests.gallery_exhibits import Exhibit, exhibits
from tests.layout_parts import faults
from tests.paper_samples import INDIVIDUAL_NUMBER, ISSUANCE, JAPANESE, bare, fonts, front_texts, residence
from tests.paper_samples_more import ICHIRO, SEALED, STATED_JAPANESE, register, stated

pytestmark = pytest.mark.slow

KINDS: dict[CertificateKind, type[Certificate]] = {
    CertificateKind(str(record.__struct_config__.tag)): record for record in get_args(Certificate)
}
#: What values are made of: kanji, variation sequences, Latin words, one Latin word, kana, full-width and mixed.
STYLES = (
    "見本市中央一丁目",
    "渡\u9089\U000e010f葛\U000e0102",
    "MARIA FERNANDA ",
    "WILLIAMSON-",
    "ガリレオ・ヶーッ",
    "じゅげむ\u3000",
    "２番Ｂ（北）第3号 j|_g",
)
LENGTHS = (1, 2, 2, 4, 4, 6, 8, 8, 10)  # longer ones come one at a time: many of them are refused together
RELATIONS = ("世帯主", "子の妻", "妻(未届)", None)
WORDS: dict[tuple[type, str], tuple[object, ...]] = {
    (ResidencePerson, "relationship"): RELATIONS,
    (StatedPerson, "relationship"): RELATIONS,
    (RegisteredPerson, "relationship"): ("長男", "十一女", None),
    (RegisteredPerson, "spouse"): ("夫", "妻", None),
    (AdoptiveParents, "relationship"): ("養子", "養女"),
    (ResidencePerson, "individual_number"): (INDIVIDUAL_NUMBER, None),
    (TaxPaymentLine, "unpaid_yen"): (None,),  # or it would have to be what levied and paid leave
    (IncomeCertificate, "fiscal_year"): (2023, 2025, 2026),
    (TaxationCertificate, "fiscal_year"): (2023, 2025, 2026),
    (TaxPaymentCertificate, "fiscal_year"): (2023, 2025, 2026),
    (SealRegistrationCertificate, "image_png"): (SEALED.image_png,),
    (SealRegistrationCertificate, "largest_mm"): (25.0,),
}
JAPANESE_ONLY = ("domicile", "domicile_head", "former_surname", "former_surname_reading")
FOREIGN_ONLY = (
    "alias",
    "kanji_name",
    "nationality",
    "category",
    "status",
    "period",
    "expires_on",
    "card_number",
    "alias_history",
)
FIXED = ("type", "relationship", "spouse", "individual_number", "image_png")
DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
COUNTS = {"people": (1, 12), "matters": (0, 3), "entries": (1, 12), "lines": (1, 16), "totals": (1, 4)}


Body = Callable[[CertificateKind, st.DataObject], None]


def drawn(body: Body, kind: CertificateKind, count: int) -> None:
    """Run a body with so many records, the same in every run."""

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),  # a record is read as it is: no hunt for a smaller one
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        body(kind, data)

    run()


def text(style: str, length: int) -> str:
    """So many letters, over and over; a value neither begins nor ends with a space."""
    letters = units(style)
    return "".join(letters[at % len(letters)] for at in range(length)).strip()


SIMPLE: dict[type, st.SearchStrategy[Any]] = {
    str: st.builds(text, st.sampled_from(STYLES), st.sampled_from(LENGTHS)),
    date: st.dates(date(1873, 1, 1), date(2026, 11, 22)),
    bool: st.booleans(),
    int: st.sampled_from((0, 1, 5_123_456, 999_999_999_999)),
}


def values(hint: Any, least: int = 0, most: int = 8) -> st.SearchStrategy[Any]:
    """Return a strategy for one type of field."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return st.one_of(*(st.none() if part is type(None) else values(part, least, most) for part in parts))
    if origin is tuple and parts[-1] is Ellipsis:
        return st.lists(values(parts[0]), min_size=least, max_size=most).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, parts))
    if origin is frozenset:
        return st.frozensets(values(parts[0]), min_size=1)
    if issubclass(hint, msgspec.Struct):
        return records(hint)
    return st.sampled_from(hint) if issubclass(hint, enum.Enum) else SIMPLE[hint]


def records(struct: type[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a kind's records: any value for every field, whether or not they go together."""
    fields = {
        name: st.sampled_from(WORDS[struct, name])
        if (struct, name) in WORDS
        else values(hint, *COUNTS.get(name, (0, 8)))
        for name, hint in get_type_hints(struct).items()
        if name in struct.__struct_fields__
    }
    return st.builds(struct, **fields).map(of_one_nation)


def of_one_nation(person: Any) -> Any:
    """Return a person without what nobody of that nationality has."""
    none: tuple[str, ...] = ()
    if isinstance(person, StatedPerson):
        none = JAPANESE_ONLY if person.foreign else FOREIGN_ONLY
    elif isinstance(person, ResidencePerson) and person.foreign is not None:
        none = (*JAPANESE_ONLY, "became_resident_on")
    return msgspec.structs.replace(person, **{name: emptied(getattr(person, name)) for name in none})


RECORDS = {kind: records(struct) for kind, struct in KINDS.items()}


def agreed(record: Any) -> Any:
    """Return the record without what contradicts the rest: what `check` names goes, or is turned round."""
    for _ in range(60):
        try:
            LAYOUTS[kind_of(record)].check(record)
        except InconsistentRecord as wrong:
            record = changed(record, wrong.item)
        else:
            return record
    raise AssertionError("the strategy makes records that no rule mends")


def changed(value: Any, item: str) -> Any:
    """Return a value with every field of this name emptied; a flag is turned round."""
    if isinstance(value, tuple):
        return tuple(changed(part, item) for part in value)
    if not isinstance(value, msgspec.Struct):
        return value
    return msgspec.structs.replace(
        value,
        **{
            name: emptied(part) if name == item else changed(part, item)
            for name, part in ((name, getattr(value, name)) for name in value.__struct_fields__)
        },
    )


def emptied(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return () if isinstance(value, tuple) else None


def leaves(value: Any) -> Iterator[Any]:
    """Yield everything that a record says: texts, dates, amounts."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            if name != "fiscal_year":
                yield from leaves(getattr(value, name))
    elif isinstance(value, tuple):
        for part in value:
            yield from leaves(part)
    elif isinstance(value, str | date | int) and not isinstance(value, bool):
        yield value


def texts(plain: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where in a record's builtins its free texts stand."""
    pairs = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list | tuple) else ()
    for key, part in pairs:
        if isinstance(part, str) and part.strip() and key not in FIXED and not DATE.fullmatch(part):
            yield (*path, key)
        elif key != "items":
            yield from texts(part, (*path, key))


def replaced(plain: Any, path: tuple[Any, ...], words: str) -> Any:
    """Return builtins with another text at a place."""
    if not path:
        return words
    if isinstance(plain, dict):
        return plain | {path[0]: replaced(plain[path[0]], path[1:], words)}
    return [replaced(part, path[1:], words) if at == path[0] else part for at, part in enumerate(plain)]


def written(value: str | date | int) -> tuple[str, ...]:
    """Return the ways to print a value."""
    match value:
        case str():
            return ("".join(value.split()),)
        case date():
            return (era_date(value), western_date(value))
        case _:
            return (f"{value:,}円", f"{value}人")


def missing(pdf: bytes, record: Certificate) -> list[object]:
    """Return what a record says and its paper does not."""
    text = "".join("".join(front_texts(pdf)).split())
    return [value for value in leaves(record) if not any(words in text for words in written(value))]


def judge(record: Certificate, issuance: Issuance = ISSUANCE) -> bool:
    """Refused by a PaperError, or drawn as it must be; return whether it was drawn."""
    try:
        check(fonts(), record, issuance)
    except PaperError:
        return False
    pdf = render(fonts(), record, issuance, SEAL_PREFIX + "A" * (max_seal_chars(record) - len(SEAL_PREFIX)))
    assert faults(pdf) == []
    assert missing(pdf, record) == []
    return True


def random_record(kind: CertificateKind, data: st.DataObject) -> None:
    judge(agreed(data.draw(RECORDS[kind])))


def longest_value(kind: CertificateKind, data: st.DataObject) -> None:
    """One value as long as it may be: that is where two lines touch, and where a shrunk one reaches the rules."""
    plain = msgspec.to_builtins(agreed(data.draw(RECORDS[kind])))
    places = list(texts(plain))
    where = places[data.draw(st.integers(0, 999)) % len(places)]
    style = data.draw(st.sampled_from(STYLES))

    def grown(length: int) -> Any:
        return msgspec.convert(replaced(plain, where, text(style, length)), KINDS[kind], strict=False)

    taken = 0
    for step in (2**power for power in range(8, -1, -1)):
        try:
            check(fonts(), grown(taken + step), ISSUANCE)
            taken += step
        except PaperError:
            continue
    if taken:
        assert judge(grown(taken))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [random_record, longest_value])
def test_random_records(kind: CertificateKind, body: Body) -> None:
    drawn(body, kind, 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", [random_record, longest_value])
def test_many_random_records(kind: CertificateKind, body: Body) -> None:
    drawn(body, kind, 15)


@pytest.mark.parametrize("exhibit", exhibits(), ids=lambda exhibit: exhibit.file)
def test_the_gallery_s_papers_are_drawn_as_they_must_be(exhibit: Exhibit) -> None:
    assert judge(exhibit.record, exhibit.issuance)


PLANTED = (
    ((100.0, 100.0), "'見本' on '山田'"),
    ((9.0, 120.0), "in the margin"),
    ((150.0, 130.0), "on a rule"),
    ((150.0, 291.0), "in the margin"),
)


@pytest.mark.parametrize(("at_mm", "what"), PLANTED)
def test_a_planted_fault_is_seen(at_mm: tuple[float, float], what: str) -> None:
    """What the tests above would see."""

    def paper(*places: tuple[float, float]) -> bytes:
        document = Document(fonts(), "title", "author")
        document.text(fonts().values, "見本", 100.0, 100.0, 12.0)
        document.frame(Box(90.0, 130.0, 80.0, 10.0), 0.5)
        for x_mm, middle_mm in places:
            document.text(fonts().values, "山田", x_mm, middle_mm, 12.0)
        document.next_page()
        return document.finish()

    assert faults(paper()) == []
    assert [fault for fault in faults(paper(at_mm)) if what in fault]


def test_a_value_that_is_not_on_the_paper_is_seen() -> None:
    record, other = exhibits()[0].record, exhibits()[1].record
    pdf = render(fonts(), record, ISSUANCE, SEAL_PREFIX)
    assert missing(pdf, record) == []
    assert missing(pdf, other)


def test_a_household_whose_names_no_code_holds_is_refused_before_a_code_is_made() -> None:
    record = residence(*[bare("渡\u9089\U000e010f" * 8)] * 12)
    with pytest.raises(ValueTooLong) as caught:
        check(fonts(), record, ISSUANCE)
    assert caught.value.item == "seal"


def test_a_reading_stands_on_the_paper_or_the_record_is_refused() -> None:
    """A reading of a former surname that nobody has, and one of half a name."""
    stray = msgspec.structs.replace(JAPANESE, former_surname=None)
    stated_stray = msgspec.structs.replace(STATED_JAPANESE, former_surname=None)
    for record in (residence(stray), stated(stated_stray)):
        with pytest.raises(InconsistentRecord) as caught:
            check(fonts(), record, ISSUANCE)
        assert caught.value.item == "former_surname_reading"
    half = msgspec.structs.replace(register(ICHIRO), surname_reading=None)
    assert ICHIRO.given_name_reading is not None
    assert f"【空欄】 {ICHIRO.given_name_reading}" in front_texts(render(fonts(), half, ISSUANCE, SEAL_PREFIX))[0]


@pytest.mark.parametrize("blank", ["", " ", "\u3000 \u3000"])
@pytest.mark.parametrize("item", ["name", "remarks"])
def test_a_blank_value_is_no_value(item: str, blank: str) -> None:
    """A name of spaces would be nobody's paper, and remarks of spaces would not even say 【空欄】."""
    check(fonts(), residence(JAPANESE), ISSUANCE)
    with pytest.raises(InconsistentRecord) as caught:
        check(fonts(), residence(msgspec.structs.replace(JAPANESE, **{item: blank})), ISSUANCE)
    assert caught.value.item == item
