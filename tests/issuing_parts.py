"""What tests of issuing share: one invented municipality in memory, and a server's insides on a database."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace
from sqlalchemy import Engine, func, select

from deploy.demo.seal_pictures import square_seal_png
from fees.postings import Account
from issuance_server import events, ledger, payments, sessions, terminals
from issuance_server.database import open_engine, read, write
from issuance_server.issue import Issuer
from issuance_server.keys import Keys
from issuance_server.ledger import Order, OrderState
from issuance_server.offers import MemberRefs
from issuance_server.register.person import Person, Residence
from issuance_server.register.records import (
    ForeignResident,
    Household,
    RegisterRecord,
    Resident,
    TaxRecord,
    TaxStatus,
)
from issuance_server.register.store import Link, RegisterStore
from issuance_server.revocation import CardStatus, Source
from issuance_server.rules import Asked
from issuance_server.schema import cases, order_events, orders
from issuance_server.schema import sessions as session_rows
from issuance_server.sessions import Caller, KnownAs
from issuance_server.settings import (
    CertifierSettings,
    DocumentSettings,
    Fee,
    FiscalYearOpening,
    MunicipalitySettings,
    OpenHours,
)
from issuance_server.settings_store import SettingsStore
from issuance_server.terminals import Terminal
from issuance_server.vault import Vault
from printing.paper.fonts import Fonts
from printing.paper.records import CertificateKind, Contact, ResidenceItem
from protocol.errors import ErrorCode, IssueError
from protocol.messages import (
    Event,
    EventKind,
    GrantAnswer,
    GrantRequest,
    PaymentMethod,
    PreparedOrder,
    PrepareRequest,
    Scope,
)
from protocol.signing import key_thumbprint
from tests.databases import SqliteDatabases

CODE = "999993"
NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)  # Wednesday noon in Japan
FEE_YEN, COMMISSION_YEN = 300, 117
ADDRESS = "見本県見本市一丁目1番1号"
INDIVIDUAL_NUMBER = "123456789018"
ALL_DAY = tuple(OpenHours(weekday=day, opens_at=time(0), closes_at=time(0)) for day in range(7))


def fee(kind: str, fee_yen: int = FEE_YEN) -> Fee:
    return Fee(
        kind=kind,
        fee_yen=fee_yen,
        commission_yen=COMMISSION_YEN,
        valid_from=date(2020, 4, 1),
        ordinance="見本市手数料条例",
    )


SETTINGS = MunicipalitySettings(
    municipality_code=CODE,
    municipality_name="見本市",
    valid_from=date(2020, 4, 1),
    specimen=True,
    contact=Contact(office="市民課", telephone="0000-00-0000"),
    documents=(
        DocumentSettings(kind="residence", items=tuple(ResidenceItem), minimum_age=15, hours=ALL_DAY),
        DocumentSettings(kind="taxation", items=(), minimum_age=15, hours=ALL_DAY),
    ),
    fees=(fee("residence"), fee("taxation", 350)),
    fiscal_years=(
        FiscalYearOpening(fiscal_year=2025, available_from=date(2025, 6, 1)),
        FiscalYearOpening(fiscal_year=2026, available_from=date(2026, 6, 1)),
        FiscalYearOpening(fiscal_year=2027, available_from=date(2027, 6, 1)),
    ),
    certifiers=(
        CertifierSettings(
            valid_from=date(2020, 4, 1),
            office="見本市役所",
            title="見本市長",
            name="見本 みなと",
            seal_png=square_seal_png("見本市長之印"),
        ),
    ),
)

TARO = Resident(
    resident_id="r-taro",
    household_id="h-1",
    name="見本 太郎",
    name_reading="ミホン タロウ",
    born_on=date(1980, 1, 2),
    sex="男",
    relationship="世帯主",
    domicile="見本県見本市一丁目1番",
    domicile_head="見本 太郎",
    became_resident_on=date(2010, 4, 1),
    address_since=date(2015, 5, 1),
    notified_on=date(2015, 5, 10),
    previous_address="見本県旧住所市",
    individual_number=INDIVIDUAL_NUMBER,
)
HANAKO = replace(
    TARO, resident_id="r-hanako", name="見本 花子", name_reading="ミホン ハナコ", sex="女", relationship="妻"
)
CHILD = replace(
    TARO, resident_id="r-child", name="見本 一葉", name_reading=None, born_on=date(2015, 7, 2), relationship="子"
)
MARIA = Resident(
    resident_id="r-maria",
    household_id="h-1",
    name="SANTOS MARIA",
    born_on=date(1985, 3, 4),
    sex="女",
    relationship="同居人",
    address_since=date(2020, 5, 1),
    foreign=ForeignResident(
        became_foreign_resident_on=date(2018, 1, 1),
        nationality="フィリピン",
        category="中長期在留者",
        status="技術・人文知識・国際業務",
        period="5年",
        expires_on=date(2028, 1, 1),
        card_number="AB12345678CD",
        alias="三都 真理",
        alias_history=("令和2年1月1日 三都 真理 記載",),
    ),
)
HOUSEHOLD = Household(
    household_id="h-1",
    address=ADDRESS,
    head_name="見本 太郎",
    member_ids=("r-taro", "r-hanako", "r-child", "r-maria"),
)
TAXED = TaxRecord(
    resident_id="r-taro",
    fiscal_year=2026,
    status=TaxStatus.TAXED,
    address_on_1_january=ADDRESS,
    incomes=(("給与収入", 5_000_000),),
    totals=(("合計所得金額", 3_560_000),),
    deductions=(("基礎控除", 430_000),),
    dependants=(("一般", 1),),
    taxable_base_yen=2_000_000,
    credits=(("調整控除", 2_500),),
    city_income_based_yen=118_500,
    city_per_capita_yen=3_000,
    prefecture_income_based_yen=79_000,
    prefecture_per_capita_yen=1_000,
    forest_tax_yen=1_000,
    annual_yen=202_500,
)
UNDECLARED = TaxRecord(
    resident_id="r-taro", fiscal_year=2025, status=TaxStatus.UNDECLARED, address_on_1_january=ADDRESS
)
MEMBERS = (TARO, HANAKO, CHILD, MARIA)
RECORDS: tuple[RegisterRecord, ...] = (*MEMBERS, HOUSEHOLD, TAXED, UNDECLARED)


def person(
    *changed: Resident, requester: str = "r-taro", household: Household = HOUSEHOLD, tax: tuple[TaxRecord, ...] = ()
) -> Person:
    """The household's person, with some of its members changed."""
    members = {member.resident_id: member for member in (*MEMBERS, *changed)}
    residence = Residence(
        resident=members[requester],
        household=household,
        members=tuple(members[member_id] for member_id in household.member_ids),
        tax={record.fiscal_year: record for record in (TAXED, UNDECLARED, *tax)},
    )
    return Person(CODE, requester, residence, None, bytes(32))


