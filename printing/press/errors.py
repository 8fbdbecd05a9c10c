"""Errors of the press: all typed, all picklable, because they travel from the printing worker to the runner."""

from __future__ import annotations


class PressError(Exception):
    """Base of every error of the press; `detail` names ids and rules, never a person."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class PdfRefusedError(PressError):
    """The document was not sent: it is not what was promised."""


class DigestMismatchError(PdfRefusedError):
    """The bytes at hand are not those that the grant names."""


class PdfUnreadableError(PdfRefusedError):
    """The bytes are no PDF that a parser opens."""


class PageCountError(PdfRefusedError):
    """The document has another number of pages than was expected."""


class PageSizeError(PdfRefusedError):
    """A page is not exactly A4, upright and uncropped."""


class IppStatusError(PressError):
    """A request that was answered with an IPP error status, or with none at all (None)."""

    def __init__(self, detail: str, ipp_status: int | None = None) -> None:
        PressError.__init__(self, detail)
        self.args = (detail, ipp_status)  # what pickle calls the class with
        self.ipp_status = ipp_status


class CupsError(IppStatusError):
    """CUPS refused, in a way that has no class of its own."""


class CupsUnavailableError(CupsError):
    """No answer from CUPS: not running, or gone during the request."""


class NoSuchQueueError(CupsError):
    """CUPS knows no queue of that name."""


class QueueStoppedError(CupsError):
    """The queue is stopped: a job released now would print at some later time, in front of somebody else."""


class QueueRejectingError(CupsError):
    """The queue does not accept jobs."""


class NoSuchJobError(CupsError):
    """CUPS knows no job of that id."""


class JobNotPossibleError(CupsError):
    """The job is in a state in which this cannot be done."""


class CupsForbiddenError(CupsError):
    """CUPS does not let this user do that."""


class DuplicateJobError(CupsError):
    """There is a job of that order already; a second one would be a second paper."""


class PurgeTimeoutError(CupsError):
    """A job did not end within the bound, so its document may still be in the spool."""


class PrinterError(IppStatusError):
    """The printer refused a request."""


class PrinterUnreachableError(PrinterError):
    """The printer did not answer over IPP."""


class PrinterAnswerError(PrinterError):
    """The printer answered something that is not readable IPP."""
