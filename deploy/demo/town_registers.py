"""Family registers (戸籍) and their supplements (附票) of the town, made from its households. All of it is invented.

A household's members with one domicile and one 筆頭者 stand in one register, with those who belong there but live
elsewhere: parents of who is unmarried, a child who married. Only registers of the town's own municipalities are made.
Dates and words are such as a register has; no matter in it ever happened.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import msgspec

from deploy.demo import town_names
from deploy.demo.town_names import SPACE, TOWNS
from deploy.demo.town_people import AS_OF, Family
from deploy.demo.town_shapes import CHILD, CHILDS_CHILD, CHILDS_WIFE, FATHER, FEMALE, HEAD, HUSBAND, MALE, MOTHER, WIFE
from issuance_server.register.records import (
    FamilyRegisterRecord,
    PastAddress,
    RegisterEntry,
    RegisterHolder,
    RegisterMatter,
    Resident,
    SupplementaryEntry,
    SupplementaryRecord,
)
from printing.paper.certificates.supplementary_register import SEX_SINCE
from printing.paper.era import era_date

_COUPLES: Final = ((HEAD, WIFE), (HUSBAND, HEAD), (FATHER, MOTHER), (CHILD, CHILDS_WIFE))  # husband first
_CHILDREN: Final = frozenset((CHILD, CHILDS_CHILD))
_COUNTED: Final = "長二三四五六七八九"
_REGISTERED_SHARE: Final = 0.6  # of those whose domicile is in the other municipality: known there by registration
_MARRIED_OUT_SHARE: Final = 0.25
_MARRIED_OUT_FROM_AGE: Final = 52


@dataclass(frozen=True, slots=True)
class Registered:
    """One family register with its supplement, at the municipality that keeps it.

    Shape: holders are whom a card may be linked to here; registrations: resident id -> person id here, of those who
    live in the other municipality and registered for use.
    """

    municipality_code: str
    register: FamilyRegisterRecord
    supplementary: SupplementaryRecord
    holders: tuple[RegisterHolder, ...]
    registrations: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """One person on the way into a register."""

    entry: RegisterEntry
    sex: str
    addresses: tuple[PastAddress, ...]
    removed_on: date | None = None


@dataclass(frozen=True, slots=True)
class _Group:
    """The members of a household who stand in one register, and the married couple among them, if there is one."""

    code: str
    domicile: str
    head: str
    members: tuple[Resident, ...]
    husband: Resident | None
    wife: Resident | None
    married_on: date | None

    @property
    def surname(self) -> str:
        """The register's surname."""
        return self.head.split(SPACE)[0]

    @property
    def children(self) -> tuple[Resident, ...]:
        """The couple's, or the parent's, children, eldest first."""
        adults = (self.husband, self.wife)
        found = (one for one in self.members if one.relationship in _CHILDREN and one not in adults)
        return tuple(sorted(found, key=lambda one: one.born_on))


def registers(rng: random.Random, family: Family, *, registered: bool | None = None) -> tuple[Registered, ...]:
    """Return the family registers of one household's members, as far as the town's municipalities keep them.

    Shape: registered says whether those who live elsewhere registered for use; None = it is drawn.
    """
    return tuple(_register(rng, family, group, registered=registered) for group in _groups(rng, family))


def _groups(rng: random.Random, family: Family) -> Iterable[_Group]:
    domiciles = dict.fromkeys((one.domicile, one.domicile_head) for one in family.residents)
    for domicile, head in domiciles:
        code = next((code for code, name in TOWNS.items() if (domicile or "").startswith(name)), None)
        if code is None or domicile is None or head is None:
            continue
        members = tuple(
            one
            for one in family.residents
            if (one.domicile, one.domicile_head) == (domicile, head)
            and one.name.split(SPACE)[0] == head.split(SPACE)[0]
        )
        husband, wife = _couple(family, members)
        married_on = _married_on(rng, husband, wife, members) if husband and wife else None
        if members:
            yield _Group(code, domicile, head, members, husband, wife, married_on)


def _couple(family: Family, members: tuple[Resident, ...]) -> tuple[Resident | None, Resident | None]:
    """Find husband and wife; a foreign one of them stands in no register, but is the other's spouse all the same."""
    for words in _COUPLES:
        pair = [next((one for one in family.residents if one.relationship == word), None) for word in words]
        husband, wife = pair
        if husband is None or wife is None or (husband not in members and wife not in members):
            continue
        if all(one in members or one.foreign is not None for one in (husband, wife)):
            return husband, wife
    return None, None


def _married_on(rng: random.Random, husband: Resident, wife: Resident, members: tuple[Resident, ...]) -> date:
    of_age = max(_years_after(one.born_on, 18) for one in (husband, wife))
    children = [one.born_on for one in members if one.relationship in _CHILDREN and one not in {husband, wife}]
    latest = min((*children, AS_OF, of_age + timedelta(days=4_000)))
    return of_age + timedelta(days=rng.randint(0, max(0, (latest - of_age).days)))


