"""The words of the receivers' check, Japanese and English.

Each outcome says what it is, what is proven by it, and what to do. Nothing here says "expired": a certificate has no
statutory life, so its age is shown and the receiver decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from issuance_server.verify.check import Outcome
from printing.paper.era import era_date, era_year
from printing.paper.records import CertificateKind

JA, EN = 0, 1
_FISCAL_YEAR: Final = re.compile("(19|20)[0-9]{2}")  # whatever else somebody signed is shown as it is


class Tone(StrEnum):
    """How an answer looks, beside its words and its sign: nothing is told by colour alone."""

    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"
    UNREAD = "unread"


@dataclass(frozen=True)
class Words:
    """One outcome's words; each pair is Japanese, English."""

    tone: Tone
    title: tuple[str, str]
    meaning: tuple[str, str]
    advice: tuple[str, str]


_COMPARE = (
    "下の項目を、お手元の紙と一文字ずつ見比べてください。証明されるのは、この項目だけです。",
    "Compare the items below with the paper, letter by letter. Only these items are proven.",
)
_DO_NOT_ACCEPT = (
    "この紙は受け取らず、提出した方に、発行した市区町村の窓口で確認するようお伝えください。",
    "Do not accept this paper. Ask the person to turn to the municipality that is named on it.",
)
_BETTER_PICTURE = (
    "紙を平らに置き、明るいところで、二次元コードが画面の半分ほどになるように真上から撮ってください。"
    "読み取れないときは、発行番号と確認コードを入力してください。",
    "Lay the paper flat in good light and take the picture from straight above, with the square code filling about "
    "half of it. If that fails, type the issue number and the check code.",
)

