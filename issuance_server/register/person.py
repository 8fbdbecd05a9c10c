"""What a municipality's registers say of one person at one moment, put together and checked for fitting together.

A person is a resident, or stands in a family register, or both: a certificate's link names one id for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from issuance_server.register.records import (
    FamilyRegisterRecord,
    Household,
    RegisterEntry,
    RegisterHolder,
    RegisterRecord,
    Resident,
    SealRecord,
    SupplementaryEntry,
    SupplementaryRecord,
    TaxPaymentRecord,
    TaxRecord,
)


@dataclass(frozen=True, slots=True)
class Residence:
    """A resident with the household, its members, the tax years and the registered seal."""

    resident: Resident
    household: Household
    members: tuple[Resident, ...]  # in the order in which they print; the resident is one of them
    tax: Mapping[int, TaxRecord] = field(default_factory=dict)  # by fiscal year
    tax_payments: Mapping[int, TaxPaymentRecord] = field(default_factory=dict)
    seal: SealRecord | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """A person's family register. supplementary: its addresses; None = not recorded."""

    entry: RegisterEntry  # the person's own; one of register.people
    register: FamilyRegisterRecord
    supplementary: SupplementaryRecord | None
    # Where its people live who are residents here, and everybody there: for the stops alone.
    households: tuple[Household, ...] = ()
    residents: tuple[Resident, ...] = ()

    def name_of(self, entry: RegisterEntry) -> str:
        """Return the whole name of somebody in the register: all have its surname."""
        return f"{self.register.surname} {entry.given_name}"


@dataclass(frozen=True, slots=True)
class Person:
    """What the registers say, at one moment, about whoever a certificate's link names; at least one part is there.

    Shape:  barred_elsewhere: another municipality that knows the same card refuses its holder everything.
    """

    municipality_code: str
    person_id: str
    residence: Residence | None
    family: Family | None
    records_digest: bytes  # changes with the version of any record that was read
    barred_elsewhere: bool = False

    @property
    def name(self) -> str:
        """The name by which this municipality knows the person."""
        if self.residence is not None:
            return self.residence.resident.name
        assert self.family is not None
        return self.family.name_of(self.family.entry)

    @property
    def born_on(self) -> date:
        """The birth date by which this municipality knows the person."""
        if self.residence is not None:
            return self.residence.resident.born_on
        assert self.family is not None
        return self.family.entry.born_on


def assemble(
    municipality_code: str, person_id: str, records: Iterable[RegisterRecord], records_digest: bytes
) -> Person | None:
    """Put together what was read for one person.

    Errors: None if it is nothing, or does not fit together. Groups are not sealed: a row that was put into the wrong
            one must not count, so every record says itself whose it is.
    """
    found = _Found(person_id)
    if not all(found.take(record) for record in records) or found.has_strays:
        return None
    residence, family = found.residence(), found.family()
    whole = (residence is not None) == found.is_resident and (family is not None) == found.is_registered
    if not whole or (residence is None and family is None):
        return None
    if residence is not None and family is not None and residence.resident.born_on != family.entry.born_on:
        return None
    return Person(municipality_code, person_id, residence, family, records_digest)


class _Found:
    """Records as they come, by what they are."""

    def __init__(self, person_id: str) -> None:
        self._person_id = person_id
        self._residents: dict[str, Resident] = {}
        self._households: dict[str, Household] = {}
        self._tax: dict[int, TaxRecord] = {}
        self._tax_payments: dict[int, TaxPaymentRecord] = {}
        self._seal: SealRecord | None = None
        self._holders: dict[str, RegisterHolder] = {}
        self._registers: list[FamilyRegisterRecord] = []
        self._supplementaries: list[SupplementaryRecord] = []

    @property
    def is_resident(self) -> bool:
        """Whether anything was read that only a resident has."""
        own = self._person_id in self._residents
        return bool(own or self._tax or self._tax_payments or self._seal)

    @property
    def is_registered(self) -> bool:
        """Whether anything was read of a family register."""
        return bool(self._holders or self._registers or self._supplementaries)

    @property
    def has_strays(self) -> bool:
        """Whether a resident or a household was read that is neither the person's nor a relative's."""
        homes = {
            resident.household_id
            for resident in self._residents.values()
            if resident.resident_id == self._person_id or resident.resident_id in self._holders
        }
        lived_in = {resident.household_id for resident in self._residents.values()}
        return not lived_in <= homes or not set(self._households) <= homes

    def take(self, record: RegisterRecord) -> bool:
        """Sort one record in; False = it is somebody else's."""
        match record:
            case Resident():
                self._residents[record.resident_id] = record
            case Household():
                self._households[record.household_id] = record
            case TaxRecord():
                self._tax[record.fiscal_year] = record
            case TaxPaymentRecord():
                self._tax_payments[record.fiscal_year] = record
            case SealRecord():
                self._seal = record
            case RegisterHolder():
                self._holders[record.person_id] = record
            case FamilyRegisterRecord():
                self._registers.append(record)
            case SupplementaryRecord():
                self._supplementaries.append(record)
        own = isinstance(record, TaxRecord | TaxPaymentRecord | SealRecord)
        return not own or getattr(record, "resident_id", None) == self._person_id

    def residence(self) -> Residence | None:
        """Return the resident's part, or None if there is none that fits."""
        own = self._residents.get(self._person_id)
        household = None if own is None else self._households.get(own.household_id)
        if own is None or household is None or self._person_id not in household.member_ids:
            return None
        if not all(
            member_id in self._residents and self._residents[member_id].household_id == household.household_id
            for member_id in household.member_ids
        ):
            return None
        return Residence(
            resident=own,
            household=household,
            members=tuple(self._residents[member_id] for member_id in household.member_ids),
            tax=self._tax,
            tax_payments=self._tax_payments,
            seal=self._seal,
        )

    def family(self) -> Family | None:
        """Return the family register's part, or None if there is none that fits."""
        holder = self._holders.get(self._person_id)
        if holder is None or len(self._registers) != 1 or len(self._supplementaries) > 1:
            return None
        (register,) = self._registers
        supplementary = self._supplementaries[0] if self._supplementaries else None
        entries = {entry.person_id: entry for entry in register.people}
        entry = entries.get(self._person_id)
        ids = {register.register_id, *(other.register_id for other in self._holders.values())}
        if supplementary is not None:
            ids.add(supplementary.register_id)
        if entry is None or ids != {holder.register_id} or not set(self._holders) <= set(entries):
            return None
        homes = {resident.household_id for known, resident in self._residents.items() if known in self._holders}
        family = Family(
            entry,
            register,
            supplementary,
            households=tuple(self._households[home] for home in sorted(homes) if home in self._households),
            residents=tuple(
                self._residents[known]
                for known in sorted(self._residents)
                if self._residents[known].household_id in homes
            ),
        )
        # The registration, the register and its supplement are sources of their own of who this is.
        if (family.name_of(entry), entry.born_on) != (holder.name, holder.born_on):
            return None
        lines = () if supplementary is None else supplementary.people
        return family if all(_agrees(line, entries.get(line.person_id), family) for line in lines) else None


def _agrees(line: SupplementaryEntry, entry: RegisterEntry | None, family: Family) -> bool:
    """Whether a line of the supplementary register is of the person whom it names."""
    return entry is not None and line.name == family.name_of(entry) and line.born_on in {None, entry.born_on}
