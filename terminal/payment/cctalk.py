"""ccTalk on the wire: frames, answers and event counters, as pure and total functions. No port, no clock.

A frame is destination, number of data bytes, source, header, data, checksum. On the one wire the host hears its own
bytes before the answer. A device answers with header 0 (done), 5 (refused) or 6 (busy), or not at all: to a frame that
it could not read it is silent.
Source: ccTalk Generic Specification 4.7, parts 1 to 3 (public); product manuals of hoppers and validators.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from enum import Enum, IntEnum, IntFlag, StrEnum
from typing import Final

HOST: Final = 1
DATA_MAX_BYTES: Final = 252  # some adapters lose longer frames
_AROUND_DATA: Final = 5  # destination, number of data bytes, source, header, checksum
EVENTS_KEPT: Final = 5  # a device's buffer; what is older is gone
COUNTER_PERIOD: Final = 255  # 1..255 and around to 1; 0 only after a power-up or reset


class Header(IntEnum):
    """Commands and answers by the specification's names and numbers."""

    REPLY = 0
    RESET_DEVICE = 1
    NAK = 5
    BUSY = 6
    REQUEST_ESCROW_STATUS = 106
    OPERATE_ESCROW = 107
    REQUEST_HOPPER_COIN = 131
    MODIFY_BILL_OPERATING_MODE = 153
    ROUTE_BILL = 154
    REQUEST_BILL_ID = 157
    READ_BUFFERED_BILL_EVENTS = 159
    REQUEST_CIPHER_KEY = 160
    PUMP_RNG = 161
    TEST_HOPPER = 163
    ENABLE_HOPPER = 164
    REQUEST_HOPPER_STATUS = 166
    DISPENSE_HOPPER_COINS = 167
    REQUEST_COIN_ID = 184
    MODIFY_MASTER_INHIBIT_STATUS = 228
    READ_BUFFERED_CREDIT = 229
    REQUEST_INHIBIT_STATUS = 230
    MODIFY_INHIBIT_STATUS = 231
    PERFORM_SELF_CHECK = 232
    REQUEST_SERIAL_NUMBER = 242
    SIMPLE_POLL = 254


class Checksum(StrEnum):
    """SIMPLE: all bytes sum to 0 modulo 256. CRC: CRC-16 CCITT, whose low byte stands in the source's place."""

    SIMPLE = "simple"
    CRC = "crc"


class BadFrame(ValueError):
    """These bytes are no frame, or more than one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message. source is None where the checksum took its place."""

    destination: int
    source: int | None
    header: int
    data: bytes = b""


def encode(frame: Frame, checksum: Checksum) -> bytes:
    """Return the frame's bytes.

    Errors: ValueError where a field does not fit.
    """
    if len(frame.data) > DATA_MAX_BYTES:
        raise ValueError(f"data of {len(frame.data)} bytes; at most {DATA_MAX_BYTES}")
    start = bytes((frame.destination, len(frame.data)))
    rest = bytes((frame.header,)) + frame.data
    if checksum is Checksum.CRC:
        crc = _crc(start + rest)
        return start + bytes((crc & 0xFF,)) + rest + bytes((crc >> 8,))
    if frame.source is None:
        raise ValueError("a frame with a simple checksum names its source")
    body = start + bytes((frame.source,)) + rest
    return body + bytes((-sum(body) % 256,))


def decode(text: bytes, checksum: Checksum) -> Frame:
    """Return the one frame that text is, from its first byte to its last.

    Errors: BadFrame.
    """
    if frame_size(text) != len(text):
        raise BadFrame(f"{len(text)} bytes are no frame")
    data = text[4:-1]
    if checksum is Checksum.CRC:
        if _crc(text[:2] + text[3:-1]) != text[2] | text[-1] << 8:
            raise BadFrame("the CRC is wrong")
        return Frame(text[0], None, text[3], data)
    if sum(text) % 256:
        raise BadFrame("the checksum is wrong")
    return Frame(text[0], text[2], text[3], data)


