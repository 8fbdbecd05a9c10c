"""What one paper says and must say, sealed with its order: the same order is the same bytes, and can be shown to be."""

from __future__ import annotations

import msgspec

from issuance_server.rules import Asked
from issuance_server.vault import Vault
from printing.paper.recheck import Expected
from printing.paper.records import Certificate, Issuance


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that one paper says, and what it must say: sealed with the order, so that the same id is the same bytes."""

    requester_id: str
    masked_requester: str = ""
    asked: Asked
    certificate: Certificate
    issuance: Issuance
    municipality_name: str
    expected: Expected
    binding: bytes
    salt: bytes


def seal(vault: Vault, municipality_code: str, order_id: str, snapshot: Snapshot) -> bytes:
    """Return a snapshot as an order's row stores it."""
    return vault.seal(_aad(municipality_code, order_id), msgspec.json.encode(snapshot))


def open_sealed(vault: Vault, municipality_code: str, order_id: str, blob: bytes) -> Snapshot:
    """Return an order's snapshot. Errors: VaultError; msgspec.ValidationError if another build wrote it."""
    return msgspec.json.decode(vault.open(_aad(municipality_code, order_id), blob), type=Snapshot)


def _aad(municipality_code: str, order_id: str) -> bytes:
    return f"order/{municipality_code}/{order_id}".encode()
