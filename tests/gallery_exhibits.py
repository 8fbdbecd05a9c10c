"""What the gallery shows: every kind with its important variants, of people who do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import msgspec

from deploy.demo.seal_pictures import square_seal_png
from deploy.demo.town_tax_rules import Claims, Income
from printing.paper.records import (
    Certificate,
    ForeignResidentItems,
    Issuance,
    RegisteredPerson,
    ResidencePerson,
    StatedPerson,
    SupplementaryPerson,
    TaxationCertificate,
)
from tests.certificate_parts import NOTHING_BUT_NAMES
from tests.paper_samples import (
    ALL_ITEMS,
    CHINESE,
    FOREIGN,
    INDIVIDUAL_NUMBER,
    ISSUANCE,
    JAPANESE,
    TAXED,
    WITHHELD,
    assessed,
    bare,
    line,
    residence,
    taxed_in,
)
from tests.paper_samples_more import (
    ABROAD,
    ADOPTED,
    FEW_STATED,
    ICHIRO,
    INCOME,
    KATSURAKO,
    LIVED,
    MOVED,
    PAYMENT,
    REMOVED,
    REMOVED_BEFORE,
    SEALED,
    SEALED_FOREIGN,
    STATED_FOREIGN,
    STATED_JAPANESE,
    individual,
    matter,
    register,
    stated,
    supplementary,
)

_NUMBERS = (INDIVIDUAL_NUMBER, "234567890121", "345678901234", "456789012346")
_STATED_CHINESE = StatedPerson(
    name=CHINESE.name,
    kanji_name="李 小明",
    foreign=True,
    born_on=CHINESE.born_on,
    sex=CHINESE.sex,
    relationship=CHINESE.relationship,
    resident_since=date(2024, 4, 5),
    address_since=CHINESE.address_since,
    notified_on=CHINESE.notified_on,
    nationality="中国",
    category="中長期在留者",
    status="留学",
    period="2年3月",
    expires_on=date(2027, 1, 5),
    card_number="CD23456789EF",
)
LONG_NAME = "MONTEMAYOR VILLAVICENCIO ECHEVERRIA GUADALUPE CONCEPCION FRANCISCA"
LONG_READING = "モンテマヨール ビジャビセンシオ エチェベリア グアダルーペ"
HALF_ADDRESS = "みほん県みほん市中央一丁目2番3号 " + "アルファベータガンマデルタ" * 2 + " 2001号室"
LONG_ADDRESS = "みほん県みほん市中央一丁目2番3号 " + "アルファベータガンマデルタ" * 4 + " 2001号室"

BORN_HERE = date(2026, 10, 5)  # within sixty days of the papers' date

replace = msgspec.structs.replace

WARD_HEAD = replace(
    ISSUANCE,
    certifier=replace(
        ISSUANCE.certifier,
        office="みほん市緑区役所",
        title="みほん市緑区長",
        name="見本 みどり",
        seal_png=square_seal_png("みほん市緑区長之印", 24.0),
    ),
)
ACTING_HEAD = replace(
    ISSUANCE,
    certifier=replace(
        ISSUANCE.certifier,
        title="みほん市長職務代理者 みほん市副市長",
        name="見本 次郎",
        seal_png=square_seal_png("みほん市長職務代理者之印", 30.0),
    ),
)
TOWN = replace(
    ISSUANCE,
    certifier=replace(
        ISSUANCE.certifier,
        municipality_name="みほん町",
        office="みほん町役場",
        title="みほん町長",
        name="見本 町子",
        seal_png=square_seal_png("みほん町長之印", 18.0),
    ),
)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One certificate of the gallery."""

    file: str
    shows: str
    record: Certificate
    issuance: Issuance = ISSUANCE


def _foreign(name: str, born_on: date, **changes: object) -> ResidencePerson:
    """A man who came, or was entered, on the day that he became a foreign resident."""
    assert FOREIGN.foreign is not None
    without: dict[str, object] = {"alias": None, "alias_history": (), "kanji_name": None}
    foreign = replace(FOREIGN.foreign, **(without | changes))
    since = max(foreign.became_foreign_resident_on or born_on, date(2012, 7, 9))
    person = replace(FOREIGN, name=name, name_reading=None, born_on=born_on, sex="男", relationship="同居人")
    return replace(person, address_since=since, notified_on=since, foreign=foreign)


