"""The people whom every town has, whatever its size and seed: those who must be refused, and those who are special.

Each scene is one household; its residents get the first ids in this order, so that a story's id never changes as long
as scenes are only added at the end. `STORIES` is the list for everybody else.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import msgspec

from deploy.demo.town_foreign import Category
from deploy.demo.town_names import HOSHIMI, UMIBE, Part
from deploy.demo.town_people import (
    Family,
    Names,
    Numbers,
    change,
    make_family,
    make_foreign_family,
    with_alias,
)
from deploy.demo.town_shapes import (
    CHILD,
    CHILDS_CHILD,
    CHILDS_WIFE,
    FATHER,
    FEMALE,
    HEAD,
    HUSBAND,
    MALE,
    MOTHER,
    WIFE,
    Role,
    Shape,
)
from deploy.demo.town_tax import Means, Work
from deploy.demo.town_tax_rules import Claims
from deploy.demo.virtual_card import AUTH_TRIES, CardKind
from issuance_server.register.records import ForeignResident
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode
from protocol.messages import Scope
from terminal.visit import TerminalCode

SAMPLE: Final = "sample"
NOBODY_ID: Final = "u-000000"
_SETTLED_DAYS: Final = 1_100  # the cast was here on 1 January 2024, so that every fiscal year is on record

#: No collection registers this sequence and no font draws it: U+E01EF is the last of the selectors.
UNDRAWABLE_SURNAME: Final = Part("\u8fbb\U000e01ef\u4e95", "ツジイ")  # 辻井
#: Longer than any form: 30 given names.
ENDLESS_NAME: Final = "MIHON " + " ".join(f"{word} NAGAI" for word in ("HAI", "SAO", "BIEN", "MAU", "DAI") * 6)
_SAMPLE_SURNAME: Final = Part("\u6e21\u9089\U000e0119", "ワタナベ")  # 渡邉
_SAMPLE_FORMER: Final = Part("\u845b\U000e0102\u539f", "クズハラ")  # 葛原
_SAMPLE_GIVENS: Final = (Part("航", "ワタル"), Part("美波", "ミナミ"), Part("凪", "ナギ"), Part("湊", "ミナト"))


@dataclass(frozen=True, slots=True)
class Story:
    """One person with a story.

    Shape: kind and scope are the order that shows the story; refusal is what it meets, None = it is issued. A refusal
    by the terminal (the card, the PIN) comes before any order.
    """

    resident_id: str
    what: str
    kind: CertificateKind = CertificateKind.RESIDENCE
    scope: Scope = Scope.SELF
    refusal: ErrorCode | TerminalCode | None = None
    card: CardKind = CardKind.MY_NUMBER
    tries_left: int = AUTH_TRIES
    certificate_expired: bool = False
    linked: bool = True


Edit = Callable[[random.Random, Family], Family]


@dataclass(frozen=True, slots=True)
class _Scene:
    """One household of the cast. Shape: stories and means by position in the household."""

    shape: Shape
    stories: Mapping[int, tuple[str, Story]]
    means: Mapping[int, Means] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    foreign: Category | None = None
    edit: Edit | None = None
    municipality_code: str = UMIBE


def _alone(sex: str, age: int, key: str, story: Story, scene: _Scene | None = None) -> _Scene:
    """A scene of one person; `scene` brings what else it needs."""
    return replace(scene or _EMPTY, shape=(Role(HEAD, sex, age),), stories={0: (key, story)})


def _story(what: str, refusal: ErrorCode | TerminalCode | None = None) -> Story:
    return Story("", what, refusal=refusal)


def _tax_story(what: str, refusal: ErrorCode | None = None) -> Story:
    return Story("", what, kind=CertificateKind.TAXATION, refusal=refusal)


# What happens to a household after it was made


def _set(at: int = 0, **changes: object) -> Edit:
    """An edit that replaces one resident's fields."""
    return lambda _rng, family: change(family, at, **changes)


def _stop_address(_rng: random.Random, family: Family) -> Family:
    stopped = msgspec.structs.replace(family.household, issuance_stop=True)
    return Family(family.municipality_code, stopped, family.residents)


def _newborn(_rng: random.Random, family: Family) -> Family:
    """The child of a foreign resident, born here and without a status of residence yet."""
    born_on = date(2026, 9, 8)
    bare = ForeignResident(
        became_foreign_resident_on=born_on,
        nationality=_foreign_part(family, 1).nationality,
        category=Category.TRANSITIONAL_BY_BIRTH.value,
    )
    notified_on = date(2026, 9, 17)
    return change(family, 1, foreign=bare, born_on=born_on, address_since=born_on, notified_on=notified_on)


def _newcomer(_rng: random.Random, family: Family) -> Family:
    moved_on = date(2026, 5, 7)
    return change(
        family, 0, became_resident_on=moved_on, address_since=moved_on, notified_on=moved_on, previous_address=None
    )


