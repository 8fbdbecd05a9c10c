"""Residents and households of the town: shapes made into register records with names, dates and domiciles.

Every value follows from the random.Random that is passed in; there is no clock. The Individual Numbers (個人番号) have
right check digits and are invented. No range is documented as never assigned, so a number of the town could equal
somebody's by chance; all of the town's begin with 9900, so that a reader knows them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, TypeVar

import msgspec

from deploy.demo import town_foreign, town_names
from deploy.demo.check_digits import individual_number_check_digit
from deploy.demo.town_foreign import Category, ForeignName
from deploy.demo.town_names import Part
from deploy.demo.town_shapes import HEAD, HUSBAND, MALE, WIFE, Role, Shape
from issuance_server.register.records import Household, RegisterRecord, Resident
from printing.paper.era import era_date

AS_OF: Final = date(2026, 9, 30)
"""The town's last day: nobody in it was born, moved in or was notified of later."""

_Record = TypeVar("_Record", bound=RegisterRecord)
_INDIVIDUAL_NUMBER_PREFIX: Final = "9900"
_SCATTER: Final = 7_368_787  # coprime with 10**7: neighbours get numbers far apart, and no two the same


@dataclass(frozen=True, slots=True)
class Family:
    """One household with its residents, at one municipality. Shape: residents in printed order, head first."""

    municipality_code: str
    household: Household
    residents: tuple[Resident, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """What a story prescribes instead of drawing it: the surname of group 0, the given names in printed order."""

    surname: Part | None = None
    givens: tuple[Part, ...] = ()


class Numbers:
    """Hands out the ids of a town, in order. They say nothing of a person."""

    def __init__(self, seed: int) -> None:
        self._offset = random.Random(f"town:{seed}:individual-numbers").randrange(10**7)
        self._residents = 0
        self._households = 0

    @property
    def residents(self) -> int:
        """How many residents have an id so far."""
        return self._residents

    def next_resident(self) -> tuple[str, str]:
        """Return the next resident id and that resident's Individual Number."""
        self._residents += 1
        scattered = (self._residents * _SCATTER + self._offset) % 10**7
        eleven = f"{_INDIVIDUAL_NUMBER_PREFIX}{scattered:07}"
        return f"u-{self._residents:06}", f"{eleven}{individual_number_check_digit(eleven)}"

    def next_household(self) -> str:
        """Return the next household id."""
        self._households += 1
        return f"h-{self._households:06}"


@dataclass(frozen=True, slots=True)
class _Home:
    """What the members of one household have in common."""

    code: str
    household_id: str
    address: str
    since: date
    became_resident_on: date
    moved_in_from: str | None
    previous_address: str | None


def make_family(
    rng: random.Random,
    numbers: Numbers,
    municipality_code: str,
    shape: Shape,
    names: Names | None = None,
    *,
    settled_days: int = 60,
) -> Family:
    """Return a household of Japanese nationals of this shape, at its address for settled_days at least."""
    names = names or Names()
    home = _home(rng, numbers, municipality_code, shape, settled_days)
    surnames = {0: names.surname or town_names.surname(rng)}
    domiciles: dict[int, tuple[str, str]] = {}
    taken: set[Part] = set()
    residents = []
    for at, role in enumerate(shape):
        family_name = surnames.setdefault(role.surname, town_names.surname(rng))
        given = names.givens[at] if at < len(names.givens) else town_names.given_name(rng, role.sex, taken)
        taken.add(given)
        name = town_names.full_name(family_name, given)
        if role.register not in domiciles:
            first = _register_head(rng, shape, role, name, family_name)
            domiciles[role.register] = (town_names.domicile(rng, municipality_code), first)
        domicile, domicile_head = domiciles[role.register]
        residents.append(
            _with(
                _resident(rng, numbers, home, role),
                name=name.text,
                name_reading=name.reading,
                domicile=domicile,
                domicile_head=domicile_head,
                **_former_surname(rng, role),
            )
        )
    return _family(home, _husband_heads_register(shape, residents))


def make_foreign_family(
    rng: random.Random,
    numbers: Numbers,
    municipality_code: str,
    shape: Shape,
    category: Category,
    *,
    settled_days: int = 60,
) -> Family:
    """Return a household of foreign residents, all of one category and from one country; as make_family."""
    home = _home(rng, numbers, municipality_code, shape, settled_days)
    origin = town_foreign.origin(rng, category)
    surname = town_foreign.surname_index(rng, origin)
    residents: list[Resident] = []
    for role in shape:
        status = "家族滞在" if category is Category.MID_TO_LONG_TERM and role.relationship != HEAD else None
        name = town_foreign.name(rng, origin, surname, role.sex, {other.name for other in residents})
        residents.append(_foreign(rng, _resident(rng, numbers, home, role), category, name, status))
    return _family(home, residents)


def with_foreign_spouse(rng: random.Random, family: Family) -> Family:
    """Return the household with its wife or husband a foreign resident; where there is none, as it is."""
    spouses = {resident.name for resident in family.residents if resident.relationship in (WIFE, HUSBAND)}
    residents = []
    for resident in family.residents:
        if resident.relationship in (WIFE, HUSBAND):
            origin = town_foreign.origin(rng, Category.MID_TO_LONG_TERM)
            name = town_foreign.name(rng, origin, town_foreign.surname_index(rng, origin), resident.sex, ())
            residents.append(_foreign(rng, resident, Category.MID_TO_LONG_TERM, name, "日本人の配偶者等"))
        elif resident.domicile_head in spouses:  # a foreigner stands in no family register: the Japanese one heads it
            residents.append(_with(resident, domicile_head=family.household.head_name))
        else:
            residents.append(resident)
    return Family(family.municipality_code, family.household, tuple(residents))


def with_alias(rng: random.Random, family: Family) -> Family:
    """Return the household with an alias (通称) for each foreign resident, entered on the day of the move in."""
    residents = []
    for resident in family.residents:
        if resident.foreign is not None:
            assert resident.notified_on is not None
            alias = town_foreign.alias(rng, resident.sex)
            town_name = town_names.TOWNS[family.municipality_code]
            entry = f"{alias} {era_date(resident.notified_on)} {town_name}にて記載"
            foreign = _with(resident.foreign, alias=alias, alias_history=(entry,))
            residents.append(_with(resident, foreign=foreign))
        else:
            residents.append(resident)
    return Family(family.municipality_code, family.household, tuple(residents))


def change(family: Family, at: int, **changes: Any) -> Family:
    """Return the household with one resident's fields replaced; the head's name follows."""
    residents = list(family.residents)
    residents[at] = _with(residents[at], **changes)
    household = _with(family.household, head_name=residents[0].name)
    return Family(family.municipality_code, household, tuple(residents))


def _family(home: _Home, residents: list[Resident]) -> Family:
    household = Household(
        household_id=home.household_id,
        address=home.address,
        head_name=residents[0].name,
        member_ids=tuple(resident.resident_id for resident in residents),
    )
    return Family(home.code, household, tuple(residents))


def _home(rng: random.Random, numbers: Numbers, code: str, shape: Shape, settled_days: int) -> _Home:
    """Draw where and since when; half of the households came from elsewhere, the rest from another street."""
    longest_days = max(settled_days + 30, min(11_000, shape[0].age * 365 - 6_500))
    since = AS_OF - timedelta(days=rng.randint(settled_days, longest_days))
    came_from_elsewhere = rng.random() < 0.5
    earlier = since if came_from_elsewhere else since - timedelta(days=rng.randint(200, 6_000))
    return _Home(
        code=code,
        household_id=numbers.next_household(),
        address=town_names.address(rng, code),
        since=since,
        became_resident_on=earlier,
        moved_in_from=town_names.address_elsewhere(rng),
        previous_address=None if came_from_elsewhere else town_names.address(rng, code),
    )


def _resident(rng: random.Random, numbers: Numbers, home: _Home, role: Role) -> Resident:
    """Draw the dates of one member: born here, moved here within the town, or come with the household."""
    resident_id, individual_number = numbers.next_resident()
    born_on = _years_before(AS_OF, role.age) - timedelta(days=rng.randint(0, 364))
    notified_on = timedelta(days=rng.randint(0, 13))
    became = max(home.became_resident_on, born_on)
    since = max(home.since, born_on)
    return Resident(
        resident_id=resident_id,
        household_id=home.household_id,
        name="",
        born_on=born_on,
        sex=role.sex,
        relationship=role.relationship,
        became_resident_on=became,
        address_since=since,
        notified_on=min(since + notified_on, AS_OF),
        moved_in_from=None if became == born_on else home.moved_in_from,
        previous_address=None if since == born_on else home.previous_address,
        individual_number=individual_number,
    )


def _foreign(
    rng: random.Random,
    resident: Resident,
    category: Category,
    name: ForeignName,
    status: str | None,
) -> Resident:
    """Return the resident as a foreign one: Latin name, no domicile, no reading, no 住民となった年月日."""
    assert resident.became_resident_on is not None
    record = town_foreign.record(
        rng,
        category=category,
        name=name,
        came_on=resident.became_resident_on,
        as_of=AS_OF,
        status=status,
    )
    return _with(
        resident,
        name=name.latin,
        name_reading=None,
        former_surname=None,
        former_surname_reading=None,
        domicile=None,
        domicile_head=None,
        became_resident_on=None,
        foreign=record,
    )


def _register_head(rng: random.Random, shape: Shape, role: Role, name: Part, family_name: Part) -> str:
    """Return the 筆頭者 of a register whose first member in the household is this one."""
    unmarried = role.relationship == HEAD and all(other.register != role.register for other in shape[1:])
    if unmarried and rng.random() < 0.6:  # still in the parents' register
        return town_names.full_name(family_name, town_names.given_name(rng, MALE, ())).text
    return name.text


def _husband_heads_register(shape: Shape, residents: list[Resident]) -> list[Resident]:
    """Where the wife is the head of household, the register is still headed by the husband, whose name they took."""
    husband = next((at for at, role in enumerate(shape) if role.relationship == HUSBAND), None)
    if husband is None:
        return residents
    return [
        _with(resident, domicile_head=residents[husband].name) if role.register == 0 else resident
        for role, resident in zip(shape, residents, strict=True)
    ]


def _former_surname(rng: random.Random, role: Role) -> dict[str, str]:
    """Record a former surname (旧氏) for one wife in ten and one husband in fifty."""
    share = {WIFE: 0.1, HUSBAND: 0.02}.get(role.relationship, 0.0)
    if rng.random() >= share:
        return {}
    former = town_names.surname(rng)
    return {"former_surname": former.text, "former_surname_reading": former.reading}


def _years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years)


def _with(record: _Record, **changes: Any) -> _Record:
    return msgspec.structs.replace(record, **changes)
