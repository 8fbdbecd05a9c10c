"""The town's family registers: each fits its people, its household and its words; none of it is anybody's."""

from __future__ import annotations

from functools import cache

import pytest

from deploy.demo.town import Town, build_people
from deploy.demo.town_names import HOSHIMI, SPACE, TOWNS, UMIBE
from deploy.demo.town_people import AS_OF
from deploy.demo.town_stories import STORIES
from deploy.demo.town_tax_payments import CONFIRMED_UNTIL
from printing.paper.certificates.vocabulary import check_word
from printing.paper.records import CertificateKind

pytestmark = pytest.mark.slow


@cache
def town_of(seed: int = 1) -> Town:
    return build_people(seed, 1_000)


@pytest.mark.parametrize("seed", [1, 5])
def test_everybody_with_a_domicile_here_stands_in_one_register_under_the_right_name(seed: int) -> None:
    town = town_of(seed)
    holders = {holder.person_id: (told, holder) for told in town.registers for holder in told.holders}
    assert len(holders) == sum(len(told.holders) for told in town.registers)
    for resident_id, resident in town.residents.items():
        code = town.municipality_of[resident_id]
        if resident.foreign is not None or resident.domicile is None or not resident.domicile.startswith(TOWNS[code]):
            assert resident_id not in holders
            continue
        told, holder = holders[resident_id]
        assert told.municipality_code == code
        assert (holder.name, holder.born_on) == (resident.name, resident.born_on)
        entry = next(one for one in told.register.people if one.person_id == resident_id)
        assert f"{told.register.surname}{SPACE}{entry.given_name}" == resident.name
        assert told.register.domicile == resident.domicile
        assert f"{told.register.surname}{SPACE}{told.register.head_given_name}" == resident.domicile_head


def test_registers_use_their_own_words_and_days_that_were() -> None:
    for told in town_of().registers:
        register = told.register
        ids = [entry.person_id for entry in register.people]
        assert ids == [line.person_id for line in told.supplementary.people]
        assert len(set(ids)) == len(ids)
        assert register.head_given_name in {entry.given_name for entry in register.people}
        for entry, line in zip(register.people, told.supplementary.people, strict=True):
            assert entry.relationship is not None
            check_word(CertificateKind.FAMILY_REGISTER, "relationship", entry.relationship)
            assert line.born_on == entry.born_on <= AS_OF
            assert (line.removed_on is not None) == entry.removed
            assert line.addresses
        spouses = [entry.spouse for entry in register.people if entry.spouse]
        assert len(spouses) <= 2
        assert len(set(spouses)) == len(spouses)


def test_siblings_are_counted_once_each() -> None:
    for told in town_of().registers:
        children = [entry for entry in told.register.people if entry.spouse is None and not entry.removed]
        by_parents: dict[tuple[str | None, str | None], list[str]] = {}
        for entry in children:
            by_parents.setdefault((entry.father, entry.mother), []).append(str(entry.relationship))
        for (father, mother), words in by_parents.items():
            if father is not None and mother is not None:
                assert len(set(words)) == len(words), told.register.register_id


def test_some_live_in_one_municipality_and_belong_to_the_other() -> None:
    town = town_of()
    known = town.registrations
    assert len(known) > 20
    for resident_id, registration in known.items():
        home = town.municipality_of[resident_id]
        assert registration.municipality_code == (HOSHIMI if home == UMIBE else UMIBE)
        assert registration.person_id not in town.residents
    elsewhere = [
        resident_id
        for resident_id, resident in town.residents.items()
        for code in (HOSHIMI, UMIBE)
        if code != town.municipality_of[resident_id] and (resident.domicile or "").startswith(TOWNS[code])
    ]
    assert set(known) < set(elsewhere)  # and others did not register


def test_the_protected_spouse_is_in_the_register_and_nowhere_else() -> None:
    town = town_of()
    told = next(
        one
        for one in town.registers
        if one.holders and one.holders[0].person_id == STORIES["spouse-protected"].resident_id
    )
    stopped = [entry for entry in told.register.people if entry.issuance_stop]
    assert [entry.spouse for entry in stopped] == ["妻"]
    assert stopped[0].person_id not in town.residents


def test_payments_add_up_and_are_of_who_was_levied() -> None:
    town = town_of()
    levied = {(record.resident_id, record.fiscal_year): record.annual_yen for record in town.tax}
    assert len(town.tax_payments) > 500
    for payment in town.tax_payments:
        assert payment.confirmed_until <= CONFIRMED_UNTIL < AS_OF
        assert payment.taxes[0].levied_yen == levied[payment.resident_id, payment.fiscal_year]
        for tax in payment.taxes:
            assert tax.levied_yen is not None
            assert tax.paid_yen is not None
            assert tax.unpaid_yen is not None
            assert tax.levied_yen == tax.paid_yen + tax.unpaid_yen
    in_arrears = {p.resident_id for p in town.tax_payments if any(tax.unpaid_yen for tax in p.taxes)}
    assert STORIES["tax-unpaid"].resident_id in in_arrears
    assert STORIES["tax-paid"].resident_id not in in_arrears
