"""The kill matrix as a table: at which points of a visit what is killed, and the one right end of each cell.

A cell is a point and who is killed there. `CELLS` are all of them, `LISTED` those that `make kill-matrix` goes through.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Who(StrEnum):
    """What is killed, by -9; POWER: everything that one socket of the store feeds, at once."""

    TERMINAL = "terminal"
    CARD = "card worker"
    PRESS = "print worker"
    PAYMENT = "payment worker"
    EMONEY = "e-money worker"
    RECEIPT = "receipt worker"
    CUPSD = "cupsd"
    PCSCD = "pcscd"
    GUNICORN = "gunicorn worker"
    SERVER = "whole server"
    POSTGRESQL = "PostgreSQL"
    POWER = "power"


class End(StrEnum):
    """The one right end of a cell, as the world's coins and sheets and the server's ledger have it."""

    SERVED = "served"
    ASKED = "asked"
    RETURNED = "returned"
    NOTHING = "nothing"


ENDS_IN_WORDS: Final = {
    End.SERVED: "one paper, its fee taken once, the change in the cup",
    End.ASKED: "the same by the word of whoever stands there, and a case: the evidence is destroyed",
    End.RETURNED: "no paper, all the money in the cup, on the card or in the phone again, the number void",
    End.NOTHING: "no paper, no money was taken, a number that was taken is void",
}


class Story(StrEnum):
    """What the resident is up to."""

    PAYS = "pays"
    CANCELS = "cancels"  # with a coin in the tray
    BY_CARD = "pays by e-money card"
    BY_PHONE = "pays by phone"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One moment of a visit.

    Shape:  halt: where a process stops (deploy/demo/halts.py); "" = the screen of that state, which waits for somebody.
            paper: the sheet has come out before anything is killed. touched: so was the e-money card, where
            the terminal waits to hear of it. server: a server's worker stops there, and not the
            terminal. after: the terminal is killed at that point first, or with dark the power goes there, and the halt
            is in its next life. via: the terminal stops there first; only then the halt is armed.
            cut: the end where the terminal dies there; else the visit goes on to `whole`.
    """

    state: str
    moment: str
    halt: str = ""
    cut: End
    whole: End = End.SERVED
    story: Story = Story.PAYS
    coins: int = 0  # so many lie in the tray when a waiting screen is meant
    paper: bool = False
    touched: bool = False
    server: bool = False
    after: str = ""
    dark: bool = False
    via: str = ""

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"{self.state} {self.moment}"

    @property
    def holds_back(self) -> bool:
        """Whether nobody holds an e-money card to the contract terminal until the point is reached."""
        return self.halt == _ASKED_FOR_CARD


