"""The words of the screens, by key and language: Japanese and English.

Headlines by state and everything else by key; documents.py has the names of documents and of what may stand in them,
refusals.py the words for a visit that ends without paper.
"""

from __future__ import annotations

from enum import StrEnum

from terminal.visit import State


class Lang(StrEnum):
    """Languages of the screens."""

    JA = "ja"
    EN = "en"


#: The headline of each state; REFUSED takes its refusal's.
TITLES: dict[State, tuple[str, str]] = {
    State.RECOVERING: ("ただいま、準備しています", "Getting ready"),
    State.AFTER_CUT: ("手続きが、途中で止まりました", "The procedure was interrupted"),
    State.OUT_OF_SERVICE: ("ただいま、ご利用いただけません", "Out of service"),
    State.IDLE: ("マイナンバーカードを置いてください", "Place your My Number Card"),
    State.READING: ("カードを読み取っています", "Reading your card"),
    State.PIN: ("暗証番号を入力してください", "Enter your PIN"),
    State.AUTHENTICATING: ("本人確認をしています", "Confirming your identity"),
    State.TAKE_CARD: ("カードをお取りください", "Please take your card"),
    State.CHOOSING: ("証明書を選んでください", "Choose a certificate"),
    State.PREPARING: ("証明書を用意しています", "Preparing your certificate"),
    State.CONFIRMING: ("この方はあなたですか", "Is this you?"),
    State.COLLECTING: ("料金を入れてください", "Please insert the fee"),
    State.SHOWING_CODE: ("スマートフォンで読み取ってください", "Scan this with your phone"),
    State.RESERVED: ("料金を確認しています", "Checking the money"),
    State.GRANTING: ("発行の手続きをしています", "Issuing your certificate"),
    State.DEBITING: ("電子マネーをタッチしてください", "Touch your e-money card"),
    State.PRINTING: ("印刷しています", "Printing"),
    State.ASK_SHEETS: ("紙は全部そろっていますか", "Are all sheets there?"),
    State.CAPTURING: ("お支払いを済ませています", "Completing the payment"),
    State.RETURNING: ("お金をお返ししています", "Returning your money"),
    State.CANCELLING: ("同じカードを、もう一度タッチしてください", "Touch the same card again"),
    State.KEEPING: ("お金をお預かりしています", "Keeping the money safe"),
    State.TAKE_PAPER: ("証明書をお取りください", "Please take your certificate"),
    State.REFUND_CODE: ("返金番号を入力してください", "Enter your refund code"),
    State.CLAIMING: ("返金を確かめています", "Looking for your refund"),
    State.PAYING_OUT: ("お金をお返ししています", "Paying your refund"),
    State.PAID_OUT: ("お金をお取りください", "Please take your money"),
    State.REFUSED: ("手続きを終えました", "The procedure has ended"),
    State.CLOSED: ("ご利用ありがとうございました", "Thank you"),
}

