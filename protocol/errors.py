"""Error codes: one table to HTTP status; the terminal's words for each stand in terminal/screens/words.py.

`NOT_ISSUABLE_HERE` is one code for every reason that says something about a person (moved, dead, stopped, no
record, not declared, too young): same code, same words, so that nobody learns which.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """Codes on the wire, in journals, in logs and in statistics."""

    # The request itself
    BAD_REQUEST = "BAD_REQUEST"
    NOT_FOUND = "NOT_FOUND"
    # The terminal
    UNSIGNED = "UNSIGNED"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    REQUEST_EXPIRED = "REQUEST_EXPIRED"
    TERMINAL_UNKNOWN = "TERMINAL_UNKNOWN"
    TERMINAL_STOPPED = "TERMINAL_STOPPED"
    ENROLMENT_REFUSED = "ENROLMENT_REFUSED"  # an invitation's code: wrong, used, or over
    EVENT_OUT_OF_ORDER = "EVENT_OUT_OF_ORDER"
    IDENTITY_FORKED = "IDENTITY_FORKED"  # two went on from one journal, or one was set back: it is disabled for good
    BOOT_REQUIRED = "BOOT_REQUIRED"  # the server was restored: say once more what you have
    # The card
    CHALLENGE_INVALID = "CHALLENGE_INVALID"
    CHALLENGE_EXPIRED = "CHALLENGE_EXPIRED"
    CHALLENGE_USED = "CHALLENGE_USED"
    CARD_CERTIFICATE_INVALID = "CARD_CERTIFICATE_INVALID"
    CARD_CERTIFICATE_EXPIRED = "CARD_CERTIFICATE_EXPIRED"
    CARD_CERTIFICATE_REVOKED = "CARD_CERTIFICATE_REVOKED"
    CARD_CERTIFICATE_SUSPENDED = "CARD_CERTIFICATE_SUSPENDED"  # reported lost
    CARD_STATUS_UNKNOWN = "CARD_STATUS_UNKNOWN"  # its authority does not say whether it is revoked
    CARD_SIGNATURE_INVALID = "CARD_SIGNATURE_INVALID"
    # The visit
    SESSION_EXPIRED = "SESSION_EXPIRED"
    TOO_MANY_PREPARATIONS = "TOO_MANY_PREPARATIONS"
    # Entitlement
    NOT_OFFERED = "NOT_OFFERED"
    NOT_OFFERED_NOW = "NOT_OFFERED_NOW"
    NOT_ISSUABLE_HERE = "NOT_ISSUABLE_HERE"
    GLYPH_NOT_PRINTABLE = "GLYPH_NOT_PRINTABLE"
    FORM_TOO_SMALL = "FORM_TOO_SMALL"
    # The order
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    ORDER_CONFLICT = "ORDER_CONFLICT"
    ORDER_IN_FLIGHT = "ORDER_IN_FLIGHT"
    ORDER_STATE = "ORDER_STATE"
    RECORD_CHANGED = "RECORD_CHANGED"
    SERVICE_RENEWED = "SERVICE_RENEWED"  # a deployment came between: begin anew
    PAYMENT_INSUFFICIENT = "PAYMENT_INSUFFICIENT"
    NO_REFUND = "NO_REFUND"  # none is due by this code or card: unknown, or paid
    REFUND_IN_REVIEW = "REFUND_IN_REVIEW"  # the code or card is right, and somebody looks at it first
    TOO_MANY_CODES = "TOO_MANY_CODES"  # wrong refund codes at this terminal
    # The house
    ISSUING_STOPPED = "ISSUING_STOPPED"  # by an officer, until two start it again
    INTEGRITY_STOP = "INTEGRITY_STOP"
    RECORDS_BEHIND = "RECORDS_BEHIND"  # what was decided is not recorded for good fast enough
    RESTORING = "RESTORING"  # from a backup: until every terminal has told again what it lacks
    BUSY = "BUSY"
    INTERNAL = "INTERNAL"


#: code -> (HTTP status, may the same request be sent again?)
TABLE: dict[ErrorCode, tuple[int, bool]] = {
    ErrorCode.BAD_REQUEST: (400, False),
    ErrorCode.NOT_FOUND: (404, False),
    ErrorCode.UNSIGNED: (401, False),
    ErrorCode.SIGNATURE_INVALID: (401, False),
    ErrorCode.REQUEST_EXPIRED: (401, False),
    ErrorCode.TERMINAL_UNKNOWN: (401, False),
    ErrorCode.TERMINAL_STOPPED: (403, False),
    ErrorCode.ENROLMENT_REFUSED: (403, False),
    ErrorCode.EVENT_OUT_OF_ORDER: (409, False),
    ErrorCode.IDENTITY_FORKED: (403, False),
    ErrorCode.BOOT_REQUIRED: (409, False),
    ErrorCode.CHALLENGE_INVALID: (403, False),
    ErrorCode.CHALLENGE_EXPIRED: (403, False),
    ErrorCode.CHALLENGE_USED: (403, False),
    ErrorCode.CARD_CERTIFICATE_INVALID: (403, False),
    ErrorCode.CARD_CERTIFICATE_EXPIRED: (403, False),
    ErrorCode.CARD_CERTIFICATE_REVOKED: (403, False),
    ErrorCode.CARD_CERTIFICATE_SUSPENDED: (403, False),
    ErrorCode.CARD_STATUS_UNKNOWN: (503, True),
    ErrorCode.CARD_SIGNATURE_INVALID: (403, False),
    ErrorCode.SESSION_EXPIRED: (403, False),
    ErrorCode.TOO_MANY_PREPARATIONS: (403, False),
    ErrorCode.NOT_OFFERED: (403, False),
    ErrorCode.NOT_OFFERED_NOW: (403, False),
    ErrorCode.NOT_ISSUABLE_HERE: (403, False),
    ErrorCode.GLYPH_NOT_PRINTABLE: (403, False),
    ErrorCode.FORM_TOO_SMALL: (403, False),
    ErrorCode.UNKNOWN_ORDER: (404, False),
    ErrorCode.ORDER_CONFLICT: (422, False),
    ErrorCode.ORDER_IN_FLIGHT: (409, True),
    ErrorCode.ORDER_STATE: (409, False),
    ErrorCode.RECORD_CHANGED: (409, False),
    ErrorCode.SERVICE_RENEWED: (409, False),
    ErrorCode.PAYMENT_INSUFFICIENT: (403, False),
    ErrorCode.NO_REFUND: (404, False),
    ErrorCode.REFUND_IN_REVIEW: (409, False),
    ErrorCode.TOO_MANY_CODES: (429, False),
    ErrorCode.ISSUING_STOPPED: (503, False),
    ErrorCode.INTEGRITY_STOP: (503, False),
    ErrorCode.RECORDS_BEHIND: (503, True),
    ErrorCode.RESTORING: (503, False),
    ErrorCode.BUSY: (503, True),
    ErrorCode.INTERNAL: (500, False),
}


class IssueError(Exception):
    """A refusal with a code.

    detail names the field and the rule for the log and the developer. It never carries a person's data and never
    reaches a resident's screen; for INTERNAL and NOT_ISSUABLE_HERE it stays empty on the wire.
    """

    def __init__(self, code: ErrorCode, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    @property
    def http_status(self) -> int:
        """HTTP status of this code."""
        return TABLE[self.code][0]

    @property
    def retryable(self) -> bool:
        """Whether the same request may be sent again."""
        return TABLE[self.code][1]
