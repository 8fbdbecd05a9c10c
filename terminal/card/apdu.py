"""Commands and answers of ISO/IEC 7816-4, as bytes. Pure: no reader, no state.

Source: ISO/IEC 7816-4 for the names; the jpki driver of OpenSC for how a My Number Card uses them.
"""

from dataclasses import dataclass
from typing import Final

CLA_ISO: Final = 0x00
CLA_PROPRIETARY: Final = 0x80

INS_VERIFY: Final = 0x20
INS_CHANGE_REFERENCE_DATA: Final = 0x24
INS_PERFORM_SECURITY_OPERATION: Final = 0x2A
INS_SELECT_FILE: Final = 0xA4
INS_READ_BINARY: Final = 0xB0

P1_SELECT_EF_BY_ID: Final = 0x02
P1_SELECT_BY_DF_NAME: Final = 0x04
P2_NO_FCI: Final = 0x0C
P2_CURRENT_REFERENCE: Final = 0x80

SW_OK: Final = 0x9000
SW_TRIES_LEFT: Final = 0x63C0  # the low nibble counts
SW_WRONG_LENGTH: Final = 0x6700
SW_SECURITY_STATUS_NOT_SATISFIED: Final = 0x6982
SW_AUTHENTICATION_METHOD_BLOCKED: Final = 0x6983
SW_REFERENCE_DATA_INVALIDATED: Final = 0x6984
SW_COMMAND_NOT_ALLOWED_NO_EF: Final = 0x6986
SW_FILE_NOT_FOUND: Final = 0x6A82
SW_INCORRECT_P1_P2: Final = 0x6A86
SW_WRONG_OFFSET: Final = 0x6B00
SW_INS_NOT_SUPPORTED: Final = 0x6D00

SHORT_LE_MAX: Final = 256
SHORT_LC_MAX: Final = 255
OFFSET_MAX: Final = 0x7FFF  # READ BINARY has 15 bits of offset

_SECRET_INS: Final = frozenset({INS_VERIFY, INS_CHANGE_REFERENCE_DATA})


class MalformedAnswer(ValueError):
    """The card's bytes break the standard."""


@dataclass(frozen=True, repr=False)
class Command:
    """One short command APDU.

    Shape: data has at most 255 bytes; le is 1..256, or None where no data is expected.
    The repr masks the data of VERIFY and CHANGE REFERENCE DATA, so that no trace can hold a PIN.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes | bytearray = b""
    le: int | None = None

    def __post_init__(self) -> None:
        assert len(self.data) <= SHORT_LC_MAX
        assert self.le is None or 1 <= self.le <= SHORT_LE_MAX

    def encode(self) -> bytearray:
        """Return the bytes to send, in a buffer which the caller can wipe."""
        encoded = bytearray((self.cla, self.ins, self.p1, self.p2))
        if self.data:
            encoded.append(len(self.data))
            encoded += self.data
        if self.le is not None:
            encoded.append(self.le % SHORT_LE_MAX)  # 256 is written as 00
        return encoded

    def __repr__(self) -> str:
        shown = f"<{len(self.data)} bytes masked>" if self.ins in _SECRET_INS else bytes(self.data).hex().upper()
        header = bytes((self.cla, self.ins, self.p1, self.p2)).hex().upper()
        return f"Command({header} {shown} le={self.le})"


@dataclass(frozen=True)
class Response:
    """One response APDU, parted into its data and its status word."""

    data: bytes
    status_word: int

    @classmethod
    def decode(cls, answer: bytes) -> "Response":
        """Part an answer. Errors: MalformedAnswer if it is shorter than a status word."""
        if len(answer) < 2:
            raise MalformedAnswer(f"an answer of {len(answer)} bytes has no status word")
        return cls(answer[:-2], int.from_bytes(answer[-2:], "big"))

    @property
    def tries_left(self) -> int | None:
        """The count in 63Cx, or None for any other status word."""
        return self.status_word & 0x000F if self.status_word & 0xFFF0 == SW_TRIES_LEFT else None


def select_application(aid: bytes) -> Command:
    return Command(CLA_ISO, INS_SELECT_FILE, P1_SELECT_BY_DF_NAME, P2_NO_FCI, aid)


def select_file(file_id: int) -> Command:
    return Command(CLA_ISO, INS_SELECT_FILE, P1_SELECT_EF_BY_ID, P2_NO_FCI, file_id.to_bytes(2, "big"))


def read_binary(offset: int, le: int) -> Command:
    assert 0 <= offset <= OFFSET_MAX
    return Command(CLA_ISO, INS_READ_BINARY, offset >> 8, offset & 0xFF, le=le)


def ask_tries() -> Command:
    """VERIFY without data: the card tells the tries left and uses none."""
    return Command(CLA_ISO, INS_VERIFY, 0x00, P2_CURRENT_REFERENCE)


def verify(pin: bytearray) -> Command:
    assert pin, "an empty VERIFY is a question, not an attempt"
    return Command(CLA_ISO, INS_VERIFY, 0x00, P2_CURRENT_REFERENCE, pin)


def compute_signature(digest_info: bytes) -> Command:
    return Command(
        CLA_PROPRIETARY, INS_PERFORM_SECURITY_OPERATION, 0x00, P2_CURRENT_REFERENCE, digest_info, SHORT_LE_MAX
    )


def der_total_length(head: bytes) -> int:
    """Return the length of the DER value that begins with `head`, its tag and length bytes included.

    Shape:  a one-byte tag and a definite length, as every X.509 certificate has.
    Errors: MalformedAnswer if head is too short, not a SEQUENCE, or its length is not DER.
    """
    if len(head) < 2 or head[0] != 0x30:
        raise MalformedAnswer("the file does not begin with a DER SEQUENCE")
    if head[1] < 0x80:
        return 2 + head[1]
    count = head[1] & 0x7F
    length_bytes = head[2 : 2 + count]
    if not 1 <= count <= 3 or len(length_bytes) < count:
        raise MalformedAnswer("the DER length is indefinite, too long or cut off")
    length = int.from_bytes(length_bytes, "big")
    if length < 0x80 or length_bytes[0] == 0:
        raise MalformedAnswer("the DER length is not in its shortest form")
    return 2 + count + length
