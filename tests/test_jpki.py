"""The JPKI application over the virtual card, without reader: what is read, verified, signed and noticed."""

import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from deploy.demo.pki import TownPki
from deploy.demo.virtual_card import CardKind, Fault, FaultKind, VirtualCard
from terminal.card import apdu, jpki
from terminal.card.jpki import Transmit
from terminal.card.results import (
    CardError,
    CardPulled,
    NotMyNumberCard,
    OtherCard,
    PinLocked,
    PinWrong,
    UnreadableCard,
    UnsupportedKey,
    VerifyInterrupted,
)
from tests.card_parts import direct_port

MESSAGE = b"what the card signs"
DIGEST = hashlib.sha256(MESSAGE).digest()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> TownPki:
    return TownPki.create(tmp_path_factory.mktemp("pki"), seed=7, pool_size=2)


@pytest.fixture
def directory(pki: TownPki, tmp_path: Path) -> Path:
    return pki.issue_card(tmp_path, "resident")


@pytest.fixture
def card(directory: Path) -> VirtualCard:
    return VirtualCard(directory)


def read_all(transmit: Transmit) -> bytes:
    jpki.select_application(transmit)
    jpki.token_label(transmit)
    return jpki.authentication_certificate(transmit)


def sign_all(transmit: Transmit, pin: bytes = b"1234") -> bytes:
    certificate_der = read_all(transmit)
    jpki.tries_left(transmit)
    jpki.verify(transmit, bytearray(pin))
    return jpki.sign(transmit, DIGEST, jpki.signing_key(certificate_der))


def apdus_of_a_signature(card: VirtualCard) -> int:
    before = card.apdus_seen
    sign_all(direct_port(card))
    card.power_off()
    return card.apdus_seen - before


def test_the_certificate_is_read_to_its_own_length(card: VirtualCard, directory: Path) -> None:
    # The file is longer: what follows the DER is filler.
    assert read_all(direct_port(card)) == (directory / "000A.der").read_bytes()


def test_the_signature_is_the_certificates(card: VirtualCard, directory: Path) -> None:
    signature = sign_all(direct_port(card))
    key = x509.load_der_x509_certificate((directory / "000A.der").read_bytes()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, MESSAGE, padding.PKCS1v15(), SHA256())


def test_the_label_is_a_my_number_cards(card: VirtualCard) -> None:
    transmit = direct_port(card)
    jpki.select_application(transmit)
    assert jpki.token_label(transmit) == "JPKIAPICCTOKEN2"


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        (CardKind.FOREIGN, OtherCard.FOREIGN),
        (CardKind.JUKI, OtherCard.JUKI),
        (CardKind.ANDROID, OtherCard.PHONE_ANDROID),
        (CardKind.IPHONE, OtherCard.PHONE_IPHONE),
    ],
)
def test_other_cards_are_told_apart(pki: TownPki, tmp_path: Path, kind: CardKind, other: OtherCard) -> None:
    card = VirtualCard(pki.issue_card(tmp_path, "other", kind=kind))
    with pytest.raises(NotMyNumberCard) as caught:
        read_all(direct_port(card))
    assert caught.value.kind is other


def test_a_label_that_nobody_knows_is_no_my_number_card() -> None:
    answers = iter([bytes.fromhex("9000"), b"SOMETHING ELSE".ljust(32) + bytes.fromhex("9000")])
    with pytest.raises(NotMyNumberCard) as caught:
        jpki.token_label(lambda _command: next(answers))
    assert caught.value.kind is OtherCard.UNKNOWN_TOKEN


def test_tries_go_down_and_lock_and_come_back(card: VirtualCard) -> None:
    transmit = direct_port(card)
    jpki.select_application(transmit)
    assert jpki.tries_left(transmit) == 3
    for left in (2, 1):
        with pytest.raises(PinWrong) as caught:
            jpki.verify(transmit, bytearray(b"0000"))
        assert caught.value.tries_left == left
        assert jpki.tries_left(transmit) == left
    jpki.verify(transmit, bytearray(b"1234"))
    assert jpki.tries_left(transmit) == 3
    for _ in range(2):
        with pytest.raises(PinWrong):
            jpki.verify(transmit, bytearray(b"0000"))
    with pytest.raises(PinLocked):  # 63C0: the try that exhausts
        jpki.verify(transmit, bytearray(b"0000"))
    with pytest.raises(PinLocked):  # 6984, though the PIN is right
        jpki.verify(transmit, bytearray(b"1234"))
    with pytest.raises(PinLocked):
        jpki.tries_left(transmit)


