"""The JPKI application of a My Number Card, over one `transmit` port. No reader and no PC/SC here.

Only the authentication pair is touched: never the Individual Number, the name or the signing certificate.
Source: OpenSC's jpki driver and public descriptions of the card's files.
"""

from collections.abc import Callable
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from terminal.card import apdu
from terminal.card.results import (
    CardError,
    NotMyNumberCard,
    OtherCard,
    PinLocked,
    PinWrong,
    UnreadableCard,
    UnsupportedKey,
    VerifyInterrupted,
)

AID_JPKI: Final = bytes.fromhex("D392F000260100000001")

EF_TOKEN_INFO: Final = 0x0006
EF_AUTH_CERTIFICATE: Final = 0x000A
EF_AUTH_KEY: Final = 0x0017
EF_AUTH_PIN: Final = 0x0018

LABEL_SIZE: Final = 32
LABEL_MY_NUMBER_CARD: Final = "JPKIAPICCTOKEN2"
_OTHER_TOKENS: Final = {
    "JPKIAPICCTOKEN": OtherCard.JUKI,
    "JPKIAPGPSETOKEN": OtherCard.PHONE_ANDROID,
    "JPKIAPIOSTOKEN": OtherCard.PHONE_IPHONE,
}

CERTIFICATE_SIZE_MAX: Final = 8192  # the largest one seen has 2 KiB; the bound stops a card that never ends

DIGEST_INFO_SHA256: Final = bytes.fromhex("3031300d060960864801650304020105000420")
"""RFC 8017, 9.2, note 1: what stands before a SHA-256 digest in a DigestInfo."""

_PIN_BLOCKED: Final = frozenset(
    {apdu.SW_REFERENCE_DATA_INVALIDATED, apdu.SW_AUTHENTICATION_METHOD_BLOCKED, apdu.SW_TRIES_LEFT}
)

Transmit = Callable[[bytearray], bytes]
"""Send one command APDU, return the whole answer; raises a CardError where card or reader fail."""


def send(transmit: Transmit, command: apdu.Command) -> apdu.Response:
    """Send one command. Errors: UnreadableCard where the answer has no status word."""
    try:
        return apdu.Response.decode(transmit(command.encode()))
    except apdu.MalformedAnswer as error:
        raise UnreadableCard(f"INS {command.ins:02X}: {error}") from error


def select_application(transmit: Transmit) -> None:
    """Select JPKI: this, and never the ATR, tells what a card is.

    Errors: NotMyNumberCard(FOREIGN) where the card has no such application.
    """
    if send(transmit, apdu.select_application(AID_JPKI)).status_word != apdu.SW_OK:
        raise NotMyNumberCard(OtherCard.FOREIGN)


def _select_file(transmit: Transmit, file_id: int) -> None:
    status_word = send(transmit, apdu.select_file(file_id)).status_word
    if status_word != apdu.SW_OK:
        raise UnreadableCard(f"SELECT {file_id:04X} answered {status_word:04X}")


def _read_exactly(transmit: Transmit, offset: int, size: int) -> bytes:
    """Read one block. A block of another size than asked for is refused: the file would shift unnoticed."""
    response = send(transmit, apdu.read_binary(offset, size))
    if response.status_word != apdu.SW_OK:
        raise UnreadableCard(f"READ at {offset} answered {response.status_word:04X}")
    if len(response.data) != size:
        raise UnreadableCard(f"READ at {offset} gave {len(response.data)} bytes instead of {size}")
    return response.data


def token_label(transmit: Transmit) -> str:
    """Return the label of a My Number Card.

    Errors: NotMyNumberCard where the label is another token's; UnreadableCard.
    """
    _select_file(transmit, EF_TOKEN_INFO)
    raw = _read_exactly(transmit, 0, LABEL_SIZE)
    label = raw.decode("ascii", "replace").rstrip("\x00 ")
    if label != LABEL_MY_NUMBER_CARD:
        raise NotMyNumberCard(_OTHER_TOKENS.get(label, OtherCard.UNKNOWN_TOKEN))
    return label


