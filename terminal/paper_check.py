"""Is this paper the one that this person asked for? The terminal's own checks, before confirming and before printing.

Each check has a fault that only it catches. A test that shows one turns it off by the constructor's argument; nothing
in a configuration can.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from printing.paper import seal
from printing.press.cups import check_pdf
from printing.press.errors import PdfRefused
from protocol import grant as grants
from protocol.binding import binding
from protocol.messages import GrantAnswer, PreparedOrder
from protocol.trust import Trust
from terminal.client import Paper
from terminal.visit import Choice

GRANT_LIFETIME_S: Final = 60.0  # on this terminal's monotonic clock, from receipt to the print intent


class PaperCheck(StrEnum):
    """The checks, each by the fault that it catches."""

    PREPARED_DIGEST = "prepared-digest"  # other bytes than the server prepared for this order, before money is taken
    CHOSEN = "chosen"  # another document than was chosen, or copies that differ: the screen shows one of them
    SHEETS = "sheets"  # a back too few or a page too many: what follows would print on the wrong side
    PRINTED_SEAL = "printed-seal"  # a seal that is unreadable, forged, another municipality's or another document's
    BINDING = "binding"  # a genuine paper of another order, visit or card
    GRANT = "grant"  # a grant that is forged, another order's, another document's or another terminal's
    GRANT_AGE = "grant-age"  # a grant that was kept
    DIGEST_AT_PRINT = "digest-at-print"  # bytes that were changed or swapped after the grant


ALL_CHECKS: Final = frozenset(PaperCheck)


class PaperMismatch(Exception):
    """Not this person's paper, or no proof that it is: nothing is printed. `check` says which check caught it."""

    def __init__(self, check: PaperCheck, rule: str) -> None:
        super().__init__(check, rule)
        self.check = check
        self.rule = rule


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """A grant whose signature holds, and when it was received."""

    grant: grants.Grant
    received_s: float  # monotonic


@dataclass(frozen=True)
class PaperGuard:
    """The checks of one terminal against its pinned keys (protocol.trust_file, or what a test gives).

    Errors of all methods: PaperMismatch.
    """

    terminal_id: str
    trust: Callable[[], Trust]  # asked each time: keys change while a terminal runs
    checks: frozenset[PaperCheck] = field(default=ALL_CHECKS)

    def check_prepared(self, paper: Paper, order_id: str, visit_secret: bytes, certificate_sha256: bytes) -> None:
        """See that a prepared paper is this order's, this visit's and this card's.

        Not thread-safe: the printed seal is read from the page's picture, and pdfium draws one page at a time.
        """
        prepared = paper.prepared
        # 1. The bytes are the ones that the server speaks of.
        if PaperCheck.PREPARED_DIGEST in self.checks:
            _require_digest(PaperCheck.PREPARED_DIGEST, paper.pdf, prepared.pdf_sha256)
            if prepared.order_id != order_id:
                raise PaperMismatch(PaperCheck.PREPARED_DIGEST, "prepared for another order")
        # 2. A front and a back, both A4, for every sheet that the resident is told of.
        if PaperCheck.SHEETS in self.checks:
            try:
                check_pdf(paper.pdf, prepared.sheets)
            except PdfRefused as error:
                raise PaperMismatch(PaperCheck.SHEETS, error.detail) from error
        # 3. What is printed: the seal as a receiver would read it, under this municipality's keys alone.
        if PaperCheck.PRINTED_SEAL not in self.checks:
            return  # what an unverified seal states binds nothing
        content = self._printed_seal(paper)
        stated = (content.municipality_code, content.kind.value, content.issue_number)
        if stated != (prepared.municipality_code, prepared.kind, prepared.issue_number):
            raise PaperMismatch(PaperCheck.PRINTED_SEAL, "the seal states another document")
        # 4. Our own secret and the card that was read: no paper of another visit can carry this.
        if PaperCheck.BINDING in self.checks:
            expected = binding(order_id, visit_secret, certificate_sha256)
            if not hmac.compare_digest(content.binding, expected):
                raise PaperMismatch(PaperCheck.BINDING, "the seal is bound to another order, visit or card")

    def check_chosen(self, prepared: PreparedOrder, choice: Choice) -> None:
        """See that what was prepared is the document that was chosen, with just those items."""
        if PaperCheck.CHOSEN not in self.checks:
            return
        made = (prepared.municipality_code, prepared.kind, prepared.items, prepared.fiscal_year)
        if made != (choice.municipality_code, choice.kind, choice.items, choice.fiscal_year):
            raise PaperMismatch(PaperCheck.CHOSEN, "prepared for another choice")

    def check_copies(self, copies: Sequence[PreparedOrder]) -> None:
        """See that copies are alike in all that the resident is shown and pays: it is shown of the first alone."""
        if PaperCheck.CHOSEN in self.checks and len({_shown(copy) for copy in copies}) > 1:
            raise PaperMismatch(PaperCheck.CHOSEN, "copies that are not alike")

    def check_grant(self, answer: GrantAnswer, paper: Paper, received_s: float) -> HeldGrant:
        """Return the grant if it is the server's, for this order, these bytes and this terminal."""
        try:
            grant = grants.verify(answer, self.trust().grant_key())  # in any case: without it there is no grant
        except grants.GrantInvalid as error:
            raise PaperMismatch(PaperCheck.GRANT, str(error)) from error
        named = (grant.order_id, grant.pdf_sha256, grant.terminal_id)
        if PaperCheck.GRANT in self.checks and named != (
            paper.prepared.order_id,
            paper.prepared.pdf_sha256,
            self.terminal_id,
        ):
            raise PaperMismatch(PaperCheck.GRANT, "the grant names another order, document or terminal")
        return HeldGrant(grant, received_s)

    def check_before_print(self, held: HeldGrant, paper: Paper) -> None:
        """Hash the bytes again, right before they are sent, against what the grant names."""
        if PaperCheck.DIGEST_AT_PRINT in self.checks:
            _require_digest(PaperCheck.DIGEST_AT_PRINT, paper.pdf, held.grant.pdf_sha256)

    def check_age(self, held: HeldGrant, now_s: float) -> None:
        """See that the grant is fresh enough for the print intent that is written next."""
        if PaperCheck.GRANT_AGE in self.checks and now_s - held.received_s > GRANT_LIFETIME_S:
            raise PaperMismatch(PaperCheck.GRANT_AGE, f"the grant is older than {GRANT_LIFETIME_S:g} s")

    def _printed_seal(self, paper: Paper) -> seal.SealContent:
        trust = self.trust()
        try:
            text = seal.read_printed(paper.pdf)
            content = seal.verify(text, trust.seal_keys_of(paper.prepared.municipality_code))
        except seal.SealError as error:
            raise PaperMismatch(PaperCheck.PRINTED_SEAL, str(error)) from error
        if not trust.in_use_on(seal.key_id_in(text), content.issued_on_jst):
            raise PaperMismatch(PaperCheck.PRINTED_SEAL, "the seal's key was not in use on the paper's date")
        return content


def _shown(prepared: PreparedOrder) -> tuple[object, ...]:
    who = (prepared.masked_names, prepared.masked_requester)
    return (prepared.municipality_name, prepared.title, *who, prepared.sheets, prepared.fee_yen)


def _require_digest(check: PaperCheck, pdf: bytes, expected: bytes) -> None:
    if not hmac.compare_digest(hashlib.sha256(pdf).digest(), expected):
        raise PaperMismatch(check, "the bytes are others than those that were named")
