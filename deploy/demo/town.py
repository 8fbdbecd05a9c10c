"""A whole town, invented from a seed: two municipalities, their people, households, registers, taxes, seals, links.

The same seed and size give the same records in any process, on any day. Nothing in it belongs to anybody: names,
addresses, numbers and cards are made up, and both municipalities are marked as specimens.

    python -m deploy.demo.town --residents 2000 --seed 1
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

import click
from sqlalchemy import Engine

from deploy.demo import town_foreign
from deploy.demo.pki import Standing, serial_of
from deploy.demo.town_foreign import Category
from deploy.demo.town_names import HOSHIMI, UMIBE
from deploy.demo.town_people import Family, Numbers, make_family, make_foreign_family, with_alias, with_foreign_spouse
from deploy.demo.town_registers import Registered, registers
from deploy.demo.town_scenes import Story
from deploy.demo.town_seals import seals
from deploy.demo.town_settings import MUNICIPALITIES
from deploy.demo.town_shapes import draw_shape
from deploy.demo.town_stories import CAST_SIZE, SAMPLE, STORIES, CastFamily, cast
from deploy.demo.town_tax import tax_records
from deploy.demo.town_tax_payments import tax_payments
from deploy.demo.virtual_card import AUTH_TRIES, CardKind
from issuance_server import database
from issuance_server.register.records import (
    Household,
    RegisterRecord,
    Resident,
    SealRecord,
    TaxPaymentRecord,
    TaxRecord,
)
from issuance_server.register.store import Link, RegisterStore
from issuance_server.settings import MunicipalitySettings
from issuance_server.settings_store import SettingsStore
from issuance_server.vault import Vault

DEFAULT_RESIDENTS: Final = 2_000
SMALLEST: Final = 100  # the stories and a few neighbours
PIN: Final = "1234"  # of every card in the town

_UMIBE_SHARE: Final = 0.7
_FOREIGN_SHARE: Final = 0.06
_MIXED_SHARE: Final = 0.03
_ALIAS_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Registration:
    """As whom a municipality knows somebody who lives elsewhere."""

    municipality_code: str
    person_id: str


@dataclass(frozen=True, slots=True)
class Town:
    """Everything there is in the town, as plain values.

    Shape: residents, seals and links are by resident id, households by household id; municipality_of has both kinds
    of ids. links gives the serial of a resident's authentication certificate. registrations: by resident id, as whom
    the municipality of the registered domicile knows somebody who lives in the other one.
    """

    seed: int
    municipalities: tuple[MunicipalitySettings, ...]
    municipality_of: Mapping[str, str]
    residents: Mapping[str, Resident]
    households: Mapping[str, Household]
    tax: tuple[TaxRecord, ...]
    tax_payments: tuple[TaxPaymentRecord, ...]
    registers: tuple[Registered, ...]
    registrations: Mapping[str, Registration]
    seals: Mapping[str, SealRecord]
    links: Mapping[str, int]
    stories: Mapping[str, Story]


def build_people(seed: int, residents: int = DEFAULT_RESIDENTS) -> Town:
    """Return the town of this seed and size; the households of the stories are the same people at every size.

    Errors: ValueError if residents is less than SMALLEST.
    """
    if residents < SMALLEST:
        raise ValueError(f"residents: a town has at least {SMALLEST}, because of the {CAST_SIZE} in its stories")
    numbers = Numbers(seed)
    scenes = list(cast(seed, numbers))
    while (left := residents - numbers.residents) > 0:
        family = _draw_family(random.Random(f"town:{seed}:household:{len(scenes)}"), numbers, left)
        scenes.append(CastFamily(family))
    return _town(seed, scenes)


def write(
    town: Town,
    engine: Engine,
    vault: Vault,
    register: RegisterStore,
    settings: SettingsStore,
    *,
    issuer_key_sha256: bytes,
    received_at_utc: datetime,
) -> None:
    """Fill an empty database's settings, register and links with the town, in one transaction.

    Shape:  issuer_key_sha256 as deploy.demo.pki.issuer_key_sha256 gives it for the authentication CA.
    Errors: IntegrityError if the town is in the database already.
    """
    records = _records_by_municipality(town)
    links = [
        Link(code, vault.link_digest(code, issuer_key_sha256, serial), resident_id)
        for resident_id, serial in town.links.items()
        for code in (town.municipality_of[resident_id],)
    ]
    for resident_id, known in town.registrations.items():
        if resident_id in town.links:
            digest = vault.link_digest(known.municipality_code, issuer_key_sha256, town.links[resident_id])
            links.append(Link(known.municipality_code, digest, known.person_id))
    with database.write(engine) as connection:
        for decided in town.municipalities:
            settings.put(connection, decided)
            register.put(connection, decided.municipality_code, records[decided.municipality_code])
            register.feed_received(connection, decided.municipality_code, received_at_utc)
        register.add_links(connection, links)


def directory(town: Town) -> dict[str, object]:
    """Return the town's phone book for the dock and the visits, ready for JSON: who is there and with which card."""
    story_of = {story.resident_id: (key, story) for key, story in town.stories.items()}
    register_of = {
        holder.person_id: [entry.person_id for entry in told.register.people if not entry.removed]
        for told in town.registers
        for holder in told.holders
    }
    entries: dict[str, object] = {}
    for resident_id, resident in town.residents.items():
        household = town.households[resident.household_id]
        known = town.registrations.get(resident_id)
        entries[resident_id] = {
            "name": resident.name,
            "municipality": town.municipality_of[resident_id],
            "household": list(household.member_ids),
            "register": register_of.get(resident_id if known is None else known.person_id, []),
            "registration": None if known is None else [known.municipality_code, known.person_id],
            **_card(resident_id, town, *story_of.get(resident_id, (None, None))),
        }
    nobody = town.stories["nobody"]
    entries[nobody.resident_id] = {
        "name": "",
        "municipality": None,
        "household": [],
        "register": [],
        "registration": None,
        **_card(nobody.resident_id, town, "nobody", nobody),
    }
    return {"seed": town.seed, "sample": town.stories[SAMPLE].resident_id, "residents": entries}


