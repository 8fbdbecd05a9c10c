"""How a case ends: one person of the operator and one of the municipality each say what they found.

"It worked the second time" is nobody's finding (S14). What was found stands in rows that are never changed; the case is
closed by the second of them. A case without a municipality, where no order was ever granted, is the operator's and the
central operator's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select

from issuance_server import audit_log, cases, payments, qr_codes, refunds
from issuance_server.audit_log import Written
from issuance_server.cases import CaseReason
from issuance_server.qr_codes import CodeEvent
from issuance_server.refunds import RefundEvent
from issuance_server.schema import NO_MUNICIPALITY, case_findings
from issuance_server.schema import cases as case_rows

LEAST_WORDS: Final = 10  # characters: "ok" is no finding


class Side(StrEnum):
    """For whom somebody speaks."""

    OPERATOR = "operator"  # of the store: sheets and money were looked at
    MUNICIPALITY = "municipality"  # number and paper
    CENTRAL = "central"  # in the municipality's place, where there is none


class Decision(StrEnum):
    """What both sides decide of a refund that waits for them."""

    PAY = "pay"  # it is due: it may be claimed, by code or card
    LET_GO = "let-go"  # no paper came out: what a phone agreed to is not charged
    NOT_TAKEN = "not-taken"  # the brand's clearing knows no debit: nothing is due
    PAID = "paid"  # it came out of the hoppers when nobody could tell


class FindingRefused(ValueError):
    """This closes nothing; the message says which rule it breaks."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one person found. person is a staff id or name; words say what was seen, never a resident's data."""

    side: Side
    person: str
    words: str
    decision: Decision | None = None


#: Cases in which money waits, and what may be decided of it.
_DECISIONS: Final = {
    CaseReason.REFUND_REVIEW: frozenset((Decision.PAY,)),
    CaseReason.REFUND_UNKNOWN: frozenset((Decision.PAY, Decision.PAID)),
    CaseReason.AGREED_UNTOLD: frozenset((Decision.LET_GO,)),
    CaseReason.DEBIT_UNPROCESSED: frozenset((Decision.PAY, Decision.NOT_TAKEN)),
}
_EVENTS: Final = {
    Decision.PAY: RefundEvent.RELEASE,
    Decision.PAID: RefundEvent.FOUND_PAID,
    Decision.NOT_TAKEN: RefundEvent.FOUND_NOT_TAKEN,
}

_columns = case_rows.c
# Locked: of two sides that speak at once, the second hears the first.
_CASE = (
    select(_columns.reason, _columns.payment_id, _columns.closed_at_utc)
    .where(_columns.municipality_code == bindparam("code"), _columns.case_id == bindparam("case"))
    .with_for_update(key_share=True)
)
_FOUND = (
    select(case_findings.c.side, case_findings.c.person, case_findings.c.words, case_findings.c.decision)
    .where(case_findings.c.municipality_code == bindparam("code"), case_findings.c.case_id == bindparam("case"))
    .order_by(case_findings.c.found_at_utc)
)
_ADD = insert(case_findings)


def sides_of(municipality_code: str) -> frozenset[Side]:
    """Return which two sides must have found something."""
    if municipality_code == NO_MUNICIPALITY:
        return frozenset((Side.OPERATOR, Side.CENTRAL))
    return frozenset((Side.OPERATOR, Side.MUNICIPALITY))


def of_case(connection: Connection, municipality_code: str, case_id: str) -> tuple[Finding, ...]:
    """Return what was found so far, in order."""
    rows = connection.execute(_FOUND, {"code": municipality_code, "case": case_id})
    return tuple(
        Finding(Side(row.side), row.person, row.words, Decision(row.decision) if row.decision else None) for row in rows
    )


def add(connection: Connection, municipality_code: str, case_id: str, finding: Finding, at_utc: datetime) -> bool:
    """Write a finding down; return whether the case is closed by it.

    Errors: FindingRefused: no such open case, a side that does not speak here or has spoken, the same person for
            both sides, or no words.
    """
    keys = {"code": municipality_code, "case": case_id}
    case = connection.execute(_CASE, keys).one_or_none()
    if case is None or case.closed_at_utc is not None:
        raise FindingRefused(f"case: none is open under {case_id} at {municipality_code}")
    sides = sides_of(municipality_code)
    if finding.side not in sides:
        raise FindingRefused(f"side: of this case {' and '.join(sorted(sides))} speak")
    before = of_case(connection, municipality_code, case_id)
    person, words = finding.person.strip(), finding.words.strip()
    if any(other.side is finding.side for other in before):
        raise FindingRefused(f"side: {finding.side} has said already what was found")
    if not person or any(other.person == person for other in before):
        raise FindingRefused("by: two sides are two persons")
    if len(words) < LEAST_WORDS:
        raise FindingRefused(f"finding: say what was found, in {LEAST_WORDS} characters or more")
    _check_decision(case.reason, before, finding)
    row = {"municipality_code": municipality_code, "case_id": case_id, "side": finding.side.value}
    said = {"person": person, "words": words, "decision": finding.decision and finding.decision.value}
    connection.execute(_ADD, {**row, **said, "found_at_utc": at_utc})
    subject = {"municipality_code": municipality_code, "case_id": case_id}
    written = Written("case_findings", row, {**said, "found_at_utc": at_utc})
    audit_log.record(connection, "finding", municipality_code, at_utc, Written("cases", subject, {}), written)
    found = {other.side: other.words for other in before} | {finding.side: words}
    if set(found) != sides:
        return False
    told = "; ".join(f"{side}: {found[side]}" for side in sorted(found))
    closed = cases.close_by_id(connection, municipality_code, case_id, told, at_utc)
    if closed and case.reason == CaseReason.RECHECK_FAILED:
        cases.close_stop(connection, municipality_code, case_id, told, at_utc)  # stop and case have one id
    if closed and finding.decision is not None:
        _carry_out(connection, case.reason, case.payment_id, finding.decision, at_utc)
    return closed


def _check_decision(reason: str, before: tuple[Finding, ...], finding: Finding) -> None:
    allowed = _DECISIONS.get(CaseReason(reason), frozenset())
    if bool(allowed) != (finding.decision is not None) or (allowed and finding.decision not in allowed):
        raise FindingRefused(f"decision: of this case {' or '.join(sorted(allowed)) or 'none'}")
    if any(other.decision is not finding.decision for other in before):
        raise FindingRefused("decision: the two sides must decide the same")


def _carry_out(connection: Connection, reason: str, payment_id: str, decision: Decision, at_utc: datetime) -> None:
    if decision is Decision.LET_GO:
        code = qr_codes.find(connection, payment_id)
        assert code is not None
        qr_codes.move(connection, code, CodeEvent.NOTHING_PRINTED, at_utc)
        return
    refund = refunds.find(connection, payment_id)
    payment = payments.find(connection, payment_id)
    assert refund is not None
    assert payment is not None
    if not refunds.decide(connection, refund, _EVENTS[decision]):
        return
    if decision is Decision.PAY and reason == CaseReason.DEBIT_UNPROCESSED:
        payments.find_debited(connection, payment, refund.amount_yen, at_utc)
    elif decision is Decision.PAID:
        paid_by = refund.claimed_by or refund.terminal_id
        payments.pay_refund(connection, payment, refund.amount_yen, paid_by, at_utc)
