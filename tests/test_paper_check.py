"""The terminal's checks that a paper is the right person's: each stops a fault that no other one stops."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pikepdf
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from printing.paper import seal
from protocol import grant as grants
from protocol.messages import GrantAnswer, PreparedOrder, PrepareRequest
from protocol.trust import Trust
from terminal import visit as v
from terminal.client import Paper
from terminal.paper_check import ALL_CHECKS, PaperCheck, PaperGuard, PaperMismatch
from terminal.visit import State, TerminalCode
from tests.fakes import MUNICIPALITY
from tests.terminal_rig import CHOICE, Rig

PREPARED = PreparedOrder(
    order_id="1" * 32,
    municipality_code=CHOICE.municipality_code,
    municipality_name="見本市",
    kind=CHOICE.kind,
    title="住民票の写し",
    masked_names=("見● 太●",),
    masked_requester="見● 太●",
    items=CHOICE.items,
    fiscal_year=None,
    issue_number="2026-000001",
    sheets=1,
    fee_yen=300,
    pdf_sha256=bytes(32),
    expires_at_utc=datetime(2026, 7, 1, tzinfo=UTC),
)

# The right person: each fault passes every other check, and is stopped by its own alone


def _altered_on_the_way(rig: Rig) -> None:
    rig.server.swap = lambda paper: Paper(paper.prepared, paper.pdf + b"%\n")


def _forged_seal(rig: Rig) -> None:
    """The right binding and number under a key that is nobody's; the server's word of its digest agrees."""

    def forge(paper: Paper) -> Paper:
        bound = seal.verify(seal.read_printed(paper.pdf), rig.server.trust().seal_keys_of(MUNICIPALITY)).binding
        forger = ec.generate_private_key(ec.SECP256R1())
        return _passed_off(rig, paper, rig.server.paper_pdf(bound, paper.prepared.issue_number, key=forger))

    rig.server.swap = forge


def _paper_of_another(rig: Rig) -> None:
    """A genuine paper that was made for another visit, and that the server takes for this one's."""
    rig.server.swap = lambda paper: _passed_off(
        rig, paper, rig.server.paper_pdf(b"another visit's binding, 32 byte", paper.prepared.issue_number)
    )


def _without_its_back(rig: Rig) -> None:
    """The press would see it too, but after the money."""

    def cut(paper: Paper) -> Paper:
        out = io.BytesIO()
        with pikepdf.open(io.BytesIO(paper.pdf)) as pdf:
            del pdf.pages[1]
            pdf.save(out)
        return _passed_off(rig, paper, out.getvalue())

    rig.server.swap = cut


def _another_document(rig: Rig) -> None:
    """A genuine paper for this very order, of a document that nobody asked for: copies of it would be paid for."""
    prepare = rig.server.prepare

    def other(request: PrepareRequest) -> Paper:
        return prepare(msgspec.structs.replace(request, items=("individual_number",)))

    rig.server.prepare = other  # type: ignore[method-assign]  # a fake's own cue


def _passed_off(rig: Rig, paper: Paper, pdf: bytes) -> Paper:
    prepared = msgspec.structs.replace(paper.prepared, pdf_sha256=hashlib.sha256(pdf).digest())
    rig.server.papers[prepared.order_id] = Paper(prepared, pdf)
    return Paper(prepared, pdf)


def _grant_of_another(rig: Rig) -> None:
    def forge(answer: GrantAnswer) -> GrantAnswer:
        grant = grants.verify(answer, rig.server.grant_key.public_key())
        return grants.sign(msgspec.structs.replace(grant, order_id="f" * 32), rig.server.grant_key)

    rig.server.forge = forge


def _old_grant(rig: Rig) -> None:
    submit = rig.press.submit

    def slow(*arguments: Any) -> Any:
        rig.skip_s += 61.0
        return submit(*arguments)

    rig.press.submit = slow  # type: ignore[method-assign]  # a fake's own cue


def _changed_in_memory(rig: Rig) -> None:
    """The bytes that wait in the terminal are others once the grant is asked for, as with a shared buffer."""

    def change() -> None:
        papers = rig.memory().papers
        for order_id, paper in list(papers.items()):
            papers[order_id] = Paper(paper.prepared, paper.pdf + b"%\n")

    rig.server.before_grant = change