def _register(rng: random.Random, family: Family, group: _Group, *, registered: bool | None) -> Registered:
    elsewhere = group.code != family.municipality_code
    ids = {one.resident_id: _id_at(one, elsewhere=elsewhere) for one in group.members}
    lines = _lines(rng, family, group, ids)
    register_id = f"k-{group.members[0].resident_id[2:]}"
    drawn = rng.random() < _REGISTERED_SHARE
    known = not elsewhere or (drawn if registered is None else registered)
    return Registered(
        municipality_code=group.code,
        register=FamilyRegisterRecord(
            register_id=register_id,
            domicile=group.domicile,
            surname=group.surname,
            head_given_name=_given(group.head),
            matters=(_matter("戸籍編製", ("編製日", era_date(_founded_on(group)))),),
            people=tuple(line.entry for line in lines),
        ),
        supplementary=SupplementaryRecord(
            register_id=register_id, people=tuple(_supplementary(group, line) for line in lines)
        ),
        holders=tuple(
            RegisterHolder(person_id=ids[one.resident_id], register_id=register_id, name=one.name, born_on=one.born_on)
            for one in group.members
            if known
        ),
        registrations=tuple(ids.items()) if known and elsewhere else (),
    )


def _id_at(resident: Resident, *, elsewhere: bool) -> str:
    """A resident has the same id in the register of the municipality of residence, and another one anywhere else."""
    return f"d-{resident.resident_id[2:]}" if elsewhere else resident.resident_id


def _lines(rng: random.Random, family: Family, group: _Group, ids: dict[str, str]) -> list[_Line]:
    """Head first, then the spouse, then the children by birth; the parents first of who is still with them."""
    if all(one.name != group.head for one in group.members):
        parents = _invented_parents(rng, group)
        names = [f"{group.surname}{SPACE}{parent.entry.given_name}" for parent in parents]
        pair = (names[0], names[1])
        return [*parents, *(_line(family, one, ids, pair, _nth(one, group.members)) for one in group.members)]
    children = group.children
    adults = sorted(
        (one for one in group.members if one not in children), key=lambda one: (one.name != group.head, one.born_on)
    )
    lines = [_adult(rng, family, group, one, ids) for one in adults]
    both = (_name(group.husband) or _parent(adults, MALE), _name(group.wife) or _parent(adults, FEMALE))
    grown_up = [_line(family, one, ids, both, _nth(one, children)) for one in children]
    married_out = _married_out(rng, group, both)
    if married_out is not None:
        grown_up = sorted((*grown_up, married_out), key=lambda line: line.entry.born_on)
    return lines + grown_up


def _adult(rng: random.Random, family: Family, group: _Group, one: Resident, ids: dict[str, str]) -> _Line:
    """Somebody whose parents stand in another register; a wife's or husband's there had another name."""
    married = one in {group.husband, group.wife}
    took_the_name = married and one.name != group.head
    surname = town_names.surname(rng).text if took_the_name else group.surname
    parents = tuple(f"{surname}{SPACE}{town_names.given_name(rng, sex, ()).text}" for sex in (MALE, FEMALE))
    line = _line(family, one, ids, (parents[0], parents[1]), rng.choice(_COUNTED[:3]) + one.sex)
    if not married or group.married_on is None:
        return line
    partner = group.wife if one is group.husband else group.husband
    assert partner is not None
    marriage = _matter(
        "婚姻",
        ("婚姻日", era_date(group.married_on)),
        ("配偶者氏名", partner.name),
        ("従前戸籍", f"{town_names.address_elsewhere(rng)} {parents[0]}"),
    )
    entry = msgspec.structs.replace(
        line.entry, spouse="夫" if one is group.husband else "妻", matters=(*line.entry.matters, marriage)
    )
    return replace(line, entry=entry)


def _line(
    family: Family, one: Resident, ids: dict[str, str], parents: tuple[str | None, str | None], relationship: str
) -> _Line:
    """Somebody of the household; who died is removed."""
    matters = [_birth(one.born_on, family.municipality_code)]
    if one.died_on is not None:
        matters.append(_matter("死亡", ("死亡日", era_date(one.died_on)), ("届出人", "親族")))
    entry = RegisterEntry(
        person_id=ids[one.resident_id],
        given_name=_given(one.name),
        born_on=one.born_on,
        father=parents[0],
        mother=parents[1],
        relationship=relationship,
        removed=one.died_on is not None,
        matters=tuple(matters),
    )
    earlier = one.previous_address or one.moved_in_from
    addresses = [PastAddress(address=earlier, since=None)] if earlier is not None else []
    addresses.append(PastAddress(address=family.household.address, since=one.address_since))
    return _Line(entry, one.sex, tuple(addresses), one.died_on)