#: One line under the headline.
LEADS: dict[State, tuple[str, str]] = {
    State.RECOVERING: (
        "電源が入ったところです。印刷とお金の状態を確かめています。",
        "The machine has just started, and is checking printer and money.",
    ),
    State.AFTER_CUT: (
        "端末の電源が切れたためです。お金を入れた方は、そのままお待ちのうえ、下を押してください。",
        "The machine lost power. If you had put money in, please touch below.",
    ),
    State.OUT_OF_SERVICE: (
        "準備ができしだい、自動で再開します。お急ぎの方は、ほかの店の端末をご利用ください。",
        "Service resumes by itself when the machine is ready. Please use a machine in another store if you are in a "
        "hurry.",
    ),
    State.IDLE: (
        "住民票の写しや、印鑑・税・戸籍の証明書を、ここで受け取れます。",
        "Receive residence, seal, tax and family register certificates here.",
    ),
    State.READING: ("カードを動かさないでください。", "Please do not move the card."),
    State.PIN: (
        "利用者証明用・数字4けたの暗証番号です。",
        "The 4-digit user-authentication PIN of your card.",
    ),
    State.AUTHENTICATING: (
        "カードはそのまま、動かさないでください。",
        "Please leave the card where it is.",
    ),
    State.TAKE_CARD: (
        "カードをお取りになると、次へ進みます。",
        "The next screen appears when the card is off the reader.",
    ),
    State.CHOOSING: (
        "どれが必要かは、提出先にお確かめください。料金は1通の金額です。",
        "Please ask the receiver which one is needed. Prices are per copy.",
    ),
    State.PREPARING: (
        "お金をいただく前に、内容を確かめています。",
        "We check the contents before we take any money.",
    ),
    State.CONFIRMING: (
        "お名前の一部を伏せて表示しています。",
        "Part of the name is hidden for your privacy.",
    ),
    State.COLLECTING: (
        "印刷できなかったときは、お返しします。",
        "If printing fails, your money is returned.",
    ),
    State.SHOWING_CODE: (
        "コード決済のアプリで読み取り、支払いを承認してください。",
        "Read the code with your payment app, and agree to pay there.",
    ),
    State.RESERVED: ("しばらくお待ちください。", "One moment, please."),
    State.GRANTING: ("しばらくお待ちください。", "One moment, please."),
    State.DEBITING: (
        "マイナンバーカードではありません。支払いが終わるまで、カードを離さないでください。",
        "Not your My Number Card. Hold the e-money card still until it is done.",
    ),
    State.PRINTING: ("この場でお待ちください。", "Please stay here."),
    State.ASK_SHEETS: (
        "機械では印刷の結果を確認できませんでした。出てきた紙をお確かめください。",
        "The machine could not confirm what was printed. Please look at the sheets.",
    ),
    State.CAPTURING: ("まもなく、お取りいただけます。", "Almost ready."),
    State.RETURNING: ("返却口をご覧ください。", "Please look at the return cup."),
    State.CANCELLING: (
        "お支払いいただいた金額を、そのカードにお戻しします。",
        "What was paid goes back onto the card that paid it.",
    ),
    State.KEEPING: ("しばらくお待ちください。", "One moment, please."),
    State.TAKE_PAPER: (
        "証明書とおつりを、お忘れなくお取りください。",
        "Please do not forget the sheets and the change.",
    ),
    State.REFUND_CODE: (
        "画面に表示された、16文字の番号です。お支払いのときと同じマイナンバーカードを置いても、受け取れます。",
        "The 16 characters that the screen showed you. Placing the My Number Card with which you paid works, too.",
    ),
    State.CLAIMING: ("しばらくお待ちください。", "One moment, please."),
    State.PAYING_OUT: ("返却口をご覧ください。", "Please look at the return cup."),
    State.PAID_OUT: ("返却口に、お返しするお金をお出ししました。", "Your money is in the return cup."),
    State.REFUSED: ("", ""),
    State.CLOSED: ("次の方のために、画面を消去しています。", "The screen is being cleared for the next person."),
}

#: The way of a visit, as shown at the top.
STEPS: tuple[tuple[str, str], ...] = (
    ("カード", "Card"),
    ("暗証番号", "PIN"),
    ("証明書", "Certificate"),
    ("確認", "Confirm"),
    ("お支払い", "Pay"),
    ("受け取り", "Receive"),
)