def in_other_words(who: Person, **changes: Any) -> Person:
    """The same person with another residence's part."""
    assert who.residence is not None
    return dataclasses.replace(who, residence=dataclasses.replace(who.residence, **changes))


def asked(
    kind: str = "residence",
    scope: Scope = Scope.SELF,
    *,
    members: tuple[str, ...] = (),
    items: tuple[str, ...] = (),
    fiscal_year: int | None = None,
) -> Asked:
    return Asked(kind=kind, scope=scope, member_ids=members, items=items, fiscal_year=fiscal_year)


@cache
def fonts() -> Fonts:
    """The real fonts, once a run."""
    return Fonts.load()


def link_digest(person_id: str, code: str = CODE) -> bytes:
    """A certificate's keyed serial; at each municipality another one."""
    return hashlib.sha256((person_id if code == CODE else f"{code} {person_id}").encode()).digest()


def order_id(number: int) -> str:
    return hashlib.sha256(f"order {number}".encode()).hexdigest()[:32]


def payment_id(number: int) -> str:
    return hashlib.sha256(f"payment {number}".encode()).hexdigest()[:32]


@dataclass
class Clock:
    """A clock that the test turns."""

    now_utc: datetime = NOW

    def __call__(self) -> datetime:
        return self.now_utc

    def advance(self, **passed: float) -> None:
        self.now_utc += timedelta(**passed)