def test_a_face_recognition_card_answers_as_a_locked_one(pki: TownPki, tmp_path: Path) -> None:
    transmit = direct_port(VirtualCard(pki.issue_card(tmp_path, "face", kind=CardKind.FACE_RECOGNITION)))
    read_all(transmit)
    with pytest.raises(PinLocked):
        jpki.tries_left(transmit)


@pytest.mark.parametrize("status_word", ["6983", "6984", "63C0"])
def test_every_way_to_say_locked(status_word: str) -> None:
    with pytest.raises(PinLocked):
        jpki.verify(lambda _command: bytes.fromhex(status_word), bytearray(b"1234"))


def test_a_card_that_does_not_tell_its_tries() -> None:
    assert jpki.tries_left(lambda _command: bytes.fromhex("9000")) is None


@pytest.mark.parametrize("answer", ["6700", "6F00", "6982", "90", ""])
def test_any_other_answer_to_verify_may_have_used_a_try(answer: str) -> None:
    with pytest.raises(VerifyInterrupted):
        jpki.verify(lambda _command: bytes.fromhex(answer), bytearray(b"1234"))


def test_the_pin_is_wiped_from_the_command_that_was_sent() -> None:
    sent: list[bytearray] = []

    def transmit(command: bytearray) -> bytes:
        sent.append(command)
        assert command.endswith(b"4649")
        return bytes.fromhex("9000")

    jpki.verify(transmit, bytearray(b"4649"))
    assert sent == [bytearray(9)]


def test_a_card_pulled_at_any_apdu_raises_and_a_try_is_in_doubt_only_in_verify(card: VirtualCard) -> None:
    count = apdus_of_a_signature(card)
    seen: list[type[CardError]] = []
    for at in range(count):
        card.arm(Fault(FaultKind.DROP_BEFORE, at))
        with pytest.raises((CardPulled, VerifyInterrupted)) as caught:
            sign_all(direct_port(card))
        card.power_off()
        seen.append(caught.type)
    assert seen.count(VerifyInterrupted) == 1
    assert seen[-3] is VerifyInterrupted  # after it: SELECT of the key, and the signature


def test_an_interrupted_verify_may_use_a_try_and_may_not(card: VirtualCard) -> None:
    transmit = direct_port(card)
    for fault, left in ((FaultKind.DROP_BEFORE, 3), (FaultKind.DROP_AFTER, 2)):
        jpki.select_application(transmit)
        jpki.tries_left(transmit)
        card.arm(Fault(fault))
        with pytest.raises(VerifyInterrupted):
            jpki.verify(transmit, bytearray(b"0000"))
        card.power_off()
        jpki.select_application(transmit)
        assert jpki.tries_left(transmit) == left


def test_a_refusal_at_any_apdu_is_typed(card: VirtualCard) -> None:
    for at in range(apdus_of_a_signature(card)):
        card.arm(Fault(FaultKind.REFUSE, at))
        with pytest.raises((UnreadableCard, NotMyNumberCard, VerifyInterrupted)):
            sign_all(direct_port(card))
        card.power_off()