def _invented_parents(rng: random.Random, group: _Group) -> tuple[_Line, _Line]:
    """Father, who heads the register, and mother, of somebody who is not married; they live elsewhere."""
    eldest = group.members[0].born_on
    married_on = eldest - timedelta(days=rng.randint(300, 2_000))
    number = group.members[0].resident_id[2:]
    address = PastAddress(address=town_names.address_elsewhere(rng), since=married_on)
    givens = (_given(group.head), town_names.given_name(rng, FEMALE, ()).text)
    lines = []
    for at, (given, sex) in enumerate(zip(givens, (MALE, FEMALE), strict=True)):
        born_on = married_on - timedelta(days=rng.randint(20 * 366, 32 * 366))
        surname = group.surname if sex == MALE else town_names.surname(rng).text
        own_parents = [f"{surname}{SPACE}{town_names.given_name(rng, of, ()).text}" for of in (MALE, FEMALE)]
        marriage = _matter(
            "婚姻", ("婚姻日", era_date(married_on)), ("配偶者氏名", f"{group.surname}{SPACE}{givens[1 - at]}")
        )
        entry = RegisterEntry(
            person_id=f"x-{number}-{at + 1}",
            given_name=given,
            born_on=born_on,
            spouse="夫" if sex == MALE else "妻",
            father=own_parents[0],
            mother=own_parents[1],
            relationship=rng.choice(_COUNTED[:3]) + sex,
            matters=(_birth(born_on, group.code), marriage),
        )
        lines.append(_Line(entry, sex, (address,)))
    return lines[0], lines[1]


def _married_out(rng: random.Random, group: _Group, parents: tuple[str | None, str | None]) -> _Line | None:
    """A grown-up daughter of an older couple who married: removed, and still on the register's paper."""
    chance = rng.random()
    young = group.wife is None or _years_after(group.wife.born_on, _MARRIED_OUT_FROM_AGE) > AS_OF
    if young or group.married_on is None or chance > _MARRIED_OUT_SHARE:
        return None
    assert group.wife is not None
    born_on = _years_after(group.wife.born_on, 22) + timedelta(days=rng.randint(0, 900))
    removed_on = min(_years_after(born_on, 23) + timedelta(days=rng.randint(0, 2_000)), AS_OF)
    names = {one.name for one in group.members}
    givens = [town_names.given_name(rng, FEMALE, ()).text for _ in range(20)]
    given = next(given for given in givens if f"{group.surname}{SPACE}{given}" not in names)
    partner = f"{town_names.surname(rng).text}{SPACE}{town_names.given_name(rng, MALE, ()).text}"
    marriage = _matter(
        "婚姻",
        ("婚姻日", era_date(removed_on)),
        ("配偶者氏名", partner),
        ("新本籍", town_names.address_elsewhere(rng)),
        ("称する氏", "夫の氏"),
    )
    entry = RegisterEntry(
        person_id=f"x-{group.members[0].resident_id[2:]}-3",
        given_name=given,
        born_on=born_on,
        father=parents[0],
        mother=parents[1],
        relationship=_COUNTED[0] + FEMALE,
        removed=True,
        matters=(_birth(born_on, group.code), marriage),
    )
    return _Line(entry, FEMALE, (PastAddress(address=town_names.address_elsewhere(rng), since=removed_on),), removed_on)


def _supplementary(group: _Group, line: _Line) -> SupplementaryEntry:
    return SupplementaryEntry(
        person_id=line.entry.person_id,
        name=f"{group.surname}{SPACE}{line.entry.given_name}",
        born_on=line.entry.born_on,
        sex=line.sex if line.removed_on is None or line.removed_on >= SEX_SINCE else None,
        removed_on=line.removed_on,
        addresses=line.addresses,
    )


def _founded_on(group: _Group) -> date:
    return group.married_on or _years_after(min(one.born_on for one in group.members), 0)


def _nth(one: Resident, siblings: Iterable[Resident]) -> str:
    """長男, 二女 ...: counted among those of the same sex."""
    same = sorted((other for other in siblings if other.sex == one.sex), key=lambda other: other.born_on)
    return _COUNTED[same.index(one)] + one.sex


def _birth(born_on: date, code: str) -> RegisterMatter:
    notified_on = min(born_on + timedelta(days=7), AS_OF)
    place = TOWNS[code]
    return _matter(
        "出生", ("出生日", era_date(born_on)), ("出生地", place), ("届出日", era_date(notified_on)), ("届出人", "父")
    )


def _matter(title: str, *entries: tuple[str, str]) -> RegisterMatter:
    return RegisterMatter(title=title, entries=entries)


def _name(one: Resident | None) -> str | None:
    return None if one is None else one.name


def _parent(adults: Iterable[Resident], sex: str) -> str | None:
    return next((one.name for one in adults if one.sex == sex), None)


def _given(name: str) -> str:
    return name.split(SPACE, 1)[1]


def _years_after(day: date, years: int) -> date:
    return day + timedelta(days=round(years * 365.25))