@dataclass
class Office:
    """One municipality's issuing on a database of its own."""

    folder: Path
    url: str = ""  # of a database with the tables; one in the folder where none is named
    clock: Clock = field(default_factory=Clock)
    decided: tuple[MunicipalitySettings, ...] = (SETTINGS,)

    def __post_init__(self) -> None:
        self.url = self.url or SqliteDatabases(self.folder).declared()
        self.engine: Engine = open_engine(self.url)
        self.keys = Keys.create(self.folder / "keys", [one.municipality_code for one in self.decided])
        self.vault = Vault(self.keys.vault)
        self.register = RegisterStore(self.vault)
        self.settings = SettingsStore()
        self.terminals = {name: self._terminal(name) for name in ("t-1", "t-2")}
        self.sequences = dict.fromkeys(self.terminals, 0)
        with write(self.engine) as connection:
            for one in self.decided:
                self.settings.put(connection, one)
            for terminal in self.terminals.values():
                terminals.enrol(
                    connection,
                    terminal_id=terminal.terminal_id,
                    operator="見本商店",
                    public_key=terminal.public_key,
                    now_utc=NOW,
                )
        self.put(*RECORDS)
        self.link("r-taro")
        self.issuer = self.new_issuer()

    def _terminal(self, name: str) -> Terminal:
        key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()).public_key()
        return Terminal(name, "見本商店", key, key_thumbprint(key), stopped=False)

    def wiring(self) -> dict[str, Any]:
        """What an issuer is made of."""
        return {
            "engine": self.engine,
            "vault": self.vault,
            "keys": self.keys,
            "settings_store": self.settings,
            "register": self.register,
            "fonts": fonts(),
            "check_address": "https://check.invalid/",
            "clock": self.clock,
            "require_current": lambda *_: None,  # no tree grows beside an office
        }

    def new_issuer(self, **wiring: Any) -> Issuer:
        return Issuer(**(self.wiring() | wiring))

    def put(self, *records: RegisterRecord, code: str = CODE) -> None:
        with write(self.engine) as connection:
            self.register.put(connection, code, records)

    def link(self, resident_id: str, code: str = CODE) -> Link:
        link = Link(code, link_digest(resident_id, code), resident_id)
        with write(self.engine) as connection:
            self.register.add_link(connection, link)
        return link

    def caller(
        self,
        resident_id: str = "r-taro",
        terminal: str = "t-1",
        visit: str = "1" * 32,
        elsewhere: Mapping[str, str] | None = None,
    ) -> Caller:
        """A session. elsewhere: person ids by municipality, of the card's other links."""
        links = {CODE: resident_id} if elsewhere is None else {CODE: resident_id, **elsewhere}
        with write(self.engine) as connection:
            _session_id, caller = sessions.open_session(
                connection,
                terminal=self.terminals[terminal],
                known_as=[
                    KnownAs(
                        code,
                        link_digest(person_id, code),
                        sessions.holder_digest(self.keys.challenge, code, visit, person_id),
                    )
                    for code, person_id in links.items()
                ],
                visit_id=visit,
                certificate_der=b"",
                card=CardStatus(Source.OCSP, self.clock()),
                now_utc=self.clock(),
            )
        return caller

    def request(self, number: int = 1, caller: Caller | None = None, **fields: Any) -> PrepareRequest:
        member_ids: tuple[str, ...] = fields.pop("member_ids", ())
        if member_ids:
            assert caller is not None
            refs = MemberRefs(self.keys.challenge, caller.session_hash)
            fields["members"] = tuple(refs.ref(member_id) for member_id in member_ids)
        defaults: dict[str, Any] = {
            "session_id": "s",
            "order_id": order_id(number),
            "municipality_code": CODE,
            "kind": CertificateKind.RESIDENCE.value,
            "scope": Scope.SELF,
            "members": (),
            "items": (),
            "fiscal_year": None,
            "binding": hashlib.sha256(b"binding").digest(),
        }
        return PrepareRequest(**(defaults | fields))

    def prepare(self, caller: Caller, number: int = 1, **fields: Any) -> tuple[PreparedOrder, bytes]:
        return self.issuer.prepare(caller, self.request(number, caller, **fields))

    def grant(
        self,
        caller: Caller,
        number: int = 1,
        *,
        payment: int = 1,
        reserved_yen: int = 500,
        allocated_yen: int = FEE_YEN,
    ) -> GrantAnswer:
        return self.issuer.grant(caller, order_id(number), grant_request(payment, reserved_yen, allocated_yen))

    def event(self, kind: EventKind, terminal: str = "t-1", **fields: Any) -> Event:
        """The terminal's next event."""
        self.sequences[terminal] += 1
        return Event(sequence=self.sequences[terminal], at_utc=self.clock(), kind=kind, **fields)

    def tell(self, kind: EventKind, terminal: str = "t-1", **fields: Any) -> int:
        told = (self.event(kind, terminal, **fields),)
        return events.apply(self.engine, terminal, told, self.clock)

    def order(self, number: int = 1) -> Order:
        with read(self.engine) as connection:
            found = ledger.find(connection, order_id(number))
        assert found is not None
        return found

    def balances(self) -> dict[Account, int]:
        """Every account that is not 0."""
        with read(self.engine) as connection:
            return {account: amount for account, amount in payments.balances(connection).items() if amount}

    def open_cases(self) -> list[str]:
        with read(self.engine) as connection:
            statement = select(cases.c.reason).where(cases.c.closed_at_utc.is_(None)).order_by(cases.c.reason)
            return list(connection.execute(statement).scalars())

    def close(self) -> None:
        self.engine.dispose()