def _household() -> tuple[ResidencePerson, ...]:
    husband = replace(
        JAPANESE,
        name="渡\u9089\U000e010f 一郎",
        name_reading="わたなべ いちろう",
        former_surname=None,
        former_surname_reading=None,
    )
    daughter = replace(husband, name="渡\u9089\U000e010f さくら", name_reading="わたなべ さくら", moved_in_from=None)
    return (
        JAPANESE,
        replace(husband, born_on=date(1983, 7, 9), sex="男", relationship="夫"),
        replace(daughter, born_on=date(2012, 3, 4), sex="女", relationship="子", became_resident_on=date(2015, 5, 5)),
        replace(FOREIGN, relationship="同居人"),
        replace(bare("見本 四郎"), relationship="縁故者"),
    )


def _untaxed() -> TaxationCertificate:
    return replace(
        assessed(2025, Income(salary_yen=980_000), Claims()),
        name="RAMIREZ GONZALEZ MARIA FERNANDA",
        name_reading=None,
        alias="山田 マリア",
        born_on=date(1990, 5, 3),
        born_in_era=False,
    )


def _every_category() -> tuple[ResidencePerson, ...]:
    no_term: dict[str, object] = {"status": None, "period": None, "expires_on": None}
    return (
        FOREIGN,
        _foreign(
            "KIM MINJUN",
            date(1958, 6, 7),
            category="特別永住者",
            nationality="韓国",
            alias="金田 民俊",
            alias_history=("昭和50年4月1日 記載 金田 民俊",),
            kanji_name="金 民俊",
            card_number="EF34567890GH",
            became_foreign_resident_on=date(2012, 7, 9),
            **no_term,
        ),
        _foreign(
            "NGUYEN VAN AN",
            date(1992, 11, 30),
            category="一時庇護許可者",
            nationality="ベトナム",
            card_number=None,
            became_foreign_resident_on=date(2026, 9, 1),
            **no_term,
        ),
        _foreign(
            "SILVA LUCAS",
            BORN_HERE,
            category="出生による経過滞在者",
            nationality="ブラジル",
            card_number=None,
            became_foreign_resident_on=BORN_HERE,
            **no_term,
        ),
    )


def _longest() -> tuple[ResidencePerson, ...]:
    long = replace(
        JAPANESE,
        name="じゅげむじゅげむごこうのすりきれ かいじゃりすいぎょのすいぎょうまつ",
        name_reading="じゅげむじゅげむごこうのすりきれ かいじゃりすいぎょ",
        moved_in_from=LONG_ADDRESS,
        previous_address=LONG_ADDRESS,
        domicile=LONG_ADDRESS,
        domicile_head="じゅげむじゅげむごこうのすりきれ かいじゃりすいぎょ",
        former_surname="勘解由小路左衛門尉",
        former_surname_reading="かでのこうじさえもんのじょう",
        remarks="令和8年11月1日 記載の誤りを職権で修正 " * 6,
        individual_number=INDIVIDUAL_NUMBER,
    )
    assert FOREIGN.foreign is not None
    foreign = replace(
        FOREIGN.foreign,
        nationality="グレートブリテン及び北アイルランド連合王国",
        category="出生・国籍喪失による経過滞在者",
        status="特定技能2号(自動車運送業・飲食料品製造業・外食業)",
        alias="山田 マリア フェルナンダ グアダルーペ コンセプシオン",
        alias_history=(
            "令和2年4月1日 記載 山田 マリア",
            "令和4年5月2日 削除 山田 マリア",
            "令和4年5月2日 記載 山田 真理亜",
        ),
        kanji_name="李 小明 王 大龍 張",
    )
    abroad = replace(
        FOREIGN,
        name=LONG_NAME,
        name_reading=LONG_READING,
        moved_in_from=HALF_ADDRESS,
        previous_address=HALF_ADDRESS,
        remarks="令和8年11月1日 記載の誤りを職権で修正 " * 2,
        individual_number=INDIVIDUAL_NUMBER,
        foreign=foreign,
    )
    numbered = zip((long, abroad, long, abroad), _NUMBERS, strict=False)
    return tuple(replace(person, individual_number=number) for person, number in numbered)