def read_der_file(transmit: Transmit, file_id: int) -> bytes:
    """Read a file that holds one DER value, up to that value's own length: filler may follow it.

    Errors: UnreadableCard where a block is short or missing, or the value is no DER.
    """
    _select_file(transmit, file_id)
    content = bytearray(_read_exactly(transmit, 0, apdu.SHORT_LE_MAX))
    try:
        total = apdu.der_total_length(bytes(content))
    except apdu.MalformedAnswer as error:
        raise UnreadableCard(f"file {file_id:04X}: {error}") from error
    if total > CERTIFICATE_SIZE_MAX:
        raise UnreadableCard(f"file {file_id:04X} claims {total} bytes")
    while len(content) < total:
        size = min(apdu.SHORT_LE_MAX, total - len(content))
        content += _read_exactly(transmit, len(content), size)
    return bytes(content[:total])


def authentication_certificate(transmit: Transmit) -> bytes:
    """Return the user-authentication certificate in DER. Errors: UnreadableCard."""
    der = read_der_file(transmit, EF_AUTH_CERTIFICATE)
    try:
        x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise UnreadableCard("the file 000A is no certificate") from error
    return der


def tries_left(transmit: Transmit) -> int | None:
    """Ask how many tries the authentication PIN has; uses none of them.

    Errors: PinLocked where none is left. None: the card says 9000 and so does not tell.
    """
    _select_file(transmit, EF_AUTH_PIN)
    response = send(transmit, apdu.ask_tries())
    if response.status_word in _PIN_BLOCKED:
        raise PinLocked
    if response.status_word == apdu.SW_OK:
        return None
    if response.tries_left is None:
        raise UnreadableCard(f"the question for the tries answered {response.status_word:04X}")
    return response.tries_left


def verify(transmit: Transmit, pin: bytearray) -> None:
    """VERIFY the authentication PIN, once. `tries_left` must have been asked just before: it selects the PIN.

    Errors: PinWrong, PinLocked; VerifyInterrupted for anything else, since a try may have been used.
    """
    command = apdu.verify(pin).encode()
    try:
        response = apdu.Response.decode(transmit(command))
    except (CardError, apdu.MalformedAnswer) as error:
        raise VerifyInterrupted from error
    finally:
        command[:] = bytes(len(command))
    if response.status_word == apdu.SW_OK:
        return
    if response.status_word in _PIN_BLOCKED:
        raise PinLocked
    if response.tries_left is None:
        raise VerifyInterrupted
    raise PinWrong(response.tries_left)


def signing_key(certificate_der: bytes) -> rsa.RSAPublicKey:
    """Return the key whose kind and size rule the signature. Errors: UnsupportedKey, UnreadableCard."""
    try:
        key = x509.load_der_x509_certificate(certificate_der).public_key()
    except UnsupportedAlgorithm as error:
        raise UnsupportedKey("a kind that the library does not know") from error
    except (ValueError, x509.InvalidVersion) as error:
        raise UnreadableCard("the certificate's key cannot be read") from error
    if isinstance(key, ec.EllipticCurvePublicKey):
        raise UnsupportedKey(f"ECDSA {key.curve.name}")
    if not isinstance(key, rsa.RSAPublicKey):
        raise UnsupportedKey(type(key).__name__)
    if key.key_size > apdu.SHORT_LE_MAX * 8:
        raise UnsupportedKey(f"RSA {key.key_size}: its signature is longer than a short answer")
    return key


def sign(transmit: Transmit, digest: bytes, key: rsa.RSAPublicKey) -> bytes:
    """Let the card sign DigestInfo(SHA-256, digest), and check the answer against the certificate's key.

    Shape:  digest is 32 bytes; the signature is as long as the key's modulus.
    Errors: UnreadableCard where the card refuses, or where its signature is not this key's.
    """
    assert len(digest) == SHA256.digest_size
    _select_file(transmit, EF_AUTH_KEY)
    response = send(transmit, apdu.compute_signature(DIGEST_INFO_SHA256 + digest))
    if response.status_word != apdu.SW_OK:
        raise UnreadableCard(f"the signature was refused with {response.status_word:04X}")
    if len(response.data) * 8 != key.key_size:
        raise UnreadableCard(f"a signature of {len(response.data)} bytes for a key of {key.key_size} bits")
    try:
        key.verify(response.data, digest, PKCS1v15(), Prehashed(SHA256()))
    except InvalidSignature as error:
        raise UnreadableCard("the signature is not of the certificate's key") from error
    return response.data
