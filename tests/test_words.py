"""The words: every code, state and key has them in both languages, and none is there for nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from string import Formatter

import pytest

from printing.paper.records import CertificateKind, ResidenceItem, StatedItem, SupplementaryItem
from protocol.errors import ErrorCode
from protocol.messages import Scope
from terminal.screens import words
from terminal.screens.documents import (
    COLUMNS,
    FAMILY_SCOPES,
    GROUPS,
    INDIVIDUAL_NUMBER,
    ITEMS,
    KINDS,
    SCOPES,
    Group,
    ItemWords,
    Words,
    in_order,
    item_of,
    scope_of,
)
from terminal.screens.refusals import REFUSALS, refusal_words
from terminal.screens.words import (
    LEADS,
    TEXT,
    TITLES,
    Lang,
    fiscal_year_words,
    pick,
    say,
    sheets_words,
    yen_words,
)
from terminal.visit import State, TerminalCode

SCREENS = Path(words.__file__).parent
_IN_TEMPLATES = re.compile(r'\bt\("([a-z_0-9]+)"')
_IN_CODE = re.compile(r"""["']([a-z_0-9]+)["']""")


def used_keys() -> tuple[set[str], set[str]]:
    """Keys that templates certainly use, and every word that templates or code could mean as one."""
    templates = "".join(path.read_text() for path in sorted((SCREENS / "templates").glob("*.html")))
    code = "".join(path.read_text() for path in sorted(SCREENS.glob("*.py")) if path.name != "words.py")
    own = (SCREENS / "words.py").read_text().split("\ndef pick", 1)[1]
    return set(_IN_TEMPLATES.findall(templates)), set(_IN_CODE.findall(templates + code + own))


def test_every_code_has_words_and_no_word_is_for_a_code_that_is_not() -> None:
    assert set(REFUSALS) == {*map(str, ErrorCode), *map(str, TerminalCode)}


def test_an_unknown_code_is_said_as_internal_and_never_shown() -> None:
    assert refusal_words("NO_SUCH_CODE") == REFUSALS[TerminalCode.INTERNAL]


def test_every_state_has_a_headline() -> None:
    assert set(TITLES) == set(LEADS) == set(State)


#: Every optional item that a certificate can have, as the records know them.
RECORDED: dict[str, type[StrEnum]] = {
    CertificateKind.RESIDENCE: ResidenceItem,
    CertificateKind.RESIDENCE_ITEMS: StatedItem,
    CertificateKind.SUPPLEMENTARY_REGISTER: SupplementaryItem,
}


def unsaid(parts: Iterable[Words | None]) -> bool:
    """Whether words are missing in any language; None are words that nobody needs."""
    return any(not pick(part, lang).strip() for part in parts if part is not None for lang in Lang)


def items_without_words(items: Mapping[str, Mapping[str, ItemWords]]) -> set[tuple[str, str]]:
    """The items of the records that a resident could be shown without words in some language."""
    recorded = {(kind, item.value) for kind, every in RECORDED.items() for item in every}
    said = {(kind, item) for kind, words in items.items() for item in words}
    empty = {(kind, item) for kind, words in items.items() for item, w in words.items() if unsaid((w.name, w.help))}
    return (recorded ^ said) | empty


def test_every_kind_scope_and_group_has_words() -> None:
    assert set(KINDS) == set(CertificateKind)
    assert set(SCOPES) == set(FAMILY_SCOPES) == set(Scope)
    assert set(GROUPS) == set(Group)
    for kind in KINDS.values():
        assert not unsaid((kind.name, kind.use, kind.note))
    assert not unsaid((*SCOPES.values(), *FAMILY_SCOPES.values(), *GROUPS.values()))


def test_every_group_stands_in_one_column() -> None:
    assert sorted(group for column in COLUMNS for group in column) == sorted(Group)


def test_every_item_of_the_records_has_words_in_every_language() -> None:
    assert items_without_words(ITEMS) == set()


@pytest.mark.parametrize("kind", sorted(RECORDED))
def test_an_item_without_words_is_found(kind: str) -> None:
    for item in RECORDED[kind]:
        others = {name: words for name, words in ITEMS[kind].items() if name != item}
        assert items_without_words(ITEMS | {kind: others}) == {(kind, item)}
        for name in (("語", " "), ("", "word")):
            assert items_without_words(ITEMS | {kind: others | {item: ItemWords(name)}}) == {(kind, item)}


def test_no_help_says_only_what_the_name_says() -> None:
    said = [item for items in ITEMS.values() for item in items.values()]
    assert [item.name for item in said if item.help and set(item.name) & set(item.help)] == []


@pytest.mark.parametrize("kind", sorted(ITEMS))
def test_the_individual_number_is_asked_last(kind: str) -> None:
    items = (INDIVIDUAL_NUMBER, "of_tomorrow", *reversed(ITEMS[kind]))
    ordered = in_order(kind, tuple(dict.fromkeys(items)))
    known = [item for item in ITEMS[kind] if item != INDIVIDUAL_NUMBER]
    assert ordered == (*known, "of_tomorrow", INDIVIDUAL_NUMBER)


def test_everybody_is_a_household_or_a_register() -> None:
    assert scope_of("residence", "household") == ("世帯全員", "Whole household")
    assert scope_of("supplementary_register", "household") == ("戸籍の全員", "All in the register")
    assert scope_of("of_tomorrow", "self") == SCOPES["self"]


def test_an_item_that_is_not_known_yet_is_shown_as_the_server_calls_it() -> None:
    assert item_of("residence", "of_tomorrow").name == ("of_tomorrow", "of_tomorrow")
    assert item_of("of_tomorrow", "address").name == ("address", "address")


def test_every_key_has_words_and_all_words_are_used() -> None:
    certain, possible = used_keys()
    assert certain - set(TEXT) == set()
    assert set(TEXT) - possible == set()


@pytest.mark.parametrize("key", sorted(TEXT))
def test_both_languages_ask_for_the_same_values(key: str) -> None:
    japanese, english = ({name for _, name, _, _ in Formatter().parse(text) if name} for text in TEXT[key])
    if key == "fiscal_year_alone":
        assert (japanese, english) == ({"era"}, {"year"})
    elif key == "fiscal_year":
        assert (japanese, english) == ({"era", "era_before"}, {"year", "before"})
    else:
        assert japanese == english


def test_no_words_are_empty_where_something_must_be_said() -> None:
    for code, said in REFUSALS.items():
        assert all(part.strip() for part in (*said.title, *said.what, *said.next)), code
    assert all(all(pair) for pair in (*TITLES.values(), *TEXT.values()))


def test_no_refusal_claims_anything_about_money() -> None:
    """Whether money was taken is said from the visit's money: a code cannot know."""
    claim = re.compile("いただいて|お返ししました|charged|returned|No money")
    assert [code for code, said in REFUSALS.items() if claim.search("".join((*said.what, *said.next)))] == []


def test_one_wording_for_all_that_concerns_a_person() -> None:
    said = REFUSALS[ErrorCode.NOT_ISSUABLE_HERE]
    everything = "".join((*said.title, *said.what, *said.next))
    for reason in ("転出", "死亡", "支援", "未申告", "15歳", "moved", "dead", "tax", "age"):
        assert reason not in everything


def test_a_locked_card_and_one_without_pin_are_said_alike() -> None:
    assert (
        "暗証番号のない顔認証カードか、暗証番号がロックされたカードです。" in REFUSALS[TerminalCode.PIN_LOCKED].what[0]
    )
    assert "住基カード" in REFUSALS[TerminalCode.JUKI_CARD].title[0]
    assert "0120-95-0178" in REFUSALS[ErrorCode.CARD_CERTIFICATE_REVOKED].next[0]


@pytest.mark.parametrize(
    ("fiscal_year", "japanese"),
    [
        (2025, "令和7年度(令和6年分)"),
        (2020, "令和2年度(令和元年分)"),
        (2019, "令和元年度(平成30年分)"),
        (2018, "平成30年度(平成29年分)"),
    ],
)
def test_fiscal_years_are_said_in_the_era_as_on_the_paper(fiscal_year: int, japanese: str) -> None:
    assert fiscal_year_words(fiscal_year, Lang.JA) == japanese
    assert fiscal_year_words(fiscal_year, Lang.JA, of_income=False) == japanese.split("(", maxsplit=1)[0]
    assert fiscal_year_words(fiscal_year, Lang.EN) == f"Fiscal {fiscal_year} (income of {fiscal_year - 1})"


def test_one_sheet_is_not_some_sheets() -> None:
    assert (sheets_words(1, Lang.EN), sheets_words(2, Lang.EN)) == ("1 sheet", "2 sheets")
    assert sheets_words(1, Lang.JA) == "1枚"


def test_amounts_and_missing_keys() -> None:
    assert (yen_words(1300, Lang.JA), yen_words(1300, Lang.EN)) == ("1,300円", "¥1,300")
    with pytest.raises(KeyError):
        say("no_such_key", Lang.JA)
