"""What tests of all kinds share: an invented family register, seals and payments, and two municipalities' settings."""

from __future__ import annotations

from datetime import date, time
from typing import Any

from msgspec.structs import replace

from deploy.demo.seal_pictures import round_seal_png
from issuance_server.kinds import KINDS
from issuance_server.register.records import (
    Adoption,
    FamilyRegisterRecord,
    LeviedTax,
    PastAddress,
    RegisterEntry,
    RegisterHolder,
    RegisterMatter,
    RegisterRecord,
    SealRecord,
    SupplementaryEntry,
    SupplementaryRecord,
    TaxPaymentRecord,
)
from issuance_server.settings import DocumentSettings, MunicipalitySettings, OpenHours
from printing.paper.records import CertificateKind
from tests.issuing_parts import ADDRESS, ALL_DAY, CHILD, HANAKO, SETTINGS, TARO, Office, fee

OTHER = "999985"
HIDDEN_ADDRESS = "架空県霧里町字朝霧1番地"


def entry(person_id: str, given_name: str, born_on: date, relationship: str, **fields: Any) -> RegisterEntry:
    birth = RegisterMatter(title="出生", entries=(("出生地", "見本県見本市"), ("届出人", "父")))
    defaults: dict[str, Any] = {"father": "見本 一郎", "mother": "見本 松子", "matters": (birth,)}
    return RegisterEntry(
        person_id=person_id,
        given_name=given_name,
        born_on=born_on,
        relationship=relationship,
        **(defaults | fields),
    )


TARO_IN = entry("r-taro", "太郎", TARO.born_on, "長男", spouse="夫")
HANAKO_IN = entry("r-hanako", "花子", HANAKO.born_on, "二女", spouse="妻", father="佐藤 次郎", mother="佐藤 梅子")
CHILD_IN = entry(
    "r-child",
    "一葉",
    CHILD.born_on,
    "長女",
    adoption=Adoption(father="見本 太郎", mother="見本 花子", relationship="養女"),
)
REMOVED_IN = entry("x-1", "双葉", date(2003, 3, 4), "長女", removed=True)
REGISTER = FamilyRegisterRecord(
    register_id="k-1",
    domicile="見本県見本市三丁目3番",
    surname="見本",
    surname_reading="ミホン",
    head_given_name="太郎",
    matters=(RegisterMatter(title="戸籍編製", entries=(("編製日", "平成20年6月6日"),)),),
    people=(TARO_IN, HANAKO_IN, REMOVED_IN, CHILD_IN),
)


def lived(one: RegisterEntry, *addresses: PastAddress, sex: str = "女", **fields: Any) -> SupplementaryEntry:
    return SupplementaryEntry(
        person_id=one.person_id,
        name=f"見本 {one.given_name}",
        sex=sex,
        addresses=addresses,
        **({"born_on": one.born_on} | fields),
    )


HERE = PastAddress(address=ADDRESS, since=date(2015, 5, 1))
SUPPLEMENTARY = SupplementaryRecord(
    register_id="k-1",
    people=(
        lived(TARO_IN, HERE, sex="男", overseas_voter="令和6年7月1日 見本県見本市 登録"),
        lived(HANAKO_IN, HERE),
        lived(REMOVED_IN, PastAddress(address=HIDDEN_ADDRESS, since=None), born_on=None, removed_on=date(2021, 3, 3)),
        lived(CHILD_IN, HERE),
    ),
)
HOLDERS = tuple(
    RegisterHolder(person_id=one.person_id, register_id="k-1", name=f"見本 {one.given_name}", born_on=one.born_on)
    for one in (TARO_IN, HANAKO_IN, CHILD_IN)
)
SEAL = SealRecord(resident_id="r-taro", registered_on=date(2019, 1, 1), image_png=round_seal_png("見本", 15.0))
PAID = TaxPaymentRecord(
    resident_id="r-taro",
    fiscal_year=2026,
    confirmed_until=date(2026, 6, 20),
    taxes=(LeviedTax(tax="市民税・県民税・森林環境税", levied_yen=202_500, paid_yen=202_500, unpaid_yen=0),),
)
UNPAID = replace(
    PAID,
    taxes=(LeviedTax(tax="市民税・県民税・森林環境税", levied_yen=202_500, paid_yen=2_500, unpaid_yen=200_000),),
)
MORE_RECORDS: tuple[RegisterRecord, ...] = (REGISTER, SUPPLEMENTARY, *HOLDERS, SEAL, PAID)

OFFICE_HOURS = tuple(OpenHours(weekday=day, opens_at=time(8, 30), closes_at=time(17, 15)) for day in range(5))


def document(kind: CertificateKind, **fields: Any) -> DocumentSettings:
    defaults: dict[str, Any] = {"items": KINDS[kind].items, "minimum_age": 0, "hours": ALL_DAY}
    return DocumentSettings(kind=kind, **(defaults | fields))


ALL_SETTINGS = replace(
    SETTINGS,
    documents=tuple(document(kind) for kind in CertificateKind),
    fees=tuple(fee(kind) for kind in CertificateKind),
)
OTHER_SETTINGS = replace(
    ALL_SETTINGS,
    municipality_code=OTHER,
    municipality_name="遠見市",
    documents=tuple(document(kind, hours=OFFICE_HOURS) for kind in CertificateKind),
)


def with_document(settings: MunicipalitySettings, kind: CertificateKind, **changes: Any) -> MunicipalitySettings:
    """The same municipality with one document decided otherwise."""
    documents = tuple(replace(one, **changes) if one.kind == kind else one for one in settings.documents)
    return replace(settings, documents=documents)


def elsewhere(record: Any) -> Any:
    """The same family register as another municipality keeps it: with its own ids."""
    if isinstance(record, FamilyRegisterRecord | SupplementaryRecord):
        people = tuple(replace(one, person_id=f"d-{one.person_id}") for one in record.people)
        return replace(record, people=people)
    return replace(record, person_id=f"d-{record.person_id}")


ELSEWHERE = {OTHER: "d-r-taro"}


def two_towns(office: Office) -> None:
    """The family register is kept in the other municipality, and Taro is known there by registration."""
    office.put(SEAL, PAID)
    office.put(elsewhere(REGISTER), elsewhere(SUPPLEMENTARY), elsewhere(HOLDERS[0]), code=OTHER)
    office.link("d-r-taro", OTHER)
