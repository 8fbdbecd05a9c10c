"""Double entry in whole yen: what happened to money, as lines that sum to 0. Pure; nothing is stored here.

Debit is positive, credit negative. A worked visit, ¥500 inserted for a copy of ¥300 of which ¥117 is commission:

| posting | escrow | cashbox | hopper_float | customer_deposit | municipality_payable | operator_commission |
|---|---|---|---|---|---|---|
| reserve 500 | +500 | | | -500 | | |
| capture 300 | | | | +300 | -183 | -117 |
| move 500 | -500 | +500 | | | | |
| change 200 | | | -200 | +200 | | |
| balance | 0 | +500 | -200 | 0 | -183 | -117 |

With e-money nothing is reserved. A debit of ¥300 (provider_receivable +300, customer_deposit -300) is captured as
above; put back onto the card it is posted the other way round, and where that is not possible it is a refund due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Account(StrEnum):
    """Where money is, and whose it is."""

    ESCROW = "escrow"  # in the holding tray: can still be given back as it came
    CASHBOX = "cashbox"
    HOPPER_FLOAT = "hopper_float"
    STORE_TILL = "store_till"
    PROVIDER_RECEIVABLE = "provider_receivable"
    CUSTOMER_DEPOSIT = (
        "customer_deposit"  # inserted or debited, neither earned nor given back: owed to whoever stands there
    )
    MUNICIPALITY_PAYABLE = "municipality_payable"
    OPERATOR_COMMISSION = "operator_commission"
    PROVIDER_FEE = "provider_fee"
    REFUND_LIABILITY = "refund_liability"
    UNCOLLECTED = "uncollected"
    OVER_SHORT = "over_short"
    SUSPENSE = "suspense"  # 0 when no case is open


class PostingKind(StrEnum):
    """What happened."""

    RESERVE = "reserve"
    CAPTURE = "capture"
    MOVE = "move"
    CHANGE = "change"
    RETURN = "return"
    DEBIT = "debit"
    DEBIT_CANCELLED = "debit_cancelled"
    VOID = "void"
    UNCOLLECTED = "uncollected"
    REFUND_DUE = "refund_due"
    REFUND_PAID = "refund_paid"
    OVER_SHORT = "over_short"
    SUSPENSE = "suspense"


class Unbalanced(ValueError):
    """Lines that are no posting: they do not sum to 0, name an account twice, or are no whole yen."""


@dataclass(frozen=True, slots=True)
class Line:
    """One account's part of a posting; debit positive, credit negative."""

    account: Account
    amount_yen: int


@dataclass(frozen=True, slots=True)
class Posting:
    """One event in money; it cannot be made unless its lines sum to 0."""

    kind: PostingKind
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        """Refuse what does not balance."""
        if any(type(line.amount_yen) is not int or line.amount_yen == 0 for line in self.lines):
            raise Unbalanced(f"{self.kind}: a line is no whole yen, or 0")
        if len({line.account for line in self.lines}) != len(self.lines) or not self.lines:
            raise Unbalanced(f"{self.kind}: each account once, and at least two")
        if sum(line.amount_yen for line in self.lines) != 0:
            raise Unbalanced(f"{self.kind}: the lines do not sum to 0")


def reserve(inserted_yen: int) -> Posting:
    """Money lies in the tray; it is still the customer's."""
    return _between(PostingKind.RESERVE, Account.ESCROW, Account.CUSTOMER_DEPOSIT, inserted_yen)


def capture(fee_yen: int, commission_yen: int) -> Posting:
    """One printed copy's fee is earned: the municipality's, less the operator's commission."""
    return _earned(PostingKind.CAPTURE, Account.CUSTOMER_DEPOSIT, fee_yen, commission_yen)


def move(moved_yen: int) -> Posting:
    """The tray was emptied into the cashbox."""
    return _between(PostingKind.MOVE, Account.CASHBOX, Account.ESCROW, moved_yen)