def _card(resident_id: str, town: Town, key: str | None, story: Story | None) -> dict[str, object]:
    return {
        "story": key,
        "what": story.what if story else None,
        "kind": story.kind if story else None,
        "scope": story.scope if story else None,
        "document_of": story.municipality if story else None,
        "refusal": story.refusal if story else None,
        "card": story.card if story else CardKind.MY_NUMBER,
        "pin": PIN,
        "tries_left": story.tries_left if story else AUTH_TRIES,
        "certificate_expired": story.certificate_expired if story else False,
        "standing": story.standing if story else Standing.GOOD,
        "linked": resident_id in town.links,
    }


def _draw_family(rng: random.Random, numbers: Numbers, left: int) -> Family:
    """Draw an ordinary household of at most `left` members."""
    code = UMIBE if rng.random() < _UMIBE_SHARE else HOSHIMI
    shape = draw_shape(rng)[:left]
    chance = rng.random()
    if chance < _FOREIGN_SHARE:
        category = rng.choices((Category.MID_TO_LONG_TERM, Category.SPECIAL_PERMANENT), weights=(9, 1))[0]
        family = make_foreign_family(rng, numbers, code, shape[: town_foreign.LARGEST], category)
        special = category is Category.SPECIAL_PERMANENT
        return with_alias(rng, family) if special or rng.random() < _ALIAS_SHARE else family
    family = make_family(rng, numbers, code, shape)
    return with_foreign_spouse(rng, family) if chance > 1 - _MIXED_SHARE else family


def _rng(seed: int, what: str, family: Family) -> random.Random:
    """What is drawn for one household does not depend on any other."""
    return random.Random(f"town:{seed}:{what}:{family.household.household_id}")