def _foreign_part(family: Family, at: int) -> ForeignResident:
    foreign = family.residents[at].foreign
    assert foreign is not None
    return foreign


_REFUSED: Final = ErrorCode.NOT_ISSUABLE_HERE
_EMPTY: Final = _Scene(shape=(), stories={})
_WHOLE: Final = Scope.HOUSEHOLD

_SCENES: Final = (
    _Scene(
        (Role(HEAD, MALE, 44), Role(WIFE, FEMALE, 42), Role(CHILD, FEMALE, 16), Role(CHILD, MALE, 12)),
        {0: (SAMPLE, _story("the sample visit: a household of four, a rare form of 邉 in the surname"))},
        means={0: Means(Work.SALARY, 6_240_000, Claims(life_insurance_yen=56_000)), 1: Means(Work.NOTHING, 0)},
        names=Names(_SAMPLE_SURNAME, _SAMPLE_GIVENS),
        edit=_set(1, former_surname=_SAMPLE_FORMER.text, former_surname_reading=_SAMPLE_FORMER.reading),
    ),
    _Scene(
        (
            Role(HEAD, MALE, 61),
            Role(WIFE, FEMALE, 59),
            Role(CHILD, MALE, 35, register=1),
            Role(CHILDS_WIFE, FEMALE, 34, register=1),
            *(Role(CHILDS_CHILD, sex, age, register=1) for sex, age in ((FEMALE, 10), (MALE, 7), (MALE, 2))),
            Role(FATHER, MALE, 88, register=2),
            Role(MOTHER, FEMALE, 85, register=2),
        ),
        {0: ("household-of-nine", replace(_story("a household of nine: three sheets"), scope=_WHOLE))},
    ),
    _alone(FEMALE, 29, "single", _story("lives alone")),
    _alone(
        FEMALE,
        38,
        "foreign-alias",
        _story("foreign resident with an alias, status, period and expiry"),
        replace(_EMPTY, foreign=Category.MID_TO_LONG_TERM, edit=with_alias),
    ),
    _alone(
        MALE,
        58,
        "special-permanent",
        _story("special permanent resident: a certificate's number, no status, period or expiry"),
        replace(_EMPTY, foreign=Category.SPECIAL_PERMANENT, edit=with_alias),
    ),
    _alone(
        MALE,
        27,
        "temporary-refuge",
        _story("foreign resident with a permission for temporary refuge"),
        replace(_EMPTY, foreign=Category.TEMPORARY_REFUGE),
    ),
    _alone(
        FEMALE,
        33,
        "provisional-stay",
        _story("foreign resident with a permission for provisional stay"),
        replace(_EMPTY, foreign=Category.PROVISIONAL_STAY),
    ),
    _Scene(
        (Role(HEAD, FEMALE, 31), Role(CHILD, FEMALE, 0)),
        {0: ("newborn", replace(_story("foreign resident whose newborn child has no status yet"), scope=_WHOLE))},
        foreign=Category.MID_TO_LONG_TERM,
        edit=_newborn,
    ),
    _alone(
        MALE,
        46,
        "lost-nationality",
        _story("lost Japanese nationality a short while ago"),
        replace(_EMPTY, foreign=Category.TRANSITIONAL_BY_LOSS),
    ),
    _Scene(
        (Role(HEAD, MALE, 40), Role(WIFE, FEMALE, 38), Role(CHILD, FEMALE, 16)),
        {
            0: ("stopped-persons-household", _story("lives with a person whose documents are stopped", _REFUSED)),
            1: ("stopped-person", _story("issuance stop on the person", _REFUSED)),
        },
        edit=_set(1, issuance_stop=True),
    ),
    _Scene(
        (Role(HEAD, FEMALE, 47), Role(CHILD, FEMALE, 17)),
        {0: ("stopped-address", _story("issuance stop on the address", _REFUSED))},
        edit=_stop_address,
    ),
    _alone(
        MALE, 34, "moved-out", _story("moved out", _REFUSED), replace(_EMPTY, edit=_set(moved_out_on=date(2026, 9, 1)))
    ),
    _alone(
        FEMALE,
        26,
        "moving-out",
        _story("has filed a moving-out notice", _REFUSED),
        replace(_EMPTY, edit=_set(moving_out_notified=True)),
    ),
    _Scene(
        (Role(HEAD, FEMALE, 71), Role(HUSBAND, MALE, 74)),
        {1: ("dead", _story("dead; the household prints without them", _REFUSED))},
        edit=_set(1, died_on=date(2026, 8, 14)),
    ),
    _Scene(
        (Role(HEAD, FEMALE, 39), Role(CHILD, MALE, 8)),
        {1: ("child", _story("under 15", _REFUSED))},
    ),
    _alone(
        MALE,
        33,
        "tax-undeclared",
        _tax_story("has not declared any year", _REFUSED),
        replace(_EMPTY, means={0: Means(Work.NOTHING, 0, declares=False)}),
    ),
    _Scene(
        (Role(HEAD, MALE, 51), Role(WIFE, FEMALE, 49)),
        {
            0: ("taxed", _tax_story("taxed, with a dependant")),
            1: ("tax-dependant", _tax_story("a dependant who did not declare: a certificate without amounts")),
        },
        means={0: Means(Work.SALARY, 5_480_000, Claims(life_insurance_yen=70_000)), 1: Means(Work.NOTHING, 0)},
    ),
    _alone(
        FEMALE,
        80,
        "untaxed",
        _tax_story("declared, and below the limit: a non-taxation certificate with amounts"),
        replace(_EMPTY, means={0: Means(Work.PENSION, 912_000)}),
    ),
    _alone(
        MALE,
        36,
        "newcomer",
        _tax_story("moved in after 1 January 2026: another municipality has the tax record", _REFUSED),
        replace(_EMPTY, edit=_newcomer),
    ),
    _alone(
        MALE,
        52,
        "undrawable-name",
        _story("a sequence in the name that no font can draw", ErrorCode.GLYPH_NOT_PRINTABLE),
        replace(_EMPTY, names=Names(UNDRAWABLE_SURNAME)),
    ),
    _alone(
        MALE,
        41,
        "endless-name",
        _story("a name longer than the form holds", ErrorCode.FORM_TOO_SMALL),
        replace(_EMPTY, foreign=Category.MID_TO_LONG_TERM, edit=_set(name=ENDLESS_NAME)),
    ),
    _alone(
        FEMALE,
        66,
        "locked-card",
        replace(_story("the card's PIN is locked", TerminalCode.PIN_LOCKED), tries_left=0),
    ),
    _alone(
        MALE,
        30,
        "expired-certificate",
        replace(_story("the certificate has expired", ErrorCode.CARD_CERTIFICATE_EXPIRED), certificate_expired=True),
    ),
    _alone(
        MALE,
        77,
        "juki-card",
        replace(_story("brings an old 住基カード", TerminalCode.JUKI_CARD), card=CardKind.JUKI),
    ),
    _alone(
        FEMALE,
        22,
        "foreign-card",
        replace(_story("brings a card of another kind", TerminalCode.NOT_MY_NUMBER_CARD), card=CardKind.FOREIGN),
    ),
    _alone(
        MALE,
        83,
        "face-recognition-card",
        replace(_story("a card without a PIN", TerminalCode.PIN_LOCKED), card=CardKind.FACE_RECOGNITION),
    ),
    _alone(FEMALE, 24, "unlinked", replace(_story("the card is linked to nobody yet", _REFUSED), linked=False)),
    _Scene(
        (Role(HEAD, MALE, 36), Role(WIFE, FEMALE, 35)),
        {
            0: ("hoshimi", _story("lives in the other municipality: another fee, other hours")),
            1: ("hoshimi-tax", _tax_story("the other municipality offers no tax certificates", ErrorCode.NOT_OFFERED)),
        },
        municipality_code=HOSHIMI,
    ),
)


