"""Invented papers of the other kinds: seals, taxes, family registers; no one in here exists."""

from __future__ import annotations

from datetime import date

from deploy.demo.seal_pictures import round_seal_png
from printing.paper.records import (
    AdoptiveParents,
    DatedAddress,
    FamilyRegisterCertificate,
    FamilyRegisterIndividualCertificate,
    IncomeCertificate,
    Matter,
    MatterEntry,
    RegisteredPerson,
    ResidenceItemCertificate,
    SealRegistrationCertificate,
    StatedItem,
    StatedPerson,
    SupplementaryItem,
    SupplementaryPerson,
    SupplementaryRegisterCopy,
    TaxPaymentCertificate,
    TaxPaymentLine,
)
from tests.paper_samples import ADDRESS, INDIVIDUAL_NUMBER, TAXED, WATANABE, taxed_in

DOMICILE = "みほん県みほん市本町一丁目2番"
BORN_ON = date(1985, 4, 3)
ALL_STATED = frozenset(StatedItem)
ALL_SUPPLEMENTARY = frozenset(SupplementaryItem)

STATED_JAPANESE = StatedPerson(
    name=WATANABE,
    name_reading="わたなべ かつらこ",
    former_surname="佐藤",
    former_surname_reading="さとう",
    born_on=BORN_ON,
    sex="女",
    relationship="世帯主",
    resident_since=date(2015, 4, 1),
    address_since=date(2019, 5, 1),
    notified_on=date(2019, 5, 3),
    moved_in_from="架空県そら市北町三丁目14番地15 メゾン架空 203号",
    domicile=DOMICILE,
    domicile_head="渡\u9089\U000e010f 一郎",
    individual_number=INDIVIDUAL_NUMBER,
)
STATED_FOREIGN = StatedPerson(
    name="RAMIREZ GONZALEZ MARIA FERNANDA",
    name_reading="ラミレス ゴンサレス マリア フェルナンダ",
    alias="山田 マリア",
    foreign=True,
    born_on=date(1990, 5, 3),
    sex="女",
    relationship="弟の妻",
    resident_since=date(2018, 2, 3),
    address_since=date(2019, 5, 1),
    notified_on=date(2019, 5, 3),
    nationality="ペルー",
    category="中長期在留者",
    status="技術・人文知識・国際業務",
    period="5年",
    expires_on=date(2027, 3, 1),
    card_number="AB12345678CD",
    alias_history=("令和2年4月1日 記載 山田 マリア",),
)


def stated(*people: StatedPerson, items: frozenset[StatedItem] = ALL_STATED) -> ResidenceItemCertificate:
    """A residence item certificate of these people; every item asked for unless said otherwise."""
    return ResidenceItemCertificate(
        address=ADDRESS if StatedItem.ADDRESS in items else None,
        head_of_household=WATANABE if StatedItem.HEAD_OF_HOUSEHOLD in items else None,
        items=items,
        people=people,
    )


FEW_STATED = stated(StatedPerson(name="見本 花子", born_on=date(2004, 9, 30)), items=frozenset((StatedItem.ADDRESS,)))


SEALED = SealRegistrationCertificate(
    name=WATANABE,
    former_surname="佐藤",
    born_on=BORN_ON,
    born_in_era=True,
    address=ADDRESS,
    image_png=round_seal_png("渡邊", 15.0, dpi=600, line_px=12),
)
SEALED_FOREIGN = SealRegistrationCertificate(
    name="RAMIREZ GONZALEZ MARIA FERNANDA",
    alias="山田 マリア",
    born_on=date(1990, 5, 3),
    born_in_era=False,
    address=ADDRESS,
    image_png=round_seal_png("山田", 24.9, dpi=600, line_px=20),
)

INCOME = IncomeCertificate(
    fiscal_year=2025,
    name=WATANABE,
    name_reading="わたなべ かつらこ",
    address_on_1_january=ADDRESS,
    born_on=BORN_ON,
    born_in_era=True,
    incomes=TAXED.incomes,  # the same person, the same year
    totals=TAXED.totals,
)

