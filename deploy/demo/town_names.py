"""Names of the town's people and streets: data, and how a name is drawn from it. All of it is invented.

Surnames are put together from two elements, so that none is copied from anybody. The town has more than its share of
unusual characters on purpose: variation sequences of the Moji_Joho collection (base + U+E0100...), a character
outside the Basic Multilingual Plane, and the forms 髙 and 﨑. The sequences are written as escapes because editors and
terminals draw them all alike; tests/test_town.py checks that the font has each.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

SPACE: Final = " "  # one that text extraction gives back: poppler drops U+3000, which some registers write
READING_SPACE: Final = " "


@dataclass(frozen=True, slots=True)
class Part:
    """A written form and its reading in katakana."""

    text: str
    reading: str


def _parts(pairs: str) -> tuple[Part, ...]:
    return tuple(Part(*pair.split("=")) for pair in pairs.split())


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FIRST: Final = _parts(
    """
    潮=ウシオ 磯=イソ 浜=ハマ 汐=シオ 星=ホシ 月=ツキ 霧=キリ 雪=ユキ 霜=シモ 夏=ナツ 秋=アキ 春=ハル
    冬=フユ 藍=アイ 柚=ユズ 椿=ツバキ 梢=コズエ 渚=ナギサ 凪=ナギ 灘=ナダ 岬=ミサキ 虹=ニジ 朝=アサ 宵=ヨイ
    遠=トオ 深=フカ 早=ハヤ 若=ワカ 古=フル 千=チ 百=モモ 八=ヤ 七=ナナ 髙=タカ \U00020bb7=ヨシ 曽=ソ
    """
)
_SECOND: Final = _parts(
    """
    原=ハラ 沢=ザワ 瀬=セ 葉=バ 野=ノ 森=モリ 嶋=シマ 浦=ウラ 渕=ブチ 倉=クラ 橋=ハシ 木=キ 見=ミ 川=カワ
    村=ムラ 井=イ 尾=オ 越=ゴエ 垣=ガキ 里=サト 﨑=サキ
    """
)

#: First elements with a variation sequence.
VARIANT_FIRST: Final = (
    Part("\u845b\U000e0102", "クズ"),  # 葛
    Part("\u845b\U000e0107", "クズ"),  # 葛
    Part("\u698a\U000e0102", "サカキ"),  # 榊
    Part("\u698a\U000e0103", "サカキ"),  # 榊
    Part("\u9f4b\U000e0103", "サイ"),  # 齋
    Part("\u9f4b\U000e0105", "サイ"),  # 齋
    Part("\u658e\U000e0102", "サイ"),  # 斎
    Part("\u9f4a\U000e0103", "サイ"),  # 齊
    Part("\u6589\U000e0103", "サイ"),  # 斉
    Part("\u6ff1\U000e0102", "ハマ"),  # 濱
    Part("\u6ff1\U000e0103", "ハマ"),  # 濱
    Part("\u5ee3\U000e0104", "ヒロ"),  # 廣
    Part("\u5ee3\U000e010c", "ヒロ"),  # 廣
    Part("\u67f3\U000e0102", "ヤナギ"),  # 柳
    Part("\u6801\U000e0102", "ヤナギ"),  # 栁
    Part("\u6a0b\U000e0102", "ヒ"),  # 樋
    Part("\u7947\U000e0102", "ギ"),  # 祇
    Part("\u798f\U000e0103", "フク"),  # 福
    Part("\u82a6\U000e0104", "アシ"),  # 芦
    Part("\u82a6\U000e0109", "アシ"),  # 芦
    Part("\u85e4\U000e0104", "フジ"),  # 藤
    Part("\u6a3d\U000e0102", "タル"),  # 樽
    Part("\u69c7\U000e0102", "マキ"),  # 槇
    Part("\u938c\U000e0102", "カマ"),  # 鎌
    Part("\u8328\U000e0104", "イバラ"),  # 茨
    Part("\u9dd7\U000e0102", "カモメ"),  # 鷗
)

#: Second elements with a variation sequence.
VARIANT_SECOND: Final = (
    Part("\u908a\U000e0109", "ベ"),  # 邊
    Part("\u908a\U000e010c", "ベ"),  # 邊
    Part("\u908a\U000e010f", "ベ"),  # 邊
    Part("\u9089\U000e0110", "ベ"),  # 邉
    Part("\u9089\U000e0115", "ベ"),  # 邉
    Part("\u9089\U000e0119", "ベ"),  # 邉
    Part("\u8fba\U000e0102", "ベ"),  # 辺
    Part("\u8fbb\U000e0102", "ツジ"),  # 辻
    Part("\u8fbb\U000e0103", "ツジ"),  # 辻
    Part("\u585a\U000e0104", "ツカ"),  # 塚
    Part("\u585a\U000e0105", "ツカ"),  # 塚
    Part("\u689d\U000e0103", "ジョウ"),  # 條
)

#: Given names with a variation sequence: (for men, for women).
VARIANT_GIVEN_MALE: Final = (
    Part("\u5fb7\U000e0102", "トク"),  # 德
    Part("\u592a\u6717\U000e0106", "タロウ"),  # 太朗
    Part("\u9686\U000e0106", "タカシ"),  # 隆
    Part("\u9756\U000e0103", "ヤスシ"),  # 靖
    Part("\u84ee\U000e0105", "レン"),  # 蓮
)
VARIANT_GIVEN_FEMALE: Final = (
    Part("\u85ab\U000e0102", "カオル"),  # 薫
    Part("\u82b3\U000e0102\u7f8e", "ヨシミ"),  # 芳美
    Part("\u84ee\U000e0103\u83ef", "レンカ"),  # 蓮華
    Part("\u9022\U000e0103", "アイ"),  # 逢
)

_GIVEN_MALE: Final = _parts(
    """
    航=ワタル 湊=ミナト 蒼=アオ 陸=リク 樹=イツキ 颯太=ソウタ 悠斗=ユウト 修平=シュウヘイ 誠=マコト 朔=サク
    晴彦=ハルヒコ 康介=コウスケ 亮=リョウ 直樹=ナオキ 和也=カズヤ 達也=タツヤ 勝=マサル 茂=シゲル 清=キヨシ
    潤=ジュン 拓海=タクミ 一郎=イチロウ 弘=ヒロシ 昭二=ショウジ 岳=ガク 慧=ケイ 律=リツ 暁=アキラ
    圭吾=ケイゴ
    """
)
_GIVEN_FEMALE: Final = _parts(
    """
    美波=ミナミ 凪=ナギ 紬=ツムギ 芽衣=メイ 陽菜=ヒナ 詩=ウタ 澪=ミオ 千夏=チナツ 真由=マユ 由紀子=ユキコ
    恵子=ケイコ 節子=セツコ 和子=カズコ 文=フミ 灯里=アカリ 桜子=サクラコ 雫=シズク 楓=カエデ 瑞希=ミズキ
    彩=アヤ 綾乃=アヤノ 直美=ナオミ 早苗=サナエ 遥=ハルカ 結衣=ユイ 静=シズカ 葵=アオイ 琴音=コトネ
    泉=イズミ
    """
)

UMIBE: Final = "990019"
HOSHIMI: Final = "990027"
TOWNS: Final = {UMIBE: "見本県海辺市", HOSHIMI: "見本県星見町"}
STREETS: Final = {
    UMIBE: _words(
        """
    見本県海辺市みなと町一丁目 見本県海辺市みなと町二丁目 見本県海辺市汐見台三丁目 見本県海辺市灯台通
    見本県海辺市かもめ町 見本県海辺市松風一丁目 見本県海辺市波の上 見本県海辺市貝がら町四丁目
    """
    ),
    HOSHIMI: _words(
        """
    見本県星見町字天の川 見本県星見町字北斗 見本県星見町大字月影 見本県星見町字すばる 見本県星見町大字夜明
    """
    ),
}
ELSEWHERE: Final = _words(
    """
    見本県山辺市杉木立町 見本県野原町大字すすき 見本県川上村字せせらぎ 架空県遠見市大通二丁目
    架空県霧里町字朝霧
    """
)
_BUILDINGS: Final = ("みほんコーポ", "見本ハイツ", "シーサイド見本", "団地見本棟")


def variation_sequences() -> tuple[str, ...]:
    """Return each base + selector that the town's names may carry, once."""
    parts = (*VARIANT_FIRST, *VARIANT_SECOND, *VARIANT_GIVEN_MALE, *VARIANT_GIVEN_FEMALE)
    pairs = (text[at - 1 : at + 1] for text in (part.text for part in parts) for at in range(1, len(text)))
    return tuple(dict.fromkeys(pair for pair in pairs if 0xE0100 <= ord(pair[1]) <= 0xE01EF))