def frame_size(start: bytes) -> int:
    """Return how many bytes the frame has that begins so; of less than two bytes, the least that it can have."""
    return _AROUND_DATA + (start[1] if len(start) > 1 else 0)


def _crc(text: bytes) -> int:
    """CRC-16 CCITT as ccTalk has it: polynomial 0x1021, from 0, nothing reflected."""
    return binascii.crc_hqx(text, 0)


def heard_after_echo(heard: bytes, sent: bytes) -> bytes | None:
    """Return what followed our own bytes on the wire, or None while they have not come back whole.

    What stood before them was said before we spoke (the end of a late answer): it answers nothing.
    """
    at = heard.find(sent)
    return None if at < 0 else heard[at + len(sent) :]


def decode_answer(answer: bytes, device: int, checksum: Checksum) -> Frame:
    """Return a device's answer to the host.

    Nothing is searched for in it: a byte too many, too few or another one and it is no answer. The way back into step
    is silence on the wire, never a guess at where a frame may begin.
    Errors: BadFrame.
    """
    frame = decode(answer, checksum)
    if frame.destination != HOST or frame.source not in {device, None}:
        raise BadFrame(f"from {frame.source} to {frame.destination}, expected from {device} to {HOST}")
    if frame.header not in {Header.REPLY, Header.NAK, Header.BUSY}:
        raise BadFrame(f"header {frame.header} is no answer")
    return frame


# Event counters


@dataclass(frozen=True, slots=True)
class Event:
    """One pair of a buffered credit or bill event; what a and b mean is the device's."""

    a: int
    b: int


class Lost(Enum):
    """Events are missing, and nobody can tell which: the device began anew, or more came than it keeps."""

    LOST = "lost"


def next_counter(counter: int) -> int:
    """Return the counter after one more event."""
    return counter % COUNTER_PERIOD + 1


def events_between(last: int, now: int) -> int | Lost:
    """Return how many events came between two readings of a counter.

    Shape:  0..255 each. More than EVENTS_KEPT are said as they are; a counter that went back to 0 is LOST.
    """
    if now == last:
        return 0
    if now == 0:
        return Lost.LOST
    return now if last == 0 else (now - last) % COUNTER_PERIOD


def new_events(last: int, answer: bytes) -> tuple[Event, ...] | Lost:
    """Return what a buffered answer (counter, then five pairs, newest first) tells anew, oldest first.

    Errors: BadFrame if it has another length.
    """
    if len(answer) != 1 + 2 * EVENTS_KEPT:
        raise BadFrame(f"buffered events of {len(answer)} bytes")
    count = events_between(last, answer[0])
    if isinstance(count, Lost) or count > EVENTS_KEPT:
        return Lost.LOST
    pairs = tuple(Event(answer[at], answer[at + 1]) for at in range(1, len(answer), 2))
    return pairs[:count][::-1]


# Coins and bills


def coin_yen(coin_id: bytes) -> int | None:
    """Return what an id such as JP100A or JP1000A is worth, or None where it is no Japanese money."""
    text = coin_id.decode("ascii", "replace")
    value = text[2:-1]
    return int(value) if text[:2] == "JP" and value.isascii() and value.isdigit() and int(value) else None


class BillPlace(IntEnum):
    """Second byte of a bill's own event: where it is."""

    STACKED = 0
    IN_ESCROW = 1


class BillEvent(IntEnum):
    """Second byte of an event whose first is 0, as far as they are told apart here."""

    RETURNED_FROM_ESCROW = 1
    JAMMED_UNSAFE = 6
    JAMMED_IN_STACKER = 7
    PULLED_BACKWARDS = 8
    STACKER_FAULTY = 13
    STACKER_FULL = 14
    STACKER_JAMMED = 15
    JAMMED_SAFE = 16


