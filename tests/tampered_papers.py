"""Files as a receiver may get them, and what each must be told: one table for the page and the command line."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import pikepdf

from issuance_server.verify.check import Outcome
from printing.paper import seal
from protocol.messages import Scope
from tests.verify_parts import CheckedOffice, content_of, new_key, resealed, with_second_code


@dataclass
class Papers:
    """Printed, void, unprinted and replaced papers of one office."""

    office: CheckedOffice
    paper: bytes
    void: bytes
    unprinted: bytes
    replaced: bytes

    @classmethod
    def of(cls, office: CheckedOffice) -> Papers:
        void = office.issue()
        office.void()
        replaced = office.issue()
        office.reissue()
        return cls(office, office.issue(), void, office.prepare(scope=Scope.HOUSEHOLD), replaced)

    @property
    def seal_text(self) -> str:
        return seal.read_printed(self.paper)

    def signed(self, signer: seal.SealSigner, **changed: object) -> bytes:
        """The paper with a seal that somebody else made."""
        content = msgspec.structs.replace(content_of(self.office, self.paper), **changed)
        return resealed(self.office, self.paper, seal.sign(content, signer))

    def with_seal_of(self, other: bytes) -> bytes:
        """The paper with another one's code."""
        return resealed(self.office, self.paper, seal.read_printed(other))


def letter_altered(papers: Papers) -> bytes:
    return resealed(papers.office, papers.paper, papers.seal_text, name="見本 太朗")


def name_forged(papers: Papers) -> bytes:
    impostor = replace(new_key()[0], key_id=papers.office.signer.key_id)
    return papers.signed(impostor, fields={"names": "見本 次郎", "address": "見本県"})


def no_code(papers: Papers) -> bytes:
    made = io.BytesIO()
    with pikepdf.open(io.BytesIO(papers.unprinted)) as paper:
        paper.add_blank_page(page_size=(595, 842))
        del paper.pages[0]
        paper.save(made)
    return made.getvalue()


def own_digit(papers: Papers) -> bytes:
    return papers.signed(papers.office.signer, issue_number="2026-0000009")


def borrowed_identity(papers: Papers) -> bytes:
    """A thief of the key takes a real paper's status id and digest over, and puts other names beside them."""
    return papers.signed(papers.office.signer, fields={"names": "見本 次郎", "address": "見本県"})


#: name: (the file, what is told, the command's exit code)
TAMPERED: dict[str, tuple[Callable[[Papers], bytes], Outcome, int]] = {
    "untouched": (lambda papers: papers.paper, Outcome.GENUINE, 0),
    "a letter of the page": (letter_altered, Outcome.TEXT_DIFFERS, 1),
    "the seal of another paper": (lambda papers: papers.with_seal_of(papers.void), Outcome.VOID, 4),
    "the seal of another household": (lambda papers: papers.with_seal_of(papers.unprinted), Outcome.TEXT_DIFFERS, 1),
    "a digit of the issue number": (own_digit, Outcome.NOT_ISSUED, 1),
    "an old void number": (lambda papers: papers.void, Outcome.VOID, 4),
    "destroyed, and replaced by another": (lambda papers: papers.replaced, Outcome.REISSUED, 4),
    "not printed yet": (lambda papers: papers.unprinted, Outcome.PROVISIONAL, 3),
    "another municipality's key": (lambda papers: papers.signed(papers.office.other_signer), Outcome.OTHER_KEY, 1),
    "a stolen key": (lambda papers: papers.signed(papers.office.signer, status_id=bytes(16)), Outcome.NOT_ISSUED, 1),
    "a stolen key and a real paper's ids": (borrowed_identity, Outcome.NOT_ISSUED, 1),
    "a retired key": (lambda papers: papers.signed(papers.office.retired_signer), Outcome.RETIRED_KEY, 1),
    "a key of one's own": (lambda papers: papers.signed(new_key()[0]), Outcome.UNKNOWN_KEY, 1),
    "a key of one's own under the real one's name": (name_forged, Outcome.FORGED, 1),
    "a damaged code": (
        lambda papers: resealed(papers.office, papers.paper, papers.seal_text[:-9]),
        Outcome.DAMAGED,
        5,
    ),
    "a foreign code": (
        lambda papers: resealed(papers.office, papers.paper, "https://kakunin.example/"),
        Outcome.FOREIGN,
        5,
    ),
    "no code": (no_code, Outcome.NO_CODE, 5),
    "two codes": (lambda papers: with_second_code(papers.paper, papers.void), Outcome.SEVERAL_CODES, 5),
    "half a file": (lambda papers: papers.paper[:300], Outcome.NOT_A_PICTURE, 5),
    "no paper at all": (lambda papers: papers.seal_text.encode(), Outcome.NOT_A_PICTURE, 5),
}
