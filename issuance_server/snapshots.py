"""What one paper says and must say, sealed with its order: the same order is the same bytes, and can be shown to be."""

from __future__ import annotations

from datetime import datetime

import msgspec

from issuance_server.ledger import Order
from issuance_server.masking import masked
from issuance_server.rules import Asked
from issuance_server.vault import Vault
from printing.paper.recheck import Expected
from printing.paper.records import Certificate, Issuance
from protocol.messages import PreparedOrder


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that one paper says, and what it must say: sealed with the order, so that the same id is the same bytes.

    Shape:  build is that of printing.paper.build; while it is the same, so are the bytes.
    """

    requester_id: str
    masked_requester: str = ""
    asked: Asked
    certificate: Certificate
    issuance: Issuance
    municipality_name: str
    expected: Expected
    binding: bytes
    salt: bytes
    build: str = ""  # a build that did not say


def seal(vault: Vault, municipality_code: str, order_id: str, snapshot: Snapshot) -> bytes:
    """Return a snapshot as an order's row stores it."""
    return vault.seal(_aad(municipality_code, order_id), msgspec.json.encode(snapshot))


def open_sealed(vault: Vault, municipality_code: str, order_id: str, blob: bytes) -> Snapshot:
    """Return an order's snapshot. Errors: VaultError; msgspec.ValidationError if another build wrote it."""
    return msgspec.json.decode(vault.open(_aad(municipality_code, order_id), blob), type=Snapshot)


def prepared(order: Order, snapshot: Snapshot, pdf_sha256: bytes, expires_at_utc: datetime) -> PreparedOrder:
    """Return what a terminal is told of a paper."""
    return PreparedOrder(
        order_id=order.order_id,
        municipality_code=order.municipality_code,
        municipality_name=snapshot.municipality_name,
        kind=order.kind,
        title=snapshot.expected.headings[0],
        masked_names=tuple(masked(person.name) for person in snapshot.expected.people),
        masked_requester=snapshot.masked_requester,
        items=snapshot.asked.items,
        fiscal_year=snapshot.asked.fiscal_year,
        issue_number=order.issue_number,
        sheets=snapshot.expected.sheets,
        fee_yen=order.fee_yen,
        pdf_sha256=pdf_sha256,
        expires_at_utc=expires_at_utc,
    )


def _aad(municipality_code: str, order_id: str) -> bytes:
    return f"order/{municipality_code}/{order_id}".encode()
