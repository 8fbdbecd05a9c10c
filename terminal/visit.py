"""The words of a visit: its states, its one frozen value, what can happen to it and what it asks to be done.

`flow.py` maps (state, event) to (state, effects) with these; `runner.py` carries effects out and feeds events back;
the pages draw a `Visit` and nothing else.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

from protocol.messages import Offer, PaymentMethod, PreparedOrder, RefundOffer, ReissueOffer, Scope
from terminal.basket_words import AddDocument, AddNothing, OneByOne
from terminal.card_words import (
    CardInserted,
    CardReadDone,
    CardRemoved,
    ConfirmLastTry,
    PinBack,
    PinCorrect,
    PinDigit,
    PinKey,
    PinLengthChanged,
    PinOk,
    PinRefused,
    PinWipe,
    ReadCard,
)
from terminal.code_words import CodeAgreed, CodeOver, CodeShown, ShowCode, WatchCode
from terminal.debit_words import CancelDebit, CloseDebits, DebitCard, DebitDecided, StopDebit
from terminal.receipt_words import GiveReceipt, ReceiptGiven
from terminal.refund_words import (
    AskRefund,
    ClaimRefund,
    CodeCorrect,
    CodeKey,
    CodeOk,
    GiveUpClaim,
    PayOut,
    Refund,
    RefundClaimed,
    RefundPaid,
    TakeRefund,
)
from terminal.states import CopyOutcome, Cut, Receipt, State, TerminalCode, Touch

__all__ = [  # given on: whoever speaks of a visit speaks of these
    "AddDocument",
    "AddNothing",
    "AskRefund",
    "CancelDebit",
    "CardInserted",
    "CardReadDone",
    "CardRemoved",
    "ClaimRefund",
    "CloseDebits",
    "CodeAgreed",
    "CodeCorrect",
    "CodeKey",
    "CodeOk",
    "CodeOver",
    "CodeShown",
    "ConfirmLastTry",
    "CopyOutcome",
    "Cut",
    "DebitCard",
    "DebitDecided",
    "GiveReceipt",
    "GiveUpClaim",
    "OneByOne",
    "PayOut",
    "PinBack",
    "PinCorrect",
    "PinDigit",
    "PinKey",
    "PinLengthChanged",
    "PinOk",
    "PinRefused",
    "PinWipe",
    "ReadCard",
    "Receipt",
    "ReceiptGiven",
    "Refund",
    "RefundClaimed",
    "RefundPaid",
    "ShowCode",
    "State",
    "StopDebit",
    "TakeRefund",
    "TerminalCode",
    "Touch",
    "WatchCode",
]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the resident asks for."""

    municipality_code: str
    kind: str
    scope: Scope
    members: tuple[str, ...]
    items: tuple[str, ...]
    fiscal_year: int | None
    copies: int
    replaces: str | None = None  # a destroyed order that was paid for


@dataclass(frozen=True, slots=True)
class Order:
    """One copy: the prepared order and what became of its paper. The PDF's bytes stay in the runner's memory."""

    order_id: str
    prepared: PreparedOrder | None = None
    sheets: int = 0  # how many should come out
    outcome: CopyOutcome = CopyOutcome.WAITING
    sheets_out: int | None = None
    journaled_fee_yen: int = 0  # of an order that is known from the journal alone
    debited: bool = False  # from a card, for certain, and not given back onto it

    @property
    def fee_yen(self) -> int:
        """The fee for this copy."""
        return self.prepared.fee_yen if self.prepared else self.journaled_fee_yen


