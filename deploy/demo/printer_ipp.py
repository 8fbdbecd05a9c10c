"""The virtual printer's side of IPP: requests in, answers out, and the wire's own faults.

Messages are encoded and decoded by libcups through pycups's IPPRequest, as on the press's side.
Source: RFC 8011 (operations, attributes), RFC 8010 (encoding).
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final

import cups

from deploy.demo.printer_engine import TWO_SIDED, Engine, Job

STATE_DATA: Final = 3  # libcups: the whole message was read or written
DOCUMENT_FORMAT: Final = "application/pdf"
MEDIA: Final = "iso_a4_210x297mm"
ANY: Final = "*"

NAMES: Final[Mapping[int, str]] = {
    cups.IPP_OP_PRINT_JOB: "Print-Job",
    cups.IPP_OP_VALIDATE_JOB: "Validate-Job",
    cups.IPP_OP_CREATE_JOB: "Create-Job",
    cups.IPP_OP_SEND_DOCUMENT: "Send-Document",
    cups.IPP_OP_CANCEL_JOB: "Cancel-Job",
    cups.IPP_OP_GET_JOB_ATTRIBUTES: "Get-Job-Attributes",
    cups.IPP_OP_GET_JOBS: "Get-Jobs",
    cups.IPP_OP_GET_PRINTER_ATTRIBUTES: "Get-Printer-Attributes",
}
CREATING: Final = frozenset({cups.IPP_OP_CREATE_JOB, cups.IPP_OP_SEND_DOCUMENT})

Attribute = tuple[int, str, list[Any]]  # kind of value, name, values
Groups = list[tuple[int, list[Attribute]]]


class Refused(Exception):
    """The request is answered with this IPP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Dropped(ConnectionError):
    """The connection breaks without an answer."""


@dataclass(frozen=True)
class WireFault:
    """What happens to the next `count` requests of an operation; after: so many pass unharmed before.

    Shape:  lose = it is done, and its answer lost; drop = it is never seen; status = it is refused with that; agent is
            how the asking program names itself ("CUPS", "python-httpx"), "" = whoever asks.
    """

    operation: str
    count: int = 1
    after: int = 0
    lose: bool = False
    drop: bool = False
    delay_s: float = 0.0
    status: int | None = None
    agent: str = ""


class Wire:
    """The faults that are still to strike."""

    def __init__(self) -> None:
        self._faults: list[WireFault] = []
        self._lock = threading.Lock()

    def add(self, fault: WireFault) -> None:
        """Let a fault strike from now on. Errors: ValueError for an operation that this printer does not know."""
        if fault.operation not in {ANY, *NAMES.values()}:
            raise ValueError(f"there is no operation {fault.operation!r}")
        with self._lock:
            self._faults.append(fault)

    def heal(self) -> None:
        """Take back every fault that has not struck."""
        with self._lock:
            self._faults.clear()

    def next(self, operation: str, agent: str) -> WireFault | None:
        """Return what strikes this request, and count it."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.operation not in {ANY, operation} or not agent.startswith(fault.agent):
                    continue
                if fault.after:
                    self._faults[index] = replace(fault, after=fault.after - 1)
                    continue
                if fault.count > 1:
                    self._faults[index] = replace(fault, count=fault.count - 1)
                else:
                    del self._faults[index]
                return fault
            return None


@dataclass(frozen=True)
class Request:
    """One decoded request."""

    operation: int
    attributes: Mapping[str, list[Any]]
    document: bytes

    def first(self, name: str, default: Any) -> Any:
        """Return an attribute's first value."""
        values = self.attributes.get(name)
        return values[0] if values else default