def _mixed(*, chosen: bool) -> tuple[ResidencePerson, ...]:
    """Two Japanese nationals and two foreign residents, with every value, or without those of items not chosen."""
    assert FOREIGN.foreign is not None
    previous = "みほん県みほん市南町5番6号"
    japanese = replace(JAPANESE, individual_number=INDIVIDUAL_NUMBER, previous_address=previous)
    daughter = replace(
        japanese,
        name="渡\u9089\U000e010f さくら",
        name_reading="わたなべ さくら",
        former_surname=None,
        former_surname_reading=None,
        born_on=date(2012, 3, 4),
        relationship="子",
        became_resident_on=date(2012, 3, 4),
        moved_in_from=None,
        individual_number=_NUMBERS[1],
    )
    permanent = replace(
        FOREIGN,
        previous_address=previous,
        individual_number=_NUMBERS[2],
        foreign=replace(FOREIGN.foreign, status="永住者", period=None, expires_on=None),
    )
    student = replace(CHINESE, previous_address="架空県そら市東町1番", individual_number=_NUMBERS[3])
    people = (japanese, daughter, permanent, student)
    return people if chosen else tuple(map(_unchosen, people))


def _unchosen(person: ResidencePerson) -> ResidencePerson:
    foreign = person.foreign
    if foreign is not None:
        foreign = ForeignResidentItems(
            became_foreign_resident_on=foreign.became_foreign_resident_on,
            alias=foreign.alias,
            kanji_name=foreign.kanji_name,
        )
    return replace(
        person,
        relationship=None,
        domicile=None,
        domicile_head=None,
        previous_address=None,
        individual_number=None,
        foreign=foreign,
    )


def _tax_missing() -> TaxationCertificate:
    return replace(
        TAXED,
        name_reading=None,
        incomes=(),
        totals=(),
        deductions=(),
        dependants=(),
        taxable_base_yen=None,
        credits=(),
        flat_rate_reduction_yen=None,
        city_income_based_yen=None,
        city_per_capita_yen=None,
        prefecture_income_based_yen=None,
        prefecture_per_capita_yen=None,
        forest_tax_yen=None,
        annual_yen=5_000,
    )


def _tax_longest() -> TaxationCertificate:
    kinds = (
        "社会保険料",
        "小規模企業共済等掛金",
        "生命保険料",
        "地震保険料",
        "障害者",
        "寡婦・ひとり親",
        "勤労学生",
        "配偶者",
    )
    return replace(
        TAXED,
        name=LONG_NAME,
        name_reading=LONG_READING,
        alias="山田 マリア フェルナンダ グアダルーペ コンセプシオン",
        address_on_1_january=LONG_ADDRESS,
        incomes=tuple(
            line(f"{kind}の{part}", 999_999_999_999)
            for kind in ("給与", "公的年金等", "営業等", "農業", "不動産", "分離課税の上場株式等に係る配当等")
            for part in ("収入金額", "所得金額")
        ),
        totals=tuple(line(f"{kind}金額", 999_999_999_999) for kind in ("総所得", "合計所得", "総所得金額等の合計")),
        deductions=tuple(line(f"{kind}控除", 999_999_999_999) for kind in (*kinds, "扶養", "基礎")),
        dependants=tuple(
            (f"{kind}扶養親族", 12) for kind in ("一般の控除対象", "特定", "同居老親等の老人", "16歳未満の")
        ),
        credits=tuple(line(f"{kind}控除", 999_999_999_999) for kind in ("調整", "住宅借入金等特別税額", "寄附金税額")),
        annual_yen=999_999_999_999,
    )


def _stated_longest() -> tuple[StatedPerson, ...]:
    return (
        replace(
            STATED_JAPANESE,
            name=LONG_NAME,
            name_reading=LONG_READING,
            domicile=LONG_ADDRESS,
            moved_in_from=LONG_ADDRESS,
            previous_address=LONG_ADDRESS,
            remarks="令和8年11月1日 記載の誤りを職権で修正 " * 6,
        ),
        replace(
            STATED_FOREIGN,
            name=LONG_NAME,
            name_reading=LONG_READING,
            alias="山田 マリア フェルナンダ グアダルーペ コンセプシオン",
            nationality="グレートブリテン及び北アイルランド連合王国",
            category="出生・国籍喪失による経過滞在者",
            status="特定技能2号(自動車運送業・飲食料品製造業・外食業)",
            alias_history=("令和2年4月1日 記載 山田 マリア", "令和4年5月2日 削除 山田 マリア") * 2,
            moved_in_from=LONG_ADDRESS,
        ),
    )