@dataclass(frozen=True, slots=True)
class Money:
    """One payment as the device tells it; whole yen. What is debited from a card counts as inserted.

    Once it is over: captured + change + returned + owed + uncertain = inserted.
    """

    payment_id: str
    due_yen: int
    _: KW_ONLY
    method: PaymentMethod = PaymentMethod.CASH
    accepting: bool = False  # the unit is open: a coin put in before falls through
    exact_only: bool = False  # the unit has no change: the screen asks for the exact sum
    inserted_yen: int = 0
    captured_yen: int = 0
    change_yen: int = 0
    returned_yen: int = 0
    owed_yen: int = 0  # could not be given back on the spot: a liability
    uncertain_yen: int = 0  # a fee of which nobody knows whether it was taken: a case


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a visit ended without paper: an ErrorCode or a terminal's own code (terminal/screens/words.py has both)."""

    code: str
    tries_left: int | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Everything that the flow knows. Nothing of a person in it but masked names; no PIN, ever."""

    state: State
    visit_id: str = ""
    payment_id: str = ""
    card_on_reader: bool = False
    next_card: bool = False  # a card was laid on after this visit's own was taken: the next visit's
    certificate_sha256: bytes = b""
    tries_left: int | None = None
    pin_length: int = 0
    pin_wrong: bool = False  # the card has just refused the PIN; until the next digit
    last_try_confirmed: bool = False
    masked_name: str = ""
    offers: tuple[Offer, ...] = ()
    reissues: tuple[ReissueOffer, ...] = ()
    refunds: tuple[RefundOffer, ...] = ()  # due to the card's holder since an earlier visit
    refund: Refund | None = None  # the one that is wanted now
    choice: Choice | None = None
    orders: tuple[Order, ...] = ()
    not_added: Refusal | None = None  # why another document did not join those that are prepared
    left_out: int = 0  # orders that could not be paid for together with the first
    current: int = 0  # index into orders of the one that is being printed
    sheets_done: int = 0
    methods: tuple[PaymentMethod, ...] = (PaymentMethod.CASH,)  # what can be paid with here, now
    money: Money | None = None
    code_url: str = ""  # that a phone is to read
    stopping: bool = False  # the contract terminal was told to wait for a card no longer
    claim_code: str = field(default="", repr=False)  # of what this payment comes to owe; shown only if it does
    refusal: Refusal | None = None
    case: bool = False  # something is in doubt and waits in the operator's list
    cut: Cut | None = None
    alone: bool = False  # nobody has answered a question: whatever comes out lies there for anybody
    receipt: Receipt | None = None  # None = none was asked for yet
    recovered: bool = False  # at its end the journal is asked what still stands open
    reasons: tuple[str, ...] = field(default=())  # why out of service


# What can happen. Touches are what a finger may do; the rest comes from the devices and the server.


@dataclass(frozen=True, slots=True)
class Choose(Touch):
    """A document was chosen."""

    choice: Choice


@dataclass(frozen=True, slots=True)
class ChangeChoice(Touch):
    """Back from CONFIRMING to CHOOSING; what was prepared is voided."""


@dataclass(frozen=True, slots=True)
class NotMe(Touch):
    """「この方はあなたですか」 answered with no: nothing is issued, an alert is raised."""


@dataclass(frozen=True, slots=True)
class Pay(Touch):
    """ "Yes, that is me, and I pay"."""

    method: PaymentMethod = PaymentMethod.CASH


@dataclass(frozen=True, slots=True)
class SheetsAnswered(Touch):
    """Answer to 「n枚そろっていますか」."""

    all_there: bool


@dataclass(frozen=True, slots=True)
class PaperTaken(Touch):
    """The resident took paper and change."""


@dataclass(frozen=True, slots=True)
class TakeBack(Touch):
    """After a cut: somebody is there and takes what is to be given back."""


@dataclass(frozen=True, slots=True)
class PaperBad(Touch):
    """Something is wrong with the paper: blank, smeared, torn."""


@dataclass(frozen=True, slots=True)
class Cancel(Touch):
    """Stop; money goes back where it can."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The state's time ran out."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The server knows the person."""

    masked_name: str
    offers: tuple[Offer, ...]
    reissues: tuple[ReissueOffer, ...] = ()
    refunds: tuple[RefundOffer, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """All orders of the choice are prepared and their bindings hold."""

    payment_id: str
    orders: tuple[PreparedOrder, ...]
    claim_code: str = field(default="", repr=False)
    methods: tuple[PaymentMethod, ...] = (PaymentMethod.CASH,)


@dataclass(frozen=True, slots=True)
class CollectionOpened:
    """The device takes money now; exact_only where it could not give change."""

    exact_only: bool


@dataclass(frozen=True, slots=True)
class MoneyInserted:
    """The device counts this much for the payment so far."""

    total_yen: int


@dataclass(frozen=True, slots=True)
class MoneyHeld:
    """The device takes no more and holds this sum."""

    total_yen: int


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant for the current order is there and its signature holds."""


@dataclass(frozen=True, slots=True)
class SheetsProgress:
    """The printer's own count of the current order."""

    sheets_done: int


@dataclass(frozen=True, slots=True)
class PrintDecided:
    """The verdict on the current order."""

    outcome: CopyOutcome
    sheets_out: int | None


@dataclass(frozen=True, slots=True)
class MoneyCaptured:
    """Tray to cashbox and change are done; what the device counted."""

    captured_yen: int
    change_yen: int
    returned_yen: int
    owed_yen: int


@dataclass(frozen=True, slots=True)
class MoneyReturned:
    """Everything that was inserted went back, or owed_yen of it could not. held_yen: counted once the unit was shut."""

    returned_yen: int
    owed_yen: int
    held_yen: int


@dataclass(frozen=True, slots=True)
class Failed:
    """An effect could not be carried out; code as in Refusal."""

    code: str
    tries_left: int | None = None


@dataclass(frozen=True, slots=True)
class Recovered:
    """Nothing of the process before is open any more."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A visit of the process before, as journal and devices tell it; its money lies in the tray, or it has none."""

    visit_id: str
    payment_id: str
    orders: tuple[Order, ...]
    money: Money
    short: bool
    claim_code: str = field(default="", repr=False)
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Unattended:
    """The power went, a short time ago, while a paper lay at the outlet or a claim's code stood on the screen."""

    visit_id: str
    payment_id: str
    papers: tuple[Order, ...]
    money: Money
    claim_code: str = field(default="", repr=False)
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class DevicesReady:
    """Reader, printer, coin unit and server are all there."""


