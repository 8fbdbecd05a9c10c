"""A visit told from outside: `make demo-once VISIT=visit.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from issuance_server.kinds import KINDS
from printing.paper.records import CertificateKind
from protocol.messages import Scope


class VisitFileError(ValueError):
    """The file cannot be used; the message names the field and the rule."""


class AskedDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One document more, paid for together with the first; its keys are those of a visit."""

    kind: CertificateKind
    scope: Literal["self", "household"] | Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None
    items: tuple[str, ...] | None = None
    fiscal_year: int | None = None
    copies: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1


class VisitFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who comes, what is asked for and which coins are put in.

    resident: an id of the town; None is the town's sample resident (with a virtual card), or whoever the external card
    is. municipality: whose document, where the person is known in two; None is whichever offers it. scope: a list names
    at least one of the household, or of the family register; None is the least that the document has. items: None are
    those without which the document says nothing. documents: more of the same municipality, added before paying. coins:
    whole yen, in the order of insertion. pays: with the coins, with a phone that reads the code, or with the e-money
    card, which is held to the contract terminal for each copy; leaves: it is pulled away in the middle, before or after
    it was debited (処理未了). fiscal_year as on the wire.
    """

    resident: str | None = None
    pin: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}$")] = "1234"
    kind: CertificateKind = CertificateKind.RESIDENCE
    municipality: str | None = None
    scope: Literal["self", "household"] | Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None
    items: tuple[str, ...] | None = None
    fiscal_year: int | None = None
    copies: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    coins: tuple[Literal[10, 50, 100, 500, 1000], ...] = (100, 100)
    pays: Literal["cash", "emoney", "qr"] = "cash"
    leaves: Literal["before", "after"] | None = None
    card: Literal["virtual", "external"] = "virtual"
    documents: Annotated[tuple[AskedDocument, ...], msgspec.Meta(max_length=4)] = ()

    def added(self) -> tuple[VisitFile, ...]:
        """Return each document that is added, as a visit of its own would ask for it."""
        return tuple(
            msgspec.structs.replace(self, documents=(), **msgspec.structs.asdict(document))
            for document in self.documents
        )

    @property
    def chosen_scope(self) -> Scope:
        """Whose entries: what was asked for, or the least that the document has."""
        if self.scope is None:
            return KINDS[self.kind].scopes[0]
        return Scope(self.scope) if isinstance(self.scope, str) else Scope.MEMBERS

    @property
    def chosen_items(self) -> tuple[str, ...]:
        """Which items: what was asked for, or those without which the document says nothing."""
        return KINDS[self.kind].default_items if self.items is None else self.items


def read_visit(path: Path) -> VisitFile:
    """Read a visit file.

    Errors: VisitFileError names the file, the field and the rule.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise VisitFileError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return msgspec.json.decode(body, type=VisitFile)
    except msgspec.DecodeError as error:
        kinds = f"; one of {', '.join(CertificateKind)}" if str(error).endswith("`$.kind`") else ""
        raise VisitFileError(f"{path}: {error}{kinds}") from error
