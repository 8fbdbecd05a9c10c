"""Certificates: record -> bytes, a pure function on values; one module a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from printing.paper.certificates import (
    family_register,
    income,
    residence,
    residence_items,
    seal_registration,
    supplementary_register,
    tax_payment,
    taxation,
)
from printing.paper.errors import InconsistentRecord, UndrawableText
from printing.paper.fonts import Fonts
from printing.paper.page import Document
from printing.paper.records import Certificate, CertificateKind, Issuance, kind_of
from printing.paper.seal import max_seal_chars


class Layout(Protocol):
    """What every kind's module does; each takes its own kind of record."""

    def sheets(self, record: Any, /) -> int:
        """Return the number of sheets."""

    def title(self, record: Any, /) -> str:
        """Return the title printed on every sheet."""

    def check(self, record: Any, /) -> None:
        """Refuse a record that contradicts itself or uses another document's words."""

    def draw(self, document: Document, record: Any, issuance: Issuance, seal_text: str, /) -> None:
        """Draw all sheets of a checked record."""


LAYOUTS: Mapping[CertificateKind, Layout] = {
    CertificateKind.RESIDENCE: residence,
    CertificateKind.RESIDENCE_ITEMS: residence_items,
    CertificateKind.SEAL_REGISTRATION: seal_registration,
    CertificateKind.INCOME: income,
    CertificateKind.TAXATION: taxation,
    CertificateKind.TAX_PAYMENT: tax_payment,
    CertificateKind.FAMILY_REGISTER: family_register,
    CertificateKind.FAMILY_REGISTER_INDIVIDUAL: family_register,
    CertificateKind.SUPPLEMENTARY_REGISTER: supplementary_register,
}


def render(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    """Return the certificate's PDF: the same bytes for the same input, in any process, at any time.

    Shape:  front, back, front, back, all A4; a front has the issue number and which of how many sheets it is, the seal
            stands on the first front, and a back is the same for every paper of its issuer.
    Errors: UndrawableText with all sequences, WrongVocabulary, InconsistentRecord, ValueTooLong, NoEra.
    """
    document = _document(fonts, record, issuance, trial=False)
    _draw(document, record, issuance, seal_text)
    return document.finish()


def check(fonts: Fonts, record: Certificate, issuance: Issuance) -> None:
    """Refuse what `render` would refuse, without making a file: before a number is taken.

    Shape:  issuance with any issue number of the right length will do.
    Errors: as render.
    """
    _draw(_document(fonts, record, issuance, trial=True), record, issuance, "A" * max_seal_chars(record))


def undrawable(fonts: Fonts, record: Certificate, issuance: Issuance) -> tuple[str, ...]:
    """Return every sequence of record and issuance that cannot be drawn, once each, in order of appearance."""
    texts = [text for part in (record, issuance) for _item, text in _texts(part)]
    return tuple(dict.fromkeys(sequence for text in texts for sequence in fonts.undrawable(text)))


def sheets(record: Certificate) -> int:
    """Return the number of sheets the certificate has."""
    return LAYOUTS[kind_of(record)].sheets(record)


def title(record: Certificate) -> str:
    """Return the title printed on every sheet."""
    return LAYOUTS[kind_of(record)].title(record)


def _document(fonts: Fonts, record: Certificate, issuance: Issuance, *, trial: bool) -> Document:
    return Document(fonts, title(record), issuance.certifier.municipality_name, trial=trial)


def _draw(document: Document, record: Certificate, issuance: Issuance, seal_text: str) -> None:
    texts = _texts(record)
    if not document.fonts.draw_all(text for _item, text in (*texts, *_texts(issuance))):
        raise UndrawableText(undrawable(document.fonts, record, issuance))
    layout = LAYOUTS[kind_of(record)]
    layout.check(record)
    blank = next((item for item, text in texts if not text.strip()), None)
    if blank is not None:
        raise InconsistentRecord(blank, "white space alone: what is not recorded is None, and says so on the paper")
    layout.draw(document, record, issuance, seal_text)


def _texts(part: Certificate | Issuance) -> list[tuple[str, str]]:
    """Return every text with the name of its field."""
    found: list[tuple[str, str]] = []
    # Bytes stay bytes: a picture is no text.
    _gather(msgspec.to_builtins(part, builtin_types=(bytes,)), "", found)
    return found


def _gather(value: object, item: str, found: list[tuple[str, str]]) -> None:
    if isinstance(value, str):
        found.append((item, value))
    elif isinstance(value, dict):
        for name, part in value.items():
            _gather(part, name, found)
    elif isinstance(value, list | tuple):
        for part in value:
            _gather(part, item, found)