_CANCELLED: Final = End.RETURNED
_CAPTURED: Final = "row result capture"
_ASKED_FOR_CARD: Final = "after emoney.debit"
POINTS: Final = (
    Point(state="IDLE", moment="waits", cut=End.SERVED),
    Point(state="READING", moment="begun", halt="before card.read", cut=End.SERVED),
    Point(state="READING", moment="done", halt="after card.read", cut=End.SERVED),
    Point(state="READING", moment="written", halt="row ids", cut=End.SERVED),
    Point(state="PIN", moment="waits", cut=End.SERVED),
    Point(state="AUTHENTICATING", moment="begun", halt="before card.sign", cut=End.SERVED),
    Point(state="AUTHENTICATING", moment="signed", halt="after card.sign", cut=End.SERVED),
    Point(state="AUTHENTICATING", moment="asked", halt="before /v1/authenticate", cut=End.SERVED, server=True),
    Point(state="AUTHENTICATING", moment="known", halt="after /v1/authenticate", cut=End.SERVED, server=True),
    Point(state="TAKE_CARD", moment="waits", cut=End.SERVED),
    Point(state="CHOOSING", moment="waits", cut=End.NOTHING),
    Point(state="PREPARING", moment="begun", halt="before server.prepare", cut=End.NOTHING),
    Point(state="PREPARING", moment="intended", halt="second /v1/orders", cut=End.NOTHING, server=True),
    Point(state="PREPARING", moment="prepared", halt="after /v1/orders", cut=End.NOTHING, server=True),
    Point(state="PREPARING", moment="done", halt="after server.prepare", cut=End.NOTHING),
    Point(state="CONFIRMING", moment="waits", cut=End.NOTHING),
    Point(state="COLLECTING", moment="begun", halt="row intent collect", cut=End.NOTHING),
    Point(state="COLLECTING", moment="done", halt="after payment.start", cut=End.NOTHING),
    Point(state="COLLECTING", moment="waits", coins=1, cut=End.RETURNED),
    Point(state="RESERVED", moment="begun", halt="before payment.hold", cut=End.RETURNED),
    Point(state="RESERVED", moment="done", halt="after payment.hold", cut=End.RETURNED),
    Point(state="GRANTING", moment="begun", halt="before server.grant", cut=End.RETURNED),
    Point(state="GRANTING", moment="asked", halt="before /v1/orders/grant", cut=End.RETURNED, server=True),
    Point(state="GRANTING", moment="granted", halt="after /v1/orders/grant", cut=End.RETURNED, server=True),
    Point(state="GRANTING", moment="done", halt="after server.grant", cut=End.RETURNED),
    Point(state="PRINTING", moment="sent", halt="after press.submit", cut=End.RETURNED),
    Point(state="PRINTING", moment="begun", halt="row intent print", cut=End.RETURNED),
    Point(state="PRINTING", moment="done", halt="after press.release", paper=True, cut=End.SERVED),
    Point(state="PRINTING", moment="written", halt="row result print", cut=End.SERVED),
    Point(state="CAPTURING", moment="begun", halt="row intent capture", cut=End.SERVED),
    Point(state="CAPTURING", moment="done", halt="after payment.capture", cut=End.SERVED),
    Point(state="CAPTURING", moment="written", halt="row result capture", cut=End.SERVED),
    Point(state="TELLING", moment="begun", via=_CAPTURED, halt="before server.send_events", cut=End.SERVED),
    Point(state="TELLING", moment="asked", via=_CAPTURED, halt="before /v1/events", cut=End.SERVED, server=True),
    Point(state="TELLING", moment="taken", via=_CAPTURED, halt="after /v1/events", cut=End.SERVED, server=True),
    Point(state="TELLING", moment="done", via=_CAPTURED, halt="after server.send_events", cut=End.SERVED),
    Point(state="RECEIPT", moment="begun", halt="row intent receipt", cut=End.SERVED),
    Point(state="RECEIPT", moment="done", halt="after receipt.print", cut=End.SERVED),
    Point(state="RECEIPT", moment="written", halt="row result receipt", cut=End.SERVED),
    Point(state="TAKE_PAPER", moment="waits", cut=End.SERVED),
    Point(state="DEBITING", moment="begun", halt="row intent debit", story=Story.BY_CARD, cut=End.NOTHING),
    Point(state="DEBITING", moment="asked", halt=_ASKED_FOR_CARD, story=Story.BY_CARD, cut=End.NOTHING),
    Point(state="DEBITING", moment="done", halt=_ASKED_FOR_CARD, touched=True, story=Story.BY_CARD, cut=End.RETURNED),
    Point(state="DEBITING", moment="waits", story=Story.BY_CARD, cut=End.NOTHING),
    Point(state="DEBITING", moment="written", halt="row result debit", story=Story.BY_CARD, cut=End.RETURNED),
    Point(
        state="CANCELLING",
        moment="begun",
        halt="row intent cancel debit",
        after="DEBITING written",
        story=Story.BY_CARD,
        cut=End.RETURNED,
        whole=End.RETURNED,
    ),
    Point(
        state="CANCELLING",
        moment="written",
        halt="row result cancel debit",
        after="DEBITING written",
        story=Story.BY_CARD,
        cut=End.RETURNED,
        whole=End.RETURNED,
    ),
    Point(state="SHOWING_CODE", moment="begun", halt="row intent show code", story=Story.BY_PHONE, cut=End.NOTHING),
    Point(
        state="SHOWING_CODE",
        moment="asked",
        halt="before /v1/codes",
        story=Story.BY_PHONE,
        cut=End.NOTHING,
        server=True,
    ),
    Point(
        state="SHOWING_CODE",
        moment="made",
        halt="after /v1/codes",
        story=Story.BY_PHONE,
        cut=End.NOTHING,
        server=True,
    ),
    Point(state="SHOWING_CODE", moment="waits", story=Story.BY_PHONE, cut=End.NOTHING),
    Point(state="GRANTING", moment="agreed", halt="before server.grant", story=Story.BY_PHONE, cut=End.RETURNED),
    Point(
        state="PRINTING",
        moment="agreed",
        halt="after press.release",
        paper=True,
        story=Story.BY_PHONE,
        cut=End.SERVED,
    ),
    Point(
        state="PRINTING",
        moment="debited",
        halt="after press.release",
        paper=True,
        story=Story.BY_CARD,
        cut=End.SERVED,
    ),
    Point(
        state="RETURNING",
        moment="begun",
        halt="row intent return",
        story=Story.CANCELS,
        cut=_CANCELLED,
        whole=_CANCELLED,
    ),
    Point(
        state="RETURNING",
        moment="done",
        halt="after payment.give_back",
        story=Story.CANCELS,
        cut=_CANCELLED,
        whole=_CANCELLED,
    ),
    Point(
        state="RETURNING",
        moment="written",
        halt="row result return",
        story=Story.CANCELS,
        cut=_CANCELLED,
        whole=_CANCELLED,
    ),
    Point(state="REFUSED", moment="waits", story=Story.CANCELS, cut=_CANCELLED, whole=_CANCELLED),
    Point(state="ASK_SHEETS", moment="waits", after="PRINTING done", dark=True, cut=End.ASKED, whole=End.ASKED),
    Point(state="AFTER_CUT", moment="waits", after="COLLECTING waits", cut=_CANCELLED, whole=_CANCELLED),
    Point(
        state="RECOVERING",
        moment="begun",
        halt="before press.last_verdict",
        after="PRINTING done",
        cut=End.SERVED,
    ),
    Point(
        state="RECOVERING",
        moment="done",
        halt="after press.last_verdict",
        after="PRINTING done",
        cut=End.SERVED,
    ),
    Point(state="RECOVERING", moment="written", halt="row result print", after="PRINTING done", cut=End.SERVED),
)
BY_NAME: Final = {point.name: point for point in POINTS}

