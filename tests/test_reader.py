"""The card worker on a real pcscd: events, every typed result, and what the guards guard against."""

import hashlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from deploy.demo.virtual_card import CardKind, Fault, FaultKind, PluggedCard, VirtualCard
from terminal.card import apdu
from terminal.card.results import (
    CardInserted,
    CardPulled,
    CardRead,
    CardRemoved,
    CardSwapped,
    LastTryNotConfirmed,
    NoCard,
    NotMyNumberCard,
    OtherCard,
    PinIncomplete,
    PinLocked,
    PinWrong,
    ReaderBack,
    ReaderGone,
    ReaderUnavailable,
    Signed,
    UnreadableCard,
    VerifyInterrupted,
)
from terminal.workers import Worker, WorkerHung
from tests.card_parts import LONG_S, Bench, enter

pytestmark = pytest.mark.parts

ROOT = Path(__file__).resolve().parent.parent
DIGEST = hashlib.sha256(b"challenge").digest()
READ_APDUS = 11  # application; label: select, read; certificate: select, 5 reads; tries: select, ask
SIGN_APDUS = 12  # application; certificate: select, 5 reads; tries: select, ask; VERIFY; key; signature
VERIFY_AT = 9

SELECT_JPKI = "00A4040C0AD392F000260100000001"
SELECT_PIN = "00A4020C020018"
SELECT_KEY = "00A4020C020017"
ASK_TRIES = "00200080"
VERIFY = "002000800431323334"
SIGN = "802A0080333031300d060960864801650304020105000420" + DIGEST.hex() + "00"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("card"))
    with bench.pcscd:
        yield bench


@pytest.fixture
def worker(bench: Bench) -> Iterator[Worker]:
    worker = bench.worker()
    bench.await_event(CardRemoved())  # what an empty reader begins with; pcscd may still see an earlier test's card
    yield worker
    worker.stop()


@pytest.fixture
def raw(bench: Bench) -> Iterator[Worker]:
    raw = bench.raw()
    yield raw
    raw.stop()


@pytest.fixture
def card(bench: Bench, tmp_path: Path) -> VirtualCard:
    return VirtualCard(bench.pki.issue_card(tmp_path, "resident"))


def read(worker: Worker) -> CardRead:
    answer = worker.call("read", timeout_s=LONG_S)
    assert isinstance(answer, CardRead)
    return answer


def sign(worker: Worker, certificate_der: bytes, *, confirmed: bool = False) -> Signed:
    certificate_sha256 = hashlib.sha256(certificate_der).digest()
    answer = worker.call("sign", DIGEST, certificate_sha256, confirmed, timeout_s=LONG_S)
    assert isinstance(answer, Signed)
    return answer


def check(signed: Signed, certificate_der: bytes) -> None:
    key = x509.load_der_x509_certificate(certificate_der).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signed.signature, DIGEST, PKCS1v15(), Prehashed(SHA256()))


def test_a_card_is_read_verified_and_signs(bench: Bench, worker: Worker, card: VirtualCard) -> None:
    with bench.insert(card):
        seen = read(worker)
        assert (seen.token_label, seen.tries_left) == ("JPKIAPICCTOKEN2", 3)
        enter(worker, "1234")
        check(sign(worker, seen.certificate_der), seen.certificate_der)
        assert worker.call("tries_left", timeout_s=LONG_S) == 3


def test_the_apdu_counts_that_the_faults_are_placed_by(bench: Bench, worker: Worker, card: VirtualCard) -> None:
    with bench.insert(card):
        before = card.apdus_seen
        seen = read(worker)
        assert card.apdus_seen - before == READ_APDUS
        enter(worker, "1234")
        sign(worker, seen.certificate_der)
        assert card.apdus_seen - before == READ_APDUS + SIGN_APDUS


def test_insertion_and_removal_are_told(bench: Bench, worker: Worker, card: VirtualCard) -> None:
    for _ in range(2):
        plugged = bench.insert(card)
        plugged.pull()
        bench.expect(CardRemoved())
    with pytest.raises(NoCard):
        read(worker)


