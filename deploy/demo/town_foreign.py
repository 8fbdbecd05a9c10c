"""Foreign residents of the town: names in Latin letters, aliases, categories, statuses, cards. All of it is invented.

Source: 住民基本台帳法第30条の45 (the categories and what is recorded for each). Card numbers have the right shape, two
letters, eight digits, two letters, and nothing else that is right about them.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from issuance_server.register.records import ForeignResident

LARGEST: Final = 6  # of a household: as many given names there are
REGISTER_SINCE: Final = date(2012, 7, 9)  # foreign residents stand in the resident register from this day on
_CARD_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"


class Category(StrEnum):
    """第30条の45の区分, as the residence certificate prints it."""

    MID_TO_LONG_TERM = "中長期在留者"
    SPECIAL_PERMANENT = "特別永住者"
    TEMPORARY_REFUGE = "一時庇護許可者"
    PROVISIONAL_STAY = "仮滞在許可者"
    TRANSITIONAL_BY_BIRTH = "出生による経過滞在者"
    TRANSITIONAL_BY_LOSS = "国籍喪失による経過滞在者"


@dataclass(frozen=True, slots=True)
class Origin:
    """A nationality or region as recorded, with names that people from there might carry."""

    nationality: str
    surnames: tuple[str, ...]
    given_male: tuple[str, ...]
    given_female: tuple[str, ...]
    kanji_surnames: tuple[str, ...] = ()
    kanji_given: tuple[str, ...] = ()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _origin(nationality: str, surnames: str, male: str, female: str, kanji: tuple[str, str] = ("", "")) -> Origin:
    """Given names are divided by commas, since some have several words."""
    return Origin(
        nationality, _words(surnames), tuple(male.split(", ")), tuple(female.split(", ")), *map(_words, kanji)
    )


ORIGINS: Final = (
    _origin(
        "ベトナム",
        "NGUYEN TRAN LE PHAM",
        "VAN MAU, DUC HAI, MINH SAO, QUANG BIEN, VAN SONG, HUU DAO",
        "THI BIEN, THI MAU, NGOC SAO, THI SONG, THU HAI, BICH DAO",
    ),
    _origin(
        "フィリピン",
        "SANTOSA REYESA DELMAR",
        "JOSE MUESTRA, MARCO DAGAT, PABLO, RAMON DAGAT, LEO, MIGUEL MUESTRA",
        "MARIA MUESTRA, LUZ DAGAT, ROSA, ELENA, TALA, ANA DAGAT",
    ),
    _origin(
        "ブラジル",
        "SILVEIRO MARINHOS AMOSTRA",
        "CARLOS DAVI, PAULO, RAFAEL, TIAGO, BRUNO, CAIO MAR",
        "ANA LUISA, BEATRIZ, CLARA, MARINA, JULIA MAR, LIVIA",
    ),
    _origin(
        "ネパール",
        "NAMUNE TARAI SAGARI",
        "BISHAL, PRAKASH, SURESH, KIRAN, NABIN, ARJUN",
        "SITA, ANJALI, GITA, MAYA, PUJA, TARA",
    ),
    _origin(
        "インドネシア",
        "CONTOHAN LAUTAN",
        "BUDI, AGUS BINTANG, HADI, JOKO, RIZKI, WAHYU",
        "DEWI, SRI BINTANG, INDAH, RATNA, PUTRI, WULAN",
    ),
    _origin(
        "米国",
        "SPECIMAN SEASHORE O'SAMPLE",
        "JOHN EXAMPLE, ERIC, PAUL, ADAM JAMES, OWEN, LUKE",
        "MARY-ANN, ALICE EXAMPLE, RUTH, CLAIRE, NORA JANE, IRIS",
    ),
    _origin(
        "ミャンマー",
        "NAMUNA PINLAE",
        "AUNG KYE, ZAW, MIN THU, KYAW, HTET, NYI NYI",
        "KHIN KYE, MYA, THIDA, SU SU, HNIN, EI PHYU",
    ),
    _origin(
        "中国",
        "WANG LI YANG HAI",
        "HAIBO, XINGYU, HAIMING, XINGHE, YUEHAI, CHENXING",
        "HAIYAN, XINGMEI, HAILAN, XINGYUE, YUEMEI, CHENXI",
        ("王 李 楊 海", "海波 星宇 海明 星河 月海 晨星 海燕 星美 海蘭 星月 月美 晨曦"),
    ),
    _origin(
        "韓国",
        "KIM PARK LEE SEO",
        "HAEIN, SEONGIL, HAESEONG, WOLHO, SEONGHO, HYOIN",
        "SEONGHA, HYOHEE, HAEHEE, WOLHEE, SEONGMI, HAEMI",
        ("金 朴 李 徐", "海人 星一 海星 月浩 星浩 暁人 星夏 暁姫 海姫 月姫 星美 海美"),
    ),
)
_KOREA: Final = ORIGINS[-1]
_ALIAS_SURNAMES: Final = _words("海野 星川 浜田原 汐見 月岡")
_ALIAS_GIVEN_MALE: Final = _words("一海 星治 海斗")
_ALIAS_GIVEN_FEMALE: Final = _words("海子 星恵 真海")

#: status, period, days until it ends at the most, share; a permanent resident has neither period nor end
_STATUSES: Final[tuple[tuple[str, str | None, int, int], ...]] = (
    ("永住者", None, 0, 30),
    ("技術・人文知識・国際業務", "5年", 1825, 15),
    ("技術・人文知識・国際業務", "3年", 1095, 10),
    ("定住者", "3年", 1095, 10),
    ("特定技能1号", "1年", 365, 10),
    ("技能実習2号ロ", "2年", 730, 10),
    ("留学", "4年3月", 1550, 10),
    ("経営・管理", "1年", 365, 5),
)


@dataclass(frozen=True, slots=True)
class ForeignName:
    """What a foreign resident is called: on the card, and what may be recorded beside it."""

    nationality: str
    latin: str
    kanji: str | None


def origin(rng: random.Random, category: Category) -> Origin:
    """Draw where a family comes from."""
    return _KOREA if category is Category.SPECIAL_PERMANENT else rng.choice(ORIGINS)


def surname_index(rng: random.Random, family_origin: Origin) -> int:
    """Draw a family's surname, as an index, so that Latin and kanji forms agree."""
    return rng.randrange(len(family_origin.surnames))


