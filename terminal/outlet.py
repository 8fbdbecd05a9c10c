"""Sheets that nobody may take any more: which cases they belong to, whom they keep out, and what closes them.

After a paper that is partial, unknown or left lying, sheets of somebody's certificate may lie at the outlet. In an open
tray the next person would find them, so the terminal serves nobody until staff have taken them out. A presenter has
taken them back into its closed bin by itself: the case waits for staff, and the terminal goes on. Either way the case
is closed by how many sheets were found and destroyed, face down and unread.
"""

from __future__ import annotations

from typing import Final

from printing.press.verdict import PaperOutlet
from terminal.visit import TerminalCode

SHEET_CASES: Final = frozenset(
    {TerminalCode.PRINT_PARTIAL, TerminalCode.PRINT_UNKNOWN, TerminalCode.PAPER_LEFT, TerminalCode.PAPER_BAD}
)
#: Nothing of these lies at the terminal: only a card's company knows, and whoever comes next is served.
_FOUND_OUT_ELSEWHERE: Final = frozenset({TerminalCode.DEBIT_UNPROCESSED})


def keeps_closed(code: str, outlet: PaperOutlet) -> bool:
    """Return whether an open case of that code keeps the terminal out of service."""
    if code in _FOUND_OUT_ELSEWHERE:
        return False
    handed_over = code == TerminalCode.PAPER_BAD  # no presenter has those: somebody holds them in the hand
    return handed_over or code not in SHEET_CASES or outlet is PaperOutlet.OPEN_TRAY


def is_found_out(code: str, sheets_destroyed: int | None) -> bool:
    """Return whether what staff say closes a case of that code; None = they counted no sheets."""
    return code not in SHEET_CASES or sheets_destroyed is not None
