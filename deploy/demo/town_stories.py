"""The people whom every town has, whatever its size and seed: those who must be refused, and those who are special.

Each scene is one household; its residents get the first ids in this order, so that a story's id never changes as long
as scenes are only added at the end. `STORIES` is the list for everybody else.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import msgspec

from deploy.demo.pki import Standing
from deploy.demo.town_foreign import Category
from deploy.demo.town_names import HOSHIMI, Part
from deploy.demo.town_people import (
    Family,
    Names,
    Numbers,
    change,
    make_family,
    make_foreign_family,
    with_alias,
)
from deploy.demo.town_scenes import EMPTY, REFUSED, RegisterEdit, Scene, Story, alone, story, tax_story, with_fields
from deploy.demo.town_seals import SealStory
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
)
from deploy.demo.town_stories_registers import REGISTER_SCENES
from deploy.demo.town_tax import Means, Work
from deploy.demo.town_tax_rules import Claims
from deploy.demo.virtual_card import CardKind
from issuance_server.register.records import ForeignResident
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


# What happens to a household after it was made


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


_WHOLE: Final = Scope.HOUSEHOLD

_SCENES: Final = (
    Scene(
        (Role(HEAD, MALE, 44), Role(WIFE, FEMALE, 42), Role(CHILD, FEMALE, 16), Role(CHILD, MALE, 12)),
        {0: (SAMPLE, story("the sample visit: a household of four, a rare form of 邉 in the surname"))},
        means={0: Means(Work.SALARY, 6_240_000, Claims(life_insurance_yen=56_000)), 1: Means(Work.NOTHING, 0)},
        names=Names(_SAMPLE_SURNAME, _SAMPLE_GIVENS),
        edit=with_fields(
            1,
            former_surname=_SAMPLE_FORMER.text,
            former_surname_reading=_SAMPLE_FORMER.reading,
        ),
        seals={0: SealStory.REGISTERED},
    ),
    Scene(
        (
            Role(HEAD, MALE, 61),
            Role(WIFE, FEMALE, 59),
            Role(CHILD, MALE, 35, register=1),
            Role(CHILDS_WIFE, FEMALE, 34, register=1),
            *(Role(CHILDS_CHILD, sex, age, register=1) for sex, age in ((FEMALE, 10), (MALE, 7), (MALE, 2))),
            Role(FATHER, MALE, 88, register=2),
            Role(MOTHER, FEMALE, 85, register=2),
        ),
        {0: ("household-of-nine", replace(story("a household of nine: three sheets"), scope=_WHOLE))},
    ),
    alone(FEMALE, 29, "single", story("lives alone")),
    alone(
        FEMALE,
        38,
        "foreign-alias",
        story("foreign resident with an alias, status, period and expiry"),
        replace(EMPTY, foreign=Category.MID_TO_LONG_TERM, edit=with_alias),
    ),
    alone(
        MALE,
        58,
        "special-permanent",
        story("special permanent resident: a certificate's number, no status, period or expiry"),
        replace(EMPTY, foreign=Category.SPECIAL_PERMANENT, edit=with_alias),
    ),
    alone(
        MALE,
        27,
        "temporary-refuge",
        story("foreign resident with a permission for temporary refuge"),
        replace(EMPTY, foreign=Category.TEMPORARY_REFUGE),
    ),
    alone(
        FEMALE,
        33,
        "provisional-stay",
        story("foreign resident with a permission for provisional stay"),
        replace(EMPTY, foreign=Category.PROVISIONAL_STAY),
    ),
    Scene(
        (Role(HEAD, FEMALE, 31), Role(CHILD, FEMALE, 0)),
        {0: ("newborn", replace(story("foreign resident whose newborn child has no status yet"), scope=_WHOLE))},
        foreign=Category.MID_TO_LONG_TERM,
        edit=_newborn,
    ),
    alone(
        MALE,
        46,
        "lost-nationality",
        story("lost Japanese nationality a short while ago"),
        replace(EMPTY, foreign=Category.TRANSITIONAL_BY_LOSS),
    ),
    Scene(
        (Role(HEAD, MALE, 40), Role(WIFE, FEMALE, 38), Role(CHILD, FEMALE, 16)),
        {
            0: ("stopped-persons-household", story("lives with a person whose documents are stopped", REFUSED)),
            1: ("stopped-person", story("issuance stop on the person", REFUSED)),
        },
        edit=with_fields(1, issuance_stop=True),
    ),
    Scene(
        (Role(HEAD, FEMALE, 47), Role(CHILD, FEMALE, 17)),
        {0: ("stopped-address", story("issuance stop on the address", REFUSED))},
        edit=_stop_address,
    ),
    alone(
        MALE,
        34,
        "moved-out",
        story("moved out", REFUSED),
        replace(EMPTY, edit=with_fields(moved_out_on=date(2026, 9, 1))),
    ),
    alone(
        FEMALE,
        26,
        "moving-out",
        story("has filed a moving-out notice", REFUSED),
        replace(EMPTY, edit=with_fields(moving_out_notified=True)),
    ),
    Scene(
        (Role(HEAD, FEMALE, 71), Role(HUSBAND, MALE, 74)),
        {1: ("dead", story("dead; the household prints without them", REFUSED))},
        edit=with_fields(1, died_on=date(2026, 8, 14)),
    ),
    Scene(
        (Role(HEAD, FEMALE, 39), Role(CHILD, MALE, 8)),
        {1: ("child", story("under 15", REFUSED))},
    ),
    alone(
        MALE,
        33,
        "tax-undeclared",
        tax_story("has not declared any year", REFUSED),
        replace(EMPTY, means={0: Means(Work.NOTHING, 0, declares=False)}),
    ),
    Scene(
        (Role(HEAD, MALE, 51), Role(WIFE, FEMALE, 49)),
        {
            0: ("taxed", tax_story("taxed, with a dependant")),
            1: ("tax-dependant", tax_story("a dependant who did not declare: a certificate without amounts")),
        },
        means={0: Means(Work.SALARY, 5_480_000, Claims(life_insurance_yen=70_000)), 1: Means(Work.NOTHING, 0)},
    ),
    alone(
        FEMALE,
        80,
        "untaxed",
        tax_story("declared, and below the limit: a non-taxation certificate with amounts"),
        replace(EMPTY, means={0: Means(Work.PENSION, 912_000)}),
    ),
    alone(
        MALE,
        36,
        "newcomer",
        tax_story("moved in after 1 January 2026: another municipality has the tax record", REFUSED),
        replace(EMPTY, edit=_newcomer),
    ),
    alone(
        MALE,
        52,
        "undrawable-name",
        story("a sequence in the name that no font can draw", ErrorCode.GLYPH_NOT_PRINTABLE),
        replace(EMPTY, names=Names(UNDRAWABLE_SURNAME)),
    ),
    alone(
        MALE,
        41,
        "endless-name",
        story("a name longer than the form holds", ErrorCode.FORM_TOO_SMALL),
        replace(EMPTY, foreign=Category.MID_TO_LONG_TERM, edit=with_fields(name=ENDLESS_NAME)),
    ),
    alone(
        FEMALE,
        66,
        "locked-card",
        replace(story("the card's PIN is locked", TerminalCode.PIN_LOCKED), tries_left=0),
    ),
    alone(
        MALE,
        30,
        "expired-certificate",
        replace(story("the certificate has expired", ErrorCode.CARD_CERTIFICATE_EXPIRED), certificate_expired=True),
    ),
    alone(
        MALE,
        77,
        "juki-card",
        replace(story("brings an old 住基カード", TerminalCode.JUKI_CARD), card=CardKind.JUKI),
    ),
    alone(
        FEMALE,
        22,
        "foreign-card",
        replace(story("brings a card of another kind", TerminalCode.NOT_MY_NUMBER_CARD), card=CardKind.FOREIGN),
    ),
    alone(
        MALE,
        83,
        "face-recognition-card",
        replace(story("a card without a PIN", TerminalCode.PIN_LOCKED), card=CardKind.FACE_RECOGNITION),
    ),
    alone(FEMALE, 24, "unlinked", replace(story("the card is linked to nobody yet", REFUSED), linked=False)),
    Scene(
        (Role(HEAD, MALE, 36), Role(WIFE, FEMALE, 35)),
        {
            0: ("hoshimi", story("lives in the other municipality: another fee, other hours")),
            1: ("hoshimi-tax", tax_story("the other municipality offers no tax certificates", ErrorCode.NOT_OFFERED)),
        },
        municipality_code=HOSHIMI,
    ),
)


_CARD_SCENES: Final = (
    alone(
        FEMALE,
        58,
        "lost-card",
        replace(story("the card was reported lost", ErrorCode.CARD_CERTIFICATE_SUSPENDED), standing=Standing.SUSPENDED),
    ),
    alone(
        MALE,
        46,
        "revoked-certificate",
        replace(story("the certificate was revoked", ErrorCode.CARD_CERTIFICATE_REVOKED), standing=Standing.REVOKED),
    ),
)

#: New scenes come at the end: an id never changes.
SCENES: Final = (*_SCENES, *REGISTER_SCENES, *_CARD_SCENES)


def _stories() -> dict[str, Story]:
    """Number the residents of the scenes as `cast` does."""
    found: dict[str, Story] = {}
    before = 0
    for scene in SCENES:
        for at, (key, told) in scene.stories.items():
            found[key] = replace(told, resident_id=f"u-{before + at + 1:06}")
        before += len(scene.shape)
    found["nobody"] = Story(NOBODY_ID, "a good card of somebody in no register here", refusal=REFUSED, linked=False)
    return found


STORIES: Final[Mapping[str, Story]] = _stories()
CAST_SIZE: Final = sum(len(scene.shape) for scene in SCENES)


@dataclass(frozen=True, slots=True)
class CastFamily:
    """One household of the cast, and what its scene says of its members, by resident id."""

    family: Family
    means: Mapping[str, Means] = field(default_factory=dict)
    seals: Mapping[str, SealStory] = field(default_factory=dict)
    in_arrears: frozenset[str] = frozenset()
    registered: bool | None = None
    register_edit: RegisterEdit | None = None


def cast(seed: int, numbers: Numbers) -> tuple[CastFamily, ...]:
    """Return the households of the stories. Shape: numbers has handed out nothing yet."""
    assert numbers.residents == 0
    families = []
    for at, scene in enumerate(SCENES):
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
        ids = [resident.resident_id for resident in family.residents]
        families.append(
            CastFamily(
                family,
                means={ids[at]: means for at, means in scene.means.items()},
                seals={ids[at]: told for at, told in scene.seals.items()},
                in_arrears=frozenset(ids[at] for at in scene.in_arrears),
                registered=scene.registered,
                register_edit=scene.register_edit,
            )
        )
    return tuple(families)
