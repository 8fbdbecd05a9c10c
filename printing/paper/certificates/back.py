"""The back of every sheet: how to check the certificate, in Japanese and English.

It depends on its issuer alone, so that it can be prepared once and be the same on every paper of that issuer: nothing
on it is anybody's, and nothing on it is this paper's. Lines are broken here and not by a machine: an officer has seen
each as it is printed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from printing.paper import latent
from printing.paper.fitting import Align, Box
from printing.paper.marks import draw_specimen
from printing.paper.page import Document
from printing.paper.records import Back, Contact
from printing.paper.screens import screen_named

LEFT_MM = 15.0
RIGHT_MM = 195.0
MIDDLE_MM = 105.0
JAPANESE_MM = 24.0  # where the Japanese lines begin; numbers of steps stand before them
ENGLISH_MM = 109.0
COLUMN_MM = 82.0  # the most that a line of either language may take
SPECIMEN_MM = 289.0

TITLE_PT = 18.0
ADDRESS_PT = 22.0
ADDRESS_MIN_PT = 9.0  # as wide as the narrower line on the front at the smallest type: what fits there fits here
ISSUER_PT = 13.0
CONTACT_PT = 10.5
SECTION_PT = 11.0
HEADING_PT = 9.5
LINE_PT = 8.5
ENGLISH_PT = 8.0
NUMBER_PT = 20.0

_RULE_PT = 0.5
_BORDER_PT = 1.1
_SHADE = (0.955, 0.96, 0.97)
_PITCH_MM = 4.1
_HEADING_MM = 4.6
_CONTACT_MM = 5.0  # from the issuer's name to its office, and on to the telephone
_ONE_LINE_MM = 3.0  # too low for a second line: what is typed or asked for is never broken
_GAP_MM = 1.2  # between two entries
_SECTION_MM = 5.6  # from what stands above a section to the middle of its heading


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to know or to do: a heading and its lines, Japanese beside English."""

    japanese: str
    english: str
    japanese_lines: tuple[str, ...]
    english_lines: tuple[str, ...]
    number: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Entries under a heading."""

    japanese: str
    english: str
    entries: tuple[Entry, ...]


TITLE = ("この証明書の確かめ方", "How to check this certificate")
LEAD = Entry(
    "",
    "",
    ("この紙の表面は、下記の市区町村が発行した証明書です。", "受け取った方は、だれでも本物かどうかを確かめられます。"),
    ("The front of this paper is a certificate of the", "municipality named below. Anyone may check it."),
)
ADDRESS = ("公式の確認ページ", "The official page for checking")
STEPS = Section(
    "確かめる手順",
    "Three steps",
    (
        Entry(
            "公式のページを開く",
            "Open the official page",
            (
                "上のアドレスを、ご自分で入力して開いてください。",
                "ひとりでにページを開くコードや、人から送られた",
                "リンクは、決して使わないでください。",
            ),
            (
                "Type the address above into your browser yourself.",
                "Never follow a code that opens a link by itself,",
                "nor a link that somebody sent you.",
            ),
            number="1",
        ),
        Entry(
            "そのページの中で、表面のコードを読み取る",
            "Scan the code on the front inside that page",
            (
                "1枚目の表面にある四角いコードを、ページの中の",
                "カメラで読み取るか、写真やPDFを選んでください。",
                "発行番号と確認コードを入力することもできます。",
            ),
            (
                "Point the page's camera at the square code on the",
                "front of the first sheet, or choose a photo or PDF.",
                "Or type the issue number and the check code.",
            ),
            number="2",
        ),
        Entry(
            "画面と紙を、一文字ずつ見比べる",
            "Compare screen and paper, letter by letter",
            (
                "画面に示された項目が、紙の記載と一文字も違わない",
                "ことを確かめてください。違うところがあるときは、",
                "その紙を受け取らないでください。",
            ),
            (
                "Every item that the screen names must be the same",
                "on the paper, letter by letter. If anything differs,",
                "do not accept the paper.",
            ),
            number="3",
        ),
    ),
)
PROOF = Section(
    "確認で証明されること",
    "What the check proves",
    (
        Entry(
            "証明されるもの",
            "Proven",
            ("画面に示された項目だけです。発行されたときの", "内容のままです。"),
            ("Only the items that the screen names: they are as", "they were issued."),
        ),
        Entry(
            "証明されないもの",
            "Not proven",
            ("画面に示されない、紙のほかの部分です。", "書き換えられていても、この確認ではわかりません。"),
            ("The rest of the paper: whether it was altered is", "not seen by this check."),
        ),
    ),
)
#: Headings as the page itself says them: who reads the one finds the other. What the page says of a file, or without a
#: server to ask, is no answer about a paper in somebody's hands, and says itself what to do.
ANSWERS = Section(
    "結果の意味",
    "What the answers mean",
    (
        Entry(
            "有効な証明書です",
            "This certificate is genuine and valid",
            ("発行元の署名が正しく、無効にされていません。",),
            ("The issuer's signature is right; it is not void.",),
        ),
        Entry(
            "印刷の完了がまだ確認できていません",
            "Printing is not confirmed yet",
            ("しばらくしてから、もう一度お確かめください。",),
            ("Please check again later.",),
        ),
        Entry(
            "この証明書は無効です",
            "This certificate is void",
            ("受け取らず、新しい証明書をお求めください。",),
            ("Do not accept it; ask for a new certificate.",),
        ),
        Entry(
            "この証明書は作り直されました。この紙は無効です",
            "This certificate was replaced; this paper is void",
            ("受け取らず、作り直された証明書をお求めください。",),
            ("Do not accept it; ask for the new one.",),
        ),
        Entry(
            "この証明書は発行されていません",
            "This certificate was not issued by us",
            ("受け取らないでください。",),
            ("Do not accept it.",),
        ),
    ),
)
#: Where there is somebody to ask, the last of the answers says so.
_ANSWERS_ASKING = replace(
    ANSWERS,
    entries=(
        *ANSWERS.entries[:-1],
        replace(
            ANSWERS.entries[-1],
            japanese_lines=("受け取らず、下記にお問い合わせください。",),
            english_lines=("Do not accept it; ask the municipality below.",),
        ),
    ),
)
NOTES = Section(
    "ご注意",
    "Please note",
    (
        Entry(
            "コピーには「複写」の文字が現れます",
            "「複写」 (copy) appears on photocopies",
            ("この文字が読める紙は、コピーしたものです。",),
            ("Where these letters can be read, it is a photocopy.",),
        ),
        Entry(
            "法律で定められた有効期限はありません",
            "No period of validity is set by law",
            ("内容は発行時点のものです。",),
            ("The content is that of the day of issue.",),
        ),
        Entry(
            "すべての用紙がそろって1通の証明書です",
            "All sheets together are one certificate",
            ("何枚あるかは、表面の右下に記してあります。",),
            ("The front says at its lower right how many there are.",),
        ),
    ),
)
ISSUER = ("発行元", "Issued by")
ASK = ("発行元・お問い合わせ先", "Issued by; please ask here")
TELEPHONE = "電話"
SPECIMEN = "見本です。発行元も記載もすべて架空のものです。 Specimen: issuer and content are invented."


def _sections(asking: bool) -> tuple[Section, ...]:
    return (STEPS, PROOF, _ANSWERS_ASKING if asking else ANSWERS, NOTES)


def words(facts: Back) -> str:
    """Return every word of the back in the order of drawing, white space left out: what the re-check must find."""
    texts = [*TITLE, *LEAD.japanese_lines, *LEAD.english_lines, *ADDRESS]
    for section in _sections(facts.contact is not None):
        texts += [section.japanese, section.english]
        for entry in section.entries:
            texts += [entry.number, entry.japanese, *entry.japanese_lines, entry.english, *entry.english_lines]
    texts += ISSUER if facts.contact is None else ASK
    if facts.specimen:
        texts.append(SPECIMEN)
    texts += [facts.check_address, facts.municipality_name]
    if facts.contact is not None:
        texts += [facts.contact.office, _telephone(facts.contact)]
    return "".join("".join(texts).split())


def draw(document: Document, facts: Back) -> None:
    """Draw the back of one sheet.

    Errors: ValueTooLong, UndrawableText, of the issuer's own data alone.
    """
    # 1. What lies under the words.
    latent.draw(document, latent.tile(document.fonts, screen_named(facts.latent_screen)))
    if facts.specimen:
        draw_specimen(document)
    # 2. The words, from top to bottom.
    frame, issuer_mm = document.prepared_by(_draw_words, facts.contact is not None, facts.specimen)
    # 3. The issuer's own data: a name may need glyphs that no form's words have.
    _draw_address(document, facts.check_address, frame)
    _draw_issuer(document, facts, issuer_mm)


def _draw_words(document: Document, asking: bool, specimen: bool) -> tuple[Box, float]:
    """Draw the form's own words; return the address's frame and the middle of the issuer's first line."""
    frame = _draw_head(document)
    y_mm = frame.top_mm + frame.height_mm
    for section in _sections(asking):
        y_mm = _draw_section(document, section, y_mm)
    return frame, _draw_foot(document, y_mm, asking, specimen)


