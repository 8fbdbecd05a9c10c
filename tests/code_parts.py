"""The codes of a server's, and a phone that reads them, or does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from protocol.messages import CodeAnswer, CodeRequest, CodeStatus
from tests.fakes import FEE_YEN, Cues

Phone = Literal["agrees", "nobody"]


class PhoneCodes:
    """`terminal.payment.qr.Codes`; the phone does what it is told once the code stands there."""

    def __init__(self, phone: Phone = "agrees") -> None:
        self.phone = phone
        self.cues = Cues()
        self.asked: list[CodeRequest] = []

    def show(self, request: CodeRequest) -> CodeAnswer:
        self.cues.play("show")
        self.asked.append(request)
        answer = CodeAnswer(
            payment_id=request.payment_id,
            amount_yen=FEE_YEN * len(request.order_ids),
            code_url=f"https://pay.example/{request.payment_id}",
            expires_at_utc=datetime.now(UTC) + timedelta(minutes=4),
        )
        self.cues.play("show answer")
        return answer

    def wait(self, payment_id: str, timeout_s: float) -> CodeStatus:  # noqa: ARG002 - the port's
        self.cues.play("wait")
        assert payment_id in {request.payment_id for request in self.asked}
        agrees = self.phone == "agrees"
        return CodeStatus(payment_id=payment_id, authorized=agrees, over=not agrees)