def _tax(seed: int, scene: CastFamily) -> tuple[TaxRecord, ...]:
    """Return a household's tax records; a municipality without tax certificates sends none."""
    if scene.family.municipality_code != UMIBE:
        return ()
    return tax_records(_rng(seed, "tax", scene.family), scene.family, scene.means)


def _registers(seed: int, scene: CastFamily) -> tuple[Registered, ...]:
    made = registers(_rng(seed, "registers", scene.family), scene.family, registered=scene.registered)
    return made if scene.register_edit is None else tuple(scene.register_edit(told) for told in made)


def _town(seed: int, scenes: list[CastFamily]) -> Town:
    families = [scene.family for scene in scenes]
    residents = {resident.resident_id: resident for family in families for resident in family.residents}
    households = {family.household.household_id: family.household for family in families}
    municipality_of = {
        record_id: family.municipality_code
        for family in families
        for record_id in (family.household.household_id, *(resident.resident_id for resident in family.residents))
    }
    unlinked = {story.resident_id for story in STORIES.values() if not story.linked}
    taxes = [(scene, _tax(seed, scene)) for scene in scenes]
    told = tuple(chain.from_iterable(_registers(seed, scene) for scene in scenes))
    drawn = chain.from_iterable(seals(_rng(seed, "seals", scene.family), scene.family, scene.seals) for scene in scenes)
    return Town(
        seed=seed,
        municipalities=MUNICIPALITIES,
        municipality_of=municipality_of,
        residents=residents,
        households=households,
        tax=tuple(chain.from_iterable(records for _scene, records in taxes)),
        tax_payments=tuple(
            chain.from_iterable(
                tax_payments(_rng(seed, "tax-payments", scene.family), records, scene.in_arrears)
                for scene, records in taxes
            )
        ),
        registers=told,
        registrations={
            resident_id: Registration(register.municipality_code, person_id)
            for register in told
            for resident_id, person_id in register.registrations
        },
        seals={seal.resident_id: seal for seal in drawn},
        links={resident_id: serial_of(seed, resident_id) for resident_id in residents if resident_id not in unlinked},
        stories=STORIES,
    )


def _records_by_municipality(town: Town) -> dict[str, list[RegisterRecord]]:
    records: dict[str, list[RegisterRecord]] = {decided.municipality_code: [] for decided in town.municipalities}
    for household in town.households.values():
        records[town.municipality_of[household.household_id]].append(household)
    personal: tuple[Resident | TaxRecord | TaxPaymentRecord | SealRecord, ...] = (
        *town.residents.values(),
        *town.tax,
        *town.tax_payments,
        *town.seals.values(),
    )
    for record in personal:
        records[town.municipality_of[record.resident_id]].append(record)
    for told in town.registers:
        records[told.municipality_code] += [told.register, told.supplementary, *told.holders]
    return records


@click.command()
@click.option("--residents", default=DEFAULT_RESIDENTS, show_default=True, type=click.IntRange(min=SMALLEST))
@click.option("--seed", default=1, show_default=True)
def main(residents: int, seed: int) -> None:
    """Print what is in the town of a seed: counts and stories. Example: --residents 100 --seed 7."""
    town = build_people(seed, residents)
    sizes = Counter(len(household.member_ids) for household in town.households.values())
    foreign = Counter(r.foreign.category for r in town.residents.values() if r.foreign is not None)
    click.echo(f"residents   {len(town.residents)}")
    click.echo(f"households  {len(town.households)}, by size {dict(sorted(sizes.items()))}")
    click.echo(f"foreign     {sum(foreign.values())}, by category {dict(foreign)}")
    click.echo(f"tax         {len(town.tax)}, by status {dict(Counter(record.status.value for record in town.tax))}")
    click.echo(f"seals       {len(town.seals)}")
    click.echo(f"registers   {len(town.registers)}, known there from elsewhere {len(town.registrations)}")
    for key, story in town.stories.items():
        click.echo(f"{story.resident_id}  {key:31} {story.kind:26} {story.refusal or 'issued':25} {story.what}")


if __name__ == "__main__":
    main()
