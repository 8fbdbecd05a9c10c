"""The town: the same from the same seed, plausible, invented, and with everybody in it whom the demo needs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from deploy.demo import town_names
from deploy.demo.check_digits import is_individual_number, is_municipality_code
from deploy.demo.pki import serial_of
from deploy.demo.town import SMALLEST, Town, build_people
from deploy.demo.town_foreign import Category
from deploy.demo.town_people import AS_OF
from deploy.demo.town_shapes import RELATIONSHIPS
from deploy.demo.town_stories import CAST_SIZE, NOBODY_ID, STORIES
from deploy.demo.virtual_card import CardKind
from issuance_server.register.records import Resident, TaxRecord, TaxStatus
from printing.paper.fonts import Fonts
from printing.paper.records import CertificateKind

pytestmark = pytest.mark.slow

DIGEST_OF_TOWN = """
import hashlib, sys
import msgspec
from deploy.demo.town import build_people, directory
town = build_people(int(sys.argv[1]), int(sys.argv[2]))
print(hashlib.sha256(msgspec.msgpack.encode((town, directory(town)))).hexdigest())
"""


@cache
def town_of(residents: int = 2_000, seed: int = 1) -> Town:
    return build_people(seed, residents)


@cache
def fonts() -> Fonts:
    return Fonts.load()


def texts(resident: Resident) -> Iterator[str]:
    """Every text of a resident's record, the foreign part's too."""
    for record in (resident, resident.foreign):
        for value in msgspec.structs.astuple(record) if record is not None else ():
            if isinstance(value, str):
                yield value
            elif isinstance(value, tuple):
                yield from value


def age(resident: Resident, on: date = AS_OF) -> int:
    born = resident.born_on
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


# Deterministic


def digest_in_new_process(seed: int, residents: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", DIGEST_OF_TOWN, str(seed), str(residents)],
        capture_output=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parent.parent,
        env={"PYTHONHASHSEED": hash_seed, "TZ": "Asia/Tokyo" if hash_seed == "1" else "America/Lima"},
    )
    return done.stdout.decode("ascii").strip()


def test_the_same_seed_gives_the_same_bytes_in_any_process() -> None:
    first = digest_in_new_process(1, 300, "1")
    assert first == digest_in_new_process(1, 300, "2")
    assert first != digest_in_new_process(2, 300, "1")


def test_another_seed_gives_other_people() -> None:
    ours, others = town_of(100), town_of(100, seed=2)
    assert {r.individual_number for r in ours.residents.values()}.isdisjoint(
        {r.individual_number for r in others.residents.values()}
    )
    assert ours.households["h-000003"] != others.households["h-000003"]


def test_a_larger_town_has_the_same_stories() -> None:
    small, large = town_of(100), town_of(2_000)
    for at in range(1, CAST_SIZE + 1):
        resident_id = f"u-{at:06}"
        assert small.residents[resident_id] == large.residents[resident_id]


@pytest.mark.parametrize("residents", [100, 101, 333, 2_000])
def test_a_town_has_exactly_as_many_residents_as_asked_for(residents: int) -> None:
    town = town_of(residents)
    assert len(town.residents) == residents
    assert all(story.resident_id in town.residents for key, story in STORIES.items() if key != "nobody")


def test_a_town_smaller_than_its_stories_is_refused() -> None:
    assert CAST_SIZE <= SMALLEST
    with pytest.raises(ValueError, match="residents: a town has at least 100"):
        build_people(1, SMALLEST - 1)


# Invented


def test_the_municipalities_exist_nowhere() -> None:
    town = town_of()
    assert [decided.municipality_code for decided in town.municipalities] == ["990019", "990027"]
    for decided in town.municipalities:
        assert is_municipality_code(decided.municipality_code)
        assert int(decided.municipality_code[:2]) > 47  # Japan has 47 prefectures
        assert decided.specimen
        assert decided.municipality_name.startswith("見本県")


def test_individual_numbers_are_checked_marked_and_nobody_elses() -> None:
    numbers = [r.individual_number or "" for r in town_of().residents.values()]
    assert all(is_individual_number(number) and number.startswith("9900") for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_ids_say_nothing_of_a_person() -> None:
    town = town_of()
    assert all(re.fullmatch(r"u-\d{6}", resident_id) for resident_id in town.residents)
    assert all(re.fullmatch(r"h-\d{6}", household_id) for household_id in town.households)
    assert NOBODY_ID not in town.residents


# Names


def test_the_font_has_every_variation_sequence_of_the_lists() -> None:
    sequences = town_names.variation_sequences()
    assert len(sequences) >= 40
    for sequence in sequences:
        assert len(sequence) == 2
        assert 0xE0100 <= ord(sequence[1]) <= 0xE01EF
        assert fonts().undrawable(sequence) == ()


@pytest.mark.parametrize("seed", [1, 2])
def test_every_text_can_be_drawn_but_the_storys(seed: int) -> None:
    town = town_of(seed=seed)
    undrawable = {
        resident.resident_id: missing
        for resident in town.residents.values()
        if (missing := tuple(unit for text in texts(resident) for unit in fonts().undrawable(text)))
    }
    assert set(undrawable) == {STORIES["undrawable-name"].resident_id}
    assert set(undrawable[STORIES["undrawable-name"].resident_id]) == {"\u8fbb\U000e01ef"}
    elsewhere = [h for h in town.households.values() if fonts().undrawable(h.address + h.head_name)]
    assert [h.member_ids for h in elsewhere] == [(STORIES["undrawable-name"].resident_id,)]


def test_variation_sequences_are_common_enough_and_the_sample_has_one() -> None:
    town = town_of()
    with_one = [r for r in town.residents.values() if any("\U000e0100" <= c <= "\U000e01ef" for c in r.name)]
    assert len(with_one) > 100
    assert town.residents[STORIES["sample"].resident_id].name.startswith("渡\u9089\U000e0119 ")


def test_nobody_in_a_household_shares_a_name() -> None:
    town = town_of()
    for household in town.households.values():
        names = [town.residents[member].name for member in household.member_ids]
        assert len(set(names)) == len(names)


def test_japanese_names_have_a_reading_and_foreign_ones_latin_letters() -> None:
    for resident in town_of().residents.values():
        if resident.foreign is None:
            assert re.fullmatch(r"[ァ-ヴー]+ [ァ-ヴー]+", resident.name_reading or "")
        else:
            assert resident.name_reading is None
            assert re.fullmatch(r"[A-Z' -]+", resident.name)


# Households


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_households_of_one_to_nine_are_all_there(seed: int) -> None:
    sizes = Counter(len(h.member_ids) for h in town_of(seed=seed).households.values())
    assert set(sizes) == set(range(1, 10))


def test_relationships_use_the_residence_certificates_words() -> None:
    used = {resident.relationship for resident in town_of().residents.values()}
    assert used == RELATIONSHIPS
    assert used.isdisjoint({"長男", "長女", "二男", "養子"})


def test_each_household_has_one_head_first_and_only_its_own_members() -> None:
    town = town_of()
    for household in town.households.values():
        members = [town.residents[member] for member in household.member_ids]
        assert [m.relationship for m in members].count("世帯主") == 1
        assert members[0].relationship == "世帯主"
        assert members[0].name == household.head_name
        assert {m.household_id for m in members} == {household.household_id}
    everybody = Counter(member for household in town.households.values() for member in household.member_ids)
    assert everybody == Counter(town.residents.keys())


def test_dates_follow_one_another() -> None:
    for resident in town_of().residents.values():
        foreign = resident.foreign
        became = foreign.became_foreign_resident_on if foreign else resident.became_resident_on
        assert became is not None
        assert resident.address_since is not None
        assert resident.notified_on is not None
        assert resident.born_on <= resident.address_since <= resident.notified_on <= AS_OF
        assert resident.notified_on - resident.address_since < timedelta(days=14)
        assert resident.born_on <= became <= AS_OF
        if foreign is None:
            assert became <= resident.address_since
        assert (resident.previous_address is None) or (resident.address_since > resident.born_on)


def test_heads_are_grown_up_and_children_younger_than_their_parents() -> None:
    town = town_of()
    for household in town.households.values():
        members = [town.residents[member] for member in household.member_ids]
        assert age(members[0]) >= 18
        for member in members[1:]:
            if member.relationship == "子":
                assert member.born_on.year - members[0].born_on.year >= 16
            if member.relationship in ("父", "母"):
                assert members[0].born_on.year - member.born_on.year >= 18
            if member.relationship in ("妻", "夫", "子の妻"):
                assert age(member) >= 18


def test_domiciles_are_of_nationals_alone() -> None:
    for resident in town_of().residents.values():
        assert (resident.domicile is None) == (resident.foreign is not None)
        assert (resident.domicile_head is None) == (resident.foreign is not None)
        assert (resident.became_resident_on is None) == (resident.foreign is not None)


def test_no_family_register_is_headed_by_a_foreigner() -> None:
    for resident in town_of().residents.values():
        assert re.search(r"[A-Z]", resident.domicile_head or "") is None


def test_former_surnames_come_with_a_reading() -> None:
    recorded = [r for r in town_of().residents.values() if r.former_surname is not None]
    assert len(recorded) > 5
    assert all(r.former_surname_reading for r in recorded)


# Foreign residents


@pytest.mark.parametrize("residents", [100, 2_000])
def test_every_category_of_foreign_resident_is_there(residents: int) -> None:
    found = {r.foreign.category for r in town_of(residents).residents.values() if r.foreign is not None}
    assert found == set(Category)


def test_foreign_residents_have_what_their_category_has() -> None:
    card_number = re.compile(r"[A-Z]{2}\d{8}[A-Z]{2}")
    for resident in town_of().residents.values():
        foreign = resident.foreign
        if foreign is None:
            continue
        assert foreign.became_foreign_resident_on is not None
        assert foreign.became_foreign_resident_on >= date(2012, 7, 9)
        match Category(foreign.category):
            case Category.MID_TO_LONG_TERM:
                assert foreign.status
                assert card_number.fullmatch(foreign.card_number or "")
                permanent = foreign.status == "永住者"
                assert (foreign.period is None) == permanent
                assert (foreign.expires_on is None) == permanent
                assert permanent or (foreign.expires_on or AS_OF) > AS_OF
            case Category.SPECIAL_PERMANENT:
                assert card_number.fullmatch(foreign.card_number or "")
                assert (foreign.status, foreign.period, foreign.expires_on) == (None, None, None)
            case _:
                assert (foreign.status, foreign.card_number) == (None, None)


def test_an_alias_comes_with_its_entry() -> None:
    aliases = [r.foreign for r in town_of().residents.values() if r.foreign is not None and r.foreign.alias]
    assert len(aliases) > 10
    for foreign in aliases:
        assert len(foreign.alias_history) == 1
        assert (foreign.alias or "-") in foreign.alias_history[0]
        assert "年" in foreign.alias_history[0]
    assert any(r.foreign.kanji_name for r in town_of().residents.values() if r.foreign is not None)


# Tax


def test_tax_amounts_add_up() -> None:
    for record in town_of().tax:
        parts = (
            record.city_income_based_yen,
            record.city_per_capita_yen,
            record.prefecture_income_based_yen,
            record.prefecture_per_capita_yen,
            record.forest_tax_yen or 0,
        )
        assert record.annual_yen == sum(parts)
        total_yen = dict(record.totals).get("合計所得金額", 0)
        incomes = dict(record.incomes)
        assert total_yen == sum(yen for label, yen in incomes.items() if not label.endswith("収入"))
        base_yen = max(0, total_yen - sum(yen for _, yen in record.deductions)) // 1_000 * 1_000
        assert record.taxable_base_yen == base_yen
        if record.city_income_based_yen or record.prefecture_income_based_yen:
            credits_yen = sum(yen for _, yen in record.credits) + (record.flat_rate_reduction_yen or 0)
            levied_yen = record.city_income_based_yen + record.prefecture_income_based_yen
            assert 0 <= base_yen // 10 - credits_yen - levied_yen < 400  # four roundings down to a hundred


def test_the_flat_rate_reduction_stands_in_its_two_years_alone() -> None:
    assessed = [record for record in town_of().tax if record.status in {TaxStatus.TAXED, TaxStatus.UNTAXED}]
    having = {record.fiscal_year for record in assessed if record.flat_rate_reduction_yen is not None}
    reduced = {record.fiscal_year for record in assessed if record.flat_rate_reduction_yen}
    assert (having, reduced) == ({2024, 2025}, {2024})


def test_tax_statuses_are_all_there_and_say_what_they_say() -> None:
    found = Counter(record.status for record in town_of().tax)
    assert set(found) == set(TaxStatus)
    for record in town_of().tax:
        match record.status:
            case TaxStatus.TAXED:
                assert record.annual_yen >= 5_000
                assert record.forest_tax_yen == 1_000
            case TaxStatus.UNTAXED:
                assert record.annual_yen == 0
            case TaxStatus.DEPENDANT | TaxStatus.UNDECLARED:
                assert (record.incomes, record.totals, record.deductions, record.forest_tax_yen) == ((), (), (), None)


def test_a_tax_year_is_recorded_where_the_person_lived_on_its_first_of_january() -> None:
    town = town_of()
    by_resident = {(record.resident_id, record.fiscal_year): record for record in town.tax}
    assert {record.fiscal_year for record in town.tax} == {2024, 2025, 2026}
    assert {town.municipality_of[record.resident_id] for record in town.tax} == {"990019"}  # the other offers none
    moved = 0
    for (resident_id, fiscal_year), record in by_resident.items():
        resident = town.residents[resident_id]
        first = date(fiscal_year, 1, 1)
        assert age(resident, first) >= 15
        assert resident.address_since is not None
        if resident.address_since > first:
            moved += 1
            assert record.address_on_1_january == resident.previous_address
        else:
            assert record.address_on_1_january == town.households[resident.household_id].address
    assert moved > 0


def test_dependants_are_counted_with_whoever_provides_for_them() -> None:
    town = town_of()
    by_household: dict[tuple[str, int], list[TaxRecord]] = {}
    for record in town.tax:
        key = (town.residents[record.resident_id].household_id, record.fiscal_year)
        by_household.setdefault(key, []).append(record)
    for records in by_household.values():
        dependants = sum(
            record.status is TaxStatus.DEPENDANT
            and age(town.residents[record.resident_id], date(record.fiscal_year, 1, 1)) >= 16
            for record in records
        )
        claimed = sum(count for record in records for label, count in record.dependants if label != "16歳未満")
        assert claimed >= dependants
        assert sum(bool(record.dependants) for record in records) <= 1


# Seals and settings


def test_seals_are_one_bit_pictures_of_a_registered_size() -> None:
    town = town_of(300)
    assert len(town.seals) > 20
    for seal in town.seals.values():
        assert age(town.residents[seal.resident_id]) >= 17 or seal.resident_id == STORIES["seal-under-15"].resident_id
        image = Image.open(BytesIO(seal.image_png))
        assert image.mode == "1"
        assert 8 <= image.width / 300 * 25.4 <= 25
        assert 0 < image.histogram()[0] < image.width * image.height
    assert any(seal.cancelled for seal in town_of().seals.values())


def test_the_two_municipalities_differ() -> None:
    umibe, hoshimi = town_of(100).municipalities
    assert [document.kind for document in umibe.documents] == list(CertificateKind)
    assert [document.kind for document in hoshimi.documents] == [
        "residence",
        "family_register",
        "family_register_individual",
        "supplementary_register",
    ]
    at_any_hour = [document.kind for document in hoshimi.documents if len(document.hours) == 7][1:]
    assert at_any_hour == ["supplementary_register"]  # so that a demo can show it at night
    assert {hours.weekday for hours in hoshimi.documents[1].hours} == set(range(5))
    assert umibe.documents[0].hours[0].opens_at == umibe.documents[0].hours[0].closes_at
    assert hoshimi.documents[0].hours[0].opens_at > umibe.documents[0].hours[0].opens_at
    assert {date(2026, 12, 29), date(2026, 12, 31), date(2027, 1, 3)} <= set(hoshimi.documents[0].closed_on)
    assert {date(2026, 12, 28), date(2027, 1, 4)}.isdisjoint(hoshimi.documents[0].closed_on)
    assert all(fee.commission_yen == 117 for decided in (umibe, hoshimi) for fee in decided.fees)
    latest = {(d.municipality_code, f.kind): f.fee_yen for d in (umibe, hoshimi) for f in d.fees}
    assert latest[("990019", "residence")] == 200
    assert latest[("990019", "family_register")] == 450
    assert latest[("990027", "residence")] == 300
    assert set(latest) == {(d.municipality_code, document.kind) for d in (umibe, hoshimi) for document in d.documents}


# Stories


@pytest.mark.parametrize("seed", [1, 7])
def test_each_story_is_so(seed: int) -> None:
    town = town_of(100, seed)
    people = {key: town.residents[story.resident_id] for key, story in STORIES.items() if key != "nobody"}
    homes = {key: town.households[resident.household_id] for key, resident in people.items()}
    tax = {(r.resident_id, r.fiscal_year): r.status for r in town.tax}

    def years(key: str) -> set[TaxStatus | None]:
        return {tax.get((people[key].resident_id, year)) for year in (2024, 2025, 2026)}

    assert len(homes["sample"].member_ids) == 4
    assert len(homes["household-of-nine"].member_ids) == 9
    assert len(homes["single"].member_ids) == 1
    assert people["stopped-person"].issuance_stop
    assert not people["stopped-persons-household"].issuance_stop
    assert people["stopped-person"].household_id == people["stopped-persons-household"].household_id
    assert homes["stopped-address"].issuance_stop
    assert people["moved-out"].moved_out_on is not None
    assert people["moving-out"].moving_out_notified
    assert people["dead"].died_on is not None
    assert age(people["child"], date(2030, 1, 1)) < 15
    assert years("sample") == {TaxStatus.TAXED}
    assert years("tax-undeclared") == {TaxStatus.UNDECLARED}
    assert years("taxed") == {TaxStatus.TAXED}
    assert years("tax-dependant") == {TaxStatus.DEPENDANT}
    assert years("untaxed") == {TaxStatus.UNTAXED}
    assert years("newcomer") == {None}
    assert len(people["endless-name"].name) > 250
    assert town.municipality_of[people["hoshimi"].resident_id] == "990027"
    assert years("hoshimi-tax") == {None}


def test_the_newborn_has_a_nationality_and_nothing_of_a_card() -> None:
    town = town_of(100)
    mother = town.residents[STORIES["newborn"].resident_id]
    child = town.residents[town.households[mother.household_id].member_ids[1]]
    assert child.foreign is not None
    assert child.foreign.category == Category.TRANSITIONAL_BY_BIRTH
    assert (child.foreign.status, child.foreign.period, child.foreign.card_number) == (None, None, None)


def test_stories_of_cards_say_which_card() -> None:
    assert STORIES["locked-card"].tries_left == 0
    assert STORIES["expired-certificate"].certificate_expired
    assert STORIES["juki-card"].card is CardKind.JUKI
    assert STORIES["foreign-card"].card is CardKind.FOREIGN
    assert STORIES["face-recognition-card"].card is CardKind.FACE_RECOGNITION
    assert not STORIES["unlinked"].linked
    assert len({story.resident_id for story in STORIES.values()}) == len(STORIES)


def test_links_are_the_serials_of_all_but_the_unlinked() -> None:
    town = town_of(100)
    unlinked = STORIES["unlinked"].resident_id
    assert set(town.links) == set(town.residents) - {unlinked}
    assert town.links["u-000001"] == serial_of(1, "u-000001")
    assert len(set(town.links.values())) == len(town.links)
