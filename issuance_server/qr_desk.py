"""Payment by QR code, the server's part: codes shown, authorisations heard of, captured or let go.

Between two transactions the provider is asked, never inside one. What is wanted stands in the code's row before the
provider hears of it, so that whichever process comes next can ask again: the ids make that the same order.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Final

import httpx
import structlog
from sqlalchemy import Connection, Engine

from issuance_server import ledger, payments, qr_codes
from issuance_server.cases import CaseReason, Subject, close_case, open_case
from issuance_server.config import ConfigError, QrProviderConfig
from issuance_server.database import read
from issuance_server.ledger import OrderState
from issuance_server.payments_qr import (
    FREE,
    Merchant,
    QrError,
    QrOutcomeUnknown,
    QrPayments,
    QrRefused,
    QrState,
    QrStatus,
)
from issuance_server.qr_codes import Code, CodeEvent, CodeState
from issuance_server.rules import Clock, utc_now
from issuance_server.sessions import Caller
from issuance_server.turns import turn
from protocol.errors import ErrorCode, IssueError
from protocol.messages import CodeAnswer, CodeRequest, CodeStatus

REQUEST_TIMEOUT_S: Final = 3.0  # a terminal waits 8 s for our own answer
AT_ONCE: Final = 20  # codes that one sweep takes up

_log = structlog.get_logger()


class QrDesk:
    """The codes of one server."""

    def __init__(self, engine: Engine, provider: QrPayments, clock: Clock = utc_now) -> None:
        self._engine = engine
        self._provider = provider
        self._clock = clock

    def show(self, caller: Caller, asked: CodeRequest) -> CodeAnswer:
        """Have a code made for the fees of a visit's prepared orders; the same again is the same code.

        Errors: IssueError UNKNOWN_ORDER, ORDER_STATE, PAYMENT_INSUFFICIENT; BUSY where the provider does not answer.
        """
        now_utc = self._clock()
        # 1. What is wanted, before anybody hears of it.
        with turn(self._engine, caller.terminal_id) as connection:
            code = qr_codes.find(connection, asked.payment_id)
            if code is None:
                code = self._wanted(connection, caller, asked, now_utc)
            _own(code, caller.terminal_id)
        # 2. The provider's code.
        try:
            made = self._provider.create(code.payment_id, code.amount_yen, code.expires_at_utc)
        except QrError as error:
            _log.warning("no code", payment=code.payment_id, error=type(error).__name__)
            raise IssueError(ErrorCode.BUSY, "payment: the provider made no code") from None
        return CodeAnswer(
            payment_id=code.payment_id,
            amount_yen=code.amount_yen,
            code_url=made.code_url,
            expires_at_utc=code.expires_at_utc,
        )

    def look(self, terminal_id: str, payment_id: str) -> CodeStatus:
        """Say whether somebody has agreed; the provider is asked. Errors: IssueError UNKNOWN_ORDER."""
        with read(self._engine) as connection:
            code = qr_codes.find(connection, payment_id)
        if code is None:
            raise IssueError(ErrorCode.UNKNOWN_ORDER, "payment_id: there is no code of it")
        _own(code, terminal_id)
        state = code.state
        if state is CodeState.OPEN:
            state = self._heard(code)
        return CodeStatus(payment_id=payment_id, authorized=state is CodeState.AUTHORIZED, over=state not in _WAITS)

    def settle(self) -> int:
        """Tell the provider what is wanted, of every code with which nobody is busy; return how many came to an end."""
        now_utc = self._clock()
        with read(self._engine) as connection:
            found = qr_codes.due(connection, now_utc, AT_ONCE)
            untold = qr_codes.untold(connection, now_utc, AT_ONCE)
        for code in untold:
            with turn(self._engine, code.terminal_id) as connection:
                open_case(connection, CaseReason.AGREED_UNTOLD, _subject(code), now_utc)
        return sum(self._settle(code) for code in found)

    def _wanted(self, connection: Connection, caller: Caller, asked: CodeRequest, now_utc: datetime) -> Code:
        orders = [ledger.find(connection, order_id) for order_id in asked.order_ids]
        fees_yen = 0
        for order in orders:
            if order is None or order.session_hash != caller.session_hash:
                raise IssueError(ErrorCode.UNKNOWN_ORDER, "order_ids: this session has no such order")
            if order.state is not OrderState.PREPARED:
                raise IssueError(ErrorCode.ORDER_STATE, f"order_ids: {order.state.value}")
            fees_yen += order.fee_yen
        if not fees_yen or len({order.municipality_code for order in orders if order}) != 1:
            raise IssueError(ErrorCode.PAYMENT_INSUFFICIENT, "order_ids: one municipality's, and something to pay")
        row = {
            "municipality_code": next(order.municipality_code for order in orders if order),
            "payment_id": asked.payment_id,
            "terminal_id": caller.terminal_id,
            "visit_id": caller.visit_id,
            "amount_yen": fees_yen,
            "capture_yen": None,
            "expires_at_utc": now_utc + qr_codes.LIFE,
            "busy_until_utc": now_utc,
        }
        qr_codes.open_code(connection, row)
        made = qr_codes.find(connection, asked.payment_id)
        assert made is not None
        return made

    def _heard(self, code: Code) -> CodeState:
        try:
            said = self._provider.status(code.payment_id)
        except QrError:
            return code.state  # nothing is known yet
        event = {QrState.AUTHORIZED: CodeEvent.AGREED}.get(said.status)
        if said.status in FREE - {QrState.NONE}:
            event = CodeEvent.FREE
        return self._moved(code, event) if event else code.state

    def _moved(self, code: Code, event: CodeEvent) -> CodeState:
        with turn(self._engine, code.terminal_id) as connection:
            moved = qr_codes.move(connection, code, event, self._clock())
            now = qr_codes.find(connection, code.payment_id)
        assert now is not None
        return moved or now.state

    def _settle(self, code: Code) -> bool:
        now_utc = self._clock()
        with turn(self._engine, code.terminal_id) as connection:
            if code.state is CodeState.OPEN:  # the terminal was never heard of again
                qr_codes.move(connection, code, CodeEvent.TIME_OUT, now_utc)
                return False  # the next sweep takes it
            if not qr_codes.take(connection, code, now_utc):
                return False
        event = self._capture(code) if code.state in _PAYS else self._revert(code)
        if event is None:
            return False
        with turn(self._engine, code.terminal_id) as connection:
            moved = qr_codes.move(connection, code, event, self._clock())
            if moved is not None:
                self._book(connection, code, moved)
        return moved not in {None, CodeState.DOUBTFUL}

    def _capture(self, code: Code) -> CodeEvent | None:
        """Capture once. A doubtful one is asked about, and not ordered again."""
        assert code.capture_yen is not None
        said: QrStatus | None
        try:
            if code.state is CodeState.DOUBTFUL:
                said = self._provider.status(code.payment_id)
            else:
                said = self._provider.capture(code.payment_id, code.capture_yen)
        except QrRefused:
            said = self._asked(code)
        except QrOutcomeUnknown:
            return CodeEvent.NO_WORD
        except QrError:
            return None  # not reached: asked again later
        return _word_on_capture(code, said)

    def _revert(self, code: Code) -> CodeEvent | None:
        try:
            said = self._provider.revert(code.payment_id)
        except (QrError, QrOutcomeUnknown) as error:
            _log.warning("not reverted yet", payment=code.payment_id, error=type(error).__name__)
            return None
        return CodeEvent.FREE if said.status in FREE else None

    def _asked(self, code: Code) -> QrStatus | None:
        with suppress(QrError):
            return self._provider.status(code.payment_id)
        return None

    def _book(self, connection: Connection, code: Code, moved: CodeState) -> None:
        """Post what the provider's word does to the books; a doubt is a case, and so is what cannot be had any more."""
        payment = payments.find(connection, code.payment_id)
        now_utc = self._clock()
        subject = _subject(code)
        if moved is CodeState.DOUBTFUL:
            open_case(connection, CaseReason.CAPTURE_UNKNOWN, subject, now_utc)
        elif moved is CodeState.CAPTURED:
            close_case(
                connection, CaseReason.CAPTURE_UNKNOWN, subject, "the provider says that it was captured", now_utc
            )
        elif moved is CodeState.LAPSED and payment is not None:
            payments.lapse(connection, payment, code.capture_yen or 0, now_utc)
            open_case(connection, CaseReason.UNCOLLECTED, subject, now_utc)