def test_a_worker_that_starts_late_says_that_a_card_lies_there(bench: Bench, worker: Worker, card: VirtualCard) -> None:
    with bench.insert(card):
        late = bench.worker()
        bench.expect(CardInserted())
        late.stop()


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        (CardKind.FOREIGN, OtherCard.FOREIGN),
        (CardKind.JUKI, OtherCard.JUKI),
        (CardKind.IPHONE, OtherCard.PHONE_IPHONE),
    ],
)
def test_other_cards(bench: Bench, worker: Worker, tmp_path: Path, kind: CardKind, other: OtherCard) -> None:
    with (
        bench.insert(VirtualCard(bench.pki.issue_card(tmp_path, "other", kind=kind))),
        pytest.raises(NotMyNumberCard) as caught,
    ):
        read(worker)
    assert caught.value.kind is other


def test_an_unreadable_card(bench: Bench, worker: Worker, card: VirtualCard) -> None:
    with bench.insert(card):
        card.arm(Fault(FaultKind.SHORT_READ, ins=apdu.INS_READ_BINARY))
        with pytest.raises(UnreadableCard):
            read(worker)
        assert read(worker).tries_left == 3


def test_a_face_recognition_card_is_as_a_locked_one(bench: Bench, worker: Worker, tmp_path: Path) -> None:
    directory = bench.pki.issue_card(tmp_path, "face", kind=CardKind.FACE_RECOGNITION)
    with bench.insert(VirtualCard(directory)), pytest.raises(PinLocked):
        read(worker)


def test_s17_wrong_pins_down_to_the_lock_and_over_a_restart(bench: Bench, worker: Worker, tmp_path: Path) -> None:
    directory = bench.pki.issue_card(tmp_path, "forgetful")
    plugged = bench.insert(VirtualCard(directory))
    certificate_der = read(worker).certificate_der
    for left in (2, 1):
        enter(worker, "0000")
        with pytest.raises(PinWrong) as caught:
            sign(worker, certificate_der)
        assert caught.value.tries_left == left
    bench.pull(plugged)
    with bench.insert(VirtualCard(directory)):  # S17: the counter is the card's own, and survives
        assert read(worker).tries_left == 1
        enter(worker, "0000")
        with pytest.raises(LastTryNotConfirmed):
            sign(worker, certificate_der)
        assert worker.call("tries_left", timeout_s=LONG_S) == 1
        enter(worker, "0000")
        with pytest.raises(PinLocked):
            sign(worker, certificate_der, confirmed=True)
        enter(worker, "1234")
        with pytest.raises(PinLocked):
            sign(worker, certificate_der, confirmed=True)
        with pytest.raises(PinLocked):
            read(worker)


def test_digits_are_gone_after_use_reading_and_removal(bench: Bench, worker: Worker, card: VirtualCard) -> None:
    plugged = bench.insert(card)
    certificate_der = read(worker).certificate_der
    enter(worker, "1234")
    sign(worker, certificate_der)
    with pytest.raises(PinIncomplete) as after_use:
        sign(worker, certificate_der)
    enter(worker, "12")
    read(worker)
    assert worker.call("pin_correct", timeout_s=LONG_S) == 0
    enter(worker, "1234")
    worker.call("pin_clear", timeout_s=LONG_S)
    assert worker.call("pin_correct", timeout_s=LONG_S) == 0
    enter(worker, "123")
    bench.pull(plugged)
    assert worker.call("pin_correct", timeout_s=LONG_S) == 0
    assert after_use.value.digits == 0


def test_a_wrong_pin_is_sent_once_and_an_incomplete_one_never(bench: Bench, worker: Worker, tmp_path: Path) -> None:
    directory = bench.pki.issue_card(tmp_path, "resident")
    with bench.insert(VirtualCard(directory)):
        certificate_der = read(worker).certificate_der
        enter(worker, "123")
        with pytest.raises(PinIncomplete):
            sign(worker, certificate_der)
        assert worker.call("tries_left", timeout_s=LONG_S) == 3
        enter(worker, "0000")
        with pytest.raises(PinWrong):
            sign(worker, certificate_der)
        assert worker.call("tries_left", timeout_s=LONG_S) == 2


