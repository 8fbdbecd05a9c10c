"""What a cell of the kill matrix is judged by: coins and sheets, the server's books, and whatever has no end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from fees.postings import Account
from issuance_server.cases import CaseReason
from issuance_server.ledger import OrderState
from tests.kill_cells import End

FEE_YEN: Final = 200
_PHYSICAL: Final = (Account.ESCROW, Account.CASHBOX, Account.HOPPER_FLOAT, Account.PROVIDER_RECEIVABLE)
#: What a visit may leave changed in the books; on any other account money waits for somebody.
_CLOSED: Final = frozenset(
    {
        *(Account.CASHBOX, Account.HOPPER_FLOAT, Account.PROVIDER_RECEIVABLE),
        *(Account.MUNICIPALITY_PAYABLE, Account.OPERATOR_COMMISSION),
    }
)


@dataclass(frozen=True)
class Facts:
    """What one visit has changed, as those say it who know nothing of each other.

    Shape:  papers, slips (receipts), inserted_yen, out_yen and tray_yen are the machines'; taken_yen is what card and
            phone have less; moved (by account), states and cases are the server's; open_ends says what has no end.
            was_asked: somebody was asked whether the sheets are there; agreed: to pay by card or phone.
    """

    papers: int = 0
    slips: int = 0
    inserted_yen: int = 0
    out_yen: int = 0
    tray_yen: int = 0
    taken_yen: int = 0
    was_asked: bool = False
    agreed: bool = False
    moved: dict[str, int] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    open_ends: tuple[str, ...] = ()

    @property
    def kept_yen(self) -> int:
        """What the store has more than before."""
        return self.inserted_yen - self.out_yen + self.taken_yen

    @property
    def end(self) -> End:
        """The end that coins and sheets speak of."""
        if self.papers:
            return End.ASKED if self.was_asked else End.SERVED
        return End.RETURNED if self.inserted_yen or self.agreed else End.NOTHING


def differences(expected: End, facts: Facts) -> list[str]:
    """Return what is not as the end wants it."""
    served = int(expected in {End.SERVED, End.ASKED})
    wrong = []
    if facts.end != expected:
        wrong.append(f"{facts.end}, not {expected}")
    if facts.papers != served:
        wrong.append(f"{facts.papers} papers came out")
    if facts.slips > served:
        wrong.append(f"{facts.slips} receipts came out")
    if facts.kept_yen != FEE_YEN * facts.papers or facts.tray_yen:
        wrong.append(f"{facts.kept_yen} yen were kept and {facts.tray_yen} lie in the tray; papers: {facts.papers}")
    moved = {account: yen for account, yen in facts.moved.items() if yen}
    if sum(moved.values()) or sum(moved.get(account, 0) for account in _PHYSICAL) != facts.kept_yen:
        wrong.append(f"the books moved {moved}")
    if waiting := sorted(moved.keys() - _CLOSED):
        wrong.append(f"open in the books: {', '.join(waiting)}")
    ended = {state: count for state, count in facts.states.items() if state != OrderState.VOIDED}
    if ended != ({OrderState.SETTLED: 1} if served else {}):
        wrong.append(f"orders ended {dict(facts.states)}")
    if facts.cases != ({CaseReason.UNKNOWN: 1} if expected is End.ASKED else {}):  # what somebody declared is looked at
        wrong.append(f"the server's cases {dict(facts.cases)}")
    return [*wrong, *facts.open_ends]
