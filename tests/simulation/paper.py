"""A stand-in for pages: a real PDF of empty A4 sides that carries what the paper says, and its real seal, as text.

Drawing and reading back are pure in the product; what matters here is that bytes, seal, binding and subject travel
together or not at all, under the product's own rules.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from printing.paper import certificates, recheck, seal
from printing.paper.fonts import Fonts
from printing.paper.recheck import Expected, RecheckFailed
from printing.paper.records import Certificate, Issuance
from printing.press import cups
from terminal.client import Paper
from terminal.paper_check import ALL_CHECKS, PaperCheck, PaperGuard, PaperMismatch

CHECKS = ALL_CHECKS
_MARK = b"%madoguchi "


class Contents(msgspec.Struct, frozen=True):
    """What a paper says."""

    names: tuple[str, ...]
    address: str
    issue_number: str
    seal: str


def render(_fonts: Fonts, certificate: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    """Stand in for `certificates.render`."""
    people = getattr(certificate, "people", None)
    names = tuple(person.name for person in people) if people else (getattr(certificate, "name", ""),)
    address = getattr(certificate, "address", "") or getattr(certificate, "address_on_1_january", "")
    said = Contents(names, address, issuance.issue_number, seal_text)
    # %XX in ASCII: a comment's line must not end early.
    return _blank(2 * certificates.sheets(certificate)) + _MARK + msgspec.json.encode(said).hex().encode() + b"\n"


def contents(pdf: bytes) -> Contents:
    """Return what a paper says; of a real one, what is read on its first sheet."""
    if _MARK not in pdf:
        return _read(pdf)
    line = pdf[pdf.rindex(_MARK) + len(_MARK) :].split(b"\n", 1)[0]
    return msgspec.json.decode(bytes.fromhex(line.decode()), type=Contents)


def check_pdf(pdf: bytes, sheets: int) -> None:
    """Check pages as the press does, once only where they differ in nothing but the stand-in's comment."""
    _check_pdf(pdf[: pdf.rindex(_MARK)] if _MARK in pdf else pdf, sheets)


@lru_cache(maxsize=64)
def _check_pdf(pdf: bytes, sheets: int) -> None:
    cups.check_pdf(pdf, sheets)


@lru_cache(maxsize=64)
def _read(pdf: bytes) -> Contents:
    text = recheck.page_texts(pdf)[0]
    names = tuple(found[0] for found in recheck._ENTRY.findall(text))
    address, number = recheck._ADDRESS.search(text), recheck._ISSUE_NUMBER.search(text)
    assert address is not None
    assert number is not None
    return Contents(names, recheck._bare(address[1]), number[1], seal.read_printed(pdf))


def reread(pdf: bytes, expected: Expected) -> None:
    """Stand in for `recheck.recheck`: subject, address and number, from the finished bytes; a real page goes to it."""
    if _MARK not in pdf:
        recheck.recheck(pdf, expected)
        return
    said = contents(pdf)
    if said.names != tuple(person.name for person in expected.people):
        raise RecheckFailed("names: not those of the order")
    if expected.address is not None and said.address != expected.address:
        raise RecheckFailed("address: another one, or not on every front")
    if said.issue_number != expected.issue_number:
        raise RecheckFailed("issue_number: another one, or not on every front")


class StandInGuard(PaperGuard):
    """The real guard; only the printed code is read from the stand-in instead of from a picture."""

    def _printed_seal(self, paper: Paper) -> seal.SealContent:
        trust = self.trust()
        try:
            text = contents(paper.pdf).seal
            content = seal.verify(text, trust.seal_keys_of(paper.prepared.municipality_code))
        except (seal.SealError, ValueError) as error:
            raise PaperMismatch(PaperCheck.PRINTED_SEAL, str(error)) from error
        if not trust.in_use_on(seal.key_id_in(text), content.issued_on_jst):
            raise PaperMismatch(PaperCheck.PRINTED_SEAL, "the seal's key was not in use on the paper's date")
        return content


@lru_cache
def _blank(pages: int) -> bytes:
    """Return a PDF of empty A4 pages."""
    kids = " ".join(f"{3 + number} 0 R" for number in range(pages))
    box = "[0 0 595.2756 841.8898]"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>",
        *[f"<< /Type /Page /Parent 2 0 R /MediaBox {box} >>"] * pages,
    ]
    made, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(made))
        made += f"{number} 0 obj\n{body}\nendobj\n".encode()
    start = len(made)
    rows = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    made += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}".encode()
    made += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return made
