"""Certificates: record -> bytes, a pure function on values; one module a kind."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from printing.paper.certificates import residence, taxation
from printing.paper.errors import UndrawableText
from printing.paper.fonts import Fonts
from printing.paper.page import Document
from printing.paper.records import Certificate, Issuance, ResidenceCertificate
from printing.paper.seal import max_seal_chars


def render(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> bytes:
    """Return the certificate's PDF: the same bytes for the same input, in any process, at any time.

    Shape:  every page is A4 with the issue number and its page of how many; the seal stands on the first.
    Errors: UndrawableText with all sequences, WrongVocabulary, InconsistentRecord, ValueTooLong, NoEra.
    """
    return _drawn(fonts, record, issuance, seal_text).finish()


def check(fonts: Fonts, record: Certificate, issuance: Issuance) -> None:
    """Refuse what `render` would refuse, without making a file: before a number is taken.

    Shape:  issuance with any issue number of the right length will do.
    Errors: as render.
    """
    _drawn(fonts, record, issuance, "A" * max_seal_chars(record))


def undrawable(fonts: Fonts, record: Certificate, issuance: Issuance) -> tuple[str, ...]:
    """Return every sequence of record and issuance that cannot be drawn, once each, in order of appearance."""
    texts = (*_texts(msgspec.to_builtins(record)), *_texts(msgspec.to_builtins(issuance)))
    return tuple(dict.fromkeys(sequence for text in texts for sequence in fonts.undrawable(text)))


def pages(record: Certificate) -> int:
    """Return the number of sheets the certificate has."""
    return residence.pages(record) if isinstance(record, ResidenceCertificate) else taxation.pages(record)


def title(record: Certificate) -> str:
    """Return the title printed on every sheet."""
    return residence.title(record) if isinstance(record, ResidenceCertificate) else taxation.title(record)


def _drawn(fonts: Fonts, record: Certificate, issuance: Issuance, seal_text: str) -> Document:
    bad = undrawable(fonts, record, issuance)
    if bad:
        raise UndrawableText(bad)
    document = Document(fonts, title(record), issuance.certifier.municipality_name)
    if isinstance(record, ResidenceCertificate):
        residence.check(record)
        residence.draw(document, record, issuance, seal_text)
    else:
        taxation.check(record)
        taxation.draw(document, record, issuance, seal_text)
    return document


def _texts(value: object) -> Iterator[str]:
    """Yield every text in plain builtins, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
