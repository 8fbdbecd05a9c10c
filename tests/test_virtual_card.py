"""The virtual card keeps the rules of a real one; OpenSC does not notice several of them."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA512, HashAlgorithm

from deploy.demo.pki import TownPki
from deploy.demo.virtual_card import CardDrops, CardHangs, CardKind, Fault, FaultKind, VirtualCard

SELECT_JPKI = "00A4040C0AD392F000260100000001"
SELECT_AUTH_PIN = "00A4020C020018"
SELECT_SIGN_PIN = "00A4020C02001B"
SELECT_AUTH_KEY = "00A4020C020017"
SELECT_SIGN_KEY = "00A4020C02001A"
SELECT_AUTH_CERTIFICATE = "00A4020C02000A"
SELECT_SIGN_CERTIFICATE = "00A4020C020001"
ASK_TRIES = "00200080"
VERIFY_1234 = "002000800431323334"
VERIFY_0000 = "002000800430303030"
VERIFY_ABCDEF1 = "002000800741424344454631"
SHA256_PREFIX = "3031300d060960864801650304020105000420"
SIGN = "802A008033" + SHA256_PREFIX + hashlib.sha256(b"message").hexdigest() + "00"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> TownPki:
    return TownPki.create(tmp_path_factory.mktemp("pki"), seed=7, pool_size=2)


@pytest.fixture
def directory(pki: TownPki, tmp_path: Path) -> Path:
    return pki.issue_card(tmp_path, "resident")


@pytest.fixture
def card(directory: Path) -> VirtualCard:
    return VirtualCard(directory)


def send(card: VirtualCard, *commands: str) -> list[str]:
    return [card.answer(bytes.fromhex(command)).hex().upper() for command in commands]


def test_signing_without_verify_is_refused(card: VirtualCard) -> None:
    assert send(card, SELECT_JPKI, SELECT_AUTH_KEY, SIGN)[-1] == "6982"
    assert send(card, SELECT_AUTH_PIN, VERIFY_0000, SELECT_AUTH_KEY, SIGN)[-1] == "6982"
    assert send(card, SELECT_AUTH_PIN, VERIFY_1234, SELECT_AUTH_KEY, SIGN)[-1].endswith("9000")


def test_each_pin_opens_its_own_key_alone(card: VirtualCard) -> None:
    assert send(card, SELECT_JPKI, SELECT_AUTH_PIN, VERIFY_1234, SELECT_SIGN_KEY, SIGN)[-1] == "6982"
    assert send(card, SELECT_SIGN_PIN, VERIFY_ABCDEF1, SELECT_SIGN_KEY, SIGN)[-1].endswith("9000")


def test_a_wrong_pin_closes_what_an_earlier_one_opened(card: VirtualCard) -> None:
    send(card, SELECT_JPKI, SELECT_AUTH_PIN, VERIFY_1234, VERIFY_0000)
    assert send(card, SELECT_AUTH_KEY, SIGN)[-1] == "6982"


def test_verify_survives_a_warm_reset_and_not_a_power_off(card: VirtualCard) -> None:
    send(card, SELECT_JPKI, SELECT_AUTH_PIN, VERIFY_1234)
    card.warm_reset()
    assert send(card, SELECT_AUTH_KEY) == ["6A82"]  # the selection is gone
    assert send(card, SELECT_JPKI, SELECT_AUTH_KEY, SIGN)[-1].endswith("9000")
    card.power_off()
    assert send(card, SELECT_JPKI, SELECT_AUTH_KEY, SIGN)[-1] == "6982"


def test_both_pins_tell_their_tries(card: VirtualCard) -> None:
    assert send(card, SELECT_JPKI, SELECT_AUTH_PIN, ASK_TRIES, SELECT_SIGN_PIN, ASK_TRIES)[2::2] == ["63C3", "63C5"]


def test_s17_counters_persist_over_a_restart_and_the_third_error_locks(directory: Path) -> None:
    told = []
    for _ in range(4):  # S17: a fresh card object each time, as after a restart
        told.append(send(VirtualCard(directory), SELECT_JPKI, SELECT_AUTH_PIN, VERIFY_0000)[-1])
    assert told == ["63C2", "63C1", "63C0", "6984"]
    assert send(VirtualCard(directory), SELECT_JPKI, SELECT_AUTH_PIN, VERIFY_1234, ASK_TRIES)[2:] == ["6984", "6984"]
    assert send(VirtualCard(directory), SELECT_JPKI, SELECT_SIGN_PIN, ASK_TRIES)[-1] == "63C5"


def test_a_right_pin_gives_all_tries_back_for_good(directory: Path) -> None:
    send(VirtualCard(directory), SELECT_JPKI, SELECT_AUTH_PIN, VERIFY_0000, VERIFY_0000, VERIFY_1234)
    assert send(VirtualCard(directory), SELECT_JPKI, SELECT_AUTH_PIN, ASK_TRIES)[-1] == "63C3"


def test_the_counter_is_on_disk_before_the_answer(directory: Path) -> None:
    card = VirtualCard(directory)
    send(card, SELECT_JPKI, SELECT_AUTH_PIN)
    card.arm(Fault(FaultKind.DROP_AFTER))
    with pytest.raises(CardDrops):
        send(card, VERIFY_0000)
    assert json.loads((directory / "tries.json").read_text(encoding="utf-8"))["authentication"] == 2
    assert [path.name for path in directory.glob("tries*")] == ["tries.json"]


def test_the_signing_certificate_is_behind_its_pin_and_the_other_is_free(card: VirtualCard) -> None:
    read = "00B0000004"
    assert send(card, SELECT_JPKI, SELECT_SIGN_CERTIFICATE, read)[-1] == "6982"
    assert send(card, SELECT_AUTH_CERTIFICATE, read)[-1].startswith("3082")
    assert send(card, SELECT_SIGN_PIN, VERIFY_ABCDEF1, SELECT_SIGN_CERTIFICATE, read)[-1].startswith("3082")


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("00A4040C0AD3921000310001010408", "6A82"),  # another application of the real card
        ("00A4040008A000000003000000", "6A86"),  # wants FCI, as other cards give
        ("00A4020C02FFFF", "6A82"),
        ("00A4020C01FF", "6A82"),
        ("00CA006E00", "6D00"),
        ("80CA9F7F00", "6D00"),
        ("00B0000000", "6986"),  # nothing selected
        ("00200081", "6A86"),
        ("00200080", "6986"),
        ("00A4020C05", "6986"),
        ("00A4020C0300", "6700"),
        ("00A4", "6700"),
    ],
)
def test_foreign_commands_are_refused(card: VirtualCard, command: str, answer: str) -> None:
    expected = "6A82" if command == "00A4020C05" else answer  # a case 2 SELECT has no file
    assert send(card, SELECT_JPKI, command)[-1] == expected


@pytest.mark.parametrize("offset", ["7FFF", "8000", "0FFF"])
def test_reading_past_the_end(card: VirtualCard, offset: str) -> None:
    assert send(card, SELECT_JPKI, SELECT_AUTH_CERTIFICATE, f"00B0{offset}00")[-1] == "6B00"


def test_files_are_reached_only_inside_the_application(pki: TownPki, tmp_path: Path, card: VirtualCard) -> None:
    assert send(card, SELECT_AUTH_CERTIFICATE) == ["6A82"]
    foreign = VirtualCard(pki.issue_card(tmp_path, "foreign", kind=CardKind.FOREIGN))
    assert send(foreign, SELECT_JPKI, SELECT_AUTH_CERTIFICATE) == ["6A82", "6A82"]


@pytest.mark.parametrize(
    ("prefix", "algorithm"),
    [
        ("3021300906052b0e03021a05000414", SHA1()),  # noqa: S303 - the card signs what it is given; OpenSC offers SHA-1
        (SHA256_PREFIX, SHA256()),
        ("3051300d060960864801650304020305000440", SHA512()),
    ],
)
def test_any_digest_info_is_signed(card: VirtualCard, directory: Path, prefix: str, algorithm: HashAlgorithm) -> None:
    info = bytes.fromhex(prefix) + hashlib.new(algorithm.name, b"message").digest()
    send(card, SELECT_JPKI, SELECT_AUTH_PIN, VERIFY_1234, SELECT_AUTH_KEY)
    signed = card.answer(bytes.fromhex("802A0080") + bytes((len(info),)) + info + b"\x00")
    key = x509.load_der_x509_certificate((directory / "000A.der").read_bytes()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signed[:-2], b"message", padding.PKCS1v15(), algorithm)


def test_a_fault_comes_once_at_its_place_and_for_its_instruction(card: VirtualCard) -> None:
    card.arm(Fault(FaultKind.HANG, 1, 0x20))
    send(card, SELECT_JPKI, SELECT_AUTH_PIN, ASK_TRIES)
    with pytest.raises(CardHangs):
        send(card, ASK_TRIES)
    assert send(card, ASK_TRIES) == ["63C3"]
    card.arm(Fault(FaultKind.REFUSE))
    card.arm(None)
    assert send(card, ASK_TRIES) == ["63C3"]