FAULTS: list[tuple[PaperCheck, Callable[[Rig], None], str, State]] = [
    (PaperCheck.CHOSEN, _another_document, TerminalCode.PAPER_MISMATCH, State.PREPARING),
    (PaperCheck.SHEETS, _without_its_back, TerminalCode.PAPER_MISMATCH, State.PREPARING),
    (PaperCheck.PRINTED_SEAL, _forged_seal, TerminalCode.PAPER_MISMATCH, State.PREPARING),
    (PaperCheck.BINDING, _paper_of_another, TerminalCode.PAPER_MISMATCH, State.PREPARING),
    (PaperCheck.GRANT, _grant_of_another, TerminalCode.GRANT_INVALID, State.GRANTING),
    (PaperCheck.GRANT_AGE, _old_grant, TerminalCode.GRANT_EXPIRED, State.PRINTING),
    (PaperCheck.DIGEST_AT_PRINT, _changed_in_memory, TerminalCode.PAPER_MISMATCH, State.PRINTING),
]


@pytest.mark.parametrize(("check", "fault", "code", "caught_in"), FAULTS)
def test_each_check_stops_a_fault_that_no_other_stops(
    tmp_path: Path, check: PaperCheck, fault: Callable[[Rig], None], code: str, caught_in: State
) -> None:
    (tmp_path / "off").mkdir()
    off = Rig(tmp_path / "off", checks=ALL_CHECKS - {check})
    fault(off)
    off.runner.start()
    try:
        off.to_collecting()
        off.pay(100, 100)
        off.until(State.TAKE_PAPER)
        assert len(off.press.papers) == 1, "with this check off the wrong paper comes out"
    finally:
        off.runner.stop()

    rig = Rig(tmp_path)
    fault(rig)
    rig.runner.start()
    try:
        if rig.to_confirming().state is State.CONFIRMING:
            rig.runner.post(v.Pay())
            rig.pay(100, 100)
        visit = rig.until(State.REFUSED)
        assert visit.refusal == v.Refusal(code)
        assert rig.press.papers == []
        assert (caught_in is State.PREPARING) == (visit.money is None)
        assert rig.coins.cashbox_yen == 0
        if code == TerminalCode.GRANT_EXPIRED:
            assert rig.end().state is State.IDLE, "a matter of time, not of somebody's paper"
        else:
            assert rig.end().reasons == (f"case {code}",)
            rig.runner.close_cases("looked into; the server's finding")
            rig.until(State.IDLE)
    finally:
        rig.runner.stop()


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "seal_registration"},
        {"municipality_code": "999993"},
        {"items": ("individual_number",)},
        {"fiscal_year": 2026},
    ],
)
def test_what_was_prepared_is_what_was_chosen(other: dict[str, Any]) -> None:
    guard = PaperGuard("t-1", lambda: Trust(grant_public_key=bytes(32), seal_keys=()))
    guard.check_chosen(PREPARED, CHOICE)
    with pytest.raises(PaperMismatch) as refused:
        guard.check_chosen(msgspec.structs.replace(PREPARED, **other), CHOICE)
    assert refused.value.check is PaperCheck.CHOSEN


@pytest.mark.parametrize(
    "other",
    [
        {"title": "非課税証明書"},
        {"masked_names": ("見● 花●",)},
        {"masked_requester": "見● 花●"},
        {"sheets": 2},
        {"fee_yen": 301},
    ],
)
def test_copies_are_alike_since_the_screen_shows_one(other: dict[str, Any]) -> None:
    guard = PaperGuard("t-1", lambda: Trust(grant_public_key=bytes(32), seal_keys=()))
    second = msgspec.structs.replace(PREPARED, order_id="2" * 32, issue_number="2026-000002")
    guard.check_copies([PREPARED, second])
    with pytest.raises(PaperMismatch) as refused:
        guard.check_copies([PREPARED, msgspec.structs.replace(second, **other)])
    assert refused.value.check is PaperCheck.CHOSEN


def test_altered_bytes_are_seen_before_money_is_taken(tmp_path: Path) -> None:
    (tmp_path / "off").mkdir()
    off = Rig(tmp_path / "off", checks=ALL_CHECKS - {PaperCheck.PREPARED_DIGEST})
    _altered_on_the_way(off)
    off.runner.start()
    try:
        off.to_collecting()
        off.pay(100, 100)
        assert off.until(State.REFUSED).money is not None, "the check at print alone comes after the money"
    finally:
        off.runner.stop()
    rig = Rig(tmp_path)
    _altered_on_the_way(rig)
    rig.runner.start()
    try:
        visit = rig.to_confirming()
        assert (visit.refusal, visit.money) == (v.Refusal(TerminalCode.PAPER_MISMATCH), None)
    finally:
        rig.runner.stop()