class IppFace:
    """Answers IPP for one engine."""

    def __init__(self, engine: Engine, wire: Wire, uri: str) -> None:
        self._engine = engine
        self._wire = wire
        self._uri = uri
        self._operations: Mapping[int, Callable[[Request], Groups]] = {
            cups.IPP_OP_PRINT_JOB: self._print_job,
            cups.IPP_OP_VALIDATE_JOB: self._validate_job,
            cups.IPP_OP_CREATE_JOB: self._create_job,
            cups.IPP_OP_SEND_DOCUMENT: self._send_document,
            cups.IPP_OP_CANCEL_JOB: self._cancel_job,
            cups.IPP_OP_GET_JOB_ATTRIBUTES: self._get_job_attributes,
            cups.IPP_OP_GET_JOBS: self._get_jobs,
            cups.IPP_OP_GET_PRINTER_ATTRIBUTES: self._get_printer_attributes,
        }

    def answer(self, message: bytes, agent: str) -> bytes:
        """Return the answer to one message. Errors: Dropped, where the wire is told to."""
        try:
            request = decode(message)
        except (Refused, RuntimeError, SystemError, UnicodeError):  # what IPPRequest raises for what it cannot hold
            return encode(cups.IPP_STATUS_ERROR_BAD_REQUEST, 0, [])
        fault = self._wire.next(NAMES.get(request.operation, ""), agent) or WireFault(ANY)
        if fault.drop:
            raise Dropped
        time.sleep(fault.delay_s)
        try:
            status, groups = fault.status or cups.IPP_STATUS_OK, [] if fault.status else self._do(request)
        except Refused as refused:
            status, groups = refused.status, []
        except KeyError:
            status, groups = cups.IPP_STATUS_ERROR_NOT_FOUND, []
        if fault.lose:
            raise Dropped
        return encode(status, request_id(message), groups)

    def _do(self, request: Request) -> Groups:
        if request.operation not in self._supported():
            raise Refused(cups.IPP_STATUS_ERROR_OPERATION_NOT_SUPPORTED)
        return self._operations[request.operation](request)

    def _supported(self) -> list[int]:
        return [o for o in self._operations if self._engine.model.create_job or o not in CREATING]

    def _validate_job(self, request: Request) -> Groups:
        if not self._engine.status().accepting:
            raise Refused(cups.IPP_STATUS_ERROR_NOT_ACCEPTING_JOBS)
        if request.first("document-format", DOCUMENT_FORMAT) != DOCUMENT_FORMAT:
            raise Refused(cups.IPP_STATUS_ERROR_DOCUMENT_FORMAT_NOT_SUPPORTED)
        return []

    def _create_job(self, request: Request) -> Groups:
        self._validate_job(request)
        return [(cups.IPP_TAG_JOB, self._job_attributes(self._create(request)))]

    def _print_job(self, request: Request) -> Groups:
        self._validate_job(request)
        job = self._create(request)
        self._engine.attach(job.job_id, request.document)
        return [(cups.IPP_TAG_JOB, self._job_attributes(job))]

    def _create(self, request: Request) -> Job:
        two_sided = str(request.first("sides", "one-sided")).startswith(TWO_SIDED)
        name, user = request.first("job-name", ""), request.first("requesting-user-name", "")
        return self._engine.create(name, user, two_sided=two_sided)

    def _send_document(self, request: Request) -> Groups:
        job = self._engine.job(request.first("job-id", 0))
        try:
            self._engine.attach(job.job_id, request.document)
        except ValueError:
            raise Refused(cups.IPP_STATUS_ERROR_NOT_POSSIBLE) from None
        return [(cups.IPP_TAG_JOB, self._job_attributes(job))]

    def _cancel_job(self, request: Request) -> Groups:
        if not self._engine.cancel_job(request.first("job-id", 0)):
            raise Refused(cups.IPP_STATUS_ERROR_NOT_POSSIBLE)
        return []

    def _get_job_attributes(self, request: Request) -> Groups:
        return [(cups.IPP_TAG_JOB, self._job_attributes(self._engine.job(request.first("job-id", 0))))]

    def _get_jobs(self, request: Request) -> Groups:
        which = request.first("which-jobs", "not-completed")
        if which not in {"completed", "not-completed"}:  # `all` is optional, and this printer has it not
            raise Refused(cups.IPP_STATUS_ERROR_ATTRIBUTES_OR_VALUES)
        wanted = set(request.attributes.get("requested-attributes", ("job-id", "job-uri")))
        found = self._engine.jobs(ended=which == "completed")
        return [(cups.IPP_TAG_JOB, [a for a in self._job_attributes(job) if a[1] in wanted]) for job in found]

    def _job_attributes(self, job: Job) -> list[Attribute]:
        impressions, sheets = self._engine.said_counts(job)
        model = self._engine.model
        counts = (
            (model.impressions, "job-impressions-completed", impressions),
            (model.sheets, "job-media-sheets-completed", sheets),
        )
        return [
            (cups.IPP_TAG_INTEGER, "job-id", [job.job_id]),
            (cups.IPP_TAG_URI, "job-uri", [f"{self._uri}/{job.job_id}"]),
            (cups.IPP_TAG_NAME, "job-name", [job.name]),
            (cups.IPP_TAG_NAME, "job-originating-user-name", [job.user]),
            (cups.IPP_TAG_ENUM, "job-state", [int(job.state)]),
            (cups.IPP_TAG_KEYWORD, "job-state-reasons", list(job.reasons)),
            (cups.IPP_TAG_INTEGER, "number-of-documents", [0 if job.pages is None else 1]),
            *((cups.IPP_TAG_INTEGER, name, [value]) for has, name, value in counts if has),
        ]

    def _get_printer_attributes(self, _request: Request) -> Groups:
        model, status = self._engine.model, self._engine.status()
        state = cups.IPP_PRINTER_PROCESSING if status.processing else cups.IPP_PRINTER_IDLE
        sides = ["one-sided", *(["two-sided-long-edge", "two-sided-short-edge"] if model.two_sided else [])]
        attributes: list[Attribute] = [
            (cups.IPP_TAG_URI, "printer-uri-supported", [self._uri]),
            (cups.IPP_TAG_ENUM, "printer-state", [cups.IPP_PRINTER_STOPPED if status.stopped else state]),
            (cups.IPP_TAG_KEYWORD, "printer-state-reasons", list(status.reasons) or ["none"]),
            (cups.IPP_TAG_BOOLEAN, "printer-is-accepting-jobs", [status.accepting]),
            (cups.IPP_TAG_INTEGER, "printer-up-time", [status.up_time_s]),
            (cups.IPP_TAG_ENUM, "operations-supported", self._supported()),
            (cups.IPP_TAG_MIMETYPE, "document-format-supported", [DOCUMENT_FORMAT]),
            (cups.IPP_TAG_KEYWORD, "media-supported", [MEDIA]),
            (cups.IPP_TAG_KEYWORD, "sides-supported", sides),
            (cups.IPP_TAG_KEYWORD, "print-color-mode-supported", ["color", "monochrome"]),
            (cups.IPP_TAG_KEYWORD, "print-scaling-supported", ["none"]),
        ]
        if status.paper:
            attributes.append((cups.IPP_TAG_KEYWORD, "media-ready", [MEDIA]))
        if model.meter:
            attributes.append((cups.IPP_TAG_INTEGER, "printer-impressions-completed", [status.meter]))
        return [(cups.IPP_TAG_PRINTER, attributes)]


