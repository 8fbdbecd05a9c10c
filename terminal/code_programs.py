"""A QR code's programs: the wish for it is written down, the server has it made, and is asked who has agreed.

Whatever the visit comes to is told as one payment that is closed: the server then captures what was printed, or lets
all of it go, and an authorisation that arrives too late with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocol.messages import CodeAnswer, CodeRequest, CodeStatus
from terminal import visit as v
from terminal.book import Book, Note, result
from terminal.journal import Act, Intent
from terminal.payment.qr import Codes
from terminal.programs import Call, Lane, Memory, Program
from terminal.visit import Visit

WAIT_S: Final = 5.0


class CodePrograms:
    """The part of the effects that lets a phone pay; None = the server has no provider."""

    def __init__(self, book: Book, codes: Codes | None, memory: Callable[[], Memory]) -> None:
        self._book = book
        self._codes = codes
        self._memory = memory

    @property
    def are_there(self) -> bool:
        """Whether this way to pay is offered."""
        return self._codes is not None

    def show(self, effect: v.ShowCode, visit: Visit) -> Program:
        """Have the code made."""
        codes, memory = self._there(), self._memory()
        row = Intent(
            act=Act.SHOW_CODE, visit_id=visit.visit_id, payment_id=effect.payment_id, amount_yen=effect.due_yen
        )
        self._book.journal.intent(row)
        request = CodeRequest(session_id=memory.session_id, payment_id=effect.payment_id, order_ids=effect.order_ids)
        made: CodeAnswer = yield Call(Lane.SERVER, "server.code", lambda: codes.show(request))
        return v.CodeShown(made.code_url)

    def watch(self, effect: v.WatchCode, _visit: Visit) -> Program:
        """Wait as long as the code stands on the screen."""
        codes, memory, payment_id = self._there(), self._memory(), effect.payment_id
        while self._memory() is memory and payment_id not in memory.codes_closed:
            said: CodeStatus
            said = yield Call(Lane.CODES, "server.code_status", lambda: codes.wait(payment_id, WAIT_S))
            if said.authorized:
                return v.CodeAgreed()
            if said.over:
                return v.CodeOver()
        return None

    def close(self, payment_id: str) -> tuple[Note, ...]:
        """Nobody looks at the code any more: return what is to be written behind its row, if there was one."""
        self._memory().codes_closed.add(payment_id)
        row = self._book.code_row(payment_id)
        return () if row is None else (result(row, "over"),)

    def _there(self) -> Codes:
        assert self._codes is not None, "it is offered only where there is a provider"
        return self._codes
