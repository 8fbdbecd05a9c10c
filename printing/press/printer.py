"""The printer itself, asked over IPP by our own job's name: the only one who knows what came out.

IPP is encoded and decoded by libcups through pycups's IPPRequest, and carried by httpx, since pycups itself speaks
IPP to CUPS servers only and without a time-out. Attributes are asked for by name: of the kinds of value that
IPPRequest cannot hold, one (no-value) crashes the process when it is read, so a value is read only if its tag is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import urlsplit, urlunsplit

import cups
import httpx

from printing.press.errors import PrinterError, PrinterUnreachable, PrinterUnreadable
from printing.press.verdict import ENDED, JobState

IPP_PORT = 631
STATE_DATA = 3  # libcups: the whole message was read or written
IPP_OK_MAX = 0x00FF  # RFC 8011, 4.1.6.1: successful
NO_REASONS = frozenset({"none"})
STILL_MOVING = "processing-to-stop-point"

Value = int | bool | str
Attributes = Mapping[str, tuple[Value, ...]]

_TEXT_TAGS = frozenset(
    {
        cups.IPP_TAG_TEXT,
        cups.IPP_TAG_NAME,
        cups.IPP_TAG_KEYWORD,
        cups.IPP_TAG_URI,
        cups.IPP_TAG_CHARSET,
        cups.IPP_TAG_LANGUAGE,
        cups.IPP_TAG_MIMETYPE,
    }
)
_READABLE_TAGS = _TEXT_TAGS | {cups.IPP_TAG_INTEGER, cups.IPP_TAG_ENUM, cups.IPP_TAG_BOOLEAN}

_PRINTER_ATTRIBUTES = (
    "printer-state",
    "printer-state-reasons",
    "printer-is-accepting-jobs",
    "printer-up-time",
    "printer-impressions-completed",
    "media-ready",
    "sides-supported",
)
_JOB_ATTRIBUTES = (
    "job-id",
    "job-name",
    "job-state",
    "job-state-reasons",
    "job-impressions-completed",
    "job-media-sheets-completed",
    "job-originating-user-name",
    "number-of-documents",
)


@dataclass(frozen=True)
class PrinterStatus:
    """What the printer says of itself; None = it does not say."""

    stopped: bool
    reasons: tuple[str, ...]  # without "none"
    accepting: bool
    media_ready: tuple[str, ...]
    sides_supported: tuple[str, ...]
    up_time_s: int | None
    lifetime_impressions: int | None


@dataclass(frozen=True)
class PrinterJob:
    """One job as the printer knows it; ids are the printer's own."""

    job_id: int
    name: str
    state: JobState
    reasons: tuple[str, ...]
    impressions_completed: int | None
    sheets_completed: int | None
    user: str
    documents: int | None

    @property
    def at_rest(self) -> bool:
        """Tell whether it will move no more paper; a job may be called canceled while its last sheet is on its way."""
        return self.state in ENDED and STILL_MOVING not in self.reasons

    @property
    def can_print(self) -> bool:
        """Tell whether it has, or may have, a document: a job whose creation was not answered stays without one."""
        return self.documents != 0