@dataclass(frozen=True, slots=True)
class DevicesLost:
    """One of them is not; reasons are words for staff, nothing personal."""

    reasons: tuple[str, ...]


Event = (
    PinDigit
    | PinCorrect
    | PinOk
    | ConfirmLastTry
    | Choose
    | ChangeChoice
    | NotMe
    | Pay
    | SheetsAnswered
    | PaperTaken
    | PaperBad
    | TakeBack
    | Cancel
    | TimedOut
    | CardInserted
    | CardRemoved
    | CardReadDone
    | PinLengthChanged
    | Authenticated
    | PinRefused
    | Prepared
    | CollectionOpened
    | MoneyInserted
    | MoneyHeld
    | Granted
    | SheetsProgress
    | PrintDecided
    | MoneyCaptured
    | MoneyReturned
    | Failed
    | Recovered
    | Interrupted
    | AddDocument
    | AddNothing
    | OneByOne
    | DebitDecided
    | CodeShown
    | CodeAgreed
    | CodeOver
    | ReceiptGiven
    | AskRefund
    | CodeKey
    | CodeCorrect
    | CodeOk
    | TakeRefund
    | RefundClaimed
    | RefundPaid
    | Unattended
    | DevicesReady
    | DevicesLost
)


# What the flow asks to be done. `irreversible` ones are journaled before and after by the runner.


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Challenge, VERIFY and signature on the card, session at the server."""

    last_try_confirmed: bool


@dataclass(frozen=True, slots=True)
class PrepareOrders:
    """Have the choice prepared, a number of orders of one copy each; check digest, printed seal and binding.

    payment_id: of the orders that they join; "" = the first of a visit, for a payment of their own.
    """

    choice: Choice
    payment_id: str = ""


@dataclass(frozen=True, slots=True)
class VoidOrders:
    """Tell the server that these orders will not be printed."""

    order_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReportNotMe:
    """Tell the server that the person is not who it says."""


@dataclass(frozen=True, slots=True)
class CollectMoney:
    """Open the coin unit for this sum."""

    payment_id: str
    due_yen: int
    orders: int = 1  # with several the exact sum alone is not enough: any of them may have to be given back


@dataclass(frozen=True, slots=True)
class HoldMoney:
    """Inhibit, drain, and state what is held."""


@dataclass(frozen=True, slots=True)
class RequestGrant:
    """Ask for the grant of one order."""

    order_id: str


@dataclass(frozen=True, slots=True)
class AbandonGrant:
    """A grant that was asked for will never be used."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Print:
    """Submit held, journal, release, ask the printer, purge. Irreversible."""

    order_id: str


@dataclass(frozen=True, slots=True)
class ReportPaper:
    """Tell the server what became of one order's paper."""

    order_id: str
    outcome: CopyOutcome
    sheets_out: int | None


@dataclass(frozen=True, slots=True)
class CaptureMoney:
    """Take capture_yen for the printed orders (order id, fee), give the rest back as change. Irreversible."""

    payment_id: str
    capture_yen: int
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ReturnMoney:
    """Give everything back. Irreversible."""

    payment_id: str


@dataclass(frozen=True, slots=True)
class KeepMoney:
    """Take everything into the cashbox: the printed orders' fees, and the rest as a refund due. Irreversible."""

    payment_id: str
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Recover:
    """End what the process before left open, as far as journal and devices tell."""


@dataclass(frozen=True, slots=True)
class OpenCase:
    """Something is in doubt: write it down for staff, with ids and a code, nothing personal."""

    code: str
    order_id: str | None = None
    payment_id: str | None = None
    visit_id: str = ""  # "" = the visit of which this is the step


@dataclass(frozen=True, slots=True)
class ForgetVisit:
    """Wipe PIN, visit secret, PDF bytes and session; purge the spool and see that nothing is left."""


@dataclass(frozen=True, slots=True)
class CheckDevices:
    """Look at reader, printer, coin unit and server; answer DevicesReady or DevicesLost."""


Effect = (
    ReadCard
    | PinKey
    | PinBack
    | PinWipe
    | Authenticate
    | PrepareOrders
    | VoidOrders
    | ReportNotMe
    | CollectMoney
    | HoldMoney
    | RequestGrant
    | AbandonGrant
    | DebitCard
    | StopDebit
    | CancelDebit
    | CloseDebits
    | ShowCode
    | WatchCode
    | Print
    | ReportPaper
    | CaptureMoney
    | ReturnMoney
    | KeepMoney
    | ClaimRefund
    | PayOut
    | GiveUpClaim
    | GiveReceipt
    | Recover
    | OpenCase
    | ForgetVisit
    | CheckDevices
)
