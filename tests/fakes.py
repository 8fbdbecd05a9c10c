"""Stateful fakes of the terminal's devices and of its server; each fails on cue.

The fake server signs real grants and makes real papers: an A4 page whose printed seal can be read from its picture.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import zxingcpp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from printing.paper import seal
from printing.paper.records import CertificateKind
from printing.press.errors import PrinterUnreachable, QueueStopped
from printing.press.service import Counters, HeldJob, PrinterState, SheetProgress
from printing.press.verdict import Outcome, Verdict
from protocol import grant as grants
from protocol.codes import plain_code
from protocol.errors import ErrorCode
from protocol.messages import (
    AuthenticateAnswer,
    AuthenticateRequest,
    BootAnswer,
    BootRequest,
    ChallengeAnswer,
    Event,
    EventKind,
    EventsAnswer,
    GrantAnswer,
    GrantRequest,
    Offer,
    PreparedOrder,
    PrepareRequest,
    RefundAnswer,
    RefundClaim,
    RefundOffer,
    Scope,
    SignedEvent,
)
from protocol.signing import verify_event
from protocol.trust import SealKeyTrust, Trust
from terminal.card.results import CardRead, NoCard, PinIncomplete, PinLocked, PinWrong, Signed
from terminal.client import Paper, ServerRefused
from terminal.payment.device import (
    ChangeUnavailable,
    Counted,
    CountUncertain,
    DeviceCounters,
    MoneyCounted,
    PaymentConflict,
    PaymentState,
    PaymentStatus,
    UnitStatus,
)

MUNICIPALITY = "990001"
TERMINAL_ID = "terminal-1"
FEE_YEN = 200


class Cues:
    """Errors to raise, by the name of the method, each once."""

    def __init__(self) -> None:
        self._errors: dict[str, list[Exception]] = {}

    def fail(self, method: str, error: Exception) -> None:
        """The next call of that method raises this."""
        self._errors.setdefault(method, []).append(error)

    def left(self) -> list[str]:
        """Return the methods that still have an error to raise."""
        return [method for method, errors in self._errors.items() if errors]

    def play(self, method: str) -> None:
        """Called by the fake at the beginning of a method."""
        if self._errors.get(method):
            raise self._errors[method].pop(0)


class FakeCard:
    """A card with a PIN and a counter of tries."""

    def __init__(self, pin: str = "1234", tries: int = 3) -> None:
        self.cues = Cues()
        self.pin = pin
        self.tries = tries
        self.there = False
        self.certificate = b"certificate of a card"
        self.digits = ""
        self.signed: list[bytes] = []

    def read(self) -> CardRead:
        self.cues.play("read")
        self._require()
        self.digits = ""
        return CardRead("JPKIAPICCTOKEN2", self.certificate, self.tries)

    def pin_digit(self, digit: str) -> int:
        self.cues.play("pin_digit")
        self.digits += digit
        return len(self.digits)

    def pin_correct(self) -> int:
        self.digits = self.digits[:-1]
        return len(self.digits)

    def pin_clear(self) -> None:
        self.cues.play("pin_clear")
        self.digits = ""

    def sign(self, digest: bytes, certificate_sha256: bytes, last_try_confirmed: bool) -> Signed:
        self.cues.play("sign")
        self._require()
        digits, self.digits = self.digits, ""
        if len(digits) != 4:
            raise PinIncomplete(len(digits))
        if self.tries == 0:
            raise PinLocked
        assert certificate_sha256 == hashlib.sha256(self.certificate).digest()
        assert self.tries > 1 or last_try_confirmed
        if digits != self.pin:
            self.tries -= 1
            raise PinWrong(self.tries) if self.tries else PinLocked
        self.tries = 3
        self.signed.append(digest)
        return Signed(b"signature")

    def _require(self) -> None:
        if not self.there:
            raise NoCard


class FakePress:
    """A queue and a printer; `verdicts` are what the printer will say of the next jobs, PRINTED if none is left."""

    def __init__(self) -> None:
        self.cues = Cues()
        self.verdicts: list[Verdict] = []
        self.held: dict[str, bytes] = {}
        self.papers: list[tuple[str, bytes]] = []  # what came out, whole
        self.printed_digests: list[bytes] = []
        self.state = PrinterState(ready=True, reasons=())
        self.left_over: tuple[str, ...] = ()
        self.meter = 100
        self.cancelled: list[str] = []
        self.tell: Callable[[SheetProgress], None] = lambda _: None
        self.may_decide = threading.Event()
        self.may_decide.set()
        self.said: dict[str, Verdict] = {}  # what the printer says of the jobs that it was given
        self.has_meter = True

    def check(self) -> PrinterState:
        self.cues.play("check")
        return self.state

    def submit(self, order_id: str, pdf: bytes, sheets: int, sha256: bytes) -> HeldJob:
        self.cues.play("submit")
        self.held[order_id] = pdf
        self.printed_digests.append(sha256)
        return HeldJob(len(self.printed_digests), order_id, sheets)

    def counters(self) -> Counters:
        self.cues.play("counters")
        return Counters(self.meter if self.has_meter else None)

    def release(self, job: HeldJob) -> None:
        """The printer does what it does; what it says of it is asked for later."""
        self.cues.play("release")
        verdict = self.verdicts.pop(0) if self.verdicts else Verdict(Outcome.PRINTED, job.sheets, "cue")
        pdf = self.held.pop(job.order_id)
        self.said[job.order_id] = verdict
        if verdict.outcome is Outcome.PRINTED:
            self.papers.append((job.order_id, pdf))
            self.meter += 2 * job.sheets
        elif verdict.sheets_out:
            self.meter += 2 * verdict.sheets_out
        self.cues.play("release answer")

    def verdict(self, job: HeldJob, before: Counters) -> Verdict:
        self.cues.play("verdict")
        assert self.may_decide.wait(20)
        verdict = self.last_verdict(job, before)
        if verdict.outcome is Outcome.PRINTED:
            self.tell(SheetProgress(job.order_id, job.sheets, job.sheets))
        return verdict

    def last_verdict(self, job: HeldJob, before: Counters) -> Verdict:  # noqa: ARG002 - the port's
        self.cues.play("last_verdict")
        return self.said.get(job.order_id, Verdict(Outcome.UNKNOWN, None, "the printer does not know the job"))

    def is_held(self, order_id: str) -> bool:
        self.cues.play("is_held")
        return order_id in self.held

    def lose_power(self) -> None:
        """Queue and printer forget; what came out lies there, and the meter stands."""
        self.held.clear()
        self.said.clear()

    def cancel(self, job: HeldJob) -> None:
        self.cues.play("cancel")
        self.cancelled.append(job.order_id)

    def purge_all(self) -> None:
        self.cues.play("purge_all")
        self.held.clear()

    def residue(self) -> tuple[str, ...]:
        self.cues.play("residue")
        return (*self.held, *self.left_over)


PRINTER_LOST = PrinterUnreachable("cue")
QUEUE_STOPPED = QueueStopped("cue")


@dataclass
class FakeCoins:
    """A coin unit with a tray; money is conserved in it."""

    tell: Callable[[MoneyCounted], None] = lambda _: None
    cues: Cues = field(default_factory=Cues)
    has_change: bool = True
    stuck_yen: int = 0  # so much of the next change or return does not come out
    payment_id: str | None = None
    exact_only: bool = False
    open: bool = False
    due_yen: int = 0
    tray_yen: int = 0
    inserted_yen: int = 0
    cashbox_yen: int = 0
    change_yen: int = 0
    returned_yen: int = 0
    events: int = 0
    moved: dict[str, Counted] = field(default_factory=dict)
    lose_answer: bool = False  # the next movement happens and its answer is lost
    uncertain: bool = False  # more may lie there than was counted: it can go back, and nothing else

    def insert(self, *coins_yen: int) -> None:
        for coin_yen in coins_yen:
            if not self.open or self.tray_yen >= self.due_yen:
                continue  # falls through
            self.tray_yen += coin_yen
            self.inserted_yen += coin_yen
            assert self.payment_id is not None
            self.tell(MoneyCounted(self.payment_id, self.tray_yen))

    def check(self) -> UnitStatus:
        self.cues.play("check")
        return UnitStatus(ready=True, payment_id=self.payment_id, tray_yen=self.tray_yen)

    def start(self, payment_id: str, due_yen: int, *, exact_only: bool = False) -> None:
        self.cues.play("start")
        if self.payment_id not in {None, payment_id} or payment_id in self.moved:
            raise PaymentConflict("busy")
        if not self.has_change and not exact_only:
            raise ChangeUnavailable("no change")
        self.payment_id, self.due_yen, self.open, self.exact_only = payment_id, due_yen, True, exact_only
        self.cues.play("start answer")

    def hold(self) -> int:
        self.cues.play("hold")
        if self.payment_id is None:
            raise PaymentConflict("no payment is open")
        self.open = False
        if self.uncertain:
            raise CountUncertain("cue")
        return self.tray_yen

    def capture(self, payment_id: str, capture_yen: int) -> Counted:
        self.cues.play("capture")
        assert payment_id == self.payment_id
        assert not self.uncertain
        rest_yen = self.tray_yen - capture_yen
        assert rest_yen >= 0
        owed_yen = min(self.stuck_yen, rest_yen)
        self.cashbox_yen += self.tray_yen
        self.change_yen += rest_yen - owed_yen
        return self._finish("capture", Counted(capture_yen, rest_yen - owed_yen, 0, owed_yen))

    def give_back(self, payment_id: str) -> Counted:
        self.cues.play("give_back")
        assert payment_id == self.payment_id
        owed_yen = min(self.stuck_yen, self.tray_yen)
        self.returned_yen += self.tray_yen - owed_yen
        return self._finish("give_back", Counted(0, 0, self.tray_yen - owed_yen, owed_yen))

    def pay_out(self, payout_id: str, amount_yen: int) -> Counted:
        self.cues.play("pay_out")
        if payout_id in self.moved:
            return self.moved[payout_id]
        if self.payment_id is not None:
            raise PaymentConflict("busy")
        if not self.has_change:
            raise ChangeUnavailable("no change")
        owed_yen = min(self.stuck_yen, amount_yen)
        self.change_yen += amount_yen - owed_yen
        self.payment_id = payout_id
        return self._finish("pay_out", Counted(0, amount_yen - owed_yen, 0, owed_yen))

    def _finish(self, method: str, counted: Counted) -> Counted:
        assert self.payment_id is not None
        self.moved[self.payment_id] = counted
        self.payment_id, self.tray_yen = None, 0
        self.events += 1
        self.cues.play(f"{method} answer")
        return counted

    def status(self, payment_id: str) -> PaymentStatus:
        self.cues.play("status")
        counted = self.moved.get(payment_id)
        if counted is None:
            state = PaymentState.ACTIVE if payment_id == self.payment_id else PaymentState.UNKNOWN
            return PaymentStatus(state, self.tray_yen, None)
        state = PaymentState.CAPTURED if counted.captured_yen else PaymentState.ROLLED_BACK
        return PaymentStatus(state, 0, counted)

    def counters(self) -> DeviceCounters:
        self.cues.play("counters")
        return DeviceCounters(self.inserted_yen, self.cashbox_yen, self.change_yen, self.returned_yen, self.events)

    def close(self) -> None:
        self.open = False


class FakeServer:
    """An issuing server for one municipality: real seals, real grants, numbered events checked one by one."""

    def __init__(self, terminal_key: Ed25519PrivateKey) -> None:
        self.cues = Cues()
        self._terminal_key = terminal_key.public_key()
        self.grant_key = Ed25519PrivateKey.generate()
        self._seal_key = ec.generate_private_key(ec.SECP256R1())
        self.fee_yen = FEE_YEN
        self.clock_ahead_s = 0
        self.papers: dict[str, Paper] = {}
        self.granted: list[str] = []
        self.grant_requests: list[GrantRequest] = []
        self.events: list[Event] = []
        self.boots: list[BootRequest] = []
        self.attempts: list[str] = []
        self.challenged: list[str] = []
        self.authenticated: list[AuthenticateRequest] = []
        self.swap: Callable[[Paper], Paper] = lambda paper: paper  # what goes wrong on the way to the terminal
        self.forge: Callable[[GrantAnswer], GrantAnswer] = lambda answer: answer
        self.before_grant: Callable[[], None] = lambda: None
        self.due: dict[str, int] = {}  # refunds: by code, or by the payment of the card's holder
        self.claims: dict[str, int] = {}
        self.refunds: tuple[RefundOffer, ...] = ()

    def trust(self) -> Trust:
        public_pem = self._seal_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        key = SealKeyTrust(municipality_code=MUNICIPALITY, key_id="seal-1", public_key_pem=public_pem.decode())
        return Trust(grant_public_key=self.grant_key.public_key().public_bytes_raw(), seal_keys=(key,))

    def challenge(self, visit_id: str) -> ChallengeAnswer:
        self._play("challenge")
        self.challenged.append(visit_id)
        expires_at_utc = datetime.now(UTC) + timedelta(seconds=60 + self.clock_ahead_s)
        return ChallengeAnswer(challenge=b"c" * 16, expires_at_utc=expires_at_utc)

    def authenticate(self, request: AuthenticateRequest) -> AuthenticateAnswer:
        self._play("authenticate")
        assert request.visit_id in self.challenged
        self.authenticated.append(request)
        return AuthenticateAnswer(
            session_id="session",
            expires_at_utc=datetime.now(UTC) + timedelta(minutes=10),
            masked_name="山● 太●",
            offers=(offer(self.fee_yen),),
            refunds=self.refunds,
        )

    def prepare(self, request: PrepareRequest) -> Paper:
        self._play("prepare")
        number = f"2026-{len(self.papers) + 1:06}"
        pdf = self.paper_pdf(request.binding, number, kind=request.kind)
        prepared = PreparedOrder(
            order_id=request.order_id,
            municipality_code=MUNICIPALITY,
            municipality_name="見本市",
            kind=request.kind,
            title="住民票の写し",
            masked_names=("山● 太●",),
            items=request.items,
            fiscal_year=request.fiscal_year,
            issue_number=number,
            sheets=1,
            fee_yen=self.fee_yen,
            pdf_sha256=hashlib.sha256(pdf).digest(),
            expires_at_utc=datetime.now(UTC) + timedelta(minutes=10),
        )
        paper = Paper(prepared, pdf)
        self.papers[request.order_id] = paper
        return self.swap(paper)

    def grant(self, order_id: str, request: GrantRequest) -> GrantAnswer:
        self.before_grant()
        self._play("grant")
        self.granted.append(order_id)
        self.grant_requests.append(request)
        return self.forge(grants.sign(self.a_grant(order_id), self.grant_key))

    def a_grant(self, order_id: str) -> grants.Grant:
        return grants.Grant(
            grant_id="0" * 32,
            order_id=order_id,
            pdf_sha256=self.papers[order_id].prepared.pdf_sha256,
            terminal_id=TERMINAL_ID,
            granted_at_utc=datetime.now(UTC),
        )

    def claim_refund(self, request: RefundClaim) -> RefundAnswer:
        self._play("claim_refund")
        if request.claim_id not in self.claims:
            name = request.payment_id if request.code is None else plain_code(request.code)
            if name not in self.due:
                raise ServerRefused(ErrorCode.NO_REFUND, "", retryable=False)
            self.claims[request.claim_id] = self.due.pop(name)
        self.cues.play("claim_refund answer")
        return RefundAnswer(claim_id=request.claim_id, amount_yen=self.claims[request.claim_id])

    def boot(self, request: BootRequest) -> BootAnswer:
        self._play("boot")
        self.boots.append(request)
        return BootAnswer(accepted_through=len(self.events), backed_up_through=0)

    def send_events(self, events: tuple[SignedEvent, ...]) -> EventsAnswer:
        self._play("send_events")
        for signed in events:
            event = verify_event(signed, self._terminal_key)
            assert event.sequence <= len(self.events) + 1, "a gap"
            if event.sequence == len(self.events) + 1:
                self.events.append(event)
        self.cues.play("send_events answer")
        return EventsAnswer(accepted_through=len(self.events))

    def told(self) -> list[EventKind]:
        """Return the kinds of the events, in order."""
        return [event.kind for event in self.events]

    def _play(self, method: str) -> None:
        self.attempts.append(method)
        self.cues.play(method)

    def paper_pdf(self, binding: bytes, issue_number: str, *, key: Any = None, kind: str = "residence") -> bytes:
        """Return a page with a real seal; key = another signing key, for a forgery."""
        content = seal.SealContent(
            municipality_code=MUNICIPALITY,
            kind=CertificateKind(kind),
            issue_number=issue_number,
            issued_on_jst=date(2026, 11, 22),
            status_id=b"s" * 10,
            binding=binding,
            salt=b"t" * 16,
            digest=b"d" * 32,
            fields={"names": "見本 太郎", "address": "見本市"},
        )
        private_pem = (key or self._seal_key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return page_with_code(seal.sign(content, seal.SealSigner.from_pem("seal-1", private_pem)))


def page_with_code(text: str) -> bytes:
    """Return a sheet, its front with one QR code on it."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    image: Any = code.to_image(scale=1, add_quiet_zones=False)  # a buffer, though its stub does not say so
    side, modules = int(image.shape[0]), bytes(image)
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A4, invariant=1)
    module_pt = 0.508 * 72 / 25.4
    for index, module in enumerate(modules):
        if module == 0:
            x_pt, y_pt = 300 + index % side * module_pt, 700 - index // side * module_pt
            canvas.rect(x_pt, y_pt, module_pt, module_pt, stroke=0, fill=1)
    canvas.showPage()
    canvas.drawString(72, 72, "the back")
    canvas.save()
    return stream.getvalue()


def offer(fee_yen: int = FEE_YEN) -> Offer:
    """Return a residence certificate that can be had."""
    return Offer(
        municipality_code=MUNICIPALITY,
        municipality_name="見本市",
        kind="residence",
        title="住民票の写し",
        fee_yen=fee_yen,
        refusal=None,
        available_again=None,
        scopes=(Scope.SELF,),
        items=(),
        fiscal_years=(),
        members=(),
    )
