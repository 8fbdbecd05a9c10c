"""Where a value's second line begins: the rules of Japanese setting, and what a register's values keep together."""

from __future__ import annotations

import pytest

from printing.paper.lines import Break, Division, Room, divide

PT = 10.0


def divided(
    text: str, *, em: float = 60.0, lead_em: float = 0.0, least_pt: float = PT
) -> tuple[str, str, Break] | None:
    """Divide a text whose letters are one em wide, those of ASCII half an em."""
    letters = list(text)
    advances_em = [0.5 if letter.isascii() else 1.0 for letter in letters]
    found = divide(letters, advances_em, Room(em * PT, lead_em, PT, least_pt, 0.25))
    return None if found is None else ("".join(letters[: found.at]), "".join(letters[found.at :]), found.cost)


@pytest.mark.parametrize(
    ("text", "em", "first", "second"),
    [
        # The line would be full one letter later: what must not begin the next line takes its neighbour with it.
        ("飲食料品製造業外食業)北東西南", 10.0, "飲食料品製造業外食", "業)北東西南"),
        ("飲食料品製造業・外食業)北東西南", 11.0, "飲食料品製造業・", "外食業)北東西南"),
        ("一二三四五六七八九。北東西南山", 9.0, "一二三四五六七八", "九。北東西南山"),
        ("架空県みほん市北ガーデン南町東西", 9.0, "架空県みほん市北", "ガーデン南町東西"),
        ("見本町字佐々木台", 5.0, "見本町字", "佐々木台"),
        ("あいうえおかきくけこしゃれたまちなみ", 11.0, "あいうえおかきくけこ", "しゃれたまちなみ"),
        # What opens does not end a line.
        ("架空県見本市東町(北側住宅)", 9.0, "架空県見本市東町", "(北側住宅)"),
        ("架空県見本市東町【北側住宅】", 9.0, "架空県見本市東町", "【北側住宅】"),
        # A number keeps its digits and its counter.
        ("架空県見本市東町字北12345号室南側の間", 12.0, "架空県見本市東町字北", "12345号室南側の間"),
        ("架空県見本市東町北14番地南側住宅", 10.0, "架空県見本市東町北", "14番地南側住宅"),
        ("架空県見本市東町北一丁目西側住宅", 10.0, "架空県見本市東町北", "一丁目西側住宅"),
        ("届出が済んだのは令和8年11月22日のこと", 14.0, "届出が済んだのは", "令和8年11月22日のこと"),
        ("税として納付した額12,345,600円のうち", 12.0, "税として納付した額", "12,345,600円のうち"),
        ("電話をかけるときは0000-00-0000へどうぞ", 12.0, "電話をかけるときは", "0000-00-0000へどうぞ"),
        # Words of Latin letters stay whole, and lines end between them.
        ("MARIA FERNANDA GUADALUPE CONCEPCION", 13.0, "MARIA FERNANDA GUADALUPE ", "CONCEPCION"),
        ("見本町南 AB12345678CD 北側住", 10.0, "見本町南 ", "AB12345678CD 北側住"),
        # Not one letter or two alone.
        ("架空県見本市東町北側南側", 10.0, "架空県見本市東町北", "側南側"),
        # Between entries rather than between a surname and a given name.
        ("記載 山田 マリア、削除 山田 マリア", 14.0, "記載 山田 マリア、", "削除 山田 マリア"),
        # A word of kana is not parted where another place does.
        ("グレートブリテン及び北アイルランド連合王国", 14.5, "グレートブリテン及び北", "アイルランド連合王国"),
    ],
)
def test_a_line_ends_where_a_typesetter_would_end_it(text: str, em: float, first: str, second: str) -> None:
    assert divided(text, em=em) == (first, second, Break.FREE)


@pytest.mark.parametrize(
    ("text", "em", "cost"),
    [
        ("ーーーーーーーーーー", 6.0, Break.RESORT),  # nothing but what begins no line
        ("一二三四", 2.0, Break.RESORT),  # two letters alone, or nothing
        ("MONTEMAYORVILLAVICENCIO", 6.5, Break.WORD),
        ("MARIA SUBRAMANIAN ROSAMARIA", 7.0, Break.WORD),  # between no two words are two lines that hold it
    ],
)
def test_what_no_rule_divides_is_divided_all_the_same(text: str, em: float, cost: Break) -> None:
    found = divided(text, em=em)
    assert found is not None
    assert found[0] + found[1] == text
    assert found[2] is cost


@pytest.mark.parametrize("text", ["123456789018", "１２３４５６７８９０１８", "12,345,678,901円"])
def test_a_number_is_never_cut(text: str) -> None:
    found = divided(text, em=7.0, least_pt=PT)
    assert found is None or found[0].rstrip("円") == text.rstrip("円")
    assert divided(text, em=4.0) is None


@pytest.mark.parametrize("text", ["昭和56年11月17日", "平成元年12月31日", "1990年12月31日"])
def test_a_date_is_divided_by_no_rule(text: str) -> None:
    found = divided(text, em=6.0)
    assert found is not None
    assert found[2] is Break.RESORT


@pytest.mark.parametrize("text", ["", "見", " ", "見 "])
def test_what_is_too_short_to_divide_is_not(text: str) -> None:
    assert divided(text, em=0.5) is None


def test_the_size_is_the_largest_that_both_lines_allow() -> None:
    letters = list("見本町北側住宅南") * 2
    assert divide(letters, [1.0] * 16, Room(100.0, 0.0, 12.0, 6.0, 0.25)) == Division(Break.FREE, 12.0, 8)
    assert divide(letters, [1.0] * 16, Room(80.0, 0.0, 12.0, 6.0, 0.25)) == Division(Break.FREE, 10.0, 8)
    assert divide(letters, [1.0] * 16, Room(80.0, 2.0, 12.0, 6.0, 0.25)) == Division(Break.FREE, 8.0, 8)
    assert divide(letters, [1.0] * 16, Room(47.0, 0.0, 12.0, 6.0, 0.25)) is None


def test_a_letter_keeps_its_selector() -> None:
    letters = ["渡", "\u9089\U000e010f"] * 6
    found = divide(letters, [1.0] * 12, Room(70.0, 0.0, 10.0, 6.0, 0.25))
    assert found is not None
    assert found.at <= 7