_LEVIED_YEN = taxed_in(2026).annual_yen or 0
_PAID_YEN = -(-_LEVIED_YEN // 200) * 100  # two of the four instalments
PAYMENT = TaxPaymentCertificate(
    fiscal_year=2026,
    name=WATANABE,
    name_reading="わたなべ かつらこ",
    address=ADDRESS,
    born_on=BORN_ON,
    born_in_era=True,
    confirmed_until=date(2026, 11, 20),
    lines=(
        TaxPaymentLine(
            tax="市民税・県民税・森林環境税",
            levied_yen=_LEVIED_YEN,
            paid_yen=_PAID_YEN,
            unpaid_yen=_LEVIED_YEN - _PAID_YEN,
        ),
        TaxPaymentLine(tax="固定資産税・都市計画税", levied_yen=84_000, paid_yen=84_000, unpaid_yen=0),
        TaxPaymentLine(tax="軽自動車税(種別割)", levied_yen=None, paid_yen=None, unpaid_yen=None),
    ),
)


def matter(title: str, *entries: tuple[str, str | None]) -> Matter:
    """A matter of a family register."""
    return Matter(title=title, entries=tuple(MatterEntry(label=label, value=value) for label, value in entries))


def _birth(on: str, by: str = "父") -> Matter:
    return matter("出生", ("出生日", on), ("出生地", "みほん県みほん市"), ("届出日", on), ("届出人", by))


def _marriage(other: str, before: str) -> Matter:
    return matter("婚姻", ("婚姻日", "平成18年6月6日"), ("配偶者氏名", other), ("従前戸籍", before))


ICHIRO = RegisteredPerson(
    given_name="一郎",
    given_name_reading="いちろう",
    born_on=date(1983, 7, 9),
    spouse="夫",
    father="渡\u9089\U000e010f 幸雄",
    mother="渡\u9089\U000e010f 松子",
    relationship="長男",
    matters=(
        _birth("昭和58年7月9日"),
        _marriage("佐藤 葛\U000e0102子", "みほん県みほん市本町一丁目9番 渡\u9089\U000e010f 幸雄"),
    ),
)
KATSURAKO = RegisteredPerson(
    given_name="葛\U000e0102子",
    given_name_reading="かつらこ",
    born_on=BORN_ON,
    spouse="妻",
    father="佐藤 次郎",
    mother="佐藤 梅子",
    relationship="二女",
    matters=(
        _birth("昭和60年4月3日"),
        _marriage("渡\u9089\U000e010f 一郎", "架空県そら市北町三丁目14番地 佐藤 次郎"),
    ),
)
ADOPTED = RegisteredPerson(
    given_name="さくら",
    given_name_reading="さくら",
    born_on=date(2012, 3, 4),
    father=None,
    mother="見本 花子",
    relationship="長女",
    adoptive=AdoptiveParents(
        father="渡\u9089\U000e010f 一郎", mother="渡\u9089\U000e010f 葛\U000e0102子", relationship="養女"
    ),
    matters=(
        _birth("平成24年3月4日", "母"),
        matter(
            "養子縁組",
            ("縁組日", "平成27年5月5日"),
            ("養父氏名", "渡\u9089\U000e010f 一郎"),
            ("養母氏名", "渡\u9089\U000e010f 葛\U000e0102子"),
            ("代諾者", "親権者母"),
            ("従前戸籍", "みほん県みほん市南町5番 見本 花子"),
        ),
    ),
)
REMOVED = RegisteredPerson(
    given_name="太一",
    given_name_reading="たいち",
    born_on=date(2008, 2, 29),
    father="渡\u9089\U000e010f 一郎",
    mother="渡\u9089\U000e010f 葛\U000e0102子",
    relationship="長男",
    removed=True,
    matters=(
        _birth("平成20年2月29日"),
        matter(
            "婚姻",
            ("婚姻日", "令和8年4月1日"),
            ("配偶者氏名", "見本 月子"),
            ("新本籍", "架空県そら市東町1番"),
            ("称する氏", "夫の氏"),
        ),
    ),
)
REGISTER_MATTERS = (
    matter("戸籍編製", ("編製日", "平成18年6月6日")),
    matter("転籍", ("転籍日", "平成30年8月8日"), ("従前本籍", "架空県そら市西町7番")),
)


def register(*people: RegisteredPerson) -> FamilyRegisterCertificate:
    """A full family register certificate of these people."""
    return FamilyRegisterCertificate(
        domicile=DOMICILE,
        surname="渡\u9089\U000e010f",
        surname_reading="わたなべ",
        head_given_name="一郎",
        matters=REGISTER_MATTERS,
        people=people,
    )


def individual(*people: RegisteredPerson) -> FamilyRegisterIndividualCertificate:
    """An individual family register certificate of these people."""
    return FamilyRegisterIndividualCertificate(
        domicile=DOMICILE,
        surname="渡\u9089\U000e010f",
        surname_reading="わたなべ",
        head_given_name="一郎",
        matters=REGISTER_MATTERS,
        people=people,
    )


MOVED = (
    DatedAddress(address="架空県そら市北町三丁目14番地15 メゾン架空 203号", since=date(2006, 6, 6)),
    DatedAddress(address="みほん県みほん市南町5番6号", since=date(2015, 4, 1)),
    DatedAddress(address=ADDRESS, since=date(2019, 5, 1)),
)
LIVED = SupplementaryPerson(
    name=WATANABE, name_reading="わたなべ かつらこ", born_on=BORN_ON, sex="女", addresses=MOVED, overseas_voter=None
)
ABROAD = SupplementaryPerson(
    name="渡\u9089\U000e010f 一郎",
    born_on=date(1983, 7, 9),
    sex="男",
    addresses=MOVED,
    overseas_voter="令和6年7月1日 みほん県みほん市 登録",
)
REMOVED_BEFORE = SupplementaryPerson(
    name="渡\u9089\U000e010f 月子",
    born_on=None,
    sex=None,
    removed_on=date(2021, 3, 3),
    addresses=(DatedAddress(address="架空県そら市東町1番", since=None),),
)


def supplementary(
    *people: SupplementaryPerson,
    everybody: bool = True,
    items: frozenset[SupplementaryItem] = ALL_SUPPLEMENTARY,
) -> SupplementaryRegisterCopy:
    """A copy of the supplementary register of these people; every item chosen unless said otherwise."""
    chosen = SupplementaryItem.DOMICILE in items
    return SupplementaryRegisterCopy(
        domicile=DOMICILE if chosen else None,
        domicile_head="渡\u9089\U000e010f 一郎" if chosen else None,
        everybody=everybody,
        items=items,
        people=people,
    )
