"""Invented people and papers that the paper's tests share; no one in here exists."""

from __future__ import annotations

from datetime import date
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.demo.seal_pictures import square_seal_png
from deploy.demo.town_tax_rules import Claims, Income, assess
from issuance_server.register.records import TaxStatus
from printing.paper.fonts import Fonts
from printing.paper.recheck import page_texts
from printing.paper.records import (
    AmountLine,
    Certificate,
    Certifier,
    Contact,
    ForeignResidentItems,
    Issuance,
    ResidenceCertificate,
    ResidenceItem,
    ResidencePerson,
    TaxationCertificate,
    printed_names,
)

WATANABE = "渡\u9089\U000e010f 葛\U000e0102子"  # two variation sequences of the Moji_Joho collection
ADDRESS = "みほん県みほん市中央一丁目2番3号"
INDIVIDUAL_NUMBER = "123456789018"

CERTIFIER = Certifier(
    municipality_code="999993",
    municipality_name="みほん市",
    office="みほん市役所",
    title="みほん市長",
    name="見本 太郎",
    seal_png=square_seal_png("みほん市長之印"),
    specimen=True,
    contact=Contact(office="市民課 証明係", telephone="0000-00-0000"),
)
ISSUANCE = Issuance(
    issue_number="2026-00001234",
    issued_on_jst=date(2026, 11, 22),
    certifier=CERTIFIER,
    check_code="7K3F-9QXM-2PTD-WV8H",
    check_address="https://kakunin.mihon.example/",
)
JAPANESE = ResidencePerson(
    name=WATANABE,
    name_reading="わたなべ かつらこ",
    former_surname="佐藤",
    former_surname_reading="さとう",
    born_on=date(1985, 4, 3),
    sex="女",
    relationship="世帯主",
    domicile="みほん県みほん市本町一丁目2番",
    domicile_head="渡\u9089\U000e010f 一郎",
    became_resident_on=date(2015, 4, 1),
    address_since=date(2019, 5, 1),
    notified_on=date(2019, 5, 3),
    moved_in_from="架空県そら市北町三丁目14番地15 メゾン架空 203号",
)
FOREIGN = ResidencePerson(
    name="RAMIREZ GONZALEZ MARIA FERNANDA",
    name_reading="ラミレス ゴンサレス マリア フェルナンダ",
    born_on=date(1990, 5, 3),
    sex="女",
    relationship="弟の妻",
    address_since=date(2019, 5, 1),
    notified_on=date(2019, 5, 3),
    foreign=ForeignResidentItems(
        became_foreign_resident_on=date(2018, 2, 3),
        nationality="ペルー",
        category="中長期在留者",
        status="技術・人文知識・国際業務",
        period="5年",
        expires_on=date(2027, 3, 1),
        card_number="AB12345678CD",
        alias="山田 マリア",
        alias_history=("令和2年4月1日 記載 山田 マリア",),
    ),
)
CHINESE = ResidencePerson(
    name="LI XIAOMING",
    born_on=date(1996, 8, 15),
    sex="男",
    relationship="同居人",
    address_since=date(2024, 10, 1),
    notified_on=date(2024, 10, 3),
    foreign=ForeignResidentItems(
        became_foreign_resident_on=date(2024, 4, 5),
        nationality="中国",
        category="中長期在留者",
        status="留学",
        period="2年3月",
        expires_on=date(2027, 1, 5),
        card_number="CD23456789EF",
        kanji_name="李 小明",
    ),
)
ALL_ITEMS = frozenset(ResidenceItem)


def bare(name: str) -> ResidencePerson:
    """A person of whom nothing but name, birth and sex is recorded."""
    return ResidencePerson(name=name, born_on=date(2001, 1, 2), sex="女" if name.endswith("子") else "男")


def residence(
    *people: ResidencePerson, whole: bool = False, items: frozenset[ResidenceItem] = ALL_ITEMS
) -> ResidenceCertificate:
    """A residence certificate of these people; every item chosen unless said otherwise."""
    head = WATANABE if ResidenceItem.RELATIONSHIP in items else None
    return ResidenceCertificate(
        address=ADDRESS, head_of_household=head, whole_household=whole, items=items, people=people
    )


def line(label: str, amount_yen: int | None) -> AmountLine:
    """One amount of a tax certificate."""
    return AmountLine(label=label, amount_yen=amount_yen)


EARNED = Income(salary_yen=5_123_456, business_yen=120_000)


def assessed(fiscal_year: int, income: Income, claims: Claims, *also: AmountLine) -> TaxationCertificate:
    """A certificate of what the demo's tax office levies on an income, so that its amounts agree.

    also: lines of incomes that change nothing, of zero yen or not recorded.
    """
    tax = assess("sample", fiscal_year, ADDRESS, income, claims, aged_65=False)
    return TaxationCertificate(
        fiscal_year=fiscal_year,
        taxed=tax.status is TaxStatus.TAXED,
        amounts_withheld=False,
        name=WATANABE,
        name_reading="わたなべ かつらこ",
        address_on_1_january=tax.address_on_1_january,
        born_on=date(1985, 4, 3),
        born_in_era=True,
        incomes=(*(line(*part) for part in tax.incomes), *also),
        totals=tuple(line(*part) for part in tax.totals),
        deductions=tuple(line(*part) for part in tax.deductions),
        dependants=tax.dependants,
        taxable_base_yen=tax.taxable_base_yen,
        credits=tuple(line(*part) for part in tax.credits),
        flat_rate_reduction_yen=tax.flat_rate_reduction_yen,
        city_income_based_yen=tax.city_income_based_yen,
        city_per_capita_yen=tax.city_per_capita_yen,
        prefecture_income_based_yen=tax.prefecture_income_based_yen,
        prefecture_per_capita_yen=tax.prefecture_per_capita_yen,
        forest_tax_yen=tax.forest_tax_yen,
        annual_yen=tax.annual_yen,
    )


def taxed_in(fiscal_year: int, *, special_relatives_yen: int = 0) -> TaxationCertificate:
    """The taxation certificate of a year: the same income in each, with one dependant."""
    claims = Claims(general=1, special_relatives_yen=special_relatives_yen)
    return assessed(fiscal_year, EARNED, claims, line("公的年金等収入", None), line("不動産所得", 0))


TAXED = taxed_in(2025)
WITHHELD = TaxationCertificate(
    fiscal_year=2025,
    taxed=False,
    amounts_withheld=True,
    name="見本 花子",
    name_reading=None,
    address_on_1_january=ADDRESS,
    born_on=date(2004, 9, 30),
    born_in_era=True,
)


def names(record: Certificate) -> tuple[str, ...]:
    """The names printed as 氏名, in order."""
    return printed_names(record)


@cache
def fonts() -> Fonts:
    """The fonts, loaded once for all tests, as a server does before it forks."""
    return Fonts.load()


def key_pair(curve: ec.EllipticCurve | None = None) -> tuple[bytes, bytes]:
    """A new key pair as PEM: private, public."""
    key = ec.generate_private_key(curve or ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def front_texts(pdf: bytes) -> list[str]:
    """Return the text of every sheet's front; what stands on the backs is nobody's."""
    return page_texts(pdf)[::2]
