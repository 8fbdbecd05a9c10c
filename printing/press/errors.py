"""Errors of the press: all typed, all picklable, because they travel from the printing worker to the runner."""

from __future__ import annotations


class PressError(Exception):
    """Base of every error of the press; `detail` names ids and rules, never a person."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class PdfRefused(PressError):
    """The document was not sent: it is not what was promised."""


class DigestMismatch(PdfRefused):
    """The bytes at hand are not those that the grant names."""


class PdfUnreadable(PdfRefused):
    """The bytes are no PDF that a parser opens."""


class PageCountDiffers(PdfRefused):
    """The document has another number of pages than was expected."""


class PageSizeDiffers(PdfRefused):
    """A page is not exactly A4, upright and uncropped."""


class IppStatusError(PressError):
    """A request that was answered with an IPP error status, or with none at all (None)."""

    def __init__(self, detail: str, ipp_status: int | None = None) -> None:
        PressError.__init__(self, detail)
        self.args = (detail, ipp_status)  # what pickle calls the class with
        self.ipp_status = ipp_status


class CupsError(IppStatusError):
    """CUPS refused, in a way that has no class of its own."""


class CupsUnavailable(CupsError):
    """No answer from CUPS: not running, or gone during the request."""


class NoSuchQueue(CupsError):
    """CUPS knows no queue of that name."""


class QueueStopped(CupsError):
    """The queue is stopped: a job released now would print at some later time, in front of somebody else."""


class QueueRejecting(CupsError):
    """The queue does not accept jobs."""


class NoSuchJob(CupsError):
    """CUPS knows no job of that id."""


class JobNotPossible(CupsError):
    """The job is in a state in which this cannot be done."""


class CupsForbidden(CupsError):
    """CUPS does not let this user do that."""


class DuplicateJob(CupsError):
    """There is a job of that order already; a second one would be a second paper."""


class PurgeTimeout(CupsError):
    """A job did not end within the bound, so its document may still be in the spool."""


class PrinterError(IppStatusError):
    """The printer refused a request."""


class PrinterUnreachable(PrinterError):
    """The printer did not answer over IPP."""


class PrinterUnreadable(PrinterError):
    """The printer answered something that is not readable IPP."""