def _draw_head(document: Document) -> Box:
    """Draw the title, what this paper is, and the frame for the address, which is returned."""
    fonts = document.fonts
    document.text(fonts.headings, TITLE[0], MIDDLE_MM, 16.0, TITLE_PT, align=Align.CENTRE)
    document.text(fonts.values, TITLE[1], MIDDLE_MM, 23.0, SECTION_PT, align=Align.CENTRE)
    _draw_lines(document, LEAD, 30.5)
    frame = Box(LEFT_MM, 38.5, RIGHT_MM - LEFT_MM, 22.0)
    document.fill(frame, _SHADE)
    document.frame(frame, _BORDER_PT)
    document.text(fonts.headings, ADDRESS[0], JAPANESE_MM, frame.top_mm + 5.0, HEADING_PT)
    document.text(fonts.values, ADDRESS[1], ENGLISH_MM, frame.top_mm + 5.0, HEADING_PT)
    return frame


def _draw_address(document: Document, address: str, frame: Box) -> None:
    line = Box(frame.left_mm, frame.top_mm + 14.0 - _ONE_LINE_MM / 2, frame.width_mm, _ONE_LINE_MM)
    document.value(
        address,
        line,
        ADDRESS_PT,
        "check_address",
        align=Align.CENTRE,
        padding_mm=4.0,
        min_pt=ADDRESS_MIN_PT,
    )