def _registered_longest(person: RegisteredPerson) -> RegisteredPerson:
    return replace(
        person,
        given_name="じゅげむじゅげむごこうのすりきれかいじゃりすいぎょのすいぎょうまつ",
        given_name_reading="じゅげむじゅげむごこうのすりきれ",
        father="MONTEMAYOR VILLAVICENCIO ECHEVERRIA GUADALUPE",
        mother="じゅげむじゅげむ ごこうのすりきれかいじゃりすいぎょ",
        matters=(
            matter(
                "特別養子縁組による入籍", ("届出を受けた者", LONG_ADDRESS), ("従前戸籍", LONG_ADDRESS + HALF_ADDRESS)
            ),
        ),
    )


def _nothing_registered() -> RegisteredPerson:
    return RegisteredPerson(given_name="太郎", born_on=date(2001, 1, 2), father=None, mother=None, relationship=None)


def _nothing_lived() -> SupplementaryPerson:
    return SupplementaryPerson(name="見本 太郎", born_on=None, sex=None, addresses=())


def _nothing_known() -> ResidencePerson:
    return replace(
        bare("LEE"), sex=None, foreign=ForeignResidentItems(became_foreign_resident_on=None), born_on=date(1990, 5, 3)
    )


def exhibits() -> tuple[Exhibit, ...]:
    """Return the gallery's certificates, in the order of the index."""
    return (*_residence(), *_items_and_seals(), *_taxes(), *_registers(), *_supplementary())


def _residence() -> Iterator[Exhibit]:
    numbered = replace(JAPANESE, individual_number=INDIVIDUAL_NUMBER, previous_address="みほん県みほん市南町5番6号")
    everything, nothing = (
        residence(*_mixed(chosen=True), whole=True),
        residence(*_mixed(chosen=False), items=frozenset(), whole=True),
    )
    household = residence(*_household(), whole=True)
    omitted = residence(bare("見本 花子"), _nothing_known(), items=frozenset())
    empty = residence(replace(bare("見本 花子"), sex=None), _nothing_known(), items=ALL_ITEMS)
    longest = replace(residence(*_longest()), address=LONG_ADDRESS, head_of_household=LONG_NAME)
    yield Exhibit(
        "residence-one", "one Japanese national, every item chosen, Individual Number too", residence(numbered)
    )
    yield Exhibit("residence-household", "a whole household of five on two sheets", household)
    yield Exhibit(
        "residence-all-chosen", "a mixed household, every item on; a ward's head certifies", everything, WARD_HEAD
    )
    yield Exhibit("residence-none-chosen", "the same household, every item off", nothing)
    yield Exhibit("residence-foreign", "every category of foreign resident", residence(*_every_category()))
    yield Exhibit("residence-empty", "every item on, nothing recorded, not even the sex", empty)
    yield Exhibit("residence-empty-none-chosen", "every item off, nothing recorded", omitted)
    yield Exhibit("residence-longest", "the longest values: shrunk, then wrapped; the code at its largest", longest)


def _items_and_seals() -> Iterator[Exhibit]:
    unrecorded = stated(*(replace(person, name_reading=None) for person in NOTHING_BUT_NAMES))
    few = replace(FEW_STATED, address=LONG_ADDRESS)
    seal = replace(SEALED_FOREIGN, name=LONG_NAME, alias=LONG_READING, address=LONG_ADDRESS)
    yield Exhibit("items-all", "every item asked for", stated(STATED_JAPANESE, STATED_FOREIGN, _STATED_CHINESE))
    yield Exhibit("items-few", "the address alone asked for", FEW_STATED)
    yield Exhibit("items-empty", "every item asked for, nothing recorded", replace(unrecorded, head_of_household=None))
    yield Exhibit("items-longest", "the longest values", replace(stated(*_stated_longest()), address=few.address))
    yield Exhibit("seal", "a seal of 15 mm at true size, a former surname", SEALED)
    yield Exhibit("seal-foreign", "the largest seal, an alias", SEALED_FOREIGN)
    yield Exhibit("seal-longest", "the longest values", seal)