def name(rng: random.Random, family_origin: Origin, surname: int, sex: str, taken: Collection[str]) -> ForeignName:
    """Draw a name as on the residence card: surname first, capitals; none of those taken in the household already."""
    givens = family_origin.given_male if sex == "男" else family_origin.given_female
    names = [f"{family_origin.surnames[surname]} {given}" for given in givens]
    at = rng.choice([at for at, latin in enumerate(names) if latin not in taken])
    if not family_origin.kanji_surnames:
        return ForeignName(family_origin.nationality, names[at], None)
    kanji_given = family_origin.kanji_given[at + (0 if sex == "男" else len(givens))]
    return ForeignName(family_origin.nationality, names[at], family_origin.kanji_surnames[surname] + kanji_given)


def record(
    rng: random.Random,
    *,
    category: Category,
    name: ForeignName,
    came_on: date,
    as_of: date,
    status: str | None = None,
) -> ForeignResident:
    """Return what stands in place of domicile and 住民となった年月日, complete for the category.

    status: None draws one; else it is one of a family member (家族滞在, 日本人の配偶者等).
    """
    fields = ForeignResident(
        became_foreign_resident_on=max(came_on, REGISTER_SINCE),
        nationality=name.nationality,
        category=category.value,
        kanji_name=name.kanji if rng.random() < 0.6 else None,
    )
    match category:
        case Category.MID_TO_LONG_TERM:
            status, period, expires_on = _status(rng, as_of, status)
            return _with(fields, status=status, period=period, expires_on=expires_on, card_number=_card_number(rng))
        case Category.SPECIAL_PERMANENT:
            return _with(fields, card_number=_card_number(rng))
        case Category.TEMPORARY_REFUGE:
            return _with(fields, period="6月", expires_on=as_of + timedelta(days=150))
        case Category.PROVISIONAL_STAY:
            return _with(fields, period="6月", expires_on=as_of + timedelta(days=120))
        case Category.TRANSITIONAL_BY_BIRTH | Category.TRANSITIONAL_BY_LOSS:
            return fields


def alias(rng: random.Random, sex: str) -> str:
    """Draw an alias (通称)."""
    given = _ALIAS_GIVEN_MALE if sex == "男" else _ALIAS_GIVEN_FEMALE
    return f"{rng.choice(_ALIAS_SURNAMES)} {rng.choice(given)}"


def _status(rng: random.Random, as_of: date, family_status: str | None) -> tuple[str, str | None, date | None]:
    if family_status is not None:
        return family_status, "3年", as_of + timedelta(days=rng.randint(400, 1095))
    status, period, longest_days, _ = rng.choices(_STATUSES, weights=[row[3] for row in _STATUSES])[0]
    if period is None:
        return status, None, None
    return status, period, as_of + timedelta(days=rng.randint(longest_days // 2, longest_days))


def _card_number(rng: random.Random) -> str:
    letters = rng.choices(_CARD_LETTERS, k=4)
    return f"{letters[0]}{letters[1]}{rng.randrange(10**8):08}{letters[2]}{letters[3]}"


def _with(fields: ForeignResident, **changes: Any) -> ForeignResident:
    return msgspec.structs.replace(fields, **changes)
