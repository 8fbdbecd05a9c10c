"""Sheets that nobody may take any more: an open tray closes the terminal until they are counted, a presenter not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from printing.press.verdict import Outcome, PaperOutlet, Verdict
from protocol.messages import Event, EventKind
from terminal import visit as v
from terminal.flow import TIMEOUT_S
from terminal.journal import Case, Close
from terminal.outlet import SHEET_CASES, is_found_out, keeps_closed
from terminal.visit import State, TerminalCode, Visit
from tests.terminal_rig import Rig


def partial(rig: Rig) -> Visit:
    rig.press.verdicts = [Verdict(Outcome.PARTIAL, 1, "cue")]
    rig.to_collecting()
    rig.pay(100, 100)
    rig.until(State.REFUSED)
    return rig.end()


def unknown(rig: Rig) -> Visit:
    rig.press.verdicts = [Verdict(Outcome.UNKNOWN, None, "cue")]
    rig.to_collecting()
    rig.pay(100, 100)
    rig.until(State.ASK_SHEETS)
    rig.runner.post(v.SheetsAnswered(all_there=False))
    rig.until(State.REFUSED)
    return rig.end()


def walk_away(rig: Rig) -> Visit:
    rig.to_collecting()
    rig.pay(100, 100)
    rig.until(State.TAKE_PAPER)
    return rig.until(State.IDLE, State.OUT_OF_SERVICE)


ENDS = {
    TerminalCode.PRINT_PARTIAL: partial,
    TerminalCode.PRINT_UNKNOWN: unknown,
    TerminalCode.PAPER_LEFT: walk_away,
}


def rig_with(folder: Path, outlet: PaperOutlet) -> Rig:
    rig = Rig(folder, outlet=outlet, timeout_s={**TIMEOUT_S, State.TAKE_PAPER: 0.2})
    rig.runner.start()
    return rig


def cases(rig: Rig) -> list[str]:
    return [row.body.code for row in rig.rows() if isinstance(row.body, Case)]


@pytest.mark.parametrize(("code", "end"), ENDS.items())
def test_an_open_tray_closes_the_terminal_until_the_sheets_are_counted(
    tmp_path: Path, code: TerminalCode, end: Callable[[Rig], Visit]
) -> None:
    rig = rig_with(tmp_path, PaperOutlet.OPEN_TRAY)
    assert end(rig).reasons == (f"case {code}",)
    rig.runner.close_cases("somebody was here")
    rig.put_card()
    assert rig.wait(lambda visit: visit.next_card).reasons == (f"case {code}",), "nobody has said how many sheets"
    rig.take_card()
    rig.runner.close_cases("found in the tray", 1)
    rig.until(State.IDLE)
    closed = [row.body for row in rig.rows() if isinstance(row.body, Close)]
    assert closed == [Close(note="found in the tray", sheets_destroyed=1)]


@pytest.mark.parametrize(("code", "end"), ENDS.items())
def test_a_presenter_has_taken_them_back_and_the_case_waits_for_staff(
    tmp_path: Path, code: TerminalCode, end: Callable[[Rig], Visit]
) -> None:
    rig = rig_with(tmp_path, PaperOutlet.PRESENTER)
    assert end(rig).state is State.IDLE
    assert cases(rig) == [code]
    assert not [row for row in rig.rows() if isinstance(row.body, Close)]


@pytest.mark.parametrize("outlet", PaperOutlet)
def test_a_card_in_doubt_keeps_nobody_out(outlet: PaperOutlet) -> None:
    """Nothing of it lies here: only the card's company knows."""
    assert not keeps_closed(TerminalCode.DEBIT_UNPROCESSED, outlet)
    assert is_found_out(TerminalCode.DEBIT_UNPROCESSED, None)


@pytest.mark.parametrize("code", [code for code in TerminalCode if code is not TerminalCode.DEBIT_UNPROCESSED])
def test_every_other_case_keeps_any_terminal_closed_and_needs_no_count(code: TerminalCode) -> None:
    of_sheets = code in {*ENDS, TerminalCode.PAPER_BAD}
    assert (code in SHEET_CASES) is of_sheets
    assert keeps_closed(code, PaperOutlet.OPEN_TRAY)
    assert keeps_closed(code, PaperOutlet.PRESENTER) is (code not in ENDS)
    assert is_found_out(code, 0)
    assert is_found_out(code, None) is not of_sheets


# A paper that came out and is of no use


def bad(rig: Rig, copies: int = 1) -> None:
    rig.to_collecting(copies)
    rig.pay(*(100, 100) * copies)
    rig.until(State.TAKE_PAPER)
    rig.runner.touch(v.PaperBad(), State.TAKE_PAPER)


@pytest.mark.parametrize("outlet", PaperOutlet)
def test_a_bad_paper_closes_any_terminal_until_staff_count_what_they_destroyed(
    tmp_path: Path, outlet: PaperOutlet
) -> None:
    rig = Rig(tmp_path, outlet=outlet)
    rig.runner.start()
    bad(rig)
    said = rig.until(State.REFUSED)
    assert said.refusal is not None
    assert said.refusal.code == TerminalCode.PAPER_BAD
    assert rig.end().reasons == (f"case {TerminalCode.PAPER_BAD}",)
    assert EventKind.SHEETS_DESTROYED not in rig.sent()
    rig.runner.close_cases("one smeared sheet", 1)
    rig.until(State.IDLE)
    told = [event for event in _told(rig) if event.kind is EventKind.SHEETS_DESTROYED]
    assert [(event.order_id, event.sheets_out) for event in told] == [(next(iter(rig.server.papers)), 1)]


def test_of_several_copies_nobody_can_say_which_is_bad(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.runner.start()
    bad(rig, copies=2)
    assert rig.end().state is State.IDLE
    assert cases(rig) == []


def test_what_was_handed_over_is_counted_before_what_a_presenter_took_back(tmp_path: Path) -> None:
    rig = rig_with(tmp_path, PaperOutlet.PRESENTER)
    assert partial(rig).state is State.IDLE
    bad(rig)
    rig.until(State.REFUSED)
    assert rig.end().state is State.OUT_OF_SERVICE
    rig.runner.close_cases("one smeared sheet", 1)
    rig.until(State.IDLE)
    told = [event for event in _told(rig) if event.kind is EventKind.SHEETS_DESTROYED]
    assert [event.order_id for event in told] == [list(rig.server.papers)[1]]
    assert cases(rig) == [TerminalCode.PRINT_PARTIAL, TerminalCode.PAPER_BAD]


def _told(rig: Rig) -> list[Event]:
    rig.sent()
    return rig.server.events
