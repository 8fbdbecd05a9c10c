"""Rules that hold for the papers of every kind, by their numbers: S19, S22, and the words of relationship."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from printing.paper.certificates import check, render, undrawable
from printing.paper.certificates.vocabulary import VOCABULARIES
from printing.paper.errors import InconsistentRecord, UndrawableText, WrongVocabulary
from printing.paper.fonts import Fonts
from printing.paper.records import (
    Certificate,
    CertificateKind,
    ResidenceCertificate,
    ResidenceItem,
    ResidenceItemCertificate,
    StatedItem,
    kind_of,
)
from tests.certificate_parts import ADDRESSES, FAMILY, FULL, text_of
from tests.paper_samples import FOREIGN, INDIVIDUAL_NUMBER, ISSUANCE, JAPANESE, TAXED, fonts, residence
from tests.paper_samples_more import (
    ADOPTED,
    ICHIRO,
    INCOME,
    PAYMENT,
    SEALED,
    SEALED_FOREIGN,
    STATED_FOREIGN,
    STATED_JAPANESE,
    individual,
    register,
    stated,
)

replace = msgspec.structs.replace
EVERY_KIND: tuple[Certificate, ...] = (
    residence(JAPANESE, FOREIGN),
    FULL,
    SEALED,
    SEALED_FOREIGN,
    INCOME,
    TAXED,
    PAYMENT,
    FAMILY,
    individual(ADOPTED),
    ADDRESSES,
)
assert {kind_of(record) for record in EVERY_KIND} == set(CertificateKind)

# Neither is in the fonts: a sequence of the other collection, and one that no collection has.
BAD, ALSO_BAD = "\u9089\U000e0101", "辻\U000e01ef"


# S19: the Individual Number prints only if chosen, person by person.


def _numbered(*numbers: str | None, chosen: bool = True) -> Iterator[Certificate]:
    """A residence and a residence item certificate of one person a number."""
    items = frozenset(ResidenceItem) if chosen else frozenset(ResidenceItem) - {ResidenceItem.INDIVIDUAL_NUMBER}
    asked = frozenset(StatedItem) if chosen else frozenset(StatedItem) - {StatedItem.INDIVIDUAL_NUMBER}
    yield residence(*(replace(JAPANESE, individual_number=number) for number in numbers), items=items)
    yield stated(*(replace(STATED_JAPANESE, individual_number=number) for number in numbers), items=asked)


def test_s19_the_individual_number_prints_of_whom_it_was_chosen_and_of_nobody_else() -> None:
    for record in _numbered(INDIVIDUAL_NUMBER, None):
        text = text_of(record)
        assert text.count(INDIVIDUAL_NUMBER) == text.count(f"個人番号 {INDIVIDUAL_NUMBER}") == 1
        assert text.count("個人番号 【省略】") == 1
        assert text.index(INDIVIDUAL_NUMBER) < text.index("個人番号 【省略】")  # the first person's
    omitted, without_row = (text_of(record) for record in _numbered(None, None, chosen=False))
    assert omitted.count("個人番号 【省略】") == 2
    assert "個人番号" not in without_row


def test_s19_a_number_that_nobody_chose_refuses_the_paper_without_saying_it() -> None:
    for record in _numbered(None, INDIVIDUAL_NUMBER, chosen=False):
        with pytest.raises(InconsistentRecord, match="individual_number") as caught:
            render(fonts(), record, ISSUANCE, "MDG1:TEST")
        assert INDIVIDUAL_NUMBER not in str(caught.value)


@pytest.mark.parametrize("wrong", ["", "12345678901", "1234567890180", "1234-5678-90", "１２３４５６７８９０１８"])
def test_s19_what_is_no_individual_number_is_refused(wrong: str) -> None:
    for record in _numbered(wrong):
        with pytest.raises(InconsistentRecord, match="individual_number"):
            check(fonts(), record, ISSUANCE)


@pytest.mark.parametrize("record", EVERY_KIND, ids=kind_of)
def test_s19_no_other_kind_has_a_place_for_it(record: Certificate) -> None:
    having = isinstance(record, ResidenceCertificate | ResidenceItemCertificate)
    assert ("individual_number" in _keys(msgspec.to_builtins(record, builtin_types=(bytes,)))) == having
    if not having:
        assert "個人番号" not in text_of(record)


# S22: a glyph that cannot be drawn is refused, wherever it stands, and the refusal names every sequence.


@pytest.mark.parametrize("record", EVERY_KIND, ids=kind_of)
def test_s22_every_text_of_every_kind_is_looked_at(record: Certificate) -> None:
    plain = msgspec.to_builtins(record, builtin_types=(bytes,))
    tried = 0
    for path in _text_paths(plain):
        try:
            bad = msgspec.convert(_with(plain, path, f"見{BAD}本{ALSO_BAD}"), type(record), builtin_types=(bytes,))
        except msgspec.ValidationError:
            continue  # a date or a word of a list: no text of a person's
        assert undrawable(fonts(), bad, ISSUANCE) == (BAD, ALSO_BAD)
        for refuse in (check, _render):
            with pytest.raises(UndrawableText) as caught:
                refuse(fonts(), bad, ISSUANCE)
            assert caught.value.sequences == (BAD, ALSO_BAD)
        tried += 1
    assert tried >= 3


@pytest.mark.parametrize("item", ["municipality_name", "office", "title", "name"])
def test_s22_who_certifies_is_looked_at_too(item: str) -> None:
    issuance = replace(ISSUANCE, certifier=replace(ISSUANCE.certifier, **{item: f"{ALSO_BAD}{BAD}"}))
    with pytest.raises(UndrawableText) as caught:
        check(fonts(), TAXED, issuance)
    assert caught.value.sequences == (ALSO_BAD, BAD)


# The words of relationship, by document.

_HOUSEHOLD = (
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
)
_REGISTER = ("長男", "長女", "二男", "三女", "十一男", "男", "女")
_ADOPTIVE = ("養子", "養女")


def _related(kind: CertificateKind, word: str) -> Certificate:
    related: dict[CertificateKind, Certificate] = {
        CertificateKind.RESIDENCE: residence(replace(JAPANESE, relationship=word)),
        CertificateKind.RESIDENCE_ITEMS: stated(replace(STATED_FOREIGN, relationship=word)),
        CertificateKind.FAMILY_REGISTER: register(replace(ICHIRO, relationship=word)),
        CertificateKind.FAMILY_REGISTER_INDIVIDUAL: individual(replace(ICHIRO, relationship=word)),
    }
    return related[kind]


@pytest.mark.parametrize("kind", list(VOCABULARIES))
def test_each_document_has_its_own_words_and_refuses_the_others(kind: CertificateKind) -> None:
    household = kind in {CertificateKind.RESIDENCE, CertificateKind.RESIDENCE_ITEMS}
    own, others = (_HOUSEHOLD, (*_REGISTER, *_ADOPTIVE)) if household else (_REGISTER, (*_HOUSEHOLD, *_ADOPTIVE))
    for word in own:
        assert f"続柄 {word}" in text_of(_related(kind, word))
    for word in (*others, "", "の", "子の", "子の長男", "世帯主の妻", "一男", "長", "筆頭者", "son"):
        for refuse in (check, _render):
            with pytest.raises(WrongVocabulary) as caught:
                refuse(fonts(), _related(kind, word), ISSUANCE)
            assert caught.value.item == "relationship"


def test_a_document_without_a_vocabulary_has_no_relationship() -> None:
    for record in EVERY_KIND:
        assert ("relationship" in _keys(msgspec.to_builtins(record, builtin_types=(bytes,)))) == (
            kind_of(record) in VOCABULARIES
        )


def _render(fonts: Fonts, record: Certificate, issuance: Any) -> bytes:
    return render(fonts, record, issuance, "MDG1:TEST")


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list | tuple) else set()


def _text_paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _text_paths(part, (*path, key)) if key != "type" else ()
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _text_paths(part, (*path, index))


def _with(value: Any, path: tuple[Any, ...], text: str) -> Any:
    """A copy of plain builtins in which one text is another."""
    if not path:
        return text
    if isinstance(value, dict):
        return value | {path[0]: _with(value[path[0]], path[1:], text)}
    return [_with(part, path[1:], text) if index == path[0] else part for index, part in enumerate(value)]