@pytest.mark.parametrize("at", range(READ_APDUS))
def test_pulled_at_any_apdu_of_reading(bench: Bench, worker: Worker, card: VirtualCard, at: int) -> None:
    with bench.insert(card):
        card.arm(Fault(FaultKind.DROP_AFTER if at % 2 else FaultKind.DROP_BEFORE, at))
        with pytest.raises(CardPulled):
            read(worker)
        bench.await_empty(worker)


@pytest.mark.parametrize("at", range(SIGN_APDUS))
def test_pulled_at_any_apdu_of_signing(bench: Bench, worker: Worker, card: VirtualCard, at: int) -> None:
    with bench.insert(card):
        certificate_der = read(worker).certificate_der
        enter(worker, "1234")
        card.arm(Fault(FaultKind.DROP_AFTER if at % 2 else FaultKind.DROP_BEFORE, at))
        with pytest.raises(VerifyInterrupted if at == VERIFY_AT else CardPulled):
            sign(worker, certificate_der)
        bench.await_empty(worker)


def test_pcscd_gone_and_back(bench: Bench, worker: Worker, card: VirtualCard) -> None:
    plugged = bench.insert(card)
    bench.pcscd.kill()
    try:
        bench.expect(ReaderGone())
        with pytest.raises(ReaderUnavailable):
            read(worker)
    finally:
        bench.pcscd.start()
    bench.expect(ReaderBack(), CardRemoved())  # its reader went, and the card's connection with it
    plugged.pull()
    with bench.insert(card):
        assert read(worker).tries_left == 3
    assert worker.restarts == 0


def test_pcscd_gone_in_the_middle_of_an_apdu(bench: Bench, worker: Worker, card: VirtualCard) -> None:
    plugged = bench.insert(card)
    card.arm(Fault(FaultKind.HANG, 3))
    threading.Timer(0.2, bench.pcscd.kill).start()
    try:
        with pytest.raises((ReaderUnavailable, CardPulled)):
            read(worker)
        bench.expect(ReaderGone())
    finally:
        plugged.pull()
        bench.pcscd.restart()
    bench.expect(ReaderBack(), CardRemoved())
    assert worker.restarts == 0


def test_a_reader_that_is_not_there(bench: Bench) -> None:
    absent = Bench.__new__(Bench)
    absent.__dict__.update(bench.__dict__, port=1)
    worker = absent.worker()
    bench.expect(ReaderGone())
    with pytest.raises(ReaderUnavailable):
        read(worker)
    worker.stop()


def test_a_hung_card_is_left_to_the_watchdog(bench: Bench, worker: Worker, card: VirtualCard) -> None:
    plugged = bench.insert(card)
    card.arm(Fault(FaultKind.HANG, 3))
    with pytest.raises(WorkerHung):
        worker.call("read", timeout_s=0.5)
    bench.expect(CardInserted())  # the fresh worker says what it finds
    plugged.pull()
    bench.expect(CardRemoved())
    with bench.insert(card):
        assert read(worker).tries_left == 3
    assert worker.restarts == 1


def test_after_our_session_no_other_handle_can_sign(
    bench: Bench, worker: Worker, raw: Worker, card: VirtualCard
) -> None:
    with bench.insert(card):
        # Guard off: a shared handle that is left as it is; the next handle signs without a PIN.
        raw.call("shared", [SELECT_JPKI, SELECT_PIN, VERIFY], timeout_s=LONG_S)
        answers = raw.call("shared", [SELECT_JPKI, SELECT_KEY, SIGN], timeout_s=LONG_S)
        assert isinstance(answers, list)
        assert answers[-1].endswith("9000")
        # Guard on: our own session takes the power at its end.
        certificate_der = read(worker).certificate_der
        enter(worker, "1234")
        sign(worker, certificate_der)
        answers = raw.call("shared", [SELECT_JPKI, SELECT_KEY, SIGN], timeout_s=LONG_S)
        assert answers == ["9000", "9000", "6982"]
        assert raw.call("connects_beside_our_session", timeout_s=LONG_S) is False


