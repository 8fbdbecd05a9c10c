"""The independent re-check of what was issued: every paper that is still held is made again and looked at from outside.

`papers` renders each order again from its snapshot and its stored seal, and compares: the bytes with the row's hash,
the text that another parser reads with what was ordered, the printed code with the stored seal, its signature with the
published keys, what it states with row and snapshot. It reads only, a paper at a time, and what it tells of names an
order and a fact, never a person and never a value.

A paper is the same bytes for as long as one build draws it. Each snapshot names the build; where another one audits,
the hash of the bytes says nothing and is not compared, and all else is. How many papers that were is told.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, Row, bindparam, select, tuple_

from issuance_server import check_codes, ledger, snapshots
from issuance_server.database import read
from issuance_server.ledger import Order, OrderState
from issuance_server.rules import JST
from issuance_server.schema import orders
from issuance_server.snapshots import Snapshot
from issuance_server.vault import Vault, VaultError
from issuance_server.verify.check import Finding, PublishedKeys
from printing.paper import certificates, recheck, seal
from printing.paper.build import build_id
from printing.paper.errors import PaperError
from printing.paper.fonts import Fonts
from printing.paper.records import Certificate, Issuance

_ORDER: Final = tuple(Order.__dataclass_fields__)
_BESIDE: Final = ("snapshot", "seal_for_code", "statement_sha256", "check_digest")
_KEY: Final = tuple_(orders.c.municipality_code, orders.c.order_id)
_NEXT: Final = (
    select(*(orders.c[name] for name in (*_ORDER, *_BESIDE)))
    .where(tuple_(bindparam("after_code"), bindparam("after_order")) < _KEY)
    .order_by(orders.c.municipality_code, orders.c.order_id)
    .limit(1)
)
_UNSEALED: Final = frozenset((OrderState.INTENDED, OrderState.VOIDED))  # states in which a paper need not exist


class Fault(StrEnum):
    """What is wrong with a paper; each is found by a comparison of its own."""

    SNAPSHOT = "snapshot"  # does not open: altered, or of another row
    SEAL_STORED = "seal_stored"  # the stored seal does not open
    INCOMPLETE = "incomplete"  # prepared or later, and seal or hash are missing
    NOT_DRAWN = "not_drawn"  # cannot be rendered from its snapshot
    HASH = "hash"  # rendered again by the same build, other bytes than the row's hash
    RECHECK = "recheck"  # another parser reads something else than was ordered
    SHEETS = "sheets"  # another number of sheets than the row's
    PRINTED_CODE = "printed_code"  # the code on the page is not the stored seal
    SIGNATURE = "signature"  # does not hold under the published keys, as they were on the paper's date
    STATED = "stated"  # the seal states something else than row and snapshot
    STATEMENT = "statement"  # the digest by which its status is asked is not the seal's
    CHECK_CODE = "check_code"  # number and check code do not lead to this paper's seal


@dataclass(frozen=True, slots=True)
class Found:
    """One finding. detail names the fact that differs, never a value."""

    fault: Fault
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Audited:
    """One order and what was found.

    paper: False where none was ever made; other_build: its hash could not be compared, since another build made it.
    """

    municipality_code: str
    order_id: str
    issue_number: str
    paper: bool
    found: tuple[Found, ...]
    other_build: bool = False

    def lines(self) -> Iterator[str]:
        """Yield one line a finding."""
        for found in self.found:
            detail = f": {found.detail}" if found.detail else ""
            yield f"{self.municipality_code} {self.order_id} {self.issue_number} {found.fault.value}{detail}"


class PaperAudit:
    """The audit of one ledger. Errors of its methods: none for a paper, whatever state its row is in."""

    def __init__(
        self,
        *,
        engine: Engine,
        vault: Vault,
        fonts: Fonts,
        published: PublishedKeys,
        check: bytes,
        render: Callable[[Fonts, Certificate, Issuance, str], bytes] = certificates.render,
        build: str | None = None,
    ) -> None:
        """Take what the audit rests on; render and build are arguments for tests alone.

        Shape:  engine reads only; published are the keys that receivers have; check is the key of check codes.
        """
        self._engine = engine
        self._vault = vault
        self._fonts = fonts
        self._published = published
        self._check = check
        self._render = render
        self._build = build_id(fonts) if build is None else build

    def papers(
        self, *, municipality_code: str | None = None, since_jst: date | None = None, after: tuple[str, str] = ("", "")
    ) -> Iterator[Audited]:
        """Yield every order in the order of municipality and id, one row in memory at a time.

        Shape:  after is a municipality and an order id, where an audit that was cut short goes on.
        """
        statement = _NEXT
        fixed: dict[str, object] = {}
        if municipality_code is not None:
            statement = statement.where(orders.c.municipality_code == bindparam("code"))
            fixed["code"] = municipality_code
        if since_jst is not None:
            statement = statement.where(
                orders.c.intended_at_utc >= bindparam("since", type_=orders.c.intended_at_utc.type)
            )
            fixed["since"] = datetime.combine(since_jst, time(), JST)
        while True:
            with read(self._engine) as connection:
                keys = {"after_code": after[0], "after_order": after[1]}
                row = connection.execute(statement, fixed | keys).one_or_none()
            if row is None:
                return
            yield self._audited(row)
            after = (row.municipality_code, row.order_id)

    def _audited(self, row: Row[Any]) -> Audited:
        order = Order(**{name: getattr(row, name) for name in _ORDER} | {"state": OrderState(row.state)})
        found: list[Found] = []
        paper = order.seal_blob is not None and order.pdf_sha256 is not None
        if not paper and (order.state not in _UNSEALED or order.seal_blob is not None or order.pdf_sha256 is not None):
            found.append(Found(Fault.INCOMPLETE))
        snapshot = self._snapshot(order, row.snapshot, found)
        seal_text = self._seal(order, found)
        if seal_text is not None:
            self._check_seal(order, snapshot, seal_text, row.statement_sha256, found)
        if snapshot is not None and seal_text is not None:
            self._check_code(row, snapshot, seal_text, found)
            self._check_page(order, snapshot, seal_text, found)
        other_build = paper and snapshot is not None and snapshot.build != self._build
        return Audited(order.municipality_code, order.order_id, order.issue_number, paper, tuple(found), other_build)

    def _snapshot(self, order: Order, blob: bytes, found: list[Found]) -> Snapshot | None:
        try:
            return snapshots.open_sealed(self._vault, order.municipality_code, order.order_id, blob)
        except VaultError as error:
            found.append(Found(Fault.SNAPSHOT, str(error)))
        except msgspec.DecodeError:
            found.append(Found(Fault.SNAPSHOT, "not one of this build"))  # its own words would show what stands there
        return None

    def _seal(self, order: Order, found: list[Found]) -> str | None:
        try:
            return ledger.opened_seal(self._vault, order)
        except VaultError as error:
            found.append(Found(Fault.SEAL_STORED, str(error)))
        except UnicodeDecodeError:
            found.append(Found(Fault.SEAL_STORED, "not a text"))
        return None

    def _check_seal(
        self, order: Order, snapshot: Snapshot | None, seal_text: str, statement: bytes | None, found: list[Found]
    ) -> None:
        """The stored seal by itself, as a receiver checks it; then against row and snapshot."""
        reading = self._published.read(seal_text)
        if reading.finding is not Finding.VALID or reading.content is None:
            found.append(Found(Fault.SIGNATURE, reading.finding.value))
            return
        if reading.statement_sha256 != statement:
            found.append(Found(Fault.STATEMENT))
        row = {
            "municipality_code": order.municipality_code,
            "kind": order.kind,
            "issue_number": order.issue_number,
            "status_id": order.status_id,
        }
        differing = [f"{name} of the row" for name, value in row.items() if getattr(reading.content, name) != value]
        if snapshot is not None:
            must = seal.content_of(
                snapshot.certificate,
                snapshot.issuance,
                status_id=reading.content.status_id,
                binding=snapshot.binding,
                salt=snapshot.salt,
            )
            differing += [
                f"{name} of the snapshot"
                for name in must.__struct_fields__
                if getattr(must, name) != getattr(reading.content, name)
            ]
        found += [Found(Fault.STATED, name) for name in differing]

    def _check_code(self, row: Row[Any], snapshot: Snapshot, seal_text: str, found: list[Found]) -> None:
        """The way in for whoever types what is printed."""
        typed = (snapshot.issuance.issue_number, snapshot.issuance.check_code)
        if not hmac.compare_digest(check_codes.digest(self._check, *typed), row.check_digest or b""):
            found.append(Found(Fault.CHECK_CODE, "the row is not found by it"))
        if check_codes.open_under(*typed, row.seal_for_code or b"") != seal_text:
            found.append(Found(Fault.CHECK_CODE, "it does not open the seal"))

    def _check_page(self, order: Order, snapshot: Snapshot, seal_text: str, found: list[Found]) -> None:
        """The paper itself, made again."""
        try:
            pdf = self._render(self._fonts, snapshot.certificate, snapshot.issuance, seal_text)
        except PaperError as error:
            found.append(Found(Fault.NOT_DRAWN, type(error).__name__))
            return
        if snapshot.build == self._build and hashlib.sha256(pdf).digest() != order.pdf_sha256:
            found.append(Found(Fault.HASH))
        if snapshot.expected.sheets != order.sheets:
            found.append(Found(Fault.SHEETS))
        try:
            # The number is the row's, not the snapshot's: a snapshot of another order is seen by it.
            recheck.recheck(pdf, msgspec.structs.replace(snapshot.expected, issue_number=order.issue_number))
        except recheck.RecheckFailed as failed:
            found.append(Found(Fault.RECHECK, failed.what))
        try:
            if seal.read_printed(pdf) != seal_text:
                found.append(Found(Fault.PRINTED_CODE, "another text"))
        except seal.SealUnreadable:
            found.append(Found(Fault.PRINTED_CODE, "unreadable"))
