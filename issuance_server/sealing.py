"""Sealing one paper: the key in force on its date, and whether it still is when the paper is paid for."""

from __future__ import annotations

from datetime import date

import structlog

from issuance_server.key_files import KeysError
from issuance_server.seal_keys import SealKeys, SealKeyUnavailable
from issuance_server.tokens import TokenUnavailable
from printing.paper import seal
from protocol.errors import ErrorCode, IssueError


def require_key(seals: SealKeys, municipality_code: str, on_jst: date) -> seal.SealSigner:
    """Return the signer of the key in force on a paper's date, its token ready. Errors: IssueError BUSY."""
    try:
        return seals.signer(municipality_code, on_jst)
    except SealKeyUnavailable as error:
        raise _no_seal(municipality_code, error) from None


def sealed(seals: SealKeys, content: seal.SealContent) -> str:
    """Return a paper's seal. Errors: IssueError BUSY; nothing was paid yet, the same request may come again."""
    try:
        return seal.sign(content, require_key(seals, content.municipality_code, content.issued_on_jst))
    except TokenUnavailable as error:
        raise _no_seal(content.municipality_code, error) from None


def require_in_force(seals: SealKeys, municipality_code: str, seal_text: str, on_jst: date) -> None:
    """See that a sealed paper's key was not revoked meanwhile: nobody must pay for what every receiver refuses.

    Errors: IssueError SERVICE_RENEWED; BUSY where the keys cannot be read.
    """
    try:
        holds = seals.may_seal(seal.key_id_in(seal_text), on_jst)
    except KeysError as error:
        raise _no_seal(municipality_code, error) from None
    if not holds:
        raise IssueError(ErrorCode.SERVICE_RENEWED, "seal key: out of force since the paper was sealed")


def _no_seal(municipality_code: str, error: Exception) -> IssueError:
    structlog.get_logger().error("alarm", reason="seal_key", municipality_code=municipality_code, what=str(error))
    return IssueError(ErrorCode.BUSY, "seal key: it cannot be used now")
