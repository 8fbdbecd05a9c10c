"""What is said when a visit ends without paper: words for every code with which it can (ErrorCode and TerminalCode).

Three things are said: what happened, whether money was taken, and what to do next. The second is said from the visit's
money (view.money_words), never from the code. The words are plain, blame nobody, and one code that says something about
a person (NOT_ISSUABLE_HERE) has one wording for all its reasons.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import ErrorCode
from terminal.visit import TerminalCode


@dataclass(frozen=True, slots=True)
class RefusalWords:
    """Title, what happened, what to do next: each in Japanese and English."""

    title: tuple[str, str]
    what: tuple[str, str]
    next: tuple[str, str]


_COUNTER = (
    "お住まいの市区町村の窓口では、お手続きできます。",
    "Your municipality's counter can help you.",
)
_ISSUERS_COUNTER = (
    "証明書を出す市区町村の窓口では、お手続きできます。",
    "The counter of the municipality that issues it can help you.",
)
_START_AGAIN = (
    "もう一度ご利用になるときは、カードを置くところから始めてください。",
    "To try again, please start by placing your card.",
)
_OTHER_MACHINE = (
    "時間をおいてお試しになるか、ほかの店の端末、または市区町村の窓口をご利用ください。",
    "Please try again later, use a machine in another store, or visit your municipality's counter.",
)
_STAFF = (
    "お店の係員に、この画面の受付番号をお見せください。",
    "Please show the reference number on this screen to the store's staff.",
)

_TERMINAL_TROUBLE = RefusalWords(
    title=("この端末では、ただいま発行できません", "This machine cannot issue certificates right now"),
    what=(
        "端末かセンターの不具合です。カードやあなたの操作のせいではありません。",
        "The fault is with the machine or the centre, not with your card or with you.",
    ),
    next=_OTHER_MACHINE,
)
_TOO_SLOW = RefusalWords(
    title=("時間が切れたので、終了しました", "Time ran out, so we stopped"),
    what=(
        "安全のため、しばらくすると手続きを終えるようになっています。",
        "For your safety, the procedure ends by itself after a while.",
    ),
    next=_START_AGAIN,
)
_TOO_SLOW_MACHINE = RefusalWords(
    title=("時間がかかりすぎたため、印刷をやめました", "Printing was stopped because it took too long"),
    what=(
        "発行の許可には期限があります。期限までに印刷を始められませんでした。",
        "The permission to print has a time limit, and printing had not begun by then.",
    ),
    next=_START_AGAIN,
)
_CARD_NOT_ACCEPTED = RefusalWords(
    title=("このカードの電子証明書を確認できませんでした", "The certificate on this card could not be confirmed"),
    what=(
        "カードの「利用者証明用電子証明書」が、正しいものと確認できませんでした。",
        "The card's user-authentication certificate could not be confirmed as valid.",
    ),
    next=_COUNTER,
)

REFUSALS: dict[str, RefusalWords] = {
    ErrorCode.BAD_REQUEST: _TERMINAL_TROUBLE,
    ErrorCode.NOT_FOUND: _TERMINAL_TROUBLE,
    ErrorCode.UNSIGNED: _TERMINAL_TROUBLE,
    ErrorCode.SIGNATURE_INVALID: _TERMINAL_TROUBLE,
    ErrorCode.REQUEST_EXPIRED: _TERMINAL_TROUBLE,
    ErrorCode.TERMINAL_UNKNOWN: _TERMINAL_TROUBLE,
    ErrorCode.TERMINAL_STOPPED: _TERMINAL_TROUBLE,
    ErrorCode.ENROLMENT_REFUSED: _TERMINAL_TROUBLE,
    ErrorCode.EVENT_OUT_OF_ORDER: _TERMINAL_TROUBLE,
    ErrorCode.IDENTITY_FORKED: RefusalWords(
        title=("この端末は、登録を取り消されています", "This machine's registration has been withdrawn"),
        what=(
            "端末の記録が、センターの記録と合いません。安全のため、この端末では発行しません。",
            "The machine's records do not match the centre's. To be safe, nothing is issued here.",
        ),
        next=_OTHER_MACHINE,
    ),
    ErrorCode.BOOT_REQUIRED: _TERMINAL_TROUBLE,
    ErrorCode.CHALLENGE_INVALID: _TERMINAL_TROUBLE,
    ErrorCode.CHALLENGE_EXPIRED: _TOO_SLOW,
    ErrorCode.CHALLENGE_USED: _TERMINAL_TROUBLE,
    ErrorCode.CARD_CERTIFICATE_INVALID: _CARD_NOT_ACCEPTED,
    ErrorCode.CARD_SIGNATURE_INVALID: _CARD_NOT_ACCEPTED,
    ErrorCode.CARD_CERTIFICATE_EXPIRED: RefusalWords(
        title=("電子証明書の有効期限が切れています", "The certificate on this card has expired"),
        what=(
            "カードそのものではなく、中の「利用者証明用電子証明書」の期限が過ぎています。"
            "外国人住民の方のカードは、在留期間に合わせて切れることがあります。",
            "Not the card itself, but the user-authentication certificate in it has passed its date. "
            "A foreign resident's card may end with the period of stay.",
        ),
        next=(
            "市区町村の窓口で更新できます。在留期間を更新した方は、更新後に窓口へお越しください。"
            "お問い合わせ: 0120-95-0178",
            "It can be renewed at your municipality's counter; after your period of stay was extended, go there with "
            "the card. Questions: 0120-0178-27 (other languages).",
        ),
    ),
    ErrorCode.CARD_CERTIFICATE_REVOKED: RefusalWords(
        title=("このカードの電子証明書は失効しています", "The certificate on this card has been revoked"),
        what=(
            "カードの中の「利用者証明用電子証明書」が失効しています。"
            "引っ越しや結婚などで記載が変わったとき、カードを作り直したときなどに失効します。",
            "The user-authentication certificate in this card has been revoked. This happens when what is written on "
            "the card has changed, or when a new card was made.",
        ),
        next=(
            "市区町村の窓口で、新しい電子証明書を入れてもらえます。お問い合わせ: 0120-95-0178",
            "Your municipality's counter can put a new certificate on the card. Questions: 0120-0178-27 "
            "(other languages).",
        ),
    ),
    ErrorCode.CARD_CERTIFICATE_SUSPENDED: RefusalWords(
        title=("このカードは一時停止されています", "This card is suspended"),
        what=(
            "カードをなくしたという届け出があったため、カードの利用が止められています。",
            "The use of this card was stopped because it was reported lost.",
        ),
        next=(
            "見つかったご本人のカードなら、市区町村の窓口で一時停止を解除できます。お問い合わせ: 0120-95-0178",
            "If this is your own card and you found it again, your municipality's counter can lift the suspension. "
            "Questions: 0120-0178-27 (other languages).",
        ),
    ),
    ErrorCode.CARD_STATUS_UNKNOWN: RefusalWords(
        title=("カードの有効性を、いま確かめられません", "We cannot check your card right now"),
        what=(
            "カードが有効かどうかを確かめる、国のシステムから答えがありません。カードやあなたの操作のせいではありません。"
            "確かめられないままでは、発行しません。",
            "The national system that says whether a card is valid does not answer. The fault is not with your card or "
            "with you. Without its answer we do not issue anything.",
        ),
        next=(
            "しばらくしてからもう一度お試しになるか、市区町村の窓口をご利用ください。",
            "Please try again after a while, or visit your municipality's counter.",
        ),
    ),
    ErrorCode.SESSION_EXPIRED: _TOO_SLOW,
    ErrorCode.TOO_MANY_PREPARATIONS: RefusalWords(
        title=("選び直しの回数を超えました", "The choice was changed too many times"),
        what=(
            "安全のため、一度の手続きで選び直せる回数が決まっています。",
            "For your safety, a choice can be changed only a few times in one procedure.",
        ),
        next=_START_AGAIN,
    ),
    ErrorCode.NOT_OFFERED: RefusalWords(
        title=("この証明書は、コンビニでは取り扱っていません", "This certificate is not offered in stores"),
        what=(
            "市区町村が、この証明書のコンビニ交付を行っていません。",
            "The municipality does not offer this certificate in stores.",
        ),
        next=_ISSUERS_COUNTER,
    ),
    ErrorCode.NOT_OFFERED_NOW: RefusalWords(
        title=("ただいま、取扱時間外です", "Not available at this hour"),
        what=(
            "市区町村が決めた取扱時間の外か、お休みの日です。",
            "It is outside the hours that the municipality has set, or the service is closed today.",
        ),
        next=("取扱時間内に、もう一度お越しください。", "Please come again within the hours."),
    ),
    ErrorCode.NOT_ISSUABLE_HERE: RefusalWords(
        title=("コンビニの端末では発行できません", "This cannot be issued here"),
        what=(
            "この証明書は、窓口での確認が必要です。理由は、この端末には知らされません。",
            "This certificate needs a check at the counter. The machine is not told why.",
        ),
        next=(
            "本人確認書類をお持ちになり、証明書を出す市区町村の窓口へお越しください。",
            "Please visit the counter of the municipality that issues it, with an identification document.",
        ),
    ),
    ErrorCode.GLYPH_NOT_PRINTABLE: RefusalWords(
        title=("この端末では印刷できない文字があります", "There is a character that this machine cannot print"),
        what=(
            "お名前や住所の文字を、別の字に置きかえて印刷することはしません。",
            "We never print a substitute for a character in a name or an address.",
        ),
        next=_ISSUERS_COUNTER,
    ),
    ErrorCode.FORM_TOO_SMALL: RefusalWords(
        title=("用紙に書ききれない項目があります", "Something is too long for the form"),
        what=(
            "お名前や住所を途中で切って印刷することはしません。",
            "We never print a name or an address that is cut short.",
        ),
        next=_ISSUERS_COUNTER,
    ),
    ErrorCode.UNKNOWN_ORDER: _TERMINAL_TROUBLE,
    ErrorCode.ORDER_CONFLICT: _TERMINAL_TROUBLE,
    ErrorCode.ORDER_IN_FLIGHT: _TERMINAL_TROUBLE,
    ErrorCode.ORDER_STATE: _TERMINAL_TROUBLE,
    ErrorCode.RECORD_CHANGED: RefusalWords(
        title=("手続きの途中で、記録が変わりました", "The record changed during the procedure"),
        what=(
            "古い内容の証明書は発行しません。",
            "We do not issue a certificate that is out of date.",
        ),
        next=_START_AGAIN,
    ),
    ErrorCode.SERVICE_RENEWED: RefusalWords(
        title=("センターの入れ替えのため、終了しました", "The centre was renewed meanwhile, so we stopped"),
        what=(
            "手続きの途中で、センターのシステムが新しくなりました。証明書は発行していません。",
            "The centre's system was renewed during the procedure. No certificate was issued.",
        ),
        next=_START_AGAIN,
    ),
    ErrorCode.NO_REFUND: RefusalWords(
        title=("この番号でお返しするお金は、見つかりませんでした", "No money is due by this code"),
        what=(
            "番号が違うか、すでにお返ししたものです。",
            "The code may be mistyped, or it was paid out already.",
        ),
        next=(
            "番号をもう一度ご確認ください。同じマイナンバーカードを置いて、受け取ることもできます。",
            "Please check the code. You can also collect the money by placing the card with which you paid.",
        ),
    ),
    ErrorCode.REFUND_IN_REVIEW: RefusalWords(
        title=("お返しの前に、担当者が確かめています", "Somebody looks into this refund first"),
        what=(
            "番号は合っています。返金が続いたときなどは、確認のあとでお返しします。",
            "The code is right. After several refunds, for example, the next is paid when it has been looked into.",
        ),
        next=(
            "数日おいて、同じ番号、または同じマイナンバーカードで、もう一度お試しください。",
            "Please try again in a few days, with the same code or the same My Number Card.",
        ),
    ),
    ErrorCode.TOO_MANY_CODES: RefusalWords(
        title=("番号の間違いが続いたため、しばらく受け付けません", "Too many wrong codes; please wait"),
        what=(
            "安全のため、間違った番号が続くと、しばらく入力できなくなります。",
            "For safety, no code can be entered for a while after many wrong ones.",
        ),
        next=(
            "1時間ほどしてから、もう一度お試しください。同じカードでも受け取れます。",
            "Please try again in an hour. The card for which you paid works at once.",
        ),
    ),
    ErrorCode.PAYMENT_INSUFFICIENT: RefusalWords(
        title=("料金が足りませんでした", "The money was not enough"),
        what=(
            "入れられたお金が料金に足りないため、発行していません。",
            "Less than the fee was inserted, so nothing was issued.",
        ),
        next=_START_AGAIN,
    ),
    ErrorCode.ISSUING_STOPPED: RefusalWords(
        title=("ただいま、発行を止めています", "Issuing is stopped at the moment"),
        what=(
            "担当者が発行を止めています。カードやあなたの操作のせいではありません。",
            "Officers have stopped it. The fault is not with your card or with you.",
        ),
        next=_ISSUERS_COUNTER,
    ),
    ErrorCode.INTEGRITY_STOP: RefusalWords(
        title=("安全確認のため、発行を止めています", "Issuing is stopped for a safety check"),
        what=(
            "市区町村の担当者が確認を終えるまで、発行を止めています。",
            "Issuing stays stopped until the municipality's officers have finished their check.",
        ),
        next=_ISSUERS_COUNTER,
    ),
    ErrorCode.RECORDS_BEHIND: _TERMINAL_TROUBLE,
    ErrorCode.RESTORING: RefusalWords(
        title=("センターを復旧しています", "The centre is being restored"),
        what=(
            "記録がすべてそろうまで、発行を止めています。",
            "Issuing is stopped until all records are complete again.",
        ),
        next=_OTHER_MACHINE,
    ),
    ErrorCode.BUSY: RefusalWords(
        title=("ただいま、混み合っています", "The service is busy"),
        what=("センターが混み合っています。", "The centre has too many requests at this moment."),
        next=("数分おいて、もう一度お試しください。", "Please try again in a few minutes."),
    ),
    ErrorCode.INTERNAL: _TERMINAL_TROUBLE,
    TerminalCode.CARD_UNREADABLE: RefusalWords(
        title=("カードを読み取れませんでした", "The card could not be read"),
        what=(
            "カードの置き方や、ケースの影響で読めないことがあります。",
            "The way the card lies, or a case around it, can be the reason.",
        ),
        next=(
            "ケースから出して、平らに置いてください。3回読み取れないときは、市区町村の窓口でカードをお確かめください。",
            "Take the card out of its case and lay it flat. After three tries, please have it checked at your "
            "municipality's counter.",
        ),
    ),
    TerminalCode.NOT_MY_NUMBER_CARD: RefusalWords(
        title=("マイナンバーカードではないようです", "This does not seem to be a My Number Card"),
        what=(
            "在留カード、運転免許証、交通系カード、銀行のカードなどは使えません。",
            "Residence cards, driver's licences, transit cards and bank cards cannot be used.",
        ),
        next=(
            "顔写真のある、プラスチックのマイナンバーカードを置いてください。",
            "Please use the plastic My Number Card with your photograph.",
        ),
    ),
    TerminalCode.JUKI_CARD: RefusalWords(
        title=("住民基本台帳カード(住基カード)は使えません", "The old Basic Resident Register Card cannot be used"),
        what=(
            "住基カードの利用は終わりました。マイナンバーカードが必要です。",
            "That card's service has ended. A My Number Card is needed.",
        ),
        next=_COUNTER,
    ),
    TerminalCode.PHONE_NOT_SUPPORTED: RefusalWords(
        title=("この端末では、スマートフォンは使えません", "Phones cannot be used on this machine"),
        what=(
            "スマートフォンの電子証明書には、まだ対応していません。",
            "The certificate in a phone is not supported here yet.",
        ),
        next=("マイナンバーカードを置いてください。", "Please use your My Number Card."),
    ),
    TerminalCode.CARD_REMOVED: RefusalWords(
        title=("カードが離れたので、手続きを終えました", "The card was lifted, so we stopped"),
        what=(
            "読み取りが終わる前に、カードが離れました。",
            "The card left the reader before reading was finished.",
        ),
        next=(
            "もう一度カードを置き、画面の案内まで動かさないでください。",
            "Place the card again, and leave it until the screen asks you to take it.",
        ),
    ),
    TerminalCode.CARD_LEFT: RefusalWords(
        title=("カードが残っています", "A card is still on the reader"),
        what=(
            "カードが取られなかったので、手続きを終えました。",
            "The card was not taken, so we stopped.",
        ),
        next=("カードをお取りください。", "Please take the card."),
    ),
    TerminalCode.PIN_LOCKED: RefusalWords(
        title=("暗証番号がロックされています", "The PIN is locked"),
        what=(
            "暗証番号のない顔認証カードか、暗証番号がロックされたカードです。"
            "利用者証明用・数字4けたの暗証番号は、続けて3回まちがえるとロックされます。",
            "This is a face-recognition card without a PIN, or its PIN is locked. "
            "The user-authentication PIN of four digits locks after three wrong entries in a row.",
        ),
        next=(
            "スマートフォンのアプリとコンビニの端末で、または市区町村の窓口で、暗証番号を設定し直せます。"
            "窓口へはカードと本人確認書類をお持ちください。顔認証カードは窓口をご利用ください。",
            "The PIN can be reset with the smartphone app and a store's machine, or at your municipality's counter "
            "(bring the card and an identification document). With a face-recognition card, please use the counter.",
        ),
    ),
    TerminalCode.PIN_UNCERTAIN: RefusalWords(
        title=("暗証番号の確認が、途中で止まりました", "The PIN check was interrupted"),
        what=(
            "カードとのやりとりが途中で切れました。入力の回数が1回分使われたかもしれません。",
            "The connection to the card broke off. One try of the PIN may have been used.",
        ),
        next=(
            "もう一度カードを置くと、残りの回数が表示されます。",
            "Place the card again: the screen will show how many tries are left.",
        ),
    ),
    TerminalCode.READER_GONE: _TERMINAL_TROUBLE,
    TerminalCode.NETWORK_DOWN: RefusalWords(
        title=("通信できないため、発行できません", "There is no connection, so nothing can be issued"),
        what=("センターと通信できません。", "The machine cannot reach the centre."),
        next=_OTHER_MACHINE,
    ),
    TerminalCode.CANCELLED: RefusalWords(
        title=("お手続きを中止しました", "The procedure was cancelled"),
        what=("証明書は発行していません。", "No certificate was issued."),
        next=_START_AGAIN,
    ),
    TerminalCode.TIMED_OUT: _TOO_SLOW,
    TerminalCode.NOT_ME: RefusalWords(
        title=("証明書は発行しませんでした", "No certificate was issued"),
        what=(
            "「ちがう」とのお知らせを、センターの担当者へ送りました。",
            "Your answer was sent to the centre's officers.",
        ),
        next=(
            "お手数ですが、お住まいの市区町村の窓口でカードをお確かめください。",
            "Please have your card checked at your municipality's counter.",
        ),
    ),
    TerminalCode.PAPER_MISMATCH: RefusalWords(
        title=("内容の確認が合わないため、印刷を止めました", "Printing was stopped because a check did not match"),
        what=(
            "用意された証明書が、このカードの方のものと確認できませんでした。何も印刷していません。",
            "The prepared certificate could not be confirmed as this card holder's. Nothing was printed.",
        ),
        next=_COUNTER,
    ),
    TerminalCode.GRANT_INVALID: _TERMINAL_TROUBLE,
    TerminalCode.GRANT_EXPIRED: _TOO_SLOW_MACHINE,
    TerminalCode.PAYMENT_FAILED: RefusalWords(
        title=("お支払いができませんでした", "The payment did not work"),
        what=("お金を受け取る機械の不具合です。", "The machine that takes the money has a fault."),
        next=_OTHER_MACHINE,
    ),
    TerminalCode.DEBIT_DECLINED: RefusalWords(
        title=("電子マネーで支払えませんでした", "The e-money payment did not work"),
        what=(
            "残高が足りないか、ここでは使えないカードです。",
            "The balance is too low, or the card cannot be used here.",
        ),
        next=(
            "現金でお支払いになるか、残高を足してから、マイナンバーカードを置くところから始めてください。",
            "Please pay in cash or top the card up, and start again by placing your My Number Card.",
        ),
    ),
    TerminalCode.DEBIT_UNPROCESSED: RefusalWords(
        title=("支払いの途中で、カードが離れました(処理未了)", "The card left too early"),
        what=(
            "引き落とされたかどうかが、カードにも機械にもわかりません。証明書は発行せず、引き落としもやり直しません。",
            "Neither card nor machine can tell whether it was debited. No certificate is issued, and no debit is tried "
            "again.",
        ),
        next=(
            "担当者が、カード会社の記録で確かめます。この画面の受付番号をお控えください。",
            "Staff ask the card's company. Please note the reference number.",
        ),
    ),
    TerminalCode.DEBIT_UNANSWERED: RefusalWords(
        title=("電子マネーの機械から返事がありません", "The e-money terminal does not answer"),
        what=(
            "引き落とされたかどうかを、まだ確かめられません。証明書は発行していません。",
            "It cannot be told yet whether the card was debited. No certificate was issued.",
        ),
        next=(
            "返事がありしだい、この端末が確かめます。この画面の受付番号をお控えください。",
            "This machine asks until it knows. Please note the reference number on this screen.",
        ),
    ),
    TerminalCode.PRINTER_NOT_READY: RefusalWords(
        title=("プリンターの準備ができていません", "The printer is not ready"),
        what=(
            "用紙切れ、カバーの開き、紙づまりなどが考えられます。",
            "It may be out of paper, open, or jammed.",
        ),
        next=("お店の係員にお知らせください。", "Please tell the store's staff."),
    ),
    TerminalCode.PRINT_FAILED: RefusalWords(
        title=("印刷できませんでした", "Printing failed"),
        what=("紙は1枚も出ていません。", "No sheet came out."),
        next=_START_AGAIN,
    ),
    TerminalCode.PRINT_PARTIAL: RefusalWords(
        title=("印刷が途中で止まりました", "Printing stopped half-way"),
        what=(
            "出てきた紙は使えません。この証明書は無効にしました。",
            "The sheets that came out cannot be used. That certificate has been made void.",
        ),
        next=(
            "出てきた紙は持ち帰らず、お店の係員にお渡しください。",
            "Please do not take the sheets with you: hand them to the store's staff.",
        ),
    ),
    TerminalCode.PRINT_UNKNOWN: RefusalWords(
        title=("印刷できたかどうか、確認できませんでした", "It could not be confirmed what was printed"),
        what=(
            "この証明書は無効にしました。紙が出ていても使えません。",
            "That certificate has been made void. A sheet that came out cannot be used.",
        ),
        next=_STAFF,
    ),
    TerminalCode.PAPER_BAD: RefusalWords(
        title=("店員をお呼びください", "Please call a member of staff"),
        what=(
            "白紙、汚れ、破れなどの紙は、店員に渡してください。店員が枚数を確かめて処分します。",
            "Please hand the blank, smeared or torn paper to the staff. They count the sheets and destroy them.",
        ),
        next=(
            "処分のあと、もう一度カードを置いてください。同じ証明書を、30日以内なら無料で作り直せます。",
            "Then place your card again: the same certificate is made again free of charge, for 30 days.",
        ),
    ),
    TerminalCode.PAPER_LEFT: RefusalWords(
        title=("証明書が残っています", "A certificate is still in the tray"),
        what=("紙が取られなかったので、手続きを終えました。", "The sheets were not taken, so we stopped."),
        next=("紙をお取りください。", "Please take the sheets."),
    ),
    TerminalCode.UNFINISHED_ACT: RefusalWords(
        title=("前の手続きの確認が終わっていません", "An earlier procedure is still being checked"),
        what=(
            "電源が切れるなどして、途中で止まった手続きがあります。",
            "A procedure was interrupted, by a power cut for example.",
        ),
        next=_STAFF,
    ),
    TerminalCode.POWER_CUT: RefusalWords(
        title=("電源が切れたため、手続きを終えました", "The power was cut, so we stopped"),
        what=(
            "途中だった手続きを、安全に終わらせました。",
            "The procedure that was under way has been ended safely.",
        ),
        next=_START_AGAIN,
    ),
    TerminalCode.MONEY_UNCERTAIN: RefusalWords(
        title=("お金の動きを確認できませんでした", "It could not be confirmed what happened to the money"),
        what=(
            "お金を動かす途中で、機械の返事がとだえました。行きちがいを防ぐため、自動ではやり直しません。",
            "The machine stopped answering while it moved the money. To be safe, it does not try again by itself.",
        ),
        next=_STAFF,
    ),
    TerminalCode.NO_COINS: RefusalWords(
        title=("この端末では、いまお返しできません", "This machine cannot pay it now"),
        what=(
            "中の硬貨が足りないか、お金を出す機械の不具合です。",
            "It has too few coins, or the part that pays them has a fault.",
        ),
        next=(
            "ほかの店の端末か、時間をおいてこの端末で、同じ番号または同じカードでお試しください。",
            "Please use a machine in another store, or this one later, with the same code or the same card.",
        ),
    ),
    TerminalCode.PAYOUT_UNCERTAIN: RefusalWords(
        title=("お返しした金額を確認できませんでした", "It could not be confirmed how much came out"),
        what=(
            "お金を出す途中で、機械の返事がとだえました。行きちがいを防ぐため、自動ではやり直しません。",
            "The machine stopped answering while it paid. To be safe, it does not try again by itself.",
        ),
        next=(
            "返却口のお金をお取りになり、お店の係員にこの画面をお見せください。",
            "Please take what is in the return cup, and show this screen to the store's staff.",
        ),
    ),
    TerminalCode.RESIDUE: _TERMINAL_TROUBLE,
    TerminalCode.OUT_OF_SERVICE: _TERMINAL_TROUBLE,
    TerminalCode.JOURNAL_UNAVAILABLE: _TERMINAL_TROUBLE,
}


def refusal_words(code: str) -> RefusalWords:
    """Return what to say for a code; a code without words is said as INTERNAL, never shown raw."""
    return REFUSALS.get(code, REFUSALS[TerminalCode.INTERNAL])
