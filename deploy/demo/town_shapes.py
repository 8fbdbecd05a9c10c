"""Shapes of households: who lives together, how old they are, and what they are to the head. Nothing of names here.

The relationship words are those of a residence certificate (住民票の写し). 長男, 長女 and 養子 belong to the family
register and never stand here.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MALE: Final = "男"
FEMALE: Final = "女"
HEAD: Final = "世帯主"
WIFE: Final = "妻"
HUSBAND: Final = "夫"
CHILD: Final = "子"
CHILDS_WIFE: Final = "子の妻"
CHILDS_CHILD: Final = "子の子"
WIFES_CHILD: Final = "妻の子"
FATHER: Final = "父"
MOTHER: Final = "母"
UNREGISTERED_HUSBAND: Final = "夫(未届)"
UNREGISTERED_WIFE: Final = "妻(未届)"
RELATED_PERSON: Final = "縁故者"
LODGER: Final = "同居人"

_FAMILY_WORDS = (HEAD, WIFE, HUSBAND, CHILD, CHILDS_WIFE, CHILDS_CHILD, WIFES_CHILD, FATHER, MOTHER)
_OTHER_WORDS = (UNREGISTERED_HUSBAND, UNREGISTERED_WIFE, RELATED_PERSON, LODGER)
RELATIONSHIPS: Final = frozenset((*_FAMILY_WORDS, *_OTHER_WORDS))
LARGEST: Final = 9


@dataclass(frozen=True, slots=True)
class Role:
    """One place in a household.

    surname and register: members with the same number share a surname, or a family register with its 筆頭者.
    """

    relationship: str
    sex: str
    age: int
    surname: int = 0
    register: int = 0


Shape = tuple[Role, ...]


def single(rng: random.Random) -> Shape:
    """One person alone."""
    return (Role(HEAD, rng.choice((MALE, FEMALE)), rng.randint(19, 92)),)


def couple(rng: random.Random, youngest: int = 24, oldest: int = 88) -> Shape:
    """A married couple; in one household of eight the wife is the head."""
    age = rng.randint(youngest, oldest)
    partner_age = max(19, age + rng.randint(-5, 4))
    if rng.random() < 1 / 8:
        return (Role(HEAD, FEMALE, age), Role(HUSBAND, MALE, partner_age))
    return (Role(HEAD, MALE, age), Role(WIFE, FEMALE, partner_age))


def nuclear(rng: random.Random) -> Shape:
    """A couple with one to five children."""
    parents = couple(rng, 26, 58)
    count = rng.choices((1, 2, 3, 4, 5), weights=(38, 42, 14, 4, 2))[0]
    return parents + _children(rng, CHILD, count, min(role.age for role in parents))


def single_parent(rng: random.Random) -> Shape:
    """A parent with one to three children."""
    head = Role(HEAD, FEMALE if rng.random() < 0.85 else MALE, rng.randint(26, 58))
    return (head, *_children(rng, CHILD, rng.choices((1, 2, 3), weights=(5, 4, 1))[0], head.age))


def three_generations(rng: random.Random) -> Shape:
    """A couple with children and one or two parents of the head."""
    family = nuclear(rng)
    father = Role(FATHER, MALE, family[0].age + rng.randint(24, 34), register=1)
    mother = Role(MOTHER, FEMALE, family[0].age + rng.randint(22, 31), register=1)
    chance = rng.random()
    if chance < 0.3:
        return (*family, father, mother)
    return (*family, mother) if chance < 0.8 else (*family, father)


def extended(rng: random.Random) -> Shape:
    """An older couple with a child, the child's wife, their children, and sometimes the head's mother."""
    head = Role(HEAD, MALE, rng.randint(56, 72))
    wife = Role(WIFE, FEMALE, head.age - rng.randint(0, 4))
    child = Role(CHILD, MALE, wife.age - rng.randint(22, 27), register=1)
    childs_wife = Role(CHILDS_WIFE, FEMALE, max(25, child.age - rng.randint(0, 4)), register=1)
    count = rng.choices((1, 2, 3, 4), weights=(3, 4, 2, 2))[0]
    grandchildren = _children(rng, CHILDS_CHILD, count, childs_wife.age, register=1)
    mother = (Role(MOTHER, FEMALE, head.age + rng.randint(20, 28), register=2),) if rng.random() < 0.4 else ()
    return (head, wife, child, childs_wife, *grandchildren, *mother)


def unregistered(rng: random.Random) -> Shape:
    """A couple whose marriage is not registered; a third have a child of the head."""
    age = rng.randint(24, 70)
    partner_age = max(20, age + rng.randint(-6, 6))
    if rng.random() < 0.3:
        pair = (Role(HEAD, FEMALE, age), Role(UNREGISTERED_HUSBAND, MALE, partner_age, surname=1, register=1))
    else:
        pair = (Role(HEAD, MALE, age), Role(UNREGISTERED_WIFE, FEMALE, partner_age, surname=1, register=1))
    return pair + (_children(rng, CHILD, 1, age) if age < 55 and rng.random() < 1 / 3 else ())


def stepfamily(rng: random.Random) -> Shape:
    """A couple with a child of their own and one of the wife's, who kept the earlier surname and register."""
    head = Role(HEAD, MALE, rng.randint(30, 52))
    wife = Role(WIFE, FEMALE, head.age - rng.randint(0, 3))
    own = Role(CHILD, rng.choice((MALE, FEMALE)), rng.randint(0, 5))
    wifes = Role(WIFES_CHILD, rng.choice((MALE, FEMALE)), min(18, wife.age - 20), surname=1, register=1)
    return (head, wife, own, wifes)


def sharers(rng: random.Random) -> Shape:
    """People who share a house: a related person or lodgers."""
    word = rng.choice((RELATED_PERSON, LODGER))
    head = Role(HEAD, rng.choice((MALE, FEMALE)), rng.randint(22, 75))
    others = (
        Role(word, rng.choice((MALE, FEMALE)), rng.randint(19, 70), surname=number, register=number)
        for number in range(1, rng.randint(1, 3) + 1)
    )
    return (head, *others)


_SHAPES: Final[tuple[tuple[int, Callable[[random.Random], Shape]], ...]] = (
    (30, single),
    (20, couple),
    (28, nuclear),
    (7, single_parent),
    (5, three_generations),
    (4, extended),
    (2, unregistered),
    (2, stepfamily),
    (2, sharers),
)


def draw_shape(rng: random.Random) -> Shape:
    """Draw one household's shape."""
    shape = rng.choices(_SHAPES, weights=[weight for weight, _ in _SHAPES])[0][1](rng)
    return shape[:LARGEST]


def _children(rng: random.Random, relationship: str, count: int, mother_age: int, register: int = 0) -> Shape:
    """Children, eldest first, none born before their mother was 18 or after she was 44; they leave home at 27."""
    youngest, oldest = max(0, mother_age - 44), max(0, min(27, mother_age - 18))
    ages = sorted((rng.randint(min(youngest, oldest), oldest) for _ in range(count)), reverse=True)
    return tuple(Role(relationship, rng.choice((MALE, FEMALE)), age, register=register) for age in ages)