def _stories() -> dict[str, Story]:
    """Number the residents of the scenes as `cast` does."""
    found: dict[str, Story] = {}
    before = 0
    for scene in _SCENES:
        for at, (key, story) in scene.stories.items():
            found[key] = replace(story, resident_id=f"u-{before + at + 1:06}")
        before += len(scene.shape)
    found["nobody"] = Story(NOBODY_ID, "a good card of somebody in no register here", refusal=_REFUSED, linked=False)
    return found


STORIES: Final[Mapping[str, Story]] = _stories()
CAST_SIZE: Final = sum(len(scene.shape) for scene in _SCENES)


@dataclass(frozen=True, slots=True)
class CastFamily:
    """One household of the cast, and what its members are to live on, by resident id."""

    family: Family
    means: Mapping[str, Means]


def cast(seed: int, numbers: Numbers) -> tuple[CastFamily, ...]:
    """Return the households of the stories. Shape: numbers has handed out nothing yet."""
    assert numbers.residents == 0
    families = []
    for at, scene in enumerate(_SCENES):
        rng = random.Random(f"town:{seed}:scene:{at}")
        if scene.foreign is None:
            family = make_family(
                rng, numbers, scene.municipality_code, scene.shape, scene.names, settled_days=_SETTLED_DAYS
            )
        else:
            family = make_foreign_family(
                rng, numbers, scene.municipality_code, scene.shape, scene.foreign, settled_days=_SETTLED_DAYS
            )
        if scene.edit is not None:
            family = scene.edit(rng, family)
        means = {family.residents[at].resident_id: means for at, means in scene.means.items()}
        families.append(CastFamily(family, means))
    return tuple(families)