#: Where the end is another than that of a visit which goes on, or of a terminal that is cut; each with its reason.
OTHER_ENDS: Final[dict[tuple[str, Who], tuple[End, str]]] = {}


def _other(end: End, who: Iterable[Who], points: Iterable[str], why: str) -> None:
    OTHER_ENDS.update({(BY_NAME[point].name, one): (end, why) for one in who for point in points})


_other(
    End.ASKED,
    [Who.POWER],
    ["PRINTING done", "PRINTING agreed", "PRINTING debited", "RECOVERING begun", "RECOVERING done"],
    "the printer has forgotten the job; its meter tells two sides, and nobody that they are this paper's, whole",
)
_other(
    End.RETURNED,
    [Who.CUPSD],
    ["PRINTING sent", "PRINTING begun"],
    "the held job went with cupsd's spool, and was given to nobody",
)
_other(
    End.NOTHING,
    [Who.SERVER, Who.POSTGRESQL],
    ["AUTHENTICATING asked", "PREPARING intended", "SHOWING_CODE asked"],
    "two seconds without the server are longer than the terminal asks again",
)
_other(End.NOTHING, [Who.GUNICORN], ["AUTHENTICATING asked"], "the challenge may have been used up: it is sent once")
_other(
    End.NOTHING,
    [Who.GUNICORN, Who.SERVER],
    ["AUTHENTICATING known"],
    "the challenge is used up and the session's name was lost with the answer",
)
_other(
    End.NOTHING,
    [Who.GUNICORN],
    ["PREPARING intended"],
    "the worker's lease runs for 30 s, and the terminal does not ask for so long",
)
_other(
    End.NOTHING,
    [Who.SERVER],
    ["PREPARING prepared", "SHOWING_CODE made"],
    "two seconds without the server are longer than the terminal asks again",
)
_other(
    End.RETURNED,
    [Who.SERVER, Who.POSTGRESQL],
    ["GRANTING asked"],
    "two seconds without the server are longer than the terminal asks again",
)
_other(
    End.RETURNED,
    [Who.SERVER],
    ["GRANTING granted"],
    "two seconds without the server are longer than the terminal asks again; a late grant is discarded",
)

