"""The issuing server's application with points at which a request stops (halts.py); what gunicorn loads for a judge.

Points of a request: "before /v1/events" (nothing of it was done), "second /v1/events" (its first transaction that
writes is committed, the next one begins) and "after /v1/events" (all is committed, and nothing was answered yet). Ids
in a path are left out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from deploy.demo.halts import HALTS_VARIABLE, Halts
from issuance_server.database import READ_ONLY
from issuance_server.wsgi import app as _app

_ID_LENGTH: Final = 20
_SECOND: Final = 2

_halts = Halts(Path(os.environ[HALTS_VARIABLE]))
_request = threading.local()


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # WSGI's own shape
    """Answer one request, and stop at its points."""
    path = "/".join(part for part in environ["PATH_INFO"].split("/") if len(part) < _ID_LENGTH)
    _halts.at(f"before {path}")
    _request.path, _request.begun = path, 0
    answer: Iterable[bytes] = _app(environ, start_response)
    _halts.at(f"after {path}")
    return answer


@event.listens_for(Engine, "begin")
def _begins(connection: Connection) -> None:
    if connection.get_execution_options().get(READ_ONLY):
        return
    _request.begun = getattr(_request, "begun", 0) + 1
    if _request.begun == _SECOND:
        _halts.at(f"second {getattr(_request, 'path', '')}")
