"""May a visit begin? Printer, spool, coin unit, server and clock, looked at between visits; reasons are for staff."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any, Final

from printing.press.errors import PressError
from printing.press.service import UNFINISHED_AT_PRINTER
from protocol.messages import BootRequest
from terminal.client import NetworkDown, ServerRefused
from terminal.devices import PressDevice, ServerPort
from terminal.journal import Journal
from terminal.payment.device import CoinUnit, PaymentDeviceError
from terminal.programs import ID_BYTES, Call, Lane, Sources
from terminal.workers import WorkerError

SERVER_UNREACHABLE: Final = "server-unreachable"
SERVER_REFUSES: Final = "server-refuses"  # and the code
MAX_CLOCK_SKEW_S: Final = 30.0
CHALLENGE_LIFETIME: Final = timedelta(seconds=60)


def look_at_press(press: PressDevice) -> Generator[Call, Any, list[str]]:
    try:
        if (yield Call(Lane.PRESS, "press.residue", press.residue)):
            yield Call(Lane.PRESS, "press.purge", press.purge_all)
        state = yield Call(Lane.PRESS, "press.check", press.check)
        if UNFINISHED_AT_PRINTER in state.reasons:  # what could not be cancelled when it should have been
            yield Call(Lane.PRESS, "press.purge", press.purge_all)
            state = yield Call(Lane.PRESS, "press.check", press.check)
        residue = yield Call(Lane.PRESS, "press.residue", press.residue)
    except (PressError, WorkerError) as error:
        return [f"press {type(error).__name__}"]
    return [*state.reasons, *(["spool-not-empty"] if residue else [])]


def look_at_payment(payment: CoinUnit) -> Generator[Call, Any, list[str]]:
    try:
        status = yield Call(Lane.PAYMENT, "payment.check", payment.check)
    except (PaymentDeviceError, WorkerError) as error:
        return [f"coin-unit {type(error).__name__}"]
    said = (("coin-unit-not-ready", not status.ready), ("money-held", status.payment_id or status.tray_yen))
    return [reason for reason, holds in said if holds]


def look_at_server(server: ServerPort, sources: Sources) -> Generator[Call, Any, list[str]]:
    """A challenge holds no state on the server, proves both keys, and tells its clock."""
    visit_id = sources.random_bytes(ID_BYTES).hex()
    try:
        answer = yield Call(Lane.SERVER, "server.challenge", lambda: server.challenge(visit_id))
    except NetworkDown:
        return [SERVER_UNREACHABLE]
    except ServerRefused as error:
        return [f"{SERVER_REFUSES} {error.code}"]
    skew_s = (answer.expires_at_utc - CHALLENGE_LIFETIME - sources.now_utc()).total_seconds()
    return ["clock-wrong"] if abs(skew_s) > MAX_CLOCK_SKEW_S else []


def boot_request(journal: Journal, boot_number: int, boot_head: bytes) -> BootRequest:
    """Return what is said to the server of the process that this row of the journal began."""
    event_head, accepted_head = journal.event_heads()
    return BootRequest(
        boot_number=boot_number,
        journal_head=boot_head,
        last_sequence=journal.next_sequence() - 1,
        event_head=event_head,
        accepted_through=journal.accepted_through(),
        accepted_head=accepted_head,
    )