WORDS: Mapping[Outcome, Words] = {
    Outcome.GENUINE: Words(
        Tone.GOOD,
        ("有効な証明書です", "This certificate is genuine and valid"),
        (
            "発行元の電子署名が正しく、無効にされていません。",
            "The issuer's signature is right, and the certificate has not been made void.",
        ),
        _COMPARE,
    ),
    Outcome.SIGNED: Words(
        Tone.WAIT,
        ("電子署名は正しいものです。有効かどうかは未確認です", "The signature is right; the status was not checked"),
        (
            "発行元の電子署名は正しいものですが、無効にされていないか、本当に発行されたかは確認していません。",
            "The issuer's signature is right. Whether the certificate was really issued, or made void, is not known.",
        ),
        (
            "インターネットにつながるところで、もう一度確認してください。",
            "Check again where the internet can be reached.",
        ),
    ),
    Outcome.PROVISIONAL: Words(
        Tone.WAIT,
        ("印刷の完了がまだ確認できていません", "Printing is not confirmed yet"),
        (
            "発行元の電子署名は正しいものですが、印刷が終わったという知らせが、端末からまだ届いていません。",
            "The issuer's signature is right, but the machine has not yet reported that the paper was printed.",
        ),
        (
            "しばらくしてから、もう一度確認してください。1日たっても変わらないときは、発行した市区町村にお問い合わせください。",
            "Check again later. If nothing has changed after a day, ask the municipality that issued it.",
        ),
    ),
    Outcome.VOID: Words(
        Tone.BAD,
        ("この証明書は無効です", "This certificate is void"),
        (
            "発行元の電子署名は正しいものですが、この発行番号は無効にされています。",
            "The issuer's signature is right, but this issue number has been made void.",
        ),
        (
            "この紙は受け取らず、提出した方に、新しい証明書を取り直すようお伝えください。"
            "印刷の途中で止まった紙なども、無効になります。",
            "Do not accept this paper; ask for a new certificate. A sheet from a printing that stopped half way is "
            "void, too.",
        ),
    ),
    Outcome.REISSUED: Words(
        Tone.BAD,
        ("この証明書は作り直されました。この紙は無効です", "This certificate was replaced; this paper is void"),
        (
            "発行元の電子署名は正しいものですが、この紙は使えないものとして処分され、別の発行番号で作り直されています。",
            "The issuer's signature is right, but this paper was discarded as faulty, and a new one was issued in its "
            "place under another number.",
        ),
        (
            "この紙は受け取らず、提出した方に、作り直された証明書を出すようお伝えください。処分されたはずの紙なので、写しかもしれません。",
            "Do not accept this paper; ask for the new one. It was to be destroyed, so this may be a copy of it.",
        ),
    ),
    Outcome.NOT_ISSUED: Words(
        Tone.BAD,
        ("この証明書は発行されていません", "This certificate was not issued by us"),
        (
            "署名の形は正しいものの、この内容の証明書を発行した記録がありません。",
            "The signature has the right form, but there is no record that a certificate with this content was ever "
            "issued.",
        ),
        _DO_NOT_ACCEPT,
    ),
    Outcome.TEXT_DIFFERS: Words(
        Tone.BAD,
        ("紙面の文字が、証明された内容と違います", "The page does not say what was certified"),
        (
            "電子署名は正しいものですが、ファイルの紙面の文字に、証明された内容が見当たりません。書き換えられたか、"
            "別の証明書のコードが貼られています。",
            "The signature is right, but the text of this file does not contain what it proves: the page was altered, "
            "or carries the code of another certificate.",
        ),
        _DO_NOT_ACCEPT,
    ),
    Outcome.FORGED: Words(
        Tone.BAD,
        ("偽造された証明書です", "This certificate is forged"),
        (
            "電子署名が、発行元の鍵によるものではありません。内容が書き換えられたか、発行元をよそおった紙です。",
            "The signature was not made with the issuer's key: the content was altered, or somebody poses as the "
            "issuer.",
        ),
        _DO_NOT_ACCEPT,
    ),
    Outcome.OTHER_KEY: Words(
        Tone.BAD,
        ("発行元と署名が一致しません", "Issuer and signature do not belong together"),
        (
            "記載された市区町村とは別の市区町村の鍵で署名されています。",
            "It is signed with the key of a municipality other than the one it names.",
        ),
        _DO_NOT_ACCEPT,
    ),
    Outcome.RETIRED_KEY: Words(
        Tone.BAD,
        ("発行日に使われていない鍵で署名されています", "Signed with a key that was not in use on its date"),
        (
            "証明書の日付が、署名した鍵の使用期間の外にあります。",
            "The date of the certificate lies outside the time in which the signing key was in use.",
        ),
        _DO_NOT_ACCEPT,
    ),
    Outcome.UNKNOWN_KEY: Words(
        Tone.BAD,
        ("公開されていない鍵で署名されています", "Signed with a key that is not known"),
        (
            "この確認ページが扱う市区町村の鍵ではないため、何も証明されません。",
            "It is not the key of any municipality that this check serves. Nothing is proven.",
        ),
        (
            "紙に書かれた公式のアドレスで確認しているか、お確かめください。正しいアドレスであれば、受け取らないでください。",
            "Make sure that you are at the official address printed on the paper. If you are, do not accept it.",
        ),
    ),
    Outcome.FOREIGN: Words(
        Tone.UNREAD,
        ("証明書のコードではありません", "Not a certificate's code"),
        (
            "読み取ったコードは、この仕組みで発行された証明書のものではありません。",
            "The code that was read does not belong to a certificate of this service.",
        ),
        (
            "証明書の下のほうにある、正方形の二次元コードだけを写してください。",
            "Show only the square code near the foot of the certificate.",
        ),
    ),
    Outcome.DAMAGED: Words(
        Tone.UNREAD,
        ("コードが壊れていて、確認できません", "The code is damaged and cannot be checked"),
        (
            "証明書のコードのようですが、最後まで正しく読み取れません。何も証明されません。",
            "It looks like a certificate's code, but cannot be read to its end. Nothing is proven.",
        ),
        _BETTER_PICTURE,
    ),
    Outcome.NO_CODE: Words(
        Tone.UNREAD,
        ("コードが見つかりません", "No code was found"),
        (
            "画像または1ページ目に、読み取れる二次元コードがありません。",
            "There is no readable code in the picture, or on the first page.",
        ),
        _BETTER_PICTURE,
    ),
    Outcome.SEVERAL_CODES: Words(
        Tone.UNREAD,
        ("コードが二つ以上あります", "There is more than one code"),
        (
            "どのコードがこの証明書のものか決められないため、確認していません。",
            "It is not clear which code belongs to this certificate, so none was checked.",
        ),
        (
            "1枚の証明書だけを写してください。1枚の紙にコードが二つあるときは、受け取らないでください。",
            "Show one certificate only. If one sheet carries two codes, do not accept it.",
        ),
    ),
    Outcome.NOT_A_PICTURE: Words(
        Tone.UNREAD,
        ("開けないファイルです", "This file cannot be opened"),
        ("画像でもPDFでもないか、壊れています。", "It is neither a picture nor a PDF, or it is broken."),
        (
            "写真 (JPEG、PNG) かPDFを選んでください。",
            "Choose a photo (JPEG, PNG) or a PDF.",
        ),
    ),
    Outcome.NOT_FOUND: Words(
        Tone.UNREAD,
        ("該当する証明書がありません", "No such certificate"),
        (
            "この発行番号と確認コードの組み合わせは見つかりません。",
            "This issue number and check code are not found together.",
        ),
        (
            "もう一度、紙のとおりに入力してください。それでも見つからないときは、受け取らずに、"
            "発行した市区町村にお問い合わせください。",
            "Type both again as they are printed. If they are still not found, do not accept the paper and ask the "
            "municipality that is named on it.",
        ),
    ),
}