def test_the_first_session_undoes_what_a_predecessor_left_verified(
    bench: Bench, worker: Worker, raw: Worker, card: VirtualCard
) -> None:
    asking = [SELECT_JPKI, SELECT_KEY, SIGN]
    with bench.insert(card):
        raw.call("shared", [SELECT_JPKI, SELECT_PIN, VERIFY], timeout_s=LONG_S)
        answers = raw.call("ours_warm", asking, timeout_s=LONG_S)
        assert isinstance(answers, list)
        assert answers[-1].endswith("9000")  # guard off: our own session would take the PIN over
        raw.call("shared", [SELECT_JPKI, SELECT_PIN, VERIFY], timeout_s=LONG_S)
        assert raw.call("ours_cold", asking, timeout_s=LONG_S) == ["9000", "9000", "6982"]


def test_a_card_swapped_between_reading_and_signing(bench: Bench, worker: Worker, tmp_path: Path) -> None:
    first, second = (VirtualCard(bench.pki.issue_card(tmp_path, name)) for name in ("first", "second"))
    plugged = bench.insert(first)
    read_first = read(worker).certificate_der
    bench.pull(plugged)
    with bench.insert(second):
        # Guard off: without the comparison, the same PIN makes the other person's card sign.
        read_second = read(worker).certificate_der
        enter(worker, "1234")
        check(sign(worker, read_second), read_second)
        # Guard on: nothing is signed, and not even a try is used.
        enter(worker, "0000")
        with pytest.raises(CardSwapped):
            sign(worker, read_first)
        assert worker.call("tries_left", timeout_s=LONG_S) == 3


def test_a_swap_faster_than_the_readers_poll_never_signs(bench: Bench, worker: Worker, tmp_path: Path) -> None:
    first, second = (VirtualCard(bench.pki.issue_card(tmp_path, name)) for name in ("first", "second"))
    plugged = bench.insert(first)
    certificate_der = read(worker).certificate_der
    enter(worker, "1234")
    plugged.pull()
    with (
        PluggedCard(second, bench.port),
        pytest.raises((CardSwapped, PinIncomplete, NoCard, CardPulled, UnreadableCard)),
    ):
        sign(worker, certificate_der)


def test_a_card_of_a_process_of_its_own(bench: Bench, worker: Worker, tmp_path: Path) -> None:
    directory = bench.pki.issue_card(tmp_path, "resident")
    command = [sys.executable, "-m", "deploy.demo.virtual_card", "--port", str(bench.port), "--card", str(directory)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        bench.expect(CardInserted())
        assert read(worker).certificate_der == (directory / "000A.der").read_bytes()
    finally:
        process.terminate()
        assert process.wait(LONG_S) == -signal.SIGTERM
    bench.expect(CardRemoved())


def test_idle_digits_are_wiped(bench: Bench, card: VirtualCard) -> None:
    worker = bench.worker(pin_idle_timeout_s=0.0)
    assert worker.call("pin_digit", "1", timeout_s=LONG_S) == 1
    assert worker.call("pin_digit", "2", timeout_s=LONG_S) == 1  # the first had stood too long
    worker.stop()


def test_two_readers_of_two_daemons_do_not_meet(
    bench: Bench, worker: Worker, card: VirtualCard, tmp_path: Path
) -> None:
    other = Bench(tmp_path)
    with other.pcscd:
        other_worker = other.worker()
        other_card = VirtualCard(other.pki.issue_card(tmp_path, "elsewhere"))
        with bench.insert(card), other.insert(other_card):
            assert read(worker).certificate_der != read(other_worker).certificate_der
        other_worker.stop()