def grant_request(payment: int = 1, reserved_yen: int = 500, allocated_yen: int = FEE_YEN) -> GrantRequest:
    return GrantRequest(
        session_id="s",
        payment_id=payment_id(payment),
        method=PaymentMethod.CASH,
        reserved_yen=reserved_yen,
        allocated_yen=allocated_yen,
    )


def counted(inserted_yen: int, cashbox_yen: int, change_yen: int, returned_yen: int) -> dict[str, Any]:
    return {
        "inserted_yen": inserted_yen,
        "cashbox_yen": cashbox_yen,
        "change_yen": change_yen,
        "returned_yen": returned_yen,
    }


def code_of(act: Callable[[], object]) -> ErrorCode:
    with pytest.raises(IssueError) as refused:
        act()
    return refused.value.code


def rows(office: Office) -> tuple[int, int, int]:
    """Orders, moves of orders, and the session's count: what a refusal or a repetition must leave alone."""
    with read(office.engine) as connection:
        count = select(func.count())
        return (
            int(connection.execute(count.select_from(orders)).scalar_one()),
            int(connection.execute(count.select_from(order_events)).scalar_one()),
            int(connection.execute(select(func.coalesce(func.sum(session_rows.c.preparations), 0))).scalar_one()),
        )


def longer(caller: Caller) -> Caller:
    """A session that lasts longer than an order does."""
    return dataclasses.replace(caller, expires_at_utc=caller.expires_at_utc + timedelta(hours=1))


def abandon(office: Office, caller: Caller) -> None:
    """Leave an order INTENDED, as a worker that is killed while it draws does."""

    class Killed(BaseException):
        pass

    def die(*_: object) -> bytes:
        raise Killed

    with pytest.raises(Killed):
        office.new_issuer(render=die).prepare(caller, office.request())
    assert office.order().state is OrderState.INTENDED