LABELS: Mapping[str, tuple[str, str]] = {
    "issuer": ("発行元", "Issued by"),
    "kind": ("証明書の種類", "Certificate"),
    "issue_number": ("発行番号", "Issue number"),
    "issued_on_jst": ("発行日", "Issue date"),
    "names": ("氏名", "Name"),
    "address": ("住所", "Address"),
    "fiscal_year": ("年度", "Fiscal year"),
}

KINDS: Mapping[CertificateKind, tuple[str, str]] = {
    CertificateKind.RESIDENCE: ("住民票の写し", "Residence certificate"),
    CertificateKind.RESIDENCE_ITEMS: ("住民票記載事項証明書", "Certificate of residence items"),
    CertificateKind.SEAL_REGISTRATION: ("印鑑登録証明書", "Seal registration certificate"),
    CertificateKind.INCOME: ("所得証明書", "Income certificate"),
    CertificateKind.TAXATION: ("課税(非課税)証明書", "Taxation or non-taxation certificate"),
    CertificateKind.TAX_PAYMENT: ("納税証明書", "Tax payment certificate"),
    CertificateKind.FAMILY_REGISTER: ("戸籍全部事項証明書", "Family register certificate (full)"),
    CertificateKind.FAMILY_REGISTER_INDIVIDUAL: ("戸籍個人事項証明書", "Family register certificate (individual)"),
    CertificateKind.SUPPLEMENTARY_REGISTER: ("戸籍の附票の写し", "Copy of the supplementary family register"),
}