def change(change_yen: int) -> Posting:
    """The hoppers paid change out."""
    return _between(PostingKind.CHANGE, Account.CUSTOMER_DEPOSIT, Account.HOPPER_FLOAT, change_yen)


def give_back(returned_yen: int) -> Posting:
    """The tray was emptied into the return cup."""
    return _between(PostingKind.RETURN, Account.CUSTOMER_DEPOSIT, Account.ESCROW, returned_yen)


def debit(debited_yen: int) -> Posting:
    """A card was debited: the provider owes it to us, and we owe it to the customer until it is earned."""
    return _between(PostingKind.DEBIT, Account.PROVIDER_RECEIVABLE, Account.CUSTOMER_DEPOSIT, debited_yen)


def cancel_debit(returned_yen: int) -> Posting:
    """A debit was put back onto the same card."""
    return _between(PostingKind.DEBIT_CANCELLED, Account.CUSTOMER_DEPOSIT, Account.PROVIDER_RECEIVABLE, returned_yen)


def lapse(fee_yen: int) -> Posting:
    """What the provider owed us cannot be had any more: the paper is valid, and its fee was not collected."""
    return _between(PostingKind.UNCOLLECTED, Account.UNCOLLECTED, Account.PROVIDER_RECEIVABLE, fee_yen)


def void(fee_yen: int, commission_yen: int) -> Posting:
    """A captured copy was voided: what was earned is owed to the customer again."""
    taken_back = _earned(PostingKind.VOID, Account.REFUND_LIABILITY, fee_yen, commission_yen)
    return Posting(PostingKind.VOID, tuple(Line(line.account, -line.amount_yen) for line in taken_back.lines))


def uncollected(fee_yen: int, commission_yen: int) -> Posting:
    """A copy was printed and its fee could not be taken: the paper is valid, the municipality is owed all the same."""
    return _earned(PostingKind.UNCOLLECTED, Account.UNCOLLECTED, fee_yen, commission_yen)


def refund_due(owed_yen: int, *, out_of: Account = Account.CUSTOMER_DEPOSIT) -> Posting:
    """Money could not be given back on the spot: it becomes a liability that can be claimed."""
    return _between(PostingKind.REFUND_DUE, out_of, Account.REFUND_LIABILITY, owed_yen)


def refund_paid(paid_yen: int) -> Posting:
    """What was owed came out of a terminal's hoppers, on another day perhaps, and perhaps of another terminal."""
    return _between(PostingKind.REFUND_PAID, Account.REFUND_LIABILITY, Account.HOPPER_FLOAT, paid_yen)


def over_short(account: Account, difference_yen: int) -> Posting:
    """The device counted difference_yen more (below 0: less) in a physical account than the books hold."""
    return _between(PostingKind.OVER_SHORT, account, Account.OVER_SHORT, difference_yen)


def suspend(unexplained_yen: int) -> Posting:
    """What is left of a customer's deposit (below 0: lacks) goes to suspense until a case explains it."""
    return _between(PostingKind.SUSPENSE, Account.CUSTOMER_DEPOSIT, Account.SUSPENSE, unexplained_yen)


def balances(postings: Iterable[Posting]) -> dict[Account, int]:
    """Return every account's balance; they sum to 0."""
    sums: Counter[Account] = Counter()
    for posting in postings:
        for line in posting.lines:
            sums[line.account] += line.amount_yen
    return {account: sums[account] for account in Account}


def _between(kind: PostingKind, debit: Account, credit: Account, amount_yen: int) -> Posting:
    return Posting(kind, (Line(debit, amount_yen), Line(credit, -amount_yen)))


def _earned(kind: PostingKind, debit: Account, fee_yen: int, commission_yen: int) -> Posting:
    lines = (
        Line(debit, fee_yen),
        Line(Account.MUNICIPALITY_PAYABLE, commission_yen - fee_yen),
        Line(Account.OPERATOR_COMMISSION, -commission_yen),
    )
    return Posting(kind, tuple(line for line in lines if line.amount_yen != 0))