def decode(message: bytes) -> Request:
    """Return a request's parts. Errors: Refused, and what IPPRequest raises."""
    stream = BytesIO(message)
    request = cups.IPPRequest()
    if request.readIO(stream.read) != STATE_DATA:
        raise Refused(cups.IPP_STATUS_ERROR_BAD_REQUEST)
    attributes: dict[str, list[Any]] = {}
    for attribute in request.attributes:  # the first of a name: CUPS's Print-Job names the document's format twice
        attributes.setdefault(attribute.name, attribute.values)
    return Request(request.operation, attributes, stream.read())


def encode(status: int, number: int, groups: Iterable[tuple[int, list[Attribute]]]) -> bytes:
    """Return an answer's bytes."""
    answer = cups.IPPRequest()
    answer.statuscode = status
    standard = [(cups.IPP_TAG_CHARSET, "attributes-charset", ["utf-8"])]
    standard += [(cups.IPP_TAG_LANGUAGE, "attributes-natural-language", ["en"])]
    for group, attributes in ((cups.IPP_TAG_OPERATION, standard), *groups):
        answer.addSeparator()  # two groups of one kind would run together
        for tag, name, values in attributes:
            answer.add(cups.IPPAttribute(group, tag, name, values))
    body = BytesIO()
    if answer.writeIO(body.write) != STATE_DATA:
        raise RuntimeError("the answer cannot be encoded")
    message = body.getvalue()
    return message[:4] + struct.pack(">I", number) + message[8:]  # IPPRequest cannot set the request's number


def request_id(message: bytes) -> int:
    """Return a request's number: an answer repeats it."""
    number: int = struct.unpack_from(">I", message, 4)[0]
    return number