_WAITS: Final = frozenset({CodeState.OPEN, CodeState.AUTHORIZED})
_PAYS: Final = frozenset({CodeState.TO_CAPTURE, CodeState.DOUBTFUL})


def _subject(code: Code) -> Subject:
    return Subject(code.municipality_code, code.terminal_id, payment_id=code.payment_id)


def _word_on_capture(code: Code, said: QrStatus | None) -> CodeEvent | None:
    if said is None:
        return None
    if said.status is QrState.CAPTURED and said.captured_yen == code.capture_yen:
        return CodeEvent.CAPTURED
    return CodeEvent.FREE if said.status in FREE else CodeEvent.NO_WORD


def _own(code: Code, terminal_id: str) -> None:
    if code.terminal_id != terminal_id:
        raise IssueError(ErrorCode.UNKNOWN_ORDER, "payment_id: another terminal's")


def open_desk(engine: Engine, provider: QrProviderConfig, *, asks_once: bool, clock: Clock = utc_now) -> QrDesk:
    """Return the desk of a configured provider.

    Shape:  asks_once: in a request, for which a terminal waits; what settles codes has time to ask again.
    Errors: ConfigError without the merchant's secret.
    """
    try:
        secret = provider.secret_file.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{provider.secret_file} cannot be read: {error.strerror}") from None
    http = httpx.Client(base_url=provider.address, trust_env=False)
    merchant = Merchant(provider.key_id, secret)
    if asks_once:
        return QrDesk(engine, QrPayments(http, merchant, timeout_s=REQUEST_TIMEOUT_S, ask_tries=1), clock)
    return QrDesk(engine, QrPayments(http, merchant), clock)
