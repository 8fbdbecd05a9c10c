"""The words of the documents: what each is called and used for, whose entries it may show, and what may stand in it.

The title on the paper is the server's; what stands here is what a resident chooses by. Help is one short line, only
where somebody would wonder. What a document is used for is a hint: the receiver decides, and the screen says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Words = tuple[str, str]  # Japanese, English

INDIVIDUAL_NUMBER = "individual_number"


class Group(StrEnum):
    """How people think of the documents."""

    HOME = "home"
    SEAL = "seal"
    TAX = "tax"
    FAMILY = "family"
    OTHER = "other"  # a kind that this terminal has no words for yet


@dataclass(frozen=True, slots=True)
class DocumentWords:
    """One kind: its group, name, use, and what to know before it is chosen."""

    group: Group
    name: Words
    use: Words
    note: Words


@dataclass(frozen=True, slots=True)
class ItemWords:
    """One optional item: its name, and one line of help where somebody would wonder."""

    name: Words
    help: Words | None = None


GROUPS: dict[Group, Words] = {
    Group.HOME: ("住まい", "Residence"),
    Group.SEAL: ("印鑑", "Seal"),
    Group.TAX: ("税", "Tax"),
    Group.FAMILY: ("戸籍", "Family register"),
    Group.OTHER: ("そのほか", "Others"),
}

#: The groups that stand below one another where there is room for columns.
COLUMNS: tuple[tuple[Group, ...], ...] = ((Group.HOME, Group.SEAL), (Group.TAX,), (Group.FAMILY, Group.OTHER))

_CURRENT_REGISTER = (
    "いまの戸籍だけです。除籍・改製原戸籍は、本籍地の窓口でお取りください。",
    "The current register only. For closed or former registers, please visit the counter.",
)
_INCOME_YEAR = (
    "年度の前の年、1月から12月の所得についての証明です。",
    "About the income from January to December of the year before the fiscal year.",
)

#: A kind without a row here shows the server's own title, under OTHER.
KINDS: dict[str, DocumentWords] = {
    "residence": DocumentWords(
        Group.HOME,
        ("住民票の写し", "Residence certificate"),
        ("勤め先、免許、引っ越しなどに", "For work, licence, moving"),
        ("旧氏や通称は、記録があればいつものります。", "A former surname or an alias, if recorded, is always shown."),
    ),
    "residence_items": DocumentWords(
        Group.HOME,
        ("住民票記載事項証明書", "Residence item certificate"),
        ("選んだ項目だけの証明", "Only the items you choose"),
        ("氏名と生年月日は、いつものります。", "Name and date of birth are always shown."),
    ),
    "seal_registration": DocumentWords(
        Group.SEAL,
        ("印鑑登録証明書", "Seal registration"),
        ("家や車の売買、契約などに", "For a house, car, contract"),
        ("登録した印影が、実物の大きさでのります。", "The registered seal is shown at its true size."),
    ),
    "income": DocumentWords(
        Group.TAX,
        ("所得証明書", "Income certificate"),
        ("保育園、奨学金、手当などに", "For nursery, benefits"),
        _INCOME_YEAR,
    ),
    "taxation": DocumentWords(
        Group.TAX,
        ("課税・非課税証明書", "Taxation certificate"),
        ("ローン、在留期間の更新などに", "For a loan, your stay"),
        _INCOME_YEAR,
    ),
    "tax_payment": DocumentWords(
        Group.TAX,
        ("納税証明書", "Tax payment certificate"),
        ("納めた税の額の証明", "How much was paid"),
        (
            "お支払いが記録にのるまで、2〜3週間かかります。",
            "It takes two to three weeks until a payment is on record.",
        ),
    ),
    "family_register": DocumentWords(
        Group.FAMILY,
        ("戸籍全部事項証明書", "Family register, full"),
        ("戸籍の全員分。相続などに", "Everybody in it"),
        _CURRENT_REGISTER,
    ),
    "family_register_individual": DocumentWords(
        Group.FAMILY,
        ("戸籍個人事項証明書", "Family register, individual"),
        ("必要な人の分だけ。年金などに", "Some people in it"),
        _CURRENT_REGISTER,
    ),
    "supplementary_register": DocumentWords(
        Group.FAMILY,
        ("戸籍の附票の写し", "Supplementary register"),
        ("これまでの住所の証明", "Your addresses so far"),
        (
            "いまの戸籍に入ってからの住所がのります。",
            "The addresses since you entered the current register.",
        ),
    ),
}

SCOPES: dict[str, Words] = {
    "self": ("本人だけ", "Only me"),
    "members": ("選んだ人", "People I choose"),
    "household": ("世帯全員", "Whole household"),
}
FAMILY_SCOPES: dict[str, Words] = SCOPES | {"household": ("戸籍の全員", "All in the register")}

_PREVIOUS_ADDRESS = ItemWords(
    ("異動前の住所", "Address before the change"),
    ("今の住所に変わる前の住所", "Before the present address"),
)
_DOMICILE = ItemWords(
    ("本籍・筆頭者", "Registered domicile, head"),
    ("戸籍のある場所と、その最初の人", "Where your family register is"),
)
_NATIONALITY = ItemWords(("国籍・地域", "Nationality or region"))
_STATUS = ItemWords(
    ("在留資格・在留期間", "Status and period of stay"),
    ("30条の45の区分と満了日も", "With category and expiry"),
)
_CARD_NUMBER = ItemWords(
    ("在留カード番号", "Residence card number"),
    ("特別永住者証明書の番号も", "Or special permanent resident's"),
)
_ALIAS_HISTORY = ItemWords(
    ("通称の履歴", "History of aliases"),
    ("通称をのせた日と、消した日", "When entered and removed"),
)
_NUMBER = ItemWords(
    ("個人番号(マイナンバー)", "My Number"),
    ("渡せる相手が決まっています", "Few may ask for it by law"),
)

#: Optional items by kind, in the order in which they are asked; the Individual Number is the last.
ITEMS: dict[str, dict[str, ItemWords]] = {
    "residence": {
        "relationship": ItemWords(
            ("世帯主・続柄", "Head of household, relationship"),
            ("世帯主の名前と、その人との関係", "Who heads it, and your relation"),
        ),
        "domicile": _DOMICILE,
        "nationality": _NATIONALITY,
        "status": _STATUS,
        "card_number": _CARD_NUMBER,
        "alias_history": _ALIAS_HISTORY,
        "previous_address": _PREVIOUS_ADDRESS,
        INDIVIDUAL_NUMBER: _NUMBER,
    },
    "residence_items": {
        "address": ItemWords(("住所", "Address")),
        "sex": ItemWords(("性別", "Sex")),
        "head_of_household": ItemWords(
            ("世帯主", "Head of household"),
            ("世帯を代表する人の名前", "Who stands for the household"),
        ),
        "relationship": ItemWords(
            ("続柄", "Relationship"),
            ("世帯主との関係(妻、子など)", "To the head: wife, child ..."),
        ),
        "domicile": _DOMICILE,
        "resident_since": ItemWords(
            ("住民となった日", "Resident since"),
            ("外国人住民となった日も", "Or foreign resident since"),
        ),
        "address_since": ItemWords(
            ("住所を定めた日", "At this address since"),
            ("今の住所に住み始めた日", "When you began to live there"),
        ),
        "notified_on": ItemWords(
            ("届け出た日", "Date of notification"),
            ("引っ越しなどを届け出た日", "When the move was notified"),
        ),
        "moved_in_from": ItemWords(
            ("転入前の住所", "Address before moving in"),
            ("前の市区町村での住所", "In the municipality before this"),
        ),
        "previous_address": _PREVIOUS_ADDRESS,
        "nationality": _NATIONALITY,
        "status": _STATUS,
        "card_number": _CARD_NUMBER,
        "alias_history": _ALIAS_HISTORY,
        "remarks": ItemWords(("備考", "Remarks"), ("備考欄に書かれていること", "What else the register notes")),
        INDIVIDUAL_NUMBER: _NUMBER,
    },
    "supplementary_register": {
        "domicile": _DOMICILE,
        "overseas_voter": ItemWords(
            ("在外選挙人の登録", "Overseas voter registration"),
            ("海外で投票するための登録", "For voting from abroad"),
        ),
    },
}


def group_of(kind: str) -> Group:
    """Return the group under which a kind is listed."""
    return KINDS[kind].group if kind in KINDS else Group.OTHER


def scope_of(kind: str, scope: str) -> Words:
    """Return the words for whose entries are shown: everybody of a household, or of a family register."""
    return (FAMILY_SCOPES if group_of(kind) is Group.FAMILY else SCOPES)[scope]


def item_of(kind: str, item: str) -> ItemWords:
    """Return an item's words; one that has none here is shown as the server calls it."""
    return ITEMS.get(kind, {}).get(item) or ItemWords((item, item))


def in_order(kind: str, items: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items in the order in which they are asked; those without words next, the Individual Number last."""
    known = list(ITEMS.get(kind, {}))

    def place(item: str) -> tuple[bool, int]:
        return item == INDIVIDUAL_NUMBER, known.index(item) if item in known else len(known)

    return tuple(sorted(items, key=place))