def _draw_section(document: Document, section: Section, above_mm: float) -> float:
    fonts, heading_mm = document.fonts, above_mm + _SECTION_MM
    document.text(fonts.headings, section.japanese, LEFT_MM, heading_mm, SECTION_PT)
    document.text(fonts.values, section.english, ENGLISH_MM, heading_mm, SECTION_PT)
    document.line((LEFT_MM, heading_mm + 3.0), (RIGHT_MM, heading_mm + 3.0), _RULE_PT)
    y_mm = heading_mm + 6.6
    for entry in section.entries:
        if entry.number:
            document.text(fonts.headings, entry.number, LEFT_MM + 1.0, y_mm + 2.0, NUMBER_PT)
        y_mm = _draw_lines(document, entry, y_mm) + _GAP_MM
    return y_mm - _GAP_MM


def _draw_lines(document: Document, entry: Entry, top_mm: float) -> float:
    """Draw an entry's headings and lines, each language from top to bottom; return where the next one begins."""
    fonts, ends_mm = document.fonts, []
    for heading, heading_faces, lines, faces, size_pt, x_mm in (
        (entry.japanese, fonts.headings, entry.japanese_lines, fonts.labels, LINE_PT, JAPANESE_MM),
        (entry.english, fonts.values, entry.english_lines, fonts.values, ENGLISH_PT, ENGLISH_MM),
    ):
        y_mm = top_mm
        if heading:
            document.text(heading_faces, heading, x_mm, y_mm, HEADING_PT)
            y_mm += _HEADING_MM
        for line in lines:
            document.text(faces, line, x_mm, y_mm, size_pt)
            y_mm += _PITCH_MM
        ends_mm.append(y_mm)
    return max(ends_mm)


def _draw_foot(document: Document, above_mm: float, asking: bool, specimen: bool) -> float:
    """Draw what stands beside the issuer's name; return the first line's middle."""
    fonts, middle_mm = document.fonts, above_mm + 7.4
    japanese, english = ASK if asking else ISSUER
    document.line((LEFT_MM, middle_mm - 5.0), (RIGHT_MM, middle_mm - 5.0), _BORDER_PT)
    document.text(fonts.headings, japanese, LEFT_MM, middle_mm, HEADING_PT)
    document.text(fonts.values, english, LEFT_MM, middle_mm + _HEADING_MM, HEADING_PT)
    if specimen:
        document.text(fonts.labels, SPECIMEN, MIDDLE_MM, SPECIMEN_MM, 7.0, align=Align.CENTRE)
    return middle_mm


def _draw_issuer(document: Document, facts: Back, first_mm: float) -> None:
    lines = [(facts.municipality_name, ISSUER_PT, "municipality_name")]
    if facts.contact is not None:
        lines.append((facts.contact.office, CONTACT_PT, "contact.office"))
        lines.append((_telephone(facts.contact), CONTACT_PT, "contact.telephone"))
    for number, (text, size_pt, item) in enumerate(lines):
        line = Box(ENGLISH_MM, first_mm + number * _CONTACT_MM - _ONE_LINE_MM / 2, COLUMN_MM, _ONE_LINE_MM)
        document.value(text, line, size_pt, item, padding_mm=0.0)


def _telephone(contact: Contact) -> str:
    return f"{TELEPHONE} {contact.telephone}"
