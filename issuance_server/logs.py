"""Log lines: JSON, ids and outcomes, never what somebody sent."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

import structlog


def configure_logging() -> None:
    """JSON lines on standard error, warnings of libraries included."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def where(error: BaseException) -> dict[str, Any]:
    """Types and places of an error and its causes, without their messages: those can hold a person's data."""
    chain: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(chain) < 5:
        frames = traceback.extract_tb(current.__traceback__)[-12:]
        chain.append({"type": type(current).__qualname__, "at": [f"{f.filename}:{f.lineno} {f.name}" for f in frames]})
        current = current.__cause__ or current.__context__
    return {"errors": chain}
