"""The one description of a screen: what each state shows, and what it must not."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from werkzeug.datastructures import MultiDict

from protocol.errors import ErrorCode
from protocol.messages import PaymentMethod, Scope
from terminal import visit as v
from terminal.app import PLAIN_TOUCHES, TEMPLATES
from terminal.flow import HANDLERS
from terminal.screens import choosing
from terminal.screens.choices import details
from terminal.screens.choosing import BadTouch, Draft
from terminal.screens.view import ACTIONS, STEP, money_words, view
from terminal.screens.words import Lang
from terminal.visit import Money, State, TerminalCode, Visit
from tests.sample_visits import (
    CONFIRMING,
    DOMICILE_CODE,
    EVERY_KIND,
    FAMILY_KINDS,
    OFFERS,
    PAYMENT_ID,
    VISITS,
    offer,
    refused,
)


@pytest.mark.parametrize("lang", list(Lang))
@pytest.mark.parametrize("name", sorted(VISITS))
def test_every_screen_is_plain_json_with_a_title(name: str, lang: Lang) -> None:
    shown = view(VISITS[name], lang)
    assert msgspec.json.decode(msgspec.json.encode(shown))["state"] == VISITS[name].state
    assert shown["title"]
    assert shown["other_title"] != shown["title"]


def test_every_state_has_its_place() -> None:
    assert set(ACTIONS) == set(STEP) == set(TEMPLATES) == {visit.state for visit in VISITS.values()} == set(State)


def test_every_action_that_is_offered_is_handled_by_the_flow() -> None:
    touches: dict[str, type] = {name: type(make()) for name, make in PLAIN_TOUCHES.items()}
    touches |= {"digit": v.PinDigit, "choose": v.Choose, "code-key": v.CodeKey, "take-refund": v.TakeRefund}
    for visit in VISITS.values():
        for action in view(visit, Lang.JA)["actions"]:
            assert (visit.state, touches[action]) in HANDLERS, (visit.state, action)


def test_the_tries_are_shown_before_the_first_digit() -> None:
    shown = view(VISITS["pin"], Lang.JA)["pin"]
    assert (shown["tries"], shown["fewer"]) == ("入力できる回数: あと3回", False)
    shown = view(replace(VISITS["pin"], tries_left=2), Lang.JA)["pin"]
    assert (shown["tries"], shown["fewer"], shown["wrong"]) == ("入力できる回数: あと2回", True, False)
    assert "以前に" in shown["note"]


def test_a_pin_that_was_just_refused_is_called_wrong_and_no_other() -> None:
    again = VISITS["pin_again"]
    shown = view(again, Lang.JA)["pin"]
    assert (shown["tries"], shown["wrong"]) == ("暗証番号がちがいます。あと2回", True)
    assert view(again, Lang.EN)["pin"]["tries"] == "The PIN is wrong. Tries left: 2"
    assert "ちがいます" not in str(view(replace(again, pin_wrong=False), Lang.JA))
    last = replace(again, tries_left=1)
    assert "ちがいます" in view(last, Lang.JA)["title"]
    assert "ちがいます" not in view(replace(last, pin_wrong=False), Lang.JA)["title"]


def test_the_last_try_is_asked_about_before_the_pad_is_shown() -> None:
    assert view(VISITS["pin_last_try"], Lang.JA)["actions"] == ["confirm-last-try", "cancel"]
    assert "digit" in view(VISITS["pin_last_try_confirmed"], Lang.JA)["actions"]


def test_a_card_that_does_not_tell_its_tries_is_not_given_a_number() -> None:
    assert view(replace(VISITS["pin"], tries_left=None), Lang.JA)["pin"]["tries"] is None


def test_an_offer_that_cannot_be_had_says_why_and_when() -> None:
    shown = view(VISITS["choosing"], Lang.JA)["offers"]
    assert [entry["refusal"] is None for entry in shown] == [True, True, False]
    assert shown[2]["refusal"]["code"] == ErrorCode.NOT_OFFERED_NOW
    assert "1月5日 9時00分" in shown[2]["refusal"]["again"]
    assert "from 5 January, 09:00" in view(VISITS["choosing"], Lang.EN)["offers"][2]["refusal"]["again"]


def test_the_price_of_all_copies_stands_on_the_confirmation() -> None:
    one, two = view(VISITS["confirming"], Lang.JA)["confirm"], view(VISITS["confirming_two"], Lang.JA)["confirm"]
    assert (one["total_yen"], one["pay"]) == (300, "はい、300円を支払う")
    assert (two["total_yen"], two["copies"]) == (600, "2通")
    assert one["people"] == ["山● 太●", "山● 花●"]
    assert one["number_shown"]
    assert one["items_shown"] == ["世帯主・続柄"]


def test_what_is_left_to_pay_is_never_below_nothing() -> None:
    assert view(VISITS["collecting_some"], Lang.JA)["money"]["left_yen"] == 200
    assert view(VISITS["reserved"], Lang.JA)["money"]["left_yen"] == 0


@pytest.mark.parametrize(
    ("money", "said"),
    [
        (None, "料金はいただいていません。"),
        (Money(PAYMENT_ID, 300), "料金はいただいていません。"),
        (
            Money(PAYMENT_ID, 300, inserted_yen=500, returned_yen=500),
            "料金はいただいていません。500円を返却口にお返ししました。",
        ),
        (
            Money(PAYMENT_ID, 300, inserted_yen=500, owed_yen=500),
            "500円をまだお返しできていません。同じマイナンバーカードで、この端末のあるどのお店でも、お受け取りになれます。",
        ),
        (
            Money(PAYMENT_ID, 600, inserted_yen=1000, captured_yen=300, change_yen=600, owed_yen=100),
            "300円をいただきました。おつり600円を返却口にお出ししました。"
            "100円をまだお返しできていません。同じマイナンバーカードで、この端末のあるどのお店でも、お受け取りになれます。",
        ),
    ],
)
def test_the_money_is_said_as_it_was_counted(money: Money | None, said: str) -> None:
    assert money_words(refused(TerminalCode.PRINT_FAILED, money), Lang.JA) == said


def test_an_uncertain_fee_is_said_to_be_uncertain() -> None:
    money = Money(PAYMENT_ID, 300, inserted_yen=300, uncertain_yen=300)
    said = money_words(replace(VISITS["take_paper"], money=money), Lang.JA)
    assert said is not None
    assert "確認できませんでした" in said
    assert "いただきました" not in said


def test_nobodys_name_stands_where_nobody_is_known() -> None:
    for name in ("idle", "refused", "closed", "out_of_service", "pin"):
        assert "●" not in msgspec.json.encode(view(VISITS[name], Lang.JA)).decode()


def test_the_paper_that_is_counted_is_only_what_may_be_kept() -> None:
    counted = {"copies": 1, "sheets": 2, "sheets_words": "2枚"}
    assert view(VISITS["take_paper"], Lang.JA)["paper"] == counted
    assert view(VISITS["take_paper_one_of_two"], Lang.JA)["paper"] == counted


def test_change_is_spoken_of_only_where_there_is_some() -> None:
    assert "おつり" in view(VISITS["take_paper"], Lang.JA)["lead"]
    exact = replace(VISITS["take_paper"], money=Money(PAYMENT_ID, 300, inserted_yen=300, captured_yen=300))
    assert "おつり" not in view(exact, Lang.JA)["lead"]
    assert "おつり" not in view(replace(exact, money=None), Lang.JA)["lead"]


def test_one_sheet_is_asked_about_as_one() -> None:
    assert view(VISITS["ask_sheets"], Lang.EN)["title"] == "Are all 2 sheets there?"
    assert view(VISITS["ask_sheets_one"], Lang.EN)["title"] == "Did one sheet come out?"


def test_the_paper_s_own_title_stands_beside_a_translated_one() -> None:
    english, japanese = (view(VISITS["confirming"], lang)["confirm"] for lang in (Lang.EN, Lang.JA))
    assert (english["title"], english["printed_title"]) == ("Residence certificate", "住民票の写し")
    assert japanese["printed_title"] is None


# choosing

CHOOSING = VISITS["choosing"]


def form(*pairs: tuple[str, str]) -> MultiDict[str, str]:
    return MultiDict(pairs)


def test_the_usual_choice_is_the_requester_alone_with_the_fewest_items() -> None:
    draft = choosing.usual(OFFERS, 0)
    assert (draft.scope, draft.members, draft.items, draft.copies) == (Scope.SELF, (), (), 1)
    assert choosing.usual(OFFERS, 1).fiscal_year == 2025
    assert choosing.read_draft(form(("offer", "0")), CHOOSING) == draft


def test_a_full_form_becomes_the_flows_choice() -> None:
    draft = choosing.read_draft(
        form(
            ("offer", "0"),
            ("scope", "members"),
            ("members", "m1"),
            ("members", "m2"),
            ("members", "m1"),
            ("items", "domicile"),
            ("copies", "2"),
        ),
        CHOOSING,
    )
    assert draft.missing() is None
    chosen = choosing.choice(draft, CHOOSING)
    assert (chosen.scope, chosen.members, chosen.items, chosen.copies) == (
        Scope.MEMBERS,
        ("m1", "m2"),
        ("domicile",),
        2,
    )


def test_members_count_only_where_members_are_chosen() -> None:
    draft = choosing.read_draft(
        form(("offer", "0"), ("scope", "household"), ("members", "m1"), ("copies", "1")), CHOOSING
    )
    assert draft.members == ()


@pytest.mark.parametrize(
    ("field", "pairs"),
    [
        ("offer", ()),
        ("offer", (("offer", "9"),)),
        ("offer", (("offer", "-1"),)),
        ("offer", (("offer", "٣"),)),
        ("offer", (("offer", "2"),)),  # refused
        ("scope", (("offer", "0"), ("scope", "everybody"))),
        ("scope", (("offer", "1"), ("scope", "household"))),
        ("members", (("offer", "0"), ("scope", "members"), ("members", "m9"), ("copies", "1"))),
        ("items", (("offer", "0"), ("scope", "self"), ("items", "income"), ("copies", "1"))),
        ("copies", (("offer", "0"), ("scope", "self"), ("copies", "6"))),
        ("copies", (("offer", "0"), ("scope", "self"), ("copies", "0"))),
        ("copies", (("offer", "0"), ("scope", "self"))),
        ("fiscal_year", (("offer", "1"), ("scope", "self"), ("copies", "1"))),
        ("fiscal_year", (("offer", "1"), ("scope", "self"), ("copies", "1"), ("fiscal_year", "1999"))),
        ("page", (("offer", "0"), ("scope", "self"), ("copies", "1"), ("page", "elsewhere"))),
    ],
)
def test_a_form_that_no_page_sends_is_refused_by_field(field: str, pairs: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(BadTouch) as refusal:
        choosing.read_draft(form(*pairs), CHOOSING)
    assert refusal.value.field == field


def test_a_year_between_two_offered_ones_is_refused() -> None:
    visit = replace(CHOOSING, offers=(offer("taxation", fiscal_years=(2025, 2023), scopes=(Scope.SELF,)),))
    with pytest.raises(BadTouch, match="fiscal_year"):
        choosing.read_draft(form(("offer", "0"), ("scope", "self"), ("copies", "1"), ("fiscal_year", "2024")), visit)


def test_the_options_page_says_what_is_chosen_and_what_it_costs() -> None:
    draft = Draft(0, Scope.MEMBERS, ("m1",), ("individual_number",), None, 3)
    shown = details(CHOOSING, draft, Lang.JA)
    assert shown["total"] == "900円"
    assert shown["individual_number"]
    assert [member["chosen"] for member in shown["members"]] == [False, True, False, False]
    assert shown["members"][0]["words"] == "山● 太● (あなた)"


def test_nobody_chosen_is_said_only_when_the_resident_wants_to_go_on() -> None:
    draft = Draft(0, Scope.MEMBERS, (), (), None, 1)
    assert details(CHOOSING, draft, Lang.JA)["missing"] is None
    assert details(CHOOSING, draft, Lang.JA, complain=True)["missing"] == "1人以上選んでください。"


def test_the_documents_stand_in_the_groups_that_people_think_of() -> None:
    shown = view(VISITS["choosing_every_kind"], Lang.JA)["choices"]
    groups = [(g["name"], [o["kind"] for o in g["offers"]]) for column in shown["columns"] for g in column]
    assert groups == [
        ("住まい", ["residence", "residence_items"]),
        ("印鑑", ["seal_registration"]),
        ("税", ["income", "taxation", "tax_payment"]),
        ("戸籍", ["family_register", "family_register_individual", "supplementary_register"]),
    ]
    assert (shown["municipalities"], shown["back"], shown["usual"]["kind"]) == ([], False, "residence")


def test_a_kind_of_tomorrow_is_shown_with_the_servers_own_title() -> None:
    visit = replace(CHOOSING, offers=(offer("of_tomorrow", title="あすの証明書"),))
    shown = view(visit, Lang.EN)["choices"]
    assert shown["columns"][0][0]["name"] == "Others"
    assert shown["columns"][0][0]["offers"][0]["title"] == "あすの証明書"
    assert shown["usual"] is None


def test_municipalities_are_told_by_name_and_documents() -> None:
    visit = VISITS["choosing_two_places"]
    shown = view(visit, Lang.JA)
    places = shown["choices"]["municipalities"]
    assert [place["code"] for place in places] == ["999016", DOMICILE_CODE]
    assert places[1]["documents"] == ["戸籍全部事項証明書", "戸籍個人事項証明書", "戸籍の附票の写し"]
    assert shown["title"] == "どちらの市区町村の証明書ですか"
    assert shown["choices"]["columns"] == []
    home = view(visit, Lang.JA, "999016")
    assert (home["title"], home["choices"]["back"]) == ("証明書を選んでください", True)
    assert len(home["offers"]) == len(visit.offers)  # the index of an offer is the same everywhere


def test_a_municipality_is_told_by_what_this_person_may_have_there() -> None:
    two = VISITS["choosing_two_places"]
    here = tuple(
        msgspec.structs.replace(made, refusal=ErrorCode.NOT_ISSUABLE_HERE, members=())
        for made in EVERY_KIND.values()
        if made.kind in FAMILY_KINDS
    )
    closed = msgspec.structs.replace(two.offers[-1], refusal=ErrorCode.NOT_OFFERED_NOW)
    places = view(replace(two, offers=(*two.offers[:-1], closed, *here)), Lang.JA)["choices"]["municipalities"]
    assert [len(place["documents"]) for place in places] == [6, 3]
    none = replace(two, offers=(*here, two.offers[-1]))
    assert len(view(none, Lang.JA)["choices"]["municipalities"][0]["documents"]) == 3


def test_what_cannot_be_had_of_one_municipality_is_said_of_that_one_alone() -> None:
    two = VISITS["choosing_two_places"]
    closed = tuple(
        msgspec.structs.replace(o, refusal=ErrorCode.NOT_OFFERED_NOW) if o.municipality_code == DOMICILE_CODE else o
        for o in two.offers
    )
    visit = replace(two, offers=closed)
    places = view(visit, Lang.JA)["choices"]["municipalities"]
    assert [place["nothing"] for place in places] == [False, True]
    assert not view(visit, Lang.JA)["nothing_to_choose"]
    assert view(visit, Lang.JA, DOMICILE_CODE)["nothing_to_choose"]
    assert not view(visit, Lang.JA, "999016")["nothing_to_choose"]


def test_when_it_can_be_had_again_is_said_only_of_hours() -> None:
    again = "2026-01-05T09:00:00+09:00"
    visit = replace(
        CHOOSING, offers=(offer(refusal=ErrorCode.NOT_ISSUABLE_HERE, available_again=again, title="住民票の写し"),)
    )
    assert view(visit, Lang.JA)["offers"][0]["refusal"]["again"] is None


@pytest.mark.parametrize("kind", sorted(EVERY_KIND))
def test_the_usual_choice_of_every_kind_adds_nothing(kind: str) -> None:
    visit = replace(CHOOSING, offers=(EVERY_KIND[kind],))
    draft = choosing.usual(visit.offers, 0)
    shown = details(visit, draft, Lang.JA)
    items = ("address",) if kind == "residence_items" else ()  # without any there is no such paper
    assert (draft.items, draft.members, draft.copies, shown["individual_number"]) == (items, (), 1, False)
    assert draft.missing() is None
    assert draft.scope is (Scope.HOUSEHOLD if kind == "family_register" else Scope.SELF)
    assert shown["note"]


def test_many_items_and_people_have_pages_of_their_own() -> None:
    visit = replace(CHOOSING, offers=(EVERY_KIND["residence_items"],))
    pairs = (("offer", "0"), ("scope", "self"), ("copies", "1"))
    assert choosing.read_draft(form(*pairs), visit).page == "options"
    assert choosing.read_draft(form(*pairs, ("page", "items")), visit).page == "items"
    assert choosing.read_draft(form(*pairs, ("page", "people")), visit).page == "options"  # there is only oneself
    some = (("offer", "0"), ("scope", "members"), ("copies", "1"))
    assert choosing.read_draft(form(*pairs, ("page", "options"), ("items", "sex")), visit).page == "options"
    assert choosing.read_draft(form(*pairs, ("page", "options")), visit).page == "items"  # one item at least
    assert choosing.read_draft(form(*some), visit).page == "people"
    assert choosing.read_draft(form(*some, ("page", "items")), visit).page == "people"
    assert choosing.read_draft(form(*some, ("members", "m1")), visit).page == "options"
    assert choosing.read_draft(form(*some, ("members", "m1"), ("page", "people")), visit).page == "people"
    few = replace(CHOOSING, offers=(EVERY_KIND["supplementary_register"],))
    assert choosing.read_draft(form(*pairs, ("page", "items")), few).page == "options"


def test_a_tax_payment_speaks_of_no_income() -> None:
    visit = replace(CHOOSING, offers=(EVERY_KIND["tax_payment"], EVERY_KIND["income"]))
    years = [details(visit, choosing.usual(visit.offers, n), Lang.JA)["fiscal_years"][0]["words"] for n in (0, 1)]
    assert years == ["令和7年度", "令和7年度(令和6年分)"]


# confirming


def test_the_confirmation_says_of_each_kind_what_it_has_and_no_more() -> None:
    shown = {name: view(visit, Lang.JA)["confirm"] for name, visit in CONFIRMING.items()}
    items = shown["confirming_residence_items"]
    assert (items["items_shown"], items["number_shown"], items["no_items"]) == (
        ["住所", "性別"],
        True,
        "氏名と生年月日だけ",
    )
    assert not shown["confirming_seal"]["items_offered"]
    assert (shown["confirming_seal"]["copies"], shown["confirming_seal"]["sheets"]) == ("2通", "2枚")
    assert shown["confirming_income"]["fiscal_year"] == "令和7年度(令和6年分)"
    assert shown["confirming_tax_payment"]["fiscal_year"] == "令和7年度"
    assert shown["confirming_family"]["everybody"] == "戸籍の全員"
    assert shown["confirming_individual"]["everybody"] is None
    assert shown["confirming_supplementary"]["items_shown"] == ["本籍・筆頭者"]
    assert shown["confirming_all_items"]["everybody"] == "世帯全員"


def test_the_issuing_municipality_says_who_is_asked_about() -> None:
    visit = VISITS["confirming"]
    paper = visit.orders[0].prepared
    assert paper
    known = msgspec.structs.replace(paper, masked_requester="海● 花●")
    other = replace(visit, orders=(replace(visit.orders[0], prepared=known),))
    assert view(visit, Lang.JA)["confirm"]["masked_name"] == "山● 太●"
    assert view(other, Lang.JA)["confirm"]["masked_name"] == "海● 花●"


def test_every_screen_from_the_choice_on_names_the_document() -> None:
    for name in (
        "preparing",
        "collecting",
        "reserved",
        "granting",
        "printing",
        "ask_sheets",
        "capturing",
        "take_paper",
    ):
        said = view(VISITS[name], Lang.EN)["document"]
        assert said == {
            "municipality": "みなと野市",
            "title": "Residence certificate",
            "printed_title": "住民票の写し",
        }, name
    for name in ("idle", "pin", "take_card", "refused", "closed"):
        assert view(VISITS[name], Lang.EN)["document"] is None


def test_where_nothing_can_be_had_nobody_is_asked_to_choose() -> None:
    refused_all = replace(
        CHOOSING,
        offers=tuple(msgspec.structs.replace(o, refusal=ErrorCode.NOT_ISSUABLE_HERE) for o in CHOOSING.offers),
    )
    shown = view(refused_all, Lang.JA)
    assert shown["nothing_to_choose"]
    assert "選べる証明書はありません" in shown["title"]
    assert shown["lead"].startswith("料金はいただいていません。本人確認書類をお持ちになり、")
    closed = msgspec.structs.replace(refused_all.offers[0], refusal=ErrorCode.GLYPH_NOT_PRINTABLE)
    different = replace(refused_all, offers=(*refused_all.offers[1:], closed))
    assert view(different, Lang.JA)["lead"] == "料金はいただいていません。"
    assert not view(CHOOSING, Lang.JA)["nothing_to_choose"]


def test_staff_read_keywords_and_nothing_that_belongs_in_a_log() -> None:
    lost = Visit(State.OUT_OF_SERVICE, reasons=("media-empty-error", "case PRINT_UNKNOWN", "ipp://host:631/x: Refused"))
    assert view(lost, Lang.JA)["reasons"] == ["media-empty-error", "case PRINT_UNKNOWN"]


# Ways to pay


def test_a_way_to_pay_is_said_only_where_there_are_several() -> None:
    alone, both = (view(VISITS[name], Lang.JA) for name in ("confirming", "confirming_methods"))
    assert (alone["confirm"]["pay"], alone["confirm"]["pay_emoney"]) == ("はい、300円を支払う", None)
    assert (both["confirm"]["pay"], both["confirm"]["pay_emoney"]) == ("はい、現金", "はい、電子マネー")
    assert "pay-emoney" not in alone["actions"]
    assert "pay-emoney" in both["actions"]


def test_a_card_in_doubt_is_neither_said_to_be_charged_nor_to_be_free() -> None:
    said = money_words(VISITS["refused_unprocessed"], Lang.EN)
    assert said is not None
    assert said.startswith("It is not known yet whether ¥300 was taken.")
    assert "same My Number Card" in said, "and where it can be had back, if it was"


def test_what_went_back_onto_the_card_is_not_said_to_lie_in_the_cup() -> None:
    said = money_words(VISITS["refused_card_back"], Lang.JA)
    assert said == "料金はいただいていません。300円をカードにお戻ししました。"
    assert view(VISITS["cancelling"], Lang.JA)["goes_back"] == "300円"


def test_nobody_who_paid_by_card_is_told_to_take_change() -> None:
    by_card = PaymentMethod.EMONEY
    money = Money(PAYMENT_ID, 600, method=by_card, inserted_yen=600, captured_yen=300, returned_yen=300)
    visit = replace(VISITS["take_paper_card"], money=money)
    assert "おつり" not in view(visit, Lang.JA)["lead"]