#: Everything else. Placeholders as in str.format.
TEXT: dict[str, tuple[str, str]] = {
    "service": ("証明書 窓口", "Certificate counter"),
    "other_language": ("English", "日本語"),
    "close": ("終わる", "Finish"),
    "closed_for_now": ("ただいま準備中か、点検中です。", "This machine is being prepared or checked."),
    "cancel": ("やめる", "Cancel"),
    "wait": ("しばらくお待ちください", "Please wait"),
    "offline": ("画面の表示を待っています。しばらくお待ちください。", "Waiting for the machine. One moment, please."),
    "still_there": ("お手続きを続けますか", "Do you need more time?"),
    "still_there_lead": (
        "まもなく、安全のため手続きを終えます。",
        "For your safety, the procedure ends soon.",
    ),
    "more_time": ("続ける", "More time"),
    "yen": ("{amount}円", "¥{amount}"),
    "per_copy": ("1通 {fee}", "{fee} per copy"),
    "copies": ("{count}通", "{count}"),
    "reference": ("受付番号", "Reference"),
    "for_staff": ("係員用", "For staff"),
    "idle_need": ("お持ちいただくもの", "What you need"),
    "idle_card": ("マイナンバーカード", "Your My Number Card"),
    "idle_pin": ("数字4けたの暗証番号", "Its 4-digit PIN"),
    "idle_money": ("硬貨・千円札", "Coins or 1,000-yen notes"),
    "tries_left": ("入力できる回数: あと{count}回", "Tries left: {count}"),
    "tries_note": (
        "3回続けてまちがえると、ロックされます。",
        "After three wrong entries in a row, the PIN locks.",
    ),
    "tries_fewer": (
        "以前に、まちがえて入力されています。あと{count}回まちがえると、ロックされます。",
        "There were wrong entries before. The PIN locks after {count} more.",
    ),
    "pin_wrong": ("暗証番号がちがいます。あと{count}回", "The PIN is wrong. Tries left: {count}"),
    "pin_wrong_note": (
        "あと{count}回まちがえると、ロックされます。",
        "The PIN locks after {count} more wrong entries.",
    ),
    "not_other_pin": (
        "6〜16文字の暗証番号や、健康保険証の利用とは別のものです。",
        "It is not the 6 to 16 character password.",
    ),
    "pin_entered": ("{count}けた入力しました", "{count} of 4 digits entered"),
    "correct": ("訂正", "Delete"),
    "ok": ("確認", "OK"),
    "pin_short": ("4けたそろったら「確認」を押してください。", "Press OK after four digits."),
    "last_try_title": ("残りは1回です。続けますか", "One try is left. Go on?"),
    "last_try_wrong_title": (
        "暗証番号がちがいます。あと1回です。続けますか",
        "The PIN is wrong. One try is left. Go on?",
    ),
    "last_try_what": (
        "次にまちがえるとロックされ、窓口などで設定し直すまで使えません。番号に自信がないときは、ここでやめられます。",
        "A wrong entry locks the PIN until it is reset, at a counter for example. If you are not sure, you can stop.",
    ),
    "last_try_yes": ("続ける", "Go on"),
    "last_try_no": ("やめて、カードを取る", "Stop and take the card"),
    "greeting": ("{name} 様", "{name}"),
    "which_municipality": ("どちらの市区町村の証明書ですか", "Which municipality's certificate?"),
    "which_municipality_lead": (
        "証明書は、登録のある市区町村が発行します。",
        "A certificate comes from the municipality that has your record.",
    ),
    "reissue": ("使えなかった証明書の作り直し", "A new one for the paper that was faulty"),
    "reissue_number": ("発行番号 {number} の代わり", "In place of No. {number}"),
    "reissue_free": ("無料で作り直す", "Make it again, free"),
    "usual": ("よく使われる証明書", "Most often used"),
    "take_this": ("これにする", "Choose this"),
    "details": ("内容を選ぶ", "Options"),
    "not_available": ("選べません", "Not available"),
    "available_again": ("{when}から受け付けます。", "Available again from {when}."),
    "nothing_to_choose": ("いま、この端末で選べる証明書はありません", "Nothing is available here now"),
    "default_residence": ("本人だけ・個人番号なし", "Only me, without My Number"),
    "whose": ("だれの証明書ですか", "For whom?"),
    "requester": ("あなた", "you"),
    "whose_lead": ("のせる人を、すべて押してください。", "Touch everybody who is to be shown."),
    "people_chosen": ("{count}人", "{count} people"),
    "one_chosen": ("{count}人", "{count} person"),
    "choose_people": ("人を選び直す", "Change people"),
    "choose_item": ("1つ以上の項目を選んでください。", "Please choose at least one item."),
    "choose_member": ("1人以上選んでください。", "Please choose at least one person."),
    "which_items": ("のせる項目", "Optional items"),
    "items_lead": (
        "提出先に必要な項目だけを、押してください。もう一度押すと、のせません。",
        "Touch only what the receiver needs; touch again to leave it out.",
    ),
    "choose_items": ("項目を選ぶ", "Choose items"),
    "done": ("決める", "Done"),
    "shown": ("のせる", "Shown"),
    "not_shown": ("のせない", "Not shown"),
    "number_warning": (
        "個人番号は、法律で認められた提出先(勤務先、税務署、年金事務所など)にだけ渡せます。必要か、提出先にお確かめください。",
        "By law, only some may ask for it: employer, tax office, pension office. Please check with the receiver.",
    ),
    "which_year": ("年度", "Fiscal year"),
    "fiscal_year": ("{era}度({era_before}分)", "Fiscal {year} (income of {before})"),
    "fiscal_year_alone": ("{era}度", "Fiscal {year}"),
    "how_many": ("何通必要ですか", "How many copies?"),
    "total": ("合計", "Total"),
    "go_on": ("この内容で進む", "Go on"),
    "back": ("もどる", "Back"),
    "name": ("お名前", "Name"),
    "document": ("証明書", "Certificate"),
    "municipality": ("発行する市区町村", "Issued by"),
    "people": ("のせる人", "People shown"),
    "and_more": ("、", ", "),
    "items": ("のせる項目", "Items shown"),
    "no_items": ("基本の項目だけ", "Basic items only"),
    "only_name": ("氏名と生年月日だけ", "Name and date of birth only"),
    "copies_and_sheets": ("{copies}(紙{sheets})", "{copies} ({sheets})"),
    "individual_number": ("個人番号", "My Number"),
    "for_copies": ("{count}通", "for {count} copies"),
    "for_one_copy": ("{count}通", "for {count} copy"),
    "fee": ("料金", "Fee"),
    "pay": ("はい、{amount}を支払う", "Yes, pay {amount}"),
    "pay_cash": ("はい、現金", "Yes, cash"),
    "pay_emoney": ("はい、電子マネー", "Yes, e-money"),
    "pay_qr": ("はい、コード決済", "Yes, QR code"),
    "receive_free": ("はい、受け取る", "Yes, receive it"),
    "add": ("別の証明書も", "Add another"),
    "add_nothing": ("追加しないで、もどる", "Back, add nothing"),
    "add_title": ("追加する証明書を選んでください", "Choose the certificate to add"),
    "confirm_several": ("この方の、次の証明書でよろしいですか", "Is this you, and are these right?"),
    "not_added": ("追加できませんでした", "It could not be added"),
    "one_by_one": (
        "おつりが足りないため、1通ずつのお支払いになります。残りの{count}通は、この1通が終わったあと、もう一度お申し込みください。",
        "There is too little change to pay for several at once. Please ask for the other {count} again after this one.",
    ),
    "not_me": ("ちがう人です", "This is not me"),
    "change": ("選び直す", "Change"),
    "due": ("料金", "Fee"),
    "inserted": ("入れた金額", "Inserted"),
    "left": ("あと", "Still to pay"),
    "accepted": (
        "10円・50円・100円・500円硬貨と千円札が使えます。",
        "Coins of 10, 50, 100, 500 yen and 1,000-yen notes.",
    ),
    "exact_only": (
        "おつりが足りません。ちょうどの金額を入れてください。",
        "There is no change. Please insert the exact amount.",
    ),
    "cancel_payment": ("やめる(入れたお金は戻ります)", "Cancel (inserted money comes back)"),
    "qr_note": (
        "印刷できなかった分は、支払いになりません。",
        "What cannot be printed is not paid for.",
    ),
    "code_picture": ("支払い用のQRコード", "The QR code to pay by"),
    "code_let_go": ("{amount}は、支払いになりません。", "{amount} is not taken."),
    "debit_note": (
        "途中で離すと、引き落とされたかどうかを、すぐには確かめられなくなることがあります。",
        "If it is taken away too early, it may not be known at once whether it was debited.",
    ),
    "debit_goes_back": ("カードにお戻しする金額", "Back onto the card"),
    "no_card": ("カードがない(あとで受け取る)", "I do not have it (collect it later)"),
    "paid_in": ("{amount}をお預かりしました。", "{amount} received."),
    "sheet_of": ("{total}枚中 {done}枚", "Sheets printed: {done} of {total}"),
    "copy_of": ("{total}通中 {current}通め", "Copy {current} of {total}"),
    "all_there_title": ("{count}枚そろっていますか", "Are all {count} sheets there?"),
    "one_there_title": ("紙は1枚出てきましたか", "Did one sheet come out?"),
    "all_there": ("はい、{sheets}あります", "Yes, {sheets}"),
    "not_all_there": ("いいえ、ちがいます", "No"),
    "sheets_money": (
        "「いいえ」のときは証明書を無効にし、お金をお返しします。",
        'With "No", the certificate is made void and your money is returned.',
    ),
    "no_change": ("お忘れなくお取りください。", "Please do not forget it."),
    "sheets_out": ("証明書", "Certificate"),
    "sheets": ("{count}枚", "{count} sheets"),
    "one_sheet": ("{count}枚", "{count} sheet"),
    "valid_copies": (
        "使えるのは {copies}通({sheets})です。ほかに紙が出ていても使えません。",
        "Number of valid certificates: {copies} ({sheets}). Any other sheet that came out is not valid.",
    ),
    "paid": ("お支払い", "Paid"),
    "change_money": ("おつり", "Change"),
    "returned_money": ("お返ししたお金", "Returned"),
    "paper_bad": ("紙がおかしい", "Something is wrong with the paper"),
    "taken": ("受け取りました", "I have taken everything"),
    "what_next": ("このあとのご案内", "What to do next"),
    "money": ("お金について", "About the money"),
    "money_none": ("料金はいただいていません。", "No money was taken."),
    "money_returning": ("{amount}をお返ししています。", "{amount} is being returned."),
    "money_waits": (
        "{amount}をお返しします。押されないときは、安全のため端末の中でお預かりします。",
        "{amount} will be returned. If nobody touches, it is kept safe inside the machine.",
    ),
    "debit_waits": (
        "{amount}を、お支払いになったカードにお戻しします。押されないときは、あとからお返しします。",
        "{amount} goes back onto the card that paid it. If nobody touches, it can be collected later.",
    ),
    "put_back": ("カードに戻す", "Put it back onto the card"),
    "after_cut_debit": (
        "端末の電源が切れたためです。電子マネーでお支払いの方は、下を押してください。",
        "The machine lost power. If you had paid by e-money, please touch below.",
    ),
    "debit_returned": (
        "料金はいただいていません。{amount}をカードにお戻ししました。",
        "No fee was taken. {amount} was put back onto the card.",
    ),
    "debit_back": ("{amount}をカードにお戻ししました。", "{amount} was put back onto the card."),
    "debit_uncertain": (
        "{amount}が引き落とされたかどうか、まだわかりません。引き落とされていたときは、同じマイナンバーカードで、"
        "この端末のあるどのお店でも、お返しを受け取れます。",
        "It is not known yet whether {amount} was taken. If it was, the same My Number Card collects it at any such "
        "machine.",
    ),
    "money_keeping": ("{amount}を端末の中でお預かりします。", "{amount} is being kept inside the machine."),
    "take_back": ("お金を受け取る", "Take the money"),
    "money_returned": (
        "料金はいただいていません。{amount}を返却口にお返ししました。",
        "No fee was taken. {amount} was returned to the cup.",
    ),
    "money_captured": ("{amount}をいただきました。", "{amount} was charged."),
    "money_change": ("おつり{amount}を返却口にお出ししました。", "Change of {amount} is in the return cup."),
    "money_back": ("{amount}を返却口にお返ししました。", "{amount} was returned to the cup."),
    "money_owed": (
        "{amount}をまだお返しできていません。同じマイナンバーカードで、この端末のあるどのお店でも、お受け取りになれます。",
        "{amount} is still due to you: the same My Number Card collects it at any such machine.",
    ),
    "money_owed_code": ("{amount}をまだお返しできていません。", "{amount} could not be returned yet."),
    "money_owed_waits": (
        "{amount}をお返しするための番号を、もう一度表示します。",
        "The code for {amount} that could not be returned is shown again.",
    ),
    "show_code": ("番号を表示する", "Show the code"),
    "refund_code": ("返金番号", "Refund code"),
    "refund_code_how": (
        "この番号を書き写すか、写真に撮ってください。この端末のあるお店なら、どこでも、最初の画面の「返金を受け取る」から"
        "お受け取りになれます。この番号には、現金と同じ価値があります。ほかの人に見せないでください。",
        'Write it down or take a photo. At any store with such a machine, touch "Collect a refund" on the first '
        "screen. It is worth the money: do not show it to anybody.",
    ),
    "refund_code_card": (
        "番号をなくしても、同じマイナンバーカードでお受け取りになれます。",
        "Without the code, the same My Number Card works, too.",
    ),
    "receipt_code": (
        "この端末のあるお店なら、どこでも、最初の画面の「返金を受け取る」からお受け取りになれます。この番号には、現金と"
        "同じ価値があります。ほかの人に見せないでください。",
        'At any store with such a machine, touch "Collect a refund" on the first screen. The code is worth the money: '
        "do not show it to anybody.",
    ),
    "receipt_card": (
        "お返しするお金は、同じマイナンバーカードで、この端末のあるどのお店でもお受け取りになれます。",
        "The same My Number Card collects what is due at any such machine.",
    ),
    "receipt_too": ("領収書もお取りください。", "Please take your receipt, too."),
    "receipt_missing": (
        "領収書が出ていないときは、必要な方は、この画面を書き写すか、写真に撮ってください。",
        "If no receipt came out and you need one, write this screen down or take a photo of it.",
    ),
    "receipt_has_code": (
        "返金番号は、領収書にもあります。お取り忘れのないようお願いします。",
        "The code is on your receipt, too. Please take it with you.",
    ),
    "ask_refund": ("返金を受け取る", "Collect a refund"),
    "code_entered": ("16文字のうち{count}文字を入力しました", "{count} of 16 characters entered"),
    "code_wrong": (
        "この番号では見つかりませんでした。もう一度お確かめください。",
        "No refund was found by that code. Please check it.",
    ),
    "code_note": (
        "1は数字のいち、0は数字のゼロです。I・L・O・Uの文字は使いません。",
        "1 and 0 are digits. The letters I, L, O and U are not used.",
    ),
    "refund_due": ("以前のお支払いで、お返しするお金があります", "Money from an earlier visit is due to you"),
    "refund_review": (
        "担当者の確認が終わると、お受け取りになれます。",
        "It can be collected when somebody has looked into it.",
    ),
    "refund_take": ("{amount}を受け取る", "Collect {amount}"),
    "refunded": ("お返しした金額", "Refunded"),
    "refund_amount": ("お返しする金額", "To be refunded"),
    "refund_stays": (
        "お返しするお金は、そのままお預かりしています。返金番号も、カードも、そのまま使えます。",
        "The money is still kept for you. Code and card can be used as before.",
    ),
    "refund_looked_at": (
        "出てきた金額を確認できませんでした。担当者が確かめ、足りない分は必ずお返しします。",
        "It could not be confirmed how much came out. Staff look into it, and whatever is missing is paid.",
    ),
    "money_uncertain": (
        "{amount}の料金のやりとりを確認できませんでした。担当者が確かめます。",
        "It could not be confirmed whether {amount} was charged. Staff will look into it.",
    ),
}


