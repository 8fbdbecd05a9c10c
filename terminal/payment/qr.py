"""Payment by QR code as the kiosk sees it: the server has the code made, and is asked whether somebody has agreed.

A kiosk keeps no merchant's secret and cannot be called by a provider: whatever moves money is the server's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from protocol.messages import CodeAnswer, CodeRequest, CodeStatus
from terminal.client import NetworkDown, ServerRefused

POLL_S: Final = 1.0


class Codes(Protocol):
    """The codes that residents pay by. Errors: NetworkDown, ServerRefused."""

    def show(self, request: CodeRequest) -> CodeAnswer:
        """Have a code made; the same again is the same code."""
        ...

    def wait(self, payment_id: str, timeout_s: float) -> CodeStatus:
        """Return once somebody has agreed or nobody can any more, or how it stands when the time is over."""
        ...


class CodeClient(Protocol):
    """What is needed of the server's client."""

    def show_code(self, request: CodeRequest) -> CodeAnswer:
        """Have a code made."""
        ...

    def look_at_code(self, payment_id: str) -> CodeStatus:
        """Ask how it stands."""
        ...


class ServerCodes:
    """`Codes` over the server's client."""

    def __init__(self, client: CodeClient, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._pause = pause

    def show(self, request: CodeRequest) -> CodeAnswer:
        """See the port."""
        return self._client.show_code(request)

    def wait(self, payment_id: str, timeout_s: float) -> CodeStatus:
        """See the port. A network or a database that is away for a moment changes nothing about the code."""
        said = CodeStatus(payment_id=payment_id, authorized=False, over=False)
        for _ in range(max(1, round(timeout_s / POLL_S))):
            try:
                said = self._client.look_at_code(payment_id)
            except (NetworkDown, ServerRefused) as error:
                if isinstance(error, ServerRefused) and not error.retryable:
                    raise
            if said.authorized or said.over:
                break
            self._pause(POLL_S)
        return said
