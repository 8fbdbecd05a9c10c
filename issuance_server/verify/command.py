"""`madoguchi verify FILE`: the check on the command line, against published keys; offline but for the status."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from issuance_server.config import ConfigError
from issuance_server.rules import JST, Clock, utc_now
from issuance_server.verify import status_list, words
from issuance_server.verify.check import Check, Outcome, PublishedKeys, Reading, Status, judge, missing_on_page
from issuance_server.verify.config import read_trust
from issuance_server.verify.paper import MAX_FILE_BYTES, NotAPaper, read_file
from issuance_server.verify.status_list import MAX_LIST_BYTES, ListRefused
from protocol.trust import Trust

STATUS_TIMEOUT_S: Final = 10.0

#: Exit codes: 2 is for what was not understood on the command line.
EXIT_CODES: Mapping[Outcome, int] = {
    Outcome.GENUINE: 0,
    Outcome.SIGNED: 0,  # no server was named: the signature is all that was asked
    Outcome.PROVISIONAL: 3,
    Outcome.VOID: 4,
    Outcome.REISSUED: 4,
    **dict.fromkeys(
        (
            Outcome.NOT_ISSUED,
            Outcome.TEXT_DIFFERS,
            Outcome.FORGED,
            Outcome.OTHER_KEY,
            Outcome.RETIRED_KEY,
            Outcome.UNKNOWN_KEY,
        ),
        1,
    ),
    **dict.fromkeys(
        (Outcome.FOREIGN, Outcome.DAMAGED, Outcome.NO_CODE, Outcome.SEVERAL_CODES, Outcome.NOT_A_PICTURE), 5
    ),
}
EXIT_NO_STATUS: Final = 6


class CannotCheck(Exception):
    """The check could not be made; the message says what is missing."""


@dataclass(frozen=True)
class Verified:
    """What came of a file. unanswered: a server was named for the status, and did not answer."""

    check: Check
    differing: tuple[str, ...] = ()
    unanswered: str = ""

    @property
    def exit_code(self) -> int:
        """0 only where everything that was asked for holds."""
        code = EXIT_CODES[self.check.outcome]
        return EXIT_NO_STATUS if code == 0 and self.unanswered else code

    def as_json(self) -> str:
        """One line for programs."""
        told = msgspec.to_builtins(self.check)
        told.update(differing=self.differing, unanswered=self.unanswered or None, exit_code=self.exit_code)
        return msgspec.json.encode(told).decode()

    def as_text(self) -> str:
        """Words for people, Japanese and English."""
        said = words.WORDS[self.check.outcome]
        lines: list[str] = []
        for lang in (words.JA, words.EN):
            lines += [said.title[lang], f"  {said.meaning[lang]}", f"  {said.advice[lang]}", ""]
        if self.check.outcome is Outcome.NOT_ISSUED:
            lines += [f"{words.PAGE['not_reported_here'][lang]}\n" for lang in (words.JA, words.EN)]
        if self.check.status_at_utc is not None:
            at = f"{self.check.status_at_utc.astimezone(JST):%Y-%m-%d %H:%M}"
            lines += [words.PAGE["status_as_of"][lang].format(at=at) for lang in (words.JA, words.EN)] + [""]
        if self.unanswered:
            lines += [f"状態を問い合わせられませんでした / The status could not be asked: {self.unanswered}", ""]
        proven = self.check.proven
        if proven is not None:
            stated = {
                **{name: words.values(name, texts) for name, texts in proven.fields.items()},
                "kind": (words.KINDS[proven.kind][words.JA],),
                "issuer": (f"{proven.municipality_name} {proven.municipality_code}".strip(),),
                "issue_number": (proven.issue_number,),
                "issued_on_jst": (
                    f"{words.day(proven.issued_on_jst, words.JA)}, {words.age(proven.age_days, words.EN)}",
                ),
            }
            lines += [f"{words.PAGE['proven_title'][words.JA]} / {words.PAGE['proven_title'][words.EN]}"]
            for name, values in stated.items():
                mark = "  <- not on the page" if name in self.differing else ""
                lines.append(f"  {words.LABELS[name][words.JA]} / {words.LABELS[name][words.EN]}{mark}")
                lines += [f"    {value}" for value in values]
            for lang in (words.JA, words.EN):
                lines += ["", words.PAGE["proven_only"][lang], words.PAGE["age_lead"][lang]]
        return "\n".join(lines).rstrip()


def verify_file(file: Path, keys_file: Path, server: str | None, clock: Clock = utc_now) -> Verified:
    """Check one file. Errors: CannotCheck, where file or keys cannot be read."""
    try:
        trust = read_trust(keys_file)
        keys = PublishedKeys(trust.seal_keys)
        with file.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)  # what is longer is refused, whatever feeds it
    except (ConfigError, ValueError) as error:
        raise CannotCheck(str(error)) from None
    except OSError as error:
        raise CannotCheck(f"{file} cannot be read: {error.strerror}") from None
    try:
        paper = read_file(data)
    except NotAPaper:
        return Verified(Check(outcome=Outcome.NOT_A_PICTURE))
    if len(paper.codes) != 1:
        return Verified(Check(outcome=Outcome.SEVERAL_CODES if paper.codes else Outcome.NO_CODE))
    reading = keys.read(paper.codes[0])
    status, status_at_utc, unanswered = Status.NOT_ASKED, None, ""
    if server is not None and reading.content is not None:
        status, status_at_utc, unanswered = _ask(server, reading, trust, clock)
    check = judge(reading, status, clock().astimezone(JST).date(), status_at_utc)
    if check.proven is None or paper.page_text is None:
        return Verified(check, unanswered=unanswered)
    differing = missing_on_page(check.proven, paper.page_text)
    if differing and check.outcome not in {Outcome.VOID, Outcome.REISSUED}:  # which says more
        check = msgspec.structs.replace(check, outcome=Outcome.TEXT_DIFFERS)
    return Verified(check, differing, unanswered)


def _ask(server: str, reading: Reading, trust: Trust, clock: Clock) -> tuple[Status, datetime | None, str]:
    """Look the status up in the list of the paper's bucket: the server does not learn which paper it was."""
    if not server.startswith(("http://", "https://")):
        return Status.NOT_ASKED, None, "the server's address must begin with https:// or http://"
    bits = trust.status_bits
    bucket = status_list.bucket_of(reading.statement_sha256, bits)
    address = server.rstrip("/") + status_list.path_of(bits, bucket)
    try:
        with urllib.request.urlopen(address, timeout=STATUS_TIMEOUT_S) as answer:  # noqa: S310 - http or https, see above
            signed = answer.read(MAX_LIST_BYTES)
        found = status_list.read(signed, trust.status_keys, bits=bits, bucket=bucket, now_utc=clock())
        status = found.status(reading.statement_sha256)
    except urllib.error.HTTPError as error:
        error.close()
        return Status.NOT_ASKED, None, f"it answered {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return Status.NOT_ASKED, None, f"it did not answer ({type(error).__name__})"
    except ListRefused as error:
        return Status.NOT_ASKED, None, f"its answer is refused: {error}"
    return status, found.issued_at_utc, ""