def _taxes() -> Iterator[Exhibit]:
    long_income = replace(
        INCOME,
        name=LONG_NAME,
        name_reading=LONG_READING,
        address_on_1_january=LONG_ADDRESS,
        incomes=tuple(replace(part, label=part.label * 2) for part in _tax_longest().incomes),
    )
    long_payment = replace(
        PAYMENT,
        name=LONG_NAME,
        name_reading=LONG_READING,
        address=LONG_ADDRESS,
        lines=tuple(
            replace(part, tax=part.tax * 3, levied_yen=999_999_999_999, paid_yen=0, unpaid_yen=999_999_999_999)
            for part in PAYMENT.lines * 4
        ),
    )
    yield Exhibit("income", "incomes by kind, one of them not recorded", INCOME)
    yield Exhibit("income-longest", "the longest values", long_income)
    yield Exhibit("taxed-2023", "a fiscal year before the forest tax", taxed_in(2023))
    yield Exhibit("taxed-2024", "a fiscal year of the flat-rate reduction; an acting head", taxed_in(2024), ACTING_HEAD)
    yield Exhibit("taxed-2025", "the next year", TAXED)
    yield Exhibit(
        "taxed-2026", "a deduction that begins; a town's taxes", taxed_in(2026, special_relatives_yen=110_000), TOWN
    )
    yield Exhibit("taxed-empty", "nothing recorded but what is due", _tax_missing())
    yield Exhibit("taxed-longest", "the longest values", _tax_longest())
    yield Exhibit("untaxed", "no tax levied, foreign resident with an alias", _untaxed())
    yield Exhibit("withheld", "a dependant who did not declare: no amounts", WITHHELD)
    yield Exhibit("payment", "levied, paid, unpaid; one tax not recorded", PAYMENT)
    yield Exhibit("payment-longest", "the longest values", long_payment)


def _registers() -> Iterator[Exhibit]:
    entries = ((f"従前の記録{n}", LONG_ADDRESS if n % 6 == 0 else f"みほん県みほん市南町{n}番") for n in range(1, 25))
    continued = replace(ICHIRO, matters=(*ICHIRO.matters, matter("氏の変更", *entries)))
    longest = register(*map(_registered_longest, (ICHIRO, ADOPTED)))
    empty = replace(individual(_nothing_registered()), matters=(matter("戸籍編製", ("編製日", None)),))
    family = register(ICHIRO, KATSURAKO, REMOVED, ADOPTED)
    one = replace(individual(_registered_longest(ADOPTED)), domicile=LONG_ADDRESS)
    yield Exhibit("register", "full, on two sheets, one person removed", family)
    yield Exhibit("register-continued", "a matter divided between sheets, headings that continue", register(continued))
    yield Exhibit("register-longest", "the longest values", replace(longest, domicile=LONG_ADDRESS))
    yield Exhibit(
        "register-individual",
        "individual: an adopted daughter; a ward's head certifies",
        individual(ADOPTED),
        WARD_HEAD,
    )
    yield Exhibit("register-individual-longest", "individual: the longest values", one)
    yield Exhibit("register-individual-empty", "individual: nothing recorded", empty)


def _supplementary() -> Iterator[Exhibit]:
    moved = tuple(replace(address, address=LONG_ADDRESS) for address in MOVED)
    long = replace(ABROAD, name=LONG_NAME, name_reading=LONG_READING, addresses=moved, overseas_voter=LONG_ADDRESS)
    longest = replace(supplementary(long, LIVED), domicile=LONG_ADDRESS)
    part = supplementary(LIVED, everybody=False, items=frozenset())
    everybody = supplementary(ABROAD, LIVED, REMOVED_BEFORE)
    empty = replace(supplementary(_nothing_lived()), domicile=None, domicile_head=None)
    yield Exhibit("supplementary", "everybody, every item chosen, one removed before 2022-01-11", everybody)
    yield Exhibit("supplementary-part", "one person, no item chosen", part)
    yield Exhibit("supplementary-empty", "every item chosen, nothing recorded", empty)
    yield Exhibit("supplementary-longest", "the longest values", longest)