_other(
    End.NOTHING,
    [Who.PCSCD],
    [
        *("READING begun", "READING done", "READING written", "PIN waits"),
        *("AUTHENTICATING begun", "AUTHENTICATING signed", "TAKE_CARD waits"),
    ],
    "the reader was away with a card on it: the visit ends, and nothing was ordered yet",
)

_AT_THE_SERVER: Final = (Who.TERMINAL, Who.GUNICORN, Who.SERVER, Who.POSTGRESQL)


@dataclass(frozen=True)
class Cell:
    """One kill at one point."""

    point: Point
    who: Who

    @property
    def name(self) -> str:
        """Its name in the table, and on the command line."""
        return f"{self.point.name}: {self.who}"

    @property
    def end(self) -> End:
        """The one right end."""
        other = OTHER_ENDS.get((self.point.name, self.who))
        if other is not None:
            return other[0]
        return self.point.cut if self.who in {Who.TERMINAL, Who.POWER} or self.point.after else self.point.whole

    @property
    def why(self) -> str:
        """Why it is another than the point's own."""
        return OTHER_ENDS.get((self.point.name, self.who), (self.end, ""))[1]


CELLS: Final = tuple(Cell(point, who) for point in POINTS for who in (_AT_THE_SERVER if point.server else tuple(Who)))

_CARD_STATES: Final = ("READING", "PIN", "AUTHENTICATING", "TAKE_CARD")
_PAPER_STATES: Final = ("PRINTING", "RECOVERING")
_MONEY_STATES: Final = ("COLLECTING", "RESERVED", "CAPTURING", "RETURNING")
_CONTRACT_STATES: Final = ("DEBITING", "CANCELLING")
_EMPTY_HANDED: Final = (*_CARD_STATES, "IDLE", "CHOOSING", "PREPARING", "CONFIRMING", "TELLING")  # the store's machines

_SPARED: Final = (
    "COLLECTING begun: payment worker",
    "COLLECTING done: payment worker",
    "RESERVED done: payment worker",
)


_IN_HAND: Final = {
    Who.CARD: (_CARD_STATES, {"written", "done"}),
    Who.PCSCD: (_CARD_STATES, {"written", "done"}),
    Who.PRESS: (_PAPER_STATES, {"written"}),
    Who.CUPSD: (_PAPER_STATES, {"written"}),
    Who.PAYMENT: (_MONEY_STATES, {"written"}),
    Who.EMONEY: (_CONTRACT_STATES, {"written"}),
    Who.RECEIPT: (("RECEIPT",), {"written"}),
}


def _is_listed(cell: Cell) -> bool:
    """The terminal everywhere; every other part where it has something in hand."""
    if cell.who is Who.TERMINAL:
        return True
    if cell.who is Who.POWER:
        return cell.point.state not in _EMPTY_HANDED
    if cell.who not in _IN_HAND:
        return cell.point.server
    states, idle_moments = _IN_HAND[cell.who]
    return cell.point.state in states and cell.point.moment not in idle_moments and cell.name not in _SPARED


LISTED: Final = tuple(cell for cell in CELLS if _is_listed(cell))
