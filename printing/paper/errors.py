"""Why a record cannot become a paper. The messages name the item and the rule, never the value."""

from __future__ import annotations


class PaperError(Exception):
    """Base: this record is not drawn, and nothing was."""


class UndrawableText(PaperError):
    """Text holds sequences that no loaded font can draw; `sequences` names all of them, in order of appearance."""

    def __init__(self, sequences: tuple[str, ...]) -> None:
        super().__init__(f"{len(sequences)} character sequence(s) cannot be drawn by the loaded fonts")
        self.sequences = sequences


class ValueTooLong(PaperError):
    """A value does not fit its cell at the smallest size, even on several lines; it is never cut."""

    def __init__(self, item: str) -> None:
        super().__init__(f"{item}: longer than its cell holds at the smallest type size")
        self.item = item


class WrongVocabulary(PaperError):
    """A word that this document must not carry, such as 長男 on a residence certificate."""

    def __init__(self, item: str) -> None:
        super().__init__(f"{item}: not a word of this document's vocabulary")
        self.item = item


class InconsistentRecord(PaperError):
    """A record that contradicts itself, such as an Individual Number that nobody chose to print."""

    def __init__(self, item: str, rule: str) -> None:
        super().__init__(f"{item}: {rule}")
        self.item = item


class UnknownFiscalYear(PaperError):
    """A fiscal year whose tax certificates have no layout here."""

    def __init__(self, fiscal_year: int) -> None:
        super().__init__(f"fiscal_year: no layout for {fiscal_year}")
        self.fiscal_year = fiscal_year


class BadBitmap(PaperError):
    """A seal's picture that cannot be shown at true size; `rule` says what it must be."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"picture: {rule}")
        self.rule = rule


class NoEra(PaperError):
    """A date before the Gregorian calendar came into force: its month and day would be printed wrong."""

    def __init__(self) -> None:
        super().__init__("date: before 1873-01-01 the official calendar was another one")


class UnknownScreen(PaperError):
    """A screen of the latent pattern that no printer model has."""

    def __init__(self, name: str) -> None:
        super().__init__(f"latent_screen: {name!r} is none of the calibrated screens")
        self.name = name


class FontMissing(PaperError):
    """A font file is not there; the message names the Debian package that brings it."""
