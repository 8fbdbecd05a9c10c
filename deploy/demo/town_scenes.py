"""What the town's stories are told in: a story of one person, a scene of one household, and how scenes are written."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from deploy.demo.pki import Standing
from deploy.demo.town_foreign import Category
from deploy.demo.town_names import UMIBE
from deploy.demo.town_people import Family, Names, change
from deploy.demo.town_registers import Registered
from deploy.demo.town_seals import SealStory
from deploy.demo.town_shapes import HEAD, Role, Shape
from deploy.demo.town_tax import Means
from deploy.demo.virtual_card import AUTH_TRIES, CardKind
from printing.paper.records import CertificateKind
from protocol.errors import ErrorCode
from protocol.messages import Scope
from terminal.visit import TerminalCode

REFUSED: Final = ErrorCode.NOT_ISSUABLE_HERE


@dataclass(frozen=True, slots=True)
class Story:
    """One person with a story.

    Shape: kind and scope are the order that shows the story; municipality None = where the person lives, or whichever
    offers it; refusal is what it meets, None = it is issued. A refusal by the terminal (the card, the PIN) comes before
    any order.
    """

    resident_id: str
    what: str
    kind: CertificateKind = CertificateKind.RESIDENCE
    scope: Scope = Scope.SELF
    municipality: str | None = None
    refusal: ErrorCode | TerminalCode | None = None
    card: CardKind = CardKind.MY_NUMBER
    tries_left: int = AUTH_TRIES
    certificate_expired: bool = False
    standing: Standing = Standing.GOOD
    linked: bool = True


Edit = Callable[[random.Random, Family], Family]
RegisterEdit = Callable[[Registered], Registered]


@dataclass(frozen=True, slots=True)
class Scene:
    """One household of the cast.

    Shape: stories, means, seals and in_arrears by position in the household; registered: whether those with a domicile
    in the other municipality registered for use there; register_edit: what happened to the family registers.
    """

    shape: Shape
    stories: Mapping[int, tuple[str, Story]]
    means: Mapping[int, Means] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    foreign: Category | None = None
    edit: Edit | None = None
    municipality_code: str = UMIBE
    seals: Mapping[int, SealStory] = field(default_factory=dict)
    in_arrears: tuple[int, ...] = ()
    registered: bool | None = None
    register_edit: RegisterEdit | None = None


def alone(sex: str, age: int, key: str, story: Story, scene: Scene | None = None) -> Scene:
    """A scene of one person; `scene` brings what else it needs."""
    return replace(scene or EMPTY, shape=(Role(HEAD, sex, age),), stories={0: (key, story)})


def story(what: str, refusal: ErrorCode | TerminalCode | None = None) -> Story:
    return Story("", what, refusal=refusal)


def tax_story(what: str, refusal: ErrorCode | None = None) -> Story:
    return Story("", what, kind=CertificateKind.TAXATION, refusal=refusal)


def with_fields(at: int = 0, **changes: object) -> Edit:
    """An edit that replaces one resident's fields."""
    return lambda _rng, family: change(family, at, **changes)


EMPTY: Final = Scene(shape=(), stories={})
