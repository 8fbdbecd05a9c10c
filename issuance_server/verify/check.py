"""What a paper's seal proves: pure, from the seal's text, the published keys and what the ledger says of it.

The signature is looked at before anything that the seal says. It proves the fields that stand in the seal, and
nothing else on the paper. Only the ledger knows whether a number is void, and whether it was ever issued: a stolen
key's seal is as well signed as any.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum

import msgspec

from printing.paper import seal
from printing.paper.records import CertificateKind
from protocol.trust import SealKeyTrust


class Finding(StrEnum):
    """What a code is, by itself."""

    VALID = "valid"
    DAMAGED = "damaged"  # begins like a seal and cannot be read to its end
    FOREIGN = "foreign"  # some other code
    UNKNOWN_KEY = "unknown_key"
    FORGED = "forged"
    OTHER_KEY = "other_key"  # names one municipality, signed with the key of another
    RETIRED_KEY = "retired_key"  # the paper's date lies outside the time in which the key was in use


class Status(StrEnum):
    """What the ledger says of a seal whose signature holds."""

    NOT_ASKED = "not_asked"
    PROVISIONAL = "provisional"
    ACTIVE = "active"
    VOID = "void"
    REISSUED = "reissued"  # void, and another paper stands in its place
    NOT_ISSUED = "not_issued"


class Outcome(StrEnum):
    """What a receiver is told; each has its own words."""

    GENUINE = "genuine"
    SIGNED = "signed"  # the signature holds; the status was not asked
    PROVISIONAL = "provisional"
    VOID = "void"
    REISSUED = "reissued"
    NOT_ISSUED = "not_issued"
    TEXT_DIFFERS = "text_differs"  # the page's own text does not say what the seal proves
    FORGED = "forged"
    OTHER_KEY = "other_key"
    RETIRED_KEY = "retired_key"
    UNKNOWN_KEY = "unknown_key"
    FOREIGN = "foreign"
    DAMAGED = "damaged"
    NO_CODE = "no_code"
    SEVERAL_CODES = "several_codes"
    NOT_A_PICTURE = "not_a_picture"
    NOT_FOUND = "not_found"  # number and check code: unknown and wrong are one answer


_OF_AN_ISSUED_PAPER = {
    Status.NOT_ASKED: Outcome.SIGNED,
    Status.PROVISIONAL: Outcome.PROVISIONAL,
    Status.ACTIVE: Outcome.GENUINE,
    Status.VOID: Outcome.VOID,
    Status.REISSUED: Outcome.REISSUED,
}
_REFUSED = {
    seal.SealUnreadable: Finding.DAMAGED,
    seal.SealUnknownKey: Finding.UNKNOWN_KEY,
    seal.SealForged: Finding.FORGED,
}


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """What a valid seal states, by the names of its fields; ages are in days of the Japanese calendar."""

    municipality_code: str
    municipality_name: str  # empty where the published keys do not say it
    kind: CertificateKind
    issue_number: str
    issued_on_jst: date
    age_days: int
    fields: dict[str, tuple[str, ...]]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The whole answer. proven is None unless the seal is valid and was issued: what a forger says is not repeated.

    status_at_utc: of when the status is; reported: whether the operator's alarm was written down.
    """

    outcome: Outcome
    seal: Finding | None = None
    status: Status | None = None
    status_at_utc: datetime | None = None
    reported: bool = False
    proven: Proven | None = None


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A seal by itself, before the ledger is asked; content and key only where it is valid."""

    finding: Finding
    content: seal.SealContent | None = None
    statement_sha256: bytes = b""
    key: SealKeyTrust | None = None


class PublishedKeys:
    """The municipalities' published keys, by the id that stands in a seal."""

    def __init__(self, keys: Iterable[SealKeyTrust]) -> None:
        self.all = tuple(keys)
        self._by_id = {key.key_id: key for key in self.all}
        if len(self._by_id) != len(self.all):
            raise ValueError("published keys: two of one key id")
        self._pem = {key.key_id: key.public_key_pem.encode("ascii") for key in self.all}

    def read(self, text: str) -> Reading:
        """Return what a code is: numbered steps, each of which the next one rests on."""
        # 1. A seal's text at all.
        if not text.startswith(seal.SEAL_PREFIX):
            return Reading(finding=Finding.FOREIGN)
        # 2. Signed, by a key that is published.
        try:
            content = seal.verify(text, self._pem)
            key = self._by_id[seal.key_id_in(text)]
        except seal.SealError as error:
            return Reading(finding=_REFUSED[type(error)])
        # 3. By the key of the very municipality that it names.
        if key.municipality_code != content.municipality_code:
            return Reading(finding=Finding.OTHER_KEY)
        # 4. While that key was in use.
        on_jst = content.issued_on_jst
        if on_jst < (key.sealed_from_jst or on_jst) or on_jst > (key.sealed_until_jst or on_jst):
            return Reading(finding=Finding.RETIRED_KEY)
        return Reading(finding=Finding.VALID, content=content, statement_sha256=seal.statement_digest(text), key=key)


def judge(reading: Reading, status: Status, today_jst: date, status_at_utc: datetime | None = None) -> Check:
    """Return the whole answer on a code. Shape: status as the ledger gave it; it counts for a valid seal only."""
    if reading.content is None or reading.key is None:
        return Check(outcome=Outcome(reading.finding.value), seal=reading.finding)
    if status is Status.NOT_ISSUED:
        return Check(outcome=Outcome.NOT_ISSUED, seal=reading.finding, status=status, status_at_utc=status_at_utc)
    content = reading.content
    proven = Proven(
        municipality_code=content.municipality_code,
        municipality_name=reading.key.municipality_name,
        kind=content.kind,
        issue_number=content.issue_number,
        issued_on_jst=content.issued_on_jst,
        age_days=max(0, (today_jst - content.issued_on_jst).days),
        fields={name: tuple(value.split("\n")) for name, value in content.fields.items()},
    )
    return Check(
        outcome=_OF_AN_ISSUED_PAPER[status],
        seal=reading.finding,
        status=status,
        status_at_utc=status_at_utc,
        proven=proven,
    )


def missing_on_page(proven: Proven, page_text: str) -> tuple[str, ...]:
    """Return the names of what the seal proves and a page's own text does not say.

    Spaces and line ends do not count: a long name is set on two lines. A fiscal year is printed in the era. That
    nothing is missing proves nothing: a text can hide behind a picture, so the receiver still compares by eye.
    """
    said = "".join(page_text.split())
    stated = {"issue_number": (proven.issue_number,), **proven.fields}
    stated.pop("fiscal_year", None)
    return tuple(name for name, values in stated.items() if not all("".join(value.split()) in said for value in values))