PAGE: Mapping[str, tuple[str, str]] = {
    "title": ("証明書の確認", "Check a certificate"),
    "lead": (
        "コンビニなどの端末で発行された証明書が、本物か、今も有効かを確かめます。",
        "Find out whether a certificate from a store's machine is genuine, and still valid.",
    ),
    "other_language": ("English", "日本語"),
    "scan_title": ("紙のコードから", "By the code on the paper"),
    "scan_lead": (
        "証明書の写真かPDFを、ここに置くか選んでください。画像はこの端末の中で読み取り、送りません。",
        "Drop a photo or PDF of the certificate here, or choose one. It is read on this device and not sent.",
    ),
    "choose": ("写真かPDFを選ぶ", "Choose a photo or PDF"),
    "camera": ("カメラで読み取る", "Scan with the camera"),
    "camera_stop": ("カメラを止める", "Stop the camera"),
    "camera_denied": (
        "カメラを使えません。写真を選ぶか、番号を入力してください。",
        "The camera cannot be used. Choose a photo, or type the number.",
    ),
    "reading": ("読み取っています…", "Reading…"),
    "no_answer": (
        "確認できませんでした。通信の状態を確かめて、もう一度お試しください。",
        "The check could not be made. Look at your connection and try again.",
    ),
    "no_script": (
        "このブラウザーではコードを読み取れません。番号を入力してください。",
        "This browser cannot read codes. Please type the number.",
    ),
    "type_title": ("番号から", "By the number"),
    "issue_number": ("発行番号", "Issue number"),
    "check_code": ("確認コード", "Check code"),
    "check": ("確認する", "Check"),
    "print": ("この結果を印刷", "Print this result"),
    "again": ("別の証明書を確認する", "Check another certificate"),
    "proven_title": ("証明された項目", "What is proven"),
    "proven_only": (
        "証明されるのは、ここに示した項目だけです。紙のほかの部分や、コピーした紙かどうかは、このコードでは確かめられません。",
        "Only what stands here is proven. The code says nothing of the rest of the paper, nor whether it is a copy.",
    ),
    "age_lead": (
        "内容は発行時点のものです。どれだけ新しい証明書が必要かは、受け取る側が決めます。",
        "The content is that of the day of issue. How recent a certificate must be is for the receiver to decide.",
    ),
    "differs": ("紙面に見当たらない項目", "Not found on the page"),
    "checked_at": ("確認した日時 (日本時間)", "Checked at (Japan time)"),
    "too_many": (
        "短い時間に何度も確認されました。1分ほど待ってから、もう一度お試しください。",
        "There were many checks in a short time. Wait a minute, then try again.",
    ),
    "status_as_of": (
        "有効かどうかは {at} (日本時間) 時点の情報です。無効になってから最長5分間は、反映されないことがあります。",
        "The status is that of {at} (Japan time). A certificate that is made void may show so up to 5 minutes later.",
    ),
    "status_offline": (
        "状態を問い合わせられませんでした。無効にされた証明書でも、この結果になります。",
        "The status could not be asked. A certificate that has been made void would get this answer, too.",
    ),
    "status_refused": (
        "受け取った状態の情報が古いか、確かめられません。この端末の時計が正しいか、お確かめください。",
        "The status that was received is out of date or cannot be trusted. Look whether this device's clock is right.",
    ),
    "keys_as_of": (
        "発行元の公開鍵は {at} (日本時間) に受け取ったものです。それより後に取り消された鍵は分かりません。",
        "The issuers' public keys are those of {at} (Japan time). A key that was revoked since is not known here.",
    ),
    "report_lead": (
        "この確認では、コードの内容を送っていません。運営者に知らせると、コードの内容が送られ、調査に役立ちます。",
        "Nothing of this code has been sent. If you tell the operator, the code is sent, and they can look into it.",
    ),
    "report": ("運営者に知らせる", "Tell the operator"),
    "reported": (
        "運営者に通知しました。ご協力ありがとうございます。",
        "The operator has been told. Thank you.",
    ),
    "not_reported": (
        "運営者に通知できませんでした。発行した市区町村にお知らせください。",
        "The operator could not be told. Please tell the municipality that is named on the paper.",
    ),
    "not_reported_here": (
        "運営者には通知されていません。発行した市区町村にお知らせください。",
        "Nobody has been told of this. Please tell the municipality that is named on the paper.",
    ),
    "checked_here": (
        "二次元コードの確認は、この端末の中で行います。問い合わせるのは多くの証明書をまとめた一覧で、どの証明書を確認したかは伝わりません。",
        "Square codes are checked on this device. It asks for a list of many certificates, which does not tell which "
        "one you have before you.",
    ),
    "checked_there": (
        "このブラウザーでは、二次元コードの内容をこのサイトに送って確認します。",
        "With this browser, what stands in the square code is sent to this site to be checked.",
    ),
    "typed_is_sent": (
        "入力した番号とコードは、このサイトに送って照合します。",
        "What you type is sent to this site to be looked up.",
    ),
    "kept": (
        "このページは端末に保存され、つながらないときも使えます。",
        "This page is kept on the device and works without a connection.",
    ),
    "stored_nothing": (
        "ここで確認した内容は保存されません。",
        "Nothing of what is checked here is kept.",
    ),
}


_AGE_TODAY: Final = ("本日発行", "issued today")
_AGE_ONE: Final = ("発行から{days}日", "issued {days} day ago")
_AGE_MANY: Final = ("発行から{days}日", "issued {days} days ago")


def age(days: int, lang: int) -> str:
    """Return how old a certificate is, in words."""
    words = {0: _AGE_TODAY, 1: _AGE_ONE}.get(days, _AGE_MANY)
    return words[lang].format(days=days)


def for_browser(lang: int) -> dict[str, object]:
    """Return the words that the page's script fills in."""
    return {
        **{key: pair[lang] for key, pair in PAGE.items()},
        "age_today": _AGE_TODAY[lang],
        "age_one": _AGE_ONE[lang],
        "age_many": _AGE_MANY[lang],
        "labels": {name: pair[lang] for name, pair in LABELS.items()},
        "kinds": {kind.value: pair[lang] for kind, pair in KINDS.items()},
    }


def day(on_jst: date, lang: int) -> str:
    """Return a date in words, and in the era as it stands on the paper."""
    western = f"{on_jst:%-d %B %Y}" if lang == EN else f"{on_jst.year}年{on_jst.month}月{on_jst.day}日"
    return f"{western} ({era_date(on_jst)})"


def values(name: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return a proven field's values as they are shown: a fiscal year by its era's year too, as on the paper."""
    if name != "fiscal_year":
        return texts
    return tuple(
        f"{text} ({era_year(date(int(text), 4, 1))}度)" if _FISCAL_YEAR.fullmatch(text) else text for text in texts
    )