class Printer:
    """One printer, by its IPP address.

    Errors of every method: PrinterUnreachable, PrinterUnreadable, PrinterError (with the IPP status).
    """

    def __init__(self, uri: str, requesting_user: str, timeout_s: float = 5.0) -> None:
        parts = urlsplit(uri)
        if parts.scheme != "ipp" or not parts.hostname:
            raise ValueError(f"printer_uri must be ipp://host[:port]/path, not {uri!r}")
        self._uri = uri
        self._user = requesting_user
        self._url = urlunsplit(("http", f"{parts.hostname}:{parts.port or IPP_PORT}", parts.path, "", ""))
        # No proxy from the environment and no redirect: the paper's truth comes from that address or not at all.
        self._http = httpx.Client(timeout=timeout_s, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def status(self) -> PrinterStatus:
        """Return the printer's state."""
        groups = self._request(
            cups.IPP_OP_GET_PRINTER_ATTRIBUTES, _keywords("requested-attributes", _PRINTER_ATTRIBUTES)
        )
        found = next((g for tag, g in groups if tag == cups.IPP_TAG_PRINTER), {})
        return PrinterStatus(
            stopped=_integer(found, "printer-state") in {None, cups.IPP_PRINTER_STOPPED},
            reasons=tuple(r for r in _texts(found, "printer-state-reasons") if r not in NO_REASONS),
            accepting=bool(_integer(found, "printer-is-accepting-jobs")),
            media_ready=_texts(found, "media-ready"),
            sides_supported=_texts(found, "sides-supported"),
            up_time_s=_integer(found, "printer-up-time"),
            lifetime_impressions=_integer(found, "printer-impressions-completed"),
        )

    def find(self, order_id: str) -> tuple[PrinterJob, ...]:
        """Return the jobs of that order, ended or not."""
        unfinished = self.jobs("not-completed")
        ended = self.jobs("completed")
        # Asked in this order, a job that ends in between is listed twice and never missed: the later word counts.
        by_id = {job.job_id: job for job in (*unfinished, *ended)}
        return tuple(job for job in by_id.values() if is_of_order(job.name, order_id))

    def jobs(self, which: str) -> tuple[PrinterJob, ...]:
        """Return the printer's jobs; which is completed or not-completed (`all` is optional in IPP)."""
        groups = self._request(
            cups.IPP_OP_GET_JOBS,
            _keywords("which-jobs", (which,)),
            _keywords("requested-attributes", _JOB_ATTRIBUTES),
        )
        return tuple(_job(group) for tag, group in groups if tag == cups.IPP_TAG_JOB)

    def cancel(self, job_id: int) -> None:
        """Ask the printer to stop a job, by the printer's own id; whether it ended is seen in `find`."""
        self._request(cups.IPP_OP_CANCEL_JOB, cups.IPPAttribute(1, cups.IPP_TAG_INTEGER, "job-id", [job_id]))

    def _request(self, operation: int, *attributes: cups.IPPAttribute) -> list[tuple[int, Attributes]]:
        request = cups.IPPRequest(operation)
        user = cups.IPPAttribute(cups.IPP_TAG_OPERATION, cups.IPP_TAG_NAME, "requesting-user-name", [self._user])
        uri = cups.IPPAttribute(cups.IPP_TAG_OPERATION, cups.IPP_TAG_URI, "printer-uri", [self._uri])
        for attribute in _in_standard_order(uri, user, attributes):
            request.add(attribute)
        body = BytesIO()
        if request.writeIO(body.write) != STATE_DATA:
            raise PrinterError("the request cannot be encoded")
        try:
            answer = self._http.post(self._url, content=body.getvalue(), headers={"Content-Type": "application/ipp"})
        except httpx.HTTPError as error:
            raise PrinterUnreachable(f"{self._uri}: {type(error).__name__}") from error
        if answer.status_code != httpx.codes.OK:
            raise PrinterUnreadable(f"{self._uri}: HTTP {answer.status_code}")
        return _decode(answer.content)


def is_of_order(job_name: str, order_id: str) -> bool:
    """Return whether a job's name is the order's id, or ends with it as in "id - title"."""
    return job_name == order_id or job_name.endswith(f" - {order_id}")


def _in_standard_order(
    uri: cups.IPPAttribute, user: cups.IPPAttribute, others: tuple[cups.IPPAttribute, ...]
) -> Iterator[cups.IPPAttribute]:
    """RFC 8011, 4.1.5: printer-uri stands directly before job-id; the rest follows."""
    yield uri
    yield from (a for a in others if a.name == "job-id")
    yield user
    yield from (a for a in others if a.name != "job-id")


def _keywords(name: str, values: tuple[str, ...]) -> cups.IPPAttribute:
    return cups.IPPAttribute(cups.IPP_TAG_OPERATION, cups.IPP_TAG_KEYWORD, name, list(values))


def _decode(content: bytes) -> list[tuple[int, Attributes]]:
    """Return the groups of an answer: (tag, attributes by name). Errors: PrinterUnreadable, PrinterError."""
    answer = cups.IPPRequest()
    if answer.readIO(BytesIO(content).read) != STATE_DATA:
        raise PrinterUnreadable("the answer is no complete IPP message")
    if answer.statuscode > IPP_OK_MAX:
        raise PrinterError(f"the printer refused: {cups.ippErrorString(answer.statuscode)}", answer.statuscode)
    groups: list[tuple[int, dict[str, tuple[Value, ...]]]] = []
    try:
        for attribute in answer.attributes:
            # A separator between two groups of one kind has the tag zero and begins a new group.
            if not groups or groups[-1][0] != attribute.group_tag:
                groups.append((attribute.group_tag, {}))
            if attribute.value_tag in _READABLE_TAGS:
                groups[-1][1][attribute.name] = tuple(attribute.values)
    except (RuntimeError, SystemError, UnicodeError) as error:  # what IPPRequest raises for what it cannot hold
        raise PrinterUnreadable("the answer holds a kind of value that was not asked for") from error
    return list(groups)


def _job(group: Attributes) -> PrinterJob:
    job_id, state = _integer(group, "job-id"), _integer(group, "job-state")
    if job_id is None or state is None or state not in set(JobState):
        raise PrinterUnreadable("a job without id or with an impossible state")
    return PrinterJob(
        job_id=job_id,
        name=next(iter(_texts(group, "job-name")), ""),
        state=JobState(state),
        reasons=_texts(group, "job-state-reasons"),
        impressions_completed=_integer(group, "job-impressions-completed"),
        sheets_completed=_integer(group, "job-media-sheets-completed"),
        user=next(iter(_texts(group, "job-originating-user-name")), ""),
        documents=_integer(group, "number-of-documents"),
    )


def _integer(group: Attributes, name: str) -> int | None:
    values = group.get(name, ())
    return values[0] if values and isinstance(values[0], int) else None


def _texts(group: Attributes, name: str) -> tuple[str, ...]:
    return tuple(v for v in group.get(name, ()) if isinstance(v, str))