def surname(rng: random.Random) -> Part:
    """Draw a surname; one in eight carries a variation sequence."""
    chance = rng.random()
    first = rng.choice(VARIANT_FIRST if chance < 0.07 else _FIRST)
    second = rng.choice(VARIANT_SECOND if 0.07 <= chance < 0.125 else _SECOND)
    return Part(first.text + second.text, first.reading + second.reading)


def given_name(rng: random.Random, sex: str, taken: Collection[Part]) -> Part:
    """Draw a given name that nobody in the household has; sex is 男 or 女. One in thirty has a variation sequence."""
    common, variants = (_GIVEN_MALE, VARIANT_GIVEN_MALE) if sex == "男" else (_GIVEN_FEMALE, VARIANT_GIVEN_FEMALE)
    pool = variants if rng.random() < 1 / 30 else common
    return rng.choice([part for part in pool if part not in taken] or [part for part in common if part not in taken])


def full_name(family: Part, given: Part) -> Part:
    """Put surname and given name together as a register writes them."""
    return Part(family.text + SPACE + given.text, family.reading + READING_SPACE + given.reading)


def address(rng: random.Random, municipality_code: str) -> str:
    """Draw an address in one of the two municipalities; every third is in a building."""
    lot = f"{rng.choice(STREETS[municipality_code])}{rng.randint(1, 40)}番{rng.randint(1, 30)}号"
    if rng.random() < 1 / 3:
        return f"{lot}{SPACE}{rng.choice(_BUILDINGS)}{rng.randint(1, 9)}0{rng.randint(1, 9)}"
    return lot


def address_elsewhere(rng: random.Random) -> str:
    """Draw an address in another municipality, invented like the rest."""
    return f"{rng.choice(ELSEWHERE)}{rng.randint(1, 99)}番地{rng.randint(1, 30)}"


def domicile(rng: random.Random, municipality_code: str) -> str:
    """Draw a registered domicile (本籍): three in four in the municipality itself, one in ten in the other one."""
    chance = rng.random()
    if chance < 0.85:
        code = municipality_code if chance < 0.75 else next(code for code in STREETS if code != municipality_code)
        return f"{rng.choice(STREETS[code])}{rng.randint(1, 300)}番地"
    return f"{rng.choice(ELSEWHERE)}{rng.randint(1, 300)}番地"