def reads_of_the_certificate(directory: Path) -> int:
    return -(-(directory / "000A.der").stat().st_size // apdu.SHORT_LE_MAX)


@pytest.mark.parametrize("fault", [FaultKind.SHORT_READ, FaultKind.SKIP_BLOCK])
def test_a_short_or_missing_block_is_noticed(card: VirtualCard, directory: Path, fault: FaultKind) -> None:
    transmit = direct_port(card)
    blocks = reads_of_the_certificate(directory)
    whole = (directory / "000A.der").read_bytes()
    assert blocks > 3
    for at in range(blocks):
        jpki.select_application(transmit)
        # With the guard off, a reader that only appends what it gets ends with other bytes and no error.
        card.arm(Fault(fault, at, apdu.INS_READ_BINARY))
        assert not append_until_the_end(transmit).startswith(whole) or at == blocks - 1  # there it hits the filler
        card.arm(Fault(fault, at, apdu.INS_READ_BINARY))
        try:
            certificate_der = jpki.authentication_certificate(transmit)
        except UnreadableCard:
            continue
        # A whole block in another's place keeps length and form: then the issuer's signature is broken.
        assert fault is FaultKind.SKIP_BLOCK
        issuer = x509.load_der_x509_certificate((directory / "000B.der").read_bytes())
        with pytest.raises((InvalidSignature, ValueError)):
            x509.load_der_x509_certificate(certificate_der).verify_directly_issued_by(issuer)


def append_until_the_end(transmit: Transmit) -> bytes:
    transmit(apdu.select_file(jpki.EF_AUTH_CERTIFICATE).encode())
    content, offset = b"", 0
    while (answer := transmit(apdu.read_binary(offset, 256).encode()))[-2:] == bytes.fromhex("9000"):
        content += answer[:-2]
        offset += 256
    return content


def test_a_signature_that_is_not_the_certificates_is_refused(card: VirtualCard) -> None:
    card.arm(Fault(FaultKind.WRONG_SIGNATURE, ins=apdu.INS_PERFORM_SECURITY_OPERATION))
    with pytest.raises(UnreadableCard, match="not of the certificate's key"):
        sign_all(direct_port(card))


def test_a_signature_of_another_length_is_refused(card: VirtualCard) -> None:
    card.arm(Fault(FaultKind.SHORT_READ, ins=apdu.INS_PERFORM_SECURITY_OPERATION))
    with pytest.raises(UnreadableCard, match="255 bytes for a key of 2048 bits"):
        sign_all(direct_port(card))


@pytest.mark.parametrize("content", [bytes(300), b"\x30\x82\x40\x00" + bytes(300), b"\x30\x82\x01\x00" + bytes(300)])
def test_a_file_that_is_no_certificate_is_unreadable(directory: Path, content: bytes) -> None:
    (directory / "000A.der").write_bytes(content)
    with pytest.raises(UnreadableCard):
        read_all(direct_port(VirtualCard(directory)))


def certificate_with(pki: TownPki, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    name = pki.authentication_ca.subject
    validity = pki.authentication_ca
    signer = ec.generate_private_key(ec.SECP384R1())
    builder = x509.CertificateBuilder(name, name, key, 1, validity.not_valid_before_utc, validity.not_valid_after_utc)
    return builder.sign(signer, SHA256()).public_bytes(Encoding.DER)


def test_the_next_generations_key_is_named_and_refused(pki: TownPki) -> None:
    with pytest.raises(UnsupportedKey) as caught:
        jpki.signing_key(certificate_with(pki, ec.generate_private_key(ec.SECP384R1()).public_key()))
    assert caught.value.algorithm == "ECDSA secp384r1"


RSA_ENCRYPTION = bytes.fromhex("06092a864886f70d010101")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (RSA_ENCRYPTION, RSA_ENCRYPTION[:-1] + b"\x41", UnsupportedKey),  # a kind of key that nobody knows
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x06", UnreadableCard),  # version 7
    ],
)
def test_a_certificate_that_the_library_cannot_read_is_the_cards_fault(
    pki: TownPki, old: bytes, new: bytes, error: type[CardError]
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    der = certificate_with(pki, key)
    assert old in der
    with pytest.raises(error):
        jpki.signing_key(der.replace(old, new, 1))


def test_a_key_whose_signature_needs_more_than_a_short_answer_is_refused(pki: TownPki) -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << 3071) + 1)
    with pytest.raises(UnsupportedKey) as caught:
        jpki.signing_key(certificate_with(pki, numbers.public_key()))
    assert caught.value.algorithm.startswith("RSA 3072")