class CoinError(IntEnum):
    """Second byte of a credit event whose first is 0, where a coin may have gone where none is counted."""

    CREDIT_SENSOR_TIMEOUT = 6
    COIN_JAM = 14
    COIN_ON_STRING = 20


class Route(IntEnum):
    """Where a note in escrow goes."""

    RETURN = 0
    STACK = 1
    EXTEND_TIMEOUT = 255  # moves nothing, and tells whether one is there


class RouteError(IntEnum):
    """A route's answer where it was refused."""

    ESCROW_EMPTY = 254
    FAILED = 255


# Hoppers


class HopperFlag(IntFlag):
    """First byte of a hopper's test."""

    CURRENT_EXCEEDED = 1
    PAYOUT_TIMEOUT = 2
    MOTOR_REVERSED = 4
    PATH_BLOCKED_IDLE = 8
    SHORT_CIRCUIT_IDLE = 16
    PATH_BLOCKED_PAYOUT = 32
    POWER_UP = 64
    DISABLED = 128


#: With one of these nothing is asked of a hopper until somebody has looked into it.
HOPPER_FAULTS: Final = (
    HopperFlag.CURRENT_EXCEEDED
    | HopperFlag.PAYOUT_TIMEOUT
    | HopperFlag.PATH_BLOCKED_IDLE
    | HopperFlag.SHORT_CIRCUIT_IDLE
    | HopperFlag.PATH_BLOCKED_PAYOUT
)
HOPPER_ENABLE: Final = 165


def hopper_flags(answer: bytes) -> HopperFlag:
    """Decode a hopper's test; newer ones send more bytes. Errors: BadFrame."""
    if not answer:
        raise BadFrame("a hopper's test without flags")
    return HopperFlag(answer[0])


@dataclass(frozen=True, slots=True)
class HopperStatus:
    """A hopper's word on its last payout; paid and unpaid outlive a power cut, the counter does not."""

    counter: int
    remaining: int
    paid: int
    unpaid: int


def hopper_status(answer: bytes) -> HopperStatus:
    """Decode a hopper status. Errors: BadFrame."""
    if len(answer) != 4:
        raise BadFrame(f"hopper status of {len(answer)} bytes")
    return HopperStatus(*answer)


class Taken(Enum):
    """Was an order carried out (or begun)? UNKNOWN is an answer, and never a guess."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Said(StrEnum):
    """What a device itself answered to an order."""

    NOTHING = "nothing"
    YES = "yes"
    NO = "no"  # refused or busy


def was_taken(before: int, after: int, said: Said, *, began_anew: bool) -> Taken:
    """Decide by a device's counter and its own answer whether one order between two readings was taken.

    Shape:  began_anew: the device shows that its power was off since.
    """
    if said is Said.YES:
        return Taken.YES
    if began_anew:
        return Taken.UNKNOWN  # the counter counts from 0 again: whether it took the order before that, it does not say
    if after == before:
        return Taken.NO
    if said is Said.NO:
        return Taken.UNKNOWN  # some count what they refuse, too
    return Taken.YES if after == next_counter(before) else Taken.UNKNOWN


# The holding tray


class TrayAction(IntEnum):
    """What the tray is ordered to do. HOLD closes it and marks that its power has been on since."""

    HOLD = 0
    TO_CASHBOX = 1
    TO_CUP = 2


class TrayFlag(IntFlag):
    """Second byte of the tray's status."""

    NOT_EMPTY = 1
    MOVING = 2
    POWER_UP = 4  # since the last HOLD
    JAMMED = 8


@dataclass(frozen=True, slots=True)
class TrayStatus:
    """counter: 0 after a power-up, one more for each drop."""

    counter: int
    flags: TrayFlag


def tray_status(answer: bytes) -> TrayStatus:
    """Decode a tray's status. Errors: BadFrame."""
    if len(answer) != 2:
        raise BadFrame(f"tray status of {len(answer)} bytes")
    return TrayStatus(answer[0], TrayFlag(answer[1] & 0x0F))