def pick(words: tuple[str, str], lang: Lang) -> str:
    """Return the words of one language."""
    return words[0] if lang is Lang.JA else words[1]


def say(key: str, lang: Lang, **values: object) -> str:
    """Return one text with its placeholders filled.

    Errors: KeyError for a key that has no words; a test finds those before a resident does.
    """
    return pick(TEXT[key], lang).format(**values)


def yen_words(amount_yen: int, lang: Lang) -> str:
    """Return an amount as residents read it."""
    return say("yen", lang, amount=f"{amount_yen:,}")


def fiscal_year_words(fiscal_year: int, lang: Lang, *, of_income: bool = True) -> str:
    """Return a fiscal year (April to March) in the Japanese era, and which year's income it is about, if any."""
    years = {"era": _era_year(fiscal_year), "year": fiscal_year}
    if not of_income:
        return say("fiscal_year_alone", lang, **years)
    before = fiscal_year - 1
    return say("fiscal_year", lang, **years, era_before=_era_year(before), before=before)


def sheets_words(count: int, lang: Lang) -> str:
    """Return a number of sheets as residents read it."""
    return say("one_sheet" if count == 1 else "sheets", lang, count=count)


def _era_year(year: int) -> str:
    era, first = ("令和", 2019) if year >= 2019 else ("平成", 1989)
    return f"{era}{'元' if year == first else year - first + 1}年"
