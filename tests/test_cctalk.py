"""ccTalk frames and counters as pure functions; the vectors' origins are named beside them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.payment.cctalk import (
    DATA_MAX_BYTES,
    EVENTS_KEPT,
    HOST,
    BadFrame,
    Checksum,
    Event,
    Frame,
    Header,
    HopperFlag,
    HopperStatus,
    Lost,
    Said,
    Taken,
    coin_yen,
    decode,
    decode_answer,
    encode,
    events_between,
    frame_size,
    heard_after_echo,
    hopper_flags,
    hopper_status,
    new_events,
    next_counter,
    tray_status,
    was_taken,
)

BYTES = st.integers(0, 255)
FRAMES = st.builds(Frame, BYTES, BYTES, BYTES, st.binary(max_size=DATA_MAX_BYTES))
CHECKSUMS = st.sampled_from(Checksum)

# From a hopper's manual (Suzohapp Flow 18-ccTalk, version 0.6): emergency stop, enable, dispense by number and by key.
SIMPLE_VECTORS = [
    ("03 00 01 AC 50", Frame(3, 1, 172)),
    ("03 01 01 A4 A5 B2", Frame(3, 1, Header.ENABLE_HOPPER, b"\xa5")),
    ("03 04 01 A7 DF D7 0A 01 90", Frame(3, 1, Header.DISPENSE_HOPPER_COINS, bytes.fromhex("DFD70A01"))),
    ("01 01 03 00 01 FA", Frame(HOST, 3, Header.REPLY, b"\x01")),
    ("03 09 01 A7 63 D9 2A 95 BA D4 35 82 03 09", Frame(3, 1, 167, bytes.fromhex("63D92A95BAD4358203"))),
]
# A simple poll of address 40, as the open esnext-cctalk library tests its own CRC: 40 0 182 254 33.
CRC_VECTORS = [("28 00 B6 FE 21", Frame(40, None, Header.SIMPLE_POLL))]


@pytest.mark.parametrize(("text", "frame"), SIMPLE_VECTORS)
def test_simple_checksums_are_those_of_a_real_device(text: str, frame: Frame) -> None:
    assert encode(frame, Checksum.SIMPLE) == bytes.fromhex(text)
    assert decode(bytes.fromhex(text), Checksum.SIMPLE) == frame


@pytest.mark.parametrize(("text", "frame"), CRC_VECTORS)
def test_crcs_are_those_of_another_implementation(text: str, frame: Frame) -> None:
    assert encode(frame, Checksum.CRC) == bytes.fromhex(text)
    assert decode(bytes.fromhex(text), Checksum.CRC) == frame


@given(frame=FRAMES, checksum=CHECKSUMS)
def test_what_is_encoded_is_decoded(frame: Frame, checksum: Checksum) -> None:
    text = encode(frame, checksum)
    source = frame.source if checksum is Checksum.SIMPLE else None
    assert decode(text, checksum) == Frame(frame.destination, source, frame.header, frame.data)
    assert frame_size(text[:2]) == frame_size(text) == len(text)


@given(frame=FRAMES, checksum=CHECKSUMS, data=st.data())
def test_one_byte_lost_repeated_or_altered_is_never_taken_for_the_same_length_of_frame(
    frame: Frame, checksum: Checksum, data: st.DataObject
) -> None:
    text = encode(frame, checksum)
    at = data.draw(st.integers(0, len(text) - 1))
    flip = data.draw(st.integers(1, 255))
    altered = text[:at] + bytes((text[at] ^ flip,)) + text[at + 1 :]
    with pytest.raises(BadFrame):
        decode(altered, checksum)
    for other in (text[:at] + text[at + 1 :], text[: at + 1] + text[at:]):
        if at != 1:  # the length itself: then the rest is another frame, which the checksum has to refuse
            with pytest.raises(BadFrame):
                decode(other, checksum)


@given(text=st.binary(max_size=40), checksum=CHECKSUMS)
def test_decoding_is_total(text: bytes, checksum: Checksum) -> None:
    try:
        frame = decode(text, checksum)
    except BadFrame:
        return
    source = 0 if frame.source is None else frame.source
    assert encode(Frame(frame.destination, source, frame.header, frame.data), checksum) == text


def test_a_frame_that_does_not_fit_is_the_programs_fault() -> None:
    with pytest.raises(ValueError, match="at most 252"):
        encode(Frame(2, 1, 254, bytes(DATA_MAX_BYTES + 1)), Checksum.SIMPLE)
    with pytest.raises(ValueError, match="source"):
        encode(Frame(2, None, 254), Checksum.SIMPLE)


def test_the_answer_is_what_follows_our_own_bytes() -> None:
    sent = encode(Frame(2, HOST, Header.SIMPLE_POLL), Checksum.SIMPLE)
    late = encode(Frame(HOST, 2, Header.REPLY, b"\x07"), Checksum.SIMPLE)
    assert heard_after_echo(late + sent + b"\x01\x00", sent) == b"\x01\x00"
    assert heard_after_echo(sent, sent) == b""
    assert heard_after_echo(sent[:-1], sent) is None


@pytest.mark.parametrize(
    "frame",
    [
        Frame(HOST, 3, Header.REPLY),  # another device
        Frame(5, 2, Header.REPLY),  # to another host
        Frame(HOST, 2, Header.SIMPLE_POLL),  # no answer
    ],
)
def test_what_is_no_answer_of_this_device_is_refused(frame: Frame) -> None:
    with pytest.raises(BadFrame):
        decode_answer(encode(frame, Checksum.SIMPLE), 2, Checksum.SIMPLE)


@pytest.mark.parametrize("header", [Header.REPLY, Header.NAK, Header.BUSY])
def test_three_answers_are_known(header: Header) -> None:
    text = encode(Frame(HOST, 2, header), Checksum.SIMPLE)
    assert decode_answer(text, 2, Checksum.SIMPLE).header == header
    with pytest.raises(BadFrame):
        decode_answer(text + text, 2, Checksum.SIMPLE)  # said twice: nothing is searched for in it


# Event counters


class Device:
    """A device's buffer, by the specification's words: a counter and the five newest pairs."""

    def __init__(self) -> None:
        self.counter = 0
        self.pairs: list[tuple[int, int]] = [(0, 0)] * EVENTS_KEPT

    def happen(self, pair: tuple[int, int]) -> None:
        self.counter = 1 if self.counter == 255 else self.counter + 1
        self.pairs = [pair, *self.pairs][:EVENTS_KEPT]

    def answer(self) -> bytes:
        return bytes((self.counter, *(byte for pair in self.pairs for byte in pair)))


@given(earlier=st.integers(0, 600), fresh=st.lists(st.tuples(BYTES, BYTES), max_size=12))
def test_events_are_told_in_order_or_are_lost(earlier: int, fresh: list[tuple[int, int]]) -> None:
    device = Device()
    for _ in range(earlier):
        device.happen((1, 1))
    last = device.counter
    for pair in fresh:
        device.happen(pair)
    told = new_events(last, device.answer())
    assert told == (tuple(Event(*pair) for pair in fresh) if len(fresh) <= EVENTS_KEPT else Lost.LOST)


@given(last=st.integers(1, 255))
def test_a_counter_back_at_0_has_lost_everything(last: int) -> None:
    assert events_between(last, 0) is Lost.LOST
    assert new_events(last, bytes(11)) is Lost.LOST


def test_the_counter_s_edges() -> None:
    assert [next_counter(n) for n in (0, 1, 254, 255)] == [1, 2, 255, 1]
    assert events_between(0, 0) == 0
    assert events_between(0, 5) == 5
    assert events_between(255, 1) == 1
    assert events_between(253, 3) == 5
    assert new_events(253, bytes((4, *range(10)))) is Lost.LOST
    with pytest.raises(BadFrame, match="10 bytes"):
        new_events(0, bytes(10))


# Was an order taken?


@given(before=BYTES, after=BYTES)
def test_an_order_was_taken_only_by_one_step_or_by_the_device_s_own_word(before: int, after: int) -> None:
    assert was_taken(before, after, Said.YES, began_anew=False) is Taken.YES
    assert was_taken(before, after, Said.NOTHING, began_anew=True) is Taken.UNKNOWN
    refused = was_taken(before, after, Said.NO, began_anew=False)
    assert refused is (Taken.NO if after == before else Taken.UNKNOWN), "some count what they refuse, too"
    alone = was_taken(before, after, Said.NOTHING, began_anew=False)
    assert (alone is Taken.NO) == (after == before)
    assert (alone is Taken.YES) == (after == next_counter(before))


# What devices say


@pytest.mark.parametrize(
    ("name", "yen"),
    [
        (b"JP010A", 10),
        (b"JP500A", 500),
        (b"JP1000A", 1000),
        (b"JP10000A", 10_000),
        (b"EU200A", None),
        (b"JP...A", None),
        (b"......", None),
        (b"JP000A", None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_only_japanese_money_is_worth_something(name: bytes, yen: int | None) -> None:
    assert coin_yen(name) == yen


def test_shapes_of_answers() -> None:
    assert hopper_status(bytes((3, 0, 2, 1))) == HopperStatus(3, 0, 2, 1)
    assert hopper_flags(b"\xc0\x00") == HopperFlag.DISABLED | HopperFlag.POWER_UP
    assert tray_status(b"\x02\x05").counter == 2
    for decode_one, text in ((hopper_status, b"123"), (hopper_flags, b""), (tray_status, b"1")):
        with pytest.raises(BadFrame):
            decode_one(text)  # type: ignore[operator] # three functions of bytes
